/* SPDX-License-Identifier: Apache-2.0 */
/* templates.h - the starts that `yuelai new` writes: templates/KIND/FILE,
 * compiled in by CMake. Immutable. */
#pragma once

struct template
{
    const char *name, *text; /* "rule/@NAME@.lua" */
};
extern const struct template templates[]; /* name NULL at the end */
