"""Held runs and waves through the whole chain: nothing of a held run is submitted, the rest of a run in waves waits for
what the gateways report of the first one; whoever is killed meanwhile, all adds up at the end (I1 to I8)."""

RULE, OTHER = "repayment-reminder", "holiday-wishes"
WAVES = ("rules/repayment-reminder.yaml", "valid_for: 12h",
         "waves: {first: 10%, wait: 2s, max_undelivered: 20%}\nvalid_for: 12h")
HOLDS = ("rules/holiday-wishes.yaml", "valid_for: 8h", "hold_render_errors: 5%\napprove: true\nvalid_for: 8h")
WINDOWS = {"SMSCHAIN_ALPHA_WINDOW": "5", "SMSCHAIN_BETA_WINDOW": "5", "SMSCHAIN_ALPHA_ANSWER_TIMEOUT": "5s",
           "SMSCHAIN_BETA_ANSWER_TIMEOUT": "5s"}


def state(chain, run):
    return chain.value("SELECT state || ' ' || array_to_string(held_by, ' ') || ' ' || wave FROM run WHERE id = %s", (run,))


def wait_state(chain, run, wanted):
    chain.wait_until(lambda: state(chain, run) == wanted, 60, f"run {run} to be '{wanted}', not '{state(chain, run)}'")


def first_wave(chain, run):
    return chain.value("SELECT wave_first FROM run WHERE id = %s", (run,))


def told(chain, run):
    """Messages of the run of which anything is known."""
    return sum(n for word, n in chain.states(run).items() if word != "queued")


def again(chain, *names):
    """kill -9, and on."""
    for name in names:
        chain.service(name).kill9()
    chain.start_services(names)


def test_held_in_waves_and_killed(make_chain):
    chain = make_chain(environment=WINDOWS, change=[("smschain.yaml", "# group_rows: 500", "group_rows: 50"), WAVES, HOLDS])
    chain.service("extract", 2).start()
    submitted = lambda: sum(g.counters()["submits"] for g in chain.gateways())  # noqa: E731

    # Held: killed all around, nothing leaves; released, it is sent once.
    chain.fill_shop(120, [OTHER])
    held = chain.run_rule(OTHER)
    wait_state(chain, held, "held approve 2")
    again(chain, "extract", "render", "dispatch", "callback")
    chain.service("extract", 2).kill9()
    chain.service("extract", 2).start()
    assert "it would send 120 messages" in chain.ctl("status", check=False).stdout
    assert submitted() == 0 and state(chain, held) == "held approve 2"
    chain.ctl("release", held)
    chain.wait_final(120, 60)
    assert chain.states(held) == {"delivered": 120}

    # A good first wave, by both gateways; stopped and started, killed and paused while it is sent and while it is waited for.
    chain.fill_shop(300, [RULE])
    good = chain.run_rule(RULE)
    wait_state(chain, good, "read  1")
    first = first_wave(chain, good)
    assert 30 <= first <= 31
    again(chain, "render", "extract")
    chain.ctl("stop", RULE)
    chain.ctl("start", RULE)
    chain.wait_until(lambda: told(chain, good) == first, 60, "the first wave's states")
    assert {g for g, in chain.sql("SELECT gateway FROM message WHERE run_id = %s AND state <> 0 GROUP BY 1", (good,))} \
        == {w for w, in chain.sql("SELECT id FROM word WHERE word IN ('alpha', 'beta')")}
    again(chain, "extract")
    assert submitted() == 120 + first
    wait_state(chain, good, "read  2")
    chain.wait_final(420, 60)
    assert chain.states(good) == {"delivered": 300}

    # First waves that do not arrive: held, however often extract dies. One is cancelled, of the other the rest is let go.
    for gateway in chain.gateways():
        gateway.set(undelivered_share=1)
    bad = []
    for _ in range(2):
        chain.fill_shop(100, [RULE])
        bad.append(chain.run_rule(RULE))
        chain.wait_runs_read()
    waves = [first_wave(chain, run) for run in bad]
    for run in bad:
        wait_state(chain, run, "held wave 1")
    again(chain, "extract")
    assert [told(chain, run) for run in bad] == waves
    status = chain.ctl("status", check=False).stdout
    assert all(f"smschain release {run}" in status for run in bad) and "100.0 %, waves.max_undelivered is 20 %" in status
    chain.ctl("cancel", bad[0])
    for gateway in chain.gateways():
        gateway.set(undelivered_share=0)
    chain.ctl("release", bad[1])
    chain.wait_final(620, 60)
    assert chain.states(bad[0]) == {"undelivered": waves[0], "cancelled": 100 - waves[0]}
    assert chain.states(bad[1]) == {"undelivered": waves[1], "delivered": 100 - waves[1]}
    chain.check_invariants(in_doubt=0)

    # Cancelled while the first wave is on its way, dispatch killed in it: each message has one end.
    chain.fill_shop(200, [RULE])
    last = chain.run_rule(RULE)
    chain.wait_until(lambda: submitted() > 620 - (100 - waves[0]), 60, "a submit", every=0.02)
    again(chain, "dispatch")
    chain.ctl("cancel", last)
    chain.wait_final(820, 90, also=["in_doubt"])
    states = chain.states(last)
    assert states["cancelled"] >= 200 - first_wave(chain, last)
    chain.check_invariants(crashes=1, window=10)
