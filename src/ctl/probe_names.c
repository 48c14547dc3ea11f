/* From the target of a probe to hosts and their addresses: MX (RFC 5321 section 5.1), A, AAAA, PTR. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/dmarc_walk.h"
#include "auth/iprev.h"
#include "base/escape.h"
#include "ctl/probe.h"

enum { PTR_ARENA = 32 * 1024, LABELS_OF_HOST = 3 };

static const struct mg_dns_answer *ask(struct mg_probe *probe, const char *name, enum mg_dns_type type)
{
	return mg_check_ask(&probe->env, mg_str_z(name), type);
}

/* Asked now, looked at later. */
static void prefetch(struct mg_probe *probe, const char *name, enum mg_dns_type type)
{
	(void)mg_lookup_get(probe->env.dns, mg_str_z(name), type);
}

/* ---- hosts ---- */

static struct mg_probe_host *add_host(struct mg_probe *probe, const char *name, unsigned preference)
{
	struct mg_probe_host *host;
	size_t at = probe->host_count;

	if (at == MG_PROBE_HOSTS) {
		probe->hosts_left_out++;
		return NULL;
	}
	while (at > 0 && probe->host[at - 1].preference > preference)
		at--;
	memmove(&probe->host[at + 1], &probe->host[at], (probe->host_count - at) * sizeof probe->host[0]);
	probe->host_count++;
	host = &probe->host[at];
	*host = (struct mg_probe_host){ .preference = preference, .status = MG_DNS_NODATA };
	(void)mg_str_copy(host->name, sizeof host->name, mg_str_z(name));
	mg_escape_in_place(host->name);
	return host;
}

/* The preferred ones, when there are too many. */
static int by_preference(const void *a, const void *b)
{
	const struct mg_dns_record *one = *(const struct mg_dns_record *const *)a;
	const struct mg_dns_record *other = *(const struct mg_dns_record *const *)b;

	return (one->preference > other->preference) - (one->preference < other->preference);
}

static void hosts_of_mx(struct mg_probe *probe, const struct mg_dns_answer *mx)
{
	const struct mg_dns_record *sorted[MG_DNS_RECORDS_MAX];
	char name[MG_DNS_NAME_MAX + 1];

	for (size_t i = 0; i < mx->count; i++)
		sorted[i] = &mx->records[i];
	qsort(sorted, mx->count, sizeof sorted[0], by_preference);
	for (size_t i = 0; i < mx->count; i++) {
		if (sorted[i]->text.n == 0) {
			probe->is_null_mx = true;
			continue;
		}
		(void)mg_str_copy(name, sizeof name, sorted[i]->text);
		(void)add_host(probe, name, sorted[i]->preference);
	}
	probe->has_mx = true;
}

/* ---- addresses ---- */

static void add_addresses(struct mg_probe_host *host, const struct mg_dns_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		struct mg_probe_address *address = &host->address[host->address_count];

		if (host->address_count == MG_PROBE_ADDRESSES) {
			host->addresses_left_out++;
			continue;
		}
		address->ip = answer->records[i].ip;
		mg_ip_text(&address->ip, address->text, sizeof address->text);
		host->address_count++;
	}
}

/* NXDOMAIN only if both say so; trouble only if no address is known. */
static void addresses_of(struct mg_probe *probe, struct mg_probe_host *host)
{
	const struct mg_dns_answer *v4 = ask(probe, host->name, MG_DNS_A), *v6 = ask(probe, host->name, MG_DNS_AAAA);
	const struct mg_dns_answer *alias = ask(probe, host->name, MG_DNS_CNAME);
	const struct mg_dns_answer *silent = v4->status == MG_DNS_TROUBLE ? v4 : v6;

	if ((host->address = calloc(MG_PROBE_ADDRESSES, sizeof *host->address)) == NULL) {
		host->status = MG_DNS_TROUBLE;
		host->trouble = MG_DNS_BUDGET;
		return;
	}
	add_addresses(host, v4);
	add_addresses(host, v6);
	if (alias->count > 0) {
		(void)mg_str_copy(host->alias, sizeof host->alias, alias->records[0].text);
		mg_escape_in_place(host->alias);
	}
	if (host->address_count > 0) {
		host->status = MG_DNS_FOUND;
	} else if (silent->status == MG_DNS_TROUBLE) {
		host->status = MG_DNS_TROUBLE;
		host->trouble = silent->trouble;
	} else {
		host->status = v4->status == MG_DNS_NXDOMAIN ? MG_DNS_NXDOMAIN : MG_DNS_NODATA;
	}
}

