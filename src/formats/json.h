/* SPDX-License-Identifier: MIT */
/* A streaming JSON writer: nesting, commas and escapes; layout by the caller.
 * jw_ and not json_: a static library has other people's names beside these. */
#ifndef GCPU_FORMATS_JSON_H
#define GCPU_FORMATS_JSON_H

#include "core/util.h"

#define JSON_DEPTH 12

struct json {
	struct sink out;
	unsigned depth;
	bool filled[JSON_DEPTH]; /* something stands at this level already */
	bool lines[JSON_DEPTH];  /* members on lines of their own */
	bool after_key;
	/* pieces on their way to .out: most are a few bytes */
	size_t held;
	char hold[496];
};

void jw_start(struct json *j, gcpu_write write, void *ctx);
/* Ends the document with a newline; the first failure of the writer. */
int jw_end(struct json *j);

void jw_key(struct json *j, const char *key);
void jw_object(struct json *j, bool lines);
void jw_array(struct json *j, bool lines);
void jw_close(struct json *j, char bracket);

void jw_string(struct json *j, const char *text); /* NULL: null */
void jw_hex(struct json *j, uint64_t value);	    /* "0x1" */
void jw_int(struct json *j, int64_t value);
void jw_bool(struct json *j, bool value);

void jw_key_string(struct json *j, const char *key, const char *text);
void jw_key_hex(struct json *j, const char *key, uint64_t value);
void jw_key_int(struct json *j, const char *key, int64_t value);
void jw_key_bool(struct json *j, const char *key, bool value);

/* "host": which one a document speaks of, or null; LINES as of jw_object(). */
void jw_key_host(struct json *j, const struct gcpu_snapshot *host, bool lines);

struct gcpu_cpuid;
void jw_cpuid(struct json *j, const struct gcpu_cpuid *e);

/* Bytes of the UTF-8 sequence that TEXT begins with; 0 if it is none. */
unsigned jw_sequence(const char *text);

/* SHA-256 of what is written to it. */
struct sha256 {
	uint32_t state[8];
	uint64_t length;
	unsigned char block[64];
};
void sha256_start(struct sha256 *s);
int sha256_write(void *ctx, const char *data, size_t n); /* a gcpu_write */
void sha256_text(struct sha256 *s, char ret[65]);

#endif
