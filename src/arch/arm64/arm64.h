/* SPDX-License-Identifier: MIT */
/* Between the files of this directory. */
#ifndef GCPU_ARCH_ARM64_H
#define GCPU_ARCH_ARM64_H

#include "core/plan.h"

/* recipe.c */
int arm64_recipe(struct gcpu_plan *p);

#endif
