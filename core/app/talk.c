/* SPDX-License-Identifier: Apache-2.0 */
/* talk.c - `yuelai talk FILE...`: plays talks against the real program.
 *
 * Happy path: a file's lines are read, each is one of the sentences in
 * app/talk/steps_*.c; the server starts before the first one that needs it. A
 * sentence that does not come true ends its talk, with the place, what was
 * seen instead and the server's last words. At the end of a talk nobody may
 * have seen a message twice and the server must stop cleanly.
 */
#include "app/talk/talk.h"
#include "base/clock.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int talk_main(int argc, char **argv);

int64_t talk_now_ms(void)
{
    return clock_mono_us() / 1000;
}

int talk_fail(struct talk *t, const char *fmt, ...)
{
    va_list ap;
    if (t->why[0]) /* the first reason is the reason */
        return -1;
    va_start(ap, fmt);
    vsnprintf(t->why, sizeof(t->why), fmt, ap);
    va_end(ap);
    return -1;
}

struct slice talk_fmt(struct talk *t, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    must(n >= 0);
    struct slice s = slice_dup(t->arena, (struct slice){text, (size_t)n});
    free(text);
    return s;
}

static const struct step *find_step(struct talk *t, const struct line *l,
                                    struct slice args[TALK_ARGS])
{
    const struct step *const all[] = {steps_given, steps_web, steps_say,
                                      steps_see};
    for (size_t i = 0; i < 4; i++)
        for (const struct step *s = all[i]; s->pattern; s++)
            if (read_match(s->pattern, l, t->arena, args))
                return s;
    return NULL;
}

static int play_line(struct talk *t, const struct line *l)
{
    struct slice args[TALK_ARGS] = {{NULL, 0}};
    const struct step *s = find_step(t, l, args);
    t->line = l->number;
    t->waits = l->within_ms > 0;
    t->within_ms = t->waits ? l->within_ms : TALK_WAIT_MS;
    if (!s)
        return talk_fail(t, "no such sentence (yuelai talk --sentences)");
    if (!s->before && !t->port && house_start(t))
        return -1;
    return s->fn(t, args, s->variant);
}

static int play_all(struct talk *t, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (play_line(t, &lines[i]))
            return -1;
    for (struct actor *a = t->actors; a; a = a->next) {
        const struct seen *s = actor_twice(t, a);
        if (s)
            return talk_fail(t, "at the end: %s saw twice: %.*s", a->name,
                             (int)(s->raw.len < 400 ? s->raw.len : 400),
                             s->raw.at);
    }
    return t->pid ? house_stop(t) : 0;
}

static void print_failure(const struct talk *t, const struct line *lines,
                          size_t count)
{
    struct slice text = SLICE("");
    for (size_t i = 0; i < count; i++)
        if (lines[i].number == t->line)
            text = lines[i].text;
    printf("FAIL  %s:%d: %.*s\n      %s\n", t->file, t->line, SLICE_FMT(text),
           t->why);
    house_print_log(t);
}

static bool play(const char *file, const char *home, bool keep)
{
    struct talk t = {.file = file, .house = home, .arena = arena_new()};
    struct line *lines = NULL;
    size_t count = 0;
    int64_t from = talk_now_ms();
    t.epoch = clock_ms();
    int bad = read_lines(t.arena, file, &lines, &count, &t.line);
    if (bad == ERR_NOT_FOUND)
        talk_fail(&t, "cannot be read");
    else if (bad)
        talk_fail(&t, "a block <<< without its end >>>");
    if (!bad)
        bad = house_make(&t) || play_all(&t, lines, count);
    if (bad)
        print_failure(&t, lines, count);
    else
        printf("ok    %s (%lld ms)\n", file, (long long)(talk_now_ms() - from));
    fflush(stdout);
    for (struct actor *a = t.actors; a; a = a->next)
        actor_leave(a, true);
    talk_webs_close(&t);
    house_forget(&t, keep);
    arena_free(t.arena);
    return !bad;
}

static void print_sentences(void)
{
    const struct step *const all[] = {steps_given, steps_web, steps_say,
                                      steps_see};
    for (size_t i = 0; i < 4; i++, printf("\n"))
        for (const struct step *s = all[i]; s->pattern; s++)
            printf("  %s\n", s->pattern);
}

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
            "usage: yuelai talk [--home DIR] [--keep] FILE...\n"
            "       yuelai talk --sentences\n\n"
            "Plays each FILE against a server of its own. --home: where "
            "scripts channels\nai web are copied from (default: here). --keep: "
            "leaves the folders for a look.\n");
    return code;
}

int talk_main(int argc, char **argv)
{
    const char *home = ".";
    bool keep = false;
    int passed = 0, failed = 0, i = 1;
    signal(SIGPIPE, SIG_IGN);
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return usage(0);
        if (strcmp(argv[i], "--sentences") == 0) {
            print_sentences();
            return 0;
        }
        if (strcmp(argv[i], "--keep") == 0)
            keep = true;
        else if (strcmp(argv[i], "--home") == 0 && i + 1 < argc)
            home = argv[++i];
        else
            return usage(2);
    }
    if (i == argc)
        return usage(2);
    for (; i < argc; i++) {
        if (play(argv[i], home, keep))
            passed++;
        else
            failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
