/* SPDX-License-Identifier: MIT */
/* Lists of MSRs, many at once, and single ones that CPUID judges. KVM API 4.3, 4.18, 4.19; x86.c. */
#include "x86.h"

#define LIST_MOST 1024
#define AT_ONCE_MOST 256

struct msr_list {
	uint32_t nmsrs, indices[LIST_MOST];
};

struct many {
	uint32_t nmsrs, pad;
	struct gk_msr_entry e[AT_ONCE_MOST];
};

/* Too few: E2BIG, and here the number that is needed is told. */
static int list_sizes(struct conform *c, unsigned long request, const char *name)
{
	struct msr_list *l = case_memory(c, sizeof(*l));
	uint32_t n;

	if (!l)
		return 1;
	expect_errno(c, ask(c, c->kvm_fd, request, l), E2BIG, "%s with nmsrs 0", name);
	n = l->nmsrs;
	if (!expect(c, n > 0 && n < LIST_MOST, "%s tells that %u are needed", name, n))
		return 1;
	l->nmsrs = n - 1;
	expect_errno(c, ask(c, c->kvm_fd, request, l), E2BIG, "%s with one too few", name);
	expect_value(c, l->nmsrs, n, "%s: number that is needed", name);
	expect_ok(c, ask(c, c->kvm_fd, request, l), "%s with exactly as many", name);
	expect_value(c, l->nmsrs, n, "%s: number", name);
	l->nmsrs = LIST_MOST;
	expect_ok(c, ask(c, c->kvm_fd, request, l), "%s with more", name);
	expect_value(c, l->nmsrs, n, "%s: number", name);
	expect_errno(c, ask(c, c->kvm_fd, request, (const void *)8), EFAULT, "%s with a bad pointer", name);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < i; k++)
			if (l->indices[i] == l->indices[k])
				expect(c, false, "%s has MSR 0x%x once", name, l->indices[i]);
	return 0;
}

static int index_sizes(struct conform *c)
{
	return list_sizes(c, GK_GET_MSR_INDEX_LIST, "KVM_GET_MSR_INDEX_LIST");
}

static int feature_sizes(struct conform *c)
{
	return list_sizes(c, GK_GET_MSR_FEATURE_INDEX_LIST, "KVM_GET_MSR_FEATURE_INDEX_LIST");
}

static bool in_list(const struct msr_list *l, uint32_t index)
{
	for (uint32_t i = 0; i < l->nmsrs; i++)
		if (l->indices[i] == index)
			return true;
	return false;
}

static int index_content(struct conform *c)
{
	static const uint32_t there[] = { PV_MSR_WALL_OLD, PV_MSR_SYSTEM_OLD, PV_MSR_WALL, PV_MSR_SYSTEM, PV_MSR_APF_EN,
					  PV_MSR_STEAL, PV_MSR_EOI, PV_MSR_POLL, PV_MSR_APF_INT, PV_MSR_APF_ACK,
					  MSR_TSC_ADJUST, MSR_TSC_DEADLINE, MSR_MISC_ENABLE, MSR_PLATFORM_INFO, MSR_STAR };
	struct msr_list *l = case_memory(c, sizeof(*l));

	if (!l)
		return 1;
	l->nmsrs = LIST_MOST;
	expect_ok(c, ask(c, c->kvm_fd, GK_GET_MSR_INDEX_LIST, l), "KVM_GET_MSR_INDEX_LIST");
	for (unsigned i = 0; i < COUNT(there); i++)
		expect(c, in_list(l, there[i]), "MSR 0x%x is in it", there[i]);
	expect(c, !in_list(l, PV_MSR_MIGRATION), "MSR 0x4b564d08, which is user space's, is not in it");
	expect(c, !in_list(l, MSR_X2APIC_FIRST), "the x2APIC's, which KVM_GET_LAPIC has, are not in it");
	return 0;
}

