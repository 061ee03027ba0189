/* SPDX-License-Identifier: MIT */
/* Feature MSRs, performance counters, memory types, machine checks, Hyper-V's. */
#include "msr.h"

#define MCG_CMCI_P BIT(10)
#define MC_CTL2_VALID (BIT(30) | 0x7fff)
#define HWCR_MC_STATUS_WRITABLE BIT(18)
#define HYPERCALL_ON BIT(0)

/* Feature MSRs. */

bool x86_msr_is_frozen(const struct gcpu_model *m, uint32_t index)
{
	return sw_behaves(m, BEHAVIOUR_FEATURE_MSRS_FROZEN) && index != X86_MSR(UCODE_REV) && snapshot_msr(m->host, index);
}

static uint64_t supported(const struct gcpu_model *m, uint32_t index)
{
	const struct snap_msr *f = snapshot_msr(m->host, index);

	return f ? f->value : 0;
}

int x86_msrs_new(struct x86_vcpu *x)
{
	const struct gcpu_model *m = x86_model(x);
	bool stuffed = !(x86_vm(x->v->vm)->quirks_disabled & QUIRK_STUFF_FEATURE_MSRS);
	int status = 0;

	/* a processor that has one for its guests was trusted from the start */
	x->spec_ctrl_passed = x86_host_has(m, X86_F_V_SPEC_CTRL) && !sw_behaves(m, BEHAVIOUR_SPEC_CTRL_RECOUNTED);
	for (unsigned i = 0; i < gcpu_facts_x86.n_msrs && status == 0; i++) {
		const struct msr_fact *f = &gcpu_facts_x86.msrs[i];
		bool own = f->index == X86_MSR(ARCH_CAPABILITIES) || f->index == X86_MSR(PERF_CAPABILITIES) ||
			   f->rule == X86_MSR_RULE_VMX;

		if ((f->rule != X86_MSR_RULE_FEATURE && f->rule != X86_MSR_RULE_VMX) || !x86_is_hosts(m, f->who))
			continue;
		for (uint32_t index = f->index; index <= f->last && status == 0; index++)
			status = x86_msr_keep(x, index, !stuffed ? 0 : own ? supported(m, index) : f->reset);
	}
	return status;
}

void x86_msrs_after(struct x86_vcpu *x)
{
	if (sw_behaves(x86_model(x), BEHAVIOUR_SPEC_CTRL_RECOUNTED))
		x->spec_ctrl_passed = !x86_host_has(x86_model(x), X86_F_V_SPEC_CTRL) &&
				      x86_msr_kept(x, X86_MSR(SPEC_CTRL)) != 0;
}

static bool host_has_any(const struct gcpu_model *m, const struct msr_fact *f)
{
	for (unsigned i = 0; i < f->n_needs; i++)
		if (x86_host_has(m, f->needs[i]))
			return true;
	return false;
}

/*
 * From the first value but 0 on KVM does not stand between the guest and the processor's register any more,
 * whoever wrote it and whatever the guest's table says; where the processor has none, as QEMU's, what KVM
 * keeps stays beside it, and the guest reads 0.
 */
int x86_msr_spec_ctrl(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op)
{
	bool nothing = x->spec_ctrl_passed && !host_has_any(x86_model(x), f);

	if (!op->host && !x->spec_ctrl_passed && !x86_msr_has_any(x, f))
		return -EINVAL;
	if (!op->write) {
		op->value = nothing && !op->host ? 0 : x86_msr_kept(x, op->index);
		return 0;
	}
	x->spec_ctrl_passed |= op->value != 0;
	return nothing && !op->host ? 0 : x86_msr_keep(x, op->index, op->value);
}

static int feature_get(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op, bool judged)
{
	if (f->n_needs && !x86_guest_has(x, f->needs[0]) && (judged || !op->host))
		return judged ? -ENOENT : -EINVAL;
	if (op->index == X86_MSR(PLATFORM_INFO) && !op->host && x86_vm(x->v->vm)->platform_info_hidden)
		return -EINVAL;
	op->value = x86_msr_kept(x, op->index);
	return 0;
}

