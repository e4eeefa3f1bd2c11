/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest's QEMU says by QMP.
 */
#include "ctl/guest/guest_impl.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY       1. /* s, when the connection was lost */
#define LOOK        .1 /* s, while its word is a passing one */
#define RESETS_LINE 60 /* s: so often is told of resets */

/* ---- how it is ---- */

static void look_later(struct guest *g)
{
    ev_timer_stop(g->all->loop, &g->look);
    ev_timer_set(&g->look, LOOK, 0.);
    ev_timer_start(g->all->loop, &g->look);
}

static void on_status(void *arg, const json_t *result, const char *text)
{
    const char *word = json_string_value(json_object_get(result, "status"));
    struct guest *g = arg;
    bool news;

    (void)text;
    if (!word)
        return;
    /* its first word is how it was found */
    news = g->status[0] && strcmp(g->status, word) != 0;
    snprintf(g->status, sizeof(g->status), "%s", word);
    if (news)
        status_tell(g);
    if (status_passes(g))
        look_later(g);
    g->deaf = false;
    talk_running(g);
}

/* What an event says may be over, and several words come with the same one. */
static void look(struct guest *g)
{
    if (g->qmp &&
        qmp_command(g->qmp, "query-status", NULL, on_status, g) == -EBUSY)
        look_later(g);
}

static void on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    look(w->data);
}

static void on_ready(void *arg)
{
    struct guest *g = arg;

    look(g);
    /* without, one that is moved while it does not run changes silently */
    (void)qmp_command(g->qmp, "migrate-set-capabilities",
                      json_pack("{s:[{s:s,s:b}]}", "capabilities", "capability",
                                "events", "state", true),
                      NULL, NULL);
}

/* ---- what happens to it ---- */

static void on_shutdown(struct guest *g, const json_t *data)
{
    const char *reason = json_string_value(json_object_get(data, "reason"));

    if (reason && strcmp(reason, "guest-panic") == 0)
        g->panicked = true;
    g->farewell = !reason || (strcmp(reason, "guest-panic") != 0 &&
                              strcmp(reason, "host-error") != 0);
    guest_tell(g, "shutdown", "guest %s shuts down%s%.40s", g->def->name,
               reason ? ": " : "", reason ? reason : "");
}

/* A guest that cannot boot may reset many times a second, for weeks. */
static void on_reset(struct guest *g)
{
    if (ev_is_active(&g->resets_line)) {
        g->resets++;
        return;
    }
    guest_tell(g, "reset", "guest %s was reset", g->def->name);
    g->resets = 0;
    ev_timer_set(&g->resets_line, RESETS_LINE, 0.);
    ev_timer_start(g->all->loop, &g->resets_line);
}

static void on_resets_line(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct guest *g = w->data;

    (void)revents;
    if (!g->resets)
        return;
    guest_tell(g, "reset", "guest %s was reset %u time%s in the last %d s",
               g->def->name, g->resets, g->resets == 1 ? "" : "s", RESETS_LINE);
    g->resets = 0;
    ev_timer_set(w, RESETS_LINE, 0.);
    ev_timer_start(loop, w);
}

void talk_init(struct guest *g)
{
    ev_timer_init(&g->resets_line, on_resets_line, 0., 0.);
    ev_timer_init(&g->look, on_look, 0., 0.);
    g->resets_line.data = g->look.data = g;
}

/* May its word be another one? */
static bool changes_status(const char *event)
{
    static const char *const events[] = {"STOP", "RESUME", "SUSPEND", "WAKEUP",
                                         "MIGRATION"};

    for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (strcmp(events[i], event) == 0)
            return true;
    return false;
}

static void on_event(void *arg, const char *name, const json_t *data)
{
    struct guest *g = arg;

    if (strcmp(name, "SHUTDOWN") == 0) {
        on_shutdown(g, data);
    } else if (strcmp(name, "RESET") == 0) {
        on_reset(g);
    } else if (changes_status(name)) {
        look(g);
    } else if (strcmp(name, "GUEST_PANICKED") == 0) {
        g->panicked = true;
        guest_tell(g, "panicked", "guest %s has panicked", g->def->name);
    }
}

/* Its process may be about to end; if it is not, we want to talk to it. */
static void on_closed(void *arg)
{
    struct guest *g = arg;

    qmp_close(g->qmp);
    g->qmp = NULL;
    cable_lost(g);
    ev_timer_set(&g->again, RETRY, 0.);
    ev_timer_start(g->all->loop, &g->again);
}

void talk_open(struct guest *g)
{
    struct qmp_user user = {on_ready, on_event, on_closed, g};
    char path[PATH_MAX];
    struct err e = {""};

    snprintf(path, sizeof(path), "%.4000s/" ARGS_QMP, g->dir);
    if (qmp_open(&g->qmp, g->all->loop, path, &user, &e) == 0)
        return;
    if (!g->deaf)
        log_warn("guest %s: %s", g->def->name, e.text);
    g->deaf = true;
    ev_timer_set(&g->again, RETRY, 0.);
    ev_timer_start(g->all->loop, &g->again);
}

void talk_last_words(struct guest *g)
{
    while (g->qmp && qmp_hear(g->qmp))
        ;
}

void talk_close(struct guest *g)
{
    ev_timer_stop(g->all->loop, &g->again);
    ev_timer_stop(g->all->loop, &g->look);
    ev_timer_stop(g->all->loop, &g->resets_line);
    qmp_close(g->qmp);
    g->qmp = NULL;
    cable_lost(g);
    g->status[0] = '\0';
}
