/* SPDX-License-Identifier: MIT */
/* What /dev/kvm answers on x86. */
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 300

void say_table(struct answer *a, const struct gk_cpuid2 *t)
{
	for (uint32_t i = 0; i < t->nent && i < ROOM; i++) {
		const struct gk_cpuid_entry2 *e = &t->entries[i];

		say(a, "entry %x leaf", i, 0, e->function);
		say(a, "leaf %x index", e->function, 0, e->index);
		say(a, "leaf %x.%x flags", e->function, e->index, e->flags);
		say(a, "leaf %x.%x eax", e->function, e->index, e->eax);
		say(a, "leaf %x.%x ebx", e->function, e->index, e->ebx);
		say(a, "leaf %x.%x ecx", e->function, e->index, e->ecx);
		say(a, "leaf %x.%x edx", e->function, e->index, e->edx);
		say(a, "leaf %x.%x padding", e->function, e->index, e->padding[0] | e->padding[1] | e->padding[2]);
	}
}

/* arg0 nent, arg1 a word of padding that is not 0 (and 1: which entry), arg3 1: no pointer */
void make_system_table(struct maker *m, struct step *s)
{
	static const uint16_t sizes[] = { 0, 1, 2, 9, 10, 11, 20, 40, 256, 257, 299 };

	s->arg[0] = chance(&m->r, 50) ? 256 : chance(&m->r, 60) ? sizes[below(&m->r, COUNT(sizes))] :
								  below(&m->r, 100);
	s->arg[1] = chance(&m->r, 10) ? 1 + below(&m->r, 12) : 0;
	s->arg[3] = chance(&m->r, 2);
}

static void run_table(struct side *w, const struct step *s, unsigned long request, struct answer *a)
{
	struct gk_cpuid2 *t = calloc(1, sizeof(*t) + ROOM * sizeof(t->entries[0]));

	a->lost |= !t;
	if (!t)
		return;
	t->nent = (uint32_t)s->arg[0];
	if (s->arg[1] && s->arg[1] <= ROOM)
		t->entries[s->arg[1] - 1].padding[s->arg[1] % 3] = 1;
	a->status = ask_or_nowhere(w, w->kvm_fd, request, s, t);
	say(a, "nent", 0, 0, t->nent);
	if (a->status >= 0)
		say_table(a, t);
	free(t);
}

void run_supported(struct side *w, const struct step *s, struct answer *a)
{
	run_table(w, s, GK_GET_SUPPORTED_CPUID, a);
}

void run_emulated(struct side *w, const struct step *s, struct answer *a)
{
	run_table(w, s, GK_GET_EMULATED_CPUID, a);
}

void run_hyperv(struct side *w, const struct step *s, struct answer *a)
{
	run_table(w, s, GK_GET_SUPPORTED_HV_CPUID, a);
}

/* arg0 nmsrs, arg3 1: no pointer */
void make_list(struct maker *m, struct step *s)
{
	unsigned n = (unsigned)(chance(&m->r, 50) ? m->host->msr_indexes.n : m->host->msr_features.n);

	s->arg[0] = chance(&m->r, 50) ? ROOM : n + below(&m->r, 3) - (n ? 1 : 0);
	s->arg[3] = chance(&m->r, 3);
}

static void run_list(struct side *w, const struct step *s, unsigned long request, struct answer *a)
{
	struct gk_msr_list *t = calloc(1, sizeof(*t) + ROOM * sizeof(t->indices[0]));

	a->lost |= !t;
	if (!t)
		return;
	t->nmsrs = s->arg[0] > ROOM ? ROOM : (uint32_t)s->arg[0];
	a->status = ask_or_nowhere(w, w->kvm_fd, request, s, t);
	say(a, "nmsrs", 0, 0, t->nmsrs);
	for (uint32_t i = 0; a->status >= 0 && i < t->nmsrs && i < ROOM; i++)
		say(a, "place %x of the list", i, 0, t->indices[i]);
	free(t);
}

void run_msr_list(struct side *w, const struct step *s, struct answer *a)
{
	run_list(w, s, GK_GET_MSR_INDEX_LIST, a);
}

void run_feature_list(struct side *w, const struct step *s, struct answer *a)
{
	run_list(w, s, GK_GET_MSR_FEATURE_INDEX_LIST, a);
}

/* Items: index. */
void make_system_msrs(struct maker *m, struct step *s)
{
	s->n = 1 + below(&m->r, 4);
	for (unsigned i = 0; i < s->n; i++)
		s->item[i].part[0] = m->host->msr_features.n && !chance(&m->r, 15) ?
				     LIST_AT(&m->host->msr_features, struct snap_msr,
					     below(&m->r, (unsigned)m->host->msr_features.n))->index :
				     some_msr(m);
}

void run_system_msrs(struct side *w, const struct step *s, struct answer *a)
{
	MSRS(ITEMS) t;

	memset(&t, 0, sizeof(t));
	t.nmsrs = s->n;
	for (unsigned i = 0; i < s->n; i++)
		t.entries[i].index = (uint32_t)s->item[i].part[0];
	a->status = ask(w, w->kvm_fd, GK_GET_MSRS, &t);
	for (int i = 0; i < a->status; i++)
		say(a, "MSR %x", t.entries[i].index, 0, t.entries[i].data);
}
