/* SPDX-License-Identifier: MIT */
/* A sequence: made from a seed, carried out on both sides, compared step by step. */
#include "differ.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void say(struct answer *a, const char *what, uint32_t x, uint32_t y, uint64_t value)
{
	if (a->n == a->room) {
		size_t room = a->room ? 2 * a->room : 256;
		struct word *more = realloc(a->words, room * sizeof(*more));

		a->lost |= !more;
		if (!more)
			return;
		a->words = more;
		a->room = room;
	}
	a->words[a->n++] = (struct word){ what, x, y, value };
}

int ask_number(const struct side *w, int fd, unsigned long request, unsigned long arg)
{
	return w->kvm->ops->ioctl(w->kvm->ctx, fd, request, arg);
}

int ask(const struct side *w, int fd, unsigned long request, const void *arg)
{
	return ask_number(w, fd, request, (uintptr_t)arg);
}

int ask_or_nowhere(const struct side *w, int fd, unsigned long request, const struct step *s, const void *arg)
{
	return s->arg[3] == 1 ? ask_number(w, fd, request, NOWHERE) : ask(w, fd, request, arg);
}

unsigned vcpu_number(const struct side *w, const struct step *s)
{
	return w->n ? s->vcpu % w->n : 0;
}

int vcpu_of(const struct side *w, const struct step *s)
{
	return w->n ? w->vcpu[s->vcpu % w->n] : -1;
}

unsigned sequence_make(const struct differ *d, uint64_t seed, unsigned long number, struct step *list)
{
	const struct domain *dom = d->domain;
	struct maker m = { .r = { seed }, .host = d->host };
	unsigned n = 0, total, pick;

	m.r.state = random_next(&m.r) + number;
	m.r.state = random_next(&m.r);
	m.all = 5 + below(&m.r, d->steps_most > 5 ? d->steps_most - 4 : 1);
	for (m.at = 0; m.at < m.all; m.at++) {
		total = 0;
		for (unsigned i = 0; i < dom->n_ops; i++)
			total += dom->ops[i].guest && !d->guest ? 0 : dom->weigh(&m, &dom->ops[i]);
		pick = below(&m.r, total);
		memset(&list[n], 0, sizeof(list[n]));
		for (unsigned i = 0; i < dom->n_ops; i++) {
			unsigned weight = dom->ops[i].guest && !d->guest ? 0 : dom->weigh(&m, &dom->ops[i]);

			list[n].op = i;
			if (pick < weight)
				break;
			pick -= weight;
		}
		if (dom->ops[list[n].op].vcpu)
			list[n].vcpu = below(&m.r, m.vcpus);
		dom->ops[list[n].op].make(&m, &list[n]);
		n++;
	}
	dom->look(&m, list, &n);
	return n;
}

/* One side. */

static int side_open(struct side *w, const struct differ *d, const struct gcpu_kvm *kvm, int fd)
{
	*w = (struct side){ .d = d, .kvm = kvm, .kvm_fd = fd, .gic = -1 };
	w->vm = ask_number(w, fd, GK_CREATE_VM, d->domain->vm_type(d->host));
	return w->vm < 0 ? w->vm : 0;
}

static void side_close(struct side *w)
{
	guest_close(w);
	for (unsigned i = 0; i < w->n; i++)
		w->kvm->ops->close(w->kvm->ctx, w->vcpu[i]);
	if (w->gic >= 0)
		w->kvm->ops->close(w->kvm->ctx, w->gic);
	if (w->vm >= 0)
		w->kvm->ops->close(w->kvm->ctx, w->vm);
}

static void step_run(struct side *w, const struct operation *op, const struct step *s, struct answer *a)
{
	a->status = 0;
	a->n = 0;
	a->none = op->vcpu && !w->n;
	if (a->none)
		return;
	w->now = s;
	w->answer = a;
	op->run(w, s, a);
}

/* Comparing. */

static bool excluded(struct differ *d, const struct operation *op, const struct word *word)
{
	const struct domain *dom = d->domain;

	for (unsigned i = 0; i < dom->n_exclusions; i++) {
		const struct exclusion *e = &dom->exclusions[i];

		if (!e->word || (e->op && strcmp(e->op, op->name) != 0) || strcmp(e->word, word->what) != 0 ||
		    word->a < e->a_from || word->a > e->a_to)
			continue;
		d->masked[i]++;
		return true;
	}
	return false;
}

static const char *status_text(int status, char *room, size_t size)
{
	if (status >= 0)
		snprintf(room, size, "%d", status);
	else
		snprintf(room, size, "-%s", errno_name(-status) ? errno_name(-status) : strerror(-status));
	return room;
}

