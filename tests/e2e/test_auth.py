"""The sender's checks in both doors of a real Postfix, against a DNS server that says what the test wants."""
import base64
import contextlib
import hashlib
import json
import re
import subprocess

from dns_server import SERVFAIL, DnsServer
from lab import BUILD, Lab, queue_id_of, wait_until
from run import quick

FRIEND, STRANGER = "203.0.113.10", "203.0.113.66"
ENFORCE_NOTHING = 'spf = "record"; dkim = "record"; arc = "record"; dmarc = "record"; iprev = "record"; '


class Key:
    """An RSA key of its own, which signs as DKIM does (relaxed/relaxed)."""

    def __init__(self, root, bits=2048):
        self.path = root / "dkim.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.path, str(bits)], check=True, capture_output=True)
        der = subprocess.run(["openssl", "rsa", "-in", self.path, "-pubout", "-outform", "DER"], check=True, capture_output=True)
        self.record = "v=DKIM1; k=rsa; p=" + base64.b64encode(der.stdout).decode()

    def sign(self, message, domain, selector="sel"):
        header, body = message.split(b"\r\n\r\n", 1)
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        field = f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector}; h=from:to:subject; bh={digest}; b="
        signed = b""
        for name in (b"from", b"to", b"subject"):
            value = re.search(rb"(?im)^" + name + rb": (.*)\r?$", header).group(1).strip()
            signed += name + b":" + value + b"\r\n"
        signed += b"dkim-signature:" + field.encode()
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=signed, check=True, capture_output=True)
        return b"DKIM-Signature: " + field.encode() + base64.b64encode(done.stdout) + b"\r\n" + message


def letter(author="joe@example.com", subject="x", extra=b""):
    return extra + f"From: <{author}>\r\nTo: <ann@local.example>\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode()


def zone(**more):
    return {
        "example.com": [{"TXT": f"v=spf1 ip4:{FRIEND} -all"}, {"A": FRIEND}],
        "_dmarc.example.com": [{"TXT": "v=DMARC1; p=reject"}],
        "mail.example.com": [{"A": FRIEND}],
        "10.113.0.203.in-addr.arpa": [{"PTR": "mail.example.com"}],
        **more,
    }


def results_of(text):
    """The Authentication-Results fields of a message, unfolded, in their order."""
    header = re.sub(rb"\r?\n[ \t]+", b" ", text.split(b"\n\n", 1)[0])
    return [line.decode() for line in header.splitlines() if line.lower().startswith(b"authentication-results:")]


@quick
def test_a_good_message_passes_everything_and_says_so():
    with Lab(zone=zone()) as lab:
        key = Key(lab.root)
        lab.dns.zone.add({"sel._domainkey.example.com": [{"TXT": key.record}]})
        lab.start()
        code, text, _ = lab.send("joe@example.com", "ann@local.example", message=key.sign(letter(), "example.com"),
                                 address=FRIEND, helo="mail.example.com")
        assert code == 250, text
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert txn["auth"] == {"iprev": "pass", "spf": "pass", "dkim": "pass", "arc": "none", "dmarc": "pass"}, txn
        assert txn["from_domain"] == "example.com" and txn["verdict"]["action"] == "accept"
        delivered = lab.mail_of("ann")
        fields = results_of(delivered)
        assert len(fields) == 1 and fields[0].startswith("Authentication-Results: mail.local.example; "), fields
        for part in ("iprev=pass", "spf=pass smtp.mailfrom=example.com", "dkim=pass header.d=example.com",
                     "dmarc=pass (p=reject dis=none) header.from=example.com"):
            assert part in fields[0], (part, fields[0])
        assert delivered.index(b"Authentication-Results:") < delivered.index(b"DKIM-Signature:")
        told = lab.mailguard.json("trace", txn["queue_id"])
        assert any("dkim=pass" in event["text"] for event in told["events"]), told
        status = lab.mailguard.json("status")
        assert status["auth"]["dmarc"]["pass"] == 1 and status["dns"]["questions"] > 3, status["auth"]


