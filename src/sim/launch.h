/* SPDX-License-Identifier: MIT */
/* Starting a program with the library preloaded, and waiting for its end. For the command. */
#ifndef GCPU_SIM_LAUNCH_H
#define GCPU_SIM_LAUNCH_H

#include "log.h"

struct sim_launch {
	char *const *argv;	/* NULL at its end */
	const char *library;	/* NULL: found beside the command, or where it is installed */
	enum sim_mode mode;
	const char *snapshot;	/* SIM_MODEL: the document */
	size_t n_snapshot;
	const char *kernel;	/* series or NULL */
	bool stdout_is_ours;	/* the program's goes to standard error */
};

struct sim_ended {
	struct sim_log *log; /* what was recorded: a copy, of which nobody else has any */
	int exit_code;	     /* or -1: it was killed */
	int signal;
};

/* Run it to its end. GCPU_ERR_KVM with a sentence where it cannot be started, or the library not be
 * preloaded into it. */
int sim_launch(const struct sim_launch *l, struct sim_ended *ret, struct gcpu_error *err);
void sim_ended_free(struct sim_ended *e);

#endif
