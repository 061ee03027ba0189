/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

const char *const snapshot_tables[SNAP_TABLES] = {
	"supported", "emulated", "hyperv", "native", "varies", "zeros", "ones", "bare",
};

static const struct {
	enum gcpu_arch arch;
	const char *name;
} arch_names[] = {
	{ GCPU_ARCH_X86, "x86" },
	{ GCPU_ARCH_ARM64, "arm64" },
};

const char *gcpu_arch_name(enum gcpu_arch arch)
{
	for (size_t i = 0; i < 2; i++)
		if (arch_names[i].arch == arch)
			return arch_names[i].name;
	return NULL;
}

enum gcpu_arch gcpu_arch_by_name(const char *name)
{
	for (size_t i = 0; name && i < 2; i++)
		if (strcmp(arch_names[i].name, name) == 0)
			return arch_names[i].arch;
	return 0;
}

struct gcpu_snapshot *snapshot_new(enum gcpu_arch arch)
{
	struct gcpu_snapshot *s = calloc(1, sizeof(*s));

	if (s)
		s->arch = arch;
	return s;
}

void gcpu_snapshot_free(struct gcpu_snapshot *s)
{
	if (!s)
		return;
	if (s->borrowed) {
		free(s);
		return;
	}
	for (size_t i = 0; i < s->params.n; i++) {
		struct snap_param *p = LIST_AT(&s->params, struct snap_param, i);

		free(p->module);
		free(p->name);
		free(p->value);
	}
	list_free(&s->params);
	for (size_t i = 0; i < s->assumed.n; i++) {
		struct snap_assumed *a = LIST_AT(&s->assumed, struct snap_assumed, i);

		free(a->what);
		free(a->value);
		free(a->why);
	}
	list_free(&s->assumed);
	list_free(&s->caps_system);
	list_free(&s->caps_vm);
	for (int i = 0; i < SNAP_TABLES; i++)
		list_free(&s->cpuid[i]);
	list_free(&s->msr_indexes);
	list_free(&s->msr_features);
	list_free(&s->cores);
	list_free(&s->devices);
	list_free(&s->inits);
	list_free(&s->regs);
	list_free(&s->nibbles);
	free(s->name);
	free(s->vendor);
	free(s->brand);
	free(s->kernel);
	free(s->microcode);
	free(s->module);
	free(s->machine);
	free(s);
}

/* An entry whose sub-leaf does not count answers for all, as in KVM, but for
 * those that have an entry of their own. */
const struct snap_cpuid *snapshot_cpuid(const struct gcpu_snapshot *s, enum snap_tables table,
					uint32_t leaf, uint32_t subleaf)
{
	const struct list *l = &s->cpuid[table];
	const struct snap_cpuid *any = NULL;

	for (size_t i = 0; i < l->n; i++) {
		const struct snap_cpuid *e = LIST_AT(l, struct snap_cpuid, i);

		if (e->leaf != leaf)
			continue;
		if (e->subleaf == subleaf)
			return e;
		if (!any && !(e->flags & 1))
			any = e;
	}
	return any;
}

const struct snap_msr *snapshot_msr(const struct gcpu_snapshot *s, uint32_t index)
{
	for (size_t i = 0; i < s->msr_features.n; i++) {
		const struct snap_msr *m = LIST_AT(&s->msr_features, struct snap_msr, i);

		if (m->index == index)
			return m;
	}
	return NULL;
}

const struct snap_reg *snapshot_reg(const struct gcpu_snapshot *s, uint64_t id)
{
	for (size_t i = 0; i < s->regs.n; i++) {
		const struct snap_reg *r = LIST_AT(&s->regs, struct snap_reg, i);

		if (r->id == id)
			return r;
	}
	return NULL;
}

const struct snap_reg *snapshot_word(const struct gcpu_snapshot *s, uint64_t addr)
{
	enum space space = ADDR_SPACE(addr);

	return space == SPACE_REG || space == SPACE_FW ? snapshot_reg(s, ADDR_ONE_REG(addr)) : NULL;
}

