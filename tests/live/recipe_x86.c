/* SPDX-License-Identifier: MIT */
/*
 * A recipe against this machine's KVM: a vCPU with an id above 255 that is plugged in later, and
 * what the recipe says of 32-bit APIC ids. Exit status 0, 1, or 77 with a reason.
 */
#include "../unit/unit.h"
#include "live_kvm.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define VCPUS 301
#define STARTED 44
#define PLUGGED 300 /* the same 8-bit id */
#define LAPIC_SPIV 0xf0
#define LAPIC_IRR 0x200
#define X2APIC_MODE 0xc00 /* enabled, and in x2APIC mode */

static struct gcpu_snapshot *snap;
static int kvm_fd;

static struct gcpu_plan *plan(unsigned vcpus, int ids)
{
	struct gcpu_request *req = NULL;
	struct gcpu_plan *p = NULL;
	struct gcpu_machine m;
	struct gcpu_error err = { 0 };

	gcpu_machine_init(&m);
	m.irqchip = GCPU_IRQCHIP_SPLIT;
	m.vcpus = vcpus;
	m.accept_x2apic_ids = ids;
	m.handles = 1U << gcpu_handle_by_name("msi-ext-dest-id");
	CHECK(gcpu_request_parse(GCPU_ARCH_X86, "host", &req, &err) == 0, "%s", err.text);
	CHECK(gcpu_plan_make(snap, req, &m, &p, &err) == 0, "%s", err.text);
	CHECK(!gcpu_plan_refused(p), "refused");
	gcpu_request_free(req);
	return p;
}

struct wanted {
	const char *call, *about, *arg;
	uint64_t value;
	unsigned found;
};

static int look(void *ctx, const struct gcpu_step *s)
{
	struct wanted *w = ctx;

	if (s->phase != GCPU_PHASE_RUN || strcmp(s->call, w->call) != 0)
		return 0;
	for (unsigned i = 0; i < s->n_args; i++)
		if (s->args[i].text && strcmp(s->args[i].text, w->about) == 0)
			for (unsigned k = 0; k < s->n_args; k++)
				if (strcmp(s->args[k].name, w->arg) == 0) {
					w->value = s->args[k].value;
					w->found++;
				}
	return 0;
}

/* What the recipe says. */
static uint32_t says(const struct gcpu_plan *p, const char *call, const char *about, const char *arg)
{
	struct wanted w = { call, about, arg, 0, 0 };

	gcpu_plan_recipe(p, look, &w);
	CHECK(w.found == 1, "%s of %s: %s", about, call, arg);
	return (uint32_t)w.value;
}

static uint32_t lowest(uint32_t mask)
{
	return mask & -mask;
}

static uint32_t *lapic_register(struct kvm_lapic_state *s, uint32_t offset)
{
	return (uint32_t *)(void *)(s->regs + offset);
}

/* As the guest's own code would: software enable, then the mode. In this order: without 32-bit
 * ids KVM 6.1 takes 8 bits of its id back from the state of a vCPU in x2APIC mode. */
static void enable_apic(int vcpu, bool x2apic)
{
	struct kvm_lapic_state s;
	struct kvm_sregs r;

	CHECK(ioctl(vcpu, KVM_GET_LAPIC, &s) == 0, "errno %d", errno);
	*lapic_register(&s, LAPIC_SPIV) |= 0x1ff;
	CHECK(ioctl(vcpu, KVM_SET_LAPIC, &s) == 0, "errno %d", errno);
	if (!x2apic)
		return;
	CHECK(ioctl(vcpu, KVM_GET_SREGS, &r) == 0, "errno %d", errno);
	r.apic_base |= X2APIC_MODE;
	CHECK(ioctl(vcpu, KVM_SET_SREGS, &r) == 0, "errno %d", errno);
}

static int vector = 0x20; /* of the last MSI */

/* How many vCPUs got an MSI; a negative errno if KVM does not take it. */
static int signal_msi(int vm, uint32_t lo, uint32_t hi)
{
	struct kvm_msi msi = { .address_lo = lo, .address_hi = hi, .data = (uint32_t)++vector };
	int n = ioctl(vm, KVM_SIGNAL_MSI, &msi);

	return n < 0 ? -errno : n;
}

/* Is the last MSI there? */
static bool got_it(int vcpu)
{
	struct kvm_lapic_state s;

	CHECK(ioctl(vcpu, KVM_GET_LAPIC, &s) == 0, "errno %d", errno);
	return *lapic_register(&s, LAPIC_IRR + (uint32_t)vector / 32 * 0x10) >> vector % 32 & 1;
}

static int route_msi(int vm, uint32_t lo, uint32_t hi)
{
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + sizeof(r->entries[0]));
	int status;

	if (!r)
		exit(1);
	r->nr = 1;
	r->entries[0].gsi = 30;
	r->entries[0].type = KVM_IRQ_ROUTING_MSI;
	r->entries[0].u.msi.address_lo = lo;
	r->entries[0].u.msi.address_hi = hi;
	r->entries[0].u.msi.data = 0x41;
	status = ioctl(vm, KVM_SET_GSI_ROUTING, r) < 0 ? -errno : 0;
	free(r);
	return status;
}

