"""The live relay guard: a Postfix that would relay for strangers does not, and all other mail flows."""
import ssl
import subprocess

from lab import Lab, queue_id_of, wait_until
from run import quick

STRANGER = "203.0.113.66"
OPEN_BY_TABLE = "smtpd_relay_restrictions = check_sender_access static:OK, reject_unauth_destination\n"
OPEN_BY_NETWORK = "mynetworks = 0.0.0.0/0\n"
DOORS = {"both": "", "milter": "policy", "policy": "milter"}


def is_runtime_crit(lab):
    answer = lab.mailguard.json("check", "relay.runtime")
    return answer["checks"][0]["state"] == "crit" and answer["checks"][0]


@quick
def test_strangers_do_not_relay_and_the_rest_flows():
    with Lab(main_cf=OPEN_BY_TABLE) as lab:
        lab.add_login()
        lab.start()
        code, text, _ = lab.send("spam@stranger.example", "victim@foreign.example", address=STRANGER)
        assert code == 554 and "5.7.1" in text, (code, text)
        code, text, refused = lab.send("zoe@stranger.example", ["victim@foreign.example", "ann@local.example"], address=STRANGER)
        assert code == 250 and list(refused) == ["victim@foreign.example"]
        lab.mail_of("ann")
        for recipient in ("info@local.example", "someone@relay.example"):
            assert lab.send("zoe@stranger.example", recipient, address=STRANGER)[0] == 250, recipient
        login = ("ann@mail.local.example", "correct horse")
        assert lab.send("ann@local.example", "friend@down.example", address=STRANGER, login=login)[0] == 250
        assert lab.send("root@local.example", "friend@down.example")[0] == 250, "this machine itself"
        txn = lab.record(lambda t: t["sender"] == "spam@stranger.example")
        assert txn["relay"] == "stranger" and txn["verdict"]["rule"] == "relay:stranger", txn["verdict"]
        assert txn["verdict"]["action"] == "reject" and txn["verdict"]["code"] == "554 5.7.1"
        found = is_runtime_crit(lab)
        assert found and any("victim@foreign.example" in line and STRANGER in line for line in found["evidence"]), found


def test_each_door_alone_guards():
    for door, off in DOORS.items():
        for opened in (OPEN_BY_TABLE, OPEN_BY_NETWORK):
            with Lab(main_cf=opened) as lab:
                if off:
                    lab.switch_off(off)
                lab.start()
                code, text, _ = lab.send("spam@stranger.example", "victim@foreign.example", address=STRANGER)
                assert code == 554 and "5.7.1" in text, (door, opened, code, text)
                assert lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)[0] == 250, (door, opened)
                assert lab.send("zoe@stranger.example", "x@relay.example", address=STRANGER)[0] == 250, (door, opened)
                assert lab.record(lambda t: t["verdict"]["rule"] == "relay:stranger"), (door, opened)
                assert is_runtime_crit(lab), (door, opened)


def test_whom_the_administrator_trusts_may_relay():
    with Lab(main_cf="mynetworks = 203.0.113.0/24 10.0.0.0/8 !198.51.100.7 198.51.100.0/24 0.0.0.0/0\n",
             conf='relay = { trusted = ( "192.0.2.9" ); };') as lab:
        lab.start()
        for address in ("203.0.113.66", "10.200.1.1", "198.51.100.8", "192.0.2.9"):
            assert lab.send("a@stranger.example", "friend@down.example", address=address)[0] == 250, address
        for address in ("192.0.2.10", "100.64.0.1"):
            assert lab.send("a@stranger.example", "friend@down.example", address=address)[0] == 554, address


def test_narrow_keys_of_a_client_table_are_trusted():
    table = ("smtpd_relay_restrictions = check_client_access texthash:{etc}/clients, check_sender_access static:OK, "
             "reject_unauth_destination\n")
    with Lab(main_cf=table) as lab:
        (lab.etc / "clients").write_text("198.51.100 OK\n203.0.113.5 permit\n192 OK\n")
        lab.start()
        for address, code in (("198.51.100.77", 250), ("203.0.113.5", 250), ("192.0.2.1", 554), ("203.0.113.6", 554)):
            assert lab.send("a@stranger.example", "friend@down.example", address=address)[0] == code, address


