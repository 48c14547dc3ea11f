#include "rows.h"

#include <stdlib.h>

#include "base/clock.h"
#include "dns/name.h"
#include "dns/parse.h"

/* ---- messages as text: the question is always for q.example, its name stands at offset 12 ---- */

#define HEAD(flags, answers, authorities) "\0\7" flags "\0\1\0" answers "\0" authorities "\0\0"
#define OK                                "\201\200" /* QR RD RA */
#define AD                                "\201\240"
#define TC                                "\203\200"
#define NXDOMAIN                          "\201\203"
#define SERVFAIL                          "\201\202"
#define REFUSED                           "\201\205"
#define FORMERR                           "\201\201"
#define NO_REPLY                          "\1\0"
#define OTHER_OP                          "\211\200"
#define NAME                              "\1q\7example\0"
#define CLASS                             "\0\1"
#define ASK(type)                         NAME "\0" type CLASS
#define Q                                 "\300\14" /* a pointer to the question's name */
#define RR(type)                          "\0" type CLASS
#define TTL(s)                            "\0\0\0" s
#define A_                                "\1"
#define NS_                               "\2"
#define CNAME_                            "\5"
#define SOA_                              "\6"
#define PTR_                              "\14"
#define MX_                               "\17"
#define TXT_                              "\20"
#define AAAA_                             "\34"
#define TLSA_                             "\64"
#define IP(last)                          "\0\4\300\0\2" last
#define NAME2                             "\1r\7example\0" /* 11 bytes */
#define SOA(ttl, minimum)                                                                                              \
	Q RR(SOA_) ttl "\0\26\0\0"                                                                                     \
		       "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1" minimum
#define BYTES(text) text, sizeof(text) - 1

