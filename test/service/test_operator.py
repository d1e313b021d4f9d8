"""What operators do by the command smschain against real servers, and what a kill in the middle of it leaves behind."""
import base64
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest
from chain import Chain
from checks import is_sanitized
from fixtures import make_chain  # noqa: F401
from processes import port_is_free

DONE, REFUSED, USAGE, ATTENTION, UNREACHABLE, CONF = range(6)
SIGKILLED = -9


@pytest.fixture
def empty(lab, tmp_path):
    """Everything that migrate makes, no service runs."""
    chain = Chain(tmp_path / "chain", lab)
    chain.prepare()
    yield chain
    chain.stop()


def ctl(chain, *arguments, code=DONE, fault=None):
    """One command; fault: the point at which it is killed, "name:n"."""
    before = chain.more_environment
    if fault:
        chain.more_environment = {**before, "SMSCHAIN_FAULT": fault}
        code = SIGKILLED
    done = chain.ctl(*arguments, check=False)
    chain.more_environment = before
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    if arguments[0] != "try" and not {"show", "--help"} & set(arguments):  # tables fit 100 columns
        assert all(len(line) <= 100 for line in done.stdout.splitlines() if not line.startswith("{") and "/" not in line), done.stdout
    return done


def rows(chain, *arguments, code=None):
    """The objects that --json gives, one a line."""
    done = chain.ctl(*arguments, "--json", check=False)
    assert done.returncode in ((DONE, ATTENTION) if code is None else (code,)), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def publish(chain, queue, body, **headers):
    body = body if isinstance(body, bytes) else body.encode()
    answer = chain.lab.api("POST", f"/api/exchanges/{chain.vhost}/sms/publish", {
        "routing_key": queue, "payload": base64.b64encode(body).decode(), "payload_encoding": "base64",
        "properties": {"delivery_mode": 2, "headers": {f"x-smschain-{k}": v for k, v in headers.items()}}})
    assert answer["routed"]


def publish_dead(chain, body, queue="sms.update.0", why="a test", at="2026-01-31T08:15:00.000Z"):
    publish(chain, "sms.dead", body, **{"from": queue, "why": why, "at": at})


def dead_depth(chain):
    return json.loads(ctl_any(chain, "status", "--json").stdout)["queues"]["sms.dead"]


def ctl_any(chain, *arguments):
    return chain.ctl(*arguments, check=False)


# ---- dead ----

def test_dead_letters_are_listed_in_their_order(empty):
    ctl(empty, "dead", "list")
    for i in range(30):
        publish_dead(empty, f"broken {i}", at=f"2026-01-31T08:15:{i:02}.000Z")
    ctl(empty, "dead", "list", fault="ctl.dead_entered:1")
    assert empty.value("SELECT count(*) FROM dead") == 0 and dead_depth(empty) == 30
    ctl(empty, "dead", "list", fault="ctl.dead_committed:1")
    taken = empty.value("SELECT count(*) FROM dead")
    assert taken > 0 and dead_depth(empty) == 30
    listed = rows(empty, "dead", "list", code=ATTENTION)
    assert [r["died_at"] for r in listed] == [f"2026-01-31T08:15:{i:02}.000Z" for i in range(30)]
    assert {(r["times"], r["state"], r["queue"], r["why"]) for r in listed} == {(1, "waiting", "sms.update.0", "a test")}
    assert rows(empty, "dead", "list") == listed and dead_depth(empty) == 0


def test_a_dead_letter_is_shown_masked(empty):
    publish_dead(empty, '{"v":1,"kind":"texts","records":[{"sms_id":171798691841,"number":491711234567,"text":"Code 4711"}]}\x1b[2J')
    dead_id = rows(empty, "dead", "list")[0]["id"]
    shown = ctl(empty, "dead", "show", dead_id).stdout
    assert "49********67" in shown and "171798691841" in shown and "4711" not in shown and "\x1b" not in shown
    whole = ctl(empty, "dead", "show", dead_id, "--whole").stdout
    assert "491711234567" in whole and "Code 4711" in whole
    assert "49********67" in json.loads(ctl(empty, "dead", "show", dead_id, "--json").stdout)["body"]
    ctl(empty, "dead", "show", dead_id + 1, code=REFUSED)


