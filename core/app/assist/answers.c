/* SPDX-License-Identifier: Apache-2.0 */
/* answers.c - what was answered before, given again.
 *
 * Happy path: a conversation's first question, with case, blanks and signs
 * taken away, is looked for by assistant and channel; a hit is the answer,
 * and nobody is asked. It is looked for twice: with the effects that hand the
 * conversation over, so that all is one change (turns.c), and when a turn was
 * owed first. Failure: what depends on who asks is never kept: an
 * answer that used tools, asked for a person, broke off, or came behind other
 * messages; a cache promises nothing (base/cache.h).
 */
#include "app/asks.h"
#include "app/assist/inside.h"
#include "app/assist/prompts.h"
#include "base/cache.h"
#include "base/clock.h"
#include "base/meter.h"
#include <stdio.h>

#define ENTRIES 20000
#define BYTES (16 * 1024 * 1024)
#define KEY_BYTES 600
#define QUESTION_LEAST 4

METER(m_hits, METER_COUNTER, "yuelai_answer_cache_hits_total",
      "Questions answered without asking anybody");
METER(m_misses, METER_COUNTER, "yuelai_answer_cache_misses_total",
      "Questions that were looked for in vain");

/* Letters and digits, folded; full-width ones become plain. */
static size_t normalise(struct slice s, char *out, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 4 < most;) {
        unsigned char c = (unsigned char)s.at[i];
        if (c < 0x80) {
            bool upper = c >= 'A' && c <= 'Z';
            bool word =
                upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
            if (word) {
                out[n++] = (char)(upper ? c + 32 : c);
            }
            i++;
            continue;
        }
        size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (i + len > s.len) {
            break;
        }
        unsigned code = len == 3 ? (unsigned)(c & 15) << 12 |
                                       (unsigned)(s.at[i + 1] & 63) << 6 |
                                       (unsigned)(s.at[i + 2] & 63)
                                 : 0x10000;
        bool sign = (code >= 0x2000 && code <= 0x206f) ||
                    (code >= 0x3000 && code <= 0x303f) ||
                    (code >= 0xff00 && code <= 0xff0f) ||
                    (code >= 0xff1a && code <= 0xff20) ||
                    (code >= 0xff3b && code <= 0xff40) ||
                    (code >= 0xff5b && code <= 0xff65);
        bool wide = code >= 0xff10 && code <= 0xff5a && !sign;
        if (wide) {
            char plain = (char)(code - 0xff00 + 0x20);
            out[n++] =
                plain >= 'A' && plain <= 'Z' ? (char)(plain + 32) : plain;
        } else if (!sign) {
            memcpy(out + n, s.at + i, len);
            n += len;
        }
        i += len;
    }
    return n;
}

static size_t key_of(const struct desk_of_bot *b, uint64_t channel,
                     struct slice question, char key[KEY_BYTES])
{
    struct slice any;
    const char *version =
        b->bot->prompt.len ? prompts_find(b->as->prompts, b->bot->prompt, &any)
                           : NULL;
    int head = snprintf(key, KEY_BYTES, "%llu.%u.%s.%llu|",
                        (unsigned long long)b->id, b->generation,
                        version ? version : "", (unsigned long long)channel);
    size_t n = (size_t)head;
    size_t got = normalise(question, key + n, KEY_BYTES - n);
    return got < QUESTION_LEAST ? 0 : n + got;
}

/* Its key, or 0: such a question's answer is not kept. */
static size_t key_for(const struct asking *k, uint64_t channel,
                      char key[KEY_BYTES])
{
    const struct desk_of_bot *b = bot_of(k->as, k->chain[0]);
    if (!b || !b->bot || !b->bot->rec.enabled || b->bot->cache_ms <= 0 ||
        k->kind != ASKING_TURN || k->message_count != 1 || !k->plain ||
        !channel) {
        return 0;
    }
    return key_of(b, channel, k->question, key);
}

static uint64_t channel_of(const struct asking *k)
{
    const struct conversation *c =
        desk_conversation(k->as->server->desk, k->conv);
    return c ? c->channel : 0;
}

/* As it is kept: how long the first two are, then all three. */
struct kept {
    uint32_t assistant, text;
};

