/* SPDX-License-Identifier: MIT */
/* Requests: what is wrong, where, what was expected, what is near. */
#include "unit.h"

#include "core/plan.h"

#define X86 GCPU_ARCH_X86
#define ARM GCPU_ARCH_ARM64

/* OFFSET and LENGTH are found by the part of the text that is meant: "" is an
 * empty place at OFFSET. */
static const struct {
	enum gcpu_arch arch;
	const char *text;
	int code;
	size_t offset;
	const char *part;
	const char *expected; /* a piece of err.expected */
	const char *near;     /* the first one, or NULL: do not care */
} wrong[] = {
	{ X86, "", GCPU_ERR_SYNTAX, 0, "", "host", NULL },
	{ X86, ",", GCPU_ERR_SYNTAX, 0, "", "host", NULL },
	{ X86, "hots", GCPU_ERR_NAME, 0, "hots", "qemu64", NULL },
	{ X86, "host ", GCPU_ERR_NAME, 0, "host ", "host", NULL },
	{ X86, "qemu64-v2", GCPU_ERR_NAME, 0, "qemu64-v2", "qemu64", NULL },
	{ X86, "-avx2", GCPU_ERR_NAME, 0, "-avx2", "model", NULL },
	/* empty items: between, at the end, after a sign */
	{ X86, "host,", GCPU_ERR_SYNTAX, 5, "", "between", NULL },
	{ X86, "host,,avx2", GCPU_ERR_SYNTAX, 5, "", "between", NULL },
	{ X86, "host,avx2,", GCPU_ERR_SYNTAX, 10, "", "between", NULL },
	{ X86, "host,+", GCPU_ERR_SYNTAX, 5, "+", "name", NULL },
	{ X86, "host,-,avx2", GCPU_ERR_SYNTAX, 5, "-", "name", NULL },
	{ X86, "host,=on", GCPU_ERR_SYNTAX, 5, "=on", "name", NULL },
	{ X86, "host,=", GCPU_ERR_SYNTAX, 5, "=", "name", NULL },
	/* a sign and a value */
	{ X86, "host,+avx2=on", GCPU_ERR_SYNTAX, 5, "+avx2=on", "name=value", NULL },
	{ X86, "host,-avx2=off", GCPU_ERR_SYNTAX, 5, "-avx2=off", "name=value", NULL },
	{ X86, "host,+a=b", GCPU_ERR_SYNTAX, 5, "+a=b", "name=value", NULL },
	{ X86, "host,+=", GCPU_ERR_SYNTAX, 5, "+=", "name=value", NULL },
	/* unknown names; the sign is not part of the name */
	{ X86, "host,avx22", GCPU_ERR_NAME, 5, "avx22", "feature", "avx2" },
	{ X86, "host,+kvm_pv_eio", GCPU_ERR_NAME, 6, "kvm_pv_eio", "feature", "kvm-pv-eoi" },
	{ X86, "host,avx2,-sse4.3,avx", GCPU_ERR_NAME, 11, "sse4.3", "feature", NULL },
	{ X86, "host,enforse=on", GCPU_ERR_NAME, 5, "enforse", "feature", "enforce" },
	{ X86, "host,++avx2", GCPU_ERR_NAME, 6, "+avx2", "feature", "avx2" },
	{ X86, "host,avx2 ", GCPU_ERR_NAME, 5, "avx2 ", "feature", "avx2" },
	{ X86, "host,avx2\t", GCPU_ERR_NAME, 5, "avx2\t", "feature", "avx2" },
	{ X86, "host,FEAT_RNG", GCPU_ERR_NAME, 5, "FEAT_RNG", "feature", NULL },
	{ ARM, "host,avx2", GCPU_ERR_NAME, 5, "avx2", "feature", NULL },
	{ ARM, "host,FEAT_RNGG", GCPU_ERR_NAME, 5, "FEAT_RNGG", "feature", "FEAT_RNG" },
	/* values */
	{ X86, "host,avx2=", GCPU_ERR_VALUE, 10, "", "on or off", NULL },
	{ X86, "host,avx2=1", GCPU_ERR_VALUE, 10, "1", "on or off", NULL },
	{ X86, "host,avx2=onn", GCPU_ERR_VALUE, 10, "onn", "on or off", NULL },
	{ X86, "host,avx2=on=off", GCPU_ERR_VALUE, 10, "on=off", "on or off", NULL },
	{ X86, "host,enforce=maybe", GCPU_ERR_VALUE, 13, "maybe", "on or off", NULL },
	/* a word out of a list */
	{ X86, "host,pv=saef", GCPU_ERR_VALUE, 8, "saef", "none, safe, migratable, latency, all", "safe" },
	{ X86, "host,pv=migrateable", GCPU_ERR_VALUE, 8, "migrateable", "one of none", "migratable" },
	{ X86, "host,pv=safe=all", GCPU_ERR_VALUE, 8, "safe=all", "one of none", "" },
	{ X86, "host,pv=on", GCPU_ERR_VALUE, 8, "on", "one of none", NULL },
	{ X86, "host,pv=1", GCPU_ERR_VALUE, 8, "1", "one of none", NULL },
	{ X86, "host,pv= safe", GCPU_ERR_VALUE, 8, " safe", "one of none", "safe" },
	{ X86, "host,pv=", GCPU_ERR_VALUE, 8, "", "one of none", NULL },
	{ X86, "host,pv", GCPU_ERR_VALUE, 5, "pv", "one of none", "" },
	{ X86, "host,+pv", GCPU_ERR_VALUE, 6, "pv", "one of none", "" },
	{ X86, "host,-pv=none", GCPU_ERR_SYNTAX, 5, "-pv=none", "name=value", NULL },
	{ ARM, "host,pv=none", GCPU_ERR_NAME, 5, "pv", "feature", NULL },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=16", GCPU_ERR_VALUE, 26, "16", "0xf", NULL },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=0x10", GCPU_ERR_VALUE, 26, "0x10", "0xf", NULL },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=-1", GCPU_ERR_VALUE, 26, "-1", "number", NULL },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=0x", GCPU_ERR_VALUE, 26, "0x", "number", NULL },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES= 1", GCPU_ERR_VALUE, 26, " 1", "number", NULL },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=1a", GCPU_ERR_VALUE, 26, "1a", "number", NULL },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=18446744073709551616", GCPU_ERR_VALUE, 26,
	  "18446744073709551616", "number", NULL },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=0x10000000000000001", GCPU_ERR_VALUE, 26,
	  "0x10000000000000001", "number", NULL },
	{ ARM, "host,SVE.VL=0x10000", GCPU_ERR_VALUE, 12, "0x10000", "0xffff", NULL },
	/* a level of the architecture has no number of its own */
	{ ARM, "host,FEAT_RNG=1", GCPU_ERR_VALUE, 14, "1", "on or off", NULL },
	/* what KVM or the planner computes */
	{ X86, "host,osxsave", GCPU_ERR_VALUE, 5, "osxsave", "KVM sets", NULL },
	{ X86, "host,-max-std-leaf", GCPU_ERR_VALUE, 6, "max-std-leaf", "computed", NULL },
	{ ARM, "host,+MPIDR_EL1.Aff0", GCPU_ERR_VALUE, 6, "MPIDR_EL1.Aff0", "computed", NULL },
};

