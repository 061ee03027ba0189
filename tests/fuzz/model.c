/* SPDX-License-Identifier: MIT */
/* Calls of the software KVM, in any order and with any argument: a byte says which, others say with what. */
#include "fuzz.h"

#include "core/guest_port.h"
#include "core/snapshot.h"
#include "kvm/abi.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_more.h"
#include "kvm/abi_x86.h"

#include <guestcpu/model.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, MEMORY = 1 << 20, LIST = 24, FDS = 24, HOSTS = 64 };

static const unsigned long requests[] = {
	GK_GET_API_VERSION, GK_CREATE_VM, GK_CHECK_EXTENSION, GK_GET_VCPU_MMAP_SIZE, GK_CREATE_VCPU,
	GK_SET_USER_MEMORY_REGION, GK_CREATE_IRQCHIP, GK_IRQ_LINE, GK_SET_GSI_ROUTING, GK_IRQFD, GK_SIGNAL_MSI,
	GK_CREATE_DEVICE, GK_RUN, GK_GET_MP_STATE, GK_SET_MP_STATE, GK_GET_ONE_REG, GK_SET_ONE_REG, GK_GET_REG_LIST,
	GK_ENABLE_CAP, GK_SET_DEVICE_ATTR, GK_GET_DEVICE_ATTR, GK_HAS_DEVICE_ATTR, GK_GET_MSR_INDEX_LIST,
	GK_GET_SUPPORTED_CPUID, GK_GET_EMULATED_CPUID, GK_GET_MSR_FEATURE_INDEX_LIST, GK_GET_SUPPORTED_HV_CPUID,
	GK_SET_TSS_ADDR, GK_SET_IDENTITY_MAP_ADDR, GK_SET_BOOT_CPU_ID, GK_SET_CLOCK, GK_GET_CLOCK,
	GK_X86_SET_MSR_FILTER, GK_GET_REGS, GK_SET_REGS, GK_GET_SREGS, GK_SET_SREGS, GK_INTERRUPT, GK_GET_MSRS,
	GK_SET_MSRS, GK_SET_CPUID, GK_GET_LAPIC, GK_SET_LAPIC, GK_SET_CPUID2, GK_GET_CPUID2, GK_NMI,
	GK_X86_SETUP_MCE, GK_X86_GET_MCE_CAP_SUPPORTED, GK_SET_TSC_KHZ, GK_GET_TSC_KHZ, GK_GET_XSAVE, GK_SET_XSAVE,
	GK_GET_XCRS, GK_SET_XCRS, GK_KVMCLOCK_CTRL, GK_GET_XSAVE2, GK_ARM_SET_COUNTER_OFFSET,
	GK_ARM_PREFERRED_TARGET, GK_ARM_GET_REG_WRITABLE_MASKS, GK_ARM_VCPU_INIT, GK_ARM_VCPU_FINALIZE,
	GK_SET_IRQCHIP, GK_GET_IRQCHIP, GK_SET_PIT2, GK_GET_PIT2, GK_SET_PMU_EVENT_FILTER, GK_IRQ_LINE_STATUS,
	GK_IOEVENTFD, GK_SET_FPU,
	/* those that have no name in the library */
	GK_SET_FPU ^ 0xc0000001UL, 0x8040ae9fUL, 0x4040aea0UL, 0x8080aea1UL, 0x4080aea2UL, 0xc080aebeUL,
	0x4080aebfUL, 0x8140aeccUL, 0x4140aecdUL, 0x8138ae83UL ^ 0x4f,
};

static const uint64_t values[] = { 0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 100, 255, 256, 257, 1024, 4096, 65535,
				   65536, 0x1000000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x40000000,
				   0xfee00000, 0x7fffffffffffffff, 0x8000000000000000, ~0ULL, ~0ULL - 4095 };

static const char *const series[] = { NULL, "6.1", "6.12", "6.18", "7.2" };

struct session {
	const uint8_t *data;
	size_t n, at;
	uint64_t state; /* for what is longer than the input */
	const struct gcpu_snapshot *host;
	struct gcpu_model *model;
	const struct gcpu_kvm *kvm;
	int fd[FDS];
	struct gk_run *run;
	struct gcpu_guest_op ops[4][LIST];
};

static uint8_t *memory; /* arguments, and the guest's; behind it a page to be read only, and one not even that */

