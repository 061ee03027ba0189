/* SPDX-License-Identifier: MIT */
/* Writes a trace of what passes through; wrap.h has its form. */
#include "wrap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record {
	const struct gcpu_kvm *inner;
	struct gcpu_kvm kvm;
	enum gcpu_arch arch;
	/* Never held while the kernel works: a vCPU may run for long. */
	pthread_mutex_t lock;
	struct sink out;
	struct list fds; /* wrap_fd */
	unsigned made[ROLE_COUNT];
};

/* A line in the making. */
struct line {
	struct buffer text;
	bool lost; /* memory is exhausted */
};

static void put(struct line *l, const char *text, size_t n)
{
	if (!l->lost && buffer_append(&l->text, text, n))
		l->lost = true;
}

static void put_format(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put_format(struct line *l, const char *format, ...)
{
	char buf[160];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(buf, sizeof(buf), format, ap);
	va_end(ap);
	put(l, buf, n < 0 ? 0 : (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1);
}

/* Fewer zeros than this are not worth a count. */
#define ZEROS_LEAST 4

static void put_bytes(struct line *l, const char *key, const unsigned char *bytes, size_t n)
{
	if (!n)
		return;
	put_format(l, " %s=", key);
	for (size_t i = 0; i < n;) {
		size_t zeros = 0;

		while (i + zeros < n && bytes[i + zeros] == 0)
			zeros++;
		if (zeros >= ZEROS_LEAST) {
			put_format(l, "+%zu.", zeros);
			i += zeros;
		} else {
			put_format(l, "%02x", bytes[i++]);
		}
	}
}

static void put_text(struct line *l, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c > 0x20 && c < 0x7f && c != '%')
			put(l, text + i, 1);
		else
			put_format(l, "%%%02x", c);
	}
}

/* The argument without what means nothing elsewhere. */
static void put_argument(struct line *l, const char *key, const struct wrap_shape *s, size_t n)
{
	unsigned char *copy = n ? malloc(n) : NULL;

	if (n && !copy) {
		l->lost = true;
		return;
	}
	if (n) {
		memcpy(copy, s->part[0].at, n);
		if (s->hidden_size && s->hidden + s->hidden_size <= n)
			memset(copy + s->hidden, 0, s->hidden_size);
	}
	put_bytes(l, key, copy, n);
	free(copy);
}

/* The lock is held. */
static struct wrap_fd *find(struct record *r, int fd)
{
	for (size_t i = 0; i < r->fds.n; i++)
		if (LIST_AT(&r->fds, struct wrap_fd, i)->fd == fd)
			return LIST_AT(&r->fds, struct wrap_fd, i);
	return NULL;
}

/* The lock is held. */
static void made(struct record *r, int fd, enum wrap_role role)
{
	struct wrap_fd *f = find(r, fd);

	if (!f)
		f = list_add(&r->fds, sizeof(*f));
	if (!f) {
		r->out.status = r->out.status ? r->out.status : GCPU_ERR_MEMORY;
		return;
	}
	*f = (struct wrap_fd){ fd, role, r->made[role]++ };
}

/* What this descriptor is; one that came from elsewhere gets a name now. */
static struct wrap_fd known(struct record *r, int fd)
{
	struct wrap_fd out = { fd, ROLE_OTHER, 0 }, *f;

	pthread_mutex_lock(&r->lock);
	if (!find(r, fd))
		made(r, fd, ROLE_OTHER);
	f = find(r, fd);
	if (f)
		out = *f;
	pthread_mutex_unlock(&r->lock);
	return out;
}

static void put_fd(struct line *l, const struct wrap_fd *f)
{
	put_format(l, " %s%u", wrap_role_names[f->role], f->number);
}

/* " = result", or the name of the descriptor that was made. The lock is held. */
static void put_result(struct record *r, struct line *l, int result, int fd)
{
	const struct wrap_fd *f = fd >= 0 ? find(r, fd) : NULL;

	if (f) {
		put(l, " =", 2);
		put_fd(l, f);
	} else {
		put_format(l, " = %d", result);
	}
}

