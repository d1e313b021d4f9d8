#!/usr/bin/python3
"""A private PostgreSQL and a private RabbitMQ in one directory, for tests, the bench and quickstart.

    servers.py start DIR      starts both (again, on the same data, if DIR is known), prints JSON with the ports
    servers.py stop DIR       stops them cleanly, also what a run that was cut off has left; --clean deletes the data
    servers.py env DIR        the same as shell lines to eval
    servers.py status DIR | kill|pause|resume|halt|restart DIR postgres|rabbitmq

As a module: lab = Lab.start(dir); lab.postgres.kill(); lab.postgres.start(); lab.create_database(); lab.stop().
Nothing here touches any server but its own: processes are known by pid and start time, and by a variable in their
environment. fsync and synchronous_commit stay on."""
import argparse
import base64
import contextlib
import ctypes
import fcntl
import glob
import json
import os
import pwd
import random
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

MARK = "SMSCHAIN_LAB"  # environment variable that every process of an instance carries: the instance's id
RABBITMQ_BIN = "/usr/lib/rabbitmq/bin"
START_SECONDS = 120
STOP_SECONDS = 60


class LabError(Exception):
    pass


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def wait_for(condition, seconds, what, every=0.05):
    """Waits until condition() is true, and gives that value. Raises LabError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(every)


# ---- processes ----

def start_time(pid):
    """When the process began (clock ticks since boot), or None if it is not there (a zombie is not there)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                    if int(f.read().rpartition(")")[2].split()[1]) == pid:
                        found.append(int(name))
    return found


def marked_processes(lab_id):
    """All processes that carry this instance's mark, whoever started them."""
    wanted = f"{MARK}={lab_id}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/environ", "rb") as f:
                    if wanted in f.read().split(b"\0") and start_time(int(name)) is not None:
                        found.append(int(name))
    return found


def send(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def reap(pid):
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


_libc = ctypes.CDLL(None, use_errno=True)


def spawn(command, user, env, cwd, log, die_with_parent):
    """Starts a process of its own session under `user` (None: ourselves). With die_with_parent it is told to stop
    (SIGTERM; SIGINT for PostgreSQL's fast way) when the process that called us is gone."""
    def in_child():
        os.umask(0o077)
        if die_with_parent:
            _libc.prctl(1, die_with_parent)
    identity = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with open(log, "ab") as out:
        return subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                start_new_session=True, preexec_fn=in_child, **identity)


def account(*names):
    """The first of these accounts that exists, when we are root; None (ourselves) when we are not."""
    if os.geteuid() != 0:
        return None
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise LabError(f"running as root and none of the accounts {', '.join(names)} exists")


