SELECT setval('sms_n', (SELECT (last_value + $1::bigint) % 68719476735 + 1 FROM sms_n))
