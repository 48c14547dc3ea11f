/* SipHash-2-4 as Aumasson and Bernstein describe it. */
#include "base/hash.h"

#include <sys/random.h>

static uint64_t process_key[2];

void mg_hash_init(void)
{
	if (getrandom(process_key, sizeof process_key, 0) != (ssize_t)sizeof process_key)
		process_key[0] ^=
			(uint64_t)(uintptr_t)&process_key; /* early boot without entropy: better than nothing */
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static uint64_t little_endian(const unsigned char *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)p[i] << 8 * i;
	return word;
}

static void absorb(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

uint64_t mg_hash_under(const uint64_t key[2], struct mg_str text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	struct sip s = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573 };
	size_t at = 0;

	for (; text.n - at >= 8; at += 8)
		absorb(&s, little_endian(p + at, 8));
	absorb(&s, little_endian(p + at, text.n - at) | (uint64_t)text.n << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t mg_hash_keyed(struct mg_str text)
{
	return mg_hash_under(process_key, text);
}
