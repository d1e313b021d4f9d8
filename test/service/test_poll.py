"""Polls: reports and inbound messages are fetched, page by page, and the journal holds a page before the cursor moves. The
gateway here is a plain HTTP server with a list of records; its cursor is a position in it."""
import http.server
import json
import signal
import threading
import time
import urllib.parse

import pytest

from callback_lab import SECONDS, World, free_port

GATEWAY = """
driver: http
rate: 10
window: 5
request: {method: POST, url: "http://127.0.0.1:1/", body: "{{ text }} {{ number }} {{ seq_id }}"}
answer: [{status: 200, match: (.+), is: accepted, msg_id: match}]
report:
  records: /reports
  msg_id: /id
  status: /status
  states: {DELIVERED: delivered}
poll:
  url: http://127.0.0.1:%(port)s/reports?after={{ cursor | url_encode }}
  headers: {X-Api-Key: "${SMSCHAIN_BETA_KEY}"}
  timeout: 2s
  interval: 300ms
  start: "0"
  next: /next
  more: /more
inbound:
  records: /reports
  number: /from
  text: /text
  msg_id: /id
poll_inbound:
  url: http://127.0.0.1:%(port)s/inbound?after={{ cursor | url_encode }}
  interval: 300ms
  next_match: '"next": *"([0-9]+)"'
  more_match: '"more": *true'
"""
FAULTS = ["poll.fetched", "poll.journalled", "poll.cursor_moved"]
PAGE = 10


class Provider:
    def __init__(self):
        self.lists, self.asked, self.answer = {"/reports": [], "/inbound": []}, [], None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                after = dict(urllib.parse.parse_qsl(url.query)).get("after", "")
                outer.asked.append((url.path, after, self.headers["X-Api-Key"]))
                records, at = outer.lists[url.path], int(after or 0)
                page = records[at:at + PAGE]
                status, body = outer.answer or (200, json.dumps(
                    {"reports": page, "next": str(at + len(page)), "more": at + PAGE < len(records)}).encode())
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def cursors(self, path="/reports"):
        return [after for p, after, _ in self.asked if p == path]


@pytest.fixture
def w(tmp_path, lab):
    w = World(tmp_path, lab, flush_interval="200ms", more="  body_bytes: 64KiB")
    w.provider = Provider()
    (w.conf / "gateways/beta.yaml").write_text(GATEWAY % {"port": w.provider.port})
    yield w
    w.provider.server.shutdown()
    w.close()


def accepted(w, count):
    ids = w.messages(count, gateway="beta")
    w.publish([r for s in ids for r in (w.submitted(s, gateway="beta"), w.accepted(s, f"m{s}", gateway="beta"))])
    return ids


def report(w, ids):
    for s in ids:
        w.step(102, s, gateway="beta", msg_id=f"m{s}", state="delivered", reason="DELIVERED", named=False)
        w.provider.lists["/reports"].append({"id": f"m{s}", "status": "DELIVERED"})


def cursor(w, section="report"):
    return (w.state / f"poll/beta.{section}").read_text().split("\n")[1]


def delivered(w, ids):
    return {w.states()[s] for s in ids} == {"delivered"}


def test_pages_are_fetched(w):
    ids = accepted(w, 35)
    report(w, ids)
    w.start()
    w.settled(lambda: delivered(w, ids))
    assert w.provider.cursors()[:4] == ["0", "10", "20", "30"]
    assert next(key for path, _, key in w.provider.asked if path == "/reports") == "k"
    w.settled(lambda: cursor(w) == "35")
    w.settled(lambda: w.provider.cursors().count("35") >= 3)  # nothing new: the interval, and no complaint
    more = accepted(w, 3)
    report(w, more)
    w.settled(lambda: delivered(w, more))
    w.settled(w.journal_empty)
    w.stop()
    assert "a poll fails" not in w.log()
    assert w.one("SELECT count(*) FROM quarantine") == 0
    w.check(but_times=True)
    # A restart goes on where it was.
    asked = len(w.provider.asked)
    w.start("--intake")
    w.settled(lambda: len(w.provider.asked) > asked + 2)
    assert set(w.provider.cursors()[-1:]) == {"38"} and "0" not in w.provider.cursors()[5:]
    w.stop()


