/* SPDX-License-Identifier: Apache-2.0 */
/* record_files.h - people's files: rows and back, and who may have which.
 *
 * A message that bears a file binds it: checked and written down in the
 * message's own transaction, so that a file cannot be thrown away between.
 */
#pragma once
#include "store/reader.h"
#include "store/record.h"

#define FILE_COLUMNS                                                           \
    "f.id, f.hash, f.size, f.width, f.height, f.thumb, f.mime, f.name, "       \
    "f.contact, f.agent, f.channel, f.conv, f.created_at, f.used_at"
void record_file(struct stmt *s, struct arena *a, struct file *out);
bool record_is_file(enum put_kind kind);
int record_put_file(struct record_writer *w, const struct put *p,
                    struct err *e);
/* The files of tx's messages: each that its sender may send becomes the
 * object {id,name,…} in the body and is bound to the conversation. 0, a
 * database's error, or *own: the transaction's own fault, nothing was done.
 * What a script names and is not there is marked "missing": a bot's answer
 * does not fail for it. check_only: nothing is written yet. */
int record_bind_files(struct record_writer *w, struct tx *tx, int64_t now_ms,
                      bool check_only, int *own);
/* As record_purge: what nobody used in a day, or for file_days. */
int record_purge_files(struct record_writer *w, int64_t now_ms);

int find_file(struct reader *r, struct query *q);
int find_known_hashes(struct reader *r, struct query *q);
