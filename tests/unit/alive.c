/* SPDX-License-Identifier: MIT */
/*
 * The verify document with exercises that nobody has run, as docs/verify.md
 * has it: every verdict and kind, read back by another parser.
 */
#include "unit.h"

#include <jansson.h>

#define ALIVE (GCPU_ALIVE_FAILS + 1)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* docs/verify.md */
static const char *const alive_names[ALIVE] = {
	[GCPU_ALIVE_WORKS] = "works", [GCPU_ALIVE_REFUSED] = "refused-as-planned", [GCPU_ALIVE_LEAKS] = "leaks",
	[GCPU_ALIVE_INCONCLUSIVE] = "inconclusive", [GCPU_ALIVE_UNTESTABLE] = "untestable",
	[GCPU_ALIVE_FAILS] = "fails",
};
static const char *const kind_names[] = {
	[GCPU_EXERCISE_FEATURE] = "feature", [GCPU_EXERCISE_INTERFACE] = "interface",
	[GCPU_EXERCISE_BEHAVIOUR] = "behaviour",
};

#define SIZE .size = sizeof(struct gcpu_exercise)
#define FEATURE(field, on, verdict, text) \
	{ SIZE, .name = (field), .kind = GCPU_EXERCISE_FEATURE, .planned = (on), .alive = (verdict), .witness = (text) }
#define INTERFACE(what, verdict, text) \
	{ SIZE, .name = (what), .kind = GCPU_EXERCISE_INTERFACE, .alive = (verdict), .witness = (text) }
#define SEEN(what, word, text) \
	{ SIZE, .name = (what), .kind = GCPU_EXERCISE_BEHAVIOUR, .observed = (word), .witness = (text) }
#define NOT_SEEN(what, verdict, text) \
	{ SIZE, .name = (what), .kind = GCPU_EXERCISE_BEHAVIOUR, .alive = (verdict), .witness = (text) }

/* What is no feature is about no field, whatever it is called. */
static const struct gcpu_exercise x86[] = {
	FEATURE("kvmclock2", true, GCPU_ALIVE_WORKS, "3 us from the host's clock"),
	FEATURE("kvm-pv-eoi", false, GCPU_ALIVE_REFUSED, "#GP, 0 of 5 EOIs skipped"),
	FEATURE("kvm-steal-time", false, GCPU_ALIVE_LEAKS, "the guest can use MSR 0x4b564d03"),
	FEATURE("kvm-pv-tlb-flush", true, GCPU_ALIVE_INCONCLUSIVE, "\"quoted\" \\ caf\xc3\xa9\n"),
	FEATURE("kvm-mmu", false, GCPU_ALIVE_UNTESTABLE, "nothing to exercise"),
	FEATURE("x2apic", true, GCPU_ALIVE_FAILS, ""),
	{ SIZE, .name = "kvm-poll-control", .planned = true, .witness = "19 of 20", .control = "#GP" },
	INTERFACE("clock-pairing", GCPU_ALIVE_WORKS, "within 7 us"),
	INTERFACE("avx2", GCPU_ALIVE_REFUSED, "r"),
	INTERFACE("enforcement", GCPU_ALIVE_LEAKS, "l"),
	INTERFACE("another", GCPU_ALIVE_INCONCLUSIVE, "i"),
	INTERFACE("one-more", GCPU_ALIVE_UNTESTABLE, "u"),
	INTERFACE("the-last", GCPU_ALIVE_FAILS, "f"),
	SEEN("sse2", "refused", "EINVAL"),
	SEEN("disable-exits-late", "accepted-without-effect", "3 of 3 HLTs exit all the same"),
	NOT_SEEN("aes", GCPU_ALIVE_LEAKS, "no"),
	NOT_SEEN("duplicate-id", GCPU_ALIVE_INCONCLUSIVE, "of 5 IPIs 3"),
	NOT_SEEN("disable-exits-hlt", GCPU_ALIVE_UNTESTABLE, "not here"),
};
/* Of features and interfaces, in the order of alive_names. */
static const unsigned x86_summary[ALIVE] = { 3, 2, 2, 2, 2, 2 };

