/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/config/pool.h"

#include "ctl/config/load.h"

#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN (64UL << 10)

/* Blocks grow with what there is, so that there are few of them. */
struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

struct conf_pool {
    struct block *block;
    size_t total;
    struct conf_notice **notice_tail;
};

struct conf *conf_new(void)
{
    struct conf *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->pool = calloc(1, sizeof(*c->pool));
    if (!c->pool) {
        free(c);
        return NULL;
    }
    c->pool->notice_tail = &c->notice;
    return c;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    for (struct block *b = c->pool->block, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(c->pool);
    free(c);
}

static struct block *add_block(struct conf_pool *p, size_t n)
{
    size_t size = p->total > BLOCK_MIN ? p->total : BLOCK_MIN;
    struct block *b;

    if (size < n)
        size = n;
    b = calloc(1, sizeof(*b) + size);
    if (!b)
        return NULL;
    b->size = size;
    b->next = p->block;
    p->block = b;
    p->total += size;
    return b;
}

void *conf_alloc(struct conf *c, size_t n)
{
    struct conf_pool *p = c->pool;
    struct block *b = p->block;
    size_t step = alignof(max_align_t);
    void *at;

    if (n > SIZE_MAX / 4)
        return NULL;
    n = (n + step - 1) / step * step;
    if (!b || b->size - b->used < n)
        b = add_block(p, n);
    if (!b)
        return NULL;
    at = b->bytes + b->used;
    b->used += n;
    return at;
}

char *conf_text(struct conf *c, const char *text)
{
    size_t n = strlen(text) + 1;
    char *t = conf_alloc(c, n);

    return t ? memcpy(t, text, n) : NULL;
}

int conf_note(struct conf *c, const char *fmt, ...)
{
    struct conf_notice *n = conf_alloc(c, sizeof(*n));
    va_list ap;
    char *text = NULL;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n && len >= 0)
        text = conf_alloc(c, (size_t)len + 1);
    if (!text)
        return -ENOMEM;
    va_start(ap, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, ap);
    va_end(ap);
    n->text = text;
    *c->pool->notice_tail = n;
    c->pool->notice_tail = &n->next;
    return 0;
}
