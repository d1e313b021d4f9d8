"""One list of tests that every sample gateway of conf/gateways/ goes through, over the fake gateway that speaks as it
does. Each gateway has a sample rule of its own, so that all of them share one chain; what a test sends is one run."""
import contextlib
import os
import re

import fixtures
import pytest
from chain import FINAL, ROOT, SMPP, VARIABLES

RULE_OF = {"alpha": "holiday-wishes", "beta": "card-expiring", "kannel": "low-balance", "twilio-like": "policy-renewal",
           "infobip-like": "repayment-reminder", "aliyun-like": "appointment-tomorrow", "adapter-like": "birthday",
           "gamma": "overdue-notice", "delta": "order-shipped", "epsilon": "payment-received", "zeta": "contract-activated"}
WITHOUT_LOGIN = {"alpha", "adapter-like"}
WINDOW = 50
GATEWAYS = [g for g in RULE_OF if os.path.exists(os.path.join(ROOT, "conf/gateways", f"{g}.yaml"))]
# What makes the texts of a rule's new rows equal, so that they may share a request.
EQUAL = {"holiday-wishes": "UPDATE customer SET name = NULL WHERE id >= %(low)s",
         "appointment-tomorrow": "WITH c AS (UPDATE customer SET name = NULL WHERE id >= %(low)s) UPDATE appointment SET "
                                 "branch = 'Am Markt 7', starts_at = (SELECT starts_at FROM appointment WHERE id = %(low)s) "
                                 "WHERE customer_id >= %(low)s"}
every_gateway = pytest.mark.parametrize("through", GATEWAYS, indirect=True)


def shares_requests(gateway):
    with open(os.path.join(ROOT, "conf/gateways", f"{gateway}.yaml"), encoding="utf-8") as f:
        most = re.search(r"^  (?:numbers|messages)_max: (\d+)", f.read(), re.MULTILINE)
    return bool(most) and int(most.group(1)) > 1


SHARING = [g for g in GATEWAYS if shares_requests(g)]
every_smpp_gateway = pytest.mark.parametrize("through", SMPP, indirect=True)
every_sharing_gateway = pytest.mark.parametrize("through", SHARING, indirect=True)


