"""What is measured without a Postfix: the two doors, the journal's disk, memory, and `status` under load.

Each part returns its rows and its notes. A and B alternate, round by round: a machine that slows down slows both.
"""
import contextlib
import pathlib
import statistics
import subprocess
import tempfile

import servers
from servers import Mailguard, Null, lab, load, measured, program

SESSIONS, POLICY_CONNECTIONS, IDLE, IDLE_CALLS = 16, 64, 500, 100
BURST = 9000  # fits MG_JOURNAL_QUEUE
FAST_DISK = pathlib.Path("/dev/shm")


class Size:
    """How much of everything: the full run, or a smoke test."""

    def __init__(self, is_quick):
        self.rounds = 1 if is_quick else 5
        self.messages = 2000 if is_quick else 20000
        self.requests = 10000 if is_quick else 100000
        self.letters = 1000 if is_quick else 10000
        self.domains = 300 if is_quick else 3000
        self.traced = 50 if is_quick else 200
        self.idle = IDLE
        self.mails = 300 if is_quick else 10000
        self.mail_rounds = 1 if is_quick else 3


@contextlib.contextmanager
def running(*them):
    try:
        for server in them:
            server.start()
        yield them
    finally:
        for server in them:
            server.stop()


def medians(rounds):
    """The median of each number over the rounds, nested tables too."""
    first = rounds[0]
    if isinstance(first, dict):
        return {key: medians([one[key] for one in rounds]) for key in first}
    return statistics.median(rounds) if isinstance(first, (int, float)) else first


def alternate(tell, them, rounds, one_round):
    """{name: [result, ...]}; every second round runs backwards."""
    results = {server.name: [] for server in them}
    for number in range(rounds):
        for server in them if number % 2 == 0 else reversed(them):
            tell(f"round {number + 1} of {rounds}: {server.name}")
            results[server.name].append(one_round(server))
    return results


def check_counted(results, key, count, probes=0):
    """mailguard has counted what was sent; its probes of itself may come on top."""
    for name, rounds in results.items():
        for one in rounds:
            if one["counted"] and not count <= one["counted"][key] <= count + probes:
                raise RuntimeError(f"{name}: {count} sent, {one['counted'][key]} {key} counted")


def door_rows(results, waits, count, floor=None):
    """A row per server, ratios to the first or to `floor`. Unrecorded: the share that found the journal's queue full."""
    rows = []
    for name, rounds in results.items():
        middle = medians(rounds)
        floor = floor or middle
        row = {"what": name, "per_s": middle["per_s"], "per_s_ratio": middle["per_s"] / floor["per_s"],
               "cpu_us": middle["cpu_us"], "cpu_ratio": middle["cpu_us"] / floor["cpu_us"],
               "late_cpu_us": middle["late_cpu_us"]}
        for wait in waits:
            row.update({f"{wait}_{share}_us": middle[f"{wait}_us"][share] for share in ("p50", "p90", "p99", "max")})
        row["unrecorded"] = sum(one["counted"].get("dropped", 0) for one in rounds) / count / len(rounds)
        rows.append(row)
    return rows


def milter_rounds(tell, size, them):
    results = alternate(tell, them, size.rounds, lambda server: measured(
        server, "milter_load", server.milter, size.messages, "-c", SESSIONS))
    if len({one["steps"] for rounds in results.values() for one in rounds}) != 1:
        raise RuntimeError("the null milter and mailguard negotiate different steps: update null_milter.c")
    check_counted(results, "transactions", size.messages)
    return door_rows(results, ("rcpt", "eom"), size.messages)


def policy_rounds(tell, size, them, count, floor=None):
    results = alternate(tell, them, size.rounds, lambda server: measured(
        server, "policy_load", server.policy, count, "-c", POLICY_CONNECTIONS))
    check_counted(results, "requests", count, probes=5)
    return door_rows(results, ("wait",), count, floor)


def milter(tell, size, root):
    with running(Null("null_milter", root), Mailguard(root)) as them:
        return milter_rounds(tell, size, them), [
            f"{SESSIONS} sessions, {size.messages} messages of 10 KiB a round, medians of {size.rounds} rounds",
            "CPU is user and system of all its processes, until the last record is written; late CPU is the part of it "
            "after the last reply"]


def policy(tell, size, root):
    with running(Null("null_policy", root), Mailguard(root)) as them:
        rows = policy_rounds(tell, size, them, size.requests)
        burst, = policy_rounds(tell, size, them[1:], BURST, floor=rows[0])
    return [*rows, {**burst, "what": "mailguard, in bursts"}], [
        f"{POLICY_CONNECTIONS} connections, {size.requests} requests a round, each a message of its own at RCPT, "
        f"100,000 senders, no rate limit, medians of {size.rounds} rounds",
        "unrecorded: the share of records that found the journal's queue full, as the load never pauses; what is not "
        f"recorded costs less, so the last row is the true CPU: bursts of {BURST} that the queue can hold"]


