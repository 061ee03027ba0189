/* SPDX-License-Identifier: MIT */
#include "call.h"

#include "abi.h"
#include "abi_arm64.h"
#include "abi_x86.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With room for as many as KVM takes, the first call answers. In a virtual
 * machine each CPUID that KVM executes for it costs an exit. */
#define CPUID_ROOM_FIRST GK_CPUID_ENTRIES_MOST
#define CPUID_ROOM_LAST 1024

int call(const struct gcpu_kvm *kvm, int fd, unsigned long request, const void *arg)
{
	return kvm->ops->ioctl(kvm->ctx, fd, request, (uintptr_t)arg);
}

int call_number(const struct gcpu_kvm *kvm, int fd, unsigned long request, unsigned long arg)
{
	return kvm->ops->ioctl(kvm->ctx, fd, request, arg);
}

int call_enable_cap(const struct gcpu_kvm *kvm, int fd, uint32_t cap, uint64_t arg0)
{
	struct gk_enable_cap c;

	memset(&c, 0, sizeof(c));
	c.cap = cap;
	c.args[0] = arg0;
	return call(kvm, fd, GK_ENABLE_CAP, &c);
}

static bool is_empty(const struct gk_cpuid_entry2 *e)
{
	return !(e->function | e->index | e->flags | e->eax | e->ebx | e->ecx | e->edx);
}

static int keep_entries(const struct gk_cpuid2 *c, uint32_t room, struct list *ret)
{
	uint32_t n = c->nent < room ? c->nent : room;

	/* some kernels leave the caller's size there after KVM_GET_CPUID2: the
	 * rest of the buffer is as empty as it was */
	while (n == c->nent && n == room && n && is_empty(&c->entries[n - 1])) {
		while (n && is_empty(&c->entries[n - 1]))
			n--;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct gk_cpuid_entry2 *e = &c->entries[i];
		struct snap_cpuid *out = list_add(ret, sizeof(*out));

		if (!out)
			return -ENOMEM;
		*out = (struct snap_cpuid){ e->function, e->index, e->flags,
					    { e->eax, e->ebx, e->ecx, e->edx } };
	}
	return 0;
}

int call_get_cpuid(const struct gcpu_kvm *kvm, int fd, unsigned long request, struct list *ret)
{
	for (uint32_t room = CPUID_ROOM_FIRST; room <= CPUID_ROOM_LAST; room *= 2) {
		struct gk_cpuid2 *c = calloc(1, sizeof(*c) + room * sizeof(c->entries[0]));
		int status;

		if (!c)
			return -ENOMEM;
		c->nent = room;
		status = call(kvm, fd, request, c);
		if (status >= 0)
			status = keep_entries(c, room, ret);
		free(c);
		/* E2BIG does not say how many: ask again with more room */
		if (status != -E2BIG)
			return status;
	}
	return -E2BIG;
}

int call_set_cpuid(const struct gcpu_kvm *kvm, int vcpu, const struct snap_cpuid *e, size_t n)
{
	struct gk_cpuid2 *c = calloc(1, sizeof(*c) + n * sizeof(c->entries[0]));
	int status;

	if (!c)
		return -ENOMEM;
	c->nent = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		c->entries[i].function = e[i].leaf;
		c->entries[i].index = e[i].subleaf;
		c->entries[i].flags = e[i].flags;
		c->entries[i].eax = e[i].regs[0];
		c->entries[i].ebx = e[i].regs[1];
		c->entries[i].ecx = e[i].regs[2];
		c->entries[i].edx = e[i].regs[3];
	}
	status = call(kvm, vcpu, GK_SET_CPUID2, c);
	free(c);
	return status < 0 ? status : 0;
}

/* struct gk_msrs ends in an array: room for one entry. */
union one_msr {
	struct gk_msrs msrs;
	unsigned char room[sizeof(struct gk_msrs) + sizeof(struct gk_msr_entry)];
};

int call_set_msr(const struct gcpu_kvm *kvm, int vcpu, uint32_t index, uint64_t value)
{
	union one_msr m;
	int status;

	memset(&m, 0, sizeof(m));
	m.msrs.nmsrs = 1;
	m.msrs.entries[0].index = index;
	m.msrs.entries[0].data = value;
	status = call(kvm, vcpu, GK_SET_MSRS, &m);
	return status < 0 ? status : status == 1 ? 0 : 1;
}

int call_get_msr(const struct gcpu_kvm *kvm, int fd, uint32_t index, uint64_t *ret)
{
	union one_msr m;
	int status;

	memset(&m, 0, sizeof(m));
	m.msrs.nmsrs = 1;
	m.msrs.entries[0].index = index;
	status = call(kvm, fd, GK_GET_MSRS, &m);
	if (status == 1)
		*ret = m.msrs.entries[0].data;
	return status < 0 ? status : status == 1 ? 0 : 1;
}

int call_get_reg(const struct gcpu_kvm *kvm, int vcpu, uint64_t id, uint64_t *ret)
{
	struct gk_one_reg r = { .id = id, .addr = (uintptr_t)ret };
	int status = call(kvm, vcpu, GK_GET_ONE_REG, &r);

	return status < 0 ? status : 0;
}

int call_set_reg(const struct gcpu_kvm *kvm, int vcpu, uint64_t id, const uint64_t *value)
{
	struct gk_one_reg r = { .id = id, .addr = (uintptr_t)value };
	int status = call(kvm, vcpu, GK_SET_ONE_REG, &r);

	return status < 0 ? status : 0;
}

int call_vcpu_init(const struct gcpu_kvm *kvm, int vcpu, uint32_t target, uint32_t features)
{
	struct gk_arm_vcpu_init init;
	int status;

	memset(&init, 0, sizeof(init));
	init.target = target;
	init.features[0] = features;
	status = call(kvm, vcpu, GK_ARM_VCPU_INIT, &init);
	return status < 0 ? status : 0;
}
