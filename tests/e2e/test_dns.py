"""The checks of DNS, blocklists and the bulk senders' rules: each fault is made in a zone, found, and mended as the fix says.

Postfix is not started where only its configuration counts."""
import contextlib
import hashlib
import http.server
import json
import re
import ssl
import subprocess
import threading
import time

from dns_server import DnsServer, Zone
from lab import BUILD, OWN, OWN_ADDRESS as ADDRESS, SOUND_ZONE as SOUND, Lab, free_port, wait_until
from run import quick
from wire import SERVER, SERVER6, Wire

PTR = "25.2.0.192.in-addr.arpa"
HOST, DOMAIN = "mail.local.example", "local.example"
DMARC = "v=DMARC1; p=none; rua=mailto:postmaster@local.example"
IDS = ["dns.resolver", "dns.a", "dns.aaaa", "dns.mx", "dns.ptr", "dns.ptr.match", "dns.spf", "dns.dkim", "dns.dmarc", "dns.mtasts",
       "dns.tlsrpt", "dns.dane", "dnsbl.self", "bulk.sender"]


class World(Lab):
    """A lab whose zone is the sound one with changes; a name that is None is taken out."""

    def __init__(self, conf=OWN, zone=SOUND, **more):
        self.sound = zone
        super().__init__(conf=conf, zone=zone, **more)

    def change(self, changes=None):
        records = {**self.sound, **(changes or {})}
        self.dns.zone = Zone({name: entries for name, entries in records.items() if entries is not None})
        return self

    def check(self, name):
        return self.mailguard.json("check", name)["checks"][0]

    def expect(self, name, state, *words):
        found = self.check(name)
        text = " ".join([found["summary"], found["cause"], found["fix"], *found["evidence"]])
        assert found["state"] == state, (name, state, found)
        assert found["manual"], found
        if state != "ok":
            assert found["cause"] and found["fix"], found
        assert all(word in text for word in words), (words, found)
        assert not re.search(r"[\x00-\x1f\x7f]", text), found
        return found

    def type_in(self, found):
        """Types the record that the fix prints into the zone, in place of what is there of its name and type."""
        line = re.search(r"(\S+)\. IN (TXT|A|AAAA|MX|TLSA) (.+)$", found["fix"])
        assert line, found["fix"]
        name, kind, value = line.groups()
        if kind == "TXT":
            strings = re.findall(r'"([^"]*)"', value)
            assert strings and all(len(text) <= 255 for text in strings), value
            record = {"TXT": strings}
        elif kind == "MX":
            number, target = value.split()
            record = {"MX": [int(number), target.rstrip(".")]}
        else:
            record = {kind: value}
        tag = strings[0].split("=")[1][:4] if kind == "TXT" else ""
        kept = [entry for entry in self.dns.zone.names.get(name, []) if not (
            isinstance(entry, dict) and kind in entry and (kind != "TXT" or tag in str(entry["TXT"])))]
        self.dns.zone.names[name] = kept + [record]


@quick
def test_a_sound_zone_has_no_findings():
    with World() as lab:
        for name in IDS:
            lab.expect(name, "ok")
        for name in ("dns.aaaa", "dns.dkim", "dns.mtasts", "dns.tlsrpt", "dns.dane", "dnsbl.self"):
            assert lab.check(name)["summary"].startswith("not applicable"), name
        general = {check["id"]: check for check in lab.mailguard.json("check")["checks"]}
        assert "dns.dane" not in general and "dns.aaaa" not in general, list(general)
        assert all(general[name]["state"] == "ok" for name in ("dns.a", "dns.mx", "dns.spf", "dns.dmarc", "dns.resolver")), general


