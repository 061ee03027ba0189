/* SPDX-License-Identifier: MIT */
/* The grammar of a request. */
#include "plan.h"

#include <guestcpu/catalogue.h>
#include <stdlib.h>
#include <string.h>

struct span {
	const char *s;
	size_t n;
};

static int fail_at(struct gcpu_error *err, const char *text, struct span at, int code,
		   const char *what, const char *expected)
{
	int shown = at.n > 40 ? 40 : (int)at.n;

	error_set(err, code, "%s '%.*s%s'", what, shown, at.s, at.n > 40 ? "..." : "");
	error_at(err, (size_t)(at.s - text), at.n);
	error_expected(err, "%s", expected);
	return code;
}

static int parse_model(struct gcpu_request *r, struct span m, struct gcpu_error *err)
{
	if (model_find(r->arch, m.s, m.n, &r->model, &r->named))
		return 0;
	fail_at(err, r->text, m, m.n ? GCPU_ERR_NAME : GCPU_ERR_SYNTAX,
		m.n ? "no such model" : "no model", "");
	model_names(r->arch, m.s, m.n, err);
	return m.n ? GCPU_ERR_NAME : GCPU_ERR_SYNTAX;
}

static const struct {
	const char *word;
	bool on;
} switches[] = {
	{ "on", true }, { "yes", true }, { "true", true }, { "y", true },
	{ "off", false }, { "no", false }, { "false", false }, { "n", false },
};

/* Unsigned, 0x or decimal; at most 64 bits. */
static bool parse_number(struct span v, uint64_t *ret)
{
	unsigned base = 10;
	size_t i = 0;
	uint64_t value = 0;

	if (v.n > 2 && v.s[0] == '0' && (v.s[1] == 'x' || v.s[1] == 'X')) {
		base = 16;
		i = 2;
	}
	if (i == v.n)
		return false;
	for (; i < v.n; i++) {
		char c = v.s[i];
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
						    : 16;

		if (d >= base || value > (UINT64_MAX - d) / base)
			return false;
		value = value * base + d;
	}
	*ret = value;
	return true;
}

/* The field that a number is for, if the item means exactly one. */
static const struct field_fact *item_field(const struct facts *f, const struct request_item *it)
{
	const struct feature_fact *ff = it->feature < 0 ? NULL : &f->features[it->feature];

	return ff && ff->n == 1 && ff->id < 4096 ? &f->fields[f->targets[ff->first].field] : NULL;
}

/* Off, or a number, may be what the architecture does not allow. */
static int check_legal(struct gcpu_request *r, const struct request_item *it, struct span at,
		       struct gcpu_error *err)
{
	const struct field_fact *ff = item_field(r->arch->facts, it);
	bool off = it->is_switch && !it->value;
	uint64_t value = ff && off ? field_off(ff) : it->value;

	if (!ff || (it->is_switch && !off) || field_legal(ff, value))
		return 0;
	if (value >= ff->min) {
		fail_at(err, r->text, at, GCPU_ERR_VALUE, "no legal value:", "");
		error_expected(err, "0x%llx or less, or 0x%llx or more", (unsigned long long)ff->skip - 1,
			       (unsigned long long)ff->skip_to + 1);
		return GCPU_ERR_VALUE;
	}
	fail_at(err, r->text, at, GCPU_ERR_VALUE, "below the least legal value:", "");
	error_expected(err, "0x%llx or more", (unsigned long long)ff->min);
	return GCPU_ERR_VALUE;
}

/* A number times FACTOR, where digits after a point count down to one; no 0x then. */
static bool parse_fraction(struct span v, uint64_t factor, uint64_t *ret)
{
	const char *point = memchr(v.s, '.', v.n);
	struct span whole = { v.s, point ? (size_t)(point - v.s) : v.n };
	uint64_t rest = 0, unit = factor;

	if (!parse_number(whole, ret) || *ret > UINT64_MAX / factor)
		return false;
	*ret *= factor;
	if (!point)
		return true;
	if (whole.n > 1 && (whole.s[1] == 'x' || whole.s[1] == 'X'))
		return false;
	if (whole.n + 1 == v.n)
		return false;
	for (size_t i = whole.n + 1; i < v.n; i++) {
		if (v.s[i] < '0' || v.s[i] > '9')
			return false;
		if (unit % 10 && v.s[i] != '0')
			return false; /* less than one */
		unit /= 10;
		rest += (uint64_t)(v.s[i] - '0') * unit;
	}
	if (*ret > UINT64_MAX - rest)
		return false;
	*ret += rest;
	return true;
}

