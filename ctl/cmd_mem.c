/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods on mem ports: putting frames in, taking frames out, making them
 * fail.  Frames are hexadecimal; blanks, ':' and '-' between octets are
 * passed over.
 */
#include "ctl/call.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX      (65536 + 64)
#define COPIES_MAX     1000000
#define COLLECT_MAX    256 /* frames in one answer */
#define COLLECT_OCTETS (128UL << 10)

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Octets written, or -1: not hexadecimal, or more than FRAME_MAX. */
static int from_hex(const char *s, uint8_t *out)
{
    int n = 0;

    for (;;) {
        int hi, lo;

        while (*s == ' ' || *s == ':' || *s == '-')
            s++;
        if (*s == '\0')
            return n;
        hi = hex_digit(s[0]);
        lo = hi < 0 ? -1 : hex_digit(s[1]);
        if (lo < 0 || n == FRAME_MAX)
            return -1;
        out[n++] = (uint8_t)(hi << 4 | lo);
        s += 2;
    }
}

static json_t *to_hex(const uint8_t *p, int n)
{
    static const char digit[] = "0123456789abcdef";
    char *s = malloc((size_t)n * 2 + 1);
    json_t *v;

    if (!s)
        return NULL;
    for (int i = 0; i < n; i++) {
        s[2 * i] = digit[p[i] >> 4];
        s[2 * i + 1] = digit[p[i] & 15];
    }
    v = json_stringn_nocheck(s, (size_t)n * 2);
    free(s);
    return v;
}

/* 0 is answered with true, the rest with the errno's sentence. */
static void answer(struct call *c, int rc, const char *port)
{
    if (rc >= 0)
        call_ok(c, json_true());
    else if (rc == -EINVAL)
        call_fail(c, rc, "port", "port %.15s is no mem port", port);
    else
        call_fail(c, rc, "port", "port %.15s: %s", port, strerror(-rc));
}

void rpc_mem_inject(struct call *c)
{
    const char *name = rpc_string(c->params, "port");
    uint64_t copies = rpc_number(c->params, "copies", 1);
    struct bport *p;
    uint8_t *frame;
    int n;

    if (copies < 1 || copies > COPIES_MAX) {
        call_bad_params(c, "mem inject: copies: 1 to %d", COPIES_MAX);
        return;
    }
    p = call_port(c, name);
    if (!p)
        return;
    frame = malloc(FRAME_MAX);
    if (!frame) {
        call_fail(c, ENOMEM, NULL, "mem inject: out of memory");
        return;
    }
    n = from_hex(rpc_string(c->params, "frame"), frame);
    if (n < 0)
        call_bad_params(c,
                        "mem inject: the frame must be hexadecimal octets, "
                        "at most %d",
                        FRAME_MAX);
    else
        answer(c,
               bport_mem_inject(p, frame, (uint32_t)n, NULL, (unsigned)copies),
               name);
    free(frame);
}

/* Appends frames to 'list' while there are some and the answer is small. */
static int collect(struct bport *p, json_t *list, uint64_t max)
{
    uint8_t *frame = malloc(FRAME_MAX);
    size_t octets = 0;
    int n = frame ? 0 : -ENOMEM;

    for (uint64_t i = 0; i < max && n >= 0 && octets < COLLECT_OCTETS; i++) {
        n = bport_mem_collect(p, frame, FRAME_MAX, NULL);
        if (n >= 0 && json_array_append_new(list, to_hex(frame, n)) < 0)
            n = -ENOMEM;
        octets += n > 0 ? (size_t)n : 0;
    }
    free(frame);
    return n == -EAGAIN ? 0 : n;
}

void rpc_mem_collect(struct call *c)
{
    const char *name = rpc_string(c->params, "port");
    uint64_t max = rpc_number(c->params, "max", COLLECT_MAX);
    struct bport *p = call_port(c, name);
    json_t *list;
    int rc;

    if (!p)
        return;
    list = json_array();
    rc = collect(p, list, max < COLLECT_MAX ? max : COLLECT_MAX);
    if (rc < 0) {
        json_decref(list);
        answer(c, rc, name);
        return;
    }
    call_ok(c, list);
}

void rpc_mem_fail_after(struct call *c)
{
    const char *name = rpc_string(c->params, "port");
    json_int_t n = json_integer_value(json_object_get(c->params, "frames"));
    struct bport *p;

    if (n < -1) {
        call_bad_params(c, "mem fail-after: frames: 0 or more, or -1: never");
        return;
    }
    p = call_port(c, name);
    if (p)
        answer(c, bport_mem_fail_after(p, n), name);
}
