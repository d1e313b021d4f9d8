"""The sample business database (shop.sql) and rows for the sample rules. Every row is a customer of its own with a
number of its own, so that each message differs from every other in number or text; and it is found by one rule only,
so that N rows are N messages. The same call over an equal database makes the same rows."""
import glob
import os
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
RULES_DIR = os.path.join(os.path.dirname(os.path.dirname(HERE)), "conf", "rules")
# Parts of a thousand. With the rules' max_recipients, a million rows at a time are none too many for any of them.
SHARES = {"appointment-tomorrow": 60, "birthday": 60, "card-expiring": 60, "contract-activated": 50, "holiday-wishes": 160,
          "low-balance": 40, "order-shipped": 100, "overdue-notice": 80, "password-changed": 40, "payment-received": 110,
          "policy-renewal": 60, "repayment-reminder": 180}
RULES = tuple(sorted(SHARES))
# Both lanes, two classes, one that starts at once: enough for tests that are about something else.
FEW_RULES = ("contract-activated", "holiday-wishes", "repayment-reminder")
FIRST_NUMBER = 491700000000  # +49 170 0000000: ten million of them

# Names are in GSM's alphabet, so that a text is as long as its template makes it; they differ for 24,960 rows in a row: equal texts would share a request.
CUSTOMERS = """
INSERT INTO customer (id, name, phone, language, marketing_ok, club_member, birthday)
SELECT n,
       CASE WHEN %(language)s = 'zh' THEN (%(families)s)[1 + n %% 10] || (%(given)s)[1 + n / 10 %% 12]
            ELSE (%(first_names)s)[1 + n %% 24] || ' ' || chr(65 + (n / 24 %% 26)::int) || '. ' || (%(last_names)s)[1 + n / 624 %% 40] END,
       CASE WHEN NOT %(as_written)s OR n %% 4 = 0 THEN '+' || %(first)s::bigint + n
            WHEN n %% 4 = 1 THEN '0' || %(first)s::bigint + n - 490000000000
            WHEN n %% 4 = 2 THEN '00' || %(first)s::bigint + n
            ELSE overlay('0' || %(first)s::bigint + n - 490000000000 PLACING ' / ' FROM 5 FOR 0) END,
       %(language)s, %(marketing)s, %(club)s,
       CASE WHEN %(club)s THEN (CURRENT_DATE - make_interval(years => 20 + 4 * (n::int %% 15)))::date END
FROM generate_series(%(low)s::bigint, %(high)s::bigint) AS n"""
NAMES = {
    "first_names": "Anna Ben Clara David Emilia Felix Greta Hannes Ida Jörg Klara Leo Mia Noah Olga Paul Rosa Simon Thea Uwe "
                   "Vera Willi Yara Zita".split(),
    "last_names": "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein "
                  "Wolf Schröder Neumann Schwarz Braun Krüger Hofmann Hartmann Lange Werner Krause Lehmann Köhler Maier Roth "
                  "Keller Frank Berger Winkler Lorenz Baumann Franke Jäger Otto Groß".split(),
    "families": list("王李张刘陈杨赵黄周吴"), "given": "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳".split()}
