"""The standards' own samples and others' test suites, through `mailguardctl auth` and a real DNS server."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import tempfile

import yaml

from dns_server import DnsServer
from lab import BUILD
from run import quick

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"


class Text(yaml.SafeLoader):
    """Scalars stay text: the suites write bytes and addresses without quotes."""


Text.yaml_implicit_resolvers = {}


def auth(server, message=None, conf=os.devnull, **options):
    command = [str(BUILD / "mailguardctl"), "-c", str(conf), "--json", "auth", "--dns", server.address]
    for name, value in options.items():
        if value is not None:
            command += [f"--{name}", str(value)]
    command.append("--no-message" if message is None else "-")
    done = subprocess.run(command, input=message, capture_output=True, timeout=60)
    assert done.returncode == 0, (command, done.stderr)
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def together(cases, judge):
    """Judges all cases, some at once; fails with every disagreement."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        wrong = [text for text in pool.map(judge, cases) if text]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)
    assert cases


def suites(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.load_all(file, Text) if document]


def accepted(expected):
    return expected if isinstance(expected, list) else [expected]


@quick
def test_spf_openspf_suite():
    for suite in suites(DATA / "spf" / "openspf-rfc7208-dev.yml"):
        with DnsServer(suite["zonedata"], empty_names_exist=False) as server:
            def judge(case):
                name, test = case
                conf = {"ip": test["host"], "helo": test["helo"], "from": test["mailfrom"]}
                spf = auth(server, **conf)["spf"]
                if spf["result"] not in accepted(test["result"]):
                    return f"{suite['description']}: {name}: {spf['result']}, not {test['result']} ({spf['reason']})"
                wanted = test.get("explanation")
                if wanted and spf["result"] == "fail" and spf["explanation"] != ("" if wanted == "DEFAULT" else wanted):
                    return f"{suite['description']}: {name}: explains {spf['explanation']!r}, not {wanted!r}"
                return None

            together(list(suite["tests"].items()), judge)


@quick
def test_arc_valimail_suite():
    for suite in suites(DATA / "arc" / "valimail-dev.yml"):
        records = {name: [{"TXT": value}] for name, value in (suite.get("txt-records") or {}).items()}
        with DnsServer(records) as server:
            def judge(case):
                name, test = case
                message = test["message"].replace("\n", "\r\n").encode()
                arc = auth(server, message, ip="192.0.2.1", helo="h.example", time=12345)["arc"]
                wanted = test["cv"].lower() or "none"
                return None if arc["result"] == wanted else f"{name}: {arc['result']}, not {wanted} ({arc['reason']})"

            together(list(suite["tests"].items()), judge)


def test_dkim_samples():
    for kind in "own", "rfc":
        expected = json.loads((DATA / "dkim" / f"{kind}.expected.json").read_text())
        with DnsServer(yaml.safe_load((DATA / "dkim" / f"{kind}.zone.yml").read_text())) as server:
            def judge(case):
                name, want = case
                message = (DATA / "dkim" / name).read_bytes()
                if isinstance(want, list):
                    got = auth(server, message)["dkim"]
                    return differs(dict(enumerate(got)), dict(enumerate(want)), name) if len(got) == len(want) else name
                got = auth(server, message, time=want["time"])["dkim"]
                bad = [s for s in got if s["result"] not in want["accept"]]
                return f"{name}: {bad or 'no signature'}" if bad or not got else None

            together(list(expected.items()), judge)


def differs(got, want, path="dmarc"):
    for key, value in want.items():
        if isinstance(value, dict):
            found = differs(got[key], value, f"{path}.{key}")
            if found:
                return found
        elif got[key] not in accepted(value):
            return f"{path}.{key} is {got[key]!r}, not {value!r}"
    return None


def test_dmarc_cases():
    def judge(case):
        with DnsServer(case["zone"]) as server:
            message = (DATA / "dmarc" / case["message"]).read_bytes()
            dmarc = auth(server, message, **{key: case[key] for key in ("ip", "helo", "time", "from")})["dmarc"]
        found = differs(dmarc, case["expect"])
        return f"{case['id']}: {found} ({dmarc['reason']})" if found else None

    together(json.loads((DATA / "dmarc" / "cases.json").read_text()), judge)


def test_a_trusted_chain_overrides_dmarc():
    suite = suites(DATA / "arc" / "valimail-dev.yml")[0]
    message = next(test["message"] for test in suite["tests"].values() if test["cv"] == "Pass")
    zone = {name: [{"TXT": value}] for name, value in suite["txt-records"].items()}
    zone["_dmarc.d1.example.org"] = [{"TXT": "v=DMARC1; p=reject"}]
    with DnsServer(zone) as server, tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        for sealers, disposition in (("", "reject"), ('"other.example"', "reject"), ('"example.org"', "none")):
            conf.truncate(0)
            conf.seek(0)
            conf.write(f"auth = {{ trusted_sealers = ( {sealers} ); }};")
            conf.flush()
            got = auth(server, message.encode(), conf=conf.name, ip="192.0.2.1", helo="h.example", time=12345)
            assert got["arc"]["result"] == "pass" and got["dmarc"]["result"] == "fail", got
            assert got["arc"]["overrides"] == (disposition == "none") and got["dmarc"]["disposition"] == disposition, got


def test_a_greedy_sender_is_bounded_and_still_judged():
    """Records of the sender's own that want a hundred questions. (That each evaluator keeps questions back: test_attacks.)"""
    greedy = "v=spf1 " + " ".join(f"mx:m{i}.evil.example" for i in range(9)) + " -all"
    zone = {"helo.evil.example": [{"TXT": greedy}], "evil.example": [{"TXT": greedy}],
            "_dmarc.victim.example": [{"TXT": "v=DMARC1; p=reject"}], "victim.example": [{"TXT": "v=spf1 -all"}]}
    for i in range(9):
        zone[f"m{i}.evil.example"] = [{"MX": [10, f"h{i}-{j}.evil.example"]} for j in range(10)]
        zone.update({f"h{i}-{j}.evil.example": [{"A": "192.0.2.99"}] for j in range(10)})
    seals = "".join(
        f"ARC-Seal: i={i}; a=rsa-sha256; cv=none; d=d{i}.evil.example; s=s; b=AAAA\r\n"
        f"ARC-Message-Signature: i={i}; a=rsa-sha256; d=e{i}.evil.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
        f"ARC-Authentication-Results: i={i}; x; none\r\n" for i in range(1, 40))
    signatures = "".join(f"DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; s=s{i}; h=from; b=AAAA;"
                         f" bh={'A' * 43}=\r\n" for i in range(60))
    several = "From: a@a.b.c.d.e.f.g.evil.example, b@h.i.j.k.l.m.n.evil.example, c@o.p.q.r.s.t.u.evil.example, v@victim.example\r\n"
    for sender, author in (("x@evil.example", "From: v@victim.example\r\n"), ("x@victim.example", "From: v@victim.example\r\n"),
                           ("x@evil.example", several)):
        with DnsServer(zone) as server:
            got = auth(server, (seals + signatures + author + "\r\nx\r\n").encode(), ip="192.0.2.1",
                       helo="helo.evil.example", **{"from": sender})
            assert got["dmarc"]["disposition"] == "reject", got["dmarc"]
            assert got["dmarc"]["result"] == ("permerror" if author is several else "fail"), got["dmarc"]
            assert len(server.asked) <= 60, len(server.asked)
