/* SPDX-License-Identifier: MIT */
/* What a case works on: descriptors, VMs, guests; all of it gone when the case is over. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

#define GUEST_MS 20000 /* a guest that has not answered by then never will, on emulated machines too */

static const char *why(int r)
{
	const char *name = errno_name(-r);

	return name ? name : strerror(-r);
}

int ask(struct conform *c, int fd, unsigned long request, const void *arg)
{
	return c->kvm->ops->ioctl(c->kvm->ctx, fd, request, (uintptr_t)arg);
}

int ask_number(struct conform *c, int fd, unsigned long request, unsigned long arg)
{
	return c->kvm->ops->ioctl(c->kvm->ctx, fd, request, arg);
}

int enable_cap(struct conform *c, int fd, unsigned cap, uint64_t arg)
{
	const struct gk_enable_cap e = { .cap = cap, .args = { arg } };

	return ask(c, fd, GK_ENABLE_CAP, &e);
}

int check_cap(struct conform *c, int fd, unsigned cap)
{
	return ask_number(c, fd, GK_CHECK_EXTENSION, cap);
}

void *case_memory(struct conform *c, size_t size)
{
	void *p = calloc(1, size);
	void **slot = p ? list_add(&c->memory, sizeof(void *)) : NULL;

	if (!slot) {
		free(p);
		broken(c, "out of memory");
		return NULL;
	}
	*slot = p;
	return p;
}

struct conform_vm *vm_new(struct conform *c)
{
	struct conform_vm *vm = calloc(1, sizeof(*vm)), **slot = vm ? list_add(&c->vms, sizeof(vm)) : NULL;

	if (!slot) {
		free(vm);
		broken(c, "out of memory");
		return NULL;
	}
	*slot = vm;
	vm->c = c;
	vm->device = -1;
	vm->fd = ask_number(c, c->kvm_fd, GK_CREATE_VM, 0);
	if (vm->fd < 0) {
		broken(c, "KVM_CREATE_VM: %s", why(vm->fd));
		return NULL;
	}
	return vm;
}

int vm_try_vcpu(struct conform_vm *vm, unsigned id)
{
	int fd;

	if (vm->n == CONFORM_VCPUS)
		return -E2BIG;
	fd = ask_number(vm->c, vm->fd, GK_CREATE_VCPU, id);
	if (fd < 0)
		return fd;
	vm->vcpu[vm->n] = fd;
	vm->id[vm->n] = id;
	return (int)vm->n++;
}

int vm_vcpu(struct conform_vm *vm, unsigned id)
{
	int r = vm_try_vcpu(vm, id);

	if (r < 0)
		broken(vm->c, "KVM_CREATE_VCPU %u: %s", id, why(r));
	return r;
}

void vm_close(struct conform_vm *vm)
{
	const struct gcpu_kvm *kvm = vm->c->kvm;

	run_guest_free(vm->guest);
	vm->guest = NULL;
	for (unsigned i = 0; i < vm->n; i++)
		kvm->ops->close(kvm->ctx, vm->vcpu[i]);
	vm->n = 0;
	if (vm->device >= 0)
		kvm->ops->close(kvm->ctx, vm->device);
	vm->device = -1;
	if (vm->fd >= 0)
		kvm->ops->close(kvm->ctx, vm->fd);
	vm->fd = -1;
}

struct run_guest *vm_guest(struct conform_vm *vm)
{
	struct gcpu_error err = { 0 };

	if (vm->c->no_guest) {
		skip(vm->c, "%s", vm->c->no_guest);
		return NULL;
	}
	if (!vm->guest &&
	    run_guest_new(vm->c->kvm, vm->c->kvm_fd, vm->fd, vm->vcpu, vm->id, vm->n, &vm->guest, &err))
		broken(vm->c, "no guest: %s", err.text);
	return vm->guest;
}

int vm_watch(struct conform_vm *vm, int (*take)(void *ctx, unsigned vcpu, struct gk_run *run), void *ctx)
{
	struct run_guest *g = vm_guest(vm);

	if (!g)
		return 1;
	run_guest_set_exit(g, take, ctx);
	return 0;
}

int guest_run(struct conform_vm *vm, unsigned vcpu, struct guest_op *ops, size_t n)
{
	struct run_guest *g = vm_guest(vm);
	struct gcpu_error err = { 0 };
	const struct guest_port *port;

	if (!g)
		return 1;
	port = run_guest_port(g);
	return port->run(port->ctx, vcpu, ops, n, GUEST_MS, &err) ? broken(vm->c, "%s", err.text) : 0;
}

void *guest_memory(struct conform_vm *vm, unsigned vcpu, uint64_t *ret_address)
{
	struct run_guest *g = vm_guest(vm);
	size_t size;

	return g ? run_guest_scratch(g, vcpu, ret_address, &size) : NULL;
}
