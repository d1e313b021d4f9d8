"""One whole chain for a test, the bench or quickstart: a database and a virtual host of its own on a private
PostgreSQL and RabbitMQ, a business database, the fake gateway and the four services, each a process that can be
stopped, killed or frozen; and the checks of the promises I1 to I8 against the fake gateway's own log.

    chain = Chain(directory, lab)
    chain.start()
    chain.fill_shop(1000)
    chain.run_rules()
    chain.service("dispatch").kill9()
    chain.service("dispatch").start()
    chain.wait_final(1000, 60)
    chain.check_invariants(crashes=1)
    chain.stop()
"""
import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import adapter
import servers
from checks import Checks
from servers import wait_for
from shop import FEW_RULES, Shop

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICES = ("callback", "dispatch", "render", "extract")  # in the order in which they start: from the end of the chain
STATES = {0: "queued", 10: "submitted", 20: "in_doubt", 30: "accepted", 40: "stale", 41: "suppressed", 42: "cancelled",
          43: "render_error", 50: "unknown", 60: "expired", 70: "rejected", 80: "undelivered", 90: "delivered"}
# How the variables of each sample gateway begin in conf/gateways/.
VARIABLES = {"alpha": "ALPHA", "beta": "BETA", "kannel": "KANNEL", "twilio-like": "TWILIO", "infobip-like": "INFOBIP",
             "aliyun-like": "ALIYUN", "adapter-like": "ADAPTER", "gamma": "GAMMA", "delta": "DELTA", "epsilon": "EPSILON", "zeta": "ZETA"}
SMPP = ("gamma", "delta", "epsilon", "zeta")
# What the fake gateway is like where it plays them: only what their sample files say that they are.
HABITS = {"delta.id_form": 1, "epsilon.alphabet": 2, "epsilon.receipt_form": 3, "zeta.report_id_form": 3, "zeta.receipt_class": 0,
          "zeta.receipt_form": 1}
FINAL = {word for number, word in STATES.items() if number >= 40}


def build_dir():
    """Where the programs are: $SMSCHAIN_BUILD, else the test build."""
    return os.environ.get("SMSCHAIN_BUILD") or os.path.join(ROOT, "build-test")


def kept_environment():
    """What our programs may see of our own environment: nothing that could be configuration."""
    return {k: v for k, v in os.environ.items()
            if k in ("PATH", "LANG", "TZDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TMPDIR", "HOME",
                     "SMSCHAIN_TEST_RUN")}


def only_of(names, route):
    """The text of a route with none but these gateways."""
    begin, *entries = re.split(r"(?m)^(?=  - gateway: )", route)
    named = [re.match(r"  - gateway: (\S+)", e).group(1) for e in entries]
    spare = [n for n in names if n not in named]
    kept = []
    for name, entry in zip(named, entries):
        if name not in names:
            if not spare:
                continue
            entry = entry.replace(name, spare.pop(0))
        kept.append(entry)
    return begin + "".join(kept)


def metric_of(line):
    """A line of Prometheus' text: ((name, (label, value)…), number)."""
    name, labels, value = re.fullmatch(r'([a-z_:]+)(?:\{(.*)\})? ([^ ]+)', line).groups()
    pairs = re.findall(r'([a-z]+)="((?:[^"\\\\]|\\\\.)*)"', labels or "")
    assert ",".join(f'{k}="{v}"' for k, v in pairs) == (labels or ""), line
    return (name, *pairs), float(value)


