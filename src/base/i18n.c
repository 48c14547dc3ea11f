/* LC_MESSAGES chooses the catalogue; LC_CTYPE stays UTF-8 so that what is printed is what the catalogue holds. */
#include "base/i18n.h"

#include <locale.h>
#include <stdlib.h>

#ifndef MG_LOCALEDIR
#define MG_LOCALEDIR "/usr/share/locale"
#endif

void mg_i18n_init(const char *language)
{
	const char *directory = secure_getenv("MAILGUARD_LOCALEDIR"); /* a build tree that is not installed */

	if (setlocale(LC_MESSAGES, "") == NULL || (language != NULL && language[0] != '\0'))
		setlocale(LC_MESSAGES, "C.UTF-8");
	if (setlocale(LC_CTYPE, "") == NULL)
		setlocale(LC_CTYPE, "C.UTF-8");
	if (language != NULL && language[0] != '\0')
		setenv("LANGUAGE", language, 1);
	bindtextdomain("mailguard", directory != NULL ? directory : MG_LOCALEDIR);
	bind_textdomain_codeset("mailguard", "UTF-8");
	textdomain("mailguard");
}
