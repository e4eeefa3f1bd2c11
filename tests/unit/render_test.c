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

#define VECTOR                                                                 \
    "{\"root\":\"1000.020000000001\",\"cost\":4,\"bridge\":"                   \
    "\"2000.020000000002\",\"port\":\"8007\"}"
#define DESIGNATED                                                             \
    "{\"root\":\"1000.020000000001\",\"cost\":6,\"bridge\":"                   \
    "\"8000.020000000005\",\"port\":\"8002\"}"
#define TIMES                                                                  \
    "\"times\":{\"message_age\":100,\"max_age\":600,\"hello_time\":100,"       \
    "\"forward_delay\":400}"
#define TREE                                                                   \
    "\"stp\":true,\"version\":\"rstp\",\"id\":\"8000.020000000005\","          \
    "\"root\":\"1000.020000000001\",\"root_cost\":6,\"root_port\":\"v0\","     \
    "\"root_port_no\":1," TIMES ",\"own\":{\"max_age\":2000,\"hello_time\":"   \
    "200,\"forward_delay\":1500},\"tx_hold\":6,\"path_cost_method\":"          \
    "\"short\","                                                               \
    "\"recovery\":30000,\"timers\":{\"hello\":0,\"tcn\":50,"                   \
    "\"topology_change\":1234},\"topology_change\":true,"                      \
    "\"topology_change_detected\":true,\"topology_changes\":3,"                \
    "\"sentences\":{\"counters\":{\"rx_config\":\"Configuration BPDUs "        \
    "received"                                                                 \
    "\"},\"bad\":{\"llc\":\"no LLC header\"}},"                                \
    "\"last_change_ago\":1250,\"last_change_port\":\"v0\""
#define ROOT_PORT                                                              \
    "\"no\":1,\"state\":\"forwarding\",\"why\":\"\",\"admin_edge\":false,"     \
    "\"auto_edge\":true,\"guards\":[\"loop-guard\"],\"role\":\"root\","        \
    "\"guard\":\"none\",\"edge\":false,\"p2p\":true,\"received\":true,"        \
    "\"proposing\":false,\"agreed\":false,\"synced\":true,\"disputed\":false," \
    "\"topology_change_ack\":true,\"config_pending\":true,"                    \
    "\"version\":\"stp\",\"cost\":2,\"id\":\"8001\",\"vector\":" VECTOR        \
    ",\"designated\":" DESIGNATED "," TIMES                                    \
    ",\"timers\":{\"message_age\":475,\"forward_delay\":0,\"hold\":3,"         \
    "\"recovery\":0,\"topology_change\":0},\"counters\":{\"rx_config\":12,"    \
    "\"rx_rst\":0},\"bad\":{\"llc\":2}"

static void stp_of_a_tree_to_the_letter(void **state)
{
    json_t *v =
        json("{\"bridge\":{\"name\":\"br0\",\"id\":\"8000.020000000005\","
             "\"max_age\":2000,\"hello_time\":200,\"forward_delay\":1500,"
             "\"ageing_time\":30000,\"stp\":{" TREE "}},\"ports\":["
             "{\"name\":\"v0\",\"no\":1,\"priority\":32,\"cost\":2,\"state\":"
             "\"forwarding\",\"hairpin\":false,\"stp\":{" ROOT_PORT "}},"
             /* its link is down: it says what it would send */
             "{\"name\":\"v2\",\"no\":2,\"priority\":32,\"cost\":100,\"state\":"
             "\"disabled\",\"stp\":{\"role\":\"disabled\",\"vector\":" VECTOR
             ",\"designated\":" DESIGNATED "}},"
             /* its device is gone: the engine does not know it */
             "{\"name\":\"v3\",\"no\":3,\"priority\":32,\"cost\":100,\"state\":"
             "\"disabled\",\"stp\":{\"role\":null}}]}");
    struct page p;

    (void)state;
    render_stp(page_open(&p), v);
    page_check(
        &p,
        "br0\n"
        " bridge id\t\t8000.020000000005\n"
        " designated root\t1000.020000000001\n"
        " root port\t\t   1\t\t\tpath cost\t\t   6\n"
        " max age\t\t   6.00\t\t\tbridge max age\t\t   6.00\n"
        " hello time\t\t   1.00\t\t\tbridge hello time\t   1.00\n"
        " forward delay\t\t   4.00\t\t\tbridge forward delay\t   4.00\n"
        " ageing time\t\t 300.00\n"
        " hello timer\t\t   0.00\t\t\ttcn timer\t\t   0.50\n"
        " topology change timer\t  12.34\t\t\tgc timer\t\t   0.00\n"
        " flags\t\t\tTOPOLOGY_CHANGE TOPOLOGY_CHANGE_DETECTED \n\n\n"
        "v0 (1)\n"
        " port id\t\t8001\t\t\tstate\t\t     forwarding\n"
        " designated root\t1000.020000000001\tpath cost\t\t   2\n"
        " designated bridge\t2000.020000000002\tmessage age timer\t   4.75\n"
        " designated port\t8007\t\t\tforward delay timer\t   0.00\n"
        " designated cost\t   4\t\t\thold timer\t\t   0.03\n"
        " flags\t\t\tCONFIG_PENDING TOPOLOGY_CHANGE_ACK \n"
        "\n"
        "v2 (2)\n"
        " port id\t\t8002\t\t\tstate\t\t       disabled\n"
        " designated root\t1000.020000000001\tpath cost\t\t 100\n"
        " designated bridge\t8000.020000000005\tmessage age timer\t   0.00\n"
        " designated port\t8002\t\t\tforward delay timer\t   0.00\n"
        " designated cost\t   6\t\t\thold timer\t\t   0.00\n"
        " flags\t\t\t\n"
        "\n"
        "v3 (3)\n"
        " port id\t\t8003\t\t\tstate\t\t       disabled\n"
        " designated root\t1000.020000000001\tpath cost\t\t 100\n"
        " designated bridge\t8000.020000000005\tmessage age timer\t   0.00\n"
        " designated port\t8003\t\t\tforward delay timer\t   0.00\n"
        " designated cost\t   6\t\t\thold timer\t\t   0.00\n"
        " flags\t\t\t\n"
        "\n");
    json_decref(v);
}

