/* SPDX-License-Identifier: MIT */
/*
 * Exercises on a host where something fails: each call of the seam in turn,
 * each allocation, each thread. An exercise must come to a verdict all the
 * same, and to none that it has not shown: a VM that was not to be had, in a
 * control least of all, is no refusal by KVM. Nothing is left behind.
 *
 * Linked with -Wl,--wrap for malloc and the like, as tests/unit/memory.c is.
 * Exit status 0, 1, or 77 without KVM.
 */
#include <pthread.h>
#include <time.h>

#include "../unit/unit.h"
#include "alive/lab.h"
#include "kvm/wrap.h"
#include "live_kvm.h"

#define LIMIT_MS 5000
#define QUICK 3      /* every so manieth call fails */
#define SPARSE 29    /* of those that take long */
#define DENSE 50     /* of those with very many, after so many calls fewer by that */
#define FEWER 60
#define ALLOCATIONS 12 /* that fail of one exercise */
#define SETTLE_MS 2000 /* what has ended may be counted for a moment yet */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);

/* What is counted, and which one fails, from 1. vCPUs have threads of their own. */
struct counter {
	int on, from_there;
	unsigned count, at;
	long live; /* made and not freed */
};

static struct counter memory, threads;

static bool spent(struct counter *c)
{
	unsigned n;

	if (!__atomic_load_n(&c->on, __ATOMIC_RELAXED))
		return false;
	n = __atomic_add_fetch(&c->count, 1, __ATOMIC_RELAXED);
	return n == c->at || (c->from_there && c->at && n > c->at);
}

static void *made(void *p)
{
	if (p && __atomic_load_n(&memory.on, __ATOMIC_RELAXED))
		__atomic_add_fetch(&memory.live, 1, __ATOMIC_RELAXED);
	return p;
}

