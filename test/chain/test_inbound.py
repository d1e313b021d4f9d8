"""Messages from phones: kept once, handed to the company's own systems, STOP and START obeyed and answered, whatever dies."""
import base64
import json
import time

BY_ALPHA = ("rules/holiday-wishes.yaml", "  - gateway: beta\n", "")
PHONE = 491709999001
POINTS = ["consumer.inbound_entered", "consumer.inbound_replied", "consumer.inbound_committed", "consumer.acked",
          "intake.parsed", "intake.journalled", "drain.published", "drain.confirmed"]


def rows(chain):
    return chain.sql("SELECT w.word, i.number, i.sender, i.recipient, i.text, i.keyword, i.language FROM inbound i "
                     "JOIN word w ON w.id = i.gateway ORDER BY i.id")


def wait_rows(chain, n, seconds=30):
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM inbound") >= n, seconds, f"{n} rows of inbound")


def suppressed(chain, number=PHONE):
    return chain.value("SELECT count(*) FROM suppression WHERE number = %s AND scope = 'marketing' AND reason = 'stop'",
                       (number,)) == 1


def replies(chain):
    """Texts that the gateways took for phones that had written, by number."""
    numbers = {n for n, in chain.sql("SELECT number FROM message m JOIN run r ON r.id = m.run_id WHERE r.origin = 'inbound'")}
    return sorted((s["number"], s["text"]) for s in chain.all_submits() if s["number"] in numbers)


def queued(chain):
    """The records that stand in sms.inbound, which keeps them."""
    done = chain.lab.api("POST", f"/api/queues/{chain.vhost.replace('/', '%2F')}/sms.inbound/get", {
        "count": 1000, "ackmode": "ack_requeue_true", "encoding": "base64"})
    bodies = [json.loads(base64.b64decode(m["payload"])) for m in done]
    assert all(b["v"] == 1 and b["kind"] == "inbound" for b in bodies)
    return sorted((r for b in bodies for r in b["records"]), key=lambda r: r["inbound"])


def test_kept_and_handed_on(chain):
    chain.gateway.inbound("alpha", PHONE, "Wann kommt mein Paket? 📦", to="22922", id="a1")
    chain.gateway.inbound("beta", f"+{PHONE + 1}", "hello", id="b1")
    chain.gateway.inbound("beta", "Bank", "a name writes", id="b2")
    wait_rows(chain, 3)
    assert sorted(rows(chain)) == [
        ("alpha", PHONE, str(PHONE), "22922", "Wann kommt mein Paket? 📦", None, None),
        ("beta", 0, "Bank", "", "a name writes", None, None),
        ("beta", PHONE + 1, f"+{PHONE + 1}", "", "hello", None, None)]
    chain.wait_until(lambda: len(queued(chain)) == 3, 30, "sms.inbound")
    by_id = {r["msg_id"]: r for r in queued(chain)}
    assert by_id["a1"]["text"] == "Wann kommt mein Paket? 📦" and by_id["a1"]["number"] == PHONE
    assert by_id["b2"]["from"] == "Bank" and "number" not in by_id["b2"]
    assert not chain.all_submits(), "nothing of it asks for an answer"
    chain.check_invariants(in_doubt=0)


def test_stop_before_a_campaign_and_start_after(make_chain):
    chain = make_chain(change=[BY_ALPHA])
    ids = list(chain.shop.add("holiday-wishes", 20))
    phone = int(chain.shop.sql("SELECT phone FROM customer WHERE id = %s", (ids[3],))[0][0].lstrip("+"))
    chain.gateway.inbound("beta", phone, "Stop!")
    wait_rows(chain, 1)
    chain.wait_until(lambda: len(replies(chain)) == 1, 30, "the answer")
    assert suppressed(chain, phone)
    run = chain.run_rule("holiday-wishes")
    chain.wait_final(20, 60)  # 19 and the answer
    assert chain.value("SELECT count(*) FROM run_skip WHERE run_id = %s AND kind = 'suppressed' AND reason = 'stop'", (run,)) == 1
    assert chain.states(run) == {"delivered": 19}
    [reply] = [s for s in chain.all_submits() if s["number"] == phone]
    assert reply["gateway"] == "beta", "who took it answers"
    assert chain.sql("SELECT rows_read, rows_new, state FROM run WHERE origin = 'inbound'") == [(1, 1, "read")]

    chain.gateway.inbound("alpha", phone, "START", id="s1")
    chain.wait_until(lambda: not suppressed(chain, phone), 30, "the end of the suppression")
    again = chain.run_rule("holiday-wishes")
    chain.wait_final(22, 60)
    assert chain.states(again) == {"delivered": 1}, "the one that was left out before"
    assert [r[5:] for r in rows(chain)] == [("stop", "en"), ("start", "en")]
    chain.check_invariants(in_doubt=0)


