"""kill -9 at every named fault point, at its first, a middle and its last hit, with real work under way: over HTTP and over
SMPP, some of it in three segments. The service is started again, everything must come to its end, and the gateways' own logs
must show nothing twice.

The points are read from the source, so a new one is tested by being there. How often each is reached is counted in one
round without kills."""
import pathlib
import re

import pytest

import fixtures

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICE_OF = {"extract": "extract", "outbox": "extract", "render": "render", "dispatch": "dispatch",
              "intake": "callback", "drain": "callback", "journal": "callback", "consumer": "callback", "sweep": "callback"}
ROWS = 60  # new messages a round
LONG = 3   # of these in three segments
WINDOW = 20
NEEDS_DEAD_GATEWAY = {"dispatch.handed_over"}
NEEDS_THROTTLING = {"dispatch.settled"}
KILLED_ELSEWHERE = {
    "extract.run_entered",  # only a schedule comes by there: test/service/test_extract.py
    "extract.task_found", "extract.task_entered", "extract.task_signed",  # only tasks: test/service/test_tasks.py
    "extract.wave_left", "extract.wave_decided",  # only rules with waves: test/service/test_holds.py
    # only requests on demand: test/service/test_asked.py
    "asked.entering", "asked.entered", "door.taken", "door.entered", "door.refused",
    "api.committed", "api.cancelling", "api.cancelled",  # only the HTTP API: test/service/test_api.py
    # only what comes over a gateway's own link, and heartbeats: test/service/test_link.py
    "dispatch.report_taken", "dispatch.report_journalled", "dispatch.report_told",
    "dispatch.heartbeat_entering", "dispatch.heartbeat_entered",
    # only messages from phones: test/chain/test_inbound.py, test_forward.py
    "consumer.inbound_parted", "consumer.inbound_entered", "consumer.inbound_replied", "consumer.inbound_committed",
    "forward.taken", "forward.posted", "forward.noted",
    # only look-ups and polls: test/service/test_lookup.py, test_poll.py
    "lookup.asked", "lookup.told", "lookup.before_settle", "lookup.settled", "poll.fetched", "poll.journalled", "poll.cursor_moved"}
NEEDS_DEAD_DISPATCHER = {"dispatch.recovering", "dispatch.recovered"}


def points():
    found = set()
    for folder in ("lib", "extract", "render", "dispatch", "callback"):
        for file in (ROOT / folder).glob("*.c"):
            found |= set(re.findall(r'\bFAULT\("([a-z_]+\.[a-z_]+)"\)', file.read_text(encoding="utf-8")))
    return sorted(found - KILLED_ELSEWHERE)


