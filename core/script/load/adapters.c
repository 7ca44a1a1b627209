/* SPDX-License-Identifier: Apache-2.0 */
/* adapters.c - what serving adapters, connectors and tools say of themselves.
 *
 * Happy path: one JSON object a unit below channels/ or ai/, made when it was loaded
 * (version's adapter). Failure: the caller's buffer is too small (ERR_TOOBIG).
 */
#include "base/json.h"
#include "script/inside.h"
#include "script/script.h"

static int say(struct script *s, const char *folder, struct buf *out)
{
    struct jsonw w = jsonw_on(out);
    struct unit *u;
    jsonw_open(&w, '[');
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        if (u->version && u->version->adapter.len &&
            slice_starts(u->version->name, folder))
            jsonw_raw(&w, u->version->adapter);
    jsonw_close(&w, ']');
    return w.failed;
}

int script_channels(struct script *s, struct buf *out)
{
    return say(s, "channels/", out);
}

int script_assistants(struct script *s, struct buf *out)
{
    return say(s, "ai/", out);
}
