"""The HTTP API of smschain-extract, the real program with a real PostgreSQL and RabbitMQ: every status of docs/openapi.yaml is
provoked and every answer held against its schemas; the same keys from many clients at once, after kills and outages; and
cancelling against a dispatcher, with the fake gateway's log as the judge."""
import collections
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import select
import socket
import threading
import time
import urllib.request

import jsonschema
import pytest
import yaml

import servers
from chain import ROOT, STATES, Chain

KEY, OTHER_KEY, STRICT_KEY, POOR_KEY, SLOW_KEY = ("test-key-of-" + name for name in ("webshop", "other", "strict", "poor", "slow"))
CALLER = """
key_hashes: [%s]
rate: %d
daily_cap: %d
templates: [order-shipped]
%s
send_at_max: 7d
valid_for: 1h
route:
  - gateway: alpha
"""
PARAMS = {"name": "Ann", "order_id": "4711", "carrier": "DHL", "parcel": "p1"}
FIRST_NUMBER = 491520000000


def request_of(i=0, **more):
    return {"recipient": f"+{FIRST_NUMBER + i}", "template": "order-shipped", "params": {**PARAMS, "order_id": str(i)}, **more}


class Doc:
    """docs/openapi.yaml as the judge of answers: each must be documented, and what it documents must have been seen."""

    def __init__(self):
        with open(os.path.join(ROOT, "docs/openapi.yaml"), encoding="utf-8") as f:
            self.doc = yaml.safe_load(f)
        jsonschema.Draft202012Validator.check_schema(self.doc["components"]["schemas"])
        self.seen = set()

    def resolve(self, node):
        while "$ref" in node:
            found = self.doc
            for part in node["$ref"][2:].split("/"):
                found = found[part]
            node = found
        return node

    def operations(self):
        return {(path, method): operation for path, item in self.doc["paths"].items() for method, operation in item.items()
                if method != "parameters"}

    def documented(self):
        return {(path, method, int(status)) for (path, method), o in self.operations().items() for status in o["responses"]}

    def schema(self, node):
        return {"$ref": f"#{node['$ref'][1:]}", "components": self.doc["components"]} if "$ref" in node else \
            {**node, "components": self.doc["components"]}

    def judge(self, method, path, status, headers, body):
        path = re.sub(r"^/v1/messages/[0-9].*$", "/v1/messages/{sms_id}", path)
        operation = self.operations().get((path, method.lower()))
        if operation is None and status == 405:  # a method that is not documented: what is documented for the path counts
            method, operation = next((m, o) for (p, m), o in self.operations().items() if p == path)
        if operation is None:
            assert status == 404, (method, path, status)
            return
        assert str(status) in operation["responses"], (method, path, status, body)
        response = self.resolve(operation["responses"][str(status)])
        (kind, content), = response["content"].items()
        assert headers["Content-Type"] == kind, (method, path, status, headers["Content-Type"])
        jsonschema.Draft202012Validator(self.schema(content["schema"])).validate(body)
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            assert name in headers or not header.get("required"), (method, path, status, name)
            if name in headers:
                jsonschema.validate(headers[name], header["schema"])
        if status >= 400:
            assert body["status"] == status
        self.seen.add((path, method.lower(), status))


