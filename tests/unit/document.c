/* SPDX-License-Identifier: MIT */
/* The reader of JSON: RFC 8259, as jansson reads it too, and what it says of what it refuses. */
#include "unit.h"

#include "formats/document.h"
#include "oracle.h"

#include <dirent.h>

/* By the RFC (its section behind each), beside what jansson says. */
static const struct {
	const char *text;
	bool good;
} cases[] = {
	/* 2: any value, blanks around it; 1 and 8.1: no byte order mark */
	{ "null", true }, { "true", true }, { "false", true }, { "7", true }, { "\"\"", true },
	{ "[]", true }, { "{}", true }, { " \t\r\n[ \t\r\n] \t\r\n", true }, { "", false }, { " ", false },
	{ "\xef\xbb\xbf{}", false }, { "\f{}", false }, { "\v{}", false }, { "{}\xc2\xa0", false },
	{ "{} {}", false }, { "{}x", false }, { "[]]", false }, { "null null", false }, { "1 2", false },
	{ "[1 2]", false }, { "[\"a\" \"b\"]", false }, { "{\"a\":1 \"b\":2}", false },
	/* 3 */
	{ "nul", false }, { "True", false }, { "NULL", false }, { "nullx", false }, { "[truefalse]", false },
	{ "NaN", false }, { "[nan]", false }, { "Infinity", false }, { "-Infinity", false }, { "undefined", false },
	/* 4 and 5 */
	{ "{\"a\":1,}", false }, { "[1,]", false }, { "[,]", false }, { "[,1]", false }, { "[1,,2]", false },
	{ "{,}", false }, { "{,\"a\":1}", false }, { "{\"a\"}", false }, { "{\"a\":}", false },
	{ "{\"a\",1}", false }, { "{\"a\"=1}", false }, { "{\"a\"::1}", false }, { "{a:1}", false },
	{ "{'a':1}", false }, { "['a']", false }, { "{1:1}", false }, { "{null:1}", false },
	{ "{\"a\":1}}", false }, { "[", false }, { "{", false }, { "]", false }, { "}", false }, { ":", false },
	{ ",", false }, { "[}", false }, { "{]", false }, { "[1}", false }, { "{\"a\":1]", false },
	{ "[[[[]]]]", true }, { "[[[[]]]", false }, { "{\"\":{\"\":{\"\":[]}}}", true },
	{ "{\"a\":[1,{\"b\":[]},\"c\"],\"d\":{}}", true },
	/* comments are another language */
	{ "[] // x", false }, { "/* x */ []", false }, { "[1 /* x */]", false }, { "# x\n[]", false },
	/* 6 */
	{ "[0,-0,10,-1,1.5,0.0,-0.0,1e5,1E+5,1e-5,0e0,1.25e2]", true }, { "[01]", false }, { "[-01]", false },
	{ "[00]", false }, { "[+1]", false }, { "[-]", false }, { "[--1]", false }, { "[.5]", false },
	{ "[1.]", false }, { "[1.e5]", false }, { "[1e]", false }, { "[1e+]", false }, { "[1e5.5]", false },
	{ "[0x10]", false }, { "[1_000]", false }, { "[1a]", false }, { "[1e400]", true }, { "[-1e400]", true },
	{ "[1e-400]", true }, { "[0.1e99999999999999999999]", true },
	{ "[9223372036854775807,-9223372036854775808]", true }, { "[9223372036854775808]", true },
	{ "[-9223372036854775809]", true }, { "[18446744073709551616,99999999999999999999999999999999]", true },
	{ "{\"a\":1e400,\"b\":[123456789012345678901234567890]}", true }, { "-", false }, { "1.", false },
	/* 7 */
	{ "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", true }, { "[\"\\a\"]", false }, { "[\"\\'\"]", false },
	{ "[\"\\0\"]", false }, { "[\"\\x41\"]", false }, { "[\"\\U0041\"]", false }, { "[\"\\\"]", false },
	{ "[\"\\u\"]", false }, { "[\"\\u12\"]", false }, { "[\"\\u123\"]", false }, { "[\"\\u123g\"]", false },
	{ "[\"\\u 123\"]", false }, { "[\"\\u+123\"]", false }, { "[\"\\u0041\\u00e9\\u20ac\\uFFFF\\uffff\"]", true },
	{ "[\"\\u0001\\u001f\\u007f\\u0080\"]", true }, { "[\"\\u0000\"]", false }, { "{\"\\u0000\":1}", false },
	{ "{\"a\\u0000b\":1}", false }, { "[\"\\ud83d\\ude00\"]", true }, { "[\"\\uD800\\uDC00\\uDBFF\\uDFFF\"]", true },
	{ "[\"\\ud800\"]", false }, { "[\"\\udc00\"]", false }, { "[\"\\udc00\\ud800\"]", false },
	{ "[\"\\ud800\\ud800\"]", false }, { "[\"\\ud800x\"]", false }, { "[\"\\ud800\\n\"]", false },
	{ "[\"\\ud800\\u0041\"]", false }, { "[\"\\ud7ff\\ue000\"]", true }, { "[\"\\ud83d\\ude0\"]", false },
	{ "[\"a\nb\"]", false }, { "[\"a\tb\"]", false }, { "[\"\x01\"]", false }, { "[\"\x1f\"]", false },
	{ "[\"\x7f\"]", true }, { "{\"a\nb\":1}", false }, { "[\"a", false }, { "[\"a\\", false }, { "[\"a\\\"", false },
	{ "\"", false }, { "\"\\u00", false },
	/* 8.1: UTF-8, and only its shortest forms */
	{ "[\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"]", true },
	{ "{\"\xf0\x9f\x98\x80\":1}", true }, { "[\"\x80\"]", false }, { "[\"\xbf\"]", false },
	{ "[\"\xc0\x80\"]", false }, { "[\"\xc0\xaf\"]", false }, { "[\"\xc1\xbf\"]", false },
	{ "[\"\xe0\x80\x80\"]", false }, { "[\"\xe0\x9f\xbf\"]", false }, { "[\"\xed\xa0\x80\"]", false },
	{ "[\"\xed\xbf\xbf\"]", false }, { "[\"\xf0\x80\x80\x80\"]", false }, { "[\"\xf0\x8f\xbf\xbf\"]", false },
	{ "[\"\xf4\x90\x80\x80\"]", false }, { "[\"\xf5\x80\x80\x80\"]", false }, { "[\"\xfe\"]", false },
	{ "[\"\xff\"]", false }, { "[\"\xc3\"]", false }, { "[\"\xe2\x82\"]", false }, { "[\"\xf0\x9f\x98\"]", false },
	{ "[\"\xc3", false }, { "[\"\xe2\x82", false }, { "[\"\xf0\x9f\x98", false }, { "[\xc3\xa9]", false },
	/* 4: what a reader may do about names that are not unique; we refuse them */
	{ "{\"a\":1,\"a\":1}", false }, { "{\"a\":1,\"A\":1}", true }, { "{\"a\":1,\"\\u0061\":1}", false },
	{ "{\"\":1,\"\":1}", false }, { "{\"a\":{\"a\":{\"a\":1}}}", true }, { "[{\"a\":1},{\"a\":1}]", true },
	{ "{\"ab\":1,\"a\":2,\"b\":3,\"abc\":4}", true }, { "{\"\xc3\xa9\":1,\"\\u00e9\":2}", false },
	{ "{\"a\":1,\"b\":{\"a\":1,\"c\":2,\"c\":3}}", false },
};

