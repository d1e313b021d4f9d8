-- $1 sms_ids, $2 segments, $3 attempts; $4 … $5 their day: those of them that have no claim.
-- result: binary
SELECT k.sms_id, k.segment, k.attempt
FROM unnest($1::bigint[], $2::int[], $3::int[]) AS k (sms_id, segment, attempt)
WHERE NOT EXISTS (SELECT FROM claim c
                  WHERE c.sms_id = k.sms_id AND c.segment = k.segment AND c.attempt = k.attempt
                    AND c.sms_id >= $4 AND c.sms_id < $5)