const struct snap_nibble *snapshot_nibble(const struct gcpu_snapshot *s, uint64_t id, unsigned lsb)
{
	for (size_t i = 0; i < s->nibbles.n; i++) {
		const struct snap_nibble *n = LIST_AT(&s->nibbles, struct snap_nibble, i);

		if (n->id == id && n->lsb == lsb)
			return n;
	}
	return NULL;
}

static int cap_find(const struct list *l, unsigned number)
{
	for (size_t i = 0; i < l->n; i++)
		if (LIST_AT(l, struct snap_cap, i)->number == number)
			return LIST_AT(l, struct snap_cap, i)->value;
	return 0;
}

int gcpu_snapshot_capability(const struct gcpu_snapshot *s, unsigned number)
{
	int on_vm;

	if (!s)
		return 0;
	on_vm = cap_find(&s->caps_vm, number);
	return on_vm ? on_vm : cap_find(&s->caps_system, number);
}

enum gcpu_arch gcpu_snapshot_arch(const struct gcpu_snapshot *s)
{
	return s ? s->arch : 0;
}

static const char *or_unknown(const char *text)
{
	return text ? text : "unknown";
}

const char *gcpu_snapshot_name(const struct gcpu_snapshot *s)
{
	return or_unknown(s ? s->name : NULL);
}

int snapshot_assume(struct gcpu_snapshot *s, const char *what, const char *value, const char *why)
{
	struct snap_assumed *a = list_add(&s->assumed, sizeof(*a));

	if (!a)
		return GCPU_ERR_MEMORY;
	a->what = text_copy(what, strlen(what));
	a->value = text_copy(value, strlen(value));
	a->why = text_copy(why, strlen(why));
	return a->what && a->value && a->why ? 0 : GCPU_ERR_MEMORY;
}

/* What was measured is hashed when somebody asks. Two who ask at once write the same. */
const char *gcpu_snapshot_hash(const struct gcpu_snapshot *s)
{
	if (s && !__atomic_load_n(&s->hash[0], __ATOMIC_ACQUIRE))
		snapshot_seal((struct gcpu_snapshot *)s);
	return s ? s->hash : "";
}

const char *gcpu_snapshot_vendor(const struct gcpu_snapshot *s)
{
	return or_unknown(s ? s->vendor : NULL);
}

const char *gcpu_snapshot_kernel(const struct gcpu_snapshot *s)
{
	return or_unknown(s ? s->kernel : NULL);
}

const char *gcpu_snapshot_module(const struct gcpu_snapshot *s)
{
	return or_unknown(s ? s->module : NULL);
}

int gcpu_snapshot_is_computed(const struct gcpu_snapshot *s)
{
	return s && s->computed;
}

const char *gcpu_snapshot_bundled_name(unsigned index)
{
	return index < gcpu_n_hosts ? gcpu_hosts[index].name : NULL;
}

int gcpu_snapshot_bundled(const char *name, struct gcpu_snapshot **ret_snapshot,
			  struct gcpu_error *err)
{
	if (!name || !ret_snapshot)
		return error_set(err, GCPU_ERR_ARGUMENT, "no name or result");
	for (unsigned i = 0; i < gcpu_n_hosts; i++) {
		struct gcpu_snapshot *s;

		if (strcmp(gcpu_hosts[i].name, name) != 0)
			continue;
		s = snapshot_new(0);
		if (!s)
			return error_memory(err);
		*s = *gcpu_hosts[i].snapshot;
		*ret_snapshot = s;
		return 0;
	}
	error_set(err, GCPU_ERR_NAME, "no bundled snapshot '%.60s'", name);
	name_nearest_host(name, err);
	error_expected(err, "a name (guestcpu features --hosts lists them) or a file with a '/' or a '.'");
	return GCPU_ERR_NAME;
}
