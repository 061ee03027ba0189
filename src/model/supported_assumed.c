/* SPDX-License-Identifier: MIT */
/* What a computed snapshot takes for given, as far as its answers depend on it. */
#include "supported.h"

#include "facts_gen.h"
#include "x86/x86.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_list(const struct list *a, const struct list *b, size_t size)
{
	return a->n == b->n && (!a->n || memcmp(a->items, b->items, a->n * size) == 0);
}

static bool same_answers(const struct gcpu_snapshot *a, const struct gcpu_snapshot *b)
{
	for (int t = SNAP_SUPPORTED; t <= SNAP_HYPERV; t++)
		if (!same_list(&a->cpuid[t], &b->cpuid[t], sizeof(struct snap_cpuid)))
			return false;
	return same_list(&a->msr_indexes, &b->msr_indexes, sizeof(uint32_t)) &&
	       same_list(&a->msr_features, &b->msr_features, sizeof(struct snap_msr)) &&
	       same_list(&a->caps_vm, &b->caps_vm, sizeof(struct snap_cap)) &&
	       a->xcomp_supported == b->xcomp_supported;
}

/* What who made the dump should be told at once. */
static int assume_odd(struct gcpu_snapshot *out, const char *what, const char *value, const char *why)
{
	int status = snapshot_assume(out, what, value, why);

	if (!status)
		LIST_AT(&out->assumed, struct snap_assumed, out->assumed.n - 1)->odd = true;
	return status;
}

/* A fact that was settled, so that others can be tried. */
struct settled {
	bool value;
	const char *why, *param;
};

/* Would the answers be others if fact I were the other way round? */
static int matters(struct supported *s, const struct gcpu_snapshot *out, unsigned i, bool *ret)
{
	struct gcpu_snapshot *other = snapshot_new(GCPU_ARCH_X86);
	int status;

	if (!other)
		return GCPU_ERR_MEMORY;
	s->turned = (int)i;
	status = supported_compute(s, other);
	s->turned = -1;
	*ret = !status && !same_answers(out, other);
	gcpu_snapshot_free(other);
	return status;
}

/* Only what the answers depend on is told. */
static int assumptions(struct supported *s, struct gcpu_snapshot *out)
{
	struct settled *all = calloc(gcpu_n_kfacts, sizeof(*all));
	int status = all ? 0 : GCPU_ERR_MEMORY;

	for (unsigned i = 0; i < gcpu_n_kfacts && !status; i++)
		all[i] = (struct settled){ s->facts[i], s->why[i], s->param[i] };
	for (unsigned i = 0; i < gcpu_n_kfacts && !status; i++) {
		bool tell = false;

		if (all[i].why)
			status = matters(s, out, i, &tell);
		if (tell)
			status = snapshot_assume(out, all[i].param ? all[i].param : gcpu_kfacts[i], all[i].value ? "1" : "0", all[i].why);
	}
	free(all);
	return status;
}

/* KVM recommends as many vCPUs as the host has CPUs. */
static int cpus_assumed(struct gcpu_snapshot *out)
{
	char value[24];

	snprintf(value, sizeof(value), "%d", gcpu_snapshot_capability(out, CAP_NR_VCPUS));
	return snapshot_assume(out, "CPUs", value, "this CPUID is of one CPU: how many the host has, KVM_CAP_NR_VCPUS says");
}

/* The kernel measures the rate of the TSC. */
static int tsc_assumed(struct gcpu_snapshot *out)
{
	char value[40];

	snprintf(value, sizeof(value), "%llu kHz",
		 (unsigned long long)(out->has_tsc_khz ? out->tsc_khz : X86_KHZ_UNKNOWN));
	return snapshot_assume(out, ASSUMED_TSC, value, out->has_tsc_khz ?
			       "its rate is measured by a kernel: this is what the CPU tells of its clocks" :
			       "its rate is measured by a kernel, and this CPUID tells none: a software KVM of this host has 1 GHz");
}

