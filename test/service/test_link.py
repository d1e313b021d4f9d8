"""What dispatch does beside submitting: reports and messages from phones that come over a gateway's own link (here the
adapter's), kept in the journal whatever dies, and heartbeats."""
import collections
import json
import os
import resource
import signal
import time

import pytest

import adapter
from servers import wait_for
from test_adapter import Adapted
from test_dispatch import World, SECONDS

PHONE = 491711000001


@pytest.fixture
def worlds(tmp_path, lab):
    made = []

    def make(kind, environment=None, conf=()):
        made.append(kind(str(tmp_path / f"w{len(made)}"), lab, environment, conf))
        return made[-1]
    yield make
    for w in made:
        w.close()


# ---- over the link ----

def say(w, n):
    """A message from a phone comes by the adapter; True: it was told that it is kept."""
    try:
        return w.post("inbound", json.dumps({"id": f"mo{n}", "from": f"+{PHONE}", "to": "22922", "text": f"said {n}",
                                           "time": "2026-11-22T08:00:00Z"})) == 200
    except OSError:
        return False


def heard(w, seen):
    """The ids of the messages that have come to the update queue until now."""
    for body, _ in w.take("tap"):
        chunk = json.loads(body)
        seen.update(r["msg_id"] for r in chunk["records"] if chunk["kind"] == "inbound")
    return seen


def journals(w):
    parent = os.path.join(w.chain.state_dir, "journal")
    return [d for d in os.listdir(parent)] if os.path.isdir(parent) else []


