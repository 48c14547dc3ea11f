/* apt_plan.h - what `apt-get -s` would install, read: the mail packages of which a security update waits.
 *
 * Threads: pure. */
#ifndef MG_HEALTH_APT_PLAN_H
#define MG_HEALTH_APT_PLAN_H

#include "base/str.h"

enum { MG_APT_NAMES = 512 };

struct mg_apt_plan {
	size_t count;
	char names[MG_APT_NAMES]; /* "postfix dovecot-core"; may be cut at a whole name */
};

/* "Inst postfix [3.7.6-0] (3.7.11-0+deb12u1 Debian-Security:12/stable-security [amd64])" */
void mg_apt_plan_read(struct mg_str text, struct mg_apt_plan *plan);

#endif
