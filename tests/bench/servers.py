"""The programs under measurement, each private: a null server or mailguardd, its CPU time and its memory."""
import contextlib
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))
import lab  # noqa: E402

BUILD = lab.BUILD
CPUCLOCK_SCHED = 2  # a process's CPU clock, as clock_getcpuclockid(3) makes it
QUIET_S, QUIET_CPU_S = 0.2, 0.01
MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.local.example
virtual_mailbox_domains = local.example
"""
CONF = """\
user = "";
milter = {{ listen = "{milter}"; }};
policy = {{ listen = "unix:{root}/policy.sock"; }};
control = {{ listen = "unix:{root}/control.sock"; group = ""; }};
http = {{ listen = ""; }};
postfix = {{ config_directory = "{root}/etc"; log = "off"; }};
journal = {{ path = "{journal}/journal.db"; }};
state = {{ snapshot = "{root}/state.db"; }};
{more}
"""
NO_AUTH = 'auth = { spf = "off"; dkim = "off"; arc = "off"; dmarc = "off"; iprev = "off"; };'


def program(name):
    path = BUILD / "tests" / "bench" / name
    if not path.exists():
        raise SystemExit(f"{path} is not built: run make bench")
    return path


def children_of(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            for child in (task / "children").read_text().split():
                found += [int(child), *children_of(child)]
    return found


class Server:
    """A process with its children."""
    name = "?"

    def __init__(self, process=None):
        self.process = process

    def pids(self):
        return [self.process.pid, *children_of(self.process.pid)]

    def cpu_s(self):
        """User and system time of all its processes and threads, living and ended."""
        return sum(time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED) for pid in self.pids())

    def pss_bytes(self):
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def wait_quiet(self):
        """Until it has written and freed what a load left behind."""
        before = self.cpu_s()

        def is_quiet():
            nonlocal before
            lab.select_pause(QUIET_S)
            now = self.cpu_s()
            still, before = now - before <= QUIET_CPU_S, now
            return still
        lab.wait_until(f"{self.name} is quiet", is_quiet, 120)

    def figures(self):
        """What it counted so far; nothing for a null server."""
        return {}


class Null(Server):
    def __init__(self, binary, root, launcher=()):
        super().__init__()
        self.launcher = launcher
        self.name = binary.replace("_", " ")
        self.end = signal.SIGTERM if launcher else signal.SIGKILL  # libmilter takes seconds over a polite stop
        self.binary, self.socket = program(binary), root / f"{binary}.sock"

    @property
    def milter(self):
        return self.socket

    policy = milter

    def start(self):
        self.process = subprocess.Popen([*self.launcher, self.binary, f"unix:{self.socket}"], stdin=subprocess.DEVNULL)
        lab.wait_until(f"{self.name} listens", self.socket.exists)
        return self

    def stop(self):
        if self.process is not None:
            self.process.send_signal(self.end)
            self.process.wait()
            self.socket.unlink(missing_ok=True)
        self.process = None


class Mailguard(Server):
    """`more`: the rest of its configuration; `launcher`: a command that runs the daemon."""

    def __init__(self, root, name="mailguard", journal=None, more=NO_AUTH, launcher=(), has_milter=True):
        super().__init__()
        self.name, self.root = name, root / name.replace(" ", "-").replace("/", "-")
        (self.root / "etc").mkdir(parents=True)
        (self.root / "etc" / "main.cf").write_text(MAIN_CF)
        (self.root / "etc" / "master.cf").touch()
        self.milter, self.policy = self.root / "milter.sock", self.root / "policy.sock"
        self.journal = (journal or self.root) / "journal.db"
        conf = self.root / "mailguard.conf"
        conf.write_text(CONF.format(root=self.root, journal=journal or self.root, more=more,
                                    milter=f"unix:{self.milter}" if has_milter else ""))
        self.daemon = lab.Mailguard(conf, self.root / "mailguard.log", launcher=launcher)

    def start(self):
        self.daemon.start()
        self.process = self.daemon.process
        return self

    def stop(self):
        self.daemon.stop()
        self.process = None

    def call(self, method):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(lab.DEADLINE_S)
            link.connect(str(self.root / "control.sock"))
            link.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                piece = link.recv(65536)
                if not piece:
                    raise RuntimeError(f"{method}: the daemon closed the connection")
                answer += piece
        return json.loads(answer)["result"]

    def figures(self):
        status = self.call("status")
        figures = status["figures"]
        return {"transactions": status["transactions"]["total"], "dropped": figures["journal_dropped"],
                "requests": figures["policy_requests"], "sessions": figures["milter_sessions"]}


def load(binary, *words):
    """Runs a load generator to its end; its JSON, or an exception with what it complained of."""
    done = subprocess.run([program(binary), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip() or f"{binary}: exit {done.returncode}")
    return json.loads(done.stdout)


def urls(doors):
    """`doors`: a socket's path, or several that get the same message one after another."""
    return [f"unix:{door}" for door in (doors if isinstance(doors, list) else [doors])]


def measured(server, binary, doors, count, *words):
    """One round: the load's own figures, the CPU it cost the server to the end of its work, what it dropped."""
    server.wait_quiet()
    cpu_s, before = server.cpu_s(), server.figures()
    result = load(binary, "-m", count, *words, *urls(doors))
    at_end_s = server.cpu_s()
    server.wait_quiet()
    after = server.figures()
    result["cpu_us"] = (server.cpu_s() - cpu_s) / count * 1e6
    result["late_cpu_us"] = (server.cpu_s() - at_end_s) / count * 1e6
    result["counted"] = {key: after[key] - before[key] for key in after}
    return result


def timed(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start
