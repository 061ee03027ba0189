/* SPDX-License-Identifier: MIT */
/* A call on one of KVM's descriptors: carried out by the kernel or the model, and written down. */
#include "preload.h"

#include "kvm/abi_arm64.h"
#include "kvm/abi_x86.h"
#include "model/sw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

NEXT_SLOT(ioctl);
#ifdef SYS_arch_prctl
NEXT_SLOT(syscall);
#endif
NEXT_SLOT(open);

#define PAGE 4096U

_Atomic unsigned kvm_calls;

/* Interrupts, memory and the like: they come by the thousand, and have nothing to do with the CPU. */
static bool is_noise(unsigned long request)
{
	static const unsigned long noise[] = {
		GK_SET_USER_MEMORY_REGION, GK_SET_GSI_ROUTING, GK_IRQFD, GK_IRQ_LINE, GK_SIGNAL_MSI,
	};

	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		if (noise[i] == request)
			return true;
	return false;
}

/* Up to the first KVM_RUN: of the vCPU, or of all that the VM has. */
static bool is_over(const struct object *o)
{
	if (o->role == ROLE_VCPU)
		return atomic_load_explicit(&o->ran, memory_order_relaxed);
	if (o->role == ROLE_DEVICE && o->vm)
		o = o->vm;
	return o->role == ROLE_VM && atomic_load(&o->vcpus) &&
	       atomic_load(&o->ran_vcpus) >= atomic_load(&o->vcpus);
}

static uint32_t new_number(void)
{
	return atomic_fetch_add(&preload.log->n_objects, 1) + 1;
}

static void write_event(struct sim_event *e, const void *const arg[2])
{
	e->pid = (uint32_t)getpid();
	sim_log_event(&preload.place, e, arg);
}

static const void *const nothing[2] = { NULL, NULL };

/* More than can be told apart: the machine's KVM goes on without a record, the model has no more. 0 or -errno. */
static int no_room(int backend_fd)
{
	if (!preload.kvm) {
		atomic_fetch_add(&preload.log->lost, 1);
		return 0;
	}
	preload.kvm->ops->close(preload.kvm->ctx, backend_fd);
	return -EMFILE;
}

int kvm_opened(int fd, int backend_fd)
{
	struct sim_event e = { .kind = SIM_OPEN, .role = ROLE_KVM, .result = fd < 0 ? fd : 0 };

	atomic_fetch_add(&preload.log->opened, 1);
	if (fd >= 0) {
		e.object = new_number();
		if (!fds_add(fd, ROLE_KVM, e.object, backend_fd, NULL, 0)) {
			e.result = no_room(backend_fd);
			e.object = e.result ? 0 : e.object;
		}
	}
	write_event(&e, nothing);
	return e.result;
}

/* A descriptor of this process that stands for one of the model's; -1 and errno. */
static int stand_in(enum wrap_role role, int flags)
{
	/* read, write and seek are refused there as KVM refuses them, by whatever way they come */
	if (role != ROLE_KVM)
		return epoll_create1(EPOLL_CLOEXEC);
	/* a device as well: what flags make of it is what they make of the other */
	return NEXT(open)("/dev/null", flags, 0);
}

int model_open(int flags)
{
	int fd = stand_in(ROLE_KVM, flags), backend_fd, error = errno;

	if (fd < 0) {
		kvm_opened(-error, -1);
		errno = error;
		return -1;
	}
	/* a place in the tree, of which nothing can be asked */
	if (flags & O_PATH)
		return fd;
	backend_fd = preload.kvm->ops->open(preload.kvm->ctx, "/dev/kvm", flags);
	error = kvm_opened(backend_fd < 0 ? backend_fd : fd, backend_fd);
	if (!error)
		return fd;
	close(fd);
	errno = -error;
	return -1;
}

static enum wrap_role role_of(const char *target, uint32_t *ret_id)
{
	const char *vcpu = strstr(target, "kvm-vcpu:");

	*ret_id = 0;
	if (vcpu) {
		*ret_id = (uint32_t)strtoul(vcpu + strlen("kvm-vcpu:"), NULL, 10);
		return ROLE_VCPU;
	}
	if (strstr(target, "kvm-vm"))
		return ROLE_VM;
	if (strstr(target, "anon_inode:kvm"))
		return ROLE_DEVICE;
	return ROLE_OTHER;
}

