/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's words for how a guest is that has a process.
 *
 * The words: RunState in QEMU's qapi/run-state.json.
 */
#include "ctl/guest/guest_impl.h"

#include <errno.h>
#include <string.h>

struct row {
    const char *word;
    const char *event, *told; /* when it becomes so; NULL: nothing */
    const char *over;  /* what it is, if no button wakes it any more, ... */
    const char *kills; /* ... and what guest_kill does then */
};

/* Of a panic and of its powering down QEMU tells by events of their own. */
static const struct row rows[] = {
    {"running", "resumed", "goes on", NULL, NULL},
    {"paused", "paused", "is paused", NULL, NULL},
    {"suspended", "suspended", "is suspended", NULL, NULL},
    {"postmigrate", "moved", "was moved away", "was moved away",
     "ends what is left of it"},
    {"inmigrate", NULL, NULL, "waits to be moved here", "ends it"},
    {"shutdown", NULL, NULL, "has powered down, and its QEMU stays",
     "ends what is left of it"},
    {"guest-panicked", NULL, NULL, "has panicked", "ends it"},
    {"io-error", "io-error", "was stopped by an error of a disk's", NULL, NULL},
    {"internal-error", "internal-error",
     "was stopped by an error inside its QEMU",
     "was stopped by an error inside its QEMU", "ends it"},
    {"watchdog", "watchdog", "was stopped by its watchdog", NULL, NULL},
};

#define PERHAPS "perhaps it does not listen to its power button"

static const struct row *row_of(const char *word)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].word, word) == 0)
            return &rows[i];
    return NULL;
}

void status_tell(struct guest *g)
{
    const struct row *r = row_of(g->status);

    if (r && r->event)
        guest_tell(g, r->event, "guest %s %s", g->def->name, r->told);
}

bool status_passes(const struct guest *g)
{
    return strcmp(g->status, "finish-migrate") == 0;
}

int status_check(const struct guest *g, int code, struct err *e)
{
    const struct row *r = row_of(g->status);

    if (!r || !r->over)
        return 0;
    return err_set(e, code, "guest %s %s: bascule guest kill %s %s",
                   g->def->name, r->over, g->def->name, r->kills);
}

/* It is there, but nothing in it would hear a button. */
static bool stands(const struct row *r)
{
    return r && r->event && strcmp(r->word, "running") != 0;
}

int status_late(const struct guest *g, struct err *e)
{
    const struct row *r = row_of(g->status);
    int rc = status_check(g, ETIMEDOUT, e);

    if (rc)
        return rc;
    return err_set(e, ETIMEDOUT,
                   "guest %s has not powered down in time: %s%s; bascule guest "
                   "kill %s ends it",
                   g->def->name, stands(r) ? "it " : PERHAPS,
                   stands(r) ? r->told : "", g->def->name);
}
