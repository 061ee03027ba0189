/* SPDX-License-Identifier: MIT */
/*
 * What KVM refuses where the guest was not told of it: the whole matrix of
 * tables and accesses. What must come of each is known from pv.txt alone: an
 * access is refused exactly when its feature's bit is not in KVM's leaf. To its
 * host KVM may give 0 instead, never the value that the MSR had before.
 * KVM's cpuid.rst, api.rst 8.26 (KVM_CAP_ENFORCE_PV_FEATURE_CPUID).
 *
 * All that this host gives, on a plain machine: it is KVM that is judged,
 * whatever the user asked for.
 */
#include <stdio.h>
#include <string.h>

#include "core/plan.h"
#include "kvm/call.h"
#include "plain.h"

/* Bits of kvm-asyncpf's MSR that have a feature of their own. KVM's msr.rst. */
#define APF_VMEXIT 4ULL
#define APF_INT 8ULL
/* A value that every one of these MSRs takes: enabled with a structure at address 0, where this
 * guest has nothing; polling; vector 1; acknowledged. Not 0, which KVM lets its host write anywhere. */
#define TAKEN 1ULL
#define ACCESSES_MOST 64
#define MOVED_BY 0x100U

enum access_kind { READ, WRITE, CALL, HOST_WRITE, HOST_READ };

/* What came of an access. ZERO: its host was given 0. ODD: neither served nor refused as KVM refuses. */
enum came { REFUSED, SERVED, ZERO, ODD };

struct access {
	enum access_kind kind;
	uint32_t number;
	uint64_t value;
	uint32_t needs; /* bits of KVM's leaf, all of them */
};

/* A table, made from the plan's. */
struct variant {
	char name[80];
	const char *words;
	uint32_t clear;	 /* features taken out of it */
	bool moved;	 /* KVM's leaves elsewhere, another hypervisor's before them */
	bool highest_0;	 /* no highest leaf beside the signature */
	bool other;	 /* somebody else's signature, and leaves like KVM's */
	bool hidden;	 /* KVM is not told of */
	bool control;	 /* all is to be served that is to be had here */
	bool unenforced;
};

struct matrix {
	struct alive *alive;
	struct outcome *out;
	struct access list[ACCESSES_MOST];
	unsigned n;
	uint32_t planned; /* bits of KVM's leaf */
	unsigned tables, leaks, fails;
	unsigned held; /* MSRs that gave their host more than 0 */
	uint32_t found_moved; /* where the guest has found KVM's leaves too */
	bool hypercalls;
	char leak[120], fail[120]; /* the first */
	char control[120];
};

static uint32_t feature_bit(const struct alive *a, unsigned field)
{
	const struct field_fact *f = &a->facts->fields[field];

	return f->word == a->facts->fields[X86_F_KVMCLOCK1].word ? 1U << f->lsb : 0;
}

static void add(struct matrix *m, enum access_kind kind, uint32_t number, uint64_t value, uint32_t needs)
{
	if (m->n < COUNT(m->list))
		m->list[m->n++] = (struct access){ kind, number, value, needs };
}

/* Every access that KVM judges by a bit. */
static void make_accesses(struct matrix *m)
{
	const struct alive *a = m->alive;
	uint32_t apf = feature_bit(a, X86_F_KVM_ASYNCPF), apf_msr = pv_msr(a, X86_F_KVM_ASYNCPF, 0);

	for (unsigned i = 0; i < a->facts->n_pv; i++) {
		const struct pv_fact *f = &a->facts->pv[i];
		uint32_t bit = feature_bit(a, f->field);

		for (unsigned k = 0; strcmp(f->gate, "msr") == 0 && k < f->n_msrs; k++) {
			add(m, READ, f->msr[k], 0, bit);
			add(m, WRITE, f->msr[k], TAKEN, bit);
			add(m, HOST_WRITE, f->msr[k], TAKEN, bit);
			add(m, HOST_READ, f->msr[k], 0, bit);
		}
		for (unsigned k = 0; strcmp(f->gate, "hypercall") == 0 && m->hypercalls && k < f->n_calls; k++)
			add(m, CALL, f->call[k], 0, bit);
	}
	add(m, WRITE, apf_msr, APF_VMEXIT, apf | feature_bit(a, X86_F_KVM_ASYNCPF_VMEXIT));
	add(m, WRITE, apf_msr, APF_INT, apf | feature_bit(a, X86_F_KVM_ASYNCPF_INT));
}

