"""lib/mq against a real broker: what is confirmed is in the queue, whatever happens to the broker or the way there."""
import contextlib
import socket
import ssl
import subprocess
import threading
import time

import pytest
from conftest import SECONDS
from servers import wait_for


@pytest.fixture
def vhost(lab):
    name = lab.create_vhost("mq")
    yield name
    lab.delete_vhost(name)


@pytest.fixture
def mq(lab, vhost, probe):
    """mq(command, arguments…): a probe on a virtual host of its own, with the queue sms.update.0 declared."""
    r = lab.state["rabbitmq"]

    def start(*arguments):
        return probe("mq_probe", r["host"], r["port"], vhost, r["user"], r["password"], "-", *arguments)
    assert start("declare", "sms.update.0", "sms.dead").end() == ["declared"]
    return start


def outcomes(lines):
    return [line.split()[1:] for line in lines if line.startswith("outcome")]


def bodies(consumer, count, seconds=SECONDS):
    """Reads that many deliveries: [(epoch, tag, redelivered, body)]."""
    got = []
    deadline = time.monotonic() + seconds
    while len(got) < count:
        _, epoch, tag, again, _, body = consumer.expect("delivery", max(deadline - time.monotonic(), 0.01))
        got.append((int(epoch), int(tag), again == "1", int(body)))
    return got


def depth(mq, name="sms.update.0"):
    return int(mq("depths", name).end()[0].split()[2])


def test_declared_as_it_should_be(lab, vhost, mq):
    assert mq("declare", "sms.update.0", "sms.dead").end() == ["declared"]  # again: no difference
    found = {q["name"]: q for q in lab.api("GET", f"/api/queues/{vhost}?disable_stats=true")}
    assert found["sms.update.0"]["arguments"] == {"x-queue-type": "quorum", "x-single-active-consumer": True}
    assert found["sms.dead"]["arguments"] == {"x-queue-type": "quorum"}
    assert all(q["durable"] for q in found.values())
    assert mq("depths", "sms.dead", "sms.none", "sms.update.0").end() == [
        "depth sms.dead 0", "depth sms.none -1", "depth sms.update.0 0"]


def test_declare_says_why_not(lab, vhost, mq):
    lab.api("PUT", f"/api/queues/{vhost}/sms.other", {"durable": True, "arguments": {}})
    p = mq("declare", "sms.other")
    assert "406 PRECONDITION_FAILED" in p.line()


def test_publish_and_consume(mq):
    lines = mq("publish", "sms.update.0", 3000, 300).end()
    assert sorted(int(c) for c, what in outcomes(lines) if what == "confirmed") == list(range(3000))
    consumer = mq("consume", "sms.update.0", 200, "ack")
    assert [b for *_, b in bodies(consumer, 3000)] == list(range(3000))  # in order
    consumer.order("quit")
    consumer.end()
    assert depth(mq) == 0


def test_large_bodies(mq):
    """Bodies of many frames, each larger than the window's bytes: they go one at a time."""
    lines = mq("publish", "sms.update.0", 6, 3 << 20).end()
    assert len(outcomes(lines)) == 6
    consumer = mq("consume", "sms.update.0", 2, "ack")
    for i in range(6):
        assert consumer.expect("delivery")[4:] == [str(3 << 20), str(i)]


def test_empty_body(mq):
    assert outcomes(mq("publish", "sms.update.0", 1, 0).end()) == [["0", "confirmed"]]
    assert bodies(mq("consume", "sms.update.0", 2, "ack"), 1)[0][3] == 0


def test_no_such_queue_is_not_published(mq):
    p = mq("publish", "sms.none", 50, 100)
    assert outcomes(p.end()) == [[str(i), "returned"] for i in range(50)]
    assert p.log.count("no such queue") == 1


def test_returned_body_of_many_frames(mq):
    assert outcomes(mq("publish", "sms.none", 2, 500_000).end()) == [["0", "returned"], ["1", "returned"]]


