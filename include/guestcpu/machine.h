/* SPDX-License-Identifier: MIT */
/** The machine around the CPU, as its VMM declares it. */
#ifndef GUESTCPU_MACHINE_H
#define GUESTCPU_MACHINE_H

#include <guestcpu/snapshot.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where the local APIC lives (x86). */
enum gcpu_irqchip {
	GCPU_IRQCHIP_KERNEL = 0, /**< KVM_CREATE_IRQCHIP */
	GCPU_IRQCHIP_SPLIT = 1,  /**< local APIC in KVM, the rest in the VMM */
	GCPU_IRQCHIP_USER = 2,   /**< a local APIC in user space */
	GCPU_IRQCHIP_NONE = 3,   /**< no local APIC at all */
};

/** Interrupt controller in KVM (arm64). */
enum gcpu_gic { GCPU_GIC_NONE = 0, GCPU_GIC_V2 = 1, GCPU_GIC_V3 = 2 };

/** Most vCPUs that a machine can have here. */
#define GCPU_MAX_VCPUS 4096

struct gcpu_machine {
	size_t size; /**< sizeof(struct gcpu_machine) */
	enum gcpu_irqchip irqchip;
	enum gcpu_gic gic;
	/** Topology; sockets * dies * modules * cores * threads must equal vcpus. 0 means 1,
	 *  but sockets = 0 is derived: vcpus / (dies * modules * cores * threads). */
	unsigned vcpus, sockets, dies, cores, threads;
	/** Bit n: exit number n of KVM_CAP_X86_DISABLE_EXITS (data/kvm/exits.txt). */
	uint32_t disable_exits;
	/** Bit n: the VMM handles n of data/kvm/handles.txt. */
	uint32_t handles;
	/** The VMM copes with 32-bit x2APIC ids (KVM_CAP_X2APIC_API formats): steps of
	 *  GCPU_PHASE_RUN say what they change for it. */
	int accept_x2apic_ids;
	/** Base of the KVM leaves: 0 is 0x40000000; else 0x40000n00. */
	uint32_t kvm_leaf;
	/** Interrupt of the PMU (arm64): a PPI, 16 to 31; 23 is what QEMU's virt machine uses. */
	unsigned pmu_irq;
	/** Modules (clusters of cores) in a die; 0 means 1. The product above counts them too. */
	unsigned modules;
	/** Bits of a guest physical address (arm64), the type that KVM_CREATE_VM is given: 32 and
	 *  up to what KVM_CAP_ARM_VM_IPA_SIZE says. 0: not said; KVM takes 40 for type 0. */
	unsigned ipa_bits;
};

/** Defaults: in-kernel irqchip, GICv3, one vCPU. */
void gcpu_machine_init(struct gcpu_machine *machine);

/** Does the KVM of SNAPSHOT offer this interrupt controller? True where it was not asked. */
bool gcpu_snapshot_has_gic(const struct gcpu_snapshot *snapshot, enum gcpu_gic gic);

/** Number of an exit ("hlt"), a handled thing ("map-gpa-range"): -1 if there is none. */
int gcpu_exit_by_name(const char *name);
int gcpu_handle_by_name(const char *name);
/** Name by index from 0, NULL after the last. */
const char *gcpu_exit_name(unsigned index);
const char *gcpu_handle_name(unsigned index);

#ifdef __cplusplus
}
#endif
#endif
