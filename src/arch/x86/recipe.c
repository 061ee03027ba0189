/* SPDX-License-Identifier: MIT */
/* What a VMM has to do, in the order in which KVM takes it. */
#include "kvm/abi.h"
#include "kvm/abi_x86.h"
#include "x86.h"

/* Number of routes that user space keeps with a split irqchip: an IOAPIC's pins. */
#define SPLIT_ROUTES 24

/* Ids above this need the 32-bit formats: 255 is broadcast. */
#define XAPIC_ID_MAX 254

/* Bits of MCG_CAP, and the number of banks that QEMU gives. */
#define MCG_CTL_P (1ULL << 8)
#define MCG_SER_P (1ULL << 24)
#define MCG_LMCE_P (1ULL << 27)
#define MCE_BANKS 10

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

static unsigned top_id(const struct gcpu_plan *p)
{
	unsigned top = 0;

	for (unsigned i = 0; i < p->machine.vcpus; i++)
		top = p->vcpu_ids[i] > top ? p->vcpu_ids[i] : top;
	return top;
}

bool x86_wide_ids(const struct gcpu_plan *p)
{
	return p->machine.accept_x2apic_ids && field_get(p, p->value, X86_F_X2APIC) &&
	       (top_id(p) > XAPIC_ID_MAX || field_get(p, p->value, X86_F_KVM_MSI_EXT_DEST_ID));
}

static void x2apic_steps(struct gcpu_plan *p)
{
	bool x2apic = field_get(p, p->value, X86_F_X2APIC) != 0;
	unsigned top = top_id(p);

	if (top > XAPIC_ID_MAX && !x2apic) {
		plan_find(p, X86_R_X2APIC_OFF_IDS, X86_F_X2APIC, SEVERITY_ERROR, NULL);
		p->refused = true;
	} else if (top > XAPIC_ID_MAX && !p->machine.accept_x2apic_ids) {
		plan_find(p, X86_R_X2APIC_IDS, X86_F_X2APIC, SEVERITY_ERROR, NULL);
		p->refused = true;
	}
	if (x86_wide_ids(p))
		recipe_cap(p, GCPU_PHASE_VM, CAP_X2APIC_API,
			   GK_X2APIC_API_USE_32BIT_IDS | GK_X2APIC_API_DISABLE_BROADCAST_QUIRK,
			   "32-bit APIC ids in MSIs and KVM_GET_LAPIC, which the caller accepts");
}

static void handled_steps(struct gcpu_plan *p)
{
	const struct pv_fact *pv = x86_pv(p, X86_F_KVM_HC_MAP_GPA_RANGE);

	if (pv && field_get(p, p->value, X86_F_KVM_HC_MAP_GPA_RANGE))
		recipe_cap(p, GCPU_PHASE_VM, CAP_EXIT_HYPERCALL, 1ULL << pv->call[0],
			   "the hypercall comes to the VMM, which said that it handles it");
	if (field_get(p, p->value, X86_F_KVM_MIGRATION_CONTROL))
		recipe_cap(p, GCPU_PHASE_VM, CAP_X86_USER_SPACE_MSR, GK_MSR_EXIT_REASON_UNKNOWN,
			   "accesses to the MSR come to the VMM, which said that it handles them");
}

static bool lmce_able(const struct gcpu_plan *p)
{
	return p->snap->has_mce && (p->snap->mce_supported & MCG_LMCE_P) &&
	       field_get(p, p->value, X86_F_MCE) && field_get(p, p->value, X86_F_MCA);
}

void x86_lacking(struct gcpu_plan *p)
{
	if (p->props_said[X86_P_LMCE].said && p->props[X86_P_LMCE] && !lmce_able(p))
		plan_lacking(p, X86_R_LMCE_MISSING, -1);
	if (p->props_said[X86_P_UCODE_REV].said &&
	    !snapshot_msr(p->snap, ADDR_INDEX(p->facts->words[X86_W_MSR_0X8B].addr)))
		plan_lacking(p, X86_R_UCODE_MISSING, -1);
}

/* Machine checks for one CPU: MCG_CAP tells of them, KVM counts the banks. */
static void mce_step(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	if (!p->props[X86_P_LMCE] || !lmce_able(p))
		return;
	s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_X86_SETUP_MCE",
		       "machine checks for one CPU; firmware has to set LMCE in IA32_FEATURE_CONTROL");
	recipe_arg(s, "mcg_cap", (p->snap->mce_supported & (MCG_CTL_P | MCG_SER_P | MCG_LMCE_P)) | MCE_BANKS, NULL);
}

