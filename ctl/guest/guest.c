/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guests there are: their list, their definitions, whom to tell.
 */
#include "ctl/guest/guest_impl.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- answers ---- */

void answer(struct answer *a, int rc, const struct err *e)
{
    struct answer copy = *a;

    a->done = NULL;
    if (copy.done)
        copy.done(copy.arg, rc, e);
}

static void on_answer(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct guests *all = w->data;
    struct later *l;

    (void)loop;
    (void)revents;
    while ((l = TAILQ_FIRST(&all->laters)) != NULL) {
        TAILQ_REMOVE(&all->laters, l, link);
        answer(&l->to, l->rc, &l->e);
        free(l);
    }
}

void answer_later(struct guests *all, sw_done done, void *arg, int rc,
                  const struct err *e)
{
    struct later *l;

    if (!done)
        return;
    l = calloc(1, sizeof(*l));
    if (!l) { /* as the switch does without memory */
        done(arg, -ENOMEM, e);
        return;
    }
    l->to = (struct answer){done, arg};
    l->rc = rc;
    l->e = *e;
    TAILQ_INSERT_TAIL(&all->laters, l, link);
    ev_timer_start(all->loop, &all->answer);
}

/* ---- one guest ---- */

static const char *const state_words[GUEST_STATES] = {
    "stopped", "starting", "running", "stopping", "ending", "waiting", "saving",
};

/* From where it may get there. */
#define FROM(s) (1u << GUEST_##s)
static const unsigned allowed[GUEST_STATES] = {
    [GUEST_STOPPED] = FROM(ENDING) | FROM(WAITING) | FROM(SAVING),
    [GUEST_STARTING] = FROM(STOPPED) | FROM(WAITING),
    [GUEST_RUNNING] = FROM(STARTING) | FROM(STOPPING) | FROM(STOPPED),
    [GUEST_STOPPING] = FROM(RUNNING),
    [GUEST_ENDING] = FROM(STARTING) | FROM(RUNNING) | FROM(STOPPING) |
                     FROM(WAITING) | FROM(STOPPED),
    [GUEST_WAITING] = FROM(ENDING) | FROM(STARTING),
    [GUEST_SAVING] = FROM(STOPPED),
};

void guest_move(struct guest *g, enum guest_state to)
{
    if (!(allowed[to] & 1u << g->state))
        log_error("guest %s: from %s to %s is no way it can go", g->def->name,
                  state_words[g->state], state_words[to]);
    g->state = to;
}

enum guest_state guest_state(const struct guest *g)
{
    return g->state;
}

const char *guest_state_word(const struct guest *g)
{
    return g->state == GUEST_RUNNING && g->status[0] ? g->status
                                                     : state_words[g->state];
}

const char *guest_why(const struct guest *g)
{
    return g->why;
}

const struct guest_def *guest_def(const struct guest *g)
{
    return g->def;
}

void guest_tell(struct guest *g, const char *event, const char *fmt, ...)
{
    const struct guests_config *c = &g->all->config;
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (strcmp(event, GUEST_FAILED) == 0)
        log_warn("%s", text);
    else
        log_info("%s", text);
    if (c->event && !g->all->ended)
        c->event(c->event_arg, g->def->name, event, text);
}

void guest_set_why(struct guest *g, const char *text)
{
    size_t n = strlen(g->def->name);

    if (strncmp(text, "guest ", 6) == 0 &&
        strncmp(text + 6, g->def->name, n) == 0 &&
        (text[6 + n] == ':' || text[6 + n] == ' '))
        text += 6 + n + (text[6 + n] == ':');
    snprintf(g->why, sizeof(g->why), "%s", text + strspn(text, " "));
}

struct guest *guest_find(struct guests *all, const char *name)
{
    struct guest *g;

    TAILQ_FOREACH(g, &all->list, link)
    {
        if (strcmp(g->def->name, name) == 0)
            return g;
    }
    return NULL;
}

struct guest *guest_next(struct guests *all, struct guest *prev)
{
    return prev ? TAILQ_NEXT(prev, link) : TAILQ_FIRST(&all->list);
}

static void insert(struct guests *all, struct guest *g)
{
    struct guest *o;

    TAILQ_FOREACH(o, &all->list, link)
    {
        if (strcmp(o->def->name, g->def->name) > 0) {
            TAILQ_INSERT_BEFORE(o, g, link);
            return;
        }
    }
    TAILQ_INSERT_TAIL(&all->list, g, link);
}

