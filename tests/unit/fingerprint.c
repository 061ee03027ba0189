/* SPDX-License-Identifier: MIT */
/* Firecracker's fingerprints: what is read, and what is refused and where. */
#include "unit.h"

#define REGISTER(id, bits) "{\"addr\": \"" id "\", \"bitmap\": \"" bits "\"}"
#define PFR0 REGISTER("0x603000000013c020", "0b00010001")
#define DIGITS_32 "00000000000000000000000000000000"
#define HEAD "{\"kernel_version\": \"6.1\", \"guest_cpu_config\": "
#define CONFIG(features, registers) \
	HEAD "{\"vcpu_features\": [" features "], \"reg_modifiers\": [" registers "]}}"

static const struct {
	const char *text;
	int code;
	const char *where, *expected; /* in the error */
} documents[] = {
	{ CONFIG("", PFR0), 0, NULL, NULL },
	{ HEAD "{\"reg_modifiers\": [" PFR0 "], \"new\": 1}, \"newer\": {}}", 0, NULL, NULL },
	{ CONFIG("{\"index\": 0, \"bitmap\": \"0b111xxxx\"}", PFR0), 0, NULL, NULL },
	/* what is no register of a CPU may be as wide as it likes */
	{ CONFIG("", PFR0 ", " REGISTER("0x60400000001000d4", "0b1" DIGITS_32 DIGITS_32 DIGITS_32)), 0, NULL, NULL },
	{ CONFIG("", REGISTER("0x603000000013c020", "0b" DIGITS_32 DIGITS_32 DIGITS_32 DIGITS_32)), 0, NULL, NULL },
	{ CONFIG("", REGISTER("0x603000000013c020", "0b1" DIGITS_32 DIGITS_32)), GCPU_ERR_DOCUMENT,
	  "guest_cpu_config.reg_modifiers[0].bitmap: more than 64 bits", "128 digits" },
	{ CONFIG("", REGISTER("0x603000000013c020", "0b0" DIGITS_32 DIGITS_32 DIGITS_32 DIGITS_32)),
	  GCPU_ERR_DOCUMENT, "reg_modifiers[0].bitmap: not a bitmap", "128 digits" },
	{ CONFIG("", REGISTER("0x603000000013c020", "0b")), GCPU_ERR_DOCUMENT, "[0].bitmap: not a bitmap", "0b" },
	{ CONFIG("", REGISTER("0x603000000013c020", "0b_")), GCPU_ERR_DOCUMENT, "[0].bitmap: not a bitmap", "0b" },
	{ CONFIG("", REGISTER("0x603000000013c020", "0x12")), GCPU_ERR_DOCUMENT, "[0].bitmap: not a bitmap", "0b" },
	{ CONFIG("", REGISTER("0x603000000013c020", "0b12")), GCPU_ERR_DOCUMENT, "[0].bitmap: not a bitmap", "0b" },
	{ CONFIG("", REGISTER("0x603000000013c020", "0b1x")), GCPU_ERR_DOCUMENT,
	  "[0].bitmap: a bit that is left open", "0 or 1" },
	{ CONFIG("", REGISTER("6030", "0b1")), GCPU_ERR_DOCUMENT, "[0].addr: not a hex string", "0x" },
	{ CONFIG("", REGISTER("0x603000000013c0200", "0b1")), GCPU_ERR_DOCUMENT, "[0].addr", "0x" },
	{ CONFIG("", PFR0 ", {\"addr\": \"0x603000000013c021\"}"), GCPU_ERR_DOCUMENT,
	  "guest_cpu_config.reg_modifiers[1].bitmap: missing", "this key" },
	{ CONFIG("", PFR0 ", 7"), GCPU_ERR_DOCUMENT, "reg_modifiers[1]: not an object", "addr" },
	{ CONFIG("", PFR0 ", " PFR0), GCPU_ERR_DOCUMENT, "reg_modifiers: a register twice", "once" },
	{ CONFIG("", ""), GCPU_ERR_DOCUMENT, "reg_modifiers: no ID_AA64PFR0_EL1", "ID registers" },
	{ CONFIG("{\"index\": 1, \"bitmap\": \"0b1\"}", PFR0), GCPU_ERR_DOCUMENT, "vcpu_features[0]", "index 0" },
	{ CONFIG("{\"index\": 7, \"bitmap\": \"0b1\"}", PFR0), GCPU_ERR_DOCUMENT, "vcpu_features[0].index", "0 to 6" },
	{ CONFIG("{\"index\": 0, \"bitmap\": \"0b1" DIGITS_32 "\"}", PFR0), GCPU_ERR_DOCUMENT,
	  "vcpu_features[0]: more than 32 bits", "0b" },
	{ CONFIG("[]", PFR0), GCPU_ERR_DOCUMENT, "vcpu_features[0]: not an object", "index" },
	{ HEAD "{\"reg_modifiers\": {}}}", GCPU_ERR_DOCUMENT, "guest_cpu_config.reg_modifiers: not an array", "array" },
	{ HEAD "{}}", GCPU_ERR_DOCUMENT, "guest_cpu_config.reg_modifiers: missing", "this key" },
	{ HEAD "[]}", GCPU_ERR_DOCUMENT, "guest_cpu_config: not an object", "object" },
	{ HEAD "{\"kvm_capabilities\": [], \"cpuid_modifiers\": [], \"msr_modifiers\": []}}", GCPU_ERR_ARCH,
	  "a Firecracker fingerprint of x86", "arm64" },
	{ "{\"guest_cpu_config\": {\"reg_modifiers\": [" PFR0 "]}}", GCPU_ERR_DOCUMENT, "kernel_version: missing", "" },
	{ "{\"kernel_version\": 6, \"guest_cpu_config\": {\"reg_modifiers\": [" PFR0 "]}}", GCPU_ERR_DOCUMENT,
	  "kernel_version: not a short string", "string" },
	/* a template is no fingerprint, and a snapshot stays one */
	{ "{\"reg_modifiers\": [" PFR0 "]}", GCPU_ERR_DOCUMENT, "schema", "this key" },
	{ "{\"schema\": \"x\", \"version\": 1, \"guest_cpu_config\": {}}", GCPU_ERR_SCHEMA, "'x'", "guestcpu.snapshot" },
};

