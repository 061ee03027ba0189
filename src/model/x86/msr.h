/* SPDX-License-Identifier: MIT */
/* How the software KVM's MSRs are made: rows of data/x86/msrs.txt, and rules that code knows. */
#ifndef GCPU_MODEL_X86_MSR_H
#define GCPU_MODEL_X86_MSR_H

#include "x86.h"

/* One access. HOST: by the VMM. VALUE: what is written, or what was read. */
struct x86_msr_op {
	uint32_t index;
	bool host, write;
	uint64_t value;
};

/* What a setter returns when it has put the value away itself. */
#define X86_MSR_TAKEN 1

/* Beyond the row: 0, -EINVAL or -ENOENT. WHOLE does all of it, SET looks at a value that the row allows
 * and may change it, GET changes what is read. */
struct x86_msr_rule {
	int (*whole)(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op);
	int (*set)(struct x86_vcpu *x, struct x86_msr_op *op);
	int (*get)(struct x86_vcpu *x, struct x86_msr_op *op);
};

/* By X86_MSR_RULE_*. */
extern const struct x86_msr_rule x86_msr_rules[];

/* msr.c */
bool x86_msr_listed(const struct gcpu_model *m, uint32_t index);
/* Has the guest what the MSR needs, as KVM acts on it? */
bool x86_msr_has_any(const struct x86_vcpu *x, const struct msr_fact *f);
/* Is a module parameter of the host's known, and on? */
bool x86_parameter(const struct gcpu_model *m, const char *module, const char *name);

/* msr_more.c */
bool x86_msr_is_frozen(const struct gcpu_model *m, uint32_t index);
int x86_msr_spec_ctrl(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op);
int x86_msr_feature(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op);
int x86_msr_vmx(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op);
int x86_msr_pmu(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op);
int x86_msr_hv_hypercall(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_hv_vp_index(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_hv_vp_index_get(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_hv_apic(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_hv_assist(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_hv_synic(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_hv_stimer(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mtrr(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mtrr_types(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mtrr_default(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_pat(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mcg_ctl(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mcg_ctl_get(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mc(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mc_get(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mc_ctl2(struct x86_vcpu *x, struct x86_msr_op *op);
int x86_msr_mc_ctl2_get(struct x86_vcpu *x, struct x86_msr_op *op);

#endif