class Client:
    """One connection that is kept; every answer goes through the judge."""

    def __init__(self, port, doc, key=KEY, source=None):
        self.port, self.doc, self.key, self.source, self.connection = port, doc, key, source, None

    def ask(self, method, path, body=None, key=None, headers=None, raw=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30,
                                                         source_address=(self.source, 0) if self.source else None)
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent["Content-Type"] = "application/json"
        if key:
            sent["Idempotency-Key"] = key
        sent.update(headers or {})
        try:
            self.connection.request(method, path, body=raw, headers=sent)
            answer = self.connection.getresponse()
            told = json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if self.doc:
            self.doc.judge(method, path, answer.status, answer.headers, told)
        if answer.headers.get("Connection", "").lower() == "close":
            self.close()
        return answer.status, told, answer.headers

    def post(self, body, key=None, **more):
        return self.ask("POST", "/v1/messages", body, key, **more)[:2]

    def batch(self, items, key=None, **more):
        return self.ask("POST", "/v1/messages/batch", {"messages": items}, key, **more)[:2]

    def get(self, sms_id):
        return self.ask("GET", f"/v1/messages/{sms_id}")[:2]

    def delete(self, sms_id):
        return self.ask("DELETE", f"/v1/messages/{sms_id}")[:2]

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class World:
    """A chain whose extract has the API, with callers of the test's own."""

    def __init__(self, directory, lab, api=""):
        self.lab, self.doc, self.clients = lab, Doc(), []
        self.chain = Chain(str(directory), lab, few_rules=True)
        self.chain.copy_conf()
        self.chain.only_gateways("alpha")
        for folder, keep in (("rules", ()), ("callers", ())):
            for name in os.listdir(f"{self.chain.conf_dir}/{folder}"):
                if name not in keep:
                    os.unlink(f"{self.chain.conf_dir}/{folder}/{name}")
        self.caller("webshop", KEY, rate=100000, cap=1000000, more="text_template: free-text")
        self.caller("other", OTHER_KEY)
        self.caller("strict", STRICT_KEY, more="require_idempotency_key: true")
        self.caller("poor", POOR_KEY, cap=3)
        self.caller("slow", SLOW_KEY, rate=1)
        if api:
            self.chain.change_conf("smschain.yaml", "    # tls_certificate: /etc/smschain/tls/api.pem", f"{api}\n    #")
        self.ports = {}
        self.metrics_port = servers.free_port(self.chain.ports)
        self.chain.ports.add(self.metrics_port)

    def caller(self, name, key, rate=1000, cap=1000, more=""):
        with open(f"{self.chain.conf_dir}/callers/{name}.yaml", "w", encoding="utf-8") as f:
            f.write(CALLER % (hashlib.sha256(key.encode()).hexdigest(), rate, cap, more))

    def start(self, only=("extract",), **environment):
        self.chain.prepare()
        if len(only) > 1:
            self.chain.start_gateways()
        for name in only:
            if name != "extract":
                self.chain.service(name).start()
        return self.extract(**environment)

    def extract(self, instance=1, **environment):
        process = self.chain.service("extract", instance)
        if instance not in self.ports:
            self.ports[instance] = servers.free_port(self.chain.ports)
            self.chain.ports.add(self.ports[instance])
        process.start(SMSCHAIN_API_LISTEN=f"127.0.0.1:{self.ports[instance]}",
                      SMSCHAIN_EXTRACT_METRICS_LISTEN=f"127.0.0.1:{self.metrics_port}" if instance == 1 else "", **environment)
        self.chain.wait_until(lambda: self.listens(instance), 30, "the API")
        return process

    def listens(self, instance=1):
        assert self.chain.service("extract", instance).alive, self.chain.service("extract", instance).tail()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.ports[instance]), timeout=5).close()
            return True
        return False

    def client(self, key=KEY, instance=1, source=None):
        self.clients.append(Client(self.ports[instance], self.doc, key, source))
        return self.clients[-1]

    def counts(self):
        """Of what asks make: requests kept, messages, keys, and those counted by the callers' runs."""
        return tuple(self.chain.value(s) for s in (
            "SELECT count(*) FROM request WHERE sms_id IS NOT NULL", "SELECT count(*) FROM message", "SELECT count(*) FROM dedupe",
            "SELECT coalesce(sum(rows_new), 0)::int FROM run"))

    def log(self):
        return self.chain.service("extract").tail(10000)

    def close(self):
        for client in self.clients:
            client.close()
        self.chain.stop()


@pytest.fixture
def world(tmp_path, lab):
    made = []

    def make(api=""):
        made.append(World(tmp_path / str(len(made)), lab, api))
        return made[-1]
    yield make
    for one in made:
        one.close()


def types(body):
    return {(e["pointer"], e["type"]) for e in body.get("errors", ())}


@contextlib.contextmanager
def held_tables(world):
    """While it lasts, nobody can read a message."""
    import psycopg2
    with contextlib.closing(psycopg2.connect(world.lab.conninfo(world.chain.database))) as c:
        c.cursor().execute("LOCK TABLE message IN ACCESS EXCLUSIVE MODE")
        yield
        c.rollback()


def fill_the_workers(world, some_id):
    """More GETs than may wait, until some are refused; gives their sockets."""
    text = f"GET /v1/messages/{some_id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    held = []
    for _ in range(210):
        s = socket.create_connection(("127.0.0.1", world.ports[1]), timeout=30)
        s.sendall(text)
        held.append(s)
    world.chain.wait_until(lambda: select.select(held, [], [], 0)[0], 8, "a refusal")
    return held


