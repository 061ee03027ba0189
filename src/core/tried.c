/* SPDX-License-Identifier: MIT */
/* What the trial of a snapshot knows of the values of one field, and what KVM's mask says of it. */
#include "plan.h"

#include <guestcpu/catalogue.h>
#include <string.h>

/* The nibble that has the whole field, or NULL. */
static const struct snap_nibble *nibble_of(const struct gcpu_snapshot *s, const struct field_fact *f, uint64_t id)
{
	unsigned lsb = f->lsb & ~3U;

	return f->lsb - lsb + f->width > 4 ? NULL : snapshot_nibble(s, id, lsb);
}

static void count_values(struct gcpu_tried *t, const struct field_fact *f, const struct snap_nibble *n, uint64_t value)
{
	unsigned shift = f->lsb & 3U;

	for (uint64_t v = 0; v <= field_mask(f); v++) {
		unsigned at = (unsigned)((value >> n->lsb & 15 & ~(field_mask(f) << shift)) | v << shift);

		t->values++;
		if (n->accepted >> at & 1)
			t->taken |= 1U << v;
		else if (n->changed >> at & 1)
			t->changed |= 1U << v;
	}
}

int gcpu_snapshot_tried(const struct gcpu_snapshot *snapshot, const char *name, struct gcpu_tried *ret)
{
	struct gcpu_tried t = { 0 };
	const struct facts *facts;
	const struct name_fact *found;
	const struct feature_fact *ff;
	const struct field_fact *f;
	const struct snap_nibble *n;
	const struct snap_reg *r;

	if (!snapshot || !name || !ret || ret->size != sizeof(*ret))
		return GCPU_ERR_ARGUMENT;
	facts = arch_of(snapshot->arch)->facts;
	found = name_find(facts, name, strlen(name));
	ff = found ? &facts->features[found->feature] : NULL;
	if (!ff || ff->n != 1)
		return GCPU_ERR_NAME;
	f = &facts->fields[facts->targets[ff->first].field];
	r = snapshot_word(snapshot, facts->words[f->word].addr);
	t.size = sizeof(t);
	if (r && r->n_words) {
		t.own = r->value[0] >> f->lsb & field_mask(f);
		t.has_mask = r->has_mask;
		t.in_mask = r->has_mask && (r->mask >> f->lsb & field_mask(f)) == field_mask(f);
		n = nibble_of(snapshot, f, r->id);
		if (n)
			count_values(&t, f, n, r->value[0]);
	}
	*ret = t;
	return 0;
}
