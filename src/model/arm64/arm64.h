/* SPDX-License-Identifier: MIT */
/* The software KVM of arm64: what its VMs and vCPUs hold, and who does what. */
#ifndef GCPU_MODEL_ARM64_H
#define GCPU_MODEL_ARM64_H

#include "../sw.h"
#include "arch/arm64/predict.h"
#include "kvm/abi_arm64.h"

#define REG_KIND(id) ((id) & GK_REG_ARM_KIND_MASK)
#define REG_BYTES(id) (1U << ((id) >> GK_REG_SIZE_SHIFT & 15))
#define NOWHERE (~0ULL)
#define SIZE_64K 0x10000UL
#define FAST_64 (1U << 30) /* of an SMCCC function: 64 bits wide */
#define V2_VCPUS_MOST 8U   /* that a vGICv2 has */

/* Where redistributors are, and of how many vCPUs; 0: of all that there are, and the only region. */
struct arm64_redist {
	uint64_t base;
	unsigned count;
};

/* Numbers of interrupts: 16 that vCPUs send each other, a vCPU's own, those of all. */
#define FIRST_PPI 16U
#define FIRST_SPI 32U
#define IRQS_USUAL 256U /* of a vGIC that was not told how many */

/* The interrupt controller of a VM: there is one at most. */
struct arm64_gic {
	uint32_t type; /* 0: none */
	bool ready;    /* KVM_DEV_ARM_VGIC_CTRL_INIT */
	uint64_t dist, cpu; /* NOWHERE: not said yet */
	struct list redists; /* arm64_redist */
	uint32_t irqs; /* 0: not said yet */
};

/* SMCCC functions whose calls do not take their usual way. */
struct arm64_filter {
	uint64_t first, last;
	uint8_t action;
};

struct arm64_vm {
	unsigned ipa_bits;
	bool mte, imp_ids, suspend, ran;
	bool timers_settled; /* a vCPU's timers have their interrupts for good */
	bool settled;	   /* some vCPU has been initialised, with `features` */
	uint32_t features; /* without power-off */
	bool width_settled;
	uint32_t width; /* features of the vCPU that said first whether all are of 32 bits; older kernels */
	uint64_t *now;	   /* one per register of the snapshot: those that are the VM's */
	uint64_t psci;	   /* 0: the newest */
	struct arm64_gic gic;
	struct list filters; /* arm64_filter */
	uint64_t random;
};

/* A register that nothing but its VMM or its guest moves: up to 2048 bits. */
struct arm64_reg {
	uint64_t id, value[32];
};

struct arm64_vcpu {
	struct sw_vcpu *v;
	bool initialised, finalised;
	uint32_t stuck; /* features of a KVM_ARM_VCPU_INIT that failed, and are there all the same; older kernels */
	uint32_t features;
	uint64_t mpidr, clidr, sve[GK_ARM64_SVE_VLS_WORDS];
	struct list regs; /* arm64_reg: those that are not 0 */
	bool pmu_ready;
	uint32_t pmu_irq; /* 0: not said yet */
	uint32_t timer_irq[4];
	uint64_t stolen; /* guest address, or NOWHERE */
	bool serror; /* a system error waits, with this syndrome */
	uint64_t serror_esr;
	bool was_off;	 /* turned off by its own call, which another vCPU ends */
};

static inline struct arm64_vm *arm64_vm(const struct sw_vm *vm)
{
	return vm->own;
}

static inline struct arm64_vcpu *arm64_vcpu(const struct sw_vcpu *v)
{
	return v->own;
}

static inline struct gcpu_model *arm64_model(const struct arm64_vcpu *x)
{
	return x->v->vm->model;
}

/* A bit of KVM_ARM_VCPU_INIT, by its field. */
static inline bool arm64_has(const struct arm64_vcpu *x, unsigned field)
{
	const struct arm64_vm *a = arm64_vm(x->v->vm);
	uint32_t all = sw_behaves(arm64_model(x), BEHAVIOUR_VM_WIDE_FEATURES) && !x->initialised && a->settled ?
		       a->features : x->features;

	return (all | x->stuck) >> gcpu_facts_arm64.fields[field].lsb & 1;
}

/* vm.c */
extern const struct sw_call arm64_vm_calls[];
int arm64_vm_new(struct sw_vm *vm);
void arm64_vm_free(struct sw_vm *vm);
int arm64_enable_vm(struct sw_vm *vm, const struct gk_enable_cap *cap);
int arm64_vcpu_allowed(struct sw_vm *vm, unsigned id);
int arm64_capability(struct gcpu_model *m, struct sw_vm *vm, unsigned number, int value);

/* vcpu.c */
extern const struct sw_call arm64_vcpu_calls[];
int arm64_vcpu_new(struct sw_vcpu *v);
void arm64_vcpu_free(struct sw_vcpu *v);
int arm64_enter(struct sw_vcpu *v);
/* What the rules are asked about this vCPU. */
struct predict_vm arm64_view(const struct arm64_vcpu *x);

/* events.c */
int arm64_get_events(void *vcpu, uintptr_t arg);
int arm64_set_events(void *vcpu, uintptr_t arg);
int arm64_set_guest_debug(void *vcpu, uintptr_t arg);
int arm64_irq_line(void *vm, uintptr_t arg);

