/* SPDX-License-Identifier: MIT */
/* Trace documents in. Unknown keys are allowed, as in snapshots. */
#include "trace_read.h"
#include "core/plan.h"
#include "read.h"

#include <guestcpu/machine.h>

#include <stdlib.h>
#include <string.h>

enum { TABLE_MOST = 4096, LIST_MOST = 16384, CALLS_MOST = 1 << 21, ERRNO_MOST = 4095, WORDS_MOST = 32 };
#define U32_MOST 0xffffffffU

/* Each object of the array KEY, read by ONE into an element of SIZE. */
static void each(struct reader *r, const struct node *object, const char *key, size_t most, struct list *l, size_t size,
		 void (*one)(struct reader *r, const struct node *e, void *item))
{
	const struct node *a = read_array(r, object, key, true, most);
	size_t mark = read_enter(r, key), i;

	READ_EACH(r, e, i, a) {
		size_t at = read_enter_index(r, i);
		void *item;

		if (!doc_is(e, DOC_OBJECT)) {
			read_fail(r, "not an object", "an object");
		} else if ((item = list_add(l, size)) != NULL) {
			one(r, e, item);
		} else {
			r->status = error_memory(r->err);
		}
		read_leave(r, at);
	}
	read_leave(r, mark);
}

static void fail_at(struct reader *r, const char *key, const char *what, const char *expected)
{
	size_t mark = read_enter(r, key);

	read_fail(r, what, expected);
	read_leave(r, mark);
}

static bool read_bool(struct reader *r, const struct node *object, const char *key)
{
	const struct node *v = read_member(r, object, key, true);

	if (v && !doc_is(v, DOC_TRUE) && !doc_is(v, DOC_FALSE))
		fail_at(r, key, "neither true nor false", "true or false");
	return doc_is(v, DOC_TRUE);
}

/* A number, or null, which is -1. */
static int64_t read_number(struct reader *r, const struct node *object, const char *key, int64_t most)
{
	const struct node *v = read_member(r, object, key, true);

	return doc_is(v, DOC_NULL) ? -1 : read_int(r, object, key, 0, most);
}

/* One of WORDS, NULL at their end, or null, which is NULL. */
static char *read_word(struct reader *r, const struct node *object, const char *key, const char *const *words,
		       const char *expected)
{
	char *text;

	if (!read_member(r, object, key, true))
		return NULL;
	text = read_string(r, object, key, false);
	if (!text)
		return NULL;
	while (*words && strcmp(*words, text) != 0)
		words++;
	if (!*words) {
		fail_at(r, key, "not one that is known", expected);
		free(text);
		return NULL;
	}
	return text;
}

static void read_entry(struct reader *r, const struct node *o, void *item)
{
	struct gcpu_cpuid *e = item;

	e->leaf = (uint32_t)read_hex(r, o, "leaf", U32_MOST);
	e->subleaf = (uint32_t)read_hex(r, o, "subleaf", U32_MOST);
	e->flags = (uint32_t)read_int(r, o, "flags", 0, U32_MOST);
	e->eax = (uint32_t)read_hex(r, o, "eax", U32_MOST);
	e->ebx = (uint32_t)read_hex(r, o, "ebx", U32_MOST);
	e->ecx = (uint32_t)read_hex(r, o, "ecx", U32_MOST);
	e->edx = (uint32_t)read_hex(r, o, "edx", U32_MOST);
}

static void read_msr(struct reader *r, const struct node *o, void *item)
{
	struct traced_msr *m = item;

	m->index = (uint32_t)read_hex(r, o, "index", U32_MOST);
	m->value = read_hex(r, o, "value", UINT64_MAX);
}

/* An array of hex strings; the first ROOM of them. Their number. */
static size_t read_words(struct reader *r, const struct node *o, const char *key, size_t most, uint64_t limit,
			 uint64_t *out, size_t room)
{
	const struct node *a = read_array(r, o, key, true, most);
	size_t mark = read_enter(r, key), i;

	READ_EACH(r, w, i, a) {
		size_t at = read_enter_index(r, i);
		uint64_t value = read_hex_value(r, w, limit);

		if (i < room)
			out[i] = value;
		read_leave(r, at);
	}
	read_leave(r, mark);
	return a ? a->n : 0;
}

