"""A private Postfix with mailguard wired in: own configuration, queue, ports and log, nothing of the machine's touched.

Used by ./quickstart, the end-to-end tests and the benchmarks. Needs root, as Postfix does.
"""
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import threading
import time

from dns_server import DnsServer

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MAILGUARD_BUILD", TOP))
DEADLINE_S = 30

MAIN_CF = """\
compatibility_level = 3.6
config_directory = {etc}
queue_directory = {queue}
data_directory = {data}
daemon_directory = {daemons}
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {log}
maillog_file_prefixes = {root}
myhostname = mail.local.example
mydomain = local.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = local.example
virtual_mailbox_base = {mailboxes}
virtual_mailbox_maps = texthash:{etc}/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_alias_maps = texthash:{etc}/aliases
relay_domains = relay.example
transport_maps = texthash:{etc}/transport
smtp_host_lookup = native
disable_dns_lookups = yes
smtp_connect_timeout = 3s
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {etc}/sasl
smtpd_sasl_auth_enable = yes
smtpd_tls_security_level = none
smtpd_peername_lookup = no
minimal_backoff_time = 300s
maximal_backoff_time = 300s
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

MAILGUARD_CONF = """\
user = "";
milter = {{ listen = "unix:{queue}/mailguard/milter.sock"; }};
policy = {{ listen = "unix:{queue}/mailguard/policy.sock"; }};
control = {{ listen = "unix:{run}/control.sock"; group = ""; }};
http = {{ listen = ""; }};
postfix = {{ config_directory = "{etc}"; log = "file:{log}"; }};
journal = {{ path = "{state}/journal.db"; }};
state = {{ snapshot = "{state}/state.db"; }};
dns = {{ servers = ( "{dns}" ); timeout_ms = 1000; tries = 1; }};
{more}
"""


# What a sound server of the lab's names has in DNS, and the setting that says where it is.
OWN_ADDRESS = "192.0.2.25"
# Whoever runs all tests at once puts a load on the machine.
OWN = (f'health = {{ public_addresses = ( "{OWN_ADDRESS}" ); '
       'thresholds = { "system.load" = { warn = 1000; crit = 2000; }; "system.memory" = { warn = 1; crit = 0; }; }; };')
SOUND_ZONE = {
    "mail.local.example": [{"A": OWN_ADDRESS}],
    "local.example": [{"MX": [10, "mail.local.example"]}, {"TXT": "v=spf1 mx -all"}],
    "25.2.0.192.in-addr.arpa": [{"PTR": "mail.local.example"}],
    "_dmarc.local.example": [{"TXT": "v=DMARC1; p=none; rua=mailto:postmaster@local.example"}],
}


def without_overridden(text):
    """main.cf with the last word on each parameter alone: Postfix warns of every other, at every start of every program."""
    entries = {}
    for line in text.splitlines():
        name = line.split("=", 1)[0].strip()
        entries.pop(name, None)
        entries[name] = line
    return "\n".join(entries.values()) + "\n"


def replace(path, text):
    """The whole file at once: a program of Postfix that starts meanwhile must not read half of it (it would wait for another Postfix)."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.rename(path)


GIVEN_PORTS, GIVEN_LOCK = set(), threading.Lock()


def free_port():
    """A port that nobody listens on and that was not given out before: the system may well name one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with GIVEN_LOCK:
            if port not in GIVEN_PORTS:
                GIVEN_PORTS.add(port)
                return port


def wait_until(what, is_true, deadline_s=DEADLINE_S):
    """Polls a condition that nobody signals, such as another program's log; returns its true value."""
    end = time.monotonic() + deadline_s
    pause = 0.01
    while True:
        value = is_true()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"after {deadline_s} s still not: {what}")
        select_pause(pause)
        pause = min(pause * 1.5, 0.25)


def select_pause(seconds):
    import select
    select.select([], [], [], seconds)


