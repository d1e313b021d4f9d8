-- Enters test messages, all or none. $1 run, $2 keys, $3 numbers, $4 records without their first member, $5 valid for so many
-- ms, $6 queue, $7 and $8 what a chunk begins and ends with. Gives numbers and sms_ids; null: the number is suppressed.
SELECT n.number, enter_message($1::bigint, n.key, n.number, false, true, now() + $5::bigint * interval '1 millisecond', $6::text,
                               $7::text, n.record, $8::text)
FROM unnest($2::uuid[], $3::bigint[], $4::text[]) WITH ORDINALITY AS n (key, number, record, n)
ORDER BY n.n
