/* SPDX-License-Identifier: MIT */
#include "apic.h"

#include <errno.h>
#include <string.h>

#include "core/util.h"
#include "facts_gen.h"
#include "kvm/abi.h"
#include "kvm/abi_x86.h"

#define TAKE_MS 2 /* with interrupts on, one that is pending comes at once */
#define XAPIC_ID_MAX 254U

struct guest_op op_apic(bool x2apic, unsigned offset, uint32_t value)
{
	return x2apic ? OP_WRMSR(X2APIC(offset), value) : OP_APIC(offset, value);
}

struct guest_op op_apic_read(bool x2apic, unsigned offset)
{
	return x2apic ? OP_RDMSR(X2APIC(offset)) : OP_APIC_READ(offset);
}

int apic_on(struct lab *lab, unsigned vcpu)
{
	struct guest_op op = OP_APIC(APIC_SPIV, SPIV_ON);

	return lab_run(lab, vcpu, &op, 1);
}

int msi_signal(const struct lab *lab, const struct gk_msi *msi)
{
	int r = lab_vm_ioctl(lab, GK_SIGNAL_MSI, msi);

	/* Where no vCPU has the id KVM gives 0, or -1, which is that errno to a system call. */
	return r == -EPERM ? 0 : r;
}

int msi_send(const struct lab *lab, uint32_t id, uint8_t vector)
{
	const struct gk_msi msi = { .address_lo = (uint32_t)APIC_PAGE | (id & 0xff) << 12,
				    .address_hi = id & ~0xffU,
				    .data = vector };

	return msi_signal(lab, &msi);
}

uint32_t absent_id(const struct lab *lab)
{
	uint32_t id = 0;

	for (unsigned i = 0; i < lab->vcpus; i++)
		if (run_machine_vcpu_id(lab->vm, i) >= id)
			id = run_machine_vcpu_id(lab->vm, i) + 1;
	return id;
}

bool lapic_in_kvm(const struct lab *lab)
{
	enum gcpu_irqchip irqchip = lab->alive->o->machine->irqchip;

	return irqchip == GCPU_IRQCHIP_KERNEL || irqchip == GCPU_IRQCHIP_SPLIT;
}

int x2apic_enter(struct lab *lab, unsigned vcpu)
{
	struct guest_op ops[2] = { OP_RDMSR(MSR_APIC_BASE) };

	if (lab_run(lab, vcpu, ops, 1))
		return -1;
	ops[0] = OP_WRMSR(MSR_APIC_BASE, ops[0].res[0] | APIC_BASE_EXTD);
	ops[1] = OP_WRMSR(X2APIC(APIC_SPIV), SPIV_ON);
	if (lab_run(lab, vcpu, ops, 2))
		return -1;
	return op_done(&ops[0]);
}

int ipi(struct lab *lab, unsigned vcpu, bool x2apic, uint32_t id, uint32_t command)
{
	struct guest_op one = OP_WRMSR(X2APIC(APIC_ICR), (uint64_t)id << 32 | command);
	struct guest_op two[] = { OP_APIC(APIC_ICR2, id << 24), OP_APIC(APIC_ICR, command) };

	return x2apic ? lab_run(lab, vcpu, &one, 1) : lab_run(lab, vcpu, two, COUNT(two));
}

int64_t interrupts_now(struct lab *lab, unsigned vcpu)
{
	struct guest_op ops[] = { OP_SPIN(lab->khz * TAKE_MS), OP(GUEST_OP_INTERRUPTS, 0) };

	return lab_run(lab, vcpu, ops, COUNT(ops)) ? -1 : (int64_t)ops[1].res[0];
}

static int take_32bit_ids(void *ctx, struct run_machine *m, struct gcpu_error *err)
{
	const struct gk_enable_cap cap = { .cap = CAP_X2APIC_API,
					   .args = { GK_X2APIC_API_USE_32BIT_IDS } };
	const struct gcpu_kvm *kvm = ctx;
	int status = kvm->ops->ioctl(kvm->ctx, run_machine_vm(m), GK_ENABLE_CAP, (uintptr_t)&cap);

	return status < 0 ? error_os(err, -status, "KVM_ENABLE_CAP X2APIC_API") : 0;
}

int apic_vm_open(struct lab *users, const struct apic_vm *want, struct lab *lab)
{
	const struct alive_options *o = users->alive->o;
	struct lab_want w = { .plain = true };
	struct gcpu_machine machine;
	unsigned top = 0;

	gcpu_machine_init(&machine);
	machine.vcpus = want->n;
	for (unsigned i = 0; i < want->n; i++)
		top = want->ids[i] > top ? want->ids[i] : top;
	w.machine = &machine;
	w.run.n = want->n;
	w.run.late = want->late;
	if (want->ids32 && top > XAPIC_ID_MAX) {
		machine.vcpus = top + 1;
		machine.accept_x2apic_ids = 1;
		w.run.vcpus = want->ids;
	} else {
		w.run.ids = want->ids;
		w.run.before_vcpus = want->ids32 ? take_32bit_ids : NULL;
		w.run.ctx = (void *)(uintptr_t)o->kvm;
	}
	return lab_open(users->alive, &w, lab, users->out);
}