void *__wrap_malloc(size_t n)
{
	return spent(&memory) ? NULL : made(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return spent(&memory) ? NULL : made(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	if (spent(&memory))
		return NULL;
	return p ? __real_realloc(p, n) : made(__real_malloc(n));
}

void __wrap_free(void *p)
{
	if (p && __atomic_load_n(&memory.on, __ATOMIC_RELAXED))
		__atomic_sub_fetch(&memory.live, 1, __ATOMIC_RELAXED);
	__real_free(p);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	return spent(&threads) ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

/* What came of an exercise. */
struct result {
	unsigned visits;
	enum gcpu_alive alive;
	char observed[40], witness[256];
};

/* A request on this machine, with the backend that fails, and what there was before. */
struct bench {
	struct alive_options o;
	struct gcpu_machine machine;
	struct gcpu_request *request;
	struct gcpu_plan *plan;
	struct fault *fault;
	bool refused; /* only what the request has not */
	unsigned fds, tasks;
	unsigned runs, struck;
};

/* A thread that was joined may be in the list a moment longer. */
static bool settles(const char *path, unsigned want)
{
	const struct timespec ms = { 0, 1000000 };

	for (unsigned i = 0; i < SETTLE_MS && unit_entries(path) != want; i++)
		nanosleep(&ms, NULL);
	return unit_entries(path) == want;
}

static int note(void *ctx, const struct gcpu_exercise *e)
{
	struct result *r = ctx;

	r->visits++;
	r->alive = e->alive;
	snprintf(r->observed, sizeof(r->observed), "%s", e->observed ? e->observed : "");
	snprintf(r->witness, sizeof(r->witness), "%s", e->witness ? e->witness : "");
	return 0;
}

static const char *shown(const struct result *r)
{
	return r->observed[0] ? r->observed : gcpu_alive_name(r->alive);
}

/* Once, whatever is to fail; what must hold of every run. */
static void run(struct bench *b, const struct exercise *e, const char *what, unsigned nth, struct result *r)
{
	struct gcpu_error err = { 0 };
	int status;

	memset(r, 0, sizeof(*r));
	b->o.only = e->name;
	b->o.ctx = r;
	status = alive_run(&b->o, &err);
	b->runs++;
	CHECK(status == 0 || status == GCPU_ERR_MEMORY, "%s, %s %u: %d %s", e->name, what, nth, status, err.text);
	CHECK(status || r->visits == 1, "%s, %s %u: %u results", e->name, what, nth, r->visits);
	CHECK(status || r->witness[0], "%s, %s %u: %s without a word", e->name, what, nth, shown(r));
	CHECK(settles("/proc/self/fd", b->fds), "%s, %s %u: %u descriptors, %u before", e->name, what, nth,
	      unit_entries("/proc/self/fd"), b->fds);
	CHECK(settles("/proc/self/task", b->tasks), "%s, %s %u: %u threads, %u before", e->name, what, nth,
	      unit_entries("/proc/self/task"), b->tasks);
	/* one that was left behind is told of once */
	b->fds = unit_entries("/proc/self/fd");
	b->tasks = unit_entries("/proc/self/task");
}

/* Exercises may come to the same without these: what is given back anyway; the clock's rate, for which
 * there is a guess; where a vCPU that hangs stands; the host's clock source, for the witness. */
static bool needless(const char *what)
{
	static const char *const names[] = { "close", "munmap", "KVM_GET_TSC_KHZ", "KVM_SET_USER_MEMORY_REGION",
					     "KVM_GET_REGS", "KVM_GET_MP_STATE", "file", "cpuid" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], what) == 0)
			return true;
	return false;
}

/* Without these there is indeed nothing to try: userfaultfd, which has no name here, what KVM is able to do. */
static bool decides(const char *what)
{
	return strcmp(what, "a request without a name") == 0 || strcmp(what, "KVM_CHECK_EXTENSION") == 0 ||
	       strcmp(what, "KVM_GET_STATS_FD") == 0;
}

/*
 * WHAT has failed. Nothing is decided then; unless it does not matter, or there was nothing to try.
 * A behaviour is the same or was not seen. EINVAL is KVM's own word where it refuses: there a
 * behaviour may be another, by right.
 */
static void judge(const struct exercise *e, const struct result *usual, const struct result *r, const char *what,
		  unsigned nth, int error)
{
	bool good = r->alive == GCPU_ALIVE_INCONCLUSIVE && !r->observed[0];

	if (r->alive == GCPU_ALIVE_UNTESTABLE)
		good = decides(what);
	if (e->kind == GCPU_EXERCISE_BEHAVIOUR)
		good |= error == EINVAL ? r->observed[0] || r->alive == GCPU_ALIVE_UNTESTABLE :
					  strcmp(shown(r), shown(usual)) == 0;
	else
		good |= (needless(what) || decides(what)) && r->alive == usual->alive;
	CHECK(good, "%s, %s %u fails with errno %d: %s (%s), else %s", e->name, what, nth, error, shown(r), r->witness,
	      shown(usual));
}

/* Of which calls that one fails, and then the next: 1, all of them. */
static unsigned spacing(const struct bench *b, const struct exercise *e, unsigned nth)
{
	static const char *const slow[] = { "kvmclock1", "kvmclock2", "kvm-asyncpf", "kvm-steal-time",
					    "kvm-pv-tlb-flush", "kvm-poll-control", "kvm-asyncpf-int",
					    "kvm-msi-ext-dest-id", "tsc-deadline", "enforcement", "hotplug-init-sipi",
					    "duplicate-id", "duplicate-id-32bit", "disable-exits-hlt" };

	if (e->hypercalls)
		return SPARSE;
	for (size_t i = 0; !b->refused && i < sizeof(slow) / sizeof(slow[0]); i++)
		if (strcmp(slow[i], e->name) == 0)
			return strcmp(e->name, "kvm-steal-time") == 0 ? 2 * SPARSE :
			       nth < DENSE || strcmp(e->name, "enforcement") != 0 ? SPARSE : SPARSE * FEWER;
	return QUICK;
}

/* Each call of the seam, until there is none of that number. */
static void break_calls(struct bench *b, const struct exercise *e, const struct result *usual)
{
	static const int errors[] = { ENOMEM, EINVAL };
	unsigned by = spacing(b, e, 1), before = b->struck, nth = 1 + b->runs % by;
	bool both = by == QUICK && !b->refused;
	const char *what = "";
	struct result r;

	for (; what; nth += spacing(b, e, nth)) {
		/* with either errno, or by turns */
		for (unsigned i = both ? 0 : nth / by % 2; i < 2 && what; i += both ? 1 : 2) {
			fault_arm(b->fault, FAULT_ALL, 0, nth, errors[i]);
			run(b, e, "call", nth, &r);
			what = fault_what(b->fault);
			if (what && r.visits)
				judge(e, usual, &r, what, nth, errors[i]);
			b->struck += what != NULL;
		}
	}
	fault_arm(b->fault, FAULT_ALL, 0, 0, 0);
	CHECK(fault_stray_closes(b->fault) == 0, "%s: closed twice", e->name);
	CHECK(b->struck > before, "%s: nothing was broken", e->name);
}

/* The same of a counter: allocations, threads; of very many some. */
static void break_counted(struct bench *b, const struct exercise *e, const struct result *usual, struct counter *c,
			  const char *what)
{
	struct result r;
	unsigned n, by;

	*c = (struct counter){ .on = 1 };
	run(b, e, what, 0, &r);
	n = c->count;
	by = n / ALLOCATIONS + 1;
	for (unsigned at = 1 + b->runs % by; at <= n; at += by) {
		*c = (struct counter){ .on = 1, .at = at, .from_there = at / by % 2 };
		run(b, e, what, at, &r);
		__atomic_store_n(&c->on, 0, __ATOMIC_RELAXED);
		CHECK(c->live == 0, "%s, %s %u: %ld left", e->name, what, at, c->live);
		if (c->count >= at && r.visits)
			judge(e, usual, &r, what, at, ENOMEM);
		b->struck += c->count >= at;
	}
	*c = (struct counter){ .on = 0 };
}

static void break_one(struct bench *b, const struct exercise *e, bool *hypercalls)
{
	const struct gcpu_kvm *broken = b->o.kvm;
	struct result usual;

	if (e->nothing)
		return;
	fault_arm(b->fault, FAULT_ALL, 0, 0, 0);
	run(b, e, "nothing", 0, &usual);
	/* where KVM answers none they come no further than to ask that */
	if (e->hypercalls && usual.alive == GCPU_ALIVE_UNTESTABLE) {
		if (*hypercalls)
			return;
		*hypercalls = true;
	}
	if (!fault_count(b->fault))
		return;
	break_calls(b, e, &usual);
	b->o.kvm = gcpu_kvm_real(); /* the other one allocates too */
	if (spacing(b, e, 1) == QUICK)
		break_counted(b, e, &usual, &memory, "allocation");
	if (spacing(b, e, 1) == QUICK || strncmp(e->name, "kvm-asyncpf", 11) == 0)
		break_counted(b, e, &usual, &threads, "thread");
	b->o.kvm = broken;
	printf("%-24s %s; %u failures so far in %u runs\n", e->name, shown(&usual), b->struck, b->runs);
}

static const struct exercise *by_name(const char *name)
{
	for (unsigned i = 0; i < alive_n_exercises; i++)
		if (strcmp(alive_exercises[i]->name, name) == 0)
			return alive_exercises[i];
	return NULL;
}

/* What was not to be had is not said to be missing in this kernel, or to have been there. */
static void true_words(struct bench *b)
{
	static const char *const counted[] = { "kvm-poll-control", "kvm-pv-tlb-flush", "disable-exits-hlt" };
	const struct exercise *steal = by_name("kvm-steal-time");
	struct result r;

	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		const struct exercise *e = by_name(counted[i]);

		if (!e)
			continue;
		fault_arm(b->fault, 1U << WRAP_IOCTL, GK_GET_STATS_FD, 1, EMFILE);
		run(b, e, "statistics", 1, &r);
		if (!fault_what(b->fault))
			continue;
		CHECK(r.alive == GCPU_ALIVE_INCONCLUSIVE && strstr(r.witness, "KVM_GET_STATS_FD"), "%s: %s (%s)", e->name,
		      shown(&r), r.witness);
	}
	fault_arm(b->fault, FAULT_ALL, 0, 0, 0);
	if (!steal)
		return;
	/* the first is the vCPU's */
	threads = (struct counter){ .on = 1, .at = 2, .from_there = 1 };
	run(b, steal, "competitors", 2, &r);
	threads = (struct counter){ .on = 0 };
	/* others on this host may have stolen enough; then its control has no vCPU */
	CHECK(r.alive == GCPU_ALIVE_INCONCLUSIVE && !strstr(r.witness, "with 3 competitors"), "%s: %s (%s)", steal->name,
	      shown(&r), r.witness);
}