/* The bytes end where a sanitizer sees it. */
static bool judged(const char *text, size_t n)
{
	char *copy = malloc(n ? n : 1);
	const char *differ;
	int accepted;

	if (!copy)
		exit(1);
	memcpy(copy, text, n);
	differ = oracle_differs(copy, n, &accepted);
	CHECK(!differ, "<%.60s>: %s", text, differ);
	free(copy);
	return accepted;
}

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(judged(cases[i].text, strlen(cases[i].text)) == cases[i].good, "<%s>", cases[i].text);
	CHECK(!judged("[\"a\0b\"]", 7) && !judged("[]\0", 3) && !judged("\0", 1) && !judged("[1\0]", 4) &&
	      !judged("[true\0]", 7) && !judged("[1,\0 2]", 7), "NUL");
}

/* Every byte, every two bytes, everywhere that something else may stand. */
static void test_bytes(void)
{
	static const char *const around[][2] = { { "[\"", "\"]" }, { "[", "]" }, { "", "" }, { "[\"\\", "\"]" },
						 { "[\"\\u00", "\"]" }, { "[1", "]" }, { "{\"a\"", "1}" } };
	char text[32];

	for (size_t k = 0; k < sizeof(around) / sizeof(around[0]); k++) {
		for (int a = 0; a < 256; a++) {
			for (int b = -1; b < 256; b += k ? 5 : 1) {
				size_t n = strlen(around[k][0]);

				memcpy(text, around[k][0], n);
				text[n++] = (char)a;
				if (b >= 0)
					text[n++] = (char)b;
				memcpy(text + n, around[k][1], strlen(around[k][1]));
				judged(text, n + strlen(around[k][1]));
			}
		}
	}
	/* every code point that four digits can say, alone and as a pair's second half */
	for (unsigned c = 0; c < 0x10000; c += c >= 0xd7f0 && c < 0xe010 ? 1 : 13) {
		judged(text, (size_t)snprintf(text, sizeof(text), "[\"\\u%04x\"]", c));
		judged(text, (size_t)snprintf(text, sizeof(text), "[\"\\uDBFF\\u%04X\"]", c));
	}
}

