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
