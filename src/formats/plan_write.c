/* SPDX-License-Identifier: MIT */
/* The plan document, and its table as `cpuid -r` prints one. */
#include "core/plan.h"
#include "json.h"
#include "plan_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gcpu_cpuid *table_of(const struct gcpu_plan *p, unsigned vcpu, size_t *ret_n)
{
	struct gcpu_cpuid *e;
	size_t n = 0;

	gcpu_plan_cpuid(p, vcpu, NULL, &n);
	e = calloc(n + 1, sizeof(*e));
	*ret_n = n;
	if (e && n)
		gcpu_plan_cpuid(p, vcpu, e, ret_n);
	return e;
}

static int write_cpuid(struct json *j, const struct gcpu_plan *p)
{
	size_t n;
	struct gcpu_cpuid *e = table_of(p, 0, &n);

	if (!e)
		return GCPU_ERR_MEMORY;
	jw_key(j, "cpuid");
	jw_array(j, true);
	for (size_t i = 0; i < n; i++)
		jw_cpuid(j, &e[i]);
	jw_close(j, ']');
	free(e);
	return 0;
}

/* Values that some step of the recipe sets. */
static void write_set_values(struct json *j, const struct gcpu_plan *p, const char *call,
			     const char *key, const char *index)
{
	jw_key(j, key);
	jw_array(j, true);
	for (size_t i = 0; i < p->recipe.n; i++) {
		const struct gcpu_step *s = LIST_AT(&p->recipe, struct gcpu_step, i);

		if (strcmp(s->call, call) != 0)
			continue;
		jw_object(j, false);
		jw_key_hex(j, index, s->args[0].value);
		jw_key_hex(j, "value", s->args[1].value);
		jw_close(j, '}');
	}
	jw_close(j, ']');
}

static bool is_written(const struct gcpu_plan *p, uint64_t id)
{
	for (size_t i = 0; i < p->recipe.n; i++) {
		const struct gcpu_step *s = LIST_AT(&p->recipe, struct gcpu_step, i);

		if (strcmp(s->call, "KVM_SET_ONE_REG") == 0 && s->args[0].value == id)
			return true;
	}
	return false;
}

/* All registers of the first vCPU; of another those that differ. */
static void write_registers(struct json *j, const struct gcpu_plan *p, unsigned vcpu)
{
	jw_key(j, "registers");
	jw_array(j, vcpu == 0);
	for (unsigned i = 0; i < p->facts->n_words; i++) {
		const struct word_fact *w = &p->facts->words[i];
		uint64_t value = plan_word_value(p, vcpu, i);

		if (!snapshot_word(p->snap, w->addr) ||
		    (vcpu && value == plan_word_value(p, 0, i)))
			continue;
		jw_object(j, false);
		jw_key_string(j, "name", w->name);
		jw_key_hex(j, "id", ADDR_ONE_REG(w->addr));
		jw_key_hex(j, "value", value);
		jw_key_bool(j, "write", is_written(p, ADDR_ONE_REG(w->addr)));
		jw_close(j, '}');
	}
	jw_close(j, ']');
}

static void write_init(struct json *j, const struct gcpu_plan *p)
{
	const struct gcpu_step *init = NULL;

	for (size_t i = 0; i < p->recipe.n; i++) {
		const struct gcpu_step *s = LIST_AT(&p->recipe, struct gcpu_step, i);

		if (strcmp(s->call, "KVM_ARM_VCPU_INIT") == 0)
			init = s;
	}
	jw_key(j, "vcpu_init");
	jw_object(j, false);
	jw_key(j, "target");
	if (init)
		jw_int(j, (int64_t)init->args[0].value);
	else
		jw_string(j, NULL);
	jw_key(j, "features");
	jw_array(j, false);
	if (init)
		jw_hex(j, init->args[1].value);
	jw_close(j, ']');
	jw_close(j, '}');
}

