/* SPDX-License-Identifier: Apache-2.0 */
/* keep.c - an upload becomes a file: bytes on disk, then its row.
 *
 * Happy path: the files wing judges and keeps the bytes, the store writes the
 * row, and only then anybody is told of it. Failure: what is refused leaves
 * nothing; bytes whose row could not be written are found by the walk.
 */
#include "app/files/files.h"
#include "app/kinds.h"
#include "base/clock.h"
#include "base/limits.h"

static struct json *config_of(struct server *s, struct arena *a,
                              uint64_t channel)
{
    const struct channel *ch = channel ? desk_channel(s->desk, channel) : NULL;
    struct json *config = NULL;
    if (!ch || !ch->config.len || json_parse(a, ch->config, NULL, &config))
        return NULL;
    return config;
}

int64_t files_most(struct server *s, uint64_t channel)
{
    struct arena *a = arena_new();
    int64_t own = json_int(config_of(s, a, channel), KIND_FILE_MB, -1);
    arena_free(a);
    own = own < 0 || own > KIND_FILE_MB_MOST ? INT64_MAX : own * 1024 * 1024;
    return own < s->conf.file_bytes ? own : s->conf.file_bytes;
}

struct slice file_plain_name(struct arena *a, struct slice name)
{
    for (size_t i = name.len; i-- > 0;)
        if (name.at[i] == '/' || name.at[i] == '\\') {
            name = (struct slice){name.at + i + 1, name.len - i - 1};
            break;
        }
    if (name.len > LIMIT_NAME_BYTES) { /* its end says what it is */
        name.at += name.len - LIMIT_NAME_BYTES;
        name.len = LIMIT_NAME_BYTES;
        while (name.len && ((unsigned char)*name.at & 0xc0) == 0x80) {
            name.at++;
            name.len--;
        }
    }
    char *out = arena_text(a, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        out[i] = (unsigned char)name.at[i] < 0x20 || name.at[i] == 0x7f
                     ? '_'
                     : name.at[i];
    struct slice good = {out, name.len};
    return slice_is_utf8(good) ? good : SLICE("");
}

static void finish(struct keep *k, int result)
{
    k->result = result;
    k->done(k);
}

static void on_stored(struct tx *tx)
{
    struct keep *k = tx->owner;
    int r = tx->result;
    if (r)
        k->err = tx->err;
    tx_free(tx);
    finish(k, r);
}

static void on_filed(struct filed *d)
{
    struct keep *k = d->owner;
    if (d->result) {
        k->err = d->err;
        finish(k, d->result);
        return;
    }
    struct file *f = &k->file;
    *f = (struct file){.id = id_new(),
                       .size = d->size,
                       .width = d->width,
                       .height = d->height,
                       .has_thumb = d->has_thumb,
                       .mime = slice_dup(k->arena, slice_of(d->type)),
                       .name = k->name,
                       .contact = k->by.contact,
                       .agent = k->by.agent,
                       .channel = k->by.channel,
                       .conv = k->by.conv,
                       .created_at = clock_ms()};
    memcpy(f->hash, d->hash, sizeof f->hash);
    struct tx *tx = tx_new(on_stored, k);
    struct file *row = arena_one(tx->arena, struct file);
    *row = *f;
    row->mime = slice_dup(tx->arena, f->mime);
    row->name = slice_dup(tx->arena, f->name);
    tx_put(tx, PUT_FILE)->file = row;
    server_commit(k->s, tx);
}

void keep_file(struct keep *k)
{
    struct json *config = config_of(k->s, k->arena, k->by.policy);
    int64_t most = files_most(k->s, k->by.policy);
    k->name = file_plain_name(k->arena, k->name);
    k->filed = (struct filed){
        .arena = k->arena,
        .name = k->name,
        .mime = k->mime,
        .sha256 = k->sha256,
        .allow = slice_dup(k->arena, slice_of(k->s->conf.file_types)),
        .allow_also = json_text(config, KIND_FILE_TYPES),
        .most = most > 0 ? most : -1,
        .pixels = k->s->conf.file_pixels,
        .done = on_filed,
        .owner = k};
    struct upload *u = k->upload;
    k->upload = NULL;
    upload_finish(u, &k->filed);
}
