/* SPDX-License-Identifier: MIT */
/*
 * MSI_EXT_DEST_ID: the guest writes bits 14:8 of an APIC id into bits 11:5 of
 * an MSI's address. KVM looks at none of them: the VMM moves them to where
 * KVM's 32-bit form has them, as the plan's recipe says. Here we are the VMM,
 * and do what the recipe says and nothing else.
 *
 * That an MSI was delivered proves nothing, since without the bits it goes to
 * the vCPU whose id is that of the other modulo 256. So there is one, and
 * both count what they got. KVM's cpuid.rst, api.rst.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "facts_gen.h"
#include "kvm/abi.h"
#include "x86.h"

#define WIDE_ID 300U
#define NARROW_ID (WIDE_ID & 0xff)
/* Which is which in the lab. */
#define NARROW 0
#define WIDE 1

#define GSI 0
#define LOOKS 200 /* until nothing has arrived */
#define LOOK_MS 2

static const unsigned ids[] = { [NARROW] = NARROW_ID, [WIDE] = WIDE_ID };

struct post {
	struct lab *lab;
	struct outcome *out;
	uint32_t from, to; /* masks of the recipe; 0: it says nothing of the bits */
	int event;	   /* of the route, or -1 */
	uint64_t had[2];   /* interrupts so far */
};

/* Any of the vCPUs, as a set of bits. */
#define BY(vcpu) (1 << (vcpu))

static int take_step(void *ctx, const struct gcpu_step *s)
{
	struct post *p = ctx;
	bool ours = false;
	uint32_t from = 0, to = 0;

	if (s->phase != GCPU_PHASE_RUN || strcmp(s->call, "KVM_SIGNAL_MSI") != 0)
		return 0;
	for (unsigned i = 0; i < s->n_args; i++) {
		const struct gcpu_step_arg *a = &s->args[i];
		const char *feature = p->lab->alive->facts->fields[X86_F_KVM_MSI_EXT_DEST_ID].name;

		if (a->text && strcmp(a->text, feature) == 0)
			ours = true;
		if (strcmp(a->name, "address_lo") == 0)
			from = (uint32_t)a->value;
		else if (strcmp(a->name, "address_hi") == 0)
			to = (uint32_t)a->value;
	}
	if (ours) {
		p->from = from;
		p->to = to;
	}
	return 0;
}

/* What the guest writes to reach WIDE_ID. */
static struct gk_msi of_guest(void)
{
	const uint32_t id = NARROW_ID << 12 | (WIDE_ID >> 8) << 5;

	return (struct gk_msi){ .address_lo = (uint32_t)APIC_PAGE | id, .data = APIC_VECTOR };
}

/* What the VMM makes of it. */
static struct gk_msi decoded(const struct post *p)
{
	struct gk_msi m = of_guest();

	if (p->from && p->to)
		m.address_hi = (m.address_lo & p->from) / (p->from & -p->from) * (p->to & -p->to);
	m.address_lo &= ~p->from;
	return m;
}

/* Line GSI is this MSI, and no other line is anything. 0 or -errno. */
static int set_route(const struct lab *lab, const struct gk_msi *m)
{
	struct gk_irq_routing *r = calloc(1, sizeof(*r) + sizeof(r->entries[0]));
	int got;

	if (!r)
		return -ENOMEM;
	r->nr = 1;
	r->entries[0].gsi = GSI;
	r->entries[0].type = GK_IRQ_ROUTING_MSI;
	r->entries[0].u.msi.address_lo = m->address_lo;
	r->entries[0].u.msi.address_hi = m->address_hi;
	r->entries[0].u.msi.data = m->data;
	got = lab_vm_ioctl(lab, GK_SET_GSI_ROUTING, r);
	free(r);
	return got;
}