static void read_register(struct reader *r, const struct node *o, void *item)
{
	struct traced_reg *reg = item;

	reg->id = read_hex(r, o, "id", UINT64_MAX);
	if (!read_words(r, o, "value", WORDS_MOST, UINT64_MAX, &reg->value, 1))
		fail_at(r, "value", "empty", "at least one word");
}

static void read_init(struct reader *r, const struct node *vcpu, struct traced_vcpu *v)
{
	const struct node *o = read_object(r, vcpu, "vcpu_init", true);
	size_t mark = read_enter(r, "vcpu_init");
	uint64_t words[7] = { 0 };

	if (o) {
		v->has_init = read_number(r, o, "target", U32_MOST) >= 0;
		read_words(r, o, "features", 7, U32_MOST, words, 7);
		for (unsigned i = 0; i < 7; i++)
			v->features[i] = (uint32_t)words[i];
	}
	read_leave(r, mark);
}

/* KVM finds its own leaves by their signature, the first that has it. */
static uint32_t find_kvm_leaf(const struct list *table)
{
	uint32_t found = 0;

	for (size_t i = 0; i < table->n; i++) {
		const struct gcpu_cpuid *e = LIST_AT(table, struct gcpu_cpuid, i);
		const uint32_t text[3] = { e->ebx, e->ecx, e->edx };

		if (e->leaf >= KVM_LEAF_BASE && e->leaf < KVM_LEAF_END && e->leaf % 256 == 0 &&
		    memcmp(text, "KVMKVMKVM\0\0\0", 12) == 0 && (!found || e->leaf < found))
			found = e->leaf;
	}
	return found;
}

static void read_vcpu(struct reader *r, const struct node *o, void *item)
{
	struct traced_vcpu *v = item;

	v->id = (uint32_t)read_int(r, o, "id", 0, U32_MOST);
	v->ran = read_bool(r, o, "ran");
	each(r, o, "cpuid", TABLE_MOST, &v->cpuid, sizeof(struct gcpu_cpuid), read_entry);
	each(r, o, "msrs", LIST_MOST, &v->msrs, sizeof(struct traced_msr), read_msr);
	each(r, o, "registers", LIST_MOST, &v->regs, sizeof(struct traced_reg), read_register);
	read_init(r, o, v);
	v->kvm_leaf = find_kvm_leaf(&v->cpuid);
}

static void read_checked(struct reader *r, const struct node *o, void *item)
{
	static const char *const scopes[] = { "system", "vm", NULL };
	char *scope = read_word(r, o, "scope", scopes, "\"system\" or \"vm\"");
	struct traced_checked *c = item;

	c->vm = scope && strcmp(scope, "vm") == 0;
	free(scope);
	c->cap = (uint32_t)read_int(r, o, "cap", 0, U32_MOST);
	c->value = read_int(r, o, "value", INT32_MIN, INT32_MAX);
}

static void read_enabled(struct reader *r, const struct node *o, void *item)
{
	struct traced_enabled *e = item;
	const struct node *a;
	size_t i, mark;

	e->vcpu = (int)read_number(r, o, "vcpu", GCPU_MAX_VCPUS - 1);
	e->cap = (uint32_t)read_int(r, o, "cap", 0, U32_MOST);
	e->error = (int)read_int(r, o, "errno", 0, ERRNO_MOST);
	a = read_array(r, o, "args", true, 4);
	mark = read_enter(r, "args");
	READ_EACH(r, v, i, a) {
		size_t at = read_enter_index(r, i);

		if (!doc_is(v, DOC_INTEGER))
			read_fail(r, "not a number", "a number of 64 bits");
		else
			e->args[e->n_args++] = (uint64_t)v->integer;
		read_leave(r, at);
	}
	read_leave(r, mark);
}

