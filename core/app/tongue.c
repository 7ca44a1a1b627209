/* SPDX-License-Identifier: Apache-2.0 */
/* tongue.c - which language the house's own words have in a conversation.
 *
 * Happy path: the first that says so counts. Failure: nobody does, or what is
 * said is no language ("auto"): unknown, and the caller has its own way on.
 */
#include "app/tongue.h"
#include "base/json.h"

/* "zh-CN" among these, "" = nothing is said. */
static struct slice locale_in(struct arena *a, struct slice text)
{
    struct json *all = NULL;
    if (!text.len || json_parse(a, text, NULL, &all) < 0) {
        return SLICE("");
    }
    struct slice s = json_text(all, "locale");
    s = s.len && !slice_is(s, "auto") ? s : json_text(all, "language");
    return slice_is(s, "auto") ? SLICE("") : s;
}

enum tongue tongue_of(const struct server *s, uint64_t conv, uint64_t contact,
                      struct slice channel_config)
{
    const struct conversation *v = desk_conversation(s->desk, conv);
    const struct contact *who =
        desk_contact(s->desk, contact || !v ? contact : v->contact);
    const struct channel *ch = v ? desk_channel(s->desk, v->channel) : NULL;
    struct slice own = ch ? ch->config : SLICE("");
    struct slice from[] = {v ? v->attributes : SLICE(""),
                           who ? who->attributes : SLICE(""),
                           channel_config.len ? channel_config : own};
    struct arena *a = arena_new();
    enum tongue out = TONGUE_UNKNOWN;
    for (size_t i = 0; !out && i < sizeof from / sizeof from[0]; i++) {
        struct slice locale = locale_in(a, from[i]);
        if (locale.len) {
            out = slice_starts(locale, "zh") ? TONGUE_ZH : TONGUE_EN;
        }
    }
    arena_free(a);
    return out;
}

enum tongue tongue_of_words(struct slice said)
{
    bool letters = false;
    for (size_t i = 0; i < said.len; i++) {
        unsigned char c = (unsigned char)said.at[i];
        if (c >= 0xe4 && c <= 0xe9) { /* most of what is written in Chinese */
            return TONGUE_ZH;
        }
        letters |= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }
    return letters ? TONGUE_EN : TONGUE_UNKNOWN;
}