def test_dead_replay_gives_each_back_once_whenever_it_is_killed(empty):
    for i in range(120):
        publish_dead(empty, f"broken {i}")
    ctl(empty, "dead", "replay", "--all", fault="ctl.dead_committed:1")
    ctl(empty, "dead", "replay", "--all", fault="ctl.dead_replaying:1")
    assert empty.value("SELECT count(*) FROM outbox") == 0
    empty.sql("INSERT INTO dead (queue, why, body, digest, is_text) SELECT 'sms.update.0', '', b, sha256(b), true"
              " FROM (SELECT ('more ' || n)::bytea FROM generate_series(1, 900) n) AS g (b)")
    ctl(empty, "dead", "replay", "--all", fault="ctl.dead_replayed:1")
    assert empty.value("SELECT count(*) FROM outbox") == 500
    assert "given back: 520" in ctl(empty, "dead", "replay", "--all").stdout
    assert empty.sql("SELECT count(*), count(DISTINCT body), min(target), max(target) FROM outbox") == [
        (1020, 1020, "sms.update.0", "sms.update.0")]
    assert "given back: 0" in ctl(empty, "dead", "replay", "--all").stdout


def test_dead_replay_refusals(empty):
    publish_dead(empty, b"\xff\xfe\x00", queue="sms.render.bulk")
    publish_dead(empty, "foreign", queue="")
    publish_dead(empty, "of a gateway that is gone", queue="sms.dispatch.gone.bulk")
    done = ctl(empty, "dead", "replay", "--all", code=ATTENTION)
    assert "given back: 0" in done.stdout and done.stderr.count("left: 1") == 3
    by_queue = {r["queue"]: r["id"] for r in rows(empty, "dead", "list", code=ATTENTION)}
    assert "not UTF-8" in ctl(empty, "dead", "replay", by_queue["sms.render.bulk"], code=REFUSED).stderr
    assert "given back: 0" in ctl(empty, "dead", "replay", "--all", "--queue", "sms.update.0").stdout
    assert "--to" in ctl(empty, "dead", "replay", by_queue[""], code=REFUSED).stderr
    ctl(empty, "dead", "replay", by_queue[""], "--to", "sms.nosuch", code=REFUSED)
    empty.sql("UPDATE dead SET state = 'dropped' WHERE queue = 'sms.dispatch.gone.bulk'")
    done = ctl(empty, "dead", "replay", "--all", "--to", "sms.render.bulk", code=ATTENTION)  # of all queues but what is no text
    assert "given back: 1" in done.stdout
    empty.sql("UPDATE dead SET state = 'waiting' WHERE queue = 'sms.dispatch.gone.bulk'")
    assert empty.sql("SELECT target, body FROM outbox") == [("sms.render.bulk", "foreign")]
    assert "already" in ctl(empty, "dead", "replay", by_queue[""], code=REFUSED).stderr
    ctl(empty, "dead", "drop", by_queue["sms.render.bulk"], code=USAGE)
    ctl(empty, "dead", "drop", by_queue["sms.render.bulk"], "--reason", "binary")
    ctl(empty, "dead", "drop", by_queue["sms.render.bulk"], "--reason", "binary", code=REFUSED)
    assert "--yes" in ctl(empty, "dead", "drop", "--all", "--reason", "old", code=REFUSED).stderr
    ctl(empty, "dead", "drop", "--all", "--reason", "old", "--yes")
    assert rows(empty, "dead", "list", code=DONE) == []
    assert [(r["state"], r["note"]) for r in rows(empty, "dead", "list", "--all")] == [
        ("dropped", "binary"), ("replayed", ""), ("dropped", "old")]
    empty.sql("UPDATE dead SET settled_at = now() - interval '8 days'")
    assert rows(empty, "dead", "list", "--all") == []


