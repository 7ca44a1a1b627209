/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - check, verify, doctor: what is wrong, and how to mend it.
 *
 * Happy path: each finding is a line; exit 0 if none is bad. Nothing is
 * started, nothing changed.
 */
#include "app/command.h"
#include "app/testing/runner.h"
#include "base/clock.h"
#include "base/log.h"
#include "files/files.h"
#include "script/script.h"
#include "store/store.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define REPORT_MAX (1024 * 1024)
#define FILES_WANTED 20000
#define DISK_WANTED (1024LL * 1024 * 1024)

static const char check_usage[] =
    "usage: yuelai check [FILE] [--home DIR] [--config FILE]\n"
    "\n"
    "Compiles one script, or all below HOME, and reads the settings, as a\n"
    "start would. Nothing is started. Exit code 1 if something is broken.\n";
static const char verify_usage[] =
    "usage: yuelai verify [--data DIR]\n"
    "\n"
    "Checks a stopped server's database: the hash chain, the numbering of\n"
    "messages, what is derived from them, and SQLite's own integrity.\n";
static const char doctor_usage[] =
    "usage: yuelai doctor [--config] [--data DIR] [--home DIR]\n"
    "\n"
    "Looks at the system, the data, the scripts and the settings; says of "
    "each\n"
    "finding how to mend it. --config alone lists every setting with its "
    "value,\n"
    "where it comes from, and what it is for (give a file by YUELAI_CONFIG).\n";

static void print(const struct buf *out)
{
    printf("%.*s", (int)out->len, out->len ? out->data : "");
}

/* --- check --- */

/* The house a file lies in, unless a folder was named; the file's path in it. */
static const char *file_of(const struct flags *f, struct config *conf)
{
    const char *file = f->rest_count ? f->rest[0] : NULL;
    char home[sizeof conf->home];
    if (!file || f->given.home[0]) {
        return file;
    }
    home_of(file, conf->home, home, sizeof home);
    size_t n = strlen(home);
    if (strncmp(file, home, n) == 0 && file[n] == '/') {
        memcpy(conf->home, home, n + 1);
        file += n + 1;
    }
    return file;
}

int check_main(int argc, char **argv)
{
    struct flags f = {.rest_max = 1};
    struct config conf;
    struct buf out;
    int r = flags_read(&f, "config home data", check_usage, argc, argv);
    if (r) {
        return r - 1;
    }
    log_setup(LOG_WARN, LOG_TEXT);
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    buf_init(&out, REPORT_MAX);
    const char *file = file_of(&f, &conf);
    r = script_check(conf.home, file, &out);
    print(&out);
    buf_fini(&out);
    puts(r ? "something is broken" : "all is well");
    return r ? 1 : 0;
}

/* --- verify --- */

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
    (void)arg;
    if (total) {
        fprintf(stderr, "\r%3d %%  %llu of %llu", (int)(done * 100 / total),
                (unsigned long long)done, (unsigned long long)total);
    }
}

/* Each file once: is it there, is it what its hash says? */
struct file_look {
    const char *dir;
    struct buf *out;
    uint64_t count, bad;
};

static int look_at_file(void *arg, const struct file *f)
{
    struct file_look *l = arg;
    char id[ID_TEXT];
    int r = files_check(l->dir, f->hash, f->size, f->has_thumb);
    l->count++;
    if (r) {
        l->bad++;
        buf_addf(l->out, "file %.*s: %s\n",
                 SLICE_FMT(id_text(id, ID_FILE, f->id)),
                 r == ERR_NOT_FOUND ? "its bytes are not there"
                                    : "its bytes are not what they were");
    }
    return 0;
}

