/* SPDX-License-Identifier: MIT */
#include "alive.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alive/alive.h"
#include "term.h"

#define N_ALIVE (GCPU_ALIVE_FAILS + 1)

static int keep(void *ctx, const struct gcpu_exercise *e)
{
	struct alive_list *list = ctx;
	struct gcpu_exercise *items = realloc(list->items, (list->n + 1) * sizeof(*items));
	struct gcpu_exercise *copy;

	if (!items)
		return GCPU_ERR_MEMORY;
	list->items = items;
	copy = &items[list->n];
	*copy = *e;
	copy->name = strdup(e->name);
	copy->observed = e->observed ? strdup(e->observed) : NULL;
	copy->witness = strdup(e->witness);
	list->n++;
	return copy->name && copy->witness && !copy->observed == !e->observed ? 0 : GCPU_ERR_MEMORY;
}

void alive_free(struct alive_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free((char *)list->items[i].name);
		free((char *)list->items[i].observed);
		free((char *)list->items[i].witness);
	}
	free(list->items);
	memset(list, 0, sizeof(*list));
}

/* The name of what is at work; over itself, and gone at the end. */
static void progress(void *ctx, const char *name, unsigned number, unsigned all)
{
	(void)ctx;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%u of %u: %s\033[K", number, all, name);
}

int alive_collect(struct tool *t, const struct planned *p, unsigned limit_ms, struct alive_list *ret)
{
	const struct alive_options o = {
		.kvm = gcpu_kvm_real(), .kvm_fd = p->kvm_fd, .snapshot = p->snap,
		.request = t->value[OPT_CPU] ? t->value[OPT_CPU] : "host", .machine = &t->machine,
		.plan = p->plan, .limit_ms = limit_ms, .progress = progress, .visit = keep, .ctx = ret,
	};
	struct gcpu_error err = { 0 };
	int status;

	memset(ret, 0, sizeof(*ret));
	status = alive_run(&o, &err);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (status == 0)
		return 0;
	if (!err.code) {
		err.code = status;
		err.offset = (size_t)-1;
		snprintf(err.text, sizeof(err.text), "out of memory");
	}
	alive_free(ret);
	return tool_fail(t, &err, NULL);
}

static const char *standing(const struct gcpu_exercise *e)
{
	return e->kind != GCPU_EXERCISE_FEATURE ? "-" : e->planned ? "on" : "off";
}

static unsigned rows(const struct alive_list *list, bool behaviours, struct grid *grid)
{
	unsigned n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct gcpu_exercise *e = &list->items[i];

		if ((e->kind == GCPU_EXERCISE_BEHAVIOUR) != behaviours)
			continue;
		if (behaviours)
			grid_add(grid, (const char *const[]){ e->name, e->observed ? e->observed : gcpu_alive_name(e->alive),
							      e->witness });
		else
			grid_add(grid, (const char *const[]){ e->name, standing(e), gcpu_alive_name(e->alive), e->witness });
		n++;
	}
	return n;
}

static void totals(const struct alive_list *list)
{
	unsigned count[N_ALIVE] = { 0 };
	bool first = true;

	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].kind != GCPU_EXERCISE_BEHAVIOUR)
			count[list->items[i].alive]++;
	for (int v = 0; v < N_ALIVE; v++) {
		if (!count[v] && v != GCPU_ALIVE_LEAKS)
			continue;
		printf("%s%u %s", first ? "" : ", ", count[v], gcpu_alive_name((enum gcpu_alive)v));
		first = false;
	}
	printf("\n");
}

void alive_print(const struct tool *t, const struct alive_list *list)
{
	struct grid *used = grid_new(4), *seen = grid_new(3);

	(void)t;
	grid_add(used, (const char *const[]){ "FEATURE", "PLANNED", "ALIVE", "WITNESS" });
	grid_add(seen, (const char *const[]){ "THIS KVM", "DOES", "WITNESS" });
	printf("\n");
	if (rows(list, false, used)) {
		grid_wrap(used);
		grid_print(used, stdout, "");
		printf("\n");
	}
	if (rows(list, true, seen)) {
		grid_wrap(seen);
		grid_print(seen, stdout, "");
		printf("\n");
	}
	if (list->n)
		totals(list);
	else
		printf("no exercises for this architecture\n");
	grid_free(used);
	grid_free(seen);
}

bool alive_bad(const struct alive_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].alive == GCPU_ALIVE_LEAKS || list->items[i].alive == GCPU_ALIVE_FAILS)
			return true;
	return false;
}
