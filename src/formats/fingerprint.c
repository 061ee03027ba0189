/* SPDX-License-Identifier: MIT */
/*
 * Firecracker's fingerprints of arm64 in: what one guest had of a CPU. That is less than what
 * KVM offers, and no word about what it lets be changed: a snapshot of a guest's view.
 */
#include "fingerprint.h"

#include "core/facts.h"
#include "facts_gen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGISTERS_MOST = 16384, FEATURES_MOST = 7, BITS_MOST = 128 };

static const char bitmap_form[] = "a string \"0b\" and up to 128 digits 0 or 1";

bool fingerprint_is(const struct node *root)
{
	return doc_is(root, DOC_OBJECT) && !doc_member(root, "schema") && doc_member(root, "guest_cpu_config");
}

/* A bitmap; where LEFT is given, 'x' is a bit that the file leaves alone. Digits above 64 are 0. */
static uint64_t read_bitmap(struct reader *r, const struct node *object, uint64_t *left)
{
	const struct node *v = read_member(r, object, "bitmap", true);
	size_t mark = read_enter(r, "bitmap");
	uint64_t value = 0, open = 0;
	unsigned digits = 0;
	bool high = false;

	if (v && (!doc_is(v, DOC_STRING) || v->n < 3 || v->text[0] != '0' || v->text[1] != 'b'))
		read_fail(r, "not a bitmap", bitmap_form);
	for (unsigned i = 2; v && !r->status && i < v->n; i++) {
		char c = v->text[i];

		/* parts of a number may be set apart */
		if (c == '_')
			continue;
		if ((c != '0' && c != '1' && !(c == 'x' && left)) || digits++ == BITS_MOST) {
			read_fail(r, c == 'x' ? "a bit that is left open" : "not a bitmap", bitmap_form);
			break;
		}
		high |= value >> 63;
		value = value << 1 | (c == '1');
		open = open << 1 | (c == 'x');
	}
	if (!r->status && v && (!digits || high))
		read_fail(r, digits ? "more than 64 bits" : "not a bitmap", bitmap_form);
	if (left)
		*left = open;
	read_leave(r, mark);
	return r->status ? 0 : value;
}

static bool is_register(uint64_t id)
{
	const struct facts *f = &gcpu_facts_arm64;

	for (unsigned i = 0; i < f->n_words; i++) {
		enum space space = ADDR_SPACE(f->words[i].addr);

		if ((space == SPACE_REG || space == SPACE_FW) && ADDR_ONE_REG(f->words[i].addr) == id)
			return true;
	}
	return false;
}

