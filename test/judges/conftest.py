"""Both sides of a judgement: our functions (judged) and the second implementations (judge.js), each a process that is
asked everything at once. SMSCHAIN_TEST_SEED sets the seed, which every test prints."""
import json
import os
import pathlib
import random
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("SMSCHAIN_BUILD", HERE.parents[1] / "build-test"))
SECONDS = 120


def ask(command, lines):
    done = subprocess.run(command, input="".join(line + "\n" for line in lines), capture_output=True, text=True,
                          timeout=SECONDS, check=False, cwd=HERE)
    assert done.returncode == 0, f"{command[0]}: exit {done.returncode}\n{done.stderr[-3000:]}"
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(lines), f"{command[0]}: {len(answers)} answers to {len(lines)} questions\n{done.stderr}"
    return answers


@pytest.fixture(scope="session")
def judged():
    """judged([(word, part…)…]): what our functions answer, a line each."""
    return lambda questions: ask([BUILD / "test/judges/judged"], ["\t".join(map(str, q)) for q in questions])


@pytest.fixture(scope="session")
def judge():
    """judge([{judge: name, …}…]): what the second implementation answers."""
    assert (HERE / "node_modules").is_dir(), "the judges are not installed: run test/lab/packages.sh judges"
    return lambda questions: list(map(json.loads, ask(["node", "judge.js"], [json.dumps(q) for q in questions])))


@pytest.fixture
def dice():
    """A random.Random of this test's seed."""
    seed = int(os.environ.get("SMSCHAIN_TEST_SEED") or random.SystemRandom().randrange(2 ** 32))
    print(f"seed {seed}: SMSCHAIN_TEST_SEED={seed} asks the same again")
    return random.Random(seed)


def differences(what, pairs, limit=12):
    """pairs: (question, ours, theirs). Fails with the first of those that differ."""
    wrong = [(q, ours, theirs) for q, ours, theirs in pairs if ours != theirs]
    lines = "\n".join(f"  {q}: ours {ours}, the judge's {theirs}" for q, ours, theirs in wrong[:limit])
    assert not wrong, f"{what}: {len(wrong)} differ\n{lines}"
