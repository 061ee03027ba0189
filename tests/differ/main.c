/* SPDX-License-Identifier: MIT */
/*
 * differ [--seed S] [--n N] [--steps N] [--jobs N] [--only I] [--no-guest] [--show N] [--trace]: random
 * sequences on this machine's KVM and on a model of it, made here from its own snapshot.
 *
 * Exit status 0: no disagreement; 1 if there is one, each is shown with the seed and the number that
 * repeat it; 2 usage; 77 without KVM; 4 if a VM cannot be had.
 */
#include "../live/live_kvm.h"
#include "differ.h"

#include <guestcpu/guestcpu.h>
#include <guestcpu/model.h>

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KINDS 200

#define JOBS_MOST 64U
#define SEQUENCE_S 60

struct options {
	uint64_t seed;
	unsigned long n, only;
	unsigned steps, jobs, show;
	bool guest, trace, one, witnessed;
};

struct totals {
	unsigned long sequences, steps, disagreements, masked[COUNT(((struct differ *)0)->masked)];
	int status;
};

/* Kinds of disagreement that were shown: what it is about, and the answers without their numbers. */
static char kinds[KINDS][300];
static unsigned long times[KINDS];
static unsigned n_kinds;

static unsigned kind_of(const struct differ *d, const struct finding *f)
{
	const char *colon = strchr(f->text, ':');
	char kind[300];
	size_t n = (size_t)snprintf(kind, sizeof(kind), "%s: ", d->domain->ops[f->steps[f->at].op].name);
	unsigned i;

	for (const char *p = f->text; *p && n + 1 < sizeof(kind); p++) {
		bool number = *p >= '0' && *p <= '9' && colon && p > colon;

		if (number && p[-1] != '-' && (p[-1] == '#' || (p[-1] >= '0' && p[-1] <= '9')))
			continue;
		kind[n++] = *p;
		if (number && *p == '0' && p[1] == 'x') {
			kind[n - 1] = '#';
			while ((p[1] >= '0' && p[1] <= '9') || (p[1] >= 'a' && p[1] <= 'f') || p[1] == 'x')
				p++;
		}
	}
	kind[n] = 0;
	for (i = 0; i < n_kinds && strcmp(kinds[i], kind) != 0; i++)
		;
	if (i == n_kinds && n_kinds < KINDS) {
		snprintf(kinds[n_kinds++], sizeof(kinds[0]), "%s", kind);
		return i;
	}
	return i < KINDS ? i : KINDS - 1;
}

static void show(struct differ *d, struct finding *f, const struct options *o, unsigned long number)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to;

	sequence_shrink(d, f);
	to = open_memstream(&text, &size);
	if (!to)
		return;
	fprintf(to, "DISAGREE seed %" PRIu64 " sequence %lu (--seed %" PRIu64 " --only %lu --steps %u%s)\n", o->seed, number,
		o->seed, number, o->steps, o->guest ? "" : " --no-guest");
	sequence_print(d, f, to);
	fclose(to);
	fflush(stdout);
	if (write(STDOUT_FILENO, text, size) < 0)
		perror("differ");
	free(text);
}

/* Where each job is, for who finds it dead. */
static unsigned long *at;

static void one_sequence(struct differ *d, const struct options *o, unsigned long number, struct totals *t)
{
	static struct step list[STEPS_MOST];
	static struct finding f;
	unsigned n = sequence_make(d, o->seed, number, list), done, kind;
	int r = sequence_run(d, list, n, &f, &done, o->trace ? stdout : NULL);

	t->sequences++;
	t->steps += done;
	if (r < 0)
		t->status = r;
	if (r != 1)
		return;
	t->disagreements++;
	kind = kind_of(d, &f);
	if (!times[kind]++ && kind < o->show)
		show(d, &f, o, number);
}

/* The model of a KVM that nobody has compared is not wrong because it differs; who has such a KVM runs this by hand. */
static bool is_witnessed(const struct gcpu_snapshot *host)
{
	static const char *const modules[] = { "kvm_amd", "kvm_pvm" };
	const char *vendor = gcpu_snapshot_vendor(host);

	if (gcpu_snapshot_arch(host) == GCPU_ARCH_ARM64)
		return true;

	/* on AMD's CPUs alone: kvm_pvm runs on others, too */
	for (unsigned i = 0; i < COUNT(modules); i++)
		if (strcmp(gcpu_snapshot_module(host), modules[i]) == 0)
			return vendor && strcmp(vendor, "AuthenticAMD") == 0;
	return false;
}

