"""Configurations beyond the recorded ones, each with the verdicts that are right: (name, verdicts, main.cf, master.cf, files)."""

BASE = """compatibility_level = 3.6
myhostname = mail.local.example
mydomain = local.example
myorigin = $mydomain
mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain
mynetworks = 127.0.0.0/8 [::1]/128
inet_interfaces = all
alias_maps =
local_recipient_maps =
"""
SMTP = "smtp inet n - n - - smtpd\n"
REST = "cleanup unix n - n - 0 cleanup\nrewrite unix - - n - - trivial-rewrite\nsmtp unix - - n - - smtp\n"
RELAY = "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination\n"
NONE = "smtpd_relay_restrictions =\n"
TEST = ", reject_unauth_destination\n"


def relay(text):
    return f"smtpd_relay_restrictions = {text}\n"


def rcpt(text):
    return f"smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = {text}\n"


CLOSED, OPEN, UNKNOWN, NOT_OPEN, NOT_CLOSED = ("closed",), ("open",), ("unknown",), ("closed", "unknown"), ("open", "unknown")

VARIANTS = [
    # both lists must permit
    ("recipient permit under a good relay list", CLOSED, RELAY + "smtpd_recipient_restrictions = permit\n", SMTP, {}),
    ("both lists have an OK table", OPEN, relay("check_helo_access static:OK, reject") +
     "smtpd_recipient_restrictions = check_sender_access static:OK, reject\n", SMTP, {}),
    ("two tables that no one client passes", CLOSED, relay("check_helo_access inline:{a.example=OK}, reject") +
     "smtpd_recipient_restrictions = check_helo_access inline:{b.example=OK}, reject\n", SMTP, {}),
    ("two tables about different things", OPEN, relay("check_helo_access inline:{a.example=OK}, reject") +
     "smtpd_recipient_restrictions = check_sender_access inline:{b.example=OK}, reject\n", SMTP, {}),
    ("a list that ends without a test, the other with a counted one", OPEN, relay("permit_mynetworks, reject_unauth_pipelining") +
     "smtpd_recipient_restrictions = check_client_access static:OK, reject_unauth_destination\n", SMTP, {}),
    ("defer at the end", CLOSED, relay("permit_mynetworks, defer"), SMTP, {}),
    ("defer_if_permit before an OK", CLOSED, relay("defer_if_permit, check_sender_access static:OK"), SMTP, {}),
    ("an OK before defer_if_permit", OPEN, relay("check_sender_access static:OK, defer_if_permit"), SMTP, {}),
    ("a table's DEFER_IF_PERMIT", CLOSED, relay("check_sender_access static:DEFER_IF_PERMIT, check_helo_access static:OK, reject"), SMTP, {}),
    ("warn_if_reject defer_if_permit", OPEN, relay("warn_if_reject defer_if_permit, check_helo_access static:OK, reject"), SMTP, {}),
    ("warn_if_reject in front of a class", OPEN, "smtpd_restriction_classes = c\nc = permit_mynetworks, reject_unauth_destination\n" +
     relay("warn_if_reject c") + "smtpd_recipient_restrictions = check_helo_access static:OK, reject_unauth_destination\n", SMTP, {}),
    ("warn_if_reject ends with its restriction", CLOSED, relay("warn_if_reject reject_unknown_client_hostname, reject_unauth_destination, permit"), SMTP, {}),
    ("test in the sender list, delayed", CLOSED, rcpt("check_helo_access static:OK, reject") + "smtpd_sender_restrictions = reject_unauth_destination\n", SMTP, {}),
    ("test in the sender list, not delayed", OPEN, rcpt("check_helo_access static:OK, reject") +
     "smtpd_sender_restrictions = reject_unauth_destination\nsmtpd_delay_reject = no\n", SMTP, {}),
    ("helo list not delayed sees no recipient", OPEN, rcpt("check_helo_access static:OK, reject") +
     "smtpd_helo_restrictions = reject_unauth_destination\nsmtpd_delay_reject = no\n", SMTP, {}),
    ("client list refuses all", CLOSED, rcpt("check_helo_access static:OK, reject") + "smtpd_client_restrictions = permit_mynetworks, reject\n", SMTP, {}),
    ("test at DATA only, two recipients", NOT_CLOSED, rcpt("check_helo_access static:OK, reject") + "smtpd_data_restrictions = reject_unauth_destination\n", SMTP, {}),
    ("reject at the end of data", NOT_CLOSED + CLOSED, rcpt("check_helo_access static:OK, reject") + "smtpd_end_of_data_restrictions = reject\n", SMTP, {}),
    ("soft_bounce changes nothing", CLOSED, RELAY + "soft_bounce = yes\n", SMTP, {}),
    ("recipient before relay", CLOSED, RELAY + "smtpd_relay_before_recipient_restrictions = no\nsmtpd_recipient_restrictions = check_helo_access static:OK\n", SMTP, {}),
    ("upper case restrictions", NOT_OPEN, relay("PERMIT_MYNETWORKS, REJECT_UNAUTH_DESTINATION"), SMTP, {}),
    ("unknown restriction", NOT_OPEN, relay("permit_mynetwork, reject_unauth_destination"), SMTP, {}),
    ("unknown restriction behind an OK", OPEN, relay("check_helo_access static:OK, nonsense, reject"), SMTP, {}),
    ("unknown restriction only warned of still stops", NOT_OPEN, relay("warn_if_reject nonsense, check_helo_access static:OK, reject"), SMTP, {}),
    ("missing argument", NOT_OPEN, relay("permit_mynetworks, reject_unauth_destination, check_client_access"), SMTP, {}),
    ("table argument without a type", NOT_OPEN, relay("check_client_access /etc/x, check_helo_access static:OK, reject"), SMTP, {}),
    # classes
    ("nested classes", OPEN, "smtpd_restriction_classes = a, b\na = b\nb = check_sender_access static:OK\n" + relay("a" + TEST), SMTP, {}),
    ("nested classes that only test", CLOSED, "smtpd_restriction_classes = a, b\na = permit_mynetworks, b\nb = reject_unauth_destination\n" + relay("a"), SMTP, {}),
    ("a circle of classes", NOT_OPEN, "smtpd_restriction_classes = a, b\na = b\nb = a\n" + relay("a" + TEST), SMTP, {}),
    ("a class named by a table", OPEN, "smtpd_restriction_classes = vip\nvip = permit\n" + relay("check_sender_access inline:{boss@local.example=vip}" + TEST), SMTP, {}),
    ("a class named by a table that tests", CLOSED, "smtpd_restriction_classes = vip\nvip = permit_mynetworks, reject\n" + relay("check_sender_access inline:{boss@local.example=vip}" + TEST), SMTP, {}),
    ("a class without a definition", NOT_OPEN, "smtpd_restriction_classes = vip\n" + relay("check_sender_access static:OK" + TEST), SMTP, {}),
    # what tables answer
    *[(f"answer {answer!r}", verdict, relay("check_sender_access texthash:$config_directory/t" + TEST), SMTP, {"t": f"evil.example {answer}\n"})
      for answer, verdict in (("OK", OPEN), ("ok", OPEN), ("RELAY", OPEN), ("permit", OPEN), ("Permit", OPEN), ("200", OPEN), ("550", OPEN),
                              ("550 go away", CLOSED), ("DUNNO", CLOSED), ("REJECT", CLOSED), ("DISCARD", CLOSED), ("HOLD", CLOSED),
                              ("PREPEND X: y", CLOSED), ("permit_mynetworks", CLOSED), ("permit_mynetworks permit", OPEN),
                              ("permit_sasl_authenticated, reject", CLOSED), ("hash:/x", NOT_OPEN), ("FILTER smtp:x", CLOSED),
                              ("OK because we know them", OPEN), ("reject_unauth_destination", CLOSED), ("nonsense", NOT_OPEN))],
    ("DISCARD for all, then OK", CLOSED, relay("check_sender_access static:DISCARD, check_helo_access static:OK, reject"), SMTP, {}),
    ("client domain table under .com", OPEN, relay("check_client_access inline:{com=OK}" + TEST), SMTP, {}),
    ("client .com without parent matching", OPEN, "parent_domain_matches_subdomains =\n" + relay("check_client_access inline:{.com=OK}" + TEST), SMTP, {}),
    ("client com without parent matching", CLOSED, "parent_domain_matches_subdomains =\n" + relay("check_client_access inline:{com=OK}" + TEST), SMTP, {}),
    ("client co.uk", OPEN, relay("check_client_access inline:{co.uk=OK}" + TEST), SMTP, {}),
    ("one partner's host", CLOSED, relay("check_client_access inline:{192.0.2.7=OK}" + TEST), SMTP, {}),
    ("a partner's /8 by prefix", OPEN, relay("check_client_access inline:{44=OK}" + TEST), SMTP, {}),
    ("a /16 by prefix", NOT_CLOSED, relay("check_client_access inline:{44.12=OK}" + TEST), SMTP, {}),
    ("unknown client name behind its refusal", CLOSED, relay("reject_unknown_client_hostname, check_client_access inline:{unknown=OK}" + TEST), SMTP, {}),
    ("null sender", OPEN, relay("check_sender_access inline:{<>=OK}" + TEST), SMTP, {}),
    ("user@ of senders", OPEN, relay("check_sender_access inline:{root@=OK}" + TEST), SMTP, {}),
    ("one sender address", OPEN, relay("check_sender_access inline:{boss@local.example=OK}" + TEST), SMTP, {}),
    ("one sender address of somebody's login", CLOSED, "smtpd_sasl_auth_enable = yes\nsmtpd_sender_login_maps = inline:{boss@local.example=boss}\n" +
     relay("reject_sender_login_mismatch, check_sender_access inline:{boss@local.example=OK}" + TEST), SMTP, {}),
    ("the same without SASL", OPEN, "smtpd_sender_login_maps = inline:{boss@local.example=boss}\n" +
     relay("reject_sender_login_mismatch, check_sender_access inline:{boss@local.example=OK}" + TEST), SMTP, {}),
    ("postmaster@ of recipients", OPEN, relay("check_recipient_access inline:{postmaster@=OK}" + TEST), SMTP, {}),
    ("postmaster@ours", CLOSED, relay("check_recipient_access inline:{postmaster@local.example=OK}" + TEST), SMTP, {}),
    ("a foreign recipient domain", OPEN, relay("check_recipient_access inline:{partner.com=OK}" + TEST), SMTP, {}),
    ("helo required, all refused", CLOSED, "smtpd_helo_required = yes\n" + rcpt("check_helo_access static:REJECT, check_sender_access static:OK, reject"), SMTP, {}),
    ("helo not required, all that say it refused", OPEN, rcpt("check_helo_access static:REJECT, check_sender_access static:OK, reject"), SMTP, {}),
    ("helo localhost behind reject_non_fqdn", CLOSED, relay("reject_non_fqdn_helo_hostname, check_helo_access inline:{localhost=OK}" + TEST), SMTP, {}),
    ("sender of a top-level domain", OPEN, relay("check_sender_access inline:{example=OK}" + TEST), SMTP, {}),
    ("randmap with an OK", OPEN, relay("check_sender_access randmap:{OK, DUNNO}" + TEST), SMTP, {}),
    ("unionmap", NOT_CLOSED, relay("check_sender_access unionmap:{static:OK}" + TEST), SMTP, {}),
    ("pipemap that refuses", CLOSED, relay("check_sender_access pipemap:{static:x, inline:{x=REJECT}}" + TEST), SMTP, {}),
    ("pipemap that permits", NOT_CLOSED, relay("check_sender_access pipemap:{static:x, inline:{x=OK}}" + TEST), SMTP, {}),
    ("proxy:", OPEN, relay("check_sender_access proxy:texthash:$config_directory/t" + TEST), SMTP, {"t": "evil.example OK\n"}),
    ("a table that is not there", NOT_OPEN, relay("check_sender_access hash:$config_directory/none, check_helo_access static:OK" + TEST), SMTP, {}),
    ("text beside a missing index", NOT_OPEN, relay("check_sender_access hash:$config_directory/t" + TEST), SMTP, {"t": "evil.example OK\n"}),
    ("a database", UNKNOWN, relay("check_sender_access mysql:$config_directory/my.cf" + TEST), SMTP, {"my.cf": "hosts = 127.0.0.1\n"}),
    ("a database behind the test", CLOSED, relay("permit_mynetworks, reject_unauth_destination, check_sender_access mysql:/none"), SMTP, {}),
    ("a bare table in the client list", CLOSED, RELAY + "smtpd_client_restrictions = inline:{unknown=OK}\n", SMTP, {}),
    ("a bare table in the relay list is about recipients", OPEN, relay("inline:{com=OK}" + TEST), SMTP, {}),
    ("a bare table at DATA", NOT_OPEN, rcpt("check_helo_access static:OK, reject") + "smtpd_data_restrictions = static:OK\n", SMTP, {}),
    ("sender mx table says OK", NOT_OPEN, relay("check_sender_ns_access static:OK, check_sender_mx_access static:OK" + TEST), SMTP, {}),
    # cidr, pcre, regexp
    ("cidr with an if", OPEN, relay("check_client_access cidr:$config_directory/c" + TEST), SMTP, {"c": "if 0.0.0.0/0\n44.0.0.0/8 OK\nendif\n"}),
    ("cidr where the first rule wins", CLOSED, relay("check_client_access cidr:$config_directory/c" + TEST), SMTP, {"c": "0.0.0.0/0 REJECT\n::/0 DUNNO\n44.0.0.0/8 OK\n"}),
    ("cidr with host bits is skipped", CLOSED, relay("check_client_access cidr:$config_directory/c" + TEST), SMTP, {"c": "44.1.0.0/8 OK\n"}),
    ("cidr, private only", CLOSED, relay("check_client_access cidr:$config_directory/c" + TEST), SMTP, {"c": "10.0.0.0/8 OK\n192.168.0.0/16 OK\nfd00::/8 OK\n"}),
    ("cidr continued line", OPEN, relay("check_client_access cidr:$config_directory/c" + TEST), SMTP, {"c": "# all\n0.0.0.0/0\n   OK\n"}),
    ("pcre any sender", OPEN, relay("check_sender_access pcre:$config_directory/p" + TEST), SMTP, {"p": "/^/ OK\n"}),
    ("pcre not negated", OPEN, relay("check_sender_access pcre:$config_directory/p" + TEST), SMTP, {"p": "!/spam/ OK\n"}),
    ("pcre if", NOT_CLOSED, relay("check_sender_access pcre:$config_directory/p" + TEST), SMTP, {"p": "if /@local\\.example$/\n/^boss@/ OK\nendif\n"}),
    ("pcre case", OPEN, relay("check_sender_access pcre:$config_directory/p" + TEST), SMTP, {"p": "/@LOCAL\\.EXAMPLE$/ OK\n"}),
    ("pcre recipients of ours", CLOSED, relay("check_recipient_access pcre:$config_directory/p" + TEST), SMTP, {"p": "/@local\\.example$/ OK\n"}),
    ("regexp recipients, any of", NOT_CLOSED, relay("check_recipient_access regexp:$config_directory/p" + TEST), SMTP, {"p": "/@(gmail|hotmail)\\.com$/ OK\n"}),
    ("regexp with two patterns", NOT_CLOSED, relay("check_sender_access regexp:$config_directory/p" + TEST), SMTP, {"p": "/./!/@spam/ OK\n"}),
    ("pcre client names of ours", NOT_OPEN, relay("check_client_access pcre:$config_directory/p" + TEST), SMTP, {"p": "/\\.local\\.example$/ OK\n"}),
    ("pcre client names of a partner, unanchored", NOT_CLOSED, relay("check_client_access pcre:$config_directory/p" + TEST), SMTP, {"p": "/partner\\.com/ OK\n"}),
    ("pcre clients by their net", NOT_CLOSED, relay("check_client_access pcre:$config_directory/p" + TEST), SMTP, {"p": "/^44\\./ OK\n"}),
    ("pcre that can't be guessed", NOT_CLOSED, relay("check_sender_access pcre:$config_directory/p" + TEST), SMTP, {"p": "/^(?=.*q)(?=.*z)[a-z]{7,9}@/ OK\n"}),
    ("pcre tagged answer", CLOSED, relay("check_sender_access pcre:$config_directory/p" + TEST), SMTP, {"p": "/^(.*)$/ PREPEND X-From: $1\n"}),
    # mynetworks
    *[(f"mynetworks {value}", verdict, RELAY + f"mynetworks = {value}\n", SMTP, files) for value, verdict, files in (
        ("127.0.0.0/8 44.0.0.0/8", OPEN, {}), ("127.0.0.0/8 100.64.0.0/10", OPEN, {}), ("127.0.0.0/8 44.12.0.0/16", NOT_CLOSED, {}),
        ("127.0.0.0/8 198.51.100.0/24", CLOSED, {}), ("127.0.0.0/8 198.51.100.7", CLOSED, {}), ("[2000::]/4", OPEN, {}),
        ("[2001:db8:1:2::]/64", CLOSED, {}), ("!44.0.0.0/8 0.0.0.0/0", OPEN, {}), ("cidr:$config_directory/n", OPEN, {"n": "0.0.0.0/0 REJECT\n"}),
        ("cidr:$config_directory/n", OPEN, {"n": "!10.0.0.0/8 OK\n"}), ("pcre:$config_directory/n", OPEN, {"n": "/./ no\n"}),
        ("texthash:$config_directory/n", CLOSED, {"n": "192.0.2.7 x\n"}), ("$config_directory/n", OPEN, {"n": "10.0.0.0/8\n0.0.0.0/0\n"}),
        ("!$config_directory/n 0.0.0.0/0", CLOSED, {"n": "0.0.0.0/1\n128.0.0.0/1\n"}), ("$config_directory/none", NOT_OPEN, {}),
        ("0.0.0.0/2 64.0.0.0/2 128.0.0.0/2 192.0.0.0/2", OPEN, {}), ("0/0", NOT_OPEN, {}), ("127.0.0.0/8, 0.0.0.0/0", OPEN, {}),
        ("{ 0.0.0.0/0 }", NOT_OPEN, {}), ('"0.0.0.0/0"', NOT_OPEN, {}), ("com", OPEN, {}), ("static:", NOT_CLOSED + CLOSED, {}),
        ("proxy:static:x", OPEN, {}), ("hash:$config_directory/none", NOT_OPEN, {}), ("127.0.0.1/32 1.0.0.0/7", NOT_OPEN, {}),
        ("127.0.0.0/8 ${x?0.0.0.0/0}", CLOSED, {}), ("127.0.0.0/8 ${x:0.0.0.0/0}", OPEN, {}))],
    ("IPv6 only open, IPv6 not spoken", CLOSED, RELAY + "mynetworks = [::]/0\ninet_protocols = ipv4\n", SMTP, {}),
    ("IPv4 open, IPv4 not spoken", CLOSED, RELAY + "mynetworks = 0.0.0.0/0\ninet_protocols = ipv6\n", SMTP, {}),
    ("mynetworks unused", CLOSED, relay("permit_sasl_authenticated, reject_unauth_destination") + "mynetworks = 0.0.0.0/0\n", SMTP, {}),
    # relay_domains and classes of domains
    *[(f"relay_domains {value}", verdict, RELAY + f"relay_domains = {value}\n{more}", SMTP, files) for value, more, verdict, files in (
        ("com.ar", "", OPEN, {}), (".com", "parent_domain_matches_subdomains =\n", OPEN, {}), (".com", "", CLOSED, {}),
        ("partner.com", "", CLOSED, {}), ("hash:$config_directory/none", "", NOT_OPEN, {}), ("regexp:$config_directory/r", "", OPEN, {"r": "/./ REJECT\n"}),
        ("regexp:$config_directory/r", "", OPEN, {"r": "/partner\\.com/ x\n"}), ("pcre:$config_directory/r", "", NOT_OPEN, {"r": "/^partner\\.com$/ x\n"}),
        ("pcre:$config_directory/r", "", CLOSED, {"r": "/(^|\\.)partner\\.com$/ x\n"}), ("texthash:$config_directory/r", "", OPEN, {"r": "org x\n"}),
        ("$config_directory/r", "", OPEN, {"r": "# ours\npartner.com\nnet\n"}), ("static:all", "relay_recipient_maps = static:x\n", OPEN, {}),
        ("static:all", "mydestination = static:all\n", NOT_OPEN, {}), ("static:all", "smtpd_reject_unlisted_recipient = no\nrelay_recipient_maps = inline:{a@b.example=x}\n", OPEN, {}),
        ("!com, com", "", CLOSED, {}), ("unionmap:{static:a}", "", OPEN, {}), ("$mydestination, com", "", OPEN, {}))],
    ("relay_domains set on the service only", CLOSED, RELAY, "smtp inet n - n - - smtpd\n -o relay_domains=static:all\n", {}),
    ("virtual_alias_domains static", NOT_OPEN, RELAY + "virtual_alias_domains = static:all\n", SMTP, {}),
    ("foreign mail goes nowhere", CLOSED, relay("check_helo_access static:OK, reject") + "default_transport = error:no outgoing mail\n", SMTP, {}),
    # services
    ("the default list on all ports, submission open", OPEN, RELAY, SMTP + "587 inet n - n - - smtpd\n  -o { smtpd_relay_restrictions = check_helo_access static:OK, reject }\n", {}),
    ("submission as everybody has it", CLOSED, RELAY, SMTP + "submission inet n - n - - smtpd\n  -o smtpd_tls_security_level=encrypt\n  -o smtpd_sasl_auth_enable=yes\n"
     "  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n", {}),
    ("submission closed by its client list", CLOSED, RELAY + "mynetworks = 127.0.0.0/8\n", SMTP + "587 inet n - n - - smtpd\n"
     "  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n  -o smtpd_relay_restrictions=check_helo_access,static:OK,reject\n", {}),
    ("re-injection on all addresses, narrow networks", CLOSED, RELAY, SMTP + "10025 inet n - n - - smtpd\n  -o smtpd_relay_restrictions=permit_mynetworks,reject\n  -o mynetworks=127.0.0.0/8\n", {}),
    ("re-injection bound to loopback by name", CLOSED, RELAY, SMTP + "localhost:10025 inet n - n - - smtpd\n  -o mynetworks=0.0.0.0/0\n", {}),
    ("re-injection bound to ::1", CLOSED, RELAY, SMTP + "[::1]:10025 inet n - n - - smtpd\n  -o mynetworks=0.0.0.0/0,[::]/0\n", {}),
    ("an IPv4 listener and open IPv6", CLOSED, RELAY + "mynetworks = [::]/0\n", "198.51.100.1:25 inet n - n - - smtpd\n", {}),
    ("pass without a postscreen", CLOSED, RELAY + "mynetworks = 0.0.0.0/0\n", "smtpd pass - - n - - smtpd\n", {}),
    ("pass behind a postscreen", OPEN, RELAY, "smtp inet n - n - 1 postscreen\n  -o mynetworks=127.0.0.0/8\nsmtpd pass - - n - - smtpd\n  -o mynetworks=0.0.0.0/0\n", {}),
    ("postscreen line opens nothing", CLOSED, RELAY, "smtp inet n - n - 1 postscreen\n  -o mynetworks=0.0.0.0/0\nsmtpd pass - - n - - smtpd\n", {}),
    ("a unix smtpd", CLOSED, RELAY + "mynetworks = 0.0.0.0/0\n", "inner unix n - n - - smtpd\n", {}),
    ("XCLIENT for all", OPEN, RELAY + "smtpd_authorized_xclient_hosts = 0.0.0.0/0\n", SMTP, {}),
    ("XCLIENT for a table that says no", OPEN, RELAY + "smtpd_authorized_xclient_hosts = cidr:$config_directory/x\n", SMTP, {"x": "0.0.0.0/0 no\n"}),
    ("XCLIENT for all, but nobody is trusted", CLOSED, relay("reject_unauth_destination") + "smtpd_authorized_xclient_hosts = 0.0.0.0/0\n", SMTP, {}),
    ("XCLIENT for all, logins may", OPEN, relay("permit_sasl_authenticated, reject_unauth_destination") + "smtpd_sasl_auth_enable = yes\nsmtpd_authorized_xclient_hosts = 0.0.0.0/0\n", SMTP, {}),
    ("XCLIENT for the LAN", CLOSED, RELAY + "smtpd_authorized_xclient_hosts = 192.168.0.0/16\n", SMTP, {}),
    ("XCLIENT on one port", OPEN, RELAY, SMTP + "2525 inet n - n - - smtpd\n  -o smtpd_authorized_xclient_hosts=static:all\n", {}),
    ("PROXY, but nobody is trusted", CLOSED, relay("permit_sasl_authenticated, reject_unauth_destination"), "25 inet n - n - - smtpd\n  -o smtpd_upstream_proxy_protocol=haproxy\n", {}),
    ("qmqpd by override", OPEN, RELAY, "628 inet n - n - - qmqpd\n  -o qmqpd_authorized_clients=static:all\n", {}),
    ("qmqpd for the LAN", CLOSED, RELAY + "qmqpd_authorized_clients = 192.168.1.0/24\n", "628 inet n - n - - qmqpd\n", {}),
    ("qmqpd on loopback", CLOSED, RELAY + "qmqpd_authorized_clients = 0.0.0.0/0\n", "127.0.0.1:628 inet n - n - - qmqpd\n", {}),
    ("sendmail -bs behind spawn", UNKNOWN, RELAY, SMTP + "2525 inet n n n - - spawn user=nobody argv=/usr/sbin/sendmail -bs\n", {}),
    # policy services
    ("our own policy check", CLOSED, "mailguard_check = check_policy_service { unix:mailguard/policy.sock, policy_context=rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }\n"
     "mailguard_relay_tap = permit_auth_destination, check_policy_service { unix:mailguard/policy.sock, policy_context=relay-rcpt, default_action=DUNNO, timeout=10s, try_limit=1 }\n" + RELAY +
     "smtpd_recipient_restrictions = $mailguard_check, $mailguard_relay_tap\n", SMTP, {}),
    ("our own policy check first of all", CLOSED, relay("check_policy_service { unix:mailguard/policy.sock, policy_context=rcpt, default_action=DUNNO }, permit_mynetworks" + TEST), SMTP, {}),
    ("our own with default_action OK", NOT_CLOSED, relay("check_policy_service { unix:mailguard/policy.sock, default_action=OK }, permit_mynetworks" + TEST), SMTP, {}),
    ("another's policy", UNKNOWN, relay("check_policy_service unix:private/spf" + TEST), SMTP, {}),
    ("another's policy in the recipient list only", CLOSED, RELAY + "smtpd_recipient_restrictions = check_policy_service unix:private/spf\n", SMTP, {}),
    ("a global default action", NOT_CLOSED, relay("check_policy_service { unix:mailguard/policy.sock }, permit_mynetworks" + TEST) + "smtpd_policy_service_default_action = OK\n", SMTP, {}),
    # certificates, logins
    ("certificates of a public authority", OPEN, "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = /c\nsmtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n" + relay("permit_tls_all_clientcerts" + TEST), SMTP, {}),
    ("certificates of some authority", UNKNOWN, "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = /c\nsmtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = /etc/ours.pem\n" + relay("permit_tls_all_clientcerts" + TEST), SMTP, {}),
    ("certificates not asked for", CLOSED, "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = /c\n" + relay("permit_tls_all_clientcerts, check_ccert_access static:OK" + TEST), SMTP, {}),
    ("plaintext refused, no TLS", CLOSED, relay("reject_plaintext_session, check_helo_access static:OK" + TEST), SMTP, {}),
    ("check_sasl_access", CLOSED, "smtpd_sasl_auth_enable = yes\n" + relay("check_sasl_access static:OK" + TEST), SMTP, {}),
    ("check_sasl_access with ANONYMOUS", NOT_CLOSED, "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options =\n" + relay("check_sasl_access static:OK" + TEST), SMTP, {}),
    # rewriting behind the test
    *[(f"rewriting {rule} by {parameter}", verdict, RELAY + f"{parameter} = pcre:$config_directory/v\n", SMTP, {"v": rule + "\n"}) for parameter, rule, verdict in (
        ("virtual_alias_maps", "/^(.*)=(.*)@local\\.example$/ $1@$2", OPEN), ("canonical_maps", "/^(.*)#(.*)@local\\.example$/ $1@$2", OPEN),
        ("recipient_canonical_maps", "/^(.*)_at_(.*)@local\\.example$/ ${1}@${2}", OPEN), ("virtual_alias_maps", "/^(.*)@local\\.example$/ $1@other.example", CLOSED),
        ("virtual_alias_maps", "/^(.*)@(.*)\\.old\\.example$/ $1@$2.new.example", CLOSED), ("virtual_alias_maps", "/^(.*)-list@local\\.example$/ list+$1@local.example", CLOSED),
        ("sender_canonical_maps", "/^(.*)=(.*)@local\\.example$/ $1@$2", CLOSED), ("virtual_alias_maps", "/^x9(.*)Q(.*)Q@local\\.example$/ $1@$2", NOT_CLOSED))],
    ("permit_mx_backup", NOT_OPEN, relay("permit_mynetworks, permit_mx_backup" + TEST), SMTP, {}),
    ("untrusted routing", NOT_OPEN, RELAY + "allow_untrusted_routing = yes\nrelay_domains = partner.com\n", SMTP, {}),
    # syntax
    ("no comma at all", CLOSED, "smtpd_relay_restrictions =\n permit_mynetworks\n reject_unauth_destination\n", SMTP, {}),
    ("the last one wins", OPEN, RELAY + "mynetworks = 127.0.0.0/8\nmynetworks = 0.0.0.0/0\n", SMTP, {}),
    ("a macro with another's value", OPEN, RELAY + "office = 0.0.0.0/0\nmynetworks = 127.0.0.0/8 ${office}\n", SMTP, {}),
    ("overridden macro", CLOSED, RELAY + "office = 0.0.0.0/0\nmynetworks = 127.0.0.0/8 $office\n", "smtp inet n - n - - smtpd\n  -o office=10.0.0.0/8\n", {}),
]
