/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growing string with a bound, written at the end and taken from the
 * front: a client's output queue.
 *
 * Threads: its owner's.
 */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <jansson.h>
#include <stddef.h>

struct text {
    char *p;
    size_t head; /* first octet not yet taken */
    size_t len;  /* end */
    size_t cap;
};

static inline size_t text_size(const struct text *t)
{
    return t->len - t->head;
}

void text_free(struct text *t);

/* 0 or -ENOMEM with the text as it was before. */
int text_add(struct text *t, const char *s, size_t n);
int text_addf(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int text_json(struct text *t, const json_t *v);
/* A string value of any octets; NULL when out of memory. */
json_t *text_value(const char *s);
/* With quotes around it and JSON's escapes inside. */
int text_json_string(struct text *t, const char *s);

/* Drops n octets from the front; gives memory back when empty. */
void text_take(struct text *t, size_t n);
/* Cuts the end back to what text_size was at an earlier time. */
void text_cut(struct text *t, size_t size);

#endif
