/* SPDX-License-Identifier: MIT */
/* Measures an x86 host, with trials on throw-away vCPUs. */
#include "abi.h"
#include "abi_x86.h"
#include "core/plan.h"
#include "arch/x86/x86.h"
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBLEAVES 64

static int fail(struct probe *p, int status, const char *what)
{
	return error_os(p->err, -status, "%s", what);
}

static const struct range_fact *indexed(uint32_t leaf)
{
	const struct facts *f = &gcpu_facts_x86;

	for (unsigned i = 0; i < f->n_ranges; i++)
		if (f->ranges[i].leaf == leaf)
			return &f->ranges[i];
	return NULL;
}

static bool has_subleaves(uint32_t leaf)
{
	const struct facts *f = &gcpu_facts_x86;
	uint64_t next = ADDR_CPUID((uint64_t)leaf + 1, 0, 0), last;
	unsigned lo = 0, hi = f->n_words;

	/* words are in the order of their addresses: the last one of the leaf */
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (f->words[mid].addr < next)
			lo = mid + 1;
		else
			hi = mid;
	}
	last = lo ? f->words[lo - 1].addr : 0;
	return (ADDR_SPACE(last) == SPACE_CPUID && ADDR_LEAF(last) == leaf && ADDR_SUBLEAF(last)) ||
	       indexed(leaf) != NULL;
}

static bool is_structure(uint32_t leaf, const char *kind)
{
	const struct range_fact *r = indexed(leaf);

	return r && r->structure && strcmp(r->structure, kind) == 0;
}

/* A list of levels ends with type 0; others with a sub-leaf of zeros, but for
 * the save area, which has gaps. */
static bool is_last(const struct snap_cpuid *e)
{
	bool empty = !(e->regs[0] | e->regs[1] | e->regs[2] | e->regs[3]);

	if (is_structure(e->leaf, "topology"))
		return (e->regs[2] >> 8 & 0xff) == 0;
	if (is_structure(e->leaf, "xsave"))
		return false;
	return empty && e->subleaf > 0;
}

/* The first two sub-leaves of the save area say which of the others mean something: bits of
 * XCR0 in sub-leaf 0, of XSS in sub-leaf 1. */
static uint64_t components(const struct snap_cpuid *e)
{
	return e->subleaf ? e->regs[2] | (uint64_t)e->regs[3] << 32 :
			    3 | e->regs[0] | (uint64_t)e->regs[3] << 32;
}

static int native_leaf(struct probe *p, struct list *out, uint32_t leaf)
{
	bool many = has_subleaves(leaf), area = is_structure(leaf, "xsave");
	uint64_t there = area ? 3 : ~0ULL;

	for (uint32_t sub = 0; sub < (many ? SUBLEAVES : 1U); sub++) {
		struct snap_cpuid e = { leaf, sub, many, { 0 } };
		struct snap_cpuid *slot;
		int status;

		if (!(there >> sub & 1))
			continue;
		status = p->kvm->ops->host_cpuid(p->kvm->ctx, leaf, sub, e.regs);
		if (status < 0)
			return status;
		if (area && sub < 2)
			there |= components(&e);
		if (sub > 1 && !(e.regs[0] | e.regs[1] | e.regs[2] | e.regs[3]) && !is_last(&e))
			continue;
		slot = list_add(out, sizeof(*slot));
		if (!slot)
			return -ENOMEM;
		*slot = e;
		if (is_last(&e))
			break;
	}
	return 0;
}

static int native(struct probe *p, struct list *out)
{
	static const uint32_t classes[] = { 0, 0x80000000U };

	for (unsigned i = 0; i < 2; i++) {
		uint32_t regs[4], top;
		int status = p->kvm->ops->host_cpuid(p->kvm->ctx, classes[i], 0, regs);

		if (status < 0)
			return status;
		top = regs[0];
		if (top < classes[i] || top > classes[i] + 0xff)
			continue;
		for (uint32_t leaf = classes[i]; leaf <= top && status == 0; leaf++)
			status = native_leaf(p, out, leaf);
		if (status)
			return status;
	}
	return 0;
}

