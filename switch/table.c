/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forwarding database's owner: entries set by people, flushes by
 * generation, and housekeeping in helpings of at most a millisecond.  The
 * timer runs as the table asks; an idle table asks rarely.
 */
#include "switch/bridge.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define STEP_SLOTS 2048

/* An entry that waits for room; one for each key. */
struct setting {
    struct setting *next;
    uint64_t key;
    struct fdb_value value;
    struct changes told;
};

static uint16_t now_100ms(void)
{
    return (uint16_t)(clock_now() / (100 * NSEC_PER_MSEC));
}

struct fdb_now table_now(const struct bridge *b)
{
    struct fdb_now t = {
        .gens = b->gens, .now = now_100ms(), .ageing = tree_ageing(b)};

    return t;
}

/* ---- housekeeping ---- */

static void settings_retry(struct bridge *b)
{
    struct setting *s, **at = &b->settings;
    struct fdb_now t = table_now(b);

    while ((s = *at)) {
        int rc = fdb_set(b->plane.fdb, &t, s->key, &s->value);
        struct err e = {{0}};

        if (rc == -ENOSPC) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        if (rc)
            err_sys(&e, rc, "bridge %s: forwarding entry", b->name);
        changes_fail(&s->told, rc, &e);
        sw_stage(b->sw, &s->told);
        free(s);
    }
    if (b->entries_due)
        local_entries(b);
}

static uint16_t gen_after(uint16_t gen)
{
    return gen == FDB_GEN_MAX ? 0 : (uint16_t)(gen + 1);
}

static void step_gen(struct bridge *b, uint16_t no)
{
    b->gens[no] = gen_after(b->gens[no]);
    b->gen_new[no] = true;
    if (b->port[no])
        bport_dirty(b->port[no]);
    bridge_dirty(b);
}

/* Ports whose entries have left the table go on with their lives. */
static void look_purged(struct bridge *b)
{
    for (uint16_t no = 0; no < VIEW_PORTS && b->purging; no++) {
        bool waits = b->port[no] && b->port[no]->life == LIFE_PURGING;

        if ((!waits && !b->gen_wait[no]) || !fdb_port_purged(b->plane.fdb, no))
            continue;
        b->purging--;
        if (b->gen_wait[no]) {
            b->gen_wait[no] = false;
            step_gen(b, no);
            if (waits)
                b->purging--;
        }
        if (waits)
            life_purged(b->port[no]);
    }
}

static double step(struct bridge *b)
{
    uint64_t end = clock_now() + NSEC_PER_MSEC / 2;
    struct fdb_step s;

    do {
        struct fdb_now t = table_now(b);

        s = fdb_step(b->plane.fdb, &t, STEP_SLOTS, b->graces);
        if (s.want_grace)
            break;
    } while (s.wait == 0 && clock_now() < end);
    if (s.want_grace && s.want_grace != b->grace_running) {
        b->grace_wanted = s.want_grace;
        sw_want_grace(b->sw);
    }
    return s.wait * 0.1;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    struct bridge *b =
        (struct bridge *)(void *)((char *)w - offsetof(struct bridge, keeper));
    double wait = step(b);

    (void)events;
    settings_retry(b);
    look_purged(b);
    ev_timer_stop(loop, w);
    ev_timer_set(w, wait, 0.);
    ev_timer_start(loop, w);
}

void table_kick(struct bridge *b)
{
    ev_timer_stop(b->sw->loop, &b->keeper);
    ev_timer_set(&b->keeper, 0., 0.);
    ev_timer_start(b->sw->loop, &b->keeper);
}

void table_graced(struct bridge *b)
{
    b->graces = b->grace_running;
    b->grace_running = 0;
    table_kick(b);
}

void table_start(struct bridge *b)
{
    ev_timer_init(&b->keeper, on_timer, 0., 0.);
    ev_timer_start(b->sw->loop, &b->keeper);
}

