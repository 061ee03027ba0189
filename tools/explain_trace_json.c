/* SPDX-License-Identifier: MIT */
/* explain --trace, for programs: docs/explain.md. */
#include "explain.h"
#include "formats/json.h"
#include "given.h"

static void number_or_null(struct json *j, const char *key, int64_t value)
{
	jw_key(j, key);
	if (value >= 0)
		jw_int(j, value);
	else
		jw_string(j, NULL);
}

static int call(void *ctx, size_t number, const struct traced_call *c)
{
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_int(j, "call", (int64_t)number);
	jw_key_string(j, "name", c->name);
	jw_key_int(j, "errno", c->error);
	jw_close(j, '}');
	return 0;
}

static void calls(const struct givens *g, const struct given *of, unsigned vcpu, bool refused, struct json *j)
{
	jw_key(j, refused ? "refused" : "calls");
	jw_array(j, false);
	given_calls(g, of, vcpu, refused, call, j);
	jw_close(j, ']');
}

static void vcpus(const struct givens *g, const struct given *of, struct json *j)
{
	jw_key(j, "vcpus");
	jw_array(j, true);
	for (unsigned i = 0; i < g->trace->vcpus.n; i++) {
		const struct given_vcpu *v = &of->vcpus[i];

		jw_object(j, false);
		jw_key_int(j, "index", i);
		jw_key_string(j, "said", v->said ? "all" : v->some ? "part" : "never");
		jw_key_string(j, "state", v->said ? v->state : NULL);
		jw_key(j, "value");
		if (v->said)
			jw_hex(j, v->value);
		else
			jw_string(j, NULL);
		calls(g, of, i, false, j);
		calls(g, of, i, true, j);
		jw_close(j, '}');
	}
	jw_close(j, ']');
}

static void capability(const struct givens *g, unsigned cap, struct json *j)
{
	jw_object(j, false);
	jw_key_int(j, "cap", cap);
	jw_key_string(j, "name", cap_name(cap));
	jw_key(j, "checked");
	jw_array(j, false);
	for (size_t i = 0; i < g->trace->checked.n; i++) {
		const struct traced_checked *c = LIST_AT(&g->trace->checked, struct traced_checked, i);

		if (c->cap != cap)
			continue;
		jw_object(j, false);
		jw_key_string(j, "scope", c->vm ? "vm" : "system");
		jw_key_int(j, "value", c->value);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_key(j, "enabled");
	jw_array(j, false);
	for (size_t i = 0; i < g->trace->enabled.n; i++) {
		const struct traced_enabled *e = LIST_AT(&g->trace->enabled, struct traced_enabled, i);

		if (e->cap != cap)
			continue;
		jw_object(j, false);
		number_or_null(j, "vcpu", e->vcpu);
		jw_key(j, "args");
		jw_array(j, false);
		for (unsigned k = 0; k < e->n_args; k++)
			jw_int(j, (int64_t)e->args[k]);
		jw_close(j, ']');
		jw_key_int(j, "errno", e->error);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_close(j, '}');
}

static void plan(const struct given *of, struct json *j)
{
	jw_key(j, "guestcpu");
	if (!of->is_planned) {
		jw_string(j, NULL);
		return;
	}
	jw_object(j, false);
	jw_key_string(j, "state", *of->planned ? of->planned : NULL);
	jw_key_string(j, "forced", of->forced);
	jw_key_string(j, "rule", of->rule);
	jw_key_string(j, "sentence", of->sentence);
	jw_key_string(j, "source", of->source);
	jw_close(j, '}');
}

static void given(const struct givens *g, const struct given *of, struct json *j)
{
	jw_object(j, true);
	jw_key_string(j, "name", of->word);
	jw_key_string(j, "feature", of->name);
	jw_key_string(j, "where", *of->where ? of->where : NULL);
	jw_key_string(j, "program", given_state(g, of));
	plan(of, j);
	jw_key_string(j, "remark", given_remark(g, of));
	vcpus(g, of, j);
	jw_key(j, "capabilities");
	jw_array(j, true);
	for (unsigned i = 0; i < of->n_caps; i++)
		capability(g, of->caps[i], j);
	jw_close(j, ']');
	jw_close(j, '}');
}

static void trace(const struct givens *g, struct json *j)
{
	const struct traced *t = g->trace;

	jw_key(j, "trace");
	jw_object(j, true);
	jw_key_string(j, "program", t->program);
	jw_key_string(j, "kvm", t->model ? "model" : "real");
	jw_key_string(j, "host", t->host);
	jw_key_string(j, "series", t->series);
	jw_key_bool(j, "complete", t->complete);
	jw_key(j, "machine");
	jw_object(j, false);
	jw_key_string(j, "irqchip", t->irqchip);
	jw_key_string(j, "gic", t->gic);
	jw_key_int(j, "vcpus", (int64_t)t->vcpus.n);
	jw_close(j, '}');
	jw_key(j, "given");
	jw_array(j, true);
	for (size_t i = 0; i < g->list.n; i++)
		given(g, LIST_AT(&g->list, struct given, i), j);
	jw_close(j, ']');
	jw_close(j, '}');
}

void explain_trace_json(const struct givens *g)
{
	struct json j;

	explain_json_head(g->tool, g->planned, &j);
	jw_key(&j, "features");
	jw_array(&j, false);
	jw_close(&j, ']');
	trace(g, &j);
	jw_close(&j, '}');
	jw_end(&j);
}
