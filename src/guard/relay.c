#include "guard/relay.h"

/* The address that has to be trusted: the speaker's, unless he may speak for others. */
static const struct mg_ip *responsible(
	const struct mg_trust *trust, const struct mg_relay_facts *facts, bool *is_believed_out)
{
	*is_believed_out = facts->speaker.family == MG_IP_NONE || mg_trust_proxy(trust, &facts->speaker);
	return *is_believed_out ? &facts->client : &facts->speaker;
}

static enum mg_trusted vouched_for(const struct mg_domains *domains, const struct mg_relay_facts *facts)
{
	const struct mg_trust *trust = mg_domains_trust(domains);
	bool is_believed;
	const struct mg_ip *client = responsible(trust, facts, &is_believed);
	enum mg_trusted certificate = mg_trust_certificate(trust, &facts->certificate);

	if ((facts->has_login && is_believed) || client->family == MG_IP_NONE || mg_ip_is_loopback(client) ||
		certificate == MG_TRUST_YES)
		return MG_TRUST_YES;
	if (certificate == MG_TRUST_DOUBT)
		return MG_TRUST_YES; /* nobody can be asked about it: no proof */
	return mg_trust_client(trust, client);
}

/* Trusted for its address alone, and that is neither this machine's nor of a private network. */
static bool is_public_guest(const struct mg_domains *domains, const struct mg_relay_facts *facts)
{
	const struct mg_trust *trust = mg_domains_trust(domains);

	return !facts->has_login && facts->client.family != MG_IP_NONE && !mg_ip_is_loopback(&facts->client) &&
	       !mg_ip_is_private(&facts->client) && !mg_trust_is_own(trust, &facts->client) &&
	       mg_trust_client(trust, &facts->client) == MG_TRUST_YES;
}

static enum mg_domain_class class_of(const struct mg_domains *domains, const struct mg_relay_facts *facts)
{
	return facts->is_known_foreign ? MG_DOMAIN_FOREIGN : mg_domains_class(domains, facts->domain);
}

enum mg_relay_proof mg_relay_judge(const struct mg_domains *domains, const struct mg_relay_facts *facts)
{
	enum mg_domain_class class = class_of(domains, facts);
	enum mg_trusted trusted;

	if (facts->is_simulated || domains == NULL || class == MG_DOMAIN_OURS)
		return MG_RELAY_LEGITIMATE;
	trusted = vouched_for(domains, facts);
	if (trusted == MG_TRUST_YES)
		return class == MG_DOMAIN_FOREIGN && is_public_guest(domains, facts) ? MG_RELAY_LISTED
										     : MG_RELAY_LEGITIMATE;
	if (class == MG_DOMAIN_UNKNOWN || trusted == MG_TRUST_DOUBT || mg_domains_has_mx_backup(domains))
		return MG_RELAY_MUST_ASK;
	return MG_RELAY_PROOF;
}
