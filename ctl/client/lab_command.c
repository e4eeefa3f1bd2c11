/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hosts are to run.
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

#define STAT_BEGAN 22 /* of /proc/PID/stat's fields; proc(5) */

static void be_command(const char *netns, const char *command, int log)
{
    int null = open("/dev/null", O_RDWR);

    if (setsid() < 0 || null < 0)
        _exit(127);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    execlp("ip", "ip", "netns", "exec", netns, "sh", "-c", command,
           (char *)NULL);
    dprintf(2, "ip: %s\n", strerror(errno));
    _exit(127);
}

/* When a process began, in the kernel's ticks: with its number it is that of
 * no other process.  0: it has ended. */
static json_int_t began(pid_t pid)
{
    char path[40], text[1024] = "", *at;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (f && !fgets(text, sizeof(text), f))
        *text = '\0';
    if (f)
        fclose(f);
    at = strrchr(text, ')'); /* its name may hold anything */
    for (unsigned field = 2; at && field < STAT_BEGAN; field++) {
        at = strchr(at + 1, ' ');
        if (at && field == 2 && at[1] == 'Z')
            return 0;
    }
    return at ? strtoll(at, NULL, 10) : 0;
}

void lab_process_put(json_t *o, pid_t pid)
{
    json_object_set_new(o, "pid", json_integer(pid));
    json_object_set_new(o, "began", json_integer(began(pid)));
}

int lab_command(const char *netns, const char *command, json_t *host,
                struct err *e)
{
    const char *log = str(host, "log");
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
    lab_process_put(host, pid);
    return 0;
}

bool lab_process_runs(const json_t *o)
{
    json_int_t when = json_integer_value(json_object_get(o, "began"));

    return when &&
           when == began((pid_t)json_integer_value(json_object_get(o, "pid")));
}

bool lab_command_ended(json_t *host)
{
    pid_t pid = (pid_t)json_integer_value(json_object_get(host, "pid"));
    char how[40];
    int status;

    if (pid <= 0 || waitpid(pid, &status, WNOHANG) != pid)
        return false;
    if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(status));
    json_object_set_new(host, "ended", json_string(how));
    return status != 0;
}
