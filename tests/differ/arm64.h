/* SPDX-License-Identifier: MIT */
/* Operations on arm64: a file for each kind. */
#ifndef TESTS_DIFFER_ARM64_H
#define TESTS_DIFFER_ARM64_H

#include "differ.h"
#include "facts_gen.h"
#include "kvm/abi_arm64.h"

/* arm64_vm.c */
void make_arm_vm_type(struct maker *m, struct step *s);
void make_arm_vcpu(struct maker *m, struct step *s);
void make_arm_enable(struct maker *m, struct step *s);
void run_target(struct side *w, const struct step *s, struct answer *a);
void make_masks(struct maker *m, struct step *s);
void run_masks(struct side *w, const struct step *s, struct answer *a);
void make_offset(struct maker *m, struct step *s);
void run_offset(struct side *w, const struct step *s, struct answer *a);
void make_gic(struct maker *m, struct step *s);
void run_gic(struct side *w, const struct step *s, struct answer *a);
void make_gic_attr(struct maker *m, struct step *s);
void run_gic_attr(struct side *w, const struct step *s, struct answer *a);
void make_filter_calls(struct maker *m, struct step *s);
void run_filter_calls(struct side *w, const struct step *s, struct answer *a);
void make_arm_guest(struct maker *m, struct step *s);
uint64_t arm_vm_type(const struct gcpu_snapshot *host);

/* arm64_vcpu.c */
void make_init(struct maker *m, struct step *s);
void run_init(struct side *w, const struct step *s, struct answer *a);
void print_init(FILE *to, const struct step *s);
void make_finalize(struct maker *m, struct step *s);
void run_finalize(struct side *w, const struct step *s, struct answer *a);
void make_reg_list(struct maker *m, struct step *s);
void run_reg_list(struct side *w, const struct step *s, struct answer *a);
void make_get_reg(struct maker *m, struct step *s);
void run_get_reg(struct side *w, const struct step *s, struct answer *a);
void make_set_reg(struct maker *m, struct step *s);
void run_set_reg(struct side *w, const struct step *s, struct answer *a);
void print_reg(FILE *to, const struct step *s);
void make_vls(struct maker *m, struct step *s);
void run_vls(struct side *w, const struct step *s, struct answer *a);
void run_all_regs(struct side *w, const struct step *s, struct answer *a);
void make_vcpu_attr(struct maker *m, struct step *s);
void run_vcpu_attr(struct side *w, const struct step *s, struct answer *a);
void make_arm_mp_state(struct maker *m, struct step *s);

/* arm64_events.c */
void make_arm_events(struct maker *m, struct step *s);
void run_arm_events(struct side *w, const struct step *s, struct answer *a);
void make_arm_debug(struct maker *m, struct step *s);
void run_arm_debug(struct side *w, const struct step *s, struct answer *a);
void make_line(struct maker *m, struct step *s);
void run_line(struct side *w, const struct step *s, struct answer *a);

#endif
