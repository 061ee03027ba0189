/* SPDX-License-Identifier: MIT */
#include "hosts.h"

#include "core/plan.h"
#include "kvm/abi_arm64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *add(struct list *l, size_t size)
{
	void *item = list_add(l, size);

	if (!item)
		exit(1);
	return item;
}

static char *copy(const char *text)
{
	char *t = text_copy(text, strlen(text));

	if (!t)
		exit(1);
	return t;
}

static struct gcpu_snapshot *host(enum gcpu_arch arch, const char *name, const char *vendor,
				  const char *module)
{
	static const struct snap_cap caps[] = {
		{ CAP_MAX_VCPUS, 16 }, { CAP_SPLIT_IRQCHIP, 1 }, { CAP_MAX_VCPU_ID, 4096 },
		{ CAP_X2APIC_API, 15 }, { CAP_X86_DISABLE_EXITS, 15 },
		{ CAP_GET_MSR_FEATURES, 1 }, { CAP_ENFORCE_PV_FEATURE_CPUID, 1 },
	};
	struct gcpu_snapshot *s = snapshot_new(arch);
	struct snap_param *p;

	if (!s)
		exit(1);
	s->name = copy(name);
	s->vendor = copy(vendor);
	s->brand = copy("Made up, \"quoted\" \\ caf\xc3\xa9 \xe2\x82\xac");
	s->kernel = copy("6.18.0-test");
	s->microcode = copy("0x1");
	s->module = copy(module);
	p = add(&s->params, sizeof(*p));
	p->module = copy("kvm");
	p->name = copy("ignore_msrs");
	p->value = copy("N");
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		*(struct snap_cap *)add(&s->caps_system, sizeof(caps[0])) = caps[i];
		*(struct snap_cap *)add(&s->caps_vm, sizeof(caps[0])) = caps[i];
	}
	return s;
}

static void cpuid(struct gcpu_snapshot *s, enum snap_tables t, const struct snap_cpuid *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(struct snap_cpuid *)add(&s->cpuid[t], sizeof(*e)) = e[i];
}

#define CPUID(s, t, e) cpuid(s, t, e, sizeof(e) / sizeof((e)[0]))

struct gcpu_snapshot *host_x86(void)
{
	static const struct snap_cpuid supported[] = {
		{ 0x0, 0, 0, { 0xd, 0x68747541, 0x444d4163, 0x69746e65 } },
		{ 0x1, 0, 0, { 0x830f10, 0x0800, 0xf6f83203, 0x178bfbff } },
		{ 0x5, 0, 0, { 0 } },
		{ 0x7, 0, 1, { 0, 0x219c01ab, 0x400004, 0x10 } },
		{ 0xb, 0, 1, { 0, 1, 0x100, 0 } },
		{ 0xb, 1, 1, { 0, 0, 1, 0 } },
		{ 0xd, 0, 1, { 7, 0x340, 0x340, 0 } },
		{ 0xd, 1, 1, { 7, 0x340, 0, 0 } },
		{ 0xd, 2, 1, { 0x100, 0x240, 0, 0 } },
		{ 0x77, 0, 0, { 1, 2, 3, 4 } }, /* in no table of ours */
		{ 0x40000000, 0, 0, { 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d } },
		{ 0x40000001, 0, 0, { 0x01007efb, 0, 0, 0 } },
		{ 0x80000000, 0, 0, { 0x80000008, 0, 0, 0 } },
		{ 0x80000001, 0, 0, { 0x830f10, 0, 0x1f7, 0x2fd3fbff } },
		{ 0x80000008, 0, 0, { 0x3030, 0x1000, 0, 0 } },
	};
	static const struct snap_cpuid emulated[] = { { 0x1, 0, 0, { 0, 0, 0x400000, 0 } } };
	static const struct snap_cpuid hyperv[] = { { 0x40000000, 0, 0, { 0x40000006, 1, 2, 3 } } };
	static const struct snap_cpuid native[] = {
		{ 0x0, 0, 0, { 0xd, 0x68747541, 0x444d4163, 0x69746e65 } },
		{ 0x80000002, 0, 0, { 0x65646120, 0x70752020, 0x43505520, 0 } },
	};
	static const struct snap_cpuid varies[] = { { 0x1, 0, 0, { 0, 0xff000000, 0, 0 } } };
	static const struct snap_cpuid zeros[] = { { 0x1, 0, 0, { 0x830f10, 0x800, 0x80000000, 0 } } };
	struct gcpu_snapshot *s = host(GCPU_ARCH_X86, "unit-x86", "AuthenticAMD", "kvm_amd");

