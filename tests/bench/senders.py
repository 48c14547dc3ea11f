"""What the checks of the sender cost: CPU and time per message with DNS warm, the wait and the questions with DNS cold,
SPF by policy; beside the bare cryptography and the peers.

No peer is measured that does nothing: each message must come back with the fields that say it passed.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess

import peers
import servers
from parts import SESSIONS, alternate, check_counted, medians, pss_with_idle, running, stable_pss
from servers import Mailguard, Null, lab, load, measured, program

DOMAINS, BODY = 16, 10240
PACE_MS, RTT_MS, CROWD = 30, 20, 64
PASSES = ("-x", "dkim=pass", "-x", "dkim=pass", "-x", "spf=pass", "-x", "dmarc=pass")
DNS_CONF = 'dns = { servers = ( "127.0.0.1:53" ); };'
SPF_CONF = 'auth = { spf = "enforce"; dkim = "off"; arc = "off"; dmarc = "off"; iprev = "off"; };'
SPF_CONNECTIONS = 4


def sign(root, messages, domains):
    """The file of messages, and the TXT records of its keys."""
    path = root / f"messages-{messages}"
    done = subprocess.run([program("sign_messages"), str(messages), str(domains), str(BODY), path], check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return path, done.stdout.splitlines()


@contextlib.contextmanager
def world_of(root, messages, domains):
    """A network of its own with DNS in it, and the messages of its domains."""
    path, records = sign(root, messages, domains)
    with peers.World(root) as world, peers.Dns(world, records) as dns:
        yield world, dns, path


def milter_peers(world, root):
    """Those installed here, and a note on each that is not."""
    found, notes = [], []
    for peer in (peers.OpenDkimOpenDmarc, peers.Rspamd):
        if peers.is_installed(*peer.programs):
            found.append(peer(world, root))
        else:
            notes.append(peers.not_measured(peer.name))
    return found, notes


def passes(server):
    return () if isinstance(server, Null) else PASSES


def bare_crypto(messages):
    """On all processors at once, as the daemons under load have none to themselves either."""
    them = [subprocess.Popen([program("bare_crypto"), str(messages), str(BODY)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count())]
    return medians([json.loads(process.communicate()[0]) for process in them])


# ---- auth: messages/s and CPU, DNS warm ----

def auth_round(server, path, count):
    words = ["-c", SESSIONS, "-f", path, *passes(server)]
    load("milter_load", "-m", DOMAINS * 10, *words, *servers.urls(server.milter))  # DNS and keys are warm from here on
    one = measured(server, "milter_load", server.milter, count, *words)
    if isinstance(server, Null):
        one["crypto"] = bare_crypto(count // 4)
    return one


def auth_row(name, middle, floor_us, own):
    row = {"what": name, "per_s": middle["per_s"], "cpu_us": middle["cpu_us"],
           "x_F": middle["cpu_us"] / floor_us, "cpu_x_mailguard": middle["cpu_us"] / own["cpu_us"],
           "mailguard_per_s_x": own["per_s"] / middle["per_s"]}
    return {**row, **{f"dot_{share}_us": middle["dot_us"][share] for share in ("p50", "p90", "p99", "max")}}


def auth_rows(results):
    middle = {name: medians(rounds) for name, rounds in results.items()}
    crypto = middle["null milter"]["crypto"]
    floor_us, own = middle["null milter"]["cpu_us"] + crypto["cpu_us"], middle["mailguard"]
    rows = [{"what": "bare crypto", "cpu_us": crypto["cpu_us"], "x_F": crypto["cpu_us"] / floor_us}]
    return rows + [auth_row(name, one, floor_us, own) for name, one in middle.items()], crypto


def auth(tell, size, root):
    with world_of(root, DOMAINS, DOMAINS) as (world, _, path):
        others, notes = milter_peers(world, root)
        own = Mailguard(root, more=DNS_CONF, launcher=world.launcher)
        with running(Null("null_milter", root), own, *others) as them:
            results = alternate(tell, them, size.rounds, lambda server: auth_round(server, path, size.letters))
    check_counted(results, "transactions", size.letters)
    rows, crypto = auth_rows(results)
    return rows, [
        f"{SESSIONS} sessions, {size.letters} messages of 10 KiB a round with an RSA-2048 and an Ed25519 signature, from "
        f"{DOMAINS} domains, all DNS answers in the cache, medians of {size.rounds} rounds",
        f"F is the null milter and the bare crypto (on all processors at once): RSA {crypto['rsa_us']:.1f} us, Ed25519 {crypto['ed25519_us']:.1f} us, "
        f"SHA-256 {crypto['sha256_us']:.1f} us",
        "all but the null milter add fields that say dkim=pass twice, spf=pass and dmarc=pass to every message, or the run "
        "fails; dot: from the first header field to the verdict, of the last milter where there are two",
        *notes]


# ---- dns: every message from a domain never seen, DNS far away ----

def paced(server, path, count, *words):
    return load("milter_load", "-c", CROWD, "-p", 1, "-w", PACE_MS, "-m", count, "-f", path, *words, *passes(server),
                *servers.urls(server.milter))


def asked_by(dns, work):
    """The work's result and the DNS questions that it made, by kind."""
    before = dns.delay(RTT_MS)
    result = work()
    lab.select_pause(3 * RTT_MS / 1000)
    after = dns.delay(0)
    return result, {kind: after[kind] - before[kind] for kind in after}


