/* SPDX-License-Identifier: Apache-2.0 */
/* xml.c - reads XML by libxml2's SAX parser; writes texts.
 *
 * Happy path: the bytes become UTF-8, a quick look refuses what would be slow
 * or dangerous (a DTD, an element of a thousand attributes), the parser calls
 * us for each start, end and piece of text. Failure modes: not well-formed,
 * too deep, too many nodes: the parser is stopped and the sentence says where.
 */
#include "script/text/xml.h"
#include "script/text/text.h"
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <pthread.h>

struct reading {
    struct arena *arena;
    xmlParserCtxt *ctxt;
    struct err *err;
    int code; /* 0, or why we stopped it */
    struct xml_node *root, *at;
    int depth, nodes;
    struct buf text; /* of the run under way */
};

/* --- before the library sees it ------------------------------------------- */

/* The encoding the document itself names, "" if none. */
static struct slice declared(struct slice s)
{
    struct slice head = {s.at, s.len < 200 ? s.len : 200};
    if (head.len < 5 || memcmp(head.at, "<?xml", 5) != 0)
        return SLICE("");
    const char *end = memmem(head.at, head.len, "?>", 2);
    const char *at = memmem(head.at, head.len, "encoding", 8);
    if (!end || !at || at > end)
        return SLICE("");
    for (at += 8; at < end && *at != '"' && *at != '\''; at++)
        ;
    const char *to =
        at < end ? memchr(at + 1, *at, (size_t)(end - at - 1)) : NULL;
    return to ? (struct slice){at + 1, (size_t)(to - at - 1)} : SLICE("");
}

static bool begins(struct slice s, size_t i, const char *with)
{
    size_t n = strlen(with);
    return s.len - i >= n && memcmp(s.at + i, with, n) == 0;
}

/* UTF-8 without a mark in front, in the arena; false: it cannot be. */
static bool as_utf8(struct reading *r, struct slice s, struct slice *out)
{
    struct buf b;
    struct slice charset = declared(s);
    *out = s;
    if (begins(s, 0, "\xef\xbb\xbf")) {
        *out = (struct slice){s.at + 3, s.len - 3};
        return slice_is_utf8(*out);
    }
    if (begins(s, 0, "\xff\xfe") || begins(s, 0, "\xfe\xff"))
        charset = SLICE("utf-16");
    if (charset.len == 0 || slice_is_nocase(charset, "utf-8"))
        return slice_is_utf8(s);
    buf_init(&b, 2 * XML_BYTES);
    int got = text_to_utf8(charset, s, &b);
    *out = got < 0 ? SLICE("") : slice_dup(r->arena, buf_slice(&b));
    buf_fini(&b);
    return got == 0;
}

/* Behind the next `mark`, or the end. */
static size_t skip(struct slice s, size_t i, const char *mark)
{
    const char *at = memmem(s.at + i, s.len - i, mark, strlen(mark));
    return at ? (size_t)(at - s.at) + strlen(mark) : s.len;
}

/* Behind a start or end tag; counts what looks like attributes. */
static size_t skip_tag(struct slice s, size_t i, int *attrs)
{
    char quote = 0;
    for (*attrs = 0; i < s.len; i++) {
        char c = s.at[i];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '=')
            ++*attrs;
        else if (c == '>')
            return i + 1;
    }
    return i;
}

static int look(struct slice s, struct err *e)
{
    for (size_t i = 0; i < s.len;) {
        int attrs = 0;
        const char *at = memchr(s.at + i, '<', s.len - i);
        if (!at)
            return 0;
        i = (size_t)(at - s.at);
        if (begins(s, i, "<!--"))
            i = skip(s, i + 4, "-->");
        else if (begins(s, i, "<![CDATA["))
            i = skip(s, i + 9, "]]>");
        else if (begins(s, i, "<?"))
            i = skip(s, i + 2, "?>");
        else if (begins(s, i, "<!"))
            return err_set(e, ERR_BAD_REQUEST, "a DTD is not allowed");
        else
            i = skip_tag(s, i + 1, &attrs);
        if (attrs > XML_ATTRS)
            return err_set(e, ERR_TOOBIG,
                           "an element has more than %d attributes", XML_ATTRS);
    }
    return 0;
}

