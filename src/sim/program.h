/* SPDX-License-Identifier: MIT */
/* A program to be started: which file it is, and whether a library can be preloaded into it. */
#ifndef GCPU_SIM_PROGRAM_H
#define GCPU_SIM_PROGRAM_H

#include "core/util.h"

#include <limits.h>

/* As a shell would find NAME. GCPU_ERR_KVM if there is none. */
int program_find(const char *name, char ret[PATH_MAX], struct gcpu_error *err);
/* GCPU_ERR_KVM with the reason if the loader would not preload anything, or there is no loader.
 * NAME is for the text. Of a script, its interpreter is looked at. */
int program_check(const char *path, const char *name, struct gcpu_error *err);

#endif
