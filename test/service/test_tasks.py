"""Tasks, by extract alone against a real PostgreSQL and RabbitMQ: lists that another system inserts with its own login, the
signs, what is refused, one run a task whoever hears and whoever is killed, and what becomes of each row."""
import datetime
import json
import os
import threading
import time

import pytest

from tasks import Upstream, write_rule
from test_extract import FIRST_NUMBER, extract, numbers  # noqa: F401  (extract: the fixture)


@pytest.fixture
def upstream(extract):  # noqa: F811
    write_rule(extract.chain)
    one = Upstream(extract.chain)
    yield one
    one.close()


def run_of(extract, task_id, *states, seconds=30):  # noqa: F811
    """The task's run, once it is there and in one of these states."""
    def run():
        found = extract.sql("SELECT id FROM run WHERE task_id = %s", (task_id,))
        return found and (not states or extract.run(found[0][0])["state"] in states) and found[0][0]
    return extract.chain.wait_until(run, seconds, f"the run of {task_id} to be {states}")


def read(extract, task_id):  # noqa: F811
    """It is read, its balance holds; gives the run's row."""
    run = run_of(extract, task_id, "read")
    assert extract.run(run)["origin"] == "task"
    assert extract.sql("SELECT state, why, run_id FROM task WHERE task_id = %s", (task_id,)) == [("entered", "", run)]
    return extract.check_balance(run)


def test_what_another_system_may_do(extract, upstream):  # noqa: F811
    """Everything that is no row of a task is refused where it is inserted, with words that say why; the sample rule is good."""
    rules = f"{extract.chain.conf_dir}/rules"
    os.rename(f"{rules}/customer-list.yaml.sample", f"{rules}/customer-list.yaml")
    assert ": good: " in extract.chain.ctl("check").stdout
    refused = upstream.refusal
    upstream.task("t-1")
    upstream.row("t-1", "a", "+491", name="Ann", amount=12.5, club=True, note=None)
    assert "duplicate key" in refused("INSERT INTO task (task_id, rule) VALUES ('t-1', 'list')")
    assert "duplicate key" in refused("INSERT INTO task_row (task_id, ext_id, number) VALUES ('t-1', 'a', '')")
    upstream.sql("INSERT INTO task_row (task_id, ext_id, number) VALUES ('t-1', 'a', '') ON CONFLICT DO NOTHING")
    assert "there is no task t-2" in refused("INSERT INTO task_row (task_id, ext_id, number) VALUES ('t-2', 'a', '+491')")
    for constraint, column, value in (
            ("task_row_template_or_text", "template, text", "'list', 'Hello'"),
            ("task_row_params_flat", "params", """'{"a": {"b": 1}}'"""), ("task_row_params_flat", "params", """'{"a": [1]}'"""),
            ("task_row_params_object", "params", "'[1]'"), ("task_row_params_length", "params", "jsonb_build_object('a', repeat('x', 40000))"),
            ("task_row_text_length", "text", "repeat('x', 20000)")):
        assert constraint in refused(f"INSERT INTO task_row (task_id, ext_id, number, {column}) VALUES ('t-1', 'b', '+491', {value})")
    assert "task_row_ext_id_length" in refused("INSERT INTO task_row (task_id, ext_id, number) VALUES ('t-1', '', '+491')")
    assert "task_id_characters" in refused("INSERT INTO task (task_id, rule) VALUES ('a b', 'list')")
    assert "there is no task t-3" in refused("SELECT task_ready('t-3')")
    for statement in ("SELECT number FROM task_row", "DELETE FROM task_row", "UPDATE task_row SET number = ''", "DELETE FROM task",
                      "UPDATE task SET state = 'entered'", "UPDATE task SET rule = 'x'", "SELECT * FROM message", "SELECT * FROM run",
                      "SELECT * FROM ext", "INSERT INTO task_sign VALUES ('t-1')", "SELECT ensure_partitions(1)",
                      "INSERT INTO task (task_id, rule, ready) VALUES ('t-4', 'list', true)"):
        assert "permission denied" in refused(statement), statement
    assert upstream.sql("SELECT task_ready('t-1')") == [("ready",)]
    assert "takes no more rows" in refused("INSERT INTO task_row (task_id, ext_id, number) VALUES ('t-1', 'c', '+491')")
    assert "not taken back" in refused("UPDATE task SET ready = false WHERE task_id = 't-1'")
    assert upstream.result("t-1")["state"] == "ready" and upstream.result("t-1")["run"] is None