FAULTS = [  # check, changes, state, words; True: the record that the fix prints mends it
    ("dns.a", {HOST: None}, "crit", [HOST, "no such name", ADDRESS], True),
    ("dns.a", {HOST: [{"TXT": "x"}]}, "crit", ["no such record"], True),
    ("dns.a", {HOST: [{"A": "203.0.113.9"}]}, "crit", ["203.0.113.9", ADDRESS], True),
    ("dns.a", {HOST: [{"A": "10.0.0.5"}]}, "crit", ["private"], True),
    ("dns.a", {HOST: [{"A": ADDRESS}, {"A": "203.0.113.9"}]}, "warn", ["203.0.113.9"], True),
    ("dns.aaaa", {HOST: [{"A": ADDRESS}, {"AAAA": "2001:db8::99"}]}, "warn", ["2001:db8::99"], False),
    ("dns.mx", {DOMAIN: [{"TXT": "v=spf1 mx -all"}]}, "crit", ["no MX", f"{DOMAIN}. IN MX 10 {HOST}."], True),
    ("dns.mx", {DOMAIN: [{"A": ADDRESS}]}, "warn", ["no MX"], True),
    ("dns.mx", {DOMAIN: [{"MX": [0, "."]}]}, "crit", ["null MX"], True),
    ("dns.mx", {DOMAIN: [{"MX": [10, "gone.local.example"]}]}, "crit", ["gone.local.example", "no address"], True),
    ("dns.mx", {DOMAIN: [{"MX": [10, "192.0.2.25"]}]}, "crit", ["never an address"], True),
    ("dns.mx", {DOMAIN: [{"MX": [10, "mx.other.example"]}], "mx.other.example": [{"A": "203.0.113.1"}]}, "crit",
     ["mx.other.example", "203.0.113.1"], True),
    ("dns.mx", {DOMAIN: [{"MX": [5, "mx.other.example"]}, {"MX": [10, HOST]}], "mx.other.example": [{"A": "203.0.113.1"}]}, "warn",
     ["IN MX 4"], True),
    ("dns.mx", {DOMAIN: [{"MX": [10, "mx.local.example"]}], "mx.local.example": [{"CNAME": HOST}]}, "warn", ["alias", "RFC 2181"], True),
    ("dns.ptr", {PTR: None}, "crit", [ADDRESS, "5.7.25", HOST], False),
    ("dns.ptr", {PTR: [{"PTR": "192-0-2-25.dyn.isp.example"}]}, "warn", ["192-0-2-25.dyn.isp.example", "provider"], False),
    ("dns.ptr", {PTR: [{"PTR": "static.25.2.0.192.clients.isp.example"}]}, "warn", ["static.25"], False),
    ("dns.ptr.match", {PTR: [{"PTR": "other.local.example"}]}, "crit", ["other.local.example"], False),
    ("dns.ptr.match", {PTR: [{"PTR": "other.local.example"}], "other.local.example": [{"A": ADDRESS}]}, "warn",
     ["other.local.example", "postconf -e myhostname=other.local.example"], False),
    ("dns.ptr.match", {HOST: [{"A": "203.0.113.9"}]}, "crit", ["does not lead back"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}]}, "crit", ["no SPF", '"v=spf1 mx -all"'], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx -all"}, {"TXT": "v=spf1 -all"}]}, "crit", ["more than one"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 ip4:203.0.113.9 -all"}]}, "crit", ["ip4:192.0.2.25", "fail"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx +all"}]}, "crit", ["whole world"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx all"}]}, "crit", ["whole world"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx ?all"}]}, "warn", ["?all"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx"}]}, "warn", ["-all"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx ipv4:192.0.2.1 -all"}]}, "crit", ["ipv4:192.0.2.1"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx ip4:0.0.0.0/0 -all"}]}, "crit", ["ip4:0.0.0.0/0"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 " + " ".join(f"a:h{i}.local.example" for i in range(11)) + " mx -all"}],
                 **{f"h{i}.local.example": [{"A": f"203.0.113.{i}"}] for i in range(11)}}, "crit", ["10"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 mx " + " ".join(f"a:h{i}.local.example" for i in range(7)) + " -all"}],
                 **{f"h{i}.local.example": [{"A": f"203.0.113.{i}"}] for i in range(7)}}, "warn", ["8 look-ups"], True),
    ("dns.spf", {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 a:x1.local.example a:x2.local.example a:x3.local.example mx -all"}]}, "crit",
     ["void"], True),
    ("dns.dmarc", {"_dmarc." + DOMAIN: None}, "crit", [f'_dmarc.{DOMAIN}. IN TXT "{DMARC}"'], True),
    ("dns.dmarc", {"_dmarc." + DOMAIN: [{"TXT": "v=DMARC1; p=none"}]}, "warn", ["rua"], True),
    ("dns.dmarc", {"_dmarc." + DOMAIN: [{"TXT": "v=DMARC1 p=none"}]}, "crit", ["v=DMARC1;"], True),
    ("dns.dmarc", {"_dmarc." + DOMAIN: [{"TXT": "v=DMARC1; p=nothing"}]}, "crit", ["p=none"], True),
    ("dns.dmarc", {"_dmarc." + DOMAIN: [{"TXT": DMARC}, {"TXT": "v=DMARC1; p=reject"}]}, "crit", ["more than one"], True),
    ("dns.dmarc", {"_dmarc." + DOMAIN: [{"TXT": "v=DMARC1; p=reject; rua=mailto:d@other.example"}]}, "warn",
     ["other.example", f"{DOMAIN}._report._dmarc.other.example"], True),
    ("dns.tlsrpt", {"_smtp._tls." + DOMAIN: [{"TXT": "v=TLSRPTv1; rua=postmaster@local.example"}]}, "warn", ["RFC 8460"], True),
    ("dns.mtasts", {"_mta-sts." + DOMAIN: [{"TXT": "v=STSv1; id=2024-01-01"}]}, "warn", ["id"], False),
    ("dns.mtasts", {"_mta-sts." + DOMAIN: [{"TXT": "v=STSv1; id=20240101"}]}, "warn", ["mta-sts.local.example", "does not exist"], False),
    ("bulk.sender", {"_dmarc." + DOMAIN: None}, "warn", ["DMARC", "Gmail"], True),
    ("bulk.sender", {PTR: None}, "warn", ["PTR"], False),
]


