/* SPDX-License-Identifier: MIT */
/*
 * What would turn a feature on or off: on every bundled host, for every feature, each
 * advice is tried once more from its own words, and what the host gives under other
 * circumstances is found from the ones at hand. Some are known from KVM's and QEMU's
 * documents, and stand here in full.
 */
#include "unit.h"

#include "core/plan.h"

#define X86 GCPU_ARCH_X86
#define ARM64 GCPU_ARCH_ARM64
#define MWAIT (1U << EXIT_BIT_MWAIT)
#define HLT (1U << EXIT_BIT_HLT)
#define MSI_EXT (1U << HANDLE_BIT_MSI_EXT_DEST_ID)
#define ALL_EXITS 0x1fU

struct setting {
	const char *request;
	int irqchip, gic;
	uint32_t exits, handles;
};

static const struct setting plain = { "host", GCPU_IRQCHIP_KERNEL, GCPU_GIC_V3, 0, 0 };

static void set_up(struct gcpu_machine *m, const struct setting *s, const struct gcpu_snapshot *snap)
{
	gcpu_machine_init(m);
	m->irqchip = (enum gcpu_irqchip)s->irqchip;
	m->gic = (enum gcpu_gic)s->gic;
	m->disable_exits = s->exits;
	m->handles = s->handles;
	while (!gcpu_snapshot_has_gic(snap, m->gic))
		m->gic--;
}

static struct gcpu_plan *make_plan(const struct gcpu_snapshot *snap, const char *request,
				   const struct gcpu_machine *m)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_error err;

	CHECK(gcpu_request_parse(gcpu_snapshot_arch(snap), request, &req, &err) == 0, "%s: %s", request,
	      err.text);
	if (req)
		CHECK(gcpu_plan_make(snap, req, m, &plan, &err) == 0, "%s: %s", request, err.text);
	gcpu_request_free(req);
	return plan;
}

/* What is expected of the advice, and what came. */
struct seen {
	const struct gcpu_snapshot *snap;
	const char *name;
	bool on;
	unsigned n;
	const struct setting *wanted;
	bool found;
};

static int look(void *ctx, const struct gcpu_advice *a)
{
	struct seen *s = ctx;
	struct gcpu_plan *p = make_plan(s->snap, a->request, a->machine);
	struct gcpu_standing st = { .size = sizeof(st) };
	const struct setting *w = s->wanted;

	s->n++;
	if (!p)
		return 0;
	CHECK(gcpu_plan_standing(p, s->name, &st, NULL) == 0, "%s", s->name);
	CHECK(s->on ? st.on : !st.some, "%s on %s: '%s' does not turn it %s", s->name,
	      gcpu_snapshot_name(s->snap), a->request, s->on ? "on" : "off");
	CHECK(!st.forced_on && !st.forced_off, "%s on %s: '%s', and KVM does otherwise", s->name,
	      gcpu_snapshot_name(s->snap), a->request);
	CHECK(!gcpu_plan_refused(p), "%s on %s: '%s' is refused", s->name, gcpu_snapshot_name(s->snap),
	      a->request);
	if (w && strcmp(a->request, w->request) == 0 && (int)a->machine->irqchip == w->irqchip &&
	    (int)a->machine->gic == w->gic && a->machine->disable_exits == w->exits &&
	    a->machine->handles == w->handles)
		s->found = true;
	gcpu_plan_free(p);
	return 0;
}

