"""Long messages at an SMPP gateway, each segment with a claim of its own: smschain-dispatch against real servers and the fake
gateway, whose log is the judge. The claim statement by itself is tested in test_dispatch.py, what callback makes of the steps
in test_parts.py."""
import collections
import json
import pathlib
import re
import time

import pytest

from test_dispatch import FIRST, SECONDS, World, crash_and_recover, FAST_BREAKER
from servers import wait_for

GAMMA = "sms.dispatch.gamma.bulk"
FILE = """driver: smpp
rate: ${{SMSCHAIN_GAMMA_RATE:-1000}}
window: {window}
sender: SHOP
answer_timeout: 5s
retry_base: 100ms
breaker_failures: 3
breaker_pause: 1s
dispatchers: {dispatchers}
smpp:
  address: ${{SMSCHAIN_GAMMA_ADDRESS}}
  system_id: gamma
  password: ${{SMSCHAIN_GAMMA_PASSWORD}}
  alphabet: gsm7
  long: {long}
  segments_max: {segments_max}
  reconnect_base: 100ms
  reconnect_max: 500ms
report:
  id: as_given
  answer_id: as_given
"""
LONG = "{i}: Jo Secret " + "abcdefghi " * 38  # 3 segments in each way


class Segments(World):
    """Gateway gamma speaks SMPP; alpha and beta are there, as whole-message gateways that a message may be handed over to."""

    def __init__(self, directory, lab, environment=None, conf=(), long="udh8", window=40, dispatchers=1, segments_max=4):
        self.file = lambda long: FILE.format(long=long, window=window, dispatchers=dispatchers, segments_max=segments_max)
        super().__init__(directory, lab, environment, conf, files={"gateways/gamma.yaml": self.file(long)})
        self.gamma = self.chain.gateway_beta  # who plays it

    def change_long(self, long):
        pathlib.Path(self.chain.conf_dir, "gateways/gamma.yaml").write_text(self.file(long), encoding="utf-8")

    def add_long(self, n, **more):
        return self.add(n, **{"text": LONG, "segments": 3, "route": ["gamma", "alpha"], **more})

    def parts(self):
        """{sms_id: {(segment, of, reference): times}} as gamma has accepted them"""
        found = collections.defaultdict(collections.Counter)
        for s in self.gamma.submits():
            if s["gateway"] == "gamma":
                reference, of, n = map(int, re.fullmatch(r"seg:(\d+)/(\d+)/(\d+)", s["reference"]).groups())
                found[FIRST + s["number"] - 491711000000][n, of, reference] += 1
        return found

    def ends(self):
        """{sms_id: {segment: {outcome}}}; of a step 110 the state"""
        found = collections.defaultdict(lambda: collections.defaultdict(set))
        for s in self.told():
            sms_id, segment, _ = map(int, s["seq_id"].split("."))
            if s["step"] == 101 or s.get("state"):
                found[sms_id][segment].add("accepted" if s["step"] == 101 else s["state"])
        return found

    def wait_ends(self, records, seconds=SECONDS, segments=3):
        self.wait(lambda: all(len(self.ends()[r["sms_id"]]) == segments for r in records), seconds,
                  f"an end of every segment, {[dict(self.ends()[r['sms_id']]) for r in records]}")

    def check_parts(self, bits=8, of=3):
        """Each segment at most once, in one way, with the message's reference; what was told agrees with it."""
        parts, ends = self.parts(), self.ends()
        for sms_id, segments in parts.items():
            if sms_id not in ends:
                continue  # not looked at any more
            assert set(segments.values()) == {1}, (sms_id, segments)
            assert {(total, reference) for _, total, reference in segments} == {(of, sms_id & (1 << bits) - 1)}, segments
            # What was told 102 times over is one event; here the segments must not have two ends.
            for n, _, _ in segments:
                assert ends[sms_id][n] <= {"accepted", "in_doubt"}, (sms_id, n, ends[sms_id])
        for sms_id, segments in ends.items():
            for n, outcomes in segments.items():
                assert "accepted" not in outcomes or parts[sms_id][n, of, sms_id & (1 << bits) - 1] == 1
                assert "rejected" not in outcomes or (n, of, sms_id & (1 << bits) - 1) not in parts[sms_id]
                assert len(outcomes - {"in_doubt"}) <= 1, (sms_id, n, outcomes)
        for s in self.steps:
            if s["gateway"] == "gamma" and s["step"] in (100, 101, 110):
                assert s.get("parts") == of, s
        assert sum(g.counters()["duplicates"] for g in self.gateways()) == 0
        assert self.sql("SELECT sms_id, segment FROM claim WHERE settled = 0 AND kind = 0 GROUP BY 1, 2 HAVING count(*) > 1") == []


