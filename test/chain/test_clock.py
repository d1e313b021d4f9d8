"""A clock that jumps an hour, forwards and back, in the middle of the work: of the whole machine (services and
PostgreSQL), or of the services' machine alone. Schedules fire once, no claim is given up, nothing is sent twice."""
import datetime
import glob
import os
import re
import subprocess
import time

import pytest

from chain import SERVICES, build_dir
from fixtures import NEVER, chains
from servers import Lab

HOUR = 3600
RATES = {"SMSCHAIN_ALPHA_RATE": "50", "SMSCHAIN_BETA_RATE": "50"}


def libfaketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert found, "libfaketime is not installed: run test/lab/packages.sh tests"
    return found[0]


def sanitizer(program):
    """A build with AddressSanitizer wants it before anything else that is preloaded; nothing for another."""
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    found = re.search(r"libasan\S* => (\S+)", libraries)
    return [found[1]] if found else []


class Clock:
    """A wall clock that can be set while programs run under it; what waits and times out is measured by another."""

    def __init__(self, path, preload):
        self.path, self.ahead_s = path, 0
        self.environment = {
            "LD_PRELOAD": " ".join(preload), "FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1", "NO_FAKE_STAT": "1"}
        self.set(0)

    def set(self, ahead_s):
        self.ahead_s = int(ahead_s)
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            f.write(f"{self.ahead_s:+d}\n")
        os.chmod(self.path + ".new", 0o644)
        os.rename(self.path + ".new", self.path)

    def now(self):
        return time.time() + self.ahead_s


class Machine:
    """All clocks that jump together."""

    def __init__(self, clocks):
        self.clocks = clocks

    def set(self, ahead_s):
        for clock in self.clocks:
            clock.set(ahead_s)

    def now(self):
        return self.clocks[0].now()


@pytest.fixture(scope="module")
def timed_lab(tmp_path_factory):
    """Servers of its own; PostgreSQL's clock can be set."""
    folder = tmp_path_factory.mktemp("clock")
    os.chmod(folder.parent, 0o755)
    os.chmod(folder, 0o755)
    path = "/tmp/smschain-clock-%d" % os.getpid()  # where the server's account can read it
    clock = Clock(path, [libfaketime()])
    lab = Lab.start(str(folder / "lab"), die_with_parent=True, postgres_environment=clock.environment)
    lab.clock = clock
    yield lab
    lab.stop(clean=True)
    os.unlink(path)


@pytest.mark.parametrize("who", ["machine", "services"])
def test_a_clock_that_jumps_an_hour(timed_lab, tmp_path, who):
    lab = timed_lab
    program = os.path.join(build_dir(), SERVICES[0], f"smschain-{SERVICES[0]}")
    clock = Clock(str(tmp_path / "clock"), sanitizer(program) + [libfaketime()])
    machine = Machine([clock, lab.clock] if who == "machine" else [clock])
    fires_at = int(time.time() // 60 + 40) * 60
    at = datetime.datetime.fromtimestamp(fires_at, datetime.timezone.utc)
    wishes = "rules/holiday-wishes.yaml"
    changes = [(wishes, f"schedule: {NEVER}", f'schedule: "{at.minute} {at.hour} * * *"'),
               (wishes, "time_zone: Europe/Berlin", "time_zone: UTC"), (wishes, "missed: skip", "missed: run_once")]
    with chains(lab, tmp_path) as make:
        chain = make(environment={**RATES, **clock.environment}, change=changes)

        def fired():
            return chain.sql("SELECT origin, scheduled_at FROM run r JOIN rule u ON u.id = r.rule_id "
                             "WHERE u.name = 'holiday-wishes'")

        def work(n, jump_to):
            """A campaign, with a jump in its middle."""
            before = chain.counters()["submits"]
            chain.fill_shop(n, ["repayment-reminder"])
            chain.run_rule("repayment-reminder")
            chain.wait_submits(before + n // 3, 60)
            machine.set(jump_to)

        def of_postgresql():
            return chain.value("SELECT extract(epoch FROM clock_timestamp())::float8")

        chain.fill_shop(50, ["holiday-wishes"])
        assert fired() == []
        work(400, jump_to=HOUR)
        chain.wait_until(lambda: abs(of_postgresql() - lab.clock.now()) < 5, 10, "PostgreSQL's clock")
        chain.wait_until(lambda: len(fired()) == 1, 30, "the firing that the jump has passed")
        chain.wait_final(450, 90)
        assert fired() == [("missed", at)]

        work(400, jump_to=0)  # and back
        chain.wait_final(850, 90)
        machine.set(fires_at - time.time() - 4)  # its time comes once more
        chain.wait_until(lambda: machine.now() > fires_at + 5, 30, "the scheduled time")
        work(200, jump_to=-HOUR)
        chain.wait_final(1050, 90)
        assert fired() == [("missed", at)], "it has fired once"

        machine.set(0)
        chain.wait_final(1050, 30)
        assert chain.states() == {"delivered": 1050}
        assert chain.value("SELECT count(*) FROM claim WHERE attempt > 1 OR settled <> 0") == 0, "no claim was given up"
        chain.check_invariants(in_doubt=0)
        assert len(chain.all_submits()) == 1050
