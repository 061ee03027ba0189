/* SPDX-License-Identifier: MIT */
#include "document_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to so many members are compared each with each, more are sorted. */
#define FEW 12
/* Values in a block: 32 kB, which malloc() takes from what the process has. */
#define BLOCK 1023

struct doc_block {
	struct doc_block *next;
	size_t n;
	struct node values[];
};

static struct node *new_value(struct parser *p)
{
	struct doc_block *b = p->d->blocks;

	if (!b || b->n == BLOCK) {
		b = malloc(sizeof(*b) + BLOCK * sizeof(b->values[0]));
		if (!b) {
			scan_no_memory(p);
			return NULL;
		}
		b->n = 0;
		b->next = p->d->blocks;
		p->d->blocks = b;
	}
	return &b->values[b->n++];
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
}

static bool same_key(const struct node *a, const struct node *b)
{
	return a->key_n == b->key_n && memcmp(a->key, b->key, a->key_n) == 0;
}

static int key_order(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a;
	const struct node *y = *(const struct node *const *)b;

	return x->key_n != y->key_n ? (x->key_n < y->key_n ? -1 : 1) : memcmp(x->key, y->key, x->key_n);
}

/* No key stands twice in OBJECT, whose end is at .at. */
static bool check_keys(struct parser *p, const struct node *object)
{
	const struct node **order, *found = NULL;
	char what[96];
	size_t n = 0;

	if (object->n <= FEW) {
		for (const struct node *a = object->first; a && !found; a = a->next)
			for (const struct node *b = object->first; b != a && !found; b = b->next)
				found = same_key(a, b) ? a : NULL;
	} else {
		order = malloc(object->n * sizeof(*order));
		if (!order)
			return scan_no_memory(p);
		for (const struct node *v = object->first; v; v = v->next)
			order[n++] = v;
		qsort(order, n, sizeof(*order), key_order);
		for (size_t i = 1; i < n && !found; i++)
			found = same_key(order[i - 1], order[i]) ? order[i] : NULL;
		free(order);
	}
	if (!found)
		return true;
	snprintf(what, sizeof(what), "duplicate key '%.*s'", found->key_n < 60 ? (int)found->key_n : 60,
		 found->key);
	/* a key that had escapes was copied: then the object's end has to do */
	return scan_fail(p, found->key >= p->text && found->key < p->end ? found->key - 1 : p->at, what,
			 "each key once");
}

/* A new value in .open (or the root), with its key if it has one. */
static struct node *add_value(struct parser *p, const char *key, size_t key_n)
{
	struct node *v;

	if (p->depth == DOCUMENT_DEPTH) {
		scan_fail(p, p->at, "nested too deeply", "at most 2048 values inside of each other");
		return NULL;
	}
	v = new_value(p);
	if (!v)
		return NULL;
	memset(v, 0, sizeof(*v));
	v->key = key;
	v->key_n = (unsigned)key_n;
	if (!p->open) {
		p->d->root = v;
		return v;
	}
	p->open->n++;
	if (p->last)
		p->last->next = v;
	else
		p->open->first = v;
	p->last = v;
	return v;
}

/* A value, or the beginning of one that has others inside. */
static bool value(struct parser *p)
{
	struct node *v;
	const char *key = NULL, *text;
	size_t key_n = 0, n;
	char c;

	skip_blanks(p);
	if (doc_is(p->open, DOC_OBJECT)) {
		if (p->at == p->end || *p->at != '"')
			return scan_fail(p, p->at, "not a key", "a key in double quotes");
		if (!scan_string(p, &key, &key_n))
			return false;
		skip_blanks(p);
		if (p->at == p->end || *p->at != ':')
			return scan_fail(p, p->at, "a key without a value", "':'");
		p->at++;
		skip_blanks(p);
	}
	v = add_value(p, key, key_n);
	if (!v)
		return false;
	c = p->at < p->end ? *p->at : 0;
	if (c == '"') {
		if (!scan_string(p, &text, &n))
			return false;
		v->type = DOC_STRING;
		v->text = text;
		v->n = (unsigned)n;
		return true;
	}
	if (c != '{' && c != '[')
		return c == '-' || (c >= '0' && c <= '9') ? scan_number(p, v) : scan_word(p, v);
	v->type = c == '{' ? DOC_OBJECT : DOC_ARRAY;
	v->next = p->open;
	p->open = v;
	p->last = NULL;
	p->depth++;
	p->at++;
	return true;
}

/* After a value, or behind an opening bracket: close what ends here. *ret_more: a value comes. */
static bool close_ended(struct parser *p, bool *ret_more)
{
	*ret_more = false;
	while (p->open) {
		struct node *v = p->open;
		bool object = v->type == DOC_OBJECT;
		char c;

		skip_blanks(p);
		c = p->at < p->end ? *p->at : 0;
		if (c != (object ? '}' : ']')) {
			*ret_more = true;
			if (p->last && c != ',')
				return scan_fail(p, p->at, "one value after another",
						 object ? "',' or '}'" : "',' or ']'");
			p->at += p->last != NULL;
			return true;
		}
		if (object && !check_keys(p, v))
			return false;
		p->at++;
		p->open = v->next;
		v->next = NULL;
		p->last = v;
		p->depth--;
	}
	return true;
}

int document_parse(struct document *d, const char *text, size_t n, struct gcpu_error *err)
{
	struct parser p = { .d = d, .text = text, .at = text, .end = text + n, .err = err };
	bool more = true;

	memset(d, 0, sizeof(*d));
	if (n > DOCUMENT_MOST)
		return error_set(err, GCPU_ERR_DOCUMENT, "%zu bytes long", n);
	while (more && value(&p) && close_ended(&p, &more))
		;
	if (!p.status) {
		skip_blanks(&p);
		if (p.at < p.end)
			scan_fail(&p, p.at, "something after the document", "nothing but blanks");
	}
	if (p.status)
		document_free(d);
	return p.status;
}

void document_free(struct document *d)
{
	while (d->blocks) {
		struct doc_block *b = d->blocks;

		d->blocks = b->next;
		free(b);
	}
	free(d->texts);
	memset(d, 0, sizeof(*d));
}

const struct node *doc_member(const struct node *object, const char *name)
{
	if (!doc_is(object, DOC_OBJECT))
		return NULL;
	for (const struct node *v = object->first; v; v = v->next)
		if (doc_has_key(v, name))
			return v;
	return NULL;
}
