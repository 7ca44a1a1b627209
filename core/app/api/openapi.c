/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.c - the description of the API, made from the tables that serve it,
 * so that it cannot say anything else (a test walks both).
 */
#include "app/api/api.h"
#include <stdio.h>

static const char *json_type(enum field_type t)
{
    static const char *const names[] = {[FIELD_TEXT] = "string",
                                        [FIELD_INT] = "integer",
                                        [FIELD_BOOL] = "boolean",
                                        [FIELD_TEXTS] = "array",
                                        [FIELD_OBJECT] = "object"};
    return names[t];
}

static void write_choices(struct jsonw *w, const char *choices)
{
    jsonw_key(w, "enum");
    jsonw_open(w, '[');
    for (const char *p = choices; *p;) {
        size_t n = strcspn(p, "|");
        jsonw_text(w, (struct slice){p, n});
        p += n + (p[n] == '|');
    }
    jsonw_close(w, ']');
}

static void write_field(struct jsonw *w, const struct field *f)
{
    jsonw_key(w, f->name);
    jsonw_open(w, '{');
    if (f->type != FIELD_ANY) {
        jsonw_put_text(w, "type", slice_of(json_type(f->type)));
    }
    if (f->type == FIELD_TEXTS) {
        jsonw_put_raw(w, "items", SLICE("{\"type\":\"string\"}"));
        if (f->most) {
            jsonw_put_int(w, "maxItems", f->most);
        }
    }
    if (f->type == FIELD_INT && f->most) {
        jsonw_put_int(w, "minimum", f->least);
        jsonw_put_int(w, "maximum", f->most);
    }
    if (f->type == FIELD_TEXT && f->least) {
        jsonw_put_int(w, "minLength", f->least);
    }
    if (f->choices) {
        write_choices(w, f->choices);
    }
    if (f->help) {
        jsonw_put_text(w, "description", slice_of(f->help));
    }
    jsonw_close(w, '}');
}

static void write_object(struct jsonw *w, const struct field *fields,
                         bool requires)
{
    bool any = false;
    jsonw_open(w, '{');
    jsonw_put_text(w, "type", SLICE("object"));
    jsonw_key(w, "properties");
    jsonw_open(w, '{');
    for (const struct field *f = fields; f->name; f++) {
        write_field(w, f);
        any = any || f->required;
    }
    jsonw_close(w, '}');
    if (requires && any) {
        jsonw_key(w, "required");
        jsonw_open(w, '[');
        for (const struct field *f = fields; f->name; f++) {
            if (f->required) {
                jsonw_text(w, slice_of(f->name));
            }
        }
        jsonw_close(w, ']');
    }
    jsonw_close(w, '}');
}

static void write_param(struct jsonw *w, struct slice name, const char *in)
{
    jsonw_open(w, '{');
    jsonw_put_text(w, "name", name);
    jsonw_put_text(w, "in", slice_of(in));
    jsonw_put_bool(w, "required", in[0] == 'p');
    jsonw_put_raw(w, "schema", SLICE("{\"type\":\"string\"}"));
    jsonw_close(w, '}');
}

static void write_words(struct jsonw *w, const char *words)
{
    for (const char *p = words; p && *p;) {
        size_t n = strcspn(p, " ");
        write_param(w, (struct slice){p, n}, "query");
        p += n + (p[n] == ' ');
    }
}

static void write_params(struct jsonw *w, const struct route *r)
{
    jsonw_key(w, "parameters");
    jsonw_open(w, '[');
    for (const char *p = r->path; (p = strchr(p, '{')) != NULL;) {
        size_t n = strcspn(p, "}");
        write_param(w, (struct slice){p + 1, n - 1}, "path");
        p += n;
    }
    if (r->flags & ROUTE_LIST) {
        write_words(w, "limit offset after");
    }
    write_words(w, r->query);
    if (r->flags & ROUTE_CREATES) {
        write_param(w, SLICE("Idempotency-Key"), "header");
    }
    jsonw_close(w, ']');
}

static void write_schema_of(struct jsonw *w, const struct route *r)
{
    char ref[96];
    snprintf(ref, sizeof ref, "{\"$ref\":\"#/components/schemas/%s\"}",
             r->out->name);
    jsonw_key(w, "schema");
    if (!(r->flags & ROUTE_LIST)) {
        jsonw_raw(w, slice_of(ref));
        return;
    }
    jsonw_open(w, '{');
    jsonw_put_text(w, "type", SLICE("object"));
    jsonw_key(w, "properties");
    jsonw_open(w, '{');
    jsonw_key(w, "items");
    jsonw_open(w, '{');
    jsonw_put_text(w, "type", SLICE("array"));
    jsonw_put_raw(w, "items", slice_of(ref));
    jsonw_close(w, '}');
    jsonw_put_raw(w, "total", SLICE("{\"type\":\"integer\"}"));
    jsonw_put_raw(w, "next", SLICE("{\"type\":\"string\",\"nullable\":true}"));
    jsonw_close(w, '}');
    jsonw_close(w, '}');
}

static void open_json(struct jsonw *w)
{
    jsonw_key(w, "content");
    jsonw_open(w, '{');
    jsonw_key(w, "application/json");
    jsonw_open(w, '{');
}

static void close_json(struct jsonw *w)
{
    jsonw_close(w, '}');
    jsonw_close(w, '}');
}

