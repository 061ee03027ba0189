/* SPDX-License-Identifier: MIT */
/** The catalogue: every feature that has a name, for any architecture on any host. */
#ifndef GUESTCPU_CATALOGUE_H
#define GUESTCPU_CATALOGUE_H

#include <guestcpu/snapshot.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One feature. All strings are constants of the library. */
struct gcpu_feature_info {
	unsigned id;	      /**< for gcpu_plan_has(); 0 for a group of features */
	const char *name;
	const char *word;     /**< "CPUID.0x7.0x0.ebx", "ID_AA64ISAR0_EL1" */
	unsigned lsb, width;  /**< bits of the word */
	bool at_least;	      /**< it means: the field has at least .value */
	uint64_t value;
	const char *owner;    /**< "chosen", "derived", "runtime", "identity", joined by '+' */
	const char *kind;     /**< how KVM comes to offer it: "hw", "emulated", "pv", ... */
	const char *since;    /**< first kernel, then stable ones; "<=6.1", "-" never, "?" not known */
	const char *deflt;    /**< "auto", "asked" or "any" */
	const char *meaning;
	/* paravirtual features */
	unsigned n_msrs, n_hypercalls;
	const uint32_t *msrs, *hypercalls;
	const char *gate;     /**< what KVM refuses under enforcement, or NULL */
	const char *vmm;      /**< what the VMM must do, or NULL */
	const char *note;     /**< or NULL */
	const char *runtime;  /**< why KVM moves it while the guest runs, or NULL */
	/** Whose CPUs alone have it: "intel", "amd" (Hygon too), "centaur" (Zhaoxin too), joined
	 *  by '+'; NULL: that is no matter of the vendor. KVM may emulate it on any. */
	const char *vendors;
	/** Who else uses .name, in any case and with '_' for '-', for exactly this: "qemu", "linux",
	 *  "libvirt", separated by blanks; NULL: nobody. Other names are aliases. */
	const char *called;
};

/** Visit all features of ARCH; non-zero from VISIT stops and is returned. */
int gcpu_features(enum gcpu_arch arch, int (*visit)(void *ctx, const struct gcpu_feature_info *),
		  void *ctx);

/** Visit the words of a request that are no features ("kvm", "enforce"). DEFLT: on for host. */
int gcpu_properties(enum gcpu_arch arch,
		    int (*visit)(void *ctx, const char *name, bool deflt, const char *meaning), void *ctx);

/** A property: a word of a request that is no feature. Strings are static. */
struct gcpu_property_info {
	const char *name;
	const char *other;   /**< a second name, or NULL */
	const char *type;    /**< "switch", "number", "hertz", "text" or "choice" */
	const char *deflt;   /**< "on", "off", "host" (on for host and max), "-" (not set) */
	uint64_t min, max;   /**< of a number; of the length of a text, in characters */
	bool or_zero;        /**< 0 is allowed too and means "not set" */
	const char *meaning;
	const char *choices; /**< of a choice: the words that it takes, separated by blanks; else NULL */
};
/** Visit all properties of ARCH with what they take; non-zero from VISIT stops and is returned. */
int gcpu_property_infos(enum gcpu_arch arch,
			int (*visit)(void *ctx, const struct gcpu_property_info *), void *ctx);

/** A preset: what a property of type "choice" makes of paravirtual features. Strings are static. */
struct gcpu_preset_info {
	const char *property; /**< the property that takes it: "pv" */
	const char *name;     /**< "none", "safe", ... */
	const char *feature;  /**< NULL: this is about the preset itself */
	bool on;	      /**< the preset has .feature, where KVM offers it; else it goes off */
	const char *reason;   /**< why, in one sentence; of the preset itself, what it is */
};
/** Visit the presets of ARCH, each followed by all features that it decides; non-zero from VISIT
 *  stops and is returned. Nothing is visited where the architecture has none. */
int gcpu_presets(enum gcpu_arch arch, int (*visit)(void *ctx, const struct gcpu_preset_info *), void *ctx);

/** A model: what a request begins with. Strings are static. */
struct gcpu_model_info {
	const char *name;
	const char *meaning; /**< of a named model: its brand string, or what it stands for */
};
/** Visit the models of ARCH; non-zero from VISIT stops and is returned. */
int gcpu_models(enum gcpu_arch arch, int (*visit)(void *ctx, const struct gcpu_model_info *), void *ctx);

/** Visit the features that NAME (of a feature, a group or an alias) stands for. GCPU_ERR_NAME. */
int gcpu_feature_members(enum gcpu_arch arch, const char *name,
			 int (*visit)(void *ctx, const struct gcpu_feature_info *), void *ctx);

/** Visit the other names of a feature. TAG says whose word it is ("qemu", "linux", "libvirt", "arm", "db");
 *  what is the word of several is visited once for each, one after the other. */
int gcpu_feature_aliases(enum gcpu_arch arch, const char *name,
			 int (*visit)(void *ctx, const char *alias, const char *tag), void *ctx);

/** The name that VALUE of a field has ("PMULL", "40bit"), as a request may say it, or NULL. Static. */
const char *gcpu_value_name(enum gcpu_arch arch, const char *name, uint64_t value);

/** One row of what a feature needs: any one of the parents. */
struct gcpu_requirement {
	const char *child;
	unsigned n;
	const char *parents[4]; /**< the first .n of them */
	const char *source;     /**< who says so */
};

/** Visit the rows that say what NAME (a feature, a group or an alias) needs: all of
 *  them must be met. Non-zero from VISIT stops and is returned. GCPU_ERR_NAME. */
int gcpu_feature_needs(enum gcpu_arch arch, const char *name,
		       int (*visit)(void *ctx, const struct gcpu_requirement *), void *ctx);

/** The same for the rows in which NAME is a parent: what needs it. */
int gcpu_feature_needed_by(enum gcpu_arch arch, const char *name,
			   int (*visit)(void *ctx, const struct gcpu_requirement *), void *ctx);

#ifdef __cplusplus
}
#endif
#endif
