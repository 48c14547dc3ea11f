/* The answer section is walked once for each CNAME of the chain, then twice for the records at its end: to measure, and
 * to fill. All walks read through one cursor that knows where the message ends. */
#include "dns/parse.h"

#include "dns/name.h"

enum {
	HEADER_BYTES = 12,
	CLASS_IN = 1,
	RCODE_NOERROR = 0,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	FLAG_QR = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_TC = 0x0200,
	FLAG_AD = 0x0020,
	FLAG_RCODE = 0x000f,
	NEGATIVE_S = 60, /* of a negative answer without SOA */
};

struct header {
	unsigned flags, questions, answers, authorities;
};

/* A record as it stands in the message. */
struct rr {
	struct mg_dns_name owner;
	unsigned type, class;
	uint32_t ttl_s;
	size_t data, end; /* offsets of its data and of what follows it */
};

static bool read_u16(struct mg_str message, size_t *at, unsigned *value_out)
{
	if (*at > message.n || message.n - *at < 2)
		return false;
	*value_out = (unsigned)(unsigned char)message.p[*at] << 8 | (unsigned char)message.p[*at + 1];
	*at += 2;
	return true;
}

static bool read_u32(struct mg_str message, size_t *at, uint32_t *value_out)
{
	size_t here = *at;
	unsigned high, low;

	if (!read_u16(message, &here, &high) || !read_u16(message, &here, &low))
		return false;
	*value_out = (uint32_t)high << 16 | low;
	*at = here;
	return true;
}

/* A time with its high bit set counts as zero (RFC 2181 section 8). */
static bool read_ttl(struct mg_str message, size_t *at, uint32_t *ttl_s_out)
{
	if (!read_u32(message, at, ttl_s_out))
		return false;
	if (*ttl_s_out > INT32_MAX)
		*ttl_s_out = 0;
	return true;
}

static bool read_rr(struct mg_str message, size_t *at, struct rr *rr_out)
{
	unsigned length;

	if (!mg_dns_name_read(message, at, &rr_out->owner) || !read_u16(message, at, &rr_out->type) ||
		!read_u16(message, at, &rr_out->class) || !read_ttl(message, at, &rr_out->ttl_s) ||
		!read_u16(message, at, &length) || message.n - *at < length)
		return false;
	rr_out->data = *at;
	*at += length;
	rr_out->end = *at;
	return true;
}

static bool read_header(struct mg_str message, struct header *header_out)
{
	size_t at = 2; /* whoever sent the question has compared the id */

	return message.n >= HEADER_BYTES && message.n <= MG_DNS_ANSWER_MAX &&
	       read_u16(message, &at, &header_out->flags) && read_u16(message, &at, &header_out->questions) &&
	       read_u16(message, &at, &header_out->answers) && read_u16(message, &at, &header_out->authorities) &&
	       (header_out->flags & FLAG_QR) != 0 && (header_out->flags & (FLAG_OPCODE | FLAG_TC)) == 0;
}

static struct mg_dns_name name_of(const struct mg_dns_question *question)
{
	struct mg_dns_name name = { .is_text = true, .length = question->length };

	memcpy(name.text, question->name, question->length);
	return name;
}

