"""smschain plan says beforehand what the run then does, figure by figure, and does nothing itself."""
import collections
import json
from decimal import Decimal

RULE = "repayment-reminder"


def plan(chain, *more, code=(0, 3), rule=RULE):
    done = chain.ctl("plan", rule, "--json", *more, check=False)
    assert done.returncode in code, done.stdout + done.stderr
    return json.loads(done.stdout)


def everything(chain):
    """What stands in the tables that a run writes."""
    return {table: chain.value(f"SELECT count(*) FROM {table}")
            for table in ("run", "run_skip", "dedupe", "message", "outbox", "template_version")}


def prices(chain):
    """Both gateways have prices of their own."""
    chain.change_conf("gateways/alpha.yaml", "    price: 0.0725", "    price: 0.123457")
    with open(f"{chain.conf_dir}/gateways/beta.yaml", "a", encoding="utf-8") as f:
        f.write("\nprices:\n  - {prefix: 49, price: 0.05, currency: CHF}\n  - {price: 1, currency: EUR}\n")


def fill(chain):
    """Every kind of row; gives the contracts of the odd ones."""
    chain.fill_shop(300, [RULE])
    ids = list(chain.shop.add(RULE, 6))
    chain.shop.sql("ALTER TABLE instalment ALTER amount DROP NOT NULL")
    chain.shop.sql("UPDATE customer SET phone = 'call me' WHERE id = %s", (ids[0],))
    chain.shop.sql("UPDATE customer SET phone = '' WHERE id = %s", (ids[1],))
    chain.shop.sql("UPDATE instalment SET amount = NULL WHERE contract_id = %s", (ids[2],))
    chain.shop.sql("UPDATE customer SET name = '“Jo” ' || repeat('Ж', 10) WHERE id = %s", (ids[3],))
    chain.shop.sql("UPDATE customer SET name = repeat('{', 90) WHERE id = %s", (ids[4],))
    chain.shop.sql("UPDATE customer SET phone = '+491719999999' WHERE id = %s", (ids[5],))
    chain.ctl("suppress", "add", "+491719999999", "--reason", "ticket 4711")
    return ids


def submitted(chain, run):
    """What really happened: messages and segments by gateway and shape, prices by hand."""
    rows = chain.sql("SELECT w.word, m.segments, m.number FROM message m JOIN word w ON w.id = m.gateway"
                     " WHERE m.run_id = %s AND m.state <> 43", (run,))
    gateways, costs = collections.Counter(), collections.Counter()
    for gateway, segments, number in rows:
        german = str(number).startswith("49")
        gateways[gateway] += 1
        price, currency = {("alpha", True): ("0.123457", "EUR"), ("alpha", False): ("0.0950", "EUR"),
                           ("beta", True): ("0.05", "CHF"), ("beta", False): ("1", "EUR")}[gateway, german]
        costs[currency] += Decimal(price) * segments
    return rows, gateways, costs


def test_plan_is_what_the_run_does(make_chain):
    chain = make_chain(before_start=prices)
    ids = fill(chain)
    before = everything(chain)
    told = plan(chain)
    assert everything(chain) == before, "a plan enters nothing"
    run = chain.run_rule(RULE)
    messages = told["planned"]["messages"]
    chain.wait_final(messages + 1, 90)
    read, new, duplicate, invalid, suppressed = chain.sql(
        "SELECT rows_read, rows_new, rows_duplicate, rows_invalid, rows_suppressed FROM run WHERE id = %s", (run,))[0]
    assert (told["rows"], told["recipients"], told["duplicate"], told["invalid"], told["suppressed"]) == (
        read, new, duplicate, invalid, suppressed) == (306, 303, 0, 2, 1)
    assert told["invalid_by"] == dict(chain.sql(
        "SELECT reason, count(*) FROM run_skip WHERE run_id = %s AND kind = 'invalid' GROUP BY reason", (run,)))
    assert told["suppressed_by"] == {"ticket 4711": 1}
    rows, gateways, costs = submitted(chain, run)
    assert len(gateways) == 2, "both gateways have some"
    assert {g["gateway"]: g["messages"] for g in told["planned"]["gateways"]} == gateways
    assert {c["currency"]: Decimal(c["amount"]) for c in told["planned"]["costs"]} == costs
    assert sum(s for _, s, _ in rows) == told["planned"]["segments"]
    by_segments = collections.Counter()
    for shape in told["planned"]["shapes"]:
        by_segments[shape["segments"]] += shape["messages"]
    assert by_segments == collections.Counter(s for _, s, _ in rows)
    assert len(by_segments) > 1
    assert {chr(c["code"]) for c in told["planned"]["characters"]} == {"“", "”", "Ж"}
    errors = chain.sql("SELECT e.error FROM event e JOIN message m USING (sms_id) WHERE m.run_id = %s AND e.state = 43", (run,))
    reason, = told["planned"]["reasons"]
    assert reason["count"] == told["planned"]["errors"] == len(errors) == 1
    assert [x["error"] for x in reason["examples"]] == [errors[0][0]]
    assert f"contract_id {ids[2]}, due_on 20" in reason["examples"][0]["key"]
    again = plan(chain)
    assert again["recipients"] == 0 and again["duplicate"] == new
    assert again["last_run"]["recipients"] == new and again["last_run"]["run"] == run
    assert again["last_run"]["planned"] == told["planned"], "extract has written down what was planned"
    shown = chain.ctl("plan", RULE, check=False).stdout
    assert f"last run         {run} of " in shown and ": 303 recipients, now -303; cost " in shown
    chain.check_invariants(in_doubt=0)


