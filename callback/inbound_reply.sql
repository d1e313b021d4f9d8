-- Answers, each once for its row. $1 run, $2 inbound ids, $3 numbers, $4 keys, $5 records without their first member,
-- $6 valid until, $7 queue, $8 and $9 what a chunk begins and ends with, $10 how many answers a number gets in a day.
UPDATE inbound AS i
SET reply_sms_id = enter_message($1::bigint, a.key, a.number, false, true, $6::timestamptz, $7::text, $8::text, a.record, $9::text)
FROM (
  SELECT asked.*, row_number() OVER (PARTITION BY asked.number ORDER BY asked.id)
    + (SELECT count(*) FROM inbound e WHERE e.number = asked.number AND e.reply_sms_id IS NOT NULL
         AND e.said_at > now() - interval '2 days' AND e.at > now() - interval '1 day') AS nth
  FROM unnest($2::bigint[], $3::bigint[], $4::uuid[], $5::text[]) AS asked (id, number, key, record)
) AS a
WHERE i.id = a.id AND i.reply_sms_id IS NULL AND a.nth <= $10::bigint
RETURNING i.id, i.reply_sms_id
