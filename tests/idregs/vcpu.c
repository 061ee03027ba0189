/* SPDX-License-Identifier: MIT */
/* What is opted into, vector lengths, firmware, calls out of turn: foretold, and what KVM does. */
#include "idregs.h"

static void same(struct lab *l, const char *what, uint64_t which, int status, const struct prediction *p)
{
	int error = status < 0 ? -status : 0;

	l->values++;
	if (error != p->error)
		differs(l, "%s 0x%llx: errno %d, foretold %d: %s", what, (unsigned long long)which, error, p->error,
			predict_text(p));
}

static int init_word(struct lab *l, bool mte, const uint32_t features[7])
{
	const struct config c = { .name = "init", .mte = mte };
	struct prediction p;
	struct vm vm;
	int status = vm_open(l, &c, 1, false, &vm);

	if (status)
		return status;
	p = predict_init(l->snap, &vm.p, false, features);
	same(l, mte ? "KVM_ARM_VCPU_INIT with MTE" : "KVM_ARM_VCPU_INIT", features[0],
	     lab_init(l, vm.vcpu[0], features), &p);
	vm_close(l, &vm);
	return 0;
}

/* Every bit alone, with every other of those that have a name, and with what this host has. */
static int init_words(struct lab *l, bool mte)
{
	uint32_t all = lab_features(l, 0);
	int status = 0;

	l->fields++;
	for (unsigned a = 0; a < 32 && status == 0; a++) {
		for (unsigned b = a; b < (a < 10 ? 10 : a + 1) && status == 0; b++)
			status = init_word(l, mte, (uint32_t[7]){ 1U << a | 1U << b });
		if (status == 0)
			status = init_word(l, mte, (uint32_t[7]){ all ^ 1U << a });
	}
	for (unsigned i = 1; i < 7 && status == 0; i++) {
		uint32_t features[7] = { all };

		features[i] = 1;
		status = init_word(l, mte, features);
	}
	return status;
}

/* The same vCPU once more, and another one of its VM, with one bit changed. */
static int init_again(struct lab *l)
{
	uint32_t all = lab_features(l, 0);
	const struct config c = { .name = "again", .features = all };
	struct prediction p;
	struct vm vm;
	int status = 0;

	l->fields++;
	for (unsigned bit = 0; bit < 10 && status == 0; bit++) {
		uint32_t word[7] = { all ^ 1U << bit };

		status = vm_open(l, &c, 2, false, &vm);
		if (status)
			return status;
		status = call_vcpu_init(l->kvm, vm.vcpu[0], l->snap->target, all);
		p = predict_init(l->snap, &vm.p, true, word);
		if (status == 0) {
			vm.p.flags |= EXCEPTION_OTHER_VCPU;
			p = predict_init(l->snap, &vm.p, true, word);
			same(l, "KVM_ARM_VCPU_INIT of another vCPU", word[0], lab_init(l, vm.vcpu[1], word), &p);
			vm.p.flags &= ~(unsigned)EXCEPTION_OTHER_VCPU;
			p = predict_init(l->snap, &vm.p, true, word);
			same(l, "KVM_ARM_VCPU_INIT again", word[0], lab_init(l, vm.vcpu[0], word), &p);
		}
		vm_close(l, &vm);
	}
	return status;
}

static void try_lengths(struct lab *l, struct vm *vm, const uint64_t value[8])
{
	struct prediction p = predict_sve(&vm->p, vm->sve, value);
	uint64_t got[8] = { 0 };
	int status = call_set_reg(l->kvm, vm->vcpu[0], GK_REG_ARM64_SVE_VLS, value);

	same(l, "KVM_REG_ARM64_SVE_VLS", value[0], status, &p);
	if (status < 0)
		return;
	status = call_get_reg(l->kvm, vm->vcpu[0], GK_REG_ARM64_SVE_VLS, got);
	if (status < 0 || got[0] != p.value)
		differs(l, "KVM_REG_ARM64_SVE_VLS 0x%llx: reads 0x%llx", (unsigned long long)value[0],
			(unsigned long long)got[0]);
}

/* Cut off at every length, with every hole, and more than there is. */
static void lengths(struct lab *l, struct vm *vm)
{
	l->fields++;
	try_lengths(l, vm, (uint64_t[8]){ 0 });
	for (unsigned n = 1; n <= 17; n++) {
		uint64_t cut = (1ULL << n) - 1;

		try_lengths(l, vm, (uint64_t[8]){ cut });
		try_lengths(l, vm, (uint64_t[8]){ cut & vm->sve[0] });
		for (unsigned hole = 0; hole < n; hole++)
			try_lengths(l, vm, (uint64_t[8]){ cut & ~(1ULL << hole) });
	}
	for (unsigned i = 1; i < 8; i++) {
		uint64_t value[8] = { vm->sve[0] };

		value[i] = 1;
		try_lengths(l, vm, value);
	}
	try_lengths(l, vm, vm->sve);
}

static void try_call(struct lab *l, struct vm *vm, enum predict_call call_, unsigned feature, int status,
		     const char *what)
{
	int want = predict_call(&vm->p, call_, feature), error = status < 0 ? -status : 0;

	l->values++;
	if (error != want)
		differs(l, "%s, vCPU %s: errno %d, foretold %d", what,
			vm->p.state == PREDICT_CREATED ? "not initialised" : "not finalized", error, want);
}