/* The model's, under a descriptor of the machine's. NULL and errno. */
static struct object *adopt(int fd)
{
	int backend_fd = preload.kvm->ops->open(preload.kvm->ctx, "/dev/kvm", O_RDWR);

	kvm_opened(backend_fd < 0 ? backend_fd : fd, backend_fd);
	return fds_find(fd);
}

struct object *kvm_found(int fd, unsigned long request, bool *ret_refused)
{
	struct sim_event e = { .kind = SIM_FOUND, .request = request };
	enum wrap_role role = is_kvm_device(fd) ? ROLE_KVM : ROLE_OTHER;
	char path[40], target[128];
	uint32_t id = 0;
	ssize_t n;

	*ret_refused = false;
	if (role == ROLE_OTHER) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		role = role_of(target, &id);
	}
	if (role == ROLE_OTHER)
		return NULL;
	if (preload.kvm) {
		struct object *o = role == ROLE_KVM ? adopt(fd) : NULL;

		*ret_refused = !o;
		return o;
	}
	if (role == ROLE_KVM)
		atomic_fetch_add(&preload.log->opened, 1);
	e.object = new_number();
	e.role = (uint16_t)role;
	e.arg = id;
	write_event(&e, nothing);
	return fds_add(fd, role, e.object, -1, NULL, id);
}

/* What the call made is in the backend's numbers: give the caller one of its own. 0 or -errno. */
static int give(struct object *o, const struct wrap_shape *s, uintptr_t arg, int *result, uint32_t *ret_number)
{
	int made = wrap_made(s, *result), fd = made;
	struct object *vm = o->role == ROLE_VM ? o : NULL;

	*ret_number = 0;
	if (made < 0)
		return 0;
	if (preload.kvm) {
		fd = stand_in(s->makes, 0);
		if (fd < 0) {
			preload.kvm->ops->close(preload.kvm->ctx, made);
			return -errno;
		}
	}
	*ret_number = new_number();
	if (!fds_add(fd, s->makes, *ret_number, preload.kvm ? made : -1, vm, (uint32_t)arg)) {
		int error = no_room(made);

		if (error) {
			*ret_number = 0;
			close(fd);
			return error;
		}
	}
	if (preload.kvm && s->fd_inside)
		memcpy((char *)s->part[0].at + s->hidden, &fd, sizeof(fd));
	else
		*result = preload.kvm ? fd : *result;
	return 0;
}

/* Can N bytes at P be read? A call that failed need not have looked at its argument. */
static bool is_readable(const void *p, size_t n)
{
	char bytes[SIM_BYTES_MOST / PAGE + 2];
	struct iovec from[sizeof(bytes)], to = { bytes, 0 };
	uintptr_t at = (uintptr_t)p, end = at + n;

	/* the last page of all is no program's */
	if (n > SIM_BYTES_MOST || at > UINTPTR_MAX - SIM_BYTES_MOST - PAGE)
		return false;
	for (; at < end; at = (at | (PAGE - 1)) + 1)
		from[to.iov_len++] = (struct iovec){ (void *)at, 1 };
	return process_vm_readv(getpid(), &to, 1, from, to.iov_len, 0) == (ssize_t)to.iov_len;
}

/* How the argument lies in memory: nothing where that cannot be known. */
static void shape_of(const struct object *o, unsigned long request, uintptr_t arg, int result, struct wrap_shape *ret)
{
	size_t size = (request >> 16) & 0x3fff;

	memset(ret, 0, sizeof(*ret));
	/* a length that KVM has read can be read */
	if (result >= 0 || (result != -EFAULT && is_readable((void *)arg, size > 8 ? size : 8)) || !size)
		wrap_shape(gcpu_arch_native(), o->role, request, arg, ret);
}

/* What a call sets is kept; what it asks for is in the answer, and of no interest. */
static void keep(struct sim_event *e, const struct wrap_shape *s, const void *arg[2])
{
	if (!wrap_request_name((unsigned long)e->request))
		return;
	for (unsigned i = 0; i < 2; i++) {
		arg[i] = s->part[i].at;
		/* a pointer in it may be of no interest to the kernel: some attributes have no value */
		if (s->part[i].at && s->part[i].in <= SIM_BYTES_MOST &&
		    ((e->result >= 0 && i == 0) || is_readable(s->part[i].at, s->part[i].in)))
			e->n[i] = (uint32_t)s->part[i].in;
	}
}

