/* dns_judge.h - one domain, address or key judged by what DNS says of it: shared by the checks of DNS and the probe, which tell all there is
 * to say, and by bulk.sender, which asks only whether it is in order.
 *
 * Each adds evidence to the finding, and the worst it met (finding.h). None says "ok".
 *
 * Threads: as checks. */
#ifndef MG_HEALTH_DNS_JUDGE_H
#define MG_HEALTH_DNS_JUDGE_H

#include "health/own.h"

void mg_judge_spf(
	const struct mg_check_env *env, const struct mg_own *own, const char *domain, struct mg_finding *finding);
void mg_judge_dkim(const struct mg_check_env *env, const char *domain, const char *selector, const char *key_file,
	struct mg_finding *finding);
void mg_judge_dmarc(const struct mg_check_env *env, const char *domain, struct mg_finding *finding);
/* That there is a name, and one of a mail server. */
void mg_judge_ptr(
	const struct mg_check_env *env, const struct mg_own *own, const struct mg_ip *ip, struct mg_finding *finding);
/* That the name leads back to the address. */
void mg_judge_ptr_match(
	const struct mg_check_env *env, const struct mg_own *own, const struct mg_ip *ip, struct mg_finding *finding);
/* False: nothing is published, and nothing is said. The policy of MTA-STS is fetched. */
bool mg_judge_mtasts(const struct mg_check_env *env, struct mg_finding *finding, const char *domain);
bool mg_judge_tlsrpt(const struct mg_check_env *env, struct mg_finding *finding, const char *domain);
/* What the configured blocklists say. False: there is none. */
bool mg_judge_listing(const struct mg_check_env *env, const struct mg_ip *ip, struct mg_finding *finding);

#endif
