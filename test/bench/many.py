"""A database as a year of work leaves it: n messages in daily partitions of the last `days` days, with their claims, ids, events,
runs and counters, made by set-based SQL as the services would have written them. For the page's times and plans.

    many.fill(chain, 10_000_000, 30)
"""
import time

RULES = [f"campaign-{i}" for i in range(1, 10)] + ["codes"]
GATEWAYS = ("alpha", "beta", "gamma")
# Of 1,000 messages of a run so many end so: state, reason, how many.
SHARES = [(90, "DELIVRD", 944), (80, "UNDELIV", 25), (80, "ABSENT", 8), (60, "EXPIRED", 8), (70, "ESME_RINVDSTADR", 6), (50, "no_report", 4),
          (20, "answer_timeout", 3), (43, "template", 1), (41, "stop", 1)]
assert sum(share for _, _, share in SHARES) == 1000
FIRST = 1000  # n of the first sms_id

# Everything about message i of day d follows from i, so all tables agree. $: day, count, first id, ids of words and runs.
MAKE = """
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT {first}::bigint + i AS sms_id, ({runs})[1 + i * 10 / {count}] AS run_id, ({gateways})[1 + i % 3] AS gateway,
       491500000000 + (hashint8(i + {first})::bigint & 2147483647) AS number,
       {day}::timestamptz + i * interval '1 ms' * (36000000 / {count}) + interval '8 hours' AS at,
       s.state, s.reason, to_hex(hashint8extended(i + {first}, 1) & 72057594037927935) AS msg_id
FROM generate_series(0, {count} - 1) AS i
JOIN ({shares}) AS s (state, reason, low, high) ON hashint8({first} + i) & 1023 BETWEEN s.low AND s.high
"""
INTO = [
    "INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at, gateway, reason, attempt, segments, state) "
    "SELECT sms_id, run_id, number, at, at + interval '1 day', at + interval '5 s', CASE WHEN state IN (41, 43) THEN 0 ELSE gateway END, "
    "CASE WHEN state = 90 THEN 0 ELSE reason END, CASE WHEN state = 43 THEN 0 ELSE 1 END, 1, state FROM made ORDER BY sms_id",
    "INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at) "
    "SELECT sms_id, 1, 1, CASE WHEN state = 41 THEN 41 ELSE 0 END, gateway, 77, at + interval '1 s' FROM made WHERE state <> 43 ORDER BY sms_id",
    "INSERT INTO msg_map (gateway, msg_id, number, sms_id, segment, attempt, accepted_at) "
    "SELECT gateway, msg_id, number, sms_id, 1, 1, at + interval '1200 ms' FROM made WHERE state IN (50, 60, 80, 90) ORDER BY sms_id",
    "INSERT INTO event (sms_id, digest, segment, attempt, step, state, gateway, reason, gateway_at, at, error) "
    "SELECT sms_id, hashint8extended(sms_id, 7), 1, 1, CASE WHEN state IN (60, 80, 90) THEN 102 ELSE 110 END, state, gateway, reason, at + interval '4 s', "
    "at + interval '5 s', CASE WHEN state IN (60, 80) THEN 'err:0' || 1 + sms_id % 34 END FROM made ORDER BY sms_id",
    "INSERT INTO stats (day, run_id, gateway, state, reason, count) SELECT {day}::date, run_id, CASE WHEN state IN (41, 43) THEN 0 ELSE gateway END, "
    "state, CASE WHEN state = 90 THEN 0 ELSE reason END, count(*) FROM made GROUP BY 1, 2, 3, 4, 5",
    "INSERT INTO stats_minute (minute, gateway, state, count) SELECT date_trunc('minute', at + interval '5 s'), gateway, state, count(*) "
    "FROM made GROUP BY 1, 2, 3",
    "UPDATE run SET rows_read = n.count, rows_new = n.count, rows_seen = n.count FROM (SELECT run_id, count(*) FROM made GROUP BY 1) AS n WHERE id = run_id",
]


def shares(reasons):
    """Of 1,024 by a hash."""
    low, rows = 0, []
    for state, reason, share in SHARES:
        high = 1023 if state == 41 else low + share - 1
        rows.append(f"({state}, {reasons[reason]}, {low}, {high})")
        low = high + 1
    return "VALUES " + ", ".join(rows)


def partitions(cursor, day):
    for name in ("message", "claim", "msg_map", "event", "segment", "ext"):
        cursor.execute(f"SELECT to_regclass('{name}_{day}') IS NULL AND to_regclass('{name}') IS NOT NULL")
        if cursor.fetchone()[0]:
            cursor.execute(f"CREATE TABLE {name}_{day} PARTITION OF {name} FOR VALUES FROM ({day << 36}) TO ({(day + 1) << 36})")


def runs_of(cursor, date):
    found = []
    for place, rule in enumerate(RULES):
        cursor.execute("INSERT INTO rule (name, sql_hash, once_per) VALUES (%s, %s, '{id}') ON CONFLICT (name) DO UPDATE SET sql_hash = rule.sql_hash "
                       "RETURNING id", (rule, rule))
        cursor.execute("INSERT INTO run (rule_id, scheduled_at, origin, state, publish, pass, pass_complete, started_at, ended_at, created_at) "
                       "VALUES (%s, %s::timestamptz + %s * interval '1 hour', 'schedule', 'read', true, 1, true, "
                       "%s::timestamptz + %s * interval '1 hour', %s::timestamptz + %s * interval '1 hour' + interval '5 minutes', %s) RETURNING id",
                       (cursor.fetchone()[0], date, 8 + place, date, 8 + place, date, 8 + place, date))
        found.append(cursor.fetchone()[0])
    return found


def fill(chain, n, days, say=print):
    """The newest day is yesterday, so that nothing is in the future whatever the time of day."""
    connection = chain.lab.connect(chain.database)
    cursor = connection.cursor()
    cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date - date '2020-01-01'")
    today, begun = cursor.fetchone()[0], time.monotonic()
    ids = {}
    for kind, words in (("gateway", GATEWAYS), ("reason", [r for _, r, _ in SHARES])):
        for word in words:
            cursor.execute("SELECT word_id(%s, %s)", (kind, word))
            ids[word] = cursor.fetchone()[0]
    for d in range(days, 0, -1):
        day, count = today - d, n // days
        partitions(cursor, day)
        cursor.execute("SELECT (date '2020-01-01' + %s)::text || ' 00:00+00'", (day,))
        date = cursor.fetchone()[0]
        values = {"first": (day << 36) + FIRST + (days - d) * count, "count": count, "day": f"'{date}'", "shares": shares(ids),
                  "runs": f"ARRAY{runs_of(cursor, date)}", "gateways": f"ARRAY{[ids[g] for g in GATEWAYS]}"}
        cursor.execute("BEGIN")
        for statement in [MAKE, *INTO]:
            cursor.execute(statement.format(**values))
        cursor.execute("COMMIT")
        say(f"# {count * (days - d + 1)} messages made in {time.monotonic() - begun:.0f} s")
    cursor.execute("SELECT setval('sms_n', %s)", (FIRST + n + 1,))
    cursor.execute("VACUUM ANALYZE")
    connection.close()
    say(f"# {n} messages in {days} days: {time.monotonic() - begun:.0f} s")