@pytest.fixture
def world(tmp_path, lab):
    made = []

    def make(**options):
        made.append(Segments(str(tmp_path / f"w{len(made)}"), lab, **options))
        return made[-1]
    yield make
    for w in made:
        w.close()


def test_each_segment_has_its_claim(world):
    """Sent, throttled, refused: what becomes of three segments together, in one world."""
    w = world(window=10, segments_max=10)
    w.start()
    # As long as the window: more than bulk's part of it, and it does not wait for ever. 
    wide = w.add(1, text="{i}: Jo Secret " + "abcdefghi " * 151, segments=10, route=["gamma"])
    w.publish(GAMMA, wide)
    w.wait_ends(wide, segments=10)
    assert len(w.parts()[wide[0]["sms_id"]]) == 10
    w.steps.clear()
    records = w.add_long(20)
    w.publish(GAMMA, records)
    w.wait_ends(records)
    assert all(o == {"accepted"} for r in records for o in w.ends()[r["sms_id"]].values())
    assert w.sql("SELECT segment, parts, way > 0, count(*) FROM claim WHERE parts = 3 GROUP BY 1, 2, 3 ORDER BY 1") == [
        (n, 3, True, 20) for n in (1, 2, 3)]
    ids = {s["seq_id"]: s["msg_id"] for s in w.steps if s["step"] == 101}
    assert len(set(ids.values())) == 60  # a msg_id each

    # Segments 2 and 3 are throttled, again and again: they come as new attempts, with the same reference.
    w.gamma.set(window_max=1, answer_delay_ms=100)
    throttled = w.add_long(1)
    w.publish(GAMMA, throttled)
    w.wait_ends(throttled)
    assert all(o == {"accepted"} for o in w.ends()[throttled[0]["sms_id"]].values())
    assert w.sql("SELECT count(*) FROM claim WHERE sms_id = %s AND settled = 2", (throttled[0]["sms_id"],))[0][0] >= 2

    # Segments 2 and 3 are refused for good: that is the end, nobody asks for them again.
    w.gamma.set(busy_status=11)
    refused = w.add_long(1)
    w.publish(GAMMA, refused)
    w.wait_ends(refused)
    assert dict(w.ends()[refused[0]["sms_id"]]) == {1: {"accepted"}, 2: {"rejected"}, 3: {"rejected"}}

    # Another gateway could take segments 2 and 3, but has not got 1: refused with the gateway's reason.
    w.gamma.set(busy_status=10)
    begun = w.add_long(1)
    w.publish(GAMMA, begun)
    w.wait_ends(begun)
    assert dict(w.ends()[begun[0]["sms_id"]]) == {1: {"accepted"}, 2: {"rejected"}, 3: {"rejected"}}
    reasons = {s["reason"] for s in w.steps if s.get("state") == "rejected" and s["seq_id"].startswith(f"{begun[0]['sms_id']}.")}
    assert reasons == {"ESME_RINVSRCADR"}
    assert w.sql("SELECT count(*) FROM claim WHERE sms_id = %s", (begun[0]["sms_id"],))[0][0] == 3
    w.check_parts()

    # None of it was taken: all of it goes to the next gateway of the route, whole, as a later attempt.
    w.gamma.set(window_max=0, answer_delay_ms=0, **{"gamma.status": 10})
    elsewhere, lone = w.add_long(2), w.add_long(1, route=["gamma"])
    w.publish(GAMMA, elsewhere + lone)
    w.wait(lambda: all(w.ends()[r["sms_id"]].get(1) for r in elsewhere + lone), what="accepted by alpha, or refused")
    assert {s["number"] for s in w.alpha.submits()} == {r["number"] for r in elsewhere}
    assert w.sql("SELECT DISTINCT sms_id, attempt, parts FROM claim WHERE settled = 0 AND sms_id = ANY(%s) ORDER BY 1",
                 ([r["sms_id"] for r in elsewhere],)) == [(r["sms_id"], 2, 1) for r in elsewhere]
    w.wait(lambda: dict(w.ends()[lone[0]["sms_id"]]) == {n: {"rejected"} for n in (1, 2, 3)}, what="the lone one refused")

    # Refused by the claim: each of its segments, and not one sent.
    w.gamma.set(**{"gamma.status": 0})
    stale = w.add_long(2, valid_s=-1)
    w.publish(GAMMA, stale)
    w.wait_ends(stale)
    assert all(o == {"stale"} for r in stale for o in w.ends()[r["sms_id"]].values())
    assert not any(w.parts()[r["sms_id"]] for r in stale)
    w.check_rest()


