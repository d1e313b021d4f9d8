"""A database that forgot: restored from an old copy. Nothing is sent until a person has said so."""
import datetime
import json
import os
import shutil
import subprocess

import pytest

from chain import Chain
from fixtures import quiet_schedules
from servers import Lab


@pytest.fixture
def own_lab(tmp_path):
    """Servers of its own: this test puts the database's files back."""
    lab = Lab.start(str(tmp_path / "lab"), die_with_parent=True)
    yield lab
    lab.stop(clean=True)


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)


def test_restored_old_database(own_lab, tmp_path):
    chain = Chain(str(tmp_path / "chain"), own_lab, environment={"SMSCHAIN_FLUSH_INTERVAL": "300ms"})
    quiet_schedules(chain)
    try:
        chain.start()
        chain.fill_shop(100, ["holiday-wishes"])
        chain.run_rule("holiday-wishes")
        chain.wait_final(100, 60)

        own_lab.postgres.stop()
        data, backup = own_lab.state["postgres"]["data"], str(tmp_path / "backup")
        copy(data, backup)
        since = datetime.datetime.now(datetime.timezone.utc)
        own_lab.postgres.start()

        chain.fill_shop(60, ["repayment-reminder"])  # sent, and then forgotten by the database
        chain.run_rule("repayment-reminder")
        chain.wait_final(160, 60)
        submits = len(chain.all_submits())
        assert submits == 160

        own_lab.postgres.stop()
        copy(backup, data)
        own_lab.postgres.start()
        chain.shop.sql("SELECT 1")
        stopped = lambda: chain.value(  # noqa: E731
            "SELECT count(*) FROM service WHERE service = 'dispatch' AND figures->>'state' = 'database_changed'") >= 1
        chain.wait_until(stopped, 60, "dispatch to see that the database lost history")
        chain.fill_shop(20, ["holiday-wishes"])
        chain.ctl("run", "holiday-wishes", check=False)
        # What must not happen takes time not to happen: three rounds of extract and dispatch.
        seen = chain.value("SELECT max(updated_at) FROM service")
        chain.wait_until(lambda: chain.value("SELECT max(updated_at) > %s::timestamptz + interval '4 s' FROM service", (seen,)), 60)
        assert len(chain.all_submits()) == submits, "nothing is sent before a person has said so"

        accepted = chain.ctl("accept-database", "--since", since.strftime("%Y-%m-%dT%H:%M:%SZ"), "--yes", check=False)
        assert accepted.returncode in (0, 3), accepted.stdout + accepted.stderr
        assert chain.value("SELECT count(*) FROM rule WHERE held_why = ''") == 0, "a person decides for every rule"
        chain.ctl("run", "holiday-wishes", check=False)
        for rule in ("holiday-wishes", "repayment-reminder", "contract-activated"):
            chain.ctl("accept", rule, check=False)
        chain.wait_until(lambda: len(chain.all_submits()) == submits + 20, 90, "the new messages")
        texts = [(s["number"], s["text"]) for s in chain.all_submits()]
        assert len(texts) == len(set(texts)), "nothing twice"
        assert json.loads(chain.ctl("status", "--json", check=False).stdout)
    finally:
        chain.stop(drop=False)
    assert os.path.isdir(backup)


def test_restored_database_is_seen_by_a_machine_that_remembers_nothing(make_chain):
    """A new machine, a dump played back into another server: the database itself knows that it is not at home."""
    chain = make_chain(only=("callback", "render", "extract"))
    chain.fill_shop(20, ["holiday-wishes"])
    chain.run_rule("holiday-wishes")
    chain.wait_runs_read()
    chain.sql("UPDATE database_history SET system_identifier = system_identifier - 1")
    chain.start_services(["dispatch"])
    chain.wait_until(lambda: chain.value(
        "SELECT count(*) FROM service WHERE service = 'dispatch' AND part IN ('alpha', 'beta') "
        "AND figures->>'state' = 'database_changed'") == 2, 60,
        "dispatch to stand by")
    assert not chain.all_submits()
    now = datetime.datetime.now(datetime.timezone.utc)
    chain.ctl("accept-database", "--since", now.strftime("%Y-%m-%dT%H:%M:%SZ"), "--yes", check=False)
    chain.wait_until(lambda: chain.states() == {"in_doubt": 20}, 60, "what may have been sent to be in doubt")
    assert not chain.all_submits()