static int verify_files(const char *data, struct buf *out, struct err *e)
{
    char dir[CONFIG_TEXT + 8];
    struct file_look l = {.dir = dir, .out = out};
    snprintf(dir, sizeof dir, "%s/files", data);
    int r = store_files(data, look_at_file, &l, e);
    if (r == 0 && l.bad) {
        r = err_set(e, ERR_UNPROCESSABLE, "%llu of %llu files are damaged",
                    (unsigned long long)l.bad, (unsigned long long)l.count);
    }
    return r;
}

int verify_main(int argc, char **argv)
{
    struct flags f = {.rest_max = 0};
    struct config conf;
    struct stat st;
    struct buf out;
    struct err e = {0};
    int r = flags_read(&f, "data config home", verify_usage, argc, argv);
    if (r) {
        return r - 1;
    }
    log_setup(LOG_WARN, LOG_TEXT);
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    if (stat(conf.data, &st)) {
        fprintf(stderr, "yuelai: there is no data in %s\n", conf.data);
        return 1;
    }
    bool shows = isatty(STDERR_FILENO);
    buf_init(&out, REPORT_MAX);
    r = store_verify(conf.data, &out, shows ? on_progress : NULL, NULL, &e);
    r = r ? r : verify_files(conf.data, &out, &e);
    if (shows) {
        fputs("\r\033[K", stderr);
    }
    print(&out);
    buf_fini(&out);
    if (r) {
        fprintf(stderr, "yuelai: %s\n", e.text[0] ? e.text : "not verified");
        return 1;
    }
    puts("verified: all is well");
    return 0;
}

/* --- doctor --- */

static int bad;

static void well(const char *what)
{
    printf("ok    %s\n", what);
}

static void note(const char *what, const char *mend)
{
    printf("note  %s\n      %s\n", what, mend);
}

static void ill(const char *what, const char *mend)
{
    printf("BAD   %s\n      %s\n", what, mend);
    bad++;
}

static int list_settings(const struct config *c)
{
    struct buf value;
    buf_init(&value, CONFIG_TEXT);
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        char env[SETTING_ENV];
        buf_clear(&value);
        setting_show(s, c, &value);
        printf("%-24s %-22.*s %-12s %s: %s%s\n", s->name,
               SLICE_FMT(buf_slice(&value)),
               setting_origin_name((enum setting_origin)c->origin[i]),
               setting_env(s, env), s->help,
               s->flags & SETTING_RELOADS ? "" : " (at a start)");
    }
    buf_fini(&value);
    return 0;
}

static void look_at_system(void)
{
    char text[160], libc[64] = "libc";
    struct rlimit files;
    (void)confstr(_CS_GNU_LIBC_VERSION, libc, sizeof libc);
    snprintf(text, sizeof text, "yuelai %s, %s", YUELAI_VERSION, libc);
    well(text);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        snprintf(text, sizeof text, "%llu files may be open at once",
                 (unsigned long long)files.rlim_max);
        if (files.rlim_max < FILES_WANTED) {
            note(text, "each client is a file: ulimit -Hn 65536, or "
                       "LimitNOFILE=65536 in the service's unit");
        } else {
            well(text);
        }
    }
}

/* What the program is linked with, as the loader found it. */
static void look_at_libraries(void)
{
    char line[512];
    FILE *f = fopen("/proc/self/maps", "re");
    static const char *const wanted[] = {
        "libsqlite3",    "libuv",         "libluajit", "libcurl",
        "libssl",        "libwslay",      "libargon2", "libyajl",
        "libprotobuf-c", "libhttp_parser"};
    unsigned seen = 0;
    while (f && fgets(line, sizeof line, f)) {
        const char *name = strrchr(line, '/');
        for (unsigned i = 0; name && i < sizeof wanted / sizeof wanted[0];
             i++) {
            if (!(seen & 1u << i) &&
                strncmp(name + 1, wanted[i], strlen(wanted[i])) == 0) {
                seen |= 1u << i;
                printf("ok    library %s", name + 1);
            }
        }
    }
    if (f) {
        fclose(f);
    }
}

