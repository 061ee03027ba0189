/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include "formats/document.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_text(const char *a, size_t a_n, const char *b, size_t b_n)
{
	return a_n == b_n && memcmp(a, b, a_n) == 0;
}

static bool same(const struct node *v, json_t *j);

static bool same_array(const struct node *v, json_t *j)
{
	const struct node *e = v->first;

	for (size_t i = 0; i < json_array_size(j); i++, e = e->next)
		if (!e || e->key || !same(e, json_array_get(j, i)))
			return false;
	return !e && v->n == json_array_size(j);
}

static bool same_object(const struct node *v, json_t *j)
{
	const struct node *e = v->first;
	size_t n;
	json_t *member;
	const char *key;

	/* jansson keeps members in the order in which they came */
	json_object_foreach(j, key, member) {
		n = strlen(key);
		if (!e || !same_text(e->key, e->key_n, key, n) || !same(e, member) || !doc_has_key(e, key))
			return false;
		e = e->next;
	}
	return !e && v->n == json_object_size(j);
}

/* Recursion is as deep as both allow. */
static bool same(const struct node *v, json_t *j)
{
	switch ((enum doc_type)v->type) {
	case DOC_NULL:
		return json_is_null(j);
	case DOC_FALSE:
		return json_is_false(j);
	case DOC_TRUE:
		return json_is_true(j);
	case DOC_INTEGER:
		return json_is_integer(j) && json_integer_value(j) == v->integer;
	case DOC_NUMBER: {
		char copy[512];

		if (!json_is_real(j) || v->n >= sizeof(copy))
			return json_is_real(j);
		memcpy(copy, v->text, v->n);
		copy[v->n] = 0;
		return strtod(copy, NULL) == json_real_value(j);
	}
	case DOC_STRING:
		return json_is_string(j) &&
		       same_text(v->text, v->n, json_string_value(j), json_string_length(j));
	case DOC_ARRAY:
		return json_is_array(j) && same_array(v, j);
	case DOC_OBJECT:
		return json_is_object(j) && same_object(v, j);
	}
	return false;
}

/*
 * jansson refuses numbers that it has no type for; they are good JSON, and a snapshot may have
 * them under a key of the future. Where it does, and in COPY only, they become a 0.
 */
static json_t *load(char *copy, size_t n, char text[JSON_ERROR_TEXT_LENGTH])
{
	json_error_t je;
	json_t *root;

	for (;;) {
		size_t end, at;
		char c = 0;

		root = json_loadb(copy, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
		snprintf(text, JSON_ERROR_TEXT_LENGTH, "%s", root ? "" : je.text);
		if (root || json_error_code(&je) != json_error_numeric_overflow)
			return root;
		end = at = (size_t)je.position;
		/* back to where the number begins: at its minus, if that is not an exponent's */
		while (at > 0 && memchr("0123456789+-.eE", copy[at - 1], 15) &&
		       !(c == '-' && copy[at - 1] != 'e' && copy[at - 1] != 'E')) {
			c = copy[--at];
			copy[at] = ' ';
		}
		if (at == end)
			return NULL;
		/* a minus stays: what stands before it may be a number too */
		copy[at] = c == '-' ? '-' : '0';
		copy[at + (c == '-')] = '0';
	}
}

const char *oracle_differs(const char *text, size_t n, int *ret_accepted)
{
	static char said[512];
	char theirs[JSON_ERROR_TEXT_LENGTH], *copy = malloc(n ? n : 1);
	struct gcpu_error err = { 0 };
	struct document d, d2;
	json_t *root;
	int status = document_parse(&d, text, n, &err), again;

	if (!copy)
		exit(1);
	memcpy(copy, text, n);
	/* a byte 0 stands nowhere in JSON, but jansson 2.14 overlooks one behind a number */
	snprintf(theirs, sizeof(theirs), "a byte 0");
	root = n && memchr(text, 0, n) ? NULL : load(copy, n, theirs);
	said[0] = 0;
	if ((status == 0) != (root != NULL)) {
		snprintf(said, sizeof(said), "ours: %.200s; jansson: %.160s", status ? err.text : "good",
			 root ? "good" : theirs);
	} else if (!status) {
		/* what jansson read, with its zeros */
		again = document_parse(&d2, copy, n, &err);
		if (again || !same(d2.root, root))
			snprintf(said, sizeof(said), "other values: %.200s", again ? err.text : "");
		if (!again)
			document_free(&d2);
	}
	if (!status)
		document_free(&d);
	json_decref(root);
	free(copy);
	if (ret_accepted)
		*ret_accepted = !status;
	return said[0] ? said : NULL;
}
