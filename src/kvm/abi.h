/* SPDX-License-Identifier: MIT */
/*
 * KVM's binary interface, the part common to all architectures.
 *
 * Why not <linux/kvm.h>: the system's header knows one architecture only and
 * may be years older than the kernel underneath, and this library handles the
 * tables of x86 and arm64 on either. So the numbers are written down here.
 * The rule for names: KVM_FOO is GK_FOO, struct kvm_foo is struct gk_foo with
 * the same fields. tests/unit/abi_uapi.c compares them with the system's.
 *
 * Capability numbers are not here: they are facts, see data/kvm/caps.txt.
 */
#ifndef GCPU_KVM_ABI_H
#define GCPU_KVM_ABI_H

#include <stdint.h>

/* What KVM_GET_API_VERSION must answer. */
#define GK_API_VERSION 12

/* System file descriptor. */
#define GK_GET_API_VERSION 0xAE00UL
#define GK_CREATE_VM 0xAE01UL
#define GK_CHECK_EXTENSION 0xAE03UL /* a VM file descriptor as well */
#define GK_GET_VCPU_MMAP_SIZE 0xAE04UL

/* VM file descriptor. */
#define GK_CREATE_VCPU 0xAE41UL
#define GK_SET_USER_MEMORY_REGION 0x4020AE46UL
#define GK_CREATE_IRQCHIP 0xAE60UL
#define GK_IRQ_LINE 0x4008AE61UL
#define GK_SET_GSI_ROUTING 0x4008AE6AUL
#define GK_IRQFD 0x4020AE76UL
#define GK_SIGNAL_MSI 0x4020AEA5UL
#define GK_CREATE_DEVICE 0xC00CAEE0UL

/* vCPU file descriptor. */
#define GK_RUN 0xAE80UL
#define GK_GET_MP_STATE 0x8004AE98UL
#define GK_SET_MP_STATE 0x4004AE99UL
#define GK_GET_ONE_REG 0x4010AEABUL
#define GK_SET_ONE_REG 0x4010AEACUL
#define GK_GET_REG_LIST 0xC008AEB0UL

/* More than one kind of file descriptor. */
#define GK_ENABLE_CAP 0x4068AEA3UL      /* VM or vCPU, by capability */
#define GK_GET_STATS_FD 0xAECEUL        /* VM or vCPU */
#define GK_SET_DEVICE_ATTR 0x4018AEE1UL /* system, VM, vCPU or device */
#define GK_GET_DEVICE_ATTR 0x4018AEE2UL
#define GK_HAS_DEVICE_ATTR 0x4018AEE3UL

struct gk_enable_cap {
	uint32_t cap;
	uint32_t flags; /* must be 0 */
	uint64_t args[4];
	uint8_t pad[64];
};

#define GK_MEM_LOG_DIRTY_PAGES (1U << 0)
#define GK_DIRTY_LOG_PAGE_OFFSET 64 /* page of a vCPU's mapping at which its ring of dirty pages begins */
#define GK_MEM_READONLY (1U << 1)

struct gk_userspace_memory_region {
	uint32_t slot;
	uint32_t flags;
	uint64_t guest_phys_addr;
	uint64_t memory_size; /* bytes, 0 deletes the slot */
	uint64_t userspace_addr;
};

struct gk_irq_level {
	uint32_t irq;
	uint32_t level;
};

struct gk_msi {
	uint32_t address_lo;
	uint32_t address_hi;
	uint32_t data;
	uint32_t flags;
	uint32_t devid;
	uint8_t pad[12];
};

#define GK_IRQ_ROUTING_IRQCHIP 1
#define GK_IRQ_ROUTING_MSI 2

struct gk_irq_routing_entry {
	uint32_t gsi;
	uint32_t type;
	uint32_t flags;
	uint32_t pad;
	union {
		struct {
			uint32_t irqchip;
			uint32_t pin;
		} irqchip;
		struct {
			uint32_t address_lo;
			uint32_t address_hi;
			uint32_t data;
			uint32_t devid;
		} msi;
		uint32_t pad[8];
	} u;
};

