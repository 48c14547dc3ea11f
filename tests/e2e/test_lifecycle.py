"""The daemon's life beside a real Postfix: reload, drain, crash, upgrade, and who gets what when it is not there."""
import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from lab import BUILD, Lab, Mailguard, queue_id_of, wait_until
from run import alone, quick

STRANGER = "203.0.113.66"


def open_message(lab, sender="zoe@stranger.example"):
    """A session in the middle of its message, after RCPT."""
    client = lab.smtp(address=STRANGER)
    client.mail(sender)
    assert client.rcpt("ann@local.example")[0] == 250
    return client


def finish(client, subject="x"):
    code, text = client.data(f"Subject: {subject}\r\n\r\nx\r\n")
    with contextlib.suppress(Exception):
        client.quit()
    return code, text.decode()


@quick
def test_reload_keeps_connections_and_refuses_errors():
    with Lab() as lab:
        lab.start()
        client = open_message(lab)
        lab.write_conf('mode = "observe";')
        assert lab.mailguard.ctl("reload").returncode == 0
        code, text = finish(client)
        assert code == 250
        assert lab.record(lambda t: t["queue_id"] == queue_id_of(text))["verdict"]["action"] == "accept", "pinned at MAIL"
        assert lab.mailguard.json("status")["mode"] == "observe"
        lab.write_conf('mod = "observe";')
        refused = lab.mailguard.ctl("reload", "--json")
        assert refused.returncode == 1 and json.loads(refused.stdout) == {"reloaded": False}
        assert re.search(r"mailguard\.conf:\d+: .*mod.*mode", refused.stderr), refused.stderr
        lab.mailguard.process.send_signal(signal.SIGHUP)
        wait_until("SIGHUP's refusal in the log", lambda: b"reload-refused" in lab.mailguard.log_path.read_bytes())
        assert lab.mailguard.json("status")["mode"] == "observe", "the old configuration stays"
        lab.write_conf()
        conf = lab.conf.read_text().replace("policy.sock", "other.sock")
        lab.conf.write_text(conf)
        moved = lab.mailguard.ctl("reload")
        assert moved.returncode == 1 and "policy.listen" in moved.stderr, moved.stderr
        lab.write_conf()
        before = lab.mailguard.log_path.read_bytes().count(b" reloaded: ")
        lab.mailguard.process.send_signal(signal.SIGHUP)
        wait_until("SIGHUP's reload", lambda: lab.mailguard.log_path.read_bytes().count(b" reloaded: ") > before)
        assert lab.mailguard.json("status")["mode"] == "enforce"


@quick
def test_stop_finishes_the_message_in_flight():
    with Lab() as lab:
        lab.start()
        client = open_message(lab)
        lab.mailguard.process.send_signal(signal.SIGTERM)
        wait_until("draining", lambda: lab.mailguard.process.poll() is None)
        code, text = finish(client)
        assert code == 250
        assert lab.mailguard.stop() == 0
        assert not (lab.queue / "mailguard" / "milter.sock").exists(), "our socket files are removed"
        lab.mailguard.start()
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text))
        assert "milter" in txn["doors"], "the record was kept over the stop"


@alone
def test_a_killed_worker_is_back_within_two_seconds():
    with Lab() as lab:
        lab.start()
        for _ in range(3):
            ready, pid = lab.mailguard.ready_count(), lab.mailguard.worker_pid()
            start = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            wait_until("a fresh worker", lambda: lab.mailguard.ready_count() > ready, 10)
            assert time.monotonic() - start < 2
            code, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
            assert code == 250
            lab.record(lambda t: t["queue_id"] == queue_id_of(text) and "milter" in t["doors"])
        assert lab.mailguard.json("status")["transactions"]["accepted"] == 3, "counters outlive workers"


def test_mail_goes_on_when_the_worker_dies_in_the_middle():
    with Lab() as lab:
        lab.start()
        client = open_message(lab)
        os.kill(lab.mailguard.worker_pid(), signal.SIGKILL)
        code, text = finish(client)
        assert code == 250, text
        wait_until("delivery", lambda: f"{queue_id_of(text)}: removed" in lab.log_text())


def test_nobody_home_means_default_action():
    with Lab() as lab:
        lab.wire()
        lab.start_postfix()
        code, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
        assert code == 250, "no daemon, no sockets: mail passes"


