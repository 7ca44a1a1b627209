/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c - malloc that aborts, and arenas cut from chunks.
 *
 * Happy path: arena_new takes a 2 KB chunk from the thread's cache, the arena
 * struct lies at its head, allocations move a pointer, arena_free gives the
 * chunks back to the cache of the thread that frees. When a chunk is full the
 * next one is twice as big (up to CHUNK_MOST); a request that would waste most
 * of a chunk gets one of its own, and the current one stays in use. An arena
 * for something that waits (arena_new_for) has a first chunk of that size and
 * goes on with small ones.
 *
 * Failure modes: no memory left aborts with a line on stderr. An arena freed
 * on another thread moves its chunks to that thread; each cache is bounded, so
 * a one-way flow of arenas cannot pile chunks up. A thread's cache is released
 * when it ends. Under ASan the cache is off and the unused part of a chunk is
 * poisoned with a gap behind each allocation, so that reading past the end and
 * use after free are caught.
 */
#include "base/mem.h"
#include "base/err.h"
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#define poison(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define GAP 8
#define CACHED_BYTES 0
#else
#define poison(p, n) ((void)0)
#define unpoison(p, n) ((void)0)
#define GAP 0
#define CACHED_BYTES (256u * 1024) /* per class and thread */
#endif

#define ARENA_MAGIC 0xA2E4A001u
#define CHUNK_LEAST 2048u
#define CHUNK_SMALL 512u /* the second of an arena for something that waits */
#define CHUNK_MOST (64u * 1024)
#define CLASSES 3 /* cached sizes: 2, 4 and 8 KB */

struct chunk {
    struct chunk *next;
    size_t size; /* with this head */
};

struct arena {
    unsigned magic;
    unsigned grow; /* size of the next ordinary chunk */
    struct chunk *chunks;
    char *at, *end;
    size_t bytes;
};

struct cache {
    struct chunk *free[CLASSES];
    unsigned count[CLASSES];
    bool known; /* its release at the thread's end is arranged */
};

static _Thread_local struct cache cache;
static pthread_key_t cache_key;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;
static atomic_llong live;

_Static_assert(sizeof(struct chunk) % 16 == 0, "data must be 16-aligned");

static _Noreturn void out_of_memory(size_t n)
{
    fprintf(stderr, "yuelai: out of memory (%zu bytes wanted)\n", n);
    abort();
}

void mem_setup(void)
{
    /* Each malloc arena keeps what its threads freed; two are enough for a
     * handful of threads and keep the resident size small. */
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    /* Fixed, or glibc raises it with each big free and never gives back. */
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

void *mem_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        out_of_memory(n);
    return p;
}

void *mem_resize(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q)
        out_of_memory(n);
    return q;
}

void mem_free(void *p)
{
    free(p);
}

char *mem_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

/* -- chunks ------------------------------------------------------------- */

static void cache_release(void *arg)
{
    struct cache *c = arg;
    for (int i = 0; i < CLASSES; i++) {
        for (struct chunk *k = c->free[i], *next; k; k = next) {
            next = k->next;
            free(k);
        }
        c->free[i] = NULL;
        c->count[i] = 0;
    }
    c->known = false; /* another destructor may still free an arena */
}

/* With the chunks this thread holds back. */
void mem_trim(void)
{
    bool known = cache.known;
    cache_release(&cache);
    cache.known = known;
    (void)malloc_trim(0);
}

static void cache_key_make(void)
{
    must(pthread_key_create(&cache_key, cache_release) == 0);
}

static int class_of(size_t size)
{
    for (int i = 0; i < CLASSES; i++)
        if (size == (size_t)CHUNK_LEAST << i)
            return i;
    return -1;
}

static struct chunk *chunk_new(size_t size)
{
    int class = class_of(size);
    struct chunk *k;
    if (class >= 0 && (k = cache.free[class]) != NULL) {
        cache.free[class] = k->next;
        cache.count[class]--;
        return k;
    }
    k = malloc(size);
    if (!k)
        out_of_memory(size);
    k->size = size;
    return k;
}

static void chunk_free(struct chunk *k)
{
    int class = class_of(k->size);
    unpoison(k + 1, k->size - sizeof *k);
    if (class < 0 || (cache.count[class] + 1) * k->size > CACHED_BYTES) {
        free(k);
        return;
    }
    if (!cache.known) {
        pthread_once(&cache_once, cache_key_make);
        must(pthread_setspecific(cache_key, &cache) == 0);
        cache.known = true;
    }
    k->next = cache.free[class];
    cache.free[class] = k;
    cache.count[class]++;
}

/* -- arenas ------------------------------------------------------------- */

static struct arena *begin(size_t size, unsigned grow)
{
    struct chunk *k = chunk_new(size);
    struct arena *a = (struct arena *)(k + 1);
    k->next = NULL;
    *a = (struct arena){
        .magic = ARENA_MAGIC,
        .grow = grow,
        .chunks = k,
        .at = (char *)a + ((sizeof *a + 15) & ~(size_t)15),
        .end = (char *)k + size,
        .bytes = size,
    };
    poison(a->at, (size_t)(a->end - a->at));
    atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return a;
}

struct arena *arena_new(void)
{
    return begin(CHUNK_LEAST, CHUNK_LEAST * 2);
}

struct arena *arena_new_for(size_t bytes)
{
    must(bytes < SIZE_MAX / 2);
    size_t heads = sizeof(struct chunk) + sizeof(struct arena) + GAP;
    return begin((heads + bytes + 31) & ~(size_t)15, CHUNK_SMALL);
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    must_be(a, ARENA_MAGIC);
    a->magic = 0;
    /* The arena lies in the last chunk of the list: read next first. */
    for (struct chunk *k = a->chunks, *next; k; k = next) {
        next = k->next;
        chunk_free(k);
    }
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
}

static char *chunk_add(struct arena *a, size_t size)
{
    struct chunk *k = chunk_new(size);
    k->next = a->chunks;
    a->chunks = k;
    a->bytes += size;
    poison(k + 1, size - sizeof *k);
    return (char *)(k + 1);
}

/* The current chunk has no room for n bytes. */
static char *take_slow(struct arena *a, size_t n)
{
    must(n < SIZE_MAX / 2);
    if (n + GAP + sizeof(struct chunk) > a->grow / 2)
        return chunk_add(a,
                         (n + GAP + sizeof(struct chunk) + 15) & ~(size_t)15);
    char *p = chunk_add(a, a->grow);
    a->at = p + n + GAP;
    a->end = p + a->grow - sizeof(struct chunk);
    if (a->grow < CHUNK_MOST)
        a->grow *= 2;
    return p;
}

static inline char *take(struct arena *a, size_t n, size_t align)
{
    must_be(a, ARENA_MAGIC);
    char *p = (char *)(((uintptr_t)a->at + align - 1) & ~(align - 1));
    if (p > a->end || (size_t)(a->end - p) < n + GAP || n > SIZE_MAX / 2)
        p = take_slow(a, n);
    else
        a->at = p + n + GAP;
    unpoison(p, n);
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    return memset(take(a, n, 16), 0, n);
}

char *arena_text(struct arena *a, size_t n)
{
    return take(a, n, GAP ? GAP : 1);
}

size_t arena_bytes(const struct arena *a)
{
    return a->bytes;
}

int64_t arena_live(void)
{
    return atomic_load_explicit(&live, memory_order_relaxed);
}
