/* SPDX-License-Identifier: MIT */
/* Answers from a trace; wrap.h says how. */
#include "trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far from every descriptor of this process: a mix-up fails at once. */
#define FD_FIRST 1000000

struct map {
	void *at;
	size_t length;
};

struct replay {
	struct gcpu_kvm kvm;
	struct trace trace;
	bool strict;
	pthread_mutex_t lock; /* for all below */
	size_t at;	      /* the entry that comes next */
	struct list fds;      /* wrap_fd by number from FD_FIRST; fd -1: closed */
	struct list maps;     /* map */
	struct gcpu_error error;
};

/* What is asked. */
struct ask {
	enum wrap_op op;
	int fd; /* -1: none */
	struct wrap_fd *known;
	unsigned long request;
	uint64_t arg[2];
	const char *path;
	struct wrap_shape shape;
	struct wrap_part room; /* other operations: where the bytes go */
	const char *differs;   /* why the entry at hand is not the answer */
	size_t differs_at;
};

enum fit { FIT_NOT, FIT_NEAR, FIT_EXACT };

static struct wrap_fd *fd_of(const struct replay *r, int fd)
{
	struct wrap_fd *f;

	if (fd < FD_FIRST || (size_t)(fd - FD_FIRST) >= r->fds.n)
		return NULL;
	f = LIST_AT(&r->fds, struct wrap_fd, fd - FD_FIRST);
	return f->fd < 0 ? NULL : f;
}

/* The argument as it stood, but for what means nothing elsewhere. */
static bool same_argument(struct ask *a, const struct entry *e)
{
	const struct wrap_part *p = &a->shape.part[0];
	unsigned char *copy = malloc(p->in + 1);
	bool same;

	if (!copy)
		return false;
	if (p->in)
		memcpy(copy, p->at, p->in);
	if (a->shape.hidden_size && a->shape.hidden + a->shape.hidden_size <= p->in)
		memset(copy + a->shape.hidden, 0, a->shape.hidden_size);
	same = blob_same(&e->in, copy, p->in, &a->differs_at);
	free(copy);
	if (!same)
		a->differs = "in=";
	return same;
}

static bool same_bytes(struct ask *a, const struct entry *e)
{
	if (!same_argument(a, e))
		return false;
	if (blob_same(&e->vin, a->shape.part[1].at, a->shape.part[1].in, &a->differs_at))
		return true;
	a->differs = "vin=";
	return false;
}

static bool has_room(struct ask *a, const struct entry *e)
{
	const struct wrap_part *first = a->op == WRAP_IOCTL ? &a->shape.part[0] : &a->room;

	if (e->out.bytes <= first->out && e->vout.bytes <= a->shape.part[1].out)
		return true;
	a->differs = "room for the answer";
	return false;
}

static enum fit fit_ioctl(struct ask *a, const struct entry *e)
{
	if (e->request != a->request || e->pointer != (a->shape.pointer && a->arg[0]) ||
	    (!e->pointer && e->arg[0] != a->arg[0]) || !has_room(a, e) ||
	    (e->result >= 0 && e->makes_fd != (a->shape.makes != ROLE_OTHER)))
		return FIT_NOT;
	if (e->pointer && !same_bytes(a, e))
		/* what was asked for decides what comes out */
		return e->out.bytes || e->vout.bytes ? FIT_NOT : FIT_NEAR;
	return FIT_EXACT;
}

static enum fit fit(struct ask *a, const struct entry *e)
{
	enum fit best = FIT_EXACT, f;
	size_t unused;

	a->differs = NULL;
	if (e->op != a->op || e->has_fd != (a->known != NULL))
		return FIT_NOT;
	if (e->has_fd) {
		if (e->role != a->known->role)
			return FIT_NOT;
		if (e->number != a->known->number)
			best = FIT_NEAR;
	}
	if (a->path && !blob_same(&e->path, a->path, strlen(a->path), &unused))
		return FIT_NOT;
	if (a->op == WRAP_IOCTL) {
		f = fit_ioctl(a, e);
		return f < best ? f : best;
	}
	if (!has_room(a, e))
		return FIT_NOT;
	for (unsigned i = 0; i < e->n_args; i++)
		if (e->arg[i] != a->arg[i])
			/* how much room a caller has for a file is its own affair */
			return a->op == WRAP_FILE ? FIT_NEAR : FIT_NOT;
	return best;
}

/* The nearest of the best; forward from where we are, then anywhere. */
static const struct entry *search(struct replay *r, struct ask *a)
{
	for (int want = FIT_EXACT; want >= FIT_NEAR; want--) {
		for (size_t i = 0; i < r->trace.entries.n; i++) {
			size_t k = (r->at + i) % r->trace.entries.n;
			const struct entry *e = LIST_AT(&r->trace.entries, struct entry, k);

			if ((int)fit(a, e) < want)
				continue;
			if (k >= r->at)
				r->at = k + 1;
			return e;
		}
	}
	return NULL;
}

