"""mailguardctl explain: from the command line and standard input, in both languages, and what it does not take for a code."""
import json
import os
import subprocess

from lab import BUILD
from run import quick


def explain(*words, language="C", stdin="", plain=False):
    environment = dict(os.environ, LC_ALL="C.UTF-8", LANGUAGE="" if language == "C" else language, NO_COLOR="1",
                       MAILGUARD_LOCALEDIR=str(BUILD / "po"))
    return subprocess.run([BUILD / "mailguardctl", "explain", *([] if plain else ["--json"]), *words], capture_output=True,
                          input=stdin.encode() if isinstance(stdin, str) else stdin, env=environment, timeout=30)


KEYS = {"code", "enhanced", "permanence", "actor", "meaning", "cause", "fix", "retry"}


@quick
def test_explain_from_anywhere():
    text = "550-5.7.27 This mail has been blocked because SPF did not pass - gsmtp"
    for done in (explain(text), explain(*text.split()), explain(stdin=text), explain("-", stdin=text),
                 explain(stdin=text + "\n" + "x" * 200000)):
        assert done.returncode == 0, done
        said = json.loads(done.stdout)
        assert KEYS <= set(said) and all(isinstance(value, str) for value in said.values())
        assert (said["code"], said["enhanced"], said["permanence"], said["actor"]) == ("550", "5.7.27", "permanent", "we")
        assert "SPF" in said["cause"] and "v=spf1" in said["fix"]
    for words in (["hello"], ["192.0.2.250"], ["Exim", "4.96"], ["[250]"], ["port", "587"], ["999"]):
        done = explain(*words)
        assert done.returncode == 65 and not done.stdout and len(done.stderr.splitlines()) == 1, (words, done)
    assert explain().returncode == 65
    assert explain(stdin=b"\xff\xfe\x00 550 5.1.1 \x1b[31m unknown user\n").returncode == 0
    assert explain("--wrong").returncode == 64


@quick
def test_explain_speaks_the_readers_language():
    english = json.loads(explain("452 4.3.1 Insufficient system storage").stdout)
    spanish = json.loads(explain("452 4.3.1 Insufficient system storage", language="es").stdout)
    assert spanish["permanence"] == english["permanence"] == "temporary" and spanish["actor"] == english["actor"] == "we"
    assert "disco" in spanish["cause"] and "df -h" in spanish["fix"] and "reintenta" in spanish["retry"]
    assert all(spanish[key] != english[key] for key in ("meaning", "cause", "fix", "retry"))
    report = explain("421 4.7.0 [TSS04] deferred", language="es", plain=True)
    assert report.returncode == 0 and "temporal" in report.stdout.decode() and "Yahoo" in report.stdout.decode()
    assert b"who acts" in explain("354", plain=True).stdout
