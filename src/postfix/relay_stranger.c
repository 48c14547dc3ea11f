/* First all lines are drawn (nets) and all names collected, then each is judged: a stranger's or not; at last those that
 * no table tells apart become one. */
#include "postfix/relay_stranger.h"

#include "base/hash.h"
#include "postfix/relay_access.h"
#include "postfix/relay_net.h"
#include "postfix/relay_samples.h"
#include "postfix/relay_suffix.h"
#include "postfix/restrictions.h"

enum { NETS_MAX = 6000, TEXT_BYTES = 1024, SITES_MAX = 256, NARROW_MAX = 65536 };

struct site { /* a table that is asked about a choice */
	enum mg_relay_op op;
	struct mg_table *table;
};

struct line { /* a network that some list or table names */
	struct mg_net net;
	bool is_permitted;
};

struct gathering {
	struct mg_relay_model *model;
	struct mg_relay_strangers *out;
	bool is_forged;
	struct site sites[SITES_MAX];
	size_t site_count;
	struct line *lines;
	size_t line_count;
	uint64_t narrow;         /* IPv4 addresses in permitted networks of a site's width */
	const struct site *site; /* the one whose keys are being taken */
	const char *where;
};

/* ---- adding ---- */

static void add(struct gathering *gathering, enum mg_relay_choice choice, const struct mg_relay_candidate *candidate)
{
	struct mg_relay_candidates *all = &gathering->out->all;

	if (all->is[choice] == NULL)
		all->is[choice] = mg_arena_take(gathering->model->arena, MG_RELAY_CANDIDATES * sizeof **all->is);
	if (all->is[choice] == NULL || all->count[choice] == MG_RELAY_CANDIDATES) {
		gathering->model->is_incomplete = true;
		return;
	}
	all->is[choice][all->count[choice]++] = *candidate;
}

static struct mg_str keep(struct gathering *gathering, struct mg_str text)
{
	return mg_str_z(mg_arena_text(gathering->model->arena, text, TEXT_BYTES));
}

static void add_text(struct gathering *gathering, enum mg_relay_choice choice, const char *format, struct mg_str text,
	bool is_doubtful)
{
	struct mg_relay_candidate candidate = { .is_doubtful = is_doubtful };
	struct mg_buf line;

	mg_buf_init(&line, TEXT_BYTES);
	mg_buf_addf(&line, format, MG_STR_ARGS(text));
	if (mg_buf_ok(&line)) {
		candidate.text = keep(gathering, mg_buf_str(&line));
		if (line.p != NULL)
			mg_lower((char *)candidate.text.p);
		add(gathering, choice, &candidate);
	}
	mg_buf_fini(&line);
}

/* ---- networks ---- */

static bool is_bridge(const struct mg_net *net)
{
	static const struct mg_net bridges = { { MG_IP_V4, { 172, 16 } }, 12 };

	return mg_net_contains(&bridges, &net->base) || mg_net_contains(net, &bridges.base);
}

/* IPv4 addresses in IPv6 clothes are no client's, whatever a list says of them. */
static bool is_loopback(const struct mg_net *net)
{
	return mg_ip_is_loopback(&net->base) || (net->base.family == MG_IP_V6 && net->base.bytes[0] < 0x20);
}

static void note_trusted(struct gathering *gathering, struct mg_str text, const struct mg_net *net)
{
	struct mg_relay_strangers *out = gathering->out;
	bool is_private = net != NULL && mg_relay_net_reach(net) == MG_RELAY_REACH_OURS;

	if ((net != NULL && is_loopback(net)) || out->trusted_count == MG_RELAY_TRUSTED)
		return;
	for (size_t i = 0; i < out->trusted_count; i++)
		if (mg_str_eq(out->trusted[i].text, text))
			return;
	out->trusted[out->trusted_count++] = (struct mg_relay_trusted){ .text = keep(gathering, text),
		.where = gathering->where,
		.is_private = is_private,
		.is_bridge = is_private && is_bridge(net),
		.bits = net == NULL ? 0 : net->bits };
}

