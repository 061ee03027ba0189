/* SPDX-License-Identifier: MIT */
/* Promises that hold for every input. */
#include "fuzz.h"

#include <jansson.h>
#include <string.h>

int fuzz_write(void *ctx, const char *data, size_t n)
{
	struct fuzz_text *t = ctx;

	while (t->n + n + 1 > t->room) {
		t->room = t->room ? t->room * 2 : 65536;
		t->data = realloc(t->data, t->room);
		MUST(t->data);
	}
	memcpy(t->data + t->n, data, n);
	t->n += n;
	t->data[t->n] = 0;
	return 0;
}

/* One line. */
static void check_text(const char *text, size_t room)
{
	MUST(memchr(text, 0, room));
	for (const char *c = text; *c; c++)
		MUST((unsigned char)*c >= 0x20 && *c != 0x7f);
}

void fuzz_error(const struct gcpu_error *err, int status, size_t length)
{
	MUST(status < 0 && err->code == status);
	MUST(strcmp(gcpu_strerror(status), "unknown error") != 0);
	MUST(err->text[0]);
	check_text(err->text, sizeof(err->text));
	check_text(err->expected, sizeof(err->expected));
	for (int i = 0; i < GCPU_ERROR_NEAR; i++) {
		check_text(err->near[i], sizeof(err->near[i]));
		MUST(!err->near[i][0] || i == 0 || err->near[i - 1][0]);
	}
	MUST(err->offset == (size_t)-1 ||
	     (err->offset <= length && err->length <= length - err->offset));
}

struct gcpu_machine fuzz_machine(const uint8_t *data, size_t size)
{
	static const struct {
		unsigned vcpus, sockets, dies, modules, cores, threads;
	} shapes[] = { { 1, 0, 0, 0, 0, 0 }, { 2, 0, 0, 0, 2, 0 }, { 4, 0, 0, 0, 2, 2 },    { 3, 0, 0, 0, 0, 3 },
		       { 12, 2, 1, 0, 3, 2 }, { 48, 0, 2, 3, 2, 2 }, { 300, 0, 1, 1, 300, 1 }, { 5, 0, 0, 0, 2, 2 } };
	uint8_t b[5] = { GCPU_IRQCHIP_KERNEL | GCPU_GIC_V3 << 2, 0, 0, 0, 0 };
	struct gcpu_machine m;

	if (size)
		memcpy(b, data, size < sizeof(b) ? size : sizeof(b));
	gcpu_machine_init(&m);
	m.irqchip = (enum gcpu_irqchip)(b[0] & 3);
	m.gic = (enum gcpu_gic)(b[0] >> 2 & 3);
	m.vcpus = shapes[b[1] % 8].vcpus;
	m.sockets = shapes[b[1] % 8].sockets;
	m.dies = shapes[b[1] % 8].dies;
	m.modules = shapes[b[1] % 8].modules;
	m.cores = shapes[b[1] % 8].cores;
	m.threads = shapes[b[1] % 8].threads;
	m.disable_exits = b[2];
	m.handles = b[3];
	m.accept_x2apic_ids = b[4] & 1;
	m.kvm_leaf = b[4] & 2 ? 0x40000000U + (b[4] & 0xfcU) * 0x40 : 0;
	return m;
}

static int see_finding(void *ctx, const struct gcpu_finding *f)
{
	(void)ctx;
	MUST(f->id && f->severity && f->source && f->text);
	check_text(f->text, strlen(f->text) + 1);
	return 0;
}

static int see_step(void *ctx, const struct gcpu_step *s)
{
	int *last = ctx;

	MUST(s->scope && s->call && s->why && s->n_args <= 4);
	for (unsigned i = 0; i < s->n_args; i++)
		MUST(s->args[i].name);
	MUST((int)s->phase >= *last && s->phase <= GCPU_PHASE_RUN);
	*last = (int)s->phase;
	return 0;
}

static int see_reason(void *ctx, const struct gcpu_reason *r)
{
	(void)ctx;
	MUST(r->rule && r->field && r->sentence && r->source);
	return 0;
}

static int see_result(void *ctx, const struct gcpu_result *r)
{
	unsigned *n = ctx;

	MUST(r->name);
	MUST(r->verdict == GCPU_VERDICT_MATCHED || r->reason);
	++*n;
	return 0;
}

static void check_table(const struct gcpu_plan *p, unsigned vcpu)
{
	size_t n = 0, room;
	struct gcpu_cpuid *e;

	MUST(gcpu_plan_cpuid(p, vcpu, NULL, &n) == 0);
	e = calloc(n + 1, sizeof(*e));
	MUST(e);
	room = n + 1;
	if (n)
		MUST(gcpu_plan_cpuid(p, vcpu, e, &room) == 0 && room == n);
	for (size_t i = 1; i < n; i++)
		MUST(e[i - 1].leaf < e[i].leaf ||
		     (e[i - 1].leaf == e[i].leaf && e[i - 1].subleaf < e[i].subleaf));
	free(e);
}

static void check_json(struct fuzz_text *t, const char *schema)
{
	json_error_t je;
	json_t *root = json_loadb(t->data, t->n, JSON_REJECT_DUPLICATES, &je);

	if (!root)
		fprintf(stderr, "line %d, column %d: %s\n", je.line, je.column, je.text);
	MUST(root);
	MUST(strcmp(json_string_value(json_object_get(root, "schema")), schema) == 0);
	json_decref(root);
	t->n = 0;
}

