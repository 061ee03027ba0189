/* SPDX-License-Identifier: MIT */
/* VMs: their irqchip, their vCPUs, their switches; messages; what guests do. */
#include "x86.h"
#include "model/x86/x86.h"

bool overrides(const struct gcpu_snapshot *host)
{
	return x86_overrides(host);
}

void make_vm_type(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 60) ? below(&m->r, 6) : odd_number(&m->r);
	/* confidential ones are not modelled, see the exclusions */
	if (s->arg[0] >= 1 && s->arg[0] <= 5)
		s->arg[0] += 5;
}

void make_vcpu(struct maker *m, struct step *s)
{
	static const uint16_t odd[] = { 127, 128, 253, 254, 255, 256, 257, 511, 512, 1023, 1024, 4095, 4096, 4097 };

	some_vcpu(m, s, 75, odd, COUNT(odd));
}

void make_irqchip(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 95) ? 0 : 1;
	m->irqchip = true;
}

void run_irqchip(struct side *w, const struct step *s, struct answer *a)
{
	a->status = ask_number(w, w->vm, GK_CREATE_IRQCHIP, s->arg[0]);
}

void make_boot_id(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 80) ? below(&m->r, 3) : odd_number(&m->r);
}

void run_boot_id(struct side *w, const struct step *s, struct answer *a)
{
	a->status = ask_number(w, w->vm, GK_SET_BOOT_CPU_ID, s->arg[0]);
}

void run_vm_tsc_khz(struct side *w, const struct step *s, struct answer *a)
{
	a->status = ask_number(w, w->vm, GK_SET_TSC_KHZ, s->arg[0]);
	say(a, "kHz", 0, 0, (uint64_t)(int64_t)ask_number(w, w->vm, GK_GET_TSC_KHZ, 0));
}

/* Capabilities of VMs, and bits that mean something. */
static const struct {
	uint16_t cap;
	uint8_t weight, bits; /* bits: how many of the lowest are worth trying */
} vm_caps[] = {
	{ CAP_X2APIC_API, 14, 4 },
	{ CAP_X86_DISABLE_EXITS, 14, 5 },
	{ CAP_SPLIT_IRQCHIP, 14, 13 },
	{ CAP_DISABLE_QUIRKS2, 12, 12 },
	{ CAP_DISABLE_QUIRKS, 6, 12 },
	{ CAP_MAX_VCPU_ID, 8, 13 },
	{ CAP_EXIT_HYPERCALL, 8, 14 },
	{ CAP_X86_USER_SPACE_MSR, 12, 4 },
	{ CAP_X86_BUS_LOCK_EXIT, 3, 3 },
	{ CAP_X86_APIC_BUS_CYCLES_NS, 4, 20 },
	{ CAP_PMU_CAPABILITY, 6, 2 },
	{ CAP_MSR_PLATFORM_INFO, 6, 1 },
	{ CAP_HALT_POLL, 3, 20 },
	{ CAP_EXCEPTION_PAYLOAD, 2, 1 },
	{ CAP_X86_TRIPLE_FAULT_EVENT, 2, 1 },
	{ CAP_EXIT_ON_EMULATION_FAILURE, 2, 2 },
	{ CAP_SGX_ATTRIBUTE, 1, 1 },
	{ CAP_ENFORCE_PV_FEATURE_CPUID, 2, 1 },
	{ CAP_EXT_CPUID, 1, 1 },
	{ CAP_X86_GUEST_MODE, 1, 1 },
};

static uint64_t switch_value(struct maker *m, unsigned bits)
{
	if (chance(&m->r, 70))
		return random_next(&m->r) & ((1ULL << bits) - 1);
	return chance(&m->r, 50) ? 1ULL << below(&m->r, bits + 1) : odd_number(&m->r);
}

void make_enable_vm(struct maker *m, struct step *s)
{
	unsigned total = 0, pick, i;

	for (i = 0; i < COUNT(vm_caps); i++)
		total += vm_caps[i].weight;
	pick = below(&m->r, total);
	for (i = 0; pick >= vm_caps[i].weight; i++)
		pick -= vm_caps[i].weight;
	s->arg[0] = vm_caps[i].cap;
	s->arg[1] = switch_value(m, vm_caps[i].bits);
	if (s->arg[0] == CAP_SPLIT_IRQCHIP && chance(&m->r, 60))
		s->arg[1] = 24;
	s->arg[2] = chance(&m->r, 2) ? odd_number(&m->r) & 0xffffffff : 0;
	s->arg[3] = chance(&m->r, 1);
	m->irqchip |= s->arg[0] == CAP_SPLIT_IRQCHIP;
}

void make_enable_vcpu(struct maker *m, struct step *s)
{
	static const uint16_t caps[] = { CAP_ENFORCE_PV_FEATURE_CPUID, CAP_ENFORCE_PV_FEATURE_CPUID, CAP_ENFORCE_PV_FEATURE_CPUID,
					 CAP_ENFORCE_PV_FEATURE_CPUID, CAP_HYPERV_ENFORCE_CPUID, CAP_X2APIC_API,
					 CAP_X86_DISABLE_EXITS, CAP_EXT_CPUID };

	s->arg[0] = caps[below(&m->r, COUNT(caps))];
	s->arg[1] = chance(&m->r, 85) ? below(&m->r, 2) : odd_number(&m->r);
	s->arg[2] = chance(&m->r, 2) ? 1 : 0;
	s->arg[3] = chance(&m->r, 1);
}

