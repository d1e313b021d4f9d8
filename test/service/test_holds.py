"""Runs that their figures hold, approval and waves, by extract alone against a real PostgreSQL and RabbitMQ: nothing of
a held run leaves, what holds it is said whole, a release reads and enters nothing twice; of a run in waves the first part
leaves alone, and the rest is decided about once, whoever is killed. What became of the first wave is told here by hand,
as the batching consumer would write it."""
import json

from test_extract import GROUP_ROWS, PERSONS, extract, numbers  # noqa: F401  (extract: the fixture)

DELIVERED, UNDELIVERED, ACCEPTED, RENDER_ERROR = 90, 80, 30, 43


def holds(extract, run):
    return extract.value("SELECT array_to_string(held_by, ' ') FROM run WHERE id = %s", (run,))


def planned(extract, run):
    return extract.value("SELECT planned FROM run WHERE id = %s", (run,))


def rule_with(extract, *lines, gateways=None, **more):
    """A rule with keys of its own: those of test_extract's RULE, then these lines."""
    extract.rule(**more)
    path = f"{extract.chain.conf_dir}/rules/note.yaml"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if gateways:
        text = text.replace("  - gateway: alpha\n", "".join(f"  - gateway: {g}\n    weight: {w}\n" for g, w in gateways))
    with open(path, "w", encoding="utf-8") as f:
        f.write(text + "\n".join(lines) + "\n")


def ended(extract, low, high, template=None):
    """A run over these persons that is at its end; gives it."""
    extract.persons(low, high)
    run = extract.run_rule()
    extract.wait_state(run, "read", "held")
    return run


def test_held_by_all_figures_at_once_and_released(extract):
    """Kills at each step are in here: the hold is decided in the transaction that ends the pass."""
    rule_with(extract, "hold_if_recipients_differ: 30%", "hold_render_errors: 5%", "approve: true",
              template="strict", sql="SELECT id, phone AS number, nullif(name, 'none') AS name FROM person ORDER BY id")
    with open(f"{extract.chain.conf_dir}/templates/strict.liquid", "w", encoding="utf-8") as f:
        f.write("---\nclass: service\n---\nDear {{ name }}, this is number {{ id }}.\n")
    extract.start()
    first = ended(extract, 1, 100)
    assert holds(extract, first) == "approve"  # nothing to compare with
    released = extract.chain.ctl("release", first).stdout
    assert f"released: run {first}" in released and "it sends 100 messages in 100 segments" in released
    extract.wait_state(first, "read")
    extract.check_messages(numbers(1, 100))
    assert extract.run(first)["pass"] == 1  # it was not read again
    [(by, at)] = extract.sql("SELECT released_by, released_at FROM run WHERE id = %s", (first,))
    assert "@" in by and at

    # Killed before the end's transaction and after it: the hold is there all the same, and said whole.
    extract.persons(101, 350)
    extract.chain.shop.sql("UPDATE person SET name = 'none' WHERE id BETWEEN 101 AND 120")
    extract.process.stop()
    extract.start(SMSCHAIN_FAULT="extract.read_ended:1")
    second = extract.run_rule()
    assert extract.process.wait_end(30) == -9
    assert extract.run(second)["state"] == "reading"
    extract.start(SMSCHAIN_FAULT="extract.run_ended:1")
    assert extract.process.wait_end(30) == -9
    extract.start()
    r = extract.run(second)
    assert (r["state"], r["publish"], r["rows_new"], r["pass"]) == ("held", False, 250, 2)
    assert holds(extract, second) == "recipients_differ render_errors approve"
    for words in ("150.0 % more recipients than the rule's last run (250, then 100", "8.0 % of its messages cannot be rendered"
                  " (20 of 250", "approve: true", f"smschain release {second}"):
        assert words in r["why"]
    p = planned(extract, second)
    assert (p["messages"], p["errors"], p["segments"]) == (230, 20, 230)
    assert p["costs"][0]["currency"] == "EUR" and p["reasons"][0]["examples"][0]["key"] == "id 101"
    assert len(extract.taken()) == 100  # nothing of the second one

    # A third run is held beside it; each is let go by itself, and by nothing else.
    third = ended(extract, 351, 400)
    status = extract.chain.ctl("status", check=False)
    assert status.returncode == 3
    for run in (second, third):
        assert f"smschain release {run}" in status.stdout
    assert "230 messages in 230 segments" in status.stdout and "20 rows cannot be rendered" in status.stdout
    extract.chain.ctl("cancel", third)
    extract.chain.ctl("release", second)
    assert extract.chain.ctl("release", second, check=False).returncode == 1
    extract.wait_published()
    assert len(extract.taken()) == 100 + 250 + 50  # the cancelled one's leave to end at the claim, as cancelled
    assert extract.run(second)["pass"] == 2 and extract.run(third)["state"] == "cancelled"
    extract.check_messages(numbers(1, 400))


