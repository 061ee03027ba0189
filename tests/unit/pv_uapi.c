/* SPDX-License-Identifier: MIT */
/*
 * Numbers of paravirtual interfaces in data/x86 against the system's
 * <linux/kvm_para.h>, every one of them. What that header does not know is
 * said, and so is how many were compared.
 */
#include <linux/kvm_para.h>

#include "facts.h"
#include "facts_gen.h"
#include "unit.h"

#define UNKNOWN 0xffffffffU

/* Those of x86 are in no other architecture's header. */
#ifdef MSR_KVM_STEAL_TIME
#define MSR(name) MSR_KVM_##name
#else
#define MSR(name) UNKNOWN
#endif
#ifdef MSR_KVM_ASYNC_PF_INT
#define SINCE_5_8(name) MSR_KVM_##name
#else
#define SINCE_5_8(name) UNKNOWN
#endif
#ifdef MSR_KVM_MIGRATION_CONTROL
#define SINCE_5_14(name) MSR_KVM_##name
#else
#define SINCE_5_14(name) UNKNOWN
#endif
#ifdef KVM_HC_MAP_GPA_RANGE
#define MAP_GPA_RANGE KVM_HC_MAP_GPA_RANGE
#else
#define MAP_GPA_RANGE UNKNOWN
#endif

static const struct {
	unsigned field;
	uint32_t msrs[2], calls[1];
	unsigned n_msrs, n_calls;
} features[] = {
	{ X86_F_KVMCLOCK1, { MSR(WALL_CLOCK), MSR(SYSTEM_TIME) }, { 0 }, 2, 0 },
	{ X86_F_KVM_NOPIODELAY, { 0 }, { 0 }, 0, 0 },
	{ X86_F_KVM_MMU, { 0 }, { KVM_HC_MMU_OP }, 0, 1 },
	{ X86_F_KVMCLOCK2, { MSR(WALL_CLOCK_NEW), MSR(SYSTEM_TIME_NEW) }, { 0 }, 2, 0 },
	{ X86_F_KVM_ASYNCPF, { MSR(ASYNC_PF_EN) }, { 0 }, 1, 0 },
	{ X86_F_KVM_STEAL_TIME, { MSR(STEAL_TIME) }, { 0 }, 1, 0 },
	{ X86_F_KVM_PV_EOI, { MSR(PV_EOI_EN) }, { 0 }, 1, 0 },
	{ X86_F_KVM_PV_UNHALT, { 0 }, { KVM_HC_KICK_CPU }, 0, 1 },
	{ X86_F_KVM_PV_TLB_FLUSH, { 0 }, { 0 }, 0, 0 },
	{ X86_F_KVM_ASYNCPF_VMEXIT, { MSR(ASYNC_PF_EN) }, { 0 }, 1, 0 },
	{ X86_F_KVM_PV_IPI, { 0 }, { KVM_HC_SEND_IPI }, 0, 1 },
	{ X86_F_KVM_POLL_CONTROL, { MSR(POLL_CONTROL) }, { 0 }, 1, 0 },
	{ X86_F_KVM_PV_SCHED_YIELD, { 0 }, { KVM_HC_SCHED_YIELD }, 0, 1 },
	{ X86_F_KVM_ASYNCPF_INT, { SINCE_5_8(ASYNC_PF_INT), SINCE_5_8(ASYNC_PF_ACK) }, { 0 }, 2, 0 },
	{ X86_F_KVM_MSI_EXT_DEST_ID, { 0 }, { 0 }, 0, 0 },
	{ X86_F_KVM_HC_MAP_GPA_RANGE, { 0 }, { MAP_GPA_RANGE }, 0, 1 },
	{ X86_F_KVM_MIGRATION_CONTROL, { SINCE_5_14(MIGRATION_CONTROL) }, { 0 }, 1, 0 },
	{ X86_F_KVMCLOCK_STABLE_BIT, { 0 }, { 0 }, 0, 0 },
	{ X86_F_KVM_HINT_DEDICATED, { 0 }, { 0 }, 0, 0 },
};

static const struct {
	unsigned call;
	uint32_t number;
} calls[] = {
	{ X86_CALL_VAPIC_POLL_IRQ, KVM_HC_VAPIC_POLL_IRQ },
	{ X86_CALL_CLOCK_PAIRING, KVM_HC_CLOCK_PAIRING },
};

static unsigned compared, passed_over;

static void same(const char *name, uint32_t ours, uint32_t theirs)
{
	if (theirs == UNKNOWN) {
		passed_over++;
		return;
	}
	compared++;
	CHECK(ours == theirs, "%s: 0x%x here, 0x%x there", name, ours, theirs);
}

static const struct pv_fact *find(unsigned field)
{
	for (unsigned i = 0; i < gcpu_facts_x86.n_pv; i++)
		if (gcpu_facts_x86.pv[i].field == field)
			return &gcpu_facts_x86.pv[i];
	return NULL;
}

int main(void)
{
	const struct facts *f = &gcpu_facts_x86;

	CHECK(f->n_pv == sizeof(features) / sizeof(features[0]), "%u rows in pv.txt", f->n_pv);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		const char *name = f->fields[features[i].field].name;
		const struct pv_fact *pv = find(features[i].field);

		CHECK(pv && pv->n_msrs == features[i].n_msrs && pv->n_calls == features[i].n_calls, "%s", name);
		if (!pv)
			continue;
		for (unsigned k = 0; k < features[i].n_msrs; k++)
			same(name, pv->msr[k], features[i].msrs[k]);
		for (unsigned k = 0; k < features[i].n_calls; k++)
			same(name, pv->call[k], features[i].calls[k]);
	}
	CHECK(f->n_calls == sizeof(calls) / sizeof(calls[0]), "%u rows in hypercalls.txt", f->n_calls);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		same(f->calls[calls[i].call].name, f->calls[calls[i].call].number, calls[i].number);
	printf("%u numbers compared, %u not in this system's header\n", compared, passed_over);
	return unit_end();
}
