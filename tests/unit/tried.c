/* SPDX-License-Identifier: MIT */
/* What the trial of a bundled snapshot says of single fields: known from KVM's own rules. */
#include "unit.h"

#include <guestcpu/snapshot.h>

static struct gcpu_tried tried(const char *host, const char *name)
{
	struct gcpu_tried t = { .size = sizeof(t) };
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err = { 0 };

	CHECK(gcpu_snapshot_bundled(host, &s, &err) == 0, "%s", err.text);
	CHECK(gcpu_snapshot_tried(s, name, &t) == 0, "%s", name);
	gcpu_snapshot_free(s);
	return t;
}

int main(void)
{
	static const char *const new = "arm64-kvm-max-6-12", *const old = "arm64-kvm-max-6-1";
	struct gcpu_tried t = tried(new, "ID_AA64ISAR0_EL1.AES");
	struct gcpu_snapshot *s = NULL;

	/* QEMU's max has AES with PMULL; 6.12 lets it be lowered, 6.1 nothing (sys_regs.c) */
	CHECK(t.own == 2 && t.has_mask && t.in_mask && t.values == 16 && t.taken == 7 && !t.changed,
	      "taken 0x%x of %u, changed 0x%x", t.taken, t.values, t.changed);
	t = tried(old, "ID_AA64ISAR0_EL1.AES");
	CHECK(t.own == 2 && !t.has_mask && !t.in_mask && t.taken == 4, "taken 0x%x", t.taken);
	/* PMUVer 0xf is taken and turned into 0 */
	t = tried(new, "ID_AA64DFR0_EL1.PMUVer");
	CHECK(t.changed == 1U << 15, "changed 0x%x", t.changed);
	/* two bits of a nibble: the others stay as they are */
	t = tried(new, "CTR_EL0.DIC");
	CHECK(t.values == 2 && t.taken >> t.own & 1, "taken 0x%x of %u", t.taken, t.values);
	/* a mask that tells more than is true: the host has no other value, and the bits are KVM's to give */
	t = tried("arm64-kvm-max-7-2", "ID_AA64ISAR3_EL1.LSFE");
	CHECK(t.in_mask && t.own == 0 && t.taken == 1, "in the mask: %d, taken 0x%x", t.in_mask, t.taken);
	/* too wide for one nibble */
	t = tried(new, "SVE.VL");
	CHECK(!t.values, "%u values", t.values);
	/* another architecture has no such trial */
	t = tried("x86-amd-max-6-12", "avx2");
	CHECK(!t.values && !t.has_mask, "%u values", t.values);

	CHECK(gcpu_snapshot_bundled(new, &s, NULL) == 0, "bundled");
	t.size = sizeof(t);
	CHECK(gcpu_snapshot_tried(s, "nothing", &t) == GCPU_ERR_NAME, "no such name");
	CHECK(gcpu_snapshot_tried(s, "avx2", &t) == GCPU_ERR_NAME, "a name of the other architecture");
	CHECK(gcpu_snapshot_tried(s, NULL, &t) == GCPU_ERR_ARGUMENT, "no name");
	CHECK(gcpu_snapshot_tried(NULL, "sve", &t) == GCPU_ERR_ARGUMENT, "no snapshot");
	t.size = 1;
	CHECK(gcpu_snapshot_tried(s, "sve", &t) == GCPU_ERR_ARGUMENT, "a wrong size");
	gcpu_snapshot_free(s);
	return unit_end();
}
