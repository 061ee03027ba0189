/* SPDX-License-Identifier: MIT */
/* Snapshot documents in. Unknown keys are allowed: recordings outlive code. */
#include "core/facts.h"
#include "core/snapshot.h"
#include "fingerprint.h"
#include "read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_MOST = 4096, LIST_MOST = 16384, U32_MOST = 0xffffffff };

static void *add(struct reader *r, struct list *l, size_t size)
{
	void *item = r->status ? NULL : list_add(l, size);

	if (!item && !r->status)
		r->status = error_memory(r->err);
	return item;
}

static int entry_order(const void *a, const void *b)
{
	const struct snap_cpuid *x = *(const struct snap_cpuid *const *)a;
	const struct snap_cpuid *y = *(const struct snap_cpuid *const *)b;

	if (x->leaf != y->leaf)
		return x->leaf < y->leaf ? -1 : 1;
	return x->subleaf < y->subleaf ? -1 : x->subleaf > y->subleaf;
}

/* One entry answers; a second one would be shadowed. */
static void refuse_duplicates(struct reader *r, const struct list *l)
{
	const struct snap_cpuid **order;
	char path[READ_PATH];

	if (r->status || l->n < 2)
		return;
	order = calloc(l->n, sizeof(*order));
	if (!order) {
		r->status = error_memory(r->err);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		order[i] = LIST_AT(l, struct snap_cpuid, i);
	qsort(order, l->n, sizeof(*order), entry_order);
	for (size_t i = 1; i < l->n && !r->status; i++) {
		if (entry_order(&order[i - 1], &order[i]) == 0) {
			read_path(r, path);
			r->status = error_set(r->err, GCPU_ERR_DOCUMENT,
					      "%s: leaf 0x%x sub-leaf 0x%x twice", path,
					      order[i]->leaf, order[i]->subleaf);
			error_expected(r->err, "each leaf and sub-leaf once");
		}
	}
	free(order);
}

static void read_table(struct reader *r, const struct node *object, struct gcpu_snapshot *s,
		       enum snap_tables t, bool needed)
{
	const struct node *a = read_array(r, object, snapshot_tables[t], needed, TABLE_MOST);
	size_t mark = read_enter(r, snapshot_tables[t]), i;

	READ_EACH(r, o, i, a) {
		size_t at = read_enter_index(r, i);
		struct snap_cpuid *e = add(r, &s->cpuid[t], sizeof(*e));

		if (e && !doc_is(o, DOC_OBJECT))
			read_fail(r, "not an object", "a CPUID entry");
		if (e) {
			e->leaf = (uint32_t)read_hex(r, o, "leaf", U32_MOST);
			e->subleaf = (uint32_t)read_hex(r, o, "subleaf", CPUID_SUBLEAF_MOST);
			e->flags = (uint32_t)read_int(r, o, "flags", 0, 7);
			e->regs[0] = (uint32_t)read_hex(r, o, "eax", U32_MOST);
			e->regs[1] = (uint32_t)read_hex(r, o, "ebx", U32_MOST);
			e->regs[2] = (uint32_t)read_hex(r, o, "ecx", U32_MOST);
			e->regs[3] = (uint32_t)read_hex(r, o, "edx", U32_MOST);
		}
		read_leave(r, at);
	}
	/* what a trial read back is kept as KVM gave it: the first one answers */
	if (t <= SNAP_VARIES)
		refuse_duplicates(r, &s->cpuid[t]);
	read_leave(r, mark);
}

/* Each object of the array KEY, read by ONE into an element of SIZE. */
static void read_list(struct reader *r, const struct node *object, const char *key, bool needed, struct list *l, size_t size,
		      void (*one)(struct reader *r, const struct node *e, void *item))
{
	const struct node *a = read_array(r, object, key, needed, LIST_MOST);
	size_t mark = read_enter(r, key), i;

	READ_EACH(r, e, i, a) {
		size_t at = read_enter_index(r, i);
		void *item = add(r, l, size);

		if (item)
			one(r, e, item);
		read_leave(r, at);
	}
	read_leave(r, mark);
}

static void read_param(struct reader *r, const struct node *e, void *item)
{
	struct snap_param *p = item;

	p->module = read_string(r, e, "module", true);
	p->name = read_string(r, e, "name", true);
	p->value = read_string(r, e, "value", true);
}

/* arm64: kinds of cores, where there are several. */
static void read_core(struct reader *r, const struct node *e, void *item)
{
	struct snap_core *c = item;

	c->midr = read_hex(r, e, "midr", UINT64_MAX);
	c->cpus = (unsigned)read_int(r, e, "cpus", 1, UINT32_MAX);
}

static void read_host(struct reader *r, const struct node *root, struct gcpu_snapshot *s)
{
	const struct node *host = read_object(r, root, "host", true);
	size_t mark = read_enter(r, "host");

	if (host) {
		s->vendor = read_string(r, host, "vendor", false);
		s->brand = read_string(r, host, "cpu", false);
		s->microcode = read_string(r, host, "microcode", false);
		s->kernel = read_string(r, host, "kernel", false);
		s->module = read_string(r, host, "module", false);
		read_list(r, host, "parameters", false, &s->params, sizeof(struct snap_param), read_param);
		if (s->arch == GCPU_ARCH_ARM64)
			read_list(r, host, "cores", false, &s->cores, sizeof(struct snap_core), read_core);
	}
	read_leave(r, mark);
}

static bool two_integers(const struct node *pair, int64_t *ret_a, int64_t *ret_b)
{
	if (!doc_is(pair, DOC_ARRAY) || pair->n != 2 || !doc_is(pair->first, DOC_INTEGER) ||
	    !doc_is(pair->first->next, DOC_INTEGER))
		return false;
	*ret_a = pair->first->integer;
	*ret_b = pair->first->next->integer;
	return true;
}

static void read_caps(struct reader *r, const struct node *object, const char *key, struct list *l)
{
	const struct node *a = read_array(r, object, key, true, LIST_MOST);
	size_t mark = read_enter(r, key), i;

	READ_EACH(r, pair, i, a) {
		struct snap_cap *c = add(r, l, sizeof(*c));
		size_t at = read_enter_index(r, i);
		int64_t n, v;

		if (!two_integers(pair, &n, &v) || n < 0 || n > 65535 || v < INT32_MIN || v > INT32_MAX)
			read_fail(r, "not a capability", "[number, value]");
		else if (i && n <= LIST_AT(l, struct snap_cap, i - 1)->number)
			read_fail(r, "twice or out of order", "capabilities by ascending number");
		else if (c)
			*c = (struct snap_cap){ (uint32_t)n, (int)v };
		read_leave(r, at);
	}
	read_leave(r, mark);
}

static bool find_msr(const struct list *l, size_t n, uint32_t index)
{
	for (size_t i = 0; i < n; i++)
		if (LIST_AT(l, struct snap_msr, i)->index == index)
			return true;
	return false;
}

static void read_msrs(struct reader *r, const struct node *root, struct gcpu_snapshot *s)
{
	const struct node *o = read_object(r, root, "msrs", true), *a;
	size_t mark = read_enter(r, "msrs"), i;

	a = o ? read_array(r, o, "index", true, LIST_MOST) : NULL;
	READ_EACH(r, e, i, a) {
		uint32_t *out = add(r, &s->msr_indexes, sizeof(*out));
		size_t at = read_enter(r, "index"), in = read_enter_index(r, i);

		if (out)
			*out = (uint32_t)read_hex_value(r, e, U32_MOST);
		read_leave(r, in);
		read_leave(r, at);
	}
	a = o ? read_array(r, o, "features", true, LIST_MOST) : NULL;
	READ_EACH(r, e, i, a) {
		struct snap_msr *m = add(r, &s->msr_features, sizeof(*m));
		size_t at = read_enter(r, "features"), in = read_enter_index(r, i);
		const struct node *accepted = doc_member(e, "accepted");
		bool yes = doc_is(accepted, DOC_TRUE), no = doc_is(accepted, DOC_FALSE);

		if (m) {
			m->index = (uint32_t)read_hex(r, e, "index", U32_MOST);
			m->value = read_hex(r, e, "value", UINT64_MAX);
			if (accepted && !yes && !no)
				read_fail(r, "accepted is neither true nor false", "true, false, or no such key");
			if (!r->status && find_msr(&s->msr_features, i, m->index))
				read_fail(r, "the same MSR twice", "each index once");
			m->trial = yes ? MSR_ACCEPTED : no ? MSR_REFUSED : MSR_UNTRIED;
		}
		read_leave(r, in);
		read_leave(r, at);
	}
	read_leave(r, mark);
}

static void read_x86(struct reader *r, const struct node *root, struct gcpu_snapshot *s)
{
	const struct node *cpuid = read_object(r, root, "cpuid", true), *o;
	size_t mark = read_enter(r, "cpuid");

	for (int t = SNAP_SUPPORTED; cpuid && t <= SNAP_VARIES; t++)
		read_table(r, cpuid, s, t, t == SNAP_SUPPORTED);
	if (cpuid && !r->status && !snapshot_cpuid(s, SNAP_SUPPORTED, 0, 0))
		read_fail(r, "supported has no leaf 0x0", "what KVM_GET_SUPPORTED_CPUID returns");
	read_leave(r, mark);
	read_msrs(r, root, s);
	o = read_object(r, root, "tsc", true);
	mark = read_enter(r, "tsc");
	if (o && doc_member(o, "khz")) {
		s->tsc_khz = (uint64_t)read_int(r, o, "khz", 0, INT32_MAX); /* what KVM_GET_TSC_KHZ can return */
		s->has_tsc_khz = true;
	}
	read_leave(r, mark);
	o = read_object(r, root, "xcomp", false);
	mark = read_enter(r, "xcomp");
	if (o && doc_member(o, "supported")) {
		s->xcomp_supported = read_hex(r, o, "supported", UINT64_MAX);
		s->xcomp_permitted = read_hex(r, o, "permitted", UINT64_MAX);
		s->has_xcomp = true;
	}
	read_leave(r, mark);
	o = read_object(r, root, "mce", false);
	mark = read_enter(r, "mce");
	if (o) {
		s->mce_supported = read_hex(r, o, "supported", UINT64_MAX);
		s->has_mce = true;
	}
	read_leave(r, mark);
	o = read_object(r, root, "trial", false);
	if (!o)
		return;
	mark = read_enter(r, "trial");
	s->has_trial = true;
	s->enforce_pv_error = (int)read_int(r, o, "enforce_pv_errno", 0, 4095);
	read_table(r, o, s, SNAP_TRIAL_ZEROS, true);
	read_table(r, o, s, SNAP_TRIAL_ONES, true);
	read_table(r, o, s, SNAP_TRIAL_BARE, true);
	read_leave(r, mark);
}

static void read_init(struct reader *r, const struct node *e, void *item)
{
	struct snap_init *t = item;

	t->features = (uint32_t)read_hex(r, e, "features", U32_MOST);
	t->error = (int)read_int(r, e, "errno", 0, 4095);
}

static void read_inits(struct reader *r, const struct node *root, struct gcpu_snapshot *s)
{
	const struct node *o = read_object(r, root, "vcpu_init", true);
	size_t mark = read_enter(r, "vcpu_init");

	if (o) {
		s->target = (uint32_t)read_int(r, o, "target", 0, U32_MOST);
		s->init_features = (uint32_t)read_hex(r, o, "features", U32_MOST);
		read_list(r, o, "tried", true, &s->inits, sizeof(struct snap_init), read_init);
	}
	read_leave(r, mark);
}

static void read_register(struct reader *r, const struct node *e, struct snap_reg *out)
{
	const struct node *a;
	size_t i;

	out->id = read_hex(r, e, "id", UINT64_MAX);
	a = read_array(r, e, "value", false, 8);
	READ_EACH(r, v, i, a) {
		size_t at = read_enter(r, "value");

		out->value[i] = read_hex_value(r, v, UINT64_MAX);
		out->n_words++;
		read_leave(r, at);
	}
	if (doc_member(e, "errno"))
		out->error = (int)read_int(r, e, "errno", 0, 4095);
	if (doc_member(e, "mask")) {
		out->mask = read_hex(r, e, "mask", UINT64_MAX);
		out->has_mask = true;
	}
}

static void read_changed(struct reader *r, const struct node *e, struct snap_nibble *n)
{
	const struct node *a = read_array(r, e, "read", true, 16);
	size_t mark = read_enter(r, "read"), i;
	uint16_t told = 0;

	READ_EACH(r, pair, i, a) {
		int64_t wrote, got;

		if (!two_integers(pair, &wrote, &got) || wrote < 0 || wrote > 15 || got < 0 || got > 15)
			read_fail(r, "not a pair of nibbles", "[written, read], 0 to 15 each");
		else if (told >> wrote & 1)
			read_fail(r, "a value twice", "each value once");
		else
			n->read[wrote] = (uint8_t)got;
		told |= r->status ? 0 : (uint16_t)(1U << wrote);
	}
	if (!r->status && told != n->changed)
		read_fail(r, "not the values that changed", "one pair for each bit of changed");
	read_leave(r, mark);
}

static void check_nibble(struct reader *r, const struct snap_nibble *n, const struct snap_nibble *last)
{
	if (r->status)
		return;
	if (n->lsb % 4)
		read_fail(r, "lsb is no nibble's", "0, 4, ... 60");
	else if (n->accepted & n->changed)
		read_fail(r, "a value both accepted and changed", "one or the other");
	else if (last && (last->id > n->id || (last->id == n->id && last->lsb >= n->lsb)))
		read_fail(r, "twice or out of order", "by ascending register and lsb");
}

static void read_device(struct reader *r, const struct node *e, void *item)
{
	struct snap_device *d = item;

	d->type = (uint32_t)read_int(r, e, "type", 0, U32_MOST);
	d->error = (int)read_int(r, e, "errno", 0, 4095);
}

static void read_arm64(struct reader *r, const struct node *root, struct gcpu_snapshot *s)
{
	const struct node *a, *o;
	size_t mark, i;

	read_list(r, root, "devices", true, &s->devices, sizeof(struct snap_device), read_device);
	read_inits(r, root, s);
	a = read_array(r, root, "registers", true, LIST_MOST);
	mark = read_enter(r, "registers");
	READ_EACH(r, e, i, a) {
		struct snap_reg *out = add(r, &s->regs, sizeof(*out));
		size_t in = read_enter_index(r, i);

		if (out)
			read_register(r, e, out);
		if (out && i && !r->status && out[-1].id >= out->id)
			read_fail(r, "twice or out of order", "registers by ascending id");
		read_leave(r, in);
	}
	read_leave(r, mark);
	o = read_object(r, root, "trial", false);
	a = o ? read_array(r, o, "nibbles", true, LIST_MOST) : NULL;
	mark = read_enter(r, "trial.nibbles");
	s->has_trial = a != NULL;
	READ_EACH(r, e, i, a) {
		struct snap_nibble *n = add(r, &s->nibbles, sizeof(*n));
		size_t in = read_enter_index(r, i);

		if (n) {
			n->id = read_hex(r, e, "id", UINT64_MAX);
			n->lsb = (uint8_t)read_int(r, e, "lsb", 0, 60);
			n->accepted = (uint16_t)read_hex(r, e, "accepted", 0xffff);
			n->changed = (uint16_t)read_hex(r, e, "changed", 0xffff);
			n->error = (int)read_int(r, e, "errno", 0, 4095);
			if (n->changed)
				read_changed(r, e, n);
			check_nibble(r, n, i ? n - 1 : NULL);
		}
		read_leave(r, in);
	}
	read_leave(r, mark);
}

/* A key that, where it is there, has one value only. */
static bool read_mark(struct reader *r, const struct node *root, const char *key, const char *value)
{
	const struct node *mark = read_member(r, root, key, false);
	size_t at = read_enter(r, key);

	if (mark && (!doc_is(mark, DOC_STRING) || mark->n != strlen(value) || memcmp(mark->text, value, mark->n) != 0)) {
		char expected[60];

		snprintf(expected, sizeof(expected), "\"%s\", or no such key", value);
		read_fail(r, "not one that is known", expected);
	}
	read_leave(r, at);
	return mark != NULL;
}

/* What a computed one takes for given. */
static void read_assumed(struct reader *r, const struct node *e, void *item)
{
	struct snap_assumed *n = item;

	n->what = read_string(r, e, "what", true);
	n->value = read_string(r, e, "value", true);
	n->why = read_string(r, e, "why", true);
}

static void read_head(struct reader *r, const struct node *root, struct gcpu_snapshot *s)
{
	s->arch = read_document(r, root, "guestcpu.snapshot", "");
	s->name = read_string(r, root, "name", true);
	s->guest_view = read_mark(r, root, "view", "guest");
	s->computed = read_mark(r, root, "origin", "computed");
}

/* The hash tells an edited or damaged recording from a good one. */
static void check_hash(struct reader *r, const struct node *root, struct gcpu_snapshot *s)
{
	char *recorded = read_string(r, root, "hash", false);

	if (!r->status && doc_is(doc_member(root, "hash"), DOC_NULL))
		read_fail(r, "hash is null", "a hash, or no such key");

	if (!r->status && snapshot_seal(s))
		r->status = error_memory(r->err);
	if (!r->status && recorded && strcmp(recorded, s->hash) != 0) {
		r->status = error_set(r->err, GCPU_ERR_DOCUMENT, "the content does not have the hash that it claims");
		error_expected(r->err, "%s; remove the line \"hash\" to use an edited snapshot", s->hash);
	}
	free(recorded);
}

static int parse_root(const struct node *root, struct gcpu_snapshot *s, struct gcpu_error *err)
{
	struct reader r = { .err = err };
	const struct node *o;

	if (!doc_is(root, DOC_OBJECT))
		return read_fail(&r, "not an object", "a snapshot");
	read_head(&r, root, s);
	if (r.status)
		return r.status;
	read_host(&r, root, s);
	if (s->computed)
		read_list(&r, root, "assumed", true, &s->assumed, sizeof(struct snap_assumed), read_assumed);
	o = read_object(&r, root, "capabilities", true);
	if (o) {
		size_t mark = read_enter(&r, "capabilities");

		read_caps(&r, o, "system", &s->caps_system);
		read_caps(&r, o, "vm", &s->caps_vm);
		read_leave(&r, mark);
	}
	if (s->arch == GCPU_ARCH_X86)
		read_x86(&r, root, s);
	else
		read_arm64(&r, root, s);
	check_hash(&r, root, s);
	return r.status;
}

int gcpu_snapshot_parse(const char *text, size_t length, struct gcpu_snapshot **ret_snapshot,
			struct gcpu_error *err)
{
	struct gcpu_snapshot *s;
	struct document d;
	int status;

	if (!text || !ret_snapshot)
		return error_set(err, GCPU_ERR_ARGUMENT, "no text or result");
	if (length > GCPU_SNAPSHOT_MOST) {
		error_set(err, GCPU_ERR_DOCUMENT, "%zu bytes long", length);
		error_expected(err, "a snapshot of at most %d bytes", GCPU_SNAPSHOT_MOST);
		return GCPU_ERR_DOCUMENT;
	}
	status = document_parse(&d, text, length, err);
	if (status)
		return status;
	s = snapshot_new(0);
	status = !s ? error_memory(err) :
		 fingerprint_is(d.root) ? fingerprint_read(d.root, s, err) : parse_root(d.root, s, err);
	document_free(&d);
	if (status) {
		gcpu_snapshot_free(s);
		return status;
	}
	*ret_snapshot = s;
	return 0;
}
