/* SPDX-License-Identifier: MIT */
/* CPUID of a bare CPU as text: what `cpuid -r` prints, and dumps of InstLatx64. */
#ifndef GCPU_FORMATS_CPUID_TEXT_H
#define GCPU_FORMATS_CPUID_TEXT_H

#include "core/snapshot.h"

/* Fill the native table of *s with the first CPU of TEXT, and where it has several the capability
 * that says how many CPUs a host has. */
int cpuid_text_read(const char *text, size_t length, struct gcpu_snapshot *s, struct gcpu_error *err);
/* TEXT looked like a snapshot and is none, for STATUS and *err: whose it is, if it is somebody's, and what is taken. */
int cpuid_text_not_snapshot(const char *text, size_t length, int status, struct gcpu_error *err);

/* What the highest leaf of a class may be, beyond its first: ten times what any CPU has. */
enum { CPUID_CLASS_MOST = 0xff };
/* Can a CPU answer what is in the native table? Of the highest leaves, before those above them are dropped; of the rest. */
int cpuid_check_highest(const struct gcpu_snapshot *s, struct gcpu_error *err);
int cpuid_check(const struct gcpu_snapshot *s, struct gcpu_error *err);

#endif