static int carry_out(int fd, const struct object *o, unsigned long request, uintptr_t arg)
{
	int r;

	/* a VM is of the process that made it */
	if (preload.kvm && atomic_load_explicit(&o->elsewhere, memory_order_relaxed))
		return -EIO;
	if (preload.kvm)
		return preload.kvm->ops->ioctl(preload.kvm->ctx, o->fd, request, arg);
	r = NEXT(ioctl)(fd, request, arg);
	return r < 0 ? -errno : r;
}

static void first_run(struct object *o)
{
	struct sim_event e = { .kind = SIM_IOCTL, .role = ROLE_VCPU, .object = o->number, .request = GK_RUN };

	if (atomic_load_explicit(&o->ran, memory_order_relaxed) || atomic_exchange(&o->ran, true))
		return;
	if (o->vm)
		atomic_fetch_add(&o->vm->ran_vcpus, 1);
	write_event(&e, nothing);
}

static int as_libc(int result)
{
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

int kvm_ioctl(int fd, struct object *o, unsigned long request, uintptr_t arg)
{
	struct sim_event e = { .kind = SIM_IOCTL, .role = (uint16_t)o->role, .object = o->number,
			       .request = request, .arg = arg };
	const void *bytes[2] = { NULL, NULL };
	struct wrap_shape s;
	bool inside, makes, told;
	int error;

	if (request == GK_RUN && o->role == ROLE_VCPU) {
		first_run(o);
		if (preload.kvm && atomic_load_explicit(&o->elsewhere, memory_order_relaxed))
			return as_libc(-EIO);
		if (preload.kvm)
			return model_run(o);
		return NEXT(ioctl)(fd, request, arg);
	}
	atomic_fetch_add_explicit(&kvm_calls, 1, memory_order_relaxed);
	makes = wrap_request_makes(request, &inside) != ROLE_OTHER;
	/* before the call: another thread may set a vCPU going meanwhile */
	told = makes || (!is_over(o) && !is_noise(request));
	e.result = carry_out(fd, o, request, arg);
	if (!told)
		return as_libc(e.result);
	/* afterwards: what it changed in the argument are answers */
	shape_of(o, request, arg, e.result, &s);
	error = give(o, &s, arg, &e.result, &e.made);
	if (error)
		e.result = error;
	keep(&e, &s, bytes);
	write_event(&e, bytes);
	return as_libc(e.result);
}

#ifdef SYS_arch_prctl
long process_perm(int code, uintptr_t arg, bool *ret_done)
{
	struct sim_event e = { .kind = SIM_PERM, .role = ROLE_OTHER, .request = (uint32_t)code, .arg = arg };
	bool asks = code == GK_ARCH_GET_XCOMP_GUEST_PERM, requests = code == GK_ARCH_REQ_XCOMP_GUEST_PERM;
	uint64_t value = 0;

	*ret_done = false;
	if (!preload.log || !(asks || requests))
		return 0;
	*ret_done = true;
	if (preload.kvm) {
		e.result = preload.kvm->ops->guest_perm(preload.kvm->ctx, code, asks ? 0 : arg, &value);
		if (asks && e.result == 0)
			e.result = sw_copy_out(arg, &value, sizeof(value));
	} else {
		e.result = (int)NEXT(syscall)(SYS_arch_prctl, code, arg);
		e.result = e.result < 0 ? -errno : e.result;
	}
	if (requests)
		write_event(&e, nothing);
	return as_libc(e.result);
}
#endif

void kvm_closed(int fd)
{
	struct sim_event e = { .kind = SIM_CLOSE };
	enum wrap_role role = ROLE_OTHER;
	int backend_fd;

	if (!fds_are_mine())
		return;
	backend_fd = fds_close(fd, &e.object, &role);
	if (backend_fd >= 0 && preload.kvm)
		preload.kvm->ops->close(preload.kvm->ctx, backend_fd);
	if (!e.object)
		return;
	e.role = (uint16_t)role;
	write_event(&e, nothing);
}

void kvm_dupped(int from, int to)
{
	int backend_fd;

	if (from == to || !fds_are_mine())
		return;
	fds_dup(from, to, &backend_fd);
	if (backend_fd >= 0 && preload.kvm)
		preload.kvm->ops->close(preload.kvm->ctx, backend_fd);
}