static void test_wrong(void)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct gcpu_request *req = (struct gcpu_request *)1;
		struct gcpu_error err;
		size_t n = strlen(wrong[i].part);
		int status;

		memset(&err, 0x5a, sizeof(err)); /* nothing of before may be left in it */
		status = gcpu_request_parse(wrong[i].arch, wrong[i].text, &req, &err);
		CHECK(status == wrong[i].code && err.code == status, "'%s': %d, %d", wrong[i].text, status,
		      err.code);
		CHECK(req == (struct gcpu_request *)1, "'%s': written on failure", wrong[i].text);
		CHECK(err.os_error == 0 && err.line == 0, "'%s'", wrong[i].text);
		CHECK(err.offset == wrong[i].offset && err.length == n, "'%s': at %zu, %zu bytes",
		      wrong[i].text, err.offset, err.length);
		CHECK(strncmp(wrong[i].text + wrong[i].offset, wrong[i].part, n) == 0,
		      "'%s': the test itself is wrong", wrong[i].text);
		CHECK(strstr(err.expected, wrong[i].expected), "'%s': expected '%s'", wrong[i].text,
		      err.expected);
		CHECK(!wrong[i].near || strcmp(err.near[0], wrong[i].near) == 0, "'%s': nearest '%s'",
		      wrong[i].text, err.near[0]);
		CHECK(err.text[0] && !strchr(err.text, '\n'), "'%s': '%s'", wrong[i].text, err.text);
		/* the same without anybody who listens */
		CHECK(gcpu_request_parse(wrong[i].arch, wrong[i].text, &req, NULL) == status, "'%s'",
		      wrong[i].text);
	}
}

