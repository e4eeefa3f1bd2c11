/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What QEMU says when it ends, for whoever has defined the guest: QEMU knows
 * files by the descriptors it was given, a user by their paths.
 */
#include "ctl/guest/said.h"

#include "ctl/guest/args.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- paths for descriptors ---- */

static bool is_file(const struct pass *p)
{
    return p->kind == PASS_READ || p->kind == PASS_WRITE ||
           p->kind == PASS_REOPEN;
}

/* The file that 'at' names as a descriptor; NULL: it does not name one.  '*end'
 * is behind its number. */
static const struct pass *file_at(const struct args *a, const char *at,
                                  const char **end)
{
    static const char *const ways[] = {"/dev/fdset/", "/proc/self/fd/"};

    for (unsigned i = 0; i < 2; i++) {
        size_t n = strlen(ways[i]);
        unsigned long fd;
        char *behind;

        if (strncmp(at, ways[i], n) != 0 || !isdigit((unsigned char)at[n]))
            continue;
        fd = strtoul(at + n, &behind, 10);
        *end = behind;
        if (fd >= ARGS_FIRST_FD && fd - ARGS_FIRST_FD < a->n_pass &&
            is_file(&a->pass[fd - ARGS_FIRST_FD]))
            return &a->pass[fd - ARGS_FIRST_FD];
    }
    return NULL;
}

/* "-drive if=none,...,file=/dev/fdset/5,...: " at the beginning: the option it
 * was made of, and 'text' goes on behind it. */
static const struct pass *drive_at(const struct args *a, const char **text)
{
    const char *file = strstr(*text, "file=/dev/fdset/");
    const char *behind = strstr(*text, ": "), *end;

    if (strncmp(*text, "-drive ", 7) != 0 || !file || !behind || file > behind)
        return NULL;
    *text = behind;
    return file_at(a, file + 5, &end);
}

static void translate(const struct guest_def *d, const struct args *a,
                      const char *text, char *out, size_t n)
{
    const struct pass *p = drive_at(a, &text);
    size_t len = 0;

    *out = '\0';
    if (d->machine &&
        strstr(text, "unsupported machine")) /* it does not say which */
        len = (size_t)snprintf(out, n, "--machine %s: ", d->machine);
    else if (p)
        len = (size_t)snprintf(out, n, "%s %s", p->option, p->path);
    while (*text && len < n) {
        const char *end = text + 1;

        p = file_at(a, text, &end);
        if (p)
            len += (size_t)snprintf(out + len, n - len, "%s", p->path);
        else
            len += (size_t)snprintf(out + len, n - len, "%.*s",
                                    (int)(end - text), text);
        text = end;
    }
}

/* What does not fit lacks its middle: what was done stands at the beginning,
 * why it failed at the end, and long paths between. */
static void fit(const char *text, char *out, size_t n)
{
    size_t len = strlen(text), head = (n - 4) / 3;

    if (len < n)
        memcpy(out, text, len + 1);
    else
        snprintf(out, n, "%.*s...%s", (int)head, text,
                 text + len - (n - 4 - head));
}

void said_translate(const struct guest_def *d, const char *text, char *out,
                    size_t n)
{
    char whole[4096];
    /* files come before all that the host decides on */
    struct args_host h = {.program = "", .run_dir = "", .seed = d->cloud_init};
    struct err none;
    struct args a;

    if (args_build(&a, d, &h, &none) == 0)
        translate(d, &a, text, whole, sizeof(whole));
    else
        snprintf(whole, sizeof(whole), "%s", text);
    args_free(&a);
    fit(whole, out, n);
}

/* ---- the log ---- */

/* A line of the log without who says it.  NULL: a socket that it may not
 * remove, and how to ask what there is, were not what was wrong. */
static const char *what_was_wrong(const char *line)
{
    const char *said =
        strncmp(line, "qemu-system-", 12) == 0 ? strstr(line, ": ") : NULL;

    said = said ? said + 2 : line;
    return strncmp(said, "Failed to unlink", 16) == 0 ||
                   strstr(said, "help to list")
               ? NULL
               : said;
}

/* The end of the file, as a string. */
static void read_end(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;

    if (fd >= 0) {
        off_t all = lseek(fd, 0, SEEK_END), room = (off_t)size - 1;

        got = pread(fd, text, size - 1, all > room ? all - room : 0);
        close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
}

void said_last(const struct guest_def *d, const char *dir, char *out, size_t n)
{
    char path[PATH_MAX], text[2048], *save = NULL;
    const char *last = NULL;

    *out = '\0';
    if (snprintf(path, sizeof(path), "%s/log", dir) >= (int)sizeof(path))
        return;
    read_end(path, text, sizeof(text));
    for (const char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        const char *said = what_was_wrong(line);

        last = said ? said : last;
    }
    if (last)
        said_translate(d, last, out, n);
}
