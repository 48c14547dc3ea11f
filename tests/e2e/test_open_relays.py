"""Open relays of many kinds: a stranger in a network namespace of his own, the prover beside the truth, the live guard in between.

Each configuration is first shown to relay for the stranger without the guard (so that the test can fail), then with it.
"""
import contextlib
import json
import os
import smtplib
import subprocess

from lab import BUILD, Lab, replace, wait_until, without_overridden
from wire import SERVER, SERVER6, STRANGER, STRANGER6, Wire

LOGIN = ("ann@mail.local.example", "correct horse")
MASTER = "198.51.100.1:{port} inet n - n - 100 smtpd\n[2001:db8:1::1]:{port} inet n - n - 100 smtpd\n"
BASE = "inet_protocols = all\nmynetworks = 127.0.0.0/8\n"
UNAUTH = "reject_unauth_destination"

# name: (lines of main.cf, tables)
OPEN = {
    "a sender table says OK": ("smtpd_relay_restrictions = check_sender_access texthash:{etc}/t, " + UNAUTH, "stranger.example OK\n"),
    "a HELO table says OK": ("smtpd_relay_restrictions = check_helo_access texthash:{etc}/t, " + UNAUTH, "client.example OK\n"),
    "a client cidr of everybody": ("smtpd_relay_restrictions = check_client_access cidr:{etc}/t, " + UNAUTH, "0.0.0.0/0 OK\n"),
    "a client key \"unknown\"": ("smtpd_relay_restrictions = check_client_access texthash:{etc}/t, " + UNAUTH, "unknown OK\n"),
    "a recipient TLD": ("smtpd_relay_restrictions = check_recipient_access texthash:{etc}/t, " + UNAUTH, "example permit\n"),
    "an unanchored regexp": ("smtpd_relay_restrictions = check_recipient_access regexp:{etc}/t, " + UNAUTH, "/example/ OK\n"),
    "a pattern of all clients": ("smtpd_relay_restrictions = check_client_access regexp:{etc}/t, " + UNAUTH, "/./ OK\n"),
    "all digits permit": ("smtpd_relay_restrictions = check_sender_access static:1, " + UNAUTH, ""),
    "mynetworks of the whole world": ("mynetworks = 0.0.0.0/0", ""),
    "mynetworks in two halves": ("mynetworks = 0.0.0.0/1 128.0.0.0/1", ""),
    "mynetworks in a cidr table": ("mynetworks = cidr:{etc}/t", "0.0.0.0/0 REJECT\n"),
    "mynetworks in a file": ("mynetworks = {etc}/t", "10.0.0.0/8\n192.0.0.0/2\n"),
    "a restriction class that permits": ("smtpd_restriction_classes = friends\nfriends = permit\n"
                                         "smtpd_relay_restrictions = check_sender_access texthash:{etc}/t, " + UNAUTH,
                                         "stranger.example friends\n"),
    "the recipient list counts, the relay list is empty": (
        "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = check_sender_access static:OK, " + UNAUTH, ""),
    "warned of only": ("smtpd_relay_restrictions = check_sender_access static:DUNNO, warn_if_reject reject_unauth_destination\n"
                       "smtpd_recipient_restrictions = check_sender_access static:OK, " + UNAUTH, ""),
    "an exception before the wide entry": ("mynetworks = !10.0.0.0/8 0.0.0.0/0", ""),
}


@contextlib.contextmanager
def opened(wire, source=STRANGER, server=SERVER, port=0):
    with wire.at("stranger"):
        client = smtplib.SMTP(server, port, local_hostname="client.example", timeout=30, source_address=(source, 0))
        client.ehlo()
        try:
            yield client
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                client.quit()


def ask(wire, lab, recipient, login=None, **where):
    """The reply code to RCPT of a stranger."""
    with opened(wire, port=lab.port, **where) as client:
        if login:
            client.login(*login)
        client.mail("boss@stranger.example")
        return client.rcpt(recipient)[0]


