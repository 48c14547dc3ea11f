"""The queue and the deliveries: each fault made on a private Postfix, found, mended as printed, and gone."""
import contextlib
import os
import socket
import subprocess
import threading
import time

from lab import Lab, wait_until
from run import quick

CONF = '''health = { interval = "1h"; thresholds = { "queue.deferred" = { warn = 1; crit = 5; };
  "queue.reasons" = { warn = 3; crit = 200; }; "queue.null-sender" = { warn = 30; crit = 60; }; }; };'''


class Receiver:
    """An SMTP server that answers RCPT with what it is told, on a port of its own."""

    def __init__(self, answer):
        self.answer = answer.encode()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.talk, args=(self.listener.accept()[0],), daemon=True).start()

    def talk(self, peer):
        with contextlib.suppress(OSError), peer, peer.makefile("rb") as lines:
            peer.sendall(b"220 mx.far.example ESMTP\r\n")
            for line in lines:
                word = line[:4].upper()
                peer.sendall(self.answer + b"\r\n" if word == b"RCPT" else b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    def close(self):
        self.listener.close()


def sendmail(lab, sender, *recipients, check=True):
    return subprocess.run(["sendmail", "-C", str(lab.etc), "-f", sender, *recipients], input=b"Subject: t\n\nx\n", check=check,
                          env={**os.environ, "MAIL_CONFIG": str(lab.etc)}, capture_output=True)


def deferred(lab, count):
    wait_until(f"{count} deferrals", lambda: lab.log_text().count("status=deferred") >= count)


def check(lab, name):
    return lab.mailguard.json("check", name)["checks"][0]


def files(lab, queue):
    return [path for path in (lab.queue / queue).rglob("*") if path.is_file()]


def make_old(path, seconds):
    os.utime(path, (time.time() - seconds, time.time() - seconds))


def type_in(lab, command):
    """Types a printed command as root would."""
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True,
                          env={**os.environ, "MAIL_CONFIG": str(lab.etc)})


@quick
def test_queue_faults_are_found_and_mended():
    with Lab(conf=CONF) as lab:
        lab.start_postfix()
        for name in ("deferred", "active", "age", "incoming", "maildrop", "hold", "corrupt", "reasons", "null-sender"):
            found = check(lab, "queue." + name)
            assert found["state"] == "ok" and not found["cause"], found

        # A destination that is down: counted, grouped, explained.
        for _ in range(3):
            sendmail(lab, "a@local.example", "x@down.example", "y@down.example")
        sendmail(lab, "a@local.example", "x@other.down.example")
        sendmail(lab, "", "z@down.example")
        deferred(lab, 7)
        found = check(lab, "queue.deferred")
        assert found["state"] in ("warn", "crit") and found["value"] >= 4 and "postqueue" in found["fix"], found
        found = check(lab, "queue.reasons")
        assert found["state"] == "warn" and "down.example" in found["summary"] and "refused" in found["cause"], found
        assert any(line.startswith("down.example: 4 messages") for line in found["evidence"]), found
        found = check(lab, "queue.null-sender")
        assert found["state"] == "ok" and 15 < found["value"] < 35, found

        # Bounces in masses.
        for _ in range(12):
            sendmail(lab, "", "z@down.example")
        deferred(lab, 19)
        found = check(lab, "queue.null-sender")
        assert found["state"] == "warn" and "local_recipient_maps" in found["fix"] and "bounces" in found["summary"], found
        assert check(lab, "queue.deferred")["state"] == "crit"

        # The oldest is a day old.
        oldest = files(lab, "deferred")[0]
        make_old(oldest, 5 * 3600)
        found = check(lab, "queue.age")
        assert found["state"] == "warn" and oldest.name in found["summary"] and oldest.name in found["fix"], found
        make_old(oldest, 30 * 3600)
        assert check(lab, "queue.age")["state"] == "crit"
        type_in(lab, f"postsuper -c {lab.etc} -d {oldest.name}")
        assert check(lab, "queue.age")["state"] == "ok"

        # On hold since yesterday.
        held = files(lab, "deferred")[0].name
        type_in(lab, f"postsuper -c {lab.etc} -h {held}")
        found = check(lab, "queue.hold")
        assert found["state"] == "ok" and found["value"] == 1, found
        make_old(files(lab, "hold")[0], 90000)
        found = check(lab, "queue.hold")
        assert found["state"] == "warn" and f"postsuper -c {lab.etc} -H {held}" in found["fix"], found
        type_in(lab, f"postsuper -c {lab.etc} -H {held}")
        assert check(lab, "queue.hold")["state"] == "ok"

        # A damaged file.
        (lab.queue / "corrupt" / "4ABCDEF01").write_bytes(b"\x00garbage")
        found = check(lab, "queue.corrupt")
        assert found["state"] == "crit" and "disk" in found["cause"] and "postsuper" in found["fix"], found
        type_in(lab, found["fix"].rsplit("then take the file away: ", 1)[1])
        assert check(lab, "queue.corrupt")["state"] == "ok"

        # Postfix is stopped: what programs hand in stays, and nobody tells what is in the queue.
        lab.postfix("stop")
        sendmail(lab, "a@local.example", "ann@local.example", check=False)
        dropped = wait_until("a file in maildrop", lambda: files(lab, "maildrop"))[0]
        make_old(dropped, 300)
        found = check(lab, "queue.maildrop")
        assert found["state"] == "warn" and "pickup" in found["cause"] and "reload" in found["fix"], found
        make_old(dropped, 3600)
        assert check(lab, "queue.maildrop")["state"] == "crit"
        found = check(lab, "queue.reasons")
        assert found["state"] == "unknown" and "not running" in found["cause"] and found["fix"], found
        (lab.queue / "incoming" / "5ABCDEF01").write_bytes(b"")
        make_old(lab.queue / "incoming" / "5ABCDEF01", 900)
        found = check(lab, "queue.incoming")
        assert found["state"] == "crit" and "qmgr" in found["cause"], found
        (lab.queue / "incoming" / "5ABCDEF01").unlink()
        lab.start_postfix()
        wait_until("maildrop is empty", lambda: not files(lab, "maildrop"))
        assert check(lab, "queue.maildrop")["state"] == check(lab, "queue.incoming")["state"] == "ok"


