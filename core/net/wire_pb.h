/* SPDX-License-Identifier: Apache-2.0 */
/* wire_pb.h - frames and notices as Protobuf (yuelai.protobuf.v1,
 * docs/yuelai.proto). The only includer of protobuf-c is wire_pb.c. */
#pragma once
#include "net/wire.h"

/* As wire_json_read, of a binary message. */
int wire_pb_read(struct arena *a, struct slice bytes, struct err *e,
                 struct slice *ref, struct frame **out);
/* Appends one Notice, or an error and out is as it was. */
int wire_pb_write(struct buf *out, const struct notice *n);