static const struct {
	const char *name;
	enum traced_call_kind kind;
} kinds[] = {
	{ "KVM_SET_CPUID", TRACE_TABLE },      { "KVM_SET_CPUID2", TRACE_TABLE },
	{ "KVM_SET_MSRS", TRACE_MSRS },	       { "KVM_SET_ONE_REG", TRACE_REGISTER },
	{ "KVM_ARM_VCPU_INIT", TRACE_INIT },   { "KVM_SET_TSC_KHZ", TRACE_TSC_KHZ },
};

/* Of a call of which too little was kept no arguments are there. */
static void read_args(struct reader *r, const struct node *args, struct traced_call *c)
{
	if (c->kind == TRACE_MSRS && doc_member(args, "taken"))
		c->taken = (uint64_t)read_int(r, args, "taken", 0, LIST_MOST);
	if (c->kind == TRACE_MSRS && doc_member(args, "refused")) {
		c->refused = read_hex(r, args, "refused", U32_MOST);
		c->has_value = true;
	}
	if (c->kind == TRACE_REGISTER && doc_member(args, "id")) {
		c->id = read_hex(r, args, "id", UINT64_MAX);
		c->has_value = true;
	}
	if (c->kind == TRACE_TSC_KHZ && doc_member(args, "khz"))
		c->khz = (uint64_t)read_int(r, args, "khz", 0, INT64_MAX);
}

static void read_call(struct reader *r, const struct node *o, void *item)
{
	struct traced_call *c = item;
	const struct node *args;
	size_t mark;

	c->vcpu = (int)read_number(r, o, "vcpu", GCPU_MAX_VCPUS - 1);
	c->name = read_string(r, o, "call", true);
	for (size_t i = 0; c->name && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, c->name) == 0)
			c->kind = kinds[i].kind;
	args = read_object(r, o, "args", true);
	mark = read_enter(r, "args");
	if (args)
		read_args(r, args, c);
	read_leave(r, mark);
	c->error = (int)read_int(r, o, "errno", 0, ERRNO_MOST);
}

static void read_machine(struct reader *r, const struct node *root, struct traced *t, int64_t *ret_vcpus)
{
	static const char *const irqchips[] = { "kernel", "split", "user", NULL };
	static const char *const gics[] = { "v3", "v2", "none", NULL };
	const struct node *o = read_object(r, root, "machine", true);
	size_t mark = read_enter(r, "machine");

	if (o) {
		t->irqchip = read_word(r, o, "irqchip", irqchips, "\"kernel\", \"split\", \"user\" or null");
		t->gic = read_word(r, o, "gic", gics, "\"v3\", \"v2\", \"none\" or null");
		*ret_vcpus = read_int(r, o, "vcpus", 0, GCPU_MAX_VCPUS);
	}
	read_leave(r, mark);
}

/* Its arguments may be long, and are of no interest here. */
static void read_program(struct reader *r, const struct node *root, struct traced *t)
{
	const struct node *o = read_object(r, root, "program", true), *a;
	size_t mark = read_enter(r, "program");

	a = o ? read_array(r, o, "command", true, SIZE_MAX) : NULL;
	if (a && (!doc_is(a->first, DOC_STRING)))
		fail_at(r, "command", "not a command", "strings, one at least");
	if (a && !r->status) {
		t->program = text_copy(a->first->text, a->first->n);
		if (!t->program)
			r->status = error_memory(r->err);
	}
	read_leave(r, mark);
}

static void read_who(struct reader *r, const struct node *root, struct traced *t)
{
	static const char *const kvms[] = { "real", "model", NULL };
	char *kvm = read_word(r, root, "kvm", kvms, "\"real\" or \"model\"");
	const struct node *host = read_member(r, root, "host", true);
	size_t mark = read_enter(r, "host");

	if (!kvm && !r->status)
		fail_at(r, "kvm", "null", "\"real\" or \"model\"");
	t->model = kvm && strcmp(kvm, "model") == 0;
	free(kvm);
	if (host && !doc_is(host, DOC_NULL) && !doc_is(host, DOC_OBJECT))
		read_fail(r, "neither an object nor null", "an object or null");
	if (doc_is(host, DOC_OBJECT))
		t->host = read_string(r, host, "name", true);
	read_leave(r, mark);
	t->series = read_string(r, root, "series", false);
}