int x86_msr_feature(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op)
{
	const struct gcpu_model *m = x86_model(x);
	bool judged = sw_behaves(m, BEHAVIOUR_FEATURE_MSRS_JUDGED);

	if (!op->write)
		return feature_get(x, f, op, judged);
	if (op->index == X86_MSR(UCODE_REV)) /* the guest's begins an update, and is passed over */
		return op->host ? x86_msr_keep(x, op->index, op->value) : 0;
	if (op->index == X86_MSR(DE_CFG)) {
		uint64_t whole = supported(m, op->index);

		if ((op->value & ~whole) || (!op->host && op->value != whole && !sw_behaves(m, BEHAVIOUR_DE_CFG_IN_PART)))
			return -EINVAL;
		return x86_msr_keep(x, op->index, op->value);
	}
	if (judged && f->n_needs && (!op->host || !x86_guest_has(x, f->needs[0])))
		return -ENOENT;
	if (!op->host)
		return -EINVAL;
	if (op->index == X86_MSR(PERF_CAPABILITIES) && (op->value & ~supported(m, op->index)))
		return -EINVAL;
	/* while CPUID faults, it cannot be taken away */
	if (op->index == X86_MSR(PLATFORM_INFO) && !judged && !(op->value & PLATFORM_INFO_CPUID_FAULT) &&
	    x86_msr_kept(x, X86_MSR(MISC_FEATURES)))
		return -EINVAL;
	return x86_msr_keep(x, op->index, op->value);
}

/* A control's low half must be 1 where KVM's must, its high half may be 1 where KVM's may. */
static bool vmx_fits(const struct gcpu_model *m, uint32_t index, uint64_t value)
{
	uint64_t own = supported(m, index);

	for (unsigned w = 0; w < gcpu_facts_x86.n_words; w++) {
		const struct word_fact *word = &gcpu_facts_x86.words[w];
		bool msr = ADDR_SPACE(word->addr) == SPACE_MSR && word->addr == ADDR_MSR(index);

		if (msr && word->klass == CLASS_PAIR)
			return ((uint32_t)own & ~(uint32_t)value) == 0 && ((value & ~own) >> 32) == 0;
	}
	return (value & ~own) == 0;
}

int x86_msr_vmx(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op)
{
	const struct gcpu_model *m = x86_model(x);
	const struct snap_msr *own = snapshot_msr(m->host, op->index);

	if (!own || (!op->host && !x86_guest_has(x, f->needs[0])))
		return op->host ? -ENOENT : -EINVAL;
	if (!op->write) {
		op->value = x86_msr_kept(x, op->index);
		return 0;
	}
	if (!op->host || own->trial == MSR_REFUSED || !vmx_fits(m, op->index, op->value))
		return -EINVAL;
	return x86_msr_keep(x, op->index, op->value);
}

/* Performance counters. */

static bool pmu_has(const struct x86_vcpu *x, const struct msr_fact *f)
{
	const struct gcpu_model *m = x86_model(x);
	uint64_t addr = gcpu_facts_x86.words[X86_W_CPUID_0XA_0X0_EAX].addr;
	const struct snap_cpuid *e = x86_own_entry(x, ADDR_LEAF(addr), 0);

	if (x86_vm(x->v->vm)->pmu_off)
		return false;
	if (!x86_is_hosts(m, MSR_AMD))
		return f->index < X86_MSR(K7_EVNTSEL) && (x86_supported(m, addr) & 0xff) && e && (e->regs[0] & 0xff);
	return f->index >= X86_MSR(K7_EVNTSEL) && x86_kvm_has(m, X86_F_PERFCTR_CORE) &&
	       (f->who != MSR_AMD || x86_guest_has(x, X86_F_PERFCTR_CORE));
}

int x86_msr_pmu(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op)
{
	if (pmu_has(x, f)) {
		op->value = op->write ? op->value : x86_msr_kept(x, op->index);
		return op->write ? x86_msr_keep(x, op->index, op->value) : 0;
	}
	if (f->access[0] == '.')
		return -ENOENT;
	op->value = 0; /* the oldest are there for all, and count nothing */
	return 0;
}

/* Memory types: uncacheable, combining, through, protected, back. */
static bool is_type(uint64_t t)
{
	return t < 8 && (0x73U >> t & 1);
}

int x86_msr_mtrr(struct x86_vcpu *x, struct x86_msr_op *op)
{
	unsigned bits = x86_phys_bits(x);
	uint64_t reserved = bits < 64 ? ~0ULL << bits : 0;

	if (op->index & 1)
		reserved |= 0x7ff;
	else
		reserved |= 0xf00;
	return (op->value & reserved) || (!(op->index & 1) && !is_type(op->value & 0xff)) ? -EINVAL : 0;
}

int x86_msr_mtrr_types(struct x86_vcpu *x, struct x86_msr_op *op)
{
	(void)x;
	for (unsigned i = 0; i < 8; i++)
		if (!is_type(op->value >> 8 * i & 0xff))
			return -EINVAL;
	return 0;
}

int x86_msr_mtrr_default(struct x86_vcpu *x, struct x86_msr_op *op)
{
	(void)x;
	return is_type(op->value & 0xff) ? 0 : -EINVAL;
}