def dns_row(tell, dns, server, path, count):
    tell(f"{server.name}, {count} new domains")
    empty = stable_pss(server)
    cold, cold_asked = asked_by(dns, lambda: paced(server, path, count))
    server.wait_quiet()
    full = stable_pss(server)
    tell(f"{server.name}, the same again, and a burst")
    warm, warm_asked = asked_by(dns, lambda: paced(server, path, count))
    _, burst = asked_by(dns, lambda: paced(server, path, CROWD, "-a", "-s", count))
    row = {"what": server.name, **{f"cold_{share}_rtt": cold["dot_us"][share] / RTT_MS / 1000 for share in ("p50", "p90", "p99", "max")},
           "warm_p50_rtt": warm["dot_us"]["p50"] / RTT_MS / 1000, "cold_asked": cold_asked["all"] / count,
           "warm_asked": warm_asked["all"] / count, "burst_asked": burst["all"],
           "pss_kib_0": empty / 1024, "pss_kib_after": full / 1024}
    kinds = ", ".join(f"{kind} {number / count:.2f}" for kind, number in cold_asked.items() if number and kind != "all")
    return row, f"{server.name} asks for a message, cold: {kinds}; in the burst: " + ", ".join(
        f"{kind} {number}" for kind, number in burst.items() if number and kind != "all")


def idle_bytes(size, server):
    empty = stable_pss(server)
    return (pss_with_idle(size, server) - empty) / size.idle


def dns_part(tell, size, root):
    rows, notes = [], []
    with world_of(root, size.domains + CROWD, size.domains) as (world, dns, path):
        others, missing = milter_peers(world, root)
        for server in (Mailguard(root, more=DNS_CONF, launcher=world.launcher), *others):
            with running(server):
                row, note = dns_row(tell, dns, server, path, size.domains)
            with running(server):  # afresh: what a session costs is not seen in memory freed before
                rows.append({**row, "idle_session_bytes": idle_bytes(size, server)})
            notes.append(note)
    return rows, [
        f"{CROWD} sessions of one message, {PACE_MS} ms between SMTP commands, {size.domains} messages, each from a domain "
        f"never seen before; rtt: {RTT_MS} ms, the delay of every DNS answer",
        "wait from the dot to the verdict; then the same messages again (warm), and a burst of "
        f"{CROWD} sessions from one new domain; memory without sessions, after the cold messages, and of each of "
        f"{size.idle} idle sessions", *notes, *missing]


# ---- policy-spf ----

def own_spf(tell, size, server):
    def one_round(_):
        before = server.call("status")["auth"]["spf"]["pass"]
        load("policy_load", "-m", 200, "-c", SPF_CONNECTIONS, *servers.urls(server.policy))
        one = measured(server, "policy_load", server.policy, size.letters, "-c", SPF_CONNECTIONS)
        if server.call("status")["auth"]["spf"]["pass"] - before < size.letters:
            raise RuntimeError("mailguard has not checked the SPF of every request")
        return one
    return alternate(tell, (server,), size.rounds, one_round)[server.name]


