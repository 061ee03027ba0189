/* SPDX-License-Identifier: MIT */
/* Tables of vCPUs: from what KVM supports, with edits that a VMM would make and others. */
#include "x86.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 300

enum base { BASE_SUPPORTED, BASE_USUAL, BASE_EMPTY, BASE_OWN, BASE_ZERO, BASES };
enum edit { EDIT_FIELD, EDIT_BIT, EDIT_REG, EDIT_DROP, EDIT_DOUBLE, EDIT_FLAGS, EDIT_SWAP, EDIT_ADD, EDIT_LEAF, EDITS };
static const char *const base_names[] = { "supported", "supported with run-time bits", "nothing", "own", "one zero entry" };
static const char *const edit_names[] = { "flip", "flip bit", "set", "drop", "double", "flags", "swap", "add", "leaf" };

/* Fields that KVM acts on, one way or another. */
static const uint16_t fields[] = {
	X86_F_XSAVE, X86_F_XSAVES, X86_F_XSAVEC, X86_F_X2APIC, X86_F_TSC_DEADLINE, X86_F_APIC, X86_F_OSXSAVE, X86_F_OSPKE,
	X86_F_MONITOR, X86_F_PKU, X86_F_PCID, X86_F_SMEP, X86_F_SMAP, X86_F_UMIP, X86_F_LA57, X86_F_FSGSBASE, X86_F_NX,
	X86_F_LM, X86_F_SYSCALL, X86_F_RDTSCP, X86_F_RDPID, X86_F_SVM, X86_F_ARCH_CAPABILITIES, X86_F_SPEC_CTRL,
	X86_F_MTRR, X86_F_PAT, X86_F_MCE, X86_F_TSC_ADJUST, X86_F_PDCM, X86_F_FXSR, X86_F_KVMCLOCK1, X86_F_KVMCLOCK2,
	X86_F_KVM_ASYNCPF, X86_F_KVM_STEAL_TIME, X86_F_KVM_PV_EOI, X86_F_KVM_PV_UNHALT, X86_F_KVM_PV_IPI,
	X86_F_KVM_POLL_CONTROL, X86_F_KVM_PV_SCHED_YIELD, X86_F_KVM_ASYNCPF_INT, X86_F_KVM_ASYNCPF_VMEXIT,
	X86_F_IBPB, X86_F_SSBD, X86_F_PGE, X86_F_VME, X86_F_DE, X86_F_PSE, X86_F_PAE, X86_F_SEP, X86_F_PMM,
};

/* Items: kind, place, value, register. */
static void make_edit(struct maker *m, struct item *e)
{
	static const uint8_t kinds[] = { EDIT_FIELD, EDIT_FIELD, EDIT_FIELD, EDIT_FIELD, EDIT_FIELD, EDIT_FIELD, EDIT_BIT,
					 EDIT_BIT, EDIT_REG, EDIT_DROP, EDIT_DROP, EDIT_DOUBLE, EDIT_FLAGS, EDIT_SWAP,
					 EDIT_ADD, EDIT_LEAF };
	static const uint32_t leaves[] = { 0, 1, 2, 4, 5, 6, 7, 0xa, 0xb, 0xd, 0x15, 0x1f, 0x20, 0x24, 0x40000000, 0x40000001,
					   0x40000100, 0x40000101, 0x80000000, 0x80000001, 0x80000007, 0x80000008,
					   0x8000000a, 0x8000001d, 0x80000021, 0x80000022, 0xc0000000 };

	e->part[0] = kinds[below(&m->r, COUNT(kinds))];
	e->part[1] = below(&m->r, 64);
	switch (e->part[0]) {
	case EDIT_FIELD:
		e->part[1] = fields[below(&m->r, COUNT(fields))];
		break;
	case EDIT_BIT:
		e->part[2] = below(&m->r, 32);
		e->part[3] = below(&m->r, 4);
		break;
	case EDIT_REG:
		e->part[2] = (uint32_t)odd_number(&m->r);
		e->part[3] = below(&m->r, 4);
		break;
	case EDIT_FLAGS:
		e->part[2] = chance(&m->r, 70) ? below(&m->r, 2) : (uint32_t)odd_number(&m->r);
		break;
	case EDIT_DOUBLE:
	case EDIT_SWAP:
		e->part[2] = below(&m->r, 64);
		break;
	case EDIT_ADD:
	case EDIT_LEAF:
		e->part[2] = leaves[below(&m->r, COUNT(leaves))];
		e->part[3] = below(&m->r, 3);
		break;
	default:
		break;
	}
}

