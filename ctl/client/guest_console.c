/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's serial line on this terminal.  What is typed goes through as it
 * is, Ctrl-C too; Ctrl-] leaves.  Standard input may be a file or a pipe: when
 * it has ended, the guest may say what it has to say, until it is silent.
 */
#include "ctl/client/accepted.h"
#include "ctl/client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define LEAVE   0x1d /* Ctrl-] */
#define SILENCE 1000 /* ms: then it has said all */
/* Times 20 ms, for QEMU to serve us: if somebody else is served or it is
 * stopped, and if it is only busy. */
#define PATIENCE      50
#define PATIENCE_BUSY 400

static struct termios before;
static volatile sig_atomic_t told; /* by a signal, to end */

static void on_signal(int n)
{
    told = n;
}

static void restore(void)
{
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

/* False: standard input is no terminal; it is then read as it comes. */
static bool make_raw(void)
{
    struct sigaction a = {.sa_handler = on_signal};
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return false;
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGHUP, &a, NULL);
    raw = before;
    cfmakeraw(&raw);
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);

        if (w < 0 && errno == EINTR && !told)
            continue;
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* False: leave. */
static bool from_terminal(int sock, bool *open)
{
    char buf[512];
    ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
    const char *leave;

    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0) { /* the end of a file: what the guest says is still heard */
        *open = false;
        return true;
    }
    leave = memchr(buf, LEAVE, (size_t)n);
    return write_all(sock, buf, leave ? (size_t)(leave - buf) : (size_t)n) &&
           !leave;
}

/* 1; 0: it has ended; or -errno: what it says has nowhere to go. */
static int from_guest(int sock)
{
    char buf[4096];
    ssize_t n = read(sock, buf, sizeof(buf));

    if (n < 0 && errno == EINTR)
        return 1;
    if (n <= 0)
        return 0;
    if (write_all(STDOUT_FILENO, buf, (size_t)n))
        return 1;
    return told ? 0 : -errno;
}

/* 0, or -errno of standard output. */
static int talk(int sock)
{
    bool open = true;

    while (!told) {
        struct pollfd p[2] = {
            {.fd = sock, .events = POLLIN},
            {.fd = open ? STDIN_FILENO : -1, .events = POLLIN}};

        int n = poll(p, 2, open ? -1 : SILENCE);

        if (n == 0)
            return 0;
        if (n < 0)
            continue;
        n = p[0].revents ? from_guest(sock) : 1;
        if (n <= 0)
            return n;
        if (p[1].revents && !from_terminal(sock, &open))
            return 0;
    }
    return 0;
}

/* ---- one at a time ---- */

/*
 * QEMU serves one console and leaves others waiting without a word.  Whether
 * somebody is served the kernel's list says, of those who came from this
 * network namespace: state 03 (SS_CONNECTED) of the far end.
 *
 *   address: count protocol flags type state inode path
 */
static bool is_served_one(const char *line, const char *path)
{
    const char *at = strchr(line, '/'), *field = line;

    if (!at || strcmp(at, path) != 0)
        return false;
    for (int i = 0; i < 5 && field; i++)
        field = strchr(field + 1, ' ');
    return field && strncmp(field, " 03 ", 4) == 0;
}

static bool somebody_served(const char *path)
{
    FILE *f = fopen("/proc/self/net/unix", "re");
    bool found = false;
    char line[512];

    while (f && !found && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        found = is_served_one(line, path);
    }
    if (f)
        fclose(f);
    return found;
}

/* ---- attaching ---- */

/* Whose console it is. */
struct line {
    const char *name, *path;
    long pid; /* QEMU's */
};

/* Has somebody stopped the process? */
static bool is_frozen(long pid)
{
    char path[64], text[512] = "";
    const char *behind;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    behind = strrchr(text, ')'); /* of its name, which may be anything */
    return behind && strncmp(behind, ") T", 3) == 0;
}

static int not_served(const struct client *c, const struct line *l)
{
    if (somebody_served(l->path))
        return complain(c,
                        "guest %s: another console is attached, and there can "
                        "be one at a time",
                        l->name);
    if (is_frozen(l->pid))
        return complain(c,
                        "guest %s: its QEMU does not answer: process %ld is "
                        "stopped",
                        l->name, l->pid);
    return complain(c,
                    "guest %s: another console is attached, from another "
                    "network namespace, or its QEMU does not answer",
                    l->name);
}

/* Without waiting, or -errno. */
static int connect_to(const struct line *l)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", l->path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
        fcntl(fd, F_SETFL, 0) == 0)
        return fd;
    rc = -errno;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* 'fd': a connection, or -errno of none.  QEMU takes those with it that it has
 * not served. */
static bool has_ended(int fd)
{
    struct pollfd p = {.fd = fd};

    if (fd < 0)
        return fd == -ENOENT || fd == -ECONNREFUSED;
    return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

/* A connection that QEMU serves, or -1 after a complaint.  Who has just left
 * may take a moment to be gone, and the queue may be full (-EAGAIN) of those
 * who have given up, until QEMU has seen that. */
static int served(const struct client *c, const struct line *l)
{
    int fd = -EAGAIN;

    for (int i = 0; i < PATIENCE_BUSY; i++) {
        if (fd == -EAGAIN)
            fd = connect_to(l);
        if (has_ended(fd)) {
            complain(c, "guest %s has ended", l->name);
            if (fd >= 0)
                close(fd);
            return -1;
        }
        if (fd < 0 && fd != -EAGAIN) {
            complain(c, "console %s: %s", l->path, strerror(-fd));
            return -1;
        }
        if (fd >= 0 && unix_accepted(fd))
            return fd;
        if (i >= PATIENCE && (somebody_served(l->path) || is_frozen(l->pid)))
            break;
        (void)poll(NULL, 0, 20);
    }
    if (fd >= 0)
        close(fd);
    not_served(c, l);
    return -1;
}

static int attach(const struct client *c, const struct line *l)
{
    int fd = served(c, l);
    bool raw;
    int rc;

    if (fd < 0)
        return 1;
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "console of %s; Ctrl-] leaves it\n", l->name);
    raw = make_raw();
    rc = talk(fd);
    if (raw) {
        restore();
        fprintf(stderr, "\n");
    }
    close(fd);
    return rc ? complain(c, "console of %s: standard output: %s", l->name,
                         strerror(-rc))
              : 0;
}

int run_guest_console(struct client *c, int argc, char **argv)
{
    json_t *g =
        client_ask(c, "guest.show", json_pack("{s:s}", "name", argv[0]));
    struct line l = {.name = argv[0]};
    int status;

    (void)argc;
    if (!g)
        return 1;
    l.path = json_string_value(json_object_get(g, "console"));
    l.pid = (long)json_integer_value(json_object_get(g, "pid"));
    status =
        l.path ? attach(c, &l) : complain(c, "guest %s does not run", argv[0]);
    json_decref(g);
    return status;
}