static uint8_t byte(struct session *s)
{
	return s->at < s->n ? s->data[s->at++] : 0;
}

static uint64_t more(struct session *s)
{
	s->state = (s->state ^ byte(s)) * 6364136223846793005ULL + 1442695040888963407ULL;
	return s->state >> 24;
}

static uint64_t known(struct session *s)
{
	const struct gcpu_snapshot *h = s->host;

	if (h->arch == GCPU_ARCH_X86 && h->msr_indexes.n)
		return *LIST_AT(&h->msr_indexes, uint32_t, more(s) % h->msr_indexes.n);
	return h->regs.n ? LIST_AT(&h->regs, struct snap_reg, more(s) % h->regs.n)->id : more(s);
}

static uint64_t value(struct session *s)
{
	uint8_t b = byte(s);

	switch (b % 8) {
	case 0:
		return more(s);
	case 1:
		return known(s);
	case 2:
		return (uint64_t)(uintptr_t)memory + more(s) % MEMORY / 8 * 8;
	case 3:
		return 1ULL << (b >> 2);
	case 4:
		return more(s) % 512;
	case 5:
		return 0x4b564d00 + b / 8;
	default:
		return values[(b >> 3) % (sizeof(values) / sizeof(values[0]))];
	}
}

static int fd_of(struct session *s)
{
	uint8_t b = byte(s);

	return b < 240 ? s->fd[b % FDS] : (int)(int8_t)b;
}

static void keep_fd(struct session *s, int fd)
{
	if (fd >= 3)
		s->fd[fd % FDS] = fd;
}

static void fill(struct session *s, uint8_t *at)
{
	unsigned n = byte(s) % 64;

	for (unsigned i = 0; i < n; i++) {
		uint64_t v = value(s);
		unsigned width = more(s) & 1 ? 4 : 8;

		memcpy(at + i * width, &v, width);
	}
}

/* Not a sanitizer's own memory, which is there, and is nobody's to read. */
static uintptr_t nowhere(uint64_t v)
{
	return (uintptr_t)(v >= 0x10000 && v < 1ULL << 45 ? v | 1ULL << 60 : v);
}

static uintptr_t argument(struct session *s)
{
	uint8_t b = byte(s);

	switch (b % 8) {
	case 0:
		return nowhere(values[(b >> 3) % (sizeof(values) / sizeof(values[0]))]);
	case 1: /* the last bytes, what can only be read, what cannot even be read */
		return (uintptr_t)memory + MEMORY + PAGE * (b >> 3 & 1) - more(s) % 300;
	case 2:
		return b / 8; /* mostly numbers */
	case 3: /* at any address */
		fill(s, memory + b * 64U + b / 8U);
		return (uintptr_t)memory + b * 64U + b / 8U;
	default:
		fill(s, memory + b * 64U);
		return (uintptr_t)memory + b * 64U;
	}
}

static int call(struct session *s, int fd, unsigned long request, uintptr_t arg)
{
	int status = s->kvm->ops->ioctl(s->kvm->ctx, fd, request, arg);
	struct gk_create_device device;

	MUST(status > -4096);
	if (request == GK_CREATE_VM || request == GK_CREATE_VCPU)
		keep_fd(s, status);
	if (request == GK_CREATE_DEVICE && status == 0)
		memcpy(&device, (void *)arg, sizeof(device)), keep_fd(s, (int)device.fd);
	return status;
}

static void any_ioctl(struct session *s)
{
	unsigned long request = requests[byte(s) % (sizeof(requests) / sizeof(requests[0]))];
	uint8_t b = byte(s);
	int fd = fd_of(s);

	if (b > 250) /* another size or direction, or another call */
		request ^= 1UL << (more(s) % 32);
	call(s, fd, request, argument(s));
}

static void list_ioctl(struct session *s)
{
	int fd = fd_of(s);
	uint8_t b = byte(s), *at = memory + b / 16;
	struct gk_msrs head = { .nmsrs = b % 16 };

	memcpy(at, &head, sizeof(head));
	for (unsigned i = 0; i < head.nmsrs; i++) {
		struct gk_msr_entry e = { .index = (uint32_t)(byte(s) & 1 ? known(s) : value(s)) };

		e.data = value(s);
		memcpy(at + sizeof(head) + i * sizeof(e), &e, sizeof(e));
	}
	call(s, fd, byte(s) & 1 ? GK_SET_MSRS : GK_GET_MSRS, (uintptr_t)at);
}

