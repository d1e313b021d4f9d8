"""Dispatch over TLS and through proxies: what fails before the request's first byte is not sent for certain and is sent
later, once; what fails after it is in doubt. The fake gateway's own log is the judge."""
import os
import ssl

import pytest

import tls
from processes import free_port, wait_for
from test_dispatch import ALPHA, SECONDS, world  # noqa: F401  world is a fixture

TLS_CONF = """
tls:
  ca_file: {ca}
  certificate_file: {certificate}
  key_file: {key}
  key_password: ${{SMSCHAIN_ALPHA_KEY_PASSWORD:-}}
  version: "{version}"
"""


class Ends:
    """Everything for TLS in front of alpha: two authorities, our certificate, and the gateway's, good and bad ones."""

    def __init__(self, directory):
        os.makedirs(directory)
        self.port = free_port()
        self.ours, self.others = tls.Authority(directory, "ours"), tls.Authority(directory, "others")
        self.client = self.ours.certificate("smschain")
        self.certificates = {"good": self.ours.certificate("localhost"), "name": self.ours.certificate("other.example"),
                             "authority": self.others.certificate("localhost"),
                             "expired": self.ours.certificate("localhost", days=-1)}
        self.end = None

    def conf(self, version="auto", client=None):
        certificate, key = client or self.client
        text = TLS_CONF.format(ca=self.ours.file, certificate=certificate, key=key, version=version)
        return [("gateways/alpha.yaml", "\nrequest:\n", text + "\nrequest:\n")]

    def environment(self, **more):
        return {"SMSCHAIN_ALPHA_URL": f"https://localhost:{self.port}", **more}

    def open(self, to, which="good", asks="ours", **more):
        if self.end is not None:
            self.end.stop()
        self.end = tls.TlsEnd(self.port, self.certificates[which], to,
                              asks={"ours": self.ours, "others": self.others, None: None}[asks], **more)
        return self.end


@pytest.fixture
def ends(tmp_path):
    e = Ends(str(tmp_path / "tls"))
    yield e
    if e.end is not None:
        e.end.stop()


def only_alpha(records):
    return [{**r, "route": ["alpha"]} for r in records]


def not_sent(w):
    """Settled as certainly not sent (2), attempts of messages."""
    return w.sql("SELECT count(*) FROM claim WHERE settled = 2")[0][0]


def sent_later(w, n):
    """After a failure that has been mended: all are sent, each once, none is in doubt."""
    w.wait_ended(n, 60)
    assert w.count("accepted") == n and w.count("in_doubt") == 0
    assert w.sql("SELECT max(attempt) FROM claim")[0][0] >= 2
    w.check()


def test_own_authority_and_our_certificate(world, ends):
    w = world(ends.environment(), ends.conf())
    end = ends.open(w.alpha.port)
    w.publish(ALPHA, only_alpha(w.add(30)))
    w.start()
    w.wait_ended(30)
    assert w.count("accepted") == 30
    assert end.versions == {"TLSv1.2"} and 1 <= end.connections <= 30
    w.check()
    w.check_rest()


@pytest.mark.parametrize("bad", [{"which": "name"}, {"which": "authority"}, {"which": "expired"}, {"asks": "others"}],
                         ids=["another_name", "another_authority", "expired", "ours_refused"])
def test_no_handshake_is_not_sent(world, ends, bad):
    """ours_refused: the gateway does not know the authority of our certificate."""
    w = world(ends.environment(), ends.conf())
    end = ends.open(w.alpha.port, **bad)
    w.publish(ALPHA, only_alpha(w.add(5)))
    w.start()
    w.wait(lambda: not_sent(w) > 0)
    assert end.connections > 0 and end.spoken == 0 and w.requests() == 0 and w.count("in_doubt") == 0
    ends.open(w.alpha.port)
    sent_later(w, 5)


def test_no_certificate_of_ours(world, ends):
    """The gateway asks for one and we have none."""
    w = world(ends.environment(), [("gateways/alpha.yaml", "\nrequest:\n",
                                    f"\ntls:\n  ca_file: {ends.ours.file}\n  version: '1.2'\n\nrequest:\n")])
    end = ends.open(w.alpha.port)
    w.publish(ALPHA, only_alpha(w.add(3)))
    w.start()
    w.wait(lambda: not_sent(w) > 0)
    assert end.connections > 0 and end.handshakes == 0 and w.requests() == 0
    ends.open(w.alpha.port, asks=None)
    sent_later(w, 3)