@alone
def test_a_crash_loop_never_stalls_mail():
    with Lab() as lab:
        lab.start()
        end = time.monotonic() + 14
        slowest = 0
        while time.monotonic() < end:
            with contextlib.suppress(ProcessLookupError, IndexError, FileNotFoundError, ValueError):
                pid = lab.mailguard.worker_pid()
                if pid:
                    os.kill(pid, signal.SIGKILL)
            start = time.monotonic()
            code, _, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
            slowest = max(slowest, time.monotonic() - start)
            assert code == 250
        assert slowest < 10, slowest


def test_a_deaf_worker_is_replaced_and_mail_passes():
    with Lab() as lab:
        lab.start()
        pid = lab.mailguard.worker_pid()
        os.kill(pid, signal.SIGSTOP)
        ready = lab.mailguard.ready_count()
        wait_until("the deaf worker is replaced", lambda: lab.mailguard.ready_count() > ready, 40)
        assert not pathlib.Path(f"/proc/{pid}").exists()
        code, _, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
        assert code == 250


def test_upgrade_keeps_sockets_sessions_and_counters():
    with Lab() as lab:
        lab.start()
        lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
        client = open_message(lab, "during@stranger.example")
        old, main = lab.mailguard.worker_pid(), lab.mailguard.process.pid
        ready = lab.mailguard.ready_count()
        lab.mailguard.process.send_signal(signal.SIGUSR2)
        wait_until("the new worker", lambda: lab.mailguard.ready_count() > ready)
        assert lab.mailguard.process.poll() is None and lab.mailguard.process.pid == main
        assert pathlib.Path(f"/proc/{old}").exists(), "the old one finishes its message"
        code, _, _ = lab.send("after@stranger.example", "bob@local.example", address=STRANGER)
        assert code == 250
        code, text = finish(client)
        assert code == 250
        wait_until("the old worker is gone", lambda: not pathlib.Path(f"/proc/{old}").exists())
        txn = lab.record(lambda t: t["sender"] == "during@stranger.example")
        assert "milter" in txn["doors"], "its record came through the supervisor"
        assert lab.mailguard.json("status")["transactions"]["accepted"] == 3
        assert lab.mailguard.stop() == 0


def test_an_upgrade_to_a_broken_binary_is_refused():
    with Lab() as lab:
        private = lab.root / "mailguardd"
        shutil.copy(BUILD / "mailguardd", private)
        lab.wire()
        process = subprocess.Popen([private, "-f", "-c", lab.conf], stderr=open(lab.mailguard.log_path, "ab"))
        try:
            wait_until("ready", lambda: lab.mailguard.ready_count() > 0)
            os.rename(private, lab.root / "away")
            private.write_text("#!/bin/false\n")
            private.chmod(0o755)
            process.send_signal(signal.SIGUSR2)
            wait_until("the refusal", lambda: b"upgrade-refused" in lab.mailguard.log_path.read_bytes())
            assert lab.mailguard.ctl("status").returncode in (0, 1, 2)
        finally:
            process.terminate()
            assert process.wait(30) == 0


def listen_unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(16)
    return sock


def start_with_passed_sockets(lab, paths):
    """Starts mailguardd as systemd does: sockets from descriptor 3 on, LISTEN_PID its own."""
    sockets = [listen_unix(path) for path in paths]
    code = ("import os,sys\nfds=[int(f) for f in sys.argv[1].split(',')]\n"
            "high=[os.dup2(f,100+i) for i,f in enumerate(fds)]\n"
            "[os.dup2(f,3+i) for i,f in enumerate(high)]\n[os.close(f) for f in high]\n"
            "os.environ['LISTEN_FDS']=str(len(fds)); os.environ['LISTEN_PID']=str(os.getpid())\n"
            "os.execv(sys.argv[2],sys.argv[2:])\n")
    fds = [s.fileno() for s in sockets]
    process = subprocess.Popen(
        ["python3", "-c", code, ",".join(map(str, fds)), BUILD / "mailguardd", "-f", "-c", lab.conf], pass_fds=fds,
        stderr=open(lab.mailguard.log_path, "ab"))
    for s in sockets:
        s.close()
    return process


def test_sockets_from_systemd_are_matched_by_address():
    with Lab() as lab:
        (lab.queue / "mailguard").mkdir()
        paths = [lab.queue / "mailguard" / "policy.sock", lab.queue / "mailguard" / "milter.sock"]  # not in our order
        process = start_with_passed_sockets(lab, paths)
        try:
            wait_until("ready", lambda: lab.mailguard.ready_count() > 0)
            for path in paths:
                path.chmod(0o666)
            lab.wire()
            lab.start_postfix()
            _, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
            assert lab.record(lambda t: t["queue_id"] == queue_id_of(text))["doors"] == ["milter", "policy"]
        finally:
            process.terminate()
            assert process.wait(30) == 0
        assert all(path.exists() for path in paths), "systemd's socket files are not ours to remove"


