/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language of networks.  Statements end with a line or a ';':
 *
 *   statement  item... | lan ':' member... | '@' time order | expectation
 *              | 'default' '[' option,... ']'
 *   item       bridge[options] | port[options] | end '-' end ['-' end...]
 *              [options]                            (links, one for each '-')
 *   lan        name[options]
 *   member     end[options]
 *   end        bridge | port
 *   port       bridge '.p' number
 *   order      'cut' what | 'heal' what | 'kill' bridge | 'revive' bridge
 *              | 'mcheck' port | 'set' what option... | expectation
 *   what       bridge | lan | port | end '-' end
 *   expectation 'expect' port role [state] | 'expect' bridge 'root'
 *   option     name | name=value
 *
 * A bridge is there as soon as it is named.  Its ports are numbered as they
 * are named; an end may say which number it is to be.
 */
#include "ctl/sim/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool next_word_is(const struct scan *c, const char *word)
{
    size_t n = strlen(word);
    struct scan end = *c;

    if (c->len - c->at < n || strncmp(c->text + c->at, word, n) != 0)
        return false;
    end.at += n;
    return strchr(" \t\r[", sim_peek(&end)) != NULL;
}

static int read_default(struct reader *r)
{
    r->scan.at += strlen("default");
    sim_blanks(&r->scan);
    if (sim_peek(&r->scan) != '[')
        return sim_bad(&r->scan, r->scan.at, "default[OPTION=VALUE,...]");
    return sim_parse_options(r, ON_DEFAULT | ON_BRIDGE | ON_LAN | ON_PORT, NULL,
                             1);
}

static int read_statement(struct reader *r)
{
    struct scan *c = &r->scan;
    struct end e;
    int rc;

    sim_blanks(c);
    if (!sim_peek(c) && (c->at >= c->len || c->text[c->at]))
        return 0;
    if (sim_take(c, '@')) {
        rc = sim_parse_timed(r);
    } else if (next_word_is(c, "expect")) {
        rc = sim_parse_order(r, STP_NEVER);
    } else if (next_word_is(c, "default")) {
        rc = read_default(r);
    } else {
        rc = sim_parse_end(r, &e);
        if (!rc)
            rc = sim_lan_follows(c) ? sim_parse_lan(r, &e)
                                    : sim_parse_items(r, &e);
    }
    sim_blanks(c);
    if (!rc && (sim_peek(c) || (c->at < c->len && !c->text[c->at])))
        rc = sim_bad(c, c->at, "the statement should have ended here");
    return rc;
}

int sim_read(struct sim **s, const char *file, const char *text, size_t len,
             struct err *e)
{
    struct reader r = {
        .scan = {.file = file, .text = text, .len = len, .line = 1, .err = e}};
    int rc;

    *s = NULL;
    r.s = calloc(1, sizeof(*r.s));
    if (!r.s)
        return err_set(e, ENOMEM, "out of memory");
    sim_defaults(r.s);
    snprintf(r.s->file, sizeof(r.s->file), "%s", file);
    do
        rc = read_statement(&r);
    while (!rc && sim_next_statement(&r.scan));
    if (!rc && r.s->bridges == 0)
        rc = sim_bad(&r.scan, r.scan.at, "there is no bridge");
    if (rc) {
        sim_free(r.s);
        return rc;
    }
    *s = r.s;
    return 0;
}
