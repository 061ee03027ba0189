/* SPDX-License-Identifier: MIT */
/*
 * MSRs: which KVM knows, who may do what with them, and calls that name many.
 * Rows of data/x86/msrs.txt say most of it; what a value must be beyond that is
 * in msr_rules.c and msr_more.c.
 */
#include "msr.h"

#include <string.h>

#define HYPERV_SIGNATURE 0x31237648U /* "Hv#1" */

static const struct msr_fact *fact_at(const struct gcpu_model *m, uint32_t index)
{
	const struct facts *f = &gcpu_facts_x86;
	unsigned lo = 0, hi = f->n_msrs;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (f->msrs[mid].last < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* several of one index: of other kernels, of other makers */
	for (; lo < f->n_msrs && f->msrs[lo].index <= index; lo++) {
		const struct msr_fact *r = &f->msrs[lo];

		if (index <= r->last && m->release >= r->since && m->release < r->until && x86_is_hosts(m, r->who))
			return r;
	}
	return NULL;
}

static struct x86_msr *stored(const struct x86_vcpu *x, uint32_t index)
{
	for (size_t i = 0; i < x->msrs.n; i++)
		if (LIST_AT(&x->msrs, struct x86_msr, i)->index == index)
			return LIST_AT(&x->msrs, struct x86_msr, i);
	return NULL;
}

uint64_t x86_msr_kept(const struct x86_vcpu *x, uint32_t index)
{
	const struct x86_msr *m = stored(x, index);
	const struct msr_fact *f = m ? NULL : fact_at(x86_model(x), index);

	return m ? m->value : f ? f->reset : 0;
}

int x86_msr_keep(struct x86_vcpu *x, uint32_t index, uint64_t value)
{
	struct x86_msr *m = stored(x, index);

	if (!m && value == x86_msr_kept(x, index))
		return 0;
	if (!m)
		m = list_add(&x->msrs, sizeof(*m));
	if (!m)
		return -ENOMEM;
	*m = (struct x86_msr){ index, value };
	return 0;
}

bool x86_msr_listed(const struct gcpu_model *m, uint32_t index)
{
	for (size_t i = 0; i < m->host->msr_indexes.n; i++)
		if (*LIST_AT(&m->host->msr_indexes, uint32_t, i) == index)
			return true;
	return false;
}

/* Of the CPU's own: those come first in KVM's list, then those that it makes itself, from this one on. */
static bool is_saved(const struct gcpu_model *m, uint32_t index)
{
	for (size_t i = 0; i < m->host->msr_indexes.n; i++) {
		uint32_t at = *LIST_AT(&m->host->msr_indexes, uint32_t, i);

		if (at == X86_MSR(KVM_SYSTEM_TIME))
			return false;
		if (at == index)
			return true;
	}
	return false;
}

static bool zero_is_free(const struct gcpu_model *m, uint32_t index)
{
	return sw_behaves(m, BEHAVIOUR_EMULATED_LISTED_TOO) ? x86_msr_listed(m, index) : is_saved(m, index);
}

bool x86_parameter(const struct gcpu_model *m, const char *module, const char *name)
{
	for (size_t i = 0; i < m->host->params.n; i++) {
		const struct snap_param *p = LIST_AT(&m->host->params, struct snap_param, i);

		if (strcmp(p->module, module) == 0 && strcmp(p->name, name) == 0)
			return p->value[0] == 'Y' || p->value[0] == '1';
	}
	return false;
}

bool x86_msr_has_any(const struct x86_vcpu *x, const struct msr_fact *f)
{
	for (unsigned i = 0; i < f->n_needs; i++) {
		uint16_t field = f->needs[i];

		if (f->lacks == MSR_LACKS_PV ? !x->enforce_pv || (x->pv_word >> gcpu_facts_x86.fields[field].lsb & 1) :
					       x86_guest_has(x, field))
			return true;
	}
	return !f->n_needs;
}

/* 1: it may be done. Else the result: 0, a write is passed over. */
static int may(const struct x86_vcpu *x, const struct msr_fact *f, const struct x86_msr_op *op)
{
	static const int lacks[] = {
		[MSR_LACKS_RULE] = 1,		  [MSR_LACKS_REFUSED] = -EINVAL, [MSR_LACKS_UNKNOWN] = -ENOENT,
		[MSR_LACKS_PV] = -ENOENT,
	};
	char letter = f->access[2 * op->host + op->write];

	if (letter == '.')
		return -ENOENT;
	if (letter == '-')
		return -EINVAL;
	if (letter == 'i')
		return 0;
	if (x86_msr_has_any(x, f))
		return 1;
	if (f->lacks == MSR_LACKS_IGNORED)
		return !op->write;
	if (f->lacks == MSR_LACKS_GUEST)
		return op->host ? 1 : -EINVAL;
	return lacks[f->lacks];
}

bool x86_says_hyperv(const struct x86_vcpu *x)
{
	uint64_t addr = gcpu_facts_x86.words[gcpu_facts_x86.fields[X86_F_KVMCLOCK1].word].addr;
	const struct snap_cpuid *e = x86_own_entry(x, ADDR_LEAF(addr), 0);

	return e && e->regs[0] == HYPERV_SIGNATURE;
}

/* Hyper-V's are there for the VMM, and for guests whose table says Hyper-V. */
static bool hidden(const struct x86_vcpu *x, const struct msr_fact *f, bool host)
{
	return f->who == MSR_HYPERV && !host && !x86_says_hyperv(x);
}

/* An access that the row allows. */
static int plain(struct x86_vcpu *x, const struct msr_fact *f, struct x86_msr_op *op)
{
	const struct x86_msr_rule *r = &x86_msr_rules[f->rule];
	int status = 0;

	if (!op->write) {
		op->value = x86_msr_kept(x, op->index) & f->kept;
		return r->get ? r->get(x, op) : 0;
	}
	op->value &= ~f->dropped;
	if (op->value & ~f->valid)
		return -EINVAL;
	if (r->set)
		status = r->set(x, op);
	if (status)
		return status == X86_MSR_TAKEN ? 0 : status;
	return x86_msr_keep(x, op->index, op->value & f->kept);
}

static int access(struct x86_vcpu *x, struct x86_msr_op *op)
{
	const struct msr_fact *f = fact_at(x86_model(x), op->index);
	const struct x86_msr_rule *r;
	int status;

	if (!f)
		return -ENOENT;
	r = &x86_msr_rules[f->rule];
	if (r->whole)
		return r->whole(x, f, op);
	if (hidden(x, f, op->host))
		return -EINVAL;
	status = may(x, f, op);
	if (status <= 0)
		return status;
	return plain(x, f, op);
}

static int hooked(struct x86_vcpu *x, struct x86_msr_op *op)
{
	int status = op->write ? x86_pv_msr_set(x, op->index, op->host, op->value) :
				 x86_pv_msr_get(x, op->index, op->host, &op->value);

	return status == X86_MSR_NOT_MINE ? access(x, op) : status;
}

static int done(struct x86_vcpu *x, struct x86_msr_op *op)
{
	uint64_t value = op->value;
	int status = hooked(x, op);

	if (status != -ENOENT)
		return status;
	/* What KVM lists, its VMM may read, and set to 0, whatever the vCPU has. */
	if (op->host && (!op->write || !value) && zero_is_free(x86_model(x), op->index)) {
		op->value = 0;
		return 0;
	}
	if (!x86_parameter(x86_model(x), "kvm", "ignore_msrs"))
		return status;
	op->value = 0;
	return 0;
}

int x86_msr_get(struct x86_vcpu *x, uint32_t index, bool host, uint64_t *ret)
{
	struct x86_msr_op op = { index, host, false, 0 };
	int status = done(x, &op);

	*ret = status ? 0 : op.value;
	return status;
}

int x86_msr_set(struct x86_vcpu *x, uint32_t index, bool host, uint64_t value)
{
	struct x86_msr_op op = { index, host, true, value };
	uint64_t now;

	if (host && x->v->ran && x86_msr_is_frozen(x86_model(x), index) &&
	    (x86_msr_get(x, index, true, &now) || now != value))
		return -EINVAL;
	return done(x, &op);
}

#define MSRS_MOST 256 /* MAX_IO_MSRS: as many are too many */

int x86_msrs_given(uintptr_t arg, bool write, uint32_t *n)
{
	uintptr_t at = arg + sizeof(struct gk_msrs);
	struct gk_msrs head;
	size_t size;

	if (sw_copy_in(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MSRS_MOST)
		return -E2BIG;
	*n = head.nmsrs;
	size = *n * sizeof(struct gk_msr_entry);
	return (write ? sw_bad_target(at, size) : sw_bad_pointer(at, size)) ? -EFAULT : 0;
}

/* How many were done; the first that fails ends it. */
static int each(struct x86_vcpu *x, uintptr_t arg, bool set)
{
	uintptr_t at = arg + sizeof(struct gk_msrs);
	struct gk_msr_entry e;
	uint32_t n;
	int refused = x86_msrs_given(arg, !set, &n);

	if (refused)
		return refused;
	for (uint32_t i = 0; i < n; i++, at += sizeof(e)) {
		int status;

		memcpy(&e, (const void *)at, sizeof(e));
		status = set ? x86_msr_set(x, e.index, true, e.data) : x86_msr_get(x, e.index, true, &e.data);
		if (status == -ENOMEM)
			return status;
		if (!set)
			memcpy((void *)at, &e, sizeof(e)); /* 0 of the one that failed */
		if (status)
			return (int)i;
	}
	return (int)n;
}

/* KVM's own register: a guest with shadow stacks has it. */
static const uint64_t own_register = GK_REG_X86 | GK_REG_SIZE_U64 | GK_X86_REG_TYPE_KVM | GK_X86_REG_GUEST_SSP;

/* Registers by id: MSRs, and KVM's own, an MSR by a number that is not for guests. */
static int one_reg(struct x86_vcpu *x, uintptr_t arg, bool set)
{
	struct gk_one_reg r;
	uint64_t value = 0;

	if (sw_cap(x86_model(x), NULL, CAP_ONE_REG) <= 0)
		return -EINVAL;
	if (sw_copy_in(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.id == own_register && x86_guest_has(x, X86_F_CET_SS))
		r.id = GK_REG_X86 | GK_REG_SIZE_U64 | GK_X86_REG_TYPE_MSR | X86_MSR(KVM_GUEST_SSP);
	if ((r.id & ~(uint64_t)UINT32_MAX) != (GK_REG_X86 | GK_REG_SIZE_U64 | GK_X86_REG_TYPE_MSR))
		return -EINVAL;
	if (set && sw_copy_in(&value, (uintptr_t)r.addr, sizeof(value)))
		return -EFAULT;
	if (set)
		return x86_msr_set(x, (uint32_t)r.id, true, value) ? -EINVAL : 0;
	if (x86_msr_get(x, (uint32_t)r.id, true, &value))
		return -EINVAL;
	return sw_copy_out((uintptr_t)r.addr, &value, sizeof(value));
}

int x86_get_one_reg(void *object, uintptr_t arg)
{
	return one_reg(x86_vcpu(object), arg, false);
}

int x86_set_one_reg(void *object, uintptr_t arg)
{
	return one_reg(x86_vcpu(object), arg, true);
}

int x86_reg_list(void *object, uintptr_t arg)
{
	struct x86_vcpu *x = x86_vcpu(object);
	uint64_t n = x86_guest_has(x, X86_F_CET_SS), room;

	if (sw_cap(x86_model(x), NULL, CAP_ONE_REG) <= 0)
		return -EINVAL;
	if (sw_copy_in(&room, arg, sizeof(room)) || sw_copy_out(arg, &n, sizeof(n)))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	return n ? sw_copy_out(arg + sizeof(n), &own_register, sizeof(own_register)) : 0;
}

int x86_get_msrs(void *object, uintptr_t arg)
{
	return each(x86_vcpu(object), arg, false);
}

int x86_set_msrs(void *object, uintptr_t arg)
{
	return each(x86_vcpu(object), arg, true);
}
