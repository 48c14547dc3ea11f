#include "served/relaying.h"

const char *mg_relaying_name(enum mg_relaying relaying)
{
	static const char *const names[] = { "", "refused", "accepted", "later", "client-refused", "domain-refused" };

	return names[relaying];
}

/* The first row whose words an answer holds tells what it is about. */
static const struct {
	const char *words;
	enum mg_relaying means;
} known[] = {
	{ "relay", MG_RELAYING_REFUSED },       /* Postfix, Exim, Exchange, Sendmail ("Relaying denied") */
	{ "rcpthosts", MG_RELAYING_REFUSED },   /* qmail */
	{ "authenticat", MG_RELAYING_REFUSED }, /* "Authentication required", "Client not authenticated" */
	{ "must issue a starttls", MG_RELAYING_NOT_US },
	{ "client host", MG_RELAYING_NOT_US }, /* Postfix's reject_rbl_client, reject_unknown_client_hostname */
	{ "blocked", MG_RELAYING_NOT_US },
	{ "blacklist", MG_RELAYING_NOT_US },
	{ "blocklist", MG_RELAYING_NOT_US },
	{ "listed", MG_RELAYING_NOT_US },
	{ "banned", MG_RELAYING_NOT_US },
	{ "helo", MG_RELAYING_NOT_US },
	{ "reverse dns", MG_RELAYING_NOT_US },
	{ "ptr record", MG_RELAYING_NOT_US },
	{ "your hostname", MG_RELAYING_NOT_US },
	{ "sender address rejected", MG_RELAYING_NOT_THERE },
	{ "sender verify", MG_RELAYING_NOT_THERE }, /* Exim */
	{ "domain not found", MG_RELAYING_NOT_THERE },
	{ "unrouteable", MG_RELAYING_NOT_THERE }, /* Exim */
	{ "unroutable", MG_RELAYING_NOT_THERE },
	{ "nullmx", MG_RELAYING_NOT_THERE }, /* Postfix, of a recipient's domain (RFC 7505) */
	{ "does not accept mail", MG_RELAYING_NOT_THERE },
};

static enum mg_relaying of_refusal(struct mg_str text)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (mg_str_holds_nocase(text, mg_str_z(known[i].words)))
			return known[i].means;
	return MG_RELAYING_REFUSED;
}

enum mg_relaying mg_relaying_of(const struct mg_served_tried *tried)
{
	enum mg_reply_state state = tried->mail == MG_REPLY_GOOD ? tried->rcpt : tried->mail;
	struct mg_str text = mg_str_z(tried->text);
	enum mg_relaying means;

	switch (state) {
	case MG_REPLY_GOOD:
		return MG_RELAYING_ACCEPTED;
	case MG_REPLY_BAD:
		means = of_refusal(text);
		/* a sender refused for itself was never asked about the recipient */
		return means == MG_RELAYING_REFUSED && tried->mail != MG_REPLY_GOOD &&
				       !mg_str_holds_nocase(text, MG_STR("relay")) &&
				       !mg_str_holds_nocase(text, MG_STR("authenticat"))
			       ? MG_RELAYING_NOT_THERE
			       : means;
	case MG_REPLY_LATER:
		/* Postfix with soft_bounce, or compatibility with defer_unauth_destination: 454 4.7.1 Relay access denied */
		return mg_str_holds_nocase(text, MG_STR("relay access denied")) ? MG_RELAYING_REFUSED
										: MG_RELAYING_LATER;
	case MG_REPLY_MORE:
	case MG_REPLY_NONSENSE:
		break;
	}
	return MG_RELAYING_UNASKED;
}

enum mg_relaying mg_relaying_of_look(const struct mg_served *served, size_t *at_out)
{
	enum mg_relaying means = MG_RELAYING_UNASKED;

	for (size_t i = 0; i < served->tried_count; i++) {
		enum mg_relaying one = mg_relaying_of(&served->tried[i]);

		if (one == MG_RELAYING_UNASKED || (means == MG_RELAYING_REFUSED && one != MG_RELAYING_ACCEPTED))
			continue;
		means = one;
		*at_out = i;
		if (one == MG_RELAYING_ACCEPTED)
			break;
	}
	return means;
}
