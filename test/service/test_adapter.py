"""A gateway behind an adapter: smschain-dispatch, the sample adapter of conf/adapters as a process, and behind that the
fake gateway, whose own log is the judge of "at most once"."""
import json
import urllib.error
import urllib.request

import pytest

from test_dispatch import World

QUEUE = "sms.dispatch.adapter-like.bulk"


class Adapted(World):
    """Dispatch with this one gateway."""

    def __init__(self, directory, lab, environment=None, conf=()):
        super().__init__(directory, lab, environment, conf, gateways=("adapter-like",))
        self.adapter = self.chain.adapter

    def add(self, n, **more):
        return super().add(n, **{"route": ["adapter-like"], **more})

    def post(self, path, body):
        """What the gateway posts to the adapter; gives the answer's status."""
        url = self.adapter.report_url.replace("/report/", f"/{path}/")
        try:
            with urllib.request.urlopen(url, data=body.encode(), timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as e:
            return e.code


@pytest.fixture
def world(tmp_path, lab):
    made = []

    def make(environment=None, conf=()):
        made.append(Adapted(str(tmp_path / f"w{len(made)}"), lab, environment, conf))
        return made[-1]
    yield make
    for w in made:
        w.close()


def test_answers_reports_and_messages_from_phones(world):
    """All that a gateway can answer comes through, and each message once. A post is answered 200 only when it is kept."""
    w = world({"SMSCHAIN_ADAPTER_ANSWER_TIMEOUT": "2s"})
    w.alpha.set(refuse_number="491711000003", throttle_share="n2", retry_after_s=1)
    w.publish(QUEUE, w.add(40))
    w.start()
    w.wait_ended(40)
    assert w.count("accepted") == 39 and w.count("rejected") == 1
    assert [s["reason"] for s in w.steps if s["step"] == 110 and s.get("state") == "rejected"] == ["7"]
    assert w.alpha.counters()["throttled"] == 2
    w.alpha.set(drop_before="n1", drop_after="n1", hang="n1")
    w.publish(QUEUE, w.add(20))
    w.wait_ended(60)
    assert 2 <= w.count("in_doubt") <= 3

    ids = {s["number"]: s["msg_id"] for s in sorted(w.submits(), key=lambda s: s["number"])[:3]}
    records = ";".join(f"{msg_id},{n},{word},2026-11-22 16:00:00" for (n, msg_id), word in
                       zip(ids.items(), ("DELIVRD", "ACCEPTD", "UNDELIV")))
    assert w.post("report", records) == 200
    assert w.post("report", f"{ids[min(ids)]},{min(ids)},NO-SUCH-WORD,2026-11-22 16:00:00") == 200
    phone = {"id": "mo1", "from": "+491711000001", "to": "22922", "text": "STOP", "time": "2026-11-22T08:00:00Z"}
    assert w.post("inbound", json.dumps(phone)) == 200
    inbound = []

    def told():
        for body, _ in w.take("tap"):
            chunk = json.loads(body)
            (w.steps if chunk["kind"] == "steps" else inbound).extend(chunk["records"])
        return sum(s["step"] in (102, 190) for s in w.steps) == 4 and inbound
    w.wait(told, what="all of them in the update queue")
    assert {s["number"]: s.get("state") for s in w.steps if s["step"] == 102} == dict(
        zip(ids, ("delivered", None, "undelivered")))
    assert [s["reason"] for s in w.steps if s["step"] == 190] == ["unlisted_status"]
    assert (inbound[0]["from"], inbound[0]["text"], inbound[0]["gateway"]) == ("+491711000001", "STOP", "adapter-like")
    w.steps = [s for s in w.steps if "seq_id" in s]
    w.check(in_doubt=3)
    w.check_rest()
    assert w.post("report", records) == 503  # dispatch has ended: nobody to keep it, the gateway posts it again


def test_adapter_away_and_killed(world):
    """Away: nothing is in doubt, the breaker opens, and all of it leaves when the adapter is there. Killed: what it was given
    is in doubt and never sent again; the rest leaves by the next one."""
    w = world({"SMSCHAIN_ADAPTER_WINDOW": "20"},
              conf=[("gateways/adapter-like.yaml", "connect_timeout: 5s", "connect_timeout: 5s\nbreaker_pause: 300ms")])
    assert w.adapter.stop() == 0
    w.publish(QUEUE, w.add(10))
    w.start()
    w.wait(lambda: w.figures("adapter-like").get("breaker") == "open", what="an open breaker")
    assert "no such socket: the adapter does not run" in w.dispatch.tail(200)
    assert w.requests() == 0
    w.adapter.start()
    w.wait_ended(10)
    assert w.count("accepted") == 10

    w.alpha.set(answer_delay_ms=400)
    w.publish(QUEUE, w.add(60))
    w.wait(lambda: w.requests() >= 20, what="requests under way")
    w.adapter.kill9()
    w.wait(lambda: w.count("in_doubt") > 0, what="some in doubt")
    w.alpha.set(answer_delay_ms=0)
    w.adapter.start()
    w.wait_ended(70)
    assert 1 <= w.count("in_doubt") <= 20 and w.count("accepted") == 70 - w.count("in_doubt")
    w.check(in_doubt=20)
    w.check_rest()