static void describe(const struct ask *a, char *buf, size_t size)
{
	const char *name = a->op == WRAP_IOCTL ? wrap_request_name(a->request) : NULL;
	int n = snprintf(buf, size, "%s", wrap_op_names[a->op]);

	if (a->known)
		n += snprintf(buf + n, size - (size_t)n, " %s%u", wrap_role_names[a->known->role],
			      a->known->number);
	else if (a->fd >= 0)
		n += snprintf(buf + n, size - (size_t)n, " descriptor %d, which is not open", a->fd);
	if (a->path)
		n += snprintf(buf + n, size - (size_t)n, " %.80s", a->path);
	if (name)
		n += snprintf(buf + n, size - (size_t)n, " %s", name);
	else if (a->op == WRAP_IOCTL)
		n += snprintf(buf + n, size - (size_t)n, " 0x%lx", a->request);
	if (a->op == WRAP_IOCTL && a->shape.pointer)
		snprintf(buf + n, size - (size_t)n, " *");
	else if (a->op != WRAP_CLOSE)
		snprintf(buf + n, size - (size_t)n, " 0x%llx", (unsigned long long)a->arg[0]);
}

/* Keeps the first call without an answer. */
static int no_answer(struct replay *r, const struct ask *a, const struct entry *e)
{
	char asked[GCPU_ERROR_TEXT / 2];
	int shown;

	if (r->error.code)
		return -ENOSYS;
	describe(a, asked, sizeof(asked));
	error_os(&r->error, ENOSYS, "line %zu: asked for '%s'", e ? e->line : 0, asked);
	if (e && a->differs && a->differs_at)
		error_os(&r->error, ENOSYS, "line %zu: asked for '%s', %s differs at byte %zu", e->line,
			 asked, a->differs, a->differs_at);
	else if (e && a->differs)
		error_os(&r->error, ENOSYS, "line %zu: asked for '%s', %s differs", e->line, asked,
			 a->differs);
	r->error.line = e ? e->line : 0;
	shown = e && e->n > 120 ? 120 : e ? (int)e->n : 0;
	error_expected(&r->error, "%.*s", e ? shown : 12, e ? e->s : "nothing more");
	for (char *c = r->error.expected; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	return -ENOSYS;
}

static int make_fd(struct replay *r, const struct entry *e)
{
	struct wrap_fd *f = list_add(&r->fds, sizeof(*f));

	if (!f)
		return -ENOMEM;
	*f = (struct wrap_fd){ FD_FIRST + (int)r->fds.n - 1, e->made, e->made_number };
	return f->fd;
}

/* The bytes of an answer, without the hidden ones. */
static void fill(const struct ask *a, const struct entry *e)
{
	const struct wrap_shape *s = &a->shape;
	unsigned char hidden[8];
	char *at = a->op == WRAP_IOCTL ? s->part[0].at : a->room.at;
	bool hides = a->op == WRAP_IOCTL && at && s->hidden_size &&
		     s->hidden + s->hidden_size <= e->out.bytes;

	if (hides)
		memcpy(hidden, at + s->hidden, s->hidden_size);
	if (e->out.bytes)
		blob_copy(&e->out, at);
	if (hides)
		memcpy(at + s->hidden, hidden, s->hidden_size);
	if (e->vout.bytes)
		blob_copy(&e->vout, s->part[1].at);
}

/* The lock is held. */
static int respond(struct replay *r, struct ask *a)
{
	const struct entry *e = r->at < r->trace.entries.n ?
					LIST_AT(&r->trace.entries, struct entry, r->at) : NULL;
	int fd;

	a->known = fd_of(r, a->fd);
	if (a->fd >= 0 && !a->known)
		return no_answer(r, a, e);
	if (r->strict) {
		if (!e || fit(a, e) != FIT_EXACT)
			return no_answer(r, a, e);
		r->at++;
	} else {
		const struct entry *found = search(r, a);

		if (!found)
			return no_answer(r, a, e);
		e = found;
	}
	fill(a, e);
	if (!e->makes_fd)
		return e->result;
	fd = make_fd(r, e);
	if (fd < 0 || !a->shape.fd_inside)
		return fd;
	if (!a->shape.part[0].at)
		return -EFAULT;
	memcpy((char *)a->shape.part[0].at + a->shape.hidden, &fd, sizeof(fd));
	return 0;
}

static int answer(struct replay *r, struct ask *a)
{
	int result;

	pthread_mutex_lock(&r->lock);
	result = respond(r, a);
	/* as with a real one: gone, whatever close(2) says */
	if (a->op == WRAP_CLOSE && a->known)
		a->known->fd = -1;
	pthread_mutex_unlock(&r->lock);
	return result;
}

static int replay_open(void *ctx, const char *path, int flags)
{
	struct ask a = { .op = WRAP_OPEN, .fd = -1, .arg = { (unsigned)flags }, .path = path };

	return answer(ctx, &a);
}

static int replay_close(void *ctx, int fd)
{
	struct ask a = { .op = WRAP_CLOSE, .fd = fd };

	return fd < 0 ? -EBADF : answer(ctx, &a);
}

static int replay_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	struct replay *r = ctx;
	struct ask a = { .op = WRAP_IOCTL, .fd = fd, .request = request, .arg = { arg } };
	const struct wrap_fd *f;

	if (fd < 0)
		return -EBADF;
	pthread_mutex_lock(&r->lock);
	f = fd_of(r, fd);
	wrap_shape(r->trace.arch, f ? f->role : ROLE_OTHER, request, arg, &a.shape);
	pthread_mutex_unlock(&r->lock);
	return answer(r, &a);
}

