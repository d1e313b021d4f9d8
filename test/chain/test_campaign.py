"""The main job: rows in a database become messages at a gateway, each followed to its final status."""
import json

BY_ALPHA = ("rules/holiday-wishes.yaml", "  - gateway: beta\n", "")

def test_sample_campaign(make_chain):
    """All twelve sample rules: each finds its own rows, each row becomes a text of the length that its template is made for."""
    chain = make_chain(few_rules=False)
    rows = chain.fill_shop(1000)
    assert chain.shop.counts() == rows
    runs = chain.run_rules()
    assert len(runs) == 12
    chain.wait_final(1000, 90)
    for rule, run in runs.items():
        assert chain.value("SELECT rows_new FROM run WHERE id = %s", (run,)) == rows[rule]
        segments = chain.sql("SELECT DISTINCT segments FROM message WHERE run_id = %s", (run,))
        assert segments == [(2 if rule == "policy-renewal" else 1,)], f"{rule}: {segments}"
    assert chain.states() == {"delivered": 1000}
    assert len(chain.all_submits()) == 1000
    chain.check_invariants(in_doubt=0)


def test_run_twice_repeats_nothing(chain):
    chain.fill_shop(600)
    chain.run_rules()
    chain.wait_final(600, 90)
    again = chain.run_rules()
    chain.wait_runs_read()
    for run in again.values():
        read, new, duplicate = chain.sql("SELECT rows_read, rows_new, rows_duplicate FROM run WHERE id = %s", (run,))[0]
        assert new == 0 and duplicate == read > 0
    chain.check_invariants(in_doubt=0)
    assert len(chain.all_submits()) == 600


def test_one_row_without_number_and_one_without_name(chain):
    """Invalid rows are accounted for; a row that cannot be rendered does not harm its chunk."""
    chain.fill_shop(100, ["repayment-reminder"])
    ids = list(chain.shop.add("repayment-reminder", 2))
    chain.shop.sql("UPDATE customer SET phone = 'call me' WHERE id = %s", (ids[0],))
    chain.shop.sql("ALTER TABLE instalment ALTER amount DROP NOT NULL")
    chain.shop.sql("UPDATE instalment SET amount = NULL WHERE contract_id = %s", (ids[1],))
    run = chain.run_rule("repayment-reminder")
    chain.wait_final(101, 60)
    assert chain.states() == {"delivered": 100, "render_error": 1}
    assert chain.sql("SELECT reason FROM run_skip WHERE run_id = %s AND kind = 'invalid'", (run,)) == [("letters",)]
    why = chain.value("SELECT error FROM event WHERE state = 43")
    assert "repayment-reminder.liquid:" in why and "amount" in why
    chain.check_invariants(in_doubt=0)


def test_failing_share_and_reasons(make_chain):
    chain = make_chain(knobs={"undelivered_share": 0.2, "expired_share": 0.1, "refuse_share": 0.1})
    chain.fill_shop(500)
    chain.run_rules()
    chain.wait_final(500, 90)
    states = chain.states()
    assert all(states.get(word, 0) > 0 for word in ("delivered", "undelivered", "expired", "rejected")), states
    assert sum(states.values()) == 500
    chain.check_invariants(in_doubt=0)


def test_several_numbers_share_a_request(make_chain):
    """Equal text and sender: one request of many numbers, one msg_id; single numbers may be refused."""
    template = "{{ name | default: \"dear customer\" | truncate: 40 }}"
    chain = make_chain(change=[("templates/holiday-wishes.liquid", template, "you"), BY_ALPHA])
    ids = list(chain.shop.add("holiday-wishes", 300))
    refused = chain.shop.sql("SELECT phone FROM customer WHERE id = %s", (ids[7],))[0][0].lstrip("+")
    chain.gateway.set(refuse_number=refused)
    chain.run_rule("holiday-wishes")
    chain.wait_final(300, 60)
    assert chain.states() == {"delivered": 299, "rejected": 1}
    assert chain.counters()["requests"] < 200, "messages of equal text share requests"
    chain.check_invariants(in_doubt=0)


def test_refusal_that_names_no_number_is_tried_in_halves(make_chain):
    template = "{{ name | default: \"dear customer\" | truncate: 40 }}"
    chain = make_chain(change=[("templates/holiday-wishes.liquid", template, "you"), BY_ALPHA], knobs={"refuse_whole": 1})
    ids = list(chain.shop.add("holiday-wishes", 50))
    refused = chain.shop.sql("SELECT phone FROM customer WHERE id = %s", (ids[7],))[0][0].lstrip("+")
    chain.gateway.set(refuse_number=refused)
    chain.run_rule("holiday-wishes")
    chain.wait_final(50, 60)
    assert chain.states() == {"delivered": 49, "rejected": 1}
    chain.check_invariants(in_doubt=0)