def test_dmarc_policies_are_enforced():
    more = {"_dmarc.quarantine.example": [{"TXT": "v=DMARC1; p=quarantine"}],
            "_dmarc.none.example": [{"TXT": "v=DMARC1; p=none"}],
            "_dmarc.testing.example": [{"TXT": "v=DMARC1; p=reject; t=y"}]}
    with Lab(zone=zone(**more)) as lab:
        lab.start()

        def send(author, **who):
            who = who or {"address": STRANGER}
            code, text, _ = lab.send("x@elsewhere.example", "ann@local.example", message=letter(author), **who)
            return code, text

        code, text = send("joe@example.com")
        assert code == 550 and text == "5.7.1 Email rejected per DMARC policy for example.com", text
        refused = lab.record(lambda t: t["verdict"]["rule"] == "auth:dmarc" and t["from_domain"] == "example.com")
        assert refused["verdict"]["action"] == "reject" and refused["verdict"]["code"] == "550 5.7.1", refused
        assert refused["auth"]["dmarc"] == "fail"
        assert send("joe@none.example")[0] == 250
        for author in ("joe@quarantine.example", "joe@testing.example"):
            code, text = send(author)
            assert code == 250, text
            held = lab.record(lambda t: t["queue_id"] == queue_id_of(text) and t["recipients"][0]["delivery"] == "held")
            assert held["verdict"]["action"] == "quarantine" and held["verdict"]["rule"] == "auth:dmarc", held
        status = lab.mailguard.json("status")["transactions"]
        assert (status["rejected"], status["quarantined"], status["accepted"]) == (1, 2, 1), status
        # the held one goes on when it is released, and only then
        held_id = held["queue_id"]
        released = lab.mailguard.ctl("release", held_id, "--json")
        assert released.returncode == 0 and json.loads(released.stdout) == {"released": [held_id]}, released
        lab.record(lambda t: t["queue_id"] == held_id and t["recipients"][0]["delivery"] == "sent")
        for unknown in (held_id, "ABCDEF123456", "-", "ALL", "../x"):
            again = lab.mailguard.ctl("--json", "release", "--", unknown)
            assert again.returncode == 1 and json.loads(again.stdout) == {"released": []}, (unknown, again)


def test_those_who_logged_in_or_are_trusted_are_exempt():
    with Lab(zone=zone(), conf='relay = { trusted = ( "203.0.113.66" ); };') as lab:
        lab.add_login()
        lab.start()
        code, text, _ = lab.send("ann@local.example", "bob@local.example", message=letter(), login=("ann", "correct horse"))
        assert code == 250, text
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert set(txn["auth"].values()) == {""}, "who logged in is not checked"
        assert results_of(lab.mail_of("bob")) == []
        code, text, _ = lab.send("x@y.example", "ann@local.example", message=letter(), address=STRANGER)
        assert code == 250, "a trusted client is not refused: " + text
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert txn["relay"] == "trusted" and txn["auth"]["dmarc"] == "fail", "but it is checked"
        code, text, _ = lab.send("x@y.example", "ann@local.example", message=letter())
        assert code == 250, "loopback neither: " + text


def test_observing_decides_and_does_nothing():
    with Lab(zone=zone(), conf='mode = "observe"; auth = { spf = "enforce"; };') as lab:
        lab.start()
        forged = letter(extra=b"Authentication-Results: mail.local.example; dmarc=pass\r\n")
        code, text, _ = lab.send("joe@example.com", "ann@local.example", message=forged, address=STRANGER)
        assert code == 250, text
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert txn["verdict"]["action"] == "observe" and txn["verdict"]["would"] == "reject", txn
        assert txn["verdict"]["rule"] == "auth:spf", txn
        assert lab.mailguard.json("status")["transactions"]["accepted"] == 1
        assert [t["id"] for t in lab.recent("--verdict", "reject")] == [txn["id"]], "what would have been refused is found"
        told = lab.mailguard.ctl("trace", txn["queue_id"]).stdout
        assert "the answer would have been reject (rule auth:spf)" in " ".join(told.split()), told
        code, text, _ = lab.send("joe@example.com", "ann@local.example", message=letter(), address=FRIEND)
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        told = lab.mailguard.ctl("trace", txn["queue_id"]).stdout
        assert "mailguard let it pass" in told and "would have been" not in told, told


