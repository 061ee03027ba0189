/* SPDX-License-Identifier: MIT */
/*
 * Registers of an arm64 vCPU that starts at EL1, and where its GIC is: the same
 * on a real VM and on a model of one, whatever this machine is.
 */
#include "boot_arm64.h"

#include <errno.h>
#include <string.h>

#include "../kvm/abi_arm64.h"

#define GIC_DIST 0x08000000ULL
#define GIC_REDIST 0x10000000ULL /* 128 KiB for each vCPU, up to RAM */

#define MAIR_BITS 0x04ffULL		   /* 0: write-back; 1: device nGnRE */
/* 39 bits of address, 4 KiB granule, cached walks, TTBR1 off. */
#define TCR_BITS (25ULL | 1ULL << 8 | 1ULL << 10 | 3ULL << 12 | 1ULL << 23)
#define SCTLR_BITS (0x30d00800ULL | 1ULL << 0 | 1ULL << 2 | 1ULL << 12) /* RES1, M, C, I */
#define PSTATE_BITS 0x3c5ULL /* D A I F masked, EL1 on its own stack */

static int set_reg(struct run_vcpu *v, uint64_t id, uint64_t value)
{
	const struct gk_one_reg reg = {.id = id, .addr = (uintptr_t)&value};

	return run_ioctl(v->guest, v->fd, GK_SET_ONE_REG, &reg);
}

int run_arm64_boot(struct run_vcpu *v, uint64_t entry, uint64_t vectors, struct gcpu_error *err)
{
	const uint64_t area = run_area_address(v->guest, v->index);
	const struct {
		const char *name;
		uint64_t id, value;
	} regs[] = {
		{"MAIR_EL1", GK_ARM64_SYS_REG(3, 0, 10, 2, 0), MAIR_BITS},
		{"TCR_EL1", GK_ARM64_SYS_REG(3, 0, 2, 0, 2), TCR_BITS},
		{"TTBR0_EL1", GK_ARM64_SYS_REG(3, 0, 2, 0, 0), v->guest->base + GUEST_TABLES},
		{"VBAR_EL1", GK_ARM64_SYS_REG(3, 0, 12, 0, 0), vectors},
		{"SCTLR_EL1", GK_ARM64_SYS_REG(3, 0, 1, 0, 0), SCTLR_BITS},
		{"SP_EL1", GK_REG_ARM_SP_EL1, area + GUEST_AREA_STACK - 16},
		{"X0", GK_REG_ARM_X(0), area},
		{"PC", GK_REG_ARM_PC, entry},
		{"PSTATE", GK_REG_ARM_PSTATE, PSTATE_BITS},
	};
	/* It may have been initialised with the power off. */
	const struct gk_mp_state mp = {.mp_state = GK_MP_STATE_RUNNABLE};
	size_t i;
	int r;

	r = run_ioctl(v->guest, v->fd, GK_SET_MP_STATE, &mp);
	if (r < 0)
		return run_fail(err, GCPU_ERR_KVM, -r, "vCPU %u: KVM_SET_MP_STATE: %s", v->index,
				strerror(-r));
	for (i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		r = set_reg(v, regs[i].id, regs[i].value);
		if (r == -EINVAL && regs[i].id == GK_REG_ARM_PSTATE)
			return run_fail(err, GCPU_ERR_KVM, -r, "vCPU %u: KVM does not take a start at EL1 in AArch64, "
					"which this guest is code for: the plan has el1-32bit, or EL2", v->index);
		if (r < 0)
			return run_fail(err, GCPU_ERR_KVM, -r, "vCPU %u: cannot set %s: %s", v->index,
					regs[i].name, strerror(-r));
	}
	return 0;
}

static int gic_set(const struct gcpu_kvm *kvm, int fd, uint32_t group, uint64_t attr, uint64_t *value)
{
	const struct gk_device_attr a = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return kvm->ops->ioctl(kvm->ctx, fd, GK_SET_DEVICE_ATTR, (uintptr_t)&a);
}

int run_arm64_gic_init(const struct gcpu_kvm *kvm, int gic_fd, unsigned n_vcpus,
		       struct gcpu_error *err)
{
	uint64_t dist = GIC_DIST, redist = GIC_REDIST;
	const char *what = "its distributor";
	int r;

	if (!kvm || !n_vcpus || n_vcpus > (RUN_ARM64_BASE - GIC_REDIST) / GK_VGIC_V3_REDIST_SIZE)
		return run_fail(err, GCPU_ERR_ARGUMENT, 0, "no GIC for %u vCPUs", n_vcpus);
	r = gic_set(kvm, gic_fd, GK_DEV_ARM_VGIC_GRP_ADDR, GK_VGIC_V3_ADDR_TYPE_DIST, &dist);
	if (r >= 0) {
		what = "its redistributors";
		r = gic_set(kvm, gic_fd, GK_DEV_ARM_VGIC_GRP_ADDR, GK_VGIC_V3_ADDR_TYPE_REDIST,
			    &redist);
	}
	if (r >= 0) {
		what = "the whole";
		r = gic_set(kvm, gic_fd, GK_DEV_ARM_VGIC_GRP_CTRL, GK_DEV_ARM_VGIC_CTRL_INIT, NULL);
	}
	if (r < 0)
		return run_fail(err, r == -ENOMEM ? GCPU_ERR_MEMORY : GCPU_ERR_KVM, -r, "the vGICv3 does not take %s: %s",
				what, strerror(-r));
	return 0;
}
