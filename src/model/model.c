/* SPDX-License-Identifier: MIT */
/* The software KVM: made, taken away, and its operations. */
#include "sw.h"

#include "core/plan.h"
#include "supported.h"

#include <stdlib.h>
#include <string.h>

static const struct sw_arch *const archs[] = { &sw_x86, &sw_arm64 };

bool sw_behaves(const struct gcpu_model *m, enum behaviour what)
{
	return m->behaviours >> what & 1;
}

static void learn_behaviours(struct gcpu_model *m, const char *release)
{
	_Static_assert(BEHAVIOURS <= 64, "bits of one word");
	for (unsigned i = 0; i < BEHAVIOURS; i++) {
		const struct behaviour_fact *b = &gcpu_behaviours[i];
		/* another kernel's KVM is computed: what the CPU's maker's module makes of it */
		bool here = !b->module || (!m->other_kernel && m->host->module && strcmp(b->module, m->host->module) == 0);
		bool begun = here && (!b->since || !kernel_too_old(b->since, release));

		m->behaviours |= (uint64_t)(begun && (!b->until || kernel_too_old(b->until, release))) << i;
	}
}

/* "6.12.3-debian" -> RELEASE(6, 12), 0 if it is nothing like that. */
static unsigned release_of(const char *text)
{
	unsigned part[2] = { 0, 0 };

	for (unsigned i = 0; i < 2; i++) {
		if (!text || *text < '0' || *text > '9')
			return 0;
		for (; *text >= '0' && *text <= '9' && part[i] < 1000; text++)
			part[i] = part[i] * 10 + (unsigned)(*text - '0');
		if (i == 0 && *text++ != '.')
			return 0;
	}
	return part[0] < 0xff && part[1] < 0xff ? RELEASE(part[0], part[1]) : 0;
}

static int choose_release(struct gcpu_model *m, const char *series, struct gcpu_error *err)
{
	const char *release = series ? supported_release(series, err) : m->host->kernel;

	if (series && !release)
		return GCPU_ERR_NAME;
	m->release = release_of(release);
	if (!m->release)
		return error_set(err, GCPU_ERR_ARGUMENT, "the snapshot names no release of Linux that it is of");
	m->other_kernel = series && m->release != release_of(m->host->kernel);
	learn_behaviours(m, release);
	m->kernel = text_copy(release, strlen(release));
	return m->kernel ? 0 : error_memory(err);
}

/* Ops. Each takes the lock. */

static int op_open(void *ctx, const char *path, int flags)
{
	struct gcpu_model *m = ctx;
	int fd;

	(void)flags;
	if (!path || strcmp(path, "/dev/kvm") != 0)
		return path ? -ENOENT : -EFAULT;
	pthread_mutex_lock(&m->lock);
	fd = sw_fd_new(m, SW_SYSTEM, NULL);
	pthread_mutex_unlock(&m->lock);
	return fd;
}

static int op_close(void *ctx, int fd)
{
	struct gcpu_model *m = ctx;
	int status = 0;

	pthread_mutex_lock(&m->lock);
	if (sw_fd_at(m, fd))
		sw_fd_close(m, fd);
	else
		status = -EBADF;
	pthread_mutex_unlock(&m->lock);
	return status;
}

static const struct sw_call *find(const struct sw_call *calls, unsigned long request)
{
	for (; calls->request; calls++)
		if (calls->request == request)
			return calls;
	return NULL;
}

/* The architecture's own calls go before what all have. */
static int dispatch(const struct sw_call *own, const struct sw_call *all, void *object, struct list *blobs,
		    const struct gcpu_model *m, enum sw_kind kind, unsigned long request, uintptr_t arg,
		    int unknown)
{
	const struct sw_call *c = find(own, request);
	int result;

	if (!c && all)
		c = find(all, request);
	if (c)
		return c->fn(object, arg);
	return blobs && sw_store(blobs, kind, m->arch->arch, request, arg, &result) ? result : unknown;
}

static int on(struct gcpu_model *m, struct sw_fd *at, unsigned long request, uintptr_t arg)
{
	const struct sw_arch *a = m->arch;
	const struct sw_call *board;

	if ((at->kind == SW_VM && at->vm->dead) || (at->kind == SW_VCPU && at->vcpu->vm->dead) ||
	    (at->kind == SW_DEVICE && at->device->vm->dead))
		return -EIO;
	switch (at->kind) {
	case SW_SYSTEM:
		return dispatch(a->system, sw_system_calls, m, NULL, m, SW_SYSTEM, request, arg,
				a->unknown_system);
	case SW_VM:
		board = a->board ? find(a->board, request) : NULL;
		if (board)
			return board->fn(at->vm, arg);
		return dispatch(a->vm, sw_vm_calls, at->vm, &at->vm->blobs, m, SW_VM, request, arg,
				a->unknown_vm);
	case SW_VCPU:
		return dispatch(a->vcpu, sw_vcpu_calls, at->vcpu, &at->vcpu->blobs, m, SW_VCPU, request, arg,
				a->unknown_vcpu);
	case SW_DEVICE:
		return dispatch(a->device, NULL, at->device, &at->device->blobs, m, SW_DEVICE, request, arg, -ENOTTY);
	default:
		return -EBADF;
	}
}

static int op_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	struct gcpu_model *m = ctx;
	struct sw_fd *at;
	int status;

	pthread_mutex_lock(&m->lock);
	at = sw_fd_at(m, fd);
	status = at ? on(m, at, request, arg) : -EBADF;
	pthread_mutex_unlock(&m->lock);
	return status;
}

