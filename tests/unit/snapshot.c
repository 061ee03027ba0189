/* SPDX-License-Identifier: MIT */
/* Snapshot documents: what is written is read as the same; what is damaged is
 * an error by value. */
#include "unit.h"

#include "hosts.h"

#include <jansson.h>

static struct unit_text write_text(const struct gcpu_snapshot *s)
{
	struct unit_text t = { 0 };

	if (gcpu_snapshot_write(s, unit_write, &t))
		exit(1);
	return t;
}

static int parse(const char *text, size_t n, struct gcpu_error *err)
{
	struct gcpu_snapshot *s = NULL;
	int status;

	memset(err, 0x5a, sizeof(*err));
	status = gcpu_snapshot_parse(text, n, &s, err);
	if (status) {
		CHECK(!s, "written on failure");
		CHECK(err->code == status && err->text[0] && err->os_error == 0, "%d %d '%s'", status,
		      err->code, err->text);
		CHECK(!strchr(err->text, '\n'), "'%s'", err->text);
	}
	gcpu_snapshot_free(s);
	return status;
}

/* Write, parse, write: the same bytes; and without a hash the same hash. */
static void round_trip(const struct gcpu_snapshot *s)
{
	struct unit_text a = write_text(s), b;
	struct gcpu_snapshot *again = NULL;
	struct gcpu_error err = { 0 };
	char *hash;

	CHECK(gcpu_snapshot_parse(a.s, a.n, &again, &err) == 0, "%s: %s", gcpu_snapshot_name(s), err.text);
	if (again) {
		b = write_text(again);
		CHECK(a.n == b.n && memcmp(a.s, b.s, a.n) == 0, "%s: other bytes", gcpu_snapshot_name(s));
		CHECK(strcmp(gcpu_snapshot_hash(s), gcpu_snapshot_hash(again)) == 0, "hash");
		CHECK(gcpu_snapshot_arch(s) == gcpu_snapshot_arch(again), "architecture");
		gcpu_snapshot_free(again);
		free(b.s);
	}
	/* the line "hash" is the one that may be taken out by hand */
	hash = strstr(a.s, " \"hash\"");
	CHECK(hash && strncmp(strchr(hash, ':') + 3, "sha256:", 7) == 0, "no hash");
	if (hash) {
		char *end = strchr(hash, '\n') + 1;

		memmove(hash, end, strlen(end) + 1);
		again = NULL;
		CHECK(gcpu_snapshot_parse(a.s, strlen(a.s), &again, &err) == 0, "%s", err.text);
		CHECK(again && strcmp(gcpu_snapshot_hash(again), gcpu_snapshot_hash(s)) == 0, "another hash");
		gcpu_snapshot_free(again);
	}
	free(a.s);
}

/* At every byte, with nothing behind: ASan sees a read too far. */
static void truncate(const struct gcpu_snapshot *s)
{
	struct unit_text t = write_text(s);
	struct gcpu_error err;

	/* the newline at the end is not part of it */
	for (size_t n = 0; n < t.n - 1; n++) {
		char *cut = malloc(n ? n : 1);
		int status;

		if (!cut)
			exit(1);
		memcpy(cut, t.s, n);
		status = parse(cut, n, &err);
		CHECK(status == GCPU_ERR_DOCUMENT, "%s cut off at %zu: %d", gcpu_snapshot_name(s), n, status);
		CHECK(err.line > 0 || n == 0, "cut off at %zu: no line", n);
		free(cut);
	}
	CHECK(parse(t.s, t.n - 1, &err) == 0, "%s", err.text);
	free(t.s);
}

