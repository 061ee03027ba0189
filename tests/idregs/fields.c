/* SPDX-License-Identifier: MIT */
/* Every field of every ID register, every value: foretold, and what KVM does. */
#include "idregs.h"

/* A field, or bits that no field has. */
struct piece {
	const char *name;
	unsigned lsb, width;
};

/* Wider ones: bounds, neighbours of the limit, every single bit. */
static unsigned samples(unsigned width, uint64_t limit, uint64_t *ret)
{
	uint64_t most = (1ULL << width) - 1;
	unsigned n = 0;

	if (width <= 4) {
		for (uint64_t v = 0; v <= most; v++)
			ret[n++] = v;
		return n;
	}
	ret[n++] = 0;
	ret[n++] = most;
	ret[n++] = most - 1;
	ret[n++] = limit;
	ret[n++] = (limit + 1) & most;
	ret[n++] = (limit - 1) & most;
	for (unsigned bit = 0; bit < width; bit++)
		ret[n++] = limit ^ 1ULL << bit;
	return n;
}

static void compare(struct lab *l, struct vm *vm, struct predict_reg *r, const struct piece *piece,
		    uint64_t v, uint64_t value)
{
	struct prediction p = predict_register(&vm->p, r, value);
	uint64_t got[8] = { 0 };
	int status = call_set_reg(l->kvm, vm->vcpu[0], r->id, &value);
	int error = status < 0 ? -status : 0;

	l->values++;
	status = call_get_reg(l->kvm, vm->vcpu[0], r->id, got);
	if (status < 0 || error != p.error || got[0] != p.value)
		differs(l, "%s: %s = 0x%llx of 0x%llx: errno %d reads 0x%llx, foretold errno %d 0x%llx: %s",
			vm->config->name, piece->name, (unsigned long long)v, (unsigned long long)r->limit, error,
			(unsigned long long)got[0], p.error, (unsigned long long)p.value, predict_text(&p));
	if (got[0] == r->now)
		return;
	status = call_set_reg(l->kvm, vm->vcpu[0], r->id, &r->now);
	if (status < 0)
		differs(l, "%s: %s: does not go back to what it was: errno %d", vm->config->name, piece->name, -status);
}

static void try_piece(struct lab *l, struct vm *vm, struct predict_reg *r, const struct piece *piece)
{
	uint64_t mask = piece->width == 64 ? ~0ULL : (1ULL << piece->width) - 1, values[80];
	unsigned n = samples(piece->width, r->limit >> piece->lsb & mask, values);

	l->fields++;
	for (unsigned i = 0; i < n; i++)
		compare(l, vm, r, piece, values[i], (r->now & ~(mask << piece->lsb)) | values[i] << piece->lsb);
}

static void try_gap(struct lab *l, struct vm *vm, struct predict_reg *r, const char *name, unsigned from,
		    unsigned to)
{
	char text[80];

	for (unsigned lsb = from; lsb < to; lsb = (lsb | 3) + 1) {
		unsigned end = (lsb | 3) + 1 < to ? (lsb | 3) + 1 : to;

		if (name)
			snprintf(text, sizeof(text), "%s bits %u:%u", name, end - 1, lsb);
		else
			snprintf(text, sizeof(text), "0x%llx bits %u:%u", (unsigned long long)r->id, end - 1, lsb);
		try_piece(l, vm, r, &(struct piece){ text, lsb, end - lsb });
	}
}

static void try_register(struct lab *l, struct vm *vm, struct predict_reg *r)
{
	const struct facts *f = &gcpu_facts_arm64;
	const struct word_fact *w = NULL;
	unsigned at = 0;

	for (unsigned i = 0; i < f->n_words; i++)
		if (f->words[i].addr == r->id)
			w = &f->words[i];
	/* a register that KVM cuts into fields and we do not (yet) has nothing to compare */
	if (w && w->klass == CLASS_COPY && r->mask)
		return;
	for (unsigned i = 0; w && i < w->n; i++) {
		const struct field_fact *field = &f->fields[w->first + i];

		try_gap(l, vm, r, w->name, at, field->lsb);
		try_piece(l, vm, r, &(struct piece){ field->name, field->lsb, field->width });
		at = field->lsb + field->width;
	}
	try_gap(l, vm, r, w ? w->name : NULL, at, 64);
}

int predict_fields(struct lab *l, struct vm *vm)
{
	for (unsigned i = 0; i < vm->n; i++)
		if (in_range(vm->reg[i].id))
			try_register(l, vm, &vm->reg[i]);
	return 0;
}