class Mailguard:
    """mailguardd on a configuration file, in the foreground."""

    def __init__(self, conf, log_path, environment=None, launcher=()):
        self.conf, self.log_path, self.process = conf, log_path, None
        self.environment = {**os.environ, **(environment or {})}
        self.launcher = list(launcher)

    def start(self, wait=True):
        self.log = open(self.log_path, "ab")
        self.ready_before = self.ready_count()
        self.process = subprocess.Popen(
            [*self.launcher, BUILD / "mailguardd", "-f", "-c", self.conf, "-d", "info"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.environment, start_new_session=True)
        if wait:
            wait_until("mailguardd is ready", self.is_ready)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("mailguardd ended: " + self.log_path.read_text(errors="replace")[-2000:])
        return self.ready_count() > self.ready_before

    def ready_count(self):
        return self.log_path.read_bytes().count(b" ready: worker=")

    def worker_pid(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[-1]) if children else 0

    def stop(self, sig=signal.SIGTERM):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            status = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.log.close()
        self.process = None
        return status

    def ctl(self, *words, check=False, language=None):
        environment = dict(self.environment, NO_COLOR="1")
        if language:
            environment.update(LANGUAGE=language, LC_ALL="C.UTF-8")
        return subprocess.run([BUILD / "mailguardctl", "-c", self.conf, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=check, env=environment, timeout=DEADLINE_S * 2)

    def json(self, *words):
        answer = self.ctl(*words, "--json")
        if not answer.stdout:
            raise RuntimeError(f"mailguardctl {' '.join(words)}: exit {answer.returncode}: {answer.stderr}")
        return json.loads(answer.stdout)


class Lab:
    """The directories, the private Postfix, and mailguard beside it."""

    def __init__(self, conf="", main_cf="", master_cf="", root=None, zone=None):
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="mailguard-lab-"))
        self.keeps_root = root is not None
        self.dns = DnsServer(zone)
        self.port = free_port()
        self.down_port = free_port()
        self.root.chmod(0o755)
        for name in ("etc", "etc/sasl", "queue", "data", "mailboxes", "run", "state", "log"):
            (self.root / name).mkdir(exist_ok=True)
            setattr(self, name.rsplit("/")[-1] if "/" not in name else "sasl", self.root / name)
        self.mail_log = self.log / "mail.log"
        self.mail_log.touch()
        self._write_postfix(main_cf, master_cf)
        self.conf = self.etc / "mailguard.conf"
        self.write_conf(conf)
        self.mailguard = Mailguard(self.conf, self.log / "mailguard.log", {"MAILGUARD_LOCALEDIR": str(BUILD / "po")})
        self.is_postfix_up = False

    def age(self):
        """postconf waits for files younger than a second or so to settle: make them look older."""
        for name in ("main.cf", "master.cf"):
            os.utime(self.etc / name, (time.time() - 60, time.time() - 60))

    def _names(self):
        owner = pwd.getpwnam("postfix")
        return dict(etc=self.etc, queue=self.queue, data=self.data, root=self.root, log=self.mail_log, run=self.run,
                    state=self.state, mailboxes=self.mailboxes, port=self.port, uid=owner.pw_uid, gid=owner.pw_gid,
                    daemons="/usr/lib/postfix/sbin", dns=self.dns.address)

    def _write_postfix(self, main_cf, master_cf):
        names = self._names()
        replace(self.etc / "main.cf", without_overridden(MAIN_CF.format(**names) + main_cf.format(**names)))
        replace(self.etc / "master.cf", MASTER_CF.format(**names) + master_cf.format(**names))
        self.age()
        (self.etc / "mailboxes").write_text("ann@local.example ann/\nbob@local.example bob/\n")
        (self.etc / "aliases").write_text("info@local.example ann@local.example, bob@local.example\n")
        (self.etc / "transport").write_text(f"down.example smtp:[127.0.0.1]:{self.down_port}\n")
        (self.sasl / "smtpd.conf").write_text(
            f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {self.data}/sasldb2\nmech_list: PLAIN LOGIN\n")
        owner = pwd.getpwnam("postfix")
        for path in (self.data, self.mailboxes):
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def write_conf(self, more=""):
        self.conf.write_text(MAILGUARD_CONF.format(more=more, **self._names()))

    def switch_off(self, door):
        """Takes a door ("milter", "policy") out of mailguard.conf; before start()."""
        lines = [line for line in self.conf.read_text().splitlines() if not line.startswith(f"{door} =")]
        self.conf.write_text("\n".join([f'{door} = {{ listen = ""; }};', *lines]))

    def add_login(self, user="ann", password="correct horse"):
        database = self.data / "sasldb2"
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", database, "-u", "mail.local.example", user],
                       input=password.encode(), check=True, capture_output=True)
        shutil.chown(database, "postfix", "postfix")

    def postfix(self, *words):
        return subprocess.run(["postfix", "-c", self.etc, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={**os.environ, "MAIL_CONFIG": str(self.etc)})

    def start_postfix(self):
        done = self.postfix("start")
        self.is_postfix_up = True
        if done.returncode != 0:
            raise RuntimeError("the private Postfix did not start: " + done.stderr + self.log_text()[-2000:])
        wait_until("Postfix listens", self.is_listening)
        return self

    def is_listening(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            return probe.recv(4).startswith(b"220")
        return False

    def wire(self):
        done = self.mailguard.ctl("wire", "--apply")
        if done.returncode != 0:
            raise RuntimeError("wire --apply: " + done.stderr + done.stdout)
        self.age()
        if self.is_postfix_up:
            self.postfix("reload")

    def start(self, wire=True):
        if wire:
            self.wire()
        self.mailguard.start()
        self.start_postfix()
        return self

    def log_text(self):
        return self.mail_log.read_text(errors="replace") if self.mail_log.exists() else ""

    def close(self):
        self.mailguard.stop()
        self.dns.stop()
        log_path = self.mailguard.log_path
        log = log_path.read_text(errors="replace") if log_path.exists() else ""
        if self.is_postfix_up:
            self.postfix("abort")
            pid_file = self.queue / "pid" / "master.pid"
            with contextlib.suppress(Exception):
                wait_until("Postfix is down", lambda: not pathlib.Path(
                    "/proc/" + pid_file.read_text().strip()).exists(), 10)
        if not self.keeps_root:
            shutil.rmtree(self.root, ignore_errors=True)
        for word in ("Sanitizer", "runtime error", "Assertion", "mailguard: bug:"):
            if word in log:
                raise AssertionError("mailguardd complained:\n" + log[log.index(word) - 200:][:3000])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- clients ----

    def smtp(self, address=None, name=None, helo="client.example", login=None):
        """A client's SMTP connection; with `address` it says (XCLIENT) that it comes from there."""
        client = smtplib.SMTP("127.0.0.1", self.port, local_hostname=helo, timeout=DEADLINE_S)
        client.ehlo()
        if address:
            address = "IPV6:" + address if ":" in address else address
            code, text = client.docmd("XCLIENT", f"ADDR={address} NAME={name or '[UNAVAILABLE]'}")
            if code != 220:
                raise RuntimeError(f"XCLIENT: {code} {text}")
            client.ehlo()
        if login:
            client.login(*login)
        return client

    def send(self, sender, recipients, subject="hello", client=None, message_id=None, message=None, **who):
        """Sends one message (`message`: the whole of it, bytes); returns (reply code, text, {recipient: (code, text)} of those refused)."""
        own = client is None
        client = client or self.smtp(**who)
        recipients = [recipients] if isinstance(recipients, str) else recipients
        lines = [f"From: <{sender}>", f"To: <{recipients[0]}>", f"Subject: {subject}"]
        if message_id:
            lines.append(f"Message-ID: <{message_id}>")
        try:
            refused = {}
            client.mail(sender)
            for recipient in recipients:
                code, text = client.rcpt(recipient)
                if code != 250:
                    refused[recipient] = (code, text.decode(errors="replace"))
            if len(refused) == len(recipients):
                client.rset()
                code, text = refused[recipients[-1]]
                return code, text, refused
            code, text = client.data(message or "\r\n".join([*lines, "", "Hello.", ""]))
            return code, text.decode(errors="replace"), refused
        finally:
            if own:
                with contextlib.suppress(smtplib.SMTPException, OSError):
                    client.quit()

    def mail_of(self, user, is_it=lambda text: True):
        """Waits for a delivered message of `user` for which `is_it` holds; its text."""
        def found():
            for path in (self.mailboxes / user / "new").glob("*"):
                text = path.read_bytes()
                if is_it(text):
                    return text
            return None

        return wait_until(f"a message in the mailbox of {user}", found)

    # ---- what mailguard says ----

    def check(self, name, **where):
        """What the check `name` finds now."""
        return self.checks(name, **where)[name]

    def checks(self, *names, launcher=(), environment=None):
        """Checks run now in a process of their own, by id; `launcher`: a command before it (nsenter, unshare ...)."""
        done = subprocess.run([*launcher, BUILD / "mailguardctl", "-c", self.conf, "check", *names, "--json"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, env={**os.environ, **(environment or {})}, timeout=DEADLINE_S * 2)
        if not done.stdout:
            raise RuntimeError(f"check {' '.join(names)}: exit {done.returncode}: {done.stderr}")
        return {found["id"]: found for found in json.loads(done.stdout)["checks"]}

    def type(self, command):
        """Types a remedy as it is printed; mailguard's own configuration is elsewhere here."""
        command = command.replace("mailguardctl ", f"mailguardctl -c {self.conf} ")
        done = subprocess.run(command, shell=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, "PATH": f"{BUILD}:/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG": str(self.etc)})
        if done.returncode != 0:
            raise RuntimeError(f"{command}: exit {done.returncode}: {done.stderr}")
        self.age()

    def recent(self, *words):
        return self.mailguard.json("recent", *words)["transactions"]

    def record(self, is_it, what="the record"):
        """Waits for a transaction for which `is_it` holds."""
        return wait_until(what, lambda: next((txn for txn in self.recent("--limit", "1000") if is_it(txn)), None))


def queue_id_of(text):
    """The queue id in Postfix's "queued as" reply."""
    return text.rsplit("queued as ", 1)[1].split()[0] if "queued as " in text else ""
