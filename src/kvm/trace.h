/* SPDX-License-Identifier: MIT */
/* A trace in memory: its lines, checked and cut apart. Between trace.c and replay.c. */
#ifndef GCPU_KVM_TRACE_H
#define GCPU_KVM_TRACE_H

#include "wrap.h"

/* Bytes as they stand in the trace: hex or percent text, found well formed. */
struct blob {
	const char *s, *end;
	size_t bytes; /* when unpacked */
	bool is_text;
};
/* The next byte of a blob, advancing it; -1 at its end. Zeroed *ZEROS at first. */
int blob_next(struct blob *b, size_t *zeros);
/* Are these the bytes? The first that differs goes to *ret_at. */
bool blob_same(const struct blob *b, const void *bytes, size_t n, size_t *ret_at);
/* Unpack into room for b->bytes. */
void blob_copy(const struct blob *b, void *to);

struct entry {
	size_t line;		/* from 1 */
	const char *s;		/* the line itself */
	size_t n;
	enum wrap_op op;
	bool has_fd, pointer, makes_fd;
	enum wrap_role role, made; /* of the descriptor, of the one that is made */
	unsigned number, made_number;
	unsigned long request;
	uint64_t arg[2];
	unsigned n_args;
	int result;
	struct blob path, in, vin, out, vout;
};

struct trace {
	enum gcpu_arch arch;
	char *text;
	struct list entries; /* entry */
};

/* 0, GCPU_ERR_DOCUMENT or GCPU_ERR_SCHEMA with the line, GCPU_ERR_MEMORY. */
int trace_parse(const char *text, size_t length, struct trace *ret, struct gcpu_error *err);
void trace_free(struct trace *t);

#endif
