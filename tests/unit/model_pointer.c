/* SPDX-License-Identifier: MIT */
/*
 * A software KVM and the caller's pointers. The kernel copies what it is given, so it takes it at any address,
 * and where there is no memory, or none that can be written, it says EFAULT.
 */
#include "unit.h"

#include "kvm/abi.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_more.h"
#include "kvm/abi_x86.h"

#include <guestcpu/model.h>

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define PAGE 4096U
#define SIZE (16 * PAGE)

enum { SYSTEM, VM, VCPU, DEVICE, FDS };

struct fixture {
	struct gcpu_snapshot *snap;
	struct gcpu_model *model;
	const struct gcpu_kvm *kvm;
	int fd[FDS];
};

static int call(const struct fixture *f, int fd, unsigned long request, const void *arg)
{
	return f->kvm->ops->ioctl(f->kvm->ctx, fd, request, (uintptr_t)arg);
}

static void set_up(struct fixture *f, const char *host)
{
	struct gk_create_device device = { .type = GK_DEV_TYPE_ARM_VGIC_V3 };
	struct gk_arm_vcpu_init init;
	struct gcpu_error err;

	CHECK(gcpu_snapshot_bundled(host, &f->snap, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_new(f->snap, NULL, &f->model, &err) == 0, "%s", err.text);
	f->kvm = gcpu_model_kvm(f->model);
	f->fd[SYSTEM] = f->kvm->ops->open(f->kvm->ctx, "/dev/kvm", 0);
	f->fd[VM] = call(f, f->fd[SYSTEM], GK_CREATE_VM, NULL);
	if (gcpu_snapshot_arch(f->snap) == GCPU_ARCH_X86)
		CHECK(call(f, f->fd[VM], GK_CREATE_IRQCHIP, NULL) == 0, "interrupt controllers");
	f->fd[VCPU] = call(f, f->fd[VM], GK_CREATE_VCPU, NULL);
	CHECK(f->fd[VCPU] >= 0, "KVM_CREATE_VCPU: %d", f->fd[VCPU]);
	if (gcpu_snapshot_arch(f->snap) != GCPU_ARCH_ARM64)
		return;
	CHECK(call(f, f->fd[VM], GK_ARM_PREFERRED_TARGET, &init) == 0 &&
	      call(f, f->fd[VCPU], GK_ARM_VCPU_INIT, &init) == 0, "KVM_ARM_VCPU_INIT");
	CHECK(call(f, f->fd[VM], GK_CREATE_DEVICE, &device) == 0, "the interrupt controller");
	f->fd[DEVICE] = (int)device.fd;
}

static void tear_down(struct fixture *f)
{
	gcpu_model_free(f->model);
	gcpu_snapshot_free(f->snap);
}

/* What the argument begins with: a count that suffices, an id, or nothing. */
static const struct trial {
	enum gcpu_arch arch;
	int fd;
	unsigned long request;
	uint64_t first;
	bool pointer; /* and behind 8 bytes, or 16, the address of a value */
} trials[] = {
	{ GCPU_ARCH_X86, SYSTEM, GK_GET_SUPPORTED_CPUID, 256, false },
	{ GCPU_ARCH_X86, SYSTEM, GK_GET_EMULATED_CPUID, 256, false },
	{ GCPU_ARCH_X86, SYSTEM, GK_GET_SUPPORTED_HV_CPUID, 256, false },
	{ GCPU_ARCH_X86, SYSTEM, GK_GET_MSR_INDEX_LIST, 1000, false },
	{ GCPU_ARCH_X86, SYSTEM, GK_GET_MSR_FEATURE_INDEX_LIST, 1000, false },
	{ GCPU_ARCH_X86, SYSTEM, GK_GET_MSRS, 1 | 0x8bULL << 32, false },
	{ GCPU_ARCH_X86, SYSTEM, GK_X86_GET_MCE_CAP_SUPPORTED, 0, false },
	{ GCPU_ARCH_X86, VM, GK_SET_USER_MEMORY_REGION, 0, false },
	{ GCPU_ARCH_X86, VM, GK_SET_GSI_ROUTING, 1, false },
	{ GCPU_ARCH_X86, VM, GK_IRQ_LINE, 1, false },
	{ GCPU_ARCH_X86, VM, GK_IRQFD, 0, false },
	{ GCPU_ARCH_X86, VM, GK_HYPERV_EVENTFD, 1 | 0xffffffffULL << 32, false },
	{ GCPU_ARCH_X86, VM, GK_SIGNAL_MSI, 0, false },
	{ GCPU_ARCH_X86, VM, GK_ENABLE_CAP, 0, false },
	{ GCPU_ARCH_X86, VM, GK_X86_SET_MSR_FILTER, 0, false },
	{ GCPU_ARCH_X86, VM, GK_SET_CLOCK, 1, false },
	{ GCPU_ARCH_X86, VM, GK_GET_CLOCK, 0, false },
	{ GCPU_ARCH_X86, VM, GK_GET_IRQCHIP, 0, false },
	{ GCPU_ARCH_X86, VCPU, GK_SET_CPUID2, 3, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_CPUID2, 256, false },
	{ GCPU_ARCH_X86, VCPU, GK_SET_CPUID, 2, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_SUPPORTED_HV_CPUID, 256, false },
	{ GCPU_ARCH_X86, VCPU, GK_SET_MSRS, 1 | 0x10ULL << 32, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_MSRS, 200, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_REGS, 0, false },
	{ GCPU_ARCH_X86, VCPU, GK_SET_REGS, 0, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_SREGS, 0, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_LAPIC, 0, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_XCRS, 0, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_XSAVE, 0, false },
	{ GCPU_ARCH_X86, VCPU, GK_SET_XSAVE, 0, false },
	{ GCPU_ARCH_X86, VCPU, GK_GET_MP_STATE, 0, false },
	{ GCPU_ARCH_ARM64, VM, GK_ARM_PREFERRED_TARGET, 0, false },
	{ GCPU_ARCH_ARM64, VM, GK_ARM_GET_REG_WRITABLE_MASKS, 0, true },
	{ GCPU_ARCH_ARM64, VM, GK_ENABLE_CAP, 0, false },
	{ GCPU_ARCH_ARM64, VM, GK_SET_GSI_ROUTING, 0, false },
	{ GCPU_ARCH_ARM64, VCPU, GK_GET_REG_LIST, 2000, false },
	{ GCPU_ARCH_ARM64, VCPU, GK_GET_ONE_REG, GK_REG_ARM_PSTATE, true },
	{ GCPU_ARCH_ARM64, VCPU, GK_SET_ONE_REG, GK_REG_ARM_X(0), true },
	{ GCPU_ARCH_ARM64, VCPU, GK_GET_MP_STATE, 0, false },
	{ GCPU_ARCH_ARM64, VCPU, GK_HAS_DEVICE_ATTR, 1ULL << 32, true },
	{ GCPU_ARCH_ARM64, VCPU, GK_GET_DEVICE_ATTR, 1ULL << 32, true },
	{ GCPU_ARCH_ARM64, DEVICE, GK_GET_DEVICE_ATTR, 3ULL << 32, true },
};

static bool is_attribute(const struct trial *t)
{
	return t->request == GK_HAS_DEVICE_ATTR || t->request == GK_GET_DEVICE_ATTR;
}

/* The argument at AT; what it points to begins at VALUE. */
static void fill(const struct trial *t, uint8_t *at, const uint8_t *value)
{
	uint64_t address = (uintptr_t)value;

	memcpy(at, &t->first, sizeof(t->first));
	if (t->pointer)
		memcpy(at + (is_attribute(t) ? 16 : t->request == GK_ARM_GET_REG_WRITABLE_MASKS ? 0 : 8), &address,
		       sizeof(address));
}

static void skip_pointer(const struct trial *t, uint8_t *at)
{
	if (t->pointer)
		memset(at + (is_attribute(t) ? 16 : t->request == GK_ARM_GET_REG_WRITABLE_MASKS ? 0 : 8), 0, 8);
}

static uint8_t *memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	return at;
}

