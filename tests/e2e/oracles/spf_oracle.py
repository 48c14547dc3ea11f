"""SPF by python3-spf over zones of JSON: a case a line, {"result": S, "why": S} a line.

A case may name "clauses": where python3-spf reads RFC 7208 otherwise than it is written, it is then made to read it so.
"""
import json
import re
import sys

sys.path[:0] = ["/usr/lib/python3/dist-packages"]
import spf  # noqa: E402

zone, chain = {}, 8
plain = {name: getattr(spf.query, name) for name in (
    "dns", "dns_mx", "dns_spf", "validated_ptrs", "cidrmatch", "expand", "validate_mechanism", "check0")}


def look_up(name, kind, strict=True, timeout=20, depth=0):
    found = []
    for entry_kind, value in zone.get(name.lower().rstrip("."), []):
        if entry_kind in ("TIMEOUT", "SERVFAIL"):
            if not found:
                raise spf.TempError("DNS " + entry_kind)
            break
        if entry_kind == "CNAME" and kind != "CNAME":
            if depth >= chain:
                raise spf.TempError("DNS loop")
            return [((name, kind), data) for _, data in look_up(value, kind, depth=depth + 1)]
        if entry_kind == kind:
            found.append(((name, kind), [value.encode("latin-1")] if kind == "TXT" else
                          (int(value.split()[0]), value.split()[1]) if kind == "MX" else value))
    return found


spf.DNSLookup = look_up


def judge(case):
    global zone
    zone = {name.lower(): entries for name, entries in case["names"].items()}
    for name, function in plain.items():
        setattr(spf.query, name, function)
    spf.MAX_VOID_LOOKUPS = 2
    for clause in case.get("clauses", ()):
        CLAUSES[clause]()
    try:
        query = spf.query(case["ip"], case["from"], case["helo"], receiver="mx.test", strict=True, timeout=20, querytime=0)
        result, _, why = query.check()
    except Exception as trouble:  # it has faults of its own
        return {"result": "exception", "why": repr(trouble)}
    return {"result": result, "why": f"{why} {getattr(query, 'prob', '')}"}


def no_void_limit():
    """4.6.4 speaks of lookups by terms; python3-spf counts each question, those for PTR's and MX's names too."""
    spf.MAX_VOID_LOOKUPS = 10 ** 6


def quiet_ptr():
    """5.5: DNS trouble with a PTR name skips the name, with PTR itself is no match; 4.6.4: of more than ten the first ten."""
    def validated_ptrs(query):
        names = []
        try:
            found = plain["dns"](query, spf.reverse_dots(query.i) + "." + query.v + ".arpa", "PTR")
        except spf.TempError:
            return []
        for name in found[:10]:
            try:
                if query.cidrmatch(query.dns_a(name, query.A), query.cidrmax):
                    names.append(name)
            except spf.TempError:
                pass
        return names
    spf.query.validated_ptrs = validated_ptrs


class Found(list):
    """Addresses, and the trouble met on the way to them."""
    trouble = None


def any_mx():
    """5.4: if any address matches, the mechanism matches; trouble with another host does not hinder it."""
    def dns_mx(query, name):
        hosts, found = plain["dns"](query, name, "MX"), Found()
        if len(hosts) > 10:
            raise spf.PermError("more than 10 MX")
        for _, host in hosts:
            try:
                found += query.dns_a(host, query.A)
            except spf.TempError as trouble:
                found.trouble = trouble
        return found

    def cidrmatch(query, addresses, bits):
        if plain["cidrmatch"](query, addresses, bits):
            return True
        if getattr(addresses, "trouble", None):
            raise addresses.trouble
        return False
    spf.query.dns_mx, spf.query.cidrmatch = dns_mx, cidrmatch


def any_case():
    """4.6.1: names of mechanisms and modifiers are written in letters of any case (RFC 5234 section 2.3)."""
    rewrite(lambda record: re.sub("(?i)(?<= )(redirect|exp)=", lambda found: found.group().lower(), record))


def rewrite(change):
    before = spf.query.dns_spf

    def dns_spf(query, domain):
        record = before(query, domain)
        return record and change(record)
    spf.query.dns_spf = dns_spf


def many_modifiers():
    """6: only redirect and exp must not appear twice; 7.2: c, r and t are for explanations, and other modifiers aren't looked at."""
    rewrite(lambda record: re.sub(r"(?i)(?<= )(?!redirect=|exp=)[a-z][a-z0-9_.-]*=(%[{][a-z][0-9]*r?[-.+,/_=]*[}]|%%|%_|%-|[!-$&-~])*(?= |$)", "", record))


MACRO = re.compile(r"%(%|_|-|[{][slodiphcrtv]([1-9][0-9]*|0+[1-9][0-9]*)?r?[-.+,/_=]*[}])", re.I)


def sound_macros():
    """7.1: the grammar of macros, which python3-spf does not check: a number that is not zero, then r, then delimiters."""
    def expand(query, text, stripdot=True):
        if "%" in MACRO.sub("", text):
            raise spf.PermError("macro", text)
        return plain["expand"](query, text, stripdot)
    spf.query.expand = expand


def late_include():
    """4.6.2, 5.2: a record that includes itself is an error only when that term is reached."""
    def validate_mechanism(query, term):
        try:
            return plain["validate_mechanism"](query, term)
        except spf.PermError as wrong:
            if "trivial recursion" not in str(wrong):
                raise
            name = term.split(":")[0]
            return term, "include", query.d, query.cidrmax, spf.RESULTS.get(name[0], "pass")
    spf.query.validate_mechanism = validate_mechanism


def late_redirect():
    """4.6.4, 6.1: redirect counts when it is used."""
    def check0(query, record, recursion):
        if not re.search("(?i) redirect=", record or ""):
            return plain["check0"](query, record, recursion)
        query.lookups -= 1
        return plain["check0"](query, record, recursion)
    spf.query.check0 = check0


CLAUSES = {"4.6.4 void lookups": no_void_limit, "5.5 trouble with PTR": quiet_ptr, "5.4 any address": any_mx, "4.6.1 case": any_case,
           "6 other modifiers": many_modifiers, "7.1 macro grammar": sound_macros, "5.2 include of itself": late_include,
           "6.1 redirect unused": late_redirect}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(judge(json.loads(line))), flush=False)
    sys.stdout.flush()
