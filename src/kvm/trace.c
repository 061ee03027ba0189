/* SPDX-License-Identifier: MIT */
/*
 * Reads traces. The text may come from anywhere: everything is bounded, and
 * what is wrong is said with its line. wrap.h has the form.
 */
#include "trace.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any trace of ours; less than what would hurt. */
enum { TEXT_MOST = 64 << 20, LINES_MOST = 1 << 20, BLOB_MOST = 4 << 20, ERRNO_MOST = 4095 };

struct token {
	const char *s;
	size_t n;
};

struct parser {
	struct entry *e;
	struct token rest;
	struct gcpu_error *err;
	unsigned numbers;
};

static int fail(const struct parser *p, struct token at, const char *what, const char *expected)
{
	int shown = at.n > 40 ? 40 : (int)at.n;
	char clean[41];

	for (int i = 0; i < shown; i++)
		clean[i] = at.s[i] > 0x20 && at.s[i] < 0x7f ? at.s[i] : '?';
	clean[shown] = 0;
	error_set(p->err, GCPU_ERR_DOCUMENT, "line %zu: %s '%s'", p->e->line, what, clean);
	error_expected(p->err, "%s", expected);
	if (p->err)
		p->err->line = p->e->line;
	return GCPU_ERR_DOCUMENT;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decimal with or without a sign, or 0x and hex: the sign goes to *ret_minus. */
static bool number(struct token t, uint64_t *ret, bool *ret_minus)
{
	unsigned base = 10;
	uint64_t v = 0;

	*ret_minus = t.n > 1 && t.s[0] == '-';
	t.s += *ret_minus;
	t.n -= *ret_minus;
	if (t.n > 2 && t.s[0] == '0' && t.s[1] == 'x') {
		base = 16;
		t.s += 2;
		t.n -= 2;
	}
	for (size_t i = 0; i < t.n; i++) {
		int d = hex_digit(t.s[i]);

		if (d < 0 || (unsigned)d >= base || v > (UINT64_MAX - (unsigned)d) / base)
			return false;
		v = v * base + (unsigned)d;
	}
	*ret = v;
	return t.n > 0;
}

/* "+12." is twelve zeros; *s is on the plus. */
static bool zeros_at(const char **s, const char *end, size_t *ret)
{
	const char *from = *s + 1, *to = memchr(from, '.', (size_t)(end - from));
	bool minus;
	uint64_t n;

	if (!to || from == to || *from == '-' ||
	    !number((struct token){ from, (size_t)(to - from) }, &n, &minus) || n > BLOB_MOST)
		return false;
	*ret = (size_t)n;
	*s = to + 1;
	return true;
}

static bool blob_scan(struct token t, bool is_text, struct blob *ret)
{
	const char *s = t.s, *end = t.s + t.n;
	size_t bytes = 0;

	while (s < end && bytes <= BLOB_MOST) {
		size_t zeros;

		if (!is_text && *s == '+') {
			if (!zeros_at(&s, end, &zeros))
				return false;
			bytes += zeros;
			continue;
		}
		if (is_text && *s != '%') {
			s++;
		} else {
			s += is_text;
			if (end - s < 2 || hex_digit(s[0]) < 0 || hex_digit(s[1]) < 0)
				return false;
			s += 2;
		}
		bytes++;
	}
	*ret = (struct blob){ t.s, end, bytes, is_text };
	return bytes <= BLOB_MOST;
}

int blob_next(struct blob *b, size_t *zeros)
{
	int c;

	while (!*zeros && b->s < b->end && !b->is_text && *b->s == '+')
		zeros_at(&b->s, b->end, zeros);
	if (*zeros) {
		--*zeros;
		return 0;
	}
	if (b->s == b->end)
		return -1;
	if (b->is_text && *b->s != '%')
		return (unsigned char)*b->s++;
	b->s += b->is_text;
	c = hex_digit(b->s[0]) << 4 | hex_digit(b->s[1]);
	b->s += 2;
	return c;
}

bool blob_same(const struct blob *b, const void *bytes, size_t n, size_t *ret_at)
{
	struct blob at = *b;
	size_t zeros = 0, i;

	for (i = 0; i < n && i < b->bytes; i++)
		if (blob_next(&at, &zeros) != ((const unsigned char *)bytes)[i])
			break;
	*ret_at = i;
	return i == n && i == b->bytes;
}

void blob_copy(const struct blob *b, void *to)
{
	struct blob at = *b;
	size_t zeros = 0;

	for (size_t i = 0; i < b->bytes; i++)
		((unsigned char *)to)[i] = (unsigned char)blob_next(&at, &zeros);
}

static bool descriptor(struct token t, enum wrap_role *role, unsigned *ret)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		size_t n = strlen(wrap_role_names[r]);
		uint64_t v;
		bool minus;

		if (t.n > n && memcmp(t.s, wrap_role_names[r], n) == 0 && t.s[n] >= '0' &&
		    t.s[n] <= '9' && number((struct token){ t.s + n, t.n - n }, &v, &minus) &&
		    v <= LINES_MOST) {
			*role = (enum wrap_role)r;
			*ret = (unsigned)v;
			return true;
		}
	}
	return false;
}

