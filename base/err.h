/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of set-up paths: a negative errno for the program and one sentence
 * for the person, gathered on the way up ("port eth1: tc ingress: Operation
 * not permitted").  Not for the data path, which counts reasons instead.
 *
 * Threads: a struct err belongs to its caller; nothing here is shared.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 320

struct err {
    char text[ERR_TEXT_MAX]; /* "" when nothing went wrong; never newlines */
};

/*
 * Says what went wrong.  'code' is an errno value of either sign; the result
 * is always -|code|, so that "return err_set(e, EBUSY, ...)" reads well.  'e'
 * may be NULL (the caller does not want the sentence).  A text that is too
 * long is cut.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, and appends ": " and the system's words for 'code'. */
int err_sys(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Puts "context: " before the text that is already there.  Returns -|code|.
 */
int err_wrap(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
