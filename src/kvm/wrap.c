/* SPDX-License-Identifier: MIT */
/*
 * How much memory stands behind the argument of an ioctl. The number itself
 * says it for most: direction and size. What is in the table is known by name,
 * and where the number says too little, by rule.
 */
#include "wrap.h"

#include "abi_arm64.h"
#include "abi_x86.h"

#include <errno.h>
#include <string.h>

/* Longer lists are no answer of any kernel. */
#define ELEMENTS_MOST 65536U

const char *const wrap_op_names[WRAP_OPS] = {
	"open", "close", "ioctl", "mmap", "munmap", "cpuid", "perm", "file", "pin",
};

const char *const wrap_role_names[ROLE_COUNT] = { "fd", "kvm", "vm", "vcpu", "device", "stats" };

enum { FLOW_IN = 1, FLOW_OUT = 2 };

/* What a pointer in the argument leads to. */
enum behind { BEHIND_NONE, BEHIND_OPAQUE, BEHIND_REGISTER, BEHIND_MASKS, BEHIND_ATTR };

struct rule {
	unsigned long request;
	const char *name;
	uint8_t head, element, count_size; /* a list: its header, its elements */
	uint8_t flow;			   /* of the elements, or of what is behind */
	uint8_t behind;			   /* enum behind */
	uint8_t at, size;		   /* where that pointer is, or a descriptor */
	uint8_t makes;			   /* enum wrap_role */
};

