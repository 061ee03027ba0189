/* SPDX-License-Identifier: MIT */
/*
 * Another kernel's KVM on the same host: masks and switches are that kernel's (data/arm64/masks.txt,
 * capabilities.txt), limits stay the host's own, and so do registers that are not the firmware's.
 */
#include "series.h"

#include "../supported.h"
#include "arm64.h"

#include <stdlib.h>
#include <string.h>

#define PSCI_1_1 (1U << 16 | 1U)
#define PSCI_1_3 (1U << 16 | 3U)

static const struct facts *const facts = &gcpu_facts_arm64;

static int copy(const struct gcpu_snapshot *from, struct gcpu_snapshot **ret, struct gcpu_error *err)
{
	struct buffer b = { NULL, 0, 0 };
	int status = gcpu_snapshot_write(from, buffer_append, &b);

	status = status ? error_memory(err) : gcpu_snapshot_parse(b.at, b.n, ret, err);
	free(b.at);
	return status;
}

static uint64_t mask_of(const struct gcpu_model *m, uint64_t id)
{
	for (unsigned i = 0; i < facts->n_masks; i++)
		if (facts->masks[i].release == m->release && facts->words[facts->masks[i].word].addr == id)
			return facts->masks[i].mask;
	return 0;
}

static bool has_masks(const struct gcpu_model *m)
{
	for (unsigned i = 0; i < facts->n_masks; i++)
		if (facts->masks[i].release == m->release)
			return true;
	return false;
}

/* AArch32's: op1 0, CRm 1 to 3. */
static bool is_aarch32(uint64_t id)
{
	unsigned crm = (unsigned)(id >> 3) & 15;

	return !(id >> 11 & 7) && crm >= 1 && crm <= 3;
}

static void masks(const struct gcpu_model *m, struct gcpu_snapshot *s)
{
	bool aarch32 = predict_vm_of(m->host).flags & EXCEPTION_AARCH32, told = has_masks(m);

	for (size_t i = 0; i < s->regs.n; i++) {
		struct snap_reg *r = LIST_AT(&s->regs, struct snap_reg, i);

		if (!arm64_is_id(r->id))
			continue;
		r->has_mask = told;
		r->mask = is_aarch32(r->id) && !aarch32 ? 0 : mask_of(m, r->id);
	}
}

static int by_number(const void *a, const void *b)
{
	const struct snap_cap *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* A list of capabilities without those that come later, and with those that have come. */
static int switches(const struct gcpu_model *m, struct list *caps)
{
	for (unsigned i = 0; i < facts->n_switches; i++) {
		const struct switch_fact *f = &facts->switches[i];
		struct snap_cap *at = NULL;

		for (size_t k = 0; k < caps->n; k++)
			if (LIST_AT(caps, struct snap_cap, k)->number == f->number)
				at = LIST_AT(caps, struct snap_cap, k);
		if (m->release >= f->since && !at) {
			at = list_add(caps, sizeof(*at));
			if (!at)
				return -ENOMEM;
			*at = (struct snap_cap){ f->number, f->value };
		} else if (m->release < f->since && at) {
			*at = *LIST_AT(caps, struct snap_cap, --caps->n);
		}
	}
	if (caps->n)
		qsort(caps->items, caps->n, sizeof(struct snap_cap), by_number);
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct snap_reg *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int firmware(const struct gcpu_model *m, struct gcpu_snapshot *s)
{
	struct snap_reg *second = NULL;

	for (size_t i = 0; i < s->regs.n; i++) {
		struct snap_reg *r = LIST_AT(&s->regs, struct snap_reg, i);

		if (r->id == GK_REG_ARM_PSCI_VERSION)
			r->value[0] = sw_behaves(m, BEHAVIOUR_PSCI_OF_2024) ? PSCI_1_3 : PSCI_1_1;
		if (r->id == GK_REG_ARM_VENDOR_HYP_BMAP_2)
			second = r;
	}
	if (sw_behaves(m, BEHAVIOUR_VENDOR_FUNCTIONS_2) == (second != NULL))
		return 0;
	if (second) {
		*second = *LIST_AT(&s->regs, struct snap_reg, --s->regs.n);
	} else {
		second = list_add(&s->regs, sizeof(*second));
		if (!second)
			return -ENOMEM;
		*second = (struct snap_reg){ .id = GK_REG_ARM_VENDOR_HYP_BMAP_2, .n_words = 1 };
	}
	qsort(s->regs.items, s->regs.n, sizeof(struct snap_reg), by_id);
	return 0;
}

static int compute(const struct gcpu_model *m, const char *release, struct gcpu_snapshot *s)
{
	free(s->kernel);
	s->kernel = text_copy(release, strlen(release));
	if (!s->kernel)
		return -ENOMEM;
	s->computed = true;
	s->has_trial = false;
	list_free(&s->nibbles);
	list_free(&s->inits);
	masks(m, s);
	if (switches(m, &s->caps_system) || switches(m, &s->caps_vm) || firmware(m, s) ||
	    snapshot_assume(s, "registers", "the host's own", "another kernel may show more of the CPU, or less"))
		return -ENOMEM;
	return snapshot_seal(s);
}

int series_compute(struct gcpu_model *m, struct gcpu_error *err)
{
	const char *release = supported_release(m->series, err);
	int status;

	if (!release)
		return GCPU_ERR_NAME;
	for (unsigned i = 0; i < facts->n_switches; i++)
		if (facts->switches[i].number == CAP_ARM_SUPPORTED_REG_MASK_RANGES &&
		    m->release >= facts->switches[i].since && !has_masks(m))
			return error_set(err, GCPU_ERR_ARGUMENT, "nothing is known of the masks of Linux %.40s", m->series);
	status = copy(m->host, &m->computed, err);
	if (status)
		return status;
	if (compute(m, release, m->computed))
		return error_memory(err);
	m->host = m->computed;
	return 0;
}
