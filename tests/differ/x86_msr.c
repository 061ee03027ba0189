/* SPDX-License-Identifier: MIT */
/* MSRs of vCPUs, and the filter of those that guests may use. */
#include "x86.h"
#include "layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of the APIC's registers, 16 bytes each. */
#define X2APIC_ICR (MSR_INDEX(X2APIC) + 0x30)
#define X2APIC_TIMER (MSR_INDEX(X2APIC) + 0x38)
#define FIRST_HYPERV 0x40000000U
#define ROOM 300
#define PV_STRUCT_MOST 64 /* bytes of the largest, steal time */

/* Those that are not touched, see the exclusions. */
static bool left_out(uint32_t index)
{
	return index == MSR_INDEX(TSC) || index == MSR_INDEX(TSC_DEADLINE) || index == X2APIC_TIMER || index == X2APIC_ICR ||
	       (index >= FIRST_HYPERV && index < FIRST_HYPERV + 0x1000);
}

/* One that KVM knows, or a vendor's that it does not. */
static uint32_t some_row(struct maker *m)
{
	static const uint32_t strange[] = { 0xe7, 0x570, 0xc0010064 };
	unsigned at = below(&m->r, gcpu_facts_x86.n_msrs + COUNT(strange));

	return at < gcpu_facts_x86.n_msrs ? gcpu_facts_x86.msrs[at].index : strange[at - gcpu_facts_x86.n_msrs];
}

static uint32_t any_msr(struct maker *m)
{
	unsigned pick = below(&m->r, 100);

	if (pick < 45 && m->host->msr_indexes.n)
		return *LIST_AT(&m->host->msr_indexes, uint32_t, below(&m->r, (unsigned)m->host->msr_indexes.n));
	if (pick < 55 && m->host->msr_features.n)
		return LIST_AT(&m->host->msr_features, struct snap_msr, below(&m->r, (unsigned)m->host->msr_features.n))->index;
	if (pick < 72)
		return MSR_INDEX(KVM_WALL_CLOCK_NEW) + below(&m->r, 10);
	if (pick < 82)
		return MSR_INDEX(X2APIC) + below(&m->r, 0x42);
	if (pick < 97)
		return some_row(m);
	return (uint32_t)odd_number(&m->r);
}

uint32_t some_msr(struct maker *m)
{
	uint32_t index = any_msr(m);

	while (left_out(index))
		index = any_msr(m);
	return index;
}

/* A structure at ADDRESS would be where the guest has its tables, its code or its areas. */
static bool of_the_guest(uint64_t address)
{
	return address + PV_STRUCT_MOST > GUEST_TABLES && address < GUEST_AREAS + (uint64_t)VCPUS * GUEST_AREA_SIZE;
}

static uint64_t msr_value(struct maker *m, uint32_t index)
{
	uint64_t odd;
	bool pv = (index >= MSR_INDEX(KVM_WALL_CLOCK_NEW) && index < MSR_INDEX(KVM_WALL_CLOCK_NEW) + 16) ||
		  index == MSR_INDEX(KVM_WALL_CLOCK) || index == MSR_INDEX(KVM_SYSTEM_TIME);

	/* an address in the guest's memory, most likely, and flags */
	if (pv && chance(&m->r, 70))
		return 0x1000 + 64 * below(&m->r, 100) + (chance(&m->r, 70) ? below(&m->r, 16) : below(&m->r, 64));
	if (index == MSR_INDEX(APIC_BASE) && chance(&m->r, 70))
		return 0xfee00000U | (uint64_t)below(&m->r, 16) << 8;
	if (chance(&m->r, 10))
		return 0xffff800000000000ULL | random_next(&m->r) >> 20;
	odd = odd_number(&m->r);
	return pv && of_the_guest(odd) ? odd & 0xfff : odd;
}

/* See the exclusions. */
uint64_t some_msr_value(struct maker *m, uint32_t index)
{
	return msr_value(m, index) & (index == MSR_INDEX(SYSENTER_CS) ? UINT32_MAX : UINT64_MAX);
}

/* Items: index, value. arg0 nmsrs instead, arg3 1: no pointer. */
void make_set_msrs(struct maker *m, struct step *s)
{
	s->n = 1 + below(&m->r, chance(&m->r, 20) ? 6 : 2);
	for (unsigned i = 0; i < s->n; i++) {
		s->item[i].part[0] = some_msr(m);
		s->item[i].part[1] = some_msr_value(m, (uint32_t)s->item[i].part[0]);
	}
	s->arg[0] = chance(&m->r, 2) ? 254 + below(&m->r, 4) : 0;
	s->arg[3] = chance(&m->r, 1);
}

void make_get_msrs(struct maker *m, struct step *s)
{
	make_set_msrs(m, s);
	for (unsigned i = 0; i < s->n; i++)
		s->item[i].part[1] = 0;
}

