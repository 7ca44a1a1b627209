/* SPDX-License-Identifier: Apache-2.0 */
/* confirms.c - tools that need a person's word: asked for, heard, run once.
 *
 * Happy path: the model's call becomes a question, with which its turn ends
 * (desk/confirms.c keeps the row). The visitor's next message is a turn like
 * any other; before a model is asked, it is looked at: yes runs the tool with
 * the row's id as key, stores what it gave, and the model is told; no is told
 * likewise, and anything else is no. An agent's word makes such a turn by
 * itself. Failure: the arguments are not those that were shown (hash), the
 * tool is not offered any more: it does not run, and the model is told so. A
 * turn that is not wanted any more leaves a tool that runs alone: what it gave
 * is stored, and the next turn tells it.
 */
#include "app/assist/inside.h"
#include "app/tongue.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/log.h"
#include <stdio.h>
#include <string.h>

#define QUESTION_BYTES 2000
#define VALUE_BYTES 120
#define CALL_BYTES (16 * 1024)
#define RESULT_BYTES (8 * 1024)

/* A tool that was approved, while it runs and until that is on disk. */
struct confirm_run {
    struct assist *as;
    struct arena *arena; /* owned; it lies in it */
    struct confirm rec;
    uint64_t asking; /* who waits for it */
};

/* --- the question --------------------------------------------------------- */

const char *confirm_by(const struct asking *k, const struct json *face)
{
    struct desk_of_bot *b = bot_of(k->as, k->answered_by);
    struct slice own = json_text(json_get(face, "confirm"), "by");
    struct slice name = slice_dup(k->arena, json_text(face, "name"));
    struct slice more = json_text(b ? b->bot->confirm : NULL, name.at);
    if (slice_is(own, "agent") || slice_is(more, "agent")) {
        return "agent";
    }
    return own.len || more.len ? "visitor" : "";
}

/* As is known of the conversation, else as the visitor writes; the house's own
 * language is Chinese. */
static bool is_chinese(const struct asking *k)
{
    enum tongue t = tongue_of(k->as->server, k->conv, k->contact, SLICE(""));
    t = t ? t : tongue_of_words(k->question);
    return t != TONGUE_EN;
}

/* A value of the arguments, as people read it; bounded. */
static void add_value(struct buf *out, const struct json *v)
{
    struct buf text;
    buf_init(&text, CALL_BYTES);
    struct slice s = json_is(v, JSON_STRING) ? v->text : SLICE("");
    if (v && !json_is(v, JSON_STRING)) {
        struct jsonw w = jsonw_on(&text);
        jsonw_value(&w, v);
        s = w.failed ? SLICE("?") : buf_slice(&text);
    }
    size_t n = s.len;
    s.len = n < VALUE_BYTES ? n : VALUE_BYTES;
    while (s.len && !slice_is_utf8(s)) {
        s.len--;
    }
    (void)buf_add_slice(out, s);
    if (s.len < n) {
        (void)buf_add_text(out, "…");
    }
    buf_fini(&text);
}

static void add_filled(struct buf *out, struct slice form,
                       const struct json *args)
{
    for (size_t i = 0; i < form.len; i++) {
        const char *end =
            form.at[i] == '{' ? memchr(form.at + i, '}', form.len - i) : NULL;
        char name[64];
        size_t n = end ? (size_t)(end - form.at) - i - 1 : 0;
        if (!end || n == 0 || n >= sizeof name) {
            (void)buf_add_char(out, form.at[i]);
            continue;
        }
        memcpy(name, form.at + i + 1, n);
        name[n] = '\0';
        add_value(out, json_get(args, name));
        i += n + 1;
    }
}

/* No words are given: the tool's title or name, and every argument. */
static void add_plain(struct buf *out, const struct json *face,
                      const struct json *args, bool zh)
{
    const struct json *title = json_get(face, "title");
    struct slice name = json_text(title, zh ? "zh" : "en");
    name = name.len ? name : json_text(title, "en");
    (void)buf_add_slice(out, name.len ? name : json_text(face, "name"));
    const struct json *v = json_is(args, JSON_OBJECT) ? args->first : NULL;
    for (; v; v = v->next) {
        (void)buf_add_text(out, out->len ? "\n" : "");
        (void)buf_add_slice(out, v->key);
        (void)buf_add_text(out, ": ");
        add_value(out, v);
    }
}

