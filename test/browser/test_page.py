"""The page in a browser, over a running chain: its numbers move while a campaign runs and are the tables' at the end, and
every page is without errors, violations of its policy and of axe-core's rules, light and dark, on a desk and on a phone."""
import re
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

VIEWER, OPERATOR = "viewer-token-0123456789", "operator-token-0123456789"
N = 300
FORMS = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]  # scheme, width


class Site:
    """The chain and its page."""

    def __init__(self, chain):
        self.chain = chain
        self.url = f"http://127.0.0.1:{chain.dashboard_port}"
        chain.service("dashboard").start()
        chain.wait_until(lambda: "page listens" in chain.service("dashboard").tail(), 30, "the page")


@pytest.fixture
def site(make_chain):
    """A chain whose campaign takes some ten seconds."""
    return Site(make_chain(environment={"SMSCHAIN_DASHBOARD_VIEWER_TOKEN": VIEWER, "SMSCHAIN_DASHBOARD_OPERATOR_TOKEN": OPERATOR,
                                        "SMSCHAIN_ALPHA_RATE": "30", "SMSCHAIN_BETA_RATE": "30"},
                           knobs={"undelivered_share": "0.05"}))


def number(text):
    return int(re.match(r"[\d,]+", text.strip()).group().replace(",", ""))


def accepted(browser):
    return sum(number(t) for t in browser.texts('#gateways td[data-label="accepted"]'))


def total(browser, label):
    return sum(number(t) for t in browser.texts(f'#earlier td[data-label="{label}"]'))


def wait(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)
    return value


def moves(site, browser, shots):
    """A campaign, seen on Now without reloading."""
    chain = site.chain
    browser("open", url=site.url + "/", token=OPERATOR, height=1200)
    browser("script", text="window.never_reloaded = true")
    chain.fill_shop(N)
    chain.run_rules()
    seen = []

    def look():
        seen.append(accepted(browser))
        if len(seen) == 40 or (0 < seen[-1] < N and not moves.shot):
            browser("shot", file=str(shots / "now-at-work.png"))
            moves.shot = True
        return seen[-1] >= N
    moves.shot = False
    wait(look, 90, f"{N} accepted messages on the page")
    steps = sorted(set(seen))
    assert len(steps) >= 5, f"the page showed only {steps} while the campaign ran"
    assert seen == sorted(seen), f"what was accepted went back: {seen}"
    chain.wait_final(N, 60)
    chain.wait_until(lambda: accepted(browser) == chain.counters()["submits"] == N, 10, "the gateways' own count on the page")
    tables = chain.states()
    chain.wait_until(lambda: total(browser, "delivered") == tables["delivered"], 10, f"{tables} on the page")
    assert total(browser, "undelivered") == tables.get("undelivered", 0)
    assert total(browser, "new") == total(browser, "rows") == N
    assert browser("script", text="window.never_reloaded")["value"] is True


def sleeps_while_hidden(browser):
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    browser("script", text=hide % "true")
    assert browser("script", text="document.getElementById('live').dataset.state")["value"] == "paused"
    browser("script", text=hide % "false")
    wait(lambda: browser("script", text="document.getElementById('live').dataset.state")["value"] == "live", 10, "the page to be live again")


def main_text(browser):
    """The page's words with numbers as one run of digits, however they are grouped."""
    return re.sub(r"(?<=\d)[\s\u00a0\u202f](?=\d)", "", browser.texts("main")[0])


def stories(site, browser, shots):
    """From a search to one message, its whole number for a reason, why a number got it, and the reasons."""
    chain = site.chain
    undelivered = chain.states()["undelivered"]
    browser("open", url=site.url + "/messages", token=OPERATOR)
    browser("fill", selector="[name=q]", value="state:undelivered")
    browser("press", selector="[name=q]", value="Enter")
    assert len(browser.texts("table.messages tbody tr")) == undelivered
    browser("shot", file=str(shots / "messages-found.png"))
    csv = urllib.request.Request(site.url + "/messages.csv?q=state:undelivered", headers={"Authorization": f"Bearer {OPERATOR}"})
    with urllib.request.urlopen(csv, timeout=30) as answer:
        assert len(answer.read().decode().strip().splitlines()) == undelivered + 1
    where = "a[href^='/messages/']"
    sms_id = int(browser("script", text=f'document.querySelector("table.messages {where}").getAttribute("href")')["value"].split("/")[2])
    browser("click", selector=f"table.messages {where}")
    number, msg_id = chain.sql("SELECT m.number::text, i.msg_id FROM message m JOIN msg_map i USING (sms_id) WHERE sms_id = %s", (sms_id,))[0]
    story = main_text(browser)
    assert f"{sms_id}.1.1" in story and msg_id in story and "undelivered" in story and number not in story
    browser("fill", selector="[name=reason]", value="a customer asks")
    browser("press", selector="[name=reason]", value="Enter")
    assert number in main_text(browser)
    browser("shot", file=str(shots / "message-revealed.png"))
    assert chain.value("SELECT count(*) FROM reveal WHERE sms_id = %s AND reason = 'a customer asks'", (sms_id,)) == 1
    browser("go", url=site.url + "/why")
    browser("fill", selector="[name=number]", value=f"+{number}")
    browser("press", selector="[name=number]", value="Enter")
    assert str(sms_id) in main_text(browser) and "undelivered" in main_text(browser)
    browser("shot", file=str(shots / "why-answered.png"))
    browser("go", url=site.url + "/reasons")
    assert "UNDELIV" in main_text(browser)


