/* SPDX-License-Identifier: MIT */
/*
 * What VMMs save, restore and set up beside a CPU's features, on the software KVM. What is right is KVM's
 * documentation's (api.rst 4.20, 4.71, 4.87, 4.140) and its sources' (x86.c, i8254.c,
 * arm64/kvm/guest.c and arm.c), and of x86 what a real KVM of 6.18 answered.
 */
#include "unit.h"

#include "core/plan.h"
#include "kvm/abi_arm64.h"
#include "kvm/abi_more.h"
#include "model/sw.h"

#include <errno.h>
#include <guestcpu/model.h>

#define PAGE 4096U
#define SERROR_OWN (1ULL << 24)

static struct gcpu_model *model;
static struct gcpu_snapshot *host;
static int vm, vcpu[2];

static int call(int fd, unsigned long request, const void *arg)
{
	const struct gcpu_kvm *kvm = gcpu_model_kvm(model);

	return kvm->ops->ioctl(kvm->ctx, fd, request, (uintptr_t)arg);
}

static void start_as(const char *name, bool apic, const struct gcpu_model_options *options)
{
	struct gcpu_error err;
	int fd;

	CHECK(gcpu_snapshot_bundled(name, &host, &err) == 0, "%s", err.text);
	CHECK(gcpu_model_new(host, options, &model, &err) == 0, "%s", err.text);
	fd = gcpu_model_kvm(model)->ops->open(model, "/dev/kvm", 0);
	vm = call(fd, GK_CREATE_VM, NULL);
	if (apic)
		CHECK(call(vm, GK_CREATE_IRQCHIP, NULL) == 0, "irqchip");
	for (uintptr_t i = 0; i < 2; i++)
		vcpu[i] = gcpu_model_kvm(model)->ops->ioctl(model, vm, GK_CREATE_VCPU, i);
}

static void start(const char *name, bool apic)
{
	start_as(name, apic, NULL);
}

static void end(void)
{
	gcpu_model_free(model);
	gcpu_snapshot_free(host);
}

static struct gk_vcpu_events events(void)
{
	struct gk_vcpu_events e;

	CHECK(call(vcpu[0], GK_GET_VCPU_EVENTS, &e) == 0, "events");
	return e;
}

static void x86_events(const char *name, bool amd, unsigned nmis)
{
	struct gk_vcpu_events e = { .flags = GK_VCPUEVENT_VALID_SHADOW, .interrupt = { 1, 33, 1, 1 } };
	struct gk_guest_debug debug = { .control = GK_GUESTDBG_INJECT_DB };
	struct gcpu_guest_op op = { .code = GCPU_GUEST_RDCR };

	start(name, true);
	CHECK(call(vcpu[0], GK_SET_VCPU_EVENTS, &e) == 0, "set");
	CHECK(events().interrupt.shadow == (amd ? 3 : 1) && !events().interrupt.injected, "a shadow; a software interrupt comes again");
	CHECK(gcpu_model_guest(model, vcpu[0], &op, 1) == 0 && call(vcpu[0], GK_RUN, NULL) == -EINTR, "run");
	CHECK(!events().interrupt.shadow, "until an instruction");
	for (unsigned i = 1; i < 4; i++) {
		CHECK(call(vcpu[0], GK_NMI, NULL) == 0, "NMI");
		CHECK(events().nmi.pending == (i < nmis ? i : nmis), "%u NMIs", i);
	}
	for (unsigned i = 0; i < 3; i++) {
		CHECK(gcpu_model_guest(model, vcpu[0], &op, 1) == 0 && call(vcpu[0], GK_RUN, NULL) == -EINTR, "run");
		CHECK(op.status == (i < 2 ? GCPU_GUEST_FAULT : GCPU_GUEST_DONE), "two are taken");
	}
	e = (struct gk_vcpu_events){ .flags = GK_VCPUEVENT_VALID_NMI_PENDING, .nmi = { .pending = 1 } };
	CHECK(call(vcpu[0], GK_SET_VCPU_EVENTS, &e) == 0, "restored");
	CHECK(gcpu_model_guest(model, vcpu[0], &op, 1) == 0 && call(vcpu[0], GK_RUN, NULL) == -EINTR, "run");
	CHECK(op.status == GCPU_GUEST_FAULT && op.fault == 2, "the guest gets the one that was restored");
	CHECK(call(vcpu[0], GK_SET_GUEST_DEBUG, &debug) == 0 && events().exception.pending && events().exception.injected &&
	      events().exception.nr == 1, "an exception sent in");
	CHECK(call(vcpu[0], GK_SET_GUEST_DEBUG, &debug) == -EBUSY, "a second");
	end();
}

