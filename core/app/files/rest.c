/* SPDX-License-Identifier: Apache-2.0 */
/* rest.c - the files resource: who calls, what is answered, the routes.
 *
 * Happy path: a visitor by their token, an agent or an integration as
 * everywhere; what they brought or what they see. Failure: a visitor's token
 * opens nothing else below /api/v1.
 */
#include "app/files/files.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/crypto.h"
#include <stdio.h>

#define DAY_MS (24LL * 3600 * 1000)

/* --- who calls ------------------------------------------------------------ */

static bool by_visitor(struct call *c)
{
    struct slice auth = http_header(c->r, "Authorization");
    struct visitor_token t;
    if (auth.len <= 7 ||
        !slice_is_nocase((struct slice){auth.at, 7}, "bearer "))
        return false;
    auth = slice_trim((struct slice){auth.at + 7, auth.len - 7});
    if (!visitor_token_read(auth, c->s->key, clock_ms(),
                            c->s->conf.visitor_days * DAY_MS, &t))
        return false;
    const struct channel *ch = desk_channel(c->s->desk, t.channel);
    if (!ch || !ch->enabled)
        return false;
    c->visitor = t.contact;
    c->visitor_channel = t.channel;
    return true;
}

void files_caller(struct call *c, void (*next)(struct call *c))
{
    if (by_visitor(c))
        next(c);
    else
        caller_find(c, next);
}

struct bringer files_bringer(const struct call *c)
{
    return (struct bringer){.contact = c->visitor,
                            .agent = c->visitor ? 0 : c->who.agent,
                            .policy = c->visitor_channel};
}

/* --- the conversation ----------------------------------------------------- */

static void on_conversation(struct query *q)
{
    struct conv_check *k = q->owner;
    struct call *c = k->c;
    const struct conversation *v = q->conversation;
    int r = q->result;
    if (r == 0 && c->visitor && v->contact != c->visitor)
        r = ERR_NOT_FOUND;
    if (r == ERR_NOT_FOUND)
        err_field(&c->err, r, "conversation", "there is no such conversation");
    else if (r)
        c->err = q->err;
    else if (!c->visitor && !caller_may_see(c, v))
        r = err_field(&c->err, ERR_FORBIDDEN, "conversation",
                      "this conversation is another team's");
    else
        k->by->policy = v->channel;
    query_free(q);
    k->next(k, r);
}

void files_check_conversation(struct conv_check *k)
{
    struct query *q = query_new(QUERY_CONVERSATION, on_conversation, k);
    q->id = k->by->conv;
    server_read(k->c->s, q);
}

/* --- what is answered ----------------------------------------------------- */

void files_write(struct server *s, struct arena *a, struct jsonw *w,
                 const struct file *f)
{
    struct buf plain;
    char hex[65] = "";
    buf_init(&plain, 8192);
    struct jsonw p = jsonw_on(&plain);
    file_put_json(&p, f);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", f->hash[i]);
    jsonw_open(w, '{');
    struct json *all = NULL;
    if (json_parse(a, buf_slice(&plain), NULL, &all) == 0)
        for (const struct json *j = all->first; j; j = j->next) {
            jsonw_key(w, slice_dup(a, j->key).at);
            jsonw_value(w, j);
        }
    buf_fini(&plain);
    jsonw_put_text(w, "sha256", slice_of(hex));
    put_id(w, "conversation", ID_CONVERSATION, f->conv);
    jsonw_put_int(w, "created_at", f->created_at);
    jsonw_put_text(w, "url", files_link(s, a, f->id, false));
    jsonw_put_text(w, "thumb_url",
                   f->has_thumb ? files_link(s, a, f->id, true)
                                : (struct slice){NULL, 0});
    jsonw_put_int(w, "url_expires_at",
                  (clock_ms() / 1000 + s->conf.link_minutes * 60) * 1000);
    jsonw_close(w, '}');
}

