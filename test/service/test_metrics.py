"""What the services tell machines: /metrics, /livez, /readyz; and the alert rules and dashboards that are made of it."""
import glob
import json
import os
import re
import signal
import subprocess

import pytest
from chain import ROOT, Process
from fixtures import make_chain  # noqa: F401

PROMTOOL = "/usr/bin/promtool"
SERVICES = ("extract", "render", "dispatch", "callback")
N = 60


def promtool(*arguments, text=None):
    done = subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def done_chain(make_chain):  # noqa: F811
    """A chain that has sent its messages."""
    chain = make_chain()
    chain.fill_shop(N)
    chain.run_rules()
    chain.wait_final(N, 60)
    return chain


def told(chain, service, name, **labels):
    """A metric's value; of several series with these labels, their sum."""
    values = [v for (n, *pairs), v in chain.metrics(chain.service(service)).items()
              if n == name and labels.items() <= dict(pairs).items()]
    assert values, f"{service} does not tell {name} {labels}"
    return sum(values)


def test_the_numbers_are_the_tables_numbers(done_chain):
    chain = done_chain
    accepted = chain.counters()["submits"]
    rows = chain.value("SELECT sum(rows_read)::bigint FROM run")
    chain.wait_until(lambda: told(chain, "dispatch", "smschain_dispatch_outcomes_total", outcome="accepted") == accepted, 10,
                     "what dispatch tells to be what the gateway says")
    assert told(chain, "dispatch", "smschain_dispatch_submit_seconds_count") > 0
    assert told(chain, "dispatch", "smschain_dispatch_wait_seconds_count") == accepted  # of both lanes
    assert told(chain, "dispatch", "smschain_dispatch_claim_seconds_count") > 0
    assert told(chain, "dispatch", "smschain_dispatch_state", state="sending") == 2
    chain.wait_until(lambda: told(chain, "extract", "smschain_extract_rows_read_total") == rows, 10, "extract's rows")
    assert told(chain, "extract", "smschain_extract_rows_total", outcome="new") == N
    assert told(chain, "extract", "smschain_extract_runs_total", outcome="read") == len(chain.rules())
    assert told(chain, "extract", "smschain_extract_group_seconds_count") >= len(chain.rules())
    chunks = told(chain, "extract", "smschain_outbox_chunks_published_total")
    assert 0 < chunks == told(chain, "extract", "smschain_outbox_wait_seconds_count")
    assert told(chain, "extract", "smschain_outbox_publish_seconds_count", lane="bulk") > 0
    assert told(chain, "render", "smschain_render_records_total") == N
    assert told(chain, "render", "smschain_render_chunk_in_hand_seconds_count", lane="bulk") == \
        told(chain, "render", "smschain_render_chunks_total", lane="bulk")
    final = chain.value("SELECT sum(count)::bigint FROM stats WHERE state = 90")
    assert told(chain, "callback", "smschain_message_states_total", state="delivered") == final
    chain.wait_until(lambda: told(chain, "callback", "smschain_callback_records_total", outcome="understood") ==
                     len(chain.all_reports()), 10, "the reports")
    assert told(chain, "callback", "smschain_journal_append_seconds_count") == len(chain.all_reports())
    chain.wait_until(lambda: told(chain, "callback", "smschain_callback_flush_seconds_count") ==
                     told(chain, "callback", "smschain_callback_flushes_total", shard="0"), 10, "the flushes")
    for name in SERVICES:
        assert told(chain, name, "smschain_connections", kind="broker", state="open") > 0
        assert told(chain, name, "process_resident_memory_bytes") > 1 << 20
    # as Prometheus wants it
    for name in SERVICES:
        status, text = chain.monitor(chain.service(name), "/metrics")
        assert status == 200
        code, words = promtool("check", "metrics", text=text)
        assert (code, words) == (0, ""), f"{name}: {words}"
    heartbeats(chain)
    known_metrics(chain)
    health(chain)
    chain.check_i6()


def heartbeats(chain):
    """How far they come, through outbox, gateway and report, is told."""
    chain.change_conf("gateways/beta.yaml", "sender: smschain      ",
                      'heartbeat_interval: 1s\nheartbeat_number: "+491719990000"\nsender: smschain      ')
    chain.service("dispatch").signal(signal.SIGHUP)
    chain.wait_until(lambda: "smschain_heartbeat_age_seconds" in chain.monitor(chain.service("callback"), "/metrics")[1], 30,
                     "a heartbeat that was delivered", every=0.5)
    assert 0 < told(chain, "callback", "smschain_heartbeat_age_seconds", gateway="beta") < 60
    assert told(chain, "callback", "smschain_heartbeat_open_seconds", gateway="beta") < 60


