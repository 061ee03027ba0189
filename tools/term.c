/* SPDX-License-Identifier: MIT */
/* What a person looks at: width, colour, labels with wrapped text beside them. */
#include "term.h"
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_LEAST 40
#define WIDTH_OTHERWISE 80

unsigned term_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	unsigned width = 0;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (!width && columns)
		width = (unsigned)strtoul(columns, NULL, 10);
	if (!width)
		width = WIDTH_OTHERWISE;
	return width < WIDTH_LEAST ? WIDTH_LEAST : width;
}

/* https://no-color.org: any value but the empty one. */
static bool colourful(void)
{
	const char *no = getenv("NO_COLOR"), *kind = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && kind && strcmp(kind, "dumb") != 0;
}

void term_print(enum term_style style, const char *text)
{
	static const char *const codes[] = { "", "\033[1m", "\033[32m", "\033[31m", "\033[33m" };
	bool colour = style != TERM_PLAIN && colourful();

	if (colour)
		fputs(codes[style], stdout);
	tool_print(stdout, text);
	if (colour)
		fputs("\033[0m", stdout);
}

/* Columns that the word at TEXT takes: up to a blank or the end. */
static unsigned word_length(const char *text, unsigned *ret_bytes)
{
	unsigned wide = 0, bytes = 0;

	while (text[bytes] && text[bytes] != ' ') {
		/* what continues a character takes no column of its own */
		wide += ((unsigned char)text[bytes] & 0xc0) != 0x80;
		bytes++;
	}
	*ret_bytes = bytes;
	return wide;
}

static void print_bytes(const char *text, unsigned n)
{
	char part[256];

	while (n) {
		unsigned step = n < sizeof(part) - 1 ? n : sizeof(part) - 1;

		snprintf(part, sizeof(part), "%.*s", (int)step, text);
		tool_print(stdout, part);
		text += step;
		n -= step;
	}
}

void term_wrap(const char *text, unsigned at, unsigned indent, unsigned width)
{
	unsigned column = at, blanks = 0;

	while (*text) {
		unsigned bytes, wide = word_length(text, &bytes);

		if (width && column > indent && column + blanks + wide > width) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		} else {
			printf("%*s", (int)blanks, "");
			column += blanks;
		}
		print_bytes(text, bytes);
		column += wide;
		text += bytes;
		for (blanks = 0; *text == ' '; text++)
			blanks++;
	}
	putchar('\n');
}

void term_item(const char *label, const char *text)
{
	unsigned width = term_width();

	printf("  ");
	term_print(TERM_BOLD, label);
	printf("%*s", (int)(TERM_LABEL - 2 - strlen(label)), "");
	term_wrap(text, TERM_LABEL, TERM_LABEL, width ? width : WIDTH_OTHERWISE);
}

void text_add(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	for (;;) {
		va_start(ap, format);
		n = vsnprintf(t->s ? t->s + t->n : NULL, t->room - t->n, format, ap);
		va_end(ap);
		if (n < 0 || (size_t)n < t->room - t->n)
			break;
		t->room = (t->n + (size_t)n + 1) * 2;
		t->s = realloc(t->s, t->room);
		if (!t->s) {
			fputs("guestcpu: out of memory\n", stderr);
			exit(EXIT_LACKS);
		}
	}
	t->n += n > 0 ? (size_t)n : 0;
}

void text_item(const char *label, struct text *t)
{
	if (t->n)
		term_item(label, t->s);
	t->n = 0;
	if (t->s)
		*t->s = 0;
}