static void on_file(struct query *q)
{
    struct call *c = q->owner;
    if (q->result) {
        c->err = q->err;
        c->err.code = q->result;
        query_free(q);
        reply_error(c, &c->err);
        return;
    }
    struct jsonw *w = reply_begin(c);
    files_write(c->s, c->a, w, q->file);
    query_free(q);
    c->headers = SLICE("Cache-Control: no-store\r\n");
    reply_send(c, 200);
}

static void get(struct call *c)
{
    uint64_t id;
    if (!call_id(c, 0, ID_FILE, "file", &id))
        return;
    struct query *q = query_new(QUERY_FILE, on_file, c);
    q->id = id;
    if (c->visitor) {
        q->viewer.role = ROLE_VISITOR;
        q->viewer.id = c->visitor;
    } else {
        caller_viewer(c, q->arena, &q->viewer);
    }
    server_read(c->s, q);
}

/* Bodies are taken as they come (incoming.c): here is who sent none. */
static void no_body(struct call *c)
{
    reply_fail(c, ERR_UNSUPPORTED, NULL,
               "send multipart/form-data with the part `file`");
}

static const struct field file_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "mime", .type = FIELD_TEXT, .help = "what its content is"},
    {.name = "size", .type = FIELD_INT},
    {.name = "width", .type = FIELD_INT, .help = "of images, upright"},
    {.name = "height", .type = FIELD_INT},
    {.name = "thumb", .type = FIELD_BOOL, .help = "is there a thumbnail"},
    {.name = "sha256", .type = FIELD_TEXT, .help = "of what is kept"},
    {.name = "conversation", .type = FIELD_TEXT},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "url", .type = FIELD_TEXT, .help = "signed, for a while"},
    {.name = "thumb_url", .type = FIELD_TEXT},
    {.name = "url_expires_at", .type = FIELD_INT},
    {0}};
static const struct shape shape_file = {"File", file_out};
static const struct field upload_in[] = {
    {.name = "name", .type = FIELD_TEXT, .required = true, .most = 1000},
    {.name = "size",
     .type = FIELD_INT,
     .required = true,
     .least = 1,
     .most = 1000000000},
    {.name = "mime", .type = FIELD_TEXT, .most = 200},
    {.name = "sha256",
     .type = FIELD_TEXT,
     .least = 64,
     .most = 64,
     .help = "of all of it, as hex: checked at the end"},
    {.name = "conversation", .type = FIELD_TEXT},
    {0}};
static const struct field upload_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "offset", .type = FIELD_INT, .help = "bytes that are here"},
    {.name = "size", .type = FIELD_INT},
    {.name = "chunk_bytes", .type = FIELD_INT, .help = "a good size of one"},
    {.name = "expires_at", .type = FIELD_INT},
    {.name = "file", .type = FIELD_OBJECT, .help = "once it is whole"},
    {0}};
static const struct shape shape_upload = {"Upload", upload_out};

#define FILES "/api/v1/files"
const struct route routes_files[] = {
    {"POST", FILES, no_body, ACCESS_VISITOR, "files", 0, 201, NULL, &shape_file,
     "Upload a file: multipart/form-data with file, conversation", NULL, NULL},
    {"POST", FILES "/uploads", resumable_create, ACCESS_VISITOR, "files", 0,
     201, upload_in, &shape_upload, "Begin an upload in chunks", NULL, NULL},
    {"GET", FILES "/uploads/{id}", resumable_get, ACCESS_VISITOR, "files", 0,
     200, NULL, &shape_upload, "How far it is (HEAD: Upload-Offset)", NULL,
     NULL},
    {"PATCH", FILES "/uploads/{id}", resumable_patch, ACCESS_VISITOR, "files",
     0, 200, NULL, &shape_upload,
     "The next bytes, with the header Upload-Offset", NULL, NULL},
    {"DELETE", FILES "/uploads/{id}", resumable_delete, ACCESS_VISITOR, "files",
     0, 204, NULL, NULL, "Give it up", NULL, NULL},
    {"GET", FILES "/{id}", get, ACCESS_VISITOR, "files", 0, 200, NULL,
     &shape_file, "One file, with links for a while", NULL, NULL},
    {0}};
