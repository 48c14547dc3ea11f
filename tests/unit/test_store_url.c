#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/check.h"
#include "conf/store_url.h"
#include "guard/redis_password.h"

struct url_row {
	const char *name;
	enum mg_store_kind kind;
	const char *where, *user, *password, *shown; /* host or path; NULL: no store */
	unsigned port, database;
};
static const struct url_row url_rows[] = {
	{ "memory", MG_STORE_MEMORY, "", "", "", "memory", 0, 0 },
	{ "redis://cache", MG_STORE_TCP, "cache", "", "", "redis://cache:6379/0", 6379, 0 },
	{ "redis://cache/", MG_STORE_TCP, "cache", "", "", "redis://cache:6379/0", 6379, 0 },
	{ "redis://cache:6380/7", MG_STORE_TCP, "cache", "", "", "redis://cache:6380/7", 6380, 7 },
	{ "redis://192.0.2.1", MG_STORE_TCP, "192.0.2.1", "", "", "redis://192.0.2.1:6379/0", 6379, 0 },
	{ "redis://[::1]", MG_STORE_TCP, "::1", "", "", "redis://[::1]:6379/0", 6379, 0 },
	{ "redis://[2001:db8::1]:1/2", MG_STORE_TCP, "2001:db8::1", "", "", "redis://[2001:db8::1]:1/2", 1, 2 },
	{ "rediss://u:p/w@r.example:6380/2", MG_STORE_TLS, "r.example", "u", "p/w", "rediss://r.example:6380/2", 6380,
		2 },
	{ "redis://:secret@h", MG_STORE_TCP, "h", "", "secret", "redis://h:6379/0", 6379, 0 },
	{ "redis://u@h", MG_STORE_TCP, "h", "u", "", "redis://h:6379/0", 6379, 0 },
	{ "redis://u%3A%40:a%25b@c:d@h", MG_STORE_TCP, "h", "u:@", "a%b@c:d", "redis://h:6379/0", 6379, 0 },
	{ "redis+unix:///run/redis.sock", MG_STORE_UNIX, "/run/redis.sock", "", "", "redis+unix:///run/redis.sock?db=0",
		0, 0 },
	{ "redis+unix:///run/a%3Fb?db=3", MG_STORE_UNIX, "/run/a?b", "", "", "redis+unix:///run/a?b?db=3", 0, 3 },
	{ "", 0, NULL, "", "", "", 0, 0 },
	{ "Memory", 0, NULL, "", "", "", 0, 0 },
	{ "redis:h", 0, NULL, "", "", "", 0, 0 },
	{ "redis://", 0, NULL, "", "", "", 0, 0 },
	{ "redis://:secret@", 0, NULL, "", "", "", 0, 0 },
	{ "redis://h:", 0, NULL, "", "", "", 0, 0 },
	{ "redis://h:0", 0, NULL, "", "", "", 0, 0 },
	{ "redis://h:65536", 0, NULL, "", "", "", 0, 0 },
	{ "redis://h:port", 0, NULL, "", "", "", 0, 0 },
	{ "redis://h/x", 0, NULL, "", "", "", 0, 0 },
	{ "redis://h/-1", 0, NULL, "", "", "", 0, 0 },
	{ "redis://h/1000001", 0, NULL, "", "", "", 0, 0 },
	{ "redis://::1", 0, NULL, "", "", "", 0, 0 },
	{ "redis://::1:6379", 0, NULL, "", "", "", 0, 0 },
	{ "redis://[::1", 0, NULL, "", "", "", 0, 0 },
	{ "redis://[::1]x:1", 0, NULL, "", "", "", 0, 0 },
	{ "redis://a b", 0, NULL, "", "", "", 0, 0 },
	{ "redis://u:secret%zz@h", 0, NULL, "", "", "", 0, 0 },
	{ "redis://u:secret%4@h", 0, NULL, "", "", "", 0, 0 },
	{ "redis://u:secret%@h", 0, NULL, "", "", "", 0, 0 },
	{ "redis://u:secret%00@h", 0, NULL, "", "", "", 0, 0 },
	{ "redis://u:secret%0a@h", 0, NULL, "", "", "", 0, 0 },
	{ "redis+unix://run/redis.sock", 0, NULL, "", "", "", 0, 0 },
	{ "redis+unix:///", 0, NULL, "", "", "", 0, 0 },
	{ "redis+unix:///s?db=", 0, NULL, "", "", "", 0, 0 },
	{ "redis+unix:///s?db=x", 0, NULL, "", "", "", 0, 0 },
	{ "redis+unix:///s?x=1", 0, NULL, "", "", "", 0, 0 },
	{ "http://h", 0, NULL, "", "", "", 0, 0 },
};

