/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client/client.h"

#include <string.h>

static void print_labels(json_t *labels)
{
    const char *key;
    json_t *v;

    json_object_foreach(labels, key, v)
    {
        printf("%s=%s\n", key, json_string_value(v));
    }
}

/* "key=value" is set, "key=" cleared; false after a complaint. */
static bool sort_words(const struct client *c, int argc, char **argv,
                       json_t *set, json_t *clear)
{
    for (int i = 0; i < argc; i++) {
        const char *eq = strchr(argv[i], '=');

        if (!eq || eq == argv[i]) {
            complain(c, "port label: %s: KEY=VALUE, or KEY= to forget it",
                     argv[i]);
            return false;
        }
        json_array_append_new(eq[1] ? set : clear,
                              json_stringn(argv[i], (size_t)(eq - argv[i])));
        if (eq[1])
            json_array_append_new(set, json_string(eq + 1));
    }
    return true;
}

int run_port_label(struct client *c, int argc, char **argv)
{
    json_t *set = json_array(), *clear = json_array(), *labels;

    if (!sort_words(c, argc - 1, argv + 1, set, clear)) {
        json_decref(set);
        json_decref(clear);
        return 1;
    }
    labels = client_ask(c, "port.label",
                        json_pack("{s:s,s:o,s:o}", "port", argv[0], "set", set,
                                  "clear", clear));
    if (!labels)
        return 1;
    if (c->json)
        print_json(labels);
    else if (argc == 1)
        print_labels(labels);
    json_decref(labels);
    return 0;
}