static void draw(struct gathering *gathering, const struct mg_net *net, struct mg_str text, bool is_permitted)
{
	enum mg_relay_reach reach = mg_relay_net_reach(net);

	if (!is_permitted && reach == MG_RELAY_REACH_NARROW && gathering->line_count >= NETS_MAX / 2)
		return; /* a long blocklist leaves room beside it */
	if (gathering->line_count == NETS_MAX) {
		gathering->model->is_incomplete = true;
		return;
	}
	gathering->lines[gathering->line_count++] = (struct line){ *net, is_permitted };
	if (!is_permitted || (reach != MG_RELAY_REACH_NARROW && reach != MG_RELAY_REACH_OURS))
		return;
	note_trusted(gathering, text, net);
	if (reach == MG_RELAY_REACH_NARROW && net->base.family == MG_IP_V4)
		gathering->narrow += (uint64_t)1 << (32 - net->bits);
}

/* Whom some list trusts on purpose: nobody's stranger. *is_doubtful: a network between a site and the world. */
static bool is_trusted(const struct gathering *gathering, const struct mg_ip *ip, bool *is_doubtful)
{
	for (size_t i = 0; i < gathering->line_count; i++) {
		const struct line *line = &gathering->lines[i];
		enum mg_relay_reach reach;

		if (!line->is_permitted || !mg_net_contains(&line->net, ip))
			continue;
		reach = mg_relay_net_reach(&line->net);
		if (reach == MG_RELAY_REACH_NARROW && gathering->narrow > NARROW_MAX)
			reach = MG_RELAY_REACH_DOUBTFUL;
		if (reach == MG_RELAY_REACH_NARROW || reach == MG_RELAY_REACH_OURS)
			return true;
		*is_doubtful = *is_doubtful || reach == MG_RELAY_REACH_DOUBTFUL;
	}
	return false;
}

static void add_address(struct gathering *gathering, const struct mg_ip *ip)
{
	struct mg_relay_candidate candidate = { .ip = *ip };
	const struct mg_relay_model *model = gathering->model;
	char text[MG_IP_TEXT];

	if (!(ip->family == MG_IP_V4 ? model->speaks_v4 : model->speaks_v6) && !gathering->is_forged)
		return;
	if (!gathering->is_forged && (!mg_relay_ip_is_outside(ip) || is_trusted(gathering, ip, &candidate.is_doubtful)))
		return;
	candidate.text = keep(gathering, mg_str_z(mg_ip_text(ip, text, sizeof text)));
	add(gathering, MG_CHOICE_ADDRESS, &candidate);
}

/* Both sides of a line, and a step inside. */
static void add_around(struct gathering *gathering, const struct mg_net *net)
{
	struct mg_ip ip = net->base;
	unsigned last = ip.family == MG_IP_V4 ? 3 : 15;

	if (net->bits < (last + 1) * 8 - 1) {
		ip.bytes[last] |= 1;
		add_address(gathering, &ip);
	}
	add_address(gathering, &net->base);
	if (mg_relay_net_behind(net, &ip))
		add_address(gathering, &ip);
}

static void add_addresses(struct gathering *gathering)
{
	static const struct mg_net anybody[] = { { { MG_IP_V4, { 192, 88, 99, 66 } }, 32 }, /* nobody's */
		{ { MG_IP_V4, { 198, 19, 7, 66 } }, 32 }, { { MG_IP_V6, { 0x3f, 0xfe, 0xff, 0xff } }, 48 },
		{ { MG_IP_V4, { 127, 0, 0, 1 } }, 32 }, { { MG_IP_V6, { [15] = 1 } }, 128 } };
	size_t count;
	const struct mg_net *inside = mg_relay_inside_nets(&count);

	for (size_t i = 0; i < sizeof anybody / sizeof anybody[0]; i++)
		add_around(gathering, &anybody[i]);
	for (size_t i = 0; i < gathering->line_count; i++)
		add_around(gathering, &gathering->lines[i].net);
	for (size_t i = 0; i < count; i++)
		add_around(gathering, &inside[i]);
}

/* ---- names and mail addresses ---- */

