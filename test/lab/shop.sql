-- The sample business database that the sample rules read: a lender with a shop. Plain SQL, which may be run again over
-- what an earlier version has made; psql -f, or by the quickstart. Rows are put in by whoever uses it (shop.py).
CREATE TABLE IF NOT EXISTS customer (
  id           bigint PRIMARY KEY,
  name         varchar(100),
  phone        varchar(40),              -- as people write it: +49 171 …, 0171/…, or rubbish
  language     varchar(8) NOT NULL DEFAULT 'en',
  marketing_ok boolean NOT NULL DEFAULT false
);
ALTER TABLE customer ADD COLUMN IF NOT EXISTS club_member boolean NOT NULL DEFAULT false;
ALTER TABLE customer ADD COLUMN IF NOT EXISTS birthday date; -- many do not tell
CREATE INDEX IF NOT EXISTS customer_club ON customer (id) WHERE club_member;

CREATE TABLE IF NOT EXISTS contract (
  id           bigint PRIMARY KEY,
  customer_id  bigint NOT NULL REFERENCES customer,
  activated_at timestamp with time zone,
  amount       numeric(12, 2) NOT NULL
);
CREATE INDEX IF NOT EXISTS contract_activated ON contract (activated_at);

CREATE TABLE IF NOT EXISTS instalment (
  contract_id  bigint NOT NULL REFERENCES contract,
  due_on       date NOT NULL,
  amount       numeric(12, 2) NOT NULL,
  paid         boolean NOT NULL DEFAULT false,
  PRIMARY KEY (contract_id, due_on)
);
CREATE INDEX IF NOT EXISTS instalment_due ON instalment (due_on);

CREATE TABLE IF NOT EXISTS payment (
  id           bigint PRIMARY KEY,
  contract_id  bigint NOT NULL REFERENCES contract,
  amount       numeric(12, 2) NOT NULL,
  booked_at    timestamp with time zone NOT NULL
);
CREATE INDEX IF NOT EXISTS payment_booked ON payment (booked_at);

CREATE TABLE IF NOT EXISTS card (
  id           bigint PRIMARY KEY,
  customer_id  bigint NOT NULL REFERENCES customer,
  last_digits  char(4) NOT NULL,
  expires_on   date NOT NULL
);
CREATE INDEX IF NOT EXISTS card_expires ON card (expires_on);
CREATE INDEX IF NOT EXISTS card_customer ON card (customer_id, expires_on);

CREATE TABLE IF NOT EXISTS policy (
  id           bigint PRIMARY KEY,
  customer_id  bigint NOT NULL REFERENCES customer,
  kind         varchar(40) NOT NULL,
  premium      numeric(12, 2) NOT NULL,  -- a year
  renews_on    date NOT NULL,
  cancelled_on date
);
CREATE INDEX IF NOT EXISTS policy_renews ON policy (renews_on);

CREATE TABLE IF NOT EXISTS appointment (
  id           bigint PRIMARY KEY,
  customer_id  bigint NOT NULL REFERENCES customer,
  branch       varchar(60) NOT NULL,
  starts_at    timestamp with time zone NOT NULL,
  cancelled    boolean NOT NULL DEFAULT false
);
CREATE INDEX IF NOT EXISTS appointment_starts ON appointment (starts_at);

CREATE TABLE IF NOT EXISTS orders (
  id           bigint PRIMARY KEY,
  customer_id  bigint NOT NULL REFERENCES customer,
  ordered_at   timestamp with time zone NOT NULL
);

CREATE TABLE IF NOT EXISTS shipment (
  parcel       varchar(30) PRIMARY KEY,
  order_id     bigint NOT NULL REFERENCES orders,
  carrier      varchar(20) NOT NULL,
  shipped_at   timestamp with time zone NOT NULL
);
CREATE INDEX IF NOT EXISTS shipment_shipped ON shipment (shipped_at);

CREATE TABLE IF NOT EXISTS account (
  id           bigint PRIMARY KEY,
  customer_id  bigint NOT NULL REFERENCES customer,
  number       varchar(22) NOT NULL,
  balance      numeric(12, 2) NOT NULL,
  low_mark     numeric(12, 2) NOT NULL,  -- below this its owner wants to be told
  low_since    date                      -- when it last fell below
);
CREATE INDEX IF NOT EXISTS account_low ON account (id) WHERE low_since IS NOT NULL;

CREATE TABLE IF NOT EXISTS password_change (
  id           bigint PRIMARY KEY,
  customer_id  bigint NOT NULL REFERENCES customer,
  changed_at   timestamp with time zone NOT NULL
);
CREATE INDEX IF NOT EXISTS password_changed ON password_change (changed_at);
