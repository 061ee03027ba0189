/* SPDX-License-Identifier: MIT */
/*
 * The wrappers: what the recorder wrote replays to the same answers, a call
 * that differs is noticed and named, the one operation fails that was chosen.
 */
#include "unit.h"

#include "kvm/abi_arm64.h"
#include "kvm/abi_x86.h"
#include "kvm/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

/* A KVM that answers what the test can foretell. */
static int fake_open(void *ctx, const char *path, int flags)
{
	(void)flags;
	return strcmp(path, "/dev/none") == 0 ? -ENOENT : ++*(int *)ctx;
}

static int fake_close(void *ctx, int fd)
{
	(void)ctx;
	return fd == 1 ? -EIO : 0;
}

static int fake_list(struct gk_msr_list *l)
{
	uint32_t room = l->nmsrs;

	l->nmsrs = 3;
	if (room < 3)
		return -E2BIG;
	for (uint32_t i = 0; i < 3; i++)
		l->indices[i] = 0x10 + i;
	return 0;
}

static int fake_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	struct gk_cpuid2 *c = (struct gk_cpuid2 *)arg;
	struct gk_one_reg *r = (struct gk_one_reg *)arg;
	struct gk_msrs *m = (struct gk_msrs *)arg;

	(void)fd;
	switch (request) {
	case GK_CREATE_VM:
	case GK_CREATE_VCPU:
		return ++*(int *)ctx;
	case GK_CREATE_DEVICE:
		((struct gk_create_device *)arg)->fd = (uint32_t)++*(int *)ctx;
		return 0;
	case GK_CHECK_EXTENSION:
		return (int)arg * 2;
	case GK_GET_SUPPORTED_CPUID:
		c->nent = 2;
		c->entries[0].function = 0xdeadbeef;
		c->entries[1].edx = 7;
		return 0;
	case GK_SET_CPUID2:
		return c->nent > 2 ? -E2BIG : 0;
	case GK_GET_MSR_INDEX_LIST:
		return fake_list((struct gk_msr_list *)arg);
	case GK_GET_MSRS:
		m->entries[0].data = m->entries[0].index * 3ULL;
		return 1;
	case GK_GET_ONE_REG:
		memset((void *)(uintptr_t)r->addr, 0x21, (size_t)1 << (r->id >> 52 & 15));
		return 0;
	case GK_GET_REGS:
		memset((void *)arg, 0x33, sizeof(struct gk_x86_regs));
		return 0;
	case GK_ARM_GET_REG_WRITABLE_MASKS:
		memset((void *)(uintptr_t)((struct gk_reg_mask_range *)arg)->addr, 0x44, 192 * 8);
		return 0;
	case GK_RUN:
		return -EINTR;
	default:
		return arg ? 0 : -EINVAL;
	}
}

static int fake_mmap(void *ctx, size_t length, int fd, void **ret)
{
	(void)ctx;
	(void)fd;
	*ret = calloc(1, length);
	return *ret ? 0 : -ENOMEM;
}

static int fake_munmap(void *ctx, void *addr, size_t length)
{
	(void)ctx;
	(void)length;
	free(addr);
	return 0;
}

static int fake_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	(void)ctx;
	ret[0] = leaf;
	ret[1] = subleaf;
	ret[2] = ret[3] = 0;
	return leaf == 9 ? -ENOTSUP : 0;
}

static int fake_perm(void *ctx, int code, uint64_t arg, uint64_t *ret)
{
	(void)ctx;
	*ret = arg + 1;
	return code == 0x1025 ? -EPERM : 0;
}

