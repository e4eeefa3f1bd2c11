/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/sim/scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

char sim_peek(const struct scan *c)
{
    char x = c->at < c->len ? c->text[c->at] : 0;

    return x == ';' || x == '\n' || x == '#' ? 0 : x;
}

void sim_blanks(struct scan *c)
{
    while (c->at < c->len && strchr(" \t\r", c->text[c->at]) && c->text[c->at])
        c->at++;
    if (c->at < c->len && c->text[c->at] == '#')
        while (c->at < c->len && c->text[c->at] != '\n')
            c->at++;
}

bool sim_next_statement(struct scan *c)
{
    if (c->at >= c->len)
        return false;
    if (c->text[c->at] == '\n') {
        c->line++;
        c->line_at = c->at + 1;
    }
    c->at++;
    return true;
}

bool sim_take(struct scan *c, char what)
{
    if (sim_peek(c) != what)
        return false;
    c->at++;
    return true;
}

int sim_word(struct scan *c, const char *more, const char *what, char *word,
             size_t size)
{
    size_t from = c->at, n = 0;
    char x;

    while ((x = sim_peek(c)) != 0 &&
           (isalnum((unsigned char)x) || x == '_' || strchr(more, x))) {
        if (n + 1 >= size)
            return sim_bad(c, from, "%s is longer than %zu characters", what,
                           size - 1);
        word[n++] = x;
        c->at++;
    }
    word[n] = '\0';
    if (n > 0)
        return 0;
    if (x == 0)
        return sim_bad(c, from, "%s is missing", what);
    if (!isprint((unsigned char)x))
        return sim_bad(c, from, "%s is missing: there is a character \\x%02x",
                       what, (unsigned char)x);
    return sim_bad(c, from, "%s is missing: there is a '%c'", what, x);
}

static int put_place(struct scan *c, size_t at)
{
    return err_wrap(c->err, EINVAL, "%s:%u:%zu", c->file, c->line,
                    at - c->line_at + 1);
}

int sim_bad(struct scan *c, size_t at, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)err_set(c->err, EINVAL, "%s", text);
    return put_place(c, at);
}

int sim_bad_value(struct scan *c, size_t at)
{
    return put_place(c, at);
}