void table_stop(struct bridge *b)
{
    struct setting *s;

    ev_timer_stop(b->sw->loop, &b->keeper);
    while ((s = b->settings)) {
        struct err e;

        b->settings = s->next;
        changes_fail(&s->told,
                     err_set(&e, ENXIO, "bridge %s was deleted", b->name), &e);
        sw_answer_all(b->sw, &s->told);
        free(s);
    }
}

/* ---- flushing ---- */

/*
 * Generations are numbered in a circle.  At either half of it the entries of
 * the half before it are told to leave, long before that is entered again.
 * Should they still be there, the port learns nothing until they are gone.
 */
static bool half(uint16_t gen)
{
    return gen == 0 || gen == (FDB_GEN_MAX + 1) / 2;
}

static void wait_for_gens(struct bridge *b, uint16_t no)
{
    if (b->gen_wait[no])
        return;
    b->gen_wait[no] = true;
    b->purging++;
    if (b->port[no])
        bport_dirty(b->port[no]);
    bridge_dirty(b);
    fdb_port_purge(b->plane.fdb, no, false);
    table_kick(b);
}

void table_flush_port(struct bridge *b, uint16_t no, bool always)
{
    struct fdb *f = b->plane.fdb;

    if (b->gen_new[no] || b->gen_wait[no])
        return; /* what is to be forgotten is not in force yet, or leaving */
    if (!always && fdb_port_learned(f, no, b->gens[no]) == 0)
        return;
    if (half(gen_after(b->gens[no])) && !fdb_port_purged(f, no)) {
        wait_for_gens(b, no);
        return;
    }
    step_gen(b, no);
    if (half(b->gens[no])) {
        fdb_port_purge(f, no, false);
        table_kick(b);
    }
}

/* Entries that wait for room need not wait any longer. */
static void forget_settings(struct bridge *b, uint16_t no)
{
    struct setting *s, **at = &b->settings;

    while ((s = *at)) {
        struct err e;

        if (s->value.port != no) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        changes_fail(
            &s->told,
            err_set(&e, ENODEV, "bridge %s: the port was deleted", b->name),
            &e);
        sw_answer_all(b->sw, &s->told);
        free(s);
    }
}

void table_purge_port(struct bport *p)
{
    struct bridge *b = p->b;

    forget_settings(b, p->no);
    b->purging++;
    fdb_port_purge(b->plane.fdb, p->no, true);
    table_kick(b);
}

/* ---- entries ---- */

/* Takes what waits under 'key' off the list; NULL if nothing does. */
static struct setting *take_setting(struct bridge *b, uint64_t key)
{
    struct setting *s, **at = &b->settings;

    while ((s = *at) && s->key != key)
        at = &s->next;
    if (s)
        *at = s->next;
    return s;
}

/* A later word on its key is in force: what waited must not come after it. */
static void settle(struct bridge *b, struct setting *s)
{
    if (!s)
        return;
    sw_stage(b->sw, &s->told);
    free(s);
}

static struct setting *setting_new(uint64_t key)
{
    struct setting *s = calloc(1, sizeof(*s));

    if (s) {
        s->key = key;
        changes_init(&s->told);
    }
    return s;
}

int table_set(struct bridge *b, uint64_t key, const struct fdb_value *v,
              struct changes *told)
{
    struct fdb_now t = table_now(b);
    int rc = fdb_set(b->plane.fdb, &t, key, v);
    struct setting *s;

    if (rc && rc != -ENOSPC)
        return rc;
    s = take_setting(b, key);
    if (rc == 0) {
        settle(b, s);
        return 0;
    }
    if (!s)
        s = setting_new(key);
    if (!s)
        return -ENOMEM;
    s->value = *v;
    changes_move(&s->told, told);
    s->next = b->settings;
    b->settings = s;
    table_kick(b);
    return 0;
}

static bool flags_ok(uint8_t flags)
{
    return (flags & ~(FDB_STATIC | FDB_STICKY | FDB_LOCAL | FDB_EXTERN)) == 0;
}

