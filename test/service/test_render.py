"""smschain-render against a real broker: chunks of rows in, chunks of texts out.

Every test has a virtual host, a configuration and a process of its own. After each one the log is searched for what
must never stand there (I6)."""
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/lab"))
from servers import wait_for  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SMSCHAIN_BUILD", ROOT / "build-test"))
DAY_ID = 2515 << 36
SECONDS = 30
QUEUES = ["sms.render.bulk", "sms.render.instant", "sms.update.0", "sms.dead"] + [
    f"sms.dispatch.{gateway}.{lane}" for gateway in ("alpha", "beta") for lane in ("bulk", "instant")]
GATEWAY_QUEUES = [q for q in QUEUES if q.startswith("sms.dispatch.")]

RULE = """schedule: "0 9 * * *"
source: shop
sql: SELECT phone AS number, name FROM customer
template: due
once_per: [number]
max_recipients: 1000
route:
  - gateway: alpha
    weight: 1
  - gateway: beta
    weight: 1
"""
TEMPLATE = """---
class: service
---
Dear {{ name }}, {{ amount | money }} EUR until {{ due_on | date: "%d.%m.%Y" }}
"""


class Broker:
    """One virtual host with our exchange and queues, spoken to by the management interface."""

    def __init__(self, lab):
        self.lab = lab
        self.vhost = lab.create_vhost("render")
        self.api("PUT", "/api/exchanges/{}/sms", {"type": "direct", "durable": True})
        for queue in QUEUES:
            self.declare(queue)

    def api(self, method, path, body=None):
        return self.lab.api(method, path.format(urllib.parse.quote(self.vhost, safe="")), body)

    def declare(self, queue):
        self.api("PUT", "/api/queues/{}/" + queue, {"durable": True, "arguments": {"x-queue-type": "quorum"}})
        self.api("POST", "/api/bindings/{}/e/sms/q/" + queue, {"routing_key": queue})

    def publish(self, queue, body):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        answer = self.api("POST", "/api/exchanges/{}/sms/publish",
                          {"routing_key": queue, "properties": {"delivery_mode": 2}, "payload_encoding": "base64",
                           "payload": base64.b64encode(body).decode()})
        assert answer["routed"]

    def take(self, queue):
        """All that is ready in a queue, as [(bytes, headers)]."""
        taken = []
        while True:
            some = self.api("POST", "/api/queues/{}/" + queue + "/get",
                            {"count": 500, "ackmode": "ack_requeue_false", "encoding": "base64"})
            if not some:
                return taken
            for m in some:
                body = m["payload"].encode() if m["payload_encoding"] == "string" else base64.b64decode(m["payload"])
                taken.append((body, m["properties"].get("headers", {})))


class Render:
    def __init__(self, directory, broker):
        self.dir = directory
        self.conf = directory / "conf"
        self.log_path = directory / "render.log"
        self.process = None
        rabbit = broker.lab.state["rabbitmq"]
        for name in ("rules", "templates", "gateways", "sources"):
            (self.conf / name).mkdir(parents=True)
        (self.conf / "smschain.yaml").write_text(f"""
database:
  conninfo: host=localhost dbname=none
broker:
  host: 127.0.0.1
  port: {rabbit['port']}
  vhost: {broker.vhost}
render:
  broker_user: {rabbit['user']}
  broker_password: {rabbit['password']}
  prefetch: 4
""")
        (self.conf / "sources/shop.yaml").write_text("conninfo: host=localhost dbname=none\n")
        (self.conf / "rules/due.yaml").write_text(RULE)
        (self.conf / "templates/due.liquid").write_text(TEMPLATE)
        for gateway in ("alpha", "beta"):
            shutil.copy(ROOT / f"conf/gateways/{gateway}.yaml", self.conf / "gateways")

    def start(self, **env):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([BUILD / "render/smschain-render", "--conf", self.conf], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env={**os.environ, **env})
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def says(self, words, times=1):
        wait_for(lambda: self.log().count(words) >= times, SECONDS, f"'{words}' in the log:\n{self.log()}")


@pytest.fixture
def broker(lab):
    broker = Broker(lab)
    yield broker
    lab.delete_vhost(broker.vhost)


