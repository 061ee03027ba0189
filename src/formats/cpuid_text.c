/* SPDX-License-Identifier: MIT */
/*
 * Two forms of a line, everything else is passed over:
 *
 *	   0x00000007 0x00: eax=0x00000000 ebx=0x209c01a9 ecx=0x00400004 edx=0x00000000
 *	CPUID 00000007: 00000000-209C01A9-00400004-00000000 [SL 00]
 *
 * The second may lack its colon and its sub-leaf: then equal leaves are counted. A CPU ends where
 * the next one is announced, or begins with leaf 0 again.
 */
#include "cpuid_text.h"

#include "core/facts.h"
#include "facts_gen.h"

#include <guestcpu/snapshot.h>
#include <string.h>

enum { ENTRIES_MOST = 4096, XSAVE_LEGACY = 512 + 64 };

struct text {
	const char *at, *end; /* what is left of the line */
	unsigned line;
	struct snap_cpuid entry;
	bool numbered; /* the line says its sub-leaf */
};

static void blanks(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
		t->at++;
}

static bool word(struct text *t, const char *what)
{
	size_t n = strlen(what);

	if ((size_t)(t->end - t->at) < n || memcmp(t->at, what, n) != 0)
		return false;
	t->at += n;
	return true;
}

/* One to MOST hex digits. */
static bool hex(struct text *t, unsigned most, uint32_t *ret)
{
	unsigned n = 0;

	for (*ret = 0; t->at < t->end && n <= most; t->at++, n++) {
		char c = *t->at;
		uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') :
				 c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 :
				 c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10 : 16;

		if (digit == 16)
			break;
		*ret = *ret << 4 | digit;
	}
	return n && n <= most;
}

static int not_taken(struct gcpu_error *err)
{
	error_expected(err, "what 'cpuid -r' prints ('   0x00000000 0x00: eax=0x... ebx=0x... ecx=0x... edx=0x...'), "
			    "a dump of InstLatx64 ('CPUID 00000000: EAX-EBX-ECX-EDX [SL 00]'), or a snapshot");
	return GCPU_ERR_DOCUMENT;
}