def test_what_dies_again_says_so_and_is_left_alone(make_chain):  # noqa: F811
    chain = make_chain(only=("render", "extract"))
    publish(chain, "sms.render.bulk", "this is no chunk")
    chain.wait_until(lambda: dead_depth(chain) == 1, 30, "a dead letter")
    first, = rows(chain, "dead", "list", code=ATTENTION)
    assert (first["queue"], first["state"], first["times"]) == ("sms.render.bulk", "waiting", 1)
    ctl(chain, "dead", "replay", "--all")
    chain.wait_until(lambda: dead_depth(chain) == 1, 30, "its second death")
    again, = rows(chain, "dead", "list", code=ATTENTION)
    assert (again["id"], again["state"], again["times"]) == (first["id"], "again", 2)
    assert "given back: 0" in ctl(chain, "dead", "replay", "--all").stdout
    ctl(chain, "dead", "replay", first["id"])
    chain.wait_until(lambda: dead_depth(chain) == 1, 30, "its third death")
    assert [(r["state"], r["times"]) for r in rows(chain, "dead", "list")] == [("again", 3)]


def test_a_replayed_chunk_of_messages_sends_none_twice(make_chain):  # noqa: F811
    chain = make_chain()
    chain.fill_shop(60, ["repayment-reminder"])
    chain.run_rule("repayment-reminder")
    chain.wait_final(60, 60)
    for body, in chain.sql("SELECT body FROM outbox WHERE target LIKE 'sms.render.%'"):
        publish_dead(chain, body, queue="sms.render.bulk", why="pretended")
    ctl(chain, "dead", "replay", "--all", fault="ctl.dead_replayed:1")
    ctl(chain, "dead", "replay", "--all")
    chain.check_invariants()


# ---- quarantine ----

def post(chain, body, gateway="beta", code=200):
    try:
        with urllib.request.urlopen(chain.report_url(gateway), data=body.encode(), timeout=10) as answer:
            assert answer.status == code
    except urllib.error.HTTPError as e:
        assert e.code == code, e


def wait_quarantine(chain, count):
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM quarantine") == count, 30, f"{count} bodies in quarantine")


def test_quarantine_is_read_again_after_the_format_is_mended(make_chain):  # noqa: F811
    chain = make_chain(knobs={"reports": 0})
    chain.fill_shop(3, ["repayment-reminder"])
    chain.run_rule("repayment-reminder")
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM msg_map") == 3, 60, "three accepted messages")
    ids = [(g, m, n) for g, m, n in chain.sql("SELECT w.word, coalesce(m.raw_msg_id, m.msg_id), m.number FROM msg_map m "
                                              "JOIN word w ON w.id = m.gateway ORDER BY m.sms_id")]
    for i, (gateway, msg_id, number) in enumerate(ids):
        if gateway == "beta":
            post(chain, json.dumps({"id": msg_id, "to": number, "status": "ARRIVED"}))
        else:
            post(chain, f"{msg_id},{number},ARRIVED,2026-01-31 08:15:00", gateway)
    post(chain, "this is no report", code=400)
    wait_quarantine(chain, 4)
    received = dict(chain.sql("SELECT id, received_at FROM quarantine"))
    listed = rows(chain, "quarantine", "list", code=ATTENTION)
    assert sorted(r["reason"] for r in listed) == ["unlisted_status"] * 3 + ["unreadable"]
    first = listed[0]["id"]
    assert str(ids[0][2]) not in ctl(chain, "quarantine", "show", first).stdout
    assert str(ids[0][2]) in ctl(chain, "quarantine", "show", first, "--whole").stdout
    done = ctl(chain, "quarantine", "replay", "--all", code=ATTENTION)
    assert "told: 0, in quarantine still: 4" in done.stdout and "ARRIVED" in done.stderr

    for gateway, old in (("alpha", "    DELIVRD: delivered"), ("beta", "    DELIVERED: delivered")):
        chain.change_conf(f"gateways/{gateway}.yaml", old, f"{old}\n    ARRIVED: delivered")
    ctl(chain, "quarantine", "replay", first, fault="ctl.quarantine_told:1")
    assert chain.value("SELECT count(*) FROM quarantine") == 4
    ctl(chain, "quarantine", "replay", "--all", fault="ctl.quarantine_replayed:1")
    assert chain.value("SELECT count(*) FROM quarantine") == 3
    done = ctl(chain, "quarantine", "replay", "--all", code=ATTENTION)
    assert "told: 2, in quarantine still: 1" in done.stdout
    chain.wait_until(lambda: chain.states() == {"delivered": 3}, 30, "the told reports")
    times = {t for t, in chain.sql("SELECT at FROM event WHERE step = 102")}
    assert times <= set(received.values())
    left, = rows(chain, "quarantine", "list", code=ATTENTION)
    assert left["reason"] == "unreadable"
    ctl(chain, "quarantine", "drop", left["id"])
    ctl(chain, "quarantine", "drop", left["id"], code=REFUSED)
    assert rows(chain, "quarantine", "list", code=DONE) == []


