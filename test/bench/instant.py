"""The instant lane under a campaign: messages at 20/s, each timed from the commit that entered it to the gateway's socket, with
nothing else to do and while 100,000 bulk messages run through the same gateway, limited to 500/s; over HTTP and over SMPP."""
import json
import threading
import time
import uuid

import psycopg2

BULK, RATE, EVERY_S = 100000, 500, 0.05
QUIET_S, BUSY_S = 20, 60
FIRST_NUMBER = 491760000000
ENTER = """SELECT enter_message(%s, %s, %s, false, true, now() + interval '10 minutes', 'sms.render.instant',
                            '{"v":1,"kind":"rows","records":[', %s, ']}')"""


class Sender(threading.Thread):
    """Enters a message every EVERY_S seconds, whatever becomes of the earlier ones; notes when each was committed."""

    def __init__(self, chain, gateway, first, seconds):
        super().__init__()
        self.chain, self.gateway, self.first, self.seconds = chain, gateway, first, seconds
        self.committed = {}  # number: wall clock in ms
        self.failure = None

    def record(self, run, number):
        return "," + json.dumps({
            "number": number, "run": run, "rule": "bench", "tmpl": "password-changed", "lane": "instant",
            "valid_until": int((time.time() + 600) * 1000), "sender": "", "route": [self.gateway],
            "row": {"changed_at": "2026-01-31 08:15:00"}}, separators=(",", ":"))[1:]

    def run(self):
        try:
            connection = psycopg2.connect(self.chain.lab.conninfo(self.chain.database))
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("SELECT standing_run('bench', 'test')")
            run, begun = cursor.fetchone()[0], time.monotonic()
            for i in range(int(self.seconds / EVERY_S)):
                time.sleep(max(begun + i * EVERY_S - time.monotonic(), 0))
                number = self.first + i
                cursor.execute(ENTER, (run, str(uuid.uuid4()), number, self.record(run, number)))
                self.committed[number] = time.time() * 1000
            connection.close()
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def hops(chain, sender):
    """Where the time went, from the tables' own times: ms from entering to the outbox's take, to the claim."""
    rows = chain.sql("SELECT extract(epoch FROM o.published_at - m.created_at) * 1000, extract(epoch FROM c.claimed_at - o.published_at) * 1000 "
                     "FROM message m JOIN claim c USING (sms_id) JOIN outbox o ON o.body LIKE '%%\"sms_id\":' || m.sms_id || ',%%' "
                     "AND o.run_id = m.run_id WHERE m.number BETWEEN %s AND %s", (sender.first, sender.first + len(sender.committed)))
    for name, values in zip(("entered to taken from the outbox", "taken to claimed"), zip(*rows)):
        values = [float(v) for v in values]
        print(f"# {name}: p50 {percentile(values, 0.5):.0f} ms, p99 {percentile(values, 0.99):.0f} ms", flush=True)


def measure(chain, gateway, first, seconds):
    """{number: ms} from the commit to the socket."""
    sender = Sender(chain, gateway, first, seconds)
    sender.start()
    sender.join()
    assert sender.failure is None, sender.failure
    wanted, waits = set(sender.committed), {}

    def all_there():
        waits.update({s["number"]: s["time_ms"] - sender.committed[s["number"]] for s in chain.gateway.submits()
                      if s["number"] in wanted})
        return len(waits) == len(wanted)
    chain.wait_until(all_there, 60, f"{len(wanted)} instant messages at the gateway", every=0.5)
    hops(chain, sender)
    return [waits[n] for n in sorted(waits)]


def told(result, name, waits, floor):
    """Prints p50, p95, p99 beside those without a load; gives them."""
    figures = [percentile(waits, share) for share in (0.5, 0.95, 0.99)]
    for word, value, quiet in zip(("p50", "p95", "p99"), figures, floor or [None] * 3):
        result(f"instant by {name}, commit to socket, {word}", value, "ms", quiet, False)
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
        chain = make_chain(f"instant-{gateway}", {"SMSCHAIN_ALPHA_RATE": str(RATE), "SMSCHAIN_GAMMA_RATE": str(RATE)},
                           {"answer_delay_ms": 50}, gateways=("alpha", "beta", "gamma"))
        by(chain, gateway)
        with chain:
            chain.start()
            chain.wait_until(lambda: chain.value("SELECT count(*) FROM rule") >= 12, 30)
            first = FIRST_NUMBER + number * 1000000
            measure(chain, gateway, first, 3)  # connections come up
            quiet = told(result, f"{name}, no load", measure(chain, gateway, first + 100000, QUIET_S / scale), None)
            chain.fill_shop(BULK // scale, ["repayment-reminder"])
            chain.shop.sql("ANALYZE")
            chain.run_rule("repayment-reminder")
            busy = measure(chain, gateway, first + 200000, BUSY_S / scale)
            told(result, f"{name}, {BULK // scale} of bulk at {RATE}/s", busy, quiet)
            sent = sum(s["number"] < FIRST_NUMBER or s["number"] > FIRST_NUMBER + 10000000 for s in chain.gateway.submits())
            print(f"# bulk sent meanwhile: {sent}", flush=True)
            chain.service("dispatch").stop()
            chain.wait_until(lambda: holds(chain.check_i1), 60, "I1, once all that was sent is in the tables")
