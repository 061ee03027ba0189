/* SPDX-License-Identifier: MIT */
/* Operations that every architecture has. */
#include "differ.h"
#include "facts.h"

void make_nothing(struct maker *m, struct step *s)
{
	(void)m;
	(void)s;
}

/* arg0 the id. */
void some_vcpu(struct maker *m, struct step *s, unsigned usual, const uint16_t *odd, unsigned n)
{
	s->arg[0] = chance(&m->r, usual) ? m->vcpus : chance(&m->r, 60) ? below(&m->r, 6) : odd[below(&m->r, n)];
	if (chance(&m->r, 2))
		s->arg[0] = odd_number(&m->r);
	if (m->vcpus < VCPUS)
		m->vcpus++;
}

void run_vcpu(struct side *w, const struct step *s, struct answer *a)
{
	int fd = ask_number(w, w->vm, GK_CREATE_VCPU, s->arg[0]);

	a->status = fd < 0 ? fd : 0;
	if (fd < 0)
		return;
	if (w->n == VCPUS) {
		/* its id stays taken */
		w->kvm->ops->close(w->kvm->ctx, fd);
		return;
	}
	w->vcpu[w->n] = fd;
	w->id[w->n++] = (unsigned)s->arg[0];
}

/* arg0 the type: a VM of its own, closed again. */
void run_vm_type(struct side *w, const struct step *s, struct answer *a)
{
	int fd = ask_number(w, w->kvm_fd, GK_CREATE_VM, s->arg[0]);

	a->status = fd < 0 ? fd : 0;
	if (fd >= 0)
		w->kvm->ops->close(w->kvm->ctx, fd);
}

/* arg0 the capability, arg1 of the VM. */
void make_check(struct maker *m, struct step *s)
{
	s->arg[0] = gcpu_caps[below(&m->r, gcpu_n_caps)].number;
	s->arg[1] = below(&m->r, 2);
}

void run_check(struct side *w, const struct step *s, struct answer *a)
{
	a->status = ask_number(w, s->arg[1] ? w->vm : w->kvm_fd, GK_CHECK_EXTENSION, s->arg[0]);
}

static const char *cap_text(unsigned number, char *room, size_t size)
{
	snprintf(room, size, "%u", number);
	for (unsigned i = 0; i < gcpu_n_caps; i++)
		if (gcpu_caps[i].number == number)
			snprintf(room, size, "%s", gcpu_caps[i].name);
	return room;
}

void print_check(FILE *to, const struct step *s)
{
	char name[64];

	fprintf(to, " %s %s", cap_text((unsigned)s->arg[0], name, sizeof(name)), s->arg[1] ? "of the VM" : "of the system");
}

/* arg0 the capability, arg1 args[0], arg2 flags, arg3 1: no pointer. */
static int enable(const struct side *w, int fd, const struct step *s)
{
	struct gk_enable_cap cap = { .cap = (uint32_t)s->arg[0], .flags = (uint32_t)s->arg[2], .args = { s->arg[1] } };

	return ask_or_nowhere(w, fd, GK_ENABLE_CAP, s, &cap);
}

void run_enable_vm(struct side *w, const struct step *s, struct answer *a)
{
	a->status = enable(w, w->vm, s);
}

void run_enable_vcpu(struct side *w, const struct step *s, struct answer *a)
{
	a->status = enable(w, vcpu_of(w, s), s);
}

/* KVM_RUN that is to end before the guest is entered. */
void run_immediate(struct side *w, const struct step *s, struct answer *a)
{
	int size = ask_number(w, w->kvm_fd, GK_GET_VCPU_MMAP_SIZE, 0);
	struct gk_run *run;
	void *at;

	a->status = size < 0 ? size : w->kvm->ops->mmap(w->kvm->ctx, (size_t)size, vcpu_of(w, s), &at);
	if (a->status < 0)
		return;
	run = at;
	w->entered = true;
	run->immediate_exit = 1;
	a->status = ask_number(w, vcpu_of(w, s), GK_RUN, s->arg[0]);
	run->immediate_exit = 0;
	w->kvm->ops->munmap(w->kvm->ctx, at, (size_t)size);
}

void run_get_mp_state(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_mp_state mp = { 0 };

	say(a, "read back", 0, 0, (uint64_t)(int64_t)ask(w, vcpu_of(w, s), GK_GET_MP_STATE, &mp));
	say(a, "state", 0, 0, mp.mp_state);
}

void run_set_mp_state(struct side *w, const struct step *s, struct answer *a)
{
	struct gk_mp_state mp = { (uint32_t)s->arg[0] };

	a->status = ask_or_nowhere(w, vcpu_of(w, s), GK_SET_MP_STATE, s, &mp);
	w->disturbed[vcpu_number(w, s)] = true;
	run_get_mp_state(w, s, a);
}

void print_enable(FILE *to, const struct step *s)
{
	char name[64];

	fprintf(to, " %s args[0] %#llx", cap_text((unsigned)s->arg[0], name, sizeof(name)), (unsigned long long)s->arg[1]);
	if (s->arg[2])
		fprintf(to, ", flags %#llx", (unsigned long long)s->arg[2]);
	if (s->arg[3])
		fputs(", a bad pointer", to);
}

void print_one(FILE *to, const struct step *s)
{
	fprintf(to, " %#llx", (unsigned long long)s->arg[0]);
	if (s->arg[3])
		fputs(", a bad pointer", to);
}