static void test_documents(void)
{
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		const char *text = documents[i].text;
		struct gcpu_snapshot *s = NULL;
		struct gcpu_error err = { 0 };
		int status = gcpu_snapshot_parse(text, strlen(text), &s, &err);

		CHECK(status == documents[i].code && !s == (status != 0), "%s: %d %s", text, status, err.text);
		if (status && documents[i].where)
			CHECK(strstr(err.text, documents[i].where) && strstr(err.expected, documents[i].expected),
			      "%s: '%s', expected '%s'", text, err.text, err.expected);
		gcpu_snapshot_free(s);
	}
}

/* Everything that is taken, in a document of the reader's own. */
static void test_content(void)
{
	static const char text[] = CONFIG(
		"{\"index\": 0, \"bitmap\": \"0b1x1xxxxx\"}",
		REGISTER("0x6030000000100000", "0b111") ", " REGISTER("0x603000000013c021", "0b1_0000") ", " PFR0
		", " REGISTER("0x6030000000140000", "0b10000000000000001")
		", " REGISTER("0x603000000013c000", "0b1000001000011111101010000000001"));
	static const char *const has[] = {
		"\"name\": \"arm64-0x41-6.1-guest\"", "\"view\": \"guest\"", "\"vendor\": \"0x41\"",
		"\"kernel\": \"6.1\"", "\"target\": 0", "\"features\": \"0xa4\"",
		"{\"id\": \"0x603000000013c000\", \"value\": [\"0x410fd401\"]},\n"
		"  {\"id\": \"0x603000000013c020\", \"value\": [\"0x11\"]},\n"
		"  {\"id\": \"0x603000000013c021\", \"value\": [\"0x10\"]},\n"
		"  {\"id\": \"0x6030000000140000\", \"value\": [\"0x10001\"]}\n",
	};
	struct unit_text out = { 0 }, again = { 0 };
	struct gcpu_snapshot *s = NULL, *copy = NULL;
	struct gcpu_error err = { 0 };

	CHECK(gcpu_snapshot_parse(text, strlen(text), &s, &err) == 0, "%s", err.text);
	CHECK(gcpu_snapshot_write(s, unit_write, &out) == 0, "write");
	for (size_t i = 0; i < sizeof(has) / sizeof(has[0]); i++)
		CHECK(strstr(out.s, has[i]), "no %s in %s", has[i], out.s);
	CHECK(!strstr(out.s, "0x6030000000100000") && !strstr(out.s, "mask") && !strstr(out.s, "trial"), "%s", out.s);
	CHECK(gcpu_snapshot_parse(out.s, out.n, &copy, &err) == 0, "%s", err.text);
	CHECK(gcpu_snapshot_write(copy, unit_write, &again) == 0 && strcmp(out.s, again.s) == 0, "%s", again.s);
	gcpu_snapshot_free(s);
	gcpu_snapshot_free(copy);
	free(out.s);
	free(again.s);
}

/* Whose view a snapshot is. */
static void test_view(void)
{
	static const struct {
		const char *view;
		int code;
	} views[] = { { "\"guest\"", 0 }, { "\"kvm\"", GCPU_ERR_DOCUMENT }, { "null", GCPU_ERR_DOCUMENT },
		      { "true", GCPU_ERR_DOCUMENT }, { "\"guests\"", GCPU_ERR_DOCUMENT } };

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		struct gcpu_snapshot *s = NULL;
		struct gcpu_error err = { 0 };
		char text[500];
		int status;

		snprintf(text, sizeof(text),
			 "{\"schema\": \"guestcpu.snapshot\", \"version\": 1, \"arch\": \"arm64\", \"name\": \"x\","
			 " \"view\": %s, \"host\": {}, \"capabilities\": {\"system\": [], \"vm\": []}, \"devices\": [],"
			 " \"vcpu_init\": {\"target\": 5, \"features\": \"0x4\", \"tried\": []}, \"registers\": []}",
			 views[i].view);
		status = gcpu_snapshot_parse(text, strlen(text), &s, &err);
		CHECK(status == views[i].code, "%s: %d %s", views[i].view, status, err.text);
		CHECK(!status || strncmp(err.text, "view: ", 6) == 0, "%s", err.text);
		gcpu_snapshot_free(s);
	}
}

int main(void)
{
	test_documents();
	test_content();
	test_view();
	return unit_end();
}
