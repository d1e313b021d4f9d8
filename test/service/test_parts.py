"""Messages in parts at smschain-callback: a claim, an id and a status for each segment, and the message's row out of these, held
against the model (test/lab/parts.py) in whatever order and by whatever consumer it is told."""
import random

import pytest
from callback_lab import World, now_ms


@pytest.fixture
def world(tmp_path, lab):
    made = []

    def make(**settings):
        made.append(World(tmp_path / str(len(made)), lab, **settings))
        return made[-1]
    yield make
    for one in made:
        one.close()


def life_of(w, ids, gateway="alpha"):
    """Two to four parts each; refused at first, in doubt, rejected, reported by id, by reference, or not at all. Every sixth was cut
    for another gateway before."""
    records, dice = [], random.Random(len(ids))
    for s in ids:
        attempt, parts = 1, 2 + s % 3
        if s % 6 == 0:
            w.cut([s], 5 - parts if s % 12 else 1, gateway)
            records += [w.submitted(s, segment=n, gateway=gateway) for n in range(1, (5 - parts if s % 12 else 1) + 1)]
            attempt = 2
        attempts = {}
        for n in range(1, parts + 1):
            attempts[n] = 1 if (s, n, 1) not in w.parts else attempt
            w.claim([s], gateway, attempts[n], segment=n, parts=parts)
            records.append(w.submitted(s, segment=n, attempt=attempts[n], gateway=gateway))
        for n in range(1, parts + 1):
            more = {"segment": n, "attempt": attempts[n], "gateway": gateway}
            way = dice.randrange(12)
            if way == 0:
                records.append(w.outcome(s, "in_doubt", "timeout", **more))
            elif way == 1:
                records.append(w.outcome(s, "rejected", "ESME_RINVDSTADR", **more))
            elif way == 2:
                continue  # nothing was told of it yet
            elif way == 3:  # a report that names it is the first that is told of it
                records.append(w.report(s, f"id{s}-{n}", "delivered", "DELIVRD", named=True, **more))
            else:
                records.append(w.accepted(s, f"id{s}-{n}", **more))
                for _ in range(dice.randrange(3)):
                    state, word = dice.choice([("delivered", "DELIVRD")] * 4 + [("expired", "EXPIRED"), ("undelivered", "UNDELIV"), (None, "ACCEPTD")])
                    records.append(w.report(s, f"id{s}-{n}", state, word, gateway_at=now_ms(), **more))
    return records


def tables(w):
    names = {"message": "sms_id", "segment": "sms_id, segment", "msg_map": "gateway, msg_id", "event": "sms_id, digest",
             "stats": "run_id, day, gateway, state, reason", "stats_minute": "minute, gateway, state"}
    return {n: w.sql(f"SELECT * FROM {n} ORDER BY {key}") for n, key in names.items()}


def at_its_end(w):
    return w.rows() == w.model() and w.one("SELECT count(*) FROM parked") == 0


def differences(w):
    got, wanted = w.rows(), w.model()
    return {k: (got[k], wanted[k]) for k in wanted if got[k] != wanted[k]}


@pytest.mark.parametrize("order", ["as told", "reversed", "shuffled, one by one"])
def test_any_order(world, order):
    w = world(flush_interval="100ms")
    w.start("--consumer")
    ids = w.messages(50, claimed=False) + w.messages(20, claimed=False, days_ago=1)
    whole = w.messages(20)
    records = life_of(w, ids) + [r for s in whole for r in (w.submitted(s), w.accepted(s, f"w{s}"))]
    if order == "reversed":
        records.reverse()
    elif order != "as told":
        random.Random(5).shuffle(records)
    w.publish(records, size=3 if order.endswith("one by one") else 40)
    w.settled(lambda: at_its_end(w), dump=lambda: differences(w))
    w.check()
    parts = dict(w.sql("SELECT sms_id, parts FROM message"))
    assert all(parts[s] == 2 + s % 3 for s in ids) and all(parts[s] == 1 for s in whole)
    assert w.one("SELECT count(*) FROM segment WHERE sms_id = ANY(%s)", whole) == 0
    partial = {r for _, _, _, r, *_ in w.rows().values() if r.startswith("partial:")}
    assert {"partial:EXPIRED", "partial:ESME_RINVDSTADR"} <= partial
    w.settled(w.idle)
    before = tables(w)
    w.publish(records, size=70)  # and all of it once more: nothing moves
    w.settled(w.idle)
    w.stop()
    assert tables(w) == before


