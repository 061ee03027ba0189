/* SPDX-License-Identifier: MIT */
/*
 * Does it notice? A model beside a model that answers one thing otherwise: the sequences must find it, and
 * few steps must be left of them. And a model beside itself: nothing to find. Needs no KVM.
 */
#include "differ.h"
#include "facts_gen.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_more.h"

#include <guestcpu/guestcpu.h>
#include <guestcpu/model.h>

#include <fcntl.h>
#include <string.h>

#define SEQUENCES 150

struct twist {
	const char *what;
	enum gcpu_arch arch;
	unsigned long request;
	unsigned cap;	  /* of KVM_ENABLE_CAP; 0: any */
	unsigned after;	  /* calls of this kind on one VM that are answered rightly */
	bool result;	  /* ANSWER is what the call returns, and nothing is done */
	int answer;
	size_t flip;	  /* else: a bit of the byte at this place of what it is given back, + 1 */
	unsigned steps;	  /* that may be left at most */
};

static const struct twist twists[] = {
	{ .what = "nothing", .arch = GCPU_ARCH_X86 },
	{ .what = "any exit may be disabled", .arch = GCPU_ARCH_X86, .request = GK_ENABLE_CAP, .cap = CAP_X86_DISABLE_EXITS,
	  .result = true, .steps = 1 },
	{ .what = "KVM_SET_BOOT_CPU_ID is refused", .arch = GCPU_ARCH_X86, .request = GK_SET_BOOT_CPU_ID, .result = true,
	  .answer = -EINVAL, .steps = 1 },
	{ .what = "the second table is refused", .arch = GCPU_ARCH_X86, .request = GK_SET_CPUID2, .after = 1, .result = true,
	  .answer = -EINVAL, .steps = 3 },
	{ .what = "KVM_GET_CPUID2 with a bit wrong", .arch = GCPU_ARCH_X86, .request = GK_GET_CPUID2,
	  .flip = 1 + offsetof(struct gk_cpuid2, entries) + offsetof(struct gk_cpuid_entry2, eax), .steps = 3 },
	{ .what = "KVM_GET_MSRS with a bit wrong", .arch = GCPU_ARCH_X86, .request = GK_GET_MSRS,
	  .flip = 1 + offsetof(struct gk_msrs, entries) + offsetof(struct gk_msr_entry, data), .steps = 2 },
	{ .what = "KVM_GET_LAPIC with a bit wrong", .arch = GCPU_ARCH_X86, .request = GK_GET_LAPIC, .flip = 1 + 0x30, .steps = 3 },
	{ .what = "KVM_GET_SREGS with a bit wrong", .arch = GCPU_ARCH_X86, .request = GK_GET_SREGS,
	  .flip = 1 + offsetof(struct gk_x86_sregs, cr4), .steps = 2 },
	{ .what = "nothing", .arch = GCPU_ARCH_ARM64 },
	{ .what = "any features are taken", .arch = GCPU_ARCH_ARM64, .request = GK_ARM_VCPU_INIT, .result = true, .steps = 3 },
	{ .what = "no register can be written", .arch = GCPU_ARCH_ARM64, .request = GK_SET_ONE_REG, .result = true,
	  .answer = -EINVAL, .steps = 3 },
	{ .what = "every register can be written", .arch = GCPU_ARCH_ARM64, .request = GK_SET_ONE_REG, .result = true, .steps = 3 },
	{ .what = "another target is preferred", .arch = GCPU_ARCH_ARM64, .request = GK_ARM_PREFERRED_TARGET, .flip = 1, .steps = 1 },
	{ .what = "no masks are told", .arch = GCPU_ARCH_ARM64, .request = GK_ARM_GET_REG_WRITABLE_MASKS, .result = true,
	  .answer = -EFAULT, .steps = 1 },
};

static struct {
	const struct gcpu_kvm *kvm;
	const struct twist *twist;
	unsigned seen;
} state;

