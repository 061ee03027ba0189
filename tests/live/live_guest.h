/* SPDX-License-Identifier: MIT */
/* Between guest_port.c and the architecture's half of the test. */
#ifndef TESTS_LIVE_LIVE_GUEST_H
#define TESTS_LIVE_LIVE_GUEST_H

#include <stdint.h>
#include <stdio.h>

#include <guestcpu/error.h>
#include <guestcpu/kvm.h>

#include "guest_port.h"
#include "../../src/run/guest.h"

#define N_VCPUS 2

struct live {
	const struct gcpu_kvm *kvm;
	int kvm_fd, vm_fd;
	int vcpu_fd[N_VCPUS];
	unsigned vcpu_id[N_VCPUS];
	struct run_guest *guest;
};

extern int failures;

#define CHECK(cond, ...)                                                \
	do {                                                            \
		if (!(cond)) {                                          \
			failures++;                                     \
			printf("FAIL %s:%d: ", __FILE__, __LINE__);     \
			printf(__VA_ARGS__);                            \
			printf("\n");                                   \
		}                                                       \
	} while (0)

int live_ioctl(const struct live *l, int fd, unsigned long request, const void *arg);
/* A list with a time limit; prints the error unless it is the one expected. */
int live_run(const struct live *l, unsigned vcpu, struct guest_op *ops, size_t n, unsigned ms,
	     int expected, struct gcpu_error *err);

/* The architecture's half: make VM and vCPUs (0, or 77 with a word why not) ... */
int arch_make(struct live *l);
/* ... and what only it can do. */
void arch_test(struct live *l);
/* Last of all: may leave the guest in ruins. */
void arch_ruin(struct live *l);

#endif
