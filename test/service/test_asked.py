"""Messages on demand by the queue sms.request, through smschain-extract itself against real servers: one message a key
whoever asks how often and whatever is killed, refusals with their reason, the daily cap, and a database that has lost
history. What extract makes of them stands in the tables and in sms.render.instant; nothing else of the chain runs here."""
import base64
import hashlib
import json
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from chain import Chain
from conftest import BUILD

NUMBER = "+491520000000"
FREE = "---\nclass: service\nforbidden: [casino]\n---\n{{ text }}\n"
CODE = "---\nclass: code\n---\nYour code is {{ code }}.\n"
OFFER = "---\nclass: marketing\n---\nOnly now: {{ what }}\n"
CALLER = """
broker_user: %(user)s
rate: %(rate)s
daily_cap: %(cap)s
templates: [code, offer]
text_template: free
send_at_max: 1d
route:
  - gateway: alpha
"""
SIGKILLED = -9


class Door:
    """A chain of which only extract runs, one caller `shop`, and that caller's user of the broker."""

    def __init__(self, directory, lab):
        self.lab = lab
        self.chain = Chain(str(directory), lab)
        self.chain.copy_conf()
        self.chain.only_gateways("alpha", "beta")
        for name in self.chain.rules():
            os.unlink(f"{self.chain.conf_dir}/rules/{name}.yaml")
        os.unlink(f"{self.chain.conf_dir}/callers/webshop.yaml")
        for name, text in (("free", FREE), ("code", CODE), ("offer", OFFER)):
            self.write(f"templates/{name}.liquid", text)
        self.user = f"shop-{self.chain.vhost}"
        self.caller()
        self.chain.prepare()
        # A user who may write to the door's exchange and to nothing else, as docs/operations.md has it.
        lab.api("PUT", f"/api/users/{self.user}", {"password": "knock-knock", "tags": "management"})
        lab.api("PUT", f"/api/permissions/{self.chain.vhost}/{self.user}",
                {"configure": "^$", "write": "^sms\\.request$", "read": "^$"})
        self.bodies = []

    def write(self, name, text):
        with open(f"{self.chain.conf_dir}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def caller(self, name="shop", user=None, rate=1000, cap=10000):
        self.write(f"callers/{name}.yaml", CALLER % {"user": user or self.user, "rate": rate, "cap": cap})

    def start(self, instance=1, **environment):
        return self.chain.service("extract", instance).start(**environment)

    @property
    def process(self):
        return self.chain.service("extract")

    def reload(self):
        before = self.process.tail(10000).count("configuration loaded again")
        self.process.signal(1)
        self.until(lambda: self.process.tail(10000).count("configuration loaded again") > before, "the reload")

    def publish(self, body, key=None, exchange="sms.request", login=None, user=True):
        """As another system does, over the broker's own door for it."""
        r = self.lab.state["rabbitmq"]
        login = login or (self.user, "knock-knock")
        properties = {"delivery_mode": 2, **({"message_id": key} if key else {}), **({"user_id": login[0]} if user else {})}
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{r['management_url']}/api/exchanges/{self.chain.vhost}/{exchange}/publish", method="POST",
            data=json.dumps({"routing_key": "sms.request", "properties": properties, "payload_encoding": "base64",
                             "payload": base64.b64encode(body).decode()}).encode())
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["routed"]

    def take(self, queue):
        return self.lab.api("POST", f"/api/queues/{self.chain.vhost}/{queue}/get",
                            {"count": 500, "ackmode": "ack_requeue_false", "encoding": "auto"})

    def rendered(self):
        """Every row record that was ever published for render."""
        while True:
            some = self.take("sms.render.instant")
            if not some:
                return [r for b in self.bodies for r in b["records"]]
            self.bodies += [json.loads(m["payload"]) for m in some]

    def dead(self):
        """[(why, body)] in sms.dead, which keeps them."""
        some = self.lab.api("POST", f"/api/queues/{self.chain.vhost}/sms.dead/get",
                            {"count": 500, "ackmode": "ack_requeue_true", "encoding": "auto"})
        for m in some:
            assert m["properties"]["headers"]["x-smschain-from"] == "sms.request"
        return [(m["properties"]["headers"]["x-smschain-why"], m["payload"]) for m in some]

    def sql(self, statement, parameters=None):
        return self.chain.sql(statement, parameters)

    def value(self, statement, parameters=None):
        return self.chain.value(statement, parameters)

    def messages(self):
        return self.value("SELECT count(*) FROM message")

    def until(self, condition, what, seconds=30):
        return self.chain.wait_until(condition, seconds, what)

    def emptied(self, seconds=30):
        """The queue is empty and nothing of it is unacked: every request has its answer. (Of quorum queues rabbitmqctl tells
        what was some seconds ago: a test that can say what it waits for does that first.)"""
        self.until(lambda: json.loads(self.chain.ctl("status", "--json", check=False).stdout)["queues"]["sms.request"] == 0
                   and self.lab.queues(self.chain.vhost)["sms.request"] == (0, 0), "sms.request to be empty", seconds)

    def check(self):
        """The balance of the caller's runs, one request a key, no number in the log (I2, I6)."""
        self.chain.check_i2(final=False)
        self.chain.check_i6()
        assert self.value("SELECT count(*) FROM request WHERE sms_id IS NOT NULL") == self.messages()
        assert self.value("SELECT coalesce(sum(rows_suppressed), 0) FROM run") == self.value("SELECT count(*) FROM run_skip")


