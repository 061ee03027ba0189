/* SPDX-License-Identifier: MIT */
/* From events to what a VMM has set. */
#include "report.h"

#include "describe.h"
#include "facts_gen.h"
#include "inspect.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_x86.h"

#include <stdlib.h>
#include <string.h>

/* A descriptor, by its number from 1. */
struct known {
	enum wrap_role role;
	uint32_t vm; /* of a vCPU or a device */
	uint32_t id;
	bool ran;
	unsigned vcpus;
	int index; /* of the vCPU in its VM */
};

static struct known *known(const struct sim_report *r, uint32_t object)
{
	return object && object <= r->objects.n ? LIST_AT(&r->objects, struct known, object - 1) : NULL;
}

/* Who made what: the first look. */
static void meet(struct sim_report *r, const struct sim_event *e)
{
	struct known *o = known(r, e->object), *made = known(r, e->made), *vm;
	bool inside;

	if (o)
		o->role = (enum wrap_role)e->role;
	if (e->kind == SIM_FOUND && o)
		o->id = (uint32_t)e->arg;
	if (e->kind == SIM_IOCTL && e->request == GK_RUN && o) {
		o->ran = true;
		vm = known(r, o->vm);
		/* the first to run is the one */
		if (vm && !vm->ran) {
			vm->ran = true;
			if (!r->vm)
				r->vm = o->vm;
		}
	}
	if (!made)
		return;
	made->role = wrap_request_makes((unsigned long)e->request, &inside);
	made->vm = e->role == ROLE_VM ? e->object : 0;
	made->id = (uint32_t)e->arg;
	if (made->role == ROLE_VM)
		r->n_vms++;
	if (made->role == ROLE_VCPU && o)
		o->vcpus++;
}

static void choose(struct sim_report *r)
{
	for (uint32_t n = (uint32_t)r->objects.n; n > 0 && !r->vm; n--)
		if (known(r, n)->role == ROLE_VM && known(r, n)->vcpus)
			r->vm = n;
	for (uint32_t n = (uint32_t)r->objects.n; n > 0 && !r->vm; n--)
		if (known(r, n)->role == ROLE_VM)
			r->vm = n;
}

static int add_vcpus(struct sim_report *r)
{
	for (uint32_t n = 1; n <= r->objects.n; n++) {
		struct known *o = known(r, n);
		struct sim_vcpu *v;

		o->index = -1;
		if (o->role != ROLE_VCPU || o->vm != r->vm || !r->vm)
			continue;
		o->index = (int)r->vcpus.n;
		v = list_add(&r->vcpus, sizeof(*v));
		if (!v)
			return GCPU_ERR_MEMORY;
		v->object = n;
		v->id = o->id;
		v->ran = o->ran;
	}
	return 0;
}

static int set_table(struct sim_vcpu *v, const struct sim_event *e)
{
	const struct gk_cpuid2 *two = sim_event_bytes(e, 0);
	const struct gk_cpuid *one = sim_event_bytes(e, 0);
	bool old = e->request == GK_SET_CPUID;
	uint32_t n = e->n[0] >= sizeof(*two) ? two->nent : 0;

	v->has_table = true;
	list_free(&v->cpuid);
	for (uint32_t i = 0; i < n; i++) {
		struct gcpu_cpuid *to;

		if (sizeof(*two) + (i + 1) * (old ? sizeof(one->entries[0]) : sizeof(two->entries[0])) > e->n[0])
			break;
		to = list_add(&v->cpuid, sizeof(*to));
		if (!to)
			return GCPU_ERR_MEMORY;
		if (old)
			*to = (struct gcpu_cpuid){ one->entries[i].function, 0, 0,
				one->entries[i].eax, one->entries[i].ebx, one->entries[i].ecx, one->entries[i].edx };
		else
			*to = (struct gcpu_cpuid){ two->entries[i].function, two->entries[i].index, two->entries[i].flags,
				two->entries[i].eax, two->entries[i].ebx, two->entries[i].ecx, two->entries[i].edx };
	}
	return 0;
}

static int set_msrs(struct sim_vcpu *v, const struct sim_event *e)
{
	const struct gk_msrs *m = sim_event_bytes(e, 0);

	/* the result is how many were taken */
	for (int i = 0; i < e->result && sizeof(*m) + (size_t)(i + 1) * sizeof(m->entries[0]) <= e->n[0]; i++) {
		struct sim_msr *at = NULL;

		for (size_t k = 0; k < v->msrs.n && !at; k++)
			if (LIST_AT(&v->msrs, struct sim_msr, k)->index == m->entries[i].index)
				at = LIST_AT(&v->msrs, struct sim_msr, k);
		if (!at)
			at = list_add(&v->msrs, sizeof(*at));
		if (!at)
			return GCPU_ERR_MEMORY;
		*at = (struct sim_msr){ m->entries[i].index, m->entries[i].data };
	}
	return 0;
}