/* At an odd address the same happens, and the same is written. Returns whether anything was. */
static bool odd(struct fixture f[2], const struct trial *t, int *ret)
{
	uint8_t *at[2] = { memory(2 * SIZE), memory(2 * SIZE) + 1 }, *was = memory(2 * SIZE);
	bool writes;
	int r[2];

	for (unsigned i = 0; i < 2; i++) {
		fill(t, at[i], at[i] + SIZE);
		if (i == 0)
			memcpy(was, at[i], 2 * SIZE - 1);
		r[i] = call(&f[i], f[i].fd[t->fd], t->request, at[i]);
	}
	writes = memcmp(was, at[0], 2 * SIZE - 1) != 0;
	skip_pointer(t, at[0]);
	skip_pointer(t, at[1]);
	for (unsigned i = 0; i < 2 && t->request == GK_GET_CLOCK; i++) {
		/* which time it is differs from call to call */
		memset(at[i] + offsetof(struct gk_clock_data, clock), 0, 8);
		memset(at[i] + offsetof(struct gk_clock_data, realtime), 0, 8);
		memset(at[i] + offsetof(struct gk_clock_data, host_tsc), 0, 8);
	}
	CHECK(r[0] == r[1], "%#lx: %d, and at an odd address %d", t->request, r[0], r[1]);
	CHECK(memcmp(at[0], at[1], 2 * SIZE - 1) == 0, "%#lx: something else at an odd address", t->request);
	munmap(at[0], 2 * SIZE);
	munmap(at[1] - 1, 2 * SIZE);
	munmap(was, 2 * SIZE);
	*ret = r[0];
	return writes;
}