def test_faults_in_the_zone_are_found_and_mended_as_printed():
    with World() as lab:
        for name, changes, state, words, is_mended in FAULTS:
            lab.change(changes)
            found = lab.expect(name, state, *words)
            if is_mended:
                lab.type_in(found)
                lab.expect(name, "ok")


def test_one_fault_is_one_finding():
    with World() as lab:
        for changes, root in [({HOST: None}, "dns.a"), ({PTR: None}, "dns.ptr"), ({"_dmarc." + DOMAIN: None}, "dns.dmarc"),
                              ({DOMAIN: [{"MX": [10, "gone.local.example"]}, {"TXT": "v=spf1 mx -all"}]}, "dns.mx")]:
            lab.change(changes)
            bad = [check for check in lab.mailguard.json("check")["checks"] if check["state"] in ("warn", "crit")]
            mine = [check for check in bad if check["id"].startswith(("dns", "bulk"))]
            assert [check["id"] for check in mine if not check.get("root")] == [root], (root, mine)
            assert all(check.get("root") in (None, root) for check in mine), mine


def test_without_an_answer_nothing_is_concluded():
    key_row = f'dkim = ( {{ domain = "{DOMAIN}"; selector = "s1"; }} );'
    with World(OWN.replace("health = {", "health = { " + key_row)) as lab:
        everything = {name: ["SERVFAIL"] for name in [HOST, DOMAIN, PTR, "_dmarc." + DOMAIN, "_mta-sts." + DOMAIN,
                                                        "_smtp._tls." + DOMAIN, "s1._domainkey." + DOMAIN, "_25._tcp." + HOST]}
        lab.change(everything)
        for name in IDS:
            if name not in ("dns.resolver", "dnsbl.self"):
                lab.expect(name, "unknown", "mailguardctl check dns.resolver")


def test_domains_are_postfixs_own_unless_named():
    zone = {**SOUND, "named.example": [{"MX": [10, HOST]}]}
    with World(zone=zone, main_cf="mydestination = $myhostname, localhost.$mydomain, localhost, second.example, lan\n"
                                  "virtual_alias_domains = texthash:{etc}/alias_domains\nrelay_domains = others.example\n") as lab:
        (lab.etc / "alias_domains").write_text("third.example x\ninfo@fourth.example ann@local.example\n")
        found = lab.check("dns.mx")
        asked = {name for name in lab.dns.questions("MX")}
        assert asked == {"local.example", "second.example", "third.example"}, asked
        assert found["state"] == "crit", found
        lab.write_conf('health = { domains = ( "named.example" ); public_addresses = ( "192.0.2.25" ); };')
        lab.expect("dns.mx", "ok", "named.example")


