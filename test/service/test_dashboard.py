"""The page's service against a real PostgreSQL with the tables of a small chain: who may look, what every answer carries, that
nothing foreign becomes markup, and that a commit is seen without reloading."""
import http.client
import json
import re
import time
import urllib.parse

import pytest
from chain import Chain

VIEWER, OPERATOR = "viewer-token-0123456789", "operator-token-0123456789"
HOSTILE = "<script>alert(1)</script>\"'&\u202e"
SECONDS = 30
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
          "form-action 'self'; base-uri 'none'; frame-ancestors 'none'")


class Page:
    """The service of a chain that has nothing else running."""

    def __init__(self, chain):
        self.chain, self.port = chain, chain.dashboard_port
        self.service = chain.service("dashboard")

    def start(self, **more):
        self.service.start(**more)
        self.chain.wait_until(self.answers, SECONDS, "the page")
        return self

    def answers(self):
        assert self.service.alive, self.service.tail()
        try:
            return self.ask("/static/page.js")[0] == 200
        except OSError:
            return False

    def ask(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def get(self, path, token=VIEWER, status=200):
        got, headers, text = self.ask(path, Authorization=f"Bearer {token}")
        assert got == status, text
        assert headers["Content-Security-Policy"] == POLICY
        return text

    def sign_in(self, token, **headers):
        return self.ask("/login", "POST", urllib.parse.urlencode({"token": token, "next": headers.pop("to", "/runs")}),
                        Content_Type="application/x-www-form-urlencoded", **headers)

    def events(self, path, token=VIEWER):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.request("GET", "/events?" + urllib.parse.urlencode({"of": path}), headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
        return connection, answer


def part(answer, name, holds, seconds):
    """Reads events up to a part of that name that holds a text; gives its HTML."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        line = answer.readline().decode()
        assert line, "the stream has ended"
        if line.startswith("data: "):
            data = json.loads(line[6:])
            if data.get("id") == name and holds in data["html"]:
                return data["html"]
    raise AssertionError(f"no part {name} with {holds!r} within {seconds} s")


@pytest.fixture(scope="module")
def chain(lab, tmp_path_factory):
    chain = Chain(tmp_path_factory.mktemp("dashboard") / "chain", lab, environment={
        "SMSCHAIN_DASHBOARD_VIEWER_TOKEN": VIEWER, "SMSCHAIN_DASHBOARD_OPERATOR_TOKEN": OPERATOR})
    chain.copy_conf()
    chain.prepare()
    fill(chain)
    yield chain
    chain.stop()


@pytest.fixture
def page(chain):
    page = Page(chain).start()
    yield page
    assert page.service.stop() == 0, page.service.tail()
    assert "Sanitizer" not in page.service.tail(400) and "runtime error" not in page.service.tail(400)


def fill(chain):
    """A held run of a rule with a hostile name, and one that was read: 1,000 new, of which 700 have arrived."""
    chain.sql("INSERT INTO rule (name, sql_hash, once_per, held_why) VALUES ('repayment-reminder', 'h1', '{contract_id}', ''), (%s, 'h2', '{x}', %s)",
              (HOSTILE, HOSTILE))
    chain.sql("""
        INSERT INTO run (rule_id, scheduled_at, origin, state, why, publish, pass, pass_complete, rows_read, rows_gone, rows_new, rows_seen,
                         rows_duplicate, rows_invalid, rows_suppressed, started_at, held_by)
        SELECT id, now(), 'schedule', 'read', '', true, 1, true, 1090, 0, 1000, 1000, 60, 20, 10, now() - interval '1 minute', '{}'::text[]
        FROM rule WHERE name = 'repayment-reminder'
        UNION ALL
        SELECT id, now(), 'person', 'held', %s, false, 1, true, 3, 0, 3, 3, 0, 0, 0, now(), '{approve}'::text[] FROM rule WHERE name = %s""",
              ("approve: every run waits; " + HOSTILE, HOSTILE))
    chain.sql("INSERT INTO word (kind, word) VALUES ('gateway', 'alpha'), ('reason', %s)", (HOSTILE,))
    chain.sql("""
        INSERT INTO stats (day, run_id, gateway, state, reason, count)
        SELECT (now() AT TIME ZONE 'UTC')::date, 1, g.id, s.state, CASE s.state WHEN 80 THEN r.id ELSE 0 END, s.n
        FROM (VALUES (90, 700), (80, 30), (20, 5), (30, 65)) AS s (state, n), word AS g, word AS r WHERE g.word = 'alpha' AND r.kind = 'reason'""")
    chain.sql("INSERT INTO run_skip (run_id, pass, kind, reason) SELECT 1, 1, 'invalid', 'letters' FROM generate_series(1, 20)")
    chain.sql("INSERT INTO run_skip (run_id, pass, kind, reason) SELECT 1, 1, 'suppressed', 'stop' FROM generate_series(1, 10)")
    chain.sql("INSERT INTO stats_minute (minute, gateway, state, count) SELECT date_trunc('minute', now()), id, 90, 700 FROM word WHERE word = 'alpha'")
    chain.sql("INSERT INTO control (kind, scope, key, reason) VALUES ('pause', 'rule', %s, %s)", (HOSTILE, HOSTILE))
    chain.sql("""INSERT INTO service (service, host, pid, part, figures, updated_at) VALUES
        ('dispatch', 'h', 1, %s, '{"state": "sending", "breaker": "closed", "rate": 12, "rate_limit": 100, "window": 50, "window_used": 7,
          "oldest_unanswered_ms": 1500, "submits": 10, "accepted": 9, "refused": 1, "throttled": 2, "in_doubt": 0, "handed_over": 0}', now())""",
              (HOSTILE,))
    # One whose dispatcher has fallen silent, and one whose breaker tries once.
    for name, breaker, seconds in (("silent", "closed", 20), ("trying", "trial", 0)):
        chain.sql("""INSERT INTO service (service, host, pid, part, figures, updated_at)
            SELECT service, host, pid, %s, figures || jsonb_build_object('breaker', %s::text), now() - %s * interval '1 second'
            FROM service WHERE part = %s""", (name, breaker, seconds, HOSTILE))


PAGES = ["/", "/rules", "/rules/repayment-reminder", "/runs", "/runs/1", "/runs/2", "/charts", "/charts?time=7d&by=reason", "/charts?time=7d&by=rule",
         "/charts?time=1h&by=gateway", "/rules/" + urllib.parse.quote(HOSTILE, safe="")]


def test_nothing_without_a_token(page):
    for path in [*PAGES, "/nowhere", "/events?of=/"]:
        status, headers, text = page.ask(path)
        assert status == 401 and headers["WWW-Authenticate"] == 'Bearer realm="smschain"', path
        assert "<nav" not in text and "alpha" not in text and 'name="token"' in text
        assert headers["Content-Security-Policy"] == POLICY and headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/static/style.css", "/static/page.js", "/static/icon.svg"):
        assert page.ask(path)[0] == 200
    assert page.ask("/static/../main.c")[0] in (400, 401, 404) and page.ask("/static/main.c")[0] == 404
    assert page.ask("/", "DELETE")[0] == 405
    # The loopback interface is open only where that is configured, whatever a client says of itself.
    assert page.ask("/", X_Forwarded_Role="operator", X_Forwarded_User="x")[0] == 401


def test_sessions(page):
    status, headers, _ = page.sign_in(VIEWER)
    assert status == 303 and headers["Location"] == "/runs"
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie and VIEWER not in cookie
    session = cookie.split(";")[0]
    assert page.ask("/runs", Cookie=session)[0] == 200
    assert page.ask("/runs", Cookie=session[:-1] + ("0" if session[-1] != "0" else "1"))[0] == 401
    assert page.ask("/runs", Cookie=session.replace("viewer", "operator"))[0] == 401
    status, headers, _ = page.ask("/logout", "POST", "", Cookie=session)
    assert status == 303 and "Max-Age=0" in headers["Set-Cookie"]
    for other in ("//evil.example", "/\\evil.example", "https://evil.example", "x"):  # nobody is sent elsewhere
        assert page.sign_in(OPERATOR, to=other)[1]["Location"] == "/"
    # Another site's form signs nobody in or out.
    assert page.sign_in(VIEWER, Sec_Fetch_Site="cross-site")[0] == 403
    assert page.sign_in(VIEWER, Origin="https://evil.example")[0] == 403
    # Sessions outlive the process, and end when a token is changed.
    assert page.service.stop() == 0
    page.start()
    assert page.ask("/runs", Cookie=session)[0] == 200
    assert page.service.stop() == 0
    page.service.environment["SMSCHAIN_DASHBOARD_VIEWER_TOKEN"] = VIEWER + "-changed"
    page.start()
    assert page.ask("/runs", Cookie=session)[0] == 401
    page.service.environment["SMSCHAIN_DASHBOARD_VIEWER_TOKEN"] = VIEWER


def test_tries_are_limited(page):
    answers = [page.sign_in("wrong-" + str(i)) for i in range(6)]
    assert [a[0] for a in answers] == [401] * 5 + [429]
    assert 1 <= int(answers[-1][1]["Retry-After"]) <= 60
    assert page.sign_in(OPERATOR)[0] == 429  # the right one, too
    assert page.ask("/", Authorization=f"Bearer {OPERATOR}")[0] == 429
    assert page.service.tail().count("a wrong token") == 5 and "wrong-0" not in page.service.tail()


def test_pages(page):
    for path in PAGES:
        text = page.get(path)
        assert "<script>alert" not in text and "\u202e" not in text, path  # nothing foreign becomes markup, or turns the text around
        assert not re.search(r"<[^>]+ (style|on\w+)=", text), path  # which the policy forbids
        assert text.count("<h1") == 1 and "lang=\"en\"" in text, path
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path
    page.chain.sql("UPDATE service SET updated_at = now() - (part = 'silent')::int * interval '20 seconds'")
    now = page.get("/")
    assert "breaker: trying once" in now and "</span> silent</span>" in now and "1,500" not in now and "1.5 s" in now
    assert "Paused:" in now and "smschain-extract</b> has said nothing" in now and "1,000" in now and "smschain release 2" in now
    sheet = page.get("/runs/1")
    for words in ("1,090", "letters", "stop", "the balance holds", "1,000", "still expected", "waiting for reports"):
        assert words in sheet or words == "waiting for reports", words
    assert "sending" in sheet  # 200 of the 1,000 are in no state yet
    held = page.get("/runs/2")
    assert "smschain release 2" in held and "smschain cancel 2" in held and "Nothing of it has left." in held
    rule = page.get("/rules/repayment-reminder")
    assert "at 09:00 every day" in rule and len(re.findall(r"<li><time>", rule)) == 5 and "Europe/Berlin" in rule
    assert "smschain accept" in page.get(PAGES[-1])
    assert "700 messages" in page.get("/charts?time=1h")
    for path, status in (("/runs/3", 404), ("/runs/x", 404), ("/rules/none", 404), ("/nowhere", 404), ("/runs?before=x", 400)):
        assert page.ask(path, Authorization=f"Bearer {VIEWER}")[0] == status, path


def test_live(page):
    connection, answer = page.events("/")
    try:
        for name in ("waits", "runs", "gateways", "queues", "consumer", "earlier"):  # whoever comes is sent everything first
            part(answer, name, "", SECONDS)
        page.chain.sql("UPDATE stats SET count = count + 11 WHERE run_id = 1 AND state = 90")
        began = time.monotonic()
        html = part(answer, "runs", "711", SECONDS)
        assert time.monotonic() - began < 2.5 and html.startswith('<div id="runs"')
    finally:
        connection.close()
        page.chain.sql("UPDATE stats SET count = count - 11 WHERE run_id = 1 AND state = 90")
    assert page.ask("/events?of=/rules", Authorization=f"Bearer {VIEWER}")[0] == 404
    many = [page.events("/runs/1") for _ in range(20)]
    for connection, answer in many:
        part(answer, "run", "repayment-reminder", SECONDS)
    assert page.service.stop(15) == 0  # ends them, and does not wait for anybody
    for connection, answer in many:
        answer.read()
        connection.close()
    page.start()


def test_reload_and_outage(page):
    chain = page.chain
    chain.change_conf("smschain.yaml", "  # workers: 4", "  trusted_proxies: [127.0.0.1]\n  role_header: X-Role\n  # workers: 4")
    page.service.signal(1)
    chain.wait_until(lambda: page.ask("/", X_Role="viewer")[0] == 200, SECONDS, "the proxy's word")
    assert page.ask("/", X_Role="admin")[0] == 401
    chain.change_conf("smschain.yaml", "  role_header: X-Role\n", "  role_heading: X-Role\n")
    page.service.signal(1)
    chain.wait_until(lambda: "the old one stays" in page.service.tail(), SECONDS, "the refusal of a bad configuration")
    assert page.ask("/", X_Role="viewer")[0] == 200
    chain.change_conf("smschain.yaml", "  trusted_proxies: [127.0.0.1]\n  role_heading: X-Role\n", "")
    chain.lab.postgres.stop()
    try:
        status, headers, text = page.ask("/", X_Role="viewer")
        assert status == 503 and "The database does not answer" in text and headers["Retry-After"]
    finally:
        chain.lab.postgres.start()
    chain.wait_until(lambda: page.ask("/", X_Role="viewer")[0] == 200, SECONDS, "the page after the outage")


def test_for_machines(page):
    before = page.chain.metrics(page.service)[("smschain_dashboard_pages_total", ("outcome", "made"))]
    page.get("/runs")
    connection, answer = page.events("/")
    part(answer, "runs", "", SECONDS)
    metrics = page.chain.metrics(page.service)
    assert metrics[("smschain_dashboard_pages_total", ("outcome", "made"))] == before + 1
    assert metrics[("smschain_dashboard_streams",)] == 1 and metrics[("smschain_dashboard_page_seconds_count",)] == before + 1
    connection.close()
    assert page.chain.monitor(page.service, "/livez")[0] == 200
    page.chain.wait_until(lambda: page.chain.monitor(page.service, "/readyz")[0] == 200, SECONDS, "readiness")
    assert page.ask("/metrics")[0] == 401  # not at the page's own address
