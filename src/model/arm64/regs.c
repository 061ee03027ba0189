/* SPDX-License-Identifier: MIT */
/* KVM_GET_ONE_REG, KVM_SET_ONE_REG, KVM_GET_REG_LIST: whose register it is, and the ones without rules. */
#include "arm64.h"

#include <string.h>

#define REG_LONGEST 256U /* bytes: an SVE register */
#define CORE_WORDS 216U /* struct kvm_regs, in 32-bit words */
#define CORE_REGS_END 84U /* general registers, and what is banked for exceptions: all of 64 bits */
#define CORE_FP_END 212U /* V0 to V31, of 128 bits */
#define CORE_FPCR_END 214U /* FPSR, FPCR, of 32 bits */
#define PSTATE_RESET 0x3c5U /* D, A, I and F masked, EL1 on its own stack */
#define PSTATE_RESET_32 0x1d3U /* A, I and F masked, supervisor */
#define PSTATE_MODE 0x1fU
#define MODE_32 0x10U
/* What KVM fills registers with whose values nobody may rely on; so far as any VMM sees them: CSSELR_EL1. */
#define UNKNOWN_VALUE 0x1de7ec7edbadc0deULL
#define CSSELR_EL1 GK_ARM64_SYS_REG(3, 2, 0, 0, 0)

static struct arm64_reg *find(const struct arm64_vcpu *x, uint64_t id)
{
	for (size_t i = 0; i < x->regs.n; i++)
		if (LIST_AT(&x->regs, struct arm64_reg, i)->id == id)
			return LIST_AT(&x->regs, struct arm64_reg, i);
	return NULL;
}

const uint64_t *arm64_kept(const struct arm64_vcpu *x, uint64_t id)
{
	const struct arm64_reg *r = find(x, id);

	return r ? r->value : NULL;
}

