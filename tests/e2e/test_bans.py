"""Bans and greylisting on a real Postfix."""
import time

from lab import Lab, wait_until
from run import quick

STRANGER = "203.0.113.66"
LOGIN = ("ann@mail.local.example", "correct horse")


@quick
def test_bans_of_every_kind():
    with Lab() as lab:
        lab.add_login()
        lab.start()

        def ban(*words):
            return lab.mailguard.ctl("ban", *words)
        assert lab.mailguard.json("ban") == {"bans": []}
        cases = (("203.0.113.66", dict(sender="a@s.example", address=STRANGER), dict(sender="a@s.example", address="203.0.113.67")),
                 ("198.51.100.0/24", dict(sender="a@s.example", address="198.51.100.9"), dict(sender="a@s.example", address="198.51.101.9")),
                 ("user:Ann@mail.local.example", dict(sender="a@s.example", login=LOGIN), dict(sender="a@s.example")),
                 ("Spam@bad.example", dict(sender="spam+x@bad.example", address=STRANGER), dict(sender="ham@bad.example", address=STRANGER)),
                 ("@evil.example", dict(sender="x@sub.evil.example", address=STRANGER), dict(sender="x@notevil.example", address=STRANGER)))
        for what, hit, miss in cases:
            done = ban("add", what, "--for", "1h", "--reason", "spam 100% \u00fc")
            assert done.returncode == 0, done.stderr
            hit, miss = dict(hit), dict(miss)
            code, text, _ = lab.send(hit.pop("sender"), "ann@local.example", **hit)
            assert code == 550 and "5.7.1" in text and "spam 100" in text and "%" not in text, (what, code, text)
            code, text, _ = lab.send(miss.pop("sender"), "ann@local.example", **miss)
            assert code == 250, (what, text)
            listed = lab.mailguard.json("ban", "list")["bans"]
            assert len(listed) == 1 and 3500 < listed[0]["ends_in_s"] <= 3600, listed
            assert ban("remove", what).returncode == 0
            assert ban("remove", what).returncode == 1
        wait_until("all are recorded", lambda: {"ban:client", "ban:user", "ban:sender", "ban:domain"} == {
            t["verdict"]["rule"] for t in lab.recent() if t["verdict"]["action"] == "reject"})
        for wrong in ("127.0.0.1", "0.0.0.0/0", "nothing", "300.1.1.1/24", "sender:x", "a b@c.example"):
            assert ban("add", wrong).returncode == 65, wrong
        for words in (["add"], ["add", "x.example", "--for", "soon"], ["delete", "x.example"]):
            assert ban(*words).returncode == 64, words


def test_a_ban_ends_and_outlives_a_restart():
    with Lab() as lab:
        lab.start()
        lab.mailguard.ctl("ban", "add", STRANGER, "--for", "3s", check=True)
        lab.mailguard.ctl("ban", "add", "@evil.example", check=True)
        assert lab.send("a@s.example", "ann@local.example", address=STRANGER)[0] == 550
        wait_until("the ban has ended", lambda: lab.send("a@s.example", "ann@local.example", address=STRANGER)[0] == 250)
        lab.mailguard.stop()
        lab.mailguard.start()
        assert [ban["what"] for ban in lab.mailguard.json("ban")["bans"]] == ["evil.example"]
        assert lab.send("x@evil.example", "ann@local.example", address=STRANGER)[0] == 550


def test_greylisting():
    zone = {"good.example": [{"TXT": "v=spf1 ip4:203.0.113.0/24 -all"}]}
    for off in ("", "milter"):
        with Lab(conf='greylist = { enabled = true; delay = "2s"; };', zone=zone) as lab:
            if off:
                lab.switch_off(off)
            lab.add_login()
            lab.start()
            assert lab.send("a@good.example", "ann@local.example", address="203.0.113.9")[0] == 250, "SPF passes"
            assert lab.send("x@unknown.example", "ann@local.example", address="203.0.113.10")[0] == 250, "a known network"
            began = time.monotonic()
            code, text, _ = lab.send("x@unknown.example", "ann@local.example", address="198.51.100.1")
            assert code // 100 == 4 and "greylisting" in text, (off, code, text)
            code, _, _ = lab.send("x@unknown.example", "bob@local.example", address="198.51.100.2")
            assert code // 100 == 4 or time.monotonic() - began > 2
            wait_until("it may come in", lambda: lab.send("x@unknown.example", "bob@local.example", address="198.51.100.2")[0] == 250)
            assert time.monotonic() - began > 2
            assert lab.send("y@other.example", "bob@local.example", address="198.51.100.3")[0] == 250, "known from now on"
            assert lab.send("ann@local.example", "bob@local.example", address="192.0.2.1", login=LOGIN)[0] == 250
            assert lab.send("root@local.example", "bob@local.example")[0] == 250
            txn = lab.record(lambda t: t["verdict"]["rule"] == "greylist")
            assert txn["verdict"]["action"] == "tempfail"
