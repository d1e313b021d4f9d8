-- Is anything parked at all? Mostly not, and then a flush need not look for its keys.
SELECT EXISTS (SELECT FROM parked), EXISTS (SELECT FROM parked WHERE seq_sms_id IS NOT NULL)
