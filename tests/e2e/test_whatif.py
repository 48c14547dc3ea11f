"""whatif says what really happens: the same mail is sent again under the settings it was asked about, and the verdicts agree."""
import json
import os
import pty
import shutil
import sqlite3
import subprocess

from lab import BUILD, Lab, wait_until
from run import quick
from test_auth import FRIEND, STRANGER, letter, zone

LISTED, LOGIN = "203.0.113.77", ("ann@mail.local.example", "correct horse")
MORE_ZONE = {"_dmarc.quarantine.example": [{"TXT": "v=DMARC1; p=quarantine"}],
             "_dmarc.none.example": [{"TXT": "v=DMARC1; p=none"}],
             "denies.example": [{"TXT": "v=spf1 -all"}],
             "slow.example": ["SERVFAIL"],
             "_dmarc.slow.example": ["SERVFAIL"],
             "77.113.0.203.bl.example": [{"A": "127.0.0.2"}],
             "2.0.0.127.bl.example": [{"A": "127.0.0.2"}]}
LIMITS = """rate = { limits = (
  { name = "rcpt"; key = "sender"; count = "recipients"; limit = 3; per = "1h"; },
  { name = "msgs"; key = "client"; count = "messages"; limit = 12; per = "1h"; action = "reject"; },
  { name = "held"; key = "sender"; count = "bytes"; limit = 5000; per = "1h"; action = "hold"; },
  { name = "fail"; key = "client"; count = "failures"; limit = 2; per = "1h"; },
  { name = "login"; key = "user"; count = "recipients"; limit = 2; per = "1h"; } ); };"""
RECORD = 'auth = { spf = "record"; dkim = "record"; arc = "record"; dmarc = "record"; iprev = "record"; dnsbl = ( "bl.example" ); };'


def send_all(lab, has_guesses):
    """Every kind of mail once; each with a sender of its own, or in an order that tells them apart."""
    to = "ann@local.example"

    def send(sender, author=None, recipients=to, message=None, **who):
        lab.send(sender, recipients, message=message or letter(author or sender), **(who or {"address": STRANGER}))

    send("good@example.com", address=FRIEND, helo="mail.example.com")
    send("dmarc@elsewhere.example", "joe@example.com")
    send("quarantine@elsewhere.example", "joe@quarantine.example")
    send("none@elsewhere.example", "joe@none.example")
    send("spf@denies.example", "joe@none.example")
    send("helo@elsewhere.example", "joe@none.example", address="203.0.113.67", helo="denies.example")
    send("slow@slow.example", address="203.0.113.68")
    send("listed@none.example", address=LISTED)
    send("foreign@none.example", recipients="somebody@foreign.example")
    send("some@none.example", recipients=["nobody@local.example", to, "bob@local.example"], address="203.0.113.69")
    for _ in range(3):
        send("many@none.example", recipients=[to, "bob@local.example"], address="203.0.113.70")
    for _ in range(2):
        send("large@none.example", message=letter("large@none.example") + b"x" * 70 + (b"\r\n" + b"y" * 70) * 50, address="203.0.113.71")
    for _ in range(3 if has_guesses else 0):
        send("guess@none.example", recipients="nobody@local.example", address="203.0.113.72")
    if has_guesses:
        send("guess@none.example", address="203.0.113.72")
    for _ in range(3):
        send("ann@local.example", login=LOGIN, address="203.0.113.73")
    client = lab.smtp(address="203.0.113.74")
    client.mail("rset@none.example")
    client.rcpt(to)
    client.rset()
    client.quit()
    for n in range(5):
        send(f"busy{n}@none.example", address="203.0.113.75", helo="busy.example")


def verdicts(lab, count):
    """(sender, action, rule) in their order; where nothing was done no rule."""
    wait_until("all is recorded and delivered", lambda: len(lab.recent("--limit", "1000")) >= count and all(
        r["delivery"] != "unknown" or r["verdict"] != "accept" or t["verdict"]["action"] not in ("accept", "observe")
        for t in lab.recent("--limit", "1000") if not t["sender"].startswith("rset") for r in t["recipients"]))
    rows = [(t["id"], t["sender"], t["verdict"]["action"], t["verdict"]["rule"]) for t in reversed(lab.recent("--limit", "1000"))]
    # policy's "later" for a recipient that Postfix then refuses for good leaves our rule beside Postfix's refusal
    return [(*row[:3], "postfix:5.1.1" if row[2:] == ("reject", "limit:fail") else row[3]) for row in rows]


def told(rows, answer):
    """What whatif says of each recorded transaction."""
    changed = {m["id"]: (m["to"], m["rule"]) for m in answer["messages"]}
    out = []
    for name, sender, action, rule in rows:
        action, rule = changed.get(name, ("accept" if action == "observe" else action, rule))
        out.append((sender, action, rule if action != "accept" else ""))
    return out


