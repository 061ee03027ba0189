/* SPDX-License-Identifier: MIT */
/*
 * A file that is written as a whole or stays as it was: into a temporary file beside what the name leads to, which then
 * takes its place. Where that cannot be, or would change more than what is in the file, it is written in place: once
 * there is known to be room for all of it.
 */
#ifndef GCPU_TOOLS_OUTFILE_H
#define GCPU_TOOLS_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>

struct outfile {
	FILE *f;
	char *target; /* what the name leads to */
	char *temp;   /* beside it; NULL: in place */
	char *text;   /* what is to go into a file in place, collected */
	size_t n;
	int fd; /* that file, or -1 */
};

/* 0 and o->f to write to, or an errno. */
int outfile_open(struct outfile *o, const char *name);
/* 0 if all of it is there, or an errno: then the file is as it was. BAD: not all of it could be made. */
int outfile_close(struct outfile *o, bool bad);
/* Could it be written, as far as can be seen without doing it? 0 or an errno. */
int outfile_check(const char *name);
/* Is it /dev/stdout, or another name of /proc for what standard output is? */
bool outfile_is_stdout(const char *name);

#endif
