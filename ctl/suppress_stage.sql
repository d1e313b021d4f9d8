CREATE TEMPORARY TABLE suppress_stage (number bigint, scope text, reason text, since timestamptz) ON COMMIT DROP
