/* SPDX-License-Identifier: MIT */
/* Reading members of a JSON document, with the place in every error. */
#ifndef GCPU_FORMATS_READ_H
#define GCPU_FORMATS_READ_H

#include "document.h"

#define READ_PATH 160
#define READ_DEPTH 12

/* A value and where it stands in the document. Errors are sticky: the first
 * one stays in *err and .status, and later calls do nothing. */
struct reader {
	struct gcpu_error *err;
	int status;
	/* the way down from the root: text only once something is wrong */
	unsigned depth;
	struct {
		const char *name; /* NULL: an element of an array */
		size_t index;
	} at[READ_DEPTH];
	/* the member that was read last: members are mostly read as they stand */
	const struct node *in, *after;
};

/* Go down into "name" (which must stay) or "[i]"; the result is for read_leave(). */
size_t read_enter(struct reader *r, const char *name);
size_t read_enter_index(struct reader *r, size_t i);
void read_leave(struct reader *r, size_t mark);
/* "cpuid.supported[3].eax", cut where it is too long. */
void read_path(const struct reader *r, char ret[READ_PATH]);
int read_fail(struct reader *r, const char *what, const char *expected);

/* The elements of ARRAY (NULL: none) until something is wrong, at I for messages. */
#define READ_EACH(r, v, i, array)                                                              \
	for (const struct node *v = (i = 0, (array) ? (array)->first : NULL); v && !(r)->status; \
	     v = v->next, i++)

/* A member of an object; NULL if it is absent (and a failure if it is needed). */
const struct node *read_member(struct reader *r, const struct node *object,
			       const char *name, bool needed);
const struct node *read_array(struct reader *r, const struct node *object,
			      const char *name, bool needed, size_t most);
const struct node *read_object(struct reader *r, const struct node *object,
			       const char *name, bool needed);
/* "0x..." up to MOST. */
uint64_t read_hex(struct reader *r, const struct node *object, const char *name, uint64_t most);
uint64_t read_hex_value(struct reader *r, const struct node *value, uint64_t most);
int64_t read_int(struct reader *r, const struct node *object,
		 const char *name, int64_t least, int64_t most);
/* A copy, or NULL where it is null or absent. */
char *read_string(struct reader *r, const struct node *object, const char *name, bool needed);
/* A document's schema, version and architecture; WHO is added to what was expected. */
enum gcpu_arch read_document(struct reader *r, const struct node *root, const char *schema, const char *who);

#endif
