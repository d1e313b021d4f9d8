-- Enters the heartbeat of this interval, once however many dispatchers ask. $1 run, $2 gateway, $3 the interval in ms, $4 number,
-- $5 queue, $6 and $8 what a chunk begins and ends with, $7 the record without its first member.
SELECT enter_message($1::bigint,
  left(encode(sha256(convert_to('heartbeat:' || $2::text || ' ' || $3::bigint || ' '
    || floor(extract(epoch FROM now()) * 1000 / $3::bigint), 'UTF8')), 'hex'), 32)::uuid,
  $4::bigint, false, true, now() + $3::bigint * interval '1 millisecond', $5::text, $6::text, $7::text, $8::text)
