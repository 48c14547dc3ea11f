"""Limits shared by two mail servers through one Redis: exact together, local when it is away, together again by itself."""
import concurrent.futures
import contextlib
import pathlib
import shutil
import signal
import subprocess
import tempfile

from lab import Lab, wait_until
from run import quick

STRANGER = "203.0.113.66"


class Redis:
    """A private redis-server on a unix socket."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="mailguard-redis-"))
        self.root.chmod(0o755)
        self.socket = self.root / "redis.sock"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "777", "--save", "", "--dir", self.root],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("redis answers", lambda: b"PONG" in self.cli("ping"))
        return self

    def cli(self, *words):
        return subprocess.run(["redis-cli", "-s", self.socket, *words], capture_output=True).stdout

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def conf(self, limit=6):
        return (f'state = {{ store = "redis+unix://{self.socket}"; snapshot = ""; }};\n'
                f'rate = {{ limits = ( {{ name = "rcpt"; key = "sender"; count = "recipients"; limit = {limit}; per = "1h"; }} ); }};')


def shared_lab(redis, **more):
    lab = Lab(conf=redis.conf(**more))
    lines = [line for line in lab.conf.read_text().splitlines() if not (line.startswith("state =") and "redis" not in line)]
    lab.conf.write_text("\n".join(lines) + "\n")
    return lab


def is_shared(lab):
    return lab.mailguard.json("check", "state.store")["checks"][0]["state"] == "ok"


def send_many(lab, sender, n):
    return sum(lab.send(sender, "ann@local.example", address=STRANGER)[0] == 250 for _ in range(n))


@quick
def test_two_servers_hold_one_limit_together():
    with Redis() as redis, shared_lab(redis) as one, shared_lab(redis) as two:
        for lab in (one, two):
            lab.start()
            wait_until("the store answers", lambda lab=lab: is_shared(lab))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(send_many, lab, "zoe@s.example", 3) for lab in (one, two, one, two)]
            assert sum(future.result() for future in sent) == 6, "exactly the limit, together"
        client = one.smtp(address=STRANGER)
        client.mail("eve@s.example")
        assert client.rcpt("ann@local.example")[0] == 250
        client.close()
        wait_until("what was cut off is given back", lambda: send_many(two, "eve@s.example", 1) == 1)
        assert send_many(two, "eve@s.example", 6) == 5
        assert two.mailguard.json("limits", "show", "sender:eve@s.example")["limits"][0]["used"] == 6


def test_away_hung_and_back():
    with Redis() as redis, shared_lab(redis, limit=3) as lab:
        lab.start()
        wait_until("the store answers", lambda: is_shared(lab))
        assert send_many(lab, "a@s.example", 4) == 3
        redis.process.send_signal(signal.SIGSTOP)
        assert send_many(lab, "b@s.example", 4) == 3, "this machine's own limit meanwhile"
        found = lab.mailguard.json("check", "state.store")["checks"][0]
        assert found["state"] == "crit" and "redis-cli" in found["fix"], found
        redis.process.send_signal(signal.SIGCONT)
        wait_until("it came back by itself", lambda: is_shared(lab))
        assert send_many(lab, "a@s.example", 1) == 0
        redis.kill()
        assert send_many(lab, "c@s.example", 4) == 3
        redis.start()
        wait_until("it came back by itself", lambda: is_shared(lab))
        assert send_many(lab, "d@s.example", 4) == 3


def test_changed_by_a_reload_and_bad_ones_refused():
    with Redis() as redis, shared_lab(redis, limit=3) as lab:
        text = lab.conf.read_text()
        lab.conf.write_text(text.replace(f'store = "redis+unix://{redis.socket}"', 'store = "memory"'))
        lab.start()
        assert send_many(lab, "a@s.example", 4) == 3
        lab.conf.write_text(text)
        assert lab.mailguard.ctl("reload").returncode == 0
        wait_until("the store answers", lambda: is_shared(lab))
        assert send_many(lab, "b@s.example", 4) == 3
        assert redis.cli("dbsize").strip() != b"0"
        lab.conf.write_text(text.replace("redis+unix://", "redis:///"))
        done = lab.mailguard.ctl("reload")
        assert done.returncode == 1 and "state.store" in done.stderr, done.stderr
        lab.conf.write_text(text.replace(f'store = "redis+unix://{redis.socket}"', 'store = "memory"'))
        assert lab.mailguard.ctl("reload").returncode == 0
        assert send_many(lab, "b@s.example", 1) == 0, "what the store said is known here too"
