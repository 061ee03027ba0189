/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <guestcpu/plan.h>

#include <stdio.h>
#include <string.h>

void jw_start(struct json *j, gcpu_write write, void *ctx)
{
	memset(j, 0, offsetof(struct json, hold));
	j->out.write = write;
	j->out.ctx = ctx;
}

static void flush(struct json *j)
{
	if (j->held)
		sink_text(&j->out, j->hold, j->held);
	j->held = 0;
}

static inline void piece(struct json *j, const char *text, size_t n)
{
	if (n > sizeof(j->hold) - j->held)
		flush(j);
	if (n > sizeof(j->hold)) {
		sink_text(&j->out, text, n);
		return;
	}
	memcpy(j->hold + j->held, text, n);
	j->held += n;
}

static inline void put(struct json *j, const char *text)
{
	piece(j, text, strlen(text));
}

static void indent(struct json *j)
{
	static const char blanks[] = "            ";

	put(j, "\n");
	piece(j, blanks, j->depth < 12 ? j->depth : 12);
}

/* Whatever has to stand before the next value. */
static void before(struct json *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (!j->depth)
		return;
	if (j->filled[j->depth])
		put(j, ",");
	if (j->lines[j->depth])
		indent(j);
	else if (j->filled[j->depth])
		put(j, " ");
	j->filled[j->depth] = true;
}

unsigned jw_sequence(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		     (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	for (unsigned i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, surrogate, above U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Always valid: what is no UTF-8 becomes U+FFFD. */
static void quoted(struct json *j, const char *text)
{
	put(j, "\"");
	while (*text) {
		const char *start = text;
		unsigned n = 0;
		char esc[8];

		while (*text && (unsigned char)*text >= 0x20 && *text != '"' && *text != '\\' &&
		       *text != 0x7f && (n = jw_sequence(text)) != 0)
			text += n;
		piece(j, start, (size_t)(text - start));
		if (!*text)
			break;
		if (*text == '"' || *text == '\\')
			snprintf(esc, sizeof(esc), "\\%c", *text);
		else if ((unsigned char)*text >= 0x80)
			snprintf(esc, sizeof(esc), "\xef\xbf\xbd");
		else
			snprintf(esc, sizeof(esc), "\\u%04x", (unsigned)*text);
		put(j, esc);
		text++;
	}
	put(j, "\"");
}

static void open_level(struct json *j, const char *bracket, bool lines)
{
	before(j);
	put(j, bracket);
	if (j->depth + 1 == JSON_DEPTH) {
		j->out.status = j->out.status ? j->out.status : GCPU_ERR_INTERNAL;
		return;
	}
	j->depth++;
	j->filled[j->depth] = false;
	j->lines[j->depth] = lines;
}

void jw_object(struct json *j, bool lines)
{
	open_level(j, "{", lines);
}

void jw_array(struct json *j, bool lines)
{
	open_level(j, "[", lines);
}

void jw_close(struct json *j, char bracket)
{
	char text[2] = { bracket, 0 };
	bool on_line = j->lines[j->depth] && j->filled[j->depth];

	if (j->depth)
		j->depth--;
	if (on_line)
		indent(j);
	put(j, text);
}

int jw_end(struct json *j)
{
	put(j, "\n");
	flush(j);
	return j->out.status;
}

void jw_key(struct json *j, const char *key)
{
	before(j);
	quoted(j, key);
	put(j, ": ");
	j->after_key = true;
}

void jw_string(struct json *j, const char *text)
{
	before(j);
	if (text)
		quoted(j, text);
	else
		put(j, "null");
}

/* Digits of VALUE before END, which is not written to; the first one. */
static char *digits(char *end, uint64_t value, unsigned base)
{
	do {
		*--end = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	return end;
}

void jw_hex(struct json *j, uint64_t value)
{
	char buf[24], *end = buf + sizeof(buf) - 1, *s;

	before(j);
	*end = '"';
	s = digits(end, value, 16) - 3;
	memcpy(s, "\"0x", 3);
	piece(j, s, (size_t)(end + 1 - s));
}

void jw_int(struct json *j, int64_t value)
{
	char buf[24], *end = buf + sizeof(buf), *s;

	before(j);
	s = digits(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
	if (value < 0)
		*--s = '-';
	piece(j, s, (size_t)(end - s));
}

void jw_bool(struct json *j, bool value)
{
	before(j);
	put(j, value ? "true" : "false");
}

void jw_key_string(struct json *j, const char *key, const char *text)
{
	jw_key(j, key);
	jw_string(j, text);
}

void jw_key_hex(struct json *j, const char *key, uint64_t value)
{
	jw_key(j, key);
	jw_hex(j, value);
}

void jw_key_int(struct json *j, const char *key, int64_t value)
{
	jw_key(j, key);
	jw_int(j, value);
}

void jw_key_bool(struct json *j, const char *key, bool value)
{
	jw_key(j, key);
	jw_bool(j, value);
}

void jw_key_host(struct json *j, const struct gcpu_snapshot *host, bool lines)
{
	jw_key(j, "host");
	if (!host) {
		jw_string(j, NULL);
		return;
	}
	jw_object(j, lines);
	jw_key_string(j, "name", gcpu_snapshot_name(host));
	jw_key_string(j, "hash", gcpu_snapshot_hash(host));
	jw_key_string(j, "vendor", gcpu_snapshot_vendor(host));
	jw_key_string(j, "kernel", gcpu_snapshot_kernel(host));
	jw_key_string(j, "module", gcpu_snapshot_module(host));
	jw_close(j, '}');
}

void jw_cpuid(struct json *j, const struct gcpu_cpuid *e)
{
	jw_object(j, false);
	jw_key_hex(j, "leaf", e->leaf);
	jw_key_hex(j, "subleaf", e->subleaf);
	jw_key_int(j, "flags", e->flags);
	jw_key_hex(j, "eax", e->eax);
	jw_key_hex(j, "ebx", e->ebx);
	jw_key_hex(j, "ecx", e->ecx);
	jw_key_hex(j, "edx", e->edx);
	jw_close(j, '}');
}
