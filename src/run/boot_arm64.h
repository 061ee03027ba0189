/* SPDX-License-Identifier: MIT */
/* Registers that an arm64 guest starts with. */
#ifndef GCPU_RUN_BOOT_ARM64_H
#define GCPU_RUN_BOOT_ARM64_H

#include "guest_priv.h"

/* At ENTRY at EL1 with the MMU on, by the table at GUEST_TABLES; the entry is told its area. */
int run_arm64_boot(struct run_vcpu *v, uint64_t entry, uint64_t vectors, struct gcpu_error *err);

#endif