static struct mg_str without_dot(struct mg_str name)
{
	return mg_str_from(name, name.n > 0 && name.p[0] == '.');
}

/* A client's verified name: what lies below a public suffix anybody can have; of a single domain only its owner. */
static void add_name_key(struct gathering *gathering, struct mg_str key)
{
	struct mg_str name = without_dot(key);

	if (mg_str_eq(name, MG_STR("unknown")) || name.n == 0)
		return;
	if (mg_relay_is_suffix(name))
		add_text(gathering, MG_CHOICE_NAME, "host." MG_RELAY_PROBE ".%.*s", name, false);
	else if (gathering->is_forged)
		add_text(gathering, MG_CHOICE_NAME, "%.*s", name, false);
	else if (!mg_relay_destination_is_own(gathering->model->destination, name))
		note_trusted(gathering, name, NULL);
}

static void add_helo_key(struct gathering *gathering, struct mg_str key)
{
	add_text(gathering, MG_CHOICE_HELO, key.n > 0 && key.p[0] == '.' ? MG_RELAY_PROBE "%.*s" : "%.*s", key, false);
}

/* user@domain, user@, domain, .domain */
static void add_mail_key(struct gathering *gathering, enum mg_relay_choice choice, struct mg_str key)
{
	size_t at = mg_str_rfind(key, '@');

	if (at == SIZE_MAX)
		add_text(gathering, choice,
			key.n > 0 && key.p[0] == '.' ? "victim@" MG_RELAY_PROBE "%.*s"
			: mg_relay_is_suffix(key)    ? "victim@" MG_RELAY_PROBE ".%.*s"
						     : "victim@%.*s",
			key, false);
	if (at == SIZE_MAX && mg_relay_is_suffix(key))
		add_text(gathering, choice, "victim@%.*s", key, false);
	if (at != SIZE_MAX)
		add_text(gathering, choice, at + 1 == key.n ? "%.*s" MG_RELAY_PROBE ".com" : "%.*s", key, false);
}

static bool may_help(struct mg_str value)
{
	enum mg_relay_answer answer = mg_relay_answer_of(value);

	return answer != MG_RELAY_SAYS_NO && answer != MG_RELAY_SAYS_BAD && answer != MG_RELAY_SAYS_DISCARD;
}

static bool may_permit(struct mg_str value)
{
	enum mg_relay_answer answer = mg_relay_answer_of(value);

	return answer == MG_RELAY_SAYS_OK || answer == MG_RELAY_SAYS_LIST;
}

static void take_key(void *context, struct mg_str key, struct mg_str value)
{
	struct gathering *gathering = context;
	struct mg_net net;
	bool is_part = gathering->site->table->part_count > 0; /* of a pipe: what its value means is not known here */

	if (gathering->site->op == MG_RELAY_CLIENT && mg_relay_net_of_key(key, &net)) {
		draw(gathering, &net, key, !is_part && may_permit(value));
		return;
	}
	if (!is_part && !may_help(value))
		return;
	switch (gathering->site->op) {
	case MG_RELAY_CLIENT:
		add_name_key(gathering, key);
		return;
	case MG_RELAY_HELO:
		add_helo_key(gathering, key);
		return;
	case MG_RELAY_SENDER:
		if (!mg_str_eq(key, gathering->model->null_sender))
			add_mail_key(gathering, MG_CHOICE_SENDER, key);
		return;
	case MG_RELAY_RECIPIENT:
		add_mail_key(gathering, MG_CHOICE_RECIPIENT, key);
		return;
	default:
		return;
	}
}

/* ---- patterns ---- */

static enum mg_relay_choice choice_of(enum mg_relay_op op)
{
	return op == MG_RELAY_CLIENT   ? MG_CHOICE_NAME
	       : op == MG_RELAY_HELO   ? MG_CHOICE_HELO
	       : op == MG_RELAY_SENDER ? MG_CHOICE_SENDER
				       : MG_CHOICE_RECIPIENT;
}

