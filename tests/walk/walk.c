/* SPDX-License-Identifier: MIT */
/*
 * walk_x86 NAME[@SERIES]     the walk over the software KVM of a bundled host
 * walk_x86 kvm               over this machine's
 * walk_x86 compare           over this machine's, and over the software KVM of what was probed there
 *
 * Exit status: 0; 1 where the two are not the same; 77 without a KVM.
 */
#include "walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES GK_CPUID_ENTRIES_MOST

void walk_say(struct walk *w, const char *format, ...)
{
	va_list args;
	int n;

	if (w->room - w->n < 400) {
		w->room = w->room ? 2 * w->room : 1 << 16;
		w->text = realloc(w->text, w->room);
		if (!w->text)
			abort();
	}
	w->n += (size_t)snprintf(w->text + w->n, 100, "%s: ", w->at);
	va_start(args, format);
	n = vsnprintf(w->text + w->n, 280, format, args);
	va_end(args);
	w->n += (size_t)(n < 280 ? n : 279);
	w->text[w->n++] = '\n';
	w->text[w->n] = 0;
}

int walk_ask(struct walk *w, int fd, unsigned long request, const void *arg)
{
	return w->kvm->ops->ioctl(w->kvm->ctx, fd, request, (uintptr_t)arg);
}

int walk_enable(struct walk *w, int fd, unsigned cap, uint64_t value)
{
	struct gk_enable_cap c = { .cap = cap, .args = { value } };

	return walk_ask(w, fd, GK_ENABLE_CAP, &c);
}

static struct gk_cpuid2 *table_new(uint32_t n)
{
	struct gk_cpuid2 *t = calloc(1, sizeof(*t) + ENTRIES * sizeof(t->entries[0]));

	if (!t)
		abort();
	t->nent = n;
	return t;
}

static void edit(struct gk_cpuid2 *t, enum walk_table table)
{
	for (uint32_t i = 0; i < t->nent; i++) {
		struct gk_cpuid_entry2 *e = &t->entries[i];

		if (table == TABLE_INTEL && !e->function) {
			memcpy(&e->ebx, "Genu", 4);
			memcpy(&e->edx, "ineI", 4);
			memcpy(&e->ecx, "ntel", 4);
		} else if (table == TABLE_BARE && e->function && e->function != 0x80000000U) {
			e->eax = e->ebx = e->ecx = e->edx = 0;
		} else if (table == TABLE_ALL && (e->function == 1 || e->function == 0x80000001U)) {
			e->ecx = e->edx = ~0U;
		} else if (table == TABLE_ALL && e->function == 7) {
			e->ebx = e->ecx = e->edx = ~0U;
		}
	}
}

void walk_table(struct walk_vm *v, enum walk_table table)
{
	struct gk_cpuid2 *t = table_new(table == TABLE_EMPTY ? 0 : v->w->supported->nent);
	int r;

	if (table == TABLE_NONE) {
		free(t);
		return;
	}
	memcpy(t->entries, v->w->supported->entries, t->nent * sizeof(t->entries[0]));
	edit(t, table);
	r = walk_ask(v->w, v->vcpu, GK_SET_CPUID2, t);
	if (r)
		walk_say(v->w, "table %d: %d", table, r);
	free(t);
}

bool walk_open(struct walk *w, bool apic, enum walk_table table, uint64_t quirks_off, struct walk_vm *v)
{
	*v = (struct walk_vm){ w, -1, -1, apic };
	v->vm = walk_ask(w, w->fd, GK_CREATE_VM, NULL);
	if (quirks_off)
		walk_say(w, "quirks off: %d", walk_enable(w, v->vm, CAP_DISABLE_QUIRKS2, quirks_off));
	if (v->vm >= 0 && apic)
		walk_ask(w, v->vm, GK_CREATE_IRQCHIP, NULL);
	v->vcpu = v->vm < 0 ? v->vm : walk_ask(w, v->vm, GK_CREATE_VCPU, NULL);
	if (v->vcpu < 0) {
		walk_say(w, "no vCPU: %d", v->vcpu);
		walk_close(v);
		return false;
	}
	walk_table(v, table);
	return true;
}

void walk_close(struct walk_vm *v)
{
	if (v->vcpu >= 0)
		v->w->kvm->ops->close(v->w->kvm->ctx, v->vcpu);
	if (v->vm >= 0)
		v->w->kvm->ops->close(v->w->kvm->ctx, v->vm);
}

int walk_get_msr(struct walk_vm *v, uint32_t index, uint64_t *ret)
{
	struct {
		uint32_t n, pad;
		struct gk_msr_entry e;
	} m = { 1, 0, { index, 0, 0xdeadbeefdeadbeef } };
	int r = walk_ask(v->w, v->vcpu, GK_GET_MSRS, &m);

	*ret = m.e.data;
	return r;
}

