/* doctor_message.h - what became of one message, as a step of the doctor's walk.
 *
 * Threads: none. */
#ifndef MG_CTL_DOCTOR_MESSAGE_H
#define MG_CTL_DOCTOR_MESSAGE_H

#include "ctl/doctor_walk.h"

/* Looks for the newest message of that queue id, Message-ID or address: in the record, else in the end of the mail log; says what became of
 * it, with the reply explained. MG_EXIT_GO_ON; *is_found_out: it was somewhere. */
int mg_doctor_message(struct mg_walk *walk, const char *what, bool *is_found_out);

/* Looks at what the explanation of its reply points to (disk, limits, blocklists ...). */
int mg_doctor_look_closer(struct mg_walk *walk);

#endif
