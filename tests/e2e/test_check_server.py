"""Faults of Postfix and its machine, made for real: each is found with its cause, and gone when what is printed was typed."""
import contextlib
import os
import shutil
import socket
import subprocess
import time

from healthy import SAFE, healthy, is_well
from lab import Lab, free_port, replace, wait_until, without_overridden
from wire import SERVER, Wire

OF_SERVER = ("service.postfix", "port.listen", "disk.queue", "disk.mailbox", "disk.log", "config.postfix.check", "config.postconf.warn",
             "config.reload", "config.compat", "config.hostname", "config.smuggling", "config.table.stale", "config.smtpd.dead",
             "config.smtpd.451")


def found(lab, name, state, *words, **where):
    """The finding, which must be `state` and speak of `words` in summary, cause, fix or evidence."""
    check = lab.check(name, **where)
    text = " ".join([check["summary"], check["cause"], check["fix"], *check["evidence"]])
    assert check["state"] == state and all(word in text for word in words), check
    assert state != "ok" or not check["fix"], check
    return check


def mend(lab, name, *words, state="crit"):
    """The fault is found, and gone once the remedy is typed."""
    lab.type(found(lab, name, state, *words)["fix"])
    wait_until(f"{name} is ok again", lambda: lab.check(name)["state"] == "ok")


def add(lab, line, file="main.cf"):
    path = lab.etc / file
    text = path.read_text() + line + "\n"
    replace(path, without_overridden(text) if file == "main.cf" else text)
    lab.age()


@contextlib.contextmanager
def changed(lab, line, file="main.cf"):
    """A change that the test itself takes back."""
    path = lab.etc / file
    before = path.read_text()
    add(lab, line, file)
    try:
        yield
    finally:
        replace(path, before)
        lab.age()


def test_a_healthy_server_has_no_finding():
    """Neither in a process of its own nor in the daemon, nor after a while."""
    with healthy() as lab:
        lab.start()
        lab.send("zoe@stranger.example", "ann@local.example")
        wait_until("the daemon has looked at everything", lambda: len(lab.mailguard.json("status")["checks"]) > 60)
        wait_until("what could not be seen while Postfix was starting is seen", lambda: all(map(is_well, lab.mailguard.json("status")["checks"])))
        troubles = [check for check in lab.mailguard.json("check")["checks"] if not is_well(check)]
        assert not troubles, troubles
        assert all(map(is_well, lab.mailguard.json("status")["checks"]))


def test_faults_of_postfix():
    with Lab(main_cf=SAFE) as lab:
        lab.start_postfix()
        healthy = lab.checks(*OF_SERVER)
        assert all(check["state"] == "ok" for check in healthy.values()), [c for c in healthy.values() if c["state"] != "ok"]

        add(lab, "compatibility_level = 2")
        mend(lab, "config.compat", "compatibility level 2", state="warn")
        add(lab, "smtpd_forbid_bare_newline = no")
        mend(lab, "config.smuggling", "smtpd_forbid_bare_newline", state="warn")
        add(lab, "smtpd_forbid_unauth_pipelining = no")
        mend(lab, "config.smuggling", "smtpd_forbid_unauth_pipelining", state="warn")
        with changed(lab, "myhostname = mail"):
            assert "myhostname=mail.local.example" in found(lab, "config.hostname", "warn", "calls itself mail")["fix"]
        with changed(lab, "smtpd_recipient_restriction = permit"):
            found(lab, "config.postconf.warn", "warn", "smtpd_recipient_restriction", "main.cf")

        add(lab, "smtpd_relay_restrictions = permit_mynetworks")
        mend(lab, "config.smtpd.dead", "ends at every connection", "no mail comes in")
        add(lab, "smtpd_client_restrictions = permit_mynetwork")
        mend(lab, "config.smtpd.451", "permit_mynetwork ", "permit_mynetworks", "451")
        with changed(lab, f"smtpd_sender_restrictions = check_sender_access hash:{lab.etc}/senders"):
            found(lab, "config.smtpd.451", "crit", f"hash:{lab.etc}/senders")
            (lab.etc / "senders").write_text("spam.example REJECT\n")
            mend(lab, "config.table.stale", "never indexed")
            assert lab.check("config.smtpd.451")["state"] == "ok"
            os.utime(lab.etc / "senders.db", (1, 1))
            mend(lab, "config.table.stale", "old index", state="warn")
        with changed(lab, "mynetworks = 127.0.0.1/8"):
            found(lab, "config.smtpd.451", "crit", "127.0.0.1/8", "mynetworks")
        with changed(lab, f"127.0.0.1:{free_port()} inet n - n - - smtpd\n  -o smtpd_relay_restrictions=permit", "master.cf"):
            found(lab, "config.smtpd.dead", "crit", "smtpd_relay_restrictions")

        wait_until("Postfix runs for a while", lambda: os.utime(lab.etc / "main.cf") or lab.check("config.reload")["state"] == "warn")
        found(lab, "config.reload", "warn", "main.cf", "old ones")
        assert lab.postfix("reload").returncode == 0
        wait_until("reloaded", lambda: lab.check("config.reload")["state"] == "ok")

        (lab.queue / "corrupt" / "ABCDEF").write_text("x")
        found(lab, "config.postfix.check", "warn", "damaged message")
        (lab.queue / "corrupt" / "ABCDEF").unlink()
        os.chown(lab.queue / "active", 0, 0)
        assert "set-permissions" in found(lab, "config.postfix.check", "crit", "ermission denied")["fix"]
        shutil.chown(lab.queue / "active", "postfix")
        found(lab, "config.postfix.check", "ok")

        port = free_port()
        with changed(lab, f"127.0.0.1:{port} inet n - n - - smtpd", "master.cf"):
            mend(lab, "port.listen", f"127.0.0.1:{port}")
        assert lab.postfix("stop").returncode == 0
        mend(lab, "service.postfix", "does not run")