/* Read on the system descriptor, where no other MSR can be. */
static int feature_values(struct conform *c)
{
	struct msr_list *l = case_memory(c, sizeof(*l));
	uint64_t value;

	if (!l)
		return 1;
	l->nmsrs = LIST_MOST;
	expect_ok(c, ask(c, c->kvm_fd, GK_GET_MSR_FEATURE_INDEX_LIST, l), "KVM_GET_MSR_FEATURE_INDEX_LIST");
	for (uint32_t i = 0; i < l->nmsrs; i++)
		expect_result(c, system_msr(c, l->indices[i], &value), 1, "KVM_GET_MSRS of MSR 0x%x by the system descriptor",
			      l->indices[i]);
	/* any that KVM lists reads as 0 since 6.12 */
	expect_result(c, system_msr(c, MSR_STAR, &value), c->release >= KERNEL(6, 12),
		      "KVM_GET_MSRS of one that is none, by the system descriptor");
	expect_value(c, value, 0, "its value");
	expect_result(c, system_msr(c, MSR_NOBODY, &value), 0, "KVM_GET_MSRS of no MSR by the system descriptor");
	if (in_list(l, MSR_PLATFORM_INFO) && system_msr(c, MSR_PLATFORM_INFO, &value) == 1)
		expect_value(c, value, PLATFORM_INFO_CPUID_FAULT, "MSR 0xce");
	return 0;
}

static int many(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	struct many *m = case_memory(c, sizeof(*m));

	if (!vm || !m)
		return 1;
	expect_result(c, ask(c, vm->vcpu[0], GK_GET_MSRS, m), 0, "KVM_GET_MSRS of none");
	expect_result(c, ask(c, vm->vcpu[0], GK_SET_MSRS, m), 0, "KVM_SET_MSRS of none");
	for (unsigned i = 0; i < AT_ONCE_MOST; i++)
		m->e[i].index = MSR_STAR;
	m->nmsrs = AT_ONCE_MOST - 1;
	expect_result(c, ask(c, vm->vcpu[0], GK_GET_MSRS, m), AT_ONCE_MOST - 1, "KVM_GET_MSRS of 255");
	expect_result(c, ask(c, vm->vcpu[0], GK_SET_MSRS, m), AT_ONCE_MOST - 1, "KVM_SET_MSRS of 255");
	m->nmsrs = AT_ONCE_MOST;
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_MSRS, m), E2BIG, "KVM_GET_MSRS of 256");
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_MSRS, m), E2BIG, "KVM_SET_MSRS of 256");
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_MSRS, (const void *)8), EFAULT, "KVM_GET_MSRS with a bad pointer");
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_MSRS, (const void *)8), EFAULT, "KVM_SET_MSRS with a bad pointer");
	return 0;
}

static int without_spec_ctrl(struct conform *c, struct table *t)
{
	if (own_way(c, "SPEC_CTRL") || table_usual(c, 0, t))
		return 1;
	table_entry(t, L_EXTENDED_FEATURES, 0)->edx &= ~D7_SPEC_CTRL;
	table_entry(t, L_ADDRESSES, 0)->ebx &= ~(B88_IBRS | B88_STIBP | B88_SSBD);
	return 0;
}

