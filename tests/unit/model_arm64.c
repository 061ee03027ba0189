/* SPDX-License-Identifier: MIT */
/*
 * The software KVM of arm64. Every bundled host was measured on a real KVM, trial included: a probe of
 * its model must find the same again, byte for byte. The model never looks at the trial (it is taken out
 * here, to be sure): what it answers it was told by the rules.
 */
#include "unit.h"

#include "core/snapshot.h"
#include "kvm/abi_arm64.h"
#include "facts_gen.h"

#include <guestcpu/model.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first line that differs. */
static void compare(const char *name, const struct unit_text *want, const struct unit_text *got)
{
	const char *a = want->s, *b = got->s;
	unsigned line = 1;

	while (*a && *a == *b) {
		line += *a == '\n';
		a++, b++;
	}
	while (a > want->s && a[-1] != '\n')
		a--, b--;
	CHECK(!*a && !*b, "%s: line %u is\n%.*s\nand the model says\n%.*s", name, line, (int)strcspn(a, "\n"), a,
	      (int)strcspn(b, "\n"), b);
}

static struct gcpu_model *model_of(const struct gcpu_snapshot *host, const char *kernel)
{
	const struct gcpu_model_options o = { .size = sizeof(o), .kernel = kernel };
	struct gcpu_model *m = NULL;
	struct gcpu_error err = { 0 };

	CHECK(gcpu_model_new(host, &o, &m, &err) == 0, "%s %s: %s", host->name, kernel ? kernel : "", err.text);
	return m;
}

static struct gcpu_snapshot *probe(struct gcpu_model *m, const char *name)
{
	const struct gcpu_probe_options o = { .size = sizeof(o), .name = name };
	const struct gcpu_kvm *kvm = gcpu_model_kvm(m);
	int fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
	struct gcpu_snapshot *found = NULL;
	struct gcpu_error err = { 0 };

	CHECK(gcpu_snapshot_probe(kvm, fd, &o, &found, &err) == 0, "%s: %s", name, err.text);
	kvm->ops->close(kvm->ctx, fd);
	return found;
}

static void same_again(const struct gcpu_snapshot *host)
{
	struct gcpu_snapshot untried = *host;
	struct unit_text want = { NULL, 0, 0 }, got = { NULL, 0, 0 };
	struct gcpu_snapshot *found;
	struct gcpu_model *m;

	untried.has_trial = false;
	untried.nibbles = (struct list){ NULL, 0, 0 };
	untried.inits = (struct list){ NULL, 0, 0 };
	m = model_of(&untried, NULL);
	if (!m)
		return;
	found = probe(m, host->name);
	if (found) {
		gcpu_snapshot_write(host, unit_write, &want);
		gcpu_snapshot_write(found, unit_write, &got);
		compare(host->name, &want, &got);
		CHECK(strcmp(found->hash, host->hash) == 0, "%s: another hash", host->name);
	}
	free(want.s);
	free(got.s);
	gcpu_snapshot_free(found);
	gcpu_model_free(m);
}

/* What is the kernel's own is as that kernel was recorded to have it on the same machine. */
static void other_kernel(const char *from, const char *series, const char *recorded)
{
	struct gcpu_snapshot *host = NULL, *want = NULL;
	const struct gcpu_snapshot *got;
	struct gcpu_model *m;

	CHECK(gcpu_snapshot_bundled(from, &host, NULL) == 0 && gcpu_snapshot_bundled(recorded, &want, NULL) == 0, "%s", from);
	m = model_of(host, series);
	if (!m)
		return;
	got = gcpu_model_host(m);
	CHECK(gcpu_snapshot_is_computed(got) && !got->has_trial, "%s@%s", from, series);
	for (size_t i = 0; i < want->regs.n; i++) {
		const struct snap_reg *w = LIST_AT(&want->regs, struct snap_reg, i), *g = snapshot_reg(got, w->id);
		uint64_t kind = w->id & GK_REG_ARM_KIND_MASK;

		if (w->has_mask || kind == GK_REG_ARM_FW || kind == GK_REG_ARM_FW_FEAT_BMAP)
			CHECK(g && g->has_mask == w->has_mask && g->mask == w->mask, "%s@%s: mask of 0x%llx", from, series,
			      (unsigned long long)w->id);
		if (kind == GK_REG_ARM_FW || kind == GK_REG_ARM_FW_FEAT_BMAP)
			CHECK(g && g->value[0] == w->value[0], "%s@%s: 0x%llx", from, series, (unsigned long long)w->id);
	}
	CHECK(!snapshot_reg(got, GK_REG_ARM_VENDOR_HYP_BMAP_2) == !snapshot_reg(want, GK_REG_ARM_VENDOR_HYP_BMAP_2),
	      "%s@%s: registers of the firmware", from, series);
	/* how wide addresses are is the host's, as that kernel saw it */
	for (unsigned cap = 1; cap < 320; cap++)
		CHECK(cap == CAP_ARM_VM_IPA_SIZE || gcpu_snapshot_capability(got, cap) == gcpu_snapshot_capability(want, cap),
		      "%s@%s: capability %u", from, series, cap);
	gcpu_model_free(m);
	gcpu_snapshot_free(host);
	gcpu_snapshot_free(want);
}

int main(void)
{
	unsigned n = 0;

	for (unsigned i = 0; gcpu_snapshot_bundled_name(i); i++) {
		struct gcpu_snapshot *s = NULL;

		if (gcpu_snapshot_bundled(gcpu_snapshot_bundled_name(i), &s, NULL))
			continue;
		if (s->arch == GCPU_ARCH_ARM64) {
			n++;
			same_again(s);
		}
		gcpu_snapshot_free(s);
	}
	CHECK(n >= 9, "%u hosts", n);
	other_kernel("arm64-kvm-max-7-2", "6.1", "arm64-kvm-max-6-1");
	other_kernel("arm64-kvm-max-7-2", "6.12", "arm64-kvm-max-6-12");
	other_kernel("arm64-kvm-max-6-1", "7.2", "arm64-kvm-max-7-2");
	other_kernel("arm64-kvm-neoverse-n1-6-12", "6.1", "arm64-kvm-neoverse-n1-6-1");
	other_kernel("arm64-kvm-neoverse-n1-6-1", "6.12", "arm64-kvm-neoverse-n1-6-12");
	other_kernel("arm64-kvm-cortex-a76-6-12", "7.2", "arm64-kvm-cortex-a76-7-2");
	return unit_end();
}
