/* What is no open relay and yet worth a word: services that end at once, and whom the lists trust on purpose. */
#include "base/i18n.h"
#include "postfix/relay_net.h"
#include "postfix/relay_report.h"
#include "postfix/relay_stranger.h"

/* ---- dead services ---- */

/* "-o name" without its "=value": smtpd ends. The name, or an empty slice. */
static struct mg_str broken_override(const struct mg_postfix_service *service)
{
	struct mg_str rest = mg_str_z(service->entry), word;

	for (size_t i = 0; i < 8; i++)
		if (!mg_read_word(&rest, " \t", &word))
			return MG_STR("");
	while (mg_read_word(&rest, " \t", &word)) {
		if (!mg_str_eq(word, MG_STR("-o")))
			continue;
		rest = mg_str_trim(rest);
		if (rest.n > 0 && rest.p[0] == '{') {
			(void)mg_str_cut(&rest, '}');
			continue;
		}
		if (mg_read_word(&rest, " \t", &word) && mg_str_find(word, '=') == SIZE_MAX)
			return word;
	}
	return MG_STR("");
}

/* 1 smtpd is content, 0 it ends, -1 that depends on its version: it compared with case once. */
static int insists(const struct mg_relay_model *model, bool *is_circle)
{
	const struct mg_relay_list *relay = model->stages[MG_STAGE_RELAY], *rcpt = model->stages[MG_STAGE_RECIPIENT];

	if (relay->is_doubtful || rcpt->is_doubtful || mg_relay_list_is_working(model->lists, rcpt, true, is_circle) ||
		mg_relay_list_is_working(model->lists, relay, true, is_circle))
		return 1;
	return mg_relay_list_is_working(model->lists, rcpt, false, is_circle) ||
			       mg_relay_list_is_working(model->lists, relay, false, is_circle)
		       ? -1
		       : 0;
}

static bool is_said(struct mg_relay_proof *proof, const struct mg_relay_model *model, const char *restriction,
	struct mg_say why, struct mg_say fix)
{
	mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, model->service, restriction, why, fix, "");
	return true;
}

bool mg_relay_is_dead(struct mg_relay_proof *proof, const struct mg_relay_model *model)
{
	struct mg_str broken = broken_override(model->service);
	const char *class = mg_relay_lists_undefined(model->lists), *name;
	bool is_circle = false;

	if (broken.n > 0) {
		name = mg_arena_text(&proof->scratch, broken, 200);
		return is_said(proof, model, name,
			MG_SAY(N_("\"-o %1\" in master.cf has no \"=value\" without spaces around: smtpd ends at every "
				  "connection"),
				name),
			MG_SAY(N_("in master.cf write -o %1=VALUE, with commas and without spaces"), name));
	}
	if (class != NULL)
		return is_said(proof, model, "smtpd_restriction_classes",
			MG_SAY(N_("the restriction class %1 has no definition: smtpd ends at every connection"), class),
			mg_relay_fix_parameter(proof, model->service, "smtpd_restriction_classes", NULL, 0));
	if (model->mynetworks.is_fatal)
		return is_said(proof, model, "mynetworks",
			MG_SAY(N_(
				"an IPv6 network in mynetworks stands without brackets: smtpd ends at every connection")),
			mg_relay_fix_networks(proof, model->service, &model->mynetworks));
	if (insists(model, &is_circle) != 0)
		return false;
	if (is_circle) {
		mg_relay_report_add(proof, MG_RELAY_PATH_UNKNOWN, model->service, "smtpd_restriction_classes",
			MG_SAY(N_("restriction classes name each other in a circle")),
			mg_relay_fix_parameter(proof, model->service, "smtpd_restriction_classes", NULL, 0), "");
		return true;
	}
	return is_said(proof, model, "smtpd_relay_restrictions",
		MG_SAY(N_("neither smtpd_relay_restrictions nor smtpd_recipient_restrictions holds a refusal that "
			  "counts: smtpd ends at every connection, and no mail comes in")),
		mg_relay_fix_list(proof, model->service));
}

/* ---- whom the lists trust ---- */

/* mynetworks without that one. */
static struct mg_say fix_without(
	struct mg_relay_proof *proof, const struct mg_relay_model *model, struct mg_str network)
{
	struct mg_match_list others = model->mynetworks;
	size_t kept = 0;

	others.patterns = mg_arena_take(&proof->scratch, (others.count + 1) * sizeof *others.patterns);
	for (size_t i = 0; others.patterns != NULL && i < model->mynetworks.count; i++)
		if (!mg_str_eq(model->mynetworks.patterns[i].text, network))
			others.patterns[kept++] = model->mynetworks.patterns[i];
	others.count = kept;
	return mg_relay_fix_networks(proof, model->service, &others);
}