/* K, M and G after a frequency are thousands, as QEMU's tsc-freq has it. */
static bool parse_hertz(struct span v, uint64_t *ret)
{
	static const struct {
		char suffix;
		uint64_t factor;
	} units[] = { { 'k', 1000 }, { 'm', 1000000 }, { 'g', 1000000000 } };
	uint64_t factor = 1;

	for (size_t i = 0; v.n && i < sizeof(units) / sizeof(units[0]); i++)
		if ((v.s[v.n - 1] | 0x20) == units[i].suffix)
			factor = units[i].factor;
	if (factor != 1)
		v.n--;
	return parse_fraction(v, factor, ret);
}

static int property_text(struct gcpu_request *r, struct request_item *it, struct span v,
			 struct gcpu_error *err)
{
	const struct property_fact *f = &r->arch->facts->props[it->prop];

	if (v.n < f->min || v.n > f->max) {
		fail_at(err, r->text, v, GCPU_ERR_VALUE, "wrong length:", "");
		error_expected(err, f->min == f->max ? "%llu characters" : "%llu to %llu characters",
			       (unsigned long long)f->min, (unsigned long long)f->max);
		return GCPU_ERR_VALUE;
	}
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.s[i] < 0x20 || (unsigned char)v.s[i] > 0x7e)
			return fail_at(err, r->text, v, GCPU_ERR_VALUE, "not printable:", "ASCII text");
	it->value = 1;
	it->text = (size_t)(v.s - r->text);
	it->text_length = v.n;
	return 0;
}

/* "one of none, safe, all": the words that a choice may be */
static void choices_expected(const struct property_fact *f, struct gcpu_error *err)
{
	size_t n = 0;

	if (!err)
		return;
	error_expected(err, "one of ");
	n = strlen(err->expected);
	for (const char *c = f->choices; *c && n + 3 < sizeof(err->expected); c++) {
		if (*c == ' ')
			err->expected[n++] = ',';
		err->expected[n++] = *c;
	}
	err->expected[n] = 0;
}

static int property_choice(struct gcpu_request *r, struct request_item *it, const struct span *v,
			   struct span name, struct gcpu_error *err)
{
	const struct facts *f = r->arch->facts;
	int preset = v ? preset_find(f, v->s, v->n) : -1;

	if (preset >= 0) {
		it->value = (uint64_t)preset + 1;
		return 0;
	}
	fail_at(err, r->text, v ? *v : name, GCPU_ERR_VALUE, v ? "no such preset:" : "it needs a value:", "");
	choices_expected(&f->props[it->prop], err);
	if (v)
		name_nearest_preset(f, v->s, v->n, err);
	return GCPU_ERR_VALUE;
}

/* A property that is no switch; V is NULL where no value was given. */
static int property_value(struct gcpu_request *r, struct request_item *it, const struct span *v,
			  struct span name, struct gcpu_error *err)
{
	const struct property_fact *f = &r->arch->facts->props[it->prop];
	bool ok;

	if (f->type == PROP_CHOICE)
		return property_choice(r, it, v, name, err);
	if (!v)
		return fail_at(err, r->text, name, GCPU_ERR_VALUE, "it needs a value:", "name=value");
	if (f->type == PROP_TEXT)
		return property_text(r, it, *v, err);
	ok = f->type == PROP_HERTZ ? parse_hertz(*v, &it->value) : parse_number(*v, &it->value);
	if (!ok)
		return fail_at(err, r->text, *v, GCPU_ERR_VALUE, "not a number:",
			       f->type == PROP_HERTZ ? "whole Hz; K, M and G are thousands of them, and may have fractions" :
						       "a number of at most 64 bits (0x for hex)");
	if ((it->value >= f->min && it->value <= f->max) ||
	    (f->type == PROP_NUMBER0 && it->value == 0))
		return 0;
	fail_at(err, r->text, *v, GCPU_ERR_VALUE, "out of range:", "");
	error_expected(err, "%s%llu to %llu", f->type == PROP_NUMBER0 ? "0 (not set) or " : "",
		       (unsigned long long)f->min, (unsigned long long)f->max);
	return GCPU_ERR_VALUE;
}

