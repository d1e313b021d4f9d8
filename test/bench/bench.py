#!/usr/bin/python3
"""./test/run bench: what smschain does in a second, beside the floor measured in the same run on the same machine: the
same bytes moved by nothing but a loop. Absolute figures belong to the machine, ratios last. Durability stays on, and
that is asserted. Prints a table, and each row as a JSON line {"name","value","unit","floor","ratio"}.

    bench.py [--quick] [NAME…]      names: chain smpp lag apply intake api memory page plan instant; --quick: a tenth of the messages
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/lab"))
from chain import Chain, build_dir  # noqa: E402
from fixtures import quiet_schedules  # noqa: E402
import pages  # noqa: E402
from servers import Lab, free_port, wait_for  # noqa: E402
from shop import rule_sql  # noqa: E402
import instant  # noqa: E402

FAST = {"SMSCHAIN_ALPHA_RATE": "50000", "SMSCHAIN_BETA_RATE": "50000", "SMSCHAIN_ALPHA_WINDOW": "500",
        "SMSCHAIN_BETA_WINDOW": "500", "SMSCHAIN_FLUSH_INTERVAL": "1s"}
KNOBS = {"report_delay_ms": 200, "batch": 20}
ROW_BYTES = 300  # of a record in a chunk, about
rows = []


def program(name):
    return os.path.join(build_dir(), "test/bench", name)


def run_json(*command):
    return json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)


def result(name, value, unit, floor=None, higher_is_better=True):
    """ratio: how many times slower (or larger) than the floor."""
    ratio = None
    if floor:
        ratio = round(floor / value if higher_is_better else value / floor, 2)
    row = {"name": name, "value": round(value, 3), "unit": unit, "floor": None if floor is None else round(floor, 3), "ratio": ratio}
    rows.append(row)
    print(json.dumps(row), flush=True)


def assert_durable(lab, chain):
    """No figure counts that was bought by forgetting."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert lab.sql(f"SHOW {setting}")[0][0] == "on", f"{setting} is off"
    queues = [line.split("\t") for line in lab.ctl("list_queues", "-p", chain.vhost, "--quiet", "--no-table-headers",
                                                   "type", "durable", "name").splitlines() if line]
    assert queues and all("quorum" in kind and durable == "true" for kind, durable, _ in queues), queues


def assert_confirms(lab, chain):
    """Every connection that publishes does so on a channel in confirm mode."""
    lines = lab.ctl("list_channels", "--quiet", "--no-table-headers", "vhost", "consumer_count", "confirm").splitlines()
    ours = [line.split("\t") for line in lines if line.startswith(chain.vhost + "\t")]
    assert any(confirm == "true" for _, _, confirm in ours), ours
    assert all(confirm == "true" or int(consumers) > 0 for _, consumers, confirm in ours), ours


def new_chain(lab, directory, name, environment=None, knobs=None, change=(), gateways=("alpha", "beta")):
    chain = Chain(os.path.join(directory, name), lab, environment={**FAST, **(environment or {})},
                  gateway_knobs={**KNOBS, **(knobs or {})}, few_rules=True)
    quiet_schedules(chain)
    chain.only_gateways(*gateways)
    chain.change_conf("rules/holiday-wishes.yaml", "max_recipients: 1000000", "max_recipients: 2000000")
    chain.change_conf("rules/repayment-reminder.yaml", "max_recipients: 200000", "max_recipients: 2000000")
    for file, old, new in change:
        chain.change_conf(file, old, new)
    return chain


def run_campaign(chain, n):
    """Seconds from the first row read to the last status committed."""
    chain.fill_shop(n, ["repayment-reminder"])
    chain.shop.sql("ANALYZE")
    chain.run_rule("repayment-reminder")
    chain.wait_until(lambda: (chain.value("SELECT coalesce(sum(count), 0) FROM stats WHERE state >= 40") or 0) >= n, 1800,
                     f"{n} final states", every=0.2)
    begun, ended = chain.sql("SELECT extract(epoch FROM min(r.started_at)), (SELECT extract(epoch FROM "
                             "max(pg_xact_commit_timestamp(xmin))) FROM stats) FROM run r")[0]
    return float(ended - begun)


