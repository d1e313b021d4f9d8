"""Sources by ODBC, read by smschain-extract from a real MariaDB and from SQLite: what comes through, what is refused and how
it is said, what happens to a run when time, memory, the driver or the server ends."""
import os
import re
import signal
import sqlite3
import time

import pytest

from mariadb import MariaDB, odbc_driver, sqlite_connection
from test_extract import FIRST_NUMBER, GROUP_ROWS, PERSONS, Extract, numbers

SECRET = "reader-secret"


class Maria:
    name = "MariaDB"
    series = "seq_{low}_to_{high}"
    slow = "SLEEP(%s)"

    def __init__(self, server, directory):
        self.server, self.database = server, server.create_database("person")
        self.connection = server.connection(self.database)
        self.sql("CREATE TABLE person (id bigint PRIMARY KEY, phone varchar(40), name varchar(200))")

    def sql(self, statements):
        return self.server.sql(statements, self.database)

    def persons(self, low, high):
        self.sql(f"INSERT INTO person SELECT seq, CONCAT('+', {FIRST_NUMBER} + seq), CONCAT('Person ', seq)"
                 f" FROM seq_{low}_to_{high}")


class Sqlite:
    name = "SQLite"

    def __init__(self, directory):
        self.path = os.path.join(directory, "person.db")
        self.connection = sqlite_connection(self.path)
        self.sql("CREATE TABLE person (id integer PRIMARY KEY, phone varchar(40), name varchar(200))")

    def sql(self, statements):
        with sqlite3.connect(self.path) as db:
            rows = db.execute(statements).fetchall()
        db.close()
        return rows

    def persons(self, low, high):
        self.sql(f"WITH RECURSIVE n(i) AS (SELECT {low} UNION ALL SELECT i + 1 FROM n WHERE i < {high})"
                 f" INSERT INTO person SELECT i, '+' || ({FIRST_NUMBER} + i), 'Person ' || i FROM n")


class OdbcExtract(Extract):
    """An extract whose source `shop` is an ODBC one."""

    def source(self, connection, *more):
        lines = ["driver: odbc", "connection: ${SHOP_CONNECTION}", *more]
        with open(f"{self.chain.conf_dir}/sources/shop.yaml", "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        self.chain.more_environment["SHOP_CONNECTION"] = connection

    def check_log(self):
        super().check_log()
        assert SECRET not in self.process.tail(100000)


@pytest.fixture(scope="session")
def mariadb(lab):
    server = MariaDB(lab)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def extract(lab, tmp_path):
    e = OdbcExtract(tmp_path / "x", lab)
    yield e
    e.chain.stop()


@pytest.fixture
def maria(mariadb, extract, tmp_path):
    mariadb.start()
    made = Maria(mariadb, tmp_path)
    extract.source(made.connection)
    return made


@pytest.fixture
def sqlite(extract, tmp_path):
    made = Sqlite(str(tmp_path))
    extract.source(made.connection)
    return made


@pytest.fixture(params=["maria", "sqlite"])
def product(request):
    return request.getfixturevalue(request.param)


def rows_of(extract, rule="note"):
    """Runs the rule; gives what stands in the queue, by id."""
    extract.wait_state(extract.run_rule(rule), "read")
    extract.wait_published()
    return {record["row"]["id"]: record["row"] for record in extract.taken()}


def reader_pids(extract):
    """Processes that read a source for this extract."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                head, _, tail = f.read().rpartition(")")
        except OSError:
            continue
        if "smschain-source" in head and int(tail.split()[1]) == extract.process.pid and tail.split()[0] not in "ZX":
            found.append(int(pid))
    return found


def kill_reader(extract, number=signal.SIGKILL):
    extract.chain.wait_until(lambda: reader_pids(extract), 20, "a reader")
    for pid in reader_pids(extract):
        os.kill(pid, number)


# ---- one run ----

def test_rows_become_messages(extract, product):
    extract.rule()
    product.persons(1, 250)
    extract.start()
    run = extract.run_rule()
    extract.wait_state(run, "read")
    r = extract.check_balance(run)
    assert (r["rows_read"], r["rows_new"], r["pass"]) == (250, 250, 1)
    extract.check_messages(numbers(1, 250))
    assert extract.queue_bodies[0]["records"][0]["row"] == {"id": "1", "number": f"+{FIRST_NUMBER + 1}", "name": "Person 1"}
    product.persons(251, 260)
    second = extract.run_rule()
    extract.wait_state(second, "read")
    r = extract.check_balance(second)
    assert (r["rows_read"], r["rows_new"], r["rows_duplicate"]) == (260, 10, 250)
    assert not reader_pids(extract)
    extract.check_log()
