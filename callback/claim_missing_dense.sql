-- $1 sms_ids, $2 segments, $3 attempts; $4 … $5 the first sms_id and the one after the last of a stretch that is asked for
-- nearly whole: the same as claim_missing, by one walk and a hash of both sides instead of a look-up for each.
-- result: binary
SELECT k.sms_id, k.segment, k.attempt
FROM unnest($1::bigint[], $2::int[], $3::int[]) AS k (sms_id, segment, attempt)
EXCEPT
SELECT c.sms_id, c.segment::int, c.attempt::int FROM claim c WHERE c.sms_id >= $4 AND c.sms_id < $5