def bench_journal(tell, root):
    binary = servers.BUILD / "tests" / "bench" / "bench_journal"
    if not binary.exists():
        return ["tests/bench/bench_journal is not built: records/s of the journal alone are not measured"]
    tell("bench_journal")
    done = subprocess.run([binary, root], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    return ["bench_journal: " + line for line in (done.stdout + done.stderr).strip().splitlines()]


def limits(tell, size, root):
    """The rate limiter's memory alone; the snapshot is made in `root`."""
    binary = servers.BUILD / "tests" / "bench" / "bench_limits"
    if not binary.exists():
        return [], ["skipped: tests/bench/bench_limits is not built"]
    notes = []
    for keys in (200000,) if size.rounds == 1 else (200000, 10000000):
        tell(f"{keys} keys")
        done = subprocess.run([binary, root, str(keys)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=600)
        notes += (done.stdout + done.stderr).strip().splitlines()
    return [], notes


def journal(tell, size, root):
    notes = ["the journal has no off switch, so on against off can't be measured; this is a disk "
             "against memory, and the floor without any record"]
    if not FAST_DISK.is_dir():
        return [], [*notes, f"skipped: there is no {FAST_DISK}"]
    with tempfile.TemporaryDirectory(prefix="mailguard-bench-", dir=FAST_DISK) as fast:
        disk, memory = Mailguard(root, "journal on disk"), Mailguard(root, "journal in memory", pathlib.Path(fast))
        floors = Null("null_milter", root), Null("null_policy", root)
        with running(*floors, disk, memory):
            rows = [{"door": "milter", **row} for row in milter_rounds(tell, size, (floors[0], disk, memory))]
            rows += [{"door": "policy", **row} for row in policy_rounds(tell, size, (floors[1], disk, memory), BURST)]
    if size.rounds > 1:
        notes += bench_journal(tell, root)
    return rows, notes


def stable_pss(server):
    seen = []

    def is_stable():
        seen.append(server.pss_bytes())
        lab.select_pause(0.2)
        return len(seen) > 3 and max(seen[-4:]) - min(seen[-4:]) <= 32768
    lab.wait_until(f"{server.name}'s memory is steady", is_stable, 60)
    return seen[-1]


def pss_with_idle(size, server):
    holder = subprocess.Popen([program("milter_load"), "-i", str(size.idle), *servers.urls(server.milter)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if not holder.stdout.readline():
            raise RuntimeError("milter_load could not hold its sessions")
        if server.figures():
            lab.wait_until("all sessions are known", lambda: server.figures()["sessions"] == size.idle)
        return stable_pss(server)
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()


def memory_row(tell, size, server):
    tell(f"memory of {server.name}")
    empty, full = stable_pss(server), pss_with_idle(size, server)
    load("milter_load", "-m", size.messages, f"unix:{server.milter}")
    server.wait_quiet()
    return {"what": server.name, "pss_kib_0": empty / 1024, f"pss_kib_{size.idle}": full / 1024,
            "bytes_per_session": (full - empty) / size.idle, "pss_kib_after_load": stable_pss(server) / 1024}


def memory(tell, size, root):
    with running(Null("null_milter", root), Mailguard(root)) as them:
        rows = [memory_row(tell, size, server) for server in them]
    return rows, [f"PSS of all processes, without and with {size.idle} idle milter sessions (HELO done), and after "
                  f"{size.messages} messages"]


def status_times(server, is_over):
    times = []
    while not is_over():
        times.append(servers.timed(lambda: server.call("status")) * 1e6)
        lab.select_pause(0.01)
    times.sort()
    return {"calls": len(times), "p50_us": times[len(times) // 2], "p99_us": times[int(len(times) * 0.99)],
            "max_us": times[-1]}


def status(tell, size, root):
    with running(Mailguard(root)) as (server,):
        tell("status, idle")
        left = iter(range(IDLE_CALLS, -1, -1))
        idle = status_times(server, lambda: next(left) == 0)
        tell("status, under load")
        worker = subprocess.Popen([program("milter_load"), "-m", str(size.messages * 3), f"unix:{server.milter}"],
                                  stdout=subprocess.DEVNULL)
        busy = status_times(server, lambda: worker.poll() is not None)
        if worker.returncode != 0:
            raise RuntimeError("milter_load failed while status was asked")
    return [{"what": "idle", **idle}, {"what": f"{SESSIONS} milter sessions at full speed", **busy}], [
        "connect, one JSON-RPC call of status, answer read; the caller competes with the load for the processors"]
