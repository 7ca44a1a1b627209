/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of a script's space, by prefix. */
#include "store_world.h"
#include "test.h"

TEST("keys of a space come sorted, by prefix, as many as asked, none expired")
{
    static const struct {
        const char *space, *key;
        int64_t expires_at;
    } rows[] = {{"a", "t:2", 0}, {"a", "t:1", 0}, {"a", "t:3", 1},
                {"a", "u", 0},   {"b", "t:9", 0}, {"a", "t", 0},
                {"a", "t_", 0},  {"a", "t%x", 0}, {"a", "t:\"q\"", 0}};
    struct world w;
    struct kv kvs[9];
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    for (int i = 0; i < 9; i++) {
        kvs[i] = (struct kv){.space = slice_of(rows[i].space),
                             .key = slice_of(rows[i].key),
                             .value = SLICE("1"),
                             .expires_at = rows[i].expires_at};
        tx_put(tx, PUT_KV)->kv = &kvs[i];
    }
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    static const struct {
        const char *prefix;
        uint32_t limit;
        const char *want;
    } cases[] = {{"t:", 100, "[\"t:\\\"q\\\"\",\"t:1\",\"t:2\"]"},
                 {"t:", 2, "[\"t:\\\"q\\\"\",\"t:1\"]"},
                 {"t%", 100, "[\"t%x\"]"},
                 {"z", 100, "[]"},
                 {"u", 100, "[\"u\"]"}};
    for (int i = 0; i < 5; i++) {
        struct query *q = world_query(&w, QUERY_KV_KEYS);
        q->kv.space = SLICE("a");
        q->kv.key = slice_of(cases[i].prefix);
        q->limit = cases[i].limit;
        CHECK_EQ_INT(world_ask(&w, q), 0);
        CHECK_SLICE(q->json, cases[i].want);
        query_free(q);
    }
    world_close(&w);
}
