/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the commands of iproute2 share: reading words, and saying in its words
 * what is wrong with them.
 */
#include "ctl/client/iproute2.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- words ---- */

const char *words_take(struct words *w)
{
    if (w->n == 0)
        return NULL;
    w->n--;
    return *w->v++;
}

const char *words_value(struct words *w)
{
    const char *word = words_take(w);

    if (!word)
        ip_complain("Command line is not complete. Try option \"help\"");
    return word;
}

bool word_begins(const char *typed, const char *word)
{
    return *typed && strncmp(typed, word, strlen(typed)) == 0;
}

bool word_number(const char *text, unsigned long max, unsigned long *n)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *n = strtoul(text, &end, text[1] == 'x' || text[1] == 'X' ? 16 : 10);
    return errno == 0 && *end == '\0' && *n <= max;
}

bool word_vlan(const char *text, unsigned *vid)
{
    unsigned long n;

    if (!word_number(text, 4094, &n) || n == 0)
        return false;
    *vid = (unsigned)n;
    return true;
}

/* ---- complaints ---- */

int ip_complain(const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return IP_FAIL;
}

int ip_wrong(const char *arg, const char *why)
{
    return ip_complain("Error: argument \"%s\" is wrong: %s", arg, why);
}

int ip_duplicate(const char *key, const char *arg)
{
    return ip_complain("Error: duplicate \"%s\": \"%s\" is the second value.",
                       key, arg);
}

int ip_garbage(const char *arg)
{
    return ip_complain(
        "Error: either \"to\" is duplicate, or \"%s\" is a garbage.", arg);
}

int ip_answers(int err)
{
    return ip_complain("RTNETLINK answers: %s", strerror(err));
}

/*
 * Under the name "bridge" to the letter; else the daemon's sentence, which
 * knows more, follows in parentheses.
 */
int ip_said(const struct client *c, const struct reply *r)
{
    if (r->code == 0) {
        client_complain(c, r); /* there was no daemon to ask */
        return IP_FAIL;
    }
    if (c->bridge && r->err != EOPNOTSUPP)
        return ip_answers(r->err);
    return ip_complain("RTNETLINK answers: %s (%s)", strerror(r->err), r->text);
}

/* ---- what the daemon has ---- */

int ip_is_bridge(struct client *c, const char *name)
{
    struct reply r;
    bool yes =
        client_call(c, "show", json_pack("{s:s}", "bridge", name), -1, &r);
    int is = yes;

    if (!yes && r.err != ENODEV) {
        client_complain(c, &r);
        is = -1;
    }
    reply_free(&r);
    return is;
}

json_t *ip_ports(struct client *c)
{
    return client_ask(c, "port.show", NULL);
}

const json_t *ip_port_find(const json_t *ports, const char *name)
{
    const json_t *p;
    size_t i;

    json_array_foreach(ports, i, p)
    {
        const char *s = json_string_value(json_object_get(p, "name"));

        if (s && strcmp(s, name) == 0)
            return p;
    }
    return NULL;
}

/* -n has been obeyed by the time anybody asks. */
static uint64_t own_netns(void)
{
    static uint64_t inode;
    struct stat st;

    if (inode == 0 && stat("/proc/thread-self/ns/net", &st) == 0)
        inode = st.st_ino;
    return inode;
}

int ip_port_index(const json_t *port)
{
    json_int_t ns = json_integer_value(json_object_get(port, "netns"));

    if (ns == 0 || (uint64_t)ns != own_netns() ||
        json_is_true(json_object_get(port, "failed")))
        return 0;
    return (int)json_integer_value(json_object_get(port, "ifindex"));
}
