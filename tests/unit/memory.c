/* SPDX-License-Identifier: MIT */
/* The library without memory: requests, snapshots, plans, views. */
#include "exhaust.h"

#include "hosts.h"

#include "core/plan.h"
#include "formats/document.h"

#include <errno.h>

static struct unit_text x86_text, arm64_text;
static struct gcpu_snapshot *rome; /* the last bundled one: a host of x86 */
static struct unit_text rome_text;
static struct gcpu_snapshot *x86, *arm64;
static struct gcpu_request *x86_request, *arm64_request;
static struct gcpu_plan *x86_plan, *arm64_plan;

static int count(void *ctx, const char *data, size_t n)
{
	(void)data;
	*(size_t *)ctx += n;
	return 0;
}

static int run_request(enum gcpu_arch arch, const char *text)
{
	struct gcpu_request *r = NULL;
	struct gcpu_error err = { 0 };
	int status = check_error(gcpu_request_parse(arch, text, &r, &err), &err);

	CHECK(status == 0 || !r, "written on failure");
	wrote = r ? r->items.n : 0;
	gcpu_request_free(r);
	return status;
}

static int request_x86(void)
{
	return run_request(GCPU_ARCH_X86, "host,+avx2,-avx,aes=off,enforce,sse,sse2,pni,+fma,-x2apic,pv=safe");
}

static int request_arm64(void)
{
	return run_request(GCPU_ARCH_ARM64, "max,-sve,FEAT_RNG=off,ID_AA64ISAR0_EL1.AES=1");
}

static int run_parse(const struct unit_text *text, const struct gcpu_snapshot *same)
{
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err = { 0 };
	int status = check_error(gcpu_snapshot_parse(text->s, text->n, &s, &err), &err);

	CHECK(status == 0 || !s, "written on failure");
	if (status == 0) {
		CHECK(strcmp(gcpu_snapshot_hash(s), gcpu_snapshot_hash(same)) == 0, "something was lost");
		/* the name is not in the hash */
		CHECK(strcmp(gcpu_snapshot_name(s), gcpu_snapshot_name(same)) == 0, "%s was lost",
		      gcpu_snapshot_name(same));
	}
	gcpu_snapshot_free(s);
	return status;
}

static int parse_x86(void)
{
	return run_parse(&x86_text, x86);
}

static int parse_arm64(void)
{
	return run_parse(&arm64_text, arm64);
}

static int parse_fingerprint(void)
{
	static const char text[] =
		"{\"kernel_version\": \"6.1\", \"microcode_version\": \"0x1\", \"guest_cpu_config\": {\"reg_modifiers\":"
		" [{\"addr\": \"0x603000000013c021\", \"bitmap\": \"0b1\"},"
		" {\"addr\": \"0x603000000013c020\", \"bitmap\": \"0b10001\"},"
		" {\"addr\": \"0x603000000013c000\", \"bitmap\": \"0b0\"}]}}";
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err = { 0 };
	int status = check_error(gcpu_snapshot_parse(text, sizeof(text) - 1, &s, &err), &err);

	CHECK(status == 0 || !s, "written on failure");
	CHECK(!s || strcmp(gcpu_snapshot_name(s), "arm64-0x0-6.1-guest") == 0, "%s", gcpu_snapshot_name(s));
	gcpu_snapshot_free(s);
	return status;
}

static int run_computed(const char *text, size_t n, const char *kernel)
{
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err = { 0 };
	int status = check_error(gcpu_snapshot_from_cpuid(text, n, kernel, NULL, &s, &err), &err);

	CHECK(status == 0 || !s, "written on failure");
	wrote = 0;
	memory.on = false;
	if (status == 0)
		CHECK(gcpu_snapshot_write(s, count, &wrote) == 0, "write");
	memory.on = true;
	gcpu_snapshot_free(s);
	return status;
}

/* A CPU with a name, caches, a save area, and facts to assume. */
static int computed_text(void)
{
	static const char text[] =
		"CPUID 00000000: 0000000D-68747541-444D4163-69746E65\n"
		"CPUID 00000001: 00A00F11-00800800-7EDA320B-178BFBFF\n"
		"CPUID 00000007: 00000000-219C97A9-0040068C-00000010 [SL 00]\n"
		"CPUID 0000000D: 00000007-00000340-00000340-00000000 [SL 00]\n"
		"CPUID 0000000D: 00000001-00000000-00000000-00000000 [SL 01]\n"
		"CPUID 0000000D: 00000100-00000240-00000000-00000000 [SL 02]\n"
		"CPUID 80000000: 8000000A-68747541-444D4163-69746E65\n"
		"CPUID 80000001: 00A00F11-40000000-75C237FF-2FD3FBFF\n"
		"CPUID 80000002: 20444D41-43595045-31373720-34362033\n"
		"CPUID 80000003: 726F432D-72502065-7365636F-20726F73\n"
		"CPUID 80000004: 20202020-20202020-20202020-00202020\n"
		"CPUID 8000000A: 00000001-00008000-00000000-101B9CFF\n";

	return run_computed(text, sizeof(text) - 1, "6.12");
}

