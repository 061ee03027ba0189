/* SPDX-License-Identifier: MIT */
/* What the exercises of x86 share: the local APIC, hypercalls, waiting. */
#ifndef GCPU_ALIVE_X86_X86_H
#define GCPU_ALIVE_X86_X86_H

#include <stdbool.h>

#include "../lab.h"
#include "../ops.h"

/* The local APIC's page and registers, by their offset. Intel SDM 11.4. */
#define APIC_PAGE 0xfee00000ULL
#define APIC_ID 0x20
#define APIC_SPIV 0xf0
#define APIC_ISR 0x100 /* eight of them, 0x10 apart */
#define APIC_ICR 0x300
#define APIC_ICR2 0x310
#define APIC_LVTT 0x320
#define APIC_TMICT 0x380
#define APIC_TDCR 0x3e0
#define SPIV_ON 0x1ff
#define ICR_LOGICAL 0x800U
#define ICR_ASSERT 0x4000U
#define ICR_SELF 0x40000U
#define ICR_INIT 0x500U
#define ICR_STARTUP 0x600U
#define APIC_BASE 0x1b /* an MSR */
#define APIC_BASE_EXTD 0x400ULL

#define OP_APIC(offset, value) OP_STORE(APIC_PAGE + (offset), 4, (value))
#define OP_APIC_READ(offset) OP_LOAD(APIC_PAGE + (offset), 4)

/* Error numbers of hypercalls, as they are in RAX. KVM's kvm_para.h. */
#define HC_ENOSYS ((uint64_t)-1000)
#define HC_EOPNOTSUPP ((uint64_t)-95)
#define HC_EINVAL ((uint64_t)-22)

/* A hypercall by the instruction of this host's vendor. */
struct guest_op op_hypercall(const struct lab *lab, uint32_t number, uint64_t a, uint64_t b, uint64_t c,
			     uint64_t d);

/* Turn the vCPU's local APIC on, without which KVM finds it under no id. 0 or as lab_run(). */
int apic_on(struct lab *lab, unsigned vcpu);

/* An MSI to the APIC id, by KVM_SIGNAL_MSI: how many vCPUs got it, or -errno. */
int msi_send(const struct lab *lab, uint32_t id, uint8_t vector);

/* An APIC id that no vCPU of the lab has. */
uint32_t absent_id(const struct lab *lab);

/* Is the local APIC KVM's own? */
bool lapic_in_kvm(const struct lab *lab);

/* A vCPU whose list OPS[0..N) sleeps by HLT: 1 it does, 0 it has ended instead, negative: neither,
 * and the outcome says so. It stands still afterwards. */
int asleep(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n);

/* The host's clock now, ns. */
int64_t host_ns(clockid_t id);

/* Is the host's clock the TSC, or made of it? Without that KVM hands it on to no guest.
 * 1, 0, or -1 where it is not known; NAME is what the host calls its clock source. */
int host_clock_is_tsc(const struct lab *lab, char name[static 32]);

/* Interrupts that the vCPU has taken so far; -1 after an error, which the outcome has. */
int64_t interrupts_taken(struct lab *lab, unsigned vcpu);

extern const struct exercise exercise_kvmclock1;
extern const struct exercise exercise_kvmclock2;
extern const struct exercise exercise_asyncpf;
extern const struct exercise exercise_steal_time;
extern const struct exercise exercise_pv_eoi;
extern const struct exercise exercise_pv_unhalt;
extern const struct exercise exercise_pv_tlb_flush;
extern const struct exercise exercise_asyncpf_vmexit;
extern const struct exercise exercise_pv_ipi;
extern const struct exercise exercise_poll_control;
extern const struct exercise exercise_sched_yield;
extern const struct exercise exercise_asyncpf_int;
extern const struct exercise exercise_msi_ext_dest_id;
extern const struct exercise exercise_map_gpa;
extern const struct exercise exercise_migration_control;
extern const struct exercise exercise_kvmclock_stable;
extern const struct exercise exercise_x2apic;
extern const struct exercise exercise_tsc_deadline;
extern const struct exercise exercise_clock_pairing;
extern const struct exercise exercise_x2apic_id_in_xapic_mode;
extern const struct exercise exercise_hotplug_init_sipi;
extern const struct exercise exercise_hotplug_init_sipi_32bit;
extern const struct exercise exercise_duplicate_id;
extern const struct exercise exercise_duplicate_id_32bit;

#endif
