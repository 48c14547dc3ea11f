"""Certificates, keys and TLS of a real Postfix and a real Dovecot: each fault made, found, mended as printed, and fine again."""
import contextlib
import os
import shutil
import signal
import subprocess

from certificates import HOST, Authority, openssl
from healthy import TLS
from lab import BUILD, Lab, free_port, wait_until

@contextlib.contextmanager
def secured(master_cf="", main_cf="", conf=""):
    with Lab(main_cf=TLS + main_cf, master_cf="tlsmgr unix - - n 1000? 1 tlsmgr\n" + master_cf, conf=conf) as lab:
        authority = Authority(lab.root / "ca")
        authority.give(lab.etc)
        lab.mailguard.environment["SSL_CERT_FILE"] = str(authority.store)
        lab.start_postfix()
        yield lab, authority


def check(lab, name):
    return lab.mailguard.json("check", name)["checks"][0]


def reload(lab):
    """As postfix reload, without its second of waiting."""
    lab.age()
    os.kill(int((lab.queue / "pid" / "master.pid").read_text()), signal.SIGHUP)


def set_to(lab, **parameters):
    subprocess.run(["postconf", "-c", lab.etc, "-e", *(f"{name} = {value}" for name, value in parameters.items())], check=True)
    reload(lab)


def mend(lab, found):
    done = subprocess.run(found["fix"], shell=True, capture_output=True, text=True)
    assert done.returncode == 0, (found["fix"], done.stderr)
    lab.age()


def expect(lab, name, state, *words, within=("summary", "cause", "fix")):
    with contextlib.suppress(TimeoutError):  # an smtpd of before the reload may take one more client
        wait_until(f"{name} is {state}", lambda: check(lab, name)["state"] == state, 5)
    found = check(lab, name)
    text = " ".join(found[key] for key in within) + " ".join(found["evidence"])
    assert found["state"] == state, found
    for word in words:
        assert word in text, (word, found)
    assert state == "ok" or (found["cause"] and found["fix"]), found
    assert found["manual"], found
    return found


CERTIFICATE_CHECKS = ["tls.cert.expiry", "tls.cert.name", "tls.cert.chain", "tls.cert.loaded", "tls.key", "tls.protocol", "tls.starttls"]


def test_certificates_of_postfix():
    with secured() as (lab, authority):
        for name in CERTIFICATE_CHECKS:
            expect(lab, name, "ok")
        place = f"127.0.0.1:{lab.port}"

        authority.give(lab.etc, days=90, age=75)
        expect(lab, "tls.cert.loaded", "crit", place, str(lab.etc / "cert.pem"), "reload")
        mend(lab, check(lab, "tls.cert.loaded"))
        expect(lab, "tls.cert.loaded", "ok")
        expect(lab, "tls.cert.expiry", "warn", "certbot renew")
        authority.give(lab.etc, days=90, age=85)
        reload(lab)
        assert 4 < expect(lab, "tls.cert.expiry", "crit", "certbot renew")["value"] < 6
        authority.give(lab.etc, days=90, age=91)
        reload(lab)
        expect(lab, "tls.cert.expiry", "crit", "has expired", place, "certbot renew")
        expect(lab, "tls.cert.chain", "ok")  # its age is one fault, not two
        authority.give(lab.etc)
        mend(lab, expect(lab, "tls.cert.expiry", "crit", "a newer certificate is in the file"))
        expect(lab, "tls.cert.expiry", "ok")

        authority.give(lab.etc, host="other.example")
        reload(lab)
        expect(lab, "tls.cert.name", "warn", HOST, "other.example", place)
        authority.give(lab.etc, chain=False)
        reload(lab)
        expect(lab, "tls.cert.chain", "warn", "Test Intermediate", "cat INTERMEDIATE.pem", place)
        authority.give(lab.etc)
        shutil.copy(lab.etc / "cert.pem", lab.etc / "fullchain.pem")
        authority.give(lab.etc, chain=False)
        reload(lab)
        shutil.copy(authority.directory / "leaf.crt", lab.etc / "fullchain.pem")
        with open(lab.etc / "fullchain.pem", "a") as full:
            full.write((authority.directory / "middle.crt").read_text())
        mend(lab, expect(lab, "tls.cert.chain", "warn", "fullchain.pem"))
        expect(lab, "tls.cert.chain", "ok")
        lab.mailguard.environment["SSL_CERT_FILE"] = "/dev/null"
        expect(lab, "tls.cert.chain", "warn")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", lab.etc / "key.pem", "-out", lab.etc / "self.pem",
                "-days", "90", "-subj", f"/CN={HOST}")
        set_to(lab, smtpd_tls_cert_file=lab.etc / "self.pem")
        expect(lab, "tls.cert.chain", "warn", "self-signed")


