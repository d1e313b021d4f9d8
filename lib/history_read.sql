-- What tells one state of one database from another. The position is the flushed one: what was only inserted may be
-- gone after a crash, and a crash is no loss of history.
SELECT (pg_control_system()).system_identifier,
       (SELECT oid FROM pg_database WHERE datname = current_database()) AS database_oid,
       CASE WHEN pg_is_in_recovery() THEN (pg_control_checkpoint()).timeline_id
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int END AS timeline,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
             ELSE pg_current_wal_flush_lsn() END - '0/0'::pg_lsn)::bigint AS position,
       h.generation, h.accepted_at,
       h.system_identifier = (pg_control_system()).system_identifier AND (pg_is_in_recovery() OR h.timeline =
         ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int) AS at_home
FROM database_history AS h
