"""Rate limits on a real Postfix: both doors charge once, what fails is given back, and levels outlive us."""
import os
import signal

from lab import Lab, queue_id_of, wait_until
from run import quick

STRANGER = "203.0.113.66"
LOGIN = ("ann@mail.local.example", "correct horse")


def limits(*rows):
    return "rate = { limits = ( " + ", ".join("{ " + row + " }" for row in rows) + " ); };"


def used(lab, key, name):
    answer = lab.mailguard.json("limits", "show", key)
    return next((row["used"] for row in answer["limits"] if row["limit"] == name), 0)


RECIPIENTS = 'name = "rcpt"; key = "sender"; count = "recipients"; limit = 3; per = "1h";'
MESSAGES = 'name = "msgs"; key = "client"; count = "messages"; limit = 2; per = "1h";'


@quick
def test_recipients_are_counted_once_by_both_doors():
    with Lab(conf=limits(RECIPIENTS)) as lab:
        lab.start()
        code, _, refused = lab.send("zoe@s.example", ["ann@local.example", "bob@local.example"], address=STRANGER)
        assert code == 250 and not refused
        assert used(lab, "sender:zoe@s.example", "rcpt") == 2
        code, _, refused = lab.send("zoe@s.example", ["ann@local.example", "bob@local.example"], address=STRANGER)
        assert code == 250 and list(refused) == ["bob@local.example"], refused
        code, text = refused["bob@local.example"]
        assert code // 100 == 4 and "rcpt" in text and "try again in" in text, text
        code, text, _ = lab.send("ZOE+tag@S.example", "ann@local.example", address=STRANGER)
        assert code // 100 == 4, "tags are folded and case does not count"
        assert lab.send("eve@s.example", "ann@local.example", address=STRANGER)[0] == 250
        answer = lab.mailguard.json("limits", "show", "sender:zoe@s.example")["limits"][0]
        assert answer["used"] == 3 and answer["remaining"] == 0 and answer["over"] and 0 < answer["frees_in_s"] <= 1200, answer
        txn = lab.record(lambda t: t["sender"].startswith("ZOE"))
        assert txn["verdict"]["action"] == "tempfail" and txn["verdict"]["rule"] == "limit:rcpt", txn["verdict"]
        listed = lab.mailguard.json("limits")["limits"]
        assert {row["key"]: row["used"] for row in listed} == {"sender:zoe@s.example": 3, "sender:eve@s.example": 1}
        assert lab.mailguard.ctl("limits", "reset", "sender:zoe@s.example").returncode == 0
        assert lab.send("zoe@s.example", "ann@local.example", address=STRANGER)[0] == 250
        done = lab.mailguard.ctl("limits", "show", "sender:nobody@s.example", "--json")
        assert done.returncode == 1 and '"limits"' in done.stdout
        assert lab.mailguard.ctl("limits", "reset", "sender:nobody@s.example").returncode == 1
        assert lab.mailguard.ctl("limits", "show", "nokey").returncode == 65


def test_each_door_alone_counts():
    for off in ("milter", "policy"):
        with Lab(conf=limits(RECIPIENTS, MESSAGES)) as lab:
            lab.switch_off(off)
            lab.start()
            for _ in range(2):
                assert lab.send("zoe@s.example", "ann@local.example", address=STRANGER)[0] == 250, off
            code, text, _ = lab.send("zoe@s.example", "ann@local.example", address=STRANGER)
            assert code // 100 == 4 and "msgs" in text, (off, text)
            assert used(lab, "sender:zoe@s.example", "rcpt") == 2, "all or nothing: the other limit is not charged"
            assert lab.send("zoe@s.example", "ann@local.example", address="203.0.113.67")[0] == 250
            code, text, _ = lab.send("zoe@s.example", "ann@local.example", address="203.0.113.68")
            assert code // 100 == 4 and "rcpt" in text, (off, text)


def test_what_comes_to_nothing_is_given_back():
    with Lab(conf=limits(RECIPIENTS, MESSAGES)) as lab:
        lab.start()
        for recipients, data in ((["nobody@local.example"], False), (["ann@local.example", "bob@local.example"], False)):
            client = lab.smtp(address=STRANGER)
            client.mail("zoe@s.example")
            for recipient in recipients:
                client.rcpt(recipient)
            client.rset() if data else client.close()
            wait_until("nothing is charged", lambda: used(lab, "sender:zoe@s.example", "rcpt") == 0)
        assert used(lab, f"client:{STRANGER}", "msgs") == 0
        _, _, refused = lab.send("zoe@s.example", ["nobody@local.example", "ann@local.example"], address=STRANGER)
        assert list(refused) == ["nobody@local.example"]
        assert used(lab, "sender:zoe@s.example", "rcpt") == 1, "a recipient that Postfix refused costs nothing"