/* Its end is not there, or all of it can be read only. */
static void cut(const struct fixture *f, const struct trial *t, bool writes, int result)
{
	uint8_t *at = memory(3 * SIZE), *value = t->pointer ? memory(PAGE) : NULL, *where;
	int r;

	munmap(at + SIZE, SIZE);
	for (unsigned n = 0; n <= PAGE; n += n < 64 ? 1 : 509) {
		uint8_t whole[64];

		where = at + SIZE - n;
		memset(whole, 0, sizeof(whole));
		fill(t, whole, value);
		memset(at, 0, SIZE);
		memcpy(where, whole, n < sizeof(whole) ? n : sizeof(whole));
		r = call(f, f->fd[t->fd], t->request, where);
		CHECK(n >= 4 || r == -EFAULT || (result < 0 && r == result), "%#lx: %u bytes of it are there: %d",
		      t->request, n, r);
	}
	fill(t, at, value ? value : NULL);
	mprotect(value ? value : at, value ? PAGE : SIZE, PROT_READ);
	r = call(f, f->fd[t->fd], t->request, at);
	/* it may write what was there before */
	CHECK(r == -EFAULT || (!writes && r == result), "%#lx: %d where nothing can be written, else %d", t->request, r, result);
	if (value) {
		munmap(value, PAGE);
		r = call(f, f->fd[t->fd], t->request, at);
		CHECK(r == -EFAULT || (t->request == GK_HAS_DEVICE_ATTR && r == result), "%#lx: %d where its value is not",
		      t->request, r);
	}
	munmap(at, SIZE);
	munmap(at + 2 * SIZE, SIZE);
}

static void all(const char *host)
{
	struct fixture f[2];
	unsigned succeed = 0, n = 0;

	for (unsigned i = 0; i < 2; i++)
		set_up(&f[i], host);
	for (unsigned i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		const struct trial *t = &trials[i];
		bool writes;
		int r;

		if (t->arch != gcpu_snapshot_arch(f[0].snap))
			continue;
		writes = odd(f, t, &r);
		cut(&f[0], t, writes, r);
		succeed += r >= 0;
		n++;
	}
	CHECK(succeed + 6 >= n, "%s: only %u of %u succeed", host, succeed, n);
	for (unsigned i = 0; i < 2; i++)
		tear_down(&f[i]);
}

/* Descriptors of the wrong kind, and none: no call may take one for another. */
static void wrong_kinds(const char *host)
{
	uint8_t *at = memory(SIZE);
	struct fixture f = { 0 };

	set_up(&f, host);
	for (unsigned i = 0; i < sizeof(trials) / sizeof(trials[0]); i++)
		for (int fd = -1; fd < 12; fd++) {
			int r;

			memset(at, 0, SIZE);
			r = call(&f, fd, trials[i].request, at);
			CHECK(r > -4096, "%#lx on %d: %d", trials[i].request, fd, r);
			CHECK((fd >= 3 && fd <= f.fd[DEVICE]) || fd <= f.fd[VCPU] || r == -EBADF, "%#lx on %d: %d",
			      trials[i].request, fd, r);
		}
	tear_down(&f);
	munmap(at, SIZE);
}