static int fake_file(void *ctx, const char *path, char *buf, size_t size)
{
	static const char text[] = "a b\n%20\x01\xff";

	(void)ctx;
	if (strcmp(path, "/proc/with blank") != 0)
		return -ENOENT;
	memcpy(buf, text, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	return (int)(size < sizeof(text) - 1 ? size : sizeof(text) - 1);
}

static int fake_pin(void *ctx, int cpu)
{
	(void)ctx;
	return cpu > 1 ? -EINVAL : 0;
}

static const struct gcpu_kvm_ops fake_ops = {
	.size = sizeof(struct gcpu_kvm_ops), .open = fake_open, .close = fake_close,
	.ioctl = fake_ioctl, .mmap = fake_mmap, .munmap = fake_munmap, .host_cpuid = fake_cpuid,
	.guest_perm = fake_perm, .read_host_file = fake_file, .pin = fake_pin,
};

/* Everything that was answered, so that two runs can be compared. */
struct answers {
	unsigned char bytes[16384];
	size_t n;
};

static void note(struct answers *a, const void *bytes, size_t n)
{
	if (a->n + n > sizeof(a->bytes))
		exit(1);
	memcpy(a->bytes + a->n, bytes, n);
	a->n += n;
}

static void note_int(struct answers *a, int v)
{
	note(a, &v, sizeof(v));
}

/* Lists with room for four elements. */
union table {
	struct gk_cpuid2 c;
	unsigned char room[sizeof(struct gk_cpuid2) + 4 * sizeof(struct gk_cpuid_entry2)];
};
union msrs {
	struct gk_msrs m;
	unsigned char room[sizeof(struct gk_msrs) + 4 * sizeof(struct gk_msr_entry)];
};
union indexes {
	struct gk_msr_list l;
	unsigned char room[sizeof(struct gk_msr_list) + 4 * sizeof(uint32_t)];
};

static int ask(const struct gcpu_kvm *kvm, int fd, unsigned long request, const void *arg)
{
	return kvm->ops->ioctl(kvm->ctx, fd, request, (uintptr_t)arg);
}

/* One of each; descriptors themselves are not compared. */
static void conversation(const struct gcpu_kvm *kvm, enum gcpu_arch arch, struct answers *a)
{
	const struct gcpu_kvm_ops *o = kvm->ops;
	void *c = kvm->ctx, *map = NULL;
	union msrs msr = { .m.nmsrs = 1 };
	union indexes list = { .l.nmsrs = 1 };
	struct gk_create_device device = { .type = 7 };
	struct gk_reg_mask_range range = { .range = 0 };
	struct gk_device_attr attr = { .group = 0 };
	struct gk_x86_regs regs;
	struct gk_one_reg reg;
	union table t = { .c.nent = 4 };
	uint64_t value[32] = { 0 }, mask[192];
	uint32_t cpuid[4] = { 0 };
	int kvm_fd, vm, vcpu, n;
	char buf[64];

	msr.m.entries[0].index = 5;
	note_int(a, o->open(c, "/dev/none", O_RDWR));
	kvm_fd = o->open(c, "/dev/kvm", O_RDWR);
	vm = ask(kvm, kvm_fd, GK_CREATE_VM, NULL);
	vcpu = ask(kvm, vm, GK_CREATE_VCPU, (void *)3);
	note_int(a, vm >= 0 && vcpu >= 0 && vm != vcpu);
	note_int(a, ask(kvm, vm, GK_CHECK_EXTENSION, (void *)21));
	note_int(a, ask(kvm, kvm_fd, GK_GET_SUPPORTED_CPUID, &t));
	note(a, &t, sizeof(t));
	note_int(a, ask(kvm, vcpu, GK_SET_CPUID2, &t));
	note_int(a, ask(kvm, kvm_fd, GK_GET_MSR_INDEX_LIST, &list));
	note(a, &list, sizeof(list));
	list.l.nmsrs = 4;
	note_int(a, ask(kvm, kvm_fd, GK_GET_MSR_INDEX_LIST, &list));
	note(a, &list, sizeof(list));
	note_int(a, ask(kvm, vcpu, GK_GET_MSRS, &msr));
	note(a, &msr, sizeof(msr));
	note_int(a, ask(kvm, vcpu, GK_GET_REGS, &regs));
	note(a, &regs, sizeof(regs));
	/* 32 bits, 64 bits, 2048 bits */
	for (uint64_t size = 2; size <= 8; size += size == 3 ? 5 : 1) {
		reg = (struct gk_one_reg){ GK_REG_ARM64 | size << GK_REG_SIZE_SHIFT, (uintptr_t)value };
		note_int(a, ask(kvm, vcpu, GK_GET_ONE_REG, &reg));
		note(a, value, sizeof(value));
		note_int(a, ask(kvm, vcpu, GK_SET_ONE_REG, &reg));
	}
	range.addr = (uintptr_t)mask;
	note_int(a, ask(kvm, vm, GK_ARM_GET_REG_WRITABLE_MASKS, &range));
	note(a, mask, sizeof(mask));
	note_int(a, ask(kvm, vm, GK_CREATE_DEVICE, &device));
	note_int(a, (int)device.fd >= 0);
	if (arch == GCPU_ARCH_ARM64) {
		attr.addr = (uintptr_t)value;
		note_int(a, ask(kvm, (int)device.fd, GK_SET_DEVICE_ATTR, &attr));
	}
	note_int(a, ask(kvm, vcpu, GK_RUN, NULL));
	note_int(a, ask(kvm, vcpu, 0xae99, (void *)1)); /* in no table */
	note_int(a, ask(kvm, vcpu, GK_GET_REGS + 0x10, NULL));
	note_int(a, o->mmap(c, 4096, vcpu, &map));
	note(a, map, 4096);
	note_int(a, o->munmap(c, map, 4096));
	note_int(a, o->mmap(c, 100, -1, &map));
	note_int(a, o->munmap(c, map, 100));
	note_int(a, o->host_cpuid(c, 7, 1, cpuid));
	note(a, cpuid, sizeof(cpuid));
	note_int(a, o->host_cpuid(c, 9, 0, cpuid));
	note_int(a, o->guest_perm(c, 0x1024, 5, value));
	note(a, value, 8);
	note_int(a, o->guest_perm(c, 0x1025, 18, value));
	n = o->read_host_file(c, "/proc/with blank", buf, sizeof(buf));
	note_int(a, n);
	note(a, buf, n > 0 ? (size_t)n : 0);
	note_int(a, o->read_host_file(c, "/proc/with blank", buf, 3));
	note_int(a, o->read_host_file(c, "/no", buf, sizeof(buf)));
	note_int(a, o->pin(c, 1));
	note_int(a, o->pin(c, -1));
	note_int(a, o->pin(c, 2));
	note_int(a, o->close(c, (int)device.fd));
	note_int(a, o->close(c, vcpu));
	note_int(a, o->close(c, vm));
	note_int(a, o->close(c, kvm_fd));
}

static struct unit_text recorded(enum gcpu_arch arch, struct answers *a)
{
	int fds = 0; /* the first is 1, whose close fails */
	struct gcpu_kvm fake = { &fake_ops, &fds };
	struct unit_text trace = { 0 };
	struct record *r;

	if (record_new(&fake, arch, unit_write, &trace, &r))
		exit(1);
	conversation(record_kvm(r), arch, a);
	CHECK(record_status(r) == 0, "%d", record_status(r));
	record_free(r);
	return trace;
}

static void test_round_trip(enum gcpu_arch arch)
{
	struct answers a = { .n = 0 }, b = { .n = 0 }, d = { .n = 0 };
	struct unit_text trace = recorded(arch, &a);
	struct gcpu_error err = { 0 };
	struct replay *r = NULL;

	for (int strict = 1; strict >= 0; strict--) {
		CHECK(replay_new(trace.s, trace.n, strict, &r, &err) == 0, "%s, expected %s", err.text,
		      err.expected);
		if (!r)
			break;
		b.n = d.n = 0;
		conversation(replay_kvm(r), arch, &b);
		CHECK(a.n == b.n && memcmp(a.bytes, b.bytes, a.n) == 0, "other answers");
		CHECK(replay_error(r)->code == 0, "%s, expected %s", replay_error(r)->text,
		      replay_error(r)->expected);
		CHECK(replay_left(r) == 0 && replay_open_fds(r) == 0, "%zu left, %u open", replay_left(r),
		      replay_open_fds(r));
		CHECK(replay_arch(r) == arch, "architecture");
		/* as new */
		replay_rewind(r);
		conversation(replay_kvm(r), arch, &d);
		CHECK(a.n == d.n && memcmp(a.bytes, d.bytes, a.n) == 0, "other answers the second time");
		replay_free(r);
		r = NULL;
	}
	free(trace.s);
}

/* What stands in the trace is what wrap.h says. */
static void test_form(void)
{
	static const char *const lines[] = {
		"guestcpu-trace 1 x86\n", "open /dev/none 0x2 = -2\n", "open /dev/kvm 0x2 = kvm0\n",
		"ioctl kvm0 KVM_CREATE_VM 0x0 = vm0\n", "ioctl vm0 KVM_CREATE_VCPU 0x3 = vcpu0\n",
		"ioctl vm0 KVM_CHECK_EXTENSION 0x15 = 42\n",
		"ioctl kvm0 KVM_GET_MSR_INDEX_LIST * in=01000000 = -7 out=03000000\n",
		"ioctl kvm0 KVM_GET_MSR_INDEX_LIST * in=04000000 = 0 out=03000000100000001100000012000000\n",
		/* a pointer and a descriptor are hidden, what the pointer leads to is there */
		"ioctl vcpu0 KVM_GET_ONE_REG * in=+6.2060+8. = 0 vout=21212121\n",
		"ioctl vm0 KVM_CREATE_DEVICE * in=07+11. = device0 out=07+11.\n",
		"file /proc/with%20blank 64 = 9 text=a%20b%0a%2520%01%ff\n", "perm 0x1024 0x5 = 0 out=06+7.\n",
		"cpuid 0x7 0x1 = 0 out=0700000001+11.\n", "cpuid 0x9 0x0 = -95\n", "pin -1 = 0\n",
		"mmap memory 100 = 0\n", "ioctl vcpu0 0xae99 0x1 = 0\n", "close kvm0 = -5\n",
	};
	struct answers a = { .n = 0 };
	struct unit_text t = recorded(GCPU_ARCH_X86, &a);

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK(strstr(t.s, lines[i]), "'%s' is not in\n%s", lines[i], t.s);
	free(t.s);
}

/* Something else than what was recorded: noted with its line, and -ENOSYS. */
static void test_differs(void)
{
	static const char text[] = "guestcpu-trace 1 x86\n"
				   "# a comment\n"
				   "\n"
				   "open /dev/kvm 0x2 = kvm0\n"
				   "ioctl kvm0 KVM_CREATE_VM 0x0 = vm0\n"
				   "ioctl vm0 KVM_SET_CPUID2 * in=01+47. = 0\n"
				   "close vm0 = 0\n"
				   "close kvm0 = 0\n";
	union table t = { .c.nent = 1 };
	struct gcpu_error err = { 0 };
	struct replay *r;
	const struct gcpu_kvm *kvm;
	int fd, vm;

	if (replay_new(text, sizeof(text) - 1, true, &r, &err)) {
		CHECK(false, "%s", err.text);
		return;
	}
	kvm = replay_kvm(r);
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 2);
	CHECK(ask(kvm, fd, GK_CHECK_EXTENSION, (void *)1) == -ENOSYS, "another request");
	CHECK(replay_error(r)->line == 5, "line %zu", replay_error(r)->line);
	CHECK(strstr(replay_error(r)->text, "KVM_CHECK_EXTENSION") &&
		      strstr(replay_error(r)->text, "kvm0"), "'%s'", replay_error(r)->text);
	CHECK(strstr(replay_error(r)->expected, "KVM_CREATE_VM"), "'%s'", replay_error(r)->expected);
	CHECK(replay_open_fds(r) == 1, "%u open", replay_open_fds(r));
	/* the trace stays where it was, and the first difference is kept */
	vm = ask(kvm, fd, GK_CREATE_VM, NULL);
	CHECK(vm >= 0, "%d", vm);
	t.c.entries[0].eax = 1;
	CHECK(ask(kvm, vm, GK_SET_CPUID2, &t) == -ENOSYS, "other bytes");
	CHECK(replay_error(r)->line == 5, "line %zu", replay_error(r)->line);
	replay_rewind(r);
	CHECK(replay_open_fds(r) == 0 && replay_error(r)->code == 0, "as new");
	CHECK(kvm->ops->close(kvm->ctx, vm) == -ENOSYS, "a descriptor of before");
	replay_rewind(r);
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 2);
	vm = ask(kvm, fd, GK_CREATE_VM, NULL);
	CHECK(ask(kvm, vm, GK_SET_CPUID2, &t) == -ENOSYS, "other bytes");
	CHECK(replay_error(r)->line == 6 && strstr(replay_error(r)->text, "byte 20"), "'%s'",
	      replay_error(r)->text);
	t.c.entries[0].eax = 0;
	CHECK(ask(kvm, vm, GK_SET_CPUID2, &t) == 0, "the right bytes");
	CHECK(kvm->ops->close(kvm->ctx, fd) == -ENOSYS, "another descriptor");
	CHECK(kvm->ops->close(kvm->ctx, 4242) == -ENOSYS, "no descriptor of ours");
	CHECK(kvm->ops->close(kvm->ctx, vm) == 0, "close");
	CHECK(kvm->ops->close(kvm->ctx, vm) == -ENOSYS, "twice");
	CHECK(replay_left(r) == 1, "%zu left", replay_left(r));
	replay_free(r);

	/* not strict: what is set may differ, what is asked may not */
	if (replay_new(text, sizeof(text) - 1, false, &r, &err))
		return;
	kvm = replay_kvm(r);
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 2);
	vm = ask(kvm, fd, GK_CREATE_VM, NULL);
	t.c.entries[0].eax = 1;
	CHECK(ask(kvm, vm, GK_SET_CPUID2, &t) == 0, "other bytes");
	CHECK(ask(kvm, fd, GK_CHECK_EXTENSION, (void *)1) == -ENOSYS, "never recorded");
	CHECK(ask(kvm, fd, GK_CREATE_VM, NULL) >= 0, "from further back");
	CHECK(kvm->ops->close(kvm->ctx, vm) == 0 && kvm->ops->close(kvm->ctx, fd) == 0, "close");
	replay_free(r);
}

