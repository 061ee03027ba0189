/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <guestcpu/catalogue.h>
#include <string.h>

static const char *const owners[] = {
	[OWNER_CHOSEN] = "chosen",
	[OWNER_DERIVED] = "derived",
	[OWNER_RUNTIME] = "runtime",
	[OWNER_IDENTITY] = "identity",
	[OWNER_CHOSEN | OWNER_RUNTIME] = "chosen+runtime",
	[OWNER_DERIVED | OWNER_RUNTIME] = "derived+runtime",
};
static const char *const kinds[] = { "hw",    "emulated", "synth", "pass",    "vendor",
				     "alias", "pv",	  "vmm",   "runtime", "none" };
static const char *const vendors[] = {
	[VENDOR_INTEL] = "intel",
	[VENDOR_AMD] = "amd",
	[VENDOR_INTEL | VENDOR_AMD] = "intel+amd",
	[VENDOR_CENTAUR] = "centaur",
	[VENDOR_INTEL | VENDOR_CENTAUR] = "intel+centaur",
	[VENDOR_AMD | VENDOR_CENTAUR] = "amd+centaur",
	[VENDOR_INTEL | VENDOR_AMD | VENDOR_CENTAUR] = "intel+amd+centaur",
};
static const char *const tags[TAG_END] = {
	[TAG_QEMU] = "qemu", [TAG_LINUX] = "linux", [TAG_LIBVIRT] = "libvirt", [TAG_ARM] = "arm", [TAG_DB] = "db",
};
/* Who uses one of our own names, by their tags. */
static const char *const callers[] = {
	[1 << TAG_QEMU] = "qemu",
	[1 << TAG_LINUX] = "linux",
	[1 << TAG_QEMU | 1 << TAG_LINUX] = "qemu linux",
	[1 << TAG_LIBVIRT] = "libvirt",
	[1 << TAG_QEMU | 1 << TAG_LIBVIRT] = "qemu libvirt",
	[1 << TAG_LINUX | 1 << TAG_LIBVIRT] = "linux libvirt",
	[1 << TAG_QEMU | 1 << TAG_LINUX | 1 << TAG_LIBVIRT] = "qemu linux libvirt",
};
static const char *const defaults[] = { "auto", "asked", "any" };

static void add_pv(const struct facts *f, unsigned field, struct gcpu_feature_info *out)
{
	for (unsigned i = 0; i < f->n_pv; i++) {
		const struct pv_fact *pv = &f->pv[i];

		if (pv->field != field)
			continue;
		out->n_msrs = pv->n_msrs;
		out->n_hypercalls = pv->n_calls;
		out->msrs = pv->msr;
		out->hypercalls = pv->call;
		out->gate = strcmp(pv->gate, "-") ? pv->gate : NULL;
		out->vmm = strcmp(pv->vmm, "-") ? pv->vmm : NULL;
		out->note = pv->note;
	}
}

static const char *called_by(const struct facts *f, const char *name)
{
	const struct name_fact *n = name_find(f, name, strlen(name));

	/* a group's name may be Arm's: that is its alias, and no caller */
	return n ? callers[n->tags % (sizeof(callers) / sizeof(callers[0]))] : NULL;
}

static void describe(const struct facts *f, const struct feature_fact *ff,
		     struct gcpu_feature_info *out)
{
	const struct target_fact *t = &f->targets[ff->first];
	const struct field_fact *fl = &f->fields[t->field];

	memset(out, 0, sizeof(*out));
	out->id = ff->id;
	out->name = ff->name;
	out->word = f->words[fl->word].name;
	out->lsb = fl->lsb;
	out->width = fl->width;
	out->at_least = t->at_least && fl->width > 1;
	out->value = t->value;
	out->owner = fl->owner < sizeof(owners) / sizeof(owners[0]) && owners[fl->owner] ?
			     owners[fl->owner] : "mixed";
	out->kind = kinds[fl->kind];
	out->since = fl->since;
	out->deflt = defaults[fl->deflt];
	out->meaning = ff->meaning ? ff->meaning : fl->meaning;
	out->runtime = fl->runtime;
	out->vendors = vendors[fl->vendors];
	out->called = called_by(f, ff->name);
	add_pv(f, t->field, out);
}