def machines(site):
    """What the page's own service tells machines, and that no service's labels or logs name a person."""
    status, text = site.chain.monitor(site.chain.service("dashboard"), "/metrics")
    done = subprocess.run(["/usr/bin/promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert (status, done.returncode, done.stdout + done.stderr) == (200, 0, "")
    assert site.chain.monitor(site.chain.service("dashboard"), "/readyz") == (200, "ok\n")
    site.chain.check_i6()


def all_pages(site, browser):
    """{address: name of its pictures}: all that can be reached by links, one of each kind."""
    found, kinds, todo = {}, set(), ["/"]
    while todo:
        path = todo.pop(0)
        kind = re.sub(r"\?.*", "", re.sub(r"(?<=/)(\d+|[^/]*-[^/]*)(?=$|/|\?)", "x", path))
        if kind in kinds:
            continue
        kinds.add(kind)
        found[path] = kind.strip("/").replace("/", "-") or "now"
        browser("open", url=site.url + path, token=OPERATOR)
        for link in browser("links")["links"]:
            url = urllib.parse.urlsplit(link)
            if f"{url.scheme}://{url.netloc}" == site.url and not url.path.endswith(".csv"):
                todo.append(url.path + (f"?{url.query}" if url.query else ""))
    return found


def test_the_page(site, browser, shots):
    moves(site, browser, shots)
    sleeps_while_hidden(browser)
    stories(site, browser, shots)
    machines(site)
    pages = all_pages(site, browser)
    assert {"now", "rules", "rules-x", "runs", "runs-x", "charts", "messages", "messages-x", "why", "reasons"} <= set(pages.values()), pages
    problems = {}
    for path, name in pages.items():
        for scheme, width in FORMS:
            answer = browser("open", url=site.url + path, token=OPERATOR, scheme=scheme, width=width, height=900 if width > 600 else 844)
            assert answer["status"] == 200, path
            found = browser("look")["problems"]
            if found:
                problems[f"{path} {scheme} {width}"] = found
            browser("shot", file=str(shots / f"{name}-{scheme}-{'desk' if width > 600 else 'phone'}.png"))
        if name in ("runs-x", "now"):
            browser("shot", file=str(shots / f"{name}-print.png"), print=True)
    assert not problems, "\n".join(f"{where}\n  " + "\n  ".join(what) for where, what in problems.items())


def test_who_may_look(site, browser, shots):
    browser("open", url=site.url + "/runs")
    assert browser.texts("h1") == ["Sign in"]
    expected = [p for p in browser("look")["problems"] if "401" not in p]
    assert not expected, expected
    browser("shot", file=str(shots / "sign-in.png"))
    browser("fill", selector="#token", value="wrong-token-0123456789")
    browser("press", selector="#token", value="Enter")
    assert browser.texts('[role="alert"]'), "nothing says that the token is wrong"
    browser("shot", file=str(shots / "sign-in-wrong.png"))
    browser("fill", selector="#token", value=VIEWER)
    assert browser("press", selector="#token", value="Enter")["url"] == site.url + "/runs"
    assert browser.texts(".who span") == ["viewer"]
    assert browser("script", text="document.cookie")["value"] == ""
    cookie, = browser("cookies")["cookies"]
    assert cookie["httpOnly"] and cookie["sameSite"] in ("Lax", "Strict") and VIEWER not in cookie["value"]
    browser("click", selector=".who button")
    browser("go", url=site.url + "/runs")
    assert browser.texts("h1") == ["Sign in"]
