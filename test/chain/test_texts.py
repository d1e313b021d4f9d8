"""Texts through the whole chain: text rules, template versions and reloading, test messages."""
import json
import os
import re
import signal
import time

import pytest
from chain import SERVICES
from checks import logged

TEMPLATE = "templates/repayment-reminder.liquid"
ALPHA = "gateways/alpha.yaml"
RULE = "repayment-reminder"


def write(chain, file, text):
    """Whole or not at all: a service may be reading it."""
    path = os.path.join(chain.conf_dir, file)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


def reload(chain, *names):
    for name in names or ("extract", "render", "dispatch", "callback"):
        chain.service(name).signal(signal.SIGHUP)


def loaded(chain, name, times):
    with open(chain.service(name).log, encoding="utf-8") as f:
        return len(re.findall("configuration (is )?loaded again", f.read())) >= times


def versions(chain):
    return dict(chain.sql("SELECT coalesce(w.word, ''), count(*) FROM message m LEFT JOIN word w ON w.id = m.version AND w.kind = 'version' "
                          "GROUP BY 1"))


def test_rules_of_a_text(make_chain):
    """A broken rule is that row's error, with reason and place; the others go out finished: footer, smart, sender."""
    chain = make_chain(before_start=lambda c: write(c, TEMPLATE, """---
class: service
smart: true
forbidden: [Schmidt]
required: [ACME]
footer: "– ACME"
max_segments: 1
---
{{ name }}, {{ name }} pays"""))
    ids = list(chain.shop.add(RULE, 20))
    chain.shop.sql("UPDATE customer SET name = 'Anna Test'")
    names = ("Otto SCHMIDT", "x" * 90, "Jo’s “Café”", "Анна")
    for row, name in enumerate(names):
        chain.shop.sql("UPDATE customer SET name = %s WHERE id = (SELECT customer_id FROM contract WHERE id = %s)", (name, ids[row]))
    chain.run_rule(RULE)
    chain.wait_final(20, 60)
    assert chain.states() == {"delivered": 18, "render_error": 2}
    reasons = dict(chain.sql("SELECT r.word, e.error FROM event e JOIN word r ON r.id = e.reason WHERE e.state = 43"))
    assert set(reasons) == {"forbidden_word", "text_too_long"}
    assert all("repayment-reminder.liquid:9: " in e and "Otto" not in e for e in reasons.values()), reasons
    texts = [s["text"] for s in chain.all_submits()]
    assert sorted(texts) == sorted(map(logged, ["Anna Test, Anna Test pays - ACME"] * 16 +
                                      ["Jo's \"Café\", Jo's \"Café\" pays - ACME", "Анна, Анна pays – ACME"]))
    chain.check_invariants(in_doubt=0)


def test_versions_and_their_difference(make_chain):
    chain = make_chain()
    chain.fill_shop(40, [RULE])
    chain.run_rule(RULE)
    chain.wait_final(40, 60)
    [before] = versions(chain)
    chain.change_conf(TEMPLATE, "Thank you!", "Many thanks!")
    assert "not seen by extract yet" in chain.ctl("diff-template", RULE).stdout
    reload(chain, "extract", "render")
    chain.wait_until(lambda: loaded(chain, "extract", 1) and loaded(chain, "render", 1), 30, "the reload")
    chain.shop.add(RULE, 10)
    chain.run_rule(RULE)
    chain.wait_final(50, 60)
    counts = versions(chain)
    [after] = set(counts) - {before}
    assert counts == {before: 40, after: 10}
    shown = chain.ctl("diff-template", RULE).stdout
    assert f"{after}  first seen" in shown and f"{before}  first seen" in shown and " 40\n" in shown and " 10\n" in shown
    assert "\n- Dear" in shown and "\n+ Dear" in shown and "\n  class: service" in shown
    one = json.loads(chain.ctl("diff-template", RULE, before[:6], after, "--json").stdout)
    assert (one["from"], one["to"]) == (before, after)
    assert [v["kept"] for v in one["versions"]] == [True, True]
    assert [list(v["messages"].values()) for v in one["versions"]] == [[10], [40]]
    assert sum(line.startswith("-") for line in one["diff"]) == sum(line.startswith("+") for line in one["diff"]) == 1
    refused = chain.ctl("diff-template", "repayment-remindr", check=False)
    assert refused.returncode == 1 and "did you mean 'repayment-reminder'" in refused.stderr
    assert chain.ctl("diff-template", RULE, "zzzz", check=False).returncode == 1
    chain.sql("DELETE FROM template_version WHERE version = %s", (before,))
    assert f"{before}  ITS TEXT IS NOT KNOWN" in chain.ctl("diff-template", RULE).stdout
    chain.check_invariants(in_doubt=0)


