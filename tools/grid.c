/* SPDX-License-Identifier: MIT */
#include "term.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MOST 8

struct grid {
	unsigned columns, rows, room;
	unsigned width; /* 0: no line is broken */
	char **cells;
};

/* A table with holes would be a lie. */
static void out_of_memory(void)
{
	fputs("guestcpu: out of memory\n", stderr);
	exit(EXIT_LACKS);
}

struct grid *grid_new(unsigned columns)
{
	struct grid *g = columns <= COLUMNS_MOST ? calloc(1, sizeof(*g)) : NULL;

	if (!g)
		out_of_memory();
	g->columns = columns;
	return g;
}

void grid_add(struct grid *g, const char *const cells[])
{
	if (g->rows == g->room) {
		unsigned room = g->room ? g->room * 2 : 32;
		char **all = realloc(g->cells, (size_t)room * g->columns * sizeof(*all));

		if (!all)
			out_of_memory();
		g->cells = all;
		g->room = room;
	}
	for (unsigned c = 0; c < g->columns; c++) {
		char *copy = strdup(cells[c] ? cells[c] : "");

		if (!copy)
			out_of_memory();
		g->cells[g->rows * g->columns + c] = copy;
	}
	g->rows++;
}

unsigned grid_rows(const struct grid *g)
{
	return g ? g->rows : 0;
}

static int column_width(const struct grid *g, unsigned column)
{
	int width = 0;

	for (unsigned r = 0; r < g->rows; r++) {
		const char *cell = g->cells[r * g->columns + column];
		int n = cell ? (int)strlen(cell) : 0;

		width = n > width ? n : width;
	}
	return width;
}

void grid_wrap(struct grid *g)
{
	g->width = term_width();
}

static void print_row(const struct grid *g, unsigned row, const int *widths, FILE *f, unsigned at)
{
	char *const *cells = &g->cells[row * g->columns];
	unsigned last = g->columns;

	while (last && (!cells[last - 1] || !*cells[last - 1]))
		last--;
	for (unsigned c = 0; c < last; c++) {
		const char *cell = cells[c] ? cells[c] : "";

		if (c + 1 < last) {
			fprintf(f, "%-*s  ", widths[c], cell);
			at += (unsigned)widths[c] + 2;
		} else if (g->width && f == stdout && c + 1 == g->columns && at + 20 < g->width) {
			term_wrap(cell, at, at, g->width);
			return;
		} else {
			tool_print(f, cell);
		}
	}
	fputc('\n', f);
}

void grid_print(const struct grid *g, FILE *f, const char *indent)
{
	int widths[COLUMNS_MOST] = { 0 };

	if (!g)
		return;
	for (unsigned c = 0; c < g->columns; c++)
		widths[c] = column_width(g, c);
	for (unsigned r = 0; r < g->rows; r++) {
		fputs(indent, f);
		print_row(g, r, widths, f, (unsigned)strlen(indent));
	}
}

void grid_free(struct grid *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < g->rows * g->columns; i++)
		free(g->cells[i]);
	free(g->cells);
	free(g);
}