/* What a pointer leads to counts as well; and a question about a device makes none. */
static void test_behind(void)
{
	static const char text[] = "guestcpu-trace 1 arm64\n"
				   "open /dev/kvm 0x2 = kvm0\n"
				   "ioctl kvm0 KVM_SET_ONE_REG * in=01+5.2060+8. vin=07000000 = 0\n"
				   "ioctl kvm0 KVM_CREATE_DEVICE * in=07+7.01+3. = 0 out=07+7.01+3.\n"
				   "ioctl kvm0 KVM_CREATE_DEVICE * in=07+11. = device0 out=07+11.\n"
				   "close device0 = 0\n"
				   "close kvm0 = 0\n";
	struct gk_create_device d = { .type = 7, .fd = 77, .flags = GK_CREATE_DEVICE_TEST };
	struct gk_one_reg reg = { .id = 0x6020000000000001 };
	struct gcpu_error err = { 0 };
	const struct gcpu_kvm *kvm;
	uint32_t value = 8;
	struct fault *f;
	struct replay *r;
	int fd;

	if (replay_new(text, sizeof(text) - 1, true, &r, &err) || fault_new(replay_kvm(r), &f)) {
		CHECK(false, "%s", err.text);
		return;
	}
	kvm = fault_kvm(f);
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 2);
	reg.addr = (uintptr_t)&value;
	CHECK(ask(kvm, fd, GK_SET_ONE_REG, &reg) == -ENOSYS, "another value");
	CHECK(strstr(replay_error(r)->text, "vin="), "'%s'", replay_error(r)->text);
	value = 7;
	CHECK(ask(kvm, fd, GK_SET_ONE_REG, &reg) == 0, "the same value");
	replay_free(r);
	fault_free(f);
	if (replay_new(text, sizeof(text) - 1, false, &r, &err) || fault_new(replay_kvm(r), &f))
		exit(1);
	kvm = fault_kvm(f);
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 2);
	value = 9;
	CHECK(ask(kvm, fd, GK_SET_ONE_REG, &reg) == 0, "not strict: another value");
	CHECK(ask(kvm, fd, GK_CREATE_DEVICE, &d) == 0 && d.fd == 77, "a question: %u", d.fd);
	CHECK(fault_open_fds(f) == 1 && replay_open_fds(r) == 1, "%d open", fault_open_fds(f));
	d.flags = 0;
	CHECK(ask(kvm, fd, GK_CREATE_DEVICE, &d) == 0 && d.fd != 77, "a device");
	CHECK(fault_open_fds(f) == 2 && replay_open_fds(r) == 2, "%d open", fault_open_fds(f));
	CHECK(kvm->ops->close(kvm->ctx, (int)d.fd) == 0, "close");
	CHECK(kvm->ops->close(kvm->ctx, fd) == 0 && fault_open_fds(f) == 0, "close");
	replay_free(r);
	fault_free(f);
}