static struct guest_op guest_access(const struct lab *lab, const struct access *a)
{
	if (a->kind == CALL)
		return op_hypercall(lab, a->number, 0, 0, 0, 0);
	return a->kind == READ ? OP_RDMSR(a->number) : OP_WRMSR(a->number, a->value);
}

static bool of_host(const struct access *a)
{
	return a->kind == HOST_WRITE || a->kind == HOST_READ;
}

static enum came guest_came(const struct access *a, const struct guest_op *op)
{
	if (op_done(op))
		return a->kind != CALL || op->res[0] != HC_ENOSYS ? SERVED : REFUSED;
	return a->kind != CALL && op_gp(op) ? REFUSED : ODD;
}

/* 0, or a negative errno, with which KVM has said nothing. */
static int host_access(const struct lab *lab, const struct access *a, enum came *ret)
{
	const struct gcpu_kvm *kvm = lab->alive->o->kvm;
	int vcpu = run_machine_vcpu(lab->vm, 0), r;
	uint64_t value = a->value;

	if (a->kind == HOST_WRITE)
		r = call_set_msr(kvm, vcpu, a->number, value);
	else
		r = call_get_msr(kvm, vcpu, a->number, &value);
	if (r < 0)
		return r;
	*ret = r ? REFUSED : value ? SERVED : ZERO;
	return 0;
}

static void describe(char *to, size_t size, const struct variant *v, const struct access *a)
{
	static const char *const what[] = { [READ] = "RDMSR", [WRITE] = "WRMSR", [CALL] = "hypercall",
					    [HOST_WRITE] = "KVM_SET_MSRS", [HOST_READ] = "KVM_GET_MSRS" };

	if (a->kind == CALL)
		snprintf(to, size, "%s: %s %u", v->name, what[a->kind], a->number);
	else
		snprintf(to, size, "%s: %s 0x%x", v->name, what[a->kind], a->number);
}

static void judge(struct matrix *m, const struct variant *v, const struct access *a, enum came came)
{
	uint32_t told = v->hidden ? 0 : m->planned & ~v->clear;
	bool wanted = (told & a->needs) == a->needs;
	bool served = came == SERVED || (came == ZERO && (wanted || v->control));

	m->held += a->kind == HOST_READ && wanted && came == SERVED;
	if (v->control) {
		if (!served && (m->planned & a->needs) == a->needs && !m->control[0])
			describe(m->control, sizeof(m->control), v, a);
	} else if (served && !wanted) {
		if (!m->leaks++)
			describe(m->leak, sizeof(m->leak), v, a);
	} else if (came == ODD || served != wanted) {
		if (!m->fails++)
			describe(m->fail, sizeof(m->fail), v, a);
	}
}

/* All accesses of the guest in one list, then those of its host. */
static int try_all(struct matrix *m, const struct variant *v, struct lab *lab)
{
	struct guest_op ops[ACCESSES_MOST];
	unsigned n = 0;

	for (unsigned i = 0; i < m->n; i++)
		if (!of_host(&m->list[i]))
			ops[n++] = guest_access(lab, &m->list[i]);
	if (lab_run(lab, 0, ops, n))
		return -1;
	n = 0;
	for (unsigned i = 0; i < m->n; i++)
		if (!of_host(&m->list[i]))
			judge(m, v, &m->list[i], guest_came(&m->list[i], &ops[n++]));
	for (unsigned i = 0; i < m->n; i++) {
		enum came came;
		int r = of_host(&m->list[i]) ? host_access(lab, &m->list[i], &came) : 0;

		/* refused is one that was not carried out; this is neither */
		if (r < 0)
			return -say(m->out, GCPU_ALIVE_INCONCLUSIVE, "%s: MSR 0x%x by the host: error %d", v->name,
				    m->list[i].number, -r);
		if (of_host(&m->list[i]))
			judge(m, v, &m->list[i], came);
	}
	return 0;
}

