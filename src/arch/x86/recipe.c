/* SPDX-License-Identifier: MIT */
/* What a VMM has to do, in the order in which KVM takes it. */
#include "kvm/abi.h"
#include "kvm/abi_x86.h"
#include "x86.h"

/* Number of routes that user space keeps with a split irqchip: an IOAPIC's pins. */
#define SPLIT_ROUTES 24

/* Ids above this need the 32-bit formats: 255 is broadcast. */
#define XAPIC_ID_MAX 254

/* Flags of KVM_CAP_X2APIC_API: use 32-bit ids, and no broadcast to id 0xff. */
#define X2APIC_API_FLAGS 3

/* Reasons for which MSR accesses go to user space. */
#define MSR_EXIT_UNKNOWN 2

uint32_t x86_exits(const struct gcpu_plan *p)
{
	return p->machine.disable_exits &
	       (uint32_t)gcpu_snapshot_capability(p->snap, CAP_X86_DISABLE_EXITS);
}

static void irqchip_steps(struct gcpu_plan *p)
{
	if (p->machine.irqchip == GCPU_IRQCHIP_KERNEL)
		recipe_add(p, GCPU_PHASE_VM, "vm", "KVM_CREATE_IRQCHIP",
			   "local APIC, IOAPIC and PIC in the kernel, before the first vCPU");
	else if (p->machine.irqchip == GCPU_IRQCHIP_SPLIT)
		recipe_cap(p, GCPU_PHASE_VM, CAP_SPLIT_IRQCHIP, SPLIT_ROUTES,
			   "local APIC in the kernel, the rest in the VMM; before the first vCPU");
}

static void x2apic_steps(struct gcpu_plan *p)
{
	bool x2apic = field_get(p, p->value, X86_F_X2APIC) != 0;
	bool ext = field_get(p, p->value, X86_F_KVM_MSI_EXT_DEST_ID) != 0;
	unsigned top = 0;

	for (unsigned i = 0; i < p->machine.vcpus; i++)
		top = p->vcpu_ids[i] > top ? p->vcpu_ids[i] : top;
	if (top > XAPIC_ID_MAX && !x2apic) {
		plan_find(p, X86_R_X2APIC_OFF_IDS, X86_F_X2APIC, SEVERITY_ERROR, NULL);
		p->refused = true;
	} else if (top > XAPIC_ID_MAX && !p->machine.accept_x2apic_ids) {
		plan_find(p, X86_R_X2APIC_IDS, X86_F_X2APIC, SEVERITY_ERROR, NULL);
		p->refused = true;
	}
	if (x2apic && p->machine.accept_x2apic_ids && (top > XAPIC_ID_MAX || ext))
		recipe_cap(p, GCPU_PHASE_VM, CAP_X2APIC_API, X2APIC_API_FLAGS,
			   "32-bit APIC ids in MSIs and KVM_GET_LAPIC, which the caller accepts");
}

static void handled_steps(struct gcpu_plan *p)
{
	const struct pv_fact *pv = NULL;

	for (unsigned i = 0; i < p->facts->n_pv; i++)
		if (p->facts->pv[i].field == X86_F_KVM_HC_MAP_GPA_RANGE)
			pv = &p->facts->pv[i];
	if (pv && field_get(p, p->value, X86_F_KVM_HC_MAP_GPA_RANGE))
		recipe_cap(p, GCPU_PHASE_VM, CAP_EXIT_HYPERCALL, 1ULL << pv->call[0],
			   "the hypercall comes to the VMM, which said that it handles it");
	if (field_get(p, p->value, X86_F_KVM_MIGRATION_CONTROL))
		recipe_cap(p, GCPU_PHASE_VM, CAP_X86_USER_SPACE_MSR, MSR_EXIT_UNKNOWN,
			   "accesses to the MSR come to the VMM, which said that it handles them");
}

static void vcpu_steps(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	if (p->props[X86_P_KVM_PV_ENFORCE_CPUID] &&
	    gcpu_snapshot_capability(p->snap, CAP_ENFORCE_PV_FEATURE_CPUID) > 0)
		recipe_cap(p, GCPU_PHASE_VCPU, CAP_ENFORCE_PV_FEATURE_CPUID, 1,
			   "KVM refuses paravirtual features that the guest was not given");
	s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_SET_CPUID2",
		       "before MSRs and registers, which KVM judges by it");
	recipe_arg(s, "nent", p->entries.n, NULL);
	for (unsigned i = 0; i < p->facts->n_gates; i++) {
		const struct gate_fact *g = &p->facts->gates[i];

		const struct snap_msr *m = g->is_msr ? snapshot_msr(p->snap, g->key) : NULL;

		if (!m || !field_get(p, p->value, g->field))
			continue;
		if (m->trial == MSR_REFUSED) {
			plan_find(p, X86_R_MSR_REFUSED, g->field, SEVERITY_NOTE, "MSR 0x%x: %s",
				  g->key, p->facts->rules[X86_R_MSR_REFUSED].sentence);
			continue;
		}
		s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_SET_MSRS",
			       "feature MSR, after the CPUID that lets it be written");
		recipe_arg(s, "index", g->key, p->facts->fields[g->field].name);
		recipe_arg(s, "value", m->value, NULL);
	}
}

int x86_recipe(struct gcpu_plan *p)
{
	uint32_t exits = x86_exits(p);
	struct gcpu_step *s;

	if (p->value[X86_W_CPUID_0XD_0X0_EAX] >> X86_XTILEDATA & 1) {
		s = recipe_add(p, GCPU_PHASE_PROCESS, "process", "arch_prctl",
			       "tile state is asked for once per process, before any vCPU");
		recipe_arg(s, "code", GK_ARCH_REQ_XCOMP_GUEST_PERM, "ARCH_REQ_XCOMP_GUEST_PERM");
		recipe_arg(s, "feature", X86_XTILEDATA, "XTILEDATA");
	}
	if (exits)
		recipe_cap(p, GCPU_PHASE_VM, CAP_X86_DISABLE_EXITS, exits,
			   "only exits that this KVM lets be disabled, before the first vCPU");
	irqchip_steps(p);
	x2apic_steps(p);
	handled_steps(p);
	vcpu_steps(p);
	return 0;
}
