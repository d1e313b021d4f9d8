-- $1 name, $2 horizon in ms: how far the sweep has come, and how far it may go now
SELECT coalesce((SELECT until FROM sweep WHERE name = $1), timestamptz '2020-01-01 00:00:00Z'), now() - $2 * interval '1 millisecond'
