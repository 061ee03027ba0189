/* SPDX-License-Identifier: MIT */
/* CPUID as text: both forms, what ends a CPU, and errors that say where. */
#include "unit.h"

#include "core/snapshot.h"
#include "facts_gen.h"
#include "formats/cpuid_text.h"

#define LEAF0 "   0x00000000 0x00: eax=0x00000007 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65\n"
#define INSTLAT0 "CPUID 00000000: 00000007-68747541-444D4163-69746E65 [AuthenticAMD]\n"

static struct gcpu_snapshot *reads(const char *text)
{
	struct gcpu_snapshot *s = snapshot_new(GCPU_ARCH_X86);
	struct gcpu_error err;

	if (cpuid_text_read(text, strlen(text), s, &err)) {
		CHECK(false, "%s: %s", text, err.text);
		gcpu_snapshot_free(s);
		return snapshot_new(GCPU_ARCH_X86);
	}
	return s;
}

static void has(const struct gcpu_snapshot *s, uint32_t leaf, uint32_t subleaf, unsigned reg, uint32_t value)
{
	const struct snap_cpuid *e = snapshot_cpuid(s, SNAP_NATIVE, leaf, subleaf);

	CHECK(e && e->subleaf == subleaf && e->regs[reg] == value, "0x%x 0x%x: 0x%x, expected 0x%x", leaf, subleaf,
	      e ? e->regs[reg] : 0, value);
}

static void refuses(const char *text, const char *said)
{
	struct gcpu_snapshot *s = snapshot_new(GCPU_ARCH_X86);
	struct gcpu_error err;
	int status = cpuid_text_read(text, strlen(text), s, &err);

	CHECK(status == GCPU_ERR_DOCUMENT && strstr(err.text, said), "'%s': %d, '%s', expected '%s'", text, status,
	      status ? err.text : "", said);
	CHECK(!status || err.expected[0], "'%s': it does not say what was expected", text);
	gcpu_snapshot_free(s);
}

static void forms(void)
{
	struct gcpu_snapshot *s = reads("CPU 0:\n" LEAF0
		"   0x00000004 0x00: eax=0x04000121 ebx=0x02c0003f ecx=0x0000003f edx=0x00000000\n"
		"   0x00000004 0x01: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000\n"
		"CPU 1:\n   0x00000000 0x00: this CPU is not read\n");

	CHECK(s->cpuid[SNAP_NATIVE].n == 3, "%zu entries", s->cpuid[SNAP_NATIVE].n);
	has(s, 4, 0, 1, 0x02c0003f);
	has(s, 4, 0, 3, 0);
	CHECK(snapshot_cpuid(s, SNAP_NATIVE, 4, 0)->flags == 1, "a leaf with sub-leaves");
	gcpu_snapshot_free(s);

	s = reads("------[ Logical CPU #0 ]------\r\n\r\nallcpu: Package 0\r\n" INSTLAT0
		  "CPUID 00000007: 00000000-219C97A9-0040068C-00000010 [SL 00]\r\n"
		  "CPUID 0000000D: 00000207-00000340-00000988-00000000 [SL 00] [x87]\n"
		  "CPUID 0000000D: 00000008-00000980-00000000-00000000 [SL 09] [PKRU]\n"
		  "------[ Logical CPU #1 ]------\n" INSTLAT0);
	has(s, 7, 0, 1, 0x219c97a9);
	has(s, 0, 0, 0, 7);
	/* above the highest leaf: what is there is nobody's */
	CHECK(s->cpuid[SNAP_NATIVE].n == 2, "%zu entries", s->cpuid[SNAP_NATIVE].n);
	gcpu_snapshot_free(s);

	/* no sub-leaves, no colon: equal leaves are counted; a second leaf 0 is another CPU */
	s = reads("CPUID Registers (CPU #1):\n"
		  "CPUID 00000000  \t0000000D-756E6547-6C65746E-49656E69\n"
		  "CPUID 00000004  \t1C004121-01C0003F-0000003F-00000000\n"
		  "CPUID 00000004  \t1C004122-01C0003F-0000003F-00000000\n"
		  "CPUID 0000000D  \t00000007-00000240-00000340-00000000\n"
		  "CPUID 0000000D  \t00000100-00000240-00000000-00000000\n"
		  "CPUID 00000000  \t00000001-756E6547-6C65746E-49656E69\n");
	CHECK(s->cpuid[SNAP_NATIVE].n == 5, "%zu entries", s->cpuid[SNAP_NATIVE].n);
	has(s, 0, 0, 0, 0xd);
	has(s, 4, 1, 0, 0x1c004122);
	/* a component with an offset is no sub-leaf 1 */
	has(s, 0xd, 2, 0, 0x100);
	gcpu_snapshot_free(s);
}