/* Of the state of a guest's guests the size alone is read, where it says that there is no room for more. */
static void no_room(void)
{
	uint8_t *at = memory(2 * PAGE);
	const uint32_t head[2] = { 0, 8 };
	struct fixture f;

	set_up(&f, "x86-amd-rome-6-12");
	munmap(at + PAGE, PAGE);
	memcpy(at + PAGE - sizeof(head), head, sizeof(head));
	CHECK(call(&f, f.fd[VCPU], GK_GET_NESTED_STATE, at + PAGE - sizeof(head)) == -E2BIG, "no room");
	CHECK(*(uint32_t *)(void *)(at + PAGE - 4) == sizeof(struct gk_nested_state), "how much it takes");
	CHECK(call(&f, f.fd[VCPU], GK_GET_NESTED_STATE, at + PAGE - sizeof(head)) == -EFAULT, "where there is none");
	tear_down(&f);
	munmap(at, PAGE);
}

/* What the caller does with a mapping of the run page is the caller's: the vCPU has its own. */
static void run_page(void)
{
	struct gcpu_guest_op op[] = { { .code = GCPU_GUEST_LOAD, .arg = { 0x5000, 4 } },
				      { .code = GCPU_GUEST_LOAD, .arg = { 0x6000, 4 } } };
	struct gk_run *run;
	struct fixture f;
	void *at[2], *longer = NULL;
	bool own;
	int size;

	set_up(&f, "x86-amd-rome-6-12");
	size = call(&f, f.fd[SYSTEM], GK_GET_VCPU_MMAP_SIZE, NULL);
	CHECK(f.kvm->ops->mmap(f.kvm->ctx, 0, f.fd[VCPU], &at[0]) == -EINVAL, "no length");
	CHECK(f.kvm->ops->mmap(f.kvm->ctx, (size_t)-1, f.fd[VCPU], &at[0]) == -ENOMEM, "much too long");
	CHECK(f.kvm->ops->mmap(f.kvm->ctx, PAGE, f.fd[VM], &at[0]) == -ENODEV, "of a VM");
	CHECK(f.kvm->ops->mmap(f.kvm->ctx, PAGE, 1000, &at[0]) == -EBADF, "of nothing");
	for (unsigned i = 0; i < 2; i++)
		CHECK(f.kvm->ops->mmap(f.kvm->ctx, (size_t)size, f.fd[VCPU], &at[i]) == 0, "mapping");
	/* Valgrind does not map it twice: then it is the vCPU's own, and stays as it is */
	own = at[0] != at[1];
	/* longer than it is: as with KVM, only what accesses its end would notice */
	CHECK(!own || f.kvm->ops->mmap(f.kvm->ctx, (size_t)size + PAGE, f.fd[VCPU], &longer) == 0, "longer");
	CHECK(!own || f.kvm->ops->munmap(f.kvm->ctx, longer, (size_t)size + PAGE) == 0, "and gone");
	/* a part, then all, then once more */
	CHECK(!own || f.kvm->ops->munmap(f.kvm->ctx, (uint8_t *)at[0] + PAGE, PAGE) == 0, "a part");
	CHECK(!own || f.kvm->ops->munmap(f.kvm->ctx, at[0], (size_t)size) == 0, "all");
	CHECK(!own || f.kvm->ops->munmap(f.kvm->ctx, at[0], (size_t)size) == 0, "again");
	CHECK(gcpu_model_guest(f.model, f.fd[VCPU], op, 2) == 0, "list");
	CHECK(call(&f, f.fd[VCPU], GK_RUN, NULL) == 0, "KVM_RUN");
	run = at[1];
	CHECK(run->exit_reason == GK_EXIT_MMIO && run->mmio.phys_addr == 0x5000, "exit %u", run->exit_reason);
	/* what is written in one mapping is read by the vCPU */
	memset(run->mmio.data, 0x5a, sizeof(run->mmio.data));
	if (own)
		mprotect(at[1], PAGE, PROT_READ);
	CHECK(call(&f, f.fd[VCPU], GK_RUN, NULL) == 0, "KVM_RUN");
	CHECK(op[0].res[0] == 0x5a5a5a5a && run->mmio.phys_addr == 0x6000, "%#llx", (unsigned long long)op[0].res[0]);
	if (own)
		munmap(at[1], (size_t)size);
	tear_down(&f);
	CHECK(!own || gcpu_kvm_real()->ops->munmap(gcpu_kvm_real()->ctx, at[1], (size_t)size) == 0, "after it is gone");
}

int main(void)
{
	all("x86-amd-rome-6-12");
	all("arm64-kvm-neoverse-n1-6-12");
	wrong_kinds("x86-amd-rome-6-12");
	wrong_kinds("arm64-kvm-neoverse-n1-6-12");
	no_room();
	run_page();
	return unit_end();
}
