/* SPDX-License-Identifier: Apache-2.0 */
/* frame_json_fuzz.c - any text as a frame: a sentence, or a frame whose body
 * is JSON that can be read again. */
#include "base/json.h"
#include "base/limits.h"
#include "net/wire_json.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct err e = {0};
    struct slice ref;
    struct frame *f;
    struct json *j;
    int rc = wire_json_read(a, (struct slice){(const char *)data, size}, &e,
                            &ref, &f);
    must(ref.at != NULL && ref.len <= LIMIT_REF_BYTES);
    if (rc < 0) {
        must(f == NULL && e.text[0] != '\0');
    } else if (f->type == FRAME_SEND) {
        must(json_parse(a, f->body, &e, &j) == 0);
        must(slice_eq(json_text(j, "kind"), f->kind));
        must(f->text.len <= LIMIT_TEXT_BYTES);
    } else if (f->type == FRAME_HELLO) {
        must(f->hello != NULL);
    }
    arena_free(a);
    return 0;
}