static bool give(struct asking *k, struct slice value)
{
    struct kept head;
    memcpy(&head, value.at, sizeof head);
    const char *at = value.at + sizeof head;
    size_t rest = value.len - sizeof head - head.assistant - head.text;
    if (buf_add(&k->text, at + head.assistant, head.text)) {
        return false;
    }
    k->answered_by = slice_dup(k->arena, (struct slice){at, head.assistant});
    k->sources = slice_dup(
        k->arena, (struct slice){at + head.assistant + head.text, rest});
    k->cached = true;
    return true;
}

bool answers_known(struct asking *k, uint64_t channel)
{
    char key[KEY_BYTES];
    struct slice value;
    struct desk_of_bot *b = bot_of(k->as, k->chain[0]);
    size_t n = k->as->answers ? key_for(k, channel, key) : 0;
    if (!n ||
        !cache_get(k->as->answers, (struct slice){key, n}, clock_ms(),
                   &value) ||
        !give(k, value)) {
        return false;
    }
    meter_add(&m_hits, 1);
    b->hits++;
    return true;
}

bool answers_find(struct asking *k)
{
    char key[KEY_BYTES];
    uint64_t channel = channel_of(k);
    if (answers_known(k, channel)) {
        return true;
    }
    if (key_for(k, channel, key)) {
        meter_add(&m_misses, 1);
        bot_of(k->as, k->chain[0])->misses++;
    }
    return false;
}

void answers_keep(struct asking *k)
{
    char key[KEY_BYTES];
    struct buf out;
    size_t n = key_for(k, channel_of(k), key);
    if (!n || k->cached || k->cut || k->too_long || k->rounds ||
        k->handover.len || !k->text.len) {
        return;
    }
    if (!k->as->answers) {
        k->as->answers = cache_new(ENTRIES, BYTES);
    }
    struct kept head = {(uint32_t)k->answered_by.len, (uint32_t)k->text.len};
    buf_init(&out, 2 * CONTEXT_BYTES);
    int r = buf_add(&out, &head, sizeof head);
    r = r ? r : buf_add_slice(&out, k->answered_by);
    r = r ? r : buf_add_slice(&out, buf_slice(&k->text));
    r = r || k->sources.len <= 2 ? r : buf_add_slice(&out, k->sources);
    if (r == 0) {
        cache_put(k->as->answers, (struct slice){key, n}, buf_slice(&out),
                  clock_ms() + bot_of(k->as, k->chain[0])->bot->cache_ms);
    }
    buf_fini(&out);
}

size_t answers_forget(struct assist *as, struct desk_of_bot *b,
                      struct slice question)
{
    char key[KEY_BYTES];
    size_t count = 0;
    const struct channel *ch;
    if (!question.len) { /* its keys are others from now on */
        b->generation++;
        return 1;
    }
    for (size_t i = 0;
         as->answers && (ch = desk_next_channel(as->server->desk, &i));) {
        size_t n = key_of(b, ch->id, question, key);
        count += n && cache_del(as->answers, (struct slice){key, n});
    }
    return count;
}

size_t assist_forget(struct server *s, uint64_t id, struct slice question,
                     struct slice tag)
{
    struct assist *as = s->assist;
    struct desk_of_bot *b;
    size_t count = 0;
    for (size_t i = 0; as && (b = map_next(&as->bots, &i)) != NULL;) {
        bool wanted = b->bot && (!id || b->id == id);
        for (size_t t = 0; wanted && tag.len; t++) {
            if (t == b->bot->tag_count) {
                wanted = false;
            } else if (slice_eq(b->bot->tags[t], tag)) {
                break;
            }
        }
        count += wanted ? answers_forget(as, b, question) : 0;
    }
    return count;
}

void assist_forget_ask(struct server *s, struct script_ask *ask)
{
    const struct assistant *a =
        s->assist && ask->name.len ? assist_find(s, ask->name) : NULL;
    if (!s->assist || (ask->name.len && !a)) {
        asks_refuse(s, ask, ERR_NOT_FOUND, "there is no such assistant");
        return;
    }
    ask->number = (int64_t)assist_forget(s, a ? a->id : 0, ask->data, ask->was);
    ask->result = 0;
    asks_answer(s, ask);
}