class Process:
    """A program of ours with its log. It dies with whoever started it."""

    def __init__(self, name, command, environment, log):
        self.name, self.command, self.environment, self.log = name, command, environment, log
        self.process = None

    def start(self, **more):
        """Starts it; more: environment variables for this time only."""
        assert not self.alive, f"{self.name} is running"
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                self.command, env={**self.environment, **more}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, preexec_fn=lambda: servers._libc.prctl(1, signal.SIGTERM))
        return self

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    @property
    def exit_code(self):
        return self.process.poll()

    def signal(self, number):
        os.kill(self.pid, number)

    def kill9(self):
        """SIGKILL, also where it is stopped; waits for its end."""
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def stop(self, seconds=60):
        """SIGTERM and its clean end; gives the exit code. A process that does not end is killed: AssertionError."""
        if not self.alive:
            return self.exit_code if self.process else None
        # In this order: a SIGCONT takes back a SIGSTOP under way, and LeakSanitizer at a process's end waits for its own.
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM\n{self.tail()}") from None

    def wait_end(self, seconds):
        """Its own end (a fault point, a fatal error); gives the exit code, -9 after SIGKILL."""
        return self.process.wait(seconds)

    def tail(self, lines=40):
        with contextlib.suppress(OSError):
            with open(self.log, encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        return ""

    def memory(self, key="VmHWM"):
        """Peak (VmHWM) or present (VmRSS) memory in bytes."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as f:
            return int(re.search(rf"^{key}:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024


class Gateway(Process):
    """The fake gateway. Its log outlives it: a restart goes on with the same port, log and duplicates."""

    def __init__(self, chain, name="gateway", knobs=None):
        self.port, self.control_port = servers.free_port(chain.ports), 0
        chain.ports.add(self.port)
        self.smpp_port = servers.free_port(chain.ports)
        chain.ports.add(self.smpp_port)
        self.submit_log = os.path.join(chain.dir, f"{name}-submits.log")
        self.report_log = os.path.join(chain.dir, f"{name}-reports.log")
        self.knobs = knobs or {}
        self.chain = chain
        super().__init__(name, [], kept_environment(), os.path.join(chain.dir, f"{name}.log"))

    def start(self, **more):
        if not self.control_port:
            self.control_port = servers.free_port(self.chain.ports)
            self.chain.ports.add(self.control_port)
        self.command = [
            os.path.join(self.chain.build, "test/sim/fake-gateway"), "--port", str(self.port), "--smpp-port", str(self.smpp_port),
            "--control-port", str(self.control_port), "--log", self.submit_log, "--report-log", self.report_log]
        for name, value in {**self.chain.gateway_logins(), **HABITS, **self.knobs}.items():
            self.command += ["--set", f"{name}={value}"]
        super().start(**more)
        wait_for(lambda: self._answers(), 20, "the fake gateway")
        return self

    def _answers(self):
        if not self.alive:
            raise servers.LabError(f"the fake gateway ended: {self.tail()}")
        with contextlib.suppress(OSError):
            return self.counters() is not None
        return False

    def call(self, path, body=None):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control_port}{path}", data=body, timeout=10) as answer:
            return json.load(answer)

    def counters(self):
        return self.call("/control/counters")

    def set(self, **knobs):
        """set(answer_delay_ms=100, drop_after="n1"); for one gateway: set(**{"alpha.refuse_share": 0.5})"""
        self.call("/control?" + urllib.parse.urlencode(knobs), body=b"")

    def inbound(self, gateway, number, text, **more):
        """A message from a phone comes by this gateway. more: to, id, at_ms, count (posted so often)."""
        form = urllib.parse.urlencode({"gateway": gateway, "from": number, "text": text, **more})
        self.call("/control/inbound", body=form.encode())

    def submits(self):
        """Every message it accepted: dicts of time_ms, gateway, msg_id, number, reference (None), text."""
        with contextlib.suppress(FileNotFoundError):
            with open(self.submit_log, encoding="utf-8") as f:
                for line in f:
                    time_ms, gateway, msg_id, number, reference, text = line.rstrip("\n").split("\t")
                    yield {"time_ms": int(time_ms), "gateway": gateway, "msg_id": msg_id, "number": int(number),
                           "reference": None if reference == "-" else reference, "text": text}

    def reports(self):
        """Every report of it that was answered 200: dicts of time_ms, gateway, msg_id, number, state."""
        with contextlib.suppress(FileNotFoundError):
            with open(self.report_log, encoding="utf-8") as f:
                for line in f:
                    time_ms, gateway, msg_id, number, state = line.rstrip("\n").split("\t")
                    yield {"time_ms": int(time_ms), "gateway": gateway, "msg_id": msg_id, "number": int(number),
                           "state": state}


class Chain(Checks):
    def __init__(self, directory, lab, build=None, conf=None, environment=None, gateway_knobs=None,
                 separate_gateways=False, database=None, vhost=None, shop_database=None, few_rules=False):
        """environment: variables for the configuration (SMSCHAIN_FLUSH_INTERVAL …). separate_gateways: all but alpha are
        played by a fake gateway process of their own (chain.gateway_beta), so that one can be away without the others. few_rules: work with
        three of the sample rules, since each costs a call of `smschain run`."""
        self.dir = os.path.abspath(directory)
        os.makedirs(self.dir, exist_ok=True)
        self.lab, self.build, self.few_rules = lab, build or build_dir(), few_rules
        self.conf_dir = conf or os.path.join(ROOT, "conf")
        self.ports = set(lab.ports())
        self.callback_port = servers.free_port(self.ports)
        self.ports.add(self.callback_port)
        self.dashboard_port = servers.free_port(self.ports)
        self.ports.add(self.dashboard_port)
        self.state_dir = os.path.join(self.dir, "state")
        self.database = database or lab.create_database("chain")
        self.vhost = vhost or lab.create_vhost("chain")
        self.shop = Shop(lab, shop_database)
        self.more_environment = environment or {}
        self.gateway = Gateway(self, "gateway", gateway_knobs)
        self.gateway_beta = Gateway(self, "gateway-beta", gateway_knobs) if separate_gateways else self.gateway
        self.adapter = adapter.adapter_of(self, Process, kept_environment())
        self._services = {}

    # ---- what the programs are told ----

    def secret(self, name):
        """Passwords hang on the lab: roles are shared by all databases of a server."""
        return hashlib.sha256(f"{self.lab.id} {name}".encode()).hexdigest()[:24]

    def smpp_password(self, name):
        return self.secret(f"{name} password")[:8]  # SMPP 3.4 has room for no more

    @property
    def environment(self):
        p, r = self.lab.state["postgres"], self.lab.state["rabbitmq"]
        made = {
            "SMSCHAIN_CONF": self.conf_dir, "SMSCHAIN_STATE_DIR": self.state_dir,
            "SMSCHAIN_DB": self.lab.conninfo(self.database, with_login=False),
            "SMSCHAIN_DB_ADMIN_USER": p["user"], "SMSCHAIN_DB_ADMIN_PASSWORD": p["password"],
            "SMSCHAIN_BROKER_HOST": r["host"], "SMSCHAIN_BROKER_PORT": str(r["port"]),
            "SMSCHAIN_BROKER_VHOST": self.vhost, "SMSCHAIN_BROKER_MANAGEMENT_URL": r["management_url"],
            "SMSCHAIN_BROKER_ADMIN_USER": r["user"], "SMSCHAIN_BROKER_ADMIN_PASSWORD": r["password"],
            "SMSCHAIN_SHOP_CONNINFO": self.shop.conninfo(),
            "SMSCHAIN_BETA_KEY": self.secret("beta key"), "SMSCHAIN_KANNEL_PASSWORD": self.secret("kannel password"),
            "SMSCHAIN_TWILIO_AUTH_TOKEN": self.secret("twilio-like auth token"),
            "SMSCHAIN_INFOBIP_KEY": self.secret("infobip-like key"), "SMSCHAIN_ALIYUN_SECRET": self.secret("aliyun-like secret"),
            "SMSCHAIN_CALLBACK_URL": f"http://127.0.0.1:{self.callback_port}",
            "SMSCHAIN_CALLBACK_LISTEN": f"127.0.0.1:{self.callback_port}",
            "SMSCHAIN_DASHBOARD_LISTEN": f"127.0.0.1:{self.dashboard_port}", "SMSCHAIN_FLUSH_INTERVAL": "1s",
            "SMSCHAIN_ADAPTER_SOCKET": self.adapter.socket}
        for name, variable in VARIABLES.items():
            gateway = self.gateway if name == "alpha" else self.gateway_beta
            if name in SMPP:
                made[f"SMSCHAIN_{variable}_ADDRESS"] = f"127.0.0.1:{gateway.smpp_port}"
                made[f"SMSCHAIN_{variable}_PASSWORD"] = self.smpp_password(name)
                continue
            made[f"SMSCHAIN_{variable}_URL"] = f"http://127.0.0.1:{gateway.port}"
            made[f"SMSCHAIN_{variable}_TOKEN"] = self.secret(f"{name} token")
        for service in ("EXTRACT", "RENDER", "DISPATCH", "CALLBACK", "OPERATOR", "DASHBOARD"):
            made[f"SMSCHAIN_{service}_DB_PASSWORD"] = self.secret(f"{service} database")
            made[f"SMSCHAIN_{service}_BROKER_PASSWORD"] = self.secret(f"{service} broker")
            if service != "OPERATOR":
                made[f"SMSCHAIN_{service}_METRICS_LISTEN"] = "127.0.0.1:0"
        return {**kept_environment(), **made, **self.more_environment}

    def secrets(self):
        """Everything that must not stand in a log."""
        return [v for k, v in self.environment.items() if k.endswith(("_PASSWORD", "_TOKEN", "_KEY", "_SECRET"))]

    def report_url(self, gateway, port=None):
        token = self.environment[f"SMSCHAIN_{VARIABLES[gateway]}_TOKEN"]
        return f"http://127.0.0.1:{port or self.callback_port}/report/{gateway}/{token}"

    def gateway_logins(self):
        """Knobs of the fake gateway: whom it lets in, and where reports go that no request gives an address for."""
        e = self.environment
        return {"alpha.report_url": self.report_url("alpha"), "beta.report_url": self.report_url("beta"),
                "aliyun-like.report_url": self.report_url("aliyun-like"), "beta.password": e["SMSCHAIN_BETA_KEY"],
                "kannel.user": "smschain", "kannel.password": e["SMSCHAIN_KANNEL_PASSWORD"],
                "twilio-like.user": "ACsmschain", "twilio-like.password": e["SMSCHAIN_TWILIO_AUTH_TOKEN"],
                "infobip-like.password": e["SMSCHAIN_INFOBIP_KEY"],
                "adapter-like.report_url": self.adapter.report_url, "aliyun-like.user": "smschain", "aliyun-like.password": e["SMSCHAIN_ALIYUN_SECRET"],
                **{f"{name}.password": self.smpp_password(name) for name in SMPP}}

    def copy_conf(self):
        """A copy of the configuration that the test may change; gives its folder. Before start()."""
        target = os.path.join(self.dir, "conf")
        if self.conf_dir != target:
            shutil.copytree(self.conf_dir, target)
            self.conf_dir = target
        return target

    def change_conf(self, file, old, new):
        """Replaces text in a file of the copied configuration, which must be there."""
        path = os.path.join(self.copy_conf(), file)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert old in text, f"{file} has no {old!r}"
        with open(path + ".new", "w", encoding="utf-8") as f:  # whole or not at all: a service may be reading it
            f.write(text.replace(old, new))
        os.replace(path + ".new", path)

    def only_gateways(self, *names):
        """The configuration without the other sample gateways: each would be a thread and a connection more. Where a rule's
        route has one of the others, one of these takes its place that the route has not yet."""
        for path in glob.glob(os.path.join(self.copy_conf(), "gateways", "*.yaml")):
            if os.path.basename(path)[:-5] not in names:
                os.remove(path)
        for path in glob.glob(os.path.join(self.conf_dir, "rules", "*.yaml")) + glob.glob(
                os.path.join(self.conf_dir, "callers", "*.yaml")):
            with open(path, encoding="utf-8") as f:
                head, route = re.split(r"(?m)^(?=route:)", f.read())
            with open(path, "w", encoding="utf-8") as f:
                f.write(head + only_of(names, route))

    def configured_gateways(self):
        return sorted(os.path.basename(p)[:-5] for p in glob.glob(os.path.join(self.conf_dir, "gateways", "*.yaml")))

    # ---- processes ----

    def service(self, name, instance=1):
        """The process of a service; instance 2, 3 …: further ones of the same (callback then listens elsewhere)."""
        key = (name, instance)
        if key not in self._services:
            label = name if instance == 1 else f"{name}-{instance}"
            environment = self.environment
            if name == "callback" and instance > 1:
                port = servers.free_port(self.ports)
                self.ports.add(port)
                environment["SMSCHAIN_CALLBACK_LISTEN"] = f"127.0.0.1:{port}"
            command = [os.path.join(self.build, name, f"smschain-{name}"), "--conf", self.conf_dir]
            self._services[key] = Process(label, command, environment, os.path.join(self.dir, f"{label}.log"))
        return self._services[key]

    def services(self):
        return list(self._services.values())

    def monitor(self, process, path, seconds=20):
        """(status, text) of /metrics, /livez or /readyz of a service, whose log says at which port."""
        def port():
            with open(process.log, encoding="utf-8", errors="replace") as f:
                return re.findall(r'msg="metrics are told".* port=(\d+)', f.read())
        ports = self.wait_until(port, seconds, f"the port of {process.name} in its log", every=0.05)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[-1]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metrics(self, process):
        """{(name, (label, value)…): number} of a service."""
        status, text = self.monitor(process, "/metrics")
        assert status == 200, text
        return dict(metric_of(line) for line in text.splitlines() if not line.startswith("#"))

    def ctl(self, *arguments, check=True, timeout=120):
        """smschain …; gives the finished process (returncode, stdout, stderr). With check it must exit 0."""
        done = subprocess.run([os.path.join(self.build, "ctl/smschain"), "--conf", self.conf_dir, *map(str, arguments)],
                              env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"smschain {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def prepare(self):
        """Everything but the processes: business tables, migrate."""
        self.shop.create()
        self.ctl("migrate")
        return self

    def start(self, only=SERVICES):
        self.prepare()
        self.start_gateways()
        self.start_services(only)
        return self

    def start_gateways(self):
        self.gateway.start()
        if self.gateway_beta is not self.gateway:
            self.gateway_beta.start()
        if adapter.NAME in self.configured_gateways():
            self.adapter.start()

    def start_services(self, only=SERVICES):
        for name in only:
            self.service(name).start()

    def stop(self, drop=True):
        """Stops all that runs, services first, and drops database and virtual host. Every service must end cleanly."""
        trouble = []
        for process in [*self.services()[::-1], self.adapter, self.gateway, self.gateway_beta]:
            if process.alive:
                try:
                    code = process.stop()
                    if code != 0:
                        trouble.append(f"{process.name} ended with {code}\n{process.tail()}")
                except AssertionError as e:
                    trouble.append(str(e))
        if drop:
            with contextlib.suppress(Exception):
                self.lab.drop_database(self.database)
                self.shop.drop()
            with contextlib.suppress(Exception):
                self.lab.delete_vhost(self.vhost)
        assert not trouble, "\n".join(trouble)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            with contextlib.suppress(AssertionError):
                self.stop()

    # ---- work ----

    def fill_shop(self, n, rules=None):
        """n new rows over this chain's rules (or those named); gives {rule: rows}."""
        return self.shop.fill(n, rules or self.rules())

    def run_rule(self, name):
        """Fires a rule; gives the run's id."""
        return int(self.ctl("run", name).stdout.split()[0])

    def run_rules(self, names=None):
        return {name: self.run_rule(name) for name in names or self.rules()}

    def rules(self):
        """Those that fill_shop and run_rules take where none are named."""
        if self.few_rules:
            return list(FEW_RULES)
        return sorted(os.path.basename(p)[:-5] for p in glob.glob(os.path.join(self.conf_dir, "rules", "*.yaml")))

    def sql(self, statement, parameters=None):
        """One statement on the pipeline's database, as the administrator; gives its rows."""
        return self.lab.sql(statement, parameters, self.database)

    def value(self, statement, parameters=None):
        return self.sql(statement, parameters)[0][0]

    def states(self, run=None):
        """{state: messages}, from the messages themselves."""
        rows = self.sql("SELECT state, count(*) FROM message WHERE %s::bigint IS NULL OR run_id = %s GROUP BY state",
                        (run, run))
        return {STATES[state]: count for state, count in rows}

    def wait_until(self, condition, seconds, what="the condition", every=0.1):
        """Waits until condition() is true; else AssertionError with where everything stands."""
        try:
            return wait_for(condition, seconds, what, every)
        except servers.LabError as e:
            raise AssertionError(f"{e}\n{self.describe()}") from None

    def wait_final(self, n, seconds, also=()):
        """Until n messages are in a final state (or in one of `also`, as "in_doubt" after a crash)."""
        ends = FINAL | set(also)
        self.wait_until(lambda: sum(c for s, c in self.states().items() if s in ends) >= n, seconds,
                        f"{n} messages with a final state", every=0.2)

    def wait_runs_read(self, seconds=60):
        self.wait_until(lambda: not self.value("SELECT count(*) FROM run WHERE state IN ('new', 'reading')"), seconds,
                        "the end of reading")

    def wait_submits(self, n, seconds):
        """Until the gateways have accepted n messages."""
        gateways = {self.gateway, self.gateway_beta}
        self.wait_until(lambda: sum(g.counters()["submits"] for g in gateways) >= n, seconds, f"{n} submits", every=0.02)

    def counters(self):
        """The gateways' counters added up."""
        both = [g.counters() for g in {self.gateway, self.gateway_beta}]
        return {k: sum(c[k] for c in both) for k in both[0] if isinstance(both[0][k], int) and k != "listen"}

    def sessions(self):
        """What the database's sessions are doing, one a line."""
        return "\n".join(str(row) for row in self.sql(
            "SELECT pid, application_name, state, wait_event_type || '.' || wait_event, (now() - state_change)::text, "
            "pg_blocking_pids(pid), (SELECT string_agg(classid || '/' || objid, ' ') FROM pg_locks l WHERE l.pid = a.pid "
            "AND l.locktype = 'advisory'), left(query, 60) FROM pg_stat_activity a WHERE datname = current_database() ORDER BY 2"))

    def describe(self):
        """Where everything stands, for the message of a failed test."""
        lines = []
        for what in (self.states, lambda: self.sql("SELECT id, state, why, rows_read, rows_new, publish FROM run ORDER BY id"),
                     lambda: self.lab.queues(self.vhost), self.counters, self.sessions):
            with contextlib.suppress(Exception):
                lines.append(str(what()))
        for process in [*self.services(), self.gateway]:
            if process.process is not None:
                lines.append(f"--- {process.name}: {'running' if process.alive else process.exit_code}\n{process.tail(12)}")
        return "\n".join(lines)
