-- The keys of one plan: of two equal rows anywhere in the result only one makes a message. Gone with the session.
CREATE TEMPORARY TABLE plan_key (key uuid PRIMARY KEY)
