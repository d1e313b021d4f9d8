"""Messages whose fate nobody tells: the whole chain asks the gateway, or fetches its reports, and sends again only what the
gateway says it never took. Its own log is the judge."""
import re

import pytest

FAST = {"SMSCHAIN_ALPHA_ANSWER_TIMEOUT": "2s", "SMSCHAIN_BETA_ANSWER_TIMEOUT": "2s", "SMSCHAIN_BETA_LOOKUP_WAIT": "300ms",
        "SMSCHAIN_BETA_LOOKUP_RETRY": "500ms"}
BY_ALPHA = ("rules/holiday-wishes.yaml", "  - gateway: beta\n", "")
BY_BETA = ("rules/holiday-wishes.yaml", "  - gateway: alpha\n", "")
PROVES = [("gateways/beta.yaml", '    # - {status: 404, pointer: /code, equals: "44", is: not_accepted}',
           '    - {status: 404, pointer: /code, equals: "44", is: not_accepted}'),
          ("gateways/beta.yaml", "  # proof_after: 15m ", "  proof_after: 2s "), ("gateways/beta.yaml", "  rate: 5 ", "  rate: 100 ")]
RULE = "holiday-wishes"


def send(chain, n):
    chain.fill_shop(n, [RULE])
    return chain.run_rule(RULE)


def test_lost_requests_and_lost_answers_are_looked_up(make_chain):
    """Requests that were read and dropped, answers that were lost: no report ever comes, and the gateway is late, errs and
    says for a while that it knows nothing. What it never took is sent again, once."""
    chain = make_chain(environment=FAST, change=[BY_BETA, *PROVES], knobs={
        "follow": 1, "reports": 0, "drop_before": 0.1, "drop_after": 0.1, "lookup_late_ms": 1500, "lookup_error": 0.1,
        "undelivered_share": 0.2})
    send(chain, 200)
    chain.wait_until(lambda: chain.counters()["requests"] >= 200, 60, "all sent")
    chain.gateway.set(drop_before=0, drop_after=0)
    dropped = chain.counters()["dropped_before"]
    assert dropped > 0 and chain.counters()["dropped_after"] > 0
    chain.wait_until(lambda: not {"queued", "submitted", "in_doubt"} & set(chain.states()), 90, "nothing in doubt")
    assert set(chain.states()) <= {"accepted", "delivered", "undelivered"}
    assert len(chain.all_submits()) == 200, "each message was accepted exactly once"
    assert chain.value("SELECT count(*) FROM claim WHERE settled = 4") == dropped == chain.counters()["requests"] - 200
    assert chain.counters()["duplicates"] == 0
    chain.check_i1()


@pytest.mark.parametrize("victim", ["dispatch", "callback"])
def test_killed_and_looked_up(make_chain, victim):
    chain = make_chain(environment={**FAST, "SMSCHAIN_BETA_WINDOW": "20", "SMSCHAIN_BETA_RATE": "100"}, change=[BY_BETA, *PROVES],
                       knobs={"follow": 1, "reports": 0, "answer_delay_ms": 100, "drop_before": 0.1})
    send(chain, 200)
    for _ in range(3):
        before = chain.counters()["requests"]
        chain.wait_until(lambda b=before: chain.counters()["requests"] >= b + 30, 60, "30 more")
        chain.service(victim).kill9()
        chain.service(victim).start()
    chain.wait_until(lambda: chain.counters()["submits"] >= 170, 60, "nearly all sent")
    chain.gateway.set(drop_before=0)
    chain.wait_until(lambda: not {"queued", "submitted", "in_doubt"} & set(chain.states()), 120, "nothing in doubt")
    assert len(chain.all_submits()) == 200 and chain.counters()["duplicates"] == 0
    chain.check_i1()


def test_a_wrong_no_is_asked_for_proof(make_chain):
    """Without the line not_accepted nothing is sent again, whatever the gateway does not find."""
    chain = make_chain(environment=FAST, change=[BY_BETA], knobs={"follow": 1, "reports": 0, "drop_before": 0.2, "drop_after": 0.1,
                                                                  "lookup_unknown": 0.5})
    send(chain, 60)
    chain.wait_until(lambda: chain.counters()["requests"] >= 60, 60, "all sent")
    chain.gateway.set(drop_before=0, drop_after=0)
    dropped = chain.counters()["dropped_before"]
    chain.wait_until(lambda: chain.states().get("in_doubt", 0) == dropped and "submitted" not in chain.states(), 60,
                     "only those in doubt that were never accepted")
    assert chain.counters()["requests"] == 60
    chain.check_i1()


def poll_only(chain):
    """The samples as files for gateways that post nothing."""
    def change(file, edit):
        path = f"{chain.copy_conf()}/gateways/{file}"
        with open(path, encoding="utf-8") as f:
            text = edit(f.read())
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def beta(text):
        poll = text[text.index("# poll:"):text.index("# poll_inbound:")]
        text = text[:text.index("# poll:")] + re.sub(r"^# ", "", poll, flags=re.MULTILINE)
        text = text.replace("http://127.0.0.1:8090/v2/reports", f"http://127.0.0.1:{chain.gateway.port}/v2/reports")
        return text.replace('records: "" ', "records: /reports ").replace("interval: 30s", "interval: 200ms")

    def alpha(text):
        text = text.replace("fields: [msg_id, number, status, time]", 'fields: ["-", msg_id, number, status, time]', 1)
        return text + f"""
poll:
  url: http://127.0.0.1:{chain.gateway.port}/reports?after={{{{ cursor }}}}
  interval: 200ms
  start: "0"
  next_match: '([0-9]+),[^;]*$'
  more_match: '(;[^;]*){{99}}'
"""
    change("beta.yaml", beta)
    change("alpha.yaml", alpha)


@pytest.mark.parametrize("route", [BY_ALPHA, BY_BETA], ids=["list", "json"])
def test_reports_are_fetched(make_chain, route):
    chain = make_chain(environment=FAST, change=[route], before_start=poll_only, knobs={
        "follow": 1, "reports": 0, "report_delay_ms": 300, "undelivered_share": 0.2, "poll_error": 0.2})
    send(chain, 350)
    for _ in range(3):
        polls = chain.counters()["polls"]
        chain.wait_until(lambda p=polls: chain.counters()["polls"] >= p + 3, 30, "some polls")
        chain.service("callback").kill9()
        chain.service("callback").start()
    chain.wait_final(350, 90)
    assert set(chain.states()) == {"delivered", "undelivered"} and sum(chain.states().values()) == 350
    assert chain.value("SELECT count(*) FROM quarantine") == 0
    chain.check_i1()
