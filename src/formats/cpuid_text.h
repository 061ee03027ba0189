/* SPDX-License-Identifier: MIT */
/* CPUID of a bare CPU as text: what `cpuid -r` prints, and dumps of InstLatx64. */
#ifndef GCPU_FORMATS_CPUID_TEXT_H
#define GCPU_FORMATS_CPUID_TEXT_H

#include "core/snapshot.h"

/* Fill the native table of *s with the first CPU of TEXT, and where it has several the capability
 * that says how many CPUs a host has. */
int cpuid_text_read(const char *text, size_t length, struct gcpu_snapshot *s, struct gcpu_error *err);

#endif
