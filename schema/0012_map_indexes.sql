-- msg_map with one wide index instead of two: a report is found by gateway and msg_id, and the same key with the attempt behind it
-- is what makes a row unique. Questions by sms_id (why, look-ups, inference) need no more than the sms_id, whose index is narrow
-- and grows at its end.
ALTER TABLE msg_map DROP CONSTRAINT msg_map_pkey;
DROP INDEX msg_map_id;
CREATE UNIQUE INDEX msg_map_id ON msg_map (gateway, msg_id, sms_id, segment, attempt);
CREATE INDEX msg_map_sms ON msg_map (sms_id);