/* --- what the parser tells us --------------------------------------------- */

static void stop(struct reading *r, int code, const char *why)
{
    if (r->code == 0)
        r->code = err_set(r->err, code, "%s", why);
    xmlStopParser(r->ctxt);
}

static bool counted(struct reading *r)
{
    if (r->code == 0 && ++r->nodes > XML_NODES)
        stop(r, ERR_TOOBIG, "the document has more than 20,000 nodes");
    return r->code == 0;
}

static struct xml_node *append(struct reading *r)
{
    struct xml_node *n = arena_one(r->arena, struct xml_node);
    n->parent = r->at;
    if (!r->at)
        r->root = n;
    else if (r->at->last)
        r->at->last->next = n;
    else
        r->at->first = n;
    if (r->at)
        r->at->last = n;
    return n;
}

static void end_text(struct reading *r)
{
    if (r->text.len && r->at && counted(r))
        append(r)->text = slice_dup(r->arena, buf_slice(&r->text));
    buf_clear(&r->text);
}

static void on_start(void *arg, const xmlChar *name, const xmlChar **attrs)
{
    struct reading *r = arg;
    struct xml_attr **to;
    end_text(r);
    if (++r->depth > XML_DEPTH)
        stop(r, ERR_TOOBIG, "the document is nested too deep");
    if (!counted(r))
        return;
    struct xml_node *n = append(r);
    n->name = slice_dup(r->arena, slice_of((const char *)name));
    r->at = n;
    for (to = &n->attrs; attrs && attrs[0]; attrs += 2, to = &(*to)->next) {
        if (!counted(r))
            return;
        *to = arena_one(r->arena, struct xml_attr);
        (*to)->name = slice_dup(r->arena, slice_of((const char *)attrs[0]));
        (*to)->value = slice_dup(r->arena, slice_of((const char *)attrs[1]));
    }
}

static void on_end(void *arg, const xmlChar *name)
{
    struct reading *r = arg;
    end_text(r);
    r->depth--;
    if (r->at && r->code == 0)
        r->at = r->at->parent;
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct reading *r = arg;
    if (r->code == 0 && buf_add(&r->text, text, (size_t)len) < 0)
        stop(r, ERR_TOOBIG, "a text is too long");
}

static xmlEntity *on_entity(void *arg, const xmlChar *name)
{
    return xmlGetPredefinedEntity(name);
}

static void on_dtd(void *arg, const xmlChar *name, const xmlChar *external,
                   const xmlChar *system)
{
    stop(arg, ERR_BAD_REQUEST, "a DTD is not allowed");
}

/* The library would read on to the end, slowly, for nothing. */
static void on_error(void *arg, const char *fmt, ...)
{
    struct reading *r = arg;
    const xmlError *last = xmlCtxtGetLastError(r->ctxt);
    if (last && last->level == XML_ERR_FATAL)
        xmlStopParser(r->ctxt);
}

static void on_warning(void *arg, const char *fmt, ...)
{
    /* The default prints it. */
}

/* --- reading -------------------------------------------------------------- */

static void make_ready(void)
{
    xmlInitParser();
}

static int tell(struct reading *r)
{
    const xmlError *last = xmlCtxtGetLastError(r->ctxt);
    struct slice why = slice_of(last && last->message ? last->message : "");
    while (why.len && why.at[why.len - 1] == '\n')
        why.len--;
    if (why.len > 150 || !slice_is_utf8(why))
        why = SLICE("not well-formed");
    return err_set(r->err, ERR_BAD_REQUEST, "line %d: %.*s",
                   last ? last->line : 1, SLICE_FMT(why));
}

