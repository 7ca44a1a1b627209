/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - the router.
 *
 * Happy path: the path is compared with each route's pattern, segment by
 * segment (there are a few dozen); then caller, access, scopes, body,
 * Idempotency-Key, and the resource. Failure: an unknown path is 404, a known
 * one with another method 405 with Allow.
 */
#include "app/api/api.h"
#include "app/files/files.h"
#include "base/limits.h"
#include "base/log.h"
#include <stdio.h>

const struct route *const all_routes[] = {
    routes_messages, routes_files,   routes_conversations, routes_login,
    routes_me,       routes_agents,  routes_channels,      routes_contacts,
    routes_teams,    routes_tokens,  routes_scripts,       routes_flows,
    routes_deads,    routes_outbox,  routes_assistants,    routes_turns,
    routes_confirms, routes_console, routes_traces,        routes_audit,
    routes_changes,  routes_openapi, routes_articles,      NULL,
};

static bool path_is(const char *pattern, struct slice path,
                    struct slice args[CALL_ARGS])
{
    const char *p = path.at, *end = path.at + path.len;
    int n = 0;
    while (*pattern && p < end) {
        if (*pattern == '{') {
            const char *from = p;
            while (p < end && *p != '/') {
                p++;
            }
            must(n < CALL_ARGS);
            args[n++] = (struct slice){from, (size_t)(p - from)};
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *p++) {
            return false;
        }
    }
    return *pattern == 0 && p == end;
}

static const struct route *find_route(struct call *c, struct slice method,
                                      char *allow, size_t max)
{
    struct slice args[CALL_ARGS] = {{0}};
    allow[0] = 0;
    for (size_t i = 0; all_routes[i]; i++) {
        for (const struct route *r = all_routes[i]; r->method; r++) {
            if (!path_is(r->path, c->r->path, args)) {
                continue;
            }
            if (slice_is(method, r->method)) {
                memcpy(c->args, args, sizeof args);
                return r;
            }
            size_t len = strlen(allow);
            snprintf(allow + len, max - len, "%s%s", len ? ", " : "",
                     r->method);
        }
    }
    return NULL;
}

static void reply_no_route(struct call *c, const char *allow)
{
    char headers[160];
    if (!allow[0]) {
        reply_fail(c, ERR_NOT_FOUND, NULL, "there is nothing at this path");
        return;
    }
    snprintf(headers, sizeof headers, "Allow: %s\r\n", allow);
    c->headers = slice_dup(c->a, slice_of(headers));
    if (slice_is(c->r->method, "OPTIONS")) {
        reply_none(c);
        return;
    }
    struct http_req *r = c->r;
    http_reply(r, 405, SLICE("application/json"), c->headers,
               SLICE("{\"error\":{\"code\":\"bad_request\",\"message\":"
                     "\"this path does not know this method\"}}"));
}

static bool is_allowed(const struct call *c)
{
    static const enum agent_role least[] = {[ACCESS_PUBLIC] = AGENT_ROLE_AGENT,
                                            [ACCESS_VISITOR] = AGENT_ROLE_AGENT,
                                            [ACCESS_AGENT] = AGENT_ROLE_AGENT,
                                            [ACCESS_SUPERVISOR] =
                                                AGENT_ROLE_SUPERVISOR,
                                            [ACCESS_ADMIN] = AGENT_ROLE_ADMIN};
    return c->who.role >= least[c->route->access];
}

static void run(struct call *c)
{
    c->route->run(c);
}

static void checked(struct call *c)
{
    if (body_check(c)) {
        reply_error(c, &c->err);
    } else if (c->route->flags & ROUTE_CREATES) {
        idem_begin(c, run);
    } else {
        run(c);
    }
}

static void known(struct call *c)
{
    bool reads = slice_is(c->r->method, "GET") ||
                 slice_is(c->r->method, "HEAD") ||
                 (c->route->flags & ROUTE_READS);
    if (c->visitor) {
        checked(c);
    } else if (!is_allowed(c)) {
        reply_fail(c, ERR_FORBIDDEN, NULL, "your role may not do this");
    } else if (c->route->scope &&
               !scopes_allow(c->who.scopes, c->route->scope, !reads)) {
        reply_fail(c, ERR_FORBIDDEN, NULL, "this token has no scope %s:%s",
                   c->route->scope, reads ? "read" : "write");
    } else {
        checked(c);
    }
}

void api_answer(struct server *s, struct http_req *r)
{
    struct call *c = arena_one(r->arena, struct call);
    char allow[96];
    c->s = s;
    c->r = r;
    c->a = r->arena;
    list_init(&c->link);
    c->w = jsonw_on(&c->out);
    struct slice method =
        slice_is(r->method, "HEAD") ? SLICE("GET") : r->method;
    if (s->state != SERVER_SERVING) {
        reply_fail(c, ERR_UNAVAILABLE, NULL, "the server is stopping");
        return;
    }
    c->route = find_route(c, method, allow, sizeof allow);
    if (!c->route) {
        reply_no_route(c, allow);
    } else if (c->route->access == ACCESS_PUBLIC) {
        checked(c);
    } else if (c->route->access == ACCESS_VISITOR) {
        files_caller(c, known);
    } else {
        caller_find(c, known);
    }
}
