"""What the chain and fault tests share: one private pair of servers for the session, and chains that are gone after
the test. A ring's conftest.py imports them all."""
import contextlib
import glob
import os
import re

import pytest

from chain import Chain
from servers import Lab

# Nothing fires by itself in a test that fires by hand.
NEVER = '"0 3 1 1 *"'


def quiet_schedules(chain):
    for path in glob.glob(os.path.join(chain.copy_conf(), "rules", "*.yaml")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        text, changed = re.subn(r'^schedule: "[^"]*"', f"schedule: {NEVER}", text, flags=re.MULTILINE)
        assert changed == 1, f"{path} has no schedule"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    directory = tmp_path_factory.mktemp("lab")
    lab = Lab.start(str(directory), die_with_parent=True)
    yield lab
    lab.stop(clean=True)


@contextlib.contextmanager
def chains(lab, directory):
    """make(environment={…}, knobs={…}, change=[(file, old, new)…], only=services, gateways=names or None for all samples)
    gives a running chain; all of them are stopped at the end, and each must end cleanly."""
    made = []

    def make(environment=None, knobs=None, change=(), only=None, few_rules=True, gateways=("alpha", "beta"),
             before_start=None, **more):
        environment = {"SMSCHAIN_FLUSH_INTERVAL": "300ms", **(environment or {})}
        chain = Chain(str(directory / f"chain{len(made)}"), lab, environment=environment, gateway_knobs=knobs,
                      few_rules=few_rules, **more)
        made.append(chain)
        quiet_schedules(chain)
        if gateways:
            chain.only_gateways(*gateways)
        for file, old, new in change:
            chain.change_conf(file, old, new)
        if before_start:
            before_start(chain)
        chain.start(**({} if only is None else {"only": only}))
        return chain

    trouble = []
    try:
        yield make
    finally:
        for chain in made:
            try:
                chain.stop()
            except AssertionError as e:
                trouble.append(str(e))
    assert not trouble, "\n".join(trouble)


@pytest.fixture
def make_chain(lab, tmp_path):
    with chains(lab, tmp_path) as make:
        yield make


@pytest.fixture
def chain(make_chain):
    return make_chain()