int gcpu_features(enum gcpu_arch arch, int (*visit)(void *ctx, const struct gcpu_feature_info *),
		  void *ctx)
{
	const struct arch *a = arch_of(arch);

	if (!a || !visit)
		return GCPU_ERR_ARGUMENT;
	for (unsigned i = 0; i < a->facts->n_features; i++) {
		struct gcpu_feature_info info;
		int status;

		describe(a->facts, &a->facts->features[i], &info);
		status = visit(ctx, &info);
		if (status)
			return status;
	}
	return 0;
}

int gcpu_properties(enum gcpu_arch arch,
		    int (*visit)(void *ctx, const char *name, bool deflt, const char *meaning), void *ctx)
{
	const struct arch *a = arch_of(arch);

	if (!a || !visit)
		return GCPU_ERR_ARGUMENT;
	for (unsigned i = 0; i < a->facts->n_props; i++) {
		const struct property_fact *f = &a->facts->props[i];
		int status = visit(ctx, f->name, f->deflt != 0, f->meaning);

		if (status)
			return status;
	}
	return 0;
}

int gcpu_property_infos(enum gcpu_arch arch,
			int (*visit)(void *ctx, const struct gcpu_property_info *), void *ctx)
{
	static const char *const types[] = { "switch", "number", "number", "hertz", "text", "choice" };
	const struct arch *a = arch_of(arch);

	if (!a || !visit)
		return GCPU_ERR_ARGUMENT;
	for (unsigned i = 0; i < a->facts->n_props; i++) {
		const struct property_fact *f = &a->facts->props[i];
		struct gcpu_property_info info = {
			.name = f->name,
			.other = f->other,
			.type = types[f->type],
			.deflt = f->when == PROP_UNSET	  ? "-" :
				 f->when == PROP_GENEROUS ? "host" :
				 f->deflt		  ? "on" : "off",
			.min = f->min,
			.max = f->max,
			.or_zero = f->type == PROP_NUMBER0,
			.meaning = f->meaning,
			.choices = f->choices,
		};
		int status = visit(ctx, &info);

		if (status)
			return status;
	}
	return 0;
}

const struct feature_fact *feature_of_field(const struct facts *f, unsigned field)
{
	for (unsigned i = 0; i < f->n_features; i++)
		if (f->features[i].id == f->fields[field].id)
			return &f->features[i];
	return NULL;
}

int gcpu_feature_members(enum gcpu_arch arch, const char *name,
			 int (*visit)(void *ctx, const struct gcpu_feature_info *), void *ctx)
{
	const struct arch *a = arch_of(arch);
	const struct name_fact *n = a && name ? name_find(a->facts, name, strlen(name)) : NULL;
	const struct feature_fact *ff = n ? &a->facts->features[n->feature] : NULL;

	if (!ff || !visit)
		return ff ? GCPU_ERR_ARGUMENT : GCPU_ERR_NAME;
	for (unsigned i = 0; i < ff->n; i++) {
		const struct feature_fact *one = ff->id && ff->n == 1 ? ff :
			feature_of_field(a->facts, a->facts->targets[ff->first + i].field);
		struct gcpu_feature_info info;
		int status;

		if (!one)
			return GCPU_ERR_INTERNAL;
		describe(a->facts, one, &info);
		status = visit(ctx, &info);
		if (status)
			return status;
	}
	return 0;
}

int gcpu_feature_aliases(enum gcpu_arch arch, const char *name,
			 int (*visit)(void *ctx, const char *alias, const char *tag), void *ctx)
{
	const struct arch *a = arch_of(arch);
	const struct name_fact *n = a && name ? name_find(a->facts, name, strlen(name)) : NULL;

	if (!n || !visit)
		return n ? GCPU_ERR_ARGUMENT : GCPU_ERR_NAME;
	for (unsigned i = 0; i < a->facts->n_names; i++) {
		const struct name_fact *m = &a->facts->names[i];

		if (m->feature != n->feature || m->own)
			continue;
		for (unsigned tag = 0; tag < TAG_END; tag++) {
			int status = m->tags >> tag & 1 ? visit(ctx, m->name, tags[tag]) : 0;

			if (status)
				return status;
		}
	}
	return 0;
}

