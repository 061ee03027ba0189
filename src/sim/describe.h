/* SPDX-License-Identifier: MIT */
/* One event as a call with named arguments, in the words of a plan's recipe. */
#ifndef GCPU_SIM_DESCRIBE_H
#define GCPU_SIM_DESCRIBE_H

#include "report.h"

void sim_call_of(const struct sim_event *e, int vcpu, struct sim_call *ret);
/* The same call on the same descriptor, with the same arguments and the same end? */
bool sim_call_same(const struct sim_call *a, const struct sim_call *b);
/* Is NOW the same once more? Of calls that only ask, whatever they ask for. */
bool sim_call_again(const struct sim_call *last, const struct sim_call *now);

#endif
