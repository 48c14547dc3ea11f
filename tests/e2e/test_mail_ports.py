"""service.*: ports that answer, late, never, with a refusal, in another tongue; and TLS of a real Dovecot and of public ports."""
import os
import subprocess
import time

from dovecot import Dovecot
from lab import Lab, free_port, replace
from strange_server import StrangeServer, after, binary, closing, endless, one_line, says, silent, trickle
from test_tls_checks import Authority, HOST, check, expect, reload, secured
from wire import SERVER, Wire

PATIENCE = "health = { thresholds = { \"service.smtp.25\" = { warn = 0.3; crit = 1.0; }; }; };"
OTHERS = ["service.smtp.587", "service.smtp.465", "service.imap.143", "service.imap.993", "service.pop.110", "service.pop.995"]
HELLO = says("220 x\r\n", "250-x\r\n250 SIZE 1\r\n", "221 bye\r\n")

# what the server does: (state, words of the finding)
STRANGE = {
    silent: ("crit", "says nothing for 1 s"),
    trickle: ("crit", "says nothing for 1 s"),
    closing: ("crit", "ends it without a greeting"),
    endless: ("crit", "is no mail server"),
    one_line: ("crit", "no"),
    binary: ("crit", "is no mail server"),
    says("554 5.7.1 go away\r\n"): ("crit", "554 5.7.1 go away"),
    says("421 4.3.2 later\r\n"): ("crit", "421 4.3.2 later"),
    says("220 x\r\n", "451 4.3.5 Server configuration error\r\n"): ("crit", "451 4.3.5"),
    says("* OK this is IMAP\r\n"): ("crit", "is no mail server"),
    says("220 \x1b[31mred\x07\r\n", "250 x\r\n"): ("ok", "greets"),
    after(0.4, HELLO): ("warn", "greets only after"),
    HELLO: ("ok", "greets"),
}


def test_smtp_ports_that_misbehave():
    with StrangeServer() as server, Lab(conf=PATIENCE) as lab:
        master = lab.etc / "master.cf"
        replace(master, master.read_text().replace(f"127.0.0.1:{lab.port} ", f"127.0.0.1:{server.port} "))
        lab.age()
        for serve, (state, word) in STRANGE.items():
            server.serve = serve
            begin = time.monotonic()
            found = check(lab, "service.smtp.25")
            assert time.monotonic() - begin < 3, found
            assert found["state"] == state and word in found["summary"] and found["evidence"] and found["manual"], found
            assert state == "ok" or (found["cause"] and found["fix"]), found
            assert f"127.0.0.1:{server.port}" in found["summary"], found
            assert not any(ord(c) < 32 for key in ("summary", "cause", "fix") for c in found[key]), found
        server.serve = says("220 x\r\n", "250 STARTTLS\r\n", "220 go\r\n250 injected\r\n")
        expect(lab, "tls.starttls", "crit", "text in clear behind")
        lab.mail_log.write_text("Nov 22 10:00:00 mail postfix/smtpd[99]: fatal: bad numeric configuration: x = y\n")
        server.serve = silent
        expect(lab, "service.smtp.25", "crit", "fatal: bad numeric configuration", "journalctl", "fatal")
        for name in OTHERS:
            found = check(lab, name)
            assert found["state"] == "ok" and found["summary"].startswith("not applicable"), found


def test_roles_and_a_postfix_that_dies():
    ports = [free_port() for _ in range(3)]
    master = (f"127.0.0.1:{ports[0]} inet n - n - - smtpd -o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes\n"
              f"127.0.0.1:{ports[1]} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n")
    conf = PATIENCE.replace("service.smtp.25", "service.smtp.587")
    with secured(master_cf=master, conf=conf) as (lab, _):
        expect(lab, "service.smtp.25", "ok", f"127.0.0.1:{lab.port}")
        expect(lab, "service.smtp.587", "ok", f"127.0.0.1:{ports[0]}")
        expect(lab, "service.smtp.465", "ok", f"127.0.0.1:{ports[1]}")
        entry = f"127.0.0.1:{ports[0]}/inet/smtpd_recipient_limit=bad"
        subprocess.run(["postconf", "-c", lab.etc, "-P", entry], check=True)
        reload(lab)
        expect(lab, "service.smtp.587", "crit", "fatal", "journalctl -u postfix")
        expect(lab, "service.smtp.25", "ok")
        lab.postfix("stop")
        for role in (25, 587, 465):
            expect(lab, f"service.smtp.{role}", "crit", "nobody listens", "ss -tlnp", "start")


