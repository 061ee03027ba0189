/* SPDX-License-Identifier: MIT */
/* What a VMM has to do itself while the guest runs: its exits, its MSIs, its APIC state. */
#include "kvm/abi.h"
#include "kvm/abi_x86.h"
#include "x86.h"

/* An MSI's address: where the APIC id has its bits 7:0; where a guest with the feature has
 * bits 14:8; where KVM's 32-bit form has bits 31:8, and of these 14:8. */
#define MSI_LO_ID 0x000ff000U
#define MSI_LO_EXT_ID 0x00000fe0U
#define MSI_HI_ID 0xffffff00U
#define MSI_HI_EXT_ID 0x00007f00U
/* The same bits of the APIC id in a redirection entry of an I/O APIC. */
#define RTE_ID 0xff00000000000000ULL
#define RTE_EXT_ID 0x00fe000000000000ULL

/* Where the state of a local APIC has its id. */
#define LAPIC_ID 0x20

/* The MSR's bit 0 as it is when a guest with plain memory starts: it may be migrated. */
#define MIGRATION_START 1

const struct pv_fact *x86_pv(const struct gcpu_plan *p, unsigned field)
{
	for (unsigned i = 0; i < p->facts->n_pv; i++)
		if (p->facts->pv[i].field == field)
			return &p->facts->pv[i];
	return NULL;
}

static struct gcpu_step *run_step(struct gcpu_plan *p, const char *call, const char *why)
{
	return recipe_add(p, GCPU_PHASE_RUN, "vmm", call, why);
}

/* A call that takes, or gives, another form since KVM_CAP_X2APIC_API. */
static struct gcpu_step *changed_step(struct gcpu_plan *p, const char *call, const char *why)
{
	struct gcpu_step *s = run_step(p, call, why);

	recipe_arg(s, "cap", CAP_X2APIC_API, cap_name(CAP_X2APIC_API));
	return s;
}

static void wide_id_steps(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	changed_step(p, "KVM_CREATE_VCPU",
		     "one with an id above 255 is found by its whole id in xAPIC mode already; of several in "
		     "xAPIC mode whose ids are the same in bits 7:0, as of 0 and 256, only the one that was "
		     "created first gets an event for that 8-bit id");
	s = changed_step(p, "KVM_SIGNAL_MSI",
			 "bits 7:0 of the destination id are in address_lo[19:12], bits 31:8 in "
			 "address_hi[31:8]; address_hi[7:0] must be 0, else EINVAL; to vCPUs in x2APIC mode "
			 "0xff is an id, and 0xffffffff the broadcast");
	recipe_arg(s, "address_lo", MSI_LO_ID, NULL);
	recipe_arg(s, "address_hi", MSI_HI_ID, NULL);
	s = changed_step(p, "KVM_SET_GSI_ROUTING",
			 "MSI routes, those of irqfds too, have bits 7:0 of the destination id in "
			 "address_lo[19:12] and bits 31:8 in address_hi[31:8]; one whose address_hi[7:0] is "
			 "not 0 fails the call with EINVAL");
	recipe_arg(s, "address_lo", MSI_LO_ID, NULL);
	recipe_arg(s, "address_hi", MSI_HI_ID, NULL);
	s = changed_step(p, "KVM_GET_LAPIC",
			 "of a vCPU in x2APIC mode the 32 bits at this offset are its whole id, not its low "
			 "8 bits in bits 31:24, where they still are in xAPIC mode");
	recipe_arg(s, "offset", LAPIC_ID, NULL);
	changed_step(p, "KVM_SET_LAPIC",
		     "of a vCPU that is plugged in: set what KVM_GET_LAPIC gives once, before the guest "
		     "sends INIT; until then KVM finds a vCPU that was created after others ran under no id");
	s = changed_step(p, "KVM_SET_LAPIC",
			 "of a vCPU in x2APIC mode the 32 bits at this offset must be its own id, else "
			 "EINVAL: state that was saved without KVM_CAP_X2APIC_API has its low 8 bits in bits "
			 "31:24 there, put the id in its place");
	recipe_arg(s, "offset", LAPIC_ID, NULL);
}