static int set_check(struct bridge *b, uint64_t key, uint8_t flags,
                     struct err *e)
{
    uint64_t mac = fdb_key_mac(key);
    struct mac m = mac_from_u64(mac);
    char text[MAC_TEXT_MAX];

    if (mac == 0 || mac_is_group(&m))
        return err_set(e, EINVAL,
                       "bridge %s: %s is not the address of one station",
                       b->name, mac_format(&m, text));
    if (!flags_ok(flags))
        return err_set(e, EINVAL, "bridge %s: unknown flags 0x%x", b->name,
                       flags);
    return 0;
}

void bridge_fdb_set(struct bridge *b, uint64_t key, struct bport *p,
                    uint8_t flags, sw_done done, void *arg)
{
    struct fdb_value v = {.port = p ? p->no : BRIDGE_LOCAL, .flags = flags};
    struct changes told;
    struct err e = {{0}};
    int rc = set_check(b, key, flags, &e);

    changes_init(&told);
    if (!change_new(&told, done, arg))
        return;
    if (rc == 0) {
        rc = table_set(b, key, &v, &told);
        if (rc)
            err_sys(&e, rc, "bridge %s: forwarding entry", b->name);
        else
            observe_fdb(b, SW_EVENT_FDB_ADD, key, v.port, flags);
    }
    changes_fail(&told, rc, &e);
    if (rc)
        sw_answer_all(b->sw, &told);
    else
        sw_stage(b->sw, &told);
}

void bridge_fdb_del(struct bridge *b, uint64_t key, sw_done done, void *arg)
{
    struct fdb_now t = table_now(b);
    struct mac m = mac_from_u64(fdb_key_mac(key));
    struct setting *s = take_setting(b, key);
    struct fdb_value old = s ? s->value : (struct fdb_value){0};
    char text[MAC_TEXT_MAX];
    struct changes told;
    struct err e;

    if (fdb_del(b->plane.fdb, &t, key, &old) && !s) {
        err_set(&e, ENOENT, "bridge %s has no entry for %s", b->name,
                mac_format(&m, text));
        sw_answer(b->sw, done, arg, -ENOENT, &e);
        return;
    }
    settle(b, s);
    observe_fdb(b, SW_EVENT_FDB_DEL, key, old.port, old.flags);
    changes_init(&told);
    if (change_new(&told, done, arg))
        sw_stage(b->sw, &told);
}

void bridge_fdb_flush(struct bridge *b, struct bport *p, sw_done done,
                      void *arg)
{
    struct changes told;

    if (p)
        table_flush_port(b, p->no, false);
    for (uint16_t no = 0; no < VIEW_PORTS && !p; no++)
        if (b->port[no])
            table_flush_port(b, no, false);
    if (p)
        observe_port(p, SW_EVENT_FDB_FLUSH,
                     "port %s: learned addresses flushed", p->port->spec.name);
    else
        observe_bridge(b, SW_EVENT_FDB_FLUSH,
                       "bridge %s: learned addresses flushed", b->name);
    changes_init(&told);
    if (change_new(&told, done, arg))
        sw_stage(b->sw, &told);
}

static uint32_t age_cs(const struct fdb_now *t, const struct fdb_value *v)
{
    if (v->flags & (FDB_STATIC | FDB_LOCAL))
        return 0;
    return fdb_age(t->now, v->age) * 10;
}

bool bridge_fdb_get(struct bridge *b, uint64_t key, struct fdb_value *v,
                    uint32_t *age)
{
    struct fdb_now t = table_now(b);

    if (!fdb_lookup(b->plane.fdb, &t, key, v))
        return false;
    *age = age_cs(&t, v);
    return true;
}

unsigned bridge_fdb_walk(struct bridge *b, struct fdb_walk *w,
                         struct fdb_entry *out, uint32_t *age, unsigned max,
                         unsigned budget)
{
    struct fdb_now t = table_now(b);
    unsigned n = fdb_walk(b->plane.fdb, &t, w, out, max, budget);

    for (unsigned i = 0; i < n; i++)
        age[i] = age_cs(&t, &out[i].value);
    return n;
}
