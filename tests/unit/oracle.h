/* SPDX-License-Identifier: MIT */
/* Our reader of JSON against jansson, which somebody else wrote: the same documents are
 * refused, and the same values are in the others. */
#ifndef GCPU_TESTS_ORACLE_H
#define GCPU_TESTS_ORACLE_H

#include <stddef.h>

/* NULL if both agree on these bytes, else what they say. *ret_accepted may be NULL. */
const char *oracle_differs(const char *text, size_t n, int *ret_accepted);

#endif
