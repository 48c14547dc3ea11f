"""Hostile input at every door: each has a defined result, and the daemon serves the next client as before."""
import contextlib
import json
import random
import socket
import struct

from lab import Lab, wait_until
from run import alone

REQUEST = ("request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=203.0.113.66\nclient_port=4242\n"
           "sender={sender}\nrecipient=r@local.example\ninstance=1f.2.3.4\n\n")


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(path))
    return client


def door(lab, name):
    return lab.queue / "mailguard" / f"{name}.sock"


def serves(lab):
    """Both doors and the diagnostic socket still answer, and the worker is the same."""
    with connect(door(lab, "policy")) as client:
        client.sendall(REQUEST.format(sender="x@x").encode())
        assert client.recv(100) == b"action=dunno\n\n"
    with connect(door(lab, "milter")) as client:
        client.sendall(packet(b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF)))
        assert client.recv(5)[4:5] == b"O"
    assert lab.mailguard.json("status")["version"]
    return True


@contextlib.contextmanager
def daemon(conf=""):
    with Lab(conf=conf) as lab:
        lab.mailguard.start()
        yield lab
        assert serves(lab) and lab.mailguard.json("status")["figures"]["worker_crashes"] == 0, "the worker must survive"
        assert lab.mailguard.stop() == 0
        text = lab.mailguard.log_path.read_text(errors="replace")
        assert "Sanitizer" not in text and "runtime error" not in text, text[-3000:]


def closed_without_answer(client):
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        return client.recv(100) == b""
    return True


def test_policy_requests():
    with daemon() as lab:
        for bad in (b"request=smtpd_access_policy\nsender=" + b"x" * (1 << 20) + b"\n\n", b"x" * (1 << 20), b"\n", b"junk\n\n",
                    b"request=smtpd_access_policy\nsender=a\0b\n\n", b"GET / HTTP/1.0\n\n", b"request=other\n\n",
                    b"request=smtpd_access_policy\n" + b"a=b\n" * 30000 + b"\n"):
            with connect(door(lab, "policy")) as client:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(bad)
                assert closed_without_answer(client), bad[:40]
        assert b"policy-malformed" in lab.mailguard.log_path.read_bytes()
        with connect(door(lab, "policy")) as client:  # one byte at a time, and many at once
            for byte in REQUEST.format(sender="slow@x").encode():
                client.sendall(bytes([byte]))
            assert client.recv(100) == b"action=dunno\n\n"
            client.sendall(REQUEST.format(sender="many@x").encode() * 500)
            got = b""
            while len(got) < 500 * 14:
                got += client.recv(65536)
            assert got == b"action=dunno\n\n" * 500
        with connect(door(lab, "policy")) as client:
            client.sendall(REQUEST.format(sender="\x01\x1b[2J\x80\xff, to=<x>\t").encode("latin-1"))
            assert client.recv(100) == b"action=dunno\n\n"


def packet(command, data=b""):
    return struct.pack(">I", 1 + len(data)) + command + data


def dialogue(recipients=1, sender=b"<a@x.example>"):
    yield packet(b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF))
    yield packet(b"D", b"C" + b"\0".join([b"j", b"mail.local.example", b"{client_addr}", b"203.0.113.9", b"{client_port}", b"999", b""]))
    yield packet(b"C", b"client.example\0" + b"4" + struct.pack(">H", 999) + b"203.0.113.9\0")
    yield packet(b"H", b"helo\0")
    yield packet(b"M", sender + b"\0")
    for i in range(recipients):
        yield packet(b"R", b"<r%d@local.example>\0" % i)
    yield packet(b"T")
    yield packet(b"L", b"From\0a@x.example\0")
    yield packet(b"N")
    yield packet(b"B", b"body\r\n")
    yield packet(b"E")


def talk(lab, packets):
    """Sends packets, reading whatever comes; returns what came before the end."""
    got = b""
    with connect(door(lab, "milter")) as client:
        client.settimeout(0.2)
        for one in packets:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(one)
        with contextlib.suppress(socket.timeout, ConnectionResetError):
            while chunk := client.recv(65536):
                got += chunk
    return got


def test_milter_packets():
    with daemon() as lab:
        good = list(dialogue())
        assert talk(lab, good).endswith(packet(b"a")) or talk(lab, good).endswith(packet(b"c")), "the dialogue itself is right"
        for bad in (b"\0\0\0\0", b"\xff\xff\xff\xff" + b"O", struct.pack(">I", 5) + b"Oabc", packet(b"O", b"short"),
                    packet(b"Z", b"?"), packet(b"C"), packet(b"C", b"no-nul"), packet(b"M"), packet(b"R"), packet(b"L", b"name"),
                    packet(b"L", b"name\0value"), packet(b"D"), packet(b"D", b"C"), packet(b"D", b"Cj\0"), packet(b"D", b"Cj\0x\0odd\0"),
                    packet(b"D", b"Mno nul"), packet(b"E"),
                    packet(b"A"), packet(b"K"), b"\x80" * 5000):
            talk(lab, [bad])
            for cut in (1, 3, 5, 7):
                talk(lab, [*good[:cut], bad])
        chance = random.Random(7)
        for _ in range(150):
            packets = [bytearray(one) for one in good]
            for _ in range(chance.randint(1, 6)):
                victim = chance.choice(packets)
                victim[chance.randrange(len(victim))] = chance.randrange(256)
            talk(lab, [bytes(one) for one in packets][:chance.randint(1, len(packets))])


