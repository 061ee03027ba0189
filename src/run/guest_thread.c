/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's thread and its time limit.
 *
 * KVM_RUN ends early if run->immediate_exit is set and a signal arrives; the
 * one closes the gap before KVM looks, the other reaches a vCPU that already
 * runs. The signal's handler does nothing and is there only while somebody
 * runs; afterwards the signal would kill the process again. So nothing may be
 * left behind: the thread takes the signal only during a job, and before it
 * reports back it blocks it and picks up what is still on its way.
 */
#define _GNU_SOURCE 1
#include "guest_priv.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Not a real-time one: those are refused where the quota of pending signals is used up. */
#define KICK_SIGNAL SIGURG
#define KICK_AGAIN_NS 10000000L
#define STACK_SIZE (256 * 1024)

static pthread_mutex_t handler_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned handler_users;
static struct sigaction handler_before;

static void do_nothing(int sig)
{
	(void)sig;
}

static int handler_get(void)
{
	struct sigaction sa;
	int r = 0;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = do_nothing;
	sigemptyset(&sa.sa_mask);
	pthread_mutex_lock(&handler_lock);
	if (!handler_users && sigaction(KICK_SIGNAL, &sa, &handler_before) < 0)
		r = errno;
	else
		handler_users++;
	pthread_mutex_unlock(&handler_lock);
	return r;
}

static void handler_put(void)
{
	pthread_mutex_lock(&handler_lock);
	if (!--handler_users)
		sigaction(KICK_SIGNAL, &handler_before, NULL);
	pthread_mutex_unlock(&handler_lock);
}

static enum run_exit sort_exit(struct run_vcpu *v)
{
	struct run_guest *g = v->guest;
	struct gk_run *run = v->run;
	enum run_exit r = run_arch_exit(v);

	if (r == RUN_EXIT_DONE || r == RUN_EXIT_DEAD)
		return r;
	if (g->exit_fn && g->exit_fn(g->exit_ctx, v->index, run))
		return RUN_EXIT_AGAIN;
	switch (run->exit_reason) {
	case GK_EXIT_INTR:
	case GK_EXIT_IRQ_WINDOW_OPEN:
		return RUN_EXIT_AGAIN;
	case GK_EXIT_MMIO:
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		return RUN_EXIT_AGAIN;
	case GK_EXIT_HYPERCALL:
		run->hypercall.ret = (uint64_t)-1000; /* no such call */
		return RUN_EXIT_AGAIN;
	default:
		return r;
	}
}

static void run_job(struct run_vcpu *v)
{
	const struct run_guest *g = v->guest;
	int r;

	v->os_error = 0;
	v->result = RUN_EXIT_AGAIN;
	while (v->result == RUN_EXIT_AGAIN && !v->os_error) {
		r = g->kvm.ops->ioctl(g->kvm.ctx, v->fd, GK_RUN, 0);
		if (r >= 0)
			v->result = sort_exit(v);
		else if (r != -EINTR && r != -EAGAIN)
			v->os_error = -r;
		/* Looked at after a complete exit, so that none is left pending. */
		if (r < 0 && __atomic_load_n(&v->stop, __ATOMIC_ACQUIRE))
			break;
	}
}

