/* SPDX-License-Identifier: Apache-2.0 */
/* migrations.h - the schema's steps, made from migrations/NNN-words.sql.
 *
 * Each runs once, in order, in a transaction of its own together with the new
 * number in PRAGMA user_version. A file that was released never changes.
 */
#pragma once
#include <stddef.h>

struct migration {
    int number;
    const char *name;
    const char *sql;
};
extern const struct migration migrations[]; /* rising numbers */
extern const size_t migrations_count;