def test_over_max_recipients_and_then_by_its_figures(extract):
    """A yes to reading on without the limit is none to what is known only at the end."""
    rule_with(extract, "approve: true", max_recipients=150)
    extract.start()
    run = ended(extract, 1, 300)
    assert holds(extract, run) == "max_recipients"
    entered = extract.run(run)["rows_new"]
    extract.chain.wait_until(lambda: planned(extract, run), 10, "the figures of what was read")
    assert f"what was read of it would send {entered} messages" in extract.chain.ctl("status", check=False).stdout
    assert "its source is read" in extract.chain.ctl("release", run).stdout
    extract.chain.wait_until(lambda: holds(extract, run) == "approve", 30, "the second hold")
    assert json.loads(extract.chain.ctl("status", "--run", run, "--json", check=False).stdout)["runs"][0]["held_by"] == ["approve"]
    assert extract.chain.ctl("status", "--run", 4711, check=False).returncode == 1
    assert extract.run(run)["rows_new"] == 300 and not extract.taken()
    assert planned(extract, run)["messages"] == 300  # those of the first pass, too
    extract.chain.ctl("release", run)
    extract.check_messages(numbers(1, 300))
    assert extract.value("SELECT array_to_string(released, ' ') FROM run WHERE id = %s", (run,)) == "approve max_recipients"


# ---- waves ----

def tell(extract, run, **states):
    """What the batching consumer would have written down of this run's messages: state=count."""
    words = {"delivered": DELIVERED, "undelivered": UNDELIVERED, "accepted": ACCEPTED, "render_error": RENDER_ERROR}
    extract.sql("DELETE FROM stats WHERE run_id = %s", (run,))
    for word, count in states.items():
        extract.sql("INSERT INTO stats VALUES (current_date, %s, 1, %s, 0, %s)", (run, words[word], count))


def wave(extract, run):
    """(wave, messages of the first, is the rest's decision due, state)"""
    return extract.sql("SELECT wave, wave_first, wave_due_at IS NOT NULL, state FROM run WHERE id = %s", (run,))[0]


def first_wave(extract, run):
    """Waits until the first wave's chunks have left; gives its size."""
    extract.chain.wait_until(lambda: not extract.value(
        "SELECT count(*) FROM outbox WHERE run_id = %s AND wave = 1 AND published_at IS NULL", (run,)), 30, "the first wave")
    assert not extract.value("SELECT count(*) FROM outbox WHERE run_id = %s AND wave = 2 AND published_at IS NOT NULL", (run,))
    in_chunks = extract.value("SELECT sum(json_array_length(body::json -> 'records')) FROM outbox WHERE run_id = %s AND wave = 1", (run,))
    assert in_chunks == wave(extract, run)[1]
    return in_chunks


def waits_for(extract, run, wanted, seconds=20):
    extract.chain.wait_until(lambda: wave(extract, run) == wanted, seconds, f"run {run} to be {wanted}, not {wave(extract, run)}")


