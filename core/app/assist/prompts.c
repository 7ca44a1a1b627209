/* SPDX-License-Identifier: Apache-2.0 */
/* prompts.c - the texts in ai/prompts, hot.
 *
 * Happy path: the folder is read by a thread and swapped in. Failure: a file
 * that is too long or no UTF-8 is logged and left out, the others serve; an
 * assistant whose prompt is not there is asked without one, and says so.
 */
#include "app/assist/prompts.h"
#include "app/assist/inside.h"
#include "base/crypto.h"
#include "base/log.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

struct prompts {
    struct arena *arena;
    size_t count;
    struct {
        struct slice name, text;
        char version[PROMPT_VERSION];
    } at[PROMPTS_MOST];
};

/* Without what stands in front between two lines ---: it is for people. */
static struct slice without_head(struct slice s)
{
    static const char mark[] = "\n---\n";
    if (!slice_starts(s, mark + 1))
        return s;
    const char *end = memmem(s.at + 3, s.len - 3, mark, sizeof mark - 1);
    if (!end)
        return s;
    end += sizeof mark - 1;
    return (struct slice){end, s.len - (size_t)(end - s.at)};
}

static void read_one(struct prompts *p, const char *folder, const char *file)
{
    char path[PATH_BYTES];
    struct stat st;
    size_t n = strlen(file);
    if (n < 4 || strcmp(file + n - 3, ".md") != 0 || file[0] == '.' ||
        p->count == PROMPTS_MOST ||
        snprintf(path, sizeof path, "%s/%s", folder, file) >=
            (int)sizeof path ||
        stat(path, &st) || !S_ISREG(st.st_mode)) {
        return;
    }
    FILE *f = st.st_size <= PROMPT_BYTES ? fopen(path, "re") : NULL;
    if (!f) {
        log_error("assist", "ai/prompts/%s is left out: %s", file,
                  st.st_size > PROMPT_BYTES ? "it is too long"
                                            : "it cannot be read");
        return;
    }
    size_t size = (size_t)st.st_size;
    char *text = arena_text(p->arena, size + 1);
    struct slice s = {text, fread(text, 1, size, f)};
    fclose(f);
    if (!slice_is_utf8(s)) {
        log_error("assist", "ai/prompts/%s is left out: it is no UTF-8", file);
        return;
    }
    unsigned char sum[SHA256_BYTES];
    sha256_of(s, sum);
    for (int i = 0; i < 6; i++) {
        snprintf(p->at[p->count].version + 2 * i, 3, "%02x", sum[i]);
    }
    p->at[p->count].name = slice_dup(p->arena, (struct slice){file, n - 3});
    p->at[p->count].text = slice_trim(without_head(s));
    p->count++;
}

struct prompts *prompts_read(const char *home)
{
    struct prompts *p = mem_alloc(sizeof *p);
    char folder[PATH_BYTES];
    p->arena = arena_new();
    snprintf(folder, sizeof folder, "%s/ai/prompts", home);
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        read_one(p, folder, e->d_name);
    }
    if (d) {
        closedir(d);
    }
    return p;
}

void prompts_free(struct prompts *p)
{
    if (p) {
        arena_free(p->arena);
        mem_free(p);
    }
}

const char *prompts_find(const struct prompts *p, struct slice name,
                         struct slice *text)
{
    for (size_t i = 0; p && i < p->count; i++) {
        if (slice_eq(p->at[i].name, name)) {
            *text = p->at[i].text;
            return p->at[i].version;
        }
    }
    return NULL;
}

/* --- again ---------------------------------------------------------------- */

struct rereading {
    struct mail mail;
    struct server *server;
    struct thread *thread;
    struct prompts *got;
    char home[CONFIG_TEXT];
};

static void on_read(struct mail *m)
{
    struct rereading *r = (struct rereading *)m;
    struct assist *as = r->server->assist;
    thread_join(r->thread);
    if (as) {
        prompts_free(as->prompts);
        as->prompts = r->got;
        as->reads_prompts = false;
        log_info("assist", "prompts read again: %zu", r->got->count);
        if (as->prompts_again) {
            static const char *const any[] = {"/ai/prompts/"};
            as->prompts_again = false;
            prompts_changed(r->server, any, 1);
        }
    } else {
        prompts_free(r->got);
    }
    mem_free(r);
}

static void run(void *arg)
{
    struct rereading *r = arg;
    r->got = prompts_read(r->home);
    loop_post(r->server->loop, &r->mail);
}

void prompts_changed(struct server *s, const char *const *paths, size_t n)
{
    struct assist *as = s->assist;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        any |= strstr(paths[i], "/ai/prompts") != NULL;
    }
    if (!any || !as || s->state != SERVER_SERVING) {
        return;
    }
    if (as->reads_prompts) {
        as->prompts_again = true;
        return;
    }
    struct rereading *r = mem_alloc(sizeof *r);
    r->server = s;
    r->mail.run = on_read;
    memcpy(r->home, s->conf.home, sizeof r->home);
    as->reads_prompts = true;
    if (thread_start("prompts", run, r, &r->thread)) {
        as->reads_prompts = false;
        mem_free(r);
    }
}
