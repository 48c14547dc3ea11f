/* Where the mail log is, when nobody said. */
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "postfix/log_reader.h"

/* When the file was last written, 0 when it is none or that is more than a day ago. */
static int64_t written_us(const char *path)
{
	struct stat st;
	int64_t us;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	us = (int64_t)st.st_mtim.tv_sec * MG_S_US + st.st_mtim.tv_nsec / 1000;
	return us > mg_wall_us() - MG_DAY_US ? us : 0;
}

/* "file:PATH" into `place`; what would not fit whole is no source. */
static bool put_file(char *place, size_t size, const char *root, const char *path)
{
	struct mg_buf text;
	bool is_whole;

	mg_buf_init(&text, size - 1);
	mg_buf_addz(&text, "file:");
	mg_buf_addz(&text, root);
	mg_buf_addz(&text, path);
	is_whole = mg_buf_ok(&text);
	(void)mg_str_copy(place, size, is_whole ? mg_buf_str(&text) : MG_STR(""));
	mg_buf_fini(&text);
	return is_whole;
}

void mg_log_source_find(const char *maillog_file, const char *root, char *source_out, size_t size)
{
	static const char *const paths[] = { "/var/log/mail.log", "/var/log/maillog" };
	int64_t newest_us = 0;
	char candidate[160];

	(void)mg_str_copy(source_out, size, MG_STR("journald"));
	if (maillog_file != NULL && maillog_file[0] == '/' && !mg_str_starts(mg_str_z(maillog_file), MG_STR("/dev/"))) {
		if (put_file(candidate, sizeof candidate, "", maillog_file))
			(void)mg_str_copy(source_out, size, mg_str_z(candidate));
		return;
	}
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		int64_t us;

		if (!put_file(candidate, sizeof candidate, root, paths[i]))
			continue;
		us = written_us(candidate + sizeof "file:" - 1);
		if (us > newest_us) {
			newest_us = us;
			(void)mg_str_copy(source_out, size, mg_str_z(candidate));
		}
	}
}
