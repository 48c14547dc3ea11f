"""What becomes of mail, and of its record, on a real Postfix."""
import contextlib
import socket
import subprocess

from lab import Lab, free_port, queue_id_of, wait_until
from run import quick

STRANGER = "203.0.113.66"


def recipients(txn):
    return {r["address"]: (r["verdict"], r["delivery"]) for r in txn["recipients"]}


def by_queue_id(lab, queue_id, is_it=lambda txn: True):
    return lab.record(lambda txn: txn["queue_id"] == queue_id and is_it(txn), f"the record of {queue_id}")


def is_final(txn):
    return all(r["delivery"] != "unknown" for r in txn["recipients"] if r["verdict"] == "accept")


@quick
def test_both_doors_make_one_record():
    with Lab() as lab:
        lab.start()
        code, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER, message_id="x1@s")
        assert code == 250, text
        txn = by_queue_id(lab, queue_id_of(text), is_final)
        assert txn["doors"] == ["milter", "policy"], txn
        assert recipients(txn) == {"ann@local.example": ("accept", "sent")}
        assert txn["client"]["ip"] == STRANGER and txn["client"]["helo"] == "client.example"
        assert txn["sender"] == "zoe@stranger.example" and txn["from_domain"] == "stranger.example"
        assert txn["relay"] == "inbound" and txn["message_id"] == "x1@s" and txn["size"] > 100
        assert txn["recipients"][0]["dsn"] == "2.0.0"
        assert len(lab.recent()) == 1


def test_each_door_alone_is_complete():
    for door in ("milter", "policy"):
        other = "policy" if door == "milter" else "milter"
        with Lab(conf=f'{other} = {{ listen = ""; }};'.replace(other, other)) as lab:
            text = lab.conf.read_text()
            lab.conf.write_text("\n".join(line for line in text.splitlines()
                                          if not (line.startswith(f"{other} =") and "unix:" in line)))
            lab.start()
            _, text, _ = lab.send("zoe@stranger.example", ["ann@local.example", "nobody@local.example"], address=STRANGER)
            txn = by_queue_id(lab, queue_id_of(text), is_final)
            assert txn["doors"] == [door], txn["doors"]
            assert recipients(txn)["ann@local.example"] == ("accept", "sent")
            refused = wait_until("the refused recipient", lambda: next(
                (r for r in by_queue_id(lab, txn["queue_id"])["recipients"]
                 if r["address"] == "nobody@local.example" and r["verdict"] == "reject" and r["code"] == "550"), None))
            assert refused["delivery"] == "unknown" and refused["dsn"] == "5.1.1" and "User unknown" in refused["reply"]
            assert len(lab.recent()) == 1, lab.recent()


@quick
def test_refused_mail_is_recorded_with_postfix_words():
    with Lab() as lab:
        lab.start()
        code, _, _ = lab.send("spam@stranger.example", "victim@foreign.example", address=STRANGER)
        assert code == 554
        txn = lab.record(lambda t: t["verdict"]["code"] == "554 5.7.1", "the refusal with its code from the log")
        assert txn["verdict"]["action"] == "reject" and txn["verdict"]["rule"].startswith("postfix:")
        assert "Relay access denied" in txn["verdict"]["text"]
        assert txn["relay"] == "stranger" and txn["queue_id"] == ""
        assert recipients(txn) == {"victim@foreign.example": ("reject", "unknown")}
        assert len(lab.recent()) == 1, "one refusal, one record"
        counts = lab.mailguard.json("status")["transactions"]
        assert counts["rejected"] == counts["total"] == 1


def test_mixed_recipients_and_many_messages_on_one_connection():
    with Lab() as lab:
        lab.start()
        client = lab.smtp(address=STRANGER)
        ids = []
        for i in range(5):
            _, text, refused = lab.send(f"zoe{i}@stranger.example", ["ann@local.example", "nobody@local.example",
                                                                    "x@foreign.example"], client=client)
            assert len(refused) == 2
            ids.append(queue_id_of(text))
        client.rset()
        client.quit()
        for i, queue_id in enumerate(ids):
            txn = by_queue_id(lab, queue_id, is_final)
            assert txn["sender"] == f"zoe{i}@stranger.example"
            assert recipients(txn) == {"ann@local.example": ("accept", "sent"), "nobody@local.example": ("reject", "unknown"),
                                       "x@foreign.example": ("reject", "unknown")}, txn
            assert txn["verdict"]["action"] == "accept" and txn["relay"] == "stranger"
        assert len(lab.recent()) == 5


