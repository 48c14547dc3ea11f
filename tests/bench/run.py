#!/usr/bin/env python3
"""`make bench`: mailguard beside its floors, in one run; medians, and ratios beside absolute numbers.

Absolute times say little on a shared machine; the ratios do. Everything is private and removed at the end.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True

import end_to_end  # noqa: E402
import limiters  # noqa: E402
import parts  # noqa: E402
import senders  # noqa: E402

PARTS = {
    "milter": (parts.milter, "the milter door"),
    "policy": (parts.policy, "the policy door"),
    "journal": (parts.journal, "the journal's disk"),
    "limits": (parts.limits, "rate limits in memory"),
    "policy-limits": (limiters.policy_limits, "rate limits by policy"),
    "memory": (parts.memory, "memory"),
    "status": (parts.status, "status while mail flows"),
    "auth": (senders.auth, "the sender's checks, DNS warm"),
    "dns": (senders.dns_part, "the sender's checks, DNS cold"),
    "policy-spf": (senders.policy_spf, "SPF by policy"),
    "callgrind": (senders.callgrind, "instructions per message"),
    "postfix": (end_to_end.postfix, "a real Postfix, end to end"),
    "killed": (end_to_end.killed, "the same with kill -9 of the worker"),
}
SLOW = ("postfix", "killed")  # not in a quick run
OPTIONAL = ("callgrind",)      # only when named
HEADINGS = {"what": "", "per_s": "per s", "per_s_ratio": "x floor", "cpu_us": "CPU us each", "cpu_ratio": "x floor",
            "late_cpu_us": "late CPU us", "seconds": "s", "time_ratio": "x alone", "lost": "LOST",
            "extra": "EXTRA", "record_behind_s": "record behind s"}


def shown(value):
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def print_rows(rows):
    """One line per row; rows of one table share their columns."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [[HEADINGS.get(key, key.replace("_", " ")) for key in columns]]
    lines += [[shown(row.get(key, "")) for key in columns] for row in rows]
    if len(rows) == 1:
        lines = [list(pair) for pair in zip(*lines)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip())


def print_part(name, result):
    print(f"{name}: {PARTS[name][1]}")
    doors = list(dict.fromkeys(row.get("door") for row in result["rows"]))
    for door in doors:
        print_rows([row for row in result["rows"] if row.get("door") == door])
    for note in result["notes"]:
        print(f"  - {note}")
    print(flush=True)


def teller(name):
    def tell(what):
        if sys.stderr.isatty():
            print(f"\r\033[K{name}: {what}", end="", file=sys.stderr, flush=True)
    return tell


def clear():
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description="Benchmarks of mailguard beside its floors.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: small counts, no Postfix")
    parser.add_argument("--only", action="append", choices=list(PARTS), metavar="NAME",
                        help="this part; may be repeated: " + ", ".join(PARTS))
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--dir", default="/var/tmp", help="where the disk is that is measured (default %(default)s)")
    return parser.parse_args()


def main():
    asked = arguments()
    size = parts.Size(asked.quick)
    names = asked.only or [name for name in PARTS if name not in OPTIONAL and not (asked.quick and name in SLOW)]
    results, failed = {}, False
    for name in names:
        with tempfile.TemporaryDirectory(prefix="mailguard-bench-", dir=asked.dir) as root:
            try:
                rows, notes = PARTS[name][0](teller(name), size, pathlib.Path(root))
            except (RuntimeError, TimeoutError, OSError) as trouble:
                rows, notes, failed = [], [f"FAILED: {trouble}"], True
        clear()
        results[name] = {"rows": rows, "notes": notes}
        failed = failed or any(row.get("lost", 0) for row in rows)
        if not asked.json:
            print_part(name, results[name])
    if asked.json:
        json.dump({"processors": os.cpu_count(), "quick": asked.quick, "parts": results}, sys.stdout, indent=2)
        print()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
