#include "dns/question.h"

const char *mg_dns_type_name(enum mg_dns_type type)
{
	switch (type) {
	case MG_DNS_A:
		return "A";
	case MG_DNS_NS:
		return "NS";
	case MG_DNS_CNAME:
		return "CNAME";
	case MG_DNS_SOA:
		return "SOA";
	case MG_DNS_PTR:
		return "PTR";
	case MG_DNS_MX:
		return "MX";
	case MG_DNS_TXT:
		return "TXT";
	case MG_DNS_AAAA:
		return "AAAA";
	case MG_DNS_TLSA:
		return "TLSA";
	}
	return "TYPE";
}

static bool has_sound_labels(struct mg_str name)
{
	size_t label = 0;

	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '\0')
			return false;
		if (name.p[i] != '.') {
			if (++label > MG_DNS_LABEL_MAX)
				return false;
		} else if (label == 0) {
			return false;
		} else {
			label = 0;
		}
	}
	return label > 0;
}

bool mg_dns_question_make(struct mg_str name, enum mg_dns_type type, struct mg_dns_question *question_out)
{
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > MG_DNS_NAME_MAX || !has_sound_labels(name))
		return false;
	question_out->type = type;
	question_out->length = (unsigned char)name.n;
	memcpy(question_out->name, name.p, name.n);
	question_out->name[name.n] = '\0';
	mg_lower(question_out->name);
	return true;
}

bool mg_dns_question_eq(const struct mg_dns_question *a, const struct mg_dns_question *b)
{
	return a->type == b->type && mg_str_eq(mg_str_of(a->name, a->length), mg_str_of(b->name, b->length));
}
