-- msg_map with one wide index instead of two: a report is found by gateway and msg_id, and the same key with the attempt behind it
-- is what makes a row unique. The few questions by sms_id (why, look-ups, inference) read some pages more: rows come nearly in
-- the order of their sms_id, and one message's day is one partition.
ALTER TABLE msg_map DROP CONSTRAINT msg_map_pkey;
DROP INDEX msg_map_id;
CREATE UNIQUE INDEX msg_map_id ON msg_map (gateway, msg_id, sms_id, segment, attempt);
CREATE INDEX msg_map_sms ON msg_map USING brin (sms_id) WITH (pages_per_range = 16, autosummarize = on);