def test_addresses_are_the_interfaces_or_what_the_zone_says():
    main_cf = "inet_protocols = all\ninet_interfaces = all\n"
    host = [{"A": SERVER}, {"AAAA": SERVER6}]
    with Wire() as wire, wire.at("server"), World(conf="", main_cf=main_cf) as lab:
        lab.change({HOST: host}).expect("dns.a", "ok", SERVER)
        lab.expect("dns.aaaa", "ok", SERVER6)
        lab.expect("dns.ptr", "crit", SERVER)
        lab.change().expect("dns.a", "crit", ADDRESS, SERVER)
        lab.change({HOST: [{"A": SERVER}, {"AAAA": "2001:db8::9"}]}).expect("dns.aaaa", "warn", f"IN AAAA {SERVER6}")
        (lab.etc / "main.cf").open("a").write(f"smtp_bind_address = {SERVER}\ninet_protocols = ipv4\n")
        lab.age()
        lab.change({PTR: None, "1.100.51.198.in-addr.arpa": [{"PTR": HOST}], HOST: host}).expect("dns.ptr.match", "ok")
    with Wire() as wire, wire.at("stranger"):
        subprocess.run(["ip", "address", "flush", "scope", "global"], check=True)  # a machine without a public address
        with World(conf="", main_cf=main_cf) as lab:
            lab.expect("dns.a", "ok", "as the zone says")
            lab.expect("dns.ptr.match", "ok", ADDRESS)
            lab.expect("dns.spf", "ok", f"{ADDRESS}: pass")
            lab.change({PTR: None}).expect("dns.ptr", "crit", ADDRESS)
            lab.change({HOST: None}).expect("dns.a", "crit")
            lab.expect("dns.ptr", "unknown", "public_addresses")
        with World(conf="", main_cf=main_cf + "relayhost = [smart.example]:587\n") as lab:
            lab.change({PTR: None}).expect("dns.ptr", "ok", "not applicable", "relayhost")


def test_greeting_and_helo_are_the_hosts_name():
    with World(main_cf="smtpd_banner = other.example ESMTP\n") as lab:
        lab.expect("dns.ptr.match", "warn", "other.example", "smtpd_banner")
    with World(main_cf="smtp_helo_name = other.example\n") as lab:
        lab.expect("dns.ptr.match", "warn", "other.example", "smtp_helo_name")


