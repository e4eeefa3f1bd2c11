/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame of which somebody says what he likes.  Input: the frame.  What the
 * parser takes is a host's address, the cheap look has let it through, and a
 * table into which such claims go stays in bounds.
 */
#include "switch/snoop/snoop.h"
#include "tests/fuzz/check.h"

#include <sys/socket.h>

static bool worth(const uint8_t *data, size_t size, bool acks_only)
{
    struct cursor c = cursor_over(data, size);
    uint16_t type;

    return cursor_skip(&c, 12) && cursor_be16(&c, &type) &&
           snoop_worth(type, data, size, acks_only);
}

static void check_claim(const struct snoop_claim *c)
{
    static const uint8_t none[16];
    char text[SNOOP_IP_TEXT_MAX];

    CHECK(!mac_is_group(&c->mac) && !mac_is_zero(&c->mac));
    CHECK(c->how < SNOOP_HOWS);
    CHECK(c->family == (c->how == SNOOP_ND ? AF_INET6 : AF_INET));
    CHECK(memcmp(c->ip, none, 16) != 0);
    CHECK(snoop_ip_format(c, text)[0] != '?');
    if (c->family == AF_INET)
        CHECK(memcmp(c->ip + 4, none, 12) == 0);
}

static void check_table(const struct snoop_claim *c, uint64_t now)
{
    static struct snoop_table t;

    (void)snoop_enter(&t, c, now);
    CHECK(t.n >= 1 && t.n <= SNOOP_TABLE_MAX);
    if (now % 3 == 0)
        (void)snoop_forget(&t, c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t now;
    struct snoop_claim c;

    if (!snoop_parse(data, size, &c))
        return 0;
    CHECK(worth(data, size, false));
    CHECK(worth(data, size, true) == (c.how == SNOOP_DHCP_ACK));
    check_claim(&c);
    check_table(&c, ++now);
    return 0;
}