def configure(lab, base, lines, table):
    replace(lab.etc / "t", table)
    replace(lab.etc / "main.cf", without_overridden(base + lines.format(etc=lab.etc)))
    lab.age()
    assert lab.postfix("reload").returncode == 0


def prove(lab):
    done = subprocess.run([BUILD / "mailguardctl", "-c", lab.conf, "relay-check", "--config-dir", lab.etc, "--json"],
                          capture_output=True, text=True)
    return json.loads(done.stdout), done.returncode


def mend(lab, name, answer):
    """Types what is printed, one path after another, until the prover is content."""
    for _ in range(6):
        opens = [path for path in answer["paths"] if path["kind"] == "open"]
        if not opens:
            break
        done = subprocess.run(opens[0]["fix"], shell=True, capture_output=True, text=True,
                              env={**os.environ, "MAIL_CONFIG": str(lab.etc)})
        assert done.returncode == 0, (name, opens[0]["fix"], done.stderr)
        lab.age()
        answer, _ = prove(lab)
    assert answer["verdict"] == "closed", (name, answer)
    assert lab.postfix("reload").returncode == 0


def test_every_kind_is_proved_and_closed():
    with Wire() as wire, wire.at("server"), Lab(main_cf=BASE, master_cf=MASTER) as lab:
        lab.add_login()
        lab.start_postfix()
        closed = (lab.etc / "main.cf").read_text()
        answer, status = prove(lab)
        assert (answer["verdict"], status) == ("closed", 0), answer
        for name, (lines, table) in OPEN.items():
            configure(lab, closed, lines, table)
            wait_until(f"{name}: it is open", lambda: ask(wire, lab, "victim@foreign.example") == 250)
            answer, status = prove(lab)
            assert (answer["verdict"], status) == ("open", 2), (name, answer)
            assert all(path["service"] and path["restriction"] and path["why"] and path["fix"]
                       for path in answer["paths"] if path["kind"] == "open"), answer
            mend(lab, name, answer)
            wait_until(f"{name}: mended", lambda: ask(wire, lab, "victim@foreign.example") != 250)
            assert ask(wire, lab, "ann@local.example") == 250, name
        configure(lab, closed, "", "")
        lab.mailguard.start()
        lab.wire()
        wired = (lab.etc / "main.cf").read_text()
        for name, (lines, table) in OPEN.items():
            configure(lab, wired, with_our_words(wired, lines), table)
            wait_until(f"{name}: the guard shuts it", lambda: ask(wire, lab, "victim@foreign.example") == 554)
            for _ in range(3):
                assert ask(wire, lab, "other@foreign.example") == 554, name
            assert ask(wire, lab, "ann@local.example") == 250, name
            assert ask(wire, lab, "x@relay.example") == 250, name
            assert ask(wire, lab, "friend@foreign.example", login=LOGIN) == 250, name
        assert lab.mailguard.json("check", "relay.runtime")["state"] == "crit"


def with_our_words(wired, lines):
    """The administrator's new list, with what `wire` put into the one before."""
    out = []
    for line in lines.split("\n"):
        if line.startswith("smtpd_recipient_restrictions"):
            line = line.replace("=", "= $mailguard_check,", 1)
        out.append(line)
    return "\n".join(out)


def test_over_ipv6_and_by_a_neighbour():
    with Wire() as wire, wire.at("server"), Lab(main_cf=BASE + "mynetworks = [::]/0\n", master_cf=MASTER) as lab:
        lab.start()
        six = dict(source=STRANGER6, server=SERVER6)
        wait_until("Postfix listens", lambda: ask(wire, lab, "ann@local.example", **six) == 250)
        assert ask(wire, lab, "victim@foreign.example", **six) == 554
        txn = lab.record(lambda t: t["verdict"]["rule"] == "relay:stranger")
        assert txn["client"]["ip"] == STRANGER6 and txn["relay"] == "stranger"
