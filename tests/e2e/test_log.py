"""The log reader beside a running daemon: rotation, truncation, downtime."""
import os
import signal

from lab import Lab, queue_id_of, wait_until

STRANGER = "203.0.113.66"


def final(lab, queue_id):
    lab.record(lambda t: t["queue_id"] == queue_id and t["recipients"][0]["delivery"] == "sent", f"{queue_id} delivered")


def send(lab, **words):
    return queue_id_of(lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER, **words)[1])


def test_rotation_and_copytruncate_lose_nothing():
    with Lab() as lab:
        lab.start()
        ids = [send(lab)]
        final(lab, ids[0])
        os.rename(lab.mail_log, lab.log / "mail.log.1")
        ids.append(send(lab))  # the writer does not know yet
        lab.postfix("reload")
        ids.append(wait_until("a mail after the rotation", lambda: send(lab)))
        wait_until("the new file", lambda: lab.mail_log.exists() and lab.mail_log.stat().st_size > 0)
        for queue_id in ids:
            final(lab, queue_id)
        (lab.log / "mail.log.2").write_bytes(lab.mail_log.read_bytes())
        os.truncate(lab.mail_log, 0)
        ids.append(send(lab))
        for queue_id in ids:
            final(lab, queue_id)
        assert len(lab.recent()) == 4
        check = lab.mailguard.json("check", "log.reader")["checks"][0]
        assert check["state"] == "ok", check


def test_outcomes_of_the_downtime_are_caught_up():
    with Lab() as lab:
        lab.add_login()
        lab.start()
        queue_id = queue_id_of(lab.send("ann@local.example", "x@down.example",
                                        login=("ann@mail.local.example", "correct horse"))[1])
        lab.record(lambda t: t["queue_id"] == queue_id and t["recipients"][0]["delivery"] == "deferred")
        lab.mailguard.stop(signal.SIGKILL)
        wait_until("the worker is gone too", lambda: not (lab.queue / "mailguard/milter.sock").exists()
                   or lab.mailguard.process is None)
        (lab.etc / "transport").write_text("down.example virtual:\n")
        (lab.etc / "mailboxes").write_text("ann@local.example ann/\nx@down.example x/\n")
        lab.postfix("reload")
        lab.postfix("flush")
        wait_until("delivery during the downtime", lambda: f"{queue_id}: removed" in lab.log_text())
        os.rename(lab.mail_log, lab.log / "mail.log.1")
        lab.mail_log.touch()
        lab.mailguard.start()
        final(lab, queue_id)
        assert len([t for t in lab.recent() if t["queue_id"] == queue_id]) == 1
        story = lab.mailguard.json("trace", queue_id)
        texts = [event["text"] for event in story["events"]]
        assert any("put off" in text for text in texts), texts
        assert [e["time"] for e in story["events"]] == sorted(e["time"] for e in story["events"])