def really(rows):
    return [(sender, "accept" if action == "observe" else action, rule if action not in ("accept", "observe") else "")
            for _, sender, action, rule in rows]


def sent_under(conf, off=""):
    lab = Lab(zone=zone(**MORE_ZONE), conf=conf)
    if off:
        lines = lab.conf.read_text().splitlines()
        lab.conf.write_text("\n".join([f'{off} = {{ listen = ""; }};'] + [l for l in lines if not l.startswith(f"{off} =")]))
    lab.add_login()
    lab.start()
    send_all(lab, not off)  # policy alone can't tell such messages of one moment apart, and gives the log's refusal to another
    return lab


COUNT = 28
ASKED = ["auth.spf=enforce", "auth.dmarc=enforce", "auth.dnsbl_action=enforce", "auth.on_temperror=tempfail"]


def sets(*texts):
    return [word for text in texts for word in ("--set", text)]


def agree(conf_then, asked, conf_asked, off=""):
    with sent_under(conf_then, off) as then:
        rows = verdicts(then, COUNT - 4 * bool(off))
        answer = then.mailguard.json("whatif", "--since", "1h", *sets(*asked))
    with sent_under(conf_asked, off) as now:
        truth = really(verdicts(now, COUNT - 4 * bool(off)))
    said = told(rows, answer)
    if off:  # policy's records come later than those of the log
        said, truth = sorted(said), sorted(truth)
    assert len(said) == len(truth), (said, truth)
    wrong = [(a, b) for a, b in zip(said, truth) if a != b]
    assert not wrong, f"(said, true): {wrong}\nunknown: {answer['unknown_reasons']}"
    assert answer["unknown"] == 0 and answer["complete"], answer["unknown_reasons"]
    return answer, truth


ENFORCED = RECORD.replace('spf = "record"', 'spf = "enforce"').replace('dmarc = "record"', 'dmarc = "enforce"').replace(
    "dnsbl =", 'on_temperror = "tempfail"; dnsbl_action = "enforce"; dnsbl =')


@quick
def test_observed_mail_gets_what_whatif_said():
    answer, truth = agree('mode = "observe"; ' + RECORD + LIMITS, ["mode=enforce", *ASKED], ENFORCED + LIMITS)
    rules = {rule for _, _, rule in truth if rule}
    for rule in ("auth:dmarc", "auth:spf", "auth:dnsbl", "limit:rcpt", "limit:held", "limit:login", "limit:fail"):
        assert rule in rules, (rule, truth)
    group = next(g for g in answer["changes"] if g["rule"] == "limit:login")
    assert group["from"] == "accept" and group["to"] == "tempfail" and group["authenticated"] == 1 and group["delivered"] == 1, group
    assert answer["already_different"] == 0 and answer["changed"] == len(answer["messages"]), answer


def test_recorded_levels_and_new_limits_in_mode_enforce():
    value = LIMITS.split("=", 1)[1].split("=", 1)[1].rsplit("; };", 1)[0].strip()
    agree(RECORD + "rate = { limits = ( ); };", [*ASKED, "rate.limits=" + value], ENFORCED + LIMITS)


def test_policy_alone():
    agree('mode = "observe"; ' + RECORD + "rate = { limits = ( ); };", ["mode=enforce", *ASKED], ENFORCED + "rate = { limits = ( ); };", off="milter")


def test_less_than_was_enforced():
    with sent_under(ENFORCED + LIMITS) as lab:
        rows = verdicts(lab, COUNT)
        answer = lab.mailguard.json("whatif", *sets("mode=observe"))
        said = told(rows, answer)
        assert all(action == "accept" or rule.startswith(("postfix:", "client:")) for _, action, rule in said), said
        assert {g["to"] for g in answer["changes"]} == {"accept"} and answer["unknown"] == 0, answer["changes"]
        assert [n["id"] for n in answer["notes"] if n["id"] == "observe"], answer["notes"]
        # what was refused at RCPT has no body: its other checks can't be known
        answer = lab.mailguard.json("whatif", *sets("rate.limits=( )"))
        assert {r["reason"] for r in answer["unknown_reasons"]} == {"refused-early"}, answer
        # nothing changes what changes nothing
        answer = lab.mailguard.json("whatif", *sets("dns.tries=5", "auth.dmarc=enforce"))
        assert answer["changed"] == 0 and answer["settings"][0] == {"key": "dns.tries", "value": "5"}, answer["changes"]
        assert [n["text"] for n in answer["notes"] if n["id"] == "no-effect"] == ["dns.tries changes no verdict in the record."]
        # a method that was not checked then is not guessed, nor is a list that was not asked
        for setting, reason in (("auth.dnsbl=other.example", "dnsbl"), ("auth.trusted_sealers=x.example", "")):
            reasons = {r["reason"] for r in lab.mailguard.json("whatif", *sets(setting))["unknown_reasons"]} - {"refused-early"}
            assert reasons == ({reason} if reason else set()), (setting, reasons)
        # for people
        shown = lab.mailguard.ctl("whatif", *sets("auth.spf=record", "auth.dmarc=record", "auth.dnsbl_action=record"))
        assert shown.returncode == 0 and "verdicts would change" in shown.stdout and "refused -> accepted  auth:dmarc" in shown.stdout, shown
        assert "elsewhere.example (1)" in shown.stdout or "example.com (1)" in shown.stdout, shown.stdout
        spanish = lab.mailguard.ctl("whatif", *sets("auth.spf=record"), language="es")
        assert "veredictos" in spanish.stdout and "would" not in spanish.stdout, spanish.stdout


