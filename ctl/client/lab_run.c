/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip(8), for namespaces and veth pairs.
 */
#include "ctl/client/lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 20

static void be_ip(int out, char *const *argv)
{
    int null = open("/dev/null", O_RDWR);

    if (null >= 0)
        dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    setenv("LC_ALL", "C", 1);
    execvp("ip", argv);
    dprintf(2, "ip: %s", strerror(errno));
    _exit(127);
}

/* What it says, to either output, up to n octets with a NUL. */
static int run(char *const *argv, char *said, size_t n)
{
    int fd[2], status = -1;
    size_t len = 0;
    ssize_t got;
    char more[256];
    pid_t pid;

    if (pipe2(fd, O_CLOEXEC) < 0)
        return -1;
    pid = fork();
    if (pid == 0)
        be_ip(fd[1], argv);
    close(fd[1]);
    while (pid > 0 && (got = read(fd[0], more, sizeof(more))) > 0) {
        size_t fits = n - 1 - len < (size_t)got ? n - 1 - len : (size_t)got;

        memcpy(said + len, more, fits);
        len += fits;
    }
    said[len] = '\0';
    close(fd[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The words and what came of them, in a line. */
static int failed(struct err *e, char *const *argv, char *said)
{
    char words[200] = "";

    for (unsigned i = 0; argv[i]; i++)
        snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s",
                 i ? " " : "", argv[i]);
    said[strcspn(said, "\n")] = '\0';
    return err_set(e, EIO, "%s: %.100s", words, said);
}

int lab_ip(struct err *e, const char *const *word)
{
    char *argv[WORDS_MAX + 2] = {NULL}, said[400] = "";
    unsigned n = 0;
    int rc = 0;

    argv[n++] = strdup("ip");
    for (; *word && n <= WORDS_MAX; word++)
        argv[n++] = strdup(*word);
    for (unsigned i = 0; i < n; i++)
        if (!argv[i])
            rc = err_set(e, ENOMEM, "out of memory");
    if (!rc && run(argv, said, sizeof(said)))
        rc = failed(e, argv, said);
    for (unsigned i = 0; i < n; i++)
        free(argv[i]);
    return rc;
}

const char *lab_addr_text(const struct conf_addr *a, bool prefix,
                          char text[LAB_ADDR_MAX])
{
    char plain[INET6_ADDRSTRLEN] = "";

    inet_ntop(a->family, &a->a, plain, sizeof(plain));
    if (prefix)
        snprintf(text, LAB_ADDR_MAX, "%s/%u", plain, a->prefix);
    else
        memcpy(text, plain, sizeof(plain));
    return text;
}