@pytest.fixture
def render(tmp_path, broker):
    render = Render(tmp_path, broker)
    yield render
    if render.process and render.process.poll() is None:
        render.process.kill()
        render.process.wait()
    log = render.log()
    print(log)
    assert "ERROR: " not in log, "a sanitizer spoke"
    assert "Jo Secret" not in log and not re.search(r"49171\d{6}", log), "a text or a number in the log"
    assert broker.lab.state["rabbitmq"]["password"] not in log


def row(n, **more):
    record = {"sms_id": DAY_ID + n, "number": 491711000000 + n, "run": 7, "rule": "due", "tmpl": "due",
              "valid_until": 1900000000000,
              "row": {"name": f"Jo Secret {n}", "amount": "1234.5", "due_on": "2026-02-01"}}
    record.update(more)
    return record


def chunk(records, kind="rows", version=1):
    return {"v": version, "kind": kind, "records": records}


def records(bodies, kind):
    found = []
    for body, _ in bodies:
        whole = json.loads(body)
        assert (whole["v"], whole["kind"]) == (1, kind)
        found += whole["records"]
    return found


class Collected:
    """The texts so far, by sms_id; the same message always has the same text and gateway."""

    def __init__(self, broker):
        self.broker = broker
        self.texts = {}
        self.copies = 0

    def take(self):
        for queue in GATEWAY_QUEUES:
            _, _, gateway, lane = queue.split(".")
            for text in records(self.broker.take(queue), "texts"):
                assert text["route"][0] == gateway
                assert text.get("lane", "bulk") == lane
                self.copies += 1
                assert self.texts.setdefault(text["sms_id"], text) == text
        return self.texts

    def wait(self, count):
        wait_for(lambda: len(self.take()) >= count, SECONDS, f"{count} texts, {len(self.texts)} have come", every=0.2)
        return self.texts


def finish(broker, render, collected):
    """Ends the process when all that stands in its queues was taken: what was given back comes before the last chunk.
    Then nothing may be left there, ready or unacked. (The broker's own counts are up to five seconds old.)"""
    for lane in ("bulk", "instant"):
        last = row(1 << 20 if lane == "bulk" else 1 << 21, lane=lane)
        broker.publish(f"sms.render.{lane}", chunk([last]))
        wait_for(lambda n=last["sms_id"]: n in collected.take(), SECONDS, "the last text", every=0.1)
        del collected.texts[last["sms_id"]]
    assert render.stop() == 0
    assert not broker.take("sms.render.bulk") and not broker.take("sms.render.instant")
    return collected.take()


def test_rows_become_texts_by_gateway(broker, render):
    render.start()
    broker.publish("sms.render.bulk", chunk([row(n) for n in range(1, 101)]))
    broker.publish("sms.render.instant", chunk([row(n, lane="instant") for n in range(101, 111)]))
    collected = Collected(broker)
    texts = collected.wait(110)
    assert set(texts) == {DAY_ID + n for n in range(1, 111)}
    one = texts[DAY_ID + 5]
    other = {"alpha": "beta", "beta": "alpha"}[one["route"][0]]
    version = one.pop("version")
    assert re.fullmatch("[0-9a-f]{16}", version)
    assert one == {"sms_id": DAY_ID + 5, "number": 491711000005, "run": 7, "rule": "due", "valid_until": 1900000000000,
                   "text": "Dear Jo Secret 5, 1,234.50 EUR until 01.02.2026", "encoding": "gsm7", "segments": 1,
                   "class": "service", "route": [one["route"][0], other]}
    by_gateway = [sum(t["route"][0] == g for t in texts.values()) for g in ("alpha", "beta")]
    assert min(by_gateway) > 30
    finish(broker, render, collected)
    assert not broker.take("sms.update.0") and not broker.take("sms.dead")