def test_throttling_is_obeyed_and_loses_nothing(make_chain):
    chain = make_chain(knobs={"throttle_share": 0.2, "retry_after_s": 1})
    chain.fill_shop(60)
    chain.run_rules()
    chain.wait_final(60, 120)
    assert chain.states() == {"delivered": 60}
    assert chain.counters()["throttled"] > 0
    chain.check_invariants(in_doubt=0)


def test_suppressed_and_cancelled_between_render_and_claim(make_chain):
    """Exactly one of sent and not sent, also for what is already in dispatch's queue."""
    chain = make_chain(only=("callback", "render", "extract"))
    ids = list(chain.shop.add("repayment-reminder", 50))
    run = chain.run_rule("repayment-reminder")
    depth = lambda: sum(n for q, n in chain.queue_depths().items() if q.startswith("sms.dispatch."))  # noqa: E731
    chain.wait_until(depth, 60, "texts in dispatch's queue")
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0, 30)
    chain.wait_until(lambda: chain.queue_depths().get("sms.render.bulk") == 0, 30, "render to be done")
    phone = chain.shop.sql("SELECT phone FROM customer WHERE id = %s", (ids[3],))[0][0]
    cancelled = chain.value("SELECT sms_id FROM message ORDER BY sms_id OFFSET 9 LIMIT 1")
    assert chain.value("SELECT number FROM message WHERE sms_id = %s", (cancelled,)) != int(phone[1:])
    chain.ctl("suppress", "add", phone)
    chain.ctl("cancel", "--message", cancelled)
    chain.start_services(["dispatch"])
    chain.wait_final(50, 60)
    assert chain.states(run) == {"delivered": 48, "suppressed": 1, "cancelled": 1}
    chain.check_invariants(in_doubt=0)


def test_cancelled_run_is_accounted_for(make_chain):
    chain = make_chain(only=("callback", "render", "extract"))
    chain.fill_shop(80, ["repayment-reminder"])
    run = chain.run_rule("repayment-reminder")
    chain.wait_runs_read()
    chain.ctl("cancel", run)
    chain.start_services(["dispatch"])
    chain.wait_final(80, 60)
    assert chain.states(run) == {"cancelled": 80}
    assert not chain.all_submits()
    chain.check_invariants(in_doubt=0)


def test_paused_rule_waits_and_goes_on(chain):
    chain.ctl("stop", "repayment-reminder")
    chain.fill_shop(40, ["repayment-reminder", "holiday-wishes"])
    chain.run_rules(["repayment-reminder", "holiday-wishes"])
    others = chain.shop.counts()["holiday-wishes"]
    chain.wait_final(others, 60)
    assert len(chain.all_submits()) == others
    chain.ctl("start", "repayment-reminder")
    chain.wait_final(40, 60)
    assert chain.states() == {"delivered": 40}
    chain.check_invariants(in_doubt=0)


def test_paused_gateway_waits_and_goes_on(make_chain):
    chain = make_chain(change=[BY_ALPHA])
    chain.ctl("stop", "--gateway", "alpha")
    chain.fill_shop(30, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_until(lambda: chain.queue_depths().get("sms.dispatch.alpha.bulk", 0) > 0, 60, "alpha's queue to fill")
    assert not chain.all_submits()
    chain.ctl("start", "--gateway", "alpha")
    chain.wait_final(30, 60)
    chain.check_invariants(in_doubt=0)


def test_held_over_max_recipients_until_released(make_chain):
    chain = make_chain(change=[("rules/repayment-reminder.yaml", "max_recipients: 200000", "max_recipients: 20")])
    chain.fill_shop(50, ["repayment-reminder"])
    run = chain.run_rule("repayment-reminder")
    chain.wait_until(lambda: chain.value("SELECT state FROM run WHERE id = %s", (run,)) == "held", 30, "the hold")
    assert "max_recipients" in chain.value("SELECT why FROM run WHERE id = %s", (run,))
    assert not chain.all_submits()
    chain.ctl("release", run)
    chain.wait_final(50, 60)
    assert chain.states(run) == {"delivered": 50}
    chain.check_invariants(in_doubt=0)


def test_status_shows_the_balance(chain):
    chain.fill_shop(50)
    chain.run_rules()
    chain.wait_final(50, 60)
    shown = json.loads(chain.ctl("status", "--json", check=False).stdout)
    assert sum(r["new"] for r in shown["runs"]) == 50
    table = chain.ctl("status", check=False).stdout
    assert "repayment-reminder" in table and "delivered" in table
