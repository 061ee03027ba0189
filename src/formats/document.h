/* SPDX-License-Identifier: MIT */
/*
 * A JSON document in memory: RFC 8259 and nothing beside it. Values lie in a few blocks, text
 * without escapes stays where it was read, so reading costs some calls of malloc() and not some
 * thousand.
 *
 * What the RFC leaves to a reader: keys of an object are different, no string holds U+0000,
 * surrogates come in pairs, there is no byte order mark, and values stand at most
 * DOCUMENT_DEPTH deep. A number is a DOC_INTEGER if it is written as one and 64 bits hold
 * it; all others are DOC_NUMBER, whatever they are worth.
 */
#ifndef GCPU_FORMATS_DOCUMENT_H
#define GCPU_FORMATS_DOCUMENT_H

#include "core/util.h"

#define DOCUMENT_DEPTH 2048
/* Bytes of text. */
#define DOCUMENT_MOST ((1U << 28) - 1)

enum doc_type {
	DOC_NULL,
	DOC_FALSE,
	DOC_TRUE,
	DOC_INTEGER,
	DOC_NUMBER,
	DOC_STRING,
	DOC_ARRAY,
	DOC_OBJECT,
};

struct node {
	unsigned type : 4;    /* enum doc_type */
	unsigned key_n : 28;  /* length of KEY */
	unsigned n;	      /* bytes of a string or a number, elements of an array or object */
	const char *key;      /* of a member, else NULL; no 0 at its end */
	struct node *next; /* in the same array or object, NULL after the last */
	union {
		const char *text; /* of a string, or of a DOC_NUMBER; no 0 at its end */
		int64_t integer;
		struct node *first; /* of an array or object, NULL if it is empty */
	};
};

/* Values point into the text that was read: it has to stay. */
struct document {
	struct node *root;
	struct doc_block *blocks;
	char *texts; /* strings that were written with escapes */
};

/* 0, GCPU_ERR_MEMORY, or GCPU_ERR_DOCUMENT with line, column and offset. document_free() is
 * needed after 0 only. */
int document_parse(struct document *d, const char *text, size_t n, struct gcpu_error *err);
void document_free(struct document *d);

/* NULL if there is none, or if OBJECT (NULL too) is no object. */
const struct node *doc_member(const struct node *object, const char *name);

static inline bool doc_is(const struct node *v, enum doc_type type)
{
	return v && v->type == type;
}

static inline bool doc_has_key(const struct node *member, const char *name)
{
	for (unsigned i = 0; i < member->key_n; i++)
		if (member->key[i] != name[i])
			return false;
	return !name[member->key_n];
}

#endif
