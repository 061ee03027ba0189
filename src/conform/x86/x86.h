/* SPDX-License-Identifier: MIT */
/* What the cases of x86 share: tables of CPUID, VMs with an APIC or without, and what this KVM is like. */
#ifndef GCPU_CONFORM_X86_X86_H
#define GCPU_CONFORM_X86_X86_H

#include "../case.h"
#include "facts_gen.h" /* capability numbers */
#include "kvm/abi_x86.h"
#include "numbers.h"

enum apic { NO_APIC, KERNEL_APIC, SPLIT_APIC };
enum { EAX, EBX, ECX, EDX };

/* struct gk_cpuid2 with room for one entry more than KVM takes. */
struct table {
	uint32_t nent, padding;
	struct gk_cpuid_entry2 e[GK_CPUID_ENTRIES_MOST + 1];
};

/* table.c */

/* As KVM_GET_SUPPORTED_CPUID has it. Not 0: broken. */
int table_supported(struct conform *c, struct table *ret);
/* The same as a VMM gives it to the vCPU with this APIC id: with the bits that older kernels leave out. */
int table_usual(struct conform *c, unsigned id, struct table *ret);
/* The entry that KVM finds for (LEAF, INDEX), or NULL. */
struct gk_cpuid_entry2 *table_find(struct table *t, uint32_t leaf, uint32_t index);
/* The same, to be changed: where there is none, one behind the table, which is nobody's. */
struct gk_cpuid_entry2 *table_entry(struct table *t, uint32_t leaf, uint32_t index);
uint32_t *entry_reg(struct gk_cpuid_entry2 *e, unsigned reg);
/* A register of it, 0 where there is no entry. */
uint32_t table_reg(struct table *t, uint32_t leaf, uint32_t index, unsigned reg);
/* At the end. FLAGS: GK_CPUID_FLAG_SIGNIFCANT_INDEX or 0. */
void table_put(struct table *t, uint32_t leaf, uint32_t index, uint32_t flags, uint32_t eax, uint32_t ebx,
	       uint32_t ecx, uint32_t edx);
/* All entries of a leaf. */
void table_drop(struct table *t, uint32_t leaf);
/* A single leaf that means nothing to KVM, and LM: for tables that are about tables. */
void table_tiny(struct table *t);
/* Same entries in the same order; padding apart. */
bool table_same(const struct table *a, const struct table *b);

/* KVM_SET_CPUID2 and KVM_GET_CPUID2: 0 or -errno. The number read is right where KVM does not say it, too. */
int set_table(struct conform_vm *vm, unsigned vcpu, const struct table *t);
int get_table(struct conform_vm *vm, unsigned vcpu, struct table *ret);
/* The same, and asserted. */
bool give_table(struct conform_vm *vm, unsigned vcpu, const struct table *t);
bool read_table(struct conform_vm *vm, unsigned vcpu, struct table *ret);

/* machine.c */

/* A VM with that APIC, and as many vCPUs without a table. NULL: broken. */
struct conform_vm *x86_vm(struct conform *c, enum apic apic, unsigned vcpus);
/* The same with the usual tables: its guests can run. */
struct conform_vm *x86_ready(struct conform *c, enum apic apic, unsigned vcpus);
int make_apic(struct conform_vm *vm, enum apic apic); /* 0 or -errno */

/* One MSR by the host: 1 done, 0 not taken, or -errno. */
int set_msr(struct conform_vm *vm, unsigned vcpu, uint32_t index, uint64_t value);
int get_msr(struct conform_vm *vm, unsigned vcpu, uint32_t index, uint64_t *ret);
/* Feature MSRs of the system descriptor. */
int system_msr(struct conform *c, uint32_t index, uint64_t *ret);
int get_sregs(struct conform_vm *vm, unsigned vcpu, struct gk_x86_sregs *ret);
int set_sregs(struct conform_vm *vm, unsigned vcpu, const struct gk_x86_sregs *s);

/* host.c: what this KVM is like. Not 0: the case is skipped for that reason. */

/* kvm_intel or kvm_amd of a kernel: of it all is expected that is documented. */
bool mainline(const struct conform *c);
/* KVM puts its own bits in place of these of a table, as the trial in its snapshot shows. */
int overridden(struct conform *c, uint32_t leaf, uint32_t index, unsigned reg, uint32_t bits);
/* Not kvm_intel and not kvm_amd, and known to serve this otherwise. */
int own_way(struct conform *c, const char *what);
/* KVM adds entries to a table, or leaves some out. */
int adds_entries(struct conform *c);
/* KVM serves no hypercall of a guest's ring 0. */
int no_hypercalls(struct conform *c);
int lacks_cap(struct conform *c, unsigned cap, const char *name);
/* KVM does not offer these bits, all of them. */
int lacks_bits(struct conform *c, uint32_t leaf, uint32_t index, unsigned reg, uint32_t bits, const char *name);

/* Operations of the guest, written short. */
#define OP(c, ...) ((struct guest_op){ .code = (c), .arg = { __VA_ARGS__ } })
#define OP_CPUID(leaf, index) OP(GUEST_OP_CPUID, (leaf), (index))
#define OP_RDMSR(index) OP(GUEST_OP_RDMSR, (index))
#define OP_WRMSR(index, value) OP(GUEST_OP_WRMSR, (index), (value))
#define OP_LOAD(address, size) OP(GUEST_OP_LOAD, (address), (size))
#define OP_STORE(address, size, value) OP(GUEST_OP_STORE, (address), (size), (value))
struct guest_op call_op(struct conform *c, uint64_t nr, uint64_t a, uint64_t b, uint64_t x, uint64_t d);

static inline bool op_done(const struct guest_op *op)
{
	return op->status == GUEST_STATUS_DONE;
}
static inline bool op_fault(const struct guest_op *op, unsigned vector)
{
	return op->status == GUEST_STATUS_FAULT && op->fault == vector;
}
/* Asserted: it was carried out; it was refused by an exception. */
bool expect_done(struct conform *c, const struct guest_op *op, const char *what);
bool expect_fault(struct conform *c, const struct guest_op *op, unsigned vector, const char *what);

#define X86_TABLE(name) extern const struct conform_case name[]
X86_TABLE(cases_x86_cpuid_get);
X86_TABLE(cases_x86_cpuid_set);
X86_TABLE(cases_x86_supported);
X86_TABLE(cases_x86_runtime);
X86_TABLE(cases_x86_lookup);
X86_TABLE(cases_x86_frozen);
X86_TABLE(cases_x86_sregs);
X86_TABLE(cases_x86_xcr0);
X86_TABLE(cases_x86_caps);
X86_TABLE(cases_x86_irqchip);
X86_TABLE(cases_x86_setup);
X86_TABLE(cases_x86_board);
X86_TABLE(cases_x86_events);
X86_TABLE(cases_x86_msrs);
X86_TABLE(cases_x86_one_reg);
X86_TABLE(cases_x86_lapic);
X86_TABLE(cases_x86_smp);
X86_TABLE(cases_x86_pv);
X86_TABLE(cases_x86_clock);
X86_TABLE(cases_x86_hypercalls);
X86_TABLE(cases_x86_exits);
X86_TABLE(cases_x86_run);
X86_TABLE(cases_x86_hyperv);

#endif
