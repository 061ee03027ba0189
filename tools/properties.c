/* SPDX-License-Identifier: MIT */
/* The words of a request that are no features, as `features` lists them. */
#include "explain.h"
#include "formats/json.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

struct properties {
	struct grid *grid;
	const struct tool *t;
};

static int text_property(void *ctx, const struct gcpu_property_info *f)
{
	struct properties *p = ctx;
	bool shown = !p->t->n_words;

	for (int i = 0; i < p->t->n_words; i++)
		shown = shown || (match_is_pattern(p->t->words[i]) &&
				  (match_name(p->t->words[i], f->name) ||
				   (f->other && match_name(p->t->words[i], f->other))));
	if (shown)
		grid_add(p->grid, (const char *const[]){ f->name, f->type, f->deflt, f->meaning });
	return 0;
}

/* Of a number or of a text's length; up to 64 bits. */
static void json_limit(struct json *j, const struct gcpu_property_info *f, uint64_t limit)
{
	if (strcmp(f->type, "number") == 0 || strcmp(f->type, "text") == 0)
		jw_hex(j, limit);
	else
		jw_string(j, NULL);
}

/* Words separated by blanks; NULL: none. */
static void json_words(struct json *j, const char *words)
{
	struct text word = { NULL, 0, 0 };
	size_t n;

	for (const char *s = words; s && *s; s += n + (s[n] == ' ')) {
		n = strcspn(s, " ");
		word.n = 0;
		text_add(&word, "%.*s", (int)n, s);
		jw_string(j, word.s);
	}
	free(word.s);
}

static int json_property(void *ctx, const struct gcpu_property_info *f)
{
	struct text takes = { NULL, 0, 0 };
	struct json *j = ctx;

	jw_object(j, false);
	jw_key_string(j, "name", f->name);
	/* of a switch, as host and max have it */
	jw_key_bool(j, "default", strcmp(f->deflt, "on") == 0 || strcmp(f->deflt, "host") == 0);
	jw_key_string(j, "meaning", f->meaning);
	jw_key_string(j, "other", f->other);
	jw_key_string(j, "type", f->type);
	jw_key_string(j, "default_of", f->deflt);
	takes_text(&takes, f);
	jw_key_string(j, "takes", takes.s);
	jw_key(j, "min");
	json_limit(j, f, f->min);
	jw_key(j, "max");
	json_limit(j, f, f->max);
	jw_key_bool(j, "or_zero", f->or_zero);
	jw_key(j, "choices");
	jw_array(j, false);
	json_words(j, f->choices);
	jw_close(j, ']');
	jw_close(j, '}');
	free(takes.s);
	return 0;
}

void properties_text(const struct tool *t)
{
	struct properties p = { grid_new(4), t };

	grid_add(p.grid, (const char *const[]){ "PROPERTY", "TAKES", "DEFAULT", "MEANING" });
	gcpu_property_infos(t->arch, text_property, &p);
	grid_wrap(p.grid);
	if (grid_rows(p.grid) > 1) {
		printf("\n");
		grid_print(p.grid, stdout, "");
	}
	grid_free(p.grid);
}

void properties_json(const struct tool *t, struct json *j)
{
	jw_key(j, "properties");
	jw_array(j, true);
	gcpu_property_infos(t->arch, json_property, j);
	jw_close(j, ']');
}