def test_quarantine_reads_single_records_and_queries(empty):
    empty.copy_conf()
    with open(f"{empty.conf_dir}/gateways/beta.yaml", encoding="utf-8") as f:
        assert 'records: ""' in f.read()
    empty.change_conf("gateways/beta.yaml", 'records: ""', "records: /reports")
    whole = json.dumps({"reports": [{"id": "1", "to": "491701", "status": "DELIVERED"}, {"id": "2", "status": "NEW"}]})
    bodies = [("beta", '{"id":"7","to":"491701234567","status":"DELIVERED"}'), ("beta", whole),
              ("alpha", "report=8%2C491701234567%2CDELIVRD%2C2026-01-31+08%3A15%3A00"), ("gone", "x")]
    for i, (gateway, body) in enumerate(bodies):
        empty.sql("INSERT INTO quarantine (gateway, reason, error, body, digest, received_at) VALUES (%s, 'unreadable', '', %s, %s,"
                  " '2026-01-31T08:15:00.500Z')", (gateway, body, i))
    done = ctl(empty, "quarantine", "replay", "--all", code=ATTENTION)
    assert "told: 3, in quarantine still: 1" in done.stdout and "no gateway gone" in done.stderr
    told = [r for body, in empty.sql("SELECT body FROM outbox ORDER BY id") for r in json.loads(body)["records"]]
    assert [(r["step"], r.get("msg_id"), r["gateway"]) for r in told] == [
        (102, "7", "beta"), (102, "1", "beta"), (190, None, "beta"), (102, "8", "alpha")]
    assert {r["at"] for r in told} == {1769847300500}
    assert empty.sql("SELECT gateway, reason FROM quarantine") == [("gone", "unreadable")]


def test_quarantine_of_a_message_from_a_phone(make_chain):  # noqa: F811
    chain = make_chain(only=("extract", "callback"))
    body = {"id": "i1", "from": "+491709999001", "msg": "DELIVERED", "status": "DELIVERED", "to": "+491709999001"}
    address = chain.report_url("beta").replace("/report/", "/inbound/")
    chain.wait_until(lambda: not port_is_free(chain.callback_port), 30, "the intake")
    with urllib.request.urlopen(address, data=json.dumps(body).encode(), timeout=10) as answer:
        assert answer.status == 200
    wait_quarantine(chain, 1)
    assert rows(chain, "quarantine", "list")[0]["reason"] == "no_text"
    ctl(chain, "quarantine", "replay", "--all", code=ATTENTION)  # as a report it could be read; it was posted as none
    assert chain.value("SELECT count(*) FROM parked") == 0
    chain.change_conf("gateways/beta.yaml", "  text: /text\n  msg_id: /id", "  text: /msg\n  msg_id: /id")
    ctl(chain, "quarantine", "replay", "--all")
    chain.wait_until(lambda: chain.sql("SELECT number, text, msg_id FROM inbound") == [(491709999001, "DELIVERED", "i1")], 30,
                     "the message")
    assert chain.value("SELECT count(*) FROM parked") == 0 and rows(chain, "quarantine", "list", code=DONE) == []


# ---- requeue ----

