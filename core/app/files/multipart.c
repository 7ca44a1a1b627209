/* SPDX-License-Identifier: Apache-2.0 */
/* multipart.c - the parser of multipart/form-data.
 *
 * Happy path: the first edge, a part's head up to its empty line, its data up
 * to the next edge, and so on until the edge with two dashes behind. Data is
 * passed on as it comes; of what may be the beginning of an edge only the
 * number of bytes is kept, for they are the edge's own.
 *
 * Failure modes: a head that is too long or has no name, too many parts,
 * anything else than a line's end behind an edge. What comes before the first
 * edge and behind the last is passed over.
 */
#include "app/files/multipart.h"

#include <stdlib.h>

enum state {
    BEFORE,    /* the first edge */
    TAIL,      /* behind an edge: "--" or a line's end */
    TAIL_LF,   /* the line's second half */
    TAIL_DASH, /* the second dash */
    HEAD,
    DATA,
    AFTER,
    BROKEN
};

static int broken(struct multipart *m, int code, const char *why)
{
    m->state = BROKEN;
    m->why = why;
    return code;
}

/* --- header values -------------------------------------------------------- */

struct slice multipart_parameter(struct slice head, const char *name)
{
    size_t n = strlen(name);
    bool quoted = false;
    for (size_t i = 0; i < head.len; i++) {
        char c = head.at[i];
        if (quoted && c == '\\' && i + 1 < head.len) {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == ';' && !quoted) {
            struct slice rest =
                slice_trim((struct slice){head.at + i + 1, head.len - i - 1});
            struct slice key = {rest.at, rest.len < n ? rest.len : n};
            if (rest.len <= n || rest.at[n] != '=' ||
                !slice_is_nocase(key, name))
                continue;
            rest = (struct slice){rest.at + n + 1, rest.len - n - 1};
            size_t end = 0;
            if (rest.len && rest.at[0] == '"') {
                rest.at++;
                rest.len--;
                while (end < rest.len && rest.at[end] != '"')
                    end += rest.at[end] == '\\' && end + 1 < rest.len ? 2 : 1;
                end = end < rest.len ? end : rest.len;
            } else {
                while (end < rest.len && rest.at[end] != ';' &&
                       rest.at[end] != ' ')
                    end++;
            }
            return (struct slice){rest.at, end};
        }
    }
    return (struct slice){NULL, 0};
}

/* One line of the head, its name taken off; false: not this header. */
static bool header_is(struct slice line, const char *name, struct slice *value)
{
    size_t n = strlen(name);
    if (line.len <= n || line.at[n] != ':' ||
        !slice_is_nocase((struct slice){line.at, n}, name))
        return false;
    *value = slice_trim((struct slice){line.at + n + 1, line.len - n - 1});
    return true;
}

/* The head in m->head is whole. */
static int begin_part(struct multipart *m)
{
    struct multipart_part p = {0};
    struct slice rest = buf_slice(&m->head), value;
    while (rest.len) {
        const char *nl = memchr(rest.at, '\n', rest.len);
        size_t n = nl ? (size_t)(nl - rest.at) : rest.len;
        struct slice line = slice_trim((struct slice){rest.at, n});
        if (header_is(line, "content-disposition", &value)) {
            p.name = multipart_parameter(value, "name");
            p.filename = multipart_parameter(value, "filename");
            p.has_filename = p.filename.at != NULL;
        } else if (header_is(line, "content-type", &value)) {
            p.type = value;
        }
        n += nl != NULL;
        rest.at += n;
        rest.len -= n;
    }
    if (!p.name.at)
        return broken(m, ERR_BAD_REQUEST, "a part has no name");
    if (++m->parts > MULTIPART_PARTS)
        return broken(m, ERR_TOOBIG, "there are too many parts");
    m->state = DATA;
    m->matched = 0;
    m->calls.on_part(m->arg, &p);
    return 0;
}

/* --- bytes ---------------------------------------------------------------- */

static int feed_head(struct multipart *m, char c)
{
    if (buf_add_char(&m->head, c) < 0)
        return broken(m, ERR_TOOBIG, "the head of a part is too long");
    size_t n = m->head.len;
    const char *p = m->head.data;
    bool empty = n == 2 && p[0] == '\r' && p[1] == '\n';
    if (empty || (n >= 4 && memcmp(p + n - 4, "\r\n\r\n", 4) == 0))
        return begin_part(m);
    return 0;
}