/* regs.c */
int arm64_get_reg(void *vcpu, uintptr_t arg);
int arm64_set_reg(void *vcpu, uintptr_t arg);
int arm64_reg_list(void *vcpu, uintptr_t arg);
/* Where a register without rules stands; ids are those of KVM_SET_ONE_REG. */
const uint64_t *arm64_kept(const struct arm64_vcpu *x, uint64_t id); /* NULL: 0 */
int arm64_keep(struct arm64_vcpu *x, uint64_t id, const void *value);
uint64_t arm64_x(const struct arm64_vcpu *x, unsigned n);
int arm64_set_x(struct arm64_vcpu *x, unsigned n, uint64_t value);
/* A vCPU that begins anew. */
int arm64_regs_reset(struct arm64_vcpu *x);
/* Does a system register come with something that this vCPU lacks? */
bool arm64_hidden(const struct arm64_vcpu *x, uint64_t id);
/* The field that it comes with, or -1. */
int arm64_comes_with(uint64_t id);

/* redist.c: what the attributes of redistributors' places say. NOWHERE: nothing yet. */
int arm64_set_redist(struct sw_vm *vm, uint64_t at);
int arm64_set_redist_region(struct sw_vm *vm, uint64_t value);
uint64_t arm64_redist(const struct sw_vm *vm);
/* *VALUE says which, and is completed. */
int arm64_redist_region(const struct sw_vm *vm, uint64_t *value);
/* Is there one for each of N vCPUs; and are all in memory, and apart from the distributor? */
bool arm64_has_redist(const struct sw_vm *vm, unsigned n);
bool arm64_gic_placed(const struct sw_vm *vm);

/* idregs.c: registers of features. */
bool arm64_is_id(uint64_t id);
/* Index in the snapshot, or -1. */
int arm64_index(const struct gcpu_model *m, uint64_t id);
uint64_t arm64_limit_of(const struct arm64_vcpu *x, int index);
uint64_t arm64_id_value(const struct arm64_vcpu *x, int index);
int arm64_set_id(struct arm64_vcpu *x, int index, uint64_t value);
/* Those of the VM begin at their limits. */
void arm64_ids_new(struct arm64_vcpu *x);
/* The first run of the VM: its interrupt controller is known now. */
void arm64_ids_settle(struct sw_vm *vm);
void arm64_ids_gic_made(struct sw_vm *vm);
uint64_t arm64_field(const struct arm64_vcpu *x, unsigned field);

/* firmware.c */
int arm64_get_firmware(struct arm64_vcpu *x, uint64_t id, uint64_t *ret);
int arm64_set_firmware(struct arm64_vcpu *x, uint64_t id, uint64_t value);
uint64_t arm64_psci(const struct arm64_vcpu *x);

/* sve.c */
int arm64_get_sve(struct arm64_vcpu *x, uint64_t id, void *value);
int arm64_set_sve(struct arm64_vcpu *x, uint64_t id, const void *value);
bool arm64_lists_sve(const struct arm64_vcpu *x, uint64_t id);

/* attr.c: attributes of a vCPU. */
int arm64_set_attr(void *vcpu, uintptr_t arg);
/* Does each timer have an interrupt of its own? */
bool arm64_timers_fit(const struct arm64_vcpu *x);
int arm64_get_attr(void *vcpu, uintptr_t arg);
int arm64_has_attr(void *vcpu, uintptr_t arg);

/* filter.c: attributes of a VM. */
int arm64_vm_set_attr(void *vm, uintptr_t arg);
int arm64_vm_has_attr(void *vm, uintptr_t arg);
int arm64_vm_get_attr(void *vm, uintptr_t arg);
uint8_t arm64_filtered(const struct sw_vm *vm, uint32_t function);

/* gic.c */
extern const struct sw_call arm64_device_calls[];
int arm64_device_allowed(struct sw_vm *vm, uint32_t type, uint32_t flags);
/* What KVM_CREATE_DEVICE of a vGIC gives on this host: 0, -ENODEV. */
int arm64_gic_error(const struct gcpu_snapshot *s, uint32_t type);
void arm64_device_made(struct sw_device *d);
int arm64_create_irqchip(void *vm, uintptr_t arg);
/* Before a first run: 0 or -errno. */
int arm64_gic_enter(struct sw_vm *vm);

/* guest.c, smccc.c, psci.c */
enum sw_step arm64_step(struct sw_vcpu *v, struct gcpu_guest_op *op, bool complete);
enum sw_step arm64_smccc(struct arm64_vcpu *x, struct gcpu_guest_op *op);
enum sw_step arm64_psci_call(struct arm64_vcpu *x, uint32_t function, int64_t *ret);
/* Functions of PSCI 0.1 have the platform's own numbers: KVM's. */
#define PSCI_0_1_FIRST 0x95c1ba5eU
#define PSCI_0_1_LAST 0x95c1ba61U
/* A function by its place in hypercalls.txt. */
static inline uint32_t arm64_call(unsigned call)
{
	return gcpu_facts_arm64.calls[call].number;
}

#endif
