#!/usr/bin/python3
"""A whole adapter (docs/adapters.md), to begin your own with. It needs nothing but Python 3.9 or later.

    sample_adapter.py --socket /run/smschain-adapter/sample.sock --vendor-url http://127.0.0.1:8090/send --listen 127.0.0.1:8091

`Vendor` stands for a vendor's SDK: one call a message, and call-backs for reports and messages from phones. Here it is a
gateway over HTTP with the habits of conf/gateways/alpha.yaml. Everything else is the adapter, and can stay as it is.
"""
import argparse
import asyncio
import concurrent.futures
import contextlib
import datetime
import http.client
import http.server
import json
import os
import signal
import socket
import stat
import struct
import sys
import threading
import urllib.parse

LINE_BYTES = 262144
KEPT_SECONDS = 10
CALLS = 128  # of the SDK at a time; no fewer than the gateway's window


# ---- the vendor's side ----

class NotSent(Exception):
    """Not a byte of the message has left: the only failure, beside the gateway's own no, that may be tried again."""


class Refused(Exception):
    """The gateway's own no: it has not taken the message and never will. Arguments: reason, words for a person."""


class TooFast(Exception):
    """The gateway's own "not now". Argument: the pause it asks for in ms, or None."""


class Vendor:
    """What a vendor's SDK gives. `send` blocks; the two call-backs return True when the message is kept: only then
    may the gateway be told that it has arrived."""

    def __init__(self, url, timeout, on_report, on_inbound):
        self.url, self.timeout = urllib.parse.urlsplit(url), timeout
        self.on_report, self.on_inbound = on_report, on_inbound
        self.server = None

    def send(self, number, text):
        """Gives the gateway's id. Any exception but those three means that nobody knows what became of it."""
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.url.hostname, self.url.port, timeout=self.timeout)
        try:
            connection.connect()  # a new one each time: on a used one a failure would not say whether it was sent
        except OSError as e:
            raise NotSent(str(e)) from None
        with contextlib.closing(connection):
            query = urllib.parse.urlencode({"content": text, "mobile": number})
            connection.request("GET", f"{self.url.path}?{query}")
            answer = connection.getresponse()
            body = answer.read(65536).decode()
        if answer.status == 429:
            pause = answer.getheader("Retry-After", "")
            raise TooFast(int(pause) * 1000 if pause.isdigit() else None)
        if answer.status == 200 and body.startswith("OK:") and ";" not in body:
            return body[3:].strip()
        if answer.status == 200 and body.startswith("ERR:"):
            _, code, *words = body.strip().split(":", 2)
            raise Refused(code, ":".join(words))
        raise ValueError(f"an answer that is not documented (HTTP {answer.status})")

    def listen(self, host, port):
        """Reports and messages from phones are posted to us."""
        vendor = self

        class Posted(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 1 << 20)).decode()
                try:
                    kept = vendor.posted(self.path, body)
                except (ValueError, KeyError):
                    kept = False
                self.send_response(200 if kept else 503)  # not kept: it posts it again
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Requests hold numbers."""

        self.server = http.server.ThreadingHTTPServer((host, port), Posted)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def posted(self, path, body):
        if path.startswith("/inbound/"):
            m = json.loads(body)
            at = datetime.datetime.fromisoformat(m["time"].replace("Z", "+00:00"))
            return self.on_inbound(m["from"], m.get("to", ""), m["text"], m["id"], int(at.timestamp() * 1000))
        kept = []
        for record in body.split(";"):
            msg_id, number, status, time = record.split(",")
            at = datetime.datetime.strptime(time + " +0800", "%Y-%m-%d %H:%M:%S %z")
            kept.append(self.on_report(msg_id, number, status, int(at.timestamp() * 1000)))
        return all(kept)


# ---- smschain's side ----

class Link:
    """One connection from a dispatcher."""

    def __init__(self, adapter, reader, writer):
        self.adapter, self.reader, self.writer = adapter, reader, writer
        self.next_token, self.told = 1, {}  # token -> future of `kept`
        self.open = 0                       # submits without an answer
        self.up = False

    def say(self, **line):
        if not self.writer.is_closing():
            self.writer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    async def run(self):
        try:
            hello = json.loads(await self.reader.readline() or b"{}")
            if 1 not in hello.get("versions", []):
                self.say(kind="error", reason="version", error="this adapter speaks version 1")
                return
            self.say(kind="hello", version=1, name="sample_adapter")
            self.up = True
            while line := await self.reader.readline():
                self.take(line)
                await self.writer.drain()
        except (OSError, ValueError) as e:  # ValueError: a line that is too long
            print(f"sample_adapter: a link ended: {type(e).__name__}", file=sys.stderr)
        finally:
            self.up = False
            for future in self.told.values():
                future.done() or future.set_result(False)
            self.writer.close()

    def take(self, text):
        line = None
        with contextlib.suppress(ValueError):
            line = json.loads(text)
        if not isinstance(line, dict):
            self.say(kind="error", reason="unreadable", error="not a JSON object")
            return
        kind = line.get("kind")
        if kind == "submit":
            self.open += 1
            if len(self.adapter.calls) >= CALLS:  # of several dispatchers; it would wait here and might time out unsent
                self.answer(line, kind="retry", reason="no_room", throttled=True)
                return
            call = asyncio.ensure_future(self.submit(line))
            self.adapter.calls.add(call)
            call.add_done_callback(self.adapter.calls.discard)
        elif kind == "kept":
            future = self.told.get(line.get("token"))
            if future and not future.done():
                future.set_result(line.get("kept") is True)
        elif kind == "ping":
            self.say(kind="pong", **({"id": line["id"]} if "id" in line else {}))
        elif kind == "error":
            print(f"sample_adapter: smschain does not understand us: {line.get('reason')}", file=sys.stderr)
        elif kind != "pong":
            self.say(kind="error", reason="unknown_kind", error="this adapter does not know that kind")

    async def submit(self, line):
        """One submit, one call, one answer."""
        try:
            msg_id = await asyncio.get_running_loop().run_in_executor(
                self.adapter.pool, self.adapter.vendor.send, line["number"], line["text"])
            answer = {"kind": "accepted", "msg_id": msg_id}
        except Refused as e:
            answer = {"kind": "refused", "reason": e.args[0], "error": e.args[1]}
        except TooFast as e:
            answer = {"kind": "retry", "reason": "too_fast", "throttled": True, "retry_after_ms": e.args[0]}
        except NotSent as e:
            answer = {"kind": "retry", "reason": "not_connected", "throttled": True, "error": str(e)}
        except Exception as e:  # whatever else comes out of an SDK: nobody knows
            answer = {"kind": "in_doubt", "reason": type(e).__name__.lower(), "error": str(e)[:200]}
        self.answer(line, **answer)

    def answer(self, line, **answer):
        self.say(id=line["id"], **answer)
        self.open -= 1

    async def tell(self, line):
        """A report or a message from a phone. True: smschain has it for good."""
        token, self.next_token = self.next_token, self.next_token + 1
        self.told[token] = asyncio.get_running_loop().create_future()
        try:
            self.say(token=token, **line)
            return await asyncio.wait_for(self.told[token], KEPT_SECONDS)
        except asyncio.TimeoutError:
            return False
        finally:
            del self.told[token]


class Adapter:
    def __init__(self, options):
        self.options, self.links, self.calls, self.loop = options, set(), set(), None
        self.pool = concurrent.futures.ThreadPoolExecutor(CALLS)
        self.vendor = Vendor(options.vendor_url, options.timeout, self.report, self.inbound)

    # The SDK's call-backs come in threads of its own.
    def report(self, msg_id, number, status, at):
        return self.tell({"kind": "report", "msg_id": msg_id, "number": number, "status": status, "at": at})

    def inbound(self, number, to, text, msg_id, at):
        return self.tell({"kind": "inbound", "from": number, "to": to, "text": text, "msg_id": msg_id, "at": at})

    def tell(self, line):
        return asyncio.run_coroutine_threadsafe(self.tell_one(line), self.loop).result()

    async def tell_one(self, line):
        for link in self.links:
            if link.up:
                return await link.tell(line)
        return False

    async def connected(self, reader, writer):
        peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", peer)
        if uid not in (self.options.allow_uid or [os.geteuid()]):
            print(f"sample_adapter: uid {uid} may not connect; see --allow-uid", file=sys.stderr)
            writer.close()
            return
        link = Link(self, reader, writer)
        self.links.add(link)
        try:
            await link.run()
        finally:
            self.links.discard(link)

    async def run(self):
        stop = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, stop.set)
        host, _, port = self.options.listen.rpartition(":")
        self.vendor.listen(host, int(port))
        path = self.options.socket
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(path).st_mode):  # of one that was killed
                os.unlink(path)
        os.umask(0o117)  # the socket is for us and our group; nobody else
        server = await asyncio.start_unix_server(self.connected, path, limit=LINE_BYTES, backlog=64)
        await stop.wait()
        server.close()
        os.unlink(path)
        deadline = self.loop.time() + self.options.timeout + 1
        while any(link.open for link in self.links) and self.loop.time() < deadline:
            await asyncio.sleep(0.05)  # what was begun gets its answer
        for link in self.links:
            link.writer.close()


def main():
    parser = argparse.ArgumentParser(description="A sample adapter for smschain (docs/adapters.md).")
    parser.add_argument("--socket", required=True, help="where smschain connects to")
    parser.add_argument("--vendor-url", required=True, help="the gateway's address for messages")
    parser.add_argument("--listen", default="127.0.0.1:8091", help="where the gateway posts its reports, HOST:PORT")
    parser.add_argument("--timeout", type=float, default=20, help="seconds for the gateway's answer; less than answer_timeout")
    parser.add_argument("--allow-uid", type=int, action="append", help="who may connect; without it our own account")
    asyncio.run(Adapter(parser.parse_args()).run())


if __name__ == "__main__":
    main()
