"""smschain-dispatch over SMPP to a gateway that is not ours (test/judges/smpp_gateway.js, the npm package smpp): bind, submit,
receipts, messages from phones, enquire_link both ways, unbind by either side, cut links."""
import json
import pathlib
import subprocess
import threading

import pytest

from servers import wait_for
from test_dispatch import World

JUDGES = pathlib.Path(__file__).resolve().parents[1] / "judges"
PACKAGES = JUDGES.parent / "lab/packages.sh"


class Judge:
    """The gateway: what it was asked is in `events`."""

    def __init__(self):
        subprocess.run([PACKAGES, "judges"], check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(["node", "smpp_gateway.js"], cwd=JUDGES, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.events = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def order(self, do, **more):
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()

    def set(self, name, value):
        self.order("set", name=name, value=value)

    def told(self, event):
        return [e for e in list(self.events) if e["event"] == event]

    def wait(self, event, n, seconds=20):
        wait_for(lambda: len(self.told(event)) >= n, seconds, f"{n} {event}, {self.events[-5:]}")
        return self.told(event)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Told(World):
    """Messages from phones come by the same queue."""

    def told(self):
        self.phones = getattr(self, "phones", [])
        for body, _ in self.take("tap"):
            chunk = json.loads(body)
            (self.steps if chunk["kind"] == "steps" else self.phones).extend(chunk["records"])
        return self.steps

    def step(self, number):
        return [s for s in self.told() if s["step"] == number]

    def send(self, gateway, n, **more):
        records = [{**r, "route": [gateway]} for r in self.add(n, **more)]
        self.publish(f"sms.dispatch.{gateway}.bulk", records)
        return records

    def wait_steps(self, number, n):
        self.wait(lambda: len(self.step(number)) >= n, 20, f"{n} steps {number}")
        return self.step(number)


@pytest.fixture
def judge():
    judge = Judge()
    yield judge
    judge.close()


@pytest.fixture
def world(tmp_path, lab, judge):
    fast = [("  # enquire_link_interval: 30s", "  enquire_link_interval: 300ms"), ("  # dead_after: 60s", "  dead_after: 2s")]
    environment = {f"SMSCHAIN_{g}_{k}": v for g in ("GAMMA", "DELTA") for k, v in (
        ("ADDRESS", f"127.0.0.1:{judge.port}"), ("PASSWORD", "secret"), ("RECONNECT", "50ms"), ("ANSWER_TIMEOUT", "2s"))}
    w = Told(str(tmp_path / "w"), lab, environment, [("gateways/gamma.yaml", old, new) for old, new in fast], ("gamma", "delta"))
    w.start()
    yield w
    w.close()


def test_submit_and_receipts(world, judge):
    records = world.send("gamma", 20)
    accepted = world.wait_steps(101, 20)
    assert {(e["system_id"], e["kind"]) for e in judge.wait("bind", 3)} == {
        ("gamma", "bind_transceiver"), ("delta", "bind_transmitter"), ("delta", "bind_receiver")}
    submits = {e["number"]: e for e in judge.wait("submit", 20)}
    for r in records:
        got = submits[str(r["number"])]
        assert (got["text"], got["sender"]) == (r["text"], "smschain")
        assert [s["msg_id"] for s in accepted if s["number"] == r["number"]] == [got["id"]]
    reports = world.wait_steps(102, 20)
    assert {s["msg_id"] for s in reports} == {e["id"] for e in submits.values()}
    assert {s["state"] for s in reports} == {"delivered"}
    judge.wait("deliver_sm_resp", 20)
    judge.set("receipts", "parameters")
    [record] = world.send("gamma", 1, text="10 € {i}: [grüße] {{}}")
    world.wait_steps(102, 21)
    assert judge.wait("submit", 21)[-1]["text"] == record["text"]
    judge.set("status", 0x0b)
    world.send("gamma", 1)
    world.wait(lambda: world.count("rejected") == 1, 20, "a refusal")
    assert {e["status"] for e in judge.told("deliver_sm_resp")} == {0} and not judge.told("error")


def test_long_texts(world, judge):
    judge.wait("bind", 3)  # without a receiver it would keep its receipts to itself
    text = "A text of several segments. " * 12 + "{i}"
    world.send("gamma", 1, text=text, segments=3)
    world.send("delta", 1, text=text, segments=3)
    parts = judge.wait("submit", 6)
    by_header = sorted((e for e in parts if e["udh"]), key=lambda e: e["udh"][0])
    by_parameters = sorted((e for e in parts if e["sar"]), key=lambda e: e["sar"])
    assert [e["udh"][0][-4:] for e in by_header] == ["0301", "0302", "0303"]
    assert [e["sar"][1:] for e in by_parameters] == [[3, 1], [3, 2], [3, 3]]
    for several, message in ((by_header, "1"), (by_parameters, "2")):
        assert "".join(e["text"] for e in several) == text.format(i=message)
    assert {(s["msg_id"], s["state"]) for s in world.wait_steps(102, 6)} == {(e["id"], "delivered") for e in parts}


def test_messages_from_phones(world, judge):
    judge.wait("bind", 3)
    judge.order("inbound", **{"from": "491711999999", "to": "22922", "text": "STOP"})
    world.wait(lambda: world.told() is not None and world.phones, 20, "the message")
    assert [(m["number"], m["text"]) for m in world.phones] == [(491711999999, "STOP")]
    assert judge.wait("deliver_sm_resp", 1)[0]["status"] == 0


def test_the_link(world, judge):
    """enquire_link both ways; unbound by either side, and cut: bound anew, what was unanswered is in doubt and not sent again."""
    judge.wait("bind", 3)
    judge.wait("enquire_link", 2)
    judge.order("enquire")
    judge.wait("enquire_link_resp", 3)
    judge.order("unbind")
    judge.wait("unbind_resp", 3)
    binds = len(judge.wait("bind", 6))
    world.send("gamma", 5)
    world.wait_steps(101, 5)
    judge.set("cut_after", 1)
    [lost] = world.send("gamma", 1)
    world.wait(lambda: world.count("in_doubt") == 1, 20, "one in doubt")
    judge.wait("bind", binds + 1)
    judge.set("answer_enquire", False)
    binds = len(judge.told("bind"))
    judge.wait("bind", binds + 1)  # nothing comes any more: dead, and made anew
    judge.set("answer_enquire", True)
    world.send("gamma", 5)
    world.wait_steps(101, 10)
    assert [e["number"] for e in judge.told("submit")].count(str(lost["number"])) == 1
    assert world.dispatch.stop() == 0
    judge.wait("unbind", 3)
    assert not judge.told("error")
