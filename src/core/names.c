/* SPDX-License-Identifier: MIT */
/* Names as users type them: '_' and '-' alike, case ignored, nearest names. */
#include "plan.h"

#include <string.h>

static char normal_char(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '_' ? '-' : c;
}

/* Compare TEXT[0..N) in normal form with KEY, which is in normal form. */
static int name_order(const char *text, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		int d = (unsigned char)normal_char(text[i]) - (unsigned char)key[i];

		if (d || key[i] == 0)
			return d ? d : 1;
	}
	return key[n] ? -1 : 0;
}

bool name_same(const char *text, size_t n, const char *other)
{
	if (strlen(other) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (normal_char(text[i]) != normal_char(other[i]))
			return false;
	return true;
}

static const struct name_fact *name_search(const struct facts *f, const char *name, size_t length)
{
	size_t lo = 0, hi = f->n_names;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = name_order(name, length, f->names[mid].key);

		if (d == 0)
			return &f->names[mid];
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* SYSREG_ID_AA64ISAR0_EL1_RNDR, a word of QEMU's, is ID_AA64ISAR0_EL1.RNDR here: for every field of a
 * register, where one of the '_' stands for the '.'. */
static const struct name_fact *name_of_register(const struct facts *f, const char *name, size_t length)
{
	static const char prefix[] = "SYSREG_";
	size_t n = sizeof(prefix) - 1;
	char buf[64];

	if (length <= n || length - n >= sizeof(buf) || !name_same(name, n, prefix))
		return NULL;
	length -= n;
	memcpy(buf, name + n, length);
	for (size_t i = 0; i < length; i++) {
		const struct name_fact *found;
		char was = buf[i];

		if (was != '_')
			continue;
		buf[i] = '.';
		found = name_search(f, buf, length);
		if (found && found->own && found->feature < f->n_fields &&
		    ADDR_SPACE(f->words[f->fields[found->feature].word].addr) == SPACE_REG)
			return found;
		buf[i] = was;
	}
	return NULL;
}

const struct name_fact *name_find(const struct facts *f, const char *name, size_t length)
{
	const struct name_fact *found = name_search(f, name, length);

	return found ? found : name_of_register(f, name, length);
}

const char *value_name(const struct facts *f, const struct field_fact *field, uint64_t value)
{
	for (unsigned i = 0; i < field->n_named; i++)
		if (f->named[field->first_named + i].value == value)
			return f->named[field->first_named + i].name;
	return NULL;
}

bool value_find(const struct facts *f, const struct field_fact *field, const char *name, size_t length,
		uint64_t *ret)
{
	for (unsigned i = 0; i < field->n_named; i++) {
		const struct named_fact *v = &f->named[field->first_named + i];

		if (!name_same(name, length, v->name))
			continue;
		*ret = v->value;
		return true;
	}
	return false;
}

int property_find(const struct facts *f, const char *name, size_t length)
{
	for (unsigned i = 0; i < f->n_props; i++)
		if (name_same(name, length, f->props[i].name) ||
		    (f->props[i].other && name_same(name, length, f->props[i].other)))
			return (int)i;
	return -1;
}

#define NEAR_MAX 40

/* Edits (insert, delete, replace, swap) between two names. */
static unsigned distance(const char *a, size_t na, const char *b)
{
	size_t nb = strlen(b);
	unsigned rows[3][NEAR_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	if (na > NEAR_MAX || nb > NEAR_MAX)
		return ~0U;
	for (size_t j = 0; j <= nb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *spare = before;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			char x = normal_char(a[i - 1]), y = normal_char(b[j - 1]);
			unsigned best = last[j - 1] + (x != y);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && x == normal_char(b[j - 2]) &&
			    normal_char(a[i - 2]) == y && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[nb];
}

struct near {
	unsigned d[GCPU_ERROR_NEAR];
	const char *name[GCPU_ERROR_NEAR];
};

static void near_try(struct near *near, const char *text, size_t n, const char *name)
{
	unsigned d = distance(text, n, name);

	if (d > (n < 5 ? 2 : n / 3 + 1))
		return;
	for (int i = 0; i < GCPU_ERROR_NEAR; i++)
		if (near->name[i] && strcmp(near->name[i], name) == 0)
			return;
	for (int i = 0; i < GCPU_ERROR_NEAR; i++) {
		if (near->name[i] && near->d[i] <= d)
			continue;
		for (int j = GCPU_ERROR_NEAR - 1; j > i; j--) {
			near->name[j] = near->name[j - 1];
			near->d[j] = near->d[j - 1];
		}
		near->name[i] = name;
		near->d[i] = d;
		return;
	}
}

void name_nearest(const struct arch *a, const char *name, size_t length, bool all,
		  struct gcpu_error *err)
{
	const struct facts *f = a->facts;
	struct near near = { { 0 }, { NULL } };

	if (!err)
		return;
	for (unsigned i = 0; i < f->n_names; i++)
		near_try(&near, name, length, f->names[i].name);
	for (unsigned i = 0; all && i < f->n_props; i++) {
		near_try(&near, name, length, f->props[i].name);
		if (f->props[i].other)
			near_try(&near, name, length, f->props[i].other);
	}
	for (int i = 0; i < GCPU_ERROR_NEAR && near.name[i]; i++)
		strncpy(err->near[i], near.name[i], GCPU_ERROR_NAME - 1);
}

void name_nearest_host(const char *name, struct gcpu_error *err)
{
	struct near near = { { 0 }, { NULL } };

	if (!err)
		return;
	for (unsigned i = 0; i < gcpu_n_hosts; i++)
		near_try(&near, name, strlen(name), gcpu_hosts[i].name);
	for (int i = 0; i < GCPU_ERROR_NEAR && near.name[i]; i++)
		strncpy(err->near[i], near.name[i], GCPU_ERROR_NAME - 1);
}

void name_nearest_model(const struct facts *f, const char *name, size_t length, struct gcpu_error *err)
{
	struct near near = { { 0 }, { NULL } };

	for (unsigned i = 0; i < f->n_models; i++)
		near_try(&near, name, length, f->models[i].name);
	for (int i = 0; i < GCPU_ERROR_NEAR && near.name[i]; i++)
		strncpy(err->near[i], near.name[i], GCPU_ERROR_NAME - 1);
}

void name_nearest_preset(const struct facts *f, const char *name, size_t length, struct gcpu_error *err)
{
	struct near near = { { 0 }, { NULL } };

	if (!err)
		return;
	for (unsigned i = 0; i < f->n_presets; i++)
		near_try(&near, name, length, f->presets[i].name);
	for (int i = 0; i < GCPU_ERROR_NEAR && near.name[i]; i++)
		strncpy(err->near[i], near.name[i], GCPU_ERROR_NAME - 1);
}