/* How many CPUs a host has its KVM says, as a number of vCPUs. */
static void counted(const char *what, const char *text, int cpus, const char *assumed)
{
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err;
	const char *found = NULL;

	if (gcpu_snapshot_from_cpuid(text, strlen(text), "6.12", NULL, &s, &err)) {
		CHECK(false, "%s: %s", what, err.text);
		return;
	}
	for (size_t i = 0; i < s->assumed.n; i++)
		if (strcmp(LIST_AT(&s->assumed, struct snap_assumed, i)->what, "CPUs") == 0)
			found = LIST_AT(&s->assumed, struct snap_assumed, i)->value;
	CHECK(gcpu_snapshot_capability(s, CAP_NR_VCPUS) == cpus, "%s: %d", what,
	      gcpu_snapshot_capability(s, CAP_NR_VCPUS));
	CHECK(!found == !assumed && (!found || strcmp(found, assumed) == 0), "%s: assumed %s", what, found ? found : "nothing");
	gcpu_snapshot_free(s);
}

static void counts(void)
{
	counted("three of cpuid -r", "CPU 0:\n" LEAF0 "CPU 1:\n" LEAF0 "CPU 2:\n" LEAF0, 3, NULL);
	counted("two of InstLatx64", "------[ Logical CPU #0 ]------\n" INSTLAT0 "------[ Logical CPU #1 ]------\n" INSTLAT0, 2,
		NULL);
	/* what follows the first CPU is not read for its CPUID, and need not make sense */
	counted("noise behind", LEAF0 "CPU 1:\n" LEAF0 "   0x00000001 0x00: this\nCPU 2:\n" LEAF0, 3, NULL);
	counted("one", LEAF0, 2, "2");
}

/* The kernel does not do for every maker what it does for AMD: hygon.c, and the whitelist of common.c. */
static void makers(void)
{
	static const char hygon[] =
		"CPUID 00000000: 0000000D-6F677948-656E6975-6E65476E\n"
		"CPUID 00000001: 00900F02-00100800-7ED8320B-178BFBFF\n"
		"CPUID 80000000: 8000001F-6F677948-656E6975-6E65476E\n"
		"CPUID 80000001: 00900F02-00000000-35C233FF-2FD3FBFF\n"
		"CPUID 80000008: 00003030-00001007-0000400F-00000000\n"
		"CPUID 8000000A: 00000001-00008000-00000000-0001BCFF\n";
	static const char centaur[] =
		"CPUID 00000000: 0000000D-746E6543-736C7561-48727561\n"
		"CPUID 00000001: 000307B0-00040800-77FAE3BF-BFEBFBFF\n"
		"CPUID 80000000: 80000008-00000000-00000000-00000000\n"
		"CPUID 80000001: 00000000-00000000-00000121-2C100800\n"
		"CPUID 80000008: 00003028-00000000-00000000-00000000\n";
	static const struct {
		const char *text;
		uint32_t leaf;
		unsigned reg;
		uint32_t mask, value;
		const char *what;
	} wants[] = {
		{ hygon, 0x80000008, 1, 1U << 25, 1U << 25, "LS_CFG stops bypassing of stores: VIRT_SSBD" },
		{ hygon, 0x80000021, 2, 6, 0, "nobody says of Hygon's CPUs that TSA is no problem" },
		{ centaur, 0x80000008, 1, 1U << 26, 0, "nobody says of Centaur's CPUs that they bypass no stores" },
	};

	for (unsigned i = 0; i < sizeof(wants) / sizeof(*wants); i++) {
		struct gcpu_snapshot *s = NULL;
		struct gcpu_error err;
		const struct snap_cpuid *e;

		if (gcpu_snapshot_from_cpuid(wants[i].text, strlen(wants[i].text), "6.12", NULL, &s, &err)) {
			CHECK(false, "%s: %s", wants[i].what, err.text);
			continue;
		}
		e = snapshot_cpuid(s, SNAP_SUPPORTED, wants[i].leaf, 0);
		CHECK(e && (e->regs[wants[i].reg] & wants[i].mask) == wants[i].value, "%s: 0x%x", wants[i].what,
		      e ? e->regs[wants[i].reg] : 0);
		gcpu_snapshot_free(s);
	}
}

static void strays(void)
{
	struct gcpu_snapshot *s = reads(LEAF0
		"   0x20000000 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004\n"
		"   0x40000000 0x00: eax=0x40000001 ebx=0x4b4d564b ecx=0x564b4d56 edx=0x0000004d\n"
		"   0x80000000 0x00: eax=0x80000001 ebx=0x00000000 ecx=0x00000000 edx=0x00000000\n"
		"   0x80000001 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000021 edx=0x2c100800\n"
		"   0x80860000 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004\n"
		"   0xc0000000 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004\n");

	CHECK(s->cpuid[SNAP_NATIVE].n == 3, "%zu entries", s->cpuid[SNAP_NATIVE].n);
	has(s, 0x80000001, 0, 2, 0x21);
	gcpu_snapshot_free(s);
}