def test_two_consumers_learn_of_two_segments_at_once(world):
    """What the first learns alone moves no row. The second must not make the row of what the first is just writing."""
    w = world(flush_interval="100ms", shards=2)
    w.start("--consumer")
    ids = w.messages(20, claimed=False)
    w.cut(ids, 2)
    w.publish([w.submitted(s, segment=n) for s in ids for n in (1, 2)])
    w.publish([w.accepted(s, f"{s}-{n}", segment=n) for s in ids for n in (1, 2)])
    w.settled(lambda: at_its_end(w))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s AND datname = current_database()"
    other = w.lab.connect(w.database)
    other.autocommit = False
    with other.cursor() as cursor:
        cursor.execute("UPDATE segment SET reason = reason WHERE segment = 1")
        w.publish([w.report(s, f"{s}-1", segment=1) for s in ids], queue="sms.update.0")
        w.settled(lambda: w.one(waiting, "%INSERT INTO segment%") == 1, "the first consumer to write segment 1")
        w.publish([w.report(s, f"{s}-2", segment=2) for s in ids], queue="sms.update.1")
        w.settled(lambda: w.one(waiting, "%FOR NO KEY UPDATE%") == 1 or w.one("SELECT count(*) FROM segment WHERE state = 90") == len(ids),
                  "the second one to wait, or not")
    other.rollback()
    other.close()
    w.settled(lambda: at_its_end(w), dump=lambda: differences(w))
    assert set(w.states().values()) == {"delivered"}
    w.stop()
    w.check()


def test_killed_after_the_segments_are_written(world):
    w = world(flush_interval="100ms")
    ids = w.messages(30, claimed=False)
    records = life_of(w, ids)
    w.publish(records)
    process = w.launch("--consumer", SMSCHAIN_FAULT="consumer.projected:1")
    process.wait(40)
    assert w.one("SELECT count(*) FROM segment") == 0
    w.start("--consumer")
    w.settled(lambda: at_its_end(w), dump=lambda: differences(w))
    w.stop()
    w.check()


def test_sweeps(world):
    """Open claims, and accepted ones without a report: of each segment by itself, with the message's parts."""
    w = world(flush_interval="200ms", dispatch_more="  claim_horizon: 5m", more="  report_horizon: 10s")
    half, untold, never, late, retried = w.messages(5, claimed=False, age_s=600)
    for s in (half, untold, never, late, retried):
        w.cut([s], 3, age_s=600)
    old = now_ms() - 50000
    w.publish([w.submitted(half, at=old, segment=1), w.accepted(half, f"{half}-1", at=old + 1, segment=1),
               w.report(half, f"{half}-1", at=old + 2, segment=1), w.submitted(half, at=old, segment=2)])
    for s in (never, late):
        w.publish([r for n in (1, 2, 3) for r in (w.submitted(s, at=old, segment=n), w.accepted(s, f"{s}-{n}", at=old + n, segment=n))])
    w.publish([w.report(late, f"{late}-{n}", at=old + 9, segment=n) for n in (1, 3)])
    w.sql("UPDATE claim SET settled = 3 WHERE sms_id = %s AND segment = 2", retried)
    w.publish([w.submitted(retried, at=old, segment=2), w.accepted(retried, "r3", at=old, segment=3)])
    w.start("--consumer")

    def segments(s):
        return dict(w.sql("SELECT segment, state FROM segment WHERE sms_id = %s", s))
    w.settled(lambda: segments(half) == {1: 90, 2: 20, 3: 20} and segments(untold) == {1: 20, 2: 20, 3: 20}
              and segments(retried) == {1: 20, 2: 10, 3: 30} and segments(never) == {1: 50, 2: 50, 3: 50}
              and segments(late) == {1: 90, 2: 50, 3: 90}, dump=lambda: w.sql("SELECT sms_id, segment, state FROM segment ORDER BY 1, 2"))
    assert w.states() == {half: "in_doubt", untold: "in_doubt", never: "unknown", late: "unknown", retried: "submitted"}
    assert w.one("SELECT count(*) FROM message WHERE parts = 3") == 5
    assert {o for (o,) in w.sql("SELECT DISTINCT origin FROM event WHERE step = 110")} == {"sweep"}
    w.publish([w.report(half, f"{half}-{n}", segment=n, named=True) for n in (2, 3)] + [w.report(late, f"{late}-2", segment=2)])
    w.settled(lambda: w.states()[half] == "delivered" and w.states()[late] == "delivered")
    w.check_stats()
    w.stop()


def test_inference(world):
    """A report nobody waits for settles a segment in doubt if it can be about no other one."""
    w = world(flush_interval="500ms", more="  park_horizon: 72h")
    path = w.conf / "gateways/alpha.yaml"
    path.write_text(path.read_text().replace("${SMSCHAIN_ALPHA_ANSWER_TIMEOUT:-30s}", "1s"))
    sure, two = w.messages(2, claimed=False, age_s=30)
    w.cut([sure, two], 2, age_s=30)
    for s in (sure, two):
        w.publish([w.submitted(s, segment=n) for n in (1, 2)] + [w.outcome(s, "in_doubt", "timeout", segment=2)])
    w.publish([w.accepted(sure, "s1", segment=1), w.report(sure, "s1", segment=1), w.outcome(two, "in_doubt", "timeout", segment=1)])
    w.publish([w.report(s, f"unseen{s}", segment=2, model=False) for s in (sure, two)])
    w.start("--consumer")
    w.settled(lambda: w.states()[sure] == "delivered", dump=w.rows)
    assert w.sql("SELECT sms_id, segment FROM event WHERE origin = 'inferred'") == [(sure, 2)]
    assert w.states()[two] == "in_doubt"
    w.stop()