/* What the guest's table has not is not the guest's, until a value but 0 is in it: then KVM looks away. */
static int spec_ctrl(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 2);
	struct guest_op op = OP_RDMSR(MSR_SPEC_CTRL);
	const struct snap_cpuid *svm = snapshot_cpuid(c->snap, SNAP_NATIVE, L_SVM, 0);
	bool recounted = c->release >= KERNEL(6, 18);
	uint64_t value;
	struct table t;

	if (!vm || without_spec_ctrl(c, &t))
		return 1;
	if (!give_table(vm, 0, &t) || !give_table(vm, 1, &t))
		return 1;
	if (get_msr(vm, 0, MSR_SPEC_CTRL, &value) != 1 || set_msr(vm, 0, MSR_SPEC_CTRL, 0) != 1 ||
	    set_msr(vm, 1, MSR_SPEC_CTRL, 1) != 1)
		return skip(c, "this KVM, or its CPU, has no SPEC_CTRL");
	if (guest_run(vm, 0, &op, 1))
		return 1;
	/* a processor that has one for its guests was trusted from the start */
	if (recounted || !svm || !(svm->regs[EDX] & DA_V_SPEC_CTRL))
		expect(c, op.status == GUEST_STATUS_FAULT, "the guest may not read SPEC_CTRL of 0");
	/* before the table is set, the value is 0 again */
	set_msr(vm, 1, MSR_SPEC_CTRL, 0);
	op = (struct guest_op)OP_RDMSR(MSR_SPEC_CTRL);
	if (!give_table(vm, 1, &t) || guest_run(vm, 1, &op, 1))
		return 1;
	expect(c, (op.status == GUEST_STATUS_DONE) == !recounted, "the guest %s SPEC_CTRL, in which something has been once",
	       recounted ? "may not read" : "reads");
	return 0;
}

static int spec_ctrl_passed(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct guest_op op = OP_RDMSR(MSR_SPEC_CTRL);
	uint64_t value;
	struct table t;

	if (!vm || without_spec_ctrl(c, &t))
		return 1;
	if (!give_table(vm, 0, &t))
		return 1;
	if (set_msr(vm, 0, MSR_SPEC_CTRL, 1) != 1)
		return skip(c, "this KVM, or its CPU, has no SPEC_CTRL");
	if (guest_run(vm, 0, &op, 1))
		return 1;
	expect(c, op.status == GUEST_STATUS_DONE, "the guest reads SPEC_CTRL, in which its VMM has put something");
	if (get_msr(vm, 0, MSR_SPEC_CTRL, &value) == 1)
		expect_value(c, value, 1, "SPEC_CTRL after the run");
	return 0;
}

/* The first that is refused ends it: what stands before is done, what stands behind is not. */
static int partly(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	struct many *m = case_memory(c, sizeof(*m));
	uint64_t star, lstar;

	if (!vm || !m || get_msr(vm, 0, MSR_STAR, &star) != 1 || get_msr(vm, 0, MSR_LSTAR, &lstar) != 1)
		return 1;
	m->nmsrs = 3;
	m->e[0] = (struct gk_msr_entry){ MSR_STAR, 0, star ^ 0x1230000000000 };
	m->e[1] = (struct gk_msr_entry){ MSR_NOBODY, 0, 1 };
	m->e[2] = (struct gk_msr_entry){ MSR_LSTAR, 0, lstar ^ 0x4567 };
	expect_result(c, ask(c, vm->vcpu[0], GK_SET_MSRS, m), 1, "KVM_SET_MSRS of three, the second of which there is not");
	m->e[0].data = m->e[2].data = 77;
	expect_result(c, ask(c, vm->vcpu[0], GK_GET_MSRS, m), 1, "KVM_GET_MSRS of the same");
	expect_value(c, m->e[0].data, star ^ 0x1230000000000, "the first");
	if (get_msr(vm, 0, MSR_LSTAR, &star) == 1)
		expect_value(c, star, lstar, "the third is what it was");
	return 0;
}

/* One access of the guest each, and whether it is served. */
struct access {
	const char *what;
	struct guest_op op;
	bool served;
};

static int guest_accesses(struct conform_vm *vm, const struct access *list, unsigned n)
{
	struct guest_op *ops = case_memory(vm->c, n * sizeof(*ops));

	if (!ops)
		return 1;
	for (unsigned i = 0; i < n; i++)
		ops[i] = list[i].op;
	if (guest_run(vm, 0, ops, n))
		return 1;
	for (unsigned i = 0; i < n; i++) {
		if (list[i].served)
			expect_done(vm->c, &ops[i], list[i].what);
		else
			expect_fault(vm->c, &ops[i], GP, list[i].what);
	}
	return 0;
}

