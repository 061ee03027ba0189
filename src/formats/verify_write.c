/* SPDX-License-Identifier: MIT */
/* The verify document. */
#include "core/view.h"
#include "json.h"
#include "plan_write.h"

static void value(struct json *j, const char *key, bool has, uint64_t v)
{
	json_key(j, key);
	if (has)
		json_hex(j, v);
	else
		json_string(j, NULL);
}

static int write_result(void *ctx, const struct gcpu_result *r)
{
	struct json *j = ctx;

	json_object(j, false);
	json_key_string(j, "name", r->name);
	value(j, "planned", true, r->planned);
	value(j, "kvm", r->has_kvm, r->kvm);
	value(j, "guest", r->has_guest, r->guest);
	json_key_string(j, "verdict", gcpu_verdict_name(r->verdict));
	json_key_string(j, "reason", r->reason);
	json_close(j, '}');
	return 0;
}

static void write_summary(struct json *j, const struct gcpu_summary *s)
{
	json_key(j, "summary");
	json_object(j, false);
	json_key_int(j, "matched", s->matched);
	json_key_int(j, "runtime", s->runtime);
	json_key_int(j, "overridden", s->overridden);
	json_key_int(j, "untested", s->untested);
	json_key_int(j, "mismatched", s->mismatched);
	json_key_int(j, "total", s->total);
	json_close(j, '}');
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
	json_start(&j, write, ctx);
	json_object(&j, true);
	plan_write_head(&j, plan, "guestcpu.verify");
	json_key_string(&j, "guest_error", guest && guest->code ? guest->text : NULL);
	json_key(&j, "features");
	json_array(&j, true);
	status = gcpu_verify(plan, views, n_views, write_result, &j, &sum);
	json_close(&j, ']');
	write_summary(&j, &sum);
	json_close(&j, '}');
	return status ? status : json_end(&j);
}
