"""DKIM by python3-dkim: {"op": "sign", ...} signs a message, {"op": "verify", ...} tells of each signature whether it is right."""
import base64
import json
import logging
import sys

sys.path[:0] = ["/usr/lib/python3/dist-packages"]
import dkim  # noqa: E402

quiet = logging.getLogger("dkim")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False


def sign(case):
    signer = dkim.DKIM(base64.b64decode(case["message"]), logger=quiet)
    field = signer.sign(b"sel", b"example.com", case["key"].encode(), signature_algorithm=case["algorithm"].encode(),
                        canonicalize=tuple(word.encode() for word in case["forms"]),
                        include_headers=[name.encode() for name in case["names"]], length=case["length"])
    return {"field": base64.b64encode(field).decode()}


def verify(case):
    results, reasons = [], []
    message = base64.b64decode(case["message"])

    def record(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        return case["keys"].get(name.rstrip("."), "").encode() or None

    try:
        verifier = dkim.DKIM(message, logger=quiet, minkey=1024)
    except Exception as trouble:
        return {"results": None, "reasons": [repr(trouble)]}
    count = len([name for name, _ in verifier.headers if name.lower() == b"dkim-signature"])
    for number in range(count):
        try:
            results.append(bool(dkim.DKIM(message, logger=quiet, minkey=1024).verify(number, dnsfunc=record)))
            reasons.append("")
        except Exception as trouble:
            results.append(False)
            reasons.append(repr(trouble))
    return {"results": results, "reasons": reasons}


if __name__ == "__main__":
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(sign(case) if case["op"] == "sign" else verify(case)))