/* Calls that are too early; none of these gets so far as to run anything. */
static void calls(struct lab *l, struct vm *vm)
{
	struct gk_reg_list list = { 0 };
	int sve = gcpu_facts_arm64.fields[ARM64_F_SVE].lsb;
	uint64_t id = gcpu_facts_arm64.words[ARM64_W_ID_AA64PFR0_EL1].addr, value[8];
	struct predict_reg r = { .id = id };
	struct prediction p;
	int status;

	l->fields++;
	status = call_get_reg(l->kvm, vm->vcpu[0], id, value);
	try_call(l, vm, PREDICT_GET_ONE_REG, 0, status, "KVM_GET_ONE_REG");
	r.now = r.limit = value[0];
	p = predict_register(&vm->p, &r, value[0]);
	same(l, "KVM_SET_ONE_REG, early", id, call_set_reg(l->kvm, vm->vcpu[0], id, value), &p);
	if (predict_call(&vm->p, PREDICT_GET_REG_LIST, 0))
		try_call(l, vm, PREDICT_GET_REG_LIST, 0, call(l->kvm, vm->vcpu[0], GK_GET_REG_LIST, &list),
			 "KVM_GET_REG_LIST");
	if (predict_call(&vm->p, PREDICT_RUN, 0))
		try_call(l, vm, PREDICT_RUN, 0, call_number(l->kvm, vm->vcpu[0], GK_RUN, 0), "KVM_RUN");
	for (int feature = 0; feature < 10; feature++)
		if (feature != sve)
			try_call(l, vm, PREDICT_FINALIZE, (unsigned)feature,
				 call(l->kvm, vm->vcpu[0], GK_ARM_VCPU_FINALIZE, &feature), "KVM_ARM_VCPU_FINALIZE");
}

static void finalize(struct lab *l, struct vm *vm, const char *what)
{
	int sve = gcpu_facts_arm64.fields[ARM64_F_SVE].lsb;

	try_call(l, vm, PREDICT_FINALIZE, (unsigned)sve, call(l->kvm, vm->vcpu[0], GK_ARM_VCPU_FINALIZE, &sve), what);
}

/* From a vCPU that is just created to one that is final. */
static int life(struct lab *l, uint32_t features)
{
	const struct config c = { .name = "life", .features = features };
	bool sve = features >> gcpu_facts_arm64.fields[ARM64_F_SVE].lsb & 1;
	struct vm vm;
	int status = vm_open(l, &c, 1, false, &vm);

	if (status)
		return status;
	calls(l, &vm);
	finalize(l, &vm, "KVM_ARM_VCPU_FINALIZE");
	try_lengths(l, &vm, (uint64_t[8]){ 1 });
	status = vm_init(l, &vm);
	if (status == 0) {
		calls(l, &vm);
		if (sve)
			status = call_get_reg(l->kvm, vm.vcpu[0], GK_REG_ARM64_SVE_VLS, vm.sve);
	}
	if (status == 0) {
		if (sve)
			lengths(l, &vm);
		else
			try_lengths(l, &vm, (uint64_t[8]){ 1 });
		finalize(l, &vm, "KVM_ARM_VCPU_FINALIZE");
		vm.p.state = PREDICT_FINALIZED;
		finalize(l, &vm, "KVM_ARM_VCPU_FINALIZE again");
		try_lengths(l, &vm, sve ? vm.sve : (uint64_t[8]){ 1 });
	}
	vm_close(l, &vm);
	return status;
}

static void firmware_value(struct lab *l, struct vm *vm, struct predict_reg *r, uint64_t value)
{
	struct prediction p = predict_firmware(&vm->p, r, value);
	uint64_t got[8] = { 0 };
	int status = call_set_reg(l->kvm, vm->vcpu[0], r->id, &value), error = status < 0 ? -status : 0;

	l->values++;
	status = call_get_reg(l->kvm, vm->vcpu[0], r->id, got);
	if (status < 0 || error != p.error || got[0] != p.value)
		differs(l, "%s: firmware 0x%llx = 0x%llx of 0x%llx: errno %d reads 0x%llx, foretold errno %d 0x%llx: %s",
			vm->config->name, (unsigned long long)r->id, (unsigned long long)value,
			(unsigned long long)r->limit, error, (unsigned long long)got[0], p.error,
			(unsigned long long)p.value, predict_text(&p));
	if (got[0] != r->now)
		call_set_reg(l->kvm, vm->vcpu[0], r->id, &r->now);
}

/* Versions of PSCI, levels of mitigations, bits of maps: each kind of register takes all of these. */
int predict_firmwares(struct lab *l, struct vm *vm)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 4, 5, 8, 16, 17, 18, 19, 20, 32, 1ULL << 16, 1ULL << 16 | 1,
					   1ULL << 16 | 2, 1ULL << 16 | 3, 1ULL << 16 | 4, 2ULL << 16, 1ULL << 32,
					   1ULL << 63, ~0ULL };

	for (unsigned i = 0; i < vm->n; i++) {
		if (in_range(vm->reg[i].id))
			continue;
		l->fields++;
		for (unsigned k = 0; k < sizeof(values) / sizeof(values[0]); k++)
			firmware_value(l, vm, &vm->reg[i], values[k]);
		firmware_value(l, vm, &vm->reg[i], vm->reg[i].limit);
	}
	return 0;
}

int predict_vcpus(struct lab *l)
{
	const uint32_t psci = 1U << gcpu_facts_arm64.fields[ARM64_F_PSCI_0_2].lsb;
	const uint32_t sve = 1U << gcpu_facts_arm64.fields[ARM64_F_SVE].lsb;
	int status = init_words(l, false);

	if (status == 0 && lab_has(l, CAP_ARM_MTE))
		status = init_words(l, true);
	if (status == 0)
		status = init_again(l);
	if (status == 0)
		status = life(l, psci);
	if (status == 0 && (lab_features(l, 0) & sve))
		status = life(l, psci | sve);
	return status;
}
