"""Every page over many messages: the time of every statement that a page asks, with its plan, told by the server itself
(auto_explain), not by the page. What is in no plan is not measured: so each page is asked for often enough that statements are
prepared, planned for good and run warm."""
import http.client
import json
import os
import re
import time
import urllib.parse

import many

LIMIT_MS = 50
TIMES = 8  # PostgreSQL plans the first five for their values, then once for all


def ask(port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    begun = time.monotonic()
    connection.request("POST" if body else "GET", path, urllib.parse.urlencode(body) if body else None,
                       {"Content-Type": "application/x-www-form-urlencoded"} if body else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, (path, answer.status, text[:300])
    return (time.monotonic() - begun) * 1000, text


def pages(chain):
    """(address, form or None) of every page, with what is there, old and new, common and rare."""
    first, last, count = chain.sql("SELECT min(sms_id), max(sms_id), count(*) FROM message")[0]
    old_run, new_run = chain.sql("SELECT min(run_id), max(run_id) FROM message WHERE sms_id IN (%s, %s)", (first, last))[0]
    number = chain.value("SELECT number FROM message WHERE sms_id = %s", (first,))
    msg_id = chain.value("SELECT msg_id FROM msg_map WHERE sms_id > %s ORDER BY sms_id LIMIT 1", (first + count // 2,))
    middle = chain.value("SELECT max(sms_id) FROM message WHERE sms_id < %s", ((first + last) // 2,))
    searches = ["", "state:undelivered", "state:rejected,expired,in_doubt", "state:render_error rule:campaign-9", "state:delivered", "state:accepted",
                "state:queued", "gateway:gamma state:delivered", "rule:codes", f"run:{old_run}", f"run:{old_run} state:unknown",
                "rule:campaign-4 state:suppressed", "after:2d", "before:20d state:delivered", f"msg_id:{msg_id}", "ext:none", f"sms_id:{middle}"]
    found = [("/messages?" + urllib.parse.urlencode({"q": q}), None) for q in searches]
    found += [("/messages?" + urllib.parse.urlencode({"q": q, "below": middle}), None) for q in searches[:5]]
    found += [("/messages", {"q": f"to:+{number}"}), ("/why", {"number": f"+{number}"}), ("/why", {"number": "+491700000000", "rule": "codes", "days": "60"})]
    found += [(f"/messages/{i}", None) for i in (first, middle, last)]
    found += [(path, None) for path in ("/", "/rules", "/rules/codes", "/runs", f"/runs/{old_run}", f"/runs/{new_run}", "/charts", "/charts?days=30",
                                        "/reasons", "/reasons?days=30")]
    return found


def explain(chain):
    role = "ALTER ROLE smschain_dashboard IN DATABASE \"" + chain.database + '" SET '
    for setting in ("session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0", "auto_explain.log_analyze = on",
                    "auto_explain.log_timing = off", "auto_explain.log_buffers = on", "auto_explain.log_format = 'text'"):
        chain.sql(role + setting)


def told(log, since):
    """What the server has logged since then: (ms, statement, plan) each."""
    with open(log, encoding="utf-8", errors="replace") as f:
        f.seek(since)
        text = f.read()
    for entry in re.split(r"\n(?=\d{4}-\d\d-\d\d )", text):
        got = re.search(r"smschain dashboard.* duration: ([\d.]+) ms  plan:\n(.*)", entry, re.S)
        if got:
            statement, _, plan = got[2].partition("\n\t")
            query, _, plan = got[2].partition("(cost=")
            yield float(got[1]), re.sub(r"\s+", " ", query.replace("Query Text:", "")).strip(), got[2]


def name_of(query):
    return query[:110]


def export_rate(port, chain):
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", "/messages.csv?" + urllib.parse.urlencode({"q": "after:3d"}))
    answer, lines = connection.getresponse(), 0
    while data := answer.read(1 << 20):
        lines += data.count(b"\r\n")
    connection.close()
    assert answer.status == 200
    return lines - 1, time.monotonic() - begun


def bench(chain, n, days, result, say=print):
    """chain: prepared, no service running."""
    many.fill(chain, n, days)
    explain(chain)
    service = chain.service("dashboard")
    service.start(SMSCHAIN_DASHBOARD_OPEN_ON_LOOPBACK="true", SMSCHAIN_DASHBOARD_VIEWER_TOKEN="")
    port = chain.dashboard_port
    chain.wait_until(lambda: _answers(port), 30, "the page")
    log, worst, pages_ms = chain.lab.state["postgres"]["log"], {}, {}
    for path, form in pages(chain):
        for _ in range(TIMES):
            since = os.path.getsize(log)
            ms, _ = ask(port, path, form)
            time.sleep(0.02)  # the server's log follows its answer
            shown = path if form is None else f"{path} {json.dumps(sorted(form))}"
            pages_ms[shown] = min(ms, pages_ms.get(shown, ms))
            for took, query, plan in told(log, since):
                best = worst.setdefault((shown, query), [took, plan])
                if took <= best[0]:
                    worst[(shown, query)] = [took, plan]
    rows, seconds = export_rate(port, chain)
    peak = service.memory() / (1 << 20)
    assert service.stop() == 0
    by_query = {}
    for (shown, query), (took, plan) in worst.items():
        if took >= by_query.get(query, (0,))[0]:
            by_query[query] = (took, shown, plan)
    assert len(by_query) > 15, "auto_explain told of too few statements"
    for took, shown, plan in sorted(by_query.values(), key=lambda v: -v[0])[:12]:
        say(f"# {took:7.1f} ms  {shown}: {name_of(re.sub(chr(10), ' ', plan))}")
        if took > LIMIT_MS:
            say("#   " + plan.replace("\n", "\n#   "))
    for shown, ms in sorted(pages_ms.items(), key=lambda v: -v[1])[:12]:
        say(f"# {ms:7.1f} ms  the whole page {shown}")
    slowest = max(v[0] for v in by_query.values())
    result(f"slowest statement of {len(pages_ms)} pages, {n} messages (floor: the aim)", slowest, "ms", LIMIT_MS, False)
    result(f"slowest page, {n} messages", max(pages_ms.values()), "ms")
    result("export as CSV", rows / seconds, "messages/s")
    result("peak memory of the dashboard after it", peak, "MiB")


def _answers(port):
    try:
        return ask(port, "/messages")[0] > 0
    except OSError:
        return False