/* Every byte in turn is damaged: whatever comes of it, the hash tells. */
static void damage(const struct gcpu_snapshot *s)
{
	struct unit_text t = write_text(s);
	size_t name = (size_t)(strstr(t.s, gcpu_snapshot_name(s)) - t.s), slipped = 0;
	size_t hash = (size_t)(strstr(t.s, "\"hash\"") - t.s);
	const char *at = strstr(t.s, "\"tsc\": {");
	size_t tsc = at ? (size_t)(at - t.s) + 7 : 0;
	size_t tsc_end = at ? (size_t)(strchr(at, '}') - t.s) : 0;
	struct gcpu_error err;

	for (size_t i = 0; i < t.n; i++) {
		char was = t.s[i];

		/* neither name nor TSC is in the hash, and without its key there is no
		 * hash; blanks outside of strings say nothing */
		if ((i >= hash && i < hash + 6) || (i >= name && i < name + strlen(gcpu_snapshot_name(s))) ||
		    was == ' ' || was == '\n' || (tsc && i > tsc && i < tsc_end))
			continue;
		t.s[i] = was == '1' ? '2' : '1';
		slipped += parse(t.s, t.n, &err) == 0;
		t.s[i] = (char)0xff;
		slipped += parse(t.s, t.n, &err) == 0;
		t.s[i] = was;
	}
	CHECK(slipped == 0, "%s: %zu damages went unnoticed", gcpu_snapshot_name(s), slipped);
	free(t.s);
}

/* A member of the document at PATH ("cpuid.supported.0.leaf") becomes VALUE
 * (NULL: goes away), and the hash goes away. */
static struct unit_text edited(const struct gcpu_snapshot *s, const char *path, const char *value)
{
	struct unit_text t = write_text(s), out = { 0 };
	json_t *root = json_loadb(t.s, t.n, 0, NULL), *at = root;
	json_t *v = value ? json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
	char key[64], *dump;
	const char *dot;

	if (!root || (value && !v)) {
		printf("the test itself is wrong: %s\n", value);
		exit(1);
	}
	json_object_del(root, "hash");
	while ((dot = strchr(path, '.')) != NULL) {
		snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
		path = dot + 1;
	}
	if (!at) {
		printf("the test itself is wrong: %s\n", path);
		exit(1);
	}
	if (json_is_array(at) && v)
		json_array_set_new(at, (size_t)atoi(path), v);
	else if (v)
		json_object_set_new(at, path, v);
	else
		json_object_del(at, path);
	dump = json_dumps(root, JSON_COMPACT);
	unit_write(&out, dump, strlen(dump));
	free(dump);
	free(t.s);
	json_decref(root);
	return out;
}

