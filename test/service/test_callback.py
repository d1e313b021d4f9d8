"""smschain-callback, the real program, against a real PostgreSQL and a real RabbitMQ: reports in, statuses in the tables.

Every test has a database, a virtual host and a state directory of its own. At the end of each the log is searched for
numbers and secrets (I6), and where it fits the tables are held against the model (I4)."""
import http.client
import json
import random
import signal
import socket
import time

import pytest
from callback_lab import SECONDS, TOKENS, World, now_ms, today
from servers import wait_for

FAULTS = ["intake.parsed", "intake.journalled", "intake.answered", "drain.published", "drain.confirmed", "journal.deleted",
          "consumer.gathered", "consumer.begun", "consumer.copied", "consumer.msg_map", "consumer.events",
          "consumer.projected", "consumer.before_commit", "consumer.committed", "consumer.acked"]


@pytest.fixture
def world(tmp_path, lab):
    made = []

    def make(**settings):
        made.append(World(tmp_path / str(len(made)), lab, **settings))
        return made[-1]
    yield make
    lab.postgres.start()  # a test that failed may have left it stopped
    for one in made:
        one.close()


def alpha_text(w, reports):
    """reports: (sms_id, msg_id, word, gateway's time)."""
    return ";".join(f"{msg_id},{w.sent[s]},{word},{at}" for s, msg_id, word, at in reports)


def test_both_formats_from_submit_to_end(world):
    w = world()
    w.start()
    a, b = w.messages(4), w.messages(4, gateway="beta")
    y = w.messages(2, days_ago=1)
    records = []
    for sms_id in a + y:
        records += [w.submitted(sms_id), w.accepted(sms_id, "REQ1" if sms_id in a else f"Y{sms_id}")]  # a: one id for four numbers
    for sms_id in b:
        records += [w.submitted(sms_id, gateway="beta"), w.accepted(sms_id, f"b-{sms_id}", gateway="beta")]
    w.publish(records)
    w.settled(lambda: set(w.states().values()) == {"accepted"})
    words = ["DELIVRD", "UNDELIV", "EXPIRED", "REJECTD"]
    query = alpha_text(w, [(s, "REQ1", word, "2026-01-31 16:15:00") for s, word in zip(a, words)])
    assert w.post("alpha", query="report=" + query.replace(" ", "%20")) == (200, "OK")
    assert w.post("alpha", body=alpha_text(w, [(s, f"Y{s}", "DELIVRD", "2026-01-31 16:15:00") for s in y]))[0] == 200
    words = ["DELIVERED", "UNDELIVERABLE", "EXPIRED", "REJECTED"]
    array = [{"id": f"b-{s}", "to": f"+{w.sent[s]}", "status": word, "time": "2026-01-31T08:15:00Z", "error": "e" if word == "REJECTED" else None}
             for s, word in zip(b, words)]
    assert w.post("beta", body=json.dumps(array[:3])) == (200, "OK")
    assert w.post("beta", body=json.dumps(array[3]))[0] == 200
    wanted = ["delivered", "undelivered", "expired", "rejected"]
    w.settled(lambda: [w.states()[s] for s in a + b + y] == wanted + wanted + ["delivered"] * 2)
    assert w.sql("SELECT count(*), min(gateway_at), max(gateway_at) FROM event WHERE step = 102")[0][0] == 10
    assert w.one("SELECT extract(epoch FROM min(gateway_at)) FROM event WHERE sms_id = %s", a[0]) == 1769847300
    assert w.one("SELECT error FROM event WHERE sms_id = %s", b[3]) == "e"
    assert w.one("SELECT count(*) FROM msg_map") == 10
    w.check_stats()
    w.settled(w.journal_empty)
    assert w.sql("SELECT DISTINCT service FROM service") == [("callback",)]
    w.stop()
    assert w.idle() and w.one("SELECT count(*) FROM parked") == 0
    # What each minute saw: every message was submitted, accepted, and came to one end.
    assert dict(w.sql("SELECT state, sum(count)::int FROM stats_minute GROUP BY 1")) == {
        10: 10, 30: 10, 90: 4, 80: 2, 60: 2, 70: 2}