def test_pipelined_session_and_early_ends():
    with Lab() as lab:
        lab.start()
        with socket.create_connection(("127.0.0.1", lab.port), 10) as raw:
            raw.recv(1000)
            raw.sendall(b"EHLO pipe.example\r\nMAIL FROM:<p@stranger.example>\r\nRCPT TO:<ann@local.example>\r\nDATA\r\n")
            reader = raw.makefile("rb")
            while not (line := reader.readline()).startswith(b"354"):
                assert line[:1] == b"2", line
            raw.sendall(b"Subject: x\r\n\r\nbody\r\n.\r\nMAIL FROM:<q@stranger.example>\r\nRCPT TO:<bob@local.example>\r\nQUIT\r\n")
            text = reader.read().decode()
        first = by_queue_id(lab, text.split("queued as ")[1].split()[0], is_final)
        assert first["sender"] == "p@stranger.example"
        gone = lab.record(lambda t: t["sender"] == "q@stranger.example")
        assert gone["verdict"]["action"] == "tempfail" and gone["verdict"]["rule"].startswith("client:"), gone["verdict"]
        with socket.create_connection(("127.0.0.1", lab.port), 10) as raw:
            raw.recv(1000)
            raw.sendall(b"EHLO x\r\nMAIL FROM:<none@stranger.example>\r\nQUIT\r\n")
            while raw.recv(1000):
                pass
        assert not [t for t in lab.recent() if t["sender"] == "none@stranger.example"], "no RCPT is none"


def test_forged_authentication_results_are_removed():
    with Lab() as lab:
        lab.start()
        client = lab.smtp(address=STRANGER)
        client.mail("zoe@stranger.example")
        client.rcpt("ann@local.example")
        forged = ["mail.local.example; spf=pass", "other.example; spf=pass", "(x) MAIL.Local.Example; dkim=pass",
                  '"mail.local.example"; dmarc=pass']
        forged += ["mail.local.example; spf=pass"] * 500
        head = "".join(f"Authentication-Results: {value}\r\n" for value in forged)
        code, text = client.data(head + "From: <zoe@stranger.example>\r\nSubject: forged\r\n\r\nx\r\n")
        assert code == 250
        by_queue_id(lab, queue_id_of(text.decode()), is_final)
        delivered = wait_until("the mailbox", lambda: list((lab.mailboxes / "ann" / "new").glob("*")))[0].read_text()
        left = [line for line in delivered.splitlines() if line.lower().startswith("authentication-results")]
        assert left == ["Authentication-Results: mail.local.example;", "Authentication-Results: other.example; spf=pass"], left


def test_mail_without_us_gets_a_record_from_the_log():
    with Lab() as lab:
        lab.start_postfix()
        _, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
        lab.send("spam@stranger.example", "victim@foreign.example", address=STRANGER)
        wait_until("delivery", lambda: "status=sent" in lab.log_text())
        lab.mailguard.start()
        # hidden for a few seconds, in case a door's record comes for it
        txn = wait_until("the record made from the log", lambda: next(
            (t for t in lab.recent() if t["queue_id"] == queue_id_of(text)), None), 60)
        assert txn["verdict"]["rule"] == "log-only" and txn["verdict"]["action"] == "accept" and txn["doors"] == []
        assert recipients(txn) == {"ann@local.example": ("accept", "sent")}
        assert txn["client"]["ip"] == STRANGER and txn["sender"] == "zoe@stranger.example"
        refused = lab.record(lambda t: t["verdict"]["action"] == "reject")
        assert refused["verdict"]["rule"].startswith("postfix:") and refused["verdict"]["code"] == "554 5.7.1"


def test_alias_hold_bounce_and_sendmail():
    with Lab() as lab:
        with (lab.etc / "transport").open("a") as transport:  # our own smtpd refuses to relay: a bounce
            transport.write(f"nowhere.example smtp:[127.0.0.1]:{lab.port}\n")
        lab.add_login()
        lab.start()
        _, text, _ = lab.send("zoe@stranger.example", "info@local.example", address=STRANGER)
        txn = by_queue_id(lab, queue_id_of(text), is_final)
        assert recipients(txn)["info@local.example"] == ("accept", "sent"), txn["recipients"]
        _, text, _ = lab.send("ann@local.example", "x@nowhere.example", login=("ann@mail.local.example", "correct horse"))
        bounced = by_queue_id(lab, queue_id_of(text), is_final)
        assert recipients(bounced) == {"x@nowhere.example": ("accept", "bounced")}, bounced["recipients"]
        assert bounced["client"]["user"] == "ann@mail.local.example" and bounced["relay"] == "authenticated"
        child = wait_until("the bounce, linked", lambda: next(
            (t for t in lab.mailguard.json("trace", bounced["queue_id"])["transactions"]
             if t["parent"] == bounced["id"] and t["sender"] == "" and is_final(t)), None), 60)
        assert recipients(child) == {"ann@local.example": ("accept", "sent")}
        subprocess.run(["sendmail", "-C", lab.etc, "-f", "root@local.example", "bob@local.example"], input="Subject: s\n\nx\n",
                       text=True, check=True, env={"MAIL_CONFIG": str(lab.etc), "PATH": "/usr/sbin:/usr/bin:/bin"})
        local = lab.record(lambda t: t["sender"] == "root@local.example" and is_final(t))
        assert local["relay"] == "local" and local["doors"] == ["milter"], local


