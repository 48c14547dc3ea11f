"""A private Dovecot: own configuration, ports and directories, with the machine's programs and accounts."""
import os
import pathlib
import signal
import subprocess

from lab import free_port, wait_until

CONF = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
mail_location = maildir:{root}/mail/%u
ssl = {ssl}
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
{more}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={root}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"""


class Dovecot:
    """Its directory is world-readable, as login processes lose their rights; cert.pem and key.pem are put there first."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        for name in ("", "run", "state", "mail"):
            (self.root / name).mkdir(exist_ok=True)
            (self.root / name).chmod(0o755)
        self.ports = {name: free_port() for name in ("imap", "imaps", "pop3", "pop3s")}
        self.conf = self.root / "dovecot.conf"
        self.write()

    def write(self, ssl="yes", more=""):
        self.conf.write_text(CONF.format(root=self.root, ssl=ssl, more=more, **self.ports))

    def start(self):
        with open(self.root / "start.log", "w") as output:  # a pipe would stay open in the daemon
            done = subprocess.run(["dovecot", "-c", self.conf], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        if done.returncode != 0:
            raise RuntimeError("the private Dovecot did not start: " + (self.root / "start.log").read_text())
        return self

    def reload(self):
        subprocess.run(["doveadm", "-c", self.conf, "reload"], check=True, capture_output=True)

    def stop(self):
        pid_file = self.root / "run" / "master.pid"
        if pid_file.exists():
            pid = int(pid_file.read_text())
            os.kill(pid, signal.SIGTERM)
            wait_until("Dovecot is down", lambda: not pathlib.Path(f"/proc/{pid}").exists(), 10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
