/* SPDX-License-Identifier: Apache-2.0 */
/* lint.h - names in a source that the API does not have, found without
 * running it.
 *
 * Pure. Errs on the side of silence: a name that is bound by the script itself
 * is its own affair.
 */
#pragma once
#include "base/buf.h"

/* Appends "file:line: kv has no function 'gett' (did you mean kv.get?)\n" for
 * each; adds to *found. Returns 0 or ERR_TOOBIG. */
int lint_source(struct slice file, struct slice text, struct buf *out,
                size_t *found);
