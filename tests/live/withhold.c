/* SPDX-License-Identifier: MIT */
/*
 * Pages that come late, without a guest: a thread waits for them as KVM would.
 * Whatever happens, nobody waits for ever and nothing is left behind.
 */
#include "../unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "withhold.h"

#define FOREVER_MS 3600000

static const struct gcpu_kvm *real;
static size_t page_size;
static unsigned char *contents;

/* The real backend, but the ioctl number FAIL_AT (from 1) fails. */
static struct {
	unsigned calls, fail_at;
} fault;

static int faulty_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	(void)ctx;
	if (++fault.calls == fault.fail_at)
		return -EINVAL;
	return real->ops->ioctl(real->ctx, fd, request, arg);
}

static unsigned char *new_page(void)
{
	unsigned char *p = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	memset(p, 0x11, page_size);
	return p;
}

struct toucher {
	volatile unsigned char *page;
	int begun;
	unsigned char got;
};

static void *touch(void *arg)
{
	struct toucher *t = arg;

	__atomic_store_n(&t->begun, 1, __ATOMIC_RELEASE);
	t->got = t->page[page_size - 1];
	return NULL;
}

static void test_given(void)
{
	unsigned char *page = new_page();
	struct toucher t = { .page = page };
	struct withhold *w = NULL;
	struct gcpu_error err = { 0 };
	pthread_t thread;
	int r = withhold_new(real, page, page_size, contents, 20, &w, &err);

	CHECK(r == 0, "%s", err.text);
	if (pthread_create(&thread, NULL, touch, &t))
		abort();
	pthread_join(thread, NULL);
	CHECK(t.got == 0x22, "read 0x%x", t.got);
	CHECK(withhold_end(w) == 1, "touched, and said not to be");
	CHECK(memcmp(page, contents, page_size) == 0, "not what it was to hold");
	munmap(page, page_size);
}

static void test_not_touched(void)
{
	unsigned char *page = new_page();
	struct withhold *w = NULL;
	struct gcpu_error err = { 0 };

	CHECK(withhold_new(real, page, page_size, contents, 0, &w, &err) == 0, "%s", err.text);
	CHECK(withhold_end(w) == 0, "not touched, and said to be");
	CHECK(page[0] == 0, "0x%x", page[0]);
	munmap(page, page_size);
}

/* Who waits is let go, in whatever state he finds the page. */
static void test_ended_early(void)
{
	unsigned char *page = new_page();
	struct toucher t = { .page = page };
	struct withhold *w = NULL;
	struct gcpu_error err = { 0 };
	pthread_t thread;

	CHECK(withhold_new(real, page, page_size, contents, FOREVER_MS, &w, &err) == 0, "%s", err.text);
	if (pthread_create(&thread, NULL, touch, &t))
		abort();
	while (!__atomic_load_n(&t.begun, __ATOMIC_ACQUIRE))
		;
	/* most likely it waits by then; either way it must end */
	usleep(20000);
	CHECK(withhold_end(w) == 0, "given before its time");
	pthread_join(thread, NULL);
	CHECK(t.got == 0, "read 0x%x", t.got);
	munmap(page, page_size);
}

/* The one who gives cannot: he lets go. */
static void test_faults(void)
{
	struct gcpu_kvm_ops ops = *real->ops;
	const struct gcpu_kvm faulty = { .ops = &ops, .ctx = real->ctx };

	ops.ioctl = faulty_ioctl;
	for (unsigned at = 1; at <= 3; at++) {
		unsigned fds = unit_entries("/proc/self/fd"), threads = unit_entries("/proc/self/task");
		unsigned char *page = new_page();
		struct toucher t = { .page = page };
		struct withhold *w = NULL;
		struct gcpu_error err = { 0 };
		pthread_t thread;
		int r;

		fault.calls = 0;
		fault.fail_at = at;
		r = withhold_new(&faulty, page, page_size, contents, 0, &w, &err);
		CHECK((at <= 2) == (r == GCPU_ERR_REFUSED), "ioctl %u: %d, %s", at, r, err.text);
		CHECK(r == 0 || (!w && err.text[0]), "ioctl %u: no reason", at);
		if (pthread_create(&thread, NULL, touch, &t))
			abort();
		pthread_join(thread, NULL);
		CHECK(t.got == (at <= 2 ? 0x11 : 0), "ioctl %u: read 0x%x", at, t.got);
		CHECK(withhold_end(w) == 0, "ioctl %u: said to be given", at);
		munmap(page, page_size);
		CHECK(unit_entries("/proc/self/fd") == fds && unit_entries("/proc/self/task") == threads,
		      "ioctl %u: descriptors or threads are left", at);
	}
}

int main(void)
{
	struct withhold *w = NULL;
	struct gcpu_error err = { 0 };
	unsigned char *page;

	real = gcpu_kvm_real();
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	contents = malloc(page_size);
	if (!contents)
		abort();
	memset(contents, 0x22, page_size);
	page = new_page();
	if (withhold_new(real, page, page_size, contents, 0, &w, &err)) {
		printf("SKIP: withhold: %s\n", err.text);
		free(contents);
		return SKIPPED;
	}
	withhold_end(w);
	munmap(page, page_size);
	test_given();
	test_not_touched();
	test_ended_early();
	test_faults();
	free(contents);
	return unit_end();
}