def test_stop_between_render_and_claim(make_chain):
    """The text is made and stands in dispatch's queue: the claim still refuses it; what is no marketing goes."""
    chain = make_chain(only=("callback", "render", "extract"), change=[BY_ALPHA])
    ids = list(chain.shop.add("holiday-wishes", 10))
    run = chain.run_rule("holiday-wishes")
    chain.wait_until(lambda: chain.queue_depths().get("sms.dispatch.alpha.bulk", 0) > 0, 60, "texts in dispatch's queue")
    chain.wait_until(lambda: chain.queue_depths().get("sms.render.bulk") == 0, 30, "render to be done")
    phone = int(chain.shop.sql("SELECT phone FROM customer WHERE id = %s", (ids[5],))[0][0].lstrip("+"))
    chain.gateway.inbound("alpha", phone, "Stopp")
    chain.wait_until(lambda: suppressed(chain, phone), 30, "the suppression")
    chain.start_services(["dispatch"])
    chain.wait_final(11, 60)
    assert chain.states(run) == {"delivered": 9, "suppressed": 1}
    [reply] = [s for s in chain.all_submits() if s["number"] == phone]
    assert reply["gateway"] == "alpha"
    assert chain.value("SELECT template_version FROM run WHERE id = %s", (run,)) != ""
    chain.check_invariants(in_doubt=0)


def test_the_same_message_told_twice_is_one(chain):
    at = int(time.time() * 1000) - 5000
    chain.gateway.inbound("alpha", PHONE, "STOP", id="x", at_ms=at, count=3)
    chain.gateway.inbound("beta", f"+{PHONE + 1}", "STOP", id="x", count=3)
    chain.wait_until(lambda: chain.counters()["inbound_posted"] == 6, 30, "six posts answered 200")
    chain.wait_until(lambda: len(replies(chain)) == 2, 30, "the answers")
    chain.wait_quiet()
    assert len(rows(chain)) == 2 and len(queued(chain)) == 2
    assert len(replies(chain)) == 2
    chain.check_invariants(in_doubt=0)


def test_an_older_stop_told_late_does_not_undo_a_newer_start(make_chain):
    # Both STOPs are answered; the answers differ, or the gateway would take the second for the first again.
    chain = make_chain(change=[("templates/stop-confirmed.liquid", "You will", "{{ to }} You will")])
    now = int(time.time() * 1000)
    chain.gateway.inbound("beta", PHONE, "START", id="2", at_ms=now - 60000)
    wait_rows(chain, 1)
    chain.gateway.inbound("beta", PHONE, "STOP", to="1", id="1", at_ms=now - 120000)
    wait_rows(chain, 2)
    assert not suppressed(chain)
    chain.gateway.inbound("beta", PHONE, "退订", to="3", id="3", at_ms=now - 30000)
    chain.wait_until(lambda: suppressed(chain), 30, "the newest STOP")
    since = chain.value("SELECT since FROM suppression WHERE number = %s", (PHONE,))
    assert round(since.timestamp() * 1000) == now - 30000
    chain.wait_until(lambda: len(replies(chain)) == 3, 30, "three answers")
    chain.check_invariants(in_doubt=0)


def test_what_a_person_has_suppressed_is_not_lifted_by_start(chain):
    chain.ctl("suppress", "add", f"+{PHONE}", "--scope", "marketing", "--reason", "complaint")
    chain.gateway.inbound("beta", PHONE, "START")
    wait_rows(chain, 1)
    chain.wait_until(lambda: len(replies(chain)) == 1, 30, "the answer")
    assert chain.sql("SELECT reason FROM suppression WHERE number = %s", (PHONE,)) == [("complaint",)]


def test_answers_have_an_end(make_chain):
    """Two machines do not answer each other for ever."""
    chain = make_chain(change=[("smschain.yaml", "# replies_per_day: 5", "replies_per_day: 2")])
    for n in range(4):
        chain.gateway.inbound("beta", PHONE, "START" if n % 2 else "STOP", id=f"n{n}")
        wait_rows(chain, n + 1)
    chain.wait_until(lambda: len(replies(chain)) == 2, 30, "two answers")
    chain.wait_quiet()
    assert len(replies(chain)) == 2
    assert chain.value("SELECT count(*) FROM inbound WHERE reply_sms_id IS NOT NULL") == 2
    chain.check_invariants(in_doubt=0)


def test_in_staging_only_those_listed_are_answered(make_chain):
    chain = make_chain(change=[("smschain.yaml", '# deliver_only_to: ["+491711234567"]', f'deliver_only_to: ["+{PHONE}"]')])
    chain.gateway.inbound("beta", PHONE, "STOP")
    chain.gateway.inbound("beta", PHONE + 1, "STOP")
    wait_rows(chain, 2)
    chain.wait_until(lambda: len(replies(chain)) == 1, 30, "one answer")
    chain.wait_quiet()
    assert [n for n, _ in replies(chain)] == [PHONE]
    assert suppressed(chain) and suppressed(chain, PHONE + 1)


