/* SPDX-License-Identifier: MIT */
/* vCPUs of arm64: made ready, their registers, their attributes. */
#include "arm64.h"
#include "facts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define REGS_MOST 2000

/* arg0 features, arg1 another word's, arg2 the target instead + 1, arg3 1: no pointer */
void make_init(struct maker *m, struct step *s)
{
	uint64_t usual = m->host->init_features;

	s->arg[0] = chance(&m->r, 50) ? usual : usual & random_next(&m->r);
	if (chance(&m->r, 25))
		s->arg[0] ^= 1ULL << below(&m->r, chance(&m->r, 80) ? 10 : 32);
	s->arg[1] = chance(&m->r, 2) ? odd_number(&m->r) & 0xffffffff : 0;
	s->arg[2] = chance(&m->r, 4) ? 1 + below(&m->r, 8) : 0;
	s->arg[3] = chance(&m->r, 1);
	m->init = true;
}

void run_init(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_arm_vcpu_init init = { .target = s->arg[2] ? (uint32_t)s->arg[2] - 1 : w->d->host->target,
					 .features = { (uint32_t)s->arg[0], (uint32_t)s->arg[1] } };

	/* the guest's code loses its registers: it begins again */
	guest_close(w);
	w->keep[vcpu_number(w, s)][0] = 0;
	a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_ARM_VCPU_INIT, s, &init);
}

void print_init(FILE *to, const struct step *s)
{
	fprintf(to, " features %#" PRIx64 " %#" PRIx64, s->arg[0], s->arg[1]);
	if (s->arg[2])
		fprintf(to, ", target %" PRIu64, s->arg[2] - 1);
	if (s->arg[3])
		fputs(", a bad pointer", to);
}

void make_finalize(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 80) ? 4 : odd_number(&m->r) & 0x7fffffff;
	s->arg[3] = chance(&m->r, 2);
}

void run_finalize(struct side *w, const struct step *s, struct answer *a)
{
	int feature = (int)s->arg[0];

	a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_ARM_VCPU_FINALIZE, s, &feature);
}

void make_reg_list(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 60) ? REGS_MOST : below(&m->r, 3);
	s->arg[3] = chance(&m->r, 3);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void run_reg_list(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_reg_list *list = calloc(1, sizeof(*list) + REGS_MOST * sizeof(list->reg[0]));

	a->lost |= !list;
	if (!list)
		return;
	list->n = s->arg[0] > REGS_MOST ? REGS_MOST : s->arg[0];
	a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_GET_REG_LIST, s, list);
	say(a, "registers", 0, 0, list->n);
	if (a->status >= 0)
		qsort(list->reg, list->n < REGS_MOST ? list->n : REGS_MOST, sizeof(list->reg[0]), by_id);
	for (uint64_t i = 0; a->status >= 0 && i < list->n && i < REGS_MOST; i++)
		say(a, "register %x", (uint32_t)i, 0, list->reg[i]);
	free(list);
}

/* Registers of features, of the firmware, and the vector lengths; of others only that they are there. */
static bool compared(uint64_t id)
{
	uint64_t kind = id & GK_REG_ARM_KIND_MASK;

	/* op0 3, op1 0, 1 or 3, CRn 0 */
	return kind == GK_REG_ARM_FW || kind == GK_REG_ARM_FW_FEAT_BMAP || id == GK_REG_ARM64_SVE_VLS ||
	       (kind == GK_REG_ARM64_SYSREG && (id >> 14 & 3) == 3 && (id >> 11 & 7) != 2 && !(id >> 7 & 15));
}

static void say_reg(struct side *w, int fd, uint64_t id, struct answer *a)
{
	uint64_t value[32];
	struct gk_one_reg reg = { id, (uintptr_t)value };
	unsigned n = 1U << ((id & GK_REG_SIZE_MASK) >> GK_REG_SIZE_SHIFT);
	int status;

	memset(value, 0, sizeof(value));
	status = ask(w, fd, GK_GET_ONE_REG, &reg);
	say(a, "reading %x", (uint32_t)id, 0, (uint64_t)(int64_t)status);
	for (unsigned i = 0; status >= 0 && compared(id) && i < (n + 7) / 8 && i < COUNT(value); i++)
		say(a, "register id %x, word %x", (uint32_t)id, i, value[i]);
}