def test_a_task_is_a_run(extract, upstream):  # noqa: F811
    """Every kind of row in one task; then signed again, and another task with the same ids."""
    extract.sql("INSERT INTO suppression (number, scope, reason) VALUES (%s, 'all', 'complaint')", (FIRST_NUMBER + 7,))
    upstream.task("march/1", name="March")
    upstream.rows("march/1", 1, 600, FIRST_NUMBER)  # more than two pages
    for ext_id, number, more in (("bad-number", "none", {}), ("no-number", "", {}), ("third", "+4915", {"template": "note"}),
                                 ("reserved", f"+{FIRST_NUMBER + 900}", {"number": "1"}),
                                 ("other", f"+{FIRST_NUMBER + 901}", {"template": "note"}),
                                 ("own", f"+{FIRST_NUMBER + 902}", {"text": "Köln grüßt", "extra": "x"}),
                                 ("named", f"+{FIRST_NUMBER + 903}", {"template": "list", "name": "Zoë", "n": 12345678901234567890.5})):
        given = dict(more)
        if ext_id == "reserved":
            upstream.sql("INSERT INTO task_row (task_id, ext_id, number, params) VALUES ('march/1', %s, %s, '{\"number\": 1}')",
                         (ext_id, number))
        else:
            upstream.row("march/1", ext_id, number, given.pop("template", None), given.pop("text", None), **given)
    extract.start()
    upstream.sign("march/1")
    r = read(extract, "march/1")
    assert (r["rows_read"], r["rows_new"], r["rows_invalid"], r["rows_suppressed"], r["rows_duplicate"]) == (607, 601, 5, 1, 0)
    run = run_of(extract, "march/1")
    assert extract.sql("SELECT kind, reason, count(*) FROM run_skip GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("invalid", "empty", 1), ("invalid", "letters", 1), ("invalid", "params_reserved", 1),
        ("invalid", "template_not_allowed", 1), ("invalid", "too_short", 1), ("suppressed", "complaint", 1)]
    extract.check_messages([n for n in numbers(1, 600) if n != FIRST_NUMBER + 7] + [FIRST_NUMBER + 902, FIRST_NUMBER + 903])
    records = {r["row"]["ext_id"]: r for body in extract.queue_bodies for r in body["records"]}
    assert records["5"]["row"] == {"task_id": "march/1", "ext_id": "5", "number": f"+{FIRST_NUMBER + 5}", "name": "Person 5"}
    assert (records["5"]["rule"], records["5"]["tmpl"], records["5"]["run"]) == ("list", "list", run)
    assert records["own"]["tmpl"] == "own" and records["own"]["row"]["text"] == "Köln grüßt" and records["own"]["row"]["extra"] == "x"
    assert records["named"]["row"]["n"] == "12345678901234567890.5" or float(records["named"]["row"]["n"]) > 1e19
    assert extract.sql("SELECT x.ext_id FROM ext x JOIN message m USING (sms_id) WHERE m.number = %s", (FIRST_NUMBER + 902,)) == [("own",)]
    assert extract.value("SELECT count(*) FROM ext") == 601
    told = upstream.result("march/1")
    assert {k: told[k] for k in ("rule", "name", "state", "run", "run_state", "rows", "new", "invalid", "suppressed")} == {
        "rule": "list", "name": "March", "state": "entered", "run": run, "run_state": "read", "rows": 607, "new": 601,
        "invalid": 5, "suppressed": 1}

    def why(ext_id):
        return json.loads(extract.chain.ctl("why", "--ext", ext_id, "--json").stdout)
    [message], [row] = why("own")["messages"], why("own")["rows"]
    assert (message["ext_id"], message["task"], message["run"]) == ("own", "march/1", run)
    assert (row["task"], row["name"], row["because"]) == ("march/1", "March", f"message {message['sms_id']}")
    for ext_id, because in (("third", "invalid: what stood in the number's column is no number (too_short)"),
                            ("other", "invalid: it names a template that its rule does not list (templates)"),
                            ("7", "suppressed: complaint")):
        assert why(ext_id)["messages"] == [] and [r["because"] for r in why(ext_id)["rows"]] == [because]
    assert why("nobody's") == {"ext_id": "nobody's", "messages": [], "rows": []}
    shown = extract.chain.ctl("why", "--ext", "other").stdout
    assert "task march/1 (March), run" in shown and "rules/list.yaml" in shown
    by_number = extract.chain.ctl("why", f"+{FIRST_NUMBER + 902}").stdout
    assert "ext_id own" in by_number and "task march/1" in by_number

    upstream.sign("march/1")
    upstream.sql("SELECT task_ready('march/1')")
    upstream.sql("NOTIFY smschain_task, 'march/1'")
    upstream.task("april")
    upstream.rows("april", 1, 10, FIRST_NUMBER + 2000)  # the same ext_ids
    upstream.sign("april")
    assert read(extract, "april")["rows_new"] == 10
    assert extract.value("SELECT count(*) FROM run") == 2 and extract.value("SELECT count(*) FROM task_sign") == 0
    assert extract.value("SELECT count(*) FROM ext WHERE ext_id = '5'") == 2
    extract.check_log()


