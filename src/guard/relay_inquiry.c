#include "guard/relay_inquiry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

enum { KEPT = 512, TABLE_MS = 1000, HOSTS_MAX = 10, QUESTIONS = 24, DOMAIN_BYTES = 256 };

struct kept { /* an answer, for a while */
	uint64_t key;
	int64_t until_us;
	enum mg_relay_proof proof;
};

struct mg_inquiries {
	const struct mg_lookup_source *dns;
	pthread_mutex_t lock; /* all below, and the inquiries' own state */
	pthread_cond_t ended;
	unsigned under_way;
	struct kept kept[KEPT];
};

struct mg_inquiry {
	struct mg_inquiries *owner;
	const struct mg_domains *domains;
	struct mg_relay_facts facts;
	char domain[DOMAIN_BYTES];
	uint64_t key;
	void (*ready)(void *context); /* NULL: nobody waits any more */
	void *context;
	unsigned refs; /* the thread's and the caller's */
	bool is_answered;
	enum mg_relay_proof proof;
};

struct mg_inquiries *mg_inquiries_new(const struct mg_lookup_source *dns)
{
	struct mg_inquiries *inquiries = calloc(1, sizeof *inquiries);

	if (inquiries == NULL)
		return NULL;
	inquiries->dns = dns;
	pthread_mutex_init(&inquiries->lock, NULL);
	pthread_cond_init(&inquiries->ended, NULL);
	return inquiries;
}

void mg_inquiries_free(struct mg_inquiries **inquiries)
{
	struct mg_inquiries *last = *inquiries;

	if (last == NULL)
		return;
	*inquiries = NULL;
	pthread_mutex_lock(&last->lock);
	while (last->under_way > 0)
		pthread_cond_wait(&last->ended, &last->lock);
	pthread_mutex_unlock(&last->lock);
	pthread_cond_destroy(&last->ended);
	pthread_mutex_destroy(&last->lock);
	free(last);
}

/* ---- backup MX ---- */

static const struct mg_dns_answer *wait_for(struct mg_lookup *lookup, struct mg_str name, enum mg_dns_type type)
{
	const struct mg_dns_answer *answer;
	int64_t until_us = mg_mono_us() + MG_INQUIRY_MS * MG_MS_US;

	while ((answer = mg_lookup_get(lookup, name, type)) == NULL)
		if (!mg_lookup_wait(lookup, until_us))
			mg_lookup_expire(lookup);
	return answer;
}

static bool is_this_host(const struct mg_inquiry *inquiry, struct mg_lookup *lookup, struct mg_str host, bool *is_sure)
{
	static const enum mg_dns_type types[] = { MG_DNS_A, MG_DNS_AAAA };

	if (mg_str_eq_nocase(host, mg_str_z(mg_domains_hostname(inquiry->domains))))
		return true;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		const struct mg_dns_answer *answer = wait_for(lookup, host, types[i]);

		*is_sure = *is_sure && answer->status != MG_DNS_TROUBLE;
		for (size_t j = 0; j < answer->count; j++)
			if (mg_trust_is_own(mg_domains_trust(inquiry->domains), &answer->records[j].ip))
				return true;
	}
	return false;
}

/* Whether the domain's owner lists this host among his MX: its mail is ours to take. */
static bool is_backup(const struct mg_inquiry *inquiry, bool *is_sure)
{
	struct mg_lookup_options options = { .source = inquiry->owner->dns,
		.questions_max = QUESTIONS,
		.deadline_us = mg_mono_us() + MG_INQUIRY_MS * MG_MS_US };
	struct mg_lookup *lookup = options.source == NULL ? NULL : mg_lookup_new(&options);
	const struct mg_dns_answer *answer;
	bool found = false;

	*is_sure = lookup != NULL;
	if (lookup == NULL)
		return false;
	answer = wait_for(lookup, mg_str_z(inquiry->domain), MG_DNS_MX);
	*is_sure = answer->status != MG_DNS_TROUBLE && answer->count <= HOSTS_MAX;
	for (size_t i = 0; !found && i < answer->count && i < HOSTS_MAX; i++)
		found = is_this_host(inquiry, lookup, answer->records[i].text, is_sure);
	mg_lookup_free(&lookup);
	return found;
}

/* ---- the thread ---- */

static enum mg_relay_proof find_out(const struct mg_inquiry *inquiry)
{
	const struct mg_relay_facts *facts = &inquiry->facts;
	const struct mg_ip *client = facts->speaker.family == MG_IP_NONE ? &facts->client : &facts->speaker;
	enum mg_domain_class class =
		facts->is_known_foreign ? MG_DOMAIN_FOREIGN : mg_domains_ask(inquiry->domains, facts->domain, TABLE_MS);
	bool is_sure = true;

	if (class == MG_DOMAIN_UNKNOWN)
		mg_log(MG_LOG_WARNING,
			"relay-unknown: domain=%s, a table that names our domains does not answer; not refused",
			inquiry->domain);
	if (class != MG_DOMAIN_FOREIGN ||
		mg_trust_ask_client(mg_domains_trust(inquiry->domains), client, TABLE_MS) != MG_TRUST_NO)
		return MG_RELAY_LEGITIMATE;
	if (mg_domains_has_mx_backup(inquiry->domains) && (is_backup(inquiry, &is_sure) || !is_sure))
		return MG_RELAY_LEGITIMATE;
	return MG_RELAY_PROOF;
}