def test_refused_after_the_handshake_is_in_doubt(world, ends):
    """TLS 1.3, where our handshake ends before the gateway has looked at our certificate: by then the request may be on
    its way, and only PREREQ's count decides."""
    w = world(ends.environment(), ends.conf(version="1.3"))
    end = ends.open(w.alpha.port, asks="others", version=ssl.TLSVersion.TLSv1_3)
    w.publish(ALPHA, only_alpha(w.add(3)))
    w.start()
    w.wait_ended(3)
    assert w.count("in_doubt") == 3 and end.handshakes == 0 and w.requests() == 0
    ends.open(w.alpha.port)
    w.publish(ALPHA, only_alpha(w.add(3)))
    w.wait(lambda: w.count("accepted") == 3)
    assert w.requests() == 3  # those in doubt are not sent again
    w.check(in_doubt=3)


def test_certificate_that_is_not_there_yet(world, ends, tmp_path):
    """Said once, with the file; mended without a restart."""
    late = str(tmp_path / "late.pem"), str(tmp_path / "late.key")
    w = world(ends.environment(SMSCHAIN_ALPHA_KEY_PASSWORD="open sesame"), ends.conf(client=late))
    ends.open(w.alpha.port)
    w.publish(ALPHA, only_alpha(w.add(3)))
    w.start()
    w.wait(lambda: f"tls.certificate_file: {late[0]}: No such file" in w.dispatch.tail(100000))
    certificate, key = ends.ours.certificate("smschain", password="open sesame")
    os.rename(key, late[1])
    os.rename(certificate, late[0])
    w.wait_ended(3)
    assert w.count("accepted") == 3 and w.dispatch.tail(100000).count("cannot be used") == 1
    assert "open sesame" not in w.dispatch.tail(100000)
    w.check()


# ---- proxies ----

def proxy_conf(port, login=None, more=""):
    user = f"  user: {login[0]}\n  password: {login[1]}\n" if login else ""
    return ("gateways/alpha.yaml", "\nrequest:\n", f"\nproxy:\n  url: http://127.0.0.1:{port}\n{user}{more}\nrequest:\n")


@pytest.fixture
def proxy(tmp_path):
    made = []

    def make(**more):
        made.append(tls.Proxy(str(tmp_path), **more))
        return made[-1]
    yield make
    for p in made:
        p.stop()


def test_through_a_tunnel(world, ends, proxy):
    """https:// through a proxy with a password, and our certificate at the end of the tunnel. Variables of the
    environment that name another proxy count for nothing."""
    p = proxy(login=("smschain", "proxy-secret-0815"))
    w = world(ends.environment(https_proxy="http://127.0.0.1:1", no_proxy="localhost"),
              [proxy_conf(p.port, ("smschain", "proxy-secret-0815")), *ends.conf()])
    end = ends.open(w.alpha.port)
    w.publish(ALPHA, only_alpha(w.add(20)))
    w.start()
    w.wait_ended(20)
    assert w.count("accepted") == 20 and p.requests("CONNECT") == end.connections > 0
    assert "proxy-secret-0815" not in w.dispatch.tail(1000000)
    w.check()
    w.check_rest()


@pytest.mark.parametrize("more,method", [("", "CONNECT"), ("  tunnel: false\n", "GET")], ids=["tunnel", "plain"])
def test_http_through_a_proxy(world, proxy, more, method):
    p = proxy()
    w = world(conf=[proxy_conf(p.port, more=more)])
    w.publish(ALPHA, only_alpha(w.add(10)))
    w.start()
    w.wait_ended(10)
    assert w.count("accepted") == 10 and p.requests(method) > 0
    w.check()
    w.check_rest()


def test_proxy_that_makes_no_tunnel(world, proxy, ends):
    """Away, then asking for a password that we have not: not sent, and sent once when it lets us through."""
    port = free_port()
    w = world(ends.environment(), [proxy_conf(port), *ends.conf()])
    end = ends.open(w.alpha.port)
    w.publish(ALPHA, only_alpha(w.add(5)))
    w.start()
    w.wait(lambda: not_sent(w) > 0)
    strict = proxy(port=port, login=("somebody", "else"))
    before = not_sent(w)
    w.wait(lambda: not_sent(w) > before or "proxy_refused" in str(w.figures()) or strict.requests("CONNECT") > 0)
    assert end.connections == 0 and w.requests() == 0 and w.count("in_doubt") == 0
    strict.stop()
    wait_for(lambda: strict.process.poll() is not None, SECONDS, "the proxy's end")
    proxy(port=port)
    sent_later(w, 5)
