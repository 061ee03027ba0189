/* SPDX-License-Identifier: MIT */
/*
 * What KVM on arm64 answers, foretold. Every bundled arm64 host recorded what its KVM made of
 * each value of each nibble: the facts alone must foretell all of it.
 */
#include "unit.h"

#include "arch/arm64/predict.h"
#include "kvm/abi_arm64.h"

#include <errno.h>

static unsigned values;

/* By the kind of register: vector lengths were tried before they were settled. */
static struct prediction foretell(const struct gcpu_snapshot *s, const struct predict_vm *vm,
				  const struct predict_reg *r, uint64_t value)
{
	uint64_t kind = r->id & GK_REG_ARM_KIND_MASK, lengths[8] = { value };
	struct predict_vm early = *vm;

	if (kind == GK_REG_ARM_FW || kind == GK_REG_ARM_FW_FEAT_BMAP)
		return predict_firmware(vm, r, value);
	early.state = PREDICT_INITIALISED;
	if (r->id == GK_REG_ARM64_SVE_VLS)
		return predict_sve(&early, snapshot_reg(s, r->id)->value, lengths);
	return predict_register(vm, r, value);
}

static void nibble(const struct gcpu_snapshot *s, const struct snap_nibble *n)
{
	struct predict_vm vm = predict_vm_of(s);
	struct predict_reg r;

	for (unsigned i = 0; i < gcpu_facts_arm64.n_words; i++) {
		const struct word_fact *w = &gcpu_facts_arm64.words[i];

		/* KVM cuts it into fields and we do not */
		if (w->addr == n->id && w->klass == CLASS_COPY && vm.masks == PREDICT_MASKS_TOLD &&
		    snapshot_reg(s, n->id)->mask)
			return;
	}
	if (n->id == GK_REG_ARM64_SVE_VLS && snapshot_reg(s, n->id)) {
		r = (struct predict_reg){ .id = n->id, .limit = snapshot_reg(s, n->id)->value[0] };
	} else if (!predict_reg_of(s, n->id, &r)) {
		CHECK(false, "%s: register %llx was tried and not read", s->name, (unsigned long long)n->id);
		return;
	}
	for (uint64_t v = 0; v < 16; v++) {
		uint64_t value = (r.limit & ~(15ULL << n->lsb)) | v << n->lsb, want = value;
		struct prediction p = foretell(s, &vm, &r, value);
		bool taken = (n->accepted | n->changed) >> v & 1;

		if (n->changed >> v & 1)
			want = (value & ~(15ULL << n->lsb)) | (uint64_t)n->read[v] << n->lsb;
		values++;
		CHECK(!p.error == taken, "%s: %llx bit %u value %llx of %llx: %s (%s), foretold %d", s->name,
		      (unsigned long long)n->id, n->lsb, (unsigned long long)v, (unsigned long long)r.limit,
		      taken ? "taken" : "refused", predict_text(&p), p.error);
		CHECK(!taken || p.value == want, "%s: %llx bit %u value %llx: reads %llx, foretold %llx", s->name,
		      (unsigned long long)n->id, n->lsb, (unsigned long long)v, (unsigned long long)want,
		      (unsigned long long)p.value);
	}
}

/* NULL: no request says that. */
static struct gcpu_plan *plan(const struct gcpu_snapshot *s, const char *text)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *out = NULL;
	struct gcpu_machine machine;
	struct gcpu_error err = { 0 };
	int status = gcpu_request_parse(GCPU_ARCH_ARM64, text, &req, &err);

	gcpu_machine_init(&machine);
	if (status == GCPU_ERR_VALUE)
		return NULL;
	if (status || gcpu_plan_make(s, req, &machine, &out, &err))
		CHECK(false, "%s: %s", text, err.text);
	gcpu_request_free(req);
	return out;
}

/* What was tried and what is foretold come to the same plan, and each says which of them it was. */
static unsigned same_plan(const struct gcpu_snapshot *s, const struct gcpu_snapshot *untried, unsigned field,
			  uint64_t value)
{
	const struct rule_fact *keeps = &gcpu_facts_arm64.rules[RULE_KVM_KEEPS];
	const struct rule_fact *would = &gcpu_facts_arm64.rules[RULE_KVM_WOULD_KEEP];
	const struct rule_fact *last[2];
	struct gcpu_plan *a, *b;
	char text[96];
	unsigned kept;

	snprintf(text, sizeof(text), "host,%s=0x%llx", gcpu_facts_arm64.fields[field].name, (unsigned long long)value);
	a = plan(s, text);
	b = plan(untried, text);
	if (!a || !b) {
		gcpu_plan_free(a);
		gcpu_plan_free(b);
		return 0;
	}
	last[0] = plan_last_rule(a, field);
	last[1] = plan_last_rule(b, field);
	kept = last[0] == keeps;
	CHECK(memcmp(a->value, b->value, gcpu_facts_arm64.n_words * sizeof(a->value[0])) == 0, "%s: %s", s->name, text);
	CHECK(last[1] == (kept ? would : last[0]), "%s: %s: %s, untried %s", s->name, text,
	      last[0] ? last[0]->id : "-", last[1] ? last[1]->id : "-");
	gcpu_plan_free(a);
	gcpu_plan_free(b);
	return kept;
}

/* A snapshot whose trial is left out. */
static void planned(const struct gcpu_snapshot *s)
{
	struct gcpu_snapshot untried = *s;
	unsigned n = 0, kept = 0;

	untried.has_trial = false;
	untried.nibbles = (struct list){ NULL, 0, 0 };
	for (unsigned i = 0; i < gcpu_facts_arm64.n_fields; i++) {
		const struct field_fact *f = &gcpu_facts_arm64.fields[i];
		const struct snap_reg *r = snapshot_reg(s, gcpu_facts_arm64.words[f->word].addr);
		uint64_t offer = r && r->n_words ? r->value[0] >> f->lsb & field_mask(f) : 0;

		/* what is settled at the first run is a rule's, and wider fields than a nibble were not tried */
		if (!(f->owner & OWNER_CHOSEN) || (f->owner & OWNER_RUNTIME) || !r || f->width > 4 || !offer)
			continue;
		for (uint64_t v = f->min; v < offer; v++, n++)
			kept += same_plan(s, &untried, i, v);
	}
	CHECK(n > 50 && (kept > 0 || predict_vm_of(s).masks == PREDICT_MASKS_TOLD), "%s: %u plans, %u kept", s->name, n, kept);
	printf("%s: %u plans, %u of them with a value that KVM keeps\n", s->name, n, kept);
}

int main(void)
{
	unsigned hosts = 0;

	for (unsigned i = 0; i < gcpu_n_hosts; i++) {
		const struct gcpu_snapshot *s = gcpu_hosts[i].snapshot;

		if (s->arch != GCPU_ARCH_ARM64 || !s->has_trial)
			continue;
		hosts++;
		for (size_t k = 0; k < s->nibbles.n; k++)
			nibble(s, LIST_AT(&s->nibbles, struct snap_nibble, k));
		planned(s);
	}
	CHECK(hosts >= 4 && values > 10000, "%u hosts, %u values", hosts, values);
	printf("%u hosts, %u values\n", hosts, values);
	return unit_end();
}
