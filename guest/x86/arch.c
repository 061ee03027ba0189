/* SPDX-License-Identifier: MIT */
/* The operations of x86-64. */
#include "interp.h"
#include "pvclock.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_EXTD (1U << 10)
#define APIC_BASE_ENABLE (1U << 11)
#define APIC_EOI 0xb0
#define MSR_X2APIC_EOI 0x80b

/* start.S */
uint64_t guest_xgetbv(uint32_t index);
void guest_halt(void);
uint64_t guest_user_load(uint64_t address);
uint64_t guest_hypercall32(struct guest_op *op);
/* Called from there. */
void guest_interrupt(struct guest_area *area, uint64_t vector);
int guest_page_missing(struct guest_area *area);

static uint64_t rdmsr(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index));
	return (uint64_t)hi << 32 | lo;
}

static void wrmsr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* Clear bit 0 of the PV EOI word in one instruction; what it was. */
static int take_eoi(uint64_t word)
{
	char was;

	__asm__ volatile("lock btrl $0, %0; setc %1"
			 : "+m"(*(volatile uint32_t *)word), "=q"(was)
			 :
			 : "cc", "memory");
	return was;
}

/* Page ready: the token is in the second word; 0 gives the area back. */
static void page_ready(struct guest_area *area)
{
	volatile uint32_t *data = (volatile uint32_t *)area->apf_data;
	uint32_t token = data[1];

	/* all ones wake whoever waits, and are no page */
	if (token && token != 0xffffffff)
		area->apf_ready = token;
	data[1] = 0;
	wrmsr((uint32_t)area->apf_ack, 1);
}

/*
 * A #PF: not 0 if KVM sent it for a page that is not there yet. Other work is
 * done, which here is counting, until the page is ready; then the access is
 * made once more.
 */
int guest_page_missing(struct guest_area *area)
{
	volatile struct guest_area *a = area;
	volatile uint32_t *data = (volatile uint32_t *)area->apf_data;
	uint64_t token, start;

	if (!data || !(data[0] & 1))
		return 0;
	__asm__ volatile("mov %%cr2, %0" : "=r"(token));
	data[0] = 0;
	a->apf_missed++;
	a->apf_token = token;
	start = rdtsc();
	__asm__ volatile("sti" ::: "memory");
	while (a->apf_ready != token && rdtsc() - start < a->apf_cycles)
		a->apf_rounds++;
	__asm__ volatile("cli" ::: "memory");
	return 1;
}

void guest_interrupt(struct guest_area *area, uint64_t vector)
{
	uint64_t base;

	area->interrupts++;
	area->vector = vector;
	if (area->apf_data && vector == area->apf_vector)
		page_ready(area);
	/* Before anything that exits: then KVM takes its offer back. */
	if (area->eoi_word && take_eoi(area->eoi_word)) {
		area->eoi_skipped++;
		return;
	}
	area->eoi_written++;
	base = rdmsr(MSR_APIC_BASE);
	/* Without an EOI there would be no second one. */
	if ((base & APIC_BASE_ENABLE) && (base & APIC_BASE_EXTD))
		wrmsr(MSR_X2APIC_EOI, 0);
	else if (base & APIC_BASE_ENABLE)
		guest_arch_store((base & 0xfffff000) + APIC_EOI, 4, 0);
}

static void op_cpuid(struct guest_op *op)
{
	uint32_t a = (uint32_t)op->arg[0], c = (uint32_t)op->arg[1], b, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	op->res[0] = a;
	op->res[1] = b;
	op->res[2] = c;
	op->res[3] = d;
}