def test_signs(extract, upstream):  # noqa: F811
    """Each way, also while nobody listens, and while rows are still being inserted."""
    upstream.task("kept")
    upstream.rows("kept", 1, 5, FIRST_NUMBER)
    upstream.sign("kept")                                   # nobody is there to hear it
    upstream.task("empty")
    upstream.sign("empty")
    extract.start()
    assert read(extract, "kept")["rows_new"] == 5
    assert read(extract, "empty")["rows_read"] == 0

    other = Upstream(extract.chain)
    upstream.task("open")
    upstream.rows("open", 11, 15, FIRST_NUMBER)
    other.sql("BEGIN")
    other.rows("open", 16, 20, FIRST_NUMBER)                # a transaction stands open
    upstream.sql("NOTIFY smschain_task, 'open'")
    upstream.sql("NOTIFY smschain_task, 'nowhere-491520000001'")
    extract.wait_log("a sign for a task that there is not")
    assert "nowhere-49**********" in extract.process.tail(1000)
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM task_sign"), 20, "the sign to be kept")
    signing = threading.Thread(target=lambda: Upstream(extract.chain).sign("open"))
    signing.start()                                         # waits for it, too
    time.sleep(1.2)                                         # nothing may come of it in some looks
    assert extract.sql("SELECT ready, run_id FROM task WHERE task_id = 'open'") == [(False, None)]
    upstream.task("beside")                                 # and nobody else waits for it
    upstream.rows("beside", 21, 25, FIRST_NUMBER)
    upstream.sign("beside")
    assert read(extract, "beside")["rows_new"] == 5
    other.rows("open", 26, 26, FIRST_NUMBER)
    other.sql("COMMIT")
    signing.join(20)
    assert read(extract, "open")["rows_new"] == 11          # all that was committed before the sign
    other.close()

    # A broken connection listens again.
    extract.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'smschain-extract scheduler'")
    extract.wait_log("database is back")
    upstream.task("again")
    upstream.rows("again", 41, 45, FIRST_NUMBER)
    extract.chain.wait_until(lambda: extract.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'smschain-extract scheduler'"),
                             20, "the scheduler's connection")
    time.sleep(0.6)                                         # a bare NOTIFY is heard by who listens by then
    upstream.sql("NOTIFY smschain_task, 'again'")
    assert read(extract, "again")["rows_new"] == 5
    extract.check_log()


