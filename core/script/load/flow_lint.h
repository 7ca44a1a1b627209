/* SPDX-License-Identifier: Apache-2.0 */
/* flow_lint.h - what a flow's source asks for that differs when it is played
 * again, found without running it.
 *
 * Looked for: a call that waits or varies (http.get, kv.get ...) in the body of
 * run or enter, outside of flow.step and flow.saga; a local of the file that a
 * function writes to. Errs on the side of silence. Pure.
 */
#pragma once
#include "base/buf.h"

/* Appends "file:line: ...\n" for each; adds to *found. 0 or ERR_TOOBIG. */
int flow_lint(struct slice file, struct slice text, struct buf *out,
              size_t *found);