/* arg0 where it begins, arg1 nent instead, arg3 1: no pointer, 2: only the head can be read */
void make_set_cpuid2(struct maker *m, struct step *s)
{
	static const uint16_t sizes[] = { 1, 2, 255, 256, 257, 0xffff };

	s->arg[0] = chance(&m->r, 60) ? BASE_SUPPORTED + below(&m->r, 2) : below(&m->r, BASES);
	if (m->table && chance(&m->r, 30))
		s->arg[0] = BASE_OWN;
	if (chance(&m->r, 4))
		s->arg[1] = sizes[below(&m->r, COUNT(sizes))];
	s->n = chance(&m->r, 30) ? 0 : below(&m->r, ITEMS) + 1;
	for (unsigned i = 0; i < s->n; i++)
		make_edit(m, &s->item[i]);
	s->arg[3] = chance(&m->r, 1) ? 1 : 0;
	m->table = true;
}

static struct gk_cpuid_entry2 *entry_of(struct gk_cpuid2 *t, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < t->nent; i++)
		if (t->entries[i].function == leaf && t->entries[i].index == index)
			return &t->entries[i];
	return NULL;
}

static uint32_t *reg_at(struct gk_cpuid_entry2 *e, unsigned reg)
{
	uint32_t *regs[] = { &e->eax, &e->ebx, &e->ecx, &e->edx };

	return regs[reg & 3];
}

/* The register that a field is in, NULL: it is not there; *BIT is the field's lowest. */
static uint32_t *reg_of(struct gk_cpuid2 *t, unsigned field, uint32_t *bit)
{
	const struct field_fact *f = &gcpu_facts_x86.fields[field];
	uint64_t addr = gcpu_facts_x86.words[f->word].addr;
	struct gk_cpuid_entry2 *e = ADDR_SPACE(addr) == SPACE_CPUID ? entry_of(t, ADDR_LEAF(addr), ADDR_SUBLEAF(addr)) : NULL;

	*bit = 1U << f->lsb;
	return e ? reg_at(e, ADDR_REG(addr)) : NULL;
}

static void flip_field(struct gk_cpuid2 *t, unsigned field)
{
	uint32_t bit, *reg = reg_of(t, field, &bit);

	if (reg)
		*reg ^= bit;
}

static void edit(struct gk_cpuid2 *t, const struct item *i)
{
	struct gk_cpuid_entry2 *e = t->nent ? &t->entries[i->part[1] % t->nent] : NULL, was;
	unsigned place = e ? (unsigned)(e - t->entries) : 0;

	if (i->part[0] == EDIT_FIELD && i->part[1] < gcpu_facts_x86.n_fields)
		flip_field(t, (unsigned)i->part[1]);
	if (i->part[0] == EDIT_ADD && t->nent < ROOM)
		t->entries[t->nent++] = (struct gk_cpuid_entry2){ (uint32_t)i->part[2], (uint32_t)i->part[3], i->part[3] & 1,
								  (uint32_t)i->part[2], 0x4b4d564b, 0x564b4d56, 0x4d, { 0 } };
	if (!e)
		return;
	switch (i->part[0]) {
	case EDIT_BIT:
		*reg_at(e, (unsigned)i->part[3]) ^= 1U << (i->part[2] & 31);
		break;
	case EDIT_REG:
		*reg_at(e, (unsigned)i->part[3]) = (uint32_t)i->part[2];
		break;
	case EDIT_DROP:
		memmove(e, e + 1, (t->nent - place - 1) * sizeof(*e));
		t->nent--;
		break;
	case EDIT_DOUBLE:
		if (t->nent < ROOM) {
			t->entries[t->nent] = *e;
			t->entries[t->nent++].eax ^= 1U << (i->part[2] & 31);
		}
		break;
	case EDIT_FLAGS:
		e->flags = (uint32_t)i->part[2];
		break;
	case EDIT_SWAP:
		was = *e;
		*e = t->entries[i->part[2] % t->nent];
		t->entries[i->part[2] % t->nent] = was;
		break;
	case EDIT_LEAF:
		e->function = (uint32_t)i->part[2];
		e->index = (uint32_t)i->part[3];
		break;
	default:
		break;
	}
}

static void put(struct gk_cpuid2 *t, unsigned field, bool on)
{
	uint32_t bit, *reg = reg_of(t, field, &bit);

	if (reg)
		*reg = on ? *reg | bit : *reg & ~bit;
}