@pytest.fixture
def door(lab, tmp_path):
    d = Door(tmp_path / "d", lab)
    yield d
    d.chain.stop()
    lab.api("DELETE", f"/api/users/{d.user}")


def text(n, **more):
    return {"recipient": f"{NUMBER[:-4]}{n:04}", "text": f"Hello {n}", **more}


def ask(door, threads, keys, prefix="p", caller="shop", wait=True):
    """The probe: many threads, the writer alone. A finished dict of its answers, or the process."""
    p = subprocess.Popen([BUILD / "test/service/asked_probe", door.chain.conf_dir, caller, str(threads), str(keys), prefix],
                         env=door.chain.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return answers(p) if wait else p


def answers(p):
    out, err = p.communicate(timeout=120)
    assert p.returncode == 0 and "Sanitizer" not in err, err
    words = [line.split() for line in out.splitlines()]
    assert ["differ", "0"] in words, "one key had two sms_ids"
    return {w[1]: int(w[2]) for w in words if w[0] == "answers" and int(w[2])}


def test_requests_become_messages(door):
    door.start()
    door.publish({"recipient": "0152 00000001", "template": "code", "params": {"code": 4711}, "valid_for": "5m", "ext_id": "o-7"}, "k1")
    door.publish(text(2, send_at="2030-01-01T00:00:00Z"), "far")  # too far ahead
    door.publish(text(3), "k3")
    door.publish({"text": "Hello 3", "recipient": text(3)["recipient"]}, "k3")  # the same, written otherwise
    door.publish(text(4), "k3")                                                 # another
    door.emptied()
    door.until(lambda: len(door.rendered()) == 2, "two records for render")
    first, second = sorted(door.rendered(), key=lambda r: r["tmpl"])
    assert (first["rule"], first["tmpl"], first["row"], first["route"], first["lane"]) == (
        "api:shop", "code", {"code": "4711"}, ["alpha"], "instant")
    assert second["row"] == {"text": "Hello 3"}
    sms_id, run, number, until, lane = door.sql(
        "SELECT sms_id, run_id, number, extract(epoch FROM valid_until - created_at)::int, lane FROM message ORDER BY sms_id")[0]
    assert (number, lane) == (4915200000001, 1) and 295 <= until <= 300
    assert (first["sms_id"], first["run"], first["number"]) == (sms_id, run, number)
    assert door.sql("SELECT * FROM ext") == [(sms_id, "o-7")]
    assert door.sql("SELECT u.name, r.origin, r.state, r.rows_new FROM run r JOIN rule u ON u.id = r.rule_id") == [
        ("api:shop", "api", "read", 2)]
    whys = sorted(why for why, _ in door.dead())
    assert whys[0].startswith("another_request: ") and whys[1].startswith("send_at /send_at: "), whys
    door.check()


def test_refusals_stand_in_sms_dead_and_can_be_given_back(door):
    door.start()
    admin = (door.lab.state["rabbitmq"]["user"], door.lab.state["rabbitmq"]["password"])
    with pytest.raises(urllib.error.HTTPError):  # the caller's user may write to no other exchange
        door.publish(text(1), "k", exchange="sms")
    door.publish(b"{not json", "j")
    door.publish(text(2))                                 # without a message-id
    door.publish(text(3), "u", user=False)                # without a user, and no door_caller
    door.publish(text(4), "n", login=admin)               # a user who is no caller's
    door.publish({"task_id": "t-1"}, "t")
    door.publish({**text(5), "recipent": 1, "template": "code"}, "p")
    door.publish({"recipient": text(6)["recipient"], "text": "our casino"}, "c")
    door.emptied()
    door.until(lambda: len(door.dead()) == 7, "seven refusals")
    whys = sorted(why for why, _ in door.dead())
    assert [w.split(":")[0] for w in whys] == [
        "forbidden_word /text", "no JSON", f"no caller's broker_user is '{admin[0]}'", "task",
        "the message has no message-id, which is its idempotency key", "the message has no user-id, and extract.door_caller names no caller for such",
        "unknown_member /recipent"], whys
    assert "did you mean 'recipient'" in whys[6] and "; template_and_text /text: " in whys[6]
    assert not any("our" in why or "Hello" in why for why in whys)
    assert door.messages() == 0
    # The template is mended: what was refused is given back, as it came, by its own key and in its caller's name.
    door.write("templates/free.liquid", FREE.replace("[casino]", "[poker]"))
    door.reload()
    door.chain.ctl("dead", "list", check=False)
    ids = [r["id"] for r in map(json.loads, door.chain.ctl("dead", "list", "--json", check=False).stdout.splitlines())
           if "forbidden_word" in r["why"]]
    door.chain.ctl("dead", "replay", *ids)
    door.until(lambda: door.messages() == 1, "the message that was refused first")
    door.publish({"recipient": text(6)["recipient"], "text": "our casino"}, "c")
    door.emptied()
    assert door.messages() == 1, "its key was kept"
    door.check()


def test_the_same_keys_from_64_sides_make_one_message_each(door):
    """64 threads over the writer, and the queue, all with the same keys."""
    door.start()
    probe = ask(door, 64, 200, "k", wait=False)
    sides = [threading.Thread(target=lambda: [
        door.publish({"recipient": f"+49152{n:08}", "text": f"Hello k {n}", "lane": "instant"}, f"k{n}") for n in range(0, 200, 10)])
        for _ in range(4)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    got = answers(probe)
    door.emptied()
    assert set(got) == {"new", "same"} and sum(got.values()) == 64 * 200, got
    assert door.messages() == 200 and door.dead() == []
    door.check()


def test_the_daily_cap_is_exact(door):
    door.caller(cap=150)
    first, second = (ask(door, 8, 100, prefix, wait=False) for prefix in "ab")  # two processes, 200 keys
    both = [answers(first), answers(second)]
    assert sum(a["new"] for a in both) == door.messages() == 150
    assert sum(a.get("capped", 0) for a in both) + sum(a.get("same", 0) for a in both) == 2 * 800 - 150
    assert ask(door, 1, 100, "c") == {"capped": 100}
    door.start()
    door.publish(text(1), "over")
    door.until(lambda: [w.split(":")[0] for w, _ in door.dead()] == ["daily_cap"], "the refusal")
    door.caller(cap=151)  # a caller's file that has changed counts from the next request on
    door.reload()
    door.publish(text(2), "more")
    door.until(lambda: door.messages() == 151, "one more")
    door.check()


def test_suppressed_numbers(door):
    door.sql("INSERT INTO suppression (number, scope, reason) VALUES (4915200000001, 'all', 'complaint'),"
             " (4915200000002, 'marketing', 'stop')")
    door.start()
    offer = {"template": "offer", "params": {"what": "tea"}}
    door.publish({**text(1), "recipient": "+4915200000001"}, "a")
    door.publish({"recipient": "+4915200000002", **offer}, "b")
    door.publish({**text(2), "recipient": "+4915200000002"}, "c")  # a service message: STOP blocks marketing only
    door.emptied()
    door.until(lambda: len(door.dead()) == 2, "two refusals")
    assert sorted(w for w, _ in door.dead()) == ["suppressed: complaint", "suppressed: stop"]
    door.sql("DELETE FROM suppression")
    door.publish({**text(1), "recipient": "+4915200000001"}, "a")  # the same key has the same answer
    door.publish({**text(1), "recipient": "+4915200000001"}, "a2")
    door.emptied()
    door.until(lambda: len(door.dead()) == 3 and door.messages() == 2, "the old answer, and a new message")
    found = door.chain.ctl("why", "+4915200000001").stdout
    assert "suppressed" in found and "complaint" in found, found
    door.check()


@pytest.mark.parametrize("point", ["door.taken:2", "asked.entering:1", "asked.entered:1", "door.entered:2", "door.refused:2"])
def test_killed_anywhere_it_is_one_message(door, point):
    """kill -9 at each point between the delivery and its ack; the same key comes again by itself, and once more from outside."""
    door.start(SMSCHAIN_FAULT=point)
    for n in range(5):
        door.publish(text(n), f"k{n}")
        door.publish({"text": "nobody"}, f"bad{n}")
    assert door.process.wait_end(60) == SIGKILLED
    door.start()
    for n in range(5):
        door.publish(text(n), f"k{n}")
    door.until(lambda: door.messages() == 5 and len(door.dead()) >= 5, "all of them")
    door.emptied()
    assert door.messages() == 5
    whys = [why for why, _ in door.dead()]
    assert 5 <= len(whys) <= 10 and all(why.startswith("missing_member /recipient: ") for why in whys), whys
    door.until(lambda: len({r["sms_id"] for r in door.rendered()}) == 5, "five records for render")
    door.check()


def test_what_is_away_is_waited_for(door):
    door.start()
    door.publish(text(1), "a")
    door.until(lambda: door.messages() == 1, "the first")
    door.lab.postgres.stop()
    try:
        door.publish(text(2), "b")
        door.until(lambda: "door: requests wait in their queue" in door.process.tail(10000), "the door to give back", 60)
    finally:
        door.lab.postgres.start()
    door.until(lambda: door.messages() == 2, "the second", 60)
    door.until(lambda: "requests on demand are entered again" in door.process.tail(10000), "the end of the trouble")
    assert door.dead() == []
    door.check()


def test_no_caller_waits_behind_another(door):
    """The queue is one for all: a rate is asked over HTTP only."""
    door.caller(rate=1)
    door.start()
    for n in range(100):
        door.publish(text(n), f"k{n}")
    door.until(lambda: door.messages() == 100, "all of them", 60)  # by the rate they would take 99 s
    door.check()


def test_nothing_is_entered_into_a_database_that_lost_history(door):
    door.start()
    door.publish(text(1), "a")
    door.until(lambda: door.messages() == 1, "the first")
    door.process.stop()
    path = os.path.join(door.chain.state_dir, "history-extract")
    with open(path, encoding="utf-8") as f:
        remembered = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(r"timeline \d+", "timeline 7", remembered))
    door.publish(text(2), "b")
    door.start()
    door.until(lambda: "door: requests wait in their queue" in door.process.tail(10000), "the door to give it back")
    assert door.messages() == 1 and "has lost history" in door.process.tail(10000)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert door.chain.ctl("accept-database", "--since", since, "--yes", check=False).returncode in (0, 3)
    # A person decides about every caller: by keys of the lost time messages could be entered twice.
    door.until(lambda: len(door.dead()) == 1, "the refusal", 60)
    assert door.dead()[0][0].startswith("held: database accepted with history lost")
    assert "smschain accept api:shop" in door.dead()[0][0]
    door.chain.ctl("accept", "api:shop")
    door.chain.ctl("dead", "replay", "--all")
    door.until(lambda: door.messages() == 2, "the second")
    door.check()


def test_a_stopped_callers_messages_wait(door):
    door.start()
    door.chain.ctl("stop", "api:shop")
    door.publish(text(1), "a")
    door.until(lambda: door.messages() == 1, "the message")
    door.emptied()
    assert door.rendered() == []
    door.chain.ctl("start", "api:shop")
    door.until(lambda: len(door.rendered()) == 1, "its record")
    run = door.value("SELECT id FROM run")
    door.chain.ctl("cancel", run)  # the run of today: nothing more is entered today
    door.publish(text(2), "b")
    door.until(lambda: len(door.dead()) == 1, "the refusal")
    assert door.dead()[0][0] == f"held: run {run} of today was cancelled"
    door.check()


def test_forgotten_requests_do_not_send_again(door):
    """After request_keep the request itself is gone, its key is not: no second message, and the caller is told."""
    door.start()
    door.publish(text(1), "a")
    door.until(lambda: door.messages() == 1, "the message")
    door.sql("UPDATE request SET asked_at = now() - interval '31 days'")
    door.process.stop()
    door.start()  # house-keeping comes first thing
    door.until(lambda: door.value("SELECT count(*) FROM request") == 0, "the request to be forgotten")
    door.publish(text(1), "a")
    door.until(lambda: len(door.dead()) == 1, "the refusal")
    assert door.dead()[0][0].startswith(f"key_used: by this message-id message {door.value('SELECT sms_id FROM message')} ")
    assert door.messages() == 1


def test_callers_come_and_go_with_their_files(door):
    os.unlink(f"{door.chain.conf_dir}/callers/shop.yaml")
    door.start()
    door.publish(text(1), "a")
    door.until(lambda: len(door.dead()) == 1, "the first refusal")
    door.caller()
    door.reload()
    door.publish(text(1), "a")
    door.until(lambda: door.messages() == 1, "the message")
    os.unlink(f"{door.chain.conf_dir}/callers/shop.yaml")
    door.reload()
    door.publish(text(2), "b")
    door.until(lambda: len(door.dead()) == 2, "the second refusal")
    assert {why for why, _ in door.dead()} == {f"no caller's broker_user is '{door.user}'"}
    assert len(door.rendered()) == 1, "what was entered goes on"
    door.check()


# ---- the commands, which go the same way ----

def test_send_and_message(door):
    """No extract is needed for it: the command enters by itself, and asks again by the same key."""
    ctl = lambda *a: door.chain.ctl(*a, check=False)  # noqa: E731
    send = ["send", "free", "0152 00000001", "text=The lift works again.", "--route", "alpha", "--key", "lift", "--ext-id", "lift-7"]
    first, again = ctl(*send), ctl(*send)
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    sms_id = door.value("SELECT sms_id FROM message")
    assert first.stdout.startswith(f"entered: message {sms_id};")
    assert again.stdout.startswith(f"entered before by this key: message {sms_id};")
    other = ctl(*[w.replace("lift works", "lift is broken") for w in send])
    assert other.returncode == 1 and "another message" in other.stderr
    assert door.sql("SELECT u.name, m.lane FROM message m JOIN run r ON r.id = m.run_id JOIN rule u ON u.id = r.rule_id") == [
        ("api:operator", 1)]
    # Everything that is wrong is said, by name; usage is another exit code.
    wrong = ctl("send", "code", "0152", "--lane", "fast", "--route", "alpha")
    assert wrong.returncode == 1
    assert {line.split(": ")[1] for line in wrong.stderr.splitlines()} == {"recipient", "lane", "params/code"}, wrong.stderr
    assert "did you mean 'free'" not in wrong.stderr
    assert "no template" in (unknown := ctl("send", "fre", "+4915200000001")).stderr or "no such template" in unknown.stderr
    assert "did you mean" not in ctl("send", "fre", "+4915200000001", "--route", "alpha").stderr  # not the wrong name itself
    assert ctl("send", "free", "+4915200000001", "text", "--route", "alpha").returncode == 2
    twice = ctl("send", "free", "+4915200000001", "text=x", "text=y", "--route", "alpha")
    assert twice.returncode == 2 and "'text' is given twice" in twice.stderr
    assert "'4711x' is no sms_id" in ctl("message", "4711x").stderr
    assert "did you mean 'alpha'" in ctl("send", "free", "+4915200000001", "text=x", "--route", "alhpa").stderr
    door.sql("INSERT INTO suppression (number, scope, reason) VALUES (4915200000002, 'all', 'complaint')")
    assert "suppressed: complaint" in ctl("send", "free", "+4915200000002", "text=x").stderr  # by the caller's route
    story = ctl("message", sms_id)
    assert story.returncode == 0 and "queued" in story.stdout and "lift-7" in story.stdout and "smschain send" in story.stdout
    assert "4915200000001" not in story.stdout and "lift works" not in story.stdout
    assert json.loads(ctl("message", sms_id, "--json").stdout)["state"] == "queued"
    assert ctl("message", sms_id, "--wait", "1s").returncode == 3
    assert ctl("message", 4711).returncode == 1
    for fault in ("asked.entering:1", "asked.entered:1"):  # killed before the commit, and after it
        door.chain.more_environment = {"SMSCHAIN_FAULT": fault}
        assert ctl("send", "free", "+4915200000003", "text=x", "--key", fault).returncode == SIGKILLED
        door.chain.more_environment = {}
        assert ctl("send", "free", "+4915200000003", "text=x", "--key", fault).returncode == 0
    assert door.messages() == 3
    door.start()
    door.until(lambda: len(door.rendered()) == 3, "its records")
    door.check()


def test_key(door):
    made = json.loads(door.chain.ctl("key", "shop", "--json").stdout)
    assert hashlib.sha256(made["key"].encode()).hexdigest() == made["key_hash"] and len(made["key"]) == 43
    shown = door.chain.ctl("key", "shop").stdout
    line = next(line for line in shown.splitlines() if "key_hashes" in line)
    with open(f"{door.chain.conf_dir}/callers/shop.yaml", "a", encoding="utf-8") as f:
        f.write(line.strip() + "\n")
    door.chain.ctl("check")
    assert made["key"] not in shown and door.chain.ctl("key", "operator", check=False).returncode == 1
