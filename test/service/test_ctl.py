"""The command smschain against real servers: what it makes, what it answers, and with which exit code."""
import glob
import hashlib
import json
import os
import re
import subprocess

import psycopg2
import pytest
from chain import ROOT, Chain

DONE, REFUSED, USAGE, ATTENTION, UNREACHABLE, CONF = range(6)


@pytest.fixture
def chain(lab, tmp_path):
    """A database and a virtual host with nothing in them yet."""
    chain = Chain(tmp_path / "chain", lab)
    yield chain
    chain.stop()


@pytest.fixture
def migrated(chain):
    chain.ctl("migrate")
    return chain


def ctl(chain, *arguments):
    done = chain.ctl(*arguments, check=False)
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done


def enter_rule(chain, name="holiday-wishes", held_why=""):
    return chain.sql("INSERT INTO rule (name, sql_hash, once_per, held_why) VALUES (%s, 'h', '{old}', %s) RETURNING id",
                     (name, held_why))[0][0]


def enter_run(chain, rule, state="held", why=""):
    return chain.sql("INSERT INTO run (rule_id, scheduled_at, origin, state, why) VALUES (%s, clock_timestamp(), 'person', %s, %s)"
                     " RETURNING id", (rule, state, why))[0][0]


def enter_messages(chain, *messages):
    """(state, attempt) each; gives their sms_ids."""
    run = enter_run(chain, enter_rule(chain), "read")
    gateway = chain.sql("INSERT INTO word (kind, word) VALUES ('gateway', 'beta') RETURNING id")[0][0]
    first = chain.value("SELECT ((now() AT TIME ZONE 'UTC')::date - date '2020-01-01')::bigint << 36") + 1
    for i, (state, attempt) in enumerate(messages):
        chain.sql("INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at, gateway, attempt, state) "
                  "VALUES (%s, %s, %s, now(), now(), now(), %s, %s, %s)",
                  (first + i, run, 491700000000 + i, gateway if attempt else 0, attempt, state))
        chain.sql("INSERT INTO stats VALUES (current_date, %s, %s, %s, 0, 1) ON CONFLICT (run_id, day, gateway, state, reason) "
                  "DO UPDATE SET count = stats.count + 1", (run, gateway, state))
    return [first + i for i in range(len(messages))]


# ---- migrate ----

def test_migrate_twice(migrated):
    assert "0001" not in migrated.ctl("migrate").stdout
    assert migrated.value("SELECT count(*) FROM schema_migrations") == len(glob.glob(f"{ROOT}/schema/0*.sql"))
    assert migrated.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'claim'::regclass") == 9
    gateways = [os.path.basename(f)[:-len(".yaml")] for f in glob.glob(f"{migrated.conf_dir}/gateways/*.yaml")]
    assert len(gateways) > 2
    assert set(migrated.lab.queues(migrated.vhost)) == {
        "sms.render.instant", "sms.render.bulk", "sms.update.0", "sms.inbound", "sms.request", "sms.dead"} | {
        f"sms.dispatch.{gateway}.{lane}" for gateway in gateways for lane in ("instant", "bulk")}


