/* SPDX-License-Identifier: MIT */
/* Lists of CPUID that KVM makes: their sizes, their order, their errors. KVM API 4.46, 4.88; cpuid.c. */
#include "x86.h"

#include <guestcpu/model.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define UNMAPPED ((const void *)8)

/*
 * Too few entries: E2BIG, and the caller's count is left alone, so that it has to grow and retry.
 * SPARE: room that KVM wants beyond what it fills.
 */
static int too_small(struct conform *c, unsigned long request, const char *name, uint32_t spare)
{
	struct table *t = case_memory(c, sizeof(*t));
	uint32_t n;

	if (!t)
		return 1;
	t->nent = GK_CPUID_ENTRIES_MOST;
	if (!expect_ok(c, ask(c, c->kvm_fd, request, t), "%s with %u entries", name, GK_CPUID_ENTRIES_MOST))
		return 1;
	n = t->nent;
	for (uint32_t i = 0; i < n + spare; i++) {
		memset(t, 0, sizeof(*t));
		t->nent = i;
		if (!expect_errno(c, ask(c, c->kvm_fd, request, t), E2BIG, "%s with %u of %u entries", name, i, n) ||
		    !expect_value(c, t->nent, i, "%s: nent after E2BIG", name))
			return 1;
	}
	memset(t, 0, sizeof(*t));
	t->nent = n + spare;
	expect_ok(c, ask(c, c->kvm_fd, request, t), "%s with %u of %u entries", name, n + spare, n);
	expect_value(c, t->nent, n, "%s: nent", name);
	return 0;
}

static int supported_small(struct conform *c)
{
	return too_small(c, GK_GET_SUPPORTED_CPUID, "KVM_GET_SUPPORTED_CPUID", 0);
}

/* There the leaf after the last that is filled wants room, too. */
static int emulated_small(struct conform *c)
{
	return too_small(c, GK_GET_EMULATED_CPUID, "KVM_GET_EMULATED_CPUID", 1);
}

/* The API's ENOMEM for too many is no code path: more than 256 are taken as 256. */
static int too_large(struct conform *c, unsigned long request, const char *name)
{
	static const uint32_t counts[] = { GK_CPUID_ENTRIES_MOST, GK_CPUID_ENTRIES_MOST + 1, 100000, UINT32_MAX };
	struct table *t = case_memory(c, sizeof(*t));
	uint32_t n = 0;

	for (unsigned i = 0; t && i < COUNT(counts); i++) {
		memset(t, 0, sizeof(*t));
		t->nent = counts[i];
		if (!expect_ok(c, ask(c, c->kvm_fd, request, t), "%s with nent %u", name, counts[i]))
			continue;
		n = i ? n : t->nent;
		expect(c, t->nent > 0 && t->nent <= GK_CPUID_ENTRIES_MOST, "%s: %u entries filled", name, t->nent);
		expect_value(c, t->nent, n, "%s with nent %u: entries filled", name, counts[i]);
	}
	return 0;
}

static int supported_large(struct conform *c)
{
	return too_large(c, GK_GET_SUPPORTED_CPUID, "KVM_GET_SUPPORTED_CPUID");
}

static int emulated_large(struct conform *c)
{
	return too_large(c, GK_GET_EMULATED_CPUID, "KVM_GET_EMULATED_CPUID");
}

/* A header at the end of a page after which nothing is mapped. */
static struct gk_cpuid2 *edge(struct conform *c, void **ret_pages, size_t *ret_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		broken(c, "out of memory");
		return NULL;
	}
	mprotect(p + page, page, PROT_NONE);
	*ret_pages = p;
	*ret_size = 2 * page;
	return (struct gk_cpuid2 *)(void *)(p + page - sizeof(struct gk_cpuid2));
}

static int supported_fault(struct conform *c)
{
	expect_errno(c, ask(c, c->kvm_fd, GK_GET_SUPPORTED_CPUID, UNMAPPED), EFAULT,
		     "KVM_GET_SUPPORTED_CPUID with a header that is not mapped");
	expect_errno(c, ask(c, c->kvm_fd, GK_GET_EMULATED_CPUID, UNMAPPED), EFAULT,
		     "KVM_GET_EMULATED_CPUID with a header that is not mapped");
	return 0;
}

