-- $1 days that are kept
SELECT drop_partitions($1)
