/* SPDX-License-Identifier: MIT */
/* What /dev/kvm answers: from the snapshot, by KVM's rules of size. */
#include "msr.h"

#include "arch/x86/x86.h"

#include <string.h>

#define HYPERV_DIRECT_TIMERS (1U << 19)
#define HYPERV_CLUSTER_IPI (1U << 10)
#define HYPERV_NESTED 9 /* of their leaves, that of nested features */
#define HYPERV_EVMCS 0xffffU

uint32_t x86_supported(const struct gcpu_model *m, uint64_t addr)
{
	const struct snap_cpuid *e = snapshot_cpuid(m->host, SNAP_SUPPORTED, ADDR_LEAF(addr), ADDR_SUBLEAF(addr));

	return e ? e->regs[ADDR_REG(addr)] : 0;
}

/* A table, where as many entries as were ASKED for are enough. */
static int give_table(const struct list *from, uintptr_t arg, const struct gk_cpuid2 *asked)
{
	struct gk_cpuid2 head = *asked;

	if (head.nent < 1 || head.nent < from->n)
		return -E2BIG;
	head.nent = (uint32_t)from->n;
	return x86_give_entries(arg, from->items, from->n) ? -EFAULT : sw_copy_out(arg, &head, sizeof(head));
}

/* The table without the state that this process has not asked for. 0 or -ENOMEM. */
static int without_tiles(const struct gcpu_model *m, struct list *ret)
{
	const struct list *from = &m->host->cpuid[SNAP_SUPPORTED];
	uint32_t area = ADDR_LEAF(gcpu_facts_x86.words[X86_W_CPUID_0XD_0X0_EAX].addr);
	bool both = sw_behaves(m, BEHAVIOUR_TILES_WITHHELD_WHOLE);

	for (size_t i = 0; i < from->n; i++) {
		const struct snap_cpuid *e = LIST_AT(from, struct snap_cpuid, i);
		struct snap_cpuid *to;

		if (e->leaf == area && (e->subleaf == X86_XTILEDATA || (both && e->subleaf == X86_XTILECFG)))
			continue;
		to = list_add(ret, sizeof(*to));
		if (!to)
			return -ENOMEM;
		*to = *e;
		if (e->leaf == area && e->subleaf < 2)
			x86_save_area(m, to, both);
	}
	return 0;
}

