/* SPDX-License-Identifier: MIT */
/* Events in words. */
#include "describe.h"

#include "core/plan.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_more.h"
#include "kvm/abi_x86.h"

#include <string.h>

static void add(struct sim_call *c, const char *name, enum sim_arg_kind kind, uint64_t value)
{
	if (c->n_args < SIM_ARGS_MOST)
		c->args[c->n_args++] = (struct sim_arg){ name, kind, NULL, 1, { value } };
}

static void add_name(struct sim_call *c, const char *text)
{
	add(c, "name", ARG_NAME, 0);
	c->args[c->n_args - 1].text = text;
}

/* WORDS up to the last that is not 0, one at least. */
static void add_words(struct sim_call *c, const char *name, enum sim_arg_kind kind, const uint64_t *words, unsigned n)
{
	struct sim_arg *a;

	add(c, name, kind, 0);
	a = &c->args[c->n_args - 1];
	memcpy(a->value, words, n * sizeof(*words));
	while (n > 1 && !words[n - 1])
		n--;
	a->n = n;
}

/* What the argument points to, of 64 bits at most, as far as it was kept. */
static void add_value(struct sim_call *c, const struct sim_event *e)
{
	uint64_t value = 0;

	memcpy(&value, sim_event_bytes(e, 1), e->n[1] < sizeof(value) ? e->n[1] : sizeof(value));
	if (e->n[1])
		add(c, "value", ARG_HEX, value);
}

/* An argument that begins with a struct, as far as it was kept. */
static bool fetch(const struct sim_event *e, void *to, size_t n)
{
	if (e->n[0] < n)
		return false;
	memcpy(to, sim_event_bytes(e, 0), n);
	return true;
}

static void enable_cap(const struct sim_event *e, struct sim_call *c)
{
	struct gk_enable_cap cap;

	c->enables = true;
	if (!fetch(e, &cap, sizeof(cap)))
		return;
	add(c, "cap", ARG_INT, cap.cap);
	add_name(c, cap_name(cap.cap));
	add_words(c, "args", ARG_INTS, cap.args, 4);
	if (cap.flags)
		add(c, "flags", ARG_HEX, cap.flags);
}

static void set_msrs(const struct sim_event *e, struct sim_call *c)
{
	const struct gk_msrs *m = sim_event_bytes(e, 0);
	unsigned taken = e->result > 0 ? (unsigned)e->result : 0;

	if (e->n[0] < sizeof(*m))
		return;
	add(c, "nmsrs", ARG_INT, m->nmsrs);
	add(c, "taken", ARG_INT, taken);
	if (e->result >= 0 && taken < m->nmsrs && e->n[0] >= sizeof(*m) + (taken + 1) * sizeof(m->entries[0])) {
		add(c, "refused", ARG_HEX, m->entries[taken].index);
		add(c, "value", ARG_HEX, m->entries[taken].data);
	}
}

static void set_register(const struct sim_event *e, struct sim_call *c)
{
	struct gk_one_reg reg;

	if (!fetch(e, &reg, sizeof(reg)))
		return;
	add(c, "id", ARG_HEX, reg.id);
	add_value(c, e);
}

static void vcpu_init(const struct sim_event *e, struct sim_call *c)
{
	struct gk_arm_vcpu_init init;
	uint64_t features[7];

	if (!fetch(e, &init, sizeof(init)))
		return;
	add(c, "target", ARG_INT, init.target);
	for (unsigned i = 0; i < 7; i++)
		features[i] = init.features[i];
	add_words(c, "features", ARG_HEXES, features, 7);
}

static void device(const struct sim_event *e, struct sim_call *c)
{
	struct gk_create_device d;

	if (!fetch(e, &d, sizeof(d)))
		return;
	add(c, "type", ARG_HEX, d.type);
	add(c, "flags", ARG_HEX, d.flags);
}

static void device_attr(const struct sim_event *e, struct sim_call *c)
{
	struct gk_device_attr attr;

	if (!fetch(e, &attr, sizeof(attr)))
		return;
	add(c, "group", ARG_HEX, attr.group);
	add(c, "attr", ARG_HEX, attr.attr);
	add_value(c, e);
}

/* The first bytes of the argument, as a number. */
static void plain(const struct sim_event *e, struct sim_call *c, const char *name, enum sim_arg_kind kind,
		  size_t size)
{
	uint64_t value = 0;

	if (fetch(e, &value, size))
		add(c, name, kind, value);
}

