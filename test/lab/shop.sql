-- The sample business database that the sample rules read: a shop that sells on instalments. Plain SQL; psql -f, or
-- by the quickstart. Rows are put in by whoever uses it (quickstart, tests).
CREATE TABLE customer (
  id           bigint PRIMARY KEY,
  name         varchar(100),
  phone        varchar(40),              -- as people write it: +49 171 …, 0171/…, or rubbish
  language     varchar(8) NOT NULL DEFAULT 'en',
  marketing_ok boolean NOT NULL DEFAULT false
);

CREATE TABLE contract (
  id           bigint PRIMARY KEY,
  customer_id  bigint NOT NULL REFERENCES customer,
  activated_at timestamp with time zone,
  amount       numeric(12, 2) NOT NULL
);
CREATE INDEX contract_activated ON contract (activated_at);

CREATE TABLE instalment (
  contract_id  bigint NOT NULL REFERENCES contract,
  due_on       date NOT NULL,
  amount       numeric(12, 2) NOT NULL,
  paid         boolean NOT NULL DEFAULT false,
  PRIMARY KEY (contract_id, due_on)
);
CREATE INDEX instalment_due ON instalment (due_on);
