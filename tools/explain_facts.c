/* SPDX-License-Identifier: MIT */
/* What the catalogue knows of a feature, in words. */
#include "explain.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void where_text(const struct gcpu_feature_info *f, char *buf, size_t n)
{
	unsigned bit = 0;

	/* a set has no levels: each vector length is a bit of it */
	while (f->at_least && strncmp(f->word, "SVE.", 4) == 0 && f->value >> bit > 1)
		bit++;
	if (f->width == 1 || (f->at_least && strncmp(f->word, "SVE.", 4) == 0))
		snprintf(buf, n, "%s[%u]", f->word, f->lsb + bit);
	else
		snprintf(buf, n, "%s[%u:%u]%s%.0llu", f->word, f->lsb + f->width - 1, f->lsb,
			 f->at_least ? " >= " : "", f->at_least ? (unsigned long long)f->value : 0ULL);
}

static const struct {
	const char *word, *text;
} kinds[] = {
	{ "hw", "where kernel and CPU have it" },
	{ "emulated", "by KVM itself, whatever the CPU" },
	{ "synth", "as the kernel's mitigations make it" },
	{ "pass", "where the CPU has it" },
	{ "vendor", "by the vendor's KVM module, under conditions" },
	{ "alias", "as a copy of another bit" },
	{ "pv", "by KVM, for guests that know it" },
	{ "vmm", "never by KVM itself: it is the VMM's promise" },
	{ "runtime", "never: KVM sets it while the guest runs" },
	{ "none", "never" },
}, requirements[] = {
	{ "lapic", "use the in-kernel local APIC" },
	{ "apic-map", "give vCPUs APIC ids that KVM can map" },
	{ "msi-ext-dest-id", "decode extended destination ids of MSIs" },
	{ "map-gpa-range", "handle the exit of the hypercall" },
	{ "migration-control", "handle the MSR" },
	{ "dedicated-cpus", "never preempt vCPUs for long" },
	{ "pv-time", "give KVM memory of the guest for it, on each vCPU" },
	{ "discover-impl", "filter the hypercall, and answer it" },
}, vendors[] = {
	{ "intel", "Intel" },
	{ "amd", "AMD and Hygon" },
	{ "centaur", "Centaur and Zhaoxin" },
}, gates[] = {
	{ "msr", "KVM refuses the MSR" },
	{ "hypercall", "KVM refuses the hypercall" },
	{ "msr-bit", "KVM refuses the bit of the MSR" },
	{ "flag", "KVM ignores the flag" },
}, callers[] = {
	{ "qemu", "QEMU" },
	{ "linux", "Linux" },
	{ "libvirt", "libvirt" },
	{ "arm", "Arm" },
	{ "db", "x86-cpuid-db" },
};

#define LOOK_UP(table, name, n) look_up(&(table)[0].word, sizeof(table) / sizeof((table)[0]), name, n)

/* PAIRS of word and text; the word itself if it is unknown. */
static const char *look_up(const char *const *pairs, size_t count, const char *name, size_t n)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(pairs[2 * i]) == n && strncmp(pairs[2 * i], name, n) == 0)
			return pairs[2 * i + 1];
	return name;
}

#define ADD_WORDS(t, table, before, between, words) \
	add_words(t, &(table)[0].word, sizeof(table) / sizeof((table)[0]), before, between, words)

/* Words joined by '+', each as its text. */
static void add_words(struct text *t, const char *const *pairs, size_t count, const char *before,
		      const char *between, const char *words)
{
	for (const char *s = words; *s;) {
		size_t n = strcspn(s, "+");
		const char *text = look_up(pairs, count, s, n);

		text_add(t, "%s%.*s", s == words ? before : between, text == s ? (int)n : 200, text);
		s += n + (s[n] == '+');
	}
}

/* A release first, then the stable ones that have it too. */
void since_text(struct text *t, const char *since)
{
	const char *stable = strchr(since, ' ');

	if (strcmp(since, "-") == 0)
		return;
	if (strcmp(since, "?") == 0) {
		text_add(t, " since a release that is not known");
		return;
	}
	if (strncmp(since, "<=", 2) == 0)
		text_add(t, " in Linux %.*s or earlier", stable ? (int)(stable - since - 2) : 40, since + 2);
	else
		text_add(t, " since Linux %.*s", stable ? (int)(stable - since) : 40, since);
	if (stable)
		text_add(t, " (stable:%s)", stable);
}

/* Names with those whose word each is: "pni by QEMU and Linux; sse3 by QEMU". */
struct names {
	struct text *text;
	const char *name; /* the last one, and who says so */
	const char *who[8];
	unsigned n;
};

static void add_name(struct names *l)
{
	if (l->n)
		text_add(l->text, "%s%s by ", l->text->n ? "; " : "", l->name);
	for (unsigned i = 0; i < l->n; i++)
		text_add(l->text, "%s%s", !i ? "" : i + 1 < l->n ? ", " : " and ", l->who[i]);
	l->n = 0;
}

static int name_by(void *ctx, const char *name, const char *tag)
{
	struct names *l = ctx;

	if (l->n && strcmp(l->name, name) != 0)
		add_name(l);
	l->name = name;
	if (l->n < sizeof(l->who) / sizeof(l->who[0]))
		l->who[l->n++] = LOOK_UP(callers, tag, strlen(tag));
	return 0;
}

