"""Messages from phones, posted on: at least once, with one key each, whatever the receiver does and whatever dies."""
import collections
import http.server
import json
import threading

import pytest

PHONE = 491709998001
SHOWN = "  # forward:                            # and posted as JSON, until it is answered 2xx\n"
POINTS = ["forward.taken", "forward.posted", "forward.noted"]


class Receiver:
    """The company's own address. `answers` are used up one a post: a status, or "close"; then 200. What is refused by its
    text is refused always."""

    def __init__(self):
        self.posts, self.answers, self.refused_text = [], [], None
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = receiver.answers.pop(0) if receiver.answers else 200
                if body["text"] == receiver.refused_text:
                    answer = 422
                receiver.posts.append((answer, self.headers["Idempotency-Key"], self.headers["X-Secret"], self.path, body))
                if answer == "close":
                    self.close_connection = True
                    return
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def taken(self):
        """{text: posts answered 200}"""
        return collections.Counter(body["text"] for answer, _, _, _, body in self.posts if answer == 200)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def forwarding(receiver, more=""):
    return ("smschain.yaml", SHOWN, f"  forward: {{url: '{receiver.url}/all', headers: {{X-Secret: very-hidden-0815}}, "
            f"timeout: 1s{more}}}\n{SHOWN}")


def send(chain, texts):
    for n, text in enumerate(texts):
        chain.gateway.inbound("alpha" if n % 2 else "beta", PHONE + n, text, to="22922", id=f"f-{text}")


def waiting(chain):
    return chain.value("SELECT count(*) FROM inbound WHERE forward_due_at IS NOT NULL")


def one_key_each(receiver):
    keys = collections.defaultdict(set)
    for _, key, _, _, body in receiver.posts:
        keys[body["inbound"]].add(key)
    assert all(len(k) == 1 for k in keys.values()), keys
    assert len({k for s in keys.values() for k in s}) == len(keys)


def test_a_receiver_that_fails_first(make_chain, receiver):
    receiver.answers = [500, "close", 503, 429]
    chain = make_chain(only=("callback",), change=[forwarding(receiver)])
    send(chain, ["one", "two", "three"])
    chain.wait_until(lambda: sum(receiver.taken().values()) == 3, 60, "three posts answered 200")
    chain.wait_until(lambda: waiting(chain) == 0, 10, "it to be noted")
    assert receiver.taken() == {"one": 1, "two": 1, "three": 1}
    one_key_each(receiver)
    assert {secret for _, _, secret, _, _ in receiver.posts} == {"very-hidden-0815"}
    [one] = [body for answer, _, _, _, body in receiver.posts if body["text"] == "one" and answer == 200]
    assert one["gateway"] == "beta" and one["number"] == PHONE and one["to"] == "22922" and one["msg_id"] == "f-one"
    assert chain.value("SELECT count(*) FROM inbound WHERE forwarded_at IS NOT NULL AND forward_tries >= 1") == 3
    chain.wait_until(lambda: chain.value("SELECT (figures->>'forwarded')::int FROM service WHERE service = 'callback' "
                                         "AND part = ''") == 3, 30, "the figures")
    with open(chain.service("callback").log, encoding="utf-8") as f:
        log = f.read()
    assert "cannot be forwarded" in log and "forwarded again" in log and "very-hidden" not in log
    assert log.count("cannot be forwarded") <= 2, "said once, not a line a second"


def test_one_refused_message_does_not_hold_the_others(make_chain, receiver):
    receiver.refused_text = "bad"
    chain = make_chain(only=("callback",), change=[
        forwarding(receiver, ", horizon: 3s"),
        ("gateways/alpha.yaml", "  # forward_url: https://crm.example/inbound/alpha   # else", f"  forward_url: {receiver.url}/alpha   # else")])
    send(chain, ["bad", "good", "better"])
    chain.wait_until(lambda: receiver.taken() == {"good": 1, "better": 1}, 30, "the good ones")
    chain.wait_until(lambda: waiting(chain) == 0, 30, "the bad one to be given up")
    assert chain.sql("SELECT text, forward_error FROM inbound WHERE forwarded_at IS NULL") == [("bad", "answered 422")]
    assert {body["text"]: path for _, _, _, path, body in receiver.posts} == {"bad": "/all", "good": "/alpha", "better": "/all"}


def test_killed_at_every_point(make_chain, receiver):
    chain = make_chain(only=("callback",), change=[forwarding(receiver)])
    callback = chain.service("callback")
    for done, point in enumerate(POINTS):
        callback.stop()
        callback.start(SMSCHAIN_FAULT=f"{point}:1")
        send(chain, [f"{point} {n}" for n in range(3)])
        assert callback.wait_end(60) == -9, point
        callback.start()
        chain.wait_until(lambda n=3 * done + 3: len(receiver.taken()) == n, 60, f"all posts after {point}")
    chain.wait_until(lambda: waiting(chain) == 0, 30, "it to be noted")
    assert len(receiver.taken()) == 3 * len(POINTS)
    assert sum(receiver.taken().values()) <= 3 * len(POINTS) + 2, "twice only where it was not noted"
    one_key_each(receiver)