def test_wrong_input_is_told_in_one_line():
    with Lab(conf='mode = "observe";') as lab:
        lab.start()
        lab.send("zoe@one.example", "ann@local.example", address=STRANGER)
        lab.record(lambda t: t["sender"] == "zoe@one.example")
        for status, words in ((64, ()), (64, ("--set", "mode")), (64, ("--since", "soon", "--set", "mode=enforce")),
                              (64, ("--set", "mode=enforce", "x")), (65, ("--set", "moed=enforce")),
                              (65, ("--set", "auth.spf=on")), (65, ("--set", "rate.limits=( { } )")),
                              (64, ("--set", "mode=enforce") * 65)):
            done = lab.mailguard.ctl("whatif", *words)
            assert (done.returncode, done.stdout) == (status, "") and len(done.stderr.splitlines()) == 1, (words, done)
        lab.mailguard.stop()
        # without a daemon
        answer = lab.mailguard.json("whatif", "--set", "mode=enforce", "--set", "auth.iprev=enforce")
        assert answer["transactions"] >= 1 and answer["changed"] >= 1, answer
        # a time that is over tells what was seen
        journal = lab.state / "journal.db"
        with sqlite3.connect(journal) as db:
            values = {"sender": "'a' || char(27) || '[2J' || char(10) || '@one.example'", "from_domain": "char(27) || '[31mx'"}
            columns = [row[1] for row in db.execute("PRAGMA table_info(txn)") if row[1] != "seq"]
            db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200000) "
                       f"INSERT INTO txn({','.join(columns)}) SELECT {','.join(values.get(c, 't.' + c) for c in columns)} FROM "
                       "(SELECT * FROM txn WHERE is_shown=1 AND by_milter=1 AND sender='zoe@one.example') t, n")
        answer = lab.mailguard.json("whatif", "--timeout", "1s", "--set", "mode=enforce", "--set", "auth.iprev=enforce")
        assert not answer["complete"] and 0 < answer["transactions"] < 200000, answer["transactions"]
        assert len(answer["messages"]) == 1000 and answer["messages_left_out"] == answer["changed"] - 1000, answer["changed"]
        assert any(n["id"] == "incomplete" for n in answer["notes"])
        shown = lab.mailguard.ctl("whatif", "--timeout", "1s", "--set", "mode=enforce", "--set", "auth.iprev=enforce")
        assert shown.returncode == 0 and "\x1b" not in shown.stdout and "[31mx" in shown.stdout, shown.stdout
        # progress on a terminal, and none in what is read by programs
        parent, child = pty.openpty()
        done = subprocess.run([BUILD / "mailguardctl", "-c", lab.conf, "--json", "whatif", "--timeout", "1s", "--set", "mode=enforce"],
                              stdout=subprocess.PIPE, stderr=child, timeout=60)
        os.close(child)
        assert done.returncode == 0 and json.loads(done.stdout) and b"transactions, up to" in os.read(parent, 65536)
        os.close(parent)
        # not permitted, damaged, not there
        lab.state.chmod(0o755)
        journal.chmod(0o600)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", BUILD / "mailguardctl", "-c", lab.conf,
                               "whatif", "--set", "mode=enforce"], capture_output=True, text=True)
        assert done.returncode == 77 and len(done.stderr.splitlines()) == 1, done
        for path in lab.state.glob("journal.db-*"):
            path.unlink()
        damaged = journal.read_bytes()
        journal.write_bytes(damaged[:8192] + b"\xa5" * (len(damaged) - 8192))
        done = lab.mailguard.ctl("whatif", "--set", "mode=enforce")
        assert done.returncode == 65 and len(done.stderr.splitlines()) == 1 and "journal" in done.stderr, done
        journal.unlink()
        done = lab.mailguard.ctl("whatif", "--set", "mode=enforce")
        assert done.returncode == 65 and "there is no journal" in done.stderr, done
        shutil.rmtree(lab.state)
        assert lab.mailguard.ctl("whatif", "--set", "mode=enforce").returncode == 65
