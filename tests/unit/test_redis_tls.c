/* TLS, passwords and accounts, against a real redis-server with certificates that openssl makes here. */
#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/run.h"
#include "machine_kit.h"
#include "redis_server_kit.h"

static struct redis_server server;
static unsigned tls_port, port;
static char path[8][128];

static void make(const char *const *argv)
{
	struct mg_run run = { .argv = argv, .timeout_ms = 60000, .out_max = 4000, .err_max = 4000 };
	struct mg_run_result result;
	struct mg_err err = { "" };
	enum mg_rc rc = mg_run(&run, &result, &err);

	if (rc != MG_OK || result.status != 0) {
		fprintf(stderr, "%s %s\n%s\n", argv[0], err.text, mg_buf_z(&result.err));
		abort();
	}
	mg_run_fini(&result);
}

static const char *in(unsigned i, const char *name)
{
	(void)snprintf(path[i], sizeof path[i], "%s/%s", server.directory, name);
	return path[i];
}

static void make_authority(const char *key, const char *certificate)
{
	const char *argv[] = { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
		"-nodes", "-days", "2", "-subj", "/CN=test authority", "-keyout", in(0, key), "-out",
		in(1, certificate), NULL };

	make(argv);
}

static void make_certificate(void)
{
	const char *argv[] = { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
		"-nodes", "-days", "2", "-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
		"basicConstraints=critical,CA:FALSE", "-CA", in(0, "ca.crt"), "-CAkey", in(1, "ca.key"), "-keyout",
		in(2, "server.key"), "-out", in(3, "server.crt"), NULL };

	make(argv);
}

static int begin_server(void **state)
{
	static char tls_text[8], port_text[8];
	static const char *words[] = { "--tls-port", tls_text, "--port", port_text, "--bind", "127.0.0.1",
		"--tls-cert-file", path[3], "--tls-key-file", path[2], "--tls-ca-cert-file", path[0],
		"--tls-auth-clients", "no", "--requirepass", "hush", "--user", "guard", "on", ">hush2",
		"~mailguard:{rate}:*", "-@all", "+select", "+script|load", "+eval", "+evalsha", "+time", "+mget",
		"+set", "+del", NULL };

	(void)state;
	redis_directory(&server);
	make_authority("ca.key", "ca.crt");
	make_authority("other.key", "other.crt");
	make_certificate();
	tls_port = redis_free_port();
	port = redis_free_port();
	(void)snprintf(tls_text, sizeof tls_text, "%u", tls_port);
	(void)snprintf(port_text, sizeof port_text, "%u", port);
	redis_begin(&server, words);
	return 0;
}

static int end_server(void **state)
{
	(void)state;
	redis_end(&server);
	return 0;
}

/* ---- */

enum way { WAY_TCP, WAY_TLS };

struct login_row {
	const char *name;
	enum way way;
	const char *account; /* before the "@", with it */
	const char *host;
	const char *authority;     /* what this machine trusts */
	const char *password_file; /* its content; NULL none */
	const char *trouble;       /* NULL: all is well */
};
static const struct login_row login_rows[] = {
	{ "TLS", WAY_TLS, ":hush@", "127.0.0.1", "ca.crt", NULL, NULL },
	{ "TLS and a user", WAY_TLS, "guard:hush2@", "127.0.0.1", "ca.crt", NULL, NULL },
	{ "TLS and a password file", WAY_TLS, "", "127.0.0.1", "ca.crt", "hush\n", NULL },
	{ "a user and a password file", WAY_TCP, "guard@", "127.0.0.1", "ca.crt", "hush2\n", NULL },
	{ "the password file wins", WAY_TCP, ":wrong@", "127.0.0.1", "ca.crt", "hush\n", NULL },
	{ "no TLS", WAY_TCP, ":hush@", "127.0.0.1", "ca.crt", NULL, NULL },
	{ "another authority", WAY_TLS, ":hush@", "127.0.0.1", "other.crt", NULL, "certificate" },
	{ "another name", WAY_TLS, ":hush@", "localhost", "ca.crt", NULL, "certificate" },
	{ "no password", WAY_TLS, "", "127.0.0.1", "ca.crt", NULL, "NOAUTH" },
	{ "a wrong password", WAY_TLS, ":hushhush@", "127.0.0.1", "ca.crt", NULL, "WRONGPASS" },
	{ "a wrong user", WAY_TCP, "nobody:hush@", "127.0.0.1", "ca.crt", NULL, "WRONGPASS" },
};

static void write_file(const char *name, const char *content)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static void begin(struct machine *machine, const struct login_row *row)
{
	char url[256];

	(void)snprintf(url, sizeof url, "%s://%s%s:%u/3", row->way == WAY_TLS ? "rediss" : "redis", row->account,
		row->host, row->way == WAY_TLS ? tls_port : port);
	setenv("SSL_CERT_FILE", in(4, row->authority), 1);
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	if (row->password_file != NULL)
		write_file(in(5, "password"), row->password_file);
	machine_begin(machine, url, row->password_file == NULL ? "" : in(5, "password"), MACHINE_PATIENT_MS);
}

static void all_is_well(struct machine *machine)
{
	struct mg_charge_item item = machine_item("login", "k", 3, 1);

	machine_wait(machine, true);
	machine->store.reset(machine->store.context, &item);
	for (int i = 0; i < 3; i++)
		assert_true(machine_spend(machine, &item));
	assert_false(machine_spend(machine, &item));
}

static void decisions_are_local(struct machine *machine, const char *trouble)
{
	struct mg_charge_item item = machine_item("login", "k", 3, 1);

	MACHINE_UNTIL(strstr(machine_stats(machine).trouble, trouble) != NULL);
	for (int i = 0; i < 4; i++) {
		struct mg_charge charge = { .count = 1, .item = { item } };

		assert_true(machine->store.decide(machine->store.context, &charge));
		assert_true(charge.is_local && charge.item[0].is_local == (i < 3));
		assert_int_equal(charge.is_refused, i == 3);
	}
	assert_null(strstr(machine_stats(machine).trouble, "hush"));
	assert_false(machine_stats(machine).is_open);
}

static void a_login_ends_as_it_should(void **state)
{
	const struct login_row *row = *state;
	struct machine machine;

	begin(&machine, row);
	if (row->trouble == NULL)
		all_is_well(&machine);
	else
		decisions_are_local(&machine, row->trouble);
	assert_null(strstr(machine_stats(&machine).server, "hush"));
	machine_end(&machine);
}

static void a_start_says_what_is_wrong(void **state)
{
	struct mg_redis_store *redis = NULL;
	struct mg_redis_options options = { .url = "redis://u@h", .password_file = "" };
	struct mg_err err = { "" };

	(void)state;
	assert_int_equal(mg_redis_store_start(&options, &redis, &err), MG_ESYNTAX);
	assert_non_null(strstr(err.text, "state.password_file"));
	options.password_file = "/nonexistent/file";
	assert_int_equal(mg_redis_store_start(&options, &redis, &err), MG_ENOENT);
	options = (struct mg_redis_options){ .url = "memory", .password_file = "" };
	assert_int_equal(mg_redis_store_start(&options, &redis, &err), MG_ESYNTAX);
	assert_null(redis);
	mg_redis_store_stop(&redis);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(login_rows) + 1];
	size_t n = 0;

	ADD_ROWS(tests, n, login_rows, a_login_ends_as_it_should);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_start_says_what_is_wrong);
	return _cmocka_run_group_tests("redis_tls", tests, n, begin_server, end_server);
}
