/* SPDX-License-Identifier: MIT */
/* The JSON writer: exact layout, escapes that a parser reads back, failures that stick. */
#include "unit.h"

#include "formats/json.h"

#include <jansson.h>

static void expect(struct json *j, struct unit_text *t, const char *text)
{
	CHECK(jw_end(j) == 0, "status %d", j->out.status);
	CHECK(t->s && strcmp(t->s, text) == 0, "got <%s>, expected <%s>", t->s ? t->s : "", text);
	free(t->s);
	memset(t, 0, sizeof(*t));
	jw_start(j, unit_write, t);
}

static void test_layout(void)
{
	struct unit_text t = { 0 };
	struct json j;

	jw_start(&j, unit_write, &t);
	jw_object(&j, true);
	jw_close(&j, '}');
	expect(&j, &t, "{}\n");

	jw_array(&j, false);
	jw_close(&j, ']');
	expect(&j, &t, "[]\n");

	jw_array(&j, false);
	for (int i = -1; i < 2; i++)
		jw_int(&j, i);
	jw_close(&j, ']');
	expect(&j, &t, "[-1, 0, 1]\n");

	jw_object(&j, true);
	jw_key_string(&j, "a", "x");
	jw_key(&j, "b");
	jw_array(&j, true);
	jw_object(&j, false);
	jw_key_hex(&j, "c", 255);
	jw_key_bool(&j, "d", false);
	jw_close(&j, '}');
	jw_array(&j, false);
	jw_close(&j, ']');
	jw_close(&j, ']');
	jw_key_string(&j, "e", NULL);
	jw_close(&j, '}');
	expect(&j, &t, "{\n \"a\": \"x\",\n \"b\": [\n  {\"c\": \"0xff\", \"d\": false},\n  []\n ],\n"
		       " \"e\": null\n}\n");

	jw_array(&j, false);
	jw_hex(&j, 0);
	jw_hex(&j, UINT64_MAX);
	jw_int(&j, INT64_MIN);
	jw_int(&j, INT64_MAX);
	jw_bool(&j, true);
	jw_close(&j, ']');
	expect(&j, &t, "[\"0x0\", \"0xffffffffffffffff\", -9223372036854775808, 9223372036854775807, true]\n");
	free(t.s);
}

static char *written(const char *text, size_t *ret_n)
{
	struct unit_text t = { 0 };
	struct json j;

	jw_start(&j, unit_write, &t);
	jw_array(&j, false);
	jw_string(&j, text);
	jw_close(&j, ']');
	CHECK(jw_end(&j) == 0, "status");
	*ret_n = t.n;
	return t.s;
}

/* What another parser makes of it is the judge. Valid text comes back as it is. */
static void round_trip(const char *text, bool valid)
{
	json_error_t je;
	size_t n;
	char *s = written(text, &n);
	json_t *root = json_loadb(s, n, 0, &je);
	const char *back = root ? json_string_value(json_array_get(root, 0)) : NULL;

	CHECK(back, "not JSON: <%s>: %s", s, je.text);
	if (back && valid)
		CHECK(strcmp(back, text) == 0, "<%s> came back as <%s>", text, back);
	json_decref(root);
	free(s);
}

static void test_escapes(void)
{
	char text[8];

	for (int c = 1; c < 256; c++) {
		snprintf(text, sizeof(text), "a%cb", c);
		round_trip(text, c < 0x80);
	}
	round_trip("", true);
	round_trip("\"\\/\b\f\n\r\t\x01\x1f\x7f", true);
	round_trip("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", true);
	/* no UTF-8: cut off, overlong, surrogate, too high, a tail alone */
	round_trip("\xc3", false);
	round_trip("\xe2\x82", false);
	round_trip("\xf0\x9f\x98", false);
	round_trip("\xc0\x80", false);
	round_trip("\xe0\x80\x80", false);
	round_trip("\xed\xa0\x80", false);
	round_trip("\xf4\x90\x80\x80", false);
	round_trip("\xff\xfe\x80", false);
	/* every two bytes */
	for (int a = 0x80; a < 256; a++) {
		for (int b = 0x80; b < 256; b++) {
			snprintf(text, sizeof(text), "%c%c", a, b);
			round_trip(text, a >= 0xc2 && a < 0xe0 && b < 0xc0);
		}
	}
}