static int arch_capabilities(struct conform *c)
{
	static const struct access with[] = {
		{ "RDMSR with its CPUID bit", { .code = GUEST_OP_RDMSR, .arg = { MSR_ARCH_CAPABILITIES } }, true },
		{ "WRMSR with its CPUID bit", { .code = GUEST_OP_WRMSR, .arg = { MSR_ARCH_CAPABILITIES, 1 } }, false },
	};
	static const struct access without[] = {
		{ "RDMSR without its CPUID bit", { .code = GUEST_OP_RDMSR, .arg = { MSR_ARCH_CAPABILITIES } }, false },
		{ "WRMSR without its CPUID bit", { .code = GUEST_OP_WRMSR, .arg = { MSR_ARCH_CAPABILITIES, 0 } }, false },
	};
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1), *off = x86_vm(c, KERNEL_APIC, 1);
	struct table t;
	uint64_t value, back;

	if (!vm || !off || table_usual(c, 0, &t) ||
	    lacks_bits(c, L_EXTENDED_FEATURES, 0, EDX, D7_ARCH_CAPABILITIES, "ARCH_CAPABILITIES") ||
	    overridden(c, L_EXTENDED_FEATURES, 0, EDX, D7_ARCH_CAPABILITIES))
		return 1;
	expect_result(c, system_msr(c, MSR_ARCH_CAPABILITIES, &value), 1, "KVM's own value");
	expect_result(c, set_msr(vm, 0, MSR_ARCH_CAPABILITIES, value), 1, "KVM_SET_MSRS with its CPUID bit");
	expect_result(c, get_msr(vm, 0, MSR_ARCH_CAPABILITIES, &back), 1, "KVM_GET_MSRS with its CPUID bit");
	expect_value(c, back, value, "what was set");
	expect_result(c, set_msr(vm, 0, MSR_ARCH_CAPABILITIES, 0), 1, "KVM_SET_MSRS of 0");
	guest_accesses(vm, with, COUNT(with));

	table_entry(&t, L_EXTENDED_FEATURES, 0)->edx &= ~D7_ARCH_CAPABILITIES;
	give_table(off, 0, &t);
	expect_result(c, set_msr(off, 0, MSR_ARCH_CAPABILITIES, 1), c->release < KERNEL(6, 13),
		      "KVM_SET_MSRS without its CPUID bit: refused since 6.13");
	expect_result(c, set_msr(off, 0, MSR_ARCH_CAPABILITIES, 0), 1, "KVM_SET_MSRS of 0 without its CPUID bit");
	if (c->release >= KERNEL(6, 13) && get_msr(off, 0, MSR_ARCH_CAPABILITIES, &back) == 1)
		expect_value(c, back, 0, "KVM_GET_MSRS without its CPUID bit");
	return guest_accesses(off, without, COUNT(without));
}

static int platform_info(struct conform *c)
{
	static const struct access yes[] = {
		{ "RDMSR of 0xce", { .code = GUEST_OP_RDMSR, .arg = { MSR_PLATFORM_INFO } }, true },
		{ "WRMSR of 0xce", { .code = GUEST_OP_WRMSR, .arg = { MSR_PLATFORM_INFO, 0 } }, false },
	};
	static const struct access no[] = {
		{ "RDMSR of 0xce where that is off", { .code = GUEST_OP_RDMSR, .arg = { MSR_PLATFORM_INFO } }, false },
	};
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t value;

	if (!vm)
		return 1;
	expect_result(c, get_msr(vm, 0, MSR_PLATFORM_INFO, &value), 1, "KVM_GET_MSRS of 0xce");
	expect(c, value & PLATFORM_INFO_CPUID_FAULT, "CPUID faulting is told of at first");
	expect_result(c, set_msr(vm, 0, MSR_PLATFORM_INFO, value | 0xff00), 1, "KVM_SET_MSRS of 0xce");
	if (guest_accesses(vm, yes, COUNT(yes)))
		return 1;
	expect_ok(c, enable_cap(c, vm->fd, CAP_MSR_PLATFORM_INFO, 0), "KVM_CAP_MSR_PLATFORM_INFO off");
	if (guest_accesses(vm, no, COUNT(no)))
		return 1;
	expect_result(c, get_msr(vm, 0, MSR_PLATFORM_INFO, &value), 1, "KVM_GET_MSRS of 0xce where the guest cannot");
	expect_ok(c, enable_cap(c, vm->fd, CAP_MSR_PLATFORM_INFO, 1), "KVM_CAP_MSR_PLATFORM_INFO on");
	return guest_accesses(vm, yes, COUNT(yes));
}

