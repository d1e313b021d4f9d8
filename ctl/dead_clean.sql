DELETE FROM dead WHERE state IN ('replayed', 'dropped') AND settled_at < now() - $1::bigint * interval '1 millisecond'