	CPUID(s, SNAP_SUPPORTED, supported);
	CPUID(s, SNAP_EMULATED, emulated);
	CPUID(s, SNAP_HYPERV, hyperv);
	CPUID(s, SNAP_NATIVE, native);
	CPUID(s, SNAP_VARIES, varies);
	CPUID(s, SNAP_TRIAL_ZEROS, zeros);
	CPUID(s, SNAP_TRIAL_ONES, supported);
	CPUID(s, SNAP_TRIAL_BARE, zeros);
	*(uint32_t *)add(&s->msr_indexes, sizeof(uint32_t)) = 0x10;
	*(uint32_t *)add(&s->msr_indexes, sizeof(uint32_t)) = 0x4b564d00;
	*(struct snap_msr *)add(&s->msr_features, sizeof(struct snap_msr)) =
		(struct snap_msr){ 0x8b, 0x100000000, MSR_ACCEPTED };
	*(struct snap_msr *)add(&s->msr_features, sizeof(struct snap_msr)) =
		(struct snap_msr){ 0x10a, UINT64_MAX, MSR_REFUSED };
	s->tsc_khz = 2450000;
	s->has_tsc_khz = true;
	s->xcomp_supported = 0x7;
	s->xcomp_permitted = 0x7;
	s->has_xcomp = true;
	s->has_trial = true;
	if (snapshot_seal(s))
		exit(1);
	return s;
}

struct gcpu_snapshot *host_arm64(void)
{
	static const struct snap_reg regs[] = {
		{ .id = 0x603000000013c000, .n_words = 1, .value = { 0x411fd401 } }, /* MIDR_EL1 */
		{ .id = 0x603000000013c020, .n_words = 1, .value = { 0x1101000101111112 },
		  .has_mask = true, .mask = 0xff0f00f00f00ffff }, /* ID_AA64PFR0_EL1 */
		{ .id = 0x603000000013c028, .n_words = 1, .value = { 0xf010305509 },
		  .has_mask = true, .mask = 0xf000f00f0f }, /* ID_AA64DFR0_EL1 */
		{ .id = 0x603000000013c030, .n_words = 1, .value = { 0x1221100110212120 },
		  .has_mask = true, .mask = 0xfffffffff0fffff0 }, /* ID_AA64ISAR0_EL1 */
		{ .id = 0x603000000013c031, .n_words = 1, .value = { 0x10111101211012 } },
		{ .id = 0x603000000013c038, .n_words = 1, .value = { 0x101125 } },
		{ .id = 0x6030000000140000, .n_words = 0 }, /* a value that moves */
		{ .id = 0x6030000000140001, .error = 2 },
		{ .id = GK_REG_ARM64_SVE_VLS, .n_words = 8, .value = { 0xf } },
	};
	static const struct snap_init inits[] = { { 0x4, 0 }, { 0x8, 0 }, { 0x10, 0 }, { 0x20, 22 },
						  { 0x60, 0 } };
	static const struct snap_nibble nibbles[] = {
		{ .id = 0x603000000013c030, .lsb = 4, .accepted = 0x7, .error = 22 },
		{ .id = 0x603000000013c030, .lsb = 60, .accepted = 0x3, .changed = 0x4, .read = { [2] = 1 } } };
	static const struct snap_device devices[] = { { 5, 19 }, { 7, 0 } };
	struct gcpu_snapshot *s = host(GCPU_ARCH_ARM64, "unit-arm64", "0x41", "built in");

	s->target = 5;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		*(struct snap_device *)add(&s->devices, sizeof(devices[0])) = devices[i];
	s->init_features = 0x7c;
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		*(struct snap_reg *)add(&s->regs, sizeof(regs[0])) = regs[i];
	for (size_t i = 0; i < sizeof(inits) / sizeof(inits[0]); i++)
		*(struct snap_init *)add(&s->inits, sizeof(inits[0])) = inits[i];
	for (size_t i = 0; i < sizeof(nibbles) / sizeof(nibbles[0]); i++)
		*(struct snap_nibble *)add(&s->nibbles, sizeof(nibbles[0])) = nibbles[i];
	s->has_trial = true;
	if (snapshot_seal(s))
		exit(1);
	return s;
}