/* Is a need of the table one of the feature: of a field that it sets, and no more of it? */
static bool is_need_of(const struct facts *f, const struct feature_fact *ff, const struct need_fact *need)
{
	for (unsigned i = 0; i < ff->n; i++) {
		const struct target_fact *t = &f->targets[ff->first + i];

		if (t->field == need->field &&
		    (!need->at_least || !t->at_least || field_reaches(&f->fields[t->field], t->value, need->value)))
			return true;
	}
	return false;
}

/* Would somebody who needs that miss the feature? */
static bool is_needed(const struct facts *f, const struct feature_fact *ff, const struct need_fact *need)
{
	for (unsigned i = 0; i < ff->n_terms; i++) {
		const struct term_fact *t = &f->terms[ff->first_term + i];

		if (t->field == need->field &&
		    (!need->at_least || field_reaches(&f->fields[t->field], need->value, t->value)))
			return true;
	}
	for (unsigned i = 0; i < ff->n; i++) {
		const struct target_fact *t = &f->targets[ff->first + i];

		if (t->field == need->field &&
		    (!need->at_least || !t->at_least || field_reaches(&f->fields[t->field], need->value, t->value)))
			return true;
	}
	return false;
}

static bool has_parent(const struct facts *f, const struct feature_fact *ff,
		       const struct require_fact *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (is_needed(f, ff, &r->to[i]))
			return true;
	return false;
}

/* Rows of requires.txt in which NAME is the child, or a parent. */
static int requirements(enum gcpu_arch arch, const char *name, bool parent,
			int (*visit)(void *ctx, const struct gcpu_requirement *), void *ctx)
{
	const struct arch *a = arch_of(arch);
	const struct name_fact *n = a && name ? name_find(a->facts, name, strlen(name)) : NULL;
	const struct facts *f = a ? a->facts : NULL;

	if (!n || !visit)
		return n ? GCPU_ERR_ARGUMENT : GCPU_ERR_NAME;
	for (unsigned i = 0; i < f->n_requires; i++) {
		const struct require_fact *r = &f->requires[i];
		const struct feature_fact *ff = &f->features[n->feature];
		struct gcpu_requirement out = { f->features[r->from.feature].name, r->n, { NULL }, r->source };
		int status;

		if (parent ? !has_parent(f, ff, r) : !is_need_of(f, ff, &r->from))
			continue;
		for (unsigned k = 0; k < r->n; k++)
			out.parents[k] = f->features[r->to[k].feature].name;
		status = visit(ctx, &out);
		if (status)
			return status;
	}
	return 0;
}

int gcpu_feature_needs(enum gcpu_arch arch, const char *name,
		       int (*visit)(void *ctx, const struct gcpu_requirement *), void *ctx)
{
	return requirements(arch, name, false, visit, ctx);
}

int gcpu_feature_needed_by(enum gcpu_arch arch, const char *name,
			   int (*visit)(void *ctx, const struct gcpu_requirement *), void *ctx)
{
	return requirements(arch, name, true, visit, ctx);
}

const char *gcpu_value_name(enum gcpu_arch arch, const char *name, uint64_t value)
{
	const struct arch *a = arch_of(arch);
	const struct name_fact *n = a && name ? name_find(a->facts, name, strlen(name)) : NULL;
	const struct feature_fact *ff = n ? &a->facts->features[n->feature] : NULL;

	if (!ff || ff->n != 1 || ff->id >= 4096)
		return NULL;
	return value_name(a->facts, &a->facts->fields[a->facts->targets[ff->first].field], value);
}

unsigned gcpu_feature_by_name(enum gcpu_arch arch, const char *name)
{
	const struct arch *a = arch_of(arch);
	const struct name_fact *n = a && name ? name_find(a->facts, name, strlen(name)) : NULL;

	return n ? a->facts->features[n->feature].id : 0;
}
