/* SPDX-License-Identifier: MIT */
#include "plain.h"

#include <errno.h>
#include <string.h>

#include "core/util.h"
#include "kvm/call.h"

int plain_plug(struct lab *lab)
{
	struct gcpu_error err = { 0 };
	int r = lab_vm_number(lab, GK_CREATE_IRQCHIP, 0);

	if (r < 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_CREATE_IRQCHIP: %s", answer(r));
	if (run_machine_plug(lab->vm, &err))
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "%s", err.text);
	return 0;
}

int vm_cap(const struct lab *lab, unsigned cap)
{
	return lab_vm_number(lab, GK_CHECK_EXTENSION, cap);
}

int vm_enable(const struct lab *lab, unsigned cap, uint64_t arg)
{
	return call_enable_cap(lab->alive->o->kvm, run_machine_vm(lab->vm), cap, arg);
}

int no_answer(struct lab *lab, const char *call, int r)
{
	if (r >= 0 || r == -EINVAL)
		return 0;
	return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "%s: %s", call, strerror(-r));
}
