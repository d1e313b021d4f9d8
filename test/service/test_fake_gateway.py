"""The fake gateway itself: what it takes, counts and posts back. The chain tests judge by it, so it is judged here."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
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
        self.got, self.status, self.reply = [], 200, b""
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
        self.send_header("Content-Length", str(len(self.server.reply)))
        self.end_headers()
        self.wfile.write(self.server.reply)

    do_GET = do_POST = take

    def log_message(self, *_):
        pass


class Fake(Process):
    def __init__(self, directory, intake):
        self.port, self.control_port, self.log_file = free_port(), free_port(), directory / "submits"
        command = [os.path.join(build_dir(), "test/sim/fake-gateway"), "--port", str(self.port), "--control-port", str(self.control_port),
                   "--log", str(self.log_file), "--report-log", str(directory / "reports"),
                   "--report-url-alpha", f"{intake.url}/alpha", "--report-url-beta", f"{intake.url}/beta"]
        self.intake = intake
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


    # ---- the protocols, each as its provider's documents have it, written down here a second time ----

    def kannel(self, to, reference, text="hello", mask=19, coding="0", password="secret"):
        dlr = f"{self.intake.url}/kannel?ref={reference}&number={to}&status=%d&time=%T&error=%A"
        return self.call("/cgi-bin/sendsms?" + urllib.parse.urlencode({
            "username": "smschain", "password": password, "from": "x", "to": f"+{to}", "text": text, "coding": coding,
            "charset": "UTF-8", "dlr-mask": mask, "dlr-url": dlr}))

    def twilio(self, to, reference, text="hello", password="secret", account="ACsmschain"):
        body = urllib.parse.urlencode({"To": f"+{to}", "From": "x", "Body": text,
                                       "StatusCallback": f"{self.intake.url}/twilio?ref={reference}"}).encode()
        login = base64.b64encode(f"{account}:{password}".encode()).decode()
        return self.call(f"/2010-04-01/Accounts/{account}/Messages.json", body, headers={"Authorization": f"Basic {login}"})

    def infobip(self, *messages, key="secret"):
        """messages: (number, reference, text)"""
        body = {"messages": [{"from": "x", "destinations": [{"to": to, "messageId": reference}], "text": text,
                              "notifyUrl": f"{self.intake.url}/infobip"} for to, reference, text in messages]}
        return self.call("/sms/2/text/advanced", json.dumps(body).encode(), headers={"Authorization": f"App {key}"})

    def aliyun(self, numbers, text="hello", secret="secret", nonce=None, offset_s=0, **changed):
        parameters = {
            "AccessKeyId": "smschain", "Action": "SendSms", "Format": "JSON", "OutId": "7.1.1", "PhoneNumbers": numbers,
            "RegionId": "cn-hangzhou", "SignName": "x y*~", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
            "SignatureNonce": nonce or os.urandom(16).hex(), "TemplateCode": "SMS_1", "TemplateParam": json.dumps({"text": text}),
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset_s)), "Version": "2017-05-25"}
        encode = lambda s: urllib.parse.quote(s, safe="-_.~")  # noqa: E731
        query = "&".join(f"{encode(k)}={encode(v)}" for k, v in sorted(parameters.items()))
        digest = hmac.new(f"{secret}&".encode(), f"GET&%2F&{encode(query)}".encode(), hashlib.sha1).digest()
        sent = "&".join(f"{encode(k)}={encode(v)}" for k, v in {**parameters, **changed}.items())
        return self.call(f"/?{sent}&Signature={encode(base64.b64encode(digest).decode())}")

    def lines(self):
        """What the log has: (gateway, msg_id, number, reference)."""
        return [tuple(line.split("\t")[1:5]) for line in self.log_file.read_text().splitlines()]


LOGINS = {"kannel.user": "smschain", "kannel.password": "secret", "twilio-like.user": "ACsmschain",
          "twilio-like.password": "secret", "infobip-like.password": "secret", "aliyun-like.user": "smschain",
          "aliyun-like.password": "secret"}


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


@pytest.fixture
def four(fake, intake):
    """With the logins of the four protocols that other providers speak."""
    fake.knobs(**LOGINS, **{"aliyun-like.report_url": f"{intake.url}/aliyun"})
    return fake


def query_of(post):
    return dict(urllib.parse.parse_qsl(post[2].split("?", 1)[1], keep_blank_values=True))


def test_kannel(four, intake):
    status, body = four.kannel("491711", "7.1.1")
    assert (status, body[:3]) in ((202, "0: "), (202, "3: "))
    assert [line[::2] for line in four.lines()] == [("kannel", "491711")] and four.lines()[0][3] == "7.1.1"
    post = posted(intake, 1)[0]
    report = query_of(post)
    assert post[1] == "GET" and abs(int(report.pop("time")) - time.time()) < 10
    assert report == {"ref": "7.1.1", "number": "491711", "status": "1", "error": ""}
    four.knobs(undelivered_share="n1", report_progress=1)
    four.kannel("491712", "8.1.1", mask=27)
    assert sorted(query_of(p)["status"] for p in posted(intake, 3)[1:]) == ["2", "8"]


def test_kannel_refusals(four, intake):
    assert four.kannel("491711", "7.1.1", password="guess") == (403, "Authorization failed for sendsms")
    assert four.kannel("491711", "7.1.1", "您好")[0] == 400 and four.kannel("491711", "7.1.1", "10 €, ß")[0] == 202
    assert four.kannel("491712", "7.1.2", "您好", coding="2", mask=0)[0] == 202
    four.knobs(throttle_share="n1")
    assert four.kannel("491711", "7.1.3")[0] == 503
    four.knobs(refuse_number="491713")
    assert four.kannel("491713", "7.1.4")[0] == 404
    c = four.counters()
    assert (c["unauthorised"], c["bad_requests"], c["refused"], c["throttled"], c["submits"]) == (1, 1, 1, 1, 2)
    assert c["reports_made"] == 1  # a mask of 0 asks for none


def test_twilio(four, intake):
    status, body = four.twilio("491711", "7.1.1", "grüße")
    answer = json.loads(body)
    assert status == 201 and answer["status"] == "queued" and answer["to"] == "+491711" and answer["body"] == "grüße"
    gateway, msg_id, number, reference = four.lines()[0]
    assert (gateway, number, reference) == ("twilio-like", "491711", "7.1.1")
    assert answer["sid"] == f"SM{int(msg_id):032x}"
    post = posted(intake, 1)[0]
    assert post[1] == "POST" and query_of(post) == {"ref": "7.1.1"}
    report = dict(urllib.parse.parse_qsl(post[3]))
    assert report["MessageSid"] == answer["sid"] and report["MessageStatus"] == "delivered" and report["To"] == "+491711"
    assert report["AccountSid"] == "ACsmschain" and "ErrorCode" not in report
    four.knobs(rejected_share="n1", report_reference=0)
    four.twilio("491712", "8.1.1")
    failed = posted(intake, 2)[1]
    assert "8.1.1" not in failed[2] and "MessageStatus=failed" in failed[3] and "ErrorCode=30007" in failed[3]


def test_twilio_refusals(four):
    for wrong in ({"password": "guess"}, {"account": "ACsomebody"}):
        status, body = four.twilio("491711", "7.1.1", **wrong)
        assert status == 401 and json.loads(body)["code"] == 20003
    four.knobs(refuse_number="491712", throttle_share="n1")
    assert json.loads(four.twilio("491711", "7.1.1")[1])["code"] == 20429
    assert json.loads(four.twilio("491712", "7.1.1")[1])["code"] == 21211
    assert four.counters()["submits"] == 0 and four.counters()["unauthorised"] == 2


def test_infobip(four, intake):
    four.knobs(refuse_number="491712", batch=10)
    status, body = four.infobip(("491711", "7.1.1", "one"), ("491712", "8.1.1", "two"), ("491713", "9.1.1", "three"))
    results = {m["messageId"]: m for m in json.loads(body)["messages"]}
    assert status == 200 and list(results) == ["9.1.1", "8.1.1", "7.1.1"], "in no order of ours"
    assert {k: m["status"]["groupName"] for k, m in results.items()} == {
        "7.1.1": "PENDING", "8.1.1": "REJECTED", "9.1.1": "PENDING"}
    assert [(line[0], line[2], line[3]) for line in four.lines()] == [
        ("infobip-like", "491711", "7.1.1"), ("infobip-like", "491713", "9.1.1")]
    post = posted(intake, 1)[0]
    got = json.loads(post[3])["results"]
    assert {r["messageId"]: (r["to"], r["status"]["groupName"]) for r in got} == {
        "7.1.1": ("491711", "DELIVERED"), "9.1.1": ("491713", "DELIVERED")}
    assert got[0]["doneAt"].endswith("+0000")
    four.knobs(refuse_whole=1)
    assert four.infobip(("491714", "10.1.1", "one"), ("491712", "11.1.1", "two"))[0] == 400
    assert four.counters()["submits"] == 2


def test_infobip_refusals(four):
    status, body = four.infobip(("491711", "7.1.1", "one"), key="guess")
    assert status == 401 and json.loads(body)["requestError"]["serviceException"]["messageId"] == "UNAUTHORIZED"
    assert four.infobip()[0] == 400
    four.knobs(throttle_share="n1")
    assert four.infobip(("491711", "7.1.1", "one"))[0] == 429
    assert four.counters()["submits"] == 0


def test_aliyun(four, intake):
    intake.reply = b'{"code":0,"msg":"OK"}'
    four.knobs(batch=10)
    status, body = four.aliyun("491711,491712", "您好 & goodbye")
    answer = json.loads(body)
    assert status == 200 and answer["Code"] == "OK"
    assert [(line[0], line[1] + "^0", line[2], line[3]) for line in four.lines()] == [
        ("aliyun-like", answer["BizId"], n, "-") for n in ("491711", "491712")]
    post = posted(intake, 1)[0]
    got = json.loads(post[3])
    assert {(r["phone_number"], r["biz_id"], r["err_code"], r["success"], r["out_id"]) for r in got} == {
        (n, answer["BizId"], "DELIVERED", True, "7.1.1") for n in ("491711", "491712")}
    assert four.aliyun("491713")[0] == 200


def test_aliyun_believes_only_its_own_reply(four, intake):
    intake.reply = b"OK"
    four.knobs(report_retry_ms=20)
    four.aliyun("491711")
    wait_for(lambda: four.counters()["reports_failed"] >= 2, 5, "two reports that were not taken")
    intake.reply = b'{"code":0}'
    wait_for(lambda: four.counters()["reports_posted"] == 1, 5, "the report")


def test_aliyun_refusals(four):
    code = lambda answer: (answer[0], json.loads(answer[1])["Code"])  # noqa: E731
    assert code(four.aliyun("491711", secret="guess")) == (400, "SignatureDoesNotMatch")
    assert code(four.aliyun("491711", PhoneNumbers="491799")) == (400, "SignatureDoesNotMatch")
    assert code(four.aliyun("491711", AccessKeyId="nobody")) == (400, "InvalidAccessKeyId.NotFound")
    assert code(four.aliyun("491711", offset_s=-1000)) == (400, "InvalidTimeStamp.Expired")
    assert code(four.aliyun("491711", nonce="once")) == (200, "OK")
    assert code(four.aliyun("491712", nonce="once")) == (400, "SignatureNonceUsed")
    four.knobs(refuse_number="491713")
    assert code(four.aliyun("491714,491713")) == (200, "isv.MOBILE_NUMBER_ILLEGAL")
    four.knobs(throttle_share="n1")
    assert code(four.aliyun("491715")) == (400, "Throttling.User")
    assert four.counters()["submits"] == 1 and four.counters()["unauthorised"] == 5


def send_one(fake, protocol, number, reference):
    if protocol == "infobip":
        return fake.infobip((number, reference, "hello"))
    return fake.aliyun(number) if protocol == "aliyun" else getattr(fake, protocol)(number, reference)


@pytest.mark.parametrize("protocol", ["kannel", "twilio", "infobip", "aliyun"])
def test_knobs_work_for_every_protocol(four, intake, protocol):
    intake.reply = b'{"code":0}'
    send = lambda n: send_one(four, protocol, f"49171{n}", f"{n}.1.1")  # noqa: E731
    for knob, submits in (("drop_before", 0), ("drop_after", 1)):
        four.knobs(**{knob: "n1"})
        assert send(submits)[0] == 0 and four.counters()["submits"] == submits
    four.knobs(status=500)
    assert send(2)[0] == 500
    four.knobs(status=0, garbage="n1")
    assert "<html>" in send(3)[1]
    four.knobs(early="n1", answer_delay_ms=200)
    assert send(4)[0] in (200, 201, 202)
    wait_for(lambda: four.counters()["reports_posted"] == 3, 5, "three reports")
    four.knobs(answer_delay_ms=0, twice="n1")
    send(5)
    send(5)  # a duplicate
    wait_for(lambda: four.counters()["reports_posted"] == 6, 5, "six reports")
    assert four.counters()["duplicates"] == 1


def test_report_addresses_of_two_hosts(four, intake):
    """Requests name the address: each report goes to its own."""
    other = Intake()
    try:
        four.knobs(report_connections=1)
        for n in range(4):
            four.intake = other if n % 2 else intake
            four.kannel(f"49171{n}", f"{n}.1.1")
        wait_for(lambda: four.counters()["reports_posted"] == 4, 5, "four reports")
        assert len(intake.got) == len(other.got) == 2
    finally:
        other.shutdown()
        other.server_close()


def test_a_body_that_comes_after_its_head(fake):
    """Also one that is longer than all that has come before it."""
    body = json.dumps({"to": "491711", "from": "x", "text": "hello " * 100, "ref": "7.1.1"}).encode()
    head = f"POST /v2/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: k\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", fake.port), timeout=10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(head)
        assert fake.counters()["requests"] == 0  # an answer of the same thread: the head has been looked at
        s.sendall(body)
        assert s.recv(4096).startswith(b"HTTP/1.1 202")
