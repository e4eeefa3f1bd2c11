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

/* One line with those that continue it; *number counts all.  0: the end. */
static bool read_line(FILE *f, char **line, size_t *cap, unsigned *number)
{
    char *more = NULL, *p;
    size_t more_cap = 0, len;
    ssize_t n = getline(line, cap, f);

    if (n < 0)
        return false;
    (*number)++;
    while ((p = strstr(*line, "\\\n")) != NULL &&
           getline(&more, &more_cap, f) >= 0) {
        (*number)++;
        *p = '\0';
        len = (size_t)(p - *line) + strlen(more) + 1;
        p = *cap < len ? realloc(*line, len) : *line;
        if (!p)
            break;
        if (*cap < len)
            *cap = len;
        *line = p;
        strcat(p, more);
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
    free(line);
    if (f != stdin)
        fclose(f);
    return status;
}
