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