static bool is(struct token t, const char *text)
{
	return t.n == strlen(text) && memcmp(t.s, text, t.n) == 0;
}

static struct token next(struct parser *p)
{
	struct token t = p->rest;
	const char *blank = t.n ? memchr(t.s, ' ', t.n) : NULL;

	if (blank) {
		t.n = (size_t)(blank - t.s);
		p->rest.s = blank + 1;
		p->rest.n -= t.n + 1;
	} else {
		p->rest.s += t.n;
		p->rest.n = 0;
	}
	return t;
}

/* f descriptor, m descriptor or "memory", p path, r request, a argument of it,
 * n number, s number with a sign. */
static const char *const patterns[WRAP_OPS] = {
	[WRAP_OPEN] = "pn", [WRAP_CLOSE] = "f", [WRAP_IOCTL] = "fra", [WRAP_MMAP] = "mn",
	[WRAP_MUNMAP] = "n", [WRAP_CPUID] = "nn", [WRAP_PERM] = "nn", [WRAP_FILE] = "pn",
	[WRAP_PIN] = "s",
};

static int one_number(struct parser *p, struct token t, bool sign)
{
	uint64_t v;
	bool minus;

	if (!number(t, &v, &minus) || (minus && (!sign || v > INT_MAX)))
		return fail(p, t, "not a number:", sign ? "-1 or a CPU" : "a number");
	p->e->arg[p->e->n_args++] = minus ? -v : v;
	return 0;
}

static int request_number(struct parser *p, struct token t)
{
	uint64_t v;
	bool minus;

	p->e->request = wrap_request_by_name(t.s, t.n);
	if (p->e->request)
		return 0;
	if (!number(t, &v, &minus) || minus || v > UINT32_MAX)
		return fail(p, t, "no such request:", "the name or the number of an ioctl");
	p->e->request = (unsigned long)v;
	return 0;
}

static int positional(struct parser *p, char kind, struct token t)
{
	struct entry *e = p->e;

	switch (kind) {
	case 'm':
		if (is(t, "memory"))
			return 0;
		/* fall through */
	case 'f':
		e->has_fd = descriptor(t, &e->role, &e->number);
		return e->has_fd ? 0 : fail(p, t, "no descriptor:", "kvm0, vm0, vcpu0, ...");
	case 'p':
		return t.n && blob_scan(t, true, &e->path) ? 0 : fail(p, t, "no path:", "a path");
	case 'r':
		return request_number(p, t);
	case 'a':
		e->pointer = is(t, "*");
		if (!e->pointer)
			return one_number(p, t, false);
		return 0;
	default:
		return one_number(p, t, kind == 's');
	}
}

/* "in=..." and the like; 1 if T is none of them. */
static int keyed(struct parser *p, struct token t, bool after)
{
	struct entry *e = p->e;
	const struct {
		const char *key;
		bool after, is_text;
		enum wrap_op op;
		struct blob *to;
	} keys[] = {
		{ "in=", false, false, WRAP_IOCTL, &e->in },
		{ "vin=", false, false, WRAP_IOCTL, &e->vin },
		{ "out=", true, false, WRAP_OPS, &e->out },
		{ "vout=", true, false, WRAP_IOCTL, &e->vout },
		{ "text=", true, true, WRAP_FILE, &e->out },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n = strlen(keys[i].key);

		if (t.n < n || memcmp(t.s, keys[i].key, n) != 0)
			continue;
		if (keys[i].after != after || keys[i].to->s ||
		    (keys[i].op != WRAP_OPS && keys[i].op != e->op) ||
		    (keys[i].op == WRAP_OPS && e->op == WRAP_FILE))
			return fail(p, t, "not here, or twice:", "in= and vin= before '=', the rest after");
		if (!blob_scan((struct token){ t.s + n, t.n - n }, keys[i].is_text, keys[i].to))
			return fail(p, t, "malformed bytes:",
				    keys[i].is_text ? "text with %xx" : "pairs of hex digits and +N.");
		return 0;
	}
	return 1;
}

