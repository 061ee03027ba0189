/* SPDX-License-Identifier: MIT */
/* Which bits KVM offers on a host, what else it would answer there, and what of that is assumed. */
#include "supported.h"

#include "core/plan.h"
#include "formats/cpuid_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const vendors[] = {
	"intel", "GenuineIntel", "amd", "AuthenticAMD", "amd", "HygonGenuine",
	"centaur", "CentaurHauls", "centaur", "  Shanghai  ",
};

struct snap_cpuid supported_raw(const struct supported *s, uint32_t leaf, uint32_t subleaf)
{
	const struct snap_cpuid *e = NULL;

	if (leaf <= supported_highest(s, leaf))
		e = snapshot_cpuid(s->host, SNAP_NATIVE, leaf, subleaf);
	/* a dump may not say which leaves have sub-leaves */
	return e && e->subleaf == subleaf ? *e : (struct snap_cpuid){ .leaf = leaf, .subleaf = subleaf };
}

uint32_t supported_highest(const struct supported *s, uint32_t leaf)
{
	const struct snap_cpuid *base;

	/* a class begins at its highest two bits */
	base = snapshot_cpuid(s->host, SNAP_NATIVE, leaf & 3U << 30, 0);
	return base ? base->regs[0] : 0;
}

static bool atom_holds(const struct supported *s, const struct kwhen *w)
{
	switch (w->op) {
	case KWHEN_NATIVE: {
		struct snap_cpuid e = supported_raw(s, ADDR_LEAF(w->addr), ADDR_SUBLEAF(w->addr));

		return (e.regs[ADDR_REG(w->addr)] & w->mask) != 0;
	}
	case KWHEN_LEAST: {
		struct snap_cpuid e = supported_raw(s, ADDR_LEAF(w->addr), ADDR_SUBLEAF(w->addr));

		return (e.regs[ADDR_REG(w->addr)] & w->mask) >= w->least;
	}
	case KWHEN_HAS: {
		const struct field_fact *f = &FACTS->fields[w->addr];

		return (s->words[f->word] >> f->lsb & 1) != 0;
	}
	case KWHEN_IS:
		return s->facts[w->addr];
	case KWHEN_VENDOR:
		return (s->vendor & w->mask) != 0;
	case KWHEN_KERNEL:
		return !(w->since && kernel_too_old(w->since, s->release)) &&
		       (!w->until || kernel_too_old(w->until, s->release));
	case KWHEN_FAMILY:
		return s->family >= w->addr && s->family <= w->mask;
	case KWHEN_MODEL:
		return s->model >= w->addr && s->model <= w->mask;
	default:
		return supported_highest(s, (uint32_t)w->addr) >= w->addr;
	}
}

bool supported_when(const struct supported *s, struct ktext_when when)
{
	for (unsigned i = when.first; i < when.first + when.n; i++)
		if (atom_holds(s, &gcpu_kwhens[i]) == gcpu_kwhens[i].negate)
			return false;
	return true;
}

/* The value of a module's parameter, as sysfs shows it; NULL if it is not known. */
static const char *parameter(const struct gcpu_snapshot *host, const char *name)
{
	size_t module = (size_t)(strchr(name, '.') - name);

	for (size_t i = 0; i < host->params.n; i++) {
		const struct snap_param *p = LIST_AT(&host->params, struct snap_param, i);

		if (strlen(p->module) == module && strncmp(p->module, name, module) == 0 &&
		    strcmp(p->name, name + module + 1) == 0)
			return p->value;
	}
	return NULL;
}

/* Rows of a fact stand together; the first that holds says what it is. */
static void settle_facts(struct supported *s)
{
	for (unsigned i = 0; i < gcpu_n_khost_facts; i++) {
		const struct khost_fact *f = &gcpu_khost_facts[i];
		const char *value = f->param ? parameter(s->host, f->param) : NULL;
		unsigned fact = f->fact;

		if (!supported_when(s, f->when)) {
			if (i + 1 < gcpu_n_khost_facts && gcpu_khost_facts[i + 1].fact == fact)
				continue;
		} else if (value) {
			s->facts[fact] = strcmp(value, "0") != 0 && strcmp(value, "N") != 0;
		} else {
			s->facts[fact] = f->value;
			s->why[fact] = f->why;
			s->param[fact] = f->param;
		}
		if (s->turned == (int)fact)
			s->facts[fact] = !s->facts[fact];
		while (i + 1 < gcpu_n_khost_facts && gcpu_khost_facts[i + 1].fact == fact)
			i++;
	}
}