static int parse(struct reading *r, struct slice s)
{
    static const xmlSAXHandler sax = {.startElement = on_start,
                                      .endElement = on_end,
                                      .characters = on_text,
                                      .cdataBlock = on_text,
                                      .getEntity = on_entity,
                                      .internalSubset = on_dtd,
                                      .warning = on_warning,
                                      .error = on_error,
                                      .fatalError = on_error,
                                      .initialized =
                                          1}; /* SAX1: no names' spaces */
    r->ctxt = xmlCreateMemoryParserCtxt(s.at, (int)s.len);
    must(r->ctxt);
    xmlCtxtUseOptions(r->ctxt, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
    *r->ctxt->sax = sax;
    r->ctxt->userData = r;
    xmlSwitchEncoding(r->ctxt, XML_CHAR_ENCODING_UTF8);
    xmlParseDocument(r->ctxt);
    int got = r->code;
    if (got == 0 && (!r->ctxt->wellFormed || !r->root))
        got = tell(r);
    xmlFreeDoc(r->ctxt->myDoc);
    xmlFreeParserCtxt(r->ctxt);
    return got;
}

int xml_read(struct arena *a, struct slice text, struct err *e,
             struct xml_node **root)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct reading r = {.arena = a, .err = e};
    struct slice s;
    *root = NULL;
    pthread_once(&once, make_ready);
    if (text.len > XML_BYTES)
        return err_set(e, ERR_TOOBIG, "the document is over 1 MB");
    if (!as_utf8(&r, text, &s))
        return err_set(e, ERR_BAD_REQUEST,
                       "the document is not in the encoding it names (or "
                       "UTF-8)");
    int got = s.len ? look(s, e)
                    : err_set(e, ERR_BAD_REQUEST, "the document is empty");
    if (got < 0)
        return got;
    buf_init(&r.text, 2 * XML_BYTES);
    got = parse(&r, s);
    buf_fini(&r.text);
    if (got == 0)
        *root = r.root;
    return got;
}

/* --- writing -------------------------------------------------------------- */

static bool is_letter(unsigned char c)
{
    return c == '_' || c == ':' || c >= 0x80 || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

bool xml_is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        bool inside = c == '-' || c == '.' || (c >= '0' && c <= '9');
        if (!is_letter(c) && !(inside && i > 0))
            return false;
    }
    return name.len > 0 && name.len <= 200 && slice_is_utf8(name);
}

static int add_escaped(struct buf *out, char c)
{
    switch (c) {
    case '<':
        return buf_add_text(out, "&lt;");
    case '>':
        return buf_add_text(out, "&gt;");
    case '&':
        return buf_add_text(out, "&amp;");
    case '"':
        return buf_add_text(out, "&quot;");
    case '\r': /* or a reader makes it a line feed */
        return buf_add_text(out, "&#13;");
    default:
        return buf_add_char(out, c);
    }
}

static bool is_allowed(struct slice s, size_t i)
{
    unsigned char c = (unsigned char)s.at[i];
    if (c < 0x20)
        return c == '\t' || c == '\n' || c == '\r';
    return true;
}

/* Of what was written, not of the text: what was left out in between must not
 * make an end. */
static bool ends_so(const struct buf *out)
{
    return out->len >= 2 && memcmp(out->data + out->len - 2, "]]", 2) == 0;
}

int xml_add_text(struct buf *out, struct slice text, bool cdata)
{
    int got = cdata ? buf_add_text(out, "<![CDATA[") : 0;
    for (size_t i = 0; i < text.len && got == 0; i++) {
        if (begins(text, i, "\xef\xbf\xbe") ||
            begins(text, i, "\xef\xbf\xbf")) {
            i += 2;
        } else if (cdata && text.at[i] == '>' && ends_so(out)) {
            got = buf_add_text(out, "]]><![CDATA[>");
        } else if (is_allowed(text, i)) {
            got = cdata ? buf_add_char(out, text.at[i])
                        : add_escaped(out, text.at[i]);
        }
    }
    return got == 0 && cdata ? buf_add_text(out, "]]>") : got;
}