/* The guest's MSI to vCPU PLUGGED, as the recipe wants it given to KVM: reaches it and no other. */
static void check_msis(const struct gcpu_plan *p, int vm, int started, int plugged)
{
	static const char *const calls[] = { "KVM_SIGNAL_MSI", "KVM_SET_GSI_ROUTING" };
	uint32_t guest = 0xfee00000 | (PLUGGED & 0xff) << 12 | (PLUGGED >> 8) << 5;

	/* undecoded it goes astray; two with this id in xAPIC mode, and one gets it */
	CHECK(signal_msi(vm, guest, 0) == 1 && got_it(started) && !got_it(plugged), "as it is");
	for (int i = 0; i < 2; i++) {
		uint32_t from = says(p, calls[i], "kvm-msi-ext-dest-id", "address_lo");
		uint32_t to = says(p, calls[i], "kvm-msi-ext-dest-id", "address_hi");
		uint32_t lo = guest & ~from, hi = (guest & from) / lowest(from) * lowest(to);
		int (*const give)(int, uint32_t, uint32_t) = i ? route_msi : signal_msi;

		CHECK(signal_msi(vm, lo, hi) == 1 && got_it(plugged) && !got_it(started), "%s", calls[i]);
		CHECK(give(vm, lo, hi) == !i, "%s", calls[i]);
		from = says(p, calls[i], "X2APIC_API", "address_hi");
		CHECK(give(vm, lo, hi | lowest(~from)) == -EINVAL, "%s takes what no id may have", calls[i]);
		lo = 0xfee00000 | (PLUGGED & 0xff) * lowest(says(p, calls[i], "X2APIC_API", "address_lo"));
		hi = (PLUGGED >> 8) * lowest(from);
		CHECK(signal_msi(vm, lo, hi) == 1 && got_it(plugged), "%s, id put in", calls[i]);
		CHECK(give(vm, lo, hi) == !i, "%s, id put in", calls[i]);
	}
}

/* The id in the state of an APIC in x2APIC mode. */
static void check_lapic(const struct gcpu_plan *p, int vcpu)
{
	uint32_t get = says(p, "KVM_GET_LAPIC", "X2APIC_API", "offset");
	uint32_t set = says(p, "KVM_SET_LAPIC", "X2APIC_API", "offset");
	struct kvm_lapic_state s;

	CHECK(ioctl(vcpu, KVM_GET_LAPIC, &s) == 0, "errno %d", errno);
	CHECK(*lapic_register(&s, get) == PLUGGED, "id 0x%x", *lapic_register(&s, get));
	CHECK(ioctl(vcpu, KVM_SET_LAPIC, &s) == 0, "errno %d", errno);
	*lapic_register(&s, set) = (uint32_t)PLUGGED << 24;
	errno = 0;
	CHECK(ioctl(vcpu, KVM_SET_LAPIC, &s) < 0 && errno == EINVAL, "the 8-bit form: errno %d", errno);
	*lapic_register(&s, set) = PLUGGED + 1;
	errno = 0;
	CHECK(ioctl(vcpu, KVM_SET_LAPIC, &s) < 0 && errno == EINVAL, "another's id: errno %d", errno);
}

/* Fields of which KVM has another value than the plan: what this KVM forces. */
static int compare(void *ctx, const struct gcpu_result *r)
{
	if (r->has_kvm && r->kvm != r->planned) {
		unit_write(ctx, r->name, strlen(r->name));
		unit_write(ctx, "\n", 1);
	}
	return 0;
}

static struct unit_text read_back(const struct gcpu_plan *p, int fd, unsigned vcpu)
{
	struct unit_text forced = { 0 };
	struct gcpu_summary sum = { 0 };
	struct gcpu_view *v = NULL;
	struct gcpu_error err = { 0 };

	CHECK(gcpu_view_new(p, vcpu, &v) == 0, "view");
	CHECK(gcpu_plan_readback(p, gcpu_kvm_real(), fd, v, &err) == 0, "%s", err.text);
	unit_write(&forced, "", 0);
	CHECK(gcpu_verify(p, &v, 1, compare, &forced, &sum) == 0 && sum.total, "vCPU %u", vcpu);
	gcpu_view_free(v);
	return forced;
}

static uint32_t topology_id(int vcpu)
{
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + 256 * sizeof(t->entries[0]));
	uint32_t id = UINT32_MAX;

	if (!t)
		exit(1);
	t->nent = 256;
	CHECK(ioctl(vcpu, KVM_GET_CPUID2, t) == 0, "errno %d", errno);
	for (uint32_t i = 0; i < t->nent; i++)
		if (t->entries[i].function == 0xb && t->entries[i].index == 0)
			id = t->entries[i].edx;
	free(t);
	return id;
}