/* From a snapshot, which has parameters as well. */
static int computed_snapshot(void)
{
	return run_computed(rome_text.s, rome_text.n, "7.2");
}

/* More values than one block holds, more keys than are compared each with each, and escapes. */
static int read_document(void)
{
	static char text[16384];
	struct gcpu_error err = { 0 };
	struct document d;
	size_t n = 0;
	int status;

	text[n++] = '{';
	for (unsigned i = 0; i < 300; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"%u\":[0,0,\"\\u20ac%u\\n\"]", i ? "," : "", i, i);
	text[n++] = '}';
	status = check_error(document_parse(&d, text, n, &err), &err);
	wrote = 0;
	if (status)
		return status;
	for (const struct node *v = d.root->first; v; v = v->next)
		wrote += v->key_n + v->first->next->next->n;
	CHECK(wrote == 790 + 300 * 4 + 790, "%zu bytes", wrote);
	document_free(&d);
	return 0;
}

static int run_plan(const struct gcpu_snapshot *snap, const struct gcpu_request *req)
{
	struct gcpu_machine m;
	struct gcpu_plan *p = NULL;
	struct gcpu_error err = { 0 };
	int status;

	gcpu_machine_init(&m);
	m.vcpus = 4;
	m.cores = 2;
	m.accept_x2apic_ids = 1;
	m.disable_exits = 2;
	m.handles = 7;
	status = check_error(gcpu_plan_make(snap, req, &m, &p, &err), &err);
	CHECK(status == 0 || !p, "written on failure");
	/* findings, steps and words: all of it, or none */
	wrote = 0;
	memory.on = false;
	if (status == 0)
		CHECK(gcpu_plan_write_json(p, count, &wrote) == 0, "write");
	memory.on = true;
	gcpu_plan_free(p);
	return status;
}

static int plan_x86(void)
{
	return run_plan(x86, x86_request);
}

static int plan_arm64(void)
{
	return run_plan(arm64, arm64_request);
}

static int write_x86(void)
{
	wrote = 0;
	return gcpu_plan_write_json(x86_plan, count, &wrote);
}

static int write_arm64(void)
{
	wrote = 0;
	return gcpu_plan_write_json(arm64_plan, count, &wrote);
}

static int write_raw(void)
{
	wrote = 0;
	return gcpu_plan_write_cpuid_raw(x86_plan, count, &wrote);
}

static int write_snapshot(void)
{
	wrote = 0;
	return gcpu_snapshot_write(x86, count, &wrote);
}

/* Leaves that this KVM adds by itself. */
#define ADDED 40

/* A KVM that has in force what was planned and more, and answers all else with 0. */
static int echo_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	const struct gcpu_plan *plan = ctx;
	struct { uint32_t nent, padding; uint32_t e[][10]; } *c = (void *)arg;
	struct gcpu_cpuid table[64 + ADDED];
	size_t n = 64;

	(void)fd;
	if ((request & 0xffff) != 0xae91) /* KVM_GET_CPUID2 */
		return (request & 0xffff) == 0xae88; /* KVM_GET_MSRS: one */
	if (gcpu_plan_cpuid(plan, 0, table, &n))
		return -5;
	for (unsigned i = 0; i < ADDED; i++)
		table[n++] = (struct gcpu_cpuid){ .leaf = 0x70000000 + i, .eax = 1 };
	if (n > c->nent)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		const uint32_t e[10] = { table[i].leaf, table[i].subleaf, table[i].flags, table[i].eax,
					 table[i].ebx, table[i].ecx, table[i].edx };

		memcpy(c->e[i], e, sizeof(e));
	}
	c->nent = (uint32_t)n;
	return 0;
}

static const struct gcpu_kvm_ops echo_ops = { .size = sizeof(echo_ops), .ioctl = echo_ioctl };

static int answer(void *ctx, const struct gcpu_question *q)
{
	struct gcpu_view *v = ctx;
	const uint32_t regs[4] = { 1, 2, 3, 4 };

	if (q->kind == GCPU_ASK_CPUID)
		return gcpu_view_guest_cpuid(v, q->leaf, q->subleaf, regs);
	return q->kind == GCPU_ASK_MSR ? gcpu_view_guest_msr(v, (uint32_t)q->id, 1) :
					 gcpu_view_guest_register(v, q->id, 1);
}

