/* SPDX-License-Identifier: MIT */
/* Inside the preloaded library: what its files share. */
#ifndef GCPU_SIM_PRELOAD_H
#define GCPU_SIM_PRELOAD_H

#include "fds.h"
#include "log.h"

#include <guestcpu/kvm.h>

/* Visible outside of the library: the names that it takes from libc. */
#define TAKEN __attribute__((visibility("default")))

/* libc's, or the next library's, of a name that we took. */
#define NEXT(name) ((__typeof__(&name))next_of(&next_##name, #name))
#define NEXT_SLOT(name) static _Atomic(void *) next_##name
void *next_of(_Atomic(void *) *slot, const char *name);

struct preload {
	struct sim_log *log; /* NULL: nothing is done */
	struct sim_place place;
	enum sim_mode mode;
	const struct gcpu_kvm *kvm; /* the model; trace: NULL, the kernel's own */
	enum sim_mode lost; /* what it should have been: the log cannot be reached; else 0 */
	int lost_error;
};
extern struct preload preload;

/* The device, as the kernel's list has it: one of the miscellaneous ones. */
#define KVM_MAJOR 10
#define KVM_MINOR 232

/* The words "/dev/kvm". */
bool is_kvm_path(const char *path);
/* Whatever the words are, from where DIR is; with links at its end, or without. */
bool leads_to_kvm(int dir, const char *path, bool follows);
/* FD is of this machine's /dev/kvm, however it was opened. */
bool is_kvm_device(int fd);
/* It was opened, as FD (or -errno): known from now on. 0 or -errno: there are too many. */
int kvm_opened(int fd, int backend_fd);
/* The model's /dev/kvm in a descriptor of this process; or -1 and errno. */
int model_open(int flags);
/* FD may be one that came from elsewhere, by exec or through a socket: what it is, or NULL. Of the machine's KVM
 * nothing is used where the model is: /dev/kvm becomes the model's, and *ret_refused is set for all else. */
struct object *kvm_found(int fd, unsigned long request, bool *ret_refused);
/* An ioctl on one of KVM's: result, or -1 and errno. */
int kvm_ioctl(int fd, struct object *o, unsigned long request, uintptr_t arg);
/* FD was closed, or became something else. */
void kvm_closed(int fd);
/* TO is FROM once more. */
void kvm_dupped(int from, int to);

/* Make the model of what LOG says; ends the process where that fails: it must not go on with the
 * machine's KVM where it was promised another. */
void model_start(struct sim_log *log);
/* KVM_RUN in the model: the program ends here, when the others had their time. */
int model_run(struct object *o);

/* What this process starts gets TOLD, the word it got itself, and this library. */
void exec_start(const char *told);

/* Something was asked of the model, or of KVM. */
extern _Atomic unsigned kvm_calls;

/* Answer this process's CPUID instructions from the model, where the CPU can do that; LOG has it. */
void cpuid_start(struct sim_log *log);
/* arch_prctl(CODE, ARG) about guests' state components: of the model, or noted down. -1 and errno;
 * *ret_done: it was carried out. */
long process_perm(int code, uintptr_t arg, bool *ret_done);

/* A call for KVM: its number's type. */
#define IS_KVM_REQUEST(request) (((request) >> 8 & 0xff) == 0xae)

#endif
