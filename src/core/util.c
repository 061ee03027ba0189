/* SPDX-License-Identifier: MIT */
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	int code;
	const char *text;
} code_texts[] = {
	{ GCPU_OK, "no error" },
	{ GCPU_ERR_ARGUMENT, "invalid argument" },
	{ GCPU_ERR_SYNTAX, "syntax error in the request" },
	{ GCPU_ERR_NAME, "no such name" },
	{ GCPU_ERR_VALUE, "invalid value" },
	{ GCPU_ERR_MACHINE, "impossible machine" },
	{ GCPU_ERR_REFUSED, "cannot be given here" },
	{ GCPU_ERR_DOCUMENT, "malformed document" },
	{ GCPU_ERR_SCHEMA, "another kind of document" },
	{ GCPU_ERR_ARCH, "another architecture" },
	{ GCPU_ERR_KVM, "an operation on the host failed" },
	{ GCPU_ERR_NO_KVM, "no usable KVM" },
	{ GCPU_ERR_MEMORY, "out of memory" },
	{ GCPU_ERR_TIMEOUT, "the guest did not answer in time" },
	{ GCPU_ERR_INTERNAL, "internal error" },
};

const char *gcpu_strerror(int code)
{
	for (size_t i = 0; i < sizeof(code_texts) / sizeof(code_texts[0]); i++)
		if (code_texts[i].code == code)
			return code_texts[i].text;
	return "unknown error";
}

static const struct {
	int value;
	const char *name;
} errno_names[] = {
	{ EPERM, "EPERM" },   { ENOENT, "ENOENT" }, { EIO, "EIO" },	  { ENXIO, "ENXIO" },
	{ E2BIG, "E2BIG" },   { ENOEXEC, "ENOEXEC" }, { EBADF, "EBADF" }, { EAGAIN, "EAGAIN" },
	{ ENOMEM, "ENOMEM" }, { EACCES, "EACCES" }, { EFAULT, "EFAULT" }, { EBUSY, "EBUSY" },
	{ EEXIST, "EEXIST" }, { ENODEV, "ENODEV" }, { EINVAL, "EINVAL" }, { EMFILE, "EMFILE" },
	{ ENOTTY, "ENOTTY" }, { ENOSPC, "ENOSPC" }, { ENOSYS, "ENOSYS" }, { EOPNOTSUPP, "EOPNOTSUPP" },
	{ EINTR, "EINTR" },   { ENFILE, "ENFILE" }, { EOVERFLOW, "EOVERFLOW" }, { EFBIG, "EFBIG" },
};

const char *errno_name(int e)
{
	for (size_t i = 0; i < sizeof(errno_names) / sizeof(errno_names[0]); i++)
		if (errno_names[i].value == e)
			return errno_names[i].name;
	return NULL;
}

static void error_clear(struct gcpu_error *err, int code)
{
	memset(err, 0, sizeof(*err));
	err->code = code;
	err->offset = (size_t)-1;
}

/* Errors quote what came in; a sentence is one line whatever that was. */
__attribute__((format(printf, 2, 0)))
static void sentence(char out[GCPU_ERROR_TEXT], const char *format, va_list ap)
{
	vsnprintf(out, GCPU_ERROR_TEXT, format, ap);
	for (; *out; out++)
		if ((unsigned char)*out < 0x20 || *out == 0x7f)
			*out = '?';
}

int error_set(struct gcpu_error *err, int code, const char *format, ...)
{
	va_list ap;

	if (!err)
		return code;
	error_clear(err, code);
	va_start(ap, format);
	sentence(err->text, format, ap);
	va_end(ap);
	return code;
}

int error_os(struct gcpu_error *err, int os_error, const char *format, ...)
{
	const char *name = errno_name(os_error);
	/* whoever ran out of it, the caller can do the same about it */
	int code = os_error == ENOMEM ? GCPU_ERR_MEMORY : GCPU_ERR_KVM;
	va_list ap;
	size_t n;

	if (!err)
		return code;
	error_clear(err, code);
	err->os_error = os_error;
	va_start(ap, format);
	sentence(err->text, format, ap);
	va_end(ap);
	n = strlen(err->text);
	if (name)
		snprintf(err->text + n, sizeof(err->text) - n, ": %s", name);
	else
		snprintf(err->text + n, sizeof(err->text) - n, ": errno %d", os_error);
	return code;
}

int error_memory(struct gcpu_error *err)
{
	return error_set(err, GCPU_ERR_MEMORY, "out of memory");
}

void error_expected(struct gcpu_error *err, const char *format, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, format);
	sentence(err->expected, format, ap);
	va_end(ap);
}

void error_at(struct gcpu_error *err, size_t offset, size_t length)
{
	if (!err)
		return;
	err->offset = offset;
	err->length = length;
}

void *list_add(struct list *list, size_t size)
{
	char *item;

	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 8;
		void *items = room > SIZE_MAX / size ? NULL : realloc(list->items, room * size);

		if (!items)
			return NULL;
		list->items = items;
		list->room = room;
	}
	item = (char *)list->items + list->n++ * size;
	memset(item, 0, size);
	return item;
}

void list_free(struct list *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

bool options_copy(void *ours, size_t room, const void *theirs, size_t size)
{
	const unsigned char *bytes = theirs;

	if (size < sizeof(size_t))
		return false;
	for (size_t i = room; i < size; i++)
		if (bytes[i])
			return false;
	memcpy(ours, theirs, size < room ? size : room);
	return true;
}

int buffer_append(void *buffer, const char *data, size_t n)
{
	struct buffer *b = buffer;

	if (n > SIZE_MAX / 2 - b->n)
		return GCPU_ERR_MEMORY;
	if (b->n + n > b->room) {
		size_t room = (b->n + n) * 2;
		char *more = realloc(b->at, room);

		if (!more)
			return GCPU_ERR_MEMORY;
		b->at = more;
		b->room = room;
	}
	memcpy(b->at + b->n, data, n);
	b->n += n;
	return 0;
}

char *text_copy(const char *text, size_t n)
{
	char *copy = malloc(n + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, n);
	copy[n] = 0;
	return copy;
}

void sink_text(struct sink *s, const char *text, size_t n)
{
	if (s->status == 0)
		s->status = s->write(s->ctx, text, n);
}

void sink_format(struct sink *s, const char *format, ...)
{
	char buf[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(buf, sizeof(buf), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(buf)) {
		s->status = s->status ? s->status : GCPU_ERR_INTERNAL;
		return;
	}
	sink_text(s, buf, (size_t)n);
}