static void take_sample(void *context, struct mg_str sample, bool is_doubtful)
{
	struct gathering *gathering = context;
	enum mg_relay_op op = gathering->site->op;
	bool is_ours = mg_str_find_str(sample, MG_STR(MG_RELAY_PROBE)) == SIZE_MAX;

	if (op == MG_RELAY_CLIENT && is_ours && !gathering->is_forged)
		return; /* one name of one owner */
	add_text(gathering, choice_of(op), "%.*s", sample, is_doubtful && op != MG_RELAY_SENDER && op != MG_RELAY_HELO);
}

static void take_rule(void *context, const struct mg_table *table, const struct mg_table_rule *rule)
{
	struct gathering *gathering = context;
	enum mg_relay_op op = gathering->site->op;
	struct mg_net net;

	if (table->kind == MG_TABLE_RULES_IP) {
		if (op == MG_RELAY_CLIENT)
			draw(gathering, &rule->net, rule->key,
				!rule->is_negated && !rule->is_if && gathering->site->table->part_count == 0 &&
					may_permit(rule->value));
		return;
	}
	if (rule->is_if || op == MG_RELAY_CERT || op == MG_RELAY_REVERSE)
		return;
	if (op == MG_RELAY_CLIENT && mg_relay_sample_net(rule, &net))
		draw(gathering, &net, rule->key, gathering->site->table->part_count == 0 && may_permit(rule->value));
	mg_relay_samples(rule, op == MG_RELAY_CLIENT || op == MG_RELAY_HELO ? MG_SAMPLE_NAME : MG_SAMPLE_MAIL,
		take_sample, gathering);
}

/* ---- the sites ---- */

static void add_site(struct gathering *gathering, enum mg_relay_op op, struct mg_table *table)
{
	for (size_t i = 0; i < gathering->site_count; i++)
		if (gathering->sites[i].op == op && gathering->sites[i].table == table)
			return;
	if (gathering->site_count == SITES_MAX)
		gathering->model->is_incomplete = true;
	else
		gathering->sites[gathering->site_count++] = (struct site){ op, table };
}

static void take_item(void *context, const struct mg_relay_item *item)
{
	static const enum mg_relay_op any[] = { MG_RELAY_CLIENT, MG_RELAY_HELO, MG_RELAY_SENDER, MG_RELAY_RECIPIENT };

	if (item->op >= MG_RELAY_CLIENT && item->op <= MG_RELAY_CERT && item->table != NULL)
		add_site(context, item->op, item->table);
	for (size_t i = 0; item->op == MG_RELAY_BARE && i < sizeof any / sizeof any[0]; i++)
		add_site(context, any[i], item->table);
}

static void take_network_key(void *context, struct mg_str key, struct mg_str value)
{
	struct gathering *gathering = context;
	struct mg_net net;

	(void)value;
	if (mg_relay_ip_parse(key, &net.base)) {
		net.bits = net.base.family == MG_IP_V4 ? 32 : 128;
		draw(gathering, &net, key, true);
	} else {
		add_name_key(gathering, key);
	}
}

static void take_network_rule(void *context, const struct mg_table *table, const struct mg_table_rule *rule)
{
	struct site site = { MG_RELAY_CLIENT, NULL };
	struct gathering *gathering = context;

	if (table->kind == MG_TABLE_RULES_IP) {
		draw(gathering, &rule->net, rule->key, !rule->is_negated && !rule->is_if);
		return;
	}
	gathering->site = &site;
	mg_relay_samples(rule, MG_SAMPLE_NAME, take_sample, gathering);
}

static void gather_list(struct gathering *gathering, const struct mg_match_list *list, const char *where, bool trusts)
{
	gathering->where = where;
	for (size_t i = 0; i < list->count; i++) {
		const struct mg_match_pattern *pattern = &list->patterns[i];

		if (pattern->kind == MG_MATCH_NET)
			draw(gathering, &pattern->net, pattern->text, trusts && !pattern->is_negated);
		else if (pattern->kind == MG_MATCH_NAME)
			add_name_key(gathering, pattern->text);
		if (pattern->kind != MG_MATCH_TABLE)
			continue;
		mg_table_each_key(pattern->table, take_network_key, gathering);
		mg_table_each_rule(pattern->table, take_network_rule, gathering);
	}
}

