"""A private MariaDB for the tests of ODBC sources, and where the ODBC drivers are. It belongs to a Lab (servers.py): same
directory, mark and end; only tests that need it start it."""
import contextlib
import glob
import os
import secrets
import shutil
import signal
import subprocess

from kinds import START_SECONDS, STOP_SECONDS, Server
from processes import MARK, LabError, account, passed_on, spawn, wait_for


def odbc_driver(name):
    """The file of a driver, wherever Debian's architecture folder is."""
    found = glob.glob(f"/usr/lib/*/odbc/{name}.so")
    if not found:
        raise LabError(f"the ODBC driver {name} is not installed (Debian: odbc-mariadb, libsqliteodbc)")
    return found[0]


class MariaDB(Server):
    name = "mariadb"

    def __init__(self, lab):
        super().__init__(lab)
        lab.state.setdefault(self.name, {})
        self.user = account("mysql", "nobody")

    def _env(self):
        return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "TZ": "UTC", MARK: self.lab.id, **passed_on()}

    def _create(self):
        data = self._own("data")
        self.state.update(host="127.0.0.1", user="smschain_admin", password=secrets.token_hex(12), data=data,
                          log=os.path.join(self.lab.data_dir, self.name, "mariadb.log"))
        command = ["/usr/bin/mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                   "--auth-root-authentication-method=normal"]
        process = spawn(command, self.user, self._env(), data, self.state["log"], 0)
        if process.wait(timeout=START_SECONDS) != 0:
            raise LabError(f"mariadb-install-db failed; see {self.state['log']}\n{self.log_tail()}")
        init = os.path.join(self._own(""), "init.sql")
        self._write(init, "DELETE FROM mysql.global_priv WHERE user <> 'mariadb.sys';\nFLUSH PRIVILEGES;\n"
                          f"CREATE USER smschain_admin@'127.0.0.1' IDENTIFIED BY '{self.state['password']}';\n"
                          "GRANT ALL ON *.* TO smschain_admin@'127.0.0.1' WITH GRANT OPTION;\n")
        self.lab.save()
        return init

    def start(self):
        if self.pid:
            return
        if not shutil.which("mariadbd", path=self._env()["PATH"]):
            raise LabError("MariaDB is not installed (Debian: mariadb-server)")
        init = None if self.state.get("data") else self._create()
        self.state["port"] = self._same_port("port")
        home = os.path.dirname(self.state["data"])
        # A zone that is not UTC: what comes out must not follow it.
        command = ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.state['data']}", f"--port={self.state['port']}",
                   "--bind-address=127.0.0.1", "--skip-name-resolve", "--socket=sock", f"--pid-file={home}/pid",
                   "--character-set-server=utf8mb4", "--default-time-zone=+05:30", "--innodb-buffer-pool-size=64M"]
        if init:
            command.append(f"--init-file={init}")
        process = spawn(command, self.user, self._env(), home, self.state["log"],
                        self.lab.die_with_parent and signal.SIGTERM)
        self._spawned(process)

        def ready():
            if process.poll() is not None:
                raise LabError(f"MariaDB ended with {process.returncode}; see {self.state['log']}\n{self.log_tail()}")
            with contextlib.suppress(LabError):
                return self.sql("SELECT 1") == [("1",)]
        try:
            wait_for(ready, START_SECONDS, "MariaDB's answer")
        except LabError as e:
            raise LabError(f"{e}\n{self.log_tail()}") from None

    def stop(self):
        self._end([(signal.SIGTERM, STOP_SECONDS)])

    def sql(self, statements, database=""):
        """Runs statements as the administrator; gives the rows of all of them, as texts (None: NULL)."""
        command = ["mariadb", "--no-defaults", "--protocol=tcp", f"--host={self.state['host']}",
                   f"--port={self.state['port']}", f"--user={self.state['user']}", "--default-character-set=utf8mb4",
                   "--batch", "--skip-column-names", database]
        done = subprocess.run(command, input=statements, env={**self._env(), "MYSQL_PWD": self.state["password"]},
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise LabError(f"mariadb: {done.stderr}")
        return [tuple(None if v == "NULL" else v for v in line.split("\t")) for line in done.stdout.splitlines()]

    def create_database(self, prefix="t"):
        """A new database, and a user `reader` who may only read it."""
        name = f"{prefix}_{secrets.token_hex(4)}"
        self.sql(f"CREATE DATABASE {name}; CREATE USER IF NOT EXISTS reader@'127.0.0.1' IDENTIFIED BY 'reader-secret';"
                 f" GRANT SELECT ON {name}.* TO reader@'127.0.0.1'")
        return name

    def connection(self, database, user="reader", password="reader-secret"):
        """An ODBC connection string by the driver's file: nothing needs to be in odbcinst.ini."""
        return (f"DRIVER={odbc_driver('libmaodbc')};SERVER={self.state['host']};PORT={self.state['port']};"
                f"DATABASE={database};UID={user};PWD={password}")


def sqlite_connection(path):
    return f"DRIVER={odbc_driver('libsqlite3odbc')};Database={path}"