int x86_msr_pat(struct x86_vcpu *x, struct x86_msr_op *op)
{
	(void)x;
	for (unsigned i = 0; i < 8; i++)
		if ((op->value >> 8 * i & 0xff) != 7 && !is_type(op->value >> 8 * i & 0xff))
			return -EINVAL;
	return 0;
}

/* Machine checks. */

static uint64_t mcg_cap(const struct x86_vcpu *x)
{
	return x86_msr_kept(x, X86_MSR(MCG_CAP));
}

int x86_msr_mcg_ctl_get(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return op->host || (mcg_cap(x) & MCG_CTL_P) ? 0 : -EINVAL;
}

int x86_msr_mcg_ctl(struct x86_vcpu *x, struct x86_msr_op *op)
{
	if (!(mcg_cap(x) & MCG_CTL_P) && (op->value || !op->host))
		return -EINVAL;
	return op->value && ~op->value ? -EINVAL : 0;
}

static bool no_bank(const struct x86_vcpu *x, unsigned bank)
{
	return bank >= (mcg_cap(x) & 0xff);
}

int x86_msr_mc_get(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return no_bank(x, (op->index - X86_MSR(MC)) / 4) ? -EINVAL : 0;
}

int x86_msr_mc(struct x86_vcpu *x, struct x86_msr_op *op)
{
	unsigned reg = op->index & 3;

	if (x86_msr_mc_get(x, op))
		return -EINVAL;
	/* all or none; two bits that guests are known to leave out */
	if (reg == 0 && op->value && ~(op->value | BIT(10) | BIT(0)))
		return -EINVAL;
	if (reg == 1 && op->value && !op->host &&
	    !(x86_amd_like(x, false) && (x86_msr_kept(x, X86_MSR(HWCR)) & HWCR_MC_STATUS_WRITABLE)))
		return -EINVAL;
	return 0;
}

int x86_msr_mc_ctl2_get(struct x86_vcpu *x, struct x86_msr_op *op)
{
	if (no_bank(x, op->index - X86_MSR(MC_CTL2)))
		return -EINVAL;
	return op->host || (mcg_cap(x) & MCG_CMCI_P) ? 0 : -EINVAL;
}

int x86_msr_mc_ctl2(struct x86_vcpu *x, struct x86_msr_op *op)
{
	if (no_bank(x, op->index - X86_MSR(MC_CTL2)) || (op->value & ~MC_CTL2_VALID))
		return -EINVAL;
	return !(mcg_cap(x) & MCG_CMCI_P) && (op->value || !op->host) ? -EINVAL : 0;
}

int x86_mce_is(struct x86_vcpu *x, uint64_t cap)
{
	int status = x86_msr_keep(x, X86_MSR(MCG_CAP), cap);

	x86_apic_cmci(x, cap & MCG_CMCI_P);
	if (status == 0 && (cap & MCG_CTL_P))
		status = x86_msr_keep(x, X86_MSR(MCG_CTL), ~0ULL);
	for (unsigned bank = 0; bank < (cap & 0xff) && status == 0; bank++)
		status = x86_msr_keep(x, X86_MSR(MC) + 4 * bank, ~0ULL);
	return status;
}

/* Hyper-V. */

int x86_msr_hv_hypercall(struct x86_vcpu *x, struct x86_msr_op *op)
{
	/* a guest that has not said which it is has no page */
	if (!x86_msr_kept(x, X86_MSR(HV_GUEST_OS_ID)))
		op->value = 0;
	if (!(op->value & HYPERCALL_ON))
		return 0;
	return sw_guest_memory(x->v->vm, op->value & ~0xfffULL, 4) ? 0 : -EINVAL;
}

int x86_msr_hv_vp_index_get(struct x86_vcpu *x, struct x86_msr_op *op)
{
	for (size_t i = 0; i < x->msrs.n; i++)
		if (LIST_AT(&x->msrs, struct x86_msr, i)->index == op->index)
			return 0;
	op->value = x->v->index;
	return 0;
}

int x86_msr_hv_vp_index(struct x86_vcpu *x, struct x86_msr_op *op)
{
	op->value = (uint32_t)op->value;
	return op->value >= (uint64_t)sw_cap(x86_model(x), NULL, CAP_MAX_VCPUS) ? -EINVAL : 0;
}

int x86_msr_hv_apic(struct x86_vcpu *x, struct x86_msr_op *op)
{
	(void)op;
	return x86_lapic(x) ? 0 : -EINVAL;
}

int x86_msr_hv_assist(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return !(op->value & 1) || sw_guest_memory(x->v->vm, op->value & ~0xfffULL, 4096) ? 0 : -EINVAL;
}
