"""`mailguardctl relay-check`: configurations with what a real Postfix did with them, and a private Postfix that really relays."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

from lab import BUILD
from relay_variants import BASE, REST, VARIANTS
from run import quick

CASES = pathlib.Path(__file__).resolve().parents[1] / "data" / "relay-cases"
STATUS = {"closed": 0, "open": 2, "unknown": 3}


def relay_check(directory):
    done = subprocess.run([BUILD / "mailguardctl", "-c", os.devnull, "relay-check", "--config-dir", directory, "--json"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    report = json.loads(done.stdout)
    assert not done.stderr, done.stderr
    assert done.returncode == STATUS[report["verdict"]], (done.returncode, report["verdict"])
    return report


def judge(case):
    """What is wrong with the answer to a recorded case, or None."""
    about, truth = (json.loads((case / name).read_text()) for name in ("case.json", "truth.json"))
    report = relay_check(case)
    verdict, paths = report["verdict"], report["paths"]
    if not about.get("judged", True) or about.get("host_dependent"):
        return None
    if verdict != truth["verdict"] and verdict not in about.get("accept", []):
        return f"{case.name}: {verdict}, not {truth['verdict']} ({about['title']}): {json.dumps(paths)}"
    if verdict == "closed" and about.get("advise") and not re.search(about["advise"], json.dumps(paths)):
        return f"{case.name}: closed without a word of {about['advise']}: {json.dumps(paths)}"
    if verdict == "open" and truth["verdict"] == "open":
        told = {path["service"] for path in paths if path["kind"] == "open"}
        if "" not in told and not set(truth["services"]) <= told:
            return f"{case.name}: open by {told}, not {truth['services']}"
    return None


@quick
def test_recorded_configurations():
    cases = sorted(path.parent for path in CASES.glob("*/case.json"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        wrong = [text for text in pool.map(judge, cases) if text]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)
    assert len(cases) >= 168


def write_configuration(directory, main_cf, master_cf, files):
    directory = pathlib.Path(directory)
    for name, text in {"main.cf": BASE + main_cf, "master.cf": master_cf + REST, **files}.items():
        (directory / name).write_text(text)
        os.utime(directory / name, (time.time() - 60, time.time() - 60))
    return directory


def judge_variant(variant):
    name, verdicts, *configuration = variant
    with tempfile.TemporaryDirectory() as directory:
        report = relay_check(write_configuration(directory, *configuration))
    if report["verdict"] not in verdicts:
        return f"{name}: {report['verdict']}, not {' or '.join(verdicts)}: {json.dumps(report['paths'])}"
    return None if all(path["why"] and (path["fix"] or path["kind"] == "note") for path in report["paths"]) else f"{name}: {report}"


@quick
def test_variants():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        wrong = [text for text in pool.map(judge_variant, VARIANTS) if text]
    assert not wrong, f"{len(wrong)} of {len(VARIANTS)}:\n" + "\n".join(wrong)


def test_a_directory_without_main_cf_is_bad_input():
    with tempfile.TemporaryDirectory() as directory:
        for where in directory, directory + "/none":
            done = subprocess.run([BUILD / "mailguardctl", "-c", os.devnull, "relay-check", "--config-dir", where],
                                  capture_output=True, text=True)
            assert done.returncode == 65 and done.stderr.count("\n") == 1 and not done.stdout, done


def test_large_configurations_end_in_bounded_time():
    """10 MB of table, 10,000 restrictions, 500 classes in a circle: an answer, and never "closed" without proof."""
    table = "".join(f"host{i}.partner{i % 997}.example REJECT\n" for i in range(260000))
    circle = "smtpd_restriction_classes = " + ", ".join(f"c{i}" for i in range(500)) + "\n" + \
        "".join(f"c{i} = permit_mynetworks, c{(i + 1) % 500}, c{(i + 7) % 500}\n" for i in range(500))
    test = "smtpd_relay_restrictions = {}, reject_unauth_destination\n"
    for main_cf, files, verdicts in (
            (test.format("check_sender_access texthash:$config_directory/t"), {"t": table}, ("closed",)),
            (test.format("check_sender_access texthash:$config_directory/t"), {"t": table + "evil.example OK\n"}, ("open",)),
            (test.format("check_client_access cidr:$config_directory/t"),
             {"t": "".join(f"{i >> 8 & 255}.{i & 255}.{i % 7}.0/24 REJECT\n" for i in range(60000))}, ("closed", "unknown")),
            (test.format(", ".join(["reject_unknown_sender_domain"] * 10000)), {}, ("closed", "unknown")),
            (test.format("c0") + circle, {}, ("closed", "unknown")),
            (test.format("permit_mynetworks") + "mynetworks = " + " ".join(f"44.{i >> 8}.{i & 255}.0/24" for i in range(9000)) + "\n",
             {}, ("unknown", "open"))):
        with tempfile.TemporaryDirectory() as directory:
            start = time.monotonic()
            report = relay_check(write_configuration(directory, main_cf, "smtp inet n - n - - smtpd\n", files))
            assert report["verdict"] in verdicts, (main_cf[:200], report)
            assert time.monotonic() - start < 60, (main_cf[:200], time.monotonic() - start)
