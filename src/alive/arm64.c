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

int alive_told(struct lab *lab, unsigned field)
{
	(void)field;
	return say(lab->out, GCPU_ALIVE_UNTESTABLE, "no way to look for it is known");
}

bool alive_hypercalls(struct alive *a, struct outcome *out)
{
	(void)a;
	say(out, GCPU_ALIVE_UNTESTABLE, "nothing is known of hypercalls");
	return false;
}

void refused_by_facts(struct lab *lab, unsigned field, struct outcome *out)
{
	(void)lab;
	(void)field;
	say(out, GCPU_ALIVE_UNTESTABLE, "nothing to be refused is known");
}
