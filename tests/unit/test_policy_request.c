#include "rows.h"

#include "policy/request.h"

#define HEAD "request=smtpd_access_policy\n"

struct request_row {
	const char *name, *text;
	size_t length;
	enum mg_rc rc;
};
static const struct request_row request_rows[] = {
	{ "whole", HEAD "protocol_state=RCPT\n\n", 0, MG_OK },
	{ "unknown attributes are skipped", HEAD "policy_context=x\nfuture=1\n\n", 0, MG_OK },
	{ "an empty value", HEAD "sender=\n\n", 0, MG_OK },
	{ "a value with '='", HEAD "sender=a=b@c.example\n\n", 0, MG_OK },
	{ "no request", "protocol_state=RCPT\n\n", 0, MG_ESYNTAX },
	{ "another request", "request=junk\n\n", 0, MG_ESYNTAX },
	{ "no '='", HEAD "protocol_state\n\n", 0, MG_ESYNTAX },
	{ "only an empty line", "\n", 0, MG_ESYNTAX },
	{ "a NUL", HEAD "sender=a\0b\n\n", sizeof HEAD - 1 + 12, MG_ESYNTAX },
};

static void a_request_is_read_or_refused(void **state)
{
	const struct request_row *row = *state;
	struct mg_str text = row->length != 0 ? mg_str_of(row->text, row->length) : mg_str_z(row->text);
	struct mg_policy_request request;
	struct mg_err err = { "" };

	assert_int_equal(mg_policy_request_length(text), text.n);
	assert_int_equal(mg_policy_request_parse(text, &request, &err), row->rc);
	assert_int_equal(err.text[0] != '\0', row->rc != MG_OK);
}

static void every_attribute_finds_its_place(void **state)
{
	const char *text = HEAD
		"protocol_state=END-OF-MESSAGE\nclient_address=2001:db8::1\nclient_port=4242\n"
		"client_name=mx.example\nserver_port=25\nhelo_name=helo\nsender=s@x.example\nrecipient=r@y.example\n"
		"queue_id=ABC\ninstance=1f.2.3.0\nsasl_username=ann\nsasl_method=PLAIN\n"
		"encryption_protocol=TLSv1.3\nsize=1234\nrecipient_count=3\nsender=second@x.example\n\n";
	struct mg_policy_request request;
	struct mg_ip ip;

	(void)state;
	assert_int_equal(mg_policy_request_parse(mg_str_z(text), &request, NULL), MG_OK);
	assert_true(mg_ip_parse(MG_STR("2001:db8::1"), &ip));
	assert_int_equal(request.stage, MG_POLICY_END);
	assert_true(mg_ip_eq(&request.client.ip, &ip));
	assert_int_equal(request.client.port, 4242);
	assert_true(mg_str_eq(request.client.name, MG_STR("mx.example")));
	assert_true(mg_str_eq(request.client.server_port, MG_STR("25")));
	assert_true(mg_str_eq(request.helo, MG_STR("helo")));
	assert_true(mg_str_eq(request.sender, MG_STR("s@x.example"))); /* of a name sent twice the first counts */
	assert_true(mg_str_eq(request.recipient, MG_STR("r@y.example")));
	assert_true(mg_str_eq(request.queue_id, MG_STR("ABC")));
	assert_true(mg_str_eq(request.instance, MG_STR("1f.2.3.0")));
	assert_true(mg_str_eq(request.user, MG_STR("ann")));
	assert_true(mg_str_eq(request.auth_type, MG_STR("PLAIN")));
	assert_true(mg_str_eq(request.tls, MG_STR("TLSv1.3")));
	assert_int_equal(request.size_bytes, 1234);
	assert_int_equal(request.recipient_count, 3);
}

static void a_request_begun_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(mg_policy_request_length(MG_STR("")), 0);
	assert_int_equal(mg_policy_request_length(MG_STR(HEAD)), 0);
	assert_int_equal(mg_policy_request_length(MG_STR(HEAD "a=b\n\nrequest=")), sizeof HEAD - 1 + 5);
}

int main(void)
{
	static struct CMUnitTest tests[32];
	size_t n = 0;

	ADD_ROWS(tests, n, request_rows, a_request_is_read_or_refused);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_attribute_finds_its_place);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_request_begun_is_waited_for);
	return _cmocka_run_group_tests("policy_request", tests, n, NULL, NULL);
}
