/* SPDX-License-Identifier: MIT */
/* The command line: one table, from which help, parsing and checks come. */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const struct option_fact options[N_OPTIONS] = {
	[OPT_ALIVE] = { "--alive", 0, NULL, "let guests use each paravirtual feature, and those they were not given" },
	[OPT_ALL] = { "--all", 'a', NULL, "show everything, not only what is of interest" },
	[OPT_ARCH] = { "--arch", 0, "x86|arm64", "architecture (default: this machine's)" },
	[OPT_BACKEND] = { "--on", 0, "kvm|model:HOST[@SERIES]", "whom to ask: this machine's KVM (default), or a software KVM of a host" },
	[OPT_CPU] = { "--cpu", 'c', "REQUEST", "CPU to plan, in the grammar of QEMU's -cpu (default: host)" },
	[OPT_DISABLE_EXITS] = { "--disable-exits", 0, "LIST", "exits to disable: mwait,hlt,pause,cstate,aperfmperf" },
	[OPT_FORMAT] = { "--format", 'f', "text|json|cpuid-raw", "form of the output (default: text)" },
	[OPT_FROM_CPUID] = { "--from-cpuid", 0, "FILE", "compute the snapshot from a CPU's own CPUID (cpuid -r, InstLatx64)" },
	[OPT_GIC] = { "--gic", 0, "v3|v2|none", "in-kernel interrupt controller of arm64 (default: the newest there is)" },
	[OPT_HANDLES] = { "--handles", 0, "LIST", "what the VMM handles: msi-ext-dest-id,map-gpa-range,migration-control" },
	[OPT_HELP] = { "--help", 'h', NULL, "show help" },
	[OPT_HOST] = { "--host", 0, "kvm|NAME|FILE|model:HOST[@SERIES]", "this KVM (default), a bundled snapshot, a file (with / or .), or a software KVM of either" },
	[OPT_HOSTS] = { "--hosts", 0, NULL, "list the bundled snapshots" },
	[OPT_IPA_BITS] = { "--ipa-bits", 0, "N", "bits of a guest physical address of arm64 (default: not said)" },
	[OPT_IRQCHIP] = { "--irqchip", 0, "kernel|split|user|none", "where the local APIC is (default: kernel)" },
	[OPT_JSON] = { "--json", 'j', NULL, "one JSON document on standard output, errors too" },
	[OPT_KERNEL] = { "--kernel", 0, "SERIES", "the kernel whose KVM it is: a series such as 6.12, or a release of one" },
	[OPT_KIND] = { "--kind", 0, "hw|emulated|synth|pass|vendor|alias|pv|vmm|runtime|none", "only what KVM comes to offer that way" },
	[OPT_KVM] = { "--kvm", 0, "PATH", "KVM device (default: /dev/kvm)" },
	[OPT_KVM_LEAF] = { "--kvm-leaf", 0, "BASE", "where KVM's CPUID leaves go (default: 0x40000000)" },
	[OPT_MISSING] = { "--missing", 0, NULL, "only what this host does not offer, with the reason" },
	[OPT_NAME] = { "--name", 0, "NAME", "name of the snapshot" },
	[OPT_NO_TRIAL] = { "--no-trial", 0, NULL, "measure without throw-away vCPUs; plans then know less" },
	[OPT_ON] = { "--on", 0, NULL, "only what the plan has" },
	[OPT_ONLY] = { "--only", 0, "PATTERN", "only cases whose name matches, as in 'cpuid-*'" },
	[OPT_OUTPUT] = { "--output", 'o', "FILE", "write the document to FILE; '-': to standard output, and nothing else" },
	[OPT_PRESETS] = { "--presets", 0, NULL, "what pv= takes, and why each feature is in it or not" },
	[OPT_SMP] = { "--smp", 0, "TOPOLOGY", "N,sockets=,dies=,modules=,cores=,threads=; wins over --vcpus" },
	[OPT_TAP] = { "--tap", 0, NULL, "output in the Test Anything Protocol" },
	[OPT_TIMEOUT] = { "--timeout", 0, "MS", "time that a guest has to answer (default: 10000)" },
	[OPT_TRACE] = { "--trace", 0, "FILE", "tell what a program gave its guest, by a document of trace or sim; with --host what guestcpu would, too" },
	[OPT_VCPUS] = { "--vcpus", 0, "N", "number of vCPUs (default: 1)" },
	[OPT_VERSION] = { "--version", 0, NULL, "show the version" },
	[OPT_X2APIC_IDS] = { "--x2apic-ids", 0, NULL, "the VMM copes with 32-bit APIC ids" },
};

int tool_usage(const struct tool *t, const char *format, ...)
{
	struct gcpu_error err;
	va_list ap;

	memset(&err, 0, sizeof(err));
	err.code = GCPU_ERR_ARGUMENT;
	err.offset = (size_t)-1;
	va_start(ap, format);
	vsnprintf(err.text, sizeof(err.text), format, ap);
	va_end(ap);
	return tool_fail(t, &err, NULL);
}