static void name_of(struct mg_probe *probe, struct mg_probe_address *address)
{
	const struct mg_iprev_output *output;
	struct mg_iprev *iprev;
	struct mg_arena arena;

	mg_arena_init(&arena, PTR_ARENA);
	iprev = mg_iprev_new(&arena, &address->ip);
	while (iprev != NULL && mg_iprev_step(iprev, probe->env.dns) == MG_STEP_WAIT)
		mg_check_wait(&probe->env);
	if (iprev != NULL) {
		output = mg_iprev_output(iprev);
		address->iprev = output->result;
		address->is_confirmed = output->result == MG_RESULT_PASS;
		(void)mg_str_copy(address->ptr, sizeof address->ptr, mg_str_z(output->name));
		mg_escape_in_place(address->ptr);
	}
	mg_arena_fini(&arena);
}

static void each_address(struct mg_probe *probe, void (*what)(struct mg_probe *, struct mg_probe_address *))
{
	for (size_t i = 0; i < probe->host_count; i++)
		for (size_t n = 0; n < probe->host[i].address_count; n++)
			what(probe, &probe->host[i].address[n]);
}

static void ask_name(struct mg_probe *probe, struct mg_probe_address *address)
{
	struct mg_buf name;

	mg_buf_init(&name, MG_DNS_NAME_MAX);
	mg_ip_reversed(
		&name, &address->ip, address->ip.family == MG_IP_V6 ? MG_STR("ip6.arpa") : MG_STR("in-addr.arpa"));
	prefetch(probe, mg_buf_z(&name), MG_DNS_PTR);
	mg_buf_fini(&name);
}

/* ---- the domain ---- */

static void keep_domain(struct mg_probe *probe, const char *domain)
{
	(void)mg_str_copy(probe->domain, sizeof probe->domain, mg_str_z(domain));
}

static bool lists(const struct mg_dns_answer *mx, const char *host)
{
	for (size_t i = 0; i < mx->count; i++)
		if (mg_str_eq_nocase(mx->records[i].text, mg_str_z(host)))
			return true;
	return false;
}

/* The domain that names this host as its mail server: its parent, if anybody. */
static void domain_of_host(struct mg_probe *probe, const char *host)
{
	struct mg_str parent = mg_domain_parent(mg_str_z(host));
	char name[MG_DOMAIN_TEXT];
	const struct mg_dns_answer *mx;

	if (mg_domain_labels(parent) < 2 || !mg_str_copy(name, sizeof name, parent))
		return;
	mx = ask(probe, name, MG_DNS_MX);
	if (!lists(mx, host))
		return;
	probe->mx = mx;
	keep_domain(probe, name);
}

/* Whether anything but an address says that mail is sent in this name. */
static bool has_mail_records(struct mg_probe *probe)
{
	const struct mg_dns_answer *txt = ask(probe, probe->name, MG_DNS_TXT);
	char name[MG_DOMAIN_TEXT + 8];

	for (size_t i = 0; i < txt->count; i++)
		if (mg_str_starts_nocase(txt->records[i].text, MG_STR("v=spf1")))
			return true;
	snprintf(name, sizeof name, "_dmarc.%s", probe->name);
	return ask(probe, name, MG_DNS_TXT)->count > 0;
}

/* A name that only this machine knows, as "localhost". */
static void add_known_here(struct mg_probe *probe, struct mg_probe_host *host)
{
	const struct hostent *entry;

	sethostent(0);
	while (host->address != NULL && host->address_count < MG_PROBE_ADDRESSES && (entry = gethostent()) != NULL) {
		bool is_it = mg_str_eq_nocase(mg_str_z(entry->h_name), mg_str_z(probe->name));
		struct mg_probe_address *address = &host->address[host->address_count];

		for (char **alias = entry->h_aliases; *alias != NULL; alias++)
			is_it = is_it || mg_str_eq_nocase(mg_str_z(*alias), mg_str_z(probe->name));
		if (!is_it || entry->h_addrtype != AF_INET || entry->h_length != 4)
			continue;
		address->ip.family = MG_IP_V4;
		memcpy(address->ip.bytes, entry->h_addr_list[0], 4);
		mg_ip_text(&address->ip, address->text, sizeof address->text);
		host->address_count++;
	}
	endhostent();
	probe->is_known_here = host->address_count > 0;
}

