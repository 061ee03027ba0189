/* SPDX-License-Identifier: MIT */
/* Machines: impossible ones are refused with what would be possible. */
#include "unit.h"

#include "core/plan.h"

#include <limits.h>

/* A host whose KVM allows MOST vCPUs; 0: it does not say. */
static struct gcpu_snapshot *host(int most)
{
	struct gcpu_snapshot *s = snapshot_new(GCPU_ARCH_X86);
	struct snap_cap *c = s ? list_add(&s->caps_system, sizeof(*c)) : NULL;

	if (!c)
		exit(1);
	c->number = CAP_MAX_VCPUS;
	c->value = most;
	return s;
}

struct topology {
	unsigned vcpus, sockets, dies, cores, threads;
};

static const struct {
	struct topology in;
	int status;
	struct topology out;
} cases[] = {
	/* 0 means 1, and sockets follow */
	{ { 1, 0, 0, 0, 0 }, 0, { 1, 1, 1, 1, 1 } },
	{ { 8, 0, 0, 0, 0 }, 0, { 8, 8, 1, 1, 1 } },
	{ { 8, 0, 0, 4, 2 }, 0, { 8, 1, 1, 4, 2 } },
	{ { 8, 0, 2, 2, 1 }, 0, { 8, 2, 2, 2, 1 } },
	{ { 12, 3, 1, 2, 2 }, 0, { 12, 3, 1, 2, 2 } },
	{ { 64, 1, 1, 64, 1 }, 0, { 64, 1, 1, 64, 1 } },
	/* counts that do not multiply to the vCPUs */
	{ { 8, 1, 1, 4, 1 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 8, 3, 1, 2, 1 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 7, 0, 1, 2, 1 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 1, 0, 1, 2, 1 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 1, 2, 1, 1, 1 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 4, 1, 1, 1, 8 }, GCPU_ERR_MACHINE, { 0 } },
	/* too many, and none */
	{ { 0, 0, 0, 0, 0 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 65, 0, 0, 0, 0 }, GCPU_ERR_MACHINE, { 0 } },
	{ { UINT_MAX, 0, 0, 0, 0 }, GCPU_ERR_MACHINE, { 0 } },
	/* products that would wrap around 32 bits to the right number */
	{ { 1, 1, 65536, 65536, 1 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 1, UINT_MAX, UINT_MAX, 1, 1 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 2, 2, 1U << 31, 2, 1 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 4, 4096, 4096, 4096, 4096 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 4, 0, 4096, 4096, 4096 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 4, 0, 4096, 1024, 1024 }, GCPU_ERR_MACHINE, { 0 } },
	{ { 1, 4097, 1, 1, 1 }, GCPU_ERR_MACHINE, { 0 } },
};

static void test_topologies(void)
{
	struct gcpu_snapshot *s = host(64);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct topology *t = &cases[i].in, *o = &cases[i].out;
		struct gcpu_error err = { 0 };
		struct gcpu_machine m;
		int status;

		gcpu_machine_init(&m);
		m.vcpus = t->vcpus;
		m.sockets = t->sockets;
		m.dies = t->dies;
		m.cores = t->cores;
		m.threads = t->threads;
		status = machine_check(s, &m, &err);
		CHECK(status == cases[i].status, "case %zu: %d %s", i, status, err.text);
		if (status) {
			CHECK(err.code == status && err.text[0] && err.os_error == 0, "case %zu: %d '%s'", i,
			      err.code, err.text);
			continue;
		}
		CHECK(m.vcpus == o->vcpus && m.sockets == o->sockets && m.dies == o->dies &&
			      m.cores == o->cores && m.threads == o->threads,
		      "case %zu: %u = %u x %u x %u x %u", i, m.vcpus, m.sockets, m.dies, m.cores, m.threads);
	}
	gcpu_snapshot_free(s);
}

/* What one machine with a change makes. */
static int check_one(int most, void (*change)(struct gcpu_machine *, uint64_t), uint64_t value,
		     struct gcpu_error *err)
{
	struct gcpu_snapshot *s = host(most);
	struct gcpu_machine m;
	int status;

	memset(err, 0, sizeof(*err));
	gcpu_machine_init(&m);
	change(&m, value);
	status = machine_check(s, &m, err);
	gcpu_snapshot_free(s);
	return status;
}