static void test_sequences(void)
{
	CHECK(jw_sequence("a") == 1, "ASCII");
	CHECK(jw_sequence("\xc3\xa9") == 2, "two");
	CHECK(jw_sequence("\xe2\x82\xac") == 3, "three");
	CHECK(jw_sequence("\xf0\x9f\x98\x80") == 4, "four");
	CHECK(jw_sequence("\xed\x9f\xbf") == 3, "last before the surrogates");
	CHECK(jw_sequence("\xed\xa0\x80") == 0, "surrogate");
	CHECK(jw_sequence("\xee\x80\x80") == 3, "first after the surrogates");
	CHECK(jw_sequence("\xf4\x8f\xbf\xbf") == 4, "U+10FFFF");
	CHECK(jw_sequence("\xf4\x90\x80\x80") == 0, "beyond U+10FFFF");
	CHECK(jw_sequence("\xc1\xbf") == 0, "overlong");
	CHECK(jw_sequence("\x80") == 0, "tail");
	CHECK(jw_sequence("\xc3") == 0, "cut off by the end");
}

static int refuse(void *ctx, const char *data, size_t n)
{
	int *left = ctx;

	(void)data;
	(void)n;
	return --*left < 0 ? 42 : 0;
}

/* The writer's own code comes back whichever piece it fails at, and nothing
 * is written after it. */
static void test_failing_writer(void)
{
	for (int at = 0;; at++) {
		struct json j;
		int left = at, status;

		jw_start(&j, refuse, &left);
		jw_object(&j, true);
		jw_key_string(&j, "key", "a\nb");
		for (int i = 0; i < 400; i++)
			jw_key_hex(&j, "hex", 1);
		jw_close(&j, '}');
		status = jw_end(&j);
		if (status == 0) {
			CHECK(at > 5, "fails at none of the %d pieces", at);
			return;
		}
		CHECK(status == 42, "%d", status);
		CHECK(left == -1, "written to after its failure: %d", left);
	}
}

/* Strings of every length around what the writer keeps back: whole, and in order. */
static void test_pieces(void)
{
	struct unit_text t = { 0 }, expected = { 0 };
	char text[1200];
	struct json j;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	jw_start(&j, unit_write, &t);
	jw_array(&j, false);
	unit_write(&expected, "[", 1);
	for (size_t n = 0; n < sizeof(text); n++) {
		const char *end = text + sizeof(text) - 1 - n;

		jw_string(&j, end);
		unit_write(&expected, n ? ", \"" : "\"", n ? 3 : 1);
		unit_write(&expected, end, n);
		unit_write(&expected, "\"", 1);
	}
	jw_close(&j, ']');
	unit_write(&expected, "]\n", 2);
	CHECK(jw_end(&j) == 0 && t.n == expected.n && memcmp(t.s, expected.s, t.n) == 0, "%zu bytes, not %zu", t.n,
	      expected.n);
	free(t.s);
	free(expected.s);
}

/* Deeper than the writer keeps track of: an error by value. */
static void test_depth(void)
{
	struct unit_text t = { 0 };
	struct json j;

	for (int depth = 1; depth < 40; depth++) {
		jw_start(&j, unit_write, &t);
		for (int i = 0; i < depth; i++)
			jw_array(&j, true);
		for (int i = 0; i < depth; i++)
			jw_close(&j, ']');
		CHECK(jw_end(&j) == (depth < JSON_DEPTH ? 0 : GCPU_ERR_INTERNAL), "depth %d: %d", depth,
		      j.out.status);
	}
	free(t.s);
}

int main(void)
{
	test_layout();
	test_escapes();
	test_sequences();
	test_failing_writer();
	test_pieces();
	test_depth();
	return unit_end();
}
