/* SPDX-License-Identifier: MIT */
/* What the harnesses share. A broken promise of the library aborts. */
#ifndef GCPU_TESTS_FUZZ_H
#define GCPU_TESTS_FUZZ_H

#include "core/plan.h"
#include "core/view.h"

#include <guestcpu/guestcpu.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(what)                                                                            \
	do {                                                                                  \
		if (!(what)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);    \
			abort();                                                              \
		}                                                                             \
	} while (0)

/* One input, as libFuzzer calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An error that STATUS came with, about a text of LENGTH bytes. */
void fuzz_error(const struct gcpu_error *err, int status, size_t length);

/* A machine of a few bytes; not every one is possible. */
struct gcpu_machine fuzz_machine(const uint8_t *data, size_t size);

/* Everything that may be asked of a plan. */
void fuzz_plan(const struct gcpu_plan *plan);

/* A document that was written, for reading it again. */
struct fuzz_text {
	char *data;
	size_t n, room;
};
int fuzz_write(void *ctx, const char *data, size_t n); /* a gcpu_write */

/* The same snapshot, written and read again. */
struct gcpu_snapshot *fuzz_again(const struct gcpu_snapshot *s);

/* Plans REQUEST on S, with a machine of five bytes, and asks everything of the plan. */
void fuzz_request(const struct gcpu_snapshot *s, enum gcpu_arch arch, const char *request, const uint8_t machine[5]);

#endif