/* Known from elsewhere: on HOST with BEFORE, AFTER is the way. n is how many ways there are. */
static const struct {
	const char *host;
	struct setting before;
	const char *name;
	bool on;
	struct setting after;
	const char *source;
} known[] = {
	{ "x86-amd-rome-6-12", { "host", 0, 2, 0, 0 }, "svm", true, { "host,+svm", 0, 2, 0, 0 },
	  "host has svm off unless asked for: design, QEMU does not; kvm_amd nested" },
	{ "x86-amd-rome-6-12", { "host", 0, 2, 0, 0 }, "npt", true, { "host,+npt", 0, 2, 0, 0 },
	  "QEMU feature_dependencies: svm is brought along" },
	{ "x86-amd-rome-6-12", { "host", 0, 2, 0, 0 }, "monitor", true, { "host", 0, 2, MWAIT, 0 },
	  "api.rst 7.13" },
	{ "x86-amd-rome-6-12", { "host", 0, 2, HLT, 0 }, "kvm-pv-unhalt", true, { "host", 0, 2, 0, 0 },
	  "api.rst 7.13" },
	{ "x86-amd-rome-6-12", { "host", 0, 2, 0, 0 }, "kvm-msi-ext-dest-id", true,
	  { "host", 1, 2, 0, MSI_EXT }, "QEMU kvm-pv.rst" },
	{ "x86-amd-rome-6-12", { "host,-x2apic", 1, 2, 0, MSI_EXT }, "kvm-msi-ext-dest-id", true,
	  { "host", 1, 2, 0, MSI_EXT }, "QEMU kvm-pv.rst" },
	{ "x86-amd-rome-6-12", { "host", 3, 2, 0, 0 }, "x2apic", true, { "host", 0, 2, 0, 0 },
	  "api.rst 9.1" },
	{ "x86-amd-rome-6-12", { "host", 2, 2, 0, 0 }, "kvm-asyncpf", true, { "host", 0, 2, 0, 0 },
	  "x86.c: kvm_pv_enable_async_pf" },
	{ "x86-amd-rome-6-12", { "host,kvm=off", 0, 2, 0, 0 }, "kvm-pv-eoi", true, { "host", 0, 2, 0, 0 },
	  "QEMU property kvm" },
	{ "x86-amd-rome-6-12", { "host,pv=none", 0, 2, 0, 0 }, "kvm-pv-eoi", true, { "host", 0, 2, 0, 0 },
	  "guestcpu(1): a preset turns off what it does not have" },
	{ "x86-amd-rome-6-12", { "host,avx2,pv=none,-fma", 0, 2, 0, 0 }, "kvm-pv-eoi", true,
	  { "host,avx2,pv=none,-fma,+kvm-pv-eoi", 0, 2, 0, 0 }, "guestcpu(1): single words win" },
	{ "x86-amd-rome-6-12", { "host,pv=safe", 0, 2, 0, 0 }, "kvm-pv-tlb-flush", true,
	  { "host,pv=safe,+kvm-pv-tlb-flush", 0, 2, 0, 0 }, "guestcpu(1): single words win" },
	{ "x86-amd-rome-6-12", { "host,pv=none", 1, 2, 0, MSI_EXT }, "kvm-msi-ext-dest-id", true,
	  { "host", 1, 2, 0, MSI_EXT }, "QEMU kvm-pv.rst" },
	{ "x86-amd-rome-6-12", { "qemu64,pv=latency", 0, 2, 0, 0 }, "kvm-pv-unhalt", false,
	  { "qemu64", 0, 2, 0, 0 }, "QEMU kvm-pv.rst: named models do not have it" },
	{ "x86-amd-rome-6-12", { "host,pv=all,kvm=off", 0, 2, 0, 0 }, "kvm-pv-eoi", true,
	  { "host,pv=all", 0, 2, 0, 0 }, "QEMU property kvm" },
	{ "x86-amd-rome-6-12", { "host", 0, 2, 0, 0 }, "kvmclock", false, { "host,-kvmclock", 0, 2, 0, 0 },
	  "QEMU kvm-pv.rst: one name, two bits" },
	{ "x86-amd-rome-6-12", { "host,-kvmclock2", 0, 2, 0, 0 }, "kvmclock", true, { "host", 0, 2, 0, 0 },
	  "QEMU kvm-pv.rst: one name, two bits" },
	{ "x86-amd-rome-6-12", { "host,-avx,-fma", 0, 2, 0, 0 }, "avx2", true, { "host,-fma", 0, 2, 0, 0 },
	  "Intel SDM: AVX2 needs AVX" },
	{ "x86-amd-rome-6-12", { "host,-avx,-avx2", 0, 2, 0, 0 }, "avx2", true, { "host", 0, 2, 0, 0 },
	  "Intel SDM: AVX2 needs AVX" },
	{ "x86-amd-rome-6-12", { "qemu64", 0, 2, 0, 0 }, "avx2", true, { "qemu64,+avx2", 0, 2, 0, 0 },
	  "QEMU grammar" },
	{ "x86-amd-rome-6-12", { "host", 0, 2, 0, 0 }, "rdctl-no", true,
	  { "host,+arch-capabilities", 0, 2, 0, 0 }, "QEMU: not on AMD unless asked for; a bit of that MSR" },
	{ "x86-amd-rome-6-12", { "host,+svm", 0, 2, 0, 0 }, "svm", false, { "host", 0, 2, 0, 0 },
	  "QEMU grammar" },
	{ "x86-amd-rome-6-12", { "host", 0, 2, 0, 0 }, "xcr0-avx", false, { "host,-avx", 0, 2, 0, 0 },
	  "Intel SDM, 13.1" },
	{ "arm64-kvm-max-6-12", { "host", 0, 2, 0, 0 }, "FEAT_SVE", false, { "host,-FEAT_SVE", 0, 2, 0, 0 },
	  "vcpu-features.rst; KVM_ARM_VCPU_SVE" },
	{ "arm64-kvm-max-6-12", { "host,-sve", 0, 2, 0, 0 }, "FEAT_SVE", true, { "host", 0, 2, 0, 0 },
	  "vcpu-features.rst; KVM_ARM_VCPU_SVE" },
	{ "arm64-kvm-max-6-12", { "host", 0, 2, 0, 0 }, "FEAT_MTE2", true, { "host,mte=on", 0, 2, 0, 0 },
	  "api.rst 7.26, KVM_CAP_ARM_MTE" },
	{ "arm64-kvm-max-6-12", { "host", 0, 0, 0, 0 }, "FEAT_GICv3", true, { "host", 0, 2, 0, 0 },
	  "sys_regs.c, vgic" },
	{ "arm64-kvm-max-6-12", { "host,ID_AA64ISAR0_EL1.AES=0", 0, 2, 0, 0 }, "FEAT_AES", true,
	  { "host", 0, 2, 0, 0 }, "Features.json: FEAT_AES is AES >= 1" },
};

