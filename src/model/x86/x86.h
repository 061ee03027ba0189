/* SPDX-License-Identifier: MIT */
/* The software KVM of x86: what its VMs and vCPUs hold, and who does what. */
#ifndef GCPU_MODEL_X86_H
#define GCPU_MODEL_X86_H

#include "../sw.h"
#include "kvm/abi_more.h"
#include "bits.h"
#include "guest.h"

/* Local APICs: the VMM's own, all controllers in the kernel, or the local ones alone. */
enum x86_irqchip { X86_IRQCHIP_NONE, X86_IRQCHIP_KERNEL, X86_IRQCHIP_SPLIT };

struct x86_vm {
	enum x86_irqchip irqchip;
	uint32_t exits_disabled;  /* KVM_CAP_X86_DISABLE_EXITS, EXIT_BIT_* */
	uint64_t quirks_disabled; /* KVM_CAP_DISABLE_QUIRKS2 */
	uint64_t x2apic_flags;	  /* KVM_CAP_X2APIC_API */
	uint32_t max_ids;	  /* KVM_CAP_MAX_VCPU_ID; 0: not set */
	uint32_t boot_id;
	uint64_t exit_hypercalls; /* KVM_CAP_EXIT_HYPERCALL */
	uint64_t user_msr;	  /* KVM_CAP_X86_USER_SPACE_MSR, GK_MSR_EXIT_REASON_* */
	uint64_t bus_lock;	  /* KVM_CAP_X86_BUS_LOCK_EXIT */
	uint64_t bus_cycle_ns;	  /* KVM_CAP_X86_APIC_BUS_CYCLES_NS */
	bool pit;		  /* there is one */
	struct gk_pit_state2 pit_state;
	struct gk_irqchip chips[GK_NR_IRQCHIPS];
	bool pmu_off;		  /* KVM_CAP_PMU_CAPABILITY */
	bool platform_info_hidden; /* KVM_CAP_MSR_PLATFORM_INFO */
	bool exception_payload;	   /* KVM_CAP_EXCEPTION_PAYLOAD */
	bool triple_fault_event;   /* KVM_CAP_X86_TRIPLE_FAULT_EVENT */
	uint32_t tsc_khz;	  /* of vCPUs to come; 0: the host's */
	struct list hyperv_events; /* uint32_t: numbers that KVM_HYPERV_EVENTFD has given away */
	struct gk_msr_filter *filter; /* with bitmaps behind it, or NULL */
	struct x86_guests *guest;
};

/* MSRs that code needs by name, as data/x86/msrs.txt calls them. */
#define X86_MSR_FACT(name) (gcpu_facts_x86.msrs[X86_M_##name])
#define X86_MSR(name) (X86_MSR_FACT(name).index)
#define LEAF_SAVE_AREA ADDR_LEAF(gcpu_facts_x86.words[X86_W_CPUID_0XD_0X0_EAX].addr)

struct x86_msr {
	uint32_t index;
	uint64_t value;
};

struct x86_vcpu {
	struct sw_vcpu *v;
	struct snap_cpuid *table; /* KVM_SET_CPUID2's, with what changes while the guest runs */
	unsigned n;
	struct gk_x86_sregs2 sregs; /* cr0, cr3, cr4, efer and apic_base are the vCPU's own */
	uint64_t xcr0, xss;
	struct list msrs; /* x86_msr: those that are not as at first */
	struct gk_x86_regs regs;
	struct gk_debugregs debug;
	struct gk_vcpu_events events;
	uint8_t *area; /* XSAVE's, in its standard form; NULL: as at first */
	bool enforce_pv;
	bool spec_ctrl_passed; /* KVM does not look at the guest's accesses to SPEC_CTRL any more */
	bool sysenter_unseen; /* the guest wrote SYSENTER_ESP, and KVM was not asked */
	uint32_t pv_leaf; /* where KVM's features are in the table; 0: nowhere */
	bool evmcs; /* the VMM turned the enlightened VMCS on */
	bool synic; /* and Hyper-V's synthetic interrupts */
	uint32_t pv_word; /* as KVM keeps it since the last table */
	uint32_t tsc_khz;
	uint64_t tsc_offset; /* as its VMM set it: no time depends on it */
	uint8_t apic[1024]; /* registers, as KVM_GET_LAPIC has them */
	struct x86_guest *guest;
};

static inline struct x86_vm *x86_vm(const struct sw_vm *vm)
{
	return vm->own;
}

static inline struct x86_vcpu *x86_vcpu(const struct sw_vcpu *v)
{
	return v->own;
}

static inline bool x86_lapic(const struct x86_vcpu *x)
{
	return x86_vm(x->v->vm)->irqchip != X86_IRQCHIP_NONE;
}

/* Is the host's KVM of this maker (MSR_AMD ...; MSR_NONE: of neither)? */
bool x86_is_hosts(const struct gcpu_model *m, unsigned who);

