/* SPDX-License-Identifier: MIT */
/* Runs the cases, one after the other, each with nothing left of the one before. */
#include "case.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MOST 120

static const struct conform_case *const *tables(enum gcpu_arch arch)
{
	return arch == GCPU_ARCH_X86 ? conform_x86 : conform_arm64;
}

static const struct conform_case *case_at(enum gcpu_arch arch, unsigned i)
{
	for (const struct conform_case *const *t = tables(arch); *t; t++)
		for (const struct conform_case *k = *t; k->name; k++)
			if (i-- == 0)
				return k;
	return NULL;
}

bool conform_case_at(enum gcpu_arch arch, unsigned i, const char **ret_name, const char **ret_source)
{
	const struct conform_case *k = case_at(arch, i);

	if (!k)
		return false;
	*ret_name = k->name;
	*ret_source = k->source;
	return true;
}

const char *conform_outcome_name(enum conform_outcome outcome)
{
	static const char *const names[] = { [CONFORM_PASSED] = "passed", [CONFORM_FAILED] = "failed",
					     [CONFORM_SKIPPED] = "skipped" };

	return names[outcome];
}

/* '-' and '_' are the same. */
static bool matches(const char *pattern, const char *name)
{
	char plain[2][NAME_MOST];

	snprintf(plain[0], NAME_MOST, "%s", pattern);
	snprintf(plain[1], NAME_MOST, "%s", name);
	for (unsigned i = 0; i < 2; i++)
		for (char *s = plain[i]; *s; s++)
			*s = *s == '_' ? '-' : *s;
	return fnmatch(plain[0], plain[1], FNM_CASEFOLD) == 0;
}

static void clean_up(struct conform *c)
{
	for (size_t i = c->vms.n; i-- > 0;)
		vm_close(*LIST_AT(&c->vms, struct conform_vm *, i));
	for (size_t i = 0; i < c->vms.n; i++)
		free(*LIST_AT(&c->vms, struct conform_vm *, i));
	for (size_t i = 0; i < c->memory.n; i++)
		free(*LIST_AT(&c->memory, void *, i));
	list_free(&c->vms);
	list_free(&c->memory);
}

static void run_case(struct conform *c, const struct conform_case *k, struct conform_result *r)
{
	memset(r, 0, sizeof(*r));
	r->name = k->name;
	r->source = k->source;
	c->result = r;
	c->skipped = false;
	k->run(c);
	clean_up(c);
	if (!r->failed && !c->skipped && !r->checks)
		broken(c, "it asserted nothing");
	r->outcome = r->failed ? CONFORM_FAILED : c->skipped ? CONFORM_SKIPPED : CONFORM_PASSED;
}

static unsigned series(const char *kernel)
{
	unsigned major = 0, minor = 0;

	/* where nothing is known, nothing is expected of an old kernel */
	return sscanf(kernel, "%u.%u", &major, &minor) == 2 ? KERNEL(major, minor) : KERNEL(99, 0);
}

int conform_run(const struct conform_options *o, struct gcpu_error *err)
{
	enum gcpu_arch arch = gcpu_snapshot_arch(o->snapshot);
	struct conform c = { .kvm = o->kvm, .kvm_fd = o->kvm_fd, .snap = o->snapshot };
	struct conform_result r;
	unsigned all = 0, n = 0;
	int status = 0;

	if (arch == GCPU_ARCH_X86)
		c.no_guest = x86_no_guest(&c);
	c.release = series(gcpu_snapshot_kernel(o->snapshot));
	for (unsigned i = 0; case_at(arch, i); i++)
		all += !o->only || matches(o->only, case_at(arch, i)->name);
	if (!all && o->only && case_at(arch, 0)) {
		error_set(err, GCPU_ERR_NAME, "no case matches '%.60s'", o->only);
		error_expected(err, "a case's name, in which * and ? stand for others, such as '%s' or '%.*s*'", case_at(arch, 0)->name,
			       (int)strcspn(case_at(arch, 0)->name, ":") + 1, case_at(arch, 0)->name);
		return GCPU_ERR_NAME;
	}
	if (!all)
		return error_set(err, GCPU_ERR_ARCH, "there are no cases for %s", gcpu_arch_name(arch));
	for (unsigned i = 0; status == 0 && case_at(arch, i); i++) {
		const struct conform_case *k = case_at(arch, i);

		if (o->only && !matches(o->only, k->name))
			continue;
		if (o->progress)
			o->progress(o->ctx, k->name, n, all);
		n++;
		run_case(&c, k, &r);
		status = o->visit(o->ctx, &r);
	}
	return status;
}