def test_postsuper_hold_shows_as_held():
    with Lab() as lab:
        lab.add_login()
        lab.start()
        _, text, _ = lab.send("ann@local.example", "x@down.example", login=("ann@mail.local.example", "correct horse"))
        queue_id = queue_id_of(text)
        by_queue_id(lab, queue_id, lambda t: t["recipients"][0]["delivery"] == "deferred")
        subprocess.run(["postsuper", "-c", lab.etc, "-h", queue_id], check=True, capture_output=True)
        by_queue_id(lab, queue_id, lambda t: t["recipients"][0]["delivery"] == "held")


def test_observe_mode_answers_accept_and_says_so():
    with Lab(conf='mode = "observe";') as lab:
        lab.start()
        _, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
        txn = by_queue_id(lab, queue_id_of(text))
        assert txn["verdict"]["action"] == "observe" and txn["verdict"]["would"] == ""
        status = lab.mailguard.json("status")
        assert status["mode"] == "observe" and status["transactions"]["accepted"] == 1


def test_a_later_refusal_by_postfix_corrects_the_record():
    with Lab(main_cf="smtpd_data_restrictions = check_sender_access texthash:{etc}/senders\n") as lab:
        (lab.etc / "senders").write_text("late@stranger.example REJECT 5.7.1 not you\n")
        lab.start()
        client = lab.smtp(address=STRANGER)
        client.mail("late@stranger.example")
        client.rcpt("ann@local.example")
        code, _ = client.docmd("DATA")
        assert code == 554, code
        client.quit()
        txn = lab.record(lambda t: t["verdict"]["action"] == "reject", "the corrected record")
        assert txn["verdict"]["rule"].startswith("postfix:") and "not you" in txn["verdict"]["text"]
        wait_until("the corrected counter", lambda: lab.mailguard.json("status")["transactions"]["rejected"] == 1)
        assert lab.mailguard.json("status")["transactions"]["total"] == 1


def test_hostile_envelope_stays_data():
    with Lab(main_cf="strict_rfc821_envelopes = no\n") as lab:
        lab.start()
        helo = "evil\x1b[2Jname, helo=<x>"
        with socket.create_connection(("127.0.0.1", lab.port), 10) as raw:
            reader = raw.makefile("rb")
            reader.readline()
            for line in (f"HELO {helo}", 'MAIL FROM:<"a, to=<x> status=sent (x) b"@stranger.example>',
                         'RCPT TO:<"quo\\"te; from=<y>"@foreign.example>', "RCPT TO:<ann@local.example>", "DATA"):
                raw.sendall(line.encode() + b"\r\n")
                reply = reader.readline()
            assert reply.startswith(b"354"), reply
            raw.sendall(b"From: =?x?q?=0d=0aInjected: yes?= <\x80\xff@\xf1>\r\nMessage-ID: <\x01\x1b]0;x\x07>\r\n\r\n.\r\nQUIT\r\n")
            text = reader.read().decode(errors="replace")
        queue_id = text.split("queued as ")[1].split()[0]
        txn = by_queue_id(lab, queue_id, is_final)
        assert txn["sender"] == '"a, to=<x> status=sent (x) b"@stranger.example', txn["sender"]
        assert ("ann@local.example", ("accept", "sent")) in recipients(txn).items()
        for words in (["recent"], ["trace", queue_id]):
            shown = lab.mailguard.ctl(*words).stdout
            assert not [c for c in shown if ord(c) < 32 and c != "\n"], repr(shown)
        assert "\x1b" not in lab.mailguard.log_path.read_text(errors="replace")


def test_doors_on_tcp_and_the_log_that_postfix_names():
    with Lab() as lab:
        text = lab.conf.read_text().replace(f'log = "file:{lab.mail_log}"', 'log = "auto"')
        for name in ("milter", "policy"):
            text = text.replace(f"unix:{lab.queue}/mailguard/{name}.sock", f"inet:127.0.0.1:{free_port()}")
        lab.conf.write_text(text)
        lab.start()
        _, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
        txn = by_queue_id(lab, queue_id_of(text), is_final)
        assert txn["doors"] == ["milter", "policy"] and recipients(txn) == {"ann@local.example": ("accept", "sent")}
        wait_until("checked wiring", lambda: lab.mailguard.json("status")["wiring"] == {"milter": True, "policy": True})
