"""Every way in at once: a campaign, messages asked for over HTTP and by the queue, and a task, in both lanes and over both
drivers, while each service is killed. What a caller was told with 202 is one message, whoever asked for it how often."""
import base64
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import random
import time

import servers
from tasks import Upstream, write_rule

BOTH = ("alpha", "gamma")  # a driver each
SLOW = {"SMSCHAIN_ALPHA_RATE": "300", "SMSCHAIN_GAMMA_RATE": "300", "SMSCHAIN_ALPHA_WINDOW": "50", "SMSCHAIN_GAMMA_WINDOW": "50",
        "SMSCHAIN_ALPHA_ANSWER_TIMEOUT": "5s", "SMSCHAIN_GAMMA_ANSWER_TIMEOUT": "5s", "SMSCHAIN_GAMMA_RECONNECT": "100ms"}
KEY = "key-of-the-webshop"
CALLER = f"""
key_hashes: [{hashlib.sha256(KEY.encode()).hexdigest()}]
rate: 100000
daily_cap: 1000000
templates: [order-shipped]
lanes: [instant, bulk]
valid_for: 1h
route:
  - gateway: alpha
    prefixes: ["4915"]
  - gateway: gamma
"""
CAMPAIGN, ASKED, QUEUED, LISTED = 3000, 400, 100, 1000
FIRST_ASKED, FIRST_QUEUED, FIRST_LISTED = 491550000000, 491650000000, 491560000000


def on_demand(chain):
    """A caller over HTTP, who is also whose requests come by the queue without a user, and a rule for tasks."""
    write_rule(chain, gateways=BOTH)
    with open(f"{chain.conf_dir}/callers/webshop.yaml", "w", encoding="utf-8") as f:
        f.write(CALLER)
    chain.change_conf("smschain.yaml", "# door_caller: webshop", "door_caller: webshop")
    port = servers.free_port(chain.ports)
    chain.ports.add(port)
    chain.more_environment["SMSCHAIN_API_LISTEN"] = f"127.0.0.1:{port}"


def request_of(number, i):
    return {"recipient": f"+{number}", "template": "order-shipped", "lane": ("instant", "bulk")[i % 2],
            "params": {"name": "Ann", "order_id": str(i), "carrier": "DHL", "parcel": f"p{i}"}}


def ask(chain, i, deadline):
    """Asks until there is an answer, as a client must that had none: with the same key. Gives the sms_id."""
    body = json.dumps(request_of(FIRST_ASKED + i, i))
    time.sleep(random.random() / 8)  # so that they ask as long as there are kills
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(chain.more_environment["SMSCHAIN_API_LISTEN"], timeout=30)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("POST", "/v1/messages", body, {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"key-{i}",
                                                              "Content-Type": "application/json"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
            if answer.status == 202:
                return told["sms_id"]
            assert answer.status == 503, told
        connection.close()
        time.sleep(0.05)
    raise AssertionError(f"no answer for key-{i}")


def by_queue(chain, i):
    """Twice, as by a publisher that had no confirm."""
    body = base64.b64encode(json.dumps(request_of(FIRST_QUEUED + i, i)).encode()).decode()
    for _ in range(2):
        done = chain.lab.api("POST", f"/api/exchanges/{chain.vhost}/sms.request/publish", {
            "routing_key": "sms.request", "payload_encoding": "base64", "payload": body,
            "properties": {"delivery_mode": 2, "message_id": f"message-{i}"}})
        assert done["routed"]


def test_every_way_in_with_kills(make_chain):
    chain = make_chain(environment=SLOW, gateways=BOTH, before_start=on_demand)
    upstream = Upstream(chain)
    chain.fill_shop(CAMPAIGN)
    chain.run_rules()
    deadline = time.monotonic() + 180
    with concurrent.futures.ThreadPoolExecutor(max_workers=9) as pool:
        asked = [pool.submit(ask, chain, n % ASKED, deadline) for n in random.sample(range(2 * ASKED), 2 * ASKED)]
        queued = pool.submit(lambda: [by_queue(chain, i) for i in range(QUEUED)])
        with upstream.transaction():
            upstream.task("list-of-some", name="list")
            upstream.rows("list-of-some", 1, LISTED, FIRST_LISTED)
            upstream.sign("list-of-some")
        for turn, name in enumerate(("extract", "render", "dispatch", "extract", "callback"), 1):
            chain.wait_submits(400 * turn, 120)
            chain.service(name).kill9()
            chain.service(name).start()
        ids = [n.result() for n in asked]
        queued.result()
    assert len(ids) == 2 * ASKED and len(set(ids)) == ASKED, "one message a key, though each was asked for twice"
    chain.wait_final(CAMPAIGN + ASKED + QUEUED + LISTED, 240, also=["in_doubt"])
    assert chain.value("SELECT count(*) FROM message") == CAMPAIGN + ASKED + QUEUED + LISTED
    known = dict(chain.sql("SELECT sms_id, number FROM message WHERE sms_id = ANY(%s)", (list(set(ids)),)))
    assert set(known.values()) == set(range(FIRST_ASKED, FIRST_ASKED + ASKED)), "every 202 is a row"
    assert chain.value("SELECT count(*) FROM message WHERE number BETWEEN %s AND %s", (FIRST_QUEUED, FIRST_QUEUED + QUEUED)) == QUEUED
    assert chain.value("SELECT count(DISTINCT lane) FROM message") == 2
    chain.check_invariants(crashes=1)
    upstream.close()
