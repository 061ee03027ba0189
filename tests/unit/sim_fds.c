/* SPDX-License-Identifier: MIT */
/* Which descriptors are KVM's: high numbers, copies, and what is left when all are closed. */
#include "unit.h"

#include "../../src/sim/fds.h"

static void high(void)
{
	static const int numbers[] = { 3, 65535, 65536, 70000, FDS_MOST - 1 };
	enum wrap_role role;
	uint32_t number;
	int backend;

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct object *o = fds_add(numbers[i], ROLE_KVM, i + 1, (int)i + 10, NULL, 0);

		CHECK(o && fds_find(numbers[i]) == o && fds_end() == numbers[i] + 1, "descriptor %d", numbers[i]);
		/* the copy is the last that is left */
		fds_dup(numbers[i], numbers[i] - 1, &backend);
		CHECK(backend == -1 && fds_find(numbers[i] - 1) == o, "a copy of %d", numbers[i]);
		CHECK(fds_close(numbers[i], &number, &role) == -1 && number == 0 && !fds_find(numbers[i]), "the first is closed");
		CHECK(fds_close(numbers[i] - 1, &number, &role) == (int)i + 10 && number == i + 1 && role == ROLE_KVM, "the copy is closed");
	}
	CHECK(!fds_add(FDS_MOST, ROLE_KVM, 9, -1, NULL, 0) && !fds_add(-1, ROLE_KVM, 9, -1, NULL, 0), "no such descriptors");
	CHECK(!fds_find(-1) && !fds_find(FDS_MOST) && fds_close(FDS_MOST, &number, &role) == -1 && number == 0, "nor are they found");
}

/* A vCPU holds its VM: another object does not get its place meanwhile. */
static void held(void)
{
	struct object *vm = fds_add(100, ROLE_VM, 1, 20, NULL, 0), *vcpu = fds_add(101, ROLE_VCPU, 2, 21, vm, 7), *other;
	enum wrap_role role;
	uint32_t number;

	CHECK(vm && vcpu && vcpu->vm == vm && atomic_load(&vm->vcpus) == 1, "made");
	CHECK(fds_close(100, &number, &role) == 20 && number == 1, "the VM's descriptor");
	other = fds_add(100, ROLE_VM, 3, 22, NULL, 0);
	CHECK(other && other != vm && vcpu->vm->number == 1, "another VM under its number");
	CHECK(fds_close(101, &number, &role) == 21 && number == 2 && role == ROLE_VCPU, "the vCPU");
	CHECK(fds_add(102, ROLE_KVM, 4, 23, NULL, 0) == vm, "its place is free");
}

int main(void)
{
	high();
	held();
	return unit_end();
}
