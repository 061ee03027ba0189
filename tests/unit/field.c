/* SPDX-License-Identifier: MIT */
/*
 * The algebra of fields. What is expected is written down from the manuals
 * (Arm ARM DDI 0487, Intel SDM, AMD APM), not from what the library says.
 */
#include "unit.h"

#include "core/plan.h"

static const struct field_fact *field(const struct facts *f, const char *name)
{
	for (unsigned i = 0; i < f->n_fields; i++)
		if (strcmp(f->fields[i].name, name) == 0)
			return &f->fields[i];
	printf("there is no field %s\n", name);
	exit(1);
}

static const struct part_fact *part(const struct facts *f, const char *name)
{
	for (unsigned i = 0; i < f->n_parts; i++)
		if (strcmp(f->parts[i].name, name) == 0)
			return &f->parts[i];
	printf("there is no part %s\n", name);
	exit(1);
}

/* May a guest have VALUE on a CPU with OFFER? */
static const struct {
	enum gcpu_arch arch;
	const char *field;
	uint64_t value, offer;
	bool within;
} withins[] = {
	/* flag: present or not */
	{ GCPU_ARCH_X86, "avx2", 0, 0, true },
	{ GCPU_ARCH_X86, "avx2", 0, 1, true },
	{ GCPU_ARCH_X86, "avx2", 1, 0, false },
	{ GCPU_ARCH_X86, "avx2", 1, 1, true },
	/* absence: the bit says that something is gone (SDM vol. 2, leaf 7 EBX[6], [13]):
	 * software for a CPU without it may run where it is there, not the other way */
	{ GCPU_ARCH_X86, "fdp-excptn-only", 1, 0, true },
	{ GCPU_ARCH_X86, "fdp-excptn-only", 0, 1, false },
	{ GCPU_ARCH_X86, "fdp-excptn-only", 0, 0, true },
	{ GCPU_ARCH_X86, "fdp-excptn-only", 1, 1, true },
	{ GCPU_ARCH_X86, "zero-fcs-fds", 0, 1, false },
	{ GCPU_ARCH_X86, "no-efer-lmsle", 0, 1, false },
	{ GCPU_ARCH_X86, "no-efer-lmsle", 1, 0, true },
	/* lower, unsigned: ID_AA64ISAR0_EL1.Atomic 0 none, 2 LSE, 3 LSE128 */
	{ GCPU_ARCH_ARM64, "ID_AA64ISAR0_EL1.Atomic", 0, 3, true },
	{ GCPU_ARCH_ARM64, "ID_AA64ISAR0_EL1.Atomic", 2, 3, true },
	{ GCPU_ARCH_ARM64, "ID_AA64ISAR0_EL1.Atomic", 3, 2, false },
	/* ECV is unsigned, its top bit no sign */
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.ECV", 2, 0xf, true },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.ECV", 0xf, 2, false },
	/* PARange: 5 is 48 bits, 6 is 52 */
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.PARange", 5, 6, true },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.PARange", 6, 5, false },
	/* signed: 0xf is less than 0 (FP none, TGran4 none, DoubleLock none) */
	{ GCPU_ARCH_ARM64, "ID_AA64PFR0_EL1.FP", 0xf, 0, true },
	{ GCPU_ARCH_ARM64, "ID_AA64PFR0_EL1.FP", 0xf, 1, true },
	{ GCPU_ARCH_ARM64, "ID_AA64PFR0_EL1.FP", 0, 0xf, false },
	{ GCPU_ARCH_ARM64, "ID_AA64PFR0_EL1.FP", 0, 1, true },
	{ GCPU_ARCH_ARM64, "ID_AA64PFR0_EL1.FP", 1, 0, false },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran4", 0xf, 1, true },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran4", 1, 0xf, false },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran4", 1, 0, false },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran64", 0xf, 0, true },
	{ GCPU_ARCH_ARM64, "ID_AA64DFR0_EL1.DoubleLock", 0xf, 0, true },
	{ GCPU_ARCH_ARM64, "ID_AA64DFR0_EL1.DoubleLock", 0, 0xf, false },
	/* TGran16 is not signed: 0 none, 1 yes */
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran16", 0, 1, true },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran16", 1, 0, false },
	/* PMUVer: 0xf is no Arm PMU, less than any version, and KVM makes 0 of it */
	{ GCPU_ARCH_ARM64, "ID_AA64DFR0_EL1.PMUVer", 0xf, 1, true },
	{ GCPU_ARCH_ARM64, "ID_AA64DFR0_EL1.PMUVer", 0xf, 0, true },
	{ GCPU_ARCH_ARM64, "ID_AA64DFR0_EL1.PMUVer", 1, 0xf, false },
	{ GCPU_ARCH_ARM64, "ID_DFR0_EL1.PerfMon", 3, 6, true },
	{ GCPU_ARCH_ARM64, "ID_DFR0_EL1.PerfMon", 7, 6, false },
	{ GCPU_ARCH_ARM64, "ID_DFR0_EL1.PerfMon", 3, 0xf, false },
	/* AArch32's shareability is signed (6.12 took 0, 1 and 8 to 0xf where it had 1) */
	{ GCPU_ARCH_ARM64, "ID_MMFR0_EL1.InnerShr", 0xf, 1, true },
	{ GCPU_ARCH_ARM64, "ID_MMFR0_EL1.InnerShr", 0, 1, true },
	{ GCPU_ARCH_ARM64, "ID_MMFR0_EL1.InnerShr", 2, 1, false },
	{ GCPU_ARCH_ARM64, "ID_MMFR0_EL1.OuterShr", 0, 0xf, false },
	{ GCPU_ARCH_ARM64, "ID_MMFR4_EL1.SpecSEI", 1, 0, true },
	{ GCPU_ARCH_ARM64, "ID_MMFR4_EL1.SpecSEI", 0, 1, false },
	/* FP8: KVM takes the host's own or 0 */
	{ GCPU_ARCH_ARM64, "ID_AA64FPFR0_EL1.F8CVT", 0, 1, true },
	{ GCPU_ARCH_ARM64, "ID_AA64FPFR0_EL1.F8CVT", 1, 1, true },
	{ GCPU_ARCH_ARM64, "ID_AA64FPFR0_EL1.F8CVT", 1, 0, false },
	/* higher: an SError from speculation may happen, so 1 promises less */
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR1_EL1.SpecSEI", 1, 0, true },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR1_EL1.SpecSEI", 0, 1, false },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR1_EL1.SpecSEI", 1, 1, true },
	/* higher0: a larger granule promises less, 0 nothing at all (CTR_EL0.ERG) */
	{ GCPU_ARCH_ARM64, "CTR_EL0.ERG", 0, 4, true },
	{ GCPU_ARCH_ARM64, "CTR_EL0.ERG", 5, 4, true },
	{ GCPU_ARCH_ARM64, "CTR_EL0.ERG", 4, 4, true },
	{ GCPU_ARCH_ARM64, "CTR_EL0.ERG", 3, 4, false },
	{ GCPU_ARCH_ARM64, "CTR_EL0.ERG", 4, 0, false },
	{ GCPU_ARCH_ARM64, "CTR_EL0.ERG", 0, 0, true },
	/* safe: VIPT (2) always may be said of PIPT (3), never the other way */
	{ GCPU_ARCH_ARM64, "CTR_EL0.L1Ip", 2, 3, true },
	{ GCPU_ARCH_ARM64, "CTR_EL0.L1Ip", 3, 3, true },
	{ GCPU_ARCH_ARM64, "CTR_EL0.L1Ip", 3, 2, false },
	/* 16 KiB at stage 2: 1 is none; 0 and 2 are different sayings */
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran16_2", 1, 2, true },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran16_2", 2, 2, true },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran16_2", 0, 2, false },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran16_2", 2, 3, false },
	/* exact: nothing else will do */
	{ GCPU_ARCH_ARM64, "MPIDR_EL1.Aff0", 1, 1, true },
	{ GCPU_ARCH_ARM64, "MPIDR_EL1.Aff0", 0, 1, false },
	{ GCPU_ARCH_ARM64, "MPIDR_EL1.Aff0", 2, 1, false },
	/* the lengths of SVE: the host's own, cut off at some length (KVM refuses
	 * others); here it has 128, 256 and 512 bits, not 384 */
	{ GCPU_ARCH_ARM64, "SVE.VL", 0xb, 0xb, true },
	{ GCPU_ARCH_ARM64, "SVE.VL", 0x3, 0xb, true },
	{ GCPU_ARCH_ARM64, "SVE.VL", 0x1, 0xb, true },
	{ GCPU_ARCH_ARM64, "SVE.VL", 0x9, 0xb, false },
	{ GCPU_ARCH_ARM64, "SVE.VL", 0x7, 0xb, false },
	{ GCPU_ARCH_ARM64, "SVE.VL", 0x8000, 0xb, false },
	{ GCPU_ARCH_ARM64, "SVE.VL", 0, 0xb, true },
};

