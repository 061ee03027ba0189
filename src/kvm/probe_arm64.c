/* SPDX-License-Identifier: MIT */
/* Measures an arm64 host: registers, masks, and every value tried before a run. */
#include "abi.h"
#include "abi_arm64.h"
#include "core/plan.h"
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REG_KIND(id) ((id) & GK_REG_ARM_KIND_MASK)

static int fail(struct probe *p, int status, const char *what)
{
	return error_os(p->err, -status, "%s", what);
}

/* The feature bit and the bits without which the tables say it is refused. */
static uint32_t with_partners(unsigned bit)
{
	const struct facts *f = &gcpu_facts_arm64;
	uint32_t out = 1U << bit;

	for (unsigned i = 0; i < f->n_requires; i++) {
		const struct field_fact *child = &f->fields[f->requires[i].child];
		const struct field_fact *parent = &f->fields[f->requires[i].parent[0]];

		if (f->words[child->word].addr == ADDR_INIT &&
		    f->words[parent->word].addr == ADDR_INIT && child->lsb == bit)
			out |= 1U << parent->lsb;
	}
	return out;
}

/* On a VM of its own: the first INIT fixes the features of a VM. */
static int try_init(struct probe *p, uint32_t features)
{
	int vm = -1, vcpu, status;
	struct snap_init *out;

	for (size_t i = 0; i < p->snap->inits.n; i++)
		if (LIST_AT(&p->snap->inits, struct snap_init, i)->features == features)
			return 0;
	vcpu = probe_vcpu(p, &vm);
	if (vcpu < 0)
		return vcpu;
	status = call_vcpu_init(p->kvm, vcpu, p->snap->target, features);
	probe_close(p, vcpu);
	probe_close(p, vm);
	/* a lack of memory is no measurement, here and below */
	if (status == -ENOMEM)
		return status;
	out = list_add(&p->snap->inits, sizeof(*out));
	if (!out)
		return -ENOMEM;
	out->features = features;
	out->error = status < 0 ? -status : 0;
	return 0;
}

static int try_inits(struct probe *p)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		uint32_t all = with_partners(bit);
		int status = try_init(p, 1U << bit);

		if (status == 0 && all != 1U << bit)
			status = try_init(p, all);
		if (status)
			return status;
	}
	return 0;
}

/* Everything that was accepted and that `host` opts into. */
static uint32_t full_features(const struct gcpu_snapshot *s)
{
	const struct facts *f = &gcpu_facts_arm64;
	uint32_t accepted = 0, wanted = 0;

	for (size_t i = 0; i < s->inits.n; i++) {
		const struct snap_init *t = LIST_AT(&s->inits, struct snap_init, i);

		if (!t->error)
			accepted |= t->features;
	}
	for (unsigned i = 0; i < f->n_fields; i++)
		if (f->words[f->fields[i].word].addr == ADDR_INIT &&
		    f->fields[i].deflt == DEFAULT_AUTO)
			wanted |= 1U << f->fields[i].lsb;
	return accepted & wanted;
}

static unsigned reg_words(uint64_t id)
{
	unsigned log2 = (unsigned)(id >> GK_REG_SIZE_SHIFT & 15);

	return log2 <= 3 ? 1 : log2 <= 6 ? 1U << (log2 - 3) : 0;
}

static int add_reg(struct probe *p, int vcpu, uint64_t id)
{
	struct snap_reg *r = list_add(&p->snap->regs, sizeof(*r));
	int status;

	if (!r)
		return -ENOMEM;
	r->id = id;
	if (!reg_words(id))
		return 0;
	status = call_get_reg(p->kvm, vcpu, id, r->value);
	if (status == -ENOMEM)
		return status;
	if (status < 0)
		r->error = -status;
	else
		r->n_words = reg_words(id);
	return 0;
}

static int reg_list(struct probe *p, int vcpu, struct gk_reg_list **ret)
{
	uint64_t room = 512;

	for (int tries = 0; tries < 4; tries++) {
		struct gk_reg_list *l = calloc(1, sizeof(*l) + (size_t)room * sizeof(l->reg[0]));
		int status;

		if (!l)
			return -ENOMEM;
		l->n = room;
		status = call(p->kvm, vcpu, GK_GET_REG_LIST, l);
		if (status >= 0 && l->n <= room) {
			*ret = l;
			return 0;
		}
		room = l->n;
		free(l);
		if (status != -E2BIG || room > 65536)
			return status < 0 ? status : -E2BIG;
	}
	return -E2BIG;
}

