/* SPDX-License-Identifier: MIT */
/*
 * The numbers and layouts of src/kvm/abi*.h against the system's
 * <linux/kvm.h>. Everything is decided while compiling; what the system's
 * header is too old to know is passed over, what is another architecture's
 * too.
 */
#include <stddef.h>
#include <sys/types.h>
#include <linux/kvm.h>

#include "../../src/kvm/abi_arm64.h"
#include "../../src/kvm/abi_more.h"
#include "../../src/kvm/abi_x86.h"

#define SAME_NUMBER(name) \
	_Static_assert((unsigned long long)GK_##name == (unsigned long long)KVM_##name, "KVM_" #name)
#define SAME_SIZE(ours, theirs) \
	_Static_assert(sizeof(struct ours) == sizeof(struct theirs), "sizeof " #theirs)
#define SAME_FIELD2(ours, theirs, f, g)                                                      \
	_Static_assert(offsetof(struct ours, f) == offsetof(struct theirs, g) &&              \
			       sizeof(((struct ours *)0)->f) == sizeof(((struct theirs *)0)->g), \
		       #theirs "." #g)
#define SAME_FIELD(name, f) SAME_FIELD2(gk_##name, kvm_##name, f, f)

/* ioctls of every architecture */
SAME_NUMBER(API_VERSION);
SAME_NUMBER(GET_API_VERSION);
SAME_NUMBER(CREATE_VM);
SAME_NUMBER(CHECK_EXTENSION);
SAME_NUMBER(GET_VCPU_MMAP_SIZE);
SAME_NUMBER(CREATE_VCPU);
SAME_NUMBER(SET_USER_MEMORY_REGION);
SAME_NUMBER(CREATE_IRQCHIP);
SAME_NUMBER(IRQ_LINE);
SAME_NUMBER(SET_GSI_ROUTING);
SAME_NUMBER(IRQFD);
SAME_NUMBER(SIGNAL_MSI);
SAME_NUMBER(CREATE_DEVICE);
SAME_NUMBER(RUN);
SAME_NUMBER(GET_MP_STATE);
SAME_NUMBER(SET_MP_STATE);
SAME_NUMBER(GET_ONE_REG);
SAME_NUMBER(SET_ONE_REG);
SAME_NUMBER(GET_REG_LIST);
SAME_NUMBER(ENABLE_CAP);
SAME_NUMBER(SET_DEVICE_ATTR);
SAME_NUMBER(GET_DEVICE_ATTR);
SAME_NUMBER(HAS_DEVICE_ATTR);
#ifdef KVM_GET_STATS_FD
SAME_NUMBER(GET_STATS_FD);
#endif

SAME_NUMBER(MEM_LOG_DIRTY_PAGES);
#ifdef KVM_DIRTY_LOG_PAGE_OFFSET
SAME_NUMBER(DIRTY_LOG_PAGE_OFFSET);
#endif
SAME_NUMBER(MEM_READONLY);
SAME_NUMBER(REG_ARCH_MASK);
SAME_NUMBER(REG_X86);
SAME_NUMBER(REG_ARM64);
SAME_NUMBER(REG_SIZE_SHIFT);
SAME_NUMBER(REG_SIZE_MASK);
SAME_NUMBER(REG_SIZE_U8);
SAME_NUMBER(REG_SIZE_U16);
SAME_NUMBER(REG_SIZE_U32);
SAME_NUMBER(REG_SIZE_U64);
SAME_NUMBER(REG_SIZE_U128);
SAME_NUMBER(REG_SIZE_U256);
SAME_NUMBER(REG_SIZE_U512);
SAME_NUMBER(REG_SIZE_U1024);
SAME_NUMBER(REG_SIZE_U2048);
SAME_NUMBER(MP_STATE_RUNNABLE);
SAME_NUMBER(MP_STATE_UNINITIALIZED);
SAME_NUMBER(MP_STATE_INIT_RECEIVED);
SAME_NUMBER(MP_STATE_HALTED);
SAME_NUMBER(MP_STATE_SIPI_RECEIVED);
SAME_NUMBER(MP_STATE_STOPPED);
#ifdef KVM_MP_STATE_AP_RESET_HOLD
SAME_NUMBER(MP_STATE_AP_RESET_HOLD);
#endif
#ifdef KVM_MP_STATE_SUSPENDED
SAME_NUMBER(MP_STATE_SUSPENDED);
#endif
SAME_NUMBER(IRQ_ROUTING_IRQCHIP);
SAME_NUMBER(IRQ_ROUTING_MSI);
SAME_NUMBER(IRQFD_FLAG_DEASSIGN);
SAME_NUMBER(IRQFD_FLAG_RESAMPLE);
SAME_NUMBER(CREATE_DEVICE_TEST);
SAME_NUMBER(DEV_TYPE_VFIO);
SAME_NUMBER(DEV_TYPE_ARM_VGIC_V2);
SAME_NUMBER(DEV_TYPE_ARM_VGIC_V3);
SAME_NUMBER(DEV_TYPE_ARM_VGIC_ITS);

SAME_NUMBER(EXIT_UNKNOWN);
SAME_NUMBER(EXIT_EXCEPTION);
SAME_NUMBER(EXIT_IO);
SAME_NUMBER(EXIT_HYPERCALL);
SAME_NUMBER(EXIT_DEBUG);
SAME_NUMBER(EXIT_HLT);
SAME_NUMBER(EXIT_MMIO);
SAME_NUMBER(EXIT_IRQ_WINDOW_OPEN);
SAME_NUMBER(EXIT_SHUTDOWN);
SAME_NUMBER(EXIT_FAIL_ENTRY);
SAME_NUMBER(EXIT_INTR);
SAME_NUMBER(EXIT_SET_TPR);
SAME_NUMBER(EXIT_TPR_ACCESS);
SAME_NUMBER(EXIT_NMI);
SAME_NUMBER(EXIT_INTERNAL_ERROR);
SAME_NUMBER(EXIT_WATCHDOG);
SAME_NUMBER(EXIT_SYSTEM_EVENT);
SAME_NUMBER(EXIT_IOAPIC_EOI);
SAME_NUMBER(EXIT_HYPERV);
SAME_NUMBER(EXIT_IO_IN);
SAME_NUMBER(EXIT_IO_OUT);
#ifdef KVM_EXIT_ARM_NISV
SAME_NUMBER(EXIT_ARM_NISV);
#endif
#ifdef KVM_EXIT_X86_WRMSR
SAME_NUMBER(EXIT_X86_RDMSR);
SAME_NUMBER(EXIT_X86_WRMSR);
SAME_NUMBER(MSR_EXIT_REASON_INVAL);
SAME_NUMBER(MSR_EXIT_REASON_UNKNOWN);
SAME_NUMBER(MSR_EXIT_REASON_FILTER);
SAME_FIELD2(gk_run, kvm_run, msr, msr);
SAME_FIELD2(gk_run, kvm_run, msr.reason, msr.reason);
SAME_FIELD2(gk_run, kvm_run, msr.index, msr.index);
SAME_FIELD2(gk_run, kvm_run, msr.data, msr.data);
#endif
#ifdef KVM_EXIT_DIRTY_RING_FULL
SAME_NUMBER(EXIT_DIRTY_RING_FULL);
#endif
#ifdef KVM_EXIT_AP_RESET_HOLD
SAME_NUMBER(EXIT_AP_RESET_HOLD);
#endif
#ifdef KVM_EXIT_X86_BUS_LOCK
SAME_NUMBER(EXIT_X86_BUS_LOCK);
#endif
#ifdef KVM_EXIT_XEN
SAME_NUMBER(EXIT_XEN);
#endif
#ifdef KVM_EXIT_NOTIFY
SAME_NUMBER(EXIT_NOTIFY);
#endif
#ifdef KVM_EXIT_LOONGARCH_IOCSR
SAME_NUMBER(EXIT_LOONGARCH_IOCSR);
#endif
#ifdef KVM_EXIT_MEMORY_FAULT
SAME_NUMBER(EXIT_MEMORY_FAULT);
#endif
SAME_NUMBER(INTERNAL_ERROR_EMULATION);
SAME_NUMBER(INTERNAL_ERROR_SIMUL_EX);
SAME_NUMBER(INTERNAL_ERROR_DELIVERY_EV);
#ifdef KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON
SAME_NUMBER(INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
#endif
SAME_NUMBER(SYSTEM_EVENT_SHUTDOWN);
SAME_NUMBER(SYSTEM_EVENT_RESET);
SAME_NUMBER(SYSTEM_EVENT_CRASH);
#ifdef KVM_SYSTEM_EVENT_SUSPEND
SAME_NUMBER(SYSTEM_EVENT_WAKEUP);
SAME_NUMBER(SYSTEM_EVENT_SUSPEND);
#endif

/* structures of every architecture */
SAME_SIZE(gk_enable_cap, kvm_enable_cap);
SAME_SIZE(gk_hyperv_eventfd, kvm_hyperv_eventfd);
SAME_FIELD(enable_cap, flags);
SAME_FIELD(enable_cap, args);
SAME_SIZE(gk_userspace_memory_region, kvm_userspace_memory_region);
SAME_FIELD(userspace_memory_region, guest_phys_addr);
SAME_FIELD(userspace_memory_region, memory_size);
SAME_FIELD(userspace_memory_region, userspace_addr);
SAME_SIZE(gk_irq_level, kvm_irq_level);
SAME_FIELD(irq_level, level);
SAME_SIZE(gk_msi, kvm_msi);
SAME_FIELD(msi, address_hi);
SAME_FIELD(msi, data);
SAME_FIELD(msi, devid);
SAME_SIZE(gk_irq_routing_entry, kvm_irq_routing_entry);
SAME_FIELD(irq_routing_entry, gsi);
SAME_FIELD(irq_routing_entry, type);
SAME_FIELD(irq_routing_entry, u.irqchip.pin);
SAME_FIELD(irq_routing_entry, u.msi.address_lo);
SAME_FIELD(irq_routing_entry, u.msi.address_hi);
SAME_FIELD(irq_routing_entry, u.msi.data);
SAME_FIELD(irq_routing_entry, u.msi.devid);
SAME_SIZE(gk_irq_routing, kvm_irq_routing);
_Static_assert(offsetof(struct gk_irq_routing, entries) == offsetof(struct kvm_irq_routing, entries), "entries");
SAME_SIZE(gk_dirty_log, kvm_dirty_log);
SAME_SIZE(gk_clear_dirty_log, kvm_clear_dirty_log);
SAME_SIZE(gk_signal_mask, kvm_signal_mask);
SAME_SIZE(gk_irqfd, kvm_irqfd);
SAME_SIZE(gk_ioeventfd, kvm_ioeventfd);
SAME_FIELD(irqfd, gsi);
SAME_FIELD(irqfd, flags);
SAME_FIELD(irqfd, resamplefd);
SAME_SIZE(gk_one_reg, kvm_one_reg);
SAME_FIELD(one_reg, addr);
SAME_SIZE(gk_reg_list, kvm_reg_list);
_Static_assert(offsetof(struct gk_reg_list, reg) == offsetof(struct kvm_reg_list, reg), "reg");
SAME_SIZE(gk_mp_state, kvm_mp_state);
SAME_SIZE(gk_create_device, kvm_create_device);
SAME_FIELD(create_device, fd);
SAME_FIELD(create_device, flags);
SAME_SIZE(gk_device_attr, kvm_device_attr);
SAME_FIELD(device_attr, group);
SAME_FIELD(device_attr, attr);
SAME_FIELD(device_attr, addr);
#ifdef KVM_GET_STATS_FD
SAME_SIZE(gk_stats_header, kvm_stats_header);
SAME_FIELD(stats_header, name_size);
SAME_FIELD(stats_header, num_desc);
SAME_FIELD(stats_header, id_offset);
SAME_FIELD(stats_header, desc_offset);
SAME_FIELD(stats_header, data_offset);
SAME_SIZE(gk_stats_desc, kvm_stats_desc);
SAME_FIELD(stats_desc, exponent);
SAME_FIELD(stats_desc, size);
SAME_FIELD(stats_desc, offset);
SAME_FIELD(stats_desc, bucket_size);
_Static_assert(offsetof(struct gk_stats_desc, name) == offsetof(struct kvm_stats_desc, name), "name");
#endif

SAME_FIELD(run, request_interrupt_window);
SAME_FIELD(run, immediate_exit);
SAME_FIELD(run, exit_reason);
SAME_FIELD(run, ready_for_interrupt_injection);
SAME_FIELD(run, if_flag);
SAME_FIELD(run, flags);
SAME_FIELD(run, cr8);
SAME_FIELD(run, apic_base);
SAME_FIELD(run, hw);
SAME_FIELD(run, fail_entry.hardware_entry_failure_reason);
SAME_FIELD(run, fail_entry.cpu);
SAME_FIELD(run, io.direction);
SAME_FIELD(run, io.size);
SAME_FIELD(run, io.port);
SAME_FIELD(run, io.count);
SAME_FIELD(run, io.data_offset);
SAME_FIELD(run, mmio.phys_addr);
SAME_FIELD(run, mmio.data);
SAME_FIELD(run, mmio.len);
SAME_FIELD(run, mmio.is_write);
SAME_FIELD(run, hypercall.nr);
SAME_FIELD(run, hypercall.args);
SAME_FIELD(run, hypercall.ret);
SAME_FIELD(run, internal.suberror);
SAME_FIELD(run, internal.ndata);
SAME_FIELD(run, internal.data);
SAME_FIELD(run, system_event.type);
SAME_FIELD(run, system_event.flags);
SAME_FIELD(run, padding);

#ifdef __x86_64__
#include <asm/prctl.h>

SAME_NUMBER(GET_MSR_INDEX_LIST);
SAME_NUMBER(GET_SUPPORTED_CPUID);
SAME_NUMBER(GET_EMULATED_CPUID);
SAME_NUMBER(GET_MSR_FEATURE_INDEX_LIST);
SAME_NUMBER(GET_SUPPORTED_HV_CPUID);
SAME_NUMBER(SET_TSS_ADDR);
SAME_NUMBER(SET_IDENTITY_MAP_ADDR);
SAME_NUMBER(SET_BOOT_CPU_ID);
SAME_NUMBER(SET_CLOCK);
SAME_NUMBER(GET_CLOCK);
SAME_NUMBER(GET_REGS);
SAME_NUMBER(SET_REGS);
SAME_NUMBER(GET_SREGS);
SAME_NUMBER(SET_SREGS);
SAME_NUMBER(INTERRUPT);
SAME_NUMBER(GET_MSRS);
SAME_NUMBER(SET_MSRS);
SAME_NUMBER(SET_CPUID);
SAME_NUMBER(GET_LAPIC);
SAME_NUMBER(SET_LAPIC);
SAME_NUMBER(SET_CPUID2);
SAME_NUMBER(GET_CPUID2);
SAME_NUMBER(NMI);
SAME_NUMBER(SET_TSC_KHZ);
SAME_NUMBER(GET_TSC_KHZ);
SAME_NUMBER(PMU_CAP_DISABLE);
SAME_NUMBER(CLOCK_TSC_STABLE);
SAME_NUMBER(CLOCK_REALTIME);
SAME_NUMBER(CLOCK_HOST_TSC);
SAME_NUMBER(X2APIC_API_USE_32BIT_IDS);
SAME_NUMBER(X2APIC_API_DISABLE_BROADCAST_QUIRK);
SAME_NUMBER(X86_SETUP_MCE);
SAME_NUMBER(X86_GET_MCE_CAP_SUPPORTED);
SAME_NUMBER(GET_XSAVE);
SAME_NUMBER(SET_XSAVE);
SAME_NUMBER(GET_XCRS);
SAME_NUMBER(SET_XCRS);
SAME_NUMBER(KVMCLOCK_CTRL);
#ifdef KVM_GET_XSAVE2
SAME_NUMBER(GET_XSAVE2);
#endif
SAME_NUMBER(CPUID_FLAG_SIGNIFCANT_INDEX);
SAME_NUMBER(CPUID_FLAG_STATEFUL_FUNC);
SAME_NUMBER(CPUID_FLAG_STATE_READ_NEXT);

SAME_SIZE(gk_cpuid_entry, kvm_cpuid_entry);
SAME_FIELD(cpuid_entry, eax);
SAME_FIELD(cpuid_entry, ebx);
SAME_FIELD(cpuid_entry, ecx);
SAME_FIELD(cpuid_entry, edx);
SAME_SIZE(gk_cpuid, kvm_cpuid);
SAME_SIZE(gk_cpuid_entry2, kvm_cpuid_entry2);
SAME_FIELD(cpuid_entry2, index);
SAME_FIELD(cpuid_entry2, flags);
SAME_FIELD(cpuid_entry2, eax);
SAME_FIELD(cpuid_entry2, ebx);
SAME_FIELD(cpuid_entry2, ecx);
SAME_FIELD(cpuid_entry2, edx);
SAME_FIELD(cpuid_entry2, padding);
SAME_SIZE(gk_cpuid2, kvm_cpuid2);
_Static_assert(offsetof(struct gk_cpuid2, entries) == offsetof(struct kvm_cpuid2, entries), "entries");
SAME_SIZE(gk_msr_list, kvm_msr_list);
SAME_SIZE(gk_msr_entry, kvm_msr_entry);
SAME_FIELD(msr_entry, data);
SAME_SIZE(gk_msrs, kvm_msrs);
SAME_SIZE(gk_x86_regs, kvm_regs);
SAME_FIELD2(gk_x86_regs, kvm_regs, rdx, rdx);
SAME_FIELD2(gk_x86_regs, kvm_regs, rsi, rsi);
SAME_FIELD2(gk_x86_regs, kvm_regs, rsp, rsp);
SAME_FIELD2(gk_x86_regs, kvm_regs, r8, r8);
SAME_FIELD2(gk_x86_regs, kvm_regs, r15, r15);
SAME_FIELD2(gk_x86_regs, kvm_regs, rip, rip);
SAME_FIELD2(gk_x86_regs, kvm_regs, rflags, rflags);
SAME_SIZE(gk_x86_segment, kvm_segment);
SAME_FIELD2(gk_x86_segment, kvm_segment, limit, limit);
SAME_FIELD2(gk_x86_segment, kvm_segment, selector, selector);
SAME_FIELD2(gk_x86_segment, kvm_segment, type, type);
SAME_FIELD2(gk_x86_segment, kvm_segment, present, present);
SAME_FIELD2(gk_x86_segment, kvm_segment, l, l);
SAME_FIELD2(gk_x86_segment, kvm_segment, g, g);
SAME_FIELD2(gk_x86_segment, kvm_segment, unusable, unusable);
SAME_SIZE(gk_x86_dtable, kvm_dtable);
SAME_FIELD2(gk_x86_dtable, kvm_dtable, limit, limit);
SAME_SIZE(gk_x86_sregs, kvm_sregs);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, tr, tr);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, gdt, gdt);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, idt, idt);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, cr0, cr0);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, cr3, cr3);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, cr4, cr4);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, efer, efer);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, apic_base, apic_base);
SAME_FIELD2(gk_x86_sregs, kvm_sregs, interrupt_bitmap, interrupt_bitmap);
SAME_SIZE(gk_interrupt, kvm_interrupt);
SAME_SIZE(gk_lapic_state, kvm_lapic_state);
SAME_SIZE(gk_irqchip, kvm_irqchip);
SAME_SIZE(gk_pic_state, kvm_pic_state);
SAME_SIZE(gk_ioapic_state, kvm_ioapic_state);
SAME_SIZE(gk_reinject_control, kvm_reinject_control);
SAME_SIZE(gk_pmu_event_filter, kvm_pmu_event_filter);
SAME_SIZE(gk_xsave, kvm_xsave);
SAME_SIZE(gk_xcr, kvm_xcr);
SAME_SIZE(gk_clock_data, kvm_clock_data);
SAME_FIELD(clock_data, clock);
SAME_FIELD(clock_data, flags);
SAME_FIELD(clock_data, realtime);
SAME_FIELD(clock_data, host_tsc);
SAME_SIZE(gk_debugregs, kvm_debugregs);
SAME_FIELD(debugregs, dr6);
SAME_FIELD(debugregs, flags);
SAME_SIZE(gk_fpu, kvm_fpu);
SAME_FIELD(fpu, fcw);
SAME_FIELD(fpu, last_ip);
SAME_FIELD(fpu, xmm);
SAME_SIZE(gk_vcpu_events, kvm_vcpu_events);
SAME_FIELD(vcpu_events, interrupt);
SAME_FIELD(vcpu_events, nmi);
SAME_FIELD(vcpu_events, flags);
SAME_FIELD(vcpu_events, smi);
SAME_NUMBER(VCPUEVENT_VALID_NMI_PENDING);
SAME_NUMBER(VCPUEVENT_VALID_SIPI_VECTOR);
SAME_NUMBER(VCPUEVENT_VALID_SHADOW);
SAME_NUMBER(VCPUEVENT_VALID_SMM);
SAME_SIZE(gk_xcrs, kvm_xcrs);
SAME_FIELD(xcrs, flags);
SAME_FIELD(xcrs, xcrs);
#ifdef KVM_X86_SET_MSR_FILTER
SAME_NUMBER(X86_SET_MSR_FILTER);
SAME_NUMBER(MSR_FILTER_MAX_RANGES);
SAME_NUMBER(MSR_FILTER_READ);
SAME_NUMBER(MSR_FILTER_WRITE);
SAME_NUMBER(MSR_FILTER_DEFAULT_ALLOW);
SAME_NUMBER(MSR_FILTER_DEFAULT_DENY);
SAME_SIZE(gk_msr_filter_range, kvm_msr_filter_range);
SAME_FIELD(msr_filter_range, nmsrs);
SAME_FIELD(msr_filter_range, base);
SAME_FIELD(msr_filter_range, bitmap);
SAME_SIZE(gk_msr_filter, kvm_msr_filter);
SAME_FIELD(msr_filter, ranges);
#endif
#ifdef KVM_X86_XCOMP_GUEST_SUPP
SAME_NUMBER(X86_XCOMP_GUEST_SUPP);
#endif
#ifdef KVM_VCPU_TSC_CTRL
SAME_NUMBER(VCPU_TSC_CTRL);
SAME_NUMBER(VCPU_TSC_OFFSET);
#endif
/* what only the software KVM takes */
SAME_NUMBER(SET_IRQCHIP);
SAME_NUMBER(GET_IRQCHIP);
SAME_NUMBER(CREATE_PIT2);
SAME_NUMBER(SET_PIT2);
SAME_NUMBER(GET_PIT2);
SAME_NUMBER(GET_PIT);
SAME_NUMBER(SET_PIT);
SAME_SIZE(gk_pit_channel, kvm_pit_channel_state);
SAME_SIZE(gk_pit_state2, kvm_pit_state2);
SAME_FIELD(pit_state2, flags);
SAME_FIELD2(gk_pit_channel, kvm_pit_channel_state, mode, mode);
SAME_FIELD2(gk_pit_channel, kvm_pit_channel_state, gate, gate);
SAME_FIELD2(gk_pit_channel, kvm_pit_channel_state, count_load_time, count_load_time);
_Static_assert(GK_PIT_STATE_SIZE == sizeof(struct kvm_pit_state), "sizeof kvm_pit_state");
SAME_NUMBER(GUESTDBG_INJECT_DB);
SAME_NUMBER(GUESTDBG_INJECT_BP);
SAME_SIZE(gk_guest_debug, kvm_guest_debug);
SAME_FIELD(guest_debug, control);
SAME_NUMBER(REINJECT_CONTROL);
#ifdef KVM_SET_PMU_EVENT_FILTER
SAME_NUMBER(SET_PMU_EVENT_FILTER);
#endif
SAME_NUMBER(IRQ_LINE_STATUS);
SAME_NUMBER(IOEVENTFD);
SAME_NUMBER(IOEVENTFD_FLAG_PIO);
_Static_assert((int)GK_IOEVENTFD_FLAG_CCW == (int)KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY, "KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY");
SAME_NUMBER(XEN_HVM_CONFIG);
SAME_NUMBER(XEN_HVM_GET_ATTR);
SAME_NUMBER(XEN_HVM_SET_ATTR);
SAME_NUMBER(XEN_VCPU_GET_ATTR);
SAME_NUMBER(XEN_VCPU_SET_ATTR);
SAME_NUMBER(HYPERV_EVENTFD);
SAME_NUMBER(HYPERV_EVENTFD_DEASSIGN);
SAME_NUMBER(HYPERV_CONN_ID_MASK);
SAME_NUMBER(REGISTER_COALESCED_MMIO);
SAME_NUMBER(UNREGISTER_COALESCED_MMIO);
SAME_SIZE(gk_coalesced_zone, kvm_coalesced_mmio_zone);
#ifdef KVM_SET_USER_MEMORY_REGION2
SAME_NUMBER(SET_USER_MEMORY_REGION2);
SAME_SIZE(gk_userspace_memory_region2, kvm_userspace_memory_region2);
#endif
SAME_NUMBER(GET_DIRTY_LOG);
SAME_NUMBER(RESET_DIRTY_RINGS);
SAME_NUMBER(SET_FPU);
SAME_NUMBER(GET_FPU);
SAME_NUMBER(SET_DEBUGREGS);
SAME_NUMBER(GET_DEBUGREGS);
SAME_NUMBER(STATE_NESTED_FORMAT_VMX);
SAME_NUMBER(STATE_NESTED_FORMAT_SVM);
SAME_NUMBER(STATE_NESTED_GIF_SET);
SAME_NUMBER(SET_NESTED_STATE);
SAME_NUMBER(GET_NESTED_STATE);
SAME_NUMBER(SET_GUEST_DEBUG);
SAME_NUMBER(TPR_ACCESS_REPORTING);
SAME_NUMBER(SET_VAPIC_ADDR);
SAME_NUMBER(SET_VCPU_EVENTS);
SAME_NUMBER(GET_VCPU_EVENTS);
SAME_NUMBER(SET_SIGNAL_MASK);
#ifdef KVM_GET_SREGS2
SAME_NUMBER(GET_SREGS2);
#endif
#ifdef KVM_SET_SREGS2
SAME_NUMBER(SET_SREGS2);
#endif
SAME_NUMBER(TRANSLATE);
SAME_NUMBER(SMI);
SAME_SIZE(gk_nested_state, kvm_nested_state);
SAME_FIELD(nested_state, flags);
SAME_FIELD(nested_state, format);
SAME_FIELD(nested_state, size);
SAME_FIELD(nested_state, hdr);
#ifdef KVM_GET_SREGS2
SAME_SIZE(gk_x86_sregs2, kvm_sregs2);
SAME_FIELD2(gk_x86_sregs2, kvm_sregs2, cr0, cr0);
SAME_FIELD2(gk_x86_sregs2, kvm_sregs2, apic_base, apic_base);
SAME_FIELD2(gk_x86_sregs2, kvm_sregs2, flags, flags);
SAME_FIELD2(gk_x86_sregs2, kvm_sregs2, pdptrs, pdptrs);
#endif

