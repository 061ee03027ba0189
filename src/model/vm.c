/* SPDX-License-Identifier: MIT */
/* What every architecture's KVM has: the system, VMs, vCPUs, devices. */
#include "sw.h"
#include "kvm/abi_more.h"

#include <stdlib.h>
#include <string.h>

void sw_caps_read(struct gcpu_model *m)
{
	const struct list *caps[2] = { &m->host->caps_system, &m->host->caps_vm };

	for (int vm = 0; vm < 2; vm++)
		for (size_t i = 0; i < caps[vm]->n; i++) {
			const struct snap_cap *c = LIST_AT(caps[vm], struct snap_cap, i);

			if (c->number < SW_CAPS)
				m->caps[vm][c->number] = c->value;
		}
}

int sw_cap(const struct gcpu_model *m, const struct sw_vm *vm, unsigned number)
{
	return number < SW_CAPS ? m->caps[vm != NULL][number] : 0;
}

/* The system. */

static int api_version(void *object, uintptr_t arg)
{
	(void)object;
	return arg ? -EINVAL : GK_API_VERSION;
}

static int check_extension(void *object, uintptr_t arg)
{
	struct gcpu_model *m = object;

	return arg > UINT32_MAX ? 0 : m->arch->capability(m, NULL, (unsigned)arg, sw_cap(m, NULL, (unsigned)arg));
}

static int mmap_size(void *object, uintptr_t arg)
{
	return arg ? -EINVAL : (int)((struct gcpu_model *)object)->arch->run_size;
}

static int create_vm(void *object, uintptr_t arg)
{
	struct gcpu_model *m = object;
	struct sw_vm *vm = calloc(1, sizeof(*vm));
	int fd;

	if (!vm)
		return -ENOMEM;
	vm->model = m;
	vm->type = arg;
	vm->holders = 1;
	fd = m->arch->vm_new(vm);
	if (fd == 0)
		fd = sw_fd_new(m, SW_VM, vm);
	if (fd < 0)
		sw_vm_release(vm);
	return fd;
}

const struct sw_call sw_system_calls[] = {
	{ GK_GET_API_VERSION, api_version },
	{ GK_CHECK_EXTENSION, check_extension },
	{ GK_GET_VCPU_MMAP_SIZE, mmap_size },
	{ GK_CREATE_VM, create_vm },
	{ 0, NULL },
};

/* VMs. */

static int check_extension_vm(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct gcpu_model *m = vm->model;

	return arg > UINT32_MAX ? 0 : m->arch->capability(m, vm, (unsigned)arg, sw_cap(m, vm, (unsigned)arg));
}

static struct sw_vcpu *by_id(const struct sw_vm *vm, uint64_t id)
{
	return id < vm->n_by_id ? vm->by_id[id] : NULL;
}

/* Twice the room, if it does not suffice. */
static int grow(struct sw_vcpu ***at, unsigned *room, unsigned need)
{
	unsigned more = *room ? *room : 4;
	struct sw_vcpu **to;

	if (need <= *room)
		return 0;
	while (more < need)
		more *= 2;
	to = realloc(*at, more * sizeof(struct sw_vcpu *));
	if (!to)
		return -ENOMEM;
	memset(to + *room, 0, (more - *room) * sizeof(struct sw_vcpu *));
	*at = to;
	*room = more;
	return 0;
}

static int vcpu_new(struct sw_vm *vm, unsigned id, struct sw_vcpu **ret)
{
	struct sw_vcpu *v;
	int status = grow(&vm->by_id, &vm->n_by_id, id + 1);

	if (status == 0)
		status = grow(&vm->vcpus, &vm->room_vcpus, vm->n_vcpus + 1);
	v = status ? NULL : calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->vm = vm;
	v->id = id;
	v->index = vm->n_vcpus;
	v->open = true;
	status = vm->model->arch->vcpu_new(v);
	if (status) {
		vm->model->arch->vcpu_free(v);
		free(v);
		return status;
	}
	*ret = v;
	return 0;
}

/* Many times what any KVM has: a snapshot may say anything, and there is a place for each id. */
#define MOST_IDS (1 << 16)

static int create_vcpu(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct gcpu_model *m = vm->model;
	struct sw_vcpu *v;
	int most = sw_cap(m, vm, CAP_MAX_VCPU_ID), number = sw_cap(m, vm, CAP_MAX_VCPUS), status, fd;

	if (!sw_behaves(m, BEHAVIOUR_VCPU_ID_WIDE))
		arg = (uint32_t)arg;
	/* The system's limit, then the VM's number of vCPUs, then what the architecture has to
	 * say, then the ids in use: the order in which KVM looks. */
	if (most <= 0)
		most = number;
	if (number <= 0 || vm->n_vcpus >= (unsigned)number || arg >= (uintptr_t)(most < MOST_IDS ? most : MOST_IDS))
		return -EINVAL;
	status = m->arch->vcpu_allowed ? m->arch->vcpu_allowed(vm, (unsigned)arg) : 0;
	if (status)
		return status;
	if (by_id(vm, arg))
		return -EEXIST;
	status = vcpu_new(vm, (unsigned)arg, &v);
	if (status)
		return status;
	fd = sw_fd_new(m, SW_VCPU, v);
	if (fd < 0) {
		m->arch->vcpu_free(v);
		free(v);
		return fd;
	}
	vm->by_id[v->id] = v;
	vm->vcpus[vm->n_vcpus++] = v;
	vm->holders++;
	m->perm_locked = true;
	return fd;
}