static inline struct gcpu_model *x86_model(const struct x86_vcpu *x)
{
	return x->v->vm->model;
}

/* Of the host's TSC. A host that was made from a dump of CPUID does not tell, and no KVM says 0. */
#define X86_KHZ_UNKNOWN 1000000
static inline uint32_t x86_host_khz(const struct gcpu_model *m)
{
	return m->host->tsc_khz ? (uint32_t)m->host->tsc_khz : X86_KHZ_UNKNOWN;
}

/* cpuid.c: tables of vCPUs. */
int x86_set_cpuid(void *vcpu, uintptr_t arg);
int x86_set_cpuid2(void *vcpu, uintptr_t arg);
int x86_get_cpuid2(void *vcpu, uintptr_t arg);
int x86_give_entries(uintptr_t arg, const struct snap_cpuid *table, size_t n);
/* The first entry that answers for LEAF and SUBLEAF, or NULL. */
struct snap_cpuid *x86_own_entry(const struct x86_vcpu *x, uint32_t leaf, uint32_t subleaf); /* for KVM itself */
struct snap_cpuid *x86_entry(const struct x86_vcpu *x, uint32_t leaf, uint32_t subleaf);
/* Does the guest have a field: as the table says it, and as KVM acts on it. */
bool x86_table_has(const struct x86_vcpu *x, unsigned field);
bool x86_guest_has(const struct x86_vcpu *x, unsigned field);
/* Does the CPU itself have it; does KVM support it. */
bool x86_host_has(const struct gcpu_model *m, unsigned field);
bool x86_kvm_has(const struct gcpu_model *m, unsigned field);
/* After a change of CR4, XCR0, XSS, IA32_APIC_BASE or IA32_MISC_ENABLE. */
void x86_runtime(struct x86_vcpu *x);
/* What the instruction answers. */
void x86_cpuid(const struct x86_vcpu *x, uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);
/* Bytes of a save area with the components HAVE. */
uint32_t x86_area_size(const struct gcpu_model *m, uint64_t have, bool compacted);
/* XCR0 and XSS that the guest may have. */
uint64_t x86_guest_xcr0(const struct x86_vcpu *x);
uint64_t x86_guest_xss(const struct x86_vcpu *x);
/* Is the guest's vendor string AMD's or Hygon's; SUPPOSED: what a table without leaf 0 is. */
bool x86_intel_like(const struct x86_vcpu *x);
bool x86_amd_like(const struct x86_vcpu *x, bool supposed);
unsigned x86_phys_bits(const struct x86_vcpu *x);

/* After a table has been set: lapic.c, msr.c. */
void x86_lapic_after(struct x86_vcpu *x);
void x86_msrs_after(struct x86_vcpu *x);

/* override.c: a KVM that puts other values in force than the table has, as its trial shows. 0 or -ENOMEM. */
int x86_override(struct x86_vcpu *x);
bool x86_overrides(const struct gcpu_snapshot *s);

/* system.c */
extern const struct sw_call x86_system_calls[];
int x86_get_hyperv_vcpu(void *vcpu, uintptr_t arg);
uint32_t x86_supported(const struct gcpu_model *m, uint64_t addr);
int x86_capability(struct gcpu_model *m, struct sw_vm *vm, unsigned number, int value);
int x86_host_cpuid(struct gcpu_model *m, uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);
int x86_guest_perm(struct gcpu_model *m, int code, uint64_t arg, uint64_t *ret);

/* Versions of the enlightened VMCS that this KVM has, as its leaf says them; 0: none. */
uint16_t x86_evmcs_versions(const struct gcpu_model *m);

/* hyperv.c: 0 or -errno. */
int x86_hyperv_synic_on(struct x86_vcpu *x);
int x86_hyperv_evmcs_on(struct x86_vcpu *x, uintptr_t arg);
int x86_hyperv_eventfd(void *vm, uintptr_t arg);

/* vm.c */
extern const struct sw_call x86_vm_calls[];
int x86_enable_vm(struct sw_vm *vm, const struct gk_enable_cap *cap);
int x86_enable_vcpu(struct sw_vcpu *v, const struct gk_enable_cap *cap);
int x86_vcpu_allowed(struct sw_vm *vm, unsigned id);

