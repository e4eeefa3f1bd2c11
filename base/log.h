/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's log: one line per message on standard error, with the level
 * as systemd's journal reads it when standard error is the journal.
 *
 * Threads: any thread that is allowed to block.  A worker that is online must
 * not log; it queues an event (switch/event.h) and the control thread logs.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

/* Messages above 'level' are not printed.  Before the first call: INFO. */
void log_set_level(enum log_level level);

/* Reads "error", "warn", "info" or "debug"; false if 'name' is none of them. */
bool log_level_parse(const char *name, enum log_level *level);

/* Is standard error the journal's, which reads levels as "<4>"? */
bool log_is_journal(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