static const struct {
	enum gcpu_arch arch;
	const char *path, *value;
	int code;
	const char *where; /* a piece of err.text */
} edits[] = {
	/* the head */
	{ GCPU_ARCH_X86, "schema", "\"guestcpu.plan\"", GCPU_ERR_SCHEMA, "guestcpu.plan" },
	{ GCPU_ARCH_X86, "schema", NULL, GCPU_ERR_DOCUMENT, "schema" },
	{ GCPU_ARCH_X86, "schema", "1", GCPU_ERR_DOCUMENT, "schema" },
	{ GCPU_ARCH_X86, "version", "2", GCPU_ERR_SCHEMA, "version 2" },
	{ GCPU_ARCH_X86, "version", "0", GCPU_ERR_SCHEMA, "version 0" },
	{ GCPU_ARCH_X86, "version", "\"1\"", GCPU_ERR_DOCUMENT, "version" },
	{ GCPU_ARCH_X86, "version", "1.0", GCPU_ERR_DOCUMENT, "version" },
	{ GCPU_ARCH_X86, "version", "-9223372036854775808", GCPU_ERR_DOCUMENT, "version" },
	{ GCPU_ARCH_X86, "arch", "\"riscv\"", GCPU_ERR_ARCH, "riscv" },
	{ GCPU_ARCH_X86, "arch", "\"\"", GCPU_ERR_ARCH, "architecture" },
	{ GCPU_ARCH_X86, "arch", NULL, GCPU_ERR_DOCUMENT, "arch" },
	{ GCPU_ARCH_X86, "arch", "null", GCPU_ERR_DOCUMENT, "arch" },
	{ GCPU_ARCH_ARM64, "arch", "null", GCPU_ERR_DOCUMENT, "arch" },
	{ GCPU_ARCH_ARM64, "schema", "null", GCPU_ERR_DOCUMENT, "schema" },
	{ GCPU_ARCH_ARM64, "name", "null", GCPU_ERR_DOCUMENT, "name" },
	{ GCPU_ARCH_X86, "arch", "\"arm64\"", GCPU_ERR_DOCUMENT, "devices" },
	{ GCPU_ARCH_ARM64, "arch", "\"x86\"", GCPU_ERR_DOCUMENT, "missing" },
	/* hostile strings */
	{ GCPU_ARCH_X86, "name", "\"a\\u0000b\"", GCPU_ERR_DOCUMENT, "u0000" },
	{ GCPU_ARCH_X86, "host.kernel", "[\"6.1\"]", GCPU_ERR_DOCUMENT, "host.kernel" },
	{ GCPU_ARCH_X86, "host.parameters.0.value", "{}", GCPU_ERR_DOCUMENT, "host.parameters[0].value" },
	{ GCPU_ARCH_X86, "host", "[]", GCPU_ERR_DOCUMENT, "host" },
	{ GCPU_ARCH_X86, "host.parameters.0", "7", GCPU_ERR_DOCUMENT, "host.parameters[0]" },
	/* capabilities */
	{ GCPU_ARCH_X86, "capabilities", NULL, GCPU_ERR_DOCUMENT, "capabilities" },
	{ GCPU_ARCH_X86, "capabilities.vm.0", "[1]", GCPU_ERR_DOCUMENT, "capabilities.vm[0]" },
	{ GCPU_ARCH_X86, "capabilities.vm.0", "[1, 2, 3]", GCPU_ERR_DOCUMENT, "capabilities.vm[0]" },
	{ GCPU_ARCH_X86, "capabilities.vm.0", "[-1, 2]", GCPU_ERR_DOCUMENT, "capabilities.vm[0]" },
	{ GCPU_ARCH_X86, "capabilities.vm.0", "[1, 2147483648]", GCPU_ERR_DOCUMENT, "capabilities.vm[0]" },
	{ GCPU_ARCH_X86, "capabilities.vm.0", "{}", GCPU_ERR_DOCUMENT, "capabilities.vm[0]" },
	/* CPUID */
	{ GCPU_ARCH_X86, "cpuid.supported", NULL, GCPU_ERR_DOCUMENT, "cpuid.supported" },
	{ GCPU_ARCH_X86, "cpuid.supported", "[]", GCPU_ERR_DOCUMENT, "leaf 0x0" },
	{ GCPU_ARCH_X86, "cpuid.supported.1", "[]", GCPU_ERR_DOCUMENT, "cpuid.supported[1]" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.leaf", "\"0x100000000\"", GCPU_ERR_DOCUMENT,
	  "cpuid.supported[1].leaf" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.leaf", "1", GCPU_ERR_DOCUMENT, "cpuid.supported[1].leaf" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.leaf", "\"1\"", GCPU_ERR_DOCUMENT, "cpuid.supported[1].leaf" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.leaf", "\"0x\"", GCPU_ERR_DOCUMENT, "cpuid.supported[1].leaf" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.leaf", "\"0x1g\"", GCPU_ERR_DOCUMENT, "cpuid.supported[1].leaf" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.leaf", "\"0x10000000000000000\"", GCPU_ERR_DOCUMENT,
	  "cpuid.supported[1].leaf" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.flags", "8", GCPU_ERR_DOCUMENT, "cpuid.supported[1].flags" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.flags", "-1", GCPU_ERR_DOCUMENT, "cpuid.supported[1].flags" },
	{ GCPU_ARCH_X86, "cpuid.supported.1.edx", NULL, GCPU_ERR_DOCUMENT, "cpuid.supported[1].edx" },
	/* leaf 1 is there twice then */
	{ GCPU_ARCH_X86, "cpuid.supported.2.leaf", "\"0x1\"", GCPU_ERR_DOCUMENT, "twice" },
	{ GCPU_ARCH_X86, "cpuid.native.1.leaf", "\"0x0\"", GCPU_ERR_DOCUMENT, "twice" },
	/* the rest of x86 */
	{ GCPU_ARCH_X86, "msrs", NULL, GCPU_ERR_DOCUMENT, "msrs" },
	{ GCPU_ARCH_X86, "msrs.index.0", "16", GCPU_ERR_DOCUMENT, "msrs.index[0]" },
	{ GCPU_ARCH_X86, "msrs.features.0.value", "null", GCPU_ERR_DOCUMENT, "msrs.features[0].value" },
	{ GCPU_ARCH_X86, "tsc.khz", "-1", GCPU_ERR_DOCUMENT, "khz" },
	{ GCPU_ARCH_X86, "xcomp.supported", "7", GCPU_ERR_DOCUMENT, "supported" },
	{ GCPU_ARCH_X86, "trial.ones", NULL, GCPU_ERR_DOCUMENT, "trial.ones" },
	{ GCPU_ARCH_X86, "trial.enforce_pv_errno", "4096", GCPU_ERR_DOCUMENT, "trial.enforce_pv_errno" },
	/* arm64 */
	{ GCPU_ARCH_ARM64, "registers", NULL, GCPU_ERR_DOCUMENT, "registers" },
	{ GCPU_ARCH_ARM64, "registers.0.id", "\"0x603000000013c020\"", GCPU_ERR_DOCUMENT, "registers[1]" },
	{ GCPU_ARCH_ARM64, "registers.0.value", "[\"0x1\",\"0x1\",\"0x1\",\"0x1\",\"0x1\",\"0x1\",\"0x1\","
					       "\"0x1\",\"0x1\"]", GCPU_ERR_DOCUMENT, "registers[0].value" },
	{ GCPU_ARCH_ARM64, "registers.0.value.0", "1", GCPU_ERR_DOCUMENT, "registers[0].value" },
	{ GCPU_ARCH_ARM64, "vcpu_init.target", "-1", GCPU_ERR_DOCUMENT, "vcpu_init.target" },
	{ GCPU_ARCH_ARM64, "vcpu_init.tried.0.errno", "\"EINVAL\"", GCPU_ERR_DOCUMENT,
	  "vcpu_init.tried[0].errno" },
	{ GCPU_ARCH_ARM64, "trial.nibbles.0.lsb", "64", GCPU_ERR_DOCUMENT, "trial.nibbles[0].lsb" },
	{ GCPU_ARCH_ARM64, "trial.nibbles.0.accepted", "\"0x10000\"", GCPU_ERR_DOCUMENT,
	  "trial.nibbles[0].accepted" },
	{ GCPU_ARCH_ARM64, "trial.nibbles.1.read.0", "[16, 0]", GCPU_ERR_DOCUMENT, "trial.nibbles[1].read" },
	{ GCPU_ARCH_ARM64, "trial.nibbles.1.read.0", "[2]", GCPU_ERR_DOCUMENT, "trial.nibbles[1].read" },
	{ GCPU_ARCH_ARM64, "devices.0.type", "-1", GCPU_ERR_DOCUMENT, "devices[0].type" },
	{ GCPU_ARCH_ARM64, "devices.0.errno", "4096", GCPU_ERR_DOCUMENT, "devices[0].errno" },
	{ GCPU_ARCH_ARM64, "devices.0", "7", GCPU_ERR_DOCUMENT, "devices[0]" },
	/* the hash */
	{ GCPU_ARCH_X86, "hash", "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"",
	  GCPU_ERR_DOCUMENT, "hash" },
	{ GCPU_ARCH_X86, "hash", "\"\"", GCPU_ERR_DOCUMENT, "hash" },
	{ GCPU_ARCH_X86, "hash", "3", GCPU_ERR_DOCUMENT, "hash" },
	/* allowed: recordings outlive code, and what is not known may be null */
	{ GCPU_ARCH_X86, "new-key", "[1, {\"a\": null}]", 0, NULL },
	{ GCPU_ARCH_X86, "host.microcode", "null", 0, NULL },
	{ GCPU_ARCH_X86, "host.microcode", NULL, 0, NULL },
	{ GCPU_ARCH_X86, "name", "\"\\ud83d\\ude00 \\u0001\\n\\\"\"", 0, NULL },
	{ GCPU_ARCH_X86, "cpuid.native", NULL, 0, NULL },
	{ GCPU_ARCH_X86, "trial", NULL, 0, NULL },
	{ GCPU_ARCH_X86, "cpuid.supported.1.leaf", "\"0x0000000000000001\"", 0, NULL },
	{ GCPU_ARCH_ARM64, "trial", NULL, 0, NULL },
};

