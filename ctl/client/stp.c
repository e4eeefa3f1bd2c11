/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spanning tree: looking at it, and nudging it.  "stp BRIDGE on" is
 * brctl's (brctl.c).
 */
#include "ctl/client/client.h"
#include "ctl/client/render.h"

#include <string.h>
#include <sys/time.h>
#include <time.h>

static int show(struct client *c, const char *method, json_t *params,
                void (*render)(FILE *out, const json_t *result, bool details))
{
    json_t *v = client_ask(c, method, params);

    if (!v)
        return 1;
    if (c->json)
        print_json(v);
    else
        render(stdout, v, c->details);
    json_decref(v);
    return 0;
}

int run_stp_show(struct client *c, int argc, char **argv)
{
    return show(c, "stp.show",
                argc ? json_pack("{s:s}", "bridge", argv[0]) : NULL,
                render_stp_show);
}

int run_stp_why(struct client *c, int argc, char **argv)
{
    (void)argc;
    return show(c, "stp.why", json_pack("{s:s}", "port", argv[0]),
                render_stp_why);
}

int run_stp_tcn(struct client *c, int argc, char **argv)
{
    (void)argc;
    return client_simple(c, "stp.tcn", json_pack("{s:s}", "bridge", argv[0]));
}

int run_stp_mcheck(struct client *c, int argc, char **argv)
{
    (void)argc;
    return client_simple(c, "stp.mcheck", json_pack("{s:s}", "port", argv[0]));
}

/* ---- monitor stp ---- */

/* "12:00:01.123456 " */
static void print_clock(void)
{
    struct timeval now;
    struct tm tm;
    char text[16];

    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    strftime(text, sizeof(text), "%H:%M:%S", &tm);
    printf("%s.%06ld ", text, (long)now.tv_usec);
}

static void print_event(const struct client *c, const json_t *e)
{
    const char *name = json_string_value(json_object_get(e, "event"));
    const char *text = json_string_value(json_object_get(e, "text"));

    if (c->json) {
        print_json(e);
    } else {
        if (c->timestamp)
            print_clock();
        printf("%-4s  %s\n", name ? name : "?", text ? text : "");
    }
    fflush(stdout);
}

int client_monitor_stp(struct client *c)
{
    json_t *begun = client_ask(c, "monitor", json_pack("{s:s}", "what", "stp"));
    json_t *event;

    if (!begun)
        return 1;
    json_decref(begun);
    while ((event = client_event(c)) != NULL) {
        print_event(c, json_object_get(event, "params"));
        json_decref(event);
        if (ferror(stdout))
            return 1;
    }
    return complain(c, "the daemon has ended");
}
