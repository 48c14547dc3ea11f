/* findings.h - CHECK objects on a terminal.
 *
 * Threads: none. */
#ifndef MG_CTL_FINDINGS_H
#define MG_CTL_FINDINGS_H

#include "ctl/ctl.h"

/* Prints the findings that want somebody's attention, the worst first, each with cause and remedy; what follows from
 * another is folded under it. With `all`, those that are fine too. Returns how many wanted attention. */
size_t mg_ctl_print_findings(const struct mg_ctl *ctl, const json_t *checks, bool all);

/* The exit status of some checks: any crit 2, else warn 1, else unknown 3, else 0. */
int mg_ctl_findings_status(const json_t *checks);

#endif
