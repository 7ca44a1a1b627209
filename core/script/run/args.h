/* SPDX-License-Identifier: Apache-2.0 */
/* args.h - what a handler is called with, by hook. */
#pragma once
#include "script/run/task.h"

/* Pushes the arguments of the task's hook on its coroutine; returns how many.
 * Outside of script code: no memory limit holds, nothing is raised. */
int args_push(struct task *t);