static void cpuid_ioctl(struct session *s)
{
	struct gk_cpuid2 *c = (void *)memory;
	int system = fd_of(s), vcpu = fd_of(s);
	unsigned changes = byte(s) % 8;

	c->nent = 256;
	if (call(s, system, GK_GET_SUPPORTED_CPUID, (uintptr_t)c) || c->nent > 256)
		return;
	for (unsigned i = 0; i < changes && c->nent; i++) {
		uint32_t v = (uint32_t)value(s);

		memcpy((uint8_t *)&c->entries[more(s) % c->nent] + more(s) % 10 * 4, &v, 4);
	}
	if (byte(s) & 1)
		c->nent = (uint32_t)value(s) % 300;
	call(s, vcpu, GK_SET_CPUID2, (uintptr_t)c);
}

static void reg_ioctl(struct session *s)
{
	struct gk_one_reg r = { byte(s) & 3 ? known(s) : value(s), (uintptr_t)memory + 512 };
	int fd = fd_of(s);
	uint8_t b = byte(s);

	if (b & 2)
		r.id ^= 1ULL << (more(s) % 64);
	if (b & 4)
		fill(s, memory + 512);
	if ((b & 0xf0) == 0xf0)
		r.addr = nowhere(value(s));
	call(s, fd, b & 1 ? GK_SET_ONE_REG : GK_GET_ONE_REG, (uintptr_t)&r);
}

static void slot(struct session *s)
{
	struct gk_userspace_memory_region r = { 0, 0, 0, MEMORY / 2, (uintptr_t)memory + MEMORY / 2 };
	uint8_t b = byte(s);

	if (b & 1)
		r.slot = (uint32_t)value(s);
	if (b & 2)
		r.flags = (uint32_t)value(s) & 3;
	if (b & 4)
		r.guest_phys_addr = value(s) & ~0xfffULL;
	if (b & 8)
		r.memory_size = value(s) & ~0xfffULL;
	/* memory that is not there; what is there is overwritten by the guest */
	if (b & 16)
		r.userspace_addr = ~(uint64_t)0xfff & nowhere(values[more(s) % 28]);
	/* and memory that can only be read, whatever the slot says */
	if (b & 32)
		r.userspace_addr = (uintptr_t)memory + MEMORY + (b & 64 ? PAGE : 0), r.memory_size = PAGE;
	if (r.userspace_addr == ((uintptr_t)memory + MEMORY / 2) && r.memory_size > MEMORY / 2)
		r.userspace_addr = nowhere(0x10000);
	call(s, fd_of(s), GK_SET_USER_MEMORY_REGION, (uintptr_t)&r);
}

static void guest(struct session *s)
{
	unsigned which = byte(s) % 4, n = byte(s) % LIST;
	struct gcpu_guest_op *ops = s->ops[which];
	int fd = fd_of(s), status;

	for (unsigned i = 0; i < n; i++) {
		ops[i].code = byte(s) % 28;
		for (unsigned k = 0; k < 6; k++)
			ops[i].arg[k] = value(s);
		if (ops[i].code == GUEST_OP_SPIN || ops[i].code == GUEST_OP_SWAP || ops[i].code == GUEST_OP_CLOCK)
			ops[i].arg[0] %= 4096;
		if (ops[i].code == GCPU_GUEST_LOAD || ops[i].code == GCPU_GUEST_STORE)
			ops[i].arg[1] = 1U << (ops[i].arg[1] % 5);
	}
	status = gcpu_model_guest(s->model, fd, ops, n);
	MUST(status == 0 || status == GCPU_ERR_ARGUMENT);
}

static void run(struct session *s)
{
	unsigned rounds = byte(s) % 8 + 1;
	int fd = fd_of(s);

	for (unsigned i = 0; i < rounds; i++)
		if (call(s, fd, GK_RUN, 0) < 0)
			return;
}