static void ext_dest_id_args(const struct gcpu_plan *p, struct gcpu_step *s)
{
	recipe_arg(s, "address_lo", MSI_LO_EXT_ID, p->facts->fields[X86_F_KVM_MSI_EXT_DEST_ID].name);
	recipe_arg(s, "address_hi", MSI_HI_EXT_ID, NULL);
}

static void ext_dest_id_steps(struct gcpu_plan *p)
{
	struct gcpu_step *s;

	s = run_step(p, "KVM_SIGNAL_MSI",
		     "the guest has bits 14:8 of the APIC id in bits 11:5 of the address of its MSIs: move "
		     "them to address_hi[14:8] and clear address_lo[11:5], unless the VMM remapped the "
		     "message as an IOMMU");
	ext_dest_id_args(p, s);
	s = run_step(p, "KVM_SET_GSI_ROUTING",
		     "MSI routes, those of irqfds too: move bits 11:5 of the guest's address to "
		     "address_hi[14:8] and clear address_lo[11:5], unless remapped; routes of the VMM's I/O "
		     "APIC: a redirection entry has bits 7:0 of the APIC id in its bits 63:56, for "
		     "address_lo[19:12], and bits 14:8 in its bits 55:49, for address_hi[14:8]");
	ext_dest_id_args(p, s);
	recipe_arg(s, "rte_id", RTE_ID, NULL);
	recipe_arg(s, "rte_ext_id", RTE_EXT_ID, NULL);
}

static void map_gpa_range_step(struct gcpu_plan *p, const struct pv_fact *pv)
{
	struct gcpu_step *s;

	s = run_step(p, "KVM_EXIT_HYPERCALL",
		     "the guest says how it maps hypercall.args[1] pages of 4 KiB from guest-physical "
		     "address args[0]: bit 4 of args[2] encrypted, bits 3:0 the page size it would like (0: "
		     "4 KiB, 1: 2 MiB, 2: 1 GiB); keep or act on it, and set hypercall.ret, which the next "
		     "KVM_RUN gives the guest in RAX: 0 done, else a negative errno, -EINVAL where other "
		     "bits of args[2] are set or no guest memory is there");
	recipe_arg(s, "nr", pv->call[0], p->facts->fields[pv->field].name);
}

static void migration_control_args(const struct gcpu_plan *p, struct gcpu_step *s,
				   const struct pv_fact *pv)
{
	recipe_arg(s, "index", pv->msr[0], p->facts->fields[pv->field].name);
	recipe_arg(s, "reason", GK_MSR_EXIT_REASON_UNKNOWN, "KVM_MSR_EXIT_REASON_UNKNOWN");
}

/* The capability brings every MSR that KVM does not know. */
static void migration_control_steps(struct gcpu_plan *p, const struct pv_fact *pv)
{
	struct gcpu_step *s;

	s = run_step(p, "KVM_EXIT_X86_RDMSR",
		     "one value for the VM, bit 0: it may be migrated; initially 1, in a guest with "
		     "encrypted memory 0; answer this index with it in msr.data and msr.error=0, every "
		     "other, since all MSRs that KVM does not know come here, with msr.error=1: the next "
		     "KVM_RUN gives the guest the #GP that it had without");
	migration_control_args(p, s, pv);
	recipe_arg(s, "initial", MIGRATION_START, NULL);
	s = run_step(p, "KVM_EXIT_X86_WRMSR",
		     "keep msr.data as the value of this index if it is 0 or 1, with msr.error=0, and do not "
		     "migrate the VM while it is 0; answer other bits, and every other index, with "
		     "msr.error=1: the next KVM_RUN gives the guest #GP");
	migration_control_args(p, s, pv);
}

void x86_run_steps(struct gcpu_plan *p)
{
	const struct pv_fact *gpa = x86_pv(p, X86_F_KVM_HC_MAP_GPA_RANGE);
	const struct pv_fact *migration = x86_pv(p, X86_F_KVM_MIGRATION_CONTROL);

	if (x86_wide_ids(p))
		wide_id_steps(p);
	if (field_get(p, p->value, X86_F_KVM_MSI_EXT_DEST_ID))
		ext_dest_id_steps(p);
	if (gpa && field_get(p, p->value, gpa->field))
		map_gpa_range_step(p, gpa);
	if (migration && field_get(p, p->value, migration->field))
		migration_control_steps(p, migration);
}
