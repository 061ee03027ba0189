/* SPDX-License-Identifier: MIT */
/* What the values of MSRs must be, beyond what their rows say. */
#include "msr.h"

#define IBPB BIT(0)
#define SBPB BIT(7)
#define MISC_ENABLE_EMON BIT(7)
#define MISC_ENABLE_READ_ONLY (BIT(7) | BIT(11) | BIT(12))
#define VM_CR_SVM_DISABLE BIT(4)
#define VM_CR_LOCKED (BIT(3) | BIT(4))
#define FEAT_CTL_LOCKED BIT(0)
#define DEBUGCTL_AMD 0x3fU
#define FAMILY_15H 0x15U

/* Bits of linear addresses that MSRs are judged by. */
static unsigned linear_bits(const struct x86_vcpu *x)
{
	const struct gcpu_model *m = x86_model(x);
	bool wide = sw_behaves(m, BEHAVIOUR_MSRS_AS_WIDE_AS_HOST) ? x86_kvm_has(m, X86_F_LA57) :
								      (x->sregs.cr4 & CR4_LA57) != 0;

	return wide ? 57 : 48;
}

static uint64_t canonical(const struct x86_vcpu *x, uint64_t value)
{
	unsigned shift = 64 - linear_bits(x);

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

static int set_canonical(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return canonical(x, op->value) == op->value ? 0 : -EINVAL;
}

/* Are a guest's MSRs those of AMD's CPUs, one without a vendor included? */
static bool as_amd(const struct x86_vcpu *x)
{
	return sw_behaves(x86_model(x), BEHAVIOUR_OTHERS_ARE_INTEL) ? x86_amd_like(x, false) : !x86_intel_like(x);
}

/* Its 64-bit form is Intel's: others' guests have 32 bits of it, but for what they write themselves, of
 * which KVM on AMD's CPUs knows nothing. */
static bool half_sysenter(const struct x86_vcpu *x)
{
	return x86_is_hosts(x86_model(x), MSR_AMD) && as_amd(x);
}

static int set_sysenter(struct x86_vcpu *x, struct x86_msr_op *op)
{
	bool stack = op->index == X86_MSR(SYSENTER_ESP);

	op->value = canonical(x, op->value);
	if (op->host && half_sysenter(x))
		op->value = (uint32_t)op->value;
	if (stack)
		x->sysenter_unseen = !op->host && half_sysenter(x);
	return 0;
}

static int get_sysenter(struct x86_vcpu *x, struct x86_msr_op *op)
{
	bool stack = op->index == X86_MSR(SYSENTER_ESP);

	if (op->host && half_sysenter(x) && !(stack && x->sysenter_unseen))
		op->value = (uint32_t)op->value;
	return 0;
}

static int set_fs_base(struct x86_vcpu *x, struct x86_msr_op *op)
{
	if (set_canonical(x, op))
		return -EINVAL;
	x->sregs.fs.base = op->value;
	return X86_MSR_TAKEN;
}

static int get_fs_base(struct x86_vcpu *x, struct x86_msr_op *op)
{
	op->value = x->sregs.fs.base;
	return 0;
}

static int set_gs_base(struct x86_vcpu *x, struct x86_msr_op *op)
{
	if (set_canonical(x, op))
		return -EINVAL;
	x->sregs.gs.base = op->value;
	return X86_MSR_TAKEN;
}

static int get_gs_base(struct x86_vcpu *x, struct x86_msr_op *op)
{
	op->value = x->sregs.gs.base;
	return 0;
}

/* Without time: what is written stays. The guest's write moves its offset, too. */
static int set_tsc(struct x86_vcpu *x, struct x86_msr_op *op)
{
	uint64_t moved = op->value - x86_msr_kept(x, op->index);

	if (op->host)
		return 0;
	return x86_msr_keep(x, X86_MSR(TSC_ADJUST), x86_msr_kept(x, X86_MSR(TSC_ADJUST)) + moved);
}

static int set_apic_base(struct x86_vcpu *x, struct x86_msr_op *op)
{
	int status = x86_set_apic_base(x, op->value, op->host);

	return status ? status : X86_MSR_TAKEN;
}

static int get_apic_base(struct x86_vcpu *x, struct x86_msr_op *op)
{
	op->value = x->sregs.apic_base;
	return 0;
}

static int set_efer(struct x86_vcpu *x, struct x86_msr_op *op)
{
	bool changes = (x->sregs.efer ^ op->value) & EFER_LME;

	if (op->value & ~x86_efer_bits(x, op->host))
		return -EINVAL;
	if (!op->host && (x->sregs.cr0 & CR0_PG) && changes)
		return -EINVAL;
	x->sregs.efer = (op->value & ~EFER_LMA) | (x->sregs.efer & EFER_LMA);
	return X86_MSR_TAKEN;
}

static int get_efer(struct x86_vcpu *x, struct x86_msr_op *op)
{
	op->value = x->sregs.efer;
	return 0;
}

static int whole_xss(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op)
{
	bool has = x86_table_has(x, X86_F_XSAVES), judged = sw_behaves(x86_model(x), BEHAVIOUR_XSS_JUDGED);

	(void)f;
	if (!op->write) {
		op->value = x->xss;
		return op->host || has ? 0 : -EINVAL;
	}
	if (!has && (judged || !op->host))
		return judged ? -ENOENT : -EINVAL;
	if (op->value & ~(judged ? x86_guest_xss(x) : x86_kvm_xss(x86_model(x))))
		return -EINVAL;
	x->xss = op->value;
	x86_runtime(x);
	return 0;
}

static int set_xfd(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return op->value & ~(x86_guest_xcr0(x) & x86_dynamic(x86_model(x))) ? -EINVAL : 0;
}

static int set_pred_cmd(struct x86_vcpu *x, struct x86_msr_op *op)
{
	const struct gcpu_model *m = x86_model(x);
	bool ibpb = x86_kvm_has(m, X86_F_IBPB) || x86_kvm_has(m, X86_F_SPEC_CTRL);
	uint64_t valid = (ibpb ? IBPB : 0) | (x86_kvm_has(m, X86_F_SBPB) ? SBPB : 0);

	if (!sw_behaves(m, BEHAVIOUR_NO_COMMAND_TAKEN) && !ibpb)
		return -EINVAL;
	if (!op->host && !x86_guest_has(x, X86_F_IBPB) && !x86_guest_has(x, X86_F_SPEC_CTRL))
		valid &= ~IBPB;
	if (!op->host && !x86_guest_has(x, X86_F_SBPB))
		valid &= ~SBPB;
	return op->value & ~valid ? -EINVAL : 0;
}

static int set_flush_cmd(struct x86_vcpu *x, struct x86_msr_op *op)
{
	(void)op;
	return x86_kvm_has(x86_model(x), X86_F_FLUSH_L1D) ? 0 : -EINVAL;
}

static int set_misc_features(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return op->value && !(x86_msr_kept(x, X86_MSR(PLATFORM_INFO)) & PLATFORM_INFO_CPUID_FAULT) ? -EINVAL : 0;
}

static int set_misc_enable(struct x86_vcpu *x, struct x86_msr_op *op)
{
	uint64_t old = x86_msr_kept(x, op->index);
	bool moves = x86_vm(x->v->vm)->quirks_disabled & QUIRK_MISC_ENABLE_NO_MWAIT;
	int status;

	if (!op->host && ((old ^ op->value) & MISC_ENABLE_READ_ONLY & ~MISC_ENABLE_EMON))
		return -EINVAL;
	if (!op->host)
		op->value = (op->value & ~MISC_ENABLE_EMON) | (old & MISC_ENABLE_EMON);
	/* MONITOR in the table follows it, and only then is the table looked at */
	moves = moves && ((old ^ op->value) & MISC_ENABLE_MWAIT);
	if (moves && !x86_guest_has(x, X86_F_PNI))
		return -EINVAL;
	status = x86_msr_keep(x, op->index, op->value);
	if (moves)
		x86_runtime(x);
	return status ? status : X86_MSR_TAKEN;
}

/* Kept by KVM itself, whether or not the CPU has it. */
static int set_tsc_aux_soft(struct x86_vcpu *x, struct x86_msr_op *op)
{
	/* the upper half is reserved on Intel's CPUs, and passed over on AMD's */
	if (!as_amd(x) && op->value >> 32)
		return -EINVAL;
	op->value = (uint32_t)op->value;
	return 0;
}

static int set_tsc_aux(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return x86_msr_listed(x86_model(x), op->index) ? set_tsc_aux_soft(x, op) : -EINVAL;
}

static int get_tsc_aux(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return x86_msr_listed(x86_model(x), op->index) ? 0 : -EINVAL;
}

static int set_tsc_ratio(struct x86_vcpu *x, struct x86_msr_op *op)
{
	uint64_t now = x86_msr_kept(x, op->index);

	/* on no kernel by the table alone */
	if (x86_guest_has(x, X86_F_TSC_SCALE) && x86_kvm_has(x86_model(x), X86_F_TSC_SCALE))
		return op->value >> 40 ? -EINVAL : 0;
	if (op->value && op->value != now)
		return -EINVAL;
	op->value = now;
	return 0;
}

static int set_vm_cr(struct x86_vcpu *x, struct x86_msr_op *op)
{
	uint64_t now = x86_msr_kept(x, op->index);
	uint64_t fixed = now & VM_CR_SVM_DISABLE ? VM_CR_LOCKED : 0;

	op->value = (op->value & ~fixed) | (now & fixed);
	return (op->value & VM_CR_SVM_DISABLE) && (x->sregs.efer & EFER_SVME) ? -EINVAL : 0;
}

static int set_hsave(struct x86_vcpu *x, struct x86_msr_op *op)
{
	unsigned bits = x86_phys_bits(x);

	return !op->host && ((op->value & 0xfff) || (bits < 64 && op->value >> bits)) ? -EINVAL : 0;
}

static int get_ic_cfg(struct x86_vcpu *x, struct x86_msr_op *op)
{
	uint64_t addr = gcpu_facts_x86.words[X86_W_CPUID_0X1_0X0_EAX].addr;
	const struct snap_cpuid *e = x86_own_entry(x, ADDR_LEAF(addr), 0);
	unsigned family = e ? e->regs[0] >> 8 & 0xf : 0, model = e ? (e->regs[0] >> 4 & 0xf) | (e->regs[0] >> 12 & 0xf0) : 0;

	if (family == 0xf)
		family += e->regs[0] >> 20 & 0xff;
	if (!e || (family == FAMILY_15H && model < 0x20))
		return -EINVAL;
	op->value = family == FAMILY_15H ? 0x1e : 0;
	return 0;
}

static int set_debugctl_amd(struct x86_vcpu *x, struct x86_msr_op *op)
{
	if (!x86_kvm_has(x86_model(x), X86_F_LBRV))
		op->value = 0;
	return op->value & ~(uint64_t)DEBUGCTL_AMD ? -EINVAL : 0;
}

static int set_debugctl(struct x86_vcpu *x, struct x86_msr_op *op)
{
	(void)x;
	op->value = 0; /* branches are not recorded */
	return 0;
}

static int set_feat_ctl(struct x86_vcpu *x, struct x86_msr_op *op)
{
	uint64_t valid = FEAT_CTL_LOCKED | (x86_guest_has(x, X86_F_VMX) ? BIT(2) | BIT(1) : 0) |
			 (x86_guest_has(x, X86_F_SGXLC) ? BIT(17) : 0) | (x86_guest_has(x, X86_F_SGX) ? BIT(18) : 0);

	if (op->value & ~valid)
		return -EINVAL;
	return !op->host && (x86_msr_kept(x, op->index) & FEAT_CTL_LOCKED) ? -EINVAL : 0;
}

static int set_tsx_ctrl(struct x86_vcpu *x, struct x86_msr_op *op)
{
	if (!x86_msr_listed(x86_model(x), op->index))
		return -ENOENT;
	return !op->host && !(x86_msr_kept(x, X86_MSR(ARCH_CAPABILITIES)) >> gcpu_facts_x86.fields[X86_F_TSX_CTRL].lsb & 1) ?
		       -EINVAL : 0;
}

static int set_cet(struct x86_vcpu *x, struct x86_msr_op *op)
{
	uint64_t valid = (x86_guest_has(x, X86_F_CET_SS) ? 3 : 0) | (x86_guest_has(x, X86_F_CET_IBT) ? ~3ULL & ~0x3c0ULL : 0);

	if (op->value & ~valid)
		return -EINVAL;
	/* SUPPRESS with TRACKER */
	return (op->value & BIT(10)) && (op->value & BIT(11)) ? -EINVAL : set_canonical(x, op);
}

static int set_ssp(struct x86_vcpu *x, struct x86_msr_op *op)
{
	return op->value & 3 ? -EINVAL : set_canonical(x, op);
}

static int set_hwcr(struct x86_vcpu *x, struct x86_msr_op *op)
{
	(void)x;
	(void)op;
	return 0;
}

static int whole_x2apic(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op)
{
	(void)f;
	return op->write ? x86_x2apic_set(x, op->index, op->host, op->value) :
			   x86_x2apic_get(x, op->index, op->host, &op->value);
}

const struct x86_msr_rule x86_msr_rules[] = {
	[X86_MSR_RULE_NONE] = { NULL, NULL, NULL },
	[X86_MSR_RULE_APIC_BASE] = { .set = set_apic_base, .get = get_apic_base },
	[X86_MSR_RULE_CANONICAL] = { .set = set_canonical },
	[X86_MSR_RULE_CET] = { .set = set_cet },
	[X86_MSR_RULE_DEBUGCTL] = { .set = set_debugctl },
	[X86_MSR_RULE_DEBUGCTL_AMD] = { .set = set_debugctl_amd },
	[X86_MSR_RULE_EFER] = { .set = set_efer, .get = get_efer },
	[X86_MSR_RULE_FEATURE] = { .whole = x86_msr_feature },
	[X86_MSR_RULE_FEAT_CTL] = { .set = set_feat_ctl },
	[X86_MSR_RULE_FLUSH_CMD] = { .set = set_flush_cmd },
	[X86_MSR_RULE_FS_BASE] = { .set = set_fs_base, .get = get_fs_base },
	[X86_MSR_RULE_GS_BASE] = { .set = set_gs_base, .get = get_gs_base },
	[X86_MSR_RULE_HSAVE] = { .set = set_hsave },
	[X86_MSR_RULE_HV_APIC] = { .set = x86_msr_hv_apic, .get = x86_msr_hv_apic },
	[X86_MSR_RULE_HV_ASSIST] = { .set = x86_msr_hv_assist },
	[X86_MSR_RULE_HV_HYPERCALL] = { .set = x86_msr_hv_hypercall },
	[X86_MSR_RULE_HV_STIMER] = { .set = x86_msr_hv_stimer },
	[X86_MSR_RULE_HV_SYNIC] = { .set = x86_msr_hv_synic },
	[X86_MSR_RULE_HV_VP_INDEX] = { .set = x86_msr_hv_vp_index, .get = x86_msr_hv_vp_index_get },
	[X86_MSR_RULE_HWCR] = { .set = set_hwcr },
	[X86_MSR_RULE_IC_CFG] = { .get = get_ic_cfg },
	[X86_MSR_RULE_MC] = { .set = x86_msr_mc, .get = x86_msr_mc_get },
	[X86_MSR_RULE_MC_CTL2] = { .set = x86_msr_mc_ctl2, .get = x86_msr_mc_ctl2_get },
	[X86_MSR_RULE_MCG_CTL] = { .set = x86_msr_mcg_ctl, .get = x86_msr_mcg_ctl_get },
	[X86_MSR_RULE_MISC_ENABLE] = { .set = set_misc_enable },
	[X86_MSR_RULE_MISC_FEATURES] = { .set = set_misc_features },
	[X86_MSR_RULE_MTRR] = { .set = x86_msr_mtrr },
	[X86_MSR_RULE_MTRR_DEFAULT] = { .set = x86_msr_mtrr_default },
	[X86_MSR_RULE_MTRR_TYPES] = { .set = x86_msr_mtrr_types },
	[X86_MSR_RULE_PAT] = { .set = x86_msr_pat },
	[X86_MSR_RULE_PMU] = { .whole = x86_msr_pmu },
	[X86_MSR_RULE_PRED_CMD] = { .set = set_pred_cmd },
	[X86_MSR_RULE_SPEC_CTRL] = { .whole = x86_msr_spec_ctrl },
	[X86_MSR_RULE_SSP] = { .set = set_ssp },
	[X86_MSR_RULE_SYSENTER] = { .set = set_sysenter, .get = get_sysenter },
	[X86_MSR_RULE_TSC] = { .set = set_tsc },
	[X86_MSR_RULE_TSC_AUX] = { .set = set_tsc_aux, .get = get_tsc_aux },
	[X86_MSR_RULE_TSC_AUX_SOFT] = { .set = set_tsc_aux_soft },
	[X86_MSR_RULE_TSC_RATIO] = { .set = set_tsc_ratio },
	[X86_MSR_RULE_TSX_CTRL] = { .set = set_tsx_ctrl, .get = set_tsx_ctrl },
	[X86_MSR_RULE_VM_CR] = { .set = set_vm_cr },
	[X86_MSR_RULE_VMX] = { .whole = x86_msr_vmx },
	[X86_MSR_RULE_X2APIC] = { .whole = whole_x2apic },
	[X86_MSR_RULE_XFD] = { .set = set_xfd },
	[X86_MSR_RULE_XSS] = { .whole = whole_xss },
};