def test_waves(extract):
    """One service, run after run: the rest leaves, is held, cancelled; small runs; killed, stopped, two of them."""
    rule_with(extract, "waves:", "  first: 2%", "  wait: 2s", "  max_undelivered: 10%", gateways=[("alpha", 19), ("beta", 1)])
    extract.start()
    extract.start(2)
    good = ended(extract, 1, 1000)
    first = first_wave(extract, good)
    counts = extract.value("SELECT wave_counts FROM run WHERE id = %s", (good,))
    assert 20 <= first <= 21 and counts[0] > 0 and counts[1] > 0 and sum(counts) == first
    planned_by = {g["gateway"]: g["messages"] for g in planned(extract, good)["gateways"]}
    assert planned_by["beta"] < 200  # a twentieth, but it has its part in the first wave
    chunks = extract.value("SELECT count(*) FROM outbox WHERE run_id = %s AND wave = 1", (good,))
    assert chunks >= 10  # of every group, so that all of the result has its part
    assert "it waits for the first wave of its run" in extract.chain.ctl("why", f"+{numbers(1000, 1000)[0]}", check=False).stdout
    tell(extract, good, accepted=first - 1)
    extract.sql("SELECT pg_sleep(2.5)")
    assert wave(extract, good) == (1, first, False, "read")  # one is not sent yet: nothing is decided
    assert f"the first wave is {first} of 1,000 messages" in extract.chain.ctl("status", check=False).stdout
    tell(extract, good, accepted=first - 11, delivered=10, undelivered=1)  # nine in ten, and half of all
    waits_for(extract, good, (1, first, True, "read"))
    extract.process.stop()  # the wait is in the table
    extract.chain.service("extract", 2).stop()
    extract.start()
    waits_for(extract, good, (2, first, True, "read"))
    extract.check_messages(numbers(1, 1000))

    # Killed after it was noted that the first wave has left, and after the decision: held, once. A release lets the rest go.
    extract.process.stop()
    extract.start(SMSCHAIN_FAULT="extract.wave_left:1")
    bad = ended(extract, 1001, 1100)
    first = first_wave(extract, bad)
    assert first == 2 and extract.value("SELECT wave_counts[1:2] FROM run WHERE id = %s", (bad,)) == [1, 1]
    tell(extract, bad, delivered=1, undelivered=1)
    assert extract.process.wait_end(30) == -9
    extract.start(SMSCHAIN_FAULT="extract.wave_decided:1")
    assert extract.process.wait_end(30) == -9
    assert wave(extract, bad) == (1, 2, True, "held") and holds(extract, bad) == "wave"
    extract.start()
    extract.start(2)
    why = extract.run(bad)["why"]
    assert "of the first wave 1 of 2 messages with a final status are undelivered, rejected or expired (50.0 %," in why
    assert f"smschain release {bad}" in why and not extract.run(bad)["publish"]
    # Beside it: the silent one is held as well, and the one whose first wave is all there is needs no decision.
    silent = ended(extract, 1101, 1150)
    tell(extract, silent, accepted=first_wave(extract, silent))
    waits_for(extract, silent, (1, 2, True, "held"))
    assert "only 0 of 2 messages have a final status" in extract.run(silent)["why"]
    single = ended(extract, 1151, 1151)
    waits_for(extract, single, (2, 1, False, "read"))
    shown = extract.chain.ctl("status", check=False).stdout
    assert f"run {bad} of note" in shown and f"run {silent} of note" in shown
    extract.chain.ctl("release", bad)
    waits_for(extract, bad, (2, 2, True, "read"))
    extract.chain.ctl("cancel", silent)  # its rest leaves too, and ends at the claim
    extract.check_messages(numbers(1, 1151))

    # Paused, cancelled while it waits; valid_for over while nobody decides.
    extract.chain.ctl("stop", "note")
    extract.persons(1152, 1200)
    late = extract.run_rule()
    extract.chain.ctl("start", "note")
    extract.wait_state(late, "read")
    first_wave(extract, late)
    extract.chain.ctl("cancel", late)
    extract.wait_published()
    old = ended(extract, 1201, 1250)
    first_wave(extract, old)
    extract.process.stop()
    extract.sql("UPDATE message SET valid_until = now() - interval '2 hours' WHERE run_id = %s", (old,))
    extract.chain.service("extract", 2).stop()
    extract.start()
    waits_for(extract, old, (2, 2, False, "read"))
    extract.check_messages(numbers(1, 1250))


def test_a_number_of_messages_first_and_a_pass_that_is_killed(extract):
    """The first wave is counted in the run's row: a new pass neither forgets nor repeats it. Approval comes before it."""
    rule_with(extract, "approve: true", "waves: {first: 130, wait: 60s}")
    extract.persons(1, 500)
    extract.start(SMSCHAIN_FAULT="extract.group_committed:2")
    run = extract.run_rule()
    assert extract.process.wait_end(30) == -9
    assert wave(extract, run)[1] == 130
    extract.start()
    extract.wait_state(run, "held")
    assert wave(extract, run) == (1, 130, False, "held") and extract.run(run)["pass"] == 2
    assert not extract.taken()
    assert "the first wave leaves now: 130 of 500" in extract.chain.ctl("release", run).stdout
    assert first_wave(extract, run) == 130
    tell(extract, run, delivered=100, render_error=30)
    waits_for(extract, run, (1, 130, True, "read"))
    extract.sql("UPDATE run SET wave_due_at = now() WHERE id = %s", (run,))
    waits_for(extract, run, (2, 130, True, "read"))
    extract.check_messages(numbers(1, 500))
