/* SPDX-License-Identifier: MIT */
/* What every test program here needs. Exit status: 0, 1, or 77 with a reason. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <dirent.h>
#include <guestcpu/guestcpu.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKIPPED 77

static int unit_failures;

#define CHECK(cond, ...)                                                \
	do {                                                            \
		if (!(cond)) {                                          \
			unit_failures++;                                \
			printf("FAIL %s:%d: %s: ", __FILE__, __LINE__, #cond); \
			printf(__VA_ARGS__);                            \
			printf("\n");                                   \
		}                                                       \
	} while (0)

static inline int unit_end(void)
{
	if (unit_failures)
		printf("%d failed\n", unit_failures);
	return unit_failures ? 1 : 0;
}

/* Entries of a directory, "." and ".." too: descriptors or threads of this process. */
static inline unsigned unit_entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* A document in memory. */
struct unit_text {
	char *s;
	size_t n, room;
};

/* A gcpu_write. The text always ends in a NUL that .n does not count. */
static inline int unit_write(void *ctx, const char *data, size_t n)
{
	struct unit_text *t = ctx;

	if (t->n + n + 1 > t->room) {
		size_t room = (t->n + n + 1) * 2;
		char *more = realloc(t->s, room);

		if (!more)
			return GCPU_ERR_MEMORY;
		t->s = more;
		t->room = room;
	}
	memcpy(t->s + t->n, data, n);
	t->n += n;
	t->s[t->n] = 0;
	return 0;
}

/* A whole file; .s is NULL if it cannot be read. */
static inline struct unit_text unit_file(const char *path)
{
	struct unit_text t = { NULL, 0, 0 };
	char buf[4096];
	FILE *f = fopen(path, "rb");
	size_t n;

	while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		if (unit_write(&t, buf, n))
			break;
	if (f)
		fclose(f);
	return t;
}

#endif
