"""The fake gateway over SMPP: what it takes, answers, tells and spoils. The chain tests judge by it, so it is judged here,
by a client that shares nothing with it."""
import json
import os
import re
import time
import urllib.parse
import urllib.request

import pytest
import smpp
from chain import Process, build_dir, kept_environment
from checks import logged
from servers import free_port, wait_for


class Fake(Process):
    def __init__(self, directory):
        self.port, self.control_port, self.log_file = free_port(), free_port(), directory / "submits"
        self.report_log = directory / "reports"
        command = [os.path.join(build_dir(), "test/sim/fake-gateway"), "--smpp-port", str(self.port), "--control-port",
                   str(self.control_port), "--log", str(self.log_file), "--report-log", str(self.report_log),
                   "--set", "report_delay_ms=0"]
        super().__init__("fake-gateway", command, kept_environment(), str(directory / "log"))

    def begin(self):
        self.start()
        wait_for(self.up, 10, "the fake gateway")

    def up(self):
        try:
            return self.counters() is not None
        except OSError:
            return False

    def call(self, path, **form):
        data = urllib.parse.urlencode(form).encode() if form else None
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control_port}{path}", data=data, timeout=5) as answer:
            return json.load(answer)

    def knobs(self, **knobs):
        self.call("/control", **knobs)

    def counters(self):
        return self.call("/control/counters")

    def count(self, name, n):
        wait_for(lambda: self.counters()[name] == n, 5, f"{name} {n}, {self.counters()}")

    def lines(self):
        """(gateway, msg_id, number, reference, hash of the text)"""
        return [tuple(line.split("\t")[1:]) for line in self.log_file.read_text().splitlines()]

    def link(self, name="gamma", kind="transceiver"):
        link = smpp.Link(self.port)
        assert link.bind(name, kind=kind).status == smpp.OK
        return link


@pytest.fixture
def fake(tmp_path):
    fake = Fake(tmp_path)
    fake.begin()
    yield fake
    assert fake.stop() == 0, fake.tail()
    assert "Sanitizer" not in fake.tail() and "runtime error" not in fake.tail()


def receipt_id(receipt):
    return re.match(r"id:(\S+) ", receipt.octets.decode()).group(1)


def test_submit_and_receipt(fake):
    with fake.link() as link:
        answer = link.submit("491711", "gr\x7f\x1be")  # ü and € stand elsewhere in this alphabet: à and €
        assert (answer.command, answer.status) == ("submit_sm_resp", smpp.OK)
        receipt = link.taken()
        assert receipt.esm_class == smpp.RECEIPT and (receipt.source, receipt.destination) == ("491711", "smschain")
        assert re.fullmatch(r"id:(\d+) sub:001 dlvrd:001 submit date:\d{10} done date:\d{10} stat:DELIVRD err:000 text:-",
                            receipt.octets.decode()).group(1) == answer.message_id
        assert receipt.tlvs == {0x1e: answer.message_id.encode() + b"\0", 0x427: b"\2"}
        fake.count("reports_posted", 1)
        assert fake.lines() == [("gamma", answer.message_id, "491711", "-", logged("grà€"))]
        assert fake.report_log.read_text().split("\t")[1:] == ["gamma", answer.message_id, "491711", "delivered\n"]
        assert link.ask("enquire_link").command == "enquire_link_resp"
        assert link.submit("49x").status == 0x0b and link.submit("491711", registered=0).status == smpp.OK
        assert link.ask("query_sm", smpp.text("7") + b"\1\1" + smpp.text("")).status == 0x67
        assert link.ask("unbind").command == "unbind_resp" and link.read() is None
    c = fake.counters()
    assert (c["binds"], c["unbinds"], c["links_lost"], c["submits"], c["bad_requests"], c["reports_made"]) == (1, 1, 0, 2, 1, 1)


def test_binds(fake):
    fake.knobs(**{"gamma.password": "secret", "delta.bind_refused": "n1", "delta.bind_status": 15})
    for name, password, status in (("gamma", "guess", 0x0e), ("delta", "", 0x0f), ("", "", 0x0f)):
        with smpp.Link(fake.port) as link:
            assert link.bind(name, password).status == status and link.read() is None
    with smpp.Link(fake.port) as link:
        assert link.submit("491711").status == 0x04
        answer = link.bind("gamma", "secret", "transmitter")
        assert (answer.command, answer.status, answer.body) == ("bind_transmitter_resp", 0, b"fake-gateway\0\x02\x10\0\x01\x34")
        assert link.bind("gamma", "secret").status == 0x05
        with smpp.Link(fake.port) as receiver:
            assert receiver.bind("gamma", "secret", "receiver").status == smpp.OK
            assert receiver.submit("491711").status == 0x04
            assert link.submit("491711").status == smpp.OK
            assert receiver.taken().source == "491711"
    fake.count("links_lost", 2)
    c = fake.counters()
    assert (c["binds"], c["binds_refused"], c["unauthorised"]) == (2, 2, 1)