/* The entries follow, all that there are: what was set before is gone. */
struct gk_irq_routing {
	uint32_t nr;
	uint32_t flags;
	struct gk_irq_routing_entry entries[];
};

#define GK_IRQFD_FLAG_DEASSIGN (1U << 0)
#define GK_IRQFD_FLAG_RESAMPLE (1U << 1)

struct gk_irqfd {
	uint32_t fd;
	uint32_t gsi;
	uint32_t flags;
	uint32_t resamplefd;
	uint8_t pad[16];
};

struct gk_one_reg {
	uint64_t id;
	uint64_t addr;
};

struct gk_reg_list {
	uint64_t n;
	uint64_t reg[];
};

/* The top of a ONE_REG id says whose it is, the next nibble how long. */
#define GK_REG_ARCH_MASK 0xff00000000000000ULL
#define GK_REG_X86 0x2000000000000000ULL
#define GK_REG_ARM64 0x6000000000000000ULL
#define GK_REG_SIZE_SHIFT 52
#define GK_REG_SIZE_MASK 0x00f0000000000000ULL
#define GK_REG_SIZE_U8 0x0000000000000000ULL
#define GK_REG_SIZE_U16 0x0010000000000000ULL
#define GK_REG_SIZE_U32 0x0020000000000000ULL
#define GK_REG_SIZE_U64 0x0030000000000000ULL
#define GK_REG_SIZE_U128 0x0040000000000000ULL
#define GK_REG_SIZE_U256 0x0050000000000000ULL
#define GK_REG_SIZE_U512 0x0060000000000000ULL
#define GK_REG_SIZE_U1024 0x0070000000000000ULL
#define GK_REG_SIZE_U2048 0x0080000000000000ULL

struct gk_mp_state {
	uint32_t mp_state;
};

#define GK_MP_STATE_RUNNABLE 0
#define GK_MP_STATE_UNINITIALIZED 1
#define GK_MP_STATE_INIT_RECEIVED 2
#define GK_MP_STATE_HALTED 3
#define GK_MP_STATE_SIPI_RECEIVED 4
#define GK_MP_STATE_STOPPED 5
#define GK_MP_STATE_AP_RESET_HOLD 9
#define GK_MP_STATE_SUSPENDED 10

#define GK_CREATE_DEVICE_TEST 1U

struct gk_create_device {
	uint32_t type;
	uint32_t fd; /* out */
	uint32_t flags;
};

struct gk_device_attr {
	uint32_t flags;
	uint32_t group;
	uint64_t attr;
	uint64_t addr; /* of the value, in this process */
};

#define GK_DEV_TYPE_VFIO 4
#define GK_DEV_TYPE_ARM_VGIC_V2 5
#define GK_DEV_TYPE_ARM_VGIC_V3 7
#define GK_DEV_TYPE_ARM_VGIC_ITS 8

/* What the descriptor of KVM_GET_STATS_FD reads as. */
struct gk_stats_header {
	uint32_t flags;
	uint32_t name_size;
	uint32_t num_desc;
	uint32_t id_offset;
	uint32_t desc_offset;
	uint32_t data_offset;
};

struct gk_stats_desc {
	uint32_t flags;
	int16_t exponent;
	uint16_t size; /* how many 64-bit values */
	uint32_t offset;
	uint32_t bucket_size;
	char name[]; /* gk_stats_header.name_size bytes */
};

