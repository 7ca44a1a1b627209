/* SPDX-License-Identifier: Apache-2.0 */
/* modules.c - api_modules, made of the list in modules.h, and the names that
 * belong to no module. */
#include "script/api/modules.h"
#include <stddef.h>

#define ROW(name) &name##_module,
const struct api_module *const api_modules[] = {API_MODULES(ROW) NULL};

static const struct api_call globals[] = {
    {"sleep", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(duration: Duration): boolean|nil, string?, string?",
     "Waits; other messages go on meanwhile. The same as time.sleep. At most "
     "\"30s\"; for longer waits use conv:after or a flow. Gives true, or nil, "
     "\"cancelled\" when a newer version of the script has taken over."
     "\n\nsleep \"2s\"",
     "1"},
    {"print", NULL, API_ANYWHERE, API_LUA, "(...: any)",
     "Writes a line to the log; the same as log.info.", "1"},
    {"require", NULL, API_ANYWHERE, API_LUA, "(name: string): any",
     "Gives a module of the API (\"http\"), or what scripts/lib/words.lua "
     "returns (\"lib.words\"). The author's own libraries are loaded at the "
     "top of a file only; changing one reloads exactly the scripts that "
     "required it. In a *_test.lua \"tests.kit\" is tests/kit.lua beside it or "
     "above it."
     "\n\nlocal words = require \"lib.words\"",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module globals_module = {.name = "globals",
                                          .doc =
                                              "Names that belong to no module.",
                                          .calls = globals,
                                          .is_object = true};