def test_a_signing_key_is_the_published_one():
    with World() as lab:
        keys = {}
        for name, words in {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "short": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
                            "other": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ed": ["ED25519"]}.items():
            path = lab.etc / f"{name}.pem"
            subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", *words, "-out", path], check=True, capture_output=True)
            keys[name] = path
        record = "s1._domainkey." + DOMAIN

        def sign_with(key):
            lab.write_conf(OWN.replace("health = {", f'health = {{ dkim = ( {{ domain = "{DOMAIN}"; selector = "s1"; key_file = "{key}"; }} );'))

        sign_with(keys["rsa"])
        found = lab.expect("dns.dkim", "crit", record, "not published", "v=DKIM1; k=rsa; p=")
        lab.type_in(found)
        lab.expect("dns.dkim", "ok", "2048 bits")
        lab.expect("bulk.sender", "ok")
        published = lab.dns.zone.names[record]
        sign_with(keys["other"])
        found = lab.expect("dns.dkim", "crit", "not the one that signs", str(keys["other"]))
        assert lab.expect("bulk.sender", "warn", "DKIM")["fix"] == found["fix"]
        lab.type_in(found)
        lab.expect("dns.dkim", "ok")
        for key in ("ed", "short"):
            sign_with(keys[key])
            lab.type_in(lab.expect("dns.dkim", "crit", "not the one that signs"))
            lab.expect("dns.dkim", "ok" if key == "ed" else "warn", "Ed25519" if key == "ed" else "2048")
        sign_with(keys["rsa"])
        text = "".join(published[0]["TXT"])
        for wrong, state, word in [("v=DKIM1; k=rsa; p=", "crit", "revoked"), (text[:200], "crit", "can't be read"),
                                   ("hello", "crit", "no DKIM key"), (text.replace("k=rsa", "k=rsa; t=y"), "warn", "test"),
                                   (text.replace("k=rsa", "k=rsa; s=tlsrpt"), "crit", "not for mail")]:
            lab.change({record: [{"TXT": wrong}]})
            found = lab.expect("dns.dkim", state, word)
            lab.dns.zone.names[record] = []
            lab.type_in(found)
            lab.expect("dns.dkim", "ok")
        lab.change({record: [{"TXT": text}, {"TXT": text}]})
        lab.expect("dns.dkim", "warn", "more than one")
        sign_with(lab.etc / "gone.pem")
        lab.change({record: [{"TXT": text}]})
        lab.expect("dns.dkim", "unknown", "no such file")


def test_nameservers_are_asked_one_by_one():
    dead = f"127.0.0.1:{free_port()}"
    with World() as lab, DnsServer(SOUND) as second:
        def use(*servers):
            lab.write_conf(OWN)
            text = lab.conf.read_text()
            quoted = ", ".join(f'"{server}"' for server in servers)
            lab.conf.write_text(re.sub(r"servers = \(.*?\)", f"servers = ( {quoted} )", text))

        use(lab.dns.address, second.address)
        lab.expect("dns.resolver", "ok", second.address)
        use(lab.dns.address, dead)
        lab.expect("dns.resolver", "warn", dead, "does not answer", "dns.servers")
        second.delay_s = 0.6
        use(lab.dns.address, second.address)
        found = lab.expect("dns.resolver", "warn", second.address, "slowly")
        assert 600 <= found["value"] < 1000, found
        second.delay_s = 0
        use(lab.dns.address)
        for mood, word in (("SERVFAIL", "SERVFAIL"), ("REFUSED", "REFUSED"), ("TIMEOUT", "nothing comes back")):
            lab.dns.mood = mood
            lab.expect("dns.resolver", "crit", word)
        lab.dns.mood = ""
        script = 'printf "%s" "$1" > "$2" && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'
        lab.conf.write_text(re.sub(r"servers = \(.*?\);", "", lab.conf.read_text()))

        def with_resolv_conf(text):
            done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", text, lab.etc / "resolv.conf", BUILD / "mailguardctl", "-c",
                                   lab.conf, "check", "dns.resolver", "--json"], capture_output=True, text=True, timeout=30)
            return json.loads(done.stdout)["checks"][0]

        found = with_resolv_conf("search example\n")
        assert found["state"] == "crit" and "unbound" in found["fix"], found
        found = with_resolv_conf("nameserver 127.0.0.9\n")  # port 53: nobody is there
        assert found["state"] == "crit" and "127.0.0.9" in found["evidence"][0] and "/etc/resolv.conf" in found["fix"], found
        use(dead)
        general = {check["id"]: check for check in lab.mailguard.json("check")["checks"]}
        assert general["dns.resolver"]["state"] == "crit", general["dns.resolver"]
        assert all(check["state"] == "unknown" for name, check in general.items() if name.startswith("dns.") and name != "dns.resolver")
        lab.expect("dns.mx", "unknown")


def test_hostile_answers_end_in_time():
    many = {DOMAIN: [{"MX": [i, f"m{i}.local.example"]} for i in range(1, 201)] + [{"TXT": "v=spf1 mx -all"}],
            **{f"m{i}.local.example": [{"A": f"198.51.100.{i}"}] for i in range(1, 201)}}
    huge = {DOMAIN: [{"MX": [10, HOST]}, {"TXT": "v=spf1 " + "a" * 60000}]}
    loop = {HOST: [{"CNAME": "b.local.example"}], "b.local.example": [{"CNAME": HOST}]}
    ugly = {PTR: [{"PTR": "a\x1b[31m\nb.local.example"}]}
    with World() as lab:
        begun = time.monotonic()
        lab.change(many).expect("dns.mx", "crit", "200 MX records")
        lab.expect("dns.spf", "crit")
        lab.change(huge).expect("dns.spf", "unknown")
        lab.change(loop)
        assert lab.check("dns.a")["state"] in ("unknown", "crit")
        assert lab.check("dns.mx")["state"] in ("unknown", "crit")
        lab.change(ugly).expect("dns.ptr.match", "crit", "a?[31m?b.local.example")
        lab.change({"_dmarc." + DOMAIN: [{"TXT": "v=DMARC1; p=none; rua=" + ",".join(f"mailto:x@h{i}.example" for i in range(400))}]})
        lab.expect("dns.dmarc", "warn")
        assert time.monotonic() - begun < 30


