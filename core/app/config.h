/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - what the operator wrote: one schema, four origins.
 *
 * Why: every maximum and every address is a setting with one name, found in
 * config.lua as `name`, in the environment as YUELAI_NAME. The command line
 * wins over the environment, that over the file, that over the default. A
 * file with a fault is refused as a whole (I11).
 *
 * Thread: any; a config is plain data. Reading runs Lua, so never on a main
 * thread that serves (I5).
 */
#pragma once
#include "base/err.h"
#include "base/json.h"

#define CONFIG_TEXT 256 /* longest text value, with NUL */
#define CONFIG_COUNT_MAX 64
#define CONFIG_SECRETS (16 * 1024) /* all of them, as JSON */

enum setting_type {
    SETTING_TEXT,
    SETTING_INT,
    SETTING_BOOL,
    SETTING_CHOICE,
    SETTING_TABLE /* only `secrets` */
};
enum setting_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENV, ORIGIN_COMMAND };
enum {
    SETTING_RELOADS = 1, /* a changed file takes effect without a restart */
    SETTING_SECRET = 2,  /* shown as *** */
    SETTING_NO_FILE = 4, /* environment and command line only */
};

struct config {
    char listen[CONFIG_TEXT], data[CONFIG_TEXT], home[CONFIG_TEXT];
    char config[CONFIG_TEXT], public_url[CONFIG_TEXT];
    char http_ca_file[CONFIG_TEXT];
    char log[CONFIG_TEXT], log_level[CONFIG_TEXT], clock[CONFIG_TEXT];
    char admin_email[CONFIG_TEXT], admin_password[CONFIG_TEXT];
    int64_t connections, connections_per_address, frames_per_s;
    int64_t frame_bytes, body_bytes, file_bytes, credits, heartbeat_ms;
    int64_t recall_ms, agent_grace_ms, logins_per_min, session_days,
        visitor_days;
    int64_t plain_keys;
    char file_types[CONFIG_TEXT];
    int64_t file_pixels, file_days, link_minutes, uploads_per_min;
    int64_t held_answers;
    int64_t refs, ref_hours, trace_days, readers, drain_ms;
    int64_t script_threads, script_cpu_ms, script_memory_bytes;
    int64_t script_failures, script_tests, routing_ms, canary_conversations;
    char secrets[CONFIG_SECRETS]; /* JSON object of name and text, or "" */
    unsigned char origin[CONFIG_COUNT_MAX]; /* enum setting_origin */
};

struct setting {
    const char *name;
    size_t offset;         /* in struct config */
    const char *otherwise; /* the default, as text */
    int64_t least, most;   /* INT; TEXT: most bytes */
    const char *choices;   /* CHOICE: "text|json" */
    const char *help;
    enum setting_type type;
    unsigned flags;
};
extern const struct setting settings[];
extern const size_t settings_count;
const struct setting *setting_find(struct slice name);
/* "YUELAI_FRAMES_PER_S" */
#define SETTING_ENV 64
const char *setting_env(const struct setting *s, char out[SETTING_ENV]);
const char *setting_origin_name(enum setting_origin o);
/* The value as text; secrets as ***, of the table of them the names. */
void setting_show(const struct setting *s, const struct config *c,
                  struct buf *out);
bool setting_is_same(const struct setting *s, const struct config *a,
                     const struct config *b);

/* Where a server on this data listens for its machine's user. */
void local_socket(char out[CONFIG_TEXT + 16], const char *data);

/* Defaults, nothing else. */
void config_init(struct config *c);
/* One value by name; the reason of a refusal names the setting. */
int config_set(struct config *c, struct slice name, struct slice value,
               enum setting_origin from, struct err *e);
/* What a file said, already JSON. Unknown names are refused. */
int config_apply(struct config *c, const struct json *table, struct err *e);
/* Everything: `given` has what the command line said (origin COMMAND); the
 * environment is read; home and the file are found. *out is whole or as it
 * was. */
int config_load(const struct config *given, struct config *out, struct err *e);
/* Takes over from `next` what may change while running; counts what changed,
 * logs it, and warns of what needs a restart. */
int config_adopt(struct config *now, const struct config *next);

/* secrets.c */
int config_secrets_set(struct config *c, const struct json *table,
                       struct err *e);
int config_secrets_read(struct config *c, struct slice json, struct err *e);
/* YUELAI_SECRET_NAME, each over what there is. */
int config_secrets_env(struct config *c, struct err *e);
void config_secrets_show(const struct config *c, struct buf *out);