/* The check of the configuration and the client say the same, and neither repeats what may be a password. */
static void a_url_is_taken_apart(void **state)
{
	const struct url_row *row = *state;
	struct mg_store_url url;
	struct mg_err err = { "" }, why = { "" };
	enum mg_rc rc = mg_store_url_parse(mg_str_z(row->name), &url, &err);

	assert_int_equal(rc, mg_check_store(mg_str_z(row->name), &why));
	assert_string_equal(err.text, why.text);
	assert_int_equal(rc, row->where == NULL ? MG_ESYNTAX : MG_OK);
	assert_null(strstr(err.text, "secret"));
	if (row->where == NULL)
		return;
	assert_int_equal(url.kind, row->kind);
	assert_string_equal(url.kind == MG_STORE_UNIX ? url.path : url.host, row->where);
	assert_string_equal(url.user, row->user);
	assert_string_equal(url.password, row->password);
	assert_string_equal(url.shown, row->shown);
	assert_int_equal(url.port, row->port);
	assert_int_equal(url.database, row->database);
}

static void what_is_too_long_is_no_store(void **state)
{
	static const char *const begins[] = { "redis+unix:///", "redis://", "redis://:" };
	char text[1200];
	struct mg_store_url url;

	(void)state;
	for (size_t i = 0; i < ROWS(begins); i++) {
		memset(text, 'x', sizeof text);
		memcpy(text, begins[i], strlen(begins[i]));
		memcpy(text + sizeof text - 3, "@h", 3);
		assert_int_equal(mg_store_url_parse(mg_str_z(text), &url, NULL), MG_ESYNTAX);
	}
}

struct file_row {
	const char *name, *content;
	unsigned mode;
	enum mg_rc rc;
	const char *password, *sentence;
};
static const struct file_row file_rows[] = {
	{ "one line", "secret\n", 0640, MG_OK, "secret", "" },
	{ "no line's end", "secret", 0600, MG_OK, "secret", "" },
	{ "DOS, and more lines", "se cret\r\nmore\n", 0400, MG_OK, "se cret", "" },
	{ "read by everybody", "secret\n", 0644, MG_EPERM, "", "chmod o=" },
	{ "written by everybody", "secret\n", 0642, MG_EPERM, "", "chmod o=" },
	{ "empty", "", 0600, MG_ESYNTAX, "", "first line" },
	{ "an empty line", "\nsecret\n", 0600, MG_ESYNTAX, "", "first line" },
	{ "long", "0123456789012345678901234567890123456789\n", 0600, MG_ESYNTAX, "", "longer than" },
	{ "missing", NULL, 0, MG_ENOENT, "", "chmod 0640" },
};

static void a_password_file_is_read(void **state)
{
	const struct file_row *row = *state;
	char path[] = "/tmp/mailguard-password-XXXXXX", place[32];
	struct mg_err err = { "" };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, row->mode), 0);
	if (row->content == NULL)
		assert_int_equal(unlink(path), 0);
	else
		assert_int_equal(write(fd, row->content, strlen(row->content)), strlen(row->content));
	assert_int_equal(mg_redis_password_read(path, place, sizeof place, &err), row->rc);
	assert_string_equal(place, row->password);
	assert_non_null(strstr(err.text, row->sentence));
	assert_null(strstr(err.text, "secret"));
	close(fd);
	unlink(path);
}

static void a_directory_is_no_password(void **state)
{
	char place[32];

	(void)state;
	assert_int_equal(mg_redis_password_read("/tmp", place, sizeof place, NULL), MG_ESYNTAX);
	assert_int_equal(mg_redis_password_read("/dev/null", place, sizeof place, NULL), MG_ESYNTAX);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(url_rows) + ROWS(file_rows) + 2];
	size_t n = 0;

	ADD_ROWS(tests, n, url_rows, a_url_is_taken_apart);
	ADD_ROWS(tests, n, file_rows, a_password_file_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_too_long_is_no_store);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_directory_is_no_password);
	return _cmocka_run_group_tests("store_url", tests, n, NULL, NULL);
}
