"""The promises of docs/design.md as checks of one chain at rest: against its tables, its queues, its logs, and against
what the fake gateway has written down itself."""
import collections
import json
import os
import re

from parts import message_of

# How many messages (SMPP: segments) a gateway's sample file lets be without an answer, if no variable says otherwise.
WINDOWS = {"alpha": 200, "beta": 100, "gamma": 100, "delta": 100, "epsilon": 50, "zeta": 100}
STATE_NUMBERS = {"accepted": 30, "unknown": 50, "expired": 60, "rejected": 70, "undelivered": 80, "delivered": 90}
MEMORY_MAX = 64 << 20
# Of metrics: what their labels may be, and how many series a service may tell with all sample gateways.
LABELS = {"gateway", "lane", "state", "outcome", "queue", "class", "kind", "shard", "check", "reason", "version", "le"}
METRICS_MAX = 3000


def is_sanitized(program):
    """A build with AddressSanitizer keeps freed memory back: its size says nothing."""
    with open(program, "rb") as f:
        return b"__asan_init" in f.read()


class Checks:
    """Mixed into Chain. Each check_iN raises AssertionError with what is wrong."""

    def check_invariants(self, crashes=0, window=None, final=True, in_doubt=None):
        """All of them. crashes: how many dispatchers were killed or cut off; each may leave two windows of messages in
        doubt (in_doubt: an exact number instead). final=False: work is still open (I5 and I4 are left out)."""
        if final:
            self.wait_quiet()
        self.check_i1()
        self.check_i2(final)
        self.check_i3(final)
        if final:
            self.check_i4()
            self.check_i5()
        self.check_i6()
        self.check_i7(crashes, window, in_doubt)
        self.check_i8()

    def gateways(self):
        return list(dict.fromkeys([self.gateway, self.gateway_beta]))

    def all_submits(self):
        return [s for g in self.gateways() for s in g.submits()]

    def all_reports(self):
        return [r for g in self.gateways() for r in g.reports()]

    @staticmethod
    def messages_of(submits):
        """How many messages they are: the parts of one count once, by its most often accepted part."""
        whole, parts = 0, collections.Counter()
        for s in submits:
            if is_part(s):
                parts[(s["gateway"], s["number"], s["reference"])] += 1
            else:
                whole += 1
        most = collections.Counter()
        for (gateway, number, reference), n in parts.items():
            key = (gateway, number, reference.rpartition("/")[0])
            most[key] = max(most[key], n)
        return whole + sum(most.values())

    # ---- at rest? ----

    def queue_depths(self):
        """{queue: messages ready}, counted by the broker for the asking (not its figures of some seconds ago)."""
        done = self.ctl("status", "--json", check=False)
        return {q: n for q, n in json.loads(done.stdout)["queues"].items() if q not in ("sms.dead", "sms.inbound")}

    def open_work(self):
        """What is still to be done, {} if nothing is. A receipt of a segment in doubt stays parked for a person where it might
        be another segment's of the same number as well."""
        counts = dict(zip(("outbox", "parked", "reading"), self.sql(
            "SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL), "
            "(SELECT count(*) FROM parked p WHERE NOT EXISTS (SELECT FROM message m JOIN segment s USING (sms_id) "
            "WHERE m.number = p.number AND s.state = 20)), "
            "(SELECT count(*) FROM run WHERE state IN ('new', 'reading'))")[0]))
        work = {k: v for k, v in {**counts, **self.queue_depths()}.items() if v}
        if work:
            return work  # the next look is a second of rabbitmqctl's work
        unacked = {f"{q} unacked": u for q, (_, u) in self.lab.queues(self.vhost).items() if u}
        return unacked

    def hurry_outbox(self):
        """Lets everything in the outbox be due now, as if its time had passed: copies of messages that have their
        outcome leave, meet the claim and are dropped."""
        self.sql("UPDATE outbox SET due_at = now() WHERE published_at IS NULL AND due_at > now()")

    def wait_quiet(self, seconds=30, hurry=True):
        """Until nothing is on its way any more (I5). Says nothing if it does not become so: the checks tell why."""
        self.wait_until(lambda: all(g.counters()["reports_waiting"] == 0 for g in self.gateways() if g.alive), seconds,
                        "the gateways' last reports", every=0.3)
        def quiet():
            if hurry and not self.value("SELECT count(*) FROM message WHERE state IN (0, 10)"):
                self.hurry_outbox()
            return not self.open_work()
        try:
            self.wait_until(quiet, seconds, "an end of the work", every=0.5)
        except AssertionError:
            pass

    # ---- the promises ----

    def check_i1(self):
        """No message reaches a gateway twice."""
        texts, messages = collections.Counter(), collections.Counter()
        for s in self.all_submits():
            part = s["reference"] if is_part(s) else None  # two parts of a message may have the same text
            texts[(s["number"], s["text"], part)] += 1
            if s["reference"] and not part:
                messages[s["reference"].split(".")[0]] += 1
        twice = [k for k, n in texts.items() if n > 1] + [k for k, n in messages.items() if n > 1]
        assert not twice, f"I1: {len(twice)} messages were accepted twice, such as {twice[:3]}"
        for gateway in self.gateways():
            if gateway.alive:
                assert gateway.counters()["duplicates"] == 0, f"I1: {gateway.name} counts {gateway.counters()}"
        accepted = self.messages_of(self.all_submits())
        known = self.value("SELECT count(*) FROM message WHERE state NOT IN (0, 40, 41, 42, 43)")
        mixed = self.sql("SELECT sms_id, segment FROM msg_map GROUP BY sms_id, segment HAVING count(*) > 1 UNION ALL "
                         "SELECT sms_id, NULL FROM msg_map GROUP BY sms_id HAVING count(DISTINCT gateway) > 1")
        assert not mixed, f"I1: accepted twice, or by two gateways: {len(mixed)} (sms_id, segment), such as {mixed[:3]}"
        assert accepted <= known, f"I1: gateways accepted {accepted} messages, only {known} were ever submitted"

    def check_i2(self, final=True):
        """The balance of every run, and its messages in the ledger and in the rollup."""
        runs = self.sql("""
            SELECT r.id, r.state, r.pass_complete, r.rows_read + r.rows_gone AS rows,
                   r.rows_new + r.rows_duplicate + r.rows_invalid + r.rows_suppressed AS known, r.rows_new,
                   (SELECT count(*) FROM message m WHERE m.run_id = r.id),
                   (SELECT count(*) FROM dedupe d WHERE d.run_id = r.id),
                   (SELECT count(*) FROM message m WHERE m.run_id = r.id AND m.state <> 0),
                   (SELECT coalesce(sum(s.count), 0) FROM stats s WHERE s.run_id = r.id)
            FROM run r ORDER BY r.id""")
        for run, state, complete, rows, known, new, messages, keys, told, rolled_up in runs:
            if complete:
                assert rows == known, f"I2: run {run} ({state}): {rows} rows, {known} accounted for"
            assert messages == new == keys, f"I2: run {run}: {new} new, {messages} messages, {keys} keys"
            assert told == rolled_up, f"I2: run {run}: {told} messages have a state, stats says {rolled_up}"
        if final:
            rolled = dict(self.sql("SELECT state, sum(count)::bigint FROM stats GROUP BY state HAVING sum(count) <> 0"))
            counted = dict(self.sql("SELECT state, count(*) FROM message WHERE state <> 0 GROUP BY state"))
            assert rolled == counted, f"I2: stats {rolled}, messages {counted}"

    def _by_msg_id(self):
        """{(gateway, msg_id as the log writes it, number): (sms_id, segment)}"""
        rows = self.sql("SELECT w.word, m.msg_id, coalesce(m.raw_msg_id, m.msg_id), m.number, m.sms_id, m.segment "
                        "FROM msg_map m JOIN word w ON w.id = m.gateway")
        found = {}
        for gateway, compared, raw, number, sms_id, segment in rows:
            for text in {compared, raw}:
                found[(gateway, text, number)] = (sms_id, segment)
        return found

    @staticmethod
    def _ids(report):
        """An id as the gateway may have written it: the log has it in decimal."""
        n = int(report["msg_id"])
        return (str(n), f"{n:x}", f"{n:X}", f"{n:024d}", f"{n}^0", f"SM{n:032x}")

    def _reports_by_segment(self):
        """({(sms_id, segment): [states]}, reports whose message is not known)"""
        known, references = self._by_msg_id(), {}
        for s in self.all_submits():
            if s["reference"] and not is_part(s):
                sms_id, segment, _ = s["reference"].split(".")
                references[(s["gateway"], s["msg_id"], s["number"])] = (int(sms_id), int(segment))
        by_segment, unknown = collections.defaultdict(list), []
        for report in self.all_reports():
            key = (report["gateway"], report["msg_id"], report["number"])
            ids = [known.get((key[0], text, key[2])) for text in self._ids(report)] + [references.get(key)]
            segment = next((i for i in ids if i), None)
            if segment:
                by_segment[segment].append(report["state"])
            else:
                unknown.append(report)
        return by_segment, unknown

    def check_i3(self, final=True):
        """Every report that was answered 200 is in the tables, or parked, or on its way there."""
        if not final:
            return  # what is in journals and queues cannot be counted while it moves
        by_segment, unknown = self._reports_by_segment()
        events = collections.defaultdict(set)
        for sms_id, segment, state in self.sql("SELECT sms_id, segment, state FROM event WHERE step = 102"):
            events[(sms_id, segment)].add(state)
        missing = []
        for segment, states in by_segment.items():
            for state in set(states):
                wanted = {None, STATE_NUMBERS["accepted"]} if state == "accepted" else {STATE_NUMBERS[state]}
                if not events[segment] & wanted:
                    missing.append((segment, state))
        assert not missing, f"I3: {len(missing)} reports answered 200 are in no event, such as {missing[:3]}"
        parked = {(g, m) for g, m in self.sql(
            "SELECT w.word, p.msg_id FROM parked p JOIN word w ON w.id = p.gateway")}
        lost = [r for r in unknown if not any((r["gateway"], text) in parked for text in self._ids(r))]
        lost = [r for r in lost if not self._was_inferred(r)]
        assert not lost, f"I3: {len(lost)} reports answered 200 are nowhere, such as {lost[:3]}"

    def _was_inferred(self, report):
        """A report without a known id may have settled an in-doubt message of its number."""
        return self.value("SELECT count(*) FROM event e JOIN message m USING (sms_id) WHERE e.origin = 'inferred' "
                          "AND m.number = %s", (report["number"],)) > 0

    def check_i4(self):
        """Each message's state is the highest that was told of it; of a message in segments, what theirs make."""
        by_segment, _ = self._reports_by_segment()
        mapped = set(self.sql("SELECT sms_id, segment FROM msg_map"))
        segments = {(i, n): state for i, n, state in self.sql("SELECT sms_id, segment, state FROM segment")}
        wrong = []

        def stand(segment, state):
            """What its stand must be; `state` where nothing was told that says so."""
            told = [STATE_NUMBERS[s] for s in by_segment.get(segment, []) if s != "accepted"]
            if told:
                return max(told)
            return 30 if segment in mapped and state != 50 else state
        for sms_id, parts, state in self.sql("SELECT sms_id, parts, state FROM message"):
            if parts == 1:
                expected = stand((sms_id, 1), state)
            else:
                of = [segments.get((sms_id, n), 0) for n in range(1, parts + 1)]
                must = [stand((sms_id, n), of[n - 1]) for n in range(1, parts + 1)]
                expected = stand_of_segments(must) if of == must else f"segments {must} (are {of})"
            if state != expected:
                wrong.append((sms_id, state, expected))
        assert not wrong, f"I4: {len(wrong)} messages, such as (sms_id, is, should be) {wrong[:3]}"

    def check_i5(self):
        """Nothing is left: working queues, unacked, parked, outbox, open messages."""
        left = self.open_work()
        open_messages = self.sql("SELECT state, count(*) FROM message WHERE state IN (0, 10) GROUP BY state")
        assert not left and not open_messages, f"I5: left {left}, messages (state, count) {open_messages}\n{self.describe()}"
        open_claims = self.value("""
            SELECT count(*) FROM claim c JOIN message m USING (sms_id)
            WHERE c.settled = 0 AND c.kind = 0 AND m.state IN (0, 10)""")
        assert open_claims == 0, f"I5: {open_claims} claims without an outcome"

    def check_i6(self):
        """No whole number, text or secret in any log of a service."""
        numbers = {str(n) for n, in self.sql("SELECT DISTINCT number FROM message LIMIT 20000")}
        texts = ("Dear ", "We wish you a happy", "Guten Tag", "Alles Gute", "Thank you", "Good news", "wir freuen uns", "您好",
                 "Your password")
        for process in self.services():
            if not os.path.exists(process.log):
                continue
            with open(process.log, encoding="utf-8", errors="replace") as f:
                for line in f:
                    for word in texts + tuple(self.secrets()):
                        assert word not in line, f"I6: {process.name} logs a text or secret: {line[:80]}"
                    if len(line) > 11 and any(digits in numbers for digits in digit_runs(line)):
                        raise AssertionError(f"I6: {process.name} logs a whole number")
            if process.alive:
                self.check_labels(process, texts)

    def check_labels(self, process, texts):
        """A metric's labels name gateways, lanes, states: what is configured or stands in the code, so they are few."""
        metrics = self.metrics(process)
        assert len(metrics) < METRICS_MAX, f"I6: {process.name} tells {len(metrics)} series"
        for name, *labels in metrics:
            for label, value in labels:
                where = f"I6: {process.name} tells {name} with label {label}"
                assert label in LABELS, where
                assert label == "le" or not re.search(r"\d{7}", value), f"{where}, which has a number"
                assert len(value) <= 64 and not any(t in value for t in texts + tuple(self.secrets())), f"{where}, a text or secret"
                if label == "gateway":
                    assert value in self.configured_gateways(), f"{where}={value}, which is no gateway"

    def check_i7(self, crashes=0, window=None, in_doubt=None):
        """A crash leaves at most two windows in doubt."""
        found = self.value("SELECT count(*) FROM message WHERE state = 20")
        if in_doubt is not None:
            assert found == in_doubt, f"I7: {found} in doubt, not {in_doubt}"
            return
        if window is None:
            window = sum(int(self.environment.get(f"SMSCHAIN_{g.upper()}_WINDOW", size)) for g, size in WINDOWS.items()
                         if g in self.configured_gateways())
        assert found <= 2 * window * crashes, f"I7: {found} in doubt after {crashes} crashes with window {window}"

    def check_i8(self, limit=MEMORY_MAX):
        """No service is larger than it may be, whatever has gone through it."""
        for process in self.services():
            if process.alive and not is_sanitized(process.command[0]):
                peak = process.memory()
                assert peak <= limit, f"I8: {process.name} took {peak >> 20} MiB"


def stand_of_segments(states):
    """A message's state by those of its segments."""
    return (message_of({n: (state, 0, "", "", 0) for n, state in enumerate(states, 1)}, len(states)) or (0,))[0]


def is_part(submit):
    """Of a longer message: the log has seg:REFERENCE/TOTAL/NUMBER."""
    return (submit["reference"] or "").startswith("seg:")


def digit_runs(line):
    run = []
    for c in line + " ":
        if c.isdigit():
            run.append(c)
        elif run:
            if len(run) >= 9:
                yield "".join(run)
            run = []


def logged(text):
    """A text as the fake gateway's log has it: FNV-1a, mixed (test/sim/seen.c)."""
    whole, h = (1 << 64) - 1, 0xcbf29ce484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001b3 & whole
    for factor in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
        h = (h ^ h >> 33) * factor & whole
    return f"{h ^ h >> 33:016x}"
