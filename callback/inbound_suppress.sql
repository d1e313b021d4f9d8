-- $1 numbers that have said STOP or START: what each has said last counts, whenever it was told; of one moment's two, STOP.
-- START lifts what STOP has made, not what a person has entered.
WITH latest AS MATERIALIZED (
  SELECT DISTINCT ON (i.number) i.number, i.keyword, i.said_at FROM inbound i
  WHERE i.number = ANY ($1::bigint[]) AND i.keyword IS NOT NULL
  ORDER BY i.number, i.said_at DESC, i.keyword DESC
), lifted AS (
  DELETE FROM suppression s USING latest l
  WHERE l.keyword = 'start' AND s.number = l.number AND s.scope = 'marketing' AND s.reason = 'stop'
)
INSERT INTO suppression (number, scope, reason, since)
SELECT number, 'marketing', 'stop', said_at FROM latest WHERE keyword = 'stop' ORDER BY number
ON CONFLICT (number, scope) DO NOTHING
