"""A gateway behind an adapter: smschain-dispatch, the sample adapter of conf/adapters as a process, and behind that the
fake gateway, whose own log is the judge of "at most once"."""
import json
import os
import urllib.error
import urllib.request

import pytest

from servers import wait_for
from test_dispatch import World

QUEUE = "sms.dispatch.adapter-like.bulk"
SECONDS = 30


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


def test_answers(world):
    """All that a gateway can answer comes through, and each message once."""
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
    w.check(in_doubt=3)
    w.check_rest()


def test_killed_with_submits_unanswered(world):
    """Those it was given are in doubt and never sent again; the others leave by the next one."""
    w = world({"SMSCHAIN_ADAPTER_WINDOW": "20"})
    w.alpha.set(answer_delay_ms=400)
    w.publish(QUEUE, w.add(60))
    w.start()
    w.wait(lambda: w.requests() >= 10, what="requests under way")
    w.adapter.kill9()
    w.wait(lambda: w.count("in_doubt") > 0, what="some in doubt")
    w.alpha.set(answer_delay_ms=0)
    w.adapter.start()
    w.wait_ended(60)
    assert 1 <= w.count("in_doubt") <= 20 and w.count("accepted") == 60 - w.count("in_doubt")
    w.check(in_doubt=20)
    w.check_rest()


def test_away_for_good_is_not_sent(world):
    """Nobody listens: nothing is in doubt, the breaker opens, and all of it leaves when the adapter is there."""
    w = world(conf=[("gateways/adapter-like.yaml", "connect_timeout: 5s", "connect_timeout: 5s\nbreaker_pause: 300ms")])
    assert w.adapter.stop() == 0
    w.publish(QUEUE, w.add(10))
    w.start()
    w.wait(lambda: w.figures("adapter-like").get("breaker") == "open", what="an open breaker")
    assert w.requests() == 0
    w.adapter.start()
    w.wait_ended(10)
    assert w.count("accepted") == 10
    w.check()
    w.check_rest()


def test_dispatch_killed_with_submits_unanswered(world):
    w = world({"SMSCHAIN_ADAPTER_WINDOW": "20"})
    w.alpha.set(answer_delay_ms=400)
    w.publish(QUEUE, w.add(60))
    w.start()
    w.wait(lambda: w.requests() >= 10, what="requests under way")
    w.dispatch.kill9()
    w.alpha.set(answer_delay_ms=0)
    w.start()
    w.wait_ended(60)
    assert w.count("in_doubt") <= 20
    w.check(in_doubt=20)
    w.check_rest()


def test_another_account_gets_nothing(world):
    w = world(conf=[("gateways/adapter-like.yaml", "  # user: smschain-adapter  ", "  user: nobody  ")])
    w.publish(QUEUE, w.add(3))
    w.start()
    wait_for(lambda: "is expected" in w.dispatch.tail(200), SECONDS, "the log line")
    assert w.requests() == 0 and w.count("in_doubt") == 0


def test_reports_and_messages_from_phones(world):
    """The gateway hears 200 only when it is in the journal, or in the queue by then; told again where it is not."""
    w = world()
    w.publish(QUEUE, w.add(3))
    w.start()
    w.wait_ended(3)
    ids = {s["number"]: s["msg_id"] for s in w.submits()}
    records = ";".join(f"{ids[n]},{n},{word},2026-11-22 16:00:00" for n, word in
                       zip(sorted(ids), ("DELIVRD", "ACCEPTD", "UNDELIV")))
    assert w.post("report", records) == 200
    assert w.post("report", f"{ids[min(ids)]},{min(ids)},NO-SUCH-WORD,2026-11-22 16:00:00") == 200
    phone = {"id": "mo1", "from": "+491711000001", "to": "22922", "text": "STOP", "time": "2026-11-22T08:00:00Z"}
    assert w.post("inbound", json.dumps(phone)) == 200

    def told():
        for body, _ in w.take("tap"):
            chunk = json.loads(body)
            (w.steps if chunk["kind"] == "steps" else inbound).extend(chunk["records"])
        return sum(s["step"] in (102, 190) for s in w.steps) == 4 and inbound
    inbound = []
    w.wait(told, what="all of them in the update queue")
    states = {s["number"]: s.get("state") for s in w.steps if s["step"] == 102}
    assert states == dict(zip(sorted(ids), ("delivered", None, "undelivered")))
    assert [s["reason"] for s in w.steps if s["step"] == 190] == ["unlisted_status"]
    assert inbound[0]["from"] == "+491711000001" and inbound[0]["text"] == "STOP" and inbound[0]["gateway"] == "adapter-like"
    assert w.dispatch.stop() == 0
    assert w.post("report", records) == 503  # nobody to keep it
    journal = os.path.join(w.chain.state_dir, "journal")
    assert not os.path.exists(journal) or not any(os.scandir(journal))