static void x86_smm_and_sipi(const char *name)
{
	struct gk_vcpu_events e = { .flags = GK_VCPUEVENT_VALID_SMM, .smi = { .smm = 1 } };
	struct gk_mp_state mp = { GK_MP_STATE_SIPI_RECEIVED };
	struct gk_x86_regs r;

	start(name, true);
	model->caps[0][CAP_X86_SMM] = 0;
	CHECK(call(vcpu[0], GK_SET_VCPU_EVENTS, &e) == -EINVAL && !events().smi.smm, "SMM of a KVM that has none");
	CHECK(call(vcpu[1], GK_GET_REGS, &r) == 0 && r.rip == 0xfff0, "reset");
	CHECK(call(vcpu[1], GK_SET_MP_STATE, &mp) == 0 && call(vcpu[1], GK_GET_MP_STATE, &mp) == 0 &&
	      mp.mp_state == GK_MP_STATE_RUNNABLE, "SIPI");
	CHECK(call(vcpu[1], GK_GET_REGS, &r) == 0 && r.rip == 0, "it begins at the start of its page");
	end();
}

static void x86_init_in_smm(const char *name, const char *kernel)
{
	struct gk_vcpu_events e = { .flags = GK_VCPUEVENT_VALID_SMM, .smi = { .smm = 1 } };
	struct gk_mp_state mp = { GK_MP_STATE_INIT_RECEIVED };
	struct gcpu_model_options options = { .size = sizeof(options), .kernel = kernel };
	struct gcpu_guest_op op = { .code = GCPU_GUEST_RDCR };
	bool late = kernel != NULL;

	start_as(name, true, &options);
	CHECK(call(vcpu[1], GK_SET_VCPU_EVENTS, &e) == 0, "SMM");
	CHECK(call(vcpu[1], GK_SET_MP_STATE, &mp) == (late ? 0 : -EINVAL), "that waits for a SIPI");
	CHECK(gcpu_model_guest(model, vcpu[1], &op, 1) == 0 && call(vcpu[1], GK_RUN, NULL) == (late ? -EINVAL : -EINTR), "runs");
	e.smi.smm = 0;
	CHECK(call(vcpu[1], GK_SET_VCPU_EVENTS, &e) == 0 && call(vcpu[1], GK_SET_MP_STATE, &mp) == 0, "without");
	e.smi.pending = 1;
	CHECK(call(vcpu[1], GK_SET_VCPU_EVENTS, &e) == (late ? 0 : -EINVAL), "an SMI for one that waits for a SIPI");
	end();
}

static void pit(const char *name)
{
	struct gk_pit_state2 p;

	start(name, true);
	CHECK(call(vm, GK_GET_PIT, &p) == -ENXIO, "none yet");
	memset(&p, 0, sizeof(p));
	CHECK(call(vm, GK_CREATE_PIT2, &p) == 0 && call(vm, GK_GET_PIT2, &p) == 0, "made");
	CHECK(p.channels[0].count == 0x10000 && p.channels[0].mode == 0xff && p.channels[0].gate && p.channels[1].gate &&
	      !p.channels[2].gate && !p.channels[0].count_load_time && p.channels[2].count_load_time, "as at first");
	p.channels[2].count = 0;
	p.channels[1].count = 1000;
	p.channels[1].mode = 2;
	p.flags = 1;
	CHECK(call(vm, GK_SET_PIT2, &p) == 0, "set");
	p.flags = 9;
	CHECK(call(vm, GK_SET_PIT, &p) == 0 && call(vm, GK_GET_PIT2, &p) == 0, "set by the old call");
	CHECK(p.flags == 1 && p.channels[2].count == 0x10000 && p.channels[1].count == 1000 && p.channels[1].mode == 2, "kept");
	end();
}

static void slots(const char *name, int unknown)
{
	static uint8_t memory[2 * PAGE] __attribute__((aligned(PAGE)));
	struct gk_userspace_memory_region2 r = { .memory_size = PAGE, .userspace_addr = (uintptr_t)memory };

	start(name, false);
	CHECK(call(vm, GK_SET_USER_MEMORY_REGION2, &r) == unknown, "%s", name);
	if (!unknown) {
		r.slot = 1;
		CHECK(call(vm, GK_SET_USER_MEMORY_REGION2, &r) == -EEXIST, "the same place");
		r.guest_phys_addr = PAGE;
		r.flags = 4;
		CHECK(call(vm, GK_SET_USER_MEMORY_REGION2, &r) == -EINVAL, "of a descriptor");
		CHECK(call(vm, GK_SET_USER_MEMORY_REGION2, NULL) == -EFAULT, "nowhere");
	}
	end();
}

