/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge -batch FILE: a command on each line, as typed behind "bridge" and
 * its options.  '#' begins a comment, '\' at the end of a line goes on with
 * the next, quotes keep blanks together.
 */
#include "ctl/client/iproute2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define WORDS_MAX 100

/*
 * Splits 'line' in place: the number of words, or -1: too many of them, or a
 * quote that is not closed.
 */
static int split(char *line, char **word)
{
    int n = 0;

    for (char *p = line; *(p += strspn(p, " \t\r\n")) && *p != '#';) {
        char quote = *p == '"' || *p == '\'' ? *p : '\0';
        size_t len;

        if (n == WORDS_MAX)
            return -1;
        p += quote != '\0';
        len = quote ? strcspn(p, quote == '"' ? "\"" : "'")
                    : strcspn(p, " \t\r\n");
        word[n++] = p;
        if (quote && !p[len])
            return -1;
        p += len;
        if (*p)
            *p++ = '\0';
    }
    word[n] = NULL;
    return n;
}

/* Puts 'more' in the place of what is behind 'at'.  False: no memory. */
static bool continue_line(char **line, size_t *cap, size_t at, const char *more)
{
    size_t n = strlen(more) + 1;
    char *p = *cap < at + n ? realloc(*line, at + n) : *line;

    if (!p)
        return false;
    if (*cap < at + n)
        *cap = at + n;
    *line = p;
    memcpy(p + at, more, n);
    return true;
}

/*
 * One line with those that continue it; *number counts all.  False: the end,
 * or no memory (errno; 0 at the end).
 */
static bool read_line(FILE *f, char **line, size_t *cap, unsigned *number)
{
    char *more = NULL, *p;
    size_t more_cap = 0;
    ssize_t n;

    errno = 0;
    n = getline(line, cap, f);
    if (n < 0)
        return false;
    (*number)++;
    while ((p = strstr(*line, "\\\n")) != NULL &&
           getline(&more, &more_cap, f) >= 0) {
        (*number)++;
        if (!continue_line(line, cap, (size_t)(p - *line), more)) {
            free(more);
            return false;
        }
    }
    free(more);
    return true;
}

/* What JSON cannot carry would get lost on the way to the daemon. */
static bool is_utf8(const char *word)
{
    json_t *v = json_string(word);

    json_decref(v);
    return v != NULL;
}

static int run_line(struct client *c, char *line)
{
    char *word[WORDS_MAX + 1];
    int n = split(line, word);

    if (n < 0)
        return ip_complain("a quote is not closed, or more than %d words",
                           WORDS_MAX);
    for (int i = 0; i < n; i++)
        if (!is_utf8(word[i]))
            return ip_complain("word %d is not UTF-8", i + 1);
    return n == 0 ? 0 : iproute2_command(c, n, word);
}

int iproute2_batch(struct client *c, const char *path, bool force)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    unsigned number = 0;
    int status = 0;

    if (!f) {
        ip_complain("Cannot open file \"%s\" for reading: %s", path,
                    strerror(errno));
        return 1;
    }
    while (read_line(f, &line, &cap, &number)) {
        if (run_line(c, line) == 0)
            continue;
        ip_complain("Command failed %s:%u", path, number);
        status = 1;
        if (!force)
            break;
    }
    if (status == 0 && errno != 0) {
        ip_complain("%s:%u: %s", path, number, strerror(errno));
        status = 1;
    }
    free(line);
    if (f != stdin)
        fclose(f);
    return status;
}