class Rounds:
    """One chain that goes through round after round; what was killed before stays in its tables."""

    def __init__(self, chain, directory):
        self.chain, self.directory = chain, directory
        self.messages, self.kills = 0, 0

    def begin(self, point):
        if point in NEEDS_DEAD_GATEWAY:
            self.chain.gateway.kill9()
        if point in NEEDS_THROTTLING:
            for gateway in self.chain.gateways():
                gateway.set(throttle_share="n4")
        self.chain.fill_shop(ROWS - 1 - LONG)
        long = self.chain.shop.add("contract-activated", LONG)  # goes over SMPP
        self.chain.shop.sql("ALTER TABLE customer ALTER name TYPE text")
        self.chain.shop.sql("UPDATE customer SET name = repeat('long name ', 30) || id WHERE id >= %s", (long[0],))
        broken = self.chain.shop.add("repayment-reminder", 1)[0]  # a row that cannot be rendered
        self.chain.shop.sql("ALTER TABLE instalment ALTER amount DROP NOT NULL")
        self.chain.shop.sql("UPDATE instalment SET amount = NULL WHERE contract_id = %s", (broken,))
        self.messages += ROWS
        self.chain.run_rules()

    def finish(self, point):
        if not self.chain.gateway.alive:
            self.chain.wait_until(lambda: self.chain.gateway_beta.counters()["requests"] > 0, 30)
            self.chain.gateway.start()
        self.chain.wait_final(self.messages, 120, also=["in_doubt"])
        for gateway in self.chain.gateways():
            gateway.set(throttle_share=0.03)
        self.chain.check_i1()

    def count(self):
        """{point: hits} of one round, by services that end cleanly."""
        file = self.directory / "counts"
        for service in self.chain.services():
            service.stop()
            service.start(SMSCHAIN_FAULT_COUNT=str(file))
        self.begin("dispatch.handed_over")
        self.finish("dispatch.handed_over")
        self.begin("")
        self.finish("")
        self.chain.wait_quiet()
        for service in self.chain.services():
            service.stop()
            service.start()
        hits = {}
        for line in file.read_text(encoding="utf-8").splitlines():
            name, n = line.split("\t")
            hits[name] = hits.get(name, 0) + int(n)
        return hits

    def kill_at(self, point, hit):
        """True if the service died there; the round ends well in any case."""
        service = self.chain.service(SERVICE_OF[point.split(".")[0]])
        if point in NEEDS_DEAD_DISPATCHER:
            service.stop()
            service.start(SMSCHAIN_FAULT="dispatch.marked:5")
            self.begin(point)
            assert service.wait_end(60) == -9
            self.kills += 1
            service.start(SMSCHAIN_FAULT=f"{point}:{hit}")
        else:
            service.stop()
            service.start(SMSCHAIN_FAULT=f"{point}:{hit}")
            self.begin(point)
        done = lambda: not service.alive or self._all_final()  # noqa: E731
        self.chain.wait_until(done, 120, f"{point}:{hit} or the end of the work", every=0.05)
        if point.startswith("sweep.") or point in NEEDS_DEAD_DISPATCHER or point == "journal.deleted":
            try:
                self.chain.wait_until(lambda: not service.alive, 15, every=0.05)
            except AssertionError:
                pass
        # Stopped in any case: a hit that has not come by now must not come in another point's round.
        code = service.stop() if service.alive else service.exit_code
        assert code in (0, -9), service.tail()
        died = code == -9
        self.kills += died
        service.start()
        self.finish(point)
        return died

    def _all_final(self):
        states = self.chain.states()
        return sum(states.values()) >= self.messages and not {"queued", "submitted", "accepted"} & set(states)


@pytest.fixture(scope="session")
def rounds(lab, tmp_path_factory):
    directory = tmp_path_factory.mktemp("rounds")
    environment = {"SMSCHAIN_FLUSH_INTERVAL": "200ms", "SMSCHAIN_ALPHA_WINDOW": str(WINDOW), "SMSCHAIN_GAMMA_WINDOW": str(WINDOW),
                   "SMSCHAIN_ALPHA_ANSWER_TIMEOUT": "5s", "SMSCHAIN_GAMMA_ANSWER_TIMEOUT": "5s",
                   "SMSCHAIN_GAMMA_RECONNECT": "100ms"}
    knobs = {"throttle_share": 0.03, "retry_after_s": 1, "missing": 0.05, "undelivered_share": 0.1, "twice": 0.1}
    change = [("smschain.yaml", "# report_horizon: 72h", "report_horizon: 2s"),
              ("smschain.yaml", "# group_rows: 500", "group_rows: 10"),
              ("gateways/alpha.yaml", "breaker_pause: 10s", "breaker_pause: 1s")]
    with fixtures.chains(lab, directory) as make:
        made = Rounds(make(environment=environment, knobs=knobs, change=change, separate_gateways=True,
                            gateways=("alpha", "gamma")), directory)
        yield made
        # The end of all rounds: everything that was ever sent, killed and started again adds up.
        made.chain.check_invariants(crashes=made.kills, window=2 * WINDOW)


@pytest.fixture(scope="session")
def hits(rounds):
    return rounds.count()


def test_there_are_enough_points():
    assert len(points()) >= 20


@pytest.mark.parametrize("point", points())
def test_killed_there(rounds, hits, point):
    n = hits.get(point, 1)
    died = [rounds.kill_at(point, hit) for hit in sorted({1, (n + 1) // 2, n})]
    assert died[0], f"{point} was not reached"
