/* SPDX-License-Identifier: MIT */
#include "read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest string that a document may hold: names of files and CPUs are shorter. */
#define STRING_MOST 1024

static size_t enter(struct reader *r, const char *name, size_t index)
{
	size_t mark = r->depth;

	if (r->depth < READ_DEPTH) {
		r->at[r->depth].name = name;
		r->at[r->depth++].index = index;
	}
	return mark;
}

size_t read_enter(struct reader *r, const char *name)
{
	return enter(r, name, 0);
}

size_t read_enter_index(struct reader *r, size_t i)
{
	return enter(r, NULL, i);
}

void read_leave(struct reader *r, size_t mark)
{
	r->depth = (unsigned)mark;
}

void read_path(const struct reader *r, char ret[READ_PATH])
{
	size_t n = 0;

	ret[0] = 0;
	for (unsigned i = 0; i < r->depth && n < READ_PATH; i++) {
		if (r->at[i].name)
			snprintf(ret + n, READ_PATH - n, "%s%.40s", n ? "." : "", r->at[i].name);
		else
			snprintf(ret + n, READ_PATH - n, "[%zu]", r->at[i].index);
		n += strlen(ret + n);
	}
}

int read_fail(struct reader *r, const char *what, const char *expected)
{
	char path[READ_PATH];

	if (r->status)
		return r->status;
	read_path(r, path);
	r->status = error_set(r->err, GCPU_ERR_DOCUMENT, "%s: %s", path[0] ? path : "the document",
			      what);
	error_expected(r->err, "%s", expected);
	return r->status;
}

static const struct node *fail_at(struct reader *r, const char *name, const char *what,
				  const char *expected)
{
	size_t mark = read_enter(r, name);

	read_fail(r, what, expected);
	read_leave(r, mark);
	return NULL;
}

const struct node *read_member(struct reader *r, const struct node *object,
			       const char *name, bool needed)
{
	const struct node *v;

	if (r->status)
		return NULL;
	v = r->in == object && r->after ? r->after->next : NULL;
	if (!v || !doc_has_key(v, name))
		v = doc_member(object, name);
	if (!v && needed)
		return fail_at(r, name, "missing", "this key");
	if (v) {
		r->in = object;
		r->after = v;
	}
	return v;
}

const struct node *read_array(struct reader *r, const struct node *object,
			      const char *name, bool needed, size_t most)
{
	const struct node *v = read_member(r, object, name, needed);
	char expected[64];

	if (!v)
		return NULL;
	if (!doc_is(v, DOC_ARRAY))
		return fail_at(r, name, "not an array", "an array");
	if (v->n <= most)
		return v;
	snprintf(expected, sizeof(expected), "at most %zu", most);
	return fail_at(r, name, "too many elements", expected);
}

const struct node *read_object(struct reader *r, const struct node *object,
			       const char *name, bool needed)
{
	const struct node *v = read_member(r, object, name, needed);

	if (v && !doc_is(v, DOC_OBJECT))
		return fail_at(r, name, "not an object", "an object");
	return v;
}

static uint64_t fail_hex(struct reader *r, const char *what, uint64_t most)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "a string \"0x0\" to \"0x%llx\"",
		 (unsigned long long)most);
	read_fail(r, what, expected);
	return 0;
}

uint64_t read_hex_value(struct reader *r, const struct node *value, uint64_t most)
{
	const char *s, *end;
	uint64_t v = 0;

	if (r->status)
		return 0;
	if (!doc_is(value, DOC_STRING) || value->n < 3 || value->n > 18 || value->text[0] != '0' ||
	    value->text[1] != 'x')
		return fail_hex(r, "not a hex string", most);
	for (s = value->text + 2, end = value->text + value->n; s < end; s++) {
		unsigned d = *s >= '0' && *s <= '9'   ? (unsigned)(*s - '0')
			     : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a' + 10)
			     : *s >= 'A' && *s <= 'F' ? (unsigned)(*s - 'A' + 10)
						      : 16;

		if (d > 15)
			return fail_hex(r, "not a hex string", most);
		v = v << 4 | d;
	}
	return v <= most ? v : fail_hex(r, "out of range", most);
}

uint64_t read_hex(struct reader *r, const struct node *object, const char *name, uint64_t most)
{
	const struct node *v = read_member(r, object, name, true);
	size_t mark = read_enter(r, name);
	uint64_t out = v ? read_hex_value(r, v, most) : 0;

	read_leave(r, mark);
	return out;
}

int64_t read_int(struct reader *r, const struct node *object,
		 const char *name, int64_t least, int64_t most)
{
	const struct node *v = read_member(r, object, name, true);
	char expected[80];

	if (!v)
		return 0;
	if (doc_is(v, DOC_INTEGER) && v->integer >= least && v->integer <= most)
		return v->integer;
	snprintf(expected, sizeof(expected), "a number from %lld to %lld", (long long)least,
		 (long long)most);
	fail_at(r, name, doc_is(v, DOC_INTEGER) ? "out of range" : "not a number", expected);
	return 0;
}

char *read_string(struct reader *r, const struct node *object, const char *name, bool needed)
{
	const struct node *v = read_member(r, object, name, needed);
	char *copy;

	if (!v || (doc_is(v, DOC_NULL) && !needed))
		return NULL;
	if (!doc_is(v, DOC_STRING) || v->n > STRING_MOST) {
		fail_at(r, name, "not a short string", "a string of at most 1024 bytes without NUL");
		return NULL;
	}
	copy = text_copy(v->text, v->n);
	if (!copy)
		r->status = error_memory(r->err);
	return copy;
}

enum gcpu_arch read_document(struct reader *r, const struct node *root, const char *schema, const char *who)
{
	char *text = read_string(r, root, "schema", true);
	enum gcpu_arch arch;
	int64_t version;

	if (text && strcmp(text, schema) != 0) {
		r->status = error_set(r->err, GCPU_ERR_SCHEMA, "this is a '%.60s'", text);
		error_expected(r->err, "\"schema\": \"%s\"%s", schema, who);
	}
	free(text);
	version = read_int(r, root, "version", 0, INT32_MAX);
	if (!r->status && version != 1) {
		r->status = error_set(r->err, GCPU_ERR_SCHEMA, "version %lld", (long long)version);
		error_expected(r->err, "version 1");
	}
	text = read_string(r, root, "arch", true);
	arch = gcpu_arch_by_name(text);
	if (text && !arch) {
		r->status = error_set(r->err, GCPU_ERR_ARCH, "no such architecture '%.40s'", text);
		error_expected(r->err, "x86 or arm64");
	}
	free(text);
	return arch;
}
