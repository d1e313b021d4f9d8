"""lib/db, lib/history and lib/service against a real server: what each answer means, and what is left when the server
goes away in the middle."""
import json
import os
import pathlib
import shutil
import stat
import time

import pytest
from conftest import ROOT, SECONDS
from servers import wait_for


@pytest.fixture
def database(lab):
    name = lab.create_database()
    yield name
    lab.drop_database(name)


@pytest.fixture
def db(lab, database, probe):
    return lambda *arguments: probe("db_probe", lab.conninfo(database), *arguments)


@pytest.mark.parametrize("scenario", [
    "types", "binary_results", "same_text_other_types", "many_rows", "codes", "transactions", "read_only", "copy", "copy_fails",
    "pipeline", "stream", "stream_abort", "async", "idle_session", "changed_tables"])
def test_scenario(db, scenario):
    db(scenario).end()


def test_no_values_in_the_log(db):
    p = db("codes")
    p.end()
    assert "45678" not in p.log and "statement failed" in p.log


def test_wrong_password(lab, database, probe):
    info = lab.conninfo(database, with_login=False) + " user=smschain_admin password=wrong"
    p = probe("db_probe", info, "types")
    p.process.wait(SECONDS)
    wait_for(lambda: "database is away" in p.log, SECONDS, "the log")
    assert p.process.returncode == 1 and "password authentication failed" in p.log and "wrong" not in p.log


def rows_match(lab, database, lines):
    committed = {int(line.split()[1]) for line in lines if line.startswith("committed")}
    unknown = {int(line.split()[1]) for line in lines if line.startswith("unknown")}
    there = {row[0] for row in lab.sql("SELECT id FROM loop", database=database)}
    assert committed <= there <= committed | unknown
    return committed


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_server_goes_and_comes_back(lab, database, db, how):
    """Every commit that was answered is there; none that was told not to be is; one line when it goes and comes."""
    lab.sql("CREATE TABLE loop (id int)", database=database)
    p = db("loop")
    p.expect("committed 50 ")
    getattr(lab.postgres, how)()
    p.expect("not")
    lab.postgres.start()
    p.expect("committed")
    for _ in range(50):
        p.expect("committed")
    p.process.terminate()
    rows_match(lab, database, p.end())
    assert p.log.count("database is away") == 1 and p.log.count("database is back") == 1


def test_server_frozen(lab, database, db):
    """A server that says nothing is given up after the statement's time and some grace, not waited for for ever."""
    lab.sql("CREATE TABLE loop (id int)", database=database)
    p = db("loop")
    p.expect("committed 20 ")
    lab.postgres.pause()
    try:
        wait_for(lambda: "no answer within the time" in p.log, 50, "giving it up")
    finally:
        lab.postgres.resume()
    deadline = time.monotonic() + SECONDS
    while p.expect("")[0] != "committed" or "database is back" not in p.log:
        assert time.monotonic() < deadline
    p.process.terminate()
    rows_match(lab, database, p.end())


def test_backend_terminated(lab, database, db):
    lab.sql("CREATE TABLE loop (id int)", database=database)
    p = db("loop")
    p.expect("committed 20 ")
    lab.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'probe' AND datname = %s",
            [database])
    wait_for(lambda: "database is back" in p.log, SECONDS, "the log")
    p.expect("committed")
    p.process.terminate()
    rows_match(lab, database, p.end())
    assert "terminating connection due to administrator command" in p.log


# ---- history ----

@pytest.fixture
def chain(lab, database):
    """The database with our own tables."""
    for migration in sorted((ROOT / "schema").glob("[0-9]*.sql")):
        lab.sql(migration.read_text(), database=database)
    return database


class History:
    def __init__(self, db, state_dir):
        self.db, self.state_dir = db, str(state_dir)
        self.probe = db("history", self.state_dir)

    def check(self):
        self.probe.order("check")
        code, _, why = self.probe.line().partition(" ")
        return int(code), why

    def again(self):
        """Another process."""
        self.probe.order("quit")
        self.probe.end()
        self.probe = self.db("history", self.state_dir)
        return self


@pytest.fixture
def history(chain, db, tmp_path):
    h = History(db, tmp_path)
    assert h.check() == (0, "")
    return h


def remembered(tmp_path):
    return dict(line.split(" ", 1) for line in (tmp_path / "history-probe").read_text().splitlines() if " " in line)


def edit(tmp_path, **changes):
    path = tmp_path / "history-probe"
    lines = [f"{key} {changes.get(key, value)}" for key, value in remembered(tmp_path).items()]
    path.write_text("\n".join(lines) + "\nend\n")