static void without_mx(struct mg_probe *probe)
{
	struct mg_probe_host *host = add_host(probe, probe->name, 0);

	addresses_of(probe, host);
	if (host->address_count == 0)
		add_known_here(probe, host);
	if (probe->mx->status == MG_DNS_TROUBLE || probe->is_known_here)
		return;
	domain_of_host(probe, probe->name);
	if (probe->domain[0] == '\0' &&
		(mg_domain_labels(mg_str_z(probe->name)) < LABELS_OF_HOST || has_mail_records(probe)))
		keep_domain(probe, probe->name);
}

static void from_name(struct mg_probe *probe)
{
	static const enum mg_dns_type types[] = { MG_DNS_A, MG_DNS_AAAA, MG_DNS_TXT, MG_DNS_CNAME, MG_DNS_MX };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		prefetch(probe, probe->name, types[i]);
	mg_dmarc_walk_prefetch(probe->env.dns, mg_str_z(probe->name));
	probe->mx = ask(probe, probe->name, MG_DNS_MX);
	if (probe->mx->count == 0) {
		without_mx(probe);
		return;
	}
	keep_domain(probe, probe->name);
	hosts_of_mx(probe, probe->mx);
	for (size_t i = 0; i < probe->host_count; i++)
		for (size_t n = 0; n < sizeof types / sizeof types[0]; n++)
			if (types[n] != MG_DNS_TXT && types[n] != MG_DNS_MX)
				prefetch(probe, probe->host[i].name, types[n]);
	for (size_t i = 0; i < probe->host_count; i++)
		addresses_of(probe, &probe->host[i]);
}

static void from_address(struct mg_probe *probe)
{
	struct mg_probe_host *host = add_host(probe, "", 0);

	if ((host->address = calloc(MG_PROBE_ADDRESSES, sizeof *host->address)) == NULL)
		return;
	host->status = MG_DNS_FOUND;
	host->address_count = 1;
	host->address[0].ip = probe->ip;
	mg_ip_text(&probe->ip, host->address[0].text, sizeof host->address[0].text);
	name_of(probe, &host->address[0]);
	if (!host->address[0].is_confirmed)
		return;
	(void)mg_str_copy(host->name, sizeof host->name, mg_str_z(host->address[0].ptr));
	domain_of_host(probe, host->name);
}

/* For later: what may be published of a host, and of the domain. */
static void prefetch_published(struct mg_probe *probe)
{
	static const char *const prefixes[] = { "_mta-sts", "_smtp._tls" };
	char name[MG_DOMAIN_TEXT + 16];

	for (size_t i = 0; i < probe->host_count; i++) {
		snprintf(name, sizeof name, "_25._tcp.%s", probe->host[i].name);
		if (probe->host[i].name[0] != '\0')
			prefetch(probe, name, MG_DNS_TLSA);
	}
	for (size_t i = 0; probe->domain[0] != '\0' && i < sizeof prefixes / sizeof prefixes[0]; i++) {
		snprintf(name, sizeof name, "%s.%s", prefixes[i], probe->domain);
		prefetch(probe, name, MG_DNS_TXT);
	}
}

void mg_probe_names(struct mg_probe *probe)
{
	if (probe->ip.family != MG_IP_NONE)
		from_address(probe);
	else
		from_name(probe);
	prefetch_published(probe);
	each_address(probe, ask_name);
	each_address(probe, name_of);
}

void mg_probe_free(struct mg_probe *probe)
{
	for (size_t i = 0; i < probe->host_count; i++) {
		for (size_t n = 0; n < probe->host[i].address_count; n++)
			for (size_t p = 0; p < probe->host[i].address[n].port_count; p++)
				mg_served_fini(&probe->host[i].address[n].port[p].served);
		free(probe->host[i].address);
	}
	json_decref(probe->checks);
	json_decref(probe->skipped);
	mg_lookup_free(&probe->env.dns);
	mg_resolver_stop(&probe->resolver);
}