/* Is the feature there, that begins with LEAST of the field? */
static const struct {
	const char *field;
	uint64_t value, least;
	bool reaches;
} reaches[] = {
	/* FEAT_FP 0, FEAT_FP16 1, none 0xf */
	{ "ID_AA64PFR0_EL1.FP", 0xf, 0, false },
	{ "ID_AA64PFR0_EL1.FP", 0, 0, true },
	{ "ID_AA64PFR0_EL1.FP", 0, 1, false },
	{ "ID_AA64PFR0_EL1.FP", 1, 0, true },
	{ "ID_AA64PFR0_EL1.FP", 1, 1, true },
	/* FEAT_LSE 2, FEAT_LSE128 3 */
	{ "ID_AA64ISAR0_EL1.Atomic", 1, 2, false },
	{ "ID_AA64ISAR0_EL1.Atomic", 2, 2, true },
	{ "ID_AA64ISAR0_EL1.Atomic", 3, 2, true },
	{ "ID_AA64ISAR0_EL1.Atomic", 2, 3, false },
	/* unsigned to the top */
	{ "ID_AA64MMFR0_EL1.ECV", 0xf, 2, true },
	/* one algorithm or another */
	{ "ID_AA64ISAR1_EL1.APA", 0, 1, false },
	{ "ID_AA64ISAR1_EL1.APA", 5, 1, true },
	{ "ID_AA64ISAR1_EL1.APA", 1, 5, false },
};

