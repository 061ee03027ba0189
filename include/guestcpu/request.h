/* SPDX-License-Identifier: MIT */
/**
 * Requests: what a user asks for, in the grammar of QEMU's -cpu.
 *
 *   request := model ("," item)*
 *   item    := "+" name | "-" name | name | name "=" value
 *
 * '_' and '-' are the same everywhere and case does not matter. Items with
 * "=" (and bare names) take effect in order, then all "+" items, then all
 * "-" items, as in QEMU.
 */
#ifndef GUESTCPU_REQUEST_H
#define GUESTCPU_REQUEST_H

#include <guestcpu/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Longest request that is read, bytes. */
#define GCPU_REQUEST_MAX 65536

struct gcpu_request;

/**
 * Parse TEXT for ARCH. On failure err says where in TEXT (offset, length),
 * what was expected and the nearest names.
 * @return 0 and *ret_request (free with gcpu_request_free()), or a code.
 */
int gcpu_request_parse(enum gcpu_arch arch, const char *text, struct gcpu_request **ret_request,
		       struct gcpu_error *err);
/** NULL is allowed. */
void gcpu_request_free(struct gcpu_request *request);
/** The text that was parsed. Owned by the request. */
const char *gcpu_request_text(const struct gcpu_request *request);

#ifdef __cplusplus
}
#endif
#endif
