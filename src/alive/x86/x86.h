/* SPDX-License-Identifier: MIT */
/* What the exercises of x86 share: hypercalls, waiting, the host's clock; and all of them. */
#ifndef GCPU_ALIVE_X86_X86_H
#define GCPU_ALIVE_X86_X86_H

#include "apic.h"

/* Error numbers of hypercalls, as they are in RAX. KVM's kvm_para.h. */
#define HC_ENOSYS ((uint64_t)-1000)
#define HC_EOPNOTSUPP ((uint64_t)-95)
#define HC_EINVAL ((uint64_t)-22)

/* A hypercall by the instruction of this host's vendor. */
struct guest_op op_hypercall(const struct lab *lab, uint32_t number, uint64_t a, uint64_t b, uint64_t c,
			     uint64_t d);

/* A vCPU whose list OPS[0..N) sleeps by HLT: 1 it does, 0 it has ended instead, negative: neither,
 * and the outcome says so. It stands still afterwards. */
int asleep(struct lab *lab, unsigned vcpu, struct guest_op *ops, size_t n);

/* Is the host's clock the TSC, or made of it? Without that KVM hands it on to no guest.
 * 1, 0, or -1 where it is not known; NAME is what the host calls its clock source. */
int host_clock_is_tsc(const struct lab *lab, char name[static 32]);

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
extern const struct exercise exercise_enforcement;
extern const struct exercise exercise_x2apic_id_in_xapic_mode;
extern const struct exercise exercise_hotplug_init_sipi;
extern const struct exercise exercise_hotplug_init_sipi_32bit;
extern const struct exercise exercise_duplicate_id;
extern const struct exercise exercise_duplicate_id_32bit;
extern const struct exercise exercise_open_poll_irq;
extern const struct exercise exercise_open_clock_pairing;
extern const struct exercise exercise_open_map_gpa;
extern const struct exercise exercise_open_migration_control;
extern const struct exercise exercise_enforcement_get_msrs;
extern const struct exercise exercise_enforcement_second_table;
extern const struct exercise exercise_exits_late;
extern const struct exercise exercise_exits_unknown;
extern const struct exercise exercise_exits_disallowed;
extern const struct exercise exercise_exits_hlt;
extern const struct exercise exercise_unhalt_strip;
extern const struct exercise exercise_cr4_before_cpuid;
extern const struct exercise exercise_after_run_same;
extern const struct exercise exercise_after_run_changed;
extern const struct exercise exercise_get_cpuid_nent;

#endif