static int work(const struct options *o, unsigned job, struct totals *t)
{
	struct gcpu_probe_options how = { .size = sizeof(how), .one_cpu = 1 };
	struct differ d = { .one_name = "KVM", .other_name = "model", .steps_most = o->steps, .guest = o->guest };
	const struct gcpu_kvm *real = gcpu_kvm_real();
	struct gcpu_snapshot *host = NULL;
	struct gcpu_model *model = NULL;
	struct gcpu_error err = { 0 };
	int fd, status;

	/* what CPUID says of the CPU that it runs on stays the same */
	real->ops->pin(real->ctx, (int)(job % (unsigned)sysconf(_SC_NPROCESSORS_ONLN)));
	fd = live_kvm(real, "differ");
	if (fd < 0)
		return 77;
	status = gcpu_snapshot_probe(real, fd, &how, &host, &err);
	if (status == 0)
		status = gcpu_model_new(host, NULL, &model, &err);
	if (status) {
		printf("FAIL differ: %s\n", err.text);
		return 4;
	}
	if (o->witnessed && !is_witnessed(host)) {
		printf("SKIP: differ: the model of %s on %s has not been compared with such a KVM yet; without --witnessed it is\n",
		       gcpu_snapshot_module(host), gcpu_snapshot_vendor(host));
		gcpu_model_free(model);
		gcpu_snapshot_free(host);
		return 77;
	}
	d.domain = gcpu_snapshot_arch(host) == GCPU_ARCH_X86 ? &domain_x86 : &domain_arm64;
	d.host = host;
	d.one = real;
	d.one_fd = fd;
	d.other = gcpu_model_kvm(model);
	d.other_fd = d.other->ops->open(d.other->ctx, "/dev/kvm", O_RDWR);
	for (unsigned long i = job; i < o->n && !t->status; i += o->jobs) {
		if (at)
			at[job] = i;
		alarm(SEQUENCE_S); /* a job that hangs ends, and its number is told */
		one_sequence(&d, o, i, t);
	}
	if (o->one)
		one_sequence(&d, o, o->only, t);
	for (unsigned i = 0; i < n_kinds; i++)
		if (times[i] > 1)
			printf("%6lu times: %s\n", times[i], kinds[i]);
	memcpy(t->masked, d.masked, sizeof(t->masked));
	if (t->status)
		printf("FAIL no VM: %s\n", strerror(-t->status));
	gcpu_model_free(model);
	gcpu_snapshot_free(host);
	return t->status ? 4 : t->disagreements ? 1 : 0;
}

static void say_totals(const struct totals *t)
{
	const struct domain *dom = gcpu_arch_native() == GCPU_ARCH_X86 ? &domain_x86 : &domain_arm64;

	for (unsigned i = 0; i < dom->n_exclusions; i++)
		printf("left out: %s%s\n", dom->exclusions[i].reason,
		       dom->exclusions[i].word && !t->masked[i] ? " (never differed)" : "");
	printf("%lu sequences, %lu steps, %lu disagreements\n", t->sequences, t->steps, t->disagreements);
}

/* Jobs in processes of their own; each sends what it has done. */
static int jobs(const struct options *o, struct totals *all)
{
	int ends[2], worst = 0, status;
	pid_t pids[JOBS_MOST];
	struct totals t;

	at = mmap(NULL, JOBS_MOST * sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED || pipe(ends))
		return 4;
	for (unsigned j = 0; j < o->jobs; j++) {
		pid_t pid = fork();

		if (pid < 0)
			return 4;
		pids[j] = pid;
		if (pid == 0) {
			memset(&t, 0, sizeof(t));
			status = work(o, j, &t);
			fflush(stdout);
			if (write(ends[1], &t, sizeof(t)) != sizeof(t))
				status = 4;
			_exit(status);
		}
	}
	close(ends[1]);
	while (read(ends[0], &t, sizeof(t)) == sizeof(t)) {
		all->sequences += t.sequences;
		all->steps += t.steps;
		all->disagreements += t.disagreements;
		for (unsigned i = 0; i < COUNT(t.masked); i++)
			all->masked[i] += t.masked[i];
	}
	close(ends[0]);
	for (unsigned j = 0; j < o->jobs; j++) {
		int code = waitpid(pids[j], &status, 0) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 4;

		if (!WIFEXITED(status))
			printf("FAIL differ: a job ended by signal %d in sequence %lu\n", WTERMSIG(status), at[j]);
		worst = code > worst ? code : worst;
	}
	return worst;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seed", 1, NULL, 's' },  { "n", 1, NULL, 'n' },    { "steps", 1, NULL, 't' }, { "jobs", 1, NULL, 'j' },
		{ "only", 1, NULL, 'o' },  { "show", 1, NULL, 'w' }, { "trace", 0, NULL, 'r' }, { "no-guest", 0, NULL, 'g' },
		{ "witnessed", 0, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .seed = 1, .n = 200, .steps = 20, .jobs = 1, .show = 40, .guest = true };
	struct totals t = { 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		uint64_t v = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (c == 's')
			o.seed = v;
		else if (c == 'n')
			o.n = (unsigned long)v;
		else if (c == 't')
			o.steps = v > STEPS_MOST - 6 * VCPUS ? STEPS_MOST - 6 * VCPUS : (unsigned)v;
		else if (c == 'j')
			o.jobs = !v ? 1 : v < JOBS_MOST ? (unsigned)v : JOBS_MOST;
		else if (c == 'w')
			o.show = (unsigned)v;
		else if (c == 'r')
			o.trace = true;
		else if (c == 'g')
			o.guest = false;
		else if (c == 'k')
			o.witnessed = true;
		else if (c == 'o') {
			o.one = true;
			o.only = (unsigned long)v;
		} else
			return 2;
	}
	if (o.one) {
		o.n = 0;
		o.jobs = 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	status = o.jobs == 1 ? work(&o, 0, &t) : jobs(&o, &t);
	if (status != 77 && status != 2)
		say_totals(&t);
	return status;
}
