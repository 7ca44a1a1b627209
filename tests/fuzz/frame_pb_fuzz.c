/* SPDX-License-Identifier: Apache-2.0 */
/* frame_pb_fuzz.c - any bytes as a Protobuf frame: a sentence, or a frame
 * whose body is JSON; memory stays bounded. */
#include "base/json.h"
#include "base/limits.h"
#include "net/wire_pb.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct err e = {0};
    struct slice ref;
    struct frame *f;
    struct json *j;
    int rc =
        wire_pb_read(a, (struct slice){(const char *)data, size}, &e, &ref, &f);
    must(ref.at != NULL && ref.len <= LIMIT_REF_BYTES);
    if (rc < 0)
        must(f == NULL && e.text[0] != '\0');
    else if (f->type == FRAME_SEND)
        must(json_parse(a, f->body, &e, &j) == 0);
    must(arena_bytes(a) < 16u * 1024 * 1024);
    arena_free(a);
    return 0;
}
