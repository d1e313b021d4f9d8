"""The other side of an SMPP link, written down a second time: enough of SMPP 3.4 to test with, and nothing of ours in it."""
import collections
import socket
import struct

COMMANDS = {"bind_receiver": 1, "bind_transmitter": 2, "query_sm": 3, "submit_sm": 4, "deliver_sm": 5, "unbind": 6,
            "bind_transceiver": 9, "enquire_link": 0x15, "data_sm": 0x103}
NAMES = {n: name for name, n in COMMANDS.items()} | {n | 1 << 31: f"{name}_resp" for name, n in COMMANDS.items()} | {
    1 << 31: "generic_nack"}
OK, THROTTLED, QUEUE_FULL = 0, 0x58, 0x14
RECEIPT, UDHI = 0x04, 0x40
TLVS = {"receipted_message_id": 0x1e, "message_state": 0x427, "network_error_code": 0x423, "message_payload": 0x424,
        "sar_msg_ref_num": 0x20c, "sar_total_segments": 0x20e, "sar_segment_seqnum": 0x20f}


class Pdu(collections.namedtuple("Pdu", "command status sequence body")):
    @property
    def message_id(self):
        return self.body.split(b"\0")[0].decode()


Message = collections.namedtuple("Message", "source destination esm_class registered coding octets tlvs")


def encode(command, body=b"", status=OK, sequence=1):
    number = COMMANDS.get(command) or next(n for n, name in NAMES.items() if name == command)
    return struct.pack(">IIII", 16 + len(body), number, status, sequence) + body


def text(s):
    return s.encode() + b"\0"


def message(source, destination, octets, esm_class=0, registered=1, coding=0, tlvs=()):
    """The body of a submit_sm or deliver_sm. tlvs: (tag, octets) pairs."""
    body = text("") + b"\1\1" + text(source) + b"\1\1" + text(destination) + bytes((esm_class, 0, 0)) + text("") + text("")
    body += bytes((registered, 0, coding, 0, len(octets))) + octets
    return body + b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in tlvs)


def read_message(body):
    """What message() makes, read."""
    def string():
        nonlocal body
        value, body = body.split(b"\0", 1)
        return value.decode()

    def octets(n):
        nonlocal body
        value, body = body[:n], body[n:]
        return value
    string(), octets(2)
    source = string()
    octets(2)
    destination = string()
    esm_class = octets(3)[0]
    string(), string()
    registered, _, coding, _, length = octets(5)
    short = octets(length)
    tlvs = {}
    while body:
        tag, size = struct.unpack(">HH", octets(4))
        tlvs[tag] = octets(size)
    return Message(source, destination, esm_class, registered, coding, short, tlvs)


class Link:
    """A link to a gateway."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes, self.sequence = b"", 0
        self.reads = []  # how many bytes each read gave

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, command, body=b"", status=OK, sequence=None):
        """Gives the sequence number."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        self.socket.sendall(encode(command, body, status, sequence))
        return sequence

    def read(self, seconds=5):
        """The next PDU; None: the link has ended (what of a PDU had come by then is in .bytes)."""
        self.socket.settimeout(seconds)
        while len(self.bytes) < 16 or len(self.bytes) < struct.unpack(">I", self.bytes[:4])[0]:
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not more:
                return None
            self.reads.append(len(more))
            self.bytes += more
        length, number, status, sequence = struct.unpack(">IIII", self.bytes[:16])
        pdu = Pdu(NAMES[number], status, sequence, self.bytes[16:length])
        self.bytes = self.bytes[length:]
        return pdu

    def silent(self, seconds):
        """Does nothing come for so long?"""
        try:
            return self.read(seconds) is None
        except TimeoutError:
            return True

    def ask(self, command, body=b""):
        sequence = self.send(command, body)
        answer = self.read()
        assert answer is None or answer.sequence == sequence, answer
        return answer

    def bind(self, system_id, password="", kind="transceiver"):
        return self.ask(f"bind_{kind}", text(system_id) + text(password) + text("") + b"\x34\0\0" + text(""))

    def submit(self, number, octets="hello", **more):
        return self.ask("submit_sm", message("smschain", number, octets.encode() if isinstance(octets, str) else octets, **more))

    def taken(self, status=OK):
        """The next deliver_sm, answered."""
        pdu = self.read()
        assert pdu.command == "deliver_sm", pdu
        self.send("deliver_sm_resp", text(""), status, pdu.sequence)
        return read_message(pdu.body)
