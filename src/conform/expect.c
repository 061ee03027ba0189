/* SPDX-License-Identifier: MIT */
/* Assertions: counted, and told where they do not hold. */
#include "case.h"

#include <stdio.h>

static void tell(struct conform *c, const char *what, const char *got)
{
	struct conform_result *r = c->result;

	r->failed++;
	if (r->n_failures < CONFORM_FAILURES)
		snprintf(r->failure[r->n_failures++], CONFORM_TEXT, "%.120s%s%.76s", what, *got ? ": " : "", got);
}

#define FORMATTED(buf, format)                              \
	do {                                                \
		va_list ap;                                 \
                                                            \
		va_start(ap, format);                       \
		vsnprintf(buf, sizeof(buf), format, ap);    \
		va_end(ap);                                 \
	} while (0)

#define ERRNO_MOST 4095 /* what is below that is no kernel's */

/* "0", "5", "EINVAL", "errno 123" */
static void result_name(char *buf, size_t n, int r)
{
	bool failed = r < 0 && r >= -ERRNO_MOST;
	const char *name = failed ? errno_name(-r) : NULL;

	if (name)
		snprintf(buf, n, "%s", name);
	else
		snprintf(buf, n, failed ? "errno %d" : "%d", failed ? -r : r);
}

bool expect(struct conform *c, bool good, const char *format, ...)
{
	char what[CONFORM_TEXT];

	c->result->checks++;
	if (good)
		return true;
	FORMATTED(what, format);
	tell(c, what, "");
	return false;
}

static void tell_result(struct conform *c, const char *what, const char *wanted, int r)
{
	char got[24], both[76];

	result_name(got, sizeof(got), r);
	snprintf(both, sizeof(both), "expected %.30s, got %s", wanted, got);
	tell(c, what, both);
}

bool expect_ok(struct conform *c, int r, const char *format, ...)
{
	char what[CONFORM_TEXT];

	c->result->checks++;
	if (r >= 0)
		return true;
	FORMATTED(what, format);
	tell_result(c, what, "success", r);
	return false;
}

bool expect_result(struct conform *c, int r, int want, const char *format, ...)
{
	char what[CONFORM_TEXT], wanted[24];

	c->result->checks++;
	if (r == want)
		return true;
	FORMATTED(what, format);
	result_name(wanted, sizeof(wanted), want);
	tell_result(c, what, wanted, r);
	return false;
}

bool expect_errno(struct conform *c, int r, int error, const char *format, ...)
{
	char what[CONFORM_TEXT], wanted[24];

	c->result->checks++;
	if (r == -error)
		return true;
	FORMATTED(what, format);
	result_name(wanted, sizeof(wanted), -error);
	tell_result(c, what, wanted, r);
	return false;
}

bool expect_value(struct conform *c, uint64_t got, uint64_t want, const char *format, ...)
{
	char what[CONFORM_TEXT], both[76];

	c->result->checks++;
	if (got == want)
		return true;
	FORMATTED(what, format);
	snprintf(both, sizeof(both), "expected 0x%llx, got 0x%llx", (unsigned long long)want,
		 (unsigned long long)got);
	tell(c, what, both);
	return false;
}

int broken(struct conform *c, const char *format, ...)
{
	char what[CONFORM_TEXT];

	FORMATTED(what, format);
	tell(c, what, "");
	return 1;
}

int skip(struct conform *c, const char *format, ...)
{
	if (!c->skipped)
		FORMATTED(c->result->reason, format);
	c->skipped = true;
	return 1;
}