def test_actions():
    rows = [f'name = "{action}"; key = "sender"; count = "messages"; limit = 1; per = "1h"; action = "{action}";'
            for action in ("reject", "hold", "observe")]
    for row, action in zip(rows, ("reject", "hold", "observe")):
        with Lab(conf=limits(row)) as lab:
            lab.start()
            assert lab.send("zoe@s.example", "ann@local.example", address=STRANGER)[0] == 250
            code, text, _ = lab.send("zoe@s.example", "ann@local.example", address=STRANGER)
            assert code == (550 if action == "reject" else 250), (action, text)
            if action == "reject":
                continue
            txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
            assert txn["verdict"]["action"] == ("quarantine" if action == "hold" else "accept"), txn["verdict"]
            assert txn["verdict"]["rule"] == f"limit:{action}"
            if action == "hold":
                assert lab.mailguard.ctl("release", txn["queue_id"]).returncode == 0
                lab.record(lambda t: t["queue_id"] == txn["queue_id"] and t["recipients"][0]["delivery"] == "sent")


def test_observe_mode_charges_and_withholds():
    with Lab(conf='mode = "observe"; ' + limits(MESSAGES)) as lab:
        lab.start()
        for _ in range(2):
            lab.send("zoe@s.example", "ann@local.example", address=STRANGER)
        _, text, _ = lab.send("zoe@s.example", "ann@local.example", address=STRANGER)
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert txn["verdict"]["action"] == "observe" and txn["verdict"]["would"] == "tempfail", txn["verdict"]
        assert txn["verdict"]["rule"] == "limit:msgs"


def test_new_recipients_bytes_connections_failures():
    rows = ('name = "new"; key = "sender"; count = "new_recipients"; limit = 1; per = "1h";',
            'name = "bytes"; key = "sender_domain"; count = "bytes"; limit = 3000; per = "1h"; except = ( "@free.example" );',
            'name = "conn"; key = "client"; count = "connections"; limit = 4; per = "1h";',
            'name = "fail"; key = "client"; count = "failures"; limit = 2; per = "1h";')
    with Lab(conf=limits(*rows)) as lab:
        lab.start()
        assert lab.send("a@one.example", "ann@local.example", address="203.0.113.1")[0] == 250
        assert lab.send("a@one.example", "ann@local.example", address="203.0.113.1")[0] == 250, "not new any more"
        code, text, _ = lab.send("a@one.example", "bob@local.example", address="203.0.113.1")
        assert code // 100 == 4 and "new" in text
        large = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 50
        code, text, _ = lab.send("b@two.example", "ann@local.example", address="203.0.113.2", message=large)
        assert code // 100 == 4 and "bytes" in text, text
        assert used(lab, "sender_domain:two.example", "bytes") == 0
        client = lab.smtp(address="203.0.113.3")
        for _ in range(6):
            assert lab.send("c@three.example", "ann@local.example", client=client)[0] == 250, "one connection, many messages"
        client.quit()
        assert used(lab, "client:203.0.113.3", "conn") == 1
        for _ in range(3):
            lab.send("d@four.example", "nobody@local.example", address="203.0.113.4")
        code, text, _ = lab.send("d@four.example", "ann@local.example", address="203.0.113.4")
        assert code // 100 == 4 and "fail" in text, text


def test_failed_logins_count_as_failures():
    with Lab(conf=limits('name = "fail"; key = "client"; count = "failures"; limit = 3; per = "1h"; action = "reject";')) as lab:
        lab.add_login()
        lab.start()
        for _ in range(3):
            try:
                lab.smtp(address=STRANGER, login=(LOGIN[0], "wrong"))
            except Exception as failure:
                assert "535" in str(failure), failure
        wait_until("the log's failures are counted", lambda: used(lab, f"client:{STRANGER}", "fail") >= 3)
        assert lab.send("zoe@s.example", "ann@local.example", address=STRANGER)[0] == 550
        assert lab.send("zoe@s.example", "ann@local.example", address="203.0.113.99")[0] == 250


def test_levels_outlive_crash_and_restart():
    with Lab(conf=limits(RECIPIENTS)) as lab:
        lab.start()
        assert lab.send("zoe@s.example", ["ann@local.example", "bob@local.example"], address=STRANGER)[0] == 250
        worker = lab.mailguard.worker_pid()
        os.kill(worker, signal.SIGKILL)
        wait_until("a fresh worker", lambda: lab.mailguard.worker_pid() not in (0, worker))
        wait_until("it answers", lambda: lab.mailguard.ctl("status").returncode != 3)
        assert used(lab, "sender:zoe@s.example", "rcpt") == 2, "after a crash"
        lab.mailguard.ctl("reload")
        assert used(lab, "sender:zoe@s.example", "rcpt") == 2, "after a reload"
        lab.mailguard.stop()
        lab.mailguard.start()
        assert used(lab, "sender:zoe@s.example", "rcpt") == 2, "after a restart"
        lab.mailguard.stop()
        snapshot = lab.state / "state.db"
        snapshot.write_bytes(snapshot.read_bytes()[:-5] + b"wrong")
        lab.mailguard.start()
        assert used(lab, "sender:zoe@s.example", "rcpt") == 0 and (lab.state / "state.db.bad").exists()
        assert lab.send("zoe@s.example", "ann@local.example", address=STRANGER)[0] == 250


def test_logins_have_the_default_limit():
    with Lab() as lab:
        lab.add_login()
        lab.start()
        assert lab.send("ann@local.example", ["bob@local.example", "info@local.example"], login=LOGIN)[0] == 250
        assert used(lab, "user:" + LOGIN[0], "login-hour") == 2