def route_all(chain):
    """Each of the rules to its own gateway and no other."""
    for gateway, rule in RULE_OF.items():
        path = os.path.join(chain.copy_conf(), "rules", f"{rule}.yaml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:text.index("\nroute:")] + f"\nroute:\n  - gateway: {gateway if gateway in GATEWAYS else 'alpha'}\n")


@pytest.fixture(scope="module")
def shared(lab, tmp_path_factory):
    environment = {}
    for variable in VARIABLES.values():
        environment.update({f"SMSCHAIN_{variable}_ANSWER_TIMEOUT": "2s", f"SMSCHAIN_{variable}_WINDOW": str(WINDOW),
                            f"SMSCHAIN_{variable}_RATE": "1000", f"SMSCHAIN_{variable}_RECONNECT": "100ms"})
    with fixtures.chains(lab, tmp_path_factory.mktemp("every")) as make:
        chain = make(environment=environment, few_rules=False, gateways=None, before_start=route_all)
        chain.shop.sql("ALTER TABLE customer ALTER name TYPE text")  # for names that make long texts
        yield chain
        # All promises, over all that has gone through this chain; what stays in doubt was said by each test itself.
        chain.check_invariants(in_doubt=chain.states().get("in_doubt", 0))


class Through:
    """The chain, seen through one gateway."""

    def __init__(self, chain, gateway):
        self.chain, self.gateway, self.rule = chain, gateway, RULE_OF[gateway]
        self.turned = {}
        self.before = self.counters()

    def counters(self):
        """This gateway's own."""
        return self.chain.gateway.counters()["gateways"].get(self.gateway, {})

    def knobs(self):
        return self.chain.gateway.call("/control")["gateways"][self.gateway]["knobs"]

    def counted(self, name):
        """Since the test began."""
        return self.counters().get(name, 0) - self.before.get(name, 0)

    def turn(self, **knobs):
        known = self.knobs()
        for name, value in knobs.items():
            self.turned.setdefault(name, known.get(name, 0))
            self.chain.gateway.set(**{f"{self.gateway}.{name}": value})

    def turn_back(self, *names):
        for name in names or list(self.turned):
            self.chain.gateway.set(**{f"{self.gateway}.{name}": self.turned.pop(name)})

    def send(self, n, equal=False):
        """n new messages, of equal text if that can be; gives their numbers."""
        ids = self.chain.shop.add(self.rule, n)
        if equal and self.rule in EQUAL:
            self.chain.shop.sql(EQUAL[self.rule], {"low": ids[0]})
        self.run = self.chain.run_rule(self.rule)
        low = 491700000000 + ids[0]
        return [str(low + i) for i in range(n)]

    def states(self):
        return self.chain.states(self.run)

    def wait_states(self, wanted, seconds=60):
        self.chain.wait_until(lambda: self.states() == wanted, seconds, f"{wanted} of run {self.run}")

    def wait_ends(self, n, also=(), seconds=60):
        """Until the run's n messages are in a final state; gives {state: messages}."""
        ends = FINAL | set(also)
        self.chain.wait_until(lambda: sum(c for s, c in self.states().items() if s in ends) == n, seconds,
                              f"{n} final states of run {self.run}")
        return self.states()

    def wait_accepted_are_settled(self, n):
        """Over a link other messages' answers are lost with it, too: those that were accepted are settled by their reports,
        none of the others is ever sent again."""
        self.chain.wait_until(lambda: self.counted("submits") == n - self.states().get("in_doubt", 0), 90,
                              f"as many in doubt as were not accepted, {self.states()}, {self.counted('submits')} submits")

    def reasons(self):
        """What the gateway has given as its reason, whatever became of the message."""
        rows = self.chain.sql("SELECT DISTINCT w.word FROM event e JOIN message m USING (sms_id) JOIN word w ON w.id = e.reason "
                              "WHERE m.run_id = %s", (self.run,))
        return [word for word, in rows]

    def check(self):
        """Nothing twice, every row accounted for; the rest of I1 to I8 once for all tests, at the end of their chain."""
        self.turn_back()
        self.chain.wait_until(lambda: self.counters()["reports_posted"] == self.counters()["reports_made"], 30, "its last reports")
        self.chain.check_i1()
        self.chain.check_i2(final=False)


@pytest.fixture
def through(shared, request):
    one = Through(shared, request.param)
    yield one
    with contextlib.suppress(KeyError):
        one.turn_back()


def test_no_sample_is_left_out():
    samples = {name[:-5] for name in os.listdir(os.path.join(ROOT, "conf/gateways")) if name.endswith(".yaml")}
    assert samples <= set(RULE_OF), "a sample gateway that no chain test goes through"


@every_gateway
def test_campaign(through):
    through.turn(batch=10)
    through.send(300)
    through.wait_states({"delivered": 300})
    # It counts a report once it has read our answer to it, which may be a moment after we have applied it.
    through.chain.wait_until(lambda: through.counted("reports_posted") == 300, 20, "every report to be counted as taken")
    assert through.counted("submits") == 300
    through.check()


@every_gateway
def test_connection_dropped_before_accepting(through):
    """The gateway has read the request, so it may have it: in doubt, and not sent again."""
    through.turn(drop_before="n2")
    through.send(40)
    through.wait_ends(40, also=["in_doubt"])
    through.wait_accepted_are_settled(40)
    dropped = through.counted("dropped_before")  # requests: where many messages share one there may be one only
    assert 1 <= dropped <= 2 and through.states()["in_doubt"] >= dropped
    through.check()


@every_gateway
def test_connection_dropped_after_accepting(through):
    """The report settles it: by our reference where it has that, else because it fits only one message. What was on the same
    link and was not read stays in doubt."""
    through.turn(drop_after="n2", hang="n1")
    through.send(40)
    if through.gateway in SMPP:
        through.wait_ends(40, also=["in_doubt"])
        through.wait_accepted_are_settled(40)
    else:
        through.wait_states({"delivered": 40}, 90)
    dropped, hung = through.counted("dropped_after"), through.counted("hung")
    assert 1 <= dropped + hung <= 3
    through.check()


@every_gateway
@pytest.mark.parametrize("knobs", [{"early": 0.5, "report_jitter_ms": 300}, {"twice": 0.5, "batch": 7, "failing_share": 0.5},
                                   {"report_reverse": 1, "report_delay_ms": 400, "report_progress": 1, "batch": 5}],
                         ids=["early", "twice", "reversed"])
def test_reports_in_any_order(through, knobs):
    through.turn(**knobs)
    through.send(60)
    states = through.wait_ends(60)
    if "failing_share" in knobs:
        assert set(states) > {"delivered"} and sum(states.values()) == 60
    else:
        assert states == {"delivered": 60}
    through.check()


@every_gateway
@pytest.mark.parametrize("whole", [0, 1], ids=["named", "unnamed"])
def test_refused_numbers(through, whole):
    """Those and no others, also where the answer does not say which of a request's numbers it means."""
    ids = through.chain.shop.sql("SELECT coalesce(max(id), 0) FROM customer")[0][0]
    refused = [str(491700000000 + ids + i) for i in (2, 3, 11)]
    through.turn(refuse_number=",".join(refused), refuse_whole=whole)
    numbers = through.send(20)
    assert set(refused) < set(numbers)
    through.wait_states({"delivered": 17, "rejected": 3})
    rejected = through.chain.sql("SELECT number FROM message WHERE run_id = %s AND state = 70 ORDER BY 1", (through.run,))
    assert [str(n) for n, in rejected] == refused
    assert through.counted("submits") == 17
    through.check()


@every_sharing_gateway
def test_many_in_a_request(through):
    through.send(60, equal=True)
    through.wait_states({"delivered": 60})
    assert through.counted("submits") == 60 and through.counted("requests") <= 45, "some must have shared a request"
    through.check()


@every_sharing_gateway
def test_refused_among_many_in_a_request(through):
    ids = through.chain.shop.sql("SELECT coalesce(max(id), 0) FROM customer")[0][0]
    refused = [str(491700000000 + ids + i) for i in (5, 17, 18)]
    through.turn(refuse_number=",".join(refused))
    through.send(30, equal=True)
    through.wait_states({"delivered": 27, "rejected": 3})
    rejected = through.chain.sql("SELECT number FROM message WHERE run_id = %s AND state = 70 ORDER BY 1", (through.run,))
    assert [str(n) for n, in rejected] == refused
    through.check()


@every_sharing_gateway
@pytest.mark.parametrize("knob, end", [("drop_before", "in_doubt"), ("drop_after", "delivered")])
def test_lost_answer_for_many_in_a_request(through, knob, end):
    """Every message of that request is in doubt, none is sent again; reports settle those that were taken."""
    through.turn(**{knob: "n1"})
    through.send(30, equal=True)
    states = through.wait_ends(30, also=[] if end == "delivered" else ["in_doubt"], seconds=90)
    assert set(states) <= {"delivered", end} and states[end] > 1
    assert through.counted("submits") == (30 if end == "delivered" else 30 - states["in_doubt"])
    through.check()


@every_gateway
def test_throttled(through):
    through.turn(throttle_share="n3", retry_after_s=1)
    through.send(30)
    through.wait_states({"delivered": 30})
    assert through.counted("throttled") == 3 and through.counted("submits") == 30
    through.check()


@every_gateway
def test_wrong_password(through):
    """Nothing is sent with it; once it is right again, what the gateway has not refused for good arrives."""
    if through.gateway in WITHOUT_LOGIN | set(SMPP):
        pytest.skip("it asks for none" if through.gateway in WITHOUT_LOGIN else "asked at the bind")
    through.turn(password="not-this-one")
    through.send(5)
    through.chain.wait_until(lambda: through.counted("unauthorised") > 0, 30, "a request that is not let in")
    assert through.counted("submits") == 0
    through.chain.wait_until(through.reasons, 30, "somebody can see why")
    through.turn(password=through.chain.gateway_logins()[f"{through.gateway}.password"])
    through.wait_ends(5)
    assert through.counted("submits") == through.states().get("delivered", 0)
    through.turned.pop("password")
    through.check()


@every_smpp_gateway
def test_long_texts(through):
    """In segments, each with its own msg_id and status, or whole in one payload; and with one of them failed."""
    for share in (0, 0.3):
        ids = through.chain.shop.add(through.rule, 20)
        through.chain.shop.sql("UPDATE customer SET name = repeat('long name ', 30) || id WHERE id >= %s", (ids[0],))
        through.turn(undelivered_share=share)
        through.run = through.chain.run_rule(through.rule)
        states = through.wait_ends(20)
        assert states == {"delivered": 20} if not share else {"delivered", "undelivered"} >= set(states) > {"delivered"}, states
    parts = 1 if through.gateway == "zeta" else 3
    assert (through.counted("messages"), through.counted("submits")) == (40, 40 * parts)
    assert through.chain.sql("SELECT DISTINCT parts FROM message WHERE run_id = %s", (through.run,)) == [(parts,)]
    through.check()


@every_smpp_gateway
def test_unbound_and_refused(through):
    """The gateway ends the link in an orderly way and does not take it back for a while: nothing is in doubt."""
    through.turn(unbind="n1", bind_refused=1, bind_status=8)
    through.send(200)
    through.chain.wait_until(lambda: through.counted("binds_refused") >= 2, 30, "two binds that are refused")
    through.turn_back("bind_refused")
    through.wait_states({"delivered": 200})
    through.check()


@every_smpp_gateway
def test_pdus_in_pieces(through):
    through.turn(write_bytes=7, answer_jitter_ms=50)
    through.send(60)
    through.wait_states({"delivered": 60})
    through.turn_back()
    through.turn(join_ms=100, receipt_elsewhere=1, early=0.5)
    through.send(60)
    through.wait_states({"delivered": 60})
    through.check()


@pytest.mark.parametrize("through", ("gamma", "delta"), indirect=True)  # a link both ways, and one for each
@pytest.mark.parametrize("pdu, byte", [("submit_sm", 40), ("submit_sm_resp", 17), ("deliver_sm", 30), ("deliver_sm_resp", 16)])
def test_cut_in_a_pdu(through, pdu, byte):
    """The link ends within a PDU: what is unanswered is in doubt until its report settles it, and nothing is sent twice."""
    through.turn(cut="n1", cut_pdu=pdu, cut_byte=byte)
    through.send(40)
    through.wait_ends(40, also=["in_doubt"])
    through.wait_accepted_are_settled(40)
    assert through.counted("links_lost") >= 1
    if pdu.startswith("deliver"):
        through.wait_states({"delivered": 40})
    through.check()


def test_nothing_is_answered(shared):
    """A gateway that reads on and says nothing: what it was given is in doubt, until it speaks again."""
    through = Through(shared, "gamma")
    through.send(3)
    through.wait_states({"delivered": 3})
    through.turn(mute=1)
    through.send(5)
    assert through.wait_ends(5, also=["in_doubt"]) == {"in_doubt": 5}
    run = through.run
    through.turn_back()
    through.send(3)
    through.wait_states({"delivered": 3})
    # Now it tells the receipts of those five, too: ids that nobody has heard of, for numbers with one message in doubt each.
    through.chain.wait_until(lambda: through.chain.sql("SELECT DISTINCT state FROM message WHERE run_id = %s", (run,)) == [(90,)], 60,
                             "the receipts to settle them by inference")
    through.check()
