"""mailguardctl wire: shows, applies, takes back; nothing of the administrator's is lost."""
import subprocess
import time

from lab import Lab, queue_id_of, wait_until
from run import quick

EXTRA_MASTER = """\
submission inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
  -o smtpd_milters=inet:127.0.0.1:8891
127.0.0.1:10025 inet n - n - - smtpd
  -o smtpd_milters=
"""


def settings(lab, *words):
    return subprocess.run(["postconf", "-c", lab.etc, *words], capture_output=True, text=True, check=True).stdout


@quick
def test_apply_is_complete_idempotent_and_undone():
    with Lab(master_cf=EXTRA_MASTER, main_cf="smtpd_milters = inet:127.0.0.1:11332\n") as lab:
        before = (lab.etc / "main.cf").read_bytes(), (lab.etc / "master.cf").read_bytes()
        shown = lab.mailguard.json("wire", "--dry-run")
        assert shown["edits"] and not shown["applied"]
        assert ((lab.etc / "main.cf").read_bytes(), (lab.etc / "master.cf").read_bytes()) == before, "a dry run changes nothing"
        lab.wire()
        milters = settings(lab, "-h", "smtpd_milters").strip()
        assert milters.startswith("inet:127.0.0.1:11332") and "$mailguard_milter" in milters, milters
        assert settings(lab, "-h", "smtpd_recipient_restrictions").startswith("$mailguard_check")
        overrides = settings(lab, "-P")
        assert "submission/inet/smtpd_recipient_restrictions = $mailguard_check,permit_sasl_authenticated,reject" in overrides
        assert "submission/inet/smtpd_milters = inet:127.0.0.1:8891,$mailguard_milter" in overrides, overrides
        assert "127.0.0.1:10025/inet/smtpd_milters =\n" in overrides, overrides
        assert "milter_default_action" not in settings(lab, "-n"), "the global action is other milters' too"
        wired = settings(lab, "-n"), overrides
        again = lab.mailguard.json("wire", "--apply")
        assert again["edits"] == [] and (settings(lab, "-n"), settings(lab, "-P")) == wired
        assert lab.mailguard.ctl("wire", "--undo").returncode == 0
        assert ((lab.etc / "main.cf").read_bytes(), (lab.etc / "master.cf").read_bytes()) == before
        assert lab.mailguard.ctl("wire", "--undo").returncode == 0, "nothing to undo is no failure"


def test_undo_leaves_later_edits_alone():
    with Lab() as lab:
        before = settings(lab, "-n")
        lab.wire()
        subprocess.run(["postconf", "-c", lab.etc, "-e", "message_size_limit=12345678"], check=True)
        assert lab.mailguard.ctl("wire", "--undo").returncode == 0
        after = settings(lab, "-n")
        assert sorted(after.splitlines()) == sorted([*before.splitlines(), "message_size_limit = 12345678"])


def test_the_check_tells_what_is_not_wired():
    with Lab(master_cf="127.0.0.1:{port}5 inet n - n - - smtpd\n".replace("{port}5", "10587")
             + "  -o smtpd_recipient_restrictions=permit_mynetworks,reject\n") as lab:
        lab.mailguard.start()
        unwired = lab.mailguard.json("check", "wiring.milter", "wiring.policy")
        assert {c["id"]: c["state"] for c in unwired["checks"]} == {"wiring.milter": "warn", "wiring.policy": "warn"}
        assert all("wire" in c["fix"] for c in unwired["checks"])
        assert lab.mailguard.json("status")["wiring"] == {"milter": False, "policy": False}
        lab.wire()
        wired = lab.mailguard.json("check", "wiring.milter", "wiring.policy", "wiring.relay_tap")
        assert [c["state"] for c in wired["checks"]] == ["ok"] * 3, wired
        assert lab.mailguard.json("status")["wiring"] == {"milter": True, "policy": True}
        subprocess.run(["postconf", "-c", lab.etc, "-P", "127.0.0.1:10587/inet/smtpd_milters="], check=True)
        lost = lab.mailguard.json("check", "wiring.milter")["checks"][0]
        assert lost["state"] == "warn" and "10587" in lost["summary"], lost


def test_traffic_that_mailguard_never_saw_is_proof():
    with Lab() as lab:
        lab.mailguard.start()
        lab.start_postfix()
        started = time.time()
        wait_until("another second than the start's, for the log has whole ones", lambda: time.time() > started + 1)
        _, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address="203.0.113.66")
        wait_until("the log-only record", lambda: any(t["queue_id"] == queue_id_of(text) for t in lab.recent()), 60)
        finding = wait_until("the proof", lambda: next((c for c in lab.mailguard.json("check", "wiring.milter")["checks"]
                                                        if c["state"] == "crit"), None), 60)
        assert "postfix/smtpd" in finding["summary"] and queue_id_of(text) in str(finding["evidence"])


def test_a_change_of_main_cf_is_seen_at_once():
    with Lab() as lab:
        lab.mailguard.start()
        wait_until("the first look", lambda: any(c["id"] == "wiring.milter" for c in lab.mailguard.json("status")["checks"]))
        assert lab.mailguard.json("status")["wiring"]["milter"] is False
        lab.wire()
        start = time.monotonic()
        wait_until("the new wiring", lambda: lab.mailguard.json("status")["wiring"]["milter"])
        assert time.monotonic() - start < 15
