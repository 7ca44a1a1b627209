/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - words, forms and charsets of texts: a thin face over ICU.
 *
 * Why: Chinese has no blanks between words, full-width forms and two scripts;
 * mail and old platforms speak GBK. Everything here is pure: text in, text
 * out, nothing of the caller's is kept. What ICU needs lives once a thread.
 *
 * Thread: any.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define TEXT_WORDS_BYTES (64 * 1024)  /* to be segmented: about 9 ms */
#define TEXT_CHARS_BYTES (256 * 1024) /* to be counted: about 11 ms */
#define TEXT_ALIKE_BYTES (64 * 1024)  /* to be compared */
#define TEXT_OUT_BYTES (2 * 1024 * 1024)
#define TEXT_CHARSET 64 /* longest name, with NUL */

/* The code point at *i, which moves behind it; U+FFFD and one byte for what is
 * not UTF-8. */
uint32_t text_next(struct slice s, size_t *i);
/* At most 4 bytes; returns how many. */
size_t text_put(uint32_t c, char out[4]);

/* --- breaks (text_break.c) --- */
struct text_piece {
    uint32_t from, to; /* bytes */
    bool is_word;      /* letters, digits, Han ...; not blanks and signs */
    bool is_han;       /* ideographs and kana */
};
/* Words and what is between them, all of s, in the arena. */
void text_words(struct slice s, struct arena *a, struct text_piece **out,
                size_t *count);
/* Characters as people count them: a family of emoji is one. */
size_t text_count(struct slice s);
/* Byte where character n begins (0 = the first), s.len behind the last. */
size_t text_offset(struct slice s, size_t n);

/* --- forms (text_form.c) --- */
enum text_form {
    TEXT_NFC,
    TEXT_NFD,
    TEXT_NFKC, /* full-width letters and signs become plain ones */
    TEXT_NFKD,
    TEXT_FOLD /* NFKC and no case */
};
/* Appends; ERR_TOOBIG. */
int text_normal(struct slice s, enum text_form form, struct arena *a,
                struct buf *out);
/* One code point without case, width and traditional form; one for one. */
uint32_t text_fold_point(uint32_t c);
uint32_t text_simplified(uint32_t c); /* text_hans.c */
struct slice text_trim(struct slice s);
/* 0 = nothing in common, 1 = the same but for case, width, script, blanks and
 * signs: Dice's coefficient over pairs of neighbouring characters. */
double text_alike(struct slice a, struct slice b, struct arena *scratch);

/* --- charsets (text_charset.c) --- */
/* Appends bytes as another charset. strict: what cannot be is ERR_BAD_REQUEST,
 * else it becomes U+FFFD or '?'. ERR_UNSUPPORTED: no such charset. */
int text_convert(struct slice from, struct slice to, struct slice bytes,
                 bool strict, struct buf *out);
/* As mail needs it: GB2312 and GBK are read as GB18030, Latin 1 as Windows
 * 1252; no or an unknown charset: UTF-8 if it is that, else what it looks like.
 * Always gives UTF-8. */
int text_to_utf8(struct slice charset, struct slice bytes, struct buf *out);
/* The likely charset's name in lower case and 0..1 how sure. */
double text_detect(struct slice bytes, char name[TEXT_CHARSET]);
