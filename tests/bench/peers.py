"""The others that check senders, from Debian's packages, in a network of their own where the benchmark's DNS answers."""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading

from servers import Server, lab, program

START_S = 120  # rspamd takes its time

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"

OPENDKIM = """\
Mode v
Socket local:{socket}
AuthservID mail.local.example
AlwaysAddARHeader yes
Nameservers 127.0.0.1
Background no
Syslog no
UMask 0000
"""
OPENDMARC = """\
Socket local:{socket}
AuthservID mail.local.example
TrustedAuthservIDs mail.local.example
SPFIgnoreResults true
SPFSelfValidate true
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
Background false
Syslog false
UMask 0000
"""
RSPAMD = """\
options {{
    pidfile = "{root}/rspamd.pid"; tempdir = "{root}"; hs_cache_dir = "{root}";
    control_socket = "{root}/control.sock mode=0600"; url_tld = "/usr/share/rspamd/effective_tld_names.dat";
    filters = "dkim"; local_addrs = []; local_networks = ""; disable_monitoring = true;
    dns {{ nameserver = ["127.0.0.1:53:1"]; timeout = 2s; retransmits = 2; }}
}}
logging {{ type = "file"; filename = "{root}/rspamd.log"; level = "warning"; }}
worker "rspamd_proxy" {{
    bind_socket = "{socket} mode=0666"; milter = yes; timeout = 60s; count = {count};
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
actions {{ reject = 1000; }}
modules {{ {modules} }}
dkim {{ }}
spf {{ }}
arc {{ }}
dmarc {{ }}
milter_headers {{
    use = ["authentication-results"]; skip_local = false; skip_authenticated = false;
    routines {{ authentication-results {{ add_smtp_user = false; }} }}
}}
"""
RSPAMD_MODULES = ("arc", "dmarc", "milter_headers", "spf")


def is_installed(*programs):
    return all(shutil.which(name, path=PATH) for name in programs)


def not_measured(name):
    setup = (lab.TOP / "scripts" / "setup.sh").read_text()
    packages = re.search(r'^PACKAGES_BENCH="([^"]*)"', setup, re.MULTILINE).group(1)
    return f"{name} is not installed and not measured; all peers: apt-get install --no-install-recommends {packages}"


class World:
    """A network namespace with nothing but loopback, and /etc/resolv.conf that names the DNS server in it."""

    def __init__(self, root):
        self.resolv_conf, self.holder = root / "resolv.conf", None

    def __enter__(self):
        self.resolv_conf.write_text("nameserver 127.0.0.1\n")
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c",
             'ip link set lo up && mount --bind "$0" /etc/resolv.conf && echo ready && exec cat >/dev/null', self.resolv_conf],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PATH": PATH})
        if not self.holder.stdout.readline():
            raise RuntimeError("no network namespace can be made here: this part needs root, unshare and ip")
        return self

    def __exit__(self, *_):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()

    @property
    def launcher(self):
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", "--"]

    def start(self, *command, **how):
        return subprocess.Popen([*self.launcher, *map(str, command)], env={**os.environ, "PATH": PATH},
                                **{"stdin": subprocess.DEVNULL, **how})


class Dns:
    """dns_load_server in a world, and what it was asked."""

    def __init__(self, world, records):
        self.world, self.records, self.process = world, records, None

    def __enter__(self):
        self.process = self.world.start(program("dns_load_server"), "127.0.0.1", 53, *self.records,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.delay(0)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def delay(self, milliseconds):
        """Sets the delay of all answers; the questions so far, {kind: count}."""
        self.process.stdin.write(f"{milliseconds}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("dns_load_server ended")
        return json.loads(answer)


class Milters(Server):
    """Milters that get each message one after another."""

    def __init__(self, world, root):
        super().__init__()
        self.world, self.root = world, root / self.name.replace("+", "-")
        self.root.mkdir()
        self.milter = [self.root / f"{name}.sock" for name in self.programs]
        self.processes = []

    def pids(self):
        return [pid for process in self.processes for pid in Server(process).pids()]

    def start(self):
        with open(self.root / "log", "ab") as log:
            self.processes = [self.world.start(*command, stdout=log, stderr=log) for command in self.commands()]
        lab.wait_until(f"{self.name} listens", self.is_ready, START_S)
        return self

    def is_ready(self):
        if any(process.poll() is not None for process in self.processes):
            raise RuntimeError(f"{self.name} ended: " + (self.root / "log").read_text(errors="replace")[-1000:])
        return all(path.exists() for path in self.milter)

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        self.processes = []


class OpenDkimOpenDmarc(Milters):
    name, programs = "opendkim+opendmarc", ("opendkim", "opendmarc")

    def commands(self):
        dkim, dmarc = self.root / "opendkim.conf", self.root / "opendmarc.conf"
        dkim.write_text(OPENDKIM.format(socket=self.milter[0]))
        dmarc.write_text(OPENDMARC.format(socket=self.milter[1]))
        return [["opendkim", "-f", "-x", dkim], ["opendmarc", "-f", "-c", dmarc]]


class Rspamd(Milters):
    """Its proxy worker scans by itself, one worker for each processor; only the sender's checks and no Redis."""
    name, programs = "rspamd", ("rspamd",)

    def commands(self):
        conf = self.root / "rspamd.conf"
        modules = " ".join(f'path = "/usr/share/rspamd/plugins/{name}.lua";' for name in RSPAMD_MODULES)
        conf.write_text(RSPAMD.format(root=self.root, socket=self.milter[0], modules=modules, count=os.cpu_count()))
        self.root.chmod(0o777)
        return [["rspamd", "--no-fork", "--insecure", "--config", conf]]


class PolicydSpf:
    """policyd-spf as spawn(8) runs it: a process for each connection, which is its stdin and stdout."""
    name = "policyd-spf"

    def __init__(self, world, root):
        self.world, self.policy = world, root / "policyd-spf.sock"
        self.processes, self.ended_cpu_s = [], 0

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.policy))
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    self.processes.append(self.world.start("policyd-spf", stdin=connection, stdout=connection))

    def cpu_s(self):
        """User and system time of all processes so far; waits for their end."""
        for process in self.processes:
            _, process.returncode, usage = os.wait4(process.pid, 0)
            self.ended_cpu_s += usage.ru_utime + usage.ru_stime
        self.processes = []
        return self.ended_cpu_s

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for process in self.processes:
            process.kill()
        self.cpu_s()
