/* SPDX-License-Identifier: MIT */
/* The algebra of one field: less, within, below; from its row alone. */
#include "plan.h"

const char *field_known_as(const struct gcpu_plan *p, unsigned field)
{
	const struct field_state *s = &p->fields[field];
	const struct feature_fact *said = &p->facts->features[s->said_as];
	bool same = said->n == 1;

	/* a group says several things, but what any of several fields tells is one */
	for (unsigned i = 0; i < said->n_terms; i++)
		same = same || p->facts->terms[said->first_term + i].sets;
	return s->said == SAID_VALUE && same ? said->name : p->facts->fields[field].name;
}

static uint32_t part_mask(const struct part_fact *part)
{
	return part->width >= 32 ? UINT32_MAX : (1U << part->width) - 1;
}

uint32_t part_get(const struct part_fact *part, uint32_t reg_value)
{
	return reg_value >> part->lsb & part_mask(part);
}

uint32_t part_put(const struct part_fact *part, uint32_t reg_value, uint32_t value)
{
	uint32_t mask = part_mask(part);

	return (reg_value & ~(mask << part->lsb)) | (value & mask) << part->lsb;
}

bool field_legal(const struct field_fact *f, uint64_t value)
{
	if (f->skip && value >= f->skip && value <= f->skip_to)
		return false;
	return f->is_signed || value >= f->min;
}

/* Where VALUE stands among all values of the field, from the least. */
static uint64_t rank(const struct field_fact *f, uint64_t value)
{
	if (f->none && value == f->none)
		value = f->absent;
	return f->is_signed ? value ^ 1ULL << (f->width - 1) : value;
}

/* All bits up to the highest one of VALUE. */
uint64_t prefix_mask(uint64_t value)
{
	for (unsigned shift = 1; shift < 64; shift *= 2)
		value |= value >> shift;
	return value;
}

bool field_within(const struct field_fact *f, uint64_t value, uint64_t offer)
{
	switch (f->order) {
	case ORDER_FLAG:
	case ORDER_SET:
		return (value & ~offer) == 0;
	case ORDER_PREFIX:
		return value == (offer & prefix_mask(value));
	case ORDER_ABSENCE:
		return (offer & ~value) == 0;
	case ORDER_LOWER:
		return rank(f, value) <= rank(f, offer);
	case ORDER_HIGHER:
		return rank(f, value) >= rank(f, offer);
	case ORDER_HIGHER0:
		return value == 0 || (offer != 0 && value >= offer);
	case ORDER_SAFE:
		return value == offer || value == f->safe;
	default:
		return value == offer;
	}
}

uint64_t field_nearest(const struct field_fact *f, uint64_t value, uint64_t offer)
{
	uint64_t differ = value ^ offer, least = differ & (~differ + 1);

	if (f->order == ORDER_FLAG && f->width == 1)
		return 0;
	/* as far as both are the same */
	if (f->order == ORDER_PREFIX && (offer & (least - 1)))
		return offer & (least - 1);
	return offer;
}

bool field_reaches(const struct field_fact *f, uint64_t value, uint64_t least)
{
	if (f->order == ORDER_SAFE)
		return value == least || (value != f->safe && value >= least);
	if (f->order == ORDER_SET || f->order == ORDER_PREFIX)
		return (least & ~value) == 0;
	return rank(f, value) >= rank(f, least);
}

uint64_t field_below(const struct field_fact *f, uint64_t least)
{
	uint64_t below = (least - 1) & field_mask(f);

	if (f->order == ORDER_SAFE || f->order == ORDER_SET || f->order == ORDER_PREFIX)
		return field_off(f);
	/* Level 0 of an unsigned field has nothing below it. */
	if (!f->is_signed && least == 0)
		return field_off(f);
	if (f->skip && below >= f->skip && below <= f->skip_to)
		below = f->skip - 1;
	if (rank(f, below) < rank(f, f->absent))
		return f->absent;
	return below < f->min && !f->is_signed ? f->absent : below;
}
