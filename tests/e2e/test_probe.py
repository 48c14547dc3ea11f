"""probe: a real Postfix in a network of its own, looked at from another one; and servers that answer as Exim and Exchange do."""
import contextlib
import copy
import json
import os
import subprocess
import time

from dns_server import DnsServer
from dovecot import Dovecot
from lab import BUILD, wait_until
from strange_server import StrangeServer, binary, closing, endless, one_line, says, silent, trickle
from test_tls_checks import Authority, HOST, openssl, reload, secured, set_to
from wire import SERVER, Wire

DOMAIN = "local.example"
LIST = "bl.test.example"
ZONE = {
    DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx -all"}],
    HOST: [{"A": SERVER}],
    "_dmarc." + DOMAIN: [{"TXT": f"v=DMARC1; p=reject; rua=mailto:postmaster@{DOMAIN}"}],
    "1.100.51.198.in-addr.arpa": [{"PTR": HOST}],
    "2.0.0.127." + LIST: [{"A": "127.0.0.2"}],
}
MASTER = f"""\
{SERVER}:25 inet n - n - - smtpd
{SERVER}:587 inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_client_restrictions=permit_sasl_authenticated,reject
{SERVER}:465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
"""
CONF = f'auth = {{ dnsbl = ( "{LIST}" ); }};\n'
SEEN = {"dns.mx", "dns.ptr", "dns.ptr.match", "dns.spf", "dns.dmarc", "dnsbl", "service.smtp.25", "service.smtp.465", "service.smtp.587",
        "tls.starttls", "tls.protocol", "tls.cert.expiry", "tls.cert.name", "tls.cert.chain", "relay.probe"}
STATUS = {"ok": 0, "warn": 1, "crit": 2, "unknown": 3}


class Outside:
    """Runs probe in the stranger's namespace, where a DNS server of its own answers."""

    def __init__(self, wire, lab):
        self.wire, self.lab = wire, lab
        with wire.at("stranger"):
            self.dns = DnsServer(ZONE)

    def zone(self, changes=None):
        records = {**ZONE, **(changes or {})}
        self.dns.zone.names.clear()
        self.dns.zone.add(copy.deepcopy({name: entries for name, entries in records.items() if entries is not None}))

    def run(self, *words, language=None):
        environment = dict(self.lab.mailguard.environment, NO_COLOR="1")
        if language:
            environment.update(LANGUAGE=language, LC_ALL="C.UTF-8")
        with self.wire.at("stranger"):
            return subprocess.run([BUILD / "mailguardctl", "-c", self.lab.conf, "probe", "--dns", self.dns.address, *words], text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=90)

    def probe(self, target=DOMAIN, *words):
        done = self.run(target, "--json", *words)
        assert done.stdout, (done.returncode, done.stderr)
        said = json.loads(done.stdout)
        assert done.returncode == STATUS[said["state"]], (done.returncode, said["state"])
        for check in said["checks"]:
            assert check["state"] == "ok" or (check["summary"] and check["cause"] and check["fix"]), check
            assert check["manual"] and check["title"], check
        return said, {check["id"]: check for check in said["checks"]}

    def expect(self, name, state, *words, target=DOMAIN, options=()):
        def is_found():
            """An smtpd of before a reload may take one more client."""
            self.said, self.checks = self.probe(target, *options)
            found = self.checks.get(name, {"state": "absent"})
            return found["state"] == state and all(word in str(found) for word in words)

        with contextlib.suppress(TimeoutError):
            wait_until(f"{name} is {state}", is_found, 6)
        found = self.checks[name]
        assert found["state"] == state and all(word in str(found) for word in words), (name, state, words, found)
        return self.said, self.checks


@contextlib.contextmanager
def outside(main_cf="", master_cf=MASTER):
    with Wire() as wire, wire.at("server"), secured(master_cf=master_cf, main_cf=main_cf, conf=CONF) as (lab, authority):
        there = Outside(wire, lab)
        try:
            yield there, lab, authority
        finally:
            there.dns.stop()


