/* SPDX-License-Identifier: MIT */
/*
 * Presets on every bundled host, for every model: a feature is on if its preset has it and
 * this KVM offers it, and for no other reason; a word of the request about it wins wherever
 * it stands. What a preset has is written down here a second time, by the bits of KVM's
 * cpuid.rst.
 */
#include "unit.h"

#define X86 GCPU_ARCH_X86
#define FEATURES_MOST 32
#define BIT(n) (1U << (n))
#define CALLS (BIT(9) | BIT(11) | BIT(13)) /* and the flush, by the page of steal time */
#define SAFE (BIT(0) | BIT(1) | BIT(3) | BIT(5) | BIT(6) | BIT(12) | BIT(24))

static const struct {
	const char *name;
	uint32_t has; /* of leaf 0x40000001, EAX */
} presets[] = {
	{ "none", 0 },
	{ "safe", SAFE },
	{ "migratable", SAFE | CALLS },
	{ "latency", (SAFE & ~BIT(0)) | CALLS | BIT(4) | BIT(7) | BIT(14) },
	{ "all", SAFE | CALLS | BIT(4) | BIT(7) | BIT(10) | BIT(14) | BIT(15) | BIT(16) | BIT(17) },
};
#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

static const char *const models[] = { "host", "max", "base", "qemu64", "kvm64" };

struct rows {
	unsigned n; /* presets */
	unsigned members;
	const char *feature[FEATURES_MOST]; /* of the last preset */
	bool on[FEATURES_MOST];
};

static int take_bit(void *ctx, const struct gcpu_feature_info *f)
{
	struct gcpu_feature_info *ret = ctx;

	*ret = *f;
	return 0;
}

/* What lies in another register than EAX is the hint, which is in none. */
static bool in_preset(const struct gcpu_feature_info *f, uint32_t has)
{
	return strcmp(f->word, "CPUID.0x40000001.0x0.eax") == 0 && (has >> f->lsb & 1);
}

static int check_row(void *ctx, const struct gcpu_preset_info *i)
{
	struct rows *r = ctx;
	struct gcpu_feature_info f = { 0 };
	bool has;

	CHECK(strcmp(i->property, "pv") == 0 && i->reason[0], "%s", i->name);
	if (!i->feature) {
		CHECK(r->n < N_PRESETS && strcmp(presets[r->n].name, i->name) == 0, "%s", i->name);
		r->n++;
		r->members = 0;
		return 0;
	}
	CHECK(gcpu_feature_members(X86, i->feature, take_bit, &f) == 0, "%s", i->feature);
	has = in_preset(&f, presets[r->n - 1].has);
	CHECK(i->on == has, "%s: %s", i->name, i->feature);
	CHECK(strcmp(f.kind, "pv") == 0 || strcmp(f.kind, "vmm") == 0, "%s", i->feature);
	r->feature[r->members] = i->feature;
	r->on[r->members++] = i->on;
	return 0;
}

static int stop(void *ctx, const struct gcpu_preset_info *i)
{
	*(unsigned *)ctx += 1;
	return i->feature ? 7 : 0;
}

static void test_catalogue(void)
{
	struct rows r = { .n = 0 };
	unsigned n = 0;

	CHECK(gcpu_presets(X86, check_row, &r) == 0, "x86");
	CHECK(r.n == N_PRESETS && r.members == 18, "%u presets, %u features", r.n, r.members);
	CHECK(gcpu_presets(X86, stop, &n) == 7 && n == 2, "the answer of the visitor: %u", n);
	CHECK(gcpu_presets(GCPU_ARCH_ARM64, stop, &n) == 0 && n == 2, "arm64 has none");
	CHECK(gcpu_presets(0, stop, &n) == GCPU_ERR_ARGUMENT, "no architecture");
}

static struct gcpu_plan *make_plan(const struct gcpu_snapshot *snap, const char *request,
				   const struct gcpu_machine *m)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_error err;

	CHECK(gcpu_request_parse(X86, request, &req, &err) == 0, "%s: %s", request, err.text);
	CHECK(gcpu_plan_make(snap, req, m, &plan, &err) == 0, "%s: %s", request, err.text);
	gcpu_request_free(req);
	if (!plan)
		exit(1);
	return plan;
}

static uint32_t bits(const struct gcpu_plan *p, unsigned reg)
{
	struct gcpu_cpuid e[256];
	size_t n = 256;

	CHECK(gcpu_plan_cpuid(p, 0, e, &n) == 0, "CPUID");
	for (size_t i = 0; i < n; i++)
		if (e[i].leaf == 0x40000001)
			return reg ? e[i].edx : e[i].eax;
	return 0;
}

/* What is not there although it is offered: the wish for a flush has no page, an MSI no use. */
static bool pointless(const struct gcpu_plan *p, const char *feature)
{
	return (strcmp(feature, "kvm-pv-tlb-flush") == 0 && !gcpu_plan_has(p, GCPU_X86_KVM_STEAL_TIME)) ||
	       (strcmp(feature, "kvm-msi-ext-dest-id") == 0 && !gcpu_plan_has(p, GCPU_X86_X2APIC));
}

static int no_warning(void *ctx, const struct gcpu_finding *f)
{
	CHECK(!f->feature || strncmp(f->feature, "kvm", 3) != 0 || strcmp(f->severity, "note") == 0, "%s: %s",
	      (const char *)ctx, f->text);
	return 0;
}