/* By the line, which an eventfd raises. 0 or -errno. */
static int by_route(struct post *p, const struct gk_msi *m)
{
	const uint64_t one = 1;
	int got = set_route(p->lab, m);

	if (got >= 0 && p->event < 0) {
		struct gk_irqfd f = { .gsi = GSI };

		p->event = eventfd(0, EFD_CLOEXEC);
		if (p->event < 0)
			return -errno;
		f.fd = (uint32_t)p->event;
		got = lab_vm_ioctl(p->lab, GK_IRQFD, &f);
	}
	if (got < 0)
		return got;
	return write(p->event, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

/* KVM's answer: by a line 0, else how many vCPUs got it; or -errno. */
static int sent(struct post *p, bool route, const struct gk_msi *m)
{
	return route ? by_route(p, m) : msi_signal(p->lab, m);
}

/* Let both take what is pending. Who has got one more, or -1. */
static int look(struct post *p)
{
	int who = 0;

	for (unsigned i = 0; i < COUNT(ids); i++) {
		struct guest_op ops[] = { OP_SPIN(p->lab->khz * LOOK_MS), OP(GUEST_OP_INTERRUPTS, 0) };

		if (lab_run(p->lab, i, ops, COUNT(ops)))
			return -1;
		if (ops[1].res[0] != p->had[i])
			who |= BY(i);
		p->had[i] = ops[1].res[0];
	}
	return who;
}

/* The same until somebody has, and then once more: whoever else got it has it by then. */
static int arrived(struct post *p)
{
	int who = 0, more;

	for (unsigned i = 0; i < LOOKS && who == 0; i++)
		who = look(p);
	more = who > 0 ? look(p) : 0;
	return who < 0 || more < 0 ? -1 : who | more;
}

/* Into x2APIC mode with the right id: 1, 0 it has none, negative: it went wrong. */
static int enter(struct lab *lab, unsigned vcpu)
{
	struct guest_op id = OP_RDMSR(X2APIC(APIC_ID));
	int r = x2apic_enter(lab, vcpu);

	if (r <= 0)
		return r;
	return lab_run(lab, vcpu, &id, 1) ? -1 : op_done(&id) && id.res[0] == ids[vcpu];
}

static const char *name_of(int who)
{
	return who == BY(NARROW) ? "the vCPU with its low 8 bits" : who ? "both vCPUs" : "nobody";
}

/* Undecoded it must not get there, decoded it must. */
static int deliver(struct post *p, bool route)
{
	const char *how = route ? "irqfd" : "KVM_SIGNAL_MSI";
	const struct gk_msi raw = of_guest(), right = decoded(p);
	const struct gk_msi *wrong = lab_wrong(p->lab, 1, 0) ? &raw : &right;
	int got, who;

	got = sent(p, route, wrong);
	if (got < 0)
		return say(p->out, GCPU_ALIVE_INCONCLUSIVE, "%s: %s", how, strerror(-got));
	who = arrived(p);
	if (who < 0)
		return -1;
	if (who & BY(WIDE))
		return say(p->out, GCPU_ALIVE_INCONCLUSIVE,
			   "its control failed: undecoded, an MSI to id %u gets there", WIDE_ID);
	/* It may be on its way still, and would be taken for the next. */
	if (!who)
		return say(p->out, GCPU_ALIVE_INCONCLUSIVE, "undecoded, an MSI to id %u by %s (result %d): %s got it",
			   WIDE_ID, how, got, name_of(who));
	got = sent(p, route, &right);
	if (got < 0)
		return say(p->out, GCPU_ALIVE_INCONCLUSIVE, "%s: %s", how, strerror(-got));
	who = arrived(p);
	if (who < 0)
		return -1;
	if (who == BY(WIDE) && (route || got == 1))
		return 0;
	/* It may be late; KVM's answer and a wrong receiver are beyond doubt. */
	return say(p->out, who || (!route && got < 1) ? GCPU_ALIVE_FAILS : GCPU_ALIVE_INCONCLUSIVE,
		   "decoded, an MSI to id %u by %s (result %d): %s got it", WIDE_ID, how, got, name_of(who));
}

static void exercise(struct lab *lab, struct outcome *out)
{
	struct post p = { .lab = lab, .out = out, .event = -1 };
	int wrong = 0;

	gcpu_plan_recipe(lab->plan, take_step, &p);
	for (unsigned i = 0; i < COUNT(ids); i++) {
		int r = enter(lab, i);

		if (r < 0)
			return;
		if (!r) {
			say(out, GCPU_ALIVE_INCONCLUSIVE, "vCPU %u cannot enter x2APIC mode", ids[i]);
			return;
		}
	}
	wrong = look(&p) < 0 || deliver(&p, false) || deliver(&p, true);
	if (p.event >= 0)
		close(p.event);
	if (!wrong)
		say(out, GCPU_ALIVE_WORKS,
		    "MSIs to id %u by KVM_SIGNAL_MSI and irqfd: undecoded id %u gets them, decoded %u", WIDE_ID,
		    NARROW_ID, WIDE_ID);
}

/*
 * A plan with that many vCPUs, of which two are there. Ids above 255 are for those who accept KVM's
 * 32-bit form: all others have no such plan.
 */
static void use(struct lab *lab, struct outcome *out)
{
	struct gcpu_machine machine = *lab->alive->o->machine;
	const struct lab_want want = { .machine = &machine, .run = { .vcpus = ids, .n = COUNT(ids) } };
	struct lab wide;

	if (!machine.accept_x2apic_ids) {
		say(out, GCPU_ALIVE_UNTESTABLE, "KVM takes ids above 255 in 32-bit form alone, which this plan does not ask for (--x2apic-ids)");
		return;
	}
	machine.vcpus = WIDE_ID + 1;
	machine.sockets = machine.dies = machine.modules = machine.cores = machine.threads = 0;
	if (lab_open(lab->alive, &want, &wide, out) == 0)
		exercise(&wide, out);
	lab_close(&wide);
}

/* An interrupt by its whole id reaches the vCPU, so that it has one and takes it: 1, 0, or -1. */
static int reachable(struct post *p)
{
	const uint64_t icr = (uint64_t)WIDE_ID << 32 | ICR_ASSERT | APIC_VECTOR;
	struct guest_op op = OP_WRMSR(X2APIC(APIC_ICR), icr);
	int who;

	if (look(p) < 0 || lab_run(p->lab, NARROW, &op, 1))
		return -1;
	who = arrived(p);
	return who < 0 ? -1 : who == BY(WIDE);
}

/* The recipe says nothing of the bits, so that nobody decodes them. */
static void refused(struct lab *lab, struct outcome *out)
{
	struct post p = { .lab = lab, .out = out, .event = -1 };
	struct gk_msi m;
	int r, who;

	gcpu_plan_recipe(lab->plan, take_step, &p);
	for (unsigned i = 0; i < COUNT(ids); i++) {
		r = enter(lab, i);
		if (r < 0)
			return;
		if (!r) {
			say(out, GCPU_ALIVE_UNTESTABLE, "without x2APIC no vCPU has an id above 255");
			return;
		}
	}
	r = reachable(&p);
	if (r <= 0) {
		if (r == 0)
			say(out, GCPU_ALIVE_INCONCLUSIVE, "not even an IPI reaches vCPU %u", WIDE_ID);
		return;
	}
	m = decoded(&p);
	r = sent(&p, false, &m);
	if (r < 0) {
		say(out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SIGNAL_MSI: %s", strerror(-r));
		return;
	}
	who = arrived(&p);
	if (who < 0)
		return;
	if (who & BY(WIDE))
		say(out, GCPU_ALIVE_LEAKS, "an MSI to id %u gets there", WIDE_ID);
	else if (!who && r > 0)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "%d vCPU got an MSI to id %u, and none has taken it", r, WIDE_ID);
	else
		say(out, GCPU_ALIVE_REFUSED, "an MSI to id %u, which an IPI reaches: %s got it", WIDE_ID,
		    name_of(who));
}

const struct exercise exercise_msi_ext_dest_id = {
	.name = "kvm-msi-ext-dest-id", .kind = GCPU_EXERCISE_FEATURE, .field = X86_F_KVM_MSI_EXT_DEST_ID,
	.want = { .vcpus = COUNT(ids), .run = { .ids = ids } }, .use = use, .refused = refused,
};
