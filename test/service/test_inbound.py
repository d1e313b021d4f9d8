"""Messages from phones at smschain-callback alone: the address they come to, records nobody can use, shards side by side,
and a flood of them."""
import collections
import json
import random
import time

import pytest
from callback_lab import TOKENS, World, now_ms

PHONE = 491709997000


@pytest.fixture
def world(tmp_path, lab):
    made = []

    def make(**settings):
        made.append(World(tmp_path / str(len(made)), lab, **settings))
        return made[-1]
    yield make
    for one in made:
        one.close()


def record(n, text, gateway="alpha", **more):
    return {"at": now_ms(), "gateway": gateway, "from": f"+{PHONE + n}", "text": text, "msg_id": f"m{n}", **more}


def tell(w, records, queue="sms.update.0"):
    w.publish_body({"v": 1, "kind": "inbound", "records": records}, queue)


def handed_on(w):
    """Every record that stands in the outbox for sms.inbound."""
    return [r for body, in w.sql("SELECT body FROM outbox WHERE target = 'sms.inbound' ORDER BY id")
            for r in json.loads(body)["records"]]


def test_the_address(world):
    w = world()
    gamma = (w.conf / "gateways/alpha.yaml").read_text()
    (w.conf / "gateways/gamma.yaml").write_text(gamma[:gamma.index("# A message from a phone")])
    w.start()
    at = lambda gateway, token: f"/inbound/{gateway}/{token}"  # noqa: E731
    form = f"from={PHONE}&to=22922&msg=Hallo+Welt&id=1&at=2026-01-31+16%3A15%3A00"
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    assert w.post("alpha", path=at("alpha", TOKENS["alpha"]), query=form) == (200, "OK")
    assert w.post("alpha", path=at("alpha", TOKENS["alpha"]), body=form, headers=typed) == (200, "OK")
    assert w.post("beta", path=at("beta", TOKENS["beta"]), body=json.dumps(
        [{"from": f"+{PHONE}", "text": "a", "id": "1"}, {"from": "Bank", "text": "b", "id": "2"}])) == (200, "OK")
    assert w.post("alpha", path=at("alpha", "wrong"), query=form)[0] == 401
    assert w.post("alpha", path=at("gamma", TOKENS["alpha"]), query=form)[0] == 404, "it has no section inbound"
    assert w.post("alpha", path=at("nobody", TOKENS["alpha"]), query=form)[0] in (401, 404)
    assert w.post("beta", path=at("beta", TOKENS["beta"]), body="{broken")[0] == 400
    assert w.post("alpha", path=at("alpha", TOKENS["alpha"]), query=f"from={PHONE}&msg=x&at=yesterday")[0] == 200
    w.settled(lambda: w.one("SELECT count(*) FROM inbound") == 4 and w.one("SELECT count(*) FROM quarantine") == 2)
    assert w.sql("SELECT text, gateway_at IS NULL FROM inbound ORDER BY text") == [
        ("Hallo Welt", False), ("a", True), ("b", True), ("x", True)]
    assert w.one("SELECT extract(epoch FROM gateway_at)::bigint FROM inbound WHERE text = 'Hallo Welt'") == 1769847300
    assert sorted(r for r, in w.sql("SELECT reason FROM quarantine")) == ["bad_time", "unreadable"]
    w.sent["phone"] = PHONE  # not in the log


def test_what_nobody_can_use_goes_to_dead_letters_alone(world):
    w = world()
    w.start("--consumer")
    tell(w, [record(1, "good"), record(2, "no time", at=5), {"gateway": "alpha"}, record(3, "good too")])
    w.settled(lambda: w.one("SELECT count(*) FROM inbound") == 2)
    dead = []
    w.settled(lambda: dead.extend(w.take("sms.dead")) or len(dead) == 2, "two dead letters")
    bodies = [json.loads(body) for body, _ in dead]
    assert all(b["kind"] == "inbound" and len(b["records"]) == 1 for b in bodies)
    assert any("no moment of our time" in headers["x-smschain-why"] for _, headers in dead)


def test_the_same_again_changes_nothing(world):
    w = world()
    w.start("--consumer")
    records = [record(n, "STOP" if n % 2 else "hello") for n in range(40)]
    for _ in range(3):
        tell(w, records)
    tell(w, records + [record(40, "last")])
    w.settled(lambda: w.one("SELECT count(*) FROM inbound") == 41 and w.idle())
    assert sorted(r["inbound"] for r in handed_on(w)) == sorted(i for i, in w.sql("SELECT id FROM inbound"))
    assert w.one("SELECT count(*) FROM suppression WHERE reason = 'stop' AND scope = 'marketing'") == 20
    assert w.one("SELECT count(*) FROM message") == 0, "no template is configured: nothing answers"


