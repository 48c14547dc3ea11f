"""A DNS server that says what a test tells it to: truth, nothing, errors, truncation, lies, late.

A zone is a dict: name -> list of {TYPE: value}, as the vectors of openspf have it. TXT values are a text or a list of
strings, MX values [preference, name]. A record of type SPF stands for TXT unless the name has TXT itself; {"TXT": "NONE"} is
none at all; TLSA values are text as zone files have it ("3 1 1 0123..."). The word "TIMEOUT" in a list: no answer for types not
listed before it; "SERVFAIL": that. Names not listed do not exist, unless names below them are listed and `empty_names_exist` is
set. `mood` makes the server answer everything so: "TIMEOUT", "SERVFAIL", "REFUSED"; "" the zone.
"""
import ipaddress
import socket
import socketserver
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, REFUSED = 0, 1, 2, 3, 5
UDP_BYTES = 1232
MOODS = {"TIMEOUT": (None, []), "SERVFAIL": (SERVFAIL, []), "REFUSED": (REFUSED, [])}


def encode_name(name):
    wire = b""
    for label in name.rstrip(".").split("."):
        raw = label.encode("latin-1", "replace") if isinstance(label, str) else label
        if raw:
            wire += bytes([len(raw)]) + raw
    return wire + b"\0"


def read_question(packet):
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += packet[at] + 1
    kind, = struct.unpack("!H", packet[at + 1:at + 3])
    return ".".join(labels), kind, packet[12:at + 5]


def encode_strings(value):
    strings = value if isinstance(value, list) else [value]
    wire = b""
    for text in strings:
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        pieces = [raw[i:i + 255] for i in range(0, len(raw), 255)] or [b""]
        wire += b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return wire


def encode_data(kind, value):
    if kind == "A":
        return ipaddress.IPv4Address(value).packed
    if kind == "AAAA":
        return ipaddress.IPv6Address(value).packed
    if kind == "MX":
        return struct.pack("!H", int(value[0])) + encode_name(value[1])
    if kind == "TXT":
        return encode_strings(value)
    if kind == "TLSA":
        *numbers, data = value.split()
        return bytes(map(int, numbers)) + bytes.fromhex(data)
    return encode_name(value)


class Zone:
    def __init__(self, records=None, empty_names_exist=True):
        self.names, self.empty_names_exist = {}, empty_names_exist
        self.add(records or {})

    def add(self, records):
        for name, entries in records.items():
            self.names[name.lower().rstrip(".")] = self.complete(entries)

    @staticmethod
    def complete(entries):
        """SPF records as TXT where the name has none."""
        has_txt = any(isinstance(entry, dict) and "TXT" in entry for entry in entries)
        complete = []
        for entry in entries:
            if isinstance(entry, dict) and "SPF" in entry:
                if not has_txt:
                    complete.append({"TXT": entry["SPF"]})
            elif not (isinstance(entry, dict) and entry.get("TXT") == "NONE"):
                complete.append(entry)
        return complete

    def look_up(self, name, kind, depth=0):
        """(rcode or None for silence, [(owner, type, data)...])"""
        name = name.lower().rstrip(".")
        entries = self.names.get(name)
        if entries is None:
            below = self.empty_names_exist and any(known.endswith("." + name) for known in self.names)
            return (NOERROR if below else NXDOMAIN), []
        found = []
        for entry in entries:
            if entry == "TIMEOUT":
                return (NOERROR, found) if found else (None, [])
            if entry == "SERVFAIL":
                return (NOERROR, found) if found else (SERVFAIL, [])
            for word, value in entry.items():
                if word == kind:
                    found.append((name, word, value))
                elif word == "CNAME" and depth < 8:
                    rcode, more = self.look_up(value, kind, depth + 1)
                    return rcode, [(name, "CNAME", value)] + more
        return NOERROR, found


class DnsServer:
    """Serves a zone on one port of 127.0.0.1, UDP and TCP, until stop(). `asked` holds (name, type) of every question."""

    def __init__(self, records=None, delay_s=0, empty_names_exist=True, ttl=300):
        self.zone = Zone(records, empty_names_exist)
        self.delay_s, self.ttl = delay_s, ttl
        self.asked, self.lock = [], threading.Lock()
        self.mood = ""
        self.script = {}  # name -> function(packet, answer): the bytes to send, or None
        self.open_port()
        self.threads = [threading.Thread(target=self.serve_udp, daemon=True), threading.Thread(target=self.serve_tcp, daemon=True)]
        for thread in self.threads:
            thread.start()

    def open_port(self):
        for _ in range(50):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.port = self.udp.getsockname()[1]
            try:
                server = self

                class Handler(socketserver.BaseRequestHandler):
                    def handle(self):
                        server.serve_stream(self.request)

                socketserver.ThreadingTCPServer.allow_reuse_address = True
                self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
                self.tcp.daemon_threads = True
                return
            except OSError:
                self.udp.close()
        raise OSError("no port is free for both UDP and TCP")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def questions(self, kind=None):
        with self.lock:
            return [name for name, asked in self.asked if kind in (None, asked)]

    def answer(self, packet, is_stream):
        try:
            name, kind, question = read_question(packet)
        except (IndexError, struct.error):
            return None
        word = NAMES.get(kind, str(kind))
        with self.lock:
            self.asked.append((name.lower(), word))
        rcode, records = MOODS[self.mood] if self.mood else self.zone.look_up(name, word)
        if rcode is None:
            return None
        wire = b""
        for owner, record, value in records:
            data = encode_data(record, value)
            wire += encode_name(owner) + struct.pack("!HHIH", TYPES[record], 1, self.ttl, len(data)) + data
        flags = 0x8180 | rcode
        reply = packet[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question + wire
        if not is_stream and len(reply) > UDP_BYTES:
            reply = packet[:2] + struct.pack("!HHHHH", flags | 0x0200, 1, 0, 0, 0) + question
        script = self.script.get(name.lower())
        return script(packet, reply) if script else reply

    def serve_udp(self):
        while True:
            try:
                packet, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            reply = self.answer(packet, False)
            if reply is None:
                continue
            if self.delay_s:
                threading.Timer(self.delay_s, self.send, (reply, peer)).start()
            else:
                self.send(reply, peer)

    def send(self, reply, peer):
        try:
            self.udp.sendto(reply, peer)
        except OSError:
            pass

    def serve_stream(self, stream):
        while True:
            head = self.read(stream, 2)
            packet = self.read(stream, struct.unpack("!H", head)[0]) if head else b""
            reply = self.answer(packet, True) if packet else None
            if reply is None:
                return
            stream.sendall(struct.pack("!H", len(reply)) + reply)

    @staticmethod
    def read(stream, count):
        data = b""
        while len(data) < count:
            piece = stream.recv(count - len(data))
            if not piece:
                return b""
            data += piece
        return data

    def serve_tcp(self):
        self.tcp.serve_forever(poll_interval=0.05)

    def stop(self):
        self.tcp.shutdown()
        self.tcp.server_close()
        try:
            self.udp.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.udp.close()
        for thread in self.threads:
            thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()
