/* SPDX-License-Identifier: Apache-2.0 */
/* xml.h - XML as a tree in an arena: a thin face over libxml2.
 *
 * Why a tree of our own: the library's memory is gone before Lua is called, so
 * that a script's error loses nothing. Namespaces are not looked at, a name is
 * what stands there ("soap:Body"). No DTD, no entities but the five, no
 * network, whatever the document says.
 *
 * Thread: any.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define XML_BYTES (1024 * 1024)
#define XML_DEPTH 32
#define XML_NODES 20000 /* elements, attributes and texts */
#define XML_ATTRS 64    /* of one element: the library's check is quadratic */

struct xml_attr {
    struct xml_attr *next;
    struct slice name, value;
};
struct xml_node {
    struct xml_node *parent, *next, *first, *last;
    struct xml_attr *attrs;
    struct slice name; /* at NULL: a text */
    struct slice text;
};
/* Returns 0 and the root element, or ERR_BAD_REQUEST, ERR_TOOBIG with a
 * sentence. */
int xml_read(struct arena *a, struct slice text, struct err *e,
             struct xml_node **root);
bool xml_is_name(struct slice name);
/* Appends the text with &lt; and the like, or as CDATA (a "]]>" in it is split);
 * characters that XML cannot hold are left out. ERR_TOOBIG. */
int xml_add_text(struct buf *out, struct slice text, bool cdata);