/* What will be done, in words. */
static struct slice question_of(struct asking *k, const struct json *face,
                                const struct json *args)
{
    const struct json *confirm = json_get(face, "confirm");
    struct buf out;
    struct slice form = json_text(confirm, k->asks_zh ? "zh" : "en");
    form = form.len ? form : json_text(confirm, k->asks_zh ? "en" : "zh");
    buf_init(&out, QUESTION_BYTES);
    if (form.len) {
        add_filled(&out, form, args);
    } else {
        add_plain(&out, face, args, k->asks_zh);
    }
    struct slice s = slice_dup(k->arena, buf_slice(&out));
    buf_fini(&out);
    while (s.len && !slice_is_utf8(s)) {
        s.len--;
    }
    return s;
}

static struct slice hash_of(struct arena *a, struct slice tool,
                            struct slice call)
{
    unsigned char sum[SHA256_BYTES];
    struct buf all, hex;
    buf_init(&all, 2 * CALL_BYTES);
    buf_init(&hex, 2 * SHA256_BYTES + 1);
    (void)buf_add_slice(&all, tool);
    (void)buf_add_char(&all, '\n');
    (void)buf_add_slice(&all, call);
    sha256_of(buf_slice(&all), sum);
    must(hex_add(&hex, sum, sizeof sum) == 0);
    struct slice s = slice_dup(a, buf_slice(&hex));
    buf_fini(&all);
    buf_fini(&hex);
    return s;
}

static struct slice call_json(struct asking *k, const struct json *call)
{
    struct buf out;
    buf_init(&out, CALL_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, call);
    struct slice s =
        w.failed ? SLICE("") : slice_dup(k->arena, buf_slice(&out));
    buf_fini(&out);
    return s;
}

/* The question behind what the model has said. */
static bool say(struct asking *k, struct slice question, bool agent)
{
    static const char *const how[2][2] = {
        {"\n\nReply “confirm” to have this done, or “cancel”.",
         "\n\n请回复“确认”执行，或回复“取消”。"},
        {"\n\nA colleague has to approve this first; one moment please.",
         "\n\n这一步需要同事确认，请稍候。"}};
    struct buf *t = &k->text;
    int r = t->len ? buf_add_text(t, "\n\n") : 0;
    r = r ? r : buf_add_slice(t, question);
    return (r ? r : buf_add_text(t, how[agent][k->asks_zh])) == 0;
}

const char *confirm_ask(struct asking *k, const struct json *face,
                        const struct json *call, const char *by)
{
    const struct confirm *was = desk_confirm(k->as->server->desk, k->conv);
    struct desk_of_bot *b = bot_of(k->as, k->answered_by);
    if (k->kind != ASKING_TURN || !b) {
        return "this needs a person's word; only an answer to the visitor can "
               "ask for it";
    }
    if (was && was->id != k->tells) {
        return "another call waits for a person's word already";
    }
    struct confirm *f = arena_one(k->arena, struct confirm);
    k->asks_zh = is_chinese(k);
    f->id = id_new();
    f->conv = k->conv;
    f->turn = k->id;
    f->agent = strcmp(by, "agent") == 0;
    f->assistant = k->answered_by;
    f->tool = json_text(call, "name");
    f->call = call_json(k, call);
    f->hash = hash_of(k->arena, f->tool, f->call);
    f->question = question_of(k, face, json_get(call, "arguments"));
    f->created_at = clock_ms();
    f->expires_at = f->created_at + b->bot->confirm_ms;
    if (!f->call.len || !f->question.len || !say(k, f->question, f->agent)) {
        return "what is to be confirmed is too long";
    }
    k->asks = f;
    asking_note(k, f->tool,
                f->agent ? "waits for an agent" : "waits for the visitor",
                f->question);
    k->done(k, true);
    return NULL;
}

/* --- the word ------------------------------------------------------------- */

/* Without blanks and signs around it, small letters. */
static size_t bare(struct slice s, char *out, size_t most)
{
    static const char *const signs[] = {"。", "！", "，", "”", "“",
                                        "～", "’",  "‘",  "　"};
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 1 < most;) {
        size_t skip = 0;
        for (size_t g = 0; g < sizeof signs / sizeof signs[0] && !skip; g++) {
            size_t len = strlen(signs[g]);
            skip = i + len <= s.len && memcmp(s.at + i, signs[g], len) == 0
                       ? len
                       : 0;
        }
        char c = s.at[i];
        if (!skip && strchr(" \t\r\n.!,\"'", c)) {
            skip = 1;
        }
        if (!skip) {
            out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        i += skip ? skip : 1;
    }
    out[n] = '\0';
    return n;
}

