/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - what a name claims, what the content is, and who wins.
 *
 * Happy path: both agree, or the name is finer than the content can say (a
 * .csv is text, a .docx is a zip): then the name's type. Failure: something
 * else than a picture that is named as one, an executable under any other
 * name, a type the house does not want: ERR_UNSUPPORTED.
 */
#include "files/inside.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

static const struct {
    const char *ending, *type;
} endings[] = {
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"png", "image/png"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"bmp", "image/bmp"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"avif", "image/avif"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"svg", "image/svg+xml"},
    {"mp3", "audio/mpeg"},
    {"m4a", "audio/mp4"},
    {"aac", "audio/aac"},
    {"amr", "audio/AMR"},
    {"silk", "audio/silk"},
    {"ogg", "audio/ogg"},
    {"oga", "audio/ogg"},
    {"opus", "audio/ogg"},
    {"wav", "audio/x-wav"},
    {"mp4", "video/mp4"},
    {"m4v", "video/mp4"},
    {"mov", "video/quicktime"},
    {"webm", "video/webm"},
    {"pdf", "application/pdf"},
    {"txt", "text/plain"},
    {"log", "text/plain"},
    {"md", "text/markdown"},
    {"csv", "text/csv"},
    {"json", "application/json"},
    {"html", "text/html"},
    {"htm", "text/html"},
    {"xml", "text/xml"},
    {"zip", "application/zip"},
    {"doc", "application/msword"},
    {"xls", "application/vnd.ms-excel"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"docx", "application/"
             "vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xlsx",
     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"pptx", "application/"
             "vnd.openxmlformats-officedocument.presentationml.presentation"},
};

static const char *type_of_name(struct slice name)
{
    const char *dot = name.len ? memrchr(name.at, '.', name.len) : NULL;
    if (!dot)
        return "";
    struct slice end = {dot + 1, (size_t)(name.at + name.len - dot - 1)};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (slice_is_nocase(end, endings[i].ending))
            return endings[i].type;
    return "";
}

/* "image/png" of "Image/PNG; q=1"; "" if it is no type. */
static void plain_type(struct slice claimed, char out[FILES_MIME])
{
    size_t n = 0;
    bool slash = false;
    for (size_t i = 0; i < claimed.len && n + 1 < FILES_MIME; i++) {
        unsigned char c = (unsigned char)claimed.at[i];
        if (c == ';' || c == ' ')
            break;
        if (!isalnum(c) && !strchr("/.+-_", c)) {
            n = 0;
            break;
        }
        slash |= c == '/';
        out[n++] = (char)tolower(c);
    }
    out[slash ? n : 0] = '\0';
}

static bool family(const char *type, const char *of)
{
    size_t n = strlen(of);
    return strncmp(type, of, n) == 0 && type[n] == '/';
}

bool policy_is_executable(const char *type)
{
    static const char *const types[] = {
        "application/x-dosexec",
        "application/vnd.microsoft.portable-executable",
        "application/x-msdownload",
        "application/x-executable",
        "application/x-pie-executable",
        "application/x-sharedlib",
        "application/x-object",
        "application/x-coredump",
        "application/x-mach-binary",
        "application/x-ms-shortcut",
        "application/x-msi",
        "application/x-ms-installer",
        "application/java-archive",
        "application/x-java-applet",
        "application/vnd.android.package-archive",
        "application/x-wasm",
        "application/hta",
        "text/x-shellscript",
        "text/x-msdos-batch",
        "text/vbscript"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(type, types[i]) == 0)
            return true;
    return false;
}

/* --- the house's list ----------------------------------------------------- */

static bool word_fits(struct slice w, const char *type)
{
    size_t n = strlen(type);
    if (slice_is(w, "*"))
        return true;
    if (slice_is(w, "executable"))
        return policy_is_executable(type);
    if (w.len > 2 && memcmp(w.at + w.len - 2, "/*", 2) == 0)
        return n >= w.len - 1 && strncasecmp(type, w.at, w.len - 1) == 0;
    return n == w.len && strncasecmp(type, w.at, n) == 0;
}

static struct slice next_word(struct slice *rest)
{
    while (rest->len && (*rest->at == ' ' || *rest->at == ',')) {
        rest->at++;
        rest->len--;
    }
    struct slice w = {rest->at, 0};
    while (rest->len && *rest->at != ' ' && *rest->at != ',') {
        rest->at++;
        rest->len--;
        w.len++;
    }
    return w;
}

/* good: of a type that no word fits. */
static bool allows(struct slice policy, const char *type, bool good)
{
    for (struct slice w; (w = next_word(&policy)).len;) {
        bool no = w.at[0] == '!';
        if (word_fits((struct slice){w.at + no, w.len - no}, type))
            good = !no;
    }
    return good;
}

bool files_allows(struct slice policy, const char *type)
{
    return allows(policy.len ? policy : SLICE("* !executable"), type, false);
}

/* What narrows may also only say what it does not want: "!video/mp4". */
static bool narrows(struct slice policy, const char *type)
{
    struct slice rest = policy, first = next_word(&rest);
    return first.len && !allows(policy, type, first.at[0] == '!');
}

