/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/call.h"

#include "ctl/apply/running.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct call *call_new(struct conn *c, const struct rpc_request *r)
{
    struct call *call = calloc(1, sizeof(*call));

    if (!call) {
        struct rpc_request copy = *r;

        rpc_request_free(&copy);
        return NULL;
    }
    call->server = c->server;
    call->conn = c;
    call->req = *r;
    call->params = r->params;
    c->call = call;
    LIST_INSERT_HEAD(&c->server->calls, call, link);
    return call;
}

void call_free(struct call *call)
{
    struct conn *c = call->conn;

    LIST_REMOVE(call, link);
    rpc_request_free(&call->req);
    free(call);
    if (c) {
        c->call = NULL;
        conn_call_done(c);
    }
}

/* Where the answer goes; NULL: nobody wants it. */
static struct text *answer_to(struct call *c)
{
    return c->conn && c->req.id ? &c->conn->out : NULL;
}

void call_ok(struct call *c, json_t *result)
{
    struct text *out = answer_to(c);

    if (!result) {
        call_fail(c, ENOMEM, NULL, "%s: out of memory", c->req.cmd->name);
        return;
    }
    if (out && rpc_write_result(out, c->req.id, result) < 0) {
        json_decref(result);
        call_fail(c, ENOMEM, NULL, "%s: out of memory", c->req.cmd->name);
        return;
    }
    json_decref(result);
    call_free(c);
}

static void give_notice(void *arg, const char *text)
{
    struct call *c = arg;
    struct text *out = answer_to(c);
    json_t *o = out ? json_pack("{s:s,s:s,s:{s:o}}", "jsonrpc", "2.0", "method",
                                "notice", "params", "text", text_value(text))
                    : NULL;

    if (o && text_json(out, o) == 0 && text_add(out, "\n", 1) == 0)
        conn_flush(c->conn);
    json_decref(o);
}

call_word call_notices(const struct call *c)
{
    return rpc_bool(c->params, "notices", false) ? give_notice : NULL;
}

static void answer_error(struct call *c, const struct rpc_error *e)
{
    struct text *out = answer_to(c);

    if (out && rpc_write_error(out, c->req.id, e) < 0)
        c->conn->closing = true; /* no memory even for that */
    call_free(c);
}

void call_fail(struct call *c, int err, const char *what, const char *fmt, ...)
{
    struct rpc_error e = {
        .code = RPC_FAILED, .err = err < 0 ? -err : err, .what = what};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e.text, sizeof(e.text), fmt, ap);
    va_end(ap);
    answer_error(c, &e);
}

void call_bad_params(struct call *c, const char *fmt, ...)
{
    struct rpc_error e = {.code = RPC_BAD_PARAMS};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e.text, sizeof(e.text), fmt, ap);
    va_end(ap);
    answer_error(c, &e);
}

/* What remedy is there that the switch cannot know of? */
static const char *remedy(int err)
{
    if (err == EMFILE)
        return "; the daemon has no file descriptors left: raise its limit "
               "(LimitNOFILE=, ulimit -n)";
    if (err == ENFILE)
        return "; the system has no file descriptors left: raise fs.file-max";
    return "";
}

void call_done(void *arg, int rc, const struct err *e)
{
    struct call *c = arg;

    if (rc == 0)
        call_ok(c, json_true());
    else
        call_fail(c, rc, c->what, "%s%s", e->text[0] ? e->text : strerror(-rc),
                  remedy(-rc));
}

void call_dump(struct call *c, struct dump *d)
{
    struct text *out = answer_to(c);

    d->server = c->server;
    if (!out) { /* a dump to nobody */
        d->free(d);
        call_free(c);
        return;
    }
    if (rpc_write_head(out, c->req.id, ",\"result\":") < 0 ||
        text_add(out, d->head, strlen(d->head)) < 0) {
        d->free(d);
        c->conn->closing = true;
        call_free(c);
        return;
    }
    c->conn->dump = d;
    conn_flush(c->conn);
    conn_ready(c->conn);
}