static int write_vcpus(struct json *j, const struct gcpu_plan *p)
{
	size_t n, m;
	struct gcpu_cpuid *first = table_of(p, 0, &n);
	int status = first ? 0 : GCPU_ERR_MEMORY;

	jw_key(j, "vcpus");
	jw_array(j, true);
	for (unsigned v = 0; v < p->machine.vcpus && status == 0; v++) {
		struct gcpu_cpuid *e = table_of(p, v, &m);

		if (!e) {
			status = GCPU_ERR_MEMORY;
			break;
		}
		jw_object(j, false);
		jw_key_int(j, "index", v);
		jw_key_int(j, "id", p->vcpu_ids[v]);
		jw_key(j, "cpuid");
		jw_array(j, false);
		for (size_t i = 0; i < m; i++)
			if (memcmp(&e[i], &first[i], sizeof(e[i])) != 0)
				jw_cpuid(j, &e[i]);
		jw_close(j, ']');
		if (v) {
			write_registers(j, p, v);
		} else {
			jw_key(j, "registers");
			jw_array(j, false);
			jw_close(j, ']');
		}
		jw_close(j, '}');
		free(e);
	}
	jw_close(j, ']');
	free(first);
	return status;
}

/* Counts and numbers of capabilities are numbers, the rest is hex. */
static void write_arg_value(struct json *j, const struct gcpu_step_arg *a, bool cap)
{
	if (cap || strcmp(a->name, "cap") == 0 || strcmp(a->name, "target") == 0 ||
	    strcmp(a->name, "nent") == 0 || strcmp(a->name, "khz") == 0)
		jw_int(j, (int64_t)a->value);
	else
		jw_hex(j, a->value);
}

/* "features[0]" is the array "features"; the first name of a value is "name",
 * that of a further argument X is "X_name". */
static void write_args(struct json *j, const struct gcpu_step *s)
{
	bool cap = strcmp(s->call, "KVM_ENABLE_CAP") == 0, named = false;

	for (unsigned i = 0; i < s->n_args; i++) {
		const struct gcpu_step_arg *a = &s->args[i];
		char key[48];
		bool array = strlen(a->name) > 3 && strcmp(a->name + strlen(a->name) - 3, "[0]") == 0;

		snprintf(key, sizeof(key), "%.*s", (int)(strlen(a->name) - (array ? 3 : 0)), a->name);
		jw_key(j, key);
		if (array)
			jw_array(j, false);
		write_arg_value(j, a, cap);
		if (array)
			jw_close(j, ']');
		if (!a->text && !(cap && i == 0))
			continue;
		snprintf(key, sizeof(key), "%.40s_name", a->name);
		jw_key_string(j, named ? key : "name", a->text);
		named = true;
	}
}

static void write_step(struct json *j, const struct gcpu_step *s)
{
	static const char *const phases[] = { "process", "vm", "all-vcpus", "vm-once", "vcpu", "run" };

	jw_object(j, false);
	jw_key_string(j, "phase", phases[s->phase]);
	jw_key_string(j, "scope", s->scope);
	jw_key_string(j, "call", s->call);
	jw_key(j, "args");
	jw_object(j, false);
	write_args(j, s);
	jw_close(j, '}');
	jw_key_string(j, "why", s->why);
	jw_close(j, '}');
}

/* On: the guest has it. Off: it has not, but could, or somebody spoke of it. */
static bool listed(const struct gcpu_plan *p, const struct feature_fact *ff, bool on)
{
	const struct target_fact *t = &p->facts->targets[ff->first];
	const struct field_fact *f = &p->facts->fields[t->field];

	if (!(f->owner & OWNER_CHOSEN) || gcpu_plan_has(p, ff->id) != on)
		return false;
	return on || feature_on(p, ff, p->offer) || p->fields[t->field].said == SAID_VALUE;
}