/* And where there is none. */
static const struct {
	const char *host, *name;
	bool on;
	enum gcpu_lack lack;
	const char *source;
} hopeless[] = {
	{ "x86-amd-rome-6-12", "avx512f", true, GCPU_LACK_CPU, "EPYC 7002 has no AVX-512" },
	{ "x86-amd-rome-6-12", "kvm-mmu", true, GCPU_LACK_NEVER, "QEMU kvm-pv.rst" },
	{ "x86-amd-rome-6-12", "fdp-excptn-only", false, GCPU_LACK_NOTHING, "errata.rst" },
	{ "x86-amd-rome-6-12", "smx", true, GCPU_LACK_NEVER, "cpuid.c" },
	{ "arm64-kvm-max-6-12", "nested", true, GCPU_LACK_KERNEL, "KVM_CAP_ARM_EL2, 6.16" },
	{ "arm64-kvm-max-6-12", "ID_AA64MMFR3_EL1.S1PIE", true, GCPU_LACK_KERNEL, "sys_regs.c, 6.13" },
	{ "arm64-kvm-neoverse-n1-6-12", "sve", true, GCPU_LACK_HOST, "Neoverse N1 has no SVE" },
};

static struct gcpu_snapshot *bundled(const char *name)
{
	struct gcpu_snapshot *snap = NULL;
	struct gcpu_error err;

	CHECK(gcpu_snapshot_bundled(name, &snap, &err) == 0, "%s", err.text);
	if (!snap)
		exit(1);
	return snap;
}

static void test_known(void)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct gcpu_snapshot *snap = bundled(known[i].host);
		struct seen s = { snap, known[i].name, known[i].on, 0, &known[i].after, false };
		struct gcpu_machine m;
		struct gcpu_plan *p;

		set_up(&m, &known[i].before, snap);
		p = make_plan(snap, known[i].before.request, &m);
		CHECK(gcpu_plan_advise(p, known[i].name, known[i].on, look, &s, NULL) == 0, "%s", known[i].name);
		CHECK(s.found, "%s: '%s' is not the advice against '%s' (%s)", known[i].name,
		      known[i].after.request, known[i].before.request, known[i].source);
		/* what is so already needs none; a group may be so in part */
		s.n = 0;
		s.on = !s.on;
		CHECK(gcpu_plan_advise(p, known[i].name, s.on, look, &s, NULL) == 0, "%s", known[i].name);
		CHECK(!s.n || strcmp(known[i].before.request, "host,-kvmclock2") == 0, "%s", known[i].name);
		gcpu_plan_free(p);
		gcpu_snapshot_free(snap);
	}
}

