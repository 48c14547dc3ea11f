/* Every port of a probe, many at a time: a firewall that swallows everything costs one wait, not one for each port. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "ctl/probe.h"

enum {
	CREW = 48,
	CONNECT_MS = 6000,
	SMTP_MS = 30000,
	OTHER_MS = 12000,
	OFFERS_MS = 15000,
	LEAST_MS = 300,
	TICK_MS = 200
};

const struct mg_probe_door mg_probe_doors[MG_PROBE_DOORS] = {
	{ 25, MG_SERVED_SMTP, false, "service.smtp.25", N_("mail from other servers is answered (25)"), "smtp" },
	{ 465, MG_SERVED_SMTP, true, "service.smtp.465", N_("people's mail in TLS is answered (465)"), NULL },
	{ 587, MG_SERVED_SMTP, false, "service.smtp.587", N_("people's mail is answered (587)"), "smtp" },
	{ 143, MG_SERVED_IMAP, false, "service.imap.143", N_("IMAP is answered (143)"), "imap" },
	{ 993, MG_SERVED_IMAP, true, "service.imap.993", N_("IMAP in TLS is answered (993)"), NULL },
	{ 110, MG_SERVED_POP3, false, "service.pop.110", N_("POP3 is answered (110)"), "pop3" },
	{ 995, MG_SERVED_POP3, true, "service.pop.995", N_("POP3 in TLS is answered (995)"), NULL },
};

struct job {
	const struct mg_probe_host *host;
	const struct mg_probe_address *address;
	struct mg_probe_port *port;
};

struct mg_ports_crew {
	const struct mg_probe *probe;
	char foreign_one[MG_SERVED_TEXT], foreign_two[MG_SERVED_TEXT], own[MG_SERVED_TEXT];
	size_t count, thread_count;
	pthread_t thread[CREW];

	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t next, done; /* lock */
	struct job job[];
};

/* ---- one port ---- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static struct mg_served_target target_of(const struct mg_ports_crew *crew, const struct job *job)
{
	const struct mg_probe *probe = crew->probe;
	const struct mg_probe_door *door = job->port->door;
	int64_t now_us = mg_mono_us();
	int ms = door->protocol == MG_SERVED_SMTP ? SMTP_MS : OTHER_MS;

	return (struct mg_served_target){ .protocol = door->protocol,
		.secure = door->is_implicit ? MG_SERVED_IMPLICIT : MG_SERVED_UPGRADE,
		.ip = job->address->ip,
		.port = job->port->number,
		.helo = probe->helo[0] == '\0' ? NULL : probe->helo,
		.wish.server_name = job->host->name,
		.deadline_us = sooner(probe->end_us, now_us + ms * MG_MS_US),
		.connect_us = sooner(probe->end_us, now_us + CONNECT_MS * MG_MS_US) };
}

/* Nobody's recipient first, since nobody can be at home there; an existing domain where that is refused for itself; then a sender that
 * servers with a careless rule take for one of their own. */
static void add_tries(const struct mg_ports_crew *crew, struct mg_served_target *target)
{
	if (crew->probe->has_no_relay_test || target->protocol != MG_SERVED_SMTP)
		return;
	target->tries[0] = (struct mg_served_try){ "", crew->foreign_one };
	target->tries[1] = (struct mg_served_try){ "", crew->foreign_two };
	target->tries[2] = (struct mg_served_try){ crew->own, crew->foreign_two };
	target->try_count = crew->own[0] == '\0' ? 2 : 3;
}

/* What broke TLS does not keep a server from relaying in clear. */
static void ask_in_clear(struct mg_served_target target, struct mg_served *served)
{
	struct mg_served clear;

	if (target.secure != MG_SERVED_UPGRADE || served->tried_count > 0 || served->is_secured ||
		served->starttls == MG_REPLY_MORE || target.try_count == 0)
		return;
	target.secure = MG_SERVED_CLEAR;
	mg_served_look(&target, &clear);
	memcpy(served->tried, clear.tried, sizeof served->tried);
	served->tried_count = clear.tried_count;
	mg_served_fini(&clear);
}