/* Whose text it is, if it is one that people have at hand and that is not taken; or NULL. */
static const char *other_tool(const char *text, size_t length)
{
	static const struct {
		const char *mark, *whose;
	} others[] = {
		{ "basic_cpuid[", "cpuid_tool's text, which is not read" },
		{ ": EAX=0x", "kcpuid's text, which is not read" },
		{ "<cpuid>", "libvirt's XML, which is not read" },
		{ "eax_in=", "libvirt's XML, which is not read" },
		{ "\"return\"", "replies of QEMU's monitor, as libvirt keeps them, which are not read" },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		for (size_t n = strlen(others[i].mark), at = 0; at + n <= length; at++)
			if (memcmp(text + at, others[i].mark, n) == 0)
				return others[i].whose;
	return NULL;
}

int cpuid_text_not_snapshot(const char *text, size_t length, int status, struct gcpu_error *err)
{
	const char *whose = other_tool(text, length);

	if (status != GCPU_ERR_DOCUMENT && status != GCPU_ERR_SCHEMA)
		return status;
	if (whose)
		error_set(err, GCPU_ERR_DOCUMENT, "%s", whose);
	else if (!err || strncmp(err->text, "schema: ", 8) != 0)
		return status;
	not_taken(err);
	return whose ? GCPU_ERR_DOCUMENT : status;
}

static int bad_line(const struct text *t, const char *what, const char *expected, struct gcpu_error *err)
{
	error_set(err, GCPU_ERR_DOCUMENT, "line %u: %s", t->line, what);
	error_expected(err, "%s", expected);
	return GCPU_ERR_DOCUMENT;
}

/* LEAF SUBLEAF: eax=.. ebx=.. ecx=.. edx=.. */
static bool cpuid_r(struct text *t)
{
	static const char *const names[4] = { "eax=0x", "ebx=0x", "ecx=0x", "edx=0x" };
	struct snap_cpuid *e = &t->entry;

	if (!hex(t, 8, &e->leaf))
		return false;
	blanks(t);
	if (!word(t, "0x") || !hex(t, 8, &e->subleaf) || !word(t, ":"))
		return false;
	t->numbered = true;
	for (unsigned i = 0; i < 4; i++) {
		blanks(t);
		if (!word(t, names[i]) || !hex(t, 8, &e->regs[i]))
			return false;
	}
	return t->at == t->end;
}

/* LEAF: EAX-EBX-ECX-EDX [SL 00] [words] */
static bool instlat(struct text *t)
{
	struct snap_cpuid *e = &t->entry;

	if (!hex(t, 8, &e->leaf))
		return false;
	word(t, ":");
	blanks(t);
	for (unsigned i = 0; i < 4; i++)
		if ((i && !word(t, "-")) || !hex(t, 8, &e->regs[i]))
			return false;
	blanks(t);
	t->numbered = word(t, "[SL ");
	return !t->numbered || (hex(t, 4, &e->subleaf) && word(t, "]"));
}

enum line { LINE_OTHER, LINE_CPU, LINE_ENTRY, LINE_BAD };

/* What stands on the line? */
static enum line take_line(struct text *t)
{
	const char *begin = t->at;

	memset(&t->entry, 0, sizeof(t->entry));
	t->numbered = false;
	blanks(t);
	if (word(t, "0x"))
		return cpuid_r(t) ? LINE_ENTRY : LINE_BAD;
	if (word(t, "CPUID ")) {
		/* lines of words begin like that as well: "CPUID Registers (CPU #1):" */
		const char *begun = t->at;
		uint32_t leaf;

		if (word(t, "Registers"))
			return LINE_CPU;
		if (!hex(t, 8, &leaf) || t->at - begun != 8)
			return LINE_OTHER;
		t->at = begun;
		return instlat(t) ? LINE_ENTRY : LINE_BAD;
	}
	if (word(t, "CPU") && (word(t, ":") || (t->at < t->end && *t->at == ' ')))
		return LINE_CPU;
	t->at = begin;
	return word(t, "------[ ") ? LINE_CPU : LINE_OTHER;
}

static struct snap_cpuid *last_of(struct list *l, uint32_t leaf)
{
	struct snap_cpuid *e = l->n ? LIST_AT(l, struct snap_cpuid, l->n - 1) : NULL;

	return e && e->leaf == leaf ? e : NULL;
}

/* Old dumps leave out sub-leaves that are zero: a component of the save area has an offset. */
static uint32_t counted(const struct text *t, const struct snap_cpuid *last)
{
	uint32_t save = ADDR_LEAF(gcpu_facts_x86.words[X86_W_CPUID_0XD_0X0_EAX].addr);

	if (t->entry.leaf == save && last->subleaf == 0 && t->entry.regs[1] >= XSAVE_LEGACY)
		return 2;
	return last->subleaf + 1;
}

static int add_entry(struct text *t, struct list *l, struct gcpu_error *err)
{
	struct snap_cpuid *last = last_of(l, t->entry.leaf), *e;

	if (!t->numbered && last)
		t->entry.subleaf = counted(t, last);
	t->entry.flags = t->entry.subleaf != 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct snap_cpuid *old = LIST_AT(l, struct snap_cpuid, i);

		if (old->leaf == t->entry.leaf && old->subleaf == t->entry.subleaf)
			return bad_line(t, "this leaf and sub-leaf stands further up", "each once for a CPU", err);
	}
	if (t->entry.subleaf > CPUID_SUBLEAF_MOST)
		return bad_line(t, "a sub-leaf of more than 22 bits", "0 to 0x3fffff", err);
	if (l->n == ENTRIES_MOST)
		return bad_line(t, "more entries than any CPU has", "at most 4096", err);
	/* one sub-leaf is significant: all of its leaf are */
	if (last && t->entry.flags)
		last->flags = 1;
	e = list_add(l, sizeof(*e));
	if (!e)
		return error_memory(err);
	*e = t->entry;
	return 0;
}