def test_signs_by_the_queue(extract, upstream):  # noqa: F811
    """Killed between keeping the sign and the ack it comes again, and changes nothing; of no task it goes to sms.dead."""
    extract.chain.change_conf("smschain.yaml", "  # door_caller: webshop", "  door_caller: webshop")

    def say(body):
        done = extract.lab.api("POST", f"/api/exchanges/{extract.chain.vhost}/sms.request/publish", {
            "routing_key": "sms.request", "properties": {"delivery_mode": 2}, "payload": json.dumps(body), "payload_encoding": "string"})
        assert done["routed"]

    upstream.task("door")
    upstream.rows("door", 1, 5, FIRST_NUMBER)
    say({"task_id": "door"})
    say({"task_id": "nowhere"})
    extract.start(SMSCHAIN_FAULT="extract.task_signed:1")
    assert extract.process.wait_end(30) == -9
    extract.start()
    assert read(extract, "door")["rows_new"] == 5
    say({"task_id": "door"})
    extract.chain.wait_until(lambda: extract.lab.queues(extract.chain.vhost).get("sms.dead") == (1, 0) and
                             extract.lab.queues(extract.chain.vhost)["sms.request"] == (0, 0), 30, "the signs to be taken")
    extract.chain.ctl("dead", "list", check=False)
    assert extract.value("SELECT why FROM dead").startswith("task: there is none of that id")
    assert extract.value("SELECT count(*) FROM run") == 1 and extract.value("SELECT count(*) FROM task_sign") == 0
    extract.check_messages(numbers(1, 5), copies=True)


def test_when_it_is_due(extract, upstream):  # noqa: F811
    """`at`: not before; two of the same moment; one signed after its moment. A stopped rule, and one that is not there yet."""
    extract.start()
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
    for n, task in enumerate(("first", "second")):
        upstream.task(task, at=at)
        upstream.rows(task, 10 * n + 1, 10 * n + 5, FIRST_NUMBER)
    upstream.task("late", at=at - datetime.timedelta(days=2))
    upstream.rows("late", 31, 35, FIRST_NUMBER)
    with upstream.transaction():
        for task in ("first", "second", "late"):
            upstream.sign(task)
    assert read(extract, "late")["rows_new"] == 5           # valid_for counts from its sign
    assert extract.value("SELECT r.scheduled_at = t.ready_at FROM run r JOIN task t ON t.run_id = r.id WHERE t.task_id = 'late'")
    upstream.task("nobody", rule="not-there")
    upstream.rows("nobody", 41, 45, FIRST_NUMBER)
    upstream.sign("nobody")
    extract.wait_log("task waits: its rule is not configured")
    told = upstream.result("nobody")
    assert told["state"] == "waiting" and "rule not-there is not configured" in told["why"]
    assert extract.value("SELECT count(*) FROM run WHERE task_id IN ('first', 'second')") == 0
    for task in ("first", "second"):
        assert read(extract, task)["rows_new"] == 5
    assert extract.value("SELECT array_agg(scheduled_at - %s ORDER BY scheduled_at) FROM run WHERE task_id IN ('first', 'second')",
                         (at,)) == [datetime.timedelta(0), datetime.timedelta(microseconds=1)]

    extract.chain.ctl("stop", "list")
    upstream.task("stopped")
    upstream.rows("stopped", 51, 55, FIRST_NUMBER)
    upstream.sign("stopped")
    run = run_of(extract, "stopped", "new")
    write_rule(extract.chain, "not-there")
    extract.process.signal(1)
    assert read(extract, "nobody")["rows_new"] == 5
    assert extract.run(run)["state"] == "new"
    assert extract.process.tail(1000).count("task waits") == 1
    extract.chain.ctl("start", "list")
    assert read(extract, "stopped")["rows_new"] == 5


