/* SPDX-License-Identifier: MIT */
/* The guest port, x86: an in-kernel APIC, CPUID as KVM supports it. */
#include "live_guest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/kvm/abi_x86.h"
#include "layout.h"

#define APIC 0xfee00000ULL
#define CR4_OSXSAVE (1ULL << 18)
#define IDT 0x18000ULL

static struct gk_cpuid2 *cpuid_new(void)
{
	struct gk_cpuid2 *c;

	c = calloc(1, sizeof(*c) + GK_CPUID_ENTRIES_MOST * sizeof(c->entries[0]));
	if (!c)
		abort();
	c->nent = GK_CPUID_ENTRIES_MOST;
	return c;
}

int arch_make(struct live *l)
{
	struct gk_cpuid2 *c;
	unsigned i, e;
	int r;

	l->vm_fd = live_ioctl(l, l->kvm_fd, GK_CREATE_VM, NULL);
	if (l->vm_fd < 0) {
		printf("SKIP: guest-port: no VM: %s\n", strerror(-l->vm_fd));
		return 77;
	}
	r = live_ioctl(l, l->vm_fd, GK_CREATE_IRQCHIP, NULL);
	CHECK(r >= 0, "KVM_CREATE_IRQCHIP: %d", r);
	c = cpuid_new();
	r = live_ioctl(l, l->kvm_fd, GK_GET_SUPPORTED_CPUID, c);
	CHECK(r >= 0, "KVM_GET_SUPPORTED_CPUID: %d", r);
	for (i = 0; i < N_VCPUS; i++) {
		l->vcpu_id[i] = i;
		l->vcpu_fd[i] = live_ioctl(l, l->vm_fd, GK_CREATE_VCPU, (void *)(uintptr_t)i);
		for (e = 0; e < c->nent; e++)
			if (c->entries[e].function == 1)
				c->entries[e].ebx = (c->entries[e].ebx & 0xffffff) | i << 24;
		r = live_ioctl(l, l->vcpu_fd[i], GK_SET_CPUID2, c);
		CHECK(r >= 0, "KVM_SET_CPUID2: %d", r);
	}
	free(c);
	return 0;
}

static void test_cpuid(struct live *l, unsigned vcpu)
{
	struct gk_cpuid2 *c = cpuid_new();
	struct guest_op ops[] = {
		{.code = GUEST_OP_CPUID, .arg = {0}},
		{.code = GUEST_OP_CPUID, .arg = {1}},
		{.code = GUEST_OP_CPUID, .arg = {0x40000000}},
		{.code = GUEST_OP_CPUID, .arg = {0x40000001}},
		{.code = GUEST_OP_CPUID, .arg = {7, 0}},
	};
	unsigned i, e, found = 0;
	int r;

	live_run(l, vcpu, ops, 5, 0, 0, NULL);
	r = live_ioctl(l, l->vcpu_fd[vcpu], GK_GET_CPUID2, c);
	CHECK(r >= 0, "KVM_GET_CPUID2: %d", r);
	for (i = 0; i < 5; i++) {
		CHECK(ops[i].status == GUEST_STATUS_DONE, "CPUID: %u", ops[i].status);
		for (e = 0; e < c->nent; e++) {
			const struct gk_cpuid_entry2 *k = &c->entries[e];

			if (k->function != ops[i].arg[0] || k->index != ops[i].arg[1])
				continue;
			found++;
			CHECK(k->eax == ops[i].res[0] && k->ebx == ops[i].res[1] &&
				      k->ecx == ops[i].res[2] && k->edx == ops[i].res[3],
			      "leaf %x: KVM says %x %x %x %x, guest %x %x %x %x", k->function, k->eax,
			      k->ebx, k->ecx, k->edx, (unsigned)ops[i].res[0], (unsigned)ops[i].res[1],
			      (unsigned)ops[i].res[2], (unsigned)ops[i].res[3]);
			break;
		}
	}
	CHECK(found >= 4, "only %u leaves to compare", found);
	free(c);
}

