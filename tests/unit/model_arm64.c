/* SPDX-License-Identifier: MIT */
/*
 * The software KVM of arm64. Every bundled host was measured on a real KVM, trial included: a probe of
 * its model must find the same again, byte for byte. The model never looks at the trial (it is taken out
 * here, to be sure): what it answers it was told by the rules.
 */
#include "unit.h"

#include "core/snapshot.h"
#include "kvm/abi_arm64.h"
#include "kvm/call.h"

#include <guestcpu/model.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first line that differs. */
static void compare(const char *name, const struct unit_text *want, const struct unit_text *got)
{
	const char *a = want->s, *b = got->s;
	unsigned line = 1;

	while (*a && *a == *b) {
		line += *a == '\n';
		a++, b++;
	}
	while (a > want->s && a[-1] != '\n')
		a--, b--;
	CHECK(!*a && !*b, "%s: line %u is\n%.*s\nand the model says\n%.*s", name, line, (int)strcspn(a, "\n"), a,
	      (int)strcspn(b, "\n"), b);
}

static struct gcpu_model *model_of(const struct gcpu_snapshot *host, const char *kernel)
{
	const struct gcpu_model_options o = { .size = sizeof(o), .kernel = kernel };
	struct gcpu_model *m = NULL;
	struct gcpu_error err = { 0 };

	CHECK(gcpu_model_new(host, &o, &m, &err) == 0, "%s %s: %s", host->name, kernel ? kernel : "", err.text);
	return m;
}

static struct gcpu_snapshot *probe(struct gcpu_model *m, const char *name)
{
	const struct gcpu_probe_options o = { .size = sizeof(o), .name = name };
	const struct gcpu_kvm *kvm = gcpu_model_kvm(m);
	int fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 0);
	struct gcpu_snapshot *found = NULL;
	struct gcpu_error err = { 0 };

	CHECK(gcpu_snapshot_probe(kvm, fd, &o, &found, &err) == 0, "%s: %s", name, err.text);
	kvm->ops->close(kvm->ctx, fd);
	return found;
}

static void same_again(const struct gcpu_snapshot *host)
{
	struct gcpu_snapshot untried = *host;
	struct unit_text want = { NULL, 0, 0 }, got = { NULL, 0, 0 };
	struct gcpu_snapshot *found;
	struct gcpu_model *m;

	untried.has_trial = false;
	untried.nibbles = (struct list){ NULL, 0, 0 };
	untried.inits = (struct list){ NULL, 0, 0 };
	m = model_of(&untried, NULL);
	if (!m)
		return;
	found = probe(m, host->name);
	if (found) {
		gcpu_snapshot_write(host, unit_write, &want);
		gcpu_snapshot_write(found, unit_write, &got);
		compare(host->name, &want, &got);
		CHECK(strcmp(found->hash, host->hash) == 0, "%s: another hash", host->name);
	}
	free(want.s);
	free(got.s);
	gcpu_snapshot_free(found);
	gcpu_model_free(m);
}

int main(void)
{
	unsigned n = 0;

	for (unsigned i = 0; gcpu_snapshot_bundled_name(i); i++) {
		struct gcpu_snapshot *s = NULL;

		if (gcpu_snapshot_bundled(gcpu_snapshot_bundled_name(i), &s, NULL))
			continue;
		if (s->arch == GCPU_ARCH_ARM64) {
			n++;
			same_again(s);
		}
		gcpu_snapshot_free(s);
	}
	CHECK(n >= 9, "%u hosts", n);
	return unit_end();
}
