DO $$
DECLARE
  of_role text := current_setting('smschain.role');
  of_user text := current_setting('smschain.user');
  verifier text := current_setting('smschain.verifier');
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = of_user) THEN
    EXECUTE format('CREATE ROLE %I', of_user);
  END IF;
  EXECUTE format('ALTER ROLE %I LOGIN', of_user);
  IF verifier <> '' THEN
    EXECUTE format('ALTER ROLE %I PASSWORD %L', of_user, verifier);
  END IF;
  IF of_user <> of_role THEN
    EXECUTE format('GRANT %I TO %I', of_role, of_user);
  END IF;
  PERFORM set_config('smschain.verifier', '', false);
END $$
