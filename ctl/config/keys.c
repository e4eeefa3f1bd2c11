/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sentences with their places, and maps read by tables of keys.
 */
#include "ctl/config/read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- sentences ---- */

struct shown show(const char *text)
{
    struct shown s;
    size_t n = strnlen(text, sizeof(s.text));

    if (n == sizeof(s.text)) {
        n -= 4;
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--; /* whole characters only */
        snprintf(s.text, sizeof(s.text), "%.*s...", (int)n, text);
    } else {
        memcpy(s.text, text, n + 1);
    }
    for (char *c = s.text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return s;
}

/* The end of a long path is what tells files apart. */
struct place place(const struct conf_pos *pos)
{
    struct place p;
    size_t n = strlen(pos->file), most = sizeof(p.text) - 32;
    const char *tail = n > most ? pos->file + (n - most) : pos->file;

    while (tail != pos->file && ((unsigned char)*tail & 0xc0) == 0x80)
        tail++;
    snprintf(p.text, sizeof(p.text), "%s%s:%u:%u",
             tail == pos->file ? "" : "...", tail, pos->line, pos->column);
    for (char *c = p.text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return p;
}

static int say(struct reader *r, const struct conf_pos *pos, const char *key,
               const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));

static int say(struct reader *r, const struct conf_pos *pos, const char *key,
               const char *fmt, va_list ap)
{
    char text[ERR_TEXT_MAX];

    vsnprintf(text, sizeof(text), fmt, ap);
    return err_set(r->e, EINVAL, "%s: %s%s%s", place(pos).text, key,
                   *key ? ": " : "", text);
}

int bad_at(struct reader *r, const struct conf_pos *pos, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = say(r, pos, "", fmt, ap);
    va_end(ap);
    return rc;
}

int bad(struct reader *r, const struct node *n, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = say(r, &n->pos, n->key ? SHOW(n->key->text) : "", fmt, ap);
    va_end(ap);
    return rc;
}

int bad_twice(struct reader *r, const struct node *n, const struct node *first)
{
    return bad(r, n, "written twice; it was in %s already", PLACE(first));
}

int no_memory(struct reader *r)
{
    return err_set(r->e, ENOMEM, "no memory for the configuration");
}

void *scratch(struct reader *r, size_t n)
{
    return conf_alloc(r->scratch, n);
}

char *scratch_text(struct reader *r, const char *text)
{
    return conf_text(r->scratch, text);
}

/* ---- which key was meant ---- */

#define WORD_MAX 48

/* Insertions, deletions, changes and swaps that make one of the other. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[3][WORD_MAX + 1];
    size_t na = strlen(a), nb = strlen(b);

    if (na > WORD_MAX || nb > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= nb; j++)
        row[0][j] = j;
    for (unsigned i = 1; i <= na; i++) {
        unsigned *now = row[i % 3], *last = row[(i + 2) % 3];
        const unsigned *before = row[(i + 1) % 3];

        now[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[na % 3][nb];
}

/* The key most like 'text', if any is like it. */
static const char *nearest(const char *text, const struct keys *set,
                           unsigned n_sets)
{
    unsigned best = (unsigned)strlen(text) / 3 + 1;
    const char *name = NULL;

    for (unsigned s = 0; s < n_sets; s++) {
        for (const struct key *k = set[s].key; k->name; k++) {
            unsigned d = distance(text, k->name);

            if (strlen(text) > 3 && strncmp(text, k->name, strlen(text)) == 0)
                d = 1;
            if (d <= best && (!name || d < best)) {
                best = d;
                name = k->name;
            }
        }
    }
    return name;
}

static int unknown(struct reader *r, const struct node *key, const char *what,
                   const struct keys *set, unsigned n_sets)
{
    const char *meant = nearest(key->text, set, n_sets);
    char known[160] = "";
    size_t used = 0;

    if (meant)
        return bad(r, key, "%s has no such key; did you mean %s?", what, meant);
    for (unsigned s = 0; s < n_sets; s++)
        for (const struct key *k = set[s].key; k->name; k++)
            if (k->read && used < sizeof(known))
                used += (size_t)snprintf(known + used, sizeof(known) - used,
                                         "%s%s", used ? ", " : "", k->name);
    return bad(r, key, "%s has no such key%s%s", what,
               used < sizeof(known) ? "; it has " : "",
               used < sizeof(known) ? known : "");
}

/* ---- maps ---- */

const struct node *node_child(const struct node *map, const char *name)
{
    if (map->type != NODE_MAP)
        return NULL;
    node_each (map, key)
        if (strcmp(key->text, name) == 0)
            return key->value;
    return NULL;
}

static const char *sort_of(const struct node *n)
{
    static const char *const sort[] = {"a single value", "a list", "a map"};

    return value_null(n) ? "nothing" : sort[n->type];
}

int want_map(struct reader *r, const struct node *n)
{
    if (n->type == NODE_MAP)
        return 0;
    return bad(r, n,
               "expected a map (\"key: value\" lines below, or {}), "
               "found %s; check the indentation",
               sort_of(n));
}

int want_list(struct reader *r, const struct node *n)
{
    if (n->type == NODE_LIST)
        return 0;
    return bad(r, n,
               "expected a list (\"- item\" lines below, or [item, ...]), "
               "found %s",
               sort_of(n));
}

static int read_one(struct reader *r, const struct node *key,
                    const struct keys *s, const struct key *k)
{
    const struct node **seen = s->seen ? &s->seen[k - s->key] : NULL;

    if (!k->read)
        return bad(r, key, "%s", k->why);
    if (seen && *seen)
        return bad_twice(r, key, *seen);
    if (seen)
        *seen = key;
    return k->read(r, key->value, s->to, k);
}

static int read_key(struct reader *r, const struct node *key, const char *what,
                    const struct keys *set, unsigned n_sets)
{
    for (unsigned s = 0; s < n_sets; s++)
        for (const struct key *k = set[s].key; k->name; k++)
            if (strcmp(k->name, key->text) == 0)
                return read_one(r, key, &set[s], k);
    return unknown(r, key, what, set, n_sets);
}

int keys_read(struct reader *r, const struct node *map, const char *what,
              const struct keys *set, unsigned n_sets)
{
    int rc = want_map(r, map);

    if (rc)
        return rc;
    node_each (map, key) {
        rc = read_key(r, key, what, set, n_sets);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- readers ---- */

int key_switch(struct reader *r, const struct node *v, void *to,
               const struct key *k)
{
    enum conf_switch *s = (void *)((char *)to + k->at);
    bool on;
    int rc = value_switch(r, v, &on);

    if (!rc)
        *s = on ? CONF_ON : CONF_OFF;
    return rc;
}

int key_either(struct reader *r, const struct node *v, void *to,
               const struct key *k)
{
    bool on;

    (void)to;
    (void)k;
    return value_switch(r, v, &on);
}

int key_only_no(struct reader *r, const struct node *v, void *to,
                const struct key *k)
{
    bool on;
    int rc = value_switch(r, v, &on);

    (void)to;
    if (rc || !on)
        return rc;
    return bad(r, v, "%s", k->why);
}

int key_only_empty(struct reader *r, const struct node *v, void *to,
                   const struct key *k)
{
    int rc = want_list(r, v);

    (void)to;
    if (rc || v->n == 0)
        return rc;
    return bad(r, v, "%s", k->why);
}