static void look_at_disk(const struct config *c)
{
    struct statvfs v;
    char text[CONFIG_TEXT + 80];
    const char *at = access(c->data, F_OK) == 0 ? c->data : ".";
    if (statvfs(at, &v)) {
        snprintf(text, sizeof text, "the disk of %s cannot be asked: %s", at,
                 strerror(errno));
        note(text, "look whether the folder is mounted");
        return;
    }
    long long bytes = (long long)v.f_bavail * (long long)v.f_frsize;
    snprintf(text, sizeof text, "%lld MB free for %s", bytes >> 20, c->data);
    if (bytes < DISK_WANTED) {
        ill(text, "a full disk stops every message: make room");
    } else {
        well(text);
    }
}

static void look_at_data(const struct config *c)
{
    struct store *store = NULL;
    struct err e = {0};
    const struct store_conf sc = {.dir = c->data, .offline = true};
    char text[CONFIG_TEXT + 280];
    if (access(c->data, F_OK)) {
        snprintf(text, sizeof text, "there is no data in %s yet", c->data);
        note(text, "the first start makes it");
        return;
    }
    int r = store_open(&sc, &e, &store);
    if (r == 0) {
        snprintf(text, sizeof text, "the database in %s opens, %llu events",
                 c->data, (unsigned long long)store_pos(store));
        well(text);
        store_close(store);
    } else if (r == ERR_CONFLICT) {
        snprintf(text, sizeof text, "a server runs on %s", c->data);
        well(text);
    } else {
        snprintf(text, sizeof text, "the database in %s does not open: %s",
                 c->data, e.text);
        ill(text, "yuelai verify says more; restore a backup if it is lost");
    }
}

static void look_at_home(const struct config *c)
{
    char path[CONFIG_TEXT + 32], text[CONFIG_TEXT + 64];
    struct buf out;
    snprintf(path, sizeof path, "%s/scripts", c->home);
    if (access(path, F_OK)) {
        snprintf(text, sizeof text, "there is no %s", path);
        note(text, "no rules will run: give --home");
    } else {
        buf_init(&out, REPORT_MAX);
        int r = script_check(c->home, NULL, &out);
        if (r) {
            print(&out);
            ill("a script is broken",
                "see above; its last good version serves");
        } else {
            well("the scripts compile");
        }
        buf_fini(&out);
    }
    snprintf(path, sizeof path, "%s/web/dist", c->home);
    if (access(path, F_OK)) {
        snprintf(text, sizeof text, "there is no %s", path);
        ill(text, "the console cannot be shown: make web");
    } else {
        well("the web pages are built");
    }
}

static void look_at_settings(const struct config *c)
{
    char text[CONFIG_TEXT + 64];
    size_t given = 0;
    for (size_t i = 0; i < settings_count; i++) {
        given += c->origin[i] != ORIGIN_DEFAULT;
    }
    snprintf(text, sizeof text,
             "the settings are read, %zu differ from the "
             "defaults (file: %s)",
             given, c->config);
    well(text);
    if (strncmp(c->listen, "127.", 4) != 0 && !c->public_url[0]) {
        note("the server listens for others, public_url is not set",
             "set YUELAI_PUBLIC_URL to the https address people use");
    }
}

int doctor_main(int argc, char **argv)
{
    struct flags f = {.rest_max = 0, .switches = "config"};
    struct config conf;
    int r = flags_read(&f, "data home listen", doctor_usage, argc, argv);
    if (r) {
        return r - 1;
    }
    log_setup(LOG_ERROR, LOG_TEXT);
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    if (f.found) {
        return list_settings(&conf);
    }
    look_at_system();
    look_at_libraries();
    look_at_disk(&conf);
    look_at_data(&conf);
    look_at_home(&conf);
    look_at_settings(&conf);
    printf("%s\n", bad ? "some things need mending" : "all is well");
    return bad ? 1 : 0;
}