def test_dead_letter_headers(lab, vhost, mq):
    mq("dead", "-").end()
    m, = lab.api("POST", f"/api/queues/{vhost}/sms.dead/get",
                 {"count": 5, "ackmode": "ack_requeue_false", "encoding": "auto"})
    headers = m["properties"]["headers"]
    assert (headers["x-smschain-from"], headers["x-smschain-why"]) == ("sms.update.0", "unreadable")
    assert headers["x-smschain-at"].endswith("Z") and m["properties"]["delivery_mode"] == 2


def test_pause_gives_back_and_stale_acks_are_dropped(mq):
    mq("publish", "sms.update.0", 5, 10).end()
    consumer = mq("consume", "sms.update.0", 10)
    first = bodies(consumer, 5)
    consumer.order(f"ack {first[0][0]} {first[1][1]} 1")  # the first two
    consumer.order("pause")
    consumer.expect("done pause")
    wait_for(lambda: depth(mq) == 3, SECONDS, "3 given back")
    consumer.nothing("delivery", 1)
    consumer.order("resume")
    second = bodies(consumer, 3)
    assert [b for *_, b in second] == [2, 3, 4] and all(again for _, _, again, _ in second)
    assert second[0][0] > first[0][0]
    consumer.order(f"ack {first[0][0]} {second[1][1]} 1")  # of the channel before: worth nothing on this one
    consumer.expect("done ack")
    consumer.order("pause")
    consumer.expect("done pause")
    wait_for(lambda: depth(mq) == 3, SECONDS, "all 3 given back once more")
    consumer.order("quit")
    consumer.end()


def test_pause_and_resume_at_once(mq):
    mq("publish", "sms.update.0", 3, 10).end()
    consumer = mq("consume", "sms.update.0", 10)
    bodies(consumer, 3)
    for _ in range(5):
        consumer.order("pause")
        consumer.order("resume")
        assert [b for *_, b in bodies(consumer, 3)] == [0, 1, 2]


def test_prefetch_is_the_limit(mq):
    mq("publish", "sms.update.0", 20, 10).end()
    consumer = mq("consume", "sms.update.0", 4)
    got = bodies(consumer, 4)
    consumer.nothing("delivery", 1)
    consumer.order(f"ack {got[0][0]} {got[3][1]} 1")
    assert [b for *_, b in bodies(consumer, 4)] == [4, 5, 6, 7]


def test_missing_queue_is_said_once_and_waited_for(lab, vhost, mq):
    consumer = mq("consume", "sms.later", 10, "ack")
    wait_for(lambda: "queue cannot be read" in consumer.log, SECONDS, "the log")
    time.sleep(1.5)
    assert consumer.log.count("queue cannot be read") == 1 and "404" in consumer.log
    mq("declare", "sms.later").end()
    mq("publish", "sms.later", 1, 10).end()
    bodies(consumer, 1)
    wait_for(lambda: consumer.log.count("queue is read again") == 1, SECONDS, "the log")


def test_deleted_queue_under_a_consumer(lab, vhost, mq):
    mq("declare", "sms.gone").end()
    consumer = mq("consume", "sms.gone", 10, "ack")
    consumer.expect("epoch 1")
    lab.api("DELETE", f"/api/queues/{vhost}/sms.gone")
    consumer.expect("epoch 0")
    mq("declare", "sms.gone").end()
    consumer.expect("epoch 2")


def test_wrong_password_is_said_and_tried_again(lab, vhost, probe):
    r = lab.state["rabbitmq"]
    p = probe("mq_probe", r["host"], r["port"], vhost, r["user"], "wrong", "-", "publish", "sms.update.0", 1, 1)
    wait_for(lambda: "broker is away" in p.log, SECONDS, "the log")
    p.nothing("outcome", 2)
    assert p.log.count("broker is away") == 1 and "ACCESS_REFUSED" in p.log and "wrong" not in p.log


