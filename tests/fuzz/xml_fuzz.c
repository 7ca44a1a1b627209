/* SPDX-License-Identifier: Apache-2.0 */
/* xml_fuzz.c - any bytes: a tree within its limits, or a sentence; the texts of
 * a tree are written and read again. */
#include "script/text/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t nodes;

static void look(const struct xml_node *n, int depth)
{
    must(depth <= XML_DEPTH);
    for (const struct xml_attr *a = n->attrs; a; a = a->next, nodes++)
        must(a->name.len && slice_is_utf8(a->value));
    for (const struct xml_node *c = n->first; c; c = c->next, nodes++) {
        must(c->parent == n && (c->next || n->last == c));
        must(slice_is_utf8(c->name.at ? c->name : c->text));
        if (c->name.at)
            look(c, depth + 1);
    }
}

static void write_again(struct arena *a, struct slice text, bool cdata)
{
    struct xml_node *root;
    struct buf out;
    buf_init(&out, XML_BYTES);
    must(buf_add_text(&out, "<r>") == 0);
    if (xml_add_text(&out, text, cdata) == 0 && buf_add_text(&out, "</r>") == 0)
        must(xml_read(a, buf_slice(&out), NULL, &root) == 0);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new();
    struct xml_node *root;
    struct err e = {0};
    struct slice s = {(const char *)data, n};
    if (xml_read(a, s, &e, &root) == 0) {
        nodes = 1;
        look(root, 1);
        must(nodes <= XML_NODES);
    } else {
        must(!root && e.text[0] && slice_is_utf8(slice_of(e.text)));
    }
    if (n < 10000 && slice_is_utf8(s)) {
        write_again(a, s, false);
        write_again(a, s, true);
    }
    arena_free(a);
    return 0;
}
