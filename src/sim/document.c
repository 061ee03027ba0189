/* SPDX-License-Identifier: MIT */
/* The document guestcpu.trace. */
#include "report.h"

#include "core/plan.h"
#include "formats/json.h"

#include <stdio.h>

static void write_arg(struct json *j, const struct sim_arg *a)
{
	bool array = a->kind == ARG_INTS || a->kind == ARG_HEXES;

	jw_key(j, a->name);
	if (a->kind == ARG_NAME) {
		jw_string(j, a->text);
		return;
	}
	if (array)
		jw_array(j, false);
	for (unsigned i = 0; i < a->n; i++) {
		if (a->kind == ARG_INT || a->kind == ARG_INTS)
			jw_int(j, (int64_t)a->value[i]);
		else
			jw_hex(j, a->value[i]);
	}
	if (array)
		jw_close(j, ']');
}

static void write_number(struct json *j, const char *key, bool known, int64_t value)
{
	jw_key(j, key);
	if (known)
		jw_int(j, value);
	else
		jw_string(j, NULL);
}

static void write_where(struct json *j, const struct sim_call *c)
{
	jw_key_string(j, "scope", c->scope);
	write_number(j, "vcpu", c->vcpu >= 0, c->vcpu);
}

static void write_call(struct json *j, const struct sim_call *c)
{
	char number[24];

	snprintf(number, sizeof(number), "0x%lx", c->request);
	jw_object(j, false);
	write_where(j, c);
	jw_key_string(j, "call", c->name ? c->name : number);
	jw_key(j, "args");
	jw_object(j, false);
	for (unsigned i = 0; i < c->n_args; i++)
		write_arg(j, &c->args[i]);
	jw_close(j, '}');
	jw_key_int(j, "errno", c->error);
	jw_key_int(j, "times", c->times);
	jw_close(j, '}');
}

