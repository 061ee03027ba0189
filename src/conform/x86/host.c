/* SPDX-License-Identifier: MIT */
/*
 * What this KVM is like. Of kvm_intel and kvm_amd everything is expected that is documented; another
 * KVM may have the last word about a table, or serve guests in a way of its own. What its snapshot's
 * trial shows, or a question before the case, is then a reason to skip, never to pass.
 */
#include "x86.h"

#include <string.h>

#define LOOK_MS 300

bool mainline(const struct conform *c)
{
	const char *module = gcpu_snapshot_module(c->snap);

	return strcmp(module, "kvm_intel") == 0 || strcmp(module, "kvm_amd") == 0;
}

/* The guest is 64-bit code. There is no kernel of x86-64 on such a host, but a snapshot may be made up. */
const char *x86_no_guest(const struct conform *c)
{
	const struct snap_cpuid *e = snapshot_cpuid(c->snap, SNAP_SUPPORTED, L_EXT_FEATURES, 0);

	return e && (e->regs[EDX] & D81_LM) ? NULL : "this host has no long mode, and guests here are 64-bit code";
}

int overridden(struct conform *c, uint32_t leaf, uint32_t index, unsigned reg, uint32_t bits)
{
	const struct snap_cpuid *zeros = snapshot_cpuid(c->snap, SNAP_TRIAL_ZEROS, leaf, index);
	const struct snap_cpuid *ones = snapshot_cpuid(c->snap, SNAP_TRIAL_ONES, leaf, index);

	if (mainline(c))
		return 0;
	if (c->snap->has_trial && zeros && ones && !(zeros->regs[reg] & bits) && !(~ones->regs[reg] & bits))
		return 0;
	return skip(c, "this KVM has the last word about CPUID leaf 0x%x", leaf);
}

int own_way(struct conform *c, const char *what)
{
	return mainline(c) ? 0 : skip(c, "this KVM, which is neither kvm_intel nor kvm_amd, has its own way with %s", what);
}

int adds_entries(struct conform *c)
{
	struct conform_vm *vm;
	struct table t, back;
	int r;

	if (mainline(c))
		return 0;
	vm = x86_vm(c, NO_APIC, 1);
	if (!vm)
		return 1;
	table_tiny(&t);
	r = set_table(vm, 0, &t);
	if (r >= 0)
		r = get_table(vm, 0, &back);
	vm_close(vm);
	return r >= 0 && back.nent == t.nent ? 0 : skip(c, "this KVM adds entries to a table of CPUID");
}

int no_hypercalls(struct conform *c)
{
	struct guest_op op = call_op(c, HC_NOBODY, 0, 0, 0, 0);
	const struct guest_port *port;
	struct conform_vm *vm;
	struct run_guest *g;
	int r;

	if (mainline(c))
		return 0;
	vm = x86_ready(c, KERNEL_APIC, 1);
	g = vm ? vm_guest(vm) : NULL;
	if (!g)
		return 1;
	port = run_guest_port(g);
	r = port->run(port->ctx, 0, &op, 1, LOOK_MS, NULL);
	vm_close(vm);
	return r ? skip(c, "this KVM answers no hypercall of a guest's ring 0") : 0;
}

int lacks_cap(struct conform *c, unsigned cap, const char *name)
{
	int r = check_cap(c, c->kvm_fd, cap);

	return r > 0 ? 0 : skip(c, "this KVM has no KVM_CAP_%s", name);
}

int lacks_bits(struct conform *c, uint32_t leaf, uint32_t index, unsigned reg, uint32_t bits, const char *name)
{
	struct table t;

	if (table_supported(c, &t))
		return 1;
	return (table_reg(&t, leaf, index, reg) & bits) == bits ? 0 : skip(c, "this KVM does not offer %s", name);
}
