/* SPDX-License-Identifier: MIT */
/* The verify document. */
#include "core/view.h"
#include "json.h"
#include "plan_write.h"

static void value(struct json *j, const char *key, bool has, uint64_t v)
{
	jw_key(j, key);
	if (has)
		jw_hex(j, v);
	else
		jw_string(j, NULL);
}

static int write_result(void *ctx, const struct gcpu_result *r)
{
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_string(j, "name", r->name);
	value(j, "planned", true, r->planned);
	value(j, "kvm", r->has_kvm, r->kvm);
	value(j, "guest", r->has_guest, r->guest);
	jw_key_string(j, "verdict", gcpu_verdict_name(r->verdict));
	jw_key_string(j, "reason", r->reason);
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

int gcpu_verify_write_json(const struct gcpu_plan *plan, struct gcpu_view *const *views,
			   unsigned n_views, const struct gcpu_error *guest, gcpu_write write,
			   void *ctx)
{
	struct gcpu_summary sum;
	struct json j;
	int status;

	if (!plan || !write)
		return GCPU_ERR_ARGUMENT;
	jw_start(&j, write, ctx);
	jw_object(&j, true);
	plan_write_head(&j, plan, "guestcpu.verify");
	jw_key_string(&j, "guest_error", guest && guest->code ? guest->text : NULL);
	jw_key(&j, "features");
	jw_array(&j, true);
	status = gcpu_verify(plan, views, n_views, write_result, &j, &sum);
	jw_close(&j, ']');
	write_summary(&j, &sum);
	jw_close(&j, '}');
	return status ? status : jw_end(&j);
}