static void test_hopeless(void)
{
	for (size_t i = 0; i < sizeof(hopeless) / sizeof(hopeless[0]); i++) {
		struct gcpu_snapshot *snap = bundled(hopeless[i].host);
		struct seen s = { snap, hopeless[i].name, hopeless[i].on, 0, NULL, false };
		struct gcpu_standing st = { .size = sizeof(st) };
		struct gcpu_machine m;
		struct gcpu_plan *p;

		set_up(&m, &plain, snap);
		p = make_plan(snap, "host", &m);
		CHECK(gcpu_plan_advise(p, hopeless[i].name, hopeless[i].on, look, &s, NULL) == 0 && !s.n,
		      "%s: %u ways where there is none (%s)", hopeless[i].name, s.n, hopeless[i].source);
		CHECK(gcpu_plan_standing(p, hopeless[i].name, &st, NULL) == 0 && st.lack == hopeless[i].lack,
		      "%s lacks %d, not %d (%s)", hopeless[i].name, st.lack, hopeless[i].lack,
		      hopeless[i].source);
		gcpu_plan_free(p);
		gcpu_snapshot_free(snap);
	}
}

/* From where every feature of every host is asked after. */
static const struct setting settings[2][5] = {
	{ { "host", 0, 2, 0, 0 },
	  { "qemu64,+avx2,-sse4.2", 1, 2, 0, 7 },
	  { "base", 0, 2, 0, 0 },
	  { "host,kvm=off,-avx,-sse2", 3, 2, ALL_EXITS, 0 },
	  { "max,migratable=off,check=off,+svm,+invtsc,-apic", 2, 2, HLT, 7 } },
	{ { "host", 0, 2, 0, 0 },
	  { "max,-sve,ID_AA64ISAR0_EL1.AES=0,-FEAT_CRC32", 0, 0, 0, 0 },
	  { "host,mte=on,-pauth", 0, 2, 0, 0 },
	  { "host,pmu=off,FEAT_SHA256=off", 0, 1, 0, 0 },
	  { "max,migratable=off,el1-32bit=on", 0, 2, 0, 0 } },
};

struct all {
	struct gcpu_snapshot *snap;
	struct gcpu_plan *plan, *plain;
	const struct setting *setting;
	unsigned asked, told, nth;
};

/* Under valgrind every so many features are enough. */
static unsigned every = 1;

static int each(void *ctx, const struct gcpu_feature_info *f)
{
	struct all *a = ctx;
	struct gcpu_standing now = { .size = sizeof(now) }, then = { .size = sizeof(then) };

	if (a->nth++ % every)
		return 0;
	CHECK(gcpu_plan_standing(a->plan, f->name, &now, NULL) == 0, "%s", f->name);
	CHECK(gcpu_plan_standing(a->plain, f->name, &then, NULL) == 0, "%s", f->name);
	CHECK(!f->id || now.on == gcpu_plan_has(a->plan, f->id), "%s", f->name);
	CHECK((now.offered || now.on) == (now.lack == GCPU_LACK_NOTHING), "%s: on %d, offered %d, lacks %d",
	      f->name, now.on, now.offered, now.lack);
	for (int on = 0; on < 2; on++) {
		struct seen s = { a->snap, f->name, on, 0, NULL, false };

		CHECK(gcpu_plan_advise(a->plan, f->name, on, look, &s, NULL) == 0, "%s", f->name);
		CHECK(s.n <= GCPU_ADVICE_MOST, "%s: %u ways", f->name, s.n);
		a->asked++;
		a->told += s.n;
		/* the plain plan of the same host has it so: there is a way */
		if (strncmp(f->owner, "chosen", 6) || then.forced_on || then.forced_off)
			continue;
		if ((on ? then.on && !now.on : !then.some && now.some) && !now.forced_on && !now.forced_off)
			CHECK(s.n, "%s: no way %s on %s with '%s', and 'host' is one", f->name, on ? "on" : "off",
			      gcpu_snapshot_name(a->snap), a->setting->request);
	}
	return 0;
}