/* The most that a guest without the feature may have. */
static const struct {
	const char *field;
	uint64_t least, below;
} belows[] = {
	{ "ID_AA64ISAR0_EL1.Atomic", 3, 2 },
	{ "ID_AA64ISAR0_EL1.RNDR", 1, 0 },
	{ "ID_AA64PFR0_EL1.FP", 0, 0xf },
	{ "ID_AA64PFR0_EL1.FP", 1, 0 },
	{ "ID_AA64PFR0_EL1.AdvSIMD", 0, 0xf },
	{ "ID_AA64MMFR0_EL1.TGran4", 0, 0xf },
	{ "ID_AA64MMFR0_EL1.TGran4", 1, 0 },
	{ "ID_AA64PFR0_EL1.EL0", 2, 1 },
	{ "ID_AA64MMFR0_EL1.ECV", 2, 1 },
	/* Armv8 has no less than version 6 of the debug architecture */
	{ "ID_AA64DFR0_EL1.DebugVer", 7, 6 },
	{ "ID_AA64ISAR1_EL1.APA", 1, 0 },
	/* 1 and 2 are PMUs of AArch32's own that Armv8 does not have */
	{ "ID_DFR0_EL1.PerfMon", 3, 0 },
	{ "ID_DFR0_EL1.PerfMon", 4, 3 },
	{ "ID_DFR0_EL1.CopDbg", 7, 6 },
};

