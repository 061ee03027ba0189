/* SPDX-License-Identifier: MIT */
/* What leaked into a simulation: who the guest's CPU says it is, where that is not the host's own answer. */
#include "core/plan.h"
#include "core/snapshot.h"
#include "trace.h"

#include <guestcpu/kvm.h>

#include <stdlib.h>
#include <string.h>

/* Whose words. */
enum whose { GUESTS, HOSTS, OURS, WHOSE_COUNT };

struct leak {
	const struct facts *facts;
	const struct sim_vcpu *vcpu;
	const struct gcpu_snapshot *host;
	uint64_t *words[WHOSE_COUNT]; /* of the facts */
};

static void table_entry(const struct sim_vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	memset(ret, 0, 4 * sizeof(*ret));
	for (size_t i = 0; i < v->cpuid.n; i++) {
		const struct gcpu_cpuid *e = LIST_AT(&v->cpuid, struct gcpu_cpuid, i);

		if (e->leaf != leaf || ((e->flags & 1) && e->subleaf != subleaf))
			continue;
		memcpy(ret, (const uint32_t[4]){ e->eax, e->ebx, e->ecx, e->edx }, 4 * sizeof(*ret));
		return;
	}
}

static void take_word(struct leak *l, unsigned word)
{
	const struct gcpu_kvm *here = gcpu_kvm_real();
	uint64_t addr = l->facts->words[word].addr;
	const struct snap_cpuid *native = snapshot_cpuid(l->host, SNAP_NATIVE, ADDR_LEAF(addr), ADDR_SUBLEAF(addr));
	uint32_t guests[4], ours[4] = { 0, 0, 0, 0 };

	table_entry(l->vcpu, ADDR_LEAF(addr), ADDR_SUBLEAF(addr), guests);
	if (here->ops->host_cpuid(here->ctx, ADDR_LEAF(addr), ADDR_SUBLEAF(addr), ours))
		memset(ours, 0, sizeof(ours));
	l->words[GUESTS][word] = guests[ADDR_REG(addr)];
	l->words[HOSTS][word] = native ? native->regs[ADDR_REG(addr)] : 0;
	l->words[OURS][word] = ours[ADDR_REG(addr)];
}

/* The property's value as each has it; false: the guest's table has none. */
static bool take(struct leak *l, const char *name, char ret[WHOSE_COUNT][64])
{
	const struct facts *f = l->facts;
	int prop = property_find(f, name, strlen(name));
	const struct value_fact *value = NULL;

	for (unsigned i = 0; i < f->n_values && !value; i++)
		if (f->values[i].prop == prop)
			value = &f->values[i];
	if (!value)
		return false;
	for (unsigned i = 0; i < value->n; i++)
		take_word(l, value->form == VALUE_TEXT ? value->of[i] : f->fields[value->of[i]].word);
	for (unsigned who = 0; who < WHOSE_COUNT; who++) {
		const struct gcpu_plan tables = { .facts = f, .arch = arch_of(GCPU_ARCH_X86), .value = l->words[who] };
		struct gcpu_property_standing s = { .size = sizeof(s) };

		property_in_effect(&tables, value, &s);
		snprintf(ret[who], sizeof(ret[who]), "%s", s.has_value ? s.text : "");
		/* a brand may be filled up */
		for (size_t n = strlen(ret[who]); n && ret[who][n - 1] == ' '; n--)
			ret[who][n - 1] = 0;
	}
	return *ret[GUESTS];
}

static void add_row(struct grid *g, const char *name, char value[WHOSE_COUNT][64])
{
	char host[100];

	if (strcmp(value[GUESTS], value[HOSTS]) == 0)
		return;
	snprintf(host, sizeof(host), *value[HOSTS] ? "that host's is %s" : "that host has none", value[HOSTS]);
	grid_add(g, (const char *const[]){ name, value[GUESTS], host });
}

/* Another signature or brand may be what the program was told to give; not so another maker. */
static void compare(struct leak *l, struct grid *g)
{
	static const char *const signature[] = { "family", "model", "stepping" };
	char value[3][WHOSE_COUNT][64];
	bool ours = true;

	if (take(l, "vendor", value[0]))
		add_row(g, "vendor", value[0]);
	for (unsigned i = 0; i < 3; i++)
		ours &= take(l, signature[i], value[i]) && strcmp(value[i][GUESTS], value[i][OURS]) == 0;
	for (unsigned i = 0; i < 3 && ours; i++)
		add_row(g, signature[i], value[i]);
	if (take(l, "model-id", value[0]) && strcmp(value[0][GUESTS], value[0][OURS]) == 0)
		add_row(g, "model-id", value[0]);
}

void trace_leak(const struct sim_report *r, const struct sim_told *t)
{
	struct leak l = { .facts = arch_of(GCPU_ARCH_X86)->facts, .host = t->host };
	struct grid *g = grid_new(3);

	for (unsigned who = 0; who < WHOSE_COUNT; who++)
		l.words[who] = trace_need(calloc(l.facts->n_words, sizeof(*l.words[who])));
	l.vcpu = r->vcpus.n ? LIST_AT(&r->vcpus, struct sim_vcpu, 0) : NULL;
	if (l.host && l.vcpu && l.vcpu->cpuid.n)
		compare(&l, g);
	if (grid_rows(g)) {
		puts("so it seems here, by the table of vCPU 0:");
		grid_print(g, stdout, "  ");
	}
	grid_free(g);
	for (unsigned who = 0; who < WHOSE_COUNT; who++)
		free(l.words[who]);
}
