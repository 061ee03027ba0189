/* SPDX-License-Identifier: MIT */
/*
 * APIC ids above 254, which a vCPU that is still in xAPIC mode cannot have of
 * its own: xAPIC ids are 8 bits. KVM's errata.rst, "x2APIC".
 */
#include "facts_gen.h"
#include "kvm/abi_x86.h"
#include "lowcode.h"
#include "x86.h"

#define HIGH_ID 300
#define NOBODY (HIGH_ID + 1)
#define WAIT_MS 500

/* vCPU 0 in x2APIC mode, with which it can name any id. 0 or not. */
static int sender(struct lab *lab)
{
	int r = x2apic_enter(lab, 0);

	if (r == 0)
		say(lab->out, GCPU_ALIVE_INCONCLUSIVE,
		    "vCPU 0 was refused x2APIC mode, which is planned");
	return r == 1 ? 0 : -1;
}

/* Interrupts that come to vCPU 1 by an IPI and by an MSI to this id. */
static int reach(struct lab *lab, uint32_t id, int64_t ret[2])
{
	int64_t before = interrupts_now(lab, 1), between, after;
	int got;

	if (before < 0 || ipi(lab, 0, true, id, ICR_FIXED))
		return -1;
	between = interrupts_now(lab, 1);
	if (between < 0)
		return -1;
	got = msi_send(lab, id, APIC_VECTOR);
	if (got < 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SIGNAL_MSI: %d", got);
	after = interrupts_now(lab, 1);
	ret[0] = between - before;
	ret[1] = after - between;
	return after < 0 ? -1 : 0;
}

static void in_xapic_mode(struct lab *users, struct outcome *out)
{
	static const char *const words[2][2] = { { "not-reached", "by-msi" },
						 { "by-ipi", "reached" } };
	const struct apic_vm vm = { .ids = { 0, HIGH_ID }, .n = 2, .ids32 = true };
	int64_t right[2], wrong[2];
	struct lab lab;

	if (apic_vm_open(users, &vm, &lab) || sender(&lab) || apic_on(&lab, 1) ||
	    reach(&lab, (uint32_t)lab_wrong(&lab, NOBODY, HIGH_ID), wrong) ||
	    reach(&lab, HIGH_ID, right))
		goto out;
	if (wrong[0] || wrong[1])
		say(out, GCPU_ALIVE_INCONCLUSIVE,
		    "its control failed: what was sent to nobody's id came to id %d", HIGH_ID);
	else
		observe(out, words[right[0] == 1][right[1] == 1],
			"vCPU %d in xAPIC mode: %lld of 1 IPI, %lld of 1 MSI", HIGH_ID,
			(long long)right[0], (long long)right[1]);
out:
	lab_close(&lab);
}

#define MARK 0x5a

/* Where the plugged vCPU begins, in real mode: it leaves its mark. */
static volatile unsigned char *write_trampoline(struct lab *lab)
{
	static const unsigned char code[] = {
		0xc6, 0x06, LOW_DATA & 0xff, LOW_DATA >> 8, MARK, /* movb $MARK, LOW_DATA */
		LOW_END,
	};

	return low_code(lab, code, sizeof(code));
}

/* As VMMs do, which set all state of a vCPU. It is this that makes KVM find it under its id: KVM's
 * map of ids is older than the vCPU, and creation alone does not renew it. Left out, neither INIT
 * nor SIPI arrives, with the flag or without (Linux 6.1, 6.12, 6.18). */
static int set_lapic(struct lab *lab, unsigned vcpu)
{
	struct gk_lapic_state state;
	int r = lab_vcpu_ioctl(lab, vcpu, GK_GET_LAPIC, &state);

	if (r >= 0)
		r = lab_vcpu_ioctl(lab, vcpu, GK_SET_LAPIC, &state);
	return r < 0 ? say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_GET_LAPIC, KVM_SET_LAPIC: %d", r)
		     : 0;
}

static int plug(struct lab *lab)
{
	struct gcpu_error err = { 0 };

	if (run_machine_plug(lab->vm, &err))
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "it cannot be plugged: %s", err.text);
	return set_lapic(lab, 1);
}

/* It did not end. Its state tells a vCPU that nothing reached from one that is merely slow; asking
 * for that lets KVM take the INIT and SIPI that are pending. 1: it has ended after all. */
