"""Kannel as a real gateway: what dispatch sends through its sendsms, and what its reports do. Judge of "twice" is what
its SMSC received, message by message."""
import collections
import re
import urllib.parse

import pytest

from kannel import Kannel

WINDOW = 20


def unquoted(text):
    return urllib.parse.unquote_to_bytes(text.replace("+", " "))


def received(kannel):
    """Counter of (number, text) as fakesmsc got them, long messages put together."""
    found, parts = collections.Counter(), {}
    for number, rest in re.findall(r"Got message \d+: <\S+ \+(\d+) (.*)>", kannel.log("fakesmsc")):
        header, words = None, rest.split(" ", 2)
        if words[0] == "udh":  # 05 00 03 reference total part
            header, rest = unquoted(words[1]), words[2]
        kind, _, body = rest.partition(" ")
        if header is None:
            found[(int(number), body if kind == "text" else unquoted(body).decode("utf-16-be"))] += 1
            continue
        got = parts.setdefault((number, header[3]), {})
        assert header[5] not in got, f"a part of a message to {number} came twice"
        got[header[5]] = unquoted(body)
        if len(got) == header[4]:
            whole = b"".join(got[i + 1] for i in range(len(got)))
            found[(int(number), whole.decode("utf-8" if whole[0] else "utf-16-be"))] += 1
            del parts[(number, header[3])]
    assert not parts, f"{len(parts)} messages are not whole"
    return found


@pytest.fixture
def kannel(make_chain, tmp_path):
    """A chain whose only gateway is Kannel, by the sample configuration; kannel.chain is it."""
    chain = make_chain(only=(), gateways=("alpha", "beta", "kannel"),
                       environment={"SMSCHAIN_KANNEL_WINDOW": str(WINDOW), "SMSCHAIN_KANNEL_RATE": "500",
                                             "SMSCHAIN_KANNEL_ANSWER_TIMEOUT": "5s"},
                       change=[("gateways/kannel.yaml", "driver: http\n",
                                "driver: http\nretry_base: 500ms\nbreaker_failures: 3\nbreaker_pause: 1s\n"),
                               ("rules/holiday-wishes.yaml", "  - gateway: alpha\n  - gateway: beta\n",
                                "  - gateway: kannel\n")])
    kannel = Kannel(str(tmp_path / "kannel"), chain.ports, chain.environment["SMSCHAIN_KANNEL_PASSWORD"])
    chain.more_environment["SMSCHAIN_KANNEL_URL"] = kannel.url
    kannel.chain = chain
    kannel.start()
    try:
        chain.start_services()
        yield kannel
    finally:
        kannel.stop()


def check(kannel, delivered, in_doubt=0):
    chain = kannel.chain
    got = received(kannel)
    assert max(got.values()) == 1, f"received twice: {[k for k, n in got.items() if n > 1][:3]}"
    numbers = {number for number, in chain.sql("SELECT number FROM message")}
    assert {number for number, _ in got} <= numbers
    assert chain.states() == {k: v for k, v in {"delivered": delivered, "in_doubt": in_doubt}.items() if v}
    chain.check_i2()
    chain.check_i5()
    chain.check_i6()
    return got


def test_a_campaign_through_kannel(kannel):
    chain = kannel.chain
    chain.fill_shop(150, ["holiday-wishes"])
    chain.shop.sql("UPDATE customer SET name = '漢字 😀 Grüße {x}' WHERE id % 3 = 0 AND marketing_ok")
    chain.shop.sql("UPDATE customer SET name = 'Łucja' || repeat(' ł', 15) WHERE id % 7 = 0 AND marketing_ok")
    names = [name for name, in chain.shop.sql("SELECT name FROM customer WHERE marketing_ok")]
    chain.run_rule("holiday-wishes")
    chain.wait_final(150, 60)
    chain.wait_quiet()
    got = check(kannel, delivered=150)
    assert len(got) == 150, "each message once"
    for name in names:
        whole = f"We wish you a happy new year, {name}! "
        assert any(text.startswith(whole) for _, text in got) or len(name) > 40, f"{name!r} did not come through"
    assert chain.value("SELECT count(*) FROM event WHERE step = 102 AND state = 90 AND error IS NOT NULL") == 0
    late = chain.value("SELECT count(*) FROM event WHERE step = 102 AND abs(extract(epoch FROM at - now())) > 600")
    assert late == 0, "Kannel's times are read as the moments they were"


def test_dispatch_is_killed_while_kannel_takes(kannel):
    chain = kannel.chain
    chain.fill_shop(400, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    for share in (60, 160):
        chain.wait_until(lambda share=share: kannel.log("fakesmsc").count("Got message") >= share, 60, "half of it", every=0.01)
        chain.service("dispatch").kill9()
        chain.service("dispatch").start()
    chain.wait_final(400, 90, also=["in_doubt"])
    chain.wait_quiet()
    in_doubt = chain.states().get("in_doubt", 0)
    chain.check_i7(crashes=2, window=WINDOW)
    got = check(kannel, delivered=400 - in_doubt, in_doubt=in_doubt)
    assert len(got) >= 400 - in_doubt


def test_kannel_is_away_for_a_while(kannel):
    """Ended and started again while messages wait: they wait, and nothing is sent twice or lost. What was on its way
    to smsbox as it went may be in doubt until its report comes."""
    chain = kannel.chain
    chain.fill_shop(300, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_until(lambda: kannel.log("fakesmsc").count("Got message") >= 80, 60, "a part of it", every=0.01)
    kannel.stop()
    chain.wait_until(lambda: "breaker" in chain.service("dispatch").tail(200), 30, "the open breaker")
    kannel.start()
    chain.wait_final(300, 90, also=["in_doubt"])
    chain.wait_quiet()
    in_doubt = chain.states().get("in_doubt", 0)
    assert in_doubt <= WINDOW
    check(kannel, delivered=300 - in_doubt, in_doubt=in_doubt)


def test_bearerbox_is_killed(kannel):
    """What its store still held at kill -9 Kannel itself sends again: that may be twice, but never by a second attempt of
    ours. A message whose answer said "try again" must not have been taken."""
    chain = kannel.chain
    chain.fill_shop(300, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_until(lambda: kannel.log("fakesmsc").count("Got message") >= 80, 60, "a part of it", every=0.01)
    kannel.processes["bearerbox"].kill9()
    chain.wait_until(lambda: not kannel.processes["smsbox"].alive, 30, "smsbox's end")
    kannel.processes["fakesmsc"].stop()
    kannel.start()
    chain.wait_final(300, 90, also=["in_doubt", "accepted"])
    chain.wait_quiet()
    twice = {number for (number, _), n in received(kannel).items() if n > 1}
    attempts = dict(chain.sql("SELECT m.number, max(c.attempt) FROM message m JOIN claim c USING (sms_id) GROUP BY m.number"))
    again = [number for number in twice if attempts[number] > 1]
    assert not again, f"{len(again)} messages reached a phone twice by attempts of ours"
    assert chain.states().get("in_doubt", 0) <= WINDOW
    chain.check_i2()
    chain.check_i6()
