/* inet_pton reads the address; all else is comparing leading bits. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct mg_str without_dress(struct mg_str text)
{
	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = mg_str_of(text.p + 1, text.n - 2);
	if (mg_str_starts_nocase(text, MG_STR("IPv6:")))
		text = mg_str_from(text, 5);
	return text;
}

static void set_v6(const unsigned char bytes[16], struct mg_ip *ip_out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	*ip_out = (struct mg_ip){ .family = MG_IP_V6 };
	if (memcmp(bytes, mapped, sizeof mapped) == 0) {
		ip_out->family = MG_IP_V4;
		memcpy(ip_out->bytes, bytes + 12, 4);
	} else {
		memcpy(ip_out->bytes, bytes, 16);
	}
}

bool mg_ip_parse(struct mg_str text, struct mg_ip *ip_out)
{
	char copy[MG_IP_TEXT];
	unsigned char bytes[16];

	text = without_dress(text);
	if (mg_str_find(text, '\0') != SIZE_MAX || !mg_str_copy(copy, sizeof copy, text))
		return false;
	if (inet_pton(AF_INET, copy, bytes) == 1) {
		*ip_out = (struct mg_ip){ .family = MG_IP_V4 };
		memcpy(ip_out->bytes, bytes, 4);
		return true;
	}
	if (inet_pton(AF_INET6, copy, bytes) != 1)
		return false;
	set_v6(bytes, ip_out);
	return true;
}

bool mg_ip_from_sockaddr(const struct sockaddr *address, struct mg_ip *ip_out, unsigned *port_out)
{
	if (address == NULL)
		return false;
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;

		*ip_out = (struct mg_ip){ .family = MG_IP_V4 };
		memcpy(ip_out->bytes, &in->sin_addr, 4);
		if (port_out != NULL)
			*port_out = ntohs(in->sin_port);
		return true;
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;

		set_v6(in6->sin6_addr.s6_addr, ip_out);
		if (port_out != NULL)
			*port_out = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}

const char *mg_ip_text(const struct mg_ip *ip, char *place, size_t size)
{
	place[0] = '\0';
	if (ip->family != MG_IP_NONE)
		inet_ntop(ip->family == MG_IP_V4 ? AF_INET : AF_INET6, ip->bytes, place, (socklen_t)size);
	return place;
}

bool mg_ip_eq(const struct mg_ip *a, const struct mg_ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool mg_net_contains(const struct mg_net *net, const struct mg_ip *ip)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (net->base.family != ip->family || memcmp(net->base.bytes, ip->bytes, whole) != 0)
		return false;
	return rest == 0 || ((net->base.bytes[whole] ^ ip->bytes[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool is_in_any(const struct mg_ip *ip, const struct mg_net *nets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (mg_net_contains(&nets[i], ip))
			return true;
	return false;
}

bool mg_ip_is_loopback(const struct mg_ip *ip)
{
	static const struct mg_net nets[] = {
		{ { MG_IP_V4, { 127 } }, 8 },
		{ { MG_IP_V6, { [15] = 1 } }, 128 },
	};

	return is_in_any(ip, nets, sizeof nets / sizeof nets[0]);
}

static const struct mg_net private_nets[] = {
	{ { MG_IP_V4, { 10 } }, 8 },
	{ { MG_IP_V4, { 172, 16 } }, 12 },
	{ { MG_IP_V4, { 192, 168 } }, 16 },
	{ { MG_IP_V4, { 169, 254 } }, 16 },
	{ { MG_IP_V6, { 0xfc } }, 7 },
	{ { MG_IP_V6, { 0xfe, 0x80 } }, 10 },
};

bool mg_ip_is_private(const struct mg_ip *ip)
{
	return is_in_any(ip, private_nets, sizeof private_nets / sizeof private_nets[0]);
}

bool mg_net_is_private(const struct mg_net *net)
{
	for (size_t i = 0; i < sizeof private_nets / sizeof private_nets[0]; i++)
		if (net->bits >= private_nets[i].bits && mg_net_contains(&private_nets[i], &net->base))
			return true;
	return false;
}

bool mg_net_parse(struct mg_str text, struct mg_net *net_out)
{
	struct mg_str rest = text, address = mg_str_cut(&rest, '/');
	struct mg_net net = { 0 };
	unsigned most;
	uint64_t bits;

	if (!mg_ip_parse(address, &net.base))
		return false;
	most = net.base.family == MG_IP_V4 ? 32 : 128;
	if (mg_str_find(text, '/') == SIZE_MAX)
		bits = most;
	else if (!mg_str_to_u64(rest, most, &bits))
		return false;
	net.bits = (unsigned)bits;
	for (unsigned bit = net.bits; bit < most; bit++)
		if (net.base.bytes[bit / 8] & (0x80 >> bit % 8))
			return false;
	*net_out = net;
	return true;
}