static void write_answers(struct jsonw *w, const struct route *r)
{
    char status[8];
    snprintf(status, sizeof status, "%d", r->status);
    jsonw_key(w, "responses");
    jsonw_open(w, '{');
    jsonw_key(w, status);
    jsonw_open(w, '{');
    jsonw_put_text(w, "description", slice_of(r->summary));
    if (r->out) {
        open_json(w);
        write_schema_of(w, r);
        close_json(w);
    }
    jsonw_close(w, '}');
    jsonw_put_raw(w, "default",
                  SLICE("{\"$ref\":\"#/components/responses/Error\"}"));
    jsonw_close(w, '}');
}

static void write_route(struct jsonw *w, const struct route *r)
{
    static const char *const roles[] = {[ACCESS_PUBLIC] = "anybody",
                                        [ACCESS_VISITOR] = "visitor",
                                        [ACCESS_AGENT] = "agent",
                                        [ACCESS_SUPERVISOR] = "supervisor",
                                        [ACCESS_ADMIN] = "admin"};
    char method[8];
    snprintf(method, sizeof method, "%s", r->method);
    for (char *p = method; *p; p++) {
        *p = (char)(*p | 32);
    }
    jsonw_key(w, method);
    jsonw_open(w, '{');
    jsonw_put_text(w, "summary", slice_of(r->summary));
    jsonw_put_text(w, "x-role", slice_of(roles[r->access]));
    if (r->scope) {
        jsonw_put_text(w, "x-scope", slice_of(r->scope));
        jsonw_key(w, "tags");
        jsonw_open(w, '[');
        jsonw_text(w, slice_of(r->scope));
        jsonw_close(w, ']');
    }
    if (r->access == ACCESS_PUBLIC) {
        jsonw_put_raw(w, "security", SLICE("[]"));
    }
    write_params(w, r);
    if (r->in) {
        jsonw_key(w, "requestBody");
        jsonw_open(w, '{');
        open_json(w);
        jsonw_key(w, "schema");
        write_object(w, r->in, !slice_is(slice_of(r->method), "PATCH"));
        close_json(w);
        jsonw_close(w, '}');
    }
    write_answers(w, r);
    jsonw_close(w, '}');
}

static bool is_first_of_path(const struct route *table, const struct route *r)
{
    for (const struct route *p = table; p < r; p++) {
        if (strcmp(p->path, r->path) == 0) {
            return false;
        }
    }
    return true;
}

static void write_paths(struct jsonw *w)
{
    jsonw_key(w, "paths");
    jsonw_open(w, '{');
    for (size_t i = 0; all_routes[i]; i++) {
        const struct route *table = all_routes[i];
        for (const struct route *r = table; r->method; r++) {
            if (!is_first_of_path(table, r)) {
                continue;
            }
            jsonw_key(w, r->path);
            jsonw_open(w, '{');
            for (const struct route *m = r; m->method; m++) {
                if (strcmp(m->path, r->path) == 0) {
                    write_route(w, m);
                }
            }
            jsonw_close(w, '}');
        }
    }
    jsonw_close(w, '}');
}

static bool is_first_of_shape(size_t table, const struct route *r)
{
    for (size_t i = 0; i <= table; i++) {
        for (const struct route *p = all_routes[i]; p->method; p++) {
            if (p == r) {
                return true;
            }
            if (p->out == r->out) {
                return false;
            }
        }
    }
    return true;
}

static void write_components(struct jsonw *w)
{
    jsonw_key(w, "components");
    jsonw_open(w, '{');
    jsonw_put_raw(w, "securitySchemes",
                  SLICE("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
                        "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\","
                        "\"name\":\"yuelai_session\"},"
                        "\"signature\":{\"type\":\"apiKey\",\"in\":\"header\","
                        "\"name\":\"X-Signature\"}}"));
    jsonw_put_raw(
        w, "responses",
        SLICE("{\"Error\":{\"description\":\"what went wrong\",\"content\":"
              "{\"application/json\":{\"schema\":{\"$ref\":"
              "\"#/components/schemas/Error\"}}}}}"));
    jsonw_key(w, "schemas");
    jsonw_open(w, '{');
    jsonw_put_raw(
        w, "Error",
        SLICE("{\"type\":\"object\",\"properties\":{\"error\":{\"type\":"
              "\"object\",\"properties\":{\"code\":{\"type\":\"string\"},"
              "\"message\":{\"type\":\"string\"},\"field\":{\"type\":"
              "\"string\"}}}}}"));
    for (size_t i = 0; all_routes[i]; i++) {
        for (const struct route *r = all_routes[i]; r->method; r++) {
            if (r->out && is_first_of_shape(i, r)) {
                jsonw_key(w, r->out->name);
                write_object(w, r->out->fields, false);
            }
        }
    }
    jsonw_close(w, '}');
    jsonw_close(w, '}');
}

static void get(struct call *c)
{
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_text(w, "openapi", SLICE("3.0.3"));
    jsonw_put_raw(w, "info",
                  SLICE("{\"title\":\"Yuelai\",\"version\":\"" YUELAI_VERSION
                        "\",\"license\":{\"name\":\"Apache-2.0\"}}"));
    jsonw_put_raw(w, "security",
                  SLICE("[{\"bearer\":[]},{\"cookie\":[]},"
                        "{\"signature\":[]}]"));
    write_paths(w);
    write_components(w);
    jsonw_close(w, '}');
    reply_send(c, 200);
}

static const struct field any[] = {{0}};
static const struct shape shape_openapi = {"OpenApi", any};
const struct route routes_openapi[] = {
    {"GET", "/api/v1/openapi.json", get, ACCESS_PUBLIC, NULL, 0, 200, NULL,
     &shape_openapi, "This description", NULL, NULL},
    {0}};