def test_out_of_quarantine_after_the_format_is_mended(make_chain):
    chain = make_chain(change=[("gateways/beta.yaml", "  text: /text\n", "  text: /body\n")])
    chain.gateway.inbound("beta", PHONE, "STOP")
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM quarantine") == 1, 30, "the quarantine")
    assert "inbound: text" in chain.value("SELECT error FROM quarantine")
    chain.change_conf("gateways/beta.yaml", "  text: /body\n", "  text: /text\n")
    chain.ctl("quarantine", "replay", "--all")
    wait_rows(chain, 1)
    chain.wait_until(lambda: len(replies(chain)) == 1, 30, "the answer")
    assert suppressed(chain)
    assert chain.value("SELECT count(*) FROM quarantine") == 0


def test_the_answers_can_be_paused(chain):
    chain.ctl("stop", "inbound-reply")
    chain.gateway.inbound("beta", PHONE, "STOP")
    chain.wait_until(lambda: suppressed(chain), 30, "the suppression")
    assert not chain.all_submits()
    assert "paused" in chain.ctl("why", f"+{PHONE}", check=False).stdout
    chain.ctl("start", "inbound-reply")
    chain.wait_until(lambda: len(replies(chain)) == 1, 30, "the answer")
    assert "smschain.yaml: inbound" in chain.ctl("why", f"+{PHONE}", check=False).stdout
    chain.check_invariants(in_doubt=0)


def test_killed_at_every_point(make_chain):
    """kill -9 of callback; started again, each message is there once, answered once, handed on once."""
    chain = make_chain()
    callback = chain.service("callback")
    for done, point in enumerate(POINTS):
        callback.stop()
        callback.start(SMSCHAIN_FAULT=f"{point}:1")
        for n in range(5 * done, 5 * done + 5):
            chain.gateway.inbound("alpha" if n % 2 else "beta", PHONE + n, "STOP", id=f"k{n}", to="22922")
        assert callback.wait_end(60) == -9, point
        callback.start()
        chain.wait_until(lambda n=5 * done + 5: len(replies(chain)) >= n, 60, f"all answers after {point}")
    n = 5 * len(POINTS)
    assert chain.counters()["inbound_posted"] == n
    chain.wait_final(n, 60)
    chain.wait_quiet()
    assert len(rows(chain)) == n and len(replies(chain)) == n
    assert [(r["number"], r["text"], r["keyword"]) for r in sorted(queued(chain), key=lambda r: r["number"])] == [
        (PHONE + k, "STOP", "stop") for k in range(n)]
    assert all(suppressed(chain, PHONE + k) for k in range(n))
    chain.check_invariants(in_doubt=0)


def test_in_parts_over_a_link(make_chain):
    """Long messages from phones at an SMPP gateway: parts in any order, told twice, dispatch killed among them. Each is one
    message with its whole text, and a STOP counts when it is whole."""
    chain = make_chain(gateways=("alpha", "gamma"), environment={"SMSCHAIN_GAMMA_RECONNECT": "100ms"})
    chain.wait_until(lambda: chain.gateway.counters()["binds"] > 0, 30, "the link")
    stop = "Stop please, " + "no more of this. " * 15
    chain.gateway.inbound("gamma", PHONE, stop, parts="2", reference=7)
    chain.wait_until(lambda: chain.value("SELECT count(*) FROM inbound_part") == 1, 30, "the second part")
    assert chain.value("SELECT count(*) FROM inbound") == 0 and not suppressed(chain)
    dispatch = chain.service("dispatch")
    for n in range(1, 41):
        chain.gateway.inbound("gamma", PHONE + n, f"{n}: " + "three parts make a long text " * 12, reference=n % 5, count=2)
        if n == 20:
            dispatch.kill9()
            dispatch.start()
    chain.gateway.inbound("gamma", PHONE, stop, parts="1", reference=7)
    wait_rows(chain, 41, 60)
    chain.wait_until(lambda: chain.gateway.counters()["inbound_posted"] >= 2 + 40 * 6, 60, "all of them answered")
    chain.wait_until(lambda: len(replies(chain)) == 1, 30, "the answer to STOP")
    chain.wait_final(1, 60)
    assert chain.sql("SELECT number, text, parts, missing FROM inbound ORDER BY number") == [(PHONE, stop, 2, 0)] + [
        (PHONE + n, f"{n}: " + "three parts make a long text " * 12, 3, 0) for n in range(1, 41)]
    assert suppressed(chain) and replies(chain)[0][0] == PHONE
    assert chain.value("SELECT count(*) FROM inbound_part WHERE inbound IS NULL") == 0
    chain.check_invariants(crashes=1)
