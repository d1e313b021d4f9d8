"""Look-ups: a gateway is asked what became of attempts in doubt, and of accepted ones without a report. The gateway here is
a plain HTTP server that answers what the test says."""
import http.server
import json
import signal
import threading
import time
import urllib.parse

import pytest

from callback_lab import SECONDS, World, now_ms

GATEWAY = """
driver: http
rate: 10
window: 5
request: {method: POST, url: "http://127.0.0.1:1/", body: "{{ text }} {{ number }} {{ seq_id }}"}
answer: [{status: 200, match: (.+), is: accepted, msg_id: match}]
report:
  token: ${SMSCHAIN_BETA_TOKEN}
  msg_id: /id
  status: /status
  states: {DELIVERED: delivered}
lookup:
  url: http://127.0.0.1:%(port)s/ask?ref={{ seq_id }}&id={{ msg_id | url_encode }}&to={{ number }}&at={{ time | url_encode }}
  headers: {X-Api-Key: "${SMSCHAIN_BETA_KEY}"}
  timeout: 2s
  answer:
    - {status: 200, pointer: /status, equals: DELIVERED, is: delivered, msg_id: /id}
    - {status: 200, pointer: /status, equals: FAILED, is: undelivered, reason: /error}
    - {status: 200, pointer: /status, equals: ON_ITS_WAY, is: accepted, msg_id: /id}
    - {status: 404, pointer: /code, equals: "44", is: not_accepted}
  rate: 100
  wait: 100ms
  retry_base: 300ms
  retry_max: 1s
  give_up: %(give_up)s
  after: %(after)s
  proof_after: %(proof_after)s
"""
FAULTS = ["lookup.asked", "lookup.told", "lookup.before_settle", "lookup.settled"]


class Provider:
    """Answers by our reference; what is not there gets 404 with code 44."""

    def __init__(self):
        self.answers, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                outer.asked.append({**query, "key": self.headers["X-Api-Key"], "when": time.monotonic()})
                status, body = outer.answers.get(query["ref"], (404, {"code": 44}))
                text = json.dumps(body).encode() if not isinstance(body, bytes) else body
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def times(self, sms_id):
        return [a["when"] for a in self.asked if a["ref"] == f"{sms_id}.1.1"]


@pytest.fixture
def make(tmp_path, lab):
    made = []

    def world(give_up="1h", after="0s", proof_after="1s", **settings):
        w = World(tmp_path, lab, **{"flush_interval": "200ms", **settings})
        w.provider = Provider()
        made.append(w)
        (w.conf / "gateways/beta.yaml").write_text(
            GATEWAY % {"port": w.provider.port, "give_up": give_up, "after": after, "proof_after": proof_after})
        return w
    yield world
    for w in made:
        w.provider.server.shutdown()
        w.close()


def ref(sms_id, attempt=1):
    return f"{sms_id}.1.{attempt}"


def doubt(w, count, origin=None, row=True):
    """Messages in doubt, as dispatch tells it (origin None), its slots, or a sweep; with the rows they were made of."""
    ids = w.messages(count, gateway="beta")
    for s in ids:
        w.publish([w.submitted(s, gateway="beta"), w.outcome(s, "in_doubt", "timeout", gateway="beta", origin=origin)])
    if row:
        records = [{"sms_id": s, "number": w.sent[s], "run": w.run, "rule": "r0", "tmpl": "t", "valid_until": now_ms() + 10**7,
                    "row": {"name": f"person {s}"}} for s in ids]
        w.sql("INSERT INTO outbox (due_at, target, body, run_id, published_at) "
              "SELECT created_at, 'sms.render.bulk', %s, run_id, now() FROM message WHERE sms_id = %s",
              json.dumps({"v": 1, "kind": "rows", "records": records}, separators=(",", ":")), ids[0])
    return ids


def resent(w):
    return [json.loads(body)["records"] for (body,) in
            w.sql("SELECT body FROM outbox WHERE published_at IS NULL AND target = 'sms.render.bulk' ORDER BY id")]