static void misc(struct session *s)
{
	const struct gcpu_kvm_ops *o = s->kvm->ops;
	void *c = s->kvm->ctx, *at = NULL;
	uint64_t ret = 0;
	uint32_t regs[4];
	char text[64];
	size_t size;

	switch (byte(s) % 8) {
	case 0:
		size = byte(s) & 1 ? 4096 : (size_t)value(s) | 1;
		if (o->mmap(c, size, fd_of(s) | 1 << 1, &at) == 0) {
			MUST(o->munmap(c, at, size) == 0);
			MUST(o->munmap(c, at, size) == 0); /* and again, as for the kernel */
		}
		break;
	case 1:
		o->guest_perm(c, GK_ARCH_SET_CPUID + byte(s) % 24, value(s), &ret);
		break;
	case 2:
		o->host_cpuid(c, (uint32_t)value(s), (uint32_t)value(s), regs);
		break;
	case 3:
		MUST(o->read_host_file(c, "/sys/module/kvm/parameters/ignore_msrs", text, byte(s) % sizeof(text)) <=
		     (int)sizeof(text));
		MUST(o->read_host_file(c, "/proc/cpuinfo", text, byte(s) % sizeof(text)) <= (int)sizeof(text));
		break;
	case 4:
		o->pin(c, (int)(int8_t)byte(s));
		break;
	case 5:
		if (o->mmap(c, 4096, fd_of(s), &at) == 0) {
			((struct gk_run *)at)->immediate_exit = byte(s) & 1;
			fill(s, (uint8_t *)at + 8);
			MUST(o->munmap(c, at, 4096) == 0);
		}
		break;
	default:
		o->close(c, fd_of(s));
		break;
	}
}

/* A VM with two vCPUs and what most need: not every input has to find its way there. */
static void usual(struct session *s, uint8_t how)
{
	struct gk_arm_vcpu_init init;
	int system = s->kvm->ops->open(s->kvm->ctx, "/dev/kvm", 0), vm, vcpu;

	keep_fd(s, system);
	vm = call(s, system, GK_CREATE_VM, 0);
	if (how & 1)
		call(s, vm, GK_CREATE_IRQCHIP, 0);
	slot(s);
	for (unsigned i = 0; i < 2U + (how >> 1 & 1U); i++) {
		vcpu = call(s, vm, GK_CREATE_VCPU, i);
		if (s->host->arch == GCPU_ARCH_X86)
			continue;
		memset(&init, 0, sizeof(init));
		init.target = GK_ARM_TARGET_GENERIC_V8;
		init.features[0] = how >> 2 & 0x3f & ~(how & 4 ? 0U : 1U);
		call(s, vcpu, GK_ARM_VCPU_INIT, (uintptr_t)&init);
	}
}

static void go(struct session *s)
{
	while (s->at < s->n) {
		switch (byte(s) % 12) {
		case 0:
		case 1:
		case 2:
			any_ioctl(s);
			break;
		case 3:
			list_ioctl(s);
			break;
		case 4:
			cpuid_ioctl(s);
			break;
		case 5:
			reg_ioctl(s);
			break;
		case 6:
			slot(s);
			break;
		case 7:
		case 8:
			guest(s);
			break;
		case 9:
		case 10:
			run(s);
			break;
		default:
			misc(s);
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gcpu_snapshot *hosts[HOSTS];
	static struct session s;
	struct gcpu_model_options o = { .size = sizeof(o) };
	struct gcpu_error err = { 0 };
	unsigned n_hosts = 0, i;
	const char *name;
	int status;

	if (!memory) {
		memory = mmap(NULL, MEMORY + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		MUST(memory != MAP_FAILED && mprotect(memory + MEMORY, PAGE, PROT_READ) == 0 &&
		     mprotect(memory + MEMORY + PAGE, PAGE, PROT_NONE) == 0);
	}
	memset(memory, 0, MEMORY);
	memset(&s, 0, sizeof(s));
	s.data = data;
	s.n = size < 4096 ? size : 4096;
	while (gcpu_snapshot_bundled_name(n_hosts))
		n_hosts++;
	i = byte(&s) % n_hosts;
	name = gcpu_snapshot_bundled_name(i);
	if (!hosts[i])
		MUST(gcpu_snapshot_bundled(name, &hosts[i], &err) == 0);
	o.kernel = series[byte(&s) % 5];
	status = gcpu_model_new(hosts[i], &o, &s.model, &err);
	if (status) {
		fuzz_error(&err, status, 0);
		return 0;
	}
	s.host = gcpu_model_host(s.model);
	s.kvm = gcpu_model_kvm(s.model);
	usual(&s, byte(&s));
	go(&s);
	gcpu_model_free(s.model);
	return 0;
}