/* The guest may only turn on the faulting that it was told of. */
static int cpuid_faulting(struct conform *c)
{
	static const struct access told[] = {
		{ "CPUID faulting on", { .code = GUEST_OP_WRMSR, .arg = { MSR_MISC_FEATURES_ENABLES, 1 } }, true },
		{ "CPUID faulting off", { .code = GUEST_OP_WRMSR, .arg = { MSR_MISC_FEATURES_ENABLES, 0 } }, true },
		{ "another bit", { .code = GUEST_OP_WRMSR, .arg = { MSR_MISC_FEATURES_ENABLES, 2 } }, false },
	};
	static const struct access untold[] = {
		{ "CPUID faulting on, which was not told of",
		  { .code = GUEST_OP_WRMSR, .arg = { MSR_MISC_FEATURES_ENABLES, 1 } },
		  false },
		{ "CPUID faulting off", { .code = GUEST_OP_WRMSR, .arg = { MSR_MISC_FEATURES_ENABLES, 0 } }, true },
	};
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1), *off = x86_ready(c, KERNEL_APIC, 1);

	if (!vm || !off)
		return 1;
	expect_result(c, set_msr(off, 0, MSR_PLATFORM_INFO, 0), 1, "KVM_SET_MSRS of 0xce, 0");
	return own_way(c, "MSR 0x140") || guest_accesses(vm, told, COUNT(told)) || guest_accesses(off, untold, COUNT(untold));
}

static int microcode(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	struct guest_op ops[] = { OP_RDMSR(MSR_UCODE), OP_WRMSR(MSR_UCODE, 0), OP_RDMSR(MSR_UCODE) };
	uint64_t back;

	if (!vm)
		return 1;
	expect_result(c, set_msr(vm, 0, MSR_UCODE, 0x1234567800000000), 1, "KVM_SET_MSRS");
	expect_result(c, get_msr(vm, 0, MSR_UCODE, &back), 1, "KVM_GET_MSRS");
	expect_value(c, back, 0x1234567800000000, "what was set");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, ops[0].res[0], 0x1234567800000000, "what the guest reads");
	expect_done(c, &ops[1], "WRMSR, which begins an update and is passed over");
	expect_value(c, ops[2].res[0], 0x1234567800000000, "what the guest reads after it");
	return 0;
}

static int unknown(struct conform *c)
{
	static const struct access list[] = {
		{ "RDMSR of no MSR", { .code = GUEST_OP_RDMSR, .arg = { MSR_NOBODY } }, false },
		{ "WRMSR of no MSR", { .code = GUEST_OP_WRMSR, .arg = { MSR_NOBODY, 0 } }, false },
		{ "RDMSR of no MSR of KVM's range", { .code = GUEST_OP_RDMSR, .arg = { PV_MSR_NOBODY } }, false },
		{ "WRMSR of no MSR of KVM's range", { .code = GUEST_OP_WRMSR, .arg = { PV_MSR_NOBODY, 0 } }, false },
	};
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1);
	uint64_t value;

	if (!vm)
		return 1;
	expect_result(c, get_msr(vm, 0, MSR_NOBODY, &value), 0, "KVM_GET_MSRS of no MSR");
	expect_result(c, set_msr(vm, 0, MSR_NOBODY, 0), 0, "KVM_SET_MSRS of no MSR");
	return guest_accesses(vm, list, COUNT(list));
}