static int replay_mmap(void *ctx, size_t length, int fd, void **ret)
{
	struct replay *r = ctx;
	struct ask a = { .op = WRAP_MMAP, .fd = fd < 0 ? -1 : fd, .arg = { length } };
	int result = answer(r, &a);
	struct map *m;

	if (result < 0)
		return result;
	pthread_mutex_lock(&r->lock);
	m = list_add(&r->maps, sizeof(*m));
	if (m) {
		m->at = calloc(1, length ? length : 1);
		m->length = length;
	}
	if (m && m->at)
		*ret = m->at;
	else
		result = -ENOMEM;
	pthread_mutex_unlock(&r->lock);
	return result;
}

static int replay_munmap(void *ctx, void *addr, size_t length)
{
	struct replay *r = ctx;
	struct ask a = { .op = WRAP_MUNMAP, .fd = -1, .arg = { length } };

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->maps.n; i++) {
		struct map *m = LIST_AT(&r->maps, struct map, i);

		if (m->at != addr)
			continue;
		free(m->at);
		*m = *LIST_AT(&r->maps, struct map, r->maps.n - 1);
		r->maps.n--;
		break;
	}
	pthread_mutex_unlock(&r->lock);
	return answer(r, &a);
}

static int replay_host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	struct ask a = { .op = WRAP_CPUID, .fd = -1, .arg = { leaf, subleaf }, .room = { ret, 0, 16 } };

	return answer(ctx, &a);
}

static int replay_guest_perm(void *ctx, int code, uint64_t arg, uint64_t *ret)
{
	struct ask a = { .op = WRAP_PERM, .fd = -1, .arg = { (unsigned)code, arg },
			 .room = { ret, 0, sizeof(*ret) } };

	return answer(ctx, &a);
}

static int replay_read_host_file(void *ctx, const char *path, char *buf, size_t size)
{
	struct ask a = { .op = WRAP_FILE, .fd = -1, .arg = { size }, .path = path,
			 .room = { buf, 0, size } };

	return answer(ctx, &a);
}

static int replay_pin(void *ctx, int cpu)
{
	struct ask a = { .op = WRAP_PIN, .fd = -1, .arg = { (uint64_t)(int64_t)cpu } };

	return answer(ctx, &a);
}

static const struct gcpu_kvm_ops replay_ops = {
	.size = sizeof(struct gcpu_kvm_ops),
	.open = replay_open,
	.close = replay_close,
	.ioctl = replay_ioctl,
	.mmap = replay_mmap,
	.munmap = replay_munmap,
	.host_cpuid = replay_host_cpuid,
	.guest_perm = replay_guest_perm,
	.read_host_file = replay_read_host_file,
	.pin = replay_pin,
};

int replay_new(const char *text, size_t length, bool strict, struct replay **ret,
	       struct gcpu_error *err)
{
	struct replay *r;
	int status;

	if (!text || !ret)
		return error_set(err, GCPU_ERR_ARGUMENT, "no text or result");
	r = calloc(1, sizeof(*r));
	if (!r || pthread_mutex_init(&r->lock, NULL)) {
		free(r);
		return error_memory(err);
	}
	status = trace_parse(text, length, &r->trace, err);
	if (status) {
		replay_free(r);
		return status;
	}
	r->strict = strict;
	r->kvm.ops = &replay_ops;
	r->kvm.ctx = r;
	*ret = r;
	return 0;
}

const struct gcpu_kvm *replay_kvm(const struct replay *r)
{
	return &r->kvm;
}

enum gcpu_arch replay_arch(const struct replay *r)
{
	return r->trace.arch;
}

const struct gcpu_error *replay_error(const struct replay *r)
{
	return &r->error;
}

size_t replay_left(const struct replay *r)
{
	return r->trace.entries.n - r->at;
}

unsigned replay_open_fds(const struct replay *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->fds.n; i++)
		n += LIST_AT(&r->fds, struct wrap_fd, i)->fd >= 0;
	return n;
}

static void forget(struct replay *r)
{
	for (size_t i = 0; i < r->maps.n; i++)
		free(LIST_AT(&r->maps, struct map, i)->at);
	list_free(&r->maps);
	list_free(&r->fds);
}

void replay_rewind(struct replay *r)
{
	forget(r);
	r->at = 0;
	memset(&r->error, 0, sizeof(r->error));
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	forget(r);
	trace_free(&r->trace);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
