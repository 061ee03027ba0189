/* SPDX-License-Identifier: MIT */
/* A snapshot document: read, written and read again, and planned upon. */
#include "fuzz.h"

#include <string.h>

static const struct {
	enum gcpu_arch arch;
	const char *request;
	uint8_t machine[5];
} plans[] = {
	{ GCPU_ARCH_X86, "host", { 0, 2, 0, 0, 0 } },
	{ GCPU_ARCH_X86, "max,migratable=off,+kvm-pv-unhalt,-x2apic", { 1, 5, 0x0f, 0xff, 0x87 } },
	{ GCPU_ARCH_X86, "qemu64,+avx512f,+vmx,+kvm-hc-map-gpa-range,enforce", { 3, 0, 0, 0xff, 0 } },
	{ GCPU_ARCH_X86, "base,+amx-tile", { 2, 3, 0xff, 0, 0 } },
	{ GCPU_ARCH_ARM64, "host", { 8, 2, 0, 0, 0 } },
	{ GCPU_ARCH_ARM64, "max,-sve,FEAT_RNG=off,+pmu", { 0, 0, 0, 0xff, 0 } },
	{ GCPU_ARCH_ARM64, "armv9.2-a,FEAT_RNG,-FEAT_LSE", { 0, 0, 0, 0, 0 } },
	{ GCPU_ARCH_ARM64, "neoverse-v1,sve=off,FEAT_SHA512=off,enforce", { 8, 3, 0, 0, 0 } },
	{ GCPU_ARCH_ARM64, "host,ID_AA64ISAR0_EL1.AES=1,+FEAT_SHA256,mte=on,enforce", { 4, 1, 0, 0, 0 } },
};

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Lists are zeroed when they grow, so padding is equal too. */
static bool same_list(const struct list *a, const struct list *b, size_t size)
{
	return a->n == b->n && (!a->n || memcmp(a->items, b->items, a->n * size) == 0);
}

static void same(const struct gcpu_snapshot *a, const struct gcpu_snapshot *b)
{
	MUST(a->arch == b->arch && same_text(a->name, b->name) && same_text(a->vendor, b->vendor));
	MUST(same_text(a->brand, b->brand) && same_text(a->microcode, b->microcode));
	MUST(same_text(a->kernel, b->kernel) && same_text(a->module, b->module));
	MUST(a->params.n == b->params.n);
	for (size_t i = 0; i < a->params.n; i++) {
		const struct snap_param *x = LIST_AT(&a->params, struct snap_param, i);
		const struct snap_param *y = LIST_AT(&b->params, struct snap_param, i);

		MUST(same_text(x->module, y->module) && same_text(x->name, y->name));
		MUST(same_text(x->value, y->value));
	}
	MUST(a->computed == b->computed && a->assumed.n == b->assumed.n);
	for (size_t i = 0; i < a->assumed.n; i++) {
		const struct snap_assumed *x = LIST_AT(&a->assumed, struct snap_assumed, i);
		const struct snap_assumed *y = LIST_AT(&b->assumed, struct snap_assumed, i);

		MUST(same_text(x->what, y->what) && same_text(x->value, y->value) && same_text(x->why, y->why));
	}
	MUST(same_list(&a->caps_system, &b->caps_system, sizeof(struct snap_cap)));
	MUST(same_list(&a->caps_vm, &b->caps_vm, sizeof(struct snap_cap)));
	for (int t = 0; t < SNAP_TABLES; t++)
		MUST(same_list(&a->cpuid[t], &b->cpuid[t], sizeof(struct snap_cpuid)));
	MUST(same_list(&a->msr_indexes, &b->msr_indexes, sizeof(uint32_t)));
	MUST(same_list(&a->msr_features, &b->msr_features, sizeof(struct snap_msr)));
	MUST(a->has_tsc_khz == b->has_tsc_khz && a->tsc_khz == b->tsc_khz);
	MUST(a->has_xcomp == b->has_xcomp && a->xcomp_supported == b->xcomp_supported);
	MUST(a->xcomp_permitted == b->xcomp_permitted && a->has_trial == b->has_trial);
	MUST(a->enforce_pv_error == b->enforce_pv_error && a->target == b->target);
	MUST(a->init_features == b->init_features && a->guest_view == b->guest_view);
	MUST(same_list(&a->inits, &b->inits, sizeof(struct snap_init)));
	MUST(same_list(&a->regs, &b->regs, sizeof(struct snap_reg)));
	MUST(same_list(&a->devices, &b->devices, sizeof(struct snap_device)));
	MUST(same_list(&a->nibbles, &b->nibbles, sizeof(struct snap_nibble)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gcpu_snapshot *s = NULL, *copy;
	struct gcpu_error err;
	int status = gcpu_snapshot_parse((const char *)data, size, &s, &err);

	/* libFuzzer's empty input has no address */
	if (!data)
		return 0;
	if (status) {
		MUST(!s);
		fuzz_error(&err, status, size);
		return 0;
	}
	MUST(strlen(gcpu_snapshot_hash(s)) == 71);
	for (unsigned cap = 0; cap < 300; cap++)
		gcpu_snapshot_capability(s, cap);
	copy = fuzz_again(s);
	same(s, copy);
	gcpu_snapshot_free(copy);
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		if (plans[i].arch == gcpu_snapshot_arch(s))
			fuzz_request(s, plans[i].arch, plans[i].request, plans[i].machine);
	gcpu_snapshot_free(s);
	return 0;
}
