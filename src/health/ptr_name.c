#include "health/ptr_name.h"

#include <stdio.h>

enum { NUMBERS = 64, DIGITS = 512 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- the address in the name ---- */

/* All decimal numbers of the name, up to three digits each; longer ones count as 1000. */
static size_t numbers_of(struct mg_str name, unsigned numbers[NUMBERS])
{
	size_t count = 0;

	for (size_t i = 0; i < name.n && count < NUMBERS;) {
		unsigned value = 0, digits = 0;

		for (; i < name.n && is_digit(name.p[i]); i++, digits++)
			value = digits < 3 ? value * 10 + (unsigned)(name.p[i] - '0') : 1000;
		if (digits > 0)
			numbers[count++] = value;
		else
			i++;
	}
	return count;
}

static bool has_row(const unsigned *numbers, size_t count, const unsigned row[3])
{
	for (size_t i = 0; i + 3 <= count; i++)
		if (numbers[i] == row[0] && numbers[i + 1] == row[1] && numbers[i + 2] == row[2])
			return true;
	return false;
}

static bool has_octets(struct mg_str name, const unsigned char octet[4])
{
	unsigned numbers[NUMBERS];
	size_t count = numbers_of(name, numbers);

	for (size_t from = 0; from < 2; from++) {
		const unsigned forward[3] = { octet[from], octet[from + 1], octet[from + 2] };
		const unsigned backward[3] = { octet[from + 2], octet[from + 1], octet[from] };

		if (has_row(numbers, count, forward) || has_row(numbers, count, backward))
			return true;
	}
	return false;
}

static bool has_text(struct mg_str name, const char *text)
{
	return mg_str_find_str(name, mg_str_z(text)) != SIZE_MAX;
}

static bool holds_v4(struct mg_str name, const unsigned char octet[4])
{
	char hex[9], decimal[13];

	snprintf(hex, sizeof hex, "%02x%02x%02x%02x", octet[0], octet[1], octet[2], octet[3]);
	snprintf(decimal, sizeof decimal, "%03u%03u%03u%03u", octet[0], octet[1], octet[2], octet[3]);
	return has_octets(name, octet) || has_text(name, hex) || has_text(name, decimal);
}

/* The digits of the address as they are written in full, and the part of the name without dashes. */
static bool holds_v6(struct mg_str name, const unsigned char bytes[16])
{
	enum { PART = 8, ALL = 32 };
	char digits[ALL + 1], bare[DIGITS], part[PART + 1];
	size_t n = 0;

	for (size_t i = 0; i < 16; i++)
		snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
	for (size_t i = 0; i < name.n && n < sizeof bare; i++)
		if (name.p[i] != '-' && name.p[i] != '.')
			bare[n++] = name.p[i];
	for (size_t i = 0; i + PART <= ALL; i += 4) {
		memcpy(part, digits + i, PART);
		part[PART] = '\0';
		if (strspn(part, "0") < PART - 1 && mg_str_find_str(mg_str_of(bare, n), mg_str_z(part)) != SIZE_MAX)
			return true;
	}
	return false;
}

bool mg_ptr_holds_address(struct mg_str name, const struct mg_ip *ip)
{
	return ip->family == MG_IP_V6 ? holds_v6(name, ip->bytes) : holds_v4(name, ip->bytes);
}

/* ---- words ---- */

static bool is_one_of(struct mg_str word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (mg_str_eq_nocase(word, mg_str_z(words[i])))
			return true;
	return false;
}

bool mg_ptr_has_provider_word(struct mg_str name)
{
	static const char *const sure[] = { "dynamic", "dyn", "dialup", "dhcp", "pool", "ppp", "pppoe", "adsl", "dsl",
		"vdsl", "cable", "broadband", "unassigned", "unallocated" };
	static const char *const numbered[] = { "host", "ip", "static", "client", "clients", "customer", "cust", "vps",
		"vmi", "vm", "node", "srv", "ec" };

	while (name.n > 0) {
		struct mg_str label = mg_str_cut(&name, '.'), rest = label, word;
		bool has_number = false;

		for (size_t i = 0; i < label.n; i++)
			has_number = has_number || is_digit(label.p[i]);
		while (mg_read_word(&rest, "-_0123456789", &word))
			if (is_one_of(word, sure, sizeof sure / sizeof sure[0]) ||
				(has_number && name.n > 0 &&
					is_one_of(word, numbered, sizeof numbered / sizeof numbered[0])))
				return true;
	}
	return false;
}
