/* SPDX-License-Identifier: MIT */
/* A streaming JSON writer: nesting, commas and escapes; layout by the caller. */
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
};

void json_start(struct json *j, gcpu_write write, void *ctx);
/* Ends the document with a newline; the first failure of the writer. */
int json_end(struct json *j);

void json_key(struct json *j, const char *key);
void json_object(struct json *j, bool lines);
void json_array(struct json *j, bool lines);
void json_close(struct json *j, char bracket);

void json_string(struct json *j, const char *text); /* NULL: null */
void json_hex(struct json *j, uint64_t value);	    /* "0x1" */
void json_int(struct json *j, int64_t value);
void json_bool(struct json *j, bool value);

void json_key_string(struct json *j, const char *key, const char *text);
void json_key_hex(struct json *j, const char *key, uint64_t value);
void json_key_int(struct json *j, const char *key, int64_t value);
void json_key_bool(struct json *j, const char *key, bool value);

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
