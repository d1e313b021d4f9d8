#!/usr/bin/python3
"""./quickstart [--once] [--messages N] [--more N] [--keep] [--clean]

Builds smschain, starts it whole with a sample business database, private servers and a fake gateway that plays five, four
over SMPP and one over HTTP, all under .run/, runs the sample rules and shows how far they are. Stays up until Ctrl-C, with its data kept for the next time.

  --messages N   see to it that the sample rules find N rows (default 1000); called again, there is nothing new to send
  --more N       N new rows on top; while another quickstart is up, they are added to that one
  --once         end when every message is final
  --keep         leave PostgreSQL and RabbitMQ running at the end (the next start is quicker; --clean ends them)
  --clean        delete what earlier calls have left, before anything else; alone: nothing else

The last line is one JSON object with the figures of this call. Exit codes: 0 every message is final and the balance
holds, 1 not so, 2 usage, 3 some are in doubt.
"""
import argparse
import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers
from chain import ROOT, SERVICES, SMPP, STATES, Chain
from processes import port_is_free

RUN_DIR = os.path.join(ROOT, ".run")
BUILD_DIR = os.path.join(ROOT, "build-quickstart")
TARGETS = [f"{s}/smschain-{s}" for s in (*SERVICES, "dashboard")] + ["ctl/smschain", "test/sim/fake-gateway"]
NO_PROGRESS_SECONDS = 90
IN_DOUBT_SECONDS = 10  # a report may still settle one
FIVE = ("alpha", *SMPP)  # that the sample rules' routes name
PAGE_PORT = 8086  # if it is free
ENVIRONMENT = {"SMSCHAIN_FLUSH_INTERVAL": "1s", "SMSCHAIN_DASHBOARD_OPEN_ON_LOOPBACK": "true",
               **{f"SMSCHAIN_{g.upper()}_{k}": v for g in FIVE for k, v in (("RATE", "5000"), ("WINDOW", "500"))}}
# Each with a habit of its own, beside those that its sample file names.
KNOBS = {"failing_share": 0.03, "report_delay_ms": 500, "report_jitter_ms": 500, "batch": 20, "gamma.early": 0.3,
         "epsilon.throttle_share": 0.05}


class Stop(Exception):
    """Ctrl-C or SIGTERM."""


def say(text):
    print(f"quickstart: {text}", flush=True)


def stop_here(number, frame):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough; the clean end is not cut short
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stop


