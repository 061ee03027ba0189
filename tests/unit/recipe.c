/* SPDX-License-Identifier: MIT */
/*
 * What a recipe leaves to the VMM: followed to the letter, it does what
 * Linux guests and KVM expect (cpuid.rst, msr.rst, hypercalls.rst, api.rst 7.7, io_apic.h).
 */
#include "unit.h"

#define MOST 64

struct steps {
	struct gcpu_step step[MOST];
	unsigned n, run;
	bool late; /* a step of another phase after one of the VMM's */
};

static int take(void *ctx, const struct gcpu_step *s)
{
	struct steps *all = ctx;

	CHECK(all->n < MOST, "too many steps");
	if (all->n < MOST)
		all->step[all->n++] = *s;
	all->late = all->late || (all->run && s->phase != GCPU_PHASE_RUN);
	all->run += s->phase == GCPU_PHASE_RUN;
	return 0;
}

/* The argument NAME of the one step of CALL that is about WHAT. */
static uint64_t number(const struct steps *all, const char *call, const char *what, const char *name)
{
	uint64_t value = 0;
	unsigned found = 0;

	for (unsigned i = 0; i < all->n; i++) {
		const struct gcpu_step *s = &all->step[i];
		bool about = false;

		for (unsigned k = 0; k < s->n_args; k++)
			about = about || (s->args[k].text && strcmp(s->args[k].text, what) == 0);
		for (unsigned k = 0; about && strcmp(s->call, call) == 0 && k < s->n_args; k++)
			if (strcmp(s->args[k].name, name) == 0) {
				value = s->args[k].value;
				found++;
			}
	}
	CHECK(found == 1, "%s of %s has %u arguments %s", call, what, found, name);
	return value;
}

/* Bits of VALUE under MASK, moved to the right. */
static uint64_t field(uint64_t value, uint64_t mask)
{
	CHECK(mask, "no bits");
	while (mask && !(mask & 1)) {
		mask >>= 1;
		value >>= 1;
	}
	return value & mask;
}

static uint64_t put(uint64_t value, uint64_t mask)
{
	uint64_t moved = value;

	for (uint64_t m = mask; m && !(m & 1); m >>= 1)
		moved <<= 1;
	CHECK((moved & ~mask) == 0, "0x%llx has no room", (unsigned long long)value);
	return moved & mask;
}

/* What KVM makes of an MSI in the 32-bit form. */
static uint32_t kvm_destination(uint32_t lo, uint32_t hi)
{
	CHECK((hi & 0xff) == 0, "KVM refuses address_hi 0x%x", hi);
	CHECK((lo & 0xfff00fff) == 0xfee00000, "no address of an MSI: 0x%x", lo);
	return (lo >> 12 & 0xff) | (hi & 0xffffff00);
}

/* A guest with the feature sends an MSI to ID: the VMM that follows the steps reaches it. */
static void msi(const struct steps *all, uint32_t id)
{
	static const char *const calls[] = { "KVM_SIGNAL_MSI", "KVM_SET_GSI_ROUTING" };
	/* as Linux composes them: apic.c and io_apic.c */
	uint32_t guest = 0xfee00000 | (id & 0xff) << 12 | (id >> 8) << 5;
	uint64_t rte = (uint64_t)(id & 0xff) << 56 | (uint64_t)(id >> 8) << 49;

	for (unsigned i = 0; i < 2; i++) {
		uint32_t from = (uint32_t)number(all, calls[i], "kvm-msi-ext-dest-id", "address_lo");
		uint32_t to = (uint32_t)number(all, calls[i], "kvm-msi-ext-dest-id", "address_hi");
		uint32_t lo = guest & ~from, hi = (uint32_t)put(field(guest, from), to);
		uint32_t low = (uint32_t)number(all, calls[i], "X2APIC_API", "address_lo");
		uint32_t high = (uint32_t)number(all, calls[i], "X2APIC_API", "address_hi");

		CHECK(kvm_destination(lo, hi) == id, "%s: to %u, not %u", calls[i], kvm_destination(lo, hi), id);
		/* a VMM that knows the id puts it in like this */
		lo = 0xfee00000 | (uint32_t)put(id & 0xff, low);
		hi = (uint32_t)put(id >> 8, high);
		CHECK(kvm_destination(lo, hi) == id, "%s: to %u, not %u", calls[i], kvm_destination(lo, hi), id);
	}
	CHECK(field(rte, number(all, calls[1], "kvm-msi-ext-dest-id", "rte_id")) == (id & 0xff), "entry, %u", id);
	CHECK(field(rte, number(all, calls[1], "kvm-msi-ext-dest-id", "rte_ext_id")) == id >> 8, "entry, %u", id);
}

static struct gcpu_plan *plan(const struct gcpu_snapshot *snap, const struct gcpu_machine *m,
			      const char *text, struct steps *all)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *p = NULL;
	struct gcpu_error err = { 0 };

	memset(all, 0, sizeof(*all));
	CHECK(gcpu_request_parse(gcpu_snapshot_arch(snap), text, &req, &err) == 0, "%s", err.text);
	CHECK(gcpu_plan_make(snap, req, m, &p, &err) == 0, "%s", err.text);
	CHECK(gcpu_plan_recipe(p, take, all) == 0, "recipe");
	CHECK(!all->late, "the VMM's own work comes last");
	gcpu_request_free(req);
	return p;
}