/* The lock is held. */
static void finish(struct record *r, struct line *l)
{
	put(l, "\n", 1);
	if (l->lost)
		r->out.status = r->out.status ? r->out.status : GCPU_ERR_MEMORY;
	else
		sink_text(&r->out, l->text.at, l->text.n);
	free(l->text.at);
}

static void finish_plain(struct record *r, struct line *l, int result)
{
	pthread_mutex_lock(&r->lock);
	put_result(r, l, result, -1);
	finish(r, l);
	pthread_mutex_unlock(&r->lock);
}

static int record_open(void *ctx, const char *path, int flags)
{
	struct record *r = ctx;
	struct line l = { 0 };
	int fd = r->inner->ops->open(r->inner->ctx, path, flags);

	put(&l, "open ", 5);
	put_text(&l, path, strlen(path));
	put_format(&l, " 0x%x", (unsigned)flags);
	pthread_mutex_lock(&r->lock);
	if (fd >= 0)
		made(r, fd, ROLE_KVM);
	put_result(r, &l, fd, fd);
	finish(r, &l);
	pthread_mutex_unlock(&r->lock);
	return fd;
}

static int record_close(void *ctx, int fd)
{
	struct record *r = ctx;
	struct wrap_fd f = known(r, fd);
	struct line l = { 0 };
	int result;

	/* forgotten first: another thread may get the number at once */
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->fds.n; i++) {
		struct wrap_fd *at = LIST_AT(&r->fds, struct wrap_fd, i);

		if (at->fd == fd) {
			*at = *LIST_AT(&r->fds, struct wrap_fd, r->fds.n - 1);
			r->fds.n--;
			break;
		}
	}
	pthread_mutex_unlock(&r->lock);
	result = r->inner->ops->close(r->inner->ctx, fd);
	put(&l, "close", 5);
	put_fd(&l, &f);
	finish_plain(r, &l, result);
	return result;
}

static int record_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	struct record *r = ctx;
	const char *name = wrap_request_name(request);
	struct wrap_fd f = known(r, fd);
	struct wrap_shape s;
	struct line l = { 0 };
	int result, made_fd;

	wrap_shape(r->arch, f.role, request, arg, &s);
	put(&l, "ioctl", 5);
	put_fd(&l, &f);
	if (name)
		put_format(&l, " %s", name);
	else
		put_format(&l, " 0x%lx", request);
	if (s.pointer)
		put(&l, arg ? " *" : " 0x0", arg ? 2 : 4);
	else
		put_format(&l, " 0x%lx", (unsigned long)arg);
	put_argument(&l, "in", &s, s.part[0].in);
	put_bytes(&l, "vin", s.part[1].at, s.part[1].in);
	result = r->inner->ops->ioctl(r->inner->ctx, fd, request, arg);
	made_fd = wrap_made(&s, result);

	pthread_mutex_lock(&r->lock);
	if (made_fd >= 0)
		made(r, made_fd, s.makes);
	put_result(r, &l, result, made_fd);
	put_argument(&l, "out", &s, wrap_written(&s, result));
	if (result >= 0)
		put_bytes(&l, "vout", s.part[1].at, s.part[1].out);
	finish(r, &l);
	pthread_mutex_unlock(&r->lock);
	return result;
}

static int record_mmap(void *ctx, size_t length, int fd, void **ret)
{
	struct record *r = ctx;
	struct wrap_fd f = { -1, ROLE_OTHER, 0 };
	struct line l = { 0 };
	int result;

	if (fd >= 0)
		f = known(r, fd);
	result = r->inner->ops->mmap(r->inner->ctx, length, fd, ret);
	put(&l, "mmap", 4);
	if (fd >= 0)
		put_fd(&l, &f);
	else
		put(&l, " memory", 7);
	put_format(&l, " %zu", length);
	finish_plain(r, &l, result);
	return result;
}

