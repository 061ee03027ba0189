/* SPDX-License-Identifier: MIT */
/* Firecracker's fingerprints. */
#ifndef GCPU_FORMATS_FINGERPRINT_H
#define GCPU_FORMATS_FINGERPRINT_H

#include "core/snapshot.h"
#include "read.h"

/* Is the document such a one, of whatever architecture? */
bool fingerprint_is(const struct node *root);
/* Fill a snapshot that is new; 0, or a code with *err filled. */
int fingerprint_read(const struct node *root, struct gcpu_snapshot *s, struct gcpu_error *err);

#endif
