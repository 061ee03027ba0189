/* SPDX-License-Identifier: MIT */
/*
 * The memory that a program's processes record in, as the command has it. Whoever has the descriptor may write
 * there, also what is no record: nothing of it is believed before it was copied and looked at.
 */
#ifndef GCPU_SIM_SHARED_H
#define GCPU_SIM_SHARED_H

#include "launch.h"

struct shared {
	int fd;		      /* of it; it can neither grow nor shrink */
	struct sim_log *log;  /* shared */
	struct sim_log first; /* as the program found it */
	const char *snapshot; /* the launch's */
};

int shared_new(const struct sim_launch *l, struct shared *ret, struct gcpu_error *err);
void shared_free(struct shared *r);
/* What was recorded so far, in memory of its own, to be freed with sim_ended_free. GCPU_ERR_KVM if what the command
 * itself wrote there is no longer there, or what no process of ours writes is: NAME is the program's. */
int shared_take(const struct shared *r, const char *name, struct sim_log **ret, struct gcpu_error *err);

#endif
