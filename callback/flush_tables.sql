-- Once a connection. Plans are generic: to plan anew for an array of 50,000 ids costs as much as to look them up, and the
-- plan is always the same walk over the keys of one day's partition.
SET plan_cache_mode = force_generic_plan;
-- Temporary tables made for each batch would bloat the catalogue.
CREATE TEMPORARY TABLE IF NOT EXISTS flush_message (
  round smallint NOT NULL, sms_id bigint NOT NULL, place tid NOT NULL, transaction xid NOT NULL,
  changed_at timestamptz NOT NULL, gateway int NOT NULL, reason int NOT NULL, attempt smallint NOT NULL,
  segments smallint NOT NULL, state smallint NOT NULL, version int NOT NULL, version_attempt smallint NOT NULL,
  parts smallint NOT NULL) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS flush_map (
  round smallint NOT NULL, gateway int NOT NULL, msg_id text NOT NULL, number bigint NOT NULL, sms_id bigint NOT NULL,
  segment smallint NOT NULL, attempt smallint NOT NULL, raw_msg_id text, accepted_at timestamptz NOT NULL) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS flush_event (
  round smallint NOT NULL, sms_id bigint NOT NULL, digest bigint NOT NULL, segment smallint NOT NULL, attempt smallint NOT NULL,
  step smallint NOT NULL, state smallint, gateway int NOT NULL, reason int NOT NULL, gateway_at timestamptz,
  at timestamptz NOT NULL, error text, origin text) ON COMMIT DELETE ROWS
