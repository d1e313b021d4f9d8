#!/usr/bin/python3
"""Ends the processes that a test run has left behind: those that carry SMSCHAIN_TEST_RUN=DIR in their environment,
and the private servers whose data are under DIR. Prints one line for each that was there.

    leftovers.py DIR"""
import glob
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers


def ancestors():
    """We and those who called us carry the mark too."""
    found, pid = set(), os.getpid()
    while pid > 1:
        found.add(pid)
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            pid = int(f.read().rpartition(")")[2].split()[1])
    return found


def marked(directory):
    wanted = f"SMSCHAIN_TEST_RUN={directory}".encode()
    ours = ancestors()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in ours:
            try:
                with open(f"/proc/{name}/environ", "rb") as f:
                    environment = f.read().split(b"\0")
                with open(f"/proc/{name}/cmdline", "rb") as f:
                    command = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if wanted in environment and servers.start_time(int(name)) is not None:
                yield int(name), command


def main(directory):
    for path in {os.path.realpath(p) for p in glob.glob(f"{directory}/**/lab.json", recursive=True)}:
        lab = servers.Lab.attach(os.path.dirname(path))
        if lab is not None:
            if servers.marked_processes(lab.id):
                print(f"servers of {lab.dir}")
            lab.stop(clean=True)
    for number in (15, 9):
        left = list(marked(directory))
        for pid, command in left:
            if number == 15:
                print(f"process {pid}: {command[:200]}")
            servers.send(pid, number)
            servers.send(pid, 18)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(servers.start_time(pid) for pid, _ in left):
            time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1])
