/* Hosts are compared by the end of their name; texts by what nobody else writes. */
#include "explain/speaker.h"

#include <strings.h>

static const struct {
	enum mg_speaker speaker;
	const char *hosts; /* parts of the name of the host, separated by | */
	const char *texts;
} speakers[] = {
	{ MG_SPEAKER_GMAIL, ".google.com|.googlemail.com|gmail-smtp-in.",
		"gsmtp|support.google.com|www.google.com/mail|gmail has detected|gmail.com/mail/help|the gmail user|the email account that you tried to reach|gmail requires" },
	{ MG_SPEAKER_MICROSOFT, ".outlook.com|.hotmail.com|.office365.us|.outlook.de",
		"protection.outlook.com|prod.outlook.com|s3140|s3150|(s2017|s3114|s775|s1010|rp-001|rp-002|rp-003|dy-001|dy-002|sc-001|sc-002|sc-003|sc-004|ou-001|ou-002|banned sending ip|aka.ms/|delist@microsoft.com|sender.office.com|mail.live.com|msn and hotmail|postmaster.live.com|resolver.adr|resolver.rst|tenantattribution|exchangelabs|as(201|as(4810|as(1430|antispam.messagingengine.microsoft|spamhaus*outlook.com|access denied, traffic not accepted|[am*prod.outlook" },
	{ MG_SPEAKER_YAHOO, ".yahoodns.net|.yahoo.com|.aol.com|.yahoo.co.jp",
		"[tss|[ts0|[bl2|[gl01|[ph01|postmaster.yahooinc.com|postmaster.aol.com|senders.yahooinc.com|postmaster.yahoo.com|help.yahoo.com|postmaster-x.yahooinc" },
	{ MG_SPEAKER_APPLE, ".icloud.com|.apple.com|.me.com", "[cs01]|[hm07]|[hm08]|support.apple.com|icloud" },
	{ MG_SPEAKER_GMX, ".gmx.net|.gmx.com|.web.de|.gmx.de|.mail.com",
		"postmaster.gmx|postmaster.web.de|postmaster.1und1|gmx.net/|web.de/" },
	{ MG_SPEAKER_IONOS, ".kundenserver.de|.ionos.|.1and1.|.perfora.net|.1und1.de",
		"postmaster.kundenserver.de|mx.kundenserver|ionos" },
	{ MG_SPEAKER_PROOFPOINT, ".pphosted.com|.ppe-hosted.com|.proofpoint.com", "ipcheck.proofpoint.com|proofpoint" },
	{ MG_SPEAKER_MIMECAST, ".mimecast.", "mimecast|community.mimecast" },
	{ MG_SPEAKER_BARRACUDA, ".barracudanetworks.com|.cudaops.com", "barracudacentral|barracudanetworks" },
	{ MG_SPEAKER_OVH, ".ovh.net|.ovh.ca|.ovhcloud.com", "ovh.net|ovhcloud|ovh.com" },
	{ MG_SPEAKER_TELEFONICA, ".telefonica.net|.movistar.es|.tsai.es|.telefonica.es|.terra.com",
		"telefonica.net|movistar|telef\303\263nica" },
	{ MG_SPEAKER_COMCAST, ".comcast.net", "postmaster.comcast.net|comcast" },
	{ MG_SPEAKER_TONLINE, ".t-online.de", "postmaster.t-online.de|t-online.de" },
	{ MG_SPEAKER_OTHER,
		".zoho.com|.messagingengine.com|.protonmail.ch|.secureserver.net|.orange.fr|.free.fr|.mail.ru|.yandex.",
		NULL },
};

static const char *const names[] = { "", "gmail", "microsoft", "yahoo", "apple", "gmx", "proofpoint", "mimecast",
	"barracuda", "ionos", "ovh", "telefonica", "comcast", "t-online", "" };

const char *mg_speaker_name(enum mg_speaker speaker)
{
	return names[speaker];
}

static bool all_in_order(struct mg_str words, struct mg_str parts)
{
	while (parts.n > 0) {
		struct mg_str part = mg_str_cut(&parts, '*');
		size_t at = mg_str_find_str(words, part);

		if (at == SIZE_MAX)
			return false;
		words = mg_str_from(words, at + part.n);
	}
	return true;
}

bool mg_words_match(struct mg_str words, const char *pattern)
{
	struct mg_str rest = mg_str_z(pattern);

	while (rest.n > 0)
		if (all_in_order(words, mg_str_cut(&rest, '|')))
			return true;
	return false;
}

static bool is_host_of(struct mg_str host, const char *hosts)
{
	char name[256];
	struct mg_str rest = mg_str_z(hosts), place;

	mg_str_copy(name, sizeof name - 1, mg_str_first(host, mg_str_find(host, '[')));
	mg_lower(name);
	place = mg_str_z(name);
	while (rest.n > 0) {
		struct mg_str part = mg_str_cut(&rest, '|');
		bool is_middle = part.p[part.n - 1] == '.';

		if (is_middle ? mg_str_find_str(place, part) != SIZE_MAX : mg_str_ends(place, part))
			return true;
	}
	return false;
}

enum mg_speaker mg_speaker_of(struct mg_str host, struct mg_str words)
{
	for (size_t i = 0; i < MG_ROWS_COUNT(speakers); i++)
		if (host.n > 0 && is_host_of(host, speakers[i].hosts))
			return speakers[i].speaker;
	for (size_t i = 0; i < MG_ROWS_COUNT(speakers); i++)
		if (speakers[i].texts != NULL && mg_words_match(words, speakers[i].texts))
			return speakers[i].speaker;
	return MG_SPEAKER_ANY;
}
