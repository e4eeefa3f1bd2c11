/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random networks, as text: what fails can be kept, read and run like any
 * other.
 *
 * Bridges are joined by a random tree first; then come redundant cables,
 * parallel ones, hubs that have some bridge twice, and plugs that give back
 * what is sent.  Orders come at times that are close together or far apart, so
 * that some meet a network at work and some one at rest.
 */
#include "ctl/sim/net.h"

#include <stdarg.h>
#include <stdlib.h>

#define MOST 64

struct maker {
    struct sim_random want;
    uint64_t seed;
    char *text;
    size_t len, cap;
    bool failed;
    unsigned bridges, lans;
    unsigned ports[MOST + 1];
    unsigned apply_ms;
};

static unsigned upto(struct maker *m, unsigned n)
{
    struct sim s = {.random = m->seed};
    uint64_t v = sim_draw(&s);

    m->seed = s.random;
    return (unsigned)(v >> 33) % n;
}

static bool one_in(struct maker *m, unsigned n)
{
    return upto(m, n) == 0;
}

static bool make_room(struct maker *m)
{
    size_t cap = m->cap ? 2 * m->cap : 4096;
    char *text;

    if (m->cap - m->len >= 256)
        return true;
    text = realloc(m->text, cap);
    if (!text) {
        m->failed = true;
        return false;
    }
    m->text = text;
    m->cap = cap;
    return true;
}

static void put(struct maker *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct maker *m, const char *fmt, ...)
{
    va_list ap;

    if (!make_room(m))
        return;
    va_start(ap, fmt);
    m->len += (size_t)vsnprintf(m->text + m->len, m->cap - m->len, fmt, ap);
    va_end(ap);
}

/* ---- bridges ---- */

/* Wide networks need a max age that reaches from end to end. */
static void put_defaults(struct maker *m)
{
    bool wide = m->bridges > 18;

    m->apply_ms = one_in(m, 4) ? upto(m, 50) : 0;
    if (m->apply_ms)
        put(m, "default[apply=%ums", m->apply_ms);
    else
        put(m, "default[apply=%uus", upto(m, 1000));
    put(m, ",maxage=%us,fd=%us,hold=%u]\n", wide ? 40 : 20, wide ? 21 : 15,
        one_in(m, 3) ? 1 + upto(m, 10) : 6);
}

static void put_bridges(struct maker *m)
{
    unsigned style = upto(m, 3), mix = upto(m, 4);

    for (unsigned b = 1; b <= m->bridges; b++) {
        unsigned prio = style == 0   ? 32768
                        : style == 1 ? 4096 * upto(m, 16)
                                     : upto(m, 65536);
        /* none, few, half or all speak STP only */
        bool stp = mix == 1 ? one_in(m, 4) : mix == 2 ? one_in(m, 2) : mix == 3;

        put(m, "B%u[prio=%u%s]", b, prio, stp ? ",stp" : "");
        put(m, b % 6 ? " " : "\n");
    }
    put(m, "\n");
}

/* ---- LANs ---- */

static void put_delay(struct maker *m)
{
    if (one_in(m, 6))
        put(m, "delay=%ums", upto(m, 200));
    else
        put(m, "delay=%uus", 1 + upto(m, 3000));
}

static void put_member(struct maker *m, unsigned bridge)
{
    static const unsigned cost[] = {4, 19, 100, 20000, 200000};

    m->ports[bridge]++;
    put(m, " B%u", bridge);
    if (one_in(m, 2))
        put(m, "[cost=%u]",
            one_in(m, 3) ? 1 + upto(m, 200000) : cost[upto(m, 5)]);
    else if (one_in(m, 8))
        put(m, "[portprio=%u]", upto(m, 64));
    else if (one_in(m, 40))
        put(m, "[edge]");
    else if (one_in(m, 12))
        put(m, "[shared]");
}

static void put_lan(struct maker *m)
{
    put(m, "L%u[", ++m->lans);
    put_delay(m);
    put(m, "]:");
}

static void put_cable(struct maker *m, unsigned a, unsigned b)
{
    put_lan(m);
    put_member(m, a);
    put_member(m, b);
    put(m, "\n");
}

static void put_hub(struct maker *m)
{
    unsigned n = 3 + upto(m, 4);

    put_lan(m);
    while (n-- > 0)
        put_member(m, 1 + upto(m, m->bridges));
    put(m, "\n");
}

