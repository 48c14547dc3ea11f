/* verdicts.h - a transaction's verdict and delivery, in words and colour.
 *
 * Threads: none. */
#ifndef MG_CTL_VERDICTS_H
#define MG_CTL_VERDICTS_H

#include "ctl/ctl.h"

/* The verdict's word in the reader's language, padded to `width`. */
void mg_ctl_print_verdict(const struct mg_ctl *ctl, const json_t *verdict, int width);

/* How the recipients' deliveries stand: ", delivered", ", 2 of 3 delivered", ", deferred"... Nothing when nothing is known. */
void mg_ctl_print_delivery(const struct mg_ctl *ctl, const json_t *recipients);

#endif
