/* SPDX-License-Identifier: MIT */
/* Names: '_' and '-' alike, case ignored, aliases, the nearest ones. */
#include "unit.h"

#include "core/plan.h"

static const struct {
	enum gcpu_arch arch;
	const char *a, *b; /* one feature under two names */
} same[] = {
	{ GCPU_ARCH_X86, "avx2", "AVX2" },
	{ GCPU_ARCH_X86, "kvm-pv-eoi", "kvm_pv_eoi" },
	{ GCPU_ARCH_X86, "kvm-pv-eoi", "Kvm_Pv-EOI" },
	{ GCPU_ARCH_X86, "sse4.1", "sse4_1" },
	{ GCPU_ARCH_X86, "sse4.1", "SSE4-1" },
	{ GCPU_ARCH_X86, "pni", "sse3" },
	{ GCPU_ARCH_X86, "nx", "xd" },
	{ GCPU_ARCH_X86, "tsc-deadline", "tsc_deadline_timer" },
	{ GCPU_ARCH_ARM64, "ID_AA64ISAR0_EL1.RNDR", "id-aa64isar0-el1.rndr" },
	{ GCPU_ARCH_ARM64, "FEAT_RNG", "feat-rng" },
	{ GCPU_ARCH_ARM64, "FEAT_FP16", "fphp" },
};

static const struct {
	enum gcpu_arch arch;
	const char *a, *b;
} different[] = {
	{ GCPU_ARCH_X86, "avx", "avx2" },
	{ GCPU_ARCH_X86, "sse4.1", "sse4.2" },
	{ GCPU_ARCH_X86, "kvm-pv-eoi", "kvm-pv-ipi" },
	/* FEAT_SVE and the bit of VCPU_INIT */
	{ GCPU_ARCH_ARM64, "FEAT_SVE", "sve" },
	/* a value of a field, and the field */
	{ GCPU_ARCH_ARM64, "FEAT_RNG", "ID_AA64ISAR0_EL1.RNDR" },
};

static void test_lookup(void)
{
	static const char *const none[] = { "", "-", "avx2 ", " avx2", "avx2-", "avx2x", "kvm-pv-eo",
					    "\xff\xfe", "a,b", "avx\x01" };

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		unsigned a = gcpu_feature_by_name(same[i].arch, same[i].a);

		CHECK(a, "%s is unknown", same[i].a);
		CHECK(a == gcpu_feature_by_name(same[i].arch, same[i].b), "%s is not %s", same[i].a,
		      same[i].b);
	}
	for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
		unsigned a = gcpu_feature_by_name(different[i].arch, different[i].a);
		unsigned b = gcpu_feature_by_name(different[i].arch, different[i].b);

		CHECK(a && b && a != b, "%s (%u) and %s (%u)", different[i].a, a, different[i].b, b);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CHECK(gcpu_feature_by_name(GCPU_ARCH_X86, none[i]) == 0, "'%s'", none[i]);
	CHECK(gcpu_feature_by_name(GCPU_ARCH_X86, NULL) == 0, "NULL");
	CHECK(gcpu_feature_by_name(0, "avx2") == 0, "no architecture");
	CHECK(gcpu_feature_by_name(GCPU_ARCH_ARM64, "avx2") == 0, "avx2 on arm64");
	/* a group of features has a name and no number */
	CHECK(name_find(&gcpu_facts_x86, "kvmclock", 8), "kvmclock");
	CHECK(gcpu_feature_by_name(GCPU_ARCH_X86, "kvmclock") == 0, "kvmclock has a number");
}

/* Every name finds itself, in every spelling: so the table is sorted as the
 * search wants it. */
static void test_all(const struct facts *f)
{
	for (unsigned i = 0; i < f->n_names; i++) {
		const struct name_fact *n = &f->names[i], *found;
		char other[128];
		size_t len = strlen(n->name);

		found = name_find(f, n->name, len);
		CHECK(found && found->feature == n->feature, "%s %s", f->name, n->name);
		CHECK(len < sizeof(other), "%s is long", n->name);
		for (size_t k = 0; k <= len && len < sizeof(other); k++) {
			char c = n->name[k];

			other[k] = c == '-' ? '_' : c == '_' ? '-' : c >= 'a' && c <= 'z' ? (char)(c - 32) :
				   c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
		}
		found = name_find(f, other, len);
		CHECK(found && found->feature == n->feature, "%s %s", f->name, other);
		/* the length counts, not a NUL */
		other[len] = 'x';
		found = name_find(f, other, len);
		CHECK(found && found->feature == n->feature, "%s %s", f->name, other);
		CHECK(name_same(n->name, len, n->key), "%s is not its key %s", n->name, n->key);
		if (i)
			CHECK(strcmp(f->names[i - 1].key, n->key) < 0, "%s stands before %s",
			      f->names[i - 1].key, n->key);
	}
}

static const struct {
	enum gcpu_arch arch;
	const char *typed, *meant; /* NULL: nothing is near */
	bool first;
} nears[] = {
	{ GCPU_ARCH_X86, "avx22", "avx2", true },	   /* one more */
	{ GCPU_ARCH_X86, "kvm-pv-eio", "kvm-pv-eoi", true }, /* two swapped */
	{ GCPU_ARCH_X86, "omveb", "movbe", true }, /* twice: as replacements too far */
	{ GCPU_ARCH_X86, "kvm_pv_eo", "kvm-pv-eoi", true }, /* one less */
	{ GCPU_ARCH_X86, "pcklmulqdq", "pclmulqdq", true },
	{ GCPU_ARCH_X86, "enforse", "enforce", true },     /* a property */
	{ GCPU_ARCH_X86, "tsc-deadlin", "tsc-deadline", true },
	{ GCPU_ARCH_ARM64, "FEAT_RNGG", "FEAT_RNG", true },
	{ GCPU_ARCH_ARM64, "ID_AA64ISAR0_EL1.RNDRR", "ID_AA64ISAR0_EL1.RNDR", true },
	{ GCPU_ARCH_X86, "this-is-nothing-like-a-name-at-all", NULL, false },
};

static void test_near(void)
{
	char longer[3000];

	for (size_t i = 0; i < sizeof(nears) / sizeof(nears[0]); i++) {
		struct gcpu_error err = { 0 };

		name_nearest(arch_of(nears[i].arch), nears[i].typed, strlen(nears[i].typed), true, &err);
		CHECK(strcmp(err.near[0], nears[i].meant ? nears[i].meant : "") == 0,
		      "%s: nearest is '%s'", nears[i].typed, err.near[0]);
		/* best first, none twice, no gaps */
		for (int k = 1; k < GCPU_ERROR_NEAR; k++) {
			CHECK(err.near[k - 1][0] || !err.near[k][0], "%s: a gap", nears[i].typed);
			CHECK(!err.near[k][0] || strcmp(err.near[k - 1], err.near[k]) != 0, "%s: twice",
			      nears[i].typed);
		}
	}
	memset(longer, 'a', sizeof(longer));
	name_nearest(arch_of(GCPU_ARCH_X86), longer, sizeof(longer), true, NULL);
	for (size_t n = 0; n < sizeof(longer); n += 7) {
		struct gcpu_error err = { 0 };

		name_nearest(arch_of(GCPU_ARCH_X86), longer, n, true, &err);
		CHECK(n < 40 || !err.near[0][0], "%zu letters are near '%s'", n, err.near[0]);
	}
}

int main(void)
{
	test_lookup();
	test_all(&gcpu_facts_x86);
	test_all(&gcpu_facts_arm64);
	test_near();
	return unit_end();
}