static void test_legal(void)
{
	const struct field_fact *perfmon = field(&gcpu_facts_arm64, "ID_DFR0_EL1.PerfMon");
	const struct field_fact *debug = field(&gcpu_facts_arm64, "ID_AA64DFR0_EL1.DebugVer");
	const struct field_fact *pmu = field(&gcpu_facts_arm64, "ID_AA64DFR0_EL1.PMUVer");

	for (unsigned v = 0; v < 16; v++) {
		CHECK(field_legal(perfmon, v) == (v != 1 && v != 2), "PerfMon %u", v);
		CHECK(field_legal(debug, v) == (v >= 6), "DebugVer %u", v);
		CHECK(field_reaches(pmu, v, 1) == (v != 0 && v != 15), "PMUVer %u", v);
		CHECK(field_is_off(pmu, v) == (v == 0 || v == 15), "PMUVer %u", v);
	}
}

static void test_tables(void)
{
	for (size_t i = 0; i < sizeof(withins) / sizeof(withins[0]); i++) {
		const struct field_fact *f = field(arch_of(withins[i].arch)->facts, withins[i].field);

		CHECK(field_within(f, withins[i].value, withins[i].offer) == withins[i].within,
		      "%s: 0x%llx where 0x%llx is offered", f->name, (unsigned long long)withins[i].value,
		      (unsigned long long)withins[i].offer);
	}
	for (size_t i = 0; i < sizeof(reaches) / sizeof(reaches[0]); i++)
		CHECK(field_reaches(field(&gcpu_facts_arm64, reaches[i].field), reaches[i].value,
				    reaches[i].least) == reaches[i].reaches,
		      "%s: 0x%llx and 0x%llx", reaches[i].field, (unsigned long long)reaches[i].value,
		      (unsigned long long)reaches[i].least);
	for (size_t i = 0; i < sizeof(belows) / sizeof(belows[0]); i++) {
		uint64_t got = field_below(field(&gcpu_facts_arm64, belows[i].field), belows[i].least);

		CHECK(got == belows[i].below, "%s below 0x%llx: 0x%llx", belows[i].field,
		      (unsigned long long)belows[i].least, (unsigned long long)got);
	}
}

/* The value without the feature. */
static const struct {
	enum gcpu_arch arch;
	const char *field;
	uint64_t off;
} offs[] = {
	{ GCPU_ARCH_X86, "avx2", 0 },
	/* the user who turns a warning off gets a 0, like any other bit */
	{ GCPU_ARCH_X86, "fdp-excptn-only", 0 },
	{ GCPU_ARCH_ARM64, "ID_AA64PFR0_EL1.FP", 0xf },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran64", 0xf },
	{ GCPU_ARCH_ARM64, "ID_AA64ISAR0_EL1.AES", 0 },
	{ GCPU_ARCH_ARM64, "CTR_EL0.L1Ip", 2 },
	{ GCPU_ARCH_ARM64, "ID_AA64MMFR0_EL1.TGran4_2", 1 },
	{ GCPU_ARCH_ARM64, "SVE.VL", 0 },
};

static void test_off(void)
{
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		const struct field_fact *f = field(arch_of(offs[i].arch)->facts, offs[i].field);

		CHECK(field_off(f) == offs[i].off, "%s: off is 0x%llx", f->name,
		      (unsigned long long)field_off(f));
		CHECK(field_is_off(f, offs[i].off), "%s", f->name);
	}
	CHECK(!field_is_off(field(&gcpu_facts_arm64, "ID_AA64PFR0_EL1.FP"), 0), "FP 0 is floating point");
	CHECK(!field_is_off(field(&gcpu_facts_x86, "fdp-excptn-only"), 1), "fdp-excptn-only");
}

