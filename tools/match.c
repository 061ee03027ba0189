/* SPDX-License-Identifier: MIT */
/* Patterns over names and aliases, as a shell has them. */
#include "tool.h"

#include <fnmatch.h>
#include <string.h>

/* Does a name, or one of its aliases, match the pattern? */
struct matching {
	const char *pattern;
	bool matches;
};

bool match_name(const char *pattern, const char *name)
{
	char plain[2][200];
	const char *const from[2] = { pattern, name };

	for (int i = 0; i < 2; i++) {
		snprintf(plain[i], sizeof(plain[i]), "%s", from[i]);
		for (char *c = plain[i]; *c; c++)
			*c = *c == '_' ? '-' : *c;
	}
	return fnmatch(plain[0], plain[1], FNM_CASEFOLD) == 0;
}

static int alias_matches(void *ctx, const char *alias, const char *tag)
{
	struct matching *m = ctx;

	(void)tag;
	m->matches = m->matches || match_name(m->pattern, alias);
	return 0;
}

bool match_is_pattern(const char *word)
{
	return strpbrk(word, "*?[") != NULL;
}

bool match_feature(enum gcpu_arch arch, const char *pattern, const char *name)
{
	struct matching m = { pattern, match_name(pattern, name) };

	if (!m.matches)
		gcpu_feature_aliases(arch, name, alias_matches, &m);
	return m.matches;
}

/* A pattern that matches nothing: the names nearest to what is no wildcard in it. */
int match_none(const struct tool *t, const char *pattern)
{
	struct gcpu_request *req = NULL;
	char text[GCPU_ERROR_TEXT] = "host,";
	struct gcpu_error err;

	memset(&err, 0, sizeof(err));
	for (const char *c = pattern; *c && strlen(text) < sizeof(text) - 2; c++)
		if (!strchr("*?[],=+", *c))
			strncat(text, c, 1);
	gcpu_request_parse(t->arch, text, &req, &err);
	gcpu_request_free(req);
	err.code = GCPU_ERR_NAME;
	err.offset = (size_t)-1;
	err.length = 0;
	snprintf(err.text, sizeof(err.text), "no feature matches '%.60s'", pattern);
	snprintf(err.expected, sizeof(err.expected), "a pattern of feature names or aliases");
	return tool_fail(t, &err, NULL);
}
