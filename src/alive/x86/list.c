/* SPDX-License-Identifier: MIT */
/* All exercises of x86: features by their bit, what has no bit, what a KVM is seen to do. */
#include "x86.h"

#define NOTHING(id, feature, why)                                                                  \
	static const struct exercise nothing_##id = {                                              \
		.name = (feature), .kind = GCPU_EXERCISE_FEATURE, .nothing = (why) }

NOTHING(nopiodelay, "kvm-nopiodelay", "a statement to the guest, KVM does nothing for it");
NOTHING(mmu, "kvm-mmu", "KVM removed it long ago");
NOTHING(realtime, "kvm-hint-dedicated", "a promise that vCPUs are not preempted, kept by the host's operator");

const struct exercise *const alive_exercises[] = {
	&exercise_kvmclock1,
	&nothing_nopiodelay,
	&nothing_mmu,
	&exercise_kvmclock2,
	&exercise_asyncpf,
	&exercise_steal_time,
	&exercise_pv_eoi,
	&exercise_pv_unhalt,
	&exercise_pv_tlb_flush,
	&exercise_asyncpf_vmexit,
	&exercise_pv_ipi,
	&exercise_poll_control,
	&exercise_sched_yield,
	&exercise_asyncpf_int,
	&exercise_msi_ext_dest_id,
	&exercise_map_gpa,
	&exercise_migration_control,
	&exercise_kvmclock_stable,
	&nothing_realtime,
	&exercise_x2apic,
	&exercise_tsc_deadline,
	&exercise_clock_pairing,
	&exercise_enforcement,
	&exercise_x2apic_id_in_xapic_mode,
	&exercise_hotplug_init_sipi,
	&exercise_hotplug_init_sipi_32bit,
	&exercise_duplicate_id,
	&exercise_duplicate_id_32bit,
	&exercise_open_poll_irq,
	&exercise_open_clock_pairing,
	&exercise_open_map_gpa,
	&exercise_open_migration_control,
	&exercise_enforcement_get_msrs,
	&exercise_enforcement_second_table,
	&exercise_exits_late,
	&exercise_exits_unknown,
	&exercise_exits_disallowed,
	&exercise_exits_hlt,
	&exercise_unhalt_strip,
	&exercise_cr4_before_cpuid,
	&exercise_after_run_same,
	&exercise_after_run_changed,
	&exercise_get_cpuid_nent,
};
const unsigned alive_n_exercises = COUNT(alive_exercises);