static const struct {
	enum gcpu_arch arch;
	const char *text;
	enum model_kind model;
	size_t items;
} right[] = {
	{ X86, "host", MODEL_HOST, 0 },
	{ X86, "HOST", MODEL_HOST, 0 },
	{ X86, "max", MODEL_MAX, 0 },
	{ X86, "base", MODEL_BASE, 0 },
	{ X86, "qemu64", MODEL_NAMED, 0 },
	{ X86, "QEMU64_V1", MODEL_NAMED, 0 },
	{ X86, "host,avx2", MODEL_HOST, 1 },
	{ X86, "host,avx2,avx2", MODEL_HOST, 2 },
	{ X86, "host,+avx2,-avx2,avx2=on,AVX2=oFF", MODEL_HOST, 4 },
	{ X86, "host,avx2=yes,avx=no,aes=true,sse=false,sse2=y,pni=n", MODEL_HOST, 6 },
	{ X86, "host,kvmclock=off", MODEL_HOST, 1 },
	{ X86, "host,enforce,check=off", MODEL_HOST, 2 },
	{ X86, "host,+enforce", MODEL_HOST, 1 },
	{ X86, "base,pv=none,PV=All,pv=latency", MODEL_BASE, 3 },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=15", MODEL_HOST, 1 },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=0xF,FEAT_RNG=off,-sve", MODEL_HOST, 3 },
	{ ARM, "host,SVE.VL=0xffff", MODEL_HOST, 1 },
	{ ARM, "host,ID_AA64ISAR0_EL1.AES=0x000000000000000000000001", MODEL_HOST, 1 },
};

static void test_right(void)
{
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct gcpu_request *req = NULL;
		struct gcpu_error err = { 0 };
		int status = gcpu_request_parse(right[i].arch, right[i].text, &req, &err);

		CHECK(status == 0, "'%s': %s", right[i].text, err.text);
		if (status)
			continue;
		CHECK(req->model == right[i].model, "'%s': model %d", right[i].text, req->model);
		CHECK(req->items.n == right[i].items, "'%s': %zu items", right[i].text, req->items.n);
		CHECK(strcmp(gcpu_request_text(req), right[i].text) == 0, "'%s': '%s'", right[i].text,
		      gcpu_request_text(req));
		for (size_t k = 0; k < req->items.n; k++) {
			const struct request_item *it = LIST_AT(&req->items, struct request_item, k);

			CHECK(it->offset + it->length <= strlen(right[i].text) &&
				      right[i].text[it->offset - 1] == ',',
			      "'%s': item %zu at %zu", right[i].text, k, it->offset);
			CHECK((it->feature >= 0) != (it->prop >= 0), "'%s': item %zu", right[i].text, k);
		}
		gcpu_request_free(req);
	}
}

/* What the items say, one by one. */
static void test_items(void)
{
	struct gcpu_request *req = NULL;
	const struct request_item *it;

	CHECK(gcpu_request_parse(X86, "host,+avx2,-avx,aes=off,enforce", &req, NULL) == 0, "parse");
	if (!req)
		return;
	it = req->items.items;
	CHECK(it[0].op == '+' && it[0].is_switch && it[0].value == 1, "+");
	CHECK(it[1].op == '-' && it[1].is_switch && it[1].value == 0, "-");
	CHECK(it[2].op == '=' && it[2].is_switch && it[2].value == 0, "=off");
	CHECK(it[3].op == '=' && it[3].prop >= 0 && it[3].value == 1, "bare");
	gcpu_request_free(req);
	req = NULL;
	CHECK(gcpu_request_parse(ARM, "host,ID_AA64ISAR0_EL1.AES=0x2", &req, NULL) == 0, "parse");
	if (!req)
		return;
	it = req->items.items;
	CHECK(!it[0].is_switch && it[0].value == 2, "a number: %d %llu", it[0].is_switch,
	      (unsigned long long)it[0].value);
	gcpu_request_free(req);
}

