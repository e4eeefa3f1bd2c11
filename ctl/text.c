/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP 4096 /* what an idle client may hold on to */

void text_free(struct text *t)
{
    free(t->p);
    memset(t, 0, sizeof(*t));
}

static int reserve(struct text *t, size_t n)
{
    size_t want = t->cap ? t->cap : KEEP;
    char *p;

    if (t->cap - t->len >= n)
        return 0;
    if (t->head > 0) {
        memmove(t->p, t->p + t->head, text_size(t));
        t->len -= t->head;
        t->head = 0;
        if (t->cap - t->len >= n)
            return 0;
    }
    while (want - t->len < n)
        want *= 2;
    p = realloc(t->p, want);
    if (!p)
        return -ENOMEM;
    t->p = p;
    t->cap = want;
    return 0;
}

int text_add(struct text *t, const char *s, size_t n)
{
    if (reserve(t, n) < 0)
        return -ENOMEM;
    memcpy(t->p + t->len, s, n);
    t->len += n;
    return 0;
}

int text_addf(struct text *t, const char *fmt, ...)
{
    char small[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0)
        return -EINVAL;
    if ((size_t)n < sizeof(small))
        return text_add(t, small, (size_t)n);
    if (reserve(t, (size_t)n + 1) < 0)
        return -ENOMEM;
    va_start(ap, fmt);
    vsnprintf(t->p + t->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->len += (size_t)n;
    return 0;
}

static int add_chunk(const char *s, size_t n, void *arg)
{
    return text_add(arg, s, n) < 0 ? -1 : 0;
}

int text_json(struct text *t, const json_t *v)
{
    size_t before = text_size(t);

    if (json_dump_callback(v, add_chunk, t, JSON_COMPACT | JSON_ENCODE_ANY)) {
        text_cut(t, before);
        return -ENOMEM;
    }
    return 0;
}

/* Names are octets: those that are not UTF-8 are shown as Latin-1. */
json_t *text_value(const char *s)
{
    json_t *v = json_string(s);
    char buf[2 * 256];
    size_t n = 0;

    if (v)
        return v;
    for (; *s && n < sizeof(buf) - 2; s++) {
        unsigned char c = (unsigned char)*s;

        if (c >= 0x80) {
            buf[n++] = (char)(0xc0 | c >> 6);
            c = (unsigned char)(0x80 | (c & 0x3f));
        }
        buf[n++] = (char)c;
    }
    return json_stringn(buf, n);
}

static bool is_plain(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s >= 0x80)
            return false;
    }
    return true;
}

int text_json_string(struct text *t, const char *s)
{
    char buf[256];
    size_t n = 0, before = text_size(t);

    if (!is_plain(s)) {
        json_t *v = text_value(s);
        int rc = v ? text_json(t, v) : -ENOMEM;

        json_decref(v);
        return rc;
    }
    buf[n++] = '"';
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (n > sizeof(buf) - 8) {
            if (text_add(t, buf, n) < 0)
                goto fail;
            n = 0;
        }
        if (c == '"' || c == '\\') {
            buf[n++] = '\\';
            buf[n++] = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            n += (size_t)snprintf(buf + n, 7, "\\u%04x", c);
        } else {
            buf[n++] = (char)c;
        }
    }
    buf[n++] = '"';
    if (text_add(t, buf, n) == 0)
        return 0;
fail:
    text_cut(t, before);
    return -ENOMEM;
}

void text_take(struct text *t, size_t n)
{
    t->head += n;
    if (t->head < t->len)
        return;
    t->head = t->len = 0;
    if (t->cap > KEEP)
        text_free(t);
}

void text_cut(struct text *t, size_t size)
{
    t->len = t->head + size;
}