/* Data, or what comes before the first part; how much of it was used. */
static size_t feed_data(struct multipart *m, struct slice s)
{
    bool tells = m->state == DATA;
    size_t from = 0, i = 0;
    while (i < s.len) {
        if (m->matched == 0) {
            const char *cr = memchr(s.at + i, '\r', s.len - i);
            if (!cr) {
                i = s.len;
                break;
            }
            i = (size_t)(cr - s.at);
        }
        if (s.at[i] == m->edge[m->matched]) {
            m->matched++;
            i++;
            if (m->matched == m->edge_len) {
                size_t begun = i > m->edge_len ? i - m->edge_len : 0;
                if (tells && begun > from)
                    m->calls.on_data(m->arg,
                                     (struct slice){s.at + from, begun - from});
                m->state = TAIL;
                m->matched = 0;
                if (tells && m->calls.on_part_end)
                    m->calls.on_part_end(m->arg);
                return i;
            }
            continue;
        }
        /* Not the edge after all. It begins with the only CR in it, so what
         * was taken for it is data, and this byte is looked at anew. Of it,
         * the part that came in an earlier piece is told from the edge. */
        size_t here = i < m->matched ? i : m->matched;
        if (tells && m->matched > here)
            m->calls.on_data(m->arg,
                             (struct slice){m->edge, m->matched - here});
        m->matched = 0;
    }
    size_t end = s.len - (m->matched < s.len ? m->matched : s.len);
    if (tells && end > from)
        m->calls.on_data(m->arg, (struct slice){s.at + from, end - from});
    return s.len;
}

static int feed_byte(struct multipart *m, char c)
{
    switch (m->state) {
    case TAIL:
        if (c == '-')
            m->state = TAIL_DASH;
        else if (c == '\r')
            m->state = TAIL_LF;
        else if (c != ' ' && c != '\t') /* transport padding */
            return broken(m, ERR_BAD_REQUEST, "a boundary is malformed");
        return 0;
    case TAIL_DASH:
        if (c != '-')
            return broken(m, ERR_BAD_REQUEST, "a boundary is malformed");
        m->state = AFTER;
        return 0;
    case TAIL_LF:
        if (c != '\n')
            return broken(m, ERR_BAD_REQUEST, "a boundary is malformed");
        buf_clear(&m->head);
        m->state = HEAD;
        return 0;
    default:
        return feed_head(m, c);
    }
}

int multipart_feed(struct multipart *m, struct slice s)
{
    while (s.len) {
        size_t used = 1;
        int r = 0;
        if (m->state == BROKEN)
            return ERR_BAD_REQUEST;
        if (m->state == AFTER)
            return 0;
        if (m->state == BEFORE || m->state == DATA)
            used = feed_data(m, s);
        else
            r = feed_byte(m, *s.at);
        if (r)
            return r;
        s.at += used;
        s.len -= used;
    }
    return 0;
}

bool multipart_is_whole(const struct multipart *m)
{
    return m->state == AFTER;
}

int multipart_init(struct multipart *m, struct slice type,
                   const struct multipart_calls *calls, void *arg)
{
    static const char kind[] = "multipart/form-data";
    const size_t n = sizeof kind - 1;
    struct slice edge = multipart_parameter(type, "boundary");
    *m = (struct multipart){.calls = *calls, .arg = arg};
    if (type.len < n || !slice_is_nocase((struct slice){type.at, n}, kind) ||
        edge.len == 0 || edge.len > MULTIPART_EDGE ||
        memchr(edge.at, '\r', edge.len) || memchr(edge.at, '\n', edge.len))
        return ERR_UNSUPPORTED;
    memcpy(m->edge, "\r\n--", 4);
    memcpy(m->edge + 4, edge.at, edge.len);
    m->edge_len = edge.len + 4;
    m->state = BEFORE;
    m->matched = 2; /* the first edge may stand at the very beginning */
    buf_init(&m->head, MULTIPART_HEAD);
    return 0;
}

void multipart_fini(struct multipart *m)
{
    buf_fini(&m->head);
}
