"""The page's messages against real tables: every qualifier finds what the tables hold, pages and export are whole, numbers stay masked
unless somebody says why, a story is the command's, and foreign words never become markup."""
import csv
import html
import io
import json
import re
import sys
import urllib.parse

import psycopg2
import pytest
from chain import Chain
from conftest import ROOT
from test_dashboard import OPERATOR, VIEWER, Page

sys.path.insert(0, str(ROOT / "test/bench"))
import many  # noqa: E402

HOSTILE = "<script>alert(1)</script>\"'&"
N, DAYS = 11000, 2  # more of a run on a day than a round of a search looks at
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def chain(lab, tmp_path_factory):
    chain = Chain(tmp_path_factory.mktemp("messages") / "chain", lab, environment={
        "SMSCHAIN_DASHBOARD_VIEWER_TOKEN": VIEWER, "SMSCHAIN_DASHBOARD_OPERATOR_TOKEN": OPERATOR})
    chain.prepare()
    many.fill(chain, N, DAYS, say=lambda line: None)
    fill_more(chain)
    yield chain
    chain.stop()


def fill_more(chain):
    """Today: messages of a rule with a hostile name that wait, one that came in parts, ids of other systems."""
    chain.sql("INSERT INTO rule (name, sql_hash, once_per) VALUES (%s, 'h', '{x}')", (HOSTILE,))
    chain.sql("INSERT INTO run (rule_id, scheduled_at, origin, state, publish, pass, pass_complete, rows_read, rows_new, rows_seen, started_at, "
              "ended_at) SELECT id, now(), 'person', 'read', true, 1, true, 3, 3, 3, now(), now() FROM rule WHERE name = %s", (HOSTILE,))
    run = chain.value("SELECT max(id) FROM run")
    for number in (4917200000001, 4917200000002, 4917200000003):
        chain.sql("INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at, lane) SELECT "
                  "(((now() AT TIME ZONE 'UTC')::date - date '2020-01-01')::bigint << 36) + nextval('sms_n'), %s, %s, now(), "
                  "now() + interval '1 day', now(), 1", (run, number))
    first = newest(chain, 3)[-1]
    chain.sql("INSERT INTO outbox (due_at, target, body, run_id, published_at) SELECT now(), 'sms.render.instant', %s, %s, now()", (
        json.dumps({"v": 1, "kind": "rows", "records": [{"sms_id": first, "run": run, "row": {"name": HOSTILE}}]}, separators=(",", ":")), run))
    ids = newest(chain, 5)
    for sms_id, ext in zip(ids, ("=HYPERLINK(1)", HOSTILE, "ORDER 1", "ORDER 1", "ä")):
        chain.sql("INSERT INTO ext VALUES (%s, %s)", (sms_id, ext))
    chain.sql("UPDATE event SET error = %s WHERE sms_id = (SELECT max(sms_id) FROM message WHERE state = 80)",
              (f"{HOSTILE} to 4917212345678 err:027",))


def newest(chain, n):
    return [row[0] for row in chain.sql("SELECT sms_id FROM message ORDER BY sms_id DESC LIMIT %s", (n,))]


@pytest.fixture(scope="module")
def page(chain):
    page = Page(chain).start()
    yield page
    assert page.service.stop() == 0, page.service.tail()
    log = page.service.tail(1000)
    assert "Sanitizer" not in log and "runtime error" not in log and not re.search(r"49\d{9}", log), log


def post(page, path, token=VIEWER, status=200, **form):
    got, headers, text = page.ask(path, "POST", urllib.parse.urlencode(form), Authorization=f"Bearer {token}", **FORM)
    assert got == status, text
    return text if status != 303 else headers["Location"]


def ids_on(text):
    return [int(i) for i in re.findall(r'href="/messages/(\d+)"', text)]


def search(page, text, between=lambda: None):
    """All that a search finds, page by page; between: is called between two pages."""
    found, below = [], None
    while True:
        form = {"q": text, **({"below": below} if below else {})}
        if re.search(r"(^| )(to:|\+)", text):
            got = post(page, "/messages", **form)
        else:
            got = page.get("/messages?" + urllib.parse.urlencode(form))
        found += ids_on(got)
        on = re.search(r"below=(\d+)\">(Older ones|Go on looking)|name=\"below\" value=\"(\d+)\"><button class=\"plain\">(Older|Go on)", got)
        if on is None:
            return found
        assert below is None or int(on[1] or on[3]) < int(below)
        below = on[1] or on[3]
        between()


