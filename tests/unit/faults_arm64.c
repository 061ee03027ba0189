/* SPDX-License-Identifier: MIT */
/*
 * The same faults for arm64, on any machine: probing and applying over a KVM
 * made of two pages of C that does what arm64's documents say, and no more.
 */
#include "subject.h"
#include "unit.h"

#include "core/plan.h"
#include "kvm/abi_arm64.h"
#include "kvm/probe.h"

#include <errno.h>

#define ID(crm, op2) GK_ARM64_SYS_REG(3, 0, 0, crm, op2)

/* What VCPU_INIT takes; address and generic authentication come together. */
#define FEATURES 0x7cU
#define PAUTH 0x60U
#define SVE 0x10U

struct reg {
	uint64_t id, value, mask;
};

static const struct reg reset[] = {
	{ ID(0, 0), 0x411fd401, 0 },
	{ ID(4, 0), 0x1101000101111112, 0xff0f00f00f00ffff },
	{ ID(5, 0), 0xf010305509, 0xf000f00f0f },
	{ ID(6, 0), 0x1221100110212120, 0xfffffffff0fffff0 },
	{ ID(6, 1), 0x10111101211012, 0x10111101211012 },
	{ ID(7, 0), 0x101125, 0xff00f000ffffffff },
	{ GK_REG_ARM_X(0), 0, ~0ULL },
	{ GK_REG_ARM_PSCI_VERSION, 0x10001, 0 },
};

#define N_REGS (sizeof(reset) / sizeof(reset[0]))

/* One machine at a time is enough. */
static struct {
	int fds;
	bool inited, finalized;
	uint32_t features;
	struct reg regs[N_REGS];
} fake;

static void forget(void *ctx)
{
	(void)ctx;
	memset(&fake, 0, sizeof(fake));
	fake.fds = 100;
}

static int fake_open(void *ctx, const char *path, int flags)
{
	(void)ctx;
	(void)flags;
	return strcmp(path, "/dev/kvm") == 0 ? ++fake.fds : -ENOENT;
}

static int fake_close(void *ctx, int fd)
{
	(void)ctx;
	return fd > 100 && fd <= fake.fds ? 0 : -EBADF;
}

static int init(const struct gk_arm_vcpu_init *i)
{
	if (i->target != 5 || (i->features[0] & ~FEATURES) ||
	    ((i->features[0] & PAUTH) && (i->features[0] & PAUTH) != PAUTH))
		return -EINVAL;
	memcpy(fake.regs, reset, sizeof(reset));
	/* without the feature its field reads 0 */
	if (!(i->features[0] & SVE))
		fake.regs[1].value &= ~(15ULL << 32);
	fake.inited = true;
	fake.finalized = false;
	fake.features = i->features[0];
	return 0;
}

static int one_reg(const struct gk_one_reg *r, bool set)
{
	uint64_t *value = (uint64_t *)(uintptr_t)r->addr;

	if (!fake.inited)
		return -ENOEXEC;
	if (r->id == GK_REG_ARM64_SVE_VLS) {
		if (set && fake.finalized)
			return -EPERM;
		if (!set)
			memset(value, 0, 64);
		if (!set)
			*value = 0xf;
		return 0;
	}
	for (size_t i = 0; i < N_REGS; i++) {
		struct reg *f = &fake.regs[i];

		if (f->id != r->id)
			continue;
		if (set && ((*value ^ f->value) & ~f->mask))
			return -EINVAL;
		if (set)
			f->value = *value;
		else
			*value = f->value;
		return 0;
	}
	return -ENOENT;
}

static int reg_list(struct gk_reg_list *l)
{
	uint64_t room = l->n;

	l->n = N_REGS + 1;
	if (room < l->n)
		return -E2BIG;
	for (size_t i = 0; i < N_REGS; i++)
		l->reg[i] = reset[i].id;
	l->reg[N_REGS] = GK_REG_ARM64_SVE_VLS;
	return 0;
}

static int masks(const struct gk_reg_mask_range *r)
{
	uint64_t *mask = (uint64_t *)(uintptr_t)r->addr;

	memset(mask, 0, 192 * sizeof(*mask));
	for (size_t i = 0; i < N_REGS; i++)
		if ((reset[i].id & ~0xfffULL) == (ID(0, 0) & ~0xfffULL))
			mask[reset[i].id & 0x3f] = reset[i].mask;
	return 0;
}

/* Only a GICv3 is there. */
static int create_device(struct gk_create_device *d)
{
	if (d->type != GK_DEV_TYPE_ARM_VGIC_V3)
		return -ENODEV;
	if (!(d->flags & GK_CREATE_DEVICE_TEST))
		d->fd = (uint32_t)++fake.fds;
	return 0;
}

static int capability(unsigned n)
{
	return n == CAP_MAX_VCPUS ? 8 : n == CAP_ARM_SUPPORTED_REG_MASK_RANGES || n == CAP_ARM_MTE;
}

/* What fails, whatever it is asked. */
static struct {
	unsigned long request;
	int error;
} broken;

