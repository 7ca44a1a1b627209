/* SPDX-License-Identifier: Apache-2.0 */
/* eval.c - a line of Lua against the running house, for `yuelai console`.
 *
 * Happy path: the line becomes a unit, compiled on a thread of its own, first
 * as an expression, then as statements; it serves and runs as a timer's job;
 * what it printed and gave is the job's last effect. Failure modes: it does
 * not compile, raises or is killed: said in the answer, nothing is stored.
 */
#include "base/clock.h"
#include "base/json.h"
#include "loop/loop.h"
#include "script/inside.h"
#include "script/load/files.h"
#include "script/load/load.h"

#define TEXT_BYTES (64 * 1024)
#define ANSWER_KEY "="

static const char head[] = "local print\nlocal function chunk() ";
static const char tail[] =
    "\nend\n"
    "local lines, MOST = {}, 40000\n"
    "local function show(v, depth)\n"
    "  if type(v) == 'string' and depth > 0 then return ('%q'):format(v) end\n"
    "  if type(v) ~= 'table' or depth > 4 then return tostring(v) end\n"
    "  local out, n = {}, 0\n"
    "  for k, x in pairs(v) do\n"
    "    n = n + 1\n"
    "    if n > 200 then out[n] = '...' break end\n"
    "    local key = type(k) == 'string' and k or '[' .. tostring(k) .. ']'\n"
    "    out[n] = k == n and show(x, depth + 1) or key .. ' = ' .. "
    "show(x, depth + 1)\n"
    "  end\n"
    "  return n == 0 and '{}' or '{ ' .. table.concat(out, ', ') .. ' }'\n"
    "end\n"
    "local function add(...)\n"
    "  local out = {}\n"
    "  for i = 1, select('#', ...) do out[i] = show((select(i, ...)), 0) end\n"
    "  lines[#lines + 1] = table.concat(out, '\\t')\n"
    "end\n"
    "print = add\n"
    "local function pack(ok, ...)\n"
    "  if select('#', ...) > 0 then add(...) end\n"
    "  return ok\n"
    "end\n"
    "return { api = 1, on_timer = function()\n"
    "  local ok = pack(pcall(chunk))\n"
    "  local text = table.concat(lines, '\\n')\n"
    "  if #text > MOST then text = text:sub(1, MOST) .. '\\n...' end\n"
    "  kv.set('" ANSWER_KEY "', { ok = ok, text = text })\n"
    "end }\n";

struct eval {
    struct mail mail;
    struct script *script; /* one ref */
    struct arena *arena;   /* owned; this lies in it */
    struct thread *thread;
    struct slice source, text; /* text: of the try under way */
    struct version *version;   /* one ref, or NULL and trouble tells */
    struct slice trouble;
    struct roster *roster; /* one ref */
    script_eval_fn done;
    void *arg;
};

static void end(struct eval *e)
{
    struct script *s = e->script;
    roster_free(e->roster);
    arena_free(e->arena);
    script_unref(s);
}

static void refuse(struct eval *e, struct slice why)
{
    struct buf out;
    buf_init(&out, TEXT_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_bool(&w, "ok", false);
    jsonw_put_text(&w, "text", why);
    jsonw_close(&w, '}');
    e->done(e->arg, w.failed ? SLICE("{\"ok\":false}") : buf_slice(&out), NULL);
    buf_fini(&out);
}

/* --- its run -------------------------------------------------------------- */

static void on_ran(struct job *job)
{
    struct eval *e = job->owner;
    const struct effect *answer = NULL;
    for (const struct effect *f = job->first; f; f = f->next)
        if (f->type == EFFECT_KV_SET && slice_is(f->name, ANSWER_KEY))
            answer = f;
    if (e->script->closed || job->result)
        refuse(e, SLICE("the house is closing"));
    else if (answer)
        e->done(e->arg, answer->data, job);
    else
        refuse(e, job->trouble.len ? job->trouble : SLICE("it did not end"));
    job_free(job);
    end(e);
}

static void on_loaded(struct mail *m)
{
    struct eval *e = container_of(m, struct eval, mail);
    thread_join(e->thread);
    if (!e->version || e->script->closed) {
        if (e->version)
            version_unref(e->version);
        refuse(e, e->version ? SLICE("the house is closing") : e->trouble);
        end(e);
        return;
    }
    script_serve(e->script, SLICE(SCRIPT_CONSOLE_UNIT), e->version);
    struct job *job = job_new(HOOK_TIMER, on_ran, e);
    job->unit = SLICE(SCRIPT_CONSOLE_UNIT);
    job->what = SLICE("eval");
    job->at = clock_ms();
    job->roster = e->roster;
    e->roster = NULL;
    script_run(e->script, job);
}

/* --- its making, on a thread ---------------------------------------------- */

static int read_text(void *arg, struct slice name, struct arena *a,
                     struct slice *out, struct err *err)
{
    const struct eval *e = arg;
    if (!slice_is(name, SCRIPT_CONSOLE_UNIT))
        return files_read(e->script->home, name, a, out, err);
    *out = slice_dup(a, e->text);
    return 0;
}

/* between: "return ", or "" for statements. */
static bool try(struct eval *e, const char *between)
{
    struct buf out;
    struct loader l;
    buf_init(&out, 2 * TEXT_BYTES);
    int r = buf_add_text(&out, head);
    r = r ? r : buf_add_text(&out, between);
    r = r ? r : buf_add_slice(&out, e->source);
    r = r ? r : buf_add_text(&out, tail);
    e->text = buf_slice(&out);
    loader_init(&l, read_text, e, LIMIT_SCRIPT_MEMORY);
    l.file = "console";
    if (r == 0)
        e->version = load_version(&l, SLICE(SCRIPT_CONSOLE_UNIT));
    e->trouble = r ? SLICE("that is too long")
                   : slice_dup(e->arena, buf_slice(&l.trouble));
    loader_fini(&l);
    buf_fini(&out);
    return e->version != NULL;
}

static void make(void *arg)
{
    struct eval *e = arg;
    if (!try(e, "return "))
        (void)try(e, "");
    e->mail.run = on_loaded;
    loop_post(e->script->conf.home_loop, &e->mail);
}

void script_eval(struct script *s, struct slice source, struct roster *roster,
                 script_eval_fn done, void *arg)
{
    struct arena *a = arena_new();
    struct eval *e = arena_one(a, struct eval);
    *e = (struct eval){.script = s,
                       .arena = a,
                       .source = slice_dup(a, source),
                       .roster = roster,
                       .done = done,
                       .arg = arg};
    script_ref(s);
    must(thread_start("console", make, e, &e->thread) == 0);
}