def test_what_is_asked_leaves_at_once(world):
    """The commit wakes the instant lane's publisher, which would look again after five seconds."""
    w = world()
    w.chain.change_conf("smschain.yaml", "# outbox_poll: 100ms", "outbox_poll: 5s")
    w.start()
    client = w.client()
    for i in range(3):
        assert client.post(request_of(i), f"at-once-{i}")[0] == 202
        w.chain.wait_until(lambda: w.chain.value("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL") > i,  # pylint: disable=cell-var-from-loop
                           20 if i == 0 else 3, "the chunk in its queue", every=0.02)  # the first one: connections come up


def test_every_documented_status(world, lab):
    w = world("    trusted_proxies: [127.0.0.2]\n    connections: 500\n    connections_per_address: 400\n    body_bytes: 300KiB")
    w.start()
    c, chain = w.client(), w.chain
    # 202: committed; the same key again: the very same answer.
    status, first, headers = c.ask("POST", "/v1/messages", request_of(1, ext_id="order 1"), "key-1")
    assert (status, headers["Location"]) == (202, first["url"]) and first["state"] == "queued"
    assert w.counts() == (1, 1, 1, 1)
    assert c.ask("POST", "/v1/messages", dict(reversed(request_of(1, ext_id="order 1").items())), "key-1")[:2] == (202, first)
    assert w.client(OTHER_KEY).post(request_of(1), "key-1")[1]["sms_id"] != first["sms_id"]  # another caller's key is another key
    assert w.counts() == (2, 2, 2, 2)
    status, told = c.post(request_of(2), "key-1")
    assert (status, told["type"]) == (422, "urn:smschain:problem:key_of_another_request")
    assert c.post(request_of(3))[0] == 202 and c.post(request_of(3))[0] == 202  # without a key they are two
    assert w.counts() == (4, 4, 4, 4)
    # 400
    for no_json in (b"{no", b"null", b'{"lane":"bulk",' + json.dumps(request_of(lane="instant")).encode()[1:]):  # the same name twice
        assert c.ask("POST", "/v1/messages", raw=no_json)[0] == 400
    assert c.ask("POST", "/v1/messages", request_of(), headers={"Idempotency-Key": "two words"})[0] == 400
    assert c.ask("POST", "/v1/messages/batch", raw=b"")[0] == 400
    # 401, 403, 404, 405, 413, 415
    for key in (None, "nobody's", KEY + "x", KEY[:-1]):
        for method, path in (("POST", "/v1/messages"), ("POST", "/v1/messages/batch"), ("GET", first["url"]), ("DELETE", first["url"])):
            assert w.client(key).ask(method, path, headers={"Content-Type": "application/json"})[0] == 401
    assert c.post({**request_of(), "template": "password-changed"})[0] == 403
    assert c.post(request_of(lane="bulk"))[0] == 403
    for path in ("/", "/v1/messages/", "/v1/messages/x", "/v1/messages/0", "/v1/messages/9007199254740993", "/v2/messages"):
        assert c.ask("GET", path)[0] == 404
    other = w.client(OTHER_KEY)
    assert other.get(first["sms_id"])[0] == 404 and other.delete(first["sms_id"])[0] == 404  # another caller's
    assert c.get(first["sms_id"] + 5000000)[0] == 404 and c.delete(4711)[0] == 404
    assert c.ask("PUT", "/v1/messages", request_of())[2]["Allow"] == "POST"
    assert c.ask("GET", "/v1/messages/batch")[2]["Allow"] == "POST"
    assert c.ask("PATCH", first["url"], {})[2]["Allow"] == "GET, DELETE"
    for path in ("/v1/messages", "/v1/messages/batch"):
        assert c.ask("POST", path, raw=b" " * 400000)[0] == 413
        for headers in ({"Content-Type": "text/json"}, {"Content-Type": "application/jsoncharset=utf-8"}, {"Content-Encoding": "gzip"}):
            assert c.ask("POST", path, request_of(), headers=headers)[0] == 415
    assert c.ask("POST", "/v1/messages", request_of(), headers={"Content-Type": "application/json; charset=UTF-8"})[0] == 202
    # 422 names the member and repeats nothing of it.
    status, told = c.post({"recipient": "+49 171 secret", "template": "order-shipped", "params": {"name": ["x"]}, "colour": 1})
    assert status == 422 and {p for p, _ in types(told)} >= {"/recipient", "/params/name", "/colour"} and "secret" not in json.dumps(told)
    assert c.post({"recipient": f"+{FIRST_NUMBER}", "template": "order-shipped", "params": {"name": "x"}})[0] == 422
    assert c.batch([])[0] == 422 and c.batch([request_of()] * 1001)[0] == 422
    assert c.ask("POST", "/v1/messages/batch", {"messages": [request_of()], "more": 1})[0] == 422
    strict = w.client(STRICT_KEY)
    assert strict.post(request_of())[0] == 400 and strict.post(request_of(), headers={"Idempotency-Key": ""})[0] == 400
    assert strict.post(request_of(), "a-key")[0] == 202
    status, told = strict.batch([request_of(), {**request_of(1), "idempotency_key": "a"}, {**request_of(2), "idempotency_key": "a b"}])
    assert [m["status"] for m in told["messages"]] == [422, 202, 422]
    chain.sql("INSERT INTO suppression (number, scope, reason) VALUES (%s, 'all', 'stop')", (FIRST_NUMBER + 77,))
    status, told = c.post(request_of(77), "key-77")
    assert (status, told["type"]) == (422, "urn:smschain:problem:suppressed")
    # 429: the daily cap, the rate, too many at a time of one address behind a proxy
    poor, slow = w.client(POOR_KEY), w.client(SLOW_KEY)
    assert [poor.post(request_of(i))[0] for i in range(5)] == [202, 202, 202, 429, 429]
    assert slow.post(request_of())[0] == 202
    status, told, headers = slow.ask("POST", "/v1/messages", request_of())
    assert (status, headers["Retry-After"]) == (429, "1")
    assert slow.batch([request_of()])[0] == 429
    # 500: the database refuses this very request, and not its neighbours
    chain.sql("ALTER TABLE message ADD CONSTRAINT test_refuses CHECK (number <> %s)", (FIRST_NUMBER + 99,))
    assert c.post(request_of(99))[0] == 500
    status, told = c.batch([request_of(98), request_of(99), request_of(100)])
    assert [m["status"] for m in told["messages"]] == [202, 500, 202]
    # A batch: each item for itself, by its own key or the header's with its place.
    items = [request_of(20), {**request_of(21), "idempotency_key": "own-21"}, {**request_of(22), "recipient": "12"}, request_of(77), 5]
    status, told = c.batch(items, "batch-1")
    assert status == 202 and [m["status"] for m in told["messages"]] == [202, 202, 422, 422, 422]
    assert c.batch(items, "batch-1") == (202, told)
    assert c.post(request_of(20), "batch-1/0")[1]["sms_id"] == told["messages"][0]["sms_id"]
    assert c.post(request_of(21), "own-21")[1]["sms_id"] == told["messages"][1]["sms_id"]
    # GET and DELETE
    status, told = c.get(first["sms_id"])
    assert (status, told["state"], told["final"], told["ext_id"], told["timeline"]) == (200, "queued", False, "order 1", [])
    assert c.delete(first["sms_id"])[:2] == (200, {**first, "state": "cancelled"})
    assert c.delete(first["sms_id"])[0] == 200
    status, told = c.get(first["sms_id"])
    assert (told["state"], told["final"]) == ("cancelled", True)
    claimed = c.post(request_of(50))[1]["sms_id"]
    chain.sql("INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at) VALUES (%s, 1, 1, 0, 1, 7, now())", (claimed,))
    assert c.delete(claimed)[0] == 409
    assert [e["what"] for e in c.get(claimed)[1]["timeline"]] == ["claimed"]
    # 429 for what is read: a proxy's client that holds all its places. 503: the workers are full.
    with held_tables(w):
        held = fill_the_workers(w, first["sms_id"])
        assert c.get(first["sms_id"])[0] == 503 and c.delete(first["sms_id"])[0] == 503 and c.batch([request_of()])[0] == 503
    for s in held:
        assert s.recv(100)[9:12] in (b"200", b"503")
        s.close()
    # 503: the database is away; the same key works when it is back, and there is one message.
    lab.postgres.stop()
    try:
        assert c.post(request_of(60), "key-60")[0] == 503
        assert c.get(first["sms_id"])[0] == 503 and c.delete(first["sms_id"])[0] == 503
        status, told = c.batch([request_of(61)], "batch-61")
        assert (status, told["messages"][0]["status"]) == (202, 503)
    finally:
        lab.postgres.start()
    chain.wait_until(lambda: c.post(request_of(60), "key-60")[0] == 202, 60, "an answer with the database back")
    assert chain.value("SELECT count(*) FROM message WHERE number = %s", (FIRST_NUMBER + 60,)) == 1
    chain.wait_until(lambda: c.get(first["sms_id"])[0] == 200, 30, "GET with the database back")
    assert c.batch([request_of(61)], "batch-61")[1]["messages"][0]["status"] == 202
    # 429, behind a proxy
    chain.service("extract").stop()
    chain.change_conf("smschain.yaml", "connections_per_address: 400", "connections_per_address: 1")
    w.extract()
    begun = socket.create_connection(("127.0.0.1", w.ports[1]), source_address=("127.0.0.2", 0))
    begun.sendall(f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer {KEY}\r\n"
                  "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n".encode())
    behind = w.client(source="127.0.0.2")
    for method in ("GET", "DELETE"):
        chain.wait_until(lambda m=method: behind.ask(m, first["url"], headers={"X-Forwarded-For": "192.0.2.1"})[0] == 429, 10, "429")
    assert behind.ask("GET", first["url"], headers={"X-Forwarded-For": "192.0.2.2"})[0] == 200
    begun.close()
    with urllib.request.urlopen(f"http://127.0.0.1:{w.metrics_port}/metrics", timeout=10) as answer:
        metrics = answer.read().decode()
    assert re.search(r'smschain_api_answers_total\{class="4xx"\} [1-9]', metrics) and "smschain_api_seconds_count" in metrics
    missing = w.doc.documented() - w.doc.seen
    assert not missing, f"documented, and never seen: {sorted(missing)}"
    for secret in (KEY, "key-1", str(FIRST_NUMBER)[:9], "4711"):
        assert secret not in w.log()
    w.chain.check_i2(final=False)