static const struct gcpu_exercise arm64[] = {
	FEATURE("ID_AA64ISAR0_EL1.RNDR", true, GCPU_ALIVE_WORKS, "two numbers, not the same"),
	SEEN("ID_AA64ISAR0_EL1.AES", "read-only", "EBUSY"),
};
static const unsigned arm64_summary[ALIVE] = { 1 };

/* A host, a plan for it, and one vCPU that nobody has looked at. */
struct fixture {
	struct gcpu_snapshot *snap;
	struct gcpu_plan *plan;
	struct gcpu_view *view;
};

static bool set_up(struct fixture *f, const char *host, const char *request)
{
	struct gcpu_error err = { 0 };
	struct gcpu_request *req = NULL;
	struct gcpu_machine m;
	int status;

	memset(f, 0, sizeof(*f));
	gcpu_machine_init(&m);
	status = gcpu_snapshot_bundled(host, &f->snap, &err);
	if (status == 0)
		status = gcpu_request_parse(gcpu_snapshot_arch(f->snap), request, &req, &err);
	if (status == 0)
		status = gcpu_plan_make(f->snap, req, &m, &f->plan, &err);
	if (status == 0)
		status = gcpu_view_new(f->plan, 0, &f->view);
	gcpu_request_free(req);
	CHECK(status == 0, "%s, %s: %d %s", host, request, status, err.text);
	return status == 0;
}

static void tear_down(struct fixture *f)
{
	gcpu_view_free(f->view);
	gcpu_plan_free(f->plan);
	gcpu_snapshot_free(f->snap);
}

static int write_alive(const struct fixture *f, const struct gcpu_exercise *e, size_t n, gcpu_write write, void *ctx)
{
	return gcpu_verify_write_alive_json(f->plan, &f->view, 1, NULL, e, n, write, ctx);
}

static json_t *read_back(const struct fixture *f, const struct gcpu_exercise *e, size_t n)
{
	struct unit_text t = { 0 };
	json_error_t je;
	json_t *root;
	int status = write_alive(f, e, n, unit_write, &t);

	CHECK(status == 0, "%d", status);
	root = json_loadb(t.s ? t.s : "", t.n, JSON_REJECT_DUPLICATES, &je);
	CHECK(root, "line %d: %s", je.line, je.text);
	free(t.s);
	return root;
}

/* TEXT, or null for NULL. The key must be there. */
static void expect_text(const json_t *object, const char *key, const char *text, const char *of)
{
	const json_t *v = json_object_get(object, key);

	if (!text)
		CHECK(json_is_null(v), "%s of %s is not null", key, of);
	else
		CHECK(json_is_string(v) && strcmp(json_string_value(v), text) == 0, "%s of %s is %s, not %s", key, of,
		      json_is_string(v) ? json_string_value(v) : "no text", text);
}

static void check_exercise(const json_t *object, const struct gcpu_exercise *e)
{
	const json_t *planned = json_object_get(object, "planned");

	CHECK(json_object_size(object) == 7, "%s: %zu keys", e->name, json_object_size(object));
	expect_text(object, "name", e->name, e->name);
	expect_text(object, "kind", kind_names[e->kind], e->name);
	expect_text(object, "alive", e->observed ? NULL : alive_names[e->alive], e->name);
	expect_text(object, "observed", e->observed, e->name);
	expect_text(object, "witness", e->witness, e->name);
	expect_text(object, "control", e->control, e->name);
	if (e->kind == GCPU_EXERCISE_FEATURE)
		CHECK(e->planned ? json_is_true(planned) : json_is_false(planned), "%s: planned", e->name);
	else
		CHECK(json_is_null(planned), "%s: planned is not null", e->name);
}