static unsigned versions_to_try(const struct mg_served *served)
{
	unsigned mask = MG_OFFERS_LEGACY | MG_OFFERS_WEAK | 1u << MG_TLS_1_2 | 1u << MG_TLS_1_3;

	for (unsigned version = MG_SSL_3; version < MG_TLS_VERSIONS; version++)
		if (mg_str_eq(mg_str_z(served->version), mg_str_z(mg_tls_version_name((enum mg_tls_version)version))))
			mask &= ~(1u << version);
	return mask;
}

static void look_at_offers(struct mg_served_target target, struct mg_probe_port *port)
{
	target.try_count = 0;
	target.deadline_us = sooner(target.deadline_us, mg_mono_us() + OFFERS_MS * MG_MS_US);
	target.connect_us = 0;
	mg_served_versions(&target, versions_to_try(&port->served), &port->offers);
	for (unsigned version = MG_SSL_3; version < MG_TLS_VERSIONS; version++)
		if (mg_str_eq(mg_str_z(port->served.version),
			    mg_str_z(mg_tls_version_name((enum mg_tls_version)version))))
			port->offers.version[version] = MG_OFFER_YES;
	port->has_offers = true;
}

static void look(const struct mg_ports_crew *crew, const struct job *job)
{
	struct mg_served_target target = target_of(crew, job);
	struct mg_probe_port *port = job->port;

	if (target.deadline_us - mg_mono_us() < LEAST_MS * MG_MS_US)
		return;
	add_tries(crew, &target);
	mg_served_look(&target, &port->served);
	ask_in_clear(target, &port->served);
	if (port->served.is_secured) {
		target.deadline_us = crew->probe->end_us;
		look_at_offers(target, port);
	}
	port->software = mg_software_of(&port->served);
	port->relaying = mg_relaying_of_look(&port->served, &port->telling);
	port->is_looked = true;
}

/* ---- the crew ---- */

static void *work(void *context)
{
	struct mg_ports_crew *crew = context;
	const struct job *job;

	pthread_mutex_lock(&crew->lock);
	while (crew->next < crew->count) {
		job = &crew->job[crew->next++];
		pthread_mutex_unlock(&crew->lock);
		look(crew, job);
		pthread_mutex_lock(&crew->lock);
		crew->done++;
		pthread_cond_signal(&crew->changed);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static void add_port(struct mg_ports_crew *crew, const struct mg_probe_host *host, struct mg_probe_address *address,
	const struct mg_probe_door *door, unsigned number)
{
	struct mg_probe_port *port = &address->port[address->port_count++];

	*port = (struct mg_probe_port){ .door = door, .number = number, .software.name = "" };
	crew->job[crew->count++] = (struct job){ host, address, port };
}

static void add_ports(struct mg_ports_crew *crew, struct mg_probe *probe)
{
	for (size_t i = 0; i < probe->host_count; i++)
		for (size_t n = 0; n < probe->host[i].address_count; n++)
			for (size_t d = 0; d < (probe->only_port != 0 ? 1 : MG_PROBE_DOORS); d++)
				add_port(crew, &probe->host[i], &probe->host[i].address[n], &mg_probe_doors[d],
					probe->only_port != 0 ? probe->only_port : mg_probe_doors[d].port);
}

/* example.com and its like exist, and take no mail (RFC 2606); but whoever is looked at may play with one of them. */
static const char *foreign_domain(const struct mg_probe *probe)
{
	static const char *const domains[] = { "example.com", "example.net", "example.org" };

	for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
		struct mg_str domain = mg_str_z(domains[i]);
		bool is_own = mg_domain_is_within(mg_str_z(probe->name), domain) ||
			      mg_domain_is_within(mg_str_z(probe->domain), domain);

		for (size_t n = 0; n < probe->host_count; n++)
			is_own = is_own || mg_domain_is_within(mg_str_z(probe->host[n].name), domain);
		if (!is_own)
			return domains[i];
	}
	return "example.edu";
}

void mg_probe_ports_begin(struct mg_probe *probe)
{
	struct mg_ports_crew *crew = calloc(
		1, sizeof *crew + (size_t)MG_PROBE_HOSTS * MG_PROBE_ADDRESSES * MG_PROBE_DOORS * sizeof(struct job));
	const char *own = probe->domain[0] != '\0' ? probe->domain : probe->name;

	if (crew == NULL)
		return;
	crew->probe = probe;
	snprintf(crew->foreign_one, sizeof crew->foreign_one, "relay-test@mailguard-probe.invalid");
	snprintf(crew->foreign_two, sizeof crew->foreign_two, "relay-test@%s", foreign_domain(probe));
	if (own[0] != '\0' && strlen(own) < sizeof crew->own - 16)
		snprintf(crew->own, sizeof crew->own, "postmaster@%s", own);
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->changed, NULL);
	add_ports(crew, probe);
	probe->crew = crew;
	while (crew->thread_count < CREW && crew->thread_count < crew->count &&
		pthread_create(&crew->thread[crew->thread_count], NULL, work, crew) == 0)
		crew->thread_count++;
	if (crew->thread_count == 0)
		(void)work(crew);
}