static int unmapped_entries(struct conform *c)
{
	struct gk_cpuid2 *t;
	void *pages;
	size_t size;

	t = edge(c, &pages, &size);
	if (!t)
		return 1;
	t->nent = GK_CPUID_ENTRIES_MOST;
	expect_errno(c, ask(c, c->kvm_fd, GK_GET_SUPPORTED_CPUID, t), EFAULT,
		     "KVM_GET_SUPPORTED_CPUID with entries that are not mapped");
	/* whose padding is looked at first, and cannot be */
	expect_errno(c, ask(c, c->kvm_fd, GK_GET_EMULATED_CPUID, t), EINVAL,
		     "KVM_GET_EMULATED_CPUID with entries that are not mapped");
	munmap(pages, size);
	return 0;
}

/* Every word of padding of every entry that is passed in has to be 0; of the supported list, none. */
static int emulated_padding(struct conform *c)
{
	struct table *t = case_memory(c, sizeof(*t));

	for (unsigned i = 0; t && i < 2 * 3; i++) {
		memset(t, 0, sizeof(*t));
		t->nent = 40;
		t->e[i / 3 * 39].padding[i % 3] = 1;
		expect_errno(c, ask(c, c->kvm_fd, GK_GET_EMULATED_CPUID, t), EINVAL,
			     "KVM_GET_EMULATED_CPUID with padding[%u] of entry %u set", i % 3, i / 3 * 39);
	}
	if (!t)
		return 1;
	memset(t, 0, sizeof(*t));
	t->nent = 40;
	t->e[40].padding[0] = 1;
	expect_ok(c, ask(c, c->kvm_fd, GK_GET_EMULATED_CPUID, t), "KVM_GET_EMULATED_CPUID with padding set behind the last");
	memset(t, 0xff, sizeof(*t));
	t->nent = GK_CPUID_ENTRIES_MOST;
	expect_ok(c, ask(c, c->kvm_fd, GK_GET_SUPPORTED_CPUID, t), "KVM_GET_SUPPORTED_CPUID with padding set");
	for (unsigned i = 0; i < t->nent && i < GK_CPUID_ENTRIES_MOST; i++)
		expect(c, !t->e[i].padding[0] && !t->e[i].padding[1] && !t->e[i].padding[2],
		       "KVM_GET_SUPPORTED_CPUID: padding of leaf 0x%x is 0", t->e[i].function);
	return 0;
}

static int emulated_content(struct conform *c)
{
	struct table *t = case_memory(c, sizeof(*t)), supported;

	if (!t || table_supported(c, &supported))
		return 1;
	t->nent = GK_CPUID_ENTRIES_MOST;
	if (!expect_ok(c, ask(c, c->kvm_fd, GK_GET_EMULATED_CPUID, t), "KVM_GET_EMULATED_CPUID"))
		return 1;
	expect(c, t->nent >= 3 && t->e[0].function == L_BASIC && t->e[1].function == L_FEATURES &&
			  t->e[2].function == L_EXTENDED_FEATURES,
	       "leaves 0, 1 and 7, in this order (%u entries)", t->nent);
	expect_value(c, table_reg(t, L_BASIC, 0, EAX), L_EXTENDED_FEATURES, "leaf 0 EAX");
	expect_value(c, table_reg(t, L_FEATURES, 0, ECX), C1_MOVBE, "leaf 1 ECX");
	expect_value(c, table_reg(t, L_FEATURES, 0, EDX), 0, "leaf 1 EDX");
	expect(c, !(table_reg(t, L_EXTENDED_FEATURES, 0, ECX) & ~C7_RDPID), "leaf 7 ECX has RDPID at most");
	expect_value(c, table_reg(t, L_EXTENDED_FEATURES, 0, EBX), 0, "leaf 7 EBX");
	if (table_reg(&supported, L_EXT_FEATURES, 0, EDX) & BIT32(27)) /* RDTSCP */
		expect(c, table_reg(t, L_EXTENDED_FEATURES, 0, ECX) & C7_RDPID, "RDPID where there is RDTSCP");
	for (unsigned i = 0; i < t->nent && i < 3; i++)
		expect_value(c, t->e[i].flags, i == 2 ? GK_CPUID_FLAG_SIGNIFCANT_INDEX : 0, "flags of leaf 0x%x",
			     t->e[i].function);
	return 0;
}

