"""Certificates of a private authority, made with openssl."""
import datetime
import shutil
import subprocess

HOST = "mail.local.example"


def openssl(*words, text=None):
    done = subprocess.run(["openssl", *map(str, words)], input=text, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


class Authority:
    """A private CA with an intermediate one, and a trust store that holds its root."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.serial = 100
        self.root = self._make("root", "/CN=Test Root", None, ca=True)
        self.middle = self._make("middle", "/CN=Test Intermediate", self.root, ca=True)
        self.store = directory / "root.crt"

    def _make(self, name, subject, issuer, ca=False, host=None, days=90, age=10):
        key, request, certificate = (self.directory / f"{name}.{end}" for end in ("key", "csr", "crt"))
        if not key.exists():
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(("basicConstraints=critical,CA:TRUE\n" if ca else "basicConstraints=CA:FALSE\n") +
                              (f"subjectAltName=DNS:{host}\n" if host else ""))
        now = datetime.datetime.now(datetime.timezone.utc)
        self.serial += 1
        database = self.directory / "index.txt"
        database.write_text("")
        (self.directory / "serial").write_text(f"{self.serial:04x}\n")
        settings = self.directory / "ca.cnf"
        settings.write_text(f"[ca]\ndefault_ca=d\n[d]\ndir={self.directory}\ndatabase={database}\nserial={self.directory}/serial\n"
                            f"new_certs_dir={self.directory}\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
        signer = (["-selfsign", "-keyfile", key] if issuer is None else
                  ["-cert", self.directory / f"{issuer}.crt", "-keyfile", self.directory / f"{issuer}.key"])
        openssl("ca", "-batch", "-notext", "-config", settings, "-in", request, "-out", certificate, "-extfile", extensions, *signer,
                "-startdate", (now - datetime.timedelta(days=age)).strftime("%Y%m%d%H%M%SZ"),
                "-enddate", (now - datetime.timedelta(days=age) + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ"))
        return name

    def give(self, etc, host=HOST, chain=True, days=90, age=10, key=None):
        """Puts cert.pem and key.pem into the directory `etc`."""
        self._make("leaf", f"/CN={host}", self.middle, host=host, days=days, age=age)
        text = (self.directory / "leaf.crt").read_text()
        (etc / "cert.pem").write_text(text + ((self.directory / "middle.crt").read_text() if chain else ""))
        shutil.copy(self.directory / "leaf.key", etc / "key.pem")
        (etc / "key.pem").chmod(0o600)
