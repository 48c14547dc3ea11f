/* probe.h - a mail server looked at from outside: what was asked, what was seen, what is thought of it.
 *
 * Everything seen comes from strangers: text is printable where it is kept, numbers of hosts, addresses and ports are bounded, and
 * all of it ends at `end_us`.
 *
 * Threads: the one of the command; while mg_probe_ports_begin() to _end() runs, `port` of addresses belongs to its crew. */
#ifndef MG_CTL_PROBE_H
#define MG_CTL_PROBE_H

#include "auth/result.h"
#include "ctl/ctl.h"
#include "health/check.h"
#include "mail/domain.h"
#include "served/relaying.h"
#include "served/software.h"

enum { MG_PROBE_HOSTS = 8, MG_PROBE_ADDRESSES = 4, MG_PROBE_DOORS = 7, MG_PROBE_WHERE = 360 };

/* A port where mail is served, by its number. */
struct mg_probe_door {
	unsigned port;
	enum mg_served_protocol protocol;
	bool is_implicit; /* TLS from the first byte */
	const char *id;   /* of its check */
	const char *title;
	const char *starttls; /* of openssl s_client; NULL: none */
};
extern const struct mg_probe_door mg_probe_doors[MG_PROBE_DOORS]; /* the first is 25 */

struct mg_probe_port {
	const struct mg_probe_door *door;
	unsigned number;
	bool is_looked; /* else no time was left */
	struct mg_served served;
	bool has_offers;
	struct mg_served_offers offers;
	struct mg_software software;
	enum mg_relaying relaying;
	size_t telling; /* the try that tells it */
};

struct mg_probe_address {
	struct mg_ip ip;
	char text[MG_IP_TEXT];
	char ptr[MG_DOMAIN_TEXT]; /* its name, confirmed if one is; "" */
	bool is_confirmed;        /* the name leads back */
	enum mg_result iprev;     /* RFC 8601 section 3 */
	size_t port_count;
	struct mg_probe_port port[MG_PROBE_DOORS];
};

struct mg_probe_host {
	char name[MG_DOMAIN_TEXT];   /* "" for a bare address */
	unsigned preference;         /* of its MX */
	char alias[MG_DOMAIN_TEXT];  /* where its CNAME leads; "" */
	enum mg_dns_status status;   /* of its addresses */
	enum mg_dns_trouble trouble; /* of TROUBLE */
	size_t address_count, addresses_left_out;
	struct mg_probe_address *address;
};

struct mg_probe {
	/* asked */
	const char *target;
	const char *dns, *selector; /* NULL: none */
	unsigned only_port;         /* look at SMTP on this one alone; 0: the usual ports */
	bool has_no_relay_test;
	int64_t end_us; /* monotonic */

	struct mg_check_env env; /* its lookup and deadline are the probe's */
	struct mg_resolver *resolver;
	char helo[MG_DOMAIN_TEXT]; /* our name; "": the address will do */

	/* seen */
	struct mg_ip ip;                /* the target, where it is an address */
	char name[MG_DOMAIN_TEXT];      /* else */
	char domain[MG_DOMAIN_TEXT];    /* whose mail it is; "" not known */
	const struct mg_dns_answer *mx; /* of the domain; NULL: not asked */
	bool has_mx;                    /* the hosts are those of the domain's MX records */
	bool is_null_mx;                /* RFC 7505 */
	bool is_known_here;             /* DNS has no address of the name, but /etc/hosts does */
	size_t host_count, hosts_left_out;
	struct mg_probe_host host[MG_PROBE_HOSTS];
	struct mg_ports_crew *crew;

	/* thought */
	json_t *checks, *skipped;
};

/* ---- probe_names.c: from the target to addresses ---- */

void mg_probe_names(struct mg_probe *probe);
void mg_probe_free(struct mg_probe *probe); /* what it points to */

/* ---- probe_ports.c: looks at every port, many at a time ---- */

void mg_probe_ports_begin(struct mg_probe *probe);
/* Waits until all are looked at or the time is over; `is_shown`: tells on stderr how far it is. */
void mg_probe_ports_end(struct mg_probe *probe, bool is_shown);

/* ---- probe_judge*.c: what it means ---- */

/* Calls `judge` for each port that was looked at. */
struct mg_probe_seen {
	struct mg_probe *probe;
	const struct mg_probe_host *host;
	const struct mg_probe_address *address;
	const struct mg_probe_port *port;
	struct mg_finding *finding;
	const char *where; /* "192.0.2.1:25 (mx.example)" */
};
void mg_probe_each_port(struct mg_probe *probe, struct mg_finding *finding,
	void (*judge)(const struct mg_probe_seen *seen, void *context), void *context);

struct mg_probe_check {
	const char *id, *title;
	void (*run)(struct mg_probe *probe, struct mg_finding *finding);
};
extern const struct mg_probe_check mg_probe_checks_dns[], mg_probe_checks_said[], mg_probe_checks_ports[],
	mg_probe_checks_tls[]; /* end with a NULL id */

/* Adds what these find to `checks`, and what does not apply to `skipped`. */
void mg_probe_judge(struct mg_probe *probe, const struct mg_probe_check *rows);

/* ---- probe_json.c, probe_report.c ---- */

json_t *mg_probe_json(const struct mg_probe *probe); /* a new reference */
void mg_probe_report(const struct mg_ctl *ctl, const struct mg_probe *probe);

/* "open", "closed", "filtered", "unreachable", "silent", "broken", "skipped" */
const char *mg_probe_port_state(const struct mg_probe_port *port);

#endif
