/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that a lab needs: ip(8), for namespaces and veth pairs, and what
 * hosts are to run.
 */
#include "ctl/client/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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
    execvp(argv[0], argv);
    dprintf(2, "%s: %s", argv[0], strerror(errno));
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

unsigned lab_pids(const char *netns, pid_t *pid, unsigned n)
{
    static char ip[] = "ip", obj[] = "netns", pids[] = "pids";
    char said[4096] = "", *save = NULL, name[80];
    char *argv[] = {ip, obj, pids, name, NULL};
    unsigned found = 0;

    snprintf(name, sizeof(name), "%s", netns);
    if (run(argv, said, sizeof(said)))
        return 0;
    for (char *w = strtok_r(said, "\n ", &save); w && found < n;
         w = strtok_r(NULL, "\n ", &save)) {
        long p = strtol(w, NULL, 10);

        if (p > 1)
            pid[found++] = (pid_t)p;
    }
    return found;
}

bool lab_netns_exists(const char *netns)
{
    char path[160];

    snprintf(path, sizeof(path), "/run/netns/%s", netns);
    return access(path, F_OK) == 0;
}

/* The parent of what goes on in the background ends at once. */
static void be_command(const char *netns, const char *command, int log)
{
    int null = open("/dev/null", O_RDWR);

    if (setsid() < 0 || null < 0 || fork() != 0)
        _exit(0);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    execlp("ip", "ip", "netns", "exec", netns, "sh", "-c", command,
           (char *)NULL);
    dprintf(2, "ip: %s\n", strerror(errno));
    _exit(127);
}

int lab_command(const char *netns, const char *command, const char *log,
                struct err *e)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid;

    if (fd < 0)
        return err_sys(e, errno, "%s", log);
    pid = fork();
    if (pid == 0)
        be_command(netns, command, fd);
    close(fd);
    if (pid < 0)
        return err_sys(e, errno, "command of %s", netns);
    (void)waitpid(pid, NULL, 0);
    return 0;
}
