/* SPDX-License-Identifier: MIT */
/* VMs of arm64: their switches, masks, interrupt controller, filter of calls; what guests do. */
#include "arch/arm64/arm64.h"
#include "arm64.h"
#include "facts.h"

#include <string.h>

#define IPA_USUAL 40
#define CTR_EL0 0xd801U /* see the exclusions */
#define DCZID_EL0 0xd807U
#define DCZID_EL0 0xd807U

uint64_t arm_vm_type(const struct gcpu_snapshot *host)
{
	int most = gcpu_snapshot_capability(host, CAP_ARM_VM_IPA_SIZE);

	return most > 0 && most < IPA_USUAL ? (uint64_t)most : 0;
}

void make_arm_vm_type(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 80) ? below(&m->r, 60) : odd_number(&m->r);
}

void make_arm_vcpu(struct maker *m, struct step *s)
{
	static const uint16_t odd[] = { 7, 8, 15, 16, 255, 256, 511, 512, 1024 };

	some_vcpu(m, s, 80, odd, COUNT(odd));
}

void make_arm_enable(struct maker *m, struct step *s)
{
	static const uint16_t caps[] = { CAP_ARM_MTE, CAP_ARM_MTE, CAP_ARM_WRITABLE_IMP_ID_REGS, CAP_ARM_WRITABLE_IMP_ID_REGS,
					 CAP_ARM_SYSTEM_SUSPEND, CAP_ARM_SVE, CAP_ARM_PMU_V3, CAP_STEAL_TIME, CAP_HALT_POLL,
					 CAP_ARM_EL1_32BIT };

	s->arg[0] = caps[below(&m->r, COUNT(caps))];
	s->arg[1] = chance(&m->r, 70) ? 0 : odd_number(&m->r);
	s->arg[2] = chance(&m->r, 3) ? odd_number(&m->r) & 0xffffffff : 0;
	s->arg[3] = chance(&m->r, 2);
}

void run_target(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_arm_vcpu_init init;

	memset(&init, 0xff, sizeof(init));
	a->status = ask_or_nowhere(w, w->vm, GK_ARM_PREFERRED_TARGET, s, &init);
	say(a, "target", 0, 0, init.target);
	for (unsigned i = 0; i < COUNT(init.features); i++)
		say(a, "features %x", i, 0, init.features[i]);
}

/* arg0 range, arg1 a reserved word + 1, arg2 1: no array, arg3 1: no pointer */
void make_masks(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 85) ? 0 : odd_number(&m->r) & 0xffffffff;
	s->arg[1] = chance(&m->r, 10) ? 1 + below(&m->r, 13) : 0;
	s->arg[2] = chance(&m->r, 3);
	s->arg[3] = chance(&m->r, 3);
}

void run_masks(struct side *w, const struct step *s, struct answer *a)
{
	uint64_t masks[GK_ARM_FEATURE_ID_RANGE_SIZE];
	struct gk_reg_mask_range range;

	memset(masks, 0, sizeof(masks));
	memset(&range, 0, sizeof(range));
	range.addr = s->arg[2] == 1 ? NOWHERE : (uintptr_t)masks;
	range.range = (uint32_t)s->arg[0];
	if (s->arg[1])
		range.reserved[(s->arg[1] - 1) % COUNT(range.reserved)] = 1;
	a->status = ask_or_nowhere(w, w->vm, GK_ARM_GET_REG_WRITABLE_MASKS, s, &range);
	for (unsigned i = 0; i < COUNT(masks); i++)
		say(a, "mask %x", i, 0, masks[i]);
}

void make_offset(struct maker *m, struct step *s)
{
	s->arg[0] = odd_number(&m->r);
	s->arg[1] = chance(&m->r, 20) ? odd_number(&m->r) : 0;
	s->arg[3] = chance(&m->r, 3);
}

void run_offset(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_arm_counter_offset offset = { s->arg[0], s->arg[1] };

	a->status = ask_or_nowhere(w, w->vm, GK_ARM_SET_COUNTER_OFFSET, s, &offset);
}

