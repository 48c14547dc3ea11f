#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/run.h"

struct run_case {
	const char *name;
	const char *argv[6];
	const char *input;
	const char *environment[2];
	int timeout_ms;
	enum mg_rc rc;
	int status;
	const char *out, *err;
};

static const struct run_case run_cases[] = {
	{ "says something", { "echo", "a b" }, NULL, { NULL }, 5000, MG_OK, 0, "a b\n", "" },
	{ "by its path", { "/bin/sh", "-c", "echo x >&2; exit 7" }, NULL, { NULL }, 5000, MG_OK, 7, "", "x\n" },
	{ "no shell between", { "echo", "$HOME;`id`" }, NULL, { NULL }, 5000, MG_OK, 0, "$HOME;`id`\n", "" },
	{ "reads its input", { "cat" }, "one\ntwo", { NULL }, 5000, MG_OK, 0, "one\ntwo", "" },
	{ "input nobody reads", { "true" }, "one\ntwo", { NULL }, 5000, MG_OK, 0, "", "" },
	{ "no input", { "cat" }, NULL, { NULL }, 5000, MG_OK, 0, "", "" },
	{ "environment", { "/bin/sh", "-c", "echo $LC_ALL $MAIL_CONFIG $X" }, NULL, { "X=1" }, 5000, MG_OK, 0, "C 1\n",
		"" },
	{ "ended by a signal", { "/bin/sh", "-c", "kill -TERM $$" }, NULL, { NULL }, 5000, MG_OK, 143, "", "" },
	{ "signals are as usual", { "/bin/sh", "-c", "kill -PIPE $$; echo alive" }, NULL, { NULL }, 5000, MG_OK, 141,
		"", "" },
	{ "no such program", { "no-such-program" }, NULL, { NULL }, 5000, MG_ENOENT, -1, "", "" },
	{ "no such path", { "/nonexistent/x" }, NULL, { NULL }, 5000, MG_ENOENT, -1, "", "" },
	{ "too slow", { "/bin/sh", "-c", "echo begun; sleep 30" }, NULL, { NULL }, 300, MG_ETIME, -1, "begun\n", "" },
	{ "too slow, with children", { "/bin/sh", "-c", "sleep 30 & sleep 30 & echo begun; wait" }, NULL, { NULL }, 300,
		MG_ETIME, -1, "begun\n", "" },
	{ "closes its outputs and stays", { "/bin/sh", "-c", "exec >&- 2>&-; sleep 30" }, NULL, { NULL }, 300, MG_ETIME,
		-1, "", "" },
	{ "leaves a child that holds the pipe", { "/bin/sh", "-c", "sleep 5 & echo done" }, NULL, { NULL }, 4000, MG_OK,
		0, "done\n", "" },
	{ "can't be executed", { "/etc/passwd" }, NULL, { NULL }, 5000, MG_ENOENT, -1, "", "" },
};

static void a_program_is_run(void **state)
{
	const struct run_case *c = *state;
	const struct mg_run run = { .argv = c->argv,
		.input = mg_str_z(c->input),
		.timeout_ms = c->timeout_ms,
		.out_max = 1000,
		.err_max = 1000,
		.environment = c->environment };
	struct mg_run_result result;
	struct mg_err err = { 0 };
	int64_t begun_us = mg_mono_us();

	assert_int_equal(mg_run(&run, &result, &err), c->rc);
	assert_int_equal(result.status, c->status);
	assert_string_equal(mg_buf_z(&result.out), c->out);
	assert_string_equal(mg_buf_z(&result.err), c->err);
	assert_true((err.text[0] != '\0') == (c->rc != MG_OK));
	assert_true(mg_mono_us() - begun_us < 3 * MG_S_US);
	mg_run_fini(&result);
}

static void output_has_a_ceiling(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c",
		"i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; echo bye >&2", NULL };
	const struct mg_run run = { .argv = argv, .timeout_ms = 20000, .out_max = 5000, .err_max = 100 };
	struct mg_run_result result;
	char said[40];

	(void)state;
	assert_int_equal(mg_run(&run, &result, NULL), MG_OK);
	assert_false(mg_buf_ok(&result.out));
	assert_true(result.out.n <= 5000);
	assert_true(mg_buf_ok(&result.err));
	assert_string_equal(mg_run_said(&result, said, sizeof said), "bye");
	mg_run_fini(&result);
}

static void descriptors_stay_here(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c",
		"for f in 3 4 5 6 7 8 9; do (eval \": <&$f\") 2>/dev/null && echo $f; done; true", NULL };
	const struct mg_run run = { .argv = argv, .timeout_ms = 5000, .out_max = 5000, .err_max = 5000 };
	struct mg_run_result result;
	int fd = open("/dev/null", O_RDONLY), copy = dup2(fd, 9);

	(void)state;
	assert_int_equal(copy, 9);
	assert_int_equal(mg_run(&run, &result, NULL), MG_OK);
	assert_string_equal(mg_buf_z(&result.out), "");
	mg_run_fini(&result);
	close(copy);
	close(fd);
}

static void closed_standard_descriptors_do_no_harm(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "cat; echo err >&2", NULL };
	const struct mg_run run = {
		.argv = argv, .input = MG_STR("in"), .timeout_ms = 5000, .out_max = 100, .err_max = 100
	};
	struct mg_run_result result;
	int saved[3];
	enum mg_rc rc;

	(void)state;
	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 20);
		close(fd);
	}
	rc = mg_run(&run, &result, NULL);
	for (int fd = 0; fd < 3; fd++) {
		dup2(saved[fd], fd);
		close(saved[fd]);
	}
	assert_int_equal(rc, MG_OK);
	assert_string_equal(mg_buf_z(&result.out), "in");
	assert_string_equal(mg_buf_z(&result.err), "err\n");
	mg_run_fini(&result);
}

int main(void)
{
	enum { RUNS = sizeof run_cases / sizeof run_cases[0] };
	static struct CMUnitTest tests[RUNS + 3] = {
		cmocka_unit_test(output_has_a_ceiling),
		cmocka_unit_test(descriptors_stay_here),
		cmocka_unit_test(closed_standard_descriptors_do_no_harm),
	};

	setenv("MAIL_CONFIG", "/nonexistent", 1);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < RUNS; i++)
		tests[3 + i] = (struct CMUnitTest){
			.name = run_cases[i].name, .test_func = a_program_is_run, .initial_state = (void *)&run_cases[i]
		};
	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
