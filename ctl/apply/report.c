/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is told to whoever has asked for an apply.
 */
#include "ctl/apply/op.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct lines {
    char **line;
    unsigned n, room;
};

static void add_line(struct lines *l, const char *text, size_t n)
{
    if (l->n == l->room) {
        unsigned room = l->room ? l->room * 2 : 16;
        char **p = realloc(l->line, room * sizeof(*p));

        if (!p)
            return;
        l->line = p;
        l->room = room;
    }
    l->line[l->n] = strndup(text, n);
    l->n += l->line[l->n] != NULL;
}

static void add_text(struct lines *l, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n"), said = n;

        while (said > 0 && text[said - 1] == ' ')
            said--;
        if (said)
            add_line(l, text, said);
        text += n + (text[n] == '\n');
    }
}

/* What a step says already is no news when it is done. */
static void drop_said(struct lines *notes, const struct lines *steps)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < notes->n; i++) {
        bool said = false;

        for (unsigned k = 0; k < steps->n && !said; k++)
            said = strcmp(notes->line[i], steps->line[k]) == 0;
        if (said)
            free(notes->line[i]);
        else
            notes->line[kept++] = notes->line[i];
    }
    notes->n = kept;
}

static void free_lines(struct lines *l)
{
    for (unsigned i = 0; i < l->n; i++)
        free(l->line[i]);
    free(l->line);
}

void op_answer(struct op *op, int rc, const struct err *e)
{
    struct lines steps = {0}, notes = {0};
    struct apply_report r;

    for (unsigned i = 0; i < op->plan.n; i++)
        if (op->plan.step[i].text && !op->plan.step[i].idle)
            add_text(&steps, op->plan.step[i].text);
    for (unsigned i = 0; i < op->plan.n_notes; i++)
        add_text(&notes, op->plan.note[i]);
    add_text(&notes, op->notes.text);
    drop_said(&notes, &steps);
    r = (struct apply_report){
        .step = (const char *const *)steps.line,
        .n_steps = steps.n,
        .note = (const char *const *)notes.line,
        .n_notes = notes.n,
        .confirm = op->a->unconfirmed == op ? op->req->confirm : 0,
    };
    for (unsigned i = 0; !rc && !op->req->dry_run && i < steps.n; i++)
        log_info("%s: %s", op->what, steps.line[i]);
    op->done(op->arg, rc, e, &r);
    free_lines(&steps);
    free_lines(&notes);
}