static int set_register(struct sim_vcpu *v, const struct sim_event *e)
{
	struct gk_one_reg reg;
	struct sim_reg *at = NULL;

	if (e->n[0] < sizeof(reg))
		return 0;
	memcpy(&reg, sim_event_bytes(e, 0), sizeof(reg));
	for (size_t k = 0; k < v->regs.n && !at; k++)
		if (LIST_AT(&v->regs, struct sim_reg, k)->id == reg.id)
			at = LIST_AT(&v->regs, struct sim_reg, k);
	if (!at)
		at = list_add(&v->regs, sizeof(*at));
	if (!at)
		return GCPU_ERR_MEMORY;
	memset(at, 0, sizeof(*at));
	at->id = reg.id;
	at->n_words = e->n[1] <= 8 ? 1 : e->n[1] <= sizeof(at->value) ? (e->n[1] + 7) / 8 : 32;
	memcpy(at->value, sim_event_bytes(e, 1), e->n[1] <= sizeof(at->value) ? e->n[1] : sizeof(at->value));
	return 0;
}

/* What a call that KVM took has left in the vCPU. */
static int take(struct sim_vcpu *v, const struct sim_event *e)
{
	struct gk_arm_vcpu_init init;

	switch (e->request) {
	case GK_SET_CPUID:
	case GK_SET_CPUID2:
		return set_table(v, e);
	case GK_SET_MSRS:
		return set_msrs(v, e);
	case GK_SET_ONE_REG:
		return set_register(v, e);
	case GK_ARM_VCPU_INIT:
		if (e->n[0] < sizeof(init))
			return 0;
		memcpy(&init, sim_event_bytes(e, 0), sizeof(init));
		v->has_init = true;
		v->target = init.target;
		memcpy(v->features, init.features, sizeof(v->features));
		return 0;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct sim_cap *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (x->vm != y->vm)
		return (int)x->vm - (int)y->vm;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* In their order, and of each what was answered last. */
static void settle_caps(struct sim_report *r)
{
	struct sim_cap *c = r->caps.items;
	size_t n = 0;

	if (r->caps.n)
		qsort(c, r->caps.n, sizeof(*c), by_number);
	for (size_t i = 0; i < r->caps.n; i++)
		if (i + 1 == r->caps.n || c[i].number != c[i + 1].number || c[i].vm != c[i + 1].vm)
			c[n++] = c[i];
	r->caps.n = r->caps_settled = n;
}

#define CAPS_FEW 512

/* A program may ask for millions: they are settled whenever there are twice as many. */
static int add_cap(struct sim_report *r, const struct sim_event *e)
{
	struct sim_cap *c;

	if (r->caps.n >= CAPS_FEW && r->caps.n / 2 >= r->caps_settled)
		settle_caps(r);
	c = list_add(&r->caps, sizeof(*c));
	if (!c)
		return GCPU_ERR_MEMORY;
	*c = (struct sim_cap){ (uint32_t)e->arg, e->role == ROLE_VM, e->result, r->asked++ };
	return 0;
}

static void see_irqchip(struct sim_report *r, const struct sim_event *e)
{
	struct gk_enable_cap cap;
	struct gk_create_device device;

	if (e->result < 0)
		return;
	if (e->request == GK_CREATE_IRQCHIP)
		r->irqchip = "kernel";
	if (e->request == GK_ENABLE_CAP && e->n[0] >= sizeof(cap)) {
		memcpy(&cap, sim_event_bytes(e, 0), sizeof(cap));
		if (cap.cap == CAP_SPLIT_IRQCHIP)
			r->irqchip = "split";
	}
	if (e->request == GK_CREATE_DEVICE && e->n[0] >= sizeof(device)) {
		memcpy(&device, sim_event_bytes(e, 0), sizeof(device));
		if (device.flags & GK_CREATE_DEVICE_TEST)
			return;
		if (device.type == GK_DEV_TYPE_ARM_VGIC_V3)
			r->irqchip = "v3";
		else if (device.type == GK_DEV_TYPE_ARM_VGIC_V2)
			r->irqchip = "v2";
	}
}

/* Of the VM that counts, its vCPUs and devices, or of no VM? */
static bool is_about(const struct sim_report *r, const struct sim_event *e)
{
	const struct known *o = known(r, e->object);

	if (e->kind == SIM_PERM)
		return true;
	if (e->kind != SIM_IOCTL || !o)
		return false;
	if (e->request == GK_CREATE_VM)
		return e->made == r->vm || e->result < 0;
	return o->role == ROLE_KVM || e->object == r->vm || (o->vm == r->vm && r->vm);
}

static int gather(struct sim_report *r, const struct sim_event *e)
{
	const struct known *o = known(r, e->object);
	int index = o && o->role == ROLE_VCPU ? o->index : -1, status = 0;
	struct sim_call *call, now;

	if (e->kind == SIM_IOCTL && e->request == GK_CHECK_EXTENSION)
		return add_cap(r, e);
	see_irqchip(r, e);
	if (index >= 0 && e->result >= 0)
		status = take(LIST_AT(&r->vcpus, struct sim_vcpu, index), e);
	if (status)
		return status;
	sim_call_of(e, index, &now);
	call = r->calls.n ? LIST_AT(&r->calls, struct sim_call, r->calls.n - 1) : NULL;
	if (call && sim_call_again(call, &now)) {
		call->times++;
		return 0;
	}
	call = list_add(&r->calls, sizeof(*call));
	if (!call)
		return GCPU_ERR_MEMORY;
	*call = now;
	return 0;
}

#define UNSEEN_MOST 64 /* different ones that are told */

static int add_unseen(struct sim_report *r, const struct sim_event *e)
{
	static const char *const words[] = {
		[INSPECT_STATIC] = "static", [INSPECT_FOREIGN] = "foreign", [INSPECT_RIGHTS] = "rights", [INSPECT_ALONE] = "alone" };
	const char *path = sim_event_bytes(e, 0);
	struct sim_unseen *u;

	if (e->arg >= sizeof(words) / sizeof(words[0]) || !words[e->arg] || !e->n[0] || !memchr(path, 0, e->n[0]))
		return 0;
	for (size_t i = 0; i < r->unseen.n; i++)
		if (strcmp(LIST_AT(&r->unseen, struct sim_unseen, i)->path, path) == 0)
			return 0;
	if (r->unseen.n >= UNSEEN_MOST)
		return 0;
	u = list_add(&r->unseen, sizeof(*u));
	if (!u)
		return GCPU_ERR_MEMORY;
	*u = (struct sim_unseen){ path, words[e->arg], e->result < 0 };
	return 0;
}

int sim_report_make(const struct sim_log *log, struct sim_report *ret, struct gcpu_error *err)
{
	const struct sim_event *e = NULL;
	uint64_t end = 0;
	int status = 0;

	memset(ret, 0, sizeof(*ret));
	ret->log = log;
	ret->irqchip = gcpu_arch_native() == GCPU_ARCH_X86 ? "user" : "none";
	for (uint32_t i = 0; i < atomic_load(&log->n_objects) && status == 0; i++)
		status = list_add(&ret->objects, sizeof(struct known)) ? 0 : GCPU_ERR_MEMORY;
	while (status == 0 && (e = sim_log_next(log, e)) != NULL) {
		meet(ret, e);
		if (e->kind == SIM_UNSEEN)
			status = add_unseen(ret, e);
		ret->opened |= e->kind == SIM_OPEN && e->result == 0;
		if (e->kind == SIM_OPEN && e->result < 0)
			ret->open_error = -e->result;
		end = (uint64_t)((const char *)e - (const char *)log) - log->events_at + e->size;
	}
	ret->opened |= ret->objects.n > 0;
	if (ret->opened)
		ret->open_error = 0;
	ret->complete = !atomic_load(&log->lost) && atomic_load(&log->stopped) != SIM_STOPPED_BUSY && end == atomic_load(&log->used);
	choose(ret);
	if (status == 0)
		status = add_vcpus(ret);
	while (status == 0 && (e = sim_log_next(log, e)) != NULL)
		status = is_about(ret, e) ? gather(ret, e) : 0;
	if (status) {
		sim_report_free(ret);
		return error_memory(err);
	}
	settle_caps(ret);
	return 0;
}

void sim_report_free(struct sim_report *r)
{
	for (size_t i = 0; i < r->vcpus.n; i++) {
		list_free(&LIST_AT(&r->vcpus, struct sim_vcpu, i)->cpuid);
		list_free(&LIST_AT(&r->vcpus, struct sim_vcpu, i)->msrs);
		list_free(&LIST_AT(&r->vcpus, struct sim_vcpu, i)->regs);
	}
	list_free(&r->vcpus);
	list_free(&r->caps);
	list_free(&r->calls);
	list_free(&r->unseen);
	list_free(&r->objects);
}