int walk_set_msr(struct walk_vm *v, uint32_t index, uint64_t value)
{
	struct {
		uint32_t n, pad;
		struct gk_msr_entry e;
	} m = { 1, 0, { index, 0, value } };

	return walk_ask(v->w, v->vcpu, GK_SET_MSRS, &m);
}

static int walk(const struct gcpu_kvm *kvm, struct walk *w)
{
	memset(w, 0, sizeof(*w));
	w->kvm = kvm;
	w->at = "start";
	w->fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 2 /* O_RDWR */);
	if (w->fd < 0) {
		printf("SKIP: /dev/kvm: %s\n", strerror(-w->fd));
		return 77;
	}
	w->supported = table_new(ENTRIES);
	walk_say(w, "supported %d", walk_ask(w, w->fd, GK_GET_SUPPORTED_CPUID, w->supported));
	walk_sizes(w);
	walk_regs(w);
	walk_msrs(w);
	free(w->supported);
	kvm->ops->close(kvm->ctx, w->fd);
	return 0;
}

static size_t line_at(const char *s)
{
	return strcspn(s, "\n");
}

static const char *next(const char *s)
{
	s += line_at(s);
	return s + (*s == '\n');
}

static bool equal(const char *a, const char *b)
{
	return line_at(a) == line_at(b) && memcmp(a, b, line_at(a)) == 0;
}

/* The first line of S that is A, not far from here. */
static const char *ahead(const char *s, const char *a)
{
	for (unsigned i = 0; *s && i < 400; i++, s = next(s))
		if (equal(a, s))
			return s;
	return NULL;
}

/* Lines of one and not of the other, in order. */
static unsigned differ(const char *real, const char *model)
{
	unsigned n = 0;

	while (*real || *model) {
		const char *found;

		if (*real && *model && equal(real, model)) {
			real = next(real);
			model = next(model);
			continue;
		}
		n++;
		found = *real ? ahead(model, real) : NULL;
		if (*real && !found) {
			printf("KVM    %.*s\n", (int)line_at(real), real);
			real = next(real);
			continue;
		}
		printf("model  %.*s\n", (int)line_at(model), model);
		model = next(model);
	}
	return n;
}

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s = next(s))
		n++;
	return n;
}

static int compare(void)
{
	struct gcpu_probe_options o = { .size = sizeof(o), .name = "here" };
	const struct gcpu_kvm *kvm = gcpu_kvm_real();
	struct gcpu_snapshot *s = NULL;
	struct gcpu_model *m = NULL;
	struct gcpu_error err;
	struct walk real, soft;
	int status = walk(kvm, &real);
	unsigned n;
	int fd;

	if (status)
		return status;
	fd = kvm->ops->open(kvm->ctx, "/dev/kvm", 2);
	if (gcpu_snapshot_probe(kvm, fd, &o, &s, &err) || gcpu_model_new(s, NULL, &m, &err)) {
		printf("%s\n", err.text);
		return 1;
	}
	kvm->ops->close(kvm->ctx, fd);
	status = walk(gcpu_model_kvm(m), &soft);
	n = differ(real.text, soft.text);
	printf("%u lines of %u are not the same\n", n, lines(real.text));
	gcpu_model_free(m);
	gcpu_snapshot_free(s);
	free(real.text);
	free(soft.text);
	return status ? status : n != 0;
}

static int of_host(char *name)
{
	char *series = strchr(name, '@');
	struct gcpu_model_options o = { .size = sizeof(o), .kernel = series ? series + 1 : NULL };
	struct gcpu_snapshot *s;
	struct gcpu_model *m;
	struct gcpu_error err;
	struct walk w;
	int status;

	if (series)
		*series = 0;
	if (gcpu_snapshot_bundled(name, &s, &err) || gcpu_model_new(s, &o, &m, &err)) {
		printf("%s\n", err.text);
		return 1;
	}
	status = walk(gcpu_model_kvm(m), &w);
	fputs(w.text, stdout);
	free(w.text);
	gcpu_model_free(m);
	gcpu_snapshot_free(s);
	return status;
}

int main(int argc, char **argv)
{
	struct walk w;
	int status;

	if (argc == 2 && strcmp(argv[1], "compare") == 0)
		return compare();
	if (argc == 2 && strcmp(argv[1], "kvm") != 0)
		return of_host(argv[1]);
	status = walk(gcpu_kvm_real(), &w);
	if (status == 0)
		fputs(w.text, stdout);
	free(w.text);
	return status;
}