def test_a_row_that_cannot_be_rendered_harms_no_other(broker, render):
    render.start()
    wrong = [row(2, row={"nmae": "x", "amount": "1", "due_on": "2026-02-01"}),
             row(3, row={"name": "Jo Secret", "amount": None, "due_on": "2026-02-01"}),
             row(4, rule="dew"), row(5, row={"name": "Żółć " * 4000, "amount": "1", "due_on": "2026-02-01"})]
    broker.publish("sms.render.bulk", chunk([row(1), *wrong, row(6)]))
    collected = Collected(broker)
    assert set(collected.wait(2)) == {DAY_ID + 1, DAY_ID + 6}
    steps = []
    wait_for(lambda: steps.extend(records(broker.take("sms.update.0"), "steps")) or len(steps) >= 4, SECONDS, "steps")
    place = str(render.conf / "templates/due.liquid")
    assert [(s["step"], s["seq_id"], s["number"], s["state"], s["reason"], s["error"]) for s in steps] == [
        (110, f"{DAY_ID + 2}.1.0", 491711000002, "render_error", "template",
         f"{place}:4:9: no column 'name', did you mean 'nmae'?"),
        (110, f"{DAY_ID + 3}.1.0", 491711000003, "render_error", "template",
         f"{place}:4:21: column 'amount' is NULL and has no default"),
        (110, f"{DAY_ID + 4}.1.0", 491711000004, "render_error", "unknown_rule",
         "there is no rule 'dew' in the configuration"),
        (110, f"{DAY_ID + 5}.1.0", 491711000005, "render_error", "text_too_long",
         f"{place}:4: the text has 299 segments, 255 are possible")]
    finish(broker, render, collected)


@pytest.mark.parametrize("body", [b"no json at all", b"", b"\xff\xfe{}", b'{"v":1,"kind":"steps","records":[]}'],
                         ids=["words", "empty", "bytes", "steps"])
def test_an_unreadable_body_goes_to_the_dead_letters_whole(broker, render, body):
    render.start()
    broker.publish("sms.render.bulk", body)
    broker.publish("sms.render.bulk", chunk([row(1)]))
    collected = Collected(broker)
    collected.wait(1)
    dead = broker.take("sms.dead")
    assert [b for b, _ in dead] == [body]
    headers = dead[0][1]
    assert headers["x-smschain-from"] == "sms.render.bulk" and headers["x-smschain-why"] and headers["x-smschain-at"]
    finish(broker, render, collected)


def test_a_bad_record_goes_to_the_dead_letters_alone(broker, render):
    render.start()
    bad = {"sms_id": DAY_ID + 2, "number": "no number"}
    broker.publish("sms.render.instant", chunk([row(1, lane="instant"), bad, row(3, lane="fast"), row(4, lane="instant")]))
    collected = Collected(broker)
    assert set(collected.wait(2)) == {DAY_ID + 1, DAY_ID + 4}
    dead = []
    wait_for(lambda: dead.extend(broker.take("sms.dead")) or len(dead) >= 2, SECONDS, "dead letters")
    assert sorted(r["sms_id"] for r in records(dead, "rows")) == [DAY_ID + 2, DAY_ID + 3]
    assert all(h["x-smschain-from"] == "sms.render.instant" and h["x-smschain-why"] for _, h in dead)
    finish(broker, render, collected)


def test_a_newer_version_stays_where_it_is(broker, render):
    newer = chunk([row(2)], version=2)
    for body in (chunk([row(1)]), newer, chunk([row(3)])):
        broker.publish("sms.render.bulk", body)
    render.start()
    render.says("upgrade and restart this service")
    broker.publish("sms.render.instant", chunk([row(4, lane="instant")]))
    assert set(Collected(broker).wait(2)) == {DAY_ID + 1, DAY_ID + 4}  # the other lane goes on
    wait_for(lambda: broker.lab.queues(broker.vhost)["sms.render.bulk"] == (2, 0), SECONDS, "two bodies in the queue")
    assert render.log().count("upgrade and restart") == 1
    assert render.stop() == 0
    assert [json.loads(b) for b, _ in broker.take("sms.render.bulk")] == [newer, chunk([row(3)])]
    assert not broker.take("sms.dead")


