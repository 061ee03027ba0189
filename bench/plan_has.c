/* SPDX-License-Identifier: MIT */
/*
 * gcpu_plan_has() against a search through the same table, entry by entry, as KVM looked up a
 * guest's CPUID before it kept capabilities as bits: the first entry of that function whose
 * index fits or does not count.
 */
#include "bench.h"

#include <guestcpu/guestcpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEATURES_MOST 1024
#define TABLE_MOST 256
#define QUESTIONS (1 << 16)
#define SAMPLES 101

/* The largest table among the bundled hosts: a real machine's. */
#define HOST "x86-amd-pvm-6-18"

struct named {
	unsigned id, reg;
	uint32_t leaf, subleaf, mask;
};

static struct named all[FEATURES_MOST];
static unsigned n_all;

static int collect(void *ctx, const struct gcpu_feature_info *f)
{
	static const char *const regs[] = { "eax", "ebx", "ecx", "edx" };
	struct named *n = &all[n_all];
	char reg[4];

	(void)ctx;
	if (!f->id || n_all == FEATURES_MOST ||
	    sscanf(f->word, "CPUID.%x.%x.%3s", &n->leaf, &n->subleaf, reg) != 3)
		return 0;
	while (n->reg < 4 && strcmp(regs[n->reg], reg) != 0)
		n->reg++;
	n->id = f->id;
	n->mask = (f->width == 32 ? ~0U : (1U << f->width) - 1) << f->lsb;
	n_all += n->reg < 4;
	return 0;
}

/* The table as KVM keeps it. */
struct entry {
	uint32_t function, index, flags, eax, ebx, ecx, edx, padding[3];
};

static struct entry table[TABLE_MOST];
static size_t n_table;

/* Questions come in no order that a processor could learn; each feature as often as another. */
static const struct named *questions[QUESTIONS];
static unsigned ids[QUESTIONS];

static void ask(void)
{
	uint32_t seed = 1;

	for (unsigned i = 0; i < QUESTIONS; i++)
		questions[i] = &all[i % n_all];
	for (unsigned i = QUESTIONS - 1; i > 0; i--) {
		const struct named *swap = questions[i];
		unsigned k;

		seed = seed * 1664525 + 1013904223;
		k = (unsigned)((uint64_t)seed * (i + 1) >> 32);
		questions[i] = questions[k];
		questions[k] = swap;
	}
	for (unsigned i = 0; i < QUESTIONS; i++)
		ids[i] = questions[i]->id;
}

static int __attribute__((noinline)) search(const struct named *f)
{
	for (size_t i = 0; i < n_table; i++) {
		const struct entry *e = &table[i];

		if (e->function != f->leaf || ((e->flags & 1) && e->index != f->subleaf))
			continue;
		return ((&e->eax)[f->reg] & f->mask) != 0;
	}
	return 0;
}

static volatile unsigned sink;

static void measure(const struct gcpu_plan *plan)
{
	static double ours[SAMPLES], linear[SAMPLES];

	for (unsigned s = 0; s < SAMPLES; s++) {
		unsigned yes = 0;
		double start = bench_now(), middle;

#pragma GCC unroll 8 /* the question is measured, not the loop */
		for (unsigned i = 0; i < QUESTIONS; i++)
			yes += gcpu_plan_has(plan, ids[i]);
		middle = bench_now();
#pragma GCC unroll 8
		for (unsigned i = 0; i < QUESTIONS; i++)
			yes += (unsigned)search(questions[i]);
		sink += yes;
		ours[s] = (middle - start) * 1e3 / QUESTIONS;
		linear[s] = (bench_now() - middle) * 1e3 / QUESTIONS;
	}
	bench_row("gcpu_plan_has: search through the table", bench_typical(ours, SAMPLES),
		  bench_typical(linear, SAMPLES), "ns", BENCH_AT_LEAST, 20);
}

/* Both must say the same, or one of them answers another question. */
static unsigned differing(const struct gcpu_plan *plan)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < n_all; i++)
		wrong += gcpu_plan_has(plan, all[i].id) != (search(&all[i]) != 0);
	return wrong;
}

static int fill_table(const struct gcpu_plan *plan)
{
	struct gcpu_cpuid *e;
	size_t n = 0;

	gcpu_plan_cpuid(plan, 0, NULL, &n);
	e = n > 0 && n <= TABLE_MOST ? calloc(n, sizeof(*e)) : NULL;
	if (!e || gcpu_plan_cpuid(plan, 0, e, &n)) {
		free(e);
		return BENCH_BROKEN;
	}
	for (size_t i = 0; i < n; i++)
		table[i] = (struct entry){ e[i].leaf, e[i].subleaf, e[i].flags, e[i].eax, e[i].ebx,
					   e[i].ecx, e[i].edx, { 0 } };
	n_table = n;
	free(e);
	return 0;
}

int main(void)
{
	struct gcpu_snapshot *snap = NULL;
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_error err;
	int status = BENCH_BROKEN;

	gcpu_features(GCPU_ARCH_X86, collect, NULL);
	ask();
	if (gcpu_snapshot_bundled(HOST, &snap, &err) ||
	    gcpu_request_parse(GCPU_ARCH_X86, "host", &req, &err) ||
	    gcpu_plan_make(snap, req, NULL, &plan, &err)) {
		fprintf(stderr, "%s\n", err.text);
		goto out;
	}
	if (fill_table(plan))
		goto out;
	printf("%u named features, %zu entries, %u answered differently\n", n_all, n_table,
	       differing(plan));
	bench_head();
	measure(plan);
	status = bench_status();
out:
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	gcpu_snapshot_free(snap);
	return status;
}