struct guest *guest_make(struct guests *all, struct guest_def *d)
{
    struct guest *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->all = all;
    g->def = d;
    snprintf(g->dir, sizeof(g->dir), "%.4000s/%s", all->run_dir, d->name);
    for (unsigned i = 0; i < GUEST_NETS_MAX; i++)
        g->port[i].g = g;
    life_init(g);
    insert(all, g);
    return g;
}

void guest_drop(struct guest *g)
{
    TAILQ_REMOVE(&g->all->list, g, link);
    life_let_go(g);
    launch_free(g->launch);
    guest_def_free(g->def);
    free(g);
}

/* ---- defining ---- */

static int save(void *arg, struct err *e)
{
    struct guest *g = arg;
    int rc = launch_check_files(g->def, e);

    if (!rc)
        rc = defs_save(g->all->def_dir, g->def, e);
    return rc ? err_wrap(e, rc, "guest %s", g->def->name) : 0;
}

static void saved(void *arg, int rc, const struct err *e)
{
    struct guest *g = arg;

    guest_move(g, GUEST_STOPPED);
    if (g->all->ended)
        return;
    if (!rc)
        guest_tell(g, "defined", "guest %s is defined", g->def->name);
    answer(&g->on_save, rc, e);
    if (rc)
        guest_drop(g);
}

static int clash(struct guests *all, const struct guest_def *d, struct err *e)
{
    struct guest *g;
    int rc = 0;

    TAILQ_FOREACH(g, &all->list, link)
    {
        if (!rc)
            rc = guest_def_clash(d, g->def, e);
    }
    return rc;
}

void guest_define(struct guests *all, struct guest_def *d, sw_done done,
                  void *arg)
{
    struct err e = {""};
    struct guest *g;
    int rc = clash(all, d, &e);

    if (rc) {
        guest_def_free(d);
        answer_later(all, done, arg, rc, &e);
        return;
    }
    g = guest_make(all, d);
    if (g && sw_job(all->sw, save, saved, g) == 0) {
        guest_move(g, GUEST_SAVING);
        g->on_save = (struct answer){done, arg};
        return;
    }
    if (g)
        guest_drop(g);
    else
        guest_def_free(d);
    rc = err_set(&e, ENOMEM, "no memory for the guest");
    answer_later(all, done, arg, rc, &e);
}

static int forget(void *arg, struct err *e)
{
    struct guest *g = arg;

    return defs_remove(g->all->def_dir, g->def->name, e);
}

static void forgotten(void *arg, int rc, const struct err *e)
{
    struct guest *g = arg;

    guest_move(g, GUEST_STOPPED);
    if (g->all->ended)
        return;
    if (!rc)
        guest_tell(g, "undefined", "guest %s is no longer defined",
                   g->def->name);
    answer(&g->on_save, rc, e);
    if (!rc)
        guest_drop(g);
}

void guest_undefine(struct guest *g, sw_done done, void *arg)
{
    struct err e = {""};
    int rc = 0;

    if (g->state != GUEST_STOPPED)
        rc = err_set(&e, EBUSY, "guest %s is %s: bascule guest kill %s ends it",
                     g->def->name, guest_state_word(g), g->def->name);
    else if (sw_job(g->all->sw, forget, forgotten, g) < 0)
        rc = err_set(&e, ENOMEM, "no memory");
    if (rc) {
        answer_later(g->all, done, arg, rc, &e);
        return;
    }
    guest_move(g, GUEST_SAVING);
    g->on_save = (struct answer){done, arg};
}

/* ---- all of them ---- */

/* In a user namespace not everybody exists. */
static bool user_exists_here(uid_t uid)
{
    FILE *f = fopen("/proc/self/uid_map", "re");
    bool found = !f;
    char line[128], *at;

    while (f && !found && fgets(line, sizeof(line), f)) {
        unsigned long first = strtoul(line, &at, 10), n;

        (void)strtoul(at, &at, 10); /* what it is outside */
        n = strtoul(at, NULL, 10);
        found = uid >= first && uid - first < n;
    }
    if (f)
        fclose(f);
    return found;
}

