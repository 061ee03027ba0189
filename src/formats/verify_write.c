/* SPDX-License-Identifier: MIT */
/* The verify document. */
#include "core/view.h"
#include "json.h"
#include "plan_write.h"

#include <string.h>

#define N_ALIVE (GCPU_ALIVE_FAILS + 1)

struct writer {
	struct json *j;
	const struct gcpu_exercise *exercises;
	size_t n;
};

static void value(struct json *j, const char *key, bool has, uint64_t v)
{
	jw_key(j, key);
	if (has)
		jw_hex(j, v);
	else
		jw_string(j, NULL);
}

static const char *alive(const struct gcpu_exercise *e)
{
	return e && !e->observed ? gcpu_alive_name(e->alive) : NULL;
}

/* The exercise about a field, or NULL. */
static const struct gcpu_exercise *about(const struct writer *w, const char *field)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->exercises[i].kind == GCPU_EXERCISE_FEATURE && strcmp(w->exercises[i].name, field) == 0)
			return &w->exercises[i];
	return NULL;
}

static int write_result(void *ctx, const struct gcpu_result *r)
{
	const struct writer *w = ctx;
	const struct gcpu_exercise *e = about(w, r->name);
	struct json *j = w->j;

	jw_object(j, false);
	jw_key_string(j, "name", r->name);
	value(j, "planned", true, r->planned);
	value(j, "kvm", r->has_kvm, r->kvm);
	value(j, "guest", r->has_guest, r->guest);
	jw_key_string(j, "verdict", gcpu_verdict_name(r->verdict));
	jw_key_string(j, "reason", r->reason);
	jw_key_string(j, "alive", alive(e));
	jw_key_string(j, "witness", e ? e->witness : NULL);
	jw_close(j, '}');
	return 0;
}

static void write_summary(struct json *j, const struct gcpu_summary *s)
{
	jw_key(j, "summary");
	jw_object(j, false);
	jw_key_int(j, "matched", s->matched);
	jw_key_int(j, "runtime", s->runtime);
	jw_key_int(j, "overridden", s->overridden);
	jw_key_int(j, "untested", s->untested);
	jw_key_int(j, "mismatched", s->mismatched);
	jw_key_int(j, "total", s->total);
	jw_close(j, '}');
}

static void write_exercise(struct json *j, const struct gcpu_exercise *e)
{
	jw_object(j, false);
	jw_key_string(j, "name", e->name);
	jw_key_string(j, "kind", gcpu_exercise_kind_name(e->kind));
	jw_key(j, "planned");
	if (e->kind == GCPU_EXERCISE_FEATURE)
		jw_bool(j, e->planned);
	else
		jw_string(j, NULL);
	jw_key_string(j, "alive", alive(e));
	jw_key_string(j, "observed", e->observed);
	jw_key_string(j, "witness", e->witness);
	jw_key_string(j, "control", e->control);
	jw_close(j, '}');
}

static void write_alive(struct json *j, const struct gcpu_exercise *exercises, size_t n)
{
	unsigned count[N_ALIVE] = { 0 };

	jw_key(j, "alive");
	jw_object(j, true);
	jw_key(j, "exercises");
	jw_array(j, true);
	for (size_t i = 0; i < n; i++) {
		write_exercise(j, &exercises[i]);
		if (exercises[i].kind != GCPU_EXERCISE_BEHAVIOUR && (unsigned)exercises[i].alive < N_ALIVE)
			count[exercises[i].alive]++;
	}
	jw_close(j, ']');
	jw_key(j, "summary");
	jw_object(j, false);
	for (unsigned v = 0; v < N_ALIVE; v++)
		jw_key_int(j, gcpu_alive_name((enum gcpu_alive)v), count[v]);
	jw_close(j, '}');
	jw_close(j, '}');
}

int gcpu_verify_write_alive_json(const struct gcpu_plan *plan, struct gcpu_view *const *views,
				 unsigned n_views, const struct gcpu_error *guest,
				 const struct gcpu_exercise *exercises, size_t n_exercises,
				 gcpu_write write, void *ctx)
{
	struct writer w = { .exercises = exercises, .n = n_exercises };
	struct gcpu_summary sum;
	struct json j;
	int status;

	/* before the first byte: half a document is none */
	if (!views_fit(plan, views, n_views) || !write || (n_exercises && !exercises))
		return GCPU_ERR_ARGUMENT;
	for (size_t i = 0; i < n_exercises; i++)
		if (exercises[i].size != sizeof(*exercises) || !exercises[i].name)
			return GCPU_ERR_ARGUMENT;
	w.j = &j;
	jw_start(&j, write, ctx);
	jw_object(&j, true);
	plan_write_head(&j, plan, "guestcpu.verify");
	jw_key_string(&j, "guest_error", guest && guest->code ? guest->text : NULL);
	jw_key(&j, "features");
	jw_array(&j, true);
	status = gcpu_verify(plan, views, n_views, write_result, &w, &sum);
	jw_close(&j, ']');
	write_summary(&j, &sum);
	if (exercises)
		write_alive(&j, exercises, n_exercises);
	else
		jw_key_string(&j, "alive", NULL);
	jw_close(&j, '}');
	return status ? status : jw_end(&j);
}

int gcpu_verify_write_json(const struct gcpu_plan *plan, struct gcpu_view *const *views,
			   unsigned n_views, const struct gcpu_error *guest, gcpu_write write,
			   void *ctx)
{
	return gcpu_verify_write_alive_json(plan, views, n_views, guest, NULL, 0, write, ctx);
}