def known_metrics(chain):
    """Every metric that an alert or a dashboard asks for is told by some service."""
    names = {"up"}
    for name in SERVICES:
        names |= set(re.findall(r"^# TYPE (\S+)", chain.monitor(chain.service(name), "/metrics")[1], re.M))
    with open(os.path.join(ROOT, "docs/alerts.yml"), encoding="utf-8") as f:
        asked = set(re.findall(r"\b(?:smschain|process)_[a-z_]+", f.read()))
    for path in glob.glob(os.path.join(ROOT, "docs/grafana/*.json")):
        with open(path, encoding="utf-8") as f:
            for panel in json.load(f)["panels"]:
                for target in panel.get("targets", ()):
                    asked |= set(re.findall(r"\b(?:smschain|process)_[a-z_]+", target["expr"]))
    asked = {re.sub("_(bucket|sum|count)$", "", a) if a not in names else a for a in asked}
    assert not asked - names


def health(chain):
    for name in SERVICES:
        process = chain.service(name)
        assert chain.monitor(process, "/livez") == (200, "ok\n")
        assert chain.monitor(process, "/readyz") == (200, "ok\n")
        assert chain.monitor(process, "/nothing")[0] == 404
        status, text = chain.monitor(process, "/livez?verbose")
        assert status == 200 and all(re.fullmatch(r"\[\+\].+: turned \d+\.\d s ago", line) for line in text.splitlines()), text
    lines = {name: chain.monitor(chain.service(name), "/readyz?verbose")[1].splitlines() for name in SERVICES}
    assert {"[+]database", "[+]broker", "[+]history"} <= set(lines["extract"]), lines
    assert {"[+]broker", "[+]sms.render.bulk", "[+]sms.render.instant"} == set(lines["render"]), lines
    assert {"[+]database", "[+]broker", "[+]place alpha: sending", "[+]history alpha"} <= set(lines["dispatch"]), lines
    assert {"[+]database", "[+]broker", "[+]journal", "[+]intake", "[+]consumer", "[+]partitions"} == set(lines["callback"]), lines


def not_ready(chain, name, line, **environment):
    """A process of its own, whose surroundings are bad, says which of them."""
    first = chain.service(name)
    process = Process(f"{name}-bad", first.command, {**first.environment, **environment}, os.path.join(chain.dir, f"{name}-bad.log"))
    process.start()
    try:
        chain.wait_until(lambda: re.search(line, chain.monitor(process, "/readyz")[1], re.M), 30, f"{name} to say {line}")
        status, text = chain.monitor(process, "/readyz")
        assert status == 503, text
        key = re.match(r"\^\\\[-\\\](\w+)", line).group(1)
        assert any(n == "smschain_ready" and ("check", key) in pairs and v == 0
                   for (n, *pairs), v in chain.metrics(process).items())
        assert chain.monitor(process, "/livez")[0] == 200
    finally:
        assert process.stop() == 0


def test_what_is_away_is_named(make_chain):  # noqa: F811
    chain = make_chain(only=())
    not_ready(chain, "render", r"^\[-\]broker: ", SMSCHAIN_BROKER_PORT="1")
    not_ready(chain, "extract", r"^\[-\]database: ", SMSCHAIN_DB="host=127.0.0.1 port=1 dbname=none")
    not_ready(chain, "dispatch", r"^\[-\]place alpha: database_away", SMSCHAIN_DB="host=127.0.0.1 port=1 dbname=none")
    not_ready(chain, "callback", r"^\[-\]consumer: consumer 0: ", SMSCHAIN_BROKER_PORT="1")
    # an address that is taken is said, and nothing is started
    taken = Process("render-taken", chain.service("render").command,
                    {**chain.service("render").environment, "SMSCHAIN_RENDER_METRICS_LISTEN": f"127.0.0.1:{chain.gateway.port}"},
                    os.path.join(chain.dir, "render-taken.log"))
    taken.start()
    assert taken.wait_end(20) == 2  # before anything else is begun
    assert "render.metrics_listen" in taken.tail() and "in use" in taken.tail()


def test_alert_rules():
    code, words = promtool("check", "rules", os.path.join(ROOT, "docs/alerts.yml"))
    assert code == 0, words
    code, words = promtool("test", "rules", os.path.join(ROOT, "test/service/data/alerts_test.yml"))
    assert code == 0, words
    with open(os.path.join(ROOT, "docs/alerts.yml"), encoding="utf-8") as f:
        rules = set(re.findall(r"- alert: (\w+)", f.read()))
    with open(os.path.join(ROOT, "test/service/data/alerts_test.yml"), encoding="utf-8") as f:
        shown = set(re.findall(r"alertname: (\w+)", f.read()))
    assert rules == shown, f"without a test: {rules - shown}, without a rule: {shown - rules}"
