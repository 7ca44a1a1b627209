/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - a JSON schema's everyday part: type, properties, required, items,
 * enum, minimum, maximum, minLength, maxLength. Pure. */
#pragma once
#include "base/json.h"

/* Is the value as the schema says? ERR_UNPROCESSABLE: e names what is not. */
int schema_check(const struct json *schema, const struct json *value,
                 struct err *e);
