"""A private Postfix in network namespaces of its own: the server's, and a stranger's, joined by a cable that leads nowhere else."""
import contextlib
import itertools
import os
import subprocess
import sys

from lab import Lab, MASTER_CF

COUNTER = itertools.count()
SERVER, STRANGER = "198.51.100.1", "203.0.113.66"
# What the stranger's machine does: one dialogue; prints the replies' codes to RCPT and, if taken, to the message.
CLIENT = """
import smtplib, sys
host, port, helo, sender, recipient = sys.argv[1:]
client = smtplib.SMTP(timeout=20, local_hostname=helo or "x")
try:
    client.connect(host, int(port))
    if helo:
        client.helo(helo)
    client.mail(sender)
    code = client.rcpt(recipient)[0]
    print(code, client.data(b"Subject: x\\r\\n\\r\\nx\\r\\n")[0] if code == 250 else 0)
except (smtplib.SMTPException, OSError) as error:
    print(0, 0, type(error).__name__, file=sys.stdout)
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class StrangersLab(Lab):
    """Lab whose Postfix runs in its own namespace, on port 25 of SERVER; stranger() speaks from STRANGER."""

    def __init__(self, main_cf="", master_cf="", smtp="smtp inet n - n - - smtpd\n"):
        self.names = [f"mg{os.getpid()}x{next(COUNTER)}{end}" for end in "ab"]
        self.namespaces = []
        super().__init__()
        self.master_cf, self.smtp = master_cf, smtp
        self.configure(main_cf)
        self._join()

    def configure(self, main_cf):
        own = "\n".join(["inet_interfaces = all", "inet_protocols = ipv4", "smtpd_authorized_xclient_hosts =",
                         "default_transport = smtp:[203.0.113.66]:2525", "transport_maps =", "smtp_bind_address =", main_cf])
        self._write_postfix(own + "\n", "")
        lines = (self.etc / "main.cf").read_text().splitlines()
        last = {line.split("=")[0].strip(): line for line in lines if "=" in line}  # each once: postlogd hangs on its own warnings
        (self.etc / "main.cf").write_text("\n".join(last.values()) + "\n")
        main = self.etc / "master.cf"
        services = "".join(line for line in MASTER_CF.splitlines(True) if not line.startswith("127.0.0.1:"))
        main.write_text(self.smtp + services + self.master_cf)
        self.age()

    def _join(self):
        server, stranger = self.names
        for name in self.names:
            ip("netns", "add", name)
            self.namespaces.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", server, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", stranger)
        for name, address in ((server, SERVER), (stranger, STRANGER)):
            ip("-n", name, "address", "add", address + "/32", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        ip("-n", server, "route", "add", STRANGER, "dev", "cable")
        ip("-n", stranger, "route", "add", SERVER, "dev", "cable")

    def postfix(self, *words):
        return subprocess.run(["ip", "netns", "exec", self.names[0], "postfix", "-c", self.etc, *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={**os.environ, "MAIL_CONFIG": str(self.etc)})

    def is_listening(self):
        return (self.queue / "pid" / "master.pid").exists()

    def stranger(self, sender="a@stranger.example", recipient="victim@foreign.example", helo="stranger.example", port=25):
        """"250 250": relayed; the codes of RCPT and of the message."""
        done = subprocess.run(["ip", "netns", "exec", self.names[1], sys.executable, "-c", CLIENT, SERVER, str(port), helo,
                               sender, recipient], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def close(self):
        try:
            super().close()
        finally:
            for name in self.namespaces:
                with contextlib.suppress(subprocess.CalledProcessError):
                    ip("netns", "del", name)