/* Each field says what the exercise about it says, and no other field anything. */
static void check_features(const json_t *root, const struct gcpu_exercise *e, size_t n)
{
	const json_t *features = json_object_get(root, "features"), *one;
	size_t i, k, about = 0, wanted = 0;

	for (k = 0; k < n; k++)
		wanted += e[k].kind == GCPU_EXERCISE_FEATURE;
	json_array_foreach(features, i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));

		for (k = 0; k < n; k++)
			if (e[k].kind == GCPU_EXERCISE_FEATURE && name && strcmp(e[k].name, name) == 0)
				break;
		expect_text(one, "alive", k < n ? alive_names[e[k].alive] : NULL, name);
		expect_text(one, "witness", k < n ? e[k].witness : NULL, name);
		about += k < n;
	}
	CHECK(about == wanted, "%zu fields are exercised, %zu exercises are about fields", about, wanted);
	CHECK(json_array_size(features) > wanted, "%zu fields", json_array_size(features));
}

static void check_document(const struct fixture *f, const struct gcpu_exercise *e, size_t n,
			   const unsigned summary[ALIVE])
{
	json_t *root = read_back(f, e, n);
	const json_t *alive = json_object_get(root, "alive"), *list = json_object_get(alive, "exercises");
	const json_t *sum = json_object_get(alive, "summary");

	CHECK(json_is_object(alive) && json_object_size(alive) == 2, "alive is something else");
	CHECK(json_is_array(list) && json_array_size(list) == n, "%zu of %zu exercises", json_array_size(list), n);
	for (size_t i = 0; i < n; i++)
		check_exercise(json_array_get(list, i), &e[i]);
	CHECK(json_object_size(sum) == ALIVE, "%zu numbers", json_object_size(sum));
	for (unsigned v = 0; v < ALIVE; v++) {
		const json_t *count = json_object_get(sum, alive_names[v]);

		CHECK(json_is_integer(count) && json_integer_value(count) == summary[v], "%lld %s, not %u",
		      (long long)json_integer_value(count), alive_names[v], summary[v]);
	}
	check_features(root, e, n);
	json_decref(root);
}

/* Without exercises it is the document that there always was; an empty list is a list. */
static void test_none(const struct fixture *f)
{
	static const unsigned none[ALIVE] = { 0 };
	struct unit_text with = { 0 }, without = { 0 };
	json_t *root;

	CHECK(write_alive(f, NULL, 0, unit_write, &with) == 0, "with");
	CHECK(gcpu_verify_write_json(f->plan, &f->view, 1, NULL, unit_write, &without) == 0, "without");
	CHECK(with.n && with.n == without.n && memcmp(with.s, without.s, with.n) == 0, "another document");
	root = json_loadb(with.s ? with.s : "", with.n, 0, NULL);
	CHECK(json_is_null(json_object_get(root, "alive")), "alive is not null");
	check_features(root, NULL, 0);
	json_decref(root);
	free(with.s);
	free(without.s);
	check_document(f, x86, 0, none);
}

/* Why the guest did not answer stands there with exercises, too. */
static void test_guest_error(const struct fixture *f)
{
	const struct gcpu_error guest = { .code = GCPU_ERR_TIMEOUT, .text = "no end within 10 ms" };
	struct unit_text t = { 0 };
	json_t *root;

	CHECK(gcpu_verify_write_alive_json(f->plan, &f->view, 1, &guest, x86, 1, unit_write, &t) == 0, "status");
	root = json_loadb(t.s ? t.s : "", t.n, 0, NULL);
	expect_text(root, "guest_error", guest.text, "the document");
	json_decref(root);
	free(t.s);
}

static int count(void *ctx, const char *data, size_t n)
{
	(void)data;
	(void)n;
	++*(unsigned *)ctx;
	return 0;
}

