/* SPDX-License-Identifier: MIT */
/*
 * Memory is exhausted at every allocation in turn: each
 * call says so, leaves nothing behind and does not crash; or it succeeds and
 * nothing is missing.
 *
 * Linked with -Wl,--wrap for malloc, calloc, realloc and free: calls from our
 * objects come here, also under a sanitizer, which then sees what is lost too.
 */
#ifndef TESTS_UNIT_EXHAUST_H
#define TESTS_UNIT_EXHAUST_H

#include "unit.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static struct {
	bool on;
	unsigned count, at; /* the AT-th fails, from 1 */
	bool from_there;    /* and all after it */
	bool failed;
	long live;	    /* made and not freed */
} memory;

/* True if this one fails. */
static bool spent(void)
{
	if (!memory.on)
		return false;
	memory.count++;
	if (memory.count != memory.at && !(memory.from_there && memory.failed))
		return false;
	memory.failed = true;
	return true;
}

static void *made(void *p)
{
	memory.live += memory.on && p;
	return p;
}

void *__wrap_malloc(size_t n)
{
	return spent() ? NULL : made(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return spent() ? NULL : made(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	void *q;

	if (spent())
		return NULL;
	q = __real_realloc(p, n);
	memory.live += memory.on && q && !p;
	return q;
}

void __wrap_free(void *p)
{
	memory.live -= memory.on && p;
	__real_free(p);
}

/* One call that is to be tried, with all it needs; leaves nothing behind. */
struct body {
	const char *name;
	int (*run)(void);
};

/* Length of a document, or of a list: what succeeds must be whole. */
static size_t wrote;

static int check_error(int status, const struct gcpu_error *err)
{
	CHECK(status == 0 || err->code == status, "returns %d, err has %d", status, err->code);
	CHECK(status == 0 || err->text[0], "no text");
	return status;
}

static int once(const struct body *b, unsigned at, bool from_there)
{
	int status;

	memory.count = 0;
	memory.at = at;
	memory.from_there = from_there;
	memory.failed = false;
	memory.live = 0;
	wrote = 0;
	memory.on = true;
	status = b->run();
	memory.on = false;
	CHECK(memory.live == 0, "%s: %ld left after allocation %u failed", b->name, memory.live, at);
	return status;
}

#define EXHAUST_MOST 1000U

static void exhaust(const struct body *b)
{
	unsigned n, step;
	size_t whole;

	CHECK(once(b, 0, false) == 0, "%s fails with all the memory there is", b->name);
	n = memory.count;
	whole = wrote;
	/* of very many, some: the first ones, and then one here and there */
	step = n > EXHAUST_MOST ? n / EXHAUST_MOST : 1;
	for (unsigned at = 1; at <= n; at += at < EXHAUST_MOST / 4 ? 1 : step) {
		for (int from_there = 0; from_there < 2; from_there++) {
			int status = once(b, at, from_there);

			CHECK(memory.failed, "%s: there is no allocation %u", b->name, at);
			if (status == 0)
				CHECK(wrote == whole, "%s: success with %zu of %zu bytes without allocation %u",
				      b->name, wrote, whole, at);
			else
				CHECK(status == GCPU_ERR_MEMORY, "%s: %d without allocation %u", b->name, status,
				      at);
		}
	}
	printf("%s: %u allocations\n", b->name, n);
}

#endif
