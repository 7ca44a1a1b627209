/* SPDX-License-Identifier: Apache-2.0 */
/* sse.h - reads a stream of server-sent events (WHATWG HTML, 9.2.6).
 *
 * Fed with bytes as they come, cut anywhere; gives one event at a time. Lines
 * end in LF, CR or CRLF; a byte order mark at the start is skipped; comments
 * and unknown fields are passed over; an event that the end of the stream cuts
 * off is none.
 *
 * Pure; used by whoever owns it, on one thread.
 */
#pragma once
#include "base/buf.h"

struct sse {
    struct buf line, data;
    struct buf event, id; /* id is kept from event to event */
    struct buf next_id;
    int64_t retry_ms; /* what the server asked for, -1 = nothing */
    uint8_t mark;     /* bytes of the byte order mark seen; 4 = past it */
    bool cr, done;    /* done: the event was given, begin afresh */
};

/* max: bytes of one event's data, and of one line. */
void sse_init(struct sse *s, size_t max);
void sse_fini(struct sse *s);
/* Reads up to the end of the next event. Returns how many bytes were used;
 * *got tells whether there is an event (then the rest is to be fed again), or
 * ERR_TOOBIG. */
int64_t sse_feed(struct sse *s, struct slice in, bool *got);
/* Before a long wait: the event that was given is over, and what holds nothing
 * gives its memory back. */
void sse_rest(struct sse *s);
/* Of the event: valid until the next sse_feed. "" means "message". */
static inline struct slice sse_event(const struct sse *s)
{
    return s->event.len ? buf_slice(&s->event) : SLICE("message");
}
static inline struct slice sse_data(const struct sse *s)
{
    return (struct slice){s->data.data, s->data.len ? s->data.len - 1 : 0};
}
static inline struct slice sse_id(const struct sse *s)
{
    return buf_slice(&s->id);
}
