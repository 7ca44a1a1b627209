/* SPDX-License-Identifier: Apache-2.0 */
/* asks.c - what scripts ask of the house, answered by its wings.
 *
 * Happy path: an ask becomes a call or a question, its answer goes back by the
 * ask's ticket. Failure: the answer says why; an ask that outlives its wing is
 * freed.
 */
#include "app/asks.h"
#include "app/assist/assist.h"
#include "app/channels/channels.h"
#include "app/files/files.h"

void asks_answer(struct server *s, struct script_ask *ask)
{
    if (s->script) {
        script_answer(s->script, ask);
    } else {
        arena_free(ask->arena); /* it asked, then its wing was closed */
    }
}

void asks_refuse(struct server *s, struct script_ask *ask, int code,
                 const char *why)
{
    ask->result = err_set(&ask->err, code, "%s", why);
    asks_answer(s, ask);
}

struct asks *asks_of(struct server *s)
{
    if (!s->asks) {
        s->asks = mem_alloc(sizeof *s->asks);
        map_init(&s->asks->streams);
        map_init(&s->asks->streams_by_call);
        map_init(&s->asks->onces);
    }
    return s->asks;
}

void asks_free(struct server *s)
{
    if (!s->asks) {
        return;
    }
    streams_free(&s->asks->streams);
    map_fini(&s->asks->streams_by_call);
    onces_free(s, &s->asks->onces);
    mem_free(s->asks);
    s->asks = NULL;
}

/* What a console that only looks may ask. */
static bool only_reads(const struct script_ask *ask)
{
    return ask->kind == ASK_KV_GET || ask->kind == ASK_KV_KEYS ||
           ask->kind == ASK_LOOKUP || ask->kind == ASK_KB;
}

void asks_on_ask(void *arg, struct script_ask *ask)
{
    struct server *s = arg;
    if (slice_is(ask->unit, SCRIPT_CONSOLE_UNIT) && !s->console_writes &&
        !only_reads(ask)) {
        asks_refuse(s, ask, ERR_FORBIDDEN,
                    "this console is read-only (yuelai console --write)");
        return;
    }
    switch (ask->kind) {
    case ASK_HTTP:
        http_ask(s, ask);
        break;
    case ASK_STREAM:
        stream_ask(s, ask);
        break;
    case ASK_STREAM_NEXT:
        stream_next(s, ask);
        break;
    case ASK_STREAM_END:
        stream_end(s, ask);
        break;
    case ASK_IMAP:
    case ASK_SMTP:
        post_ask(s, ask);
        break;
    case ASK_KV_GET:
    case ASK_KV_SWAP:
    case ASK_KV_KEYS:
        kv_ask(s, ask);
        break;
    case ASK_ONCE:
        once_ask(s, ask);
        break;
    case ASK_ONCE_DONE:
        once_done(s, ask);
        break;
    case ASK_LOOKUP:
        lookup_ask(s, ask);
        break;
    case ASK_DELIVER:
        inbound_ask(s, ask);
        break;
    case ASK_RECEIPT:
        receipt_ask(s, ask);
        break;
    case ASK_ECHO:
        echo_ask(s, ask);
        break;
    case ASK_POLL_SOON:
        polls_soon(s, (uint64_t)ask->number);
        ask->data = SLICE("true");
        asks_answer(s, ask);
        break;
    case ASK_RECALLED:
        recalled_ask(s, ask);
        break;
    case ASK_FILE:
        file_ask(s, ask);
        break;
    case ASK_FILE_BODY:
        file_body_ask(s, ask);
        break;
    case ASK_AI:
    case ASK_EMBED:
        assist_call(s, ask);
        break;
    case ASK_AI_FORGET:
        assist_forget_ask(s, ask);
        break;
    case ASK_WRITE:
        assist_write(s, ask);
        break;
    case ASK_KB:
        kb_ask(s, ask);
        break;
    default:
        asks_refuse(s, ask, ERR_UNSUPPORTED, "not known here");
    }
}
