/* SPDX-License-Identifier: MIT */
/* There are no exercises for arm64 yet. */
#include "lab.h"

const struct exercise *const alive_exercises[] = { NULL };
const unsigned alive_n_exercises = 0;

uint64_t alive_khz(const struct lab *lab)
{
	(void)lab;
	return 0;
}

bool alive_hypercalls(struct alive *a)
{
	(void)a;
	return false;
}

void refused_by_facts(struct lab *lab, unsigned field, struct outcome *out)
{
	(void)lab;
	(void)field;
	say(out, GCPU_ALIVE_UNTESTABLE, "nothing to be refused is known");
}
