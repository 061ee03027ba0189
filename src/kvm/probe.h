/* SPDX-License-Identifier: MIT */
#ifndef GCPU_KVM_PROBE_H
#define GCPU_KVM_PROBE_H

#include "call.h"
#include "core/facts.h"

struct probe {
	const struct gcpu_kvm *kvm;
	int kvm_fd;
	bool trial, all_cpus, ask_xcomp;
	struct gcpu_snapshot *snap;
	struct gcpu_error *err;
};

/* Throw-away VM, closed by the caller. Descriptor or -errno. */
int probe_vm(const struct probe *p);
/* One vCPU on a throw-away VM; *ret_vm and the result are the caller's. */
int probe_vcpu(const struct probe *p, int *ret_vm);
void probe_close(const struct probe *p, int fd);
/* VISIT for every CPU that is online; non-zero stops. */
int probe_cpus(struct probe *p, int (*visit)(struct probe *p, int cpu));

int probe_x86(struct probe *p);
int probe_arm64(struct probe *p);

#endif
