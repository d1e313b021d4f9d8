"""Rules over sources that are not PostgreSQL, through the whole chain: one in MariaDB, one in SQLite, both by ODBC."""
import os
import sqlite3

import pytest
from checks import logged

from mariadb import MariaDB, sqlite_connection
from shop import FIRST_NUMBER

ROWS = 300
# The sample shop's instalments, as either database has them.
TABLE = """CREATE TABLE instalment (contract_id bigint NOT NULL, phone varchar(40), name varchar(100), due_on date NOT NULL,
  amount {money} NOT NULL, paid boolean NOT NULL DEFAULT false, PRIMARY KEY (contract_id, due_on))"""
SQL = """sql: |
  SELECT phone AS number, name, amount, due_on, contract_id
  FROM instalment
  WHERE NOT paid
  ORDER BY contract_id
template:"""


@pytest.fixture(scope="module")
def mariadb(lab):
    server = MariaDB(lab)
    server.start()
    yield server
    server.stop()


def rows():
    for n in range(1, ROWS + 1):
        yield f"({n}, '+{FIRST_NUMBER + n}', 'Käufer {n} 😀', '2026-12-24', '{100 + n}.{n % 100:02}', false)"


def text_of(n):
    return f"Dear Käufer {n} 😀, {100 + n},{n % 100:02} EUR for contract {n} are due on 24.12.2026. Thank you!"


def over_mariadb(mariadb):
    database = mariadb.create_database("shop")
    mariadb.sql(TABLE.format(money="decimal(12,2)") + "; INSERT INTO instalment VALUES " + ",".join(rows()), database)
    return mariadb.connection(database), lambda statement: mariadb.sql(statement, database)


def over_sqlite(directory):
    path = os.path.join(directory, "shop.db")

    def sql(statement):
        with sqlite3.connect(path) as db:
            db.execute(statement)
        db.close()
    sql(TABLE.format(money="text"))
    sql("INSERT INTO instalment VALUES " + ",".join(rows()))
    return sqlite_connection(path), sql


@pytest.fixture(params=["MariaDB", "SQLite"])
def shop(request, tmp_path):
    if request.param == "MariaDB":
        return over_mariadb(request.getfixturevalue("mariadb"))
    return over_sqlite(str(tmp_path))


def use(connection):
    """The sample rule repayment-reminder, over the other source."""
    def change(chain):
        conf = chain.copy_conf()
        with open(f"{conf}/sources/other.yaml", "w", encoding="utf-8") as f:
            f.write("driver: odbc\nconnection: ${SMSCHAIN_OTHER_CONNECTION}\nstatement_timeout: 1m\n")
        path = f"{conf}/rules/repayment-reminder.yaml"
        with open(path, encoding="utf-8") as f:
            text = f.read()
        head, rest = text.split("sql: |", 1)
        with open(path, "w", encoding="utf-8") as f:
            f.write(head.replace("source: shop", "source: other") + SQL + rest.split("template:", 1)[1])
    return {"before_start": change, "environment": {"SMSCHAIN_OTHER_CONNECTION": connection}}


def test_campaign(make_chain, shop):
    connection, sql = shop
    chain = make_chain(**use(connection))
    run = chain.run_rule("repayment-reminder")
    chain.wait_final(ROWS, 90)
    assert chain.states(run) == {"delivered": ROWS}
    texts = {s["number"]: s["text"] for s in chain.all_submits()}
    assert texts == {FIRST_NUMBER + n: logged(text_of(n)) for n in range(1, ROWS + 1)}
    # Again, with one row more and one that is no number: only the new one is sent.
    sql(f"INSERT INTO instalment VALUES (9001, '+{FIRST_NUMBER + 9001}', 'New', '2026-12-24', '5.00', false),"
        " (9002, 'call me', 'Nobody', '2026-12-24', '5.00', false)")
    again = chain.run_rule("repayment-reminder")
    chain.wait_final(ROWS + 1, 60)
    chain.wait_runs_read()
    assert chain.sql("SELECT rows_new, rows_duplicate, rows_invalid FROM run WHERE id = %s", (again,)) == [(1, ROWS, 1)]
    chain.check_invariants(in_doubt=0)


def test_killed_while_it_reads(make_chain, shop):
    connection, _ = shop
    chain = make_chain(**use(connection), change=[("smschain.yaml", "# group_rows: 500", "group_rows: 50")])
    extract = chain.service("extract")
    for point in ("extract.row_read:120", "extract.group_committed:2", "extract.read_ended:1"):
        extract.stop()
        extract.start(SMSCHAIN_FAULT=point)
        if point.startswith("extract.row_read"):
            chain.run_rule("repayment-reminder")
        assert extract.wait_end(60) == -9
    extract.start()
    chain.wait_final(ROWS, 90)
    assert chain.states() == {"delivered": ROWS} and len(chain.all_submits()) == ROWS
    chain.check_invariants(crashes=3, in_doubt=0)