#define GK_EXIT_UNKNOWN 0
#define GK_EXIT_EXCEPTION 1
#define GK_EXIT_IO 2
#define GK_EXIT_HYPERCALL 3
#define GK_EXIT_DEBUG 4
#define GK_EXIT_HLT 5
#define GK_EXIT_MMIO 6
#define GK_EXIT_IRQ_WINDOW_OPEN 7
#define GK_EXIT_SHUTDOWN 8
#define GK_EXIT_FAIL_ENTRY 9
#define GK_EXIT_INTR 10
#define GK_EXIT_SET_TPR 11
#define GK_EXIT_TPR_ACCESS 12
#define GK_EXIT_NMI 16
#define GK_EXIT_INTERNAL_ERROR 17
#define GK_EXIT_WATCHDOG 21
#define GK_EXIT_SYSTEM_EVENT 24
#define GK_EXIT_IOAPIC_EOI 26
#define GK_EXIT_HYPERV 27
#define GK_EXIT_ARM_NISV 28
#define GK_EXIT_X86_RDMSR 29
#define GK_EXIT_X86_WRMSR 30
#define GK_EXIT_DIRTY_RING_FULL 31
#define GK_EXIT_AP_RESET_HOLD 32
#define GK_EXIT_X86_BUS_LOCK 33
#define GK_EXIT_XEN 34
#define GK_EXIT_NOTIFY 37
#define GK_EXIT_LOONGARCH_IOCSR 38
#define GK_EXIT_MEMORY_FAULT 39

#define GK_EXIT_IO_IN 0
#define GK_EXIT_IO_OUT 1

#define GK_INTERNAL_ERROR_EMULATION 1
#define GK_INTERNAL_ERROR_SIMUL_EX 2
#define GK_INTERNAL_ERROR_DELIVERY_EV 3
#define GK_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON 4

#define GK_SYSTEM_EVENT_SHUTDOWN 1
#define GK_SYSTEM_EVENT_RESET 2
#define GK_SYSTEM_EVENT_CRASH 3
#define GK_SYSTEM_EVENT_WAKEUP 4
#define GK_SYSTEM_EVENT_SUSPEND 5

#define GK_MSR_EXIT_REASON_INVAL (1U << 0)
#define GK_MSR_EXIT_REASON_UNKNOWN (1U << 1)
#define GK_MSR_EXIT_REASON_FILTER (1U << 2)

/*
 * The head of the page shared with the kernel; what follows the union (the
 * registers of KVM_CAP_SYNC_REGS) is of no use here and left out.
 */
struct gk_run {
	/* in */
	uint8_t request_interrupt_window;
	uint8_t immediate_exit;
	uint8_t padding1[6];

	/* out */
	uint32_t exit_reason;
	uint8_t ready_for_interrupt_injection;
	uint8_t if_flag;
	uint16_t flags;

	/* both ways, x86 without an APIC in the kernel */
	uint64_t cr8;
	uint64_t apic_base;

	union {
		struct {
			uint64_t hardware_exit_reason;
		} hw;
		struct {
			uint64_t hardware_entry_failure_reason;
			uint32_t cpu;
		} fail_entry;
		struct {
			uint8_t direction;
			uint8_t size; /* bytes */
			uint16_t port;
			uint32_t count;
			uint64_t data_offset; /* from the start of gk_run */
		} io;
		struct {
			uint64_t phys_addr;
			uint8_t data[8];
			uint32_t len;
			uint8_t is_write;
		} mmio;
		struct {
			uint64_t nr;
			uint64_t args[6];
			uint64_t ret;
			union {
				uint32_t longmode; /* before 6.5 */
				uint64_t flags;
			};
		} hypercall;
		struct {
			uint32_t suberror;
			uint32_t ndata;
			uint64_t data[16];
		} internal;
		struct {
			uint32_t type;
			uint32_t ndata;
			union {
				uint64_t flags;
				uint64_t data[16];
			};
		} system_event;
		struct {
			uint64_t esr_iss;
			uint64_t fault_ipa;
		} arm_nisv;
		struct {
			uint8_t error; /* to the kernel */
			uint8_t pad[7];
			uint32_t reason;
			uint32_t index;
			uint64_t data;
		} msr;
		char padding[256];
	};
};

#endif
