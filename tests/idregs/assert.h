/* SPDX-License-Identifier: MIT */
/* Between assert.c and the checks themselves. */
#ifndef TESTS_IDREGS_ASSERT_H
#define TESTS_IDREGS_ASSERT_H

#include "idregs.h"

struct tally {
	unsigned n, bad;
	const char *none; /* why there is nothing to be tried on this host */
	bool quiet;
};

const struct field_fact *field_at(unsigned field);
uint64_t reg_of(unsigned field);
uint64_t get_field(uint64_t word, unsigned field);
uint64_t put_field(uint64_t word, unsigned field, uint64_t value);
bool hold(struct tally *t, bool good, const char *format, ...) __attribute__((format(printf, 3, 4)));
int read_reg(struct lab *l, const struct vm *vm, unsigned vcpu, uint64_t id, uint64_t *ret);
void expect(struct lab *l, struct vm *vm, struct tally *t, uint64_t id, uint64_t value, int error,
	    uint64_t reads, const char *what);
bool other_value(unsigned field, uint64_t limit, bool less, uint64_t *ret);
void each_field(struct lab *l, struct vm *vm, struct tally *t, bool less);

/* checks.c: of a VM before its first run */
void check_masks_parameters(struct lab *l, struct tally *t);
void check_masks_exist(struct lab *l, struct tally *t);
void check_safe(struct lab *l, struct tally *t);
void check_unsafe(struct lab *l, struct tally *t);
void check_debugver(struct lab *l, struct tally *t);
void check_copdbg(struct lab *l, struct tally *t);
void check_perfmon(struct lab *l, struct tally *t);
void check_levels(struct lab *l, struct tally *t);
void check_mpam(struct lab *l, struct tally *t);
void check_mte_frac(struct lab *l, struct tally *t);
void check_clidr(struct lab *l, struct tally *t);
void check_ctr(struct lab *l, struct tally *t);
void check_mpidr(struct lab *l, struct tally *t);
void check_imp_ids(struct lab *l, struct tally *t);
void check_no_imp_ids(struct lab *l, struct tally *t);

/* checks_run.c: across runs and vCPUs */
void check_gic(struct lab *l, struct tally *t);
void check_guest(struct lab *l, struct tally *t);
void check_again(struct lab *l, struct tally *t);
void check_frozen(struct lab *l, struct tally *t);
void check_vm_wide(struct lab *l, struct tally *t);
void check_one_set(struct lab *l, struct tally *t);

/* A VM with what `host` has, vCPUs initialised; false, and a bad try, if it cannot be had. */
bool usual_vm(struct lab *l, struct tally *t, unsigned vcpus, struct vm *vm);
/* A KVM without masks lets CSV2 and CSV3 be lowered alone. */
bool nothing_to_lower(const struct lab *l, struct vm *vm);
extern const char no_masks[];

#endif
