/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client/client.h"

#include "ctl/sockpath.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET_MS 1000

static bool failed(struct reply *r, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool failed(struct reply *r, int err, const char *fmt, ...)
{
    va_list ap;

    r->err = err;
    va_start(ap, fmt);
    vsnprintf(r->text, sizeof(r->text), fmt, ap);
    va_end(ap);
    return false;
}

void reply_free(struct reply *r)
{
    json_decref(r->root);
    r->root = r->result = NULL;
}

/* ---- the connection ---- */

static bool no_daemon(struct reply *r, const char *path)
{
    int err = errno;

    if (err == ENOENT || err == ECONNREFUSED)
        return failed(r, err,
                      "no basculed answers at %s: start basculed, or name its "
                      "socket with -S",
                      path);
    return failed(r, err, "control socket %s: %s", path, strerror(err));
}

static bool connect_daemon(struct client *c, struct reply *r)
{
    struct sockaddr_un addr;
    struct err e = {""};

    if (c->fd >= 0)
        return true;
    if (sockpath_resolve(c->socket, &addr, &e) < 0)
        return failed(r, ENOENT, "%s", e.text);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return failed(r, errno, "socket: %s", strerror(errno));
    if (connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
        no_daemon(r, addr.sun_path);
        close(c->fd);
        c->fd = -1;
        return false;
    }
    return true;
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->buf);
    c->buf = NULL;
    c->at = c->len = c->cap = 0;
}

struct fds {
    int fd[CLIENT_FDS_MAX];
    unsigned n;
};