ROWS = "FROM generate_series(%(low)s::bigint, %(high)s::bigint) AS n"
CONTRACTS = f"""
INSERT INTO contract (id, customer_id, activated_at, amount)
SELECT n, n, CURRENT_TIMESTAMP - %(age)s::interval, 100 + n %% 5000 {ROWS}"""
INSTALMENTS = f"""
INSERT INTO instalment (contract_id, due_on, amount)
SELECT n, CURRENT_DATE + %(days)s, (10000 + n %% 90000) / 100.0 {ROWS}"""
OF_RULE = {
    "appointment-tomorrow": f"""
INSERT INTO appointment (id, customer_id, branch, starts_at)
SELECT n, n, (ARRAY['Hauptstraße 1', 'Am Markt 7', 'Bahnhofplatz 3'])[1 + n %% 3],
       ((CURRENT_TIMESTAMP AT TIME ZONE 'Europe/Berlin')::date + 1 + time '08:00' + n %% 40 * interval '15 minutes')
       AT TIME ZONE 'Europe/Berlin' {ROWS}""",
    "card-expiring": f"""
INSERT INTO card (id, customer_id, last_digits, expires_on)
SELECT n, n, lpad((n * 7919 %% 10000)::text, 4, '0'), CURRENT_DATE + 20 {ROWS}""",
    "low-balance": f"""
INSERT INTO account (id, customer_id, number, balance, low_mark, low_since)
SELECT n, n, 'DE' || lpad((n * 7919)::text, 20, '0'), n %% 5000 / 100.0, 50, CURRENT_DATE {ROWS}""",
    "order-shipped": f"""
WITH made AS (
  INSERT INTO orders (id, customer_id, ordered_at) SELECT n, n, CURRENT_TIMESTAMP - interval '1 day' {ROWS} RETURNING id)
INSERT INTO shipment (parcel, order_id, carrier, shipped_at)
SELECT 'jd' || lpad((id * 7919)::text, 12, '0'), id, (ARRAY['DHL', 'DPD', 'GLS'])[1 + id %% 3],
       CURRENT_TIMESTAMP - interval '1 hour' FROM made""",
    "password-changed": f"""
INSERT INTO password_change (id, customer_id, changed_at)
SELECT n, n, CURRENT_TIMESTAMP - n %% 60 * interval '1 second' {ROWS}""",
    "payment-received": f"""
INSERT INTO payment (id, contract_id, amount, booked_at)
SELECT n, n, (10000 + n %% 90000) / 100.0, CURRENT_TIMESTAMP - interval '1 hour' {ROWS}""",
    "policy-renewal": f"""
INSERT INTO policy (id, customer_id, kind, premium, renews_on)
SELECT n, n, (ARRAY['household contents', 'legal protection', 'personal liability', 'bicycle'])[1 + n %% 4],
       (5000 + n %% 45000) / 100.0, CURRENT_DATE + 30 {ROWS}"""}


def rule_sql(rule):
    """The SQL of a sample rule, out of its file: what it finds is asked of nothing else."""
    with open(os.path.join(RULES_DIR, f"{rule}.yaml"), encoding="utf-8") as f:
        text = f.read()
    block = text.split("\nsql: |\n", 1)[1]
    lines = []
    for line in block.splitlines():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines))


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
        """{rule: rows that it finds now}"""
        names = [os.path.basename(p)[:-5] for p in glob.glob(os.path.join(RULES_DIR, "*.yaml"))]
        return {rule: self.sql(f"SELECT count(*) FROM ({rule_sql(rule)}) AS found")[0][0] for rule in sorted(names)}

    @staticmethod
    def split(n, rules=None):
        """n over the rules by their shares, what is left over to the largest remainders; the sum is n."""
        rules = list(rules or RULES)
        whole = sum(SHARES[r] for r in rules)
        parts = {r: n * SHARES[r] // whole for r in rules}
        for rule in sorted(rules, key=lambda r: n * SHARES[r] % whole, reverse=True)[:n - sum(parts.values())]:
            parts[rule] += 1
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
                  "club": rule == "birthday", "language": "zh" if rule == "low-balance" else "en",
                  "as_written": rule not in FEW_RULES, "age": "1 hour" if rule == "contract-activated" else "30 days",
                  "days": 3 if rule == "repayment-reminder" else -3, **NAMES}
        self.sql(CUSTOMERS, values)
        if phone is not None:
            self.sql("UPDATE customer SET phone = %s WHERE id >= %s", (phone, low))
        if rule in ("contract-activated", "repayment-reminder", "overdue-notice", "payment-received"):
            self.sql(CONTRACTS, values)
        if rule in ("repayment-reminder", "overdue-notice"):
            self.sql(INSTALMENTS, values)
        if rule in OF_RULE:
            self.sql(OF_RULE[rule], values)
        return range(low, low + rows)
