/* SPDX-License-Identifier: MIT */
/*
 * What KVM on arm64 makes of values written to ID registers: compared with what the facts foretell,
 * and with what KVM promises. On any backend: a real KVM, or one that lies.
 */
#ifndef TESTS_IDREGS_IDREGS_H
#define TESTS_IDREGS_IDREGS_H

#include "arch/arm64/predict.h"
#include "kvm/abi_arm64.h"
#include "kvm/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VCPUS 2
#define REGS_MOST 1024

/* What a VM is made of. */
struct config {
	const char *name;
	uint32_t features;
	bool mte, gic, imp_ids;
};

struct vm {
	const struct config *config;
	int vm, gic, vcpu[VCPUS];
	struct predict_vm p;
	unsigned n; /* registers that were read */
	struct predict_reg reg[REGS_MOST];
	uint64_t sve[8]; /* vector lengths as read at first */
};

struct lab {
	const struct gcpu_kvm *kvm;
	int kvm_fd;
	struct gcpu_snapshot *snap; /* capabilities, kernel and target: never a trial */
	bool has_masks;
	uint64_t masks[GK_ARM_FEATURE_ID_RANGE_SIZE];
	/* Let the guest of VM read registers on one vCPU; an error where it faulted: -1. */
	int (*mrs)(struct lab *l, struct vm *vm, unsigned vcpu, const uint64_t *ids, uint64_t *values, size_t n);
	const char *only; /* one assertion, or NULL */
	bool quiet, brief; /* say nothing; only the first and the last configuration */
	unsigned fields, values, disagreements; /* of the prediction */
	unsigned checks, failed;		/* of the assertions */
};

/* vm.c. 0 or -errno; on failure nothing is left open. */
int vm_open(struct lab *l, const struct config *c, unsigned vcpus, bool init, struct vm *vm);
void vm_close(struct lab *l, struct vm *vm);
/* INIT of all vCPUs; FINALIZE; read the registers. */
int vm_init(struct lab *l, struct vm *vm);
int vm_finalize(struct lab *l, struct vm *vm);
int vm_read(struct lab *l, struct vm *vm);
/* Run it, once: its registers are frozen then. */
int vm_run(struct lab *l, struct vm *vm);
struct predict_reg *vm_reg(struct vm *vm, uint64_t id);
int lab_masks(struct lab *l);
int lab_init(struct lab *l, int vcpu, const uint32_t features[7]);
bool lab_has(const struct lab *l, unsigned cap);
/* Features that this host has and `host` opts into; without those of WITHOUT. */
uint32_t lab_features(const struct lab *l, uint32_t without);
/* In the range of registers that masks are about. */
bool in_range(uint64_t id);

/* Nothing of this may differ: counts it and says so. */
void differs(struct lab *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fields.c, vcpu.c: prediction and KVM. */
int predict_fields(struct lab *l, struct vm *vm);
int predict_vcpus(struct lab *l);
int predict_firmwares(struct lab *l, struct vm *vm);

/* assert.c: what KVM promises, each by name. */
int assertions(struct lab *l);
const char *assertion_name(unsigned i); /* NULL after the last */

/* guest.c, arm64 builds: lab.mrs on a real KVM. */
int guest_mrs(struct lab *l, struct vm *vm, unsigned vcpu, const uint64_t *ids, uint64_t *values, size_t n);

/* run.c. Everything; 0 or -errno. A lab with a snapshot already keeps it. */
int idregs_predictions(struct lab *l);
int idregs_open(struct lab *l, const struct gcpu_kvm *kvm, int kvm_fd);

#endif