static int by_id(const void *a, const void *b)
{
	const struct snap_reg *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* The row of data/ about a register, or NULL. */
static const struct word_fact *word_of(uint64_t id)
{
	const struct facts *f = &gcpu_facts_arm64;

	for (unsigned i = 0; i < f->n_words; i++)
		if (f->words[i].addr == id || f->words[i].addr == ADDR_FW(id))
			return &f->words[i];
	return NULL;
}

/* ID registers and those of the firmware; of those that are not allocated, one that shows something
 * all the same. */
static bool is_tried(const struct snap_reg *r)
{
	const struct word_fact *w = word_of(r->id);

	return w && (w->klass == CLASS_FIELDS || w->klass == CLASS_COPY ||
		     (w->klass == CLASS_ZERO && r->value[0]));
}

/* Values that KVM keeps moving say nothing about the host: only that they exist. */
static bool is_steady(uint64_t id)
{
	return word_of(id) || REG_KIND(id) == GK_REG_ARM_FW ||
	       REG_KIND(id) == GK_REG_ARM_FW_FEAT_BMAP ||
	       id == GK_REG_ARM64_SVE_VLS;
}

static int registers(struct probe *p, int vcpu)
{
	struct gk_reg_list *l;
	int status = reg_list(p, vcpu, &l);

	if (status)
		return status;
	for (uint64_t i = 0; i < l->n && status == 0; i++) {
		if (is_steady(l->reg[i])) {
			status = add_reg(p, vcpu, l->reg[i]);
		} else {
			struct snap_reg *r = list_add(&p->snap->regs, sizeof(*r));

			if (r)
				r->id = l->reg[i];
			else
				status = -ENOMEM;
		}
	}
	free(l);
	if (status == 0 && p->snap->regs.n)
		qsort(p->snap->regs.items, p->snap->regs.n, sizeof(struct snap_reg), by_id);
	return status;
}

/* Index of an ID register in the mask array: op0 3, CRn 0, op1 0, 1 or 3. */
static int mask_index(uint64_t id)
{
	uint64_t enc = id ^ 0x6030000000130000ULL;
	unsigned op1 = (unsigned)enc >> 11 & 7;

	if (enc > 0xffff || enc >> 14 != 3 || (enc >> 7 & 15) != 0 || op1 == 2 || op1 > 3 ||
	    (enc & 0x40))
		return -1;
	return (int)((op1 == 3 ? 2 : op1) << 6 | (enc & 0x3f));
}

static int masks(struct probe *p, int vm)
{
	uint64_t mask[192] = { 0 };
	struct gk_reg_mask_range range;
	int status;

	if (gcpu_snapshot_capability(p->snap, CAP_ARM_SUPPORTED_REG_MASK_RANGES) <= 0)
		return 0;
	memset(&range, 0, sizeof(range));
	range.addr = (uintptr_t)mask;
	status = call(p->kvm, vm, GK_ARM_GET_REG_WRITABLE_MASKS, &range);
	if (status < 0)
		return status;
	for (size_t i = 0; i < p->snap->regs.n; i++) {
		struct snap_reg *r = LIST_AT(&p->snap->regs, struct snap_reg, i);
		int k = mask_index(r->id);

		r->has_mask = k >= 0;
		r->mask = k >= 0 ? mask[k] : 0;
	}
	return 0;
}

static int try_nibble(struct probe *p, int vcpu, const struct snap_reg *r, unsigned lsb)
{
	struct snap_nibble *n = list_add(&p->snap->nibbles, sizeof(*n));
	uint64_t want[8], got[8];

	if (!n)
		return -ENOMEM;
	n->id = r->id;
	n->lsb = (uint8_t)lsb;
	for (uint64_t v = 0; v < 16; v++) {
		int status;

		memset(got, 0, sizeof(got));
		memcpy(want, r->value, sizeof(want));
		want[0] = (r->value[0] & ~(15ULL << lsb)) | v << lsb;
		status = call_set_reg(p->kvm, vcpu, r->id, want);
		if (status == -ENOMEM)
			return status;
		if (status < 0) {
			if (!n->error)
				n->error = -status;
			continue;
		}
		status = call_get_reg(p->kvm, vcpu, r->id, got);
		if (status < 0)
			return status;
		if (memcmp(got, want, sizeof(got)) == 0) {
			n->accepted |= (uint16_t)(1U << v);
		} else {
			n->changed |= (uint16_t)(1U << v);
			n->read[v] = got[0] >> lsb & 15;
		}
	}
	return call_set_reg(p->kvm, vcpu, r->id, r->value);
}

static int by_nibble(const void *a, const void *b)
{
	const struct snap_nibble *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->lsb < y->lsb ? -1 : x->lsb > y->lsb;
}

static int try_values(struct probe *p, int vcpu)
{
	for (size_t i = 0; i < p->snap->regs.n; i++) {
		const struct snap_reg *r = LIST_AT(&p->snap->regs, struct snap_reg, i);

		if (r->n_words != 1 || !is_tried(r))
			continue;
		for (unsigned lsb = 0; lsb < 64; lsb += 4) {
			int status = try_nibble(p, vcpu, r, lsb);

			if (status)
				return status;
		}
	}
	return 0;
}

/* On a VM of its own, with memory tagging where there is any: it moves registers. */
static int full_vcpu(const struct probe *p, int *ret_vm)
{
	int vm = probe_vm(p), vcpu = 0;

	if (vm < 0)
		return vm;
	if (gcpu_snapshot_capability(p->snap, CAP_ARM_MTE) > 0)
		vcpu = call_enable_cap(p->kvm, vm, CAP_ARM_MTE, 0);
	if (vcpu >= 0)
		vcpu = call_number(p->kvm, vm, GK_CREATE_VCPU, 0);
	if (vcpu < 0)
		probe_close(p, vm);
	else
		*ret_vm = vm;
	return vcpu;
}

/* Vector lengths can be chosen until KVM_ARM_VCPU_FINALIZE: sets that a single vCPU takes. */
static int try_lengths(struct probe *p, int vcpu)
{
	struct snap_reg r = { .id = GK_REG_ARM64_SVE_VLS, .n_words = reg_words(GK_REG_ARM64_SVE_VLS) };
	unsigned width = gcpu_facts_arm64.fields[ARM64_F_SVE_VL].width;
	int status = call_get_reg(p->kvm, vcpu, r.id, r.value);

	for (unsigned lsb = 0; lsb < width && status >= 0; lsb += 4)
		status = try_nibble(p, vcpu, &r, lsb);
	return status < 0 ? status : 0;
}

/* Cores of several kinds: a guest sees the MIDR_EL1 of the one that a vCPU runs on. */
static int visit_core(struct probe *p, int cpu)
{
	char path[96], text[64];
	struct snap_core *c = NULL;
	uint64_t midr;
	int n;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/regs/identification/midr_el1", cpu);
	n = p->kvm->ops->read_host_file(p->kvm->ctx, path, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = 0;
	midr = strtoull(text, NULL, 16);
	for (size_t i = 0; i < p->snap->cores.n && !c; i++)
		if (LIST_AT(&p->snap->cores, struct snap_core, i)->midr == midr)
			c = LIST_AT(&p->snap->cores, struct snap_core, i);
	if (!c)
		c = list_add(&p->snap->cores, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->midr = midr;
	c->cpus++;
	return 0;
}

static int cores(struct probe *p)
{
	int status = p->all_cpus ? probe_cpus(p, visit_core) : 0;

	if (status)
		return status;
	/* the register says it where all are the same */
	if (p->snap->cores.n < 2)
		p->snap->cores.n = 0;
	return 0;
}

static int measure(struct probe *p, int vm, int vcpu)
{
	struct gcpu_snapshot *s = p->snap;
	int feature = gcpu_facts_arm64.fields[ARM64_F_SVE].lsb;
	int status = call_vcpu_init(p->kvm, vcpu, s->target, s->init_features);

	if (status)
		return fail(p, status, "KVM_ARM_VCPU_INIT");
	if (s->init_features >> feature & 1 && p->trial) {
		status = try_lengths(p, vcpu);
		if (status)
			return fail(p, status, "KVM_SET_ONE_REG and KVM_GET_ONE_REG of vector lengths in a trial");
	}
	if (s->init_features >> feature & 1) {
		status = call(p->kvm, vcpu, GK_ARM_VCPU_FINALIZE, &feature);
		if (status < 0)
			return fail(p, status, "KVM_ARM_VCPU_FINALIZE");
	}
	status = registers(p, vcpu);
	if (status)
		return fail(p, status, "KVM_GET_REG_LIST and KVM_GET_ONE_REG");
	status = masks(p, vm);
	if (status)
		return fail(p, status, "KVM_ARM_GET_REG_WRITABLE_MASKS");
	if (!p->trial)
		return 0;
	status = try_values(p, vcpu);
	/* vector lengths had to be tried first of all */
	if (s->nibbles.n)
		qsort(s->nibbles.items, s->nibbles.n, sizeof(struct snap_nibble), by_nibble);
	s->has_trial = status == 0;
	return status ? fail(p, status, "KVM_SET_ONE_REG and KVM_GET_ONE_REG of a trial") : 0;
}

static int vendor(struct probe *p)
{
	const struct snap_reg *midr = NULL;
	char buf[16];

	for (unsigned i = 0; i < gcpu_facts_arm64.n_words; i++)
		if (strcmp(gcpu_facts_arm64.words[i].name, "MIDR_EL1") == 0)
			midr = snapshot_reg(p->snap, gcpu_facts_arm64.words[i].addr);
	if (!midr || !midr->n_words)
		return 0;
	snprintf(buf, sizeof(buf), "0x%x", (unsigned)(midr->value[0] >> 24 & 0xff));
	p->snap->vendor = text_copy(buf, strlen(buf));
	return p->snap->vendor ? 0 : error_memory(p->err);
}

/* Which interrupt controllers KVM has to give; nothing is created. */
static int try_devices(struct probe *p, int vm)
{
	static const uint32_t types[] = { GK_DEV_TYPE_ARM_VGIC_V2, GK_DEV_TYPE_ARM_VGIC_V3 };

	for (unsigned i = 0; i < 2; i++) {
		struct gk_create_device d = { .type = types[i], .flags = GK_CREATE_DEVICE_TEST };
		int status = call(p->kvm, vm, GK_CREATE_DEVICE, &d);
		struct snap_device *out;

		if (status == -ENOMEM)
			return status;
		out = list_add(&p->snap->devices, sizeof(*out));
		if (!out)
			return -ENOMEM;
		out->type = types[i];
		out->error = status < 0 ? -status : 0;
	}
	return 0;
}

int probe_arm64(struct probe *p)
{
	struct gk_arm_vcpu_init init;
	int vm = probe_vm(p), vcpu, status;

	if (vm < 0)
		return fail(p, vm, "KVM_CREATE_VM");
	memset(&init, 0, sizeof(init));
	status = call(p->kvm, vm, GK_ARM_PREFERRED_TARGET, &init);
	if (status < 0) {
		status = fail(p, status, "KVM_ARM_PREFERRED_TARGET");
	} else {
		status = try_devices(p, vm);
		status = status ? fail(p, status, "KVM_CREATE_DEVICE of a trial") : 0;
	}
	probe_close(p, vm);
	if (status < 0)
		return status;
	p->snap->target = init.target;
	status = cores(p);
	if (status)
		return fail(p, status, "MIDR_EL1 of each CPU");
	status = try_inits(p);
	if (status)
		return fail(p, status, "KVM_CREATE_VM, KVM_CREATE_VCPU or KVM_ARM_VCPU_INIT");
	p->snap->init_features = full_features(p->snap);
	vcpu = full_vcpu(p, &vm);
	if (vcpu < 0)
		return fail(p, vcpu, "KVM_CREATE_VM, KVM_ENABLE_CAP or KVM_CREATE_VCPU");
	status = measure(p, vm, vcpu);
	probe_close(p, vcpu);
	probe_close(p, vm);
	return status ? status : vendor(p);
}
