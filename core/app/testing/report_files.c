/* SPDX-License-Identifier: Apache-2.0 */
/* report_files.c - what machines read: JUnit's XML, JSON.
 *
 * Happy path: every outcome once, a suite a file. Failure modes: ERR_TOOBIG
 * for a report that is larger than the caller's buffer. Characters that XML
 * has no form for (controls, broken UTF-8) become question marks.
 */
#include "app/testing/report.h"
#include "base/json.h"

/* --- JUnit ---------------------------------------------------------------- */

/* Bytes of a well-formed character that XML allows, 0 = none. */
static size_t allowed(struct slice s)
{
    unsigned char c = (unsigned char)s.at[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c < 0x80)
        return c >= ' ' || c == '\n' || c == '\t';
    if (n > s.len || !slice_is_utf8((struct slice){s.at, n}))
        return 0;
    /* U+FFFE and U+FFFF are no characters of XML's. */
    if (n == 3 && c == 0xef && (unsigned char)s.at[1] == 0xbf &&
        (unsigned char)s.at[2] >= 0xbe)
        return 0;
    return n;
}

static int xml_text(struct buf *out, struct slice s)
{
    int r = 0;
    while (s.len && r == 0) {
        size_t n = allowed(s);
        const char *name = *s.at == '<'    ? "&lt;"
                           : *s.at == '>'  ? "&gt;"
                           : *s.at == '&'  ? "&amp;"
                           : *s.at == '"'  ? "&quot;"
                           : *s.at == '\n' ? "&#10;"
                           : n == 0        ? "?"
                                           : NULL;
        r = name ? buf_add_text(out, name) : buf_add(out, s.at, n);
        s.at += n ? n : 1;
        s.len -= n ? n : 1;
    }
    return r;
}

static int attribute(struct buf *out, const char *name, struct slice value)
{
    int r = buf_addf(out, " %s=\"", name);
    r = r ? r : xml_text(out, value);
    return r ? r : buf_add_char(out, '"');
}

static int seconds(struct buf *out, int64_t us)
{
    return buf_addf(out, " time=\"%lld.%06lld\"", (long long)(us / 1000000),
                    (long long)(us % 1000000));
}

static int part(struct buf *out, const char *head, struct slice text)
{
    if (!text.len)
        return 0;
    int r = buf_add_text(out, head);
    r = r ? r : xml_text(out, text);
    return r ? r : buf_add_text(out, "&#10;");
}

static int failure(struct buf *out, const struct outcome *o)
{
    int r = buf_add_text(out, "\n      <failure");
    r = r ? r : attribute(out, "message", o->message);
    r = r ? r : buf_add_char(out, '>');
    if (o->at.len) {
        r = r ? r : xml_text(out, o->at);
        r = r ? r : buf_addf(out, ":%d&#10;", o->at_line);
    }
    r = r ? r : part(out, "expected: ", o->expected);
    r = r ? r : part(out, "actual: ", o->actual);
    r = r ? r : part(out, "", o->trace);
    r = r ? r : part(out, "meanwhile: ", o->cause);
    return r ? r : buf_add_text(out, "</failure>\n    ");
}

static int test_case(struct buf *out, const struct outcome *o)
{
    int r = buf_add_text(out, "    <testcase");
    r = r ? r : attribute(out, "classname", o->file);
    r = r ? r : attribute(out, "name", o->name);
    r = r ? r : attribute(out, "file", o->file);
    r = r ? r : buf_addf(out, " line=\"%d\"", o->line);
    r = r ? r : seconds(out, o->us);
    r = r ? r : buf_add_char(out, '>');
    if (o->verdict == VERDICT_FAILED)
        r = r ? r : failure(out, o);
    else if (o->verdict == VERDICT_PENDING)
        r = r ? r : buf_add_text(out, "<skipped/>");
    return r ? r : buf_add_text(out, "</testcase>\n");
}

static const struct outcome *suite(struct buf *out, const struct outcome *first,
                                   int *r)
{
    const struct outcome *o, *end;
    int counts[3] = {0};
    int64_t us = 0;
    for (end = first; end && slice_eq(end->file, first->file);
         end = end->next) {
        counts[end->verdict]++;
        us += end->us;
    }
    *r = buf_add_text(out, "  <testsuite");
    *r = *r ? *r : attribute(out, "name", first->file);
    *r = *r ? *r
            : buf_addf(out, " tests=\"%d\" failures=\"%d\" skipped=\"%d\"",
                       counts[0] + counts[1] + counts[2], counts[1], counts[2]);
    *r = *r ? *r : seconds(out, us);
    *r = *r ? *r : buf_add_text(out, ">\n");
    for (o = first; o != end && *r == 0; o = o->next)
        *r = test_case(out, o);
    *r = *r ? *r : buf_add_text(out, "  </testsuite>\n");
    return end;
}

int report_junit(const struct report *r, struct buf *out)
{
    int rc = buf_addf(out,
                      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                      "<testsuites tests=\"%d\" failures=\"%d\">\n",
                      r->passed + r->failed + r->pending, r->failed);
    for (const struct outcome *o = r->first; o && rc == 0;)
        o = suite(out, o, &rc);
    return rc ? rc : buf_add_text(out, "</testsuites>\n");
}

/* --- JSON ----------------------------------------------------------------- */

static void put_outcome(struct jsonw *w, const struct outcome *o)
{
    static const char *const states[] = {"passed", "failed", "pending"};
    jsonw_open(w, '{');
    jsonw_put_text(w, "name", o->name);
    jsonw_put_text(w, "file", o->file);
    jsonw_put_int(w, "line", o->line);
    jsonw_put_text(w, "state", slice_of(states[o->verdict]));
    jsonw_put_int(w, "ms", o->us / 1000);
    if (o->message.len)
        jsonw_put_text(w, "message", o->message);
    if (o->expected.len)
        jsonw_put_text(w, "expected", o->expected);
    if (o->actual.len)
        jsonw_put_text(w, "actual", o->actual);
    if (o->cause.len)
        jsonw_put_text(w, "cause", o->cause);
    if (o->at.len) {
        jsonw_put_text(w, "at", o->at);
        jsonw_put_int(w, "at_line", o->at_line);
    }
    jsonw_close(w, '}');
}

int report_json(const struct report *r, struct buf *out)
{
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    jsonw_put_int(&w, "passed", r->passed);
    jsonw_put_int(&w, "failed", r->failed);
    jsonw_put_int(&w, "pending", r->pending);
    jsonw_key(&w, "tests");
    jsonw_open(&w, '[');
    for (const struct outcome *o = r->first; o; o = o->next)
        put_outcome(&w, o);
    jsonw_close(&w, ']');
    jsonw_close(&w, '}');
    return w.failed ? w.failed : buf_add_char(out, '\n');
}