/* arg0 type, arg1 flags */
void make_gic(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 85) ? GK_DEV_TYPE_ARM_VGIC_V3 : below(&m->r, 12);
	s->arg[1] = chance(&m->r, 85) ? 0 : chance(&m->r, 70) ? GK_CREATE_DEVICE_TEST : 1ULL << below(&m->r, 32);
	m->irqchip = true;
}

void run_gic(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_create_device d = { .type = (uint32_t)s->arg[0], .flags = (uint32_t)s->arg[1] };

	if (d.type != GK_DEV_TYPE_ARM_VGIC_V2 && d.type != GK_DEV_TYPE_ARM_VGIC_V3)
		d.flags |= GK_CREATE_DEVICE_TEST; /* see the exclusions */
	else if (w->entered)
		return; /* see the exclusions */
	a->status = ask(w, w->vm, GK_CREATE_DEVICE, &d);
	if (a->status < 0 || (d.flags & GK_CREATE_DEVICE_TEST))
		return;
	if (w->gic >= 0)
		w->kvm->ops->close(w->kvm->ctx, w->gic);
	w->gic = (int)d.fd;
}

/* arg0 request 0 set 1 get 2 has, arg1 group, arg2 attribute, arg3 value */
void make_gic_attr(struct maker *m, struct step *s)
{
	static const uint8_t groups[] = { GK_DEV_ARM_VGIC_GRP_ADDR, GK_DEV_ARM_VGIC_GRP_ADDR, GK_DEV_ARM_VGIC_GRP_ADDR,
					  GK_DEV_ARM_VGIC_GRP_NR_IRQS, GK_DEV_ARM_VGIC_GRP_CTRL };
	static const uint64_t places[] = { 0x08000000, 0x08000000, 0x10000000, 0x10000000, 0x10010000, 0x08001000, 0xffffffffff0000 };
	static const uint32_t counts[] = { 0, 32, 64, 96, 100, 1019, 1024, 2048 };

	s->arg[0] = chance(&m->r, 75) ? 0 : 1 + below(&m->r, 2);
	s->arg[1] = groups[below(&m->r, COUNT(groups))];
	s->arg[2] = 0;
	s->arg[3] = 0;
	if (s->arg[1] == GK_DEV_ARM_VGIC_GRP_ADDR) {
		s->arg[2] = chance(&m->r, 80) ? 2 + below(&m->r, 2) : below(&m->r, 6);
		s->arg[3] = places[below(&m->r, COUNT(places))];
		/* a region: which, and for how many */
		if (s->arg[2] == GK_VGIC_V3_ADDR_TYPE_REDIST_REGION)
			s->arg[3] = (s->arg[3] & 0xffffffff) | below(&m->r, 3) | (uint64_t)below(&m->r, 4) << 52 |
				    (chance(&m->r, 5) ? 0x1000 : 0);
	} else if (s->arg[1] == GK_DEV_ARM_VGIC_GRP_NR_IRQS) {
		s->arg[3] = counts[below(&m->r, COUNT(counts))];
	}
}

void run_gic_attr(struct side *w, const struct step *s, struct answer *a)
{
	static const unsigned long requests[] = { GK_SET_DEVICE_ATTR, GK_GET_DEVICE_ATTR, GK_HAS_DEVICE_ATTR };
	uint64_t value = s->arg[3];
	struct gk_device_attr attr = { .group = (uint32_t)s->arg[1], .attr = s->arg[2], .addr = (uintptr_t)&value };

	/* see the exclusions */
	if (w->gic < 0 || (s->arg[1] != GK_DEV_ARM_VGIC_GRP_ADDR && s->arg[1] != GK_DEV_ARM_VGIC_GRP_NR_IRQS &&
			   s->arg[1] != GK_DEV_ARM_VGIC_GRP_CTRL))
		return;
	a->status = ask(w, w->gic, requests[s->arg[0] % 3], &attr);
	if (s->arg[0] % 3 == 1 && a->status >= 0)
		say(a, "value", 0, 0, value);
}