def test_migrate_over_an_older_database(chain):
    """One with messages of a day whose partitions no migration makes any more: everything stays as it is, no row is
    rewritten, and each day gets its segments."""
    for file in sorted(glob.glob(f"{ROOT}/schema/0*.sql")):
        number, name = os.path.basename(file)[:-len(".sql")].split("_", 1)
        if int(number) >= 10:
            continue
        with open(file, encoding="utf-8") as f:
            text = f.read()
        chain.sql(text)
        chain.sql("CREATE TABLE IF NOT EXISTS schema_migrations (number int PRIMARY KEY, name text NOT NULL, "
                  "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())")
        chain.sql("INSERT INTO schema_migrations VALUES (%s, %s, %s)",
                  (int(number), name, hashlib.sha256(text.encode()).hexdigest()))
    chain.sql("SELECT ensure_partitions(2)")
    day = chain.value("SELECT (now() AT TIME ZONE 'UTC')::date - date '2020-01-01'") - 40
    for table in ("message", "claim"):
        chain.sql(f"CREATE TABLE {table}_{day} PARTITION OF {table} FOR VALUES FROM ({day << 36}) TO ({(day + 1) << 36})")
    chain.sql("INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at, state) "
              "VALUES (%s, 1, 491700000000, now(), now(), now(), 30)", (day << 36,))
    chain.sql("INSERT INTO claim VALUES (%s, 1, 1, 0, 0, 1, 1, now())", (day << 36,))
    files = chain.sql("SELECT relname, relfilenode FROM pg_class WHERE relkind = 'r' AND relname ~ '^(message|claim)_' ORDER BY 1")
    done = chain.ctl("migrate", "--database")
    assert "0010_parts applied" in done.stdout and "0008" not in done.stdout
    now = dict(chain.sql("SELECT relname, relfilenode FROM pg_class WHERE relname ~ '^(message|claim|segment)_'"))
    assert all(now[name] == node for name, node in files)
    days = {name.split("_")[1] for name, _ in files if name.startswith("message_") and name[8:].isdigit()}
    assert str(day) in days and {f"segment_{d}" for d in days} <= set(now)
    assert chain.sql("SELECT m.parts, c.parts, c.way FROM message m JOIN claim c USING (sms_id)") == [(1, 1, 0)]
    chain.sql("INSERT INTO segment VALUES (%s, 2, 1, 30, 1, 0, now())", (day << 36,))
    assert "applied" not in chain.ctl("migrate", "--database").stdout


