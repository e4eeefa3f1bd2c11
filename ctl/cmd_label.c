/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Labels: strings that others want remembered of a port, such as which guest
 * of libvirt is behind it.  Bascule writes them nowhere, forgets them with the
 * port, and gives them no meaning but one: the tap of a virtual machine ends
 * with that machine.
 */
#include "ctl/call.h"
#include "ctl/object.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

/* A port's labels are part of each answer that shows it. */
#define LABELS_MAX 64
#define KEY_MAX    63
#define VALUE_MAX  1024

/* Names the virtual machine; libvirt calls it so. */
#define MACHINE "vm-id"

json_t *object_labels(const struct bport *p)
{
    json_t *labels = bport_note(p);

    return labels ? json_incref(labels) : json_object();
}

static void release(void *labels)
{
    json_decref(labels);
}

/* ---- checking ---- */

static bool word(struct call *c, const json_t *v, size_t max, const char *what)
{
    size_t n = json_string_length(v);

    if (!json_is_string(v) || strlen(json_string_value(v)) != n)
        call_bad_params(c, "port label: a %s is a string", what);
    else if (n == 0 || n > max)
        call_fail(c, ERANGE, "value",
                  "port label: a %s has 1 to %zu octets, not %zu", what, max,
                  n);
    else
        return true;
    return false;
}

/* "set" is key, value, key, value, ...; "clear" is keys. */
static bool check(struct call *c, const json_t *set, const json_t *clear)
{
    const json_t *v;
    size_t i;

    if (json_array_size(set) % 2) {
        call_bad_params(c, "port label: a key without a value");
        return false;
    }
    json_array_foreach(clear, i, v)
    {
        if (!word(c, v, KEY_MAX, "key"))
            return false;
    }
    json_array_foreach(set, i, v)
    {
        if (!(i % 2 ? word(c, v, VALUE_MAX, "value")
                    : word(c, v, KEY_MAX, "key")))
            return false;
    }
    return true;
}

/* ---- changing ---- */

static int put_all(json_t *labels, const json_t *set)
{
    int rc = 0;

    for (size_t i = 0; i + 1 < json_array_size(set); i += 2)
        rc |= json_object_set(labels, json_string_value(json_array_get(set, i)),
                              json_array_get(set, i + 1));
    return rc;
}

/* The labels as they will be: a copy, so that all is changed or nothing. */
static json_t *changed(const struct call *c, const struct bport *p)
{
    const json_t *clear = json_object_get(c->params, "clear"), *v;
    json_t *old = object_labels(p), *labels;
    size_t i;

    labels = rpc_bool(c->params, "all", false) ? json_object() : json_copy(old);
    json_decref(old);
    json_array_foreach(clear, i, v)
    {
        json_object_del(labels, json_string_value(v));
    }
    if (put_all(labels, json_object_get(c->params, "set")) == 0)
        return labels;
    json_decref(labels);
    return NULL;
}

/* A tap that stays may be named by one machine after the other. */
static void note_machine(const struct bport *p, const json_t *now)
{
    json_t *before = object_labels(p);
    const char *was = json_string_value(json_object_get(before, MACHINE));
    const char *is = json_string_value(json_object_get(now, MACHINE));

    if (was && is && strcmp(was, is) != 0)
        log_warn(
            "port %s is virtual machine %.80s's from now on; it was %.80s's",
            bport_spec(p)->name, is, was);
    json_decref(before);
}

void rpc_port_label(struct call *c)
{
    struct bport *p = call_port(c, rpc_string(c->params, "port"));
    json_t *labels;

    if (!p || !check(c, json_object_get(c->params, "set"),
                     json_object_get(c->params, "clear")))
        return;
    labels = changed(c, p);
    if (!labels) {
        call_fail(c, ENOMEM, "port", "port label: out of memory");
        return;
    }
    if (json_object_size(labels) > LABELS_MAX) {
        json_decref(labels);
        call_fail(c, ENOSPC, "port", "port label: at most %d labels",
                  LABELS_MAX);
        return;
    }
    note_machine(p, labels);
    bport_set_note(p, labels, release);
    bport_expect_end(p, json_object_get(labels, MACHINE) != NULL);
    call_ok(c, object_labels(p));
}