static struct snap_cpuid *find(struct list *l, uint32_t leaf, uint32_t sub)
{
	for (size_t i = 0; i < l->n; i++) {
		struct snap_cpuid *e = LIST_AT(l, struct snap_cpuid, i);

		if (e->leaf == leaf && e->subleaf == sub)
			return e;
	}
	return NULL;
}

/* Bits of SEEN that differ from the first CPU's go into the mask. */
static int note_variance(struct list *first, struct list *seen, struct list *mask)
{
	for (size_t i = 0; i < seen->n; i++) {
		const struct snap_cpuid *e = LIST_AT(seen, struct snap_cpuid, i);
		const struct snap_cpuid *f = find(first, e->leaf, e->subleaf);
		struct snap_cpuid *m = find(mask, e->leaf, e->subleaf);
		uint32_t diff[4], any = 0;

		for (int r = 0; r < 4; r++) {
			diff[r] = e->regs[r] ^ (f ? f->regs[r] : 0);
			any |= diff[r];
		}
		if (!any)
			continue;
		if (!m) {
			m = list_add(mask, sizeof(*m));
			if (!m)
				return -ENOMEM;
			m->leaf = e->leaf;
			m->subleaf = e->subleaf;
			m->flags = e->flags;
		}
		for (int r = 0; r < 4; r++)
			m->regs[r] |= diff[r];
	}
	return 0;
}

/* Ask one more CPU. */
static int visit_cpu(struct probe *p, int cpu)
{
	struct gcpu_snapshot *s = p->snap;
	struct list native_here = { 0 }, kvm_here = { 0 };
	const char *what = "CPUID of this host";
	int status = p->kvm->ops->pin(p->kvm->ctx, cpu);

	if (status < 0)
		return 0; /* not ours to run on, or gone by now */
	status = native(p, &native_here);
	if (status == 0) {
		what = "KVM_GET_SUPPORTED_CPUID";
		status = call_get_cpuid(p->kvm, p->kvm_fd, GK_GET_SUPPORTED_CPUID, &kvm_here);
	}
	if (status == 0)
		status = note_variance(&s->cpuid[SNAP_NATIVE], &native_here, &s->cpuid[SNAP_VARIES]);
	if (status == 0)
		status = note_variance(&s->cpuid[SNAP_SUPPORTED], &kvm_here,
				       &s->cpuid[SNAP_VARIES]);
	list_free(&native_here);
	list_free(&kvm_here);
	return status ? fail(p, status, what) : 0;
}

static int visit_cpus(struct probe *p)
{
	int status = probe_cpus(p, visit_cpu);

	p->kvm->ops->pin(p->kvm->ctx, -1);
	return status;
}

static int by_leaf(const void *a, const void *b)
{
	const struct snap_cpuid *x = a, *y = b;

	if (x->leaf != y->leaf)
		return x->leaf < y->leaf ? -1 : 1;
	return x->subleaf < y->subleaf ? -1 : x->subleaf > y->subleaf;
}

/* What differs from CPU to CPU says nothing about the host: cleared in both tables. In the order of
 * leaves, whichever CPU was asked first. */
static void clear_varying(struct gcpu_snapshot *s)
{
	static const enum snap_tables tables[] = { SNAP_NATIVE, SNAP_SUPPORTED };
	struct list *mask = &s->cpuid[SNAP_VARIES];

	if (mask->n)
		qsort(mask->items, mask->n, sizeof(struct snap_cpuid), by_leaf);
	for (size_t i = 0; i < mask->n; i++) {
		const struct snap_cpuid *m = LIST_AT(mask, struct snap_cpuid, i);

		for (int t = 0; t < 2; t++) {
			struct snap_cpuid *e = find(&s->cpuid[tables[t]], m->leaf, m->subleaf);

			for (int r = 0; e && r < 4; r++)
				e->regs[r] &= ~m->regs[r];
		}
	}
}

