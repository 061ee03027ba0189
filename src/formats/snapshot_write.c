/* SPDX-License-Identifier: MIT */
/* The canonical snapshot document. */
#include "core/snapshot.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

static const char *const table_keys[SNAP_TABLES] = {
	"supported", "emulated", "hyperv", "native", "varies", "zeros", "ones",
};

static void write_table(struct json *j, const struct gcpu_snapshot *s, enum snap_tables t)
{
	const struct list *l = &s->cpuid[t];

	json_key(j, table_keys[t]);
	json_array(j, true);
	for (size_t i = 0; i < l->n; i++) {
		const struct snap_cpuid *e = LIST_AT(l, struct snap_cpuid, i);

		json_object(j, false);
		json_key_hex(j, "leaf", e->leaf);
		json_key_hex(j, "subleaf", e->subleaf);
		json_key_int(j, "flags", e->flags);
		json_key_hex(j, "eax", e->regs[0]);
		json_key_hex(j, "ebx", e->regs[1]);
		json_key_hex(j, "ecx", e->regs[2]);
		json_key_hex(j, "edx", e->regs[3]);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void write_host(struct json *j, const struct gcpu_snapshot *s)
{
	json_key(j, "host");
	json_object(j, true);
	json_key_string(j, "vendor", s->vendor);
	json_key_string(j, "cpu", s->brand);
	json_key_string(j, "microcode", s->microcode);
	json_key_string(j, "kernel", s->kernel);
	json_key_string(j, "module", s->module);
	json_key(j, "parameters");
	json_array(j, true);
	for (size_t i = 0; i < s->params.n; i++) {
		const struct snap_param *p = LIST_AT(&s->params, struct snap_param, i);

		json_object(j, false);
		json_key_string(j, "module", p->module);
		json_key_string(j, "name", p->name);
		json_key_string(j, "value", p->value);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void write_caps(struct json *j, const char *key, const struct list *l)
{
	json_key(j, key);
	json_array(j, false);
	for (size_t i = 0; i < l->n; i++) {
		const struct snap_cap *c = LIST_AT(l, struct snap_cap, i);

		json_array(j, false);
		json_int(j, c->number);
		json_int(j, c->value);
		json_close(j, ']');
	}
	json_close(j, ']');
}

static void write_msrs(struct json *j, const struct gcpu_snapshot *s)
{
	json_key(j, "msrs");
	json_object(j, true);
	json_key(j, "index");
	json_array(j, false);
	for (size_t i = 0; i < s->msr_indexes.n; i++)
		json_hex(j, *LIST_AT(&s->msr_indexes, uint32_t, i));
	json_close(j, ']');
	json_key(j, "features");
	json_array(j, true);
	for (size_t i = 0; i < s->msr_features.n; i++) {
		const struct snap_msr *m = LIST_AT(&s->msr_features, struct snap_msr, i);

		json_object(j, false);
		json_key_hex(j, "index", m->index);
		json_key_hex(j, "value", m->value);
		if (m->trial != MSR_UNTRIED)
			json_key_bool(j, "accepted", m->trial == MSR_ACCEPTED);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void write_x86(struct json *j, const struct gcpu_snapshot *s)
{
	json_key(j, "cpuid");
	json_object(j, true);
	for (int t = SNAP_SUPPORTED; t <= SNAP_VARIES; t++)
		write_table(j, s, t);
	json_close(j, '}');
	write_msrs(j, s);
	json_key(j, "tsc");
	json_object(j, false);
	if (s->has_tsc_khz)
		json_key_int(j, "khz", (int64_t)s->tsc_khz);
	json_close(j, '}');
	json_key(j, "xcomp");
	json_object(j, false);
	if (s->has_xcomp) {
		json_key_hex(j, "supported", s->xcomp_supported);
		json_key_hex(j, "permitted", s->xcomp_permitted);
	}
	json_close(j, '}');
	if (!s->has_trial)
		return;
	json_key(j, "trial");
	json_object(j, true);
	json_key_int(j, "enforce_pv_errno", s->enforce_pv_error);
	write_table(j, s, SNAP_TRIAL_ZEROS);
	write_table(j, s, SNAP_TRIAL_ONES);
	json_close(j, '}');
}

static void write_inits(struct json *j, const struct gcpu_snapshot *s)
{
	json_key(j, "vcpu_init");
	json_object(j, true);
	json_key_int(j, "target", s->target);
	json_key_hex(j, "features", s->init_features);
	json_key(j, "tried");
	json_array(j, true);
	for (size_t i = 0; i < s->inits.n; i++) {
		const struct snap_init *t = LIST_AT(&s->inits, struct snap_init, i);

		json_object(j, false);
		json_key_hex(j, "features", t->features);
		json_key_int(j, "errno", t->error);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void write_registers(struct json *j, const struct gcpu_snapshot *s)
{
	json_key(j, "registers");
	json_array(j, true);
	for (size_t i = 0; i < s->regs.n; i++) {
		const struct snap_reg *r = LIST_AT(&s->regs, struct snap_reg, i);

		json_object(j, false);
		json_key_hex(j, "id", r->id);
		if (r->n_words) {
			json_key(j, "value");
			json_array(j, false);
			for (unsigned w = 0; w < r->n_words; w++)
				json_hex(j, r->value[w]);
			json_close(j, ']');
		}
		if (r->error)
			json_key_int(j, "errno", r->error);
		if (r->has_mask)
			json_key_hex(j, "mask", r->mask);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void write_nibbles(struct json *j, const struct gcpu_snapshot *s)
{
	json_key(j, "trial");
	json_object(j, true);
	json_key(j, "nibbles");
	json_array(j, true);
	for (size_t i = 0; i < s->nibbles.n; i++) {
		const struct snap_nibble *n = LIST_AT(&s->nibbles, struct snap_nibble, i);

		json_object(j, false);
		json_key_hex(j, "id", n->id);
		json_key_int(j, "lsb", n->lsb);
		json_key_hex(j, "accepted", n->accepted);
		json_key_hex(j, "changed", n->changed);
		json_key_int(j, "errno", n->error);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void write_arm64(struct json *j, const struct gcpu_snapshot *s)
{
	write_inits(j, s);
	write_registers(j, s);
	if (s->has_trial)
		write_nibbles(j, s);
}

static int write_document(const struct gcpu_snapshot *s, bool named, gcpu_write write, void *ctx)
{
	struct json j;

	json_start(&j, write, ctx);
	json_object(&j, true);
	json_key_string(&j, "schema", "guestcpu.snapshot");
	json_key_int(&j, "version", 1);
	json_key_string(&j, "arch", gcpu_arch_name(s->arch));
	if (named) {
		json_key_string(&j, "name", s->name);
		json_key_string(&j, "hash", s->hash);
	}
	write_host(&j, s);
	json_key(&j, "capabilities");
	json_object(&j, true);
	write_caps(&j, "system", &s->caps_system);
	write_caps(&j, "vm", &s->caps_vm);
	json_close(&j, '}');
	if (s->arch == GCPU_ARCH_X86)
		write_x86(&j, s);
	else
		write_arm64(&j, s);
	json_close(&j, '}');
	return json_end(&j);
}

int snapshot_seal(struct gcpu_snapshot *s)
{
	struct sha256 sha;
	int status;

	sha256_start(&sha);
	status = write_document(s, false, sha256_write, &sha);
	if (status)
		return status;
	memcpy(s->hash, "sha256:", 7);
	sha256_text(&sha, s->hash + 7);
	return 0;
}

int gcpu_snapshot_write(const struct gcpu_snapshot *s, gcpu_write write, void *ctx)
{
	if (!s || !write)
		return GCPU_ERR_ARGUMENT;
	return write_document(s, true, write, ctx);
}