/* EFER by the guest: bits that its CPUID has. */
static int efer(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1), *off = x86_vm(c, KERNEL_APIC, 1);
	struct guest_op ops[] = { OP_RDMSR(MSR_EFER), OP_WRMSR(MSR_EFER, EFER_LME | EFER_LMA | EFER_NX),
				  OP_WRMSR(MSR_EFER, EFER_LME | EFER_LMA | BIT(1)),
				  OP_WRMSR(MSR_EFER, EFER_LME | EFER_LMA | BIT(20)), OP_WRMSR(MSR_EFER, 0),
				  OP_WRMSR(MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE), OP_RDMSR(MSR_EFER) };
	struct guest_op more[] = { OP_WRMSR(MSR_EFER, EFER_LME | EFER_LMA | EFER_NX),
				   OP_WRMSR(MSR_EFER, EFER_LME | EFER_LMA | BIT(12)) };
	struct table t;

	if (!vm || !off || table_usual(c, 0, &t) || guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, ops[0].res[0] & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA, "EFER of a 64-bit guest");
	if (table_reg(&t, L_EXT_FEATURES, 0, EDX) & D81_NX)
		expect_done(c, &ops[1], "NX with its CPUID bit");
	expect_fault(c, &ops[2], GP, "bit 1");
	expect_fault(c, &ops[3], GP, "bit 20");
	expect_fault(c, &ops[4], GP, "long mode off while paging is on");
	expect_done(c, &ops[5], "SCE");
	expect_value(c, ops[6].res[0], EFER_LME | EFER_LMA | EFER_SCE, "EFER then");
	if (overridden(c, L_EXT_FEATURES, 0, EDX, D81_NX) || overridden(c, L_EXT_FEATURES, 0, ECX, BIT32(2)))
		return 1;
	table_entry(&t, L_EXT_FEATURES, 0)->edx &= ~D81_NX;
	table_entry(&t, L_EXT_FEATURES, 0)->ecx &= ~BIT32(2);
	give_table(off, 0, &t);
	if (guest_run(off, 0, more, COUNT(more)))
		return 1;
	expect_fault(c, &more[0], GP, "NX without its CPUID bit");
	expect_fault(c, &more[1], GP, "SVME without its CPUID bit");
	return 0;
}

/* TSC_AUX is there with RDTSCP or RDPID. */
static int tsc_aux(struct conform *c)
{
	static const struct access off[] = {
		{ "RDMSR with neither", { .code = GUEST_OP_RDMSR, .arg = { MSR_TSC_AUX } }, false },
		{ "WRMSR with neither", { .code = GUEST_OP_WRMSR, .arg = { MSR_TSC_AUX, 1 } }, false },
	};
	struct guest_op ops[] = { OP_RDMSR(MSR_TSC_AUX), OP_WRMSR(MSR_TSC_AUX, 0x89abcdef), OP_RDMSR(MSR_TSC_AUX) };
	struct conform_vm *vm = x86_ready(c, KERNEL_APIC, 1), *none = x86_vm(c, KERNEL_APIC, 1);
	struct table t;

	if (!vm || !none || lacks_bits(c, L_EXT_FEATURES, 0, EDX, BIT32(27), "RDTSCP") || table_usual(c, 0, &t))
		return 1;
	expect_result(c, set_msr(vm, 0, MSR_TSC_AUX, 0x1234), 1, "KVM_SET_MSRS");
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	expect_value(c, ops[0].res[0], 0x1234, "what the guest reads");
	expect_done(c, &ops[1], "WRMSR");
	expect_value(c, ops[2].res[0], 0x89abcdef, "what it reads then");
	if (overridden(c, L_EXT_FEATURES, 0, EDX, BIT32(27)) || overridden(c, L_EXTENDED_FEATURES, 0, ECX, C7_RDPID))
		return 1;
	table_entry(&t, L_EXT_FEATURES, 0)->edx &= ~BIT32(27);
	if (table_find(&t, L_EXTENDED_FEATURES, 0)) /* older CPUs have no such leaf */
		table_entry(&t, L_EXTENDED_FEATURES, 0)->ecx &= ~C7_RDPID;
	give_table(none, 0, &t);
	return guest_accesses(none, off, COUNT(off));
}

