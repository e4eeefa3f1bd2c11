/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cursor over bytes that knows its end.  All parsing of packet memory goes
 * through it: a read that would pass the end fails and moves nothing, so a
 * parser needs no pointer arithmetic and cannot leave the frame.
 *
 * The bytes belong to the caller and must outlive the cursor.  Any thread.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct cursor cursor_over(const void *bytes, size_t n)
{
    struct cursor c = {.at = bytes, .end = (const uint8_t *)bytes + n};

    return c;
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline bool cursor_skip(struct cursor *c, size_t n)
{
    if (cursor_left(c) < n)
        return false;
    c->at += n;
    return true;
}

static inline bool cursor_bytes(struct cursor *c, void *out, size_t n)
{
    if (cursor_left(c) < n)
        return false;
    memcpy(out, c->at, n);
    c->at += n;
    return true;
}

static inline bool cursor_u8(struct cursor *c, uint8_t *out)
{
    return cursor_bytes(c, out, 1);
}

/* Big-endian (network order) numbers. */
static inline bool cursor_be16(struct cursor *c, uint16_t *out)
{
    if (cursor_left(c) < 2)
        return false;
    *out = (uint16_t)(c->at[0] << 8 | c->at[1]);
    c->at += 2;
    return true;
}

static inline bool cursor_be32(struct cursor *c, uint32_t *out)
{
    if (cursor_left(c) < 4)
        return false;
    *out = (uint32_t)c->at[0] << 24 | (uint32_t)c->at[1] << 16 |
           (uint32_t)c->at[2] << 8 | c->at[3];
    c->at += 4;
    return true;
}

#endif