def export(page, text):
    got, headers, body = page.ask("/messages.csv?" + urllib.parse.urlencode({"q": text}), Authorization=f"Bearer {VIEWER}")
    assert got == 200 and headers["Content-Type"] == "text/csv; charset=utf-8" and "attachment" in headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(body, newline="")))


def truth(chain, where, *values):
    return [row[0] for row in chain.sql(
        "SELECT m.sms_id FROM message m JOIN run r ON r.id = m.run_id JOIN rule u ON u.id = r.rule_id LEFT JOIN word g ON g.id = m.gateway "
        f"LEFT JOIN ext x ON x.sms_id = m.sms_id WHERE {where} ORDER BY m.sms_id DESC", values)]


def test_every_qualifier_finds_what_the_tables_hold(chain, page):
    number = chain.value("SELECT number FROM message WHERE state = 90 ORDER BY sms_id DESC LIMIT 1")
    day = chain.value("SELECT to_char(min(created_at) AT TIME ZONE 'UTC' + interval '1 day', 'YYYY-MM-DD') FROM message")
    noon = chain.value("SELECT to_char(avg(extract(epoch FROM created_at)) * interval '1 s' + timestamp '1970-01-01', 'YYYY-MM-DD\"T\"HH24:MI:SS') "
                       "FROM message WHERE created_at < now() - interval '12 hours'")
    run = chain.value("SELECT run_id FROM message WHERE state = 80 LIMIT 1")
    msg_id, owner = chain.sql("SELECT msg_id, sms_id FROM msg_map ORDER BY sms_id LIMIT 1")[0]
    for text, where, values in (
            (f"to:+{number}", "m.number = %s", (number,)),
            (f"to:+{number} state:rejected", "false", ()),
            ("state:undelivered", "m.state = 80", ()),
            ("state:undelivered,rejected state:expired", "m.state IN (60, 70, 80)", ()),
            ("state:suppressed", "m.state = 41", ()),
            ("state:render_error", "m.state = 43", ()),
            ("state:in_doubt", "m.state = 20", ()),
            ("state:queued", "m.state = 0", ()),
            ("state:accepted", "m.state = 30", ()),
            ("state:delivered gateway:beta", "m.state = 90 AND g.word = 'beta'", ()),
            ("gateway:gamma", "g.word = 'gamma'", ()),
            ("rule:codes", "u.name = 'codes'", ()),
            ("rule:campaign-3 state:delivered", "u.name = 'campaign-3' AND m.state = 90", ()),
            (f"run:{run}", "m.run_id = %s", (run,)),
            (f"run:{run} state:undelivered,queued", "m.run_id = %s AND m.state IN (0, 80)", (run,)),
            ("rule:campaign-2 state:undelivered,rejected gateway:alpha", "u.name = 'campaign-2' AND m.state IN (70, 80) AND g.word = 'alpha'", ()),
            ("gateway:beta state:unknown", "g.word = 'beta' AND m.state = 50", ()),
            ("rule:campaign-1 state:suppressed,render_error", "u.name = 'campaign-1' AND m.state IN (41, 43)", ()),
            ('ext:"ORDER 1"', "x.ext_id = 'ORDER 1'", ()),
            (f"after:{day}", "m.created_at >= %s::timestamp AT TIME ZONE 'UTC'", (day,)),
            (f"before:{day} state:delivered", "m.created_at < %s::timestamp AT TIME ZONE 'UTC' AND m.state = 90", (day,)),
            (f"after:{day} before:{noon} rule:campaign-5", "m.created_at >= %s::timestamp AT TIME ZONE 'UTC' AND m.created_at < "
             "%s::timestamp AT TIME ZONE 'UTC' AND u.name = 'campaign-5'", (day, noon)),
            (f"msg_id:{msg_id}", "m.sms_id = %s", (owner,)),
            (f"msg_id:{int(msg_id, 16)} gateway:alpha", "false", ()),
            (f"sms_id:{owner}", "m.sms_id = %s", (owner,)),
            (f"sms_id:{owner}.1.1", "m.sms_id = %s", (owner,))):
        assert search(page, text) == truth(chain, where, *values), text
    # what a gateway gave in hex and keeps as a number
    chain.sql("UPDATE msg_map SET msg_id = '48879' WHERE sms_id = %s", (owner,))
    assert search(page, "msg_id:0xBEEF") == search(page, "msg_id:beef") == search(page, "msg_id:048879") == [owner]
    assert "there is no rule &#39;nobody&#39;" in page.get("/messages?q=rule:nobody")
    assert "no gateway &#39;nobody&#39;" in page.get("/messages?q=gateway:nobody")
    for text, words in (("state:deliverd", "did you mean delivered"), ("x", "rule:x"), ("to:12", "too_short")):
        assert words in page.get("/messages?" + urllib.parse.urlencode({"q": text}), status=400)
    page.get("/messages?q=&below=x", status=400)
    # no number in an address: it is asked by POST; a search without one gets an address that can be kept
    assert post(page, "/messages", q="state:queued a", status=400)
    assert post(page, "/messages", q="rule:codes", status=303) == "/messages?q=rule%3Acodes"