static void test_all(void)
{
	unsigned asked = 0, told = 0;

	for (unsigned i = 0; gcpu_snapshot_bundled_name(i); i++) {
		struct all a = { .snap = bundled(gcpu_snapshot_bundled_name(i)) };
		enum gcpu_arch arch = gcpu_snapshot_arch(a.snap);
		struct gcpu_machine m;

		set_up(&m, &plain, a.snap);
		a.plain = make_plan(a.snap, "host", &m);
		for (unsigned k = 0; k < 5; k++) {
			a.setting = &settings[arch == ARM64][k];
			set_up(&m, a.setting, a.snap);
			a.plan = make_plan(a.snap, a.setting->request, &m);
			if (a.plan)
				gcpu_features(arch, each, &a);
			gcpu_plan_free(a.plan);
		}
		gcpu_plan_free(a.plain);
		gcpu_snapshot_free(a.snap);
		asked += a.asked;
		told += a.told;
	}
	printf("%u questions, %u advices, each tried\n", asked, told);
	CHECK(asked > 50000 / every && told > 2500 / every, "%u questions, %u advices", asked, told);
}

struct rows {
	unsigned n;
	bool found;
	const char *child, *parent;
};

static int row(void *ctx, const struct gcpu_requirement *r)
{
	struct rows *rows = ctx;

	rows->n++;
	for (unsigned i = 0; i < r->n; i++)
		if (strcmp(r->child, rows->child) == 0 && strcmp(r->parents[i], rows->parent) == 0 && r->source[0])
			rows->found = true;
	return 0;
}

/* Intel SDM: AVX2 needs AVX, which needs XSAVE; either of two makes opmask state. Arm: SHA2 needs SHA1. */
static void test_family(void)
{
	static const struct {
		enum gcpu_arch arch;
		const char *name, *child, *parent;
		bool below;
	} t[] = {
		{ X86, "avx2", "avx2", "avx", false },
		{ X86, "AVX", "avx", "xsave", false },
		{ X86, "xsave", "avx", "xsave", true },
		{ X86, "xcr0-avx512-opmask", "xcr0-avx512-opmask", "avx10", false },
		{ X86, "avx10", "xcr0-avx512-opmask", "avx10", true },
		{ X86, "kvmclock", "kvmclock-stable-bit", "kvmclock2", true },
		{ ARM64, "FEAT_SHA256", "FEAT_SHA256", "FEAT_SHA1", false },
		{ ARM64, "FEAT_SHA512", "FEAT_SHA256", "FEAT_SHA1", false },
		{ ARM64, "ID_AA64ISAR0_EL1.SHA1", "FEAT_SHA3", "FEAT_SHA1", true },
		{ ARM64, "FEAT_PMULL", "FEAT_SVE_PMULL128", "FEAT_PMULL", true },
		{ ARM64, "FEAT_SVE_AES", "FEAT_SVE_AES", "FEAT_SVE2", false },
		{ ARM64, "FEAT_LVA", "FEAT_LPA2", "FEAT_LVA", true },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct rows r = { 0, false, t[i].child, t[i].parent };

		CHECK((t[i].below ? gcpu_feature_needed_by : gcpu_feature_needs)(t[i].arch, t[i].name, row, &r) == 0,
		      "%s", t[i].name);
		CHECK(r.found, "%s: %u rows, none with %s below %s", t[i].name, r.n, t[i].child, t[i].parent);
	}
	CHECK(gcpu_feature_needs(X86, "nosuch", row, NULL) == GCPU_ERR_NAME, "no such name");
	CHECK(gcpu_feature_needs(X86, "avx2", NULL, NULL) == GCPU_ERR_ARGUMENT, "no visitor");
	CHECK(gcpu_feature_needed_by(X86, NULL, row, NULL) == GCPU_ERR_NAME, "no name");
}