def test_single_active_consumer(mq):
    """A second consumer of an update queue gets nothing until the first has gone."""
    first = mq("consume", "sms.update.0", 10, "ack")
    first.expect("epoch 1")
    second = mq("consume", "sms.update.0", 10, "ack")
    second.expect("epoch 1")
    mq("publish", "sms.update.0", 10, 10).end()
    bodies(first, 10)
    second.nothing("delivery", 0.5)
    first.process.kill()
    mq("publish", "sms.update.0", 5, 10).end()
    bodies(second, 5)


def test_queue_that_refuses(lab, vhost, mq):
    """A full queue answers with nacks: the messages are published again until there is room."""
    lab.api("PUT", f"/api/queues/{vhost}/sms.small", {"durable": True, "arguments": {
        "x-queue-type": "classic", "x-max-length": 10, "x-overflow": "reject-publish"}})
    lab.api("POST", f"/api/bindings/{vhost}/e/sms/q/sms.small", {"routing_key": "sms.small"})
    publisher = mq("publish", "sms.small", 30, 100)
    for _ in range(10):
        publisher.expect("outcome")
    publisher.nothing("outcome", 1.5)
    consumer = mq("consume", "sms.small", 1, "ack")
    lines = publisher.end()
    assert {int(c) for c, what in outcomes(lines) if what == "confirmed"} == set(range(30))
    assert {b for *_, b in bodies(consumer, 30)} == set(range(30))
    assert publisher.log.count("refuses messages") == 1 and publisher.log.count("takes refused messages") >= 1


def test_user_without_configure(lab, vhost, mq, probe):
    """The services' users may not declare anything; looking is enough."""
    r = lab.state["rabbitmq"]
    lab.api("PUT", f"/api/users/{vhost}", {"password": "p", "tags": ""})
    lab.api("PUT", f"/api/permissions/{vhost}/{vhost}", {"configure": "^$", "write": "^sms$", "read": "^sms\\.update\\."})

    def start(*arguments):
        return probe("mq_probe", r["host"], r["port"], vhost, vhost, "p", "-", *arguments)
    assert len(outcomes(start("publish", "sms.update.0", 10, 100).end())) == 10
    consumer = start("consume", "sms.update.0", 10, "ack")
    bodies(consumer, 10)
    assert "403" in start("declare", "sms.new").line()
    forbidden = start("consume", "sms.dead", 10, "ack")
    wait_for(lambda: "queue cannot be read" in forbidden.log, SECONDS, "the log")
    assert "403" in forbidden.log
    lab.api("DELETE", f"/api/users/{vhost}")


class TlsProxy:
    """TLS in front of the broker's plain port."""

    def __init__(self, certificate, key, port):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError), self.context.wrap_socket(client, server_side=True) as here, \
                socket.create_connection(("127.0.0.1", self.target)) as there:
            here.settimeout(0.05)
            threading.Thread(target=self._back, args=(there, here), daemon=True).start()
            while True:
                try:
                    data = here.recv(65536)
                except TimeoutError:
                    continue
                if not data:
                    return
                there.sendall(data)

    @staticmethod
    def _back(there, here):
        with contextlib.suppress(OSError):
            while data := there.recv(65536):
                view = memoryview(data)
                while view:
                    with contextlib.suppress(TimeoutError):
                        view = view[here.send(view):]


def certificate(directory, name, alternative):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName={alternative}", "-keyout", directory / f"{name}.key", "-out",
                    directory / f"{name}.crt"], check=True, capture_output=True)
    return directory / f"{name}.crt", directory / f"{name}.key"


def test_tls(lab, vhost, mq, probe, tmp_path):
    """Verified against the CA file, and against the name; else not one message goes out."""
    r = lab.state["rabbitmq"]
    good, good_key = certificate(tmp_path, "localhost", "DNS:localhost")
    other, other_key = certificate(tmp_path, "elsewhere", "DNS:elsewhere.example")

    def publish(proxy, ca):
        return probe("mq_probe", "localhost", proxy.port, vhost, r["user"], r["password"], ca, "publish", "sms.update.0",
                     500, 1000)
    proxy = TlsProxy(good, good_key, r["port"])
    assert len(outcomes(publish(proxy, good).end())) == 500
    consumer = probe("mq_probe", "localhost", proxy.port, vhost, r["user"], r["password"], good, "consume",
                     "sms.update.0", 50, "ack")
    assert len(bodies(consumer, 500)) == 500
    for proxy, ca, words in ((proxy, other, "SSL"), (TlsProxy(other, other_key, r["port"]), other, "SSL"),
                             (proxy, tmp_path / "missing", "CA file")):
        p = publish(proxy, ca)
        wait_for(lambda: "broker is away" in p.log, SECONDS, "the log")
        p.nothing("outcome", 0.5)
        assert words in p.log