static int tables(struct probe *p)
{
	struct gcpu_snapshot *s = p->snap;
	char vendor[13] = "";
	int status = call_get_cpuid(p->kvm, p->kvm_fd, GK_GET_SUPPORTED_CPUID,
				    &s->cpuid[SNAP_SUPPORTED]);
	const struct snap_cpuid *zero;

	if (status)
		return fail(p, status, "KVM_GET_SUPPORTED_CPUID");
	if (gcpu_snapshot_capability(s, CAP_EXT_EMUL_CPUID) > 0) {
		status = call_get_cpuid(p->kvm, p->kvm_fd, GK_GET_EMULATED_CPUID,
					&s->cpuid[SNAP_EMULATED]);
		if (status)
			return fail(p, status, "KVM_GET_EMULATED_CPUID");
	}
	if (gcpu_snapshot_capability(s, CAP_SYS_HYPERV_CPUID) > 0) {
		status = call_get_cpuid(p->kvm, p->kvm_fd, GK_GET_SUPPORTED_HV_CPUID,
					&s->cpuid[SNAP_HYPERV]);
		if (status)
			return fail(p, status, "KVM_GET_SUPPORTED_HV_CPUID");
	}
	status = native(p, &s->cpuid[SNAP_NATIVE]);
	if (status)
		return fail(p, status, "CPUID of this host");
	if (p->all_cpus)
		status = visit_cpus(p);
	if (status)
		return status;
	clear_varying(s);
	zero = snapshot_cpuid(s, SNAP_SUPPORTED, 0, 0);
	if (!zero)
		return error_set(p->err, GCPU_ERR_NO_KVM, "KVM_GET_SUPPORTED_CPUID has no leaf 0");
	memcpy(vendor, &zero->regs[1], 4);
	memcpy(vendor + 4, &zero->regs[3], 4);
	memcpy(vendor + 8, &zero->regs[2], 4);
	s->vendor = text_copy(vendor, strlen(vendor));
	return s->vendor ? 0 : error_memory(p->err);
}

/* An MSR list with as much room as it says it needs. */
static int msr_list(struct probe *p, unsigned long request, struct gk_msr_list **ret)
{
	uint32_t room = 256;

	for (int tries = 0; tries < 3; tries++) {
		struct gk_msr_list *l = calloc(1, sizeof(*l) + room * sizeof(l->indices[0]));
		int status;

		if (!l)
			return -ENOMEM;
		l->nmsrs = room;
		status = call(p->kvm, p->kvm_fd, request, l);
		if (status >= 0 && l->nmsrs <= room) {
			*ret = l;
			return 0;
		}
		room = l->nmsrs;
		free(l);
		if (status != -E2BIG || room > 65536)
			return status < 0 ? status : -E2BIG;
	}
	return -E2BIG;
}

static int msrs(struct probe *p)
{
	struct gk_msr_list *l;
	int status = msr_list(p, GK_GET_MSR_INDEX_LIST, &l);

	if (status)
		return fail(p, status, "KVM_GET_MSR_INDEX_LIST");
	for (uint32_t i = 0; i < l->nmsrs && status == 0; i++) {
		uint32_t *out = list_add(&p->snap->msr_indexes, sizeof(*out));

		if (out)
			*out = l->indices[i];
		else
			status = -ENOMEM;
	}
	free(l);
	if (status || gcpu_snapshot_capability(p->snap, CAP_GET_MSR_FEATURES) <= 0)
		return status ? error_memory(p->err) : 0;
	status = msr_list(p, GK_GET_MSR_FEATURE_INDEX_LIST, &l);
	if (status)
		return fail(p, status, "KVM_GET_MSR_FEATURE_INDEX_LIST");
	for (uint32_t i = 0; i < l->nmsrs && status == 0; i++) {
		uint64_t value;
		struct snap_msr *out;

		status = call_get_msr(p->kvm, p->kvm_fd, l->indices[i], &value);
		if (status == 1) {
			status = 0; /* listed and not readable: nothing to record */
			continue;
		}
		out = status ? NULL : list_add(&p->snap->msr_features, sizeof(*out));
		if (!out) {
			status = status ? status : -ENOMEM;
			break;
		}
		*out = (struct snap_msr){ l->indices[i], value, MSR_UNTRIED };
	}
	free(l);
	return status ? fail(p, status, "KVM_GET_MSRS of feature MSRs") : 0;
}