def test_begun_messages_stay(world):
    """The gateway goes away, and the configuration changes, between the segments of one message."""
    w = world(window=4, conf=FAST_BREAKER)
    w.gamma.set(window_max=1, answer_delay_ms=300)
    records = w.add_long(1)
    w.publish(GAMMA, records)
    w.start()
    w.wait(lambda: w.ends()[records[0]["sms_id"]].get(1) == {"accepted"}, what="segment 1 accepted")
    w.gamma.kill9()  # segments 2 and 3 were throttled
    assert 3 not in {n for n, _, _ in w.parts()[records[0]["sms_id"]]}
    w.wait(lambda: w.figures("gamma").get("breaker") not in (None, "closed"), 30, "the breaker")
    ended = {n: o for n, o in w.ends()[records[0]["sms_id"]].items()}
    assert not [s for s in w.submits() if s["gateway"] != "gamma"]
    assert w.dispatch.stop() == 0
    w.change_long("udh16")
    w.gamma.start()
    w.gamma.set(reports=0)
    w.publish(GAMMA, w.add_long(1))  # cut as is configured now
    w.start()
    w.wait_ends(records, 60)
    other = FIRST + w.next
    w.wait(lambda: len(w.ends()[other]) == 3, what="the new one")
    assert {p for p in w.parts()[other]} == {(n, 3, other & 0xffff) for n in (1, 2, 3)}
    begun = w.parts()[records[0]["sms_id"]]
    assert {(total, reference) for _, total, reference in begun} == {(3, records[0]["sms_id"] & 0xff)}
    assert set(begun.values()) == {1}
    assert {1, 3} <= {n for n, _, _ in begun}, ended
    assert {n for n, _, _ in begun} | {n for n, o in w.ends()[records[0]["sms_id"]].items() if o == {"in_doubt"}} == {1, 2, 3}, ended
    assert {way for way, in w.sql("SELECT DISTINCT way FROM claim WHERE sms_id = %s", (records[0]["sms_id"],))} != {
        way for way, in w.sql("SELECT DISTINCT way FROM claim WHERE sms_id = %s", (other,))}


POINTS = [("chunk_taken", 1), ("slot_taken", 2), ("claim_sent", 1), ("claimed", 1), ("claimed", 2), ("claimed", 3),
          ("before_mark", 2), ("marked", 1), ("marked", 2), ("marked", 3), ("answer_read", 2), ("answer_stored", 1),
          ("answer_stored", 2), ("answer_stored", 3), ("outcome_published", 1), ("outcome_confirmed", 1), ("slot_freed", 2), ("acked", 1)]


