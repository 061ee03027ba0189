/* SPDX-License-Identifier: MIT */
/* A request, a newline, and up to five bytes of machine: for both architectures. */
#include "fuzz.h"

#include "seed_arm64.h"
#include "seed_x86.h"

#include <string.h>

enum { HOSTS_MOST = 16 };

static struct gcpu_snapshot *hosts[HOSTS_MOST];
static unsigned n_hosts;

static void add_host(struct gcpu_snapshot *s)
{
	if (n_hosts < HOSTS_MOST)
		hosts[n_hosts++] = s;
	else
		gcpu_snapshot_free(s);
}

static struct gcpu_snapshot *parse(const char *text, size_t n)
{
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err;

	if (gcpu_snapshot_parse(text, n, &s, &err)) {
		fprintf(stderr, "a seed is not a snapshot: %s\n", err.text);
		abort();
	}
	return s;
}

/* The two of this test, and those that come with the library. */
static void load_hosts(void)
{
	struct gcpu_snapshot *s = NULL;

	add_host(parse((const char *)seed_x86, sizeof(seed_x86)));
	add_host(parse((const char *)seed_arm64, sizeof(seed_arm64)));
	for (unsigned i = 0; gcpu_snapshot_bundled_name(i); i++) {
		MUST(gcpu_snapshot_bundled(gcpu_snapshot_bundled_name(i), &s, NULL) == 0);
		add_host(s);
	}
}

static void plan(enum gcpu_arch arch, const struct gcpu_request *req, const uint8_t *tail, size_t n)
{
	struct gcpu_machine m = fuzz_machine(tail, n);
	unsigned skip = n > 5 ? tail[5] : 0, found = 0;

	for (unsigned i = 0; i < n_hosts; i++)
		found += gcpu_snapshot_arch(hosts[i]) == arch;
	skip %= found;
	for (unsigned i = 0; i < n_hosts; i++) {
		struct gcpu_plan *p = NULL;
		struct gcpu_error err;
		int status;

		if (gcpu_snapshot_arch(hosts[i]) != arch || skip--)
			continue;
		status = gcpu_plan_make(hosts[i], req, &m, &p, &err);
		if (status) {
			MUST(!p);
			fuzz_error(&err, status, strlen(gcpu_request_text(req)));
			return;
		}
		fuzz_plan(p);
		gcpu_plan_free(p);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum gcpu_arch arches[] = { GCPU_ARCH_X86, GCPU_ARCH_ARM64 };
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t n = end ? (size_t)(end - data) : size, tail = end ? size - n - 1 : 0;
	char *text = malloc(n + 1);

	MUST(text);
	if (!n_hosts)
		load_hosts();
	if (n)
		memcpy(text, data, n);
	text[n] = 0;
	for (int i = 0; i < 2; i++) {
		struct gcpu_request *req = NULL;
		struct gcpu_error err;
		int status = gcpu_request_parse(arches[i], text, &req, &err);

		if (status) {
			MUST(!req);
			fuzz_error(&err, status, strlen(text));
			continue;
		}
		MUST(strcmp(gcpu_request_text(req), text) == 0);
		plan(arches[i], req, end ? end + 1 : data, tail);
		gcpu_request_free(req);
	}
	free(text);
	return 0;
}
