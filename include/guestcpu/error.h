/* SPDX-License-Identifier: MIT */
/** Errors are values. Codes are grouped by whose fault it is. */
#ifndef GUESTCPU_ERROR_H
#define GUESTCPU_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Every call that can fail returns 0 or one of these (negative). */
enum gcpu_code {
	GCPU_OK = 0,

	/* the calling program */
	GCPU_ERR_ARGUMENT = -1, /**< NULL, wrong size, out of range */

	/* the user's request */
	GCPU_ERR_SYNTAX = -16, /**< cannot be cut into items */
	GCPU_ERR_NAME = -17,   /**< no such model, feature or property */
	GCPU_ERR_VALUE = -18,  /**< value not of that kind or out of range */
	GCPU_ERR_MACHINE = -19, /**< impossible topology, too many vCPUs */
	GCPU_ERR_REFUSED = -20, /**< well formed, but cannot be given here */

	/* a document */
	GCPU_ERR_DOCUMENT = -32, /**< not JSON, truncated, a key of the wrong kind */
	GCPU_ERR_SCHEMA = -33,   /**< another kind or version of document */
	GCPU_ERR_ARCH = -34,     /**< another architecture than expected */

	/* the environment */
	GCPU_ERR_KVM = -48,    /**< an operation of the seam failed; see .os_error */
	GCPU_ERR_NO_KVM = -49, /**< no usable KVM here */
	GCPU_ERR_MEMORY = -50, /**< out of memory */
	GCPU_ERR_TIMEOUT = -51, /**< a guest did not answer in time */

	/* this library */
	GCPU_ERR_INTERNAL = -64, /**< "cannot happen" */
};

#define GCPU_ERROR_TEXT 256
#define GCPU_ERROR_NEAR 3
#define GCPU_ERROR_NAME 48

/** What went wrong and where. Filled on failure only; NULL may be passed. */
struct gcpu_error {
	int code;       /**< enum gcpu_code */
	int os_error;   /**< errno behind GCPU_ERR_KVM, else 0 */
	size_t offset;  /**< where in the text (bytes); (size_t)-1 if nowhere */
	size_t length;  /**< how many bytes there are meant */
	size_t line;    /**< line of a document, 0 if not known */
	char text[GCPU_ERROR_TEXT];     /**< one sentence, no newline */
	char expected[GCPU_ERROR_TEXT]; /**< what was expected, or empty */
	char near[GCPU_ERROR_NEAR][GCPU_ERROR_NAME]; /**< nearest known names, best first, or empty */
};

/** A short constant text for a code ("no such name"). Never NULL. */
const char *gcpu_strerror(int code);

#ifdef __cplusplus
}
#endif
#endif