/* Nothing read; then a guest that sees the plan; then one that sees the opposite. */
static void check_verify(const struct gcpu_plan *p, struct fuzz_text *t)
{
	struct gcpu_view *v;
	struct gcpu_summary sum;
	unsigned seen = 0;

	MUST(gcpu_verify(p, NULL, 0, see_result, &seen, &sum) == GCPU_ERR_ARGUMENT && !seen);
	MUST(gcpu_view_new(p, gcpu_plan_vcpus(p) - 1, &v) == 0);
	MUST(gcpu_verify(p, &v, 1, see_result, &seen, &sum) == 0);
	MUST(sum.total == seen && sum.untested == sum.total);
	MUST(gcpu_verify_write_json(p, &v, 1, NULL, fuzz_write, t) == 0);
	check_json(t, "guestcpu.verify");
	for (size_t i = 0; i < v->words.n; i++) {
		struct view_word *w = LIST_AT(&v->words, struct view_word, i);

		w->guest = w->planned;
		w->has_guest = true;
	}
	MUST(gcpu_verify(p, &v, 1, NULL, NULL, &sum) == 0 && sum.matched == sum.total);
	for (size_t i = 0; i < v->words.n; i++)
		LIST_AT(&v->words, struct view_word, i)->guest ^= ~0ULL;
	MUST(gcpu_verify(p, &v, 1, NULL, NULL, &sum) == 0 && sum.matched == 0);
	gcpu_view_free(v);
}

struct advised {
	const struct gcpu_plan *plan;
	const struct feature_fact *feature;
	bool on;
};

/* Whatever the host and the request are: what is advised can be planned, and is so. */
static int see_advice(void *ctx, const struct gcpu_advice *a)
{
	const struct advised *want = ctx;
	struct gcpu_request *req = NULL;
	struct gcpu_plan *p = NULL;

	MUST(gcpu_request_parse(want->plan->arch->id, a->request, &req, NULL) == 0);
	MUST(gcpu_plan_make(want->plan->snap, req, a->machine, &p, NULL) == 0);
	MUST(plan_stands(p, want->feature, want->on));
	gcpu_plan_free(p);
	gcpu_request_free(req);
	return 0;
}

/* About one feature of each plan: many plans are made for it. */
static void check_advice(const struct gcpu_plan *p)
{
	unsigned nth = (unsigned)(strlen(p->request) * 31 + p->steps.n * 7 + p->findings.n);
	struct advised want = { p, &p->facts->features[nth % p->facts->n_features], nth % 3 != 0 };

	if (gcpu_plan_vcpus(p) <= 8)
		MUST(gcpu_plan_advise(p, want.feature->name, want.on, see_advice, &want, NULL) == 0);
}

void fuzz_plan(const struct gcpu_plan *p)
{
	struct fuzz_text t = { NULL, 0, 0 };
	struct gcpu_error err;
	int last = 0;

	for (unsigned i = 0; i < p->facts->n_features; i++) {
		const struct feature_fact *f = &p->facts->features[i];

		gcpu_plan_has(p, f->id);
		if (i % 16 == 0)
			MUST(gcpu_plan_explain(p, f->name, see_reason, NULL, &err) == 0);
	}
	for (unsigned i = 0; i < p->facts->n_fields; i++)
		MUST(field_get(p, p->value, i) <= field_mask(&p->facts->fields[i]));
	check_advice(p);
	gcpu_plan_refused(p);
	MUST(gcpu_plan_findings(p, see_finding, NULL) == 0);
	MUST(gcpu_plan_recipe(p, see_step, &last) == 0);
	check_table(p, 0);
	check_table(p, gcpu_plan_vcpus(p) - 1);
	MUST(gcpu_plan_cpuid(p, gcpu_plan_vcpus(p), NULL, &t.n) == GCPU_ERR_ARGUMENT);
	MUST(gcpu_plan_write_json(p, fuzz_write, &t) == 0);
	check_json(&t, "guestcpu.plan");
	MUST(gcpu_plan_write_cpuid_raw(p, fuzz_write, &t) == (p->entries.n ? 0 : GCPU_ERR_ARCH));
	t.n = 0;
	check_verify(p, &t);
	free(t.data);
}

struct gcpu_snapshot *fuzz_again(const struct gcpu_snapshot *s)
{
	struct fuzz_text t = { NULL, 0, 0 };
	struct gcpu_snapshot *copy = NULL;
	struct gcpu_error err;

	MUST(gcpu_snapshot_write(s, fuzz_write, &t) == 0);
	if (gcpu_snapshot_parse(t.data, t.n, &copy, &err)) {
		fprintf(stderr, "%s (%s)\n", err.text, err.expected);
		abort();
	}
	free(t.data);
	MUST(strcmp(gcpu_snapshot_hash(s), gcpu_snapshot_hash(copy)) == 0);
	return copy;
}

void fuzz_request(const struct gcpu_snapshot *s, enum gcpu_arch arch, const char *request, const uint8_t machine[5])
{
	struct gcpu_machine m = fuzz_machine(machine, 5);
	struct gcpu_request *req = NULL;
	struct gcpu_plan *p = NULL;
	struct gcpu_error err;
	int status = gcpu_request_parse(arch, request, &req, &err);

	/* a name that is not in the tables is a fault of this test */
	if (status)
		fprintf(stderr, "%s: %s\n", request, err.text);
	MUST(status == 0);
	status = gcpu_plan_make(s, req, &m, &p, &err);
	if (status) {
		MUST(!p);
		fuzz_error(&err, status, strlen(request));
	} else {
		fuzz_plan(p);
	}
	gcpu_plan_free(p);
	gcpu_request_free(req);
}