static void test_long(void)
{
	const size_t megabyte = 1 << 20;
	struct gcpu_request *req = NULL;
	struct gcpu_error err = { 0 };
	char *text = malloc(megabyte + 1);

	if (!text)
		exit(1);
	/* a megabyte of each: letters, commas, signs, hostile bytes */
	for (const char *c = "a,+-=\x01\xff\x80"; *c; c++) {
		memset(text, *c, megabyte);
		text[megabyte] = 0;
		CHECK(gcpu_request_parse(X86, text, &req, &err) == GCPU_ERR_SYNTAX, "a megabyte of 0x%02x: %d",
		      (unsigned char)*c, err.code);
		CHECK(strstr(err.expected, "65536"), "'%s'", err.expected);
	}
	/* the longest that is read, as one name and as items */
	memset(text, 'a', GCPU_REQUEST_MAX);
	text[GCPU_REQUEST_MAX] = 0;
	memcpy(text, "host,", 5);
	CHECK(gcpu_request_parse(X86, text, &req, &err) == GCPU_ERR_NAME, "%d", err.code);
	CHECK(err.offset == 5 && err.length == GCPU_REQUEST_MAX - 5, "%zu %zu", err.offset, err.length);
	CHECK(strlen(err.text) < 120, "the whole name is quoted: %zu bytes", strlen(err.text));
	for (size_t i = 4; i + 4 <= GCPU_REQUEST_MAX; i += 4)
		memcpy(text + i, ",avx", 4);
	CHECK(gcpu_request_parse(X86, text, &req, &err) == 0, "%s", err.text);
	if (err.code == 0 || req)
		CHECK(req->items.n == (GCPU_REQUEST_MAX - 4) / 4, "%zu items", req->items.n);
	gcpu_request_free(req);
	text[GCPU_REQUEST_MAX] = 'x';
	text[GCPU_REQUEST_MAX + 1] = 0;
	CHECK(gcpu_request_parse(X86, text, &req, &err) == GCPU_ERR_SYNTAX, "one byte too long");
	free(text);
}

/* Every byte but NUL, in every place of a request: an error that is one
 * printable line, or a request. */
static void test_bytes(void)
{
	static const char pattern[] = "host,+avx2,-aes,sse=on";

	for (size_t at = 0; at <= sizeof(pattern) - 1; at++) {
		for (int c = 1; c < 256; c++) {
			char text[sizeof(pattern) + 1];
			struct gcpu_request *req = NULL;
			struct gcpu_error err = { 0 };

			memcpy(text, pattern, sizeof(pattern));
			text[at] = (char)c;
			text[sizeof(pattern)] = 0;
			if (at == sizeof(pattern) - 1)
				text[at + 1] = 0;
			if (gcpu_request_parse(X86, text, &req, &err) == 0) {
				CHECK(strcmp(gcpu_request_text(req), text) == 0, "text");
			} else {
				CHECK(err.offset + err.length <= strlen(text), "0x%02x at %zu: %zu + %zu", c, at,
				      err.offset, err.length);
				for (const char *s = err.text; *s; s++)
					CHECK((unsigned char)*s >= 0x20 && *s != 0x7f, "0x%02x at %zu: '%s'", c, at,
					      err.text);
			}
			gcpu_request_free(req);
		}
	}
}

static void test_arguments(void)
{
	struct gcpu_request *req = NULL;
	struct gcpu_error err = { 0 };

	CHECK(gcpu_request_parse(0, "host", &req, &err) == GCPU_ERR_ARGUMENT, "no architecture");
	CHECK(gcpu_request_parse(99, "host", &req, &err) == GCPU_ERR_ARGUMENT, "no architecture");
	CHECK(gcpu_request_parse(X86, NULL, &req, &err) == GCPU_ERR_ARGUMENT, "no text");
	CHECK(gcpu_request_parse(X86, "host", NULL, &err) == GCPU_ERR_ARGUMENT, "no result");
	gcpu_request_free(NULL);
}

int main(void)
{
	test_wrong();
	test_right();
	test_items();
	test_long();
	test_bytes();
	test_arguments();
	return unit_end();
}
