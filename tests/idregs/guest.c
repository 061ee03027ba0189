/* SPDX-License-Identifier: MIT */
/* The guest of a VM of ours: the payload, on real KVM. */
#include "guest.h"
#include "idregs.h"

#define LIMIT_MS 20000

/* The GIC settled, the payload loaded; MRS of each register. */
int guest_mrs(struct lab *l, struct vm *vm, unsigned vcpu, const uint64_t *ids, uint64_t *values, size_t n)
{
	const unsigned all = vm->vcpu[1] >= 0 ? 2 : 1, number[VCPUS] = { 0, 1 };
	struct run_guest *g = NULL;
	struct gcpu_error err = { 0 };
	struct guest_op ops[64];
	int status = 0;

	if (vm->gic >= 0 && vm->p.state != PREDICT_RAN)
		status = run_arm64_gic_init(l->kvm, vm->gic, all, &err);
	if (status == 0)
		status = run_guest_new(l->kvm, l->kvm_fd, vm->vm, vm->vcpu, number, all, &g, &err);
	for (size_t at = 0; at < n && status == 0; at += 64) {
		size_t count = n - at < 64 ? n - at : 64;

		memset(ops, 0, sizeof(ops));
		for (size_t i = 0; i < count; i++) {
			ops[i].code = GUEST_OP_MRS;
			ops[i].arg[0] = ids[at + i] & GK_REG_ARM64_SYSREG_MASK;
		}
		status = run_guest_port(g)->run(run_guest_port(g)->ctx, vcpu, ops, count, LIMIT_MS, &err);
		for (size_t i = 0; i < count; i++)
			values[at + i] = ops[i].status == GUEST_STATUS_DONE ? ops[i].res[0] : ~0ULL;
	}
	if (status)
		printf("FAIL the guest: %s\n", err.text);
	run_guest_free(g);
	vm->p.state = PREDICT_RAN;
	return status ? -EIO : 0;
}