def test_reloads_all_the_time(make_chain):
    """A campaign under SIGHUPs with changed templates, rates and windows, and with configurations that are refused: each message
    once, with the text of the version that it remembers."""
    count, head = 3000, "---\nclass: service\n---\n"
    rule = f"rules/{RULE}.yaml"
    chain = make_chain(knobs={"answer_delay_ms": 20}, change=[
        ("smschain.yaml", "# group_rows: 500", "group_rows: 50"), (rule, "start: when_read", "start: at_once"),
        (rule, "i.contract_id\n  FROM", "i.contract_id, pg_sleep(0.004)::text AS slept\n  FROM"), (rule, "  ORDER BY i.contract_id\n", "")])
    chain.fill_shop(count, [RULE])
    with open(os.path.join(chain.conf_dir, ALPHA), encoding="utf-8") as f:
        alpha = f.read()
    chain.run_rule(RULE)
    turn, deadline = 0, time.monotonic() + 150
    while chain.states().get("delivered", 0) < count:
        assert time.monotonic() < deadline, f"{chain.states()}\n{chain.describe()}"
        turn += 1
        write(chain, TEMPLATE, head + (f"Text {turn} {{{{ broken" if turn % 4 == 3 else f"Text {turn}"))
        write(chain, ALPHA, alpha.replace("max_attempts:", f"max_attempts: {3 + turn % 3} #") + f"\n# {turn}\n")
        reload(chain)
        time.sleep(0.2)
    assert chain.states() == {"delivered": count}
    counts = versions(chain)
    assert "" not in counts and len(counts) > 2, f"{turn} turns: {counts}"
    kept = dict(chain.sql("SELECT version, text FROM template_version WHERE template = %s", (RULE,)))
    assert set(counts) <= set(kept), "versions whose text nobody has kept"
    submitted = {s["number"]: s["text"] for s in chain.all_submits()}
    for number, version in chain.sql("SELECT m.number, w.word FROM message m JOIN word w ON w.id = m.version"):
        assert submitted[number] == logged(kept[version].split("---\n")[-1]), version
    for name in ("extract", "render", "dispatch", "callback"):
        with open(chain.service(name).log, encoding="utf-8") as f:
            log = f.read()
        assert re.search("configuration (is )?loaded again", log), name
        assert "the new configuration has errors, the old one stays" in log and "repayment-reminder.liquid:4:8" in log, name
    write(chain, TEMPLATE, head + "Text")  # the last one may be broken, and `smschain status` refuses it
    chain.check_invariants(in_doubt=0)


def test_a_gateway_more_and_one_less(make_chain):
    """A gateway that comes gets its dispatcher, and messages wait until its queue is there; one that goes sends what it has first."""
    rule = f"rules/{RULE}.yaml"
    chain = make_chain(change=[(rule, "  - gateway: alpha\n    weight: 3\n  - gateway: beta\n    weight: 1", "  - gateway: alpha")])

    def reloaded(times):
        reload(chain)
        chain.wait_until(lambda: all(loaded(chain, n, times) for n in ("render", "dispatch", "extract", "callback")), 30, "the reload")

    def sent(gateway):
        return chain.value("SELECT count(*) FROM message m JOIN word w ON w.id = m.gateway WHERE w.word = %s AND m.state >= 30", (gateway,))

    chain.wait_until(lambda: all("msg=started" in chain.service(n).tail(1000) for n in SERVICES), 30, "their start")
    with open(os.path.join(chain.conf_dir, ALPHA), encoding="utf-8") as f:
        write(chain, "gateways/omega.yaml", f.read().replace("rate: ${SMSCHAIN_ALPHA_RATE:-1000}", "rate: 20"))
    chain.change_conf(rule, "gateway: alpha", "gateway: omega")
    reloaded(1)
    chain.fill_shop(20, [RULE])
    chain.run_rule(RULE)
    chain.wait_until(lambda: "run smschain migrate" in chain.service("render").tail(), 30, "render to say what is missing")
    assert not chain.all_submits()
    chain.ctl("migrate")
    chain.wait_until(lambda: sent("omega") == 20, 90, "messages by the new gateway")
    chain.shop.add(RULE, 100)  # five seconds of work
    chain.run_rule(RULE)
    chain.wait_until(lambda: sent("omega") > 20, 30, "the first of them")
    os.remove(os.path.join(chain.conf_dir, "gateways/omega.yaml"))
    chain.change_conf(rule, "gateway: omega", "gateway: alpha")
    reloaded(2)
    chain.wait_until(lambda: sent("omega") == 120, 60, "the rest of them")
    chain.wait_until(lambda: 'msg="dispatcher ended" gateway=omega' in chain.service("dispatch").tail(), 60, "the dispatcher's end")
    chain.shop.add(RULE, 10)
    chain.run_rule(RULE)
    chain.wait_until(lambda: sent("alpha") == 10, 60, "messages by the other gateway")
    assert len(chain.all_submits()) == 130


