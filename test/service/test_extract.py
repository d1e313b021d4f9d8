"""smschain-extract itself, against a real PostgreSQL and RabbitMQ: runs that are unique whoever enters them, one message
a row whatever is killed, the balance, the guards, and troubles that pass. Nothing else of the chain runs here: what
extract has published is read from its queue."""
import json
import os
import re
import time

import pytest

from chain import Chain
from servers import wait_for

FIRST_NUMBER = 491520000000
GROUP_ROWS = 100
TEMPLATE = """---
class: %s
---
Dear {{ name }}, this is number {{ id }}.
"""
RULE = """
%(when)s
time_zone: UTC
missed: %(missed)s
source: shop
sql: |
  %(sql)s
template: %(template)s
once_per: [%(once_per)s]
lane: %(lane)s
max_recipients: %(max_recipients)s
start: %(start)s
valid_for: %(valid_for)s
route:
  - gateway: alpha
"""
PERSONS = "SELECT id, phone AS number, name FROM person ORDER BY id"


class Extract:
    """A chain of which only extract runs, with a business table `person` and rules of the test's own."""

    def __init__(self, directory, lab):
        self.chain = Chain(str(directory), lab)
        self.lab = lab
        conf = self.chain.copy_conf()
        for name in self.chain.rules():
            os.unlink(f"{conf}/rules/{name}.yaml")
        self.chain.change_conf("smschain.yaml", "# group_rows: 500 ", f"group_rows: {GROUP_ROWS} ")
        self.template("note", "service")
        self.chain.prepare()
        self.chain.shop.sql("CREATE TABLE person (id bigint PRIMARY KEY, phone text, name text)")
        self.chain.shop.sql("GRANT SELECT ON person TO shop_reader")
        self.queue_bodies = []

    def template(self, name, kind):
        with open(f"{self.chain.conf_dir}/templates/{name}.liquid", "w", encoding="utf-8") as f:
            f.write(TEMPLATE % kind)

    def rule(self, name="note", at=None, **more):
        values = {"when": f'at: "{at}"' if at else 'schedule: "0 0 1 1 *"', "missed": "run_once", "sql": PERSONS,
                  "template": "note", "once_per": "id", "lane": "bulk", "max_recipients": 100000, "start": "when_read",
                  "valid_for": "1h", **more}
        with open(f"{self.chain.conf_dir}/rules/{name}.yaml", "w", encoding="utf-8") as f:
            f.write(RULE % values)

    def persons(self, low, high):
        self.chain.shop.sql("INSERT INTO person SELECT n, '+' || %s::bigint + n, 'Person ' || n FROM generate_series(%s, %s) n",
                            (FIRST_NUMBER, low, high))

    def start(self, instance=1, **environment):
        return self.chain.service("extract", instance).start(**environment)

    @property
    def process(self):
        return self.chain.service("extract")

    def sql(self, statement, parameters=None):
        return self.chain.sql(statement, parameters)

    def value(self, statement, parameters=None):
        return self.chain.value(statement, parameters)

    def run_rule(self, name="note"):
        return self.chain.run_rule(name)

    def enter_run(self, name="note"):
        """As `smschain run` does it, without waiting for extract to be there."""
        return self.value("INSERT INTO run (rule_id, scheduled_at, origin) SELECT id, clock_timestamp(), 'person' FROM rule"
                          " WHERE name = %s RETURNING id", (name,))

    def run(self, run_id):
        columns = ("state", "why", "origin", "publish", "pass", "pass_complete", "rows_read", "rows_gone", "rows_new",
                   "rows_seen", "rows_duplicate", "rows_invalid", "rows_suppressed", "template_version")
        row = self.sql(f"SELECT {', '.join(columns)} FROM run WHERE id = %s", (run_id,))[0]
        return dict(zip(columns, row))

    def wait_state(self, run_id, *states, seconds=30):
        self.chain.wait_until(lambda: self.run(run_id)["state"] in states, seconds, f"run {run_id} to be {states}")
        return self.run(run_id)

    def wait_published(self, seconds=30):
        self.chain.wait_until(lambda: not self.value(
            "SELECT count(*) FROM outbox o JOIN run r ON r.id = o.run_id WHERE o.published_at IS NULL AND r.publish"),
            seconds, "the outbox to be empty")

    def wait_log(self, text, seconds=30, instance=1):
        process = self.chain.service("extract", instance)
        self.chain.wait_until(lambda: text in process.tail(10000), seconds, f"'{text}' in the log")

    def taken(self, queue="sms.render.bulk"):
        """Every record that was ever published to the queue, chunk by chunk."""
        while True:
            some = self.lab.api("POST", f"/api/queues/{self.chain.vhost}/{queue}/get",
                                {"count": 200, "ackmode": "ack_requeue_false", "encoding": "auto"})
            if not some:
                break
            self.queue_bodies += [json.loads(m["payload"]) for m in some]
        for body in self.queue_bodies:
            assert (body["v"], body["kind"]) == (1, "rows") and body["records"]
        return [record for body in self.queue_bodies for record in body["records"]]

    def check_balance(self, run_id):
        r = self.run(run_id)
        assert r["pass_complete"]
        assert r["rows_read"] + r["rows_gone"] == (r["rows_new"] + r["rows_duplicate"] + r["rows_invalid"]
                                                   + r["rows_suppressed"]), r
        assert r["rows_new"] == self.value("SELECT count(*) FROM message WHERE run_id = %s", (run_id,))
        assert r["rows_new"] == self.value("SELECT count(*) FROM dedupe WHERE run_id = %s", (run_id,))
        skips = dict(self.sql("SELECT kind, count(*) FROM run_skip WHERE run_id = %s GROUP BY kind", (run_id,)))
        assert skips == {k: r[f"rows_{k}"] for k in ("duplicate", "invalid", "suppressed") if r[f"rows_{k}"]}, r
        return r

    def check_messages(self, numbers, published=True, copies=False):
        """Each of these numbers has exactly one message, and (published) each message is in a chunk: once, unless
        copies are allowed because a publisher died between confirm and mark."""
        numbers = sorted(numbers)
        assert [n for (n,) in self.sql("SELECT number FROM message ORDER BY number")] == numbers
        if not published:
            return
        self.wait_published()
        records = self.taken()
        by_id = {record["sms_id"]: record for record in records}
        assert sorted(by_id) == [s for (s,) in self.sql("SELECT sms_id FROM message ORDER BY sms_id")]
        assert sorted(r["number"] for r in by_id.values()) == numbers
        if not copies:
            assert len(records) == len(numbers)

    def check_log(self):
        """No whole number in a log (I6)."""
        assert not re.search(r"49152\d{7}", self.process.tail(100000))