/* The guest looks for KVM as it is documented, and must find what the table has. */
static int look(struct matrix *m, const struct variant *v, struct lab *lab, struct cpuid_table *t)
{
	const struct snap_cpuid *kvm = table_kvm(t);
	struct kvm_found found;

	if (kvm_discover(lab, 0, &found))
		return -1;
	if (found.base != (kvm ? kvm->leaf - 1 : 0) || (kvm && found.features != kvm->regs[0])) {
		if (!m->fails++)
			snprintf(m->fail, sizeof(m->fail), "%s: the guest finds 0x%x at 0x%x", v->name,
				 found.features, found.base);
	}
	if (v->moved && found.base)
		m->found_moved = found.base;
	return 0;
}

/* From the plan's table to the variant's. False: it is the same. */
static bool edit(const struct matrix *m, const struct variant *v, struct cpuid_table *t)
{
	struct snap_cpuid *kvm = table_kvm(t);
	uint32_t regs[4];

	kvm_signature(regs);
	if (v->moved && kvm)
		table_move_kvm(t, MOVED_BY);
	if (v->moved || v->other) {
		regs[0] = KVM_LEAF_BASE + 1;
		regs[3] = ~regs[3];
		table_add(t, KVM_LEAF_BASE, regs);
		table_add(t, KVM_LEAF_BASE + 1, (const uint32_t[4]){ m->planned });
	}
	if (kvm)
		kvm->regs[0] &= ~v->clear;
	if (kvm && v->highest_0)
		table_leaf(t, kvm->leaf - 1)->regs[0] = 0;
	return v->moved || v->other || (kvm && (v->clear || v->highest_0));
}

/* While the guest is told of all: so that there is something to be seen, or not, afterwards. */
static int fill(const struct matrix *m, const struct lab *lab)
{
	enum came unused;
	int r = 0;

	for (unsigned i = 0; i < m->n && r >= 0; i++)
		if (m->list[i].kind == HOST_WRITE)
			r = host_access(lab, &m->list[i], &unused);
	return r < 0 ? say(m->out, GCPU_ALIVE_INCONCLUSIVE, "KVM_SET_MSRS: %s", answer(r)) : 0;
}

static int try_variant(struct matrix *m, const struct variant *v)
{
	struct lab_want want = { PLAIN };
	char words[80];
	struct cpuid_table t;
	struct lab lab;
	int r;

	snprintf(words, sizeof(words), ",kvm-pv-enforce-cpuid=%s%s", v->unenforced ? "off" : "on",
		 v->words ? v->words : "");
	want.words = words;
	r = lab_open(m->alive, &want, &lab, m->out) || table_planned(&lab, &t);
	if (!r && edit(m, v, &t)) {
		r = fill(m, &lab);
		if (!r)
			r = table_set(&lab, &t);
		if (r < 0)
			say(m->out, GCPU_ALIVE_INCONCLUSIVE, "%s: KVM_SET_CPUID2: %s", v->name, answer(r));
	}
	if (!r)
		r = look(m, v, &lab, &t) || try_all(m, v, &lab);
	m->tables += !v->control;
	lab_close(&lab);
	return r;
}

static int try_cleared(struct matrix *m, bool moved)
{
	const struct facts *f = m->alive->facts;

	for (unsigned i = 0; i < f->n_pv; i++) {
		struct variant v = { .clear = feature_bit(m->alive, f->pv[i].field) & m->planned, .moved = moved };

		snprintf(v.name, sizeof(v.name), "%s%s cleared", moved ? "moved, " : "",
			 f->fields[f->pv[i].field].name);
		if (v.clear && try_variant(m, &v))
			return -1;
	}
	return 0;
}