def test_history_goes_on(lab, chain, history, tmp_path):
    before = int(remembered(tmp_path)["position"])
    lab.sql("INSERT INTO word (kind, word) SELECT 'reason', x::text FROM generate_series(1, 1000) AS x", database=chain)
    assert history.check() == (0, "") and int(remembered(tmp_path)["position"]) > before
    assert stat.S_IMODE(os.stat(tmp_path / "history-probe").st_mode) & 0o007 == 0
    assert history.again().check() == (0, "")


def test_history_over_a_crash(lab, chain, history):
    """A crash of the server loses nothing that was committed: no alarm."""
    lab.sql("INSERT INTO word (kind, word) SELECT 'reason', x::text FROM generate_series(1, 1000) AS x", database=chain)
    assert history.check() == (0, "")
    lab.postgres.kill()
    lab.postgres.start()
    assert history.check() == (0, "")


def accept(lab, chain):
    lab.sql("UPDATE database_history SET generation = generation + 1, accepted_at = now()", database=chain)


@pytest.mark.parametrize("role", ["extract", "dispatch"])
def test_history_with_a_service_s_rights(lab, chain, probe, tmp_path, role):
    info = lab.conninfo(chain) + f" options='-c role=smschain_{role}'"
    h = History(lambda *arguments: probe("db_probe", info, *arguments), tmp_path)
    assert h.check() == (0, "")


@pytest.mark.parametrize("change, words", [
    ({"system": 1}, "another database system"), ({"database": 1}, "created anew"), ({"timeline": 99}, "timeline"),
    ({"position": 1 << 60}, "earlier position"), ({"generation": 99}, "own record"), ({"accepted": 1}, "own record")])
def test_history_lost(lab, chain, history, tmp_path, change, words):
    edit(tmp_path, **change)
    history.again()
    for _ in range(2):
        code, why = history.check()
        assert code == 1 and words in why
    assert {k: int(v) for k, v in remembered(tmp_path).items() if k in change} == change  # not forgotten
    assert history.probe.log.count("lost history") == 1
    if "generation" not in change:
        accept(lab, chain)
        assert history.check() == (0, "") and history.again().check() == (0, "")


def test_history_of_an_old_copy(lab, chain, history, tmp_path):
    """The data directory as it was some time ago, put back."""
    data = pathlib.Path(lab.state["postgres"]["data"])
    lab.postgres.stop()
    shutil.copytree(data, tmp_path / "copy")
    try:
        lab.postgres.start()
        lab.sql("INSERT INTO word (kind, word) SELECT 'reason', x::text FROM generate_series(1, 9000) AS x",
                database=chain)
        assert history.check() == (0, "")
    finally:
        lab.postgres.stop()
        put_back(tmp_path / "copy", data)
        lab.postgres.start()
    code, why = history.check()
    assert code == 1 and "earlier position" in why
    accept(lab, chain)
    assert history.check() == (0, "")


def put_back(source, target):
    """With its owner and rights as they were."""
    owner = target.stat()
    shutil.rmtree(target)
    shutil.copytree(source, target)
    for path in [target, *target.rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid)
    os.chmod(target, 0o700)


def test_history_file_damaged(chain, history, tmp_path):
    (tmp_path / "history-probe").write_text("smschain-history 1\nsystem 1\n")
    code, why = history.again().check()
    assert code == 1 and "cannot be read" in why


def test_history_that_cannot_be_written(lab, chain, db, tmp_path):
    """What cannot be remembered is not relied on."""
    h = History(db, tmp_path / "missing")
    code, _ = h.check()
    assert code < 0
    wait_for(lambda: "cannot be remembered" in h.probe.log, 10, "the line that says so")
    (tmp_path / "missing").mkdir()
    assert h.check() == (0, "")


def test_database_without_tables(db, tmp_path):
    code, _ = History(db, tmp_path).check()
    assert code == 7 and not os.path.exists(tmp_path / "history-probe")


# ---- figures ----

def test_figures(lab, chain, probe):
    p = probe("db_probe", lab.conninfo(chain) + " options='-c role=smschain_callback'", "figures")
    lab.sql("INSERT INTO service VALUES ('render', 'old', 1, '', '{}', now() - interval '2 days')", database=chain)

    def figures():
        return lab.sql("SELECT service, part, pid, figures FROM service", database=chain)
    p.order('up "and" away')
    assert p.line() == "0"
    (service, part, pid, values), = figures()
    assert (service, part, pid) == ("dispatch", "alpha", p.process.pid)
    assert values == {"sent": 0, "state": 'up "and" away'}, json.dumps(values)
    p.order("too soon")
    assert p.line() == "0" and figures()[0][3]["sent"] == 0

    def later():
        p.order("later")
        return p.line() == "0" and figures()[0][3]["sent"] > 1
    wait_for(later, SECONDS, "the next writing", every=0.2)
    p.order("quit")
    p.end()
