/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.h - the types of channels and the settings each has.
 *
 * Why: the core names no platform. A type is known by the adapter that serves
 * (kinds_with), or, while there is none, by its file channels/<type>/schema.lua,
 * a plain table with a title and a schema; the web is built in. The files are
 * read at start and with the configuration (SIGHUP); a broken one is logged and
 * its type left out.
 *
 * Thread: kinds_read on any but a main thread that serves (I5); the rest
 * only reads, so a set may be used by whoever owns it.
 */
#pragma once
#include "app/channels/plain.h"
#include "base/err.h"

#define KINDS_MAX 64
#define KIND_NAME_MAX 32
#define KIND_FIELDS_MAX 32
#define KIND_VALUE_MAX 4096           /* bytes of one setting */
#define KIND_CONFIG_MAX (1024 * 1024) /* all of them, as JSON */
#define KIND_FILE_MAX (64 * 1024)
#define KIND_HIDDEN "***"
/* Settings that every channel has, whatever its type (app/files/keep.c). */
#define KIND_FILE_MB "file_mb"
#define KIND_FILE_TYPES "file_types"
#define KIND_FILE_MB_MOST 1000
/* One that those with visitors on sockets have: agents see unsent text. */
#define KIND_TYPING_TEXT "typing_text"
#define KIND_STR2(x) #x
#define KIND_STR(x) KIND_STR2(x)

enum kind_type {
    KIND_STRING,
    KIND_SECRET, /* write-only */
    KIND_INTEGER,
    KIND_BOOLEAN,
    KIND_CHOICE
};
struct kind_field {
    const char *name;
    enum kind_type type;
    bool required;
    const struct json *choices; /* CHOICE: a list of texts */
    /* The house's own: why this value (of the right type) is no good. */
    const char *(*wrong)(const struct json *v);
};
struct kind {
    const char *name;
    struct slice en;            /* its title in English */
    struct slice title, schema; /* JSON, for people's consoles */
    const struct kind_field *fields;
    size_t count;
    bool has_adapter;          /* else nothing is received or sent */
    struct slice capabilities; /* JSON object, as the adapter says */
    /* functions it has */
    bool receives, sends, pushes, polls, checks, types, recalls, answers;
    bool socket; /* its visitors come by the WebSocket, as the web's do */
    int32_t rate, burst, at_once; /* struct channel_face */
    int64_t reply_window_ms;
    int32_t reply_count;
    struct plain_can can;                 /* what it shows */
    struct slice hours_from, count_from;  /* settings that say otherwise */
    int64_t push_after_ms, push_quiet_ms; /* struct channel_face */
    struct slice after_from, quiet_from;  /* settings, seconds */
    struct slice push_needs; /* setting without which nothing is pushed */
    int64_t identity_max_ms; /* a signature's longest life, 0 = any */
    struct slice max_from;   /* setting, hours */
    struct slice only_from;  /* setting: only who is signed comes in */
};
struct kinds;
struct channel;
struct channel_face;

/* Never NULL: the web is always there. Blocking. */
struct kinds *kinds_read(const char *home);
/* All of base, and what serving adapters say of themselves (script_channels),
 * which counts more. Borrows base, which must outlive it. One that is wrong is
 * logged and left out. */
struct kinds *kinds_with(const struct kinds *base, struct slice adapters);
/* The connectors among them (script_assistants), and nothing else: what they
 * have as settings. */
struct kinds *kinds_of_connectors(struct slice assistants);
void kinds_free(struct kinds *k);
size_t kinds_count(const struct kinds *k);
const struct kind *kinds_at(const struct kinds *k, size_t i); /* borrows */
const struct kind *kinds_find(const struct kinds *k, struct slice name);

/* What a channel has. Each an object or NULL (nothing yet). */
struct kind_values {
    const struct json *config, *secrets;
};
/* Writes the new settings: those given over those there, null or "" takes one
 * away, KIND_HIDDEN leaves a secret, unknown ones are dropped. What is missing
 * or wrong is told with field "config.<name>" (the outputs are then of no
 * use). */
int kind_merge(const struct kind *k, const struct json *given,
               struct kind_values was, struct jsonw *config,
               struct jsonw *secrets, struct err *e);
/* What the channel's adapter can do, with what its settings say of that. */
void kind_face(const struct kind *k, const struct channel *c,
               struct channel_face *out);
/* Who may come in by the socket, likewise. */
struct kind_door {
    int64_t identity_max_ms; /* 0 = any */
    bool signed_only;
};
struct kind_door kind_door(const struct kind *k, const struct channel *c);
/* Writes what may be seen; a secret that is set as KIND_HIDDEN. k is NULL for
 * a type that is gone. */
void kind_show(const struct kind *k, struct kind_values v, struct jsonw *w,
               struct arena *a);
