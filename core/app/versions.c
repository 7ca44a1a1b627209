/* SPDX-License-Identifier: Apache-2.0 */
/* versions.c - the history of scripts, between the script wing and the store.
 *
 * Happy path: what began to serve is stored; at the start it is read once and
 * given to the wing. Failure: a version that could not be stored is logged;
 * it serves all the same.
 */
#include "app/server.h"
#include "base/log.h"

#define UNPIN_MS 60000

static void on_kept(struct tx *tx)
{
    if (tx->result) {
        log_warn("script", "a version was not kept: %s", tx->err.text);
    }
    tx_free(tx);
}

static struct script_version *copy(struct arena *a,
                                   const struct script_version *v)
{
    struct script_version *row = arena_one(a, struct script_version);
    *row = *v;
    row->unit = slice_dup(a, v->unit);
    row->version = slice_dup(a, v->version);
    row->sources = slice_dup(a, v->sources);
    row->note = slice_dup(a, v->note);
    return row;
}

void versions_keep(void *arg, const struct script_version *v)
{
    struct server *s = arg;
    struct tx *tx = tx_new(on_kept, s);
    tx_put(tx, PUT_VERSION)->version = copy(tx->arena, v);
    server_commit(s, tx);
}

void versions_visit(void *arg, const struct script_version *v)
{
    struct server *s = arg;
    if (!s->kept.arena) {
        s->kept.arena = arena_new();
        s->kept.at =
            arena_many(s->kept.arena, struct script_version, VERSIONS_MAX);
    }
    if (s->kept.count < VERSIONS_MAX) {
        s->kept.at[s->kept.count++] = *copy(s->kept.arena, v);
    }
}

void versions_forget(struct server *s)
{
    arena_free(s->kept.arena);
    s->kept.arena = NULL;
    s->kept.at = NULL;
    s->kept.count = 0;
}

void versions_beat(struct server *s)
{
    int64_t now = loop_now(s->loop);
    if (s->script && now - s->unpinned_at >= UNPIN_MS) {
        s->unpinned_at = now;
        script_oldest(s->script, desk_oldest(s->desk));
    }
}