/* msr.c: 0, -EINVAL: KVM refuses it, -ENOENT: it does not know the MSR. HOST: the VMM, not the guest. */
/* Does the vCPU's table tell its guest that it runs on Hyper-V? */
bool x86_says_hyperv(const struct x86_vcpu *x);
/* Can the list of a KVM_GET_MSRS or KVM_SET_MSRS be read? 0 or -errno. */
int x86_msrs_given(uintptr_t arg, bool write, uint32_t *n);
int x86_msr_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret);
int x86_msr_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value);
int x86_get_msrs(void *vcpu, uintptr_t arg);
int x86_set_msrs(void *vcpu, uintptr_t arg);
int x86_get_one_reg(void *vcpu, uintptr_t arg);
int x86_set_one_reg(void *vcpu, uintptr_t arg);
int x86_reg_list(void *vcpu, uintptr_t arg);
/* Where an MSR's value stands. */
uint64_t x86_msr_kept(const struct x86_vcpu *x, uint32_t index);
int x86_msr_keep(struct x86_vcpu *x, uint32_t index, uint64_t value);
/* Feature MSRs of a new vCPU. */
int x86_msrs_new(struct x86_vcpu *x);
/* KVM_X86_SETUP_MCE with a value that KVM takes. */
int x86_mce_is(struct x86_vcpu *x, uint64_t cap);

/* msr_filter.c */
int x86_set_msr_filter(void *vm, uintptr_t arg);
/* The guest's RDMSR and WRMSR: through the filter, to the VMM where it asked for that. */
enum sw_step x86_guest_rdmsr(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete);
enum sw_step x86_guest_wrmsr(struct x86_vcpu *x, struct gcpu_guest_op *op, bool complete);

/* sregs.c: control registers and segments. */
int x86_get_sregs(void *vcpu, uintptr_t arg);
int x86_set_sregs(void *vcpu, uintptr_t arg);
int x86_get_sregs2(void *vcpu, uintptr_t arg);
int x86_set_sregs2(void *vcpu, uintptr_t arg);
/* Bits of EFER that may be set; HOST: by what KVM has alone. */
uint64_t x86_efer_bits(const struct x86_vcpu *x, bool host);
void x86_sregs_reset(struct x86_vcpu *x);
/* lapic.c: CR8, and the task's priority with it. */
void x86_set_cr8(struct x86_vcpu *x, uint64_t value);
/* The guest's MOV to CR0, CR4, CR8: 0 or -EINVAL. */
int x86_write_cr(struct x86_vcpu *x, unsigned number, uint64_t value);

/* xstate.c: XCR0 and the state that XSAVE saves. */
int x86_get_xcrs(void *vcpu, uintptr_t arg);
int x86_set_xcrs(void *vcpu, uintptr_t arg);
int x86_get_xsave(void *vcpu, uintptr_t arg);
int x86_get_xsave2(void *vcpu, uintptr_t arg);
int x86_set_xsave(void *vcpu, uintptr_t arg);
int x86_get_fpu(void *vcpu, uintptr_t arg);
int x86_set_fpu(void *vcpu, uintptr_t arg);
/* Components that KVM gives guests of this process, those of IA32_XSS, and those that a process must ask for. */
uint64_t x86_kvm_xcr0(const struct gcpu_model *m);
uint64_t x86_kvm_xss(const struct gcpu_model *m);
uint64_t x86_dynamic(const struct gcpu_model *m);
/* Of those, XTILE_CFG and XTILE_DATA, which go together. */
uint64_t x86_tiles(const struct gcpu_model *m);
/* Sub-leaves 0 and 1 of the save area, as KVM reports them to this process; BOTH: XTILE_CFG is withheld, too. */
void x86_save_area(const struct gcpu_model *m, struct snap_cpuid *e, bool both);
/* KVM_CAP_XSAVE2. */
uint32_t x86_xsave_size(const struct gcpu_model *m);

/* board.c */
extern const struct sw_call x86_board_calls[];
void x86_chips_new(struct x86_vm *vm);
int x86_set_vapic(void *vcpu, uintptr_t arg);
int x86_smi(void *vcpu, uintptr_t arg);
int x86_has_vcpu_attr(void *vcpu, uintptr_t arg);
int x86_get_vcpu_attr(void *vcpu, uintptr_t arg);
int x86_set_vcpu_attr(void *vcpu, uintptr_t arg);

/* regs.c: other registers, states, the TSC. */
extern const struct sw_call x86_vcpu_calls[];
/* A rate that the TSC could be scaled to. */
bool x86_tsc_khz_allowed(const struct gcpu_model *m, uint32_t khz);
void x86_regs_reset(struct x86_vcpu *x);
void x86_regs_new(struct x86_vcpu *x);

/* lapic.c */
int x86_get_lapic(void *vcpu, uintptr_t arg);
int x86_set_lapic(void *vcpu, uintptr_t arg);
/* A write of IA32_APIC_BASE: 0 or -EINVAL. */
int x86_set_apic_base(struct x86_vcpu *x, uint64_t value, bool host);
void x86_lapic_new(struct x86_vcpu *x);

/* guest.c */
enum sw_step x86_step(struct sw_vcpu *v, struct gcpu_guest_op *op, bool complete);

/* saved.c */
int x86_mce_supported(void *object, uintptr_t arg);
int x86_setup_mce(void *object, uintptr_t arg);
int x86_get_nested_state(void *object, uintptr_t arg);
int x86_set_nested_state(void *object, uintptr_t arg);

#endif