def test_what_the_gateway_says_settles(make):
    w = make(proof_after="1h")
    w.start("--consumer")
    done, failed, on_its_way, unknown, garbage = doubt(w, 5)
    w.provider.answers = {ref(done): (200, {"status": "DELIVERED", "id": "d1"}),
                          ref(failed): (200, {"status": "FAILED", "error": "no such phone"}),
                          ref(on_its_way): (200, {"status": "ON_ITS_WAY", "id": "w1"}),
                          ref(garbage): (200, b"<html>")}
    w.settled(lambda: [w.states()[s] for s in (done, failed, on_its_way)] == ["delivered", "undelivered", "accepted"], dump=w.rows)
    assert dict(w.sql("SELECT msg_id, sms_id FROM msg_map")) == {"d1": done, "w1": on_its_way}
    assert w.sql("SELECT r.word, e.origin FROM event e JOIN word r ON r.id = e.reason WHERE sms_id = %s AND state = 80", failed) == \
        [("no such phone", "lookup")]
    asked = next(a for a in w.provider.asked if a["ref"] == ref(done))
    assert asked["to"] == str(w.sent[done]) and asked["key"] == "k" and asked["at"].startswith("20")
    # A report for the id that only the look-up has told finds its message.
    w.publish([w.report(on_its_way, "w1", word="DELIVERED", gateway="beta", model=False)])
    w.settled(lambda: w.states()[on_its_way] == "delivered")
    w.settled(lambda: w.one("SELECT count(*) FROM lookup") == 2)  # those that are settled are not asked any more
    w.settled(lambda: len(w.provider.times(unknown)) >= 4 and len(w.provider.times(garbage)) >= 4)
    assert {w.states()[s] for s in (unknown, garbage)} == {"in_doubt"}  # 404: proves nothing before proof_after
    assert {said for (said,) in w.sql("SELECT said FROM lookup")} == {"not_accepted", "no line of lookup.answer fits"}
    assert resent(w) == [] and w.one("SELECT count(*) FROM claim WHERE settled <> 0") == 0
    w.check_stats()
    w.stop()


def test_not_accepted_is_sent_again(make):
    w = make(proof_after="2s")
    w.start("--consumer")
    ids = doubt(w, 3)
    w.settled(lambda: {w.states()[s] for s in ids} == {"in_doubt"})
    w.settled(lambda: w.one("SELECT count(*) FROM claim WHERE settled = 4") == 3)
    rows = [r for records in resent(w) for r in records]
    assert sorted(r["sms_id"] for r in rows) == ids and len(resent(w)) == 3
    assert rows[0]["row"]["name"].startswith("person") and rows[0]["number"] == w.sent[rows[0]["sms_id"]]
    assert w.one("SELECT min(settled_at - told_at) > interval '1.9 s' FROM (SELECT o.due_at AS settled_at, "
                 "(SELECT max(at) FROM event WHERE state = 20) AS told_at FROM outbox o WHERE o.published_at IS NULL) x")
    said = "SELECT e.state, r.word, count(*) FROM event e JOIN word r ON r.id = e.reason WHERE e.origin = 'lookup' GROUP BY 1, 2"
    w.settled(lambda: w.sql(said) == [(None, "not_accepted", 3)])
    w.settled(lambda: w.one("SELECT count(*) FROM lookup") == 0)
    asked = len(w.provider.asked)
    time.sleep(2)
    assert len(w.provider.asked) == asked and len(resent(w)) == 3, "asked or sent again once more"
    assert {w.states()[s] for s in ids} == {"in_doubt"}
    # The next attempt: its steps stand above the doubt about the first.
    w.claim(ids, "beta", attempt=2)
    for s in ids:
        w.publish([w.submitted(s, attempt=2, gateway="beta"), w.accepted(s, f"n{s}", attempt=2, gateway="beta")])
    w.settled(lambda: {w.states()[s] for s in ids} == {"accepted"})
    w.check_stats()
    w.stop()