static uint64_t some_reg(struct maker *m)
{
	const struct list *regs = &m->host->regs;
	uint64_t id = GK_REG_ARM_PSCI_VERSION;

	for (unsigned tries = 0; tries < 20 && regs->n; tries++) {
		id = LIST_AT(regs, struct snap_reg, below(&m->r, (unsigned)regs->n))->id;
		/* most are registers of features */
		if (chance(&m->r, 15) || (id & GK_REG_ARM_KIND_MASK) == GK_REG_ARM_FW ||
		    (id & GK_REG_ARM_KIND_MASK) == GK_REG_ARM_FW_FEAT_BMAP ||
		    ((id & GK_REG_ARM_KIND_MASK) == GK_REG_ARM64_SYSREG && (id >> 14 & 3) == 3 && !(id >> 7 & 15)))
			break;
	}
	if (chance(&m->r, 3))
		id ^= 1ULL << below(&m->r, 64);
	return id;
}

/* arg0 id, arg3 1: no pointer, 2: none for the value */
void make_get_reg(struct maker *m, struct step *s)
{
	s->arg[0] = some_reg(m);
	s->arg[3] = chance(&m->r, 3) ? 1 + below(&m->r, 2) : 0;
}

void run_get_reg(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_one_reg reg = { s->arg[0], NOWHERE };

	if (s->arg[3] == 1)
		a->status = ask_number(w, vcpu_of(w, s), GK_GET_ONE_REG, NOWHERE);
	else if (s->arg[3] == 2)
		a->status = ask(w, vcpu_of(w, s), GK_GET_ONE_REG, &reg);
	else
		say_reg(w, vcpu_of(w, s), s->arg[0], a);
}

/* arg0 id, arg1 bits to flip, arg2 1 + value instead of the one there is. Items: nibble, its value. */
void make_set_reg(struct maker *m, struct step *s)
{
	uint64_t kind;

	do {
		s->arg[0] = some_reg(m);
		kind = s->arg[0] & GK_REG_ARM_KIND_MASK;
		/* what the guest's code lives by is left alone, see the exclusions */
	} while (kind != GK_REG_ARM_FW && kind != GK_REG_ARM_FW_FEAT_BMAP &&
		 (kind != GK_REG_ARM64_SYSREG || (s->arg[0] >> 14 & 3) != 3 || (s->arg[0] >> 7 & 15)));
	if (kind != GK_REG_ARM64_SYSREG && chance(&m->r, 60))
		s->arg[1] = chance(&m->r, 60) ? 1ULL << below(&m->r, 4) : 1ULL << below(&m->r, 18);
	else if (chance(&m->r, 70))
		s->n = 1 + (chance(&m->r, 20) ? 1 : 0);
	else
		s->arg[1] = chance(&m->r, 30) ? 0 : odd_number(&m->r);
	for (unsigned i = 0; i < s->n; i++) {
		s->item[i].part[0] = below(&m->r, 16);
		s->item[i].part[1] = chance(&m->r, 70) ? below(&m->r, 4) : below(&m->r, 16);
	}
	if (!s->n && chance(&m->r, 15))
		s->arg[2] = 1 + odd_number(&m->r);
	s->arg[3] = chance(&m->r, 2) ? 1 + below(&m->r, 2) : 0;
}

void run_set_reg(struct side *w, const struct step *s, struct answer *a)
{
	int fd = vcpu_of(w, s);
	uint64_t value[32];
	struct gk_one_reg reg = { s->arg[0], (uintptr_t)value };

	memset(value, 0, sizeof(value));
	say(a, "reading first", 0, 0, (uint64_t)(int64_t)ask(w, fd, GK_GET_ONE_REG, &reg));
	value[0] = s->arg[2] ? s->arg[2] - 1 : value[0] ^ s->arg[1];
	for (unsigned i = 0; i < s->n; i++) {
		unsigned lsb = 4 * (unsigned)(s->item[i].part[0] & 15);

		value[0] = (value[0] & ~(15ULL << lsb)) | (s->item[i].part[1] & 15) << lsb;
	}
	if (s->arg[3] == 2)
		reg.addr = NOWHERE;
	a->status = ask_or_nowhere(w, fd, GK_SET_ONE_REG, s, &reg);
	say_reg(w, fd, s->arg[0], a);
}

void print_reg(FILE *to, const struct step *s)
{
	for (unsigned i = 0; i < gcpu_facts_arm64.n_words; i++) {
		uint64_t addr = gcpu_facts_arm64.words[i].addr;

		if ((ADDR_SPACE(addr) == SPACE_REG || ADDR_SPACE(addr) == SPACE_FW) && ADDR_ONE_REG(addr) == s->arg[0])
			fprintf(to, " %s", gcpu_facts_arm64.words[i].name);
	}
	fprintf(to, " %#" PRIx64, s->arg[0]);
	if (s->arg[2])
		fprintf(to, " = %#" PRIx64, s->arg[2] - 1);
	else if (s->arg[1])
		fprintf(to, " ^ %#" PRIx64, s->arg[1]);
	for (unsigned i = 0; i < s->n; i++)
		fprintf(to, ", bits %u = %" PRIu64, 4 * (unsigned)(s->item[i].part[0] & 15), s->item[i].part[1] & 15);
	if (s->arg[3])
		fputs(", a bad pointer", to);
}

