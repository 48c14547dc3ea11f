"""mailguardctl's contract: exit statuses, JSON, languages."""
import json
import os
import pathlib
import subprocess
import tempfile

from dns_server import DnsServer
from lab import OWN, SOUND_ZONE, BUILD, Lab, queue_id_of, wait_until
from run import quick


@quick
def test_without_a_daemon():
    with tempfile.TemporaryDirectory() as directory:
        conf = pathlib.Path(directory, "mailguard.conf")
        conf.write_text(f'control = {{ listen = "unix:{directory}/none.sock"; }};\n'
                        f'postfix = {{ config_directory = "{directory}/none"; }};\n'
                        f'milter = {{ listen = "unix:{directory}/m.sock"; }}; policy = {{ listen = "unix:{directory}/p.sock"; }};\n')

        def ctl(*words):
            return subprocess.run([BUILD / "mailguardctl", "-c", conf, *words], capture_output=True, text=True, timeout=60)
        for words in (["status"], ["recent"], ["trace", "X"], ["reload"], ["status", "--json"]):
            done = ctl(*words)
            assert done.returncode == 3 and done.stdout == "" and len(done.stderr.splitlines()) == 1, (words, done)
        done = ctl("check", "--json")
        report = json.loads(done.stdout)
        assert done.returncode == 2 and report["state"] == "crit"
        states = {check["id"]: check["state"] for check in report["checks"]}
        assert states["self.milter"] == states["self.policy"] == "crit" and states["journal.write"] == "unknown"
        assert json.loads(ctl("version", "--json").stdout)["daemon"] == ""
        for words in (["nothing"], ["statuss"], [], ["recent", "--since", "x"], ["recent", "--verdict", "maybe"],
                      ["recent", "--limit", "0"], ["check", "no.such"], ["trace"], ["wire", "--apply", "--undo"],
                      ["status", "extra"], ["recent", "--client", "300.1.1.1"]):
            done = ctl(*words)
            assert done.returncode == 64 and done.stderr, (words, done)
        for words in (["--help"], ["status", "--help"], ["recent", "--help"]):
            done = ctl(*words)
            assert done.returncode == 0 and done.stdout.startswith("Usage:"), (words, done)
        listed = json.loads(ctl("check", "--list", "--json").stdout)["checks"]
        assert {"wiring.milter", "journal.write", "log.reader", "self.milter"} <= {check["id"] for check in listed}


@quick
def test_json_shapes_and_filters():
    with Lab() as lab:
        lab.add_login()
        lab.start()
        login = ("ann@mail.local.example", "correct horse")
        first = queue_id_of(lab.send("zoe@stranger.example", "ann@local.example", address="203.0.113.66", message_id="m1@x")[1])
        lab.send("spam@other.example", "victim@foreign.example", address="198.51.100.77")
        third = queue_id_of(lab.send("ann@local.example", "bob@local.example", login=login)[1])
        lab.record(lambda t: t["queue_id"] == third and t["recipients"][0]["delivery"] == "sent")
        status = lab.mailguard.json("status")
        assert set(status) >= {"state", "version", "mode", "uptime_s", "wiring", "transactions", "checks"}
        counts = status["transactions"]
        assert counts["total"] == 3 == sum(counts[k] for k in ("accepted", "rejected", "tempfailed", "quarantined", "discarded"))
        for check in status["checks"]:
            assert set(check) >= {"id", "state", "summary", "cause", "fix", "value", "unit", "since", "evidence"}, check
        txn = lab.recent()[0]
        assert set(txn) >= {"id", "time", "queue_id", "client", "sender", "recipients", "from_domain", "size", "auth", "relay",
                            "verdict", "latency_us"}
        assert set(txn["auth"]) == {"iprev", "spf", "dkim", "arc", "dmarc"}
        assert set(txn["verdict"]) >= {"action", "would", "code", "text", "rule"}
        assert set(txn["recipients"][0]) >= {"address", "verdict", "delivery", "dsn", "reply"}

        def found(*words):
            return [t["sender"] for t in lab.recent(*words)]
        assert found() == ["ann@local.example", "spam@other.example", "zoe@stranger.example"], "newest first"
        assert found("--verdict", "reject") == ["spam@other.example"]
        assert found("--client", "203.0.113.0/24") == ["zoe@stranger.example"]
        assert found("--client", "198.51.100.77") == ["spam@other.example"]
        assert found("--sender", "ZOE@stranger.example") == ["zoe@stranger.example"]
        assert found("--user", login[0]) == ["ann@local.example"]
        assert found("--limit", "1") == ["ann@local.example"]
        assert found("--since", "1h") == found() and found("--verdict", "discard") == []
        for what in (first, "m1@x", "<m1@x>", "ann@local.example", "203.0.113.66"):
            story = lab.mailguard.json("trace", what)
            assert first in [t["queue_id"] for t in story["transactions"]], what
            assert all(set(e) >= {"time", "stage", "text"} for e in story["events"])
        unknown = lab.mailguard.ctl("trace", "NOSUCHID", "--json")
        assert unknown.returncode == 1 and json.loads(unknown.stdout) == {"transactions": [], "events": []}


