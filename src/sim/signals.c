/* SPDX-License-Identifier: MIT */
/*
 * The program's own CPUID instructions. Where the CPU can make them fault (arch_prctl), they do,
 * and the handler answers with what the model's host would; the setting is a thread's, and new
 * threads and processes inherit it. Where it cannot, they tell of this machine: that is said.
 *
 * The handler of SIGSEGV is ours then. One that the program sets is kept and gets all the rest.
 */
#include "preload.h"

#include "cpuid.h"
#include "kvm/abi_x86.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

NEXT_SLOT(sigaction);
NEXT_SLOT(signal);
NEXT_SLOT(sigprocmask);
NEXT_SLOT(pthread_sigmask);

static bool active;
/* What the program believes to be in force. */
static struct sigaction own;

#ifdef __x86_64__

/* The fault is the program's own. */
static void pass_on(int number, siginfo_t *info, void *context)
{
	struct sigaction now = own;

	if (now.sa_flags & SA_RESETHAND)
		own.sa_handler = SIG_DFL;
	if (now.sa_flags & SA_SIGINFO) {
		now.sa_sigaction(number, info, context);
		return;
	}
	if (now.sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
		now.sa_handler(number);
		return;
	}
	/* back to what made it, or once more: it is fatal */
	NEXT(signal)(SIGSEGV, SIG_DFL);
	if (info->si_code <= 0)
		raise(SIGSEGV);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	int error = errno;

	/* a page fault is no CPUID, and what is there need not be readable */
	if (info->si_code == SI_KERNEL && cpuid_emulate(preload.kvm, context)) {
		if (preload.log)
			atomic_fetch_add(&preload.log->n_cpuid, 1);
		errno = error;
		return;
	}
	errno = error;
	pass_on(number, info, context);
}

/* Ours, as the program's would run: on its stack, with its signals blocked. */
static int install(void)
{
	struct sigaction ours = own;

	ours.sa_sigaction = on_fault;
	ours.sa_flags = (own.sa_flags & ~SA_RESETHAND) | SA_SIGINFO | SA_ONSTACK;
	return NEXT(sigaction)(SIGSEGV, &ours, NULL);
}

void cpuid_start(struct sim_log *log)
{
	int can;

	if (NEXT(sigaction)(SIGSEGV, NULL, &own) || install())
		can = -1;
	else
		can = (int)syscall(SYS_arch_prctl, GK_ARCH_SET_CPUID, 0);
	if (can) {
		NEXT(sigaction)(SIGSEGV, &own, NULL);
		atomic_store(&log->own_cpuid, SIM_CPUID_LEAKED);
		return;
	}
	active = true;
	atomic_store(&log->own_cpuid, SIM_CPUID_ANSWERED);
}

#else

static int install(void)
{
	return 0;
}

/* No such instruction. */
void cpuid_start(struct sim_log *log)
{
	(void)log;
}

#endif

TAKEN int sigaction(int number, const struct sigaction *restrict set, struct sigaction *restrict was)
{
	struct sigaction before = own;

	if (!active || number != SIGSEGV)
		return NEXT(sigaction)(number, set, was);
	if (set) {
		own = *set;
		if (install()) {
			own = before;
			return -1;
		}
	}
	if (was)
		*was = before;
	return 0;
}

TAKEN sighandler_t signal(int number, sighandler_t handler)
{
	struct sigaction set = { .sa_flags = SA_RESTART }, was;

	if (!active || number != SIGSEGV)
		return NEXT(signal)(number, handler);
	set.sa_handler = handler;
	return sigaction(number, &set, &was) ? SIG_ERR : was.sa_handler;
}

/* A fault whose signal is blocked kills. */
static const sigset_t *without_ours(int how, const sigset_t *set, sigset_t *room)
{
	if (!active || !set || how == SIG_UNBLOCK)
		return set;
	*room = *set;
	sigdelset(room, SIGSEGV);
	return room;
}

TAKEN int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict was)
{
	sigset_t room;

	return NEXT(sigprocmask)(how, without_ours(how, set, &room), was);
}

TAKEN int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict was)
{
	sigset_t room;

	return NEXT(pthread_sigmask)(how, without_ours(how, set, &room), was);
}