def test_another_program_has_the_port():
    with Lab(main_cf=SAFE) as lab, socket.create_server(("127.0.0.1", lab.port)):
        done = lab.postfix("start")
        assert done.returncode != 0 or wait_until("Postfix gives up", lambda: lab.check("service.postfix")["state"] == "crit")
        found(lab, "service.postfix", "crit", "Address already in use", "ss -tlnp")
        found(lab, "port.listen", "crit", "python", str(lab.port))


def test_the_mx_leads_where_nobody_listens():
    zone = {"local.example": [{"MX": [10, "mail.local.example"]}], "mail.local.example": [{"A": SERVER}]}
    with Wire() as wire, wire.at("server"), Lab(main_cf=SAFE + "inet_interfaces = loopback-only\n", zone=zone,
                                                master_cf="smtp inet n - n - 100 smtpd\n") as lab:
        lab.start_postfix()
        lab.type(found(lab, "port.listen", "crit", f"{SERVER}, where nobody listens", "loopback-only")["fix"])
        wait_until("it listens", lambda: lab.check("port.listen")["state"] == "ok")


def test_full_disks():
    with Lab(main_cf="message_size_limit = 1000000\n") as lab:
        def on_tmpfs(place, size, fill_kib, name):
            script = (f"mount -t tmpfs -o size={size} none {place} && head -c {fill_kib}K /dev/zero > {place}/x; "
                      'exec "$@"')
            return lab.check(name, launcher=["unshare", "-m", "sh", "-c", script, "sh"])

        full = on_tmpfs(lab.queue, "100M", 97 * 1024, "disk.queue")
        assert full["state"] == "crit" and "du -xh" in full["fix"] and str(lab.queue) in full["summary"], full
        assert full["value"] < 5 and full["unit"] == "%"
        assert on_tmpfs(lab.queue, "100M", 88 * 1024, "disk.queue")["state"] == "warn"
        small = on_tmpfs(lab.queue, "1400K", 1, "disk.queue")  # below one and a half times message_size_limit, though nearly empty
        assert small["state"] == "crit" and "452 4.3.1" in small["summary"], small
        assert on_tmpfs(lab.queue, "100M", 100, "disk.queue")["state"] == "ok"
        assert on_tmpfs(lab.mailboxes, "10M", 9 * 1024, "disk.mailbox")["state"] == "warn"
        assert on_tmpfs(lab.log, "10M", 10 * 1024, "disk.log")["state"] == "crit"
        inodes = on_tmpfs(lab.queue, "100M,nr_inodes=30", 0, "disk.queue")
        assert inodes["state"] == "ok", inodes
        script = f"mount -t tmpfs -o size=100M,nr_inodes=30 none {lab.queue}; cd {lab.queue}; touch 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 " \
                 '19 20 21 22 23 24 25 26 27 28; cd /; exec "$@"'
        inodes = lab.check("disk.queue", launcher=["unshare", "-m", "sh", "-c", script, "sh"])
        assert inodes["state"] == "crit" and "inodes" in inodes["summary"], inodes


def test_the_way_out():
    with Wire() as wire, wire.at("server"), Lab(main_cf=f"myhostname = mail.local.example\ninet_interfaces = {SERVER}\n") as lab:
        subprocess.run(["ip", "route", "del", "default"], capture_output=True)
        found(lab, "net.reach", "crit", "no default route")
        subprocess.run(["ip", "route", "add", "default", "via", "203.0.113.66"], check=True)
        found(lab, "net.reach", "ok")
        subprocess.run(["ip", "route", "replace", "default", "via", "203.0.113.99"], check=True)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.sendto(b"x", ("192.0.2.1", 9))
        wait_until("the gateway is seen not to answer", lambda: lab.check("net.reach")["state"] == "crit")
        found(lab, "net.reach", "crit", "203.0.113.99", "ARP")


def test_thresholds_and_what_does_not_apply():
    conf = 'health = { thresholds = { "system.memory" = { warn = 101; crit = 0; }; "system.load" = { warn = -2; crit = -1; }; }; };'
    with Lab(conf=conf) as lab:
        found(lab, "system.memory", "warn", "default_process_limit")
        assert lab.check("config.reload")["summary"].startswith("not applicable")
        assert "config.submission" not in lab.checks()
        found(lab, "service.postfix", "crit")