int dump_comma(struct dump *d, struct text *out)
{
    return d->count++ ? text_add(out, ",", 1) : 0;
}

/* ---- parameters ---- */

struct bridge *call_bridge(struct call *c)
{
    const char *name = rpc_string(c->params, "bridge");
    struct bridge *b = bridge_find(c->server->sw, name);

    if (!b)
        call_fail(c, ENODEV, "bridge", "there is no bridge %.15s", name);
    return b;
}

struct bport *call_port(struct call *c, const char *name)
{
    const char *bridge = rpc_string(c->params, "bridge");
    struct bport *p = NULL;
    struct bridge *b;

    if (bridge) {
        b = call_bridge(c);
        if (!b)
            return NULL;
        p = bport_find(b, name);
        if (!p)
            call_fail(c, ENOENT, "port", "bridge %.15s has no port %.15s",
                      bridge, name);
        return p;
    }
    b = bport_owner(c->server->sw, name);
    p = b ? bport_find(b, name) : NULL;
    if (!p)
        call_fail(c, ENOENT, "port", "no bridge has a port %.15s", name);
    return p;
}

bool call_place(struct call *c, struct bridge **b, struct bport **p, int *no)
{
    const char *bridge = rpc_string(c->params, "bridge");
    const char *port = rpc_string(c->params, "port");
    struct sw *sw = c->server->sw;
    struct bport_info i;

    *p = NULL;
    *no = port ? BRIDGE_LOCAL : -1;
    if (!bridge && !port) {
        call_bad_params(c, "%s: parameter \"bridge\" or \"port\" is missing",
                        c->req.cmd->name);
        return false;
    }
    if (bridge && !(*b = call_bridge(c)))
        return false;
    if (!port || (bridge && strcmp(bridge, port) == 0))
        return true;
    if (!bridge && (*b = bridge_find(sw, port)))
        return true;
    *p = call_port(c, port);
    if (!*p)
        return false;
    if (!bridge)
        *b = bport_owner(sw, port);
    bport_info(*p, &i);
    *no = i.no;
    return true;
}

bool call_is_owner(const struct call *c)
{
    return c->conn && c->conn->is_owner;
}

int call_may_add(const struct call *c, const struct port_spec *spec,
                 struct err *e)
{
    return call_is_owner(c) ? 0 : spec_names_none(spec, e);
}

static bool is_own_netns(int fd)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && stat("/proc/self/ns/net", &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The next descriptor; 'why' one was expected.  0, or -1 after an answer. */
static int next_fd(struct call *c, const char *why, int *fd)
{
    struct conn *conn = c->conn;

    *fd = -1;
    if (conn->n_fds == 0) {
        call_bad_params(c, "%s: %.60s but no descriptor came along",
                        c->req.cmd->name, why);
        return -1;
    }
    *fd = conn->fds[0];
    memmove(conn->fds, conn->fds + 1, --conn->n_fds * sizeof(conn->fds[0]));
    return 0;
}

int call_next_netns(struct call *c, const char *why, int *fd)
{
    if (next_fd(c, why, fd) < 0)
        return -1;
    if (ioctl(*fd, NS_GET_NSTYPE) == CLONE_NEWNET)
        return 0;
    close(*fd);
    *fd = -1;
    call_bad_params(c, "%s: the descriptor is no network namespace",
                    c->req.cmd->name);
    return -1;
}

int call_next_file(struct call *c, const char *why, int *fd)
{
    return next_fd(c, why, fd);
}

int call_file(struct call *c, int *fd)
{
    *fd = -1;
    return rpc_bool(c->params, "file", false)
               ? next_fd(c, "\"file\" is true", fd)
               : 0;
}

int call_netns(struct call *c, int *fd)
{
    *fd = -1;
    if (!rpc_bool(c->params, "netns", false))
        return 0;
    if (call_next_netns(c, "\"netns\" is true", fd) < 0)
        return -1;
    if (is_own_netns(*fd)) {
        close(*fd);
        *fd = -1;
    }
    return 0;
}