static void show(const struct mg_ports_crew *crew, bool is_over)
{
	int64_t left_s = (crew->probe->end_us - mg_mono_us()) / MG_S_US;

	fprintf(stderr, "\r\033[K");
	if (!is_over)
		fprintf(stderr, _("looking: %zu of %zu ports, at most %d s more"), crew->done, crew->count,
			(int)(left_s < 0 ? 0 : left_s));
}

static void wait_a_moment(struct mg_ports_crew *crew)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	(void)pthread_cond_timedwait(&crew->changed, &crew->lock, &until);
}

void mg_probe_ports_end(struct mg_probe *probe, bool is_shown)
{
	struct mg_ports_crew *crew = probe->crew;

	if (crew == NULL)
		return;
	pthread_mutex_lock(&crew->lock);
	while (crew->done < crew->count) {
		if (is_shown)
			show(crew, false);
		wait_a_moment(crew);
	}
	pthread_mutex_unlock(&crew->lock);
	if (is_shown)
		show(crew, true);
	for (size_t i = 0; i < crew->thread_count; i++)
		pthread_join(crew->thread[i], NULL);
	pthread_cond_destroy(&crew->changed);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
	probe->crew = NULL;
}

/* ---- in a word ---- */

static bool has_no_way(const struct mg_served *served)
{
	return served->connect_errno == ENETUNREACH || served->connect_errno == EADDRNOTAVAIL ||
	       served->connect_errno == EAFNOSUPPORT || served->connect_errno == EPERM;
}

const char *mg_probe_port_state(const struct mg_probe_port *port)
{
	const struct mg_served *served = &port->served;

	if (!port->is_looked)
		return "skipped";
	switch (served->state) {
	case MG_DIALOGUE_OPEN:
		return "open";
	case MG_DIALOGUE_REFUSED:
		return "closed";
	case MG_DIALOGUE_UNREACHABLE:
		return has_no_way(served) ? "unreachable" : "filtered";
	case MG_DIALOGUE_SILENT:
		return served->is_greeted ? "open" : "silent";
	case MG_DIALOGUE_CLOSED:
	case MG_DIALOGUE_FLOOD:
	case MG_DIALOGUE_INJECTED:
	case MG_DIALOGUE_TLS:
	case MG_DIALOGUE_NO_LIBRARY:
		break;
	}
	return served->is_greeted ? "open" : "broken";
}