static void op_hypercall(struct guest_op *op)
{
	uint64_t a = op->arg[0];

	/* Both are three bytes long: KVM may patch one into the other. */
	if (op->arg[5])
		__asm__ volatile("vmmcall"
				 : "+a"(a)
				 : "b"(op->arg[1]), "c"(op->arg[2]), "d"(op->arg[3]), "S"(op->arg[4])
				 : "memory");
	else
		__asm__ volatile("vmcall"
				 : "+a"(a)
				 : "b"(op->arg[1]), "c"(op->arg[2]), "d"(op->arg[3]), "S"(op->arg[4])
				 : "memory");
	op->res[0] = a;
}

static void op_halt(struct guest_op *op, volatile struct guest_area *area)
{
	uint64_t before = area->interrupts;

	guest_halt();
	op->res[0] = area->interrupts - before;
	op->res[1] = area->vector;
}

static void op_spin(struct guest_op *op)
{
	const volatile uint32_t *word = (const volatile uint32_t *)op->arg[1];
	uint64_t start = rdtsc(), rounds = 0;

	__asm__ volatile("sti" ::: "memory");
	while (rdtsc() - start < op->arg[0] && !(word && *word == (uint32_t)op->arg[2]))
		rounds++;
	__asm__ volatile("cli" ::: "memory");
	op->res[0] = rounds;
	op->res[1] = word && *word == (uint32_t)op->arg[2];
	op->res[2] = rdtsc() - start;
}