/* data/README.md: mainline first, then the first of each stable series that has it. */
static void test_kernels(void)
{
	static const struct {
		const char *since, *kernel;
		bool old;
	} t[] = {
		{ "6.16", "6.12.117+deb12-cloud-amd64", true },
		{ "6.16", "6.16.0", false },
		{ "6.16", "6.16-rc1", false },
		{ "6.16", "7.0", false },
		{ "6.16", "5.19.17", true },
		{ "6.16 6.15.6 6.12.37 6.6.97", "6.12.36", true },
		{ "6.16 6.15.6 6.12.37 6.6.97", "6.12.37", false },
		{ "6.16 6.15.6 6.12.37 6.6.97", "6.12.100-1-amd64", false },
		{ "6.16 6.15.6 6.12.37 6.6.97", "6.13.12", true },
		{ "6.16 6.15.6 6.12.37 6.6.97", "6.1.170", true },
		{ "6.16 6.15.6 6.12.37 6.6.97", "6.17", false },
		{ "2.6.38", "3.0", false },
		{ "2.6.38", "2.6.32", true },
		{ "6.16 6.15.6 6.1.176", "6.1.0", true },
		{ "6.16 6.15.6 6.12.37", "6.1.0-56-cloud-amd64", true },
		/* nothing certain */
		{ "6.16 6.15.6 6.1.176", "6.1.0-56-cloud-amd64", false },
		{ "6.9 6.8.5", "6.8.0-40-generic", false },
		{ "<=6.1", "5.10.1", false },
		{ "<=6.16.1", "6.12", false },
		{ "?", "4.4", false },
		{ "-", "4.4", false },
		{ "6.16", "unknown", false },
		{ "6.16", "", false },
		{ "6.16", "6", false },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		CHECK(kernel_too_old(t[i].since, t[i].kernel) == t[i].old, "'%s' and '%s'", t[i].since,
		      t[i].kernel);
}

static int take_vendors(void *ctx, const struct gcpu_feature_info *f)
{
	*(const char **)ctx = f->vendors ? f->vendors : "any";
	return 0;
}

/* Intel SDM and AMD APM: VMX is of Intel, which Centaur has too; SVM is AMD's; SSE2 everybody's. */
static void test_vendors(void)
{
	static const char *const t[][2] = { { "vmx", "intel+centaur" }, { "sse2", "any" }, { "topoext", "amd" } };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *found = NULL;

		gcpu_feature_members(X86, t[i][0], take_vendors, &found);
		CHECK(found && strcmp(found, t[i][1]) == 0, "%s: %s", t[i][0], found);
	}
}

static int stop(void *ctx, const struct gcpu_advice *a)
{
	(void)a;
	++*(int *)ctx;
	return 7;
}

static void test_misuse(void)
{
	struct gcpu_snapshot *snap = bundled("x86-amd-rome-6-12");
	struct gcpu_plan *p = make_plan(snap, "host", NULL);
	struct gcpu_standing st = { .size = 0 };
	struct { struct gcpu_standing s; uint64_t newer; } longer = { .s = { .size = sizeof(longer) }, .newer = 9 };
	struct gcpu_error err = { 0 };
	int n = 0;

	CHECK(gcpu_plan_advise(p, "avx2", false, stop, &n, NULL) == 7 && n == 1, "what the visitor returns");
	CHECK(gcpu_plan_advise(NULL, "avx2", false, stop, &n, NULL) == GCPU_ERR_ARGUMENT, "no plan");
	CHECK(gcpu_plan_advise(p, "avx2", false, NULL, &n, NULL) == GCPU_ERR_ARGUMENT, "no visitor");
	CHECK(gcpu_plan_advise(p, "avx22", false, stop, &n, &err) == GCPU_ERR_NAME, "no such name");
	CHECK(strcmp(err.near[0], "avx2") == 0, "nearest is '%s'", err.near[0]);
	CHECK(gcpu_plan_standing(p, "avx2", &st, NULL) == GCPU_ERR_ARGUMENT, "no size");
	CHECK(gcpu_plan_standing(p, "avx2", NULL, NULL) == GCPU_ERR_ARGUMENT, "no result");
	CHECK(gcpu_plan_standing(p, "avx2", &longer.s, NULL) == 0 && longer.s.on && longer.newer == 0,
	      "a newer caller's members are 0");
	gcpu_plan_free(p);
	gcpu_snapshot_free(snap);
}

int main(void)
{
	if (getenv("UNIT_EVERY"))
		every = (unsigned)strtoul(getenv("UNIT_EVERY"), NULL, 10);
	every = every ? every : 1;
	test_known();
	test_hopeless();
	test_all();
	test_family();
	test_kernels();
	test_vendors();
	test_misuse();
	return unit_end();
}
