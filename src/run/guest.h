/* SPDX-License-Identifier: MIT */
/*
 * The guest port on a real VM, or on a software KVM's: gives the VM memory, loads the payload of
 * guest/ into it and lets vCPUs work off lists of operations, each on a thread
 * of its own and against the clock. A software KVM of any architecture works
 * the lists off itself, without payload, threads and clock.
 *
 * What is taken of the VM: memory slot 0, guest physical memory from
 * run_guest_base() on, and the vCPUs' registers. On arm64 addresses below
 * 1 GiB are left to devices.
 *
 * Accesses of the guest that nobody serves read as ones, writes to them are
 * lost; hypercalls that KVM passes on get -1000 and MSRs it passes on fault,
 * unless run_guest_set_exit() has somebody who knows better.
 */
#ifndef GCPU_RUN_GUEST_H
#define GCPU_RUN_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include <guestcpu/error.h>
#include <guestcpu/kvm.h>

#include "guest_port.h"

struct gk_run;
struct gk_x86_regs;
struct run_guest;

/*
 * KVM and the descriptors must outlive the guest and stay the caller's. The
 * vCPUs must have been configured, or be before their first run: their
 * registers are set then and not before. *ret on success only.
 */
int run_guest_new(const struct gcpu_kvm *kvm, int kvm_fd, int vm_fd, const int *vcpu_fds,
		  const unsigned *vcpu_ids, unsigned n, struct run_guest **ret,
		  struct gcpu_error *err);

/*
 * The port; lives as long as the guest. run() may be called from several
 * threads at once, for different vCPUs. A time limit of 0 stands for ten
 * seconds. After an error the vCPU starts afresh with the next list.
 */
const struct guest_port *run_guest_port(struct run_guest *g);

/* The kernel's number of the vCPU's thread, 0 before its first list. */
int run_guest_thread(const struct run_guest *g, unsigned vcpu);

/* A vCPU that was not there yet: its descriptor was -1. Before its first list. */
void run_guest_plug(struct run_guest *g, unsigned vcpu, int vcpu_fd);

/* Stops the threads and takes the memory away. NULL is fine. */
void run_guest_free(struct run_guest *g);

/* Where the guest's memory begins. */
uint64_t run_guest_base(const struct run_guest *g);

/*
 * Memory to play with: zero at first, seen by the guest at *ret_address, here
 * at the pointer returned. That of vCPU number VCPU, or the one region that is
 * for all if VCPU is RUN_GUEST_SHARED. Page aligned. NULL: no such vCPU.
 */
#define RUN_GUEST_SHARED ((unsigned)-1)
void *run_guest_scratch(struct run_guest *g, unsigned vcpu, uint64_t *ret_address,
			size_t *ret_size);

/* From its next run on the vCPU's thread stays on that CPU of the host. */
void run_guest_pin(struct run_guest *g, unsigned vcpu, int cpu);

/*
 * A say in exits of KVM_RUN that the guest's owner handles (hypercalls, MSRs,
 * devices). Called on the vCPU's thread; not 0: done with it, go on.
 */
void run_guest_set_exit(struct run_guest *g, int (*fn)(void *ctx, unsigned vcpu, struct gk_run *run),
			void *ctx);

/*
 * x86 builds and real VMs only: the next start() without a list is of the owner's own code, as a 32-bit guest
 * has it: protected mode with flat segments, without paging, EFER 0, and no IDT, so that an
 * exception is a triple fault. REGS has RIP and what the code wants. The next list begins afresh,
 * in long mode; what is the APIC's stays as it is.
 */
int run_x86_start32(struct run_guest *g, unsigned vcpu, const struct gk_x86_regs *regs,
		    struct gcpu_error *err);

/*
 * arm64: place a vGICv3 that the caller made before the vCPUs, and initialise it.
 * After all vCPUs are there, before the first runs.
 */
int run_arm64_gic_init(const struct gcpu_kvm *kvm, int gic_fd, unsigned n_vcpus,
		       struct gcpu_error *err);

#endif
