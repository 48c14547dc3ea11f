/* The queue: what showq sends, grouped by destination and cause, and directories counted. */
#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "health/queue_reasons.h"

#define MESSAGE(queue, id, sender)                                                                                     \
	"queue_name\0" queue "\0queue_id\0" id "\0time\0001000\0size\000267\0forced_expire\0000\0sender\0" sender "\0"
#define RECIPIENT(to, why) "recipient\0" to "\0reason\0" why "\0"

static const char answer[] = "protocol\0mail_queue_list_protocol\0\0" MESSAGE("deferred", "A1", "a@b") RECIPIENT(
	"x@down.example", "connect to mx[192.0.2.1]:25: Connection refused") RECIPIENT("y@DOWN.example",
	"connect to mx[192.0.2.1]:25: Connection refused") "\0" MESSAGE("deferred", "A2",
	"MAILER-DAEMON") RECIPIENT("z@gmail.example",
	"host gmail-smtp-in.l.google.com[192.0.2.2] said: 421-4.7.28 unusual rate - gsmtp (in reply to end of DATA)") "\0" MESSAGE("active",
	"A3", "a@b") "recipient\0z@down.example\0\0\0";

static void feed(struct mg_reasons *reasons, size_t step)
{
	struct mg_showq showq;

	mg_reasons_init(reasons);
	mg_showq_init(&showq, mg_reasons_see, reasons);
	for (size_t at = 0; at < sizeof answer - 1; at += step)
		assert_true(mg_showq_feed(&showq, mg_str_first(mg_str_of(answer + at, sizeof answer - 1 - at), step)));
	mg_showq_end(&showq);
	mg_showq_fini(&showq);
	mg_reasons_sort(reasons);
}

static void messages_are_grouped(void **state)
{
	static const size_t steps[] = { 1, 7, 100000 };
	struct mg_reasons reasons;
	const struct mg_reason_group *group;

	(void)state;
	for (size_t i = 0; i < ROWS(steps); i++) {
		feed(&reasons, steps[i]);
		assert_int_equal(reasons.messages, 2);
		assert_int_equal(reasons.all_messages, 3);
		assert_int_equal(reasons.null_senders, 1);
		assert_int_equal(reasons.group_count, 2);
		group = mg_reasons_group_of(&reasons, "down.example");
		assert_non_null(group);
		assert_int_equal(group->messages, 1); /* one message, two recipients */
		assert_int_equal(group->oldest_us, 1000 * MG_S_US);
		group = mg_reasons_group_of(&reasons, "gmail.example");
		assert_non_null(group);
		assert_string_equal(group->explanation.enhanced, "4.7.28");
		assert_true(group->explanation.is_rate_limit);
		mg_reasons_fini(&reasons);
	}
}

static void endless_answers_end(void **state)
{
	struct mg_reasons reasons;
	struct mg_showq showq;
	static const char one[] = MESSAGE("deferred", "A1", "a@b") RECIPIENT("x@down.example", "y") "\0";
	size_t n = 0;

	(void)state;
	mg_reasons_init(&reasons);
	mg_showq_init(&showq, mg_reasons_see, &reasons);
	while (mg_showq_feed(&showq, mg_str_of(one, sizeof one - 1)))
		assert_true(n++ < MG_QUEUE_MESSAGES + 2);
	mg_showq_fini(&showq);
	mg_reasons_fini(&reasons);
}

static void write_file(const char *directory, const char *name, const char *text, size_t n, int64_t age_s)
{
	char path[512];
	struct timespec times[2] = { { .tv_sec = mg_wall_us() / MG_S_US - age_s }, { 0 } };
	int fd;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	times[1] = times[0];
	futimens(fd, times);
	close(fd);
}

static void directories_are_counted(void **state)
{
	char root[] = "/tmp/mailguard-queue-XXXXXX", path[512], command[600];
	struct mg_queue_count count;
	int64_t deadline_us = mg_mono_us() + 5 * MG_S_US;
	static const char head[] = "C\004  26T\0211795327529 573165";

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof path, "%s/deferred", root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(mg_queue_scan(root, MG_QUEUE_HOLD, deadline_us, &count, NULL), MG_ENOENT);
	assert_int_equal(mg_queue_scan(root, MG_QUEUE_DEFERRED, deadline_us, &count, NULL), MG_OK);
	assert_int_equal(count.messages, 0);
	assert_int_equal(count.oldest_us, 0);
	write_file(path, "A1", "", 0, 100);
	snprintf(path, sizeof path, "%s/deferred/8", root);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(path, "8D37", head, sizeof head - 1, -300); /* tried again in five minutes */
	assert_int_equal(mg_queue_scan(root, MG_QUEUE_DEFERRED, deadline_us, &count, NULL), MG_OK);
	assert_int_equal(count.messages, 2);
	if (mg_wall_us() > INT64_C(1795327529) * MG_S_US + 200 * MG_S_US) {
		assert_int_equal(count.oldest_us, INT64_C(1795327529) * MG_S_US);
		assert_string_equal(count.oldest_id, "8D37");
	}
	for (size_t i = 0; i < 2; i++) {
		snprintf(command, sizeof command, "%s/deferred/%s", root, i == 0 ? "8/8D37" : "A1");
		unlink(command);
	}
	snprintf(path, sizeof path, "%s/deferred/8", root);
	rmdir(path);
	snprintf(path, sizeof path, "%s/deferred", root);
	rmdir(path);
	rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_grouped),
		cmocka_unit_test(endless_answers_end),
		cmocka_unit_test(directories_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