#define PLAIN(name) { GK_##name, "KVM_" #name, 0, 0, 0, 0, 0, 0, 0, 0 }
#define MAKES(name, role) { GK_##name, "KVM_" #name, 0, 0, 0, 0, 0, 0, 0, role }
#define LIST(name, head, element, count, flow) \
	{ GK_##name, "KVM_" #name, head, element, count, flow, 0, 0, 0, 0 }
#define BEHIND(name, kind, at, flow) \
	{ GK_##name, "KVM_" #name, 0, 0, 0, flow, kind, at, 8, 0 }

static const struct rule rules[] = {
	PLAIN(GET_API_VERSION),
	MAKES(CREATE_VM, ROLE_VM),
	PLAIN(CHECK_EXTENSION),
	PLAIN(GET_VCPU_MMAP_SIZE),
	MAKES(CREATE_VCPU, ROLE_VCPU),
	PLAIN(CREATE_IRQCHIP),
	PLAIN(IRQ_LINE),
	PLAIN(SIGNAL_MSI),
	{ GK_CREATE_DEVICE, "KVM_CREATE_DEVICE", 0, 0, 0, 0, 0, 4, 4, ROLE_DEVICE },
	PLAIN(RUN),
	PLAIN(GET_MP_STATE),
	PLAIN(SET_MP_STATE),
	PLAIN(ENABLE_CAP),
	MAKES(GET_STATS_FD, ROLE_STATS),
	BEHIND(SET_USER_MEMORY_REGION, BEHIND_OPAQUE, 24, 0),
	BEHIND(GET_ONE_REG, BEHIND_REGISTER, 8, FLOW_OUT),
	BEHIND(SET_ONE_REG, BEHIND_REGISTER, 8, FLOW_IN),
	LIST(GET_REG_LIST, 8, 8, 8, FLOW_OUT),
	BEHIND(SET_DEVICE_ATTR, BEHIND_ATTR, 16, FLOW_IN),
	BEHIND(GET_DEVICE_ATTR, BEHIND_ATTR, 16, FLOW_OUT),
	BEHIND(HAS_DEVICE_ATTR, BEHIND_OPAQUE, 16, 0),
	/* x86 */
	LIST(GET_MSR_INDEX_LIST, 4, 4, 4, FLOW_OUT),
	LIST(GET_MSR_FEATURE_INDEX_LIST, 4, 4, 4, FLOW_OUT),
	LIST(GET_SUPPORTED_CPUID, 8, 40, 4, FLOW_OUT),
	LIST(GET_EMULATED_CPUID, 8, 40, 4, FLOW_OUT),
	LIST(GET_SUPPORTED_HV_CPUID, 8, 40, 4, FLOW_OUT),
	LIST(GET_CPUID2, 8, 40, 4, FLOW_OUT),
	LIST(SET_CPUID2, 8, 40, 4, FLOW_IN),
	LIST(SET_CPUID, 8, 24, 4, FLOW_IN),
	LIST(GET_MSRS, 8, 16, 4, FLOW_IN | FLOW_OUT),
	LIST(SET_MSRS, 8, 16, 4, FLOW_IN),
	PLAIN(SET_TSS_ADDR),
	PLAIN(SET_IDENTITY_MAP_ADDR),
	PLAIN(SET_BOOT_CPU_ID),
	PLAIN(GET_REGS),
	PLAIN(SET_REGS),
	PLAIN(GET_SREGS),
	PLAIN(SET_SREGS),
	PLAIN(INTERRUPT),
	PLAIN(GET_LAPIC),
	PLAIN(SET_LAPIC),
	PLAIN(NMI),
	PLAIN(X86_SETUP_MCE),
	PLAIN(X86_GET_MCE_CAP_SUPPORTED),
	PLAIN(SET_TSC_KHZ),
	PLAIN(GET_TSC_KHZ),
	PLAIN(GET_XSAVE),
	PLAIN(SET_XSAVE),
	PLAIN(GET_XCRS),
	PLAIN(SET_XCRS),
	PLAIN(KVMCLOCK_CTRL),
	/* arm64 */
	PLAIN(ARM_SET_COUNTER_OFFSET),
	PLAIN(ARM_PREFERRED_TARGET),
	PLAIN(ARM_VCPU_INIT),
	PLAIN(ARM_VCPU_FINALIZE),
	BEHIND(ARM_GET_REG_WRITABLE_MASKS, BEHIND_MASKS, 0, FLOW_OUT),
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

static const struct rule *rule_of(unsigned long request)
{
	for (size_t i = 0; i < N_RULES; i++)
		if (rules[i].request == request)
			return &rules[i];
	return NULL;
}

const char *wrap_request_name(unsigned long request)
{
	const struct rule *r = rule_of(request);

	return r ? r->name : NULL;
}

unsigned long wrap_request_by_name(const char *name, size_t length)
{
	for (size_t i = 0; i < N_RULES; i++)
		if (strlen(rules[i].name) == length && memcmp(rules[i].name, name, length) == 0)
			return rules[i].request;
	return 0;
}

enum wrap_role wrap_request_makes(unsigned long request, bool *ret_inside)
{
	const struct rule *r = rule_of(request);

	*ret_inside = r && r->makes && r->size;
	return r ? (enum wrap_role)r->makes : ROLE_OTHER;
}

/* A device attribute has no size of its own: who asks for what decides. */
static const struct {
	enum gcpu_arch arch;
	enum wrap_role role;
	uint32_t group;
	uint8_t size;
} attr_sizes[] = {
	{ GCPU_ARCH_X86, ROLE_KVM, GK_X86_GRP_SYSTEM, 8 },
	{ GCPU_ARCH_X86, ROLE_VCPU, GK_VCPU_TSC_CTRL, 8 },
	{ GCPU_ARCH_ARM64, ROLE_VCPU, GK_ARM_VCPU_PMU_V3_CTRL, 4 },
	{ GCPU_ARCH_ARM64, ROLE_VCPU, GK_ARM_VCPU_TIMER_CTRL, 4 },
	{ GCPU_ARCH_ARM64, ROLE_VCPU, GK_ARM_VCPU_PVTIME_CTRL, 8 },
	{ GCPU_ARCH_ARM64, ROLE_DEVICE, GK_DEV_ARM_VGIC_GRP_ADDR, 8 },
	{ GCPU_ARCH_ARM64, ROLE_DEVICE, GK_DEV_ARM_VGIC_GRP_NR_IRQS, 4 },
};

static size_t attr_size(enum gcpu_arch arch, enum wrap_role role, const struct gk_device_attr *a)
{
	for (size_t i = 0; i < sizeof(attr_sizes) / sizeof(attr_sizes[0]); i++)
		if (attr_sizes[i].arch == arch && attr_sizes[i].role == role &&
		    attr_sizes[i].group == a->group)
			return attr_sizes[i].size;
	return 0;
}

static size_t behind_size(enum gcpu_arch arch, enum wrap_role role, const struct rule *r,
			  const void *arg)
{
	struct gk_device_attr attr;
	struct gk_one_reg reg;

	switch (r->behind) {
	case BEHIND_REGISTER:
		memcpy(&reg, arg, sizeof(reg));
		return reg.id >> GK_REG_SIZE_SHIFT & 15 & 8 ?
			       (reg.id >> GK_REG_SIZE_SHIFT & 7 ? 0 : 256) :
			       (size_t)1 << (reg.id >> GK_REG_SIZE_SHIFT & 7);
	case BEHIND_MASKS:
		return GK_ARM_FEATURE_ID_RANGE_SIZE * sizeof(uint64_t);
	case BEHIND_ATTR:
		memcpy(&attr, arg, sizeof(attr));
		return attr_size(arch, role, &attr);
	default:
		return 0;
	}
}

static uint64_t count_of(const void *arg, unsigned size)
{
	uint64_t wide;
	uint32_t narrow;

	if (size == sizeof(wide)) {
		memcpy(&wide, arg, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, arg, sizeof(narrow));
	return narrow;
}

static size_t list_size(const struct wrap_shape *s, uint64_t most)
{
	uint64_t n = count_of(s->part[0].at, s->count_size);

	n = n < most ? n : most;
	return s->head + (size_t)n * s->element;
}

void wrap_shape(enum gcpu_arch arch, enum wrap_role role, unsigned long request, uintptr_t arg,
		struct wrap_shape *ret)
{
	const struct rule *r = rule_of(request);
	unsigned direction = (unsigned)(request >> 30) & 3;
	size_t size = (size_t)(request >> 16) & 0x3fff;
	uint64_t pointer = 0;

	memset(ret, 0, sizeof(*ret));
	ret->pointer = direction != 0;
	ret->makes = wrap_request_makes(request, &ret->fd_inside);
	/* The kernel refuses NULL by itself. */
	if (!ret->pointer || !arg)
		return;
	ret->part[0] = (struct wrap_part){ (void *)arg, direction & 1 ? size : 0,
					   direction & 2 ? size : 0 };
	if (!r)
		return;
	ret->hidden = r->at;
	ret->hidden_size = r->size;
	/* a question whether there is such a device makes none */
	if (request == GK_CREATE_DEVICE) {
		struct gk_create_device d;

		memcpy(&d, (void *)arg, sizeof(d));
		if (d.flags & GK_CREATE_DEVICE_TEST)
			ret->makes = ROLE_OTHER;
	}
	if (r->head) {
		ret->head = r->head;
		ret->element = r->element;
		ret->count_size = r->count_size;
		ret->part[0].in = r->flow & FLOW_IN ? list_size(ret, ELEMENTS_MOST) : r->head;
		ret->part[0].out = r->flow & FLOW_OUT ? list_size(ret, ELEMENTS_MOST) : 0;
	}
	if (r->behind) {
		/* also where the number claims that the argument comes out */
		ret->part[0].in = size;
		ret->part[0].out = 0;
		memcpy(&pointer, (char *)arg + r->at, sizeof(pointer));
	}
	if (pointer && r->flow) {
		size_t n = behind_size(arch, role, r, (void *)arg);

		ret->part[1] = (struct wrap_part){ (void *)(uintptr_t)pointer,
						   r->flow & FLOW_IN ? n : 0,
						   r->flow & FLOW_OUT ? n : 0 };
	}
}

size_t wrap_written(const struct wrap_shape *s, int result)
{
	size_t most = s->part[0].out, now;

	if (!s->head || !most)
		return result < 0 ? 0 : most;
	/* too little room: the count alone says how much */
	if (result < 0)
		return result == -E2BIG ? s->head : 0;
	now = list_size(s, ELEMENTS_MOST);
	return now < most ? now : most;
}

int wrap_made(const struct wrap_shape *s, int result)
{
	int fd;

	if (result < 0 || !s->makes)
		return -1;
	if (!s->fd_inside)
		return result;
	if (!s->part[0].at)
		return -1;
	memcpy(&fd, (char *)s->part[0].at + s->hidden, sizeof(fd));
	return fd;
}
