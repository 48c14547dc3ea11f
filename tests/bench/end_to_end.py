"""Mail through a real Postfix: its speed with and without mailguard, and that no record is lost, whatever dies."""
import contextlib
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import time

from parts import running
from servers import Null, Server, lab

MAIN_CF = """\
virtual_transport = discard
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
in_flow_delay = 0
"""
NULL_WIRING = """\
smtpd_milters = unix:{queue}/null/null_milter.sock
smtpd_recipient_restrictions = check_policy_service {{ unix:null/null_policy.sock, policy_context=rcpt }}
"""
SESSIONS, BYTES, KILLS = 50, 2048, 3
RECORD_S = 300  # how long the record may take to be complete
SENT = 1        # MG_DELIVERY_SENT
SLOT_BITS = 14  # MG_SLOT_BITS


def is_possible():
    return os.geteuid() == 0 and all(map(shutil.which, ("postfix", "smtp-source")))


class Counts:
    """What the journal of a lab holds: records, those that a door told, those of the log alone, final outcomes."""

    def __init__(self, place):
        path = place.state / "journal.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
            self.records, by_doors, log_only = db.execute(
                "SELECT count(*), total(by_milter OR by_policy), total(rule = 'log-only') FROM txn"
                " WHERE is_shown").fetchone()
            self.final, = db.execute("SELECT count(*) FROM recipient JOIN txn ON txn.seq = recipient.slot >> ?"
                                     " WHERE delivery = ? AND is_shown", (SLOT_BITS, SENT)).fetchone()
        self.by_doors, self.log_only = int(by_doors), int(log_only)

    def row(self, sent):
        return {"records": self.records, "extra": max(0, self.records - sent), "by_doors": self.by_doors,
                "log_only": self.log_only, "final": self.final, "lost": sent - self.final}


def start_source(place, count):
    return subprocess.Popen(
        ["smtp-source", "-s", str(SESSIONS), "-m", str(count), "-l", str(BYTES), "-f", "sender@example.org", "-t",
         "ann@local.example", f"127.0.0.1:{place.port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)


def finish_source(source):
    _, complaint = source.communicate(timeout=900)
    if source.returncode != 0:
        raise RuntimeError("smtp-source: " + complaint.strip())


def delivered(place):
    """How many deliveries Postfix logged; short queue ids return, so lines are counted, one for each mail."""
    return place.log_text().count("status=sent")


def send(place, count):
    before, start = delivered(place), time.monotonic()
    finish_source(start_source(place, count))
    taken = time.monotonic() - start
    lab.wait_until("Postfix has delivered all", lambda: delivered(place) >= before + count, RECORD_S)
    return taken


def complete(place, count):
    """Waits for `count` final outcomes and does not insist: the row tells what is lost. The counts, and the wait."""
    start = time.monotonic()
    with contextlib.suppress(TimeoutError):
        lab.wait_until("the record is complete", lambda: Counts(place).final >= count, RECORD_S)
    return Counts(place), time.monotonic() - start


@contextlib.contextmanager
def null_wired():
    """A Postfix with the null milter and the null policy server where mailguard would be: what Postfix itself pays."""
    with lab.Lab(main_cf=MAIN_CF + NULL_WIRING) as place:
        folder = place.queue / "null"
        folder.mkdir()
        with running(Null("null_milter", folder), Null("null_policy", folder)) as them:
            for server in them:
                server.socket.chmod(0o666)
            yield place.start_postfix()


def speed(tell, size):
    with lab.Lab(main_cf=MAIN_CF) as bare, null_wired() as floor, lab.Lab(main_cf=MAIN_CF) as wired:
        bare.start_postfix()
        wired.start()
        daemon = Server(wired.mailguard.process)
        cpu_s, places = daemon.cpu_s(), {"alone": bare, "with null servers": floor, "with mailguard": wired}
        times = {name: [] for name in places}
        for number in range(size.mail_rounds):
            for name, place in places.items():
                tell(f"round {number + 1} of {size.mail_rounds}: Postfix {name}")
                times[name].append(send(place, size.mails))
            tell("the record")
            counts, waited = complete(wired, size.mails * (number + 1))
        sent = size.mails * size.mail_rounds
        cpu_us = (daemon.cpu_s() - cpu_s) / sent * 1e6
    middle = {name: statistics.median(taken) for name, taken in times.items()}
    rows = [{"what": f"Postfix {name}", "seconds": taken, "per_s": size.mails / taken,
             "time_ratio": taken / middle["alone"]} for name, taken in middle.items()]
    rows[-1].update(sent=sent, **counts.row(sent), cpu_us=cpu_us, record_behind_s=waited)
    return rows


def kill_worker(place):
    """Waits for its successor."""
    ready = place.mailguard.ready_count()
    os.kill(place.mailguard.worker_pid(), signal.SIGKILL)
    lab.wait_until("a fresh worker is ready", lambda: place.mailguard.ready_count() > ready)


def kills(tell, size):
    with lab.Lab(main_cf=MAIN_CF) as place:
        place.start()
        start, in_time = time.monotonic(), 0
        source = start_source(place, size.mails)
        for number in range(KILLS):
            share = size.mails * (number + 1) // (KILLS + 1)
            tell(f"kill {number + 1} of {KILLS}")
            lab.wait_until("part of the mail is through", lambda: delivered(place) >= share, RECORD_S)
            in_time += source.poll() is None
            kill_worker(place)
        finish_source(source)
        taken = time.monotonic() - start
        lab.wait_until("Postfix has delivered all", lambda: delivered(place) >= size.mails, RECORD_S)
        tell("the record")
        counts, waited = complete(place, size.mails)
        through = delivered(place)
    return {"what": "Postfix with mailguard", "kills": KILLS, "while_mail_came": in_time, "sent": size.mails,
            "delivered": through, **counts.row(size.mails), "seconds": taken, "record_behind_s": waited}


def postfix(tell, size, _root):
    if not is_possible():
        return [], ["skipped: needs root, Postfix and smtp-source"]
    return speed(tell, size), [
        f"smtp-source -s {SESSIONS} -l {BYTES}, {size.mails} mails a round, to transport discard; medians of "
        f"{size.mail_rounds} rounds",
        "lost: sent without a final outcome in the record; extra: records beyond one for each mail"]


def killed(tell, size, _root):
    if not is_possible():
        return [], ["skipped: needs root, Postfix and smtp-source"]
    return [kills(tell, size)], ["kill -9; what the doors did not see to its end is known from the log alone"]