static enum word word_of(struct slice said)
{
    static const char *const yes[] = {"确认", "确定",    "同意",
                                      "是的", "confirm", "yes"};
    static const char *const no[] = {"取消", "不确认", "不同意",
                                     "不要", "cancel", "no"};
    char text[40];
    if (said.len > sizeof text) {
        return WORD_OTHER;
    }
    bare(said, text, sizeof text);
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0) {
            return WORD_YES;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (strcmp(text, no[i]) == 0) {
            return WORD_NO;
        }
    }
    return WORD_OTHER;
}

/* What was said before the question is no answer to it; all that was said
 * since must be the same word. */
void confirm_listen(struct asking *k, const struct event *ev, struct slice said)
{
    const struct confirm *f = desk_confirm(k->as->server->desk, k->conv);
    char id[ID_TEXT];
    if (!f) {
        return;
    }
    if (ev->role == ROLE_BOT) {
        struct slice mark = id_text(id, ID_CONFIRM, f->id);
        if (memmem(ev->body.at, ev->body.len, mark.at, mark.len)) {
            k->confirm_seq = ev->seq;
        }
    } else if (ev->role == ROLE_VISITOR && k->confirm_seq) {
        enum word w = word_of(said);
        k->word = k->word == WORD_NONE || k->word == w ? w : WORD_OTHER;
    }
}

struct waiting_word {
    struct assist *as;
    uint64_t asking;
};

static void fail(struct asking *k, const char *why)
{
    k->class = SLICE("unavailable");
    k->detail = slice_dup(k->arena, slice_of(why));
    k->done(k, false);
}

static void on_decided(void *arg, int result)
{
    struct waiting_word *x = arg;
    struct asking *k = map_get(&x->as->askings, x->asking);
    mem_free(x);
    if (k && (result == 0 || result == ERR_CONFLICT)) {
        confirm_heard(k);
    } else if (k) {
        fail(k, "the visitor's word could not be stored");
    }
}

static void decide(struct asking *k, const struct confirm *f)
{
    static const struct {
        enum confirm_state to;
        const char *note, *why;
    } ways[] = {
        [WORD_NONE] = {CONFIRM_CANCELLED, "not confirmed", "no word was said"},
        [WORD_YES] = {CONFIRM_APPROVED, "confirmed by the visitor", ""},
        [WORD_NO] = {CONFIRM_DENIED, "denied by the visitor",
                     "the visitor does not want it"},
        [WORD_OTHER] = {CONFIRM_CANCELLED, "not confirmed",
                        "the visitor said something else"}};
    struct waiting_word *x = mem_alloc(sizeof *x);
    *x = (struct waiting_word){k->as, k->id};
    asking_note(k, f->tool, ways[k->word].note, f->question);
    if (desk_decide(k->as->server->desk, k->conv, f->id, ways[k->word].to, 0,
                    slice_of(ways[k->word].why), on_decided, x)) {
        mem_free(x);
        fail(k, "another one holds the conversation");
    }
}

/* --- the tool ------------------------------------------------------------- */

static void run_over(struct confirm_run *r)
{
    struct asking *k = map_get(&r->as->askings, r->asking);
    map_take(&r->as->confirms, r->rec.id);
    arena_free(r->arena);
    if (k) {
        confirm_heard(k);
    }
}

static void on_row(struct tx *tx)
{
    if (tx->result) {
        log_warn("assist", "what a confirmed tool gave was not stored: %s",
                 tx->err.text);
    }
    tx_free(tx);
}

/* Nobody waits for it in this conversation; it is kept for who looks. */
static void keep_alone(struct confirm_run *r)
{
    struct tx *tx = tx_new(on_row, NULL);
    struct confirm *row = arena_one(tx->arena, struct confirm);
    *row = r->rec;
    row->assistant = slice_dup(tx->arena, r->rec.assistant);
    row->tool = slice_dup(tx->arena, r->rec.tool);
    row->call = slice_dup(tx->arena, r->rec.call);
    row->hash = slice_dup(tx->arena, r->rec.hash);
    row->question = slice_dup(tx->arena, r->rec.question);
    row->result = slice_dup(tx->arena, r->rec.result);
    row->state = CONFIRM_DONE;
    row->told = true;
    row->updated_at = clock_ms();
    tx_put(tx, PUT_CONFIRM)->confirm = row;
    server_commit(r->as->server, tx);
    r->asking = 0; /* its turn is not wanted any more, or will be told so */
    run_over(r);
}

static void on_kept(void *arg, int result)
{
    struct confirm_run *r = arg;
    if (result == ERR_CONFLICT) {
        keep_alone(r);
        return;
    }
    if (result) {
        struct asking *k = map_get(&r->as->askings, r->asking);
        r->asking = 0;
        run_over(r);
        if (k) {
            fail(k, "what the tool gave could not be stored");
        }
        return;
    }
    run_over(r);
}

