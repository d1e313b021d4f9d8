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
import fcntl
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kinds import RABBITMQ_BIN, Postgres, Rabbit  # noqa: E402
from processes import (LabError, _libc, descendants, free_port, marked_processes, reachable, reap, say,  # noqa: E402,F401
                       send, start_time, wait_for)


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
        return {v for part in ("postgres", "rabbitmq", "mariadb") for k, v in self.state.get(part, {}).items() if k.endswith("port")}

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
    def start(cls, directory, die_with_parent=False, postgres_settings=None, rabbitmq_settings=None,
              postgres_environment=None):
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
            lab.state["postgres_environment"] = postgres_environment or lab.state.get("postgres_environment", {})
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