def test_two_migrates_at_once(chain):
    command = [f"{chain.build}/ctl/smschain", "migrate"]
    both = [subprocess.Popen(command, env=chain.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(2)]
    outputs = [p.communicate(timeout=120)[0] for p in both]
    assert [p.returncode for p in both] == [DONE, DONE], outputs
    assert sum("0001_chain applied" in o for o in outputs) == 1


def test_a_changed_migration_is_refused(migrated):
    migrated.sql("UPDATE schema_migrations SET checksum = 'x'")
    done = ctl(migrated, "migrate", "--database")
    assert done.returncode == REFUSED and "never edited" in done.stderr


def test_a_newer_database_is_refused(migrated):
    migrated.sql("INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, 'later', 'x')")
    done = ctl(migrated, "migrate", "--database")
    assert done.returncode == REFUSED and "newer" in done.stderr


RIGHTS = [  # role, statement, allowed
    ("EXTRACT", "SELECT count(*) FROM message", True),
    ("EXTRACT", "INSERT INTO suppression VALUES (1, 'all', 'x')", False),
    ("EXTRACT", "UPDATE message SET state = 90", False),
    ("DISPATCH", "UPDATE claim SET settled = 1 WHERE false", True),
    ("DISPATCH", "DELETE FROM claim", False),
    ("DISPATCH", "UPDATE message SET state = 90", False),
    ("CALLBACK", "UPDATE message SET state = 90 WHERE false", True),
    ("CALLBACK", "INSERT INTO segment VALUES (((now() AT TIME ZONE 'UTC')::date - date '2020-01-01')::bigint << 36, 1, 1, 30, 1, 0, now())",
     True),
    ("DISPATCH", "SELECT count(*) FROM segment", True),
    ("OPERATOR", "UPDATE segment SET state = 90", False),
    ("CALLBACK", "INSERT INTO claim VALUES (1, 1, 1, 0, 0, 1, 1, now())", False),
    ("CALLBACK", "CREATE TABLE mine (x int)", False),
    ("OPERATOR", "INSERT INTO suppression VALUES (1, 'all', 'x')", True),
    ("OPERATOR", "UPDATE message SET state = 90", False),
]


def test_database_rights(migrated):
    for role, statement, allowed in RIGHTS:
        connection = psycopg2.connect(migrated.lab.conninfo(migrated.database, with_login=False),
                                      user=f"smschain_{role.lower()}", password=migrated.secret(f"{role} database"))
        try:
            with connection.cursor() as cursor:
                if allowed:
                    cursor.execute(statement)
                else:
                    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                        cursor.execute(statement)
        finally:
            connection.close()


def test_broker_rights(migrated):
    permissions = {p["user"]: (p["configure"], p["write"], p["read"])
                   for p in migrated.lab.api("GET", f"/api/vhosts/{migrated.vhost}/permissions")}
    assert permissions["smschain_dispatch"] == ("^$", "^sms$", "^sms\\.dispatch\\.")
    assert permissions["smschain_extract"] == ("^$", "^sms$", "^sms\\.request$")
    assert {permissions[f"smschain_{s}"][0] for s in ("extract", "render", "dispatch", "callback", "operator")} == {"^$"}


# ---- pauses, holds, cancelling ----

def test_stop_and_start(migrated):
    assert ctl(migrated, "status").returncode == DONE
    for scope in (["all"], ["holiday-wishes"], ["--gateway", "beta", "--reason", "their night"]):
        assert ctl(migrated, "stop", *scope).returncode == DONE
    pauses = json.loads(ctl(migrated, "status", "--json").stdout)["pauses"]
    assert [(p["scope"], p["key"]) for p in pauses] == [("all", ""), ("rule", "holiday-wishes"), ("gateway", "beta")]
    done = ctl(migrated, "status")
    assert done.returncode == ATTENTION and "their night" in done.stdout
    for scope in (["all"], ["holiday-wishes"], ["--gateway", "beta"]):
        assert ctl(migrated, "start", *scope).returncode == DONE
    assert ctl(migrated, "status").returncode == DONE
    assert ctl(migrated, "stop", "--gateway", "nobody").returncode == REFUSED
    assert ctl(migrated, "stop", "nosuch").returncode == REFUSED


def test_run_enters_a_run(migrated):
    enter_rule(migrated)
    done = ctl(migrated, "run", "holiday-wishes")
    assert done.returncode == DONE
    assert migrated.sql("SELECT id, origin, state FROM run") == [(int(done.stdout), "person", "new")]
    assert ctl(migrated, "run", "nosuch").returncode == REFUSED


def test_run_of_a_held_rule_is_held_until_accepted(migrated):
    enter_rule(migrated, held_why="once_per has changed")
    done = ctl(migrated, "run", "holiday-wishes")
    assert done.returncode == ATTENTION
    assert migrated.sql("SELECT state, why FROM run") == [("held", "once_per has changed")]
    assert ctl(migrated, "accept", "holiday-wishes").returncode == DONE
    assert migrated.sql("SELECT state FROM run") == [("new",)]
    assert migrated.sql("SELECT once_per, held_why FROM rule") == [(["customer_id", "year"], "")]
    assert ctl(migrated, "accept", "holiday-wishes").returncode == REFUSED


def test_accept_leaves_runs_held_for_another_reason(migrated):
    rule = enter_rule(migrated, held_why="once_per has changed")
    enter_run(migrated, rule, why="more than max_recipients")
    ctl(migrated, "accept", "holiday-wishes")
    assert migrated.sql("SELECT state FROM run") == [("held",)]


def test_release(migrated):
    run = enter_run(migrated, enter_rule(migrated))
    assert ctl(migrated, "status").returncode == ATTENTION
    assert ctl(migrated, "release", run).returncode == DONE
    assert migrated.sql("SELECT state, why FROM run") == [("new", "released")]
    assert ctl(migrated, "release", run).returncode == REFUSED
    assert ctl(migrated, "release", "x").returncode == USAGE


def test_cancel(migrated):
    run = enter_run(migrated, enter_rule(migrated))
    assert ctl(migrated, "cancel", run).returncode == DONE
    assert migrated.sql("SELECT state, publish FROM run") == [("cancelled", True)]
    assert migrated.sql("SELECT kind, scope, key FROM control") == [("cancel", "run", str(run))]
    assert ctl(migrated, "cancel", run + 1).returncode == REFUSED
    assert migrated.value("SELECT count(*) FROM control") == 1


def test_cancel_message(migrated):
    sms_id, = enter_messages(migrated, (0, 0))
    assert ctl(migrated, "cancel", "--message", sms_id).returncode == DONE
    assert migrated.sql("SELECT kind, scope, key FROM control") == [("cancel", "message", str(sms_id))]
    assert ctl(migrated, "cancel", "--message", "17").returncode == REFUSED


def test_suppress(migrated):
    done = ctl(migrated, "suppress", "add", "0171 1234567", "--reason", "STOP", "--scope", "marketing")
    assert done.returncode == DONE and "1234567" not in done.stdout
    assert migrated.sql("SELECT number, scope, reason FROM suppression") == [(491711234567, "marketing", "STOP")]
    assert ctl(migrated, "suppress", "remove", "+491711234567", "--scope", "marketing").returncode == DONE
    assert migrated.value("SELECT count(*) FROM suppression") == 0
    assert ctl(migrated, "suppress", "add", "hello").returncode == REFUSED
    assert ctl(migrated, "suppress", "add", "0171 1234567", "--scope", "some").returncode == USAGE


# ---- in doubt ----

def test_resolve(migrated):
    assert ctl(migrated, "resolve").returncode == DONE
    doubtful, queued = enter_messages(migrated, (20, 1), (0, 0))
    done = ctl(migrated, "resolve", "--json")
    listed = json.loads(done.stdout)
    assert done.returncode == ATTENTION
    assert (listed["sms_id"], listed["seq_id"], listed["gateway"]) == (doubtful, f"{doubtful}.1.1", "beta")
    assert listed["number"] == "+49********00"
    assert ctl(migrated, "resolve", f"{queued}.1.1", "delivered").returncode == REFUSED
    assert ctl(migrated, "resolve", f"{doubtful}.1.2", "delivered").returncode == REFUSED
    assert ctl(migrated, "resolve", f"{doubtful}.1.1", "queued").returncode == USAGE
    assert ctl(migrated, "resolve", f"{doubtful}.1.1", "delivered", "--note", "their support says so").returncode == DONE
    assert migrated.queue_depths()["sms.update.0"] == 1


def test_accept_database(migrated):
    queued, settled, open_claim, accepted = enter_messages(migrated, (0, 0), (0, 0), (10, 1), (30, 1))
    migrated.sql("INSERT INTO claim VALUES (%s, 1, 1, 0, 3, 1, 5, now()), (%s, 1, 1, 0, 0, 1, 5, now())", (settled, open_claim))
    enter_rule(migrated, "contract-activated")
    done = ctl(migrated, "accept-database", "--since", "2026-01-01T00:00:00Z")
    assert done.returncode == REFUSED and migrated.value("SELECT generation FROM database_history") == 1
    before = migrated.value("SELECT last_value FROM sms_n")
    since = migrated.value("SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    assert ctl(migrated, "accept-database", "--since", since, "--yes").returncode == ATTENTION
    claims = migrated.sql("SELECT sms_id, attempt, owner, settled FROM claim ORDER BY sms_id, attempt")
    assert claims == [(queued, 1, 0, 0), (settled, 1, 5, 3), (settled, 2, 0, 0), (open_claim, 1, 0, 0)]
    body = json.loads(migrated.value("SELECT body FROM outbox"))
    assert [(r["step"], r["seq_id"], r["state"]) for r in body["records"]] == [
        (110, f"{queued}.1.1", "in_doubt"), (110, f"{settled}.1.2", "in_doubt"), (110, f"{open_claim}.1.1", "in_doubt")]
    assert migrated.value("SELECT generation FROM database_history") == 2
    assert migrated.value("SELECT last_value FROM sms_n") > before + (1 << 24)
    # every five minutes since then, and a day before it, which extract would look back for missed firings
    assert 25 * 12 - 1 <= migrated.value("SELECT count(*) FROM run WHERE state = 'skipped'") <= 25 * 12 + 1
    assert re.search("history lost", migrated.value("SELECT held_why FROM rule WHERE name = 'contract-activated'"))


def enter_parts(chain, sms_id, *segments):
    """A message in parts: (state, attempt, settled) each; state 0: nothing told, attempt 0: no claim."""
    chain.sql("UPDATE message SET parts = %s WHERE sms_id = %s", (len(segments), sms_id))
    for n, (state, attempt, settled) in enumerate(segments, 1):
        if state:
            chain.sql("INSERT INTO segment SELECT sms_id, %s, %s, %s, (SELECT id FROM word WHERE word = 'beta'), 0, now() FROM message "
                      "WHERE sms_id = %s", (n, attempt, state, sms_id))
        if attempt:
            chain.sql("INSERT INTO claim (sms_id, segment, attempt, kind, settled, gateway, owner, claimed_at, parts, way) "
                      "VALUES (%s, %s, %s, 0, %s, (SELECT id FROM word WHERE word = 'beta'), 5, now(), %s, 1)",
                      (sms_id, n, attempt, settled, len(segments)))


def test_messages_in_parts(migrated):
    """What operators see and say of them: each segment has its own attempt, its own claim and its own state."""
    doubt, retry, released, failed, again, going = ids = enter_messages(
        migrated, (20, 2), (10, 1), (10, 1), (80, 1), (20, 1), (10, 1))
    enter_parts(migrated, doubt, (90, 1, 0), (20, 2, 0), (20, 1, 0))
    enter_parts(migrated, retry, (30, 1, 0), (10, 1, 3))
    enter_parts(migrated, released, (10, 1, 1), (0, 1, 1))
    enter_parts(migrated, failed, (80, 1, 0), (90, 1, 0))
    enter_parts(migrated, again, (20, 1, 4), (30, 1, 0))
    enter_parts(migrated, going, (90, 1, 0), (10, 1, 0))
    run = migrated.value("SELECT run_id FROM message LIMIT 1")
    migrated.sql("INSERT INTO word (kind, word) VALUES ('reason', 'partial:UNDELIV')")
    for table in ("message", "stats"):
        migrated.sql(f"UPDATE {table} SET reason = (SELECT id FROM word WHERE word = 'partial:UNDELIV') WHERE state = 80")
    migrated.sql("UPDATE run SET rows_new = %s", (len(ids),))

    listed = [json.loads(line) for line in ctl(migrated, "resolve", "--json").stdout.splitlines()]
    assert [r["seq_id"] for r in listed] == [f"{doubt}.2.2", f"{doubt}.3.1", f"{again}.1.1"]
    for seq_id, why in ((f"{doubt}.1.1", "segment 1 .* not in doubt but delivered"), (f"{doubt}.4.1", "no segment 4 but 3"),
                        (f"{doubt}.2.1", "in doubt is attempt 2 of segment 2"), (f"{released}.2.1", "not in doubt but queued")):
        done = ctl(migrated, "resolve", seq_id, "delivered")
        assert done.returncode == REFUSED and re.search(why, done.stderr), done.stderr
    assert ctl(migrated, "resolve", f"{doubt}.2.2", "delivered").returncode == DONE
    assert migrated.queue_depths()["sms.update.0"] == 1

    status = json.loads(ctl(migrated, "status", "--json").stdout)
    assert status["counts"]["partial_today"] == 1 and [r["partial"] for r in status["runs"]] == [1]
    assert "(1 of these in part)" in ctl(migrated, "status").stdout

    def why(number):
        return json.loads(ctl(migrated, "why", str(number), "--json").stdout)["messages"][0]
    told = why(491700000000)
    assert [(s["segment"], s["state"], s["attempt"]) for s in told["segments"]] == [
        (1, "delivered", 1), (2, "in_doubt", 2), (3, "in_doubt", 1)] and "smschain resolve" in told["because"]
    assert {s["segment"] for s in told["story"]} == {1, 2, 3}
    assert "others have arrived" in why(491700000003)["because"]
    shown = ctl(migrated, "why", "491700000002").stdout
    assert "segment 2 of 2  queued" in shown and "(segment 2, attempt 1)" in shown

    done = ctl(migrated, "requeue", "--run", run, "--dry-run", "--json")
    assert json.loads(done.stdout)["open"] == 2  # retry and released; the other open one is on its way
    since = migrated.value("SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    done = ctl(migrated, "accept-database", "--since", since, "--yes")
    assert done.returncode == ATTENTION and "3 messages" in done.stdout
    assert migrated.sql("SELECT sms_id, segment, attempt, parts, way, owner FROM claim WHERE owner = 0 AND attempt = 2 "
                        "ORDER BY 1, 2") == [(retry, 2, 2, 2, 1, 0), (released, 1, 2, 2, 1, 0), (released, 2, 2, 2, 1, 0),
                                             (again, 1, 2, 2, 1, 0)]
    assert migrated.value("SELECT owner FROM claim WHERE sms_id = %s AND segment = 2", (going,)) == 0
    body = json.loads(migrated.value("SELECT body FROM outbox"))
    assert [(r["seq_id"], r["parts"], r["gateway"]) for r in body["records"]] == [
        (f"{retry}.2.2", 2, "beta"), (f"{released}.1.2", 2, "beta"), (f"{released}.2.2", 2, "beta"), (f"{going}.2.1", 2, "beta")]


def test_accept_database_wants_a_past_moment(migrated):
    assert ctl(migrated, "accept-database").returncode == USAGE
    assert ctl(migrated, "accept-database", "--since", "yesterday").returncode == USAGE
    assert ctl(migrated, "accept-database", "--since", "2999-01-01T00:00:00Z").returncode == USAGE


# ---- usage, configuration, servers away ----

def test_help_of_every_command(chain):
    listed = re.findall(r"^  ([a-z-]+) +\S", ctl(chain, "--help").stdout, re.M)
    assert len(listed) >= 13
    for name in listed:
        done = ctl(chain, name, "--help")
        assert done.returncode == DONE and "Exit codes:" in done.stdout, name
        assert ctl(chain, name, "--nonsense").returncode == USAGE, name
    assert ctl(chain, "nonsense").returncode == USAGE


def test_check_and_config(chain):
    assert ctl(chain, "check").returncode == DONE
    assert ctl(chain, "check", "--conf", "/nowhere").returncode == CONF
    done = ctl(chain, "config")
    assert done.returncode == DONE
    assert not any(secret in done.stdout for secret in chain.secrets())
    chain.copy_conf()
    chain.change_conf("rules/holiday-wishes.yaml", "template:", "tempalte:")
    done = ctl(chain, "check")
    assert done.returncode == CONF and "tempalte" in done.stderr and "did you mean" in done.stderr
    chain.change_conf("rules/repayment-reminder.yaml", "0 9 * * *", "0 25 * * *")
    assert "expected 0-23" in ctl(chain, "check").stderr
    assert ctl(chain, "status").returncode == CONF


def test_servers_away(chain):
    chain.more_environment = {"SMSCHAIN_DB": "host=127.0.0.1 port=1 dbname=x connect_timeout=3"}
    assert ctl(chain, "status").returncode == UNREACHABLE
    assert ctl(chain, "migrate").returncode == UNREACHABLE
    chain.more_environment = {"SMSCHAIN_BROKER_MANAGEMENT_URL": "http://127.0.0.1:1"}
    assert ctl(chain, "migrate", "--broker").returncode == UNREACHABLE


def test_broker_away(migrated):
    sms_id, = enter_messages(migrated, (20, 1))
    migrated.more_environment = {"SMSCHAIN_BROKER_PORT": "1"}
    assert ctl(migrated, "status").returncode == UNREACHABLE
    assert ctl(migrated, "resolve", f"{sms_id}.1.1", "delivered").returncode == UNREACHABLE