@pytest.mark.parametrize("every", [1, 7], ids=["neighbours", "scattered"])
def test_a_stretch_of_messages_in_one_flush(world, every):
    """Neighbours are read by one walk, scattered ones looked up; what has no claim or no message waits either way."""
    w = world(flush_interval="2s")
    w.start()
    messages = w.messages(210, claimed=False)
    told = messages[::every]
    unclaimed = {told[3], told[-4]}
    w.claim([m for m in messages if m not in unclaimed])
    w.publish([r for m in told for r in (w.submitted(m), w.accepted(m, f"M{m}"))] +
              [w.step(100, None, model=False, seq_id=f"{messages[-1] + 1}.1.1", number=491719999999, segments=1)])
    w.settled(lambda: sum(s == "accepted" for s in w.states().values()) == len(told) - 2)
    states = w.states()
    assert all(states[m] == ("accepted" if m in told and m not in unclaimed else "queued") for m in messages)
    assert w.one("SELECT count(*) FROM parked") == 5
    w.claim(sorted(unclaimed))
    w.publish([w.report(m, f"M{m}", named=True) for m in told])
    w.settled(lambda: all(w.states()[m] == "delivered" for m in told))
    w.check_stats()


def test_who_may_report_and_how(world):
    w = world(more="  body_bytes: 4KiB\n  request_timeout: 2s\n  connections_per_address: 20")
    w.start()
    assert w.post("alpha", query="report=x", token="wrong")[0] == 401
    assert w.post("alpha", query="report=x", token="")[0] == 401
    assert w.post("alpha", query="report=x", token=TOKENS["alpha"] + "x")[0] == 401
    assert w.post("alpha", query="report=x", token=TOKENS["beta"])[0] == 403
    assert w.post("", path="/report/gamma/" + TOKENS["alpha"])[0] == 404
    assert w.post("", path="/other")[0] == 404
    assert w.post("", path="/report/alpha")[0] == 401
    assert w.post("", path="/report/")[0] == 404
    assert w.post("alpha", body="x", method="PUT")[0] == 405
    assert w.post("", path="/livez") == (200, "ok\n")
    w.settled(lambda: w.post("", path="/readyz")[0] == 200)
    assert w.post("alpha", body="x" * 5000)[0] == 413
    assert raw(w, b"Content-Length: 3\r\nContent-Length: 50\r\n\r\nabc").startswith(b"HTTP/1.1 400")
    assert raw(w, b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert raw(w, b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc").startswith(b"HTTP/1.1 400")
    assert w.one("SELECT count(*) FROM quarantine") == 0
    w.stop()


def raw(w, rest):
    with socket.create_connection(("127.0.0.1", w.port), timeout=10) as s:
        s.sendall(f"POST /report/alpha/{TOKENS['alpha']} HTTP/1.1\r\nHost: x\r\n".encode() + rest)
        return s.recv(4096)


@pytest.mark.parametrize("begin", [b"", b"POST /rep", b"HEAD", b"BODY"])
def test_a_slow_client_is_cut_off(world, begin):
    w = world(more="  request_timeout: 1s")
    w.start("--intake")
    head = f"POST /report/alpha/{TOKENS['alpha']} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n".encode()
    start = {b"HEAD": head, b"BODY": head + b"\r\n"}.get(begin, begin)
    with socket.create_connection(("127.0.0.1", w.port), timeout=10) as s:
        s.sendall(start)
        began, cut = time.monotonic(), False
        while time.monotonic() - began < 15 and not cut:
            try:
                s.sendall(b"a")
                s.settimeout(0.2)
                try:
                    cut = s.recv(100) == b""
                except socket.timeout:
                    pass
            except OSError:
                cut = True
        assert cut and time.monotonic() - began < 8
    assert w.post("", path="/livez")[0] == 200
    w.stop()


def test_rows_that_changed_between_reading_and_writing(world):
    """Somebody else writes rows that a flush has read: it is done again with what they say now, whether the other had
    written before or while the flush wrote, once or twice (then the row's old place may be in use again)."""
    w = world()
    ids = w.messages(200)
    w.publish([w.submitted(ids[0])])
    w.start()
    w.settled(lambda: w.states()[ids[0]] == "submitted", "its first flush, and with it all partitions")
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE message m%'"
    other = w.lab.connect(w.database)
    other.autocommit = False
    with other, other.cursor() as cursor:
        cursor.execute("UPDATE message SET state = 90, attempt = 1, changed_at = now() WHERE sms_id = %s", (ids[100],))
        cursor.execute("UPDATE message SET segments = 3 WHERE sms_id = ANY(%s)", (ids[90:110],))
        w.publish([r for s in ids for r in (w.submitted(s), w.accepted(s, f"m{s}"))])
        w.settled(lambda: w.one(blocked) == 1, "the flush to wait for the row")
    other.close()
    w.settled(lambda: set(w.states().values()) == {"accepted", "delivered"}, "the flush done again")
    assert w.states()[ids[100]] == "delivered" and list(w.states().values()).count("delivered") == 1
    assert w.one("SELECT count(*) FROM message WHERE segments = 3") == 20


def test_what_cannot_be_read_is_kept(world):
    w = world()
    w.start()
    ids = w.messages(2)
    w.publish([r for s in ids for r in (w.submitted(s), w.accepted(s, f"m{s}"))])
    assert w.post("alpha", body=b"\x00\xff garbage")[0] == 400
    assert w.post("alpha", body=b"\x00\xff garbage")[0] == 400  # kept once
    assert w.post("beta", body="{not json")[0] == 400
    assert w.post("beta")[0] == 400
    at = "2026-01-31 16:15:00"
    status, _ = w.post("alpha", body=alpha_text(w, [(ids[0], f"m{ids[0]}", "NEWWORD", at), (ids[1], f"m{ids[1]}", "DELIVRD", at)]))
    assert status == 200
    w.settled(lambda: w.one("SELECT count(*) FROM quarantine") == 4 and w.states()[ids[1]] == "delivered")
    rows = w.sql("SELECT gateway, reason, error, body FROM quarantine ORDER BY gateway, reason, body")
    assert [(g, r) for g, r, _, _ in rows] == [("alpha", "unlisted_status"), ("alpha", "unreadable"), ("beta", "unreadable"), ("beta", "unreadable")]
    assert "alpha.yaml" in rows[0][2] and "NEWWORD" in rows[0][2] and f"m{ids[0]}" in rows[0][3]
    assert "garbage" in rows[1][3] and "{not json" in rows[3][3]
    assert w.states()[ids[0]] == "accepted"
    # A person adds the word; SIGHUP takes it up.
    path = w.conf / "gateways/alpha.yaml"
    path.write_text(path.read_text().replace("    DELIVRD: delivered\n", "    DELIVRD: delivered\n    NEWWORD: undelivered\n"))
    w.processes[-1].send_signal(signal.SIGHUP)
    w.settled(lambda: "configuration loaded again" in w.log())
    assert w.post("alpha", body=alpha_text(w, [(ids[0], f"m{ids[0]}", "NEWWORD", at)]))[0] == 200
    w.settled(lambda: w.states()[ids[0]] == "undelivered")
    # A bad configuration changes nothing.
    path.write_text("nonsense: true\n")
    w.processes[-1].send_signal(signal.SIGHUP)
    w.settled(lambda: "the old one stays" in w.log())
    assert w.post("alpha", body=alpha_text(w, [(ids[0], f"m{ids[0]}", "DELIVRD", at)]))[0] == 200
    w.settled(lambda: w.states()[ids[0]] == "delivered")
    w.stop()


def life_of(w, ids, gateway="alpha"):
    """Told steps of messages that went all ways: refused at first, in doubt, reported twice, by reference."""
    records, dice = [], random.Random(len(ids))
    retried = [s for s in ids if s % 5 == 0]
    w.claim(retried, gateway, attempt=2)
    for s in ids:
        attempt = 2 if s in retried else 1
        records.append(w.submitted(s, gateway=gateway))
        if attempt == 2:
            records += [w.outcome(s, None, "throttled", gateway=gateway), w.submitted(s, attempt=2, gateway=gateway)]
        if s % 7 == 0:
            records.append(w.outcome(s, "in_doubt", "timeout", attempt=attempt, gateway=gateway))
            records.append(w.report(s, f"id{s}", "delivered", "DELIVRD", named=True, attempt=attempt, gateway=gateway))
            continue
        if s % 11 == 0:
            records.append(w.outcome(s, "rejected", "17", attempt=attempt, gateway=gateway))
            continue
        records.append(w.accepted(s, f"id{s}", attempt=attempt, gateway=gateway))
        for _ in range(dice.randrange(3)):
            state, word = dice.choice([("delivered", "DELIVRD"), ("expired", "EXPIRED"), (None, "ACCEPTD")])
            records.append(w.report(s, f"id{s}", state, word, attempt=attempt, gateway=gateway, gateway_at=now_ms()))
    return records


def test_the_version_that_rendered_it(world):
    """Of several attempts the highest that names one, in whatever order they are told; a render error's too; 0 where none is told."""
    w = world(flush_interval="200ms")
    w.start()
    plain, twice, failed, silent = w.messages(4)
    w.claim([twice], attempt=2)

    def versions():
        return dict(w.sql("SELECT m.sms_id, coalesce(v.word, '') FROM message m LEFT JOIN word v ON v.id = m.version AND v.kind = 'version'"))

    w.publish([w.submitted(twice, attempt=2, version="0000000000000002"), w.accepted(plain, "P"),
               w.outcome(failed, "render_error", "template", attempt=0, version="00000000000000ff"), w.submitted(silent)])
    w.settled(lambda: versions()[twice].endswith("2"))
    w.publish([w.submitted(twice, attempt=1, version="0000000000000001"), w.submitted(plain, version="0000000000000001")])
    w.settled(lambda: versions()[plain] != "")
    assert versions() == {plain: "0000000000000001", twice: "0000000000000002", failed: "00000000000000ff", silent: ""}
    w.check()


@pytest.mark.parametrize("order", ["as told", "reversed", "shuffled", "twice", "one by one"])
def test_any_order(world, order):
    w = world(flush_interval="100ms")
    w.start("--consumer")
    ids = w.messages(60) + w.messages(40, days_ago=1)
    records = life_of(w, ids)
    if order == "reversed":
        records.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(records)
    elif order == "twice":
        records += records
    w.publish(records, size=3 if order == "one by one" else 50)
    w.settled(lambda: w.rows() == w.model() and w.one("SELECT count(*) FROM parked") == 0)
    w.stop()
    w.check()
    assert w.idle()
    before = tables(w)
    w.publish(records, size=70)  # and all of it once more: nothing moves
    w.start("--consumer")
    w.settled(w.idle)
    w.stop()
    assert tables(w) == before


def tables(w):
    names = {"message": "sms_id", "msg_map": "gateway, msg_id, number, sms_id", "event": "sms_id, digest",
             "stats": "run_id, day, gateway, state, reason", "stats_minute": "minute, gateway, state", "parked": "id", "quarantine": "id"}
    return {n: w.sql(f"SELECT * FROM {n} ORDER BY {key}") for n, key in names.items()}


def test_reports_before_answers(world):
    w = world(flush_interval="100ms")
    w.start()
    ids = w.messages(20)
    at = "2026-01-31 16:15:00"
    body = alpha_text(w, [(s, f"early{s}", "DELIVRD", at) for s in ids])
    assert w.post("alpha", body=body)[0] == 200
    assert w.post("alpha", body=body)[0] == 200
    w.settled(lambda: w.one("SELECT count(DISTINCT msg_id) FROM parked") == 20)
    w.publish([w.submitted(s) for s in ids])
    w.publish([w.accepted(s, f"early{s}") for s in ids])
    w.settled(lambda: set(w.states().values()) == {"delivered"})
    assert w.one("SELECT count(*) FROM parked") == 0
    assert w.one("SELECT count(*) FROM event") == 20  # told twice, kept once
    w.check_stats()
    w.stop()


def test_ids_in_hex_and_decimal(world, tmp_path):
    w = world()
    path = w.conf / "gateways/alpha.yaml"
    path.write_text(path.read_text().replace("${SMSCHAIN_ALPHA_REPORT_ID:-as_given}", "decimal")
                    .replace("${SMSCHAIN_ALPHA_ANSWER_ID:-as_given}", "hex"))
    w.start()
    ids = w.messages(2)
    big = [10435073, 2**70 + 3]
    w.publish([r for s, n in zip(ids, big) for r in (w.submitted(s), w.accepted(s, f"00{n:X}"))])
    w.settled(lambda: set(w.states().values()) == {"accepted"})
    w.post("alpha", body=alpha_text(w, [(s, f"000{n}", "DELIVRD", "2026-01-31 16:15:00") for s, n in zip(ids, big)]))
    w.settled(lambda: set(w.states().values()) == {"delivered"})
    assert w.sql("SELECT msg_id, raw_msg_id FROM msg_map ORDER BY sms_id") == [(str(n), f"00{n:X}") for n in big]
    w.stop()


def test_the_broker_is_away(world):
    w = world()
    ids = w.messages(50)
    w.broker_proxy.cut()
    w.start()
    records = [r for s in ids for r in (w.submitted(s), w.accepted(s, f"m{s}"))]
    w.publish(records)
    for s in ids:
        assert w.post("alpha", body=alpha_text(w, [(s, f"m{s}", "DELIVRD", "2026-01-31 16:15:00")]))[0] == 200
    assert not w.journal_empty()
    w.processes[-1].kill()  # even so: what was answered is on disk, and the next one adopts it
    w.processes[-1].wait()
    w.start()
    assert w.post("beta", body="[]")[0] == 400
    w.broker_proxy.mend()
    w.settled(lambda: set(w.states().values()) == {"delivered"})
    w.settled(w.journal_empty)
    w.check_stats()
    w.stop()


@pytest.mark.parametrize("point", FAULTS)
def test_killed_at(world, point):
    w = world(flush_interval="200ms")
    w.start(SMSCHAIN_FAULT=f"{point}:1")
    ids = w.messages(40)
    b = w.messages(3, gateway="beta")
    w.publish(life_of(w, ids), size=30)
    w.publish([r for s in b for r in (w.submitted(s, gateway="beta"), w.accepted(s, f"b{s}", gateway="beta"))])
    answered = []
    for s in b:
        w.step(102, s, gateway="beta", msg_id=f"b{s}", state="delivered", reason="DELIVERED", named=False)
        answered.append(deliver(w, s))
    process = w.processes[0]
    assert process.wait(SECONDS) == -signal.SIGKILL, w.log()[-3000:]
    w.start()
    for s, done in zip(b, answered):
        if not done:
            assert deliver(w, s), "the gateway posts again what was not answered"
    w.settled(lambda: strip(w.rows()) == strip(w.model()) and w.one("SELECT count(*) FROM parked") == 0)
    w.settled(w.idle)
    w.settled(w.journal_empty)
    w.stop()
    w.check(but_times=True)
    assert w.take("sms.dead") == []


def strip(rows):
    return {k: v[:4] for k, v in rows.items()}


def deliver(w, sms_id):
    try:
        body = json.dumps({"id": f"b{sms_id}", "to": str(w.sent[sms_id]), "status": "DELIVERED", "time": "2026-01-31T08:15:00Z"})
        return w.post("beta", body=body)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize("point", ["sweep.found", "sweep.told"])
def test_killed_in_a_sweep(world, point):
    w = world(flush_interval="200ms", dispatch_more="  claim_horizon: 5m")
    ids = w.messages(5, age_s=600)
    w.start("--consumer", SMSCHAIN_FAULT=f"{point}:1")
    assert w.processes[0].wait(SECONDS) == -signal.SIGKILL
    w.start("--consumer")
    w.settled(lambda: {w.states()[s] for s in ids} == {"in_doubt"})
    assert w.one("SELECT count(*) FROM event") == 5
    w.check_stats()
    w.stop()


def test_postgresql_stops_in_the_middle(world, lab):
    w = world(flush_interval="100ms")
    w.start()
    ids = w.messages(300)
    records = life_of(w, ids)
    third = len(records) // 3
    w.publish(records[:third], size=20)
    w.connection.close()
    lab.postgres.stop()
    w.publish(records[third:2 * third], size=20)
    assert w.post("alpha", body="kept, while the database is away")[0] == 400
    time.sleep(1)
    assert w.post("", path="/readyz")[0] == 503
    lab.postgres.start()
    w.connection = lab.connect(w.database)
    w.publish(records[2 * third:], size=20)
    w.settled(lambda: w.rows() == w.model() and w.one("SELECT count(*) FROM parked") == 0)
    w.settled(lambda: w.one("SELECT count(*) FROM quarantine") == 1)
    w.stop()
    w.check()
    assert w.take("sms.dead") == []


def test_a_long_outage_of_the_database(world, lab):
    """The broker gets its messages back, nothing stays unacked; when the database is there again the queue is read on."""
    w = world(flush_interval="100ms")
    w.start("--consumer", SMSCHAIN_TEST_DATABASE_OUTAGE_MS="1500")
    ids = w.messages(50)
    records = life_of(w, ids)
    w.connection.close()
    lab.postgres.stop()
    w.publish(records, size=10)
    wait_for(lambda: "the broker gets its messages back" in w.log(), SECONDS, "the channel's end")
    wait_for(lambda: w.lab.queues(w.vhost)["sms.update.0"] == (len(records) // 10 + 1, 0), SECONDS, "all of it ready, nothing unacked")
    lab.postgres.start()
    w.connection = lab.connect(w.database)
    w.settled(lambda: w.rows() == w.model())
    w.settled(w.idle)
    w.stop()
    w.check()


def test_ends_while_the_database_is_away(world, lab):
    w = world(flush_interval="100ms")
    w.start()
    ids = w.messages(5)
    w.settled(lambda: w.post("", path="/readyz")[0] == 200)
    w.connection.close()
    lab.postgres.stop()
    w.publish([w.submitted(s) for s in ids])
    time.sleep(1)
    w.stop()
    lab.postgres.start()
    w.connection = lab.connect(w.database)
    assert set(w.states().values()) == {"queued"}
    w.start("--consumer")
    w.settled(lambda: set(w.states().values()) == {"submitted"})
    w.stop()
    w.check()


def test_two_shards_meet_on_the_same_messages(world):
    """A message handed over is told of in two queues: both consumers move the same rows, neither loses anything."""
    w = world(flush_interval="100ms", shards=2)
    w.start("--consumer")
    ids = w.messages(300)
    w.claim(ids, "beta", attempt=2)
    alpha = [r for s in ids for r in (w.submitted(s), w.outcome(s, None, "throttled"))]
    beta = [r for s in ids for r in (w.submitted(s, attempt=2, gateway="beta"), w.accepted(s, f"b{s}", attempt=2, gateway="beta"),
                                     w.report(s, f"b{s}", attempt=2, gateway="beta"))]
    for i in range(0, 600, 40):
        w.publish(alpha[i:i + 40], queue="sms.update.0")
        w.publish(beta[i * 3 // 2:i * 3 // 2 + 60], queue="sms.update.1")
    w.settled(lambda: w.rows() == w.model())
    w.stop()
    w.check()


def test_poison(world):
    w = world(flush_interval="300ms")
    w.sql("ALTER TABLE event ADD CONSTRAINT poison CHECK (error IS DISTINCT FROM 'poison')")
    ids = w.messages(200)
    records = life_of(w, ids)
    poisoned = [w.report(s, f"p{s}", "delivered", "DELIVRD", named=True, model=False, error="poison") for s in ids[:3]]
    records[50:50], records[120:120], records[:0] = poisoned[:1], poisoned[1:2], poisoned[2:]
    old = f"{(today() - 1000) << 36 | 7}.1.1"
    aged = {"step": 101, "at": now_ms(), "gateway": "alpha", "seq_id": old, "number": 49171, "msg_id": "x"}
    broken = {"step": 101, "at": now_ms(), "gateway": "alpha", "seq_id": "nonsense", "number": 49171, "msg_id": "x"}
    w.publish(records + [aged, broken], size=100)
    w.publish_body(b"this is no chunk")
    w.publish_body({"v": 1, "kind": "rows", "records": []})
    w.start("--consumer")
    w.settled(lambda: w.rows() == w.model())
    w.settled(w.idle)
    dead = w.take("sms.dead")
    assert len(dead) == 7
    why = sorted(h["x-smschain-why"] for _, h in dead)
    assert sum("poison" in text for text in why) == 3
    assert sum("older than claims are kept" in text for text in why) == 1
    assert {h["x-smschain-from"] for _, h in dead} == {"sms.update.0"}
    single = [json.loads(body) for body, h in dead if "poison" in h["x-smschain-why"]]
    assert all(len(c["records"]) == 1 and c["records"][0]["error"] == "poison" for c in single)
    assert b"this is no chunk" in [body for body, _ in dead]
    w.stop()
    w.check()


def test_a_newer_version_waits(world):
    w = world()
    ids = w.messages(1)
    w.publish([w.submitted(ids[0])])
    w.publish_body({"v": 2, "kind": "steps", "records": [{"new": True}]})
    w.start("--consumer")
    w.settled(lambda: "upgraded first" in w.log())
    time.sleep(1)
    assert w.take("sms.dead") == []
    w.stop()
    w.settled(lambda: w.lab.queues(w.vhost)["sms.update.0"] in ((1, 0), (2, 0)), "the chunk back in its queue")


def test_instant_does_not_wait(world):
    w = world(flush_interval="60s")
    w.start("--consumer")
    bulk, instant = w.messages(1), w.messages(1, lane=1)
    w.publish([w.submitted(bulk[0])])
    time.sleep(1.5)
    assert set(w.states().values()) == {"queued"}
    began = time.monotonic()
    w.publish([w.submitted(instant[0], lane="instant")])
    w.settled(lambda: w.states()[instant[0]] == "submitted")
    assert time.monotonic() - began < 3  # a second, and a loaded machine
    assert w.states()[bulk[0]] == "submitted"  # it goes along
    w.publish([w.accepted(bulk[0], "x")])
    time.sleep(0.5)
    w.stop()  # the end flushes what is gathered
    assert w.states()[bulk[0]] == "accepted"
    w.check()


def test_sweeps(world):
    w = world(flush_interval="200ms", dispatch_more="  claim_horizon: 5m", more="  report_horizon: 10s\n  park_horizon: 10s")
    open_, done, never = w.messages(3, age_s=600), w.messages(3, age_s=600), w.messages(3, age_s=600)
    settled = w.messages(1, age_s=600)
    w.sql("UPDATE claim SET settled = 3 WHERE sms_id = %s", settled[0])
    old = now_ms() - 50000
    w.publish([w.submitted(s, at=old) for s in open_[:1] + done + never])
    w.publish([w.accepted(s, f"m{s}", at=old + 5) for s in done + never])
    w.publish([w.report(s, f"m{s}", at=old + 9) for s in done])
    w.publish([w.report(done[0], "nobody", model=False)])
    w.start("--consumer")
    w.settled(lambda: {w.states()[s] for s in open_} == {"in_doubt"} and {w.states()[s] for s in never} == {"unknown"},
              "in doubt and unknown", dump=w.rows)
    assert {w.states()[s] for s in done} == {"delivered"} and w.states()[settled[0]] == "queued"
    assert {r for (r,) in w.sql("SELECT DISTINCT origin FROM event WHERE step = 110")} == {"sweep"}
    w.settled(lambda: w.one("SELECT count(*) FROM parked WHERE given_up_at IS NOT NULL") == 1)
    # A later outcome replaces the doubt; a late report the unknown.
    w.publish([w.accepted(open_[0], "late"), w.report(never[0], f"m{never[0]}")])
    w.settled(lambda: w.states()[open_[0]] == "accepted" and w.states()[never[0]] == "delivered")
    # What was given up is still applied when its key comes.
    w.sent[open_[1]] = w.sent[done[0]]
    w.sql("UPDATE message SET number = %s WHERE sms_id = %s", w.sent[done[0]], open_[1])
    w.publish([w.accepted(open_[1], "nobody")])
    w.settled(lambda: w.one("SELECT count(*) FROM parked") == 0 and w.states()[open_[1]] == "delivered")
    w.check_stats()
    w.stop()


def test_parked_steps_are_tried_at_start(world):
    w = world()
    ids = w.messages(3, claimed=False)
    w.publish([r for s in ids for r in (w.submitted(s), w.accepted(s, f"m{s}"), w.report(s, f"m{s}"))])
    w.start("--consumer")
    w.settled(lambda: w.one("SELECT count(*) FROM parked") == 9)
    assert set(w.states().values()) == {"queued"}
    w.stop()
    w.claim(ids)
    w.start("--consumer")
    w.settled(lambda: set(w.states().values()) == {"delivered"})
    w.stop()
    w.check()


def test_inference(world):
    """A report nobody waits for settles the one message in doubt that it can be about."""
    w = world(flush_interval="500ms", more="  park_horizon: 72h")
    path = w.conf / "gateways/alpha.yaml"
    path.write_text(path.read_text().replace("${SMSCHAIN_ALPHA_ANSWER_TIMEOUT:-30s}", "1s"))
    sure, twin = w.messages(1, age_s=30), w.messages(1, age_s=30)
    w.messages(1, age_s=30, numbers=[w.sent[twin[0]]])
    late = w.messages(1, age_s=400)
    for s in (*sure, *twin, *late, twin[0] + 1):
        w.publish([w.submitted(s), w.outcome(s, "in_doubt", "timeout")])
    w.publish([w.report(s, f"unseen{s}", model=False) for s in (*sure, *twin, *late)])
    w.start("--consumer")
    w.settled(lambda: w.states()[sure[0]] == "delivered")
    assert w.one("SELECT origin FROM event WHERE step = 102") == "inferred"
    assert w.sql("SELECT msg_id FROM msg_map") == [(f"unseen{sure[0]}",)]
    time.sleep(3)
    assert {w.states()[s] for s in (*twin, *late)} == {"in_doubt"}  # two it could be, and one too long ago
    assert w.one("SELECT count(*) FROM parked") == 2
    w.check_stats()
    w.stop()


def test_two_consumers_one_works(world):
    """Single active consumer: the second stands by, and takes over when the first is gone."""
    w = world(flush_interval="100ms")
    first = w.start("--consumer")
    w.start("--consumer")
    ids = w.messages(100)
    records = life_of(w, ids)
    w.publish(records[:100], size=10)
    w.settled(lambda: w.one("SELECT count(*) FROM message WHERE state > 0") > 0)
    first.kill()
    first.wait()
    w.publish(records[100:], size=10)
    w.settled(lambda: w.rows() == w.model())
    w.stop()
    w.check()


def test_the_journal_is_full(world, tmp_path):
    """The disk takes nothing more: 503, and again 200 when it does."""
    w = world()
    process = w.start("--intake")
    import resource
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    body = alpha_text_of("m1", 491710000001)
    statuses = {w.post("alpha", body=body)[0] for _ in range(3)}
    if process.poll() is not None:
        pytest.skip("this system ends a process at its file size limit")
    assert statuses == {503}
    assert w.post("", path="/readyz")[0] == 503
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for(lambda: w.post("alpha", body=body)[0] == 200, SECONDS, "200 again")
    assert w.post("", path="/readyz")[0] == 200
    w.stop()


def alpha_text_of(msg_id, number):
    return f"{msg_id},{number},DELIVRD,2026-01-31 16:15:00"


def test_parts_and_arguments(world):
    w = world()
    process = w.start("--nonsense")
    assert process.wait(SECONDS) == 2
    (w.conf / "gateways/alpha.yaml").write_text("driver: smoke\n")
    process = w.start("--consumer")
    assert process.wait(SECONDS) == 2
