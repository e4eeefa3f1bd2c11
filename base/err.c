/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int negative(int code)
{
    return code < 0 ? code : -code;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e) {
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(e->text, sizeof(e->text), fmt, ap);
        va_end(ap);
    }
    return negative(code);
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        size_t n;

        va_start(ap, fmt);
        vsnprintf(e->text, sizeof(e->text), fmt, ap);
        va_end(ap);
        n = strlen(e->text);
        snprintf(e->text + n, sizeof(e->text) - n, ": %s",
                 strerror(-negative(code)));
    }
    return negative(code);
}

int err_wrap(struct err *e, int code, const char *fmt, ...)
{
    if (e) {
        char inner[ERR_TEXT_MAX];
        va_list ap;
        size_t n;

        memcpy(inner, e->text, sizeof(inner));
        va_start(ap, fmt);
        vsnprintf(e->text, sizeof(e->text), fmt, ap);
        va_end(ap);
        n = strlen(e->text);
        snprintf(e->text + n, sizeof(e->text) - n, ": %s", inner);
    }
    return negative(code);
}