static int twisted_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	const struct twist *t = state.twist;
	int r;

	(void)ctx;
	if (request == GK_CREATE_VM)
		state.seen = 0;
	if (request != t->request || arg < 0x10000 || (t->cap && ((const struct gk_enable_cap *)arg)->cap != t->cap) ||
	    state.seen++ < t->after)
		return state.kvm->ops->ioctl(state.kvm->ctx, fd, request, arg);
	if (t->result)
		return t->answer;
	r = state.kvm->ops->ioctl(state.kvm->ctx, fd, request, arg);
	if (r >= 0)
		((unsigned char *)arg)[t->flip - 1] ^= 1;
	return r;
}

/* SET_BOOT_CPU_ID has a number as its argument. */
static int twisted_number(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	if (request == state.twist->request && request == GK_SET_BOOT_CPU_ID)
		return state.twist->answer;
	return twisted_ioctl(ctx, fd, request, arg);
}

/* 0 if it was noticed, and made small. */
static int judge(const struct gcpu_snapshot *host, const struct gcpu_kvm *one, struct gcpu_kvm_ops *ops)
{
	static struct step list[STEPS_MOST];
	static struct finding f;
	const struct gcpu_kvm other = { ops, one->ctx };
	struct differ d = { .domain = host->arch == GCPU_ARCH_X86 ? &domain_x86 : &domain_arm64, .host = host, .one = one,
			    .other = &other, .one_name = "model", .other_name = "twisted", .steps_most = 20 };
	unsigned done, i;
	int r = 0;

	d.one_fd = one->ops->open(one->ctx, "/dev/kvm", O_RDWR);
	d.other_fd = one->ops->open(one->ctx, "/dev/kvm", O_RDWR);
	for (i = 0; i < SEQUENCES && r == 0; i++)
		r = sequence_run(&d, list, sequence_make(&d, 1, i, list), &f, &done, NULL);
	if (r == 1)
		sequence_shrink(&d, &f);
	one->ops->close(one->ctx, d.one_fd);
	one->ops->close(one->ctx, d.other_fd);
	if (r == 1 && state.twist->steps && f.at + 1 <= state.twist->steps) {
		printf("found in sequence %u, %u steps: %s\n", i, f.at + 1, state.twist->what);
		return 0;
	}
	if (r == 0 && !state.twist->steps) {
		printf("nothing found where nothing is\n");
		return 0;
	}
	printf("FAIL %s: %s\n", state.twist->what, r == 1 ? "found, and not small" : r ? strerror(-r) : "not found");
	if (r == 1)
		sequence_print(&d, &f, stdout);
	return 1;
}

/* The first bundled host of an architecture that has a trial. */
static struct gcpu_snapshot *host_of(enum gcpu_arch arch)
{
	for (size_t i = 0; gcpu_snapshot_bundled_name(i); i++) {
		struct gcpu_snapshot *s;

		if (gcpu_snapshot_bundled(gcpu_snapshot_bundled_name(i), &s, NULL))
			continue;
		if (s->arch == arch && s->has_trial)
			return s;
		gcpu_snapshot_free(s);
	}
	return NULL;
}

int main(void)
{
	int failed = 0;

	for (unsigned i = 0; i < COUNT(twists); i++) {
		struct gcpu_snapshot *host = host_of(twists[i].arch);
		struct gcpu_error err = { 0 };
		struct gcpu_model *m = NULL;
		struct gcpu_kvm_ops ops;

		if (!host || gcpu_model_new(host, NULL, &m, &err)) {
			printf("FAIL no model: %s\n", host ? err.text : "no host");
			gcpu_snapshot_free(host);
			return 1;
		}
		state.kvm = gcpu_model_kvm(m);
		state.twist = &twists[i];
		ops = *state.kvm->ops;
		ops.ioctl = twisted_number;
		failed += judge(host, state.kvm, &ops);
		gcpu_model_free(m);
		gcpu_snapshot_free(host);
	}
	printf("%zu twists, %d not noticed\n", COUNT(twists), failed);
	return failed != 0;
}
