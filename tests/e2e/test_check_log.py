"""What the mail log says: complaints, words out of the usual, guessed passwords, floods from accounts and programs of this machine."""
import os
import smtplib
import subprocess
import time

from lab import Lab, wait_until
from test_check_server import found


def write(lab, lines, ago_s=0):
    """Lines as Postfix writes them, (daemon, text)."""
    stamp = time.strftime("%b %e %H:%M:%S", time.localtime(time.time() - ago_s))
    with open(lab.mail_log, "a") as log:
        for daemon, text in lines:
            log.write(f"{stamp} mail {daemon}[4711]: {text}\n")


def forget(lab):
    lab.mail_log.write_text("")


def test_complaints_and_words():
    with Lab() as lab:
        found(lab, "log.errors", "ok")
        client_says = "warning: unknown[203.0.113.9]: SASL PLAIN authentication failed: fatal: panic: error:"
        write(lab, [("postfix/smtpd", client_says), ("postfix/smtpd", "NOQUEUE: reject: RCPT from x[203.0.113.9]: 550 fatal: error: x")])
        found(lab, "log.errors", "ok")
        write(lab, [("postfix/smtpd", "error: open database /etc/x.db: No such file or directory")])
        found(lab, "log.errors", "warn", "open database /etc/x.db")
        write(lab, [("postfix/smtpd", "fatal: no SASL authentication mechanisms")])
        fix = found(lab, "log.errors", "crit", "no SASL authentication mechanisms", "mailguardctl explain")["fix"]
        lab.type(fix.split(": ", 1)[1])
        write(lab, [("postfix/smtpd", "fatal: it's $(touch /tmp/x) `id` 'x; id'")])  # a fix is typed: what others wrote has no place in it
        assert "touch" not in found(lab, "log.errors", "crit")["fix"]
        forget(lab)
        write(lab, [("dovecot", "imap-login: Fatal: master: service(imap-login): child 1 killed with signal 11")])
        found(lab, "log.errors", "crit", "signal 11")
        forget(lab)
        write(lab, [("postfix/smtpd", "panic: myfree: corrupt or unallocated memory block")], ago_s=3600)
        found(lab, "log.errors", "ok")
        write(lab, [("postfix/smtpd", f"warning: number {n}") for n in range(50)])
        found(lab, "log.errors", "warn", "50")

        forget(lab)
        for hours in range(24, 0, -1):
            write(lab, [("postfix/smtp", "connect to a.example[192.0.2.1]:25: Connection refused")] * 3, ago_s=hours * 3600)
        found(lab, "log.keywords", "ok")
        write(lab, [("postfix/smtp", "connect to a.example[192.0.2.1]:25: Connection refused")] * 40)
        found(lab, "log.keywords", "crit", '"refused"', "40")

        forget(lab)
        write(lab, [("postfix/qmgr", "daemon started")], ago_s=10 * 86400)
        found(lab, "log.rotation", "warn", "logrotate", str(lab.mail_log))
        (lab.log / "mail.log.1").write_text("")
        found(lab, "log.rotation", "ok")
        os.truncate(lab.mail_log, 600 * 1024 * 1024)
        found(lab, "log.rotation", "warn", "600 MiB")


def test_limits_that_were_met():
    with Lab() as lab:
        found(lab, "limit.smtpd", "ok")
        full = ("postfix/master", 'warning: service "smtp" (25) has reached its process limit "100": new clients may experience noticeable delays')
        write(lab, [full])
        found(lab, "limit.smtpd", "warn", "process limit", "default_process_limit")
        write(lab, [full, full])
        found(lab, "limit.smtpd", "crit")
        forget(lab)
        write(lab, [("postfix/smtpd", "warning: Connection rate limit exceeded: 61 from x.example[203.0.113.9] for service smtp")])
        found(lab, "limit.smtpd", "warn", "203.0.113.9")
        write(lab, [("dovecot", "master: Warning: service(imap-login): process_limit (100) reached, client connections are being dropped")])
        found(lab, "dovecot.limits", "warn", "process_limit (100)")


def test_guessed_passwords_and_floods():
    with Lab() as lab:
        lab.add_login()
        lab.start()
        found(lab, "sasl.failures", "ok")
        for n in range(4):
            with smtplib.SMTP("127.0.0.1", lab.port, timeout=30) as client:
                client.ehlo("guesser.example")
                client.docmd("XCLIENT", "ADDR=203.0.113.7 NAME=guesser.example")
                client.ehlo("guesser.example")
                for _ in range(3):
                    assert client.docmd("AUTH", "PLAIN AGFubgB3cm9uZw==")[0] == 535
        wait_until("the failures are in the log", lambda: lab.check("sasl.failures")["value"] >= 12)
        check = found(lab, "sasl.failures", "warn", "203.0.113.7", "guesses passwords")
        lab.type(check["fix"].split(";")[0])
        assert "203.0.113.7" in lab.mailguard.ctl("ban", "list").stdout
        write(lab, [("postfix/smtpd", f"warning: unknown[203.0.113.8]: SASL LOGIN authentication failed: x, sasl_username=user{n}") for n in range(12)])
        found(lab, "sasl.failures", "crit", "203.0.113.8")

        sendmail = ["sendmail", "-C", lab.etc, "-f", "web@local.example", "ann@local.example"]
        subprocess.run(sendmail, input=b"Subject: x\n\nx\n", check=True, env={**os.environ, "MAIL_CONFIG": str(lab.etc)})
        wait_until("pickup has it", lambda: lab.check("host.sendmail")["value"] == 1)
        found(lab, "host.sendmail", "ok")
        write(lab, [("postfix/pickup", f"4C{n:06X}12: uid=33 from=<www-data>") for n in range(60)])
        found(lab, "host.sendmail", "warn", "uid 33", "60")

        with lab.smtp(login=("ann@mail.local.example", "correct horse")) as client:
            client.mail("ann@local.example")
            for n in range(120):
                assert client.rcpt(f"x{n}@down.example")[0] == 250
            assert client.data(b"Subject: news\r\n\r\nx\r\n")[0] == 250
        wait_until("it is recorded", lambda: lab.check("account.rate")["value"] >= 100)
        found(lab, "account.rate", "warn", "ann@mail.local.example", "120")


def test_a_log_that_stands_still():
    with Lab() as lab:
        lab.start()
        lab.send("a@stranger.example", "ann@local.example")
        lab.record(lambda txn: txn["sender"] == "a@stranger.example")
        found(lab, "log.alive", "ok")
        found(lab, "config.compat", "ok")
        write(lab, [("postfix/smtpd", 'using backwards-compatible default setting "smtpd_relay_restrictions = (empty)" to avoid rejecting x')])
        lab.type(found(lab, "config.compat", "crit", "old default", "smtpd_relay_restrictions")["fix"])
        wait_until("Postfix has read it since", lambda: lab.postfix("reload") and lab.check("config.compat")["state"] == "ok")
        forget(lab)
        write(lab, [("postfix/smtpd", "connect from x.example[203.0.113.9]")], ago_s=1200)
        found(lab, "log.alive", "warn", "stood still", "systemctl restart rsyslog")