def test_broken_pdus(fake):
    with fake.link() as link:
        link.socket.sendall(smpp.encode("submit_sm", b"\0\1", sequence=7))
        assert link.read() == ("generic_nack", 0x02, 7, b"")  # it ends within a field
        link.socket.sendall(bytes.fromhex("00000010 00000aaa 00000000 00000009"))
        assert link.read() == ("generic_nack", 0x03, 9, b"")
        link.socket.sendall(bytes.fromhex("0000000f 00000004 00000000 0000000b"))
        assert link.read() == ("generic_nack", 0x02, 11, b"") and link.read() is None
    assert fake.counters()["bad_pdus"] == 2


def test_parts_are_told_apart(fake):
    """What is twice: the same part, or the same message in other parts, or whole."""
    def part(number, text, n, reference=5):
        return link.submit(number, b"\5\0\3" + bytes((reference, 2, n)) + text.encode(), esm_class=smpp.UDHI)
    with fake.link() as link:
        fake.knobs(reports=0)
        first = part("491711", "same", 1)
        assert first.status == smpp.OK and part("491711", "same", 2).status == smpp.OK
        assert [line[3] for line in fake.lines()] == ["seg:5/2/1", "seg:5/2/2"] and fake.counters()["duplicates"] == 0
        assert {line[4] for line in fake.lines()} == {logged("same")}
        part("491712", "same", 1)
        part("491711", "other", 1)  # a reference that came again
        assert fake.counters()["duplicates"] == 0
        part("491711", "same", 1)
        assert fake.counters()["duplicates"] == 1
        part("491711", "same", 2)  # that part, and the message
        assert fake.counters()["duplicates"] == 2
        part("491713", "same", 1, 6), part("491713", "same", 2, 6)
        assert fake.counters()["duplicates"] == 2
        link.submit("491713", "samesame")
        assert fake.counters()["duplicates"] == 3
        sar = [(0x20c, b"\1\1"), (0x20e, b"\2"), (0x20f, b"\1")]
        link.submit("491714", "\0s\0i".encode(), coding=8, tlvs=sar)
        link.submit("491715", b"", tlvs=[(0x424, b"payload")])
        assert [(line[3], line[4]) for line in fake.lines()[-2:]] == [
            ("seg:257/2/1", logged("si")), ("-", logged("payload"))]
        c = fake.counters()
        assert (c["submits"], c["parts"], c["messages"]) == (11, 9, 5)
    fake.kill9()
    fake.begin()
    with fake.link() as link:
        part("491712", "same", 1)
        assert fake.counters()["duplicates"] == 1, "a restart forgets nothing"


def test_refusals_and_throttling(fake):
    fake.knobs(refuse_number="491712", throttle_share="n2", reports=0)
    with fake.link() as link:
        assert link.submit("491711").status == smpp.THROTTLED
        fake.knobs(busy_status=smpp.QUEUE_FULL)
        assert link.submit("491711").status == smpp.QUEUE_FULL
        assert link.submit("491712").status == 0x0b
        fake.knobs(refuse_status=0x45)
        assert link.submit("491712").status == 0x45
        fake.knobs(status=8, status_share="n1")
        assert link.submit("491713").status == 8
        assert fake.counters()["submits"] == 0
        fake.knobs(status_accepts=1, status_share="n1")
        assert link.submit("491713").status == 8 and fake.counters()["submits"] == 1
        fake.knobs(status=0, garbage="n1")
        assert b"\0" not in link.submit("491714").body


def test_a_full_window(fake):
    fake.knobs(window_max=2, answer_delay_ms=300, reports=0)
    with fake.link() as link:
        sent = [link.send("submit_sm", smpp.message("x", f"49171{n}", b"a")) for n in range(3)]
        answers = [link.read() for _ in sent]
        assert [(a.sequence, a.status) for a in answers] == [(sent[2], smpp.THROTTLED), (sent[0], 0), (sent[1], 0)]
        assert fake.counters()["throttled"] == 1 and fake.counters()["submits"] == 2
        fake.knobs(window_max=0, answer_delay_ms=0, answer_jitter_ms=100)
        sent = [link.send("submit_sm", smpp.message("x", f"49172{n}", b"a")) for n in range(20)]
        answers = [link.read().sequence for _ in sent]
        assert sorted(answers) == sent != answers


