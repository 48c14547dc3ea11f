"""Compromised accounts: signs, the ladder, the explanation, and the way back, on a real Postfix."""
from lab import Lab, queue_id_of, wait_until
from run import quick

LOGIN = ("ann@mail.local.example", "correct horse")
NETWORKS = ("203.0.113.1", "198.51.100.1", "192.0.2.1", "100.64.0.1", "203.0.112.9")
FOREIGN = b"From: <ceo@bank.example>\r\nSubject: urgent\r\n\r\npay\r\n"


def account(lab, login=LOGIN[0]):
    return lab.mailguard.json("limits", "show", f"user:{login}").get("account", {})


def signs(lab):
    return {sign["sign"]: sign["number"] for sign in account(lab).get("signs", [])}


def misbehave(lab):
    """Somebody else's use: many networks, somebody else's From."""
    for address in NETWORKS[:3]:
        code, text, _ = lab.send("ann@local.example", "bob@local.example", address=address, login=LOGIN, message=FOREIGN)
        assert code == 250, text
    lab.send("ann@local.example", "bob@local.example", address=NETWORKS[3], login=LOGIN, message=FOREIGN)
    wait_until("both signs", lambda: {"networks", "from"} <= set(signs(lab)))


@quick
def test_two_signs_and_the_account_is_suspended_until_pardoned():
    with Lab(conf='abuse = { score = 2; };') as lab:
        lab.add_login()
        lab.start()
        misbehave(lab)
        view = account(lab)
        assert view["action"] == "tempfail" and view["score"] == 2 and view["ends_s"] > 86000, view
        assert signs(lab) == {"networks": 4, "from": 3}
        code, text, _ = lab.send("ann@local.example", "bob@local.example", address=NETWORKS[0], login=LOGIN)
        assert code // 100 == 4 and "networks, from" in text, text
        txn = lab.record(lambda t: t["verdict"]["rule"] == "abuse:account")
        assert txn["verdict"]["action"] == "tempfail" and txn["client"]["user"] == LOGIN[0]
        assert lab.send("zoe@s.example", "ann@local.example", address=NETWORKS[0])[0] == 250, "nobody else is hurt"
        shown = lab.mailguard.ctl("limits", "show", "user:" + LOGIN[0], language="es").stdout
        assert "limits reset user:" + LOGIN[0] in shown, shown
        check = lab.mailguard.json("check", "account.compromised")["checks"][0]
        assert check["state"] == "crit" and LOGIN[0] in check["summary"] + " ".join(check["evidence"]), check
        assert lab.mailguard.ctl("limits", "reset", "user:" + LOGIN[0]).returncode == 0
        assert lab.send("ann@local.example", "bob@local.example", address=NETWORKS[0], login=LOGIN)[0] == 250
        assert account(lab)["action"] == "fine"
        wait_until("the check is content", lambda: lab.mailguard.json("check", "account.compromised")["state"] == "ok")


def test_one_sign_fewer_only_tells():
    with Lab() as lab:
        lab.add_login()
        lab.start()
        misbehave(lab)
        assert account(lab)["action"] == "notify"
        assert lab.send("ann@local.example", "bob@local.example", address=NETWORKS[0], login=LOGIN)[0] == 250
        assert lab.mailguard.json("check", "account.compromised")["state"] == "warn"


def test_held_mail_is_whole_and_is_released():
    with Lab(conf='abuse = { score = 2; action = "hold"; };') as lab:
        lab.add_login()
        lab.start()
        misbehave(lab)
        code, text, _ = lab.send("ann@local.example", ["bob@local.example", "info@local.example"], address=NETWORKS[0],
                                 login=LOGIN, message=b"From: <ann@local.example>\r\nSubject: held letter\r\n\r\nwhole\r\n")
        assert code == 250, text
        queue_id = queue_id_of(text)
        txn = lab.record(lambda t: t["queue_id"] == queue_id and t["recipients"][0]["delivery"] == "held")
        assert txn["verdict"]["action"] == "quarantine" and txn["verdict"]["rule"] == "abuse:account"
        assert lab.mailguard.ctl("release", queue_id).returncode == 0
        assert b"held letter" in lab.mail_of("bob", lambda text: b"held letter" in text)
        lab.record(lambda t: t["queue_id"] == queue_id and all(r["delivery"] == "sent" for r in t["recipients"]))


def test_unknown_recipients_are_a_sign():
    with Lab(conf='abuse = { score = 1; };') as lab:
        lab.add_login()
        lab.start()
        guesses = [f"nobody{i}@local.example" for i in range(30)]
        mailboxes = (lab.etc / "mailboxes").read_text() + "".join(f"u{i}@local.example u{i}/\n" for i in range(40))
        (lab.etc / "mailboxes").write_text(mailboxes)
        lab.postfix("reload")
        lab.mailguard.ctl("reload")
        client = lab.smtp(address=NETWORKS[0], login=LOGIN)
        refused = {}
        for at in range(0, 30, 6):
            _, _, more = lab.send("ann@local.example", [f"u{at}@local.example", *guesses[at:at + 6],
                                                        *[f"u{n}@local.example" for n in range(at + 1, at + 7)]], client=client)
            refused.update(more)
        client.close()
        assert len(refused) >= 12, refused
        wait_until("the sign", lambda: "invalid" in signs(lab))
        assert lab.send("ann@local.example", "bob@local.example", address=NETWORKS[0], login=LOGIN)[0] // 100 == 4


def test_switched_off_and_observed():
    for conf in ('abuse = { score = 1; action = "off"; };', 'mode = "observe"; abuse = { score = 1; };',
                 'abuse = { score = 1; action = "notify"; };'):
        with Lab(conf=conf) as lab:
            lab.add_login()
            lab.start()
            for address in NETWORKS[:4]:
                lab.send("ann@local.example", "bob@local.example", address=address, login=LOGIN, message=FOREIGN)
            code, text, _ = lab.send("ann@local.example", "bob@local.example", address=NETWORKS[0], login=LOGIN)
            assert code == 250, (conf, text)
            if "observe" in conf:
                txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
                assert txn["verdict"]["would"] == "tempfail" and txn["verdict"]["rule"] == "abuse:account", txn["verdict"]


def test_guessed_password():
    with Lab(conf='abuse = { score = 1; };') as lab:
        lab.add_login()
        lab.start()
        assert lab.send("ann@local.example", "bob@local.example", address=NETWORKS[0], login=LOGIN)[0] == 250
        for i in range(10):
            client = lab.smtp(address=NETWORKS[1 + i % 2])
            client.docmd("AUTH", "PLAIN AGFubkBtYWlsLmxvY2FsLmV4YW1wbGUAd3Jvbmc=")
            client.close()
        wait_until("the log has them", lambda: lab.log_text().count("authentication failed") >= 10)
        if "sasl_username=" not in lab.log_text():
            return  # this Postfix does not say whose login failed
        wait_until("the failures are counted", lambda: account(lab).get("failures_other", 0) >= 10)
        assert lab.send("ann@local.example", "bob@local.example", address=NETWORKS[1], login=LOGIN)[0] // 100 == 4
        assert "guessed" in signs(lab)