def test_segments_are_asked_for_one_by_one(make):
    """Of a message in parts in doubt: what became of one, and that another was never accepted."""
    w = make(proof_after="1s")
    w.start("--consumer")
    (s,) = w.messages(1, claimed=False)
    w.cut([s], 3, "beta")
    w.sql("INSERT INTO outbox (due_at, target, body, run_id, published_at) SELECT created_at, 'sms.render.bulk', %s, run_id, now() FROM message",
          json.dumps({"v": 1, "kind": "rows", "records": [{"sms_id": s, "number": w.sent[s], "run": w.run, "rule": "r0", "tmpl": "t",
                                                           "valid_until": now_ms() + 10**7, "row": {"name": "x"}}]}, separators=(",", ":")))
    w.provider.answers[f"{s}.1.1"] = (200, {"status": "DELIVERED", "id": "p1"})
    w.provider.answers[f"{s}.3.1"] = (200, {"status": "ON_ITS_WAY", "id": "p3"})
    w.publish([w.submitted(s, segment=n, gateway="beta") for n in (1, 2, 3)]
              + [w.outcome(s, "in_doubt", "timeout", segment=n, gateway="beta") for n in (1, 2, 3)])
    stands = "SELECT segment, state FROM segment ORDER BY 1"
    w.settled(lambda: w.sql(stands) == [(1, 90), (2, 20), (3, 30)], dump=lambda: (w.sql(stands), w.provider.asked))
    w.settled(lambda: w.sql("SELECT segment FROM claim WHERE settled = 4") == [(2,)])
    assert [r["sms_id"] for records in resent(w) for r in records] == [s]
    w.settled(lambda: w.sql("SELECT segment FROM lookup") == [(3,)])  # on its way: asked until it is reported
    w.claim([s], "beta", attempt=2, segment=2, parts=3)
    w.publish([w.submitted(s, segment=2, attempt=2, gateway="beta"), w.accepted(s, "p2", segment=2, attempt=2, gateway="beta"),
               w.report(s, "p2", segment=2, attempt=2, gateway="beta"), w.report(s, "p3", segment=3, gateway="beta")])
    w.settled(lambda: w.states()[s] == "delivered", dump=lambda: w.sql(stands))
    w.check_stats()
    w.stop()


def test_what_proves_nothing(make):
    """A doubt that a sweep has told may be about a process that was stopped before the first byte; an attempt that has an
    id was accepted; and history that was lost may hold another attempt."""
    w = make()
    w.start("--consumer")
    swept, person = doubt(w, 1, origin="sweep"), doubt(w, 1, origin="person")
    known = doubt(w, 1)
    w.sql("INSERT INTO msg_map SELECT gateway, 'id', 1, sms_id, segment, attempt, NULL, now() FROM claim WHERE sms_id = %s", known[0])
    w.settled(lambda: min(len(w.provider.times(s)) for s in swept + person + known) >= 6, dump=lambda: w.provider.asked)
    slots = doubt(w, 1, origin="slots")  # its process is dead for certain
    w.settled(lambda: w.sql("SELECT sms_id FROM claim WHERE settled = 4") == [(slots[0],)])
    w.stop()
    history = doubt(w, 1)
    w.sql("UPDATE database_history SET generation = 2, accepted_at = clock_timestamp()")
    w.start("--consumer")
    w.settled(lambda: len(w.provider.times(history[0])) >= 6)
    sure = doubt(w, 1)  # claimed after the acceptance
    w.settled(lambda: w.one("SELECT count(*) FROM claim WHERE settled = 4 AND sms_id = %s", sure[0]) == 1)
    assert w.sql("SELECT sms_id FROM claim WHERE settled = 4 ORDER BY 1") == [(slots[0],), (sure[0],)]
    assert len(resent(w)) == 2
    w.stop()


def test_its_row_is_kept_no_more(make):
    w = make()
    w.start("--consumer")
    ids = doubt(w, 2, row=False)
    w.settled(lambda: {w.states()[s] for s in ids} == {"rejected"}, dump=w.rows)
    assert w.one("SELECT word FROM word WHERE id = (SELECT DISTINCT reason FROM message)") == "not_accepted"
    w.check_stats()
    w.stop()


