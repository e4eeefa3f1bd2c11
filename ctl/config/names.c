/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names within scopes: keys of a map, ethernets, ports.  One table with open
 * addressing; the hash is seeded, so that no file can be made to be slow.
 */
#include "ctl/config/read.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static uint64_t hash(const struct names *t, const void *scope, const char *text)
{
    uint64_t h = t->seed ^ (uint64_t)(uintptr_t)scope * 0x9e3779b97f4a7c15U;

    for (; *text; text++) {
        h ^= (unsigned char)*text;
        h *= 0x100000001b3U;
        h ^= h >> 29;
    }
    return h ^ h >> 32;
}

/* Where it is, or the empty slot where it would be. */
static struct name *find(const struct names *t, const void *scope,
                         const char *text)
{
    size_t i = hash(t, scope, text) & (t->size - 1);

    for (;; i = (i + 1) & (t->size - 1)) {
        struct name *s = &t->slot[i];

        if (!s->text || (s->scope == scope && strcmp(s->text, text) == 0))
            return s;
    }
}

static int grow(struct reader *r)
{
    struct names *t = &r->names, bigger = *t;

    if (t->used * 2 < t->size)
        return 0;
    bigger.size = t->size ? t->size * 2 : 1024;
    bigger.slot = scratch(r, bigger.size * sizeof(*bigger.slot));
    if (!bigger.slot)
        return no_memory(r);
    if (!t->size)
        (void)!getrandom(&bigger.seed, sizeof(bigger.seed), GRND_NONBLOCK);
    for (size_t i = 0; i < t->size; i++)
        if (t->slot[i].text)
            *find(&bigger, t->slot[i].scope, t->slot[i].text) = t->slot[i];
    *t = bigger;
    return 0;
}

int names_put(struct reader *r, const void *scope, const char *text,
              const void *mine, const void **value)
{
    struct name *s;
    int rc = grow(r);

    if (rc)
        return rc;
    s = find(&r->names, scope, text);
    *value = s->value;
    if (s->text)
        return 0;
    *s = (struct name){scope, text, mine};
    r->names.used++;
    return 0;
}

const void *names_get(const struct reader *r, const void *scope,
                      const char *text)
{
    return r->names.size ? find(&r->names, scope, text)->value : NULL;
}
