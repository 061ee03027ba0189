/* SPDX-License-Identifier: MIT */
/* Small helpers of the core: errors by value, growable arrays, text sinks. */
#ifndef GCPU_CORE_UTIL_H
#define GCPU_CORE_UTIL_H

#include <guestcpu/error.h>
#include <guestcpu/snapshot.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fill *err (may be NULL) and return CODE. */
int error_set(struct gcpu_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for an operation that failed with an errno: GCPU_ERR_MEMORY for
 * ENOMEM, else GCPU_ERR_KVM. */
int error_os(struct gcpu_error *err, int os_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int error_memory(struct gcpu_error *err);
void error_expected(struct gcpu_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void error_at(struct gcpu_error *err, size_t offset, size_t length);
/* "ENOENT" for the errnos that KVM returns, else NULL. */
const char *errno_name(int e);

/* A growable array of elements of one size. Zeroed is empty. */
struct list {
	void *items;
	size_t n, room;
};
/* Room for one more at the end, zeroed; NULL if memory is exhausted. */
void *list_add(struct list *list, size_t size);
void list_free(struct list *list);
#define LIST_AT(list, type, i) (((type *)(list)->items) + (i))

/* Take a caller's option struct of SIZE bytes into ours of ROOM: a shorter one is
 * from an older caller, a longer one from a newer, whose new members must be 0. */
bool options_copy(void *ours, size_t room, const void *theirs, size_t size);

/* A copy of at most N bytes as a string; NULL if memory is exhausted. */
char *text_copy(const char *text, size_t n);

/* Bytes that become more, which free(.at) ends; zeroed is empty. buffer_append() is a gcpu_write: 0, or
 * GCPU_ERR_MEMORY and it is as it was. */
struct buffer {
	char *at;
	size_t n, room;
};
int buffer_append(void *buffer, const char *data, size_t n);

/* Bytes a document has been written to; keeps the first failure. */
struct sink {
	gcpu_write write;
	void *ctx;
	int status;
};
void sink_text(struct sink *s, const char *text, size_t n);
void sink_format(struct sink *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