def test_the_same_keys_from_many_clients(world):
    """64 clients with the same 1,000 keys, each in an order of its own, half of them at another process: one message a key, and
    everybody is told the same."""
    w = world()
    w.start()
    w.extract(instance=2)
    start = threading.Barrier(64)

    def work(n):
        client, order, told = w.client(instance=1 + n % 2), list(range(1000)), {}
        client.doc = None
        random.Random(n).shuffle(order)
        start.wait(60)
        if n < 2:  # these two ask for one at a time
            for k in order[:400]:
                status, answer = client.post(request_of(k), f"key-{k}")
                assert status == 202
                told[k] = answer["sms_id"]
            order = order[400:]
        for i in range(0, len(order), 250):
            some = order[i:i + 250]
            status, answer = client.batch([{**request_of(k), "idempotency_key": f"key-{k}"} for k in some])
            assert status == 202 and all(m["status"] == 202 for m in answer["messages"]), answer
            told.update({k: m["sms_id"] for k, m in zip(some, answer["messages"])})
        return told
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        told = list(pool.map(work, range(64)))
    assert all(t == told[0] for t in told) and len(set(told[0].values())) == 1000
    assert w.counts() == (1000, 1000, 1000, 1000)
    w.chain.check_i2(final=False)


def killed_at(w, point, act):
    """What the client of a process that is killed there sees: nothing."""
    w.chain.service("extract").stop()
    for client in w.clients:
        client.close()
    process = w.extract(SMSCHAIN_FAULT=f"{point}:1")
    with pytest.raises((OSError, http.client.HTTPException)):
        act()
    assert process.wait_end(30) == -9
    w.extract()