static void test_faults(struct live *l, unsigned vcpu)
{
	struct guest_op ops[] = {
		{.code = GUEST_OP_RDMSR, .arg = {0x12345}},
		{.code = GUEST_OP_WRMSR, .arg = {0x12345, 1}},
		{.code = GUEST_OP_XGETBV},
		{.code = GUEST_OP_LOAD, .arg = {0x8000000000000000, 8}},
		{.code = GUEST_OP_LOAD, .arg = {0x8000000000, 8}},
		{.code = GUEST_OP_MRS},
		{.code = GUEST_OP_RDCR, .arg = {1}},
		{.code = GUEST_OP_WRCR, .arg = {4, ~0ULL}},
		{.code = GUEST_OP_LOAD, .arg = {0xe0000000, 4}}, /* nobody's */
		{.code = GUEST_OP_RDMSR, .arg = {0x1b}},
	};
	/* a fault's vector, or 100 + the status */
	static const unsigned expected[] = {13, 13, 6, 13, 14, 103, 103, 13, 101, 101};
	unsigned i;

	live_run(l, vcpu, ops, 10, 0, 0, NULL);
	for (i = 0; i < 10; i++) {
		unsigned got = ops[i].status == GUEST_STATUS_FAULT ? (unsigned)ops[i].fault
								   : 100 + ops[i].status;
		/* The payload runs XGETBV at CPL 3, where a KVM without traps cannot refuse it. */
		if (i == 2 && got == 101) {
			printf("     XGETBV does not need CR4.OSXSAVE here\n");
			continue;
		}
		CHECK(got == expected[i], "operation %u: %u, expected %u", i, got, expected[i]);
	}
	CHECK(ops[8].res[0] == 0xffffffff, "open bus: %llx", (unsigned long long)ops[8].res[0]);
	CHECK((ops[9].res[0] & 0xfffff000) == APIC, "APIC base: %llx",
	      (unsigned long long)ops[9].res[0]);
}

static void test_cr(struct live *l, unsigned vcpu)
{
	struct guest_op ops[] = {
		{.code = GUEST_OP_RDCR, .arg = {4}},
		{.code = GUEST_OP_WRCR, .arg = {4, 0x20 | CR4_OSXSAVE}},
		{.code = GUEST_OP_RDCR, .arg = {4}},
		{.code = GUEST_OP_XGETBV, .arg = {0}},
		{.code = GUEST_OP_CPUID, .arg = {1}},
		{.code = GUEST_OP_WRCR, .arg = {4, 0x20}},
		{.code = GUEST_OP_WRCR, .arg = {8, 5}},
		{.code = GUEST_OP_RDCR, .arg = {8}},
		{.code = GUEST_OP_WRCR, .arg = {8, 0}},
		{.code = GUEST_OP_RDCR, .arg = {0}},
		{.code = GUEST_OP_RDCR, .arg = {3}},
	};
	unsigned i;

	live_run(l, vcpu, ops, 11, 0, 0, NULL);
	for (i = 0; i < 11; i++)
		CHECK(ops[i].status == GUEST_STATUS_DONE, "operation %u: status %u fault %u", i,
		      ops[i].status, (unsigned)ops[i].fault);
	CHECK(ops[0].res[0] == 0x20, "CR4 %llx", (unsigned long long)ops[0].res[0]);
	CHECK(ops[2].res[0] == (0x20 | CR4_OSXSAVE), "CR4 %llx", (unsigned long long)ops[2].res[0]);
	CHECK(ops[3].res[0] & 1, "XCR0 %llx", (unsigned long long)ops[3].res[0]);
	CHECK(ops[4].res[2] >> 27 & 1, "no OSXSAVE in CPUID");
	CHECK(ops[7].res[0] == 5, "CR8 %llx", (unsigned long long)ops[7].res[0]);
	CHECK(ops[9].res[0] == 0x80010033, "CR0 %llx", (unsigned long long)ops[9].res[0]);
	CHECK(ops[10].res[0] == 0x10000, "CR3 %llx", (unsigned long long)ops[10].res[0]);
}

/* The same as a plain load. That interrupts are on meanwhile shows where KVM awaits a page at CPL 0, in
 * the exercise of kvm-asyncpf-int: a KVM that interprets CPL 0 lets none in for so short a while. */
static void test_load_on(struct live *l, unsigned vcpu)
{
	struct guest_op ops[] = {
		{.code = GUEST_OP_LOAD, .arg = {APIC + 0x30, 4}}, /* its version */
		{.code = GUEST_OP_LOAD_ON, .arg = {APIC + 0x30, 4}},
		{.code = GUEST_OP_LOAD_ON, .arg = {0x8000000000, 8}},
	};

	live_run(l, vcpu, ops, 3, 0, 0, NULL);
	CHECK(ops[1].status == GUEST_STATUS_DONE && ops[1].res[0] && ops[1].res[0] == ops[0].res[0],
	      "status %u, 0x%llx, 0x%llx", ops[1].status, (unsigned long long)ops[0].res[0],
	      (unsigned long long)ops[1].res[0]);
	CHECK(ops[2].status == GUEST_STATUS_FAULT && ops[2].fault == 14, "status %u, fault %u", ops[2].status,
	      (unsigned)ops[2].fault);
}