/* Rows that no table has, and the widest ones. */
static void test_widths(void)
{
	struct field_fact f = { .name = "made up", .width = 64, .order = ORDER_LOWER };

	CHECK(field_mask(&f) == UINT64_MAX, "64 bits");
	CHECK(field_within(&f, INT64_MAX, UINT64_MAX) && !field_within(&f, UINT64_MAX, INT64_MAX),
	      "64 bits without a sign");
	f.is_signed = true;
	CHECK(field_within(&f, UINT64_MAX, INT64_MAX) && !field_within(&f, INT64_MAX, UINT64_MAX),
	      "64 bits with a sign");
	/* below what means "not there" nothing is */
	f = (struct field_fact){ .name = "signed", .width = 4, .order = ORDER_LOWER, .is_signed = true,
				 .absent = 0xf };
	CHECK(field_below(&f, 0xf) == 0xf && field_below(&f, 0) == 0xf && field_below(&f, 2) == 1, "signed");
	f = (struct field_fact){ .name = "set", .width = 8, .order = ORDER_SET };
	CHECK(field_within(&f, 0x05, 0x0d) && !field_within(&f, 0x02, 0x0d) && field_within(&f, 0, 0), "set");
	CHECK(field_reaches(&f, 0x0d, 0x05) && !field_reaches(&f, 0x0d, 0x02), "set");
	/* a set of vector lengths may be cut off, and not have holes */
	f.order = ORDER_PREFIX;
	CHECK(field_nearest(&f, 0x0b, 0xff) == 0x03 && field_nearest(&f, 0x1f, 0x0f) == 0x0f &&
		      field_nearest(&f, 0x02, 0x0f) == 0x0f && field_nearest(&f, 0x80, 0) == 0,
	      "the lengths that both have");
	f.order = ORDER_PAIR;
	CHECK(field_within(&f, 3, 3) && !field_within(&f, 1, 3), "pair");
	for (unsigned w = 1; w <= 64; w++) {
		f.width = (uint8_t)w;
		CHECK(field_mask(&f) == UINT64_MAX >> (64 - w), "%u bits", w);
	}
}

/* What holds of every row: nothing is more than itself, being within is
 * transitive, and what is off may be had everywhere (but of absences and of
 * exact values). Small fields only: all values of them. */
static void test_laws(const struct facts *facts)
{
	for (unsigned i = 0; i < facts->n_fields; i++) {
		const struct field_fact *f = &facts->fields[i];
		unsigned n = f->width > 4 ? 16 : 1U << f->width;
		bool lattice = f->order != ORDER_ABSENCE && f->order != ORDER_EXACT && f->order != ORDER_PAIR;

		for (uint64_t a = 0; a < n; a++) {
			CHECK(field_within(f, a, a), "%s: 0x%llx is not within itself", f->name,
			      (unsigned long long)a);
			/* nothing is below the least legal value that means "not there" */
			if (lattice && a >= (f->absent ? f->min : 0) && f->order != ORDER_HIGHER && f->order != ORDER_SAFE && !f->is_signed)
				CHECK(field_within(f, field_off(f), a), "%s: off is not within 0x%llx", f->name,
				      (unsigned long long)a);
			for (uint64_t b = 0; b < n; b++)
				for (uint64_t c = 0; c < n; c++)
					CHECK(!field_within(f, a, b) || !field_within(f, b, c) ||
						      field_within(f, a, c),
					      "%s: 0x%llx, 0x%llx, 0x%llx", f->name, (unsigned long long)a,
					      (unsigned long long)b, (unsigned long long)c);
		}
	}
}

/* Turning a feature of the architecture off leaves a legal value without it,
 * and the next one up has it. */
static void test_features(const struct facts *facts)
{
	for (unsigned i = 0; i < facts->n_features; i++) {
		const struct feature_fact *ff = &facts->features[i];
		const struct target_fact *t = &facts->targets[ff->first];
		const struct field_fact *f = &facts->fields[t->field];
		uint64_t below;

		if (ff->n != 1 || !t->at_least || f->width == 1)
			continue;
		below = field_below(f, t->value);
		CHECK(field_reaches(f, t->value, t->value), "%s is not there at its own value", ff->name);
		CHECK(!field_reaches(f, below, t->value), "%s is still there at 0x%llx", ff->name,
		      (unsigned long long)below);
		/* what warns of something promises more without it */
		CHECK(f->order == ORDER_HIGHER || field_within(f, below, t->value), "%s: 0x%llx is more", ff->name,
		      (unsigned long long)below);
		/* a member of a set that hangs on another field goes with that */
		CHECK(f->is_signed || f->order == ORDER_PREFIX || below >= f->min, "%s: 0x%llx is no legal value of %s", ff->name,
		      (unsigned long long)below, f->name);
		CHECK(below <= field_mask(f), "%s: 0x%llx does not fit", ff->name, (unsigned long long)below);
	}
}

