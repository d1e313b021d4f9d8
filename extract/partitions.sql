SELECT ensure_partitions($1::int)
