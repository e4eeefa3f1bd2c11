/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of a network, character by character, and errors that say where.
 * Text ends at 'len'; a NUL in it is a character like others, and an error.
 */
#ifndef CTL_SIM_SCAN_H
#define CTL_SIM_SCAN_H

#include "ctl/sim/net.h"

struct scan {
    const char *file, *text;
    size_t at, len;
    size_t line_at; /* where the line begins */
    unsigned line;
    struct err *err;
};

#define SIM_WORD_MAX 48

/* The character to be read next; 0: the end of the text, or of a statement. */
char sim_peek(const struct scan *c);
/* Blanks and comments, to the next word or the end of the statement. */
void sim_blanks(struct scan *c);
/* Over a ';' or a line's end.  False: the text is over. */
bool sim_next_statement(struct scan *c);
/* True, and over it, if it comes next. */
bool sim_take(struct scan *c, char what);

/*
 * Letters, digits, '_', and those of 'more'.  0; -EINVAL with "'what' is
 * missing" or that it is too long for 'word' (of 'size').
 */
int sim_word(struct scan *c, const char *more, const char *what, char *word,
             size_t size);

/* "FILE:LINE:COLUMN: what"; -EINVAL.  'at': where in the text. */
int sim_bad(struct scan *c, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with what c->err says already. */
int sim_bad_value(struct scan *c, size_t at);

#endif