def test_test_messages(make_chain):
    chain = make_chain()
    chain.fill_shop(30, [RULE])
    chain.ctl("suppress", "add", "+491719999903", "--scope", "all")
    done = chain.ctl("test", RULE, "--to", "+491719999901,+491719999902", "--yes", "--wait", "60s", "--json")
    told = json.loads(done.stdout)
    assert [m["state"] for m in told["messages"]] == ["delivered", "delivered"]
    assert {s["text"] for s in chain.all_submits()} == {logged(told["text"])} and told["segments"] == 1
    assert "491719999901" not in done.stdout
    assert chain.sql("SELECT r.origin, u.name, r.rows_new FROM run r JOIN rule u ON u.id = r.rule_id") == [("test", "test:" + RULE, 2)]
    again = chain.ctl("test", RULE, "--to", "+491719999903", "--yes", "--wait", "5s", check=False)
    assert again.returncode == 1 and "suppressed" in again.stdout
    named = ("test", RULE, "--to", "+491719999904", "--once", "ticket 7", "--yes", "--wait", "60s")
    first, second = chain.ctl(*named).stdout, chain.ctl(*named).stdout
    assert first == second and len(chain.all_submits()) == 3
    for words, why in (((RULE, "--to", "call me"), "that is" ), ((RULE, "--to", "+491719999901,+491719999901"), "twice"),
                       (("nope", "--to", "+491719999901"), "no rule"), ((RULE, "--to", "+491719999901", "--row", "99"), "30 rows"),
                       ((RULE, "--to", ",".join(f"+4917199999{i:02}" for i in range(11))), "more than 10")):
        refused = chain.ctl("test", *words, "--yes", check=False)
        assert refused.returncode == 1 and (why in refused.stderr or "none" in refused.stderr), refused.stderr
    assert "there is no terminal" in chain.ctl("test", RULE, "--to", "+491719999901", check=False).stderr
    status = json.loads(chain.ctl("status", "--json", check=False).stdout)
    assert status["runs"] == [] and status["counts"]["tests_today"] == 3
    run = chain.run_rule(RULE)  # the test took no key: the rule's own run finds all of its rows new
    chain.wait_final(33, 60)
    assert chain.value("SELECT rows_new FROM run WHERE id = %s", (run,)) == 30
    assert [r["rule"] for r in json.loads(chain.ctl("status", "--json", check=False).stdout)["runs"]] == [RULE]
    chain.check_invariants(in_doubt=0)


def test_extract_was_not_told(make_chain):
    """Render has a template that extract has not loaded: the batching consumer keeps its text if it has it; else it is shown."""
    chain = make_chain()
    for number, told in ((10, ("render", "callback")), (20, ("render",))):
        chain.change_conf(TEMPLATE, "Thank you" if number == 10 else "10 thanks", f"{number} thanks")
        chain.wait_until(lambda: all("msg=started" in chain.service(n).tail(1000) for n in SERVICES), 30, "their start")
        reload(chain, *told)
        chain.wait_until(lambda: loaded(chain, "render", number // 10), 30, "the reload")
        chain.wait_until(lambda: loaded(chain, "callback", 1), 30, "the reload")
        chain.shop.add(RULE, 10)
        chain.run_rule(RULE)
        chain.wait_final(number, 60)
    told = versions(chain)
    kept = {v for v, in chain.sql("SELECT version FROM template_version WHERE template = %s", (RULE,))}
    assert len(told) == 2 and len(set(told) & kept) == 1
    [unknown] = set(told) - kept
    assert f"{unknown}  configured here, not seen by extract yet" in chain.ctl("diff-template", RULE).stdout
    chain.change_conf(TEMPLATE, "20 thanks", "30 thanks")
    assert f"{unknown}  ITS TEXT IS NOT KNOWN" in chain.ctl("diff-template", RULE).stdout
    chain.check_invariants(in_doubt=0)


@pytest.mark.parametrize("point,entered", [("ctl.test_entering", 0), ("ctl.test_entered", 1)])
def test_a_test_is_killed(make_chain, point, entered):
    """Entered or not, nothing in between; said again with the same word it is one message."""
    chain = make_chain()
    chain.fill_shop(3, [RULE])
    words = ("test", RULE, "--to", "+491719999901", "--once", "a", "--yes", "--wait", "60s")
    chain.more_environment = {**chain.more_environment, "SMSCHAIN_FAULT": f"{point}:1"}
    assert chain.ctl(*words, check=False).returncode == -9
    chain.more_environment.pop("SMSCHAIN_FAULT")
    assert chain.value("SELECT count(*) FROM message") == entered
    chain.ctl(*words)
    assert len(chain.all_submits()) == 1 and chain.states() == {"delivered": 1}
    chain.check_invariants(in_doubt=0)
