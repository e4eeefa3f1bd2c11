/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const level_name[] = {"error", "warn", "info", "debug"};
/* syslog's numbers for the same levels: err, warning, info, debug */
static const int level_syslog[] = {3, 4, 6, 7};

static _Atomic int max_level = LOG_LEVEL_INFO;
static _Atomic unsigned lost; /* lines nobody read in time */

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (int i = 0; i <= LOG_LEVEL_DEBUG; i++) {
        if (strcmp(name, level_name[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/*
 * A reader of our standard error that has stopped reading must not stop the
 * switch: a line is written only if there is room for it.
 */
static bool room(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static void write_line(const char *line, size_t n)
{
    unsigned missed;

    if (!room()) {
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
        return;
    }
    missed = atomic_exchange_explicit(&lost, 0, memory_order_relaxed);
    if (missed)
        dprintf(STDERR_FILENO, "basculed: %u log lines lost\n", missed);
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* nowhere left to complain to */
}

/* systemd.exec(5): the variable has the numbers of a stream.  A shell that
 * systemd started hands it on to what writes elsewhere. */
bool log_is_journal(void)
{
    const char *named = getenv("JOURNAL_STREAM");
    char ours[64];
    struct stat st;

    if (!named || fstat(STDERR_FILENO, &st) < 0)
        return false;
    snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino);
    return strcmp(named, ours) == 0;
}

/* One write(2) per line, so that lines of several threads do not mix. */
static void __attribute__((format(printf, 2, 0)))
log_line(enum log_level level, const char *fmt, va_list ap)
{
    char line[1024];
    int n, m;

    if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed))
        return;
    if (log_is_journal())
        n = snprintf(line, sizeof(line), "<%d>", level_syslog[level]);
    else
        n = snprintf(line, sizeof(line), "basculed: %s: ", level_name[level]);
    m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    if (m < 0)
        return;
    n += m;
    if (n > (int)sizeof(line) - 2)
        n = (int)sizeof(line) - 2;
    line[n++] = '\n';
    write_line(line, (size_t)n);
}

#define DEFINE_LOG(name, level)                                                \
    void log_##name(const char *fmt, ...)                                      \
    {                                                                          \
        va_list ap;                                                            \
                                                                               \
        va_start(ap, fmt);                                                     \
        log_line(level, fmt, ap);                                              \
        va_end(ap);                                                            \
    }

DEFINE_LOG(error, LOG_LEVEL_ERROR)
DEFINE_LOG(warn, LOG_LEVEL_WARN)
DEFINE_LOG(info, LOG_LEVEL_INFO)
DEFINE_LOG(debug, LOG_LEVEL_DEBUG)
