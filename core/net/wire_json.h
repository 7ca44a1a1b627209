/* SPDX-License-Identifier: Apache-2.0 */
/* wire_json.h - frames and notices as JSON text (yuelai.json.v1). */
#pragma once
#include "net/wire.h"

/* A frame out of a text message. On failure e says why and *ref is the
 * frame's ref if it could be read ("" otherwise); never NULL .at. */
int wire_json_read(struct arena *a, struct slice text, struct err *e,
                   struct slice *ref, struct frame **out);
/* Appends one JSON object, or ERR_TOOBIG and out is as it was. */
int wire_json_write(struct buf *out, const struct notice *n);
