/* SPDX-License-Identifier: MIT */
#include "differ.h"

uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

unsigned below(struct random *r, unsigned n)
{
	return n ? (unsigned)((random_next(r) >> 32) * n >> 32) : 0;
}

bool chance(struct random *r, unsigned percent)
{
	return below(r, 100) < percent;
}

uint64_t odd_number(struct random *r)
{
	switch (below(r, 10)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return 1;
	case 3:
		return UINT64_MAX >> below(r, 64);
	case 4:
	case 5:
		return 1ULL << below(r, 64);
	case 6:
		return below(r, 256);
	case 7:
		return random_next(r) & random_next(r) & random_next(r);
	case 8:
		return random_next(r) >> 32;
	default:
		return random_next(r);
	}
}
