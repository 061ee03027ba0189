/* SPDX-License-Identifier: MIT */
/*
 * The guest port over the software KVM: what vCPUs do is given to them as
 * lists, and KVM_RUN is called for each in turn, until none moves any more.
 * There is no time in it: a vCPU that waits for what nobody does stands
 * still, and that is known at once.
 */
#ifndef GCPU_MODEL_PORT_H
#define GCPU_MODEL_PORT_H

#include "core/guest_port.h"

#include <guestcpu/error.h>
#include <guestcpu/kvm.h>

struct gk_run;
struct sw_port;

/* Who has the VM: what it does before a vCPU's first list, and at exits. */
struct sw_port_owner {
	/* Registers of a vCPU that begins afresh. 0 or a code. */
	int (*fresh)(void *ctx, unsigned vcpu, struct gcpu_error *err);
	/* An exit. Not 0: done with it, go on. */
	int (*exit)(void *ctx, unsigned vcpu, struct gk_run *run);
	void *ctx;
};

/*
 * Over a model's backend, and vCPUs of one VM; descriptors may be -1 until
 * sw_port_plug(). *ret on success only.
 */
int sw_port_new(const struct gcpu_kvm *kvm, int kvm_fd, const int *vcpu_fds, const unsigned *vcpu_ids, unsigned n,
		const struct sw_port_owner *owner, struct sw_port **ret, struct gcpu_error *err);
void sw_port_free(struct sw_port *p);
const struct guest_port *sw_port_of(struct sw_port *p);
void sw_port_plug(struct sw_port *p, unsigned vcpu, int vcpu_fd);
/* Does it run, or stand amid a list? */
int sw_port_busy(const struct sw_port *p, unsigned vcpu);

#endif
