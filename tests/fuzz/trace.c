/* SPDX-License-Identifier: MIT */
/* Any bytes: a trace document is read whole, or refused; what was read can be asked about. */
#include "fuzz.h"

#include "formats/trace_read.h"

#include <string.h>

struct asked {
	const struct traced *trace;
	unsigned vcpu, calls;
	size_t next;
	bool refused;
};

/* Calls come in their order, are of the vCPU, and KVM took them or did not. */
static int see(void *ctx, size_t number, const struct traced_call *c)
{
	struct asked *a = ctx;

	MUST(number >= a->next && number < a->trace->calls.n);
	MUST(c == LIST_AT(&a->trace->calls, struct traced_call, number));
	MUST(c->vcpu == (int)a->vcpu);
	MUST(a->refused ? c->error || c->has_value : !c->error);
	a->next = number + 1;
	a->calls++;
	return 0;
}

static void ask(const struct traced *t, unsigned vcpu, uint64_t addr)
{
	struct asked taken = { .trace = t, .vcpu = vcpu }, refused = { .trace = t, .vcpu = vcpu, .refused = true };
	uint64_t value = 1;
	bool said = traced_word(LIST_AT(&t->vcpus, struct traced_vcpu, vcpu), addr, &value);

	MUST(said || value == 0);
	MUST(traced_calls_about(t, vcpu, addr, false, see, &taken) == 0);
	MUST(said || !taken.calls);
	/* only of an MSR it is not known which one it was */
	MUST(taken.calls < 2 || ADDR_SPACE(addr) == SPACE_MSR);
	MUST(traced_calls_about(t, vcpu, addr, true, see, &refused) == 0);
}

static void walk(const struct traced *t)
{
	const struct facts *f = arch_of(t->arch)->facts;

	MUST(t->program);
	for (size_t i = 0; i < t->calls.n; i++) {
		const struct traced_call *c = LIST_AT(&t->calls, struct traced_call, i);

		MUST(c->name && c->vcpu >= -1 && c->vcpu < (int)t->vcpus.n);
	}
	for (size_t i = 0; i < t->enabled.n; i++) {
		const struct traced_enabled *e = LIST_AT(&t->enabled, struct traced_enabled, i);

		MUST(e->n_args <= 4 && e->vcpu >= -1 && e->vcpu < (int)t->vcpus.n);
	}
	for (unsigned v = 0; v < t->vcpus.n && v < 2; v++)
		for (unsigned w = 0; w < f->n_words; w++)
			ask(t, v, f->words[w].addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct traced *t = NULL;
	struct gcpu_error err;
	int status = traced_parse(data ? (const char *)data : "", size, &t, &err);

	if (status) {
		MUST(!t);
		fuzz_error(&err, status, size);
		return 0;
	}
	walk(t);
	traced_free(t);
	return 0;
}