void called_text(struct text *t, enum gcpu_arch arch, const char *name, const char *called)
{
	struct names l = { .text = t, .name = name };

	for (const char *s = called ? called : ""; *s; s += strspn(s, " ")) {
		size_t n = strcspn(s, " ");

		l.who[l.n++] = LOOK_UP(callers, s, n);
		s += n;
	}
	gcpu_feature_aliases(arch, name, name_by, &l);
	add_name(&l);
}

static int is_enforcement(void *ctx, const char *name, bool deflt, const char *meaning)
{
	(void)ctx;
	(void)deflt;
	(void)meaning;
	return strcmp(name, "kvm-pv-enforce-cpuid") == 0;
}

static void print_pv(enum gcpu_arch arch, const struct gcpu_feature_info *f)
{
	struct text t = { NULL, 0, 0 };
	/* elsewhere nothing has to be asked for */
	bool property = gcpu_properties(arch, is_enforcement, NULL) == 1;

	for (unsigned i = 0; i < f->n_msrs; i++)
		text_add(&t, "%s0x%x", i ? ", " : f->n_msrs > 1 ? "MSRs " : "MSR ", f->msrs[i]);
	for (unsigned i = 0; i < f->n_hypercalls; i++)
		text_add(&t, f->hypercalls[i] > UINT16_MAX ? "%s0x%x" : "%s%u",
			 i ? ", " : f->n_msrs ? "; hypercall " : "hypercall ", f->hypercalls[i]);
	text_item("interface", &t);
	if (f->gate)
		text_add(&t, "%s where the guest does not have it%s", LOOK_UP(gates, f->gate, strlen(f->gate)),
			 property ? " (kvm-pv-enforce-cpuid)" : "");
	text_item("enforced", &t);
	if (f->vmm)
		ADD_WORDS(&t, requirements, "must ", "; ", f->vmm);
	text_item("the VMM", &t);
	free(t.s);
	if (f->note)
		term_item("note", f->note);
}

/* What is not the rule: host and max take what is offered. */
static const char *default_text(const char *deflt)
{
	if (strcmp(deflt, "asked") == 0)
		return "only where it is asked for";
	return strcmp(deflt, "any") == 0 ? "every model has it where it is offered" : NULL;
}

/* Levels of a field that have names of their own. */
struct levels {
	const struct gcpu_feature_info *field;
	struct text text;
};

static int level(void *ctx, const struct gcpu_feature_info *f)
{
	struct levels *l = ctx;

	if (!f->at_least || strcmp(f->word, l->field->word) != 0 || f->lsb != l->field->lsb)
		return 0;
	text_add(&l->text, f->value > 9 ? "%s0x%llx %s" : "%s%llu %s", l->text.n ? ", " : "",
		 (unsigned long long)f->value, f->name);
	return 0;
}

/* What single values of a field are called. */
static void values_text(struct text *line, enum gcpu_arch arch, const struct gcpu_feature_info *f)
{
	for (unsigned v = 0; f->width <= 8 && v >> f->width == 0; v++) {
		const char *name = gcpu_value_name(arch, f->name, v);

		if (name)
			text_add(line, v > 9 ? "%s0x%x %s" : "%s%u %s", line->n ? ", " : "", v, name);
	}
}

/* What this KVM takes of a field, and whether its mask tells more than is true. */
static void tried_text(struct text *line, const struct account *a)
{
	struct gcpu_tried t = { .size = sizeof(t) };
	const char *between = "";

	if (gcpu_snapshot_tried(a->planned->snap, a->name, &t) || !t.values)
		return;
	if (t.has_mask)
		text_add(line, "%sin KVM's mask of what may be written, ", t.in_mask ? "" : "not ");
	if (t.taken == 1U << t.own) {
		text_add(line, "%sKVM takes no value but its own", t.in_mask ? "yet " : "");
		return;
	}
	text_add(line, "of %u values KVM takes ", t.values);
	for (unsigned v = 0; v < t.values; v++)
		if (t.taken >> v & 1) {
			text_add(line, "%s0x%x", between, v);
			between = ", ";
		}
	between = "; it takes, and turns into another, ";
	for (unsigned v = 0; v < t.values; v++)
		if (t.changed >> v & 1) {
			text_add(line, "%s0x%x", between, v);
			between = ", ";
		}
}

void explain_facts(const struct account *a, const struct gcpu_feature_info *f)
{
	struct levels levels = { f, { NULL, 0, 0 } };
	struct text line = { NULL, 0, 0 };
	char buf[300];

	where_text(f, buf, sizeof(buf));
	term_item("where", buf);
	if (f->width > 1 && !f->at_least)
		gcpu_features(a->tool->arch, level, &levels);
	text_item("levels", &levels.text);
	free(levels.text.s);
	values_text(&line, a->tool->arch, f);
	text_item("values", &line);
	text_add(&line, "%s%s", LOOK_UP(kinds, f->kind, strlen(f->kind)), strcmp(f->since, "-") ? "," : "");
	since_text(&line, f->since);
	text_item("offered", &line);
	tried_text(&line, a);
	text_item("tried", &line);
	if (f->vendors)
		ADD_WORDS(&line, vendors, "only CPUs of ", ", ", f->vendors);
	text_item("vendor", &line);
	if (default_text(f->deflt) && a->standing.chosen)
		term_item("default", default_text(f->deflt));
	if (f->runtime && !(f->note && strcasecmp(f->runtime, f->note) == 0))
		term_item("runtime", f->runtime);
	print_pv(a->tool->arch, f);
	called_text(&line, a->tool->arch, f->name, f->called);
	text_item("called", &line);
	free(line.s);
}
