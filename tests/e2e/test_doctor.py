"""The doctor's walk: to the right cause, with a remedy that can be typed, and an exit status that says so."""
import json

from healthy import healthy
from lab import queue_id_of, wait_until

LOGIN = ("ann@mail.local.example", "correct horse")


def walk(lab, *words, status):
    """The walk's document; people's words must lead to the same."""
    done = lab.mailguard.ctl("doctor", *words, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == status, answer
    assert [step["step"] for step in answer["steps"]] and all(step["question"] for step in answer["steps"])
    people = lab.mailguard.ctl("doctor", *words)
    assert people.returncode == status and answer["check"] in people.stdout, people.stdout
    return answer


def test_walks_to_one_cause():
    with healthy(main_cf="smtpd_tls_auth_only = no\n") as lab:
        lab.add_login()
        lab.start()
        assert walk(lab, status=0)["check"] == ""
        sound = walk(lab, "--sending", status=0)
        assert "logins" in [step["step"] for step in sound["steps"]]

        lab.postfix("stop")
        answer = walk(lab, status=2)
        assert answer["check"] == "service.postfix" and [step["step"] for step in answer["steps"]] == ["services"]
        lab.type(answer["fix"])
        wait_until("all is well", lambda: walk(lab, status=0))

        lab.dns.zone.forget("25.2.0.192.in-addr.arpa")
        assert walk(lab, "--sending", status=2)["check"] == "dns.ptr"
        assert "nube" not in lab.mailguard.ctl("doctor", "--sending", language="es").stdout


def test_what_became_of_a_message():
    with healthy(main_cf="smtpd_tls_auth_only = no\n") as lab:
        lab.add_login()
        lab.start()
        _, text, _ = lab.send("zoe@stranger.example", "ann@local.example", message_id="sent@stranger.example")
        lab.record(lambda txn: txn["recipients"][0]["delivery"] == "sent")
        assert "delivered to ann@local.example" in str(walk(lab, "--message", queue_id_of(text), status=0))
        assert "delivered" in str(walk(lab, "--message", "sent@stranger.example", status=0))

        lab.send("zoe@stranger.example", "nobody@local.example")
        lab.record(lambda txn: txn["recipients"][0]["address"] == "nobody@local.example")
        refused = walk(lab, "--message", "nobody@local.example", status=2)
        assert refused["check"] == "message" and "refused" in refused["summary"] and refused["cause"], refused

        lab.send("ann@local.example", "bob@down.example", login=LOGIN)
        lab.record(lambda txn: txn["recipients"][0]["delivery"] == "deferred")
        waiting = walk(lab, "--message", "bob@down.example", status=1)
        assert "postqueue -i" in waiting["summary"] and waiting["cause"] and waiting["fix"], waiting

        lab.mailguard.stop()  # the record can be read without the daemon
        assert "refused" in walk(lab, "--message", "nobody@local.example", status=2)["summary"]


def test_a_message_that_never_came():
    with healthy() as lab:
        lab.start()
        answer = walk(lab, "--message", "lost@elsewhere.example", status=1)
        assert answer["check"] == "elsewhere" and "lost@elsewhere.example" in answer["summary"], answer
        lab.dns.zone.forget("mail.local.example")
        answer = walk(lab, "--message", "lost@elsewhere.example", status=2)
        assert answer["check"] == "dns.a" and "mail.local.example. IN A" in answer["fix"], answer
        with open(lab.mail_log, "a") as log:
            log.write("Nov 22 05:15:32 mail postfix/smtp[1]: 4B51A2: to=<lost@elsewhere.example>, relay=mx.elsewhere.example[203.0.113.9]:25, "
                      "delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.elsewhere.example[203.0.113.9] said: 550 5.1.1 no such user)\n")
        assert "550 5.1.1" in walk(lab, "--message", "lost@elsewhere.example", status=2)["summary"]


def test_wrong_words():
    with healthy() as lab:
        assert lab.mailguard.ctl("doctor", "what").returncode == 64
        assert lab.mailguard.ctl("doctor", "--sending", "--message", "x").returncode == 64
