/* SPDX-License-Identifier: MIT */
/* Operations on x86: a file for each kind. */
#ifndef TESTS_DIFFER_X86_H
#define TESTS_DIFFER_X86_H

#include "differ.h"
#include "facts.h"
#include "facts_gen.h"
#include "kvm/abi_more.h"

/* struct gk_msrs with N entries. */
#define MSRS(n)                                 \
	struct {                                \
		uint32_t nmsrs, pad;            \
		struct gk_msr_entry entries[n]; \
	}

#define MSR_INDEX(name) (gcpu_facts_x86.msrs[X86_M_##name].index)

/* x86_cpuid.c */
void make_set_cpuid2(struct maker *m, struct step *s);
void run_set_cpuid2(struct side *w, const struct step *s, struct answer *a);
void print_set_cpuid2(FILE *to, const struct step *s);
void run_set_cpuid(struct side *w, const struct step *s, struct answer *a);
void make_get_cpuid2(struct maker *m, struct step *s);
void run_get_cpuid2(struct side *w, const struct step *s, struct answer *a);

/* x86_system.c */
void make_system_table(struct maker *m, struct step *s);
void run_supported(struct side *w, const struct step *s, struct answer *a);
void run_emulated(struct side *w, const struct step *s, struct answer *a);
void run_hyperv(struct side *w, const struct step *s, struct answer *a);
void make_list(struct maker *m, struct step *s);
void run_msr_list(struct side *w, const struct step *s, struct answer *a);
void run_feature_list(struct side *w, const struct step *s, struct answer *a);
void make_system_msrs(struct maker *m, struct step *s);
void run_system_msrs(struct side *w, const struct step *s, struct answer *a);
void say_table(struct answer *a, const struct gk_cpuid2 *t);

/* x86_msr.c */
uint32_t some_msr(struct maker *m);
uint64_t some_msr_value(struct maker *m, uint32_t index);
void make_set_msrs(struct maker *m, struct step *s);
void run_set_msrs(struct side *w, const struct step *s, struct answer *a);
void make_get_msrs(struct maker *m, struct step *s);
void run_get_msrs(struct side *w, const struct step *s, struct answer *a);
void print_msrs(FILE *to, const struct step *s);
void run_all_msrs(struct side *w, const struct step *s, struct answer *a);
void make_filter(struct maker *m, struct step *s);
void run_filter(struct side *w, const struct step *s, struct answer *a);

/* x86_regs.c */
void make_sregs(struct maker *m, struct step *s);
void run_set_sregs(struct side *w, const struct step *s, struct answer *a);
void run_set_sregs2(struct side *w, const struct step *s, struct answer *a);
void run_get_sregs(struct side *w, const struct step *s, struct answer *a);
void print_sregs(FILE *to, const struct step *s);
void make_xcrs(struct maker *m, struct step *s);
void run_set_xcrs(struct side *w, const struct step *s, struct answer *a);
void run_get_xcrs(struct side *w, const struct step *s, struct answer *a);
void make_lapic(struct maker *m, struct step *s);
void run_set_lapic(struct side *w, const struct step *s, struct answer *a);
void run_get_lapic(struct side *w, const struct step *s, struct answer *a);
void make_mp_state(struct maker *m, struct step *s);
void make_tsc_khz(struct maker *m, struct step *s);
void run_vcpu_tsc_khz(struct side *w, const struct step *s, struct answer *a);
int x86_settle(struct side *w, unsigned vcpu);
void x86_settled(struct side *w, unsigned vcpu);
bool x86_awake(struct side *w, unsigned vcpu);

/* x86_vm.c */
/* Does the trial show a KVM that puts other tables in force than it is given? Some is then left out: see the exclusions. */
bool overrides(const struct gcpu_snapshot *host);
void make_vcpu(struct maker *m, struct step *s);
void make_irqchip(struct maker *m, struct step *s);
void run_irqchip(struct side *w, const struct step *s, struct answer *a);
void make_enable_vm(struct maker *m, struct step *s);
void make_enable_vcpu(struct maker *m, struct step *s);
void make_boot_id(struct maker *m, struct step *s);
void run_boot_id(struct side *w, const struct step *s, struct answer *a);
void run_vm_tsc_khz(struct side *w, const struct step *s, struct answer *a);
void make_msi(struct maker *m, struct step *s);
void run_msi(struct side *w, const struct step *s, struct answer *a);
void make_vm_type(struct maker *m, struct step *s);
void make_guest(struct maker *m, struct step *s);

#endif