/* Where commands have options of one name, that of this command; else any. */
static int find_option(uint64_t takes, const char *word, size_t n)
{
	int found = -1;

	for (int i = 0; i < N_OPTIONS; i++) {
		bool is = (strlen(options[i].name) == n && strncmp(options[i].name, word, n) == 0) ||
			  (n == 2 && word[0] == '-' && options[i].letter && word[1] == options[i].letter);

		if (is && (found < 0 || takes >> i & 1))
			found = i;
	}
	return found;
}

static int take_option(struct tool *t, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *eq = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	int o = find_option(t->command->takes, word, eq ? (size_t)(eq - word) : strlen(word));

	if (o < 0)
		return tool_usage(t, "no such option '%.60s'", word);
	if (!(t->command->takes >> o & 1) && o != OPT_HELP)
		return tool_usage(t, "'%s' is not an option of guestcpu %s", options[o].name,
				  t->command->name);
	if (!options[o].value) {
		if (eq)
			return tool_usage(t, "'%s' takes no value", options[o].name);
		t->value[o] = "";
		return 0;
	}
	if (!eq && *i + 1 >= argc)
		return tool_usage(t, "'%s' needs %s", options[o].name, options[o].value);
	t->value[o] = eq ? eq + 1 : argv[++*i];
	return 0;
}

bool tool_asks_json(const char *word, const char *next)
{
	if (strcmp(word, "--json") == 0 || strcmp(word, "-j") == 0 ||
	    strcmp(word, "--format=json") == 0)
		return true;
	return (strcmp(word, "--format") == 0 || strcmp(word, "-f") == 0) && next &&
	       strcmp(next, "json") == 0;
}

/* How many words are a launcher's own: the rest is the program's. */
static int own_words(struct tool *t, int argc, char **argv)
{
	int i = 0;

	while (i < argc && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--") != 0) {
		const char *eq = strchr(argv[i], '=');
		int o = find_option(t->command->takes, argv[i], strlen(argv[i]));

		i += !eq && o >= 0 && options[o].value ? 2 : 1;
	}
	if (i >= argc)
		return argc;
	t->rest = argv + i + (strcmp(argv[i], "--") == 0);
	if (!*t->rest)
		t->rest = NULL;
	return i;
}

int tool_parse(struct tool *t, int argc, char **argv)
{
	bool only_words = false;
	int status = 0;

	if (t->command->is_launcher)
		argc = own_words(t, argc, argv);
	/* errors are JSON if JSON was asked for, wherever it stands */
	for (int i = 0; i < argc; i++)
		t->json |= tool_asks_json(argv[i], i + 1 < argc ? argv[i + 1] : NULL);
	for (int i = 0; i < argc && status == 0; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0)
			only_words = true;
		else if (!only_words && argv[i][0] == '-' && argv[i][1])
			status = take_option(t, argc, argv, &i);
		else if (!t->command->words)
			status = tool_usage(t, "unexpected word '%.60s'", argv[i]);
		else if (t->n_words == WORDS_MOST)
			status = tool_usage(t, "more than %d names, at '%.60s'", WORDS_MOST, argv[i]);
		else
			t->words[t->n_words++] = argv[i];
	}
	if (status)
		return status;
	t->arch = gcpu_arch_native();
	if (t->value[OPT_ARCH]) {
		t->arch = gcpu_arch_by_name(t->value[OPT_ARCH]);
		if (!t->arch)
			return tool_usage(t, "no such architecture '%.40s': x86 or arm64",
					  t->value[OPT_ARCH]);
	}
	return 0;
}