def test_nothing_that_was_taken_is_lost(worlds):
    """Killed around the journal, its disk full, its broker gone: what the gateway was told is kept comes through."""
    w = worlds(Adapted)
    kept, seen = set(), set()
    for i, point in enumerate(["dispatch.report_taken:2", "dispatch.report_journalled:2", "dispatch.report_told:2",
                               "drain.published:1", "drain.confirmed:1"]):
        w.start(SMSCHAIN_FAULT=point)
        until = time.monotonic() + SECONDS
        while w.dispatch.alive and time.monotonic() < until:
            i += 10
            if say(w, i):
                kept.add(f"mo{i}")
            time.sleep(0.05)
        assert w.dispatch.wait_end(1) == -9, point
    w.start()
    assert kept
    w.wait(lambda: kept <= heard(w, seen), what="all that was kept")
    wait_for(lambda: say(w, 99999), SECONDS, "the link")
    resource.prlimit(w.dispatch.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # as a full disk
    assert not say(w, 100000) and not say(w, 100001)
    wait_for(lambda: w.figures(adapter.NAME).get("not_kept") == 2, SECONDS, "the figure of what was not kept")
    resource.prlimit(w.dispatch.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert say(w, 100000)
    assert w.dispatch.tail(1000).count("reports over the link are kept again") == 1
    w.wait(lambda: "mo100000" in heard(w, seen), what="what was sent again")
    linked = lambda: w.dispatch.tail(1000).count("linked to the adapter")  # noqa: E731
    before, times = journals(w), linked()
    w.chain.change_conf("gateways/adapter-like.yaml", "sender: SHOP", "sender: SHOP2")
    w.dispatch.signal(signal.SIGHUP)  # its thread begins anew; the journal stays, or is left for another with the surroundings
    wait_for(lambda: linked() == times + 1 and say(w, 100010), SECONDS, "the link again")
    w.chain.change_conf("smschain.yaml", "  # claim_group: 500", "  claim_group: 99")
    w.dispatch.signal(signal.SIGHUP)
    wait_for(lambda: linked() == times + 2 and say(w, 100020), SECONDS, "the link again")
    wait_for(lambda: len(journals(w)) == 1 and journals(w) != before, SECONDS, "another journal, and the first one gone")
    w.wait(lambda: {"mo100010", "mo100020"} <= heard(w, seen), what="what came by both")
    w.api("DELETE", "/api/bindings/{}/e/sms/q/tap/sms.update.0")
    w.api("DELETE", "/api/bindings/{}/e/sms/q/sms.update.0/sms.update.0")
    assert say(w, 200000)
    wait_for(lambda: w.figures(adapter.NAME).get("journal_backlog_bytes", 0) > 0, SECONDS, "the backlog's figure")
    assert w.dispatch.stop() == 0 and len(journals(w)) == 1
    w.api("POST", "/api/bindings/{}/e/sms/q/tap", {"routing_key": "sms.update.0"})
    w.start()
    w.wait(lambda: "mo200000" in heard(w, seen), what="what another process had left in the journal")
    assert w.dispatch.stop() == 0
    assert journals(w) == [], "what is confirmed is deleted"


# ---- heartbeats ----

class Pump:
    """What extract's outbox publisher would do."""

    def __init__(self, w):
        self.w = w

    def turn(self):
        for ident, target, body in self.w.sql("SELECT id, target, body FROM outbox WHERE published_at IS NULL"):
            assert target == "sms.render.instant"
            self.w.publish_body(target, body.encode())
            self.w.sql("UPDATE outbox SET published_at = now() WHERE id = %s", (ident,))

    def run(self, seconds):
        for _ in range(int(seconds * 10)):
            self.turn()
            time.sleep(0.1)

    def until(self, condition, what):
        def turned():
            self.turn()
            return condition()
        wait_for(turned, SECONDS, what)


def test_heartbeats(worlds):
    w = worlds(World, conf=[("gateways/beta.yaml", "sender: smschain      ", 'dispatchers: 2\nheartbeat_interval: 1s\n'
                             'heartbeat_number: "+491719990000"\nheartbeat_text: all well Secret\nsender: smschain      ')])
    w.sql("SELECT setval('sms_n', 100000)")  # w.add counts by itself
    pump = Pump(w)
    sent = lambda: [s for s in w.submits() if s["number"] == 491719990000]  # noqa: E731
    entered = lambda: w.sql("SELECT m.created_at, m.lane FROM message m JOIN run r ON r.id = m.run_id WHERE r.origin = 'heartbeat'")  # noqa: E731
    w.chain.service("render").start()
    w.start(1)
    w.start(2)
    pump.until(lambda: len(sent()) >= 2, "two heartbeats")
    for point in ("dispatch.heartbeat_entering", "dispatch.heartbeat_entered"):
        w.chain.service("dispatch", 2).kill9()
        w.chain.service("dispatch", 1).kill9()
        w.start(1, SMSCHAIN_FAULT=f"{point}:1")
        assert w.dispatch.wait_end(SECONDS) == -9, point
        w.start(1)
        w.start(2)
        before = len(sent())
        pump.until(lambda: len(sent()) > before, "the next one")
    times = collections.Counter(int(at.timestamp()) for at, _ in entered())
    assert set(times.values()) == {1}, "one an interval, however many dispatchers and deaths"
    assert {lane for _, lane in entered()} == {1}
    assert len({s["text"] for s in sent()}) == 1 and {s["gateway"] for s in sent()} == {"beta"}
    shown = json.loads(w.chain.ctl("status", "--json", check=False).stdout)
    assert [r["rule"] for r in shown["runs"] if r["rule"].startswith("heartbeat")] == []
    w.chain.service("dispatch", 2).kill9()
    records, busy = w.add(60, route=["beta"]), len(entered())  # while something is submitted there is none
    for i in range(20):
        w.publish("sms.dispatch.beta.bulk", records[3 * i:3 * i + 3])
        pump.turn()
        time.sleep(0.1)
    assert len(entered()) <= busy + 1
    w.sql("UPDATE message SET state = 90, changed_at = now() FROM run r WHERE r.id = run_id AND r.origin = 'heartbeat'")  # as callback
    shown, = json.loads(w.chain.ctl("status", "--json", check=False).stdout)["heartbeats"]
    assert shown["gateway"] == "beta" and shown["delivered"] == shown["sent"] >= 4
    assert shown["last_sent_at"] and shown["last_delivered_at"]
    assert "last delivered 20" in w.chain.ctl("status", check=False).stdout