static int get_supported(void *object, uintptr_t arg)
{
	struct gcpu_model *m = object;
	struct list less = { 0 };
	struct gk_cpuid2 head;
	int status;

	if (sw_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	if (!x86_dynamic(m) || (m->permitted & x86_dynamic(m)))
		return give_table(&m->host->cpuid[SNAP_SUPPORTED], arg, &head);
	status = without_tiles(m, &less);
	if (status == 0)
		status = give_table(&less, arg, &head);
	list_free(&less);
	return status;
}

static int get_emulated(void *object, uintptr_t arg)
{
	uintptr_t at = arg + sizeof(struct gk_cpuid2);
	struct gcpu_model *m = object;
	struct gk_cpuid_entry2 e;
	struct gk_cpuid2 head;

	if (sw_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nent < 1)
		return -E2BIG;
	if (head.nent > GK_CPUID_ENTRIES_MOST)
		head.nent = GK_CPUID_ENTRIES_MOST;
	/* what comes in is looked at here, unlike elsewhere; what cannot be, is as bad */
	if (sw_bad_pointer(at, head.nent * sizeof(e)))
		return -EINVAL;
	for (uint32_t i = 0; i < head.nent; i++, at += sizeof(e)) {
		memcpy(&e, (const void *)at, sizeof(e));
		if (e.padding[0] | e.padding[1] | e.padding[2])
			return -EINVAL;
	}
	/* after the last leaf it looks for room once more */
	if (head.nent <= m->host->cpuid[SNAP_EMULATED].n)
		return -E2BIG;
	return give_table(&m->host->cpuid[SNAP_EMULATED], arg, &head);
}

/* HYPERV_NESTED counts from where the interface is told, the second of their leaves. */
static uint32_t hyperv_leaf(uint32_t n)
{
	return ADDR_LEAF(gcpu_facts_x86.words[gcpu_facts_x86.fields[X86_F_KVMCLOCK1].word].addr) + n;
}

static int get_hyperv(void *object, uintptr_t arg)
{
	struct gcpu_model *m = object;
	struct gk_cpuid2 head;

	if (!sw_cap(m, NULL, CAP_SYS_HYPERV_CPUID))
		return -EINVAL;
	if (sw_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	return give_table(&m->host->cpuid[SNAP_HYPERV], arg, &head);
}

uint16_t x86_evmcs_versions(const struct gcpu_model *m)
{
	const struct list *table = &m->host->cpuid[SNAP_HYPERV];

	for (size_t i = 0; i < table->n; i++)
		if (LIST_AT(table, struct snap_cpuid, i)->leaf == hyperv_leaf(HYPERV_NESTED))
			return LIST_AT(table, struct snap_cpuid, i)->regs[0] & HYPERV_EVMCS;
	return 0;
}

/*
 * As above; what KVM has only with its own APIC is left out without one, and versions of the enlightened VMCS until the
 * VMM turns it on.
 */
int x86_get_hyperv_vcpu(void *object, uintptr_t arg)
{
	const struct sw_vcpu *v = object;
	const struct gcpu_model *m = v->vm->model;
	uintptr_t at = arg + sizeof(struct gk_cpuid2);
	struct gk_cpuid_entry2 e;
	struct gk_cpuid2 head;
	int status;

	if (!sw_cap(m, NULL, CAP_HYPERV_CPUID))
		return -EINVAL;
	if (sw_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	status = give_table(&m->host->cpuid[SNAP_HYPERV], arg, &head);
	for (size_t i = 0; status == 0 && i < m->host->cpuid[SNAP_HYPERV].n; i++, at += sizeof(e)) {
		memcpy(&e, (const void *)at, sizeof(e));
		if (e.function == hyperv_leaf(HYPERV_NESTED) && !x86_vcpu(v)->evmcs)
			e.eax &= ~HYPERV_EVMCS;
		if (e.function == hyperv_leaf(2) && !x86_lapic(x86_vcpu(v)))
			e.edx &= ~HYPERV_DIRECT_TIMERS;
		if (e.function == hyperv_leaf(3) && !x86_lapic(x86_vcpu(v)))
			e.eax &= ~HYPERV_CLUSTER_IPI;
		memcpy((void *)at, &e, sizeof(e));
	}
	return status;
}

/* Unlike CPUID tables, these say how much room they need. */
static int give_list(uintptr_t arg, uint32_t n, uint32_t (*at)(const struct gcpu_model *m, uint32_t i),
		     const struct gcpu_model *m)
{
	const struct gk_msr_list out = { .nmsrs = n };
	uintptr_t to = arg + sizeof(out);
	struct gk_msr_list asked;

	if (sw_copy_in(&asked, arg, sizeof(asked)) || sw_copy_out(arg, &out, sizeof(out)))
		return -EFAULT;
	if (asked.nmsrs < n)
		return -E2BIG;
	if (sw_bad_target(to, n * sizeof(uint32_t)))
		return -EFAULT;
	for (uint32_t i = 0; i < n; i++, to += sizeof(uint32_t)) {
		uint32_t index = at(m, i);

		memcpy((void *)to, &index, sizeof(index));
	}
	return 0;
}

static uint32_t index_at(const struct gcpu_model *m, uint32_t i)
{
	return *LIST_AT(&m->host->msr_indexes, uint32_t, i);
}

static uint32_t feature_at(const struct gcpu_model *m, uint32_t i)
{
	return LIST_AT(&m->host->msr_features, struct snap_msr, i)->index;
}

static int msr_indexes(void *object, uintptr_t arg)
{
	struct gcpu_model *m = object;

	return give_list(arg, (uint32_t)m->host->msr_indexes.n, index_at, m);
}

static int msr_features(void *object, uintptr_t arg)
{
	struct gcpu_model *m = object;

	return give_list(arg, (uint32_t)m->host->msr_features.n, feature_at, m);
}

static int get_msrs(void *object, uintptr_t arg)
{
	struct gcpu_model *m = object;
	uintptr_t at = arg + sizeof(struct gk_msrs);
	struct gk_msr_entry e;
	uint32_t n;
	int refused = x86_msrs_given(arg, true, &n);

	if (refused)
		return refused;
	for (uint32_t i = 0; i < n; i++, at += sizeof(e)) {
		const struct snap_msr *f;
		bool listed;

		memcpy(&e, (const void *)at, sizeof(e));
		f = snapshot_msr(m->host, e.index);
		listed = x86_msr_listed(m, e.index) && sw_behaves(m, BEHAVIOUR_LISTED_BY_SYSTEM);
		if (!f && !listed && !x86_parameter(m, "kvm", "ignore_msrs"))
			return (int)i;
		e.data = f ? f->value : 0;
		memcpy((void *)at, &e, sizeof(e));
	}
	return (int)n;
}

static int has_attr(void *object, uintptr_t arg)
{
	const struct gcpu_snapshot *s = ((struct gcpu_model *)object)->host;
	struct gk_device_attr a;

	if (sw_copy_in(&a, arg, sizeof(a)))
		return -EFAULT;
	return a.group == GK_X86_GRP_SYSTEM && a.attr == GK_X86_XCOMP_GUEST_SUPP && s->has_xcomp ? 0 : -ENXIO;
}

static int get_attr(void *object, uintptr_t arg)
{
	const struct gcpu_snapshot *s = ((struct gcpu_model *)object)->host;
	struct gk_device_attr a;
	int status = has_attr(object, arg);

	if (status || sw_copy_in(&a, arg, sizeof(a)))
		return status ? status : -EFAULT;
	return sw_copy_out((uintptr_t)a.addr, &s->xcomp_supported, sizeof(s->xcomp_supported));
}

const struct sw_call x86_system_calls[] = {
	{ GK_GET_SUPPORTED_CPUID, get_supported },
	{ GK_GET_EMULATED_CPUID, get_emulated },
	{ GK_GET_SUPPORTED_HV_CPUID, get_hyperv },
	{ GK_GET_MSR_INDEX_LIST, msr_indexes },
	{ GK_GET_MSR_FEATURE_INDEX_LIST, msr_features },
	{ GK_GET_MSRS, get_msrs },
	{ GK_X86_GET_MCE_CAP_SUPPORTED, x86_mce_supported },
	{ GK_HAS_DEVICE_ATTR, has_attr },
	{ GK_GET_DEVICE_ATTR, get_attr },
	{ 0, NULL },
};

int x86_capability(struct gcpu_model *m, struct sw_vm *vm, unsigned number, int value)
{
	if (number == CAP_IRQCHIP)
		return 1; /* no snapshot has it, for no KVM lacks it */
	/* more room, where the process has asked for more state */
	if (number == CAP_XSAVE2 && value > 0 && x86_dynamic(m))
		return (int)x86_xsave_size(m);
	/* of the VM's own answers, the snapshot has one without interrupt controllers */
	if (number == CAP_X2APIC_API && vm && x86_vm(vm)->irqchip == X86_IRQCHIP_SPLIT)
		return value | (sw_cap(m, NULL, number) & GK_X2APIC_SUPPRESS_EOI_MASK);
	return value;
}

int x86_host_cpuid(struct gcpu_model *m, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	const struct snap_cpuid *e = snapshot_cpuid(m->host, SNAP_NATIVE, leaf, subleaf);

	const struct snap_cpuid *other = m->cpu ? snapshot_cpuid(m->host, SNAP_VARIES, leaf, subleaf) : NULL;

	for (int r = 0; r < 4; r++)
		ret[r] = (e ? e->regs[r] : 0) ^ (other ? other->regs[r] : 0);
	return 0;
}

int x86_guest_perm(struct gcpu_model *m, int code, uint64_t arg, uint64_t *ret)
{
	const struct gcpu_snapshot *s = m->host;

	switch (code) {
	case GK_ARCH_GET_XCOMP_SUPP:
	case GK_ARCH_GET_XCOMP_PERM:
		*ret = s->xcomp_supported;
		return s->has_xcomp ? 0 : -EINVAL;
	case GK_ARCH_GET_XCOMP_GUEST_PERM:
		*ret = (s->xcomp_permitted & ~x86_tiles(m)) | m->permitted;
		return s->has_xcomp ? 0 : -EINVAL;
	case GK_ARCH_REQ_XCOMP_GUEST_PERM:
		if (arg >= 64)
			return -EINVAL;
		if (arg != X86_XTILEDATA || !(s->xcomp_supported >> arg & 1))
			return -EOPNOTSUPP;
		if (m->permitted >> arg & 1)
			return 0;
		if (m->perm_locked)
			return -EBUSY;
		m->permitted |= 1ULL << X86_XTILECFG | 1ULL << X86_XTILEDATA;
		return 0;
	default:
		return -EINVAL;
	}
}