def reachable(path, user):
    """May this account walk to `path`?"""
    if user is None:
        return True
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os._exit(0 if os.access(path, os.X_OK) else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def free_port(taken=()):
    """A free port below the range that the kernel gives to outgoing connections, so that it stays free over a
    restart of the server."""
    for _ in range(500):
        port = random.randint(15000, 31999)
        if port not in taken and port_is_free(port):
            return port
    raise LabError("no free port")


def port_is_free(port):
    """Could a server listen there? (SO_REUSEADDR, as servers do: connections that linger do not count.)"""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def passed_on():
    """The mark of the test run that we are part of, by which it finds what was left behind."""
    return {k: v for k, v in os.environ.items() if k == "SMSCHAIN_TEST_RUN"}


class Server:
    """One server process of an instance. start, stop (clean), kill (-9), restart, pause, resume."""
    name = ""

    def __init__(self, lab):
        self.lab = lab

    @property
    def state(self):
        return self.lab.state[self.name]

    @property
    def pid(self):
        """The pid if it is running (and is the very process that we started), else None."""
        pid, began = self.state.get("pid"), self.state.get("began")
        if pid and began and start_time(pid) == began:
            return pid
        return None

    def _spawned(self, process, pid_key="pid", began_key="began"):
        self.state[pid_key] = process.pid
        self.state[began_key] = start_time(process.pid)
        self.lab.save()

    def _gone(self):
        pid = self.state.get("pid")
        if pid:
            reap(pid)
        return self.pid is None

    def _processes(self):
        return [self.pid] + children(self.pid) if self.pid else []

    def _own(self, name, mode=0o700):
        """A directory of this server's, owned by its account."""
        path = os.path.join(self.lab.data_dir, self.name, name) if name else os.path.join(self.lab.data_dir, self.name)
        os.makedirs(path, mode=mode, exist_ok=True)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path

    def _write(self, path, text, mode=0o600):
        with open(path, "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def _same_port(self, key):
        """The port it had before, so that its clients find it again; after a kill -9 the dying threads of the old
        process may hold it for a moment. Another one only if somebody else has taken it."""
        known = self.state.get(key)
        if known:
            try:
                wait_for(lambda: port_is_free(known), 20, f"port {known}")
                return known
            except LabError:
                say(f"{self.name}: port {known} is taken, choosing another")
        return free_port(self.lab.ports())

    def pause(self):
        for pid in self._processes():
            send(pid, signal.SIGSTOP)

    def resume(self):
        for pid in reversed(self._processes()):
            send(pid, signal.SIGCONT)

    def kill(self):
        """kill -9 of the whole server, as if the machine's power went (but the page cache stays)."""
        self.pause()  # so that no child is born while we go through them
        all_of_it = self._processes()
        for pid in reversed(all_of_it):
            send(pid, signal.SIGKILL)
        wait_for(lambda: self._gone() and not any(start_time(pid) for pid in all_of_it), STOP_SECONDS,
                 f"end of {self.name} after SIGKILL")

    def restart(self):
        self.stop()
        self.start()

    def log_tail(self, lines=25):
        with contextlib.suppress(OSError):
            with open(self.state["log"], encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        return ""

    def _end(self, signals):
        """Sends each signal in turn, waiting `seconds` after it, until the process is gone."""
        for number, seconds in signals:
            if self._gone():
                return
            send(self.pid, number)
            send(self.pid, signal.SIGCONT)
            with contextlib.suppress(LabError):
                wait_for(self._gone, seconds, self.name)
        if not self._gone():
            self.kill()


class Postgres(Server):
    name = "postgres"

    def __init__(self, lab):
        super().__init__(lab)
        self.user = account("postgres", "nobody")

    @staticmethod
    def bin():
        base = "/usr/lib/postgresql"
        versions = sorted((v for v in os.listdir(base) if v.isdigit()), key=int) if os.path.isdir(base) else []
        for version in (["15"] if "15" in versions else versions[::-1]):
            if os.path.exists(f"{base}/{version}/bin/initdb"):
                return f"{base}/{version}/bin"
        found = shutil.which("initdb")
        if not found:
            raise LabError("PostgreSQL's server programs are not installed (Debian: postgresql-15)")
        return os.path.dirname(found)

    def _create(self):
        data = self._own("data")
        state = self.state
        state.update(host="127.0.0.1", user="smschain_admin", password=secrets.token_hex(12), database="postgres",
                     data=data, log=os.path.join(self.lab.data_dir, self.name, "postgres.log"), bin=self.bin())
        password_file = os.path.join(self._own(""), "password")
        self._write(password_file, state["password"] + "\n")
        command = [f"{self.bin()}/initdb", "-D", data, "--encoding=UTF8", "--locale=C.UTF-8", "--username",
                   state["user"], f"--pwfile={password_file}", "--auth-local=trust", "--auth-host=scram-sha-256",
                   "--no-instructions"]
        process = spawn(command, self.user, self._env(), data, state["log"], 0)
        if process.wait(timeout=START_SECONDS) != 0:
            raise LabError(f"initdb failed; see {state['log']}\n{self.log_tail()}")
        os.unlink(password_file)
        self.lab.save()

    def _forget_dead_postmaster(self):
        """PostgreSQL takes a pid file's process for alive if it is a zombie, which stays one for ever in a container
        whose first process reaps nobody."""
        paths = [os.path.join(self.state["data"], "postmaster.pid")]
        if self.state.get("socket_dir"):
            paths += glob.glob(os.path.join(self.state["socket_dir"], ".s.PGSQL.*.lock"))
        for path in paths:
            with contextlib.suppress(OSError, ValueError):
                with open(path, encoding="utf-8") as f:
                    pid = int(f.readline())
                if start_time(pid) is None:
                    os.unlink(path)

    def _socket_dir(self):
        """A unix socket's whole path must stay under 108 bytes."""
        known = self.state.get("socket_dir")
        if known and os.path.isdir(known):
            return known
        path = os.path.join(self.lab.data_dir, "s")
        if len(path) > 80:
            path = tempfile.mkdtemp(prefix="sms", dir="/tmp")
        os.makedirs(path, mode=0o700, exist_ok=True)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path

    def _env(self):
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", MARK: self.lab.id, **passed_on()}

    def start(self):
        if self.pid:
            return
        if not os.path.exists(os.path.join(self.lab.data_dir, self.name, "data", "PG_VERSION")):
            shutil.rmtree(os.path.join(self.lab.data_dir, self.name, "data"), ignore_errors=True)
            self._create()
        self._forget_dead_postmaster()
        self.state["socket_dir"] = self._socket_dir()
        self.state["port"] = self._same_port("port")
        settings = {"port": self.state["port"], "listen_addresses": "127.0.0.1", "max_connections": 200,
                    "unix_socket_directories": self.state["socket_dir"], "max_wal_size": "2GB", "timezone": "UTC",
                    "log_line_prefix": "%m [%p] %q%u@%d %a ", "log_lock_waits": "on", "fsync": "on",
                    "synchronous_commit": "on", "logging_collector": "off", "cluster_name": self.lab.id,
                    **self.lab.state.get("postgres_settings", {})}
        command = [f"{self.bin()}/postgres", "-D", self.state["data"]]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        process = spawn(command, self.user, self._env(), self.state["data"], self.state["log"],
                        self.lab.die_with_parent and signal.SIGINT)
        self._spawned(process)

        def ready():
            if process.poll() is not None:
                raise LabError(f"PostgreSQL ended with {process.returncode}; see {self.state['log']}\n{self.log_tail()}")
            look = [f"{self.bin()}/pg_isready", "-q", "-t", "5", "-h", self.state["host"], "-p", str(self.state["port"])]
            return subprocess.run(look, env=self._env(), cwd="/", check=False).returncode == 0
        wait_for(ready, START_SECONDS, "PostgreSQL's answer")

    def stop(self):
        self._end([(signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10)])


class Rabbit(Server):
    name = "rabbitmq"

    def __init__(self, lab):
        super().__init__(lab)
        self.user = account("rabbitmq", "nobody")

    def _env(self):
        home = os.path.join(self.lab.data_dir, self.name)
        state = self.state
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "TZ": "UTC", MARK: self.lab.id,
            **passed_on(),
            "HOME": f"{home}/home", "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the server by exec
            "CONF_ENV_FILE": f"{home}/no-such-file", "RABBITMQ_NODENAME": state["node"],
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia", "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf", "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/no-advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_DIST_PORT": str(state["dist_port"]), "ERL_EPMD_PORT": str(state["epmd_port"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CTL_DIST_PORT_MIN": "35672", "RABBITMQ_CTL_DIST_PORT_MAX": "45672",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _create(self):
        state = self.state
        state.update(host="127.0.0.1", vhost="/", user="smschain_admin", password=secrets.token_hex(12),
                     node=f"{self.lab.id}@localhost")
        home = self._own("")
        for name in ("home", "mnesia", "log"):
            self._own(name)
        self._write(f"{home}/home/.erlang.cookie", secrets.token_hex(20), 0o400)
        self._write(f"{home}/enabled_plugins", "[rabbitmq_management].\n")
        state["log"] = f"{home}/rabbitmq.log"
        self.lab.save()

    def _configure(self):
        state = self.state
        lines = {
            "listeners.tcp.1": f"127.0.0.1:{state['port']}", "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": state["management_port"], "management_agent.disable_metrics_collector": "true",
            "default_user": state["user"], "default_pass": state["password"], "loopback_users": "none",
            "log.file": "false", "log.console": "true", "log.console.level": "info",
            "disk_free_limit.absolute": "200MB",  # a private one on a developer's disk; production: 2GB or more
            "raft.wal_max_size_bytes": 64 << 20,  # memory follows the log's size
            **self.lab.state.get("rabbitmq_settings", {})}
        self._write(os.path.join(self.lab.data_dir, self.name, "rabbitmq.conf"),
                    "".join(f"{key} = {value}\n" for key, value in lines.items()))

    def _ports(self):
        for key in ("port", "management_port", "dist_port", "epmd_port"):
            if key != "epmd_port" or not self._epmd_pid():
                self.state[key] = self._same_port(key)
        base = f"http://127.0.0.1:{self.state['management_port']}"
        self.state["management_url"] = base
        self.lab.save()

    def _epmd_pid(self):
        pid, began = self.state.get("epmd_pid"), self.state.get("epmd_began")
        return pid if pid and began and start_time(pid) == began else None

    def _start_epmd(self):
        """Our own, in the foreground, so that its pid is known; the node finds it there and starts none."""
        if self._epmd_pid():
            return
        epmd = shutil.which("epmd") or "/usr/bin/epmd"
        process = spawn([epmd, "-port", str(self.state["epmd_port"]), "-address", "127.0.0.1"], self.user, self._env(),
                        "/", self.state["log"], self.lab.die_with_parent and signal.SIGTERM)
        self._spawned(process, "epmd_pid", "epmd_began")
        wait_for(lambda: not port_is_free(self.state["epmd_port"]), 20, "epmd")

    def start(self):
        if self.pid:
            return
        if not os.path.exists(f"{RABBITMQ_BIN}/rabbitmq-server"):
            raise LabError("RabbitMQ is not installed (Debian: rabbitmq-server)")
        if not self.state.get("node"):
            self._create()
        self._ports()
        self._configure()
        self._start_epmd()
        process = spawn([f"{RABBITMQ_BIN}/rabbitmq-server"], self.user, self._env(),
                        os.path.join(self.lab.data_dir, self.name), self.state["log"],
                        self.lab.die_with_parent and signal.SIGTERM)
        self._spawned(process)

        def ready():
            if process.poll() is not None:
                raise LabError(f"RabbitMQ ended with {process.returncode}; see {self.state['log']}\n{self.log_tail()}")
            return self._answers()
        wait_for(ready, START_SECONDS, "RabbitMQ's answer", every=0.1)

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.state["port"]), timeout=5) as s:
                s.settimeout(5)
                s.sendall(b"AMQP\0\0\x09\x01")
                if s.recv(1) != b"\x01":
                    return False
            self.lab.api("GET", "/api/whoami")
            return True
        except (OSError, urllib.error.URLError, LabError):
            return False

    def _processes(self):
        return [self.pid] if self.pid else []

    def stop(self):
        self._end([(signal.SIGTERM, STOP_SECONDS)])

    def stop_epmd(self):
        pid = self._epmd_pid()
        if pid:
            send(pid, signal.SIGTERM)

            def gone():
                reap(pid)
                return not self._epmd_pid()
            wait_for(gone, 10, "end of epmd")


class Lab:
    """One directory with one PostgreSQL and one RabbitMQ."""

    def __init__(self, directory, state, die_with_parent=False):
        self.dir = os.path.abspath(directory)
        self.state = state
        self.die_with_parent = die_with_parent
        self.postgres = Postgres(self)
        self.rabbitmq = Rabbit(self)

    @property
    def id(self):
        return self.state["id"]

    @property
    def data_dir(self):
        return self.state["data_dir"]

    def ports(self):
        return {v for part in ("postgres", "rabbitmq") for k, v in self.state[part].items() if k.endswith("port")}

    def save(self):
        path = os.path.join(self.dir, "lab.json")
        with open(path + ".new", "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o600)  # it holds the passwords
            json.dump(self.state, f, indent=1)
        os.rename(path + ".new", path)

    @classmethod
    def attach(cls, directory, die_with_parent=False):
        """The instance that is known in this directory, running or not; None if there is none."""
        try:
            with open(os.path.join(directory, "lab.json"), encoding="utf-8") as f:
                return cls(directory, json.load(f), die_with_parent)
        except FileNotFoundError:
            return None

    @classmethod
    def start(cls, directory, die_with_parent=False, postgres_settings=None, rabbitmq_settings=None):
        """Starts what is not running. die_with_parent: the servers stop when this Python process is gone."""
        os.makedirs(directory, exist_ok=True)
        with locked(directory):
            lab = cls.attach(directory, die_with_parent)
            if lab is None:
                lab = cls(directory, {"id": f"smslab-{secrets.token_hex(4)}", "postgres": {}, "rabbitmq": {}},
                          die_with_parent)
                lab.state["data_dir"] = lab._choose_data_dir()
                lab.save()
            lab.state["postgres_settings"] = postgres_settings or lab.state.get("postgres_settings", {})
            lab.state["rabbitmq_settings"] = rabbitmq_settings or lab.state.get("rabbitmq_settings", {})
            try:
                lab._end_strays(keep_running=True)
                lab._start_both()
            except BaseException:
                lab._stop_both()
                raise
            return lab

    def _choose_data_dir(self):
        path = os.path.join(self.dir, "data")
        os.makedirs(path, mode=0o755, exist_ok=True)
        os.chmod(path, 0o755)
        users = (self.postgres.user, self.rabbitmq.user)
        if all(reachable(path, user) for user in users):
            return path
        os.rmdir(path)
        for parent in (os.environ.get("TMPDIR"), "/var/tmp"):
            if parent and all(reachable(parent, user) for user in users):
                path = tempfile.mkdtemp(prefix="smschain-lab-", dir=parent)
                os.chmod(path, 0o755)
                say(f"{self.dir} cannot be reached by the servers' accounts; their data are in {path}")
                return path
        raise LabError(f"neither {self.dir} nor /var/tmp can be reached by the servers' accounts")

    def _start_both(self):
        for server in (self.postgres, self.rabbitmq):
            for attempt in range(3):
                try:
                    server.start()
                    break
                except LabError as e:  # most likely someone took the port between our look and the server's bind
                    server._end([])
                    if attempt == 2:
                        raise
                    say(f"{server.name} did not start, trying again: {str(e).splitlines()[0]}")
            self.save()

    def _end_strays(self, keep_running):
        """Ends processes of this instance that its state does not know: a start that was cut off has left them."""
        known = {s.pid for s in (self.postgres, self.rabbitmq)} | {self.rabbitmq._epmd_pid()} if keep_running else set()
        if keep_running:
            known |= {c for s in (self.postgres, self.rabbitmq) if s.pid for c in descendants(s.pid)}
        for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
            strays = [p for p in marked_processes(self.id) if p not in known]
            for pid in strays:
                send(pid, number)
                send(pid, signal.SIGCONT)

            def gone(strays=strays):
                for pid in strays:
                    reap(pid)
                return all(start_time(pid) is None for pid in strays)
            with contextlib.suppress(LabError):
                wait_for(gone, seconds, "strays")

    def _stop_both(self):
        self.rabbitmq.stop()
        self.postgres.stop()
        self.rabbitmq.stop_epmd()
        self._end_strays(keep_running=False)

    def stop(self, clean=False):
        with locked(self.dir):
            self._stop_both()
            if clean:
                shutil.rmtree(self.data_dir, ignore_errors=True)
                if self.state["postgres"].get("socket_dir"):
                    shutil.rmtree(self.state["postgres"]["socket_dir"], ignore_errors=True)
                os.unlink(os.path.join(self.dir, "lab.json"))

    def describe(self):
        answer = {"dir": self.dir, "data_dir": self.data_dir, "id": self.id}
        for server in (self.postgres, self.rabbitmq):
            answer[server.name] = {**{k: v for k, v in server.state.items() if not k.endswith("began")},
                                   "running": server.pid is not None}
        return answer

    # ---- PostgreSQL ----

    def connect(self, database="postgres", **more):
        """A psycopg2 connection as the superuser, in autocommit."""
        import psycopg2  # here, so that starting and stopping need nothing but Python itself
        p = self.state["postgres"]
        connection = psycopg2.connect(host=p["host"], port=p["port"], user=p["user"], password=p["password"],
                                      dbname=database, connect_timeout=5, **more)
        connection.autocommit = True
        return connection

    def sql(self, statement, parameters=None, database="postgres"):
        """Runs one statement as the superuser; gives its rows, or []."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def create_database(self, prefix="t"):
        """A new, empty database; gives its name."""
        name = f"{prefix}_{secrets.token_hex(4)}"
        self.sql(f'CREATE DATABASE "{name}"')
        return name

    def drop_database(self, name):
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def conninfo(self, database="postgres", with_login=True):
        p = self.state["postgres"]
        text = f"host={p['host']} port={p['port']} dbname={database}"
        return text + (f" user={p['user']} password={p['password']}" if with_login else "")

    # ---- RabbitMQ ----

    def api(self, method, path, body=None):
        """A call of the management interface; gives the decoded JSON or None."""
        r = self.state["rabbitmq"]
        request = urllib.request.Request(r["management_url"] + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization",
                           "Basic " + base64.b64encode(f"{r['user']}:{r['password']}".encode()).decode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=20) as response:
            text = response.read()
            return json.loads(text) if text.strip() else None

    def create_vhost(self, prefix="t"):
        """A new virtual host on which the administrator may do all; gives its name."""
        name = f"{prefix}_{secrets.token_hex(4)}"
        self.api("PUT", f"/api/vhosts/{name}", {})
        self.api("PUT", f"/api/permissions/{name}/{self.state['rabbitmq']['user']}",
                 {"configure": ".*", "write": ".*", "read": ".*"})
        return name

    def delete_vhost(self, name):
        with contextlib.suppress(urllib.error.HTTPError):
            self.api("DELETE", f"/api/vhosts/{name}")

    def queues(self, vhost="/"):
        """{name: (ready, unacked)} of a virtual host, from the queues themselves."""
        lines = self.ctl("list_queues", "-p", vhost, "--quiet", "--no-table-headers", "name", "messages_ready",
                         "messages_unacknowledged").splitlines()
        return {n: (int(ready), int(unacked)) for n, ready, unacked in (line.split("\t") for line in lines if line)}

    def ctl(self, *arguments):
        """rabbitmqctl against this instance (a second or two a call)."""
        user = self.rabbitmq.user
        identity = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        done = subprocess.run([f"{RABBITMQ_BIN}/rabbitmqctl", "-n", self.state["rabbitmq"]["node"], *arguments],
                              env=self.rabbitmq._env(), cwd="/", stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False, **identity)
        if done.returncode != 0:
            raise LabError(f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child] + descendants(child)
    return found


@contextlib.contextmanager
def locked(directory):
    with open(os.path.join(directory, "lab.lock"), "a", encoding="utf-8") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def shell_lines(lab):
    p, r = lab.state["postgres"], lab.state["rabbitmq"]
    values = {
        "SMSCHAIN_LAB_DIR": lab.dir, "PGHOST": p["host"], "PGPORT": p["port"], "PGUSER": p["user"],
        "PGPASSWORD": p["password"], "PGDATABASE": "postgres", "AMQP_HOST": r["host"], "AMQP_PORT": r["port"],
        "AMQP_USER": r["user"], "AMQP_PASSWORD": r["password"], "AMQP_VHOST": r["vhost"],
        "AMQP_MANAGEMENT_URL": r["management_url"]}
    return "".join(f"export {key}={shlex.quote(str(value))}\n" for key, value in values.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["start", "stop", "env", "status", "kill", "pause", "resume", "halt", "restart"])
    parser.add_argument("dir")
    parser.add_argument("server", nargs="?", choices=["postgres", "rabbitmq"])
    parser.add_argument("--clean", action="store_true", help="with stop: delete the data too")
    arguments = parser.parse_args()
    if arguments.what == "start" and not arguments.server:
        print(json.dumps(Lab.start(arguments.dir).describe(), indent=1))
        return 0
    lab = Lab.attach(arguments.dir)
    if lab is None:
        say(f"nothing is known in {arguments.dir}")
        return 0 if arguments.what == "stop" else 1
    if arguments.what == "stop" and not arguments.server:
        lab.stop(arguments.clean)
    elif arguments.what == "env":
        sys.stdout.write(shell_lines(lab))
    elif arguments.what == "status":
        print(json.dumps(lab.describe(), indent=1))
    elif arguments.server:
        with locked(lab.dir):
            getattr(getattr(lab, arguments.server), {"halt": "stop"}.get(arguments.what, arguments.what))()
    else:
        parser.error(f"{arguments.what} wants a server: postgres or rabbitmq")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        say(str(error))
        sys.exit(1)