static int by_id(const void *a, const void *b)
{
	const struct snap_reg *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* What describes the CPU is kept; what a guest computes with is not. */
static void read_registers(struct reader *r, const struct node *config, struct gcpu_snapshot *s)
{
	const struct node *a = read_array(r, config, "reg_modifiers", true, REGISTERS_MOST);
	size_t mark = read_enter(r, "reg_modifiers"), i;

	READ_EACH(r, e, i, a) {
		size_t at = read_enter_index(r, i);
		struct snap_reg *out = NULL;
		uint64_t id;

		if (!doc_is(e, DOC_OBJECT))
			read_fail(r, "not an object", "{\"addr\", \"bitmap\"}");
		id = read_hex(r, e, "addr", UINT64_MAX);
		if (!r->status && is_register(id)) {
			out = list_add(&s->regs, sizeof(*out));
			if (!out)
				r->status = error_memory(r->err);
		}
		if (out) {
			out->id = id;
			out->n_words = 1;
			out->value[0] = read_bitmap(r, e, NULL);
		}
		read_leave(r, at);
	}
	if (s->regs.n)
		qsort(s->regs.items, s->regs.n, sizeof(struct snap_reg), by_id);
	for (i = 1; i < s->regs.n && !r->status; i++)
		if (LIST_AT(&s->regs, struct snap_reg, i - 1)->id == LIST_AT(&s->regs, struct snap_reg, i)->id)
			read_fail(r, "a register twice", "each register once");
	if (!r->status && !snapshot_reg(s, gcpu_facts_arm64.words[ARM64_W_ID_AA64PFR0_EL1].addr))
		read_fail(r, "no ID_AA64PFR0_EL1", "the ID registers of a guest");
	read_leave(r, mark);
}

/* Features that Firecracker was told to opt into, or not to; it takes PSCI by itself. Vector
 * lengths are wider than what it writes down: without them SVE cannot be planned. */
static void read_features(struct reader *r, const struct node *config, struct gcpu_snapshot *s)
{
	const struct field_fact *fields = gcpu_facts_arm64.fields;
	const struct node *a = read_array(r, config, "vcpu_features", false, FEATURES_MOST);
	size_t mark = read_enter(r, "vcpu_features"), i;
	uint64_t word = 1ULL << fields[ARM64_F_PSCI_0_2].lsb;

	READ_EACH(r, e, i, a) {
		size_t at = read_enter_index(r, i);
		uint64_t value, left;

		if (!doc_is(e, DOC_OBJECT))
			read_fail(r, "not an object", "{\"index\", \"bitmap\"}");
		if (read_int(r, e, "index", 0, FEATURES_MOST - 1) != 0 && !r->status)
			read_fail(r, "a word of features that is not known", "index 0");
		value = read_bitmap(r, e, &left);
		if (value > UINT32_MAX)
			read_fail(r, "more than 32 bits", bitmap_form);
		word = (word & left) | value;
		read_leave(r, at);
	}
	word &= ~(1ULL << fields[ARM64_F_SVE].lsb | 1ULL << fields[ARM64_F_POWER_OFF].lsb);
	s->init_features = (uint32_t)word;
	read_leave(r, mark);
}

static char *copied(struct reader *r, const char *text)
{
	char *copy = r->status ? NULL : text_copy(text, strlen(text));

	if (!copy && !r->status)
		r->status = error_memory(r->err);
	return copy;
}

static void name_it(struct reader *r, struct gcpu_snapshot *s)
{
	const struct part_fact *maker = &gcpu_facts_arm64.parts[ARM64_PART_MIDR_EL1_IMPLEMENTER];
	const struct snap_reg *midr = snapshot_reg(s, maker->addr);
	char text[GCPU_NAME_MOST + 1];

	if (midr) {
		snprintf(text, sizeof(text), "0x%x", (unsigned)part_get(maker, (uint32_t)midr->value[0]));
		s->vendor = copied(r, text);
	}
	snprintf(text, sizeof(text), "%s-%s-%.150s-guest", gcpu_arch_name(s->arch),
		 s->vendor ? s->vendor : "unknown", s->kernel ? s->kernel : "unknown");
	s->name = copied(r, text);
}

int fingerprint_read(const struct node *root, struct gcpu_snapshot *s, struct gcpu_error *err)
{
	struct reader r = { .err = err };
	const struct node *config = read_object(&r, root, "guest_cpu_config", true);
	size_t mark;

	if (config && !doc_member(config, "reg_modifiers") && doc_member(config, "cpuid_modifiers")) {
		error_set(err, GCPU_ERR_ARCH, "this is a Firecracker fingerprint of x86");
		error_expected(err, "one of arm64, or a snapshot");
		return GCPU_ERR_ARCH;
	}
	s->arch = GCPU_ARCH_ARM64;
	s->guest_view = true;
	s->kernel = read_string(&r, root, "kernel_version", true);
	s->microcode = read_string(&r, root, "microcode_version", false);
	mark = read_enter(&r, "guest_cpu_config");
	if (config) {
		read_features(&r, config, s);
		read_registers(&r, config, s);
	}
	read_leave(&r, mark);
	if (!r.status)
		name_it(&r, s);
	if (!r.status && snapshot_seal(s))
		r.status = error_memory(err);
	return r.status;
}