static void test_edits(const struct gcpu_snapshot *x86, const struct gcpu_snapshot *arm64)
{
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct unit_text t = edited(edits[i].arch == GCPU_ARCH_X86 ? x86 : arm64, edits[i].path,
					    edits[i].value);
		const char *value = edits[i].value ? edits[i].value : "(gone)";
		struct gcpu_error err;
		int status = parse(t.s, t.n, &err);

		CHECK(status == edits[i].code, "%s = %s: %d %s", edits[i].path, value, status,
		      status ? err.text : "");
		if (edits[i].where && status)
			CHECK(strstr(err.text, edits[i].where) || strstr(err.expected, edits[i].where),
			      "%s = %s: '%s' does not say %s", edits[i].path, value, err.text, edits[i].where);
		free(t.s);
	}
}

/* Strings of N bytes in every place that has one. */
static void test_strings(const struct gcpu_snapshot *x86)
{
	static const char *const places[] = { "schema", "arch", "name", "host.vendor", "host.cpu",
					      "host.kernel", "host.microcode", "host.module",
					      "host.parameters.0.module", "cpuid.supported.1.leaf", "hash" };
	static const size_t sizes[] = { 1024, 1025, 100000 };

	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			char *value = malloc(sizes[k] + 3);
			struct unit_text t;
			struct gcpu_error err;
			bool free_text = strncmp(places[p], "host", 4) == 0 || p == 2;

			if (!value)
				exit(1);
			memset(value, 'x', sizes[k] + 2);
			value[0] = value[sizes[k] + 1] = '"';
			value[sizes[k] + 2] = 0;
			t = edited(x86, places[p], value);
			CHECK((parse(t.s, t.n, &err) == 0) == (free_text && sizes[k] <= 1024), "%s of %zu bytes",
			      places[p], sizes[k]);
			free(t.s);
			free(value);
		}
	}
}