@pytest.mark.parametrize("knob, submits", [("drop_before", 0), ("drop_after", 1)])
def test_drops(fake, knob, submits):
    fake.knobs(reports=0, **{knob: "n1"})
    with fake.link() as link:
        assert link.submit("491711") is None
    assert fake.counters()["submits"] == submits
    with fake.link() as link:
        assert link.submit("491712").status == smpp.OK
    assert fake.counters()["links_lost"] >= 1


def test_silence(fake):
    fake.knobs(hang="n1", enquire_unanswered="n1", reports=0)
    with fake.link() as link:
        link.send("submit_sm", smpp.message("x", "491711", b"a"))
        link.send("enquire_link")
        assert link.silent(0.2) and fake.counters()["submits"] == 1
        assert link.submit("491712").status == smpp.OK and link.ask("enquire_link").status == smpp.OK
        fake.knobs(mute=1)
        link.send("submit_sm", smpp.message("x", "491713", b"a"))
        assert link.silent(0.2) and fake.counters()["submits"] == 3
        fake.knobs(mute=0)
        assert link.ask("enquire_link").status == smpp.OK


def test_the_gateway_asks_and_unbinds(fake):
    fake.knobs(unbind="n1", reports=0)
    with fake.link() as link:
        assert link.submit("491711").status == smpp.OK
        unbind = link.read()
        assert unbind.command == "unbind"
        assert link.submit("491712").status == smpp.OK  # until it is answered
        link.send("unbind_resp", sequence=unbind.sequence)
        assert link.read() is None
    fake.knobs(enquire_interval_ms=20)
    with fake.link() as link:
        for _ in range(2):
            asked = link.read()
            assert asked.command == "enquire_link"
            link.send("enquire_link_resp", sequence=asked.sequence)
    wait_for(lambda: fake.counters()["enquire_answers"] >= 2, 5, "two answers")
    assert fake.counters()["links_lost"] == 1


@pytest.mark.parametrize("pdu, byte", [("submit_sm_resp", 0), ("submit_sm_resp", 3), ("submit_sm_resp", 20), ("any", 17)])
def test_cut_while_it_writes(fake, pdu, byte):
    with fake.link() as link:
        fake.knobs(cut="n1", cut_pdu=pdu, cut_byte=byte)
        if pdu == "any":
            fake.knobs(cut_pdu="submit_sm_resp")
        assert link.submit("491711") is None and len(link.bytes) == byte
    assert fake.counters()["submits"] == 1


@pytest.mark.parametrize("byte", [0, 16, 30, 1000])
def test_cut_while_it_reads(fake, byte):
    with fake.link() as link:
        fake.knobs(cut="n1", cut_pdu="submit_sm", cut_byte=byte)
        assert link.ask("enquire_link").status == smpp.OK
        assert link.submit("491711") is None
    assert fake.counters()["submits"] == 0
    with fake.link() as link:
        assert link.submit("491712").status == smpp.OK


def test_cut_binds(fake):
    fake.knobs(cut="n1", cut_pdu="bind_transceiver")
    with smpp.Link(fake.port) as link:
        assert link.bind("gamma") is None
    fake.knobs(cut="n1", cut_pdu="bind_transceiver_resp", cut_byte=19)
    with smpp.Link(fake.port) as link:
        assert link.bind("gamma") is None and len(link.bytes) == 19
    with smpp.Link(fake.port) as link:
        assert link.bind("gamma").status == smpp.OK


def test_split_and_joined(fake):
    fake.knobs(reports=0, write_bytes=7)
    with fake.link() as link:
        assert link.submit("491711").status == smpp.OK
        assert min(link.reads) <= 7 and len(link.reads) > 2  # a reader that comes late finds some of them together
        fake.knobs(write_bytes=0, join_ms=200)
        link.reads.clear()
        for n in range(5):
            link.send("submit_sm", smpp.message("x", f"49172{n}", b"a"))
            time.sleep(0.005)
        assert [link.read().status for _ in range(5)] == [0] * 5 and len(link.reads) == 1
        body = smpp.encode("submit_sm", smpp.message("x", "491731", b"a"), sequence=77)
        for byte in body:
            link.socket.sendall(bytes((byte,)))
        assert link.read().sequence == 77


