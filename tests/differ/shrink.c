/* SPDX-License-Identifier: MIT */
/* From a sequence that disagrees to a small one: steps left out, numbers made simpler. */
#include "differ.h"

#include <string.h>

#define TRIES 600 /* each is two VMs */

struct shrink {
	struct differ *d;
	struct finding *best;
	unsigned tries;
};

/* Do both speak of the same: what is before the colon. */
static bool same_subject(const char *a, const char *b)
{
	const char *end = strchr(a, ':');

	return end && strncmp(a, b, (size_t)(end - a) + 1) == 0;
}

/* Does LIST disagree too, at the same operation and about the same? Then it is the best so far. */
static bool better(struct shrink *s, const struct step *list, unsigned n)
{
	static struct finding f;
	unsigned done;

	if (s->tries++ >= TRIES || sequence_run(s->d, list, n, &f, &done, NULL) != 1 ||
	    f.steps[f.at].op != s->best->steps[s->best->at].op || !same_subject(s->best->text, f.text))
		return false;
	*s->best = f;
	s->best->n = f.at + 1; /* nothing behind it matters */
	return true;
}

static bool drop_steps(struct shrink *s)
{
	static struct step list[STEPS_MOST];
	bool any = false;

	for (unsigned size = s->best->n / 2 ? s->best->n / 2 : 1; size; size /= 2)
		for (unsigned from = 0; from + size < s->best->n;) {
			unsigned n = s->best->n - size;

			memcpy(list, s->best->steps, from * sizeof(*list));
			memcpy(list + from, s->best->steps + from + size, (n - from) * sizeof(*list));
			if (better(s, list, n))
				any = true;
			else
				from += size;
		}
	return any;
}

static bool drop_items(struct shrink *s)
{
	static struct step list[STEPS_MOST];
	bool any = false;

	for (unsigned i = 0; i < s->best->n; i++)
		for (unsigned k = 0; k < s->best->steps[i].n;) {
			struct step *at = &list[i];

			memcpy(list, s->best->steps, s->best->n * sizeof(*list));
			at->n--;
			memmove(&at->item[k], &at->item[k + 1], (at->n - k) * sizeof(at->item[0]));
			if (better(s, list, s->best->n))
				any = true;
			else
				k++;
		}
	return any;
}

/* The number at AT of step I, as simple as it may be. */
static bool simpler(struct shrink *s, unsigned i, size_t at)
{
	static struct step list[STEPS_MOST];
	uint64_t *value = (uint64_t *)((unsigned char *)&list[i] + at), was;
	bool any = false;

	memcpy(list, s->best->steps, s->best->n * sizeof(*list));
	was = *value;
	if (!was)
		return false;
	*value = 0;
	if (better(s, list, s->best->n))
		return true;
	for (unsigned half = 32; half; half /= 2)
		for (unsigned bit = 0; bit < 64; bit += half) {
			uint64_t mask = ((1ULL << half) - 1) << bit;

			if (i >= s->best->n || !(was & mask) || (was & ~mask) == 0)
				continue;
			memcpy(list, s->best->steps, s->best->n * sizeof(*list));
			*value = was & ~mask;
			if (!better(s, list, s->best->n))
				continue;
			was &= ~mask;
			any = true;
		}
	return any;
}

static bool simplify(struct shrink *s)
{
	bool any = false;

	for (unsigned i = 0; i < s->best->n; i++) {
		for (unsigned k = 0; i < s->best->n && k < ARGS; k++)
			any |= simpler(s, i, offsetof(struct step, arg) + k * sizeof(uint64_t));
		for (unsigned k = 0; i < s->best->n && k < s->best->steps[i].n; k++)
			for (unsigned p = 0; p < PARTS; p++)
				any |= simpler(s, i, offsetof(struct step, item) + k * sizeof(struct item) +
							     p * sizeof(uint64_t));
	}
	return any;
}

void sequence_shrink(struct differ *d, struct finding *f)
{
	struct shrink s = { .d = d, .best = f };
	bool guest = d->guest;

	f->n = f->at + 1;
	drop_steps(&s);
	drop_items(&s);
	if (simplify(&s)) {
		drop_steps(&s);
		drop_items(&s);
	}
	d->guest = guest;
}
