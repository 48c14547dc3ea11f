/* auth_report.h - an evaluation, for programs and for people.
 *
 * Threads: none; the program is one. */
#ifndef MG_CTL_AUTH_REPORT_H
#define MG_CTL_AUTH_REPORT_H

#include "auth/evaluation.h"
#include "ctl/ctl.h"

/* The document of `auth --json`: a new reference. */
json_t *mg_auth_json(const struct mg_evaluation *evaluation, const char *results_field);

/* The report on the terminal: each method, its result, and why. */
void mg_auth_report(const struct mg_ctl *ctl, const struct mg_evaluation *evaluation, const char *results_field);

#endif