#define BRIDGES                                                                \
    "[{\"bridge\":\"br0\"," TREE ",\"ports\":[{\"port\":\"v0\"," ROOT_PORT     \
    "},{\"port\":\"v3\",\"no\":3,\"state\":\"disabled\",\"role\":null,"        \
    "\"why\":\"interface v3 was deleted\"}]},"                                 \
    "{\"bridge\":\"br1\",\"stp\":false,\"ports\":[]}]"

static void the_tree_in_a_table(void **state)
{
    json_t *v = json(BRIDGES);
    struct page p;

    (void)state;
    render_stp_show(page_open(&p), v, false);
    page_check(
        &p, "br0: RSTP, bridge 8000.020000000005\n"
            "  root         1000.020000000001 by port v0 at cost 6\n"
            "  times        hello 1.00, max age 6.00, forward delay 4.00 s; as "
            "root 2.00, 20.00, 15.00 s\n"
            "  topology     3 changes, the last 12.50 s ago by port v0; others "
            "are being told\n"
            "    no port            role       state      link            cost "
            "designated bridge port\n"
            "     1 v0              root       forwarding p2p stp            2 "
            "2000.020000000002 8007\n"
            "     3 v3              -          disabled   interface v3 was "
            "deleted\n"
            "\n"
            "br1: the spanning tree is off (bascule stp br1 on)\n");
    json_decref(v);
}

static void the_tree_in_detail(void **state)
{
    json_t *v = json(BRIDGES);
    struct page p;

    (void)state;
    render_stp_show(page_open(&p), v, true);
    fflush(p.f);
    for (const char *s = p.text; *s; s += strcspn(s, "\n") + 1)
        assert_in_range(strcspn(s, "\n"), 0, 100);
    assert_non_null(strstr(
        p.text,
        "         heard      root 1000.020000000001 cost 4, bridge "
        "2000.020000000002 port 8007\n"
        "         would say  root 1000.020000000001 cost 6, bridge "
        "8000.020000000005 port 8002\n"
        "         times      message age 1.00 of 6.00, hello 1.00, forward "
        "delay 4.00 s\n"
        "         timers     message age 4.75, forward delay 0.00, hold 0.03, "
        "recovery 0.00 s\n"
        "         flags      id 8001, speaks STP, auto-edge, synced, "
        "topology-change-ack, config-pending\n"
        "         guards     loop-guard\n"
        "                 12 Configuration BPDUs received\n"
        "                  2 no BPDU: no LLC header"));
    fclose(p.f);
    free(p.text);
    json_decref(v);
}

/* The longest that may be. */
static void the_table_fits(void **state)
{
    json_t *v = json("[{\"bridge\":\"br0\",\"stp\":true,\"ports\":[{\"port\":"
                     "\"abcdefghijklmno\",\"no\":1023,\"state\":\"forwarding\","
                     "\"role\":\"designated\",\"p2p\":false,\"edge\":true,"
                     "\"cost\":200000000,\"guard\":\"root-guard\","
                     "\"vector\":" VECTOR "}]}]");
    struct page p;

    (void)state;
    render_stp_show(page_open(&p), v, false);
    fflush(p.f);
    for (const char *s = p.text; *s; s += strcspn(s, "\n") + 1)
        assert_in_range(strcspn(s, "\n"), 0, 100);
    assert_non_null(strstr(p.text, "root-guard\n"));
    fclose(p.f);
    free(p.text);
    json_decref(v);
}

static void parameters_by_their_units(void **state)
{
    json_t *v = json("{\"name\":\"br0\",\"id\":\"8000.020000000005\",\"mtu\":"
                     "1500,\"interfaces\":[],\"force_version\":\"rstp\","
                     "\"path_cost_method\":\"long\",\"recovery\":0,"
                     "\"stp_state\":true,\"tx_hold\":6}");
    struct page p;

    (void)state;
    render_bridge(page_open(&p), v);
    fflush(p.f);
    assert_non_null(strstr(p.text, "\n  stp              on\n"));
    assert_non_null(strstr(p.text, "\n  force-version    rstp\n"
                                   "  tx-hold          6\n"
                                   "  path-cost-method long\n"
                                   "  recovery         0.00 s\n"));
    fclose(p.f);
    free(p.text);
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
        cmocka_unit_test(stp_of_a_tree_to_the_letter),
        cmocka_unit_test(the_tree_in_a_table),
        cmocka_unit_test(the_tree_in_detail),
        cmocka_unit_test(the_table_fits),
        cmocka_unit_test(parameters_by_their_units),
        cmocka_unit_test(stats_say_what_counts_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