static void check_preset(const struct gcpu_snapshot *snap, const char *model, size_t k,
			 const struct gcpu_machine *m)
{
	struct rows r = { .n = 0 };
	char text[100];
	struct gcpu_plan *p;

	snprintf(text, sizeof(text), "%s,pv=%s", model, presets[k].name);
	p = make_plan(snap, text, m);
	CHECK((bits(p, 0) & ~presets[k].has) == 0 && bits(p, 1) == 0, "%s on %s: 0x%x", text,
	      gcpu_snapshot_name(snap), bits(p, 0));
	gcpu_plan_findings(p, no_warning, text);
	gcpu_presets(X86, check_row, &r);
	for (unsigned i = 0; i < r.members; i++) {
		struct gcpu_standing s = { .size = sizeof(s) };
		struct gcpu_feature_info f = { 0 };
		bool has;

		gcpu_plan_standing(p, r.feature[i], &s, NULL);
		gcpu_feature_members(X86, r.feature[i], take_bit, &f);
		has = in_preset(&f, presets[k].has);
		CHECK(s.on == (has && s.offered && !pointless(p, r.feature[i])), "%s on %s: %s is %d", text,
		      gcpu_snapshot_name(snap), r.feature[i], s.on);
		CHECK(!s.asked, "%s: nobody named %s", text, r.feature[i]);
	}
	gcpu_plan_free(p);
}

/* One word about a feature, before and behind the preset: the same, and the word counts. */
static void check_word(const struct gcpu_snapshot *snap, const char *model, const char *preset,
		       const char *feature, char sign, const struct gcpu_machine *m)
{
	char before[120], after[120];
	struct gcpu_standing s = { .size = sizeof(s) };
	struct gcpu_plan *p, *q;

	snprintf(before, sizeof(before), "%s,%c%s,pv=%s", model, sign, feature, preset);
	snprintf(after, sizeof(after), "%s,pv=%s,%s=%s", model, preset, feature, sign == '+' ? "on" : "off");
	p = make_plan(snap, before, m);
	q = make_plan(snap, after, m);
	gcpu_plan_standing(p, feature, &s, NULL);
	CHECK(s.on == (sign == '+' && s.offered && !pointless(p, feature)), "%s on %s: %d", before,
	      gcpu_snapshot_name(snap), s.on);
	CHECK(bits(p, 0) == bits(q, 0) && bits(p, 1) == bits(q, 1), "%s and %s on %s", before, after,
	      gcpu_snapshot_name(snap));
	gcpu_plan_free(p);
	gcpu_plan_free(q);
}

static void check_host(const struct gcpu_snapshot *snap)
{
	static const enum gcpu_irqchip irqchips[] = { GCPU_IRQCHIP_KERNEL, GCPU_IRQCHIP_SPLIT,
						      GCPU_IRQCHIP_USER, GCPU_IRQCHIP_NONE };
	struct rows r = { .n = 0 };
	struct gcpu_machine m;

	gcpu_presets(X86, check_row, &r);
	gcpu_machine_init(&m);
	for (unsigned i = 0; i < 4; i++) {
		m.irqchip = irqchips[i];
		m.handles = i % 2 ? 7 : 0; /* all that there is */
		m.accept_x2apic_ids = i % 2;
		for (size_t model = 0; model < sizeof(models) / sizeof(models[0]); model++)
			for (size_t k = 0; k < N_PRESETS; k++)
				check_preset(snap, models[model], k, &m);
	}
	m.irqchip = GCPU_IRQCHIP_SPLIT;
	m.handles = 7;
	for (unsigned i = 0; i < r.members; i++) {
		const char *preset = presets[i % N_PRESETS].name;

		check_word(snap, models[i % 5], preset, r.feature[i], '-', &m);
		check_word(snap, models[(i + 1) % 5], preset, r.feature[i], '+', &m);
		check_word(snap, "host", "all", r.feature[i], '-', &m);
		check_word(snap, "host", "none", r.feature[i], '+', &m);
	}
}

static int count_step(void *ctx, const struct gcpu_reason *r)
{
	char *rules = ctx;

	snprintf(rules + strlen(rules), 400 - strlen(rules), "%s;%s\n", r->rule, r->sentence);
	return 0;
}

/* The chain has the preset's name and the reason of the row itself. */
static void test_reasons(const struct gcpu_snapshot *snap)
{
	char chain[400] = "";
	struct gcpu_property_standing s = { .size = sizeof(s) };
	struct gcpu_plan *p = make_plan(snap, "host,pv=SAFE", NULL);

	CHECK(gcpu_plan_explain(p, "kvm-asyncpf-int", count_step, chain, NULL) == 0, "explain");
	CHECK(strstr(chain, "preset-lacks;pv=safe leaves it out: ") && strstr(chain, "5.13"), "%s", chain);
	chain[0] = 0;
	CHECK(gcpu_plan_explain(p, "kvm-steal-time", count_step, chain, NULL) == 0, "explain");
	CHECK(strstr(chain, "preset-has;pv=safe has it: "), "%s", chain);
	CHECK(gcpu_plan_property(p, "pv", &s, NULL) == 0 && s.asked && s.has_value &&
	      strcmp(s.text, "safe") == 0, "'%s'", s.text);
	gcpu_plan_free(p);
	p = make_plan(snap, "host", NULL);
	CHECK(gcpu_plan_property(p, "pv", &s, NULL) == 0 && !s.asked && !s.has_value, "'%s'", s.text);
	gcpu_plan_free(p);
}

int main(void)
{
	unsigned hosts = 0;

	test_catalogue();
	for (unsigned i = 0; gcpu_snapshot_bundled_name(i); i++) {
		struct gcpu_snapshot *snap = NULL;

		CHECK(gcpu_snapshot_bundled(gcpu_snapshot_bundled_name(i), &snap, NULL) == 0, "%u", i);
		if (snap && gcpu_snapshot_arch(snap) == X86) {
			check_host(snap);
			test_reasons(snap);
			hosts++;
		}
		gcpu_snapshot_free(snap);
	}
	CHECK(hosts > 2, "%u hosts", hosts);
	return unit_end();
}
