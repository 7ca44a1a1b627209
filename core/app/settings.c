/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - the one list of settings. docs/operator/settings.md is checked
 * against it by a test.
 */
#include "app/config.h"
#include "base/limits.h"

#define STR2(x) #x
#define STR(x) STR2(x)
#define AT(field) #field, .offset = offsetof(struct config, field)
#define TEXT(field, def, fl, text)                                             \
    {                                                                          \
        .name = AT(field), .type = SETTING_TEXT, .otherwise = def,             \
        .most = CONFIG_TEXT - 1, .flags = fl, .help = text                     \
    }
#define INT(field, def, lo, hi, fl, text)                                      \
    {                                                                          \
        .name = AT(field), .type = SETTING_INT, .otherwise = def, .least = lo, \
        .most = hi, .flags = fl, .help = text                                  \
    }
#define CHOICE(field, def, list, fl, text)                                     \
    {                                                                          \
        .name = AT(field), .type = SETTING_CHOICE, .otherwise = def,           \
        .choices = list, .flags = fl, .help = text                             \
    }
#define BOOL(field, def, fl, text)                                             \
    {                                                                          \
        .name = AT(field), .type = SETTING_BOOL, .otherwise = def,             \
        .flags = fl, .help = text                                              \
    }

#define DAY_MAX 3650
#define MANY 1000000000LL
#define START (SETTING_NO_FILE)
#define LIVE (SETTING_RELOADS)

const struct setting settings[] = {
    TEXT(listen, "127.0.0.1:8080", 0,
         "address and port to listen on; port 0 = any free one"),
    TEXT(data, "./data", 0, "folder of the database, made if missing"),
    TEXT(home, "", START,
         "folder with scripts channels ai web; empty = found by itself"),
    TEXT(config, "", START, "settings file; empty = config.lua in home"),
    TEXT(public_url, "", LIVE,
         "how the world reaches this server, https://chat.example.com"),
    TEXT(http_ca_file, "", 0,
         "PEM file trusted beside the system's for scripts' https calls and "
         "mail servers"),
    CHOICE(log, "text", "text|json", LIVE, "form of the log lines"),
    CHOICE(log_level, "info", "debug|info|warn|error", LIVE,
           "least level that is logged"),
    TEXT(clock, "", START, "for tests: start at this time (RFC 3339 or ms)"),
    TEXT(admin_email, "admin@localhost", START,
         "first start: the admin's email"),
    TEXT(admin_password, "", START | SETTING_SECRET,
         "first start: the admin's password; empty = generated and shown"),
    INT(connections, "60000", 1, 1000000, LIVE, "sockets at once"),
    INT(connections_per_address, "2000", 0, 1000000, LIVE,
        "sockets at once from one address; 0 = no limit"),
    INT(frames_per_s, "100", 0, 1000000, LIVE,
        "frames a second from one visitor, agents ten times; 0 = no limit"),
    INT(frame_bytes, "65536", 1024, 1048576, LIVE, "longest visitor frame"),
    INT(body_bytes, "1048576", 1024, 67108864, LIVE, "longest REST body"),
    INT(file_bytes, STR(LIMIT_FILE_BYTES), 0, MANY, LIVE,
        "longest file; 0 = none is taken"),
    TEXT(file_types, "* !executable", LIVE,
         "types of files taken: image/* application/pdf, *, !executable"),
    INT(file_pixels, "0", 0, MANY, LIVE,
        "an image with more pixels is refused; 0 = any up to 250 million"),
    INT(file_days, "0", 0, DAY_MAX, 0,
        "files are kept after their last use; 0 = for ever"),
    INT(held_answers, "1000", 0, 1000000, LIVE,
        "webhooks that wait for a message as their answer"),
    INT(link_minutes, "60", 1, 10080, LIVE,
        "how long a signed link to a file is good"),
    INT(uploads_per_min, "120", 1, 1000000, LIVE,
        "uploads a minute from one address"),
    INT(credits, "20000", 16, 10000000, LIVE,
        "messages on their way at once; then reading stops"),
    INT(heartbeat_ms, "30000", 1000, 300000, LIVE,
        "longest interval between pings to a client"),
    INT(agent_grace_ms, "30000", 0, 600000, LIVE,
        "how long an agent whose socket dropped keeps presence"),
    INT(recall_ms, "120000", 0, 86400000, LIVE,
        "how long a message can be taken back; 0 = not at all"),
    INT(logins_per_min, "30", 1, 100000, LIVE,
        "sign-in attempts a minute from one address"),
    INT(session_days, "30", 1, DAY_MAX, LIVE, "an agent stays signed in"),
    INT(visitor_days, "365", 1, DAY_MAX, LIVE, "a visitor's token is good for"),
    BOOL(plain_keys, "false", LIVE,
         "accept X-Signature: <key itself> also over plain HTTP from afar"),
    INT(refs, STR(LIMIT_REFS), 1000, 100000000, 0,
        "refs remembered against double sends"),
    INT(ref_hours, STR(LIMIT_REF_HOURS), 1, 720, 0,
        "hours a double send or a platform's repetition is known as one"),
    INT(trace_days, STR(LIMIT_TRACE_DAYS), 1, DAY_MAX, 0,
        "days that traces and flows that have ended are kept"),
    INT(readers, "2", 1, 16, 0, "threads that read the database"),
    INT(drain_ms, "8000", 100, 9000, LIVE,
        "how long a stop waits for clients and messages on their way"),
    INT(script_threads, "2", 1, 64, 0,
        "threads that run Lua; from two on, scripts that are new or were "
        "stopped run beside"),
    INT(script_cpu_ms, STR(LIMIT_SCRIPT_CPU_MS), 1, 10000, 0,
        "CPU time of a script between two waits"),
    INT(script_memory_bytes, "33554432", 1048576, MANY, 0,
        "memory of one script"),
    INT(script_failures, STR(LIMIT_FAILURES), 1, 1000000, 0,
        "a script that fails that often in a row is switched off"),
    BOOL(script_tests, "true", 0,
         "x_test.lua beside x.lua must pass before a changed x serves"),
    INT(routing_ms, STR(LIMIT_ROUTING_MS), 1, 30000, 0,
        "the rules' time to place a conversation, then the default does"),
    INT(canary_conversations, "200", 1, 20000, 0,
        "conversations that decide about a canary which says no number"),
    {.name = AT(secrets),
     .type = SETTING_TABLE,
     .otherwise = "",
     .flags = LIVE | SETTING_SECRET,
     .help = "keys for scripts (secret.get); each also as "
             "YUELAI_SECRET_NAME"},
};
const size_t settings_count = sizeof settings / sizeof settings[0];
_Static_assert(sizeof settings / sizeof settings[0] <= CONFIG_COUNT_MAX,
               "struct config has an origin for each");
