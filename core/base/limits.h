/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - every maximum a peer can meet (I6). Those marked (setting) are
 * defaults of a setting of the same name; the others are fixed. */
#pragma once

#define LIMIT_JSON_DEPTH 32
#define LIMIT_FRAME_BYTES (64 * 1024) /* a visitor's frame (setting) */
#define LIMIT_AGENT_FRAME_BYTES (256 * 1024)
#define LIMIT_TEXT_BYTES (16 * 1024) /* text of a message */
#define LIMIT_REF_BYTES 64
#define LIMIT_NAME_BYTES 200           /* any name a person types */
#define LIMIT_HEADER_BYTES (16 * 1024) /* all headers of one request */
#define LIMIT_HEADER_COUNT 64
#define LIMIT_BODY_BYTES (1024 * 1024) /* REST body (setting) */
#define LIMIT_URL_BYTES 4096
#define LIMIT_HEADER_MS 10000 /* to send the request's head */
#define LIMIT_BODY_MS 30000
#define LIMIT_IDLE_MS 60000           /* keep-alive without a request */
#define LIMIT_HELLO_MS 10000          /* to say hello after /ws */
#define LIMIT_OUT_BYTES (1024 * 1024) /* unsent to one peer, then: resume */
#define LIMIT_PIPELINE 16             /* requests ahead on one socket */
#define LIMIT_CONNECTIONS 60000       /* (setting) */
#define LIMIT_CONNECTIONS_PER_ADDRESS 2000 /* (setting) 0 = no limit */
#define LIMIT_FRAMES_PER_S 100             /* (setting) 0 = no limit */
#define LIMIT_LOGINS_PER_MIN 30            /* per address (setting) */
#define LIMIT_CREDITS 20000                /* events in flight (setting) */
#define LIMIT_CONV_BACKLOG 256   /* events waiting in one conversation */
#define LIMIT_EFFECTS 50         /* of one job */
#define LIMIT_RESUME_EVENTS 1000 /* replayed at most, then start over */
#define LIMIT_RESUME_SCAN 20000  /* journal rows read for one resume */
#define LIMIT_RESUMES 500        /* under way at once */
#define LIMIT_BACKLOG_EVENTS 50  /* shown at an assignment */
#define LIMIT_LIST 100
#define LIMIT_LIST_DEFAULT 20
#define LIMIT_REFS 4000000 /* remembered refs (setting) */
#define LIMIT_ARTICLES 20000
#define LIMIT_ARTICLE_BYTES (128 * 1024)
#define LIMIT_REF_HOURS 96 /* platforms repeat for days */
#define LIMIT_METER_SERIES 4000
#define LIMIT_SCRIPT_BYTES (256 * 1024) /* one script file */
#define LIMIT_SCRIPTS 1000
#define LIMIT_SCRIPT_CPU_MS 50 /* between awaits (setting) */
#define LIMIT_SCRIPT_LOAD_MS 500
#define LIMIT_SCRIPT_WALL_MS 30000
#define LIMIT_WEBHOOK_WALL_MS 4000
#define LIMIT_HELD_MS 15000 /* each of them, from its coming */
#define LIMIT_SCRIPT_MEMORY (32 * 1024 * 1024) /* (setting) */
#define LIMIT_CONNECTOR_TIMES 4 /* of that: 8 kB for each answer that grows */
#define LIMIT_SCRIPT_HTTP 50    /* calls of one event */
#define LIMIT_TASKS 10000       /* suspended, per unit */
#define LIMIT_HTTP_BODY (1024 * 1024) /* answer to a script's http call */
#define LIMIT_HTTP_BODY_MOST (8 * 1024 * 1024) /* both ways, when asked for */
#define LIMIT_HTTP_WORD_BYTES (64 * 1024)  /* of a platform that has no file */
#define LIMIT_HTTP_HEADERS 50              /* of a script's http call */
#define LIMIT_POST_BYTES (4 * 1024 * 1024) /* of a mail that is read */
#define LIMIT_POST_BYTES_MOST (8 * 1024 * 1024)
#define LIMIT_POST_SEND_BYTES (16 * 1024 * 1024) /* a mail that is sent */
#define LIMIT_POST_TO 100                        /* addresses of one */
#define LIMIT_STREAM_MS 300000                   /* a script's http.stream */
#define LIMIT_STREAM_LINE (256 * 1024)           /* a line, an event of one */
#define LIMIT_KV_VALUE (64 * 1024)
#define LIMIT_KV_KEYS 1000      /* of one kv.keys */
#define LIMIT_ONCE_MS 30000     /* to make a value, then another one tries */
#define LIMIT_ONCE_WAITING 1000 /* for one value */
#define LIMIT_CACHE_ENTRIES 100000
#define LIMIT_CACHE_BYTES (16 * 1024 * 1024)  /* all caches of one script */
#define LIMIT_CACHES_BYTES (64 * 1024 * 1024) /* of all scripts */
#define LIMIT_CACHES 20                       /* of one script */
#define LIMIT_SCRIPT_SERIES 20                /* of one script's metrics */
#define LIMIT_FLOW_LOG (64 * 1024)
#define LIMIT_FLOW_STEPS 1000
#define LIMIT_FLOWS 100000   /* not ended, all together (setting) */
#define LIMIT_FLOWS_CONV 20  /* not ended, of one conversation */
#define LIMIT_SCREEN_MS 1000 /* on_inbound, on_send, at least */
#define LIMIT_ROUTING_MS 50  /* then the default places it (setting) */
#define LIMIT_FAILURES 20    /* in a row: switched off (setting) */
#define LIMIT_VERSIONS 20    /* kept of one script */
#define LIMIT_TRACE_BYTES (16 * 1024)
#define LIMIT_TRACE_DAYS 14           /* traces kept (setting) */
#define LIMIT_DEAD 100000             /* dead letters kept; the oldest go */
#define LIMIT_FILE_BYTES 52428800     /* of people (setting) */
#define LIMIT_UPLOADS 256             /* under way at once */
#define LIMIT_TURN_TEXT (16 * 1024)   /* of a model's answer */
#define LIMIT_TURN_BYTES (256 * 1024) /* of what goes to a model */
#define LIMIT_ASSISTANTS 200
#define LIMIT_TAGS 30
#define LIMIT_TAG_BYTES 64
#define LIMIT_TURN_US 20000 /* a longer loop turn is logged (I5) */
