/* SPDX-License-Identifier: Apache-2.0 */
/* plain.h - what a platform cannot show, said in text.
 *
 * Why: adapters get only kinds that their capabilities name; what becomes of
 * the others is decided once, here, and is the same on all platforms: files,
 * places and cards become words with a link, choices a numbered list,
 * Markdown plain text.
 *
 * Pure: no clock, no store, any thread. Everything lies in the caller's arena.
 */
#pragma once
#include "base/json.h"
#include "desk/record.h"

/* What its capabilities say (kinds.h keeps one for each type). */
struct plain_can {
    bool shows[MESSAGE_KINDS];
    int64_t most[MESSAGE_KINDS]; /* bytes of a file; 0 = any */
    int32_t buttons;             /* choices below a card; 0 = none */
    bool markdown;
    bool as_is; /* it names no kinds: takes everything */
};
/* face: as the script wing tells it (script_channels); NULL: as_is. */
void plain_can_read(const struct json *face, struct plain_can *out);

struct plain {
    struct slice item;    /* JSON object for the adapter */
    struct slice shown;   /* JSON {"kind","as","why"}; "" = the kind stayed */
    struct slice choices; /* JSON array: what numbers stand for; "" = none */
};
/* Gives out->item, perhaps the same. zh: the words' language. */
void plain_item(struct arena *a, struct slice item, const struct plain_can *can,
                bool zh, struct plain *out);

/* flat.c: Markdown as plain text, never longer; ERR_TOOBIG as buf_add. */
int plain_flat(struct buf *out, struct slice markdown);
