"""Tasks as another system has them: a login that is a member of smschain_upstream, plain SQL, and the three signs. And a
rule with `tasks: true` for a chain's configuration."""
import contextlib
import json
import os

import psycopg2

RULE = """
tasks: true
template: %(template)s
templates: [%(templates)s]
text_template: %(text_template)s
lane: %(lane)s
max_recipients: %(max_recipients)s
valid_for: %(valid_for)s
%(more)s
route:
%(route)s
"""


def write_rule(chain, name="list", gateways=("alpha",), **given):
    values = {"template": "list", "templates": "list", "text_template": "own", "lane": "bulk", "max_recipients": 1000000,
              "valid_for": "1h", "more": "", "route": "\n".join(f"  - gateway: {g}" for g in gateways), **given}
    for template, text in (("list", "Dear {{ name }}, this is {{ ext_id }} of {{ task_id }}."), ("own", "{{ text }}")):
        with open(f"{chain.conf_dir}/templates/{template}.liquid", "w", encoding="utf-8") as f:
            f.write(f"---\nclass: service\n---\n{text}\n")
    path = f"{chain.conf_dir}/rules/{name}.yaml"
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(RULE % values)
    os.replace(path + ".new", path)


class Upstream:
    """One connection of another system. Each call of sql is a transaction, unless it is in `with upstream.transaction()`."""

    def __init__(self, chain, name=None):
        self.name = name or f"upstream_{chain.database}"
        chain.lab.sql(f"""DO $$ BEGIN
          IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{self.name}') THEN
            CREATE ROLE "{self.name}" LOGIN PASSWORD 'upstream' IN ROLE smschain_upstream;
          END IF; END $$""")
        p = chain.lab.state["postgres"]
        self.connection = psycopg2.connect(host=p["host"], port=p["port"], dbname=chain.database, user=self.name,
                                           password="upstream")
        self.connection.autocommit = True

    def sql(self, statement, parameters=None):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def transaction(self):
        self.sql("BEGIN")
        try:
            yield
        except BaseException:
            self.sql("ROLLBACK")
            raise
        self.sql("COMMIT")

    def refusal(self, statement, parameters=None):
        """The words by which the database refuses it."""
        try:
            self.sql(statement, parameters)
        except psycopg2.Error as e:
            return str(e)
        raise AssertionError(f"not refused: {statement}")

    def task(self, task_id, rule="list", at=None, name=""):
        self.sql("INSERT INTO task (task_id, rule, at, name) VALUES (%s, %s, %s, %s)", (task_id, rule, at, name))

    def row(self, task_id, ext_id, number, template=None, text=None, **params):
        self.sql("INSERT INTO task_row (task_id, ext_id, number, template, text, params) VALUES (%s, %s, %s, %s, %s, %s)",
                 (task_id, ext_id, number, template, text, json.dumps(params)))

    def rows(self, task_id, low, high, first_number):
        """Row n has ext_id n, number first_number + n and a name."""
        self.sql("INSERT INTO task_row (task_id, ext_id, number, params) SELECT %s, n, '+' || %s::bigint + n,"
                 " jsonb_build_object('name', 'Person ' || n) FROM generate_series(%s, %s) n", (task_id, first_number, low, high))

    def sign(self, task_id):
        self.sql("UPDATE task SET ready = true WHERE task_id = %s", (task_id,))

    def result(self, task_id):
        """What the view says: a dict."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT * FROM task_result WHERE task_id = %s", (task_id,))
            return dict(zip([c.name for c in cursor.description], cursor.fetchone()))

    def close(self):
        self.connection.close()
