-- Keeps the session that holds the lock from idle_session_timeout.
SELECT