/* State components that KVM could give to guests; false: it does not say. */
static bool xcomp_supported(struct probe *p, uint64_t *ret)
{
	struct gk_device_attr a;

	memset(&a, 0, sizeof(a));
	a.attr = GK_X86_XCOMP_GUEST_SUPP;
	a.addr = (uintptr_t)ret;
	return gcpu_snapshot_capability(p->snap, CAP_SYS_ATTRIBUTES) > 0 &&
	       call(p->kvm, p->kvm_fd, GK_GET_DEVICE_ATTR, &a) >= 0;
}

/* Before any vCPU of this process. A refusal shows in what is permitted. */
static void ask_xcomp(struct probe *p)
{
	uint64_t supported = 0, unused;

	if (xcomp_supported(p, &supported) && (supported >> X86_XTILEDATA & 1))
		p->kvm->ops->guest_perm(p->kvm->ctx, GK_ARCH_REQ_XCOMP_GUEST_PERM, X86_XTILEDATA, &unused);
}

static void lone_values(struct probe *p, int vcpu)
{
	struct gcpu_snapshot *s = p->snap;
	int khz = call_number(p->kvm, vcpu, GK_GET_TSC_KHZ, 0);

	if (khz > 0) {
		s->tsc_khz = (uint64_t)khz;
		s->has_tsc_khz = true;
	}
	s->has_xcomp = xcomp_supported(p, &s->xcomp_supported) &&
		       p->kvm->ops->guest_perm(p->kvm->ctx, GK_ARCH_GET_XCOMP_GUEST_PERM, 0,
					       &s->xcomp_permitted) >= 0;
	s->has_mce = call(p->kvm, p->kvm_fd, GK_X86_GET_MCE_CAP_SUPPORTED, &s->mce_supported) >= 0;
	if (!s->has_mce)
		s->mce_supported = 0;
}

/* The supported table with every feature word, and every leaf that no table
 * describes, filled with FILL. */
static int filled(const struct gcpu_snapshot *s, uint32_t fill, struct list *ret)
{
	const struct facts *f = &gcpu_facts_x86;
	const struct list *from = &s->cpuid[SNAP_SUPPORTED];

	for (size_t i = 0; i < from->n; i++) {
		struct snap_cpuid *e = list_add(ret, sizeof(*e));
		bool known = indexed(LIST_AT(from, struct snap_cpuid, i)->leaf) != NULL;

		if (!e)
			return -ENOMEM;
		*e = *LIST_AT(from, struct snap_cpuid, i);
		for (unsigned w = 0; w < f->n_words; w++) {
			uint64_t addr = f->words[w].addr;

			if (ADDR_SPACE(addr) != SPACE_CPUID || ADDR_LEAF(addr) != e->leaf)
				continue;
			known = true;
			if (ADDR_SUBLEAF(addr) == e->subleaf && f->words[w].klass == CLASS_FIELDS)
				e->regs[ADDR_REG(addr)] = fill;
		}
		for (int r = 0; !known && r < 4; r++)
			e->regs[r] = fill;
	}
	return 0;
}

/* Set a table on a vCPU of its own and read back what is in force. */
static int try_table(struct probe *p, const struct snap_cpuid *e, size_t n, enum snap_tables into)
{
	const char *what = "KVM_SET_CPUID2 of a trial";
	int vm = -1, vcpu = probe_vcpu(p, &vm), status;

	if (vcpu < 0)
		return fail(p, vcpu, "KVM_CREATE_VM or KVM_CREATE_VCPU of a trial");
	status = call_set_cpuid(p->kvm, vcpu, e, n);
	if (status == 0) {
		what = "KVM_GET_CPUID2 of a trial";
		status = call_get_cpuid(p->kvm, vcpu, GK_GET_CPUID2, &p->snap->cpuid[into]);
	}
	probe_close(p, vcpu);
	probe_close(p, vm);
	return status ? fail(p, status, what) : 0;
}