/* An exercise of another size is of another version, wherever it stands; nothing is written then. */
static void test_arguments(const struct fixture *f)
{
	static const size_t sizes[] = { 0, 1, sizeof(x86[0]) - 1, sizeof(x86[0]) + 1, (size_t)-1 };
	struct gcpu_exercise e[COUNT(x86)];
	unsigned wrote = 0;

	for (size_t i = 0; i < COUNT(x86); i++) {
		for (size_t k = 0; k < COUNT(sizes); k++) {
			memcpy(e, x86, sizeof(e));
			e[i].size = sizes[k];
			CHECK(write_alive(f, e, COUNT(e), count, &wrote) == GCPU_ERR_ARGUMENT, "size %zu of number %zu",
			      sizes[k], i);
		}
		CHECK(write_alive(f, e, i, count, &wrote) == 0 && wrote, "what is behind the list was looked at");
		wrote = 0;
	}
	CHECK(write_alive(f, NULL, 1, count, &wrote) == GCPU_ERR_ARGUMENT, "no list");
	CHECK(write_alive(f, x86, 1, NULL, NULL) == GCPU_ERR_ARGUMENT, "no writer");
	CHECK(gcpu_verify_write_alive_json(NULL, &f->view, 1, NULL, x86, 1, count, &wrote) == GCPU_ERR_ARGUMENT, "no plan");
	CHECK(!wrote, "written in spite of it");
}

static int refuse(void *ctx, const char *data, size_t n)
{
	int *left = ctx;

	(void)data;
	(void)n;
	return --*left < 0 ? 42 : 0;
}

/* Its own code comes back whichever piece it fails at, and nothing is written after it. */
static void test_failing_writer(const struct fixture *f)
{
	unsigned pieces = 0;

	CHECK(write_alive(f, x86, COUNT(x86), count, &pieces) == 0 && pieces > 10, "%u pieces", pieces);
	for (unsigned at = 0; at <= pieces; at++) {
		int left = (int)at, status = write_alive(f, x86, COUNT(x86), refuse, &left);

		CHECK(status == (at < pieces ? 42 : 0), "piece %u of %u: %d", at, pieces, status);
		CHECK(left == (at < pieces ? -1 : 0), "piece %u of %u: written to after its failure: %d", at, pieces,
		      left);
	}
}

static void test_names(void)
{
	for (unsigned v = 0; v < ALIVE; v++)
		CHECK(strcmp(gcpu_alive_name((enum gcpu_alive)v), alive_names[v]) == 0, "%s", alive_names[v]);
	for (unsigned k = 0; k < COUNT(kind_names); k++)
		CHECK(strcmp(gcpu_exercise_kind_name((enum gcpu_exercise_kind)k), kind_names[k]) == 0, "%s",
		      kind_names[k]);
	/* not a name of any other, and never NULL */
	CHECK(strcmp(gcpu_alive_name((enum gcpu_alive)ALIVE), "unknown") == 0, "one too many");
	CHECK(strcmp(gcpu_alive_name((enum gcpu_alive)-1), "unknown") == 0, "negative");
	CHECK(strcmp(gcpu_exercise_kind_name((enum gcpu_exercise_kind)COUNT(kind_names)), "unknown") == 0, "one too many");
	CHECK(strcmp(gcpu_exercise_kind_name((enum gcpu_exercise_kind)-1), "unknown") == 0, "negative");
}

int main(void)
{
	struct fixture f;

	test_names();
	if (set_up(&f, "x86-amd-rome-6-12", "host,-kvm-pv-eoi")) {
		check_document(&f, x86, COUNT(x86), x86_summary);
		test_none(&f);
		test_guest_error(&f);
		test_arguments(&f);
		test_failing_writer(&f);
	}
	tear_down(&f);
	if (set_up(&f, "arm64-kvm-max-6-12", "host"))
		check_document(&f, arm64, COUNT(arm64), arm64_summary);
	tear_down(&f);
	return unit_end();
}