def test_keys():
    with secured() as (lab, authority):
        key = lab.etc / "key.pem"
        key.chmod(0o640)
        found = expect(lab, "tls.key", "warn", str(key), f"chmod 600 {key}")
        mend(lab, found)
        expect(lab, "tls.key", "ok")
        shutil.chown(key, "postfix")
        mend(lab, expect(lab, "tls.key", "warn", "postfix", f"chown root:root {key}"))
        expect(lab, "tls.key", "ok")
        good = key.read_bytes()
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        expect(lab, "tls.key", "crit", "does not belong", str(lab.etc / "cert.pem"))
        reload(lab)
        expect(lab, "tls.starttls", "crit", "offers STARTTLS, and it fails")
        for text, word in ((b"", "holds no private key"), (b"\xff" * 10_000_000, "larger"), (b"garbage\n" * 100, "no private key")):
            key.write_bytes(text)
            expect(lab, "tls.key", "crit", word)
        key.unlink()
        expect(lab, "tls.key", "crit", "can't be read", str(key))
        openssl("pkey", "-aes128", "-passout", "pass:secret", "-out", key, text=good.decode())
        expect(lab, "tls.key", "crit", "passphrase")
        key.write_bytes(good)
        for text, word in ((b"", "empty"), (b"\x30\x82" + b"x" * 500, "DER"), (b"nothing", "no certificate")):
            (lab.etc / "cert.pem").write_bytes(text)
            expect(lab, "tls.key", "crit", word)
            expect(lab, "tls.cert.expiry", "unknown", word)
        authority.give(lab.etc)
        key.chmod(0o600)
        reload(lab)
        expect(lab, "tls.starttls", "ok")
        os.chmod(lab.root, 0o755)
        stranger = subprocess.run(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *map(str, (BUILD / "mailguardctl", "-c", lab.conf)), "check", "tls.key",
             "--json"], capture_output=True, text=True, env={**os.environ, "SSL_CERT_FILE": str(authority.store)})
        assert '"unknown"' in stranger.stdout and "needs root" in stranger.stdout, (stranger.stdout, stranger.stderr)


def test_what_is_offered():
    with secured() as (lab, _):
        set_to(lab, smtpd_tls_protocols=">=TLSv1", smtpd_tls_mandatory_protocols=">=TLSv1", tls_medium_cipherlist="ALL:@SECLEVEL=0")
        found = expect(lab, "tls.protocol", "warn", "TLSv1", ">=TLSv1.2", f"127.0.0.1:{lab.port}")
        mend(lab, found)
        expect(lab, "tls.protocol", "ok")
        set_to(lab, tls_medium_cipherlist="ALL:COMPLEMENTOFALL:@SECLEVEL=0", smtpd_tls_exclude_ciphers="")
        expect(lab, "tls.protocol", "warn", "weak cipher", "NULL")
        set_to(lab, tls_medium_cipherlist="HIGH")
        expect(lab, "tls.protocol", "ok")
        set_to(lab, smtpd_tls_security_level="none")
        mend(lab, expect(lab, "tls.starttls", "warn", "does not offer STARTTLS", "smtpd_tls_security_level = may"))
        expect(lab, "tls.starttls", "ok")
        set_to(lab, smtpd_tls_security_level="none", smtpd_tls_cert_file="", smtpd_tls_key_file="")
        expect(lab, "tls.starttls", "warn", "certbot certonly", "smtpd_tls_cert_file")
        for name in CERTIFICATE_CHECKS[:-1]:
            assert check(lab, name)["summary"].startswith("not applicable"), name
        lab.postfix("stop")
        expect(lab, "tls.starttls", "unknown")
