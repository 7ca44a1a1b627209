/* SPDX-License-Identifier: Apache-2.0 */
/* config_fuzz.c - any bytes as config.lua: refused with a sentence, or taken
 * with every value inside its bounds. */
#include "app/config.h"
#include "script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_bounds(const struct config *c)
{
    struct buf out;
    buf_init(&out, CONFIG_TEXT);
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        struct config copy = *c;
        struct err e = {0};
        buf_clear(&out);
        setting_show(s, c, &out);
        if (!(s->flags & SETTING_SECRET)) {
            must(config_set(&copy, slice_of(s->name), buf_slice(&out),
                            ORIGIN_FILE, &e) == 0);
            must(setting_is_same(s, c, &copy));
        }
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new();
    struct slice source = {(const char *)data, n}, json;
    struct json *table;
    struct config c, before;
    struct err e = {0};
    config_init(&c);
    before = c;
    if (script_read_table(source, "config.lua", a, &e, &json) == 0 &&
        json_parse(a, json, &e, &table) == 0) {
        if (config_apply(&c, table, &e) == 0) {
            check_bounds(&c);
        } else {
            must(e.text[0] && memcmp(&c, &before, sizeof c) == 0);
        }
    } else {
        must(e.text[0]);
    }
    arena_free(a);
    return 0;
}