/* "a number (0x for hex), on, off, AES, PMULL": the names that the values have */
static void values_expected(const struct facts *f, const struct field_fact *ff, struct gcpu_error *err)
{
	if (!err || !ff->n_named)
		return;
	error_expected(err, "a number (0x for hex), on, off");
	for (unsigned i = 0; i < ff->n_named; i++) {
		const char *name = f->named[ff->first_named + i].name;

		if (strlen(err->expected) + strlen(name) + 3 > sizeof(err->expected))
			return;
		strcat(err->expected, ", ");
		strcat(err->expected, name);
	}
}

static int parse_value(struct gcpu_request *r, struct request_item *it, struct span v,
		       struct gcpu_error *err)
{
	const struct field_fact *ff = item_field(r->arch->facts, it);
	/* a flag of a register may be given as the number that stands there */
	bool wide = ff && (ff->width > 1 ||
			   ADDR_SPACE(r->arch->facts->words[ff->word].addr) == SPACE_REG);

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		if (name_same(v.s, v.n, switches[i].word)) {
			it->is_switch = true;
			it->value = switches[i].on;
			return 0;
		}
	}
	if (!wide)
		return fail_at(err, r->text, v, GCPU_ERR_VALUE, "not a switch:", "on or off");
	it->is_switch = false;
	if (!parse_number(v, &it->value) && !value_find(r->arch->facts, ff, v.s, v.n, &it->value)) {
		fail_at(err, r->text, v, GCPU_ERR_VALUE, ff->n_named ? "no such value:" : "not a number:",
			"a number (0x for hex), on or off");
		values_expected(r->arch->facts, ff, err);
		return GCPU_ERR_VALUE;
	}
	if (it->value > field_mask(ff)) {
		fail_at(err, r->text, v, GCPU_ERR_VALUE, "out of range:", "");
		error_expected(err, "0 to 0x%llx (%u bits)", (unsigned long long)field_mask(ff),
			       ff->width);
		return GCPU_ERR_VALUE;
	}
	/* as KVM does */
	if (ff->none && it->value == ff->none)
		it->value = ff->absent;
	return 0;
}

/* A field that follows from another: say from which, where a table knows. */
static int not_chosen(struct gcpu_request *r, unsigned field, struct span name, struct gcpu_error *err)
{
	const struct facts *f = r->arch->facts;
	uint8_t owner = f->fields[field].owner;

	fail_at(err, r->text, name, GCPU_ERR_VALUE, "cannot be set:",
		owner & OWNER_IDENTITY ? "a feature; this says which CPU it is, and comes with the model" :
		owner & OWNER_RUNTIME  ? "a feature; this one KVM sets while the guest runs" :
					 "a feature; this is computed from others");
	for (unsigned i = 0; i < f->n_requires && !(owner & OWNER_RUNTIME); i++) {
		const struct require_fact *q = &f->requires[i];

		if (q->child == field && (f->fields[q->parent[0]].owner & OWNER_CHOSEN)) {
			error_expected(err, "%s, from which it follows", f->fields[q->parent[0]].name);
			break;
		}
	}
	return GCPU_ERR_VALUE;
}

static int find_name(struct gcpu_request *r, struct request_item *it, struct span name,
		     struct gcpu_error *err)
{
	const struct facts *f = r->arch->facts;
	const struct name_fact *n = name_find(f, name.s, name.n);