int arm64_keep(struct arm64_vcpu *x, uint64_t id, const void *value)
{
	struct arm64_reg *r = find(x, id);

	r = r ? r : list_add(&x->regs, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->id = id;
	memset(r->value, 0, sizeof(r->value));
	memcpy(r->value, value, REG_BYTES(id));
	return 0;
}

uint64_t arm64_x(const struct arm64_vcpu *x, unsigned n)
{
	const uint64_t *value = arm64_kept(x, GK_REG_ARM_X(n));

	return value ? *value : 0;
}

int arm64_set_x(struct arm64_vcpu *x, unsigned n, uint64_t value)
{
	return arm64_keep(x, GK_REG_ARM_X(n), &value);
}

int arm64_regs_reset(struct arm64_vcpu *x)
{
	uint64_t pstate = arm64_has(x, ARM64_F_EL1_32BIT) ? PSTATE_RESET_32 : PSTATE_RESET;

	x->regs.n = 0;
	x->was_off = x->serror = false;
	return arm64_keep(x, GK_REG_ARM_PSTATE, &pstate);
}

static const struct span_fact *span_of(uint64_t id)
{
	const struct facts *f = &gcpu_facts_arm64;
	unsigned enc = (unsigned)(id & GK_REG_ARM64_SYSREG_MASK);

	for (unsigned i = 0; i < f->n_spans; i++)
		if (enc >= f->spans[i].first && enc <= f->spans[i].last)
			return &f->spans[i];
	return NULL;
}

int arm64_comes_with(uint64_t id)
{
	const struct span_fact *s = span_of(id);

	return s ? s->field : -1;
}

bool arm64_hidden(const struct arm64_vcpu *x, uint64_t id)
{
	const struct span_fact *s = span_of(id);

	return s && field_is_off(&gcpu_facts_arm64.fields[s->field], arm64_field(x, s->field));
}

/* How long the core register at a word is: bytes, 0 if none begins there. */
static unsigned core_bytes(const struct arm64_vcpu *x, uint64_t word)
{
	if (word < CORE_REGS_END)
		return word % 2 ? 0 : 8;
	/* with SVE they are part of its own */
	if (word < CORE_FP_END)
		return word % 4 || arm64_has(x, ARM64_F_SVE) ? 0 : 16;
	return word < CORE_FPCR_END ? 4 : 0;
}

static int core(const struct arm64_vcpu *x, uint64_t id)
{
	uint64_t word = (uint32_t)id & ~(uint32_t)GK_REG_ARM_CORE;

	if (word >= CORE_WORDS || word + REG_BYTES(id) / 4 >= CORE_WORDS)
		return -ENOENT;
	return core_bytes(x, word) == REG_BYTES(id) ? 0 : -EINVAL;
}

/* May PSTATE have this mode? */
static bool is_mode(const struct arm64_vcpu *x, uint64_t pstate)
{
	static const uint8_t modes_32[] = { 0x11, 0x12, 0x13, 0x17, 0x1b, 0x1f }, modes[] = { 0, 4, 5 };
	bool narrow = arm64_has(x, ARM64_F_EL1_32BIT), aarch32 = arm64_view(x).flags & EXCEPTION_AARCH32;
	unsigned mode = pstate & PSTATE_MODE;

	if (mode == MODE_32)
		return aarch32;
	for (unsigned i = 0; i < sizeof(modes_32); i++)
		if (mode == modes_32[i])
			return narrow;
	for (unsigned i = 0; i < sizeof(modes); i++)
		if (mode == modes[i])
			return !narrow;
	return (mode == 8 || mode == 9) && arm64_has(x, ARM64_F_NESTED) && !narrow;
}

/* Is there such a system register, one that KVM only keeps? */
static int plain(const struct arm64_vcpu *x, uint64_t id)
{
	return arm64_index(arm64_model(x), id) < 0 || arm64_hidden(x, id) ? -ENOENT : 0;
}

static int get(struct arm64_vcpu *x, uint64_t id, uint64_t value[32])
{
	int i = arm64_index(arm64_model(x), id), status = 0;
	const uint64_t *kept = arm64_kept(x, id);

	switch (REG_KIND(id)) {
	case GK_REG_ARM_CORE:
		status = core(x, id);
		break;
	case GK_REG_ARM_FW:
	case GK_REG_ARM_FW_FEAT_BMAP:
		return arm64_get_firmware(x, id, value);
	case GK_REG_ARM64_SVE:
		return arm64_get_sve(x, id, value);
	default:
		if (i >= 0 && arm64_is_id(id)) {
			*value = arm64_id_value(x, i);
			return 0;
		}
		status = plain(x, id);
		/* as KVM makes it, not always 0 */
		if (status == 0)
			*value = id == CSSELR_EL1 ? UNKNOWN_VALUE :
						   LIST_AT(&arm64_model(x)->host->regs, struct snap_reg, i)->value[0];
	}
	if (status == 0 && kept)
		memcpy(value, kept, REG_BYTES(id));
	return status;
}

static int set_core(struct arm64_vcpu *x, uint64_t id, const uint64_t *value)
{
	int status = core(x, id);

	if (status)
		return status;
	return id == GK_REG_ARM_PSTATE && !is_mode(x, *value) ? -EINVAL : arm64_keep(x, id, value);
}

static int set(struct arm64_vcpu *x, uint64_t id, const uint64_t *value)
{
	int i = arm64_index(arm64_model(x), id), status;

	switch (REG_KIND(id)) {
	case GK_REG_ARM_CORE:
		return set_core(x, id, value);
	case GK_REG_ARM_FW:
	case GK_REG_ARM_FW_FEAT_BMAP:
		return arm64_set_firmware(x, id, *value);
	case GK_REG_ARM64_SVE:
		return arm64_set_sve(x, id, value);
	default:
		if (i >= 0 && arm64_is_id(id))
			return arm64_set_id(x, i, *value);
		status = plain(x, id);
		return status ? status : arm64_keep(x, id, value);
	}
}

/* The processor's own, which KVM hands through: it finds them whatever kind of register is asked for. */
static bool is_handed_through(const struct arm64_vcpu *x, uint64_t id)
{
	static const struct {
		uint16_t word;
		uint8_t behaviour;
	} known[] = {
		{ ARM64_W_MIDR_EL1, BEHAVIOUR_MAKER_HANDED_THROUGH },
		{ ARM64_W_REVIDR_EL1, BEHAVIOUR_MAKER_HANDED_THROUGH },
		{ ARM64_W_AIDR_EL1, BEHAVIOUR_MAKER_HANDED_THROUGH },
		{ ARM64_W_CLIDR_EL1, BEHAVIOUR_CLIDR_HANDED_THROUGH },
		{ ARM64_W_CTR_EL0, BEHAVIOUR_CTR_HANDED_THROUGH },
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (gcpu_facts_arm64.words[known[i].word].addr == id)
			return sw_behaves(arm64_model(x), known[i].behaviour);
	return false;
}

/* But where the kind is one that has a place of its own. */
static uint64_t by_name(const struct arm64_vcpu *x, uint64_t id)
{
	static const uint64_t others[] = { GK_REG_ARM_CORE, GK_REG_ARM_DEMUX, GK_REG_ARM_FW, GK_REG_ARM_FW_FEAT_BMAP,
					   GK_REG_ARM64_SVE };
	uint64_t system = (id & ~GK_REG_ARM_KIND_MASK) | GK_REG_ARM64_SYSREG;

	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (REG_KIND(id) == others[i])
			return id;
	return is_handed_through(x, system) ? system : id;
}

/* No register is that long. 0: it may be one. */
static int too_long(const struct arm64_vcpu *x, uint64_t id)
{
	if (REG_BYTES(id) <= REG_LONGEST)
		return 0;
	switch (REG_KIND(id)) {
	case GK_REG_ARM_CORE:
		return core(x, id);
	case GK_REG_ARM64_SVE:
		return -EINVAL;
	default:
		return -ENOENT;
	}
}

/* What both begin with. */
static int begin(struct arm64_vcpu *x, uintptr_t arg, struct gk_one_reg *reg)
{
	if (!x->initialised)
		return -ENOEXEC;
	if (sw_copy_in(reg, arg, sizeof(*reg)))
		return -EFAULT;
	if ((reg->id & ~GK_REG_SIZE_MASK) >> 32 != GK_REG_ARM64 >> 32)
		return -EINVAL;
	reg->id = by_name(x, reg->id);
	return 0;
}

int arm64_get_reg(void *object, uintptr_t arg)
{
	struct arm64_vcpu *x = arm64_vcpu(object);
	uint64_t value[32] = { 0 };
	struct gk_one_reg reg;
	int status = begin(x, arg, &reg);

	if (status == 0)
		status = too_long(x, reg.id);
	if (status == 0)
		status = get(x, reg.id, value);
	return status ? status : sw_copy_out((uintptr_t)reg.addr, value, REG_BYTES(reg.id));
}

/* The system's and the firmware's registers have 64 bits, which are read before anybody looks for the register. */
static bool value_first(uint64_t id)
{
	uint64_t kind = REG_KIND(id);

	if (kind == GK_REG_ARM_FW || kind == GK_REG_ARM_FW_FEAT_BMAP)
		return REG_BYTES(id) == sizeof(uint64_t);
	return kind != GK_REG_ARM_CORE && kind != GK_REG_ARM64_SVE && kind != GK_REG_ARM_DEMUX;
}

int arm64_set_reg(void *object, uintptr_t arg)
{
	struct arm64_vcpu *x = arm64_vcpu(object);
	uint64_t value[32] = { 0 };
	struct gk_one_reg reg;
	int status = begin(x, arg, &reg);

	if (status)
		return status;
	if (value_first(reg.id) && sw_copy_in(value, (uintptr_t)reg.addr, sizeof(value[0])))
		return -EFAULT;
	/* what is not there is told before the value is looked at */
	status = too_long(x, reg.id);
	if (status == 0)
		status = get(x, reg.id, value);
	if (status)
		return status;
	memset(value, 0, sizeof(value));
	if (sw_copy_in(value, (uintptr_t)reg.addr, REG_BYTES(reg.id)))
		return -EFAULT;
	return set(x, reg.id, value);
}

static bool listed(const struct arm64_vcpu *x, uint64_t id)
{
	if (REG_KIND(id) == GK_REG_ARM64_SVE)
		return arm64_lists_sve(x, id);
	if (REG_KIND(id) == GK_REG_ARM_CORE)
		return core(x, id) == 0;
	return REG_KIND(id) != GK_REG_ARM64_SYSREG || arm64_is_id(id) || !arm64_hidden(x, id);
}

/* V0 to V31: a vCPU without SVE has them, and a snapshot of one that has it does not. */
static uint64_t vector(const struct arm64_vcpu *x, unsigned n)
{
	uint64_t id = GK_REG_ARM64 | GK_REG_SIZE_U128 | GK_REG_ARM_CORE | (CORE_REGS_END + 4 * n);

	return core(x, id) == 0 && arm64_index(arm64_model(x), id) < 0 ? id : 0;
}

int arm64_reg_list(void *object, uintptr_t arg)
{
	struct arm64_vcpu *x = arm64_vcpu(object);
	const struct list *regs = &arm64_model(x)->host->regs;
	uint64_t n = 0, room;
	uintptr_t at = arg + sizeof(room);

	if (!x->initialised)
		return -ENOEXEC;
	if (!x->finalised)
		return -EPERM;
	if (sw_copy_in(&room, arg, sizeof(room)))
		return -EFAULT;
	for (size_t i = 0; i < regs->n; i++)
		n += listed(x, LIST_AT(regs, struct snap_reg, i)->id);
	for (unsigned i = 0; i < 32; i++)
		n += vector(x, i) != 0;
	if (sw_copy_out(arg, &n, sizeof(n)))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	if (sw_bad_target(at, n * sizeof(n)))
		return -EFAULT;
	for (unsigned i = 0; i < 32; i++) {
		uint64_t id = vector(x, i);

		if (!id)
			continue;
		memcpy((void *)at, &id, sizeof(id));
		at += sizeof(id);
	}
	for (size_t i = 0; i < regs->n; i++) {
		uint64_t id = LIST_AT(regs, struct snap_reg, i)->id;

		if (!listed(x, id))
			continue;
		memcpy((void *)at, &id, sizeof(id));
		at += sizeof(id);
	}
	return 0;
}
