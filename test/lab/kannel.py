"""A private Kannel as a real gateway: bearerbox, smsbox and its fakesmsc, each a process with a log, on ports and in a
directory of its own. What fakesmsc receives is what phones would have got: the judge of "twice"."""
import os
import socket
import urllib.error
import urllib.parse
import urllib.request

import servers
from chain import Process, kept_environment
from servers import wait_for

FAKESMSC = "/usr/lib/kannel/test/fakesmsc"
PROGRAMS = {"bearerbox": "/usr/sbin/bearerbox", "smsbox": "/usr/sbin/smsbox", "fakesmsc": FAKESMSC}
CONFIGURATION = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
status-password = {password}
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-deny-ip = "*.*.*.*"
box-allow-ip = "127.0.0.1"
dlr-storage = internal
store-type = spool
store-location = {directory}/spool
store-dump-freq = 1
log-level = 1

group = smsc
smsc = fake
smsc-id = FAKE
port = {smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
smsbox-id = sms
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
sendsms-chars = "0123456789 +-"
http-request-retry = 20
http-queue-delay = 1
log-level = 1

group = sendsms-user
username = {user}
password = {password}
max-messages = 10
concatenation = true
"""


class Kannel:
    user = "smschain"

    def __init__(self, directory, ports, password):
        """ports: those that are taken; its own are added."""
        self.dir, self.password = os.path.abspath(directory), password
        os.makedirs(os.path.join(self.dir, "spool"), exist_ok=True)
        self.ports = {}
        for name in ("admin", "box", "smsc", "sendsms"):
            self.ports[name] = servers.free_port(ports)
            ports.add(self.ports[name])
        self.conf = os.path.join(self.dir, "kannel.conf")
        with open(self.conf, "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(CONFIGURATION.format(directory=self.dir, user=self.user, password=self.password, **self.ports))
        self.processes = {}
        for name, program in PROGRAMS.items():
            more = ["-H", "127.0.0.1", "-r", str(self.ports["smsc"]), "-m", "0", "0 0 text never"] \
                if name == "fakesmsc" else [self.conf]
            self.processes[name] = Process(name, [program, *more], kept_environment(), os.path.join(self.dir, f"{name}.log"))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.ports['sendsms']}"

    def start(self):
        """From the network inwards: smsbox takes messages only when all of it stands."""
        self.start_one("bearerbox", lambda: self._listens("box") and self._listens("smsc"))
        self.start_one("fakesmsc", lambda: "online" in self.status())
        self.start_one("smsbox", lambda: self._listens("sendsms") and "smsbox:sms" in self.status())
        return self

    def start_one(self, name, ready):
        process = self.processes[name].start()

        def look():
            if not process.alive:
                raise servers.LabError(f"{name} ended with {process.exit_code}\n{process.tail()}")
            return ready()
        wait_for(look, 30, f"Kannel's {name}", every=0.1)

    def _listens(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.ports[port])) == 0

    def admin(self, command):
        url = f"http://127.0.0.1:{self.ports['admin']}/{command}?" + urllib.parse.urlencode({"password": self.password})
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode(errors="replace")

    def status(self):
        try:
            return self.admin("status.txt")
        except (OSError, urllib.error.URLError):
            return ""

    def stop(self):
        """Ends what runs, smsbox first; a bearerbox that cannot end by itself within its time is killed."""
        trouble = []
        for name in ("smsbox", "bearerbox", "fakesmsc"):
            try:
                self.processes[name].stop(30)
            except AssertionError as e:
                trouble.append(str(e))
        assert not trouble, "\n".join(trouble)

    def log(self, name):
        with open(self.processes[name].log, encoding="utf-8", errors="replace") as f:
            return f.read()