/* An upper bound is taken as the release itself: older kernels were not seen to have it. */
static bool in_kernel(const struct supported *s, const struct field_fact *f)
{
	const char *since = f->since[0] == '<' ? f->since + 2 : f->since;

	return since[0] != '-' && since[0] != '?' && !kernel_too_old(since, s->release);
}

static uint64_t field_bits(const struct field_fact *f)
{
	return (f->width == 64 ? UINT64_MAX : (1ULL << f->width) - 1) << f->lsb;
}

/* What KVM makes of a field before any condition of supported.txt. */
static uint64_t field_base(const struct supported *s, const struct field_fact *f)
{
	uint64_t addr = FACTS->words[f->word].addr;

	switch (f->kind) {
	case KIND_EMULATED:
	case KIND_PV:
		return field_bits(f);
	case KIND_HW:
	case KIND_PASS:
	case KIND_SYNTH:
	case KIND_ALIAS:
		if (ADDR_SPACE(addr) != SPACE_CPUID)
			return 0;
		return supported_raw(s, ADDR_LEAF(addr), ADDR_SUBLEAF(addr)).regs[ADDR_REG(addr)] & field_bits(f);
	default:
		return 0;
	}
}

static void settle_bits(struct supported *s)
{
	for (unsigned i = 0; i < FACTS->n_fields; i++) {
		const struct field_fact *f = &FACTS->fields[i];

		if (in_kernel(s, f))
			s->words[f->word] |= field_base(s, f);
	}
	for (unsigned i = 0; i < gcpu_n_kbit_rules; i++) {
		const struct kbit_rule *r = &gcpu_kbit_rules[i];
		const struct field_fact *f = &FACTS->fields[r->field];
		bool holds = supported_when(s, r->when);

		if (r->effect == KBIT_NEEDS && !holds)
			s->words[f->word] &= ~field_bits(f);
		else if (r->effect == KBIT_SETS && holds && in_kernel(s, f))
			s->words[f->word] |= field_bits(f);
	}
}

static uint64_t word_value(const struct supported *s, uint64_t addr)
{
	for (unsigned i = 0; i < FACTS->n_words; i++)
		if (FACTS->words[i].addr == addr)
			return s->words[i];
	return 0;
}