static int op_mmap(void *ctx, size_t length, int fd, void **ret)
{
	struct gcpu_model *m = ctx;
	struct sw_fd *at;
	int status = 0;

	if (fd < 0)
		return gcpu_kvm_real()->ops->mmap(gcpu_kvm_real()->ctx, length, fd, ret);
	pthread_mutex_lock(&m->lock);
	at = sw_fd_at(m, fd);
	if (!at || at->kind != SW_VCPU)
		status = at ? -ENODEV : -EBADF;
	else
		status = sw_run_map(at->vcpu, length, ret);
	pthread_mutex_unlock(&m->lock);
	return status;
}

static int op_munmap(void *ctx, void *addr, size_t length)
{
	struct gcpu_model *m = ctx;
	bool ours;

	pthread_mutex_lock(&m->lock);
	ours = sw_page_shared(m, addr);
	pthread_mutex_unlock(&m->lock);
	return ours ? 0 : gcpu_kvm_real()->ops->munmap(gcpu_kvm_real()->ctx, addr, length);
}

static int op_host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	struct gcpu_model *m = ctx;

	/* without the lock: an instruction that faulted is answered from a signal handler, wherever it came */
	return m->arch->host_cpuid ? m->arch->host_cpuid(m, leaf, subleaf, ret) : -ENOTSUP;
}

static int op_guest_perm(void *ctx, int code, uint64_t arg, uint64_t *ret)
{
	struct gcpu_model *m = ctx;
	int status;

	if (!m->arch->guest_perm)
		return -EINVAL;
	pthread_mutex_lock(&m->lock);
	status = m->arch->guest_perm(m, code, arg, ret);
	pthread_mutex_unlock(&m->lock);
	return status;
}

static int op_pin(void *ctx, int cpu)
{
	struct gcpu_model *m = ctx;

	if (cpu > (int)m->host->cpuid[SNAP_VARIES].n || cpu > 1)
		return -EINVAL;
	atomic_store(&m->cpu, cpu < 0 ? 0 : cpu);
	return 0;
}

static const struct gcpu_kvm_ops ops = {
	.size = sizeof(ops),
	.open = op_open,
	.close = op_close,
	.ioctl = op_ioctl,
	.mmap = op_mmap,
	.munmap = op_munmap,
	.host_cpuid = op_host_cpuid,
	.guest_perm = op_guest_perm,
	.read_host_file = sw_read_host_file,
	.pin = op_pin,
};

int gcpu_model_new(const struct gcpu_snapshot *host, const struct gcpu_model_options *options,
		   struct gcpu_model **ret_model, struct gcpu_error *err)
{
	struct gcpu_model_options o = { .size = sizeof(o) };
	struct gcpu_model *m;
	int status;

	if (!host || !ret_model)
		return error_set(err, GCPU_ERR_ARGUMENT, "no snapshot or result");
	if (options && !options_copy(&o, sizeof(o), options, options->size))
		return error_set(err, GCPU_ERR_ARGUMENT, "struct gcpu_model_options has a wrong size");
	if (host->guest_view)
		return error_set(err, GCPU_ERR_ARGUMENT, "the snapshot is what a guest had, not what a KVM offers");
	m = calloc(1, sizeof(*m));
	if (!m)
		return error_memory(err);
	m->kvm.ops = &ops;
	m->kvm.ctx = m;
	m->host = host;
	pthread_mutex_init(&m->lock, NULL);
	for (unsigned i = 0; i < 2; i++)
		if (archs[i]->arch == host->arch)
			m->arch = archs[i];
	m->series = o.kernel;
	status = choose_release(m, o.kernel, err);
	if (status == 0)
		status = m->arch->init(m, err);
	sw_caps_read(m);
	if (status) {
		gcpu_model_free(m);
		return status;
	}
	*ret_model = m;
	return 0;
}

void gcpu_model_free(struct gcpu_model *m)
{
	if (!m)
		return;
	sw_fds_free(m);
	sw_pages_free(m);
	gcpu_snapshot_free(m->computed);
	free(m->kernel);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

const struct gcpu_kvm *gcpu_model_kvm(struct gcpu_model *m)
{
	return m ? &m->kvm : NULL;
}

const struct gcpu_snapshot *gcpu_model_host(const struct gcpu_model *m)
{
	return m ? m->host : NULL;
}

struct gcpu_model *gcpu_model_of(const struct gcpu_kvm *kvm)
{
	return kvm && kvm->ops == &ops ? kvm->ctx : NULL;
}

int gcpu_model_guest(struct gcpu_model *m, int vcpu_fd, struct gcpu_guest_op *list, size_t n)
{
	struct sw_fd *at;
	int status = 0;

	if (!m)
		return GCPU_ERR_ARGUMENT;
	pthread_mutex_lock(&m->lock);
	at = sw_fd_at(m, vcpu_fd);
	if (!at || at->kind != SW_VCPU || (n && !list)) {
		status = GCPU_ERR_ARGUMENT;
	} else {
		at->vcpu->ops = list;
		at->vcpu->n_ops = n;
		at->vcpu->at = 0;
		at->vcpu->waits_for_vmm = false;
		for (size_t i = 0; i < n; i++) {
			list[i].status = GCPU_GUEST_PENDING;
			memset(list[i].res, 0, sizeof(list[i].res));
			list[i].fault = 0;
		}
	}
	pthread_mutex_unlock(&m->lock);
	return status;
}