static void plug(void)
{
	struct gcpu_plan *p = plan(VCPUS, 1);
	int vcpus[VCPUS];
	struct gcpu_fds fds = { .size = sizeof(fds), .kvm = kvm_fd, .vcpus = vcpus, .gic = -1 };
	struct gcpu_error err = { 0 };
	struct unit_text before, after;
	int first;

	for (unsigned i = 0; i < VCPUS; i++)
		vcpus[i] = -1;
	CHECK(gcpu_plan_apply(p, GCPU_PHASE_PROCESS, gcpu_kvm_real(), &fds, &err) == 0, "%s", err.text);
	fds.vm = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	CHECK(gcpu_plan_apply(p, GCPU_PHASE_VM, gcpu_kvm_real(), &fds, &err) == 0, "%s", err.text);
	first = vcpus[STARTED] = ioctl(fds.vm, KVM_CREATE_VCPU, gcpu_plan_vcpu_id(p, STARTED));
	for (int phase = GCPU_PHASE_ALL_VCPUS; phase <= GCPU_PHASE_VCPU; phase++)
		CHECK(gcpu_plan_apply(p, (enum gcpu_phase)phase, gcpu_kvm_real(), &fds, &err) == 0, "%s", err.text);
	before = read_back(p, first, STARTED);
	enable_apic(first, false);

	/* now it runs, and gets another */
	CHECK(gcpu_plan_vcpu_id(p, PLUGGED) == PLUGGED, "id %u", gcpu_plan_vcpu_id(p, PLUGGED));
	vcpus[STARTED] = -1;
	vcpus[PLUGGED] = ioctl(fds.vm, KVM_CREATE_VCPU, PLUGGED);
	CHECK(vcpus[PLUGGED] >= 0, "errno %d", errno);
	CHECK(gcpu_plan_apply(p, GCPU_PHASE_ALL_VCPUS, gcpu_kvm_real(), &fds, &err) == 0, "%s", err.text);
	CHECK(gcpu_plan_apply(p, GCPU_PHASE_VCPU, gcpu_kvm_real(), &fds, &err) == 0, "%s", err.text);
	after = read_back(p, vcpus[PLUGGED], PLUGGED);
	CHECK(strcmp(before.s, after.s) == 0, "other fields are forced: before %safter %s", before.s, after.s);
	CHECK(topology_id(first) == STARTED && topology_id(vcpus[PLUGGED]) == PLUGGED, "ids %u and %u",
	      topology_id(first), topology_id(vcpus[PLUGGED]));

	/* in xAPIC mode already it is reached by its whole id, and not by 8 bits of it */
	enable_apic(vcpus[PLUGGED], false);
	check_msis(p, fds.vm, first, vcpus[PLUGGED]);
	enable_apic(first, true);
	enable_apic(vcpus[PLUGGED], true);
	check_msis(p, fds.vm, first, vcpus[PLUGGED]);
	check_lapic(p, vcpus[PLUGGED]);
	close(vcpus[PLUGGED]);
	close(first);
	close(fds.vm);
	free(before.s);
	free(after.s);
	gcpu_plan_free(p);
}

static int is_warning(void *ctx, const struct gcpu_finding *f)
{
	(void)ctx;
	return strcmp(f->id, "pv-msi-ext-ids") == 0;
}

/* What the warning says: such an MSI finds nobody, decoded or not. */
static void no_ids(void)
{
	uint32_t lo = 0xfee00000 | (PLUGGED & 0xff) << 12;
	struct gcpu_plan *p = plan(1, 0);
	int vcpu;
	struct gcpu_fds fds = { .size = sizeof(fds), .kvm = kvm_fd, .vcpus = &vcpu, .gic = -1 };
	struct gcpu_error err = { 0 };

	CHECK(gcpu_plan_findings(p, is_warning, NULL) == 1, "no warning");
	fds.vm = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	CHECK(gcpu_plan_apply(p, GCPU_PHASE_VM, gcpu_kvm_real(), &fds, &err) == 0, "%s", err.text);
	vcpu = ioctl(fds.vm, KVM_CREATE_VCPU, PLUGGED);
	CHECK(gcpu_plan_apply(p, GCPU_PHASE_VCPU, gcpu_kvm_real(), &fds, &err) == 0, "%s", err.text);
	enable_apic(vcpu, true);
	CHECK(signal_msi(fds.vm, lo | (PLUGGED >> 8) << 5, 0) == 0, "as it is");
	CHECK(signal_msi(fds.vm, lo, PLUGGED & 0xffffff00) == 0, "decoded");
	close(vcpu);
	close(fds.vm);
	gcpu_plan_free(p);
}

int main(void)
{
	struct gcpu_error err = { 0 };

	kvm_fd = live_kvm(gcpu_kvm_real(), "live-recipe");
	if (kvm_fd < 0)
		return SKIPPED;
	CHECK(gcpu_snapshot_probe(gcpu_kvm_real(), kvm_fd, NULL, &snap, &err) == 0, "%s", err.text);
	if (snap) {
		plug();
		no_ids();
	}
	gcpu_snapshot_free(snap);
	close(kvm_fd);
	return unit_end();
}