def test_spanish_and_json_in_every_locale():
    with Lab(OWN, zone=SOUND_ZONE) as lab:
        lab.start()
        lab.send("zoe@stranger.example", "ann@local.example", address="203.0.113.66")
        lab.record(lambda t: t["recipients"][0]["delivery"] == "sent")
        wait_until("checked wiring", lambda: lab.mailguard.json("status")["wiring"]["milter"])
        wait_until("Postfix's ports are seen to answer", lambda: lab.mailguard.json("status")["state"] != "crit")
        spanish = lab.mailguard.ctl("status", language="es").stdout
        assert "todo está bien" in spanish.lower() or "funciona, con avisos" in spanish.lower(), spanish  # the lab is without TLS
        assert "accepted" not in spanish and "fine" not in spanish
        story = lab.mailguard.ctl("trace", "ann@local.example", language="es").stdout
        assert "connected" not in story and "conect" in story, story
        plain = lab.mailguard.json("check")
        for language in ("es", "tr"):
            other = json.loads(lab.mailguard.ctl("check", "--json", language=language).stdout)
            assert [c["summary"].split()[0] for c in other["checks"]] == [c["summary"].split()[0] for c in plain["checks"]]
        assert "\x1b" not in spanish


def test_only_the_entitled_may_change_state():
    with Lab() as lab:
        lab.mailguard.start()
        lab.run.chmod(0o755)
        (lab.run / "control.sock").chmod(0o666)
        lab.conf.chmod(0o644)

        def as_nobody(*words):
            return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", BUILD / "mailguardctl",
                                   "--socket", str(lab.run / "control.sock"), *words], capture_output=True, text=True, timeout=60)
        assert as_nobody("status", "--json").returncode in (0, 1, 2)
        refused = as_nobody("reload")
        assert refused.returncode == 77 and len(refused.stderr.splitlines()) == 1, refused
        (lab.run / "control.sock").chmod(0o660)
        closed = as_nobody("status")
        assert closed.returncode == 77 and closed.stdout == "", closed


def test_status_works_with_a_broken_configuration_file():
    with Lab() as lab:
        lab.mailguard.start()
        lab.conf.write_text(lab.conf.read_text() + "\nmilter = {")
        done = lab.mailguard.ctl("status", "--json")
        assert done.returncode in (0, 1, 2) and json.loads(done.stdout)["version"]


@quick
def test_auth_gives_its_reasons_in_spanish():
    zone = {
        "9.100.51.198.in-addr.arpa": [{"PTR": "host.stranger.example"}],
        "host.stranger.example": [{"A": "198.51.100.7"}],
        "stranger.example": [{"TXT": "v=spf1 redirect=mail.example"}],
        "mail.example": [{"TXT": "v=spf1 include:other.example -all"}],
        "other.example": [{"TXT": "v=spf1 -all"}],
        "_dmarc.stranger.example": [{"TXT": "v=DMARC1; p=quarantine; pct=10"}],
        "9.100.51.198.list.dnswl.org": [{"A": "127.0.11.3"}],
    }
    message = (b"DKIM-Signature: v=1; a=rsa-sha256; d=stranger.example; s=s1; h=From; bh=AAAA; b=AAAA\r\n"
               b"From: <zoe@stranger.example>\r\n\r\nhello\r\n")
    with tempfile.TemporaryDirectory() as directory, DnsServer(zone) as server:
        conf = pathlib.Path(directory, "mailguard.conf")
        conf.write_text('auth = { spf = "maybe"; };\n')
        done = subprocess.run([BUILD / "mailguardctl", "-c", conf, "auth", "--no-message"], capture_output=True, timeout=60)
        assert done.returncode == 65 and len(done.stderr.splitlines()) == 1, done
        conf.write_text('auth = { dnsbl = ( { zone = "list.dnswl.org"; weight = -1; } ); };\n')

        def auth(*words):
            environment = dict(os.environ, MAILGUARD_LOCALEDIR=str(BUILD / "po"), LANGUAGE="es", LC_ALL="C.UTF-8", NO_COLOR="1")
            done = subprocess.run([BUILD / "mailguardctl", "-c", conf, "auth", "--dns", server.address, "--ip", "198.51.100.9",
                                   "--helo", "host.stranger.example", "--from", "zoe@stranger.example", *words],
                                  input=message, capture_output=True, env=environment, timeout=60)
            assert done.returncode == 0 and not done.stderr, done
            return done.stdout.decode()
        shown = " ".join(auth().split())
        for reason in ("ningún nombre de 198.51.100.9 lleva de vuelta a ella: host.stranger.example no lo hace",
                       "198.51.100.9 no está entre los remitentes que stranger.example autoriza: -all, redirigido a mail.example",
                       "host.stranger.example no tiene registro SPF",
                       "bh= no es un resumen SHA-256", "sin cadena",
                       "ni SPF ni DKIM responden por el dominio del autor",
                       "la RFC 7489 habría aplicado la política solo a una parte de estos mensajes (pct)",
                       "127.0.11.3 educación, confianza alta (dnswl.org)"):
            assert reason in shown, (reason, shown)
        assert "POT-Creation-Date" not in shown, "an empty reason is not looked up"
        found = json.loads(auth("--json"))
        assert found["iprev"]["reason"] == "no name of 198.51.100.9 leads back to it: host.stranger.example doesn't"
        assert found["spf"]["reason"].startswith("198.51.100.9 is not among the senders stranger.example allows: -all, redir")
        assert found["dkim"][0]["reason"] == "bh= is no SHA-256 hash"
        assert found["dmarc"]["reason"] == "neither SPF nor DKIM answers for the author's domain"
        assert found["dmarc"]["rfc7489"].startswith("RFC 7489 would have applied")
        assert found["dnsbl"]["zones"][0]["meaning"] == "education, high trust (dnswl.org)"
        assert "is not among the senders" in found["authentication_results"]