static void put_plug(struct maker *m)
{
    unsigned b = 1 + upto(m, m->bridges);

    put(m, "L%u[loop,delay=%uus]: B%u\n", ++m->lans, upto(m, 1000), b);
    m->ports[b]++;
}

static void put_lans(struct maker *m)
{
    unsigned more;

    for (unsigned b = 2; b <= m->bridges; b++)
        put_cable(m, 1 + upto(m, b - 1), b);
    more = upto(m, m->bridges + 2);
    while (more-- > 0) {
        unsigned a = 1 + upto(m, m->bridges), kind = upto(m, 10);

        if (kind == 0)
            put_hub(m);
        else if (kind == 1 && one_in(m, 3))
            put_plug(m);
        else if (kind == 2 && one_in(m, 3))
            put_cable(m, a, a);
        else
            put_cable(m, a, 1 + upto(m, m->bridges));
    }
}

/* ---- orders ---- */

static unsigned later(struct maker *m, unsigned at)
{
    if (one_in(m, 5))
        return at + 60000 + upto(m, 40000);
    return at + 2 * m->apply_ms + 2 +
           upto(m, one_in(m, 2)   ? 30
                   : one_in(m, 2) ? 1000
                                  : 20000);
}

static void put_time(struct maker *m, unsigned ms)
{
    put(m, "@%u.%03us ", ms / 1000, ms % 1000);
}

/* What was cut or killed may come back, soon or late. */
static void put_pair(struct maker *m, unsigned at, const char *first,
                     const char *second, char kind, unsigned n)
{
    put_time(m, at);
    put(m, "%s %c%u\n", first, kind, n);
    if (one_in(m, 4))
        return;
    put_time(m, later(m, at));
    put(m, "%s %c%u\n", second, kind, n);
}

static void put_cost(struct maker *m, unsigned at, unsigned b)
{
    if (!m->ports[b])
        return;
    put_time(m, at);
    put(m, "set B%u.p%u cost=%u\n", b, 1 + upto(m, m->ports[b]),
        1 + upto(m, 200));
}

static unsigned put_order(struct maker *m, unsigned at)
{
    unsigned b = 1 + upto(m, m->bridges), l = 1 + upto(m, m->lans);

    at = later(m, at);
    switch (upto(m, 6)) {
    case 0:
    case 1:
    case 2:
        put_pair(m, at, "cut", "heal", 'L', l);
        break;
    case 3:
        put_pair(m, at, "kill", "revive", 'B', b);
        break;
    case 4:
        put_time(m, at);
        put(m, "set B%u prio=%u\n", b, upto(m, 65536));
        break;
    case 5:
        put_cost(m, at, b);
        break;
    }
    return at;
}

/* Until everything carries frames again. */
static unsigned put_fault(struct maker *m, unsigned at)
{
    unsigned l = 1 + upto(m, m->lans), b = 1 + upto(m, m->bridges);
    unsigned p = m->ports[b] ? 1 + upto(m, m->ports[b]) : 0;
    const char *what = one_in(m, 2) ? "mute" : "deaf";
    unsigned end;

    at = later(m, at);
    end = later(m, at);
    put_time(m, at);
    if (one_in(m, 2) || !p) {
        put(m, "set L%u loss=%u%%\n", l, one_in(m, 3) ? 100 : 1 + upto(m, 90));
        put_time(m, end);
        put(m, "set L%u loss=0%%\n", l);
    } else {
        put(m, "set B%u.p%u %s=on\n", b, p, what);
        put_time(m, end);
        put(m, "set B%u.p%u %s=off\n", b, p, what);
    }
    return at;
}

char *sim_random(const struct sim_random *r)
{
    struct maker m = {.want = *r, .seed = r->seed};
    unsigned at = 0, n;

    m.bridges = r->bridges ? r->bridges : 2 + upto(&m, one_in(&m, 4) ? 63 : 14);
    if (m.bridges > MOST)
        m.bridges = MOST;
    put(&m, "# seed %llu\n", (unsigned long long)r->seed);
    put_defaults(&m);
    put_bridges(&m);
    put_lans(&m);
    n = r->orders ? upto(&m, 7) : 0;
    while (n-- > 0)
        at = put_order(&m, at);
    n = r->faults ? 1 + upto(&m, 4) : 0;
    while (n-- > 0)
        at = put_fault(&m, at);
    if (m.failed) {
        free(m.text);
        return NULL;
    }
    return m.text;
}
