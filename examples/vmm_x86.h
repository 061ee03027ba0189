/* SPDX-License-Identifier: MIT */
/* The guest of vmm.c, in real mode. It does not read MSRs: one that faults would need a handler. */
static int ask(void *ctx, const struct gcpu_question *q)
{
	unsigned char code[] = { 0x66, 0xb8, 0, 0, 0, 0, /* mov $leaf, %eax */
				 0x66, 0xb9, 0, 0, 0, 0, /* mov $subleaf, %ecx */
				 0x0f, 0xa2,		 /* cpuid */
				 0xe6, 0x10 };		 /* out %al, $0x10: back to us */
	struct vcpu *v = ctx;

	if (q->kind != GCPU_ASK_CPUID || v->n == QUESTIONS)
		return 0;
	memcpy(code + 2, &q->leaf, 4);
	memcpy(code + 8, &q->subleaf, 4);
	memcpy(v->code + v->n * sizeof(code), code, sizeof(code));
	v->asked[v->n++] = *q;
	return 0;
}

static void set_start(int fd, uint32_t address)
{
	struct kvm_regs regs = { .rip = 0, .rflags = 2 };
	struct kvm_sregs sregs = { .cr0 = 0 };

	call(fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs.base = address;
	sregs.cs.selector = (uint16_t)(address >> 4);
	call(fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	call(fd, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

static void take_answer(const struct vcpu *v, const struct kvm_run *run, const struct gcpu_question *q)
{
	struct kvm_regs r = { .rax = 0 };

	need(run->exit_reason == KVM_EXIT_IO, "guest", "stopped before its answer");
	call(v->fd, KVM_GET_REGS, &r, "KVM_GET_REGS");
	const uint32_t seen[4] = { (uint32_t)r.rax, (uint32_t)r.rbx, (uint32_t)r.rcx, (uint32_t)r.rdx };

	printf("  CPUID 0x%x 0x%x: %08x %08x %08x %08x\n", q->leaf, q->subleaf, seen[0], seen[1], seen[2], seen[3]);
	gcpu_view_guest_cpuid(v->view, q->leaf, q->subleaf, seen);
}
