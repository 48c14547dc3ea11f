"""Rate limits by policy: mailguard, postfwd and policyd-rate-limit, each holding limits over the same senders, in one run.

The limits are so wide that nobody reaches them: what is measured is looking and counting.
"""
import contextlib
import os
import pwd
import signal
import socket
import subprocess

import parts
from peers import is_installed, not_measured
from servers import Mailguard, NO_AUTH, Null, Server, lab, measured

WIDE = 1000000
KEYS = ("sender", "sender_domain", "client", "client_net", "recipient")
FEW = 3000  # requests a round for the peers, which take their time
PEER_CONNECTIONS = 2  # policyd-rate-limit lets few wait


def five_limits():
    rows = ", ".join(f'{{ name = "{key}"; key = "{key}"; count = "recipients"; limit = {WIDE}; per = "1h"; }}' for key in KEYS)
    return f"rate = {{ limits = ( {rows} ); }};"


class Peer(Server):
    """A peer on a unix socket; nothing of it is counted but its answers."""

    def figures(self):
        return {"requests": 0, "transactions": 0, "dropped": 0}

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/bin"})
        lab.wait_until(f"{self.name} listens", self.is_listening)
        return self

    def is_listening(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.policy))
            return True
        return False

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        self.process = None


class PolicydRateLimit(Peer):
    """Counts by sender and by client address alone, in SQLite: two limits in two windows each are nearest to five."""
    name, answer = "policyd-rate-limit (sender, client)", "dunno"

    def __init__(self, root):
        super().__init__()
        self.policy = root / "policyd.sock"
        conf = root / "policyd.yaml"
        owner = pwd.getpwnam("nobody")
        place = root / "policyd"
        place.mkdir()
        os.chown(place, owner.pw_uid, owner.pw_gid)
        self.policy = place / "policy"
        conf.write_text(f"""debug: False
user: "nobody"
group: "nogroup"
pidfile: "{place}/pid"
sqlite_config:
    database: "{place}/db.sqlite3"
backend: 0
SOCKET: "{self.policy}"
socket_permission: 0666
limits:
    - [{WIDE}, 3600]
    - [{WIDE}, 86400]
limits_by_id: {{}}
limit_by_sasl: True
limit_by_sender: True
limit_by_ip: True
limited_networks: ["192.0.2.0/24"]
success_action: "dunno"
fail_action: "defer_if_permit over"
db_error_action: "dunno"
report: False
report_limits: [86400]
smtp_server: ["localhost", 25]
smtp_starttls: False
smtp_credentials: null
delay_to_close: 300
""")
        self.command = ["policyd-rate-limit", "--file", conf]


class Postfwd(Peer):
    name, answer = "postfwd (five rate rules)", "DUNNO"

    def __init__(self, root):
        super().__init__()
        place = root / "postfwd"
        place.mkdir(mode=0o777)
        place.chmod(0o777)
        self.policy = place / "policy"
        rules = [item for at, key in enumerate(("sender", "sender_domain", "client_address", "client_name", "recipient"))
                 for item in ("--rule", f"id=R{at}; action=rate({key}/{WIDE}/3600/DEFER over)")]
        self.pid_file = place / "pid"
        self.command = ["postfwd1", "-d", "--proto", "unix", "--port", self.policy, "--umask", "0000", "--user", "nobody",
                        "--group", "nogroup", "--pidfile", self.pid_file, "--cache", "0", *rules]

    def pids(self):
        return [int(self.pid_file.read_text())]

    def start(self):
        super().start()
        self.process.wait()  # it goes on in the background
        return self

    def stop(self):
        if self.process is not None:
            os.kill(self.pids()[0], signal.SIGTERM)
        self.process = None


def policy_limits(tell, size, root):
    root.chmod(0o755)
    ours = [Null("null_policy", root), Mailguard(root, "mailguard no limit", more=NO_AUTH + "rate = { limits = ( ); };"),
            Mailguard(root, "mailguard five limits", more=NO_AUTH + five_limits())]
    notes = [f"{parts.POLICY_CONNECTIONS} connections, {size.requests} requests a round ({FEW} for the peers), each a message of "
             f"its own at RCPT, 100,000 senders, medians of {size.rounds} rounds"]
    with parts.running(*ours):
        rows = parts.policy_rounds(tell, size, ours, size.requests)
    for peer, program in ((Postfwd, "postfwd1"), (PolicydRateLimit, "policyd-rate-limit")):
        if not is_installed(program):
            notes.append(not_measured(program))
            continue
        server = peer(root)
        with parts.running(server):
            results = parts.alternate(tell, [server], min(size.rounds, 3), lambda one: measured(
                one, "policy_load", one.policy, FEW, "-c", PEER_CONNECTIONS, "-A", one.answer))
        rows += parts.door_rows(results, ("wait",), FEW, floor=rows[0])
    return rows, notes