static void arm64_events(const char *name, const char *kernel, bool early)
{
	struct gcpu_model_options options = { .size = sizeof(options), .kernel = kernel };
	struct gk_arm_vcpu_init init = { .target = GK_ARM_TARGET_GENERIC_V8 };
	struct gk_arm_vcpu_events e;
	struct gk_arm_guest_debug debug = { .control = 0x30003 };

	start_as(name, false, &options);
	CHECK(call(vcpu[0], GK_GET_VCPU_EVENTS, &e) == (early ? 0 : -ENOEXEC), "before KVM_ARM_VCPU_INIT");
	CHECK(call(vcpu[0], GK_ARM_VCPU_INIT, &init) == 0 && call(vcpu[0], GK_GET_VCPU_EVENTS, &e) == 0, "after it");
	CHECK(!e.serror_pending && e.serror_has_esr && !e.serror_esr, "none, and it would have a syndrome");
	e = (struct gk_arm_vcpu_events){ .serror_pending = 1, .serror_has_esr = 1, .serror_esr = 1ULL << 25 };
	CHECK(call(vcpu[0], GK_SET_VCPU_EVENTS, &e) == -EINVAL, "a syndrome that is none");
	e.serror_has_esr = 0;
	e.ext_dabt_pending = 1;
	CHECK(call(vcpu[0], GK_SET_VCPU_EVENTS, &e) == 0 && call(vcpu[0], GK_GET_VCPU_EVENTS, &e) == 0, "without one");
	CHECK(e.serror_pending && e.serror_esr == SERROR_OWN && !e.ext_dabt_pending, "an abort is not told of again");
	e.serror_esr = 0x1234;
	CHECK(call(vcpu[0], GK_SET_VCPU_EVENTS, &e) == 0, "with one");
	memset(&e, 0, sizeof(e));
	CHECK(call(vcpu[0], GK_SET_VCPU_EVENTS, &e) == 0 && call(vcpu[0], GK_GET_VCPU_EVENTS, &e) == 0, "none");
	CHECK(e.serror_pending && e.serror_esr == 0x1234, "what waits is not taken back");
	CHECK(call(vcpu[0], GK_ARM_VCPU_INIT, &init) == 0 && call(vcpu[0], GK_GET_VCPU_EVENTS, &e) == 0 && !e.serror_pending, "reset");
	CHECK(call(vcpu[0], GK_ARM_SET_GUEST_DEBUG, &debug) == 0, "debug");
	debug.control |= 4;
	CHECK(call(vcpu[0], GK_ARM_SET_GUEST_DEBUG, &debug) == -EINVAL, "in a way that there is not");
	end();
}

static int line(unsigned type, unsigned cpu, unsigned n)
{
	struct gk_irq_level l = { type << 24 | cpu << 16 | n, 1 };

	return call(vm, GK_IRQ_LINE, &l);
}

static void arm64_lines(const char *name)
{
	struct gk_create_device gic = { .type = GK_DEV_TYPE_ARM_VGIC_V3 };

	start(name, false);
	CHECK(line(0, 1, 1) == 0 && line(0, 2, 0) == -EINVAL && line(0, 0, 2) == -EINVAL, "of a vCPU");
	CHECK(line(1, 0, 40) == -ENXIO && line(2, 0, 20) == -ENXIO && line(3, 0, 40) == -EINVAL, "no vGIC");
	CHECK(call(vm, GK_CREATE_DEVICE, &gic) == 0, "a vGIC");
	CHECK(line(0, 0, 0) == -ENXIO && line(1, 0, 31) == -EINVAL && line(2, 0, 32) == -EINVAL && line(2, 3, 20) == -EINVAL, "bounds");
	CHECK(line(1, 0, 40) == -EBUSY, "that is not ready");
	end();
}

static void no_model(void)
{
	struct gcpu_guest_op op;

	CHECK(!gcpu_model_kvm(NULL) && !gcpu_model_host(NULL) && !gcpu_model_of(NULL), "no model");
	CHECK(gcpu_model_guest(NULL, 0, &op, 1) == GCPU_ERR_ARGUMENT, "nor its guest");
}

int main(void)
{
	no_model();
	x86_events("x86-amd-rome-6-12", true, 2);
	x86_events("x86-amd-rome-6-1", true, 1);
	x86_smm_and_sipi("x86-amd-rome-6-12");
	x86_init_in_smm("x86-amd-rome-6-12", NULL);
	x86_init_in_smm("x86-amd-rome-6-12", "6.18");
	pit("x86-amd-rome-6-12");
	slots("x86-amd-rome-6-1", -ENOTTY);
	slots("arm64-kvm-max-6-1", -EINVAL);
	slots("x86-amd-rome-6-12", 0);
	slots("arm64-kvm-max-6-12", 0);
	arm64_events("arm64-kvm-max-6-12", "6.12.5", true);
	arm64_events("arm64-kvm-max-6-12", NULL, false);
	arm64_events("arm64-kvm-max-7-2", NULL, false);
	arm64_lines("arm64-kvm-max-6-12");
	return unit_end();
}