/* Locked. */
static void release(struct mg_inquiry *inquiry)
{
	if (--inquiry->refs > 0)
		return;
	mg_domains_unref(&inquiry->domains);
	free(inquiry);
}

static void *ask(void *arg)
{
	struct mg_inquiry *inquiry = arg;
	struct mg_inquiries *owner = inquiry->owner;
	enum mg_relay_proof proof = find_out(inquiry);

	pthread_mutex_lock(&owner->lock);
	owner->kept[inquiry->key % KEPT] =
		(struct kept){ inquiry->key, mg_mono_us() + MG_INQUIRY_KEEP_S * MG_S_US, proof };
	inquiry->proof = proof;
	inquiry->is_answered = true;
	if (inquiry->ready != NULL)
		inquiry->ready(inquiry->context);
	release(inquiry);
	owner->under_way--;
	pthread_cond_broadcast(&owner->ended);
	pthread_mutex_unlock(&owner->lock);
	return NULL;
}

static bool start_thread(struct mg_inquiry *inquiry)
{
	pthread_attr_t attributes;
	pthread_t thread;
	bool is_started;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	is_started = pthread_create(&thread, &attributes, ask, inquiry) == 0;
	pthread_attr_destroy(&attributes);
	return is_started;
}

/* What another configuration answered says nothing of this one. */
static uint64_t key_of(const struct mg_domains *domains, const struct mg_relay_facts *facts)
{
	char client[MG_IP_TEXT], speaker[MG_IP_TEXT], text[DOMAIN_BYTES + 2 * MG_IP_TEXT + 32];

	snprintf(text, sizeof text, "%llu %s %s %d %.*s", (unsigned long long)mg_domains_serial(domains),
		mg_ip_text(&facts->client, client, sizeof client), mg_ip_text(&facts->speaker, speaker, sizeof speaker),
		facts->is_known_foreign, MG_STR_ARGS(mg_str_first(facts->domain, DOMAIN_BYTES)));
	mg_lower(text);
	return mg_hash_keyed(mg_str_z(text));
}

static struct mg_inquiry *new_inquiry(struct mg_inquiries *owner, const struct mg_domains *domains,
	const struct mg_relay_facts *facts, void (*ready)(void *), void *context)
{
	struct mg_inquiry *inquiry = calloc(1, sizeof *inquiry);

	if (inquiry == NULL || !mg_str_copy(inquiry->domain, sizeof inquiry->domain, facts->domain)) {
		free(inquiry);
		return NULL;
	}
	inquiry->owner = owner;
	inquiry->domains = mg_domains_ref(domains);
	inquiry->facts = *facts;
	inquiry->facts.domain = mg_str_z(inquiry->domain);
	inquiry->facts.certificate = (struct mg_certificate){ 0 }; /* judged before, and borrowed */
	inquiry->key = key_of(domains, facts);
	inquiry->ready = ready;
	inquiry->context = context;
	inquiry->refs = 1;
	return inquiry;
}

struct mg_inquiry *mg_inquiry_begin(struct mg_inquiries *owner, const struct mg_domains *domains,
	const struct mg_relay_facts *facts, void (*ready)(void *), void *context)
{
	struct mg_inquiry *inquiry = new_inquiry(owner, domains, facts, ready, context);
	const struct kept *kept;

	if (inquiry == NULL)
		return NULL;
	kept = &owner->kept[inquiry->key % KEPT];
	pthread_mutex_lock(&owner->lock);
	if (kept->key == inquiry->key && kept->until_us > mg_mono_us()) {
		inquiry->is_answered = true;
		inquiry->proof = kept->proof;
	} else if (owner->under_way < MG_INQUIRIES) {
		inquiry->refs++;
		owner->under_way++;
		if (!start_thread(inquiry)) {
			inquiry->refs--;
			owner->under_way--;
			inquiry->is_answered = true; /* no proof */
		}
	} else {
		inquiry->is_answered = true;
	}
	pthread_mutex_unlock(&owner->lock);
	return inquiry;
}

bool mg_inquiry_answer(struct mg_inquiry *inquiry, enum mg_relay_proof *proof_out)
{
	bool is_answered;

	pthread_mutex_lock(&inquiry->owner->lock);
	is_answered = inquiry->is_answered;
	*proof_out = inquiry->proof;
	pthread_mutex_unlock(&inquiry->owner->lock);
	return is_answered;
}

void mg_inquiry_drop(struct mg_inquiry **inquiry)
{
	struct mg_inquiry *dropped = *inquiry;
	struct mg_inquiries *owner;

	*inquiry = NULL;
	if (dropped == NULL)
		return;
	owner = dropped->owner;
	pthread_mutex_lock(&owner->lock);
	dropped->ready = NULL;
	release(dropped);
	pthread_mutex_unlock(&owner->lock);
}
