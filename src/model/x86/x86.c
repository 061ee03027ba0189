/* SPDX-License-Identifier: MIT */
/* The software KVM of x86: VMs and vCPUs come and go. */
#include "x86.h"

#include "../supported.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_SIZE (3 * 4096) /* the run page, programmed I/O, coalesced MMIO */

bool x86_is_hosts(const struct gcpu_model *m, unsigned who)
{
	const char *vendor = m->host->vendor ? m->host->vendor : "";
	bool amd = strcmp(vendor, "AuthenticAMD") == 0 || strcmp(vendor, "HygonGenuine") == 0;

	if (who == MSR_ANYBODYS || who == MSR_HYPERV)
		return who == MSR_ANYBODYS || sw_cap(m, NULL, CAP_HYPERV) > 0;
	if (sw_behaves(m, BEHAVIOUR_NO_MAKER))
		return who == MSR_NONE;
	return who == (amd ? MSR_AMD : MSR_INTEL);
}

static int init(struct gcpu_model *m, struct gcpu_error *err)
{
	if (m->other_kernel) {
		char name[GCPU_NAME_MOST + 1];
		int status = supported_snapshot(m->host, m->series, &m->computed, err);

		if (status)
			return status;
		/* named as users name it */
		snprintf(name, sizeof(name), "%s@%s", gcpu_snapshot_name(m->host), m->series);
		m->computed->name = text_copy(name, strlen(name));
		if (!m->computed->name)
			return error_memory(err);
		m->host = m->computed;
	}
	if (!m->host->cpuid[SNAP_SUPPORTED].n)
		return error_set(err, GCPU_ERR_ARGUMENT, "the snapshot has no table of KVM_GET_SUPPORTED_CPUID");
	m->overrides = x86_overrides(m->host);
	return 0;
}

static int vm_new(struct sw_vm *vm)
{
	int types = sw_cap(vm->model, NULL, CAP_VM_TYPES);

	/* confidential ones are not played */
	if (vm->type || (types && !(types & 1)))
		return -EINVAL;
	vm->own = calloc(1, sizeof(struct x86_vm));
	if (!vm->own)
		return -ENOMEM;
	x86_chips_new(x86_vm(vm));
	return x86_guests_new(x86_vm(vm));
}

static void vm_free(struct sw_vm *vm)
{
	struct x86_vm *x = x86_vm(vm);

	if (!x)
		return;
	free(x->filter);
	list_free(&x->hyperv_events);
	x86_guests_free(x);
	free(x);
}

static int vcpu_new(struct sw_vcpu *v)
{
	struct x86_vcpu *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	v->own = x;
	x->v = v;
	x->guest = calloc(1, sizeof(*x->guest));
	if (!x->guest)
		return -ENOMEM;
	x->tsc_khz = x86_vm(v->vm)->tsc_khz ? x86_vm(v->vm)->tsc_khz : x86_host_khz(v->vm->model);
	x86_regs_new(x);
	x86_lapic_new(x);
	return x86_msrs_new(x);
}

static void vcpu_free(struct sw_vcpu *v)
{
	struct x86_vcpu *x = x86_vcpu(v);

	if (!x)
		return;
	free(x->table);
	list_free(&x->msrs);
	free(x->area);
	free(x->guest);
	free(x);
}

static int enter(struct sw_vcpu *v)
{
	return x86_enter(x86_vcpu(v));
}

#define ADDRESS_BITS_MOST 52 /* no page table has more */

static int slot_allowed(struct sw_vm *vm, uint64_t end)
{
	(void)vm;
	return end > UINT64_C(1) << ADDRESS_BITS_MOST ? -EINVAL : 0;
}

const struct sw_arch sw_x86 = {
	.arch = GCPU_ARCH_X86,
	.run_size = RUN_SIZE,
	.init = init,
	.system = x86_system_calls,
	.vm = x86_vm_calls,
	.board = x86_board_calls,
	.vcpu = x86_vcpu_calls,
	.device = (const struct sw_call[]){ { 0, NULL } },
	.unknown_system = -EINVAL,
	.unknown_vm = -ENOTTY,
	.unknown_vcpu = -EINVAL,
	.capability = x86_capability,
	.vm_new = vm_new,
	.vm_free = vm_free,
	.vcpu_allowed = x86_vcpu_allowed,
	.slot_allowed = slot_allowed,
	.vcpu_new = vcpu_new,
	.vcpu_free = vcpu_free,
	.host_cpuid = x86_host_cpuid,
	.guest_perm = x86_guest_perm,
	.enable_vm = x86_enable_vm,
	.enable_vcpu = x86_enable_vcpu,
	.fresh = x86_fresh,
	.enter = enter,
	.step = x86_step,
};
