/* SPDX-License-Identifier: MIT */
/*
 * Backends around a backend, for tests: one writes down what goes through,
 * one answers from what was written down, one lets a chosen operation fail.
 * Not part of the library.
 *
 * A trace is text, one line for each operation, its parts divided by blanks:
 *
 *   guestcpu-trace 1 x86
 *   open /dev/kvm 0x80002 = kvm0
 *   ioctl kvm0 KVM_CHECK_EXTENSION 0x19 = 4096
 *   ioctl kvm0 KVM_GET_SUPPORTED_CPUID * in=40+7. = 0 out=...
 *   ioctl vcpu0 KVM_GET_ONE_REG * in=... = 0 vout=...
 *   cpuid 0x0 0x0 = 0 out=...
 *   perm 0x1024 0x0 = 0 out=...
 *   file /proc/cpuinfo 4096 = 9 text=one%20two%0a
 *   mmap vcpu0 4096 = 0
 *   munmap 4096 = 0
 *   pin 1 = 0
 *   close vm0 = -9
 *
 * A descriptor is named after the way it came about. in= and out= are the
 * argument before and after the call, vin= and vout= what a pointer in it
 * leads to: bytes in hex, "+N." for N bytes of zero. Pointers and descriptors
 * inside an argument mean nothing elsewhere and stand as zeros. text= holds
 * anything that is not a printable character as %xx. A line that starts with
 * '#' is a comment. Guest memory and the page of KVM_RUN are not written down.
 */
#ifndef GCPU_KVM_WRAP_H
#define GCPU_KVM_WRAP_H

#include "core/util.h"

#include <guestcpu/kvm.h>

enum wrap_op {
	WRAP_OPEN,
	WRAP_CLOSE,
	WRAP_IOCTL,
	WRAP_MMAP,
	WRAP_MUNMAP,
	WRAP_CPUID,
	WRAP_PERM,
	WRAP_FILE,
	WRAP_PIN,
	WRAP_OPS
};
/* As they stand in a trace. */
extern const char *const wrap_op_names[WRAP_OPS];

enum wrap_role { ROLE_OTHER, ROLE_KVM, ROLE_VM, ROLE_VCPU, ROLE_DEVICE, ROLE_STATS, ROLE_COUNT };
extern const char *const wrap_role_names[ROLE_COUNT];

/* Which one of its role: kvm0, vcpu3. */
struct wrap_fd {
	int fd;
	enum wrap_role role;
	unsigned number;
};

/* NAME of a request ("KVM_RUN"), NULL for one that the table does not have. */
const char *wrap_request_name(unsigned long request);
/* 0 for an unknown name. */
unsigned long wrap_request_by_name(const char *name, size_t length);
/* The role of the descriptor that a request can make, ROLE_OTHER if none;
 * *ret_inside: it comes inside the argument, and need not come at all. */
enum wrap_role wrap_request_makes(unsigned long request, bool *ret_inside);

/* A stretch of the caller's memory. */
struct wrap_part {
	void *at;
	size_t in, out; /* bytes that the call reads, bytes it may write */
};

/* What is behind the argument of one ioctl: the caller's memory, so only as
 * large as its own counts say. */
struct wrap_shape {
	bool pointer;		   /* else the argument is a number */
	struct wrap_part part[2];  /* the argument; what a pointer in it leads to */
	size_t hidden, hidden_size; /* pointer or descriptor in part[0], or size 0 */
	size_t head, element;	   /* a list with a count in front: its parts */
	unsigned count_size;
	enum wrap_role makes; /* a descriptor of that role, or ROLE_OTHER */
	bool fd_inside;	      /* it comes in the hidden bytes */
};
void wrap_shape(enum gcpu_arch arch, enum wrap_role role, unsigned long request, uintptr_t arg,
		struct wrap_shape *ret);
/* How much of part[0] came out, by what the call made of the count. */
size_t wrap_written(const struct wrap_shape *s, int result);
/* The descriptor that a call made, or -1. */
int wrap_made(const struct wrap_shape *s, int result);

/* Record: everything passes through to INNER and into WRITE. */
struct record;
int record_new(const struct gcpu_kvm *inner, enum gcpu_arch arch, gcpu_write write, void *ctx,
	       struct record **ret);
const struct gcpu_kvm *record_kvm(const struct record *r);
/* 0, or why the trace is not complete. */
int record_status(const struct record *r);
void record_free(struct record *r);

/*
 * Replay: no kernel is asked. Strict: the calls must be those of the trace, in
 * order, byte for byte. Else each call gets the next answer that fits it, from
 * further back if need be, and what a call sets may differ from what was set
 * then: for code that takes another way after a failure.
 * A call without an answer gets -ENOSYS, and the first such is kept.
 */
struct replay;
int replay_new(const char *text, size_t length, bool strict, struct replay **ret,
	       struct gcpu_error *err);
const struct gcpu_kvm *replay_kvm(const struct replay *r);
enum gcpu_arch replay_arch(const struct replay *r);
/* The first call that had no answer: line, text, expected; code 0 if all had. */
const struct gcpu_error *replay_error(const struct replay *r);
/* Lines that no call has come to yet; descriptors that are open. */
size_t replay_left(const struct replay *r);
unsigned replay_open_fds(const struct replay *r);
/* Back to the first line, all descriptors forgotten. */
void replay_rewind(struct replay *r);
void replay_free(struct replay *r);

/* Fault: passes through to INNER; one operation fails without being carried
 * out (but for close and munmap, which let go even where they report failure). */
struct fault;
int fault_new(const struct gcpu_kvm *inner, struct fault **ret);
const struct gcpu_kvm *fault_kvm(const struct fault *f);
#define FAULT_ALL ((1U << WRAP_OPS) - 1)
/* Count anew; the NTH (from 1, 0: none) of the operations in the mask OPS, of
 * request REQUEST only unless that is 0, fails with errno ERROR. */
void fault_arm(struct fault *f, unsigned ops, unsigned long request, unsigned nth, int error);
/* Operations that were counted since then. */
unsigned fault_count(const struct fault *f);
/* The one that failed: "KVM_CREATE_VM", "open", or NULL. */
const char *fault_what(const struct fault *f);
/* Descriptors that were made and not closed; closed and not made. */
int fault_open_fds(const struct fault *f);
unsigned fault_stray_closes(const struct fault *f);
void fault_free(struct fault *f);

#endif