def test_patterns_that_name_clients_are_asked():
    table = ("smtpd_relay_restrictions = check_client_access regexp:{etc}/clients, check_sender_access static:OK, "
             "reject_unauth_destination\n")
    with Lab(main_cf=table) as lab:
        (lab.etc / "clients").write_text(r"/^198\.51\.100\./ OK" + "\n/^192\./ REJECT\n")
        lab.start()
        for address, code in (("198.51.100.77", 250), ("203.0.113.6", 554)):
            assert lab.send("a@stranger.example", "friend@down.example", address=address)[0] == code, address


def test_observing_only_tells():
    for conf in ('relay = { action = "observe"; };', 'mode = "observe";', 'relay = { action = "off"; };'):
        with Lab(main_cf=OPEN_BY_TABLE, conf=conf) as lab:
            lab.start()
            code, text, _ = lab.send("spam@stranger.example", "friend@down.example", address=STRANGER)
            assert code == 250, (conf, text)
            txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
            assert txn["relay"] == "stranger"
            if "mode" in conf:
                assert txn["verdict"]["action"] == "observe" and txn["verdict"]["would"] == "reject", txn["verdict"]
            elif "off" in conf:
                assert txn["verdict"]["rule"] == ""
                continue
            assert txn["verdict"]["rule"] == "relay:stranger", txn["verdict"]
            assert is_runtime_crit(lab), conf


def test_backup_mx_is_legitimate():
    zone = {"backup.example": [{"MX": [10, "mail.local.example"]}, {"MX": [20, "mx.backup.example"]}],
            "foreign.example": [{"MX": [10, "mx.foreign.example"]}], "mx.foreign.example": [{"A": "192.0.2.77"}]}
    with Lab(main_cf="smtpd_relay_restrictions = permit_mx_backup, check_sender_access static:OK, reject_unauth_destination\n",
             zone=zone) as lab:
        lab.start()
        assert lab.send("a@stranger.example", "x@backup.example", address=STRANGER)[0] == 250
        assert lab.send("a@stranger.example", "x@foreign.example", address=STRANGER)[0] == 554
        assert lab.send("a@stranger.example", "x@servfail.example", address=STRANGER)[0] == 554, "no such domain, so no MX of ours"


def test_a_domain_that_became_ours_is_taken_at_once():
    with Lab(main_cf="relay_domains = texthash:{etc}/relays\n" + OPEN_BY_TABLE) as lab:
        (lab.etc / "relays").write_text("old.example x\n")
        lab.start()
        assert lab.send("a@stranger.example", "x@old.example", address=STRANGER)[0] == 250
        assert lab.send("a@stranger.example", "x@new.example", address=STRANGER)[0] == 554
        (lab.etc / "relays").write_text("old.example x\nnew.example x\n")
        lab.postfix("reload")
        for _ in range(5):
            assert lab.send("a@stranger.example", "x@new.example", address=STRANGER)[0] == 250
        wait_until("the guard knows the domains again", lambda: lab.send(
            "a@stranger.example", "x@third.example", address=STRANGER)[0] == 554)
        assert lab.send("a@stranger.example", "x@new.example", address=STRANGER)[0] == 250


def test_a_table_that_can_only_be_asked():
    with Lab(main_cf="relay_domains = regexp:{etc}/relays\n" + OPEN_BY_TABLE) as lab:
        (lab.etc / "relays").write_text("/^([^.]+\\.)?ours\\.example$/ x\n")
        lab.start()
        for recipient, code in (("x@ours.example", 250), ("x@sub.ours.example", 250), ("x@theirs.example", 554)):
            assert lab.send("a@stranger.example", recipient, address=STRANGER)[0] == code, recipient


def test_local_submission_is_never_refused():
    with Lab(main_cf=OPEN_BY_TABLE) as lab:
        lab.start()
        subprocess.run(["sendmail", "-C", lab.etc, "-f", "root@local.example", "friend@down.example"], input=b"Subject: x\n\nx\n",
                       check=True, env={"MAIL_CONFIG": str(lab.etc), "PATH": "/usr/sbin:/usr/bin:/bin"})
        assert lab.record(lambda t: t["sender"] == "root@local.example" and t["relay"] == "local")