static int look_at_state(struct lab *lab)
{
	struct gk_mp_state mp = { 0 };
	int r = lab_vcpu_ioctl(lab, 1, GK_GET_MP_STATE, &mp);

	if (r < 0)
		return say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_GET_MP_STATE: %d", r) - 1;
	if (mp.mp_state == GK_MP_STATE_UNINITIALIZED)
		return observe(lab->out, "not-reached", "vCPU %d is uninitialised as before",
			       HIGH_ID) - 1;
	if (mp.mp_state == GK_MP_STATE_INIT_RECEIVED)
		return observe(lab->out, "init-only", "vCPU %d waits for its SIPI", HIGH_ID) - 1;
	/* its first instructions are code, of real mode */
	if (lab_on_model(lab))
		return observe(lab->out, "started", "vCPU %d runs; the software KVM executes no code of it", HIGH_ID) - 1;
	r = lab_ended(lab, 1, NULL, 0, lab_left(lab));
	if (r == 0)
		say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "vCPU %d began, and came to no end in time",
		    HIGH_ID);
	return r;
}

/* What became of the plugged vCPU. */
static void look(struct lab *lab, const volatile unsigned char *mark)
{
	int r = lab_ended(lab, 1, NULL, 0, WAIT_MS);

	if (r == 0)
		r = look_at_state(lab);
	if (r == 1 && *mark == MARK)
		observe(lab->out, "started",
			"vCPU %d ran its first code in real mode and left its mark", HIGH_ID);
	else if (r == 1)
		say(lab->out, GCPU_ALIVE_INCONCLUSIVE, "vCPU %d ended without its mark", HIGH_ID);
}

static void hotplug(struct lab *users, bool ids32)
{
	const struct apic_vm vm = {
		.ids = { 0, HIGH_ID }, .n = 2, .late = 1, .ids32 = ids32
	};
	const volatile unsigned char *mark;
	struct lab lab;

	if (apic_vm_open(users, &vm, &lab) || sender(&lab) || plug(&lab))
		goto out;
	mark = write_trampoline(&lab);
	if (lab_start(&lab, 1, NULL, 0))
		goto out;
	if (ipi(&lab, 0, true, HIGH_ID, ICR_ASSERT | ICR_INIT) == 0 &&
	    ipi(&lab, 0, true, HIGH_ID, ICR_ASSERT | ICR_STARTUP | LOW_CODE >> 12) == 0)
		look(&lab, mark);
out:
	lab_close(&lab);
}

static void hotplug_8bit(struct lab *users, struct outcome *out)
{
	(void)out;
	hotplug(users, false);
}

static void hotplug_32bit(struct lab *users, struct outcome *out)
{
	(void)out;
	hotplug(users, true);
}

/*
 * An IPI from a vCPU in x2APIC mode and an MSI, both to id 300, whose vCPU is in xAPIC mode; with
 * KVM_X2APIC_API_USE_32BIT_IDS. Words:
 *
 *   reached       both arrive. Linux 6.1 and later: an id that no xAPIC can have is matched with
 *                 the vCPU's x2APIC id, whatever its mode.
 *   by-ipi, by-msi, not-reached   one or none, as by hardware, which matches 8 bits. Seen on none.
 */
const struct exercise exercise_x2apic_id_in_xapic_mode = {
	.name = "x2apic-id-in-xapic-mode",
	.kind = GCPU_EXERCISE_BEHAVIOUR,
	.want = { .vcpus = 1, .no_guest = true },
	.use = in_xapic_mode,
};

/*
 * INIT and SIPI by x2APIC ICR to vCPU 300, plugged in while the guest ran, which is how a guest
 * brings it up; without KVM_X2APIC_API_USE_32BIT_IDS, and with it. Words:
 *
 *   started       it runs. With the flag: Linux 6.1 and later. Without: 6.1, whose map of ids has a
 *                 vCPU by an x2APIC id above 255 too, flag or not.
 *   not-reached   neither arrives. Without the flag: Linux 6.12 and later, whose map then has a
 *                 vCPU in xAPIC mode by the low 8 bits of its id alone.
 *   init-only     the SIPI does not arrive. Seen on none.
 */
const struct exercise exercise_hotplug_init_sipi = {
	.name = "hotplug-init-sipi",
	.kind = GCPU_EXERCISE_BEHAVIOUR,
	.want = { .vcpus = 1, .no_guest = true },
	.use = hotplug_8bit,
};
const struct exercise exercise_hotplug_init_sipi_32bit = {
	.name = "hotplug-init-sipi-32bit",
	.kind = GCPU_EXERCISE_BEHAVIOUR,
	.want = { .vcpus = 1, .no_guest = true },
	.use = hotplug_32bit,
};
