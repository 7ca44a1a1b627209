/* SPDX-License-Identifier: Apache-2.0 */
/* spine.h - what the tests of the whole program share: a server under a talk's
 * hood (core/app/talk), one visitor, one agent, and the count of messages.
 */
#pragma once
#include "app/talk/talk.h"
#include "test.h"

struct spine {
    struct talk t;
    struct actor *anna, *bo;
    int said;  /* refs and texts are m-1, m-2 ... */
    int acked; /* of them, however often */
};
/* data: NULL, or a folder to keep the database in. Starts the server. */
bool spine_open(struct spine *s, const char *data);
void spine_close(struct spine *s); /* the server must stop cleanly */
bool spine_play(struct spine *s, const char *text); /* a talk's sentence */
/* anna says the next one; the frame stays in her outbox until it is acked. */
void spine_say(struct spine *s, size_t bytes);
/* Reads what comes for some ms. */
void spine_listen(struct spine *s, int64_t ms);
bool spine_come_back(struct spine *s); /* both, with their cursors */
bool spine_all_acked(struct spine *s, int64_t ms);
/* The journal, by REST: every said message once, seq 1 ... said. */
void spine_check_journal(struct spine *s);
void spine_check_agent(struct spine *s); /* bo saw each once */
/* `yuelai verify` on the folder of the stopped server exits 0. */
void spine_verify(struct spine *s);
/* Fails the test with the reason and the server's log; returns false. */
bool spine_fail(struct spine *s, const char *what);
