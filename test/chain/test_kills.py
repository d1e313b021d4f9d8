"""kill -9, at any instant, of any service: nothing twice, nothing lost, at most two windows in doubt. Half of it goes over
HTTP, half over SMPP."""
import time

import pytest

N = 10000
BOTH = ("alpha", "gamma")  # a driver each
WINDOWS = {"SMSCHAIN_ALPHA_WINDOW": "50", "SMSCHAIN_GAMMA_WINDOW": "50", "SMSCHAIN_ALPHA_RATE": "5000",
           "SMSCHAIN_GAMMA_RATE": "5000", "SMSCHAIN_ALPHA_ANSWER_TIMEOUT": "5s", "SMSCHAIN_GAMMA_ANSWER_TIMEOUT": "5s",
           "SMSCHAIN_GAMMA_RECONNECT": "100ms"}


@pytest.mark.parametrize("service", ["extract", "render", "dispatch", "callback"])
def test_kill_in_the_middle_of_ten_thousand(make_chain, service):
    chain = make_chain(environment=WINDOWS, gateways=BOTH)
    chain.fill_shop(N)
    if service == "extract":
        chain.run_rules()
        chain.wait_until(lambda: chain.value("SELECT count(*) FROM message") > N // 3, 60, "a third of the rows", every=0.01)
    else:
        chain.run_rules()
        chain.wait_submits(N // 3, 120)
    victim = chain.service(service)
    victim.kill9()
    time.sleep(0.2)  # the others go on alone for a moment
    victim.start()
    if service == "dispatch":
        chain.wait_submits(2 * N // 3, 120)
        victim.kill9()
        victim.start()
    chain.wait_final(N, 240, also=["in_doubt"])
    chain.check_invariants(crashes=2 if service == "dispatch" else 0)


def test_answered_but_not_told(make_chain):
    """The answer is in the slot, the update queue away: killed, it is told again by recovery, not put in doubt."""
    chain = make_chain(environment=WINDOWS, gateways=BOTH)
    dispatch = chain.service("dispatch")
    dispatch.stop()
    chain.fill_shop(30, ["holiday-wishes"])
    dispatch.start(SMSCHAIN_FAULT="dispatch.answer_stored:20")
    chain.run_rule("holiday-wishes")
    assert dispatch.wait_end(60) == -9
    dispatch.start()
    chain.wait_final(30, 60, also=["in_doubt"])
    assert chain.states().get("in_doubt", 0) <= 50
    assert chain.value("SELECT count(*) FROM msg_map") >= 20, "the answers that were in the slots are known"
    chain.check_invariants(crashes=1, window=50)


def test_two_dispatchers_the_holder_killed(make_chain):
    chain = make_chain(environment={**WINDOWS, "SMSCHAIN_ALPHA_RATE": "300", "SMSCHAIN_GAMMA_RATE": "300"}, gateways=BOTH)
    chain.service("dispatch", 2).start()
    chain.fill_shop(1500)
    chain.run_rules()
    chain.wait_submits(300, 60)
    chain.service("dispatch").kill9()
    chain.wait_final(1500, 120, also=["in_doubt"])
    chain.check_invariants(crashes=1, window=100)


def test_the_holder_stopped_past_every_timeout_and_continued(make_chain):
    """A frozen process loses its place to another; awake again, it sends nothing that it must not."""
    chain = make_chain(environment={**WINDOWS, "SMSCHAIN_ALPHA_RATE": "200", "SMSCHAIN_GAMMA_RATE": "200",
                                    "SMSCHAIN_CLAIM_HORIZON": "60s"}, gateways=BOTH)
    chain.fill_shop(1200)
    chain.run_rules()
    chain.wait_submits(100, 60)
    first, second = chain.service("dispatch"), chain.service("dispatch", 2)
    first.pause()
    second.start()
    before = chain.counters()["submits"]
    chain.wait_submits(before + 50, 120)  # the place is free once the server has ended the idle session
    first.resume()
    chain.wait_final(1200, 240, also=["in_doubt"])
    chain.check_invariants(crashes=1, window=100)


def test_two_extracts_on_one_firing(make_chain):
    chain = make_chain(only=("callback", "dispatch", "render"))
    chain.fill_shop(2000)
    first, second = chain.service("extract"), chain.service("extract", 2)
    first.start()
    second.start()
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM rule") == 12, 30, "the rules in the table")
    chain.run_rules()
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM message") > 200, 60, every=0.01)
    first.kill9()
    chain.wait_final(2000, 120)
    chain.check_invariants(in_doubt=0)


def test_two_extracts_enter_a_scheduled_firing_once(make_chain):
    chain = make_chain(only=("callback", "dispatch", "render"),
                       change=[("rules/holiday-wishes.yaml", '"0 3 1 1 *"', '"* * * * *"')])
    chain.fill_shop(100, ["holiday-wishes"])
    chain.service("extract").start()
    chain.service("extract", 2).start()
    chain.wait_final(100, 120)
    assert chain.value("SELECT count(*) - count(DISTINCT (rule_id, scheduled_at)) FROM run") == 0
    assert chain.value("SELECT max(rows_new) FROM run") == 100
    chain.check_invariants(in_doubt=0)
