/* SPDX-License-Identifier: MIT */
/* What a person looks at. */
#ifndef GCPU_TOOLS_TERM_H
#define GCPU_TOOLS_TERM_H

#include <stddef.h>

enum term_style { TERM_PLAIN, TERM_BOLD, TERM_GOOD, TERM_BAD, TERM_ODD };

/* Columns of the terminal on standard output, 0 if it is none. */
unsigned term_width(void);
/* TEXT in a style, where that is a terminal and NO_COLOR is not set. */
void term_print(enum term_style style, const char *text);
/* TEXT from column AT on, further lines from INDENT; WIDTH 0: one line. Ends it. */
void term_wrap(const char *text, unsigned at, unsigned indent, unsigned width);

/* Where the text of an item begins. */
#define TERM_LABEL 13U
/* A line of a list: what it is about, and a text that is wrapped. */
void term_item(const char *label, const char *text);

/* A growing text, zeroed at first; free .s. */
struct text {
	char *s;
	size_t n, room;
};
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A text as an item, if there is any; it is empty afterwards. */
void text_item(const char *label, struct text *t);

#endif