static int begin(struct side *w, const struct step *s, struct gk_cpuid2 *t)
{
	const struct list *from = &w->d->host->cpuid[SNAP_SUPPORTED];

	t->nent = 256;
	switch (s->arg[0]) {
	case BASE_OWN:
		return ask(w, vcpu_of(w, s), GK_GET_CPUID2, t);
	case BASE_EMPTY:
	case BASE_ZERO:
		t->nent = s->arg[0] == BASE_ZERO;
		return 0;
	default:
		t->nent = 0;
		for (size_t i = 0; i < from->n && i < 256; i++) {
			const struct snap_cpuid *e = LIST_AT(from, struct snap_cpuid, i);

			t->entries[t->nent++] = (struct gk_cpuid_entry2){ e->leaf, e->subleaf, e->flags, e->regs[0],
									  e->regs[1], e->regs[2], e->regs[3], { 0 } };
		}
		put(t, X86_F_HYPERVISOR, s->arg[0] == BASE_USUAL);
		if (s->arg[0] == BASE_USUAL)
			put(t, X86_F_TSC_DEADLINE, true);
		return 0;
	}
}

/* The table as the step says it; NULL: no memory. */
static struct gk_cpuid2 *table(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_cpuid2 *t = calloc(1, sizeof(*t) + (ROOM + 1) * sizeof(t->entries[0]));

	a->lost |= !t;
	if (!t)
		return NULL;
	a->status = begin(w, s, t);
	/* where a KVM does not tell how many there are, what it has is where the zeros begin */
	while (s->arg[0] == BASE_OWN && t->nent > 1 && !memcmp(&t->entries[t->nent - 1], &t->entries[ROOM], sizeof(t->entries[0])))
		t->nent--;
	for (unsigned i = 0; i < s->n; i++)
		edit(t, &s->item[i]);
	if (s->arg[1])
		t->nent = (uint32_t)s->arg[1];
	return t;
}

/* What is in force now. */
static void read_back(struct side *w, const struct step *s, struct gk_cpuid2 *t, struct answer *a)
{
	int status;

	memset(t->entries, 0, ROOM * sizeof(t->entries[0]));
	t->nent = ROOM;
	status = ask(w, vcpu_of(w, s), GK_GET_CPUID2, t);
	say(a, "read back", 0, 0, (uint64_t)(int64_t)status);
	say_table(a, t);
}

void run_set_cpuid2(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_cpuid2 *t = table(w, s, a);

	if (!t)
		return;
	if (a->status >= 0)
		a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_SET_CPUID2, s, t);
	read_back(w, s, t, a);
	free(t);
}

void run_set_cpuid(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_cpuid2 *t = table(w, s, a);
	struct gk_cpuid *old = calloc(1, sizeof(*old) + ROOM * sizeof(old->entries[0]));

	a->lost |= !old;
	if (!t || !old) {
		free(t);
		free(old);
		return;
	}
	old->nent = t->nent;
	for (uint32_t i = 0; i < t->nent && i < ROOM; i++)
		old->entries[i] = (struct gk_cpuid_entry){ t->entries[i].function, t->entries[i].eax, t->entries[i].ebx,
							   t->entries[i].ecx, t->entries[i].edx, 0 };
	if (a->status >= 0)
		a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_SET_CPUID, s, old);
	read_back(w, s, t, a);
	free(t);
	free(old);
}

void print_set_cpuid2(FILE *to, const struct step *s)
{
	fprintf(to, " from %s", s->arg[0] < BASES ? base_names[s->arg[0]] : "?");
	for (unsigned i = 0; i < s->n; i++) {
		const struct item *e = &s->item[i];

		if (e->part[0] == EDIT_FIELD && e->part[1] < gcpu_facts_x86.n_fields)
			fprintf(to, ", flip %s", gcpu_facts_x86.fields[e->part[1]].name);
		else
			fprintf(to, ", %s %" PRIu64 " (%#" PRIx64 " %" PRIu64 ")",
				e->part[0] < EDITS ? edit_names[e->part[0]] : "?", e->part[1], e->part[2], e->part[3]);
	}
	if (s->arg[1])
		fprintf(to, ", nent %" PRIu64, s->arg[1]);
	if (s->arg[3] == 1)
		fputs(", a bad pointer", to);
}

/* arg0 nent, arg3 1: no pointer */
void make_get_cpuid2(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 60) ? 256 : below(&m->r, 70);
	s->arg[3] = chance(&m->r, 3);
}

void run_get_cpuid2(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_cpuid2 *t = calloc(1, sizeof(*t) + ROOM * sizeof(t->entries[0]));

	a->lost |= !t;
	if (!t)
		return;
	t->nent = s->arg[0] > ROOM ? ROOM : (uint32_t)s->arg[0];
	a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_GET_CPUID2, s, t);
	say(a, "nent", 0, 0, t->nent);
	if (a->status >= 0)
		say_table(a, t);
	free(t);
}