def test_two_shards_and_any_order(world):
    """STOP and START of the same numbers through two queues at a time, shuffled: what was said last holds."""
    w = world(shards=2)
    w.start("--consumer")
    said, base = collections.defaultdict(list), now_ms() - 10**7
    shuffled = []
    for n in range(60):
        for k in range(6):
            text = random.choice(["STOP", "START"])
            said[PHONE + n].append(text)
            shuffled.append(record(n, text, msg_id=f"{n}.{k}", gateway_at=base + n * 100000 + k * 1000))
    random.shuffle(shuffled)
    for i in range(0, len(shuffled), 5):
        tell(w, shuffled[i:i + 5], f"sms.update.{i // 5 % 2}")
    w.settled(lambda: w.one("SELECT count(*) FROM inbound") == 360)
    stopped = {n for n, in w.sql("SELECT number FROM suppression WHERE reason = 'stop'")}
    assert stopped == {n for n, texts in said.items() if texts[-1] == "STOP"}


def test_a_flood(world):
    w = world()
    records = [record(n, "STOP" if n % 10 == 0 else f"message {n}") for n in range(20000)]
    for i in range(0, len(records), 1000):
        tell(w, records[i:i + 1000])
    began = time.monotonic()
    w.start("--consumer")
    w.settled(lambda: w.one("SELECT count(*) FROM inbound") == 20000, seconds=90)
    took = time.monotonic() - began
    assert len(handed_on(w)) == 20000
    assert w.one("SELECT count(*) FROM suppression") == 2000
    assert took < 60, f"20,000 messages took {took:.0f} s"


# ---- messages in several parts ----

def parts_of(n, texts, reference, **more):
    """One record a part, without an id of the gateway's, as over a link."""
    return [{**record(n, text, **more), "msg_id": None, "reference": reference, "part": i + 1, "parts": len(texts)}
            for i, text in enumerate(texts)]


def entered(w):
    return w.sql("SELECT number, text, parts, missing, coalesce(keyword, '') FROM inbound ORDER BY number, text")


@pytest.mark.parametrize("point", ["consumer.inbound_parted", "consumer.inbound_committed"])
def test_parts_become_one_message_once(world, point):
    """Any order, copies, two queues and a kill in the middle: each message once, with its whole text, and STOP counts when it
    is whole. A reference that is used again is another message."""
    w = world(shards=2)
    wanted, first, again = [], [], []
    for n in range(24):
        texts = ["ST", "O", "P please"] if n % 4 == 0 else [f"part {i} of {n}; " for i in range(2 + n % 5)]
        first += parts_of(n, texts, n % 3)
        wanted.append((PHONE + n, "".join(texts), len(texts), 0, "stop" if n % 4 == 0 else ""))
        if n % 2:
            texts = [text + "again" for text in texts]
            again += parts_of(n, texts, n % 3)
            wanted.append((PHONE + n, "".join(texts), len(texts), 0, ""))
    process = w.start("--consumer", SMSCHAIN_FAULT=f"{point}:1")
    for records in (first, again):
        shuffled = records + random.sample(records, len(records) // 2)
        random.shuffle(shuffled)
        for i in range(0, len(shuffled), 7):
            tell(w, shuffled[i:i + 7], f"sms.update.{i // 7 % 2}")
        if records is first:
            process.wait(30)
            w.start("--consumer")
        w.settled(lambda: w.idle() and w.one("SELECT count(*) FROM inbound_part WHERE inbound IS NULL") == 0)
    assert entered(w) == sorted(wanted)
    handed = handed_on(w)
    assert sorted((r["number"], r["text"], r["parts"]) for r in handed) == sorted(t[:3] for t in wanted)
    assert w.one("SELECT count(*) FROM suppression WHERE reason = 'stop'") == 6
    assert w.one("SELECT count(*) FROM inbound_part WHERE text <> ''") == 0


def test_what_there_is_when_the_others_do_not_come(world):
    w = world(more="inbound:\n  parts_timeout: 2s")
    w.start("--consumer")
    three = parts_of(1, ["one ", "two ", "three"], 7)
    tell(w, [three[0], three[2], parts_of(2, ["x", "STOP"], 7)[1], parts_of(3, ["START", "x"], 7)[0],
             parts_of(4, ["stop", " it"], 7)[0], parts_of(5, ["old", "y"], 7)[0], parts_of(5, ["new", "z"], 7)[0],
             {**record(6, "alone"), "part": 3, "parts": 2}, {**record(7, "z" * 2000), "part": 2, "parts": 2, "reference": 1}])
    w.settled(lambda: w.one("SELECT count(*) FROM inbound_part WHERE inbound IS NULL") == 0
              and w.one("SELECT count(*) FROM inbound") == 8, seconds=30)
    assert entered(w) == [
        (PHONE + 1, "one three", 3, 1, ""), (PHONE + 2, "STOP", 2, 1, ""), (PHONE + 3, "START", 2, 1, ""),
        (PHONE + 4, "stop", 2, 1, "stop"), (PHONE + 5, "new", 2, 1, ""), (PHONE + 5, "old", 2, 1, ""),
        (PHONE + 6, "alone", 1, 0, ""), (PHONE + 7, "z" * 2000, 2, 1, "")]
    assert {r["text"]: r.get("missing") for r in handed_on(w)}["one three"] == 1
    tell(w, [three[0], three[1]])  # a copy, and the one that was missing: it is entered by itself
    w.settled(lambda: w.one("SELECT count(*) FROM inbound") == 9, seconds=30)
    assert entered(w)[1] == (PHONE + 1, "two ", 3, 2, "")