static void call_msrs(struct side *w, const struct step *s, unsigned long request, struct answer *a)
{
	struct gk_msrs *t = calloc(1, sizeof(*t) + ROOM * sizeof(t->entries[0]));

	a->lost |= !t;
	if (!t)
		return;
	t->nmsrs = s->arg[0] && s->arg[0] < ROOM ? (uint32_t)s->arg[0] : s->n;
	for (unsigned i = 0; i < s->n; i++) {
		t->entries[i].index = (uint32_t)s->item[i].part[0];
		t->entries[i].data = s->item[i].part[1];
	}
	/* more of the same */
	for (unsigned i = s->n; s->n && i < t->nmsrs; i++)
		t->entries[i] = t->entries[i % s->n];
	a->status = ask_or_nowhere(w, vcpu_of(w, s), request, s, t);
	for (int i = 0; request == GK_GET_MSRS && i < a->status; i++)
		say(a, "MSR %x", t->entries[i].index, 0, t->entries[i].data);
	free(t);
}

void run_get_msrs(struct side *w, const struct step *s, struct answer *a)
{
	call_msrs(w, s, GK_GET_MSRS, a);
}

static void read_one(struct side *w, int fd, uint32_t index, struct answer *a)
{
	MSRS(1) t = { .nmsrs = 1, .entries = { { .index = index } } };

	say(a, "MSR %x can be read", index, 0, (uint64_t)(int64_t)ask(w, fd, GK_GET_MSRS, &t));
	say(a, "MSR %x", index, 0, t.entries[0].data);
}

void run_set_msrs(struct side *w, const struct step *s, struct answer *a)
{
	call_msrs(w, s, GK_SET_MSRS, a);
	for (unsigned i = 0; i < s->n; i++)
		read_one(w, vcpu_of(w, s), (uint32_t)s->item[i].part[0], a);
}

void print_msrs(FILE *to, const struct step *s)
{
	for (unsigned i = 0; i < s->n; i++)
		fprintf(to, " %#" PRIx64 "=%#" PRIx64, s->item[i].part[0], s->item[i].part[1]);
	if (s->arg[0])
		fprintf(to, ", nmsrs %" PRIu64, s->arg[0]);
	if (s->arg[3])
		fputs(", a bad pointer", to);
}

/* Everything on KVM's two lists, and KVM's own. */
void run_all_msrs(struct side *w, const struct step *s, struct answer *a)
{
	const struct gcpu_snapshot *host = w->d->host;
	unsigned n = (unsigned)host->msr_indexes.n, f = (unsigned)host->msr_features.n, all = n + f + 9;
	MSRS(255) t;

	for (unsigned done = 0; done < all;) {
		unsigned count = 0;
		int r;

		memset(&t, 0, sizeof(t));
		for (unsigned i = done; i < all && count < 255; i++)
			t.entries[count++].index = i < n ? *LIST_AT(&host->msr_indexes, uint32_t, i) :
						   i < n + f ? LIST_AT(&host->msr_features, struct snap_msr, i - n)->index :
							       MSR_INDEX(KVM_WALL_CLOCK_NEW) + i - n - f;
		t.nmsrs = count;
		r = ask(w, vcpu_of(w, s), GK_GET_MSRS, &t);
		if (r < 0) {
			a->status = r;
			return;
		}
		for (int i = 0; i < r; i++)
			say(a, "MSR %x", t.entries[i].index, 0, t.entries[i].data);
		if ((unsigned)r < count)
			say(a, "MSR %x can be read", t.entries[r].index, 0, 0);
		done += (unsigned)r + 1;
	}
}

/* arg0 flags, arg3 1: no pointer. Items: flags, base, count, seed of the bitmap (0: zeros, 1: ones). */
void make_filter(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 90) ? below(&m->r, 2) : odd_number(&m->r) & 0xffffffff;
	s->n = below(&m->r, 4);
	for (unsigned i = 0; i < s->n; i++) {
		struct item *e = &s->item[i];

		e->part[0] = chance(&m->r, 90) ? 1 + below(&m->r, 3) : below(&m->r, 8);
		e->part[1] = chance(&m->r, 80) ? (any_msr(m) & ~7U) : odd_number(&m->r) & 0xffffffff;
		e->part[2] = chance(&m->r, 80) ? 8 + below(&m->r, 64) : odd_number(&m->r) & 0x7fff;
		e->part[3] = below(&m->r, 4);
	}
	s->arg[3] = chance(&m->r, 2);
}

void run_filter(struct side *w, const struct step *s, struct answer *a)
{
	static unsigned char maps[ITEMS][0x1000];
	struct gk_msr_filter f = { .flags = (uint32_t)s->arg[0] };

	for (unsigned i = 0; i < s->n; i++) {
		struct random r = { s->item[i].part[3] };

		f.ranges[i] = (struct gk_msr_filter_range){ (uint32_t)s->item[i].part[0], (uint32_t)s->item[i].part[2],
							    (uint32_t)s->item[i].part[1], maps[i] };
		for (size_t k = 0; k < sizeof(maps[i]); k++)
			maps[i][k] = s->item[i].part[3] < 2 ? (unsigned char)-(int)s->item[i].part[3] :
							      (unsigned char)random_next(&r);
	}
	a->status = ask_or_nowhere(w, w->vm, GK_X86_SET_MSR_FILTER, s, &f);
}
