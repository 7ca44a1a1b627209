/* SPDX-License-Identifier: Apache-2.0 */
/* text_charset.c - from one charset to another, by ICU's converters.
 *
 * Happy path: two converters and a small pivot. Failure modes: a name nobody
 * knows, bytes that do not exist in it (a substitute, or an error when asked),
 * more than the buffer holds.
 */
#include "script/text/text.h"
#include <ctype.h>
#include <stdio.h>
#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>

#define PIVOT 1024
#define STEP 4096
#define LOOK_BYTES 8192 /* for detection: about 3 ms */

/* Copies a charset's name; false for what cannot be one: ICU would take
 * options and, in some builds, paths. */
static bool name_of(struct slice s, char out[TEXT_CHARSET])
{
    if (s.len == 0 || s.len >= TEXT_CHARSET)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (!isalnum(c) && !strchr("-_.:+", c))
            return false;
        out[i] = (char)tolower(c);
    }
    out[s.len] = '\0';
    return true;
}

static bool is_any(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

static UConverter *open_converter(const char *name, bool strict)
{
    UErrorCode e = U_ZERO_ERROR;
    UConverter *c = ucnv_open(name, &e);
    if (U_FAILURE(e))
        return NULL;
    if (strict) {
        ucnv_setToUCallBack(c, UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &e);
        ucnv_setFromUCallBack(c, UCNV_FROM_U_CALLBACK_STOP, NULL, NULL, NULL,
                              &e);
    }
    must(U_SUCCESS(e));
    return c;
}

static int convert(UConverter *to, UConverter *from, struct slice bytes,
                   struct buf *out)
{
    UChar pivot[PIVOT], *source = pivot, *target = pivot;
    const char *at = bytes.at ? bytes.at : "", *end = at + bytes.len;
    UErrorCode e = U_BUFFER_OVERFLOW_ERROR;
    for (bool first = true; e == U_BUFFER_OVERFLOW_ERROR; first = false) {
        size_t step = out->max - out->len < STEP ? out->max - out->len : STEP;
        int got = step ? buf_reserve(out, step) : ERR_TOOBIG;
        if (got < 0)
            return got;
        char *put = out->data + out->len;
        e = U_ZERO_ERROR;
        ucnv_convertEx(to, from, &put, out->data + out->len + step, &at, end,
                       pivot, &source, &target, pivot + PIVOT, first, true, &e);
        out->len = (size_t)(put - out->data);
    }
    return U_SUCCESS(e) ? 0 : ERR_BAD_REQUEST;
}

static int convert_named(const char *from, const char *to, struct slice bytes,
                         bool strict, struct buf *out)
{
    size_t before = out->len;
    UConverter *in = open_converter(from, strict);
    UConverter *back = in ? open_converter(to, strict) : NULL;
    int got = back ? convert(back, in, bytes, out) : ERR_UNSUPPORTED;
    ucnv_close(back);
    ucnv_close(in);
    if (got < 0)
        out->len = before;
    return got;
}

/* What everyone means by the older names when they send it. */
static const char *wider(const char *name)
{
    static const char *const gb[] = {
        "gb2312", "gbk",     "x-gbk",       "cp936", "gb_2312-80",
        "euc-cn", "gb-2312", "windows-936", "ms936", NULL};
    return is_any(name, gb) ? "gb18030" : name;
}

int text_convert(struct slice from, struct slice to, struct slice bytes,
                 bool strict, struct buf *out)
{
    char in[TEXT_CHARSET], back[TEXT_CHARSET];
    if (!name_of(from, in) || !name_of(to, back))
        return ERR_UNSUPPORTED;
    return convert_named(wider(in), back, bytes, strict, out);
}

int text_to_utf8(struct slice charset, struct slice bytes, struct buf *out)
{
    static const char *const latin[] = {"iso-8859-1", "latin1",    "us-ascii",
                                        "ascii",      "iso8859-1", NULL};
    char name[TEXT_CHARSET];
    bool named = name_of(charset, name);
    /* Whatever it says it is: UTF-8 is not taken for anything else by chance,
     * and people write "us-ascii" over it. */
    if (slice_is_utf8(bytes) &&
        (!named || is_any(name, latin) || strncmp(name, "utf-8", 5) == 0 ||
         strcmp(name, "utf8") == 0))
        return buf_add_slice(out, bytes);
    int got = ERR_UNSUPPORTED;
    if (named && !is_any(name, latin))
        got = convert_named(wider(name), "utf-8", bytes, false, out);
    else if (named && strcmp(name, "us-ascii") && strcmp(name, "ascii"))
        got = convert_named("windows-1252", "utf-8", bytes, false, out);
    if (got != ERR_UNSUPPORTED)
        return got;
    if (slice_is_utf8(bytes))
        return buf_add_slice(out, bytes);
    if (convert_named("gb18030", "utf-8", bytes, true, out) == 0)
        return 0;
    return convert_named("windows-1252", "utf-8", bytes, false, out);
}

double text_detect(struct slice bytes, char name[TEXT_CHARSET])
{
    UErrorCode e = U_ZERO_ERROR;
    double sure = 0;
    snprintf(name, TEXT_CHARSET, "utf-8");
    if (slice_is_utf8(bytes))
        return 1;
    UCharsetDetector *d = ucsdet_open(&e);
    must(U_SUCCESS(e));
    if (bytes.len > LOOK_BYTES)
        bytes.len = LOOK_BYTES;
    ucsdet_setText(d, bytes.at, (int32_t)bytes.len, &e);
    const UCharsetMatch *m = ucsdet_detect(d, &e);
    if (m && U_SUCCESS(e)) {
        snprintf(name, TEXT_CHARSET, "%s", ucsdet_getName(m, &e));
        sure = ucsdet_getConfidence(m, &e) / 100.0;
    }
    ucsdet_close(d);
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return sure;
}
