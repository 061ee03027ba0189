/* SPDX-License-Identifier: MIT */
/* Two small hosts that no machine was measured for, with something in every list. */
#ifndef TESTS_UNIT_HOSTS_H
#define TESTS_UNIT_HOSTS_H

#include "core/snapshot.h"

/* Sealed; the caller frees it. Ends the program if memory is exhausted. */
struct gcpu_snapshot *host_x86(void);
struct gcpu_snapshot *host_arm64(void);

#endif
