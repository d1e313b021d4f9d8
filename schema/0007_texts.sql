-- Which version of its template made each message, and the texts of all versions.

-- Fixed width and not null, so that the updates stay HOT; the default is kept in the catalogue, no row is rewritten.
ALTER TABLE message
  ADD COLUMN version int NOT NULL DEFAULT 0,             -- word.id of kind 'version', 0 not told
  ADD COLUMN version_attempt smallint NOT NULL DEFAULT 0; -- the attempt that told it: of two the higher one counts

-- template_version.version is the first 16 hex digits of SHA-256 over the template's name, a zero byte and its whole file;
-- template_version.text is that file. (Rows of before hold the text without its head, under its own hash.)
GRANT SELECT, INSERT ON template_version TO smschain_callback;
GRANT SELECT ON template_version TO smschain_operator;
