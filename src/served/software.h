/* software.h - which program answers at a mail port? A guess from what it says: servers may hide their name, or lie.
 *
 * Threads: pure. */
#ifndef MG_SERVED_SOFTWARE_H
#define MG_SERVED_SOFTWARE_H

#include "served/mail_port.h"

/* The ones whose configuration a remedy can name; others have a name alone. */
enum mg_software_kind {
	MG_SOFTWARE_OTHER,
	MG_SOFTWARE_POSTFIX,
	MG_SOFTWARE_EXIM,
	MG_SOFTWARE_EXCHANGE,
	MG_SOFTWARE_SENDMAIL,
	MG_SOFTWARE_DOVECOT
};

enum mg_software_sign { MG_SOFTWARE_NO_SIGN, MG_SOFTWARE_GREETING, MG_SOFTWARE_CAPABILITIES, MG_SOFTWARE_REPLIES };

struct mg_software {
	enum mg_software_kind kind;
	const char *name;           /* "Postfix"; "" not known */
	enum mg_software_sign sign; /* what it was guessed from */
};
const char *mg_software_sign_name(enum mg_software_sign sign); /* "", "greeting", "capabilities", "replies" */

struct mg_software mg_software_of(const struct mg_served *served);

#endif