_Static_assert(GK_ARCH_SET_CPUID == ARCH_SET_CPUID, "arch_prctl");
#ifdef ARCH_REQ_XCOMP_GUEST_PERM
_Static_assert(GK_ARCH_GET_XCOMP_SUPP == ARCH_GET_XCOMP_SUPP, "arch_prctl");
_Static_assert(GK_ARCH_GET_XCOMP_PERM == ARCH_GET_XCOMP_PERM, "arch_prctl");
_Static_assert(GK_ARCH_REQ_XCOMP_PERM == ARCH_REQ_XCOMP_PERM, "arch_prctl");
_Static_assert(GK_ARCH_GET_XCOMP_GUEST_PERM == ARCH_GET_XCOMP_GUEST_PERM, "arch_prctl");
_Static_assert(GK_ARCH_REQ_XCOMP_GUEST_PERM == ARCH_REQ_XCOMP_GUEST_PERM, "arch_prctl");
#endif
#endif /* __x86_64__ */

#ifdef __aarch64__
#define SAME_CORE(id, f) \
	_Static_assert(((id)&0xffff) == offsetof(struct kvm_regs, f) / sizeof(__u32), #f)

SAME_NUMBER(ARM_VCPU_INIT);
SAME_NUMBER(ARM_TARGET_GENERIC_V8);
SAME_NUMBER(ARM_PREFERRED_TARGET);
SAME_NUMBER(ARM_VCPU_FINALIZE);
SAME_SIZE(gk_arm_vcpu_init, kvm_vcpu_init);
SAME_FIELD2(gk_arm_vcpu_init, kvm_vcpu_init, features, features);
#ifdef KVM_ARM_SET_COUNTER_OFFSET
SAME_NUMBER(ARM_SET_COUNTER_OFFSET);
SAME_SIZE(gk_arm_counter_offset, kvm_arm_counter_offset);
#endif
#ifdef KVM_ARM_GET_REG_WRITABLE_MASKS
SAME_NUMBER(ARM_GET_REG_WRITABLE_MASKS);
SAME_SIZE(gk_reg_mask_range, reg_mask_range);
SAME_FIELD2(gk_reg_mask_range, reg_mask_range, range, range);
SAME_NUMBER(ARM_FEATURE_ID_RANGE);
SAME_NUMBER(ARM_FEATURE_ID_RANGE_SIZE);
_Static_assert(GK_ARM_FEATURE_ID_RANGE_IDX(3, 3, 0, 7, 7) ==
		       KVM_ARM_FEATURE_ID_RANGE_IDX(3, 3, 0, 7, 7), "index");
#endif
SAME_NUMBER(REG_ARM_CORE);
SAME_CORE(GK_REG_ARM_X(0), regs.regs[0]);
SAME_CORE(GK_REG_ARM_X(30), regs.regs[30]);
SAME_CORE(GK_REG_ARM_SP, regs.sp);
SAME_CORE(GK_REG_ARM_PC, regs.pc);
SAME_CORE(GK_REG_ARM_PSTATE, regs.pstate);
SAME_CORE(GK_REG_ARM_SP_EL1, sp_el1);
SAME_CORE(GK_REG_ARM_ELR_EL1, elr_el1);
SAME_CORE(GK_REG_ARM_SPSR_EL1, spsr[KVM_SPSR_EL1]);
SAME_NUMBER(REG_ARM64_SYSREG);
_Static_assert(GK_ARM64_SYS_REG(3, 0, 0, 6, 1) == ARM64_SYS_REG(3, 0, 0, 6, 1), "sysreg");
_Static_assert(GK_ARM64_SYS_REG(3, 7, 15, 15, 7) == ARM64_SYS_REG(3, 7, 15, 15, 7), "sysreg");
SAME_NUMBER(REG_ARM_FW);
SAME_NUMBER(REG_ARM_PSCI_VERSION);
SAME_NUMBER(REG_ARM_SMCCC_ARCH_WORKAROUND_1);
SAME_NUMBER(REG_ARM_SMCCC_ARCH_WORKAROUND_2);
SAME_NUMBER(REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_AVAIL);
SAME_NUMBER(REG_ARM_SMCCC_ARCH_WORKAROUND_2_AVAIL);
SAME_NUMBER(REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_REQUIRED);
SAME_NUMBER(REG_ARM_SMCCC_ARCH_WORKAROUND_2_ENABLED);
#ifdef KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3
SAME_NUMBER(REG_ARM_SMCCC_ARCH_WORKAROUND_3);
#endif
#ifdef KVM_REG_ARM_FW_FEAT_BMAP
SAME_NUMBER(REG_ARM_FW_FEAT_BMAP);
SAME_NUMBER(REG_ARM_STD_BMAP);
SAME_NUMBER(REG_ARM_STD_HYP_BMAP);
SAME_NUMBER(REG_ARM_VENDOR_HYP_BMAP);
#endif
#ifdef KVM_REG_ARM_VENDOR_HYP_BMAP_2
SAME_NUMBER(REG_ARM_VENDOR_HYP_BMAP_2);
#endif
SAME_NUMBER(REG_ARM64_SVE);
SAME_NUMBER(REG_ARM64_SVE_VLS);
SAME_NUMBER(ARM64_SVE_VLS_WORDS);
SAME_NUMBER(DEV_ARM_VGIC_GRP_ADDR);
SAME_NUMBER(DEV_ARM_VGIC_GRP_DIST_REGS);
SAME_NUMBER(DEV_ARM_VGIC_GRP_CPU_REGS);
SAME_NUMBER(DEV_ARM_VGIC_GRP_NR_IRQS);
SAME_NUMBER(DEV_ARM_VGIC_GRP_CTRL);
SAME_NUMBER(DEV_ARM_VGIC_GRP_REDIST_REGS);
SAME_NUMBER(DEV_ARM_VGIC_GRP_CPU_SYSREGS);
SAME_NUMBER(DEV_ARM_VGIC_GRP_LEVEL_INFO);
SAME_NUMBER(DEV_ARM_VGIC_CTRL_INIT);
SAME_NUMBER(VGIC_V2_ADDR_TYPE_DIST);
SAME_NUMBER(VGIC_V2_ADDR_TYPE_CPU);
SAME_NUMBER(VGIC_V3_ADDR_TYPE_DIST);
SAME_NUMBER(VGIC_V3_ADDR_TYPE_REDIST);
SAME_NUMBER(VGIC_V3_ADDR_TYPE_REDIST_REGION);
SAME_NUMBER(ARM_VCPU_PMU_V3_CTRL);
SAME_NUMBER(ARM_VCPU_PMU_V3_IRQ);
SAME_NUMBER(ARM_VCPU_PMU_V3_INIT);
SAME_NUMBER(ARM_VCPU_PMU_V3_FILTER);
#ifdef KVM_ARM_VCPU_PMU_V3_SET_PMU
SAME_NUMBER(ARM_VCPU_PMU_V3_SET_PMU);
#endif
SAME_NUMBER(ARM_VCPU_TIMER_CTRL);
SAME_NUMBER(ARM_VCPU_TIMER_IRQ_VTIMER);
SAME_NUMBER(ARM_VCPU_TIMER_IRQ_PTIMER);
SAME_NUMBER(ARM_VCPU_PVTIME_CTRL);
SAME_NUMBER(ARM_VCPU_PVTIME_IPA);
#ifdef KVM_ARM_VM_SMCCC_CTRL
SAME_NUMBER(ARM_VM_SMCCC_CTRL);
SAME_NUMBER(ARM_VM_SMCCC_FILTER);
_Static_assert(GK_SMCCC_FILTER_HANDLE == KVM_SMCCC_FILTER_HANDLE, "action");
_Static_assert(GK_SMCCC_FILTER_DENY == KVM_SMCCC_FILTER_DENY, "action");
_Static_assert(GK_SMCCC_FILTER_FWD_TO_USER == KVM_SMCCC_FILTER_FWD_TO_USER, "action");
SAME_SIZE(gk_smccc_filter, kvm_smccc_filter);
#endif
SAME_NUMBER(ARM_IRQ_TYPE_SHIFT);
SAME_NUMBER(ARM_IRQ_VCPU_SHIFT);
SAME_NUMBER(ARM_IRQ_TYPE_CPU);
SAME_NUMBER(ARM_IRQ_TYPE_SPI);
SAME_NUMBER(ARM_IRQ_TYPE_PPI);
#endif /* __aarch64__ */

int main(void)
{
	return 0;
}
