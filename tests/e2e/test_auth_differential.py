"""Thousands of random cases, judged by us and by others (python3-spf, python3-dkim of Debian); every disagreement must be one
that a clause of an RFC explains. MAILGUARD_SEED sets the seed, MAILGUARD_CASES how many times as many cases.
"""
import base64
import collections
import json
import os
import pathlib
import random
import re
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


# ---- DKIM ----

DKIM_NAMES = ["From", "To", "Subject", "Date", "Message-ID", "Cc", "Reply-To", "MIME-Version", "Content-Type", "X-Note"]


def make_keys(directory):
    """An RSA key as python3-dkim wants it (PKCS#1, PEM), and an Ed25519 seed in base64; their records."""
    pem = directory / "rsa.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", pem, "1024"], check=True, capture_output=True)
    der = subprocess.run(["openssl", "rsa", "-in", pem, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    seed_pem = directory / "ed.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", seed_pem], check=True, capture_output=True)
    private = subprocess.run(["openssl", "pkey", "-in", seed_pem, "-outform", "DER"], check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "pkey", "-in", seed_pem, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout

    def encode(data):
        return base64.b64encode(data).decode()

    return {"rsa-sha256": (pem.read_text(), "v=DKIM1; k=rsa; p=" + encode(der)),
            "ed25519-sha256": (encode(private[-32:]), "v=DKIM1; k=ed25519; p=" + encode(public[-32:]))}


class DkimCase:
    """A message by chance, as lines without ends; signed by the oracle, then changed."""

    def __init__(self, rng, keys):
        self.rng = rng
        self.algorithm = rng.choice(["rsa-sha256", "rsa-sha256", "ed25519-sha256"])
        self.key, self.record = keys[self.algorithm]
        self.fields = [b"From: " + self.text() + b" <ann@example.com>"]
        for name in rng.sample(DKIM_NAMES[1:], rng.randrange(1, 7)):
            for _ in range(rng.choice([1, 1, 1, 2])):
                self.fields.append(rng.choice([name, name, name.lower(), name.upper()]).encode() + rng.choice([b": ", b":", b":\t", b":  "]) + self.text())
        rng.shuffle(self.fields)
        self.body = self.make_body()

    def word(self):
        rng = self.rng
        return bytes(rng.choice(b"abcdefghijklmnopqrstuvwxyzABC0123456789.,;=@()\"\\'") for _ in range(rng.randrange(1, 9))) if rng.random() < 0.9 else rng.choice(
            ["é", "日本", "Ω"]).encode()

    def text(self):
        rng = self.rng
        words = [self.word() for _ in range(rng.randrange(1, 7))]
        return b"".join(word + rng.choice([b" ", b" ", b" ", b"  ", b"\t", b"\r\n ", b"\r\n\t", b" \r\n  "]) for word in words[:-1]) + words[-1] + rng.choice(
            [b"", b"", b"", b" ", b"\t "])

    def make_body(self):
        rng = self.rng
        lines = []
        for _ in range(rng.choice([0, 1, 2, 5, 9])):
            lines.append(rng.choice([b"", b"", b" ", b"\t ", b"x", b"."]) if rng.random() < 0.4 else
                         rng.choice([b"", b" ", b"\t"]) + b" ".join(self.word() + rng.choice([b"", b" ", b"\t"]) for _ in range(rng.randrange(1, 8))) + rng.choice(
                             [b"", b"", b" ", b" \t"]))
        lines += [b""] * rng.choice([0, 0, 1, 3])
        return b"".join(line + b"\r\n" for line in lines) + rng.choice([b"", b"", b"", b"no end"])

    def message(self, fields=None, body=None):
        return b"".join(field + b"\r\n" for field in (self.fields if fields is None else fields)) + b"\r\n" + (self.body if body is None else body)

    def to_sign(self):
        rng = self.rng
        present = [field.split(b":")[0].decode() for field in self.fields]
        names = ["from"] + rng.sample(present, rng.randrange(0, len(present) + 1)) + rng.choice([[], [], ["from"], ["to", "subject"], ["x-none"]])
        return {"op": "sign", "message": base64.b64encode(self.message()).decode(), "key": self.key, "algorithm": self.algorithm,
                "forms": [rng.choice(["simple", "relaxed"]), rng.choice(["simple", "relaxed"])], "names": names, "length": rng.random() < 0.2}

    def take_signature(self, field):
        self.fields.insert(0, field.rstrip(b"\r\n"))

    # ---- what may happen on the way ----

    def change(self):
        changes = [self.leave] * 5 + [self.reflow, self.blanks, self.case, self.duplicate, self.remove, self.add, self.reorder, self.body_text,
                                      self.body_blanks, self.body_end, self.append, self.second, self.tag, self.tag_blanks, self.key_record]
        for _ in range(self.rng.choice([1, 1, 1, 2])):
            self.rng.choice(changes)()

    def leave(self):
        pass

    def pick(self):
        return self.rng.randrange(len(self.fields))

    def reflow(self):
        at = self.pick()
        self.fields[at] = self.fields[at].replace(b" ", b"\r\n ", 1) if b"\r\n" not in self.fields[at] else self.fields[at].replace(b"\r\n", b"")

    def blanks(self):
        at = self.pick()
        self.fields[at] = self.rng.choice([lambda f: f + b"  ", lambda f: f.replace(b" ", b"  ", 1), lambda f: f.replace(b": ", b":", 1),
                                           lambda f: f.replace(b":", b" :", 1), lambda f: f.replace(b" ", b"\t")])(self.fields[at])

    def case(self):
        at = self.pick()
        name, rest = self.fields[at].split(b":", 1)
        self.fields[at] = name.swapcase() + b":" + rest

    def duplicate(self):
        self.fields.insert(self.rng.randrange(len(self.fields) + 1), self.fields[self.pick()])

    def remove(self):
        if len(self.fields) > 1:
            del self.fields[self.pick()]

    def add(self):
        self.fields.insert(self.rng.randrange(len(self.fields) + 1), self.rng.choice(DKIM_NAMES).encode() + b": " + self.text())

    def reorder(self):
        self.rng.shuffle(self.fields)

    def body_text(self):
        if self.body:
            at = self.rng.randrange(len(self.body))
            if self.body[at:at + 1] not in b"\r\n":
                self.body = self.body[:at] + b"z" + self.body[at + 1:]

    def body_blanks(self):
        self.body = self.rng.choice([lambda b: b.replace(b" ", b"  ", 1), lambda b: b.replace(b"\r\n", b" \r\n", 1), lambda b: b.replace(b"\t", b" "),
                                     lambda b: b" " + b, lambda b: b.replace(b"\r\n", b"\r\n\r\n", 1)])(self.body)

    def body_end(self):
        self.body = self.rng.choice([lambda b: b + b"\r\n", lambda b: b + b"\r\n\r\n", lambda b: b.rstrip(b"\r\n"), lambda b: b.rstrip(b"\r\n") + b"\r\n",
                                     lambda b: b + b" \r\n"])(self.body)

    def append(self):
        self.body += b"PS: " + self.text() + b"\r\n"

    def signature(self):
        return next((i for i, field in enumerate(self.fields) if field.lower().startswith(b"dkim-signature:")), None)

    def second(self):
        at = self.signature()
        if at is not None:
            self.fields.insert(self.rng.choice([0, at + 1]), self.rng.choice([self.fields[at], b"DKIM-Signature: v=1", b"DKIM-Signature: x"]))

    def tag(self):
        at = self.signature()
        if at is None:
            return
        self.fields[at] = self.rng.choice([
            lambda f: f.replace(b"v=1", b"v=2"), lambda f: f.replace(b"c=", b"c=x"), lambda f: f.replace(b"q=dns/txt", b"q=dns/http"),
            lambda f: f.replace(b"v=1;", b"v=1; n=hello;"), lambda f: f.replace(b"v=1;", b"v=1; v=1;"), lambda f: f.replace(b"d=example.com", b"d=example.org"),
            lambda f: f.replace(b"i=@", b"i=x@"), lambda f: f.replace(b"i=@example.com", b"i=@a.example.com"), lambda f: f.replace(b"i=@example.com", b"i=@com"),
            lambda f: f.replace(b"a=rsa", b"a=RSA"), lambda f: f.replace(b"s=sel", b"s=other"), lambda f: f + b";", lambda f: f.replace(b"bh=", b"bh=A")])(self.fields[at])

    def tag_blanks(self):
        at = self.signature()
        if at is not None:
            self.fields[at] = self.rng.choice([
                lambda f: f.replace(b"; ", b";"), lambda f: f.replace(b"=", b" = ", 1), lambda f: f.replace(b"; ", b" ;\r\n\t "), lambda f: f + b" ",
                lambda f: f.replace(b"b=", b"b= \r\n ")])(self.fields[at])

    def key_record(self):
        self.record = self.rng.choice([
            lambda r: r.replace("v=DKIM1; ", ""), lambda r: r.replace("p=", "t=y; p="), lambda r: r.replace("p=", "t=s; p="), lambda r: r.split("p=")[0] + "p=",
            lambda r: r.replace("p=", "h=sha256; p="), lambda r: r.replace("p=", "h=sha1; p="), lambda r: r.replace("p=", "s=email; p="),
            lambda r: r.replace("p=", "s=other; p="), lambda r: r.replace("v=DKIM1", "v=DKIM2"), lambda r: r + ";", lambda r: r.replace("k=rsa; ", ""),
            lambda r: r.replace("; ", ";"), lambda r: r[:-8] + " " + r[-8:], lambda r: "", lambda r: r.replace("k=rsa", "k=dsa")])(self.record)


def dkim_clause(why, said, reason, message):
    """The clause that explains why python3-dkim says otherwise of a signature (`said`: it passes); None: none does."""
    header, body = message.split(b"\r\n\r\n", 1) if not message.startswith(b"\r\n") else (b"", message[2:])
    names = [line.split(b":")[0].lower() for line in re.sub(rb"\r\n[ \t]", b"", header).split(b"\r\n")]
    if said and why in ("the key does not allow SHA-256 (h=)", "the key is not for mail (s=)"):
        return "RFC 6376 3.6.1: what h= and s= of the key allow"
    if said and why == "l= leaves a part of the body unsigned":
        return "RFC 6376 8.2: l= below the body's length does not count"
    if body.endswith((b" ", b"\t")) and ("body" in why or "body hash" in reason):
        return "RFC 6376 3.4.4: white space at the end of a last line without CRLF, which SMTP does not carry"
    if any(name != name.strip() for name in names):
        return "RFC 6376 3.4.2, RFC 5322 4.5.8: blanks before the colon"
    if not said and not why and [name.strip() for name in names].count(b"from") > 1 and not reason:
        return "RFC 6376 8.15: more From fields than are signed (DMARC refuses those, DKIM need not)"
    return None


@alone
def test_dkim_against_python3_dkim():
    start = time.monotonic()
    rng = random.Random(SEED)
    directory = pathlib.Path(subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip())
    keys = make_keys(directory)
    subprocess.run(["rm", "-r", str(directory)], check=True)
    cases = [DkimCase(rng, keys) for _ in range(int(2200 * TIMES))]
    for case, signed in zip(cases, oracle("dkim_oracle.py", [case.to_sign() for case in cases])):
        case.take_signature(base64.b64decode(signed["field"]))
        case.change()
    messages = [case.message() for case in cases]
    now = int(time.time())
    got = ours([{"zone": f"sel._domainkey.example.com TXT {case.record}\n" if case.record else "", "now": now,
                 "message": base64.b64encode(message).decode()} for case, message in zip(cases, messages)])
    want = oracle("dkim_oracle.py", [{"op": "verify", "message": base64.b64encode(message).decode(),
                                      "keys": {"sel._domainkey.example.com": case.record}} for case, message in zip(cases, messages)])
    explained, unexplained, results = collections.Counter(), [], collections.Counter()
    for case, message, one, other in zip(cases, messages, got, want):
        if other["results"] is None or len(other["results"]) != len(one["results"]):
            clause = dkim_clause("", None, str(other["reasons"]), message)
            if clause:
                explained[clause] += 1
                continue
            unexplained.append(f"{one} {other}\n{message!r}")
            continue
        for result, why, said, reason in zip(one["results"], one["reasons"], other["results"], other["reasons"]):
            results[result] += 1
            if (result == "pass") == said:
                continue
            clause = dkim_clause(why, said, reason, message)
            if clause:
                explained[clause] += 1
            else:
                unexplained.append(f"{result} ({why}), not {said} ({reason}), key {case.record}\n{message!r}")
    report("DKIM", explained, unexplained, len(cases))
    assert results["pass"] > len(cases) / 5 and results["fail"] > len(cases) / 5, results
    print(f"    {dict(results)}, {time.monotonic() - start:.1f} s")