/* DE_CFG: what KVM has of it is the guest's to set; older kernels take all of that or nothing. */
static int de_cfg(struct conform *c)
{
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	struct guest_op ops[] = { OP_WRMSR(MSR_DE_CFG, 0), OP_WRMSR(MSR_DE_CFG, 0), OP_RDMSR(MSR_DE_CFG), OP_WRMSR(MSR_DE_CFG, 0) };
	const struct snap_msr *whole = snapshot_msr(c->snap, MSR_DE_CFG);

	if (!vm || own_way(c, "DE_CFG"))
		return 1;
	if (!whole || !whole->value)
		return skip(c, "this KVM has nothing of DE_CFG");
	ops[1].arg[1] = whole->value;
	ops[3].arg[1] = ~whole->value;
	if (guest_run(vm, 0, ops, COUNT(ops)))
		return 1;
	if (c->release < KERNEL(6, 12))
		expect_fault(c, &ops[0], GP, "0");
	else
		expect_done(c, &ops[0], "0");
	expect_done(c, &ops[1], "all that KVM has");
	expect_value(c, ops[2].res[0], whole->value, "what is read then");
	expect_fault(c, &ops[3], GP, "what KVM does not have");
	return 0;
}

/* HWCR: three bits are passed over, a few kept, the rest refused. */
static int hwcr(struct conform *c)
{
	static const unsigned passed_over[] = { 3, 6, 8 };
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1);
	uint64_t value;

	if (!vm)
		return 1;
	for (unsigned i = 0; i < COUNT(passed_over); i++) {
		expect_result(c, set_msr(vm, 0, MSR_HWCR, BIT(passed_over[i])), 1, "bit %u", passed_over[i]);
		expect_result(c, get_msr(vm, 0, MSR_HWCR, &value), 1, "KVM_GET_MSRS");
		expect(c, !(value & BIT(passed_over[i])), "bit %u is passed over", passed_over[i]);
	}
	/* 35, CPUID off for users, since 7.3 */
	for (unsigned i = 0; i < 64; i++)
		if (i != 3 && i != 6 && i != 8 && i != 18 && i != 24 && i != 35)
			expect_result(c, set_msr(vm, 0, MSR_HWCR, BIT(i)), 0, "bit %u", i);
	expect_result(c, set_msr(vm, 0, MSR_HWCR, BIT(18)), 1, "bit 18");
	expect_result(c, get_msr(vm, 0, MSR_HWCR, &value), 1, "KVM_GET_MSRS");
	expect_value(c, value, BIT(18), "what was set");
	if (c->release >= KERNEL(6, 12))
		expect_result(c, set_msr(vm, 0, MSR_HWCR, BIT(24)), 1, "bit 24, since 6.7");
	return 0;
}

#define QUIRK_STUFF_FEATURE_MSRS BIT(8)

