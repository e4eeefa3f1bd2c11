/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the client prints: brctl's columns to the letter (as bridge-utils 1.7
 * prints them for a kernel bridge in the same state), and our own lists.
 */
#include "ctl/client/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct page {
    char *text;
    size_t n;
    FILE *f;
};

static FILE *page_open(struct page *p)
{
    p->f = open_memstream(&p->text, &p->n);
    return p->f;
}

static void page_check(struct page *p, const char *want)
{
    fclose(p->f);
    assert_string_equal(p->text, want);
    free(p->text);
}

static json_t *json(const char *text)
{
    json_t *v = json_loads(text, 0, NULL);

    assert_non_null(v);
    return v;
}

static void show_sorts_and_aligns(void **state)
{
    json_t *v = json("[{\"name\":\"br1\",\"id\":\"8000.000000000000\","
                     "\"stp_state\":true,\"interfaces\":[]},"
                     "{\"name\":\"br0\",\"id\":\"8000.020000000005\","
                     "\"stp_state\":false,\"interfaces\":[\"v2\",\"v10\","
                     "\"v0\"]}]");
    bool header = false;
    struct page p;

    (void)state;
    render_show(page_open(&p), v, &header);
    render_show(p.f, v, &header);
    page_check(&p, "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n"
                   "br0\t\t8000.020000000005\tno\t\tv0\n"
                   "\t\t\t\t\t\t\tv10\n"
                   "\t\t\t\t\t\t\tv2\n"
                   "br1\t\t8000.000000000000\tyes\t\t\n"
                   "br0\t\t8000.020000000005\tno\t\tv0\n"
                   "\t\t\t\t\t\t\tv10\n"
                   "\t\t\t\t\t\t\tv2\n"
                   "br1\t\t8000.000000000000\tyes\t\t\n");
    json_decref(v);
    v = json_array();
    header = false;
    render_show(page_open(&p), v, &header);
    page_check(&p, "");
    json_decref(v);
}

static void macs_come_by_address(void **state)
{
    json_t *v = json(
        "[{\"mac\":\"12:00:00:00:00:01\",\"port_no\":1,\"state\":\"\","
        "\"age\":12345},"
        "{\"mac\":\"02:00:00:00:00:10\",\"port_no\":1023,\"state\":"
        "\"permanent\",\"age\":99},"
        "{\"mac\":\"02:00:00:00:00:11\",\"port_no\":0,\"state\":\"permanent\","
        "\"age\":0},"
        "{\"mac\":\"02:00:00:00:00:05\",\"port_no\":2,\"state\":\"static\","
        "\"age\":77},"
        "{\"mac\":\"fe:00:00:00:00:05\",\"port_no\":2,\"state\":\"\","
        "\"age\":7}]");
    struct mac_list list = {0};
    struct page p;
    json_t *e;
    size_t i;

    (void)state;
    json_array_foreach(v, i, e)
    {
        render_macs_add(&list, e);
    }
    render_macs(page_open(&p), &list);
    page_check(&p, "port no\tmac addr\t\tis local?\tageing timer\n"
                   "  2\t02:00:00:00:00:05\tno\t\t   0.00\n"
                   "1023\t02:00:00:00:00:10\tyes\t\t   0.00\n"
                   "  1\t12:00:00:00:00:01\tno\t\t 123.45\n"
                   "  2\tfe:00:00:00:00:05\tno\t\t   0.07\n");
    free(list.mac);
    json_decref(v);
}

static void stp_to_the_letter(void **state)
{
    json_t *v = json(
        "{\"bridge\":{\"name\":\"br0\",\"id\":\"8000.020000000005\","
        "\"max_age\":2000,\"hello_time\":200,\"forward_delay\":1500,"
        "\"ageing_time\":30000},\"ports\":["
        "{\"name\":\"v2\",\"no\":2,\"priority\":32,\"cost\":2,\"state\":"
        "\"disabled\",\"hairpin\":true},"
        "{\"name\":\"v0\",\"no\":1,\"priority\":63,\"cost\":65535,\"state\":"
        "\"forwarding\",\"hairpin\":false}]}");
    struct page p;

    (void)state;
    render_stp(page_open(&p), v);
    page_check(
        &p,
        "br0\n"
        " bridge id\t\t8000.020000000005\n"
        " designated root\t8000.020000000005\n"
        " root port\t\t   0\t\t\tpath cost\t\t   0\n"
        " max age\t\t  20.00\t\t\tbridge max age\t\t  20.00\n"
        " hello time\t\t   2.00\t\t\tbridge hello time\t   2.00\n"
        " forward delay\t\t  15.00\t\t\tbridge forward delay\t  15.00\n"
        " ageing time\t\t 300.00\n"
        " hello timer\t\t   0.00\t\t\ttcn timer\t\t   0.00\n"
        " topology change timer\t   0.00\t\t\tgc timer\t\t   0.00\n"
        " flags\t\t\t\n\n\n"
        "v0 (1)\n"
        " port id\t\tfc01\t\t\tstate\t\t     forwarding\n"
        " designated root\t8000.020000000005\tpath cost\t\t65535\n"
        " designated bridge\t8000.020000000005\tmessage age timer\t   0.00\n"
        " designated port\tfc01\t\t\tforward delay timer\t   0.00\n"
        " designated cost\t   0\t\t\thold timer\t\t   0.00\n"
        " flags\t\t\t\n"
        "\n"
        "v2 (2)\n"
        " port id\t\t8002\t\t\tstate\t\t       disabled\n"
        " designated root\t8000.020000000005\tpath cost\t\t   2\n"
        " designated bridge\t8000.020000000005\tmessage age timer\t   0.00\n"
        " designated port\t8002\t\t\tforward delay timer\t   0.00\n"
        " designated cost\t   0\t\t\thold timer\t\t   0.00\n"
        " flags\t\t\t\n"
        " hairpin mode\t\t   1\n"
        "\n");
    json_decref(v);
}

static void stats_say_what_counts_mean(void **state)
{
    json_t *v = json(
        "{\"loop_lag_max_ns\":1500000,\"loop_lag_total_max_ns\":2500000,"
        "\"clients\":1,\"requests\":9,\"grace_periods\":4,\"events_lost\":0,"
        "\"workers\":[{\"turns\":1,\"frames\":2,\"wakeups\":3,\"spins\":4}],"
        "\"sentences\":{\"tx-down\":\"egress port's link is down\"},"
        "\"ports\":[{\"name\":\"a\",\"bridge\":\"br0\",\"no\":1,\"why\":\"\","
        "\"rx_frames\":1,\"rx_bytes\":60,\"tx_frames\":2,\"tx_bytes\":120,"
        "\"reasons\":{\"tx-down\":3}}]}");
    struct page p;

    (void)state;
    render_stats(page_open(&p), v);
    page_check(&p, "control     longest turn 1.50 ms since last asked, 2.50 ms "
                   "ever; 1 clients, 9 requests\n"
                   "switch      4 grace periods, 0 events lost\n"
                   "worker 0    1 turns, 2 frames, 3 wake-ups, 4 spins\n"
                   "\na (br0 port 1)\n"
                   "             1  frames received, 60 octets\n"
                   "             2  frames sent, 120 octets\n"
                   "             3  egress port's link is down (tx-down)\n");
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(show_sorts_and_aligns),
        cmocka_unit_test(macs_come_by_address),
        cmocka_unit_test(stp_to_the_letter),
        cmocka_unit_test(stats_say_what_counts_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