class Build:
    """meson and ninja in the background, while the servers start. Two calls at once build one after the other."""

    def __init__(self, directory=BUILD_DIR):
        self.dir, self.process = directory, None
        self.log = os.path.join(RUN_DIR, "build.log")

    def start(self):
        os.makedirs(self.dir, exist_ok=True)
        script = ('exec 9>"$0/.lock" && flock 9 && '
                  'if [ -f "$0/build.ninja" ]; then :; else meson setup "$0" -Dbuildtype=release; fi && ninja -C "$0" "$@"')
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(["/bin/sh", "-c", script, self.dir, *TARGETS], cwd=ROOT, stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL, start_new_session=True)

    def done(self):
        """"17 of 350": how far ninja is; "" if that is not known."""
        with contextlib.suppress(OSError), open(self.log, encoding="utf-8", errors="replace") as f:
            steps = re.findall(r"^\[(\d+)/(\d+)\]", f.read(), re.MULTILINE)
            return " of ".join(steps[-1]) if steps else ""
        return ""

    def wait(self):
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
                break
            say(f"building: {self.done() or 'looking at the compiler'}")
        if self.process.returncode != 0:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                sys.stderr.write("".join(f.readlines()[-40:]))
            raise servers.LabError(f"the build failed; see {self.log}")

    def end(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()


class Known:
    """What one call leaves for the next (and for --more beside it): names of databases, ports."""
    path = os.path.join(RUN_DIR, "quickstart.json")

    @classmethod
    def read(cls):
        with contextlib.suppress(FileNotFoundError):
            with open(cls.path, encoding="utf-8") as f:
                return json.load(f)
        return {}

    @classmethod
    def write(cls, chain):
        values = {"database": chain.database, "vhost": chain.vhost, "shop": chain.shop.database,
                  "gateway_port": chain.gateway.port, "gateway_control_port": chain.gateway.control_port,
                  "gateway_smpp_port": chain.gateway.smpp_port, "callback_port": chain.callback_port,
                  "dashboard_port": chain.dashboard_port}
        with open(cls.path, "w", encoding="utf-8") as f:
            json.dump(values, f)


def write_command(chain):
    """The command smschain with all that it must know to look into this quickstart."""
    path = os.path.join(RUN_DIR, "smschain")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n# The command smschain for what ./quickstart runs here. Holds passwords.\n")
        for name, value in sorted(chain.environment.items()):
            if name.startswith("SMSCHAIN_"):
                f.write(f"export {name}={shlex.quote(value)}\n")
        command = shlex.join([os.path.join(chain.build, "ctl/smschain"), "--conf", chain.conf_dir])
        f.write(f'exec {command} "$@"\n')
    return os.path.relpath(path, ROOT)


def page_port():
    """The page's: the same every time, where that can be."""
    return PAGE_PORT if port_is_free(PAGE_PORT) else servers.free_port(set())


def open_chain(lab, known, port=None):
    chain = Chain(RUN_DIR, lab, build=os.environ.get("SMSCHAIN_BUILD") or BUILD_DIR, environment=ENVIRONMENT,
                  gateway_knobs=KNOBS, database=known.get("database"), vhost=known.get("vhost"),
                  shop_database=known.get("shop"))
    if port:
        chain.dashboard_port = port
    return chain


class Work:
    """The rows and runs of one call, and how far they are."""

    def __init__(self, chain):
        self.chain = chain
        self.first_run = chain.value("SELECT coalesce(max(id), 0) + 1 FROM run")
        self.submits_before = chain.counters()["messages"]
        self.segments_before = chain.counters()["submits"]
        self.duplicates_before = chain.counters()["duplicates"]
        self.own, self.expected = {}, 0
        self.began = self.ended = None
        self.last_run = self.submits_after = self.segments_after = self.duplicates_after = None  # once it has ended: schedules go on firing

    def fill(self, messages, more):
        have = self.chain.shop.counts()
        if messages is not None:
            for rule, rows in self.chain.shop.split(messages).items():
                self.chain.shop.add(rule, max(rows - have[rule], 0))
        if more:
            self.chain.fill_shop(more)
        self.expected = sum(self.chain.shop.counts().values())

    def run(self):
        self.began = time.monotonic()
        self.own = self.chain.run_rules()

    def runs(self):
        """This call's runs, and those that fired by schedule meanwhile (dicts)."""
        names = ("id", "rule", "state", "why", "complete", "rows", "gone", "new", "duplicate", "invalid", "suppressed")
        rows = self.chain.sql("""
            SELECT r.id, u.name, r.state, r.why, r.pass_complete, r.rows_read, r.rows_gone, r.rows_new, r.rows_duplicate,
                   r.rows_invalid, r.rows_suppressed
            FROM run r JOIN rule u ON u.id = r.rule_id
            WHERE r.id >= %s AND (%s::bigint IS NULL OR r.id <= %s) AND r.state <> 'skipped' ORDER BY r.id""",
            (self.first_run, self.last_run, self.last_run))
        return [dict(zip(names, row)) for row in rows]

    def states(self):
        rows = self.chain.sql("SELECT state, sum(count)::bigint FROM stats WHERE run_id >= %s "
                              "AND (%s::bigint IS NULL OR run_id <= %s) GROUP BY state",
                              (self.first_run, self.last_run, self.last_run))
        return {STATES[state]: count for state, count in rows if count}

    def partial(self):
        """Messages in segments of which one has failed, while others have arrived or may arrive."""
        return self.chain.value("SELECT coalesce(sum(s.count), 0)::bigint FROM stats s JOIN word w ON w.id = s.reason "
                                "WHERE s.run_id >= %s AND (%s::bigint IS NULL OR s.run_id <= %s) AND starts_with(w.word, 'partial:')",
                                (self.first_run, self.last_run, self.last_run))

    def end(self, moment, look):
        """What comes after this look is not this call's work."""
        counters = self.chain.counters()
        self.ended, self.last_run = moment, look["last_run"]
        self.submits_after, self.segments_after = counters["messages"], counters["submits"]
        self.duplicates_after = counters["duplicates"]

    def look(self):
        """Everything the progress line shows."""
        runs, states = self.runs(), self.states()
        final = sum(c for s, c in states.items() if s not in ("queued", "submitted", "in_doubt", "accepted"))
        told = sum(c for s, c in states.items() if s != "queued")
        open_before = self.chain.value("SELECT coalesce(sum(rows_new), 0)::bigint FROM run WHERE id < %s",
                                       (self.first_run,)) - self._ended_before()
        return {"rows": sum(r["rows"] for r in runs if r["id"] in self.own.values()), "new": sum(r["new"] for r in runs),
                "submitted": told, "accepted": told - states.get("submitted", 0), "final": final,
                "in_doubt": states.get("in_doubt", 0), "reading": sum(r["state"] in ("new", "reading") for r in runs),
                "stuck": [r for r in runs if r["state"] in ("held", "failed")], "open_before": open_before,
                "last_run": max((r["id"] for r in runs), default=self.first_run)}

    def _ended_before(self):
        return sum(c for s, c in self._before().items() if s not in ("queued", "submitted", "accepted"))

    def _before(self):
        rows = self.chain.sql("SELECT state, sum(count)::bigint FROM stats WHERE run_id < %s GROUP BY state", (self.first_run,))
        return {STATES[state]: count for state, count in rows if count}

    def figures(self):
        runs, states = self.runs(), self.states()
        own = [r for r in runs if r["id"] in self.own.values()]
        submits, segments, duplicates = self.submits_after, self.segments_after, self.duplicates_after
        if submits is None:
            counters = self.chain.counters()
            submits, segments, duplicates = counters["messages"], counters["submits"], counters["duplicates"]
        new = sum(r["new"] for r in runs)
        rows, invalid, suppressed = (sum(r[k] for r in own) for k in ("rows", "invalid", "suppressed"))
        gone = sum(r["gone"] for r in own)
        seconds = round((self.ended or time.monotonic()) - (self.began or time.monotonic()), 3)
        shown = ("delivered", "undelivered", "expired", "rejected", "unknown", "in_doubt")
        out = {"rows": rows, "new": new, "duplicate": rows + gone - new - invalid - suppressed, "invalid": invalid,
               "suppressed": suppressed, **{s: states.get(s, 0) for s in shown}}
        out["other"] = new - sum(out[s] for s in shown)
        out.update(gateway_submits=submits - self.submits_before, gateway_segments=segments - self.segments_before,
                   gateway_duplicates=duplicates - self.duplicates_before,
                   partial=self.partial(), parked=self.chain.value("SELECT count(*) FROM parked"), seconds=seconds,
                   messages_per_s=round(new / seconds, 1) if new and seconds else 0)
        return out

    def balance_holds(self):
        return all(not r["complete"] or r["rows"] + r["gone"] == r["new"] + r["duplicate"] + r["invalid"] + r["suppressed"]
                   for r in self.runs())

    def exit_code(self):
        look, states = self.look(), self.states()
        unfinished = any(states.get(s, 0) for s in ("submitted", "accepted")) or look["final"] + look["in_doubt"] < look["new"]
        if look["stuck"] or look["reading"] or look["open_before"] or unfinished or not self.balance_holds() or not self.own:
            return 1
        return 3 if look["in_doubt"] or self._before().get("in_doubt", 0) else 0


def show_progress(look, rate, expected):
    left = max(look["new"], expected if look["reading"] else 0) - look["final"] - look["in_doubt"]
    seconds = f"{left / rate:.0f} s left" if rate > 0 and left > 0 else ("done" if left <= 0 and not look["reading"] else "…")
    doubt = f"  in doubt {look['in_doubt']}" if look["in_doubt"] else ""
    say(f"rows {look['rows']}  new {look['new']}  submitted {look['submitted']}  accepted {look['accepted']}  "
        f"final {look['final']}{doubt}  {rate:.0f}/s  {seconds}")


def follow(work):
    """Shows a line a second until everything is final, or nothing moves any more."""
    last, last_change, doubt_since, previous = None, time.monotonic(), None, (work.began, 0)
    while True:
        look, now = work.look(), time.monotonic()
        rate = (look["final"] - previous[1]) / max(now - previous[0], 0.001)
        previous = (now, look["final"])
        show_progress(look, rate, work.expected)
        check_alive(work.chain)
        if look != last:
            last, last_change = look, now
        settled = not look["reading"] and look["final"] + look["in_doubt"] >= look["new"] and look["open_before"] <= 0
        doubt_since = (doubt_since or now) if settled and look["in_doubt"] else None
        if settled and (not look["in_doubt"] or now - doubt_since > IN_DOUBT_SECONDS):
            work.end(now if not look["in_doubt"] else doubt_since, look)
            return
        for run in look["stuck"]:
            say(f"run {run['id']} of {run['rule']} is {run['state']}: {run['why']}")
        if look["stuck"] and not look["reading"] or now - last_change > NO_PROGRESS_SECONDS:
            say("nothing moves any more; the logs tell why")
            return
        time.sleep(1)


def check_alive(chain):
    for process in [*chain.services(), chain.gateway]:
        if process.process is not None and not process.alive:
            raise servers.LabError(f"{process.name} ended with {process.exit_code}; its log: {process.log}\n{process.tail(15)}")


def show_row(r, run, last):
    say(f"{r['rule']:<22}{run:>6}{r['rows']:>10}{r['gone']:>6}{r['new']:>10}{r['duplicate']:>11}{r['invalid']:>9}"
        f"{r['suppressed']:>12}  {last}")


def show_balance(work):
    say(f"{'rule':<22}{'run':>6}{'rows':>10}{'gone':>6}{'new':>10}{'duplicate':>11}{'invalid':>9}{'suppressed':>12}  balance")
    for r in work.runs():
        holds = r["rows"] + r["gone"] == r["new"] + r["duplicate"] + r["invalid"] + r["suppressed"]
        by_schedule = "" if r["id"] in work.own.values() else ", by schedule"
        show_row(r, r["id"], ("holds" if holds else "DOES NOT HOLD") + by_schedule)
    own = [r for r in work.runs() if r["id"] in work.own.values()]
    figures = work.figures()
    show_row({"rule": "together", "gone": sum(r["gone"] for r in own), **figures}, "",
             "  ".join(f"{s} {c}" for s, c in sorted(work.states().items()))
             + (f"  ({figures['partial']} of these in part)" if figures["partial"] else ""))


def show_places(chain):
    say(f"the page: http://127.0.0.1:{chain.dashboard_port}/")
    p, r = chain.lab.state["postgres"], chain.lab.state["rabbitmq"]
    say(f"PostgreSQL 127.0.0.1:{p['port']} databases {chain.database}, {chain.shop.database}; log {p['log']}")
    say(f"RabbitMQ 127.0.0.1:{r['port']} virtual host {chain.vhost}, management {r['management_url']}; log {r['log']}")
    say(f"fake gateway: alpha over HTTP 127.0.0.1:{chain.gateway.port}; {', '.join(SMPP)} over SMPP "
        f"127.0.0.1:{chain.gateway.smpp_port}; control 127.0.0.1:{chain.gateway.control_port}/control; "
        f"log {chain.gateway.submit_log}")
    say(f"callback 127.0.0.1:{chain.callback_port}; logs of the services {chain.dir}/*.log")
    say(f"user and password of both servers: {chain.lab.dir}/lab.json")


def work_through(chain, arguments):
    work = Work(chain)
    messages = arguments.messages if arguments.messages is not None else (None if arguments.more else 1000)
    work.fill(messages, arguments.more)
    say(f"the sample business database has {work.expected} rows for the {len(chain.rules())} sample rules; running them all")
    work.run()
    return work


def stay_up(chain):
    say(f"up; look at http://127.0.0.1:{chain.dashboard_port}/ · Ctrl-C stops it. From another terminal: ./quickstart --more N")
    last = None
    while True:
        check_alive(chain)
        states = chain.states()
        if last is not None and states != last:
            say("  ".join(f"{s} {c}" for s, c in sorted(states.items())))
        last = states
        time.sleep(1)


def start_all(arguments, known):
    build, port = Build(), page_port()
    say(f"the page will be at http://127.0.0.1:{port}/ (open to this machine only), as soon as everything is up")
    try:
        if not os.environ.get("SMSCHAIN_BUILD"):
            say(f"building in {BUILD_DIR} and starting a private PostgreSQL and RabbitMQ; logs under {RUN_DIR}")
            build.start()
        lab = servers.Lab.start(os.path.join(RUN_DIR, "servers"), die_with_parent=not arguments.keep)
        if build.process:
            say("the servers are up" + ("" if build.process.poll() is not None else "; waiting for the build"))
            build.wait()
    except BaseException:
        build.end()
        raise
    chain = open_chain(lab, known, port)
    say("migrate")
    chain.prepare()
    say("starting the fake gateway, the page and " + ", ".join(SERVICES) + "; flush_interval: 1s (a real one has 60s)")
    chain.start_gateways()
    chain.start_services(("dashboard", *SERVICES))
    Known.write(chain)
    show_places(chain)
    say(f"to look around: {write_command(chain)} status (or any other command of smschain; --help lists them)")
    return chain


def stop_all(chain, arguments):
    """Services, gateway, servers; what stays is the data."""
    trouble = None
    if chain is not None:
        say("stopping")
        try:
            chain.stop(drop=False)
        except AssertionError as e:
            trouble = str(e)
            say(trouble)
    if not arguments.keep:
        lab = servers.Lab.attach(os.path.join(RUN_DIR, "servers"))
        if lab:
            lab.stop()
    return trouble


def clean():
    lab = servers.Lab.attach(os.path.join(RUN_DIR, "servers"))
    if lab:
        lab.stop(clean=True)
    for name in os.listdir(RUN_DIR):
        path = os.path.join(RUN_DIR, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif name != "quickstart.lock":
            os.unlink(path)
    say(f"cleaned {RUN_DIR}")


def run_here(arguments):
    """A call of its own: starts everything, stops everything."""
    chain = work = None
    code = 1
    try:
        chain = start_all(arguments, Known.read())
        work = work_through(chain, arguments)
        follow(work)
        show_balance(work)
        code = work.exit_code()
        if not arguments.once:
            stay_up(chain)
    except Stop:
        say("Ctrl-C")
    except (servers.LabError, AssertionError) as e:
        say(str(e))
        code = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    figures = {}
    if work is not None:
        with contextlib.suppress(Exception):
            code = max(work.exit_code(), 1 if code == 1 and arguments.once else 0)
            figures = work.figures()
    if stop_all(chain, arguments):
        code = 1
    print(json.dumps(figures), flush=True)
    return code


def run_beside(arguments):
    """--more while another quickstart is up: rows and runs only."""
    lab = servers.Lab.attach(os.path.join(RUN_DIR, "servers"))
    known = Known.read()
    if lab is None or not known:
        say("another quickstart is just starting; try again when it is up")
        return 1
    chain = open_chain(lab, known)
    chain.gateway.port, chain.gateway.control_port = known["gateway_port"], known["gateway_control_port"]
    chain.gateway.smpp_port, chain.callback_port = known.get("gateway_smpp_port"), known["callback_port"]
    code, work = 1, None
    try:
        work = work_through(chain, arguments)
        follow(work)
        show_balance(work)
        code = work.exit_code()
    except (servers.LabError, AssertionError, OSError) as e:
        say(str(e))
    except Stop:
        say("Ctrl-C; the other quickstart goes on")
    print(json.dumps(work.figures() if work else {}), flush=True)
    return code


def positive(text):
    n = int(text)
    if n < 0:
        raise ValueError
    return n


def main():
    parser = argparse.ArgumentParser(usage=__doc__.splitlines()[0], add_help=False)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--messages", type=positive, metavar="N")
    parser.add_argument("--more", type=positive, metavar="N", default=0)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--clean", action="store_true")
    arguments = parser.parse_args()
    os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
    signal.signal(signal.SIGINT, stop_here)
    signal.signal(signal.SIGTERM, stop_here)
    with open(os.path.join(RUN_DIR, "quickstart.lock"), "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if arguments.more and not arguments.clean:
                return run_beside(arguments)
            say("another quickstart is up in this folder; stop it first, or add rows to it with --more N")
            return 1
        if arguments.clean:
            clean()
            if not (arguments.once or arguments.more or arguments.messages is not None or arguments.keep):
                return 0
        return run_here(arguments)


if __name__ == "__main__":
    sys.exit(main())
