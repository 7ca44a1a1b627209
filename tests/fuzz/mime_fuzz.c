/* SPDX-License-Identifier: Apache-2.0 */
/* mime_fuzz.c - any bytes: a mail in UTF-8 within its limits. What was read is
 * written if it can be, and then read again with the same texts. */
#include "script/text/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void look_at_people(const struct mime_address *m)
{
    int n = 0;
    for (; m; m = m->next)
        must(++n <= MIME_ADDRESSES && m->address.len &&
             slice_is_utf8(m->name) && slice_is_utf8(m->address));
}

static void look(const struct mime_mail *m)
{
    size_t parts = 0;
    must(slice_is_utf8(m->subject) && slice_is_utf8(m->message_id));
    must(slice_is_utf8(m->text) && slice_is_utf8(m->html));
    look_at_people(m->from);
    look_at_people(m->to);
    look_at_people(m->cc);
    for (const struct mime_part *p = m->parts; p; p = p->next) {
        parts++;
        must(p->name.len <= MIME_NAME_BYTES && slice_is_utf8(p->name));
        must(!p->name.len || !memchr(p->name.at, '/', p->name.len));
        must(p->type.len && memchr(p->type.at, '/', p->type.len));
    }
    must(parts == m->part_count && parts <= MIME_PARTS);
}

static void write_again(struct arena *a, struct mime_mail *m)
{
    struct mime_mail again;
    struct buf out;
    struct err e = {0};
    m->fields = NULL;
    m->message_id = SLICE("1@example.com");
    m->parts = NULL;
    buf_init(&out, MIME_OUT_BYTES);
    if (mime_write(m, &out, &e) == 0) {
        must(mime_read(a, buf_slice(&out), &e, &again) == 0);
        must(slice_eq(again.message_id, m->message_id));
        must(!m->html.at == !again.html.at);
    } else {
        must(e.text[0]);
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new();
    struct mime_mail m;
    struct err e = {0};
    if (mime_read(a, (struct slice){(const char *)data, n}, &e, &m) == 0) {
        look(&m);
        write_again(a, &m);
    } else {
        must(e.text[0]);
    }
    arena_free(a);
    return 0;
}