static void gather_sites(struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->site_count; i++) {
		gathering->site = &gathering->sites[i];
		gathering->where = gathering->site->table->name;
		mg_table_each_key(gathering->site->table, take_key, gathering);
		mg_table_each_rule(gathering->site->table, take_rule, gathering);
	}
}

/* ---- people nobody has heard of ---- */

static void add_anybody(struct gathering *gathering)
{
	static const char *const suffixes[] = { "com", "org", "net", "example" };
	struct mg_str own = gathering->model->destination->own_domain, none = MG_STR("");

	add_text(gathering, MG_CHOICE_NAME, "unknown%.*s", none, false);
	add_text(gathering, MG_CHOICE_HELO, MG_RELAY_PROBE ".com%.*s", none, false);
	add_text(gathering, MG_CHOICE_SENDER, "%.*s", none, false);
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		add_text(gathering, MG_CHOICE_NAME, "host." MG_RELAY_PROBE ".%.*s", mg_str_z(suffixes[i]), false);
		add_text(gathering, MG_CHOICE_SENDER, "stranger@" MG_RELAY_PROBE ".%.*s", mg_str_z(suffixes[i]), false);
		add_text(
			gathering, MG_CHOICE_RECIPIENT, "victim@" MG_RELAY_PROBE ".%.*s", mg_str_z(suffixes[i]), false);
	}
	if (own.n > 0)
		add_text(gathering, MG_CHOICE_SENDER, "postmaster@%.*s", own, false);
	if (!gathering->model->wants_helo)
		add_text(gathering, MG_CHOICE_HELO, "%.*s", none, false);
	add_text(gathering, MG_CHOICE_CERT, "%.*s", none, false);
	if (gathering->model->asks_cert)
		add_text(gathering, MG_CHOICE_CERT, "self%.*s", none, false);
	if (gathering->model->asks_cert && gathering->model->ca != MG_CA_NONE)
		add_text(gathering, MG_CHOICE_CERT, "signed%.*s", none, false);
	if (gathering->is_forged)
		add_text(gathering, MG_CHOICE_NAME, "localhost%.*s", none, false);
}

static void take_relay_key(void *context, struct mg_str key, struct mg_str value)
{
	(void)value;
	if (mg_relay_is_suffix(without_dot(key)))
		add_text(context, MG_CHOICE_RECIPIENT, "victim@" MG_RELAY_PROBE ".%.*s", without_dot(key), false);
}

static void take_relay_sample(void *context, struct mg_str sample, bool is_doubtful)
{
	if (mg_str_find_str(sample, MG_STR(MG_RELAY_PROBE)) != SIZE_MAX)
		add_text(context, MG_CHOICE_RECIPIENT, "victim@%.*s", sample, is_doubtful);
}

static void take_relay_rule(void *context, const struct mg_table *table, const struct mg_table_rule *rule)
{
	if (table->kind == MG_TABLE_PATTERNED && !rule->is_if)
		mg_relay_samples(rule, MG_SAMPLE_NAME, take_relay_sample, context);
}

/* relay_domains that hold more than anybody can own: com, co.uk, patterns without an end. */
static void gather_relay_domains(struct gathering *gathering)
{
	const struct mg_match_list *list = &gathering->model->destination->relay;

	for (size_t i = 0; i < list->count; i++) {
		if (list->patterns[i].kind == MG_MATCH_NAME)
			take_relay_key(gathering, list->patterns[i].text, MG_STR(""));
		if (list->patterns[i].kind != MG_MATCH_TABLE)
			continue;
		mg_table_each_key(list->patterns[i].table, take_relay_key, gathering);
		mg_table_each_rule(list->patterns[i].table, take_relay_rule, gathering);
	}
}

/* ---- judging ---- */

static bool is_hostname(struct mg_str domain)
{
	for (size_t i = 0; i < domain.n; i++)
		if (strchr("*/ \t,;<>()\"\\", domain.p[i]) != NULL)
			return false;
	return domain.n > 0 && domain.p[0] != '.';
}

