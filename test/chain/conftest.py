"""What the chain tests share: one private pair of servers for the session, and chains that are gone after the test."""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/lab"))
from chain import Chain  # noqa: E402
from servers import Lab  # noqa: E402

# Nothing fires by itself in a test that fires by hand.
NEVER = '"0 3 1 1 *"'


def quiet_schedules(chain):
    chain.change_conf("rules/contract-activated.yaml", '"*/5 * * * *"', NEVER)
    chain.change_conf("rules/repayment-reminder.yaml", '"0 9 * * *"', NEVER)
    chain.change_conf("rules/holiday-wishes.yaml", '"0 10 31 12 *"', NEVER)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    directory = tmp_path_factory.mktemp("lab")
    lab = Lab.start(str(directory), die_with_parent=True)
    yield lab
    lab.stop(clean=True)


@pytest.fixture
def make_chain(lab, tmp_path):
    """make_chain(environment={…}, knobs={…}, change=[(file, old, new)…]) gives a chain whose tables and queues are
    there and whose gateways and services run (only: which of them)."""
    made = []

    def make(environment=None, knobs=None, change=(), only=None, **more):
        environment = {"SMSCHAIN_FLUSH_INTERVAL": "300ms", **(environment or {})}
        chain = Chain(str(tmp_path / f"chain{len(made)}"), lab, environment=environment, gateway_knobs=knobs, **more)
        made.append(chain)
        quiet_schedules(chain)
        for file, old, new in change:
            chain.change_conf(file, old, new)
        chain.start(**({} if only is None else {"only": only}))
        return chain

    failed = True
    try:
        yield make
        failed = False
    finally:
        trouble = []
        for chain in made:
            try:
                chain.stop()
            except AssertionError as e:
                trouble.append(str(e))
        if not failed:
            assert not trouble, "\n".join(trouble)


@pytest.fixture
def chain(make_chain):
    return make_chain()