@pytest.fixture
def extract(lab, tmp_path):
    e = Extract(tmp_path / "x", lab)
    yield e
    e.chain.stop()


def numbers(low, high):
    return [FIRST_NUMBER + n for n in range(low, high + 1)]


def moment(seconds_ahead):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds_ahead))


# ---- one run ----

def test_rows_become_messages_and_chunks(extract):
    extract.rule()
    extract.persons(1, 250)
    extract.start()
    run = extract.run_rule()
    extract.wait_state(run, "read")
    r = extract.check_balance(run)
    assert (r["rows_read"], r["rows_new"], r["origin"], r["pass"], r["publish"]) == (250, 250, "person", 1, True)
    extract.check_messages(numbers(1, 250))
    assert [len(b["records"]) for b in extract.queue_bodies] == [100, 100, 50]
    first = extract.queue_bodies[0]["records"][0]
    assert first["row"] == {"id": "1", "number": f"+{FIRST_NUMBER + 1}", "name": "Person 1"}
    assert (first["rule"], first["tmpl"], first["lane"], first["run"]) == ("note", "note", "bulk", run)
    scheduled = extract.value("SELECT extract(epoch FROM scheduled_at) * 1000 FROM run WHERE id = %s", (run,))
    assert abs(first["valid_until"] - (float(scheduled) + 3600000)) < 2
    [(template, text)] = extract.sql("SELECT template, text FROM template_version WHERE version = %s", (r["template_version"],))
    assert template == "note" and text.startswith("---\n") and "Dear {{ name }}, this is number {{ id }}." in text
    days = extract.value("SELECT min(sms_id >> 36) FROM message")
    assert days == int(time.time() // 86400) - 18262
    extract.check_log()


def test_run_twice_nothing_repeats(extract):
    extract.rule()
    extract.persons(1, 250)
    extract.start()
    first = extract.run_rule()
    extract.wait_state(first, "read")
    extract.persons(251, 260)
    second = extract.run_rule()
    extract.wait_state(second, "read")
    r = extract.check_balance(second)
    assert (r["rows_read"], r["rows_new"], r["rows_duplicate"]) == (260, 10, 250)
    assert extract.sql("SELECT DISTINCT first_run FROM run_skip WHERE run_id = %s", (second,)) == [(first,)]
    extract.check_messages(numbers(1, 260))


def test_every_kind_of_row_is_accounted_for(extract):
    """Invalid, suppressed, missing keys, equal keys in a group and across groups, all in one run."""
    extract.rule(once_per="name", sql="SELECT id, phone AS number, name FROM person ORDER BY id", template="wishes")
    extract.template("wishes", "marketing")
    extract.persons(1, 350)
    change = extract.chain.shop.sql
    change("UPDATE person SET phone = NULL WHERE id = 3")
    change("UPDATE person SET phone = 'ask her' WHERE id = 4")
    change("UPDATE person SET phone = '+49 1' WHERE id = 105")
    change("UPDATE person SET phone = '+999 123456789' WHERE id = 106")
    change("UPDATE person SET name = NULL WHERE id IN (7, 207)")
    change("UPDATE person SET name = 'Person 10' WHERE id IN (11, 12, 310)")   # 10 is the first of them
    change("UPDATE person SET name = 'Person 20' WHERE id = 21")               # 20 is suppressed: 21 is entered
    extract.sql("INSERT INTO suppression (number, scope, reason) VALUES (%s, 'all', 'complaint'), (%s, 'marketing', 'stop'),"
                " (%s, 'marketing', 'stop'), (%s, 'all', 'complaint')",
                (FIRST_NUMBER + 20, FIRST_NUMBER + 120, FIRST_NUMBER + 121, FIRST_NUMBER + 121))
    extract.start()
    run = extract.run_rule()
    extract.wait_state(run, "read")
    r = extract.check_balance(run)
    assert (r["rows_read"], r["rows_invalid"], r["rows_suppressed"], r["rows_duplicate"]) == (350, 6, 3, 3)
    skips = extract.sql("SELECT kind, reason, count(*), count(key), count(first_run) FROM run_skip GROUP BY 1, 2 ORDER BY 1, 2")
    assert skips == [("duplicate", "once_per", 3, 3, 3), ("invalid", "bad_country", 1, 1, 0), ("invalid", "empty", 1, 1, 0),
                     ("invalid", "letters", 1, 1, 0), ("invalid", "missing_key", 2, 0, 0), ("invalid", "too_short", 1, 1, 0),
                     ("suppressed", "complaint", 2, 2, 0), ("suppressed", "stop", 1, 1, 0)]
    left_out = {3, 4, 105, 106, 7, 207, 11, 12, 310, 20, 120, 121}
    extract.check_messages([FIRST_NUMBER + n for n in range(1, 351) if n not in left_out])


def test_stop_blocks_marketing_only(extract):
    extract.rule()
    extract.persons(1, 3)
    extract.sql("INSERT INTO suppression (number, scope, reason) VALUES (%s, 'marketing', 'stop'), (%s, 'all', 'stop')",
                (FIRST_NUMBER + 1, FIRST_NUMBER + 2))
    extract.start()
    run = extract.run_rule()
    extract.wait_state(run, "read")
    assert extract.check_balance(run)["rows_suppressed"] == 1
    extract.check_messages([FIRST_NUMBER + 1, FIRST_NUMBER + 3])


def test_deliver_only_to(extract):
    extract.rule()
    extract.persons(1, 150)
    extract.chain.change_conf("smschain.yaml", '# deliver_only_to: ["+491711234567"]',
                              f'deliver_only_to: ["+{FIRST_NUMBER + 5}", "+{FIRST_NUMBER + 140}"]')
    extract.start()
    run = extract.run_rule()
    extract.wait_state(run, "read")
    assert extract.check_balance(run)["rows_invalid"] == 148
    assert extract.sql("SELECT DISTINCT reason FROM run_skip") == [("not_listed",)]
    extract.check_messages([FIRST_NUMBER + 5, FIRST_NUMBER + 140])


def test_keys_do_not_follow_the_servers_settings(extract):
    """A timestamp in once_per: the same key whatever the role's time zone and date style are."""
    extract.rule(once_per="id, at", sql="SELECT id, phone AS number, name, TIMESTAMPTZ '2026-01-31 08:15+00' AS at FROM person")
    extract.persons(1, 5)
    extract.start()
    extract.wait_state(extract.run_rule(), "read")
    database = extract.chain.shop.database
    extract.lab.sql(f'ALTER DATABASE "{database}" SET "TimeZone" = \'America/New_York\'')
    extract.lab.sql(f'ALTER DATABASE "{database}" SET "DateStyle" = \'German, DMY\'')
    second = extract.run_rule()
    assert extract.wait_state(second, "read")["rows_duplicate"] == 5


# ---- firings ----

def test_two_processes_one_firing(extract):
    extract.rule(at=moment(4))
    extract.persons(1, 500)
    extract.start()
    extract.start(2)
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM run WHERE state = 'read'"), 30, "the firing")
    assert extract.value("SELECT count(*) FROM run") == 1
    run = extract.value("SELECT id FROM run")
    r = extract.check_balance(run)
    assert (r["origin"], r["pass"], r["rows_new"]) == ("schedule", 1, 500)
    extract.check_messages(numbers(1, 500))
    logs = extract.process.tail(1000) + extract.chain.service("extract", 2).tail(1000)
    assert logs.count("run entered") == 1 and logs.count("run is read") == 1


@pytest.mark.parametrize("missed, origin, state", [("run_once", "missed", "read"), ("skip", "missed", "skipped")])
def test_missed_firing(extract, missed, origin, state):
    at = moment(-600)
    extract.rule(at=at, missed=missed)
    extract.persons(1, 5)
    extract.start()
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM rule"), 20, "the rule's row")
    time.sleep(0.5)  # a new rule does not catch up: nothing may come of it in some turns
    assert extract.value("SELECT count(*) FROM run") == 0
    extract.process.stop()
    extract.sql("UPDATE rule SET planned_from = now() - interval '1 hour'")  # as if it had been known all the time
    extract.start()
    extract.chain.wait_until(lambda: extract.sql("SELECT 1 FROM run WHERE state = %s", (state,)), 20, "the missed firing")
    assert extract.sql("SELECT origin, to_char(scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM run") == [
        (origin, at)]
    extract.check_messages(numbers(1, 5) if state == "read" else [])


def test_a_changed_schedule_does_not_catch_up(extract):
    extract.rule(at=moment(3600))
    extract.persons(1, 5)
    extract.start()
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM rule"), 20, "the rule's row")
    extract.sql("UPDATE rule SET planned_from = now() - interval '1 hour'")
    extract.rule(at=moment(-600))
    extract.process.signal(1)
    extract.wait_log("configuration loaded again")
    extract.chain.wait_until(lambda: extract.value("SELECT planned_from > now() - interval '1 minute' FROM rule"), 20,
                             "the rule to be planned anew")
    time.sleep(0.5)
    assert extract.value("SELECT count(*) FROM run") == 0


def test_valid_for_is_over(extract):
    extract.rule(at=moment(-600), valid_for="5m")
    extract.persons(1, 5)
    extract.sql("INSERT INTO rule (name, sql_hash, once_per, planned_from) VALUES ('note', '', '{id}', now() - interval '1 h')")
    extract.start()
    extract.chain.wait_until(lambda: extract.sql("SELECT 1 FROM run WHERE state = 'skipped'"), 20, "the skipped run")
    assert "valid_for was over" in extract.value("SELECT why FROM run")
    extract.check_messages([])


# ---- killed ----

KILLS = ["extract.run_entered:1", "extract.pass_begun:1", "extract.row_read:1", "extract.row_read:450",
         "extract.row_read:1000", "extract.group_before_commit:1", "extract.group_before_commit:5",
         "extract.group_sent:1", "extract.group_sent:5", "extract.group_sent:10", "extract.group_committed:1",
         "extract.group_committed:9", "extract.group_committed:10", "extract.read_ended:1", "extract.run_ended:1",
         "outbox.selected:1", "outbox.published:1", "outbox.marked:1"]


@pytest.mark.parametrize("fault", KILLS)
def test_killed_and_started_again(extract, fault):
    extract.rule(at=moment(3))
    extract.persons(1, 1000)
    extract.start(SMSCHAIN_FAULT=fault)
    assert extract.process.wait_end(30) == -9, extract.process.tail()
    assert extract.value("SELECT count(*) FROM run") == 1
    run = extract.value("SELECT id FROM run")
    extract.persons(1001, 1010)  # came in between
    extract.start()
    extract.wait_state(run, "read")
    r = extract.check_balance(run)
    assert r["rows_duplicate"] == 0  # a resumed run does not count its own keys
    was_read = fault.startswith(("outbox", "extract.run_ended"))
    assert r["rows_read"] == r["rows_new"] == (1000 if was_read else 1010)
    assert r["pass"] == (1 if was_read or "run_entered" in fault else 2)
    extract.check_messages(numbers(1, r["rows_new"]), copies=fault in ("outbox.published:1", "outbox.marked:1"))


def test_killed_and_rows_gone_meanwhile(extract):
    extract.rule()
    extract.persons(1, 1000)
    extract.start()
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM rule"), 20, "the rule's row")
    extract.process.stop()
    run = extract.enter_run()
    extract.start(SMSCHAIN_FAULT="extract.group_committed:5")
    assert extract.process.wait_end(30) == -9
    extract.chain.shop.sql("DELETE FROM person WHERE id BETWEEN 1 AND 20 OR id BETWEEN 901 AND 910")
    extract.start()
    extract.wait_state(run, "read")
    r = extract.check_balance(run)
    assert (r["rows_read"], r["rows_gone"], r["rows_new"]) == (970, 20, 990)
    extract.check_messages(numbers(1, 900) + numbers(911, 1000))


def test_taken_over_by_another_process(extract):
    """Killed in the middle while a second process stands by: that one takes the run up without any restart."""
    extract.rule(at=moment(3))
    extract.persons(1, 1000)
    extract.start(SMSCHAIN_FAULT="extract.group_committed:4")
    second = extract.start(2, SMSCHAIN_FAULT="")
    extract.chain.wait_until(lambda: extract.sql("SELECT 1 FROM run WHERE state = 'read'"), 40, "the run to be read")
    extract.check_balance(extract.value("SELECT id FROM run"))
    extract.check_messages(numbers(1, 1000))
    assert second.alive


def test_sigterm_leaves_the_run_between_two_groups(extract):
    extract.rule(sql=PERSONS.replace("name FROM", "name || left(pg_sleep(0.002)::text, 0) AS name FROM"))
    extract.persons(1, 1000)
    extract.start()
    run = extract.run_rule()
    extract.chain.wait_until(lambda: extract.run(run)["rows_new"] >= 100, 20, "the first groups")
    assert extract.process.stop() == 0
    r = extract.run(run)
    assert r["state"] == "reading" and r["rows_new"] < 1000
    extract.start()
    assert extract.wait_state(run, "read")["pass"] == 2
    extract.check_balance(run)
    extract.check_messages(numbers(1, 1000))


# ---- guards ----

def test_held_over_max_recipients_and_released(extract):
    extract.rule(max_recipients=250)
    extract.persons(1, 1000)
    extract.start()
    run = extract.run_rule()
    r = extract.wait_state(run, "held")
    assert r["why"].startswith("more than max_recipients (250) new messages") and f"smschain release {run}" in r["why"]
    assert 250 < r["rows_new"] <= 250 + 2 * GROUP_ROWS and not r["publish"]
    time.sleep(0.5)
    assert extract.taken() == []
    extract.chain.ctl("release", run)
    extract.wait_state(run, "read")
    r = extract.check_balance(run)
    assert (r["rows_new"], r["why"], r["pass"]) == (1000, "released", 2)
    extract.check_messages(numbers(1, 1000))


def test_at_once_never_lets_more_out_than_max_recipients(extract):
    extract.rule(max_recipients=250, start="at_once")
    extract.persons(1, 1000)
    extract.start()
    run = extract.run_rule()
    assert extract.wait_state(run, "held")["rows_new"] == 300
    time.sleep(0.5)
    assert len(extract.taken()) <= 200  # the group that went over it was entered together with the hold
    extract.chain.ctl("release", run)
    extract.wait_state(run, "read")
    extract.check_messages(numbers(1, 1000))


def test_at_once_publishes_while_it_reads(extract):
    extract.rule(start="at_once", lane="instant",
                 sql=PERSONS.replace("name FROM", "name || left(pg_sleep(0.005)::text, 0) AS name FROM"))
    extract.persons(1, 600)
    extract.start()
    run = extract.run_rule()
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL"), 20, "a chunk")
    assert extract.run(run)["state"] == "reading"
    extract.wait_state(run, "read")
    extract.wait_published()
    assert len(extract.taken("sms.render.instant")) == 600


def test_changed_once_per_is_held_until_accepted(extract):
    extract.rule()
    extract.persons(1, 10)
    extract.start()
    extract.wait_state(extract.run_rule(), "read")
    extract.rule(once_per="id, name")
    extract.process.signal(1)
    extract.chain.wait_until(lambda: extract.value("SELECT held_why FROM rule"), 20, "the hold")
    assert "once_per has changed from [id] to [id, name]" in extract.value("SELECT held_why FROM rule")
    done = extract.chain.ctl("run", "note", check=False)
    run = int(done.stdout.split()[0])
    assert extract.run(run)["state"] == "held"
    other = extract.enter_run()  # by a way that does not look at the hold
    assert extract.wait_state(other, "held")["why"] == extract.run(run)["why"]
    extract.check_messages(numbers(1, 10))
    extract.chain.ctl("accept", "note")
    extract.wait_state(run, "read")
    extract.wait_state(other, "read")
    assert extract.run(run)["rows_new"] + extract.run(other)["rows_new"] == 10


def test_new_rule_over_known_sql_is_held(extract):
    extract.rule("first")
    extract.persons(1, 10)
    extract.start()
    extract.wait_state(extract.run_rule("first"), "read")
    extract.rule("second", at=moment(3), sql=PERSONS.replace(" ", "   "))
    extract.process.signal(1)
    extract.chain.wait_until(lambda: extract.sql("SELECT 1 FROM run r JOIN rule u ON u.id = r.rule_id WHERE u.name = 'second'"),
                             20, "its firing")
    run = extract.value("SELECT r.id FROM run r JOIN rule u ON u.id = r.rule_id WHERE u.name = 'second'")
    assert extract.run(run)["state"] == "held" and "rule first" in extract.run(run)["why"]
    extract.check_messages(numbers(1, 10))


def test_pause_and_start(extract):
    extract.rule(at=moment(3))
    extract.persons(1, 300)
    extract.start()
    extract.sql("INSERT INTO control (kind, scope, key) VALUES ('pause', 'rule', 'note')")
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM run"), 20, "the firing")
    time.sleep(1)
    run = extract.value("SELECT id FROM run")
    assert extract.run(run)["state"] == "new"  # entered, not read
    extract.sql("DELETE FROM control")
    extract.wait_state(run, "read")
    extract.check_messages(numbers(1, 300))


def test_paused_while_it_is_read(extract):
    extract.rule(sql=PERSONS.replace("name FROM", "name || left(pg_sleep(0.002)::text, 0) AS name FROM"))
    extract.persons(1, 1000)
    extract.start()
    run = extract.run_rule()
    extract.chain.wait_until(lambda: extract.run(run)["rows_new"] >= 100, 20, "the first groups")
    extract.sql("INSERT INTO control (kind, scope) VALUES ('pause', 'all')")
    time.sleep(1)
    at_pause = extract.run(run)["rows_new"]
    time.sleep(1)
    assert at_pause == extract.run(run)["rows_new"] < 1000
    extract.sql("DELETE FROM control")
    extract.wait_state(run, "read")
    extract.check_balance(run)
    extract.check_messages(numbers(1, 1000))


def test_cancelled_while_it_is_read(extract):
    extract.rule(sql=PERSONS.replace("name FROM", "name || left(pg_sleep(0.002)::text, 0) AS name FROM"))
    extract.persons(1, 2000)
    extract.start()
    run = extract.run_rule()
    extract.chain.wait_until(lambda: extract.run(run)["rows_new"] >= 100, 20, "the first groups")
    extract.chain.ctl("cancel", "--run", run, check=False)
    extract.sql("INSERT INTO control (kind, scope, key) VALUES ('cancel', 'run', %s) ON CONFLICT DO NOTHING", (str(run),))
    extract.wait_state(run, "cancelled")
    assert extract.run(run)["rows_new"] < 2000
    extract.wait_published()  # its chunks go on to the claim, where each message gets its end


# ---- what cannot be read ----

def test_wrong_sql_names_file_and_line(extract):
    extract.rule(sql="SELECT id, phone AS number,\n    nmae AS name\n  FROM person")
    extract.persons(1, 10)
    extract.start()
    r = extract.wait_state(extract.run_rule(), "failed")
    assert re.search(r"rules/note\.yaml:8: source shop: .*column \"nmae\" does not exist", r["why"]), r["why"]
    assert not r["publish"]


def test_missing_column(extract):
    extract.rule(once_per="id, due_on")
    extract.persons(1, 10)
    extract.start()
    r = extract.wait_state(extract.run_rule(), "failed")
    assert "gives no column due_on, which once_per names" in r["why"]


def test_error_in_the_middle_tells_no_row_and_is_tried_again_beside_the_next_run(extract):
    extract.rule(sql="SELECT id, phone AS number, name, 1 / (id - 450) AS x, left(phone, CASE WHEN id = 450 THEN"
                     " phone::int ELSE 0 END) AS y FROM (SELECT * FROM person ORDER BY id) p")
    extract.persons(1, 1000)
    extract.start()
    first = extract.run_rule()
    r = extract.wait_state(first, "failed")
    assert re.search(r"note\.yaml:\d+: source shop: the database stopped the statement with error 22", r["why"])
    assert not re.search(r"\d{9}", r["why"])
    assert r["rows_new"] == 400 and not r["publish"]
    assert extract.taken() == []
    extract.rule()  # repaired
    extract.process.signal(1)
    extract.wait_log("configuration loaded again")
    second = extract.run_rule()
    extract.wait_state(second, "read")
    extract.wait_state(first, "read")
    assert extract.run(first)["rows_new"] + extract.run(second)["rows_new"] == 1000
    extract.check_messages(numbers(1, 1000))
    extract.check_log()


def test_statement_timeout(extract):
    extract.chain.change_conf("sources/shop.yaml", "statement_timeout: 5m", "statement_timeout: 1s")
    extract.rule(sql="SELECT id, phone AS number, name, pg_sleep(5) FROM person")
    extract.persons(1, 10)
    extract.start()
    r = extract.wait_state(extract.run_rule(), "failed")
    assert "took longer than its statement_timeout of 1 s" in r["why"]


def test_a_source_is_only_read(extract):
    extract.persons(1, 10)
    extract.rule(sql="DELETE FROM person RETURNING id, phone AS number, name")
    extract.chain.shop.sql("GRANT ALL ON person TO shop_reader")
    extract.start()
    r = extract.wait_state(extract.run_rule(), "failed")
    assert "25006" in r["why"]
    assert extract.chain.shop.sql("SELECT count(*) FROM person") == [(10,)]


def test_rule_that_is_gone(extract):
    extract.rule()
    extract.rule("other", sql="SELECT id, phone AS number, name FROM person WHERE id < 0")
    extract.start()
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM rule") == 2, 20, "the rules' rows")
    os.unlink(f"{extract.chain.conf_dir}/rules/note.yaml")
    extract.process.signal(1)
    extract.wait_log("configuration loaded again")
    r = extract.wait_state(extract.enter_run(), "failed")
    assert "rule note is not in the configuration" in r["why"]


def test_reload_takes_good_configurations_only(extract):
    extract.rule()
    extract.persons(1, 10)
    extract.start()
    extract.wait_log("started")
    extract.rule("broken", when="schedule: '* * * *'", sql="SELECT 1")
    extract.process.signal(1)
    extract.wait_log("the new configuration has errors")
    assert "expected five" in extract.process.tail(1000)
    extract.wait_state(extract.enter_run(), "read")  # the command refuses such a configuration, too
    os.unlink(f"{extract.chain.conf_dir}/rules/broken.yaml")
    extract.rule("more", once_per="id, name", sql=PERSONS + " LIMIT 5")
    extract.process.signal(1)
    extract.wait_state(extract.run_rule("more"), "read")
    assert extract.value("SELECT count(*) FROM message") == 15


# ---- what is away and comes back ----

def test_source_away_and_back(extract):
    extract.rule()
    extract.persons(1, 300)
    extract.start()
    database = extract.chain.shop.database
    extract.lab.sql(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    run = extract.run_rule()
    extract.wait_log("run waits")
    time.sleep(2)
    assert extract.run(run)["state"] in ("new", "reading")
    assert extract.process.tail(1000).count("run waits") == 1  # said once
    extract.lab.sql(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
    extract.wait_state(run, "read")
    extract.wait_log("run waits no more")
    extract.check_balance(run)
    extract.check_messages(numbers(1, 300))


def test_source_lost_in_the_middle(extract):
    extract.rule(sql=PERSONS.replace("name FROM", "name || left(pg_sleep(0.002)::text, 0) AS name FROM"))
    extract.persons(1, 1000)
    extract.start()
    run = extract.run_rule()
    extract.chain.wait_until(lambda: extract.run(run)["rows_new"] >= 200, 20, "the first groups")
    extract.lab.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = 'shop_reader'",
                    (extract.chain.shop.database,))
    extract.wait_state(run, "read")
    assert extract.check_balance(run)["pass"] == 2
    extract.check_messages(numbers(1, 1000))


def test_ledger_lost_in_the_middle(extract):
    extract.rule(sql=PERSONS.replace("name FROM", "name || left(pg_sleep(0.002)::text, 0) AS name FROM"))
    extract.persons(1, 1000)
    extract.start()
    run = extract.run_rule()
    extract.chain.wait_until(lambda: extract.run(run)["rows_new"] >= 200, 20, "the first groups")
    extract.lab.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = 'smschain_extract'",
                    (extract.chain.database,))
    extract.wait_state(run, "read")
    assert extract.check_balance(run)["pass"] >= 2
    extract.check_messages(numbers(1, 1000), copies=True)


def test_database_and_broker_away_at_the_start_and_later(extract):
    extract.rule(at=moment(3600))
    extract.persons(1, 300)
    extract.start()
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM rule"), 20, "the rule's row")
    extract.process.stop()
    run = extract.enter_run()
    extract.lab.rabbitmq.stop()
    extract.lab.postgres.stop()
    try:
        extract.start()
        extract.wait_log("the database is away")
        extract.lab.postgres.start()
        extract.chain.wait_until(lambda: extract.run(run)["state"] == "read", 60, "the run, without a broker")
        extract.wait_log("outbox: the broker takes nothing")
        assert extract.value("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 3
    finally:
        extract.lab.postgres.start()
        extract.lab.rabbitmq.start()
    extract.wait_published(60)
    extract.check_messages(numbers(1, 300))
    extract.lab.rabbitmq.kill()
    try:
        extract.persons(301, 400)
        second = extract.run_rule()
        extract.wait_state(second, "read")
    finally:
        extract.lab.rabbitmq.start()
    extract.wait_published(90)
    extract.check_messages(numbers(1, 400))
    said = [line for line in extract.process.tail(1000).splitlines() if "outbox: the broker takes nothing" in line]
    bulk = sum("lane=bulk" in line for line in said)
    assert 1 <= bulk <= 2 and 1 <= len(said) - bulk <= 2, said  # each lane's publisher once an outage, if it saw the short one


def test_missing_queue_keeps_the_chunk(extract):
    extract.rule()
    extract.persons(1, 150)
    extract.lab.api("DELETE", f"/api/queues/{extract.chain.vhost}/sms.render.bulk")
    extract.start()
    extract.wait_state(extract.run_rule(), "read")
    extract.wait_log("chunks whose queue does not exist are kept")
    assert extract.value("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 2
    extract.chain.ctl("migrate")
    extract.sql("UPDATE outbox SET due_at = now()")
    extract.check_messages(numbers(1, 150))


def test_a_missing_right_is_said(extract):
    extract.rule()
    extract.persons(1, 150)
    extract.sql("REVOKE INSERT ON dedupe FROM smschain_extract")
    extract.start()
    run = extract.run_rule()
    extract.wait_log("permission denied for table dedupe")
    extract.sql("GRANT INSERT ON dedupe TO smschain_extract")
    extract.wait_state(run, "read", seconds=60)
    extract.check_messages(numbers(1, 150))


def test_messages_of_a_broken_run_end_when_they_are_stale(extract):
    """Held, and nobody releases it: when valid_for is over its chunks leave, so that each message ends at the claim."""
    extract.rule(max_recipients=100)
    extract.persons(1, 300)
    extract.start()
    run = extract.run_rule()
    extract.wait_state(run, "held")
    extract.process.stop()
    extract.sql("UPDATE message SET valid_until = now() - interval '2 hours'")
    extract.start()
    extract.chain.wait_until(lambda: extract.run(run)["publish"], 20, "its chunks to leave")
    extract.wait_published()
    assert len(extract.taken()) == extract.run(run)["rows_new"]


def test_a_slow_source_is_not_waited_for(extract):
    """Rows of a group that does not fill leave after a second, and a cancel is seen as soon."""
    extract.rule(start="at_once", sql="SELECT id, phone AS number, name || left(pg_sleep(0.3)::text, 0) AS name,"
                                      " repeat('x', 9000) AS wide FROM person")  # wide: PostgreSQL sends 8 KiB at a time
    extract.persons(1, 90)
    extract.start()
    run = extract.run_rule()
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL"), 20, "a chunk")
    r = extract.run(run)
    assert r["state"] == "reading" and 0 < r["rows_new"] < 90
    extract.sql("INSERT INTO control (kind, scope, key) VALUES ('cancel', 'run', %s)", (str(run),))
    extract.wait_state(run, "cancelled", seconds=10)


def test_a_database_that_lost_history(extract):
    """Nothing is entered or published before a person has accepted it."""
    extract.rule(max_recipients=100)
    extract.persons(1, 300)
    extract.start()
    run = extract.run_rule()
    extract.wait_state(run, "held")
    extract.process.stop()
    path = os.path.join(extract.chain.state_dir, "history-extract")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(r"timeline \d+", "timeline 7", text))
    extract.sql("UPDATE run SET publish = true")
    other = extract.enter_run()
    extract.start()
    extract.wait_log("the database has lost history")
    time.sleep(1.5)
    assert extract.run(other)["state"] == "new"
    assert extract.value("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL") == 0
    extract.chain.ctl("accept-database", "--yes", "--since", moment(-3600), check=False)  # 3: some are in doubt now
    extract.wait_published()
    extract.chain.wait_until(lambda: extract.run(other)["state"] != "new", 20, "the other run")


def test_figures(extract):
    extract.rule()
    extract.persons(1, 250)
    extract.start()
    extract.wait_state(extract.run_rule(), "read")
    extract.wait_published()

    def figures():
        rows = extract.sql("SELECT figures FROM service WHERE service = 'extract'")
        return rows and rows[0][0]
    wait_for(lambda: figures() and figures().get("chunks_published") == 3, 15, "figures")
    assert {"runs_open", "rows", "rows_per_s", "outbox_waiting"} <= set(figures())


def test_old_skips_are_forgotten(extract):
    extract.rule()
    extract.persons(1, 3)
    extract.start()
    old, new = extract.run_rule(), None
    extract.wait_state(old, "read")
    new = extract.run_rule()
    extract.wait_state(new, "read")
    extract.process.stop()
    extract.sql("INSERT INTO run_skip (run_id, pass, kind, reason) SELECT %s, 1, 'invalid', 'empty' FROM generate_series(1, 12000)", (old,))
    extract.sql("UPDATE run SET ended_at = now() - interval '91 days' WHERE id = %s", (old,))
    extract.start()
    extract.chain.wait_until(lambda: extract.sql("SELECT run_id, count(*) FROM run_skip GROUP BY 1") == [(new, 3)], 30, "the old ones gone")