def test_what_a_person_sees(make_chain):
    holds = ("rules/repayment-reminder.yaml", "valid_for: 12h",
             "approve: true\nhold_render_errors: 0%\nwaves: {first: 1%}\nvalid_for: 12h")
    chain = make_chain(before_start=prices, only=(), change=[holds])
    ids = fill(chain)
    number = chain.shop.sql("SELECT phone FROM customer WHERE id <> ALL (%s) ORDER BY id LIMIT 1", (ids,))[0][0]
    done = chain.ctl("plan", RULE, "--sample", "400", check=False)
    assert done.returncode == 3 and not done.stderr, done.stderr
    for words in ("recipients", "ticket 4711", "letters 1", "empty 1", "repayment-reminder.liquid:", "UCS-2 because of",
                  "“ (U+201C)", "EUR", "CHF", "none was read to its end", "it goes out in waves: 1% first, the rest 1800 s later",
                  "the run would be held (smschain release): 0.3 % of its messages cannot be rendered (1 of 303, hold_render_errors: 0%);"
                  " every run of this rule waits for a person"):
        assert words in done.stdout, f"{words}\n{done.stdout[:3000]}"
    assert number.lstrip("+") not in done.stdout, "numbers are masked"


def refused(chain, *arguments):
    done = chain.ctl("plan", *arguments, check=False)
    return done.returncode, done.stderr


def test_errors_say_where_and_what(make_chain):
    chain = make_chain(only=())
    code, said = refused(chain, "no-such-rule")
    assert code == 1 and "no rule no-such-rule" in said
    assert refused(chain)[0] == refused(chain, RULE, "--at", "yesterday")[0] == refused(chain, RULE, "--sample", "x")[0] == 2
    over = plan(chain, "--at", "2020-01-31T08:15:00Z")
    assert any("valid_for is over" in line for line in over["mind"])
    assert any("extract has not seen" in line for line in over["mind"])
    chain.change_conf(f"rules/{RULE}.yaml", "c.name, i.amount", "c.naem, i.amount")
    code, said = refused(chain, RULE)
    assert code == 1 and f"{RULE}.yaml:" in said and "naem" in said, said
    chain.change_conf(f"rules/{RULE}.yaml", "c.phone AS number, c.naem", "c.phone AS nummer, c.name")
    chain.fill_shop(3, [RULE])
    code, said = refused(chain, RULE)
    assert code == 1 and "no column number, which number_column names" in said, said
    chain.shop.drop()
    code, said = refused(chain, RULE)
    assert code == 4 and "source shop" in said and "is away" in said, said


def preview(chain, *arguments, code=0):
    done = chain.ctl("preview", *arguments, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_preview(make_chain):
    chain = make_chain(before_start=prices, only=())
    ids = fill(chain)
    row = ["name=Jo {x}", "amount=12.5", "due_on=2026-02-01", "contract_id=7"]
    text = "Dear Jo {x}, 12,50 EUR for contract 7 are due on 01.02.2026. Thank you!"
    said = preview(chain, RULE, *row)
    assert f"gsm7, 1 segment, {len(text) + 2} septets\nsegment 1 of 1\n  {text}\n          2 2\n" in said
    said = preview(chain, RULE, "--row", json.dumps({"name": "Жo" + "x" * 30, "amount": 12.5, "due_on": "2026-02-01",
                                                     "contract_id": 7}))
    lines = said.splitlines()
    assert lines[0].startswith("ucs2, 2 segments") and "segment 2 of 2" in lines and len(lines[2]) == 67 + 2
    assert lines[3] == " " * 7 + "!" and "UCS-2 because of Ж (U+0416)" in said
    said = preview(chain, RULE, "name=Jo", "amount=x", code=1)
    template = open(f"{chain.conf_dir}/templates/{RULE}.liquid", encoding="utf-8").read().splitlines()
    place = said.splitlines()[1].split(": ")[0].rsplit(":", 2)
    assert said.splitlines()[2].strip() == template[int(place[1]) - 1]
    assert template[int(place[1]) - 1][said.splitlines()[3].index("^") - 2:].startswith("money")
    assert int(place[2]) == said.splitlines()[3].index("^") - 1
    said = preview(chain, "--rule", RULE, "--key", ids[3])
    assert "Ж" in said and "to +49" in said and (" CHF" in said or " EUR" in said)
    assert "its number is invalid (letters)" in preview(chain, "--rule", RULE, "--key", ids[0], code=1)
    assert "column 'amount' is NULL" in preview(chain, "--rule", RULE, "--key", ids[2], code=1)
    assert "no row's once_per begins with '99999'" in preview(chain, "--rule", RULE, "--key", "99999", code=1)
    assert "no template nope" in preview(chain, "nope", code=1)
    assert "is no column=value" in preview(chain, RULE, "naem", code=2)
    assert "--row is not JSON" in preview(chain, RULE, "--row", "{", code=2)
    assert json.loads(preview(chain, RULE, *row, "--json"))["text"] == text