def test_a_sound_server_is_well_and_its_faults_in_dns_are_found():
    with outside() as (there, lab, _):
        said, checks = there.probe()
        assert said["state"] == "ok" and set(checks) == SEEN, (said["state"], sorted(SEEN ^ set(checks)),
                                                                [check for check in said["checks"] if check["state"] != "ok"])
        assert said["domain"] == DOMAIN and said["target"] == DOMAIN
        (host,) = said["hosts"]
        (address,) = host["addresses"]
        assert (host["name"], host["preference"], address["ip"], address["ptr"]) == (HOST, 10, SERVER, HOST)
        ports = {port["port"]: port for port in address["ports"]}
        assert {number: port["state"] for number, port in ports.items()} == {
            25: "open", 465: "open", 587: "open", 143: "closed", 993: "closed", 110: "closed", 995: "closed"}
        port = ports[25]
        assert port["software"] == "Postfix" and port["greeting"].startswith(f"220 {HOST}") and port["starttls"], port
        assert port["relay"]["state"] == "refused" and "Relay access denied" in port["relay"]["reply"], port
        assert {"TLSv1.2", "TLSv1.3"} == set(port["tls"]["versions"]) and "PIPELINING" in port["capabilities"], port
        assert port["certificate"]["covers_name"] and port["certificate"]["trusted"], port
        assert {skipped["id"] for skipped in said["skipped"]} >= {"dns.dkim", "dns.mtasts", "dns.tlsrpt", "dns.dane", "service.imap.143"}
        assert "from=<" not in lab.log_text().replace("from=<>", "").replace(f"from=<postmaster@{DOMAIN}>", ""), lab.log_text()

        for target in (HOST, SERVER, HOST.upper() + "."):
            said, checks = there.probe(target)
            assert said["state"] == "ok" and said["domain"] == DOMAIN and set(checks) == SEEN, (target, said)
        text = there.run(DOMAIN)
        assert text.returncode == 0 and HOST in text.stdout and "Postfix" in text.stdout and "dns.dkim" in text.stdout, text.stdout
        text = there.run(DOMAIN, language="es")
        assert "no reenvía" in text.stdout and "registro SPF" in text.stdout, text.stdout

        fast = ("--no-relay-test",)
        faults = [
            ({"1.100.51.198.in-addr.arpa": None}, "dns.ptr", "crit", [SERVER, "PTR"]),
            ({"1.100.51.198.in-addr.arpa": [{"PTR": "elsewhere.example"}]}, "dns.ptr.match", "crit", ["elsewhere.example"]),
            ({"1.100.51.198.in-addr.arpa": ["SERVFAIL"]}, "dns.ptr", "unknown", ["servfail"]),
            ({DOMAIN: [{"MX": [10, HOST]}]}, "dns.spf", "crit", ["no SPF record"]),
            ({DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 +all"}]}, "dns.spf", "crit", ["whole world"]),
            ({DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 ip4:192.0.2.1 -all"}]}, "dns.spf", "warn", [SERVER, "fail"]),
            ({DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx -all"}, {"TXT": "v=spf1 -all"}]}, "dns.spf", "crit", ["more than one"]),
            ({"_dmarc." + DOMAIN: None}, "dns.dmarc", "crit", ["no DMARC record"]),
            ({"1.100.51.198." + LIST: [{"A": "127.0.0.2"}]}, "dnsbl", "crit", [SERVER, LIST]),
            ({LIST: ["SERVFAIL"], "1.100.51.198." + LIST: ["SERVFAIL"]}, "dnsbl", "unknown", [LIST]),
            ({DOMAIN: [{"MX": [10, "alias.local.example"]}, {"TXT": "v=spf1 mx -all"}], "alias.local.example": [{"CNAME": HOST}]},
             "dns.mx", "warn", ["alias.local.example", HOST]),
            ({DOMAIN: [{"MX": [10, HOST]}, {"MX": [20, "gone.local.example"]}, {"TXT": "v=spf1 mx -all"}]}, "dns.mx", "crit",
             ["gone.local.example"]),
            ({"_25._tcp." + HOST: [{"TLSA": "3 1 1 " + "ab" * 32}]}, "dns.dane", "crit", ["_25._tcp." + HOST, SERVER]),
            ({"_smtp._tls." + DOMAIN: [{"TXT": "v=TLSRPTv1; rua=nobody"}]}, "dns.tlsrpt", "warn", ["TLSRPTv1"]),
        ]
        for changes, name, state, words in faults:
            there.zone(changes)
            there.expect(name, state, *words, options=fast + ("--port", "25"))
        spki = openssl("x509", "-in", lab.etc / "cert.pem", "-noout", "-pubkey")
        digest = subprocess.run("openssl pkey -pubin -outform DER | sha256sum", shell=True, input=spki, capture_output=True, text=True).stdout
        there.zone({"_25._tcp." + HOST: [{"TLSA": "3 1 1 " + digest.split()[0]}]})
        there.expect("dns.dane", "ok", "matches", options=fast)
        there.zone({"s1._domainkey." + DOMAIN: [{"TXT": "v=DKIM1; p="}]})
        there.expect("dns.dkim", "crit", "s1._domainkey", "revoked", options=fast + ("--selector", "s1"))
        there.expect("dns.dkim", "crit", "not published", options=fast + ("--selector", "s2"))


def test_domains_without_a_server():
    with outside() as (there, lab, _):
        there.zone({"null.example": [{"MX": [0, "."]}], "plain.example": [{"A": SERVER}], "empty.example": [{"TXT": "hello"}],
                    "dead.example": ["TIMEOUT"], "many.example": [{"MX": [number, f"mx{number}.many.example"]} for number in range(20, 0, -1)],
                    **{f"mx{number}.many.example": [{"A": f"198.51.100.{100 + number}"}] for number in range(1, 21)}})
        said, checks = there.expect("dns.mx", "crit", "null MX", target="null.example")
        assert said["null_mx"] and said["hosts"] == [] and "service.smtp.25" not in checks, said
        there.expect("dns.mx", "crit", "does not exist", target="nothing.example")
        there.expect("dns.mx", "crit", "neither an MX nor an address", target="empty.example")
        said, checks = there.expect("dns.mx", "warn", "fall back", target="plain.example")
        assert said["hosts"][0]["addresses"][0]["ip"] == SERVER and checks["service.smtp.25"]["state"] == "ok", said
        said, _ = there.expect("dns.mx", "ok", target="many.example", options=("--timeout", "2s"))
        assert [host["preference"] for host in said["hosts"]] == list(range(1, 9)) and said["hosts_left_out"] == 12, said
        there.dns.mood = "SERVFAIL"
        said, checks = there.expect("dns.mx", "unknown", "servfail")
        assert said["state"] == "unknown" and checks["service.smtp.25"]["state"] == "unknown", said
        there.dns.mood = "TIMEOUT"
        begin = time.monotonic()
        said, checks = there.expect("dns.ptr", "unknown", target=SERVER, options=("--port", "25"))
        assert checks["service.smtp.25"]["state"] == "ok" and time.monotonic() - begin < 15, said

        for words, status in ((["a b"], 65), (["198.51.100"], 65), (["user@local.example"], 65), ([""], 65), ([], 64), (["a.example", "b.example"], 64),
                              ([DOMAIN, "--port", "0"], 64), ([DOMAIN, "--timeout", "x"], 64), ([DOMAIN, "--selector", "a b"], 64),
                              ([DOMAIN, "--nonsense"], 64)):
            done = there.run(*words)
            assert done.returncode == status and not done.stdout and len(done.stderr.splitlines()) <= 2, (words, done)


def test_tls_of_others():
    with outside() as (there, lab, authority):
        authority.give(lab.etc, days=90, age=91)
        reload(lab)
        there.expect("tls.cert.expiry", "crit", "has expired", SERVER)
        authority.give(lab.etc, days=90, age=85)
        reload(lab)
        there.expect("tls.cert.expiry", "crit", "expires in")
        authority.give(lab.etc, host="other.example")
        reload(lab)
        said, checks = there.expect("tls.cert.name", "crit", HOST, "other.example")  # of 465 and 587
        there.expect("tls.cert.name", "warn", HOST, "other.example", options=("--port", "25"))
        authority.give(lab.etc, chain=False)
        reload(lab)
        there.expect("tls.cert.chain", "warn", "Test Intermediate", options=("--port", "25"))
        authority.give(lab.etc)
        set_to(lab, smtpd_tls_protocols=">=TLSv1", smtpd_tls_mandatory_protocols=">=TLSv1", tls_medium_cipherlist="ALL:@SECLEVEL=0")
        said, _ = there.expect("tls.protocol", "warn", "TLSv1", "postconf")
        assert "TLSv1" in said["hosts"][0]["addresses"][0]["ports"][0]["tls"]["versions"], said
        set_to(lab, smtpd_tls_protocols=">=TLSv1.2", smtpd_tls_mandatory_protocols=">=TLSv1.2", smtpd_tls_security_level="none")
        there.expect("tls.starttls", "warn", "does not offer STARTTLS", f"{SERVER}:25", options=("--port", "25"))
        lab.add_login()
        set_to(lab, smtpd_tls_auth_only="no")
        there.expect("tls.starttls", "crit", "passwords in clear", "smtpd_tls_auth_only", options=("--port", "25"))


def test_open_relays_and_firewalls():
    with outside(main_cf="mynetworks = 0.0.0.0/0\n") as (there, lab, _):
        said, _ = there.expect("relay.probe", "crit", "open relay", f"{SERVER}:25", "relay-check")
        assert said["state"] == "crit" and said["hosts"][0]["addresses"][0]["ports"][0]["relay"]["state"] == "accepted", said
        assert "DATA" not in lab.log_text(), "nothing goes beyond RCPT"
        _, checks = there.probe(DOMAIN, "--no-relay-test")
        assert "relay.probe" not in checks, checks
        set_to(lab, mynetworks="", smtpd_relay_restrictions="check_sender_access inline:{local.example=OK}, reject_unauth_destination")
        there.expect("relay.probe", "crit", "own postmaster")
        set_to(lab, smtpd_relay_restrictions="permit_mynetworks, reject_unauth_destination", smtpd_delay_reject="yes",
               smtpd_client_restrictions="check_client_access static:{REJECT no thanks}")
        there.expect("relay.probe", "unknown", "refuses this machine")
        set_to(lab, smtpd_client_restrictions="",
               smtpd_relay_restrictions="check_client_access static:{450 4.2.0 greylisted}, reject_unauth_destination")
        there.expect("relay.probe", "unknown", "greylist")
        set_to(lab, smtpd_relay_restrictions="defer_unauth_destination")
        there.expect("relay.probe", "ok", "Relay access denied")

        subprocess.run(["nft", "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c tcp dport { 25, 143, 993 } drop; "
                        "add rule inet t c tcp dport 587 reject with tcp reset"], check=True)
        there.zone({HOST: [{"A": SERVER}, {"AAAA": "2001:db8:f00::1"}]})
        begin = time.monotonic()
        said, checks = there.expect("service.smtp.25", "crit", f"{SERVER}:25", "does not answer", "ufw allow 25/tcp")
        assert time.monotonic() - begin < 12, "one wait for all ports"
        ports = {port["port"]: port["state"] for port in said["hosts"][0]["addresses"][0]["ports"]}
        assert (ports[25], ports[143], ports[587], ports[465], ports[110]) == ("filtered", "filtered", "closed", "open", "closed"), ports
        assert "service.smtp.587" not in checks and "service.smtp.465" in checks, checks
        assert any("2001:db8:f00::1" in line for line in checks["service.smtp.25"]["evidence"]), checks["service.smtp.25"]


def test_dovecot_from_outside():
    with outside() as (there, lab, authority):
        root = lab.root / "dovecot"
        root.mkdir()
        authority.give(root)
        with Dovecot(root) as dovecot:
            dovecot.ports = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
            dovecot.write(more=f"listen = {SERVER}")
            dovecot.start()
            said, checks = there.probe()
            assert said["state"] == "ok", [check for check in said["checks"] if check["state"] != "ok"]
            for name in ("service.imap.143", "service.imap.993", "service.pop.110", "service.pop.995"):
                assert checks[name]["state"] == "ok", checks[name]
            ports = {port["port"]: port for port in said["hosts"][0]["addresses"][0]["ports"]}
            for number in (143, 993, 110, 995):
                assert ports[number]["software"] == "Dovecot" and "TLSv1.3" in ports[number]["tls"]["versions"], ports[number]
            assert not ports[143]["auth_before_tls"], ports[143]
            dovecot.write(more=f"listen = {SERVER}\ndisable_plaintext_auth = no")
            dovecot.reload()
            there.expect("tls.starttls", "warn", f"{SERVER}:143", "disable_plaintext_auth = yes")
            dovecot.write(more=f"listen = {SERVER}", ssl="no")
            dovecot.reload()
            there.expect("tls.starttls", "warn", f"{SERVER}:143", "ssl = required")


EXIM = says("220 mail.exim.example ESMTP Exim 4.96 Sun, 22 Nov 2026 10:00:00 +0000\r\n",
            "250-mail.exim.example Hello x [203.0.113.66]\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-PIPECONNECT\r\n250 HELP\r\n",
            "250 OK\r\n", "550 relay not permitted\r\n", "250 Reset OK\r\n", "250 OK\r\n", "550 relay not permitted\r\n", "250 Reset OK\r\n", "221 bye\r\n")
EXCHANGE = says("220 EX01.corp.example Microsoft ESMTP MAIL Service ready at Sun, 22 Nov 2026 10:00:00 +0000\r\n",
                "250-EX01.corp.example Hello [203.0.113.66]\r\n250-SIZE 37748736\r\n250-X-ANONYMOUSTLS\r\n250-AUTH NTLM LOGIN\r\n250 XRDST\r\n",
                "250 2.1.0 Sender OK\r\n", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain\r\n", "250 2.0.0 Resetting\r\n",
                "250 2.1.0 Sender OK\r\n", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain\r\n", "250 2.0.0 Resetting\r\n",
                "221 2.0.0 bye\r\n")
HIDDEN_EXIM = says("220 mail ready\r\n", "250-mail Hello x\r\n250 X_PIPE_CONNECT\r\n", "250 OK\r\n", "550 Unrouteable address\r\n", "250 OK\r\n", "250 OK\r\n",
                   "250 Accepted\r\n", "250 OK\r\n", "221 bye\r\n")
INJECTING = says("220 x\r\n", "250 STARTTLS\r\n", "220 go\r\n250 injected\r\n")

# what the server does: (software, where that is known from, check, its state, words)
STRANGE = {
    EXIM: ("Exim", "greeting", "relay.probe", "ok", ""),
    EXCHANGE: ("Exchange", "greeting", "tls.starttls", "crit", "Set-ReceiveConnector"),
    HIDDEN_EXIM: ("Exim", "capabilities", "relay.probe", "crit", "update-exim4.conf"),
    INJECTING: ("", "", "tls.starttls", "crit", "in clear behind"),
    silent: ("", "", "service.smtp.25", "crit", "does not speak"),
    trickle: ("", "", "service.smtp.25", "crit", "does not speak"),
    closing: ("", "", "service.smtp.25", "crit", "does not speak"),
    endless: ("", "", "service.smtp.25", "crit", "does not speak"),
    one_line: ("", "", "service.smtp.25", "crit", "does not speak"),
    binary: ("", "", "service.smtp.25", "crit", "does not speak"),
    says("554 5.7.1 \x1b[31mgo away\x07\r\n"): ("", "", "service.smtp.25", "crit", "go away"),
    says("421 4.3.2 later\r\n"): ("", "", "service.smtp.25", "crit", "421 4.3.2 later"),
    says("* OK this is IMAP\r\n"): ("", "", "service.smtp.25", "crit", "does not speak"),
    says("220 \x1b]0;title\x07 \x9b31m mail\r\n", "250 \x1b[2Jx\r\n"): ("", "", "service.smtp.25", "ok", ""),
}


def test_other_servers_and_hostile_ones():
    with outside(master_cf="") as (there, lab, _):
        with there.wire.at("stranger"), StrangeServer() as server:
            for serve, (software, sign, name, state, word) in STRANGE.items():
                server.serve = serve
                begin = time.monotonic()
                said, checks = there.probe("127.0.0.1", "--port", str(server.port), "--timeout", "1s")
                assert time.monotonic() - begin < 3, (serve, said)
                (port,) = said["hosts"][0]["addresses"][0]["ports"]
                assert (port["software"], port["software_from"]) == (software, sign), port
                found = checks[name]
                assert found["state"] == state and word in found["summary"] + found["cause"] + found["fix"], found
                assert not any(ord(c) < 32 for check in said["checks"] for key in ("summary", "cause", "fix") for c in check[key]), said
            server.serve = EXIM
            said, checks = there.probe("localhost", "--port", str(server.port))
            assert said["hosts"][0]["addresses"][0]["ip"] == "127.0.0.1" and checks["relay.probe"]["state"] == "ok", said
            assert "dns.ptr" not in checks and "dns.ptr.match" not in checks, checks
            server.serve = says("220 \x1b]0;title\x07 \x9b31m mail\r\n", "250 \x1b[2Jx\r\n")
            text = there.run("127.0.0.1", "--port", str(server.port), "--timeout", "2s").stdout
            assert not any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in text), repr(text)
