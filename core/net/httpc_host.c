/* SPDX-License-Identifier: Apache-2.0 */
/* httpc_host.c - who may be called: hosts, their breakers, their meters.
 *
 * Happy path: a host is remembered from its first call on; its breaker hears
 * of every call that began. Failure modes: more hosts than HTTPC_HOSTS: those
 * that are idle and well are forgotten; more than HTTPC_SERIES: the later ones
 * are counted together.
 */
#include "net/httpc_inside.h"

#include <stdio.h>

/* --- meters --------------------------------------------------------------- */

static void open_meters(struct host_meters *m, bool alone)
{
    char labels[HOST_TEXT + 20];
    snprintf(labels, sizeof(labels), "{host=\"%s\"}", m->text);
    for (char *c = labels + 7; *c && c[1] && c[2]; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            *c = '_';
    if (alone)
        m->state = meter_labelled(
            METER_GAUGE, "yuelai_http_breaker",
            "Calls to a host: 0 flow, 1 are refused, 2 are tried.", 0, labels);
    m->calls = meter_labelled(METER_COUNTER, "yuelai_http_calls_total",
                              "Calls made to a host.", 0, labels);
    m->failures = meter_labelled(
        METER_COUNTER, "yuelai_http_failures_total",
        "Calls to a host that did not arrive, took too long or got a 5xx.", 0,
        labels);
    m->time = meter_labelled(METER_HISTOGRAM, "yuelai_http_seconds",
                             "Time of a call to a host.", 1e-6, labels);
}

static struct host_meters *meters_of(struct httpc *h, const char *text)
{
    struct host_meters *m = map_get_text(&h->metered, slice_of(text));
    if (m)
        return m;
    if (h->metered.count >= HTTPC_SERIES) {
        if (!h->others.calls) {
            snprintf(h->others.text, sizeof(h->others.text), "other");
            open_meters(&h->others, false);
        }
        return &h->others;
    }
    m = mem_alloc(sizeof(*m));
    snprintf(m->text, sizeof(m->text), "%s", text);
    m->key = slice_of(m->text);
    open_meters(m, true);
    map_put_text(&h->metered, m->key, m);
    return m;
}

/* --- hosts ---------------------------------------------------------------- */

static bool is_idle(const struct host *host)
{
    return !host->running && !host->placed && !host->waits &&
           host->breaker.state == BREAKER_CLOSED;
}

void host_forget(struct httpc *h, struct host *host)
{
    uint32_t calls;
    breaker_failures(&host->breaker, &calls);
    if (!is_idle(host) || calls || host->breaker.row)
        return;
    map_take_text(&h->hosts, host->key);
    mem_free(host);
}

static void forget_idle(struct httpc *h)
{
    struct host *host;
    for (size_t i = 0; (host = map_next(&h->hosts, &i)) != NULL;) {
        if (!is_idle(host))
            continue;
        map_take_text(&h->hosts, host->key);
        mem_free(host);
    }
}

struct host *host_get(struct httpc *h, const char *text)
{
    struct host *host = map_get_text(&h->hosts, slice_of(text));
    if (host)
        return host;
    if (h->hosts.count >= HTTPC_HOSTS)
        forget_idle(h);
    if (h->hosts.count >= 2 * HTTPC_HOSTS)
        return NULL;
    host = mem_alloc(sizeof(*host));
    snprintf(host->text, sizeof(host->text), "%s", text);
    host->key = slice_of(host->text);
    list_init(&host->link);
    list_init(&host->waiting);
    breaker_init(&host->breaker, NULL);
    host->meters = meters_of(h, text);
    map_put_text(&h->hosts, host->key, host);
    return host;
}

void hosts_free(struct httpc *h)
{
    struct host *host;
    struct host_meters *m;
    for (size_t i = 0; (host = map_next(&h->hosts, &i)) != NULL;) {
        if (host->breaker.state != BREAKER_CLOSED)
            meter_add(&net_httpc_open_breakers, -1);
        mem_free(host);
    }
    for (size_t i = 0; (m = map_next(&h->metered, &i)) != NULL;)
        mem_free(m);
    map_fini(&h->hosts);
    map_fini(&h->metered);
}

/* --- their breakers ------------------------------------------------------- */

static enum breaker_outcome outcome_of(const struct task *t, int code)
{
    if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || t->status >= 500)
        return BREAKER_FAILED;
    if (code == ERR_CANCELLED && !t->told_head)
        return BREAKER_NOTHING;
    return code == ERR_BAD_REQUEST ? BREAKER_NOTHING : BREAKER_WELL;
}

static void tell_change(struct httpc *h, const struct host *host,
                        enum breaker_state was)
{
    enum breaker_state is = host->breaker.state;
    if (is == BREAKER_OPEN)
        log_warn(
            "net", "calls to %s rest for %lld s", host->text,
            (long long)(breaker_wait(&host->breaker, net_now(h->net)) + 999) /
                1000);
    else if (is == BREAKER_CLOSED)
        log_info("net", "calls to %s go again", host->text);
    if ((was == BREAKER_CLOSED) != (is == BREAKER_CLOSED))
        meter_add(&net_httpc_open_breakers, is == BREAKER_CLOSED ? -1 : 1);
}

void host_note(struct httpc *h, struct host *host, const struct task *t,
               int code)
{
    struct host_meters *m = host->meters;
    enum breaker_state was = host->breaker.state;
    enum breaker_outcome o = outcome_of(t, code);
    if (breaker_note(&host->breaker, t->ticket, o, net_now(h->net)))
        tell_change(h, host, was);
    meter_add(m->calls, 1);
    if (o == BREAKER_FAILED)
        meter_add(m->failures, 1);
    meter_note(m->time, clock_mono_us() - t->began_us);
    if (m->state)
        meter_set(m->state, host->breaker.state);
}

uint32_t host_take(struct httpc *h, struct host *host)
{
    uint32_t ticket = breaker_take(&host->breaker, net_now(h->net));
    if (host->meters->state)
        meter_set(host->meters->state, host->breaker.state);
    return ticket;
}

/* "api.example.com": without the scheme and what goes without saying. */
static struct slice plain_name(const struct host *host)
{
    struct slice s = slice_of(strstr(host->text, "://") + 3);
    const char *port = slice_starts(host->key, "https") ? ":443" : ":80";
    size_t n = strlen(port);
    if (s.len > n && memcmp(s.at + s.len - n, port, n) == 0)
        s.len -= n;
    return s;
}

void host_say(const struct httpc *h, const struct host *host, char *out,
              size_t max)
{
    int64_t ms = breaker_wait(&host->breaker, loop_now(h->net->loop));
    struct slice name = plain_name(host);
    if (ms)
        snprintf(out, max,
                 "the breaker of %.*s is open: it failed too often and is "
                 "tried again in %lld s",
                 SLICE_FMT(name), (long long)(ms + 999) / 1000);
    else
        snprintf(out, max,
                 "the breaker of %.*s is open: it failed too often and one "
                 "call tries it now",
                 SLICE_FMT(name));
}