def test_own_address_on_a_list():
    lists = 'auth = { dnsbl = ( "bl.test.example", { zone = "white.test.example"; weight = -1; } ); };'
    name = "25.2.0.192.bl.test.example"
    with World(OWN + lists) as lab:
        lab.expect("dnsbl.self", "ok")
        for code, state, words in [("127.0.0.2", "crit", ["bl.test.example", "spam"]), ("127.0.0.4", "crit", []), ("127.0.0.9", "crit", []),
                                   ("127.0.0.10", "warn", ["policy list"]), ("127.0.0.11", "warn", ["PTR"]),
                                   ("127.255.255.254", "unknown", ["127.255.255.254", "refuses"]), ("203.0.113.1", "unknown", [])]:
            lab.change({name: [{"A": code}]}).expect("dnsbl.self", state, ADDRESS, *words)
        lab.change({name: [{"A": "127.0.0.10"}, {"A": "127.0.0.4"}]}).expect("dnsbl.self", "crit")
        lab.change({name: ["SERVFAIL"]}).expect("dnsbl.self", "unknown", "no answer")
        lab.change({name: [{"A": "127.0.0.2"}], "1.0.0.127.bl.test.example": [{"A": "127.0.0.2"}]})
        lab.expect("dnsbl.self", "unknown", "lists everybody")
        lab.change({"25.2.0.192.white.test.example": [{"A": "127.0.0.2"}]}).expect("dnsbl.self", "ok")


