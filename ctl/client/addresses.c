/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port addresses: IP addresses seen behind ports.
 */
#include "ctl/client/client.h"
#include "ctl/client/field.h"

#include <string.h>

struct rows {
    bool json;
    bool some;
};

static void row_text(const json_t *a)
{
    printf("%-15s %-39s %-17s %-12s %8.1f\n", str(a, "port"), str(a, "address"),
           str(a, "mac"), str(a, "how"),
           (double)json_integer_value(json_object_get(a, "age")) / 100);
}

static void each(void *arg, const json_t *a)
{
    struct rows *r = arg;

    if (r->json) {
        putchar(r->some ? ',' : '[');
        json_dumpf(a, stdout, JSON_COMPACT);
    } else {
        if (!r->some)
            printf("%-15s %-39s %-17s %-12s %8s\n", "port", "address", "mac",
                   "told by", "seconds");
        row_text(a);
    }
    r->some = true;
}

int run_port_addresses(struct client *c, int argc, char **argv)
{
    json_t *params = argc > 0 ? json_pack("{s:s}", "port", argv[0]) : NULL;
    struct rows rows = {.json = c->json};
    struct reply r;
    int status = 0;

    if (!client_stream(c, "port.addresses", params, each, &rows, &r))
        status = client_complain(c, &r);
    else if (c->json)
        puts(rows.some ? "]" : "[]");
    reply_free(&r);
    return status;
}