static int try_tables(struct matrix *m, struct lab *lab)
{
	const struct variant whole[] = {
		{ .name = "as planned" },
		{ .name = "all cleared", .clear = m->planned },
		{ .name = "highest leaf 0", .highest_0 = true },
		{ .name = "highest leaf 0, all cleared", .highest_0 = true, .clear = m->planned },
		{ .name = "moved", .moved = true },
		{ .name = "moved, all cleared", .moved = true, .clear = m->planned },
		{ .name = "no KVM leaves", .words = ",kvm=off", .hidden = true },
		/* KVM is never told of features here: what it once knew older kernels keep */
		{ .name = "another signature", .words = ",kvm=off", .hidden = true, .other = true },
	};
	struct variant control = { .name = "not enforced, all cleared", .clear = m->planned, .control = true };

	for (unsigned i = 0; i < COUNT(whole); i++)
		if (try_variant(m, &whole[i]))
			return -1;
	if (try_cleared(m, false) || try_cleared(m, true))
		return -1;
	/* Without enforcement it is served: it is enforcement that refuses, nothing else. */
	control.unenforced = lab_wrong(lab, true, false);
	return try_variant(m, &control);
}

static void prepare(struct matrix *m, const struct gcpu_plan *plan)
{
	const struct facts *f = m->alive->facts;

	for (unsigned i = 0; i < f->n_pv; i++) {
		struct gcpu_standing s = { .size = sizeof(s) };
		uint32_t bit = feature_bit(m->alive, f->pv[i].field);

		if (gcpu_plan_standing(plan, f->fields[f->pv[i].field].name, &s, NULL) == 0 && s.on)
			m->planned |= bit;
	}
	make_accesses(m);
}

static void works(const struct matrix *m)
{
	char found[40] = "";

	if (m->found_moved)
		snprintf(found, sizeof(found), "; leaves found at 0x%x too", m->found_moved);
	say(m->out, GCPU_ALIVE_WORKS, "%u accesses under each of %u tables, enforced: all as they should be%s%s", m->n, m->tables, found,
	    m->hypercalls ? "" : "; hypercalls not tried: this KVM answers none");
}

static void use(struct lab *lab, struct outcome *out)
{
	const struct alive_options *o = lab->alive->o;
	struct matrix m = { .alive = lab->alive, .out = out };

	if (gcpu_snapshot_capability(o->snapshot, CAP_ENFORCE_PV_FEATURE_CPUID) <= 0) {
		say(out, GCPU_ALIVE_UNTESTABLE, "this KVM cannot enforce: it lacks KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
		return;
	}
	m.hypercalls = alive_hypercalls(m.alive, out);
	if (!m.hypercalls && out->alive != GCPU_ALIVE_UNTESTABLE)
		return;
	prepare(&m, lab->plan);
	if (!m.planned) {
		say(out, GCPU_ALIVE_UNTESTABLE, "this KVM offers nothing that could be refused");
		return;
	}
	if (try_tables(&m, lab))
		return;
	if (m.leaks)
		say(out, GCPU_ALIVE_LEAKS, "%u tables x %u accesses, %u served to be refused, first %s", m.tables,
		    m.n, m.leaks, m.leak);
	else if (m.fails)
		say(out, GCPU_ALIVE_FAILS, "%u tables x %u accesses, %u wrong, first %s", m.tables, m.n,
		    m.fails, m.fail);
	else if (m.control[0])
		say(out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: refused, %s", m.control);
	else if (!m.held)
		say(out, GCPU_ALIVE_INCONCLUSIVE, "its control failed: KVM_GET_MSRS gives 0 for every MSR that was written");
	else
		works(&m);
}

const struct exercise exercise_enforcement = {
	.name = "enforcement", .kind = GCPU_EXERCISE_INTERFACE, .want = { PLAIN, .no_guest = true },
	.use = use,
};