def test_killed_between_segments(world):
    """kill -9 at every point of a message of three; then the rest goes, what had left goes no more."""
    w, found = world(), {}
    for point, hit in POINTS:
        records = w.add_long(1)
        w.publish(GAMMA, records)
        w.start(SMSCHAIN_FAULT=f"dispatch.{point}:{hit}")
        assert w.dispatch.wait_end(60) == -9, f"{point}:{hit} was not reached"
        slots = pathlib.Path(w.chain.state_dir, "slots")
        dead = set(slots.glob("*.slots"))
        w.start()
        w.wait_ends(records, 60)
        ended = w.ends()[records[0]["sms_id"]]
        sent = {n for n, _, _ in w.parts()[records[0]["sms_id"]]}
        in_doubt = {n for n, o in ended.items() if "in_doubt" in o}
        assert sent | in_doubt == {1, 2, 3}, (point, hit, dict(ended), sent)
        found[f"{point}:{hit}"] = len(in_doubt)
        w.check_parts()
        w.wait(lambda: len(now := set(slots.glob("*.slots"))) == len({"gamma", "alpha", "beta"}) and not now & dead,
               what="the dead one's slots recovered")
        assert w.dispatch.stop() == 0
    # What certainly had not left, and what was answered, is never in doubt.
    assert not any(n for point, n in found.items() if not re.match("marked|before_mark|answer_", point)), found
    for target, body, *_ in w.outbox():  # one copy at most of what waits for an open claim
        assert target == GAMMA and len(json.loads(body)["records"]) == 1
    assert len(w.outbox()) <= len(POINTS)


def test_killed_at_settling_and_two_dispatchers(world):
    """Throttled segments, two processes with a place each, one of them killed: nothing twice, nothing mixed."""
    w = world(window=12, dispatchers=2)
    w.gamma.set(throttle_share="0.3", answer_delay_ms=20, answer_jitter_ms=30)
    w.start(1)
    second = w.start(2, SMSCHAIN_FAULT="dispatch.settled:7")
    # Published only now: who comes first would take all of it.
    w.wait(lambda: w.sql("SELECT count(*) FROM service WHERE part = 'gamma' AND figures->>'state' = 'sending'") == [(2,)], 30, "both places")
    records = w.add_long(40)
    w.publish(GAMMA, records, per=5)
    assert second.wait_end(60) == -9
    second.start()
    w.gamma.set(throttle_share=0)

    def kept():
        return {record["sms_id"] for row in w.outbox() for record in json.loads(row[1])["records"]}
    w.wait(lambda: all(len(w.ends()[r["sms_id"]]) == 3 or r["sms_id"] in kept() for r in records), 60)
    w.check_parts()
    in_doubt = sum("in_doubt" in o for s in w.ends().values() for o in s.values())
    assert in_doubt <= 12
    wait_for(lambda: not any(sum(v) for q, v in w.lab.queues(w.chain.vhost).items() if q.startswith("sms.dispatch")), SECONDS, "empty queues")


def test_who_stands_by_binds_nothing(world):
    """The contract counts binds: a process without a place opens no link, and binds when it takes the place over."""
    w = world()
    w.start(1)
    first = w.add_long(1)
    w.publish(GAMMA, first)
    w.wait_ends(first)
    w.start(2)
    second = w.chain.service("dispatch", 2)
    w.wait(lambda: "standing by" in second.tail(), what="the second one standing by")
    time.sleep(2)
    assert w.gamma.counters()["binds"] == 1
    w.dispatch.kill9()
    records = w.add_long(1)
    w.publish(GAMMA, records)
    w.wait_ends(records)
    assert w.gamma.counters()["binds"] == 2
    w.check_parts()
