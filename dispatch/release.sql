-- Settles what a dead dispatcher's slots prove, for one day: $1 $2 its bounds; $3 the dead one's epoch; arrays: $4 sms_id
-- $5 segment $6 claimed_at $7 settled. claimed_at names the group: an older claim of the same owner stays as it is.
UPDATE claim c SET settled = i.settled
FROM unnest($4::bigint[], $5::int[], $6::timestamptz[], $7::int[]) AS i (sms_id, segment, claimed_at, settled)
WHERE c.sms_id >= $1::bigint AND c.sms_id < $2::bigint
  AND c.sms_id = i.sms_id AND c.segment = i.segment AND c.claimed_at = i.claimed_at
  AND c.owner = $3::bigint AND c.kind = 0 AND c.settled = 0