/* The CPUID bit that lets a guest see MSR INDEX, or NULL: none is needed. */
static const struct gate_fact *gate_of(const struct gcpu_plan *p, uint32_t index)
{
	for (unsigned i = 0; i < p->facts->n_gates; i++)
		if (p->facts->gates[i].is_msr && p->facts->gates[i].key == index)
			return &p->facts->gates[i];
	return NULL;
}

static bool any_chosen(const struct gcpu_plan *p, const struct word_fact *w)
{
	for (unsigned i = w->first; i < (unsigned)w->first + w->n; i++)
		if ((p->facts->fields[i].owner & OWNER_CHOSEN) &&
		    (p->fields[i].said != SAID_NOTHING || field_get(p, p->value, i)))
			return true;
	return false;
}

/* What is written: of a pair both halves, and what must be 1 may be 1 too. */
static uint64_t msr_value(const struct gcpu_plan *p, unsigned word)
{
	const struct word_fact *w = &p->facts->words[word];
	uint64_t v = p->value[word];

	if (w->klass != CLASS_PAIR)
		return v;
	return (v & UINT32_MAX) | v << 32 | (v & w->known);
}

/* One feature MSR with its planned value. What has no fields stays as KVM makes
 * it, and so does the identity of a model that is not this host's. */
static void feature_msr(struct gcpu_plan *p, unsigned word)
{
	const struct word_fact *w = &p->facts->words[word];
	uint32_t index = ADDR_INDEX(w->addr);
	const struct gate_fact *gate = gate_of(p, index);
	const struct snap_msr *m = snapshot_msr(p->snap, index);
	bool generous = p->model == MODEL_HOST || p->model == MODEL_MAX;
	struct gcpu_step *s;

	if (!m || !w->n || (gate && !field_get(p, p->value, gate->field)) ||
	    (w->klass == CLASS_IDENTITY && !generous && !p->props_said[X86_P_UCODE_REV].said))
		return;
	/* a model that says nothing of a nested hypervisor's abilities has KVM's */
	if (gate && gate->field == X86_F_VMX && !generous && !any_chosen(p, w))
		return;
	if (m->trial == MSR_REFUSED) {
		plan_find(p, X86_R_MSR_REFUSED, gate ? gate->field : -1, SEVERITY_NOTE,
			  "MSR 0x%x: %s", index, p->facts->rules[X86_R_MSR_REFUSED].sentence);
		return;
	}
	s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_SET_MSRS",
		       "feature MSR, after the CPUID that lets it be written");
	recipe_arg(s, "index", index, p->facts->fields[gate ? gate->field : w->first].name);
	recipe_arg(s, "value", msr_value(p, word), NULL);
}

static void vcpu_steps(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	if (p->props[X86_P_KVM_PV_ENFORCE_CPUID] &&
	    gcpu_snapshot_capability(p->snap, CAP_ENFORCE_PV_FEATURE_CPUID) > 0)
		recipe_cap(p, GCPU_PHASE_VCPU, CAP_ENFORCE_PV_FEATURE_CPUID, 1,
			   "KVM refuses paravirtual features that the guest was not given");
	x86_tsc_steps(p);
	mce_step(p);
	s = recipe_add(p, GCPU_PHASE_VCPU, "vcpu", "KVM_SET_CPUID2",
		       "before MSRs and registers, which KVM judges by it");
	recipe_arg(s, "nent", p->entries.n, NULL);
	for (unsigned i = 0; i < p->facts->n_words; i++)
		if (ADDR_SPACE(p->facts->words[i].addr) == SPACE_MSR)
			feature_msr(p, i);
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
	if (!p->props[X86_P_PMU] && (gcpu_snapshot_capability(p->snap, CAP_PMU_CAPABILITY) & GK_PMU_CAP_DISABLE))
		recipe_cap(p, GCPU_PHASE_VM, CAP_PMU_CAPABILITY, GK_PMU_CAP_DISABLE,
			   "no performance counters behind the leaves that tell of none");
	irqchip_steps(p);
	x2apic_steps(p);
	handled_steps(p);
	vcpu_steps(p);
	x86_run_steps(p);
	return 0;
}
