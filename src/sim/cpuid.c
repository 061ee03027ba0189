/* SPDX-License-Identifier: MIT */
#include "cpuid.h"

#include "model/sw.h"

#include <stdint.h>
#include <string.h>

#ifdef __x86_64__

/* Prefixes that change nothing of it: sizes, segments, repeats; REX comes last. */
static bool is_prefix(unsigned char byte)
{
	static const unsigned char legacy[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3 };

	return memchr(legacy, byte, sizeof(legacy)) || (byte & 0xf0) == 0x40;
}

/* The longest that the CPU takes, with everything. */
#define LENGTH_MOST 15

unsigned cpuid_length(const unsigned char *code, size_t most)
{
	unsigned n = 0;

	while (n < most && n < LENGTH_MOST && is_prefix(code[n]))
		n++;
	return n + 2 <= most && n + 2 <= LENGTH_MOST && code[n] == 0x0f && code[n + 1] == 0xa2 ? n + 2 : 0;
}

bool cpuid_emulate(const struct gcpu_kvm *kvm, ucontext_t *context)
{
	greg_t *r = context->uc_mcontext.gregs;
	uint32_t out[4] = { 0, 0, 0, 0 };
	unsigned n;

	/* unless it was a jump to nowhere, it was fetched, byte for byte, up to what faulted: so far it can be read */
	if (sw_bad_pointer((uintptr_t)r[REG_RIP], 1))
		return false;
	n = cpuid_length((const unsigned char *)r[REG_RIP], LENGTH_MOST);
	if (!n)
		return false;
	/* what the host's table does not have reads as zeros */
	if (kvm->ops->host_cpuid(kvm->ctx, (uint32_t)r[REG_RAX], (uint32_t)r[REG_RCX], out))
		memset(out, 0, sizeof(out));
	r[REG_RAX] = out[0];
	r[REG_RBX] = out[1];
	r[REG_RCX] = out[2];
	r[REG_RDX] = out[3];
	r[REG_RIP] += n;
	return true;
}

#endif