/* False: one of ours, not somebody a stranger would write to through us. */
static bool judge_recipient(const struct mg_relay_model *model, struct mg_relay_candidate *candidate)
{
	const struct mg_relay_destination *destination = model->destination;
	size_t at = mg_str_rfind(candidate->text, '@');
	struct mg_str domain, value;
	bool is_probe;
	enum mg_table_found found;

	if (at == SIZE_MAX || at == 0 || !is_hostname(mg_str_from(candidate->text, at + 1)))
		return false;
	domain = mg_str_from(candidate->text, at + 1);
	is_probe = mg_str_find_str(domain, MG_STR(MG_RELAY_PROBE)) != SIZE_MAX;
	candidate->class = mg_relay_destination_class(destination, domain, &candidate->relay_pattern);
	candidate->is_listed = true;
	if (candidate->class == MG_RELAY_CLASS_FINAL || (candidate->class == MG_RELAY_CLASS_RELAY && !is_probe))
		return false;
	if (!is_probe && mg_relay_destination_is_own(destination, domain))
		return false;
	if (candidate->class == MG_RELAY_CLASS_FOREIGN && destination->is_dead_end)
		candidate->is_listed = false;
	if (candidate->class != MG_RELAY_CLASS_RELAY || destination->recipients.count == 0 ||
		!destination->refuses_unlisted)
		return true;
	found = mg_relay_maps_find_address(model->tables, &destination->recipients, candidate->text, &value);
	candidate->is_listed = found != MG_TABLE_NOT_FOUND && found != MG_TABLE_ERROR;
	candidate->is_doubtful = candidate->is_doubtful || found == MG_TABLE_UNKNOWN;
	return true;
}

static void judge_recipients(struct gathering *gathering)
{
	struct mg_relay_candidates *all = &gathering->out->all;
	size_t kept = 0;

	for (size_t i = 0; i < all->count[MG_CHOICE_RECIPIENT]; i++)
		if (judge_recipient(gathering->model, &all->is[MG_CHOICE_RECIPIENT][i]))
			all->is[MG_CHOICE_RECIPIENT][kept++] = all->is[MG_CHOICE_RECIPIENT][i];
	all->count[MG_CHOICE_RECIPIENT] = kept;
}

/* ---- those whom nothing tells apart become one ---- */

struct mix {
	uint64_t value;
};

static void stir(struct mix *mix, uint64_t more)
{
	uint64_t both[2] = { mix->value, more };

	mix->value = mg_hash_keyed(mg_str_of(both, sizeof both));
}

static void stir_answer(struct mix *mix, enum mg_table_found found, struct mg_str value)
{
	enum mg_relay_answer answer = mg_relay_answer_of(value);

	stir(mix, (uint64_t)found * 16 + (found == MG_TABLE_FOUND ? (unsigned)answer : 0));
	if (found == MG_TABLE_FOUND && (answer == MG_RELAY_SAYS_LIST || answer == MG_RELAY_SAYS_OK))
		stir(mix, mg_hash_keyed(value));
}

static void stir_site(const struct mg_relay_model *model, const struct site *site, enum mg_relay_choice choice,
	const struct mg_relay_candidate *candidate, struct mix *mix)
{
	struct mg_relay_client client = { 0 };
	struct mg_str value = MG_STR("");
	enum mg_table_found found = MG_TABLE_NOT_FOUND;

	for (size_t i = 0; i < MG_CHOICES; i++)
		client.is[i] = candidate;
	if (site->op == MG_RELAY_CLIENT && choice == MG_CHOICE_ADDRESS)
		found = mg_relay_access_address(model, site->table, candidate->text, &value);
	else if (site->op == MG_RELAY_CLIENT && choice == MG_CHOICE_NAME)
		found = mg_relay_access_name(model, site->table, candidate->text, &value);
	else if (site->op != MG_RELAY_CLIENT && site->op != MG_RELAY_REVERSE && site->op != MG_RELAY_CERT &&
		 choice == choice_of(site->op))
		found = mg_relay_access(model, site->op, site->table, &client, &value);
	stir_answer(mix, found, value);
}

