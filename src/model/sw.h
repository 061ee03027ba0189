/* SPDX-License-Identifier: MIT */
/*
 * Inside the software KVM: its objects, and what an architecture has to say.
 *
 * Descriptors are places in a table. A vCPU and a device hold their VM, as in
 * the kernel: it goes when its own descriptor and theirs are closed. All calls
 * come with the lock of the model held.
 */
#ifndef GCPU_MODEL_SW_H
#define GCPU_MODEL_SW_H

#include "core/plan.h"
#include "core/snapshot.h"
#include "core/util.h"
#include "kvm/abi.h"

#include <guestcpu/model.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

struct sw_arch;
struct sw_vm;
struct sw_vcpu;
struct sw_device;

enum sw_kind { SW_NOTHING, SW_SYSTEM, SW_VM, SW_VCPU, SW_DEVICE };

struct sw_fd {
	enum sw_kind kind;
	union {
		struct sw_vm *vm;
		struct sw_vcpu *vcpu;
		struct sw_device *device;
	};
};

#define SW_CAPS 320 /* as many as a probe asks for */

/* What a call left that nothing here needs: given back to the call that reads it. */
struct sw_blob {
	unsigned long request;
	uint32_t size;
	void *data;
};

struct gcpu_model {
	struct gcpu_kvm kvm; /* ops and this model */
	pthread_mutex_t lock;
	const struct gcpu_snapshot *host;
	struct gcpu_snapshot *computed; /* host, where it is the model's own */
	const struct sw_arch *arch;
	unsigned release; /* RELEASE() of the kernel that it plays */
	uint64_t behaviours; /* bit N: row N of data/kvm/behaviours.txt holds */
	char *kernel;	  /* the same as /proc says it */
	const char *series; /* what was asked for, or NULL: only while it is made */
	bool other_kernel;  /* and it is not the one of the snapshot */
	int caps[2][SW_CAPS]; /* of the system and of a VM, by number */
	struct list pages; /* void *: run pages that could not be mapped twice, and are the caller's, too */
	struct sw_fd *fds;
	size_t n_fds, room_fds, lowest; /* no free place below `lowest` */
	uint64_t permitted; /* guest state components that the process asked for (x86) */
	bool overrides;	    /* it puts something else in force than it was given (x86) */
	bool perm_locked;   /* the first vCPU has been made */
	uint64_t moves;	    /* operations done, exits, events: who waits may try again */
	_Atomic int cpu;    /* of the host, that the caller is on: 0, or 1 where CPUs differ */
};

/* Guest memory: a slot of KVM_SET_USER_MEMORY_REGION. */
struct sw_slot {
	uint32_t id, flags;
	uint64_t base, size;
	unsigned char *at;
};

struct sw_vm {
	struct gcpu_model *model;
	bool dead; /* a run failed for good: every call is EIO from then on */
	unsigned holders; /* descriptors: its own, its vCPUs', its devices' */
	unsigned long type;
	uint32_t ring; /* bytes of each vCPU's ring of dirty pages, or 0 */
	struct sw_vcpu **vcpus; /* in the order of their creation */
	unsigned n_vcpus, room_vcpus;
	struct sw_vcpu **by_id; /* NULL where there is none */
	unsigned n_by_id;
	struct list slots, blobs;
	struct list places; /* gk_ioeventfd: where a guest's write is to be told of */
	void *own; /* the architecture's */
};

struct sw_vcpu {
	struct sw_vm *vm;
	unsigned id, index;
	bool open, ran;
	uint32_t mp_state;
	struct gk_run *run; /* the run page, a mapping of the model's own; NULL before it is needed */
	struct list blobs;
	struct gcpu_guest_op *ops; /* the guest's list */
	size_t n_ops, at;
	bool waits_for_vmm; /* the operation that ended in an exit is completed by the next run */
	uint8_t waited;	    /* it waits for a limited time, and has done so: SW_WAITED_* */
	void *own; /* the architecture's */
};

/* All others stand still: time is what ends a wait for time alone, and, later, a wait for somebody. */
#define SW_WAITED_TIME 1U
#define SW_WAITED_LONG 2U

struct sw_device {
	struct sw_vm *vm;
	uint32_t type;
	struct list blobs;
};

/* One call: OBJECT is a gcpu_model, sw_vm, sw_vcpu or sw_device. Result or -errno. */
struct sw_call {
	unsigned long request;
	int (*fn)(void *object, uintptr_t arg);
};

/* How a guest's operation went. */
enum sw_step {
	SW_DONE,    /* on to the next */
	SW_EXIT,    /* the run page says why; the next run completes it */
	SW_BLOCKED, /* it waits, and is tried again at the next run */
	SW_LOST,    /* the VMM's memory is not there: KVM_RUN fails, and the next tries again */
};