def test_forms_of_receipts(fake):
    fake.knobs(id_form=1, receipt_form=1)
    with fake.link() as link:
        answer = link.submit("491711")
        receipt = link.taken()
        assert int(receipt_id(receipt)) == int(answer.message_id, 16) and not receipt.tlvs
        fake.knobs(receipt_form=2, undelivered_share="n1")
        answer, receipt = link.submit("491712"), link.taken()
        assert receipt.octets == b"" and receipt.tlvs[0x427] == b"\5" and receipt.tlvs[0x423] == b"\3\0\x1b"
        fake.knobs(receipt_form=3, rejected_share=1, receipt_class=0)
        texts = []
        for n in range(5):
            link.submit(f"49172{n}")
            receipt = link.taken()
            assert receipt.esm_class == 0 and not receipt.tlvs
            texts.append(receipt.octets.decode())
        assert len({re.sub(r"\d+", "", t) for t in texts}) == 5 and all(re.search("REJECT", t) for t in texts)
        fake.knobs(rejected_share=0, receipt_form=0, receipt_class=4, report_progress=1, twice="n1", missing=0)
        link.submit("491731")
        receipts = [link.taken() for _ in range(3)]
        assert sorted((r.esm_class, r.tlvs[0x427]) for r in receipts) == [(4, b"\2"), (4, b"\2"), (0x20, b"\1")]
        fake.knobs(report_progress=0)
        link.submit("491732", registered=2)
        fake.knobs(expired_share="n1")
        link.submit("491733", registered=2)
        assert link.taken().source == "491733"


def test_receipts_wait_and_come_again(fake):
    """Without a receiver they wait; what is not answered with success, or at all, is told again."""
    fake.knobs(report_retry_ms=20)
    with fake.link(kind="transmitter") as link:
        link.submit("491711")
        with fake.link("gamma") as other:
            other.taken(status=0x64)
            assert other.taken().source == "491711"
            fake.count("reports_posted", 1)
            link.submit("491712")
            assert other.read().command == "deliver_sm"
        with fake.link("gamma") as third:
            assert third.taken().source == "491712"
            fake.count("reports_posted", 2)
            fake.knobs(report_timeout_ms=50)
            link.submit("491713")
            assert third.read().command == "deliver_sm" and third.taken().source == "491713"


def test_receipts_on_another_bind(fake):
    with fake.link() as link, fake.link() as other:
        link.submit("491711")
        assert link.taken().source == "491711"
        fake.knobs(receipt_elsewhere=1)
        link.submit("491712")
        assert other.taken().source == "491712" and link.silent(0.1)


def test_receipts_before_the_answer(fake):
    fake.knobs(early="n2")
    with fake.link() as link:
        sequence = link.send("submit_sm", smpp.message("x", "491711", b"a"))
        told = link.read()
        assert told.command == "deliver_sm" and link.silent(0.1)
        link.send("deliver_sm_resp", smpp.text(""), sequence=told.sequence)
        answer = link.read()
        assert answer.sequence == sequence and answer.message_id == receipt_id(smpp.read_message(told.body))
        with fake.link(kind="transmitter") as sender:
            sequence = sender.send("submit_sm", smpp.message("x", "491712", b"a"))
            assert link.read().command == "deliver_sm"
            link.socket.close()  # nobody is left that could answer it
            assert sender.read().sequence == sequence


def test_messages_from_phones(fake):
    with fake.link() as link:
        fake.call("/control/inbound", gateway="gamma", **{"from": "491711", "to": "22922"}, text="STOP")
        m = link.taken()
        assert (m.source, m.destination, m.octets, m.esm_class) == ("491711", "22922", b"STOP", 0)
        long = "a" * 160 + "b"
        fake.call("/control/inbound", gateway="gamma", **{"from": "491711"}, text=long, parts="2,1", reference=9)
        parts = [link.taken() for _ in range(2)]
        assert [m.octets[:6] for m in parts] == [b"\5\0\3\x09\2\2", b"\5\0\3\x09\2\1"] and parts[0].esm_class == smpp.UDHI
        assert (parts[1].octets[6:] + parts[0].octets[6:]).decode() == long
        fake.call("/control/inbound", gateway="gamma", **{"from": "491711"}, text="您好", way=3)
        m = link.taken()
        assert m.coding == 8 and m.tlvs[0x424].decode("utf-16-be") == "您好"
        fake.count("inbound_posted", 4)


def test_refuses_connections(fake):
    with fake.link() as link:
        fake.knobs(answer_delay_ms=200, reports=0)
        link.send("submit_sm", smpp.message("x", "491711", b"a"))
        wait_for(lambda: fake.counters()["submits"] == 1, 5, "the submit")
        fake.knobs(listen=0)
        assert link.read().command == "submit_sm_resp" and link.read() is None
    with pytest.raises(ConnectionRefusedError):
        smpp.Link(fake.port)
    fake.knobs(listen=1)
    with fake.link() as link:
        assert link.ask("enquire_link").status == smpp.OK