def test_accepted_without_a_report(make):
    w = make(after="1s")
    w.start("--consumer")
    ids = w.messages(4, gateway="beta")
    w.publish([r for s in ids for r in (w.submitted(s, gateway="beta"), w.accepted(s, f"m/{s}", gateway="beta"))])
    w.provider.answers = {ref(ids[0]): (200, {"status": "DELIVERED", "id": f"m/{ids[0]}"}),
                          ref(ids[1]): (200, {"status": "ON_ITS_WAY"})}
    w.settled(lambda: w.states()[ids[0]] == "delivered")
    w.settled(lambda: all(len(w.provider.times(s)) >= 3 for s in ids[1:]))
    assert {w.states()[s] for s in ids[1:]} == {"accepted"}
    assert w.provider.asked[-1]["id"].startswith("m/")
    assert w.one("SELECT count(*) FROM claim WHERE settled <> 0") == 0 and resent(w) == []
    w.stop()


def test_given_up(make):
    w = make(give_up="2s", proof_after="1h")
    w.start("--consumer")
    ids = doubt(w, 2)
    w.settled(lambda: w.one("SELECT count(*) FROM lookup WHERE next_at IS NULL") == 2)
    asked = len(w.provider.asked)
    assert 2 <= asked <= 12
    w.settled(lambda: "is for a person" in w.log())
    time.sleep(2)
    assert len(w.provider.asked) == asked
    assert {w.states()[s] for s in ids} == {"in_doubt"}
    w.stop()


@pytest.mark.parametrize("point", FAULTS)
def test_killed_at(make, point):
    w = make()
    ids = doubt(w, 6)
    known = {s: (200, {"status": "DELIVERED", "id": f"d{s}"}) for s in ids[:3]}
    w.provider.answers = {ref(s): answer for s, answer in known.items()}
    w.start("--consumer", SMSCHAIN_FAULT=f"{point}:2")
    assert w.processes[0].wait(SECONDS) == -signal.SIGKILL, w.log()[-3000:]
    w.start("--consumer")
    w.settled(lambda: {w.states()[s] for s in ids[:3]} == {"delivered"} and
              w.one("SELECT count(*) FROM claim WHERE settled = 4") == 3, dump=w.rows)
    w.settled(lambda: w.one("SELECT count(*) FROM lookup") == 0)
    w.settled(w.idle)
    assert sorted(r["sms_id"] for records in resent(w) for r in records) == ids[3:]
    assert w.sql("SELECT count(*) FROM event WHERE origin = 'lookup' GROUP BY sms_id") == [(1,)] * 6
    assert w.one("SELECT count(*) FROM msg_map") == 3
    w.check_stats()
    w.stop()


def test_the_gateway_is_away(make):
    w = make()
    port = w.provider.port
    path = w.conf / "gateways/beta.yaml"
    path.write_text(path.read_text().replace(f":{port}/", ":1/"))
    w.start("--consumer")
    ids = doubt(w, 2)
    w.settled(lambda: "a look-up has no answer" in w.log())
    w.settled(lambda: w.one("SELECT min(tries) FROM lookup") >= 3)
    assert w.log().count("a look-up has no answer") == 1
    path.write_text(path.read_text().replace(":1/ask", f":{port}/ask"))
    w.provider.answers = {ref(s): (200, {"status": "DELIVERED", "id": str(s)}) for s in ids}
    w.processes[0].send_signal(signal.SIGHUP)
    w.settled(lambda: {w.states()[s] for s in ids} == {"delivered"})
    w.stop()


DAILY = ("message", "claim", "msg_map", "event", "segment")


def test_old_days_are_dropped(make):
    w = make()
    w.sql("INSERT INTO stats_minute VALUES (now() - interval '92 days', 1, 30, 5), (now(), 1, 30, 7)")
    (first,) = w.sql("SELECT (now() AT TIME ZONE 'UTC')::date - date '2020-01-01'")[0]
    for day in (first - 93, first - 92, first - 91, first - 90):
        for table in DAILY:
            w.sql(f"CREATE TABLE {table}_{day} PARTITION OF {table} FOR VALUES FROM ({day << 36}) TO ({(day + 1) << 36})")
    w.start("--consumer")
    w.settled(lambda: w.one("SELECT count(*) FROM stats_minute") == 1)
    left = {name for (name,) in w.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(message|claim|msg_map|event|segment)_[0-9]+$'")}
    assert {f"{t}_{d}" for t in DAILY for d in (first - 91, first - 90)} <= left
    assert not {n for n in left if n.endswith((f"_{first - 93}", f"_{first - 92}"))}
    w.stop()