static void keep(struct confirm_run *r, struct slice result)
{
    if (result.len > RESULT_BYTES) {
        result.len = RESULT_BYTES;
    }
    while (result.len && !slice_is_utf8(result)) {
        result.len--;
    }
    r->rec.result = slice_dup(r->arena, result);
    if (desk_decide(r->as->server->desk, r->rec.conv, r->rec.id, CONFIRM_DONE,
                    0, r->rec.result, on_kept, r)) {
        keep_alone(r);
    }
}

static void on_ran(struct job *job)
{
    struct confirm_run *r = job->owner;
    if (job->result) { /* the house stops: it runs again, with the same key */
        map_take(&r->as->confirms, r->rec.id);
        arena_free(r->arena);
        job_free(job);
        return;
    }
    const char *class;
    struct slice result = tools_result(job, &class);
    struct asking *k = map_get(&r->as->askings, r->asking);
    if (k) {
        asking_hops(k, job);
        asking_note(k, r->rec.tool, class, result);
    }
    keep(r, result);
    job_free(job);
}

static void run(struct asking *k, const struct confirm *f)
{
    struct assist *as = k->as;
    struct confirm_run *r = map_get(&as->confirms, f->id);
    struct json *call = NULL;
    char key[ID_TEXT];
    if (r) { /* it runs for a turn that was not wanted any more */
        r->asking = k->id;
        return;
    }
    struct arena *a = arena_new();
    r = arena_one(a, struct confirm_run);
    r->as = as;
    r->arena = a;
    r->asking = k->id;
    r->rec = *f;
    r->rec.assistant = slice_dup(a, f->assistant);
    r->rec.tool = slice_dup(a, f->tool);
    r->rec.call = slice_dup(a, f->call);
    r->rec.hash = slice_dup(a, f->hash);
    r->rec.question = slice_dup(a, f->question);
    map_put(&as->confirms, r->rec.id, r);
    const char *why = NULL;
    if (!slice_eq(hash_of(a, r->rec.tool, r->rec.call), r->rec.hash) ||
        json_parse(a, r->rec.call, NULL, &call) < 0) {
        why = "{\"error\":\"these are not the arguments that were shown\"}";
    } else if (!tools_offered(k, r->rec.assistant, r->rec.tool) ||
               !tool_face(as, r->rec.tool)) {
        why = "{\"error\":\"there is no such tool any more\"}";
    }
    if (why) {
        asking_note(k, r->rec.tool, "tool refused", slice_of(why));
        keep(r, slice_of(why));
        return;
    }
    struct job *job = tools_job(k, r->rec.assistant, call,
                                id_text(key, ID_CONFIRM, r->rec.id), on_ran, r);
    if (as->server->script) {
        script_run(as->server->script, job);
        return;
    }
    job->result = ERR_CANCELLED;
    on_ran(job);
}

/* --- the model is told ---------------------------------------------------- */

static void tell(struct asking *k, const struct confirm *f)
{
    struct slice result = f->result;
    if (f->state != CONFIRM_DONE) {
        struct buf out;
        buf_init(&out, RESULT_BYTES);
        struct jsonw w = jsonw_on(&out);
        jsonw_open(&w, '{');
        jsonw_put_text(&w, "error", slice_of(confirm_state_name(f->state)));
        jsonw_put_text(&w, "detail", f->result);
        jsonw_put_bool(&w, "done", false);
        jsonw_close(&w, '}');
        result = slice_dup(k->arena, buf_slice(&out));
        buf_fini(&out);
        asking_note(k, f->tool, confirm_state_name(f->state), f->result);
    }
    tools_tell(k, f->call, result);
    k->tells = f->id;
    asking_go(k);
}

void confirm_heard(struct asking *k)
{
    const struct confirm *f = desk_confirm(k->as->server->desk, k->conv);
    if (!f || (f->state == CONFIRM_PENDING && f->agent)) {
        asking_go(k);
    } else if (f->state == CONFIRM_PENDING) {
        decide(k, f);
    } else if (f->state == CONFIRM_APPROVED) {
        run(k, f);
    } else {
        tell(k, f);
    }
}

void confirms_free(struct assist *as)
{
    struct confirm_run *r;
    for (size_t i = 0; (r = map_next(&as->confirms, &i)) != NULL;) {
        arena_free(r->arena); /* its job is freed with the scripts */
    }
    map_fini(&as->confirms);
}