/* Every exercise; REFUSED: of features that the request has not. */
static void break_all(const struct gcpu_snapshot *snap, int kvm_fd, const char *request, bool refused)
{
	struct bench b = { .o = { .kvm_fd = kvm_fd, .limit_ms = LIMIT_MS, .request = request, .snapshot = snap,
				  .visit = note }, .refused = refused };
	struct gcpu_error err = { 0 };
	bool hypercalls = refused;
	int status;

	gcpu_machine_init(&b.machine);
	if (!refused) {
		b.machine.irqchip = GCPU_IRQCHIP_SPLIT;
		b.machine.accept_x2apic_ids = 1;
		for (unsigned i = 0; gcpu_handle_name(i); i++)
			b.machine.handles |= 1U << gcpu_handle_by_name(gcpu_handle_name(i));
	}
	status = fault_new(gcpu_kvm_real(), &b.fault);
	if (status == 0)
		status = gcpu_request_parse(gcpu_arch_native(), request, &b.request, &err);
	if (status == 0)
		status = gcpu_plan_make(snap, b.request, &b.machine, &b.plan, &err);
	CHECK(status == 0, "%s: %d %s", request, status, err.text);
	b.o.kvm = status ? NULL : fault_kvm(b.fault);
	b.o.plan = b.plan;
	b.o.machine = &b.machine;
	b.fds = unit_entries("/proc/self/fd");
	b.tasks = unit_entries("/proc/self/task");
	if (status == 0 && !refused)
		true_words(&b);
	for (unsigned i = 0; status == 0 && i < alive_n_exercises; i++) {
		const struct exercise *e = alive_exercises[i];
		struct gcpu_standing s = { .size = sizeof(s) };

		if (!refused || (e->kind == GCPU_EXERCISE_FEATURE &&
				 gcpu_plan_standing(b.plan, e->name, &s, NULL) == 0 && !s.on))
			break_one(&b, e, &hypercalls);
	}
	printf("%s: %u failures in %u runs\n", request, b.struck, b.runs);
	gcpu_plan_free(b.plan);
	gcpu_request_free(b.request);
	fault_free(b.fault);
}

int main(void)
{
	const struct gcpu_kvm *kvm = gcpu_kvm_real();
	struct gcpu_snapshot *snap = NULL;
	struct gcpu_error err = { 0 };
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!alive_n_exercises) {
		printf("SKIP: alive-faults: no exercises for this architecture\n");
		return SKIPPED;
	}
	fd = live_kvm(kvm, "alive-faults");
	if (fd < 0)
		return SKIPPED;
	CHECK(gcpu_snapshot_probe(kvm, fd, NULL, &snap, &err) == 0, "%s", err.text);
	if (snap) {
		break_all(snap, fd, "host,pv=all", false);
		break_all(snap, fd, "host,pv=none", true);
	}
	gcpu_snapshot_free(snap);
	kvm->ops->close(kvm->ctx, fd);
	return unit_end();
}
