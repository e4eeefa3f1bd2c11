/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client/lab.h"

#include <errno.h>
#include <string.h>

int lab_call_in(struct client *c, const char *method, json_t *params, int netns,
                struct err *e)
{
    struct reply r;
    int rc = 0;

    if (!client_call(c, method, params, netns, &r))
        rc = reply_error(&r, e);
    reply_free(&r);
    return rc;
}

int lab_call(struct client *c, const char *method, json_t *params,
             struct err *e)
{
    return lab_call_in(c, method, params, -1, e);
}

int run_lab_up(struct client *c, int argc, char **argv)
{
    (void)argc;
    return lab_up(c, argv[0]);
}

/* 0, 1 after a complaint, or -ENOENT: it is not up. */
static int find(const struct client *c, struct lab_state *s, const char *word,
                struct err *e)
{
    int rc = lab_state_find(c, s, word, e);

    if (rc && rc != -ENOENT)
        return complain(c, "lab: %s", e->text);
    return rc;
}

/* The same of what was found: nobody else takes it down meanwhile. */
static int claim(const struct client *c, struct lab_state *s, struct err *e)
{
    int rc = lab_state_leave(s, e);

    if (rc)
        lab_state_free(s);
    if (rc && rc != -ENOENT)
        return complain(c, "lab %s: %s", s->name, e->text);
    return rc;
}

/* {"lab", "removed": [...]}: what there was of it; takes 'made' over. */
static void tell_down(const struct client *c, const char *lab, json_t *made)
{
    json_t *o = json_pack("{s:s,s:o}", "lab", lab, "removed", made);

    if (c->json)
        print_json(o);
    else
        printf("lab %s is down, nothing of it is left\n", lab);
    json_decref(o);
}

int run_lab_down(struct client *c, int argc, char **argv)
{
    struct lab_state s;
    struct err e = {""};
    int rc = find(c, &s, argv[0], &e);
    json_t *made;

    (void)argc;
    if (!rc)
        rc = claim(c, &s, &e);
    if (rc == -ENOENT) { /* as somebody who goes down twice wants it */
        if (c->json)
            tell_down(c, s.name, json_array());
        else
            fprintf(stderr, "%s\n", e.text);
        return 0;
    }
    if (rc)
        return rc;
    made = json_deep_copy(lab_made(&s));
    rc = lab_remove(c, &s, &e);
    if (rc) {
        json_decref(made);
        rc = complain(c, "lab %s: %s", s.name, e.text);
    } else {
        tell_down(c, s.name, made);
    }
    lab_state_free(&s);
    return rc;
}

int run_lab_show(struct client *c, int argc, char **argv)
{
    struct lab_state s;
    struct err e = {""};
    int rc = find(c, &s, argv[0], &e);

    (void)argc;
    if (rc == -ENOENT)
        return complain(c, "%s", e.text);
    if (rc)
        return rc;
    rc = lab_show(c, &s);
    lab_state_free(&s);
    return rc;
}
