/* SPDX-License-Identifier: MIT */
/* A program that calls the library wrongly gets an error or a neutral answer. */
#include "hosts.h"
#include "unit.h"

#include <guestcpu/guestcpu.h>
#include <limits.h>

static int visit_reason(void *ctx, const struct gcpu_reason *r)
{
	(void)ctx;
	(void)r;
	return 0;
}

static struct gcpu_plan *plan_for(const struct gcpu_snapshot *snap, const char *text)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_error err;

	CHECK(gcpu_request_parse(gcpu_snapshot_arch(snap), text, &req, &err) == 0, "%s", err.text);
	CHECK(gcpu_plan_make(snap, req, NULL, &plan, &err) == 0, "%s", err.text);
	gcpu_request_free(req);
	return plan;
}

static void nothing(void)
{
	const uint32_t regs[4] = { 0 };
	struct gcpu_kvm none = { NULL, NULL };
	struct gcpu_snapshot *snap = NULL;

	CHECK(gcpu_plan_refused(NULL), "a plan that is none must not be applied");
	CHECK(!gcpu_plan_has(NULL, 1) && gcpu_plan_vcpus(NULL) == 0 && gcpu_plan_vcpu_id(NULL, 0) == 0, "plan");
	CHECK(gcpu_plan_findings(NULL, NULL, NULL) == GCPU_ERR_ARGUMENT, "findings");
	CHECK(gcpu_plan_recipe(NULL, NULL, NULL) == GCPU_ERR_ARGUMENT, "recipe");
	CHECK(gcpu_plan_explain(NULL, "x", visit_reason, NULL, NULL) == GCPU_ERR_ARGUMENT, "explain");
	CHECK(gcpu_plan_advise(NULL, "x", true, NULL, NULL, NULL) == GCPU_ERR_ARGUMENT, "advise");
	CHECK(gcpu_plan_standing(NULL, "x", NULL, NULL) == GCPU_ERR_ARGUMENT, "standing");
	CHECK(gcpu_models(GCPU_ARCH_X86, NULL, NULL) == GCPU_ERR_ARGUMENT, "models");
	CHECK(gcpu_presets(GCPU_ARCH_X86, NULL, NULL) == GCPU_ERR_ARGUMENT, "presets");
	CHECK(gcpu_plan_property(NULL, "x", NULL, NULL) == GCPU_ERR_ARGUMENT, "property");
	CHECK(gcpu_plan_property_findings(NULL, "x", NULL, NULL, NULL) == GCPU_ERR_ARGUMENT, "property findings");
	CHECK(gcpu_feature_needs(0, "x", NULL, NULL) == GCPU_ERR_NAME, "needs");
	CHECK(gcpu_request_text(NULL) == NULL && gcpu_snapshot_arch(NULL) == 0, "text, arch");
	CHECK(gcpu_snapshot_name(NULL) && gcpu_snapshot_hash(NULL) && gcpu_snapshot_vendor(NULL) &&
	      gcpu_snapshot_kernel(NULL) && gcpu_snapshot_module(NULL), "never NULL");
	CHECK(gcpu_exit_by_name(NULL) == -1 && gcpu_handle_by_name(NULL) == -1, "no name");
	CHECK(!gcpu_snapshot_has_gic(NULL, GCPU_GIC_V3), "no snapshot");
	CHECK(gcpu_view_guest_cpuid(NULL, 0, 0, regs) == GCPU_ERR_ARGUMENT, "view");
	CHECK(gcpu_view_guest_msr(NULL, 0, 0) == GCPU_ERR_ARGUMENT, "view");
	CHECK(gcpu_view_guest_register(NULL, 0, 0) == GCPU_ERR_ARGUMENT, "view");
	CHECK(gcpu_view_questions(NULL, NULL, NULL) == GCPU_ERR_ARGUMENT, "view");
	CHECK(gcpu_verify(NULL, NULL, 0, NULL, NULL, NULL) == GCPU_ERR_ARGUMENT, "verify");
	CHECK(gcpu_snapshot_probe(&none, 0, NULL, &snap, NULL) == GCPU_ERR_ARGUMENT, "no operations");
	gcpu_machine_init(NULL);
}

/* Compiled into callers and exported: both say the same of every number, and no others are on. */
static void numbers(const struct gcpu_snapshot *snap)
{
	static const unsigned far[] = { 1U << 16, 1U << 31, UINT_MAX / 64 * 64, UINT_MAX };
	bool (*volatile exported)(const struct gcpu_plan *, unsigned) = gcpu_plan_has;
	struct gcpu_plan *plan = plan_for(snap, "host");
	const struct gcpu_plan_bits *bits = (const struct gcpu_plan_bits *)plan;
	unsigned on = 0, last = 0;

	for (unsigned i = 0; i < bits->n + 200; i++) {
		bool has = gcpu_plan_has(plan, i);

		CHECK(has == exported(plan, i), "number %u", i);
		on += has;
		last = has ? i : last;
	}
	CHECK(on > 20 && last < bits->n && !gcpu_plan_has(plan, 0), "%u are on, %u the last", on, last);
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		CHECK(!gcpu_plan_has(plan, far[i]) && !exported(plan, far[i]), "number %u", far[i]);
	CHECK(!exported(NULL, 1), "no plan");
	gcpu_plan_free(plan);
}

