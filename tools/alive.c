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
	copy->control = e->control ? strdup(e->control) : NULL;
	list->n++;
	return copy->name && copy->witness && !copy->observed == !e->observed && !copy->control == !e->control ?
		       0 : GCPU_ERR_MEMORY;
}

void alive_free(struct alive_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free((char *)list->items[i].name);
		free((char *)list->items[i].observed);
		free((char *)list->items[i].witness);
		free((char *)list->items[i].control);
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
		.kvm = tool_kvm(t), .kvm_fd = p->kvm_fd, .snapshot = p->snap,
		.request = t->value[OPT_CPU] ? t->value[OPT_CPU] : "host", .machine = &t->machine,
		.plan = p->plan, .model = t->model != NULL, .limit_ms = limit_ms, .progress = progress, .visit = keep, .ctx = ret,
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

/* What is left open, by the name of such an exercise; NULL: it is another. */
static const char *left_open(const struct gcpu_exercise *e)
{
	static const char prefix[] = "not-enforced:";
	size_t n = sizeof(prefix) - 1;

	return e->kind == GCPU_EXERCISE_BEHAVIOUR && strncmp(e->name, prefix, n) == 0 ? e->name + n : NULL;
}

static const char *does(const struct gcpu_exercise *e)
{
	return e->observed ? e->observed : gcpu_alive_name(e->alive);
}

/* Features and interfaces; how what works was refused where it is off, with --all. */
static void print_used(const struct tool *t, const struct alive_list *list)
{
	struct grid *g = grid_new(4);
	char text[512];

	grid_add(g, (const char *const[]){ "FEATURE", "PLANNED", "ALIVE", "WITNESS" });
	for (size_t i = 0; i < list->n; i++) {
		const struct gcpu_exercise *e = &list->items[i];
		bool more = t->value[OPT_ALL] && e->control;

		if (e->kind == GCPU_EXERCISE_BEHAVIOUR)
			continue;
		snprintf(text, sizeof(text), "%s%s%s", e->witness, more ? "; when off: " : "",
			 more ? e->control : "");
		grid_add(g, (const char *const[]){ e->name, standing(e), gcpu_alive_name(e->alive), text });
	}
	grid_wrap(g);
	if (grid_rows(g) > 1)
		grid_print(g, stdout, "");
	grid_free(g);
}

/* What this KVM does where there is no right and wrong: what it leaves open, or the rest. */
static unsigned print_seen(const struct alive_list *list, const char *head, bool open, bool show)
{
	struct grid *g = grid_new(3);
	unsigned n = 0;

	grid_add(g, (const char *const[]){ head, "DOES", "WITNESS" });
	for (size_t i = 0; i < list->n; i++) {
		const struct gcpu_exercise *e = &list->items[i];

		if (e->kind != GCPU_EXERCISE_BEHAVIOUR || !left_open(e) == open)
			continue;
		grid_add(g, (const char *const[]){ open ? left_open(e) : e->name, does(e), e->witness });
		n++;
	}
	grid_wrap(g);
	if (n && show) {
		printf("\n");
		grid_print(g, stdout, "");
	}
	grid_free(g);
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
	unsigned n;

	printf("\n");
	print_used(t, list);
	print_seen(list, "NOT COVERED BY ENFORCEMENT", true, true);
	n = print_seen(list, "THIS KVM", false, t->value[OPT_ALL] != NULL);
	if (list->n)
		printf("\n");
	if (n && !t->value[OPT_ALL])
		printf("%u more things that this KVM does, and the controls of what works: --all shows them\n", n);
	if (list->n)
		totals(list);
	else
		printf("no exercises for this architecture\n");
}

bool alive_bad(const struct alive_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].alive == GCPU_ALIVE_LEAKS || list->items[i].alive == GCPU_ALIVE_FAILS)
			return true;
	return false;
}
