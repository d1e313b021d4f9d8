"""The sample adapter (conf/adapters/) as a process of a chain: the gateway adapter-like of the fake gateway stands behind it."""
import hashlib
import os
import shutil
import socket
import sys

import servers
from servers import wait_for

NAME = "adapter-like"
PROGRAM = os.path.join(os.path.dirname(__file__), "../../conf/adapters/sample_adapter.py")


def socket_directory(chain):
    """A Unix socket's whole path must stay under 108 bytes."""
    if len(chain.dir) <= 80:
        return chain.dir
    return f"/tmp/sms-{hashlib.sha256(chain.dir.encode()).hexdigest()[:16]}"


def adapter_of(chain, process, environment):
    """The chain's adapter, not started. process: the class Process."""
    class Adapter(process):
        def __init__(self):
            self.directory = socket_directory(chain)
            self.socket = os.path.join(self.directory, "adapter.sock")
            self.port = servers.free_port(chain.ports)
            chain.ports.add(self.port)
            self.report_url = f"http://127.0.0.1:{self.port}/report/{NAME}"
            command = [sys.executable, PROGRAM, "--socket", self.socket,
                       "--vendor-url", f"http://127.0.0.1:{chain.gateway.port}/g/{NAME}/send", "--listen",
                       f"127.0.0.1:{self.port}", "--timeout", "4"]  # a call that hangs is waited for at its end
            super().__init__("adapter", command, environment, os.path.join(chain.dir, "adapter.log"))

        def start(self, **more):
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            super().start(**more)
            wait_for(self._listens, 20, "the adapter")
            return self

        def _listens(self):
            if not self.alive:
                raise servers.LabError(f"the adapter ended: {self.tail()}")
            with socket.socket(socket.AF_UNIX) as s:
                return s.connect_ex(self.socket) == 0

        def stop(self, seconds=60):
            code = super().stop(seconds)
            if self.directory != chain.dir:
                shutil.rmtree(self.directory)
            return code
    return Adapter()
