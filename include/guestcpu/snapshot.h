/* SPDX-License-Identifier: MIT */
/** Snapshots: what was measured of a host's KVM, nothing inferred. */
#ifndef GUESTCPU_SNAPSHOT_H
#define GUESTCPU_SNAPSHOT_H

#include <guestcpu/error.h>
#include <guestcpu/kvm.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Architectures. Both are in every build. */
enum gcpu_arch { GCPU_ARCH_X86 = 1, GCPU_ARCH_ARM64 = 2 };

/** "x86", "arm64" or NULL. */
const char *gcpu_arch_name(enum gcpu_arch arch);
/** 0 if there is none of that name. */
enum gcpu_arch gcpu_arch_by_name(const char *name);
/** The architecture that this library was built for. */
enum gcpu_arch gcpu_arch_native(void);

/** Receives a piece of a document; non-zero stops and is returned. */
typedef int (*gcpu_write)(void *ctx, const char *data, size_t length);

struct gcpu_snapshot;

/** Longest name of a snapshot, and longest document that is read, bytes. */
#define GCPU_NAME_MOST 200
#define GCPU_SNAPSHOT_MOST (4 << 20)

struct gcpu_probe_options {
	size_t size;      /**< sizeof(struct gcpu_probe_options) */
	const char *name; /**< name of the snapshot, or NULL for the host's kernel and CPU */
	int no_trial;     /**< do not create throw-away VMs; plans then know less */
	int one_cpu;      /**< do not visit every host CPU to find what varies */
	/** x86: first ask the kernel for the guest state that has to be asked for (AMX
	 *  tiles: arch_prctl ARCH_REQ_XCOMP_GUEST_PERM), once for this process. The first
	 *  vCPU of a process, a throw-away one too, closes that door: without this, and
	 *  without .no_trial, a plan with AMX can only be applied by another process. */
	int ask_xcomp;
	int arch; /**< enum gcpu_arch of the KVM behind the backend; 0: a model's own, else this machine's */
};

/**
 * Measure this host's KVM. KVM_FD is /dev/kvm, opened read-write by the
 * caller; throw-away VMs are created on it and closed again. The calling
 * thread is pinned to each CPU in turn and put back, unless .one_cpu is set.
 * Takes about 10 ms, on arm64 with trial up to some seconds.
 * @return 0 and *ret_snapshot (free with gcpu_snapshot_free()), or a code.
 */
int gcpu_snapshot_probe(const struct gcpu_kvm *kvm, int kvm_fd,
			const struct gcpu_probe_options *options,
			struct gcpu_snapshot **ret_snapshot, struct gcpu_error *err);

/** Read a snapshot document (JSON, docs/snapshot.md), or a fingerprint of an arm64 guest as Firecracker's
 *  cpu-template-helper writes it: a guest's view, see there. TEXT need not end in 0. */
int gcpu_snapshot_parse(const char *text, size_t length, struct gcpu_snapshot **ret_snapshot,
			struct gcpu_error *err);

/**
 * What KVM of another kernel, or on another machine, would answer: computed, not measured.
 * TEXT is the CPUID of a bare CPU, of which the first CPU is taken: what `cpuid -r` prints, a dump of
 * InstLatx64, or an x86 snapshot document, of which the CPU's own table, the microcode and the
 * modules' parameters are taken. KERNEL is a series ("6.12") or a release of one; NAME may be NULL.
 * The document says that it is computed and what was assumed; it has no trial.
 * @return 0 and *ret_snapshot (free with gcpu_snapshot_free()); GCPU_ERR_NAME for a series that is
 * not known, GCPU_ERR_DOCUMENT for what is no such text, says what no CPU answers, or a CPU that KVM does not know.
 */
int gcpu_snapshot_from_cpuid(const char *text, size_t length, const char *kernel, const char *name,
			     struct gcpu_snapshot **ret_snapshot, struct gcpu_error *err);

/** Write the canonical document. @return 0, a code, or what WRITE returned. */
int gcpu_snapshot_write(const struct gcpu_snapshot *snapshot, gcpu_write write, void *ctx);

/** A snapshot that came with the library, by name; GCPU_ERR_NAME with the nearest names. */
int gcpu_snapshot_bundled(const char *name, struct gcpu_snapshot **ret_snapshot,
			  struct gcpu_error *err);
/** Names of the bundled snapshots, index from 0; NULL after the last. */
const char *gcpu_snapshot_bundled_name(unsigned index);

/** NULL is allowed and nothing is done. */
void gcpu_snapshot_free(struct gcpu_snapshot *snapshot);

/** Architecture of the host that was measured. */
enum gcpu_arch gcpu_snapshot_arch(const struct gcpu_snapshot *snapshot);
/** Owned by the snapshot. */
const char *gcpu_snapshot_name(const struct gcpu_snapshot *snapshot);
/** "sha256:<64 hex digits>" of the content, the name left out. Owned by the snapshot. */
const char *gcpu_snapshot_hash(const struct gcpu_snapshot *snapshot);
/** Vendor of the CPU ("AuthenticAMD", "0x41"), kernel release and KVM module. Owned. */
const char *gcpu_snapshot_vendor(const struct gcpu_snapshot *snapshot);
const char *gcpu_snapshot_kernel(const struct gcpu_snapshot *snapshot);
const char *gcpu_snapshot_module(const struct gcpu_snapshot *snapshot);
/** 1 if it says what a KVM would answer (gcpu_snapshot_from_cpuid()), 0 if it was measured. */
int gcpu_snapshot_is_computed(const struct gcpu_snapshot *snapshot);
/** Value of KVM_CHECK_EXTENSION: on a VM if it was asked there, else on /dev/kvm. 0 if absent. */
int gcpu_snapshot_capability(const struct gcpu_snapshot *snapshot, unsigned number);

/** What a KVM makes of the values of one field, each alone, seen by trial (arm64 registers). */
struct gcpu_tried {
	size_t size;      /**< sizeof(struct gcpu_tried), set by the caller */
	uint64_t own;     /**< KVM's own value */
	int has_mask;     /**< KVM tells which bits may be written (KVM_ARM_GET_REG_WRITABLE_MASKS) */
	int in_mask;      /**< and all of the field is among them, which may be more than it takes */
	unsigned values;  /**< values that were tried: all, or 0 where none were */
	uint32_t taken;   /**< bit v: v was taken and read back */
	uint32_t changed; /**< bit v: v was taken, and read back as something else */
};
/** @return 0, GCPU_ERR_NAME if NAME is not one field or feature, GCPU_ERR_ARGUMENT. */
int gcpu_snapshot_tried(const struct gcpu_snapshot *snapshot, const char *name, struct gcpu_tried *ret);

#ifdef __cplusplus
}
#endif
#endif
