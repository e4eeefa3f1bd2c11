/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/snoop/snoop.h"

static bool same_ip(const struct snoop_claim *a, const struct snoop_claim *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static void take_out(struct snoop_table *t, unsigned i)
{
    t->entry[i] = t->entry[--t->n];
}

static struct snoop_entry *find(struct snoop_table *t,
                                const struct snoop_claim *c)
{
    for (unsigned i = 0; i < t->n; i++)
        if (same_ip(&t->entry[i].claim, c))
            return &t->entry[i];
    return NULL;
}

/* What the host had asked for and was not given. */
static void drop_hints(struct snoop_table *t, const struct snoop_claim *c)
{
    for (unsigned i = t->n; i-- > 0;) {
        const struct snoop_claim *o = &t->entry[i].claim;

        if (o->how == SNOOP_DHCP_REQUEST && mac_equal(&o->mac, &c->mac) &&
            !same_ip(o, c))
            take_out(t, i);
    }
}

static struct snoop_entry *room(struct snoop_table *t)
{
    struct snoop_entry *oldest = &t->entry[0];

    if (t->n < SNOOP_TABLE_MAX)
        return &t->entry[t->n++];
    for (unsigned i = 1; i < t->n; i++)
        if (t->entry[i].seen < oldest->seen)
            oldest = &t->entry[i];
    return oldest;
}

enum snoop_news snoop_enter(struct snoop_table *t, const struct snoop_claim *c,
                            uint64_t now)
{
    enum snoop_news news = SNOOP_KNOWN;
    struct snoop_entry *e;

    if (c->how == SNOOP_DHCP_ACK)
        drop_hints(t, c);
    e = find(t, c);
    if (!e) {
        e = room(t);
        e->claim = *c;
        news = SNOOP_NEW;
    } else if (!mac_equal(&e->claim.mac, &c->mac)) {
        if (c->how == SNOOP_DHCP_REQUEST && e->claim.how != c->how)
            return SNOOP_KNOWN; /* it will hardly get it */
        e->claim = *c;
        news = SNOOP_CHANGED;
    } else if (c->how > e->claim.how) {
        if (e->claim.how == SNOOP_DHCP_REQUEST)
            news = SNOOP_CONFIRMED;
        e->claim.how = c->how;
    }
    e->seen = now;
    return news;
}

bool snoop_forget(struct snoop_table *t, const struct snoop_claim *c)
{
    for (unsigned i = 0; i < t->n; i++)
        if (same_ip(&t->entry[i].claim, c) &&
            mac_equal(&t->entry[i].claim.mac, &c->mac)) {
            take_out(t, i);
            return true;
        }
    return false;
}
