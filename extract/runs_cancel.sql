-- A cancelled run is not read any more. Its chunks may leave: each of its messages then ends at the claim, as cancelled.
UPDATE run SET state = 'cancelled', why = 'cancelled', publish = true, wave = 2, ended_at = coalesce(ended_at, now())
WHERE state IN ('new', 'reading', 'held', 'failed')
  AND id IN (SELECT CASE WHEN key ~ '^[0-9]{1,18}$' THEN key::bigint END FROM control WHERE kind = 'cancel' AND scope = 'run')
RETURNING id