/* Whether the message repeats the question; *at is then behind it. */
static bool is_reply(struct mg_str message, const struct mg_dns_question *question, size_t *at)
{
	struct mg_dns_name asked = name_of(question), name;
	unsigned type, class;

	return mg_dns_name_read(message, at, &name) && mg_dns_name_eq(&name, &asked) && read_u16(message, at, &type) &&
	       read_u16(message, at, &class) && type == (unsigned)question->type && class == CLASS_IN;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The answer section, and what was found in it so far. */
struct section {
	struct mg_str message;
	size_t begin;
	unsigned count;
	unsigned type;             /* asked for */
	struct mg_dns_name target; /* whose records are wanted: the end of the chain */
	uint32_t ttl_s;

	struct mg_dns_answer *answer; /* NULL while measuring */
	size_t records, text_bytes;   /* taken */
	bool has_any;                 /* records of the type, even those left out */
	char *text;
};

static bool concerns(const struct section *section, const struct rr *rr, unsigned type)
{
	return rr->type == type && rr->class == CLASS_IN && mg_dns_name_eq(&rr->owner, &section->target);
}

/* The name that fills the data from `from` on. */
static bool read_data_name(struct mg_str message, const struct rr *rr, size_t from, struct mg_dns_name *name_out)
{
	return from <= rr->end && mg_dns_name_read(message, &from, name_out) && from == rr->end;
}

/* One step of the chain: 1 taken, 0 there is none, -1 malformed. */
static int follow_alias(struct section *section)
{
	size_t at = section->begin;
	struct rr rr;

	for (unsigned i = 0; i < section->count; i++) {
		if (!read_rr(section->message, &at, &rr))
			return -1;
		if (!concerns(section, &rr, MG_DNS_CNAME))
			continue;
		section->ttl_s = least(section->ttl_s, rr.ttl_s);
		return read_data_name(section->message, &rr, rr.data, &section->target) ? 1 : -1;
	}
	return 0;
}

static bool follow_chain(struct section *section)
{
	int step = section->type == MG_DNS_CNAME ? 0 : 1;

	for (unsigned links = 0; step > 0; links++) {
		step = follow_alias(section);
		if (step > 0 && links == MG_DNS_CHAIN)
			return false;
	}
	return step == 0;
}

static struct mg_dns_record *record_here(struct section *section)
{
	return section->answer == NULL ? NULL : &section->answer->records[section->records];
}

static void take_text(struct section *section, struct mg_dns_record *record, const char *p, size_t n)
{
	if (record != NULL && n > 0) {
		memcpy(section->text + section->text_bytes, p, n);
		record->text.n += n;
	}
	section->text_bytes += n;
}

static void begin_text(struct section *section, struct mg_dns_record *record)
{
	if (record != NULL)
		record->text = mg_str_of(section->text + section->text_bytes, 0);
}

static bool take_address(struct section *section, const struct rr *rr, enum mg_ip_family family, size_t bytes)
{
	struct mg_dns_record *record = record_here(section);

	if (rr->end - rr->data != bytes)
		return false;
	if (record != NULL) {
		record->ip.family = family;
		memcpy(record->ip.bytes, section->message.p + rr->data, bytes);
	}
	section->records++;
	return true;
}

static bool take_strings(struct section *section, const struct rr *rr)
{
	struct mg_dns_record *record = record_here(section);
	size_t before = section->text_bytes;

	begin_text(section, record);
	for (size_t at = rr->data; at < rr->end;) {
		size_t n = (unsigned char)section->message.p[at++];

		if (n > rr->end - at)
			return false;
		take_text(section, record, section->message.p + at, n);
		at += n;
	}
	section->records++;
	return section->text_bytes - before <= MG_DNS_TEXT_MAX;
}

/* The data as it is. */
static bool take_bytes(struct section *section, const struct rr *rr)
{
	struct mg_dns_record *record = record_here(section);

	begin_text(section, record);
	take_text(section, record, section->message.p + rr->data, rr->end - rr->data);
	section->records++;
	return rr->end - rr->data <= MG_DNS_TEXT_MAX;
}

/* A name that is no text is left out. */
static bool take_name(struct section *section, const struct rr *rr, size_t from, unsigned preference)
{
	struct mg_dns_record *record = record_here(section);
	struct mg_dns_name name;

	if (!read_data_name(section->message, rr, from, &name))
		return false;
	if (!name.is_text)
		return true;
	begin_text(section, record);
	take_text(section, record, name.text, name.length);
	if (record != NULL)
		record->preference = preference;
	section->records++;
	return true;
}

static bool take_exchange(struct section *section, const struct rr *rr)
{
	size_t at = rr->data;
	unsigned preference;

	return rr->end - rr->data > 2 && read_u16(section->message, &at, &preference) &&
	       take_name(section, rr, at, preference);
}

/* Of other types, such as SOA, only that they are there. */
static bool take(struct section *section, const struct rr *rr)
{
	section->has_any = true;
	switch (rr->type) {
	case MG_DNS_A:
		return take_address(section, rr, MG_IP_V4, 4);
	case MG_DNS_AAAA:
		return take_address(section, rr, MG_IP_V6, 16);
	case MG_DNS_TXT:
		return take_strings(section, rr);
	case MG_DNS_MX:
		return take_exchange(section, rr);
	case MG_DNS_TLSA:
		return take_bytes(section, rr);
	case MG_DNS_CNAME:
	case MG_DNS_NS:
	case MG_DNS_PTR:
		return take_name(section, rr, rr->data, 0);
	}
	section->records++;
	return true;
}

/* Walks the whole section; *at_out is what follows it. */
static bool collect(struct section *section, size_t *at_out)
{
	size_t at = section->begin;
	struct rr rr;

	section->records = section->text_bytes = 0;
	for (unsigned i = 0; i < section->count; i++) {
		if (!read_rr(section->message, &at, &rr))
			return false;
		if (!concerns(section, &rr, section->type))
			continue;
		section->ttl_s = least(section->ttl_s, rr.ttl_s);
		if (!take(section, &rr) || section->records > MG_DNS_RECORDS_MAX)
			return false;
	}
	*at_out = at;
	return true;
}

/* TTL of an SOA: the lesser of its own and of MINIMUM, the last of five numbers behind two names. */
static bool read_soa_ttl(struct mg_str message, const struct rr *rr, uint32_t *ttl_s_out)
{
	struct mg_dns_name name;
	size_t at = rr->data;
	uint32_t minimum_s;

	if (!mg_dns_name_read(message, &at, &name) || !mg_dns_name_read(message, &at, &name) || at > rr->end ||
		rr->end - at != 20)
		return false;
	at += 16;
	if (!read_ttl(message, &at, &minimum_s))
		return false;
	*ttl_s_out = least(rr->ttl_s, minimum_s);
	return true;
}

/* RFC 2308 section 5: how long "no" may be kept. False: malformed. */
static bool read_negative_ttl(struct mg_str message, size_t at, unsigned count, uint32_t *ttl_s_out)
{
	struct rr rr;

	*ttl_s_out = NEGATIVE_S;
	for (unsigned i = 0; i < count; i++) {
		if (!read_rr(message, &at, &rr))
			return false;
		if (rr.type == MG_DNS_SOA && rr.class == CLASS_IN)
			return read_soa_ttl(message, &rr, ttl_s_out);
	}
	return true;
}

static const struct mg_dns_answer *malformed(void)
{
	return mg_dns_answer_trouble(MG_DNS_MALFORMED);
}

static const struct mg_dns_answer *negative(const struct section *section, const struct header *header, size_t at)
{
	enum mg_dns_status status = (header->flags & FLAG_RCODE) == RCODE_NXDOMAIN ? MG_DNS_NXDOMAIN : MG_DNS_NODATA;
	struct mg_dns_answer *answer;
	uint32_t ttl_s;

	if (!read_negative_ttl(section->message, at, header->authorities, &ttl_s))
		return malformed();
	answer = mg_dns_answer_new(status, 0, 0, NULL);
	if (answer == NULL)
		return mg_dns_answer_trouble(MG_DNS_BUDGET);
	answer->ttl_s = least(least(ttl_s, section->ttl_s), MG_DNS_NEGATIVE_MAX_S);
	answer->is_authentic = (header->flags & FLAG_AD) != 0;
	return answer;
}

/* The section has been measured: the same walk again fills the answer. */
static const struct mg_dns_answer *positive(struct section *section, const struct header *header)
{
	size_t at;

	section->answer = mg_dns_answer_new(MG_DNS_FOUND, section->records, section->text_bytes, &section->text);
	if (section->answer == NULL)
		return mg_dns_answer_trouble(MG_DNS_BUDGET);
	mg_assert(collect(section, &at));
	section->answer->ttl_s = least(section->ttl_s, MG_DNS_TTL_MAX_S);
	section->answer->is_authentic = (header->flags & FLAG_AD) != 0;
	return section->answer;
}

static const struct mg_dns_answer *read_answer(
	struct mg_str message, const struct mg_dns_question *question, const struct header *header, size_t at)
{
	struct section section = { .message = message,
		.begin = at,
		.count = header->answers,
		.type = question->type,
		.target = name_of(question),
		.ttl_s = MG_DNS_TTL_MAX_S };

	if (!follow_chain(&section) || !collect(&section, &at))
		return malformed();
	if (section.has_any && (header->flags & FLAG_RCODE) == RCODE_NOERROR)
		return positive(&section, header);
	return negative(&section, header, at);
}

const struct mg_dns_answer *mg_dns_parse(struct mg_str message, const struct mg_dns_question *question)
{
	size_t at = HEADER_BYTES;
	struct header header;
	unsigned rcode;

	if (!read_header(message, &header))
		return malformed();
	rcode = header.flags & FLAG_RCODE;
	if (header.questions > 1 || (header.questions == 1 && !is_reply(message, question, &at)))
		return malformed();
	if (rcode == RCODE_SERVFAIL)
		return mg_dns_answer_trouble(MG_DNS_SERVFAIL);
	if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN)
		return mg_dns_answer_trouble(MG_DNS_REFUSED);
	if (header.questions == 0) /* only an error may leave it out */
		return malformed();
	return read_answer(message, question, &header, at);
}
