"""Broker, database and gateway away in the middle: the services wait, go on, and lose nothing."""
import pytest

BOTH = ("alpha", "gamma")  # a driver each
RATES = {"SMSCHAIN_ALPHA_RATE": "1000", "SMSCHAIN_BETA_RATE": "1000", "SMSCHAIN_GAMMA_RATE": "1000",
         "SMSCHAIN_GAMMA_RECONNECT": "100ms"}


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("which", ["rabbitmq", "postgres"])
def test_server_away_in_the_middle(make_chain, lab, which, how):
    chain = make_chain(environment=RATES, gateways=BOTH)
    chain.fill_shop(4000)
    chain.run_rules()
    chain.wait_submits(800, 120)
    server = getattr(lab, which)
    getattr(server, how)()
    try:
        chain.wait_until(lambda: all(s.alive for s in chain.services()), 5)
    finally:
        server.start()
    chain.wait_final(4000, 240, also=["in_doubt"])
    chain.check_invariants(crashes=0)
    for service in chain.services():
        with open(service.log, encoding="utf-8") as f:
            lines = f.readlines()
        assert len(lines) < 300, f"{service.name} says it once and when it is over, not {len(lines)} lines"


def test_reports_are_taken_while_the_broker_is_away(make_chain, lab):
    chain = make_chain(environment=RATES, knobs={"report_delay_ms": 3000}, gateways=BOTH)
    chain.fill_shop(300)
    chain.run_rules()
    chain.wait_submits(300, 60)
    lab.rabbitmq.kill()
    try:
        chain.wait_until(lambda: chain.counters()["reports_posted"] >= 300, 60, "300 reports answered 200")
    finally:
        lab.rabbitmq.start()
    chain.wait_final(300, 120, also=["in_doubt"])
    chain.check_invariants(crashes=0)


@pytest.mark.parametrize("gateway", BOTH)
def test_gateway_away_longer_than_the_back_off(make_chain, gateway):
    """Only this one may have it, and it refuses connections: the messages wait, and arrive once it is back."""
    chain = make_chain(environment=RATES, gateways=(gateway,),
                       change=[(f"gateways/{gateway}.yaml", "\ndriver: ", "\nbreaker_pause: 2s\ndriver: ")]
                       if gateway == "gamma" else [("gateways/alpha.yaml", "breaker_pause: 10s", "breaker_pause: 2s")])
    chain.gateway.kill9()
    chain.fill_shop(200, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_until(lambda: chain.value(
        "SELECT count(*) FROM service WHERE service = 'dispatch' AND part = %s AND figures->>'state' LIKE 'breaker%%'",
        (gateway,)), 60, "the breaker")
    chain.gateway.start()
    chain.wait_final(200, 180)
    assert chain.states() == {"delivered": 200}
    chain.check_invariants(in_doubt=0)


@pytest.mark.parametrize("away, other", [("alpha", "gamma"), ("gamma", "alpha")])
def test_gateway_away_hands_over_to_the_next(make_chain, away, other):
    """From a driver to the other one."""
    text = ("rules/holiday-wishes.yaml", "  - gateway: alpha\n  - gateway: gamma\n", f"  - gateway: {away}\n  - gateway: {other}\n")
    chain = make_chain(environment=RATES, separate_gateways=True, gateways=BOTH, change=[text])
    gone, there = (chain.gateway, chain.gateway_beta)[::1 if away == "alpha" else -1]
    gone.kill9()
    chain.fill_shop(200, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_final(200, 120)
    assert chain.states() == {"delivered": 200}
    gone.start()
    assert len(list(there.submits())) == 200
    chain.check_invariants(in_doubt=0)


@pytest.mark.parametrize("gateway", BOTH)
def test_gateway_killed_in_the_middle(make_chain, gateway):
    """Its answers are lost: what was on the wire is in doubt or refused, nothing is sent twice anywhere."""
    chain = make_chain(environment={**RATES, "SMSCHAIN_ALPHA_WINDOW": "50", "SMSCHAIN_GAMMA_WINDOW": "50",
                                    "SMSCHAIN_ALPHA_ANSWER_TIMEOUT": "5s", "SMSCHAIN_GAMMA_ANSWER_TIMEOUT": "5s"},
                       separate_gateways=True, gateways=BOTH, knobs={"answer_delay_ms": 30})
    chain.fill_shop(2000)
    chain.run_rules()
    victim = chain.gateway if gateway == "alpha" else chain.gateway_beta
    chain.wait_until(lambda: len(list(victim.submits())) > 300, 60, f"300 at {gateway}")
    victim.kill9()
    victim.start()
    # The reports that it still owed died with it: those messages stay accepted until the horizon.
    chain.wait_final(2000, 180, also=["in_doubt", "accepted"])
    chain.check_i1()  # not I4: what it had posted last, it had no time to write down
    chain.check_i2()
    chain.wait_quiet()
    chain.check_i5()
    chain.check_i7(crashes=1, window=50)
