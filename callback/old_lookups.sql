-- $1 days that are kept
DELETE FROM lookup WHERE sms_id < ((now() AT TIME ZONE 'UTC')::date - date '2020-01-01' - $1::int)::bigint << 36
