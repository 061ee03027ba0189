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

struct line {
	const char *head;
	uint32_t regs[4];
	const char *tail;
};
static const struct line whole[] = {
	{ "00000000", { 0xd, 0x68747541, 0x444d4163, 0x69746e65 }, "" },
	{ "00000001", { 0xa00f11, 0x100800, 0x7eda320b, 0x178bfbff }, "" },
	{ "0000000D", { 7, 0x340, 0x340, 0 }, "[SL 00]" },
	{ "0000000D", { 0xf, 0x340, 0x800, 0 }, "[SL 01]" },
	{ "0000000D", { 0x100, 0x240, 0, 0 }, "[SL 02]" },
	{ "0000000D", { 0x10, 0, 1, 0 }, "[SL 0B]" },
	{ "80000000", { 0x80000008, 0x68747541, 0x444d4163, 0x69746e65 }, "" },
	{ "80000001", { 0xa00f11, 0, 0x21, 0x2c100800 }, "" },
	{ "80000008", { 0x3030, 0, 0, 0 }, "" },
};
/* SAID NULL: taken */
static const struct {
	unsigned line, reg;
	uint32_t value;
	const char *said, *expected;
} changes[] = {
	{ 0, 0, 0, "leaf 0x0, eax 0x00000000: not the highest", "0x1 to 0xff" },
	{ 0, 0, 0x100, "leaf 0x0, eax 0x00000100", "0x1 to 0xff" },
	{ 0, 0, 0x80000010, "leaf 0x0, eax", "0x1 to 0xff" },
	{ 0, 0, 0xff, NULL, NULL },
	{ 0, 0, 1, NULL, NULL }, /* what is above is not looked at */
	{ 1, 3, 0x138bfbff, "leaf 0x1, edx 0x138bfbff: long mode without sse2", "64 bits" },
	{ 1, 3, 0x178bfbbf, "long mode without pae", "64 bits" },
	{ 2, 0, 6, "leaf 0xd sub-leaf 0x0, eax 0x00000006: XCR0 without x87", "bits 1:0" },
	{ 2, 0, 5, "XCR0 without x87 or SSE", "bits 1:0" },
	{ 2, 2, 0x33f, "leaf 0xd sub-leaf 0x0, ecx", "at least ebx" },
	{ 2, 2, 0x1000, NULL, NULL },
	{ 4, 0, 0, "leaf 0xd sub-leaf 0x2, eax 0x00000000: a component", "its size" },
	{ 4, 0, 0xfffffeff, "beyond the area's 0x340 bytes", "size and place" },
	{ 4, 2, 1, "sub-leaf 0x2, ecx 0x00000001: a component of XCR0", "bit 0 clear" },
	{ 4, 2, 0xffffffff, "sub-leaf 0x2, ecx 0xffffffff: reserved bits", "bits 31:3" },
	{ 4, 2, 6, NULL, NULL },
	{ 5, 2, 0, "sub-leaf 0xb, ecx 0x00000000: a component of XSS", "bit 0 set" },
	{ 6, 0, 0x80004008, "leaf 0x80000000, eax 0x80004008: not the highest", "0x80000001 to 0x800000ff" },
	{ 6, 0, 0x80000000, "leaf 0x80000000, eax 0x80000000: the highest", "0x80000001 to 0x800000ff" },
	{ 6, 0, 0xd, "leaf 0x80000000, eax 0x0000000d: not the highest", "0x80000001 to 0x800000ff" },
	{ 6, 0, 0x800000ff, NULL, NULL },
	{ 7, 3, 0x0c100800, NULL, NULL }, /* no long mode */
	{ 8, 0, 0x3000, "leaf 0x80000008, eax 0x00003000: physical addresses of 0 bits", "32 to 52" },
	{ 8, 0, 0x301f, "physical addresses of 31 bits", "32 to 52" },
	{ 8, 0, 0x3035, "physical addresses of 53 bits", "32 to 52" },
	{ 8, 0, 0x3070, "physical addresses of 112 bits", "32 to 52" },
	{ 8, 0, 0x3430, "linear addresses of 52 bits", "up to 48, or 57" },
	{ 8, 0, 0x3130, "linear addresses of 49 bits", "up to 48, or 57" },
	{ 8, 0, 0x3930, NULL, NULL },
	{ 8, 0, 0x2020, NULL, NULL }, /* KVM makes 48 of less */
	{ 8, 0, 0x0034, NULL, NULL },
	{ 8, 0, 0x023027, "a guest's physical addresses of 2 bits", "bits 23:16" },
	{ 8, 0, 0x303030, NULL, NULL },
};

/* One register of a CPU's dump at a time is turned into what no CPU answers, or into what is odd and can be lived with. */
static void impossible(void)
{
	const size_t n_whole = sizeof(whole) / sizeof(*whole);

	for (size_t c = 0; c < sizeof(changes) / sizeof(*changes); c++) {
		struct gcpu_snapshot *s = NULL;
		struct gcpu_error err = { .code = 0 };
		char text[2000];
		size_t n = 0;
		int status;

		for (size_t i = 0; i < n_whole; i++) {
			struct line l = whole[i];

			if (i == changes[c].line)
				l.regs[changes[c].reg] = changes[c].value;
			n += (size_t)snprintf(text + n, sizeof(text) - n, "CPUID %s: %08X-%08X-%08X-%08X %s\n", l.head, l.regs[0],
					      l.regs[1], l.regs[2], l.regs[3], l.tail);
		}
		status = gcpu_snapshot_from_cpuid(text, n, "6.12", NULL, &s, &err);
		if (changes[c].said)
			CHECK(status == GCPU_ERR_DOCUMENT && strstr(err.text, changes[c].said) && strstr(err.expected, changes[c].expected),
			      "%s 0x%x: %d %s; %s", whole[changes[c].line].head, changes[c].value, status, err.text, err.expected);
		else
			CHECK(status == 0, "%s 0x%x: %s", whole[changes[c].line].head, changes[c].value, err.text);
		gcpu_snapshot_free(s);
	}
}

/* Dumps of real CPUs: what was not described is zero, and leaves that a CPU does not have are answered all alike. */
static void possible(void)
{
	struct gcpu_snapshot *s;

	s = reads("CPUID 00000000: 0000000D-68747541-444D4163-69746E65\n"
		  "CPUID 00000001: 00630F81-02040800-3E98320B-178BFBFF\n"
		  "CPUID 0000000D: 00000007-00000340-000003C0-40000000 [SL 00]\n"
		  "CPUID 0000000D: 00000100-00000240-00000000-00000000 [SL 02]\n"
		  "CPUID 0000000D: 00000000-00000000-00000000-00000000 [SL 3E]\n");
	gcpu_snapshot_free(s);
	s = reads("CPUID 00000000: 00000002-756E6547-6C65746E-49656E69\n"
		  "CPUID 00000001: 00000683-00000002-00000000-0383F9FF\n"
		  "CPUID 80000000: 03020101-00000000-00000000-0C040882\n"
		  "CPUID 80000001: 03020101-00000000-00000000-0C040882\n");
	CHECK(s->cpuid[SNAP_NATIVE].n == 2, "%zu entries", s->cpuid[SNAP_NATIVE].n);
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
	impossible();
	possible();
	errors();
	computing();
	return unit_end();
}