def test_pages_are_whole_while_messages_come(chain, page):
    before = truth(chain, "u.name = 'campaign-1'")
    run = chain.value("SELECT max(run_id) FROM message m JOIN run r ON r.id = m.run_id JOIN rule u ON u.id = r.rule_id WHERE u.name = 'campaign-1'")

    def one_more():
        chain.sql("INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at, state) SELECT max(sms_id) + 1, %s, 4917300000000, "
                  "now(), now(), now(), 90 FROM message", (run,))
    try:
        assert search(page, "rule:campaign-1", one_more) == before
        found = search(page, "state:delivered", one_more)
        assert len(found) == len(set(found)) and set(truth(chain, "m.state = 90 AND m.number <> 4917300000000")) <= set(found)
    finally:
        chain.sql("DELETE FROM message WHERE number = 4917300000000")


def test_the_export_is_the_search_and_opens_no_formula(chain, page):
    for text in ("state:undelivered", "rule:campaign-2", "state:queued"):
        rows = export(page, text)
        assert [int(r["sms_id"]) for r in rows] == search(page, text)
    whole = export(page, "")
    assert [int(r["sms_id"]) for r in whole] == truth(chain, "true")
    rows = {int(r["sms_id"]): r for r in whole}
    a, b = newest(chain, 2)
    assert rows[a]["ext_id"] == "'=HYPERLINK(1)" and rows[b]["ext_id"] == HOSTILE and rows[b]["rule"] == HOSTILE
    assert rows[a]["state"] == "queued" and rows[a]["to"] == "49*********03"
    assert all(re.fullmatch(r"49\*+\d\d", r["to"]) for r in rows.values())
    assert page.ask("/messages.csv?q=x", Authorization=f"Bearer {VIEWER}")[0] == 400