/* Several vCPUs at once: every call is written, whole lines only. */
struct runner {
	const struct gcpu_kvm *kvm;
	int vcpu;
};

static void *run_many(void *arg)
{
	struct runner *me = arg;

	for (int i = 0; i < 500; i++)
		if (ask(me->kvm, me->vcpu, GK_RUN, NULL) != -EINTR)
			return me;
	return NULL;
}

static void test_threads(void)
{
	int fds = 1;
	struct gcpu_kvm fake = { &fake_ops, &fds };
	struct unit_text trace = { 0 };
	struct runner runners[4];
	pthread_t threads[4];
	struct fault *f;
	struct record *r;
	struct replay *replay = NULL;
	struct gcpu_error err = { 0 };

	if (record_new(&fake, GCPU_ARCH_X86, unit_write, &trace, &r) || fault_new(record_kvm(r), &f))
		exit(1);
	for (int i = 0; i < 4; i++)
		runners[i] = (struct runner){ fault_kvm(f), ask(fault_kvm(f), 0, GK_CREATE_VCPU, NULL) };
	fault_arm(f, 1U << WRAP_IOCTL, GK_RUN, 0, EINVAL);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, run_many, &runners[i]) == 0, "thread");
	for (int i = 0; i < 4; i++) {
		void *wrong_answer;

		pthread_join(threads[i], &wrong_answer);
		CHECK(!wrong_answer, "thread %d", i);
	}
	CHECK(fault_count(f) == 2000, "%u counted", fault_count(f));
	CHECK(fault_open_fds(f) == 4, "%d open", fault_open_fds(f));
	CHECK(replay_new(trace.s, trace.n, false, &replay, &err) == 0, "%s", err.text);
	CHECK(replay && replay_left(replay) == 2004, "%zu lines", replay ? replay_left(replay) : 0);
	replay_free(replay);
	fault_free(f);
	record_free(r);
	free(trace.s);
}

