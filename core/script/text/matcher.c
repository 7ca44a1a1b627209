/* SPDX-License-Identifier: Apache-2.0 */
/* matcher.c - a tree of words with a way back from each node.
 *
 * Happy path: nodes are numbers, an edge is a slot of one hash table (node and
 * byte -> node), so a step costs the same whatever the words are. A node knows
 * its longest end that is a node, too (fail), and the next word that ends
 * there (out). Failure modes: none; sizes are checked before it is built.
 */
#include "script/text/matcher.h"
#include "base/err.h"
#include "script/text/text.h"

#define MAGIC 0x6d617463u
#define ROOT 0u
#define POINTS (MATCHER_WORD_BYTES + 1) /* the longest word's characters */

struct node {
    uint32_t fail, out; /* out: nearest of the fails that ends a word */
    uint32_t word;      /* index + 1, 0 = none ends here */
    uint32_t points;    /* characters from the root */
};
struct edge {
    uint32_t key, to; /* key 0 = empty: words have no byte 0 */
};
struct matcher {
    unsigned magic;
    uint32_t nodes, mask;
    struct node *node;
    struct edge *edge;
};

/* Folding may make a character longer by a byte. */
static size_t nodes_of(size_t bytes)
{
    return bytes * 2 + 1;
}

static size_t edges_of(size_t bytes)
{
    size_t n = 16;
    while (n < nodes_of(bytes) * 3 / 2)
        n *= 2;
    return n;
}

size_t matcher_room(size_t bytes)
{
    return sizeof(struct matcher) + nodes_of(bytes) * sizeof(struct node) +
           edges_of(bytes) * sizeof(struct edge);
}

static struct edge *slot(const struct matcher *m, uint32_t from,
                         unsigned char byte)
{
    uint32_t key = from << 8 | byte;
    uint32_t i = (key * 2654435769u) >> 7 & m->mask;
    while (m->edge[i].key && m->edge[i].key != key)
        i = (i + 1) & m->mask;
    return &m->edge[i];
}

/* ROOT = there is no such edge. */
static uint32_t step(const struct matcher *m, uint32_t from, unsigned char byte)
{
    return byte ? slot(m, from, byte)->to : ROOT;
}

/* --- building ------------------------------------------------------------- */

struct origin { /* of a node, only while it is built */
    uint32_t parent;
    uint16_t depth;
    unsigned char byte;
};

static uint32_t add_node(struct matcher *m, struct origin *origin,
                         uint32_t parent, unsigned char byte)
{
    struct edge *e = slot(m, parent, byte);
    if (e->key)
        return e->to;
    uint32_t n = m->nodes++;
    e->key = parent << 8 | byte;
    e->to = n;
    origin[n] =
        (struct origin){parent, (uint16_t)(origin[parent].depth + 1), byte};
    m->node[n].points = m->node[parent].points;
    return n;
}

static void add_word(struct matcher *m, struct origin *origin,
                     struct slice word, size_t index)
{
    uint32_t at = ROOT;
    for (size_t i = 0; i < word.len;) {
        char bytes[4];
        size_t n = text_put(text_fold_point(text_next(word, &i)), bytes);
        uint32_t points = m->node[at].points + 1;
        for (size_t k = 0; k < n; k++)
            at = add_node(m, origin, at, (unsigned char)bytes[k]);
        m->node[at].points = points;
    }
    if (!m->node[at].word)
        m->node[at].word = (uint32_t)index + 1;
}

static void link_back(struct matcher *m, const struct origin *origin,
                      uint32_t n)
{
    uint32_t to = ROOT, up = origin[n].parent;
    while (up != ROOT && to == ROOT) {
        up = m->node[up].fail;
        to = step(m, up, origin[n].byte);
    }
    m->node[n].fail = to;
    m->node[n].out = m->node[to].word ? to : m->node[to].out;
}

/* Shorter ones first: a way back leads to a shorter one. */
static void link_all(struct matcher *m, const struct origin *origin,
                     struct arena *scratch)
{
    uint32_t first[2 * MATCHER_WORD_BYTES + 2] = {0};
    uint32_t *order = arena_many(scratch, uint32_t, m->nodes);
    for (uint32_t n = 1; n < m->nodes; n++)
        first[origin[n].depth + 1]++;
    for (size_t d = 1; d < sizeof first / sizeof first[0]; d++)
        first[d] += first[d - 1];
    for (uint32_t n = 1; n < m->nodes; n++)
        order[first[origin[n].depth]++] = n;
    for (uint32_t i = 0; i + 1 < m->nodes; i++)
        link_back(m, origin, order[i]);
}

struct matcher *matcher_build(void *room, const struct slice *words,
                              size_t count, size_t bytes, struct arena *scratch)
{
    struct matcher *m = room;
    m->magic = MAGIC;
    m->nodes = 1;
    m->mask = (uint32_t)edges_of(bytes) - 1;
    m->node = (struct node *)(m + 1);
    m->edge = (struct edge *)(m->node + nodes_of(bytes));
    struct origin *origin = arena_many(scratch, struct origin, nodes_of(bytes));
    for (size_t i = 0; i < count; i++)
        add_word(m, origin, words[i], i);
    link_all(m, origin, scratch);
    return m;
}

/* --- searching ------------------------------------------------------------ */

struct best {
    bool found;
    uint64_t from; /* in characters */
    uint32_t points, word;
    size_t to;
};

/* The words that end with the character just read; `seen` characters so far. */
static void look(const struct matcher *m, uint32_t at, uint64_t seen, size_t to,
                 struct best *b)
{
    uint32_t n = m->node[at].word ? at : m->node[at].out;
    uint32_t points = m->node[n].points;
    uint64_t from = seen - points;
    /* The others that end here are shorter and begin later. */
    if (n == ROOT || (b->found && (from > b->from ||
                                   (from == b->from && points <= b->points))))
        return;
    *b = (struct best){true, from, points, m->node[n].word - 1, to};
}

static uint32_t advance(const struct matcher *m, uint32_t at,
                        unsigned char byte, size_t *steps)
{
    for (;;) {
        uint32_t to = step(m, at, byte);
        if (*steps)
            --*steps;
        if (to != ROOT || at == ROOT)
            return to;
        at = m->node[at].fail;
    }
}

bool matcher_find(const struct matcher *m, struct slice text, size_t from,
                  size_t *steps, struct matcher_hit *out)
{
    size_t starts[POINTS]; /* of the last characters */
    struct best b = {0};
    uint32_t at = ROOT;
    uint64_t seen = 0;
    must_be(m, MAGIC);
    for (size_t i = from; i<text.len && * steps> 0;) {
        char bytes[4];
        starts[seen % POINTS] = i;
        size_t n = text_put(text_fold_point(text_next(text, &i)), bytes);
        for (size_t k = 0; k < n; k++)
            at = advance(m, at, (unsigned char)bytes[k], steps);
        seen++;
        look(m, at, seen, i, &b);
        /* What could still come begins behind the best one. */
        if (b.found && seen - m->node[at].points > b.from)
            break;
    }
    if (!b.found)
        return false;
    out->from = starts[b.from % POINTS];
    out->to = b.to;
    out->word = b.word;
    return true;
}