/* Items: base, number, action, padding that is not 0; arg0 attribute, arg1 1: has */
void make_filter_calls(struct maker *m, struct step *s)
{
	static const uint8_t sizes[] = { 0, 1, 1, 1, 2, 8, 64, 255 };

	s->n = 1;
	s->item[0].part[0] = chance(&m->r, 85) ? gcpu_facts_arm64.calls[below(&m->r, gcpu_facts_arm64.n_calls)].number :
						 odd_number(&m->r) & 0xffffffff;
	s->item[0].part[1] = chance(&m->r, 90) ? sizes[below(&m->r, COUNT(sizes))] : odd_number(&m->r) & 0xffffffff;
	s->item[0].part[2] = chance(&m->r, 90) ? below(&m->r, 3) : odd_number(&m->r) & 0xff;
	s->item[0].part[3] = chance(&m->r, 3);
	s->arg[0] = chance(&m->r, 95) ? GK_ARM_VM_SMCCC_FILTER : 1;
	s->arg[1] = chance(&m->r, 10);
}

void run_filter_calls(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_smccc_filter f;
	struct gk_device_attr attr = { .group = GK_ARM_VM_SMCCC_CTRL, .attr = s->arg[0], .addr = (uintptr_t)&f };

	memset(&f, 0, sizeof(f));
	if (s->n) {
		f.base = (uint32_t)s->item[0].part[0];
		f.nr_functions = (uint32_t)s->item[0].part[1];
		f.action = (uint8_t)s->item[0].part[2];
		f.pad[5] = (uint8_t)s->item[0].part[3];
	}
	a->status = ask(w, w->vm, s->arg[1] ? GK_HAS_DEVICE_ATTR : GK_SET_DEVICE_ATTR, &attr);
}

static uint64_t some_id_register(struct maker *m)
{
	uint64_t id;

	/* the whole space, most of it is registers that nobody has named yet */
	do
		id = 3U << 14 | (chance(&m->r, 85) ? 0 : 3U) << 11 | (uint64_t)below(&m->r, 8) << 3 | below(&m->r, 8);
	while (id == CTR_EL0 || id == DCZID_EL0);
	return id;
}

/* Calls that come back, with the same every time. */
static uint64_t some_call(struct maker *m)
{
	static const uint32_t psci[] = { 0x84000000, 0x84000004, 0xc4000004, 0x84000006, 0x84000007, 0x8400000a, 0x84000003, 0xc4000003,
					 0x84000013, 0xc4000013 };
	uint32_t number;

	if (chance(&m->r, 30))
		return psci[below(&m->r, COUNT(psci))];
	do
		number = gcpu_facts_arm64.calls[below(&m->r, gcpu_facts_arm64.n_calls)].number;
	while (number == gcpu_facts_arm64.calls[ARM64_CALL_TRNG_RND].number ||
	       number == gcpu_facts_arm64.calls[ARM64_CALL_TRNG_RND_64].number ||
	       number == gcpu_facts_arm64.calls[ARM64_CALL_VENDOR_PTP].number ||
	       number == gcpu_facts_arm64.calls[ARM64_CALL_PSCI_SYSTEM_OFF2].number ||
	       number == gcpu_facts_arm64.calls[ARM64_CALL_PSCI_SYSTEM_OFF2_64].number);
	return number;
}

void make_arm_guest(struct maker *m, struct step *s)
{
	s->n = 1 + below(&m->r, 7);
	for (unsigned i = 0; i < s->n; i++) {
		struct item *e = &s->item[i];

		if (chance(&m->r, 50)) {
			*e = (struct item){ { GUEST_OP_MRS, some_id_register(m), 0, 0 } };
			continue;
		}
		*e = (struct item){ { GUEST_OP_SMCCC, some_call(m), chance(&m->r, 60) ? some_call(m) : odd_number(&m->r),
				      chance(&m->r, 60) ? 0 : odd_number(&m->r) } };
	}
	s->arg[3] = odd_number(&m->r);
	m->guest = true;
}
