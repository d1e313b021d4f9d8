-- From here on this session can write its own temporary table and nothing else.
SET default_transaction_read_only = on