struct sw_arch {
	enum gcpu_arch arch;
	size_t run_size; /* of the run page */
	int (*init)(struct gcpu_model *m, struct gcpu_error *err); /* the host's snapshot has what is needed */
	const struct sw_call *system, *vm, *vcpu, *device; /* each ends with request 0 */
	const struct sw_call *board; /* of a VM, and not about its CPU; NULL: none */
	int unknown_system, unknown_vm, unknown_vcpu; /* -errno of a call that KVM does not know */
	/* Of the VM, or of the system where VM is NULL; VALUE is what the snapshot has. */
	int (*capability)(struct gcpu_model *m, struct sw_vm *vm, unsigned number, int value);
	int (*vm_new)(struct sw_vm *vm);   /* sets .own; 0 or -errno */
	void (*vm_free)(struct sw_vm *vm); /* .own may be NULL */
	/* Before the vCPU is made: 0 or -errno. NULL: whatever the limits say. */
	int (*vcpu_allowed)(struct sw_vm *vm, unsigned id);
	/* A slot that ends at END, new or moved there: 0 or -errno. NULL: anywhere. */
	int (*slot_allowed)(struct sw_vm *vm, uint64_t end);
	int (*vcpu_new)(struct sw_vcpu *v);
	void (*vcpu_free)(struct sw_vcpu *v);
	/* NULL: the host has no CPUID, no guest state to ask for. */
	int (*host_cpuid)(struct gcpu_model *m, uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);
	int (*guest_perm)(struct gcpu_model *m, int code, uint64_t arg, uint64_t *ret);
	int (*enable_vm)(struct sw_vm *vm, const struct gk_enable_cap *cap);
	int (*enable_vcpu)(struct sw_vcpu *v, const struct gk_enable_cap *cap);
	/* Kinds of devices; NULL: none. */
	int (*device_allowed)(struct sw_vm *vm, uint32_t type, uint32_t flags);
	void (*device_made)(struct sw_device *d);
	/* A guest that begins afresh: what its own code remembers is gone. NULL: nothing. */
	void (*fresh)(struct sw_vcpu *v);
	/* Before the vCPU enters its guest: 0, or -errno and it does not. */
	int (*enter)(struct sw_vcpu *v);
	enum sw_step (*step)(struct sw_vcpu *v, struct gcpu_guest_op *op, bool complete);
};

extern const struct sw_arch sw_x86, sw_arm64;

/* model.c */
#define RELEASE(major, minor) ((unsigned)(major) << 16 | (unsigned)(minor))
/* Does the kernel behave as a row of data/kvm/behaviours.txt says? */
bool sw_behaves(const struct gcpu_model *m, enum behaviour what);

/* fd.c: a new descriptor, or -ENOMEM. */
int sw_fd_new(struct gcpu_model *m, enum sw_kind kind, void *object);
struct sw_fd *sw_fd_at(struct gcpu_model *m, int fd);
void sw_fd_close(struct gcpu_model *m, int fd);
void sw_fds_free(struct gcpu_model *m);

/* vm.c */
void sw_caps_read(struct gcpu_model *m);
/* What the snapshot has of a capability: of a VM, or of the system where VM is NULL. */
int sw_cap(const struct gcpu_model *m, const struct sw_vm *vm, unsigned number);
extern const struct sw_call sw_system_calls[], sw_vm_calls[], sw_vcpu_calls[];
void sw_vm_release(struct sw_vm *vm);
void sw_device_free(struct sw_device *d);
/* /proc and /sys of the snapshot's host. */
int sw_read_host_file(void *ctx, const char *path, char *buf, size_t size);

/* memory.c: the caller's memory, believed within reason, and the guest's. */
bool sw_bad_pointer(uintptr_t at, size_t size);
/* The same of memory that is to be written. */
bool sw_bad_target(uintptr_t at, size_t size);
/* 0 or -EFAULT. Wherever the caller's structs are, aligned or not: nothing reads or writes them in place. */
int sw_copy_in(void *to, uintptr_t from, size_t size);
int sw_copy_out(uintptr_t to, const void *from, size_t size);
int sw_set_slot(void *vm, uintptr_t arg);
int sw_set_slot2(void *vm, uintptr_t arg);
int sw_dirty_log(void *vm, uintptr_t arg);
int sw_clear_dirty_log(void *vm, uintptr_t arg);
/* SIZE bytes of guest memory, or NULL if no one slot has them all, or the VMM has no memory there (any more);
 * not aligned by more than their address is. */
const void *sw_guest_memory(const struct sw_vm *vm, uint64_t address, size_t size);
/* The same, and the slot may be written. */
void *sw_guest_writable(const struct sw_vm *vm, uint64_t address, size_t size);
/* There is a slot for it, whose memory the VMM has taken away, or made read-only behind its back: no guest gets further. */
bool sw_guest_lost(const struct sw_vm *vm, uint64_t address, size_t size, bool written);
/* A word of it. */
typedef uint32_t sw_guest_u32 __attribute__((aligned(1)));

/* Bytes of a call's argument, as its number says. */
#define SW_IOC_SIZE(request) ((uint32_t)((request) >> 16 & 0x3fff))
/* store.c: calls that are accepted, and what they said is given back. */
bool sw_store(struct list *blobs, enum sw_kind kind, enum gcpu_arch arch, unsigned long request, uintptr_t arg, int *ret);
void sw_blobs_free(struct list *blobs);

/* ioeventfd.c */
int sw_ioeventfd(void *vm, uintptr_t arg);

/* run.c */
int sw_run(void *vcpu, uintptr_t arg);
/* LENGTH bytes of the run page for the caller, who may do with the mapping what they like. 0 or -errno. */
int sw_run_map(struct sw_vcpu *v, size_t length, void **ret);
/* Is it one that the caller must not unmap? */
bool sw_page_shared(const struct gcpu_model *m, const void *at);
void sw_run_free(struct sw_vcpu *v);
void sw_pages_free(struct gcpu_model *m);

#endif