def test_two_processes_hear_every_sign(extract, upstream):  # noqa: F811
    for n in range(20):
        upstream.task(f"t{n}")
        upstream.rows(f"t{n}", 10 * n + 1, 10 * n + 10, FIRST_NUMBER)
    extract.start()
    extract.start(2)
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM service WHERE service = 'extract'") == 2, 30, "both")
    with upstream.transaction():
        upstream.sql("UPDATE task SET ready = true")
    for n in range(20):
        upstream.sql(f"NOTIFY smschain_task, 't{n}'")
    for n in range(20):
        assert read(extract, f"t{n}")["rows_new"] == 10
    assert extract.value("SELECT count(*) FROM run") == 20
    extract.check_messages(numbers(1, 200))
    logs = extract.process.tail(1000) + extract.chain.service("extract", 2).tail(1000)
    assert logs.count("run entered") == logs.count("run is read") == 20


KILLS = ["extract.task_found:1", "extract.task_entered:1", "extract.pass_begun:1", "extract.row_read:400",
         "extract.group_before_commit:3", "extract.group_committed:3", "extract.read_ended:1", "extract.run_ended:1"]


def test_killed_and_started_again(extract, upstream):  # noqa: F811
    """At each step between the sign and the end of the run, one task after the other."""
    for n, fault in enumerate(KILLS):
        task = f"task-{n}"
        upstream.task(task)
        upstream.rows(task, 1000 * n + 1, 1000 * n + 600, FIRST_NUMBER)
        extract.start(SMSCHAIN_FAULT=fault)
        upstream.sign(task)
        assert extract.process.wait_end(30) == -9, (fault, extract.process.tail())
        assert extract.value("SELECT count(*) FROM run WHERE task_id = %s", (task,)) == (n > 0)
        extract.start()
        r = read(extract, task)
        assert (r["rows_read"], r["rows_new"], r["rows_duplicate"]) == (600, 600, 0), fault
        extract.process.stop()
    extract.start()
    extract.check_messages([n for k in range(len(KILLS)) for n in numbers(1000 * k + 1, 1000 * k + 600)], copies=True)


def test_held_released_and_forgotten(extract, upstream):  # noqa: F811
    """Its holds are those of any run; commands that want SQL say so; rows of what has long ended are deleted, tasks stay."""
    write_rule(extract.chain, more="approve: true\nhold_render_errors: 5%")
    upstream.task("big")
    upstream.rows("big", 1, 300, FIRST_NUMBER)
    upstream.row("big", "nameless", f"+{FIRST_NUMBER + 301}")  # the template wants a name
    upstream.task("other")
    upstream.rows("other", 401, 402, FIRST_NUMBER)
    extract.start()
    upstream.sign("big")
    run = run_of(extract, "big", "held")
    assert extract.value("SELECT planned->>'errors' FROM run WHERE id = %s", (run,)) in ("1", None)
    held = extract.chain.ctl("status", check=False).stdout
    assert f"run {run} of list" in held and "big" in held
    assert extract.taken() == []
    extract.chain.ctl("release", run)
    read(extract, "big")
    extract.check_messages(numbers(1, 301))
    for command in (("run", "list"), ("plan", "list"), ("test", "list", "--to", f"+{FIRST_NUMBER}"), ("preview", "--rule", "list", "--key", "1")):
        done = extract.chain.ctl(*command, check=False)
        assert done.returncode == 1 and "has 'tasks: true'" in done.stderr, (command, done.stderr)
    extract.process.stop()
    extract.sql("UPDATE run SET ended_at = now() - interval '31 days'")
    extract.start()
    extract.chain.wait_until(lambda: extract.value("SELECT count(*) FROM task_row") == 2, 30, "the rows to be gone")
    assert extract.value("SELECT count(*) FROM task") == 2 and extract.value("SELECT count(*) FROM ext") == 301
    assert "takes no more rows" in upstream.refusal("INSERT INTO task_row (task_id, ext_id, number) VALUES ('big', 'x', '+491')")
