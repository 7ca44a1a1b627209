/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - intrusive list, and a map from 64-bit or text keys to pointers. */
#pragma once
#include "base/buf.h"

/* Doubly linked, intrusive; a head points at itself when empty. */
struct list {
    struct list *next, *prev;
};
static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_add_last(struct list *head, struct list *n)
{
    n->prev = head->prev;
    n->next = head;
    head->prev->next = n;
    head->prev = n;
}
/* n is in no list afterwards; taking out twice is harmless. */
static inline void list_remove(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = n;
}
#define list_each(head, n)                                                     \
    for (struct list *n = (head)->next, *n##_next = n->next; n != (head);      \
         n = n##_next, n##_next = n->next)

/* Open addressing; values are never NULL. Text keys are borrowed from the
 * value, which must keep them unchanged while it is in the map. */
struct map {
    struct map_slot *slots;
    size_t count, cap;
};
void map_init(struct map *m);
void map_fini(struct map *m);                     /* values are the caller's */
void *map_get(const struct map *m, uint64_t key); /* borrows, or NULL */
void *map_get_text(const struct map *m, struct slice key);
void map_put(struct map *m, uint64_t key, void *value); /* replaces */
void map_put_text(struct map *m, struct slice key, void *value);
void *map_take(struct map *m, uint64_t key); /* removes; NULL if absent */
void *map_take_text(struct map *m, struct slice key);
/* for (size_t i = 0; (v = map_next(m, &i)) != NULL;) - any order; do not add
 * while walking, taking out the current one is fine. */
void *map_next(const struct map *m, size_t *i);
uint64_t hash_bytes(const void *p, size_t n); /* keyed per process */