static int result(struct parser *p, struct token t)
{
	struct entry *e = p->e;
	bool minus, inside = false;
	enum wrap_role makes = e->op == WRAP_OPEN ? ROLE_KVM :
			       e->op == WRAP_IOCTL ? wrap_request_makes(e->request, &inside) : ROLE_OTHER;
	uint64_t v;

	if (descriptor(t, &e->made, &e->made_number)) {
		e->makes_fd = true;
		return makes && e->made == makes ? 0 :
			       fail(p, t, "this call makes no such descriptor:", "a number");
	}
	if (!number(t, &v, &minus) || v > (minus ? ERRNO_MOST : INT_MAX) || (makes && !inside && !minus))
		return fail(p, t, "not a result:", makes ? "a descriptor, or an errno with '-'" :
							    "a number, or an errno with '-'");
	e->result = minus ? -(int)v : (int)v;
	return 0;
}

/* What the callers of these operations rely on. */
static int check_size(struct parser *p, struct token line)
{
	const struct entry *e = p->e;
	size_t must = e->op == WRAP_CPUID ? 16 : e->op == WRAP_PERM ? 8 : 0;

	if (e->op == WRAP_FILE)
		must = e->result > 0 ? (size_t)e->result : 0;
	else if (e->op == WRAP_IOCTL)
		return 0;
	else if (e->result < 0)
		must = 0;
	return e->out.bytes == must ? 0 : fail(p, line, "as many bytes as the result says:", "16, 8, or those of a file");
}

static int parse_line(struct parser *p, struct token line)
{
	struct token t;
	const char *kind;
	int op, status;

	p->rest = line;
	t = next(p);
	for (op = 0; op < WRAP_OPS && !is(t, wrap_op_names[op]); op++)
		;
	if (op == WRAP_OPS)
		return fail(p, t, "no such operation:", "open, close, ioctl, ...");
	p->e->op = (enum wrap_op)op;
	for (kind = patterns[op]; *kind; kind++) {
		status = positional(p, *kind, next(p));
		if (status)
			return status;
	}
	for (t = next(p); !is(t, "="); t = next(p)) {
		status = keyed(p, t, false);
		if (status)
			return status < 0 ? status : fail(p, t, "unexpected:", "'='");
	}
	status = result(p, next(p));
	while (status == 0 && p->rest.n) {
		t = next(p);
		status = keyed(p, t, true);
		if (status > 0)
			status = fail(p, t, "unexpected:", "the end of the line");
	}
	return status ? status : check_size(p, line);
}

static int parse_head(struct trace *t, struct token line, struct gcpu_error *err)
{
	static const char head[] = "guestcpu-trace 1 ";
	char name[16] = "";

	if (line.n > sizeof(head) - 1 && line.n < sizeof(head) - 1 + sizeof(name) &&
	    memcmp(line.s, head, sizeof(head) - 1) == 0)
		memcpy(name, line.s + sizeof(head) - 1, line.n - (sizeof(head) - 1));
	t->arch = gcpu_arch_by_name(name);
	if (t->arch)
		return 0;
	error_set(err, GCPU_ERR_SCHEMA, "line 1: this is no trace");
	error_expected(err, "guestcpu-trace 1 and an architecture");
	if (err)
		err->line = 1;
	return GCPU_ERR_SCHEMA;
}

static int parse_lines(struct trace *t, size_t length, struct gcpu_error *err)
{
	const char *s = t->text, *end = s + length;
	size_t n = 0;

	while (s < end || n == 0) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		struct token line = { s, (size_t)((nl ? nl : end) - s) };
		struct parser p = { .err = err };
		int status = 0;

		s += line.n + (nl != NULL);
		if (++n > LINES_MOST)
			return error_set(err, GCPU_ERR_DOCUMENT, "more than %d lines", LINES_MOST);
		if (n == 1) {
			status = parse_head(t, line, err);
		} else if (line.n && line.s[0] != '#') {
			p.e = list_add(&t->entries, sizeof(*p.e));
			if (!p.e)
				return error_memory(err);
			p.e->line = n;
			p.e->s = line.s;
			p.e->n = line.n;
			status = parse_line(&p, line);
		}
		if (status)
			return status;
	}
	return 0;
}

int trace_parse(const char *text, size_t length, struct trace *ret, struct gcpu_error *err)
{
	int status;

	memset(ret, 0, sizeof(*ret));
	if (length > TEXT_MOST)
		return error_set(err, GCPU_ERR_DOCUMENT, "the trace is %zu bytes long", length);
	ret->text = text_copy(text, length);
	if (!ret->text)
		return error_memory(err);
	status = parse_lines(ret, length, err);
	if (status)
		trace_free(ret);
	return status;
}

void trace_free(struct trace *t)
{
	list_free(&t->entries);
	free(t->text);
	memset(t, 0, sizeof(*t));
}