static void test_hypercall(struct live *l, unsigned vcpu)
{
	uint32_t regs[4] = {0};
	struct guest_op ops[] = {
		{.code = GUEST_OP_RDCR, .arg = {0}},
		{.code = GUEST_OP_HYPERCALL, .arg = {99}},
	};
	struct gcpu_error err = {0};
	const struct guest_port *port = run_guest_port(l->guest);
	int r;

	l->kvm->ops->host_cpuid(l->kvm->ctx, 0, 0, regs);
	ops[1].arg[5] = regs[2] != 0x6c65746e; /* "ntel" */
	r = port->run(port->ctx, vcpu, ops, 2, 300, &err);
	if (r == GCPU_ERR_TIMEOUT)
		printf("     hypercall: %s\n", err.text);
	else
		printf("     hypercall: %lld, status %u, fault %u\n", (long long)ops[1].res[0],
		       ops[1].status, (unsigned)ops[1].fault);
	CHECK(r == GCPU_ERR_TIMEOUT || (!r && ops[1].res[0] == (uint64_t)-1000), "result %d: %s", r,
	      err.text);
	CHECK(ops[0].status == GUEST_STATUS_DONE, "the operation before: %u", ops[0].status);
	live_run(l, vcpu, ops, 1, 0, 0, NULL);
}

struct sleeper {
	struct live *l;
	struct guest_op ops[3];
	int done;
};

