/* SPDX-License-Identifier: Apache-2.0 */
/* tongue.h - which language the house's own words have in a conversation.
 *
 * Thread: main. Borrows all it is given.
 */
#pragma once
#include "app/server.h"

enum tongue { TONGUE_UNKNOWN, TONGUE_ZH, TONGUE_EN };

/* What was said of it, first of all by the conversation, then by the contact
 * (their attributes `locale` or `language`: "zh-CN", "en"), then by the
 * channel's settings (JSON; its own if empty). */
enum tongue tongue_of(const struct server *s, uint64_t conv, uint64_t contact,
                      struct slice channel_config);
/* By the words themselves; a number or a smiley tells nothing. */
enum tongue tongue_of_words(struct slice said);
