/* SPDX-License-Identifier: MIT */
/* The software KVM in the program's process, up to its first KVM_RUN. */
#include "preload.h"

#include "model/sw.h"
#include "quiet.h"

#include <guestcpu/model.h>

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Milliseconds without a call, after which nobody has anything more to set up. */
#define QUIET_ALL 30 /* where all vCPUs were asked to run */
#define QUIET 250    /* where some were not: a VMM that has one thread, or starts them by and by */
#define STEP 10
/* As long as no other vCPU comes to run, nobody is waited for any longer, whatever it asks. */
#define MOST 5000

__attribute__((noreturn)) static void give_up(struct sim_log *log, const char *why)
{
	if (!atomic_exchange(&log->failed, 1))
		snprintf(log->why, sizeof(log->why), "%s", why);
	_exit(127);
}

/* Another thread may be in the middle of a call, which the child's copy would never end. */

static struct gcpu_model *model;
static _Thread_local sigset_t at_fork;

static void before_fork(void)
{
	quiet_begin(&at_fork);
	pthread_mutex_lock(&model->lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&model->lock);
	quiet_end(&at_fork);
}

/* The model's operations, each as one that no signal handler gets into. */

#define UNBROKEN(name, parameters, ...)                                 \
	static int quiet_##name parameters                              \
	{                                                               \
		sigset_t was;                                           \
		int r;                                                  \
		quiet_begin(&was);                                      \
		r = gcpu_model_kvm(ctx)->ops->name(__VA_ARGS__);        \
		quiet_end(&was);                                        \
		return r;                                               \
	}

UNBROKEN(open, (void *ctx, const char *path, int flags), ctx, path, flags)
UNBROKEN(close, (void *ctx, int fd), ctx, fd)
UNBROKEN(ioctl, (void *ctx, int fd, unsigned long request, uintptr_t arg), ctx, fd, request, arg)
UNBROKEN(mmap, (void *ctx, size_t length, int fd, void **ret), ctx, length, fd, ret)
UNBROKEN(guest_perm, (void *ctx, int code, uint64_t arg, uint64_t *ret), ctx, code, arg, ret)

static int host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	return gcpu_model_kvm(ctx)->ops->host_cpuid(ctx, leaf, subleaf, ret);
}

static const struct gcpu_kvm_ops quiet_ops = {
	.size = sizeof(quiet_ops),
	.open = quiet_open,
	.close = quiet_close,
	.ioctl = quiet_ioctl,
	.mmap = quiet_mmap,
	.guest_perm = quiet_guest_perm,
	.host_cpuid = host_cpuid,
};

void model_start(struct sim_log *log)
{
	struct gcpu_model_options o = { .size = sizeof(o), .kernel = log->kernel[0] ? log->kernel : NULL };
	struct gcpu_snapshot *snap;
	static struct gcpu_kvm kvm = { .ops = &quiet_ops };
	struct gcpu_error err;

	if (gcpu_snapshot_parse((const char *)log + log->snapshot_at, log->n_snapshot, &snap, &err) ||
	    gcpu_model_new(snap, &o, &model, &err))
		give_up(log, err.text);
	/* both stay as long as the process */
	kvm.ctx = model;
	preload.kvm = &kvm;
	pthread_atfork(before_fork, after_fork, after_fork);
	cpuid_start(log);
}

struct seen {
	unsigned waiting, running; /* vCPUs */
};

static void count(struct object *o, void *arg)
{
	struct seen *seen = arg;

	if (o->role != ROLE_VCPU)
		return;
	seen->waiting += !atomic_load(&o->ran);
	seen->running += atomic_load(&o->ran);
}

/* What the program has written and not sent: as far as nobody is just at it. */
static void send(FILE *f)
{
	if (ftrylockfile(f))
		return;
	fflush_unlocked(f);
	funlockfile(f);
}

int model_run(struct object *o)
{
	const struct timespec step = { .tv_nsec = STEP * 1000000L };
	unsigned calls = atomic_load(&kvm_calls), quiet = 0, waited = 0, running = 0;

	(void)o;
	for (;;) {
		struct seen seen = { 0, 0 };
		unsigned now;

		nanosleep(&step, NULL);
		now = atomic_load(&kvm_calls);
		quiet = now == calls ? quiet + STEP : 0;
		calls = now;
		fds_each(count, &seen);
		waited = seen.running > running ? 0 : waited + STEP;
		running = seen.running > running ? seen.running : running;
		if (quiet >= (seen.waiting ? QUIET : QUIET_ALL) || waited >= MOST)
			break;
	}
	atomic_store(&preload.log->stopped, waited >= MOST ? SIM_STOPPED_BUSY : SIM_STOPPED);
	send(stdout);
	send(stderr);
	_exit(0);
}
