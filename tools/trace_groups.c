/* SPDX-License-Identifier: MIT */
/* What many vCPUs have alike is told once. */
#include "sim/describe.h"
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#define RUNS_MOST 6

void *trace_need(void *memory)
{
	if (memory)
		return memory;
	fputs("guestcpu: out of memory\n", stderr);
	exit(EXIT_LACKS);
}

void trace_numbers(struct text *t, const uint32_t *numbers, size_t n)
{
	unsigned runs = 0;
	size_t i = 0;

	for (; i < n && runs < RUNS_MOST; i++) {
		size_t first = i;

		while (i + 1 < n && numbers[i + 1] == numbers[i] + 1)
			i++;
		text_add(t, i > first ? "%s%u-%u" : "%s%u", runs++ ? ", " : "", numbers[first], numbers[i]);
	}
	if (i < n)
		text_add(t, " and %zu more", n - i);
}

struct group {
	struct sim_call call; /* the first */
	unsigned *times;      /* by vCPU; [0] where it is of none */
};

struct groups {
	const struct sim_report *report;
	struct group *all;
	unsigned n, most;
	unsigned more; /* calls for which there was no room */
};

static bool alike(const struct sim_call *a, const struct sim_call *b)
{
	struct sim_call other = *b;

	if ((a->vcpu < 0) != (b->vcpu < 0))
		return false;
	other.vcpu = a->vcpu;
	return sim_call_same(a, &other);
}

static void group(struct groups *g, const struct sim_call *c)
{
	size_t vcpus = g->report->vcpus.n;
	unsigned at = 0;

	while (at < g->n && !alike(&g->all[at].call, c))
		at++;
	if (at == g->n && g->n < g->most) {
		g->all[at].times = trace_need(calloc(vcpus ? vcpus : 1, sizeof(*g->all[at].times)));
		g->all[at].call = *c;
		g->n++;
	}
	if (at < g->n)
		g->all[at].times[c->vcpu < 0 ? 0 : c->vcpu] += c->times;
	else
		g->more++;
}

/* As "vcpu 3", "vcpus 0-254" or "vm", and "2 times each", or nothing for once. */
static void add_group(struct grid *grid, const struct groups *g, const struct group *of, trace_row *row)
{
	size_t vcpus = of->call.vcpu < 0 ? 1 : g->report->vcpus.n, n = 0;
	uint32_t *numbers = trace_need(calloc(vcpus, sizeof(*numbers)));
	struct text where = { NULL, 0, 0 };
	unsigned total = 0, each = 0;
	bool even = true;
	char times[60] = "";

	for (size_t i = 0; i < vcpus; i++) {
		if (!of->times[i])
			continue;
		even &= !n || of->times[i] == each;
		each = of->times[i];
		total += each;
		numbers[n++] = (uint32_t)i;
	}
	if (of->call.vcpu < 0)
		text_add(&where, "%s", of->call.scope);
	else
		text_add(&where, n > 1 ? "vcpus " : "vcpu ");
	if (of->call.vcpu >= 0)
		trace_numbers(&where, numbers, n);
	if (!even || each > 1)
		snprintf(times, sizeof(times), "%u times%s", even ? each : total, n == 1 ? "" : even ? " each" : " in all");
	row(grid, &of->call, where.s, times);
	free(where.s);
	free(numbers);
}

void trace_grouped(const struct sim_report *r, const char *head, bool (*pick)(const struct sim_call *c), trace_row *row,
		   unsigned most)
{
	struct groups g = { .report = r, .all = trace_need(calloc(most, sizeof(*g.all))), .most = most };
	struct grid *grid = grid_new(TRACE_COLUMNS);

	for (size_t i = 0; i < r->calls.n; i++)
		if (pick(LIST_AT(&r->calls, struct sim_call, i)))
			group(&g, LIST_AT(&r->calls, struct sim_call, i));
	for (unsigned i = 0; i < g.n; i++)
		add_group(grid, &g, &g.all[i], row);
	if (grid_rows(grid)) {
		printf("\n%s\n", head);
		grid_print(grid, stdout, "  ");
	}
	if (g.more)
		printf("  and %u more: --all lists them\n", g.more);
	grid_free(grid);
	for (unsigned i = 0; i < g.n; i++)
		free(g.all[i].times);
	free(g.all);
}