/* Formats for words are those of the tables here, with two numbers at most. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
static void word_text(const struct word *w, char *room, size_t size)
{
	snprintf(room, size, w->what, w->a, w->b);
}
#pragma GCC diagnostic pop

/* 1 and F->text if they differ. */
static int compare(struct differ *d, const struct operation *op, const struct answer *a, const struct answer *b,
		   struct finding *f)
{
	char one[40], other[40], name[120];

	if (a->status != b->status || a->none != b->none) {
		snprintf(f->text, sizeof(f->text), "result: %s %s, %s %s", d->one_name,
			 status_text(a->status, one, sizeof(one)), d->other_name,
			 status_text(b->status, other, sizeof(other)));
		return 1;
	}
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		const struct word *x = &a->words[i], *y = &b->words[i];

		if (x->what == y->what && x->a == y->a && x->b == y->b && x->value == y->value)
			continue;
		if (x->what == y->what && x->a == y->a && x->b == y->b && excluded(d, op, x))
			continue;
		word_text(x, name, sizeof(name));
		if (x->what == y->what && x->a == y->a && x->b == y->b) {
			snprintf(f->text, sizeof(f->text), "%s: %s %#" PRIx64 ", %s %#" PRIx64, name, d->one_name,
				 x->value, d->other_name, y->value);
			return 1;
		}
		snprintf(f->text, sizeof(f->text), "%s says %s = %#" PRIx64 ", ", d->one_name, name, x->value);
		word_text(y, name, sizeof(name));
		snprintf(f->text + strlen(f->text), sizeof(f->text) - strlen(f->text), "%s says %s = %#" PRIx64,
			 d->other_name, name, y->value);
		return 1;
	}
	if (a->n != b->n) {
		word_text(a->n > b->n ? &a->words[b->n] : &b->words[a->n], name, sizeof(name));
		snprintf(f->text, sizeof(f->text), "only %s says %s", a->n > b->n ? d->one_name : d->other_name, name);
		return 1;
	}
	return 0;
}

static void trace_step(const struct differ *d, const struct step *s, const struct answer *a, const struct answer *b,
		       FILE *to)
{
	char one[40], other[40];

	fputs("  ", to);
	step_print(d, s, to);
	if (a->none)
		fputs(" -> no vCPU\n", to);
	else
		fprintf(to, " -> %s %s, %s %s, %zu values\n", d->one_name, status_text(a->status, one, sizeof(one)),
			d->other_name, status_text(b->status, other, sizeof(other)), a->n);
}

int sequence_run(struct differ *d, const struct step *list, unsigned n, struct finding *f, unsigned *done,
		 FILE *trace)
{
	struct side one = { .vm = -1, .gic = -1 }, other = { .vm = -1, .gic = -1 };
	struct answer a = { 0 }, b = { 0 };
	int status = side_open(&one, d, d->one, d->one_fd);

	if (status == 0)
		status = side_open(&other, d, d->other, d->other_fd);
	*done = 0;
	for (unsigned i = 0; status == 0 && i < n; i++) {
		const struct operation *op = &d->domain->ops[list[i].op];

		step_run(&one, op, &list[i], &a);
		step_run(&other, op, &list[i], &b);
		(*done)++;
		if (trace)
			trace_step(d, &list[i], &a, &b, trace);
		if (a.lost || b.lost)
			status = -ENOMEM;
		else if (compare(d, op, &a, &b, f)) {
			memmove(f->steps, list, n * sizeof(*list));
			f->n = n;
			f->at = i;
			status = 1;
		}
	}
	side_close(&one);
	side_close(&other);
	free(a.words);
	free(b.words);
	return status;
}

void step_print(const struct differ *d, const struct step *s, FILE *to)
{
	const struct operation *op = &d->domain->ops[s->op];

	fputs(op->name, to);
	if (op->vcpu)
		fprintf(to, " vcpu %u", s->vcpu);
	if (op->print) {
		op->print(to, s);
		return;
	}
	for (unsigned i = 0; i < ARGS; i++)
		fprintf(to, " %#" PRIx64, s->arg[i]);
	for (unsigned i = 0; i < s->n; i++) {
		fputs(" [", to);
		for (unsigned p = 0; p < PARTS; p++)
			fprintf(to, "%s%#" PRIx64, p ? " " : "", s->item[i].part[p]);
		fputc(']', to);
	}
}

void sequence_print(const struct differ *d, const struct finding *f, FILE *to)
{
	for (unsigned i = 0; i <= f->at; i++) {
		fprintf(to, "  %2u  ", i + 1);
		step_print(d, &f->steps[i], to);
		fputc('\n', to);
	}
	fprintf(to, "      %s\n", f->text);
}
