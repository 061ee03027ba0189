/* SPDX-License-Identifier: MIT */
/* VMs of x86, and what a VMM says to their vCPUs. */
#include "x86.h"

#include <stdio.h>
#include <string.h>

#define ROUTES 24 /* pins of an IOAPIC that the VMM keeps */

int make_apic(struct conform_vm *vm, enum apic apic)
{
	if (apic == KERNEL_APIC)
		return ask_number(vm->c, vm->fd, GK_CREATE_IRQCHIP, 0);
	if (apic == SPLIT_APIC)
		return enable_cap(vm->c, vm->fd, CAP_SPLIT_IRQCHIP, ROUTES);
	return 0;
}

struct conform_vm *x86_vm(struct conform *c, enum apic apic, unsigned vcpus)
{
	struct conform_vm *vm = vm_new(c);
	int r;

	if (!vm)
		return NULL;
	r = make_apic(vm, apic);
	if (r < 0) {
		broken(c, "the VM's interrupt controller: errno %d", -r);
		return NULL;
	}
	for (unsigned i = 0; i < vcpus; i++)
		if (vm_vcpu(vm, i) < 0)
			return NULL;
	return vm;
}

struct conform_vm *x86_ready(struct conform *c, enum apic apic, unsigned vcpus)
{
	struct conform_vm *vm = x86_vm(c, apic, vcpus);
	struct table t;

	for (unsigned i = 0; vm && i < vcpus; i++) {
		int r = table_usual(c, i, &t) ? 1 : set_table(vm, i, &t);

		if (r < 0)
			broken(c, "KVM_SET_CPUID2: errno %d", -r);
		if (r)
			return NULL;
	}
	return vm;
}

/* struct gk_msrs with one entry. */
struct one_msr {
	uint32_t nmsrs, pad;
	struct gk_msr_entry e;
};

static int msr(struct conform *c, int fd, unsigned long request, uint32_t index, uint64_t *value)
{
	struct one_msr m;
	int r;

	memset(&m, 0, sizeof(m));
	m.nmsrs = 1;
	m.e.index = index;
	m.e.data = *value;
	r = ask(c, fd, request, &m);
	*value = m.e.data;
	return r;
}

int set_msr(struct conform_vm *vm, unsigned vcpu, uint32_t index, uint64_t value)
{
	return msr(vm->c, vm->vcpu[vcpu], GK_SET_MSRS, index, &value);
}

int get_msr(struct conform_vm *vm, unsigned vcpu, uint32_t index, uint64_t *ret)
{
	*ret = 0;
	return msr(vm->c, vm->vcpu[vcpu], GK_GET_MSRS, index, ret);
}

int system_msr(struct conform *c, uint32_t index, uint64_t *ret)
{
	*ret = 0;
	return msr(c, c->kvm_fd, GK_GET_MSRS, index, ret);
}

int get_sregs(struct conform_vm *vm, unsigned vcpu, struct gk_x86_sregs *ret)
{
	return ask(vm->c, vm->vcpu[vcpu], GK_GET_SREGS, ret);
}

int set_sregs(struct conform_vm *vm, unsigned vcpu, const struct gk_x86_sregs *s)
{
	return ask(vm->c, vm->vcpu[vcpu], GK_SET_SREGS, s);
}

struct guest_op call_op(struct conform *c, uint64_t nr, uint64_t a, uint64_t b, uint64_t x, uint64_t d)
{
	/* the other vendor's instruction would have to be patched by KVM first */
	const char *vendor = gcpu_snapshot_vendor(c->snap);
	bool vmmcall = strcmp(vendor, "AuthenticAMD") == 0 || strcmp(vendor, "HygonGenuine") == 0;

	return OP(GUEST_OP_HYPERCALL, nr, a, b, x, d, vmmcall);
}

static void came(char *buf, size_t n, const struct guest_op *op)
{
	if (op_done(op))
		snprintf(buf, n, "carried out");
	else if (op->status == GUEST_STATUS_FAULT)
		snprintf(buf, n, "exception %u", (unsigned)op->fault);
	else
		snprintf(buf, n, "status %u", op->status);
}

bool expect_done(struct conform *c, const struct guest_op *op, const char *what)
{
	char got[40];

	came(got, sizeof(got), op);
	return expect(c, op_done(op), "%s: expected to be carried out: %s", what, got);
}

bool expect_fault(struct conform *c, const struct guest_op *op, unsigned vector, const char *what)
{
	char got[40];

	came(got, sizeof(got), op);
	return expect(c, op_fault(op, vector), "%s: expected exception %u: %s", what, vector, got);
}