static void test_words(void)
{
	const struct facts *facts = &gcpu_facts_arm64;
	const struct field_fact *ecv = field(facts, "ID_AA64MMFR0_EL1.ECV");
	unsigned n = (unsigned)(ecv - facts->fields);
	uint64_t *words = calloc(facts->n_words, sizeof(*words));
	struct gcpu_plan p;

	memset(&p, 0, sizeof(p));
	p.facts = facts;
	words[ecv->word] = 0x0123456789abcdef;
	CHECK(field_get(&p, words, n) == 0, "the top nibble");
	field_put(&p, words, n, 0xe);
	CHECK(words[ecv->word] == 0xe123456789abcdef, "%llx", (unsigned long long)words[ecv->word]);
	field_put(&p, words, n, 0xff3); /* what does not fit stays out */
	CHECK(words[ecv->word] == 0x3123456789abcdef, "%llx", (unsigned long long)words[ecv->word]);
	CHECK(field_get(&p, words, n) == 3, "read back");
	free(words);
}

/* A first-level data cache of 32 KiB in 8 ways as an Intel CPU of 8 threads describes
 * it, cut up by the manual (SDM vol. 2, leaf 4). */
static void test_parts(void)
{
	static const struct {
		const char *name;
		uint32_t reg, value;
	} cases[] = {
		{ "cache-type", 0x1c004121, 1 },	   { "cache-level", 0x1c004121, 1 },
		{ "cache-self-init", 0x1c004121, 1 },	   { "fully-associative", 0x1c004121, 0 },
		{ "num-threads-sharing", 0x1c004121, 1 },  { "num-cores-on-die", 0x1c004121, 7 },
		{ "cache-linesize", 0x01c0003f, 63 },	   { "cache-npartitions", 0x01c0003f, 0 },
		{ "cache-nways", 0x01c0003f, 7 },	   { "cache-nsets", 0x0000003f, 63 },
		{ "cpu-brandid-0", 0x65746e49, 0x65746e49 },
	};
	const struct facts *facts = &gcpu_facts_x86;
	const struct part_fact *sharing = part(facts, "num-threads-sharing");

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct part_fact *p = part(facts, cases[i].name);

		CHECK(part_get(p, cases[i].reg) == cases[i].value, "%s: %x", p->name,
		      part_get(p, cases[i].reg));
		CHECK(part_put(p, cases[i].reg, cases[i].value) == cases[i].reg, "%s", p->name);
		CHECK(part_get(p, part_put(p, 0, UINT32_MAX)) == part_get(p, UINT32_MAX), "%s", p->name);
	}
	CHECK(part_put(sharing, 0x1c004121, 3) == 0x1c00c121, "a part replaced");
	CHECK(part_put(sharing, 0, 0x1001) == 1U << 14, "what does not fit stays out");
	CHECK(part_put(part(facts, "x2apic-id"), 5, 0xfffffffe) == 0xfffffffe, "a whole register");
	CHECK(sharing == &facts->parts[X86_PART_NUM_THREADS_SHARING], "index by name");
	CHECK(sharing->any_subleaf && ADDR_LEAF(sharing->addr) == 4 && ADDR_REG(sharing->addr) == 0,
	      "where it is");
}

int main(void)
{
	test_tables();
	test_legal();
	test_off();
	test_widths();
	test_laws(&gcpu_facts_x86);
	test_laws(&gcpu_facts_arm64);
	test_features(&gcpu_facts_arm64);
	test_features(&gcpu_facts_x86);
	test_words();
	test_parts();
	return unit_end();
}
