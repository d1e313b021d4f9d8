"""test/lab itself: what a run that was cut off leaves behind is found and ended, data and ports stay over a restart,
and two instances do not meet."""
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, SECONDS
from servers import Lab, marked_processes, wait_for

SERVERS = ROOT / "test/lab/servers.py"


def command(*arguments):
    done = subprocess.run([sys.executable, SERVERS, *map(str, arguments)], capture_output=True, text=True, timeout=240,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path):
    yield tmp_path
    command("stop", tmp_path, "--clean")


def test_commands(place, lab):
    """A second instance beside the session's; by the command line only."""
    first = json.loads(command("start", place))
    assert first["postgres"]["running"] and first["rabbitmq"]["running"]
    assert first["postgres"]["port"] != lab.state["postgres"]["port"]
    assert json.loads(command("start", place)) == first  # it runs: nothing changes
    one = Lab.attach(place)
    name = one.create_database()
    assert one.sql("SELECT current_setting('fsync'), current_setting('synchronous_commit'),"
                   " current_setting('server_encoding')") == [("on", "on", "UTF8")]
    command("kill", place, "postgres")
    assert not json.loads(command("status", place))["postgres"]["running"]
    second = json.loads(command("start", place))
    assert second["postgres"]["port"] == first["postgres"]["port"]
    assert one.sql("SELECT count(*) FROM pg_database WHERE datname = %s", [name]) == [(1,)]
    environment = command("env", place)
    assert f"export PGPORT={first['postgres']['port']}\n" in environment
    command("stop", place)
    assert marked_processes(first["id"]) == []
    third = json.loads(command("start", place))  # the same data
    assert third["rabbitmq"]["port"] == first["rabbitmq"]["port"]
    assert Lab.attach(place).sql("SELECT count(*) FROM pg_database WHERE datname = %s", [name]) == [(1,)]
    assert lab.sql("SELECT 1") == [(1,)] and lab.api("GET", "/api/whoami")


@pytest.mark.parametrize("after_s", [0.5, 2, 4])
def test_cut_off_start(place, after_s):
    """kill -9 of `start` at some moment: `stop` finds all that it had started."""
    starting = subprocess.Popen([sys.executable, SERVERS, "start", place], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
    time.sleep(after_s)  # any moment will do
    starting.kill()
    starting.wait()
    lab = Lab.attach(place)
    command("stop", place)
    if lab:
        assert marked_processes(lab.id) == []
        pid_file = os.path.join(lab.data_dir, "postgres/data/postmaster.pid")
        assert not os.path.exists(pid_file)


def test_dies_with_its_parent(place):
    program = ("import sys; sys.path.insert(0, sys.argv[1]); import servers, signal;"
               " print(servers.Lab.start(sys.argv[2], die_with_parent=True).id, flush=True); signal.pause()")
    parent = subprocess.Popen([sys.executable, "-c", program, ROOT / "test/lab", place], stdout=subprocess.PIPE, text=True)
    name = parent.stdout.readline().strip()
    assert len(marked_processes(name)) >= 3
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: marked_processes(name) == [], SECONDS, "the end of all its processes")