static void *sleep_on_one(void *arg)
{
	struct sleeper *s = arg;

	live_run(s->l, 1, s->ops, 3, 5000, 0, NULL);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* vCPU 1 halts, vCPU 0 sends it an interrupt, at the same time. Twice. */
static void test_halt(struct live *l)
{
	struct guest_op wake[] = {
		{.code = GUEST_OP_STORE, .arg = {APIC + 0xf0, 4, 0x1ff}},
		{.code = GUEST_OP_STORE, .arg = {APIC + 0x310, 4, 1U << 24}},
		{.code = GUEST_OP_STORE, .arg = {APIC + 0x300, 4, 0x4041}},
	};
	struct sleeper s = {
		.l = l,
		.ops = {{.code = GUEST_OP_STORE, .arg = {APIC + 0xf0, 4, 0x1ff}},
			{.code = GUEST_OP_HALT},
			{.code = GUEST_OP_HALT}},
	};
	unsigned i, sent = 0;
	pthread_t t;

	if (pthread_create(&t, NULL, sleep_on_one, &s))
		abort();
	while (!__atomic_load_n(&s.done, __ATOMIC_ACQUIRE) && sent < 5000) {
		live_run(l, 0, wake, 3, 1000, 0, NULL);
		sent++;
	}
	pthread_join(t, NULL);
	printf("     halt: woken by %u interrupts\n", sent);
	for (i = 1; i < 3; i++)
		CHECK(s.ops[i].status == GUEST_STATUS_DONE && s.ops[i].res[0] >= 1 &&
			      s.ops[i].res[1] == 0x41,
		      "HALT: status %u, %u interrupts, vector %x", s.ops[i].status,
		      (unsigned)s.ops[i].res[0], (unsigned)s.ops[i].res[1]);
}

#define CODE32 0x8000
#define DATA32 0x9000
#define LE32(x) (x) & 0xff, (x) >> 8 & 0xff, (x) >> 16 & 0xff, (x) >> 24

/* Four words: what only a 32-bit processor makes of 0x41, CR0, EBX, ESI. */
static const unsigned char code32[] = {
	0x31, 0xc9, 0x41,		   /* xor %ecx, %ecx; inc %ecx */
	0x89, 0x0d, LE32(DATA32),	   /* mov %ecx, DATA32 */
	0x0f, 0x20, 0xc0,		   /* mov %cr0, %eax */
	0xa3, LE32(DATA32 + 4),		   /* mov %eax, DATA32 + 4 */
	0x89, 0x1d, LE32(DATA32 + 8),	   /* mov %ebx, DATA32 + 8 */
	0x89, 0x35, LE32(DATA32 + 12),	   /* mov %esi, DATA32 + 12 */
	0xe6, GUEST_X86_PORT_DONE,	   /* out %al, $GUEST_X86_PORT_DONE */
	0xf4, 0xeb, 0xfd,		   /* 1: hlt; jmp 1b */
};

/* A 32-bit guest amid lists of operations, which go on in long mode. */
static void test_code32(struct live *l, unsigned vcpu)
{
	const struct guest_port *port = run_guest_port(l->guest);
	struct gk_x86_regs regs = {.rip = CODE32, .rbx = 0x11223344, .rsi = 0x55667788};
	struct guest_op op = {.code = GUEST_OP_RDCR, .arg = {0}};
	struct gk_x86_sregs sregs = {.cr0 = 0};
	struct gcpu_error err = {0};
	unsigned char *memory;
	uint64_t address;
	uint32_t seen[4];
	size_t size;
	int r;

	live_run(l, vcpu, &op, 1, 0, 0, NULL);
	memory = run_guest_scratch(l->guest, RUN_GUEST_SHARED, &address, &size);
	memory -= address - run_guest_base(l->guest);
	memcpy(memory + CODE32, code32, sizeof(code32));
	memset(memory + DATA32, 0, sizeof(seen));
	r = run_x86_start32(l->guest, vcpu, &regs, &err);
	if (!r)
		r = port->start(port->ctx, vcpu, NULL, 0, &err);
	CHECK(!r, "start: %d: %s", r, err.text);
	if (!r)
		CHECK(run_x86_start32(l->guest, vcpu, &regs, NULL) == GCPU_ERR_ARGUMENT, "amid its run");
	if (!r)
		r = port->finish(port->ctx, vcpu, NULL, 0, 2000, &err);
	CHECK(!r, "finish: %d: %s", r, err.text);
	memcpy(seen, memory + DATA32, sizeof(seen));
	CHECK(seen[0] == 1 && seen[2] == regs.rbx && seen[3] == regs.rsi, "%x %x %x", seen[0], seen[2], seen[3]);
	CHECK((seen[1] & 0x80000001) == 1, "CR0 %x", seen[1]);
	r = live_ioctl(l, l->vcpu_fd[vcpu], GK_GET_SREGS, &sregs);
	CHECK(!r && !sregs.efer && !sregs.cs.l && sregs.cs.db, "KVM_GET_SREGS %d: EFER %llx", r,
	      (unsigned long long)sregs.efer);
	live_run(l, vcpu, &op, 1, 0, 0, NULL);
	CHECK(op.res[0] == 0x80010033, "CR0 %llx", (unsigned long long)op.res[0]);
	CHECK(run_x86_start32(l->guest, N_VCPUS, &regs, NULL) == GCPU_ERR_ARGUMENT, "no such vCPU");
}

/* It has no IDT: an exception is its end, and not that of the next list. */
static void test_fault32(struct live *l, unsigned vcpu)
{
	const struct guest_port *port = run_guest_port(l->guest);
	struct gk_x86_regs regs = {.rip = CODE32};
	struct guest_op op = {.code = GUEST_OP_CPUID};
	struct gcpu_error err = {0};
	unsigned char *memory;
	uint64_t address;
	size_t size;
	int r;

	memory = run_guest_scratch(l->guest, RUN_GUEST_SHARED, &address, &size);
	memcpy(memory + CODE32 - (address - run_guest_base(l->guest)), "\x0f\x0b", 2); /* ud2 */
	r = run_x86_start32(l->guest, vcpu, &regs, &err);
	if (!r)
		r = port->start(port->ctx, vcpu, NULL, 0, &err);
	if (!r)
		r = port->finish(port->ctx, vcpu, NULL, 0, 2000, &err);
	printf("     32-bit guest, #UD: %s\n", err.text);
	CHECK(r == GCPU_ERR_KVM, "%d: %s", r, err.text);
	live_run(l, vcpu, &op, 1, 0, 0, NULL);
	CHECK(op.status == GUEST_STATUS_DONE, "status %u", op.status);
}

void arch_test(struct live *l)
{
	unsigned i;

	for (i = 0; i < N_VCPUS; i++) {
		test_cpuid(l, i);
		test_faults(l, i);
		test_cr(l, i);
		test_load_on(l, i);
		test_code32(l, i);
		test_fault32(l, i);
		test_hypercall(l, i);
	}
	test_halt(l);
}

/* No gates for #DF, #NP and #GP left: a triple fault. */
void arch_ruin(struct live *l)
{
	struct guest_op ops[] = {
		{.code = GUEST_OP_STORE, .arg = {IDT + 16 * 8, 8, 0}},
		{.code = GUEST_OP_STORE, .arg = {IDT + 16 * 11, 8, 0}},
		{.code = GUEST_OP_STORE, .arg = {IDT + 16 * 13, 8, 0}},
		{.code = GUEST_OP_RDMSR, .arg = {0x12345}},
	};
	struct gcpu_error err;

	live_run(l, 0, ops, 4, 1000, GCPU_ERR_KVM, &err);
	printf("     ruin: %s\n", err.text);
	CHECK(ops[2].status == GUEST_STATUS_DONE && ops[3].status == GUEST_STATUS_PENDING,
	      "results so far: %u %u", ops[2].status, ops[3].status);
	live_run(l, 0, ops, 1, 0, 0, NULL);
}
