/* SPDX-License-Identifier: Apache-2.0 */
/* scripts.c - what the script wing knows of its units, as a list. */
#include "app/api/api.h"

static void list(struct call *c)
{
    struct buf text;
    struct json *items = NULL;
    buf_init(&text, REPLY_MAX);
    int r = script_list(c->s->script, &text);
    if (r || json_parse(c->a, buf_slice(&text), NULL, &items)) {
        buf_fini(&text);
        reply_fail(c, r ? r : ERR_INTERNAL, NULL, "the list is too large");
        return;
    }
    struct page p;
    if (page_read(c, &p)) {
        uint32_t at = 0;
        struct jsonw *w = reply_begin(c);
        jsonw_open(w, '{');
        jsonw_key(w, "items");
        jsonw_open(w, '[');
        for (struct json *i = items->first; i; i = i->next, at++) {
            if (at >= p.offset && at - p.offset < p.limit) {
                jsonw_value(w, i);
            }
        }
        jsonw_close(w, ']');
        page_next(c, &p, items->count);
        jsonw_close(w, '}');
        reply_send(c, 200);
    }
    buf_fini(&text);
}

static const struct field script_out[] = {
    {.name = "name", .type = FIELD_TEXT},
    {.name = "kind", .type = FIELD_TEXT},
    {.name = "state", .type = FIELD_TEXT},
    {.name = "version", .type = FIELD_ANY},
    {.name = "loaded_at", .type = FIELD_INT},
    {.name = "errors",
     .type = FIELD_ANY,
     .help = "file, line, message, traceback, count, first_at, last_at"},
    {0}};
const struct shape shape_script = {"Script", script_out};
const struct route routes_scripts[] = {
    {"GET", "/api/v1/scripts", list, ACCESS_AGENT, "scripts", ROUTE_LIST, 200,
     NULL, &shape_script, "List scripts with their state and errors", NULL,
     NULL},
    {0}};