bool files_policy_is_good(struct slice policy)
{
    struct slice rest = policy;
    for (struct slice w; (w = next_word(&rest)).len;) {
        struct slice of = {w.at + (w.at[0] == '!'), w.len - (w.at[0] == '!')};
        if (!slice_is(of, "*") && !slice_is(of, "executable") &&
            (of.len < 3 || !memchr(of.at, '/', of.len)))
            return false;
    }
    return true;
}

int files_too_long(struct err *e, const char *field, int64_t most)
{
    static const int64_t mb = 1024 * 1024;
    if (most <= 0)
        return err_field(e, ERR_FORBIDDEN, field, "no files are taken here");
    if (most % mb == 0)
        return err_field(e, ERR_TOOBIG, field,
                         "the file is longer than %lld MB",
                         (long long)(most / mb));
    return err_field(e, ERR_TOOBIG, field, "the file is longer than %lld bytes",
                     (long long)most);
}

bool files_is_inert(struct slice type)
{
    static const char *const types[] = {
        "image/jpeg",  "image/png",  "image/gif",       "image/webp",
        "image/bmp",   "image/avif", "image/heic",      "video/mp4",
        "video/webm",  "video/ogg",  "video/quicktime", "audio/mpeg",
        "audio/mp4",   "audio/ogg",  "audio/webm",      "audio/aac",
        "audio/x-wav", "audio/AMR",  "audio/x-m4a"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (slice_is_nocase(type, types[i]))
            return true;
    return false;
}

/* --- the judgement -------------------------------------------------------- */

/* The content can say less than the name: what may such content be? */
static bool may_be(const char *sniffed, const char *claimed)
{
    bool text = family(sniffed, "text") ||
                strcmp(sniffed, "application/json") == 0 ||
                strcmp(sniffed, "application/x-ndjson") == 0;
    bool pack = strcmp(sniffed, "application/zip") == 0 ||
                strcmp(sniffed, "application/octet-stream") == 0 ||
                strcmp(sniffed, "application/CDFV2") == 0 ||
                strcmp(sniffed, "application/x-ole-storage") == 0;
    bool sound = family(sniffed, "video") || family(sniffed, "audio") ||
                 strcmp(sniffed, "application/ogg") == 0;
    if (family(claimed, "audio"))
        return sound;
    if (family(claimed, "video"))
        return family(sniffed, "video") ||
               strcmp(sniffed, "application/ogg") == 0;
    if (family(claimed, "image"))
        return false;
    if (family(claimed, "text") || strcmp(claimed, "application/json") == 0)
        return text;
    return pack && (strstr(claimed, "officedocument") ||
                    strstr(claimed, "ms-") || strstr(claimed, "msword"));
}

static bool pretends(const char *claimed, const char *sniffed)
{
    static const char *const families[] = {"image", "audio", "video"};
    if (strcmp(sniffed, "image/svg+xml") == 0) /* it can run scripts */
        return *claimed && strcmp(claimed, sniffed) != 0 &&
               !family(claimed, "text");
    if (policy_is_executable(sniffed))
        return *claimed && !policy_is_executable(claimed);
    for (int i = 0; i < 3; i++) {
        if (!family(claimed, families[i]) || family(sniffed, families[i]))
            continue;
        /* A recording that nothing knows is kept, as bytes. */
        bool bytes = strcmp(sniffed, "application/octet-stream") == 0;
        return i == 0 || !(bytes || may_be(sniffed, claimed));
    }
    return false;
}

int policy_judge(struct filed *d, const char *sniffed)
{
    char said[FILES_MIME], *out = d->type;
    const char *named = type_of_name(d->name);
    plain_type(d->mime, said);
    if (strcmp(said, "application/octet-stream") == 0)
        said[0] = '\0';
    const char *of = strstr(sniffed, "wav") ? "audio/x-wav" : sniffed;
    for (int i = 0; i < 2; i++) {
        const char *claim = i ? said : named;
        if (pretends(claim, sniffed))
            return err_field(&d->err, ERR_UNSUPPORTED, "file",
                             "this file says it is %s, but it is %s", claim,
                             sniffed);
    }
    /* What a recorder says of its own stream is finer than its container. */
    const char *better = *said && may_be(sniffed, said)     ? said
                         : *named && may_be(sniffed, named) ? named
                                                            : of;
    if (family(of, "text") && strcmp(of, "text/plain") != 0 &&
        strcmp(of, "text/csv") != 0)
        better = of; /* HTML stays HTML, whatever it is called */
    snprintf(out, FILES_MIME, "%s", better);
    if (!files_allows(d->allow, out) || !files_allows(d->allow, sniffed))
        return err_field(&d->err, ERR_UNSUPPORTED, "file",
                         "files of the type %s are not taken here", out);
    if (narrows(d->allow_also, out))
        return err_field(&d->err, ERR_UNSUPPORTED, "file",
                         "files of the type %s are not taken on this channel; "
                         "taken are: %.*s",
                         out, SLICE_FMT(d->allow_also));
    return 0;
}
