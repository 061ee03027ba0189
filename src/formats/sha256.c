/* SPDX-License-Identifier: MIT */
/* SHA-256 as FIPS 180-4 has it: names snapshots by their content. */
#include "json.h"

#include <stdio.h>
#include <string.h>

static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t ror(uint32_t v, unsigned n)
{
	return v >> n | v << (32 - n);
}

/* One round; the callers' order of arguments turns the state around. */
static inline void round_of(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f,
			    uint32_t g, uint32_t *h, uint32_t kw)
{
	uint32_t t = *h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + (g ^ (e & (f ^ g))) + kw;

	*d += t;
	*h = t + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) | (c & (a | b)));
}

static void compress(uint32_t state[8], const unsigned char *block)
{
	uint32_t w[64];
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 |
		       (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
		       (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
	for (int i = 0; i < 64; i += 8) {
		round_of(a, b, c, &d, e, f, g, &h, k[i] + w[i]);
		round_of(h, a, b, &c, d, e, f, &g, k[i + 1] + w[i + 1]);
		round_of(g, h, a, &b, c, d, e, &f, k[i + 2] + w[i + 2]);
		round_of(f, g, h, &a, b, c, d, &e, k[i + 3] + w[i + 3]);
		round_of(e, f, g, &h, a, b, c, &d, k[i + 4] + w[i + 4]);
		round_of(d, e, f, &g, h, a, b, &c, k[i + 5] + w[i + 5]);
		round_of(c, d, e, &f, g, h, a, &b, k[i + 6] + w[i + 6]);
		round_of(b, c, d, &e, f, g, h, &a, k[i + 7] + w[i + 7]);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

void sha256_start(struct sha256 *s)
{
	static const uint32_t first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memset(s, 0, sizeof(*s));
	memcpy(s->state, first, sizeof(first));
}

int sha256_write(void *ctx, const char *data, size_t n)
{
	struct sha256 *s = ctx;

	while (n) {
		size_t at = s->length % 64, part = 64 - at < n ? 64 - at : n;

		memcpy(s->block + at, data, part);
		s->length += part;
		data += part;
		n -= part;
		if (at + part == 64)
			compress(s->state, s->block);
	}
	return 0;
}

void sha256_text(struct sha256 *s, char ret[65])
{
	uint64_t bits = s->length * 8;
	char pad[72] = { (char)0x80 };
	size_t n = 1 + (119 - s->length % 64) % 64;

	for (int i = 0; i < 8; i++)
		pad[n + (size_t)i] = (char)(bits >> (56 - i * 8));
	sha256_write(s, pad, n + 8);
	for (int i = 0; i < 8; i++)
		snprintf(ret + i * 8, 9, "%08x", s->state[i]);
}