/* N different leaves, or the same ones again. */
static void test_leaves(const struct gcpu_snapshot *x86, unsigned n, bool twice, int code)
{
	struct unit_text list = { 0 }, t;
	struct gcpu_error err;
	char line[160];

	unit_write(&list, "[", 1);
	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof(line),
			 "%s{\"leaf\":\"0x%x\",\"subleaf\":\"0x%x\",\"flags\":1,\"eax\":\"0x0\",\"ebx\":"
			 "\"0x0\",\"ecx\":\"0x0\",\"edx\":\"0x0\"}",
			 i ? "," : "", twice ? i / 2 : i, twice && i > 1 ? 1 : 0);
		unit_write(&list, line, strlen(line));
	}
	unit_write(&list, "]", 1);
	t = edited(x86, "cpuid.supported", list.s);
	CHECK(parse(t.s, t.n, &err) == code, "%u leaves: %d %s", n, err.code, err.text);
	if (code)
		CHECK(strstr(err.text, twice ? "twice" : "too many"), "%u leaves: '%s'", n, err.text);
	free(t.s);
	free(list.s);
}

/* Documents that are none. */
static void test_others(void)
{
	static const char *const texts[] = {
		"", " ", "null", "1", "\"x\"", "[]", "{}", "{", "}", "[[[[", "{\"a\":1,\"a\":2}",
		"{\"schema\":\"guestcpu.snapshot\"}", "{\"schema\":\"guestcpu.snapshot\",\"version\":1}",
		"\xef\xbb\xbf{}", "{} x", "{\"a\":1e999}", "{\"a\":99999999999999999999}", "\xff\xff",
	};
	struct gcpu_snapshot *s = NULL;
	struct gcpu_error err;
	char *deep = malloc(100000);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		CHECK(parse(texts[i], strlen(texts[i]), &err) == GCPU_ERR_DOCUMENT, "'%s': %d", texts[i],
		      err.code);
	if (!deep)
		exit(1);
	for (const char *c = "[{"; *c; c++) {
		memset(deep, *c, 100000);
		CHECK(parse(deep, 100000, &err) == GCPU_ERR_DOCUMENT, "100000 %c: %d", *c, err.code);
	}
	memset(deep, 0, 100000);
	CHECK(parse(deep, 100000, &err) == GCPU_ERR_DOCUMENT, "zeros");
	free(deep);
	CHECK(gcpu_snapshot_parse(NULL, 0, &s, &err) == GCPU_ERR_ARGUMENT, "no text");
	CHECK(gcpu_snapshot_parse("{}", 2, NULL, &err) == GCPU_ERR_ARGUMENT, "no result");
	CHECK(gcpu_snapshot_bundled(NULL, &s, &err) == GCPU_ERR_ARGUMENT, "no name");
	CHECK(gcpu_snapshot_bundled("no-such-host", &s, &err) == GCPU_ERR_NAME, "no such host");
	CHECK(gcpu_snapshot_write(NULL, unit_write, NULL) == GCPU_ERR_ARGUMENT, "nothing to write");
	gcpu_snapshot_free(NULL);
}