/* arg0 low address, arg1 high, arg2 data, arg3 flags */
void make_msi(struct maker *m, struct step *s)
{
	unsigned mode = below(&m->r, 10) < 7 ? 0 : chance(&m->r, 70) ? 1 : 3;

	s->arg[0] = 0xfee00000U | (uint64_t)below(&m->r, 4) << 12 | (chance(&m->r, 20) ? (uint64_t)below(&m->r, 128) << 5 : 0) |
		    (uint64_t)below(&m->r, 2) << 2 | (uint64_t)below(&m->r, 2) << 3;
	if (chance(&m->r, 10))
		s->arg[0] |= 0xff000;
	s->arg[1] = chance(&m->r, 70) ? 0 : (uint64_t)below(&m->r, 3) << 8 | (chance(&m->r, 20) ? 1 : 0);
	s->arg[2] = below(&m->r, 256) | mode << 8 | (chance(&m->r, 10) ? 3U << 14 : 0);
	s->arg[3] = chance(&m->r, 95) ? 0 : 1 + below(&m->r, 3);
}

void run_msi(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_msi msi = { .address_lo = (uint32_t)s->arg[0], .address_hi = (uint32_t)s->arg[1],
			      .data = (uint32_t)s->arg[2], .flags = (uint32_t)s->arg[3] };

	a->status = ask(w, w->vm, GK_SIGNAL_MSI, &msi);
}

/* Written without KVM: STAR and its kin, bases of segments, SYSENTER's. */
static bool own_of_processor(uint32_t index)
{
	return (index >= MSR_INDEX(STAR) && index <= MSR_INDEX(SYSCALL_MASK)) ||
	       (index >= MSR_INDEX(FS_BASE) && index <= MSR_INDEX(KERNEL_GS_BASE)) ||
	       (index >= MSR_INDEX(SYSENTER_CS) && index <= MSR_INDEX(SYSENTER_EIP));
}

/* Items: code, arguments. arg2 bit 0: exits for MSRs end in a fault; arg3 what such an exit gives. */
static void make_operation(struct maker *m, struct item *e)
{
	static const uint32_t leaves[] = { 0, 1, 2, 4, 5, 7, 0xb, 0xd, 0x1f, 0x20, 0x40, 0x40000000, 0x40000001, 0x40000002,
					   0x40000100, 0x50000000, 0x80000000, 0x80000001, 0x80000008, 0x8000001e, 0x80000022,
					   0x80000040, 0xc0000000, 0xc0000001 };
	static const uint8_t calls[] = { 1, 2, 5, 9, 10, 11, 12, 12 };

	switch (below(&m->r, 10)) {
	case 0:
	case 1:
		*e = (struct item){ { GUEST_OP_CPUID, leaves[below(&m->r, COUNT(leaves))],
				      chance(&m->r, 60) ? below(&m->r, 4) : odd_number(&m->r) & 0xffffffff, 0 } };
		break;
	case 2:
	case 3:
		*e = (struct item){ { GUEST_OP_RDMSR, some_msr(m), 0, 0 } };
		break;
	case 4:
	case 5:
		e->part[0] = GUEST_OP_WRMSR;
		e->part[1] = some_msr(m);
		e->part[2] = some_msr_value(m, (uint32_t)e->part[1]);
		if (own_of_processor((uint32_t)e->part[1]))
			e->part[2] &= e->part[1] == MSR_INDEX(SYSENTER_CS) ? 0xffff : 0x7fffffffffffULL;
		break;
	case 6:
		*e = (struct item){ { GUEST_OP_HYPERCALL, calls[below(&m->r, COUNT(calls))],
				      chance(&m->r, 60) ? 4096ULL * below(&m->r, 8) : odd_number(&m->r),
				      chance(&m->r, 60) ? below(&m->r, 4) : odd_number(&m->r) } };
		if (overrides(m->host)) /* see the exclusions */
			*e = (struct item){ { GUEST_OP_RDCR, 0, 0, 0 } };
		/* of clocks that there are not: see the exclusions */
		else if (e->part[1] == gcpu_facts_x86.calls[X86_CALL_CLOCK_PAIRING].number)
			e->part[3] |= 1;
		break;
	case 7:
		*e = (struct item){ { GUEST_OP_XGETBV, 2 * below(&m->r, 2), 0, 0 } };
		break;
	case 8:
		*e = (struct item){ { GUEST_OP_RDCR, (uint64_t[]){ 0, 3, 4, 8, 2 }[below(&m->r, 5)], 0, 0 } };
		break;
	default:
		/* bits of CR4 that its code can live with, on top of PAE */
		*e = (struct item){ { GUEST_OP_WRCR, 4, 0x20 | (1ULL << below(&m->r, 26) & ~0x1000ULL), 0 } };
		break;
	}
}

void make_guest(struct maker *m, struct step *s)
{
	s->n = 1 + below(&m->r, 6);
	for (unsigned i = 0; i < s->n; i++)
		make_operation(m, &s->item[i]);
	s->arg[2] = below(&m->r, 2);
	s->arg[3] = chance(&m->r, 50) ? 0 : odd_number(&m->r);
	m->guest = true;
}