/* "0x1000065", as /proc/cpuinfo has it. */
static uint64_t revision(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t value = 0;

	for (text = text && strncmp(text, "0x", 2) == 0 ? text + 2 : NULL; text && *text; text++) {
		const char *digit = strchr(digits, *text);

		if (!digit)
			return 0;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	return value;
}

static int feature_msrs(const struct supported *s, struct gcpu_snapshot *out)
{
	for (unsigned i = 0; i < gcpu_n_kmsr_rules; i++) {
		const struct kmsr_rule *r = &gcpu_kmsr_rules[i];
		struct snap_msr *m;

		if (!supported_when(s, r->when))
			continue;
		m = list_add(&out->msr_features, sizeof(*m));
		if (!m)
			return GCPU_ERR_MEMORY;
		m->index = r->index;
		m->value = r->microcode ? revision(s->host->microcode) : word_value(s, ADDR_MSR(r->index));
		/* Intel has it in the upper half */
		if (r->microcode && s->vendor == VENDOR_INTEL)
			m->value <<= 32;
	}
	return 0;
}

static bool listed(const struct list *l, uint32_t index)
{
	for (size_t i = 0; i < l->n; i++)
		if (*LIST_AT(l, uint32_t, i) == index)
			return true;
	return false;
}

/* MSRs that a VMM saves; where several rows speak of one, KVM has it once. */
static int msr_list(const struct supported *s, struct gcpu_snapshot *out)
{
	for (unsigned i = 0; i < gcpu_n_klist_rules; i++) {
		const struct klist_rule *r = &gcpu_klist_rules[i];
		uint32_t *index;

		if (listed(&out->msr_indexes, r->index) || !supported_when(s, r->when))
			continue;
		index = list_add(&out->msr_indexes, sizeof(*index));
		if (!index)
			return GCPU_ERR_MEMORY;
		*index = r->index;
	}
	return 0;
}

static int capabilities(const struct supported *s, struct gcpu_snapshot *out, bool vm)
{
	struct list *l = vm ? &out->caps_vm : &out->caps_system;

	for (unsigned i = 0; i < gcpu_n_kcap_rules; i++) {
		const struct kcap_rule *r = &gcpu_kcap_rules[i];
		struct snap_cap *c;

		if (!(vm ? r->vm : r->system) || !supported_when(s, r->when))
			continue;
		if (l->n && LIST_AT(l, struct snap_cap, l->n - 1)->number == r->number)
			continue;
		c = list_add(l, sizeof(*c));
		if (!c)
			return GCPU_ERR_MEMORY;
		*c = (struct snap_cap){ r->number, r->value };
		if (r->number == CAP_NR_VCPUS && gcpu_snapshot_capability(s->host, CAP_NR_VCPUS) > 0)
			c->value = gcpu_snapshot_capability(s->host, CAP_NR_VCPUS);
	}
	return 0;
}

/* What KVM can give of XCR0, and what a process has of it without asking. */
static void save_components(const struct supported *s, struct gcpu_snapshot *out)
{
	const struct word_fact *w = &FACTS->words[X86_W_CPUID_0XD_0X0_EAX];
	const uint64_t tiles = field_bits(&FACTS->fields[X86_F_XCR0_TILECONFIG]) |
			       field_bits(&FACTS->fields[X86_F_XCR0_TILEDATA]);
	uint64_t raw = supported_raw(s, ADDR_LEAF(w->addr), ADDR_SUBLEAF(w->addr)).regs[0], known;

	/* the kernel has more than KVM on CPUs without VMX: bounds registers, which no guest gets there */
	known = s->words[X86_W_CPUID_0XD_0X0_EAX];
	if (s->facts[KFACT_BOUNDS])
		known |= raw & (field_bits(&FACTS->fields[X86_F_XCR0_MPX_BNDREGS]) |
				field_bits(&FACTS->fields[X86_F_XCR0_MPX_BNDCSR]));
	if (s->facts[KFACT_TILES])
		known |= raw & tiles;
	out->has_xcomp = true;
	out->xcomp_supported = s->words[X86_W_CPUID_0XD_0X0_EAX] | (s->facts[KFACT_TILES] ? raw & tiles : 0);
	out->xcomp_permitted = known & ~field_bits(&FACTS->fields[X86_F_XCR0_TILEDATA]);
}

int supported_compute(struct supported *s, struct gcpu_snapshot *out)
{
	int status;

	memset(s->words, 0, FACTS->n_words * sizeof(*s->words));
	memset(s->facts, 0, gcpu_n_kfacts * sizeof(*s->facts));
	memset(s->why, 0, gcpu_n_kfacts * sizeof(*s->why));
	memset(s->param, 0, gcpu_n_kfacts * sizeof(*s->param));
	settle_facts(s);
	settle_bits(s);
	save_components(s, out);
	status = supported_leaves(s, out);
	if (!status)
		status = feature_msrs(s, out);
	if (!status)
		status = msr_list(s, out);
	if (!status)
		status = capabilities(s, out, false);
	if (!status)
		status = capabilities(s, out, true);
	return status;
}

#define STABLE_DIGITS 5

/* ".5", ".0-56-cloud-amd64", ".117+deb12", ".44_1": of a release's name, behind its series. */
static bool is_rest(const char *text)
{
	static const char marks[] = "-+._~";
	unsigned n = 0;

	if (*text++ != '.')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		n++;
	if (n == 0 || n > STABLE_DIGITS || (*text && !strchr(marks, *text)))
		return false;
	while ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') ||
	       (*text && strchr(marks, *text)))
		text++;
	return !*text;
}

