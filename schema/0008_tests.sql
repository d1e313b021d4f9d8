-- Test messages: `smschain test` enters them as the operator, each rule's in a standing run of its own of origin 'test'
-- (rule 'test:NAME', which no file can have), so that the rule's own runs, keys and balance know nothing of them.
GRANT EXECUTE ON FUNCTION standing_run(text, text),
  enter_message(bigint, uuid, bigint, boolean, boolean, timestamptz, text, text, text, text)
  TO smschain_operator;