static void arguments(const struct sim_event *e, struct sim_call *c)
{
	switch (e->request) {
	case GK_ENABLE_CAP:
		enable_cap(e, c);
		return;
	case GK_SET_CPUID:
	case GK_SET_CPUID2:
		plain(e, c, "nent", ARG_INT, 4);
		return;
	case GK_SET_MSRS:
		set_msrs(e, c);
		return;
	case GK_SET_ONE_REG:
		set_register(e, c);
		return;
	case GK_ARM_VCPU_INIT:
		vcpu_init(e, c);
		return;
	case GK_ARM_VCPU_FINALIZE:
		plain(e, c, "feature", ARG_HEX, 4);
		return;
	case GK_CREATE_DEVICE:
		device(e, c);
		return;
	case GK_SET_DEVICE_ATTR:
		device_attr(e, c);
		return;
	case GK_X86_SETUP_MCE:
		plain(e, c, "mcg_cap", ARG_HEX, 8);
		return;
	case GK_SET_TSC_KHZ:
		add(c, "khz", ARG_INT, e->arg);
		return;
	case GK_CREATE_VM:
		add(c, "type", ARG_HEX, e->arg);
		return;
	case GK_CREATE_VCPU:
	case GK_SET_BOOT_CPU_ID:
		add(c, "id", ARG_INT, e->arg);
		return;
	}
}

/* Calls whose arguments are of no interest here; wrap.c knows the others by name. */
#define NAME(name) { GK_##name, "KVM_" #name }
static const struct {
	unsigned long request;
	const char *name;
} names[] = {
	NAME(SET_CLOCK),
	NAME(GET_CLOCK),
	NAME(X86_SET_MSR_FILTER),
	NAME(GET_XSAVE2),
	NAME(SET_GSI_ROUTING),
	NAME(IRQFD),
	NAME(SET_IRQCHIP),
	NAME(GET_IRQCHIP),
	NAME(CREATE_PIT2),
	NAME(SET_PIT2),
	NAME(GET_PIT2),
	NAME(REINJECT_CONTROL),
	NAME(SET_PMU_EVENT_FILTER),
	NAME(IRQ_LINE_STATUS),
	NAME(IOEVENTFD),
	NAME(HYPERV_EVENTFD),
	NAME(XEN_HVM_CONFIG),
	NAME(XEN_HVM_GET_ATTR),
	NAME(XEN_HVM_SET_ATTR),
	NAME(XEN_VCPU_GET_ATTR),
	NAME(XEN_VCPU_SET_ATTR),
	NAME(REGISTER_COALESCED_MMIO),
	NAME(UNREGISTER_COALESCED_MMIO),
	NAME(GET_DIRTY_LOG),
	NAME(SET_FPU),
	NAME(GET_FPU),
	NAME(SET_DEBUGREGS),
	NAME(GET_DEBUGREGS),
	NAME(SET_NESTED_STATE),
	NAME(GET_NESTED_STATE),
	NAME(SET_GUEST_DEBUG),
	NAME(TPR_ACCESS_REPORTING),
	NAME(SET_VAPIC_ADDR),
	NAME(SET_VCPU_EVENTS),
	NAME(GET_VCPU_EVENTS),
	NAME(SET_SIGNAL_MASK),
	NAME(GET_SREGS2),
	NAME(SET_SREGS2),
	NAME(TRANSLATE),
	NAME(SMI),
};
#undef NAME

static const char *name_of(unsigned long request)
{
	const char *name = wrap_request_name(request);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !name; i++)
		if (names[i].request == request)
			name = names[i].name;
	return name;
}

void sim_call_of(const struct sim_event *e, int vcpu, struct sim_call *ret)
{
	static const char *const scopes[ROLE_COUNT] = { "process", "system", "vm", "vcpu", "device", "device" };

	memset(ret, 0, sizeof(*ret));
	ret->scope = scopes[e->role < ROLE_COUNT ? e->role : 0];
	ret->vcpu = vcpu;
	ret->request = (unsigned long)e->request;
	ret->error = e->result < 0 ? -e->result : 0;
	ret->times = 1;
	if (e->kind == SIM_PERM) {
		ret->name = "arch_prctl";
		add(ret, "code", ARG_HEX, e->request);
		add(ret, "feature", ARG_HEX, e->arg);
		return;
	}
	ret->name = name_of(ret->request);
	arguments(e, ret);
}

bool sim_call_same(const struct sim_call *a, const struct sim_call *b)
{
	if (a->request != b->request || a->vcpu != b->vcpu || a->error != b->error || a->n_args != b->n_args ||
	    strcmp(a->scope, b->scope) != 0)
		return false;
	for (unsigned i = 0; i < a->n_args; i++)
		if (a->args[i].n != b->args[i].n || memcmp(a->args[i].value, b->args[i].value, sizeof(a->args[i].value)) != 0)
			return false;
	return true;
}

bool sim_call_again(const struct sim_call *last, const struct sim_call *now)
{
	return last->n_args == 0 && sim_call_same(last, now);
}