static void set_vcpus(struct gcpu_machine *m, uint64_t v)
{
	m->vcpus = (unsigned)v;
}

static void set_leaf(struct gcpu_machine *m, uint64_t v)
{
	m->kvm_leaf = (uint32_t)v;
}

static void set_exits(struct gcpu_machine *m, uint64_t v)
{
	m->disable_exits = (uint32_t)v;
}

static void set_irqchip(struct gcpu_machine *m, uint64_t v)
{
	m->irqchip = (enum gcpu_irqchip)v;
}

static void set_gic(struct gcpu_machine *m, uint64_t v)
{
	m->gic = (enum gcpu_gic)v;
}

static void test_limits(void)
{
	struct gcpu_error err;

	CHECK(check_one(8, set_vcpus, 8, &err) == 0, "%s", err.text);
	CHECK(check_one(8, set_vcpus, 9, &err) == GCPU_ERR_MACHINE, "9 of 8");
	CHECK(strstr(err.expected, "8"), "says what KVM allows: '%s'", err.expected);
	/* a KVM that says nothing, or more than the library holds */
	CHECK(check_one(0, set_vcpus, GCPU_MAX_VCPUS, &err) == 0, "%s", err.text);
	CHECK(check_one(0, set_vcpus, GCPU_MAX_VCPUS + 1, &err) == GCPU_ERR_MACHINE, "beyond ours");
	CHECK(check_one(INT_MAX, set_vcpus, GCPU_MAX_VCPUS + 1, &err) == GCPU_ERR_MACHINE, "beyond ours");
	CHECK(check_one(-5, set_vcpus, 1, &err) == 0, "a KVM with a strange answer: %s", err.text);

	CHECK(check_one(8, set_leaf, 0x40000000, &err) == 0, "%s", err.text);
	CHECK(check_one(8, set_leaf, 0x40000100, &err) == 0, "%s", err.text);
	CHECK(check_one(8, set_leaf, 0x4000ff00, &err) == 0, "%s", err.text);
	CHECK(check_one(8, set_leaf, 0x40000080, &err) == GCPU_ERR_MACHINE, "between the steps");
	CHECK(check_one(8, set_leaf, 0x40010000, &err) == GCPU_ERR_MACHINE, "too high");
	CHECK(check_one(8, set_leaf, 0x3fffff00, &err) == GCPU_ERR_MACHINE, "too low");
	CHECK(check_one(8, set_leaf, 1, &err) == GCPU_ERR_MACHINE, "a basic leaf");

	for (unsigned i = 0; gcpu_exit_name(i); i++)
		CHECK(check_one(8, set_exits, 1U << gcpu_exit_by_name(gcpu_exit_name(i)), &err) == 0, "%s",
		      err.text);
	CHECK(check_one(8, set_exits, 1U << 31, &err) == GCPU_ERR_MACHINE, "no such exit");

	CHECK(check_one(8, set_irqchip, GCPU_IRQCHIP_NONE, &err) == 0, "%s", err.text);
	CHECK(check_one(8, set_irqchip, GCPU_IRQCHIP_NONE + 1, &err) == GCPU_ERR_ARGUMENT, "irqchip 4");
	CHECK(check_one(8, set_irqchip, (uint64_t)-1, &err) == GCPU_ERR_ARGUMENT, "irqchip -1");
	CHECK(check_one(8, set_gic, GCPU_GIC_V3 + 1, &err) == GCPU_ERR_ARGUMENT, "GIC 3");
}

static void test_names(void)
{
	CHECK(gcpu_exit_by_name("hlt") == 1 && gcpu_exit_by_name("HLT") == 1, "hlt");
	CHECK(gcpu_exit_by_name("mwait") == 0, "mwait");
	CHECK(gcpu_exit_by_name("") == -1 && gcpu_exit_by_name("hl") == -1, "none");
	CHECK(gcpu_handle_by_name("map_gpa_range") == 1, "map-gpa-range");
	CHECK(gcpu_handle_by_name("nothing") == -1, "none");
	CHECK(!gcpu_exit_name(1000) && !gcpu_handle_name(1000), "past the end");
}

int main(void)
{
	test_topologies();
	test_limits();
	test_names();
	return unit_end();
}
