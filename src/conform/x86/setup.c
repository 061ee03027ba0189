/* SPDX-License-Identifier: MIT */
/* What a VMM sets up that is not the CPU's features, and cannot do without: it comes on the way to the first run. */
#include "x86.h"

#include "kvm/abi_more.h"

#include <string.h>

/* Parts of MCG_CAP. */
#define MCG_CTL_P (1ULL << 8)
#define MCG_SER_P (1ULL << 24)
#define MCG_FAULTY (1ULL << 63)
#define NESTED_MOST (1 << 20) /* many times what any KVM has */

static int offered(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);

	if (!vm)
		return 1;
	expect_result(c, check_cap(c, c->kvm_fd, CAP_IRQCHIP), 1, "KVM_CAP_IRQCHIP of the system");
	expect_result(c, check_cap(c, vm->fd, CAP_IRQCHIP), 1, "KVM_CAP_IRQCHIP of a VM");
	return 0;
}

static int mce(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	uint64_t supported = 0, cap;
	int most = check_cap(c, c->kvm_fd, CAP_MCE);

	if (!vm)
		return 1;
	if (most <= 0)
		return skip(c, "this KVM has no machine checks");
	expect_ok(c, ask(c, c->kvm_fd, GK_X86_GET_MCE_CAP_SUPPORTED, &supported), "KVM_X86_GET_MCE_CAP_SUPPORTED");
	expect_value(c, supported & (MCG_CTL_P | MCG_SER_P), MCG_CTL_P | MCG_SER_P, "what every KVM supports");
	cap = supported | 1;
	expect_ok(c, ask(c, vm->vcpu[0], GK_X86_SETUP_MCE, &cap), "all that is supported, one bank");
	cap = (unsigned)most;
	expect_ok(c, ask(c, vm->vcpu[0], GK_X86_SETUP_MCE, &cap), "nothing, %d banks", most);
	cap = supported;
	expect_errno(c, ask(c, vm->vcpu[0], GK_X86_SETUP_MCE, &cap), EINVAL, "no bank");
	cap = (unsigned)most + 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_X86_SETUP_MCE, &cap), EINVAL, "%u banks", (unsigned)most + 1);
	cap = MCG_FAULTY | 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_X86_SETUP_MCE, &cap), EINVAL, "a bit that means nothing");
	return 0;
}

static int nested_state(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1);
	struct gk_nested_state *s;
	int size = check_cap(c, c->kvm_fd, CAP_NESTED_STATE);

	if (!vm)
		return 1;
	if (size <= 0)
		return skip(c, "this KVM gives no guest what it takes to run guests");
	if (!expect(c, (size_t)size >= sizeof(*s) && size <= NESTED_MOST, "KVM_CAP_NESTED_STATE: %d bytes", size))
		return 1;
	s = case_memory(c, (size_t)size);
	if (!s)
		return 1;
	expect_errno(c, ask(c, vm->vcpu[0], GK_GET_NESTED_STATE, s), E2BIG, "no room at all");
	expect(c, s->size >= sizeof(*s) && s->size <= (unsigned)size, "how much it takes: %u bytes", s->size);
	memset(s, 0, (size_t)size);
	s->size = (uint32_t)size;
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_NESTED_STATE, s), "all the room there may be");
	expect_value(c, s->size, sizeof(*s), "of a vCPU that never ran: the head alone");
	expect(c, s->format == GK_STATE_NESTED_FORMAT_VMX || s->format == GK_STATE_NESTED_FORMAT_SVM, "format %u", s->format);
	expect_errno(c, ask(c, vm->vcpu[0], GK_SET_NESTED_STATE, (struct gk_nested_state[]){ { .format = s->format } }), EINVAL,
		     "KVM_SET_NESTED_STATE of less than its head");
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_NESTED_STATE, s), "KVM_SET_NESTED_STATE of what was read");
	expect_value(c, s->flags, s->format == GK_STATE_NESTED_FORMAT_SVM ? GK_STATE_NESTED_GIF_SET : 0, "flags");
	return 0;
}

static int dirty_log(struct conform *c)
{
	struct conform_vm *vm = vm_new(c);
	int offers = check_cap(c, c->kvm_fd, CAP_MANUAL_DIRTY_LOG_PROTECT2);

	if (!vm)
		return 1;
	if (offers <= 0)
		return skip(c, "this KVM has no KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	expect_ok(c, enable_cap(c, vm->fd, CAP_MANUAL_DIRTY_LOG_PROTECT2, (uint64_t)offers), "what is offered");
	expect_ok(c, enable_cap(c, vm->fd, CAP_MANUAL_DIRTY_LOG_PROTECT2, 0), "none of it");
	expect_errno(c, enable_cap(c, vm->fd, CAP_MANUAL_DIRTY_LOG_PROTECT2, 2), EINVAL, "a way of something that is off");
	expect_errno(c, enable_cap(c, vm->fd, CAP_MANUAL_DIRTY_LOG_PROTECT2, 1ULL << 40), EINVAL, "what is not offered");
	return 0;
}

/* What was read can be written back. */
static int saved(struct conform *c)
{
	struct conform_vm *vm = x86_vm(c, KERNEL_APIC, 1), *none = x86_vm(c, NO_APIC, 0);
	struct gk_xsave *area = case_memory(c, sizeof(*area));
	struct gk_msr_filter *filter = case_memory(c, sizeof(*filter));
	struct gk_irq_level line = { .irq = 4, .level = 1 };

	if (!vm || !none || !area || !filter)
		return 1;
	expect_ok(c, ask(c, vm->vcpu[0], GK_GET_XSAVE, area), "KVM_GET_XSAVE");
	expect_ok(c, ask(c, vm->vcpu[0], GK_SET_XSAVE, area), "KVM_SET_XSAVE");
	if (check_cap(c, c->kvm_fd, CAP_XSAVE2) == (int)sizeof(*area))
		expect_ok(c, ask(c, vm->vcpu[0], GK_GET_XSAVE2, area), "KVM_GET_XSAVE2");
	expect_ok(c, ask(c, vm->fd, GK_IRQ_LINE_STATUS, &line), "KVM_IRQ_LINE_STATUS, up");
	line = (struct gk_irq_level){ .irq = 4, .level = 0 };
	expect_ok(c, ask(c, vm->fd, GK_IRQ_LINE_STATUS, &line), "KVM_IRQ_LINE_STATUS, down");
	expect_errno(c, ask(c, none->fd, GK_IRQ_LINE_STATUS, &line), ENXIO, "KVM_IRQ_LINE_STATUS without irqchip");
	expect_errno(c, ask(c, none->fd, GK_IRQ_LINE, &line), ENXIO, "KVM_IRQ_LINE without irqchip");
	if (check_cap(c, c->kvm_fd, CAP_X86_MSR_FILTER) > 0)
		expect_ok(c, ask(c, vm->fd, GK_X86_SET_MSR_FILTER, filter), "KVM_X86_SET_MSR_FILTER of nothing");
	return 0;
}

const struct conform_case cases_x86_setup[] = {
	{ "setup:irqchip-cap", "KVM API 4.4", offered },
	{ "setup:mce", "KVM API 4.104, 4.105", mce },
	{ "setup:nested-state", "KVM API 4.114", nested_state },
	{ "setup:saved", "KVM API 4.25, 4.42, 4.43, 4.97", saved },
	{ "setup:dirty-log", "KVM API 7.17", dirty_log },
	{ NULL, NULL, NULL },
};
