/* SPDX-License-Identifier: Apache-2.0 */
/* play_log.h - a flow's log as text, for play.c. */
#pragma once
#include "base/limits.h"
#include "script/flow/play.h"

/* Parses the flow's log: p->next, p->open, p->log. */
int play_log_read(struct play *p);
bool play_log_is_open(const struct json *entry);
/* The flow's log is what it was at that point. */
void play_log_store(struct play *p, const struct play_point *to);
/* At most max bytes of s, whole characters. */
struct slice play_head(struct slice s, size_t max);
/* How deep the text's brackets are; 0 for a plain value or no JSON. */
int play_depth(struct arena *a, struct slice json);
#define PLAY_DEPTH (LIMIT_JSON_DEPTH - 6) /* of a value that fits into a log */
/* Nothing is left to be replayed. */
void play_go_live(struct play *p);