	it->feature = -1;
	/* first: it may share its name with a field that only it can set */
	it->prop = property_find(f, name.s, name.n);
	if (it->prop >= 0)
		return 0;
	if (n) {
		const struct feature_fact *ff = &f->features[n->feature];

		it->feature = n->feature;
		for (unsigned i = 0; i < ff->n; i++) {
			const struct field_fact *fl = &f->fields[f->targets[ff->first + i].field];

			if (ff->fixed || !(fl->owner & OWNER_CHOSEN))
				return not_chosen(r, f->targets[ff->first + i].field, name, err);
		}
		return 0;
	}
	fail_at(err, r->text, name, GCPU_ERR_NAME, "no such feature or property",
		"a feature name (guestcpu features lists them)");
	name_nearest(r->arch, name.s, name.n, true, err);
	return GCPU_ERR_NAME;
}

static int parse_item(struct gcpu_request *r, struct span item, struct gcpu_error *err)
{
	struct request_item it = { .op = '=', .is_switch = true, .value = 1 };
	struct span name = item, value;
	const char *eq;
	struct request_item *slot;
	int status;

	if (item.n == 0)
		return fail_at(err, r->text, item, GCPU_ERR_SYNTAX, "empty item",
			       "a feature between the commas");
	it.offset = (size_t)(item.s - r->text);
	it.length = item.n;
	eq = memchr(item.s, '=', item.n);
	if (item.s[0] == '+' || item.s[0] == '-') {
		it.op = item.s[0];
		it.value = item.s[0] == '+';
		name.s++;
		name.n--;
		if (eq)
			return fail_at(err, r->text, item, GCPU_ERR_SYNTAX, "a sign and a value:",
				       "+name, -name or name=value");
	} else if (eq) {
		name.n = (size_t)(eq - item.s);
	}
	if (name.n == 0)
		return fail_at(err, r->text, item, GCPU_ERR_SYNTAX, "no name in", "a feature name");
	status = find_name(r, &it, name, err);
	if (eq) {
		value.s = eq + 1;
		value.n = item.n - name.n - 1;
	}
	if (status == 0 && it.prop >= 0 && r->arch->facts->props[it.prop].type != PROP_BOOL)
		status = property_value(r, &it, eq ? &value : NULL, name, err);
	else if (status == 0 && eq)
		status = parse_value(r, &it, value, err);
	if (status == 0)
		status = check_legal(r, &it, item, err);
	if (status)
		return status;
	slot = list_add(&r->items, sizeof(it));
	if (!slot)
		return error_memory(err);
	*slot = it;
	return 0;
}

static int parse_text(struct gcpu_request *r, struct gcpu_error *err)
{
	const char *s = r->text, *end = s + strlen(s);
	bool first = true;

	for (;;) {
		const char *comma = memchr(s, ',', (size_t)(end - s));
		struct span item = { s, (size_t)((comma ? comma : end) - s) };
		int status = first ? parse_model(r, item, err) : parse_item(r, item, err);

		if (status || !comma)
			return status;
		first = false;
		s = comma + 1;
	}
}

int gcpu_request_parse(enum gcpu_arch arch, const char *text, struct gcpu_request **ret_request,
		       struct gcpu_error *err)
{
	const struct arch *a = arch_of(arch);
	struct gcpu_request *r;
	size_t n;
	int status;

	if (!a || !text || !ret_request)
		return error_set(err, GCPU_ERR_ARGUMENT, "no architecture, text or result");
	n = strlen(text);
	if (n > GCPU_REQUEST_MAX) {
		error_set(err, GCPU_ERR_SYNTAX, "the request is %zu bytes long", n);
		error_expected(err, "at most %d bytes", GCPU_REQUEST_MAX);
		return GCPU_ERR_SYNTAX;
	}
	r = calloc(1, sizeof(*r));
	if (r)
		r->text = text_copy(text, n);
	if (!r || !r->text) {
		free(r);
		return error_memory(err);
	}
	r->arch = a;
	status = parse_text(r, err);
	if (status) {
		gcpu_request_free(r);
		return status;
	}
	*ret_request = r;
	return 0;
}

void gcpu_request_free(struct gcpu_request *r)
{
	if (!r)
		return;
	list_free(&r->items);
	free(r->text);
	free(r);
}

const char *gcpu_request_text(const struct gcpu_request *r)
{
	return r ? r->text : NULL;
}
