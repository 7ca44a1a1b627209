/* SPDX-License-Identifier: Apache-2.0 */
/* runner.h - what the runner's own files share. */
#pragma once
#include "app/testing/people.h"

struct found { /* sorted by path */
    char **at;
    size_t count, cap;
};
/* Adds the tests at a path, or below it. False: there is nothing there. */
bool found_add(struct found *f, const char *path, bool talks);
void found_sort(struct found *f); /* and each once */
void found_fini(struct found *f);
bool is_talk(const char *path);
/* The closest folder above with scripts/ in it, else `otherwise`. */
void home_of(const char *path, const char *otherwise, char *out, size_t max);

/* Plays a talk with the program itself, in a process of its own. */
void talk_run(const char *file, const char *home, struct report *r);
