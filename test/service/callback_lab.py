"""What the tests of smschain-callback stand on: a database and a virtual host of its own, the real program, and the model
that says how the tables must end whatever happened on the way."""
import base64
import datetime
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/lab"))
from parts import message_of  # noqa: E402
from servers import LabError, free_port, wait_for  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SMSCHAIN_BUILD", ROOT / "build-test"))
SECONDS = 40
PASSWORD = "callback-db-password"
TOKENS = {name: f"{name}-token-0123456789" for name in ("alpha", "beta", "kannel", "twilio", "infobip", "aliyun")}
STATES = {"queued": 0, "submitted": 10, "in_doubt": 20, "accepted": 30, "stale": 40, "suppressed": 41, "cancelled": 42,
          "render_error": 43, "unknown": 50, "expired": 60, "rejected": 70, "undelivered": 80, "delivered": 90}
QUEUES = ["sms.update.0", "sms.dead"]


def today():
    return (datetime.datetime.now(datetime.timezone.utc).date() - datetime.date(2020, 1, 1)).days


def now_ms():
    return int(time.time() * 1000)


class Proxy:
    """Between the program and a server: can be cut, as if the server were away."""

    def __init__(self, host, port):
        self.to, self.open, self.pairs = (host, port), True, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                client.close()
                continue
            server = socket.create_connection(self.to)
            self.pairs.append((client, server))
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    @staticmethod
    def _pass(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.open = False
        for pair in self.pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = []

    def mend(self):
        self.open = True

    def close(self):
        self.cut()
        self.listener.close()


class World:
    """Database, broker, messages, and the program."""

    def __init__(self, directory, lab, **settings):
        self.lab, self.dir = lab, directory
        self.database = lab.create_database("callback")
        self.connection = lab.connect(self.database)
        for migration in sorted((ROOT / "schema").glob("[0-9]*.sql")):
            self.sql(migration.read_text())
        self.sql("SELECT ensure_partitions(3)")
        self.sql(f"ALTER ROLE smschain_callback LOGIN PASSWORD '{PASSWORD}'")
        self.vhost = lab.create_vhost("callback")
        self.api("PUT", "/api/exchanges/{}/sms", {"type": "direct", "durable": True})
        for queue in [*QUEUES, "sms.update.1"][:3 if settings.get("shards", 1) > 1 else 2]:
            self.api("PUT", "/api/queues/{}/" + queue, {"durable": True, "arguments": {
                "x-queue-type": "quorum", **({"x-single-active-consumer": True} if "update" in queue else {})}})
            self.api("POST", "/api/bindings/{}/e/sms/q/" + queue, {"routing_key": queue})
        rabbit = lab.state["rabbitmq"]
        self.broker_proxy = Proxy(rabbit["host"], rabbit["port"])
        self.conf = directory / "conf"
        self.state = directory / "state"
        self.log_path = directory / "callback.log"
        self.port, self.processes = free_port(lab.ports()), []
        self.told = []  # every step that was ever told, for the model
        self.sent = {}  # sms_id -> number
        self.parts = {}  # (sms_id, segment, attempt) of a claim -> into how many its message was cut
        self.next = {}
        self.run = None
        self.configure(**settings)

    # ---- set-up ----

    def configure(self, flush_interval="300ms", more="", dispatch_more="", alpha_more="", beta_more="", shards=1, broker_more=""):
        rabbit = self.lab.state["rabbitmq"]
        for name in ("rules", "templates", "gateways", "sources"):
            (self.conf / name).mkdir(parents=True, exist_ok=True)
        (self.conf / "smschain.yaml").write_text(f"""
state_dir: {self.state}
database:
  conninfo: {self.lab.conninfo(self.database, with_login=False)}
broker:
  host: 127.0.0.1
  port: {self.broker_proxy.port}
  vhost: {self.vhost}
  update_shards: {shards}
{broker_more}
dispatch:
{dispatch_more or "  claim_horizon: 1h"}
callback:
  database_password: {PASSWORD}
  broker_user: {rabbit['user']}
  broker_password: {rabbit['password']}
  listen: 127.0.0.1:{self.port}
  flush_interval: {flush_interval}
{more}
""")
        for name, add in (("alpha", alpha_more), ("beta", beta_more)):
            text = (ROOT / f"conf/gateways/{name}.yaml").read_text()
            (self.conf / f"gateways/{name}.yaml").write_text(text + add)

    def api(self, method, path, body=None):
        return self.lab.api(method, path.format(urllib.parse.quote(self.vhost, safe="")), body)

    def sql(self, statement, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement, *parameters):
        return self.sql(statement, *parameters)[0][0]

    def make_run(self):
        rule = self.one("INSERT INTO rule (name, sql_hash, once_per) VALUES ('r' || (SELECT count(*) FROM rule), 'h', '{n}') RETURNING id")
        return self.one("INSERT INTO run (rule_id, scheduled_at, origin, state, publish) VALUES (%s, now(), 'person', 'read', true) RETURNING id",
                        rule)

    def messages(self, count, gateway="alpha", days_ago=0, claimed=True, age_s=0, numbers=None, lane=0):
        """So many messages with a claim each; gives their sms_ids."""
        if self.run is None:
            self.run = self.make_run()
        day = today() - days_ago
        first = (day << 36) + self.next.get(day, 1)
        self.next[day] = self.next.get(day, 1) + count
        ids = list(range(first, first + count))
        for i, sms_id in enumerate(ids):
            self.sent[sms_id] = numbers[i] if numbers else 491710000000 + sms_id % 10**6 + days_ago * 10**6
        self.sql("""INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at, lane)
                    SELECT s, %s, n, now() - %s * interval '1 s', now() + interval '1 d', now() - %s * interval '1 s', %s
                    FROM unnest(%s::bigint[], %s::bigint[]) u (s, n)""",
                 self.run, age_s, age_s, lane, ids, [self.sent[i] for i in ids])
        if claimed:
            self.claim(ids, gateway, age_s=age_s)
        return ids

    def claim(self, ids, gateway="alpha", attempt=1, age_s=0, segment=1, parts=1):
        self.sql("""INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at, parts, way)
                    SELECT s, %s, %s, 0, word_id('gateway', %s), 7, now() - %s * interval '1 s', %s, %s FROM unnest(%s::bigint[]) s""",
                 segment, attempt, gateway, age_s, parts, int(parts > 1), ids)
        self.parts.update({(i, segment, attempt): parts for i in ids})

    def cut(self, ids, parts, gateway="alpha", age_s=0, attempt=1):
        """A claim for each segment, as dispatch makes them: all together."""
        for segment in range(1, parts + 1):
            self.claim(ids, gateway, attempt, age_s, segment, parts)

    # ---- the program ----

    def start(self, *arguments, **env):
        at = len(self.log())
        process = self.launch(*arguments, **env)
        said = "consumer reads" if "--consumer" in arguments else "intake listens"
        wait_for(lambda: said in self.log()[at:] or process.poll() is not None, SECONDS, f"start\n{self.log()}")
        return process

    def start_refused(self, *arguments, **env):
        """It must not start: ends by itself."""
        process = self.launch(*arguments, **env)
        process.wait(SECONDS)
        return process

    def launch(self, *arguments, **env):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SMSCHAIN_") or k == "SMSCHAIN_TEST_RUN"}
        keys = {f"SMSCHAIN_{name.upper()}_TOKEN": token for name, token in TOKENS.items()}
        with open(self.log_path, "ab") as log:
            process = subprocess.Popen([BUILD / "callback/smschain-callback", "--conf", self.conf, *arguments],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env={**clean, **keys, "SMSCHAIN_BETA_KEY": "k", **env})
        self.processes.append(process)
        return process

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self, process=None, expect=0):
        process = process or self.processes[-1]
        process.send_signal(signal.SIGTERM)
        code = process.wait(SECONDS)
        assert code == expect, f"exit code {code}\n{self.log()[-4000:]}"

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.connection.close()
        self.broker_proxy.close()
        self.lab.delete_vhost(self.vhost)
        self.lab.drop_database(self.database)
        log = self.log()
        assert "Sanitizer" not in log and "runtime error" not in log, log[-6000:]
        for secret in (PASSWORD, *TOKENS.values(), self.lab.state["rabbitmq"]["password"]):
            assert secret not in log, "a secret in the log"
        for number in self.sent.values():
            assert str(number) not in log, "a whole number in the log"

    # ---- telling ----

    def step(self, step, sms_id=None, gateway="alpha", attempt=1, model=True, segment=1, **more):
        record = {"step": step, "at": more.pop("at", None) or now_ms() + len(self.told), "gateway": gateway}
        if sms_id is not None and more.pop("named", True):
            record["seq_id"] = f"{sms_id}.{segment}.{attempt}"
            parts = self.parts.get((sms_id, segment, attempt), 1)
            if step != 102 and parts > 1:
                record["parts"] = parts
        if sms_id is not None:
            record["number"] = self.sent[sms_id]
        if step == 100:
            record["segments"] = 1
        record.update({k: v for k, v in more.items() if v is not None})
        if model:
            self.told.append((record, sms_id, segment, attempt))
        return record

    def submitted(self, sms_id, **more):
        return self.step(100, sms_id, **more)

    def accepted(self, sms_id, msg_id, **more):
        return self.step(101, sms_id, msg_id=msg_id, **more)

    def report(self, sms_id, msg_id, state="delivered", word="DELIVRD", named=False, **more):
        return self.step(102, sms_id, msg_id=msg_id, state=state, reason=word, named=named, **more)

    def outcome(self, sms_id, state, reason, **more):
        return self.step(110, sms_id, state=state, reason=reason, **more)

    def publish(self, records, queue="sms.update.0", size=500):
        for i in range(0, len(records), size):
            self.publish_body({"v": 1, "kind": "steps", "records": records[i:i + size]}, queue)

    def publish_body(self, body, queue="sms.update.0"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        answer = self.api("POST", "/api/exchanges/{}/sms/publish",
                          {"routing_key": queue, "properties": {"delivery_mode": 2}, "payload_encoding": "base64",
                           "payload": base64.b64encode(body).decode()})
        assert answer["routed"]

    def take(self, queue):
        taken = []
        while some := self.api("POST", "/api/queues/{}/" + queue + "/get",
                               {"count": 500, "ackmode": "ack_requeue_false", "encoding": "base64"}):
            for m in some:
                body = m["payload"].encode() if m["payload_encoding"] == "string" else base64.b64decode(m["payload"])
                taken.append((body, m["properties"].get("headers", {})))
        return taken

    def post(self, gateway, body=None, query=None, token=None, method=None, headers=None, path=None, connection=None):
        """One call at the intake: (status, answer)."""
        c = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        target = path or f"/report/{gateway}/{TOKENS[gateway] if token is None else token}"
        if query:
            target += "?" + query
        c.request(method or ("POST" if body is not None else "GET"), target, body=body, headers=headers or {})
        answer = c.getresponse()
        text = answer.read().decode()
        if connection is None:
            c.close()
        return answer.status, text

    # ---- the end ----

    def idle(self):
        """Nothing in the queue, nothing unacked, nothing in a journal."""
        ready, unacked = self.lab.queues(self.vhost).get("sms.update.0", (0, 0))
        return ready + unacked == 0

    def settled(self, condition, what="the tables' end", seconds=SECONDS, dump=None):
        try:
            wait_for(condition, seconds, what, every=0.1)
        except LabError as e:
            raise AssertionError(f"{e}\n{dump() if dump else ''}\n{self.log()[-4000:]}") from None

    def states(self, ids=None):
        rows = self.sql("SELECT sms_id, state FROM message ORDER BY sms_id")
        words = {v: k for k, v in STATES.items()}
        return {sms_id: words[state] for sms_id, state in rows if ids is None or sms_id in set(ids)}

    def rows(self):
        return {r[0]: r[1:] for r in self.sql(
            """SELECT m.sms_id, m.state, m.attempt, coalesce(g.word, ''), coalesce(r.word, ''),
                      CASE WHEN m.state = 0 THEN 0 ELSE (extract(epoch FROM m.changed_at) * 1000)::bigint END, m.segments
               FROM message m LEFT JOIN word g ON g.id = m.gateway LEFT JOIN word r ON r.id = m.reason""")}

    def model(self):
        """The highest of all that was told of each segment, by a plain loop, and the message of these."""
        rows = {sms_id: (0, 0, "", "", 0, 0) for sms_id in self.sent}
        segments, parts, known = {}, {}, {}

        def higher(a, b):
            if a[0] < 30 and b[0] < 30 and a[1] != b[1]:
                return a[1] > b[1]
            return a[0] > b[0] if a[0] != b[0] else a[4] < b[4]
        for record, sms_id, segment, attempt in self.told:
            step, state = record["step"], record.get("state")
            segments[sms_id] = max(segments.get(sms_id, 0), record.get("segments", 0))
            if step == 100:
                rank, reason = 10, ""
            elif step == 101 or (step == 102 and not state):
                rank, reason = 30, ""
            elif not state:
                continue
            else:
                rank, reason = STATES[state], record["reason"]
            stand = (rank, attempt, record["gateway"], reason, record["at"])
            of = known.setdefault(sms_id, {})
            if segment not in of or higher(stand, of[segment]):
                of[segment] = stand
            if segment == 1:
                parts[sms_id] = max(parts.get(sms_id, (0, 1)), (attempt, self.parts.get((sms_id, 1, attempt), 1)))
        for sms_id in self.sent:
            stand = message_of(known.get(sms_id, {}), parts.get(sms_id, (0, 1))[1])
            rows[sms_id] = (*(stand or rows[sms_id][:5]), segments.get(sms_id, 0))
        return rows

    def check(self, but_times=False):
        """The tables are the model's, and fit each other."""
        def strip(rows):
            return {k: v[:4] if but_times else v for k, v in rows.items()}
        got, wanted = strip(self.rows()), strip(self.model())
        wrong = {k: (got[k], wanted[k]) for k in wanted if got.get(k) != wanted[k]}
        assert not wrong, f"{len(wrong)} of {len(wanted)} rows differ (got, wanted): {list(wrong.items())[:5]}"
        assert self.sql("SELECT step, body FROM parked") == []
        self.check_stats()

    def check_stats(self):
        assert self.sql("""
            SELECT coalesce(s.run_id, m.run_id), coalesce(s.state, m.state), s.count, m.count FROM
              (SELECT day, run_id, gateway, state, reason, count FROM stats WHERE count <> 0) s
              FULL JOIN (SELECT date '2020-01-01' + (sms_id >> 36)::int AS day, run_id, gateway, state, reason, count(*)
                         FROM message WHERE state <> 0 GROUP BY 1, 2, 3, 4, 5) m
              ON (s.day, s.run_id, s.gateway, s.state, s.reason) = (m.day, m.run_id, m.gateway, m.state, m.reason)
            WHERE s.count IS DISTINCT FROM m.count""") == []

    def journal_empty(self):
        return not list(self.state.glob("journal/*/*.journal"))


