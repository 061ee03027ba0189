/* SPDX-License-Identifier: MIT */
/* arm64: the table of operations, how often each is tried, and what is left out. */
#include "arm64.h"

enum { O_VCPU, O_INIT, O_LOOK, O_STATE, O_GIC, O_FINALIZE };

static const struct operation ops[] = {
	[O_VCPU] = { "KVM_CREATE_VCPU", 60, false, false, make_arm_vcpu, run_vcpu, print_one },
	[O_INIT] = { "KVM_ARM_VCPU_INIT", 90, true, false, make_init, run_init, print_init },
	[O_LOOK] = { "KVM_GET_ONE_REG, all", 1, true, false, make_nothing, run_all_regs, print_one },
	[O_STATE] = { "KVM_GET_MP_STATE", 5, true, false, make_nothing, run_get_mp_state, print_one },
	[O_GIC] = { "KVM_CREATE_DEVICE", 40, false, false, make_gic, run_gic, NULL },
	[O_FINALIZE] = { "KVM_ARM_VCPU_FINALIZE", 40, true, false, make_finalize, run_finalize, print_one },
	{ "KVM_CREATE_VM", 8, false, false, make_arm_vm_type, run_vm_type, print_one },
	{ "KVM_CHECK_EXTENSION", 15, false, false, make_check, run_check, print_check },
	{ "KVM_ENABLE_CAP", 50, false, false, make_arm_enable, run_enable_vm, print_enable },
	{ "KVM_ARM_PREFERRED_TARGET", 4, false, false, make_nothing, run_target, NULL },
	{ "KVM_ARM_GET_REG_WRITABLE_MASKS", 8, false, false, make_masks, run_masks, NULL },
	{ "KVM_ARM_SET_COUNTER_OFFSET", 6, false, false, make_offset, run_offset, NULL },
	{ "attributes of the GIC", 25, false, false, make_gic_attr, run_gic_attr, NULL },
	{ "filter of SMCCC calls", 15, false, false, make_filter_calls, run_filter_calls, NULL },
	{ "KVM_GET_REG_LIST", 10, true, false, make_reg_list, run_reg_list, print_one },
	{ "KVM_GET_ONE_REG", 30, true, false, make_get_reg, run_get_reg, print_reg },
	{ "KVM_SET_ONE_REG", 200, true, false, make_set_reg, run_set_reg, print_reg },
	{ "KVM_SET_ONE_REG, vector lengths", 20, true, false, make_vls, run_vls, NULL },
	{ "attributes of the vCPU", 25, true, false, make_vcpu_attr, run_vcpu_attr, NULL },
	{ "KVM_SET_MP_STATE", 15, true, false, make_arm_mp_state, run_set_mp_state, print_one },
	{ "events of the vCPU", 20, true, false, make_arm_events, run_arm_events, print_one },
	{ "KVM_SET_GUEST_DEBUG", 6, true, false, make_arm_debug, run_arm_debug, print_one },
	{ "KVM_IRQ_LINE", 20, false, false, make_line, run_line, print_one },
	{ "KVM_RUN, to exit at once", 15, true, false, make_nothing, run_immediate, print_one },
	{ "guest", 50, true, true, make_arm_guest, guest_steps, print_guest },
};

static const struct exclusion exclusions[] = {
	{ NULL, NULL, 0, 0, "KVM_GET_REG_LIST is compared as a set: KVM promises no order" },
	{ NULL, NULL, 0, 0, "values of registers that are not of features, of the firmware or the vector lengths: what a new vCPU "
			    "has in them is not in the snapshot, and the guest's code lives by them; that they can be read is compared" },
	{ NULL, NULL, 0, 0, "registers of the vGIC: only where it is, how many interrupts it has and that it is made ready" },
	{ NULL, NULL, 0, 0, "guests do not read DCZID_EL0, which is the processor's own; nor CTR_EL0: before 6.2 that is, too, and the "
			    "snapshot has what KVM makes of it" },
	{ NULL, NULL, 0, 0, "no vGIC comes after a KVM_RUN: where that was refused, KVM_ARM_VCPU_INIT is then a null pointer in the "
			    "kernel of 6.12 (kvm_vgic_reset_mapped_irq)" },
	{ NULL, NULL, 0, 0, "the guest calls nothing that is random, the time, or that stops a vCPU" },
	{ NULL, NULL, 0, 0, "KVM_ARM_VCPU_PMU_V3_SET_PMU and _FILTER: the host's PMUs and their events are not in the snapshot" },
	{ NULL, NULL, 0, 0, "KVM_SET_GUEST_DEBUG does not begin: the guest's code would stop; lines of interrupts stay low" },
	{ NULL, NULL, 0, 0, "devices other than a vGIC are asked for with KVM_CREATE_DEVICE_TEST only" },
	{ NULL, NULL, 0, 0, "capabilities are those of data/kvm/caps.txt: the probe records no others" },
};

static unsigned weigh(const struct maker *m, const struct operation *op)
{
	if (op->vcpu && !m->vcpus)
		return 0;
	/* an interrupt controller now and then, vCPUs, KVM_ARM_VCPU_INIT; then the rest */
	if (!m->vcpus && m->at * 3 < m->all)
		return op == &ops[O_VCPU] ? 60 : op->weight;
	if (!m->vcpus)
		return op == &ops[O_VCPU] ? 1000 : op->weight;
	if (!m->init)
		return op == &ops[O_INIT] ? 700 : op->weight / 2;
	return op == &ops[O_GIC] ? 5 : op == &ops[O_VCPU] && m->vcpus == VCPUS ? 3 : op->weight / 2;
}

static void look(const struct maker *m, struct step *list, unsigned *n)
{
	for (unsigned v = 0; v < m->vcpus && v < 2 && *n + 2 <= STEPS_MOST; v++) {
		list[(*n)++] = (struct step){ .op = O_LOOK, .vcpu = v };
		list[(*n)++] = (struct step){ .op = O_STATE, .vcpu = v };
	}
}

static int settle(struct side *w, unsigned vcpu)
{
	(void)w;
	(void)vcpu;
	return 0;
}

static void settled(struct side *w, unsigned vcpu)
{
	w->keep[vcpu][0] = 1;
}

static bool awake(struct side *w, unsigned vcpu)
{
	struct gk_mp_state mp = { 0 };

	/* the first list makes it run, whatever it was */
	return !w->keep[vcpu][0] ||
	       (ask(w, w->vcpu[vcpu], GK_GET_MP_STATE, &mp) == 0 && mp.mp_state == GK_MP_STATE_RUNNABLE);
}

const struct domain domain_arm64 = {
	.arch = GCPU_ARCH_ARM64,
	.ops = ops,
	.n_ops = COUNT(ops),
	.exclusions = exclusions,
	.n_exclusions = COUNT(exclusions),
	.weigh = weigh,
	.look = look,
	.vm_type = arm_vm_type,
	.settle = settle,
	.settled = settled,
	.awake = awake,
};
