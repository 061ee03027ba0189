/* SPDX-License-Identifier: MIT */
/*
 * CPUID instructions that faulted: which bytes are one, and what becomes of the registers. The
 * encodings are the manual's: prefixes in any order, REX right before the opcode, 15 bytes at most.
 */
#include "unit.h"

#ifdef __x86_64__
#include "../../src/sim/cpuid.h"

#include <errno.h>
#include <string.h>

static int answer(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	(void)ctx;
	ret[0] = leaf;
	ret[1] = subleaf;
	ret[2] = 0xfedcba98;
	ret[3] = 0x80000000;
	return leaf == 0xbad ? -ENOENT : 0;
}

static const struct gcpu_kvm_ops ops = { .size = sizeof(ops), .host_cpuid = answer };
static const struct gcpu_kvm kvm = { .ops = &ops };

static const struct {
	const char *code;
	size_t n;
	unsigned length;
} codes[] = {
	{ "\x0f\xa2", 2, 2 },
	{ "\x0f\xa2\x0f\xa2", 4, 2 },
	{ "\x66\x0f\xa2", 3, 3 },
	{ "\x48\x0f\xa2", 3, 3 },
	{ "\x2e\xf3\x4f\x0f\xa2", 5, 5 },
	{ "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\xa2", 15, 15 },
	{ "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\xa2", 16, 0 },
	{ "\x0f\xa2", 1, 0 },
	{ "\x66\x0f\xa2", 2, 0 },
	{ "\x0f\xa3", 2, 0 },
	{ "\x0f\x0b", 2, 0 },
	{ "\xf4", 1, 0 },
	{ "\xf0\x0f\xa2", 3, 0 }, /* LOCK: no CPUID, an invalid opcode */
	{ "\xa2\x0f", 2, 0 },
	{ "", 0, 0 },
};

static void test_length(void)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		CHECK(cpuid_length((const unsigned char *)codes[i].code, codes[i].n) == codes[i].length, "code %zu", i);
}

static void same(greg_t found, greg_t expected)
{
	CHECK(found == expected, "0x%llx, not 0x%llx", found, expected);
}

static void test_emulate(void)
{
	static const unsigned char code[16] = { 0x48, 0x0f, 0xa2, 0xc3 };
	ucontext_t c, was;
	greg_t *r = c.uc_mcontext.gregs;

	memset(&c, 0x5a, sizeof(c));
	r[REG_RIP] = (greg_t)(uintptr_t)code;
	/* of leaf and sub-leaf the lower halves count */
	r[REG_RAX] = (greg_t)0xffffffff00000007ULL;
	r[REG_RCX] = (greg_t)0x1234567800000001ULL;
	was = c;
	CHECK(cpuid_emulate(&kvm, &c), "not taken");
	same(r[REG_RIP], was.uc_mcontext.gregs[REG_RIP] + 3);
	/* and the upper ones are zero afterwards */
	same(r[REG_RAX], 7);
	same(r[REG_RBX], 1);
	same(r[REG_RCX], 0xfedcba98);
	same(r[REG_RDX], 0x80000000);
	for (int i = 0; i < NGREG; i++)
		if (i != REG_RIP && i != REG_RAX && i != REG_RBX && i != REG_RCX && i != REG_RDX)
			same(r[i], was.uc_mcontext.gregs[i]);
	/* what is no CPUID stays as it is */
	was = c;
	CHECK(!cpuid_emulate(&kvm, &c), "taken");
	CHECK(memcmp(&was, &c, sizeof(c)) == 0, "changed");
	/* a jump to where nothing is, which faults in the same way */
	r[REG_RIP] = (greg_t)0x1234567812345678;
	CHECK(!cpuid_emulate(&kvm, &c), "taken");
	r[REG_RIP] = 0;
	CHECK(!cpuid_emulate(&kvm, &c), "taken");
	/* a leaf without an answer */
	r[REG_RIP] = (greg_t)(uintptr_t)code;
	r[REG_RAX] = 0xbad;
	CHECK(cpuid_emulate(&kvm, &c), "not taken");
	CHECK(!r[REG_RAX] && !r[REG_RBX] && !r[REG_RCX] && !r[REG_RDX], "not zeros");
}

int main(void)
{
	test_length();
	test_emulate();
	return unit_end();
}
#else
int main(void)
{
	printf("SKIP: unit: sim_cpuid: no such instruction here\n");
	return 77;
}
#endif
