-- Records that must wait and have no claim of ours: arrays $1 due_at $2 body $3 run (0: leaves when due, whatever the
-- run's state); $4 target. A run that is unknown holds nothing back.
INSERT INTO outbox (due_at, target, body, run_id)
SELECT due_at, $4::text, body, (SELECT r.id FROM run r WHERE r.id = i.run)
FROM unnest($1::timestamptz[], $2::text[], $3::bigint[]) AS i (due_at, body, run)
