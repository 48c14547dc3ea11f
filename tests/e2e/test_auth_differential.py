"""Thousands of random cases, judged by us and by others (python3-spf, python3-dkim of Debian); every disagreement must be one
that a clause of an RFC explains. MAILGUARD_SEED sets the seed, MAILGUARD_CASES how many times as many cases.
"""
import base64
import collections
import json
import os
import pathlib
import random
import subprocess
import time

from lab import BUILD
from run import alone

ORACLES = pathlib.Path(__file__).resolve().parent / "oracles"
SEED = int(os.environ.get("MAILGUARD_SEED", "9989"))
TIMES = float(os.environ.get("MAILGUARD_CASES", "1"))
BATCH = BUILD / "tests" / "differential" / "auth_batch"


def ask(command, cases):
    done = subprocess.run(command, input="".join(json.dumps(case) + "\n" for case in cases), capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, (command, done.stderr[-2000:])
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases), (command, len(answers), len(cases), done.stderr[-2000:])
    return answers


def ours(cases):
    if not BATCH.exists():
        subprocess.run(["make", "-C", str(BUILD), "tests/differential/auth_batch"], check=True, capture_output=True)
    return ask([str(BATCH)], cases)


def oracle(name, cases):
    return ask(["/usr/bin/python3", str(ORACLES / name)], cases)


def report(title, explained, unexplained, count):
    print(f"{title}: {count} cases, seed {SEED}: {sum(explained.values())} disagreements explained", flush=True)
    for clause, times in explained.most_common():
        print(f"    {times:5}  {clause}")
    assert not unexplained, f"{title}, seed {SEED}: {len(unexplained)} unexplained, the first:\n" + "\n".join(unexplained[:5])


# ---- SPF ----

class SpfZone:
    """A zone and a client, made by chance, rich in what matters: few names, that refer to one another."""

    def __init__(self, rng):
        self.rng = rng
        self.ip = rng.choice(["192.0.2.1", "192.0.2.77", "2001:db8::1"])
        self.names = collections.defaultdict(list)
        self.domains = [f"d{i}.example" for i in range(rng.randrange(1, 6))]
        self.hosts = [f"h{i}.example" for i in range(4)]
        for domain in self.domains:
            self.add_domain(domain)
        for host in self.hosts:
            self.add_host(host)
        self.add_reverse()

    def add_host(self, host):
        rng = self.rng
        if rng.random() < 0.15:
            return  # does not exist
        if rng.random() < 0.1:
            self.names[host].append([rng.choice(["TIMEOUT", "SERVFAIL"]), ""])
            return
        for _ in range(rng.choice([0, 1, 1, 2])):
            self.names[host].append(["A", rng.choice(["192.0.2.1", "192.0.2.77", "192.0.2.200", "198.51.100.7"])])
        if rng.random() < 0.5:
            self.names[host].append(["AAAA", rng.choice(["2001:db8::1", "2001:db8::2", "2001:db9::1"])])
        for _ in range(rng.choice([0, 0, 1, 2, 11 if rng.random() < 0.1 else 3])):
            self.names[host].append(["MX", f"{rng.randrange(30)} {rng.choice(self.hosts)}"])
        if not self.names[host]:
            self.names[host].append(["TXT", "nothing"])

    def add_reverse(self):
        rng = self.rng
        reverse = ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" if ":" in self.ip
                   else ".".join(reversed(self.ip.split("."))) + ".in-addr.arpa")
        if rng.random() < 0.1:
            self.names[reverse].append(["TIMEOUT", ""])
        for _ in range(rng.choice([0, 1, 1, 2])):
            self.names[reverse].append(["PTR", rng.choice(self.hosts + self.domains)])

    def add_domain(self, domain):
        rng, kind = self.rng, self.rng.random()
        if kind < 0.04:
            return
        if kind < 0.08:
            self.names[domain].append([rng.choice(["TIMEOUT", "SERVFAIL"]), ""])
            return
        if kind < 0.1:
            self.names[domain].append(["TXT", "no policy"])
            return
        if rng.random() < 0.3:
            self.names[domain].append(["TXT", "v=verification"])
        self.names[domain].append(["TXT", self.record()])
        if rng.random() < 0.03:
            self.names[domain].append(["TXT", self.record()])
        for _ in range(rng.choice([0, 1])):
            self.names[domain].append(["A", rng.choice(["192.0.2.1", "192.0.2.200"])])
        for _ in range(rng.choice([0, 0, 1, 2])):
            self.names[domain].append(["MX", f"10 {rng.choice(self.hosts)}"])

    def some(self, good, bad):
        """Now and then one of the bad: a single one makes a record void of meaning."""
        return self.rng.choice(bad if self.rng.random() < 0.03 else good)

    def spec(self):
        return self.some(
            self.hosts * 6 + self.domains * 2 + [
                self.rng.choice(self.hosts) + ".", self.rng.choice(self.hosts).upper(), "none.example", "%{d}", "%{o}", "%{h}", "%{d1r}.example",
                "h%{l}.example", "h%{l1r-}.example", "%{ir}.%{v}.arpa", "%{i}._spf.%{d2}", "%{s}.example", "%{p}", "%{d2}", "%{p1r}.example",
                "h0%%.example", "h0%_.example", "h0%-.example", "%{L}.%{D}", "%{d10}", "%{lr-+}.example", "%{d2r}.example", "x" * 64 + ".example",
                "a..example", "%{l}." * 60 + "h1.example"],
            ["%{d0}.example", "%{x}.example", "%{d", "h%", "%{c}.example", "%{r}.example", "host", "192.0.2.1", "h1.example.123", "%{dr2}.example",
             "%{d-+r}.example", "%{d!}", "%{ir}", "h1.example-", "-"])

    def term(self):
        name = self.rng.choice(["a", "mx", "ptr", "exists", "include", "ip4", "ip6", "all", "include", "ip4", "a"])
        text = self.rng.choice(["", "", "", "+", "-", "~", "?"]) + self.rng.choice([name, name, name, name.upper(), name.capitalize()])
        if name in ("exists", "include"):
            return text + ":" + self.spec()
        if name == "ip4":
            return (text + ":" + self.some(["192.0.2.1", "192.0.2.0", "198.51.100.0"], ["192.0.2.077", "192.0.2", "192.0.2.1.1", "300.0.0.1", "::1"])
                    + self.some(["", "", "/24", "/32", "/0", "/8"], ["/33", "/08", "/", "//24", "/24//64", "/-1"]))
        if name == "ip6":
            return (text + ":" + self.some(["2001:db8::1", "2001:db8::", "::ffff:192.0.2.1", "::", "1:2:3:4:5:6:7:8"],
                                           ["2001:db8", "2001:db8:::1", "g::1", "192.0.2.1", "::1%1"])
                    + self.some(["", "", "/32", "/128", "/0"], ["/129", "/032", "//64", "/"]))
        if name in ("a", "mx", "ptr"):
            text += self.rng.choice(["", "", ":" + self.spec()])
            if name != "ptr":
                text += self.some(["", "", "", "/24", "/32", "//64", "/24//64", "/0", "//0"], ["/33", "//129", "/", "//", "/24/64", "/024"])
            return text
        return text + self.some([""], [":x.example", "/8", "="])

    def modifier(self):
        return self.some(
            ["redirect=" + self.spec(), "redirect=" + self.rng.choice(self.domains), "exp=" + self.rng.choice(self.hosts), "exp=" + self.spec(),
             "x=y", "unknown=%{d}", "Redirect=" + self.rng.choice(self.domains), "m.o-d_1=", "op=%{l}"],
            ["bad=%{q}", "redirect=", "exp=", "1x=y", "x=%"])

    def record(self):
        rng = self.rng
        count = rng.choice([0, 1, 2, 3, 4, 5, 12 if rng.random() < 0.2 else 6])
        terms = [self.term() for _ in range(count)]
        if rng.random() < 0.25:
            terms.insert(rng.randrange(len(terms) + 1), self.modifier())
        if rng.random() < 0.03:
            terms.append(self.modifier())
        if rng.random() < 0.6:
            terms.append(rng.choice(["-all", "~all", "?all", "all", "-ALL"]))
        if rng.random() < 0.02:
            terms.append(rng.choice(["\x09a", "nonsense", "a,", "=x", "++all", "ip4", "exists", "include:", "-", "all.", "prt", "moo.cow:x"]))
        text = rng.choice(["v=spf1"] * 60 + ["V=SPF1", "v=spf10", "v=spf1\t"])
        return text + "".join(" " * rng.choice([1, 1, 1, 1, 2, 3]) + term for term in terms) + rng.choice(["", "", "", " ", "  "])

    def case(self):
        rng = self.rng
        sender = rng.choice(["0", "1", "a-b", "first.last", "x+y", "a%b", "0"]) + "@" + rng.choice(self.domains)
        helo = rng.choice(self.domains + self.hosts)
        if rng.random() < 0.05:
            sender = ""
        zone = "".join(f"{name} {kind} {value}\n" for name, entries in self.names.items() for kind, value in entries)
        return {"zone": zone, "names": self.names, "ip": self.ip, "helo": helo, "from": sender}


