/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Kinds whose target is itself a good name for the port.  The others have
 * addresses and paths there, and the bridge numbers them.
 */
static const char *const named_by_target[] = {"tap", "packet", "pcap", "xdp",
                                              "mem"};

static bool target_is_name(const char *kind)
{
    for (size_t i = 0; i < sizeof(named_by_target) / sizeof(char *); i++) {
        if (strcmp(kind, named_by_target[i]) == 0)
            return true;
    }
    return false;
}

/* Half a character at its end would make the sentence one in another coding. */
static void drop_last_character(char *text)
{
    size_t n = strlen(text);

    while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
        n--;
    if (n > 0 && (unsigned char)text[n - 1] >= 0xc0)
        text[n - 1] = '\0';
}

/* As much of 'text' as fits, fit for a sentence on one line. */
static const char *printable(const char *text, char *out, size_t n)
{
    if (snprintf(out, n, "%s", text) >= (int)n)
        drop_last_character(out);
    for (char *c = out; *c; c++) {
        if (iscntrl((unsigned char)*c))
            *c = '?';
    }
    return out;
}

/* whose: "a port's" */
static int name_check(const char *whose, const char *name, struct err *e)
{
    char shown[80];

    printable(name, shown, sizeof(shown));
    if (name[0] == '\0')
        return err_set(e, EINVAL, "%s name must not be empty", whose);
    if (strlen(name) >= PORT_NAME_MAX)
        return err_set(
            e, ENAMETOOLONG,
            "'%s' cannot be %s name: it is longer than %d characters", shown,
            whose, PORT_NAME_MAX - 1);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(e, EINVAL, "'%s' cannot be %s name", name, whose);
    if (strncmp(name, "--", 2) == 0)
        return err_set(e, EINVAL,
                       "'%s' cannot be %s name: it begins as options of "
                       "commands do, with --",
                       shown, whose);
    for (const char *c = name; *c; c++) {
        if (iscntrl((unsigned char)*c))
            return err_set(e, EINVAL,
                           "'%s' cannot be %s name: it has control characters",
                           shown, whose);
        if (*c == '/' || *c == ':' || isspace((unsigned char)*c))
            return err_set(e, EINVAL,
                           "'%s' cannot be %s name: it contains '%c'; '/', ':' "
                           "and blanks are not allowed in names",
                           name, whose, *c);
    }
    return 0;
}

int port_name_check(const char *name, struct err *e)
{
    return name_check("a port's", name, e);
}

int bridge_name_check(const char *name, struct err *e)
{
    return name_check("a bridge's", name, e);
}

int netdev_name_check(const char *name, struct err *e)
{
    return name_check("an interface's", name, e);
}

/*
 * Takes the value at *at, which ends at ',' or at the end of the text, or is
 * quoted ('""' inside quotes stands for '"').  Shortens it in place, ends it
 * with NUL and moves *at behind it and its ','.  *more: there was a ','.
 */
static int take_value(char **at, char **value, bool *more, struct err *e)
{
    char *in = *at, *out = *at;

    *value = *at;
    if (*in != '"') {
        while (*in && *in != ',')
            in++;
        out = in;
    } else {
        in++;
        for (;; in++) {
            if (*in == '\0')
                return err_set(e, EINVAL, "a quote is not closed");
            if (*in == '"') {
                in++;
                if (*in != '"')
                    break;
            }
            *out++ = *in;
        }
        if (*in && *in != ',')
            return err_set(e, EINVAL,
                           "'%s' follows a closing quote; expected ','", in);
    }
    *more = *in == ',';
    *at = *more ? in + 1 : in;
    *out = '\0';
    return 0;
}

static int take_kind(struct port_spec *s, char **at, struct err *e)
{
    char *colon = strpbrk(*at, ":,\"");
    size_t n;

    if (!colon || *colon != ':') {
        snprintf(s->kind, sizeof(s->kind), "packet");
        return 0;
    }
    n = (size_t)(colon - *at);
    *colon = '\0';
    if (n == 0)
        return err_set(e, EINVAL, "nothing before ':'; expected KIND:NAME");
    if (n >= sizeof(s->kind))
        return err_set(e, ENAMETOOLONG, "no port kind is called '%s'", *at);
    memcpy(s->kind, *at, n + 1);
    *at = colon + 1;
    return 0;
}