/* What is assumed whatever the host is. */
static int always_assumed(const struct supported *s, const char *kernel, struct gcpu_snapshot *out)
{
	int status = 0;

	if (strcmp(kernel, s->release) != 0)
		status = snapshot_assume(out, "kernel", s->release, "the release for which this series was compared with a real KVM");
	if (!status)
		status = snapshot_assume(out, "kernel options", "Debian's",
				"no command line that takes CPU features away, mitigations as they are by default");
	if (!status && !s->host->microcode)
		status = snapshot_assume(out, "microcode", "0x0", "its revision is in no CPUID dump");
	if (!status && !supported_tsc_measured(s))
		status = tsc_assumed(out);
	if (!status && supported_was_assumed(s, ASSUMED_SYSCALL))
		status = snapshot_assume(out, ASSUMED_SYSCALL, "1", SYSCALL_WHY);
	if (!status && gcpu_snapshot_capability(s->host, CAP_NR_VCPUS) <= 0)
		status = cpus_assumed(out);
	if (!status && !s->facts[KFACT_VIRTUALIZATION])
		status = assume_odd(out, "virtualization", "1", "this CPUID shows neither VMX nor SVM: without it there is no KVM");
	if (!status && !(s->words[FACTS->fields[X86_F_LM].word] >> FACTS->fields[X86_F_LM].lsb & 1))
		status = assume_odd(out, "long mode", "0",
				"this CPUID shows none: no kernel of x86-64 runs there, and no others were compared");
	if (!status && s->vendor != VENDOR_AMD)
		status = snapshot_assume(out, "witness", "records",
				"rules for this vendor's CPUs were read in KVM's source, and agree with what others recorded there: "
				"no KVM was at hand to compare entry by entry");
	return status;
}

/* A dump that was cut off: every one that is whole has the highest leaves that it tells of, and leaf 1. */
static int not_whole(const struct supported *s, struct gcpu_snapshot *out)
{
	const struct list *l = &s->host->cpuid[SNAP_NATIVE];
	int status = 0;

	for (uint32_t class = 0; class < 3 && !status; class += 2) {
		const uint32_t base = class << 30;
		const struct snap_cpuid *first = snapshot_cpuid(s->host, SNAP_NATIVE, base, 0);
		uint32_t most = first ? first->regs[0] : base, last = base;
		char what[40];

		for (size_t i = 0; i < l->n; i++) {
			uint32_t leaf = LIST_AT(l, struct snap_cpuid, i)->leaf;

			if (leaf >> 30 == class && leaf > last && leaf <= most)
				last = leaf;
		}
		snprintf(what, sizeof(what), most - last > 1 ? "leaves 0x%x to 0x%x" : "leaf 0x%x", last + 1, most);
		if (last < most)
			status = assume_odd(out, what, "0", "there should be these, by the dump's own word, and it ends before them: "
					    "is it whole?");
		if (!status && last > base && !snapshot_cpuid(s->host, SNAP_NATIVE, base + 1, 0))
			status = assume_odd(out, class ? "leaf 0x80000001" : "leaf 0x1", "0",
					    "every CPU has this, and the dump does not: is it whole?");
	}
	return status;
}

/* Bits of each word that some KVM that was measured had on: bundled hosts of kvm_amd. */
static uint64_t seen_bits(const struct word_fact *w)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < gcpu_n_hosts; i++) {
		const struct gcpu_snapshot *h = gcpu_hosts[i].snapshot;
		const struct snap_cpuid *e;

		if (h->arch != GCPU_ARCH_X86 || h->computed || !h->module || strcmp(h->module, "kvm_amd") != 0)
			continue;
		e = snapshot_cpuid(h, SNAP_SUPPORTED, ADDR_LEAF(w->addr), ADDR_SUBLEAF(w->addr));
		seen |= e ? e->regs[ADDR_REG(w->addr)] : 0;
	}
	return seen;
}