static void test_fault(void)
{
	int fds = 1;
	struct gcpu_kvm fake = { &fake_ops, &fds };
	struct fault *f;
	const struct gcpu_kvm *kvm;
	int fd;

	if (fault_new(&fake, &f))
		exit(1);
	kvm = fault_kvm(f);
	CHECK(!fault_what(f), "nothing has failed");
	fault_arm(f, FAULT_ALL, 0, 2, EBUSY);
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
	CHECK(fd >= 0, "the first");
	CHECK(ask(kvm, fd, GK_CREATE_VM, NULL) == -EBUSY, "the second");
	CHECK(fault_what(f) && strcmp(fault_what(f), "KVM_CREATE_VM") == 0, "its name");
	CHECK(ask(kvm, fd, GK_CREATE_VM, NULL) == fd + 1, "the third; the second was not carried out");
	CHECK(fault_count(f) == 3 && fault_open_fds(f) == 2, "%u, %d", fault_count(f), fault_open_fds(f));
	/* by request */
	fault_arm(f, FAULT_ALL, GK_CHECK_EXTENSION, 2, EINVAL);
	CHECK(ask(kvm, fd, GK_CHECK_EXTENSION, (void *)1) == 2, "the first");
	CHECK(ask(kvm, fd, GK_CREATE_VM, NULL) > 0, "another request");
	CHECK(ask(kvm, fd, GK_CHECK_EXTENSION, (void *)1) == -EINVAL, "the second");
	CHECK(fault_count(f) == 2, "%u", fault_count(f));
	/* by kind */
	fault_arm(f, 1U << WRAP_CPUID | 1U << WRAP_PIN, 0, 2, ENOMEM);
	CHECK(ask(kvm, fd, GK_CHECK_EXTENSION, (void *)1) == 2, "not counted");
	CHECK(kvm->ops->pin(kvm->ctx, 0) == 0, "the first");
	CHECK(kvm->ops->pin(kvm->ctx, 0) == -ENOMEM, "the second");
	CHECK(strcmp(fault_what(f), "pin") == 0, "'%s'", fault_what(f));
	/* a close that fails has closed */
	fault_arm(f, 1U << WRAP_CLOSE, 0, 1, EIO);
	CHECK(kvm->ops->close(kvm->ctx, fd) == -EIO && fault_open_fds(f) == 2, "%d open", fault_open_fds(f));
	CHECK(fault_stray_closes(f) == 0, "stray");
	kvm->ops->close(kvm->ctx, fd);
	CHECK(fault_stray_closes(f) == 1, "closed twice");
	fault_free(f);
	fault_free(NULL);
}

int main(void)
{
	test_round_trip(GCPU_ARCH_X86);
	test_round_trip(GCPU_ARCH_ARM64);
	test_form();
	test_differs();
	test_behind();
	test_threads();
	test_fault();
	CHECK(record_new(NULL, GCPU_ARCH_X86, unit_write, NULL, NULL) == GCPU_ERR_ARGUMENT, "no backend");
	CHECK(fault_new(NULL, NULL) == GCPU_ERR_ARGUMENT, "no backend");
	record_free(NULL);
	replay_free(NULL);
	return unit_end();
}