/* Deep, long and wide; nothing is done by recursion. */
static void test_sizes(void)
{
	enum { MOST = 1 << 20 };
	char *t = malloc(MOST + 64);
	size_t n = 0;

	if (!t)
		exit(1);
	for (size_t depth = DOCUMENT_DEPTH - 1; depth <= DOCUMENT_DEPTH + 1; depth++) {
		memset(t, '[', depth);
		memset(t + depth, ']', depth);
		CHECK(judged(t, depth * 2) == (depth <= DOCUMENT_DEPTH), "%zu deep", depth);
		memmove(t + depth + 1, t + depth, depth);
		t[depth] = '1';
		CHECK(judged(t, depth * 2 + 1) == (depth < DOCUMENT_DEPTH), "%zu deep, and a value", depth);
		for (size_t i = 0; i < depth; i++)
			memcpy(t + i * 5, "{\"a\":", 5);
		memcpy(t + depth * 5, "{}", 2);
		memset(t + depth * 5 + 2, '}', depth);
		CHECK(judged(t, depth * 6 + 2) == (depth < DOCUMENT_DEPTH), "%zu objects deep", depth);
	}
	memset(t, '[', MOST);
	CHECK(!judged(t, MOST), "a million deep");
	memset(t, 'x', MOST);
	t[0] = '"';
	CHECK(!judged(t, MOST), "no end");
	t[MOST - 1] = '"';
	CHECK(judged(t, MOST), "a long string");
	memcpy(t + MOST / 2, "\\u20ac\\n", 8);
	CHECK(judged(t, MOST), "a long string with escapes");
	memset(t, '7', MOST);
	CHECK(judged(t, 400), "a long number");
	for (int twice = 0; twice < 2; twice++) {
		n = 0;
		t[n++] = '{';
		for (unsigned i = 0; i < 20000; i++)
			n += (size_t)snprintf(t + n, MOST - n, "%s\"k%u\":[%u,\"\\u%04x\"]", i ? ",\n" : "", i, i, i % 999 + 1);
		n += (size_t)snprintf(t + n, MOST - n, ",\"k%s\":0}", twice ? "11111" : "");
		CHECK(judged(t, n) == !twice, "20000 keys%s", twice ? ", one of them twice" : "");
	}
	free(t);
}

/* What is said, and where. */
static void test_errors(void)
{
	static const struct {
		const char *text, *said, *expected;
		size_t offset, line;
	} errors[] = {
		{ "", "line 1, column 1: the document ends here", "an object, an array, a string", 0, 1 },
		{ "{\n \"a\": 1,\n \"b\" 2\n}", "line 3, column 6: a key without a value", "':'", 16, 3 },
		{ "[\n1\n2]", "line 3, column 1: one value after another", "',' or ']'", 4, 3 },
		{ "{\"a\":1", "line 1, column 7: the document ends here", "',' or '}'", 6, 1 },
		{ "[\"\xc3\xa9\xe2\x82\xac\", x]", "line 1, column 8: not a value", "true, false or null", 10, 1 },
		{ "{\"a\":1,\n\"a\":2}", "line 2, column 1: duplicate key 'a'", "each key once", 8, 2 },
		{ "{\"a\":1,\"\\u0061\":2}", "duplicate key 'a'", "each key once", 17, 1 },
		{ "[\"a\\u0000\"]", "line 1, column 4: \\u0000 in a string", "without NUL", 3, 1 },
		{ "[\"\\ud800\"]", "half of a surrogate pair", "\\udc00", 2, 1 },
		{ "[\"\\q\"]", "no such escape", "four hex digits", 2, 1 },
		{ "[\"\xff\"]", "line 1, column 3: not UTF-8", "UTF-8", 2, 1 },
		{ "[\"a\n\"]", "line 1, column 4: a control character", "\\n", 3, 1 },
		{ "[1.]", "nothing behind the point", "a digit", 3, 1 },
		{ "[1e]", "an exponent without digits", "a digit", 3, 1 },
		{ "{} x", "line 1, column 4: something after the document", "nothing but blanks", 3, 1 },
		{ "{1:2}", "not a key", "double quotes", 1, 1 },
		{ "{\"a\":1,}", "line 1, column 8: not a key", "double quotes", 7, 1 },
	};
	static char deep[DOCUMENT_DEPTH + 1];
	struct gcpu_error err;
	struct document d;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		memset(&err, 0x5a, sizeof(err));
		CHECK(document_parse(&d, errors[i].text, strlen(errors[i].text), &err) == GCPU_ERR_DOCUMENT, "<%s>",
		      errors[i].text);
		CHECK(strstr(err.text, errors[i].said), "<%s>: '%s', not '%s'", errors[i].text, err.text,
		      errors[i].said);
		CHECK(strstr(err.expected, errors[i].expected), "<%s>: '%s'", errors[i].text, err.expected);
		CHECK(err.offset == errors[i].offset && err.line == errors[i].line && err.length == 0, "<%s>: %zu, %zu",
		      errors[i].text, err.offset, err.line);
		CHECK(document_parse(&d, errors[i].text, strlen(errors[i].text), NULL) == GCPU_ERR_DOCUMENT, "no err");
	}
	memset(deep, '[', sizeof(deep));
	CHECK(document_parse(&d, deep, sizeof(deep), &err) == GCPU_ERR_DOCUMENT && strstr(err.text, "too deeply") &&
	      strstr(err.expected, "2048"), "%s", err.text);
	CHECK(document_parse(&d, deep, (size_t)DOCUMENT_MOST + 1, &err) == GCPU_ERR_DOCUMENT, "too long");
}

