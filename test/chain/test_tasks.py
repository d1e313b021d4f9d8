"""A task of very many rows, inserted by plain SQL by another system's own login, through to final states, with extract and
render killed in the middle: every promise holds, each row is one message, and its ext_id finds it."""
import os

from checks import logged
from tasks import Upstream, write_rule

N = int(os.environ.get("SMSCHAIN_TASK_ROWS", "20000"))  # 100000 where time is no matter
FIRST_NUMBER = 491530000000
BOTH = ("alpha", "gamma")  # a driver each
FAST = {"SMSCHAIN_ALPHA_RATE": "20000", "SMSCHAIN_GAMMA_RATE": "20000", "SMSCHAIN_ALPHA_WINDOW": "200",
        "SMSCHAIN_GAMMA_WINDOW": "200", "SMSCHAIN_GAMMA_RECONNECT": "100ms"}


def test_a_task_with_kills(make_chain):
    chain = make_chain(environment=FAST, gateways=BOTH, before_start=lambda c: write_rule(c, gateways=BOTH))
    upstream = Upstream(chain)
    with upstream.transaction():
        upstream.task("list-of-many", name="many")
        upstream.rows("list-of-many", 1, N - 3, FIRST_NUMBER)
        upstream.row("list-of-many", "wrong", "no number")
        upstream.row("list-of-many", "own", f"+{FIRST_NUMBER + N}", text="A text of their own")
        upstream.row("list-of-many", "nameless", f"+{FIRST_NUMBER + N + 1}")  # the template wants a name
        upstream.sign("list-of-many")
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM ext") > N // 3, 120, "a third of the rows", every=0.02)
    chain.service("extract").kill9()
    chain.service("extract").start()
    chain.wait_submits(N // 3, 120)
    chain.service("render").kill9()
    chain.service("render").start()
    chain.wait_final(N - 1, 240)

    told = upstream.result("list-of-many")
    assert (told["state"], told["run_state"], told["rows"], told["new"], told["invalid"], told["duplicate"]) == (
        "entered", "read", N, N - 1, 1, 0), told
    assert chain.value("SELECT pass FROM run WHERE id = %s", (told["run"],)) == 2
    assert chain.value("SELECT count(*) FROM ext") == N - 1
    states = chain.states(told["run"])
    assert states["render_error"] == 1 and sum(states.values()) == N - 1
    own = [s for s in chain.all_submits() if s["number"] == FIRST_NUMBER + N]
    assert [s["text"] for s in own] == [logged("A text of their own")]
    assert logged("Dear Person 77, this is 77 of list-of-many.") in {s["text"] for s in chain.all_submits()}
    # Their id finds the message, and nothing stands twice.
    assert chain.sql("SELECT m.number FROM ext x JOIN message m USING (sms_id) WHERE x.ext_id = '77'") == [(FIRST_NUMBER + 77,)]
    chain.check_invariants()
    upstream.close()