static int choose_user(struct guests *all, const char *name, struct err *e)
{
    const struct passwd *p;

    if (geteuid() != 0) {
        if (name)
            return err_set(e, EPERM,
                           "--guest-user %s: only root can run QEMU as "
                           "somebody else",
                           name);
        return 0;
    }
    /* nobody else asks for users while the daemon begins */
    /* cppcheck-suppress getpwnamCalled */
    p = getpwnam(name ? name : "bascule");
    if (!p && !name)
        /* cppcheck-suppress getpwnamCalled */
        p = getpwnam("nobody");
    if (!p)
        return err_set(e, EINVAL, "--guest-user %s: there is no such user",
                       name ? name : "nobody");
    if (!name && !user_exists_here(p->pw_uid))
        return 0;
    all->user = (struct guest_user){true, p->pw_uid, p->pw_gid};
    return 0;
}

static void loaded(void *arg, struct guest_def *d)
{
    struct guests *all = arg;
    struct run_state r;
    struct err e = {""};
    struct guest *g;

    if (clash(all, d, &e) < 0) {
        log_warn("definition of guest %s: %s", d->name, e.text);
        guest_def_free(d);
        return;
    }
    g = guest_make(all, d);
    if (!g) {
        guest_def_free(d);
        return;
    }
    if (!run_state(g->dir, &r)) {
        /* of a start that was cut short, if anything */
        if (run_dir_remove(g->dir, &e) < 0)
            log_warn("guest %s: %s", d->name, e.text);
        return;
    }
    if (process_start(r.pid) == r.start)
        life_adopt(g, &r);
    else
        life_lost(g);
}

/* libev has been first to hear of the end of one of our processes. */
static void on_child(struct ev_loop *loop, ev_child *w, int revents)
{
    struct guests *all = w->data;

    (void)loop;
    (void)revents;
    all->reaped[all->reaped_at++ % REAPED_MAX] =
        (struct reaped){w->rpid, w->rstatus};
}

static int copy_path(char out[PATH_MAX], const char *path, struct err *e)
{
    /* names of specifications are made of it */
    if (strlen(path) >= PATH_MAX / 2 || strpbrk(path, ",\""))
        return err_set(e, EINVAL,
                       "directory of guests %.80s: it is too long or has ',' "
                       "or '\"' in it",
                       path);
    snprintf(out, PATH_MAX, "%s", path);
    return 0;
}

int guests_new(struct guests **out, const struct guests_config *c,
               struct err *e)
{
    struct guests *all = calloc(1, sizeof(*all));
    int rc;

    if (!all)
        return err_set(e, ENOMEM, "no memory");
    rc = copy_path(all->def_dir, c->def_dir, e);
    if (!rc)
        rc = copy_path(all->run_dir, c->run_dir, e);
    all->run_own = strlen(c->run_top);
    if (!rc)
        rc = run_dir_check(all->def_dir, strlen(all->def_dir), e);
    if (!rc)
        rc = run_dir_check(all->run_dir, all->run_own, e);
    if (!rc)
        rc = choose_user(all, c->user, e);
    if (rc) {
        free(all);
        return rc;
    }
    all->loop = c->loop;
    all->sw = c->sw;
    all->config = *c;
    TAILQ_INIT(&all->list);
    TAILQ_INIT(&all->laters);
    ev_timer_init(&all->answer, on_answer, 0., 0.);
    all->answer.data = all;
    ports_watch(all);
    ev_child_init(&all->child, on_child, 0, 0);
    all->child.data = all;
    /* before anybody hears of the same process by its descriptor */
    ev_set_priority(&all->child, EV_MAXPRI);
    ev_child_start(all->loop, &all->child);
    rc = defs_load(all->def_dir, loaded, all, e);
    if (rc)
        log_warn("definitions of guests: %s", e->text);
    *out = all;
    return 0;
}

void guests_end(struct guests *all)
{
    struct guest *g;
    struct later *l;

    if (!all)
        return;
    all->ended = true;
    ev_timer_stop(all->loop, &all->answer);
    ev_timer_stop(all->loop, &all->attach);
    ev_child_stop(all->loop, &all->child);
    while ((l = TAILQ_FIRST(&all->laters)) != NULL) {
        TAILQ_REMOVE(&all->laters, l, link);
        free(l);
    }
    TAILQ_FOREACH(g, &all->list, link)
    {
        life_let_go(g);
    }
}

void guests_free(struct guests *all)
{
    struct guest *g, *next;

    if (!all)
        return;
    for (g = TAILQ_FIRST(&all->list); g; g = next) {
        next = TAILQ_NEXT(g, link);
        guest_drop(g);
    }
    /* unless there is something in them */
    (void)rmdir(all->run_dir);
    (void)rmdir(all->def_dir);
    free(all);
}
