/* SPDX-License-Identifier: Apache-2.0 */
/* json_others.h - the libraries we did not take, for the comparison. */
#pragma once
#include "base/buf.h"

void others_setup(void);
bool run_jansson(struct slice text);
bool run_cjson(struct slice text);
