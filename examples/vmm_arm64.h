/* SPDX-License-Identifier: MIT */
/* The guest of vmm.c, at EL1 without MMU. It reads ID registers: one that faults needs a handler. */
static int ask(void *ctx, const struct gcpu_question *q)
{
	/* An id of KVM ends in op0, op1, CRn, CRm, op2, packed as the instruction has them. */
	const uint32_t code[2] = { 0xd5200000 | (uint32_t)(q->id & 0xffff) << 5, /* mrs x0, REGISTER */
				   0xf9000020 };				 /* str x0, [x1]: back to us */
	struct vcpu *v = ctx;

	if ((q->id & 0xff80) != 0xc000 || v->n == QUESTIONS)
		return 0;
	memcpy(v->code + v->n * sizeof(code), code, sizeof(code));
	v->asked[v->n++] = *q;
	return 0;
}

static void set_core(int fd, uint64_t number, uint64_t value)
{
	struct kvm_one_reg reg = { KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | number, (uintptr_t)&value };

	call(fd, KVM_SET_ONE_REG, &reg, "KVM_SET_ONE_REG");
}

static void set_start(int fd, uint32_t address)
{
	set_core(fd, KVM_REG_ARM_CORE_REG(regs.pc), address);
	set_core(fd, KVM_REG_ARM_CORE_REG(regs.regs[1]), MOST * ROOM); /* behind the memory */
}

static void take_answer(const struct vcpu *v, const struct kvm_run *run, const struct gcpu_question *q)
{
	uint64_t seen;

	need(run->exit_reason == KVM_EXIT_MMIO && run->mmio.is_write, "guest", "stopped before its answer");
	memcpy(&seen, run->mmio.data, sizeof(seen));
	printf("  register 0x%llx: 0x%llx\n", (unsigned long long)q->id, (unsigned long long)seen);
	gcpu_view_guest_register(v->view, q->id, seen);
}
