/* SPDX-License-Identifier: Apache-2.0 */
/* reference.c - `yuelai api`: the script API as it is in this program.
 *
 * Happy path: text to the standard output, or files into a folder. Failure
 * modes: an unknown format or module, a folder that cannot be written to.
 */
#include "app/command.h"
#include "base/json.h"
#include "script/script.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define REFERENCE_MAX (4 * 1024 * 1024)

static const char usage[] =
    "usage: yuelai api [--format FORMAT] [--module NAME] [--out DIR]\n"
    "\n"
    "Prints the reference of the script API, made of the same tables as the\n"
    "calls themselves.\n"
    "\n"
    "  --format FORMAT  json (default), markdown, luals, luacheck\n"
    "  --module NAME    one module or type; markdown without it: the\n"
    "                   index; luals without it: what all share\n"
    "  --out DIR        writes everything below DIR, as it lies in the\n"
    "                   repository: docs/author/api/*.md,\n"
    "                   scripts/types/*.lua, .luacheckrc\n";

static int complain(const char *path)
{
    fprintf(stderr, "yuelai: %s: %s\n", path, strerror(errno));
    return 1;
}

static int make(const char *format, const char *module, struct buf *out)
{
    struct err e = {0};
    buf_clear(out);
    if (script_reference(format, module, out, &e) == 0) {
        return 0;
    }
    fprintf(stderr, "yuelai: %s\n", e.text);
    return 1;
}

static int write_file(const char *dir, const char *name, const struct buf *b)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return complain(dir);
    }
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST) {
            return complain(path);
        }
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    if (!f) {
        return complain(path);
    }
    size_t n = fwrite(b->data, 1, b->len, f);
    if (fclose(f) != 0 || n != b->len) {
        return complain(path);
    }
    return 0;
}

/* One page and one file for editors a module; the names are those in the JSON. */
static int write_pages(const char *dir, struct buf *b)
{
    struct arena *a = arena_new();
    struct json *all = NULL;
    int r = make("json", "", b);
    if (r == 0 && json_parse(a, buf_slice(b), NULL, &all) < 0) {
        r = 1;
    }
    for (struct json *m = all ? all->first : NULL; m && r == 0; m = m->next) {
        char path[300], name[100];
        snprintf(path, sizeof path, "docs/author/api/%.*s.md",
                 SLICE_FMT(json_text(m, "page")));
        snprintf(name, sizeof name, "%.*s", SLICE_FMT(json_text(m, "name")));
        r = make("markdown", name, b);
        r = r ? r : write_file(dir, path, b);
        snprintf(path, sizeof path, "scripts/types/%.*s.lua",
                 SLICE_FMT(json_text(m, "page")));
        r = r ? r : make("luals", name, b);
        r = r ? r : write_file(dir, path, b);
    }
    arena_free(a);
    return r;
}

static int write_all(const char *dir, struct buf *b)
{
    int r = make("markdown", "", b);
    r = r ? r : write_file(dir, "docs/author/api/README.md", b);
    r = r ? r : write_pages(dir, b);
    r = r ? r : make("luals", "", b);
    r = r ? r : write_file(dir, "scripts/types/yuelai.lua", b);
    r = r ? r : make("luacheck", "", b);
    return r ? r : write_file(dir, ".luacheckrc", b);
}

int api_main(int argc, char **argv)
{
    struct flags f = {.options = "format module out", .rest_max = 0};
    struct buf b;
    int r = flags_read(&f, "", usage, argc, argv);
    if (r) {
        return r - 1;
    }
    buf_init(&b, REFERENCE_MAX);
    if (f.value[2]) {
        r = write_all(f.value[2], &b);
    } else {
        r = make(f.value[0] ? f.value[0] : "json", f.value[1] ? f.value[1] : "",
                 &b);
        if (r == 0) {
            fwrite(b.data, 1, b.len, stdout);
        }
    }
    buf_fini(&b);
    return r;
}
