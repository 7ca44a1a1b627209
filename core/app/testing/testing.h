/* SPDX-License-Identifier: Apache-2.0 */
/* testing.h - `yuelai test`: the rooms of the test runner.
 *
 * Why: who writes a rule wants to know within a second whether it does what it
 * should, and why not. So the *_test.lua beside a script runs in the real
 * sandbox, against the real desk, store and script engine, in one process; only
 * time, other people's servers and models are made up.
 *
 *   runner    finds files, runs tests one after the other, tells the report
 *   stage     a house without sockets: loop, store, desk, scripts, held time
 *   people    visitors and agents on a stage, what they see and say
 *   steps*    one function a step of a test (script/lua/test_house.lua)
 *   fakes     answers of made-up servers and models; fixtures: kept ones
 *   report    what people read; junit: what machines read
 *
 * A reload that wants the tests of one changed script runs, in a process of
 * its own (nothing a test does can touch a serving house):
 *
 *   yuelai test --home HOME --only rules/20-refund --source CANDIDATE.lua
 *               --json --no-talk [PATH_TEST.lua]
 *
 * CANDIDATE stands in place of scripts/rules/20-refund.lua; without PATH the
 * unit's own *_test.lua runs. Exit code 0 = passed (or there is none), 1 =
 * failed, 2 = could not run. Standard output is one JSON object:
 *   {"passed":1,"failed":1,"pending":0,"tests":[{"name","file","line","state",
 *    "ms","message"?,"expected"?,"actual"?,"at"?}]}
 *
 * Thread: the command's main thread; it blocks in loop_run until what it wants
 * has come.
 */
#pragma once
#include "app/testing/report.h"
#include "base/json.h"

struct runner_conf {
    const char *home;         /* where files of no closer home belong */
    const char *const *paths; /* files or folders; none: the home's */
    int path_count;           /* */
    const char *filter;       /* part of a test's name, or NULL */
    const char *only;         /* one unit by name, or NULL */
    const char *source;       /* its text is in this file, or NULL */
    const char *junit;        /* path, or NULL */
    bool record, fail_fast, no_talk, json;
};
/* Runs all that conf names, once, and tells the report; the exit code. */
int runner_run(const struct runner_conf *conf, struct report *r);
/* Again and again when a file below changes, until interrupted. */
int runner_watch(const struct runner_conf *conf);
