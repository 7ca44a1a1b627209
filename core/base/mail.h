/* SPDX-License-Identifier: Apache-2.0 */
/* mail.h - what can be handed from thread to thread (loop/mailbox.h). The
 * first member of every envelope. Pushing is giving away (I7). */
#pragma once

struct mail {
    struct mail *next;
    void (*run)(struct mail *m); /* called once, on the receiving thread */
};