@quick
def test_deliveries_are_explained():
    slow = Receiver("421-4.7.28 Gmail has detected an unusual rate of unsolicited mail\r\n421 4.7.28 from you. x1 - gsmtp")
    gone = Receiver("550 5.1.1 The email account that you tried to reach does not exist")
    with Lab() as lab, contextlib.closing(slow), contextlib.closing(gone):
        with (lab.etc / "transport").open("a") as transport:
            transport.write(f"slow.example smtp:[127.0.0.1]:{slow.port}\ngone.example smtp:[127.0.0.1]:{gone.port}\n")
        lab.add_login()
        lab.start()
        login = ("ann@mail.local.example", "correct horse")
        assert check(lab, "limit.provider")["state"] == check(lab, "delivery.4xx")["state"] == "ok"
        lab.send("ann@local.example", ["first@slow.example", "first@gone.example"], login=login)
        deferred(lab, 1)
        found = wait_until("limit.provider", lambda: next(
            (c for c in [check(lab, "limit.provider")] if c["state"] == "warn"), None))
        assert "gmail" in found["summary"] and "rate" in found["fix"] and found["value"] == 1, found
        assert check(lab, "delivery.4xx")["state"] == "ok"  # one attempt is no share

        for n in range(6):
            sendmail(lab, "ann@local.example", *[f"u{n}x{i}@slow.example" for i in range(9)])
        sendmail(lab, "ann@local.example", *[f"g{i}@gone.example" for i in range(9)])
        found = wait_until("delivery.4xx", lambda: next(
            (c for c in [check(lab, "delivery.4xx")] if c["state"] == "crit"), None))
        assert found["value"] > 50 and "Gmail" in found["cause"] and "rate_delay" in found["fix"], found
        found = wait_until("delivery.5xx", lambda: next(
            (c for c in [check(lab, "delivery.5xx")] if c["state"] == "crit"), None))
        assert "does not exist" in found["cause"] and "correct the address" in found["fix"], found
        assert check(lab, "limit.provider")["state"] == "crit"
        assert check(lab, "delivery.delay")["state"] == "ok"

        told = wait_until("the story", lambda: [
            r for txn in lab.mailguard.json("trace", "first@gone.example")["transactions"] for r in txn["recipients"]
            if r["address"] == "first@gone.example" and "explanation" in r])[0]["explanation"]
        assert told["enhanced"] == "5.1.1" and told["actor"] == "sender" and told["permanence"] == "permanent", told
        story = " ".join(lab.mailguard.ctl("trace", "first@slow.example").stdout.split())
        assert "Gmail sees an unusual rate" in story and "who acts" in story, story
        assert "Gmail ve un ritmo" in " ".join(lab.mailguard.ctl("trace", "first@slow.example", language="es").stdout.split())


@quick
def test_status_shows_the_queue():
    with Lab(conf='health = { interval = "1s"; };') as lab:
        lab.mailguard.start()
        lab.start_postfix()
        sendmail(lab, "a@local.example", "x@down.example")
        deferred(lab, 1)
        queue = wait_until("the reasons in status", lambda: next(
            (q for q in [lab.mailguard.json("status")["queue"]] if q["reasons"] and q["deferred"] == 1), None))
        assert queue["reasons"][0]["domain"] == "down.example" and queue["reasons"][0]["count"] == 1
        assert "refused" in queue["reasons"][0]["cause"] and queue["corrupt"] == 0
        assert "down.example: 1" in lab.mailguard.ctl("status").stdout
