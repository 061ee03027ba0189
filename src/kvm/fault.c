/* SPDX-License-Identifier: MIT */
/* Lets one chosen operation fail, and counts what is opened and closed. */
#include "wrap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct fault {
	const struct gcpu_kvm *inner;
	struct gcpu_kvm kvm;
	pthread_mutex_t lock; /* for all below; not held while the kernel works */
	unsigned ops;
	unsigned long request;
	unsigned nth, count;
	int error;
	char what[40];
	struct list fds; /* int */
	unsigned stray;
};

/* The errno if this is the one that fails, else 0. */
static int strike(struct fault *f, enum wrap_op op, unsigned long request)
{
	int error = 0;

	pthread_mutex_lock(&f->lock);
	if ((f->ops >> op & 1) && (!f->request || f->request == request) && ++f->count == f->nth) {
		const char *name = op == WRAP_IOCTL ? wrap_request_name(request) : wrap_op_names[op];

		strncpy(f->what, name ? name : "a request without a name", sizeof(f->what) - 1);
		error = f->error;
	}
	pthread_mutex_unlock(&f->lock);
	return error;
}

static void opened(struct fault *f, int fd)
{
	int *slot;

	if (fd < 0)
		return;
	pthread_mutex_lock(&f->lock);
	slot = list_add(&f->fds, sizeof(*slot));
	if (slot)
		*slot = fd;
	pthread_mutex_unlock(&f->lock);
}

static void closed(struct fault *f, int fd)
{
	size_t i;

	pthread_mutex_lock(&f->lock);
	for (i = 0; i < f->fds.n; i++)
		if (*LIST_AT(&f->fds, int, i) == fd)
			break;
	if (i < f->fds.n)
		*LIST_AT(&f->fds, int, i) = *LIST_AT(&f->fds, int, --f->fds.n);
	else
		f->stray++;
	pthread_mutex_unlock(&f->lock);
}

static int fault_open(void *ctx, const char *path, int flags)
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_OPEN, 0), fd;

	if (error)
		return -error;
	fd = f->inner->ops->open(f->inner->ctx, path, flags);
	opened(f, fd);
	return fd;
}

static int fault_close(void *ctx, int fd)
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_CLOSE, 0), result;

	/* before: another thread may get the number at once */
	closed(f, fd);
	result = f->inner->ops->close(f->inner->ctx, fd);
	return error ? -error : result;
}

static int fault_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_IOCTL, request), result;
	struct wrap_shape s;

	if (error)
		return -error;
	result = f->inner->ops->ioctl(f->inner->ctx, fd, request, arg);
	wrap_shape(gcpu_arch_native(), ROLE_OTHER, request, arg, &s);
	opened(f, wrap_made(&s, result));
	return result;
}

static int fault_mmap(void *ctx, size_t length, int fd, void **ret)
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_MMAP, 0);

	return error ? -error : f->inner->ops->mmap(f->inner->ctx, length, fd, ret);
}

static int fault_munmap(void *ctx, void *addr, size_t length)
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_MUNMAP, 0);
	int result = f->inner->ops->munmap(f->inner->ctx, addr, length);

	return error ? -error : result;
}

static int fault_host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_CPUID, 0);

	return error ? -error : f->inner->ops->host_cpuid(f->inner->ctx, leaf, subleaf, ret);
}

static int fault_guest_perm(void *ctx, int code, uint64_t arg, uint64_t *ret)
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_PERM, 0);

	return error ? -error : f->inner->ops->guest_perm(f->inner->ctx, code, arg, ret);
}

static int fault_read_host_file(void *ctx, const char *path, char *buf, size_t size)
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_FILE, 0);

	return error ? -error : f->inner->ops->read_host_file(f->inner->ctx, path, buf, size);
}

static int fault_pin(void *ctx, int cpu)
{
	struct fault *f = ctx;
	int error = strike(f, WRAP_PIN, 0);

	return error ? -error : f->inner->ops->pin(f->inner->ctx, cpu);
}

static const struct gcpu_kvm_ops fault_ops = {
	.size = sizeof(struct gcpu_kvm_ops),
	.open = fault_open,
	.close = fault_close,
	.ioctl = fault_ioctl,
	.mmap = fault_mmap,
	.munmap = fault_munmap,
	.host_cpuid = fault_host_cpuid,
	.guest_perm = fault_guest_perm,
	.read_host_file = fault_read_host_file,
	.pin = fault_pin,
};

int fault_new(const struct gcpu_kvm *inner, struct fault **ret)
{
	struct fault *f;

	if (!inner || !ret)
		return GCPU_ERR_ARGUMENT;
	f = calloc(1, sizeof(*f));
	if (!f || pthread_mutex_init(&f->lock, NULL)) {
		free(f);
		return GCPU_ERR_MEMORY;
	}
	f->inner = inner;
	f->kvm.ops = &fault_ops;
	f->kvm.ctx = f;
	*ret = f;
	return 0;
}

const struct gcpu_kvm *fault_kvm(const struct fault *f)
{
	return &f->kvm;
}

void fault_arm(struct fault *f, unsigned ops, unsigned long request, unsigned nth, int error)
{
	pthread_mutex_lock(&f->lock);
	f->ops = ops;
	f->request = request;
	f->nth = nth;
	f->error = error;
	f->count = 0;
	memset(f->what, 0, sizeof(f->what));
	pthread_mutex_unlock(&f->lock);
}

unsigned fault_count(const struct fault *f)
{
	return f->count;
}

const char *fault_what(const struct fault *f)
{
	return f->what[0] ? f->what : NULL;
}

int fault_open_fds(const struct fault *f)
{
	return (int)f->fds.n;
}

unsigned fault_stray_closes(const struct fault *f)
{
	return f->stray;
}

void fault_free(struct fault *f)
{
	if (!f)
		return;
	pthread_mutex_destroy(&f->lock);
	list_free(&f->fds);
	free(f);
}