static int refuse(void *ctx, const char *data, size_t n)
{
	(void)ctx;
	(void)data;
	(void)n;
	return 7;
}

/* What the generator made of the documents in FOLDER is what reading them makes: the same bytes,
 * and the hash that was carried over is the one that their content has. */
static void test_bundled(const char *folder)
{
	const char *name;
	unsigned n = 0;

	for (; (name = gcpu_snapshot_bundled_name(n)) != NULL; n++) {
		struct gcpu_snapshot *s = NULL;
		struct gcpu_error err = { 0 };
		struct unit_text file, t;
		char path[1024];

		snprintf(path, sizeof(path), "%s/%s.json", folder, name);
		file = unit_file(path);
		CHECK(gcpu_snapshot_bundled(name, &s, &err) == 0, "%s: %s", name, err.text);
		if (!s || !file.s)
			exit(1);
		t = write_text(s);
		CHECK(t.n == file.n && memcmp(t.s, file.s, t.n) == 0, "%s: not the bytes of the document",
		      name);
		free(t.s);
		free(file.s);
		round_trip(s);
		gcpu_snapshot_free(s);
	}
	CHECK(n, "no bundled snapshot");
}

int main(int argc, char **argv)
{
	struct gcpu_snapshot *x86 = host_x86(), *arm64 = host_arm64();

	if (argc != 2)
		return 2;
	round_trip(x86);
	round_trip(arm64);
	test_bundled(argv[1]);
	CHECK(gcpu_snapshot_write(x86, refuse, NULL) == 7, "the writer's code");
	truncate(x86);
	truncate(arm64);
	damage(x86);
	damage(arm64);
	test_edits(x86, arm64);
	test_strings(x86);
	test_leaves(x86, 4096, false, 0);
	test_leaves(x86, 10000, false, GCPU_ERR_DOCUMENT);
	test_leaves(x86, 4000, true, GCPU_ERR_DOCUMENT);
	test_others();
	gcpu_snapshot_free(x86);
	gcpu_snapshot_free(arm64);
	return unit_end();
}
