#include "served/software.h"

const char *mg_software_sign_name(enum mg_software_sign sign)
{
	static const char *const names[] = { "", "greeting", "capabilities", "replies" };

	return names[sign];
}

/* What a program says of itself comes before how it speaks; within that, the first row counts. */
static const struct {
	enum mg_software_sign sign;
	const char *words;
	enum mg_software_kind kind;
	const char *name;
} known[] = {
	{ MG_SOFTWARE_GREETING, "postfix", MG_SOFTWARE_POSTFIX, "Postfix" },
	{ MG_SOFTWARE_GREETING, "exim ", MG_SOFTWARE_EXIM, "Exim" },
	{ MG_SOFTWARE_GREETING, "microsoft", MG_SOFTWARE_EXCHANGE, "Exchange" },
	{ MG_SOFTWARE_GREETING, "sendmail", MG_SOFTWARE_SENDMAIL, "Sendmail" },
	{ MG_SOFTWARE_GREETING, "dovecot", MG_SOFTWARE_DOVECOT, "Dovecot" },
	{ MG_SOFTWARE_GREETING, "gsmtp", MG_SOFTWARE_OTHER, "Google" },
	{ MG_SOFTWARE_GREETING, "gimap", MG_SOFTWARE_OTHER, "Google" },
	{ MG_SOFTWARE_GREETING, "opensmtpd", MG_SOFTWARE_OTHER, "OpenSMTPD" },
	{ MG_SOFTWARE_GREETING, "haraka", MG_SOFTWARE_OTHER, "Haraka" },
	{ MG_SOFTWARE_GREETING, "stalwart", MG_SOFTWARE_OTHER, "Stalwart" },
	{ MG_SOFTWARE_GREETING, "maddy", MG_SOFTWARE_OTHER, "maddy" },
	{ MG_SOFTWARE_GREETING, "hmailserver", MG_SOFTWARE_OTHER, "hMailServer" },
	{ MG_SOFTWARE_GREETING, "mdaemon", MG_SOFTWARE_OTHER, "MDaemon" },
	{ MG_SOFTWARE_GREETING, "kerio", MG_SOFTWARE_OTHER, "Kerio Connect" },
	{ MG_SOFTWARE_GREETING, "mailenable", MG_SOFTWARE_OTHER, "MailEnable" },
	{ MG_SOFTWARE_GREETING, "icewarp", MG_SOFTWARE_OTHER, "IceWarp" },
	{ MG_SOFTWARE_GREETING, "communigate", MG_SOFTWARE_OTHER, "CommuniGate Pro" },
	{ MG_SOFTWARE_GREETING, "domino", MG_SOFTWARE_OTHER, "Domino" },
	{ MG_SOFTWARE_GREETING, "james", MG_SOFTWARE_OTHER, "Apache James" },
	{ MG_SOFTWARE_GREETING, "cyrus", MG_SOFTWARE_OTHER, "Cyrus IMAP" },
	{ MG_SOFTWARE_GREETING, "courier", MG_SOFTWARE_OTHER, "Courier" },
	{ MG_SOFTWARE_GREETING, "qmail", MG_SOFTWARE_OTHER, "qmail" },
	{ MG_SOFTWARE_CAPABILITIES, "x-anonymoustls", MG_SOFTWARE_EXCHANGE, "Exchange" },
	{ MG_SOFTWARE_CAPABILITIES, "x-exps", MG_SOFTWARE_EXCHANGE, "Exchange" },
	{ MG_SOFTWARE_CAPABILITIES, "xexch50", MG_SOFTWARE_EXCHANGE, "Exchange" },
	{ MG_SOFTWARE_CAPABILITIES, "xrdst", MG_SOFTWARE_EXCHANGE, "Exchange" },
	{ MG_SOFTWARE_CAPABILITIES, "pipeconnect", MG_SOFTWARE_EXIM, "Exim" },
	{ MG_SOFTWARE_CAPABILITIES, "pipe_connect", MG_SOFTWARE_EXIM, "Exim" },
	{ MG_SOFTWARE_CAPABILITIES, "pleased to meet you", MG_SOFTWARE_OTHER, "Sendmail or OpenSMTPD" },
	{ MG_SOFTWARE_REPLIES, "relay access denied", MG_SOFTWARE_POSTFIX, "Postfix" },
	{ MG_SOFTWARE_REPLIES, "relay not permitted", MG_SOFTWARE_EXIM, "Exim" },
	{ MG_SOFTWARE_REPLIES, "unable to relay", MG_SOFTWARE_EXCHANGE, "Exchange" },
	{ MG_SOFTWARE_REPLIES, "relaying denied", MG_SOFTWARE_SENDMAIL, "Sendmail" },
	{ MG_SOFTWARE_REPLIES, "list of allowed rcpthosts", MG_SOFTWARE_OTHER, "qmail" },
};

static bool is_said(const struct mg_served *served, enum mg_software_sign sign, const char *words)
{
	switch (sign) {
	case MG_SOFTWARE_GREETING:
		return mg_str_holds_nocase(mg_str_z(served->greeting_text), mg_str_z(words));
	case MG_SOFTWARE_CAPABILITIES:
		return mg_str_holds_nocase(mg_str_z(served->listed), mg_str_z(words));
	case MG_SOFTWARE_REPLIES:
		for (size_t i = 0; i < served->tried_count; i++)
			if (mg_str_holds_nocase(mg_str_z(served->tried[i].text), mg_str_z(words)))
				return true;
		break;
	case MG_SOFTWARE_NO_SIGN:
		break;
	}
	return false;
}

struct mg_software mg_software_of(const struct mg_served *served)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (is_said(served, known[i].sign, known[i].words))
			return (struct mg_software){ known[i].kind, known[i].name, known[i].sign };
	return (struct mg_software){ MG_SOFTWARE_OTHER, "", MG_SOFTWARE_NO_SIGN };
}