/* Leaves above the highest of their class are no leaves: a CPU may answer anything. */
static void drop_strays(struct list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct snap_cpuid e = *LIST_AT(l, struct snap_cpuid, i);
		uint32_t base = e.leaf & 3U << 30;
		bool known = false;

		for (size_t b = 0; b < l->n && base != 1U << 30 && !known; b++) {
			const struct snap_cpuid *first = LIST_AT(l, struct snap_cpuid, b);

			/* those that were moved down already still say the same */
			known = first->leaf == base && first->regs[0] >= e.leaf && first->regs[0] - base <= CPUID_CLASS_MOST;
		}
		if (known)
			*LIST_AT(l, struct snap_cpuid, kept++) = e;
	}
	l->n = kept;
}

static bool is_text(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' && !memchr("\t\r\n\f", text[i], 4))
			return false;
	return true;
}

/* Does a second CPU begin? */
static bool next_cpu(enum line line, const struct text *t, const struct list *l)
{
	return l->n && (line == LINE_CPU || (line == LINE_ENTRY && !t->entry.leaf && t->entry.subleaf == 0));
}

/* The next line, without what is blank at its end. */
static enum line read_line(struct text *t, const char **next, const char *end)
{
	const char *stop = memchr(*next, '\n', (size_t)(end - *next));

	t->at = *next;
	t->end = stop ? stop : end;
	*next = stop ? stop + 1 : end;
	while (t->end > t->at && (t->end[-1] == '\r' || t->end[-1] == ' ' || t->end[-1] == '\t'))
		t->end--;
	t->line++;
	return take_line(t);
}

/* CPUs that begin in what is left of the text; what else stands there is not looked at. */
static unsigned count_cpus(const char *next, const char *end)
{
	struct text t = { .line = 0 };
	unsigned n = 0;

	while (next < end)
		n += read_line(&t, &next, end) == LINE_ENTRY && !t.entry.leaf && !t.entry.subleaf;
	return n;
}

static int keep_count(struct gcpu_snapshot *s, unsigned cpus, struct gcpu_error *err)
{
	struct snap_cap *c = list_add(&s->caps_system, sizeof(*c));

	if (!c)
		return error_memory(err);
	*c = (struct snap_cap){ CAP_NR_VCPUS, (int)cpus };
	return 0;
}

int cpuid_text_read(const char *text, size_t length, struct gcpu_snapshot *s, struct gcpu_error *err)
{
	struct list *l = &s->cpuid[SNAP_NATIVE];
	struct text t = { .line = 0 };
	const char *next = text, *end = text + length, *whose;
	unsigned cpus;
	int status;

	/* the mark that some editors put in front of UTF-8 */
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		next += 3;
	if (!is_text(text, length)) {
		/* and what a shell of Windows writes */
		bool wide = length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);

		error_set(err, GCPU_ERR_DOCUMENT, wide ? "a text in UTF-16, which is not read" : "not a text");
		return not_taken(err);
	}
	while (next < end) {
		enum line line = read_line(&t, &next, end);

		if (next_cpu(line, &t, l))
			break;
		if (line == LINE_BAD) {
			whose = l->n ? NULL : other_tool(text, length);
			bad_line(&t, whose ? whose : "not a line of CPUID as it is read", "", err);
			return not_taken(err);
		}
		status = line == LINE_ENTRY ? add_entry(&t, l, err) : 0;
		if (status)
			return status;
	}
	if (!snapshot_cpuid(s, SNAP_NATIVE, 0, 0)) {
		whose = l->n ? NULL : other_tool(text, length);
		error_set(err, GCPU_ERR_DOCUMENT, "%s", whose ? whose : l->n ? "no leaf 0" : "no line of CPUID");
		return not_taken(err);
	}
	status = cpuid_check_highest(s, err);
	if (status)
		return status;
	drop_strays(l);
	status = cpuid_check(s, err);
	if (status)
		return status;
	cpus = count_cpus(text, end);
	return cpus > 1 ? keep_count(s, cpus, err) : 0;
}
