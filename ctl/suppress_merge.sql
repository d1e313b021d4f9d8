-- A number that is suppressed already stays as it is: its reason and its time are what happened.
INSERT INTO suppression (number, scope, reason, since)
SELECT DISTINCT ON (number, scope) number, scope, reason, coalesce(since, now())
FROM suppress_stage
ORDER BY number, scope, since
ON CONFLICT (number, scope) DO NOTHING