def test_one_root_cause_is_told_once():
    with Lab(main_cf=SAFE) as lab:
        lab.start_postfix()
        assert lab.postfix("stop").returncode == 0
        checks = lab.checks()
        assert checks["service.postfix"]["state"] == "crit" and "root" not in checks["service.postfix"]
        assert checks["port.listen"]["root"] == "service.postfix"
        assert checks["log.reader"]["root"] == "self.milter"


def test_two_faults_at_once():
    """Each is told as a cause of its own, with its own remedy; what follows from either is folded under it."""
    with healthy() as lab:
        lab.start()
        add(lab, "smtpd_relay_restrictions = permit_mynetworks")
        lab.postfix("reload")
        lab.dns.zone.forget("_dmarc.local.example")
        checks = lab.checks()
        causes = {name for name, check in checks.items() if check["state"] in ("warn", "crit") and "root" not in check}
        assert {"config.smtpd.dead", "dns.dmarc"} <= causes <= {"config.smtpd.dead", "dns.dmarc", "wiring.milter", "wiring.policy",
                                                                "self.milter", "tls.cert.chain"}, checks
        assert checks["service.smtp.25"]["root"] == "config.smtpd.dead" and checks["bulk.sender"]["root"] == "dns.dmarc"
        lab.type(checks["config.smtpd.dead"]["fix"])
        lab.dns.zone.add({"_dmarc.local.example": [{"TXT": checks["dns.dmarc"]["fix"].split('"')[1]}]})
        for word in ("stop", "start"):  # master waits a minute before it starts a dead smtpd again
            lab.postfix(word)
        wait_until("both are mended", lambda: {lab.check(name)["state"] for name in ("config.smtpd.dead", "dns.dmarc", "service.smtp.25")}
                   == {"ok"})


def test_unknown_users_and_logins():
    """Judged by the configuration alone: nothing has to run."""
    with Wire() as wire, wire.at("server"), Lab(main_cf=f"inet_interfaces = {SERVER}, 127.0.0.1\nmydestination = local.example\n"
                                                        "virtual_mailbox_domains =\nlocal_recipient_maps = unix:passwd.byname\n") as lab:
        found(lab, "relay.backscatter", "ok")
        add(lab, "local_recipient_maps =")
        mend(lab, "relay.backscatter", "local_recipient_maps", state="warn")
        add(lab, "luser_relay = somebody@elsewhere.example")
        mend(lab, "relay.backscatter", "luser_relay", state="warn")
        (lab.etc / "aliases").write_text("@local.example boss@elsewhere.example\n")
        found(lab, "relay.backscatter", "warn", "@local.example", "boss@elsewhere.example", "catch-all")
        (lab.etc / "aliases").write_text("@local.example ann@local.example\n")
        found(lab, "relay.backscatter", "ok")

        assert lab.check("config.submission")["summary"].startswith("not applicable")
        add(lab, "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n  -o smtpd_tls_auth_only=no", "master.cf")
        add(lab, "smtpd_tls_security_level = may")
        mend_login = "smtpd_sender_login_maps = static:ann\nsmtpd_sender_restrictions = reject_sender_login_mismatch"
        crit = found(lab, "config.submission", "crit", "submission/inet", "smtp/inet", "in clear")
        lab.type(crit["fix"])
        lab.type(found(lab, "config.submission", "crit", "submission/inet")["fix"])
        lab.type(found(lab, "config.submission", "warn", "port 25")["fix"])
        found(lab, "config.submission", "warn", "smtpd_sender_login_maps", "anybody's name")
        add(lab, mend_login.split("\n")[0])
        mend(lab, "config.submission", "nothing asks it", state="warn")


def test_monstrous_input():
    """A main.cf of 10 MB, a log line of 1 MiB: every check ends in a defined state, and mail flows meanwhile."""
    monsters = ["# " + ("x" * 78 + "\n# ") * 130000 + "\n", "mynetworks = " + "192.0.2.1, " * 900000 + "127.0.0.1\n",
                "smtpd_client_restrictions = " + ", ".join(f"check_client_access hash:/nowhere/{n}" for n in range(200000)) + "\n"]
    with healthy() as lab:
        lab.start()
        sound = (lab.etc / "main.cf").read_text()
        for monster in monsters:
            replace(lab.etc / "main.cf", sound + monster)
            lab.age()
            checks = lab.checks()
            assert len(checks) > 50 and all(check["state"] in ("ok", "warn", "crit", "unknown") for check in checks.values())
            assert lab.send("zoe@stranger.example", "ann@local.example")[0] in (250, 451)
            assert lab.mailguard.json("status")["uptime_s"] >= 0
        replace(lab.etc / "main.cf", sound)
        lab.age()
        with open(lab.mail_log, "a") as log:
            log.write(time.strftime("%b %e %H:%M:%S ") + "mail postfix/smtp[1]: fatal: " + "y" * (1 << 20) + "\n")
        assert lab.check("log.errors")["state"] in ("ok", "crit")
        wait_until("all is read again", lambda: lab.check("service.postfix")["state"] == "ok")