const char *supported_release(const char *kernel, struct gcpu_error *err)
{
	char known[120] = "";
	size_t n = 0;

	for (unsigned i = 0; i < gcpu_n_kseries; i++) {
		const char *series = gcpu_kseries[i].series;
		size_t length = strlen(series);

		if (strcmp(kernel, series) == 0)
			return gcpu_kseries[i].release;
		if (strncmp(kernel, series, length) == 0 && is_rest(kernel + length))
			return kernel;
		if (n + length + 3 < sizeof(known)) {
			memcpy(known + n, n ? ", " : "", n ? 2 : 0);
			n += n ? 2 : 0;
			memcpy(known + n, series, length + 1);
			n += length;
		}
	}
	error_set(err, GCPU_ERR_NAME, "no such kernel series '%.40s'", kernel);
	error_expected(err, "one of %s, or a release of one", known);
	return NULL;
}

static bool identify(struct supported *s, char vendor[13])
{
	const struct snap_cpuid *e = snapshot_cpuid(s->host, SNAP_NATIVE, 0, 0);
	uint32_t signature;

	if (!e)
		return false;
	memcpy(vendor, &e->regs[1], 4);
	memcpy(vendor + 4, &e->regs[3], 4);
	memcpy(vendor + 8, &e->regs[2], 4);
	vendor[12] = 0;
	for (size_t i = 0; i < sizeof(vendors) / sizeof(*vendors); i += 2)
		if (strcmp(vendor, vendors[i + 1]) == 0)
			s->vendor = vendors[i][0] == 'i' ? VENDOR_INTEL : vendors[i][0] == 'a' ? VENDOR_AMD : VENDOR_CENTAUR;
	signature = supported_raw(s, 1, 0).regs[0];
	s->family = signature >> 8 & 15;
	if (s->family == 15)
		s->family += signature >> 20 & 255;
	s->model = (signature >> 4 & 15) | (s->family >= 6 ? signature >> 12 & 0xf0 : 0);
	return s->vendor != 0;
}

static char *copy_or_null(const char *text)
{
	return text ? text_copy(text, strlen(text)) : NULL;
}

bool supported_was_assumed(const struct supported *s, const char *what)
{
	const struct list *l = &s->host->assumed;

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(LIST_AT(l, struct snap_assumed, i)->what, what) == 0)
			return true;
	return false;
}

bool supported_tsc_measured(const struct supported *s)
{
	return s->host->has_tsc_khz && !supported_was_assumed(s, ASSUMED_TSC);
}

/* Intel's CPUs have SYSCALL in 64-bit mode alone, and show it there alone: a tool of 32 bits does not see it. */
static int show_syscall(struct gcpu_snapshot *host)
{
	const struct field_fact *f = &FACTS->fields[X86_F_SYSCALL], *lm = &FACTS->fields[X86_F_LM];
	struct supported s = { .host = host };
	uint32_t leaf = ADDR_LEAF(FACTS->words[f->word].addr);
	unsigned reg = ADDR_REG(FACTS->words[f->word].addr);
	struct list *l = &host->cpuid[SNAP_NATIVE];
	char vendor[13];

	if (!identify(&s, vendor) || s.vendor != VENDOR_INTEL)
		return 0;
	for (size_t i = 0; i < l->n; i++) {
		struct snap_cpuid *e = LIST_AT(l, struct snap_cpuid, i);

		if (e->leaf != leaf || !(e->regs[reg] >> lm->lsb & 1) || (e->regs[reg] >> f->lsb & 1))
			continue;
		e->regs[reg] |= 1U << f->lsb;
		return snapshot_assume(host, ASSUMED_SYSCALL, "1", SYSCALL_WHY);
	}
	return 0;
}

