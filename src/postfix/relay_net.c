#include "postfix/relay_net.h"

#include <arpa/inet.h>

enum { V4_BITS = 32, V6_BITS = 128, TEXT_MAX = 64 };

static const struct mg_net inside[] = {
	{ { MG_IP_V4, { 0 } }, 8 },
	{ { MG_IP_V4, { 10 } }, 8 },
	{ { MG_IP_V4, { 127 } }, 8 },
	{ { MG_IP_V4, { 169, 254 } }, 16 },
	{ { MG_IP_V4, { 172, 16 } }, 12 },
	{ { MG_IP_V4, { 192, 168 } }, 16 },
	{ { MG_IP_V4, { 224 } }, 3 },
	{ { MG_IP_V6, { 0 } }, 3 }, /* ::1, mapped, NAT64 and all else below global unicast */
	{ { MG_IP_V6, { 0xfc } }, 7 },
	{ { MG_IP_V6, { 0xfe } }, 8 },
	{ { MG_IP_V6, { 0xff } }, 8 },
};

const struct mg_net *mg_relay_inside_nets(size_t *count_out)
{
	*count_out = sizeof inside / sizeof inside[0];
	return inside;
}

bool mg_relay_ip_is_outside(const struct mg_ip *ip)
{
	for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
		if (mg_net_contains(&inside[i], ip))
			return false;
	return ip->family != MG_IP_NONE;
}

bool mg_relay_ip_parse(struct mg_str text, struct mg_ip *ip_out)
{
	bool is_v6 = mg_str_find(text, ':') != SIZE_MAX;
	char place[TEXT_MAX];

	*ip_out = (struct mg_ip){ .family = is_v6 ? MG_IP_V6 : MG_IP_V4 };
	return mg_str_copy(place, sizeof place, text) && strlen(place) == text.n &&
	       inet_pton(is_v6 ? AF_INET6 : AF_INET, place, ip_out->bytes) == 1;
}

static unsigned most_bits(const struct mg_ip *ip)
{
	return ip->family == MG_IP_V4 ? V4_BITS : V6_BITS;
}

static bool has_host_bits(const struct mg_net *net)
{
	for (unsigned bit = net->bits; bit < most_bits(&net->base); bit++)
		if (net->base.bytes[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

static bool looks_like_net(struct mg_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\0' || strchr("0123456789./:", text.p[i]) == NULL)
			return false;
	return text.n > 0;
}

enum mg_relay_net mg_relay_net_parse(struct mg_str text, bool is_bare, struct mg_net *net_out)
{
	struct mg_str rest = text, address;
	bool has_mask = mg_str_find(text, '/') != SIZE_MAX, is_bracketed = text.n > 0 && text.p[0] == '[';
	uint64_t bits = 0;

	if (is_bracketed) {
		rest = mg_str_from(text, 1);
		address = mg_str_cut(&rest, ']');
		if (has_mask && !mg_read_token(&rest, MG_STR("/")))
			return MG_RELAY_NET_BAD;
	} else {
		if (!is_bare && !looks_like_net(text))
			return MG_RELAY_NET_NONE;
		address = mg_str_cut(&rest, '/');
	}
	if (!mg_relay_ip_parse(address, &net_out->base))
		return has_mask || is_bracketed || is_bare ? MG_RELAY_NET_BAD : MG_RELAY_NET_NONE;
	if (has_mask && !mg_str_to_u64(rest, most_bits(&net_out->base), &bits))
		return MG_RELAY_NET_BAD;
	net_out->bits = has_mask ? (unsigned)bits : most_bits(&net_out->base);
	return has_host_bits(net_out) ? MG_RELAY_NET_BAD : MG_RELAY_NET_GOOD;
}

/* "192.0" has two parts of 8 bits, "2001:db8" two of 16. */
bool mg_relay_net_of_key(struct mg_str key, struct mg_net *net_out)
{
	char separator = mg_str_find(key, ':') != SIZE_MAX ? ':' : '.';
	unsigned parts = 1, whole = separator == ':' ? 8 : 4;
	char place[TEXT_MAX + 16];
	size_t n;

	if (mg_relay_ip_parse(key, &net_out->base)) {
		net_out->bits = most_bits(&net_out->base);
		return true;
	}
	if (key.n == 0 || key.n > 40 || !mg_str_copy(place, sizeof place, key))
		return false;
	for (size_t i = 0; i < key.n; i++)
		parts += key.p[i] == separator;
	n = key.n;
	if (parts >= whole)
		return false;
	for (unsigned i = parts; i < whole; i++) {
		place[n++] = separator;
		place[n++] = '0';
	}
	net_out->bits = parts * (separator == ':' ? 16 : 8);
	return mg_relay_ip_parse(mg_str_of(place, n), &net_out->base);
}

enum mg_relay_reach mg_relay_net_reach(const struct mg_net *net)
{
	bool is_v4 = net->base.family == MG_IP_V4;

	for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
		if (net->bits >= inside[i].bits && mg_net_contains(&inside[i], &net->base))
			return MG_RELAY_REACH_OURS;
	if (net->bits >= (is_v4 ? 24 : 48))
		return MG_RELAY_REACH_NARROW;
	return net->bits >= (is_v4 ? 16 : 32) ? MG_RELAY_REACH_DOUBTFUL : MG_RELAY_REACH_WORLD;
}

bool mg_relay_net_behind(const struct mg_net *net, struct mg_ip *ip_out)
{
	unsigned bit = net->bits;

	*ip_out = net->base;
	while (bit > 0) { /* add one at the net's last bit */
		unsigned char mask = (unsigned char)(0x80 >> (bit - 1) % 8);

		bit--;
		ip_out->bytes[bit / 8] ^= mask;
		if (ip_out->bytes[bit / 8] & mask)
			return true;
	}
	return false;
}
