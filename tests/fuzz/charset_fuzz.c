/* SPDX-License-Identifier: Apache-2.0 */
/* charset_fuzz.c - "name newline bytes": whatever the charset, UTF-8 comes out;
 * words and forms of any bytes stay within them. */
#include "script/text/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void convert(struct slice name, struct slice bytes)
{
    struct buf out;
    char guess[TEXT_CHARSET];
    buf_init(&out, TEXT_OUT_BYTES);
    if (text_to_utf8(name, bytes, &out) == 0)
        must(slice_is_utf8(buf_slice(&out)));
    buf_clear(&out);
    if (text_convert(name, SLICE("utf-8"), bytes, false, &out) == 0)
        must(slice_is_utf8(buf_slice(&out)));
    buf_clear(&out);
    (void)text_convert(SLICE("utf-8"), name, bytes, true, &out);
    double sure = text_detect(bytes, guess);
    must(sure >= 0 && sure <= 1 && guess[0]);
    buf_fini(&out);
}

static void cut(struct slice s)
{
    struct arena *a = arena_new();
    struct text_piece *list;
    size_t count, at = 0;
    struct buf out;
    text_words(s, a, &list, &count);
    for (size_t i = 0; i < count; i++) {
        must(list[i].from == at && list[i].to > at && list[i].to <= s.len);
        at = list[i].to;
    }
    must(at == s.len);
    must(text_count(s) <= s.len && text_offset(s, s.len) == s.len);
    must(text_trim(s).len <= s.len);
    double like = text_alike(s, s, a);
    must(like == 1);
    buf_init(&out, TEXT_OUT_BYTES);
    if (text_normal(s, TEXT_FOLD, a, &out) == 0)
        must(slice_is_utf8(buf_slice(&out)));
    buf_fini(&out);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice s = {(const char *)data, n};
    const char *end = n ? memchr(data, '\n', n) : NULL;
    size_t name = end ? (size_t)(end - s.at) : 0;
    struct slice bytes = {s.at + name + (end != NULL),
                          n - name - (end != NULL)};
    convert((struct slice){s.at, name}, bytes);
    if (bytes.len <= 4096)
        cut(bytes);
    return 0;
}
