"""The instant lane under a campaign: messages at 20/s, each timed from its 202 to the gateway's socket, with nothing else to do and
while 100,000 bulk messages run through the same gateway, limited to 500/s; over HTTP and over SMPP."""
import hashlib
import http.client
import json
import threading
import time

import servers

BULK, RATE, EVERY_S = 100000, 500, 0.05
QUIET_S, BUSY_S = 20, 60
FIRST_NUMBER = 491760000000
KEY = "bench-key-of-nobody-else"
CALLER = f"""key_hashes: ["{hashlib.sha256(KEY.encode()).hexdigest()}"]
rate: 1000
daily_cap: 1000000
templates: [password-changed]
route:
  - gateway: alpha
  - gateway: gamma
"""


class Sender(threading.Thread):
    """Asks for a message every EVERY_S seconds, whatever becomes of the earlier ones; notes when each was answered 202."""

    def __init__(self, port, gateway, first, seconds):
        super().__init__()
        self.port, self.gateway, self.first, self.seconds = port, gateway, first, seconds
        self.accepted, self.asked_ms = {}, []  # {number: wall clock in ms}; how long the answers took
        self.failure = None

    def ask(self, connection, number):
        body = {"recipient": f"+{number}", "template": "password-changed", "params": {"changed_at": "2026-01-31 08:15:00"},
                "route": [self.gateway]}
        connection.request("POST", "/v1/messages", json.dumps(body), {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
        assert answer.status == 202, told

    def run(self):
        try:
            connection, begun = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30), time.monotonic()
            for i in range(int(self.seconds / EVERY_S)):
                time.sleep(max(begun + i * EVERY_S - time.monotonic(), 0))
                asked = time.monotonic()
                self.ask(connection, self.first + i)
                self.accepted[self.first + i] = time.time() * 1000
                self.asked_ms.append((time.monotonic() - asked) * 1000)
            connection.close()
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def hops(chain, sender):
    """Where the time went, from the tables' own times: ms from entering to the outbox's take, to the claim."""
    rows = chain.sql("SELECT extract(epoch FROM o.published_at - m.created_at) * 1000, extract(epoch FROM c.claimed_at - o.published_at) * 1000 "
                     "FROM message m JOIN claim c USING (sms_id) JOIN outbox o ON o.body LIKE '%%\"sms_id\":' || m.sms_id || ',%%' "
                     "AND o.run_id = m.run_id WHERE m.number BETWEEN %s AND %s", (sender.first, sender.first + len(sender.accepted)))
    for name, values in zip(("entered to taken from the outbox", "taken to claimed"), zip(*rows)):
        values = [float(v) for v in values]
        print(f"# {name}: p50 {percentile(values, 0.5):.0f} ms, p99 {percentile(values, 0.99):.0f} ms", flush=True)


def measure(chain, port, gateway, first, seconds):
    """ms from each 202 to the socket."""
    sender = Sender(port, gateway, first, seconds)
    sender.start()
    sender.join()
    assert sender.failure is None, sender.failure
    wanted, waits = set(sender.accepted), {}

    def all_there():
        waits.update({s["number"]: s["time_ms"] - sender.accepted[s["number"]] for s in chain.gateway.submits()
                      if s["number"] in wanted})
        return len(waits) == len(wanted)
    chain.wait_until(all_there, 60, f"{len(wanted)} instant messages at the gateway", every=0.5)
    hops(chain, sender)
    print(f"# asked to answered 202: p50 {percentile(sender.asked_ms, 0.5):.0f} ms, p99 {percentile(sender.asked_ms, 0.99):.0f} ms", flush=True)
    return [waits[n] for n in sorted(waits)]


def told(result, name, waits, floor):
    """Prints p50, p95, p99 beside those without a load; gives them."""
    figures = [percentile(waits, share) for share in (0.5, 0.95, 0.99)]
    for word, value, quiet in zip(("p50", "p95", "p99"), figures, floor or [None] * 3):
        result(f"instant by {name}, 202 to socket, {word}", value, "ms", quiet, False)
    print(f"# worst {max(waits):.0f} ms of {len(waits)}", flush=True)
    return figures


def holds(check):
    try:
        check()
    except AssertionError:
        return False
    return True


def by(chain, gateway):
    """The campaign's rule goes by this gateway alone."""
    with open(f"{chain.conf_dir}/rules/repayment-reminder.yaml", encoding="utf-8") as f:
        text = f.read()
    with open(f"{chain.conf_dir}/rules/repayment-reminder.yaml", "w", encoding="utf-8") as f:
        f.write(f"{text[:text.index(chr(10) + 'route:')]}\nroute:\n  - gateway: {gateway}\n")


def bench(make_chain, result, scale=1):
    for number, (gateway, name) in enumerate((("alpha", "HTTP"), ("gamma", "SMPP"))):
        port = servers.free_port(set())
        chain = make_chain(f"instant-{gateway}", {"SMSCHAIN_ALPHA_RATE": str(RATE), "SMSCHAIN_GAMMA_RATE": str(RATE),
                                                  "SMSCHAIN_API_LISTEN": f"127.0.0.1:{port}"},
                           {"answer_delay_ms": 50}, gateways=("alpha", "beta", "gamma"))
        by(chain, gateway)
        with open(f"{chain.conf_dir}/callers/bench.yaml", "w", encoding="utf-8") as f:
            f.write(CALLER)
        with chain:
            chain.start()
            chain.wait_until(lambda: chain.value("SELECT count(*) FROM rule") >= 12, 30)
            first = FIRST_NUMBER + number * 1000000
            measure(chain, port, gateway, first, 3)  # connections come up
            quiet = told(result, f"{name}, no load", measure(chain, port, gateway, first + 100000, QUIET_S / scale), None)
            chain.fill_shop(BULK // scale, ["repayment-reminder"])
            chain.shop.sql("ANALYZE")
            chain.run_rule("repayment-reminder")
            busy = measure(chain, port, gateway, first + 200000, BUSY_S / scale)
            told(result, f"{name}, {BULK // scale} of bulk at {RATE}/s", busy, quiet)
            sent = sum(s["number"] < FIRST_NUMBER or s["number"] > FIRST_NUMBER + 10000000 for s in chain.gateway.submits())
            print(f"# bulk sent meanwhile: {sent}", flush=True)
            chain.service("dispatch").stop()
            chain.wait_until(lambda: holds(chain.check_i1), 60, "I1, once all that was sent is in the tables")