static void stir_client(const struct mg_relay_model *model, enum mg_relay_choice choice,
	const struct mg_relay_candidate *candidate, struct mix *mix)
{
	const struct mg_match_list *lists[] = { &model->mynetworks, &model->xclient };
	struct mg_str none = MG_STR("");
	const struct mg_match_pattern *which;
	struct mg_ip no_ip = { 0 };
	bool is_address = choice == MG_CHOICE_ADDRESS;

	for (size_t i = 0; i < 2; i++)
		stir(mix, mg_match_client(model->tables, lists[i], is_address ? none : candidate->text,
				  is_address ? candidate->text : none, is_address ? &candidate->ip : &no_ip, &which));
	if (!is_address)
		stir(mix, mg_match_domain(model->tables, &model->destination->relay, candidate->text, &which) +
				  8U * mg_str_eq(candidate->text, MG_STR("unknown")));
}

static uint64_t signature(
	const struct gathering *gathering, enum mg_relay_choice choice, const struct mg_relay_candidate *candidate)
{
	const struct mg_relay_model *model = gathering->model;
	struct mix mix = { candidate->is_doubtful };
	struct mg_str value = MG_STR("");
	size_t at = mg_str_rfind(candidate->text, '@');

	for (size_t i = 0; i < gathering->site_count; i++)
		stir_site(model, &gathering->sites[i], choice, candidate, &mix);
	if (choice == MG_CHOICE_ADDRESS || choice == MG_CHOICE_NAME)
		stir_client(model, choice, candidate, &mix);
	stir(&mix, (candidate->text.n == 0) +
			   2U * (mg_str_find(mg_str_from(candidate->text, at == SIZE_MAX ? 0 : at), '.') == SIZE_MAX));
	if (choice == MG_CHOICE_SENDER && candidate->text.n > 0)
		stir(&mix, mg_relay_maps_find_address(model->tables, &model->owners, candidate->text, &value));
	if (choice == MG_CHOICE_RECIPIENT)
		stir(&mix, candidate->class + 16U * candidate->is_listed);
	if (choice == MG_CHOICE_CERT)
		stir(&mix, mg_hash_keyed(candidate->text));
	return mix.value;
}

static void unite(struct gathering *gathering, enum mg_relay_choice choice)
{
	struct mg_relay_candidate *all = gathering->out->all.is[choice];
	uint64_t seen[MG_RELAY_KINDS];
	size_t kept = 0;

	for (size_t i = 0; i < gathering->out->all.count[choice]; i++) {
		uint64_t own = signature(gathering, choice, &all[i]);
		bool is_new = true;

		for (size_t j = 0; j < kept; j++)
			is_new = is_new && seen[j] != own;
		if (!is_new)
			continue;
		if (kept == MG_RELAY_KINDS) {
			gathering->model->is_incomplete = true;
			break;
		}
		seen[kept] = own;
		all[kept++] = all[i];
	}
	gathering->out->all.count[choice] = kept;
}

void mg_relay_strangers_gather(struct mg_relay_model *model, bool is_forged, struct mg_relay_strangers *strangers_out)
{
	struct gathering gathering = { .model = model, .out = strangers_out, .is_forged = is_forged };

	*strangers_out = (struct mg_relay_strangers){ 0 };
	gathering.lines = mg_arena_take(model->arena, NETS_MAX * sizeof *gathering.lines);
	if (gathering.lines == NULL) {
		model->is_incomplete = true;
		return;
	}
	mg_relay_lists_each(model->lists, take_item, &gathering);
	add_anybody(&gathering);
	gather_list(&gathering, &model->mynetworks, "mynetworks", true);
	gather_list(&gathering, &model->xclient, "smtpd_authorized_xclient_hosts", false);
	gather_sites(&gathering);
	gather_relay_domains(&gathering);
	add_addresses(&gathering);
	judge_recipients(&gathering);
	mg_relay_doubts_find(model, strangers_out, gathering.is_forged);
	for (size_t i = 0; i < MG_CHOICES; i++)
		unite(&gathering, (enum mg_relay_choice)i);
	model->is_incomplete = model->is_incomplete || mg_tables_is_exhausted(model->tables);
}