def test_a_client_without_a_port_is_checked_all_the_same():
    with Lab(zone=zone()) as lab:
        lab.start()
        client = lab.smtp()
        assert client.docmd("XCLIENT", f"ADDR={STRANGER} NAME=[UNAVAILABLE] PORT=[UNAVAILABLE]")[0] == 220
        client.ehlo()
        code, text, _ = lab.send("x@elsewhere.example", "ann@local.example", message=letter(), client=client)
        assert code == 550 and "DMARC" in text, (code, text)
        refused = lab.record(lambda t: t["verdict"]["rule"] == "auth:dmarc")
        assert refused["relay"] == "inbound", refused


def test_each_method_enforced():
    more = {"66.113.0.203.in-addr.arpa": [{"PTR": "liar.example"}], "liar.example": [{"A": "192.0.2.200"}],
            "66.113.0.203.bl.example": [{"A": "127.0.0.2"}], "2.0.0.127.bl.example": [{"A": "127.0.0.2"}],
            "66.113.0.203.error.example": [{"A": "127.255.255.254"}], "2.0.0.127.error.example": [{"A": "127.255.255.254"}],
            "sel._domainkey.example.com": [{"TXT": "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAJ"}]}
    with Lab(zone=zone(**more)) as lab:
        key = Key(lab.root)
        lab.dns.zone.add({"sel._domainkey.example.com": [{"TXT": key.record}]})
        broken = key.sign(letter(), "example.com").replace(b"Hello.", b"Hullo.")
        lab.write_conf("auth = { " + ENFORCE_NOTHING + "};")
        lab.start()
        for setting, message, dsn in (
                ('spf = "enforce";', letter(), "5.7.23"),
                ('dkim = "enforce";', broken, "5.7.20"),
                ('iprev = "enforce";', letter(), "5.7.25"),
                ('dnsbl = ( "bl.example" ); dnsbl_action = "enforce";', letter(), "5.7.1"),
                ('dnsbl = ( { zone = "bl.example"; weight = 2; }, "error.example" ); dnsbl_action = "enforce"; dnsbl_threshold = 3;',
                 letter(), None)):
            settings = {**dict(re.findall(r'(\w+) = ("\w+");', ENFORCE_NOTHING))}
            settings.pop(setting.split()[0], None)
            lab.write_conf("auth = { " + "".join(f"{k} = {v}; " for k, v in settings.items()) + setting + " };")
            assert lab.mailguard.ctl("reload").returncode == 0
            code, text, _ = lab.send("joe@example.com", "ann@local.example", message=message, address=STRANGER)
            if dsn is None:
                assert code == 250, (setting, text)
            else:
                assert code == 550 and text.startswith(dsn), (setting, code, text)


def test_a_broken_dns_list_mutes_itself():
    lists = {"2.0.0.127.good.example": [{"A": "127.0.0.2"}], "66.113.0.203.good.example": [{"A": "127.0.0.3"}],
             "2.0.0.127.all.example": [{"A": "127.0.0.2"}], "1.0.0.127.all.example": [{"A": "127.0.0.2"}],
             "66.113.0.203.all.example": [{"A": "127.0.0.2"}]}
    conf = 'auth = { dnsbl = ( "good.example", "all.example" ); dnsbl_action = "enforce"; dnsbl_threshold = 2; };'
    with Lab(zone=zone(**lists), conf=conf) as lab:
        lab.start()
        wait_until("both lists are tested", lambda: {z["zone"]: z["state"] for z in lab.mailguard.json("status")["dnsbl"]}
                   == {"good.example": "works", "all.example": "lists-all"})
        code, text, _ = lab.send("x@y.example", "ann@local.example", address=STRANGER)
        assert code == 250, "one point of a list that works, none of one that lists all: " + text
        lab.write_conf(conf.replace("threshold = 2", "threshold = 1"))
        assert lab.mailguard.ctl("reload").returncode == 0
        code, text, _ = lab.send("x@y.example", "ann@local.example", address=STRANGER)
        assert code == 550 and text.endswith("it is listed by good.example"), text
        assert "all.example is broken (lists-all)" in lab.mailguard.ctl("status").stdout.replace("\n ", "")