static int record_munmap(void *ctx, void *addr, size_t length)
{
	struct record *r = ctx;
	struct line l = { 0 };
	int result = r->inner->ops->munmap(r->inner->ctx, addr, length);

	put_format(&l, "munmap %zu", length);
	finish_plain(r, &l, result);
	return result;
}

/* A result and the bytes that came with it. */
static void finish_bytes(struct record *r, struct line *l, int result, const void *bytes, size_t n)
{
	put_format(l, " = %d", result);
	if (result >= 0)
		put_bytes(l, "out", bytes, n);
	pthread_mutex_lock(&r->lock);
	finish(r, l);
	pthread_mutex_unlock(&r->lock);
}

static int record_host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	struct record *r = ctx;
	struct line l = { 0 };
	int result = r->inner->ops->host_cpuid(r->inner->ctx, leaf, subleaf, ret);

	put_format(&l, "cpuid 0x%x 0x%x", leaf, subleaf);
	finish_bytes(r, &l, result, ret, 16);
	return result;
}

static int record_guest_perm(void *ctx, int code, uint64_t arg, uint64_t *ret)
{
	struct record *r = ctx;
	struct line l = { 0 };
	int result;

	*ret = 0; /* only the codes that ask write there */
	result = r->inner->ops->guest_perm(r->inner->ctx, code, arg, ret);
	put_format(&l, "perm 0x%x 0x%llx", (unsigned)code, (unsigned long long)arg);
	finish_bytes(r, &l, result, ret, sizeof(*ret));
	return result;
}

static int record_read_host_file(void *ctx, const char *path, char *buf, size_t size)
{
	struct record *r = ctx;
	struct line l = { 0 };
	int result = r->inner->ops->read_host_file(r->inner->ctx, path, buf, size);

	put(&l, "file ", 5);
	put_text(&l, path, strlen(path));
	put_format(&l, " %zu = %d", size, result);
	if (result > 0) {
		put(&l, " text=", 6);
		put_text(&l, buf, (size_t)result);
	}
	pthread_mutex_lock(&r->lock);
	finish(r, &l);
	pthread_mutex_unlock(&r->lock);
	return result;
}

static int record_pin(void *ctx, int cpu)
{
	struct record *r = ctx;
	struct line l = { 0 };
	int result = r->inner->ops->pin(r->inner->ctx, cpu);

	put_format(&l, "pin %d", cpu);
	finish_plain(r, &l, result);
	return result;
}

static const struct gcpu_kvm_ops record_ops = {
	.size = sizeof(struct gcpu_kvm_ops),
	.open = record_open,
	.close = record_close,
	.ioctl = record_ioctl,
	.mmap = record_mmap,
	.munmap = record_munmap,
	.host_cpuid = record_host_cpuid,
	.guest_perm = record_guest_perm,
	.read_host_file = record_read_host_file,
	.pin = record_pin,
};

int record_new(const struct gcpu_kvm *inner, enum gcpu_arch arch, gcpu_write write, void *ctx,
	       struct record **ret)
{
	struct record *r;

	if (!inner || !write || !ret || !gcpu_arch_name(arch))
		return GCPU_ERR_ARGUMENT;
	r = calloc(1, sizeof(*r));
	if (!r || pthread_mutex_init(&r->lock, NULL)) {
		free(r);
		return GCPU_ERR_MEMORY;
	}
	r->inner = inner;
	r->arch = arch;
	r->out.write = write;
	r->out.ctx = ctx;
	r->kvm.ops = &record_ops;
	r->kvm.ctx = r;
	sink_format(&r->out, "guestcpu-trace 1 %s\n", gcpu_arch_name(arch));
	*ret = r;
	return 0;
}

const struct gcpu_kvm *record_kvm(const struct record *r)
{
	return &r->kvm;
}

int record_status(const struct record *r)
{
	return r->out.status;
}

void record_free(struct record *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	list_free(&r->fds);
	free(r);
}
