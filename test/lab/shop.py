"""The sample business database (shop.sql) and rows for the sample rules. Every row is a customer of its own with a
number of its own, so that each message differs from every other in number or text."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = ("contract-activated", "holiday-wishes", "repayment-reminder")
SHARES = {"contract-activated": 0.2, "holiday-wishes": 0.3, "repayment-reminder": 0.5}
FIRST_NUMBER = 491700000000  # +49 170 0000000: ten million of them

# The rows that the sample rules find now; the same conditions as in conf/rules/.
COUNTS = {
    "contract-activated": "SELECT count(*) FROM contract WHERE activated_at > CURRENT_TIMESTAMP - INTERVAL '1' DAY",
    "holiday-wishes": "SELECT count(*) FROM customer WHERE marketing_ok",
    "repayment-reminder": "SELECT count(*) FROM instalment WHERE due_on = CURRENT_DATE + 3 AND NOT paid",
}
CUSTOMERS = """
INSERT INTO customer (id, name, phone, marketing_ok)
SELECT n, 'Customer ' || n, '+' || %(first)s::bigint + n, %(marketing)s FROM generate_series(%(low)s, %(high)s) AS n"""
CONTRACTS = """
INSERT INTO contract (id, customer_id, activated_at, amount)
SELECT n, n, CURRENT_TIMESTAMP - %(age)s::interval, 100 + n %% 5000 FROM generate_series(%(low)s, %(high)s) AS n"""
INSTALMENTS = """
INSERT INTO instalment (contract_id, due_on, amount)
SELECT n, CURRENT_DATE + 3, (10000 + n %% 90000) / 100.0 FROM generate_series(%(low)s, %(high)s) AS n"""


class Shop:
    def __init__(self, lab, database=None):
        self.lab = lab
        self.database = database or lab.create_database("shop")
        self.reader = {"user": "shop_reader", "password": "shop_reader"}  # may read, nothing else

    def conninfo(self):
        return (self.lab.conninfo(self.database, with_login=False)
                + f" user={self.reader['user']} password={self.reader['password']}")

    def create(self):
        """Makes the tables and the reading user, if they are not there."""
        if not self.sql("SELECT to_regclass('customer') IS NOT NULL")[0][0]:
            with open(os.path.join(HERE, "shop.sql"), encoding="utf-8") as f:
                self.sql(f.read())
        self.sql("""DO $$ BEGIN
          IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop_reader') THEN
            CREATE ROLE shop_reader LOGIN PASSWORD 'shop_reader';
          END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$""")
        self.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_reader")

    def drop(self):
        self.lab.drop_database(self.database)

    def sql(self, statement, parameters=None):
        return self.lab.sql(statement, parameters, self.database)

    def counts(self):
        return {rule: self.sql(statement)[0][0] for rule, statement in COUNTS.items()}

    @staticmethod
    def split(n, rules=None):
        """n over the rules by their shares; the sum is n."""
        rules = list(rules or RULES)
        whole = sum(SHARES[r] for r in rules)
        parts = {r: int(n * SHARES[r] / whole) for r in rules}
        parts[rules[-1]] += n - sum(parts.values())
        return parts

    def fill(self, n, rules=None):
        """n new rows over the rules; gives {rule: rows}."""
        parts = self.split(n, rules)
        for rule, rows in parts.items():
            self.add(rule, rows)
        return parts

    def add(self, rule, rows, phone=None):
        """New rows for one rule; gives the ids of their customers. phone: the same for all of them."""
        if rows <= 0:
            return range(0)
        low = self.sql("SELECT coalesce(max(id), 0) + 1 FROM customer")[0][0]
        values = {"low": low, "high": low + rows - 1, "first": FIRST_NUMBER, "marketing": rule == "holiday-wishes",
                  "age": "1 hour" if rule == "contract-activated" else "30 days"}
        self.sql(CUSTOMERS, values)
        if phone is not None:
            self.sql("UPDATE customer SET phone = %s WHERE id >= %s", (phone, low))
        if rule != "holiday-wishes":
            self.sql(CONTRACTS, values)
        if rule == "repayment-reminder":
            self.sql(INSTALMENTS, values)
        return range(low, low + rows)
