/* SPDX-License-Identifier: Apache-2.0 */
/* flow_types.c - the tables that flow.choose and flow.saga take, for the
 * reference and the editors. */
#include "script/api/modules.h"
#include <stddef.h>

#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, 0, API_FIELD, type, doc, "1"                               \
    }
#define END                                                                    \
    {                                                                          \
        NULL, NULL, 0, 0, NULL, NULL, NULL                                     \
    }

static const struct api_call choice[] = {
    FIELD("prompt", "string", "What is asked; the options are put below it."),
    FIELD("options", "(string|{ label: string, value?: any })[]",
          "1 to 50. A text is its own value."),
    FIELD("tries", "integer|nil", "How often it is asked; default 3."),
    FIELD("timeout", "Duration|nil", "For each answer; default: for ever."),
    FIELD("again", "string|nil", "The prompt from the second time on."),
    FIELD("name", "string|nil", "What the log calls it; default: the prompt."),
    END};
const struct api_module choice_module = {.name = "Choice",
                                         .doc = "What flow.choose asks.",
                                         .calls = choice,
                                         .is_object = true};

static const struct api_call saga_step[] = {
    FIELD("name", "string", "Another one for each step of the saga."),
    FIELD("run", "fun(data: any, results: table<string, any>): ...",
          "Does it. results are those of the steps before, by name. nil, code, "
          "detail or an error: it failed."),
    FIELD("undo", "nil|fun(data: any, result: any): ...",
          "Undoes it, when a later step has failed for good. Must work in the "
          "end."),
    FIELD("retry", "integer|nil", "How often run is tried again; default 0."),
    FIELD("backoff", "Duration|nil",
          "Before it is tried again, doubled each time; default \"5s\"."),
    END};
const struct api_module saga_step_module = {.name = "SagaStep",
                                            .doc = "A step of flow.saga.",
                                            .calls = saga_step,
                                            .is_object = true};
