/* SPDX-License-Identifier: MIT */
/* Strings, numbers and words of a JSON document, and what is wrong with them. */
#include "document_scan.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

bool scan_fail(struct parser *p, const char *at, const char *what, const char *expected)
{
	size_t line = 1, column = 1;

	for (const char *c = p->text; c < at; c++) {
		if (*c == '\n')
			line++;
		column = *c == '\n' ? 1 : column + ((*c & 0xc0) != 0x80);
	}
	p->status = error_set(p->err, GCPU_ERR_DOCUMENT, "line %zu, column %zu: %s", line, column,
			      at < p->end ? what : "the document ends here");
	error_expected(p->err, "%s", expected);
	error_at(p->err, (size_t)(at - p->text), 0);
	if (p->err)
		p->err->line = line;
	return false;
}

bool scan_no_memory(struct parser *p)
{
	p->status = error_memory(p->err);
	return false;
}

/* The four digits behind \u at AT, or -1. */
static long four_digits(const struct parser *p, const char *at)
{
	long v = 0;

	if (p->end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		char c = at[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			v = v << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

static char *put_utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*out++ = (char)(0xe0 | c >> 12);
		} else {
			*out++ = (char)(0xf0 | c >> 18);
			*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* One escape at .at becomes text at *OUT. */
static bool escape(struct parser *p, char **out)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name = p->end - p->at < 2 || !p->at[1] ? NULL : strchr(names, p->at[1]);
	long c, low;

	if (name) {
		*(*out)++ = values[name - names];
		p->at += 2;
		return true;
	}
	c = four_digits(p, p->at);
	if (c < 0)
		return scan_fail(p, p->at, "no such escape",
				 "\\\" \\\\ \\/ \\b \\f \\n \\r \\t, or \\u and four hex digits");
	if (c == 0)
		return scan_fail(p, p->at, "\\u0000 in a string", "text without NUL");
	if (c >= 0xd800 && c < 0xe000) {
		low = c < 0xdc00 ? four_digits(p, p->at + 6) : -1;
		if (low < 0xdc00 || low > 0xdfff)
			return scan_fail(p, p->at, "half of a surrogate pair",
					 "\\ud800 to \\udbff, then \\udc00 to \\udfff");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		p->at += 6;
	}
	p->at += 6;
	*out = put_utf8(*out, (unsigned long)c);
	return true;
}

/* Bytes of the UTF-8 sequence at .at, 0 if it is none. */
static unsigned sequence(const struct parser *p)
{
	size_t left = (size_t)(p->end - p->at);
	char s[5] = { 0 };

	memcpy(s, p->at, left < 4 ? left : 4);
	return jw_sequence(s);
}

static inline bool plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* What stands between quotes; the opening one is at .at. */
bool scan_string(struct parser *p, const char **ret_text, size_t *ret_n)
{
	const char *start = ++p->at; /* of what is not copied yet */
	char *copy = NULL, *out = NULL;

	for (;;) {
		unsigned n;

		while (p->at < p->end && plain(*p->at))
			p->at++;
		if (p->at == p->end || *p->at == '"')
			break;
		if ((unsigned char)*p->at < 0x20)
			return scan_fail(p, p->at, "a control character in a string",
					 "\\n, \\t, ... or \\u and four hex digits");
		if (*p->at != '\\') {
			n = sequence(p);
			if (!n)
				return scan_fail(p, p->at, "not UTF-8", "UTF-8");
			p->at += n;
			continue;
		}
		/* all strings together are shorter than the text that they come from */
		if (!p->texts)
			p->texts = p->d->texts = malloc((size_t)(p->end - p->text));
		if (!p->texts)
			return scan_no_memory(p);
		if (!copy)
			copy = out = p->texts;
		memcpy(out, start, (size_t)(p->at - start));
		out += p->at - start;
		if (!escape(p, &out))
			return false;
		start = p->at;
	}
	if (p->at == p->end)
		return scan_fail(p, p->at, "", "'\"' at the end of a string");
	if (copy) {
		memcpy(out, start, (size_t)(p->at - start));
		out += p->at - start;
		p->texts = out;
	}
	*ret_text = copy ? copy : start;
	*ret_n = copy ? (size_t)(out - copy) : (size_t)(p->at - start);
	p->at++;
	return true;
}

static const char *digits(const struct parser *p, const char *c)
{
	while (c < p->end && *c >= '0' && *c <= '9')
		c++;
	return c;
}

bool scan_number(struct parser *p, struct node *v)
{
	const char *start = p->at, *c = start + (*start == '-'), *whole = c, *part;
	bool integer = true, fits = true;
	uint64_t u = 0, most = *start == '-' ? 1ULL << 63 : INT64_MAX;

	c = c < p->end && *c == '0' ? c + 1 : digits(p, c);
	if (c == whole)
		return scan_fail(p, c, "a number without digits", "a digit");
	for (const char *d = whole; d < c && fits; d++) {
		unsigned digit = (unsigned)(*d - '0');

		fits = u <= (most - digit) / 10;
		u = u * 10 + digit;
	}
	if (c < p->end && *c == '.') {
		integer = false;
		part = ++c;
		c = digits(p, c);
		if (c == part)
			return scan_fail(p, c, "nothing behind the point of a number", "a digit");
	}
	if (c < p->end && (*c == 'e' || *c == 'E')) {
		integer = false;
		c++;
		c += c < p->end && (*c == '+' || *c == '-');
		part = c;
		c = digits(p, c);
		if (c == part)
			return scan_fail(p, c, "an exponent without digits", "a digit");
	}
	p->at = c;
	v->type = integer && fits ? DOC_INTEGER : DOC_NUMBER;
	v->n = (unsigned)(c - start);
	if (v->type == DOC_NUMBER)
		v->text = start;
	else
		v->integer = (int64_t)(*start == '-' ? 0 - u : u);
	return true;
}

bool scan_word(struct parser *p, struct node *v)
{
	static const struct {
		const char *text;
		size_t n;
		enum doc_type type;
	} words[] = { { "null", 4, DOC_NULL }, { "false", 5, DOC_FALSE }, { "true", 4, DOC_TRUE } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((size_t)(p->end - p->at) < words[i].n || memcmp(p->at, words[i].text, words[i].n) != 0)
			continue;
		v->type = words[i].type;
		p->at += words[i].n;
		return true;
	}
	return scan_fail(p, p->at, "not a value",
			 "an object, an array, a string, a number, true, false or null");
}