/* As the kernel takes it where it can: from the crystal clock, else what the CPU has by name. */
static void tell_tsc(const struct supported *s, struct gcpu_snapshot *out)
{
	const uint32_t ratio_leaf = ADDR_LEAF(FACTS->words[X86_W_CPUID_0X15_0X0_EAX].addr);
	const uint32_t base_leaf = ADDR_LEAF(FACTS->words[X86_W_CPUID_0X16_0X0_EAX].addr);
	struct snap_cpuid ratio = supported_raw(s, ratio_leaf, 0), base = supported_raw(s, base_leaf, 0);
	uint64_t khz = ratio.regs[0] ? (uint64_t)ratio.regs[2] * ratio.regs[1] / ratio.regs[0] / 1000 : 0;

	if (!khz)
		khz = (base.regs[0] & 0xffff) * 1000ULL;
	out->has_tsc_khz = khz && khz <= INT32_MAX;
	out->tsc_khz = out->has_tsc_khz ? khz : 0;
}

/* What is the host's own goes along. */
static int describe(const struct supported *s, const char *vendor, struct gcpu_snapshot *out)
{
	const struct gcpu_snapshot *host = s->host;
	char brand[49] = "";
	const char *shown = brand;

	for (uint32_t i = 0; i < 3; i++) {
		uint64_t addr = FACTS->words[X86_W_CPUID_0X80000002_0X0_EAX].addr;
		struct snap_cpuid e = supported_raw(s, ADDR_LEAF(addr) + i, 0);

		memcpy(brand + 16 * i, e.regs, 16);
	}
	for (char *c = brand; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = ' ';
	for (size_t n = strlen(brand); n && brand[n - 1] == ' '; n--)
		brand[n - 1] = 0;
	while (*shown == ' ')
		shown++;
	out->computed = true;
	out->vendor = copy_or_null(vendor);
	out->brand = copy_or_null(*shown ? shown : NULL);
	out->kernel = copy_or_null(s->release);
	out->microcode = copy_or_null(host->microcode);
	out->module = copy_or_null(s->vendor == VENDOR_AMD ? "kvm_amd" : "kvm_intel");
	if (!out->vendor || !out->kernel || !out->module || (*shown && !out->brand) || (host->microcode && !out->microcode))
		return GCPU_ERR_MEMORY;
	for (size_t i = 0; i < host->params.n; i++) {
		const struct snap_param *p = LIST_AT(&host->params, struct snap_param, i);
		struct snap_param *copy = list_add(&out->params, sizeof(*copy));

		if (!copy)
			return GCPU_ERR_MEMORY;
		copy->module = copy_or_null(p->module);
		copy->name = copy_or_null(p->name);
		copy->value = copy_or_null(p->value);
		if (!copy->module || !copy->name || !copy->value)
			return GCPU_ERR_MEMORY;
	}
	tell_tsc(s, out);
	if (supported_tsc_measured(s)) {
		out->has_tsc_khz = true;
		out->tsc_khz = host->tsc_khz;
	}
	for (int t = SNAP_NATIVE; t <= SNAP_VARIES; t++) {
		for (size_t i = 0; i < host->cpuid[t].n; i++) {
			struct snap_cpuid *e = list_add(&out->cpuid[t], sizeof(*e));

			if (!e)
				return GCPU_ERR_MEMORY;
			*e = *LIST_AT(&host->cpuid[t], struct snap_cpuid, i);
		}
	}
	return 0;
}

static int run(struct supported *s, const char *kernel, const char *vendor, struct gcpu_snapshot *out)
{
	int status = describe(s, vendor, out);

	if (!status)
		status = supported_compute(s, out);
	if (!status)
		status = supported_assumed(s, kernel, out);
	if (!status)
		status = snapshot_seal(out) ? GCPU_ERR_MEMORY : 0;
	return status;
}

int supported_snapshot(const struct gcpu_snapshot *host, const char *kernel, struct gcpu_snapshot **ret_snapshot,
		       struct gcpu_error *err)
{
	struct supported s = { .host = host, .turned = -1 };
	struct gcpu_snapshot *out;
	char vendor[13];
	int status;

	if (!kernel)
		kernel = gcpu_snapshot_kernel(host);
	s.release = supported_release(kernel, err);
	if (!s.release)
		return GCPU_ERR_NAME;
	if (!identify(&s, vendor)) {
		error_set(err, GCPU_ERR_DOCUMENT, "%s", host->cpuid[SNAP_NATIVE].n ? "a CPU of another vendor, or no leaf 0" :
			  "no CPUID of the CPU itself");
		error_expected(err, "leaf 0 of a CPU that KVM knows: Intel, AMD, Hygon, Centaur or Zhaoxin");
		return GCPU_ERR_DOCUMENT;
	}
	s.words = calloc(FACTS->n_words, sizeof(*s.words));
	s.facts = calloc(gcpu_n_kfacts, sizeof(*s.facts));
	s.why = calloc(gcpu_n_kfacts, sizeof(*s.why));
	s.param = calloc(gcpu_n_kfacts, sizeof(*s.param));
	out = snapshot_new(GCPU_ARCH_X86);
	status = s.words && s.facts && s.why && s.param && out ? run(&s, kernel, vendor, out) : GCPU_ERR_MEMORY;
	free(s.words);
	free(s.facts);
	free(s.why);
	free(s.param);
	if (status) {
		gcpu_snapshot_free(out);
		return error_memory(err);
	}
	*ret_snapshot = out;
	return 0;
}

/* Of a snapshot: its host's own table is a text like any other, and may have been edited. */
static int check_native(const struct gcpu_snapshot *host, struct gcpu_error *err)
{
	int status;

	if (host->arch != GCPU_ARCH_X86) {
		error_set(err, GCPU_ERR_DOCUMENT, "a host of %s, where there is no CPUID", gcpu_arch_name(host->arch));
		error_expected(err, "CPUID of an x86 CPU, or a snapshot that has it");
		return GCPU_ERR_DOCUMENT;
	}
	/* that there is none is found, and told, where it is read */
	if (!snapshot_cpuid(host, SNAP_NATIVE, 0, 0))
		return 0;
	status = cpuid_check_highest(host, err);
	return status ? status : cpuid_check(host, err);
}

int gcpu_snapshot_from_cpuid(const char *text, size_t length, const char *kernel, const char *name,
			     struct gcpu_snapshot **ret_snapshot, struct gcpu_error *err)
{
	struct gcpu_snapshot *host = NULL, *out = NULL;
	size_t blank = 0;
	char own[100];
	int status;

	if (!text || !kernel || !ret_snapshot)
		return error_set(err, GCPU_ERR_ARGUMENT, "no text, kernel or result");
	if (length > GCPU_SNAPSHOT_MOST || (name && strlen(name) > GCPU_NAME_MOST)) {
		error_set(err, GCPU_ERR_DOCUMENT, "too long: %zu bytes", length);
		error_expected(err, "a text of at most %d bytes, a name of at most %d", GCPU_SNAPSHOT_MOST, GCPU_NAME_MOST);
		return GCPU_ERR_DOCUMENT;
	}
	while (blank < length && strchr(" \t\r\n", text[blank]) && text[blank])
		blank++;
	if (blank < length && text[blank] == '{') {
		status = gcpu_snapshot_parse(text, length, &host, err);
		if (status)
			status = cpuid_text_not_snapshot(text, length, status, err);
		else
			status = check_native(host, err);
	} else {
		host = snapshot_new(GCPU_ARCH_X86);
		status = host ? cpuid_text_read(text, length, host, err) : error_memory(err);
	}
	if (!status && show_syscall(host))
		status = error_memory(err);
	if (!status)
		status = supported_snapshot(host, kernel, &out, err);
	gcpu_snapshot_free(host);
	if (status)
		return status;
	if (!name) {
		snprintf(own, sizeof(own), "x86-%s-%s-computed", out->vendor, out->kernel);
		name = own;
	}
	out->name = text_copy(name, strlen(name));
	if (!out->name) {
		gcpu_snapshot_free(out);
		return error_memory(err);
	}
	*ret_snapshot = out;
	return 0;
}
