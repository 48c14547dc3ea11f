/* i18n.h - sentences for people go through gettext; wire words, JSON, log keys and metrics never do.
 *
 * Threads: mg_i18n_init() before the first thread; the rest is safe from any. */
#ifndef MG_BASE_I18N_H
#define MG_BASE_I18N_H

#include <libintl.h>

#define _(text)  gettext(text)
#define N_(text) (text)

/* Takes the language from the environment, or from `language` ("es") unless that is NULL or "". Numbers and dates
 * keep the C locale's form, so that nothing machine-readable depends on where it runs. */
void mg_i18n_init(const char *language);

#endif