static int fake_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	(void)ctx;
	if (broken.error && request == broken.request)
		return -broken.error;
	if (fd <= 100 || fd > fake.fds)
		return -EBADF;
	switch (request) {
	case GK_GET_API_VERSION:
		return GK_API_VERSION;
	case GK_CHECK_EXTENSION:
		return capability((unsigned)arg);
	case GK_CREATE_VM:
		fake.inited = false;
		return ++fake.fds;
	case GK_CREATE_VCPU:
		return ++fake.fds;
	case GK_CREATE_DEVICE:
		return create_device((struct gk_create_device *)arg);
	case GK_ENABLE_CAP:
		return ((struct gk_enable_cap *)arg)->cap == CAP_ARM_MTE ? 0 : -EINVAL;
	case GK_ARM_PREFERRED_TARGET:
		((struct gk_arm_vcpu_init *)arg)->target = 5;
		return 0;
	case GK_ARM_VCPU_INIT:
		return init((struct gk_arm_vcpu_init *)arg);
	case GK_ARM_VCPU_FINALIZE:
		fake.finalized = true;
		return fake.inited ? 0 : -ENOEXEC;
	case GK_GET_REG_LIST:
		return fake.inited ? reg_list((struct gk_reg_list *)arg) : -ENOEXEC;
	case GK_GET_ONE_REG:
	case GK_SET_ONE_REG:
		return one_reg((struct gk_one_reg *)arg, request == GK_SET_ONE_REG);
	case GK_ARM_GET_REG_WRITABLE_MASKS:
		return masks((struct gk_reg_mask_range *)arg);
	case GK_SET_DEVICE_ATTR:
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct gcpu_kvm_ops fake_ops = {
	.size = sizeof(fake_ops), .open = fake_open, .close = fake_close, .ioctl = fake_ioctl,
};

static int probe_here(const struct gcpu_kvm *kvm, int kvm_fd, struct gcpu_snapshot **ret,
		      struct gcpu_error *err)
{
	/* on this machine gcpu_snapshot_probe() would measure something else */
	struct probe p = { .kvm = kvm, .kvm_fd = kvm_fd, .trial = true, .err = err };
	static const struct snap_cap caps[] = { { CAP_MAX_VCPUS, 8 }, { CAP_ARM_MTE, 1 },
						{ CAP_ARM_SUPPORTED_REG_MASK_RANGES, 1 } };
	int status;

	p.snap = snapshot_new(GCPU_ARCH_ARM64);
	if (!p.snap)
		return error_memory(err);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		struct snap_cap *c = list_add(&p.snap->caps_vm, sizeof(*c));

		if (c)
			*c = caps[i];
	}
	p.snap->name = text_copy("arm64", 5);
	status = probe_arm64(&p);
	if (status == 0)
		status = snapshot_seal(p.snap);
	if (status)
		gcpu_snapshot_free(p.snap);
	else
		*ret = p.snap;
	return status;
}

/* A machine by hand, as a VMM would: run_machine knows only this architecture. */
struct machine {
	struct gcpu_fds fds;
	int vcpus[2];
};

static void close_machine(const struct gcpu_kvm *kvm, const struct machine *m)
{
	const int fds[] = { m->vcpus[0], m->vcpus[1], m->fds.gic, m->fds.vm };

	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0)
			kvm->ops->close(kvm->ctx, fds[i]);
}

static int open_machine(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan,
			struct machine *m, struct gcpu_error *err)
{
	int status;

	*m = (struct machine){ { sizeof(m->fds), kvm_fd, -1, m->vcpus, -1 }, { -1, -1 } };
	status = gcpu_plan_apply(plan, GCPU_PHASE_PROCESS, kvm, &m->fds, err);
	if (status)
		return status;
	m->fds.vm = kvm->ops->ioctl(kvm->ctx, kvm_fd, GK_CREATE_VM, 0);
	if (m->fds.vm < 0)
		return error_os(err, -m->fds.vm, "KVM_CREATE_VM");
	status = gcpu_plan_apply(plan, GCPU_PHASE_VM, kvm, &m->fds, err);
	for (unsigned i = 0; i < 2 && status == 0; i++) {
		m->vcpus[i] = kvm->ops->ioctl(kvm->ctx, m->fds.vm, GK_CREATE_VCPU, gcpu_plan_vcpu_id(plan, i));
		if (m->vcpus[i] < 0)
			return error_os(err, -m->vcpus[i], "KVM_CREATE_VCPU");
	}
	for (int phase = GCPU_PHASE_ALL_VCPUS; phase <= GCPU_PHASE_VCPU && status == 0; phase++)
		status = gcpu_plan_apply(plan, (enum gcpu_phase)phase, kvm, &m->fds, err);
	return status;
}

static int configure_here(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan,
			  struct gcpu_error *err)
{
	struct machine m;
	int status = open_machine(kvm, kvm_fd, plan, &m, err);

	close_machine(kvm, &m);
	return status;
}

static int run_here(const struct gcpu_kvm *kvm, int kvm_fd, const struct gcpu_plan *plan, unsigned ms,
		    struct gcpu_error *ret_guest, struct gcpu_error *err)
{
	struct gcpu_summary sum;
	struct gcpu_view *v = NULL;
	struct machine m;
	int status = open_machine(kvm, kvm_fd, plan, &m, err);

