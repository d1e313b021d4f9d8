-- Is anything in doubt, and is anything parked that could settle it?
SELECT EXISTS (SELECT FROM stats WHERE state = 20 AND count > 0)
   AND EXISTS (SELECT FROM parked WHERE step = 102 AND given_up_at IS NULL AND number IS NOT NULL)