/* The borders of the one kind of number that is used. */
static void test_integers(void)
{
	static const struct {
		const char *text;
		enum doc_type type;
		int64_t value;
	} numbers[] = {
		{ "0", DOC_INTEGER, 0 }, { "-0", DOC_INTEGER, 0 }, { "-1", DOC_INTEGER, -1 },
		{ "9223372036854775807", DOC_INTEGER, INT64_MAX }, { "9223372036854775808", DOC_NUMBER, 0 },
		{ "-9223372036854775808", DOC_INTEGER, INT64_MIN }, { "-9223372036854775809", DOC_NUMBER, 0 },
		{ "18446744073709551616", DOC_NUMBER, 0 }, { "18446744073709551617", DOC_NUMBER, 0 },
		{ "92233720368547758070", DOC_NUMBER, 0 }, { "1.0", DOC_NUMBER, 0 }, { "1e0", DOC_NUMBER, 0 },
		{ "99999999999999999999999999999999999999990", DOC_NUMBER, 0 },
	};
	struct document d;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		CHECK(document_parse(&d, numbers[i].text, strlen(numbers[i].text), NULL) == 0, "%s", numbers[i].text);
		CHECK(doc_is(d.root, numbers[i].type), "%s: type %u", numbers[i].text, d.root->type);
		if (numbers[i].type == DOC_INTEGER)
			CHECK(d.root->integer == numbers[i].value, "%s", numbers[i].text);
		else
			CHECK(d.root->text == numbers[i].text && d.root->n == strlen(numbers[i].text), "%s",
			      numbers[i].text);
		document_free(&d);
	}
}

static void test_members(void)
{
	static const char text[] = "{\"ab\": 1, \"a\": 2, \"\": 3, \"\\u0061c\": 4, \"l\": [5]}";
	struct document d;

	CHECK(document_parse(&d, text, strlen(text), NULL) == 0, "parse");
	CHECK(doc_member(d.root, "ab")->integer == 1 && doc_member(d.root, "a")->integer == 2, "a");
	CHECK(doc_member(d.root, "")->integer == 3 && doc_member(d.root, "ac")->integer == 4, "ac");
	CHECK(!doc_member(d.root, "abc") && !doc_member(d.root, "b") && !doc_member(NULL, "a"), "none");
	CHECK(!doc_member(doc_member(d.root, "l"), "a") && !doc_member(doc_member(d.root, "a"), "a"), "no object");
	document_free(&d);
}

/* Real documents, whole; one of them cut off at every byte, which leaves no document, and damaged. */
static void test_real(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	unsigned whole = 0, every = getenv("UNIT_EVERY") ? (unsigned)strtoul(getenv("UNIT_EVERY"), NULL, 10) : 1;

	for (; dir && (e = readdir(dir)) != NULL;) {
		struct unit_text t;
		char path[1024];

		if (!strstr(e->d_name, ".json"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		t = unit_file(path);
		CHECK(t.s && judged(t.s, t.n), "%s", path);
		for (size_t n = 0; t.s && whole == 0 && n < t.n - 1; n += every) {
			char was = t.s[n], *cut = malloc(n ? n : 1);
			struct document d;

			if (!cut)
				exit(1);
			memcpy(cut, t.s, n);
			CHECK(document_parse(&d, cut, n, NULL) == GCPU_ERR_DOCUMENT, "cut off at %zu", n);
			free(cut);
			t.s[n] = "\"\\,}{[]:1 \x80\xff\x01"[n % 13];
			if (n % 11 == 0)
				judged(t.s, t.n);
			t.s[n] = was;
		}
		free(t.s);
		whole++;
	}
	if (dir)
		closedir(dir);
	CHECK(whole, "no documents in %s", folder);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	test_cases();
	test_bytes();
	test_sizes();
	test_errors();
	test_integers();
	test_members();
	test_real(argv[1]);
	return unit_end();
}
