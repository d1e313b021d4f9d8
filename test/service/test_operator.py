"""What operators do by the command smschain against real servers, and what a kill in the middle of it leaves behind."""
import base64
import json
import re

import pytest
from chain import Chain
from fixtures import make_chain, quiet_schedules  # noqa: F401

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
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if not line.startswith("{")), done.stdout
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
    assert "--to" in ctl(empty, "dead", "replay", by_queue[""], code=REFUSED).stderr
    ctl(empty, "dead", "replay", by_queue[""], "--to", "sms.nosuch", code=REFUSED)
    ctl(empty, "dead", "replay", by_queue[""], "--to", "sms.render.bulk")
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
