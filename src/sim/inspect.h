/* SPDX-License-Identifier: MIT */
/* A file that is to be executed: will its loader preload a library? For the command and the library. */
#ifndef GCPU_SIM_INSPECT_H
#define GCPU_SIM_INSPECT_H

#include <stdbool.h>
#include <stddef.h>

enum inspected {
	INSPECT_FINE,		/* or it cannot be known: a program may be executed and not read */
	INSPECT_STATIC,		/* there is no loader */
	INSPECT_FOREIGN,	/* another architecture's */
	INSPECT_RIGHTS,		/* setuid, setgid, capabilities: the loader preloads nothing */
	INSPECT_ALONE,		/* the library is not where the loader would look for it */
	INSPECT_DAMAGED,	/* not a whole ELF file, which no kernel starts */
	INSPECT_NO_INTERPRETER, /* what should start it is not there */
};

/* PATH from DIR, as openat has them; of a script its interpreter is what counts, which goes to NAME, else "". */
enum inspected inspect(int dir, const char *path, char *name, size_t room);
/* Does the file have the words "/dev/kvm" in it? What opens it has them; true if the file cannot be read. */
bool inspect_names_kvm(int dir, const char *path);

#endif