/* Classes one after the other, KVM's own at the end; none of a class's leaves left out. */
static int supported_order(struct conform *c)
{
	struct table t;
	uint32_t base = L_BASIC, max, leaf = L_BASIC;
	unsigned i = 0;

	if (table_supported(c, &t))
		return 1;
	for (;;) {
		expect(c, i < t.nent && t.e[i].function == base, "a class that begins with leaf 0x%x", base);
		if (i >= t.nent)
			return 1;
		max = t.e[i].eax;
		for (leaf = base; i < t.nent && t.e[i].function >= base && t.e[i].function <= max; i++) {
			if (t.e[i].function == leaf)
				continue;
			if (!expect_value(c, t.e[i].function, leaf + 1, "the leaf after 0x%x", leaf))
				return 1;
			leaf++;
		}
		expect_value(c, leaf, max, "the last leaf of the class from 0x%x", base);
		if (base == L_HYPERVISOR)
			break;
		base = base == L_BASIC ? L_EXT : i < t.nent && t.e[i].function == L_CENTAUR ? L_CENTAUR : L_HYPERVISOR;
	}
	expect_value(c, i, t.nent, "entries up to the end of KVM's own class");
	expect_value(c, max, L_KVM_FEATURES, "highest leaf of KVM's class");
	return 0;
}

static bool indexed(uint32_t leaf)
{
	static const uint32_t leaves[] = { 0x4, 0x7, 0xb, 0xd, 0xf, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1d, 0x1e, 0x1f };

	for (unsigned i = 0; i < COUNT(leaves); i++)
		if (leaves[i] == leaf)
			return true;
	return false;
}

static int supported_flags(struct conform *c)
{
	struct table t;

	if (table_supported(c, &t))
		return 1;
	for (unsigned i = 0; i < t.nent; i++) {
		const struct gk_cpuid_entry2 *e = &t.e[i];

		/* made by KVM where the CPU has no such leaf; 0x24 since AVX10 */
		if (e->function == L_CACHE_AMD || e->function == 0x24)
			continue;
		expect_value(c, e->flags, indexed(e->function) ? GK_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			     "flags of leaf 0x%x sub-leaf 0x%x", e->function, e->index);
		if (!indexed(e->function))
			expect_value(c, e->index, 0, "index of leaf 0x%x", e->function);
	}
	return 0;
}

/* Twice the same: nothing in it is a matter of chance on one CPU. */
static int supported_stable(struct conform *c)
{
	struct table a, b;

	c->kvm->ops->pin(c->kvm->ctx, 0);
	if (table_supported(c, &a) || table_supported(c, &b)) {
		c->kvm->ops->pin(c->kvm->ctx, -1);
		return 1;
	}
	c->kvm->ops->pin(c->kvm->ctx, -1);
	expect(c, table_same(&a, &b), "two calls on one CPU give the same");
	return 0;
}

const struct conform_case cases_x86_cpuid_get[] = {
	{ "cpuid-get:supported-too-small", "KVM API 4.46", supported_small },
	{ "cpuid-get:supported-too-large", "cpuid.c kvm_dev_ioctl_get_cpuid", supported_large },
	{ "cpuid-get:bad-pointers", "KVM API 4.46", supported_fault },
	{ "cpuid-get:unmapped-entries", "cpuid.c kvm_dev_ioctl_get_cpuid, sanity_check_entries", unmapped_entries },
	{ "cpuid-get:supported-order", "cpuid.c get_cpuid_func", supported_order },
	{ "cpuid-get:supported-flags", "cpuid.c do_host_cpuid", supported_flags },
	{ "cpuid-get:supported-stable", "KVM API 4.46", supported_stable },
	{ "cpuid-get:emulated-too-small", "KVM API 4.88", emulated_small },
	{ "cpuid-get:emulated-too-large", "cpuid.c kvm_dev_ioctl_get_cpuid", emulated_large },
	{ "cpuid-get:emulated-padding", "cpuid.c sanity_check_entries", emulated_padding },
	{ "cpuid-get:emulated-content", "cpuid.c __do_cpuid_func_emulated", emulated_content },
	{ NULL, NULL, NULL },
};
