"""A process that is stopped (SIGSTOP) while it holds something in the database: another one takes over, and the stopped
one, continued, does no harm. The fault points choose the moment. And a dispatcher that loses its session, its place
and the answer of its claim at once."""
import contextlib
import os
import signal
import threading
import time

import psycopg2
import pytest

from callback_lab import Proxy
from callback_lab import World as CallbackWorld
from servers import wait_for
from test_dispatch import ALPHA, FIRST, World
from test_extract import Extract, moment, numbers

IDLE_S = 30  # DB_HELD_IDLE_MS


def stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rpartition(")")[2].split()[0] == "T"


# ---- callback ----

@pytest.fixture
def world(tmp_path, lab):
    w = CallbackWorld(tmp_path, lab, flush_interval="200ms", broker_more="  heartbeat: 5s")
    yield w
    w.close()


@pytest.mark.parametrize("point", ["consumer.begun", "consumer.copying", "consumer.before_commit"])
def test_callback_stopped_in_a_flush(world, point):
    w = world
    first = w.start("--consumer", SMSCHAIN_FAULT=point, SMSCHAIN_FAULT_STOP="1")
    ids = w.messages(40)
    w.publish([r for s in ids for r in (w.submitted(s), w.accepted(s, f"m{s}"), w.report(s, f"m{s}"))], size=30)
    wait_for(lambda: stopped(first.pid), 20, "the stop")
    second = w.start("--consumer")
    w.settled(lambda: set(w.states().values()) == {"delivered"}, seconds=IDLE_S + 45)
    first.send_signal(signal.SIGCONT)
    more = w.messages(10)
    w.publish([r for s in more for r in (w.submitted(s), w.accepted(s, f"m{s}"), w.report(s, f"m{s}"))])
    w.settled(lambda: set(w.states().values()) == {"delivered"})
    w.settled(w.idle)
    w.check()
    w.stop(first)
    w.stop(second)
    w.check()
    assert w.take("sms.dead") == []


def test_callback_stopped_while_it_sweeps(tmp_path, lab):
    w = CallbackWorld(tmp_path, lab, flush_interval="200ms", broker_more="  heartbeat: 5s", dispatch_more="  claim_horizon: 5m")
    try:
        first = w.start("--consumer")
        wait_for(lambda: w.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 4"), 20, "the lock")
        first.send_signal(signal.SIGSTOP)
        second = w.start("--consumer")
        ids = w.messages(5, age_s=600)
        w.settled(lambda: {w.states()[s] for s in ids} == {"in_doubt"}, seconds=IDLE_S + 45)
        first.send_signal(signal.SIGCONT)
        w.stop(first)
        w.stop(second)
        assert w.one("SELECT count(*) FROM event") == 5
        w.check_stats()
    finally:
        w.close()


# ---- extract ----

@pytest.fixture
def extract(lab, tmp_path):
    e = Extract(tmp_path / "chain", lab)
    e.chain.change_conf("sources/shop.yaml", "statement_timeout: 5m", "statement_timeout: 2s")
    e.chain.change_conf("smschain.yaml", "# heartbeat: 30s", "heartbeat: 5s")
    yield e
    e.chain.stop()
    e.check_log()


@pytest.mark.parametrize("point", ["extract.group_committed:3", "extract.pass_begun", "outbox.selected"])
def test_extract_stopped(extract, point):
    extract.rule(at=moment(3))
    extract.persons(1, 1000)
    extract.start(SMSCHAIN_FAULT=point, SMSCHAIN_FAULT_STOP="1")
    wait_for(lambda: stopped(extract.process.pid), 30, "the stop")
    second = extract.start(2)
    extract.chain.wait_until(lambda: extract.sql("SELECT 1 FROM run WHERE state = 'read'"), IDLE_S + 45, "the run to be read")
    extract.wait_published(IDLE_S + 45)
    run = extract.value("SELECT id FROM run")
    before = extract.run(run)
    extract.process.resume()
    assert extract.process.stop() == 0
    after = extract.run(run)
    assert {k: before[k] for k in ("state", "rows_new", "rows_read", "rows_duplicate")} == \
        {k: after[k] for k in ("state", "rows_new", "rows_read", "rows_duplicate")}
    extract.check_balance(run)
    extract.check_messages(numbers(1, 1000), copies=point.startswith("outbox"))
    assert second.stop() == 0


@contextlib.contextmanager
def half_sent(lab, chain, service, locks):
    """A session of that service that holds these advisory locks and has sent half of a statement: no idle time-out counts
    there, and its process is stopped."""
    user = f"smschain_{service}"
    password = chain.environment[f"SMSCHAIN_{service.upper()}_DB_PASSWORD"]
    connection = psycopg2.connect(lab.conninfo(chain.database, with_login=False) + f" user={user} password={password}")
    connection.autocommit = True
    for lock in locks:
        connection.cursor().execute("SELECT pg_advisory_lock(%s, %s)", lock)
    body = b"\0SELECT 1\0\0\0"  # Parse, and then neither Execute nor Sync
    os.write(connection.fileno(), b"P" + (len(body) + 4).to_bytes(4, "big") + body)
    wait_for(lambda: lab.sql("SELECT state, wait_event FROM pg_stat_activity WHERE pid = %s", [connection.info.backend_pid])
             == [("active", "ClientRead")], 10, "the half statement")
    yield
    connection.close()


def test_stopped_in_the_middle_of_sending(extract, lab):
    """Whoever waits for the lock ends such a session: of a run, and of a dispatcher's place."""
    extract.rule(at=moment(-5))
    extract.persons(1, 50)
    extract.start()
    extract.chain.wait_until(lambda: extract.sql("SELECT 1 FROM rule"), 20, "the rule's row")
    extract.process.stop()
    run = extract.enter_run()
    alpha = extract.value("SELECT word_id('gateway', 'alpha')")
    with half_sent(lab, extract.chain, "extract", [(1, run)]), half_sent(lab, extract.chain, "dispatch", [(2, alpha * 64)]):
        extract.start()
        dispatch = extract.chain.service("dispatch").start()
        extract.wait_state(run, "read", seconds=IDLE_S + 45)
        extract.chain.wait_until(lambda: 'msg="place taken" gateway=alpha' in dispatch.tail(1000), IDLE_S + 45, "the place")
    assert "stood in the middle of a statement was ended" in extract.process.tail(100)
    assert dispatch.stop() == 0 and extract.process.stop() == 0


# ---- dispatch: a claim whose answer is lost together with the place ----

@pytest.fixture
def cut(tmp_path, lab):
    """A world whose dispatch reaches PostgreSQL through a proxy."""
    p = lab.state["postgres"]
    proxy = Proxy(p["host"], p["port"])
    w = World(str(tmp_path / "w"), lab)
    w.chain.more_environment["SMSCHAIN_DB"] = w.chain.environment["SMSCHAIN_DB"].replace(f"port={p['port']}", f"port={proxy.port}")
    assert str(proxy.port) in w.chain.environment["SMSCHAIN_DB"]
    yield w, proxy
    w.close()
    proxy.close()


@contextlib.contextmanager
def rival_claim(w, sms_id):
    """Somebody's claim of that message that is not committed: a statement that wants the same one waits for it."""
    connection = psycopg2.connect(w.lab.conninfo(w.chain.database))
    try:
        connection.cursor().execute("INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at) "
                                    "VALUES (%s, 1, 1, 0, 1, 99, now())", (sms_id,))
        yield
    finally:
        connection.rollback()
        connection.close()


def claim_sessions(w):
    return w.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'smschain-dispatch alpha' "
                 "AND datname = %s AND wait_event_type = 'Lock'", (w.chain.database,))


