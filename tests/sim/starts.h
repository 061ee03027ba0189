/* SPDX-License-Identifier: MIT */
/* How a program starts others. */
#ifndef GCPU_TESTS_SIM_STARTS_H
#define GCPU_TESTS_SIM_STARTS_H

/* PATH with the words "exit" and "0", by every function that libc has for it, with an empty environment. */
void starts(const char *path);
/* PATH is refused by each. */
void not_started(const char *path);

#endif
