/* SPDX-License-Identifier: MIT */
/*
 * The smallest use: what does a guest get on a known host, and why? Needs no KVM.
 *
 *     cc plan.c -o plan $(pkg-config --cflags --libs guestcpu) && ./plan
 */
#include <guestcpu/guestcpu.h>
#include <stdio.h>

static int print_reason(void *ctx, const struct gcpu_reason *r)
{
	(void)ctx;
	printf("  %llu -> %llu: %s (%s)\n", (unsigned long long)r->before, (unsigned long long)r->after,
	       r->sentence, r->rule);
	return 0;
}

static int print_finding(void *ctx, const struct gcpu_finding *f)
{
	(void)ctx;
	printf("%s: %s\n", f->severity, f->text);
	return 0;
}

int main(void)
{
	struct gcpu_snapshot *snapshot = NULL;
	struct gcpu_request *request = NULL;
	struct gcpu_plan *plan = NULL;
	struct gcpu_error err;
	int status;

	status = gcpu_snapshot_bundled("x86-amd-rome-6-12", &snapshot, &err);
	if (!status)
		status = gcpu_request_parse(GCPU_ARCH_X86, "host,-kvm-pv-eoi,+avx512f", &request, &err);
	if (!status)
		status = gcpu_plan_make(snapshot, request, NULL, &plan, &err);
	if (!status) {
		printf("avx2 %d, avx512f %d, kvm-pv-eoi %d\n", gcpu_plan_has(plan, GCPU_X86_AVX2),
		       gcpu_plan_has(plan, GCPU_X86_AVX512F), gcpu_plan_has(plan, GCPU_X86_KVM_PV_EOI));
		printf("kvm-pv-eoi:\n");
		status = gcpu_plan_explain(plan, "kvm-pv-eoi", print_reason, NULL, &err);
	}
	if (!status)
		status = gcpu_plan_findings(plan, print_finding, NULL);
	else
		fprintf(stderr, "%s (%s)\n", err.text, gcpu_strerror(status));

	/* whatever there is of them; the snapshot last, because the plan reads it */
	gcpu_plan_free(plan);
	gcpu_request_free(request);
	gcpu_snapshot_free(snapshot);
	return status ? 1 : 0;
}
