/* SPDX-License-Identifier: MIT */
/* Registers and tables that an x86 guest starts with. */
#ifndef GCPU_RUN_BOOT_X86_H
#define GCPU_RUN_BOOT_X86_H

#include "guest_priv.h"

#define PAGE 0x1000ULL
#define PML4 (GUEST_TABLES + 0 * PAGE)
#define PDPT (GUEST_TABLES + 1 * PAGE)
#define PD (GUEST_TABLES + 2 * PAGE)
#define GDT (GUEST_TABLES + 7 * PAGE)
#define IDT (GUEST_TABLES + 8 * PAGE)

/* In long mode at ENTRY, which is told its area. */
int run_x86_boot(struct run_vcpu *v, uint64_t entry, struct gcpu_error *err);
/* In protected mode without paging. */
int run_x86_boot32(struct run_vcpu *v, const struct gk_x86_regs *regs, struct gcpu_error *err);

#endif