static int choice(const struct tool *t, enum option o, const char *const names[], int deflt,
		  int *ret)
{
	*ret = deflt;
	if (!t->value[o])
		return 0;
	for (int i = 0; names[i]; i++) {
		if (strcmp(names[i], t->value[o]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return tool_usage(t, "%s: no such choice '%.40s', expected %s", options[o].name, t->value[o],
			  options[o].value);
}

/* Decimal, or hex with 0x. */
static bool number(const char *s, size_t n, unsigned long most, unsigned long *ret)
{
	char buf[24], *end;

	if (n == 0 || n >= sizeof(buf) || s[0] < '0' || s[0] > '9')
		return false;
	memcpy(buf, s, n);
	buf[n] = 0;
	*ret = strtoul(buf, &end, s[0] == '0' && (buf[1] == 'x' || buf[1] == 'X') ? 16 : 10);
	return *end == 0 && *ret <= most;
}

static int names(const struct tool *t, enum option o, int (*by_name)(const char *), uint32_t *ret)
{
	const char *s = t->value[o];

	while (s && *s) {
		size_t n = strcspn(s, ",");
		char name[40];
		int bit;

		snprintf(name, sizeof(name), "%.*s", n < 39 ? (int)n : 39, s);
		bit = by_name(name);
		if (bit < 0)
			return tool_usage(t, "%s: no such name '%s'; %s", options[o].name, name,
					  options[o].help);
		*ret |= 1U << bit;
		s += n + (s[n] == ',');
	}
	return 0;
}

/* One item of --smp, N bytes at S: a count, or key=count. */
static int smp_item(struct tool *t, const char *s, size_t n, bool *counted)
{
	static const char *const keys[] = { "cpus", "sockets", "dies", "modules", "cores", "threads" };
	struct gcpu_machine *m = &t->machine;
	unsigned *const where[] = { &m->vcpus, &m->sockets, &m->dies, &m->modules, &m->cores,
				    &m->threads };
	const char *eq = memchr(s, '=', n);
	size_t skip = eq ? (size_t)(eq - s) + 1 : 0;
	int shown = (int)(n < 40 ? n : 40), k = eq ? -1 : 0;
	unsigned long v;

	for (int i = 0; eq && i < 6; i++)
		if (strlen(keys[i]) == skip - 1 && strncmp(s, keys[i], skip - 1) == 0)
			k = i;
	if (k < 0)
		return tool_usage(t, "--smp: no such key in '%.*s': cpus, sockets, dies, modules, cores, threads",
				  shown, s);
	/* vcpus has a default, and --vcpus may have spoken before */
	if (k ? *where[k] != 0 : *counted)
		return tool_usage(t, "--smp: '%.*s' says it again", shown, s);
	if (!number(s + skip, n - skip, GCPU_MAX_VCPUS, &v) || !v)
		return tool_usage(t, "--smp: '%.*s' is not a count from 1 to %d", shown, s,
				  GCPU_MAX_VCPUS);
	*where[k] = (unsigned)v;
	*counted |= k == 0;
	return 0;
}

static int parse_smp(struct tool *t)
{
	struct gcpu_machine *m = &t->machine;
	const char *s = t->value[OPT_SMP];
	bool counted = false;
	int status = 0;

	while (s && status == 0) {
		size_t n = strcspn(s, ",");

		status = smp_item(t, s, n, &counted);
		s = s[n] ? s + n + 1 : NULL;
	}
	if (status == 0 && t->value[OPT_SMP] && !counted) {
		/* 4096^5 fits; more than any KVM allows is refused with the plan */
		uint64_t all = (m->sockets ? m->sockets : 1ULL) * (m->dies ? m->dies : 1) *
			       (m->modules ? m->modules : 1) * (m->cores ? m->cores : 1) *
			       (m->threads ? m->threads : 1);

		m->vcpus = all > UINT32_MAX ? UINT32_MAX : (unsigned)all;
	}
	return status;
}

const char *const tool_irqchips[] = { "kernel", "split", "user", "none", NULL };
const char *const tool_gics[] = { "none", "v2", "v3", NULL };

int tool_machine(struct tool *t)
{
	struct gcpu_machine *m = &t->machine;
	unsigned long v;
	int irqchip, gic, status;

	gcpu_machine_init(m);
	status = choice(t, OPT_IRQCHIP, tool_irqchips, GCPU_IRQCHIP_KERNEL, &irqchip);
	if (status == 0)
		status = choice(t, OPT_GIC, tool_gics, GCPU_GIC_V3, &gic);
	if (status)
		return status;
	m->irqchip = (enum gcpu_irqchip)irqchip;
	m->gic = (enum gcpu_gic)gic;
	if (t->value[OPT_VCPUS]) {
		const char *s = t->value[OPT_VCPUS];

		if (!number(s, strlen(s), UINT32_MAX, &v) || !v)
			return tool_usage(t, "--vcpus: '%.40s' is not a count", s);
		m->vcpus = (unsigned)v;
	}
	if (t->value[OPT_KVM_LEAF]) {
		const char *s = t->value[OPT_KVM_LEAF];

		if (!number(s, strlen(s), UINT32_MAX, &v))
			return tool_usage(t, "--kvm-leaf: '%.40s' is not a leaf number", s);
		m->kvm_leaf = (uint32_t)v;
	}
	if (t->value[OPT_IPA_BITS]) {
		const char *s = t->value[OPT_IPA_BITS];

		if (!number(s, strlen(s), UINT32_MAX, &v) || !v)
			return tool_usage(t, "--ipa-bits: '%.40s' is not a number of bits", s);
		m->ipa_bits = (unsigned)v;
	}
	m->accept_x2apic_ids = t->value[OPT_X2APIC_IDS] != NULL;
	status = parse_smp(t);
	if (status == 0)
		status = names(t, OPT_DISABLE_EXITS, gcpu_exit_by_name, &m->disable_exits);
	if (status == 0)
		status = names(t, OPT_HANDLES, gcpu_handle_by_name, &m->handles);
	return status;
}