/* Feature MSRs of a new vCPU: KVM's own values, or 0 where that quirk is off. */
static int stuffed(struct conform *c)
{
	static const uint32_t list[] = { MSR_ARCH_CAPABILITIES, MSR_PLATFORM_INFO };
	struct conform_vm *vm = x86_ready(c, NO_APIC, 1), *off = x86_vm(c, NO_APIC, 0);
	struct msr_list *l = case_memory(c, sizeof(*l));
	struct table t;

	if (!vm || !off || !l || table_usual(c, 0, &t))
		return 1;
	if (!(check_cap(c, c->kvm_fd, CAP_DISABLE_QUIRKS2) & (int)QUIRK_STUFF_FEATURE_MSRS))
		return skip(c, "this KVM has no quirk STUFF_FEATURE_MSRS");
	l->nmsrs = LIST_MOST;
	ask(c, c->kvm_fd, GK_GET_MSR_FEATURE_INDEX_LIST, l);
	expect_ok(c, enable_cap(c, off->fd, CAP_DISABLE_QUIRKS2, QUIRK_STUFF_FEATURE_MSRS), "KVM_CAP_DISABLE_QUIRKS2");
	if (vm_vcpu(off, 0) < 0 || !give_table(off, 0, &t) || !read_table(off, 0, &t))
		return 1;
	for (unsigned i = 0; i < COUNT(list); i++) {
		uint64_t own, value;

		if (!in_list(l, list[i]) || system_msr(c, list[i], &own) != 1)
			continue;
		if (list[i] == MSR_ARCH_CAPABILITIES && !(table_reg(&t, L_EXTENDED_FEATURES, 0, EDX) & D7_ARCH_CAPABILITIES))
			continue;
		expect_result(c, get_msr(vm, 0, list[i], &value), 1, "KVM_GET_MSRS of MSR 0x%x", list[i]);
		expect_value(c, value, own, "MSR 0x%x of a new vCPU", list[i]);
		expect_result(c, get_msr(off, 0, list[i], &value), 1, "KVM_GET_MSRS of MSR 0x%x", list[i]);
		expect_value(c, value, 0, "MSR 0x%x of a new vCPU without the quirk", list[i]);
	}
	return 0;
}

/* Which bits of performance monitoring there are is judged by PDCM. */
static int perf_capabilities(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, NO_APIC, 1);
	struct table t;
	uint64_t own = 0;

	if (!vm || table_usual(c, 0, &t) || overridden(c, L_FEATURES, 0, ECX, C1_PDCM))
		return 1;
	if (system_msr(c, MSR_PERF_CAPABILITIES, &own) != 1)
		return skip(c, "this KVM has no feature MSR 0x345");
	table_entry(&t, L_FEATURES, 0)->ecx &= ~C1_PDCM;
	give_table(vm, 0, &t);
	expect_result(c, set_msr(vm, 0, MSR_PERF_CAPABILITIES, BIT(60)), 0, "a bit that KVM has not");
	if (c->release >= KERNEL(6, 13) && own)
		expect_result(c, set_msr(vm, 0, MSR_PERF_CAPABILITIES, own), 0, "KVM's own without PDCM");
	return 0;
}

const struct conform_case cases_x86_msrs[] = {
	{ "msrs:index-list", "KVM API 4.3", index_sizes },
	{ "msrs:feature-list", "KVM API 4.3", feature_sizes },
	{ "msrs:index-content", "x86.c emulated_msrs_all", index_content },
	{ "msrs:feature-values", "KVM API 4.18", feature_values },
	{ "msrs:spec-ctrl", "svm.c svm_recalc_msr_intercepts", spec_ctrl },
	{ "msrs:spec-ctrl-passed", "svm.c svm_set_msr", spec_ctrl_passed },
	{ "msrs:many", "x86.c msr_io", many },
	{ "msrs:partly", "KVM API 4.18, 4.19", partly },
	{ "msrs:unknown", "x86.c kvm_do_msr_access", unknown },
	{ "msrs:arch-capabilities", "x86.c kvm_set_msr_common", arch_capabilities },
	{ "msrs:platform-info", "ST:x86/platform_info_test", platform_info },
	{ "msrs:cpuid-faulting", "x86.c kvm_set_msr_common", cpuid_faulting },
	{ "msrs:microcode", "x86.c kvm_set_msr_common", microcode },
	{ "msrs:efer", "ST:x86/msrs_test, x86.c set_efer", efer },
	{ "msrs:de-cfg", "svm.c svm_set_msr", de_cfg },
	{ "msrs:tsc-aux", "ST:x86/msrs_test", tsc_aux },
	{ "msrs:hwcr", "ST:x86/hwcr_msr_test", hwcr },
	{ "msrs:stuffed", "ST:x86/feature_msrs_test", stuffed },
	{ "msrs:perf-capabilities", "ST:x86/vmx_pmu_caps_test", perf_capabilities },
	{ NULL, NULL, NULL },
};