struct parse_row {
	const char *name;
	enum mg_dns_type type;
	const char *bytes;
	size_t n;
	enum mg_dns_status status;
	enum mg_dns_trouble trouble;
	uint32_t ttl_s;
	const char *records; /* each as text, joined with '|' */
};
static const struct parse_row parse_rows[] = {
	/* what is found */
	{ "an address", MG_DNS_A, BYTES(HEAD(OK, "\1", "\0") ASK(A_) Q RR(A_) TTL("\74") IP("\1")), MG_DNS_FOUND, 0, 60,
		"192.0.2.1" },
	{ "an owner written out, in capitals", MG_DNS_A,
		BYTES(HEAD(OK, "\1", "\0") ASK(A_) "\1Q\7EXAMPLE\0" RR(A_) TTL("\74") IP("\1")), MG_DNS_FOUND, 0, 60,
		"192.0.2.1" },
	{ "the question in capitals", MG_DNS_A,
		BYTES(HEAD(OK, "\1", "\0") "\1Q\7Example\0\0\1\0\1" Q RR(A_) TTL("\74") IP("\1")), MG_DNS_FOUND, 0, 60,
		"192.0.2.1" },
	{ "two addresses, the least TTL", MG_DNS_A,
		BYTES(HEAD(OK, "\2", "\0") ASK(A_) Q RR(A_) TTL("\74") IP("\1") Q RR(A_) TTL("\5") IP("\2")),
		MG_DNS_FOUND, 0, 5, "192.0.2.1|192.0.2.2" },
	{ "an IPv6 address", MG_DNS_AAAA,
		BYTES(HEAD(OK, "\1", "\0") ASK(AAAA_) Q RR(AAAA_)
				TTL("\1") "\0\20\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"),
		MG_DNS_FOUND, 0, 1, "2001:db8::1" },
	{ "text of two strings", MG_DNS_TXT, BYTES(HEAD(OK, "\1", "\0") ASK(TXT_) Q RR(TXT_) TTL("\1") "\0\6\2v=\2sp"),
		MG_DNS_FOUND, 0, 1, "v=sp" },
	{ "text without a string", MG_DNS_TXT, BYTES(HEAD(OK, "\1", "\0") ASK(TXT_) Q RR(TXT_) TTL("\1") "\0\0"),
		MG_DNS_FOUND, 0, 1, "" },
	{ "data as it is", MG_DNS_TLSA, BYTES(HEAD(OK, "\1", "\0") ASK(TLSA_) Q RR(TLSA_) TTL("\1") "\0\5abcde"),
		MG_DNS_FOUND, 0, 1, "abcde" },
	{ "data that is not there", MG_DNS_TLSA,
		BYTES(HEAD(OK, "\1", "\0") ASK(TLSA_) Q RR(TLSA_) TTL("\1") "\0\6abcde"), MG_DNS_TROUBLE,
		MG_DNS_MALFORMED, 0, NULL },
	{ "an exchange", MG_DNS_MX, BYTES(HEAD(OK, "\1", "\0") ASK(MX_) Q RR(MX_) TTL("\1") "\0\6\0\12\1M\300\14"),
		MG_DNS_FOUND, 0, 1, "10 m.q.example" },
	{ "null MX: the root", MG_DNS_MX, BYTES(HEAD(OK, "\1", "\0") ASK(MX_) Q RR(MX_) TTL("\1") "\0\3\0\0\0"),
		MG_DNS_FOUND, 0, 1, "0 " },
	{ "a pointer record", MG_DNS_PTR, BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\13" NAME2),
		MG_DNS_FOUND, 0, 1, "r.example" },
	{ "a name server", MG_DNS_NS, BYTES(HEAD(OK, "\1", "\0") ASK(NS_) Q RR(NS_) TTL("\1") "\0\13" NAME2),
		MG_DNS_FOUND, 0, 1, "r.example" },
	{ "a start of authority is only there", MG_DNS_SOA,
		BYTES(HEAD(OK, "\1", "\0") ASK(SOA_) SOA(TTL("\11"), TTL("\1"))), MG_DNS_FOUND, 0, 9, "" },
	{ "authentic", MG_DNS_A, BYTES(HEAD(AD, "\1", "\0") ASK(A_) Q RR(A_) TTL("\74") IP("\1")), MG_DNS_FOUND, 0, 60,
		"192.0.2.1" },
	{ "odd bytes in a name are themselves", MG_DNS_PTR,
		BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\6\4\377 \\_\0"), MG_DNS_FOUND, 0, 1,
		"\377 \\_" },
	{ "a name with a dot in a label is left out", MG_DNS_PTR,
		BYTES(HEAD(OK, "\2", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\5\3a.b\0" Q RR(PTR_)
				TTL("\1") "\0\3\1c\0"),
		MG_DNS_FOUND, 0, 1, "c" },
	{ "a name with a NUL is left out, though none other is there", MG_DNS_PTR,
		BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\5\3a\0b\0"), MG_DNS_FOUND, 0, 1, NULL },
	{ "a TTL with its high bit is zero", MG_DNS_A,
		BYTES(HEAD(OK, "\1", "\0") ASK(A_) Q RR(A_) "\200\0\0\74" IP("\1")), MG_DNS_FOUND, 0, 0, "192.0.2.1" },
	{ "a TTL is a day at most", MG_DNS_A, BYTES(HEAD(OK, "\1", "\0") ASK(A_) Q RR(A_) "\177\377\377\377" IP("\1")),
		MG_DNS_FOUND, 0, 86400, "192.0.2.1" },
	{ "others' records are passed over", MG_DNS_A,
		BYTES(HEAD(OK, "\4", "\0") ASK(A_) NAME2 RR(A_) TTL("\1") IP("\11") Q RR(TXT_)
				TTL("\1") "\0\2\1x" Q "\0\1\0\3" TTL("\1") IP("\12") Q RR(A_) TTL("\74") IP("\1")),
		MG_DNS_FOUND, 0, 60, "192.0.2.1" },
	{ "what follows the answers is not looked at", MG_DNS_A,
		BYTES(HEAD(OK, "\1", "\1") ASK(A_) Q RR(A_) TTL("\74") IP("\1") "\377"), MG_DNS_FOUND, 0, 60,
		"192.0.2.1" },
	/* chains */
	{ "an alias", MG_DNS_A,
		BYTES(HEAD(OK, "\2", "\0") ASK(A_) Q RR(CNAME_) TTL("\7") "\0\13" NAME2 NAME2 RR(A_) TTL("\74")
				IP("\1")),
		MG_DNS_FOUND, 0, 7, "192.0.2.1" },
	{ "an alias behind its target", MG_DNS_A,
		BYTES(HEAD(OK, "\2", "\0") ASK(A_) NAME2 RR(A_) TTL("\74") IP("\1") Q RR(CNAME_)
				TTL("\7") "\0\13" NAME2),
		MG_DNS_FOUND, 0, 7, "192.0.2.1" },
	{ "the alias itself is asked for", MG_DNS_CNAME,
		BYTES(HEAD(OK, "\1", "\0") ASK(CNAME_) Q RR(CNAME_) TTL("\7") "\0\13" NAME2), MG_DNS_FOUND, 0, 7,
		"r.example" },
	{ "an alias that leads out of the message", MG_DNS_A,
		BYTES(HEAD(OK, "\1", "\0") ASK(A_) Q RR(CNAME_) TTL("\7") "\0\13" NAME2), MG_DNS_NODATA, 0, 7, NULL },
	{ "an alias to a name that does not exist", MG_DNS_A,
		BYTES(HEAD(NXDOMAIN, "\1", "\0") ASK(A_) Q RR(CNAME_) TTL("\7") "\0\13" NAME2), MG_DNS_NXDOMAIN, 0, 7,
		NULL },
	{ "an alias to itself", MG_DNS_A, BYTES(HEAD(OK, "\1", "\0") ASK(A_) Q RR(CNAME_) TTL("\7") "\0\2" Q),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	/* nothing there */
	{ "no data, no SOA", MG_DNS_A, BYTES(HEAD(OK, "\0", "\0") ASK(A_)), MG_DNS_NODATA, 0, 60, NULL },
	{ "no data, the SOA's minimum", MG_DNS_A, BYTES(HEAD(OK, "\0", "\1") ASK(A_) SOA(TTL("\100"), TTL("\5"))),
		MG_DNS_NODATA, 0, 5, NULL },
	{ "no such name, the SOA's own TTL", MG_DNS_A,
		BYTES(HEAD(NXDOMAIN, "\0", "\1") ASK(A_) SOA(TTL("\4"), TTL("\100"))), MG_DNS_NXDOMAIN, 0, 4, NULL },
	{ "the SOA behind another record", MG_DNS_A,
		BYTES(HEAD(NXDOMAIN, "\0", "\2") ASK(A_) Q RR(NS_) TTL("\1") "\0\2" Q SOA(TTL("\4"), TTL("\100"))),
		MG_DNS_NXDOMAIN, 0, 4, NULL },
	{ "three hours at most", MG_DNS_A, BYTES(HEAD(NXDOMAIN, "\0", "\1") ASK(A_) SOA("\0\1\0\0", "\0\1\0\0")),
		MG_DNS_NXDOMAIN, 0, 10800, NULL },
	{ "records of another type only", MG_DNS_A, BYTES(HEAD(OK, "\1", "\0") ASK(A_) Q RR(TXT_) TTL("\1") "\0\2\1x"),
		MG_DNS_NODATA, 0, 60, NULL },
	{ "a referral", MG_DNS_A, BYTES(HEAD(OK, "\0", "\1") ASK(A_) Q RR(NS_) TTL("\1") "\0\2" Q), MG_DNS_NODATA, 0,
		60, NULL },
	/* errors */
	{ "servfail", MG_DNS_A, BYTES(HEAD(SERVFAIL, "\0", "\0") ASK(A_)), MG_DNS_TROUBLE, MG_DNS_SERVFAIL, 0, NULL },
	{ "refused", MG_DNS_A, BYTES(HEAD(REFUSED, "\0", "\0") ASK(A_)), MG_DNS_TROUBLE, MG_DNS_REFUSED, 0, NULL },
	{ "another error", MG_DNS_A, BYTES(HEAD(FORMERR, "\0", "\0") ASK(A_)), MG_DNS_TROUBLE, MG_DNS_REFUSED, 0,
		NULL },
	{ "an error without the question", MG_DNS_A, BYTES("\0\7" SERVFAIL "\0\0\0\0\0\0\0\0"), MG_DNS_TROUBLE,
		MG_DNS_SERVFAIL, 0, NULL },
	/* malformed */
	{ "nothing", MG_DNS_A, BYTES(""), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "half a header", MG_DNS_A, BYTES("\0\7\201\200\0\1\0\0\0\0\0"), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "a query", MG_DNS_A, BYTES(HEAD(NO_REPLY, "\0", "\0") ASK(A_)), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "another operation", MG_DNS_A, BYTES(HEAD(OTHER_OP, "\0", "\0") ASK(A_)), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0,
		NULL },
	{ "truncated", MG_DNS_A, BYTES(HEAD(TC, "\0", "\0") ASK(A_)), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "no question", MG_DNS_A, BYTES("\0\7" OK "\0\0\0\0\0\0\0\0"), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "no such name, without the question", MG_DNS_A, BYTES("\0\7" NXDOMAIN "\0\0\0\0\0\0\0\0"), MG_DNS_TROUBLE,
		MG_DNS_MALFORMED, 0, NULL },
	{ "two questions", MG_DNS_A, BYTES("\0\7" OK "\0\2\0\0\0\0\0\0" ASK(A_) ASK(A_)), MG_DNS_TROUBLE,
		MG_DNS_MALFORMED, 0, NULL },
	{ "another name", MG_DNS_A, BYTES(HEAD(OK, "\0", "\0") NAME2 "\0\1\0\1"), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0,
		NULL },
	{ "another type", MG_DNS_A, BYTES(HEAD(OK, "\0", "\0") ASK(TXT_)), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "another class", MG_DNS_A, BYTES(HEAD(OK, "\0", "\0") NAME "\0\1\0\3"), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0,
		NULL },
	{ "a record less than counted", MG_DNS_A, BYTES(HEAD(OK, "\2", "\0") ASK(A_) Q RR(A_) TTL("\74") IP("\1")),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "a SOA less than counted", MG_DNS_A, BYTES(HEAD(OK, "\0", "\1") ASK(A_)), MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0,
		NULL },
	{ "data beyond the end", MG_DNS_A, BYTES(HEAD(OK, "\1", "\0") ASK(A_) Q RR(A_) TTL("\74") "\0\4\300\0\2"),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "an address of three bytes", MG_DNS_A, BYTES(HEAD(OK, "\1", "\0") ASK(A_) Q RR(A_) TTL("\74") "\0\3\300\0\2"),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "an IPv6 address of four bytes", MG_DNS_AAAA,
		BYTES(HEAD(OK, "\1", "\0") ASK(AAAA_) Q RR(AAAA_) TTL("\1") IP("\1")), MG_DNS_TROUBLE, MG_DNS_MALFORMED,
		0, NULL },
	{ "a string longer than its record", MG_DNS_TXT,
		BYTES(HEAD(OK, "\1", "\0") ASK(TXT_) Q RR(TXT_) TTL("\1") "\0\2\2xyz"), MG_DNS_TROUBLE,
		MG_DNS_MALFORMED, 0, NULL },
	{ "an exchange without a name", MG_DNS_MX, BYTES(HEAD(OK, "\1", "\0") ASK(MX_) Q RR(MX_) TTL("\1") "\0\2\0\12"),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "a name longer than its record", MG_DNS_PTR,
		BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\2\1r\0"), MG_DNS_TROUBLE,
		MG_DNS_MALFORMED, 0, NULL },
	{ "a name shorter than its record", MG_DNS_PTR,
		BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\4\1r\0x"), MG_DNS_TROUBLE,
		MG_DNS_MALFORMED, 0, NULL },
	{ "a SOA of one number less", MG_DNS_A,
		BYTES(HEAD(OK, "\0", "\1") ASK(A_) Q RR(SOA_) TTL("\1") "\0\22\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "a pointer to itself", MG_DNS_PTR, BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\2\300\47"),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "a pointer forward", MG_DNS_PTR, BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\2\300\51\0"),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "half a pointer", MG_DNS_PTR, BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\1\300"),
		MG_DNS_TROUBLE, MG_DNS_MALFORMED, 0, NULL },
	{ "a label of an unknown kind", MG_DNS_PTR,
		BYTES(HEAD(OK, "\1", "\0") ASK(PTR_) Q RR(PTR_) TTL("\1") "\0\2\101\0"), MG_DNS_TROUBLE,
		MG_DNS_MALFORMED, 0, NULL },
};

static struct mg_dns_question question_of(enum mg_dns_type type)
{
	struct mg_dns_question question = { 0 };

	assert_true(mg_dns_question_make(MG_STR("q.example"), type, &question));
	return question;
}

static void write_record(struct mg_buf *out, enum mg_dns_type type, const struct mg_dns_record *record)
{
	char ip[MG_IP_TEXT];

	if (type == MG_DNS_A || type == MG_DNS_AAAA)
		mg_buf_addz(out, mg_ip_text(&record->ip, ip, sizeof ip));
	if (type == MG_DNS_MX)
		mg_buf_addf(out, "%u ", record->preference);
	mg_buf_add(out, record->text);
}

/* From a block of exactly its size, so that the sanitizer sees a byte read beyond it. */
static const struct mg_dns_answer *parse(const char *bytes, size_t n, enum mg_dns_type type)
{
	struct mg_dns_question question = question_of(type);
	const struct mg_dns_answer *answer;
	char *copy = malloc(n == 0 ? 1 : n);

	memcpy(copy, bytes, n);
	answer = mg_dns_parse(mg_str_of(copy, n), &question);
	free(copy);
	return answer;
}

static void a_message_is_read(void **state)
{
	const struct parse_row *row = *state;
	const struct mg_dns_answer *answer = parse(row->bytes, row->n, row->type);
	struct mg_buf records;

	mg_buf_init(&records, 1024);
	for (size_t i = 0; i < answer->count; i++) {
		if (i > 0)
			mg_buf_addc(&records, '|');
		write_record(&records, row->type, &answer->records[i]);
	}
	assert_int_equal(answer->status, row->status);
	assert_int_equal(answer->trouble, row->trouble);
	assert_int_equal(answer->ttl_s, row->ttl_s);
	assert_int_equal(answer->count > 0, row->records != NULL);
	assert_string_equal(mg_buf_z(&records), row->records == NULL ? "" : row->records);
	assert_int_equal(
		answer->is_authentic, row->n > 3 && answer->status != MG_DNS_TROUBLE && (row->bytes[3] & 0x20) != 0);
	mg_buf_fini(&records);
	mg_dns_answer_unref(&answer);
}

/* Whatever prefix of a good message: never FOUND. */
static void a_message_cut_anywhere_is_malformed(void **state)
{
	const struct parse_row *row = *state;

	if (row->status != MG_DNS_FOUND || row->n < 12 || (row->bytes[9] != 0))
		return;
	for (size_t n = 0; n < row->n; n++) {
		const struct mg_dns_answer *answer = parse(row->bytes, n, row->type);

		assert_int_equal(answer->trouble, MG_DNS_MALFORMED);
		mg_dns_answer_unref(&answer);
	}
}

/* ---- bounds ---- */

static void begin(struct mg_buf *message, enum mg_dns_type type, unsigned answers)
{
	mg_buf_init(message, 1 << 20);
	mg_buf_add(message, MG_STR("\0\7" OK "\0\1"));
	mg_buf_addc(message, (char)(answers >> 8));
	mg_buf_addc(message, (char)answers);
	mg_buf_add(message, MG_STR("\0\0\0\0" NAME "\0"));
	mg_buf_addc(message, (char)type);
	mg_buf_add(message, MG_STR(CLASS));
}

static void begin_record(struct mg_buf *message, enum mg_dns_type type, size_t length)
{
	mg_buf_add(message, MG_STR("\0"));
	mg_buf_addc(message, (char)type);
	mg_buf_add(message, MG_STR(CLASS "\0\0\0\74"));
	mg_buf_addc(message, (char)(length >> 8));
	mg_buf_addc(message, (char)length);
}

static const struct mg_dns_answer *parse_whole(struct mg_buf *message, enum mg_dns_type type)
{
	const struct mg_dns_answer *answer;

	assert_true(mg_buf_ok(message));
	answer = parse(message->p, message->n, type);
	mg_buf_fini(message);
	return answer;
}

struct bound_row {
	const char *name;
	unsigned size;
	bool is_fine;
};
static const struct bound_row text_rows[] = {
	{ "text of 255 bytes", 255, true },
	{ "text of 16384 bytes", 16384, true },
	{ "text of 16385 bytes", 16385, false },
	{ "text of 60000 bytes", 60000, false },
};

static void text_is_bounded(void **state)
{
	const struct bound_row *row = *state;
	const struct mg_dns_answer *answer;
	struct mg_buf message;

	begin(&message, MG_DNS_TXT, 1);
	mg_buf_add(&message, MG_STR(Q));
	begin_record(&message, MG_DNS_TXT, row->size + (row->size + 254) / 255);
	for (unsigned i = 0; i < row->size; i++) {
		if (i % 255 == 0)
			mg_buf_addc(&message, (char)(row->size - i < 255 ? row->size - i : 255));
		mg_buf_addc(&message, (char)i);
	}
	answer = parse_whole(&message, MG_DNS_TXT);
	assert_int_equal(answer->status == MG_DNS_FOUND, row->is_fine);
	if (row->is_fine) {
		assert_int_equal(answer->records[0].text.n, row->size);
		for (unsigned i = 0; i < row->size; i++)
			assert_int_equal((unsigned char)answer->records[0].text.p[i], i & 255);
	}
	mg_dns_answer_unref(&answer);
}

static const struct bound_row count_rows[] = {
	{ "256 records", 256, true },
	{ "257 records", 257, false },
	{ "4000 records", 4000, false },
};

static void records_are_bounded(void **state)
{
	const struct bound_row *row = *state;
	const struct mg_dns_answer *answer;
	struct mg_buf message;

	begin(&message, MG_DNS_A, row->size);
	for (unsigned i = 0; i < row->size; i++) {
		mg_buf_add(&message, MG_STR(Q));
		begin_record(&message, MG_DNS_A, 4);
		mg_buf_add(&message, MG_STR("\300\0\2\1"));
	}
	answer = parse_whole(&message, MG_DNS_A);
	assert_int_equal(answer->status == MG_DNS_FOUND, row->is_fine);
	assert_int_equal(answer->count, row->is_fine ? row->size : 0);
	mg_dns_answer_unref(&answer);
}

static const struct bound_row chain_rows[] = {
	{ "a chain of one", 1, true },
	{ "a chain of eight", 8, true },
	{ "a chain of nine", 9, false },
	{ "a chain of 200", 200, false },
};

static void add_link_name(struct mg_buf *message, unsigned i)
{
	mg_buf_addc(message, 3);
	mg_buf_addf(message, "%03u", i);
	mg_buf_addc(message, '\0');
}

/* q.example -> 000 -> 001 -> ...: the last has an address. */
static void chains_are_bounded(void **state)
{
	const struct bound_row *row = *state;
	const struct mg_dns_answer *answer;
	struct mg_buf message;

	begin(&message, MG_DNS_A, row->size + 1);
	mg_buf_add(&message, MG_STR(Q));
	for (unsigned i = 0; i < row->size; i++) {
		begin_record(&message, MG_DNS_CNAME, 5);
		add_link_name(&message, i);
		add_link_name(&message, i);
	}
	begin_record(&message, MG_DNS_A, 4);
	mg_buf_add(&message, MG_STR("\300\0\2\1"));
	answer = parse_whole(&message, MG_DNS_A);
	assert_int_equal(answer->status == MG_DNS_FOUND, row->is_fine);
	mg_dns_answer_unref(&answer);
}

static const struct bound_row hop_rows[] = {
	{ "64 hops", 64, true },
	{ "65 hops", 65, false },
	{ "5000 hops", 5000, false },
};

/* A TXT record of another name holds a row of pointers, each to the one before; a PTR points to the last. */
static void hops_are_bounded(void **state)
{
	const struct bound_row *row = *state;
	const struct mg_dns_answer *answer;
	struct mg_buf message;
	size_t before = 12;

	begin(&message, MG_DNS_PTR, 2);
	mg_buf_add(&message, MG_STR(Q));
	begin_record(&message, MG_DNS_TXT, 2 * (row->size - 1));
	for (unsigned i = 1; i < row->size; i++) {
		size_t here = message.n;

		mg_buf_addc(&message, (char)(0xc0 | before >> 8));
		mg_buf_addc(&message, (char)before);
		before = here;
	}
	mg_buf_add(&message, MG_STR(Q));
	begin_record(&message, MG_DNS_PTR, 2);
	mg_buf_addc(&message, (char)(0xc0 | before >> 8));
	mg_buf_addc(&message, (char)before);
	answer = parse_whole(&message, MG_DNS_PTR);
	assert_int_equal(answer->status == MG_DNS_FOUND, row->is_fine);
	if (row->is_fine)
		assert_true(mg_str_eq(answer->records[0].text, MG_STR("q.example")));
	mg_dns_answer_unref(&answer);
}

static const struct bound_row name_rows[] = {
	{ "a name of 253 bytes", 253, true },
	{ "a name of 254 bytes", 254, false },
};

static void names_are_bounded(void **state)
{
	const struct bound_row *row = *state;
	const struct mg_dns_answer *answer;
	struct mg_buf message;

	begin(&message, MG_DNS_PTR, 1);
	mg_buf_add(&message, MG_STR(Q));
	begin_record(&message, MG_DNS_PTR, row->size + 2);
	for (unsigned left = row->size; left > 0;) {
		unsigned label = left <= 63 ? left : left == 64 ? 62 : 63;

		mg_buf_addc(&message, (char)label);
		for (unsigned i = 0; i < label; i++)
			mg_buf_addc(&message, 'x');
		left -= label;
		left -= left > 0;
	}
	mg_buf_addc(&message, '\0');
	answer = parse_whole(&message, MG_DNS_PTR);
	assert_int_equal(answer->status == MG_DNS_FOUND, row->is_fine);
	if (row->is_fine)
		assert_int_equal(answer->records[0].text.n, row->size);
	mg_dns_answer_unref(&answer);
}

/* 64 KiB of records whose names all are long and compressed, with a chain: the work stays small. */
static void the_worst_message_is_read_in_time(void **state)
{
	const struct mg_dns_answer *answer;
	struct mg_buf message;
	size_t deep = 12;
	unsigned links = 0;
	int64_t begun_us;

	(void)state;
	begin(&message, MG_DNS_A, 5000);
	mg_buf_add(&message, MG_STR(Q));
	begin_record(&message, MG_DNS_TXT, 63 * 4);
	for (; links < 63; links++) { /* "y" and a pointer to the one before: 63 hops, 135 bytes */
		size_t here = message.n;

		mg_buf_add(&message, MG_STR("\1y"));
		mg_buf_addc(&message, (char)(0xc0 | deep >> 8));
		mg_buf_addc(&message, (char)deep);
		deep = here;
	}
	while (message.n + 12 <= MG_DNS_ANSWER_MAX) {
		mg_buf_addc(&message, (char)(0xc0 | deep >> 8));
		mg_buf_addc(&message, (char)deep);
		begin_record(&message, MG_DNS_CNAME, 0);
	}
	begun_us = mg_mono_us();
	for (int i = 0; i < 10; i++) {
		answer = parse(message.p, message.n, MG_DNS_A);
		mg_dns_answer_unref(&answer);
	}
	assert_true(mg_mono_us() - begun_us < MG_S_US);
	mg_buf_fini(&message);
}

static void more_than_64_kib_is_malformed(void **state)
{
	const struct mg_dns_answer *answer;
	struct mg_buf message;

	(void)state;
	begin(&message, MG_DNS_A, 0);
	while (message.n <= MG_DNS_ANSWER_MAX)
		mg_buf_addc(&message, '\0');
	answer = parse_whole(&message, MG_DNS_A);
	assert_int_equal(answer->trouble, MG_DNS_MALFORMED);
}

/* ---- queries ---- */

struct query_row {
	const char *name, *asked;
	enum mg_dns_type type;
	bool is_plain;
	const char *bytes;
	size_t n;
};
static const struct query_row query_rows[] = {
	{ "plain", "q.example", MG_DNS_A, true, BYTES("\22\64\1\40\0\1\0\0\0\0\0\0" ASK(A_)) },
	{ "with EDNS", "Q.example.", MG_DNS_TXT, false,
		BYTES("\22\64\1\40\0\1\0\0\0\0\0\1" ASK(TXT_) "\0\0\51\4\320\0\0\0\0\0\0") },
	{ "a top-level name", "example", MG_DNS_MX, true, BYTES("\22\64\1\40\0\1\0\0\0\0\0\0\7example\0\0\17\0\1") },
};

static void a_query_is_written(void **state)
{
	const struct query_row *row = *state;
	struct mg_dns_question question;
	struct mg_buf query;

	assert_true(mg_dns_question_make(mg_str_z(row->asked), row->type, &question));
	mg_buf_init(&query, 512);
	mg_dns_query(&query, &question, 0x1234, row->is_plain);
	assert_int_equal(query.n, row->n);
	assert_memory_equal(query.p, row->bytes, row->n);
	mg_buf_fini(&query);
}

int main(void)
{
	static struct CMUnitTest tests[256];
	size_t n = 0;

	ADD_ROWS(tests, n, parse_rows, a_message_is_read);
	ADD_ROWS(tests, n, parse_rows, a_message_cut_anywhere_is_malformed);
	ADD_ROWS(tests, n, text_rows, text_is_bounded);
	ADD_ROWS(tests, n, count_rows, records_are_bounded);
	ADD_ROWS(tests, n, chain_rows, chains_are_bounded);
	ADD_ROWS(tests, n, hop_rows, hops_are_bounded);
	ADD_ROWS(tests, n, name_rows, names_are_bounded);
	ADD_ROWS(tests, n, query_rows, a_query_is_written);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_worst_message_is_read_in_time);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(more_than_64_kib_is_malformed);
	return _cmocka_run_group_tests("dns parse", tests, n, NULL, NULL);
}