static void note_trusted(struct mg_relay_proof *proof, const struct mg_relay_model *model,
	const struct mg_relay_trusted *trusted, bool is_by_style)
{
	bool is_networks = strcmp(trusted->where, "mynetworks") == 0;

	if (is_networks && is_by_style && !trusted->is_private && trusted->bits != 32 && trusted->bits != 128)
		mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, NULL, trusted->where,
			MG_SAY(N_("mynetworks_style trusts this host's neighbours in %1, whoever they are"),
				trusted->text.p),
			mg_relay_fix_parameter(proof, NULL, "mynetworks_style", (const char *const[]){ "host" }, 1),
			"mynetworks");
	else if (trusted->is_bridge)
		mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, NULL, trusted->where,
			MG_SAY(N_("%1 holds the networks of containers (Docker's bridge): if clients come in through a "
				  "proxy or a published port, they all arrive as the bridge's gateway and are trusted"),
				trusted->text.p),
			fix_without(proof, model, trusted->text), "mynetworks");
	else if (trusted->is_private)
		mg_relay_report_add(proof, MG_RELAY_PATH_NOTE, NULL, trusted->where,
			MG_SAY(N_("private networks are trusted, %1 for one: right as long as no proxy, container bridge "
				  "or NAT gateway in them brings strangers along"),
				trusted->text.p),
			(struct mg_say){ 0 }, "mynetworks");
	else
		mg_relay_report_add(proof, MG_RELAY_PATH_NOTE, NULL, trusted->where,
			MG_SAY(N_("%1 may send to any domain by %2: right as long as it is yours or a partner's"),
				trusted->text.p, trusted->where),
			(struct mg_say){ 0 }, is_networks ? "mynetworks" : "");
}

struct mx_backup {
	const struct mg_relay_item *item;
};

static void find_mx_backup(void *context, const struct mg_relay_item *item)
{
	struct mx_backup *found = context;

	if (item->op == MG_RELAY_MX_BACKUP)
		found->item = item;
}

/* Networks that all primary MX hosts must be in: nothing, or all of it, keeps nobody out. */
static bool has_narrow_networks(struct mg_relay_proof *proof, struct mg_relay_model *model)
{
	struct mg_match_list networks;

	mg_match_load(&networks, proof->tables, &proof->scratch,
		mg_relay_model_value(model, "permit_mx_backup_networks"), false);
	for (size_t i = 0; i < networks.count; i++)
		if (networks.patterns[i].kind != MG_MATCH_NET ||
			mg_relay_net_reach(&networks.patterns[i].net) == MG_RELAY_REACH_WORLD)
			return false;
	return networks.count > 0;
}

static void advise_mx_backup(struct mg_relay_proof *proof, const struct mg_relay_model *model)
{
	struct mg_relay_model own = *model;
	struct mx_backup found = { NULL };

	mg_relay_lists_each(model->lists, find_mx_backup, &found);
	if (found.item == NULL || has_narrow_networks(proof, &own))
		return;
	mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, model->service, "permit_mx_backup",
		MG_SAY(N_(
			"permit_mx_backup takes mail for every domain whose owner lists this host among its MX records")),
		MG_SAY(N_("list such domains in relay_domains and take permit_mx_backup out of the restrictions")), "");
}

void mg_relay_advise_service(
	struct mg_relay_proof *proof, const struct mg_relay_model *model, const struct mg_relay_strangers *strangers)
{
	bool is_by_style = !mg_postfix_is_set(model->postfix, "mynetworks") &&
			   mg_postfix_override(model->service, MG_STR("mynetworks")) == NULL;

	for (size_t i = 0; i < strangers->trusted_count; i++)
		note_trusted(proof, model, &strangers->trusted[i], is_by_style);
	advise_mx_backup(proof, model);
}

void mg_relay_advise(struct mg_relay_proof *proof)
{
	if (!mg_postfix_is_yes(proof->postfix, NULL, "allow_untrusted_routing") || proof->destination.relay.count == 0)
		return;
	mg_relay_report_add(proof, MG_RELAY_PATH_ADVICE, NULL, "allow_untrusted_routing",
		MG_SAY(N_(
			"addresses such as user%%elsewhere@relay-domain are handed on to that domain's own server, which may "
			"trust this one and relay them")),
		mg_relay_fix_parameter(proof, NULL, "allow_untrusted_routing", (const char *const[]){ "no" }, 1), "");
}