def test_dovecot():
    with Lab() as lab:
        root = lab.root / "dovecot"
        root.mkdir()
        authority = Authority(lab.root / "ca")
        authority.give(root)
        lab.mailguard.environment["SSL_CERT_FILE"] = str(authority.store)
        with Dovecot(root) as dovecot:
            lab.write_conf(f'dovecot = {{ config = "{dovecot.conf}"; }};')
            roles = {"service.imap.143": "imap", "service.imap.993": "imaps", "service.pop.110": "pop3", "service.pop.995": "pop3s"}
            for name, port in roles.items():
                expect(lab, name, "crit", "nobody listens", f"127.0.0.1:{dovecot.ports[port]}", "doveadm reload", "ss -tlnp")
            dovecot.start()
            lab.start_postfix()
            for name, port in roles.items():
                expect(lab, name, "ok", f"127.0.0.1:{dovecot.ports[port]}")
            for name in ("expiry", "name", "chain", "loaded"):
                expect(lab, f"tls.cert.{name}", "ok")
            expect(lab, "tls.key", "ok", str(root / "key.pem"))
            expect(lab, "tls.protocol", "ok")

            authority.give(root, host="other.example", chain=False)
            expect(lab, "tls.cert.loaded", "crit", str(root / "cert.pem"), "doveadm reload")
            dovecot.reload()
            expect(lab, "tls.cert.loaded", "ok")
            expect(lab, "tls.cert.name", "crit", HOST, "other.example")
            expect(lab, "tls.cert.chain", "crit", "Test Intermediate")
            authority.give(root)
            (root / "key.pem").chmod(0o644)
            expect(lab, "tls.key", "warn", f"chmod 600 {root}/key.pem")
            dovecot.write(ssl="no")
            dovecot.reload()
            expect(lab, "tls.starttls", "warn", "does not offer STARTTLS")
            assert check(lab, "service.imap.993")["summary"].startswith("not applicable")
            dovecot.conf.write_text("protocols = imap\nnonsense {\n")
            expect(lab, "service.imap.143", "unknown", "doveconf")


def test_passwords_in_clear_on_a_public_port():
    with Wire() as wire, wire.at("server"):
        with secured(master_cf=f"{SERVER}:587 inet n - n - - smtpd\n{SERVER}:25 inet n - n - - smtpd\n",
                     main_cf="smtpd_tls_auth_only = no\n") as (lab, _):
            lab.add_login()
            found = expect(lab, "tls.starttls", "crit", "AUTH", f"{SERVER}:", "smtpd_tls_auth_only=yes")
            assert not any(f"127.0.0.1:{lab.port}" in line for line in found["evidence"]), found
            done = subprocess.run(found["fix"], shell=True, capture_output=True, text=True, env=os.environ)
            assert done.returncode == 0, done.stderr
            lab.age()
            expect(lab, "tls.starttls", "ok")
            expect(lab, "service.smtp.587", "ok", f"{SERVER}:587")
            expect(lab, "service.smtp.25", "ok", f"{SERVER}:25", f"127.0.0.1:{lab.port}")
            found = check(lab, "service.smtp.465")
            assert found["summary"].startswith("not applicable"), found
            # a port number that promises TLS, and a service that begins in clear
            with open(lab.etc / "master.cf", "a") as entries:
                entries.write(f"{SERVER}:465 inet n - n - - smtpd\n")
            reload(lab)
            found = expect(lab, "service.smtp.465", "crit", "smtpd_tls_wrappermode")
            done = subprocess.run(found["fix"], shell=True, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            lab.age()
            expect(lab, "service.smtp.465", "ok")
