-- $1 … $2 the first sms_id and the one after the last of a stretch that is asked for nearly whole: who has the claim that
-- nearly all have, by one walk instead of a look-up for each.
-- result: binary
SELECT sms_id FROM claim WHERE sms_id >= $1 AND sms_id < $2 AND segment = 1 AND attempt = 1
