/* postfix_kit.h - a Postfix configuration of a test's own, in a directory of its own, and a configuration of ours beside it.
 *
 * "@D@" in a text stands for the directory. The kit ends the program with a sentence where it can't do what it is asked. */
#ifndef MG_TESTS_POSTFIX_KIT_H
#define MG_TESTS_POSTFIX_KIT_H

#include "conf/conf.h"
#include "postfix/domains.h"

struct postfix_kit {
	char directory[64];
};

#define POSTFIX_KIT_MAIN                                                                                               \
	"compatibility_level = 3.6\nmyhostname = mail.example.com\nmydestination = example.com\n"                      \
	"mynetworks = 127.0.0.0/8\ninet_protocols = all\nqueue_directory = /var/spool/postfix\n"
#define POSTFIX_KIT_MASTER "smtp inet n - n - - smtpd\n"

void postfix_kit_begin(struct postfix_kit *kit);
void postfix_kit_end(struct postfix_kit *kit); /* the directory goes with all that is in it */

const char *postfix_kit_path(const struct postfix_kit *kit, const char *name, char *place, size_t size);
void postfix_kit_write(const struct postfix_kit *kit, const char *name, const char *text);
void postfix_kit_postmap(const struct postfix_kit *kit, const char *type, const char *name); /* "hash", "access" */
/* `name` with "@D@" replaced. */
const char *postfix_kit_text(const struct postfix_kit *kit, const char *text, char *place, size_t size);

/* Appends `main` to POSTFIX_KIT_MAIN; `master` NULL: POSTFIX_KIT_MASTER. NULL: there is no Postfix here. */
struct mg_postfix *postfix_kit_load(const struct postfix_kit *kit, const char *main, const char *master);
const struct mg_domains *postfix_kit_domains(const struct postfix_kit *kit, const char *main, const char *master);

/* Our configuration, all defaults but for `text`. */
const struct mg_conf *postfix_kit_conf(const struct postfix_kit *kit, const char *text);

struct mg_ip kit_ip(const char *text); /* "" none */

#endif
