"""smschain-dispatch against real servers and the fake gateway, whose own log is the judge of "at most once".

Messages are entered by hand and their chunks published by hand: neither extract, render nor callback runs. What dispatch
tells is read from its update queue."""
import base64
import collections
import json
import os
import pathlib
import re
import threading
import time
import urllib.parse

import psycopg2
import pytest

import servers
from chain import Chain
from servers import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALPHA, BETA = "sms.dispatch.alpha.bulk", "sms.dispatch.beta.bulk"
DAY = int(time.time() // 86400) - 18262  # days since 2020
FIRST = DAY << 36
SECONDS = 30


class World:
    """A chain of which only dispatch runs, and what the services around it would do, by hand."""

    def __init__(self, directory, lab, environment=None, conf=(), gateways=("alpha", "beta"), files=None):
        self.chain = Chain(directory, lab, environment=environment, separate_gateways=True)
        self.chain.only_gateways(*gateways)
        for file, old, new in conf:
            self.chain.change_conf(file, old, new)
        for file, text in (files or {}).items():
            pathlib.Path(self.chain.copy_conf(), file).write_text(text, encoding="utf-8")
        self.chain.prepare()
        self.chain.start_gateways()
        for gateway in self.gateways():
            gateway.set(reports=0)
        self.lab, self.alpha, self.beta = lab, self.chain.gateway, self.chain.gateway_beta
        self.sql, self.next = self.chain.sql, 0
        self.sql("INSERT INTO rule (name, sql_hash, once_per) VALUES ('due', 'x', '{a}'), ('other', 'y', '{a}')")
        self.sql("INSERT INTO run (rule_id, scheduled_at, origin, state, publish) "
                 "SELECT id, now(), 'person', 'read', true FROM rule ORDER BY id")
        self.steps = []
        # The update queue has a single active consumer and cannot be looked into: this one gets a copy of everything.
        self.api("PUT", "/api/queues/{}/tap", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
        self.api("POST", "/api/bindings/{}/e/sms/q/tap", {"routing_key": "sms.update.0"})

    def gateways(self):
        return [self.chain.gateway, self.chain.gateway_beta]

    # ---- what extract and render would do ----

    def add(self, n, text="Jo Secret {i}", rule="due", valid_s=3600, **more):
        """n new messages in the ledger; gives their records, not published."""
        first, self.next = self.next + 1, self.next + n
        run = 1 if rule == "due" else 2
        self.sql("INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at) "
                 "SELECT %s + i, %s, 491711000000 + i, now(), now() + %s * interval '1 second', now() "
                 "FROM generate_series(%s, %s) i", (FIRST, run, valid_s, first, self.next))
        until = int((time.time() + valid_s) * 1000)
        return [{"sms_id": FIRST + i, "number": 491711000000 + i, "run": run, "rule": rule, "valid_until": until,
                 "text": text.format(i=i), "encoding": "gsm7", "segments": 1, "class": "service", "version": "v1",
                 "route": ["alpha", "beta"], **more} for i in range(first, self.next + 1)]

    def api(self, method, path, body=None):
        return self.lab.api(method, path.format(urllib.parse.quote(self.chain.vhost, safe="")), body)

    def publish(self, queue, records, per=500):
        for at in range(0, len(records), per):
            self.publish_body(queue, json.dumps({"v": 1, "kind": "texts", "records": records[at:at + per]}).encode())

    def publish_in_both_lanes(self, records, per=500):
        """alpha's: the first half as bulk, the other half as instant ones."""
        half = len(records) // 2
        self.publish(ALPHA, records[:half], per)
        self.publish("sms.dispatch.alpha.instant", [{**r, "lane": "instant"} for r in records[half:]], per)

    def publish_body(self, queue, body):
        answer = self.api("POST", "/api/exchanges/{}/sms/publish",
                          {"routing_key": queue, "properties": {"delivery_mode": 2}, "payload_encoding": "base64",
                           "payload": base64.b64encode(body).decode()})
        assert answer["routed"]

    def take(self, queue):
        taken = []
        while some := self.api("POST", "/api/queues/{}/" + queue + "/get",
                               {"count": 500, "ackmode": "ack_requeue_false", "encoding": "base64"}):
            for m in some:
                body = m["payload"].encode() if m["payload_encoding"] == "string" else base64.b64decode(m["payload"])
                taken.append((body, m["properties"].get("headers", {})))
        return taken

    # ---- what callback would read ----

    def told(self):
        for body, _ in self.take("tap"):
            chunk = json.loads(body)
            assert (chunk["v"], chunk["kind"]) == (1, "steps")
            self.steps += chunk["records"]
        return self.steps

    def outcomes(self):
        """{sms_id: {outcome}}: accepted, or the state of a step 110; "" for a refusal that is tried again."""
        found = collections.defaultdict(set)
        for s in self.told():
            if s["step"] == 102:
                continue
            sms_id = int(s["seq_id"].split(".")[0])
            if s["step"] == 101:
                found[sms_id].add("accepted")
            if s["step"] == 110:
                found[sms_id].add(s.get("state", ""))
        return found

    def ended(self):
        return {i for i, outcomes in self.outcomes().items() if outcomes - {""}}

    def count(self, outcome):
        return sum(outcome in o for o in self.outcomes().values())

    def wait_ended(self, n, seconds=SECONDS):
        self.wait(lambda: len(self.ended()) >= n, seconds, f"{n} outcomes")

    def wait(self, condition, seconds=SECONDS, what="the condition"):
        def described():
            return f"{what}; outcomes {collections.Counter(str(o) for o in self.outcomes().values())}\n{self.chain.describe()}"
        try:
            wait_for(condition, seconds, what, every=0.1)
        except servers.LabError:
            raise AssertionError(described()) from None

    # ---- dispatch ----

    def start(self, instance=1, **more):
        return self.chain.service("dispatch", instance).start(**more)

    @property
    def dispatch(self):
        return self.chain.service("dispatch")

    def figures(self, gateway="alpha"):
        rows = self.sql("SELECT figures FROM service WHERE service = 'dispatch' AND part = %s ORDER BY updated_at DESC",
                        (gateway,))
        return rows[0][0] if rows else {}

    def wait_state(self, state, gateway="alpha", seconds=SECONDS):
        self.wait(lambda: self.figures(gateway).get("state") == state, seconds, f"{gateway} {state}")

    def wait_queue(self, queue, ready_and_unacked):
        self.wait(lambda: self.lab.queues(self.chain.vhost)[queue] == ready_and_unacked, SECONDS,
                  f"{queue}: {ready_and_unacked} ready and unacked")

    def submits(self):
        return [s for g in self.gateways() for s in g.submits()]

    def requests(self):
        return sum(g.counters()["requests"] for g in self.gateways())

    def outbox(self):
        return self.sql("SELECT target, body, run_id, due_at - now() FROM outbox WHERE published_at IS NULL ORDER BY id")

    def check(self, in_doubt=0):
        """No message at a gateway twice; every submit belongs to a claim; what was told agrees with it."""
        submits = self.submits()
        numbers = collections.Counter(s["number"] for s in submits)
        assert not [n for n, times in numbers.items() if times > 1], numbers.most_common(3)
        assert sum(g.counters()["duplicates"] for g in self.gateways()) == 0
        claimed = {s for s, in self.sql("SELECT sms_id FROM claim WHERE kind = 0")}
        assert {FIRST + n - 491711000000 for n in numbers} <= claimed
        outcomes = self.outcomes()
        doubtful = {i for i, o in outcomes.items() if "in_doubt" in o}
        assert len(doubtful) <= in_doubt, f"{len(doubtful)} in doubt"
        for sms_id, o in outcomes.items():
            sent = numbers[sms_id - FIRST + 491711000000]
            assert "accepted" not in o or sent == 1
            assert "rejected" not in o or sent == 0
            assert len(o - {"", "in_doubt"}) <= 1, (sms_id, o)

    def check_rest(self):
        """Nothing is left in the queues or in slots; what was killed before its ack comes again and is dropped first."""
        wait_for(lambda: not any(sum(v) for q, v in self.lab.queues(self.chain.vhost).items()
                                 if q.startswith("sms.dispatch")), SECONDS, "empty queues")
        assert self.dispatch.stop() == 0
        slots = os.path.join(self.chain.state_dir, "slots")
        assert not os.path.exists(slots) or os.listdir(slots) == []

    def close(self):
        logs = ""
        for process in self.chain.services():
            if process.alive:
                process.kill9()
            logs += process.tail(1000000)
        self.chain.stop()
        assert "ERROR: " not in logs and "runtime error" not in logs, "a sanitizer spoke"
        assert "Secret" not in logs and not re.search(r"(?<!\d)49171\d{6}(?!\d)", logs), "a text or a number in the log"
        for secret in self.chain.secrets():
            assert secret not in logs


@pytest.fixture
def world(tmp_path, lab):
    made = []

    def make(environment=None, conf=()):
        made.append(World(str(tmp_path / f"w{len(made)}"), lab, environment, conf))
        return made[-1]
    yield make
    for w in made:
        w.close()


# ---- answers ----

def test_accepted(world):
    w = world()
    records = w.add(40)
    w.publish(ALPHA, records[:20])
    w.publish("sms.dispatch.beta.instant", [{**r, "lane": "instant"} for r in records[20:]])
    w.start()
    w.wait_ended(40)
    assert w.count("accepted") == 40
    by_step = collections.defaultdict(dict)
    for s in w.steps:
        by_step[s["step"]][s["seq_id"]] = s
    assert len(by_step[100]) == len(by_step[101]) == 40
    ids = {s["number"]: s["msg_id"] for s in w.submits()}
    for r in records:
        seq_id = f"{r['sms_id']}.1.1"
        submitted, accepted = by_step[100][seq_id], by_step[101][seq_id]
        assert submitted["number"] == accepted["number"] == r["number"]
        assert accepted["msg_id"] == ids[r["number"]]
        assert (submitted["segments"], submitted["version"]) == (1, "v1")
        assert abs(submitted["at"] / 1000 - time.time()) < 60
    assert {s["gateway"] for s in w.steps} == {"alpha", "beta"}
    assert {s.get("lane", "bulk") for s in w.steps if s["gateway"] == "beta"} == {"instant"}
    assert w.sql("SELECT DISTINCT attempt, kind, settled FROM claim") == [(1, 0, 0)]
    references = [s["reference"] for s in w.beta.submits()]
    assert sorted(references) == sorted(f"{r['sms_id']}.1.1" for r in records[20:])
    w.check()
    w.check_rest()


def test_several_numbers_in_a_request(world):
    w = world({"SMSCHAIN_ALPHA_RATE": "100000"})
    w.alpha.set(answer_delay_ms=50)
    records = w.add(100, text="Happy new year") + w.add(10, text="Something else")
    w.publish(ALPHA, records + [records[0]])  # and one of them twice in the chunk
    w.start()
    w.wait_ended(110)
    assert w.count("accepted") == 110
    assert w.alpha.counters()["requests"] <= 8  # 50 numbers a request
    assert w.alpha.counters()["submits"] == 110
    w.check()
    wait_for(lambda: len(w.outbox()) == 1, SECONDS, "the second copy waiting for the first one's outcome")
    w.check_rest()


def test_refused(world):
    w = world()
    w.alpha.set(refuse_number="491711000001,491711000007")
    w.beta.set(refuse_number="491711000012")
    one, equal, beta = w.add(1), w.add(9, text="equal"), w.add(5)
    w.publish(ALPHA, one + equal)
    w.publish(BETA, beta)
    w.start()
    w.wait_ended(15)
    refused = {i - FIRST for i, o in w.outcomes().items() if "rejected" in o}
    assert refused == {1, 7, 12} and w.count("accepted") == 12
    reasons = {s["number"] % 100: s["reason"] for s in w.steps if s["step"] == 110}
    assert reasons == {1: "7", 7: "200", 12: "20"}
    w.check()
    w.check_rest()


def test_refused_without_a_name_goes_in_halves(world):
    w = world()
    w.alpha.set(refuse_number="491711000013,491711000014", refuse_whole=1)
    w.publish(ALPHA, w.add(32, text="equal"))
    w.start()
    w.wait_ended(32)
    assert {i - FIRST for i, o in w.outcomes().items() if "rejected" in o} == {13, 14}
    assert w.count("accepted") == 30
    assert w.alpha.counters()["requests"] < 32
    assert [s for s in w.steps if s["step"] == 110 and "state" not in s]  # told as events
    w.check()
    w.check_rest()


def test_throttled(world):
    w = world()
    w.alpha.set(throttle_share="n3", retry_after_s=1)
    w.beta.set(throttle_share="n2", retry_after_s=1)
    w.publish_in_both_lanes(w.add(30))
    w.publish(BETA, w.add(20))
    w.start()
    w.wait_ended(50)
    assert w.count("accepted") == 50 and w.count("") > 0
    assert w.sql("SELECT count(*) FROM claim WHERE settled = 2")[0][0] == w.chain.counters()["throttled"] > 0
    w.check()
    w.check_rest()


def test_throttled_for_long_waits_in_the_outbox(world):
    w = world()
    w.alpha.set(throttle_share="n1", retry_after_s=60)
    w.publish(ALPHA, w.add(1))
    w.start()
    w.wait(lambda: len(w.outbox()) == 1, what="the outbox")
    target, body, run_id, due_in = w.outbox()[0]
    assert target == ALPHA and run_id is None and 50 < due_in.total_seconds() < 61
    assert json.loads(body)["records"][0]["sms_id"] == FIRST + 1
    w.publish(ALPHA, w.add(5))
    w.wait_state("throttled")
    time.sleep(0.5)
    assert w.requests() == 1  # nothing more is sent to it
    w.check()
    assert w.dispatch.stop() == 0


@pytest.mark.parametrize("knob", ["drop_before", "drop_after"])
@pytest.mark.parametrize("reset", [0, 1])
def test_connection_lost_is_in_doubt_and_sent_once(world, knob, reset):
    """GET at alpha, POST at beta; on connections that were used before, where libcurl would send again by itself."""
    w = world()
    w.start()
    for n in range(2):  # so that connections are reused
        w.publish(ALPHA, w.add(20))
        w.publish(BETA, w.add(20))
        w.wait_ended(40 * (n + 1))
    for gateway in w.gateways():
        gateway.set(**{knob: "n3", "drop_reset": reset})
    w.publish(ALPHA, w.add(20))
    w.publish(BETA, w.add(20))
    w.wait_ended(120)
    assert w.count("in_doubt") == 6 and w.count("accepted") == 114
    assert w.requests() == 120  # each request once, whatever became of it
    assert {s["reason"] for s in w.steps if s["step"] == 110} == {"connection_lost"}
    assert len(w.submits()) == (120 if knob == "drop_after" else 114)
    w.check(in_doubt=6)
    w.check_rest()


def test_no_answer_is_in_doubt(world):
    w = world({"SMSCHAIN_ALPHA_ANSWER_TIMEOUT": "1s", "SMSCHAIN_BETA_ANSWER_TIMEOUT": "1s"})
    w.alpha.set(hang="n2")
    w.beta.set(garbage="n2")
    w.publish(ALPHA, w.add(10))
    w.publish(BETA, w.add(10))
    w.start()
    w.wait_ended(20)
    reasons = collections.Counter((s["gateway"], s["reason"]) for s in w.steps if s["step"] == 110)
    assert reasons == {("alpha", "answer_timeout"): 2, ("beta", "answer_unknown"): 2}
    assert len(w.submits()) == 20
    w.check(in_doubt=4)
    w.check_rest()


def test_server_error_is_in_doubt_unless_configured(world):
    w = world()
    w.alpha.set(status=500, status_share="n1", status_accepts=1)
    w.publish(ALPHA, w.add(10))
    w.start()
    w.wait_ended(10)
    assert w.count("in_doubt") == 1 and w.count("accepted") == 9 and len(w.submits()) == 10
    w.check(in_doubt=1)
    w.check_rest()


# ---- gateways that cannot be reached ----

FAST_BREAKER = [("gateways/alpha.yaml", "breaker_pause: 10s", "breaker_pause: 1s"),
                ("gateways/alpha.yaml", "retry_base: 1s", "retry_base: 100ms")]


def test_not_reachable_is_handed_over(world):
    w = world(conf=FAST_BREAKER)
    w.alpha.set(listen=0)
    w.publish_in_both_lanes(w.add(50))
    w.start()
    w.wait_ended(50)
    assert w.count("accepted") == 50
    assert len(list(w.beta.submits())) == 50
    lanes = collections.Counter(s.get("lane", "bulk") for s in w.steps if s["step"] == 101)
    assert lanes == {"bulk": 25, "instant": 25}  # each in its lane there
    w.wait(lambda: w.figures("alpha").get("handed_over") == 50, what="the figure of handed over ones")
    w.alpha.set(listen=1)
    w.publish(ALPHA, w.add(10))
    w.wait_ended(60)
    w.wait_state("sending")
    w.check()
    w.check_rest()


def test_nowhere_to_hand_over_to_waits(world):
    w = world(conf=FAST_BREAKER)
    w.alpha.set(listen=0)
    w.publish(ALPHA, w.add(30, route=["alpha"]))
    w.start()
    w.wait_state("breaker_open")
    w.wait_queue(ALPHA, (1, 0))
    time.sleep(3)  # several trials
    assert w.ended() == set() and w.requests() == 0
    w.alpha.set(listen=1)
    w.wait_ended(30)
    assert w.count("accepted") == 30
    w.check()
    w.check_rest()


def test_all_gateways_away_then_back(world):
    w = world(conf=FAST_BREAKER + [("gateways/beta.yaml", "sender:", "breaker_pause: 1s\nretry_base: 100ms\nsender:")])
    for gateway in w.gateways():
        gateway.set(listen=0)
    w.publish(ALPHA, w.add(20))
    w.publish(BETA, w.add(20, route=["beta", "alpha"]))
    w.start()
    w.wait_state("breaker_open", "alpha")
    w.wait_state("breaker_open", "beta")
    time.sleep(2)
    assert w.ended() == set()
    for gateway in w.gateways():
        gateway.set(listen=1)
    w.wait_ended(40)
    assert w.count("accepted") == 40
    w.check()
    w.check_rest()


# ---- what operators and time say ----

def test_stale_suppressed_cancelled(world):
    w = world()
    stale, suppressed, cancelled, marketing, service = (w.add(2, valid_s=-1), w.add(2), w.add(2),
                                                        w.add(2, **{"class": "marketing"}), w.add(2))
    for r in suppressed:
        w.sql("INSERT INTO suppression VALUES (%s, 'all', 'stop')", (r["number"],))
    for r in marketing + service:
        w.sql("INSERT INTO suppression VALUES (%s, 'marketing', 'stop')", (r["number"],))
    for r in cancelled:
        w.sql("INSERT INTO control (kind, scope, key) VALUES ('cancel', 'message', %s)", (str(r["sms_id"]),))
    w.publish(ALPHA, stale + suppressed + cancelled + marketing + service)
    w.start()
    w.wait_ended(10)
    found = {i: o for i, o in w.outcomes().items()}
    for records, state in ((stale, "stale"), (suppressed, "suppressed"), (cancelled, "cancelled"), (marketing, "suppressed"),
                           (service, "accepted")):
        assert all(found[r["sms_id"]] == {state} for r in records), state
    assert w.sql("SELECT kind, owner = 0, count(*) FROM claim GROUP BY 1, 2 ORDER BY 1") == [
        (0, False, 2), (40, True, 2), (41, True, 4), (42, True, 2)]
    w.check()
    w.check_rest()


def test_paused(world):
    w = world()
    w.sql("INSERT INTO control (kind, scope, key) VALUES ('pause', 'rule', 'other')")
    w.publish(ALPHA, w.add(3) + w.add(4, rule="other"))
    w.start()
    w.wait_ended(3)
    w.wait(lambda: len(w.outbox()) == 4, what="the paused ones in the outbox")
    assert {(target, run) for target, _, run, _ in w.outbox()} == {(ALPHA, 2)}
    assert w.sql("SELECT count(*) FROM claim")[0][0] == 3
    w.sql("INSERT INTO control (kind, scope, key) VALUES ('pause', 'gateway', 'alpha')")
    w.wait_state("paused")
    w.publish(ALPHA, w.add(5))
    w.wait_queue(ALPHA, (1, 0))
    time.sleep(0.5)
    assert w.requests() == 3
    w.sql("DELETE FROM control WHERE scope = 'gateway'")
    w.wait_ended(8)
    w.check()
    w.check_rest()


def test_done_open_lost(world):
    w = world()
    done, opened, lost = w.add(2), w.add(2), w.add(2)
    w.sql("UPDATE message SET state = 90 WHERE sms_id = ANY(%s)", ([r["sms_id"] for r in done],))
    w.sql("DELETE FROM message WHERE sms_id = ANY(%s)", ([r["sms_id"] for r in lost],))
    for r in opened:
        w.sql("INSERT INTO claim VALUES (%s, 1, 1, 0, 0, 1, 4711, now())", (r["sms_id"],))
    old = [{**w.add(1)[0], "sms_id": ((DAY - 91) << 36) + 5}]
    w.publish(ALPHA, done + opened + lost + old)
    w.start()
    w.wait(lambda: len(w.outbox()) == 2, what="the open ones in the outbox")
    assert all(55 < due.total_seconds() < 61 for *_, due in w.outbox())
    dead = []
    wait_for(lambda: dead.extend(w.take("sms.dead")) or len(dead) >= 3, SECONDS, "dead letters")
    assert {json.loads(body)["records"][0]["sms_id"] for body, _ in dead} == {r["sms_id"] for r in lost + old}
    assert all(h["x-smschain-from"] == ALPHA and h["x-smschain-why"] for _, h in dead)
    assert w.requests() == 0 and w.ended() == set()
    w.check_rest()


def test_in_doubt_is_sent_again_only_after_a_look_up(world):
    """settled 4: the gateway's look-up has proven that the attempt in doubt was not accepted."""
    w = world()
    records = w.add(4)
    ids = [r["sms_id"] for r in records]
    for sms_id, settled in zip(ids, (4, 2, 0, 4)):
        w.sql("INSERT INTO claim VALUES (%s, 1, 1, 0, %s, 1, 4711, now())", (sms_id, settled))
    w.sql("UPDATE message SET state = 20, attempt = 1 WHERE sms_id = ANY(%s)", (ids,))
    # After history was lost another attempt may have been made: accept-database leaves a claim that nobody owns.
    w.sql("UPDATE message SET state = 90 WHERE sms_id <> %s", (ids[3],))
    w.chain.ctl("accept-database", "--since", "2026-01-01T00:00:00Z", "--yes", check=False)
    w.sql("UPDATE message SET state = 20 WHERE sms_id <> %s", (ids[3],))
    w.publish(ALPHA, records)
    w.start()
    w.wait(lambda: w.count("accepted") == 1)
    w.wait_queue(ALPHA, (0, 0))
    assert w.sql("SELECT sms_id, attempt, settled FROM claim ORDER BY 1, 2") == [
        (ids[0], 1, 4), (ids[0], 2, 0), (ids[1], 1, 2), (ids[2], 1, 0), (ids[3], 1, 4), (ids[3], 2, 0)]
    assert len(w.submits()) == 1
    assert w.outbox() == [] or all(i not in str(w.outbox()) for i in map(str, ids[:3]))


def test_bad_bodies(world):
    w = world()
    good, bad = w.add(3), w.add(1)[0]
    del bad["text"]
    zero = {**w.add(1)[0], "number": 0}
    w.publish_body(ALPHA, b"not json")
    w.publish_body(ALPHA, json.dumps({"v": 1, "kind": "rows", "records": []}).encode())
    w.publish(ALPHA, good + [bad, zero])
    w.publish_body(ALPHA, json.dumps({"v": 1, "kind": "texts", "records": []}).encode())
    w.start()
    w.wait_ended(3)
    dead = []
    wait_for(lambda: dead.extend(w.take("sms.dead")) or len(dead) >= 4, SECONDS, "dead letters")
    assert len(dead) == 4 and b"not json" in [body for body, _ in dead]
    w.check()
    w.check_rest()


def test_newer_version(world):
    w = world()
    w.publish_body(ALPHA, json.dumps({"v": 2, "kind": "texts", "records": []}).encode())
    w.start()
    w.wait_state("newer_version")
    w.wait_queue(ALPHA, (1, 0))
    assert not w.take("sms.dead") and "upgraded" in w.dispatch.tail()
    assert w.dispatch.stop() == 0


# ---- the claim statement itself ----

def claim(w, connection, records, owner=1, at="2026-01-01 00:00:00+00", may_insert=True, parts=1, way=0, gateway=1, segments=None):
    """Rows by record and segment: (ord, found, state, made attempt, made kind, last attempt, kind, settled, ours, hold, tries,
    looked up, last parts, begun parts, begun way, begun by another gateway)."""
    text = (ROOT / "dispatch/claim.sql").read_text()
    name = "claim_cut" if parts > 1 else "claim_whole"
    if parts == 1:  # as dispatch/meson.build makes claim_whole.sql
        text = re.sub(r"^.*-- cut\n", "", text, flags=re.M)
    text = re.sub(r"--.*$", "", text, flags=re.M)
    asked = [(r, n) for r in records for n in segments or range(1, parts + 1)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_prepared_statements WHERE name = %s", (name,))
        if not cursor.fetchone():
            cursor.execute(f"PREPARE {name} (bigint, bigint, bigint[], int[], bigint[], timestamptz[], text[], text[], int, text, "
                           "bigint, timestamptz, boolean, int[], int[]) AS " + text.replace("%", "%%"))
        cursor.execute(f"EXECUTE {name} (%s, %s, %s::bigint[], %s::int[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s, 'alpha', "
                       "%s, %s, %s, %s::int[], %s::int[])",
                       (FIRST, FIRST + (1 << 36), [r["sms_id"] for r, _ in asked], [n for _, n in asked],
                        [r["number"] for r, _ in asked],
                        [time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(r["valid_until"] / 1000)) for r, _ in asked],
                        [r["rule"] for r, _ in asked], [r["class"] for r, _ in asked], gateway, owner, at, may_insert,
                        [parts] * len(asked), [way] * len(asked)))
        return sorted(cursor.fetchall())


def test_claim_statement(world):
    w = world()
    records = w.add(5)
    one, two = w.lab.connect(w.chain.database), w.lab.connect(w.chain.database)
    rows = claim(w, one, records)
    assert [(r[0], r[3], r[4]) for r in rows] == [(i, 1, 0) for i in range(1, 6)]
    # The same group again: nothing is inserted, and all of it is known as its own.
    again = claim(w, one, records)
    assert [(r[3], r[5], r[7], r[8]) for r in again] == [(None, 1, 0, True)] * 5
    # Another group, of the same owner or not: not its own.
    for owner, at in ((1, "2026-01-01 00:00:01+00"), (2, "2026-01-01 00:00:00+00")):
        assert [(r[3], r[8]) for r in claim(w, two, records, owner, at)] == [(None, False)] * 5
    # Settled: the next attempt; not settled: none.
    for settled, r in zip((1, 2, 3), records):
        w.sql("UPDATE claim SET settled = %s WHERE sms_id = %s", (settled, r["sms_id"]))
    rows = claim(w, two, records, 2, "2026-01-01 00:00:02+00")
    assert [r[3] for r in rows] == [2, 2, 2, None, None] and [r[10] for r in rows] == [0, 0, 1, 0, 0]
    # A number that is not the message's, a look without inserting, and one with nothing against it but that.
    other = w.add(3)
    assert [r[1] for r in claim(w, one, [{**other[0], "number": 1}])] == [False]
    assert [r[3] for r in claim(w, one, other, 3, "2026-01-01 00:00:03+00", may_insert=False)] == [None] * 3
    assert w.sql("SELECT count(*) FROM claim WHERE owner = 3")[0][0] == 0
    # A run that may not publish any more holds its messages; a final state is final whatever the claims say.
    w.sql("UPDATE run SET publish = false WHERE id = 1")
    assert [(r[3], r[9]) for r in claim(w, one, other, 3, "2026-01-01 00:00:04+00")] == [(None, 1)] * 3
    w.sql("UPDATE run SET publish = true")
    w.sql("UPDATE message SET state = 20 WHERE sms_id = %s", (other[0]["sms_id"],))
    assert [r[3] for r in claim(w, one, other, 3, "2026-01-01 00:00:05+00")] == [None, 1, 1]
    one.close()
    two.close()


def test_claims_of_many_at_once(world):
    """Eight sessions ask for the same messages at the same time, attempt after attempt: each attempt is given once."""
    w = world()
    records = w.add(40)
    for attempt in (1, 2, 3):
        given, errors = [], []

        def ask(owner):
            try:
                connection = w.lab.connect(w.chain.database)
                for row in claim(w, connection, records, owner, f"2026-01-01 00:00:0{attempt}+00"):
                    if row[3] is not None:
                        given.append((row[0], row[3]))
                connection.close()
            except Exception as e:  # noqa: BLE001
                errors.append(e)
        threads = [threading.Thread(target=ask, args=(owner,)) for owner in range(1, 9)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not errors
        assert sorted(given) == [(i, attempt) for i in range(1, 41)]
        w.sql("UPDATE claim SET settled = 2 WHERE attempt = %s", (attempt,))


# ---- segments with a claim of their own, in the claim statement ----

def made(rows):
    return [(r[0], r[3]) for r in rows if r[3] is not None]


def test_segments_are_claimed_together(world):
    w = world()
    records = w.add(3)
    one = w.lab.connect(w.chain.database)
    w.sql("INSERT INTO word (kind, word) VALUES ('gateway', 'x1'), ('gateway', 'x2')")
    x1, x2 = (w.sql("SELECT id FROM word WHERE word = %s", (name,))[0][0] for name in ("x1", "x2"))
    at = iter(f"2026-01-01 00:00:{n:02}+00" for n in range(60))

    def ask(which, parts=3, way=1, gateway=x1, segments=None, may_insert=True, when=None, of=records):
        return claim(w, one, [of[which]], 7, when or next(at), may_insert, parts, way, gateway, segments)

    def settle(which, segment, settled):
        w.sql("UPDATE claim SET settled = %s WHERE sms_id = %s AND segment = %s AND attempt = "
              "(SELECT max(attempt) FROM claim c WHERE c.sms_id = claim.sms_id AND c.segment = claim.segment)",
              (settled, records[which]["sms_id"], segment))

    # Fresh: all of them, as one attempt; asked again as the same group they are its own.
    moment = next(at)
    assert made(ask(0, when=moment)) == [(1, 1), (2, 1), (3, 1)]
    assert [(r[3], r[8]) for r in ask(0, when=moment)] == [(None, True)] * 3
    assert w.sql("SELECT DISTINCT parts, way, gateway FROM claim") == [(3, 1, x1)]
    # Nobody else gets any of it, however it is cut there; and it is known how it was begun, and where.
    for parts, way, gateway in ((3, 1, x1), (3, 2, x1), (4, 1, x1), (1, 0, x1), (3, 1, x2), (1, 0, x2)):
        rows = ask(0, parts, way, gateway)
        assert made(rows) == []
        assert {r[13:16] for r in rows} == {(3, 1, "x1" if gateway == x2 else None)}
    # Segment 1 was refused for now, 2 is with the gateway, 3 was released: the rest goes there only, cut so only.
    settle(0, 1, 3)
    settle(0, 3, 1)
    for parts, way, gateway in ((3, 2, x1), (4, 1, x1), (1, 0, x1), (3, 1, x2), (1, 0, x2)):
        assert made(ask(0, parts, way, gateway)) == []
    # Not stale, not suppressed and not cancelled any more; but paused.
    w.sql("INSERT INTO suppression VALUES (%s, 'all', 'stop')", (records[0]["number"],))
    w.sql("UPDATE message SET valid_until = now() - interval '1 hour' WHERE sms_id = %s", (records[0]["sms_id"],))
    w.sql("INSERT INTO control (kind, scope, key) VALUES ('pause', 'rule', 'due')")
    assert [(r[3], r[9]) for r in ask(0)] == [(None, 1)] * 3
    w.sql("DELETE FROM control")
    rows = ask(0)
    assert made(rows) == [(1, 2), (3, 2)] and {r[4] for r in rows} == {0, None} and [r[10] for r in rows] == [1, 0, 0]
    # A segment's own stand counts: in doubt is the end of that one, its proof by a look-up is not.
    settle(0, 3, 1)
    w.sql("INSERT INTO segment VALUES (%s, 2, 1, 20, %s, 0, now()), (%s, 1, 2, 30, %s, 0, now())",
          (records[0]["sms_id"], x1, records[0]["sms_id"], x1))
    rows = ask(0, segments=[1, 2])
    assert made(rows) == [] and [r[2] for r in rows] == [30, 20]
    settle(0, 2, 4)
    assert made(ask(0)) == [(2, 2), (3, 3)]
    # A failed message is at its end, whatever its other segments are.
    settle(0, 3, 1)
    w.sql("UPDATE message SET state = 70 WHERE sms_id = %s", (records[0]["sms_id"],))
    assert made(ask(0)) == [] and {r[2] for r in ask(0)} == {70}

    # Where nothing has left, any gateway may have it, in its own way, as an attempt above all earlier ones.
    assert made(ask(1)) == [(1, 1), (2, 1), (3, 1)]
    for segment, settled in ((1, 2), (2, 3), (3, 1)):
        settle(1, segment, settled)
    assert made(ask(1, segments=[2, 3])) == [], "never without segment 1: it is the gate"
    assert made(ask(1, parts=2, way=2, gateway=x2)) == [(1, 2), (2, 2)]
    settle(1, 1, 1)
    settle(1, 2, 1)
    assert made(ask(1, parts=1, way=0, gateway=x2)) == [(1, 3)]
    assert made(ask(1)) == [] and {r[13] for r in ask(1)} == {1}
    settle(1, 1, 3)
    assert made(ask(1, parts=4)) == [(1, 4), (2, 4), (3, 4), (4, 4)]

    # Refused: all of it, and once.
    w.sql("INSERT INTO suppression VALUES (%s, 'all', 'stop')", (records[2]["number"],))
    assert [(r[3], r[4]) for r in ask(2)] == [(1, 41)] * 3
    assert made(ask(2, parts=4)) == [] and [r[12] for r in ask(2, parts=4)] == [3, 3, 3, None]
    assert made(ask(2, parts=1, way=0, gateway=x2)) == []
    one.close()


def test_gateways_and_cuts_at_once(world):
    """Eight sessions of two gateways that cut in three ways, at the same time, round after round, with claims being settled
    meanwhile: a message is never with two gateways, nor in two cuts."""
    w = world()
    records = w.add(30)
    ends, errors = time.monotonic() + 6, []
    cuts = ((1, 3, 1), (1, 3, 1), (1, 4, 2), (2, 1, 0), (2, 3, 1), (2, 2, 3))

    def ask(owner, gateway, parts, way):
        connection, n = w.lab.connect(w.chain.database), 0
        try:
            while time.monotonic() < ends:
                n += 1
                try:
                    claim(w, connection, records[(owner + n) % 3 * 10:][:10], owner,
                          f"2026-01-01 {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}+00", True, parts, way, gateway)
                except psycopg2.errors.DeadlockDetected:
                    pass  # with a settling: dispatch runs the statement again
        except Exception as e:  # noqa: BLE001
            errors.append(e)
        connection.close()

    def settle(seed):
        connection, n = w.lab.connect(w.chain.database), 0
        try:
            while time.monotonic() < ends:
                n += 1
                with connection.cursor() as cursor:  # some of each message at a time, as answers come
                    try:
                        cursor.execute("UPDATE claim SET settled = 1 + sms_id %% 3 WHERE settled = 0 AND (sms_id + segment + %s) %% 3 = 0",
                                       (n * seed,))
                    except psycopg2.errors.DeadlockDetected:
                        pass
        except Exception as e:  # noqa: BLE001
            errors.append(e)
        connection.close()

    def look():
        """What is not settled of a message is of one gateway and cut in one way, at every moment."""
        connection = w.lab.connect(w.chain.database)
        try:
            while time.monotonic() < ends:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT sms_id, count(DISTINCT (gateway, parts, way)) FROM claim WHERE settled = 0 "
                                   "GROUP BY sms_id HAVING count(DISTINCT (gateway, parts, way)) > 1")
                    found = cursor.fetchall()
                assert not found, f"mixed: {found}"
        except Exception as e:  # noqa: BLE001
            errors.append(e)
        connection.close()
    threads = [threading.Thread(target=ask, args=(owner, *cut)) for owner, cut in enumerate(cuts, 1)]
    threads += [threading.Thread(target=settle, args=(seed,)) for seed in (1, 2)] + [threading.Thread(target=look)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors[0]
    rounds = dict(w.sql("SELECT (gateway, parts)::text, count(*) FROM claim GROUP BY 1"))
    assert len(rounds) >= 4 and sum(rounds.values()) > 300, rounds


# ---- ends and beginnings ----

def test_sigterm_drains(world):
    w = world({"SMSCHAIN_ALPHA_WINDOW": "20"})
    w.alpha.set(answer_delay_ms=700)
    w.publish(ALPHA, w.add(200))
    w.start()
    wait_for(lambda: w.alpha.counters()["submits"] >= 20, SECONDS, "a full window")
    before = time.monotonic()
    assert w.dispatch.stop() == 0
    assert time.monotonic() - before < 10
    sent = len(w.submits())
    assert 20 <= sent < 200 and w.count("accepted") == sent and w.count("in_doubt") == 0
    w.alpha.set(answer_delay_ms=0)
    w.start()
    w.wait_ended(200)
    assert w.outbox() == []  # what was not begun went back to the queue, not what was done
    w.check()
    w.check_rest()


def test_sighup(world):
    w = world({"SMSCHAIN_ALPHA_RATE": "20"}, conf=FAST_BREAKER)  # a copy of the configuration, which may be changed
    w.publish(ALPHA, w.add(400))
    w.start()
    w.wait(lambda: len(w.submits()) >= 10)
    w.chain.change_conf("gateways/alpha.yaml", "rate: ${SMSCHAIN_ALPHA_RATE:-1000}", "rate: 2000")
    w.dispatch.signal(1)
    w.wait_ended(400)
    os.rename(os.path.join(w.chain.conf_dir, "gateways/beta.yaml"), os.path.join(w.chain.dir, "beta.yaml"))
    w.dispatch.signal(1)
    wait_for(lambda: "errors" in w.dispatch.tail(), SECONDS, "rules still name beta: the old configuration stays")
    w.publish(BETA, w.add(5))
    w.wait_ended(405)
    w.check()
    w.check_rest()


def test_rate(world):
    w = world({"SMSCHAIN_ALPHA_RATE": "100"})
    w.publish(ALPHA, w.add(250))
    w.start()
    w.wait_ended(250)
    times = sorted(s["time_ms"] for s in w.submits())
    assert times[-1] - times[0] > 2300
    worst = max(sum(t <= u < t + 1000 for u in times) for t in times)
    assert worst <= 115, worst
    w.check()
    w.check_rest()


def test_instant_overtakes_bulk(world):
    w = world({"SMSCHAIN_ALPHA_RATE": "50"})
    w.publish(ALPHA, w.add(300))
    w.start()
    w.wait(lambda: len(w.submits()) >= 20)
    instant = w.add(5, lane="instant")
    at = time.time()
    w.publish("sms.dispatch.alpha.instant", instant)
    numbers = {r["number"] for r in instant}
    w.wait(lambda: numbers <= {s["number"] for s in w.submits()}, 5, "the instant ones")
    assert time.time() - at < 2
    assert w.dispatch.stop() == 0
    w.check()


def test_instant_has_places_of_its_own_in_the_window(world):
    """Bulk waits for slow answers in nine tenths of the window; the instant lane is sent meanwhile."""
    w = world({"SMSCHAIN_ALPHA_WINDOW": "20", "SMSCHAIN_ALPHA_RATE": "1000"})
    w.alpha.set(answer_delay_ms=5000)
    w.publish(ALPHA, w.add(100))
    w.start()
    w.wait(lambda: len(w.submits()) == 18, 4, "bulk's part of the window")
    w.publish("sms.dispatch.alpha.instant", w.add(2, lane="instant"))
    w.wait(lambda: len(w.submits()) == 20, 3, "the instant ones")
    w.alpha.set(answer_delay_ms=0)
    w.wait_ended(102)
    w.check()
    w.check_rest()


def test_a_flood_of_instant_ones_leaves_bulk_its_part(world):
    w = world({"SMSCHAIN_ALPHA_WINDOW": "20", "SMSCHAIN_ALPHA_RATE": "200"})
    w.alpha.set(answer_delay_ms=50)
    flood, bulk = w.add(500, text="{i}: Jo Secret", lane="instant"), w.add(200, text="{i}: Jo Secret")
    w.publish("sms.dispatch.alpha.instant", flood, per=16)
    w.publish(ALPHA, bulk)
    w.start()
    w.wait_ended(700)
    numbers = {r["number"] for r in bulk}
    order = [s["number"] in numbers for s in sorted(w.submits(), key=lambda s: s["time_ms"])]
    meanwhile = sum(order[:300])
    assert 15 <= meanwhile <= 75, meanwhile  # a tenth, and what left before the flood was there
    w.check()
    w.check_rest()


def test_two_processes(world):
    w = world({"SMSCHAIN_ALPHA_WINDOW": "20", "SMSCHAIN_ALPHA_RATE": "200"})
    w.alpha.set(answer_delay_ms=20)
    w.publish(ALPHA, w.add(600), per=50)
    first = w.start(1)
    w.wait_state("sending")
    second = w.start(2)
    w.wait(lambda: len(w.submits()) >= 200)
    wait_for(lambda: "standing by" in second.tail(), SECONDS, "the second one standing by")
    first.kill9()
    w.wait_ended(600, 60)
    assert w.count("in_doubt") + w.count("accepted") == 600
    w.check(in_doubt=40)
    first.start()
    second.stop()
    w.publish(ALPHA, w.add(10))
    w.wait_ended(610)
    w.check(in_doubt=40)


def test_two_dispatchers(world):
    """dispatchers: 2: both send, each with half of rate and window; when one dies the other goes on."""
    w = world({"SMSCHAIN_ALPHA_WINDOW": "20", "SMSCHAIN_ALPHA_RATE": "100"},
              conf=[("gateways/alpha.yaml", "\ndriver: http\n", "\ndriver: http\ndispatchers: 2\n")])
    w.alpha.set(answer_delay_ms=100)
    first, second = w.start(1), w.start(2)

    def sent():
        return [row[0].get("submits", 0) for row in w.sql(
            "SELECT figures FROM service WHERE service = 'dispatch' AND part = 'alpha' AND figures->>'window' = '10'")]
    w.wait(lambda: len(sent()) == 2, what="two places, half a window each")
    began = time.monotonic()
    w.publish(ALPHA, w.add(400, text="{i}: Jo Secret"), per=10)
    w.wait(lambda: len(w.submits()) >= 250)
    assert min(sent()) > 50, sent()
    assert len(w.submits()) <= (time.monotonic() - began) * 100 * 1.2 + 60, "over the rate"
    second.kill9()
    # What it had claimed and not sent comes to the other one before its slots are looked at: the outbox keeps that.
    def kept():  # some of it ends when the slots are looked at
        return {record["sms_id"] for row in w.outbox() for record in json.loads(row[1])["records"]}
    w.wait(lambda: len(w.ended() | kept()) == 400, 60)
    assert len(kept() - w.ended()) <= 10 and w.count("in_doubt") + w.count("accepted") == len(w.ended())
    w.check(in_doubt=10)  # half a window
    assert first.alive


def test_holder_stopped_and_continued(world):
    """Past every timeout another process has the place; the one that wakes up sends nothing that it may not."""
    w = world({"SMSCHAIN_ALPHA_WINDOW": "20", "SMSCHAIN_ALPHA_RATE": "200"},
              conf=[("smschain.yaml", "# heartbeat: 30s", "heartbeat: 5s")])
    w.alpha.set(answer_delay_ms=20)
    w.publish(ALPHA, w.add(400), per=50)
    first, second = w.start(1), None
    w.wait(lambda: len(w.submits()) >= 100)
    first.pause()
    stopped_at = len(w.submits())
    second = w.start(2)
    w.wait(lambda: len(w.submits()) > stopped_at + 40, 75, "the other one sending")
    first.resume()
    w.wait(lambda: len(w.submits()) >= 400 - 40, 60, "the rest")
    w.publish(ALPHA, w.add(20))
    w.wait(lambda: {FIRST + 400 + i for i in range(1, 21)} <= w.ended(), 30)
    w.wait_ended(420, 60)
    w.check(in_doubt=40)
    assert first.stop() == 0 and second.stop() == 0
    w.check(in_doubt=40)


# ---- kills ----

POINTS = ["chunk_taken", "slot_taken", "claim_sent", "claimed", "before_mark", "marked", "answer_read", "answer_stored",
          "outcome_published", "outcome_confirmed", "slot_freed", "acked"]


def crash_and_recover(w, n, seconds=60):
    code = w.dispatch.wait_end(seconds)
    assert code == -9, f"exit code {code}\n{w.dispatch.tail()}"
    for gateway in w.gateways():
        gateway.set(throttle_share=0)
    slots = pathlib.Path(w.chain.state_dir, "slots")
    dead = set(slots.glob("*.slots")) if slots.exists() else set()
    w.start()
    w.wait_ended(n)
    w.wait(lambda: not any(file.exists() for file in dead), what="the dead one's slots recovered")


@pytest.mark.parametrize("hit", ["first", "middle", "last"])
@pytest.mark.parametrize("point", POINTS)
def test_killed(world, point, hit):
    w = world({"SMSCHAIN_ALPHA_WINDOW": "10"})
    n, chunks = 60, 6
    hits = {"chunk_taken": chunks, "acked": chunks, "claim_sent": 6, "outcome_published": 2, "outcome_confirmed": 2}.get(point, n)
    k = {"first": 1, "middle": max(hits // 2, 1), "last": hits}[hit]
    w.alpha.set(answer_delay_ms=5)
    w.publish_in_both_lanes(w.add(n), per=n // chunks)
    w.start(SMSCHAIN_FAULT=f"dispatch.{point}:{k}")
    crash_and_recover(w, n)
    assert w.count("accepted") + w.count("in_doubt") == n
    w.check(in_doubt=20)
    w.check_rest()


@pytest.mark.parametrize("k", [1, 5])
def test_killed_at_settling(world, k):
    w = world({"SMSCHAIN_ALPHA_WINDOW": "10"})
    w.alpha.set(throttle_share="0.5", retry_after_s=1)
    w.publish_in_both_lanes(w.add(40), per=10)
    w.start(SMSCHAIN_FAULT=f"dispatch.settled:{k}")
    crash_and_recover(w, 40)
    assert w.count("accepted") + w.count("in_doubt") == 40
    w.check(in_doubt=20)
    w.check_rest()


@pytest.mark.parametrize("k", [1, 20])
def test_killed_at_handing_over(world, k):
    w = world({"SMSCHAIN_ALPHA_WINDOW": "10"}, conf=FAST_BREAKER)
    w.alpha.set(listen=0)
    w.publish_in_both_lanes(w.add(40), per=10)
    w.start(SMSCHAIN_FAULT=f"dispatch.handed_over:{k}")
    crash_and_recover(w, 40)
    assert w.count("accepted") + w.count("in_doubt") == 40
    w.check(in_doubt=20)


@pytest.mark.parametrize("point", ["recovering", "recovered"])
def test_killed_while_recovering(world, point):
    w = world({"SMSCHAIN_ALPHA_WINDOW": "10"})
    w.alpha.set(answer_delay_ms=5)
    w.publish(ALPHA, w.add(60), per=10)
    w.start(SMSCHAIN_FAULT="dispatch.marked:25")
    assert w.dispatch.wait_end(60) == -9
    w.start(SMSCHAIN_FAULT=f"dispatch.{point}:1")
    crash_and_recover(w, 60)
    assert w.count("accepted") + w.count("in_doubt") == 60
    w.check(in_doubt=20)
    w.check_rest()


def test_slots_of_another_boot_prove_nothing(world):
    w = world({"SMSCHAIN_ALPHA_WINDOW": "10"})
    w.alpha.set(answer_delay_ms=5)
    w.publish(ALPHA, w.add(30))
    w.start(SMSCHAIN_FAULT="dispatch.claimed:5")
    assert w.dispatch.wait_end(60) == -9
    slots = pathlib.Path(w.chain.state_dir, "slots")
    for file in list(slots.glob("*.slots")):
        copy = file.with_suffix(".copy")  # another file with the same content
        copy.write_bytes(file.read_bytes())
        copy.rename(file)
    w.start()
    w.wait_ended(20)
    w.wait(lambda: list(slots.glob("*.unproven")), what="the copies set aside")
    assert w.sql("SELECT count(*) FROM claim WHERE settled <> 0")[0][0] == 0
    w.check()
    assert w.dispatch.stop() == 0


# ---- servers that go away ----

def test_sessions_cut(world):
    """Claims' answers get lost with their connections, again and again."""
    w = world({"SMSCHAIN_ALPHA_RATE": "300", "SMSCHAIN_ALPHA_WINDOW": "50"})
    w.publish(ALPHA, w.add(1200), per=100)
    w.start()
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        w.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'smschain-dispatch alpha%%'")
        time.sleep(0.37)
    w.wait_ended(1200, 60)
    assert w.count("accepted") == 1200
    w.check()
    w.check_rest()


@pytest.mark.parametrize("server", ["postgres", "rabbitmq"])
def test_server_killed_and_started(tmp_path, server):
    lab = servers.Lab.start(str(tmp_path / "lab"), die_with_parent=True)
    w = World(str(tmp_path / "w"), lab, {"SMSCHAIN_ALPHA_RATE": "200"})
    try:
        w.publish(ALPHA, w.add(600), per=50)
        w.start()
        w.wait(lambda: len(w.submits()) >= 200)
        getattr(lab, server).kill()
        time.sleep(2)
        getattr(lab, server).start()
        w.wait(lambda: len(w.submits()) >= 600, 90, "all sent")
        w.wait_ended(600, 60)
        assert w.count("accepted") == 600
        w.check()
    finally:
        w.close()
        lab.stop(clean=True)