def test_hostile_text_through_the_milter_is_kept_as_data():
    sender = bytes(range(1, 256)).replace(b"<", b"").replace(b">", b"")
    with daemon() as lab:
        talk(lab, dialogue(sender=b"<" + sender + b">"))
        txn = lab.record(lambda t: t["client"]["ip"] == "203.0.113.9")
        assert txn["verdict"]["action"] == "accept"
        shown = lab.mailguard.ctl("recent").stdout + lab.mailguard.ctl("trace", "203.0.113.9").stdout
        assert not [c for c in shown if ord(c) < 32 and c != "\n"] and "\x7f" not in shown


def test_ten_thousand_recipients():
    with daemon() as lab:
        def packets():
            yield from dialogue(recipients=10001)
        with connect(door(lab, "milter")) as client:
            reader = client.makefile("rb")
            for one in packets():
                client.sendall(one)
                if one[4:5] in b"ORE":
                    length = struct.unpack(">I", reader.read(4))[0]
                    reader.read(length)
        txn = lab.record(lambda t: t["client"]["ip"] == "203.0.113.9")
        assert len(txn["recipients"]) == 10000 and txn["recipients_left_out"] == 1


def test_sessions_beyond_the_cap_pass_and_are_told():
    with daemon() as lab:
        text = lab.conf.read_text().replace("/milter.sock\";", "/milter.sock\"; max_sessions = 3;")
        lab.mailguard.stop()
        lab.conf.write_text(text)
        lab.mailguard.start()
        held = [connect(door(lab, "milter")) for _ in range(3)]
        for client in held:
            client.sendall(packet(b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF)))
            assert client.recv(1000)[4:5] == b"O"
        with connect(door(lab, "milter")) as beyond:
            beyond.sendall(packet(b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF)))
            answer = beyond.recv(1000)
            steps = struct.unpack(">III", answer[5:17])[2]
            assert steps & 0x7F == 0x7F, f"only end-of-message is wanted: {steps:#x}"
            beyond.sendall(packet(b"E"))
            assert beyond.recv(1000) == packet(b"a")
        check = lab.mailguard.json("check", "self.load")["checks"][0]
        assert check["state"] in ("warn", "crit") and check["value"] is not None
        more = [connect(door(lab, "milter")) for _ in range(12)]
        for client in more:
            client.sendall(packet(b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF)))
        assert any(closed_without_answer(client) for client in more), "far beyond the cap the negotiation is refused"
        for client in held + more:
            client.close()
        wait_until("the sessions are over", lambda: lab.mailguard.json("status")["figures"]["milter_sessions"] == 0)


def test_control_socket_garbage():
    with daemon() as lab:
        path = lab.run / "control.sock"
        for bad in (b"\0" * 100 + b"\n", b"[]\n", b"{\n", b"{}\n", b'{"method":1}\n', b'{"jsonrpc":"2.0","id":1,"method":"none"}\n',
                    b'{"id":1,"method":"trace","params":{"what":{}}}\n', b'{"id":1,"method":"recent","params":{"limit":-1}}\n',
                    b'{"id":1,"method":"recent","params":[1]}\n', b"[" * 60000 + b"\n", b"x" * 200000 + b"\n",
                    b'{"id":1,"method":"trace","params":{"what":"' + b"y" * 5000 + b'"}}\n', b"\xff\xfe\n"):
            with connect(path) as client:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(bad)
                    client.shutdown(socket.SHUT_WR)
                    answer = client.makefile("rb").readline()
                    if answer:
                        assert "error" in json.loads(answer), (bad[:40], answer)
        with connect(path) as client:  # many calls on one line each
            client.sendall(b'{"id":1,"method":"version"}\n' * 1000)
            reader = client.makefile("rb")
            assert all(json.loads(reader.readline())["result"]["name"] == "mailguard" for _ in range(1000))


@alone
def test_a_client_that_never_reads_is_dropped():
    with daemon() as lab:
        with connect(lab.run / "control.sock") as deaf:
            deaf.settimeout(1)
            with contextlib.suppress(socket.timeout, BrokenPipeError, ConnectionResetError):
                while True:
                    deaf.sendall(b'{"id":1,"method":"status"}\n' * 500)
            before = lab.mailguard.json("status")["figures"]["rss_bytes"]
            assert lab.mailguard.json("status")["version"], "others are served meanwhile"

            def is_dropped():
                with contextlib.suppress(socket.timeout, BlockingIOError):
                    try:
                        deaf.sendall(b"x")
                    except (BrokenPipeError, ConnectionResetError):
                        return True
                return False
            wait_until("the deaf client is dropped", is_dropped, 40)
            assert lab.mailguard.json("status")["figures"]["rss_bytes"] < before + (64 << 20)  # the checks begin meanwhile
        crowd = [connect(lab.run / "control.sock") for _ in range(80)]
        for client in crowd:
            client.close()
        wait_until("room again", lambda: lab.mailguard.ctl("version").returncode == 0)
