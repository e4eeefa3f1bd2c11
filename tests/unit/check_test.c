/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What port_check finds before anything is opened.
 */
#include "ports/port.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int check(const char *text, struct err *e)
{
    struct port_spec s;

    e->text[0] = '\0';
    assert_int_equal(port_spec_parse(&s, text, e), 0);
    return port_check(&s, e);
}

static void values_are_judged(void **state)
{
    static const char *const bad[][2] = {
        {"stream:/tmp/x,listen=maybe", "listen=maybe"},
        {"stream::4000,listen=off", "which host"},
        {"dgram::5001", "remote=ADDR is missing"},
        {"dgram::5001,remote=192.0.2.1:5000,learn=on", "either"},
        {"dgram:239.7.7.7:5000,local=eth0", "local=eth0"},
        {"pcap:eth0,filter=no such word", "filter"},
        {"pcap:eth0,snaplen=1", "snaplen"},
        {"pcapfile:/x,speed=fast", "speed=fast"},
        {"pcapfile:/x,mode=record,speed=full", "speed= is for"},
        {"pcapfile:/x,netns=web", "netns=web"},
        {"tap:t0,mtu=9", "mtu=9"},
        {"tap:t0,mac=nobody", "mac=nobody"},
        {"packet:eth0,batch=0", "batch=0"},
        {"nosuch:eth0", "no port kind"},
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (check(bad[i][0], &e) == 0)
            fail_msg("%s was taken", bad[i][0]);
        if (!strstr(e.text, bad[i][1]))
            fail_msg("%s: \"%s\" does not say %s", bad[i][0], e.text,
                     bad[i][1]);
    }
}

static void nothing_is_opened(void **state)
{
    static const char *const good[] = {
        "stream:/tmp/bascule-check-test,mode=0660",
        "stream:192.0.2.1:4000",
        "dgram::5001,learn=on",
        "dgram:239.7.7.7:5000,local=127.0.0.1,ttl=2",
        "pcap:nosuch0,filter=\"tcp port 80 or arp\"",
        "pcapfile:/no/such/file,speed=10,loop=on",
        "pcapfile:/tmp/bascule-check-test,mode=record,overwrite=on",
        "tap:nosuch0,mtu=9000",
        "packet:nosuch0,batch=8",
        "mem:a",
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (check(good[i], &e))
            fail_msg("%s: %s", good[i], e.text);
    assert_int_equal(access("/tmp/bascule-check-test", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_judged),
        cmocka_unit_test(nothing_is_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