def test_inbound_is_fetched(w):
    w.provider.lists["/inbound"] = [{"id": f"i{i}", "from": f"+49171000{i:04}", "text": f"hello {i}"} for i in range(25)]
    w.start()
    w.settled(lambda: w.one("SELECT count(*) FROM inbound") == 25)
    assert w.provider.cursors("/inbound")[:3] == ["", "10", "20"]
    w.settled(lambda: cursor(w, "inbound") == "25")
    w.stop()


@pytest.mark.parametrize("hit", [1, 3])  # the first and the second page of reports; between them, one of inbound messages
@pytest.mark.parametrize("point", FAULTS)
def test_killed_at(w, point, hit):
    ids = accepted(w, 35)
    report(w, ids)
    w.start(SMSCHAIN_FAULT=f"{point}:{hit}")
    assert w.processes[0].wait(SECONDS) == -signal.SIGKILL, w.log()[-3000:]
    w.start()
    w.settled(lambda: delivered(w, ids))
    w.settled(lambda: cursor(w) == "35")
    w.settled(w.idle)
    w.settled(w.journal_empty)
    w.stop()
    w.check(but_times=True)
    assert w.one("SELECT count(*) FROM event WHERE step = 102") == 35


def test_one_poller_on_a_machine(w):
    ids = accepted(w, 5)
    first = w.start()
    w.settled(lambda: len(w.provider.asked) > 0)
    second = w.start("--consumer")  # no intake, no poll
    text = (w.conf / "smschain.yaml").read_text()
    (w.conf / "smschain.yaml").write_text(text.replace(f"listen: 127.0.0.1:{w.port}", f"listen: 127.0.0.1:{free_port({w.port})}"))
    third = w.start("--intake")
    time.sleep(1)
    assert w.log().count('"polls a gateway"') == 2  # reports and inbound, of the first
    first.kill()
    first.wait()
    report(w, ids)
    w.settled(lambda: delivered(w, ids))
    assert w.log().count('"polls a gateway"') == 4
    w.stop(second)
    w.stop(third)


def test_what_cannot_be_used(w):
    """The gateway away, refusing, or telling what nobody can read: said once, nothing lost, the cursor stays."""
    ids = accepted(w, 12)
    report(w, ids)
    w.provider.answer = (503, b"busy")
    w.start()
    w.settled(lambda: w.log().count("a poll fails") == 2 and "HTTP status 503" in w.log())
    w.provider.answer = (200, b"<html>It works!</html>")
    w.settled(lambda: w.one("SELECT count(*) FROM quarantine") >= 1)
    before = len(w.provider.asked)
    w.settled(lambda: len(w.provider.asked) > before + 3)
    assert w.one("SELECT count(*) FROM quarantine") <= 2 and set(w.provider.cursors()) == {"0"}
    w.provider.answer = (200, b'{"reports":[' + b'{"id":"x","status":"' + b"\\u0001" * 150000 + b'"}]}')
    w.settled(lambda: w.log().count("polls go on") == 0 and len(w.provider.asked) > before + 6)
    assert set(w.provider.cursors()) == {"0"}
    w.provider.answer = None
    w.settled(lambda: delivered(w, ids))
    w.settled(lambda: w.log().count("polls go on") == 2)
    assert w.log().count("a poll fails") == 2
    w.stop()


def test_a_damaged_cursor_waits_for_a_person(w):
    ids = accepted(w, 5)
    report(w, ids)
    (w.state / "poll").mkdir(parents=True)
    (w.state / "poll/beta.report").write_text("smschain-cursor 1\n7")
    w.start()
    w.settled(lambda: "move it away to begin anew" in w.log())
    time.sleep(1)
    assert w.provider.cursors() == []
    (w.state / "poll/beta.report").unlink()
    w.settled(lambda: delivered(w, ids))
    w.stop()