/* Calls and capabilities are of vCPUs that there are. */
static void check_vcpus(struct reader *r, const struct traced *t, int64_t said)
{
	if (r->status)
		return;
	if (said != (int64_t)t->vcpus.n) {
		read_enter(r, "machine");
		fail_at(r, "vcpus", "not as many as there are in \"vcpus\"", "their number");
		return;
	}
	for (size_t i = 0; i < t->calls.n && !r->status; i++)
		if (LIST_AT(&t->calls, struct traced_call, i)->vcpu >= said) {
			read_enter(r, "calls");
			read_enter_index(r, i);
			fail_at(r, "vcpu", "no such vCPU", "an index of \"vcpus\"");
		}
	for (size_t i = 0; i < t->enabled.n && !r->status; i++)
		if (LIST_AT(&t->enabled, struct traced_enabled, i)->vcpu >= said) {
			read_enter(r, "capabilities");
			read_enter(r, "enabled");
			read_enter_index(r, i);
			fail_at(r, "vcpu", "no such vCPU", "an index of \"vcpus\"");
		}
}

static int parse_root(const struct node *root, struct traced *t, struct gcpu_error *err)
{
	struct reader r = { .err = err };
	const struct node *caps;
	int64_t vcpus = 0;
	size_t mark;

	if (!doc_is(root, DOC_OBJECT))
		return read_fail(&r, "not an object", "a trace");
	t->arch = read_document(&r, root, "guestcpu.trace", ", as guestcpu trace and sim write it");
	if (r.status)
		return r.status;
	read_who(&r, root, t);
	read_program(&r, root, t);
	t->complete = read_bool(&r, root, "complete");
	read_machine(&r, root, t, &vcpus);
	caps = read_object(&r, root, "capabilities", true);
	mark = read_enter(&r, "capabilities");
	if (caps) {
		each(&r, caps, "checked", LIST_MOST, &t->checked, sizeof(struct traced_checked), read_checked);
		each(&r, caps, "enabled", CALLS_MOST, &t->enabled, sizeof(struct traced_enabled), read_enabled);
	}
	read_leave(&r, mark);
	each(&r, root, "vcpus", GCPU_MAX_VCPUS, &t->vcpus, sizeof(struct traced_vcpu), read_vcpu);
	each(&r, root, "calls", CALLS_MOST, &t->calls, sizeof(struct traced_call), read_call);
	check_vcpus(&r, t, vcpus);
	return r.status;
}

int traced_parse(const char *text, size_t length, struct traced **ret, struct gcpu_error *err)
{
	struct document d;
	struct traced *t;
	int status;

	if (length > TRACE_MOST) {
		error_set(err, GCPU_ERR_DOCUMENT, "%zu bytes long", length);
		error_expected(err, "a trace of at most %u bytes", TRACE_MOST);
		return GCPU_ERR_DOCUMENT;
	}
	status = document_parse(&d, text, length, err);
	if (status)
		return status;
	t = calloc(1, sizeof(*t));
	status = t ? parse_root(d.root, t, err) : error_memory(err);
	document_free(&d);
	if (status) {
		traced_free(t);
		return status;
	}
	*ret = t;
	return 0;
}

void traced_free(struct traced *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->vcpus.n; i++) {
		list_free(&LIST_AT(&t->vcpus, struct traced_vcpu, i)->cpuid);
		list_free(&LIST_AT(&t->vcpus, struct traced_vcpu, i)->msrs);
		list_free(&LIST_AT(&t->vcpus, struct traced_vcpu, i)->regs);
	}
	for (size_t i = 0; i < t->calls.n; i++)
		free(LIST_AT(&t->calls, struct traced_call, i)->name);
	list_free(&t->vcpus);
	list_free(&t->checked);
	list_free(&t->enabled);
	list_free(&t->calls);
	free(t->host);
	free(t->series);
	free(t->irqchip);
	free(t->gic);
	free(t->program);
	free(t);
}
