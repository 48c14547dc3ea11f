/* checks.h - running health checks from mailguardctl, with or without the daemon.
 *
 * Threads: none. */
#ifndef MG_CTL_CHECKS_H
#define MG_CTL_CHECKS_H

#include "ctl/ctl.h"
#include "health/health.h"

/* MG_EXIT_GO_ON: *checks_out are the CHECK objects, a new reference, in the order asked for; folded when the run is general. What only the
 * daemon knows is asked of it; the rest is looked at here, with the rights of whoever asks. Else the exit status. */
int mg_ctl_run_checks(struct mg_ctl *ctl, const struct mg_checks_asked *asked, json_t **checks_out);

#endif
