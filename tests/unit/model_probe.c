/* SPDX-License-Identifier: MIT */
/*
 * A probe of the software KVM over a recorded host gives the recording back,
 * its trials included. The model does not read the trials: its answers come
 * from KVM's rules, and what was recorded is what real KVM answered.
 */
#include "unit.h"

#include "../../src/core/snapshot.h"

/* The first lines that differ. */
static void show(const char *a, const char *b)
{
	for (unsigned line = 1, shown = 0; *a && *b && shown < 4; line++) {
		size_t n = strcspn(a, "\n"), k = strcspn(b, "\n");

		if ((n != k || memcmp(a, b, n) != 0)) {
			printf("line %u\n  recorded  %.*s\n  the model %.*s\n", line, n < 200 ? (int)n : 200, a,
			       k < 200 ? (int)k : 200, b);
			shown++;
		}
		a += n + (a[n] != 0);
		b += k + (b[k] != 0);
	}
}

static void same(const char *name)
{
	struct gcpu_probe_options o = { .size = sizeof(o), .name = name };
	struct gcpu_snapshot *host, *seen = NULL;
	struct unit_text recorded = { NULL, 0, 0 }, probed = { NULL, 0, 0 };
	struct gcpu_model *m;
	struct gcpu_error err;
	int fd;

	CHECK(gcpu_snapshot_bundled(name, &host, &err) == 0, "%s", name);
	CHECK(gcpu_model_new(host, NULL, &m, &err) == 0, "%s", name);
	fd = gcpu_model_kvm(m)->ops->open(gcpu_model_kvm(m)->ctx, "/dev/kvm", 0);
	CHECK(fd >= 0, "%s", name);
	CHECK(gcpu_snapshot_probe(gcpu_model_kvm(m), fd, &o, &seen, &err) == 0, "%s", name);
	/* one that was recorded before probes asked: every KVM has an answer */
	if (seen && !host->has_mce) {
		seen->has_mce = false;
		CHECK(snapshot_seal(seen) == 0, "%s", name);
	}
	CHECK(gcpu_snapshot_write(host, unit_write, &recorded) == 0, "%s", name);
	CHECK(gcpu_snapshot_write(seen, unit_write, &probed) == 0, "%s", name);
	if (strcmp(recorded.s, probed.s) != 0)
		show(recorded.s, probed.s);
	CHECK(strcmp(recorded.s, probed.s) == 0, "%s", name);
	free(recorded.s);
	free(probed.s);
	gcpu_snapshot_free(seen);
	gcpu_model_free(m);
	gcpu_snapshot_free(host);
}

/* A model of another series offers what was computed, and that has a name of its own. */
static void named(void)
{
	struct gcpu_model_options o = { .size = sizeof(o), .kernel = "6.1" };
	struct gcpu_snapshot *host;
	struct gcpu_model *m;
	struct gcpu_error err;

	CHECK(gcpu_snapshot_bundled("x86-amd-rome-6-12", &host, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_new(host, &o, &m, &err) == 0, "%s", err.text);
	CHECK(strcmp(gcpu_snapshot_name(gcpu_model_host(m)), "x86-amd-rome-6-12@6.1") == 0, "%s",
	      gcpu_snapshot_name(gcpu_model_host(m)));
	gcpu_model_free(m);
	o.kernel = "6.12";
	CHECK(gcpu_model_new(host, &o, &m, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_host(m) == host, "another host of the same series");
	gcpu_model_free(m);
	gcpu_snapshot_free(host);
}

/* A release of the host's own series is what a probe finds. */
static void of_release(void)
{
	struct gcpu_model_options o = { .size = sizeof(o), .kernel = "6.12.5" };
	struct gcpu_snapshot *host, *seen = NULL;
	struct gcpu_model *m;
	struct gcpu_error err;
	int fd;

	CHECK(gcpu_snapshot_bundled("x86-amd-rome-6-12", &host, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_new(host, &o, &m, &err) == 0, "%s", err.text);
	fd = gcpu_model_kvm(m)->ops->open(gcpu_model_kvm(m)->ctx, "/dev/kvm", 0);
	CHECK(gcpu_snapshot_probe(gcpu_model_kvm(m), fd, NULL, &seen, &err) == 0, "%s", err.text);
	CHECK(seen && strcmp(seen->kernel, "6.12.5") == 0, "%s", seen ? seen->kernel : "nothing");
	gcpu_snapshot_free(seen);
	gcpu_model_free(m);
	gcpu_snapshot_free(host);
}

int main(int argc, char **argv)
{
	const char *name;

	if (argc > 1) {
		same(argv[1]);
		return unit_end();
	}
	for (unsigned i = 0; (name = gcpu_snapshot_bundled_name(i)); i++)
		if (strncmp(name, "x86-", 4) == 0) {
			printf("%s\n", name);
			same(name);
		}
	named();
	of_release();
	return unit_end();
}
