"""What the tests of the page share: a browser, one private pair of servers, and where the screenshots go
(SMSCHAIN_SCREENSHOTS, else build-browser/screenshots)."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "test/lab"))
from fixtures import lab, make_chain  # noqa: E402,F401

SHOTS = pathlib.Path(os.environ.get("SMSCHAIN_SCREENSHOTS") or ROOT / "build-browser/screenshots")


class Browser:
    """Debian's Chromium behind browser.js, which says what can be asked of it."""

    def __init__(self, log):
        assert (HERE / "node_modules").is_dir(), "the browser's packages are not installed: run test/lab/packages.sh browser-npm"
        self.log = log
        with open(log, "w", encoding="utf-8") as err:
            self.process = subprocess.Popen(["node", "browser.js"], cwd=HERE, text=True, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=err)

    def __call__(self, do, **more):
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the browser ended: {self.log.read_text(encoding='utf-8')[-3000:]}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def texts(self, selector):
        return self("text", selector=selector)["texts"]

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.write('{"do": "end"}\n')
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def browser(tmp_path):
    one = Browser(tmp_path / "browser.log")
    yield one
    one.close()


@pytest.fixture(scope="session")
def shots():
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS
