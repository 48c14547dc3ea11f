"""What stands around Postfix: Dovecot, firewalls, fail2ban, backups. Each fault made for real, found, mended as printed, and fine again."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from dovecot import Dovecot
from lab import Lab, free_port, wait_until
from wire import SERVER, SERVER6, STRANGER, Wire


def found(lab, name, state, *words, **where):
    """The finding, which must be `state` and speak of `words` in summary, cause, fix or evidence."""
    check = lab.check(name, **where)
    text = " ".join([check["summary"], check["cause"], check["fix"], *check["evidence"]])
    assert check["state"] == state and all(word in text for word in words), check
    assert state == "ok" or (check["cause"] and check["fix"]), check
    assert check["manual"], check
    return check


def mend(lab, name, *words, state="crit"):
    """The fault is found, and gone once the remedy is typed."""
    lab.type(found(lab, name, state, *words)["fix"] + " >/dev/null 2>&1")  # a pipe would stay open in a daemon
    with contextlib.suppress(TimeoutError):
        wait_until(f"{name} is ok again", lambda: lab.check(name)["state"] == "ok", 10)
    return found(lab, name, "ok")


def sh(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


# ---- firewalls ----

PUBLIC = dict(main_cf=f"inet_interfaces = {SERVER}, {SERVER6}\ninet_protocols = all\n",
              master_cf="25 inet n - n - - smtpd\n587 inet n - n - - smtpd -o syslog_name=postfix/submission\n")


class Listeners:
    """Stands for Postfix at the ports, so that what the rules do can be seen."""

    def __init__(self, wire):
        self.wire = wire
        with wire.at("server"):
            self.sockets = [self._listen(family, address, port) for port in (25, 587)
                            for family, address in ((socket.AF_INET, SERVER), (socket.AF_INET6, SERVER6))]

    @staticmethod
    def _listen(family, address, port):
        one = socket.socket(family)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        one.listen(64)
        return one

    def is_reached(self, address, port):
        """As the stranger finds it."""
        with self.wire.at("stranger"), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
            client.settimeout(0.15)
            try:
                client.connect((address, port))
                return True
            except OSError:
                return False

    def all_reached(self):
        return [self.is_reached(address, port) for address in (SERVER, SERVER6) for port in (25, 587)]


@contextlib.contextmanager
def walled():
    with Wire() as wire:
        listeners = Listeners(wire)
        with wire.at("server"), Lab(**PUBLIC) as lab:
            yield lab, listeners


NFT_HEAD = "table inet filter {\n%s\nchain input { type filter hook input priority 0; policy %s;\n%s\n}\n}\n"
# (what, sets and chains, policy, rules, state)
NFT_ROWS = [
    ("policy alone", "", "drop", "iif lo accept; meta l4proto ipv6-icmp accept; ct state established,related accept", "crit"),
    ("accepted by number", "", "drop", "iif lo accept; ct state established,related accept; icmpv6 type {nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert} accept; tcp dport {25, 587} accept", "ok"),
    ("accepted by range", "", "drop", "meta l4proto ipv6-icmp accept; tcp dport 20-600 accept", "ok"),
    ("accepted by a set", "set mail { type inet_service; elements = { 25, 465, 587 } }", "drop",
     "meta l4proto ipv6-icmp accept; tcp dport @mail accept", "ok"),
    ("one is missing", "", "drop", "meta l4proto ipv6-icmp accept; tcp dport 25 accept", "crit"),
    ("a state map", "", "drop", "ct state vmap { established : accept, related : accept, invalid : drop }; "
     "meta l4proto ipv6-icmp accept; tcp dport vmap { 25 : accept, 587 : accept }", "ok"),
    ("rejected by name", "", "accept", "tcp dport smtp reject with tcp reset", "crit"),
    ("a chain of its own", "chain mail { tcp dport 25 counter accept; tcp dport 587 log accept; return; }", "drop",
     "meta l4proto ipv6-icmp accept; meta l4proto tcp jump mail", "ok"),
    ("a chain that stops", "chain mail { tcp dport 587 drop; }", "accept", "jump mail", "crit"),
    ("who was banned", "set bad { type ipv4_addr; elements = { 192.0.2.7, 192.0.2.9 } }", "accept",
     "ip saddr @bad drop; ip saddr 192.0.2.128/25 tcp dport 25 reject", "ok"),
    ("own network alone", "", "drop", "meta l4proto ipv6-icmp accept; ip saddr 10.0.0.0/8 tcp dport {25, 587} accept", "crit"),
    ("another interface", "", "accept", "iifname \"wg0\" tcp dport 25 drop; iifname \"lo\" tcp dport 25 drop", "ok"),
    ("all but one port", "", "accept", "tcp dport != {25, 587} drop", "ok"),
    ("first packets", "", "accept", "tcp flags & (fin|syn|rst|ack) == syn tcp dport 25 drop", None),
    ("another protocol", "", "accept", "udp dport 25 drop; icmp type echo-request drop", "ok"),
    ("first of too many", "", "accept", "tcp dport 25 limit rate over 1000/second drop", "ok"),
]


def test_firewall_of_nftables():
    with walled() as (lab, listeners):
        found(lab, "firewall.inbound", "warn", "no firewall at all", "ufw allow 25/tcp")
        for what, sets, policy, rules, state in NFT_ROWS:
            sh("nft flush ruleset")
            subprocess.run(["nft", "-f", "-"], input=NFT_HEAD % (sets, policy, rules.replace("; ", "\n")), text=True, check=True)
            check = lab.check("firewall.inbound")
            truth = listeners.all_reached()
            if state is not None:
                assert check["state"] == state, (what, check, truth)
            assert (check["state"] == "crit") <= (not all(truth)), (what, check, truth)
            if check["state"] == "crit":
                lab.type(check["fix"])
                assert all(listeners.all_reached()) and found(lab, "firewall.inbound", "ok"), (what, check["fix"])
        # some public addresses alone: on purpose, perhaps
        sh("nft flush ruleset")
        subprocess.run(["nft", "-f", "-"], text=True, check=True, input=NFT_HEAD % (
            "", "drop", "meta l4proto ipv6-icmp accept\nip saddr 192.0.2.0/24 tcp dport {25,587} accept\nip6 saddr 2001:db8:2::/48 accept"))
        found(lab, "firewall.inbound", "warn", "only some addresses", "nft insert rule inet filter input tcp dport 25 accept")


IPTABLES_ROWS = [
    (["-P INPUT DROP", "-A INPUT -i lo -j ACCEPT", "-A INPUT -p ipv6-icmp -j ACCEPT", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A INPUT -p tcp -m multiport --dports 22,80,443 -j ACCEPT"], "crit"),
    (["-P INPUT DROP", "-A INPUT -m state --state ESTABLISHED -j ACCEPT", "-A INPUT -p ipv6-icmp -j ACCEPT",
      "-A INPUT -p tcp -m multiport --dports 25,587 -m comment --comment 'mail \"in\"' -j ACCEPT"], "ok"),
    (["-A INPUT -p tcp --dport 25 -j REJECT"], "crit"),
    (["-A INPUT -p tcp --syn --dport 20:30 -j DROP"], "crit"),
    (["-A INPUT -p tcp ! --syn --dport 25 -m conntrack --ctstate NEW -j DROP"], "ok"),
    (["-N mail", "-A mail -p tcp --dport 587 -j DROP", "-A mail -j RETURN", "-A INPUT -p tcp -j mail"], "crit"),
    (["-N mail", "-A mail -p tcp -m tcp --dport 25 -j ACCEPT", "-A mail -p tcp --dport 587 -m limit --limit 100/s -j ACCEPT",
      "-A INPUT -p ipv6-icmp -j ACCEPT", "-A INPUT -j mail", "-A INPUT -j DROP"], "ok"),
    (["-A INPUT -i wg0 -p tcp --dport 25 -j DROP", "-A INPUT -p udp -j DROP"], "ok"),
    (["-t raw -A PREROUTING -p tcp --dport 25 -j DROP"], "crit"),
]


def iptables_rows(lab, listeners, suffix):
    for rules, state in IPTABLES_ROWS:
        for tool in ("iptables", "ip6tables"):
            tool += suffix
            sh(f"{tool} -P INPUT ACCEPT; {tool} -F; {tool} -X; {tool} -t raw -F")
            for rule in rules:
                sh(f"{tool} {rule}".replace("ipv6-icmp", "ipv6-icmp" if "6" in tool else "icmp"))
        check = lab.check("firewall.inbound")
        truth = listeners.all_reached()
        assert check["state"] == state and (state == "ok") == all(truth), (suffix, rules, check, truth)
        if state == "crit":
            lab.type(check["fix"])
            assert all(listeners.all_reached()) and found(lab, "firewall.inbound", "ok"), (rules, check["fix"])


def test_firewall_of_iptables():
    with walled() as (lab, listeners):
        iptables_rows(lab, listeners, "-nft")
        # a source in the rules of IPv4 alone
        sh("iptables -F; ip6tables -F; iptables -A INPUT -s 192.0.2.9/32 -p tcp --dport 25 -j DROP")
        found(lab, "firewall.inbound", "ok")
        sh("ip6tables -A INPUT -p tcp --dport 25 -j DROP")
        check = found(lab, "firewall.inbound", "crit", "25 (IPv6)", "ip6tables -I INPUT -p tcp --dport 25 -j ACCEPT")
        assert "IPv4" not in check["summary"] and listeners.is_reached(SERVER, 25) and not listeners.is_reached(SERVER6, 25)


def test_firewall_of_old_iptables():
    with walled() as (lab, listeners):
        iptables_rows(lab, listeners, "-legacy")


def test_firewall_of_ufw():
    with walled() as (lab, listeners):
        for name, place in (("etc", "/etc/ufw"), ("lib", "/lib/ufw")):
            shutil.copytree(place, lab.root / "ufw" / name, symlinks=True)
        mounts = f"mount --make-rprivate /; mount --bind {lab.root}/ufw/etc /etc/ufw; mount --bind {lab.root}/ufw/lib /lib/ufw; "

        def ufw(command):
            sh(f"unshare -m sh -c '{mounts}{command}'")

        ufw("ufw allow 22/tcp; ufw --force enable")
        fix = found(lab, "firewall.inbound", "crit", "25 (IPv4)", "587 (IPv6)", "ufw allow 25/tcp")["fix"]
        assert fix == "ufw allow 25/tcp && ufw allow 587/tcp" and not any(listeners.all_reached()), fix
        ufw(fix)
        found(lab, "firewall.inbound", "ok")
        assert all(listeners.all_reached())
        ufw("ufw deny 25/tcp")
        ufw(found(lab, "firewall.inbound", "crit", "ufw allow 25/tcp")["fix"])
        found(lab, "firewall.inbound", "ok")
        sh("iptables -I INPUT -p tcp --dport 25 -j DROP")  # before what ufw has made
        lab.type(found(lab, "firewall.inbound", "crit", "iptables -I INPUT")["fix"])
        found(lab, "firewall.inbound", "ok")


def test_firewall_where_it_can_not_be_told():
    with Lab() as lab:
        assert "not applicable" in found(lab, "firewall.inbound", "ok")["summary"]  # loopback alone
    with walled() as (lab, _):
        lab.root.chmod(0o755)
        check = lab.check("firewall.inbound", launcher=["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"])
        assert check["state"] == "unknown" and "needs root" in check["cause"], check


def test_port_25_of_others():
    zone = {f"mx{i}.example": [{"A": STRANGER}] for i in range(3)}
    with Wire() as wire:
        with wire.at("stranger"):
            greeter = socket.create_server((STRANGER, 25))
        with wire.at("server"), Lab(zone=zone) as lab:
            assert "not applicable" in found(lab, "firewall.outbound25", "ok")["summary"]
            log_rows(lab)
            lab.write_conf('health = { outbound25 = ( "mx0.example", "mx1.example", "mx2.example" ); };')
            found(lab, "firewall.outbound25", "ok")
            lab.write_conf('health = { outbound25 = ( "mx0.example", "mx1.example", "198.51.100.66" ); };')
            found(lab, "firewall.outbound25", "warn", "198.51.100.66", "relayhost")
            lab.write_conf('health = { outbound25 = ( "mx0.example", "mx1.example", "mx2.example" ); };')
            sh("nft 'add table inet out; add chain inet out o { type filter hook output priority 0; }; add rule inet out o tcp dport 25 reject'")
            found(lab, "firewall.outbound25", "crit", "3 of 3", "relayhost", "provider")
            sh("nft flush ruleset; nft 'add table inet out; add chain inet out o { type filter hook output priority 0; }; add rule inet out o tcp dport 25 drop'")
            start = time.monotonic()
            found(lab, "firewall.outbound25", "crit", "3 of 3")
            assert time.monotonic() - start < 9
            sh("nft flush ruleset")
            found(lab, "firewall.outbound25", "ok")
            lab.write_conf('health = { outbound25 = ( "nothing.example" ); };')
            found(lab, "firewall.outbound25", "unknown")
        greeter.close()


def log_rows(lab):
    now = time.strftime("%b %e %H:%M:%S")
    late = f"{now} mail postfix/smtp[77]: connect to mx.example[203.0.113.99]:25: Connection timed out\n"
    lab.mail_log.write_text(late * 4)
    found(lab, "firewall.outbound25", "crit", "timed out", "relayhost")
    sent = (f"{now} mail postfix/smtp[77]: 4ABCDEF: to=<a@mx.example>, relay=mx.example[203.0.113.66]:25, delay=1, delays=0/0/0/1, "
            "dsn=2.0.0, status=sent (250 ok)\n")
    lab.mail_log.write_text(late + sent * 40)
    found(lab, "firewall.outbound25", "ok")
    lab.mail_log.write_text("")


# ---- Dovecot ----

@contextlib.contextmanager
def with_dovecot(main_cf="", master_cf="", start=True):
    root = pathlib.Path(tempfile.mkdtemp(prefix="mailguard-dovecot-"))
    try:
        for name in ("cert.pem", "key.pem"):
            (root / name).touch()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mail.local.example",
                        "-keyout", root / "key.pem", "-out", root / "cert.pem"], check=True, capture_output=True)
        (root / "users").write_text("ann:{PLAIN}secret::::::\nbob:{PLAIN}secret::::::\n")
        dovecot = Dovecot(root)
        dovecot.write(more=MORE.format(root=root))
        (root / "mail").chmod(0o777)
        with Lab(main_cf=main_cf, master_cf=master_cf, conf=f'dovecot = {{ config = "{dovecot.conf}"; }};') as lab:
            if start:
                dovecot.start()
            try:
                yield lab, dovecot
            finally:
                dovecot.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


MORE = """
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {root}/users
}}
userdb {{
  driver = passwd-file
  args = {root}/users
  default_fields = uid=mail gid=mail home={root}/mail/%u
}}
"""


def append(dovecot, text):
    with open(dovecot.conf, "a") as file:
        file.write(text)


@contextlib.contextmanager
def changed(dovecot, text):
    before = dovecot.conf.read_text()
    append(dovecot, text)
    try:
        yield
    finally:
        dovecot.conf.write_text(before)


def is_dead(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) != 0


def test_dovecot_itself():
    with with_dovecot(start=False) as (lab, dovecot):
        mend(lab, "service.dovecot", "Dovecot does not run", f"dovecot -c {dovecot.conf}")
        found(lab, "dovecot.config", "ok")
        found(lab, "dovecot.limits", "ok")
        pid = int((dovecot.root / "run" / "master.pid").read_text())
        os.kill(pid, signal.SIGKILL)  # its pid file stays
        wait_until("nothing of it is left", lambda: not pathlib.Path(f"/proc/{pid}").exists() and is_dead(dovecot.root / "run" / "config"))
        mend(lab, "service.dovecot", "Dovecot does not run")
        (dovecot.root / "run" / "login" / "login").unlink()
        mend(lab, "service.dovecot", "login socket")
        with changed(dovecot, "no_such_setting = 1\n"):
            line = len(dovecot.conf.read_text().splitlines())
            found(lab, "dovecot.config", "crit", "no_such_setting", f"sed -n {line}p {dovecot.conf}")
        with changed(dovecot, "ssl_protocols = !SSLv3\n"):
            found(lab, "dovecot.config", "warn", "ssl_protocols", "ssl_min_protocol", f"sed -n ")
        with changed(dovecot, "service imap {\n"):
            found(lab, "dovecot.config", "crit", str(dovecot.conf))
        found(lab, "dovecot.config", "ok")
        for setting, words in (("ssl = no", ("ssl = required",)), ("disable_plaintext_auth = no", ("disable_plaintext_auth = yes",)),
                               ("ssl_min_protocol = TLSv1.1", ("TLSv1.1", "ssl_min_protocol = TLSv1.2"))):
            with changed(dovecot, setting + "\n"):
                mend(lab, "dovecot.tls", *words)
        with changed(dovecot, "ssl = required\ndisable_plaintext_auth = no\n"):
            found(lab, "dovecot.tls", "ok")
        with changed(dovecot, f"mail_location = maildir:{dovecot.root}/mail/%d/%n:INDEX=/var/x\n"):
            assert f"{dovecot.root}/mail: " in " ".join(found(lab, "disk.mailbox", "ok")["evidence"])


def test_full_mailboxes():
    with with_dovecot() as (lab, dovecot):
        assert "not applicable" in found(lab, "mailbox.quota", "ok")["summary"]
        append(dovecot, "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=100K\n}\n")
        dovecot.reload()
        found(lab, "mailbox.quota", "ok")

        def save(kib):
            subprocess.run(["doveadm", "-c", dovecot.conf, "save", "-u", "ann", "-m", "INBOX"], check=True,
                           input=b"Subject: x\n\n" + (b"x" * 79 + b"\n") * (kib * 1024 // 80))

        save(93)
        check = found(lab, "mailbox.quota", "warn", "ann", "doveadm -c")
        assert check["value"] >= 90, check
        save(6)
        found(lab, "mailbox.quota", "crit", "ann")
        sh(f"doveadm -c {dovecot.conf} expunge -u ann mailbox INBOX all")
        found(lab, "mailbox.quota", "ok")
        (dovecot.root / "users").unlink()
        found(lab, "mailbox.quota", "unknown")


SUBMISSION = ("127.0.0.1:{submission} inet n - n - - smtpd -o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes"
              " -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n")
DOVECOT_CF = ("smtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\nvirtual_transport = lmtp:unix:private/dovecot-lmtp\n")


def test_sockets_of_dovecot():
    with with_dovecot(main_cf=DOVECOT_CF, master_cf=SUBMISSION.replace("{submission}", str(free_port()))) as (lab, dovecot):
        lab.postfix("check")  # makes the queue's directories
        sasl = lab.queue / "private" / "auth"
        append(dovecot, "protocols = imap pop3 lmtp\n")
        found(lab, "sasl.config", "crit", str(sasl), "smtpd_sasl_path")
        lab.type(found(lab, "dovecot.sockets", "crit", "unix_listener", str(sasl), "is not there")["fix"])
        wait_until("the socket is there", sasl.exists)
        mend(lab, "dovecot.sockets", "dovecot-lmtp", "virtual_transport", "service lmtp")
        found(lab, "sasl.config", "unknown", "does not answer")
        lab.start_postfix()
        assert "AUTH PLAIN" in " ".join(found(lab, "sasl.config", "ok")["evidence"])
        os.chown(sasl, 0, 0)
        sasl.chmod(0o600)
        found(lab, "dovecot.sockets", "crit", "mode 0600, owner root:root", "may not connect")
        found(lab, "sasl.config", "crit", "may not connect")
        sasl.chmod(0o660)
        shutil.chown(sasl, "postfix", "postfix")
        found(lab, "dovecot.sockets", "ok")
        with changed(dovecot, "auth_mechanisms = plain anonymous\n"):
            dovecot.reload()
            wait_until("ANONYMOUS is offered", lambda: lab.check("sasl.config")["state"] != "ok")
            mend(lab, "sasl.config", "ANONYMOUS", "auth_mechanisms = plain", state="warn")
        dovecot.reload()
        dovecot.stop()
        found(lab, "dovecot.sockets", "crit", "nobody listens")
        dovecot.start()
        found(lab, "dovecot.sockets", "ok")
        strange_auth_servers(lab, sasl)


def strange_auth_servers(lab, path):
    """Others at the socket: silent, endless, another protocol, without mechanisms."""
    for answer, words in ((b"", "does not answer"), (b"220 hello\r\n", "something else"), (b"VERSION\t1\t2\nDONE\n", "no mechanism"),
                          (b"VERSION\t1\t2\nMECH\t\x1b[31m\n" + b"x" * 70000, "does not answer")):
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            path.chmod(0o666)
            server.listen(8)
            stop = threading.Event()
            threading.Thread(target=answer_all, args=(server, answer, stop), daemon=True).start()
            start = time.monotonic()
            check = found(lab, "sasl.config", "crit", words)
            assert time.monotonic() - start < 12 and "\x1b" not in str(check), check
            stop.set()


def answer_all(server, answer, stop):
    kept = []
    server.settimeout(0.2)
    while not stop.is_set():
        with contextlib.suppress(OSError):
            client, _ = server.accept()
            kept.append(client)
            client.sendall(answer)
    for client in kept:
        client.close()


def test_logins_of_postfix():
    with Lab() as lab:  # Cyrus
        lab.add_login()
        lab.start_postfix()
        found(lab, "sasl.config", "ok", "AUTH")
        assert "not applicable" in found(lab, "dovecot.sockets", "ok")["summary"]
        assert "not applicable" in found(lab, "service.dovecot", "ok")["summary"]
        subprocess.run(["postconf", "-c", lab.etc, "-e", "smtpd_sasl_security_options="], check=True)
        (lab.sasl / "smtpd.conf").write_text((lab.sasl / "smtpd.conf").read_text().replace("PLAIN LOGIN", "PLAIN ANONYMOUS"))
        reload(lab)
        wait_until("ANONYMOUS is offered", lambda: lab.check("sasl.config")["state"] == "warn")
        lab.type(found(lab, "sasl.config", "warn", "ANONYMOUS", "noanonymous")["fix"])
        wait_until("it is not any more", lambda: lab.check("sasl.config")["state"] == "ok")


def reload(lab):
    lab.age()
    os.kill(int((lab.queue / "pid" / "master.pid").read_text()), signal.SIGHUP)


def test_logins_of_a_submission_port():
    with Wire() as wire, wire.at("server"):
        with Lab(main_cf=f"inet_interfaces = {SERVER}\n", master_cf="587 inet n - n - - smtpd -o smtpd_sasl_auth_enable=no\n") as lab:
            lab.add_login()
            lab.start_postfix()
            lab.type(found(lab, "sasl.config", "crit", "587", "no AUTH", "587/inet/smtpd_sasl_auth_enable=yes")["fix"])
            wait_until("AUTH is offered", lambda: lab.check("sasl.config")["state"] == "ok")


# ---- fail2ban ----

class Jail:
    """fail2ban with the machine's own paths, in a mount namespace and a network of its own."""

    def __init__(self, root, log):
        self.root = pathlib.Path(root)
        for name in ("etc", "run", "lib", "log"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        shutil.copytree("/etc/fail2ban", self.root / "etc", dirs_exist_ok=True)
        for path in (self.root / "etc" / "jail.d").glob("*"):
            path.unlink()
        (self.root / "etc" / "jail.local").write_text(
            f"[DEFAULT]\nbackend = polling\nbanaction =\naction =\npostfix_log = {log}\ndovecot_log = {log}\n"
            f"postfix_backend = polling\ndovecot_backend = polling\nbantime = 60\nlogtarget = {self.root}/log/fail2ban.log\n")
        (self.root / "etc" / "fail2ban.local").write_text(f"[DEFAULT]\nlogtarget = {self.root}/log/f.log\n")
        mounts = "; ".join(f"mount --bind {self.root}/{name} {place}" for name, place in (
            ("etc", "/etc/fail2ban"), ("run", "/run/fail2ban"), ("lib", "/var/lib/fail2ban")))
        self.holder = subprocess.Popen(["unshare", "-mn", "sh", "-c", f"mount --make-rprivate /; {mounts}; echo ready; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        self.launcher = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt"]

    def run(self, *words):
        return subprocess.run([*self.launcher, *words], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)

    def start(self):
        done = self.run("fail2ban-client", "start")
        assert done.returncode == 0, done

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("fail2ban-client", "stop")
        self.holder.stdin.close()
        self.holder.wait(10)


FAILED = "{now} mail postfix/smtpd[{n}]: warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: authentication failure\n"


def test_fail2ban():
    with Lab() as lab, Jail(lab.root / "jail", lab.mail_log) as jail:
        def check(name, state, *words):
            return found(lab, name, state, *words, launcher=jail.launcher)

        def mended(name, *words, state):
            fix = check(name, state, *words)["fix"]
            done = jail.run("sh", "-c", fix)
            assert done.returncode == 0, (fix, done.stderr)
            with contextlib.suppress(TimeoutError):
                wait_until(f"{name} is ok", lambda: lab.check(name, launcher=jail.launcher)["state"] == "ok", 10)
            check(name, "ok")

        for name in ("fail2ban.running", "fail2ban.match"):
            assert "not applicable" in check(name, "ok")["summary"]  # installed, never used
        jail.start()
        mended("fail2ban.running", "no jail for Postfix", "[postfix-sasl]", state="warn")
        check("fail2ban.match", "ok")  # no failed login yet
        now = time.strftime("%b %e %H:%M:%S")
        lab.mail_log.write_text("".join(FAILED.format(now=now, n=n) for n in range(4)))
        check("fail2ban.match", "ok", "knows 4 of 4")
        (jail.root / "etc" / "jail.d" / "own.local").write_text("[postfix-sasl]\nfilter = postfix[mode=rbl]\n")
        jail.run("fail2ban-client", "reload")
        check("fail2ban.match", "crit", "postfix[mode=rbl]", "fail2ban-regex", "4 failed logins")
        (jail.root / "etc" / "jail.d" / "own.local").write_text("[postfix-sasl]\nlogpath = /var/log/dpkg.log\n")
        jail.run("fail2ban-client", "reload")
        check("fail2ban.match", "crit", "another file", str(lab.mail_log))
        (jail.root / "etc" / "jail.d" / "own.local").unlink()
        jail.run("fail2ban-client", "stop")
        mended("fail2ban.running", "does not run", state="crit")


# ---- upkeep ----

def test_old_backups():
    with Lab() as lab:
        assert "not applicable" in found(lab, "backup.age", "ok")["summary"]
        assert "not applicable" in found(lab, "system.updates", "ok")["summary"]
        place = lab.root / "backups"
        lab.write_conf(f'health = {{ backup = {{ path = "{place}"; period = "1h"; }}; }};')
        found(lab, "backup.age", "warn", str(place), "is not there")
        (place / "deep" / "er").mkdir(parents=True)
        found(lab, "backup.age", "warn", "no backup")
        file = place / "deep" / "er" / "mail.tar"
        file.touch()
        found(lab, "backup.age", "ok")
        os.utime(file, (time.time() - 9000,) * 2)
        found(lab, "backup.age", "warn", "mail.tar", "crontab -l")
        (place / "loop").symlink_to(place)
        os.mkfifo(place / "fifo")
        (place / "new.tar").touch()
        found(lab, "backup.age", "ok", "new.tar")
        done = lab.mailguard.ctl("check", "backup.age", "--json", language="es")
        assert done.returncode == 0, done


def test_pending_updates():
    with Lab(conf="health = { updates = true; };") as lab:
        with tempfile.TemporaryDirectory() as place:
            def plan(text, status=0):
                script = pathlib.Path(place) / "apt-get"
                script.write_text(f"#!/bin/sh\ncat <<'EOF'\n{text}\nEOF\nexit {status}\n")
                script.chmod(0o755)

            plan("Inst postfix [3.7.6-0] (3.7.11-0+deb12u1 Debian-Security:12/stable-security [amd64])\n"
                 "Inst bash [5.2] (5.3 Debian-Security:12/stable-security [amd64])\nInst dovecot-core [1] (2 Debian:12/stable [amd64])")
            holder = ["unshare", "-m", "sh", "-c", f'mount --bind {place}/apt-get /usr/bin/apt-get && exec "$@"', "sh"]
            check = found(lab, "system.updates", "warn", "apt-get install --only-upgrade postfix", launcher=holder)
            assert "bash" not in check["fix"] and "dovecot" not in check["fix"], check
            plan("Inst bash [5.2] (5.3 Debian-Security:12/stable-security [amd64])")
            found(lab, "system.updates", "ok", launcher=holder)
            plan("E: dpkg was interrupted", 100)
            found(lab, "system.updates", "unknown", launcher=holder)