	(void)ms;
	(void)ret_guest;
	if (status == 0 && gcpu_view_new(plan, 0, &v))
		status = error_memory(err);
	if (status == 0)
		status = gcpu_plan_readback(plan, kvm, m.vcpus[0], v, err);
	if (status == 0)
		status = gcpu_verify(plan, &v, 1, NULL, NULL, &sum);
	if (status == 0 && sum.mismatched)
		status = error_set(err, GCPU_ERR_INTERNAL, "%u mismatched", sum.mismatched);
	gcpu_view_free(v);
	close_machine(kvm, &m);
	return status;
}

/* KVM's errno are irregular on arm64: the error says by name what each of them means. */
static void test_meanings(const struct gcpu_plan *plan)
{
	static const struct {
		unsigned long request;
		int error;
		const char *name, *says;
	} rows[] = {
		{ GK_ARM_VCPU_INIT, ENOENT, "ENOENT", "does not know" },
		{ GK_ARM_VCPU_INIT, EINVAL, "EINVAL", "cannot give" },
		{ GK_ARM_VCPU_FINALIZE, EPERM, "EPERM", "finalised already" },
		{ GK_ARM_VCPU_FINALIZE, ENOEXEC, "ENOEXEC", "KVM_ARM_VCPU_INIT comes first" },
		{ GK_SET_ONE_REG, ENOEXEC, "ENOEXEC", "KVM_ARM_VCPU_INIT comes first" },
		{ GK_SET_ONE_REG, ENOENT, "ENOENT", "does not have the register" },
		{ GK_SET_ONE_REG, EINVAL, "EINVAL", "does not take the value" },
		{ GK_SET_ONE_REG, EPERM, "EPERM", "FINALIZE came before" },
		{ GK_SET_ONE_REG, EBUSY, "EBUSY", "the VM has run: its registers are frozen" },
		{ GK_SET_DEVICE_ATTR, ENXIO, "ENXIO", "does not know the attribute" },
		{ GK_CREATE_DEVICE, ENODEV, "ENODEV", "cannot give it" },
	};
	const struct gcpu_kvm kvm = { &fake_ops, NULL };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gcpu_error err = { 0 };
		int fd, status;

		forget(NULL);
		fd = fake_open(NULL, "/dev/kvm", 0);
		broken.request = rows[i].request;
		broken.error = rows[i].error;
		status = configure_here(&kvm, fd, plan, &err);
		broken.error = 0;
		CHECK(status == GCPU_ERR_KVM && err.os_error == rows[i].error, "%s: status %d, errno %d",
		      rows[i].name, status, err.os_error);
		CHECK(strstr(err.text, rows[i].name) && strstr(err.text, rows[i].says), "%s: '%s'", rows[i].says,
		      err.text);
		/* and what the value was */
		CHECK(rows[i].request != GK_SET_ONE_REG || strstr(err.text, " = 0x"), "%s", err.text);
	}
}

static const struct subject_calls calls = { probe_here, configure_here, run_here };

int main(void)
{
	static const char *const requests[] = { "host", "host,mte=on,FEAT_RNG=off,-pmu", "host,-sve" };
	struct gcpu_kvm kvm = { &fake_ops, NULL };
	struct subject s = { .calls = &calls, .kvm = &kvm, .rewind = forget };
	struct gcpu_snapshot *snap;

	subject_probe_faults(&s, &snap);
	printf("probe: %u faults, %d wrong\n", s.faults, s.failures);
	if (snap) {
		CHECK(snap->regs.n == N_REGS + 1, "%zu registers", snap->regs.n);
		CHECK(snap->nibbles.n >= 5 * 16, "%zu nibbles", snap->nibbles.n);
		CHECK(snap->devices.n == 2, "%zu devices", snap->devices.n);
		CHECK(snap->init_features == FEATURES, "features 0x%x", snap->init_features);
		CHECK(snap->has_trial && strcmp(gcpu_snapshot_vendor(snap), "0x41") == 0, "vendor %s",
		      gcpu_snapshot_vendor(snap));
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && snap; i++) {
		struct gcpu_request *req = NULL;
		struct gcpu_plan *plan = NULL;
		struct gcpu_error err = { 0 };
		struct gcpu_machine m;

		gcpu_machine_init(&m);
		m.vcpus = 2;
		if (gcpu_request_parse(GCPU_ARCH_ARM64, requests[i], &req, &err) == 0)
			gcpu_plan_make(snap, req, &m, &plan, &err);
		CHECK(plan, "%s: %s", requests[i], err.text);
		s.faults = 0;
		if (plan && i == 0)
			test_meanings(plan);
		if (plan)
			subject_apply_faults(&s, requests[i], plan);
		printf("%s: %u faults, %d wrong in all\n", requests[i], s.faults, s.failures);
		gcpu_plan_free(plan);
		gcpu_request_free(req);
	}
	CHECK(s.failures == 0, "faults");
	gcpu_snapshot_free(snap);
	return unit_end();
}