static void *vcpu_thread(void *arg)
{
	const struct timespec now = {0, 0};
	struct run_vcpu *v = arg;
	sigset_t kick;

	__atomic_store_n(&v->tid, (int)gettid(), __ATOMIC_RELEASE);
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_mutex_lock(&v->lock);
	for (;;) {
		while (v->state != RUN_GO && v->state != RUN_QUIT)
			pthread_cond_wait(&v->wake, &v->lock);
		if (v->state == RUN_QUIT)
			break;
		pthread_mutex_unlock(&v->lock);

		pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
		run_job(v);

		/* From CLOSING on nobody sends any more. */
		pthread_mutex_lock(&v->lock);
		v->state = RUN_CLOSING;
		pthread_mutex_unlock(&v->lock);
		pthread_sigmask(SIG_BLOCK, &kick, NULL);
		while (sigtimedwait(&kick, NULL, &now) > 0)
			;

		pthread_mutex_lock(&v->lock);
		v->state = RUN_IDLE;
		pthread_cond_signal(&v->done);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

/* The program's handlers have no business on this thread. */
static int start_thread(struct run_vcpu *v)
{
	static const int keep[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
	sigset_t all, before;
	pthread_attr_t attr;
	size_t i;
	int r;

	sigfillset(&all);
	for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		sigdelset(&all, keep[i]);
	r = pthread_attr_init(&attr);
	if (r)
		return r;
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!r)
		r = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!r) {
		r = pthread_create(&v->thread, &attr, vcpu_thread, v);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attr);
	v->started = !r;
	return r;
}

int run_thread_init(struct run_vcpu *v)
{
	pthread_condattr_t attr;
	int r;

	r = pthread_condattr_init(&attr);
	if (r)
		return r;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_mutex_init(&v->lock, NULL);
	if (!r) {
		r = pthread_cond_init(&v->wake, &attr);
		if (!r) {
			r = pthread_cond_init(&v->done, &attr);
			if (r)
				pthread_cond_destroy(&v->wake);
		}
		if (r)
			pthread_mutex_destroy(&v->lock);
	}
	pthread_condattr_destroy(&attr);
	return r;
}

void run_thread_free(struct run_vcpu *v)
{
	const struct timespec now = {0, 0};

	if (v->out)
		run_thread_wait(v, &now);
	if (v->started) {
		pthread_mutex_lock(&v->lock);
		v->state = RUN_QUIT;
		pthread_cond_signal(&v->wake);
		pthread_mutex_unlock(&v->lock);
		pthread_join(v->thread, NULL);
	}
	pthread_cond_destroy(&v->done);
	pthread_cond_destroy(&v->wake);
	pthread_mutex_destroy(&v->lock);
}

/* Best effort: where a mask forbids it the thread stays where it may be. */
static void pin_thread(const struct run_vcpu *v)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(v->pin, &set);
	pthread_setaffinity_np(v->thread, sizeof(set), &set);
}

/* Wait for the thread; 1 if it had to be stopped. Lock held. */
static int wait_done(struct run_vcpu *v, const struct timespec *deadline)
{
	struct timespec until = *deadline;
	int late = 0;

	while (v->state != RUN_IDLE) {
		if (pthread_cond_timedwait(&v->done, &v->lock, &until) != ETIMEDOUT)
			continue;
		late = 1;
		__atomic_store_n(&v->stop, 1, __ATOMIC_RELEASE);
		__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_RELEASE);
		if (v->state == RUN_GO)
			pthread_kill(v->thread, KICK_SIGNAL);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += KICK_AGAIN_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
	}
	v->run->immediate_exit = 0;
	__atomic_store_n(&v->stop, 0, __ATOMIC_RELEASE);
	return late;
}

int run_thread_go(struct run_vcpu *v, struct gcpu_error *err)
{
	int r;

	r = v->started ? 0 : start_thread(v);
	if (r)
		return run_fail(err, GCPU_ERR_MEMORY, r, "vCPU %u: no thread: %s", v->index, strerror(r));
	if (v->pin >= 0)
		pin_thread(v);
	r = handler_get();
	if (r)
		return run_fail(err, GCPU_ERR_INTERNAL, r, "no signal handler: %s", strerror(r));
	pthread_mutex_lock(&v->lock);
	v->state = RUN_GO;
	v->out = 1;
	pthread_cond_signal(&v->wake);
	pthread_mutex_unlock(&v->lock);
	return 0;
}

int run_thread_wait(struct run_vcpu *v, const struct timespec *deadline)
{
	int late;

	pthread_mutex_lock(&v->lock);
	late = wait_done(v, deadline);
	v->out = 0;
	pthread_mutex_unlock(&v->lock);
	handler_put();
	/* It may have finished while we were about to stop it. */
	if (late && v->result == RUN_EXIT_AGAIN && !v->os_error)
		return GCPU_ERR_TIMEOUT;
	return 0;
}
