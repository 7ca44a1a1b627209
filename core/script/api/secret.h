/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - keys and passwords that scripts may use and nobody may see (I9).
 *
 * Why: a key that is a plain text ends up in a log, a trace or an answer one
 * day. In Lua a secret is an object that shows as "<secret>", joins with
 * nothing and has no JSON form; only calls that need its text read it: http
 * (headers, query, body), crypto (keys), mail.
 *
 * An object holds names, not texts: secret.get at the top of a file works
 * before the secrets are known, and a changed secret needs no reload.
 *
 * Thread: a set is made on main and never changes; any thread reads it.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <lua.h>

#define SECRET_NAME_BYTES 64
#define SECRET_BYTES (16 * 1024) /* of one text; a PEM key has 3 kB */
#define SECRET_PARTS 32          /* joined */

/* One set of names and texts. Sets are kept till the house closes, because a
 * script thread may still read an older one; they change by hand only. */
struct secrets;
/* json: object of name -> text, "" = none. before: the set it takes over from
 * (NULL = none), freed with it; the same again if nothing changed. Returns 0
 * or ERR_UNPROCESSABLE; then *out is before. */
int secrets_new(struct slice json, struct secrets *before, struct err *e,
                struct secrets **out);
void secrets_free(struct secrets *s); /* and all before it; NULL is fine */
bool secrets_find(const struct secrets *s, struct slice name,
                  struct slice *text);
/* a-z, 0-9, _; at most SECRET_NAME_BYTES */
bool secret_is_name(struct slice name);

/* --- in Lua --- */
bool secret_is(lua_State *L, int idx);
/* The text at idx, or the text of the secret there: true and *out, valid while
 * the value is in its place and until it is read again. false: it is neither
 * (or a number), or *why says why it cannot be read now. Raises for lack of
 * memory only. */
bool secret_text(lua_State *L, int idx, struct slice *out, const char **why);
/* The same for a call's argument: raises *why. */
bool secret_read(lua_State *L, int idx, struct slice *out);
/* Pushes a secret of that very text (a channel's setting, say). */
void secret_push(lua_State *L, struct slice text);
