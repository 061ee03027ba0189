/* SPDX-License-Identifier: MIT */
/* What a snapshot holds: measurements only. */
#ifndef GCPU_CORE_SNAPSHOT_H
#define GCPU_CORE_SNAPSHOT_H

#include "util.h"

#include <guestcpu/snapshot.h>

struct snap_cpuid {
	uint32_t leaf, subleaf, flags, regs[4];
};

/* Does a vCPU take KVM's own value of a feature MSR? */
enum { MSR_UNTRIED = 0, MSR_ACCEPTED = 1, MSR_REFUSED = 2 };

struct snap_msr {
	uint32_t index;
	uint64_t value;
	int trial;
};

struct snap_cap {
	uint32_t number;
	int value;
};

struct snap_param {
	char *module, *name, *value;
};

/* What a computed snapshot takes for given. */
struct snap_assumed {
	char *what, *value, *why;
	bool odd; /* as long as it is computed, not in the document: no such host is known, or the dump lacks something */
};

/* arm64: one KVM register as seen right after VCPU_INIT. */
struct snap_reg {
	uint64_t id;
	unsigned n_words; /* 64-bit words; 0: could not be read */
	uint64_t value[8];
	int error; /* errno of KVM_GET_ONE_REG, or 0 */
	bool has_mask;
	uint64_t mask; /* KVM_ARM_GET_REG_WRITABLE_MASKS */
};

/* arm64: the 16 values of one nibble of one register, tried before any run. */
struct snap_nibble {
	uint64_t id;
	uint8_t lsb;
	uint16_t accepted; /* bit v: writing v was accepted and read back as v */
	uint16_t changed;  /* bit v: accepted, and read back as something else */
	int error;	   /* errno of the refused ones (the first) */
	uint8_t read[16];  /* what a changed value read back as */
};

/* arm64: cores of one kind, where there are several. */
struct snap_core {
	uint64_t midr;
	unsigned cpus; /* how many of them are online */
};

/* A kind of device, asked for with KVM_CREATE_DEVICE_TEST. */
struct snap_device {
	uint32_t type;
	int error;
};

/* arm64: one VCPU_INIT feature word, tried on a VM of its own. */
struct snap_init {
	uint32_t features;
	int error;
};

enum snap_tables {
	SNAP_SUPPORTED,
	SNAP_EMULATED,
	SNAP_HYPERV,
	SNAP_NATIVE,
	SNAP_VARIES,	  /* mask of bits that differ between host CPUs, native */
	SNAP_TRIAL_ZEROS, /* read back after setting every feature word to 0 */
	SNAP_TRIAL_ONES,  /* ... to all ones */
	SNAP_TRIAL_BARE, /* ... leaving out every leaf without feature words */
	SNAP_TABLES
};

struct gcpu_snapshot {
	enum gcpu_arch arch;
	bool borrowed; /* what it points to is constant: a bundled one */
	char *name;
	char hash[72];
	bool guest_view;   /* what one guest had, not what KVM offers; nothing was tried */
	bool computed;	   /* what KVM would answer, not what one did */
	struct list assumed; /* snap_assumed */

	char *vendor, *brand, *kernel, *microcode, *module, *machine;
	struct list params;			 /* snap_param */
	struct list caps_system, caps_vm;	 /* snap_cap */
	struct list cpuid[SNAP_TABLES];		 /* snap_cpuid */
	struct list msr_indexes;		 /* uint32_t */
	struct list msr_features;		 /* snap_msr */
	uint64_t tsc_khz;
	bool has_tsc_khz;
	uint64_t xcomp_supported, xcomp_permitted;
	bool has_xcomp;
	uint64_t mce_supported; /* MCG_CAP bits: KVM_X86_GET_MCE_CAP_SUPPORTED */
	bool has_mce;

	bool has_trial;
	int enforce_pv_error; /* errno of KVM_CAP_ENFORCE_PV_FEATURE_CPUID on a vCPU, 0 accepted */

	uint32_t target;	/* arm64 */
	struct list cores;	/* snap_core: none where all are the same */
	struct list devices;	/* snap_device */
	struct list inits;	/* snap_init */
	uint32_t init_features; /* word with which the registers were read */
	struct list regs;	/* snap_reg */
	struct list nibbles;	/* snap_nibble */
};

/* The tables' names, as in the document. */
extern const char *const snapshot_tables[SNAP_TABLES];
struct gcpu_snapshot *snapshot_new(enum gcpu_arch arch);
/* Entry of (leaf, sub-leaf), or NULL. */
const struct snap_cpuid *snapshot_cpuid(const struct gcpu_snapshot *s, enum snap_tables table,
					uint32_t leaf, uint32_t subleaf);
const struct snap_msr *snapshot_msr(const struct gcpu_snapshot *s, uint32_t index);
const struct snap_reg *snapshot_reg(const struct gcpu_snapshot *s, uint64_t id);
/* The register behind a word's address (facts.h), of the CPU or of KVM's firmware. */
const struct snap_reg *snapshot_word(const struct gcpu_snapshot *s, uint64_t addr);
const struct snap_nibble *snapshot_nibble(const struct gcpu_snapshot *s, uint64_t id, unsigned lsb);

/* The canonical text without name and hash goes into the hash. */
int snapshot_seal(struct gcpu_snapshot *s);
/* A computed one takes something for given: 0 or GCPU_ERR_MEMORY. */
int snapshot_assume(struct gcpu_snapshot *s, const char *what, const char *value, const char *why);

#endif