@pytest.mark.parametrize("how", ["terminated", "cut"])
def test_claim_answer_and_place_lost(cut, how):
    """The server may still be at work on the statement whose answer was lost: what it claims is sent, once."""
    w, proxy = cut
    first = w.start(1)
    w.wait_state("sending")
    with rival_claim(w, FIRST + 30):
        w.publish(ALPHA, w.add(30))
        w.wait(lambda: len(claim_sessions(w)) == 1, what="the claim statement waiting")
        (pid,), = claim_sessions(w)
        second = w.start(2) if how == "terminated" else None  # takes the place when it is free
        if second:
            w.wait(lambda: "standing by" in second.tail(), what="the second one standing by")
            first.pause()
            w.sql("SELECT pg_terminate_backend(%s)", (pid,))
            w.wait(lambda: "place taken" in second.tail(), what="the place in other hands")
            first.resume()
        else:
            proxy.cut()
            time.sleep(0.5)
            assert claim_sessions(w) == [(pid,)], "the server has not noticed"
            proxy.mend()
        time.sleep(3)  # long enough for a rerun that does not wait for its elder
    w.wait_ended(30, 90)
    assert w.count("accepted") == 30
    assert w.sql("SELECT count(*) FROM claim") == [(30,)]
    w.check()
    assert first.stop() == 0 and (second is None or second.stop() == 0)


def test_rolled_back_by_seconds(cut):
    """A committed claim is gone when the session comes back: nothing is sent until a person has accepted that, over a
    restart too."""
    w, proxy = cut
    w.publish(ALPHA, w.add(20))
    w.start()
    w.wait_ended(20)
    proxy.cut()
    w.sql("DELETE FROM claim WHERE claimed_at = (SELECT max(claimed_at) FROM claim)")
    proxy.mend()
    w.wait(lambda: "history" in w.dispatch.tail() and "rolled back" in w.dispatch.tail(), what="the loss seen")
    sent = len(w.submits())
    w.publish(ALPHA, w.add(5))
    time.sleep(2)
    assert w.dispatch.stop() == 0
    w.start()
    time.sleep(7)  # longer than from one look at the history to the next
    assert len(w.submits()) == sent
    w.chain.ctl("accept-database", "--since", "2026-01-01T00:00:00Z", "--yes", check=False)
    w.publish(ALPHA, w.add(3))
    w.wait(lambda: len(w.submits()) == sent + 3, 30, "sending goes on")
    assert w.dispatch.stop() == 0
    assert os.listdir(w.chain.state_dir) and not [f for f in os.listdir(w.chain.state_dir) if f.endswith(".lost")]