static int count(void *ctx, const char *data, size_t length)
{
	(void)data;
	*(size_t *)ctx += length;
	return 0;
}

/* What cannot be a whole document does not begin. */
static void documents(const struct gcpu_snapshot *x86)
{
	struct gcpu_plan *a = plan_for(x86, "host"), *b = plan_for(x86, "base");
	struct gcpu_exercise e = { .size = sizeof(e), .witness = "of nothing" };
	struct gcpu_view *v = NULL, *none = NULL;
	size_t n = 0;

	CHECK(gcpu_view_new(a, 0, &v) == 0, "view");
	CHECK(gcpu_verify_write_json(a, NULL, 0, NULL, count, &n) == GCPU_ERR_ARGUMENT && !n, "no views: %zu", n);
	CHECK(gcpu_verify_write_json(a, &none, 1, NULL, count, &n) == GCPU_ERR_ARGUMENT && !n, "no view: %zu", n);
	CHECK(gcpu_verify_write_json(b, &v, 1, NULL, count, &n) == GCPU_ERR_ARGUMENT && !n, "another plan: %zu", n);
	CHECK(gcpu_verify_write_alive_json(a, &v, 1, NULL, &e, 1, count, &n) == GCPU_ERR_ARGUMENT && !n,
	      "an exercise without a name: %zu", n);
	gcpu_view_free(v);
	gcpu_plan_free(a);
	gcpu_plan_free(b);
}

/* Operations that say that they are fewer are not called, by nobody. */
static void operations(const struct gcpu_snapshot *x86)
{
	static const struct gcpu_kvm_ops few = { .size = sizeof(few) - 1 };
	const struct gcpu_kvm kvm = { &few, NULL };
	struct gcpu_plan *plan = plan_for(x86, "host");
	struct gcpu_fds fds = { .size = sizeof(fds), .vm = 3, .gic = -1 };
	struct gcpu_snapshot *snap = NULL;
	struct gcpu_view *v = NULL;

	CHECK(gcpu_view_new(plan, 0, &v) == 0, "view");
	CHECK(gcpu_snapshot_probe(&kvm, 3, NULL, &snap, NULL) == GCPU_ERR_ARGUMENT, "probe");
	CHECK(gcpu_plan_apply(plan, GCPU_PHASE_VM, &kvm, &fds, NULL) == GCPU_ERR_ARGUMENT, "apply");
	CHECK(gcpu_plan_readback(plan, &kvm, 3, v, NULL) == GCPU_ERR_ARGUMENT, "read back");
	gcpu_view_free(v);
	gcpu_plan_free(plan);
}

static void strangers(const struct gcpu_snapshot *x86, const struct gcpu_snapshot *arm64)
{
	struct gcpu_plan *a = plan_for(x86, "host"), *b = plan_for(x86, "base"), *c = plan_for(arm64, "host");
	struct gcpu_fds fds = { .size = sizeof(fds), .vm = 3, .gic = -1 };
	const uint32_t regs[4] = { 1, 2, 3, 4 };
	struct gcpu_summary sum;
	struct gcpu_view *v = NULL;

	CHECK(gcpu_view_new(a, 0, &v) == 0, "view");
	CHECK(gcpu_verify(b, &v, 1, NULL, NULL, &sum) == GCPU_ERR_ARGUMENT, "another plan's view");
	CHECK(gcpu_verify(c, &v, 1, NULL, NULL, &sum) == GCPU_ERR_ARGUMENT, "another architecture's view");
	CHECK(gcpu_verify(a, &v, 0, NULL, NULL, &sum) == GCPU_ERR_ARGUMENT, "nothing to judge by");
	CHECK(gcpu_view_guest_cpuid(v, 7, 0x400000, regs) == GCPU_ERR_ARGUMENT, "no such sub-leaf");
	CHECK(gcpu_view_guest_register(v, 0xc000000000000000ULL, 1) == GCPU_ERR_ARGUMENT, "no register");
	CHECK(gcpu_plan_apply(a, GCPU_PHASE_VCPU, gcpu_kvm_real(), &fds, NULL) == GCPU_ERR_ARGUMENT, "no vCPUs");
	CHECK(gcpu_plan_apply(a, (enum gcpu_phase)99, gcpu_kvm_real(), &fds, NULL) == GCPU_ERR_ARGUMENT, "no phase");
	for (int g = -1; g < 1000; g += 7)
		gcpu_snapshot_has_gic(arm64, (enum gcpu_gic)g);
	CHECK(!gcpu_snapshot_has_gic(arm64, (enum gcpu_gic)3), "no such GIC");
	gcpu_view_free(v);
	gcpu_plan_free(a);
	gcpu_plan_free(b);
	gcpu_plan_free(c);
}

int main(void)
{
	struct gcpu_snapshot *x86 = host_x86(), *arm64 = host_arm64();

	nothing();
	numbers(x86);
	numbers(arm64);
	documents(x86);
	operations(x86);
	strangers(x86, arm64);
	gcpu_snapshot_free(x86);
	gcpu_snapshot_free(arm64);
	return unit_end();
}
