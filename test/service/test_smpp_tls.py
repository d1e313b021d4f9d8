"""SMPP with TLS on the way: the real driver, by `smschain try`, against the fake gateway behind a TLS end. Whatever is
wrong with a certificate is known before anything is submitted."""
import os
import shutil
import subprocess

import pytest

import tls
from chain import build_dir, kept_environment
from servers import free_port
from test_fake_smpp import Fake

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NEEDS = ("SMSCHAIN_DB", "SMSCHAIN_DISPATCH_DB_PASSWORD", "SMSCHAIN_BROKER_HOST", "SMSCHAIN_DISPATCH_BROKER_PASSWORD",
         "SMSCHAIN_SHOP_CONNINFO", "SMSCHAIN_CALLBACK_LISTEN")
GATEWAY = """driver: smpp
rate: 10
window: 20
connect_timeout: 3s
smpp:
  address: localhost:{port}
  system_id: gamma
  password: hush-hush
  tls:
    enabled: true
    ca_file: {ca}
    version: "{version}"
"""


class World:
    def __init__(self, directory):
        self.fake = Fake(directory)
        self.fake.begin()
        self.ours, self.others = tls.Authority(str(directory), "ours"), tls.Authority(str(directory), "others")
        self.directory, self.end = directory, None

    def try_it(self, certificate, version="auto", client=None, asks=None):
        port = free_port()
        self.end = tls.TlsEnd(port, certificate, self.fake.port, asks=asks)
        conf = self.directory / "conf"
        shutil.rmtree(conf, ignore_errors=True)
        for folder in ("gateways", "rules", "sources", "templates"):
            os.makedirs(conf / folder)
        shutil.copy(os.path.join(ROOT, "conf/smschain.yaml"), conf)
        with open(conf / "smschain.yaml", encoding="utf-8") as f:
            text = f.read()
        with open(conf / "smschain.yaml", "w", encoding="utf-8") as f:  # the answers to STOP have templates: none here
            f.write("\n".join(line for line in text.splitlines() if "_template:" not in line))
        text = GATEWAY.format(port=port, ca=self.ours.file, version=version)
        if client:
            text += f"    certificate_file: {client[0]}\n    key_file: {client[1]}\n"
        with open(conf / "gateways/gamma.yaml", "w", encoding="utf-8") as f:
            f.write(text)
        environment = {**kept_environment(), **{name: "127.0.0.1:1" for name in NEEDS}, "SMSCHAIN_STATE_DIR": str(self.directory)}
        done = subprocess.run([os.path.join(build_dir(), "ctl/smschain"), "try", "gamma", "--to", "+491711234567", "--yes",
                               "--conf", str(conf)], capture_output=True, text=True, timeout=30, env=environment, check=False)
        self.end.stop()
        assert "Sanitizer" not in done.stderr and "hush" not in done.stdout + done.stderr, done.stderr
        return done


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.fake.kill9()


def test_submits_over_tls(world):
    for version in ("1.2", "1.3", "auto"):
        done = world.try_it(world.ours.certificate("localhost"), version)
        assert "outcome  accepted" in done.stdout, (version, done.stdout, done.stderr)
        assert "< submit_sm_resp" in done.stdout and "password=***" in done.stdout
        assert world.end.versions == {{"1.2": "TLSv1.2"}.get(version, "TLSv1.3")}
    done = world.try_it(world.ours.certificate("localhost"), client=world.ours.certificate("us"), asks=world.ours)
    assert "outcome  accepted" in done.stdout, (done.stdout, done.stderr)


def test_bad_certificates_are_not_sent_to(world):
    cases = [(world.others.certificate("localhost"), "unable to get local issuer certificate"),
             (world.ours.certificate("other.example"), "hostname mismatch"),
             (world.ours.certificate("localhost", days=-1), "certificate has expired")]
    for certificate, words in cases:
        done = world.try_it(certificate)
        assert "outcome  not_sent" in done.stdout and words in done.stdout, (words, done.stdout, done.stderr)
        assert "not a byte of the request has left" in done.stdout
    done = world.try_it(world.ours.certificate("localhost"), asks=world.ours)  # it asks for ours, and we have none
    assert "outcome  not_sent" in done.stdout, done.stdout
    done = world.try_it(world.ours.certificate("localhost"), client=world.others.certificate("us"), asks=world.ours)
    assert "outcome  not_sent" in done.stdout, done.stdout
    assert world.fake.lines() == []
