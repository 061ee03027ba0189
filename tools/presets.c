/* SPDX-License-Identifier: MIT */
/* Presets of paravirtual features: what each has and has not, and why. */
#include "formats/json.h"
#include "term.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

struct presets {
	const struct tool *t;
	struct json *json;
	struct grid *grid; /* of one preset */
	struct gcpu_preset_info preset;
	bool is_open;	   /* json: an object of a preset */
	unsigned shown;
};

struct naming {
	const char *feature;
	bool named;
};

static int is_named(void *ctx, const struct gcpu_feature_info *f)
{
	struct naming *n = ctx;

	n->named = n->named || strcmp(f->name, n->feature) == 0;
	return 0;
}

/* Is it what the words of the command line ask for? */
static bool wanted(const struct tool *t, const char *feature)
{
	struct naming n = { feature, t->n_words == 0 };

	for (int i = 0; i < t->n_words; i++) {
		if (match_is_pattern(t->words[i]))
			n.named = n.named || match_feature(t->arch, t->words[i], feature);
		else
			gcpu_feature_members(t->arch, t->words[i], is_named, &n);
	}
	return n.named;
}

static void end_preset(struct presets *p)
{
	if (p->grid) {
		grid_wrap(p->grid);
		grid_print(p->grid, stdout, "  ");
		grid_free(p->grid);
		p->grid = NULL;
	}
	if (p->is_open) {
		jw_close(p->json, ']');
		jw_close(p->json, '}');
		p->is_open = false;
	}
}

static int as_json(void *ctx, const struct gcpu_preset_info *i)
{
	struct presets *p = ctx;
	struct json *j = p->json;

	if (!i->feature) {
		end_preset(p);
		jw_object(j, true);
		jw_key_string(j, "property", i->property);
		jw_key_string(j, "name", i->name);
		jw_key_string(j, "meaning", i->reason);
		jw_key(j, "features");
		jw_array(j, true);
		p->is_open = true;
	} else if (wanted(p->t, i->feature)) {
		jw_object(j, false);
		jw_key_string(j, "name", i->feature);
		jw_key_bool(j, "on", i->on);
		jw_key_string(j, "reason", i->reason);
		jw_close(j, '}');
		p->shown++;
	}
	return 0;
}

/* "pv=safe: what it is", once there is something to show of it */
static void head(struct presets *p)
{
	struct text t = { NULL, 0, 0 };

	if (p->shown)
		putchar('\n');
	text_add(&t, "%s=%s: %s", p->preset.property, p->preset.name, p->preset.reason);
	term_wrap(t.s, 0, 2, term_width());
	free(t.s);
	p->grid = grid_new(3);
}

static int as_text(void *ctx, const struct gcpu_preset_info *i)
{
	struct presets *p = ctx;

	if (!i->feature) {
		end_preset(p);
		p->preset = *i;
	} else if (wanted(p->t, i->feature)) {
		/* what is said of the whole preset is not said again of each */
		bool own = strcmp(i->reason, p->preset.reason) != 0;

		if (!p->grid)
			head(p);
		grid_add(p->grid, (const char *const[]){ i->feature, i->on ? "on" : "off", own ? i->reason : "" });
		p->shown++;
	}
	return 0;
}

int tool_presets(struct tool *t)
{
	struct json j;
	struct presets p = { .t = t, .json = &j };

	if (t->json) {
		jw_start(&j, tool_write, stdout);
		jw_object(&j, true);
		jw_key_string(&j, "schema", "guestcpu.presets");
		jw_key_int(&j, "version", 1);
		jw_key_string(&j, "arch", gcpu_arch_name(t->arch));
		jw_key(&j, "presets");
		jw_array(&j, true);
	}
	gcpu_presets(t->arch, t->json ? as_json : as_text, &p);
	end_preset(&p);
	if (t->json) {
		jw_close(&j, ']');
		jw_close(&j, '}');
		jw_end(&j);
	} else if (!p.shown) {
		printf("none\n");
	}
	return p.shown ? EXIT_YES : EXIT_NO;
}
