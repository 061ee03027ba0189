/* SPDX-License-Identifier: MIT */
/* Measures a host: what both architectures have in common. */
#include "probe.h"

#include "abi.h"

#include <guestcpu/model.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Capability numbers are dense and small; KVM answers 0 for what it does not know. */
#define CAP_NUMBERS 320

int probe_vm(const struct probe *p)
{
	return call_number(p->kvm, p->kvm_fd, GK_CREATE_VM, 0);
}

void probe_close(const struct probe *p, int fd)
{
	if (fd >= 0)
		p->kvm->ops->close(p->kvm->ctx, fd);
}

int probe_vcpu(const struct probe *p, int *ret_vm)
{
	int vm = probe_vm(p), vcpu;

	if (vm < 0)
		return vm;
	vcpu = call_number(p->kvm, vm, GK_CREATE_VCPU, 0);
	if (vcpu < 0) {
		probe_close(p, vm);
		return vcpu;
	}
	*ret_vm = vm;
	return vcpu;
}

static int read_text(const struct probe *p, const char *path, char **ret)
{
	char buf[4096];
	int n = p->kvm->ops->read_host_file(p->kvm->ctx, path, buf, sizeof(buf));

	if (n < 0)
		return n;
	while (n && (buf[n - 1] == '\n' || buf[n - 1] == ' ' || buf[n - 1] == 0))
		n--;
	*ret = text_copy(buf, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

#define CPUS 4096

/* "0-3,8" as the kernel prints sets of CPUs. */
int probe_cpus(struct probe *p, int (*visit)(struct probe *p, int cpu))
{
	char text[4096];
	int n = p->kvm->ops->read_host_file(p->kvm->ctx, "/sys/devices/system/cpu/online", text,
					    sizeof(text) - 1);
	int status = 0;
	char *s = text;

	if (n <= 0)
		return 0;
	text[n] = 0;
	while (status == 0 && *s >= '0' && *s <= '9') {
		long from = strtol(s, &s, 10), to = from;

		if (*s == '-')
			to = strtol(s + 1, &s, 10);
		for (long cpu = from; cpu <= to && cpu < CPUS && status == 0; cpu++)
			status = visit(p, (int)cpu);
		s += *s == ',';
	}
	return status;
}

/* Value of "KEY : value" in /proc/cpuinfo, NULL where there is no such line. */
static int cpuinfo(const char *text, const char *key, char **ret)
{
	size_t n = strlen(key);

	while (*text) {
		const char *end = strchr(text, '\n'), *colon;

		end = end ? end : text + strlen(text);
		colon = memchr(text, ':', (size_t)(end - text));
		if (colon && strncmp(text, key, n) == 0 && strspn(text + n, " \t") ==
							      (size_t)(colon - text) - n) {
			colon += colon + 1 < end ? 2 : 1;
			*ret = text_copy(colon, (size_t)(end - colon));
			return *ret ? 0 : -ENOMEM;
		}
		text = *end ? end + 1 : end;
	}
	return 0;
}

static int host_files(struct probe *p)
{
	struct gcpu_snapshot *s = p->snap;
	char *text = NULL;
	int status = read_text(p, "/proc/sys/kernel/osrelease", &s->kernel);

	if (status == -ENOMEM)
		return status;
	status = read_text(p, "/proc/cpuinfo", &text);
	if (status == 0) {
		status = cpuinfo(text, "model name", &s->brand);
		if (status == 0)
			status = cpuinfo(text, "microcode", &s->microcode);
		free(text);
	}
	return status == -ENOMEM ? status : 0;
}

static int module_params(struct probe *p)
{
	for (unsigned i = 0; i < gcpu_n_params; i++) {
		const struct param_fact *f = &gcpu_params[i];
		struct snap_param *out;
		char path[128], *value;
		int status;

		snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", f->module, f->name);
		status = read_text(p, path, &value);
		if (status == -ENOMEM)
			return status;
		if (status < 0)
			continue;
		out = list_add(&p->snap->params, sizeof(*out));
		if (!out) {
			free(value);
			return -ENOMEM;
		}
		out->value = value;
		if (!p->snap->module && strcmp(f->module, "kvm") != 0) {
			p->snap->module = text_copy(f->module, strlen(f->module));
			if (!p->snap->module)
				return -ENOMEM;
		}
		out->module = text_copy(f->module, strlen(f->module));
		out->name = text_copy(f->name, strlen(f->name));
		if (!out->module || !out->name)
			return -ENOMEM;
	}
	return 0;
}

static int capabilities(struct probe *p, int fd, struct list *ret)
{
	for (unsigned n = 1; n < CAP_NUMBERS; n++) {
		int value = call_number(p->kvm, fd, GK_CHECK_EXTENSION, n);
		struct snap_cap *c;

		if (value <= 0)
			continue;
		c = list_add(ret, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->number = n;
		c->value = value;
	}
	return 0;
}

static int common(struct probe *p)
{
	int version = call_number(p->kvm, p->kvm_fd, GK_GET_API_VERSION, 0), vm, status;

	if (version < 0)
		return error_os(p->err, -version, "KVM_GET_API_VERSION");
	if (version != GK_API_VERSION)
		return error_set(p->err, GCPU_ERR_NO_KVM, "KVM has API version %d, not %d", version,
				 GK_API_VERSION);
	status = host_files(p);
	if (status)
		return error_os(p->err, -status, "reading /proc");
	status = module_params(p);
	if (status)
		return error_os(p->err, -status, "reading /sys/module");
	if (capabilities(p, p->kvm_fd, &p->snap->caps_system))
		return error_memory(p->err);
	vm = probe_vm(p);
	if (vm < 0)
		return error_os(p->err, -vm, "KVM_CREATE_VM");
	status = capabilities(p, vm, &p->snap->caps_vm);
	probe_close(p, vm);
	return status ? error_memory(p->err) : 0;
}

static int set_name(struct probe *p, const char *name)
{
	char buf[160];

	if (!name) {
		snprintf(buf, sizeof(buf), "%s-%s-%s", gcpu_arch_name(p->snap->arch),
			 p->snap->vendor ? p->snap->vendor : "unknown",
			 p->snap->kernel ? p->snap->kernel : "unknown");
		name = buf;
	} else if (strlen(name) > GCPU_NAME_MOST) {
		error_set(p->err, GCPU_ERR_ARGUMENT, "the name of the snapshot is %zu bytes long", strlen(name));
		error_expected(p->err, "at most %d bytes", GCPU_NAME_MOST);
		return GCPU_ERR_ARGUMENT;
	}
	p->snap->name = text_copy(name, strlen(name));
	return p->snap->name ? 0 : error_memory(p->err);
}

static enum gcpu_arch arch_of_backend(const struct gcpu_kvm *kvm)
{
	struct gcpu_model *m = gcpu_model_of(kvm);

	return m ? gcpu_snapshot_arch(gcpu_model_host(m)) : gcpu_arch_native();
}

/*
 * What a model answers rests on what its own host's snapshot took for given. Its module is the host's, too: where
 * no parameter of it is known, no file tells.
 */
static int take_over(struct probe *p)
{
	const struct gcpu_snapshot *host = gcpu_model_host(gcpu_model_of(p->kvm));

	if (!p->snap->module && host->module) {
		p->snap->module = text_copy(host->module, strlen(host->module));
		if (!p->snap->module)
			return error_memory(p->err);
	}
	p->snap->computed = host->computed;
	for (size_t i = 0; i < host->assumed.n; i++) {
		const struct snap_assumed *a = LIST_AT(&host->assumed, struct snap_assumed, i);
		struct snap_assumed *to = list_add(&p->snap->assumed, sizeof(*to));

		if (!to)
			return error_memory(p->err);
		to->what = text_copy(a->what, strlen(a->what));
		to->value = text_copy(a->value, strlen(a->value));
		to->why = text_copy(a->why, strlen(a->why));
		if (!to->what || !to->value || !to->why)
			return error_memory(p->err);
	}
	return 0;
}

int gcpu_snapshot_probe(const struct gcpu_kvm *kvm, int kvm_fd,
			const struct gcpu_probe_options *options,
			struct gcpu_snapshot **ret_snapshot, struct gcpu_error *err)
{
	struct probe p = { .kvm = kvm, .kvm_fd = kvm_fd, .err = err };
	struct gcpu_probe_options o = { .size = sizeof(o) };
	int status;

	if (!kvm || !kvm->ops || kvm->ops->size < sizeof(*kvm->ops) || !ret_snapshot)
		return error_set(err, GCPU_ERR_ARGUMENT, "no backend or result");
	if (options && !options_copy(&o, sizeof(o), options, options->size))
		return error_set(err, GCPU_ERR_ARGUMENT, "struct gcpu_probe_options has a wrong size");
	if (o.arch && !gcpu_arch_name((enum gcpu_arch)o.arch))
		return error_set(err, GCPU_ERR_ARGUMENT, "no such architecture");
	p.trial = !o.no_trial;
	p.all_cpus = !o.one_cpu;
	p.ask_xcomp = o.ask_xcomp;
	p.snap = snapshot_new(o.arch ? (enum gcpu_arch)o.arch : arch_of_backend(kvm));
	if (!p.snap)
		return error_memory(err);
	status = common(&p);
	if (status == 0)
		status = p.snap->arch == GCPU_ARCH_X86 ? probe_x86(&p) : probe_arm64(&p);
	if (status == 0 && gcpu_model_of(kvm))
		status = take_over(&p);
	if (status == 0)
		status = set_name(&p, o.name);
	if (status) {
		gcpu_snapshot_free(p.snap);
		return status;
	}
	*ret_snapshot = p.snap;
	return 0;
}