def spawned_round(server, count):
    """Twice, so that starting Python is not counted: the second load has three times the requests."""
    def cost(requests):
        before_s = server.cpu_s()
        one = load("policy_load", "-m", requests, "-c", SPF_CONNECTIONS, "-A", "prepend Received-SPF: Pass",
                   *servers.urls(server.policy))
        return server.cpu_s() - before_s, one
    less_s, less = cost(count)
    more_s, more = cost(count * 3)
    return {**more, "per_s": 2 * count / (more["seconds"] - less["seconds"]), "cpu_us": (more_s - less_s) / 2 / count * 1e6}


def spf_row(name, middle, own):
    return {"what": name, "per_s": middle["per_s"], "cpu_us": middle["cpu_us"], "cpu_x_mailguard": middle["cpu_us"] / own["cpu_us"],
            **{f"wait_{share}_us": middle["wait_us"][share] for share in ("p50", "p99", "max")}}


def policy_spf(tell, size, root):
    notes = [f"{SPF_CONNECTIONS} connections, each request a message of its own of one domain, DNS warm; the milter is off; "
             "policyd-spf without the cost of starting Python; mailguard must count spf=pass for each request, policyd-spf "
             "answer Received-SPF: Pass; its longest waits are Python's start"]
    with world_of(root, 1, 1) as (world, _, _):
        own = Mailguard(root, more=DNS_CONF + SPF_CONF, launcher=world.launcher, has_milter=False)
        with running(own):
            middle = medians(own_spf(tell, size, own))
        rows = [spf_row(own.name, middle, middle)]
        if not peers.is_installed("policyd-spf"):
            return rows, [*notes, peers.not_measured("policyd-spf")]
        with peers.PolicydSpf(world, root) as other:
            tell("policyd-spf")
            rows.append(spf_row(other.name, medians([spawned_round(other, size.letters // 20) for _ in range(size.rounds)]), middle))
    return rows, notes


# ---- callgrind: instructions, which no busy machine changes ----

def instructions(root):
    """Of all the processes that have ended."""
    total = 0
    for path in pathlib.Path(root).glob("callgrind.*"):
        total += sum(int(line.split()[1]) for line in path.read_text(errors="replace").splitlines()
                     if line.startswith("totals:"))
        path.unlink()
    return total


def under_callgrind(root):
    return ["valgrind", "--quiet", "--tool=callgrind", "--trace-children=yes", "--trace-children-skip=*post*",
            f"--callgrind-out-file={root}/callgrind.%p"]


def per_message(root, count, run):
    """What one more message costs: the same with three times as many, and the difference."""
    total = []
    for messages in (count, count * 3):
        run(messages)
        total.append(instructions(root))
        if total[-1] == 0:
            raise RuntimeError("callgrind has counted nothing")
    return (total[1] - total[0]) / 2 / count


def callgrind(tell, size, root):
    if not shutil.which("valgrind"):
        return [], ["not measured: valgrind is not installed"]
    count, launcher, found = size.traced, under_callgrind(root), {}
    with world_of(root, DOMAINS, DOMAINS) as (world, _, path):
        them = [Null("null_milter", root, launcher), Mailguard(root, more=DNS_CONF, launcher=[*world.launcher, *launcher])]
        for server in them:
            def run(messages):
                with running(server):
                    server.wait_quiet()  # it knows its Postfix, and by that its own name
                    load("milter_load", "-m", messages, "-c", 4, "-f", path, *passes(server), *servers.urls(server.milter))
                    server.wait_quiet()
            tell(server.name)
            found[server.name] = per_message(root, count, run)
    tell("bare crypto")
    found["bare crypto"] = per_message(root, count, lambda messages: subprocess.run(
        [*launcher, "--toggle-collect=verify_messages", program("bare_crypto"), str(messages), str(BODY)], check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
    floor = found["null milter"] + found["bare crypto"]
    return [{"what": name, "instructions": number, "x_floor": number / floor} for name, number in found.items()], [
        f"instructions in user space per message under valgrind, {count} and {count * 3} messages, the difference; the floor "
        "is the null milter and the bare crypto"]