def make_certificate(place, name, issuer=None):
    """A certificate for `name` in place/NAME.pem, signed by `issuer` or itself."""
    key, cert = place / f"{name}.key", place / f"{name}.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-keyout", key,
             "-out", cert, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    if issuer:
        words += ["-CA", place / f"{issuer}.pem", "-CAkey", place / f"{issuer}.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(words, check=True, capture_output=True)
    return cert, key


def test_tlsa_is_of_the_certificate():
    record = "_25._tcp." + HOST
    with World(main_cf="smtpd_tls_cert_file = {etc}/mail.local.example.pem\nsmtpd_tls_key_file = {etc}/mail.local.example.key\n") as lab:
        cert, _ = make_certificate(lab.etc, HOST)
        der = subprocess.run(["openssl", "x509", "-in", cert, "-outform", "DER"], check=True, capture_output=True).stdout
        right = hashlib.sha256(der).hexdigest()
        lab.change({record: [{"TLSA": "3 0 1 " + right}]}).expect("dns.dane", "ok", "DNSSEC")
        lab.change({record: [{"TLSA": "3 0 1 " + "00" * 32}, {"TLSA": "3 0 2 " + hashlib.sha512(der).hexdigest()}]}).expect("dns.dane", "ok")
        lab.change({record: [{"TLSA": "3 0 0 " + der.hex()}]}).expect("dns.dane", "ok")
        found = lab.change({record: [{"TLSA": "3 1 1 " + "00" * 32}]}).expect("dns.dane", "crit", str(cert), "3 1 1")
        lab.type_in(found)
        lab.expect("dns.dane", "ok")
        make_certificate(lab.etc, HOST)  # renewed, the record forgotten
        lab.expect("dns.dane", "crit")
        for useless in ("1 0 1 " + right, "3 0 1 abcd"):
            lab.change({record: [{"TLSA": useless}]}).expect("dns.dane", "warn", "RFC 7672")
        cert.unlink()
        lab.change({record: [{"TLSA": "3 1 1 " + "00" * 32}]}).expect("dns.dane", "unknown", str(cert))
    with World(zone={**SOUND, record: [{"TLSA": "3 1 1 " + "00" * 32}]}) as lab:
        lab.expect("dns.dane", "crit", "no certificate")


class Policy(http.server.BaseHTTPRequestHandler):
    status, text = 200, b""

    def do_GET(self):
        self.send_response(Policy.status)
        if Policy.status == 301:
            self.send_header("Location", "https://mta-sts.local.example/elsewhere")
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(Policy.text)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def https_server(address, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = http.server.ThreadingHTTPServer((address, 443), Policy)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def check_trusting(lab, authority, name):
    """The check, in a mount namespace where the system trusts `authority` alone."""
    script = 'mount --bind "$1" /etc/ssl/certs/ca-certificates.crt && shift && exec "$@"'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", authority, BUILD / "mailguardctl", "-c", lab.conf, "check", name, "--json"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    return json.loads(done.stdout)["checks"][0]


def test_mta_sts_policy_is_fetched_and_names_every_mx():
    announced = {"_mta-sts." + DOMAIN: [{"TXT": "v=STSv1; id=20240101"}], "mta-sts." + DOMAIN: [{"A": SERVER}]}
    lines = "version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: {age}\r\n"
    with Wire() as wire, wire.at("server"), World(zone={**SOUND, **announced}) as lab:
        make_certificate(lab.etc, "authority")
        name = "mta-sts." + DOMAIN

        def serve(status=200, mode="enforce", mx=HOST, age=604800, text=None):
            Policy.status, Policy.text = status, text or lines.format(mode=mode, mx=mx, age=age).encode()
            return check_trusting(lab, lab.etc / "authority.pem", "dns.mtasts")

        assert serve()["state"] == "unknown"  # nobody listens
        with https_server(SERVER, *make_certificate(lab.etc, name, "authority")):
            for state, word, how in [("ok", "", {}), ("ok", "", {"mx": "*.local.example"}), ("ok", "", {"mode": "none", "mx": "x"}),
                                     ("crit", HOST, {"mx": "old.local.example"}), ("warn", HOST, {"mx": "old.local.example", "mode": "testing"}),
                                     ("warn", "max_age", {"age": 60}), ("warn", "404", {"status": 404}), ("warn", "301", {"status": 301}),
                                     ("warn", "version", {"text": b"hello"}), ("warn", "64 KiB", {"text": b"mx: a\n" * 20000})]:
                found = serve(**how)
                assert found["state"] == state and word in json.dumps(found), (state, how, found)
                assert state == "ok" or (found["fix"] and found["cause"]), found
            found = serve(mx="old.local.example")
            assert f'"mx: {HOST}"' in found["fix"] and "_mta-sts.local.example. IN TXT" in found["fix"], found
            assert lab.check("dns.mtasts")["state"] == "warn"  # the system does not know this authority
            assert "verify" in lab.check("dns.mtasts")["cause"]


def test_bulk_rules_are_judged_by_what_was_sent():
    sink_port = free_port()
    conf = OWN.replace("thresholds = {", 'thresholds = { "bulk.sender" = { crit = 3; };')
    with World(conf, main_cf="mynetworks = 127.0.0.0/8\nsmtp_tls_security_level = may\n") as lab:
        with (lab.etc / "transport").open("a") as transport:
            transport.write(f"gmail.com smtp:[127.0.0.1]:{sink_port}\n")
        sink = subprocess.Popen(["smtp-sink", "-u", "postfix", f"127.0.0.1:{sink_port}", "20"], stderr=subprocess.DEVNULL)
        try:
            lab.start()
            lab.change({"_dmarc." + DOMAIN: None})
            lab.expect("bulk.sender", "warn", "DMARC")
            with contextlib.closing(lab.smtp()) as client:
                for i in range(3):
                    assert lab.send("ann@local.example", f"to{i}@gmail.com", client=client)[0] == 250
            wait_until("they are sent", lambda: lab.log_text().count("status=sent") >= 3)
            found = wait_until("the record tells it", lambda: (lambda check: check["state"] == "crit" and check)(lab.check("bulk.sender")))
            assert found["value"] == 3 and "to Gmail 3" in " ".join(found["evidence"]), found
            lab.type_in(found)
            lab.expect("bulk.sender", "unknown", "health.dkim")
        finally:
            sink.kill()
            sink.wait()
