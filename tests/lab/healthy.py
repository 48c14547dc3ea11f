"""A lab in which nothing is wrong: safe settings, TLS with a certificate that can be verified, a sound zone."""
import contextlib

from certificates import Authority
from lab import OWN, SOUND_ZONE, Lab

TLS = """\
smtpd_tls_security_level = may
smtpd_tls_cert_file = {etc}/cert.pem
smtpd_tls_key_file = {etc}/key.pem
smtpd_tls_auth_only = yes
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_mandatory_protocols = >=TLSv1.2
"""
SAFE = "smtpd_forbid_bare_newline = normalize\nsmtpd_forbid_unauth_pipelining = yes\n"


OF_MACHINE = ("disk.", "system.", "net.", "firewall.", "fail2ban.")


def is_well(check):
    """Whether the lab is well there; how the machine it runs on fares is not its business."""
    return check["state"] == "ok" or check["id"].startswith(OF_MACHINE)


@contextlib.contextmanager
def healthy(main_cf="", master_cf="", conf="", zone=None):
    """The lab, its authority given; nothing is started yet."""
    with Lab(main_cf=TLS + SAFE + main_cf, master_cf="tlsmgr unix - - n 1000? 1 tlsmgr\n" + master_cf, conf=OWN + conf,
             zone={**SOUND_ZONE, **(zone or {})}) as lab:
        authority = Authority(lab.root / "ca")
        authority.give(lab.etc)
        lab.mailguard.environment["SSL_CERT_FILE"] = str(authority.store)
        yield lab
