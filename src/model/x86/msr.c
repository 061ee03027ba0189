/* SPDX-License-Identifier: MIT */
/* MSRs: known or not, and which values are taken, by the guest and by its VMM. */
#include "x86.h"

#include <string.h>

#define MSRS_MOST 256 /* MAX_IO_MSRS: as many are too many */

uint64_t x86_msr_kept(const struct x86_vcpu *x, uint32_t index)
{
	for (size_t i = 0; i < x->msrs.n; i++)
		if (LIST_AT(&x->msrs, struct x86_msr, i)->index == index)
			return LIST_AT(&x->msrs, struct x86_msr, i)->value;
	return 0;
}

int x86_msr_keep(struct x86_vcpu *x, uint32_t index, uint64_t value)
{
	struct x86_msr *m;

	for (size_t i = 0; i < x->msrs.n; i++) {
		if (LIST_AT(&x->msrs, struct x86_msr, i)->index != index)
			continue;
		LIST_AT(&x->msrs, struct x86_msr, i)->value = value;
		return 0;
	}
	m = value ? list_add(&x->msrs, sizeof(*m)) : NULL;
	if (m)
		*m = (struct x86_msr){ index, value };
	return value && !m ? -ENOMEM : 0;
}

static bool listed(const struct gcpu_model *m, uint32_t index)
{
	for (size_t i = 0; i < m->host->msr_indexes.n; i++)
		if (*LIST_AT(&m->host->msr_indexes, uint32_t, i) == index)
			return true;
	return snapshot_msr(m->host, index) != NULL;
}

int x86_msr_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret)
{
	int status = x86_pv_msr_get(x, index, host, ret);

	if (status == X86_MSR_NOT_MINE)
		status = x86_x2apic_get(x, index, host, ret);
	if (status != X86_MSR_NOT_MINE)
		return status;
	if (index == X86_MSR(APIC_BASE))
		*ret = x->sregs.apic_base;
	else if (index == X86_MSR(EFER))
		*ret = x->sregs.efer;
	else if (index == X86_MSR(XSS))
		*ret = x->xss;
	else if (listed(x86_model(x), index))
		*ret = x86_msr_kept(x, index);
	else
		return -ENOENT;
	return 0;
}

static int set_feature(struct x86_vcpu *x, const struct snap_msr *f, uint64_t value)
{
	if (x->v->ran && sw_behaves(x86_model(x), BEHAVIOUR_FEATURE_MSRS_FROZEN) &&
	    value != x86_msr_kept(x, f->index))
		return -EINVAL;
	return f->trial == MSR_REFUSED ? -EINVAL : x86_msr_keep(x, f->index, value);
}

int x86_msr_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value)
{
	const struct snap_msr *f = snapshot_msr(x86_model(x)->host, index);
	int status = x86_pv_msr_set(x, index, host, value);

	if (status == X86_MSR_NOT_MINE)
		status = x86_x2apic_set(x, index, host, value);
	if (status != X86_MSR_NOT_MINE)
		return status;
	if (index == X86_MSR(APIC_BASE))
		return x86_set_apic_base(x, value, host);
	if (f)
		return host ? set_feature(x, f, value) : -EINVAL;
	if (!listed(x86_model(x), index))
		return -ENOENT;
	if (index == X86_MSR(EFER))
		x->sregs.efer = value;
	else if (index == X86_MSR(XSS))
		x->xss = value;
	else
		return x86_msr_keep(x, index, value);
	x86_runtime(x);
	return 0;
}

/* How many were done; the first that fails ends it. */
static int each(struct x86_vcpu *x, uintptr_t arg, bool set)
{
	struct gk_msrs *to = (void *)arg;

	if (sw_bad_pointer(arg, sizeof(*to)))
		return -EFAULT;
	if (to->nmsrs >= MSRS_MOST)
		return -E2BIG;
	if (sw_bad_pointer((uintptr_t)to->entries, to->nmsrs * sizeof(to->entries[0])))
		return -EFAULT;
	for (uint32_t i = 0; i < to->nmsrs; i++) {
		uint64_t value = to->entries[i].data;
		int status = set ? x86_msr_set(x, to->entries[i].index, true, value) :
				   x86_msr_get(x, to->entries[i].index, true, &value);

		if (status == -ENOMEM)
			return status;
		if (status)
			return (int)i;
		if (!set)
			to->entries[i].data = value;
	}
	return (int)to->nmsrs;
}

int x86_get_msrs(void *object, uintptr_t arg)
{
	return each(x86_vcpu(object), arg, false);
}

int x86_set_msrs(void *object, uintptr_t arg)
{
	return each(x86_vcpu(object), arg, true);
}

int x86_msrs_new(struct x86_vcpu *x)
{
	const struct gcpu_snapshot *s = x86_model(x)->host;
	int status = 0;

	for (size_t i = 0; i < s->msr_features.n && status == 0; i++) {
		const struct snap_msr *f = LIST_AT(&s->msr_features, struct snap_msr, i);

		status = x86_msr_keep(x, f->index, f->value);
	}
	return status;
}

void x86_msrs_after(struct x86_vcpu *x)
{
	(void)x;
}