def test_forged_results_are_removed_wherever_they_hide():
    forged = [b"mail.local.example; spf=pass", b" MAIL.Local.Example ; dkim=pass", b"(c(o)mment) mail.local.example; x",
              b"\r\n mail.local.example\r\n ; dmarc=pass", b'"mail.local.example"; arc=pass', b"mail.local.example/1; x",
              b"mail.local.example 1; spf=pass", b"mail.local.example.; spf=pass", b"mail.local.example" + b" " * 5000 + b"; x",
              b"mail.local.example"]
    kept = [b"other.example; spf=pass", b"xmail.local.example; spf=pass"]
    with Lab(zone=zone()) as lab:
        lab.start()
        fields = b"".join(b"Authentication-Results: " + value + b"\r\n" for value in [kept[0], *forged, kept[1], forged[0]])
        code, text, _ = lab.send("joe@example.com", "ann@local.example", message=letter(extra=fields), address=FRIEND)
        assert code == 250, text
        left = results_of(lab.mail_of("ann"))
        assert left[0].startswith("Authentication-Results: mail.local.example; iprev="), left
        assert [field.split(": ", 1)[1] for field in left[1:]] == [value.decode() for value in kept], left


def test_what_policy_lets_pass_the_milter_still_judges():
    more = {"thief.example": [{"TXT": f"v=spf1 ip4:{STRANGER} -all"}]}
    with Lab(zone=zone(**more), conf='auth = { spf = "enforce"; };') as lab:
        lab.start()
        code, text, _ = lab.send("x@thief.example", "ann@local.example", message=letter(), address=STRANGER)
        assert code == 550 and "DMARC" in text, (code, text)
        txn = lab.record(lambda t: t["sender"] == "x@thief.example")
        assert txn["doors"] == ["milter", "policy"] and txn["verdict"]["rule"] == "auth:dmarc", txn
        code, text, _ = lab.send("joe@example.com", "ann@local.example", message=letter(), address=STRANGER)
        assert code == 550 and "5.7.23" in text, (code, text)
        txn = lab.record(lambda t: t["sender"] == "joe@example.com")
        assert txn["verdict"]["action"] == "reject" and txn["verdict"]["rule"] == "auth:spf", txn["verdict"]
        assert [r["verdict"] for r in txn["recipients"]] == ["reject"], txn["recipients"]
        assert txn["verdict"]["code"] == "550 5.7.23", txn["verdict"]


def test_other_name_servers_by_reload():
    with Lab(zone=zone()) as lab:
        lab.start()
        first, lab.dns = lab.dns, DnsServer({"example.com": [{"TXT": f"v=spf1 ip4:{STRANGER} -all"}]})
        first.stop()
        lab.write_conf()
        assert lab.mailguard.ctl("reload").returncode == 0
        code, text, _ = lab.send("joe@example.com", "ann@local.example", address=STRANGER)
        assert code == 250, text
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert txn["auth"]["spf"] == "pass", "the new server's word: " + str(txn["auth"])
        assert [server["address"] for server in lab.mailguard.json("status")["dns"]["servers"]] == [lab.dns.address]


def test_the_time_budget_bounds_the_wait():
    slow = {f"s{i}.example": [{"TXT": f"v=spf1 include:s{i + 1}.example -all"}] for i in range(9)}
    with Lab(zone=zone(**slow), conf="auth = { time_budget_ms = 1000; };") as lab:
        lab.start()
        lab.dns.delay_s = 0.4  # ten questions, one after another
        code, text, _ = lab.send("joe@s0.example", "ann@local.example", address=STRANGER)
        assert code == 250, text
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert txn["auth"]["spf"] == "temperror" and txn["degraded"] and txn["latency_us"] < 3_000_000, txn
        load = lab.mailguard.json("check", "self.load")["checks"][0]
        assert load["state"] in ("warn", "crit") and "1 because of checks" in load["evidence"], load


def test_received_spf_where_it_is_wanted():
    with Lab(zone=zone(), conf="auth = { add_received_spf = true; };") as lab:
        lab.start()
        code, text, _ = lab.send("joe@example.com", "ann@local.example", message=letter(), address=FRIEND)
        assert code == 250, text
        header = re.sub(rb"\r?\n[ \t]+", b" ", lab.mail_of("ann").split(b"\n\n", 1)[0]).decode()
        field = re.search(r"(?m)^Received-SPF: (.*)$", header).group(1)
        assert field.startswith("pass (mail.local.example: 203.0.113.10 is among the senders example.com allows"), field
        assert field.endswith(' identity=mailfrom; client-ip=203.0.113.10; helo=client.example; envelope-from="joe@example.com";')
        assert header.index("Authentication-Results:") < header.index("Received-SPF:")


