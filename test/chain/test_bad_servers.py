"""Servers that are not there at the start, that take nothing, or are full: every service waits, says so once and when it
is over, and goes on; nothing is lost or sent twice."""
import collections
import errno
import os
import re
import subprocess
import time

import pytest

RATES = {"SMSCHAIN_ALPHA_RATE": "1000", "SMSCHAIN_BETA_RATE": "1000"}
TOO_MANY = 60  # lines of one service for one outage; the quiet ones stay under 20


def said(service):
    """Counter of a service's lines without what differs between two of the same: time, figures, delays."""
    with open(service.log, encoding="utf-8", errors="replace") as f:
        return collections.Counter(re.sub(r"\d+", "#", line.split(" ", 1)[-1].strip()) for line in f)


def check_quiet(chain, same=3, lines=TOO_MANY):
    """Nobody repeats itself: one trouble may come in several forms (refused, reset), each of them twice or so."""
    for service in chain.services():
        words = said(service)
        again = {line: n for line, n in words.items() if n > same and "level=info" not in line}
        assert not again, f"{service.name} repeats itself: {again}"
        assert sum(words.values()) <= lines, f"{service.name} has {sum(words.values())} lines\n{service.tail(80)}"


def watch(chain, seconds):
    """So long all services live on."""
    end = time.monotonic() + seconds
    chain.wait_until(lambda: time.monotonic() >= end or not all(s.alive for s in chain.services()), seconds + 5)
    assert all(s.alive for s in chain.services()), chain.describe()


@pytest.mark.parametrize("away", [("rabbitmq",), ("postgres",), ("rabbitmq", "postgres")], ids="+".join)
def test_away_at_the_start(make_chain, lab, away):
    chain = make_chain(only=("extract",), environment=RATES)
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM rule") >= len(chain.rules()), 30, "extract knows the rules")
    chain.service("extract").stop()
    os.truncate(chain.service("extract").log, 0)
    chain.fill_shop(300)
    chain.run_rules()
    for name in away:
        getattr(lab, name).stop()
    try:
        chain.start_services()
        watch(chain, 8)
        for service in chain.services():
            if "rabbitmq" in away or service.name != "render":
                troubles = [line for line in said(service) if "level=warn" in line or "level=error" in line]
                assert troubles, f"{service.name} says nothing of what is away\n{service.tail()}"
        check_quiet(chain, lines=20)
    finally:
        for name in away:
            getattr(lab, name).start()
    chain.wait_final(300, 120)
    chain.check_invariants(in_doubt=0)
    check_quiet(chain)


ALARMS = {"low on disk": (("set_disk_free_limit", "500000GB"), ("set_disk_free_limit", "50MB")),
          "low on memory": (("set_vm_memory_high_watermark", "0.00001"), ("set_vm_memory_high_watermark", "0.6"))}


@pytest.mark.parametrize("reason", ALARMS)
def test_the_brokers_alarm(make_chain, lab, reason):
    """Publishers are blocked, what is done goes on, nobody ends, and all of it is done afterwards."""
    chain = make_chain(environment=RATES)
    raise_it, end_it = ALARMS[reason]
    chain.fill_shop(200)
    chain.run_rules()
    chain.wait_submits(50, 60)
    lab.ctl(*raise_it)
    try:
        chain.fill_shop(400)
        chain.run_rules()
        chain.wait_until(lambda: reason in chain.service("extract").tail(200), 60, "extract's word of the alarm")
        watch(chain, 8)
        assert sum(chain.states().values()) == 600, "rows are entered all the same"
    finally:
        lab.ctl(*end_it)
    chain.wait_final(600, 120)
    chain.check_invariants(in_doubt=0)
    check_quiet(chain, lines=25)
    lines = list(said(chain.service("extract")))
    assert any("level=warn" in line and "takes no messages" in line for line in lines), lines
    assert any("level=info" in line and "alarm is over" in line for line in lines), lines


@pytest.fixture
def small_disk(lab, tmp_path):
    """A tablespace on a disk of its own, of 100 MiB."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root only")
    place = os.path.join(lab.data_dir, "small")
    os.makedirs(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m,mode=0777", "small", place], check=True)
    try:
        inside = os.path.join(place, "space")
        os.mkdir(inside)
        if lab.postgres.user:
            os.chown(inside, lab.postgres.user.pw_uid, lab.postgres.user.pw_gid)
        lab.sql(f"CREATE TABLESPACE small LOCATION '{inside}'")
        yield place
        lab.sql("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", place], check=True)
        os.rmdir(place)


def fill(place):
    """Takes all that is left of a disk."""
    with open(os.path.join(place, "filler"), "wb", buffering=0) as f:
        try:
            while f.write(b"\0" * 4096):
                pass
        except OSError as e:
            assert e.errno == errno.ENOSPC


def test_postgresql_out_of_disk(small_disk, make_chain, lab):
    name = f"small_{os.getpid()}"
    lab.sql(f'CREATE DATABASE "{name}" TABLESPACE small')
    chain = make_chain(only=(), environment=RATES, database=name)
    try:
        chain.start_services()
        chain.fill_shop(200)
        chain.run_rules()
        chain.wait_final(200, 60)
        fill(small_disk)
        chain.fill_shop(4000)
        chain.run_rules()
        chain.wait_until(lambda: "No space left" in lab.postgres.log_tail(400), 60, "PostgreSQL out of disk")
        watch(chain, 8)
        check_quiet(chain)
        spoken = [line for service in chain.services() for line in said(service) if "the database has no room" in line]
        assert spoken, f"nobody says what PostgreSQL said\n{chain.describe()}"
        os.unlink(os.path.join(small_disk, "filler"))
        subprocess.run(["mount", "-o", "remount,size=800m", small_disk], check=True)
        chain.wait_final(4200, 180)
        chain.check_invariants(in_doubt=0)
        chain.wait_until(lambda: any("has room again" in line for s in chain.services() for line in said(s)), 30,
                         "the word that it is over")
        check_quiet(chain)
    finally:
        chain.stop()