static void op_swap(struct guest_op *op)
{
	volatile uint8_t *byte = (volatile uint8_t *)op->arg[0];
	uint64_t start = rdtsc();
	uint8_t old;

	do {
		old = (uint8_t)op->arg[1];
		if (__atomic_compare_exchange_n(byte, &old, (uint8_t)op->arg[2], 0, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			op->res[0] = 1;
	} while (!op->res[0] && rdtsc() - start < op->arg[3]);
	op->res[1] = old;
}

static uint64_t clock_read(const volatile struct pvclock *p)
{
	uint64_t time;
	uint32_t version;

	do {
		version = p->version & ~1U;
		__asm__ volatile("lfence" ::: "memory");
		time = pvclock_at(p, rdtsc());
		__asm__ volatile("lfence" ::: "memory");
	} while (p->version != version);
	return time;
}

/* Beside it stand the lock and the last time that any vCPU read. */
static void op_clock(struct guest_op *op)
{
	volatile uint32_t *lock = (volatile uint32_t *)op->arg[1];
	volatile uint64_t *last = (volatile uint64_t *)(op->arg[1] + 8);
	uint64_t start = rdtsc(), now, end = op->arg[2];

	while (rdtsc() - start < end) {
		if (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) {
			__asm__ volatile("pause");
			continue;
		}
		now = clock_read((const volatile struct pvclock *)op->arg[0]);
		op->res[0]++;
		if (now < *last) {
			op->res[1]++;
			if (*last - now > op->res[2])
				op->res[2] = *last - now;
		} else {
			*last = now;
		}
		__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
	}
}

static void op_apf_data(const struct guest_op *op, struct guest_area *area)
{
	area->apf_vector = op->arg[1];
	area->apf_ack = op->arg[2];
	area->apf_cycles = op->arg[3];
	area->apf_data = op->arg[0];
}

static void op_apf_seen(struct guest_op *op, const struct guest_area *area)
{
	op->res[0] = area->apf_missed;
	op->res[1] = area->apf_token;
	op->res[2] = area->apf_rounds;
	op->res[3] = area->apf_ready;
}

static void op_interrupts(struct guest_op *op, const struct guest_area *area)
{
	op->res[0] = area->interrupts;
	op->res[1] = area->vector;
	op->res[2] = area->eoi_skipped;
	op->res[3] = area->eoi_written;
}

static int op_rdcr(struct guest_op *op)
{
	uint64_t v;

	switch (op->arg[0]) {
	case 0:
		__asm__ volatile("mov %%cr0, %0" : "=r"(v));
		break;
	case 2:
		__asm__ volatile("mov %%cr2, %0" : "=r"(v));
		break;
	case 3:
		__asm__ volatile("mov %%cr3, %0" : "=r"(v));
		break;
	case 4:
		__asm__ volatile("mov %%cr4, %0" : "=r"(v));
		break;
	case 8:
		__asm__ volatile("mov %%cr8, %0" : "=r"(v));
		break;
	default:
		return 0;
	}
	op->res[0] = v;
	return 1;
}

static int op_wrcr(struct guest_op *op)
{
	uint64_t v = op->arg[1];

	switch (op->arg[0]) {
	case 0:
		__asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
		return 1;
	case 4:
		__asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
		return 1;
	case 8:
		__asm__ volatile("mov %0, %%cr8" : : "r"(v) : "memory");
		return 1;
	default:
		return 0;
	}
}

/* STI takes effect after the next instruction, which is not to be the load. */
static void op_load_on(struct guest_op *op)
{
	__asm__ volatile("sti; nop" ::: "memory");
	op->res[0] = guest_arch_load(op->arg[0], (unsigned)op->arg[1]);
	__asm__ volatile("cli" ::: "memory");
}

/* Where timing matters: what a list of single operations is too slow for. */
static int native_op(struct guest_op *op, struct guest_area *area)
{
	switch (op->code) {
	case GUEST_OP_HALT_OFF:
		__asm__ volatile("hlt" ::: "memory");
		return 1;
	case GUEST_OP_RDTSC:
		op->res[0] = rdtsc();
		return 1;
	case GUEST_OP_SPIN:
		op_spin(op);
		return 1;
	case GUEST_OP_SWAP:
		op_swap(op);
		return 1;
	case GUEST_OP_CLOCK:
		op_clock(op);
		return 1;
	case GUEST_OP_USER_LOAD:
		op->res[0] = guest_user_load(op->arg[0]);
		return 1;
	case GUEST_OP_LOAD_ON:
		op_load_on(op);
		return 1;
	case GUEST_OP_HYPERCALL32:
		op->res[0] = guest_hypercall32(op);
		return 1;
	case GUEST_OP_EOI_WORD:
		area->eoi_word = op->arg[0];
		return 1;
	case GUEST_OP_APF_DATA:
		op_apf_data(op, area);
		return 1;
	case GUEST_OP_APF_SEEN:
		op_apf_seen(op, area);
		return 1;
	case GUEST_OP_INTERRUPTS:
		op_interrupts(op, area);
		return 1;
	default:
		return 0;
	}
}

int guest_arch_op(struct guest_op *op, struct guest_area *area)
{
	switch (op->code) {
	case GUEST_OP_CPUID:
		op_cpuid(op);
		return 1;
	case GUEST_OP_RDMSR:
		op->res[0] = rdmsr((uint32_t)op->arg[0]);
		return 1;
	case GUEST_OP_WRMSR:
		wrmsr((uint32_t)op->arg[0], op->arg[1]);
		return 1;
	case GUEST_OP_HYPERCALL:
		op_hypercall(op);
		return 1;
	case GUEST_OP_HALT:
		op_halt(op, area);
		return 1;
	case GUEST_OP_XGETBV:
		op->res[0] = guest_xgetbv((uint32_t)op->arg[0]);
		return 1;
	case GUEST_OP_RDCR:
		return op_rdcr(op);
	case GUEST_OP_WRCR:
		return op_wrcr(op);
	default:
		return native_op(op, area);
	}
}

uint64_t guest_arch_load(uint64_t address, unsigned size)
{
	switch (size) {
	case 1:
		return *(volatile uint8_t *)address;
	case 2:
		return *(volatile uint16_t *)address;
	case 4:
		return *(volatile uint32_t *)address;
	default:
		return *(volatile uint64_t *)address;
	}
}

void guest_arch_store(uint64_t address, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)address = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)address = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)address = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)address = value;
		break;
	}
}

void guest_arch_done(void)
{
	__asm__ volatile("outb %%al, %0" : : "i"(GUEST_X86_PORT_DONE) : "memory");
}