static int no_ioctl(void *ctx, int fd, unsigned long request, uintptr_t arg)
{
	(void)fd;
	(void)request;
	(void)arg;
	++*(unsigned *)ctx;
	return 0;
}

/* There is nothing to apply, and that is said. */
static void refused(const struct gcpu_plan *p)
{
	static const struct gcpu_kvm_ops ops = { .size = sizeof(ops), .ioctl = no_ioctl };
	unsigned calls = 0;
	struct gcpu_kvm kvm = { &ops, &calls };
	int vcpus[] = { 5 };
	struct gcpu_fds fds = { .size = sizeof(fds), .kvm = 3, .vm = 4, .vcpus = vcpus, .gic = -1 };
	struct gcpu_error err = { 0 };

	CHECK(gcpu_plan_apply(p, GCPU_PHASE_RUN, &kvm, &fds, &err) == GCPU_ERR_ARGUMENT, "%s", err.text);
	CHECK(err.code == GCPU_ERR_ARGUMENT && strstr(err.text, "caller's own work"), "%s", err.text);
	CHECK(gcpu_plan_apply(p, (enum gcpu_phase)(GCPU_PHASE_RUN + 1), &kvm, &fds, &err) == GCPU_ERR_ARGUMENT &&
	      strstr(err.text, "no such phase"), "%s", err.text);
	CHECK(calls == 0, "%u calls", calls);
}

static void all_of_it(const struct gcpu_snapshot *snap)
{
	struct gcpu_machine m;
	struct gcpu_plan *p;
	struct steps all;

	gcpu_machine_init(&m);
	m.irqchip = GCPU_IRQCHIP_SPLIT;
	m.handles = 7;
	m.accept_x2apic_ids = 1;
	p = plan(snap, &m, "host,+kvm-hc-map-gpa-range,+kvm-migration-control", &all);
	for (unsigned i = 0; i < all.n; i++) {
		const struct gcpu_step *s = &all.step[i];
		size_t n = strlen(s->why);

		CHECK((strcmp(s->scope, "vmm") == 0) == (s->phase == GCPU_PHASE_RUN), "%s: %s", s->call, s->scope);
		CHECK(n && s->why[n - 1] != '.', "%s: %s", s->call, s->why);
		/* which feature or capability it is about */
		CHECK(s->phase != GCPU_PHASE_RUN || (s->n_args && s->args[0].text), "%s", s->call);
	}
	CHECK(all.run == 11, "%u steps", all.run);
	for (unsigned id = 0; id < 32768; id = id * 2 + 1)
		msi(&all, id);
	msi(&all, 300);
	CHECK(number(&all, "KVM_EXIT_HYPERCALL", "kvm-hc-map-gpa-range", "nr") == 12, "hypercalls.rst");
	CHECK(number(&all, "KVM_EXIT_X86_RDMSR", "kvm-migration-control", "index") == 0x4b564d08, "msr.rst");
	CHECK(number(&all, "KVM_EXIT_X86_WRMSR", "kvm-migration-control", "index") == 0x4b564d08, "msr.rst");
	CHECK(number(&all, "KVM_EXIT_X86_RDMSR", "kvm-migration-control", "initial") == 1, "msr.rst");
	CHECK(number(&all, "KVM_GET_LAPIC", "X2APIC_API", "offset") == 0x20, "SDM, local APIC register map");
	CHECK(number(&all, "KVM_SET_LAPIC", "X2APIC_API", "offset") == 0x20, "SDM, local APIC register map");
	refused(p);
	gcpu_plan_free(p);
}

/* Nothing is left to a VMM that neither handles nor accepts anything, and has no memory to give. */
static void nothing(const struct gcpu_snapshot *snap)
{
	bool arm = gcpu_snapshot_arch(snap) == GCPU_ARCH_ARM64;
	struct steps all;
	struct gcpu_plan *p = plan(snap, NULL, arm ? "host,pv-time=off" : "host", &all);

	/* a vGIC has addresses, which no recipe knows */
	CHECK(all.n && all.run == arm, "%u steps, %u of them left to the VMM", all.n, all.run);
	CHECK(!arm || number(&all, "KVM_SET_DEVICE_ATTR", "KVM_DEV_ARM_VGIC_GRP_CTRL", "group") == 4, "uapi");
	refused(p);
	gcpu_plan_free(p);
}

int main(void)
{
	unsigned x86 = 0;

	for (unsigned i = 0; gcpu_snapshot_bundled_name(i); i++) {
		struct gcpu_snapshot *snap = NULL;
		struct gcpu_error err;

		if (gcpu_snapshot_bundled(gcpu_snapshot_bundled_name(i), &snap, &err)) {
			CHECK(false, "%s", err.text);
			continue;
		}
		if (gcpu_snapshot_arch(snap) == GCPU_ARCH_X86 && ++x86)
			all_of_it(snap);
		nothing(snap);
		gcpu_snapshot_free(snap);
	}
	CHECK(x86, "no host");
	return unit_end();
}