/* Features that are on and that no KVM at hand could show: the rules for them were only read. */
static int not_compared(struct gcpu_snapshot *out)
{
	char names[900];
	size_t n = 0;
	unsigned more = 0;

	for (unsigned i = 0; i < FACTS->n_words; i++) {
		const struct word_fact *w = &FACTS->words[i];
		const struct snap_cpuid *e;
		uint64_t unseen;

		if (w->klass != CLASS_FIELDS || ADDR_SPACE(w->addr) != SPACE_CPUID)
			continue;
		e = snapshot_cpuid(out, SNAP_SUPPORTED, ADDR_LEAF(w->addr), ADDR_SUBLEAF(w->addr));
		unseen = e ? e->regs[ADDR_REG(w->addr)] & ~seen_bits(w) : 0;
		for (unsigned k = w->first; k < w->first + w->n; k++) {
			const struct field_fact *f = &FACTS->fields[k];
			size_t length = strlen(f->name);

			if (f->width != 1 || !(unseen >> f->lsb & 1))
				continue;
			if (n + length + 20 > sizeof(names)) {
				more++;
				continue;
			}
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "", f->name);
		}
	}
	if (!n)
		return 0;
	if (more)
		snprintf(names + n, sizeof(names) - n, " and %u more", more);
	return snapshot_assume(out, "not compared", names, "on by rules that were read in KVM's source: no KVM at hand has shown these");
}

/* MSRs in the list by rules that no KVM at hand could show. */
static int msrs_not_compared(const struct supported *s, struct gcpu_snapshot *out)
{
	char numbers[900];
	size_t n = 0;

	for (unsigned i = 0; i < gcpu_n_klist_rules; i++) {
		const struct klist_rule *r = &gcpu_klist_rules[i];
		bool told = false;

		for (unsigned k = 0; k < gcpu_n_klist_rules && !told; k++)
			told = gcpu_klist_rules[k].index == r->index && (k < i || gcpu_klist_rules[k].seen) &&
			       supported_when(s, gcpu_klist_rules[k].when);
		if (!told && supported_when(s, r->when) && n + 12 < sizeof(numbers))
			n += (size_t)snprintf(numbers + n, sizeof(numbers) - n, "%s0x%x", n ? " " : "", r->index);
	}
	if (!n)
		return 0;
	return snapshot_assume(out, "MSRs not compared", numbers,
		      "in the list of MSRs by rules that were read in KVM's source: no KVM at hand has shown these");
}

/* Components of XSAVE that are offered, and that the dump does not describe. */
static int components_not_described(const struct supported *s, struct gcpu_snapshot *out)
{
	uint64_t offered = s->words[X86_W_CPUID_0XD_0X0_EAX] | s->words[X86_W_CPUID_0XD_0X1_ECX];
	int status = 0;

	for (unsigned i = 2; i < 64 && !status; i++) {
		struct snap_cpuid e;
		bool made = supported_component(s, i, &e);
		char what[40], value[60];

		if (!(offered >> i & 1) || (!made && e.regs[0]))
			continue;
		snprintf(what, sizeof(what), "XSAVE component %u", i);
		snprintf(value, sizeof(value), e.regs[1] ? "%u bytes at %u" : "%u bytes", e.regs[0], e.regs[1]);
		if (made)
			status = assume_odd(out, what, value,
					    s->vendor != VENDOR_AMD || !e.regs[1] ?
					    "the dump has its bit and does not describe it: taken as on other CPUs that have it" :
					    "the dump has its bit and does not describe it: the end of the area is what is left for it");
		else
			status = assume_odd(out, what, "left out", "the dump has its bit and does not describe it, nor can it be told: no KVM answers so");
	}
	return status;
}

int supported_assumed(struct supported *s, const char *kernel, struct gcpu_snapshot *out)
{
	int status = always_assumed(s, kernel, out);

	if (!status)
		status = not_whole(s, out);
	/* what was computed last must be the host itself, not a try */
	if (!status)
		status = components_not_described(s, out);
	if (!status)
		status = not_compared(out);
	if (!status)
		status = msrs_not_compared(s, out);
	return status ? status : assumptions(s, out);
}
