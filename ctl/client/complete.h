/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion, inside: complete.c knows the grammar of command lines,
 * complete_names.c what can stand for a word of a usage line.
 *
 * Threads: one.
 */
#ifndef CTL_CLIENT_COMPLETE_H
#define CTL_CLIENT_COMPLETE_H

#include "ctl/client/client.h"

/* A command line whose last word is sought. */
struct line {
    struct client *c;
    const struct command *cmd;
    char **word; /* behind the command's name, without the last one */
    int n;
    const char *begun; /* the last one, as far as it was typed */
};

/* Prints the first n bytes of 'word' if they could become the last word. */
void offer(const char *word, size_t n, const char *begun);

/* Word number k, from 0, that is neither an option nor what belongs to one;
 * NULL: there are fewer. */
const char *plain_word(const struct line *l, int k);
bool has_word(const struct line *l, const char *word);

/* What an item of usage, as "<bridge>|<port>", can be.  Also says, by an empty
 * line, whether a file can stand there. */
void offer_names_for(const struct line *l, const char *usage);

/* "name" of all that a method lists; silent without a daemon. */
void offer_listed(struct client *c, const char *method, json_t *params,
                  bool (*want)(const json_t *o), const char *begun);

#endif