def bench_chain(lab, directory, n):
    chain = new_chain(lab, directory, "campaign")
    with chain:
        chain.start()
        assert_durable(lab, chain)
        chain.wait_until(lambda: chain.value("SELECT count(*) FROM rule") >= 12, 30)
        assert_confirms(lab, chain)
        seconds = run_campaign(chain, n)
        chain.check_i1()
        chain.check_i2()
        for process in chain.services():
            print(f"# {process.name}: peak {process.memory() >> 20} MiB", flush=True)
        copy = run_json(program("floor_db"), "copy", lab.conninfo(chain.database), n)["seconds"]
        r = lab.state["rabbitmq"]
        chunks = max(n // 500, 1) * 5  # rows, texts, steps 100, 101, 102
        broker = run_json(program("floor_mq"), r["host"], r["port"], chain.vhost, r["user"], r["password"], chunks, 500 * ROW_BYTES)
        url = f"http://127.0.0.1:{chain.gateway.port}/g/floor/send?content=floor%d&mobile=491510000000"
        chain.gateway.set(**{"floor.reports": 0})
        http = run_json(program("http_load"), url, n, 200)
        floor = copy + broker["publish_s"] + broker["consume_s"] + http["seconds"]
        print(f"# floor: copy {copy:.2f} s, broker {broker['publish_s'] + broker['consume_s']:.2f} s, http {http['seconds']:.2f} s",
              flush=True)
        result(f"whole chain, {n} messages", n / seconds, "messages/s", n / floor)


def by_smpp(chain):
    """The campaign's rule goes by gamma alone."""
    text = pathlib.Path(chain.conf_dir, "rules/repayment-reminder.yaml").read_text(encoding="utf-8")
    pathlib.Path(chain.conf_dir, "rules/repayment-reminder.yaml").write_text(
        text[:text.index("\nroute:")] + "\nroute:\n  - gateway: gamma\n", encoding="utf-8")


def bench_smpp(lab, directory, n):
    """The same campaign by a gateway over SMPP, and its driver alone."""
    chain = new_chain(lab, directory, "smpp", {"SMSCHAIN_GAMMA_RATE": "50000", "SMSCHAIN_GAMMA_WINDOW": "500"},
                      gateways=("alpha", "beta", "gamma"))
    by_smpp(chain)
    with chain:
        chain.start()
        assert_durable(lab, chain)
        seconds = run_campaign(chain, n)
        chain.check_i1()
        chain.check_i2()
        for process in chain.services():
            print(f"# {process.name}: peak {process.memory() >> 20} MiB", flush=True)
        copy = run_json(program("floor_db"), "copy", lab.conninfo(chain.database), n)["seconds"]
        r = lab.state["rabbitmq"]
        chunks = max(n // 500, 1) * 5  # rows, texts, steps 100, 101, 102
        broker = run_json(program("floor_mq"), r["host"], r["port"], chain.vhost, r["user"], r["password"], chunks, 500 * ROW_BYTES)
        pdus = run_json(program("floor_smpp"), "load", n, 500)
        floor = copy + broker["publish_s"] + broker["consume_s"] + pdus["seconds"]
        print(f"# floor: copy {copy:.2f} s, broker {broker['publish_s'] + broker['consume_s']:.2f} s, smpp {pdus['seconds']:.2f} s",
              flush=True)
        result(f"whole chain over SMPP, {n} messages", n / seconds, "messages/s", n / floor)
        result("the same, beside nothing but its PDUs on a socket", n / seconds, "messages/s", n / pdus["seconds"])
        with subprocess.Popen([program("floor_smpp"), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bare:
            environment = {**chain.environment, "SMSCHAIN_GAMMA_ADDRESS": f"127.0.0.1:{int(bare.stdout.readline())}"}
            done = subprocess.run([program("smpp_load"), chain.conf_dir, "gamma", str(2 * n), "500"], env=environment, check=True,
                                  capture_output=True, text=True)
            bare.stdin.close()
        ours, bare = json.loads(done.stdout), run_json(program("floor_smpp"), "load", 2 * n, 500)
        result("SMPP driver alone", ours["pdus"] / ours["seconds"], "PDUs/s", bare["pdus"] / bare["seconds"])


def bench_lag(lab, directory, n):
    """The default interval of 60 s: how long a report waits for its row."""
    chain = new_chain(lab, directory, "lag", {"SMSCHAIN_FLUSH_INTERVAL": "60s"})
    with chain:
        chain.start()
        run_campaign(chain, n)
        mean, worst = chain.sql("SELECT avg(lag), max(lag) FROM (SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - at) "
                                "AS lag FROM event WHERE step = 102) AS l")[0]
        result("report to row, flush_interval 60 s, mean", float(mean), "s")
        result("report to row, flush_interval 60 s, worst", float(worst), "s")


def load_messages(chain, n):
    """n submitted messages with their claims, as dispatch leaves them; gives the first sms_id."""
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM rule") >= 12, 30)
    first = chain.value("SELECT ((now() AT TIME ZONE 'UTC')::date - date '2020-01-01')::bigint << 36") + 1000000
    gateway = chain.value("SELECT word_id('gateway', 'alpha')")
    run = chain.value("INSERT INTO run (rule_id, scheduled_at, origin, state, publish, rows_read, rows_new, pass_complete) "
                      "SELECT id, now(), 'person', 'read', true, %s, %s, true FROM rule WHERE name = 'repayment-reminder' "
                      "RETURNING id", (n, n))
    chain.sql("INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at) SELECT %s + i, %s, 491510000000 + i, "
              "now(), now() + interval '1 day', now() FROM generate_series(0, %s - 1) i", (first, run, n))
    chain.sql("INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at) SELECT %s + i, 1, 1, 0, %s, 1, now() "
              "FROM generate_series(0, %s - 1) i", (first, gateway, n))
    chain.sql("ANALYZE message")
    chain.sql("ANALYZE claim")
    return first


def bench_apply(lab, directory, n):
    chain = new_chain(lab, directory, "apply", {"SMSCHAIN_FLUSH_INTERVAL": "60s"},
                      change=[("smschain.yaml", "# flush_records: 50000", f"flush_records: {3 * n}"),
                              ("smschain.yaml", "# flush_bytes: 16MiB", "flush_bytes: 256MiB")])
    with chain:
        chain.start(only=("extract",))
        first = load_messages(chain, n)
        chain.service("extract").stop()
        r = lab.state["rabbitmq"]
        subprocess.run([program("step_load"), r["host"], str(r["port"]), chain.vhost, r["user"], r["password"], "alpha",
                        str(first), str(n)], check=True)
        begun = time.monotonic()
        chain.service("callback").start()
        flushed = lambda: chain.value("SELECT coalesce(sum(count), 0) FROM stats WHERE state = 90") >= n  # noqa: E731
        chain.wait_until(flushed, 300, f"{n} delivered", every=0.05)
        whole = time.monotonic() - begun
        chain.wait_until(lambda: chain.sql("SELECT 1 FROM service WHERE part = 'consumer 0' AND (figures->>'flush_rows')::int > 0"), 10)
        ms, steps = chain.sql("SELECT (figures->>'flush_ms')::int, (figures->>'flush_steps')::int FROM service WHERE part = 'consumer 0'")[0]
        copy = run_json(program("floor_db"), "copy", lab.conninfo(chain.database), 3 * n)["seconds"]
        naive = run_json(program("floor_db"), "naive", lab.conninfo(chain.database), 3000)
        result(f"apply {3 * n} steps, in the flush ({steps} steps in it)", steps / 3 / (ms / 1000), "messages/s", n / copy)
        result(f"apply {3 * n} steps, from the consumer's start", n / whole, "messages/s", n / copy)
        result("the naive way: a prepared update and a commit a step", naive["rows"] / 3 / naive["seconds"], "messages/s", n / copy)


def bench_intake(lab, directory, n):
    chain = new_chain(lab, directory, "intake")
    with chain:
        chain.prepare()
        chain.service("callback").command.append("--intake")
        chain.service("callback").start()
        body = '{"id":"x%d","to":"+491510000000","status":"DELIVERED","time":"2026-01-31T08:15:00Z","error":null}'
        wait_for(lambda: subprocess.run([program("http_load"), "--post-body", body, chain.report_url("beta"), "1", "1"],
                                        capture_output=True, text=True, check=False).stdout.find('"failed":0') > 0, 30, "the intake")
        ours = run_json(program("http_load"), "--post-body", body, chain.report_url("beta"), n, 64)
        assert ours["failed"] == 0, ours
        with subprocess.Popen([program("floor_mhd")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bare:
            port = int(bare.stdout.readline())
            floor = run_json(program("http_load"), "--post-body", body, f"http://127.0.0.1:{port}/", n, 64)
            bare.stdin.close()
        result("intake, 200 after the flush to disk", n / ours["seconds"], "reports/s", n / floor["seconds"])


ASKED_BY_HAND = """
\\set n random(0, 99999999)
WITH k AS (SELECT gen_random_uuid() AS key, (((now() AT TIME ZONE 'UTC')::date - date '2020-01-01')::bigint << 36) + nextval('sms_n') AS sms_id),
d AS (INSERT INTO dedupe (key, sms_id, run_id, pass) SELECT key, sms_id, %(run)d, 1 FROM k),
m AS (INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at, lane)
  SELECT sms_id, %(run)d, 491500000000 + :n, now(), now() + interval '10 minutes', now(), 1 FROM k),
q AS (INSERT INTO request (key, body, sms_id) SELECT key, key, sms_id FROM k)
INSERT INTO outbox (due_at, target, body, run_id)
SELECT now(), 'sms.render.instant', '{"v":1,"kind":"rows","records":[{"sms_id":' || sms_id || ',"number":491500000000,"run":1,"rule":"api-bench",'
  '"tmpl":"order-shipped","lane":"instant","valid_until":1900000000000,"row":{"name":"Ann","order_id":"1","carrier":"DHL","parcel":"p1"}}]}', %(run)d
FROM k;
"""


def bench_api(lab, directory, n):
    """Requests that are answered 202 after their commit, beside pgbench that puts the same rows into the same tables, a
    transaction a message, with as many clients. Both commit to the disk."""
    key = "bench-key"
    port = free_port(set(lab.ports()))
    chain = new_chain(lab, directory, "api", {"SMSCHAIN_API_LISTEN": f"127.0.0.1:{port}"})
    with open(f"{chain.copy_conf()}/callers/bench.yaml", "w", encoding="utf-8") as f:
        f.write(f"key_hashes: [{hashlib.sha256(key.encode()).hexdigest()}]\nrate: 100000\ndaily_cap: 100000000\n"
                "templates: [order-shipped]\nroute: [{gateway: alpha}]\n")
    with chain:
        chain.prepare()
        chain.service("extract").start()
        assert_durable(lab, chain)
        body = '{"recipient":"+491500000001","template":"order-shipped","params":{"name":"Ann","order_id":"%d","carrier":"DHL","parcel":"p1"}}'
        load = [program("http_load"), "--header", f"Authorization: Bearer {key}", "--header", "Content-Type: application/json",
                "--post-body"]
        url = f"http://127.0.0.1:{port}/v1/messages"
        wait_for(lambda: subprocess.run([*load, body, url, "1", "1"], capture_output=True, text=True,
                                        check=False).stdout.find('"failed":0') > 0, 30, "the API")
        ours = {c: run_json(*load, body, url, n // (64 // c), c) for c in (1, 64)}
        items = ",".join([body.replace("%d", "1")] * 500)
        batch = run_json(*load, f'{{"messages":[{items}]}}', url + "/batch", n // 500, 4)
        assert not any(o["failed"] for o in (*ours.values(), batch)), (ours, batch)
        entered = chain.value("SELECT count(*) FROM message")
        assert entered == 1 + sum(o["requests"] for o in ours.values()) + batch["requests"] * 500, entered
        run = chain.value("SELECT max(id) FROM run")
        chain.service("extract").stop()
        script = os.path.join(directory, "asked.sql")
        with open(script, "w", encoding="utf-8") as f:
            f.write(ASKED_BY_HAND % {"run": run})
        for clients in (1, 64):
            floor = pgbench(lab.conninfo(chain.database), script, clients, n // (64 // clients))
            result(f"API, 202 after commit, {clients} clients (floor: pgbench with the same rows)",
                   ours[clients]["requests"] / ours[clients]["seconds"], "requests/s", floor)
        result("API, batches of 500", batch["requests"] * 500 / batch["seconds"], "messages/s", floor)


def pgbench(conninfo, script, clients, transactions):
    """Transactions a second."""
    done = subprocess.run(["/usr/lib/postgresql/15/bin/pgbench", "-n", "-M", "prepared", "-f", script, "-c", str(clients), "-j", "2",
                           "-t", str(max(transactions // clients, 1)), conninfo], check=True, capture_output=True, text=True)
    return float(re.search(r"tps = ([0-9.]+)", done.stdout).group(1))


def bench_memory(lab, directory, *sizes):
    peaks = {}
    for n in sizes:
        chain = new_chain(lab, directory, f"memory{n}")
        with chain:
            chain.start()
            seconds = run_campaign(chain, n)
            peaks[n] = {p.name: p.memory() / (1 << 20) for p in chain.services()}
            print(f"# {n} messages in {seconds:.0f} s", flush=True)
    for before, n in zip(sizes, sizes[1:]):
        for name, peak in peaks[n].items():
            result(f"peak memory of {name}, {n} messages (floor: {before})", peak, "MiB", peaks[before][name], False)


def timed_plan(chain, n):
    """Seconds and peak MiB of `smschain plan` over n rows."""
    begun, peak_kib, ended = time.monotonic(), 0, 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        process = subprocess.Popen([os.path.join(chain.build, "ctl/smschain"), "--conf", chain.conf_dir, "plan",
                                    "repayment-reminder", "--json"], env=chain.environment, stdout=out)
        while not ended:  # (its exit code may be 3: something to mind) ru_maxrss would tell of this process, too: a child begins with its parent's
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                peak_kib = max([peak_kib] + [int(line.split()[1]) for line in status if line.startswith("VmHWM:")])
            time.sleep(0.01)
            ended, code, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(code)
        seconds = time.monotonic() - begun
        out.seek(0)
        told = json.load(out)
    assert process.returncode in (0, 3) and told["rows"] == told["recipients"] == n, told
    print(f"# plan of {n} rows: {usage.ru_utime + usage.ru_stime:.1f} s of processor time of its own", flush=True)
    return seconds, peak_kib / 1024


def bench_plan(lab, directory, small, large):
    """A plan beside the bare read of the same result."""
    chain = new_chain(lab, directory, "plan")
    with chain:
        chain.start(only=())
        chain.fill_shop(small, ["repayment-reminder"])
        _, small_mib = timed_plan(chain, small)
        chain.fill_shop(large - small, ["repayment-reminder"])
        chain.shop.sql("ANALYZE")
        floor = run_json(program("floor_db"), "read", chain.shop.conninfo(), rule_sql("repayment-reminder"))
        assert floor["rows"] == large, floor
        seconds, large_mib = timed_plan(chain, large)
        result(f"plan of {large} rows (floor: the bare read)", large / seconds, "rows/s", large / floor["seconds"])
        result(f"peak memory of plan, {large} rows (floor: {small})", large_mib, "MiB", small_mib, False)


def bench_page(lab, directory, n, days):
    """Every page's statements over many messages."""
    chain = new_chain(lab, directory, "page")
    with chain:
        chain.start(only=())
        pages.bench(chain, n, days, result)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("names", nargs="*", default=[])
    options = arguments.parse_args()
    scale = 10 if options.quick else 1
    benches = {"chain": lambda *a: bench_chain(*a, 100000 // scale), "smpp": lambda *a: bench_smpp(*a, 100000 // scale),
               "lag": lambda *a: bench_lag(*a, 100000 // scale),
               "apply": lambda *a: bench_apply(*a, 100000 // scale), "intake": lambda *a: bench_intake(*a, 100000 // scale),
               "api": lambda *a: bench_api(*a, 64000 // scale),
               "memory": lambda *a: bench_memory(*a, *sorted({10000, 100000 // scale, 1000000 // scale})),
               "page": lambda *a: bench_page(*a, 10000000 // scale ** 2, 30),
               "plan": lambda *a: bench_plan(*a, 10000, 1000000 // scale),
               "instant": lambda lab, directory: instant.bench(lambda *a, **k: new_chain(lab, directory, *a, **k), result, scale)}
    directory = tempfile.mkdtemp(prefix="smschain-bench-")
    os.chmod(directory, 0o755)
    lab = Lab.start(os.path.join(directory, "lab"), die_with_parent=True, postgres_settings={"track_commit_timestamp": "on"})
    try:
        for name in options.names or benches:
            benches[name](lab, directory)
    finally:
        lab.stop(clean=True)
        shutil.rmtree(directory, ignore_errors=True)
    width = max(len(r["name"]) for r in rows)
    print(f"\n{'':{width}} {'value':>12} {'floor':>12} {'ratio':>7}")
    for r in rows:
        floor = "" if r["floor"] is None else f"{r['floor']:.0f}"
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}"
        print(f"{r['name']:{width}} {r['value']:>12.1f} {floor:>12} {ratio:>7}  {r['unit']}")


if __name__ == "__main__":
    main()