/* Descriptors go with the first octets. */
static ssize_t send_some(int sock, const char *p, size_t n,
                         const struct fds *fds)
{
    union {
        char room[CMSG_SPACE(sizeof(int) * CLIENT_FDS_MAX)];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {.iov_len = n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *h;

    memcpy(&iov.iov_base, &p, sizeof(p)); /* sendmsg reads only */
    if (fds && fds->n) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(fds->n * sizeof(int));
        h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(fds->n * sizeof(int));
        memcpy(CMSG_DATA(h), fds->fd, fds->n * sizeof(int));
    }
    return sendmsg(sock, &m, MSG_NOSIGNAL);
}

static bool send_all(struct client *c, const char *p, size_t n,
                     const struct fds *fds)
{
    while (n > 0) {
        ssize_t sent = send_some(c->fd, p, n, fds);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        p += sent;
        n -= (size_t)sent;
        fds = NULL;
    }
    return true;
}

static bool send_request(struct client *c, const char *method, json_t *params,
                         const struct fds *fds, struct reply *r)
{
    json_t *o =
        json_pack("{s:s,s:i,s:s}", "jsonrpc", "2.0", "id", 1, "method", method);
    char *text = NULL;
    size_t n;
    bool ok;

    if (o && (!params || json_object_set(o, "params", params) == 0))
        text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    json_decref(params);
    if (!text)
        return failed(r, ENOMEM, "out of memory");
    n = strlen(text);
    text[n] = '\n'; /* instead of the NUL: one call sends all */
    ok = send_all(c, text, n + 1, fds);
    free(text);
    /* A daemon that turned us away has said why: read that. */
    return ok || errno == EPIPE
               ? true
               : failed(r, errno, "the daemon's socket: %s", strerror(errno));
}

/* ---- reading ---- */

/* More octets behind those that are there.  False: the end. */
static bool fill(struct client *c)
{
    ssize_t n;

    if (c->at > 0) {
        memmove(c->buf, c->buf + c->at, c->len - c->at);
        c->len -= c->at;
        c->at = 0;
    }
    if (c->len == c->cap) {
        size_t want = c->cap ? c->cap * 2 : 64 * 1024;
        char *p = realloc(c->buf, want);

        if (!p)
            return false;
        c->buf = p;
        c->cap = want;
    }
    do {
        n = recv(c->fd, c->buf + c->len, c->cap - c->len, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    c->len += (size_t)n;
    return true;
}

/* One line without its newline; NULL at the end.  Valid until the next. */
static const char *read_line(struct client *c, size_t *n)
{
    size_t seen = c->at;

    for (;;) {
        char *end =
            c->len > seen ? memchr(c->buf + seen, '\n', c->len - seen) : NULL;
        const char *line;

        if (end) {
            line = c->buf + c->at;
            *n = (size_t)(end - line);
            c->at += *n + 1;
            return line;
        }
        seen = c->len - c->at; /* fill moves the rest to the front */
        if (!fill(c))
            return NULL;
    }
}

static int next_char(struct client *c)
{
    if (c->at == c->len && !fill(c))
        return -1;
    return (unsigned char)c->buf[c->at++];
}

static bool take_error(struct reply *r, const json_t *error)
{
    const json_t *data = json_object_get(error, "data");
    const char *text = json_string_value(json_object_get(error, "message"));
    const char *what = json_string_value(json_object_get(data, "what"));

    r->code = (int)json_integer_value(json_object_get(error, "code"));
    r->err = (int)json_integer_value(json_object_get(data, "number"));
    if (r->err <= 0)
        r->err = EIO;
    r->what = what ? what : "";
    snprintf(r->text, sizeof(r->text), "%s",
             text ? text : "the daemon gave no reason");
    return false;
}

static bool read_object(struct client *c, struct reply *r)
{
    const char *line;
    json_error_t je;
    size_t n;

    line = read_line(c, &n);
    if (!line)
        return failed(r, ECONNRESET, "the daemon ended the connection");
    r->root = json_loadb(line, n, JSON_ALLOW_NUL, &je);
    if (!r->root)
        return failed(r, EPROTO, "the daemon's answer is not JSON: %s",
                      je.text);
    return true;
}

static bool says_more_soon(const struct client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    return c->len > c->at || poll(&p, 1, QUIET_MS) > 0;
}

/* Why the answer takes long, if we have asked to hear it. */
static bool take_notice(const struct client *c, struct reply *r)
{
    const char *method = json_string_value(json_object_get(r->root, "method"));
    const json_t *params = json_object_get(r->root, "params");

    if (!method || strcmp(method, "notice") != 0)
        return false;
    if (!c->quiet || !says_more_soon(c))
        fprintf(stderr, "note: %s\n",
                json_string_value(json_object_get(params, "text")));
    reply_free(r);
    return true;
}

static bool read_reply(struct client *c, struct reply *r)
{
    do {
        if (!read_object(c, r))
            return false;
    } while (take_notice(c, r));
    r->result = json_object_get(r->root, "result");
    if (!r->result)
        return take_error(r, json_object_get(r->root, "error"));
    return true;
}

bool client_call_fds(struct client *c, const char *method, json_t *params,
                     const int *fd, unsigned n, struct reply *r)
{
    struct fds fds = {.n = 0};

    for (unsigned i = 0; i < n && fds.n < CLIENT_FDS_MAX; i++)
        if (fd[i] >= 0)
            fds.fd[fds.n++] = fd[i];
    *r = (struct reply){.what = ""};
    if (!connect_daemon(c, r)) {
        json_decref(params);
        return false;
    }
    return send_request(c, method, params, &fds, r) && read_reply(c, r);
}

bool client_call(struct client *c, const char *method, json_t *params, int fd,
                 struct reply *r)
{
    return client_call_fds(c, method, params, &fd, 1, r);
}

bool client_call_quietly(struct client *c, const char *method, json_t *params,
                         struct reply *r)
{
    bool ok;

    json_object_set_new(params, "notices", json_true());
    c->quiet = true;
    ok = client_call(c, method, params, -1, r);
    c->quiet = false;
    return ok;
}

/* ---- long arrays ---- */

/* Does the answer begin like an array?  Then that much is read. */
static bool begins_array(struct client *c)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[";
    size_t n = sizeof(head) - 1;

    while (c->len - c->at < n) {
        if (c->len > c->at && memchr(c->buf + c->at, '\n', c->len - c->at))
            return false;
        if (!fill(c))
            return false;
    }
    if (memcmp(c->buf + c->at, head, n) != 0)
        return false;
    c->at += n;
    return true;
}

struct element {
    char *p;
    size_t n, cap;
};

static bool element_add(struct element *e, int ch)
{
    if (e->n == e->cap) {
        size_t want = e->cap ? e->cap * 2 : 1024;
        char *p = realloc(e->p, want);

        if (!p)
            return false;
        e->p = p;
        e->cap = want;
    }
    e->p[e->n++] = (char)ch;
    return true;
}

/* Reads up to the ',' or ']' behind an element and returns which; -1: end. */
static int read_element(struct client *c, struct element *e)
{
    bool string = false;
    int depth = 0, ch;

    e->n = 0;
    while ((ch = next_char(c)) >= 0) {
        if (!string && depth == 0 && (ch == ',' || ch == ']'))
            return ch;
        if (string && ch == '\\') {
            if (!element_add(e, ch) || (ch = next_char(c)) < 0)
                return -1;
        } else if (ch == '"') {
            string = !string;
        } else if (!string) {
            depth += ch == '{' || ch == '[';
            depth -= ch == '}' || ch == ']';
        }
        if (!element_add(e, ch))
            return -1;
    }
    return -1;
}

static bool read_array(struct client *c,
                       void (*each)(void *arg, const json_t *item), void *arg,
                       struct reply *r)
{
    struct element e = {0};
    json_error_t je;
    int end;
    size_t n;

    do {
        json_t *item;

        end = read_element(c, &e);
        if (end < 0)
            break;
        if (e.n == 0) /* [] */
            continue;
        item = json_loadb(e.p, e.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
        if (!item) {
            free(e.p);
            return failed(r, EPROTO, "the daemon's answer is not JSON: %s",
                          je.text);
        }
        each(arg, item);
        json_decref(item);
    } while (end == ',');
    free(e.p);
    if (end < 0 || !read_line(c, &n))
        return failed(r, ECONNRESET,
                      "the daemon ended the connection in mid-answer");
    r->root = r->result = json_array();
    return true;
}

bool client_stream(struct client *c, const char *method, json_t *params,
                   void (*each)(void *arg, const json_t *item), void *arg,
                   struct reply *r)
{
    *r = (struct reply){.what = ""};
    if (!connect_daemon(c, r)) {
        json_decref(params);
        return false;
    }
    if (!send_request(c, method, params, NULL, r))
        return false;
    return begins_array(c) ? read_array(c, each, arg, r) : read_reply(c, r);
}

bool client_ended(const struct client *c, int ms)
{
    struct pollfd p = {.fd = c->fd};

    if (c->fd < 0)
        return true;
    return poll(&p, 1, ms) > 0 && (p.revents & (POLLHUP | POLLERR));
}

json_t *client_event(struct client *c)
{
    size_t n;
    const char *line = read_line(c, &n);

    return line ? json_loadb(line, n, JSON_ALLOW_NUL, NULL) : NULL;
}

bool client_pending(const struct client *c)
{
    return c->len > c->at && memchr(c->buf + c->at, '\n', c->len - c->at);
}

/* ---- what commands share ---- */

int complain(const struct client *c, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "%s: ",
            c->brctl       ? "brctl"
            : c->bridge    ? "bridge"
            : c->ovs_vsctl ? "ovs-vsctl"
                           : "bascule");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

int reply_error(const struct reply *r, struct err *e)
{
    return err_set(e, r->err ? r->err : EIO, "%s", r->text);
}

int client_complain(const struct client *c, const struct reply *r)
{
    return complain(c, "%s", r->text);
}

static size_t json_style = JSON_COMPACT;

void print_json_pretty(void)
{
    json_style = JSON_INDENT(2);
}

void print_json(const json_t *v)
{
    json_dumpf(v, stdout, json_style | JSON_ENCODE_ANY);
    putchar('\n');
}

json_t *client_ask(struct client *c, const char *method, json_t *params)
{
    struct reply r;
    json_t *v = NULL;

    if (client_call(c, method, params, -1, &r))
        v = json_incref(r.result);
    else
        client_complain(c, &r);
    reply_free(&r);
    return v;
}

int client_show(struct client *c, const char *method, json_t *params,
                void (*render)(FILE *out, const json_t *result))
{
    json_t *v = client_ask(c, method, params);

    if (!v)
        return 1;
    if (c->json)
        print_json(v);
    else if (render)
        render(stdout, v);
    json_decref(v);
    return 0;
}

int client_simple(struct client *c, const char *method, json_t *params)
{
    return client_show(c, method, params, NULL);
}

int open_own_netns(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}