static void write_features(struct json *j, const struct gcpu_plan *p)
{
	jw_key(j, "features");
	jw_object(j, true);
	for (int on = 1; on >= 0; on--) {
		jw_key(j, on ? "on" : "off");
		jw_array(j, false);
		for (unsigned i = 0; i < p->facts->n_features; i++)
			if (p->facts->features[i].id && listed(p, &p->facts->features[i], on == 1))
				jw_string(j, p->facts->features[i].name);
		jw_close(j, ']');
	}
	jw_key(j, "unavailable");
	jw_array(j, true);
	for (unsigned i = 0; i < p->facts->n_fields; i++) {
		if (!p->fields[i].unavailable)
			continue;
		jw_object(j, false);
		jw_key_string(j, "name", field_known_as(p, i));
		jw_key_string(j, "reason", p->facts->rules[p->fields[i].why].sentence);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_close(j, '}');
}

int plan_write_finding(void *ctx, const struct gcpu_finding *f)
{
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_string(j, "id", f->id);
	jw_key_string(j, "severity", f->severity);
	jw_key_string(j, "feature", f->feature);
	jw_key_string(j, "text", f->text);
	jw_key_string(j, "source", f->source);
	jw_close(j, '}');
	return 0;
}

static void write_machine(struct json *j, const struct gcpu_machine *m)
{
	static const char *const irqchips[] = { "kernel", "split", "user", "none" };
	static const char *const gics[] = { "none", "v2", "v3" };

	jw_key(j, "machine");
	jw_object(j, false);
	jw_key_string(j, "irqchip", irqchips[m->irqchip]);
	jw_key_string(j, "gic", gics[m->gic]);
	jw_key_int(j, "vcpus", m->vcpus);
	jw_key_int(j, "sockets", m->sockets);
	jw_key_int(j, "dies", m->dies);
	jw_key_int(j, "modules", m->modules);
	jw_key_int(j, "cores", m->cores);
	jw_key_int(j, "threads", m->threads);
	jw_key(j, "disable_exits");
	jw_array(j, false);
	for (unsigned i = 0; i < gcpu_n_exits; i++)
		if (m->disable_exits >> gcpu_exits[i].number & 1)
			jw_string(j, gcpu_exits[i].name);
	jw_close(j, ']');
	jw_key(j, "handles");
	jw_array(j, false);
	for (unsigned i = 0; i < gcpu_n_handles; i++)
		if (m->handles >> gcpu_handles[i].number & 1)
			jw_string(j, gcpu_handles[i].name);
	jw_close(j, ']');
	jw_key_bool(j, "x2apic_ids", m->accept_x2apic_ids != 0);
	jw_key_hex(j, "kvm_leaf", m->kvm_leaf ? m->kvm_leaf : KVM_LEAF_BASE);
	jw_key(j, "ipa_bits");
	if (m->ipa_bits)
		jw_int(j, m->ipa_bits);
	else
		jw_string(j, NULL);
	jw_close(j, '}');
}

void plan_write_head(struct json *j, const struct gcpu_plan *p, const char *schema)
{
	jw_key_string(j, "schema", schema);
	jw_key_int(j, "version", 1);
	jw_key_string(j, "arch", p->facts->name);
	jw_key_string(j, "request", p->request);
	jw_key_host(j, p->snap, false);
	write_machine(j, &p->machine);
}

int gcpu_plan_write_json(const struct gcpu_plan *p, gcpu_write write, void *ctx)
{
	struct json j;
	int status;

	if (!p || !write)
		return GCPU_ERR_ARGUMENT;
	jw_start(&j, write, ctx);
	jw_object(&j, true);
	plan_write_head(&j, p, "guestcpu.plan");
	jw_key_bool(&j, "refused", p->refused);
	status = write_cpuid(&j, p);
	write_set_values(&j, p, "KVM_SET_MSRS", "msrs", "index");
	write_registers(&j, p, 0);
	write_init(&j, p);
	if (status == 0)
		status = write_vcpus(&j, p);
	jw_key(&j, "recipe");
	jw_array(&j, true);
	for (size_t i = 0; i < p->recipe.n; i++)
		write_step(&j, LIST_AT(&p->recipe, struct gcpu_step, i));
	jw_close(&j, ']');
	write_features(&j, p);
	jw_key(&j, "findings");
	jw_array(&j, true);
	gcpu_plan_findings(p, plan_write_finding, &j);
	jw_close(&j, ']');
	jw_close(&j, '}');
	return status ? status : jw_end(&j);
}

int gcpu_plan_write_cpuid_raw(const struct gcpu_plan *p, gcpu_write write, void *ctx)
{
	struct sink s = { write, ctx, 0 };

	if (!p || !write)
		return GCPU_ERR_ARGUMENT;
	if (!p->entries.n)
		return GCPU_ERR_ARCH;
	for (unsigned v = 0; v < p->machine.vcpus && s.status == 0; v++) {
		size_t n;
		struct gcpu_cpuid *e = table_of(p, v, &n);

		if (!e)
			return GCPU_ERR_MEMORY;
		sink_format(&s, "CPU %u:\n", v);
		for (size_t i = 0; i < n; i++)
			sink_format(&s,
				    "   0x%08x 0x%02x: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x\n",
				    e[i].leaf, e[i].subleaf, e[i].eax, e[i].ebx, e[i].ecx, e[i].edx);
		free(e);
	}
	return s.status;
}
