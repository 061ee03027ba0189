/* SPDX-License-Identifier: MIT */
/* Between document.c and document_scan.c: where a reader stands, and what it does there. */
#ifndef GCPU_FORMATS_DOCUMENT_SCAN_H
#define GCPU_FORMATS_DOCUMENT_SCAN_H

#include "document.h"

struct parser {
	struct document *d;
	const char *text, *at, *end;
	struct gcpu_error *err;
	/* The array or object that is being read (its .next is the one around it until it is
	 * closed) and what was last put into it: no stack, however deep the document is. */
	struct node *open, *last;
	unsigned depth;
	char *texts; /* where the next string goes that has escapes */
	int status;
};

/* Always false: what is wrong AT a byte. */
bool scan_fail(struct parser *p, const char *at, const char *what, const char *expected);
bool scan_no_memory(struct parser *p);

/* Each begins at .at, leaves it behind what it read, and is false after a failure. */
bool scan_string(struct parser *p, const char **ret_text, size_t *ret_n); /* at its '"' */
bool scan_number(struct parser *p, struct node *v);		   /* at '-' or a digit */
bool scan_word(struct parser *p, struct node *v);

#endif
