/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.h - a channel's adapter: what its file says, how it is called.
 *
 * A file below channels/ is a unit like any other; its functions are not part
 * of the pipeline but called one at a time with a job that has a call.
 */
#pragma once
#include "script/load/unit.h"
#include "script/run/task.h"

bool adapter_is(const struct version *v);
/* A field of its table, the value on top of the stack: 1 = read, 0 = not one
 * of an adapter's, or ERR_UNPROCESSABLE with e. */
int adapter_field(struct version *v, const char *name, struct err *e);
/* All fields were read: 0 and v->adapter is made, or ERR_UNPROCESSABLE. */
int adapter_check(struct version *v, struct err *e);

/* Pushes the arguments of job->call's function; how many. */
int adapter_args(struct task *t);
/* What it returned is on the coroutine's stack: into job->call. NULL, or a
 * sentence why it makes no sense. */
const char *adapter_take(struct task *t);
