/* SPDX-License-Identifier: MIT */
/*
 * A walk over what a vCPU of x86 has: every MSR, every bit of its control
 * registers, what it reads as at first. The same steps on any KVM, a line of
 * text for each that says something, so that two walks can be compared.
 */
#ifndef TESTS_WALK_WALK_H
#define TESTS_WALK_WALK_H

#include "core/plan.h"
#include "kvm/abi_more.h"
#include "kvm/call.h"

#include <guestcpu/guestcpu.h>
#include <guestcpu/model.h>
#include <stdbool.h>
#include <stdint.h>

/* Tables that a vCPU may be given before the walk. */
enum walk_table { TABLE_NONE, TABLE_EMPTY, TABLE_SUPPORTED, TABLE_INTEL, TABLE_BARE, TABLE_ALL, TABLES };

struct walk {
	const struct gcpu_kvm *kvm;
	int fd;
	const char *at; /* what the lines are about */
	char *text;
	size_t n, room;
	struct gk_cpuid2 *supported;
};

struct walk_vm {
	struct walk *w;
	int vm, vcpu;
	bool apic;
};

void walk_say(struct walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
int walk_ask(struct walk *w, int fd, unsigned long request, const void *arg);
int walk_enable(struct walk *w, int fd, unsigned cap, uint64_t value);
/* A new VM with one vCPU that has been given TABLE. false: it cannot be had, and a line says so. */
bool walk_open(struct walk *w, bool apic, enum walk_table table, uint64_t quirks_off, struct walk_vm *ret);
void walk_close(struct walk_vm *v);
void walk_table(struct walk_vm *v, enum walk_table table);
int walk_get_msr(struct walk_vm *v, uint32_t index, uint64_t *ret);
int walk_set_msr(struct walk_vm *v, uint32_t index, uint64_t value);

/* msrs.c, regs.c */
void walk_msrs(struct walk *w);
void walk_regs(struct walk *w);
void walk_sizes(struct walk *w);

#endif
