/* SPDX-License-Identifier: MIT */
/*
 * AMX and the order of things: the first vCPU of a process, a probe's own too,
 * closes the door on tile state. No machine with AMX is at hand: a small KVM of
 * ours plays the rule of Documentation/arch/x86/xstate.rst.
 */
#include "facts_gen.h"
#include "core/plan.h"
#include "kvm/abi.h"
#include "kvm/abi_x86.h"
#include "kvm/probe.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TILES (1ULL << 17 | 1ULL << 18)

static struct {
	bool permitted, locked;
	unsigned strays; /* questions about components that CPUID itself says are not there */
	int fds;
	struct gk_cpuid_entry2 table[64];
	uint32_t n;
} fake;

static const struct gk_cpuid_entry2 supported[] = {
	{ .function = 0, .eax = 0x1d, .ebx = 0x756e6547, .edx = 0x49656e69, .ecx = 0x6c65746e },
	{ .function = 1, .ecx = 1U << 26, .edx = 1U << 0 | 1U << 24 | 1U << 25 | 1U << 26 },
	{ .function = 7, .flags = 1, .edx = 1U << 24 | 1U << 25 }, /* AMX_TILE, AMX_INT8 */
	{ .function = 0xd, .flags = 1, .eax = 3, .ebx = 576, .ecx = 576 },
	{ .function = 0xd, .flags = 1, .index = 1 },
	{ .function = 0xd, .flags = 1, .index = 17, .eax = 64, .ebx = 2752 },
	{ .function = 0xd, .flags = 1, .index = 18, .eax = 8192, .ebx = 2816 },
	/* the tiles are described whether or not they are permitted */
	{ .function = 0x1d, .flags = 1, .eax = 1 },
	{ .function = 0x1d, .flags = 1, .index = 1, .eax = 0x04002000, .ebx = 0x00080040, .ecx = 16 },
};

static int get_supported(struct gk_cpuid2 *c)
{
	uint32_t n = 0;

	for (size_t i = 0; i < sizeof(supported) / sizeof(supported[0]); i++) {
		if (supported[i].index >= 17 && !fake.permitted)
			continue;
		if (n == c->nent)
			return -E2BIG;
		c->entries[n] = supported[i];
		if (supported[i].function == 0xd && supported[i].index == 0 && fake.permitted)
			c->entries[n].eax |= (uint32_t)TILES;
		n++;
	}
	c->nent = n;
	return 0;
}

static int set_table(const struct gk_cpuid2 *c)
{
	if (c->nent > 64)
		return -E2BIG;
	memcpy(fake.table, c->entries, c->nent * sizeof(fake.table[0]));
	fake.n = c->nent;
	return 0;
}

static int get_table(struct gk_cpuid2 *c)
{
	if (c->nent < fake.n)
		return -E2BIG;
	memcpy(c->entries, fake.table, fake.n * sizeof(fake.table[0]));
	c->nent = fake.n;
	return 0;
}

static int fake_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	(void)ctx;
	(void)fd;
	switch (request) {
	case GK_CREATE_VM:
		return ++fake.fds;
	case GK_CREATE_VCPU:
		fake.locked = true;
		return ++fake.fds;
	case GK_GET_SUPPORTED_CPUID:
		return get_supported((struct gk_cpuid2 *)arg);
	case GK_SET_CPUID2:
		return set_table((const struct gk_cpuid2 *)arg);
	case GK_GET_CPUID2:
		return get_table((struct gk_cpuid2 *)arg);
	case GK_GET_MSR_INDEX_LIST:
		((struct gk_msr_list *)arg)->nmsrs = 0;
		return 0;
	case GK_GET_DEVICE_ATTR:
		*(uint64_t *)(uintptr_t)((struct gk_device_attr *)arg)->addr = 3 | TILES;
		return 0;
	case GK_ENABLE_CAP:
		return 0;
	default:
		return -ENOTTY;
	}
}

/* A permission that is held is granted again; a new one only before the lock. */
static int fake_perm(void *ctx, int code, uint64_t arg, uint64_t *ret)
{
	(void)ctx;
	if (code == GK_ARCH_GET_XCOMP_GUEST_PERM) {
		*ret = fake.permitted ? 3 | TILES : 3;
		return 0;
	}
	if (code != GK_ARCH_REQ_XCOMP_GUEST_PERM || arg != 18)
		return -EINVAL;
	if (!fake.permitted && fake.locked)
		return -EBUSY;
	fake.permitted = true;
	return 0;
}

static int fake_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	(void)ctx;
	memset(ret, 0, 4 * sizeof(ret[0]));
	for (size_t i = 0; i < sizeof(supported) / sizeof(supported[0]); i++)
		if (supported[i].function == leaf && supported[i].index == subleaf)
			memcpy(ret, &supported[i].eax, 4 * sizeof(ret[0]));
	fake.strays += leaf == 0xd && subleaf > 1 && !(TILES >> subleaf & 1);
	/* the processor has the tiles, whoever may use them */
	if (leaf == 0xd && subleaf == 0)
		ret[0] |= (uint32_t)TILES;
	return 0;
}

static int fake_close(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	return 0;
}

static const struct gcpu_kvm_ops ops = {
	.size = sizeof(ops), .ioctl = fake_ioctl, .close = fake_close, .host_cpuid = fake_cpuid,
	.guest_perm = fake_perm,
};

static void check(bool ask)
{
	struct gcpu_kvm kvm = { &ops, NULL };
	struct gcpu_error err = { 0 };
	struct probe p = { .kvm = &kvm, .kvm_fd = 3, .trial = true, .ask_xcomp = ask, .err = &err };
	struct gcpu_fds fds = { .size = sizeof(fds), .vm = -1 };
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct snap_cap *cap;

	memset(&fake, 0, sizeof(fake));
	p.snap = snapshot_new(GCPU_ARCH_X86);
	cap = list_add(&p.snap->caps_system, sizeof(*cap));
	*cap = (struct snap_cap){ CAP_SYS_ATTRIBUTES, 1 };
	CHECK(probe_x86(&p) == 0, "probe: %s", err.text);
	/* each CPUID costs an exit in a virtual machine: Intel's manual says which sub-leaves count */
	CHECK(fake.strays == 0, "%u sub-leaves of no component", fake.strays);
	CHECK(p.snap->xcomp_permitted == (ask ? 3 | TILES : 3), "permitted 0x%llx",
	      (unsigned long long)p.snap->xcomp_permitted);
	CHECK(gcpu_request_parse(GCPU_ARCH_X86, "host", &req, &err) == 0, "%s", err.text);
	CHECK(gcpu_plan_make(p.snap, req, NULL, &plan, &err) == 0, "%s", err.text);
	CHECK(plan && gcpu_plan_has(plan, GCPU_X86_AMX_TILE), "AMX is planned, asked for or not");
	if (plan) {
		int status = gcpu_plan_apply(plan, GCPU_PHASE_PROCESS, &kvm, &fds, &err);

		CHECK(status == (ask ? 0 : GCPU_ERR_KVM), "apply: %d %s", status, err.text);
		CHECK(ask || err.os_error == EBUSY, "errno %d", err.os_error);
	}
	gcpu_plan_free(plan);
	gcpu_request_free(req);
	gcpu_snapshot_free(p.snap);
}

int main(void)
{
	check(true);
	check(false);
	return unit_end();
}
