/* SPDX-License-Identifier: MIT */
/*
 * A KVM that puts something else in force than the table that it was given:
 * known by its trial alone. Bits that read back as ones from a table of zeros
 * are forced on, bits that read back as zeros from a table of ones are off,
 * entries that a bare table came back with are made.
 */
#include "x86.h"

void x86_override(struct x86_vcpu *x)
{
	(void)x;
}
