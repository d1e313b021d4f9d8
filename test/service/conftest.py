"""What the service tests share: one private pair of servers for the whole session, and the probes as processes."""
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/lab"))
from servers import Lab  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SMSCHAIN_BUILD", ROOT / "build-test"))
SECONDS = 60


class Probe:
    """A probe that runs: lines from it, orders to it. Every wait has a deadline."""

    def __init__(self, program, *arguments):
        self.lines, self.seen = queue.Queue(), []
        self.process = subprocess.Popen([BUILD / "test/service" / program, *map(str, arguments)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.errors = []
        self.threads = [threading.Thread(target=self._read, args=a, daemon=True) for a in (
            (self.process.stdout, self.lines.put), (self.process.stderr, self.errors.append))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _read(stream, take):
        for line in stream:
            take(line.rstrip("\n"))
        take(None)

    @property
    def log(self):
        return "\n".join(line for line in self.errors if line)

    def line(self, seconds=SECONDS):
        """The next line; None at the end."""
        try:
            text = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no line within {seconds} s; the last: {self.seen[-5:]}\n{self.log}") from None
        if text is not None:
            self.seen.append(text)
        return text

    def expect(self, begins, seconds=SECONDS):
        """Reads up to a line that begins so, and gives its words."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.line(max(deadline - time.monotonic(), 0.01))
            assert text is not None, f"ended before '{begins}'\n{self.log}"
            if text.startswith(begins):
                return text.split()

    def nothing(self, begins, seconds):
        """For so long no line begins so."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                text = self.lines.get(timeout=left)
            except queue.Empty:
                return
            assert text is not None, f"ended\n{self.log}"
            self.seen.append(text)
            assert not text.startswith(begins), text

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self, seconds=SECONDS):
        """Waits until it ends by itself: all its lines."""
        deadline = time.monotonic() + seconds
        while self.line(max(deadline - time.monotonic(), 0.01)) is not None:
            pass
        code = self.process.wait(10)
        for thread in self.threads:
            thread.join(10)
        assert code == 0, f"exit code {code}\n{self.log}"
        assert "Sanitizer" not in self.log and "runtime error" not in self.log, self.log
        return self.seen

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    lab = Lab.start(str(tmp_path_factory.mktemp("lab")), die_with_parent=True)
    yield lab
    lab.stop(clean=True)


@pytest.fixture
def probe():
    """probe(program, arguments…) starts one; all of them are gone at the end of the test."""
    started = []

    def start(program, *arguments):
        started.append(Probe(program, *arguments))
        return started[-1]
    yield start
    for one in started:
        one.close()


def pytest_collection_modifyitems(items):
    """What waits for the servers' own time limits comes first, in one worker: then the others work meanwhile, and nobody waits
    for it at the end."""
    items.sort(key=lambda item: "test_stopped" not in item.nodeid)