def test_a_passed_socket_that_nobody_named_is_an_error():
    with Lab() as lab:
        process = start_with_passed_sockets(lab, [lab.run / "stray.sock"])
        assert process.wait(30) != 0
        assert b"no `listen` of the configuration names" in lab.mailguard.log_path.read_bytes()


def test_systemd_is_told():
    with Lab() as lab:
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(lab.run / "notify"))
        notify.settimeout(20)
        lab.mailguard.environment.update(NOTIFY_SOCKET=str(lab.run / "notify"), WATCHDOG_USEC="1000000")
        lab.mailguard.start()
        heard = set()
        deadline = time.monotonic() + 20
        lab.mailguard.process.send_signal(signal.SIGHUP)
        while not {"READY=1", "WATCHDOG=1", "RELOADING=1"} <= heard and time.monotonic() < deadline:
            heard |= set(notify.recv(1000).decode().split("\n"))
        assert {"READY=1", "WATCHDOG=1", "RELOADING=1"} <= heard, heard
        lab.mailguard.stop()
        while "STOPPING=1" not in heard:
            heard |= set(notify.recv(1000).decode().split("\n"))


@quick
def test_configuration_errors_are_refused_with_their_place():
    with tempfile.TemporaryDirectory() as directory:
        conf = pathlib.Path(directory, "mailguard.conf")
        for text, words in [("mod = 1;\n", ["mailguard.conf:1", "mod", "mode"]),
                            ('\nmode = "enforced";\n', ["mailguard.conf:2", "enforced", "enforce"]),
                            ("milter = { listen = \"unix:relative\"; };\n", ["mailguard.conf:1", "absolute"]),
                            ("milter = {\n", ["mailguard.conf:"]),
                            ('user = "no-such-user";\n', ["no-such-user", "adduser"])]:
            conf.write_text(text)
            for words_of_command in (["-t"], []) if "user" not in text else ([],):
                done = subprocess.run([BUILD / "mailguardd", "-f", "-c", conf, *words_of_command], capture_output=True, text=True,
                                      timeout=30)
                assert done.returncode != 0, (text, words_of_command)
                assert all(word in done.stderr for word in words), (done.stderr, words)
                assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        conf.write_text("")
        done = subprocess.run([BUILD / "mailguardd", "-t", "-c", conf], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, "an empty file is valid"


def test_a_second_daemon_on_the_same_sockets_is_refused():
    with Lab() as lab:
        lab.mailguard.start()
        done = subprocess.run([BUILD / "mailguardd", "-f", "-c", lab.conf], capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and "already listens" in done.stderr, done.stderr
        assert lab.mailguard.ctl("version").stdout.count("0.") == 2, "the first one is unharmed"


def test_a_stale_socket_is_replaced():
    with Lab() as lab:
        (lab.queue / "mailguard").mkdir()
        listen_unix(lab.queue / "mailguard" / "milter.sock").close()
        lab.mailguard.start()


def test_a_dead_supervisor_lets_the_worker_finish():
    with Lab() as lab:
        lab.start()
        client = open_message(lab)
        worker = lab.mailguard.worker_pid()
        lab.mailguard.process.kill()
        lab.mailguard.process.wait()
        wait_until("the sockets are free", lambda: lab.mailguard.ctl("version", "--json").stdout.count('"daemon": ""'))
        lab.mailguard.start()  # while the old worker finishes its message
        assert pathlib.Path(f"/proc/{worker}").exists()
        code, text = finish(client)
        assert code == 250
        wait_until("the worker is gone", lambda: not pathlib.Path(f"/proc/{worker}").exists())
        lab.record(lambda t: t["queue_id"] == queue_id_of(text) and "milter" in t["doors"])


def test_root_is_given_up_for_the_configured_user():
    """As `daemon`, a user every Debian has; the lab's directories are opened for it."""
    with Lab() as lab:
        conf = lab.conf.read_text().replace('user = "";', 'user = "daemon";').replace('group = "";', 'group = "daemon";')
        lab.conf.write_text(conf)
        for path in (lab.state, lab.run):
            shutil.chown(path, "daemon", "daemon")
        lab.mail_log.chmod(0o644)
        lab.start()
        status = pathlib.Path(f"/proc/{lab.mailguard.process.pid}/status").read_text()
        daemon = pwd.getpwnam("daemon")
        for kind in ("Uid", "Gid"):
            ids = re.search(rf"^{kind}:\s+(.*)$", status, re.M).group(1).split()
            assert set(ids) == {str(daemon.pw_uid if kind == "Uid" else daemon.pw_gid)}, (kind, ids)
        postfix = pwd.getpwnam("postfix")
        directory = (lab.queue / "mailguard").stat()
        assert oct(directory.st_mode)[-4:] == "0710" and directory.st_gid == postfix.pw_gid
        for name in ("milter", "policy"):
            info = (lab.queue / "mailguard" / f"{name}.sock").stat()
            assert oct(info.st_mode)[-4:] == "0660" and (info.st_uid, info.st_gid) == (daemon.pw_uid, postfix.pw_gid)
        info = (lab.run / "control.sock").stat()
        assert oct(info.st_mode)[-4:] == "0660" and info.st_gid == daemon.pw_gid
        _, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
        txn = lab.record(lambda t: t["queue_id"] == queue_id_of(text) and t["recipients"][0]["delivery"] == "sent")
        assert txn["doors"] == ["milter", "policy"]
        os.kill(lab.mailguard.worker_pid(), signal.SIGKILL)
        wait_until("a fresh worker without root", lambda: lab.mailguard.ready_count() > 1)
        assert lab.mailguard.stop() == 0


def test_in_the_background_and_back():
    with Lab() as lab:
        done = subprocess.run([BUILD / "mailguardd", "-c", lab.conf], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        wait_until("it serves", lambda: lab.mailguard.ctl("version", "--json").stdout.count('"daemon": "0'))
        pids = subprocess.run(["pgrep", "-f", str(lab.conf)], capture_output=True, text=True).stdout.split()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)
        wait_until("it is gone", lambda: not (lab.run / "control.sock").exists())


def test_mail_flows_without_a_journal_and_recording_resumes():
    with Lab() as lab:
        (lab.state / "journal.db").mkdir()  # nothing that SQLite could open
        lab.start()
        _, text, _ = lab.send("zoe@stranger.example", "ann@local.example", address=STRANGER)
        assert queue_id_of(text)
        report = lab.mailguard.json("check", "journal.write", "log.reader")["checks"]
        assert report[0]["state"] == "crit" and report[0]["cause"] and str(lab.state) in report[0]["fix"], report
        assert lab.mailguard.json("status")["transactions"]["accepted"] == 1
        assert lab.mailguard.ctl("recent").returncode == 3, "no record to read, said on stderr"
        (lab.state / "journal.db").rmdir()
        wait_until("recording again", lambda: lab.mailguard.json("check", "journal.write")["checks"][0]["state"] == "ok")
        lab.record(lambda t: t["queue_id"] == queue_id_of(text) and t["verdict"]["rule"] == "log-only")


@alone
def test_upgrades_and_reloads_under_load_lose_nothing():
    with Lab(main_cf="virtual_transport = discard:\n") as lab:
        lab.start()
        count, turns = 1500, 0
        load = subprocess.Popen(["smtp-source", "-s", "20", "-m", str(count), "-l", "2048", "-f", "zoe@stranger.example",
                                 "-t", "ann@local.example", f"127.0.0.1:{lab.port}"])
        while load.poll() is None and turns < 6:
            ready = lab.mailguard.ready_count()
            lab.mailguard.process.send_signal(signal.SIGUSR2 if turns % 2 == 0 else signal.SIGHUP)
            if turns % 2 == 0:
                wait_until("the new worker", lambda: lab.mailguard.ready_count() > ready)
            turns += 1
        assert load.wait(120) == 0 and turns > 1, "smtp-source fails on any refusal or lost connection"
        wait_until("an empty queue", lambda: lab.log_text().count(": removed") >= count, 60)

        def seen():
            return [t for t in lab.recent("--limit", "10000") if t["queue_id"]]

        def missing():
            records = seen()
            open_ones = [t["queue_id"] for t in records if any(r["delivery"] != "sent" for r in t["recipients"])]
            return f"{len(records)} records, without delivery: {open_ones[:5]}" if len(records) < count or open_ones else ""
        try:
            wait_until("every record", lambda: not missing(), 60)
        except TimeoutError:
            raise AssertionError(missing()) from None
        assert len({t["queue_id"] for t in seen()}) == len(seen()) == count
        assert not [t for t in seen() if not t["doors"]], "a door saw every message"