def test_dns_trouble_is_never_a_failure():
    with Lab(zone={"example.com": ["SERVFAIL"], "_dmarc.example.com": ["SERVFAIL"], "66.113.0.203.in-addr.arpa": ["TIMEOUT"]},
             conf='auth = { spf = "enforce"; iprev = "enforce"; };') as lab:
        lab.start()
        code, text, _ = lab.send("joe@example.com", "ann@local.example", message=letter(), address=STRANGER)
        assert code == 250, text
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert (txn["auth"]["spf"], txn["auth"]["iprev"], txn["auth"]["dmarc"]) == ("temperror",) * 3, txn["auth"]
        lab.write_conf('auth = { spf = "enforce"; on_temperror = "tempfail"; };')
        assert lab.mailguard.ctl("reload").returncode == 0
        code, text, _ = lab.send("joe@example.com", "ann@local.example", message=letter(), address=STRANGER)
        assert code in (450, 451) and text.startswith("4.7.24"), (code, text)
        lab.dns.stop()  # nobody listens at all
        lab.write_conf('auth = { spf = "enforce"; };')
        assert lab.mailguard.ctl("reload").returncode == 0
        code, text, _ = lab.send("joe@other.example", "ann@local.example", message=letter("joe@other.example"), address=STRANGER)
        assert code == 250, text
        lab.dns = DnsServer(zone())  # for close()


def test_policy_alone_enforces_what_it_can_see():
    zones = zone(**{"late.example": [{"TXT": "v=spf1 -all"}]})
    with Lab(zone=zones, conf='milter = { listen = ""; }; auth = { spf = "enforce"; };') as lab:
        lab.conf.write_text(re.sub(r"^milter = .*?;\s\};\n", "", lab.conf.read_text(), count=1, flags=re.M))
        lab.start()
        code, text, _ = lab.send("joe@example.com", "ann@local.example", address=STRANGER)
        assert code == 550 and "5.7.23" in text and "example.com does not allow mail" in text, (code, text)
        txn = lab.record(lambda t: t["client"]["ip"] == STRANGER)
        assert txn["verdict"]["rule"] == "auth:spf" and txn["verdict"]["action"] == "reject", txn
        assert txn["auth"]["spf"] == "fail" and txn["recipients"][0]["verdict"] == "reject", txn
        code, text, _ = lab.send("joe@example.com", "ann@local.example", address=FRIEND)
        assert code == 250, text
        lab.dns.delay_s = 0.3  # the answer waits for DNS, and other requests do not
        code, text, _ = lab.send("joe@late.example", "ann@local.example", address=STRANGER)
        assert code == 550, text
        lab.dns.zone.add({"silent.example": ["TIMEOUT"]})
        code, text, _ = lab.send("joe@silent.example", "ann@local.example", address=STRANGER)
        assert code == 250, "DNS trouble is no failure: " + text


def is_of_message(name):
    """Not asked by a health check, which is about this server."""
    return "local.example" not in name and "root-servers" not in name


def test_a_burst_from_a_new_domain_asks_once():
    with Lab(zone=zone()) as lab:
        key = Key(lab.root)
        lab.dns.zone.add({"sel._domainkey.example.com": [{"TXT": key.record}]})
        lab.start()
        lab.dns.delay_s = 0.02
        message = key.sign(letter(), "example.com")
        clients = [lab.smtp(address=FRIEND, helo="mail.example.com") for _ in range(16)]
        for client in clients:
            client.mail("joe@example.com")
            client.rcpt("ann@local.example")
        for client in clients:
            assert client.data(message)[0] == 250
            client.quit()
        asked = [(name, kind) for name, kind in lab.dns.asked if is_of_message(name)]
        assert len(asked) == len(set(asked)), sorted(asked)
        assert len(asked) <= 9, sorted(asked)
