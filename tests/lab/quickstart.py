"""The telling mails of ./quickstart: sends them through a private Postfix, shows what mailguard makes of them."""
import argparse
import subprocess
import sys

from healthy import healthy, is_well
from lab import BUILD, queue_id_of, wait_until

LOGIN = ("ann@mail.local.example", "correct horse")
ZONE = {  # the DNS that the private mailguard asks
    "stranger.example": [{"TXT": "v=spf1 ip4:203.0.113.66 -all"}],
    "client.example": [{"A": "203.0.113.66"}],
    "66.113.0.203.in-addr.arpa": [{"PTR": "client.example"}],
    "_dmarc.stranger.example": [{"TXT": "v=DMARC1; p=none"}],
    "_dmarc.bank.example": [{"TXT": "v=DMARC1; p=reject"}],
}
FORGED = b"From: Your bank <service@bank.example>\r\nTo: <ann@local.example>\r\nSubject: Urgent\r\n\r\nClick here.\r\n"


def say(text):
    print(text, flush=True)


def step(text):
    say(f"\n== {text}")


def delivery(lab, queue_id):
    found = [txn for txn in lab.recent("--limit", "100") if txn["queue_id"] == queue_id]
    return found[0]["recipients"][0]["delivery"] if found else ""


def send_mails(lab):
    """Each row: what it shows, how it is sent, the reply it must get, the delivery that must follow, relay class."""
    mails = [
        ("a message from outside, delivered to a mailbox here",
         dict(sender="zoe@stranger.example", recipients="ann@local.example", address="203.0.113.66",
              message_id="first@stranger.example"), 250, "sent", "inbound"),
        ("a user who does not exist is refused",
         dict(sender="zoe@stranger.example", recipients="nobody@local.example", address="203.0.113.66"),
         550, "unknown", "inbound"),
        ("a stranger who wants us to relay is refused",
         dict(sender="spam@stranger.example", recipients="victim@foreign.example", address="203.0.113.66"),
         554, "unknown", "stranger"),
        ("a message that only pretends to come from a bank is refused",
         dict(sender="spam@stranger.example", recipients="ann@local.example", address="203.0.113.66", message=FORGED),
         550, "unknown", "inbound"),
        ("a message whose next host is down waits in the queue",
         dict(sender="ann@local.example", recipients="bob@down.example", login=LOGIN), 250, "deferred", "authenticated"),
        ("a logged-in user writes to a colleague",
         dict(sender="ann@local.example", recipients="bob@local.example", login=LOGIN), 250, "sent", "authenticated"),
    ]
    ids, wrong = [], []
    for title, mail, code, end, relay in mails:
        got, text, _ = lab.send(**mail)
        queue_id = queue_id_of(text)
        say(f"  {title}: {got} {text}")
        if got != code:
            wrong.append(f"{title}: expected {code}, got {got}")
        ids.append(queue_id)
        txn = lab.record(lambda t: t["recipients"] and t["recipients"][0]["address"] == mail["recipients"]
                         and t["sender"] == mail["sender"] and (not queue_id or t["queue_id"] == queue_id), title)
        if queue_id:
            wait_until(f"{title}: delivery {end}", lambda: delivery(lab, queue_id) == end)
        expected = "accept" if code == 250 else "reject"
        if txn["verdict"]["action"] != expected or txn["relay"] != relay:
            wrong.append(f"{title}: recorded as {txn['verdict']['action']}/{txn['relay']}, expected {expected}/{relay}")
    return ids, wrong


def show(lab, *words):
    say(f"\n$ mailguardctl {' '.join(words)}")
    done = subprocess.run([BUILD / "mailguardctl", "-c", lab.conf, *words], env=lab.mailguard.environment)
    return done.returncode


def is_sound(status):
    return status["wiring"]["milter"] and all(map(is_well, status["checks"]))


def tell_how_to_go_on(lab, stays):
    say(f"""
What next
  wire mailguard into your own Postfix     README.md, "Wire a real server"
  look around in this one                  {BUILD}/mailguardctl -c {lab.conf} recent
  send it a message (apt install swaks)    swaks --server 127.0.0.1:{lab.port} --from you@example.org --to ann@local.example""")
    if stays:
        say("\nIt all stays up until Ctrl-C.")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--once", action="store_true")
    once = arguments.parse_args().once
    step("Starting a private Postfix with mailguard wired in (your own Postfix is not touched)")
    with healthy(main_cf="smtpd_tls_auth_only = no\n", zone=ZONE) as lab:  # its clients speak to loopback
        lab.add_login("ann")
        lab.start()
        say(f"  Postfix on 127.0.0.1:{lab.port}, everything below {lab.root}")
        step("Sending six telling mails")
        ids, wrong = send_mails(lab)
        wait_until("all is looked at, and well", lambda: is_sound(lab.mailguard.json("status")))
        step("What mailguard says")
        if show(lab, "status") not in (0, 1, 2):  # the machine may be short of disk; the rest was seen to be well
            wrong.append("status failed")
        if show(lab, "recent") != 0:
            wrong.append("recent failed")
        if show(lab, "trace", ids[0]) != 0:
            wrong.append("trace failed")
        counts = lab.mailguard.json("status")["transactions"]
        if (counts["total"], counts["accepted"], counts["rejected"]) != (6, 3, 3):
            wrong.append(f"status counts {counts}, expected 6 transactions: 3 accepted, 3 rejected")
        for line in wrong:
            print("NOT TRUE:", line, file=sys.stderr)
        tell_how_to_go_on(lab, not once)
        if not once:
            try:
                lab.mailguard.process.wait()
            except KeyboardInterrupt:
                say("\nStopping.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
