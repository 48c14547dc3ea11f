/* check.h - whether a value is one: addresses, networks, domains, durations, rate keys; and the nearest right name.
 *
 * Each check answers MG_OK or the sentence "what is wrong; how to mend it", in which text from the file is escaped.
 *
 * Threads: pure. */
#ifndef MG_CONF_CHECK_H
#define MG_CONF_CHECK_H

#include "conf/settings.h"

mg_setting_check mg_check_plain;     /* no control bytes */
mg_setting_check mg_check_authserv;  /* "" or a host name */
mg_setting_check mg_check_language;  /* "" or a locale's name */
mg_setting_check mg_check_account;   /* "" or a user's or group's name */
mg_setting_check mg_check_listen;    /* "" or unix:PATH or inet:ADDRESS:PORT */
mg_setting_check mg_check_path;      /* absolute */
mg_setting_check mg_check_path_none; /* absolute or "" */
mg_setting_check mg_check_log;       /* auto, journald, off, file:PATH */
mg_setting_check mg_check_server;    /* ADDRESS:PORT */
mg_setting_check mg_check_store;     /* memory, redis://, rediss://, redis+unix:// */
mg_setting_check mg_check_domain;
mg_setting_check mg_check_host; /* a domain or an address */
mg_setting_check mg_check_ip;
mg_setting_check mg_check_net;
mg_setting_check mg_check_limit_name;
mg_setting_check mg_check_limit_key;
mg_setting_check mg_check_except; /* not empty */
mg_setting_check mg_check_selector;
mg_setting_check mg_check_id; /* of a health check */
mg_setting_check mg_check_mail;
mg_setting_check mg_check_webhook;

/* What may be put behind an unknown name: `; did you mean "x"?`, or the names there are. */
struct mg_nearest {
	struct mg_str word; /* as given */
	struct mg_str best; /* the nearest seen; valid when distance is small enough */
	unsigned distance;
};
void mg_nearest_init(struct mg_nearest *nearest, struct mg_str word);
void mg_nearest_see(struct mg_nearest *nearest, struct mg_str candidate);
bool mg_nearest_is_near(const struct mg_nearest *nearest);

/* `word` in quotes, escaped and cut, in `place`; returns it. */
enum { MG_QUOTED = 220 };
const char *mg_quoted(char place[MG_QUOTED], struct mg_str word);

#endif
