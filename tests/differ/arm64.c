/* SPDX-License-Identifier: MIT */
#include "differ.h"

const struct domain domain_arm64 = { .arch = GCPU_ARCH_ARM64 };