static int try_filled(struct probe *p, uint32_t fill, enum snap_tables into)
{
	struct list table = { 0 };
	int status = filled(p->snap, fill, &table) ? error_memory(p->err) : 0;

	if (status == 0)
		status = try_table(p, table.items, table.n, into);
	list_free(&table);
	return status;
}

static bool has_features(const struct snap_cpuid *e)
{
	const struct facts *f = &gcpu_facts_x86;

	for (unsigned w = 0; w < f->n_words; w++)
		if (f->words[w].klass == CLASS_FIELDS && ADDR_SPACE(f->words[w].addr) == SPACE_CPUID &&
		    ADDR_LEAF(f->words[w].addr) == e->leaf &&
		    ADDR_SUBLEAF(f->words[w].addr) == e->subleaf)
			return true;
	return false;
}

/* What does KVM add by itself to a table that has only maxima and feature words? */
static int try_bare(struct probe *p)
{
	struct list table = { 0 }, bare = { 0 };
	int status = filled(p->snap, 0, &table) ? error_memory(p->err) : 0;

	for (size_t i = 0; i < table.n && status == 0; i++) {
		const struct snap_cpuid *e = LIST_AT(&table, struct snap_cpuid, i);
		struct snap_cpuid *out;

		if ((e->leaf & 0x0fffffffU) != 0 && !has_features(e))
			continue;
		out = list_add(&bare, sizeof(*out));
		if (out)
			*out = *e;
		else
			status = error_memory(p->err);
	}
	if (status == 0)
		status = try_table(p, bare.items, bare.n, SNAP_TRIAL_BARE);
	list_free(&table);
	list_free(&bare);
	return status;
}

/* Does a vCPU take the feature MSRs that KVM reports? */
static int try_msrs(struct probe *p, int vcpu)
{
	struct gcpu_snapshot *s = p->snap;
	int status = call_set_cpuid(p->kvm, vcpu, s->cpuid[SNAP_SUPPORTED].items,
				    s->cpuid[SNAP_SUPPORTED].n);

	if (status)
		return fail(p, status, "KVM_SET_CPUID2 of a trial");
	for (size_t i = 0; i < s->msr_features.n; i++) {
		struct snap_msr *m = LIST_AT(&s->msr_features, struct snap_msr, i);

		status = call_set_msr(p->kvm, vcpu, m->index, m->value);
		/* a lack of memory is no measurement */
		if (status == -ENOMEM)
			return fail(p, status, "KVM_SET_MSRS of a trial");
		m->trial = status == 0 ? MSR_ACCEPTED : MSR_REFUSED;
	}
	status = call_enable_cap(p->kvm, vcpu, CAP_ENFORCE_PV_FEATURE_CPUID, 1);
	if (status == -ENOMEM)
		return fail(p, status, "KVM_ENABLE_CAP of a trial");
	s->enforce_pv_error = status < 0 ? -status : 0;
	return 0;
}

int probe_x86(struct probe *p)
{
	int vm = -1, vcpu, status;

	if (p->ask_xcomp)
		ask_xcomp(p);
	status = tables(p);
	if (status == 0)
		status = msrs(p);
	if (status)
		return status;
	vcpu = probe_vcpu(p, &vm);
	if (vcpu < 0)
		return fail(p, vcpu, "KVM_CREATE_VM or KVM_CREATE_VCPU");
	lone_values(p, vcpu);
	if (p->trial)
		status = try_msrs(p, vcpu);
	probe_close(p, vcpu);
	probe_close(p, vm);
	if (!p->trial)
		return 0;
	if (status == 0)
		status = try_filled(p, 0, SNAP_TRIAL_ZEROS);
	if (status == 0)
		status = try_filled(p, ~0U, SNAP_TRIAL_ONES);
	if (status == 0)
		status = try_bare(p);
	p->snap->has_trial = status == 0;
	return status;
}
