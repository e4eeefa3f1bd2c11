/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods on configurations.
 */
#include "ctl/apply/apply.h"
#include "ctl/call.h"
#include "ctl/config/load.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIRM_MAX 86400

/* ---- reading the request ---- */

/* They are said again in answers and in the log, a line each. */
static bool is_name(const json_t *v)
{
    const char *s = json_string_value(v);

    if (!s || !*s || strlen(s) != json_string_length(v))
        return false;
    for (; *s; s++)
        if (iscntrl((unsigned char)*s))
            return false;
    return true;
}

static int take_file(struct call *c, const json_t *v, struct apply_file *f)
{
    const json_t *name = json_object_get(v, "name");
    const json_t *text = json_object_get(v, "text");

    if (!is_name(name) || !json_is_string(text)) {
        call_bad_params(c, "apply: each of \"files\" has a \"name\" "
                           "(without control characters) and a \"text\"");
        return -1;
    }
    f->len = json_string_length(text);
    f->name = strdup(json_string_value(name));
    f->text = malloc(f->len + 1);
    if (!f->name || !f->text) {
        call_fail(c, ENOMEM, NULL, "apply: out of memory");
        return -1;
    }
    memcpy(f->text, json_string_value(text), f->len + 1);
    return 0;
}

static int take_files(struct call *c, struct apply_request *r)
{
    const json_t *list = json_object_get(c->params, "files"), *v;
    size_t i, n = json_array_size(list);

    if (n < 1 || n > CONF_FILES_MAX) {
        call_bad_params(c, "apply: 1 to %d files", CONF_FILES_MAX);
        return -1;
    }
    r->file = calloc(n, sizeof(*r->file));
    if (!r->file) {
        call_fail(c, ENOMEM, NULL, "apply: out of memory");
        return -1;
    }
    json_array_foreach(list, i, v)
    {
        r->n_files++;
        if (take_file(c, v, &r->file[i]) < 0)
            return -1;
    }
    return 0;
}

static int take_namespaces(struct call *c, struct apply_request *r)
{
    const json_t *list = json_object_get(c->params, "namespaces"), *v;
    struct stat st;
    size_t i;

    r->named = calloc(json_array_size(list) + 1, sizeof(*r->named));
    if (!r->named) {
        call_fail(c, ENOMEM, NULL, "apply: out of memory");
        return -1;
    }
    json_array_foreach(list, i, v)
    {
        struct named_netns *n = &r->named[r->n_named];

        if (!is_name(v)) {
            call_bad_params(c, "apply: \"namespaces\" are strings");
            return -1;
        }
        if (call_next_netns(c, json_string_value(v), &n->fd) < 0)
            return -1;
        r->n_named++;
        n->text = strdup(json_string_value(v));
        n->id = fstat(n->fd, &st) == 0 ? st.st_ino : 0;
        if (!n->text) {
            call_fail(c, ENOMEM, NULL, "apply: out of memory");
            return -1;
        }
    }
    return 0;
}

static int take_captures(struct call *c, struct apply_request *r)
{
    const json_t *list = json_object_get(c->params, "captures"), *v;
    size_t i;

    r->opened = calloc(json_array_size(list) + 1, sizeof(*r->opened));
    if (!r->opened) {
        call_fail(c, ENOMEM, NULL, "apply: out of memory");
        return -1;
    }
    json_array_foreach(list, i, v)
    {
        struct named_file *f = &r->opened[r->n_opened];

        if (!is_name(v)) {
            call_bad_params(c, "apply: \"captures\" are strings");
            return -1;
        }
        if (call_next_file(c, json_string_value(v), &f->fd) < 0)
            return -1;
        r->n_opened++;
        f->path = strdup(json_string_value(v));
        if (!f->path) {
            call_fail(c, ENOMEM, NULL, "apply: out of memory");
            return -1;
        }
    }
    return 0;
}

static struct apply_request *take_request(struct call *c)
{
    struct apply_request *r = calloc(1, sizeof(*r));
    uint64_t confirm = rpc_number(c->params, "confirm", 0);

    if (!r) {
        call_fail(c, ENOMEM, NULL, "apply: out of memory");
        return NULL;
    }
    r->netns_fd = -1;
    r->dry_run = rpc_bool(c->params, "dry_run", false);
    r->confirm = (unsigned)confirm;
    r->may_name = call_is_owner(c);
    if (confirm > CONFIRM_MAX) {
        call_bad_params(c, "apply: \"confirm\" is at most %d seconds",
                        CONFIRM_MAX);
        apply_request_free(r);
        return NULL;
    }
    if (call_netns(c, &r->netns_fd) < 0 || take_files(c, r) < 0 ||
        take_namespaces(c, r) < 0 || take_captures(c, r) < 0) {
        apply_request_free(r);
        return NULL;
    }
    return r;
}

/* ---- answers ---- */

static json_t *strings(const char *const *s, unsigned n)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, text_value(s[i]));
    return list;
}

static void applied(void *arg, int rc, const struct err *e,
                    const struct apply_report *r)
{
    struct call *c = arg;

    c->what = "configuration";
    if (rc)
        call_done(c, rc, e);
    else
        call_ok(c, json_pack("{s:o,s:o,s:i}", "steps",
                             strings(r->step, r->n_steps), "notes",
                             strings(r->note, r->n_notes), "confirm",
                             (int)r->confirm));
}

void rpc_apply(struct call *c)
{
    struct apply_request *r = take_request(c);

    if (!r)
        return;
    r->notice = call_notices(c);
    apply_start(c->server->apply, r, applied, c);
}

void rpc_confirm(struct call *c)
{
    c->what = "configuration";
    apply_confirm(c->server->apply, rpc_bool(c->params, "revert", false),
                  call_is_owner(c), call_done, c);
}

static void showed(void *arg, int rc, const struct err *e, const char *text)
{
    struct call *c = arg;

    if (rc)
        call_done(c, rc, e);
    else
        call_ok(c, text_value(text));
}

void rpc_config(struct call *c)
{
    int fd;

    if (call_netns(c, &fd) == 0)
        apply_config(c->server->apply, fd, call_notices(c), showed, c);
}
