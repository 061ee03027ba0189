/* SPDX-License-Identifier: MIT */
/* The canonical snapshot document. */
#include "core/snapshot.h"
#include "json.h"

#include <guestcpu/plan.h>

#include <stdlib.h>
#include <string.h>

static void write_table(struct json *j, const struct gcpu_snapshot *s, enum snap_tables t)
{
	const struct list *l = &s->cpuid[t];

	jw_key(j, snapshot_tables[t]);
	jw_array(j, true);
	for (size_t i = 0; i < l->n; i++) {
		const struct snap_cpuid *e = LIST_AT(l, struct snap_cpuid, i);

		jw_cpuid(j, &(struct gcpu_cpuid){ .leaf = e->leaf, .subleaf = e->subleaf,
						  .flags = e->flags, .eax = e->regs[0],
						  .ebx = e->regs[1], .ecx = e->regs[2],
						  .edx = e->regs[3] });
	}
	jw_close(j, ']');
}

static void write_host(struct json *j, const struct gcpu_snapshot *s)
{
	jw_key(j, "host");
	jw_object(j, true);
	jw_key_string(j, "vendor", s->vendor);
	jw_key_string(j, "cpu", s->brand);
	jw_key_string(j, "microcode", s->microcode);
	jw_key_string(j, "kernel", s->kernel);
	jw_key_string(j, "module", s->module);
	jw_key(j, "parameters");
	jw_array(j, true);
	for (size_t i = 0; i < s->params.n; i++) {
		const struct snap_param *p = LIST_AT(&s->params, struct snap_param, i);

		jw_object(j, false);
		jw_key_string(j, "module", p->module);
		jw_key_string(j, "name", p->name);
		jw_key_string(j, "value", p->value);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	if (s->cores.n) {
		jw_key(j, "cores");
		jw_array(j, true);
		for (size_t i = 0; i < s->cores.n; i++) {
			const struct snap_core *c = LIST_AT(&s->cores, struct snap_core, i);

			jw_object(j, false);
			jw_key_hex(j, "midr", c->midr);
			jw_key_int(j, "cpus", c->cpus);
			jw_close(j, '}');
		}
		jw_close(j, ']');
	}
	jw_close(j, '}');
}

/* What a computed one takes for given. */
static void write_assumed(struct json *j, const struct gcpu_snapshot *s)
{
	jw_key(j, "assumed");
	jw_array(j, true);
	for (size_t i = 0; i < s->assumed.n; i++) {
		const struct snap_assumed *a = LIST_AT(&s->assumed, struct snap_assumed, i);

		jw_object(j, false);
		jw_key_string(j, "what", a->what);
		jw_key_string(j, "value", a->value);
		jw_key_string(j, "why", a->why);
		jw_close(j, '}');
	}
	jw_close(j, ']');
}

static void write_caps(struct json *j, const char *key, const struct list *l)
{
	jw_key(j, key);
	jw_array(j, false);
	for (size_t i = 0; i < l->n; i++) {
		const struct snap_cap *c = LIST_AT(l, struct snap_cap, i);

		jw_array(j, false);
		jw_int(j, c->number);
		jw_int(j, c->value);
		jw_close(j, ']');
	}
	jw_close(j, ']');
}

static void write_msrs(struct json *j, const struct gcpu_snapshot *s)
{
	jw_key(j, "msrs");
	jw_object(j, true);
	jw_key(j, "index");
	jw_array(j, false);
	for (size_t i = 0; i < s->msr_indexes.n; i++)
		jw_hex(j, *LIST_AT(&s->msr_indexes, uint32_t, i));
	jw_close(j, ']');
	jw_key(j, "features");
	jw_array(j, true);
	for (size_t i = 0; i < s->msr_features.n; i++) {
		const struct snap_msr *m = LIST_AT(&s->msr_features, struct snap_msr, i);

		jw_object(j, false);
		jw_key_hex(j, "index", m->index);
		jw_key_hex(j, "value", m->value);
		if (m->trial != MSR_UNTRIED)
			jw_key_bool(j, "accepted", m->trial == MSR_ACCEPTED);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_close(j, '}');
}

static void write_x86(struct json *j, const struct gcpu_snapshot *s, bool named)
{
	jw_key(j, "cpuid");
	jw_object(j, true);
	for (int t = SNAP_SUPPORTED; t <= SNAP_VARIES; t++)
		write_table(j, s, t);
	jw_close(j, '}');
	write_msrs(j, s);
	/* calibrated anew at every boot: of use, but no part of what the host is */
	if (named) {
		jw_key(j, "tsc");
		jw_object(j, false);
		if (s->has_tsc_khz)
			jw_key_int(j, "khz", (int64_t)s->tsc_khz);
		jw_close(j, '}');
	}
	jw_key(j, "xcomp");
	jw_object(j, false);
	if (s->has_xcomp) {
		jw_key_hex(j, "supported", s->xcomp_supported);
		jw_key_hex(j, "permitted", s->xcomp_permitted);
	}
	jw_close(j, '}');
	if (s->has_mce) {
		jw_key(j, "mce");
		jw_object(j, false);
		jw_key_hex(j, "supported", s->mce_supported);
		jw_close(j, '}');
	}
	if (!s->has_trial)
		return;
	jw_key(j, "trial");
	jw_object(j, true);
	jw_key_int(j, "enforce_pv_errno", s->enforce_pv_error);
	write_table(j, s, SNAP_TRIAL_ZEROS);
	write_table(j, s, SNAP_TRIAL_ONES);
	write_table(j, s, SNAP_TRIAL_BARE);
	jw_close(j, '}');
}

static void write_inits(struct json *j, const struct gcpu_snapshot *s)
{
	jw_key(j, "vcpu_init");
	jw_object(j, true);
	jw_key_int(j, "target", s->target);
	jw_key_hex(j, "features", s->init_features);
	jw_key(j, "tried");
	jw_array(j, true);
	for (size_t i = 0; i < s->inits.n; i++) {
		const struct snap_init *t = LIST_AT(&s->inits, struct snap_init, i);

		jw_object(j, false);
		jw_key_hex(j, "features", t->features);
		jw_key_int(j, "errno", t->error);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_close(j, '}');
}

static void write_registers(struct json *j, const struct gcpu_snapshot *s)
{
	jw_key(j, "registers");
	jw_array(j, true);
	for (size_t i = 0; i < s->regs.n; i++) {
		const struct snap_reg *r = LIST_AT(&s->regs, struct snap_reg, i);

		jw_object(j, false);
		jw_key_hex(j, "id", r->id);
		if (r->n_words) {
			jw_key(j, "value");
			jw_array(j, false);
			for (unsigned w = 0; w < r->n_words; w++)
				jw_hex(j, r->value[w]);
			jw_close(j, ']');
		}
		if (r->error)
			jw_key_int(j, "errno", r->error);
		if (r->has_mask)
			jw_key_hex(j, "mask", r->mask);
		jw_close(j, '}');
	}
	jw_close(j, ']');
}

/* What was accepted and read back as something else: [written, read]. */
static void write_changed(struct json *j, const struct snap_nibble *n)
{
	jw_key(j, "read");
	jw_array(j, false);
	for (unsigned v = 0; v < 16; v++) {
		if (!(n->changed >> v & 1))
			continue;
		jw_array(j, false);
		jw_int(j, v);
		jw_int(j, n->read[v]);
		jw_close(j, ']');
	}
	jw_close(j, ']');
}

static void write_devices(struct json *j, const struct gcpu_snapshot *s)
{
	jw_key(j, "devices");
	jw_array(j, true);
	for (size_t i = 0; i < s->devices.n; i++) {
		const struct snap_device *d = LIST_AT(&s->devices, struct snap_device, i);

		jw_object(j, false);
		jw_key_int(j, "type", d->type);
		jw_key_int(j, "errno", d->error);
		jw_close(j, '}');
	}
	jw_close(j, ']');
}

static void write_nibbles(struct json *j, const struct gcpu_snapshot *s)
{
	jw_key(j, "trial");
	jw_object(j, true);
	jw_key(j, "nibbles");
	jw_array(j, true);
	for (size_t i = 0; i < s->nibbles.n; i++) {
		const struct snap_nibble *n = LIST_AT(&s->nibbles, struct snap_nibble, i);

		jw_object(j, false);
		jw_key_hex(j, "id", n->id);
		jw_key_int(j, "lsb", n->lsb);
		jw_key_hex(j, "accepted", n->accepted);
		jw_key_hex(j, "changed", n->changed);
		jw_key_int(j, "errno", n->error);
		if (n->changed)
			write_changed(j, n);
		jw_close(j, '}');
	}
	jw_close(j, ']');
	jw_close(j, '}');
}

static void write_arm64(struct json *j, const struct gcpu_snapshot *s)
{
	write_devices(j, s);
	write_inits(j, s);
	write_registers(j, s);
	if (s->has_trial)
		write_nibbles(j, s);
}

static int write_document(const struct gcpu_snapshot *s, bool named, gcpu_write write, void *ctx)
{
	struct json j;

	jw_start(&j, write, ctx);
	jw_object(&j, true);
	jw_key_string(&j, "schema", "guestcpu.snapshot");
	jw_key_int(&j, "version", 1);
	jw_key_string(&j, "arch", gcpu_arch_name(s->arch));
	if (named) {
		jw_key_string(&j, "name", s->name);
		jw_key_string(&j, "hash", gcpu_snapshot_hash(s));
	}
	if (s->guest_view)
		jw_key_string(&j, "view", "guest");
	if (s->computed)
		jw_key_string(&j, "origin", "computed");
	write_host(&j, s);
	if (s->computed)
		write_assumed(&j, s);
	jw_key(&j, "capabilities");
	jw_object(&j, true);
	write_caps(&j, "system", &s->caps_system);
	write_caps(&j, "vm", &s->caps_vm);
	jw_close(&j, '}');
	if (s->arch == GCPU_ARCH_X86)
		write_x86(&j, s, named);
	else
		write_arm64(&j, s);
	jw_close(&j, '}');
	return jw_end(&j);
}

int snapshot_seal(struct gcpu_snapshot *s)
{
	struct sha256 sha;
	int status;

	sha256_start(&sha);
	status = write_document(s, false, sha256_write, &sha);
	if (status)
		return status;
	sha256_text(&sha, s->hash + 7);
	memcpy(s->hash + 1, "ha256:", 6);
	__atomic_store_n(&s->hash[0], 's', __ATOMIC_RELEASE); /* now it is there for others */
	return 0;
}

int gcpu_snapshot_write(const struct gcpu_snapshot *s, gcpu_write write, void *ctx)
{
	if (!s || !write)
		return GCPU_ERR_ARGUMENT;
	return write_document(s, true, write, ctx);
}