static void errors(void)
{
	static const char nul[] = LEAF0 "\0";
	struct gcpu_snapshot *s = snapshot_new(GCPU_ARCH_X86);
	struct gcpu_error err;

	CHECK(cpuid_text_read(nul, sizeof(nul), s, &err) == GCPU_ERR_DOCUMENT && strstr(err.text, "not a text"), "a byte 0");
	CHECK(cpuid_text_read("\xff\xfe" "C\0P\0", 6, s, &err) == GCPU_ERR_DOCUMENT && strstr(err.text, "UTF-16"), "UTF-16");
	CHECK(cpuid_text_read("\xfe\xff\0C\0P", 6, s, &err) == GCPU_ERR_DOCUMENT && strstr(err.text, "UTF-16"), "and the other");
	CHECK(cpuid_text_read("\xff\xfe", 2, s, &err) == GCPU_ERR_DOCUMENT, "a mark alone");
	CHECK(cpuid_text_read("\xef\xbb\xbf", 3, s, &err) == GCPU_ERR_DOCUMENT, "that of UTF-8");
	CHECK(cpuid_text_read("\xef\xbb\xbf" LEAF0, strlen(LEAF0) + 3, s, &err) == 0 && s->cpuid[SNAP_NATIVE].n == 1, "a mark in front");
	gcpu_snapshot_free(s);
	refuses("", "no line of CPUID");
	refuses("nothing\nof the sort\n", "no line of CPUID");
	refuses("   0x00000001 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\n", "no leaf 0");
	refuses(LEAF0 "   0x00000001 0x00: eax=0x1 ebx=0x2 ecx=0x3\n", "line 2: not a line of CPUID");
	refuses(LEAF0 "\n   0x00000001 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x123456789\n", "line 3: not a line");
	refuses(LEAF0 "   0x00000001 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4 and more\n", "line 2: not a line");
	refuses(LEAF0 "   0x000000001 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\n", "line 2: not a line");
	refuses(LEAF0 "   0x00000001 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\n"
		"   0x00000001 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\n", "line 3: this leaf and sub-leaf stands further up");
	refuses(LEAF0 "   0x00000004 0x400000: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\n", "line 2: a sub-leaf of more than 22 bits");
	refuses(INSTLAT0 "CPUID 00000001: 00A00F11-00800800-7EDA320B\n", "line 2: not a line");
	refuses(INSTLAT0 "CPUID 00000007: 00000000-219C97A9-0040068C-00000010 [SL 0\n", "line 2: not a line");
	refuses(INSTLAT0 "CPUID 00000007: 00000000-219C97A9-0040068C-00000010 [SL XY]\n", "line 2: not a line");
}

static void computing(void)
{
	static const char via[] = "CPUID 00000000: 00000001-00414956-00000000-00000000\n";
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err;

	CHECK(gcpu_snapshot_from_cpuid(INSTLAT0, strlen(INSTLAT0), "5.10", NULL, &s, &err) == GCPU_ERR_NAME &&
	      strstr(err.text, "5.10") && strstr(err.expected, "6.12"), "a series that is not known");
	CHECK(gcpu_snapshot_from_cpuid(via, strlen(via), "6.12", NULL, &s, &err) == GCPU_ERR_DOCUMENT, "a strange vendor");
	CHECK(gcpu_snapshot_from_cpuid(NULL, 0, "6.12", NULL, &s, &err) == GCPU_ERR_ARGUMENT, "no text");
	CHECK(gcpu_snapshot_from_cpuid("{}", 2, "6.12", NULL, &s, &err) == GCPU_ERR_DOCUMENT ||
	      err.code == GCPU_ERR_SCHEMA, "no snapshot");
	CHECK(!s, "a result of what failed");
	/* a release of a series, a CPU that says hardly anything */
	if (gcpu_snapshot_from_cpuid(INSTLAT0, strlen(INSTLAT0), "6.1.20", "small", &s, &err) == 0) {
		CHECK(strcmp(gcpu_snapshot_kernel(s), "6.1.20") == 0 && strcmp(gcpu_snapshot_name(s), "small") == 0, "its names");
		CHECK(gcpu_snapshot_is_computed(s) && !gcpu_snapshot_is_computed(NULL), "it is computed");
		CHECK(snapshot_cpuid(s, SNAP_SUPPORTED, 7, 0)->regs[3] == 1U << 29, "what KVM makes by itself");
	} else {
		CHECK(false, "%s", err.text);
	}
	gcpu_snapshot_free(s);
}

int main(void)
{
	forms();
	counts();
	makers();
	strays();
	errors();
	computing();
	return unit_end();
}
