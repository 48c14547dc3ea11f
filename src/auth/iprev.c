/* The PTR question, then the addresses of all its names at once; names are judged in their order. */
#include "auth/iprev.h"

#include "base/i18n.h"

struct mg_iprev {
	struct mg_arena *arena;
	struct mg_ip ip;
	char ip_text[MG_IP_TEXT];
	bool is_done;
	struct mg_iprev_output output;
};

static void add_nibbles(struct mg_buf *out, const struct mg_ip *ip)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 16; i > 0; i--) {
		mg_buf_addc(out, digits[ip->bytes[i - 1] & 15]);
		mg_buf_addc(out, '.');
		mg_buf_addc(out, digits[ip->bytes[i - 1] >> 4]);
		mg_buf_addc(out, '.');
	}
}

void mg_ip_reversed(struct mg_buf *out, const struct mg_ip *ip, struct mg_str zone)
{
	if (ip->family == MG_IP_V6)
		add_nibbles(out, ip);
	else
		mg_buf_addf(out, "%u.%u.%u.%u.", ip->bytes[3], ip->bytes[2], ip->bytes[1], ip->bytes[0]);
	mg_buf_add(out, zone);
}

struct mg_iprev *mg_iprev_new(struct mg_arena *arena, const struct mg_ip *ip)
{
	struct mg_iprev *iprev = mg_arena_take(arena, sizeof *iprev);

	if (iprev == NULL)
		return NULL;
	iprev->arena = arena;
	iprev->ip = *ip;
	mg_ip_text(ip, iprev->ip_text, sizeof iprev->ip_text);
	iprev->output.name = iprev->output.reason = "";
	return iprev;
}

/* A name from DNS may hold any byte: what is no printable ASCII, and a blank, becomes '?'. */
static const char *printable(struct mg_iprev *iprev, struct mg_str name)
{
	char text[MG_DNS_NAME_MAX + 1];

	mg_str_copy(text, sizeof text, name);
	for (char *c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			*c = '?';
	return mg_arena_text(iprev->arena, mg_str_z(text), sizeof text);
}

static enum mg_step conclude(struct mg_iprev *iprev, enum mg_result result, const char *name, struct mg_say why)
{
	iprev->output.result = result;
	iprev->output.name = name;
	iprev->output.reason = mg_reason(iprev->arena, &why, &iprev->output.say);
	iprev->is_done = true;
	return MG_STEP_DONE;
}

static const struct mg_dns_answer *ask_names(const struct mg_iprev *iprev, struct mg_lookup *lookup)
{
	const struct mg_dns_answer *names;
	struct mg_buf name;

	mg_buf_init(&name, MG_DNS_NAME_MAX);
	mg_ip_reversed(&name, &iprev->ip, iprev->ip.family == MG_IP_V6 ? MG_STR("ip6.arpa") : MG_STR("in-addr.arpa"));
	names = mg_lookup_get(lookup, mg_buf_str(&name), MG_DNS_PTR);
	mg_buf_fini(&name);
	return names;
}

static bool holds(const struct mg_dns_answer *answer, const struct mg_ip *ip)
{
	for (size_t i = 0; i < answer->count; i++)
		if (mg_ip_eq(&answer->records[i].ip, ip))
			return true;
	return false;
}

static enum mg_step judge(struct mg_iprev *iprev, const struct mg_dns_answer *names, struct mg_lookup *lookup)
{
	enum mg_dns_type type = iprev->ip.family == MG_IP_V6 ? MG_DNS_AAAA : MG_DNS_A;
	const struct mg_dns_answer *answers[MG_IPREV_NAMES];
	size_t count = names->count < MG_IPREV_NAMES ? names->count : MG_IPREV_NAMES;
	bool has_trouble = false;
	const char *name;

	for (size_t i = 0; i < count; i++)
		answers[i] = mg_lookup_get(lookup, names->records[i].text, type);
	for (size_t i = 0; i < count; i++) {
		if (answers[i] == NULL)
			return MG_STEP_WAIT;
		if (holds(answers[i], &iprev->ip)) {
			name = printable(iprev, names->records[i].text);
			return conclude(
				iprev, MG_RESULT_PASS, name, MG_SAY(N_("%1 is %2, and back"), iprev->ip_text, name));
		}
		has_trouble |= answers[i]->status == MG_DNS_TROUBLE;
	}
	name = printable(iprev, names->records[0].text);
	if (has_trouble)
		return conclude(iprev, MG_RESULT_TEMPERROR, name,
			MG_SAY(N_("DNS gave no answer for the addresses of a name of %1"), iprev->ip_text));
	return conclude(iprev, MG_RESULT_FAIL, name,
		MG_SAY(N_("no name of %1 leads back to it: %2 doesn't"), iprev->ip_text, name));
}

enum mg_step mg_iprev_step(struct mg_iprev *iprev, struct mg_lookup *lookup)
{
	const struct mg_dns_answer *names;

	if (iprev->is_done)
		return MG_STEP_DONE;
	if (iprev->ip.family == MG_IP_NONE)
		return conclude(iprev, MG_RESULT_PERMERROR, "", MG_SAY(N_("the client has no address")));
	names = ask_names(iprev, lookup);
	if (names == NULL)
		return MG_STEP_WAIT;
	if (names->status == MG_DNS_TROUBLE)
		return conclude(iprev, MG_RESULT_TEMPERROR, "",
			MG_SAY(N_("DNS gave no answer for the name of %1"), iprev->ip_text));
	if (names->count == 0)
		return conclude(iprev, MG_RESULT_PERMERROR, "", MG_SAY(N_("%1 has no name in DNS"), iprev->ip_text));
	return judge(iprev, names, lookup);
}

const struct mg_iprev_output *mg_iprev_output(const struct mg_iprev *iprev)
{
	return &iprev->output;
}
