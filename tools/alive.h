/* SPDX-License-Identifier: MIT */
/* What exercises in guests have shown: collected, and as a table. */
#ifndef GCPU_TOOLS_ALIVE_H
#define GCPU_TOOLS_ALIVE_H

#include "tool.h"

struct alive_list {
	struct gcpu_exercise *items; /* strings are owned */
	size_t n;
};

/* Run all exercises after the plan; 0 or an exit code, reported. Free with alive_free(). */
int alive_collect(struct tool *t, const struct planned *p, unsigned limit_ms, struct alive_list *ret);
void alive_free(struct alive_list *list);
void alive_print(const struct tool *t, const struct alive_list *list);
/* Did one leak, or fail? */
bool alive_bad(const struct alive_list *list);

#endif
