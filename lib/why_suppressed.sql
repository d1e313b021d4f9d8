SELECT scope, reason, since FROM suppressions_of($1::bigint)