/* Stores one key=value where it belongs. */
static int store(struct port_spec *s, char *key, char *value, bool *named,
                 struct err *e)
{
    if (strcmp(key, "name") == 0) {
        int rc = *named ? err_set(e, EINVAL, "name= is given twice")
                        : port_name_check(value, e);

        if (rc)
            return rc;
        snprintf(s->name, sizeof(s->name), "%s", value);
        *named = true;
        return 0;
    }
    if (strcmp(key, "netns") == 0) {
        if (s->netns)
            return err_set(e, EINVAL, "netns= is given twice");
        if (*value == '\0')
            return err_set(e, EINVAL, "netns= has no value");
        s->netns = value;
        return 0;
    }
    if (port_spec_get(s, key))
        return err_set(e, EINVAL, "%s= is given twice", key);
    if (s->n_keys == SPEC_KEYS_MAX)
        return err_set(e, EINVAL, "more than %d keys", SPEC_KEYS_MAX);
    s->key[s->n_keys++] = (struct spec_key){key, value};
    return 0;
}

static int take_keys(struct port_spec *s, char *at, bool *named, struct err *e)
{
    bool more = true;

    while (more) {
        char *key = at, *value;
        int rc;

        at = strpbrk(at, "=,");
        if (!at || *at != '=' || at == key) {
            key[strcspn(key, ",")] = '\0';
            return err_set(e, EINVAL, "'%s' is not of the form key=value", key);
        }
        *at++ = '\0';
        rc = take_value(&at, &value, &more, e);
        if (rc)
            return err_wrap(e, rc, "%s=", key);
        rc = store(s, key, value, named, e);
        if (rc)
            return rc;
    }
    return 0;
}

static int parse(struct port_spec *s, const char *text, struct err *e)
{
    char *at = s->text, *target;
    bool more = false, named = false;
    int rc;

    if (strlen(text) >= sizeof(s->text))
        return err_set(e, ENAMETOOLONG, "longer than %d characters",
                       SPEC_TEXT_MAX - 1);
    memcpy(s->text, text, strlen(text) + 1);
    for (const char *c = text; *c; c++) {
        if (iscntrl((unsigned char)*c))
            return err_set(e, EINVAL, "control character 0x%02x",
                           (unsigned)(unsigned char)*c);
    }
    rc = take_kind(s, &at, e);
    if (!rc)
        rc = take_value(&at, &target, &more, e);
    if (rc)
        return rc;
    s->target = target;
    if (*target == '\0')
        return err_set(e, EINVAL, "nothing to open: no name after '%s:'",
                       s->kind);
    if (more)
        rc = take_keys(s, at, &named, e);
    if (rc || named || !target_is_name(s->kind))
        return rc;
    rc = port_name_check(target, e);
    if (!rc)
        snprintf(s->name, sizeof(s->name), "%s", target);
    return rc;
}

int port_spec_parse(struct port_spec *s, const char *text, struct err *e)
{
    int rc;

    memset(s, 0, sizeof(*s));
    s->netns_fd = s->file_fd = -1;
    rc = parse(s, text, e);
    if (rc) {
        char shown[100];

        memset(s, 0, sizeof(*s));
        s->netns_fd = s->file_fd = -1;
        return err_wrap(e, rc, "port '%s'", printable(text, shown, 100));
    }
    return 0;
}

/* ---- copying: the strings point into the struct itself ---- */

static const char *keep(struct port_spec *to, size_t *used, const char *text)
{
    size_t n = strlen(text) + 1;
    char *at = to->text + *used;

    if (sizeof(to->text) - *used < n)
        return NULL;
    memcpy(at, text, n);
    *used += n;
    return at;
}

int port_spec_copy(struct port_spec *to, const struct port_spec *from)
{
    size_t used = 0;
    bool ok;

    memset(to, 0, sizeof(*to));
    memcpy(to->kind, from->kind, sizeof(to->kind));
    memcpy(to->name, from->name, sizeof(to->name));
    to->netns_fd = from->netns_fd;
    to->file_fd = from->file_fd;
    to->may_open = from->may_open;
    to->again = from->again;
    to->local = from->local;
    to->target = keep(to, &used, from->target);
    ok = to->target != NULL;
    if (from->netns)
        ok &= (to->netns = keep(to, &used, from->netns)) != NULL;
    for (unsigned i = 0; i < from->n_keys && ok; i++) {
        to->key[i].key = keep(to, &used, from->key[i].key);
        to->key[i].value = keep(to, &used, from->key[i].value);
        ok = to->key[i].key && to->key[i].value;
    }
    to->n_keys = from->n_keys;
    return ok ? 0 : -ENAMETOOLONG;
}

