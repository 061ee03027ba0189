/* SPDX-License-Identifier: MIT */
/* Between the core and the cases, of any architecture. */
#ifndef GCPU_CONFORM_CASE_H
#define GCPU_CONFORM_CASE_H

#include "conform.h"
#include "core/snapshot.h"
#include "guest_port.h"
#include "kvm/abi.h"
#include "run/guest.h"

#include <errno.h>

/* Kernel series, to be compared: c->release >= KERNEL(6, 14). */
#define KERNEL(major, minor) ((unsigned)(major) << 16 | (unsigned)(minor))
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct conform;

struct conform_case {
	const char *name;   /* "subject:what", unique */
	const char *source; /* "ST:x86/cpuid_test" (a self-test of the kernel), "KVM API 4.20", "cpuid.c" */
	/* Not 0: it ended early. Whatever it returns, the result is what was said by expect_*() and skip(). */
	int (*run)(struct conform *c);
};

/* Of a host of x86: what to say of cases that need a guest, or NULL. */
const char *x86_no_guest(const struct conform *c);

/* Tables of cases, each ended by one without a name; NULL after the last. */
extern const struct conform_case *const conform_x86[], *const conform_arm64[];

/* Those that are the same on each of them. */
extern const struct conform_case cases_slots[];

#define CONFORM_VCPUS 8

/* A VM of a case; it and all in it goes at the end of the case. */
struct conform_vm {
	struct conform *c;
	int fd;
	unsigned n;
	int vcpu[CONFORM_VCPUS];
	unsigned id[CONFORM_VCPUS];
	int device; /* one of the architecture's that goes with it, or -1 */
	struct run_guest *guest;
};

struct conform {
	const struct gcpu_kvm *kvm;
	int kvm_fd;
	const struct gcpu_snapshot *snap;
	unsigned release; /* KERNEL(major, minor) of this KVM */
	struct conform_result *result;
	struct list vms;    /* struct conform_vm * */
	struct list memory; /* void * */
	bool skipped;
	const char *no_guest; /* why no guest of ours can run on this host, or NULL */
};

/* Assertions; each is counted. What is asserted, then what came of it. True: it holds. */
bool expect(struct conform *c, bool good, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* R is the result of a call: at least 0, exactly WANT, or an errno (a positive number). */
bool expect_ok(struct conform *c, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool expect_result(struct conform *c, int r, int want, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool expect_errno(struct conform *c, int r, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool expect_value(struct conform *c, uint64_t got, uint64_t want, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* It could not even be tried: a failure. Always 1, so that it can end a case. */
int broken(struct conform *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* This host lacks what the case is about. Always 1. Failures before it stay failures. */
int skip(struct conform *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ioctls: the result, or -errno. */
int ask(struct conform *c, int fd, unsigned long request, const void *arg);
int ask_number(struct conform *c, int fd, unsigned long request, unsigned long arg);
int enable_cap(struct conform *c, int fd, unsigned cap, uint64_t arg);
/* KVM_CHECK_EXTENSION on any descriptor that takes it. */
int check_cap(struct conform *c, int fd, unsigned cap);

/* Zeroed, freed at the end of the case; NULL: broken. */
void *case_memory(struct conform *c, size_t size);

/* A VM, without anything in it. NULL: broken. */
struct conform_vm *vm_new(struct conform *c);
/* One more vCPU: its number, or -errno, of which nothing is said; vm_vcpu() says it. */
int vm_try_vcpu(struct conform_vm *vm, unsigned id);
int vm_vcpu(struct conform_vm *vm, unsigned id);
/* Before the end of the case. */
void vm_close(struct conform_vm *vm);

/* Let vCPU number VCPU carry out operations. Not 0: broken, and said so; operations that fault are no error. */
int guest_run(struct conform_vm *vm, unsigned vcpu, struct guest_op *ops, size_t n);
/* The guest in it, made when it is first asked for; NULL: broken. All vCPUs must be there by then. */
struct run_guest *vm_guest(struct conform_vm *vm);
/* From now on exits of its guest are TAKE's first, see run_guest_set_exit(). Not 0: broken. */
int vm_watch(struct conform_vm *vm, int (*take)(void *ctx, unsigned vcpu, struct gk_run *run), void *ctx);
/* Memory that a vCPU may play with; NULL: broken. */
void *guest_memory(struct conform_vm *vm, unsigned vcpu, uint64_t *ret_address);

#endif