def test_killed_between_commit_and_answer(world):
    w = world("    request_timeout: 1s")
    w.start()
    c, chain = w.client(), w.chain
    killed_at(w, "api.committed", lambda: c.post(request_of(1), "key-1"))
    assert w.counts() == (1, 1, 1, 1)
    assert c.post(request_of(1), "key-1")[0] == 202 and w.counts() == (1, 1, 1, 1)
    killed_at(w, "api.committed", lambda: c.batch([request_of(i) for i in range(2, 102)], "batch"))
    assert w.counts()[1] == 101
    status, told = c.batch([request_of(i) for i in range(2, 102)], "batch")
    ids = [m["sms_id"] for m in told["messages"]]
    assert status == 202 and len(set(ids)) == 100 and w.counts() == (101, 101, 101, 101)
    # Killed under load: whatever was answered is there, and what was not is asked again.
    stop, answered = threading.Event(), {}

    def load(n):
        client = w.client()
        for i in range(1000 + n, 4000, 8):
            try:
                answered[i] = client.post(request_of(i), f"load-{i}")[1]["sms_id"]
            except (OSError, http.client.HTTPException):
                return
            if stop.is_set():
                return
    threads = [threading.Thread(target=load, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    chain.wait_until(lambda: len(answered) > 100, 30, "some answers")
    chain.service("extract").kill9()
    stop.set()
    for t in threads:
        t.join()
    c.close()
    w.extract()
    for i in range(1000, 1000 + 8 * 20):
        status, told = c.post(request_of(i), f"load-{i}")
        assert status == 202 and answered.get(i, told["sms_id"]) == told["sms_id"]
    kept, messages, keys, counted = w.counts()
    assert kept == messages == keys == counted == chain.value("SELECT count(DISTINCT number) FROM message")
    # DELETE: before its statement nothing has happened, after it the message is cancelled.
    killed_at(w, "api.cancelling", lambda: c.delete(ids[0]))
    assert c.get(ids[0])[1]["state"] == "queued"
    killed_at(w, "api.cancelled", lambda: c.delete(ids[0]))
    assert c.get(ids[0])[1]["state"] == "cancelled" and c.delete(ids[0])[0] == 200
    assert chain.value("SELECT count(*) FROM claim WHERE sms_id = %s", (ids[0],)) == 1
    # Clients that are slow, or speak something else.
    for begin in (b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + KEY.encode() + b"\r\nContent-Type: application/json"
                  b"\r\nContent-Length: 50\r\n\r\n{", b"GET /v1/mess", b"\x16\x03\x01\x02\x00"):
        with socket.create_connection(("127.0.0.1", w.ports[1]), timeout=15) as s:
            s.sendall(begin)
            began = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                while s.recv(1000):
                    pass
            assert time.monotonic() - began < 12
    assert w.client().get(ids[1])[0] == 200
    w.chain.check_i2(final=False)


def test_cancelling_against_the_dispatcher(world):
    """Exactly one of sent and cancelled wins, and the gateway's own log says which."""
    w = world()
    w.start(only=("callback", "dispatch", "render", "extract"))
    c, chain = w.client(), w.chain
    later = c.post(request_of(900, send_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))))[1]["sms_id"]
    assert c.delete(later)[0] == 200 and c.get(later)[1]["state"] == "cancelled"
    told = {}
    for part in range(4):
        status, answer = c.batch([request_of(100 * part + i) for i in range(100)])
        ids = [m["sms_id"] for m in answer["messages"]]
        assert status == 202 and len(ids) == 100

        def cancel(these):
            client = w.client()
            return {sms_id: client.delete(sms_id)[0] for sms_id in these}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:  # two of them ask for each
            for answers in pool.map(cancel, (ids[::-2], ids[::-2], ids[::2], ids[-2::-2])):
                for sms_id, status in answers.items():
                    assert told.setdefault(sms_id, status) == status and status in (200, 409)
    chain.wait_final(401, 60)
    numbers = dict(chain.sql("SELECT sms_id, number FROM message"))
    states = {sms_id: STATES[state] for sms_id, state in chain.sql("SELECT sms_id, state FROM message")}
    sent = [s["number"] for s in chain.all_submits()]
    assert len(sent) == len(set(sent))
    for sms_id, status in told.items():
        assert (numbers[sms_id] in sent) == (status == 409), (sms_id, status, states[sms_id])
        assert (states[sms_id] == "cancelled") == (status == 200)
    assert numbers[later] not in sent and states[later] == "cancelled"
    counts = collections.Counter(told.values())
    assert counts[200] > 20, counts
    # Who is not cancelled goes all the way, and GET tells it in order.
    one = c.post(request_of(950, ext_id="order 950"), "key-950")[1]["sms_id"]
    chain.wait_until(lambda: c.get(one)[1]["final"], 30, "its end")
    told = c.get(one)[1]
    assert c.delete(one)[0] == 409 and told["gateway"] == "alpha" and told["segments"] == 1
    assert [e["what"] for e in told["timeline"]][:2] == ["claimed", "accepted"] and told["timeline"][-1]["what"].startswith("report")
    assert [e["at"] for e in told["timeline"]] == sorted(e["at"] for e in told["timeline"])
    chain.check_invariants()
