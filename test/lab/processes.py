"""Processes and ports of the private servers: who is alive, started under which account, and what belongs to whom.
A process is known by pid and start time, since pids come again, and by the mark in its environment."""
import contextlib
import ctypes
import os
import pwd
import random
import socket
import subprocess
import sys
import time

MARK = "SMSCHAIN_LAB"  # environment variable that every process of an instance carries: the instance's id


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


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child] + descendants(child)
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
