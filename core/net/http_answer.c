/* SPDX-License-Identifier: Apache-2.0 */
/* http_answer.c - the head of an answer, and the contract's error object.
 *
 * Happy path: one pass into the connection's out-buffer. Failure: the
 * buffer's maximum; then nothing was added.
 */
#include "base/json.h"
#include "net/http.h"

#include <http_parser.h>
#include <stdio.h>
#include <time.h>

const char *http_reason(int status)
{
    return http_status_str((enum http_status)status);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", made once a second. */
static struct slice date_text(int64_t at_ms)
{
    static _Thread_local char text[40];
    static _Thread_local time_t of = -1;
    static _Thread_local size_t len;
    time_t at = (time_t)(at_ms / 1000);
    if (at != of) {
        struct tm tm;
        gmtime_r(&at, &tm);
        len = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        of = at;
    }
    return (struct slice){text, len};
}

int http_write_head(struct buf *out, const struct http_answer *a)
{
    size_t was = out->len;
    int rc =
        buf_addf(out, "HTTP/1.1 %d %s\r\n", a->status, http_reason(a->status));
    struct slice date = date_text(a->date_ms);
    if (rc == 0)
        rc = buf_addf(out, "Date: %.*s\r\n", SLICE_FMT(date));
    if (rc == 0 && a->type.len)
        rc = buf_addf(out, "Content-Type: %.*s\r\n", SLICE_FMT(a->type));
    if (rc == 0 && a->length >= 0)
        rc = buf_addf(out, "Content-Length: %lld\r\n", (long long)a->length);
    if (rc == 0 && !a->keep_alive)
        rc = buf_add_text(out, "Connection: close\r\n");
    if (rc == 0 && a->headers.len)
        rc = buf_add_slice(out, a->headers);
    if (rc == 0)
        rc = buf_add_text(out, "X-Content-Type-Options: nosniff\r\n\r\n");
    if (rc < 0)
        out->len = was;
    return rc;
}

/* The contract's word for a status of HTTP's own. */
static const char *code_of(int status)
{
    switch (status) {
    case 401:
        return "unauthorized";
    case 403:
        return "forbidden";
    case 404:
        return "not_found";
    case 408:
    case 504:
        return "timeout";
    case 413:
    case 414:
    case 431:
        return "too_large";
    case 429:
        return "rate_limited";
    case 500:
        return "internal";
    case 501:
    case 505:
        return "unsupported";
    case 503:
        return "unavailable";
    default:
        return "bad_request";
    }
}

int http_write_error(struct buf *out, int status, const char *message)
{
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    jsonw_key(&w, "error");
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "code", slice_of(code_of(status)));
    jsonw_put_text(&w, "message", slice_of(message));
    jsonw_close(&w, '}');
    jsonw_close(&w, '}');
    return w.failed;
}