/* arg0 bits to flip of the first word, arg1 of the second, arg2 the last's */
void make_vls(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 70) ? (1ULL << below(&m->r, 17)) - 1 : odd_number(&m->r);
	s->arg[1] = chance(&m->r, 5) ? odd_number(&m->r) : 0;
	s->arg[2] = chance(&m->r, 5) ? odd_number(&m->r) : 0;
}

void run_vls(struct side *w, const struct step *s, struct answer *a)
{
	uint64_t value[GK_ARM64_SVE_VLS_WORDS];
	struct gk_one_reg reg = { GK_REG_ARM64_SVE_VLS, (uintptr_t)value };
	int fd = vcpu_of(w, s);

	memset(value, 0, sizeof(value));
	say(a, "reading first", 0, 0, (uint64_t)(int64_t)ask(w, fd, GK_GET_ONE_REG, &reg));
	value[0] ^= s->arg[0];
	value[1] ^= s->arg[1];
	value[GK_ARM64_SVE_VLS_WORDS - 1] ^= s->arg[2];
	a->status = ask(w, fd, GK_SET_ONE_REG, &reg);
	say_reg(w, fd, GK_REG_ARM64_SVE_VLS, a);
}

/* Everything that KVM lists. */
void run_all_regs(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_reg_list *list = calloc(1, sizeof(*list) + REGS_MOST * sizeof(list->reg[0]));

	a->lost |= !list;
	if (!list)
		return;
	list->n = REGS_MOST;
	a->status = ask(w, vcpu_of(w, s), GK_GET_REG_LIST, list);
	say(a, "registers", 0, 0, list->n);
	if (a->status >= 0)
		qsort(list->reg, list->n < REGS_MOST ? list->n : REGS_MOST, sizeof(list->reg[0]), by_id);
	for (uint64_t i = 0; a->status >= 0 && i < list->n && i < REGS_MOST; i++) {
		say(a, "register %x", (uint32_t)i, 0, list->reg[i]);
		say_reg(w, vcpu_of(w, s), list->reg[i], a);
	}
	free(list);
}

/* arg0 request 0 set 1 get 2 has, arg1 group, arg2 attribute, arg3 value */
void make_vcpu_attr(struct maker *m, struct step *s)
{
	static const uint32_t irqs[] = { 0, 7, 16, 23, 26, 27, 30, 31, 32, 100, 1019, 1020 };

	s->arg[0] = chance(&m->r, 70) ? 0 : 1 + below(&m->r, 2);
	s->arg[1] = chance(&m->r, 95) ? below(&m->r, 3) : below(&m->r, 6);
	s->arg[2] = below(&m->r, chance(&m->r, 90) ? 2 : 6);
	/* other PMUs than the host's first, and filters of events, are not modelled: see the exclusions */
	if (s->arg[1] == GK_ARM_VCPU_PMU_V3_CTRL && s->arg[2] > GK_ARM_VCPU_PMU_V3_INIT && !s->arg[0])
		s->arg[2] = GK_ARM_VCPU_PMU_V3_INIT;
	s->arg[3] = s->arg[1] == GK_ARM_VCPU_PVTIME_CTRL ? 0x40000000ULL + (chance(&m->r, 80) ? 64 * below(&m->r, 8) : below(&m->r, 64)) :
							   irqs[below(&m->r, COUNT(irqs))];
}

void run_vcpu_attr(struct side *w, const struct step *s, struct answer *a)
{
	static const unsigned long requests[] = { GK_SET_DEVICE_ATTR, GK_GET_DEVICE_ATTR, GK_HAS_DEVICE_ATTR };
	uint64_t value = s->arg[3];
	struct gk_device_attr attr = { .group = (uint32_t)s->arg[1], .attr = s->arg[2], .addr = (uintptr_t)&value };

	a->status = ask(w, vcpu_of(w, s), requests[s->arg[0] % 3], &attr);
	if (s->arg[0] % 3 == 1 && a->status >= 0)
		say(a, "value", 0, 0, value);
}

void make_arm_mp_state(struct maker *m, struct step *s)
{
	s->arg[0] = chance(&m->r, 60) ? (chance(&m->r, 50) ? GK_MP_STATE_RUNNABLE : GK_MP_STATE_STOPPED) : below(&m->r, 12);
	s->arg[3] = chance(&m->r, 2);
}