/* ---- printing ---- */

struct out {
    char *at;
    size_t left; /* with the NUL */
};

static void put(struct out *o, char c)
{
    if (o->left < 2)
        return;
    *o->at++ = c;
    o->left--;
}

static void put_text(struct out *o, const char *text)
{
    while (*text)
        put(o, *text++);
}

static void put_value(struct out *o, const char *value)
{
    if (!strpbrk(value, ",\"")) {
        put_text(o, value);
        return;
    }
    put(o, '"');
    for (; *value; value++) {
        if (*value == '"')
            put(o, '"');
        put(o, *value);
    }
    put(o, '"');
}

static void put_key(struct out *o, const char *key, const char *value)
{
    put(o, ',');
    put_text(o, key);
    put(o, '=');
    put_value(o, value);
}

const char *port_spec_format(const struct port_spec *s, char *out, size_t n)
{
    struct out o = {.at = out, .left = n};
    bool implied =
        target_is_name(s->kind) && s->target && strcmp(s->name, s->target) == 0;

    if (n == 0)
        return out;
    put_text(&o, s->kind);
    put(&o, ':');
    put_value(&o, s->target ? s->target : "");
    if (s->name[0] && !implied)
        put_key(&o, "name", s->name);
    if (s->netns)
        put_key(&o, "netns", s->netns);
    for (unsigned i = 0; i < s->n_keys; i++)
        put_key(&o, s->key[i].key, s->key[i].value);
    *o.at = '\0';
    return out;
}

/* ---- reading keys ---- */

const char *port_spec_get(const struct port_spec *s, const char *key)
{
    for (unsigned i = 0; i < s->n_keys; i++) {
        if (strcmp(s->key[i].key, key) == 0)
            return s->key[i].value;
    }
    return NULL;
}

static bool is_socket(const char *address)
{
    return address && (*address == '/' || *address == '@' ||
                       strncmp(address, "unix:", 5) == 0);
}

bool port_spec_has_socket(const struct port_spec *s)
{
    if (strcmp(s->kind, "stream") != 0 && strcmp(s->kind, "dgram") != 0)
        return false;
    return is_socket(s->target) || is_socket(port_spec_get(s, "remote"));
}

static bool one_of(const char *value, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(value, *words) == 0)
            return true;
    }
    return false;
}

int port_spec_bool(const struct port_spec *s, const char *key, bool *v,
                   struct err *e)
{
    static const char *const yes[] = {"on", "yes", "1", "true", NULL};
    static const char *const no[] = {"off", "no", "0", "false", NULL};
    const char *value = port_spec_get(s, key);

    if (!value)
        return 0;
    if (one_of(value, yes))
        *v = true;
    else if (one_of(value, no))
        *v = false;
    else
        return err_set(e, EINVAL, "%s=%s: expected on or off", key, value);
    return 0;
}

int port_spec_uint(const struct port_spec *s, const char *key, uint32_t min,
                   uint32_t max, uint32_t *v, struct err *e)
{
    const char *value = port_spec_get(s, key);
    unsigned long long n;
    char *end;

    if (!value)
        return 0;
    errno = 0;
    n = strtoull(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end || errno || n < min || n > max)
        return err_set(e, EINVAL, "%s=%s: expected a number from %u to %u", key,
                       value, min, max);
    *v = (uint32_t)n;
    return 0;
}

int port_spec_known(const struct port_spec *s, const char *const *known,
                    struct err *e)
{
    char list[ERR_TEXT_MAX] = "";
    size_t used = 0;

    for (const char *const *k = known; *k && used < sizeof(list); k++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, ", %s", *k);
    for (unsigned i = 0; i < s->n_keys; i++) {
        if (!one_of(s->key[i].key, known))
            return err_set(e, EINVAL,
                           "%s ports have no key '%s'; known are name, netns%s",
                           s->kind, s->key[i].key, list);
    }
    return 0;
}

int port_spec_mode(const struct port_spec *s, unsigned *mode, struct err *e)
{
    const char *text = port_spec_get(s, "mode");
    char *end;

    *mode = 0;
    if (!text)
        return 0;
    *mode = (unsigned)strtoul(text, &end, 8);
    if (*text < '0' || *text > '7' || *end || *mode == 0 || *mode > 0777)
        return err_set(e, EINVAL, "mode=%s: expected permissions such as 0660",
                       text);
    return 0;
}
