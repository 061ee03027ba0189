/* SPDX-License-Identifier: MIT */
/*
 * What differs from CPU to CPU: a host is the same host, whichever CPU answered
 * first, and whether or not the process was moved while it asked.
 */
#include "core/plan.h"
#include "kvm/abi.h"
#include "kvm/abi_x86.h"
#include "kvm/probe.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

/* Unpinned, leaves up to this one are answered by CPU 0, those above by CPU 1. */
static uint32_t moved_after;
static int pinned;

static int fake_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	(void)ctx;
	(void)fd;
	if (request == GK_GET_SUPPORTED_CPUID) {
		struct gk_cpuid2 *c = (struct gk_cpuid2 *)arg;

		c->entries[0] = (struct gk_cpuid_entry2){ .eax = 0xb };
		c->nent = 1;
		return 0;
	}
	if (request == GK_GET_MSR_INDEX_LIST) {
		((struct gk_msr_list *)arg)->nmsrs = 0;
		return 0;
	}
	return request == GK_CREATE_VM || request == GK_CREATE_VCPU ? 5 : request == GK_SET_CPUID2 ? 0 : -ENOTTY;
}

/* Ids in leaves 1 and 0xb are each CPU's own. */
static int fake_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	uint32_t cpu = pinned >= 0 ? (uint32_t)pinned : leaf > moved_after;

	(void)ctx;
	memset(ret, 0, 4 * sizeof(ret[0]));
	if (leaf == 0)
		ret[0] = 0xb;
	if (leaf == 1)
		ret[1] = 0x800 | cpu << 24;
	if (leaf == 0xb && subleaf == 0) {
		ret[2] = 0x100;
		ret[3] = cpu;
	}
	return 0;
}

static int fake_pin(void *ctx, int cpu)
{
	(void)ctx;
	pinned = cpu;
	return 0;
}

static int fake_file(void *ctx, const char *path, char *out, size_t size)
{
	(void)ctx;
	if (!strstr(path, "cpu/online") || size < 3)
		return -ENOENT;
	memcpy(out, "0-1", 3);
	return 3;
}

static int fake_close(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	return 0;
}

static const struct gcpu_kvm_ops ops = {
	.size = sizeof(ops), .ioctl = fake_ioctl, .close = fake_close, .host_cpuid = fake_cpuid,
	.pin = fake_pin, .read_host_file = fake_file,
};

static struct gcpu_snapshot *probe_when(uint32_t moved)
{
	struct gcpu_kvm kvm = { &ops, NULL };
	struct gcpu_error err = { 0 };
	struct probe p = { .kvm = &kvm, .kvm_fd = 3, .all_cpus = true, .err = &err };

	moved_after = moved;
	pinned = -1;
	p.snap = snapshot_new(GCPU_ARCH_X86);
	p.snap->name = text_copy("two", 3);
	CHECK(probe_x86(&p) == 0, "probe: %s", err.text);
	CHECK(snapshot_seal(p.snap) == 0, "seal");
	CHECK(p.snap->cpuid[SNAP_VARIES].n == 2, "%zu leaves vary", p.snap->cpuid[SNAP_VARIES].n);
	return p.snap;
}

int main(void)
{
	static const uint32_t moments[] = { 0, 1, 0xb };
	struct gcpu_snapshot *still = probe_when(UINT32_MAX);

	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		struct gcpu_snapshot *s = probe_when(moments[i]);

		CHECK(strcmp(s->hash, still->hash) == 0, "moved after leaf 0x%x: %s, not %s", moments[i], s->hash,
		      still->hash);
		gcpu_snapshot_free(s);
	}
	gcpu_snapshot_free(still);
	return unit_end();
}