@pytest.mark.parametrize("hit", [1, 3])
@pytest.mark.parametrize("point", ["chunk_taken", "published_texts", "published_errors", "confirmed", "acked"])
def test_killed_anywhere_every_row_comes_out(broker, render, point, hit):
    chunks = 6
    for c in range(chunks):
        broker.publish("sms.render.bulk", chunk([row(c * 20 + n) for n in range(20)] + [row(900 + c, tmpl="none")]))
    render.start(SMSCHAIN_FAULT=f"render.{point}:{hit}")
    assert render.process.wait(SECONDS) == -signal.SIGKILL
    collected = Collected(broker)
    collected.take()
    render.start()
    assert set(collected.wait(chunks * 20)) == {DAY_ID + n for n in range(chunks * 20)}
    finish(broker, render, collected)
    assert {s["seq_id"] for s in records(broker.take("sms.update.0"), "steps")} == {
        f"{DAY_ID + 900 + c}.1.0" for c in range(chunks)}
    assert not broker.take("sms.dead")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_broker_goes_and_comes(lab, broker, render, how):
    render.start()
    for c in range(5):
        broker.publish("sms.render.bulk", chunk([row(c * 10 + n) for n in range(10)]))
    # Nothing is taken by the management interface before a kill: its gets of an empty queue may hang after that.
    wait_for(lambda: broker.lab.queues(broker.vhost)["sms.dispatch.alpha.bulk"][0] > 0, SECONDS, "first chunks")
    getattr(lab.rabbitmq, how)()
    render.says("broker is away", times=3)
    lab.rabbitmq.start()
    render.says("broker is back", times=3)
    for c in range(5, 10):
        broker.publish("sms.render.bulk", chunk([row(c * 10 + n) for n in range(10)]))
    collected = Collected(broker)
    collected.wait(100)
    assert set(finish(broker, render, collected)) == {DAY_ID + n for n in range(100)}


def test_without_the_gateways_queue_the_chunk_waits(broker, render):
    for lane in ("bulk", "instant"):
        broker.api("DELETE", "/api/queues/{}/sms.dispatch.beta." + lane)
    render.start()
    broker.publish("sms.render.bulk", chunk([row(n) for n in range(50)]))
    render.says("a queue does not exist")
    wait_for(lambda: broker.lab.queues(broker.vhost)["sms.render.bulk"] == (0, 1), SECONDS, "one unacked chunk")
    broker.declare("sms.dispatch.beta.bulk")
    broker.declare("sms.dispatch.beta.instant")
    collected = Collected(broker)
    assert set(collected.wait(50)) == {DAY_ID + n for n in range(50)}
    render.says("the queue exists now")
    assert render.log().count("a queue does not exist") == 1
    finish(broker, render, collected)


def test_a_term_finishes_what_is_taken(broker, render):
    for c in range(30):
        broker.publish("sms.render.bulk", chunk([row(c * 10 + n) for n in range(10)]))
    render.start()
    collected = Collected(broker)
    collected.wait(1)
    assert render.stop() == 0
    left = records(broker.take("sms.render.bulk"), "rows")
    collected.take()
    assert collected.copies + len(left) == 300, "nothing twice, nothing lost"
    assert "ended" in render.log() and "unconfirmed" not in render.log()


def test_a_hup_loads_what_is_good(broker, render):
    render.start()
    broker.publish("sms.render.bulk", chunk([row(1)]))
    collected = Collected(broker)
    collected.wait(1)
    template = render.conf / "templates/due.liquid"
    template.write_text(TEMPLATE.replace("money", "mony"))
    render.process.send_signal(signal.SIGHUP)
    render.says("the new configuration has errors")
    assert "did you mean 'money'?" in render.log()
    broker.publish("sms.render.bulk", chunk([row(2)]))
    collected.wait(2)
    template.write_text(TEMPLATE.replace("Dear", "Hello"))
    render.process.send_signal(signal.SIGHUP)
    render.says("configuration loaded again")
    broker.publish("sms.render.bulk", chunk([row(3)]))
    texts = collected.wait(3)
    assert [texts[DAY_ID + n]["text"].split()[0] for n in (1, 2, 3)] == ["Dear", "Dear", "Hello"]
    assert render.stop() == 0


def test_wrong_configuration_is_said_at_once(render):
    (render.conf / "rules/due.yaml").write_text(RULE.replace("template:", "tempalte:"))
    render.start()
    assert render.process.wait(SECONDS) == 2
    assert "did you mean 'template'?" in render.log()
