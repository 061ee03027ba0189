/* SPDX-License-Identifier: MIT */
/* Any bytes: our reader of JSON and jansson refuse the same, and read the same in the others. */
#include "fuzz.h"

#include "formats/document.h"
#include "oracle.h"

#include <string.h>

/* Values point into the text, or into what was made of it, and errors into the text. */
static void walk(const struct node *v, unsigned depth)
{
	unsigned n = 0;

	MUST(depth <= DOCUMENT_DEPTH);
	if (v->type == DOC_STRING)
		MUST(!memchr(v->text, 0, v->n));
	if (v->type < DOC_ARRAY)
		return;
	for (const struct node *e = v->first; e; e = e->next, n++) {
		MUST((e->key != NULL) == (v->type == DOC_OBJECT));
		walk(e, depth + 1);
	}
	MUST(n == v->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = data ? (const char *)data : "", *differ = oracle_differs(text, size, NULL);
	struct gcpu_error err;
	struct document d;
	int status = document_parse(&d, text, size, &err);

	if (differ)
		fprintf(stderr, "%s\n", differ);
	MUST(!differ);
	if (status) {
		MUST(!d.root && !d.blocks && !d.texts);
		MUST(err.line > 0 && err.offset <= size);
		fuzz_error(&err, status, size);
		return 0;
	}
	walk(d.root, 1);
	document_free(&d);
	return 0;
}