def test_alarm_blocks_and_nothing_hangs(lab, mq):
    """Under the broker's memory alarm: blocked is said, the pump goes on returning in time, heartbeats keep the
    connection, and all is confirmed when the alarm is over."""
    publisher = mq("publish", "sms.update.0", 400, 20000, 50)
    publisher.expect("outcome 10 ")
    lab.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        publisher.expect("blocked")
        publisher.nothing("outcome", 12)  # three heartbeats
    finally:
        lab.ctl("set_vm_memory_high_watermark", "0.6")
    publisher.expect("unblocked")
    lines = publisher.end()
    assert len(outcomes(lines)) == 400 and "disconnected" not in lines, publisher.log
    assert lines.count("connected") == 1
    assert int(lines[-1].split()[1]) < 2000, lines[-1]  # longest_ms


def test_alarm_before_the_first_message(lab, mq):
    lab.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        publisher = mq("publish", "sms.update.0", 200, 50000)
        publisher.expect("blocked")
        publisher.nothing("disconnected", 10)
    finally:
        lab.ctl("set_vm_memory_high_watermark", "0.6")
    lines = publisher.end()
    assert {int(c) for c, what in outcomes(lines)} == set(range(200))
    assert int(lines[-1].split()[1]) < 2000, lines[-1]


def test_broker_killed_under_load(lab, mq):
    """kill -9 in the middle: everything confirmed before or after is in the queue, at least once, and the first
    copies are in order."""
    publisher = mq("publish", "sms.update.0", 20000, 200)
    publisher.expect("outcome 2000 ")
    lab.rabbitmq.kill()
    lab.rabbitmq.start()
    lines = publisher.end(180)
    assert {int(c) for c, what in outcomes(lines) if what == "confirmed"} == set(range(20000))
    assert publisher.log.count("broker is away") == 1 and publisher.log.count("broker is back") == 1
    consumer = mq("consume", "sms.update.0", 1000, "ack")
    firsts = {}
    while len(firsts) < 20000:
        firsts.setdefault(int(consumer.expect("delivery")[5]))
    assert list(firsts) == sorted(firsts)


def test_broker_stopped_and_started(lab, mq):
    consumer = mq("consume", "sms.update.0", 10, "ack")
    publisher = mq("publish", "sms.update.0", 300, 100, 30)
    bodies(consumer, 20)
    lab.rabbitmq.stop()
    consumer.expect("epoch 0")
    lab.rabbitmq.start()
    lines = publisher.end(120)
    assert {int(c) for c, what in outcomes(lines) if what == "confirmed"} == set(range(300))
    def got():
        return {int(line.split()[5]) for line in consumer.seen if line.startswith("delivery")}
    while len(got()) < 300:
        consumer.expect("delivery")
    assert got() == set(range(300))


def test_broker_frozen(lab, mq):
    """A broker that says nothing is found out by the heartbeats; no call hangs."""
    publisher = mq("publish", "sms.update.0", 2000, 2000, 200)
    publisher.expect("outcome 50 ")
    lab.rabbitmq.pause()
    try:
        publisher.expect("disconnected", 30)  # heartbeat 4 s: twice that
    finally:
        lab.rabbitmq.resume()
    lines = publisher.end(120)
    assert {int(c) for c, what in outcomes(lines) if what == "confirmed"} == set(range(2000))
    assert int(lines[-1].split()[1]) < 9000, lines[-1]