def test_numbers_are_masked_unless_somebody_says_why(chain, page):
    sms_id = newest(chain, 3)[-1]
    number = chain.value("SELECT number FROM message WHERE sms_id = %s", (sms_id,))
    path = f"/messages/{sms_id}"
    for text in (page.get("/messages"), page.get(path), page.get(path, OPERATOR), post(page, "/why", number=f"+{number}").replace(f'value="+{number}"', "")):
        assert str(number) not in text and "+49" in text
    assert "An operator may see them" in page.get(path)
    page.ask(path, "POST", "reason=curious", Authorization=f"Bearer {VIEWER}", **FORM)
    post(page, path, reason="curious", status=403)
    assert "Say in a few words why" in post(page, path, OPERATOR, status=400, reason="x")
    post(page, path, OPERATOR, status=400, reason="     ")
    assert chain.value("SELECT count(*) FROM reveal") == 0
    shown = post(page, path, OPERATOR, reason="ticket 4711 <b>")
    assert f"+{number}" in shown and html.escape(HOSTILE, quote=False).replace("&quot;", '"')[:20] in html.unescape(shown).replace("<", "&lt;").replace(">", "&gt;")
    assert "<script>alert" not in shown and "ticket 4711 &lt;b&gt;" in shown
    assert chain.sql("SELECT sms_id, reason, who <> '' FROM reveal") == [(sms_id, "ticket 4711 <b>", True)]
    assert str(number) not in page.get(path, OPERATOR)
    # of one whose body is thrown away only the number is known
    old = chain.value("SELECT min(sms_id) FROM message")
    assert "kept no more" in post(page, f"/messages/{old}", OPERATOR, reason="ticket 4712")
    # and the role itself cannot
    p = chain.lab.state["postgres"]
    connection = psycopg2.connect(host=p["host"], port=p["port"], dbname=chain.database, user="smschain_dashboard",
                                  password=chain.secret("DASHBOARD database"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in ("SELECT number FROM message LIMIT 1", "SELECT error FROM event LIMIT 1", "SELECT number FROM msg_map LIMIT 1",
                          "SELECT body FROM outbox LIMIT 1", "SELECT body FROM parked LIMIT 1", "SELECT body FROM quarantine LIMIT 1",
                          "SELECT salt FROM number_salt", "SELECT number FROM suppression", "INSERT INTO reveal (who, sms_id, reason) VALUES ('a', 1, 'none')",
                          "DELETE FROM reveal", "UPDATE message SET state = 90", "SELECT text FROM inbound"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
    connection.close()


def cells(text):
    rows = re.search(r'<table class="timeline stack">.*?<tbody>(.*?)</tbody>', text, re.S)[1]
    return [[html.unescape(re.sub(r"<[^>]+>", "", c)) for c in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)] for row in re.findall(r"<tr>(.*?)</tr>", rows, re.S)]


def test_a_story_is_the_commands(chain, page):
    for where in ("state = 80", "state = 90", "state = 41", "state = 20"):
        sms_id, number = chain.sql(f"SELECT sms_id, number FROM message WHERE {where} ORDER BY sms_id DESC LIMIT 1")[0]
        told = [m for m in json.loads(chain.ctl("why", f"+{number}", "--json").stdout)["messages"] if m["sms_id"] == sms_id][0]
        for text in (page.get(f"/messages/{sms_id}"), page.get(f"/messages/{sms_id}.1.1"), post(page, "/why", number=f"+{number}")):
            story = cells(text)
            assert [(c[0].replace(" ", "T") + "Z", c[2], c[3]) for c in story] == [(s["at"], s["what"], s["gateway"]) for s in told["story"]]
            assert all(c[5].startswith(s["detail"]) for c, s in zip(story, told["story"])), (story, told)
            assert [c[4] for c in story] == [f"{sms_id}.1.{s['attempt']}" for s in told["story"]]
            assert "<script>alert" not in text and "4917212345678" not in text
    text = page.get(f"/messages/{chain.value('SELECT max(sms_id) FROM message WHERE state = 80')}")
    assert html.escape(HOSTILE)[:30].replace("&#x27;", "&#39;") in text and "out of reach" in text
    told = json.loads(chain.ctl("why", "+4917200000003", "--json").stdout)
    assert told["messages"][0]["ext_id"] == "=HYPERLINK(1)" and HOSTILE == told["messages"][0]["rule"]
    page.get("/messages/1", status=404)
    page.get("/messages/x", status=400)


def test_why_says_what_the_command_says(chain, page):
    chain.ctl("suppress", "add", "+4917200000001", "--reason", HOSTILE)
    chain.sql("INSERT INTO run_skip (run_id, pass, kind, reason, number_hash) SELECT max(r.id), 1, 'invalid', 'letters', "
              "salted_hash((SELECT salt FROM number_salt), 'no phone') FROM run r")
    for number in ("+4917200000001", "no phone", "+491799999999"):
        told = json.loads(chain.ctl("why", number, "--json").stdout)
        text = html.unescape(re.sub(r"<[^>]+>", "", post(page, "/why", number=number)))
        for because in [r["because"] for r in told["skipped"] + told["runs"]] + [s["reason"] for s in told["suppressed"]]:
            assert re.sub(r"<[^>]+>", "", because) in re.sub(r"<[^>]+>", "", text), because
    assert "<script>alert" not in post(page, "/why", number="+4917200000001", rule=HOSTILE)
    assert post(page, "/why", number="+4917200000001", days="0", status=400)
    assert "Why did a number" in page.get("/why")


def test_reasons_and_reports_that_fit_no_message(chain, page):
    rows = chain.sql("SELECT m.gateway, m.msg_id FROM msg_map m JOIN word g ON g.id = m.gateway WHERE g.word = 'alpha' ORDER BY m.sms_id DESC LIMIT 60")
    gateway = rows[0][0]
    for i, (_, msg_id) in enumerate(rows):
        reported = str(int(msg_id, 16)) if i else "never-heard-of"
        chain.sql("INSERT INTO parked (step, gateway, msg_id, body, digest) VALUES (102, %s, %s, %s, %s)", (gateway, reported, "secret body", i))
    text = page.get("/reasons?days=30")
    assert re.search(r"98(\.\d)? % match if the answers.{1,6} ids are read as hex", text), text
    assert "answer_id: hex" in text and "secret body" not in text
    assert "the number is not valid" in text and "SMPP 3.4" in text and "it may have arrived" in text
    for reason, n in chain.sql("SELECT w.word, sum(count) FROM stats s JOIN word w ON w.id = s.reason WHERE w.word = 'ABSENT' GROUP BY 1, s.gateway LIMIT 1"):
        assert f">{n}</a>" in text and reason in text
    assert "<script>alert" not in text
    page.get("/reasons?days=1000", status=400)