def check(lab, name):
    return lab.mailguard.json("check", name)["checks"][0]


def test_strangers_behind_one_address_are_noticed():
    with Lab(main_cf="mynetworks = 172.16.0.0/12\n") as lab:
        lab.start()
        assert check(lab, "relay.gateway")["state"] == "ok"
        for i in range(6):
            assert lab.send(f"a@s{i}.example", "ann@local.example", address="172.17.0.1", helo=f"host{i}.example")[0] == 250
        found = wait_until("it is named", lambda: check(lab, "relay.gateway")["state"] == "warn" and check(lab, "relay.gateway"))
        assert "172.17.0.1" in found["summary"] and "PROXY" in found["fix"], found
        for i in range(6):
            lab.send(f"a@s{i}.example", "ann@local.example", address=f"203.0.113.{i}", helo=f"far{i}.example")
        assert all("203.0.113" not in line for line in check(lab, "relay.gateway")["evidence"])


def test_who_tries_to_relay_is_named():
    with Lab() as lab:
        lab.start()
        for i in range(21):
            lab.send("a@s.example", f"victim{i}@foreign.example", address=STRANGER)
        found = wait_until("it is named", lambda: check(lab, "relay.attempts")["state"] == "warn" and check(lab, "relay.attempts"))
        assert STRANGER in found["summary"] and f"ban add {STRANGER}" in found["fix"], found
        assert lab.mailguard.ctl(*found["fix"].split("mailguardctl ")[1].split()).returncode == 0
        assert lab.send("a@s.example", "ann@local.example", address=STRANGER)[0] == 550


TLS = """smtpd_tls_security_level = may
smtpd_tls_cert_file = {etc}/server.pem
smtpd_tls_key_file = {etc}/server.key
smtpd_tls_ask_ccert = yes
smtpd_tls_fingerprint_digest = sha256
relay_clientcerts = texthash:{etc}/certs
smtpd_authorized_xforward_hosts = 127.0.0.1
smtpd_relay_restrictions = permit_tls_clientcerts, check_sender_access static:OK, reject_unauth_destination
"""


def make_certificate(lab, name):
    """A self-signed certificate; its fingerprint as Postfix writes it."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}.example",
                    "-keyout", lab.etc / f"{name}.key", "-out", lab.etc / f"{name}.pem"], check=True, capture_output=True)
    text = subprocess.run(["openssl", "x509", "-in", lab.etc / f"{name}.pem", "-noout", "-fingerprint", "-sha256"],
                          check=True, capture_output=True, text=True).stdout
    return text.strip().split("=")[1]


def ask_over_tls(lab, name, recipient):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if name:
        context.load_cert_chain(lab.etc / f"{name}.pem", lab.etc / f"{name}.key")
    client = lab.smtp(address=STRANGER)
    client.starttls(context=context)
    client.ehlo()
    client.mail("a@s.example")
    code = client.rcpt(recipient)[0]
    client.close()
    return code


def test_client_certificates_that_postfix_permits_by():
    with Lab(main_cf=TLS, master_cf="tlsmgr unix - - n 1000? 1 tlsmgr\n") as lab:
        make_certificate(lab, "server")
        (lab.etc / "certs").write_text(make_certificate(lab, "friend") + " friend\n")
        make_certificate(lab, "other")
        lab.start()
        for name, code in (("friend", 250), ("other", 554), (None, 554)):
            assert ask_over_tls(lab, name, "friend@down.example") == code, name
            assert ask_over_tls(lab, name, "ann@local.example") == 250, name


def test_a_content_filter_that_forwards_is_this_machine():
    with Lab(main_cf=TLS.replace("smtpd_tls_security_level = may", "smtpd_tls_security_level = none")) as lab:
        (lab.etc / "certs").write_text("")
        lab.start()
        client = lab.smtp()
        assert client.docmd("XFORWARD", f"ADDR={STRANGER} NAME=far.example PROTO=ESMTP HELO=far.example")[0] == 250
        assert lab.send("a@s.example", "friend@down.example", client=client)[0] == 250
