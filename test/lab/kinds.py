"""One private server process each: PostgreSQL and RabbitMQ, how they are configured, started, stopped, killed and
frozen. What they share (directory, ports, state) belongs to the Lab (servers.py)."""
import contextlib
import glob
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error

from processes import (MARK, LabError, account, children, free_port, passed_on, port_is_free, reap, say, send, spawn,
                       start_time, wait_for)

RABBITMQ_BIN = "/usr/lib/rabbitmq/bin"
START_SECONDS = 120
STOP_SECONDS = 60


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
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", MARK: self.lab.id, **passed_on(),
                **self.lab.state.get("postgres_environment", {})}

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
        again = bool(self.state.get("node"))
        if not again:
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
        if again:
            self._elect_leaders()

    def _elect_leaders(self):
        """After a kill, RabbitMQ 3.10 now and then leaves a quorum queue of one node without a leader for ever (its
        issue 10070). What docs/operations.md tells the operator to do then, until every queue has one."""
        elect = ("lists:foreach(fun({N, follower}) -> ra:trigger_election({N, node()}); (_) -> ok end, ets:tab2list(ra_state)), "
                 "length([N || {N, S} <- ets:tab2list(ra_state), S =/= leader]).")
        wait_for(lambda: self.lab.ctl("eval", elect).strip() == "0", START_SECONDS, "leaders of the quorum queues", every=0.3)

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
