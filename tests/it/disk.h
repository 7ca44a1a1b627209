/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - a disk that can fail and lose its power, below SQLite.
 *
 * A VFS in front of SQLite's own, made the default by disk_setup. It forwards
 * everything, and besides keeps of every database and log file below a folder
 * what has been synced and which writes have not. disk_cut writes down what a
 * power cut at this moment would leave: all that was synced, and of the rest
 * any part in any order, as the seed wants it. disk_fail makes writes fail.
 *
 * Thread: any; the store's threads come here at the same time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

void disk_setup(void);  /* once, before the first store is opened */
void disk_forget(void); /* what it keeps of all files; none may be open */

/* The n-th write, truncate or sync from now on (1 = the next) below dir fails
 * with this code of SQLite's, and so do the `more` after it. */
void disk_fail(const char *dir, int n, int more, int code);
bool disk_has_failed(void); /* since then */
void disk_heal(void);

/* Syncs that only pretend: the cut must be able to lose something. */
void disk_lie(bool lies);
/* The files of folder `from` as they would be found, into the folder `to`. */
void disk_cut(const char *from, const char *to, uint64_t seed);
