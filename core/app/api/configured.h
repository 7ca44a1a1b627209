/* SPDX-License-Identifier: Apache-2.0 */
/* configured.h - what a person sets up by its kind's schema: a channel, an
 * assistant. Its settings are kept as one JSON object, the secrets among them
 * apart, as member "config" of another; nobody is shown these.
 *
 * Thread: main.
 */
#pragma once
#include "app/api/api.h"
#include "app/kinds.h"

/* What it has; what is not JSON is nothing. config, secrets: as they are kept.
 * In c's arena. */
struct kind_values configured_values(struct call *c, struct slice config,
                                     struct slice secrets);
/* The body's config over what it has, checked; *config and *secrets (only those
 * of the settings) in c's arena. False: refused, and told. */
bool configured_settle(struct call *c, const struct kind *k,
                       struct kind_values was, struct slice *config,
                       struct slice *secrets);
/* The list of kinds: type, title, schema, and what put adds. */
void configured_reply_types(struct call *c, const struct kinds *kinds,
                            void (*put)(struct jsonw *w, const struct kind *k));
/* Would the body make it one of another type? Then that is refused. */
bool configured_keeps_type(struct call *c, struct slice type,
                           const char *sentence);
