"""What gateways do to us: lost answers, lost connections, reports in any order and form."""
import urllib.error
import urllib.request

import pytest

FAST = {"SMSCHAIN_ALPHA_ANSWER_TIMEOUT": "2s", "SMSCHAIN_BETA_ANSWER_TIMEOUT": "2s"}
BY_ALPHA = ("rules/holiday-wishes.yaml", "  - gateway: beta\n", "")
BY_BETA = ("rules/holiday-wishes.yaml", "  - gateway: alpha\n", "")


@pytest.mark.parametrize("route", [BY_ALPHA, BY_BETA], ids=["GET", "POST"])
@pytest.mark.parametrize("knob", ["drop_before", "drop_after"])
def test_request_read_and_connection_closed(make_chain, route, knob):
    """libcurl would send it again by itself on another connection; ours must not."""
    chain = make_chain(environment=FAST, change=[route])
    chain.fill_shop(40, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_final(40, 60)       # connections are warm now
    before = chain.counters()["requests"]
    chain.gateway.set(**{knob: 0.3})
    chain.fill_shop(100, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_until(lambda: chain.counters()["requests"] - before >= 100, 60, "100 requests")
    chain.gateway.set(**{knob: 0})
    chain.wait_final(140, 60, also=["in_doubt"])
    assert chain.counters()["requests"] - before == 100, "each message was one request"
    in_doubt = chain.states().get("in_doubt", 0)
    if knob == "drop_before":
        assert in_doubt == chain.counters()["dropped_before"] > 0
        chain.check_invariants(in_doubt=in_doubt)
    else:  # accepted all the same: reports settle them, by our reference or because they fit only one
        assert chain.counters()["dropped_after"] > 0
        chain.check_invariants(crashes=1)


def test_lost_answers_are_settled_by_the_report_that_names_our_reference(make_chain):
    chain = make_chain(environment=FAST, change=[BY_BETA], knobs={"hang": 0.2})
    chain.fill_shop(60, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_final(60, 60)
    assert chain.states() == {"delivered": 60}
    assert chain.counters()["hung"] > 0
    chain.check_invariants(in_doubt=0)


def test_lost_answers_without_a_reference_stay_in_doubt_until_a_person_says(make_chain):
    chain = make_chain(environment=FAST, change=[BY_ALPHA], knobs={"hang": "n1", "missing": 1})
    chain.fill_shop(1, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_until(lambda: chain.states() == {"in_doubt": 1}, 60, "one in doubt")
    listed = chain.ctl("resolve", check=False)
    assert listed.returncode == 3
    seq_id = chain.value("SELECT sms_id || '.1.' || attempt FROM message")
    assert seq_id in listed.stdout
    chain.ctl("resolve", seq_id, "delivered")
    chain.wait_until(lambda: chain.states() == {"delivered": 1}, 30, "the person's word")
    assert chain.ctl("resolve", check=False).returncode == 0
    assert len(chain.all_submits()) == 1


@pytest.mark.parametrize("knobs", [
    {"early": 1}, {"twice": 0.5}, {"report_reverse": 1, "report_delay_ms": 500}, {"report_jitter_ms": 2000},
    {"batch": 20}, {"report_progress": 1, "report_jitter_ms": 500}, {"report_get": 1, "batch": 5},
    {"early": 0.5, "twice": 0.5, "report_jitter_ms": 300, "batch": 7, "undelivered_share": 0.3}],
    ids=lambda k: "+".join(k))
def test_reports_in_any_order(make_chain, knobs):
    chain = make_chain(knobs=knobs)
    chain.fill_shop(300)
    chain.run_rules()
    chain.wait_final(300, 90)
    chain.check_invariants(in_doubt=0)


def test_ids_in_hex_and_reported_in_decimal(make_chain):
    chain = make_chain(environment={"SMSCHAIN_ALPHA_ANSWER_ID": "hex", "SMSCHAIN_ALPHA_REPORT_ID": "decimal"},
                       change=[BY_ALPHA], knobs={"alpha.id_form": 1, "alpha.report_id_form": 0})
    chain.fill_shop(200, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_final(200, 60)
    assert chain.states() == {"delivered": 200}
    chain.check_invariants(in_doubt=0)


def test_no_report_becomes_unknown_after_the_horizon(make_chain):
    chain = make_chain(knobs={"missing": 1}, change=[("smschain.yaml", "# report_horizon: 72h", "report_horizon: 2s")])
    chain.fill_shop(20)
    chain.run_rules()
    chain.wait_until(lambda: chain.states() == {"unknown": 20}, 120, "20 unknown")
    chain.check_invariants(in_doubt=0)


def test_garbage_report_is_kept_in_quarantine(chain):
    chain.fill_shop(1, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_final(1, 60)  # the intake listens
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(chain.report_url("beta"), data=b"{broken", timeout=10)
    assert refused.value.code == 400
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM quarantine") == 1, 30, "the quarantine")
    assert chain.sql("SELECT gateway, body FROM quarantine") == [("beta", "{broken")]
