"""The fake gateway itself: what it takes, counts and posts back. The chain tests judge by it, so it is judged here."""
import http.server
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from chain import Process, build_dir, kept_environment
from servers import free_port, wait_for


class Intake(http.server.ThreadingHTTPServer):
    """Takes reports: (moment, method, path with query, body). status: what it answers."""
    daemon_threads = True

    def __init__(self):
        self.got, self.status = [], 200
        super().__init__(("127.0.0.1", 0), Taker)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Taker(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def take(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.got.append((time.monotonic(), self.command, self.path, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = take

    def log_message(self, *_):
        pass


class Fake(Process):
    def __init__(self, directory, intake):
        self.port, self.control_port, self.log_file = free_port(), free_port(), directory / "submits"
        command = [os.path.join(build_dir(), "test/sim/fake-gateway"), "--port", str(self.port), "--control-port", str(self.control_port),
                   "--log", str(self.log_file), "--report-log", str(directory / "reports"),
                   "--report-url-alpha", f"{intake.url}/alpha", "--report-url-beta", f"{intake.url}/beta"]
        super().__init__("fake-gateway", command, kept_environment(), str(directory / "log"))

    def begin(self):
        self.start()
        wait_for(lambda: self.call("/control/counters", control=True)[0] == 200, 10, "the fake gateway")

    def call(self, path, body=None, control=False, headers=(), seconds=5):
        """(status, body), or (0, why) without an answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.control_port if control else self.port}{path}", data=body,
                                         headers=dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError as e:
            return 0, str(e)

    def knobs(self, **knobs):
        status, body = self.call("/control?" + urllib.parse.urlencode(knobs), b"", control=True)
        assert status == 200, body

    def counters(self):
        return json.loads(self.call("/control/counters", control=True)[1])

    def alpha(self, numbers, text="hello", **more):
        return self.call("/send?" + urllib.parse.urlencode({"content": text, "mobile": numbers}), **more)

    def beta(self, to, reference, text="hello"):
        body = json.dumps({"to": to, "from": "x", "text": text, "ref": reference}).encode()
        return self.call("/v2/messages", body, headers={"X-Api-Key": "k", "Content-Type": "application/json"})


@pytest.fixture
def intake():
    server = Intake()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def fake(tmp_path, intake):
    fake = Fake(tmp_path, intake)
    fake.begin()
    yield fake
    assert fake.stop() == 0, fake.tail()
    assert "Sanitizer" not in fake.tail() and "runtime error" not in fake.tail()


def posted(intake, count):
    wait_for(lambda: len(intake.got) >= count, 5, f"{count} posts")
    time.sleep(0.1)
    assert len(intake.got) == count
    return intake.got


def test_alpha(fake, intake):
    status, body = fake.alpha("491711,+491712", "grüße")
    assert status == 200 and body.startswith("OK:")
    posts = posted(intake, 2)
    fields = sorted(post[3].split(",") for post in posts)  # each on a connection of its own, in any order
    assert [(f[0], f[1], f[2]) for f in fields] == [(body[3:], "491711", "DELIVRD"), (body[3:], "491712", "DELIVRD")]
    lines = [line.split("\t") for line in fake.log_file.read_text().splitlines()]
    assert [line[1:5] for line in lines] == [["alpha", body[3:], n, "-"] for n in ("491711", "491712")]


def test_beta(fake, intake):
    status, body = fake.beta("+491713", "7.1.1")
    answer = json.loads(body)
    assert status == 202 and answer["code"] == 0
    report = json.loads(posted(intake, 1)[0][3])
    assert report["time"].endswith("Z")
    del report["time"]
    assert report == {"id": answer["id"], "to": "+491713", "status": "DELIVERED", "ref": "7.1.1"}


def test_counts_duplicates(fake):
    fake.alpha("491711")
    fake.alpha("491711", "other")
    assert fake.counters()["duplicates"] == 0
    fake.alpha("491711")
    fake.beta("491711", "1.1.1")  # the same at another gateway
    fake.beta("491799", "1.1.1", "new")
    c = fake.counters()
    assert (c["duplicates_text"], c["duplicates_reference"], c["duplicates"], c["submits"]) == (2, 1, 3, 5)


def test_remembers_over_a_restart(fake):
    fake.alpha("491711")
    fake.kill9()
    fake.begin()
    fake.alpha("491711")
    assert fake.counters()["duplicates"] == 1


def test_refuses(fake):
    fake.knobs(refuse_number="491799,491798")
    assert fake.alpha("491711,491799")[1].endswith(";refused:491799")
    assert fake.alpha("491798")[1].startswith("ERR:")
    assert fake.beta("+491799", "1.1.1")[0] == 400
    fake.knobs(refuse_whole=1)
    assert fake.alpha("491712,491799")[1].startswith("ERR:")
    assert fake.counters()["submits"] == 1


def test_throttles(fake):
    fake.knobs(throttle_share="n1")
    assert fake.alpha("491711")[0] == 429 and fake.beta("491711", "1.1.1") == (503, '{"code":-1}')
    assert fake.alpha("491711")[0] == 200


@pytest.mark.parametrize("knob, submits", [("drop_before", 0), ("drop_after", 1)])
def test_drops(fake, knob, submits):
    fake.knobs(**{knob: "n1"})
    assert fake.alpha("491711")[0] == 0
    assert fake.counters()["submits"] == submits
    assert fake.alpha("491712")[0] == 200


def test_hangs_and_delays(fake):
    fake.knobs(hang="n1")
    assert fake.alpha("491711", seconds=0.5)[0] == 0
    assert fake.counters()["submits"] == 1
    fake.knobs(answer_delay_ms=300)
    began = time.monotonic()
    assert fake.alpha("491712")[0] == 200 and time.monotonic() - began >= 0.3


def test_status_and_garbage(fake):
    fake.knobs(status=500)
    assert fake.alpha("491711")[0] == 500 and fake.counters()["submits"] == 0
    fake.knobs(status_accepts=1)
    assert fake.alpha("491712")[0] == 500 and fake.counters()["submits"] == 1
    fake.knobs(status=0, **{"alpha.garbage": "n1"})
    assert "<html>" in fake.alpha("491713")[1]


def test_reports_before_the_answer(fake, intake):
    fake.knobs(early=1, answer_delay_ms=200)
    began = time.monotonic()
    fake.alpha("491711")
    assert intake.got[0][0] < time.monotonic() - 0.15 and intake.got[0][0] - began < 0.15


def test_reports_twice_in_batches_by_get(fake, intake):
    fake.knobs(twice=1, batch=10, report_get=1, report_delay_ms=50, report_progress=1, id_form=1)
    _, body = fake.alpha("491711,491712")
    wait_for(lambda: fake.counters()["reports_posted"] == 6, 5, "six reports")
    assert all(post[1] == "GET" for post in intake.got) and len(intake.got) < 6
    records = [r for post in intake.got for r in urllib.parse.unquote(post[2].split("report=")[1]).split(";")]
    assert {int(r.split(",")[0]) for r in records} == {int(body[3:], 16)}
    assert sorted(r.split(",")[2] for r in records) == ["ACCEPTD"] * 2 + ["DELIVRD"] * 4


def test_reports_in_reverse(fake, intake):
    fake.knobs(report_reverse=1, batch=100)
    for n in range(491711, 491716):
        fake.alpha(str(n))
    wait_for(lambda: fake.counters()["reports_posted"] == 5, 5, "five reports")
    numbers = [r.split(",")[1] for post in intake.got for r in post[3].split(";")]
    assert numbers == sorted(numbers, reverse=True)


def test_reports_are_posted_again_until_they_are_taken(fake, intake):
    intake.status = 503
    fake.knobs(report_retry_ms=20)
    fake.alpha("491711")
    wait_for(lambda: len(intake.got) >= 3, 5, "three tries")
    intake.status = 200
    wait_for(lambda: fake.counters()["reports_posted"] == 1, 5, "the report")
    fake.knobs(report_tries=2)
    intake.status = 503
    fake.alpha("491712")
    wait_for(lambda: fake.counters()["reports_given_up"] == 1, 5, "giving up")


def test_failing_and_missing(fake):
    fake.knobs(failing_share=1, report_delay_ms=0)
    for n in range(60):
        fake.alpha(str(4917110000 + n))
    fake.knobs(missing=1)
    fake.alpha("491711")
    wait_for(lambda: fake.counters()["reports_posted"] == 60, 5, "sixty reports")
    states = {line.split("\t")[4] for line in (fake.log_file.parent / "reports").read_text().splitlines()}
    assert states == {"undelivered", "expired", "rejected"}
    assert fake.counters()["reports_made"] == 60


def test_refuses_connections(fake):
    fake.knobs(listen=0)
    status, why = fake.alpha("491711")
    assert status == 0 and "refused" in why
    fake.knobs(listen=1)
    assert fake.alpha("491711")[0] == 200


def test_other_names_and_bad_knobs(fake):
    assert fake.call("/g/gamma/send?content=a&mobile=491711")[0] == 200
    assert fake.counters()["gateways"]["gamma"]["submits"] == 1
    for query in ("nonsense=1", "batch=x", "refuse_share=2", "alpha.hang=-1"):
        assert fake.call(f"/control?{query}", b"", control=True)[0] == 400
    assert fake.call("/elsewhere")[0] == 404
