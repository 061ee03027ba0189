/* SPDX-License-Identifier: MIT */
/* Names: '_' and '-' alike, case ignored, aliases, the nearest ones. */
#include "unit.h"

#include "core/plan.h"

#include <guestcpu/catalogue.h>

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

/* What QEMU's cpu.c, /proc/cpuinfo (or cpufeatures.h) and libvirt's x86_features.xml say at the same bit. */
static const struct {
	enum gcpu_arch arch;
	const char *name, *called; /* who uses the same name, or NULL */
	const char *others;	   /* the other names, one after the other, with whose they are */
} whose[] = {
	{ GCPU_ARCH_X86, "avx512f", "qemu linux libvirt", "" },
	{ GCPU_ARCH_X86, "avx512vbmi2", "qemu libvirt", " avx512_vbmi2:linux" },
	{ GCPU_ARCH_X86, "tsc-adjust", "qemu linux libvirt", "" }, /* tsc_adjust by Linux and libvirt */
	{ GCPU_ARCH_X86, "pni", "qemu linux libvirt", " sse3:qemu" },
	{ GCPU_ARCH_X86, "sse4.1", "qemu libvirt", " sse4_1:qemu sse4_1:linux" },
	{ GCPU_ARCH_X86, "pclmulqdq", "qemu linux", " pclmuldq:qemu pclmuldq:libvirt" },
	{ GCPU_ARCH_X86, "ds", "qemu libvirt", " dts:linux" },
	{ GCPU_ARCH_X86, "osxsave", "linux libvirt", "" }, /* no property of QEMU's */
	{ GCPU_ARCH_X86, "vmx-ept", "qemu", " ept:linux" },
	{ GCPU_ARCH_X86, "vnmi", "qemu linux libvirt", "" }, /* SVM's; Linux has the word for VMX's, too */
	{ GCPU_ARCH_X86, "kvm-pv-eoi", "qemu", " KVM_FEATURE_PV_EOI:linux" },
	{ GCPU_ARCH_X86, "xcr0-avx", NULL, "" },
	{ GCPU_ARCH_X86, "kvmclock", NULL, " kvmclock:qemu" }, /* a group */
	{ GCPU_ARCH_ARM64, "FEAT_RNG", NULL, " rng:linux" },
	{ GCPU_ARCH_ARM64, "sve", "qemu", "" },
};

static int add_other(void *ctx, const char *alias, const char *tag)
{
	char *others = ctx;
	size_t n = strlen(others);

	if (strcmp(tag, "db") != 0)
		snprintf(others + n, 200 - n, " %s:%s", alias, tag);
	return 0;
}

static int take_called(void *ctx, const struct gcpu_feature_info *f)
{
	*(const char **)ctx = f->called;
	return 0;
}

static int check_group(void *ctx, const struct gcpu_feature_info *f)
{
	unsigned *groups = ctx;

	if (f->id)
		return 0;
	++*groups;
	CHECK(!f->called || strcmp(f->called, "qemu") == 0, "%s: %s", f->name, f->called);
	return 0;
}

static int stop_at_once(void *ctx, const char *alias, const char *tag)
{
	(void)ctx;
	(void)alias;
	return strcmp(tag, "qemu") == 0 ? 7 : 8;
}

static void test_whose(void)
{
	unsigned groups = 0;

	for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++) {
		const char *called = NULL;
		char others[200] = "";

		CHECK(gcpu_feature_aliases(whose[i].arch, whose[i].name, add_other, others) == 0, "%s", whose[i].name);
		CHECK(strcmp(others, whose[i].others) == 0, "%s: others are%s", whose[i].name, others);
		CHECK(gcpu_feature_members(whose[i].arch, whose[i].name, take_called, &called) == 0, "%s", whose[i].name);
		CHECK(whose[i].called ? called && strcmp(called, whose[i].called) == 0 : !called, "%s is called by %s",
		      whose[i].name, called ? called : "nobody");
	}
	/* of a group the names are QEMU's or Arm's; Arm is no caller */
	gcpu_features(GCPU_ARCH_X86, check_group, &groups);
	gcpu_features(GCPU_ARCH_ARM64, check_group, &groups);
	CHECK(groups >= 2, "%u groups", groups);
	/* the visitor's answer ends it, between two tags of one name, too */
	CHECK(gcpu_feature_aliases(GCPU_ARCH_X86, "sse4.1", stop_at_once, &groups) == 7, "the answer of the visitor");
}

static void test_values(void)
{
	/* Arm ARM: ISAR0.AES 2 is PMULL, PARange 2 is 40 bits, TGran4 0xf is none */
	static const struct {
		const char *field;
		uint64_t value;
		const char *name;
	} t[] = {
		{ "ID_AA64ISAR0_EL1.AES", 2, "PMULL" },	   { "id_aa64mmfr0_el1.parange", 2, "40bit" },
		{ "ID_AA64MMFR0_EL1.TGran4", 15, "none" }, { "SYSREG_ID_AA64ISAR0_EL1_SHA2", 2, "SHA512" },
		{ "ID_AA64ISAR0_EL1.AES", 3, NULL },	   { "ID_AA64ISAR0_EL1.AES", 1ULL << 32, NULL },
		{ "FEAT_AES", 1, NULL },		   { "pauth", 1, NULL },
		{ "nosuch", 1, NULL },			   { "SYSREG_ID_AA64ISAR0_EL1", 1, NULL },
		{ "SYSREG_", 1, NULL },			   { "SYSREG_pmu", 1, NULL },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *name = gcpu_value_name(GCPU_ARCH_ARM64, t[i].field, t[i].value);

		CHECK(t[i].name ? name && strcmp(name, t[i].name) == 0 : !name, "%s %llu: %s", t[i].field,
		      (unsigned long long)t[i].value, name ? name : "no name");
	}
	CHECK(!gcpu_value_name(GCPU_ARCH_X86, "avx2", 1), "a flag of x86");
	CHECK(!gcpu_value_name(GCPU_ARCH_ARM64, NULL, 1) && !gcpu_value_name(0, "sve", 1), "nothing");
	/* every field of a register, and nothing else */
	for (unsigned i = 0; i < gcpu_facts_arm64.n_fields; i++) {
		const struct field_fact *f = &gcpu_facts_arm64.fields[i];
		bool is_reg = ADDR_SPACE(gcpu_facts_arm64.words[f->word].addr) == SPACE_REG;
		char name[80] = "SYSREG_";

		strcat(name, f->name);
		if (strchr(name, '.'))
			*strchr(name, '.') = '_';
		CHECK(gcpu_feature_by_name(GCPU_ARCH_ARM64, name) == (is_reg ? f->id : 0U), "%s", name);
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
	test_whose();
	test_values();
	return unit_end();
}