#define RING_LEAST 4096U /* a page */

static int enable_ring(struct sw_vm *vm, const struct gk_enable_cap *cap)
{
	uint32_t size = (uint32_t)cap->args[0], most = (uint32_t)sw_cap(vm->model, vm, cap->cap);

	if (!most || size < RING_LEAST || (size & (size - 1)))
		return -EINVAL;
	if (size > most)
		return -E2BIG;
	if (vm->ring || vm->n_vcpus)
		return -EINVAL;
	vm->ring = size;
	return 0;
}

/* No guest writes a page but by our hand, and then nothing is told of it. */
static int reset_rings(void *object, uintptr_t arg)
{
	(void)arg;
	return ((struct sw_vm *)object)->ring ? 0 : -EINVAL;
}

static int enable_cap_vm(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct gk_enable_cap cap;

	if (sw_copy_in(&cap, arg, sizeof(cap)))
		return -EFAULT;
	if (cap.cap == CAP_HALT_POLL && !cap.flags)
		return cap.args[0] > UINT32_MAX ? -EINVAL : 0;
	if (cap.flags)
		return -EINVAL;
	if (cap.cap == CAP_DIRTY_LOG_RING || cap.cap == CAP_DIRTY_LOG_RING_ACQ_REL)
		return enable_ring(vm, &cap);
	return vm->model->arch->enable_vm(vm, &cap);
}

static int create_device(void *object, uintptr_t arg)
{
	struct sw_vm *vm = object;
	struct gk_create_device d;
	struct sw_device *made;
	int fd;

	if (sw_copy_in(&d, arg, sizeof(d)))
		return -EFAULT;
	fd = vm->model->arch->device_allowed ? vm->model->arch->device_allowed(vm, d.type, d.flags) : -ENODEV;
	if (fd || (d.flags & GK_CREATE_DEVICE_TEST))
		return fd;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->vm = vm;
	made->type = d.type;
	fd = sw_fd_new(vm->model, SW_DEVICE, made);
	if (fd < 0) {
		free(made);
		return fd;
	}
	vm->holders++;
	if (vm->model->arch->device_made)
		vm->model->arch->device_made(made);
	d.fd = (uint32_t)fd;
	return sw_copy_out(arg, &d, sizeof(d));
}

void sw_device_free(struct sw_device *d)
{
	sw_blobs_free(&d->blobs);
	sw_vm_release(d->vm);
	free(d);
}

void sw_vm_release(struct sw_vm *vm)
{
	if (--vm->holders)
		return;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct sw_vcpu *v = vm->vcpus[i];

		vm->model->arch->vcpu_free(v);
		sw_blobs_free(&v->blobs);
		sw_run_free(v);
		free(v);
	}
	vm->model->arch->vm_free(vm);
	sw_blobs_free(&vm->blobs);
	list_free(&vm->slots);
	list_free(&vm->places);
	free(vm->vcpus);
	free(vm->by_id);
	free(vm);
}

/* Nothing is collected: the guest has no device. */
static int coalesced(void *vm, uintptr_t arg)
{
	struct gk_coalesced_zone z;

	(void)vm;
	if (sw_copy_in(&z, arg, sizeof(z)))
		return -EFAULT;
	return z.pio > 1 ? -EINVAL : 0;
}

const struct sw_call sw_vm_calls[] = {
	{ GK_CHECK_EXTENSION, check_extension_vm },
	{ GK_CREATE_VCPU, create_vcpu },
	{ GK_ENABLE_CAP, enable_cap_vm },
	{ GK_SET_USER_MEMORY_REGION, sw_set_slot },
	{ GK_CREATE_DEVICE, create_device },
	{ GK_RESET_DIRTY_RINGS, reset_rings },
	{ GK_GET_DIRTY_LOG, sw_dirty_log },
	{ GK_SET_USER_MEMORY_REGION2, sw_set_slot2 },
	{ GK_IOEVENTFD, sw_ioeventfd },
	{ GK_REGISTER_COALESCED_MMIO, coalesced },
	{ GK_UNREGISTER_COALESCED_MMIO, coalesced },
	{ GK_CLEAR_DIRTY_LOG, sw_clear_dirty_log },
	{ 0, NULL },
};

/* vCPUs. */

static int enable_cap_vcpu(void *object, uintptr_t arg)
{
	struct sw_vcpu *v = object;
	struct gk_enable_cap cap;

	if (sw_copy_in(&cap, arg, sizeof(cap)))
		return -EFAULT;
	return cap.flags ? -EINVAL : v->vm->model->arch->enable_vcpu(v, &cap);
}

#define SIGSET_SIZE 8U /* the kernel's, not libc's */

/* Signals that end a run: none comes to the model. No mask: none any more. */
static int set_signal_mask(void *vcpu, uintptr_t arg)
{
	struct gk_signal_mask mask;

	(void)vcpu;
	if (!arg)
		return 0;
	if (sw_copy_in(&mask, arg, sizeof(mask)))
		return -EFAULT;
	if (mask.len != SIGSET_SIZE)
		return -EINVAL;
	return sw_bad_pointer(arg + sizeof(mask), mask.len) ? -EFAULT : 0;
}

const struct sw_call sw_vcpu_calls[] = {
	{ GK_RUN, sw_run },
	{ GK_SET_SIGNAL_MASK, set_signal_mask },
	{ GK_ENABLE_CAP, enable_cap_vcpu },
	{ 0, NULL },
};
