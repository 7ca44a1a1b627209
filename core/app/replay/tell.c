/* SPDX-License-Identifier: Apache-2.0 */
/* tell.c - what a replay has found, for people and for machines.
 *
 * Happy path: the differences by group, some examples each, then what was not
 * replayed and why. Failure: an answer too large for a buffer is told.
 */
#include "app/replay/replay.h"
#include "base/clock.h"
#include <stdio.h>

#define JSON_MAX (16 * 1024 * 1024)
#define PROGRESS_EVERY 64

void tell_progress(const struct replay *r)
{
    if (r->shows && r->messages % PROGRESS_EVERY == 0) {
        fprintf(stderr, "\r%u messages, %u replayed", r->messages, r->compared);
    }
}

void tell_end(const struct replay *r)
{
    if (r->shows) {
        fputs("\r\033[K", stderr);
    }
}

/* --- for people ----------------------------------------------------------- */

static void print_line(const char *head, struct slice s)
{
    printf("      %-8s", head);
    for (size_t i = 0; i < s.len; i++) {
        putchar((unsigned char)s.at[i] < ' ' ? ' ' : s.at[i]);
    }
    puts(s.len ? "" : "-");
}

static void print_group(const struct replay *r, enum group g)
{
    static const char *const titles[] = {
        [GROUP_ROUTED] = "routed otherwise",
        [GROUP_ANSWERED] = "answered otherwise",
        [GROUP_TAGGED] = "tagged otherwise",
        [GROUP_KEPT] = "timers, values or flows otherwise",
        [GROUP_DECIDED] = "decided by another rule, with the same result",
        [GROUP_FAILED] = "failed, and did not then"};
    const struct sum *sum = &r->groups[g];
    char id[ID_TEXT];
    if (!sum->count) {
        return;
    }
    printf("%s: %u of %u\n", titles[g], sum->count, r->compared);
    for (const struct example *x = sum->first; x; x = x->next) {
        printf("  %s  \"%.*s\"\n", id_text(id, ID_MESSAGE, x->pos).at,
               SLICE_FMT(x->text));
        print_line("before", x->before);
        print_line("after", x->after);
    }
    if (sum->count > sum->kept) {
        printf("  and %u more\n", sum->count - sum->kept);
    }
}

static void print_left(uint32_t n, const char *what)
{
    if (n) {
        printf("  %-6u %s\n", n, what);
    }
}

static void print_sum(const struct replay *r)
{
    uint32_t refused = shadow_refused(r->shadow);
    printf("%u of %u messages replayed, %u as before\n", r->compared,
           r->messages, r->same);
    if (r->untraced + r->edited + r->cut + r->flows + r->timers + r->others) {
        puts("not replayed:");
    }
    print_left(r->untraced, "messages from before the first trace");
    print_left(r->edited, "messages that on_inbound had changed");
    print_left(r->cut, "messages whose trace was too long to be whole");
    print_left(r->flows, "runs of flows");
    print_left(r->timers, "timers");
    print_left(r->others, "runs of other hooks");
    if (refused) {
        printf("%u calls to other servers were answered \"unavailable\" "
               "(--fixtures DIR has recorded answers)\n",
               refused);
    }
    puts("nothing was sent, nothing was written");
}

/* One message: all that was wanted, then and now. */
static void print_one(const struct replay *r)
{
    char id[ID_TEXT];
    printf("%s%s\n", id_text(id, ID_MESSAGE, r->only).at,
           r->same ? ": as before" : "");
    for (enum group g = 0; g < GROUP_COUNT; g++) {
        if (!r->before.of[g].len && !r->after.of[g].len) {
            continue;
        }
        printf("  %s%s\n", group_names[g],
               slice_eq(r->before.of[g], r->after.of[g]) ? "" : "  *");
        print_line("before", r->before.of[g]);
        print_line("after", r->after.of[g]);
    }
}

/* --- for machines --------------------------------------------------------- */

static void write_group(struct jsonw *w, const struct sum *sum)
{
    char id[ID_TEXT];
    jsonw_open(w, '{');
    jsonw_put_int(w, "count", sum->count);
    jsonw_key(w, "examples");
    jsonw_open(w, '[');
    for (const struct example *x = sum->first; x; x = x->next) {
        jsonw_open(w, '{');
        jsonw_put_text(w, "message", id_text(id, ID_MESSAGE, x->pos));
        jsonw_put_text(w, "text", x->text);
        jsonw_put_text(w, "before", x->before);
        jsonw_put_text(w, "after", x->after);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_close(w, '}');
}

static void write_one(struct jsonw *w, const char *key, const struct wishes *x)
{
    jsonw_key(w, key);
    jsonw_open(w, '{');
    for (enum group g = 0; g < GROUP_COUNT; g++) {
        jsonw_put_text(w, group_names[g], x->of[g].len ? x->of[g] : SLICE(""));
    }
    jsonw_close(w, '}');
}

static void write_skipped(struct jsonw *w, const struct replay *r)
{
    jsonw_key(w, "not_replayed");
    jsonw_open(w, '{');
    jsonw_put_int(w, "untraced", r->untraced);
    jsonw_put_int(w, "edited", r->edited);
    jsonw_put_int(w, "cut", r->cut);
    jsonw_put_int(w, "flows", r->flows);
    jsonw_put_int(w, "timers", r->timers);
    jsonw_put_int(w, "other_hooks", r->others);
    jsonw_close(w, '}');
}

static void write_all(struct jsonw *w, const struct replay *r)
{
    jsonw_open(w, '{');
    jsonw_put_int(w, "since_at", r->since);
    jsonw_put_int(w, "messages", r->messages);
    jsonw_put_int(w, "replayed", r->compared);
    jsonw_put_int(w, "same", r->same);
    jsonw_key(w, "differences");
    jsonw_open(w, '{');
    for (enum group g = 0; g < GROUP_COUNT; g++) {
        jsonw_key(w, group_names[g]);
        write_group(w, &r->groups[g]);
    }
    jsonw_close(w, '}');
    if (r->only) {
        write_one(w, "before", &r->before);
        write_one(w, "after", &r->after);
    }
    jsonw_key(w, "troubles");
    jsonw_open(w, '[');
    for (size_t i = 0; i < r->trouble_count; i++) {
        jsonw_text(w, r->troubles[i]);
    }
    jsonw_close(w, ']');
    jsonw_put_int(w, "calls_refused", shadow_refused(r->shadow));
    write_skipped(w, r);
    jsonw_close(w, '}');
}

static int print_json(const struct replay *r)
{
    struct buf out;
    buf_init(&out, JSON_MAX);
    struct jsonw w = jsonw_on(&out);
    write_all(&w, r);
    if (w.failed) {
        fputs("yuelai: the answer is too large\n", stderr);
    } else {
        printf("%.*s\n", (int)out.len, out.data);
    }
    buf_fini(&out);
    return w.failed;
}

int tell_all(const struct replay *r)
{
    if (r->json) {
        return print_json(r);
    }
    if (r->only && r->compared) {
        print_one(r);
    } else {
        for (enum group g = 0; g < GROUP_COUNT; g++) {
            print_group(r, g);
        }
    }
    for (size_t i = 0; i < r->trouble_count; i++) {
        printf("trouble: %.*s\n", SLICE_FMT(r->troubles[i]));
    }
    print_sum(r);
    return 0;
}
