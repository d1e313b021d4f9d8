-- What operators have said of this gateway, and the server's clock.
SELECT clock_timestamp(), EXISTS (SELECT FROM control WHERE kind = 'pause' AND (scope, key) IN (('all', ''), ('gateway', $1)))