# Where python3-spf reads RFC 7208 otherwise than it is written; the oracle can be made to read each as it is written.
SPF_CLAUSES = ["4.6.4 void lookups", "5.5 trouble with PTR", "5.4 any address", "4.6.1 case", "6 other modifiers", "7.1 macro grammar",
               "5.2 include of itself", "6.1 redirect unused"]


def clause_sets():
    """Those that are tried to explain a disagreement: each, each two, all but one, all."""
    yield from ([clause] for clause in SPF_CLAUSES)
    yield from ([one, two] for at, one in enumerate(SPF_CLAUSES) for two in SPF_CLAUSES[at + 1:])
    yield from ([other for other in SPF_CLAUSES if other != clause] for clause in SPF_CLAUSES)
    yield SPF_CLAUSES


def spf_cases(count):
    rng = random.Random(SEED)
    return [SpfZone(rng).case() for _ in range(count)]


@alone
def test_spf_against_python3_spf():
    start = time.monotonic()
    cases = spf_cases(int(4000 * TIMES))
    got, want = ours(cases), oracle("spf_oracle.py", cases)
    explained, unexplained = collections.Counter(), []
    again = [i for i in range(len(cases)) if got[i]["result"] != want[i]["result"]]
    for clauses in clause_sets():
        answers = oracle("spf_oracle.py", [{**cases[i], "clauses": clauses} for i in again]) if again else []
        left = []
        for i, answer in zip(again, answers):
            if answer["result"] == got[i]["result"]:
                explained[", ".join(clauses) if len(clauses) < 3 else "several together"] += 1
            else:
                left.append(i)
        again = left
    for i in again:
        unexplained.append(f"{got[i]}, not {want[i]}: {cases[i]['ip']} {cases[i]['helo']} {cases[i]['from']}\n{cases[i]['zone']}")
    results = collections.Counter(answer["result"] for answer in got)
    report("SPF", explained, unexplained, len(cases))
    assert all(results[word] > len(cases) / 200 for word in ("pass", "fail", "softfail", "neutral", "none", "permerror", "temperror")), results
    print(f"    {dict(results)}, {time.monotonic() - start:.1f} s")