def test_requeue_after_the_queues_lost_their_content(make_chain):  # noqa: F811
    chain = make_chain(only=("extract", "callback"))
    chain.fill_shop(120, ["repayment-reminder"])
    run = chain.run_rule("repayment-reminder")
    chain.wait_until(lambda: chain.queue_depths().get("sms.render.bulk"), 30, "chunks in the queue")
    chain.wait_until(lambda: not chain.value("SELECT count(*) FROM outbox WHERE published_at IS NULL"), 30, "all published")
    ctl(chain, "requeue", code=USAGE)
    ctl(chain, "requeue", "--run", run + 1, code=REFUSED)
    dry = ctl(chain, "requeue", "--run", run, "--dry-run", "--json")
    assert "stand in the queues" in dry.stderr
    assert json.loads(dry.stdout) == {"run": str(run), "rule": "repayment-reminder", "open": 120, "requeued": 120, "expired": 0,
                                      "in_outbox": 0, "no_body": 0, "dry_run": True}
    assert "  120" not in ctl(chain, "requeue", "--older-than", "1h", "--dry-run").stdout
    chain.lab.api("DELETE", f"/api/queues/{chain.vhost}/sms.render.bulk/contents")
    ctl(chain, "requeue", "--run", run, fault="ctl.requeue_entered:1")
    assert chain.value("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0
    sms_id = chain.value("SELECT min(sms_id) FROM message")
    assert rows(chain, "requeue", "--message", sms_id)[0]["requeued"] == 1
    ctl(chain, "requeue", "--run", run, fault="ctl.requeue_committed:1")
    again = rows(chain, "requeue", "--run", run)[0]  # while the copies may still wait in the outbox
    assert again["requeued"] + again["in_outbox"] == 120
    chain.service("render").start()
    chain.service("dispatch").start()
    chain.wait_final(120, 60)
    chain.check_invariants()
    assert ctl(chain, "requeue", "--run", run, code=REFUSED)


def test_requeue_says_what_has_no_body(make_chain):  # noqa: F811
    chain = make_chain(only=("extract",))
    chain.fill_shop(5, ["repayment-reminder"])
    run = chain.run_rule("repayment-reminder")
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL"), 30, "published")
    publish_dead(chain, "no chunk at all", queue="sms.render.bulk")
    ctl(chain, "dead", "replay", "--all")
    chain.sql("DELETE FROM outbox WHERE run_id IS NOT NULL")
    sms_ids = [s for s, in chain.sql("SELECT sms_id FROM message ORDER BY 1")]
    chain.sql("INSERT INTO word (kind, word) VALUES ('gateway', 'alpha')")
    chain.sql("INSERT INTO claim VALUES (%s, 1, 1, 0, 0, 1, 5, now()), (%s, 1, 1, 0, 2, 1, 5, now())", sms_ids[:2])
    # In three segments: one accepted and the rest released; one accepted and another still open.
    for sms_id, settled in zip(sms_ids[2:4], (1, 0)):
        chain.sql("UPDATE message SET parts = 3, state = 10 WHERE sms_id = %s", (sms_id,))
        chain.sql("INSERT INTO claim SELECT %s, n, 1, 0, CASE n WHEN 1 THEN 0 ELSE %s END, 1, 5, now(), 3, 1 FROM generate_series(1, 3) n",
                  (sms_id, settled))
        chain.sql("INSERT INTO segment VALUES (%s, 1, 1, 30, 1, 0, now())", (sms_id,))
    done = ctl(chain, "requeue", "--run", run, "--json", code=ATTENTION)
    assert (json.loads(done.stdout)["open"], json.loads(done.stdout)["no_body"]) == (3, 3) and "no body" in done.stderr


# ---- suppress ----

def suppressed(chain):
    return chain.sql("SELECT number, scope, reason FROM suppression ORDER BY number, scope")


def test_suppress_import_is_all_or_nothing(empty, tmp_path):
    file = tmp_path / "blocked.csv"
    file.write_text('\ufeffnumber,scope,reason,since\n+49 171 1234567,marketing,"wrote ""stop"", twice",2026-01-31T08:15:00Z\n'
                    '0171 1234568\n\nhello,all\n0171 1234569,some\n0171 1234560,all,x,yesterday\n0171 1234561,all,"open\n'
                    '0171 1234562,all,r,,more\n' + "0171 1234563,all," + "x" * 5000 + "\n0171 1234564,,\n", encoding="utf-8")
    done = ctl(empty, "suppress", "import", file, code=REFUSED)
    assert [int(n) for n in re.findall(r"blocked\.csv:(\d+): ", done.stderr)] == [5, 6, 7, 8, 9, 10]
    assert "6 of 11 lines are bad" in done.stderr and "1234" not in done.stderr and suppressed(empty) == []
    ctl(empty, "suppress", "import", file, "--skip-bad", fault="ctl.suppress_merged:1")
    assert suppressed(empty) == []
    done = ctl(empty, "suppress", "import", file, "--skip-bad", "--reason", "register", code=ATTENTION)
    assert "imported: 3 new, 0 known already, 6 bad" in done.stdout
    assert suppressed(empty) == [(491711234564, "all", "register"), (491711234567, "marketing", 'wrote "stop", twice'),
                                 (491711234568, "all", "register")]
    assert empty.value("SELECT since FROM suppression WHERE scope = 'marketing'").isoformat() == "2026-01-31T08:15:00+00:00"
    ctl(empty, "suppress", "import", "/nowhere.csv", code=REFUSED)


def test_suppress_export_and_import_give_the_same(empty, tmp_path):
    empty.sql("INSERT INTO suppression VALUES (491711234567, 'all', %s, '2026-01-31T08:15:00.123Z'),"
              " (491711234567, 'marketing', 'Ünïcode', now())", ('a "reason"; with, all\nof it',))
    file = tmp_path / "out.csv"
    assert "exported: 2" in ctl(empty, "suppress", "export", file).stdout
    assert file.stat().st_mode & 0o777 == 0o600
    before = empty.sql("SELECT number, scope, replace(reason, E'\\n', ' '), date_trunc('milliseconds', since) FROM suppression ORDER BY 1, 2")
    assert ctl_any(empty, "suppress", "export").stdout == file.read_text(encoding="utf-8")
    empty.sql("DELETE FROM suppression")
    assert "imported: 2 new" in ctl(empty, "suppress", "import", file).stdout
    assert empty.sql("SELECT number, scope, reason, since FROM suppression ORDER BY 1, 2") == before
    assert "imported: 0 new, 2 known already" in ctl(empty, "suppress", "import", file).stdout
    listed = rows(empty, "suppress", "list", "0171 1234567")
    assert [r["scope"] for r in listed] == ["all", "marketing"] and listed[0]["number"] == "+49********67"
    assert rows(empty, "suppress", "list", "--whole-number")[0]["number"] == "+491711234567"
    assert "not suppressed" in ctl(empty, "suppress", "list", "0171 1234568").stdout


def test_suppress_import_of_many_lines_takes_no_more_memory(empty, tmp_path):
    file = tmp_path / "many.csv"
    file.write_text("".join(f"+{491700000000 + n},marketing\n" for n in range(300000)), encoding="utf-8")
    command = [f"{empty.build}/ctl/smschain", "--conf", empty.conf_dir, "suppress", "import", str(file)]
    process = subprocess.Popen(command, env=empty.environment, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == DONE and "300000 new" in output
    if not is_sanitized(command[0]):
        assert usage.ru_maxrss < 40 << 10  # KiB
    assert empty.value("SELECT count(*) FROM suppression") == 300000


# ---- why ----

def why(chain, number, *arguments):
    done = ctl(chain, "why", number, *arguments)
    digits = re.sub(r"\D", "", str(number))
    if "--whole-number" not in arguments and len(digits) > 8:
        assert digits not in done.stdout
    return done.stdout


def why_json(chain, number, *arguments):
    return json.loads(ctl(chain, "why", number, "--json", *arguments).stdout)


def test_why_a_number_got_it_or_not(make_chain):  # noqa: F811
    chain = make_chain()
    rule = "repayment-reminder"

    def run():
        run = chain.run_rule(rule)
        chain.wait_runs_read()
        return run
    chain.fill_shop(2, [rule])
    first = run()
    chain.wait_final(2, 60)
    number, = chain.sql("SELECT number FROM message ORDER BY sms_id LIMIT 1")[0]
    second = run()
    ctl(chain, "suppress", "add", f"+{number}", "--reason", "ticket 4711")
    chain.shop.add(rule, 1, phone=f"+{number}")
    chain.shop.add(rule, 1, phone=" no phone ")
    third = run()

    told = why_json(chain, f"+{number}")
    message, = told["messages"]
    assert (message["state"], message["run"], message["because"]) == ("delivered", first, "")
    assert re.search(r"/repayment-reminder\.yaml:\d+$", message["place"])
    story = [s["what"] for s in message["story"]]
    assert story[0] == "claimed" and "accepted" in story and "report delivered" in story
    assert [s["run"] for s in told["skipped"]] == [third, third, second]
    # since it is suppressed, its first row is skipped for that, too: suppression is asked before once_per
    assert [s["because"] for s in told["skipped"]] == ["suppressed then: ticket 4711"] * 2 + [
        f"duplicate of run {first}: message {message['sms_id']} is delivered"]
    assert [(s["scope"], s["reason"]) for s in told["suppressed"]] == [("all", "ticket 4711")]
    text = why(chain, number if str(number).startswith("00") else f"+{number}")
    assert "suppressed  all since" in text and "duplicate of run" in text
    assert f"+{number}" in why(chain, f"+{number}", "--whole-number")

    told = why_json(chain, "no phone")
    assert told["number"] == "-" and [s["because"] for s in told["skipped"]] == [
        "invalid: what stood in the number's column is no number (letters)"]
    nobody = why_json(chain, "+491799999999", "--rule", rule)
    assert [r["run"] for r in nobody["runs"]] == [third, second, first]
    assert all(re.match(r"not in the result of .*/repayment-reminder\.yaml:\d+$", r["because"]) for r in nobody["runs"])
    assert "none (too_short)" in why(chain, "+4917")
    assert json.loads(ctl(chain, "why", "+491799999999", "--json", "--since", "1s", "--limit", "1").stdout)["messages"] == []


def test_why_a_message_waits(make_chain):  # noqa: F811
    chain = make_chain(only=("extract",), change=[("rules/repayment-reminder.yaml", "max_recipients: ", "max_recipients: 2 # ")])
    rule = "repayment-reminder"
    chain.fill_shop(3, [rule])
    run = chain.run_rule(rule)
    chain.wait_runs_read()
    number, = chain.sql("SELECT number FROM message ORDER BY sms_id LIMIT 1")[0]

    def because():
        return why_json(chain, f"+{number}", "--rule", rule)["messages"][0]["because"]
    assert because().startswith("its run is held: more than max_recipients (2)")
    ctl(chain, "stop", rule, "--reason", "wrong text")
    assert re.match(r"paused: rule repayment-reminder since .* by smschain_operator \(wrong text\)$", because())
    ctl(chain, "start", rule)
    ctl(chain, "stop", "all")
    ctl(chain, "release", run)
    chain.wait_until(lambda: chain.value("SELECT state FROM run WHERE id = %s", (run,)) in ("read", "new"), 30, "the release")
    assert because().startswith("paused: all since")
    ctl(chain, "start", "all")
    chain.wait_until(lambda: "it is on its way" in because(), 30, "the outbox to be empty")
    chain.sql("UPDATE message SET valid_until = now() - interval '1 minute'")
    assert "ends as stale" in because()
    chain.sql("UPDATE message SET state = 20, attempt = 1")
    assert re.search(r"smschain resolve \d+\.1\.1 STATE$", because())
    done = why_json(chain, "+491799999999", "--rule", rule)["runs"][0]["because"]
    assert re.search(r"not in the result|not read to its end|being read", done)


# ---- try ----

SAMPLES = os.path.join(os.path.dirname(__file__), "../../conf/gateways")
GATEWAYS = sorted(f[:-len(".yaml")] for f in os.listdir(SAMPLES) if f.endswith(".yaml"))


@pytest.fixture
def tried(make_chain):  # noqa: F811
    return make_chain(only=(), gateways=None)


def check_hidden(chain, done):
    for secret in chain.secrets():
        assert secret not in done.stdout + done.stderr
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in done.stdout + done.stderr


def over_http(gateway):
    with open(os.path.join(SAMPLES, f"{gateway}.yaml"), encoding="utf-8") as f:
        return "\ndriver: http\n" in f.read()


def test_try_every_gateway(tried):
    for gateway in GATEWAYS:
        done = ctl_any(tried, "try", gateway, "--to", "+49 171 1234567", "--text", "Grüße & mehr", "--yes")
        assert "Sanitizer" not in done.stderr and done.returncode == DONE, (gateway, done.stdout, done.stderr)
        by = "the gateway's answer over its link"
        if over_http(gateway):
            by = rf".*/gateways/{gateway}\.yaml, line \d+"
            assert re.search(r"^request\n  (GET|POST) http", done.stdout) and re.search(r"^answer\n  HTTP 20\d ", done.stdout, re.M)
        assert re.search(rf"^outcome  accepted after \d+ ms\nby       {by}$", done.stdout, re.M), done.stdout
        check_hidden(tried, done)
        trace = [line for line in done.stderr.splitlines() if "outside the ledger" in line]
        assert len(trace) == 1 and f"gateway={gateway}" in trace[0] and "1234567" not in trace[0]
    submits = list(tried.gateway.submits())
    assert sorted(s["gateway"] for s in submits) == GATEWAYS
    tried.adapter.stop()
    away = ctl(tried, "try", "adapter-like", "--to", "+491711234567", "--yes", code=REFUSED)
    assert "outcome  not_sent" in away.stdout and "not a byte of the request has left" in away.stdout
    assert "no such socket: the adapter does not run" in away.stdout
    assert len({s["text"] for s in submits}) == 1 and {s["number"] for s in submits} == {491711234567}
    assert tried.sql("SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM claim), (SELECT count(*) FROM outbox)") == [(0, 0, 0)]


def try_beta(chain, code):
    done = ctl(chain, "try", "beta", "--to", "+491711234567", "--yes", "--json", code=code)
    check_hidden(chain, done)
    return json.loads(done.stdout)


def test_try_shows_how_an_answer_is_classified(tried):
    told = try_beta(tried, DONE)
    assert told["outcome"] == "accepted" and told["msg_id"] and told["sends"] == 1
    assert json.loads(told["request"]["body"])["to"] and told["answer"]["status"] == 202
    key_header, = [h for h in told["request"]["headers"] if h.lower().startswith("x-api-key")]
    assert key_header.endswith(": ***")
    with open(told["file"], encoding="utf-8") as f:
        lines = f.read().splitlines()
    assert "is: accepted" in " ".join(lines[told["line"] - 1:told["line"] + 6])
    tried.gateway.set(**{"beta.refuse_share": 1})
    refused = try_beta(tried, REFUSED)
    assert refused["outcome"] == "refused" and refused["line"] > told["line"]
    tried.gateway.set(**{"beta.refuse_share": 0, "beta.drop_after": "n1"})
    doubt = try_beta(tried, ATTENTION)
    assert (doubt["outcome"], doubt["line"], doubt["answer"]["end"]) == ("in_doubt", 0, "connection_lost")
    tried.gateway.kill9()
    gone = try_beta(tried, REFUSED)
    assert (gone["outcome"], gone["sends"]) == ("not_sent", 0)


def test_try_refusals(tried):
    ctl(tried, "try", "beta", code=USAGE)
    assert "no gateway nosuch" in ctl(tried, "try", "nosuch", "--to", "+491711234567", "--yes", code=REFUSED).stderr
    assert "no number" in ctl(tried, "try", "beta", "--to", "hello", "--yes", code=REFUSED).stderr
    assert "--yes" in ctl(tried, "try", "beta", "--to", "+491711234567", code=REFUSED).stderr
    tried.change_conf("smschain.yaml", '# deliver_only_to: ["+491711234567"]', 'deliver_only_to: ["+491711234567"]')
    assert "deliver_only_to" in ctl(tried, "try", "beta", "--to", "+491711234568", "--yes", code=REFUSED).stderr
    assert list(tried.gateway.submits()) == []


# ---- help ----

def test_help_of_every_command_has_an_example_and_fits(empty):
    listed = re.findall(r"^  ([a-z-]+) +\S", ctl(empty, "--help").stdout, re.M)
    assert {"dead", "quarantine", "requeue", "suppress", "why", "try"} <= set(listed)
    for name in listed:
        shown = ctl(empty, name, "--help").stdout
        assert re.search(rf"^Examples?:\n  smschain {name}\b", shown, re.M), name
        assert "Exit codes: 0 " in shown and max(map(len, shown.splitlines())) <= 110, name
