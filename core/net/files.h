/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - the web's static files.
 *
 * Small files are kept in memory, looked at again at most once a second;
 * bigger ones are read piece by piece off the main thread (I5). Beside x a
 * precompressed x.gz is used when the client takes it.
 *
 * Thread: main.   Owns: the cache (FILES_CACHE_BYTES at most, I6).
 */
#pragma once
#include "net/serve.h"

#define FILES_CACHE_BYTES (8 * 1024 * 1024)
#define FILES_SMALL_BYTES (192 * 1024)
#define FILES_PIECE_BYTES (64 * 1024)

struct files;
struct files *files_new(struct net *n, const char *dir);
void files_free(struct files *f);
/* Answers a request for a static path: takes the exchange. */
void files_answer(struct files *f, struct exchange *x);
