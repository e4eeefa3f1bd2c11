/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on bridges of the kernel's that are adopted.
 */
#include "ctl/adopt/adopt.h"
#include "ctl/apply/step_impl.h"

#include <errno.h>
#include <fcntl.h>

/* The adoption takes the descriptor over. */
static void begin(struct step *s, int netns_fd, enum conf_adopt how,
                  sw_done done)
{
    struct err e;
    int fd = netns_fd >= 0 ? fcntl(netns_fd, F_DUPFD_CLOEXEC, 3) : -1;

    if (netns_fd >= 0 && fd < 0)
        step_done(s, err_sys(&e, errno, "%s: its namespace", s->bridge), &e);
    else
        adopt_begin(s->op->a->adopt, s->bridge, fd, how == CONF_ADOPT_DISABLE,
                    done, s);
}

/* It may have been given back by hand. */
static void end(struct step *s, sw_done done)
{
    adopt_undo(s->op->a->adopt, s->bridge, done, s);
}

/* ---- there ---- */

static void adopt(struct step *s)
{
    begin(s, s->op->req->netns_fd, s->wb->conf->adopt, step_bridge_came);
}

static void went(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;

    if (!rc || rc == -ENXIO)
        step_forget_bridge(s);
    step_done(s, rc == -ENXIO ? 0 : rc, e);
}

static void adopt_back(struct step *s)
{
    if (s->was_owned && !step_owned_bridge(s))
        step_done_at_once(s); /* it went, and was adopted by hand since */
    else
        end(s, went);
}

/* ---- and back ---- */

static void left(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;
    struct owned_bridge *b = !rc || rc == -ENXIO ? step_owned_bridge(s) : NULL;

    if (b) {
        LIST_REMOVE(b, link);
        s->owned_bridge = b;
    }
    step_done(s, rc == -ENXIO ? 0 : rc, e);
}

static void unadopt(struct step *s)
{
    end(s, left);
}

static void came_back(void *arg, int rc, const struct err *e)
{
    struct step *s = arg;

    if (!rc) {
        step_forget_bridge(s);
        LIST_INSERT_HEAD(&s->op->a->owned, s->owned_bridge, link);
        s->owned_bridge = NULL;
    }
    step_done(s, rc, e);
}

static void unadopt_back(struct step *s)
{
    if (s->owned_bridge)
        begin(s, s->owned_bridge->netns_fd, s->owned_bridge->adopt, came_back);
    else
        step_done_at_once(s);
}

const struct step_kind_ops step_adopt = {.go = adopt, .back = adopt_back};
const struct step_kind_ops step_unadopt = {.go = unadopt, .back = unadopt_back};
