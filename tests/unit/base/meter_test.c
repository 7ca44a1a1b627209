/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/limits.h"
#include "base/meter.h"
#include "test.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

METER(frames, METER_COUNTER, "yuelai_test_frames_total", "Frames.");
METER(open_now, METER_GAUGE, "yuelai_test_open", "Open sockets.");
METER(sizes, METER_HISTOGRAM, "yuelai_test_size", "Sizes.");
METER_US(waits, "yuelai_test_wait_seconds", "Waits.");

static char *written(void)
{
    struct buf b;
    buf_init(&b, 16 << 20);
    CHECK_EQ_INT(meter_write(&b), 0);
    char *text = malloc(b.len + 1);
    memcpy(text, b.data, b.len);
    text[b.len] = '\0';
    buf_fini(&b);
    return text;
}

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *p = text; (p = strstr(p, line)) != NULL; p++)
        if ((p == text || p[-1] == '\n') && p[n] == '\n')
            return true;
    test_note("missing: %s", line);
    return false;
}

TEST("counters and gauges are written with help, type and value")
{
    meter_add(&frames, 3);
    meter_add(&frames, 4);
    meter_set(&open_now, 9);
    meter_add(&open_now, -2);
    CHECK_EQ_INT(meter_value(&frames), 7);
    char *text = written();
    CHECK(has_line(text, "# HELP yuelai_test_frames_total Frames."));
    CHECK(has_line(text, "# TYPE yuelai_test_frames_total counter"));
    CHECK(has_line(text, "yuelai_test_frames_total 7"));
    CHECK(has_line(text, "# TYPE yuelai_test_open gauge"));
    CHECK(has_line(text, "yuelai_test_open 7"));
    free(text);
}

TEST("a histogram counts each value in the bucket whose edge holds it")
{
    static const int64_t values[] = {-5, 0, 1,      2,      3,
                                     4,  5, 524288, 524289, 1000000000};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        meter_note(&sizes, values[i]);
    char *text = written();
    CHECK(has_line(text, "yuelai_test_size_bucket{le=\"1\"} 3"));
    CHECK(has_line(text, "yuelai_test_size_bucket{le=\"2\"} 4"));
    CHECK(has_line(text, "yuelai_test_size_bucket{le=\"4\"} 6"));
    CHECK(has_line(text, "yuelai_test_size_bucket{le=\"8\"} 7"));
    CHECK(has_line(text, "yuelai_test_size_bucket{le=\"524288\"} 8"));
    CHECK(has_line(text, "yuelai_test_size_bucket{le=\"+Inf\"} 10"));
    CHECK(has_line(text, "yuelai_test_size_count 10"));
    CHECK(has_line(text, "yuelai_test_size_sum 1001048592"));
    free(text);
}

TEST("what a thread has gathered is told in one go")
{
    METER(gathered, METER_HISTOGRAM, "yuelai_test_gathered", "Gathered.");
    struct tally t = {0};
    tally_tell(&t, &gathered); /* nothing */
    tally_note(&t, -1);
    tally_note(&t, 3);
    tally_note(&t, 1000000000);
    meter_note(&gathered, 2);
    CHECK_EQ_INT(meter_value(&gathered), 2);
    for (int i = 0; i < 2; i++) { /* once only */
        tally_tell(&t, &gathered);
        CHECK_EQ_INT(meter_value(&gathered), 1000000005);
    }
    char *text = written();
    CHECK(has_line(text, "yuelai_test_gathered_bucket{le=\"1\"} 1"));
    CHECK(has_line(text, "yuelai_test_gathered_bucket{le=\"2\"} 2"));
    CHECK(has_line(text, "yuelai_test_gathered_bucket{le=\"4\"} 3"));
    CHECK(has_line(text, "yuelai_test_gathered_count 4"));
    free(text);
}

TEST("microseconds go out as seconds")
{
    meter_note(&waits, 3);
    meter_note(&waits, 1500000);
    char *text = written();
    CHECK(has_line(text, "yuelai_test_wait_seconds_bucket{le=\"4e-06\"} 1"));
    CHECK(has_line(text, "yuelai_test_wait_seconds_bucket{le=\"0.524288\"} 1"));
    CHECK(has_line(text, "yuelai_test_wait_seconds_sum 1.500003"));
    free(text);
}

TEST("series of one family stand together under one head")
{
    struct meter *a = meter_labelled(METER_COUNTER, "yuelai_test_calls_total",
                                     "Calls.", 0, "{script=\"a\"}");
    struct meter *h =
        meter_labelled(METER_HISTOGRAM, "yuelai_test_call_seconds", "Call.",
                       1e-6, "{script=\"a\"}");
    struct meter *b = meter_labelled(METER_COUNTER, "yuelai_test_calls_total",
                                     "Calls.", 0, "{script=\"b\"}");
    CHECK(a != b);
    char labels[] = "{script=\"a\"}";
    CHECK(meter_labelled(METER_COUNTER, "yuelai_test_calls_total", "Calls.", 0,
                         labels) == a);
    meter_add(a, 1);
    meter_add(b, 2);
    meter_note(h, 2);
    char *text = written();
    CHECK(strstr(text, "# TYPE yuelai_test_calls_total counter\n"
                       "yuelai_test_calls_total{script=\"a\"} 1\n"
                       "yuelai_test_calls_total{script=\"b\"} 2\n") != NULL);
    CHECK(has_line(
        text, "yuelai_test_call_seconds_bucket{script=\"a\",le=\"2e-06\"} 1"));
    CHECK(has_line(text, "yuelai_test_call_seconds_count{script=\"a\"} 1"));
    char *first = strstr(text, "# HELP yuelai_test_calls_total");
    CHECK(first && !strstr(first + 1, "# HELP yuelai_test_calls_total"));
    free(text);
}

static void *count(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        struct meter *m =
            meter_labelled(METER_COUNTER, "yuelai_test_threads", "T.", 0,
                           i % 2 ? "{a=\"1\"}" : "{a=\"0\"}");
        meter_add(m, 1);
        meter_note(arg, i);
    }
    return NULL;
}

TEST("threads count together, nothing is lost")
{
    METER(fresh, METER_HISTOGRAM, "yuelai_test_fresh", "Fresh.");
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&t[i], NULL, count, &fresh) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    char *text = written();
    CHECK(has_line(text, "yuelai_test_threads{a=\"0\"} 20000"));
    CHECK(has_line(text, "yuelai_test_threads{a=\"1\"} 20000"));
    CHECK(has_line(text, "yuelai_test_fresh_count 40000"));
    free(text);
}

TEST("a text that does not fit is an error")
{
    struct buf b;
    buf_init(&b, 100);
    CHECK_EQ_INT(meter_write(&b), ERR_TOOBIG);
    buf_fini(&b);
}

TEST("labelled series have a maximum, what is beyond shares one")
{
    struct meter *last = NULL, *m = NULL;
    struct meter *early = meter_labelled(METER_COUNTER, "yuelai_test_many",
                                         "Many.", 0, "{n=\"0\"}");
    for (int i = 0; i < LIMIT_METER_SERIES + 10; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "{n=\"%d\"}", i);
        last = m;
        m = meter_labelled(METER_COUNTER, "yuelai_test_many", "Many.", 0,
                           labels);
        meter_add(m, 1);
    }
    CHECK(m == last);
    CHECK(strstr(m->labels, "overflow") != NULL);
    CHECK(meter_labelled(METER_COUNTER, "yuelai_test_many", "Many.", 0,
                         "{n=\"0\"}") == early);
}