/* View, read-back, guest, verdicts, document. */
static int run_view(const struct gcpu_plan *plan)
{
	struct gcpu_kvm kvm = { &echo_ops, (void *)(uintptr_t)plan };
	const uint32_t unknown[4] = { 1, 0, 0, 0 };
	struct gcpu_error err = { 0 };
	struct gcpu_view *v = NULL;
	struct gcpu_summary sum;
	int status = gcpu_view_new(plan, 0, &v);

	CHECK(status == 0 || !v, "written on failure");
	wrote = 0;
	if (status == 0)
		status = check_error(gcpu_plan_readback(plan, &kvm, 3, v, &err), &err);
	if (status == 0)
		status = gcpu_view_questions(v, answer, v);
	/* leaves that nobody planned: the list has to grow */
	for (uint32_t leaf = 0; leaf < 64 && status == 0; leaf++)
		status = gcpu_view_guest_cpuid(v, 0x12340 + leaf, 0, unknown);
	for (uint32_t msr = 0; msr < 256 && status == 0; msr++)
		status = gcpu_view_guest_msr(v, 0xc0010000 + msr, 1);
	for (uint64_t id = 0; id < 512 && status == 0; id++)
		status = gcpu_view_guest_register(v, 0x6030000000990000 + id, 1);
	if (status == 0)
		status = gcpu_verify(plan, &v, 1, NULL, NULL, &sum);
	if (status == 0)
		status = gcpu_verify_write_json(plan, &v, 1, NULL, count, &wrote);
	gcpu_view_free(v);
	return status;
}

static int view_x86(void)
{
	return run_view(x86_plan);
}

static int view_arm64(void)
{
	return run_view(arm64_plan);
}

static int advised(void *ctx, const struct gcpu_advice *a)
{
	(void)ctx;
	wrote += strlen(a->request);
	return 0;
}

/* One that is off and one that is on: several ways each, many plans. */
static int run_advise(const struct gcpu_plan *plan, const char *off, const char *on)
{
	struct gcpu_error err = { 0 };
	int status;

	wrote = 0;
	status = check_error(gcpu_plan_advise(plan, off, true, advised, NULL, &err), &err);
	if (status == 0)
		status = check_error(gcpu_plan_advise(plan, on, false, advised, NULL, &err), &err);
	return status;
}

static int advise_x86(void)
{
	return run_advise(x86_plan, "x2apic", "kvmclock");
}

static int advise_arm64(void)
{
	return run_advise(arm64_plan, "FEAT_RNG", "FEAT_SHA256");
}

static const struct body bodies[] = {
	{ "gcpu_request_parse x86", request_x86 },   { "gcpu_request_parse arm64", request_arm64 },
	{ "gcpu_snapshot_parse x86", parse_x86 },    { "gcpu_snapshot_parse arm64", parse_arm64 },
	{ "gcpu_snapshot_parse of a fingerprint", parse_fingerprint },
	{ "gcpu_snapshot_from_cpuid text", computed_text }, { "gcpu_snapshot_from_cpuid snapshot", computed_snapshot },
	{ "document_parse", read_document },	     { "gcpu_snapshot_write", write_snapshot },   { "gcpu_plan_make x86", plan_x86 },
	{ "gcpu_plan_make arm64", plan_arm64 },	     { "gcpu_plan_write_json x86", write_x86 },
	{ "gcpu_plan_write_json arm64", write_arm64 }, { "gcpu_plan_write_cpuid_raw", write_raw },
	{ "gcpu_plan_advise x86", advise_x86 },	     { "gcpu_plan_advise arm64", advise_arm64 },
	{ "view and verify x86", view_x86 },	     { "view and verify arm64", view_arm64 },
};

static void prepare(void)
{
	struct gcpu_machine m;

	x86 = host_x86();
	arm64 = host_arm64();
	gcpu_machine_init(&m);
	m.vcpus = 3;
	if (gcpu_snapshot_bundled(gcpu_snapshot_bundled_name(gcpu_n_hosts - 1), &rome, NULL) ||
	    gcpu_snapshot_write(rome, unit_write, &rome_text) ||
	    gcpu_snapshot_write(x86, unit_write, &x86_text) ||
	    gcpu_snapshot_write(arm64, unit_write, &arm64_text) ||
	    gcpu_request_parse(GCPU_ARCH_X86, "host,+avx512f,-x2apic,+kvm-pv-unhalt,pv=safe", &x86_request, NULL) ||
	    gcpu_request_parse(GCPU_ARCH_ARM64, "host,FEAT_RNG=off,+FEAT_SHA512", &arm64_request, NULL) ||
	    gcpu_plan_make(x86, x86_request, &m, &x86_plan, NULL) ||
	    gcpu_plan_make(arm64, arm64_request, &m, &arm64_plan, NULL))
		exit(1);
}

int main(void)
{
	prepare();
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		exhaust(&bodies[i]);
	gcpu_plan_free(x86_plan);
	gcpu_plan_free(arm64_plan);
	gcpu_request_free(x86_request);
	gcpu_request_free(arm64_request);
	gcpu_snapshot_free(x86);
	gcpu_snapshot_free(arm64);
	free(x86_text.s);
	free(arm64_text.s);
	gcpu_snapshot_free(rome);
	free(rome_text.s);
	return unit_end();
}
