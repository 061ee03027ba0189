/* SPDX-License-Identifier: MIT */
/*
 * The kernel's calls may come from a signal handler, in the middle of others. Ours have locks: while one
 * is held, no handler runs in this thread. What the CPU sends at once is not held back.
 */
#ifndef GCPU_SIM_QUIET_H
#define GCPU_SIM_QUIET_H

#include <pthread.h>
#include <signal.h>

static inline void quiet_begin(sigset_t *was)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	sigset_t all;

	sigfillset(&all);
	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_BLOCK, &all, was);
}

static inline void quiet_end(const sigset_t *was)
{
	pthread_sigmask(SIG_SETMASK, was, NULL);
}

#endif