static void write_vcpu(struct json *j, const struct sim_vcpu *v, size_t index)
{
	jw_object(j, true);
	jw_key_int(j, "index", (int64_t)index);
	jw_key_int(j, "id", v->id);
	jw_key_bool(j, "ran", v->ran);
	jw_key(j, "cpuid");
	jw_array(j, true);
	for (size_t i = 0; i < v->cpuid.n; i++)
		jw_cpuid(j, LIST_AT(&v->cpuid, struct gcpu_cpuid, i));
	jw_close(j, ']');
	jw_key(j, "msrs");
	jw_array(j, true);
	for (size_t i = 0; i < v->msrs.n; i++) {
		jw_object(j, false);
		jw_key_hex(j, "index", LIST_AT(&v->msrs, struct sim_msr, i)->index);
		jw_key_hex(j, "value", LIST_AT(&v->msrs, struct sim_msr, i)->value);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_key(j, "registers");
	jw_array(j, true);
	for (size_t i = 0; i < v->regs.n; i++) {
		const struct sim_reg *reg = LIST_AT(&v->regs, struct sim_reg, i);

		jw_object(j, false);
		jw_key_hex(j, "id", reg->id);
		jw_key(j, "value");
		jw_array(j, false);
		for (unsigned w = 0; w < reg->n_words; w++)
			jw_hex(j, reg->value[w]);
		jw_close(j, ']');
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_key(j, "vcpu_init");
	jw_object(j, false);
	write_number(j, "target", v->has_init, v->target);
	jw_key(j, "features");
	jw_array(j, false);
	for (unsigned w = 0; v->has_init && w < 7; w++)
		jw_hex(j, v->features[w]);
	jw_close(j, ']');
	jw_close(j, '}');
	jw_close(j, '}');
}

static void write_caps(struct json *j, const struct sim_report *r)
{
	jw_key(j, "capabilities");
	jw_object(j, true);
	jw_key(j, "checked");
	jw_array(j, true);
	for (size_t i = 0; i < r->caps.n; i++) {
		const struct sim_cap *c = LIST_AT(&r->caps, struct sim_cap, i);

		jw_object(j, false);
		jw_key_string(j, "scope", c->vm ? "vm" : "system");
		jw_key_int(j, "cap", c->number);
		jw_key_string(j, "name", cap_name(c->number));
		jw_key_int(j, "value", c->value);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_key(j, "enabled");
	jw_array(j, true);
	for (size_t i = 0; i < r->calls.n; i++) {
		const struct sim_call *c = LIST_AT(&r->calls, struct sim_call, i);

		if (!c->enables || !c->n_args)
			continue;
		jw_object(j, false);
		write_where(j, c);
		for (unsigned a = 0; a < c->n_args; a++)
			write_arg(j, &c->args[a]);
		jw_key_int(j, "errno", c->error);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_close(j, '}');
}

static void write_program(struct json *j, const struct sim_report *r, const struct sim_told *t)
{
	jw_key(j, "program");
	jw_object(j, true);
	jw_key(j, "command");
	jw_array(j, false);
	for (char *const *word = t->command; *word; word++)
		jw_string(j, *word);
	jw_close(j, ']');
	jw_key_bool(j, "stopped", atomic_load(&r->log->stopped) != 0);
	write_number(j, "exit", t->exit_code >= 0, t->exit_code);
	write_number(j, "signal", t->signal != 0, t->signal);
	jw_key_bool(j, "opened", r->opened);
	write_number(j, "open_errno", r->open_error != 0, r->open_error);
	jw_key_int(j, "vms", r->n_vms);
	jw_key(j, "unseen");
	jw_array(j, false);
	for (size_t i = 0; i < r->unseen.n; i++) {
		const struct sim_unseen *u = LIST_AT(&r->unseen, struct sim_unseen, i);

		jw_object(j, false);
		jw_key_string(j, "path", u->path);
		jw_key_string(j, "why", u->why);
		jw_key_bool(j, "refused", u->refused);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_close(j, '}');
}

int sim_report_write(const struct sim_report *r, const struct sim_told *t, gcpu_write write, void *ctx)
{
	static const char *const own[] = { "machine", "answered", "leaked" };
	bool x86 = t->arch == GCPU_ARCH_X86;
	struct json j;

	jw_start(&j, write, ctx);
	jw_object(&j, true);
	jw_key_string(&j, "schema", "guestcpu.trace");
	jw_key_int(&j, "version", 1);
	jw_key_string(&j, "arch", gcpu_arch_name(t->arch));
	jw_key_string(&j, "kvm", t->host ? "model" : "real");
	jw_key_host(&j, t->host, false);
	jw_key_string(&j, "series", t->kernel);
	write_program(&j, r, t);
	jw_key_string(&j, "own_cpuid", x86 ? own[atomic_load(&r->log->own_cpuid) % 3] : NULL);
	jw_key_bool(&j, "complete", r->complete);
	jw_key(&j, "machine");
	jw_object(&j, false);
	jw_key_string(&j, "irqchip", x86 && r->n_vms ? r->irqchip : NULL);
	jw_key_string(&j, "gic", x86 || !r->n_vms ? NULL : r->irqchip);
	jw_key_int(&j, "vcpus", (int64_t)r->vcpus.n);
	jw_close(&j, '}');
	write_caps(&j, r);
	jw_key(&j, "vcpus");
	jw_array(&j, true);
	for (size_t i = 0; i < r->vcpus.n; i++)
		write_vcpu(&j, LIST_AT(&r->vcpus, struct sim_vcpu, i), i);
	jw_close(&j, ']');
	jw_key(&j, "calls");
	jw_array(&j, true);
	for (size_t i = 0; i < r->calls.n; i++)
		write_call(&j, LIST_AT(&r->calls, struct sim_call, i));
	jw_close(&j, ']');
	jw_close(&j, '}');
	return jw_end(&j);
}
